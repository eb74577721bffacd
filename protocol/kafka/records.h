// Records and record batches: the hot path of both directions.
//
// Writing: record_body_size() and write_record() put one record of format v2 into memory of the
// caller, exactly and unchecked; a producer appends them to a batch and puts a BatchHeader
// (batch_header.h) in front. BatchBuilder does all of it in one vector, for brokers and tests.
//
// Reading, in three steps, so that the last one cannot fail:
//   BatchIterator   walks the records of a Fetch response batch by batch, checks lengths and CRC
//   open_batch      decompresses if needed and checks the framing of every record, in one pass
//   RecordIterator  yields views of records; no check, no error, no allocation
// Message sets of formats v0 and v1 (old brokers, old segments) come out of the same three steps:
// they are turned into v2 records by open_batch.
//
// Nothing here reads outside the bytes it was given, whatever they hold. Views point into those
// bytes (or into the FrameSink's block) and live as long as they do. Timestamps are milliseconds
// since 1970, -1 when there is none (v0). One thread at a time per object.
#ifndef TERN_PROTOCOL_KAFKA_RECORDS_H_
#define TERN_PROTOCOL_KAFKA_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "protocol/kafka/batch_header.h"
#include "protocol/kafka/compression.h"
#include "protocol/kafka/record.h"
#include "protocol/wire/bytes.h"
#include "protocol/wire/result.h"
#include "protocol/wire/varint.h"

namespace tern::kafka {

// ---------- writing

// Upper bounds of what a record takes beside its key, its value and its headers, and a header
// beside its key and value. A body (all but its own length) is at most kMaxRecordBody; whoever
// writes records bounds them far below that by configuration.
inline constexpr std::size_t kMaxRecordOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 5;
inline constexpr std::size_t kMaxHeaderOverhead = 5 + 5;
inline constexpr std::size_t kMaxRecordBody = std::numeric_limits<std::int32_t>::max();
inline constexpr std::size_t kMinRecordSize = 7;  // on the wire, its length included

namespace internal {

// A length on the wire is a zigzag varint, null is -1, which is 1 after zigzag.
inline std::uint64_t length_code(std::size_t size) { return static_cast<std::uint64_t>(size) << 1; }
inline std::size_t nullable_size(const wire::Bytes& bytes) {
  return bytes.is_null() ? 1 : wire::uvarint_size(length_code(bytes.size())) + bytes.size();
}
inline std::byte* write_bytes(std::byte* out, const char* data, std::size_t size) {
  out = wire::write_uvarint(out, length_code(size));
  if (size != 0) std::memcpy(out, data, size);
  return out + size;
}
inline std::byte* write_nullable(std::byte* out, const wire::Bytes& bytes) {
  if (bytes.is_null()) {
    *out = std::byte{1};
    return out + 1;
  }
  return write_bytes(out, bytes.data(), bytes.size());
}
// Without the count.
std::size_t headers_size(std::span<const Header> headers);
std::byte* write_headers(std::byte* out, std::span<const Header> headers);

}  // namespace internal

// The size of the record without its length prefix.
inline std::size_t record_body_size(const Record& record, std::int64_t timestamp_delta,
                                    std::int32_t offset_delta) {
  std::size_t size = 1 + wire::varlong_size(timestamp_delta) + wire::varint_size(offset_delta) +
                     internal::nullable_size(record.key) + internal::nullable_size(record.value);
  if (record.headers.empty()) [[likely]] {
    return size + 1;
  }
  return size + wire::uvarint_size(internal::length_code(record.headers.size())) +
         internal::headers_size(record.headers);
}

// The size of the record on the wire.
inline std::size_t record_size(std::size_t body_size) {
  return wire::uvarint_size(internal::length_code(body_size)) + body_size;
}

// Writes record_size(body_size) bytes and returns their end; body_size is what record_body_size()
// said for the same arguments. The record's timestamp and partition are not looked at.
inline std::byte* write_record(std::byte* out, std::size_t body_size, const Record& record,
                               std::int64_t timestamp_delta, std::int32_t offset_delta) {
  out = wire::write_uvarint(out, internal::length_code(body_size));
  *out++ = std::byte{0};  // attributes: none defined
  out = wire::write_varlong(out, timestamp_delta);
  out = wire::write_varint(out, offset_delta);
  out = internal::write_nullable(out, record.key);
  out = internal::write_nullable(out, record.value);
  if (record.headers.empty()) [[likely]] {
    *out = std::byte{0};
    return out + 1;
  }
  out = wire::write_uvarint(out, internal::length_code(record.headers.size()));
  return internal::write_headers(out, record.headers);
}

// ---------- reading

// What was wrong, and where.
struct RecordsError {
  std::error_code code;      // wire::Errc
  const char* what = "";     // the thing that was wrong: "record count", "batch length"
  std::int64_t offset = -1;  // base offset of the batch
  std::size_t position = 0;  // in the records field, or in the (decompressed) records of a batch
  Compression codec = Compression::none;  // of the batch, where compression has to do with it

  explicit operator bool() const { return static_cast<bool>(code); }
  std::string message() const;
};

// A batch as it lies in a response. For magic 2, `payload` is what follows the header, as yet
// compressed. For magic 0 and 1 it is one compressed message or a run of plain ones, each with
// offset and size in front; the header then is what can be said about them: for a compressed
// message, base_offset is its last offset and last_offset_delta 0, until open_batch() knows better.
struct BatchView {
  BatchHeader header;
  std::span<const std::byte> payload;
  std::span<const std::byte> whole;  // header and payload
};

class BatchIterator {
 public:
  struct Options {
    bool check_crc = true;
  };

  explicit BatchIterator(std::span<const std::byte> records) : BatchIterator(records, Options{}) {}
  BatchIterator(std::span<const std::byte> records, Options options)
      : records_(records), options_(options) {}

  // The next batch. False at the end, at a batch that was cut off, and at an error.
  bool next(BatchView& out);

  bool ok() const { return !error_; }
  const RecordsError& error() const { return error_; }

  // A broker cuts the last batch where max_bytes ends. That is no error, but when it was the first
  // one, nothing could be read: fetch again with at least cut_batch_size() (0: not even that is
  // known).
  bool cut() const { return cut_; }
  bool first_was_cut() const { return cut_ && batches_ == 0; }
  std::uint64_t cut_batch_size() const { return cut_size_; }

  std::size_t position() const { return position_; }

 private:
  bool fail(std::error_code code, const char* what, std::int64_t offset);
  bool stop_cut(std::uint64_t size);
  bool next_v2(std::size_t size, BatchView& out);
  bool next_legacy(std::size_t size, BatchView& out);

  std::span<const std::byte> records_;
  Options options_;
  std::size_t position_ = 0;
  std::size_t batches_ = 0;
  std::uint64_t cut_size_ = 0;
  bool cut_ = false;
  RecordsError error_;
};

// Headers of a record, decoded while walking over them.
class HeadersView {
 public:
  class Iterator {
   public:
    using value_type = Header;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const std::byte* at, std::uint32_t left) : at_(at), left_(left) {
      if (left_ != 0) decode();
    }
    const Header& operator*() const { return header_; }
    const Header* operator->() const { return &header_; }
    Iterator& operator++() {
      if (--left_ != 0) decode();
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.left_ == b.left_; }
    friend bool operator==(const Iterator& a, std::default_sentinel_t) { return a.left_ == 0; }

   private:
    void decode();
    const std::byte* at_ = nullptr;
    std::uint32_t left_ = 0;
    Header header_;
  };

  HeadersView() = default;
  // `data` holds that many headers, already checked.
  HeadersView(const std::byte* data, std::uint32_t count) : data_(data), count_(count) {}

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return {data_, count_}; }
  std::default_sentinel_t end() const { return {}; }
  // The value of the last header with this key (the last one wins, as in the Java client).
  std::optional<wire::Bytes> last(std::string_view key) const;

 private:
  const std::byte* data_ = nullptr;
  std::uint32_t count_ = 0;
};

struct RecordView {
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  wire::Bytes key = wire::Bytes::null();
  wire::Bytes value;
  HeadersView headers;
  TimestampType timestamp_type = TimestampType::none;
};

// Records that have been checked: what RecordIterator walks over. Made by open_batch().
struct RecordBlock {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  std::int32_t count = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_offset = 0;
  std::int64_t base_timestamp = -1;
  std::int64_t timestamp_mask = 0;  // 0 when all records have base_timestamp, else all ones
  TimestampType timestamp_type = TimestampType::none;

  inline class RecordIterator begin() const;
  std::default_sentinel_t end() const { return {}; }
};

class RecordIterator {
 public:
  using value_type = RecordView;
  using difference_type = std::ptrdiff_t;

  RecordIterator() = default;
  explicit RecordIterator(const RecordBlock& block) : block_(block), next_(block.data) {
    left_ = block.count;
    if (left_ != 0) decode();
  }

  const RecordView& operator*() const { return view_; }
  const RecordView* operator->() const { return &view_; }
  RecordIterator& operator++() {
    if (--left_ != 0) [[likely]] {
      decode();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  // Records from the current one to the end.
  std::int32_t left() const { return left_; }
  bool done() const { return left_ == 0; }
  // Goes on to the first record at `offset` or after it: a batch may begin before what was asked
  // for.
  void skip_to(std::int64_t offset) {
    while (left_ != 0 && view_.offset < offset) ++*this;
  }
  friend bool operator==(const RecordIterator& a, std::default_sentinel_t) { return a.left_ == 0; }

 private:
  inline void decode();

  RecordBlock block_;
  const std::byte* next_ = nullptr;
  std::int32_t left_ = 0;
  RecordView view_;
};

inline RecordIterator RecordBlock::begin() const { return RecordIterator(*this); }

// Whether open_batch() puts the records into the FrameSink (true) or leaves them where they are.
inline bool needs_frame(const BatchView& batch) {
  return batch.header.compression() != Compression::none || batch.header.magic < kMagicV2;
}

// Checks every record of the batch, after decompressing it if need be into at most `max_bytes`. On
// success the block points into the batch or into the sink's block (see needs_frame).
// `error.offset` is the batch's base offset. Record counts and lengths that lie, numbers that are
// too long, deltas beyond the header's last offset and bytes left over are errors.
bool open_batch(const BatchView& batch, Decompressors& decompressors, FrameSink& sink,
                std::size_t max_bytes, RecordBlock& out, RecordsError& error);

// The checking part of open_batch(), for v2 records that are plain already: `records` must hold
// exactly what `header` says.
bool validate_records(const BatchHeader& header, std::span<const std::byte> records,
                      RecordBlock& out, RecordsError& error);

// ---------- control batches

enum class ControlType : std::int8_t { abort, commit, other };

// What a transaction coordinator (or a broker for itself) writes between the records. Types that
// are not about transactions, and ones yet unknown, are `other`: to be skipped.
struct ControlRecord {
  ControlType type = ControlType::other;
  std::int16_t version = 0;
  std::int16_t raw_type = -1;
  std::int32_t coordinator_epoch = -1;
};

// A record of a control batch. No value when key or value are too short for their type.
std::optional<ControlRecord> parse_control(const RecordView& record);

// ---------- building

// One batch in one piece of memory.
class BatchBuilder {
 public:
  struct Options {
    std::int64_t base_offset = 0;
    std::int32_t partition_leader_epoch = -1;
    std::shared_ptr<const Codec> codec = nullptr;  // nullptr: not compressed
    TimestampType timestamp_type = TimestampType::create;
    std::int64_t log_append_time_ms = -1;  // with TimestampType::log_append: of all records
    bool transactional = false;
    std::int64_t producer_id = kNoProducerId;
    std::int16_t producer_epoch = kNoProducerEpoch;
    std::int32_t base_sequence = kNoSequence;
  };

  BatchBuilder() : BatchBuilder(Options{}) {}
  explicit BatchBuilder(Options options)
      : options_(std::move(options)), next_offset_(options_.base_offset) {}

  // Appends a record at the next offset. Its timestamp is taken as it is.
  void add(const Record& record) { add_at(next_offset_, record); }
  // As after compaction: offsets may have gaps, but only grow, from base_offset on.
  void add_at(std::int64_t offset, const Record& record);
  // Makes this a control batch, of this one record.
  void add_control(ControlType type, std::int32_t coordinator_epoch, std::int64_t timestamp_ms);
  // The last offset stays in the header when compaction has removed the last records.
  void set_last_offset(std::int64_t offset) { next_offset_ = offset + 1; }

  std::int32_t count() const { return count_; }
  // Size of header and records so far, not compressed.
  std::size_t size() const { return kBatchHeaderSize + records_.size(); }

  // The batch. Fails only in the codec. The builder is used up.
  wire::Result<std::vector<std::byte>> finish();

 private:
  Options options_;
  std::vector<std::byte> records_;
  std::int64_t next_offset_;
  std::int64_t base_timestamp_ = -1;
  std::int64_t max_timestamp_ = -1;
  std::int32_t count_ = 0;
  bool control_ = false;
};

// ---------- inline details

namespace internal {

// Reads numbers that validate_records() has seen already: no end, no error.
inline std::uint64_t checked_uvarint(const std::byte*& p) {
  std::uint64_t value = std::to_integer<std::uint64_t>(*p++);
  if (value < 0x80U) [[likely]] {
    return value;
  }
  value &= 0x7fU;
  for (unsigned shift = 7;; shift += 7) {
    const std::uint64_t byte = std::to_integer<std::uint64_t>(*p++);
    value |= (byte & 0x7fU) << shift;
    if (byte < 0x80U) [[likely]] {
      return value;
    }
  }
}

inline wire::Bytes checked_bytes(const std::byte*& p) {
  const std::uint64_t code = checked_uvarint(p);
  if (code & 1U) return wire::Bytes::null();  // the only negative length that is let in is -1
  const auto size = static_cast<std::size_t>(code >> 1);
  const std::byte* data = p;
  p += size;
  return wire::Bytes(std::string_view(reinterpret_cast<const char*>(data), size));
}

}  // namespace internal

// Decodes the record at `p`, which validate_records() has seen, and returns where the next one
// begins.
inline const std::byte* decode_record(const RecordBlock& block, const std::byte* p,
                                      RecordView& view) {
  const std::uint64_t body = internal::checked_uvarint(p) >> 1;
  const std::byte* const next = p + body;
  ++p;  // attributes
  const auto timestamp_delta = wire::zigzag_decode(internal::checked_uvarint(p));
  const auto offset_delta = wire::zigzag_decode(internal::checked_uvarint(p));
  view.offset = block.base_offset + offset_delta;
  view.timestamp_ms =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(block.base_timestamp) +
                                static_cast<std::uint64_t>(timestamp_delta & block.timestamp_mask));
  view.key = internal::checked_bytes(p);
  view.value = internal::checked_bytes(p);
  const auto headers = static_cast<std::uint32_t>(internal::checked_uvarint(p) >> 1);
  view.headers = HeadersView(p, headers);
  view.timestamp_type = block.timestamp_type;
  return next;
}

inline void RecordIterator::decode() { next_ = decode_record(block_, next_, view_); }

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_RECORDS_H_
