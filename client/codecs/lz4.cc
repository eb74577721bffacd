#include "client/codecs/lz4.h"

#include <lz4frame.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <vector>

#include "client/codecs/output.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

using wire::Errc;
using wire::Result;

constexpr int kMinLevel = 0;
constexpr int kMaxLevel = 12;
constexpr std::size_t kStep = std::size_t{64} * 1024;  // what the compressor is fed at once

std::uint32_t load_le32(const std::byte* p) {
  return std::to_integer<std::uint32_t>(p[0]) | std::to_integer<std::uint32_t>(p[1]) << 8 |
         std::to_integer<std::uint32_t>(p[2]) << 16 | std::to_integer<std::uint32_t>(p[3]) << 24;
}

// The numbers of the errors are not in the library's stable interface, their names are.
std::error_code error_of(std::size_t result) {
  if (std::string_view(LZ4F_getErrorName(result)) == "ERROR_allocation_failed") {
    return std::make_error_code(std::errc::not_enough_memory);
  }
  return Errc::bad_compressed_data;
}

class Lz4Compressor final : public Compressor {
 public:
  explicit Lz4Compressor(int level) {
    // The Java client reads no blocks that depend on one another.
    preferences_.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences_.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences_.compressionLevel = level;
  }
  Lz4Compressor(const Lz4Compressor&) = delete;
  Lz4Compressor& operator=(const Lz4Compressor&) = delete;
  ~Lz4Compressor() override { LZ4F_freeCompressionContext(context_); }

  Result<std::size_t> compress(std::span<const wire::Bytes> pieces, ChunkSink& out) override {
    const int level = preferences_.compressionLevel;
    if (level < kMinLevel || level > kMaxLevel) return Errc::bad_value;
    if (context_ == nullptr) {
      const std::size_t made = LZ4F_createCompressionContext(&context_, LZ4F_VERSION);
      if (LZ4F_isError(made)) return error_of(made);
      scratch_.resize(LZ4F_compressBound(kStep, &preferences_));
    }
    internal::Output output(out);
    const std::size_t head =
        LZ4F_compressBegin(context_, scratch_.data(), scratch_.size(), &preferences_);
    if (const std::error_code error = put(head, output)) return error;
    for (const wire::Bytes& piece : pieces) {
      for (std::size_t at = 0; at < piece.size(); at += kStep) {
        const std::size_t size = std::min(kStep, piece.size() - at);
        const std::size_t packed = LZ4F_compressUpdate(context_, scratch_.data(), scratch_.size(),
                                                       piece.data() + at, size, nullptr);
        if (const std::error_code error = put(packed, output)) return error;
      }
    }
    const std::size_t tail = LZ4F_compressEnd(context_, scratch_.data(), scratch_.size(), nullptr);
    if (const std::error_code error = put(tail, output)) return error;
    return output.total();
  }

 private:
  std::error_code put(std::size_t result, internal::Output& output) {
    if (LZ4F_isError(result)) return error_of(result);
    return output.put(std::span(scratch_).first(result)) ? std::error_code() : Errc::too_large;
  }

  LZ4F_preferences_t preferences_{};
  LZ4F_cctx* context_ = nullptr;
  std::vector<std::byte> scratch_;
};

// The most that can come out of a frame, seen from the sizes of its blocks. `in` is what follows
// the header.
std::size_t most_in(std::span<const std::byte> in, const LZ4F_frameInfo_t& info) {
  constexpr std::uint32_t kStored = 0x80000000U;
  constexpr std::size_t kBestRatio = 255;  // of the format
  if (info.frameType == LZ4F_skippableFrame) return 0;
  // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
  const std::size_t largest = std::size_t{1} << (8 + 2 * static_cast<unsigned>(info.blockSizeID));
  std::size_t most = 0;
  while (in.size() >= 4) {
    const std::uint32_t word = load_le32(in.data());
    if (word == 0) break;
    const std::size_t size = word & ~kStored;
    const std::size_t there = std::min(size, in.size() - 4);
    most += std::min(largest, (word & kStored) != 0 ? there : there * kBestRatio);
    const std::size_t whole =
        4 + size + (info.blockChecksumFlag == LZ4F_blockChecksumEnabled ? 4U : 0U);
    in = in.subspan(std::min(whole, in.size()));
  }
  const bool told = info.contentSize != 0;
  return told && info.contentSize < most ? static_cast<std::size_t>(info.contentSize) : most;
}

class Lz4Decompressor final : public Decompressor {
 public:
  Lz4Decompressor() = default;
  Lz4Decompressor(const Lz4Decompressor&) = delete;
  Lz4Decompressor& operator=(const Lz4Decompressor&) = delete;
  ~Lz4Decompressor() override { LZ4F_freeDecompressionContext(context_); }

  Result<std::size_t> decompress(std::span<const std::byte> in, FrameSink& out,
                                 std::size_t max_bytes) override {
    if (context_ == nullptr) {
      const std::size_t made = LZ4F_createDecompressionContext(&context_, LZ4F_VERSION);
      if (LZ4F_isError(made)) return error_of(made);
    }
    internal::Frame frame(out, max_bytes);
    std::size_t used = 0;
    do {  // frames may follow one another
      if (const std::error_code error = read_frame(in, frame, max_bytes, used)) return error;
    } while (!in.empty());
    return used;
  }

 private:
  // Takes one frame from the front of `in`; what comes out follows the first `used` bytes.
  std::error_code read_frame(std::span<const std::byte>& in, internal::Frame& out,
                             std::size_t max_bytes, std::size_t& used) {
    if (in.size() < LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH) return Errc::end_of_input;
    const std::size_t header = LZ4F_headerSize(in.data(), in.size());
    if (LZ4F_isError(header)) return Errc::bad_compressed_data;
    if (in.size() < header) return Errc::end_of_input;
    LZ4F_resetDecompressionContext(context_);
    LZ4F_frameInfo_t info{};
    std::size_t taken = in.size();
    const std::size_t result = LZ4F_getFrameInfo(context_, &info, in.data(), &taken);
    if (LZ4F_isError(result)) return error_of(result);
    in = in.subspan(taken);

    // Asked for once, as later blocks may refer to earlier ones where they lie.
    const std::size_t most = most_in(in, info);
    const bool bounded = most > max_bytes - used;
    const std::size_t want = bounded ? max_bytes : used + most;
    if (!out.reserve(used, want)) return Errc::too_large;
    LZ4F_decompressOptions_t options{};
    options.stableDst = 1;
    for (;;) {
      std::size_t made = want - used;
      taken = in.size();
      const std::size_t next =
          LZ4F_decompress(context_, out.data() + used, &made, in.data(), &taken, &options);
      if (LZ4F_isError(next)) return error_of(next);
      used += made;
      in = in.subspan(taken);
      if (next == 0) return {};
      if (made != 0 || taken != 0) continue;
      if (in.empty()) return Errc::end_of_input;
      return bounded ? Errc::too_large : Errc::bad_compressed_data;  // more than the header told
    }
  }

  LZ4F_dctx* context_ = nullptr;
};

class Lz4Codec final : public Codec {
 public:
  explicit Lz4Codec(int level) : level_(level) {}
  Compression id() const override { return Compression::lz4; }
  const char* problem() const override {
    const bool good = level_ >= kMinLevel && level_ <= kMaxLevel;
    return good ? nullptr : "the level of lz4 has to be from 0 to 12";
  }
  std::shared_ptr<const Codec> at_level(int level) const override { return lz4(level); }
  std::unique_ptr<Compressor> make_compressor() const override {
    return std::make_unique<Lz4Compressor>(level_);
  }
  std::unique_ptr<Decompressor> make_decompressor() const override {
    return std::make_unique<Lz4Decompressor>();
  }

 private:
  int level_;
};

}  // namespace

std::shared_ptr<const Codec> lz4(int level) { return std::make_shared<const Lz4Codec>(level); }

}  // namespace tern::kafka
