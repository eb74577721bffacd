#include "protocol/kafka/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <system_error>

#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

using wire::Errc;
using wire::Result;

constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header and trailer
constexpr int kMemoryLevel = 8;       // zlib's default
constexpr std::size_t kMaxStep = std::numeric_limits<uInt>::max();

uInt step(std::size_t size) { return static_cast<uInt>(std::min(size, kMaxStep)); }

std::error_code out_of_memory() { return std::make_error_code(std::errc::not_enough_memory); }

// zlib reads only, but C has no way to say so unless ZLIB_CONST is defined for all.
Bytef* input(const void* data) { return static_cast<Bytef*>(const_cast<void*>(data)); }

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
    for (const wire::Bytes& piece : pieces) {
      const char* data = piece.data();
      for (std::size_t left = piece.size(); left != 0;) {
        const uInt now = step(left);
        if (const std::error_code error = feed(data, now, Z_NO_FLUSH, output)) return error;
        data += now;
        left -= now;
      }
    }
    if (const std::error_code error = feed(nullptr, 0, Z_FINISH, output)) return error;
    return output.done + output.given - stream_.avail_out;
  }

 private:
  struct Output {
    ChunkSink& sink;
    std::size_t done = 0;   // in spans that are full
    std::size_t given = 0;  // of the current span to zlib
  };

  std::error_code restart() {
    if (ready_) return deflateReset(&stream_) == Z_OK ? std::error_code() : Errc::bad_compressed_data;
    const int result =
        deflateInit2(&stream_, level_, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
    if (result == Z_MEM_ERROR) return out_of_memory();
    if (result != Z_OK) return Errc::bad_value;  // the level: see Codec::problem()
    ready_ = true;
    return {};
  }

  std::error_code feed(const char* data, uInt size, int flush, Output& output) {
    stream_.next_in = input(data);
    stream_.avail_in = size;
    if (output.given == 0) stream_.avail_out = 0;
    for (;;) {
      if (stream_.avail_out == 0) {
        const std::span<std::byte> room = output.sink.next(output.given);
        if (room.empty()) return Errc::too_large;
        output.done += output.given;
        output.given = step(room.size());
        stream_.next_out = reinterpret_cast<Bytef*>(room.data());
        stream_.avail_out = static_cast<uInt>(output.given);
      }
      const int result = deflate(&stream_, flush);
      if (result == Z_STREAM_END) return {};
      if (result != Z_OK && result != Z_BUF_ERROR) return Errc::bad_compressed_data;
      if (flush == Z_NO_FLUSH && stream_.avail_in == 0) return {};
    }
  }

  int level_;
  bool ready_ = false;
  z_stream stream_{};
};

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
    if (const std::error_code error = restart()) return error;
    if (in.size() > kMaxStep) return Errc::too_large;  // no batch is: its length is an int32
    stream_.next_in = input(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    Frame frame{out, max_bytes};
    if (!frame.grow(first_size(in, max_bytes))) return Errc::too_large;
    for (;;) {
      const std::error_code error = inflate_member(frame);
      if (error) return error;
      if (stream_.avail_in == 0) return frame.used;
      // Another member follows, as when files are joined. Anything else is not gzip.
      if (inflateReset(&stream_) != Z_OK) return Errc::bad_compressed_data;
    }
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
    constexpr std::size_t kSmallest = 18;  // header and trailer
    if (in.size() < kSmallest) return std::min<std::size_t>(max_bytes, 64);
    std::size_t said = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      said = said << 8 | std::to_integer<std::size_t>(in[in.size() - i]);
    }
    return std::min({said + kFastLoopMargin, in.size() * 16 + 65536, max_bytes});
  }

  std::error_code restart() {
    if (ready_) return inflateReset(&stream_) == Z_OK ? std::error_code() : Errc::bad_compressed_data;
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) return out_of_memory();
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
