// The inside of AsioNetwork, which pending Asio operations share the ownership of. Not for users.
#ifndef TERN_CLIENT_NET_ASIO_NETWORK_STATE_H_
#define TERN_CLIENT_NET_ASIO_NETWORK_STATE_H_

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "client/net/asio_network.h"
#include "client/net/sockets.h"

namespace tern::net {

namespace internal {

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

}  // namespace internal

// Everything that pending Asio operations refer to.
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
  using tcp = asio::ip::tcp;

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
    bool read_waiting = false;  // an async_wait is pending
    bool write_waiting = false;
    bool write_due = false;  // is in writes_due_, or will be once connected
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
  void read_last_words(LinkId id);
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

  internal::Counter reads_, writes_, read_bytes_, written_bytes_, waits_, steps_, timers_;
  std::atomic<std::uint64_t> wakes_{0};
};

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_ASIO_NETWORK_STATE_H_
