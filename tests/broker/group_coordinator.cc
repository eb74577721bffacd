#include "tests/broker/group_coordinator.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "tests/broker/broker.h"
#include "tests/broker/cluster.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr std::size_t kOffsetsReplicas = 3;
constexpr Duration kLookAtOffsets = std::chrono::minutes(10);

// Java's String.hashCode(), of ids in ASCII, as the partition of a group is found with it.
std::uint32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  for (const char c : text) hash = 31 * hash + static_cast<unsigned char>(c);
  return hash;
}

}  // namespace

Time Group::end_of(std::string_view topic, const CommittedOffset& offset,
                   Duration retention) const {
  if (is_subscribed_to(topic)) return kNever;
  Time since = offset.committed_at;
  if (!modern && classic.protocol_type()) {
    if (classic.is_empty()) {
      since = classic.empty_since();
    } else if (!classic.is_of_consumers() || classic.state() != ClassicGroup::State::stable) {
      return kNever;
    }
  }
  return offset.expires != kNever ? offset.expires : deadline_after(since, retention);
}

bool Group::become_modern(KafkaCluster& cluster, Time now) {
  const bool empty = classic.is_empty();
  if (!empty && !classic.is_of_consumers()) return false;
  modern.emplace(cluster.config().groups, cluster);
  if (!empty && !modern->take_over(classic, now)) {
    modern.reset();
    return false;
  }
  classic.refuse_waiting(BrokerErrc::rebalance_in_progress);
  cluster.groups().wake_answered(*this);
  classic = ClassicGroup(cluster.config().groups);
  return true;
}

void Group::return_to_classic(bool rebalance, Time now) {
  if (!modern || !modern->only_classic()) return;
  classic.take_over(modern->epoch(), modern->classic_members(), rebalance, now);
  modern.reset();
}

bool Group::expire(Time now, Duration retention) {
  if (now < expire_at) return false;
  bool left = false;
  for (auto of_topic = offsets.begin(); of_topic != offsets.end();) {
    auto& partitions = of_topic->second;
    std::erase_if(partitions, [&](const auto& each) {
      return now >= end_of(of_topic->first, each.second, retention);
    });
    left |= !partitions.empty();
    of_topic = partitions.empty() ? offsets.erase(of_topic) : std::next(of_topic);
  }
  expire_at = left ? deadline_after(now, kLookAtOffsets) : kNever;
  return !left && is_empty();
}

Topic* GroupCoordinator::offsets_topic() {
  Topic* topic = cluster_.find_topic(kOffsetsTopic);
  if (topic && topic->id != topic_id_) {
    for (std::size_t i = 0; i < shards_.size(); ++i) unload(i);
    groups_.clear();
    shards_.assign(topic->partitions.size(), {});
    topic_id_ = topic->id;
  }
  return topic;
}

std::size_t GroupCoordinator::shard_of(std::string_view group_id) const {
  return (java_hash(group_id) & 0x7fffffffU) % shards_.size();
}

std::int32_t GroupCoordinator::find_coordinator(std::string_view group_id) {
  const Topic* topic = offsets_topic();
  if (!topic) {
    TopicSpec spec;
    spec.partitions = cluster_.config().groups.offsets_partitions;
    spec.replication_factor =
        static_cast<std::int16_t>(std::min(kOffsetsReplicas, cluster_.nodes().size()));
    cluster_.create_topic(kOffsetsTopic, spec);
    return -1;
  }
  const Partition& partition = topic->partitions[shard_of(group_id)];
  const Node* leader = cluster_.find_node(partition.leader);
  return leader && leader->listed ? leader->id : -1;
}

std::int32_t GroupCoordinator::partition_of(std::string_view group_id) {
  return offsets_topic() ? static_cast<std::int32_t>(shard_of(group_id)) : -1;
}

// ------------------------------------------------------------------------------ who answers for
// whom

void GroupCoordinator::unload(std::size_t index) {
  Shard& shard = shards_[index];
  for (auto& [id, group] : groups_) {
    if (group.shard != index) continue;
    group.classic.unload();
    wake_answered(group);
  }
  shard = {};
}

void GroupCoordinator::update(const Topic& topic, std::size_t index, Now now) {
  Shard& shard = shards_[index];
  const Partition& partition = topic.partitions[index];
  if (shard.node == partition.leader && shard.leader_epoch == partition.leader_epoch) return;
  if (shard.node >= 0) unload(index);
  const Node* leader = cluster_.find_node(partition.leader);
  if (!leader || !leader->up) return;
  shard.node = leader->id;
  shard.leader_epoch = partition.leader_epoch;
  shard.loaded_at = deadline_after(now.mono, cluster_.config().groups.load_time);
  for (auto& [id, group] : groups_) {
    if (group.shard != index) continue;
    group.classic.load(shard.loaded_at);
    if (group.modern) group.modern->load(shard.loaded_at);
  }
}

BrokerErrc GroupCoordinator::check(std::int32_t node, std::string_view group_id, Now now) {
  const Topic* topic = offsets_topic();
  if (!topic) return BrokerErrc::not_coordinator;
  const std::size_t index = shard_of(group_id);
  update(*topic, index, now);
  const Shard& shard = shards_[index];
  if (shard.node != node) return BrokerErrc::not_coordinator;
  return now.mono < shard.loaded_at ? BrokerErrc::coordinator_load_in_progress : BrokerErrc::none;
}

bool GroupCoordinator::is_loading(std::int32_t node, Now now) {
  on_changed(now);
  return std::any_of(shards_.begin(), shards_.end(), [&](const Shard& shard) {
    return shard.node == node && now.mono < shard.loaded_at;
  });
}

Group* GroupCoordinator::find(std::string_view group_id) {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : &found->second;
}

Group& GroupCoordinator::find_or_create(std::string_view group_id) {
  const auto [at, created] = groups_.try_emplace(std::string(group_id), cluster_.config().groups);
  if (created) at->second.shard = shard_of(group_id);
  return at->second;
}

std::vector<std::pair<std::string_view, Group*>> GroupCoordinator::groups_of(std::int32_t node,
                                                                             Now now) {
  on_changed(now);
  std::vector<std::pair<std::string_view, Group*>> list;
  for (auto& [id, group] : groups_) {
    if (shards_[group.shard].node == node) list.emplace_back(id, &group);
  }
  return list;
}

void GroupCoordinator::wake_answered(Group& group) {
  if (!group.classic.take_answered()) return;
  const Node* node = cluster_.find_node(shards_[group.shard].node);
  if (node && node->broker) node->broker->wake();
}

// -------------------------------------------------------------------------- the cluster, and time

void GroupCoordinator::on_node_stopped(std::int32_t node) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].node == node) unload(i);
  }
}

void GroupCoordinator::on_topic_deleted(std::string_view topic) {
  for (auto& [id, group] : groups_) {
    const auto found = group.offsets.find(topic);
    if (found != group.offsets.end()) group.offsets.erase(found);
  }
}

void GroupCoordinator::on_changed(Now now) {
  const Topic* topic = offsets_topic();
  if (!topic) return;
  for (std::size_t i = 0; i < shards_.size(); ++i) update(*topic, i, now);
}

void GroupCoordinator::on_time(std::int32_t node, Now now) {
  const Duration retention = cluster_.config().groups.offsets_retention;
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = at->second;
    const auto next = std::next(at);
    const Shard& shard = shards_[group.shard];
    if (shard.node != node || now.mono < shard.loaded_at) {
      at = next;
      continue;
    }
    group.classic.on_time(now.mono);
    if (group.modern) group.modern->on_time(now.mono);
    group.return_to_classic(true, now.mono);
    wake_answered(group);
    if (group.expire(now.mono, retention)) groups_.erase(at);
    at = next;
  }
}

Time GroupCoordinator::next_deadline(std::int32_t node) const {
  Time earliest = kNever;
  for (const auto& [id, group] : groups_) {
    if (shards_[group.shard].node != node) continue;
    earliest = std::min(earliest, group.classic.next_deadline());
    if (group.modern) earliest = std::min(earliest, group.modern->next_deadline());
    earliest = std::min(earliest, group.expire_at);
  }
  return earliest;
}

}  // namespace tern::broker
