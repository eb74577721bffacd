#include "protocol/kafka/legacy.h"

#include <algorithm>
#include <limits>

#include "protocol/kafka/crc32.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/errc.h"
#include "protocol/wire/varint.h"

namespace tern::kafka::internal {
namespace {

using wire::Errc;
using wire::load_be;

constexpr std::size_t kEntryHeader = 12;              // offset, size
constexpr std::size_t kSmallestMessage[] = {14, 22};  // v0, v1: no key, no value
constexpr int kMaxOffsetDelta = std::numeric_limits<std::int32_t>::max();

struct Message {
  std::int64_t offset = 0;
  std::int64_t timestamp = -1;
  std::int8_t magic = 0;
  std::int8_t attributes = 0;
  wire::Bytes key;
  wire::Bytes value;
  std::size_t size = 0;  // of the entry

  Compression compression() const {
    return static_cast<Compression>(attributes & attribute::kCompressionMask);
  }
  bool plain() const { return compression() == Compression::none; }
  bool same_kind(const Message& other) const {
    constexpr int kKind = attribute::kCompressionMask | attribute::kLogAppendTime;
    return magic == other.magic && (attributes & kKind) == (other.attributes & kKind);
  }
};

// Reads int32 length and bytes at p; nullptr when they do not fit.
const std::byte* read_field(const std::byte* p, const std::byte* end, wire::Bytes& out) {
  if (end - p < 4) return nullptr;
  const auto length = load_be<std::int32_t>(p);
  p += 4;
  if (length == -1) {
    out = wire::Bytes::null();
    return p;
  }
  if (length < 0 || length > end - p) return nullptr;
  out = std::span<const std::byte>(p, static_cast<std::size_t>(length));
  return p + length;
}

// The entry at the start of `set`, which may be cut off.
bool read_message(std::span<const std::byte> set, bool check_crc, Message& out,
                  RecordsError& error) {
  const auto fail = [&](Errc code, const char* what) {
    error.code = code;
    error.what = what;
    return false;
  };
  if (set.size() < kEntryHeader) return fail(Errc::end_of_input, "message");
  const std::byte* p = set.data();
  out.offset = load_be<std::int64_t>(p);
  error.offset = out.offset;
  const auto length = load_be<std::int32_t>(p + 8);
  if (length < static_cast<std::int32_t>(kSmallestMessage[0]))
    return fail(Errc::bad_length, "message size");
  if (static_cast<std::size_t>(length) > set.size() - kEntryHeader) {
    return fail(Errc::end_of_input, "message");
  }
  out.size = kEntryHeader + static_cast<std::size_t>(length);
  const std::byte* const end = p + out.size;
  p += kEntryHeader;
  const auto crc = load_be<std::uint32_t>(p);
  out.magic = load_be<std::int8_t>(p + 4);
  if (out.magic != 0 && out.magic != 1) return fail(Errc::bad_magic, "magic");
  if (static_cast<std::size_t>(length) < kSmallestMessage[out.magic]) {
    return fail(Errc::bad_length, "message size");
  }
  if (check_crc) {
    if (crc32_ieee(0, p + 4, static_cast<std::size_t>(end - p - 4)) != crc) {
      return fail(Errc::bad_crc, "message CRC");
    }
  }
  out.attributes = load_be<std::int8_t>(p + 5);
  p += 6;
  out.timestamp = -1;
  if (out.magic == 1) {
    out.timestamp = load_be<std::int64_t>(p);
    p += 8;
  }
  p = read_field(p, end, out.key);
  if (p == nullptr) return fail(Errc::bad_length, "message key");
  p = read_field(p, end, out.value);
  if (p == nullptr) return fail(Errc::bad_length, "message value");
  if (p != end) return fail(Errc::trailing_bytes, "message");
  if (out.offset < 0 || out.offset == std::numeric_limits<std::int64_t>::max()) {
    return fail(Errc::bad_value, "message offset");
  }
  return true;
}

BatchHeader header_of(const Message& first) {
  BatchHeader header;
  header.base_offset = first.offset;
  header.magic = first.magic;
  header.attributes = first.attributes & (attribute::kCompressionMask | attribute::kLogAppendTime);
  header.base_timestamp = header.max_timestamp = first.timestamp;
  header.records_count = 1;
  return header;
}

// What is known of the messages before any is rewritten.
struct Survey {
  std::int32_t count = 0;
  std::int64_t first = 0;  // offsets as written
  std::int64_t last = 0;
};

// Checks all messages of a set that is to become one block.
bool survey(std::span<const std::byte> set, const BatchHeader& header, Survey& out,
            RecordsError& error) {
  const std::size_t size = set.size();
  while (!set.empty()) {
    Message message;
    error.position = size - set.size();
    if (!read_message(set, /*check_crc=*/false, message, error)) return false;
    error.offset = header.base_offset;
    error.what = "message inside a compressed message";
    error.code = !message.plain()                               ? Errc::bad_compressed_data
                 : message.magic != header.magic                ? Errc::bad_magic
                 : out.count == 0                               ? std::error_code()
                 : message.offset < out.last                    ? Errc::bad_value
                 : message.offset - out.first > kMaxOffsetDelta ? Errc::too_large
                                                                : std::error_code();
    if (error.code) return false;
    if (out.count++ == 0) out.first = message.offset;
    out.last = message.offset;
    set = set.subspan(message.size);
  }
  error = {};
  return true;
}

std::byte* move_field(std::byte* out, const wire::Bytes& field) {
  if (field.is_null()) {
    *out = std::byte{1};
    return out + 1;
  }
  out = wire::write_uvarint(out, length_code(field.size()));
  if (!field.empty()) std::memmove(out, field.data(), field.size());
  return out + field.size();
}

// Rewrites a surveyed set as v2 records, front to back over itself; returns their size. Every
// number of a message has been read before its bytes are written over, and no field moves up.
std::size_t rewrite(std::span<std::byte> set, std::int64_t first_offset,
                    std::int64_t base_timestamp) {
  std::byte* out = set.data();
  for (std::span<const std::byte> rest = set; !rest.empty();) {
    Message message;
    RecordsError unused;
    if (!read_message(rest, /*check_crc=*/false, message, unused)) break;  // was surveyed
    const Record record{.key = message.key, .value = message.value};
    const auto offset_delta = static_cast<std::int32_t>(message.offset - first_offset);
    const auto timestamp_delta =
        message.magic == 0
            ? 0
            : static_cast<std::int64_t>(static_cast<std::uint64_t>(message.timestamp) -
                                        static_cast<std::uint64_t>(base_timestamp));
    const std::size_t body = record_body_size(record, timestamp_delta, offset_delta);
    rest = rest.subspan(message.size);
    out = wire::write_uvarint(out, length_code(body));
    *out++ = std::byte{0};
    out = wire::write_varlong(out, timestamp_delta);
    out = wire::write_varint(out, offset_delta);
    out = move_field(out, message.key);
    out = move_field(out, message.value);
    *out++ = std::byte{0};
  }
  return static_cast<std::size_t>(out - set.data());
}

}  // namespace

bool read_legacy_run(std::span<const std::byte> set, std::size_t size, bool check_crc,
                     BatchHeader& header, std::size_t& run, RecordsError& error) {
  Message first;
  if (!read_message(set.first(size), check_crc, first, error)) return false;
  header = header_of(first);
  run = first.size;
  std::int64_t last = first.offset;
  while (first.plain() && run < set.size()) {
    Message message;
    RecordsError later;  // whatever it is, it will be found again when that entry comes first
    if (!read_message(set.subspan(run), check_crc, message, later)) break;
    if (!message.same_kind(first) || message.offset <= last ||
        message.offset - first.offset > kMaxOffsetDelta) {
      break;
    }
    // One timestamp stands for all when the broker stamped them.
    if (header.timestamp_type() == TimestampType::log_append &&
        message.timestamp != first.timestamp) {
      break;
    }
    last = message.offset;
    header.max_timestamp = std::max(header.max_timestamp, message.timestamp);
    ++header.records_count;
    run += message.size;
  }
  header.last_offset_delta = static_cast<std::int32_t>(last - first.offset);
  header.batch_length = static_cast<std::int32_t>(run - kEntryHeader);
  return true;
}

bool open_legacy(const BatchView& batch, Decompressors& decompressors, FrameSink& sink,
                 std::size_t max_bytes, RecordBlock& out, RecordsError& error) {
  const BatchHeader& header = batch.header;
  const auto fail = [&](Errc code, const char* what) {
    error = {
        .code = code, .what = what, .offset = header.base_offset, .codec = header.compression()};
    return false;
  };
  const bool compressed = header.compression() != Compression::none;
  std::size_t size = batch.payload.size();
  if (compressed) {
    Message wrapper;
    if (!read_message(batch.payload, /*check_crc=*/false, wrapper, error)) return false;
    if (wrapper.value.is_null())
      return fail(Errc::bad_compressed_data, "compressed message without value");
    std::span<const std::byte> inner;
    if (!decompress(batch, wrapper.compression(), wrapper.value.span(), decompressors, sink,
                    max_bytes, inner, error)) {
      return false;
    }
    size = inner.size();
    if (size == 0) return fail(Errc::bad_compressed_data, "compressed message with nothing inside");
  } else if (size > max_bytes) {
    return fail(Errc::too_large, "message set");
  }
  std::span<std::byte> set = sink.grow(compressed ? size : 0, size);
  if (set.size() < size) return fail(Errc::too_large, "message set");
  set = set.first(size);
  if (!compressed) std::memcpy(set.data(), batch.payload.data(), size);

  Survey seen;
  if (!survey(set, header, seen, error)) return false;
  // v1 counts from 0 inside a compressed message, whose own offset is that of the last one; v0 does
  // not.
  const bool relative = compressed && header.magic == 1;
  const std::int64_t base_offset =
      relative ? header.base_offset - (seen.last - seen.first) : seen.first;
  if (base_offset < 0) return fail(Errc::bad_value, "offset inside a compressed message");
  const TimestampType type = header.timestamp_type();
  const std::size_t rewritten = rewrite(set, seen.first, header.base_timestamp);
  out = {.data = set.data(),
         .size = rewritten,
         .count = seen.count,
         .last_offset_delta = static_cast<std::int32_t>(seen.last - seen.first),
         .base_offset = base_offset,
         .base_timestamp = header.base_timestamp,
         .timestamp_mask = type == TimestampType::create ? -1 : 0,
         .timestamp_type = type};
  return true;
}

}  // namespace tern::kafka::internal
