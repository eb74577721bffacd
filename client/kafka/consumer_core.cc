#include "client/kafka/consumer_core.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

// Frames that are not in use now are kept for the next answers, but not too many of them.
std::size_t kept_bytes(const ConsumerConfig& config) {
  constexpr std::size_t kMost = 8 * 1024 * 1024;
  return std::min(config.prefetch_bytes / 8, kMost);
}

Failure closed_failure() {
  return Failure(make_error_code(ClientErrc::closed), "the consumer was closed");
}

Failure no_group() {
  return Failure(make_error_code(ClientErrc::invalid_argument),
                 "the consumer has no group to store offsets in");
}

}  // namespace

// ----------------------------------------------------------------------------------- the board

Failure ConsumerBoard::assign(const std::vector<Assignment>& assignment,
                              std::vector<Gauge>& gauges) {
  const auto invalid = [](const Assignment& each, const char* what) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "assignment: \"" + each.topic + "\", partition " +
                       std::to_string(each.partition) + ": " + what);
  };
  std::set<TopicPartition> seen;
  for (const Assignment& each : assignment) {
    if (each.topic.empty()) return invalid(each, "the topic has no name");
    if (each.partition < 0) return invalid(each, "the partition is below 0");
    if (each.start.at == StartAt::offset && each.start.value < 0) {
      return invalid(each, "the offset is below 0");
    }
    if (each.start.at == StartAt::timestamp && each.start.value < 0) {
      return invalid(each, "the timestamp is below 0");
    }
    if (!seen.insert({each.topic, each.partition}).second) return invalid(each, "named twice");
  }
  std::lock_guard lock(mutex_);
  if (use_ == Use::subscribed) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "assignment: this consumer has subscribed, its group assigns partitions");
  }
  if (!assignment.empty()) use_ = Use::assigned;
  std::map<TopicPartition, Gauge> next;
  gauges.clear();
  for (const Assignment& each : assignment) {
    TopicPartition key{each.topic, each.partition};
    const auto old = gauges_.find(key);
    Gauge gauge = old != gauges_.end()
                      ? old->second
                      : std::make_shared<PartitionGauge>(each.topic, each.partition);
    gauges.push_back(gauge);
    next.emplace(std::move(key), std::move(gauge));
  }
  gauges_ = std::move(next);
  return {};
}

ConsumerBoard::Gauge ConsumerBoard::find(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto found = gauges_.find(partition);
  return found == gauges_.end() ? nullptr : found->second;
}

void ConsumerBoard::assign(const std::vector<ConsumerPartitionPtr>& partitions) {
  std::map<TopicPartition, Gauge> next;
  for (const ConsumerPartitionPtr& each : partitions) {
    next.emplace(TopicPartition{each->topic.name, each->index}, each->gauge);
  }
  std::lock_guard lock(mutex_);
  std::swap(gauges_, next);
}

Failure ConsumerBoard::subscribe() {
  std::lock_guard lock(mutex_);
  if (use_ == Use::assigned) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "subscribe: partitions have been assigned to this consumer");
  }
  use_ = Use::subscribed;
  return {};
}

std::vector<TopicPartition> ConsumerBoard::all() const {
  std::lock_guard lock(mutex_);
  std::vector<TopicPartition> partitions;
  partitions.reserve(gauges_.size());
  for (const auto& [partition, gauge] : gauges_) partitions.push_back(partition);
  return partitions;
}

// ------------------------------------------------------------------------------- start and end

ConsumerCore::ConsumerCore(Engine& engine, ConsumerConfig config)
    : engine_(engine),
      config_(std::make_shared<const ConsumerConfig>(std::move(config))),
      board_(std::make_shared<ConsumerBoard>()),
      kept_bytes_(kept_bytes(*config_)),
      pool_(std::make_shared<FramePool>(kept_bytes_)),
      home_(std::make_shared<internal::RecordsHome>()),
      opener_(*config_, engine.config().codecs, pool_),
      finder_(engine, config_->isolation),
      fetcher_(engine, config_, pool_, partitions_, *this),
      timer_(Timer::calling<&ConsumerCore::on_timer>(engine.timers(), this)) {
  if (config_->group.empty()) return;
  ConsumerGroup::Host& host = *this;
  group_ = std::make_unique<ConsumerGroup>(engine, config_, home_, host);
}

ConsumerCore::~ConsumerCore() { home_->close(); }

void ConsumerCore::start() {
  started_ = true;
  if (engine_.is_closed()) {
    closed_ = true;
    return;
  }
  // Memory may be given back on any thread, and after the end of all this.
  home_->set_notice([weak = weak_from_this(), &engine = engine_] {
    engine.post([weak] {
      if (const auto self = weak.lock()) self->wake();
    });
  });
  if (group_) {
    group_->open([weak = weak_from_this(), &engine = engine_](std::uint64_t event) {
      engine.post([weak, event] {
        if (const auto self = weak.lock()) self->group_->on_handler_done(event);
      });
    });
  }
  engine_.add(shared_from_this());
  engine_.cluster().add_listener(*this);
  engine_.wake();
}

void ConsumerCore::close(Time deadline, Completion<Failure> done, Now now, bool silently) {
  if (closed_) {
    if (done) engine_.complete(std::move(done), Failure());
    return;
  }
  if (done) closers_.push_back(std::move(done));
  close_deadline_ = std::min(close_deadline_, deadline);
  if (group_ && silently) group_->silence();
  if (group_) group_->close(close_deadline_, now);
  engine_.wake();
  if (std::exchange(closing_, true)) return;
  end(closed_failure(), now);
  fetcher_.close(now);
}

// What waits fails, and what was fetched goes.
void ConsumerCore::end(const Failure& why, Now now) {
  home_->close();
  if (poll_) {
    if (!poll_->ready) finish_poll(why, {});
    Poll poll = std::move(*poll_);
    poll_.reset();
    engine_.complete(std::move(poll.done), poll.failure, std::move(poll.records));
  }
  finder_.shut_down(why, now);
  queue_.clear();
  troubles_.clear();
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    partition->drop_fetched();
    partition->queued = false;
  }
}

void ConsumerCore::shut_down(const Failure& why, Now now) {
  if (closed_) return;
  if (!std::exchange(closing_, true)) end(why, now);
  finish_close(now);
}

void ConsumerCore::finish_close(Now now) {
  closed_ = true;
  if (group_) group_->shut_down(closed_failure(), now);
  timer_.cancel();
  fetcher_.abandon();
  partitions_.assign({});
  engine_.cluster().remove_listener(*this);
  for (Completion<Failure>& done : std::exchange(closers_, {})) {
    engine_.complete(std::move(done), Failure());
  }
  engine_.remove(*this);
}

// ------------------------------------------------------------------------------ the assignment

ConsumerPartition* ConsumerCore::find(const TopicPartition& partition) {
  return partitions_.find(engine_.cluster().find(partition.topic), partition.partition);
}

void ConsumerCore::assign(const std::vector<Assignment>& assignment,
                          const std::vector<ConsumerBoard::Gauge>& gauges, Now now) {
  if (closing_ || closed_) return;
  const ClientConfig& client = engine_.config();
  std::vector<ConsumerPartitionPtr> next;
  next.reserve(assignment.size());
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    const Assignment& each = assignment[i];
    Topic& topic = engine_.cluster().want(each.topic, now);
    ConsumerPartitionPtr partition = partitions_.find_shared(&topic, each.partition);
    if (!partition) {
      partition = std::make_shared<ConsumerPartition>(
          topic, gauges[i], Backoff(client.retry_backoff, client.retry_backoff_max));
      partition->restart(each.start);
      follow_leader(*partition);
    }
    next.push_back(std::move(partition));
  }
  if (group_) group_->use(next);
  take_partitions(std::move(next));
}

void ConsumerCore::take_partitions(std::vector<ConsumerPartitionPtr> next) {
  const std::set<ConsumerPartitionPtr> staying(next.begin(), next.end());
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (staying.contains(partition)) continue;
    fetcher_.forget(*partition);
    partition->drop_fetched();
    partition->stop();
  }
  partitions_.assign(std::move(next));
  wake();
}

// --------------------------------------------------------------------------------- in the group

void ConsumerCore::set_partitions(std::vector<ConsumerPartitionPtr> partitions) {
  board_->assign(partitions);
  if (closing_) return;  // what was fetched is gone, and the sessions are ending
  for (const ConsumerPartitionPtr& partition : partitions) follow_leader(*partition);
  take_partitions(std::move(partitions));
}

void ConsumerCore::on_positioned(ConsumerPartition& partition) {
  if (closing_) return;
  follow_leader(partition);
  if (partition.has_data()) on_data(partition);
  wake();
}

void ConsumerCore::tell(Failure why) {
  engine_.tell_trouble("consumer", why);
  if (closing_) return;
  troubles_.push_back(std::move(why));
  engine_.wake();
}

void ConsumerCore::subscribe(std::vector<std::string> topics, TopicPattern pattern, Now now) {
  if (!closing_ && !closed_) group_->subscribe(std::move(topics), std::move(pattern), now);
}

void ConsumerCore::commit(std::uint64_t id, std::optional<Offsets> offsets, Time deadline,
                          ConsumerGroup::CommitDone done) {
  if (closed_) return engine_.complete(std::move(done), closed_failure());
  if (!group_) return engine_.complete(std::move(done), no_group());
  if (!offsets) return group_->commit_finished(id, deadline, std::move(done));
  group_->commit(id, std::move(*offsets), deadline, std::move(done));
}

void ConsumerCore::committed(std::uint64_t id, Partitions partitions, Time deadline,
                             ConsumerGroup::OffsetsDone done) {
  if (closed_) return engine_.complete(std::move(done), closed_failure(), Offsets());
  if (!group_) return engine_.complete(std::move(done), no_group(), Offsets());
  group_->committed(id, std::move(partitions), deadline, std::move(done));
}

void ConsumerCore::seek(const TopicPartition& at, const Position& to, Now) {
  ConsumerPartition* partition = closing_ ? nullptr : find(at);
  if (!partition) return;
  if (group_) group_->on_new_turn(*partition);
  partition->restart(to);
  partition->missing_since = kNever;
  partition->told = false;
  wake();
}

void ConsumerCore::set_paused(const TopicPartition& at, bool paused) {
  ConsumerPartition* partition = closing_ ? nullptr : find(at);
  if (!partition || partition->paused == paused) return;
  partition->paused = paused;
  // What was fetched stays, to be handed out when it is resumed.
  if (!paused && partition->has_data()) on_data(*partition);
  wake();
}

void ConsumerCore::wake() {
  positions_dirty_ = true;
  fetcher_.touch();
  engine_.wake();
}

// ------------------------------------------------------------------------------------- polling

void ConsumerCore::poll(std::uint64_t id, Time deadline, PollDone done) {
  if (closing_ || closed_) return engine_.complete(std::move(done), closed_failure(), Records());
  if (poll_) {
    return engine_.complete(
        std::move(done),
        Failure(make_error_code(ClientErrc::busy), "another poll of this consumer is waiting"),
        Records());
  }
  poll_.emplace(
      Poll{.id = id, .deadline = deadline, .done = std::move(done), .failure = {}, .records = {}});
  if (group_) group_->on_poll();
  engine_.wake();
}

void ConsumerCore::finish_poll(Failure failure, Records records) {
  poll_->ready = true;
  poll_->failure = std::move(failure);
  poll_->records = std::move(records);
  if (group_) group_->on_polled(engine_.now());
  engine_.wake();
}

void ConsumerCore::run_completions() {
  if (!poll_ || !poll_->ready) return;
  // Out first: the handler may poll again, and may throw.
  Poll poll = std::move(*poll_);
  poll_.reset();
  poll.done(std::move(poll.failure), std::move(poll.records));
}

void ConsumerCore::cancel(std::uint64_t id) {
  if (id == 0) return;
  const Failure cancelled(std::make_error_code(std::errc::operation_canceled));
  if (poll_ && poll_->id == id && !poll_->ready) finish_poll(cancelled, {});
  for (auto& [number, query] : queries_) {
    if (query->id != id || !query->done) continue;
    engine_.complete(std::move(query->done), cancelled, OffsetsAndTimes());
  }
  std::erase_if(queries_, [](const auto& each) { return !each.second->done; });
  if (group_) group_->cancel(id, engine_.now());
}

void ConsumerCore::step(Now now) {
  if (closed_) return;
  if (group_) group_->step(now);
  if (closing_) {
    const bool done = fetcher_.is_idle() && (!group_ || group_->is_closed());
    if (done || now.mono >= close_deadline_) return finish_close(now);
    return set_timer(now);
  }
  if (positions_dirty_ || now.mono >= positions_at_) place(now);
  check_outage(now);
  finder_.step(now);
  fetch(now);
  fill(now);
  fetch(now);
  set_timer(now);
}

void ConsumerCore::fetch(Now now) {
  const std::size_t usable = config_->prefetch_bytes - kept_bytes_;
  const std::size_t reserve = opener_.largest_opened();
  const std::size_t held = pool_->held_bytes();
  fetcher_.step(now, usable > reserve ? usable - reserve : 1);
  if (!fetcher_.starved()) return;
  home_->ask();
  if (pool_->held_bytes() < held) wake();  // given back before we asked
  if (home_->out() != 0 || !queue_.empty()) return;
  // What is held is for partitions that are paused, and keeps others from going on.
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (partition->is_read() || !partition->has_data()) continue;
    partition->drop_fetched();
    wake();
  }
}

void ConsumerCore::on_data(ConsumerPartition& partition) {
  if (std::exchange(partition.queued, true)) return;
  queue_.push_back(partition.shared_from_this());
}

void ConsumerCore::fill(Now now) {
  if (!poll_ || poll_->ready) return;
  if (troubles_.empty() && !queue_.empty()) {
    std::unique_ptr<internal::RecordsData> out = internal::RecordsHome::take(home_);
    const std::size_t held = pool_->held_bytes();
    opener_.begin(config_->prefetch_bytes - kept_bytes_, home_->out() == 1);
    const RecordOpener::Outcome outcome = fill_from_queue(*out);
    fetcher_.touch();
    if (out->records != 0) {
      if (group_) home_->track(*out);
      return finish_poll({}, Records(std::move(out)));
    }
    internal::RecordsHome::put_back(std::move(out));
    if (outcome == RecordOpener::Outcome::blocked) {
      home_->ask();
      if (home_->out() == 0 || pool_->held_bytes() < held) engine_.wake();
    }
  }
  if (!troubles_.empty()) {
    Failure why = std::move(troubles_.front());
    troubles_.pop_front();
    return finish_poll(std::move(why), {});
  }
  if (now.mono >= poll_->deadline) finish_poll({}, {});
}

RecordOpener::Outcome ConsumerCore::fill_from_queue(internal::RecordsData& out) {
  RecordOpener::Outcome outcome = RecordOpener::Outcome::drained;
  while (!queue_.empty()) {
    const ConsumerPartitionPtr partition = queue_.front();
    outcome = RecordOpener::Outcome::drained;
    Failure why;
    if (partition->is_read()) outcome = opener_.take(*partition, out, why);
    if (outcome == RecordOpener::Outcome::blocked) return outcome;
    queue_.pop_front();
    partition->queued = false;
    if (outcome == RecordOpener::Outcome::full) {
      if (partition->has_data()) on_data(*partition);  // behind the others
      return outcome;
    }
    if (outcome == RecordOpener::Outcome::failed) on_unreadable(*partition, std::move(why));
  }
  return outcome;
}

void ConsumerCore::set_timer(Now now) {
  if (closing_) {
    return timer_.set(group_ ? std::min(close_deadline_, group_->next_time(now)) : close_deadline_);
  }
  Time next = std::min({finder_.next_time(now), fetcher_.next_time(), positions_at_});
  if (group_) next = std::min(next, group_->next_time(now));
  if (poll_ && !poll_->ready) next = std::min(next, poll_->deadline);
  if (outage_since_ != kNever && !outage_told_ && engine_.cluster().trouble()) {
    next = std::min(next, deadline_after(outage_since_, engine_.config().connect_timeout));
  }
  timer_.set(next);
}

// -------------------------------------------------------------------------- questions of users

void ConsumerCore::find_offsets(std::uint64_t id, const std::vector<TimeQuery>& queries,
                                Time deadline, OffsetsDone done, Now now) {
  if (closing_ || closed_)
    return engine_.complete(std::move(done), closed_failure(), OffsetsAndTimes());
  if (queries.empty()) return engine_.complete(std::move(done), Failure(), OffsetsAndTimes());
  for (const TimeQuery& each : queries) {
    if (each.time_ms >= kEarliestPendingUploadTime) continue;
    return engine_.complete(std::move(done),
                            Failure(make_error_code(ClientErrc::invalid_argument),
                                    "offset of a time: " + std::to_string(each.time_ms) +
                                        " is no time, and stands for none"),
                            OffsetsAndTimes());
  }
  auto query = std::make_shared<Query>(
      Query{.id = id, .done = std::move(done), .found = {}, .left = queries.size()});
  query->found.resize(queries.size());
  const std::uint64_t number = next_query_++;
  queries_.emplace(number, query);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const TopicPartition& partition = queries[i].partition;
    query->found[i].topic = partition.topic;
    query->found[i].partition = partition.partition;
    auto take = [this, query, number, i](const Failure& why, const FoundOffset& found, Now) {
      if (!query->done) return;
      query->found[i].offset = found.offset;
      query->found[i].timestamp_ms = found.timestamp_ms;
      query->found[i].leader_epoch = found.leader_epoch;
      if (!why && --query->left != 0) return;
      queries_.erase(number);
      OffsetsAndTimes all = why ? OffsetsAndTimes() : std::move(query->found);
      engine_.complete(std::move(query->done), why, std::move(all));
    };
    finder_.find(engine_.cluster().want(partition.topic, now), partition.partition,
                 queries[i].time_ms, deadline, std::move(take));
  }
}

}  // namespace tern::kafka
