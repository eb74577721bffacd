// A Kafka cluster of embedded brokers in a simulated world, one host each ("b1", "b2", ...), with
// the faults that brokers have: restarts, leaders that move, error codes, throttling, answers that
// come late or never. Engines run on Networks that the scenario makes itself on `fabric`, and that
// go before it.
#ifndef TERN_TESTS_SIM_KAFKA_RIG_H_
#define TERN_TESTS_SIM_KAFKA_RIG_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/kafka/config.h"
#include "tests/broker/broker.h"
#include "tests/broker/cluster.h"
#include "tests/sim/checkers.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::sim {

// What goes wrong at the brokers, beside the network. Zero durations: never.
struct BrokerPlan {
  Duration restart_every{0}, down_mean{0};
  double quiet_p = 0;          // of restarts: nobody is told, as by a power cut
  double late_election_p = 0;  // of restarts: the dead node stays the leader until a while later
  Duration move_leader_every{0};
  Duration error_every{0};
  Duration throttle_every{0};
  Duration delay_every{0};  // an answer comes late, or never
  Duration jump_wall_every{0};

  static BrokerPlan none() { return {}; }
  static BrokerPlan draw(Rng rng, int brokers);
  std::string to_string() const;
};

enum class BrokerFault : std::uint8_t {
  restart,
  quiet_restart,
  late_election,
  move_leader,
  error,
  error_after_apply,
  throttle,
  late_answer,
  no_answer,
  close_before_apply,
  close_after_apply,
  jump_wall,
  kCount
};
const char* to_string(BrokerFault fault);

class KafkaRig {
 public:
  struct Options {
    std::uint64_t seed = 1;
    int brokers = 1;
    FaultPlan network;
    BrokerPlan broker;
    broker::ClusterConfig cluster;
    bool trace = false;
  };
  explicit KafkaRig(const Options& options);
  ~KafkaRig();
  KafkaRig(const KafkaRig&) = delete;
  KafkaRig& operator=(const KafkaRig&) = delete;

  World world;
  Fabric fabric;
  broker::KafkaCluster cluster;

  int brokers() const { return static_cast<int>(nodes_.size()); }
  std::vector<std::string> bootstrap() const;
  // With this rig's bootstrap servers, and times that suit a run of seconds.
  kafka::ClientConfig client_config(Rng& rng) const;

  // All faults end: everything is up, leaders are elected, nothing is injected.
  void heal();
  bool healed() const { return healed_; }
  std::uint64_t count(BrokerFault fault) const { return counts_[static_cast<std::size_t>(fault)]; }
  std::string counts_text() const;
  std::uint64_t total_faults() const;

  // All records of the topic's log that carry an id (see content.h).
  std::vector<Stored> stored(const std::string& topic, Problems* problems = nullptr);

 private:
  struct Node {
    Node(KafkaRig& rig, std::int32_t id);
    Network net;
    broker::KafkaBroker broker;
    bool down = false;
  };
  using Tick = void (KafkaRig::*)();

  void every(Duration period, Tick tick);
  void count(BrokerFault fault) { ++counts_[static_cast<std::size_t>(fault)]; }
  void restart_one();
  void bring_up(std::int32_t id);
  void move_leader();
  void inject_error();
  void inject_delay();
  void throttle();
  void jump_wall();

  BrokerPlan plan_;
  Rng rng_;
  bool healed_ = false;
  std::deque<Node> nodes_;
  std::uint64_t counts_[static_cast<std::size_t>(BrokerFault::kCount)] = {};
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_KAFKA_RIG_H_
