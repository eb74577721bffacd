#include "fuzz/slow_records.h"

#include <zlib.h>

#include <limits>
#include <string_view>

#include "fuzz/target.h"
#include "protocol/kafka/crc32.h"
#include "protocol/wire/crc32c.h"

namespace tern::fuzz {
namespace {

constexpr std::size_t kLengthEnd = 12;
constexpr std::size_t kHeaderV2 = 61;
constexpr std::int64_t kMax32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();

std::string to_string(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// After the first failure nothing is believed.
class Slow {
 public:
  explicit Slow(std::string_view in) : in_(in) {}

  bool ok = true;

  std::size_t left() const { return in_.size(); }
  std::uint8_t byte() {
    if (in_.empty()) ok = false;
    if (!ok) return 0;
    const auto b = static_cast<std::uint8_t>(in_.front());
    in_.remove_prefix(1);
    return b;
  }
  std::int64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | byte();
    const unsigned unused = 64 - 8 * bytes;
    return static_cast<std::int64_t>(value << unused) >> unused;
  }
  // A zigzag number of at most `bits` bits, in as many bytes as these need or fewer.
  std::int64_t varint(unsigned bits) {
    std::uint64_t value = 0;
    for (unsigned place = 0;; place += 7) {
      if (place >= bits) return fail();
      const std::uint64_t b = byte();
      if (!ok) return 0;
      const unsigned room = bits - place;
      if (room < 7 && (b & 0x7f) >> room != 0) return fail();
      value |= (b & 0x7f) << place;
      if (b < 0x80) break;
    }
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  std::string text(std::int64_t size) {
    if (size < 0 || static_cast<std::uint64_t>(size) > in_.size()) fail();
    if (!ok) return {};
    const std::string out(in_.substr(0, static_cast<std::size_t>(size)));
    in_.remove_prefix(out.size());
    return out;
  }
  Blob blob(std::int64_t size) {
    if (size == -1) return std::nullopt;
    return text(size);
  }
  std::int64_t fail() {
    ok = false;
    return 0;
  }

 private:
  std::string_view in_;
};

// --- format v2

bool read_record(Slow& batch, std::int64_t base_offset, std::int64_t last_delta,
                 std::int64_t base_timestamp, SlowRecord& out) {
  Slow in(std::string_view{});
  const std::string body = batch.text(batch.varint(32));
  if (!batch.ok) return false;
  in = Slow(body);
  in.byte();  // attributes
  const std::int64_t timestamp_delta = in.varint(64);
  const std::int64_t offset_delta = in.varint(32);
  if (offset_delta < 0 || offset_delta > last_delta) return false;
  out.offset = base_offset + offset_delta;
  out.timestamp_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(base_timestamp) +
                                               static_cast<std::uint64_t>(timestamp_delta));
  out.key = in.blob(in.varint(32));
  out.value = in.blob(in.varint(32));
  const std::int64_t headers = in.varint(32);
  if (headers < 0) return false;
  for (std::int64_t i = 0; in.ok && i < headers; ++i) {
    std::string key = in.text(in.varint(32));
    Blob value = in.blob(in.varint(32));
    out.headers.emplace_back(std::move(key), std::move(value));
  }
  return in.ok && in.left() == 0;
}

// False: an error that ends the reading.
bool read_batch(std::string_view whole, SlowResult& out) {
  if (whole.size() < kHeaderV2) return false;
  Slow in(whole);
  const std::int64_t base_offset = in.number(8);
  in.number(4);
  in.number(4);
  in.number(1);
  const auto crc = static_cast<std::uint32_t>(in.number(4));
  if (wire::crc32c(0, whole.data() + 21, whole.size() - 21) != crc) return false;
  const std::int64_t attributes = in.number(2);
  const std::int64_t last_delta = in.number(4);
  const std::int64_t base_timestamp = in.number(8);
  const std::int64_t max_timestamp = in.number(8);
  in.number(8);
  in.number(2);
  in.number(4);
  const std::int64_t count = in.number(4);
  if (last_delta < 0 || base_offset < 0 || count < 0) return false;
  if (base_offset >= kMax64 - last_delta) return false;

  const bool append_time = (attributes & 8) != 0;
  Blob records = std::string(whole.substr(kHeaderV2));
  if ((attributes & 7) == 1) {
    records = gunzip_slowly(std::as_bytes(std::span(whole.substr(kHeaderV2))));
  } else if ((attributes & 7) != 0) {
    records = std::nullopt;
  }
  std::vector<std::optional<SlowRecord>> found;
  Slow rest(records ? *records : std::string_view{});
  bool good = records.has_value();
  for (std::int64_t i = 0; good && i < count; ++i) {
    SlowRecord record;
    good = read_record(rest, base_offset, last_delta, base_timestamp, record);
    record.timestamp_type = append_time ? 1 : 0;
    if (append_time) record.timestamp_ms = max_timestamp;
    found.emplace_back(record);
  }
  if (!good || rest.left() != 0) found = {std::nullopt};
  out.records.insert(out.records.end(), found.begin(), found.end());
  return true;
}

// --- formats v0 and v1

struct Message {
  SlowRecord record;
  std::int64_t magic = 0;
  std::int64_t attributes = 0;
};

bool read_message(Slow& in, bool check_crc, Message& out) {
  out.record.offset = in.number(8);
  const std::string body = in.text(in.number(4));
  if (!in.ok || body.size() < 14) return false;
  Slow message(body);
  const auto crc = static_cast<std::uint32_t>(message.number(4));
  out.magic = message.number(1);
  if (out.magic != 0 && out.magic != 1) return false;
  if (check_crc && kafka::internal::crc32_ieee(0, body.data() + 4, body.size() - 4) != crc) {
    return false;
  }
  out.attributes = message.number(1);
  out.record.timestamp_ms = out.magic == 1 ? message.number(8) : -1;
  out.record.timestamp_type = out.magic == 0 ? -1 : (out.attributes & 8) != 0 ? 1 : 0;
  out.record.key = message.blob(message.number(4));
  out.record.value = message.blob(message.number(4));
  return message.ok && message.left() == 0 && out.record.offset >= 0 && out.record.offset < kMax64;
}

// The messages inside a compressed one.
bool read_inside(const Message& wrapper, std::vector<std::optional<SlowRecord>>& out) {
  if ((wrapper.attributes & 7) != 1 || !wrapper.record.value) return false;
  const auto packed = std::as_bytes(std::span(*wrapper.record.value));
  const std::optional<std::string> set = gunzip_slowly(packed);
  if (!set || set->empty()) return false;
  std::vector<std::int64_t> offsets;
  for (Slow in(*set); in.left() != 0;) {
    Message message;
    if (!read_message(in, false, message)) return false;
    if ((message.attributes & 7) != 0 || message.magic != wrapper.magic) return false;
    const std::int64_t offset = message.record.offset;
    if (!offsets.empty() && offset < offsets.back()) return false;
    offsets.push_back(offset);
    if (offset - offsets.front() > kMax32) return false;
    message.record.timestamp_type = wrapper.record.timestamp_type;
    if (wrapper.record.timestamp_type == 1) {
      message.record.timestamp_ms = wrapper.record.timestamp_ms;
    }
    out.emplace_back(message.record);
  }
  if (wrapper.magic == 0) return true;
  // The wrapper has the offset of the last one.
  const std::int64_t shift = wrapper.record.offset - offsets.back();
  if (offsets.front() + shift < 0) return false;
  for (auto& record : out) record->offset += shift;
  return true;
}

bool read_legacy(std::string_view whole, SlowResult& out) {
  Slow in(whole);
  Message message;
  if (!read_message(in, true, message)) return false;
  if ((message.attributes & 7) == 0) {
    out.records.emplace_back(message.record);
    return true;
  }
  std::vector<std::optional<SlowRecord>> inside;
  if (!read_inside(message, inside)) inside = {std::nullopt};
  out.records.insert(out.records.end(), inside.begin(), inside.end());
  return true;
}

// Size, or nothing: it is cut off (`error` false) or makes no sense.
std::optional<std::size_t> size_of_next(std::string_view rest, bool& error) {
  error = false;
  if (rest.size() < kLengthEnd) return std::nullopt;
  Slow in(rest);
  in.number(8);
  const std::int64_t length = in.number(4);
  error = length < 5;
  if (error || rest.size() < 17) return std::nullopt;
  in.number(4);
  const std::int64_t magic = in.number(1);
  error = magic < 0 || magic > 2;
  if (error || static_cast<std::size_t>(length) > rest.size() - kLengthEnd) return std::nullopt;
  return kLengthEnd + static_cast<std::size_t>(length);
}

}  // namespace

SlowResult read_slowly(std::span<const std::byte> records) {
  SlowResult out;
  const std::string all = to_string(records);
  for (std::string_view rest(all); !rest.empty();) {
    bool error = false;
    const std::optional<std::size_t> size = size_of_next(rest, error);
    if (!size) {
      out.how = error ? HowItEnds::error : HowItEnds::cut;
      return out;
    }
    const std::string_view whole = rest.substr(0, *size);
    if (!(rest[16] == 2 ? read_batch(whole, out) : read_legacy(whole, out))) {
      out.how = HowItEnds::error;
      return out;
    }
    rest.remove_prefix(*size);
  }
  return out;
}

void mend_checksums(std::span<std::byte> records) {
  const auto put = [&](std::size_t at, std::uint32_t crc) {
    for (unsigned i = 0; i < 4; ++i) records[at + i] = static_cast<std::byte>(crc >> (24 - 8 * i));
  };
  for (std::size_t at = 0; at < records.size();) {
    bool error = false;
    const std::string_view rest(reinterpret_cast<const char*>(records.data()) + at,
                                records.size() - at);
    const std::optional<std::size_t> size = size_of_next(rest, error);
    if (!size) return;
    if (rest[16] == 2 && *size >= kHeaderV2) {
      put(at + 17, wire::crc32c(0, rest.data() + 21, *size - 21));
    } else if (rest[16] != 2) {
      put(at + 12, kafka::internal::crc32_ieee(0, rest.data() + 16, *size - 16));
    }
    at += *size;
  }
}

std::optional<std::string> gunzip_slowly(std::span<const std::byte> packed) {
  std::string out;
  std::span<const std::byte> rest = packed;
  do {
    z_stream stream{};
    require(inflateInit2(&stream, 15 + 16) == Z_OK, "zlib starts");
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest.data()));
    stream.avail_in = static_cast<uInt>(rest.size());
    int result = Z_OK;
    while (result == Z_OK && out.size() <= kMaxUnpacked) {
      char block[512];
      stream.next_out = reinterpret_cast<Bytef*>(block);
      stream.avail_out = sizeof(block);
      result = inflate(&stream, Z_NO_FLUSH);
      out.append(block, sizeof(block) - stream.avail_out);
    }
    rest = rest.last(stream.avail_in);
    inflateEnd(&stream);
    if (result != Z_STREAM_END) return std::nullopt;
  } while (!rest.empty());
  if (out.size() > kMaxUnpacked) return std::nullopt;
  return out;
}

}  // namespace tern::fuzz
