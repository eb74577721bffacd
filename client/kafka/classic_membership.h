// ClassicMembership: a member of a classic group. The coordinator collects what the members say
// (JoinGroup), one of them decides who gets what, all are told (SyncGroup), and a heartbeat now and
// then tells whether it is time for another round.
//
// Eager members give up all they have before a round, cooperative ones (KIP-429) what they have to,
// after it, which then takes another round. A member is cooperative if all its assignors are.
//
// JoinGroup and SyncGroup wait at the broker until all members are there, and would keep whatever
// comes behind them on their connection waiting: they have one of their own.
#ifndef TERN_CLIENT_KAFKA_CLASSIC_MEMBERSHIP_H_
#define TERN_CLIENT_KAFKA_CLASSIC_MEMBERSHIP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/core/backoff.h"
#include "client/kafka/assignors.h"
#include "client/kafka/coordinators.h"
#include "client/kafka/membership.h"
#include "protocol/kafka/messages/group_membership.h"

namespace tern::kafka {

class Connection;
class Engine;

class ClassicMembership final : public Membership {
 public:
  ClassicMembership(Engine& engine, std::shared_ptr<const ConsumerConfig> config, Owner& owner);
  ~ClassicMembership() override;

  void join(Now now) override;
  void rejoin(std::string reason) override;
  void leave(std::string reason, Now now) override;
  bool is_out() const override { return state_ == State::out || state_ == State::fenced; }
  const MemberIdentity& identity() const override { return identity_; }
  bool has_assignment() const override {
    return state_ == State::stable || state_ == State::adopting;
  }
  bool can_commit() const override;
  void on_refused(BrokerErrc error, const MemberIdentity& used, Now now) override;
  void on_cluster_changed() override;
  void step(Now now) override;
  Time next_time(Now now) const override;

 private:
  enum class State {
    out,        // not a member, and not trying
    preparing,  // gives up what it has to before it joins
    finding,    // needs a coordinator, or pauses after a failure
    joining,    // JoinGroup is under way
    assigning,  // leads; waits for metadata of all topics
    syncing,    // SyncGroup is under way
    adopting,   // gives up what went to others
    stable,
    leaving,  // needs a coordinator to tell, or has told it
    fenced,   // another member has taken over our instance id
  };

  bool advance(Now now);
  void begin_round(Now now);
  void end_round();
  void send_join(Now now);
  void on_joined(const Failure& why, const JoinGroupResponse* reply, Now now);
  void on_join_error(BrokerErrc error, Now now);
  void accept(const JoinGroupResponse& reply, Now now);
  void take_members(const JoinGroupResponse& reply);
  void lead(Now now);
  bool metadata_is_there() const;
  std::vector<GroupTopic> snapshot() const;
  void send_sync();
  void on_synced(const Failure& why, const SyncGroupResponse* reply, Now now);
  void adopt(const SyncGroupResponse& reply, Now now);
  void heartbeat(Now now);
  void on_heartbeat(const MemberIdentity& of, const Failure& why, const HeartbeatResponse* reply,
                    Now now);
  void send_leave(Now now);
  void on_left(const Failure& why, const LeaveGroupResponse* reply, Now now);
  void go_out();

  bool may_beat() const;
  const Assignor* find_assignor(std::string_view name) const;
  // For requests that wait for other members.
  Duration round_timeout() const;
  // Another try after a pause, from the beginning.
  void retry(const Failure& why, Now now);
  // The coordinator does not know us as what we took ourselves for.
  void reset(BrokerErrc error, Now now);
  void fail(const Failure& why, bool for_good, Now now);
  Failure refusal(const char* api, BrokerErrc error) const;
  Failure fenced() const;
  // Sends a request whose answer is for `take`, unless the round is over by then.
  template <class Request, class Make>
  void ask(Connection& connection, Duration timeout, Make make,
           void (ClassicMembership::*take)(const Failure&, const typename Request::Response*, Now));
  void return_connection();

  Engine& engine_;
  const std::shared_ptr<const ConsumerConfig> shared_config_;
  const ConsumerConfig& config_;
  Owner& owner_;
  GroupCoordinator coordinator_;
  std::vector<std::shared_ptr<const Assignor>> assignors_;
  const bool cooperative_;

  State state_ = State::out;
  MemberIdentity identity_;
  // Answers to what was asked in an earlier round are not looked at.
  std::uint64_t round_ = 0;
  std::shared_ptr<ClassicMembership*> self_;  // how answers find out that we are gone
  Connection* lent_ = nullptr;                // for joining and syncing
  bool in_flight_ = false;                    // JoinGroup or SyncGroup, on that
  std::int32_t node_ = -1;                    // the coordinator that the request under way went to
  Backoff backoff_;
  Time retry_at_{};
  bool wanted_ = false;
  bool rejoin_ = false;
  std::string reason_;
  bool leave_sent_ = false;
  Time leave_at_{};

  std::vector<std::string> joined_topics_;
  std::string protocol_;
  HeldPartitions held_;  // as of the last assignment

  bool leader_ = false;
  bool skip_assignment_ = false;
  std::vector<GroupMember> members_;
  bool racks_matter_ = false;
  std::vector<std::string> group_topics_;  // what any member has asked for
  std::vector<GroupTopic> assigned_from_;  // what the last assignment was made of
  Time metadata_by_ = kNever;
  bool look_at_metadata_ = false;

  bool beating_ = false;
  Time beat_at_ = kNever;
  Backoff beat_backoff_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CLASSIC_MEMBERSHIP_H_
