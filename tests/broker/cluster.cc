#include "tests/broker/cluster.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "tests/broker/broker.h"
#include "tests/broker/configs.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/releases.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr std::size_t kMaxTopicName = 249;

BrokerErrc too_many(std::string& message) {
  message = "There would be more partitions than this broker is configured for (max_partitions).";
  return BrokerErrc::invalid_partitions;
}

bool is_topic_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// Two names that differ only in '.' and '_' would share their metrics' name, so Kafka refuses the
// second.
std::string collision_key(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '.', '_');
  return key;
}

}  // namespace

bool is_valid_topic_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxTopicName && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_topic_char);
}

bool Armed::consume() {
  if (injection.skip > 0) {
    --injection.skip;
    return false;
  }
  if (injection.times > 0) --injection.times;
  return true;
}

KafkaCluster::KafkaCluster(ClusterConfig config)
    : config_(std::move(config)),
      pool_(config_.pool_bytes),
      groups_(std::make_unique<GroupCoordinator>(*this)),
      random_state_(config_.seed) {}

KafkaCluster::~KafkaCluster() = default;

// splitmix64: every seed gives a good sequence.
std::uint64_t KafkaCluster::random() {
  std::uint64_t z = random_state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

wire::Uuid KafkaCluster::new_uuid() {
  wire::Uuid id;
  const std::uint64_t words[2] = {random(), random()};
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>((words[i / 8] >> (8 * (i % 8))) & 0xffU);
  }
  return id;
}

// ------------------------------------------------------------------------------------------ topics

std::vector<std::int32_t> KafkaCluster::place(std::size_t partition, std::size_t count) const {
  std::vector<std::int32_t> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  std::vector<std::int32_t> replicas;
  for (std::size_t i = 0; i < count; ++i) replicas.push_back(ids[(partition + i) % ids.size()]);
  return replicas;
}

BrokerErrc KafkaCluster::check_assignments(const Assignments& assignments,
                                           std::string& message) const {
  for (const auto& replicas : assignments) {
    const std::set<std::int32_t> distinct(replicas.begin(), replicas.end());
    const bool known = std::all_of(replicas.begin(), replicas.end(),
                                   [&](std::int32_t id) { return nodes_.contains(id); });
    if (replicas.empty() || distinct.size() != replicas.size() || !known ||
        replicas.size() != assignments.front().size()) {
      message =
          "The manual partition assignment names no broker, one twice, or one that is unknown.";
      return BrokerErrc::invalid_replica_assignment;
    }
  }
  return BrokerErrc::none;
}

std::size_t KafkaCluster::room() const {
  std::size_t count = 0;
  for (const auto& [name, topic] : topics_) count += topic->partitions.size();
  return config_.max_partitions - std::min(count, config_.max_partitions);
}

BrokerErrc KafkaCluster::plan(const TopicSpec& spec, Assignments& replicas,
                              std::string& message) const {
  if (!spec.assignments.empty()) {
    if (spec.partitions != -1 || spec.replication_factor != -1) {
      message = "Partition count and replication factor have to be -1 beside a manual assignment.";
      return BrokerErrc::invalid_request;
    }
    if (spec.assignments.size() > room()) return too_many(message);
    replicas = spec.assignments;
    return check_assignments(replicas, message);
  }
  const std::int32_t partitions =
      spec.partitions == -1 ? config_.default_partitions : spec.partitions;
  const std::int16_t factor =
      spec.replication_factor == -1 ? config_.default_replication_factor : spec.replication_factor;
  if (factor <= 0) {
    message = "Replication factor must be larger than 0, or -1 to use the default value.";
    return BrokerErrc::invalid_replication_factor;
  }
  if (partitions <= 0) {
    message = "Number of partitions was set to an invalid non-positive value.";
    return BrokerErrc::invalid_partitions;
  }
  if (static_cast<std::size_t>(partitions) > room()) return too_many(message);
  if (static_cast<std::size_t>(factor) > nodes_.size()) {
    message = "Unable to replicate the partition " + std::to_string(factor) + " time(s): only " +
              std::to_string(nodes_.size()) + " broker(s) are registered.";
    return BrokerErrc::invalid_replication_factor;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(partitions); ++i) {
    replicas.push_back(place(i, static_cast<std::size_t>(factor)));
  }
  return BrokerErrc::none;
}

void KafkaCluster::add_partition(Topic& topic, std::vector<std::int32_t> replicas) {
  Partition& partition = topic.partitions.emplace_back(pool_);
  partition.replicas = std::move(replicas);
  partition.leader = partition.replicas.front();
  for (const std::int32_t id : partition.replicas) {
    if (!nodes_.at(id).up) continue;
    partition.leader = id;
    break;
  }
  partition.log.begin_epoch(partition.leader_epoch);
}

BrokerErrc KafkaCluster::create_topic(std::string_view name, const TopicSpec& spec,
                                      bool validate_only, std::string* message) {
  std::string unused;
  std::string& why = message ? *message : unused;
  if (!is_valid_topic_name(name)) {
    why =
        "The topic name is empty, too long, '.' or '..', or has characters other than a-zA-Z0-9._-";
    return BrokerErrc::invalid_topic_exception;
  }
  if (topics_.find(name) != topics_.end()) {
    why = "Topic '" + std::string(name) + "' already exists.";
    return BrokerErrc::topic_already_exists;
  }
  for (const auto& [other, topic] : topics_) {
    if (collision_key(other) != collision_key(name)) continue;
    why = "Topic '" + std::string(name) + "' collides with existing topic: " + other;
    return BrokerErrc::invalid_topic_exception;
  }
  auto topic = std::make_unique<Topic>();
  topic->config = config_.topic_defaults;
  Assignments replicas;
  if (const BrokerErrc error = plan(spec, replicas, why); error != BrokerErrc::none) return error;
  if (const BrokerErrc error = parse_topic_config(spec.configs, topic->config, why);
      error != BrokerErrc::none) {
    return error;
  }
  if (validate_only) return BrokerErrc::none;
  topic->name = std::string(name);
  topic->id = new_uuid();
  topic->configs = spec.configs;
  for (auto& one : replicas) add_partition(*topic, std::move(one));
  topics_by_id_[topic->id] = topic.get();
  topics_[topic->name] = std::move(topic);
  changed();
  return BrokerErrc::none;
}

BrokerErrc KafkaCluster::delete_topic(std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return BrokerErrc::unknown_topic_or_partition;
  groups_->on_topic_deleted(name);
  topics_by_id_.erase(found->second->id);
  topics_.erase(found);
  changed();
  return BrokerErrc::none;
}

BrokerErrc KafkaCluster::recreate_topic(std::string_view name) {
  const Topic* topic = find_topic(name);
  if (!topic) return BrokerErrc::unknown_topic_or_partition;
  TopicSpec spec;
  spec.configs = topic->configs;
  for (const Partition& partition : topic->partitions)
    spec.assignments.push_back(partition.replicas);
  const std::string copy(name);  // `name` may be the topic's own
  delete_topic(copy);
  return create_topic(copy, spec);
}

BrokerErrc KafkaCluster::add_partitions(std::string_view name, std::int32_t total,
                                        const Assignments& assignments, bool validate_only,
                                        std::string* message) {
  std::string unused;
  std::string& why = message ? *message : unused;
  Topic* topic = find_topic(name);
  if (!topic) {
    why = "This server does not host this topic-partition.";
    return BrokerErrc::unknown_topic_or_partition;
  }
  const auto now = static_cast<std::int32_t>(topic->partitions.size());
  if (total <= now) {
    why = "The topic has " + std::to_string(now) + " partition(s); the new count has to be larger.";
    return BrokerErrc::invalid_partitions;
  }
  if (static_cast<std::size_t>(total - now) > room()) return too_many(why);
  Assignments added = assignments;
  if (added.empty()) {
    const std::size_t factor = topic->partitions.front().replicas.size();
    for (std::int32_t i = now; i < total; ++i) {
      added.push_back(place(static_cast<std::size_t>(i), factor));
    }
  } else if (added.size() != static_cast<std::size_t>(total - now)) {
    why = "The number of assignments is not the number of new partitions.";
    return BrokerErrc::invalid_replica_assignment;
  } else if (const BrokerErrc error = check_assignments(added, why); error != BrokerErrc::none) {
    return error;
  }
  if (validate_only) return BrokerErrc::none;
  for (auto& replicas : added) add_partition(*topic, std::move(replicas));
  changed();
  return BrokerErrc::none;
}

Topic* KafkaCluster::find_topic(std::string_view name) {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* KafkaCluster::find_topic(const wire::Uuid& id) {
  const auto found = topics_by_id_.find(id);
  return found == topics_by_id_.end() ? nullptr : found->second;
}

Partition* KafkaCluster::find_partition(std::string_view topic, std::int32_t partition) {
  Topic* found = find_topic(topic);
  if (!found || partition < 0) return nullptr;
  const auto index = static_cast<std::size_t>(partition);
  return index < found->partitions.size() ? &found->partitions[index] : nullptr;
}

PartitionLog* KafkaCluster::log(std::string_view topic, std::int32_t partition) {
  Partition* found = find_partition(topic, partition);
  return found ? &found->log : nullptr;
}

// ------------------------------------------------------------------------------- nodes and leaders

void KafkaCluster::attach(std::int32_t id, const Endpoint& advertised, std::string rack,
                          KafkaBroker* broker) {
  nodes_[id] = Node{id, advertised, std::move(rack), false, false, broker};
}

void KafkaCluster::detach(std::int32_t id) {
  Node& node = nodes_[id];
  node.up = node.listed = false;
  node.broker = nullptr;
}

void KafkaCluster::set_advertised(std::int32_t id, const Endpoint& advertised) {
  nodes_[id].advertised = advertised;
}

void KafkaCluster::set_up(std::int32_t id, bool up) {
  Node& node = nodes_[id];
  node.up = up;
  node.listed = node.listed || up;
  changed();
}

Node* KafkaCluster::find_node(std::int32_t id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::int32_t KafkaCluster::controller() const {
  for (const auto& [id, node] : nodes_) {
    if (node.up) return id;
  }
  return -1;
}

void KafkaCluster::set_leader(Partition& partition, std::int32_t node) {
  partition.leader = node;
  ++partition.leader_epoch;
  if (node >= 0) partition.log.begin_epoch(partition.leader_epoch);
}

void KafkaCluster::elect(Partition& partition) {
  for (const std::int32_t id : partition.replicas) {
    if (!nodes_.at(id).up) continue;
    set_leader(partition, id);
    return;
  }
  if (partition.leader != -1) set_leader(partition, -1);
}

bool KafkaCluster::move_leader(std::string_view topic, std::int32_t partition, std::int32_t node) {
  Partition* found = find_partition(topic, partition);
  if (!found || !nodes_.contains(node)) return false;
  if (std::find(found->replicas.begin(), found->replicas.end(), node) == found->replicas.end()) {
    found->replicas.push_back(node);
  }
  set_leader(*found, node);
  changed();
  return true;
}

bool KafkaCluster::move_group(std::string_view group_id, std::int32_t node) {
  const std::int32_t partition = groups_->partition_of(group_id);
  return partition >= 0 && move_leader(kOffsetsTopic, partition, node);
}

void KafkaCluster::elect_leaders() {
  for (auto& [id, node] : nodes_) node.listed = node.up;
  each_partition([&](Partition& partition) {
    if (partition.leader < 0 || !nodes_.at(partition.leader).up) elect(partition);
  });
  changed();
}

void KafkaCluster::stop_node(std::int32_t id, bool elect) {
  Node* node = find_node(id);
  if (!node) return;
  if (node->broker) node->broker->stop();
  node->up = false;
  if (elect) elect_leaders();
}

std::error_code KafkaCluster::start_node(std::int32_t id) {
  Node* node = find_node(id);
  if (!node || !node->broker) return std::make_error_code(std::errc::no_such_device);
  const std::error_code error = node->broker->start();
  each_partition([&](Partition& partition) {
    if (partition.leader < 0) this->elect(partition);
  });
  changed();
  return error;
}

void KafkaCluster::reset_connections(std::int32_t node) {
  Node* found = find_node(node);
  if (found && found->broker) found->broker->reset_connections();
}

// ------------------------------------------------------------------------------------------ faults

void KafkaCluster::inject(std::int16_t api_key, Injection injection) {
  auto armed = std::make_shared<Armed>();
  armed->api_key = api_key;
  armed->injection = std::move(injection);
  injections_.push_back(std::move(armed));
}

void KafkaCluster::clear_injections() { injections_.clear(); }

std::size_t KafkaCluster::pending_injections() const {
  return static_cast<std::size_t>(std::count_if(injections_.begin(), injections_.end(),
                                                [](const auto& armed) { return !armed->spent(); }));
}

std::vector<std::shared_ptr<Armed>> KafkaCluster::match_injections(const RequestInfo& request) {
  std::vector<std::shared_ptr<Armed>> matching;
  if (injections_.empty()) return matching;
  std::erase_if(injections_, [](const auto& armed) { return armed->spent(); });
  for (const auto& armed : injections_) {
    const Injection& injection = armed->injection;
    if (armed->api_key != request.api_key) continue;
    if (injection.node != kAny && injection.node != request.node) continue;
    if (injection.when && !injection.when(request)) continue;
    if (armed->looks_at_topics()) {
      matching.push_back(armed);
    } else if (armed->consume()) {
      matching.push_back(armed);
      break;
    }
  }
  return matching;
}

void KafkaCluster::limit_api(std::int16_t api_key, std::int16_t max_version) {
  limits_[api_key] = max_version;
}

void KafkaCluster::set_release(Release release) { config_.release = release; }

std::int16_t KafkaCluster::max_version_offered(std::int16_t api_key,
                                               std::int16_t implemented) const {
  std::int16_t offered = std::min(implemented, max_version_of(config_.release, api_key));
  if (const auto limit = limits_.find(api_key); limit != limits_.end()) {
    offered = std::min(offered, limit->second);
  }
  return offered;
}

void KafkaCluster::throttle(std::int16_t api_key, std::chrono::milliseconds time, int times) {
  throttles_[api_key] = {static_cast<std::int32_t>(time.count()), times};
}

std::int32_t KafkaCluster::take_throttle_ms(std::int16_t api_key) {
  const auto found = throttles_.find(api_key);
  if (found == throttles_.end() || found->second.times == 0) return 0;
  if (found->second.times > 0) --found->second.times;
  return found->second.time_ms;
}

bool KafkaCluster::truncate(std::string_view topic, std::int32_t partition,
                            std::int64_t end_offset) {
  Partition* found = find_partition(topic, partition);
  if (!found || end_offset < found->log.start_offset()) return false;
  found->log.truncate(end_offset);
  set_leader(*found, found->leader);
  changed();
  return true;
}

bool KafkaCluster::delete_records(std::string_view topic, std::int32_t partition,
                                  std::int64_t new_start) {
  PartitionLog* found = log(topic, partition);
  if (!found || !found->delete_before(new_start)) return false;
  changed();
  return true;
}

// ---------------------------------------------------------------------------------------- watching

void KafkaCluster::note_request(const RequestInfo& request) {
  ++request_counts_[request.api_key];
  if (observer_) observer_(request);
}

std::uint64_t KafkaCluster::requests(std::int16_t api_key) const {
  const auto found = request_counts_.find(api_key);
  return found == request_counts_.end() ? 0 : found->second;
}

std::size_t KafkaCluster::open_sessions() const {
  std::size_t count = 0;
  for (const auto& [id, node] : nodes_) {
    if (node.broker) count += node.broker->open_sessions();
  }
  return count;
}

void KafkaCluster::changed() {
  for (auto& [id, node] : nodes_) {
    if (node.broker) node.broker->wake();
  }
}

}  // namespace tern::broker
