// gzip: any input to the decompressor, within its bound; any input through both and back.
//
// Input: a level (0 and above 9: decompress only), then the bytes.

#include "protocol/kafka/gzip.h"

#include <algorithm>

#include "fuzz/target.h"

namespace tern::kafka {
namespace {

using fuzz::require;

constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

// Sees to it that no more memory is asked for than was allowed.
class BoundedSink final : public FrameSink {
 public:
  std::span<std::byte> grow(std::size_t used, std::size_t want) override {
    require(want <= kMaxUnpacked, "no more memory is asked for than max_bytes");
    require(used <= bytes_.size(), "no more was written than there was room for");
    if (want > bytes_.size()) bytes_.resize(want);
    return bytes_;
  }
  std::span<const std::byte> first(std::size_t size) const { return std::span(bytes_).first(size); }

 private:
  std::vector<std::byte> bytes_;
};

void unpack(std::span<const std::byte> packed) {
  BoundedSink sink;
  const auto size = gzip()->make_decompressor()->decompress(packed, sink, kMaxUnpacked);
  if (size) require(*size <= kMaxUnpacked, "no more comes out than max_bytes");
}

void there_and_back(int level, std::span<const std::byte> plain) {
  VectorChunkSink chunks;
  const wire::Bytes piece(plain);
  const auto packed_size = gzip(level)->make_compressor()->compress(std::span(&piece, 1), chunks);
  require(packed_size.has_value(), "everything can be compressed");
  const std::vector<std::byte> packed = chunks.take(*packed_size);
  BoundedSink sink;
  const auto size = gzip()->make_decompressor()->decompress(packed, sink, kMaxUnpacked);
  require(size.has_value(), "what was compressed can be decompressed");
  require(std::ranges::equal(sink.first(*size), plain), "what comes back is what went in");
}

}  // namespace
}  // namespace tern::kafka

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::fuzz::Input input(data, size);
  const int level = input.u8();
  const std::span<const std::byte> rest = input.rest();
  if (level == 0 || level > 9) {
    tern::kafka::unpack(rest);
  } else if (rest.size() <= tern::kafka::kMaxUnpacked) {
    tern::kafka::there_and_back(level, rest);
  }
  return 0;
}
