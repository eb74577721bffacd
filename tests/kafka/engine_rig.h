// An engine on the host "client" and a cluster of embedded brokers on the hosts "b1", "b2", ..., in
// a simulated world: everything happens in virtual time, on one thread, the same way each time.
#ifndef TERN_TESTS_KAFKA_ENGINE_RIG_H_
#define TERN_TESTS_KAFKA_ENGINE_RIG_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/kafka/engine.h"
#include "client/kafka/producer_core.h"
#include "tests/broker/broker.h"
#include "tests/broker/cluster.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::kafka {

using broker::Injection;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A record as the broker has it.
struct StoredRecord {
  std::int64_t offset, timestamp_ms, producer_id;
  std::int16_t epoch;
  std::int32_t sequence;
  std::string key, value;
  bool key_null, value_null;
  std::vector<std::pair<std::string, std::string>> headers;  // a null value as "<null>"
};

class EngineRig {
 public:
  struct Options {
    int brokers = 1;
    broker::ClusterConfig cluster = {};
    sim::FaultPlan network = {};
    std::uint64_t seed = 1;
  };
  EngineRig() : EngineRig(Options{}) {}
  explicit EngineRig(const Options& options);
  ~EngineRig();

  // Makes the engine, from client_config. Without a bootstrap server in it, all brokers are.
  Engine& start();
  Engine& engine() { return engine_ ? *engine_ : start(); }
  void destroy_engine();
  sim::Network& client_net() { return *client_net_; }

  // Lets the world run until `done` or the limit; false: not done. `check` runs before each event.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(300));
  void run_for(Duration period) {
    run_until([] { return false; }, period);
  }
  std::function<void()> check;

  // How many requests of an API the brokers have seen since the last forget_requests().
  std::size_t requests(const Api& api) const;
  void forget_requests() { seen.clear(); }
  std::vector<broker::RequestInfo> seen;  // without client ids

  std::vector<StoredRecord> stored(std::string_view topic, std::int32_t partition = 0);
  std::vector<std::string> values(std::string_view topic, std::int32_t partition = 0);
  std::size_t batches(std::string_view topic, std::int32_t partition = 0);
  std::int32_t leader(std::string_view topic, std::int32_t partition = 0) {
    return cluster.find_partition(topic, partition)->leader;
  }

  sim::World world;
  sim::Fabric fabric;
  broker::KafkaCluster cluster;
  ClientConfig client_config;

 private:
  struct Node {
    Node(EngineRig& rig, std::int32_t id);
    sim::Network net;
    broker::KafkaBroker broker;
  };
  std::deque<Node> nodes_;
  std::unique_ptr<sim::Network> client_net_;
  std::unique_ptr<Engine> engine_;
};

// What a handler was told.
struct Told {
  std::string tag;
  std::error_code error, cause;
  std::string topic, text;
  std::int32_t partition;
  std::int64_t offset, timestamp_ms;
};

// A producer and all that it tells, in order.
class TestProducer {
 public:
  TestProducer(EngineRig& rig, ProducerConfig config = {});
  ~TestProducer();

  // With a handler that notes what it is told under `tag`.
  std::error_code send(std::string_view topic, const Record& record, std::string tag);
  std::error_code send(std::string_view topic, const std::string& value,
                       std::int32_t partition = kPartitionByKey) {
    return send(topic, Record{.value = value, .partition = partition}, value);
  }
  // As an awaited send, which waits for space.
  void await_send(std::string_view topic, const Record& record, std::string tag,
                  std::uint64_t id = 0);
  // Completions are noted as Told with just a tag and an error.
  void flush(std::string tag = "flush", std::uint64_t id = 0);
  void wait_space(std::string tag, std::uint64_t id = 0);
  void close(Duration timeout, std::string tag = "close");
  void cancel(std::uint64_t id) { rig_.engine().enter(), rig_.engine().cancel(id); }

  // Flushes and lets the world run until it is done.
  bool deliver(Duration limit = seconds(300));
  bool wait_for(std::string_view tag, Duration limit = seconds(300));
  bool wait_for_count(std::size_t count, Duration limit = seconds(300));

  // The only thing told under this tag.
  const Told& of(std::string_view tag);
  std::size_t count(std::string_view tag) const;
  std::vector<std::string> tags() const;
  bool all_ok() const;

  std::deque<Told> told;
  std::shared_ptr<ProducerCore> core;

 private:
  EngineRig& rig_;
};

}  // namespace tern::kafka

#endif  // TERN_TESTS_KAFKA_ENGINE_RIG_H_
