// Content headers: the size of a body and the 14 properties of a message.
//
// A property that is not set is not sent: Text is null then, the others are nullopt. Decoding gives
// views into the payload and takes no memory. Values and pure functions; any thread.
#ifndef TERN_PROTOCOL_AMQP_PROPERTIES_H_
#define TERN_PROTOCOL_AMQP_PROPERTIES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/amqp/codec.h"
#include "protocol/wire/endian.h"

namespace tern::amqp {

inline constexpr std::uint16_t kBasicClass = 60;  // the one class with content

inline constexpr std::uint8_t kTransient = 1;  // delivery_mode
inline constexpr std::uint8_t kPersistent = 2;

struct BasicProperties {
  Text content_type = wire::null;
  Text content_encoding = wire::null;
  std::optional<Table> headers = {};
  std::optional<std::uint8_t> delivery_mode = {};
  std::optional<std::uint8_t> priority = {};
  Text correlation_id = wire::null;
  Text reply_to = wire::null;
  Text expiration = wire::null;  // milliseconds, as decimal digits
  Text message_id = wire::null;
  std::optional<Timestamp> timestamp = {};
  Text type = wire::null;
  Text user_id = wire::null;
  Text app_id = wire::null;
  Text cluster_id = wire::null;  // retired: RabbitMQ passes it on, and uses it for nothing

  // The first argument is the bit of the property flags.
  template <class V>
  static constexpr void describe(V& property) {
    using P = BasicProperties;
    property(15, "content_type", &P::content_type);
    property(14, "content_encoding", &P::content_encoding);
    property(13, "headers", &P::headers);
    property(12, "delivery_mode", &P::delivery_mode);
    property(11, "priority", &P::priority);
    property(10, "correlation_id", &P::correlation_id);
    property(9, "reply_to", &P::reply_to);
    property(8, "expiration", &P::expiration);
    property(7, "message_id", &P::message_id);
    property(6, "timestamp", &P::timestamp);
    property(5, "type", &P::type);
    property(4, "user_id", &P::user_id);
    property(3, "app_id", &P::app_id);
    property(2, "cluster_id", &P::cluster_id);
  }
  friend bool operator==(const BasicProperties&, const BasicProperties&) = default;
};

// What comes between a method with content and the body. A body of 0 bytes has a header and no
// body frame.
struct ContentHeader {
  std::uint64_t body_size = 0;
  BasicProperties properties;

  friend bool operator==(const ContentHeader&, const ContentHeader&) = default;
};

// The payload of a header frame. Error: too_large, a string over 255 bytes; see encoded_size() of
// methods.
wire::Result<std::size_t> encoded_size(const ContentHeader& header, const char** field = nullptr);
// Only after encoded_size() of the same header succeeded, into that much room.
void encode(const ContentHeader& header, wire::Writer& writer);
// The same for a header in two parts.
wire::Result<std::size_t> encoded_header_size(const BasicProperties& properties,
                                              const char** field = nullptr);
void encode_header(std::uint64_t body_size, const BasicProperties& properties,
                   wire::Writer& writer);

// The payload of a header without any property has so many bytes; any property makes it longer.
inline constexpr std::size_t kPlainHeaderBytes = 2 + 2 + 8 + 2;  // class, weight, body size, flags
inline bool has_none(const BasicProperties& p) {
  // Without branches: it is asked of every message.
  const auto any = [](const Text& text) { return !text.is_null(); };
  return !(int{any(p.content_type)} | int{any(p.content_encoding)} | int{p.headers.has_value()} |
           int{p.delivery_mode.has_value()} | int{p.priority.has_value()} |
           int{any(p.correlation_id)} | int{any(p.reply_to)} | int{any(p.expiration)} |
           int{any(p.message_id)} | int{p.timestamp.has_value()} | int{any(p.type)} |
           int{any(p.user_id)} | int{any(p.app_id)} | int{any(p.cluster_id)});
}

// Of any body size: whether one so large is welcome is for the caller to say. Flags that AMQP does
// not define, and bytes after the properties, are passed over. False: reader.error() says why.
[[nodiscard]] bool decode(wire::Reader& reader, const DecodeLimits& limits, ContentHeader& out);
// Whether this is the payload of a good header without any property, and the size in it: the
// quickest way for what is most common.
inline bool is_plain_header(Bytes payload, std::uint64_t& body_size) {
  const auto* const at = reinterpret_cast<const std::byte*>(payload.data());
  if (payload.size() != kPlainHeaderBytes ||
      wire::load_be<std::uint32_t>(at) != std::uint32_t{kBasicClass} << 16 ||
      wire::load_be<std::uint16_t>(at + 12) != 0) {
    return false;
  }
  body_size = wire::load_be<std::uint64_t>(at + 4);
  return true;
}
// The same for the payload of a frame, with an error that names what to close the connection with:
// 505 for a class other than basic, else 502.
[[nodiscard]] std::optional<PayloadError> decode_header(Bytes payload, const DecodeLimits& limits,
                                                        ContentHeader& out);

// {content_type: "text/plain", priority: 3}: the properties that are set.
std::string print(const BasicProperties& properties);

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_PROPERTIES_H_
