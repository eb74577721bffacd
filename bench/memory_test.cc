// The limits that the configuration promises, measured as what operator new gives out while an
// engine works against a broker in memory: a producer stays within buffer_bytes, a consumer within
// prefetch_bytes, each with 10 % for what is not records; an idle client is small and sleeps. What
// zlib takes itself is not seen: some 300 KB for each direction.
//
// The 10 % of a producer do not cover the one batch that is being compressed, nor what requests,
// answers and reports keep of thousands of small batches: with 1,000 partitions in 4 MB it is 16 %.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/counted_new.h"
#include "bench/measure.h"
#include "bench/null_network.h"
#include "client/kafka/consumer_core.h"
#include "client/kafka/engine.h"
#include "client/kafka/producer_core.h"

namespace tern::bench {
namespace {

using namespace tern::kafka;
using namespace std::chrono_literals;

constexpr std::size_t kLimit = 4'000'000;

// What is held above what was held at the start; the most since then.
class Held {
 public:
  Held() : start_(allocations().held_bytes) { reset_peak(); }
  std::int64_t now() const { return allocations().held_bytes - start_; }
  std::int64_t most() const { return allocations().peak_bytes - start_; }

 private:
  std::int64_t start_;
};

// ---------------------------------------------------------------------------------------- producer

struct Sent {
  const char* name;
  std::int32_t partitions = 1;
  std::size_t size = 100;  // of a value, up to
  bool mixed_sizes = false;
  bool handler = false;
  bool gzip = false;
  std::size_t batch_bytes = 1'000'000;
};

class Producing {
 public:
  explicit Producing(const Sent& sent)
      : sent_(sent),
        payloads_(sent.size),
        dice_(static_cast<std::uint32_t>(sent.partitions)),
        sizes_(static_cast<std::uint32_t>(sent.size)),
        net_({.partitions = sent.partitions}),
        engine_(net_, NullNetwork::client_config(), 1),
        core_(std::make_shared<ProducerCore>(engine_, config(sent), 5)),
        topic_(core_->accumulator().topic("bench")) {
    net_.attach(engine_);
    core_->set_batch_handler([this](const BatchReport& report) {
      EXPECT_FALSE(report.error) << report.message();
      reported_ += static_cast<std::int64_t>(report.count);
    });
    engine_.enter();
    core_->start();
    EXPECT_TRUE(send());  // from here on the topic and its partitions are known
    net_.run_until([this] { return reported_ == 1; });
  }
  ~Producing() { net_.hold_answers(false); }

  // As much as it takes: until time does not help any more.
  void fill() {
    net_.hold_answers(true);
    for (int refused = 0; refused < 20;) {
      if (send()) {
        refused = 0;
        continue;
      }
      ++refused;
      turn();
    }
  }
  void keep_going(std::int64_t records) {
    net_.hold_answers(false);
    for (std::int64_t i = 0; i < records; ++i) {
      if (!send() || i % 1000 == 0) turn();
    }
  }

 private:
  static ProducerConfig config(const Sent& sent) {
    ProducerConfig config;
    config.buffer_bytes = kLimit;
    config.batch_bytes = sent.batch_bytes;
    if (sent.gzip) config.compression = Compression::gzip;
    return config;
  }
  void turn() {
    net_.advance(1ms);
    net_.settle();
  }
  bool send() {
    const std::string_view payload = payloads_[static_cast<std::uint64_t>(sent_records_)];
    Record record;
    record.value = wire::Bytes(sent_.mixed_sizes ? payload.substr(0, sizes_.roll()) : payload);
    record.partition = static_cast<std::int32_t>(dice_.roll());
    Accumulator& accumulator = core_->accumulator();
    const std::error_code error =
        sent_.handler
            ? accumulator.append(topic_, record,
                                 [this, padding = std::array<std::uint64_t, 4>()](
                                     std::error_code, const Delivery&) { told_ += padding[0]; })
            : accumulator.append(topic_, record, NoHandler());
    if (error == make_error_code(ClientErrc::queue_full)) return false;
    EXPECT_FALSE(error) << error.message();
    ++sent_records_;
    return true;
  }

  const Sent sent_;
  const Payloads payloads_;
  Dice dice_, sizes_;
  NullNetwork net_;
  Engine engine_;
  std::shared_ptr<ProducerCore> core_;
  ProducerTopic& topic_;
  std::int64_t sent_records_ = 0, reported_ = 0;
  std::uint64_t told_ = 0;
};

class ProducerMemory : public testing::TestWithParam<Sent> {};

TEST_P(ProducerMemory, StaysWithinItsBuffer) {
  Producing producing(GetParam());
  const Held held;
  producing.fill();
  EXPECT_LE(held.most(), kLimit * 11 / 10) << "while nothing is answered";
  EXPECT_GE(held.now(), kLimit * 6 / 10) << "the buffer is hardly used: this proves nothing";
  for (int i = 0; i < 3; ++i) {
    producing.keep_going(GetParam().mixed_sizes ? 1'000 : 20'000);
    producing.fill();
  }
  EXPECT_LE(held.most(), kLimit * 11 / 10) << "over and over";
}

INSTANTIATE_TEST_SUITE_P(
    , ProducerMemory,
    testing::Values(Sent{.name = "OnePartition"}, Sent{.name = "Handlers", .handler = true},
                    Sent{.name = "SmallRecordsWithHandlers", .size = 10, .handler = true},
                    Sent{.name = "ManyPartitions", .partitions = 100},
                    Sent{.name = "ManyPartitionsWithHandlers", .partitions = 100, .handler = true},
                    Sent{.name = "AllSizes", .partitions = 20, .size = 60'000, .mixed_sizes = true},
                    Sent{.name = "Gzip", .gzip = true, .batch_bytes = 200'000}),
    [](const auto& test) { return test.param.name; });

// ---------------------------------------------------------------------------------------- consumer

// So that one batch, unpacked beyond the limit because nothing else is held, fits into the 10 %.
constexpr std::size_t kPrefetch = 8'000'000;

class ConsumerMemory : public testing::TestWithParam<int> {};

TEST_P(ConsumerMemory, StaysWithinItsPrefetch) {
  NullNetwork net({.size = 100, .gzip = GetParam()});
  Engine engine(net, NullNetwork::client_config(), 1);
  ConsumerConfig config;
  config.assignment = {{"bench", 0, Position::offset(0)}};
  config.prefetch_bytes = kPrefetch;
  config.fetch_max_bytes = 1'000'000;
  config.partition_max_bytes = 1'000'000;
  const Held held;
  const auto core = std::make_shared<ConsumerCore>(engine, config);
  net.attach(engine);
  core->start();
  std::vector<ConsumerBoard::Gauge> gauges;
  ASSERT_FALSE(core->board()->assign(config.assignment, gauges));
  core->assign(config.assignment, gauges, engine.enter());

  std::deque<Records> kept;
  std::size_t seen = 0;
  bool done = false;       // outlives a poll that is answered later
  const auto poll = [&] {  // false if nothing comes any more
    done = false;
    core->poll(0, kNever, [&](const Failure& why, Records records) {
      EXPECT_FALSE(why) << why.message();
      seen += records.size();
      kept.push_back(std::move(records));
      done = true;
    });
    engine.enter();
    for (int i = 0; i < 50 && !done; ++i) {
      net.advance(10ms);
      net.settle();
    }
    return done;
  };
  // A user who keeps what he gets, until nothing more comes.
  std::size_t polls = 0;
  while (poll() && ++polls < 100'000) {
  }
  ASSERT_LT(polls, 100'000u) << "it is never full";
  EXPECT_LE(held.most(), kPrefetch * 11 / 10) << "all of it kept by the user, after " << polls;
  EXPECT_GE(held.now(), kPrefetch / 2) << "the prefetch is hardly used: this proves nothing";
  // One who gives the oldest back and takes more.
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t before = seen;
    while (!kept.empty() && seen == before) {
      kept.pop_front();
      net.settle();
    }
    net.run_until([&] { return seen > before; });
    while (poll()) {
    }
  }
  EXPECT_LE(held.most(), kPrefetch * 11 / 10) << "over and over";
}

INSTANTIATE_TEST_SUITE_P(, ConsumerMemory, testing::Values(-1, 6),
                         [](const auto& test) { return test.param < 0 ? "Plain" : "Gzip"; });

// -------------------------------------------------------------------------------------------- idle

// Counts the steps that the engine behind it is given.
class Counted final : public Machine {
 public:
  explicit Counted(Machine& machine) : machine_(machine) {}
  void step(Now now) override {
    ++steps;
    machine_.step(now);
  }
  Time next_deadline() const override { return machine_.next_deadline(); }
  void run_completions() override { machine_.run_completions(); }

  std::int64_t steps = 0;

 private:
  Machine& machine_;
};

TEST(IdleClient, IsSmallAndSleeps) {
  const Held held;
  NullNetwork net({.fetch_bytes = 1});
  const std::int64_t network = held.now();
  Engine engine(net, NullNetwork::client_config(), 1);
  Counted machine(engine);
  net.attach(machine);
  const auto core = std::make_shared<ProducerCore>(engine, ProducerConfig(), 5);
  std::int64_t reported = 0;
  core->set_batch_handler([&reported](const BatchReport&) { ++reported; });
  engine.enter();
  core->start();
  Record record;
  record.value = wire::Bytes("hello");
  ASSERT_FALSE(core->accumulator().append(core->accumulator().topic("bench"), record, NoHandler()));
  net.run_until([&reported] { return reported == 1; });

  EXPECT_LT(held.now() - network, 1 << 20) << "bytes of heap";
  const std::int64_t before = machine.steps;
  const Time end = net.now().mono + 1h;
  net.run_until([&] { return net.now().mono >= end; });
  // A step of an idle engine takes some microseconds: one each second is a 100,000th of a core.
  EXPECT_LE(machine.steps - before, 3600);
  EXPECT_LT(held.now() - network, 1 << 20) << "bytes of heap an hour later";
}

}  // namespace
}  // namespace tern::bench
