// EngineHost: what a client's objects share: an engine, the network it runs on, and the executor.
//
// It ends on its executor, whichever thread drops the last reference, and even if that happens
// inside one of its own handlers: what still waits is told first. If the execution context ends
// before that, handlers that are left are destroyed uncalled, as those of Asio's own operations.
//
// An Engine is a Machine with enter(), post(), cancel(id), end(now) (everything fails now) and
// discard_completions().
#ifndef TERN_CLIENT_NET_ENGINE_HOST_H_
#define TERN_CLIENT_NET_ENGINE_HOST_H_

#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/query.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "client/core/completion.h"
#include "client/core/ports.h"
#include "client/net/asio_network.h"
#include "client/net/async.h"
#include "client/net/executor.h"

namespace tern::net {

template <class Engine>
class EngineHost final : public Canceller {
 public:
  // The engine is made from a network and `arguments`.
  template <class... Arguments>
  static std::shared_ptr<EngineHost> make(const Executor& executor, Arguments&&... arguments) {
    std::shared_ptr<EngineHost> host(
        new EngineHost(executor, nullptr, std::forward<Arguments>(arguments)...), EndLater());
    asio::execution_context& context = asio::query(executor.any(), asio::execution::context);
    asio::use_service<HostsOfContext>(context).add(host);
    return host;
  }
  // On a network of the caller's, which must outlive the client and be driven on `executor`;
  // `attach` is called with the machine to drive.
  template <class... Arguments>
  static std::shared_ptr<EngineHost> make_on(Network& network,
                                             const std::function<void(Machine&)>& attach,
                                             const Executor& executor, Arguments&&... arguments) {
    std::shared_ptr<EngineHost> host(
        new EngineHost(executor, &network, std::forward<Arguments>(arguments)...), EndLater());
    attach(host->engine_);
    return host;
  }

  Engine& engine() { return engine_; }
  const Executor& executor() const { return executor_; }
  // Whether the engine may be called right here.
  bool on_executor() const { return !context_gone_ && network_.on_executor(); }

  // Runs `call` on the executor: now if this is it, else in the engine's next step. `call` must not
  // run user code, and not own this object: it may wait in there for ever. It never outlives the
  // engine.
  template <class Call>
  void run(Call call) {
    if (context_gone_) return;
    if (!network_.on_executor()) return engine_.post(std::move(call));
    engine_.enter();
    call();
    network_.wake();
  }

  void cancel(std::uint64_t op) override {
    engine_.post([this, op] { engine_.cancel(op); });
  }

 private:
  struct EndLater {
    void operator()(EngineHost* host) const { end_later(std::unique_ptr<EngineHost>(host)); }
  };
  friend struct std::default_delete<EngineHost>;

  // Tells the hosts on an execution context of its end. Without it a coroutine that holds a client,
  // and waits for it, would hold itself.
  class HostsOfContext final : public asio::execution_context::service {
   public:
    using key_type = HostsOfContext;
    static inline asio::execution_context::id id;

    explicit HostsOfContext(asio::execution_context& context) : service(context) {}
    void add(const std::shared_ptr<EngineHost>& host) {
      std::lock_guard lock(mutex_);
      std::erase_if(hosts_, [](const auto& each) { return each.expired(); });
      hosts_.push_back(host);
    }
    void shutdown() override {
      for (const auto& each : std::exchange(hosts_, {})) {
        if (const std::shared_ptr<EngineHost> host = each.lock()) host->abandon();
      }
    }

   private:
    std::mutex mutex_;
    std::vector<std::weak_ptr<EngineHost>> hosts_;
  };

  template <class... Arguments>
  EngineHost(const Executor& executor, Network* network, Arguments&&... arguments)
      : executor_(executor),
        sockets_(network ? nullptr : std::make_unique<AsioNetwork>(executor)),
        network_(network ? *network : *sockets_),
        engine_(network_, std::forward<Arguments>(arguments)...) {
    if (sockets_) sockets_->attach(engine_);
  }
  ~EngineHost() = default;

  static void end_later(std::unique_ptr<EngineHost> host) {
    if (host->context_gone_) return;
    // On a network of somebody else's: who drives it sees to it that nothing is running.
    if (!host->sockets_) return;
    AsioNetwork& sockets = *host->sockets_;
    sockets.post([host = std::move(host)]() mutable {
      host->end_all();
      tell_last(std::move(host));
    });
  }

  // In the destructor of the execution context; nothing runs any more.
  void abandon() {
    context_gone_ = true;
    end_all();
    engine_.discard_completions();
  }

  void end_all() {
    const Now now = engine_.enter();
    engine_.end(now);
    engine_.step(now);  // what other threads have posted ends as well
    if (sockets_) sockets_->shutdown();
  }

  // Makes the last calls. A handler that throws must not lose the others.
  static void tell_last(std::unique_ptr<EngineHost> host) {
    try {
      host->engine_.run_completions();
    } catch (...) {
      AsioNetwork& sockets = *host->sockets_;
      sockets.post([host = std::move(host)]() mutable { tell_last(std::move(host)); });
      throw;
    }
  }

  const Executor executor_;
  std::unique_ptr<AsioNetwork> sockets_;  // goes last: the engine's links use it
  Network& network_;
  Engine engine_;
  bool context_gone_ = false;
};

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_ENGINE_HOST_H_
