// Hosts of the AMQP scenarios: an embedded broker, and clients that are quick to see that a
// connection is lost and to make the next one.
#ifndef TERN_TESTS_SIM_AMQP_HOSTS_H_
#define TERN_TESTS_SIM_AMQP_HOSTS_H_

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "client/amqp/engine.h"
#include "tests/broker/amqp_broker.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace tern::sim {

struct AmqpBrokerHost {
  explicit AmqpBrokerHost(Fabric& fabric) : net(fabric, "broker") {
    net.attach(broker);
    EXPECT_FALSE(broker.start());
  }

  broker::AmqpStore store;
  Network net;
  broker::AmqpBroker broker{store, net, {"broker", 5672}, {.heartbeat = 5}};
};

class AmqpClientHost {
 public:
  AmqpClientHost(const AmqpClientHost&) = delete;
  AmqpClientHost& operator=(const AmqpClientHost&) = delete;

 protected:
  AmqpClientHost(World& world, Fabric& fabric, const std::string& host,
                 const amqp::ConnectionConfig& config)
      : world_(world), net_(fabric, host), rng_(world.make_rng(host)), engine_(net_, config) {
    net_.attach(engine_);
  }
  ~AmqpClientHost() { net_.crash(); }

  static amqp::ConnectionConfig config() {
    amqp::ConnectionConfig config;
    config.hosts = {{"broker", 0}};
    config.heartbeat = std::chrono::seconds(5);
    config.connect_timeout = std::chrono::seconds(5);
    config.operation_timeout = std::chrono::seconds(5);
    config.recovery_backoff = std::chrono::milliseconds(50);
    config.recovery_backoff_max = std::chrono::seconds(1);
    return config;
  }

  // For a call from outside a step.
  amqp::Engine& engine() {
    net_.user_acted();
    engine_.enter();
    return engine_;
  }

  World& world_;
  Network net_;
  Rng rng_;
  amqp::Engine engine_;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_AMQP_HOSTS_H_
