// What the assignors work on: a group in numbers. Members are numbered in the order of their ids,
// topics (those with partitions that somebody has asked for) in the order of their names,
// partitions topic by topic; racks as they come.
//
// Refers to the members and topics that it was made of. Immutable.
#ifndef TERN_CLIENT_KAFKA_ASSIGNOR_INPUT_H_
#define TERN_CLIENT_KAFKA_ASSIGNOR_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/kafka/assignors.h"

namespace tern::kafka {

// The order of Java's strings: by UTF-16 code units. Bytes that are not UTF-8 count as U+FFFD.
std::u16string java_string(std::string_view text);
// String.hashCode()
std::uint32_t java_hash(std::string_view text);

// Where Java's HashMap looks for a key, given a hash and the size of its table. With equal places,
// the one that was put in first comes first. (Nothing here knows of the trees that long chains
// become: it takes nine ids that collide.)
inline std::uint32_t java_bucket(std::uint32_t hash, std::uint32_t table) {
  return (hash ^ (hash >> 16)) & (table - 1);
}
// The table of a map that has grown to `keys`.
std::uint32_t java_table(std::size_t keys);

class AssignorInput {
 public:
  struct Topic {
    std::string_view name;
    int first = 0;  // its partition 0
    int count = 0;
    std::vector<int> subscribers;
    int end() const { return first + count; }
  };

  AssignorInput(std::span<const GroupMember> members, std::span<const GroupTopic> topics);

  int members() const { return static_cast<int>(members_.size()); }
  const GroupMember& member(int m) const { return all_[members_[index(m)]]; }
  const std::vector<int>& topics_of(int m) const { return topics_of_[index(m)]; }
  // In which Java's map of members is walked, if it was filled in the order of ids.
  const std::vector<int>& java_order() const { return java_order_; }
  // Whether all have asked for the same, with regard to topics that do not exist, too.
  bool same_topics() const { return same_topics_; }

  const std::vector<Topic>& topics() const { return topics_; }
  const Topic& topic(int t) const { return topics_[index(t)]; }
  bool subscribed(int m, int t) const { return subscribed_[index(m) * topics_.size() + index(t)]; }

  int partitions() const { return static_cast<int>(topic_of_.size()); }
  int topic_of(int p) const { return topic_of_[index(p)]; }
  // -1: there is no such partition, or nobody has asked for it.
  int find(const TopicPartition& partition) const;

  // -1: none.
  int rack_of(int m) const { return rack_of_[index(m)]; }
  bool in_rack(int p, int rack) const;
  std::size_t replica_racks(int p) const { return racks_of_[index(p)].size(); }
  // Whether it makes a difference to these members which of the partitions from `first` up to `end`
  // they read: one of them is in a rack of some partition, and not all partitions are in all racks.
  bool racks_matter(std::span<const int> members, int first, int end) const;

  // owner[p] is a member, or -1.
  GroupAssignment named(const std::vector<int>& owner) const;

  static std::size_t index(int n) { return static_cast<std::size_t>(n); }

 private:
  void number_members();
  void number_topics(std::span<const GroupTopic> topics);
  void number_racks(std::span<const GroupTopic> topics);

  std::span<const GroupMember> all_;
  std::vector<std::size_t> members_;  // in all_
  std::vector<int> java_order_;
  std::vector<std::vector<int>> topics_of_;
  bool same_topics_ = true;
  std::vector<Topic> topics_;
  std::vector<bool> subscribed_;
  std::vector<int> topic_of_;
  std::vector<int> rack_of_;
  std::vector<std::vector<int>> racks_of_;
  int racks_ = 0;
};

// What the two sticky assignors do, in sticky_assignor.cc; the others are in assignors.cc.
GroupAssignment assign_sticky(std::span<const GroupMember> members,
                              std::span<const GroupTopic> topics);
GroupAssignment assign_cooperative_sticky(std::span<const GroupMember> members,
                                          std::span<const GroupTopic> topics);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ASSIGNOR_INPUT_H_
