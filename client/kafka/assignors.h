// Assignors: who of a consumer group (classic protocol) reads which partition. The leader runs one
// over what all members have said; every member sends beforehand what the assignor wants to know.
//
// The four that are built in give what the Java client's give for the same group, so that leaders
// of either kind may take turns without moving partitions (tests/golden/assignors). Only where the
// Java client fails, or hands a partition to two or to a member that has not asked for it, is the
// result one of our own. Nothing here depends on the order of members or topics.
//
// Pure functions: no state, any thread, no errors. What others wrote into their subscriptions is
// not trusted: what cannot be read, names what does not exist or is claimed twice costs stickiness,
// never correctness. Every partition of a topic that somebody has asked for goes to exactly one
// member (cooperative: to at most one) that has asked for it.
#ifndef TERN_CLIENT_KAFKA_ASSIGNORS_H_
#define TERN_CLIENT_KAFKA_ASSIGNORS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/kafka/config.h"

namespace tern::kafka {

// What a member has said when it joined.
struct GroupMember {
  std::string id;           // no two are equal
  std::string instance_id;  // of a static member, else empty
  std::string rack;         // empty: not told
  std::vector<std::string> topics;
  std::vector<TopicPartition> owned;
  std::int32_t generation = -1;      // that `owned` is of; -1: not told (old subscriptions)
  std::vector<std::byte> user_data;  // empty: none
};

// A topic that exists. Those that nobody has asked for do no harm.
struct GroupTopic {
  std::string name;
  std::int32_t partitions = 0;
  // The racks of each partition's replicas, as far as the brokers tell theirs. May be shorter than
  // `partitions`: nothing is known of the rest.
  std::vector<std::vector<std::string>> racks;
  friend bool operator==(const GroupTopic&, const GroupTopic&) = default;
};

// In the order of the members, each sorted by topic and partition.
using GroupAssignment = std::vector<std::vector<TopicPartition>>;

// What a member got last, and in which generation; -1: nothing yet.
struct HeldPartitions {
  std::vector<TopicPartition> partitions;
  std::int32_t generation = -1;
};

// To bring an assignor of your own, derive from this. Called on the client's executor.
class Assignor {
 public:
  virtual ~Assignor() = default;
  // Under which the group agrees on it: all members have to bring an assignor of one name.
  virtual std::string_view name() const = 0;
  // Whether members may keep their partitions while the group rebalances (KIP-429); they do if all
  // assignors that they bring allow it. The leader then passes what assign() returns to
  // revoke_first().
  virtual bool cooperative() const { return false; }
  // Goes to the leader with the member's subscription.
  virtual std::vector<std::byte> user_data(const HeldPartitions& held) const {
    static_cast<void>(held);
    return {};
  }
  // One list per member. Has to be deterministic only if leaders are to agree.
  virtual GroupAssignment assign(std::span<const GroupMember> members,
                                 std::span<const GroupTopic> topics) const = 0;
};

// "range", "roundrobin", "sticky", "cooperative-sticky"; else null. All but "roundrobin" look at
// racks (KIP-881), evenness first. "cooperative-sticky" takes a partition from a member that is far
// from it even if the next one is no nearer: with racks a group may take some rebalances to come to
// rest, and rare ones with mixed subscriptions never do. It is the same under Java.
std::shared_ptr<const Assignor> built_in_assignor(std::string_view name);

// Takes from an assignment what its new owner may not have yet, because another member still holds
// it: that one gives it up first, and the rebalance which follows hands it over.
void revoke_first(std::span<const GroupMember> members, GroupAssignment& assignment);

// What a coordinator chooses: of the protocols that every member brings, the one that most members
// put first. `preferences` are the members' lists, best first. Empty: they have none in common.
std::string choose_protocol(std::span<const std::vector<std::string>> preferences);

// The user data of the sticky assignor, version 1, and the reading of that and of version 0 (which
// has no generation). Nothing: it is neither.
std::vector<std::byte> encode_sticky_user_data(const HeldPartitions& held);
std::optional<HeldPartitions> decode_sticky_user_data(std::span<const std::byte> data);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ASSIGNORS_H_
