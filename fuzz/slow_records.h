// The slowest, most obvious reader of the records of a Fetch response: every format, one field
// after the other, everything copied. What protocol/kafka/records.h makes of the same bytes is
// compared with it. Shares no code with that but the checksums, which have a target of their own.
#ifndef TERN_FUZZ_SLOW_RECORDS_H_
#define TERN_FUZZ_SLOW_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tern::fuzz {

// The most that a compressed batch may become, in these targets.
inline constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

using Blob = std::optional<std::string>;  // nothing: null

struct SlowRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  int timestamp_type = 0;
  Blob key;
  Blob value;
  std::vector<std::pair<std::string, Blob>> headers;
  friend bool operator==(const SlowRecord&, const SlowRecord&) = default;
};

enum class HowItEnds { end, cut, error };

struct SlowResult {
  // A record, or nothing where a batch could be walked over but not be opened.
  std::vector<std::optional<SlowRecord>> records;
  HowItEnds how = HowItEnds::end;
  friend bool operator==(const SlowResult&, const SlowResult&) = default;
};

// Checksums of batches, and of messages that are not inside a compressed one, are looked at.
SlowResult read_slowly(std::span<const std::byte> records);

// The same by protocol/kafka/records.h, with all it promises required on the way.
SlowResult read_fast(std::span<const std::byte> records, bool check_crc);

// Puts the right checksum into every batch and message that can be found, so that a fuzzer gets
// behind it.
void mend_checksums(std::span<std::byte> records);

// zlib's own reading of gzip, members one after the other; nothing if it refuses, or if more than
// kMaxUnpacked comes out.
std::optional<std::string> gunzip_slowly(std::span<const std::byte> packed);

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_SLOW_RECORDS_H_
