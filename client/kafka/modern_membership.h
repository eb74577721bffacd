// ModernMembership: a member of a group of the consumer protocol (KIP-848, Kafka 4.0). The broker
// decides who gets what. All there is is a heartbeat: it joins, says what the member has, brings
// what it is to have, and leaves.
//
// A heartbeat says only what has changed since the last one that was answered; after anything that
// may have kept one from being heard it says everything.
#ifndef TERN_CLIENT_KAFKA_MODERN_MEMBERSHIP_H_
#define TERN_CLIENT_KAFKA_MODERN_MEMBERSHIP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/core/backoff.h"
#include "client/kafka/coordinators.h"
#include "client/kafka/membership.h"
#include "protocol/kafka/messages/consumer_group_heartbeat.h"

namespace tern::kafka {

class Connection;
class Engine;

class ModernMembership final : public Membership {
 public:
  ModernMembership(Engine& engine, std::shared_ptr<const ConsumerConfig> config, Owner& owner);
  ~ModernMembership() override;

  void join(Now now) override;
  void rejoin(std::string reason) override;
  void leave(std::string reason, Now now) override;
  bool is_out() const override { return state_ == State::out || state_ == State::fenced; }
  const MemberIdentity& identity() const override { return identity_; }
  bool has_assignment() const override {
    return state_ == State::member || state_ == State::reconciling;
  }
  bool can_commit() const override { return identity_.generation > 0; }
  void on_refused(BrokerErrc error, const MemberIdentity& used, Now now) override;
  void on_cluster_changed() override;
  void step(Now now) override;
  Time next_time(Now now) const override;

 private:
  enum class State {
    out,      // not a member, and not trying
    joining,  // its first heartbeat has not been answered
    member,
    reconciling,  // gives up what is no longer its own
    leaving,      // its last heartbeat has not been answered
    fenced,       // never again
  };
  using ById = std::map<wire::Uuid, std::vector<std::int32_t>>;
  // What a heartbeat says; it has to live until it is encoded.
  struct Said {
    MemberIdentity identity;
    bool everything = false;
    std::vector<std::string> topics;
    bool with_topics = false;
    std::optional<std::string> pattern;
    ById owned;
    bool with_owned = false;
  };

  bool is_due(Now now) const;
  void beat(Now now);
  void send(Connection& connection, const std::shared_ptr<const Said>& said);
  ById owned_by_id() const;
  void on_answer(const Said& said, std::int32_t node, const Failure& why,
                 const ConsumerGroupHeartbeatResponse* reply, Now now);
  void on_error(BrokerErrc error, const Failure& failure, Now now);
  void take(const ConsumerGroupHeartbeatResponse& reply);
  void reconcile(Now now);
  void say_everything();
  void reset(const Failure& why, Now now);
  void fail(const Failure& why, bool for_good, Now now);
  void go_out();
  std::string new_member_id();

  Engine& engine_;
  const std::shared_ptr<const ConsumerConfig> shared_config_;
  const ConsumerConfig& config_;
  Owner& owner_;
  GroupCoordinator coordinator_;
  std::shared_ptr<ModernMembership*> self_;  // how answers find out that we are gone

  State state_ = State::out;
  MemberIdentity identity_;
  std::uint64_t round_ = 0;  // answers from earlier rounds are not looked at
  bool wanted_ = false;
  bool beating_ = false;
  Time beat_at_{};
  bool beat_now_ = false;  // there is something to say
  bool everything_ = true;
  Backoff backoff_;
  std::vector<std::string> said_topics_;
  std::string said_pattern_;
  bool pattern_sent_ = false;  // the broker may have one of this member
  ById said_owned_;

  ById held_;                   // what is ours until it has been given up altogether
  std::optional<ById> target_;  // to be adopted when nothing is being given up
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_MODERN_MEMBERSHIP_H_
