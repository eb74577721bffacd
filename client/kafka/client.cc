#include "client/kafka/client.h"

#include <optional>
#include <random>
#include <system_error>

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
  if (const Failure failure = check(config)) throw std::system_error(failure.code, failure.message());
  return config;
}

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
    if (!network_.on_executor()) return engine_.post(std::move(call));
    engine_.enter();
    call();
    network_.wake();
  }

  void cancel(std::uint64_t op) override {
    engine_.post([this, op] { engine_.cancel(op); });
  }

  // On the executor, when nobody refers to the client any more.
  void end() {
    engine_.close(network_.now());
    if (sockets_) sockets_->shutdown();
    engine_.run_completions();
  }

  const std::unique_ptr<net::AsioNetwork>& sockets() const { return sockets_; }

 private:
  std::unique_ptr<net::AsioNetwork> sockets_;  // goes last: the engine's links use it
  Network& network_;
  Engine engine_;
};

// Ends a client on its executor, whichever thread has dropped the last reference, and even if that
// happened inside one of its own handlers.
struct EndLater {
  void operator()(OwnState* state) const {
    std::unique_ptr<OwnState> owned(state);
    if (!state->sockets()) return;  // whoever drives the network sees to it that nothing is running
    net::AsioNetwork& sockets = *state->sockets();
    sockets.post([owned = std::move(owned)] { owned->end(); });
  }
};

}  // namespace

std::shared_ptr<ClientState> ClientState::make(const net::Executor& executor, ClientConfig config) {
  const std::uint64_t seed = seed_of(config);
  return std::shared_ptr<OwnState>(new OwnState(executor, std::move(config), seed, nullptr),
                                   EndLater());
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
  state_->run([state = state_] { state->engine().close(state->engine().now()); });
}

}  // namespace tern::kafka
