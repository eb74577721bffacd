// A consumer in a simulated world, against scripted or embedded brokers.
#ifndef TERN_TESTS_KAFKA_CONSUMER_RIG_H_
#define TERN_TESTS_KAFKA_CONSUMER_RIG_H_

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/consumer_core.h"
#include "client/kafka/engine.h"
#include "tests/kafka/fake_brokers.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::kafka {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One engine on a host of its own, with one consumer.
class ConsumerHost {
 public:
  ConsumerHost(sim::World& world, sim::Fabric& fabric, std::string host = "client")
      : world_(world), net_(fabric, std::move(host)) {}

  void start(std::vector<std::string> bootstrap, ConsumerConfig config) {
    client_config.bootstrap = std::move(bootstrap);
    engine_ = std::make_unique<Engine>(net_, client_config, 1);
    net_.attach(*engine_);
    consumer_ = std::make_shared<ConsumerCore>(*engine_, config);
    consumer_->start();
    if (config.group.empty() || !config.assignment.empty()) return assign(config.assignment);
    TopicPattern pattern;
    ASSERT_FALSE(TopicPattern::parse(config.topic_pattern, pattern));
    consumer_->subscribe(config.topics, pattern, engine_->enter());
  }
  void assign(const std::vector<Assignment>& assignment) {
    std::vector<ConsumerBoard::Gauge> gauges;
    const Failure failure = consumer_->board()->assign(assignment, gauges);
    ASSERT_FALSE(failure) << failure.message();
    consumer_->assign(assignment, gauges, engine_->enter());
  }
  void seek(const std::string& topic, std::int32_t partition, const Position& to) {
    consumer_->seek({topic, partition}, to, engine_->enter());
  }

  struct Polled {
    bool done = false;
    Failure failure;
    Records records;

    std::vector<std::string> values() const {
      std::vector<std::string> all;
      for (const ConsumerRecord& record : records) all.push_back(record.value.str());
      return all;
    }
  };
  // Starts a poll; the result is there when `done`.
  std::shared_ptr<Polled> start_poll(Duration timeout = Duration::max(), std::uint64_t id = 0) {
    auto polled = std::make_shared<Polled>();
    consumer_->poll(id, deadline_after(engine_->enter().mono, timeout),
                    [polled](Failure why, Records r) {
                      polled->done = true;
                      polled->failure = std::move(why);
                      polled->records = std::move(r);
                    });
    return polled;
  }
  // Polls and lets the world run until there is an answer, or `limit` has passed.
  std::shared_ptr<Polled> poll(Duration timeout = Duration::max(), Duration limit = seconds(60)) {
    auto polled = start_poll(timeout);
    world_.run_until([&] { return polled->done; }, limit);
    return polled;
  }
  // Values until there are `count`, over as many polls as it takes; stops at an error.
  std::vector<std::string> take(std::size_t count) {
    std::vector<std::string> all;
    while (all.size() < count) {
      const auto polled = poll();
      EXPECT_TRUE(polled->done) << "no answer to a poll";
      EXPECT_FALSE(polled->failure) << polled->failure.message();
      if (!polled->done || polled->failure) break;
      for (std::string& value : polled->values()) all.push_back(std::move(value));
    }
    return all;
  }
  std::pair<Failure, OffsetsAndTimes> find_offsets(const std::vector<TimeQuery>& queries,
                                                   Duration timeout = seconds(30)) {
    std::pair<Failure, OffsetsAndTimes> result;
    bool done = false;
    const Now now = engine_->enter();
    consumer_->find_offsets(
        0, queries, deadline_after(now.mono, timeout),
        [&](Failure why, OffsetsAndTimes found) {
          result = {std::move(why), std::move(found)};
          done = true;
        },
        now);
    world_.run_until([&] { return done; }, seconds(120));
    EXPECT_TRUE(done);
    return result;
  }
  std::int64_t position(const std::string& topic, std::int32_t partition = 0) const {
    return consumer_->board()->find({topic, partition})->position.load();
  }
  std::int64_t end(const std::string& topic, std::int32_t partition = 0) const {
    return consumer_->board()->find({topic, partition})->end.load();
  }

  Engine& engine() { return *engine_; }
  ConsumerCore& consumer() { return *consumer_; }
  void run_for(Duration time) { world_.run_for(time); }

  ClientConfig client_config;

 private:
  sim::World& world_;
  sim::Network net_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<ConsumerCore> consumer_;
};

// A test with scripted brokers.
class ConsumerTest : public ::testing::Test {
 protected:
  explicit ConsumerTest(int nodes = 1) : brokers(world, fabric, nodes), host(world, fabric) {
    config.fetch_max_wait = milliseconds(500);
    config.offset_reset = OffsetReset::earliest;
  }
  ~ConsumerTest() override {
    for (const std::string& what : world.violations()) ADD_FAILURE() << what;
  }

  void start() { host.start(brokers.bootstrap(), config); }
  void start_at(const std::string& topic, const Position& start, int partitions = 1) {
    for (int i = 0; i < partitions; ++i) config.assignment.push_back({topic, i, start});
    this->start();
  }

  sim::World world{1};
  sim::Fabric fabric{world, sim::FaultPlan::none()};
  fake::FakeBrokers brokers;
  ConsumerConfig config;
  ConsumerHost host;
};

}  // namespace tern::kafka

#endif  // TERN_TESTS_KAFKA_CONSUMER_RIG_H_
