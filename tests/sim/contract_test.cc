// The contract of a Network, on the simulated one: without faults, and with whatever does not break
// a connection: pieces of any size, small buffers, delays, late steps, both ways to ask for read
// space.
#include <memory>
#include <string>

#include "tests/net/network_contract.h"
#include "tests/sim/network.h"

namespace tern::contract {
namespace {

sim::FaultPlan lawful(std::uint64_t seed) {
  if (seed == 0) return sim::FaultPlan::none();
  const sim::FaultPlan drawn = sim::FaultPlan::draw(sim::Rng(seed));
  sim::FaultPlan plan;
  plan.latency = std::chrono::microseconds(1 + seed);
  plan.delay_mean = std::chrono::microseconds(20);
  plan.delay_p = drawn.delay_p;
  // Six million bytes have to come through; the toy clients take smaller pieces.
  plan.read_max = drawn.read_max > 0 ? drawn.read_max + 1000 : 0;
  plan.write_max = drawn.write_max > 0 ? drawn.write_max + 1000 : 0;
  plan.buffer_bytes = drawn.buffer_bytes + 1000;
  plan.eager_read_space = drawn.eager_read_space;
  plan.burst = drawn.burst;
  return plan;
}

class SimWorld final : public World {
 public:
  explicit SimWorld(std::uint64_t seed) : world_(seed), fabric_(world_, lawful(seed)) {
    // A test of the suite wakes itself up over and over.
    client_.set_hot_loop_limits(1000, 100'000);
  }
  ~SimWorld() override {
    for (const std::string& violation : world_.violations()) ADD_FAILURE() << violation;
  }
  Network& client() override { return client_; }
  Network& server() override { return server_; }
  void attach(Machine& client, Machine& server) override {
    client_.attach(client);
    server_.attach(server);
  }
  std::string server_host() override { return "server"; }
  std::string unknown_host() override { return "nowhere"; }
  bool run_until(const std::function<bool()>& done) override {
    return world_.run_until(done, std::chrono::seconds(10));
  }
  void settle() override { world_.run_for(std::chrono::milliseconds(20)); }

 private:
  sim::World world_;
  sim::Fabric fabric_;
  sim::Network client_{fabric_, "client"};
  sim::Network server_{fabric_, "server"};
};

std::vector<ContractWorld> worlds() {
  std::vector<ContractWorld> all;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    all.push_back(
        {"sim" + std::to_string(seed), [seed] { return std::make_unique<SimWorld>(seed); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Simulated, NetworkContract, testing::ValuesIn(worlds()));

}  // namespace
}  // namespace tern::contract
