// Engine: the deterministic AMQP client behind a facade: one connection and its channels. It does
// no I/O, reads no clock and draws no randomness but from its seed.
//
// connect() tries each host once, in order. When a connection that was there is lost, it is made
// again (config.recover), and so is what was declared on it, in this order: exchanges, bindings
// between them, queues, bindings of queues, then the channels with their modes, prefetch and
// consumers. What cannot be brought back is told and left out. Without recovery the channels end
// with the connection, and connect() may be called again.
//
// All of it belongs to the driver's executor, except post(), which hands a call over from any
// thread. A public entry point is bracketed by enter(): it reads the time once. User code runs only
// from run_completions().
#ifndef TERN_CLIENT_AMQP_ENGINE_H_
#define TERN_CLIENT_AMQP_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/config.h"
#include "client/amqp/session.h"
#include "client/amqp/topology.h"
#include "client/core/backoff.h"
#include "client/core/completion.h"
#include "client/core/frame.h"
#include "client/core/inlet.h"
#include "client/core/ports.h"
#include "client/core/random.h"
#include "client/core/timers.h"

namespace tern::amqp {

class Engine final : public Machine, private Session::Owner {
 public:
  // `config` must have passed check(). `seed` is used where the config gives none.
  Engine(Network& network, ConnectionConfig config, std::uint64_t seed = 1);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Machine
  void step(Now now) override;
  Time next_deadline() const override { return timers_.next(); }
  void run_completions() override;

  // When nobody can be told any more: destroys all handlers uncalled. The engine is at its end
  // then.
  void discard_completions();

  // From any thread: runs `call` in the next step.
  void post(Inlet::Call call) {
    inlet_.post(std::move(call));
    network_.wake();
  }
  // Reads the time for a public call, on the executor.
  Now enter() { return now_ = network_.now(); }
  void wake() { network_.wake(); }
  // Ends the waiting with this number, if it has not ended yet.
  void cancel(std::uint64_t op);
  // Everything fails now, without a goodbye; the network is about to close all links.
  void end(Now now);

  // Error: that of the last host tried; busy: connected, or at it; closed.
  void connect(Completion<Failure> done);
  bool is_connected() const { return session_.is_ready(); }

  // A channel that opens as soon as there is a connection. Without a free number (channel_max) it
  // is closed at once, with the error not_allowed; if a connection that was lost is not back within
  // operation_timeout, with timed_out.
  std::shared_ptr<ChannelCore> open_channel(const ChannelConfig& config = {});

  // Says goodbye, behind what is still to be written, and ends for good within close_timeout.
  // `done` is told when the connection is gone. Never fails.
  void close(Completion<Failure> done);

  // Called in a step when the broker stops taking messages (memory or disk), and when it goes on or
  // the connection ends.
  using BlockedHandler = std::function<void(bool blocked, std::string_view reason)>;
  void on_blocked(BlockedHandler handler) { blocked_handler_ = std::move(handler); }
  // Called in a step when the connection has ended after it was there.
  using LostHandler = std::function<void(const Failure& why)>;
  void on_lost(LostHandler handler) { lost_handler_ = std::move(handler); }

  // Called in a step when what was declared is there again, and the channels are being opened; and
  // for each thing that could not be brought back.
  using RecoveredHandler = std::function<void()>;
  void on_recovered(RecoveredHandler handler) { recovered_handler_ = std::move(handler); }
  using NotRecoveredHandler = std::function<void(std::string_view what, const Failure& why)>;
  void on_not_recovered(NotRecoveredHandler handler) {
    not_recovered_handler_ = std::move(handler);
  }
  bool is_recovering() const { return recovering_; }
  // Called in a step when the broker has closed a channel because an acknowledgement did not come
  // in time; with recovery, it is being opened again.
  using AckTimeoutHandler = std::function<void(const Failure& why)>;
  void on_ack_timeout(AckTimeoutHandler handler) { ack_timeout_handler_ = std::move(handler); }

  // For the channels.
  Topology& topology() { return topology_; }
  void not_recovered(std::string_view what, const Failure& why);
  void ack_timed_out(const Failure& why);
  // The channel was closed by the broker, and is to go on: with a new number, once more.
  void open_again(std::uint16_t id);
  // Cancelled; if nobody else here consumes from that queue, auto-delete takes it.
  void left_by_consumer(const std::string& queue);
  Session& session() { return session_; }
  Timers& timers() { return timers_; }
  const ConnectionConfig& config() const { return config_; }
  Now now() const { return now_; }
  // Queues a handler with its arguments for run_completions().
  template <class... Args>
  void complete(Completion<Args...> handler, std::type_identity_t<Args>... args) {
    completions_.push_back([handler = std::move(handler), ... args = std::move(args)]() mutable {
      handler(std::move(args)...);
    });
    wake();
  }
  // The same for what became of a message, without taking memory.
  void resolve(Completion<Failure>&& handler, Failure outcome) {
    const bool is_first = outcomes_.empty();
    outcomes_.emplace_back(std::move(handler), std::move(outcome));
    if (is_first) wake();
  }
  // Whether something that was resolved has still to be told.
  bool has_outcomes() const { return !outcomes_.empty() || running_at_ != running_.size(); }
  // ChannelCore::tell_due() is to be called with the outcomes.
  void list_due(ChannelCore& channel);
  // All consumers there are, so that those that outlive the engine learn of its end.
  void add(ConsumerCore& consumer) { all_consumers_.push_back(&consumer); }
  void remove(ConsumerCore& consumer) { std::erase(all_consumers_, &consumer); }
  // A consumer has something to tell, or so it may be.
  void list(ConsumerCore& consumer);
  // ChannelCore::step() is to be called in this step or the next.
  void mark(ChannelCore& channel);
  void forget(ChannelCore& channel);
  // The same, once more of the output has gone out.
  void mark_when_written(ChannelCore& channel);
  // The channel is closed on both sides, and its number free.
  void release(std::uint16_t id);
  // Bytes of deliveries that wait for somebody to take them.
  void count_delivered(std::ptrdiff_t bytes);

 private:
  struct Outcome {
    Outcome(Completion<Failure>&& its_handler, Failure&& its_failure)
        : handler(std::move(its_handler)), failure(std::move(its_failure)) {}
    Completion<Failure> handler;
    Failure failure;
  };

  // Session::Owner
  void on_session_ready(Now now) override;
  void on_channel_method(std::uint16_t channel, wire::Bytes payload, Now now) override;
  void on_channel_content(std::uint16_t channel, Content content, Now now) override;
  Incoming::Take takes_content(std::uint16_t channel) override;
  void on_blocked(bool blocked, std::string_view reason, Now now) override;
  void on_session_written() override;
  void on_session_ended(const Failure& why, Now now) override;

  void open_next_host(Now now);
  void begin_recovery(const Failure& why, Now now);
  void on_recovery_timer(Now now);
  void declare_next(Now now);
  template <class M>
  void declare_again(const Topology::Entity& entity);
  void on_declared_again(const Topology::Entity& entity, const Failure& why, const Reply& reply);
  bool declare_what_has_gone(const Topology::Entity& binding);
  void rename_queue(const std::string& from, const std::string& to);
  void finish_recovery(Now now);
  void open_waiting(Now now);
  void give_number(const std::shared_ptr<ChannelCore>& channel, Now now);
  ChannelCore* find(std::uint16_t id);

  const ConnectionConfig config_;
  Timers timers_;
  const std::unique_ptr<StreamNetwork> stream_;  // null: plain TCP
  Network& network_;
  Inlet inlet_;
  Now now_;
  FramePool pool_;
  Session session_;
  bool closed_ = false;
  bool connecting_ = false;
  bool was_ready_ = false;
  std::size_t host_ = 0;  // the one that is tried, or was last
  std::size_t hosts_tried_ = 0;
  Topology topology_;
  bool recovering_ = false;
  Random random_;
  Backoff backoff_;
  Timer recovery_timer_;
  std::vector<Topology::Entity> to_declare_;  // the next at the end
  int tries_ = 0;                             // of the next one
  std::map<std::string, int> times_gone_;     // exchanges, during this recovery
  std::shared_ptr<ChannelCore> declaring_;    // the channel that this is done on
  std::vector<Completion<Failure>> connect_done_;
  std::vector<Completion<Failure>> close_done_;
  std::vector<std::shared_ptr<ChannelCore>> channels_;  // by number; 0 is empty
  std::vector<std::shared_ptr<ChannelCore>> waiting_;   // for a connection
  std::vector<ChannelCore*> dirty_;
  std::vector<ChannelCore*> working_;  // what is dirty in this step; null: gone meanwhile
  std::vector<ChannelCore*> unwritten_;
  std::deque<Completion<>> completions_;
  std::vector<std::shared_ptr<ChannelCore>> due_;  // listed
  std::vector<Outcome> outcomes_;
  std::vector<Outcome> running_;  // their handlers are being called, from running_at_ on
  std::size_t running_at_ = 0;
  std::vector<std::shared_ptr<ConsumerCore>> consumers_;  // listed
  std::vector<ConsumerCore*> all_consumers_;
  std::size_t delivered_bytes_ = 0;
  bool reading_paused_ = false;
  BlockedHandler blocked_handler_;
  LostHandler lost_handler_;
  RecoveredHandler recovered_handler_;
  NotRecoveredHandler not_recovered_handler_;
  AckTimeoutHandler ack_timeout_handler_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_ENGINE_H_
