// lz4, snappy and zstd: any input to the decompressor, within its bound; any input through both and
// back. What is read is what their libraries read: there is no other reader to ask here.
//
// Input: the codec and a level (bits 4 and above; 0: decompress only), then the bytes.

#include <algorithm>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "fuzz/bounded_sink.h"
#include "fuzz/memory.h"
#include "fuzz/target.h"
#include "protocol/wire/errc.h"

namespace tern::fuzz {
namespace {

constexpr std::size_t kBound = std::size_t{64} * 1024;
constexpr std::size_t kMaxOwnMemory = std::size_t{64} * 1024;

const kafka::Codecs& codecs() {
  static const kafka::Codecs all = {kafka::lz4(), kafka::snappy(), kafka::zstd()};
  return all;
}

void unpack(const kafka::Codec& codec, std::span<const std::byte> packed) {
  const std::string name = kafka::name(codec.id());
  BoundedSink sink(kBound);
  const MemoryScope memory;
  const auto decompressor = codec.make_decompressor();
  const auto size = decompressor->decompress(packed, sink, kBound);
  require(memory.peak() <= kMaxOwnMemory, "memory is asked for through the sink only");
  if (!size) {
    const bool known = size.error() == wire::Errc::too_large ||
                       size.error() == wire::Errc::end_of_input ||
                       size.error() == wire::Errc::bad_compressed_data;
    require(known, "errors are those that the interface names");
    reached(name + (size.error() == wire::Errc::too_large      ? ": too large"
                    : size.error() == wire::Errc::end_of_input ? ": cut off"
                                                               : ": refused"));
    return;
  }
  require(*size <= kBound, "no more comes out than max_bytes");
  reached(name + ": unpacked");
  const auto block = sink.grow(*size, *size).first(*size);
  const std::vector<std::byte> first(block.begin(), block.end());

  // An object that has seen an error or an end works on, and gives the same.
  (void)decompressor->decompress(packed.first(packed.size() / 2), sink, kBound);
  const auto more = decompressor->decompress(packed, sink, *size);
  require(more && *more == first.size(), "and after that it works");
  require(std::ranges::equal(sink.grow(*more, *more).first(*more), first), "it reads the same");
  if (*size > 0) {
    require(!decompressor->decompress(packed, sink, *size - 1), "a bound one byte short is one");
  }
}

void there_and_back(const kafka::Codec& codec, int level, std::span<const std::byte> plain) {
  const auto leveled = codec.at_level(level);
  const kafka::Codec& chosen = leveled ? *leveled : codec;
  // In two pieces.
  const wire::Bytes pieces[] = {wire::Bytes(plain.first(plain.size() / 3)),
                                wire::Bytes(plain.subspan(plain.size() / 3))};
  kafka::VectorChunkSink chunks;
  const auto packed_size = chosen.make_compressor()->compress(pieces, chunks);
  require(packed_size.has_value(), "everything can be compressed");
  const std::vector<std::byte> packed = chunks.take(*packed_size);
  BoundedSink sink(kBound);
  const auto size = chosen.make_decompressor()->decompress(packed, sink, plain.size());
  require(size.has_value(), "what was compressed can be decompressed");
  require(std::ranges::equal(sink.grow(*size, *size).first(*size), plain),
          "what comes back is what went in");
  reached(std::string(kafka::name(codec.id())) + ": there and back");
}

}  // namespace

std::vector<std::string> milestones() {
  std::vector<std::string> all;
  for (const auto& codec : codecs()) {
    for (const char* what : {"unpacked", "there and back", "too large", "cut off", "refused"}) {
      all.push_back(std::string(kafka::name(codec->id())) + ": " + what);
    }
  }
  return all;
}

}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::fuzz;
  Input input(data, size);
  const unsigned shape = input.u8();
  const tern::kafka::Codec& codec = *codecs()[(shape & 15) % codecs().size()];
  const int level = static_cast<int>(shape >> 4);
  const std::span<const std::byte> rest = input.rest();
  if (level == 0) {
    unpack(codec, rest);
  } else if (rest.size() <= kBound) {
    there_and_back(codec, std::min(level, 12), rest);
  }
  return 0;
}
