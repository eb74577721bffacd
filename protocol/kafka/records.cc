#include "protocol/kafka/records.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/kafka/legacy.h"
#include "protocol/wire/crc32c.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {

using wire::Errc;
using wire::load_be;
using wire::store_be;

// ---------- headers

namespace internal {

std::size_t headers_size(std::span<const Header> headers) {
  std::size_t size = 0;
  for (const Header& header : headers) {
    size += wire::uvarint_size(length_code(header.key.size())) + header.key.size() +
            nullable_size(header.value);
  }
  return size;
}

std::byte* write_headers(std::byte* out, std::span<const Header> headers) {
  for (const Header& header : headers) {
    out = write_bytes(out, header.key.data(), header.key.size());
    out = write_nullable(out, header.value);
  }
  return out;
}

}  // namespace internal

void HeadersView::Iterator::decode() {
  const auto size = static_cast<std::size_t>(internal::checked_uvarint(at_) >> 1);
  header_.key = wire::Text(std::string_view(reinterpret_cast<const char*>(at_), size));
  at_ += size;
  header_.value = internal::checked_bytes(at_);
}

std::optional<wire::Bytes> HeadersView::last(std::string_view key) const {
  std::optional<wire::Bytes> found;
  for (const Header& header : *this) {
    if (header.key.view() == key) found = header.value;
  }
  return found;
}

std::string RecordsError::message() const {
  std::string text = what;
  text += ": " + code.message();
  if (codec != Compression::none) text += std::string(" (compression ") + name(codec) + ")";
  if (offset >= 0) text += ", batch at offset " + std::to_string(offset);
  text += ", byte " + std::to_string(position);
  return text;
}

// ---------- batches

bool BatchIterator::fail(std::error_code code, const char* what, std::int64_t offset) {
  error_ = {.code = code, .what = what, .offset = offset, .position = position_};
  return false;
}

bool BatchIterator::stop_cut(std::uint64_t size) {
  cut_ = true;
  cut_size_ = size;
  return false;
}

bool BatchIterator::next(BatchView& out) {
  constexpr std::size_t kMagicAt = 16;  // in every format
  if (error_ || cut_ || position_ >= records_.size()) return false;
  const std::size_t left = records_.size() - position_;
  const std::byte* at = records_.data() + position_;
  if (left < kBatchLengthEnd) return stop_cut(0);
  const auto offset = load_be<std::int64_t>(at);
  const auto length = load_be<std::int32_t>(at + 8);
  if (length < static_cast<std::int32_t>(kMagicAt + 1 - kBatchLengthEnd)) {
    return fail(Errc::bad_length, "batch length", offset);
  }
  const std::size_t size = kBatchLengthEnd + static_cast<std::size_t>(length);
  if (left <= kMagicAt) return stop_cut(size);
  const auto magic = load_be<std::int8_t>(at + kMagicAt);
  if (magic < 0 || magic > kMagicV2) return fail(Errc::bad_magic, "magic", offset);
  if (size > left) return stop_cut(size);
  return magic == kMagicV2 ? next_v2(size, out) : next_legacy(size, out);
}

bool BatchIterator::next_v2(std::size_t size, BatchView& out) {
  const std::byte* at = records_.data() + position_;
  if (size < kBatchHeaderSize) {
    return fail(Errc::bad_length, "batch length", load_be<std::int64_t>(at));
  }
  const BatchHeader header = read_batch_header(at);
  const std::int64_t offset = header.base_offset;
  if (options_.check_crc &&
      wire::crc32c(0, at + kBatchCrcStart, size - kBatchCrcStart) != header.crc) {
    return fail(Errc::bad_crc, "batch CRC", offset);
  }
  if (header.last_offset_delta < 0) return fail(Errc::bad_value, "last offset delta", offset);
  // So that the next offset is a number, whoever computes it.
  if (offset < 0 || offset >= std::numeric_limits<std::int64_t>::max() - header.last_offset_delta) {
    return fail(Errc::bad_value, "base offset", offset);
  }
  if (header.records_count < 0) return fail(Errc::bad_count, "record count", offset);
  out.header = header;
  out.whole = {at, size};
  out.payload = out.whole.subspan(kBatchHeaderSize);
  position_ += size;
  ++batches_;
  return true;
}

bool BatchIterator::next_legacy(std::size_t size, BatchView& out) {
  std::size_t run = 0;
  RecordsError error;
  const auto rest = records_.subspan(position_);
  if (!internal::read_legacy_run(rest, size, options_.check_crc, out.header, run, error)) {
    error.position += position_;
    error_ = error;
    return false;
  }
  out.whole = out.payload = rest.first(run);
  position_ += run;
  ++batches_;
  return true;
}

// ---------- checking

namespace {

struct Fault {
  Errc code{};
  const char* what = "";

  [[gnu::noinline, gnu::cold]] const std::byte* set(Errc c, const char* w) {
    code = c;
    what = w;
    return nullptr;
  }
  // A number that could not be read: is it too long, or does the input end inside it?
  [[gnu::noinline, gnu::cold]] const std::byte* set_number(const std::byte* p, const std::byte* end,
                                                           const char* w) {
    const bool open =
        std::all_of(p, end, [](std::byte b) { return (b & std::byte{0x80}) != std::byte{0}; });
    return set(open && static_cast<std::size_t>(end - p) < wire::kMaxVarint32 ? Errc::end_of_input
                                                                              : Errc::bad_varint,
               w);
  }
};

template <class U>
inline const std::byte* read_number(const std::byte* p, const std::byte* end, U& out, Fault& fault,
                                    const char* what) {
  const std::byte* const after = wire::read_uvarint(p, end, out);
  return after != nullptr ? after : fault.set_number(p, end, what);
}

// A length that may be null (-1): then `null` is what is wrong with that, if anything is. Returns
// the byte after the content.
inline const std::byte* check_bytes(const std::byte* p, const std::byte* end, Fault& fault,
                                    const char* what, Errc null = {}) {
  std::uint32_t code = 0;
  p = read_number(p, end, code, fault, what);
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  if (code & 1U) [[unlikely]] {
    if (code != 1U) return fault.set(Errc::bad_length, what);
    return null == Errc{} ? p : fault.set(null, what);
  }
  const std::size_t size = code >> 1;
  if (size > static_cast<std::size_t>(end - p)) [[unlikely]] {
    return fault.set(Errc::bad_length, what);
  }
  return p + size;
}

// From the number of headers to the end of the record.
[[gnu::noinline]] const std::byte* check_headers(const std::byte* p, const std::byte* end,
                                                 Fault& fault) {
  constexpr std::size_t kSmallestHeader = 2;
  std::uint32_t code = 0;
  p = read_number(p, end, code, fault, "header count");
  if (p == nullptr) return nullptr;
  if ((code & 1U) || code / 2 > static_cast<std::size_t>(end - p) / kSmallestHeader) {
    return fault.set(Errc::bad_count, "header count");
  }
  for (std::uint32_t left = code / 2; left != 0; --left) {
    p = check_bytes(p, end, fault, "header key", Errc::null_not_allowed);
    if (p == nullptr) return nullptr;
    p = check_bytes(p, end, fault, "header value");
    if (p == nullptr) return nullptr;
  }
  return p == end ? p : fault.set(Errc::trailing_bytes, "record");
}

// One record, of which p is the length. Everything but the length is off the critical path: the
// next record may be looked at while this one is still being checked.
inline const std::byte* check_record(const std::byte* p, const std::byte* end,
                                     std::uint32_t last_offset_code, Fault& fault) {
  constexpr std::uint32_t kSmallestBody = kMinRecordSize - 1;
  std::uint32_t code = 0;
  p = read_number(p, end, code, fault, "record length");
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  const std::size_t body = code >> 1;
  if ((code & 1U) || body < kSmallestBody || body > static_cast<std::size_t>(end - p))
      [[unlikely]] {
    return fault.set(Errc::bad_length, "record length");
  }
  const std::byte* const body_end = p + body;
  ++p;  // attributes: none defined, so none refused
  std::uint64_t timestamp_code = 0;
  p = read_number(p, body_end, timestamp_code, fault, "timestamp delta");
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  std::uint32_t offset_code = 0;
  p = read_number(p, body_end, offset_code, fault, "offset delta");
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  if ((offset_code & 1U) || offset_code > last_offset_code) [[unlikely]] {
    return fault.set(Errc::bad_value, "offset delta");
  }
  p = check_bytes(p, body_end, fault, "key");
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  p = check_bytes(p, body_end, fault, "value");
  if (p == nullptr) [[unlikely]] {
    return nullptr;
  }
  if (body_end - p == 1 && *p == std::byte{0}) [[likely]] {
    return body_end;  // no headers
  }
  return check_headers(p, body_end, fault);
}

}  // namespace

bool validate_records(const BatchHeader& header, std::span<const std::byte> records,
                      RecordBlock& out, RecordsError& error) {
  const auto fail = [&](Errc code, const char* what, std::size_t position) {
    error = {.code = code, .what = what, .offset = header.base_offset, .position = position};
    return false;
  };
  if (header.records_count < 0 ||
      static_cast<std::size_t>(header.records_count) > records.size() / kMinRecordSize) {
    return fail(Errc::bad_count, "record count", 0);
  }
  if (header.last_offset_delta < 0) return fail(Errc::bad_value, "last offset delta", 0);
  if (header.base_offset > std::numeric_limits<std::int64_t>::max() - header.last_offset_delta) {
    return fail(Errc::bad_value, "base offset", 0);
  }
  const std::uint32_t last_offset_code = wire::zigzag_encode(header.last_offset_delta);
  const std::byte* const begin = records.data();
  const std::byte* const end = begin + records.size();
  const std::byte* p = begin;
  Fault fault;
  for (std::int32_t left = header.records_count; left != 0; --left) {
    const std::byte* const next = check_record(p, end, last_offset_code, fault);
    if (next == nullptr) [[unlikely]] {
      return fail(fault.code, fault.what, static_cast<std::size_t>(p - begin));
    }
    p = next;
  }
  if (p != end) return fail(Errc::trailing_bytes, "records", static_cast<std::size_t>(p - begin));
  const bool append_time = header.timestamp_type() == TimestampType::log_append;
  out = {.data = begin,
         .size = records.size(),
         .count = header.records_count,
         .last_offset_delta = header.last_offset_delta,
         .base_offset = header.base_offset,
         .base_timestamp = append_time ? header.max_timestamp : header.base_timestamp,
         .timestamp_mask = append_time ? 0 : -1,
         .timestamp_type = header.timestamp_type()};
  return true;
}

bool open_batch(const BatchView& batch, Decompressors& decompressors, FrameSink& sink,
                std::size_t max_bytes, RecordBlock& out, RecordsError& error) {
  if (batch.header.magic < kMagicV2) {
    return internal::open_legacy(batch, decompressors, sink, max_bytes, out, error);
  }
  const Compression codec = batch.header.compression();
  if (codec == Compression::none) {
    return validate_records(batch.header, batch.payload, out, error);
  }
  std::span<const std::byte> records;
  return internal::decompress(batch, codec, batch.payload, decompressors, sink, max_bytes, records,
                              error) &&
         validate_records(batch.header, records, out, error);
}

namespace internal {

bool decompress(const BatchView& batch, Compression codec, std::span<const std::byte> in,
                Decompressors& decompressors, FrameSink& sink, std::size_t max_bytes,
                std::span<const std::byte>& out, RecordsError& error) {
  error = {.code = {}, .what = "batch", .offset = batch.header.base_offset, .codec = codec};
  Decompressor* decompressor = decompressors.find(codec);
  if (decompressor == nullptr) {
    error.code = Errc::missing_codec;
    return false;
  }
  const wire::Result<std::size_t> size = decompressor->decompress(in, sink, max_bytes);
  if (!size) {
    error.code = size.error();
    if (size.error() == Errc::too_large) error.what = "decompressed batch";
    return false;
  }
  const std::span<std::byte> block = sink.grow(*size, *size);
  if (block.size() < *size) {
    error.code = Errc::too_large;
    return false;
  }
  out = block.first(*size);
  error = {};
  return true;
}

}  // namespace internal

// ---------- control batches

namespace {
constexpr std::int16_t kControlAbort = 0;
constexpr std::int16_t kControlCommit = 1;
}  // namespace

std::optional<ControlRecord> parse_control(const RecordView& record) {
  constexpr std::size_t kKeySize = 4;    // version, type
  constexpr std::size_t kValueSize = 6;  // version, coordinator epoch
  if (record.key.size() < kKeySize) return std::nullopt;
  const std::byte* key = record.key.span().data();
  ControlRecord control;
  control.version = load_be<std::int16_t>(key);
  control.raw_type = load_be<std::int16_t>(key + 2);
  if (control.version < 0) return std::nullopt;
  if (control.raw_type != kControlAbort && control.raw_type != kControlCommit) return control;
  control.type = control.raw_type == kControlCommit ? ControlType::commit : ControlType::abort;
  if (record.value.size() < kValueSize) return std::nullopt;
  control.coordinator_epoch = load_be<std::int32_t>(record.value.span().data() + 2);
  return control;
}

// ---------- building

void BatchBuilder::add_at(std::int64_t offset, const Record& record) {
  if (count_ == 0) base_timestamp_ = record.timestamp_ms;
  max_timestamp_ =
      count_ == 0 ? record.timestamp_ms : std::max(max_timestamp_, record.timestamp_ms);
  const auto timestamp_delta =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(record.timestamp_ms) -
                                static_cast<std::uint64_t>(base_timestamp_));
  const auto offset_delta = static_cast<std::int32_t>(offset - options_.base_offset);
  const std::size_t body = record_body_size(record, timestamp_delta, offset_delta);
  const std::size_t at = records_.size();
  const std::size_t need = at + record_size(body);
  if (records_.capacity() < need) records_.reserve(std::max(need, records_.capacity() * 2));
  records_.resize(need);
  write_record(records_.data() + at, body, record, timestamp_delta, offset_delta);
  next_offset_ = offset + 1;
  ++count_;
}

void BatchBuilder::add_control(ControlType type, std::int32_t coordinator_epoch,
                               std::int64_t timestamp_ms) {
  constexpr std::int16_t kUnknownType = 1000;
  std::byte key[4];
  std::byte value[6];
  store_be(key, std::int16_t{0});
  store_be(key + 2, type == ControlType::commit  ? kControlCommit
                    : type == ControlType::abort ? kControlAbort
                                                 : kUnknownType);
  store_be(value, std::int16_t{0});
  store_be(value + 2, coordinator_epoch);
  control_ = true;
  add({.key = std::span<const std::byte>(key),
       .value = std::span<const std::byte>(value),
       .timestamp_ms = timestamp_ms});
}

wire::Result<std::vector<std::byte>> BatchBuilder::finish() {
  std::vector<std::byte> records = std::move(records_);
  BatchHeader header;
  if (options_.codec != nullptr && options_.codec->id() != Compression::none) {
    VectorChunkSink sink;
    const wire::Bytes plain{std::span<const std::byte>(records)};
    const wire::Result<std::size_t> size =
        options_.codec->make_compressor()->compress({&plain, 1}, sink);
    if (!size) return size.error();
    records = sink.take(*size);
    header.attributes = static_cast<std::int16_t>(options_.codec->id());
  }
  if (records.size() >
      static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) - kBatchHeaderSize) {
    return Errc::too_large;
  }
  const bool append_time = options_.timestamp_type == TimestampType::log_append;
  const auto add = [&](bool on, std::int16_t bit) {
    if (on) header.attributes = static_cast<std::int16_t>(header.attributes | bit);
  };
  add(append_time, attribute::kLogAppendTime);
  add(options_.transactional, attribute::kTransactional);
  add(control_, attribute::kControl);
  header.base_offset = options_.base_offset;
  header.batch_length =
      static_cast<std::int32_t>(kBatchHeaderSize - kBatchLengthEnd + records.size());
  header.partition_leader_epoch = options_.partition_leader_epoch;
  header.last_offset_delta =
      std::max(0, static_cast<std::int32_t>(next_offset_ - 1 - options_.base_offset));
  header.base_timestamp = base_timestamp_;
  header.max_timestamp = append_time ? options_.log_append_time_ms : max_timestamp_;
  header.producer_id = options_.producer_id;
  header.producer_epoch = options_.producer_epoch;
  header.base_sequence = options_.base_sequence;
  header.records_count = count_;

  std::vector<std::byte> batch(kBatchHeaderSize + records.size());
  if (!records.empty())
    std::memcpy(batch.data() + kBatchHeaderSize, records.data(), records.size());
  write_batch_header(batch.data(), header);
  const wire::Bytes piece{std::span<const std::byte>(records)};
  patch_crc(batch.data(), batch_crc(batch.data(), {&piece, 1}));
  return batch;
}

}  // namespace tern::kafka
