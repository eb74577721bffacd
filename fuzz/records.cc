// The records of a Fetch response, whatever a broker sends: batches, compressed or not, and message
// sets of old. Checksums are not looked at, so that the fuzzer gets behind them.

#include "protocol/kafka/records.h"

#include "fuzz/target.h"
#include "protocol/kafka/gzip.h"

namespace tern::kafka {
namespace {

using fuzz::require;

constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

// Reads every byte of a view, so that one that reaches too far is noticed.
std::uint64_t touch(const wire::Bytes& bytes) {
  std::uint64_t sum = 0;
  for (const char c : bytes.view()) sum = sum * 31 + static_cast<unsigned char>(c);
  return sum;
}

std::uint64_t walk(const RecordBlock& block) {
  std::uint64_t sum = 0;
  std::int32_t count = 0;
  for (const RecordView& record : block) {
    ++count;
    sum += touch(record.key) + touch(record.value);
    std::size_t headers = 0;
    for (const Header& header : record.headers) {
      sum += touch(wire::Bytes(header.key.view())) + touch(header.value);
      ++headers;
    }
    require(headers == record.headers.size(), "a record has as many headers as it says");
    (void)parse_control(record);
  }
  require(count == block.count, "a block has as many records as it says");
  return sum;
}

std::uint64_t run(std::span<const std::byte> records) {
  std::uint64_t sum = 0;
  Decompressors decompressors(Codecs{gzip()});
  BatchIterator batches(records, {.check_crc = false});
  BatchView batch;
  while (batches.next(batch)) {
    require(batch.whole.size() >= batch.payload.size(), "a payload is part of its batch");
    VectorFrameSink sink;
    RecordBlock block;
    RecordsError error;
    if (open_batch(batch, decompressors, sink, kMaxUnpacked, block, error)) {
      sum += walk(block);
    } else {
      require(static_cast<bool>(error), "what fails says why");
      require(!error.message().empty(), "an error has words");
    }
  }
  require(batches.position() <= records.size(), "nothing is read beyond the end");
  return sum;
}

}  // namespace
}  // namespace tern::kafka

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static volatile std::uint64_t kept = 0;  // so that no read is optimised away
  kept = kept + tern::kafka::run(std::as_bytes(std::span(data, size)));
  return 0;
}
