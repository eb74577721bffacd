#include "client/amqp/engine.h"

#include <algorithm>
#include <iterator>

namespace tern::amqp {
namespace {

constexpr std::size_t kPoolBytes = 4 * 1024 * 1024;
// For a queue that another connection holds, which may be our own of before: until its heartbeats
// are missed.
constexpr int kMaxLockedTries = 60;
constexpr Duration kLockedPause = std::chrono::seconds(2);
// How often an exchange is declared once more because it has gone before it was bound.
constexpr int kMaxTimesGone = 3;

}  // namespace

Engine::Engine(Network& network, ConnectionConfig config, std::uint64_t seed)
    : config_(std::move(config)),
      stream_(config_.tls && config_.stream
                  ? config_.stream->over(network, timers_, config_.tls_options)
                  : nullptr),
      network_(stream_ ? *stream_ : network),
      now_(network.now()),
      pool_(kPoolBytes),
      session_(network_, timers_, pool_, config_, *this),
      random_(config_.seed != 0 ? config_.seed : seed),
      backoff_(config_.recovery_backoff, config_.recovery_backoff_max),
      recovery_timer_(Timer::calling<&Engine::on_recovery_timer>(timers_, this)) {}

// Channels and consumers may be held longer, by their own handlers among others.
Engine::~Engine() {
  discard_completions();
  for (ConsumerCore* const consumer : all_consumers_) consumer->engine_ = nullptr;
}

void Engine::step(Now now) {
  now_ = now;
  inlet_.run();
  timers_.run(now);
  // One that is marked meanwhile gets the next step.
  std::swap(dirty_, working_);
  for (std::size_t i = 0; i < working_.size(); ++i) {
    if (!working_[i]) continue;
    working_[i]->marked_ = false;
    working_[i]->step(now);
  }
  working_.clear();
}

void Engine::run_completions() {
  // A handler that throws ends this call: what is left needs another one.
  struct WakeUnlessDone {
    Network& network;
    bool done = false;
    ~WakeUnlessDone() {
      if (!done) network.wake();
    }
  } guard{network_};
  // What became of messages comes first: who is told that a channel is closed may let go of what
  // the handlers of its messages use.
  while (!due_.empty()) {
    const std::shared_ptr<ChannelCore> channel = due_.front();
    channel->tell_due();
    due_.erase(due_.begin());
  }
  // Those of a call that ended early are before the others. What handlers add waits for the next.
  for (std::size_t left = running_.size() - running_at_ + outcomes_.size(); left > 0; --left) {
    if (running_at_ == running_.size()) {
      running_.clear();
      running_at_ = 0;
      std::swap(running_, outcomes_);
    }
    Outcome& outcome = running_[running_at_++];
    outcome.handler(std::move(outcome.failure));
  }
  for (std::size_t left = completions_.size(); left > 0; --left) {
    Completion<> handler = std::move(completions_.front());
    completions_.pop_front();
    handler();
  }
  while (!consumers_.empty()) {
    const std::shared_ptr<ConsumerCore> consumer = std::move(consumers_.back());
    consumers_.pop_back();
    consumer->listed_ = false;
    consumer->run_due();
  }
  guard.done = completions_.empty() && due_.empty() && !has_outcomes();
}

void Engine::discard_completions() {
  const auto completions = std::exchange(completions_, {});
  const auto outcomes = std::exchange(outcomes_, {});
  const auto running = std::exchange(running_, {});
  running_at_ = 0;
  const auto consumers = std::exchange(consumers_, {});
  const auto connect_done = std::exchange(connect_done_, {});
  const auto close_done = std::exchange(close_done_, {});
  const auto channels = std::exchange(channels_, {});
  const auto waiting = std::exchange(waiting_, {});
  const auto due = std::exchange(due_, {});
  for (const auto* all : {&channels, &waiting, &due}) {
    for (const auto& channel : *all) {
      if (channel) channel->discard();
    }
  }
  // Destroying one of these may destroy a consumer.
  std::vector<Completion<Failure, Delivered>> waiters;
  std::vector<Completion<Failure, std::vector<Delivered>>> all_waiters;
  for (ConsumerCore* const consumer : all_consumers_) {
    waiters.push_back(std::exchange(consumer->waiter_, {}));
    all_waiters.push_back(std::exchange(consumer->all_waiter_, {}));
  }
}

void Engine::list(ConsumerCore& consumer) {
  if (!consumer.is_due() || std::exchange(consumer.listed_, true)) return;
  consumers_.push_back(consumer.shared_from_this());
  wake();
}

void Engine::list_due(ChannelCore& channel) {
  const auto is_it = [&](const auto& each) { return each.get() == &channel; };
  if (std::any_of(due_.begin(), due_.end(), is_it)) return;
  due_.push_back(channel.shared_from_this());
  wake();
}

void Engine::mark(ChannelCore& channel) {
  if (std::exchange(channel.marked_, true)) return;  // a step is due
  dirty_.push_back(&channel);
  wake();
}

void Engine::mark_when_written(ChannelCore& channel) {
  if (std::find(unwritten_.begin(), unwritten_.end(), &channel) != unwritten_.end()) return;
  unwritten_.push_back(&channel);
}

void Engine::on_session_written() {
  for (ChannelCore* const channel : unwritten_) mark(*channel);
  unwritten_.clear();
}

void Engine::count_delivered(std::ptrdiff_t bytes) {
  delivered_bytes_ =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(delivered_bytes_) + bytes);
  const bool paused = reading_paused_ ? delivered_bytes_ > config_.max_delivered_bytes / 2
                                      : delivered_bytes_ > config_.max_delivered_bytes;
  if (std::exchange(reading_paused_, paused) != paused) session_.pause_read(paused, now_);
}

// ---------------------------------------------------------------------------------- the connection

void Engine::connect(Completion<Failure> done) {
  if (closed_) return complete(std::move(done), Failure(make_error_code(ClientErrc::closed)));
  if (connecting_ || recovering_ || !session_.is_closed()) {
    return complete(std::move(done), Failure(make_error_code(ClientErrc::busy)));
  }
  connecting_ = true;
  hosts_tried_ = 0;
  connect_done_.push_back(std::move(done));
  open_next_host(now_);
}

void Engine::open_next_host(Now now) {
  ++hosts_tried_;
  was_ready_ = false;
  session_.open(with_port(config_.hosts[host_], config_),
                config_.ask_credentials ? config_.ask_credentials() : config_.credentials, now);
}

void Engine::on_session_ready(Now now) {
  now_ = now;
  connecting_ = false;
  was_ready_ = true;
  if (recovering_) {
    to_declare_ = topology_.in_order();
    std::reverse(to_declare_.begin(), to_declare_.end());
    tries_ = 0;
    times_gone_.clear();
    return declare_next(now);
  }
  for (auto& done : std::exchange(connect_done_, {})) complete(std::move(done), Failure());
  open_waiting(now);
}

void Engine::on_session_ended(const Failure& why, Now now) {
  now_ = now;
  reading_paused_ = false;
  const bool was_ready = std::exchange(was_ready_, false);
  if (session_.is_blocked() && blocked_handler_) blocked_handler_(false, {});
  if (config_.recover && !closed_ && (was_ready || recovering_)) return begin_recovery(why, now);
  for (const auto& channel : std::exchange(channels_, {})) {
    if (channel) channel->end(why, now);
  }
  if (connecting_ && !closed_) {
    host_ = (host_ + 1) % config_.hosts.size();
    // A login that one host refuses, all of them refuse.
    const bool refused = why.code == ReplyErrc::access_refused;
    if (hosts_tried_ < config_.hosts.size() && !refused) return open_next_host(now);
  }
  connecting_ = false;
  for (const auto& channel : std::exchange(waiting_, {})) channel->end(why, now);
  for (auto& done : std::exchange(connect_done_, {})) complete(std::move(done), why);
  for (auto& done : std::exchange(close_done_, {})) complete(std::move(done), Failure());
  if (was_ready && !closed_ && lost_handler_) lost_handler_(why);
}

// -------------------------------------------------------------------------------------- recovery

void Engine::begin_recovery(const Failure& why, Now now) {
  const bool is_first = !std::exchange(recovering_, true);
  const auto declaring = std::exchange(declaring_, nullptr);
  for (const auto& channel : std::exchange(channels_, {})) {
    if (!channel) continue;
    if (channel == declaring) {
      channel->end(why, now);
    } else if (channel->suspend(why, now)) {
      waiting_.push_back(channel);
    }
  }
  if (is_first) {
    hosts_tried_ = 0;
    if (lost_handler_) lost_handler_(why);
  } else {
    host_ = (host_ + 1) % config_.hosts.size();
    if (hosts_tried_ < config_.hosts.size()) return open_next_host(now);
  }
  recovery_timer_.set(deadline_after(now.mono, backoff_.next(random_)));
}

void Engine::on_recovery_timer(Now now) {
  now_ = now;
  if (!recovering_ || closed_) return;
  if (session_.is_ready()) return declare_next(now);
  if (!session_.is_closed()) return;
  hosts_tried_ = 0;
  open_next_host(now);
}

// Declares what was declared before, one after the other, on a channel for this.
void Engine::declare_next(Now now) {
  if (to_declare_.empty()) return finish_recovery(now);
  if (!declaring_ || declaring_->state() == ChannelCore::State::closed) {
    declaring_ = std::make_shared<ChannelCore>(*this, ChannelConfig{.confirms = false});
    give_number(declaring_, now);
  }
  switch (to_declare_.back().kind) {
    case Topology::Kind::exchange:
      return declare_again<ExchangeDeclare>(to_declare_.back());
    case Topology::Kind::exchange_binding:
      return declare_again<ExchangeBind>(to_declare_.back());
    case Topology::Kind::queue:
      return declare_again<QueueDeclare>(to_declare_.back());
    case Topology::Kind::queue_binding:
      return declare_again<QueueBind>(to_declare_.back());
  }
}

template <class M>
void Engine::declare_again(const Topology::Entity& entity) {
  M method;
  (void)decode_method(wire::Bytes(std::string_view(entity.method)), {}, method);
  declaring_->call_again(
      method, [this, entity, on = declaring_.get()](const Failure& why, const Reply& reply) {
        // The connection may have gone, and all begins anew.
        if (declaring_.get() == on) on_declared_again(entity, why, reply);
      });
}

void Engine::on_declared_again(const Topology::Entity& entity, const Failure& why,
                               const Reply& reply) {
  // An exclusive queue is held by the connection that died, until the broker notices.
  if (why.code == ReplyErrc::resource_locked && ++tries_ < kMaxLockedTries) {
    return recovery_timer_.set(deadline_after(now_.mono, kLockedPause));
  }
  tries_ = 0;
  if (why.code == ReplyErrc::not_found && declare_what_has_gone(entity)) {
    return recovery_timer_.set(now_.mono);
  }
  to_declare_.pop_back();
  if (why) {
    not_recovered(entity.to_string(), why);
  } else if (entity.server_named) {
    rename_queue(entity.name, reply.as<QueueDeclareOk>().queue.str());
  }
  // In the next step: this is inside the channel that declares.
  recovery_timer_.set(now_.mono);
}

// An exchange with auto-delete goes with its last binding, and between its declaration and its
// first binding here that may be one of another connection. Declares it again, and what is bound to
// it.
bool Engine::declare_what_has_gone(const Topology::Entity& binding) {
  using Entity = Topology::Entity;
  if (binding.destination.empty()) return false;
  const std::vector<Entity> all = topology_.in_order();
  const auto gone = std::find_if(all.begin(), all.end(), [&](const Entity& each) {
    return each.kind == Topology::Kind::exchange && each.auto_delete &&
           binding.touches_exchange(each.name) && times_gone_[each.name] < kMaxTimesGone;
  });
  if (gone == all.end()) return false;
  ++times_gone_[gone->name];
  const auto goes_with_it = [&](const Entity& each) { return each.touches_exchange(gone->name); };
  std::erase_if(to_declare_, goes_with_it);
  std::copy_if(all.rbegin(), all.rend(), std::back_inserter(to_declare_), goes_with_it);
  std::stable_sort(to_declare_.begin(), to_declare_.end(),
                   [](const Entity& one, const Entity& other) { return one.kind > other.kind; });
  return true;
}

void Engine::rename_queue(const std::string& from, const std::string& to) {
  topology_.rename_queue(from, to);
  for (const auto& channel : waiting_) channel->rename_queue(from, to);
  // What is left to do names it, too: its bindings are all still to come.
  std::erase_if(to_declare_, [](const Topology::Entity& each) {
    return each.kind == Topology::Kind::queue_binding;
  });
  std::vector<Topology::Entity> bindings = topology_.in_order();
  std::erase_if(bindings, [](const Topology::Entity& each) {
    return each.kind != Topology::Kind::queue_binding;
  });
  to_declare_.insert(to_declare_.begin(), std::make_move_iterator(bindings.rbegin()),
                     std::make_move_iterator(bindings.rend()));
}

void Engine::finish_recovery(Now now) {
  recovering_ = false;
  backoff_.reset();
  if (const auto declaring = std::exchange(declaring_, nullptr)) {
    declaring->close([](const Failure&) {});
  }
  open_waiting(now);
  if (recovered_handler_) recovered_handler_();
}

void Engine::not_recovered(std::string_view what, const Failure& why) {
  if (not_recovered_handler_) not_recovered_handler_(what, why);
}

void Engine::ack_timed_out(const Failure& why) {
  if (ack_timeout_handler_) ack_timeout_handler_(why);
}

void Engine::open_again(std::uint16_t id) {
  const std::shared_ptr<ChannelCore> channel = std::exchange(channels_[id], nullptr);
  give_number(channel, now_);
}

void Engine::left_by_consumer(const std::string& queue) {
  const bool used = std::any_of(
      all_consumers_.begin(), all_consumers_.end(),
      [&](const ConsumerCore* each) { return each->queue_name_ == queue && !each->ended_; });
  if (!used) topology_.left_by_consumers(queue);
}

// --------------------------------------------------------------------------------------- the end

void Engine::close(Completion<Failure> done) {
  closed_ = true;
  recovering_ = false;
  recovery_timer_.cancel();
  if (session_.is_closed()) {
    const Failure why(make_error_code(ClientErrc::closed));
    for (const auto& channel : std::exchange(waiting_, {})) channel->end(why, now_);
    return complete(std::move(done), Failure());
  }
  close_done_.push_back(std::move(done));
  // What has been acknowledged and not been said yet.
  for (const auto& channel : channels_) {
    if (channel) channel->flush_acks();
  }
  session_.close(now_);
}

void Engine::end(Now now) {
  now_ = now;
  closed_ = true;
  recovering_ = false;
  recovery_timer_.cancel();
  const Failure why(make_error_code(ClientErrc::closed));
  for (const auto& channel : std::exchange(waiting_, {})) channel->end(why, now);
  for (const auto& channel : std::exchange(channels_, {})) {
    if (channel) channel->end(why, now);
  }
  for (auto& done : std::exchange(connect_done_, {})) complete(std::move(done), why);
}

void Engine::cancel(std::uint64_t op) {
  for (ConsumerCore* const consumer : std::vector(all_consumers_)) {
    if (consumer->is_awaited() && consumer->waiter_op_ == op) {
      consumer->stop_waiting(std::make_error_code(std::errc::operation_canceled));
    }
  }
}

void Engine::on_blocked(bool blocked, std::string_view reason, Now now) {
  now_ = now;
  if (blocked_handler_) blocked_handler_(blocked, reason);
}

// ------------------------------------------------------------------------------------ the channels

std::shared_ptr<ChannelCore> Engine::open_channel(const ChannelConfig& config) {
  auto channel = std::make_shared<ChannelCore>(*this, config);
  if (closed_) {
    channel->end(Failure(make_error_code(ClientErrc::closed)), now_);
  } else if (session_.is_ready() && !recovering_) {
    give_number(channel, now_);
  } else {
    waiting_.push_back(channel);
    if (recovering_) channel->wait_for_connection(now_);
  }
  return channel;
}

void Engine::open_waiting(Now now) {
  for (const auto& channel : std::exchange(waiting_, {})) {
    if (channel->state() == ChannelCore::State::waiting) give_number(channel, now);
  }
}

void Engine::give_number(const std::shared_ptr<ChannelCore>& channel, Now now) {
  const std::uint16_t max = session_.tuning().channel_max;
  if (channels_.empty()) channels_.resize(1);
  std::size_t id = 1;
  while (id < channels_.size() && channels_[id]) ++id;
  if (id > max) {
    return channel->end(
        Failure(make_error_code(ReplyErrc::not_allowed),
                "all " + std::to_string(max) + " channels are in use (channel_max)"),
        now);
  }
  if (id == channels_.size()) channels_.resize(id + 1);
  channels_[id] = channel;
  channel->begin(static_cast<std::uint16_t>(id), now);
}

void Engine::forget(ChannelCore& channel) {
  channel.marked_ = false;
  std::erase(dirty_, &channel);
  std::replace(working_.begin(), working_.end(), &channel, static_cast<ChannelCore*>(nullptr));
  std::erase(unwritten_, &channel);
  std::erase_if(waiting_, [&](const auto& each) { return each.get() == &channel; });
}

void Engine::release(std::uint16_t id) {
  if (id < channels_.size()) channels_[id] = nullptr;
}

ChannelCore* Engine::find(std::uint16_t id) {
  return id < channels_.size() ? channels_[id].get() : nullptr;
}

void Engine::on_channel_method(std::uint16_t channel, wire::Bytes payload, Now now) {
  now_ = now;
  if (find(channel)) {
    const std::shared_ptr<ChannelCore> held = channels_[channel];
    return held->on_method(payload, now);
  }
  session_.violate(ReplyErrc::channel_error,
                   "channel " + std::to_string(channel) + ": a method came, and it is not open",
                   now);
}

void Engine::on_channel_content(std::uint16_t channel, Content content, Now now) {
  now_ = now;
  if (ChannelCore* const core = find(channel)) core->on_content(std::move(content), now);
}

Incoming::Take Engine::takes_content(std::uint16_t channel) {
  const ChannelCore* const core = find(channel);
  return core ? core->takes_content() : Incoming::Take::refuse;
}

}  // namespace tern::amqp
