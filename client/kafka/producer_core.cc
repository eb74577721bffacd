#include "client/kafka/producer_core.h"

#include <algorithm>

#include "protocol/kafka/messages/init_producer_id.h"

namespace tern::kafka {
namespace {

// Nothing that is sent there will ever arrive, the brokers say.
bool is_hopeless(const Topic& topic) {
  return topic.partitions.empty() && topic.answered && topic.error != BrokerErrc::none &&
         !is_retriable(topic.error);
}

Failure delivery_timed_out(const Batch& batch, const ProducerConfig& config) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(config.delivery_timeout);
  std::string text =
      "not delivered within delivery_timeout (" + std::to_string(ms.count()) + " ms)";
  if (const Failure& last = batch.queue->last_failure) text += "; last try: " + last.message();
  return Failure(make_error_code(ClientErrc::timed_out), std::move(text));
}

}  // namespace

ProducerCore::ProducerCore(Engine& engine, ProducerConfig config, std::uint64_t seed)
    : engine_(engine),
      config_(std::move(config)),
      accumulator_(config_, engine.network(), seed),
      timer_(Timer::calling<&ProducerCore::on_timer>(engine.timers(), this)),
      producer_id_backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max) {
  if (const Codec* codec = find_codec(engine.config().codecs, config_.compression)) {
    compressor_ = codec->make_compressor();
  }
}

void ProducerCore::start() {
  engine_.add(shared_from_this());
  if (engine_.is_closed()) {
    return shut_down(Failure(make_error_code(ClientErrc::closed), "the client was closed"),
                     engine_.now());
  }
  engine_.cluster().add_listener(*this);
  started_ = true;
}

ProducerCore::~ProducerCore() {
  discard_completions();
  for (const auto& call : calls_) {
    for (Batch* batch : call->batches) {
      if (batch && batch->reported) accumulator_.free_batch(batch);  // no list has it any more
    }
  }
}

// ------------------------------------------------------------------------------- what comes in

void ProducerCore::send(ProducerTopic& topic, const Record& record,
                        Completion<Failure, Delivery> done, std::uint64_t id) {
  waiting_sends_.push_back({&topic, record, std::move(done), id, engine_.now().mono});
  if (waiting_sends_.size() == 1) retry_waiting_sends(engine_.now());
  engine_.wake();
}

void ProducerCore::retry_waiting_sends(Now now) {
  while (!waiting_sends_.empty()) {
    WaitingSend& front = waiting_sends_.front();
    Awaited awaited{std::move(front.done)};
    std::error_code error = accumulator_.append(*front.topic, front.record, std::move(awaited),
                                                front.id, /*in_step=*/true);
    const bool too_late = now.mono >= deadline_after(front.since, config_.delivery_timeout);
    if (error == ClientErrc::queue_full && !too_late && !closed_) {
      // append() has moved it only if it took the record. NOLINTNEXTLINE(bugprone-use-after-move)
      front.done = std::move(awaited.done);
      return;
    }
    if (error) {
      Delivery delivery;
      delivery.topic = front.topic->name;
      delivery.cause = error;
      engine_.complete(std::move(awaited.done), Failure(error), std::move(delivery));
    }
    waiting_sends_.pop_front();
  }
}

void ProducerCore::wait_space(Completion<Failure> done, std::uint64_t id) {
  if (closing_) return engine_.complete(std::move(done), Failure(ClientErrc::closed));
  space_waiters_.push_back({std::move(done), id});
  engine_.wake();
}

void ProducerCore::flush(Completion<Failure> done, std::uint64_t id) {
  if (closed_) {
    if (all_told()) return engine_.complete(std::move(done), Failure());
    tell_then(std::move(done), Failure());
    return engine_.wake();
  }
  flushes_.push_back({std::move(done), id, accumulator_.newest_order()});
  engine_.wake();
}

void ProducerCore::close(Duration timeout, Completion<Failure> done) {
  if (closing_) {
    engine_.complete(std::move(done), Failure(ClientErrc::closed));
    return;
  }
  closing_ = true;
  accumulator_.stop();
  close_deadline_ = deadline_after(engine_.now().mono, timeout);
  close_done_ = std::move(done);
  engine_.wake();
}

void ProducerCore::cancel(std::uint64_t id) {
  const Failure cancelled(std::make_error_code(std::errc::operation_canceled));
  for (auto it = waiting_sends_.begin(); it != waiting_sends_.end(); ++it) {
    if (it->id != id) continue;
    engine_.complete(std::move(it->done), cancelled, Delivery());
    waiting_sends_.erase(it);
    return;
  }
  for (Waiter& waiter : space_waiters_) {
    if (waiter.id == id && waiter.done) engine_.complete(std::move(waiter.done), cancelled);
  }
  for (Waiter& waiter : flushes_) {
    if (waiter.id == id && waiter.done) engine_.complete(std::move(waiter.done), cancelled);
  }
  ProducerTopic* topic = nullptr;
  Delivery delivery;
  if (auto done = accumulator_.detach(id, topic, delivery.partition)) {
    delivery.topic = topic->name;
    delivery.cause = cancelled.code;
    engine_.complete(std::move(done),
                     Failure(make_error_code(ClientErrc::maybe_written),
                             "cancelled while the record was in a batch; it is still being sent"),
                     std::move(delivery));
  }
}

// -------------------------------------------------------------------------------------- topics

void ProducerCore::on_cluster_changed(Now now) {
  accumulator_.for_each_topic([&](ProducerTopic& topic) { refresh_topic(topic, now); });
}

void ProducerCore::refresh_topic(ProducerTopic& topic, Now now) {
  Topic* known = topic.cluster_topic;
  if (!known) return;
  if (known->partitions.empty()) {
    if (is_hopeless(*known)) {
      const std::error_code code = make_error_code(known->error);
      fail_pending(topic, Failure(code, "topic \"" + topic.name + "\": " + code.message()));
    }
    return;
  }
  std::vector<bool> has_leader;
  for (const PartitionInfo& partition : known->partitions)
    has_leader.push_back(partition.leader >= 0);
  const std::uint64_t waited = accumulator_.oldest_pending(topic).second;
  std::vector<Accumulator::Refused> refused;
  accumulator_.set_partitions(topic, has_leader, refused);
  for (std::size_t i = 0; i < known->partitions.size(); ++i) {
    assign_lane(*topic.partitions[i].queue, now);
  }
  for (Accumulator::Refused& each : refused) {
    report_pending(each.record, topic, make_error_code(ClientErrc::not_written),
                   Failure(each.error));
  }
  // What waited before the flush is in batches with higher numbers now.
  for (Waiter& flush : flushes_) {
    if (waited <= flush.up_to) flush.up_to = accumulator_.newest_order();
  }
}

void ProducerCore::fail_pending(ProducerTopic& topic, const Failure& why) {
  for (PendingRecord& pending : accumulator_.take_pending(topic)) {
    accumulator_.pool().refund(pending.charged);
    report_pending(pending, topic, make_error_code(ClientErrc::not_written), why);
  }
}

void ProducerCore::expire_pending(Now now) {
  if (accumulator_.oldest_pending().first == kNever) return;
  const Duration patience = std::min(config_.metadata_timeout, config_.delivery_timeout);
  accumulator_.for_each_topic([&](ProducerTopic& topic) {
    const Time oldest = accumulator_.oldest_pending(topic).first;
    if (oldest == kNever) return;
    if (topic.cluster_topic && is_hopeless(*topic.cluster_topic)) return refresh_topic(topic, now);
    if (deadline_after(oldest, patience) > now.mono) return;
    const Topic* known = topic.cluster_topic;
    std::string text = "topic \"" + topic.name + "\": no partitions known within metadata_timeout";
    std::error_code code = make_error_code(ClientErrc::timed_out);
    if (known && known->answered && known->error != BrokerErrc::none) {
      code = make_error_code(known->error);
      text += "; the brokers say: " + code.message();
    } else if (const Failure& trouble = engine_.cluster().trouble()) {
      text += "; " + trouble.message();
    }
    fail_pending(topic, Failure(code, std::move(text)));
  });
}

// --------------------------------------------------------------------------------------- steps

void ProducerCore::step(Now now) {
  if (closed_) return;
  for (ProducerTopic* topic : accumulator_.take_new_topics()) {
    topic->cluster_topic = &engine_.cluster().want(topic->name, now);
    refresh_topic(*topic, now);
  }
  expire_pending(now);
  expire_batches(now);
  retry_waiting_sends(now);
  const bool all = !flushes_.empty() || closing_ || accumulator_.pool().take_refused();
  collected_.clear();
  accumulator_.collect(now, all, collected_,
                       [this](PartitionQueue& queue) { return overdue_home(queue); });
  if (all) {
    for (auto& [id, lane] : lanes_) accumulator_.collect_overdue(lane->overdue, collected_);
    accumulator_.collect_overdue(leaderless_.overdue, collected_);
  }
  enqueue(collected_, now);
  std::erase_if(delayed_, [&](PartitionQueue* queue) {
    if (queue->retry_at > now.mono) return false;
    list(*queue, now);
    return true;
  });
  fetch_producer_id(now);
  for (auto& [id, lane] : lanes_) send_lane(*lane, now);
  finish_waiters();
  set_timer(now);
}

void ProducerCore::expire_batches(Now now) {
  if (deadline_after(accumulator_.oldest().first, config_.delivery_timeout) > now.mono) return;
  for (Batch* batch : accumulator_.expired(now.mono - config_.delivery_timeout)) {
    give_up(*batch, delivery_timed_out(*batch, config_), now);
  }
}

// Reports a batch as lost. One that is on its way keeps its bytes until it has landed.
void ProducerCore::give_up(Batch& batch, const Failure& why, Now now) {
  const bool on_its_way = batch.in_flight && !withdraw(batch);
  const auto certainty =
      on_its_way || batch.maybe_written ? ClientErrc::maybe_written : ClientErrc::not_written;
  if (!on_its_way) return fail(batch, certainty, why, now);
  report(batch, -1, -1, make_error_code(certainty), why);
  accumulator_.retire(batch);
  batch.reported = true;
}

void ProducerCore::finish_waiters() {
  const std::uint64_t oldest = accumulator_.oldest().second;
  const std::uint64_t oldest_pending = accumulator_.oldest_pending().second;
  while (!flushes_.empty()) {
    Waiter& flush = flushes_.front();
    if (flush.done && (oldest <= flush.up_to || oldest_pending <= flush.up_to)) break;
    if (flush.done) tell_then(std::move(flush.done), Failure());
    flushes_.pop_front();
  }
  if (!space_waiters_.empty() && (accumulator_.pool().has_room() || closing_)) {
    for (Waiter& waiter : space_waiters_) {
      if (waiter.done)
        engine_.complete(std::move(waiter.done),
                         closing_ ? Failure(ClientErrc::closed) : Failure());
    }
    space_waiters_.clear();
  }
  if (!closing_ || closed_) return;
  const Now now = engine_.now();
  if (now.mono >= close_deadline_) {
    shut_down(Failure(make_error_code(ClientErrc::timed_out),
                      "the producer was closed before this was delivered"),
              now);
  } else if (accumulator_.empty() && waiting_sends_.empty() && calls_in_flight_ == 0) {
    shut_down(Failure(ClientErrc::closed), now);
  }
}

void ProducerCore::set_timer(Now now) {
  if (closed_) return timer_.cancel();
  Time next = std::min(accumulator_.next_linger(), close_deadline_);
  next = std::min(next, deadline_after(accumulator_.oldest().first, config_.delivery_timeout));
  next =
      std::min(next, deadline_after(accumulator_.oldest_pending().first,
                                    std::min(config_.metadata_timeout, config_.delivery_timeout)));
  for (const PartitionQueue* queue : delayed_) next = std::min(next, queue->retry_at);
  if (!waiting_sends_.empty()) {
    next = std::min(next, deadline_after(waiting_sends_.front().since, config_.delivery_timeout));
  }
  if (producer_id_retry_at_ > now.mono) next = std::min(next, producer_id_retry_at_);
  if (next != timer_.when()) timer_.set(next);
}

// Gives up everything that is left; calls on the way keep their batches until they end.
void ProducerCore::shut_down(const Failure& why, Now now) {
  if (std::exchange(closed_, true)) return;
  accumulator_.stop();
  closing_ = true;
  timer_.cancel();
  if (started_) engine_.cluster().remove_listener(*this);
  retry_waiting_sends(now);
  accumulator_.for_each_topic([&](ProducerTopic& topic) { fail_pending(topic, why); });
  for (Batch* batch : accumulator_.expired(kNever)) give_up(*batch, why, now);
  for (Waiter& waiter : space_waiters_) {
    if (waiter.done) engine_.complete(std::move(waiter.done), Failure(ClientErrc::closed));
  }
  space_waiters_.clear();
  for (Waiter& flush : flushes_) {
    if (flush.done) tell_then(std::move(flush.done), Failure());
  }
  flushes_.clear();
  if (close_done_) {
    tell_then(std::move(close_done_), why.code == ClientErrc::closed ? Failure() : why);
  }
  engine_.wake();
}

// ------------------------------------------------------------------------------------- telling

Observer::Batch ProducerCore::describe(const Batch& batch) const {
  return {batch.queue->topic->name,
          batch.queue->partition,
          static_cast<std::size_t>(batch.count),
          batch.used,
          batch.prepared ? batch.uncompressed : batch.used,
          batch.attempts};
}

// Once for each batch: takes its handlers over for run_completions().
void ProducerCore::report(Batch& batch, std::int64_t base_offset, std::int64_t log_append_time_ms,
                          std::error_code error, const Failure& cause) {
  if (Observer* observer = engine_.observer()) {
    if (error) {
      observer->on_batch_failed(describe(batch), cause);
    } else {
      observer->on_batch_delivered(describe(batch));
    }
  }
  Done& done = done_.emplace_back();
  done.handlers = std::move(batch.handlers);
  done.topic = batch.queue->topic;
  done.partition = batch.queue->partition;
  done.base_offset = base_offset;
  done.count = static_cast<std::size_t>(batch.count);
  done.log_append_time_ms = log_append_time_ms;
  done.max_timestamp_ms = batch.max_timestamp;
  done.error = error;
  done.cause = cause;
  if (error && !done.cause.text) done.cause = Failure(cause.code, cause.code.message());
  if (error) {
    done.cause.text = std::make_shared<const std::string>(
        "topic \"" + done.topic->name + "\" partition " + std::to_string(done.partition) + ": " +
        *done.cause.text);
  }
}

void ProducerCore::report_pending(PendingRecord& record, ProducerTopic& topic,
                                  std::error_code error, const Failure& cause) {
  Done done;
  done.topic = &topic;
  done.count = 1;
  done.max_timestamp_ms = record.timestamp_ms;
  done.error = error;
  done.cause = cause.text ? cause : Failure(cause.code, cause.code.message());
  accumulator_.adopt_handler(record, done.handlers);
  done_.push_back(std::move(done));
}

// Makes one call to the user; false when there is nothing left to tell.
bool ProducerCore::tell(Done& done) {
  if (done.count != 0 && !std::exchange(done.batch_told, true) && on_batch_) {
    BatchReport report;
    report.topic = done.topic->name;
    report.partition = done.partition;
    report.base_offset = done.base_offset;
    report.count = done.count;
    report.timestamp_ms =
        done.log_append_time_ms >= 0 ? done.log_append_time_ms : done.max_timestamp_ms;
    report.error = done.error;
    report.cause = done.cause.code;
    if (done.cause.text) report.text = *done.cause.text;
    on_batch_(report);
    return true;
  }
  if (!done.handlers.empty()) {
    Delivery delivery;
    delivery.topic = done.topic->name;
    delivery.partition = done.partition;
    delivery.cause = done.cause.code;
    delivery.text = done.cause.text;
    const auto call = [&](HandlerList::Taken& taken) {
      delivery.offset = done.base_offset >= 0 ? done.base_offset + taken.index : -1;
      delivery.timestamp_ms =
          done.log_append_time_ms >= 0 ? done.log_append_time_ms : taken.timestamp_ms;
      taken.call(done.error, delivery);
    };
    while (done.handlers.take(accumulator_.pool(), call)) {
    }
    return true;
  }
  if (std::exchange(done.then, false)) {
    Completion<Failure> then = std::move(thens_.front());
    thens_.pop_front();
    then(done.cause);
    return true;
  }
  return false;
}

// After all that is to be told already.
void ProducerCore::tell_then(Completion<Failure> then, Failure cause) {
  thens_.push_back(std::move(then));
  Done done;
  done.then = true;
  done.cause = std::move(cause);
  done_.push_back(std::move(done));
}

void ProducerCore::run_completions() {
  // The handlers' memory comes free only here, which somebody may be waiting for.
  if (!all_told() && !(space_waiters_.empty() && waiting_sends_.empty())) engine_.wake();
  // What completes meanwhile waits for the next call, so that a handler that sends cannot starve
  // others.
  if (telling_.empty()) telling_.swap(done_);
  // Counted in a member, as a handler may throw.
  for (; told_ < telling_.size(); ++told_) {
    while (tell(telling_[told_])) {
    }
  }
  telling_.clear();
  told_ = 0;
  if (closed_ && all_told() && calls_in_flight_ == 0) engine_.remove(*this);
}

void ProducerCore::discard_completions() {
  for (auto* list : {&telling_, &done_}) {
    for (Done& each : std::exchange(*list, {})) each.handlers.clear(accumulator_.pool());
  }
  told_ = 0;
  const std::deque<Completion<Failure>> thens = std::exchange(thens_, {});
  on_batch_ = nullptr;
}

}  // namespace tern::kafka
