// gzip: any input to the decompressor, within its bound, and as zlib itself reads it; any input
// through both and back.
//
// Input: a level (0 and above 9: decompress only), then the bytes.

#include "protocol/kafka/gzip.h"

#include <algorithm>

#include "fuzz/bounded_sink.h"
#include "fuzz/memory.h"
#include "fuzz/slow_records.h"
#include "fuzz/target.h"
#include "protocol/wire/errc.h"

namespace tern::fuzz {
namespace {

constexpr std::size_t kMaxOwnMemory = std::size_t{64} * 1024;

void unpack(std::span<const std::byte> packed) {
  BoundedSink sink(kMaxUnpacked);
  const MemoryScope memory;
  const auto decompressor = kafka::gzip()->make_decompressor();
  const auto size = decompressor->decompress(packed, sink, kMaxUnpacked);
  require(memory.peak() <= kMaxOwnMemory, "memory is asked for through the sink only");
  if (size) require(*size <= kMaxUnpacked, "no more comes out than max_bytes");
  const std::optional<std::string> slow = gunzip_slowly(packed);
  require(size.has_value() == slow.has_value(), "zlib reads it as well, or neither does");
  if (!slow) {
    reached(size.error() == wire::Errc::too_large      ? "too large"
            : size.error() == wire::Errc::end_of_input ? "cut off"
                                                       : "no gzip");
    return;
  }
  const auto unpacked = sink.grow(*size, *size).first(*size);
  require(std::ranges::equal(unpacked, std::as_bytes(std::span(*slow))), "zlib reads the same");
  reached("unpacked");

  // An object that has seen an error or an end works on.
  (void)decompressor->decompress(packed.first(packed.size() / 2), sink, kMaxUnpacked);
  const auto more = decompressor->decompress(packed, sink, kMaxUnpacked);
  require(more && *more == *size, "and after that it works");
  if (*size > 0) {
    require(!decompressor->decompress(packed, sink, *size - 1), "a bound one byte short is one");
  }
}

void there_and_back(int level, std::span<const std::byte> plain) {
  kafka::VectorChunkSink chunks;
  const wire::Bytes piece(plain);
  const auto packed_size =
      kafka::gzip(level)->make_compressor()->compress(std::span(&piece, 1), chunks);
  require(packed_size.has_value(), "everything can be compressed");
  const std::vector<std::byte> packed = chunks.take(*packed_size);
  BoundedSink sink(kMaxUnpacked);
  const auto size = kafka::gzip()->make_decompressor()->decompress(packed, sink, kMaxUnpacked);
  require(size.has_value(), "what was compressed can be decompressed");
  require(std::ranges::equal(sink.grow(*size, *size).first(*size), plain),
          "what comes back is what went in");
  reached("there and back");
}

}  // namespace

std::vector<std::string> milestones() {
  return {"unpacked", "there and back", "too large", "cut off", "no gzip"};
}

}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::fuzz;
  Input input(data, size);
  const int level = input.u8();
  const std::span<const std::byte> rest = input.rest();
  if (level == 0 || level > 9) {
    unpack(rest);
  } else if (rest.size() <= kMaxUnpacked) {
    there_and_back(level, rest);
  }
  return 0;
}
