// What the pure code under the hot path costs: CRC-32C, varints, building and reading record
// batches, the envelopes around them. Items are records (or numbers); the counter shows time for
// one.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "protocol/kafka/batch_header.h"
#include "protocol/kafka/compression.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/messages/fetch.h"
#include "protocol/kafka/messages/produce.h"
#include "protocol/kafka/records.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/crc32c.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/varint.h"
#include "protocol/wire/writer.h"

namespace tern::bench {
namespace {

using namespace tern::kafka;

void per_item(benchmark::State& state, std::int64_t items_each_turn) {
  state.SetItemsProcessed(state.iterations() * items_each_turn);
  state.counters["each"] =
      benchmark::Counter(static_cast<double>(state.iterations() * items_each_turn),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void crc32c(benchmark::State& state, const wire::internal::Crc32cVariant* variant) {
  const std::vector<char> data(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(variant->function(0, data.data(), data.size()));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void varint_write(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<std::int64_t> numbers(1000);
  for (auto& n : numbers) n = static_cast<std::int64_t>(random() >> (64 - state.range(0)));
  std::vector<std::byte> out(numbers.size() * wire::kMaxVarint64);
  for (auto _ : state) {
    std::byte* at = out.data();
    for (const std::int64_t n : numbers) at = wire::write_varlong(at, n);
    benchmark::DoNotOptimize(at);
    benchmark::ClobberMemory();
  }
  per_item(state, static_cast<std::int64_t>(numbers.size()));
}

// As a producer does it: size, then bytes, into a megabyte, then header and sum.
void batch_build(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const Payloads payloads(size);
  std::vector<std::byte> batch(1'000'000);
  std::int32_t count = 0;
  for (auto _ : state) {
    std::byte* at = batch.data() + kBatchHeaderSize;
    std::byte* const end = batch.data() + batch.size() - size - kMaxRecordOverhead;
    count = 0;
    while (at < end) {
      Record record;
      record.value = wire::Bytes(payloads[static_cast<std::uint64_t>(count)]);
      at = write_record(at, record_body_size(record, 0, count), record, 0, count);
      ++count;
    }
    BatchHeader header;
    header.batch_length = static_cast<std::int32_t>(at - batch.data() - kBatchLengthEnd);
    header.last_offset_delta = count - 1;
    header.records_count = count;
    write_batch_header(batch.data(), header);
    const wire::Bytes piece(std::span<const std::byte>(batch.data() + kBatchHeaderSize, at));
    patch_crc(batch.data(), batch_crc(batch.data(), std::span(&piece, 1)));
    benchmark::ClobberMemory();
  }
  per_item(state, count);
}

std::vector<std::byte> make_batch(std::size_t size, int count, std::shared_ptr<const Codec> codec) {
  const Payloads payloads(size);
  BatchBuilder::Options options;
  options.codec = std::move(codec);
  BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    Record record;
    record.value = wire::Bytes(payloads[static_cast<std::uint64_t>(i)]);
    builder.add(record);
  }
  return std::move(builder.finish()).value();
}

// As a consumer does it: sum, framing of every record, then every field.
void batch_read(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(1));
  const Codecs codecs = {gzip()};
  const auto batch = make_batch(static_cast<std::size_t>(state.range(0)), count,
                                state.range(2) != 0 ? codecs[0] : nullptr);
  Decompressors decompressors(codecs);
  VectorFrameSink sink;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    BatchIterator batches{batch};
    BatchView view;
    while (batches.next(view)) {
      RecordBlock block;
      RecordsError error;
      if (!open_batch(view, decompressors, sink, 1 << 24, block, error)) {
        state.SkipWithError("open_batch");
        return;
      }
      for (const RecordView& record : block) {
        sum += static_cast<std::uint64_t>(record.offset + record.timestamp_ms) + record.key.size() +
               record.value.size() + record.headers.size();
      }
    }
  }
  benchmark::DoNotOptimize(sum);
  per_item(state, count);
}

// A request for that many partitions with 4 KiB of records each, spliced and not copied.
void produce_envelope(benchmark::State& state) {
  const auto partitions = static_cast<std::size_t>(state.range(0));
  const std::string records(4096, 'r');
  std::vector<ProduceRequest::PartitionProduceData> data(partitions);
  for (std::size_t i = 0; i < partitions; ++i) {
    data[i].index = static_cast<std::int32_t>(i);
    data[i].records = wire::Records{wire::Bytes(records)};
  }
  ProduceRequest::TopicProduceData topic;
  topic.name = "bench";
  topic.partition_data = data;
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  request.topic_data = wire::Array<ProduceRequest::TopicProduceData>(std::span(&topic, 1));
  const auto version = static_cast<std::int16_t>(state.range(1));
  std::vector<std::byte> flat;
  std::vector<wire::Splice> splices;
  for (auto _ : state) {
    const auto size = encoded_size(request, version);
    if (!size) {
      state.SkipWithError("encoded_size");
      return;
    }
    flat.resize(size->total - size->spliced);
    splices.resize(size->splices);
    wire::Writer writer(flat, splices);
    encode(request, version, writer);
    benchmark::ClobberMemory();
  }
  per_item(state, static_cast<std::int64_t>(partitions));
}

void produce_answer(benchmark::State& state) {
  const auto partitions = static_cast<std::size_t>(state.range(0));
  std::vector<ProduceResponse::PartitionProduceResponse> data(partitions);
  ProduceResponse::TopicProduceResponse topic;
  topic.name = "bench";
  topic.partition_responses = data;
  ProduceResponse response;
  response.responses = wire::Array<ProduceResponse::TopicProduceResponse>(std::span(&topic, 1));
  const std::int16_t version = 9;
  const auto size = encoded_size(response, version);
  std::vector<std::byte> bytes(size->total);
  wire::Writer writer(bytes);
  encode(response, version, writer);
  wire::Arena arena(1 << 22);
  for (auto _ : state) {
    arena.reset();
    wire::Reader reader(bytes);
    ProduceResponse out;
    if (!decode(reader, version, arena, out)) {
      state.SkipWithError("decode");
      return;
    }
    benchmark::DoNotOptimize(out);
  }
  per_item(state, static_cast<std::int64_t>(partitions));
}

BENCHMARK(varint_write)->Arg(6)->Arg(20)->Arg(60);
BENCHMARK(batch_build)->Arg(100)->Arg(1000);
BENCHMARK(batch_read)
    ->ArgNames({"size", "records", "gzip"})
    ->Args({100, 1000, 0})
    ->Args({1000, 900, 0})
    ->Args({1000, 900, 1});
BENCHMARK(produce_envelope)
    ->ArgNames({"partitions", "version"})
    ->Args({1, 7})
    ->Args({1, 12})
    ->Args({100, 12})
    ->Args({10000, 7});
BENCHMARK(produce_answer)->Arg(1)->Arg(100)->Arg(10000);

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  for (const auto& variant : tern::wire::internal::crc32c_variants()) {
    if (!variant.usable) continue;
    benchmark::RegisterBenchmark((std::string("crc32c/") + variant.name).c_str(),
                                 tern::bench::crc32c, &variant)
        ->Arg(100)
        ->Arg(1000)
        ->Arg(16 << 10)
        ->Arg(1'000'000);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
