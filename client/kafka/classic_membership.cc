#include "client/kafka/classic_membership.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/kafka/engine.h"
#include "client/kafka/group_codec.h"

namespace tern::kafka {
namespace {

constexpr const char* kProtocolType = "consumer";
// A JoinGroup is answered when the slowest member has come, and the coordinator takes a moment.
constexpr Duration kJoinSlack = std::chrono::seconds(5);
// How long a leader waits to be told of topics that it has not heard of.
constexpr Duration kMetadataPatience = std::chrono::seconds(5);

std::vector<std::shared_ptr<const Assignor>> assignors_of(const ConsumerConfig& config) {
  std::vector<std::shared_ptr<const Assignor>> all = config.own_assignors;
  for (const std::string& name : config.assignors) {
    if (auto assignor = built_in_assignor(name)) all.push_back(std::move(assignor));
  }
  return all;
}

bool all_cooperative(const std::vector<std::shared_ptr<const Assignor>>& assignors) {
  return std::all_of(assignors.begin(), assignors.end(),
                     [](const auto& each) { return each->cooperative(); });
}

wire::Text instance_of(const ConsumerConfig& config) {
  return config.instance_id.empty() ? wire::Text::null() : wire::Text(config.instance_id);
}

}  // namespace

ClassicMembership::ClassicMembership(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
                                     Owner& owner)
    : engine_(engine),
      shared_config_(std::move(config)),
      config_(*shared_config_),
      owner_(owner),
      coordinator_(engine, config_.group),
      assignors_(assignors_of(config_)),
      cooperative_(all_cooperative(assignors_)),
      self_(std::make_shared<ClassicMembership*>(this)),
      backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max),
      beat_backoff_(backoff_) {}

ClassicMembership::~ClassicMembership() = default;

// ------------------------------------------------------------------------------------ the states

void ClassicMembership::join(Now) {
  wanted_ = true;
  engine_.wake();
}

void ClassicMembership::rejoin(std::string reason) {
  rejoin_ = true;
  reason_ = std::move(reason);
  engine_.wake();
}

bool ClassicMembership::can_commit() const {
  return identity_.generation >= 0 && state_ != State::assigning && state_ != State::syncing;
}

bool ClassicMembership::may_beat() const {
  return identity_.generation >= 0 && state_ != State::joining && state_ != State::leaving &&
         !is_out();
}

void ClassicMembership::step(Now now) {
  while (advance(now)) {
  }
  heartbeat(now);
}

// True if there is more to do at once.
bool ClassicMembership::advance(Now now) {
  switch (state_) {
    case State::out:
      if (!wanted_) return false;
      coordinator_.forget_trouble();
      begin_round(now);
      return true;
    case State::preparing:
      if (!owner_.settled()) return false;
      state_ = State::finding;
      return true;
    case State::finding:
      if (now.mono < retry_at_ || !owner_.settled()) return false;
      send_join(now);
      return false;
    case State::assigning:
      if (!metadata_is_there() && now.mono < metadata_by_) return false;
      send_sync();
      return false;
    case State::adopting:
      if (!owner_.settled()) return false;
      state_ = State::stable;
      return true;
    case State::stable:
      if (std::exchange(look_at_metadata_, false) && leader_ && snapshot() != assigned_from_) {
        rejoin("the topics have changed");
      }
      if (!rejoin_) return false;
      begin_round(now);
      return true;
    case State::leaving:
      if (!leave_sent_ && now.mono >= leave_at_) send_leave(now);
      return false;
    case State::joining:
    case State::syncing:
    case State::fenced:
      return false;
  }
  return false;
}

void ClassicMembership::begin_round(Now now) {
  rejoin_ = false;
  state_ = State::preparing;
  const Partitions owned = owner_.owned();
  if (!cooperative_) {
    if (!owned.empty()) owner_.give_up(owned, now);
    return;
  }
  const std::vector<std::string>& wanted = owner_.wanted_topics();
  Partitions unwanted;
  for (const TopicPartition& each : owned) {
    if (!std::binary_search(wanted.begin(), wanted.end(), each.topic)) unwanted.push_back(each);
  }
  if (!unwanted.empty()) owner_.give_up(unwanted, now);
}

// Whatever is under way will be answered to nobody.
void ClassicMembership::end_round() {
  ++round_;
  return_connection();
}

void ClassicMembership::return_connection() {
  if (!lent_) return;
  // The broker may take its time with the answer, and would look at nothing else before.
  if (std::exchange(in_flight_, false)) {
    lent_->close(Failure(make_error_code(ClientErrc::closed), "the member left the round"),
                 engine_.now());
  }
  engine_.cluster().give_back(*std::exchange(lent_, nullptr));
}

Time ClassicMembership::next_time(Now now) const {
  Time next = kNever;
  if (state_ == State::finding && retry_at_ > now.mono) next = retry_at_;
  if (state_ == State::assigning) next = std::min(next, metadata_by_);
  if (state_ == State::leaving && !leave_sent_) next = std::min(next, leave_at_);
  if (may_beat() && !beating_) next = std::min(next, beat_at_);
  return next;
}

const Assignor* ClassicMembership::find_assignor(std::string_view name) const {
  for (const auto& assignor : assignors_) {
    if (assignor->name() == name) return assignor.get();
  }
  return nullptr;
}

// ------------------------------------------------------------------------------ what goes wrong

Failure ClassicMembership::refusal(const char* api, BrokerErrc error) const {
  return Failure(make_error_code(error), "group \"" + config_.group + "\": " + api + ": " +
                                             make_error_code(error).message());
}

Failure ClassicMembership::fenced() const {
  return Failure(make_error_code(ClientErrc::fenced),
                 "group \"" + config_.group + "\": another member has taken over the " +
                     "instance id \"" + config_.instance_id + "\"");
}

void ClassicMembership::retry(const Failure& why, Now now) {
  engine_.tell_trouble("group", why);
  end_round();
  state_ = State::finding;
  retry_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  engine_.wake();
}

void ClassicMembership::reset(BrokerErrc error, Now now) {
  end_round();
  if (error == BrokerErrc::unknown_member_id) identity_.member_id.clear();
  identity_.generation = -1;
  beat_at_ = kNever;
  const Failure why = refusal("the member was put out", error);
  if (!owner_.owned().empty() || !owner_.settled()) owner_.lose_all(why, now);
  retry(why, now);
}

void ClassicMembership::fail(const Failure& why, bool for_good, Now now) {
  end_round();
  identity_ = {};
  beat_at_ = kNever;
  wanted_ = false;
  state_ = for_good ? State::fenced : State::out;
  retry_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  if (!owner_.owned().empty() || !owner_.settled()) owner_.lose_all(why, now);
  owner_.on_membership_failed(why, for_good);
  engine_.wake();
}

void ClassicMembership::on_refused(BrokerErrc error, const MemberIdentity& used, Now now) {
  // Of an identity that is no more: it has been dealt with.
  if (used != identity_ || !may_beat()) return;
  switch (error) {
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::illegal_generation:
      return reset(error, now);
    case BrokerErrc::fenced_instance_id:
      return fail(fenced(), true, now);
    case BrokerErrc::rebalance_in_progress:
      // While a round is under way it says nothing new.
      if (state_ == State::stable || state_ == State::adopting) {
        rejoin("the group is rebalancing");
      }
      return;
    default:
      return;
  }
}

// --------------------------------------------------------------------------------------- requests

template <class Request, class Make>
void ClassicMembership::ask(Connection& connection, Duration timeout, Make make,
                            void (ClassicMembership::*take)(const Failure&,
                                                            const typename Request::Response*,
                                                            Now)) {
  auto done = [self = std::weak_ptr(self_), round = round_, take](
                  const Failure& why, const typename Request::Response* reply, std::int16_t,
                  Now now) {
    const auto alive = self.lock();
    if (alive && (*alive)->round_ == round) ((*alive)->*take)(why, reply, now);
  };
  auto* call = new SimpleCall<Request>(std::move(make), std::move(done));
  call->set_response_timeout(timeout);
  connection.send(*call);
}

Duration ClassicMembership::round_timeout() const {
  return std::max(engine_.config().request_timeout, config_.max_poll_interval + kJoinSlack);
}

// ----------------------------------------------------------------------------------------- join

void ClassicMembership::send_join(Now now) {
  const std::int32_t node = coordinator_.find(now);
  if (node < 0) {
    if (const Failure why = coordinator_.hopeless()) fail(why, false, now);
    return;
  }
  Connection* connection = engine_.cluster().lend_connection(node, Role::coordinator);
  if (!connection) return coordinator_.lost(node);
  end_round();
  lent_ = connection;
  node_ = node;
  state_ = State::joining;
  joined_topics_ = owner_.wanted_topics();

  GroupMember me{.id = {},
                 .instance_id = {},
                 .rack = config_.rack,
                 .topics = joined_topics_,
                 .owned = owner_.owned(),
                 .generation = identity_.generation,
                 .user_data = {}};
  auto metadata = std::make_shared<std::vector<std::vector<std::byte>>>();
  for (const auto& assignor : assignors_) {
    me.user_data = assignor->user_data(held_);
    metadata->push_back(encode_subscription(me));
  }
  auto make = [config = shared_config_, assignors = assignors_, metadata,
               member_id = identity_.member_id,
               reason = reason_](std::int16_t, wire::Arena& arena) {
    JoinGroupRequest request;
    request.group_id = wire::Text(config->group);
    request.session_timeout_ms = to_ms(config->session_timeout);
    request.rebalance_timeout_ms = to_ms(config->max_poll_interval);
    request.member_id = wire::Text(member_id);
    request.group_instance_id = instance_of(*config);
    request.protocol_type = wire::Text(kProtocolType);
    if (!reason.empty()) request.reason = wire::Text(reason);
    auto* protocols =
        arena.make_array<JoinGroupRequest::JoinGroupRequestProtocol>(assignors.size());
    if (!protocols) return request;
    for (std::size_t i = 0; i < assignors.size(); ++i) {
      protocols[i].name = wire::Text(assignors[i]->name());
      protocols[i].metadata = wire::Bytes((*metadata)[i]);
    }
    request.protocols = {protocols, assignors.size()};
    return request;
  };
  in_flight_ = true;
  ask<JoinGroupRequest>(*connection, round_timeout(), std::move(make),
                        &ClassicMembership::on_joined);
}

void ClassicMembership::on_joined(const Failure& why, const JoinGroupResponse* reply, Now now) {
  in_flight_ = false;
  if (why.code == ClientErrc::unsupported_version ||
      why.code == wire::make_error_code(wire::Errc::not_in_version)) {
    return fail(why, false, now);
  }
  if (why) {
    coordinator_.lost(node_);
    return retry(why, now);
  }
  const auto error = static_cast<BrokerErrc>(reply->error_code);
  if (error == BrokerErrc::member_id_required) {
    identity_.member_id = reply->member_id.str();
    end_round();
    state_ = State::finding;  // and at once
    return engine_.wake();
  }
  if (error != BrokerErrc::none) return on_join_error(error, now);
  accept(*reply, now);
}

void ClassicMembership::on_join_error(BrokerErrc error, Now now) {
  if (is_coordinator_error(error)) coordinator_.lost(node_);
  switch (error) {
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::illegal_generation:
      return reset(error, now);
    case BrokerErrc::fenced_instance_id:
      return fail(fenced(), true, now);
    case BrokerErrc::rebalance_in_progress:
      return retry(refusal("JoinGroup", error), now);
    default:
      if (is_retriable(error)) return retry(refusal("JoinGroup", error), now);
      return fail(refusal("JoinGroup", error), false, now);
  }
}

void ClassicMembership::accept(const JoinGroupResponse& reply, Now now) {
  protocol_ = reply.protocol_name.is_null() ? std::string() : reply.protocol_name.str();
  if (!find_assignor(protocol_)) {
    return fail(Failure(make_error_code(BrokerErrc::inconsistent_group_protocol),
                        "group \"" + config_.group + "\": the group has agreed on \"" + protocol_ +
                            "\", which is none of this member's assignors"),
                false, now);
  }
  identity_ = {reply.member_id.str(), reply.generation_id};
  reason_.clear();
  backoff_.reset();
  beat_backoff_.reset();
  beat_at_ = deadline_after(now.mono, config_.heartbeat_interval);
  leader_ = reply.leader == reply.member_id;
  skip_assignment_ = reply.skip_assignment;
  members_.clear();
  group_topics_.clear();
  racks_matter_ = false;
  if (!leader_) return send_sync();
  take_members(reply);
  lead(now);
}

// ----------------------------------------------------------------------------------- as the leader

void ClassicMembership::take_members(const JoinGroupResponse& reply) {
  for (const auto& from : reply.members) {
    GroupMember member;
    member.id = from.member_id.str();
    if (!from.group_instance_id.is_null()) member.instance_id = from.group_instance_id.str();
    const Failure failure = decode_subscription(from.metadata.span(), member);
    if (failure) {
      // It gets nothing, and the others what they should.
      engine_.tell_trouble(
          "group", Failure(failure.code, "group \"" + config_.group + "\", member \"" + member.id +
                                             "\": " + failure.message()));
    }
    racks_matter_ |= !member.rack.empty();
    group_topics_.insert(group_topics_.end(), member.topics.begin(), member.topics.end());
    members_.push_back(std::move(member));
  }
  std::sort(group_topics_.begin(), group_topics_.end());
  group_topics_.erase(std::unique(group_topics_.begin(), group_topics_.end()), group_topics_.end());
}

void ClassicMembership::lead(Now now) {
  state_ = State::assigning;
  for (const std::string& topic : group_topics_) engine_.cluster().want(topic, now);
  metadata_by_ = deadline_after(now.mono, std::min(kMetadataPatience, config_.session_timeout / 2));
  engine_.wake();
}

bool ClassicMembership::metadata_is_there() const {
  return std::all_of(group_topics_.begin(), group_topics_.end(), [this](const std::string& name) {
    const Topic* topic = engine_.cluster().find(name);
    return topic && topic->answered;
  });
}

void ClassicMembership::on_cluster_changed() {
  look_at_metadata_ = true;
  engine_.wake();
}

// What there is of the topics that the group reads. One that is missing from an answer now and then
// is not gone for that: it counts with what was known of it.
std::vector<GroupTopic> ClassicMembership::snapshot() const {
  Cluster& cluster = engine_.cluster();
  std::vector<GroupTopic> topics;
  for (const std::string& name : group_topics_) {
    const Topic* known = cluster.find(name);
    if (!known || known->partitions.empty()) continue;
    GroupTopic topic{name, static_cast<std::int32_t>(known->partitions.size()), {}};
    for (const PartitionInfo& partition : known->partitions) {
      if (!racks_matter_) break;
      std::vector<std::string> racks;
      for (const std::int32_t replica : partition.replicas) {
        if (!cluster.rack(replica).empty()) racks.emplace_back(cluster.rack(replica));
      }
      topic.racks.push_back(std::move(racks));
    }
    topics.push_back(std::move(topic));
  }
  return topics;
}

// ----------------------------------------------------------------------------------------- sync

void ClassicMembership::send_sync() {
  using Entry = SyncGroupRequest::SyncGroupRequestAssignment;
  auto plan = std::make_shared<std::vector<std::pair<std::string, std::vector<std::byte>>>>();
  if (leader_) assigned_from_ = snapshot();
  if (leader_ && !skip_assignment_) {
    const Assignor& assignor = *find_assignor(protocol_);
    GroupAssignment assignment = assignor.assign(members_, assigned_from_);
    assignment.resize(members_.size());
    if (assignor.cooperative()) revoke_first(members_, assignment);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      plan->emplace_back(members_[i].id, encode_assignment(assignment[i]));
    }
  }
  members_.clear();
  state_ = State::syncing;
  auto make = [config = shared_config_, plan, identity = identity_, protocol = protocol_](
                  std::int16_t, wire::Arena& arena) {
    SyncGroupRequest request;
    request.group_id = wire::Text(config->group);
    request.generation_id = identity.generation;
    request.member_id = wire::Text(identity.member_id);
    request.group_instance_id = instance_of(*config);
    request.protocol_type = wire::Text(kProtocolType);
    request.protocol_name = wire::Text(protocol);
    auto* entries = arena.make_array<Entry>(plan->size());
    if (!entries) return request;
    for (std::size_t i = 0; i < plan->size(); ++i) {
      entries[i].member_id = wire::Text((*plan)[i].first);
      entries[i].assignment = wire::Bytes((*plan)[i].second);
    }
    request.assignments = {entries, plan->size()};
    return request;
  };
  in_flight_ = true;
  ask<SyncGroupRequest>(*lent_, round_timeout(), std::move(make), &ClassicMembership::on_synced);
}

void ClassicMembership::on_synced(const Failure& why, const SyncGroupResponse* reply, Now now) {
  in_flight_ = false;
  if (why) {
    coordinator_.lost(node_);
    return retry(why, now);
  }
  const auto error = static_cast<BrokerErrc>(reply->error_code);
  switch (error) {
    case BrokerErrc::none:
      return_connection();
      return adopt(*reply, now);
    case BrokerErrc::rebalance_in_progress:
      // Somebody came or went meanwhile: another round, at once. What is owned stays so.
      end_round();
      state_ = State::finding;
      return engine_.wake();
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::illegal_generation:
    case BrokerErrc::fenced_instance_id:
      return on_join_error(error, now);
    default:
      if (is_coordinator_error(error)) coordinator_.lost(node_);
      if (is_retriable(error)) return retry(refusal("SyncGroup", error), now);
      return fail(refusal("SyncGroup", error), false, now);
  }
}

void ClassicMembership::adopt(const SyncGroupResponse& reply, Now now) {
  Partitions assigned;
  const Failure failure = decode_assignment(reply.assignment.span(), assigned);
  if (failure) {
    return fail(Failure(failure.code,
                        "group \"" + config_.group + "\": the assignment: " + failure.message()),
                false, now);
  }
  const auto unwanted = [this](const TopicPartition& each) {
    return !std::binary_search(joined_topics_.begin(), joined_topics_.end(), each.topic);
  };
  if (std::erase_if(assigned, unwanted) != 0) {
    engine_.tell_trouble(
        "group",
        Failure(make_error_code(ClientErrc::protocol_violation),
                "group \"" + config_.group +
                    "\": the leader has assigned topics that this member has not asked for"));
  }
  held_ = {assigned, identity_.generation};
  const Partitions owned = owner_.owned();
  const bool gives_up =
      !std::includes(assigned.begin(), assigned.end(), owned.begin(), owned.end());
  state_ = State::adopting;
  owner_.adopt(assigned, now);
  // What it gives up can be given to others only in another round.
  if (gives_up) rejoin("partitions were given up");
  engine_.wake();
}

// ------------------------------------------------------------------------------------- heartbeat

void ClassicMembership::heartbeat(Now now) {
  if (!may_beat() || beating_ || now.mono < beat_at_) return;
  Connection* connection = coordinator_.connection(now);
  if (!connection) {
    beat_at_ = deadline_after(now.mono, beat_backoff_.next(engine_.random()));
    return;
  }
  beating_ = true;
  beat_at_ = deadline_after(now.mono, config_.heartbeat_interval);
  auto make = [config = shared_config_, identity = identity_](std::int16_t, wire::Arena&) {
    HeartbeatRequest request;
    request.group_id = wire::Text(config->group);
    request.generation_id = identity.generation;
    request.member_id = wire::Text(identity.member_id);
    request.group_instance_id = instance_of(*config);
    return request;
  };
  auto done = [self = std::weak_ptr(self_), identity = identity_, node = connection->node_id()](
                  const Failure& why, const HeartbeatResponse* reply, std::int16_t, Now at) {
    const auto alive = self.lock();
    if (!alive) return;
    ClassicMembership& member = **alive;
    member.beating_ = false;
    if (why) member.coordinator_.lost(node);
    if (reply && is_coordinator_error(static_cast<BrokerErrc>(reply->error_code))) {
      member.coordinator_.lost(node);
    }
    member.on_heartbeat(identity, why, reply, at);
  };
  auto* call = new SimpleCall<HeartbeatRequest>(std::move(make), std::move(done));
  call->set_response_timeout(std::min(engine_.config().request_timeout, config_.session_timeout));
  connection->send(*call);
}

void ClassicMembership::on_heartbeat(const MemberIdentity& of, const Failure& why,
                                     const HeartbeatResponse* reply, Now now) {
  engine_.wake();
  const BrokerErrc error =
      reply ? static_cast<BrokerErrc>(reply->error_code) : BrokerErrc::network_exception;
  if (error == BrokerErrc::none) return beat_backoff_.reset();
  if (of != identity_) return;
  const Failure failure = why ? why : refusal("Heartbeat", error);
  if (why || is_retriable(error)) {
    engine_.tell_trouble("group", failure);
    beat_at_ = std::min(beat_at_, deadline_after(now.mono, beat_backoff_.next(engine_.random())));
    return;
  }
  if (error == BrokerErrc::group_authorization_failed) {
    if (may_beat()) fail(failure, false, now);
    return;
  }
  on_refused(error, of, now);
}

// ----------------------------------------------------------------------------------------- leave

void ClassicMembership::leave(std::string reason, Now now) {
  wanted_ = false;
  if (is_out() || state_ == State::leaving) return;
  end_round();
  beat_at_ = kNever;
  // A static member stays in the group until its session is over, so that it can come back.
  if (identity_.member_id.empty() || !config_.instance_id.empty()) return go_out();
  state_ = State::leaving;
  leave_sent_ = false;
  leave_at_ = now.mono;
  reason_ = std::move(reason);
  engine_.wake();
}

void ClassicMembership::go_out() {
  identity_ = {};
  leader_ = false;
  reason_.clear();
  state_ = State::out;
  engine_.wake();
}

void ClassicMembership::send_leave(Now now) {
  Connection* connection = coordinator_.connection(now);
  if (!connection) {
    leave_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
    return;
  }
  leave_sent_ = true;
  node_ = connection->node_id();
  auto make = [config = shared_config_, member_id = identity_.member_id, reason = reason_](
                  std::int16_t version, wire::Arena& arena) {
    constexpr std::int16_t kFirstWithMembers = 3;
    LeaveGroupRequest request;
    request.group_id = wire::Text(config->group);
    if (version < kFirstWithMembers) {
      request.member_id = wire::Text(member_id);
    } else if (auto* member = arena.make_array<LeaveGroupRequest::MemberIdentity>(1)) {
      member->member_id = wire::Text(member_id);
      if (!reason.empty()) member->reason = wire::Text(reason);
      request.members = {member, 1};
    }
    return request;
  };
  ask<LeaveGroupRequest>(*connection, engine_.config().request_timeout, std::move(make),
                         &ClassicMembership::on_left);
}

void ClassicMembership::on_left(const Failure& why, const LeaveGroupResponse* reply, Now now) {
  const auto error =
      reply ? static_cast<BrokerErrc>(reply->error_code) : BrokerErrc::network_exception;
  if (why || is_coordinator_error(error)) coordinator_.lost(node_);
  // Whatever else it says, it does not take us for a member.
  if (!why && !is_retriable(error)) return go_out();
  engine_.tell_trouble("group", why ? why : refusal("LeaveGroup", error));
  leave_sent_ = false;
  leave_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  engine_.wake();
}

}  // namespace tern::kafka
