#include "tests/broker/modern_assignors.h"

#include <algorithm>

namespace tern::broker {

namespace {

using TopicPartition = std::pair<wire::Uuid, std::int32_t>;

void take_out(Assignment& assignment, const TopicPartition& partition) {
  const auto topic = assignment.find(partition.first);
  topic->second.erase(partition.second);
  if (topic->second.empty()) assignment.erase(topic);
}

// What a member keeps: what it has of topics that it still wants and that still have this
// partition, as long as nobody had it before.
Assignment keep(const AssignorMember& member, const PartitionCounts& counts,
                std::set<TopicPartition>& taken) {
  Assignment kept;
  for (const auto& [topic, partitions] : member.current) {
    const auto count = counts.find(topic);
    if (!member.topics.contains(topic) || count == counts.end()) continue;
    for (const std::int32_t partition : partitions) {
      if (partition < count->second && taken.emplace(topic, partition).second) {
        kept[topic].insert(partition);
      }
    }
  }
  return kept;
}

struct Load {
  const AssignorMember* member = nullptr;
  Assignment* assignment = nullptr;
  std::size_t size = 0;
};

bool wants(const Load& load, const wire::Uuid& topic) {
  return load.member->topics.contains(topic);
}

// The one with least to do of those who want the topic; of equals the first.
Load* least_loaded(std::vector<Load>& loads, const wire::Uuid& topic) {
  Load* least = nullptr;
  for (Load& load : loads) {
    if (wants(load, topic) && (!least || load.size < least->size)) least = &load;
  }
  return least;
}

// Moves one partition from the most loaded member that has one for somebody with at least two less.
bool move_one(std::vector<Load>& loads) {
  std::vector<Load*> order;
  for (Load& load : loads) order.push_back(&load);
  std::sort(order.begin(), order.end(), [](const Load* a, const Load* b) {
    return a->size != b->size ? a->size > b->size : a < b;
  });
  for (Load* from : order) {
    for (const auto& [topic, partitions] : *from->assignment) {
      Load* to = least_loaded(loads, topic);
      if (!to || to->size + 1 >= from->size) continue;
      const TopicPartition moved{topic, *partitions.rbegin()};
      (*to->assignment)[moved.first].insert(moved.second);
      ++to->size;
      take_out(*from->assignment, moved);
      --from->size;
      return true;
    }
  }
  return false;
}

}  // namespace

std::size_t count_partitions(const Assignment& assignment) {
  std::size_t count = 0;
  for (const auto& [topic, partitions] : assignment) count += partitions.size();
  return count;
}

// Members keep what they have, what is free goes to whoever has least, and then single partitions
// move until that evens out nothing any more. Each move brings two members closer together, so this
// ends.
Assignments assign_uniform(const AssignorMembers& members, const PartitionCounts& counts) {
  Assignments assignments;
  std::set<TopicPartition> taken;
  for (const AssignorMember& member : members) {
    assignments[member.id] = keep(member, counts, taken);
  }
  std::vector<Load> loads;
  for (const AssignorMember& member : members) {
    Assignment& assignment = assignments[member.id];
    loads.push_back({&member, &assignment, count_partitions(assignment)});
  }
  for (const auto& [topic, count] : counts) {
    for (std::int32_t partition = 0; partition < count; ++partition) {
      if (taken.contains({topic, partition})) continue;
      Load* to = least_loaded(loads, topic);
      if (!to) break;
      (*to->assignment)[topic].insert(partition);
      ++to->size;
    }
  }
  while (move_one(loads)) {
  }
  return assignments;
}

// Members in the order of their instance ids, or ids, take one run of each topic after the other.
Assignments assign_range(AssignorMembers members, const PartitionCounts& counts) {
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
    if (a.instance_id && b.instance_id) return *a.instance_id < *b.instance_id;
    if (a.instance_id || b.instance_id) return a.instance_id.has_value();
    return a.id < b.id;
  });
  Assignments assignments;
  for (const AssignorMember& member : members) assignments[member.id];
  for (const auto& [topic, count] : counts) {
    std::vector<const AssignorMember*> readers;
    for (const AssignorMember& member : members) {
      if (member.topics.contains(topic)) readers.push_back(&member);
    }
    if (readers.empty()) continue;
    const auto readers_count = static_cast<std::int32_t>(readers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < readers_count; ++i) {
      const std::int32_t end = next + count / readers_count + (i < count % readers_count ? 1 : 0);
      for (; next < end; ++next) {
        assignments[readers[static_cast<std::size_t>(i)]->id][topic].insert(next);
      }
    }
  }
  return assignments;
}

}  // namespace tern::broker
