// Engine: the deterministic client behind the facade. It owns the cluster view, producers,
// consumers and operations; it does no I/O, reads no clock and draws no randomness but from its
// seed.
//
// All of it belongs to the driver's executor, except post(), which hands a call over from any
// thread. A public entry point is bracketed by enter(): it reads the time once. User code runs only
// from run_completions().
#ifndef TERN_CLIENT_KAFKA_ENGINE_H_
#define TERN_CLIENT_KAFKA_ENGINE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/completion.h"
#include "client/core/inlet.h"
#include "client/core/ports.h"
#include "client/core/random.h"
#include "client/core/timers.h"
#include "client/kafka/cluster.h"
#include "client/kafka/config.h"
#include "client/kafka/observer.h"

namespace tern::kafka {

// A producer, a consumer, ...: something that lives in an engine.
class Part {
 public:
  virtual ~Part() = default;
  // Called in each step, after timers and posted calls: sends what has become ready.
  virtual void step(Now now) = 0;
  // Runs the handlers of what has completed. A handler that throws must not lose the others: take
  // each out before calling it. More may complete meanwhile; that may wait for the next call.
  virtual void run_completions() = 0;
  // Ends the operation with this number, if it is one of its own that has not ended yet.
  virtual void cancel(std::uint64_t id) = 0;
  // The engine is being closed: fail everything with ClientErrc::closed now.
  virtual void shut_down(const Failure& why, Now now) = 0;
  // After shut_down(), in place of run_completions(): destroys the handlers it would have called.
  virtual void discard_completions() {}
};

class Engine final : public Machine {
 public:
  // `config` must have passed check(). `seed` is used where the config gives none.
  Engine(Network& network, ClientConfig config, std::uint64_t seed);
  ~Engine();

  // Machine
  void step(Now now) override;
  Time next_deadline() const override;
  void run_completions() override;

  // After close(), when nobody can be told any more: destroys all handlers uncalled.
  void discard_completions();

  // From any thread: runs `call` in the next step.
  void post(Inlet::Call call);
  // Reads the time for a public call, on the executor.
  Now enter() { return now_ = network_.now(); }
  // Says that a step is needed soon (work was queued outside of one).
  void wake() { network_.wake(); }

  // Queues a handler with its arguments for run_completions().
  template <class... Args>
  void complete(Completion<Args...> handler, std::type_identity_t<Args>... args) {
    completions_.push_back([handler = std::move(handler), ... args = std::move(args)]() mutable {
      handler(std::move(args)...);
    });
    wake();
  }

  void cancel(std::uint64_t id);

  // Takes a part in, to be stepped from now on. Parts stay until remove(); remove() during a step
  // or from a completion is fine.
  void add(std::shared_ptr<Part> part);
  void remove(Part& part);

  // Fails everything with ClientErrc::closed and closes all connections. Further calls fail.
  void close(Now now);
  bool is_closed() const { return closed_; }

  // Connection::work() is to be called in this step or the next.
  void mark_dirty(Connection& connection);
  void forget(Connection& connection);

  // For the parts.
  Network& network() { return network_; }
  Timers& timers() { return timers_; }
  Random& random() { return random_; }
  Cluster& cluster() { return *cluster_; }
  const ClientConfig& config() const { return config_; }
  FramePool& response_pool() { return response_pool_; }
  Observer* observer() { return config_.observer.get(); }
  // To the observer, if there is one.
  void tell_trouble(std::string_view what, const Failure& why) {
    if (config_.observer) config_.observer->on_trouble(what, why);
  }
  // The time of the step, event or call being worked on.
  Now now() const { return now_; }
  void set_now(Now now) { now_ = now; }

 private:
  const ClientConfig config_;
  Random random_;
  Timers timers_;
  const std::unique_ptr<StreamNetwork> stream_;  // null: plain TCP
  Network& network_;
  Inlet inlet_;
  Now now_;
  bool closed_ = false;
  std::vector<std::shared_ptr<Part>> parts_;
  std::vector<std::shared_ptr<Part>> removed_;  // let go of at the end of the step
  std::deque<Completion<>> completions_;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> working_;
  FramePool response_pool_;  // for large answers that nobody keeps
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ENGINE_H_
