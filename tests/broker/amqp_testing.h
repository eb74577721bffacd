// For tests of the embedded AMQP broker: one in a simulated world, and clients of it.
#ifndef TERN_TESTS_BROKER_AMQP_TESTING_H_
#define TERN_TESTS_BROKER_AMQP_TESTING_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/amqp/engine.h"
#include "tests/broker/amqp_broker.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::broker {

using amqp::ChannelCore;
using amqp::ReplyErrc;
using amqp::Text;
using std::chrono::milliseconds;
using std::chrono::seconds;

// One client of the broker on the host "broker".
class Peer {
 public:
  Peer(
      sim::World& world, sim::Fabric& fabric, const std::string& host,
      const std::function<void(amqp::ConnectionConfig&)>& change = [](auto&) {})
      : world_(world), net_(fabric, host) {
    amqp::ConnectionConfig config;
    config.hosts = {{"broker", 0}};
    config.recover = false;
    change(config);
    engine_ = std::make_unique<amqp::Engine>(net_, config);
    net_.attach(*engine_);
    engine_->on_lost([this](const Failure& why) { lost = why; });
    engine_->on_blocked([this](bool blocked, std::string_view) { is_blocked = blocked; });
  }
  ~Peer() { net_.crash(); }

  amqp::Engine& engine() {
    engine_->enter();
    return *engine_;
  }
  // What `start` is given a handler for.
  Failure wait(const std::function<void(std::function<void(const Failure&)>)>& start) {
    std::optional<Failure> end;
    engine();
    start([&end](const Failure& why) { end = why; });
    EXPECT_TRUE(world_.run_until([&] { return end.has_value(); }, seconds(100)));
    return end.value_or(Failure(ClientErrc::timed_out));
  }
  Failure connect() {
    return wait([this](auto done) { engine().connect(std::move(done)); });
  }
  std::shared_ptr<ChannelCore> open(const amqp::ChannelConfig& config = {}) {
    if (!engine().is_connected()) {
      const Failure failure = connect();
      EXPECT_FALSE(failure) << failure.message();
    }
    auto channel = engine().open_channel(config);
    world_.run_for(milliseconds(10));
    return channel;
  }
  template <class M>
  Failure call(
      ChannelCore& channel, const M& method,
      const std::function<void(const amqp::Reply&)>& look = [](const auto&) {}) {
    return wait([&](auto done) {
      channel.call(method, [=](const Failure& why, const amqp::Reply& reply) {
        if (!why) look(reply);
        done(why);
      });
    });
  }
  Failure publish(ChannelCore& channel, const amqp::Target& target, std::string_view body,
                  const amqp::BasicProperties& properties = {}) {
    return wait([&](auto done) {
      const Failure refused =
          channel.publish(target, {.body = body, .properties = properties}, done);
      if (refused) done(refused);
    });
  }
  Failure send(ChannelCore& channel, Text key, std::string_view body) {
    return publish(channel, {.routing_key = key, .mandatory = true}, body);
  }
  std::shared_ptr<amqp::ConsumerCore> consume(ChannelCore& channel, Text queue,
                                              bool no_ack = false) {
    std::shared_ptr<amqp::ConsumerCore> consumer;
    const Failure failure = wait([&](auto done) {
      channel.consume({.queue = queue, .no_ack = no_ack},
                      [&consumer, done](const Failure& why, const auto& given) {
                        consumer = given;
                        done(why);
                      });
    });
    EXPECT_FALSE(failure) << failure.message();
    return consumer;
  }
  // The next message, "(again)" behind it if it was delivered before; "nothing" if none comes.
  std::string next(amqp::ConsumerCore& consumer) {
    std::string got;
    engine();
    consumer.next([&](const Failure& why, const amqp::Delivered& delivered) {
      got = why ? "! " + why.message()
                : delivered.body().str() + (delivered.redelivered ? " (again)" : "");
      last = delivered;
    });
    world_.run_until([&] { return !got.empty(); }, seconds(1));
    if (!got.empty()) return got;
    consumer.stop_waiting(ClientErrc::timed_out);
    world_.run_for(milliseconds(1));
    return "nothing";
  }
  std::string get(ChannelCore& channel, Text queue) {
    std::string got = "nothing";
    EXPECT_FALSE(call(channel, amqp::BasicGet{queue, true}, [&](const amqp::Reply& reply) {
      if (reply.content) got = reply.content->body.str();
    }));
    return got;
  }

  Failure lost;
  bool is_blocked = false;
  amqp::Delivered last;

 private:
  sim::World& world_;
  sim::Network net_;
  std::unique_ptr<amqp::Engine> engine_;
};

class AmqpBrokerTest : public ::testing::Test {
 protected:
  explicit AmqpBrokerTest(const AmqpBrokerConfig& config = {})
      : fabric(world, {}), net(fabric, "broker"), broker(store, net, {"broker", 5672}, config) {
    net.attach(broker);
    EXPECT_FALSE(broker.start());
  }
  ~AmqpBrokerTest() override {
    net.crash();
    for (const std::string& what : world.violations()) ADD_FAILURE() << what;
  }
  Peer& client() {
    if (!client_) client_.emplace(world, fabric, "client");
    return *client_;
  }

  sim::World world{1};
  sim::Fabric fabric;
  AmqpStore store;
  sim::Network net;
  AmqpBroker broker;

 private:
  std::optional<Peer> client_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_TESTING_H_
