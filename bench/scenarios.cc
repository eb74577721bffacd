#include "bench/scenarios.h"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure.h"
#include "bench/null_network.h"
#include "client/kafka/consumer_core.h"
#include "client/kafka/engine.h"
#include "client/kafka/producer_core.h"
#include "protocol/kafka/batch_header.h"
#include "protocol/kafka/records.h"

namespace tern::bench {
namespace {

using namespace tern::kafka;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "scenario: %s\n", why.c_str());
  std::exit(1);
}

// As bench/tern_produce with everything on one thread: 1,000 records, then the network gets a turn.
class Produce final : public Scenario {
 public:
  struct Options {
    std::size_t size = 100;
    std::int32_t partitions = 1;
    bool handler = false;
    // How long 1,000 records take on the clock that linger goes by: what 5 ms of linger collect.
    Duration chunk_time = std::chrono::microseconds(500);
  };
  explicit Produce(const Options& options)
      : options_(options),
        payloads_(options.size),
        dice_(static_cast<std::uint32_t>(options.partitions)),
        net_({.partitions = options.partitions}),
        engine_(net_, NullNetwork::client_config(), 1),
        core_(std::make_shared<ProducerCore>(engine_, ProducerConfig(), 5)),
        topic_(core_->accumulator().topic("bench")) {
    net_.attach(engine_);
    core_->set_batch_handler([this](const BatchReport& report) {
      if (report.error) fail(report.message());
      reported_ += static_cast<std::int64_t>(report.count);
    });
    engine_.enter();
    core_->start();
    send();
    flush();
  }

  std::int64_t run(std::int64_t records) override {
    const std::int64_t before = reported_, told_before = told_;
    for (std::int64_t i = 0; i < records; ++i) {
      if (!send()) {
        wait_space();
        if (!send()) fail("no room after room was promised");
      }
      if (i % kChunk == kChunk - 1) {
        net_.advance(options_.chunk_time);
        net_.settle();
      }
    }
    flush();
    if (reported_ - before != records) fail("records were reported that were not sent, or not");
    if (options_.handler && told_ - told_before != records) fail("not every handler was called");
    return records;
  }
  std::int64_t network_calls() const override { return net_.calls(); }

 private:
  static constexpr std::int64_t kChunk = 1000;

  bool send() {
    Record record;
    record.value = wire::Bytes(payloads_[static_cast<std::uint64_t>(sent_)]);
    record.partition = partition_;
    const std::error_code error =
        options_.handler
            ? core_->accumulator().append(topic_, record,
                                          [this](std::error_code failed, const Delivery& delivery) {
                                            if (failed) fail(delivery.message());
                                            ++told_;
                                          })
            : core_->accumulator().append(topic_, record, NoHandler());
    if (error == make_error_code(ClientErrc::queue_full)) return false;
    if (error) fail(error.message());
    ++sent_;
    if (options_.partitions > 1) partition_ = static_cast<std::int32_t>(dice_.roll());
    return true;
  }
  void wait_space() {
    bool done = false;
    engine_.enter();
    core_->wait_space([&done](const Failure&) { done = true; }, 0);
    net_.run_until([&done] { return done; });
  }
  void flush() {
    bool done = false;
    engine_.enter();
    core_->flush(
        [&done](const Failure& why) {
          if (why) fail(why.message());
          done = true;
        },
        0);
    net_.run_until([&done] { return done; });
  }

  const Options options_;
  const Payloads payloads_;
  Dice dice_;
  NullNetwork net_;
  Engine engine_;
  std::shared_ptr<ProducerCore> core_;
  ProducerTopic& topic_;
  std::int32_t partition_ = 0;
  std::int64_t sent_ = 0, reported_ = 0, told_ = 0;
};

// As bench/tern_consume: every field of every record is read.
class Consume final : public Scenario {
 public:
  // With a group, whose part is to keep book of what is finished.
  explicit Consume(std::size_t size, std::string group = {})
      : net_({.size = size}),
        engine_(net_, NullNetwork::client_config(), 1),
        core_(std::make_shared<ConsumerCore>(engine_, config(std::move(group)))) {
    net_.attach(engine_);
    core_->start();
    std::vector<ConsumerBoard::Gauge> gauges;
    if (const Failure why = core_->board()->assign(core_->config().assignment, gauges))
      fail(why.message());
    core_->assign(core_->config().assignment, gauges, engine_.enter());
  }

  std::int64_t run(std::int64_t records) override {
    std::int64_t seen = 0;
    while (seen < records) {
      bool done = false;
      core_->poll(0, kNever, [&](const Failure& why, Records polled) {
        if (why) fail(why.message());
        for (const RecordBatch& batch : polled.batches()) {
          for (const RecordView& record : batch) {
            sum_ += static_cast<std::uint64_t>(record.offset + record.timestamp_ms) +
                    record.key.size() + record.value.size() + record.headers.size();
          }
        }
        seen += static_cast<std::int64_t>(polled.size());
        done = true;
      });
      engine_.enter();
      net_.run_until([&done] { return done; });
    }
    if (sum_ == 0) fail("nothing was read");
    return seen;
  }
  std::int64_t network_calls() const override { return net_.calls(); }

 private:
  static ConsumerConfig config(std::string group) {
    ConsumerConfig config;
    config.assignment = {{"bench", 0, Position::offset(0)}};
    config.group = std::move(group);
    config.auto_commit = false;
    config.fetch_max_bytes = 1'000'000;
    config.partition_max_bytes = 1'000'000;
    return config;
  }

  NullNetwork net_;
  Engine engine_;
  std::shared_ptr<ConsumerCore> core_;
  std::uint64_t sum_ = 0;
};

constexpr int kBatchRecords = 1000;

class EncodeBatch final : public Scenario {
 public:
  std::int64_t run(std::int64_t records) override {
    std::int64_t done = 0;
    for (; done < records; done += kBatchRecords) {
      std::byte* at = batch_.data() + kBatchHeaderSize;
      for (std::int32_t i = 0; i < kBatchRecords; ++i) {
        Record record;
        record.value = wire::Bytes(payloads_[static_cast<std::uint64_t>(i)]);
        at = write_record(at, record_body_size(record, 0, i), record, 0, i);
      }
      BatchHeader header;
      header.batch_length = static_cast<std::int32_t>(at - batch_.data() - kBatchLengthEnd);
      header.last_offset_delta = kBatchRecords - 1;
      header.records_count = kBatchRecords;
      write_batch_header(batch_.data(), header);
      const wire::Bytes piece(std::span<const std::byte>(batch_.data() + kBatchHeaderSize, at));
      patch_crc(batch_.data(), batch_crc(batch_.data(), std::span(&piece, 1)));
    }
    return done;
  }

 private:
  const Payloads payloads_{100};
  std::vector<std::byte> batch_ = std::vector<std::byte>(200 * kBatchRecords);
};

class DecodeBatch final : public Scenario {
 public:
  DecodeBatch() {
    const Payloads payloads(100);
    BatchBuilder builder;
    for (int i = 0; i < kBatchRecords; ++i) {
      Record record;
      record.value = wire::Bytes(payloads[static_cast<std::uint64_t>(i)]);
      builder.add(record);
    }
    batch_ = std::move(builder.finish()).value();
  }
  std::int64_t run(std::int64_t records) override {
    std::int64_t done = 0;
    for (; done < records; done += kBatchRecords) {
      BatchIterator batches{batch_};
      BatchView view;
      RecordBlock block;
      RecordsError error;
      if (!batches.next(view) || !open_batch(view, decompressors_, sink_, 1 << 24, block, error))
        fail("the batch cannot be read");
      for (const RecordView& record : block) {
        sum_ += static_cast<std::uint64_t>(record.offset + record.timestamp_ms) +
                record.key.size() + record.value.size() + record.headers.size();
      }
    }
    if (sum_ == 0) fail("nothing was read");
    return done;
  }

 private:
  std::vector<std::byte> batch_;
  Decompressors decompressors_{Codecs()};
  VectorFrameSink sink_;
  std::uint64_t sum_ = 0;
};

}  // namespace

const std::vector<NamedScenario>& scenarios() {
  using Made = std::unique_ptr<Scenario>;
  static const std::vector<NamedScenario> all = {
      {"produce-100", "produce 100 B, a report per batch", [] { return Made(new Produce({})); }},
      {"produce-100-handler", "produce 100 B, a handler per record",
       [] { return Made(new Produce({.handler = true})); }},
      {"produce-100-p100", "produce 100 B, a random one of 100 partitions each",
       [] { return Made(new Produce({.partitions = 100})); }},
      {"produce-100-p10000", "produce 100 B, a random one of 10,000 partitions each",
       [] {
         return Made(
             new Produce({.partitions = 10'000, .chunk_time = std::chrono::microseconds(100)}));
       }},
      {"consume-100", "consume 100 B, 1,000-record batches", [] { return Made(new Consume(100)); }},
      {"consume-100-group", "the same, finished records noted for a group",
       [] { return Made(new Consume(100, "bench")); }},
      {"encode-batch", "build a batch of 1,000 records of 100 B",
       [] { return Made(new EncodeBatch()); }},
      {"decode-batch", "read a batch of 1,000 records of 100 B",
       [] { return Made(new DecodeBatch()); }},
  };
  return all;
}

}  // namespace tern::bench
