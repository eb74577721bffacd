// For tests of the AMQP client's public face, and of `tern amqp`: an embedded broker on a thread of
// its own, behind real sockets.
#ifndef TERN_TESTS_NET_AMQP_RIG_H_
#define TERN_TESTS_NET_AMQP_RIG_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "client/amqp/config.h"
#include "client/net/asio_network.h"
#include "client/net/runtime.h"
#include "tests/broker/amqp_broker.h"

namespace tern::amqp {

// A broker on loopback, on a thread of its own.
class AmqpRig {
 public:
  AmqpRig() : network_(std::make_unique<net::AsioNetwork>(runtime_.executor())) {
    broker_ = std::make_unique<broker::AmqpBroker>(store_, *network_, Endpoint{"127.0.0.1", 0});
    network_->attach(*broker_);
    on_thread([this](broker::AmqpBroker& held) {
      EXPECT_FALSE(held.start());
      endpoint_ = held.endpoint();
    });
  }
  ~AmqpRig() {
    on_thread([this](broker::AmqpBroker&) {
      network_->shutdown();
      broker_.reset();
      network_.reset();
    });
  }
  void on_thread(const std::function<void(broker::AmqpBroker&)>& call) {
    std::promise<void> done;
    network_->post([&] {
      call(*broker_);
      done.set_value();
    });
    done.get_future().wait();
  }
  const Endpoint& endpoint() const { return endpoint_; }
  // Messages in a queue, those included that are not acknowledged.
  std::size_t ready(const std::string& queue) {
    std::size_t count = 0;
    on_thread([&](broker::AmqpBroker& held) {
      const broker::AmqpQueue* const found = held.store().queue(queue);
      count = found ? found->ready.size() + found->unacked : 0;
    });
    return count;
  }
  ConnectionConfig config() const {
    ConnectionConfig config;
    config.hosts = {endpoint_};
    config.recovery_backoff = std::chrono::milliseconds(10);
    return config;
  }

 private:
  net::Runtime runtime_;
  broker::AmqpStore store_;
  std::unique_ptr<net::AsioNetwork> network_;
  std::unique_ptr<broker::AmqpBroker> broker_;
  Endpoint endpoint_;
};

}  // namespace tern::amqp

#endif  // TERN_TESTS_NET_AMQP_RIG_H_
