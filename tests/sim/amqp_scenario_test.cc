// AMQP under faults: a publisher with confirms, a consumer that acknowledges, gives back and dies,
// and an embedded broker, in a simulated world whose network breaks in ways drawn from a seed. Both
// clients connect again whenever their connection ends.
//
// What must hold: every message that is published ends once; one that is said to be confirmed gets
// to the consumer, one that is said not to be written never does; the messages of a
// channel come in order unless they come again; and after the faults stop everything comes to its
// end, with nothing left over.
//
// AMQP_SEED=N runs one seed, AMQP_SEEDS=N more of them than usual.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
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

constexpr int kMessages = 300;

constexpr std::uint64_t kSeeds = kSanitized ? 300 : 2'000;

// An engine that is connected again whenever its connection is gone.
class Client : protected AmqpClientHost {
 public:
  Client(World& world, Fabric& fabric, const std::string& host, bool recover)
      : AmqpClientHost(world, fabric, host, config_for(recover)) {
    // Half of the runs come back by recovery, the others by connecting again.
    engine_.on_lost([this, recover](const Failure&) {
      if (!recover) again();
    });
    engine_.on_recovered([this] {
      ++connections;
      resume();
    });
  }
  virtual ~Client() = default;

  void connect() {
    engine().connect([this](const Failure& why) {
      if (why) return again();
      if (!engine_.is_connected()) return;  // lost already, and again() is under way
      ++connections;
      start();
    });
  }
  int connections = 0;

 protected:
  virtual void start() = 0;
  virtual void resume() = 0;  // by recovery
  void again() {
    world_.after(milliseconds(10 + rng_.below(500)), [this] { connect(); });
  }

 private:
  static amqp::ConnectionConfig config_for(bool recover) {
    amqp::ConnectionConfig wanted = config();
    wanted.close_timeout = seconds(2);
    wanted.frame_max = 4096;
    wanted.recover = recover;
    return wanted;
  }
};

class Publisher final : public Client {
 public:
  Publisher(World& world, Fabric& fabric, bool recover)
      : Client(world, fabric, "publisher", recover) {}

  // By message: how often it ended, and how last.
  struct Outcome {
    int endings = 0;
    Failure failure;
  };
  std::map<int, Outcome> outcomes;
  int sent = 0;
  bool done() const { return sent == kMessages && ended_ == kMessages; }

 private:
  void start() override {
    ++channels_;
    is_declared_ = false;
    channel_ = engine().open_channel({.max_unconfirmed = 20});
    channel_->call(amqp::QueueDeclare{.queue = "q"},
                   [this, channel = channel_](const Failure& why, const amqp::Reply&) {
                     if (!why) {
                       is_declared_ = true;
                       publish(channel);
                     } else if (engine_.is_connected() || engine_.is_recovering()) {
                       start();  // no answer in time, or lost on the way
                     }
                   });
  }

  void resume() override {
    if (!channel_) return start();
    ++channels_;  // a new time of the channel, and a new order
    engine();
    channel_->when_open([this](const Failure& why) {
      if (why) {
        start();
      } else if (is_declared_) {
        publish(channel_);
      }
    });
  }

  void publish(const std::shared_ptr<ChannelCore>& channel) {
    while (sent < kMessages && channel == channel_) {
      const int number = sent;
      // Large ones now and then, cut into frames.
      const std::size_t size = rng_.below(20) == 0 ? rng_.below(20'000) : 0;
      const std::string body =
          std::to_string(number) + "/" + std::to_string(channels_) + ":" + std::string(size, 'x');
      const Failure refused = channel->publish(
          {.routing_key = "q"}, {.body = body}, [this, number, channel](const Failure& why) {
            Outcome& outcome = outcomes[number];
            if (outcome.endings++ == 0) ++ended_;
            outcome.failure = why;
            // As fast as confirms come, and a pause now and then.
            const Duration pause = rng_.below(10) == 0 ? milliseconds(rng_.below(300)) : Duration();
            world_.after(pause, [this, channel] {
              engine();
              publish(channel);
            });
          });
      if (refused) return;
      ++sent;
    }
  }

  std::shared_ptr<ChannelCore> channel_;
  int channels_ = 0;
  bool is_declared_ = false;
  int ended_ = 0;
};

class Consumer final : public Client {
 public:
  Consumer(World& world, Fabric& fabric, bool recover)
      : Client(world, fabric, "consumer", recover) {}

  std::map<int, int> seen;  // how often each message came
  // By channel of the publisher, the last that was not marked as one that comes again. Between
  // channels there is no order: what was sent on an old connection may arrive late.
  std::map<int, int> last_new;
  std::string wrong;

 private:
  void start() override {
    const auto channel = channel_ = engine().open_channel({.confirms = false});
    const auto restart = [this, channel] {
      if (engine_.is_connected() && channel == channel_) start();
    };
    const auto ended = [restart](const Failure& why, const amqp::Reply&) {
      if (why) restart();
    };
    channel->call(amqp::QueueDeclare{.queue = "q"}, ended);
    channel->call(amqp::BasicQos{0, 7, false}, [](const Failure&, const amqp::Reply&) {});
    channel->consume({.queue = "q"},
                     [this, channel, restart](const Failure& why, const auto& consumer) {
                       if (!why) return take(channel, consumer);
                       if (!engine_.is_recovering()) return restart();
                       if (channel == channel_) start();
                     });
  }

  void resume() override {
    if (channel_ && channel_->state() == ChannelCore::State::closed) start();
  }

  void take(const std::shared_ptr<ChannelCore>& channel,
            const std::shared_ptr<amqp::ConsumerCore>& consumer) {
    consumer->next([this, channel, consumer](const Failure& why, const amqp::Delivered& delivered) {
      // Ended for another reason than its connection: an answer took too long.
      if (why) {
        if (engine_.is_connected() && channel == channel_) start();
        return;
      }
      const std::string body = delivered.body().str();
      const int number = std::atoi(body.c_str());
      if (body.find(':') == std::string::npos ||
          body.find_first_not_of('x', body.find(':') + 1) != std::string::npos) {
        wrong += "a body is not what was sent; ";
      }
      ++seen[number];
      if (!delivered.redelivered) {
        const std::size_t slash = body.find('/');
        const int from = slash == std::string::npos ? 0 : std::atoi(body.c_str() + slash + 1);
        const auto last = last_new.try_emplace(from, -1).first;
        if (number <= last->second) wrong += "out of order: " + std::to_string(number) + "; ";
        last->second = number;
      }
      const std::uint64_t tag = delivered.tag;
      const std::uint32_t epoch = delivered.epoch;
      const bool back = rng_.below(20) == 0;
      const auto answer = [this, channel, tag, epoch, back] {
        engine();
        if (back)
          channel->nack(tag, epoch, true);
        else
          channel->ack(tag, epoch, false);
      };
      if (rng_.below(4) == 0)
        world_.after(milliseconds(rng_.below(200)), answer);
      else
        answer();
      engine();
      take(channel, consumer);
    });
  }

  std::shared_ptr<ChannelCore> channel_;
};

struct Totals {
  std::uint64_t confirmed = 0, maybe = 0, not_written = 0, again = 0, connections = 0, faults = 0;
};

void run(std::uint64_t seed, Totals& totals) {
  SCOPED_TRACE("AMQP_SEED=" + std::to_string(seed));
  World world(seed);
  FaultPlan plan = FaultPlan::draw(world.make_rng("plan"));
  Fabric fabric(world, plan);
  AmqpBrokerHost broker(fabric);
  broker::AmqpStore& store = broker.store;
  Publisher publisher(world, fabric, seed % 2 == 0);
  Consumer consumer(world, fabric, seed % 2 == 0);
  publisher.connect();
  consumer.connect();

  world.run_until([&] { return publisher.done(); }, minutes(2));
  fabric.heal();
  // Liveness: all of it comes to an end.
  const bool ended = world.run_until(
      [&] {
        const broker::AmqpQueue* const queue = store.queue("q");
        return publisher.done() && queue && queue->ready.empty() && queue->unacked == 0;
      },
      minutes(5));
  for (const std::string& what : world.violations()) ADD_FAILURE() << what;
  ASSERT_TRUE(ended) << publisher.sent << " sent, " << publisher.outcomes.size() << " ended, "
                     << (store.queue("q") ? store.queue("q")->ready.size() : 0) << " ready";
  EXPECT_EQ(consumer.wrong, "");
  for (const auto& [number, outcome] : publisher.outcomes) {
    ASSERT_EQ(outcome.endings, 1) << number;
    const bool came = consumer.seen.contains(number);
    if (!outcome.failure) {
      ASSERT_TRUE(came) << number << " was confirmed and is lost";
      ++totals.confirmed;
    } else if (outcome.failure.code == ClientErrc::not_written) {
      ASSERT_FALSE(came) << number << " was not written and came";
      ++totals.not_written;
    } else {
      ASSERT_EQ(outcome.failure.code, ClientErrc::maybe_written) << outcome.failure.message();
      ++totals.maybe;
    }
  }
  for (const auto& [number, times] : consumer.seen) totals.again += times > 1 ? 1U : 0U;
  totals.connections += static_cast<std::uint64_t>(publisher.connections + consumer.connections);
  for (const std::uint64_t each : fabric.counts().counts) totals.faults += each;
}

// A part of the seeds.
class AmqpScenarioPart : public ::testing::TestWithParam<std::uint64_t> {};
constexpr std::uint64_t kParts = 6;

TEST_P(AmqpScenarioPart, Seeds) {
  Totals totals;
  const std::uint64_t part = GetParam();
  if (const std::uint64_t one = setting("AMQP_SEED", 0)) {
    if (part == 0) run(one, totals);
    return;
  }
  const std::uint64_t seeds = setting("AMQP_SEEDS", kSeeds);
  for (std::uint64_t seed = 1 + part; seed <= seeds && !HasFailure(); seed += kParts) {
    run(seed, totals);
  }
  std::printf(
      "%llu seeds: %llu confirmed, %llu maybe written, %llu not written, %llu came again, "
      "%llu connections, %llu faults\n",
      static_cast<unsigned long long>(seeds / kParts),
      static_cast<unsigned long long>(totals.confirmed),
      static_cast<unsigned long long>(totals.maybe),
      static_cast<unsigned long long>(totals.not_written),
      static_cast<unsigned long long>(totals.again),
      static_cast<unsigned long long>(totals.connections),
      static_cast<unsigned long long>(totals.faults));
  // Otherwise the faults do not reach what they are to reach.
  EXPECT_GT(totals.maybe, seeds / kParts / 10);
  EXPECT_GT(totals.again, seeds / kParts / 10);
}

INSTANTIATE_TEST_SUITE_P(Parts, AmqpScenarioPart, ::testing::Range<std::uint64_t>(0, kParts));

// The same seed is the same run: the clients use nothing but what they are given.
TEST(AmqpScenario, ASeedReplays) {
  const auto hash = [](std::uint64_t seed) {
    World world(seed);
    Fabric fabric(world, FaultPlan::draw(world.make_rng("plan")));
    broker::AmqpStore store;
    Network net(fabric, "broker");
    broker::AmqpBroker broker(store, net, {"broker", 5672});
    net.attach(broker);
    EXPECT_FALSE(broker.start());
    Publisher publisher(world, fabric, seed % 2 == 0);
    Consumer consumer(world, fabric, seed % 2 == 0);
    publisher.connect();
    consumer.connect();
    world.run_for(seconds(20));
    return world.event_hash();
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(hash(seed), hash(seed));
}

}  // namespace
}  // namespace tern::sim
