#include "client/kafka/consumer_group.h"

#include <algorithm>
#include <utility>

#include "client/kafka/classic_membership.h"
#include "client/kafka/engine.h"
#include "client/kafka/modern_membership.h"

namespace tern::kafka {
namespace {

Partitions difference(const Partitions& from, const Partitions& what) {
  Partitions left;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::back_inserter(left));
  return left;
}

}  // namespace

// ---------------------------------------------------------------------------------- the gate

void DoneGate::open(Tell tell) {
  std::lock_guard lock(mutex_);
  tell_ = std::move(tell);
}

void DoneGate::close() {
  std::lock_guard lock(mutex_);
  tell_ = nullptr;
}

void DoneGate::pass(std::uint64_t event) {
  std::lock_guard lock(mutex_);
  if (tell_) tell_(event);
}

// ------------------------------------------------------------------------------- start and end

ConsumerGroup::ConsumerGroup(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
                             std::shared_ptr<internal::RecordsHome> home, Host& host)
    : engine_(engine),
      config_(std::move(config)),
      home_(std::move(home)),
      host_(host),
      gate_(std::make_shared<DoneGate>()),
      offsets_(engine, config_->group, config_->instance_id, *this),
      positions_backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max) {}

ConsumerGroup::~ConsumerGroup() { gate_->close(); }

void ConsumerGroup::subscribe(std::vector<std::string> topics, TopicPattern pattern, Now now) {
  if (closing_) return;
  if (!membership_) {
    const bool classic = config_->group_protocol == GroupProtocol::classic;
    membership_ = make_membership(classic);
    broker_matches_ = config_->match_at_broker && !classic;
  }
  topics_ = std::move(topics);
  pattern_ = std::move(pattern);
  if (matches_itself()) engine_.cluster().list_topics(now);
  want_topics(now);
  if (topics_.empty() && !pattern_) {
    join_wanted_ = false;
    const Partitions all = owned();
    if (!all.empty()) give_up(all, now);
  }
}

std::unique_ptr<Membership> ConsumerGroup::make_membership(bool classic) {
  Membership::Owner& owner = *this;
  if (classic) return std::make_unique<ClassicMembership>(engine_, config_, owner);
  return std::make_unique<ModernMembership>(engine_, config_, owner);
}

void ConsumerGroup::use(const std::vector<ConsumerPartitionPtr>& partitions) {
  std::map<TopicPartition, Owned> next;
  for (const ConsumerPartitionPtr& partition : partitions) {
    const TopicPartition key{partition->topic.name, partition->index};
    const auto old = owned_.find(key);
    if (old != owned_.end() && old->second.partition == partition) {
      next.emplace(key, std::move(old->second));
    } else {
      partition->gauge->ownership = ++last_turn_;
      next.emplace(key, Owned{.partition = partition, .turn = last_turn_});
    }
  }
  owned_ = std::move(next);
}

void ConsumerGroup::close(Time deadline, Now now) {
  close_by_ = std::min(close_by_, deadline);
  for (Event& event : events_) event.by = std::min(event.by, close_by_);
  if (std::exchange(closing_, true)) return;
  // What nobody has been told of yet need not be told any more.
  std::erase_if(events_, [](const Event& event) {
    return event.kind == Event::Kind::assigned && event.phase == Event::Phase::queued;
  });
  const Partitions all = owned();
  if (!all.empty()) give_up(all, now);
  engine_.wake();
}

void ConsumerGroup::step_close(Now now) {
  if (!closing_ || left_ || !events_.empty()) return;
  if (membership_) {
    membership_->leave("the consumer was closed", now);
    membership_->step(now);
  }
  left_ = !membership_ || membership_->is_out();
}

void ConsumerGroup::shut_down(const Failure& why, Now now) {
  gate_->close();
  closing_ = left_ = silent_ = true;
  events_.clear();
  owned_.clear();
  offsets_.shut_down(why, now);
}

// ------------------------------------------------------------------------------- what is wanted

// What matches is not known before there is a list. A member that said less meanwhile would have to
// say it all again, and the group to rebalance twice.
bool ConsumerGroup::knows_topics() const {
  return !matches_itself() || engine_.cluster().has_listed();
}

const std::string& ConsumerGroup::brokers_pattern() const {
  static const std::string kNone;
  return broker_matches_ ? pattern_.text() : kNone;
}

void ConsumerGroup::on_pattern_unsupported() {
  broker_matches_ = false;
  match_now_ = join_wanted_ = true;
  engine_.wake();
}

void ConsumerGroup::want_topics(Now now) {
  if (!knows_topics()) return;
  std::vector<std::string> wanted = topics_;
  if (matches_itself()) {
    for (const std::string& name : engine_.cluster().listed_topics()) {
      if (pattern_.matches(name)) wanted.push_back(name);
    }
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const std::string& name : wanted) engine_.cluster().want(name, now);
  if (wanted == wanted_ && brokers_pattern() == said_pattern_) return;
  wanted_ = std::move(wanted);
  said_pattern_ = brokers_pattern();
  membership_->rejoin("the member wants other topics");
}

void ConsumerGroup::on_cluster_changed(Now now) {
  if (closing_ || !membership_) return;
  if (matches_itself()) want_topics(now);
  membership_->on_cluster_changed();
}

void ConsumerGroup::on_poll() {
  dealing_ = false;
  if (closing_ || !membership_) return;
  if (fenced_) return host_.tell(fenced_);
  if (topics_.empty() && !pattern_) return;
  join_wanted_ = true;
  engine_.wake();
}

void ConsumerGroup::on_polled(Now now) {
  dealing_ = true;
  polled_at_ = now.mono;
  if (poll_check_at_ == kNever) {
    poll_check_at_ = deadline_after(now.mono, config_->max_poll_interval);
  }
}

// Looked at now and then only, so that polls need not move a timer.
void ConsumerGroup::check_poll(Now now) {
  if (now.mono < poll_check_at_) return;
  const Time due = deadline_after(polled_at_, config_->max_poll_interval);
  const bool late = dealing_ && now.mono >= due;
  poll_check_at_ = dealing_ && !late ? due : kNever;
  if (!late || closing_ || !membership_ || membership_->is_out()) return;
  const Failure why(
      make_error_code(ClientErrc::timed_out),
      "group \"" + config_->group + "\": the application has not polled for max_poll_interval");
  engine_.tell_trouble("group", why);
  lose_all(why, now);
  membership_->leave("the application does not poll", now);
}

// ------------------------------------------------------------------------- what comes and goes

Partitions ConsumerGroup::owned() const {
  Partitions all;
  for (const auto& [partition, owned] : owned_) {
    if (!owned.leaving) all.push_back(partition);
  }
  return all;
}

bool ConsumerGroup::settled() const {
  return std::none_of(events_.begin(), events_.end(),
                      [](const Event& event) { return event.kind == Event::Kind::revoked; });
}

void ConsumerGroup::queue_event(Event::Kind kind, Partitions partitions, Time by) {
  if (partitions.empty()) return;
  events_.push_back({.kind = kind,
                     .partitions = std::move(partitions),
                     .by = std::min(by, close_by_),
                     .number = ++last_event_});
  engine_.wake();
}

void ConsumerGroup::give_up(const Partitions& partitions, Now now) {
  for (const TopicPartition& each : partitions) {
    Owned& owned = owned_.at(each);
    owned.leaving = true;
    owned.partition->halted = true;
  }
  // Some time is left for the JoinGroup that follows.
  const Duration patience = config_->max_poll_interval - config_->max_poll_interval / 4;
  const Time by = deadline_after(now.mono, patience);
  for (Event& event : events_) event.by = std::min(event.by, by);  // their turn is before
  queue_event(Event::Kind::revoked, partitions, by);
}

void ConsumerGroup::adopt(const Partitions& partitions, Now now) {
  const Partitions had = owned();
  const Partitions gone = difference(had, partitions);
  const Partitions added = difference(partitions, had);
  if (!gone.empty()) give_up(gone, now);
  const ClientConfig& client = engine_.config();
  for (const TopicPartition& each : added) {
    Topic* known = engine_.cluster().find(each.topic);
    Topic& topic = known ? *known : engine_.cluster().want(each.topic, now);
    auto gauge = std::make_shared<PartitionGauge>(each.topic, each.partition);
    gauge->ownership = ++last_turn_;
    auto partition = std::make_shared<ConsumerPartition>(
        topic, std::move(gauge), Backoff(client.retry_backoff, client.retry_backoff_max));
    partition->state = ConsumerPartition::State::awaiting;
    partition->halted = true;
    owned_[each] = Owned{.partition = std::move(partition), .turn = last_turn_};
  }
  if (!added.empty()) {
    positions_wanted_ = true;
    publish();
    queue_event(Event::Kind::assigned, added, kNever);
  }
  if (Observer* observer = engine_.observer()) {
    observer->on_rebalance({.group = config_->group,
                            .member_id = membership_->identity().member_id,
                            .generation = membership_->identity().generation,
                            .partitions = partitions.size(),
                            .added = added.size(),
                            .taken = gone.size()});
  }
}

void ConsumerGroup::lose_all(const Failure& why, Now) {
  Partitions lost;
  for (const auto& [partition, owned] : owned_) {
    if (owned.told) lost.push_back(partition);
  }
  for (Event& event : events_) {
    // Whoever is handing over may go on with that, but there is nothing to store any more, and
    // nobody waits for it.
    if (event.kind != Event::Kind::revoked || event.phase == Event::Phase::queued) continue;
    lost = difference(lost, event.partitions);
    event.kind = Event::Kind::lost;
    event.phase = Event::Phase::telling;
  }
  std::erase_if(events_, [](const Event& event) { return event.phase == Event::Phase::queued; });
  owned_.clear();
  publish();
  queue_event(Event::Kind::lost, std::move(lost), kNever);
  engine_.tell_trouble("group", why);
}

void ConsumerGroup::on_membership_failed(const Failure& why, bool for_good) {
  if (for_good) fenced_ = why;
  if (config_->group_protocol == GroupProtocol::automatic && !fallen_back_ &&
      why.code == ClientErrc::unsupported_version) {
    fall_back_ = true;
    return engine_.wake();
  }
  host_.tell(why);
}

void ConsumerGroup::publish() {
  std::vector<ConsumerPartitionPtr> partitions;
  partitions.reserve(owned_.size());
  for (const auto& [name, owned] : owned_) partitions.push_back(owned.partition);
  host_.set_partitions(std::move(partitions));
}

void ConsumerGroup::on_handler_done(std::uint64_t number) {
  for (Event& event : events_) event.handler_done |= event.number == number;
  engine_.wake();
}

// True if the event has come further.
bool ConsumerGroup::work_on(Event& event, Now now) {
  switch (event.phase) {
    case Event::Phase::queued:
      if (event.kind != Event::Kind::revoked) {
        event.by = std::min(event.by, deadline_after(now.mono, config_->max_poll_interval));
      }
      event.phase = Event::Phase::telling;
      event.handler_done = !tell_handler(event);
      return true;
    case Event::Phase::telling:
      if (!event.handler_done && now.mono < event.by) return false;
      event.phase =
          event.kind == Event::Kind::revoked ? Event::Phase::finishing : Event::Phase::over;
      return true;
    case Event::Phase::finishing:
      if (now.mono < event.by && records_are_out(event)) return false;
      event.phase = Event::Phase::committing;
      store_finished(event);
      return true;
    case Event::Phase::committing:
      if (!event.commit_done && now.mono < event.by) return false;
      event.phase = Event::Phase::over;
      return true;
    case Event::Phase::over:
      return false;
  }
  return false;
}

bool ConsumerGroup::tell_handler(Event& event) {
  for (const TopicPartition& each : event.partitions) {
    const auto found = owned_.find(each);
    if (found != owned_.end()) found->second.told = true;
  }
  if (silent_ || !membership_) return false;
  RebalanceHandler ConsumerConfig::* which = &ConsumerConfig::on_assigned;
  if (event.kind == Event::Kind::revoked) which = &ConsumerConfig::on_revoked;
  if (event.kind == Event::Kind::lost) {
    which = config_->on_lost ? &ConsumerConfig::on_lost : &ConsumerConfig::on_revoked;
  }
  if (!((*config_).*which)) return false;
  Done done{Completion<>([gate = gate_, number = event.number] { gate->pass(number); })};
  engine_.complete(Completion<>(
      [config = config_, which, partitions = event.partitions, done = std::move(done)]() mutable {
        ((*config).*which)(partitions, std::move(done));
      }));
  return true;
}

// An application that polls again, or closes, has dealt with what it got before, as far as it will.
bool ConsumerGroup::records_are_out(const Event& event) const {
  if (closing_ || host_.is_polled()) return false;
  home_->ask();
  return std::any_of(event.partitions.begin(), event.partitions.end(),
                     [this](const TopicPartition& each) {
                       std::int64_t begin = 0;
                       std::int32_t epoch = 0;
                       const auto found = owned_.find(each);
                       return found != owned_.end() &&
                              home_->unfinished(*found->second.partition->gauge, begin, epoch);
                     });
}

void ConsumerGroup::store_finished(Event& event) {
  Offsets offsets = config_->auto_commit ? finished(&event.partitions) : Offsets();
  offsets_.commit_before_hand_over(std::move(offsets), event.by,
                                   [this, number = event.number](const Failure& why, Now) {
                                     if (why) engine_.tell_trouble("group", why);
                                     for (Event& each : events_)
                                       each.commit_done |= each.number == number;
                                     engine_.wake();
                                   });
}

void ConsumerGroup::release(const Event& event) {
  switch (event.kind) {
    case Event::Kind::assigned:
      for (const TopicPartition& each : event.partitions) {
        const auto found = owned_.find(each);
        if (found == owned_.end() || found->second.leaving) continue;
        found->second.partition->halted = false;
        host_.on_positioned(*found->second.partition);
      }
      break;
    case Event::Kind::revoked:
      for (const TopicPartition& each : event.partitions) owned_.erase(each);
      publish();
      break;
    case Event::Kind::lost:
      break;
  }
}

// -------------------------------------------------------------------------------------- the step

void ConsumerGroup::step(Now now) {
  while (!events_.empty()) {
    Event& event = events_.front();
    if (event.phase == Event::Phase::over) {
      release(event);
      events_.pop_front();
    } else if (!work_on(event, now)) {
      break;
    }
  }
  check_poll(now);
  if (std::exchange(fall_back_, false) && !closing_) {
    fallen_back_ = true;
    membership_ = make_membership(/*classic=*/true);
    join_wanted_ = true;
    if (broker_matches_) on_pattern_unsupported();
  }
  if (std::exchange(match_now_, false) && pattern_ && !closing_) {
    engine_.cluster().list_topics(now);
    want_topics(now);
  }
  if (membership_ && !closing_) {
    if (knows_topics() && std::exchange(join_wanted_, false)) membership_->join(now);
    membership_->step(now);
    if (wanted_.empty() && !pattern_ && settled()) membership_->leave("nothing is wanted", now);
  }
  step_close(now);
  find_positions(now);
  auto_commit(now);
  offsets_.step(now);
  if (closing_ && membership_ && !left_) membership_->step(now);
}

Time ConsumerGroup::next_time(Now now) const {
  Time next = std::min({offsets_.next_time(now), poll_check_at_, auto_commit_at_});
  if (membership_) next = std::min(next, membership_->next_time(now));
  if (positions_wanted_ && positions_at_ > now.mono) next = std::min(next, positions_at_);
  if (!events_.empty()) next = std::min(next, events_.front().by);
  return next;
}

}  // namespace tern::kafka
