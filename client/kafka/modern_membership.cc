#include "client/kafka/modern_membership.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

using Request = ConsumerGroupHeartbeatRequest;

constexpr std::int32_t kJoin = 0;
constexpr std::int32_t kLeave = -1;
constexpr std::int32_t kLeaveForNow = -2;  // a static member, which may come back
constexpr std::int16_t kFirstWithPattern = 1;

}  // namespace

ModernMembership::ModernMembership(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
                                   Owner& owner)
    : engine_(engine),
      shared_config_(std::move(config)),
      config_(*shared_config_),
      owner_(owner),
      coordinator_(engine, config_.group),
      self_(std::make_shared<ModernMembership*>(this)),
      backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max) {}

ModernMembership::~ModernMembership() = default;

void ModernMembership::join(Now) {
  wanted_ = true;
  engine_.wake();
}

void ModernMembership::rejoin(std::string) {
  beat_now_ = true;
  engine_.wake();
}

void ModernMembership::on_cluster_changed() { engine_.wake(); }

// As the Java client makes them: 16 random bytes in the letters of base64 for URLs.
std::string ModernMembership::new_member_id() {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string id;
  for (int i = 0; i < 22; ++i) id += kLetters[engine_.random().below(64)];
  return id;
}

void ModernMembership::step(Now now) {
  if (state_ == State::out && wanted_) {
    ++round_;
    identity_ = {new_member_id(), kJoin};
    pattern_sent_ = false;
    state_ = State::joining;
    coordinator_.forget_trouble();
    beat_now_ = true;
    say_everything();
  }
  if (state_ == State::reconciling && owner_.settled()) {
    state_ = State::member;
    held_ = owned_by_id();
    beat_now_ = true;  // others wait for it
  }
  if (state_ == State::member && target_ && owner_.settled()) reconcile(now);
  beat(now);
}

bool ModernMembership::is_due(Now now) const {
  if (is_out() || beating_) return false;
  return now.mono >= beat_at_;
}

Time ModernMembership::next_time(Now now) const {
  return is_out() || beating_ || beat_at_ <= now.mono ? kNever : beat_at_;
}

// Nothing of what was said before counts as heard.
void ModernMembership::say_everything() {
  everything_ = true;
  said_topics_.clear();
  said_pattern_.clear();
  said_owned_.clear();
}

ModernMembership::ById ModernMembership::owned_by_id() const {
  ById all;
  for (const TopicPartition& each : owner_.owned()) {
    const Topic* topic = engine_.cluster().find(each.topic);
    if (topic && !topic->id.is_zero()) all[topic->id].push_back(each.partition);
  }
  return all;
}

void ModernMembership::beat(Now now) {
  if (beat_now_ && !beating_ && backoff_.failures() == 0) beat_at_ = std::min(beat_at_, now.mono);
  if (!is_due(now)) return;
  Connection* connection = coordinator_.connection(now);
  if (!connection) {
    const Failure why = coordinator_.hopeless();
    if (why && state_ == State::joining) fail(why, false, now);
    return;
  }
  beat_now_ = false;
  beating_ = true;
  auto said = std::make_shared<Said>();
  said->identity = identity_;
  said->everything = everything_;
  if (state_ == State::leaving) {
    said->identity.generation = config_.instance_id.empty() ? kLeave : kLeaveForNow;
  } else {
    said->topics = owner_.wanted_topics();
    said->with_topics = everything_ || said->topics != said_topics_;
    const std::string& pattern = owner_.brokers_pattern();
    if (pattern != said_pattern_ || (everything_ && pattern_sent_)) said->pattern = pattern;
    pattern_sent_ |= said->pattern.has_value();
    said->owned = held_;
    said->with_owned = everything_ || said->owned != said_owned_;
  }
  send(*connection, said);
}

void ModernMembership::send(Connection& connection, const std::shared_ptr<const Said>& said) {
  auto make = [config = shared_config_, said](std::int16_t, wire::Arena& arena) {
    Request request;
    request.group_id = wire::Text(config->group);
    request.member_id = wire::Text(said->identity.member_id);
    request.member_epoch = said->identity.generation;
    if (!config->instance_id.empty()) request.instance_id = wire::Text(config->instance_id);
    if (said->everything && said->identity.generation >= 0) {
      request.rebalance_timeout_ms = to_ms(config->max_poll_interval);
      if (!config->rack.empty()) request.rack_id = wire::Text(config->rack);
      if (!config->server_assignor.empty()) {
        request.server_assignor = wire::Text(config->server_assignor);
      }
    }
    if (said->with_topics) {
      auto* topics = arena.make_array<wire::Text>(said->topics.size());
      if (!topics) return request;
      std::copy(said->topics.begin(), said->topics.end(), topics);
      request.subscribed_topic_names = {topics, said->topics.size()};
    }
    if (said->pattern) request.subscribed_topic_regex = wire::Text(*said->pattern);
    if (said->with_owned) {
      auto* owned = arena.make_array<Request::TopicPartitions>(said->owned.size());
      if (!owned) return request;
      std::size_t count = 0;
      for (const auto& [id, partitions] : said->owned) {
        owned[count].topic_id = id;
        owned[count++].partitions = wire::Array<std::int32_t>(partitions);
      }
      request.topic_partitions = {owned, count};
    }
    return request;
  };
  auto done = [self = std::weak_ptr(self_), said, round = round_, node = connection.node_id()](
                  const Failure& why, const ConsumerGroupHeartbeatResponse* reply, std::int16_t,
                  Now now) {
    const auto alive = self.lock();
    if (!alive || (*alive)->round_ != round) return;
    (*alive)->on_answer(*said, node, why, reply, now);
  };
  auto* call = new SimpleCall<Request>(std::move(make), std::move(done));
  call->set_response_timeout(engine_.config().request_timeout);
  if (said->pattern) call->require_version(kFirstWithPattern);
  connection.send(*call);
}

// ---------------------------------------------------------------------------------------- answers

void ModernMembership::on_answer(const Said& said, std::int32_t node, const Failure& why,
                                 const ConsumerGroupHeartbeatResponse* reply, Now now) {
  beating_ = false;
  engine_.wake();
  const auto error =
      reply ? static_cast<BrokerErrc>(reply->error_code) : BrokerErrc::network_exception;
  if (why || is_coordinator_error(error)) coordinator_.lost(node);
  // Of an identity that is no more, or from before leave() was called.
  const bool last = said.identity.generation < 0;
  if (last != (state_ == State::leaving)) {
    say_everything();
    beat_at_ = now.mono;
    return;
  }
  if (!why && error == BrokerErrc::none) {
    backoff_.reset();
    if (last) return go_out();
    everything_ = false;
    if (said.with_topics) said_topics_ = said.topics;
    if (said.pattern) said_pattern_ = *said.pattern;
    if (said.with_owned) said_owned_ = said.owned;
    beat_at_ = deadline_after(now.mono,
                              std::chrono::milliseconds(std::max(reply->heartbeat_interval_ms, 1)));
    return take(*reply);
  }
  if (said.pattern && why.code == ClientErrc::unsupported_version) {
    pattern_sent_ = false;
    say_everything();
    beat_at_ = now.mono;
    if (state_ == State::joining) {
      wanted_ = false;
      go_out();
    }
    return owner_.on_pattern_unsupported();
  }
  Failure failure = why;
  if (!failure) {
    failure = Failure(make_error_code(error),
                      "group \"" + config_.group + "\": heartbeat: " +
                          (reply->error_message.is_null() ? make_error_code(error).message()
                                                          : reply->error_message.str()));
  }
  engine_.tell_trouble("group", failure);
  on_error(error, failure, now);
}

void ModernMembership::on_error(BrokerErrc error, const Failure& failure, Now now) {
  if (state_ == State::leaving && !is_retriable(error)) return go_out();
  beat_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  say_everything();
  if (failure.code == ClientErrc::unsupported_version ||
      failure.code.category() == wire::error_category()) {
    return fail(failure, false, now);
  }
  switch (error) {
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::fenced_member_epoch:
      return reset(failure, now);
    case BrokerErrc::unsupported_version:
      return fail(Failure(make_error_code(ClientErrc::unsupported_version), failure.message()),
                  false, now);
    case BrokerErrc::fenced_instance_id:
      return fail(Failure(make_error_code(ClientErrc::fenced), failure.message()), true, now);
    default:
      if (is_retriable(error)) return;
      return fail(failure, false, now);
  }
}

void ModernMembership::take(const ConsumerGroupHeartbeatResponse& reply) {
  if (!reply.member_id.is_null() && !reply.member_id.empty()) {
    identity_.member_id = reply.member_id.str();
  }
  identity_.generation = reply.member_epoch;
  if (state_ == State::joining) state_ = State::member;
  if (!reply.assignment) return;
  ById target;
  for (const auto& topic : reply.assignment->topic_partitions) {
    auto& partitions = target[topic.topic_id];
    partitions.insert(partitions.end(), topic.partitions.begin(), topic.partitions.end());
  }
  target_ = std::move(target);  // the step that follows looks at it
}

// Topics that are not known by name yet are waited for; the rest does not wait for them. The broker
// may know topics that it has found by the pattern before anybody here has heard of them.
void ModernMembership::reconcile(Now now) {
  Partitions all;
  std::vector<wire::Uuid> unknown;
  for (const auto& [id, partitions] : *target_) {
    const Topic* topic = engine_.cluster().find(id);
    if (!topic) {
      unknown.push_back(id);
      continue;
    }
    for (const std::int32_t partition : partitions) {
      if (partition >= 0) all.push_back({topic->name, partition});
    }
  }
  if (unknown.empty()) {
    target_.reset();
  } else if (owner_.brokers_pattern().empty()) {
    engine_.cluster().refresh(now);
  } else {
    engine_.cluster().want_names(unknown);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (all == owner_.owned()) return;
  state_ = State::reconciling;
  owner_.adopt(all, now);
}

void ModernMembership::on_refused(BrokerErrc error, const MemberIdentity& used, Now now) {
  if (used.member_id != identity_.member_id || is_out() || state_ == State::leaving) return;
  switch (error) {
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::fenced_member_epoch:
      if (used != identity_) return;
      return reset(Failure(make_error_code(error),
                           "group \"" + config_.group +
                               "\": the member was put out: " + make_error_code(error).message()),
                   now);
    case BrokerErrc::stale_member_epoch:
      // The next heartbeat brings the epoch of now.
      if (used == identity_) beat_now_ = true;
      return engine_.wake();
    default:
      return;
  }
}

void ModernMembership::reset(const Failure& why, Now now) {
  ++round_;
  beating_ = false;
  identity_.generation = kJoin;
  held_.clear();
  target_.reset();
  state_ = State::joining;
  say_everything();
  beat_at_ = std::max(beat_at_, now.mono);
  if (!owner_.owned().empty() || !owner_.settled()) owner_.lose_all(why, now);
  beat_now_ = true;
  engine_.wake();
}

void ModernMembership::fail(const Failure& why, bool for_good, Now now) {
  go_out();
  wanted_ = false;
  if (for_good) state_ = State::fenced;
  beat_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  if (!owner_.owned().empty() || !owner_.settled()) owner_.lose_all(why, now);
  owner_.on_membership_failed(why, for_good);
}

void ModernMembership::leave(std::string, Now now) {
  wanted_ = false;
  if (is_out() || state_ == State::leaving) return;
  target_.reset();
  // Even if the first heartbeat has not been answered: the broker may have heard it.
  state_ = State::leaving;
  beat_at_ = now.mono;
  engine_.wake();
}

void ModernMembership::go_out() {
  ++round_;
  beating_ = false;
  identity_ = {};
  held_.clear();
  target_.reset();
  state_ = State::out;
  engine_.wake();
}

}  // namespace tern::kafka
