// A record as a program hands it in: views only, nothing owned.
//
//   Record record{.key = "k", .value = body, .headers = headers, .timestamp_ms = t};
//
// The bytes behind the views have to live until the call that takes the record returns (or, for an
// awaited send, until it completes: see the producer). Key and value may be null; a null value is a
// tombstone. A default constructed key is null, a default constructed value is empty.
#ifndef TERN_PROTOCOL_KAFKA_RECORD_H_
#define TERN_PROTOCOL_KAFKA_RECORD_H_

#include <cstdint>
#include <span>

#include "protocol/wire/bytes.h"

namespace tern::kafka {

using wire::null;

// The value may be null, the key may not (a null key is written as an empty one).
struct Header {
  wire::Text key;
  wire::Bytes value;

  friend bool operator==(const Header&, const Header&) = default;
};

inline constexpr std::int64_t kTimestampNow = -1;    // the producer stamps the record itself
inline constexpr std::int32_t kPartitionByKey = -1;  // the partitioner chooses

struct Record {
  wire::Bytes key = wire::Bytes::null();
  wire::Bytes value = {};
  std::span<const Header> headers = {};
  std::int64_t timestamp_ms = kTimestampNow;  // milliseconds since 1970
  std::int32_t partition = kPartitionByKey;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_RECORD_H_
