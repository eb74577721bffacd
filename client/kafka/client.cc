#include "client/kafka/client.h"

#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/query.hpp>
#include <mutex>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "client/kafka/engine.h"
#include "client/net/asio_network.h"

namespace tern::kafka {
namespace {

std::uint64_t seed_of(const ClientConfig& config) {
  if (config.seed != 0) return config.seed;
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

ClientConfig checked(ClientConfig config) {
  if (const Failure failure = check(config))
    throw std::system_error(failure.code, failure.message());
  return config;
}

class OwnState;

// Tells the clients on an execution context of its end: what still waits is destroyed uncalled
// then, as Asio does with its own operations. Without it a coroutine that holds a producer, and
// waits for it, would hold itself.
class ClientsOfContext final : public asio::execution_context::service {
 public:
  using key_type = ClientsOfContext;
  static asio::execution_context::id id;

  explicit ClientsOfContext(asio::execution_context& context) : service(context) {}
  void add(const std::shared_ptr<OwnState>& client);
  void shutdown() override;

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<OwnState>> clients_;
};

asio::execution_context::id ClientsOfContext::id;

class OwnState final : public ClientState {
 public:
  OwnState(const net::Executor& executor, ClientConfig config, std::uint64_t seed, Network* network)
      : ClientState(executor, seed),
        sockets_(network ? nullptr : std::make_unique<net::AsioNetwork>(executor)),
        network_(network ? *network : *sockets_),
        engine_(network_, checked(std::move(config)), seed) {
    if (sockets_) sockets_->attach(engine_);
  }

  Engine& engine() override { return engine_; }

  void run(Completion<> call) override {
    if (context_gone_) return;
    if (!network_.on_executor()) return engine_.post(std::move(call));
    engine_.enter();
    call();
    network_.wake();
  }

  void cancel(std::uint64_t op) override {
    engine_.post([this, op] { engine_.cancel(op); });
  }

  // When nobody refers to the client any more: ends it on its executor, whichever thread dropped
  // the last reference, and even if that happened inside one of its own handlers.
  static void end_later(std::unique_ptr<OwnState> state) {
    if (state->context_gone_) return;
    // On a network of somebody else's: who drives it sees to it that nothing is running.
    if (!state->sockets_) return;
    net::AsioNetwork& sockets = *state->sockets_;
    sockets.post([state = std::move(state)]() mutable {
      state->close_all();
      tell_last(std::move(state));
    });
  }

  // In the destructor of the execution context; nothing runs any more.
  void abandon() {
    context_gone_ = true;
    close_all();
    engine_.discard_completions();
  }

 private:
  void close_all() {
    const Now now = engine_.enter();
    engine_.close(now);
    engine_.step(now);  // what other threads have posted ends as well
    sockets_->shutdown();
  }

  // Makes the last calls. A handler that throws must not lose the others.
  static void tell_last(std::unique_ptr<OwnState> state) {
    try {
      state->engine_.run_completions();
    } catch (...) {
      net::AsioNetwork& sockets = *state->sockets_;
      sockets.post([state = std::move(state)]() mutable { tell_last(std::move(state)); });
      throw;
    }
  }

  std::unique_ptr<net::AsioNetwork> sockets_;  // goes last: the engine's links use it
  Network& network_;
  Engine engine_;
  bool context_gone_ = false;
};

struct EndLater {
  void operator()(OwnState* state) const { OwnState::end_later(std::unique_ptr<OwnState>(state)); }
};

void ClientsOfContext::add(const std::shared_ptr<OwnState>& client) {
  std::lock_guard lock(mutex_);
  std::erase_if(clients_, [](const auto& each) { return each.expired(); });
  clients_.push_back(client);
}

void ClientsOfContext::shutdown() {
  for (const auto& each : std::exchange(clients_, {})) {
    if (const std::shared_ptr<OwnState> client = each.lock()) client->abandon();
  }
}

}  // namespace

std::shared_ptr<ClientState> ClientState::make(const net::Executor& executor, ClientConfig config) {
  const std::uint64_t seed = seed_of(config);
  std::shared_ptr<OwnState> state(new OwnState(executor, std::move(config), seed, nullptr),
                                  EndLater());
  asio::execution_context& context = asio::query(executor.any(), asio::execution::context);
  asio::use_service<ClientsOfContext>(context).add(state);
  return state;
}

std::shared_ptr<ClientState> ClientState::make(const net::Executor& executor, ClientConfig config,
                                               Network& network,
                                               const std::function<void(Machine&)>& attach) {
  const std::uint64_t seed = seed_of(config);
  std::shared_ptr<OwnState> state(new OwnState(executor, std::move(config), seed, &network),
                                  EndLater());
  attach(state->engine());
  return state;
}

Client::~Client() = default;

void Client::close() {
  // No reference in there: it would keep the client from ending if its executor never ran again.
  state_->run([&engine = state_->engine()] { engine.close(engine.now()); });
}

}  // namespace tern::kafka
