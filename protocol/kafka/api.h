// What a Kafka API is (key, name, versions), and the headers around every request and response.
//
// Header rules, none of which a message description can say by itself:
//   - request header v2 and response header v1 exactly when the body's version is flexible,
//   - but an ApiVersions response always has header v0, so that a client can read it before it
//   knows
//     what the broker speaks,
//   - and the client id keeps its old two-byte length in every header version.
// Values and pure functions; any thread.
#ifndef TERN_PROTOCOL_KAFKA_API_H_
#define TERN_PROTOCOL_KAFKA_API_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/wire/bytes.h"
#include "protocol/wire/describe.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace tern::kafka {

using wire::Array;
using wire::since;
using wire::Text;
using wire::Uuid;

struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = -1;  // default: empty

  constexpr bool contains(std::int16_t version) const { return version >= min && version <= max; }
  constexpr bool empty() const { return min > max; }
  friend constexpr bool operator==(const VersionRange&, const VersionRange&) = default;
};

// The versions both sides have; empty if there is none.
constexpr VersionRange intersect(VersionRange a, VersionRange b) {
  return {a.min > b.min ? a.min : b.min, a.max < b.max ? a.max : b.max};
}

inline constexpr std::int16_t kNoKey = -1;  // of what is described but lies inside other messages

struct Api {
  std::int16_t key = kNoKey;
  const char* name = "";
  VersionRange versions;                      // all that the description covers
  std::int16_t flexible_from = wire::kNever;  // compact lengths and tagged fields from here on
  std::int16_t unstable_from = wire::kNever;  // described, but never to be negotiated, from here on

  constexpr bool flexible(std::int16_t version) const { return version >= flexible_from; }
  // What may be offered or chosen: without the unstable versions.
  constexpr VersionRange negotiable() const {
    const int below = unstable_from - 1;
    return {versions.min, below < versions.max ? static_cast<std::int16_t>(below) : versions.max};
  }
};

// Every API that has descriptions here, in order of key.
std::span<const Api> all_apis();
// nullptr if there is no description of this key.
const Api* find_api(std::int16_t key);

// 1 or 2, and 0 or 1. An unknown key counts as not flexible.
std::int16_t request_header_version(std::int16_t key, std::int16_t version);
std::int16_t response_header_version(std::int16_t key, std::int16_t version);

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  Text client_id = Text::null();

  friend bool operator==(const RequestHeader&, const RequestHeader&) = default;
};

// The size prefix of a frame is not part of a header. A client id has at most 32,767 bytes; a
// longer one is cut there by both functions.
std::size_t request_header_size(const RequestHeader& header);
void encode_request_header(const RequestHeader& header, wire::Writer& writer);
// Reads the header of any request, of a version we do not know too (as a broker must to answer it).
// The reader then stands at the body. client_id points into the input.
bool decode_request_header(wire::Reader& reader, RequestHeader& out);

std::size_t response_header_size(std::int16_t key, std::int16_t version);
void encode_response_header(std::int16_t key, std::int16_t version, std::int32_t correlation_id,
                            wire::Writer& writer);
// The correlation id comes first in every header version: read it (`reader.i32()`), look up the
// request, then call this with what was asked.
bool skip_response_header_tags(wire::Reader& reader, std::int16_t key, std::int16_t version);
// Both steps at once, when there is only one request it can belong to.
bool decode_response_header(wire::Reader& reader, std::int16_t key, std::int16_t version,
                            std::int32_t& correlation_id);

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_API_H_
