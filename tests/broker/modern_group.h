// ModernGroup: a group of the consumer protocol (KIP-848), as its coordinator sees it.
//
// Members send one kind of request. The coordinator decides who shall have which partitions (the
// target), and leads every member there by itself, through epochs: first it takes away what the
// member shall not have any more and waits until the member says that it has let go, then it gives
// what is new, as far as others have let go of it. So no partition has two owners at any time.
//
// Members of the classic protocol can be among them, while a group moves from one protocol to the
// other: they are led the same way, by JoinGroup and SyncGroup, and their generation is their
// epoch.
//
// All of this is stored at once, so the group survives its coordinator. Time comes from outside.
#ifndef TERN_TESTS_BROKER_MODERN_GROUP_H_
#define TERN_TESTS_BROKER_MODERN_GROUP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "client/core/time.h"
#include "protocol/kafka/errors.h"
#include "tests/broker/classic_group.h"
#include "tests/broker/group_config.h"
#include "tests/broker/modern_assignors.h"

namespace tern::broker {

class KafkaCluster;

// Epochs with a meaning of their own.
inline constexpr std::int32_t kJoiningEpoch = 0;
inline constexpr std::int32_t kLeavingEpoch = -1;
inline constexpr std::int32_t kAwayEpoch = -2;  // a static member that means to come back

struct ModernCall {
  std::string member_id;
  std::int32_t epoch = 0;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  // What is not said is as it was.
  std::optional<Duration> rebalance_timeout;
  std::optional<std::set<std::string>> topic_names;
  std::optional<std::string> topic_regex;
  std::optional<std::string> assignor;
  std::optional<Assignment> owned;
};

struct ModernAnswer {
  kafka::BrokerErrc error = kafka::BrokerErrc::none;
  std::string message;
  std::int32_t epoch = 0;
  std::optional<Assignment> assignment;
};

class ModernGroup {
 public:
  enum class Step { stable, revoking, waiting };

  // What there is of a member that speaks the classic protocol.
  struct Classic {
    GroupProtocols protocols;
    Duration session_timeout{};
    Time join_end = kNever;  // it was told to join again
    Time sync_end = kNever;  // it has joined
  };

  struct Member {
    std::optional<Classic> classic;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::string client_id;
    std::string client_host;
    Duration rebalance_timeout{};
    std::set<std::string> topic_names;
    std::optional<std::string> topic_regex;
    std::optional<std::string> assignor;
    std::int32_t epoch = 0;
    std::int32_t previous_epoch = 0;
    Step step = Step::stable;
    Assignment assigned;
    Assignment revoking;  // not yet let go
    // In which epoch it was given each of all these.
    std::map<std::pair<wire::Uuid, std::int32_t>, std::int32_t> since;
    Time session_end = kNever;
    Time revoke_end = kNever;
  };
  using Members = std::map<std::string, Member, std::less<>>;

  ModernGroup(const GroupConfig& config, KafkaCluster& cluster)
      : config_(config), cluster_(cluster) {}

  // Member ids are never empty here. Whoever leaves uses the same call.
  ModernAnswer heartbeat(const ModernCall& call, Time now);
  // Whether the member may commit at all, and for this partition, which needs the first. It may in
  // an older epoch, too, if it has had the partition since then (KIP-1251).
  kafka::BrokerErrc may_commit(std::string_view member_id, std::int32_t epoch) const;
  kafka::BrokerErrc may_commit(std::string_view member_id, std::int32_t epoch,
                               const wire::Uuid& topic, std::int32_t partition) const;
  kafka::BrokerErrc may_fetch(std::optional<std::string_view> member_id, std::int32_t epoch) const;

  // --- members of the classic protocol among them (mixed_group.cc)
  // The group was classic; its members stay, with what they have. False if what they say of
  // themselves cannot be read.
  bool take_over(const ClassicGroup& group, Time now);
  // There is nobody else left: these go on in a classic group.
  bool only_classic() const;
  ClassicGroup::Members classic_members() const;
  bool is_classic(std::string_view member_id) const;
  JoinAnswer join(const JoinCall& call, Time now);
  SyncAnswer sync(const SyncCall& call, Time now);
  kafka::BrokerErrc classic_heartbeat(std::string_view member_id, const OptionalText& instance_id,
                                      std::int32_t generation, Time now);
  // An administrator can send away any member like this.
  kafka::BrokerErrc classic_leave(const std::string& member_id, const OptionalText& instance_id);

  // Another coordinator has taken over; members have a whole session timeout from now on.
  void load(Time now);
  void on_time(Time now);
  Time next_deadline() const;

  std::string_view state_name() const;
  bool is_empty() const { return members_.empty(); }
  bool is_subscribed_to(std::string_view topic) const;
  std::int32_t epoch() const { return epoch_; }
  std::int32_t assignment_epoch() const { return assignment_epoch_; }
  // The one that most members want.
  std::string_view assignor() const;
  const Members& members() const { return members_; }
  const Assignment& target(std::string_view member_id) const;

 private:
  ModernAnswer leave(const ModernCall& call);
  ModernAnswer find_member(const ModernCall& call, std::string& old_id) const;
  ModernAnswer check_epoch(const Member& member, const ModernCall& call) const;
  void update(Member& member, const ModernCall& call);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& id);
  std::set<wire::Uuid> topics_of(const Member& member) const;
  void refresh_target();
  void reconcile(const std::string& id, const ModernCall& call, Time now);
  void move_on(const std::string& id, Member& member, const ModernCall& call);
  bool is_free(const wire::Uuid& topic, std::int32_t partition) const;
  const std::string* static_member(std::string_view instance_id) const;
  kafka::BrokerErrc find_classic(std::string_view member_id, const OptionalText& instance_id,
                                 std::int32_t generation, Member*& out);
  bool supports(const JoinCall& call) const;
  bool waits_for_others(const std::string& id) const;
  std::string assignment_of(const Member& member, const Assignment& assignment) const;
  Time deadline_of(const Member& member) const;

  const GroupConfig& config_;
  KafkaCluster& cluster_;
  std::int32_t epoch_ = 0;
  std::int32_t assignment_epoch_ = 0;
  PartitionCounts counts_;  // of all topics that are read, as of this epoch
  Assignments target_;
  Members members_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_MODERN_GROUP_H_
