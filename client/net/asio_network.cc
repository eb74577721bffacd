#include "client/net/asio_network.h"

#include <asio/post.hpp>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "client/net/asio_network_state.h"
#include "client/net/sockets.h"

namespace tern::net {

namespace {

// After so many rounds of step() without a pause, others on the executor get their turn.
constexpr int kMaxRounds = 16;

}  // namespace

// ---- bursts

void AsioNetwork::State::refresh_now() {
  // Exact, once per event: deadlines set from a clock that is a tick behind would come early by
  // that.
  now_ = {internal::exact_time(), internal::coarse_wall_ms()};
  floor_.store(now_.mono, std::memory_order_relaxed);
}

Now AsioNetwork::State::now() const {
  const Time floor = floor_.load(std::memory_order_relaxed);
  const Time coarse = internal::coarse_time();
  return {coarse < floor ? floor : coarse, internal::coarse_wall_ms()};
}

void AsioNetwork::State::wake() {
  // Only the first wake of several posts. During a burst the burst itself takes notice.
  if (wake_.exchange(kPending, std::memory_order_acq_rel) == kIdle) post_burst();
}

void AsioNetwork::State::post_burst() {
  wakes_.fetch_add(1, std::memory_order_relaxed);
  asio::post(executor_.any(), [self = shared_from_this()] {
    // Not pending: an earlier burst has seen to it already.
    if (self->wake_.load(std::memory_order_acquire) != kPending) return;
    if (self->bursting_)
      return;  // a handler runs the executor from inside; the outer burst goes on
    Inside inside(*self);
    self->run_burst();
  });
}

// Called at the end of each event.
void AsioNetwork::State::settle() {
  dirty_ = true;
  if (bursting_) return;
  if (links_ <= 1 && listening_ == 0) {
    run_burst();  // no other link whose event could be waiting to join this burst
  } else {
    wake();
  }
}

void AsioNetwork::State::run_burst() {
  if (machine_ == nullptr) {
    // Nothing drives the links any more, but those that were being closed still hear of it.
    wake_.store(kIdle, std::memory_order_release);
    deliver_closed();
    return;
  }
  struct Scope {
    State& state;
    bool again = true;  // also when a handler throws: what it left behind is worked off next
    explicit Scope(State& s) : state(s) { state.bursting_ = true; }
    ~Scope() {
      state.bursting_ = false;
      if (again) {
        state.wake_.store(kPending, std::memory_order_release);
        state.post_burst();
      }
    }
  } scope(*this);
  scope.again = run_rounds();
  if (machine_ != nullptr) arm_timer();
}

// True if there was still work after the last round.
bool AsioNetwork::State::run_rounds() {
  for (int round = 0; round < kMaxRounds; ++round) {
    wake_.exchange(kBusy, std::memory_order_acq_rel);
    dirty_ = false;
    refresh_now();
    deliver_closed();
    if (machine_ == nullptr) break;
    steps_.add();
    machine_->step(now_);
    flush_writes();
    deliver_closed();
    if (machine_ == nullptr) break;
    machine_->run_completions();
    if (machine_ == nullptr) break;
    int busy = kBusy;
    if (!dirty_ && closed_.empty() && writes_due_.empty() &&
        wake_.compare_exchange_strong(busy, kIdle, std::memory_order_acq_rel)) {
      return false;
    }
  }
  if (machine_ != nullptr) return true;
  wake_.store(kIdle, std::memory_order_release);
  return false;
}

void AsioNetwork::State::deliver_closed() {
  while (!closed_.empty()) {
    std::vector<LinkId> batch;
    batch.swap(closed_);
    for (const LinkId id : batch) {
      Slot& slot = *slots_[id.index];
      Link* const link = slot.link;
      const Stage stage = slot.stage;
      const std::error_code why = slot.why;
      free_slot(slot);
      free_slots_.push_back(id.index);
      dirty_ = true;
      if (link != nullptr) link->on_closed(stage, why, now_);
    }
  }
}

void AsioNetwork::State::flush_writes() {
  // What asks again meanwhile has its turn in the next round.
  std::vector<LinkId> batch = std::exchange(taken_, {});
  batch.swap(writes_due_);
  for (const LinkId id : batch) {
    Slot* const slot = find(id);
    if (slot == nullptr || slot->phase != Phase::open) continue;  // on_connected() remembers
    slot->write_due = false;
    if (!slot->write_waiting) write_some(id);
  }
  batch.clear();
  taken_ = std::move(batch);
}

void AsioNetwork::State::arm_timer() {
  const Time deadline = machine_->next_deadline();
  if (deadline == kNever) {
    // A timer that fires for nothing is cheaper than setting it anew for every request, but it must
    // not keep the executor from ending.
    if (links_ == 0 && listening_ == 0 && armed_ != kNever) {
      armed_ = kNever;
      timer_.cancel();
    }
    return;
  }
  if (deadline >= armed_) return;
  armed_ = deadline;
  timers_.add();
  timer_.expires_at(std::chrono::steady_clock::time_point(deadline.time_since_epoch()));
  timer_.async_wait([self = shared_from_this(), deadline](std::error_code error) {
    if (!error) self->on_timer(deadline);
  });
}

void AsioNetwork::State::on_timer(Time deadline) {
  if (armed_ != deadline || machine_ == nullptr) return;  // set anew while this was on its way
  Inside inside(*this);
  armed_ = kNever;
  refresh_now();
  if (machine_->next_deadline() <= now_.mono) {
    settle();
  } else {
    arm_timer();
  }
}

// ---- the end

void AsioNetwork::State::shutdown() {
  if (std::exchange(ended_, true)) return;
  Inside inside(*this);
  refresh_now();
  const std::error_code why = std::make_error_code(std::errc::operation_canceled);
  for (std::uint32_t i = 0; i < slots_.size(); ++i) fail({i, slots_[i]->generation}, why);
  deliver_closed();
  abandon();
}

// Forgets machine, links and acceptors, and gives back to the system what is its own.
void AsioNetwork::State::abandon() {
  ended_ = true;
  machine_ = nullptr;
  armed_ = kNever;
  timer_.cancel();
  resolver_.cancel();
  std::error_code ignored;
  for (const auto& slot : slots_) {
    slot->phase = Phase::closing;
    slot->link = nullptr;
    if (slot->socket) slot->socket->close(ignored);
  }
  closed_.clear();
  writes_due_.clear();
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    close_listener({i, listeners_[i]->generation});
  }
}

NetworkStats AsioNetwork::State::stats() const {
  NetworkStats stats;
  stats.reads = reads_.get();
  stats.writes = writes_.get();
  stats.read_bytes = read_bytes_.get();
  stats.written_bytes = written_bytes_.get();
  stats.waits = waits_.get();
  stats.wakes = wakes_.load(std::memory_order_relaxed);
  stats.steps = steps_.get();
  stats.timers = timers_.get();
  return stats;
}

// ---- the public face

AsioNetwork::AsioNetwork(const Executor& executor, const NetworkOptions& options)
    : state_(std::make_shared<State>(executor, options)) {}
AsioNetwork::~AsioNetwork() { state_->abandon(); }

void AsioNetwork::attach(Machine& machine) { state_->attach(machine); }
void AsioNetwork::shutdown() { state_->shutdown(); }
void AsioNetwork::post(Completion<> call) {
  asio::post(state_->executor().any(), [run = std::move(call)]() mutable { run(); });
}
const Executor& AsioNetwork::executor() const { return state_->executor(); }
NetworkStats AsioNetwork::stats() const { return state_->stats(); }

LinkId AsioNetwork::open(const Endpoint& endpoint, Link& link) {
  return state_->open(endpoint, link);
}
void AsioNetwork::close(LinkId id) { state_->close(id); }
ListenerId AsioNetwork::listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                               Endpoint* bound) {
  return state_->listen(endpoint, acceptor, error, bound);
}
void AsioNetwork::close_listener(ListenerId id) { state_->close_listener(id); }
void AsioNetwork::want_write(LinkId id) { state_->want_write(id); }
void AsioNetwork::pause_read(LinkId id, bool paused) { state_->pause_read(id, paused); }
void AsioNetwork::wake() { state_->wake(); }
bool AsioNetwork::on_executor() const { return state_->executor().running_in_this_thread(); }
Now AsioNetwork::now() const { return state_->now(); }
std::int64_t AsioNetwork::wall_ms() const { return internal::coarse_wall_ms(); }

}  // namespace tern::net
