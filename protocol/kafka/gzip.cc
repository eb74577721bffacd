#include "protocol/kafka/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <system_error>

#include "protocol/kafka/crc32.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

using wire::Errc;
using wire::Result;

// gzip's header and trailer are read and written here and zlib sees what is between them: its own
// CRC would take a seventh of the time of decompressing.
constexpr int kRawWindow = -15;  // the largest window
constexpr int kMemoryLevel = 8;  // zlib's default
constexpr std::size_t kMaxStep = std::numeric_limits<uInt>::max();
constexpr std::size_t kHeaderSize = 10;
constexpr std::size_t kTrailerSize = 8;

uInt step(std::size_t size) { return static_cast<uInt>(std::min(size, kMaxStep)); }

std::error_code out_of_memory() { return std::make_error_code(std::errc::not_enough_memory); }

// zlib reads only, but C has no way to say so unless ZLIB_CONST is defined for all.
Bytef* input(const void* data) { return static_cast<Bytef*>(const_cast<void*>(data)); }

std::uint32_t load_le32(const std::byte* p) {
  return std::to_integer<std::uint32_t>(p[0]) | std::to_integer<std::uint32_t>(p[1]) << 8 |
         std::to_integer<std::uint32_t>(p[2]) << 16 | std::to_integer<std::uint32_t>(p[3]) << 24;
}
void store_le32(std::byte* p, std::uint32_t number) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<std::byte>(number >> (8 * i));
}

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(int level) : level_(level) {}
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;
  ~GzipCompressor() override {
    if (ready_) deflateEnd(&stream_);
  }

  Result<std::size_t> compress(std::span<const wire::Bytes> pieces, ChunkSink& out) override {
    if (const std::error_code error = restart()) return error;
    Output output{out};
    // Deflate, no flags, no time, no hint, system unknown.
    constexpr unsigned char kHeader[kHeaderSize] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
    if (!output.put(std::as_bytes(std::span(kHeader)))) return Errc::too_large;
    std::uint32_t crc = 0;
    std::uint32_t size = 0;  // modulo 2^32, as it is written
    for (const wire::Bytes& piece : pieces) {
      crc = internal::crc32_ieee(crc, piece.data(), piece.size());
      size += static_cast<std::uint32_t>(piece.size());
      const char* data = piece.data();
      for (std::size_t left = piece.size(); left != 0;) {
        const uInt now = step(left);
        if (const std::error_code error = feed(data, now, Z_NO_FLUSH, output)) return error;
        data += now;
        left -= now;
      }
    }
    if (const std::error_code error = feed(nullptr, 0, Z_FINISH, output)) return error;
    std::byte trailer[kTrailerSize];
    store_le32(trailer, crc);
    store_le32(trailer + 4, size);
    if (!output.put(trailer)) return Errc::too_large;
    return output.total();
  }

 private:
  // Where the next byte goes, in spans of the sink.
  struct Output {
    ChunkSink& sink;
    std::span<std::byte> span{};
    std::size_t used = 0;  // of the span
    std::size_t full = 0;  // bytes in spans before it

    bool reserve() {
      if (used < span.size()) return true;
      full += used;
      span = sink.next(used);
      used = 0;
      return !span.empty();
    }
    bool put(std::span<const std::byte> bytes) {
      for (const std::byte byte : bytes) {
        if (!reserve()) return false;
        span[used++] = byte;
      }
      return true;
    }
    std::size_t total() const { return full + used; }
  };

  std::error_code restart() {
    if (ready_)
      return deflateReset(&stream_) == Z_OK ? std::error_code() : Errc::bad_compressed_data;
    const int result =
        deflateInit2(&stream_, level_, Z_DEFLATED, kRawWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
    if (result == Z_MEM_ERROR) return out_of_memory();
    if (result != Z_OK) return Errc::bad_value;  // the level: see Codec::problem()
    ready_ = true;
    return {};
  }

  std::error_code feed(const char* data, uInt size, int flush, Output& output) {
    stream_.next_in = input(data);
    stream_.avail_in = size;
    for (;;) {
      if (!output.reserve()) return Errc::too_large;
      const uInt room = step(output.span.size() - output.used);
      stream_.next_out = reinterpret_cast<Bytef*>(output.span.data() + output.used);
      stream_.avail_out = room;
      const int result = deflate(&stream_, flush);
      output.used += room - stream_.avail_out;
      if (result == Z_STREAM_END) return {};
      if (result != Z_OK && result != Z_BUF_ERROR) return Errc::bad_compressed_data;
      if (flush == Z_NO_FLUSH && stream_.avail_in == 0) return {};
    }
  }

  int level_;
  bool ready_ = false;
  z_stream stream_{};
};

// Passes over a member's header. `in` is left at what follows it.
std::error_code skip_header(std::span<const std::byte>& in) {
  enum Flag : unsigned { kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xe0 };
  constexpr unsigned char kMagic[] = {0x1f, 0x8b, 8};
  const std::span<const std::byte> whole = in;
  for (std::size_t i = 0; i < std::min(in.size(), std::size(kMagic)); ++i) {
    if (in[i] != std::byte{kMagic[i]}) return Errc::bad_compressed_data;
  }
  if (in.size() < kHeaderSize) return Errc::end_of_input;
  const auto flags = std::to_integer<unsigned>(in[3]);
  if (flags & kReserved) return Errc::bad_compressed_data;
  in = in.subspan(kHeaderSize);
  if (flags & kExtra) {
    if (in.size() < 2) return Errc::end_of_input;
    const std::size_t size =
        std::to_integer<std::size_t>(in[0]) | std::to_integer<std::size_t>(in[1]) << 8;
    if (in.size() < 2 + size) return Errc::end_of_input;
    in = in.subspan(2 + size);
  }
  for (const unsigned text : {kName, kComment}) {
    if (!(flags & text)) continue;
    const auto zero = std::find(in.begin(), in.end(), std::byte{0});
    if (zero == in.end()) return Errc::end_of_input;
    in = in.subspan(static_cast<std::size_t>(zero - in.begin()) + 1);
  }
  if (flags & kHeaderCrc) {
    if (in.size() < 2) return Errc::end_of_input;
    const std::uint32_t crc = internal::crc32_ieee(0, whole.data(), whole.size() - in.size());
    const std::uint32_t said =
        std::to_integer<std::uint32_t>(in[0]) | std::to_integer<std::uint32_t>(in[1]) << 8;
    if ((crc & 0xffffU) != said) return Errc::bad_compressed_data;
    in = in.subspan(2);
  }
  return {};
}

class GzipDecompressor final : public Decompressor {
 public:
  GzipDecompressor() = default;
  GzipDecompressor(const GzipDecompressor&) = delete;
  GzipDecompressor& operator=(const GzipDecompressor&) = delete;
  ~GzipDecompressor() override {
    if (ready_) inflateEnd(&stream_);
  }

  Result<std::size_t> decompress(std::span<const std::byte> in, FrameSink& out,
                                 std::size_t max_bytes) override {
    if (in.size() > kMaxStep) return Errc::too_large;  // no batch is: its length is an int32
    Frame frame{out, max_bytes};
    if (!frame.grow(first_size(in, max_bytes))) return Errc::too_large;
    do {  // members follow one another, as when files are joined; anything else is not gzip
      if (const std::error_code error = skip_header(in)) return error;
      if (const std::error_code error = restart()) return error;
      const std::size_t start = frame.used;
      stream_.next_in = input(in.data());
      stream_.avail_in = static_cast<uInt>(in.size());
      if (const std::error_code error = inflate_member(frame)) return error;
      in = in.last(stream_.avail_in);
      if (in.size() < kTrailerSize) return Errc::end_of_input;
      const std::size_t made = frame.used - start;
      if (load_le32(in.data()) != internal::crc32_ieee(0, frame.block.data() + start, made) ||
          load_le32(in.data() + 4) != static_cast<std::uint32_t>(made)) {
        return Errc::bad_compressed_data;
      }
      in = in.subspan(kTrailerSize);
    } while (!in.empty());
    return frame.used;
  }

 private:
  struct Frame {
    FrameSink& sink;
    std::size_t limit;
    std::span<std::byte> block{};
    std::size_t used = 0;

    bool grow(std::size_t want) {
      want = std::min(want, limit);
      block = sink.grow(used, want);
      return block.size() >= want;
    }
    std::size_t room() const { return std::min(block.size(), limit) - used; }
  };

  // What to ask for at first: the last four bytes of gzip give the size, modulo 2^32, of the last
  // member. They may lie, so memory for more than a good ratio is only asked for as data comes out.
  // A little more than the size lets zlib stay in its fast loop up to the end.
  static std::size_t first_size(std::span<const std::byte> in, std::size_t max_bytes) {
    constexpr std::size_t kFastLoopMargin = 320;
    if (in.size() < kHeaderSize + kTrailerSize) return std::min<std::size_t>(max_bytes, 64);
    const std::size_t said = load_le32(in.last(4).data());
    return std::min({said + kFastLoopMargin, in.size() * 16 + 65536, max_bytes});
  }

  std::error_code restart() {
    if (ready_)
      return inflateReset(&stream_) == Z_OK ? std::error_code() : Errc::bad_compressed_data;
    if (inflateInit2(&stream_, kRawWindow) != Z_OK) return out_of_memory();
    ready_ = true;
    return {};
  }

  std::error_code inflate_member(Frame& frame) {
    for (;;) {
      // When the limit is reached, one byte of our own tells an end from an overflow.
      Bytef beyond = 0;
      const bool full = frame.room() == 0 && frame.used == frame.limit;
      if (frame.room() == 0 && !full && !frame.grow(std::max<std::size_t>(frame.used * 2, 4096))) {
        return Errc::too_large;
      }
      const uInt room = full ? 1 : step(frame.room());
      stream_.next_out = full ? &beyond : reinterpret_cast<Bytef*>(frame.block.data() + frame.used);
      stream_.avail_out = room;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t made = room - stream_.avail_out;
      if (full && made != 0) return Errc::too_large;
      frame.used += made;
      if (result == Z_STREAM_END) return {};
      if (result == Z_MEM_ERROR) return out_of_memory();
      if (result != Z_OK && result != Z_BUF_ERROR) return Errc::bad_compressed_data;
      if (stream_.avail_out != 0 && stream_.avail_in == 0) return Errc::end_of_input;
    }
  }

  bool ready_ = false;
  z_stream stream_{};
};

class GzipCodec final : public Codec {
 public:
  explicit GzipCodec(int level) : level_(level) {}
  Compression id() const override { return Compression::gzip; }
  const char* problem() const override {
    const bool good = level_ == kGzipDefaultLevel || (level_ >= 1 && level_ <= 9);
    return good ? nullptr : "the level of gzip has to be -1 or from 1 to 9";
  }
  std::shared_ptr<const Codec> at_level(int level) const override { return gzip(level); }
  std::unique_ptr<Compressor> make_compressor() const override {
    // A level that zlib would take, but we do not, must fail as well.
    return std::make_unique<GzipCompressor>(problem() == nullptr ? level_ : kRefusedLevel);
  }
  std::unique_ptr<Decompressor> make_decompressor() const override {
    return std::make_unique<GzipDecompressor>();
  }

 private:
  static constexpr int kRefusedLevel = 100;
  int level_;
};

}  // namespace

std::shared_ptr<const Codec> gzip(int level) { return std::make_shared<const GzipCodec>(level); }

}  // namespace tern::kafka
