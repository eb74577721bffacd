#include "client/net/asio_network.h"

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/net/sockets.h"

namespace tern::net {

using asio::ip::tcp;
using internal::IoResult;
using internal::IoStatus;

namespace {

// Written by one thread, read by any.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// After so many rounds of step() without a pause, others on the executor get their turn.
constexpr int kMaxRounds = 16;
constexpr int kMaxAcceptsInARow = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

// Everything that pending Asio operations refer to; they share its ownership.
class AsioNetwork::State final : public std::enable_shared_from_this<State> {
 public:
  State(const Executor& executor, const NetworkOptions& options)
      : executor_(executor),
        options_(options),
        resolver_(executor_.any()),
        timer_(executor_.any()),
        floor_(internal::exact_time()) {}

  void attach(Machine& machine) { machine_ = &machine; }
  void shutdown();
  void abandon();

  LinkId open(const Endpoint& endpoint, Link& link);
  void close(LinkId id);
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound);
  void close_listener(ListenerId id);
  void want_write(LinkId id);
  void pause_read(LinkId id, bool paused);
  void wake();
  Now now() const;

  const Executor& executor() const { return executor_; }
  NetworkStats stats() const;

 private:
  enum class Phase { free, resolving, connecting, open, closing };

  struct Slot {
    std::uint32_t generation = 0;
    Phase phase = Phase::free;
    Link* link = nullptr;
    Stage stage = Stage::dns;
    std::error_code why;
    std::optional<tcp::socket> socket;
    std::vector<tcp::endpoint> addresses;
    std::size_t next_address = 0;
    bool read_waiting = false;   // an async_wait is pending
    bool write_waiting = false;
    bool write_due = false;      // is in writes_due_, or will be once connected
    bool paused = false;
  };

  struct Listener {
    std::uint32_t generation = 0;
    Acceptor* acceptor = nullptr;  // null: free
    std::optional<tcp::acceptor> socket;
    std::optional<asio::steady_timer> pause;
  };

  // Where work made by the machine will be noticed without a post: inside an event or a burst.
  class Inside {
   public:
    explicit Inside(State& state) : state_(state), before_(std::exchange(state.inside_, true)) {}
    ~Inside() { state_.inside_ = before_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    State& state_;
    bool before_;
  };

  enum Wake : int { kIdle, kPending, kBusy };

  // Bursts.
  void refresh_now();
  void settle();
  void post_burst();
  void run_burst();
  bool run_rounds();
  void deliver_closed();
  void flush_writes();
  void arm_timer();
  void on_timer(Time deadline);

  // Links.
  LinkId new_slot();
  void free_slot(Slot& slot);
  Slot* find(LinkId id);
  void fail(LinkId id, std::error_code why);
  void end(LinkId id, Slot& slot, std::error_code why);
  void on_resolved(LinkId id, std::error_code error, const tcp::resolver::results_type& results);
  void connect_next(LinkId id);
  bool start_connect(LinkId id, Slot& slot, const tcp::endpoint& address);
  void on_connected(LinkId id, std::error_code error);
  void wait_read(LinkId id, Slot& slot);
  void wait_write(LinkId id, Slot& slot);
  void on_readable(LinkId id, std::error_code error);
  void on_writable(LinkId id, std::error_code error);
  void read_some(LinkId id);
  void write_some(LinkId id);

  // Listeners.
  Listener* find(ListenerId id);
  std::optional<tcp::endpoint> local_address(const Endpoint& endpoint, std::error_code& error);
  bool bind_listener(const Endpoint& endpoint, tcp::acceptor& socket, std::error_code& error);
  void wait_accept(ListenerId id, Listener& listener);
  void pause_accept(ListenerId id, Listener& listener);
  void on_acceptable(ListenerId id);
  void adopt(int descriptor, const tcp& protocol, Acceptor& acceptor);

  const Executor executor_;
  const NetworkOptions options_;
  Machine* machine_ = nullptr;  // null: not attached yet, or shut down
  bool ended_ = false;

  tcp::resolver resolver_;
  asio::steady_timer timer_;
  Time armed_ = kNever;  // what the timer is set to

  std::vector<std::unique_ptr<Slot>> slots_;  // pointers, for slots must stay put
  std::vector<std::uint32_t> free_slots_;
  std::size_t links_ = 0;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t listening_ = 0;

  std::vector<LinkId> closed_;      // on_closed() is due
  std::vector<LinkId> writes_due_;  // gather() is due
  std::vector<LinkId> taken_;       // one of these two while it is being worked off
  BufferList pieces_;

  bool inside_ = false;
  bool bursting_ = false;
  bool dirty_ = false;  // an event has come since the last step
  std::atomic<int> wake_{kIdle};

  Now now_;
  std::atomic<Time> floor_;  // time as exact as last known, so that now() never runs backwards

  Counter reads_, writes_, read_bytes_, written_bytes_, waits_, steps_, timers_;
  std::atomic<std::uint64_t> wakes_{0};
};

// ---- bursts

void AsioNetwork::State::refresh_now() {
  // Exact, once per event: deadlines set from a clock that is a tick behind would come early by that.
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
    if (self->bursting_) return;  // a handler runs the executor from inside; the outer burst goes on
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

// ---- links

LinkId AsioNetwork::State::new_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<Slot>());
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = *slots_[index];
  if (++slot.generation == 0) ++slot.generation;
  ++links_;
  return {index, slot.generation};
}

// Leaves the generation, which new_slot() counts on.
void AsioNetwork::State::free_slot(Slot& slot) {
  const std::uint32_t generation = slot.generation;
  slot = Slot{};
  slot.generation = generation;
  --links_;
}

AsioNetwork::State::Slot* AsioNetwork::State::find(LinkId id) {
  if (id.generation == 0 || id.index >= slots_.size()) return nullptr;
  Slot& slot = *slots_[id.index];
  const bool live = slot.phase != Phase::free && slot.phase != Phase::closing;
  return live && slot.generation == id.generation ? &slot : nullptr;
}

LinkId AsioNetwork::State::open(const Endpoint& endpoint, Link& link) {
  if (ended_) return {};
  const LinkId id = new_slot();
  Slot& slot = *slots_[id.index];
  slot.link = &link;
  asio::ip::address address;
  if (!endpoint.host.empty() && internal::parse_address(endpoint.host, address)) {
    slot.addresses.emplace_back(address, endpoint.port);
    connect_next(id);
    return id;
  }
  slot.phase = Phase::resolving;
  resolver_.async_resolve(
      endpoint.host, std::to_string(endpoint.port), tcp::resolver::numeric_service,
      [self = shared_from_this(), id](std::error_code error,
                                      const tcp::resolver::results_type& results) {
        self->on_resolved(id, error, results);
      });
  return id;
}

void AsioNetwork::State::on_resolved(LinkId id, std::error_code error,
                                     const tcp::resolver::results_type& results) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  Inside inside(*this);
  if (error) {
    fail(id, error);
  } else {
    for (const auto& result : results) slot->addresses.push_back(result.endpoint());
    connect_next(id);
  }
  if (!closed_.empty()) settle();
}

// Tries the addresses in turn until one accepts; the error of the last one counts.
void AsioNetwork::State::connect_next(LinkId id) {
  Slot& slot = *slots_[id.index];
  slot.phase = Phase::connecting;
  slot.stage = Stage::tcp;
  while (slot.next_address < slot.addresses.size()) {
    if (start_connect(id, slot, slot.addresses[slot.next_address++])) return;
  }
  if (!slot.why) slot.why = std::make_error_code(std::errc::address_not_available);
  fail(id, slot.why);
}

bool AsioNetwork::State::start_connect(LinkId id, Slot& slot, const tcp::endpoint& address) {
  const int descriptor = internal::open_socket(address.protocol(), slot.why);
  if (descriptor < 0) return false;
  internal::set_options(descriptor, options_);
  slot.socket.emplace(executor_.any());
  std::error_code error;
  slot.socket->assign(address.protocol(), descriptor, error);
  if (error) {
    internal::close_socket(descriptor);
    slot.why = error;
    return false;
  }
  slot.socket->async_connect(address, [self = shared_from_this(), id](std::error_code result) {
    self->on_connected(id, result);
  });
  return true;
}

void AsioNetwork::State::on_connected(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  Inside inside(*this);
  if (!error) {
    // A port of the local machine that nobody listens on may be the very one this socket was given:
    // it then is connected to itself.
    std::error_code ignored;
    const tcp::endpoint local = slot->socket->local_endpoint(ignored);
    if (!ignored && local == slot->socket->remote_endpoint(ignored) && !ignored) {
      error = std::make_error_code(std::errc::connection_refused);
    }
  }
  if (error) {
    slot->why = error;
    connect_next(id);
    if (!closed_.empty()) settle();
    return;
  }
  slot->phase = Phase::open;
  slot->stage = Stage::protocol;
  slot->why = {};
  slot->addresses = {};
  wait_read(id, *slot);
  if (std::exchange(slot->write_due, false)) want_write(id);  // asked for before
  refresh_now();
  slot->link->on_open(now_);
  settle();
}

void AsioNetwork::State::close(LinkId id) {
  fail(id, std::make_error_code(std::errc::operation_canceled));
}

// Ends a link; on_closed() follows from the next burst.
void AsioNetwork::State::fail(LinkId id, std::error_code why) {
  Slot* const slot = find(id);
  if (slot != nullptr) end(id, *slot, why);
}

void AsioNetwork::State::end(LinkId id, Slot& slot, std::error_code why) {
  slot.phase = Phase::closing;
  slot.why = internal::plain(why);
  if (slot.socket) {
    std::error_code ignored;
    slot.socket->close(ignored);
  }
  closed_.push_back(id);
  if (!inside_) wake();
}

void AsioNetwork::State::want_write(LinkId id) {
  Slot* const slot = find(id);
  if (slot == nullptr || slot->write_due || slot->write_waiting) return;
  slot->write_due = true;
  writes_due_.push_back(id);
  if (!inside_) wake();
}

void AsioNetwork::State::pause_read(LinkId id, bool paused) {
  Slot* const slot = find(id);
  if (slot == nullptr || slot->paused == paused) return;
  slot->paused = paused;
  if (!paused && slot->phase == Phase::open) wait_read(id, *slot);
}

void AsioNetwork::State::wait_read(LinkId id, Slot& slot) {
  if (slot.paused || slot.read_waiting) return;
  slot.read_waiting = true;
  waits_.add();
  slot.socket->async_wait(tcp::socket::wait_read,
                          [self = shared_from_this(), id](std::error_code error) {
                            self->on_readable(id, error);
                          });
}

void AsioNetwork::State::wait_write(LinkId id, Slot& slot) {
  if (slot.write_waiting) return;
  slot.write_waiting = true;
  waits_.add();
  slot.socket->async_wait(tcp::socket::wait_write,
                          [self = shared_from_this(), id](std::error_code error) {
                            self->on_writable(id, error);
                          });
}

void AsioNetwork::State::on_readable(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  slot->read_waiting = false;
  if (!error && slot->paused) return;
  Inside inside(*this);
  refresh_now();
  if (error) {
    fail(id, error);
  } else {
    read_some(id);
  }
  settle();
}

void AsioNetwork::State::on_writable(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  slot->write_waiting = false;
  Inside inside(*this);
  refresh_now();
  if (error) {
    fail(id, error);
  } else {
    write_some(id);
  }
  settle();
}

void AsioNetwork::State::read_some(LinkId id) {
  std::size_t total = 0;
  for (;;) {
    Slot* slot = find(id);
    if (slot == nullptr || slot->paused || slot->read_waiting) return;
    const std::span<std::byte> space = slot->link->read_space();
    if (space.empty()) return fail(id, std::make_error_code(std::errc::no_buffer_space));
    const IoResult result = internal::read_socket(slot->socket->native_handle(), space);
    reads_.add();
    if (result.status == IoStatus::would_block) return wait_read(id, *slot);
    if (result.status == IoStatus::failed) return fail(id, result.error);
    if (result.bytes == 0) return fail(id, std::make_error_code(std::errc::connection_aborted));
    read_bytes_.add(result.bytes);
    total += result.bytes;
    slot->link->on_read(result.bytes, now_);
    // Less than there was room for: the socket is empty, asking again would only say so.
    if (result.bytes == space.size() && total < options_.read_burst_bytes) continue;
    slot = find(id);
    if (slot != nullptr) wait_read(id, *slot);
    return;
  }
}

void AsioNetwork::State::write_some(LinkId id) {
  std::size_t total = 0;
  for (;;) {
    Slot* slot = find(id);
    if (slot == nullptr) return;
    pieces_.clear();
    slot->link->gather(pieces_);
    if (pieces_.bytes() == 0) return;
    const IoResult result = internal::write_socket(slot->socket->native_handle(), pieces_);
    writes_.add();
    if (result.status == IoStatus::would_block) return wait_write(id, *slot);
    if (result.status == IoStatus::failed) return fail(id, result.error);
    written_bytes_.add(result.bytes);
    total += result.bytes;
    dirty_ = true;
    const bool full = result.bytes < pieces_.bytes();
    slot->link->on_written(result.bytes, now_);
    if (!full && total < options_.write_burst_bytes) continue;
    slot = find(id);
    if (slot == nullptr) return;
    if (full) return wait_write(id, *slot);
    return want_write(id);
  }
}

// ---- listeners

AsioNetwork::State::Listener* AsioNetwork::State::find(ListenerId id) {
  if (id.generation == 0 || id.index >= listeners_.size()) return nullptr;
  Listener& listener = *listeners_[id.index];
  return listener.acceptor != nullptr && listener.generation == id.generation ? &listener : nullptr;
}

std::optional<tcp::endpoint> AsioNetwork::State::local_address(const Endpoint& endpoint,
                                                               std::error_code& error) {
  asio::ip::address address;
  if (internal::parse_address(endpoint.host, address)) {
    return tcp::endpoint(address, endpoint.port);
  }
  const auto results = resolver_.resolve(endpoint.host, std::to_string(endpoint.port),
                                         tcp::resolver::numeric_service, error);
  if (!error && results.empty()) error = std::make_error_code(std::errc::address_not_available);
  if (error) return std::nullopt;
  // Of several the IPv4 address, for that is what clients that know one only would try.
  for (const auto& result : results) {
    if (result.endpoint().address().is_v4()) return result.endpoint();
  }
  return results.begin()->endpoint();
}

bool AsioNetwork::State::bind_listener(const Endpoint& endpoint, tcp::acceptor& socket,
                                       std::error_code& error) {
  const std::optional<tcp::endpoint> address = local_address(endpoint, error);
  if (!address) return false;
  const int descriptor = internal::open_socket(address->protocol(), error);
  if (descriptor < 0) return false;
  socket.assign(address->protocol(), descriptor, error);
  if (error) {
    internal::close_socket(descriptor);
    return false;
  }
  std::error_code ignored;
  socket.set_option(tcp::acceptor::reuse_address(true), ignored);
  socket.bind(*address, error);
  if (!error) socket.listen(tcp::acceptor::max_listen_connections, error);
  return !error;
}

ListenerId AsioNetwork::State::listen(const Endpoint& endpoint, Acceptor& acceptor,
                                      std::error_code& error, Endpoint* bound) {
  error.clear();
  if (ended_) {
    error = std::make_error_code(std::errc::operation_canceled);
    return {};
  }
  tcp::acceptor socket(executor_.any());
  if (!bind_listener(endpoint, socket, error)) {
    error = internal::plain(error);
    return {};
  }
  std::error_code ignored;
  if (bound != nullptr) *bound = internal::to_endpoint(socket.local_endpoint(ignored));

  std::uint32_t index = 0;
  while (index < listeners_.size() && listeners_[index]->acceptor != nullptr) ++index;
  if (index == listeners_.size()) listeners_.push_back(std::make_unique<Listener>());
  Listener& listener = *listeners_[index];
  if (++listener.generation == 0) ++listener.generation;
  listener.acceptor = &acceptor;
  listener.socket.emplace(std::move(socket));
  ++listening_;
  const ListenerId id{index, listener.generation};
  wait_accept(id, listener);
  return id;
}

void AsioNetwork::State::close_listener(ListenerId id) {
  Listener* const listener = find(id);
  if (listener == nullptr) return;
  listener->acceptor = nullptr;
  listener->socket.reset();
  listener->pause.reset();
  --listening_;
}

void AsioNetwork::State::wait_accept(ListenerId id, Listener& listener) {
  waits_.add();
  listener.socket->async_wait(tcp::acceptor::wait_read,
                              [self = shared_from_this(), id](std::error_code) {
                                self->on_acceptable(id);
                              });
}

// Out of descriptors or memory: the socket stays ready, so waiting for it would spin.
void AsioNetwork::State::pause_accept(ListenerId id, Listener& listener) {
  if (!listener.pause) listener.pause.emplace(executor_.any());
  listener.pause->expires_after(kAcceptPause);
  listener.pause->async_wait([self = shared_from_this(), id](std::error_code error) {
    if (!error) self->on_acceptable(id);
  });
}

void AsioNetwork::State::on_acceptable(ListenerId id) {
  if (find(id) == nullptr) return;
  Inside inside(*this);
  refresh_now();
  for (int i = 0; i < kMaxAcceptsInARow; ++i) {
    Listener* const listener = find(id);
    if (listener == nullptr) break;
    std::error_code error;
    const int descriptor = internal::accept_socket(listener->socket->native_handle(), error);
    if (descriptor < 0 && error != std::errc::operation_would_block) {
      pause_accept(id, *listener);
      return settle();
    }
    if (descriptor < 0) break;
    const tcp::endpoint local = listener->socket->local_endpoint(error);
    adopt(descriptor, local.protocol(), *listener->acceptor);
  }
  Listener* const listener = find(id);
  if (listener != nullptr) wait_accept(id, *listener);
  settle();
}

void AsioNetwork::State::adopt(int descriptor, const tcp& protocol, Acceptor& acceptor) {
  internal::set_options(descriptor, options_);
  const LinkId id = new_slot();
  Slot& slot = *slots_[id.index];
  slot.phase = Phase::open;
  slot.stage = Stage::protocol;
  slot.socket.emplace(executor_.any());
  std::error_code error;
  slot.socket->assign(protocol, descriptor, error);
  tcp::endpoint peer;
  if (!error) {
    peer = slot.socket->remote_endpoint(error);
  } else {
    internal::close_socket(descriptor);
  }
  // Without a peer it is gone again already, and nobody has heard of it.
  if (!error) slot.link = acceptor.on_accept(id, internal::to_endpoint(peer));
  if (slot.phase == Phase::closing) return;  // closed by on_accept()
  if (slot.link == nullptr) return end(id, slot, error);
  wait_read(id, slot);
  slot.link->on_open(now_);
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
ListenerId AsioNetwork::listen(const Endpoint& endpoint, Acceptor& acceptor,
                               std::error_code& error, Endpoint* bound) {
  return state_->listen(endpoint, acceptor, error, bound);
}
void AsioNetwork::close_listener(ListenerId id) { state_->close_listener(id); }
void AsioNetwork::want_write(LinkId id) { state_->want_write(id); }
void AsioNetwork::pause_read(LinkId id, bool paused) { state_->pause_read(id, paused); }
void AsioNetwork::wake() { state_->wake(); }
bool AsioNetwork::on_executor() const { return state_->executor().running_in_this_thread(); }
Now AsioNetwork::now() const { return state_->now(); }

}  // namespace tern::net
