// ClassicGroup: a group whose members agree by JoinGroup and SyncGroup, as its coordinator sees it.
//
// The rules are those of Kafka's own coordinator: a member that comes without an id is given one
// and has to come again (KIP-394), a member with an instance id keeps its place when it restarts
// and fences its double (KIP-345), a leader that restarts does not assign again (KIP-814), the
// protocol is voted on, members that do not rejoin or sync in time are thrown out.
//
// What a member is answered later is parked: the request keeps one reference, the group another.
// The group survives its coordinator as it was when an assignment was last stored; whoever waits
// then is told not_coordinator. Time comes from outside; nothing happens between on_time() calls.
#ifndef TERN_TESTS_BROKER_CLASSIC_GROUP_H_
#define TERN_TESTS_BROKER_CLASSIC_GROUP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/time.h"
#include "protocol/kafka/errors.h"
#include "tests/broker/group_config.h"

namespace tern::broker {

// Name and metadata, in the order of preference.
using GroupProtocols = std::vector<std::pair<std::string, std::string>>;
using OptionalText = std::optional<std::string>;

struct JoinCall {
  std::string member_id;  // empty: not known yet
  OptionalText instance_id;
  std::string new_member_id;  // in case one is needed
  std::string client_id;
  std::string client_host;
  Duration session_timeout{};
  Duration rebalance_timeout{};
  std::string protocol_type;
  GroupProtocols protocols;
  bool needs_known_id = false;       // JoinGroup v4
  bool can_skip_assignment = false;  // JoinGroup v9
};

struct JoinAnswer {
  struct Member {
    std::string id;
    OptionalText instance_id;
    std::string metadata;
  };
  kafka::BrokerErrc error = kafka::BrokerErrc::none;
  std::int32_t generation = -1;
  OptionalText protocol_type;
  OptionalText protocol_name;
  std::string leader;
  std::string member_id;
  bool skip_assignment = false;
  std::vector<Member> members;  // for the leader
};

struct SyncCall {
  std::string member_id;
  OptionalText instance_id;
  std::int32_t generation = -1;
  OptionalText protocol_type;
  OptionalText protocol_name;
  std::map<std::string, std::string> assignments;  // by member id
};

struct SyncAnswer {
  kafka::BrokerErrc error = kafka::BrokerErrc::none;
  OptionalText protocol_type;
  OptionalText protocol_name;
  std::string assignment;
};

// An answer that may come later.
template <class A>
struct Parked {
  bool done = false;
  A answer;
};

class ClassicGroup {
 public:
  enum class State { empty, preparing_rebalance, completing_rebalance, stable };
  using ParkedJoin = std::shared_ptr<Parked<JoinAnswer>>;
  using ParkedSync = std::shared_ptr<Parked<SyncAnswer>>;

  struct Member {
    OptionalText instance_id;
    std::string client_id;
    std::string client_host;
    Duration session_timeout{};
    Duration rebalance_timeout{};
    GroupProtocols protocols;
    std::string assignment;
    bool is_new = true;
    Time session_end = kNever;
    ParkedJoin join;
    ParkedSync sync;
  };
  using Members = std::map<std::string, Member, std::less<>>;

  explicit ClassicGroup(const GroupConfig& config) : config_(&config) {}

  ParkedJoin join(const JoinCall& call, Time now);
  ParkedSync sync(const SyncCall& call, Time now);
  kafka::BrokerErrc heartbeat(std::string_view member_id, const OptionalText& instance_id,
                              std::int32_t generation, Time now);
  // One of the members that leave together; left() once after all of them.
  kafka::BrokerErrc leave(const std::string& member_id, const OptionalText& instance_id);
  void left(Time now);
  // Whether this member may commit now, which also counts as a sign of life.
  kafka::BrokerErrc may_commit(std::string_view member_id, const OptionalText& instance_id,
                               std::int32_t generation, Time now);

  // The coordinator is gone, with what was not stored.
  void unload();
  // Another one has taken over; members have a whole session timeout from now on.
  void load(Time now);

  // All who wait for an answer get this one. rebalance_in_progress: the group goes on as one of the
  // consumer protocol, and they have to join again, there.
  void refuse_waiting(kafka::BrokerErrc error);
  // It was one of that protocol, and only these members, who do not speak it, are left. They keep
  // what they have, until the rebalance if there is to be one.
  void take_over(std::int32_t generation, Members members, bool rebalance, Time now);

  void on_time(Time now);
  Time next_deadline() const;
  // True once after requests have been answered that waited.
  bool take_answered() { return std::exchange(answered_, false); }

  State state() const { return state_; }
  std::string_view state_name() const;
  std::int32_t generation() const { return generation_; }
  const OptionalText& protocol_type() const { return protocol_type_; }
  const OptionalText& protocol_name() const { return protocol_name_; }
  const std::string& leader() const { return leader_; }
  const Members& members() const { return members_; }
  bool is_empty() const { return state_ == State::empty; }
  Time empty_since() const { return empty_since_; }  // if it is
  bool is_of_consumers() const { return protocol_type_ == "consumer"; }
  bool is_subscribed_to(std::string_view topic) const;

 private:
  struct Stored {
    std::int32_t generation = 0;
    OptionalText protocol_type;
    OptionalText protocol_name;
    std::string leader;
    Members members;
  };

  void join_new(const JoinCall& call, const ParkedJoin& parked, Time now);
  void join_known(const JoinCall& call, const ParkedJoin& parked, Time now);
  void add_member(const JoinCall& call, const std::string& id, const ParkedJoin& parked, Time now);
  void update_member(Member& member, const JoinCall& call, const ParkedJoin& parked);
  void replace_static(const JoinCall& call, std::string old_id, const ParkedJoin& parked, Time now);
  void take_assignments(const SyncCall& call, Time now);
  void remove(const std::string& id);

  void rebalance_or_complete(Time now);
  void prepare_rebalance(Time now);
  void try_complete(Time now);
  void complete_join(Time now);
  void expire_initial_delay(Time now);
  void expire_sync(Time now);
  void expire_members(Time now);

  kafka::BrokerErrc validate(std::string_view member_id, const OptionalText& instance_id) const;
  bool accepts(const std::string& member_id) const;
  bool supports(const JoinCall& call) const;
  bool everyone_supports(std::string_view protocol) const;
  bool all_joined() const;
  bool elect_leader();
  std::string select_protocol() const;
  std::optional<std::set<std::string, std::less<>>> read_subscriptions() const;
  const std::string* static_member(std::string_view instance_id) const;
  Duration rebalance_timeout() const;
  std::vector<JoinAnswer::Member> member_list() const;
  JoinAnswer current_generation(const std::string& member_id) const;

  void become(State state);
  void store();
  void answer(Member& member, JoinAnswer answer);
  void answer(Member& member, SyncAnswer answer);

  const GroupConfig* config_;
  State state_ = State::empty;
  State previous_ = State::empty;
  std::int32_t generation_ = 0;
  OptionalText protocol_type_;
  OptionalText protocol_name_;
  std::string leader_;
  Members members_;
  std::map<std::string, Time> pending_;  // ids given out and not yet used, until when
  std::set<std::string> unsynced_;       // members that have joined this generation and not synced
  std::optional<std::set<std::string, std::less<>>> topics_;  // not known: all or none, see .cc
  Time empty_since_{};
  Time join_end_ = kNever;
  Time sync_end_ = kNever;
  // The first rebalance can be put off again while members come.
  bool initial_delay_ = false;
  bool more_came_ = false;
  Duration delay_{};
  Duration delay_left_{};
  Stored stored_;
  bool answered_ = false;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_CLASSIC_GROUP_H_
