// What requests about the offsets of groups have in common. Any thread.
#ifndef TERN_CLIENT_KAFKA_GROUP_REQUESTS_H_
#define TERN_CLIENT_KAFKA_GROUP_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

#include "client/kafka/consumer_records.h"
#include "protocol/kafka/messages/group_offsets.h"
#include "protocol/wire/arena.h"

namespace tern::kafka {

// From here on one OffsetFetch asks for any number of groups; a little before, it can wait for
// transactions.
inline constexpr std::int16_t kFirstOfGroups = 8;
inline constexpr std::int16_t kFirstStable = 7;
// From version 10 on OffsetCommit and OffsetFetch name topics by ids, which not every broker tells,
// and not everybody here knows.
inline constexpr std::int16_t kNewestByName = 9;

// In which a request for these can go.
template <class Item>
std::int16_t newest_version(const std::vector<Item>& items) {
  for (const Item& each : items) {
    if (each.topic_id.is_zero()) return kNewestByName;
  }
  return std::numeric_limits<std::int16_t>::max();
}

// How an answer's topics are called, if `version` has ids only. Not at all: not one of `items`.
template <class Item>
class TopicNames {
 public:
  TopicNames(const std::vector<Item>& items, std::int16_t version)
      : by_id_(version > kNewestByName) {
    for (std::size_t i = 0; by_id_ && i < items.size(); ++i) {
      names_.emplace(items[i].topic_id, items[i].topic);
    }
  }
  template <class Topic>
  std::string_view of(const Topic& topic) const {
    if (!by_id_) return topic.name.view();
    const auto found = names_.find(topic.topic_id);
    return found == names_.end() ? std::string_view() : found->second;
  }

 private:
  bool by_id_;
  std::map<wire::Uuid, std::string_view> names_;
};

inline bool before(const PartitionOffset& a, const PartitionOffset& b) {
  return a.topic != b.topic ? a.topic < b.topic : a.partition < b.partition;
}

// Partitions as requests have them: in a list for each topic, which `list` is the place of. `items`
// are sorted by topic and must outlive the encoding; `fill` makes an Entry of one of them. Topics
// have ids if items do. Empty if the arena's limit stands against it.
template <class Topic, class Entry, class Item, class Fill>
wire::Array<Topic> by_topic(wire::Arena& arena, const std::vector<Item>& items,
                            wire::Array<Entry> Topic::* list, Fill fill) {
  Entry* entries = arena.make_array<Entry>(items.size());
  Topic* topics = arena.make_array<Topic>(items.size());
  if (!entries || !topics) return {};
  std::size_t count = 0;
  for (std::size_t i = 0; i < items.size();) {
    const std::size_t first = i;
    for (; i < items.size() && items[i].topic == items[first].topic; ++i) {
      entries[i] = fill(items[i]);
    }
    topics[count].name = wire::Text(items[first].topic);
    if constexpr (requires { topics[count].topic_id = items[first].topic_id; }) {
      topics[count].topic_id = items[first].topic_id;
    }
    topics[count++].*list = {entries + first, i - first};
  }
  return {topics, count};
}

inline OffsetCommitRequest::OffsetCommitRequestPartition to_commit(const PartitionOffset& offset) {
  OffsetCommitRequest::OffsetCommitRequestPartition partition;
  partition.partition_index = offset.partition;
  partition.committed_offset = offset.offset;
  partition.committed_leader_epoch = offset.leader_epoch;
  partition.committed_metadata = wire::Text(offset.metadata);
  return partition;
}

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_GROUP_REQUESTS_H_
