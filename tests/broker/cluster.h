// KafkaCluster: what the embedded brokers of one cluster share: nodes, topics, logs, faults.
//
//   KafkaCluster cluster;
//   KafkaBroker broker(cluster, network, /*node_id=*/1, {"127.0.0.1", 0});      // see broker.h
//   cluster.create_topic("orders", {.partitions = 3});
//   cluster.inject(0, Injection::with_error(BrokerErrc::not_leader_or_follower));   // 0 = Produce
//   ... run a client ...
//   cluster.log("orders", 0)->for_each_record([&](const LogRecord& r) { ... });
//
// All brokers share one log per partition: replication takes no time and never fails. Everything
// else follows a real cluster: only the leader takes records, an epoch counts the leaders, sessions
// and fault counters belong to a node.
//
// Deterministic: ids come from ClusterConfig::seed, time from the drivers of the brokers.
// Threading: none. Cluster and brokers live on one executor; call from there, or before
// the drivers run.
#ifndef TERN_TESTS_BROKER_CLUSTER_H_
#define TERN_TESTS_BROKER_CLUSTER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/frame.h"
#include "client/core/ports.h"
#include "protocol/kafka/errors.h"
#include "protocol/wire/bytes.h"
#include "tests/broker/faults.h"
#include "tests/broker/group_config.h"
#include "tests/broker/log.h"

namespace tern::broker {

class GroupCoordinator;
class KafkaBroker;

struct ClusterConfig {
  std::string cluster_id = "dGVybi1lbWJlZGRlZC0wMA";
  bool auto_create_topics = true;  // on first use in Metadata, if the client allows it
  std::int32_t default_partitions = 1;
  std::int16_t default_replication_factor = 1;
  std::uint32_t max_frame_bytes = 100U << 20;  // a larger request closes the connection
  std::size_t max_decode_bytes = 256U << 20;   // memory for the views of one request
  std::size_t max_fetch_bytes = 55U << 20;     // of one answer, whatever the client asks for
  std::size_t max_fetch_sessions = 1000;       // per node; 0 plays a broker without sessions
  std::size_t pool_bytes = 64U << 20;          // frames kept for reuse
  std::size_t max_partitions = 100'000;        // of all topics; a test that asks for more has a bug
  TopicConfig topic_defaults;
  bool cut_last_batch = true;            // Fetch answers end where max_bytes do, as a real broker's
  bool validate_records = true;          // false: only header and CRC, for throughput runs
  std::int16_t transaction_version = 2;  // finalized feature levels, as ApiVersions v3+ tells them
  std::int16_t metadata_version = 29;
  GroupConfig groups = {};
  Release release = Release::newest;
  std::uint64_t seed = 1;
};

struct TopicSpec {
  std::int32_t partitions = -1;  // -1: the cluster's default
  std::int16_t replication_factor = -1;
  // The replicas of each partition, instead of the two above.
  std::vector<std::vector<std::int32_t>> assignments = {};
  std::map<std::string, std::string> configs = {};  // by their Kafka names
};

struct Partition {
  explicit Partition(FramePool& pool) : log(pool) {}
  PartitionLog log;
  std::int32_t leader = -1;  // -1: none of the replicas is up
  std::int32_t leader_epoch = 0;
  std::vector<std::int32_t> replicas;  // the first one is preferred
};

struct Topic {
  std::string name;
  wire::Uuid id;
  TopicConfig config;
  std::map<std::string, std::string> configs;  // those given at creation
  std::deque<Partition> partitions;
};

struct Node {
  std::int32_t id = 0;
  Endpoint advertised;
  std::string rack;
  bool up = false;
  // Metadata names it. A node that has died stays so until the cluster has noticed.
  bool listed = false;
  KafkaBroker* broker = nullptr;
};

// An injection with what is left of it.
struct Armed {
  std::int16_t api_key = 0;
  Injection injection;
  bool looks_at_topics() const { return !injection.topic.empty() || injection.partition != kAny; }
  bool spent() const { return injection.times == 0; }
  // Counts a matching request. False if this one is to pass unharmed.
  bool consume();
};

class KafkaCluster {
 public:
  explicit KafkaCluster(ClusterConfig config = {});
  ~KafkaCluster();
  KafkaCluster(const KafkaCluster&) = delete;
  KafkaCluster& operator=(const KafkaCluster&) = delete;

  const ClusterConfig& config() const { return config_; }
  ClusterConfig& mutable_config() { return config_; }
  FramePool& pool() { return pool_; }

  // --- topics. Errors are those a client would get; `message`, if given, says why.
  kafka::BrokerErrc create_topic(std::string_view name, const TopicSpec& spec = {},
                                 bool validate_only = false, std::string* message = nullptr);
  kafka::BrokerErrc delete_topic(std::string_view name);
  // The same name and partition count again, with a new id and empty logs.
  kafka::BrokerErrc recreate_topic(std::string_view name);
  kafka::BrokerErrc add_partitions(std::string_view name, std::int32_t total,
                                   const std::vector<std::vector<std::int32_t>>& assignments = {},
                                   bool validate_only = false, std::string* message = nullptr);
  Topic* find_topic(std::string_view name);
  Topic* find_topic(const wire::Uuid& id);
  const std::map<std::string, std::unique_ptr<Topic>, std::less<>>& topics() const {
    return topics_;
  }
  // Null if there is no such topic or partition.
  Partition* find_partition(std::string_view topic, std::int32_t partition);
  PartitionLog* log(std::string_view topic, std::int32_t partition);

  // --- nodes and leaders
  const std::map<std::int32_t, Node>& nodes() const { return nodes_; }
  Node* find_node(std::int32_t id);
  std::int32_t controller() const;  // the lowest node that is up, or -1
  // Another node leads from now on, with the next epoch; it joins the replicas if it is none yet.
  bool move_leader(std::string_view topic, std::int32_t partition, std::int32_t node);
  // All connections of the node are reset and its port is closed. With `elect`, its partitions get
  // another leader at once if a replica is up; otherwise Metadata goes on naming the dead node
  // until elect_leaders() or move_leader().
  void stop_node(std::int32_t id, bool elect = true);
  std::error_code start_node(std::int32_t id);
  void elect_leaders();
  // Another node coordinates this group from now on, and all that share its partition of
  // __consumer_offsets. False while nobody has asked for a coordinator yet.
  bool move_group(std::string_view group_id, std::int32_t node);
  // Resets the connections of a node, which stays up.
  void reset_connections(std::int32_t node);

  // --- faults
  void inject(std::int16_t api_key, Injection injection);
  void clear_injections();
  // Injections that still have requests to come.
  std::size_t pending_injections() const;
  // Offers no more than this version of an API; -1 hides the API altogether.
  void limit_api(std::int16_t api_key, std::int16_t max_version);
  void set_release(Release release);
  // The next `times` answers of this API ask for this much patience (KIP-219: the answer comes at
  // once, the connection is not read for that long).
  void throttle(std::int16_t api_key, std::chrono::milliseconds time, int times = kAlways);
  // Unclean election: the log is cut back to `end_offset` and the epoch goes up.
  bool truncate(std::string_view topic, std::int32_t partition, std::int64_t end_offset);
  bool delete_records(std::string_view topic, std::int32_t partition, std::int64_t new_start);

  // --- watching
  // Called for every request, before any fault applies to it.
  void on_request(std::function<void(const RequestInfo&)> observer) {
    observer_ = std::move(observer);
  }
  std::uint64_t requests(std::int16_t api_key) const;  // since the start, over all nodes
  std::size_t open_sessions() const;                   // connections, over all nodes

  // --- groups
  GroupCoordinator& groups() { return *groups_; }  // see group_coordinator.h

  // --- for the brokers
  void attach(std::int32_t id, const Endpoint& advertised, std::string rack, KafkaBroker* broker);
  void set_advertised(std::int32_t id, const Endpoint& advertised);
  void set_up(std::int32_t id, bool up);
  void detach(std::int32_t id);
  // Those that may concern this request: any number that look at topics, then at most one that does
  // not and is counted already.
  std::vector<std::shared_ptr<Armed>> match_injections(const RequestInfo& request);
  std::int32_t take_throttle_ms(std::int16_t api_key);
  std::int16_t max_version_offered(std::int16_t api_key, std::int16_t implemented) const;
  std::int64_t next_producer_id() { return next_producer_id_++; }
  std::uint64_t random();
  void note_request(const RequestInfo& request);
  // Something that a waiting request may be waiting for has changed.
  void changed();

 private:
  struct Throttle {
    std::int32_t time_ms = 0;
    int times = 0;
  };

  using Assignments = std::vector<std::vector<std::int32_t>>;

  kafka::BrokerErrc plan(const TopicSpec& spec, Assignments& replicas, std::string& message) const;
  kafka::BrokerErrc check_assignments(const Assignments& replicas, std::string& message) const;
  // How many more partitions there may be.
  std::size_t room() const;
  std::vector<std::int32_t> place(std::size_t partition, std::size_t replication_factor) const;
  void add_partition(Topic& topic, std::vector<std::int32_t> replicas);
  void set_leader(Partition& partition, std::int32_t node);
  void elect(Partition& partition);
  template <class F>
  void each_partition(F&& fn) {
    for (auto& [name, topic] : topics_) {
      for (Partition& partition : topic->partitions) fn(partition);
    }
  }
  wire::Uuid new_uuid();

  ClusterConfig config_;
  FramePool pool_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::map<wire::Uuid, Topic*> topics_by_id_;
  std::map<std::int32_t, Node> nodes_;
  std::unique_ptr<GroupCoordinator> groups_;
  std::vector<std::shared_ptr<Armed>> injections_;
  std::map<std::int16_t, std::int16_t> limits_;
  std::map<std::int16_t, Throttle> throttles_;
  std::map<std::int16_t, std::uint64_t> request_counts_;
  std::function<void(const RequestInfo&)> observer_;
  std::int64_t next_producer_id_ = 1000;
  std::uint64_t random_state_;
};

// True for a name that Kafka accepts for a topic.
bool is_valid_topic_name(std::string_view name);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_CLUSTER_H_
