// The 61 bytes in front of the records of a batch (message format v2), and their checksum.
//
//   at  size  field
//    0    8   base offset              \  not covered by the CRC: a broker changes these
//    8    4   length of what follows    | (base offset, leader epoch) without touching the rest
//   12    4   partition leader epoch    |
//   16    1   magic, 2                  |
//   17    4   CRC-32C of all that follows
//   21    2   attributes
//   23    4   last offset delta        last offset less base offset, whatever compaction removed
//   27    8   base timestamp           milliseconds; what the records' deltas are added to
//   35    8   max timestamp
//   43    8   producer id              \  -1 without idempotence
//   51    2   producer epoch            |
//   53    4   base sequence            /
//   57    4   number of records
//
// Everything here is a value or works on bytes of the caller; any thread.
#ifndef TERN_PROTOCOL_KAFKA_BATCH_HEADER_H_
#define TERN_PROTOCOL_KAFKA_BATCH_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/kafka/compression.h"
#include "protocol/wire/bytes.h"

namespace tern::kafka {

inline constexpr std::size_t kBatchHeaderSize = 61;
inline constexpr std::size_t kBatchLengthEnd = 12;  // the length counts from here
inline constexpr std::size_t kBatchCrcStart = 21;   // the sum counts from here
inline constexpr std::int8_t kMagicV2 = 2;

inline constexpr std::int64_t kNoProducerId = -1;
inline constexpr std::int16_t kNoProducerEpoch = -1;
inline constexpr std::int32_t kNoSequence = -1;

enum class TimestampType : std::int8_t { none = -1, create = 0, log_append = 1 };

namespace attribute {
inline constexpr std::int16_t kCompressionMask = 0x07;
inline constexpr std::int16_t kLogAppendTime = 0x08;
inline constexpr std::int16_t kTransactional = 0x10;
inline constexpr std::int16_t kControl = 0x20;
inline constexpr std::int16_t kDeleteHorizon = 0x40;  // the base timestamp is the delete horizon
}  // namespace attribute

struct BatchHeader {
  std::int64_t base_offset = 0;
  std::int32_t batch_length = static_cast<std::int32_t>(kBatchHeaderSize - kBatchLengthEnd);
  std::int32_t partition_leader_epoch = -1;
  std::int8_t magic = kMagicV2;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = 0;
  std::int64_t max_timestamp = 0;
  std::int64_t producer_id = kNoProducerId;
  std::int16_t producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  std::int32_t records_count = 0;

  // A number that is no Compression of ours is possible here: find_codec() will not find it.
  Compression compression() const {
    return static_cast<Compression>(attributes & attribute::kCompressionMask);
  }
  TimestampType timestamp_type() const {
    if (magic == 0) return TimestampType::none;
    return (attributes & attribute::kLogAppendTime) ? TimestampType::log_append
                                                    : TimestampType::create;
  }
  bool is_transactional() const { return (attributes & attribute::kTransactional) != 0; }
  bool is_control() const { return (attributes & attribute::kControl) != 0; }
  std::int64_t last_offset() const { return base_offset + last_offset_delta; }
  std::int64_t next_offset() const { return last_offset() + 1; }

  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

// The sequence number `count` records after `sequence`: it wraps to 0, never below.
constexpr std::int32_t next_sequence(std::int32_t sequence, std::int32_t count) {
  return static_cast<std::int32_t>(
      (static_cast<std::int64_t>(sequence) + static_cast<std::int64_t>(count)) & 0x7fffffff);
}

// Writes all 61 bytes as given, the CRC field included.
void write_batch_header(std::byte* out, const BatchHeader& header);
// Reads 61 bytes, judging none of them.
BatchHeader read_batch_header(const std::byte* in);

// Changes to a header that is already written. Only the first two leave the CRC as it is.
void patch_base_offset(std::byte* header, std::int64_t base_offset);
void patch_partition_leader_epoch(std::byte* header, std::int32_t epoch);
void patch_producer(std::byte* header, std::int64_t id, std::int16_t epoch,
                    std::int32_t base_sequence);
void patch_crc(std::byte* header, std::uint32_t crc);

// The CRC of a batch: over bytes 21 to 60 of `header`, then over the records, in any pieces.
std::uint32_t batch_crc(const std::byte* header, std::span<const wire::Bytes> pieces);

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_BATCH_HEADER_H_
