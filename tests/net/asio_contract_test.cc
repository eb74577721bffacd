// The contract of a Network, on sockets over loopback.
#include <asio/io_context.hpp>
#include <chrono>
#include <memory>

#include "client/net/asio_network.h"
#include "tests/net/network_contract.h"

namespace tern::contract {
namespace {

class SocketWorld final : public World {
 public:
  Network& client() override { return client_; }
  Network& server() override { return server_; }
  void attach(Machine& client, Machine& server) override {
    client_.attach(client);
    server_.attach(server);
  }
  std::string server_host() override { return "127.0.0.1"; }
  // No resolver has to ask anybody about a label that is longer than labels can be.
  std::string unknown_host() override { return std::string(70, 'x') + ".invalid"; }
  bool run_until(const std::function<bool()>& done) override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (io_.stopped()) io_.restart();
      if (io_.run_one_until(end) == 0 && std::chrono::steady_clock::now() >= end) return false;
    }
    return true;
  }
  void settle() override {
    for (int quiet = 0; quiet < 3; ++quiet) {
      if (io_.stopped()) io_.restart();
      while (io_.poll() != 0) quiet = 0;
    }
  }

 private:
  asio::io_context io_{1};
  net::AsioNetwork client_{io_};
  net::AsioNetwork server_{io_};
};

INSTANTIATE_TEST_SUITE_P(Sockets, NetworkContract,
                         testing::Values(ContractWorld{
                             "asio", [] { return std::make_unique<SocketWorld>(); }}));

}  // namespace
}  // namespace tern::contract
