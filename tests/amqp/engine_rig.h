// An engine on the host "client" of a simulated world, and a peer on the host "peer".
#ifndef TERN_TESTS_AMQP_ENGINE_RIG_H_
#define TERN_TESTS_AMQP_ENGINE_RIG_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/amqp/engine.h"
#include "tests/amqp/script_peer.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::amqp::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How something ended: not at all, once, or too often.
struct Ending {
  int endings = 0;
  Failure failure;
  bool ok() const { return endings == 1 && !failure; }
  // As a handler. The ending has to outlive it.
  auto note() {
    return [this](const Failure& why) {
      ++endings;
      failure = why;
    };
  }
};

class EngineRig {
 public:
  explicit EngineRig(std::uint64_t seed = 1, const sim::FaultPlan& plan = {})
      : world(seed), fabric(world, plan), peer(fabric) {
    config.hosts = {{"peer", 0}};
    config.recover = false;
  }
  ~EngineRig() {
    destroy();
    for (const std::string& what : world.violations()) ADD_FAILURE() << what;
  }

  Engine& engine() {
    if (!engine_) {
      const Failure invalid = check(config);
      EXPECT_FALSE(invalid) << invalid.message();
      net = std::make_unique<sim::Network>(fabric, "client");
      engine_ = std::make_unique<Engine>(*net, config);
      net->attach(*engine_);
    }
    engine_->enter();
    return *engine_;
  }
  void destroy() {
    if (net) net->crash();
    engine_.reset();
    net.reset();
  }

  bool run_until(const std::function<bool()>& done, Duration limit = seconds(300)) {
    return world.run_until(done, limit);
  }
  void run_for(Duration period) { world.run_for(period); }
  bool wait(const Ending& ending, Duration limit = seconds(300)) {
    return run_until([&] { return ending.endings != 0; }, limit);
  }

  // How connecting ends.
  Failure connect(Duration limit = seconds(300)) {
    Ending ending;
    engine().connect(ending.note());
    EXPECT_TRUE(wait(ending, limit));
    EXPECT_EQ(ending.endings, 1);
    return ending.failure;
  }
  // A channel that is open.
  std::shared_ptr<ChannelCore> open_channel(const ChannelConfig& with = {}) {
    auto channel = engine().open_channel(with);
    run_until([&] {
      return channel->state() == ChannelCore::State::open ||
             channel->state() == ChannelCore::State::closed;
    });
    return channel;
  }

  sim::World world;
  sim::Fabric fabric;
  ScriptPeer peer;
  ConnectionConfig config;
  std::unique_ptr<sim::Network> net;

 private:
  std::unique_ptr<Engine> engine_;
};

inline bool says(const Failure& failure, std::string_view words) {
  const bool found = failure.message().find(words) != std::string::npos;
  if (!found) ADD_FAILURE() << "\"" << failure.message() << "\" does not say \"" << words << "\"";
  return found;
}

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_AMQP_ENGINE_RIG_H_
