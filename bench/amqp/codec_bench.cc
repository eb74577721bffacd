// What the pure AMQP code under the hot path costs: methods, content headers, field tables, cutting
// a stream into frames, and a whole message as it is published. The counter shows time for one.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"
#include "protocol/wire/writer.h"

namespace tern::bench::amqp {
namespace {

using namespace tern::amqp;

void per_item(benchmark::State& state, std::int64_t items_each_turn) {
  const std::int64_t items = state.iterations() * items_each_turn;
  state.SetItemsProcessed(items);
  state.counters["each"] = benchmark::Counter(
      static_cast<double>(items), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const BasicPublish kPublish{.exchange = "orders", .routing_key = "order.new", .mandatory = true};
const BasicDeliver kDeliver{.consumer_tag = "amq.ctag-1",
                            .delivery_tag = 1,
                            .exchange = "orders",
                            .routing_key = "order.new"};
const BasicAck kAck{.delivery_tag = 12'345, .multiple = true};

// Fields of the kinds that applications and RabbitMQ put into headers.
TableBuilder headers(std::int64_t fields) {
  TableBuilder out;
  for (std::int64_t i = 0; i < fields; ++i) {
    const std::string name = "x-field-" + std::to_string(i);
    switch (i % 4) {
      case 0:
        out.add(name, "some text of it");
        break;
      case 1:
        out.add(name, std::int64_t{1} << 40);
        break;
      case 2:
        out.add(name, true);
        break;
      default:
        out.add(name, Timestamp{1'700'000'000});
    }
  }
  return out;
}

// Properties as messages have them: none, those of nearly all, and all with 8 headers.
struct Properties {
  explicit Properties(std::int64_t how_many) {
    if (how_many == 0) return;
    value.content_type = "application/json";
    value.delivery_mode = kPersistent;
    if (how_many == 1) return;
    value.content_encoding = "utf-8";
    value.headers = *table.table();
    value.priority = std::uint8_t{3};
    value.correlation_id = "a correlation id";
    value.reply_to = "amq.rabbitmq.reply-to";
    value.expiration = "60000";
    value.message_id = "5f1d1d8e-7a1b-4c8f-9f5e-0a4d0c6f2b11";
    value.timestamp = Timestamp{1'700'000'000};
    value.type = "order";
    value.user_id = "guest";
    value.app_id = "bench";
    value.cluster_id = "";
  }
  TableBuilder table = headers(8);
  BasicProperties value;
};

template <class M>
std::vector<std::byte> encoded(const M& message) {
  std::vector<std::byte> out(*encoded_size(message));
  wire::Writer writer(out);
  encode(message, writer);
  return out;
}

// In its frame, as a channel sends it.
template <class Payload>
void frame_encode(benchmark::State& state, FrameType type, const Payload& payload) {
  std::vector<std::byte> out(2048);
  for (auto _ : state) {
    benchmark::DoNotOptimize(&payload);
    benchmark::ClobberMemory();
    const auto size = encoded_size(payload);
    wire::Writer writer(out);
    encode_frame(type, 1, payload, *size, writer);
    benchmark::ClobberMemory();
  }
  per_item(state, 1);
}

template <class M>
void method_encode(benchmark::State& state, const M& method) {
  frame_encode(state, FrameType::method, method);
}

// From the number of the method to all of its fields.
template <class M>
void method_decode(benchmark::State& state, const M& method) {
  const std::vector<std::byte> payload = encoded(method);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    const auto error = dispatch(wire::Bytes(payload), {},
                                [](const auto& decoded) { benchmark::DoNotOptimize(&decoded); });
    if (error) state.SkipWithError("dispatch");
  }
  per_item(state, 1);
}

void header_encode(benchmark::State& state) {
  const Properties properties(state.range(0));
  frame_encode(state, FrameType::header, ContentHeader{100, properties.value});
}

void header_decode(benchmark::State& state) {
  const Properties properties(state.range(0));
  const std::vector<std::byte> payload = encoded(ContentHeader{100, properties.value});
  for (auto _ : state) {
    benchmark::ClobberMemory();
    ContentHeader header;
    if (decode_header(wire::Bytes(payload), {}, header)) state.SkipWithError("decode_header");
    benchmark::DoNotOptimize(&header);
  }
  per_item(state, 1);
}

void table_build(benchmark::State& state) {
  for (auto _ : state) {
    const TableBuilder builder = headers(state.range(0));
    benchmark::DoNotOptimize(builder.table()->size_bytes());
  }
  per_item(state, state.range(0));
}

// Decoding leaves a table as it lies; this is looking at each of its fields.
void table_read(benchmark::State& state) {
  const TableBuilder builder = headers(state.range(0));
  const Table table = *builder.table();
  std::int64_t sum = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    for (const Field field : table) {
      sum += static_cast<std::int64_t>(field.name.size()) + field.value.integer().value_or(1);
    }
  }
  benchmark::DoNotOptimize(sum);
  per_item(state, state.range(0));
}

// A message as it goes over the wire: method, header, and its body in frames.
std::vector<std::byte> message_bytes(std::size_t body_bytes) {
  const std::string body(body_bytes, 'b');
  const ContentHeader header{body.size(), {}};
  const std::size_t method_bytes = *encoded_size(kDeliver), header_bytes = *encoded_size(header);
  std::vector<std::byte> out(method_bytes + header_bytes + 2 * kFrameOverheadBytes +
                             body_size(body.size(), 131'072).total);
  wire::Writer writer(out);
  encode_frame(FrameType::method, 1, kDeliver, method_bytes, writer);
  encode_frame(FrameType::header, 1, header, header_bytes, writer);
  encode_body(wire::Bytes(body), 1, 131'072, writer);
  return out;
}

// Items are frames.
void frames_split(benchmark::State& state) {
  const std::vector<std::byte> one = message_bytes(static_cast<std::size_t>(state.range(0)));
  std::vector<std::byte> stream;
  for (int i = 0; i < 100; ++i) stream.insert(stream.end(), one.begin(), one.end());
  FrameSplitter splitter(FrameSplitter::From::server, {131'072, 131'072});
  std::int64_t frames = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    frames = 0;
    for (std::span<const std::byte> rest(stream); !rest.empty(); ++frames) {
      const Split split = splitter.next(rest);
      if (split.kind != Split::Kind::frame) return state.SkipWithError("next");
      benchmark::DoNotOptimize(split.frame.payload.data());
      rest = rest.subspan(split.size);
    }
  }
  per_item(state, frames);
}

// A small message as a channel puts it into its output: the frame of its method is there already.
void message_write(benchmark::State& state) {
  const std::string body(static_cast<std::size_t>(state.range(0)), 'b');
  const Properties properties(state.range(1));
  const std::size_t method_bytes = *encoded_size(kPublish);
  std::vector<std::byte> method(method_bytes + kFrameOverheadBytes);
  wire::Writer once(method);
  encode_frame(FrameType::method, 1, kPublish, method_bytes, once);
  std::vector<std::byte> out(body.size() + 4096);
  for (auto _ : state) {
    benchmark::DoNotOptimize(&properties);
    benchmark::ClobberMemory();
    std::memcpy(out.data(), method.data(), method.size());
    wire::Writer writer(std::span<std::byte>(out).subspan(method.size()));
    begin_frame(FrameType::header, 1, *encoded_header_size(properties.value), writer);
    encode_header(body.size(), properties.value, writer);
    end_frame(writer);
    encode_body(wire::Bytes(body), 1, 131'072, writer);
    benchmark::ClobberMemory();
  }
  per_item(state, 1);
}

BENCHMARK_CAPTURE(method_encode, publish, kPublish);
BENCHMARK_CAPTURE(method_encode, ack, kAck);
BENCHMARK_CAPTURE(method_decode, deliver, kDeliver);
BENCHMARK_CAPTURE(method_decode, ack, kAck);
BENCHMARK(header_encode)->ArgName("properties")->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(header_decode)->ArgName("properties")->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(table_build)->Arg(1)->Arg(8)->Arg(64);
BENCHMARK(table_read)->Arg(1)->Arg(8)->Arg(64);
BENCHMARK(frames_split)->ArgName("body")->Arg(0)->Arg(100)->Arg(131'064)->Arg(1'000'000);
BENCHMARK(message_write)
    ->ArgNames({"body", "properties"})
    ->Args({100, 0})
    ->Args({100, 1})
    ->Args({100, 2});

}  // namespace
}  // namespace tern::bench::amqp

BENCHMARK_MAIN();
