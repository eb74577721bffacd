// Encode, exact size, decode, print and schema dump of Kafka messages, all derived from `describe`.
//
// Encoding takes two passes: encoded_size() validates and counts, then encode() writes without
// checks.
//   auto size = encoded_size(request, version);            // an error says what the version cannot
//   carry std::vector<std::byte> flat(size->total - size->spliced); wire::Writer writer(flat,
//   splices);                     // or size->total and no splices: all inline encode(request,
//   version, writer);
// Decoding gives views into the input and arrays in the arena; both must outlive the message.
//
// The code is instantiated once per message in messages/*.cc; this header only declares it. Pure
// functions without state: any thread.
#ifndef TERN_PROTOCOL_KAFKA_CODEC_H_
#define TERN_PROTOCOL_KAFKA_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/kafka/api.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/errc.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/result.h"
#include "protocol/wire/writer.h"

namespace tern::kafka {

struct EncodedSize {
  std::size_t total = 0;  // bytes of the body, records included
  // Bytes of records fields large enough to be left out by a Writer with splices.
  std::size_t spliced = 0;
  std::size_t splices = 0;  // number of such fields

  friend bool operator==(const EncodedSize&, const EncodedSize&) = default;
};

// One class per message, so that one line instantiates all of it.
template <class M>
struct MessageCodec {
  static wire::Result<EncodedSize> encoded_size(const M& message, std::int16_t version,
                                                const char** field, std::size_t min_splice);
  static void encode(const M& message, std::int16_t version, wire::Writer& writer);
  static bool decode(wire::Reader& reader, std::int16_t version, wire::Arena& arena, M& out);
  static std::string print(const M& message, std::int16_t version);
  static std::string schema();
};

// A message type that is a request names its response: `using Response = ProduceResponse;`.
template <class M>
inline constexpr bool is_request = requires { typename M::Response; };

// "FetchRequest", "FetchResponse"; what has no key goes by its bare name.
template <class M>
std::string message_name() {
  if (M::api.key == kNoKey) return M::api.name;
  return std::string(M::api.name) + (is_request<M> ? "Request" : "Response");
}

// Errors: unsupported_version, null_not_allowed, too_large (a string above 32,767 bytes, or in
// total above 2 GiB), not_in_version. `field`, if given, is set to the name of the offending field.
// `min_splice`: as the Writer's.
template <class M>
wire::Result<EncodedSize> encoded_size(const M& message, std::int16_t version,
                                       const char** field = nullptr,
                                       std::size_t min_splice = wire::kMinSpliceBytes) {
  return MessageCodec<M>::encoded_size(message, version, field, min_splice);
}

// Only after encoded_size() of the same message and version succeeded, into that much room.
template <class M>
void encode(const M& message, std::int16_t version, wire::Writer& writer) {
  MessageCodec<M>::encode(message, version, writer);
}

// False: reader.error() says why. Fields that the version lacks get their defaults. Bytes after the
// message are left to the caller (`reader.expect_end()`).
template <class M>
[[nodiscard]] bool decode(wire::Reader& reader, std::int16_t version, wire::Arena& arena, M& out) {
  return MessageCodec<M>::decode(reader, version, arena, out);
}

// The fields that the version carries, on one line; secrets as ***, records as their size.
template <class M>
std::string print(const M& message, std::int16_t version) {
  return MessageCodec<M>::print(message, version);
}

// What the description says, in the form of tests/golden/schema.txt.
template <class M>
std::string schema_dump() {
  return MessageCodec<M>::schema();
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_CODEC_H_
