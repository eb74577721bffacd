// Recovery under faults: a client declares exchanges, bindings, queues and consumers while all is
// well; then connections break, at any byte and again while they come back, for as long as a seed
// says. Once the faults have stopped, everything is there again, each consumer gets what is sent to
// it, and no more of it at a time than its prefetch.
//
// AMQP_SEED=N runs one seed, AMQP_SEEDS=N more of them than usual.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/amqp_hosts.h"
#include "tests/sim/seeds.h"

namespace tern::sim {
namespace {

using amqp::ChannelCore;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint16_t kPrefetch = 5;
constexpr int kLastMessages = 20;  // to each consumer, when the faults have stopped

class App : private AmqpClientHost {
 public:
  App(World& world, Fabric& fabric) : AmqpClientHost(world, fabric, "app", config()) {
    engine_.on_recovered([this] { ++recoveries; });
    engine_.on_not_recovered([this](std::string_view what, const Failure& why) {
      wrong += std::string(what) + ": " + why.message() + "; ";
    });
  }

  void start() {
    engine().connect([this](const Failure& why) {
      ASSERT_FALSE(why) << why.message();
      declare();
    });
  }
  bool is_set_up() const { return seen.size() == 3; }
  Network& network() { return net_; }

  // One message to each consumer.
  void publish() {
    for (const char* const queue : {"work", "passing"}) send({.routing_key = queue});
    send({.exchange = "outer", .routing_key = "a.b.c"});
  }

  // What recovery has still to bring back.
  std::string missing(broker::AmqpStore& store) {
    if (!engine_.is_connected() || engine_.is_recovering()) return "the connection";
    for (const amqp::Topology::Entity& each : engine_.topology().in_order()) {
      if (!is_there(store, each)) return each.to_string();
    }
    for (const auto& [name, count] : seen) {
      if (name == "own") continue;  // has another name by now
      const broker::AmqpQueue* const queue = store.queue(name);
      if (!queue || queue->receivers.size() != 1) return "the consumer of " + name;
    }
    return "";
  }
  std::map<std::string, int> seen;  // by consumer
  int recoveries = 0;
  std::string wrong;

 private:
  static bool is_there(broker::AmqpStore& store, const amqp::Topology::Entity& entity) {
    using Kind = amqp::Topology::Kind;
    if (entity.kind == Kind::exchange) return store.exchange(entity.name) != nullptr;
    if (entity.kind == Kind::queue) return store.queue(entity.name) != nullptr;
    return std::any_of(store.bindings().begin(), store.bindings().end(), [&](const auto& each) {
      return each.source == entity.name && each.destination == entity.destination;
    });
  }

  void declare() {
    publishing_ = engine().open_channel({.max_unconfirmed = 1'000});
    const auto channel = consuming_ = engine().open_channel({.confirms = false});
    const auto done = [](const Failure& why, const amqp::Reply&) {
      ASSERT_FALSE(why) << why.message();
    };
    channel->call(amqp::ExchangeDeclare{.exchange = "outer", .type = "topic"}, done);
    channel->call(amqp::ExchangeDeclare{.exchange = "inner", .type = "fanout", .durable = true},
                  done);
    channel->call(
        amqp::ExchangeBind{.destination = "inner", .source = "outer", .routing_key = "a.#"}, done);
    channel->call(amqp::BasicQos{0, kPrefetch, false}, done);
    channel->call(amqp::QueueDeclare{.queue = "work", .durable = true}, done);
    consume("work", "work");
    channel->call(amqp::QueueDeclare{.queue = "passing", .auto_delete = true}, done);
    consume("passing", "passing");
    channel->call(amqp::QueueDeclare{.exclusive = true},
                  [this](const Failure& why, const amqp::Reply& reply) {
                    ASSERT_FALSE(why) << why.message();
                    const std::string name(reply.as<amqp::QueueDeclareOk>().queue.view());
                    engine();
                    consuming_->call(amqp::QueueBind{.queue = name, .exchange = "inner"},
                                     [](const Failure& failure, const amqp::Reply&) {
                                       ASSERT_FALSE(failure) << failure.message();
                                     });
                    consume("own", name);
                  });
  }

  void consume(const std::string& name, const std::string& queue) {
    consuming_->consume({.queue = queue}, [this, name](const Failure& why, const auto& consumer) {
      ASSERT_FALSE(why) << why.message();
      seen[name] = 0;
      take(name, consumer);
    });
  }

  void take(const std::string& name, const std::shared_ptr<amqp::ConsumerCore>& consumer) {
    engine();
    consumer->next([this, name, consumer](const Failure& why, const amqp::Delivered& delivered) {
      if (why) {
        wrong += name + " ended: " + why.message() + "; ";
        return;
      }
      ++seen[name];
      Held& held = held_[name];
      if (held.epoch != delivered.epoch) held = {delivered.epoch, 0};
      if (++held.messages > kPrefetch) wrong += name + " got more than its prefetch; ";
      const auto answer = [this, name, tag = delivered.tag, epoch = delivered.epoch] {
        engine();
        consuming_->ack(tag, epoch, false);
        Held& now = held_[name];
        if (now.epoch == epoch) --now.messages;
      };
      world_.after(milliseconds(rng_.below(30)), answer);
      take(name, consumer);
    });
  }

  // What becomes of it is for others to test.
  void send(const amqp::Target& target) {
    engine();
    (void)publishing_->publish(target, {.body = "message"}, [](const Failure&) {});
  }

  // Delivered on one connection, and not acknowledged.
  struct Held {
    std::uint32_t epoch = 0;
    int messages = 0;
  };

  std::shared_ptr<ChannelCore> publishing_;
  std::shared_ptr<ChannelCore> consuming_;
  std::map<std::string, Held> held_;
};

// Breaks something, lets some time pass and mends it.
void break_something(World& world, Fabric& fabric, Network& app, Network& broker, Rng& rng) {
  const auto some_time = [&](std::uint64_t up_to_ms) { return milliseconds(rng.below(up_to_ms)); };
  switch (rng.below(5)) {
    case 0:
      broker.down(rng.below(2) == 0);
      world.run_for(some_time(15'000));
      broker.up();
      break;
    case 1: {
      const std::uint64_t which = rng.below(3);
      if (which != 0) fabric.block("app", "broker", true);
      if (which != 1) fabric.block("broker", "app", true);
      world.run_for(some_time(20'000));
      if (which != 0) fabric.block("app", "broker", false);
      if (which != 1) fabric.block("broker", "app", false);
      break;
    }
    case 2:
      // It comes back to be lost again, somewhere on the way.
      fabric.cut_new_connections(static_cast<int>(rng.below(2)), rng.below(2'500));
      broker.down();
      broker.up();
      world.run_for(some_time(5'000));
      fabric.cut_new_connections(0, Fabric::kNoCut);
      fabric.cut_new_connections(1, Fabric::kNoCut);
      break;
    case 3:
      // The broker does not learn of it, and has two connections for some time.
      app.down(/*quiet=*/true);
      world.run_for(some_time(2'000));
      app.up();
      world.run_for(some_time(12'000));
      break;
    default:
      fabric.clog("broker", "app", some_time(8'000));
      world.run_for(some_time(8'000));
      break;
  }
}

void run(std::uint64_t seed, int& recoveries) {
  SCOPED_TRACE("AMQP_SEED=" + std::to_string(seed));
  World world(seed);
  Fabric fabric(world, FaultPlan::none());
  Rng rng = world.make_rng("test");
  AmqpBrokerHost broker(fabric);
  broker::AmqpStore& store = broker.store;
  App app(world, fabric);
  app.start();
  ASSERT_TRUE(world.run_until([&] { return app.is_set_up(); }, seconds(10)));

  for (std::uint64_t left = 3 + rng.below(5); left > 0; --left) {
    for (std::uint64_t messages = rng.below(10); messages > 0; --messages) app.publish();
    break_something(world, fabric, app.network(), broker.net, rng);
    world.run_for(milliseconds(rng.below(4'000)));
  }
  // The last connection may have been made to be cut.
  broker.net.down();
  broker.net.up();
  const bool whole = world.run_until([&] { return app.missing(store).empty(); }, minutes(2));
  ASSERT_TRUE(whole) << app.missing(store) << "; " << app.wrong;

  // What was sent before has come, or is lost; all of this comes.
  world.run_for(seconds(30));
  std::map<std::string, int> before = app.seen;
  for (int i = 0; i < kLastMessages; ++i) app.publish();
  const bool served = world.run_until(
      [&] {
        return std::all_of(before.begin(), before.end(), [&](const auto& each) {
          return app.seen[each.first] >= each.second + kLastMessages;
        });
      },
      minutes(1));
  ASSERT_TRUE(served) << "work " << app.seen["work"] - before["work"] << ", passing "
                      << app.seen["passing"] - before["passing"] << ", own "
                      << app.seen["own"] - before["own"];
  ASSERT_EQ(app.wrong, "");
  for (const std::string& what : world.violations()) ADD_FAILURE() << what;
  recoveries += app.recoveries;
}

TEST(AmqpTopology, IsWholeAgainWhenTheFaultsHaveStopped) {
  int recoveries = 0;
  if (const std::uint64_t one = setting("AMQP_SEED", 0)) return run(one, recoveries);
  const std::uint64_t seeds = setting("AMQP_SEEDS", 2'000);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) run(seed, recoveries);
  std::printf("%llu seeds: %d recoveries\n", static_cast<unsigned long long>(seeds), recoveries);
  // Otherwise the faults do not reach what they are to reach.
  EXPECT_GT(recoveries, 3 * static_cast<int>(seeds));
}

}  // namespace
}  // namespace tern::sim
