// What an AMQP method is (class, number, name, who sends it), and the vocabulary of descriptions.
//
//   struct BasicQos {
//     static constexpr Method method{{60, 10}, "basic.qos", Sender::client};
//     using Replies = wire::TypeList<BasicQosOk>;
//     std::uint32_t prefetch_size = 0; ...
//     template <class V> static constexpr void describe(V& field) {
//       field("prefetch_size", &BasicQos::prefetch_size); ...
//     }
//   };
//
// The C++ type of a member is its type on the wire: bool a bit (neighbours share octets),
// std::uint8_t an octet, std::uint16_t a short, std::uint32_t a long, std::uint64_t a longlong,
// Text a short string (255 bytes at most), Bytes a long string, Table a field table. Nothing here
// may be null. A field that the protocol has retired is `field.reserved("name", value to send)`: it
// has no member, and what a peer puts there is not looked at. Values; any thread.
#ifndef TERN_PROTOCOL_AMQP_METHOD_H_
#define TERN_PROTOCOL_AMQP_METHOD_H_

#include <compare>
#include <cstdint>

#include "protocol/wire/bytes.h"
#include "protocol/wire/describe.h"

namespace tern::amqp {

using wire::Bytes;
using wire::Text;

struct MethodId {
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;

  // For `switch`: case BasicAck::method.id.packed().
  constexpr std::uint32_t packed() const {
    return static_cast<std::uint32_t>(class_id) << 16 | method_id;
  }
  friend constexpr auto operator<=>(const MethodId&, const MethodId&) = default;
};

enum class Sender : std::uint8_t { client, server, both };

struct Method {
  MethodId id;
  const char* name = "";
  Sender sender = Sender::both;
  bool has_content = false;  // a content header and a body follow
};

// Marks a field that is never printed.
struct FieldSpec {
  bool is_secret = false;
};
inline constexpr FieldSpec kSecret{.is_secret = true};

// A request, to be answered by one of `M::Replies`.
template <class M>
inline constexpr bool is_synchronous = requires { typename M::Replies; };

// Whether an answer to this very request is to be waited for.
template <class M>
constexpr bool expects_reply(const M& message) {
  if constexpr (requires { message.no_wait; }) {
    return is_synchronous<M> && !message.no_wait;
  } else {
    return is_synchronous<M>;
  }
}

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHOD_H_
