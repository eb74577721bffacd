// Message sets of formats v0 and v1, plain and inside a compressed message, which a fuzzer would
// hardly find behind gzip: our reader and the slowest one there is see the same records.
//
// Input: what to do (1 byte: bits 0-1 what to wrap the rest in, bit 2 log append time), the offset
// and timestamp of the wrapper (8 and 8, only if there is one), then a message set.

#include <vector>

#include "fuzz/seeds.h"
#include "fuzz/slow_records.h"
#include "fuzz/target.h"
#include "protocol/kafka/gzip.h"

namespace tern::fuzz {
namespace {

std::vector<std::byte> pack(std::span<const std::byte> plain) {
  kafka::VectorChunkSink chunks;
  const wire::Bytes piece(plain);
  const auto size = kafka::gzip(1)->make_compressor()->compress(std::span(&piece, 1), chunks);
  require(size.has_value(), "everything can be compressed");
  return chunks.take(*size);
}

std::vector<std::byte> wrap(Input& input, unsigned magic, bool append_time) {
  const std::uint64_t offset = input.u64();
  const std::uint64_t timestamp = input.u64();
  const std::vector<std::byte> packed = pack(input.rest());
  Seed message;
  message.u32(0).u8(magic).u8(append_time ? 9 : 1);
  if (magic == 1) message.u64(timestamp);
  message.u32(0xffffffff).u32(static_cast<std::uint32_t>(packed.size())).add(packed);
  Seed entry;
  entry.u64(offset).u32(static_cast<std::uint32_t>(message.bytes().size())).add(message.bytes());
  return entry.bytes();
}

}  // namespace

std::vector<std::string> milestones() {
  return {"magic 0",         "magic 1",  "magic 0 in gzip", "magic 1 in gzip",
          "a batch cut off", "an error", "wrapped",         "a batch that cannot be opened"};
}

}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::fuzz;
  Input input(data, size);
  const unsigned what = input.u8();
  std::vector<std::byte> records;
  if (what % 4 >= 2) {
    records = wrap(input, what % 2, (what & 4) != 0);
  } else {
    records.assign(input.rest().begin(), input.rest().end());
  }
  mend_checksums(records);
  records.shrink_to_fit();
  const SlowResult fast = read_fast(records, true);
  require(fast == read_slowly(records), "both readers see the same");
  if (what % 4 >= 2 && !fast.records.empty() && fast.records[0]) reached("wrapped");
  return 0;
}
