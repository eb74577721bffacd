// GroupCoordinator: the groups of a cluster, and which node answers for which.
//
// A group belongs to a partition of __consumer_offsets, by its id, and the leader of that partition
// is its coordinator. When another node takes over, it loads the group as it was stored: offsets
// are stored as soon as they are committed, a classic group when its leader has assigned. Stop a
// node, or KafkaCluster::move_group(), to see that happen.
//
// One for the whole cluster, but every call says which node it is made at.
#ifndef TERN_TESTS_BROKER_GROUP_COORDINATOR_H_
#define TERN_TESTS_BROKER_GROUP_COORDINATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/time.h"
#include "protocol/kafka/errors.h"
#include "protocol/wire/bytes.h"
#include "tests/broker/classic_group.h"
#include "tests/broker/modern_group.h"

namespace tern::broker {

class KafkaCluster;
struct Topic;

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  Time committed_at{};
  Time expires = kNever;  // as the commit said (up to version 4), whatever offsets_retention is
};

// Of either kind: classic, unless there is a modern one. With the first member of the consumer
// protocol a group becomes modern, with its last it becomes classic, if others are left. Without
// members it is either, as one likes.
struct Group {
  explicit Group(const GroupConfig& config) : classic(config) {}
  // False if it stays as it is: for its members, who are no consumers or cannot be understood.
  bool become_modern(KafkaCluster& cluster, Time now);
  // If nobody is left who speaks the consumer protocol.
  void return_to_classic(bool rebalance, Time now);
  bool is_empty() const { return modern ? modern->is_empty() : classic.is_empty(); }
  bool is_subscribed_to(std::string_view topic) const {
    return modern ? modern->is_subscribed_to(topic) : classic.is_subscribed_to(topic);
  }
  std::string_view state_name() const {
    return modern ? modern->state_name() : classic.state_name();
  }
  // When this offset is of no use to the group any more, as things are.
  Time end_of(std::string_view topic, const CommittedOffset& offset, Duration retention) const;
  // True if that leaves nothing at all of the group.
  bool expire(Time now, Duration retention);

  std::size_t shard = 0;
  ClassicGroup classic;
  std::optional<ModernGroup> modern;
  // By topic and partition.
  std::map<std::string, std::map<std::int32_t, CommittedOffset>, std::less<>> offsets;
  Time expire_at = kNever;  // nothing ends before
};

class GroupCoordinator {
 public:
  using Groups = std::map<std::string, Group, std::less<>>;

  explicit GroupCoordinator(KafkaCluster& cluster) : cluster_(cluster) {}

  // The node that coordinates this group, as Metadata knows it, or -1. Makes __consumer_offsets if
  // there is none yet, and says -1 that once: as with a real broker, the client has to ask again.
  std::int32_t find_coordinator(std::string_view group_id);

  // The partition of __consumer_offsets that this group is in, or -1 if there is no such topic.
  std::int32_t partition_of(std::string_view group_id);

  // Whether `node` may answer for this group now.
  kafka::BrokerErrc check(std::int32_t node, std::string_view group_id, Now now);
  // Whether `node` still loads some group's partition.
  bool is_loading(std::int32_t node, Now now);
  // Only after check() was none. Null if there is no such group.
  Group* find(std::string_view group_id);
  Group& find_or_create(std::string_view group_id);
  void erase(std::string_view group_id) { groups_.erase(groups_.find(group_id)); }
  // All groups that `node` answers for, in order of their ids.
  std::vector<std::pair<std::string_view, Group*>> groups_of(std::int32_t node, Now now);
  const Groups& groups() const { return groups_; }

  // After something was done to a group: those whose requests it has answered are woken.
  void wake_answered(Group& group);

  // --- for the cluster and its nodes
  void on_node_stopped(std::int32_t node);
  void on_topic_deleted(std::string_view topic);
  // Leaders may have changed.
  void on_changed(Now now);
  void on_time(std::int32_t node, Now now);
  Time next_deadline(std::int32_t node) const;

 private:
  // What a leader of one partition of __consumer_offsets has in memory.
  struct Shard {
    std::int32_t node = -1;
    std::int32_t leader_epoch = -1;
    Time loaded_at{};
  };

  Topic* offsets_topic();
  std::size_t shard_of(std::string_view group_id) const;
  void update(const Topic& topic, std::size_t index, Now now);
  void unload(std::size_t index);

  KafkaCluster& cluster_;
  wire::Uuid topic_id_;  // of the __consumer_offsets that the groups are in
  std::vector<Shard> shards_;
  Groups groups_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_GROUP_COORDINATOR_H_
