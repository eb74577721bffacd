#include "client/codecs/snappy.h"

#include <snappy.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "client/codecs/output.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

using wire::Errc;
using wire::Result;

// What the library compresses by itself at once; snappy-java has 32 KiB, and reads any.
constexpr std::size_t kBlock = std::size_t{64} * 1024;
// The magic number, the version that wrote it and the oldest that can read it.
constexpr unsigned char kHeader[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kLengthSize = 4;

const char* chars(const std::byte* p) { return reinterpret_cast<const char*>(p); }
char* chars(std::byte* p) { return reinterpret_cast<char*>(p); }

class SnappyCompressor final : public Compressor {
 public:
  Result<std::size_t> compress(std::span<const wire::Bytes> pieces, ChunkSink& out) override {
    gathered_.resize(kBlock);
    packed_.resize(kLengthSize + ::snappy::MaxCompressedLength(kBlock));
    internal::Output output(out);
    if (!output.put(std::as_bytes(std::span(kHeader)))) return Errc::too_large;
    std::size_t held = 0;  // in gathered_
    for (const wire::Bytes& piece : pieces) {
      for (std::size_t at = 0; at < piece.size();) {
        const std::size_t size = std::min(piece.size() - at, kBlock - held);
        const char* block = piece.data() + at;
        at += size;
        if (size < kBlock) {
          std::memcpy(gathered_.data() + held, block, size);
          held += size;
          if (held < kBlock) break;
          block = chars(gathered_.data());
          held = 0;
        }
        if (!put_block(block, kBlock, output)) return Errc::too_large;
      }
    }
    if (held != 0 && !put_block(chars(gathered_.data()), held, output)) return Errc::too_large;
    return output.total();
  }

 private:
  bool put_block(const char* data, std::size_t size, internal::Output& output) {
    std::size_t packed = 0;
    ::snappy::RawCompress(data, size, chars(packed_.data() + kLengthSize), &packed);
    wire::store_be(packed_.data(), static_cast<std::uint32_t>(packed));
    return output.put(std::span(packed_).first(kLengthSize + packed));
  }

  std::vector<std::byte> gathered_;  // a block of small pieces
  std::vector<std::byte> packed_;
};

// Whether a block that cannot be read ends too early; the library does not tell.
bool is_cut_off(std::span<const std::byte> in, std::size_t size) {
  const auto ends = [](std::byte byte) { return (byte & std::byte{0x80}) == std::byte{0}; };
  // Behind the size.
  const auto last = std::find_if(in.begin(), in.end(), ends);
  if (last == in.end()) return true;
  std::size_t at = static_cast<std::size_t>(last - in.begin()) + 1;
  std::size_t made = 0;
  while (at < in.size()) {
    const auto tag = std::to_integer<std::size_t>(in[at++]);
    const std::size_t code = tag >> 2;
    switch (tag & 3) {
      case 0: {  // bytes as they are; a length above 60 stands in up to four bytes of its own
        std::size_t length = code;
        if (code >= 60) {
          const std::size_t digits = code - 59;
          if (in.size() - at < digits) return true;
          length = 0;
          for (std::size_t i = 0; i < digits; ++i) {
            length |= std::to_integer<std::size_t>(in[at + i]) << (8 * i);
          }
          at += digits;
        }
        if (in.size() - at <= length) return true;
        at += length + 1;
        made += length + 1;
        break;
      }
      case 1:
        at += 1;
        made += (code & 7) + 4;
        break;
      case 2:
        at += 2;
        made += code + 1;
        break;
      default:
        at += 4;
        made += code + 1;
    }
  }
  return at > in.size() || made < size;
}

// The size that a block tells. It cannot be more than the format can hold, so memory stays in
// proportion to what came.
Result<std::size_t> size_of(std::span<const std::byte> block) {
  constexpr std::size_t kBestRatio = 22;  // 64 bytes for a copy of three
  std::size_t size = 0;
  if (!::snappy::GetUncompressedLength(chars(block.data()), block.size(), &size)) {
    const bool unfinished = std::all_of(block.begin(), block.end(), [](std::byte byte) {
      return (byte & std::byte{0x80}) != std::byte{0};
    });
    return unfinished && block.size() < 5 ? Errc::end_of_input : Errc::bad_compressed_data;
  }
  if (size > block.size() * kBestRatio) return Errc::end_of_input;  // or it lies
  return size;
}

bool has_header(std::span<const std::byte> in) {
  return in.size() >= kMagicSize && std::memcmp(in.data(), kHeader, kMagicSize) == 0;
}

// Takes the next block of xerial's framing from the front of `in`, which must not be empty; an
// empty one for a header, which may come again where streams were joined. Nobody ever counted its
// versions up.
Result<std::span<const std::byte>> take_block(std::span<const std::byte>& in) {
  std::size_t head = kLengthSize;
  std::size_t size = 0;
  if (has_header(in)) {
    head = std::size(kHeader);
  } else if (in.size() >= kLengthSize) {
    size = wire::load_be<std::uint32_t>(in.data());
    if (size == 0 || size > INT32_MAX) return Errc::bad_compressed_data;
  }
  if (in.size() < head + size) return Errc::end_of_input;
  const std::span<const std::byte> block = in.subspan(head, size);
  in = in.subspan(head + size);
  return block;
}

class SnappyDecompressor final : public Decompressor {
 public:
  Result<std::size_t> decompress(std::span<const std::byte> in, FrameSink& out,
                                 std::size_t max_bytes) override {
    if (in.empty()) return Errc::end_of_input;
    const bool framed = has_header(in);
    const auto next = [framed](std::span<const std::byte>& from) {
      return framed ? take_block(from)
                    : Result<std::span<const std::byte>>(std::exchange(from, from.last(0)));
    };
    // All sizes first: then the room can be asked for once.
    std::size_t total = 0;
    for (std::span<const std::byte> left = in; !left.empty();) {
      const Result<std::span<const std::byte>> block = next(left);
      if (!block) return block.error();
      if (block->empty()) continue;
      const Result<std::size_t> size = size_of(*block);
      if (!size) return size.error();
      if (*size > max_bytes - total) return Errc::too_large;
      total += *size;
    }
    const std::span<std::byte> room = out.grow(0, total);
    if (room.size() < total) return Errc::too_large;
    std::size_t used = 0;
    for (std::span<const std::byte> left = in; !left.empty();) {
      const std::span<const std::byte> block = *next(left);
      if (block.empty()) continue;
      const std::size_t size = *size_of(block);
      if (!::snappy::RawUncompress(chars(block.data()), block.size(), chars(room.data() + used))) {
        return is_cut_off(block, size) ? Errc::end_of_input : Errc::bad_compressed_data;
      }
      used += size;
    }
    return used;
  }
};

class SnappyCodec final : public Codec {
 public:
  Compression id() const override { return Compression::snappy; }
  std::unique_ptr<Compressor> make_compressor() const override {
    return std::make_unique<SnappyCompressor>();
  }
  std::unique_ptr<Decompressor> make_decompressor() const override {
    return std::make_unique<SnappyDecompressor>();
  }
};

}  // namespace

std::shared_ptr<const Codec> snappy() { return std::make_shared<const SnappyCodec>(); }

}  // namespace tern::kafka
