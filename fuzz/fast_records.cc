#include "fuzz/bounded_sink.h"
#include "fuzz/memory.h"
#include "fuzz/slow_records.h"
#include "fuzz/target.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/records.h"

namespace tern::fuzz {
namespace {

using kafka::BatchIterator;
using kafka::BatchView;
using kafka::RecordBlock;
using kafka::RecordsError;
using kafka::RecordView;

// What opening a batch may take from the heap beside the sink's block: the codec's own state.
constexpr std::size_t kMaxOwnMemory = std::size_t{64} * 1024;

// Copies every byte of a view, so that one that reaches too far is noticed.
Blob copy(const wire::Bytes& bytes) {
  if (bytes.is_null()) return std::nullopt;
  return bytes.str();
}

SlowRecord copy(const RecordView& view) {
  SlowRecord record{.offset = view.offset,
                    .timestamp_ms = view.timestamp_ms,
                    .timestamp_type = static_cast<int>(view.timestamp_type),
                    .key = copy(view.key),
                    .value = copy(view.value),
                    .headers = {}};
  for (const kafka::Header& header : view.headers) {
    record.headers.emplace_back(header.key.str(), copy(header.value));
    const auto last = view.headers.last(header.key.view());
    require(last.has_value(), "a header is found by its key");
  }
  require(record.headers.size() == view.headers.size(), "as many headers as a record says");
  return record;
}

void walk(const BatchView& batch, const RecordBlock& block, SlowResult& out) {
  std::int32_t count = 0;
  for (const RecordView& view : block) {
    require(view.offset >= block.base_offset, "no offset before the batch");
    require(view.offset <= block.base_offset + block.last_offset_delta, "nor behind it");
    out.records.emplace_back(copy(view));
    if (batch.header.is_control()) {
      const auto control = kafka::parse_control(view);
      if (control && control->type != kafka::ControlType::other) reached("a control record");
    }
    if (!view.headers.empty()) reached("headers");
    ++count;
  }
  require(count == block.count, "a block has as many records as it says");
}

void open(const BatchView& batch, kafka::Decompressors& decompressors, SlowResult& out) {
  BoundedSink sink(kMaxUnpacked);
  RecordBlock block;
  RecordsError error;
  const MemoryScope memory;
  const bool opened = kafka::open_batch(batch, decompressors, sink, kMaxUnpacked, block, error);
  require(memory.peak() <= kMaxOwnMemory, "opening a batch takes no memory of its own");
  if (!opened) {
    require(static_cast<bool>(error) && !error.message().empty(), "what fails says why");
    out.records.emplace_back(std::nullopt);
    reached("a batch that cannot be opened");
    return;
  }
  require(!error, "what succeeds has no error");
  const std::string format = "magic " + std::to_string(batch.header.magic);
  const bool packed = batch.header.compression() != kafka::Compression::none;
  if (block.count != 0) reached(packed ? format + " in gzip" : format);
  walk(batch, block, out);
}

}  // namespace

SlowResult read_fast(std::span<const std::byte> records, bool check_crc) {
  SlowResult out;
  kafka::Decompressors decompressors(kafka::Codecs{kafka::gzip()});
  BatchIterator batches(records, {.check_crc = check_crc});
  BatchView batch;
  std::size_t before = 0;
  while (batches.next(batch)) {
    require(batches.position() == before + batch.whole.size(), "batches follow one another");
    require(batch.whole.size() >= batch.payload.size(), "a payload is part of its batch");
    before = batches.position();
    open(batch, decompressors, out);
  }
  require(!batches.next(batch), "what has ended stays so");
  require(batches.position() <= records.size(), "nothing is read beyond the end");
  out.how = !batches.ok() ? HowItEnds::error : batches.cut() ? HowItEnds::cut : HowItEnds::end;
  if (out.how != HowItEnds::end) reached(batches.cut() ? "a batch cut off" : "an error");
  require(batches.cut() || batches.ok() || !batches.error().message().empty(),
          "an error has words");
  return out;
}

}  // namespace tern::fuzz
