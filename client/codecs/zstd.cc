#include "client/codecs/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "client/codecs/output.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

using wire::Errc;
using wire::Result;

std::error_code out_of_memory() { return std::make_error_code(std::errc::not_enough_memory); }

std::error_code error_of(std::size_t result) {
  switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
      return out_of_memory();
    case ZSTD_error_srcSize_wrong:
      return Errc::end_of_input;
    case ZSTD_error_dstSize_tooSmall:
      return Errc::too_large;
    default:
      return Errc::bad_compressed_data;
  }
}

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(int level) : level_(level) {}
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;
  ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }

  Result<std::size_t> compress(std::span<const wire::Bytes> pieces, ChunkSink& out) override {
    if (level_ < ZSTD_minCLevel() || level_ > ZSTD_maxCLevel()) return Errc::bad_value;
    if (context_ == nullptr) {
      context_ = ZSTD_createCCtx();
      if (context_ == nullptr) return out_of_memory();
      ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level_);
    }
    std::size_t size = 0;
    for (const wire::Bytes& piece : pieces) size += piece.size();
    ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
    // Goes into the header, and keeps the window, and so the memory, to what the batch needs.
    ZSTD_CCtx_setPledgedSrcSize(context_, size);
    internal::Output output(out);
    for (const wire::Bytes& piece : pieces) {
      const std::error_code error = feed({piece.data(), piece.size(), 0}, ZSTD_e_continue, output);
      if (error) return error;
    }
    if (const std::error_code error = feed({nullptr, 0, 0}, ZSTD_e_end, output)) return error;
    return output.total();
  }

 private:
  std::error_code feed(ZSTD_inBuffer from, ZSTD_EndDirective how, internal::Output& output) {
    for (;;) {
      const std::span<std::byte> room = output.room();
      if (room.empty()) return Errc::too_large;
      ZSTD_outBuffer to{room.data(), room.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_, &to, &from, how);
      if (ZSTD_isError(left)) return error_of(left);
      output.advance(to.pos);
      if (how == ZSTD_e_end ? left == 0 : from.pos == from.size) return {};
    }
  }

  int level_;
  ZSTD_CCtx* context_ = nullptr;
};

// The library would also read the formats of before 1.0, which nobody writes for Kafka.
bool is_frame(std::span<const std::byte> in) {
  constexpr std::uint32_t kSkippableMask = 0xfffffff0U;
  if (in.size() < 4) return false;
  std::uint32_t magic = 0;
  for (unsigned i = 0; i < 4; ++i) magic |= std::to_integer<std::uint32_t>(in[i]) << (8 * i);
  return magic == ZSTD_MAGICNUMBER || (magic & kSkippableMask) == ZSTD_MAGIC_SKIPPABLE_START;
}

class ZstdDecompressor final : public Decompressor {
 public:
  ZstdDecompressor() = default;
  ZstdDecompressor(const ZstdDecompressor&) = delete;
  ZstdDecompressor& operator=(const ZstdDecompressor&) = delete;
  ~ZstdDecompressor() override { ZSTD_freeDCtx(context_); }

  Result<std::size_t> decompress(std::span<const std::byte> in, FrameSink& out,
                                 std::size_t max_bytes) override {
    if (context_ == nullptr) context_ = ZSTD_createDCtx();
    if (context_ == nullptr) return out_of_memory();
    internal::Frame frame(out, max_bytes);
    std::size_t used = 0;
    do {  // frames may follow one another
      if (in.size() < 4) return Errc::end_of_input;
      if (!is_frame(in)) return Errc::bad_compressed_data;
      const std::size_t size = ZSTD_findFrameCompressedSize(in.data(), in.size());
      if (ZSTD_isError(size)) return error_of(size);
      const std::error_code error = read_frame(in.first(size), frame, max_bytes, used);
      if (error) return error;
      in = in.subspan(size);
    } while (!in.empty());
    return used;
  }

 private:
  // A frame at once, straight to where it has to be. As a stream it would need a buffer of the size
  // that its header tells, up to 128 MiB. The size that a header tells may lie, so memory for more
  // than a good ratio is only asked for when that has come out; then it begins anew, with twice the
  // room.
  std::error_code read_frame(std::span<const std::byte> in, internal::Frame& out,
                             std::size_t max_bytes, std::size_t& used) {
    constexpr std::size_t kGoodRatio = 32;
    constexpr std::size_t kOneBlock = std::size_t{128} * 1024;  // the largest of the format
    const std::size_t limit = max_bytes - used;
    const unsigned long long told = ZSTD_getFrameContentSize(in.data(), in.size());
    if (told == ZSTD_CONTENTSIZE_ERROR) return Errc::bad_compressed_data;
    const bool known = told != ZSTD_CONTENTSIZE_UNKNOWN;
    if (known && told > limit) return Errc::too_large;
    const std::size_t most = known ? static_cast<std::size_t>(told) : limit;
    std::size_t room = std::min(most, in.size() * kGoodRatio + kOneBlock);
    for (;; room = std::min(most, room * 2)) {
      if (!out.reserve(used, used + room)) return Errc::too_large;
      const std::size_t made =
          ZSTD_decompressDCtx(context_, out.data() + used, room, in.data(), in.size());
      if (!ZSTD_isError(made)) {
        used += made;
        return {};
      }
      const std::error_code error = error_of(made);
      if (error == Errc::end_of_input) return Errc::bad_compressed_data;  // all of it is there
      if (error != Errc::too_large) return error;
      if (room == most) return known ? Errc::bad_compressed_data : Errc::too_large;
    }
  }

  ZSTD_DCtx* context_ = nullptr;
};

class ZstdCodec final : public Codec {
 public:
  explicit ZstdCodec(int level) : level_(level) {}
  Compression id() const override { return Compression::zstd; }
  const char* problem() const override {
    const bool good = level_ >= ZSTD_minCLevel() && level_ <= ZSTD_maxCLevel();
    return good ? nullptr : "the level of zstd has to be from -131072 to 22";
  }
  std::shared_ptr<const Codec> at_level(int level) const override { return zstd(level); }
  std::unique_ptr<Compressor> make_compressor() const override {
    return std::make_unique<ZstdCompressor>(level_);
  }
  std::unique_ptr<Decompressor> make_decompressor() const override {
    return std::make_unique<ZstdDecompressor>();
  }

 private:
  int level_;
};

}  // namespace

std::shared_ptr<const Codec> zstd(int level) { return std::make_shared<const ZstdCodec>(level); }

}  // namespace tern::kafka
