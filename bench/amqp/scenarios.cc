#include "bench/amqp/scenarios.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/amqp/null_network.h"
#include "bench/measure.h"
#include "client/amqp/engine.h"
#include "protocol/amqp/methods/basic.h"
#include "protocol/amqp/properties.h"

namespace tern::bench::amqp {
namespace {

using namespace tern::amqp;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "scenario: %s\n", why.c_str());
  std::exit(1);
}
void check(const Failure& why) {
  if (why) fail(why.message());
}

// An engine with one open channel.
class Client : public Scenario {
 public:
  std::int64_t network_calls() const override { return net_.calls(); }

 protected:
  explicit Client(const ChannelConfig& config) : engine_(net_, {.seed = 1}) {
    net_.attach(engine_);
    engine_.enter();
    engine_.connect([](const Failure& why) { check(why); });
    channel_ = engine_.open_channel(config);
    bool open = false;
    channel_->when_open([&open](const Failure& why) {
      check(why);
      open = true;
    });
    net_.run_until([&open] { return open; });
  }

  NullNetwork net_;
  Engine engine_;
  std::shared_ptr<ChannelCore> channel_;
};

// As bench/amqp/tern: half a window of 1,000 in one call, or a call and a handler for each.
class Publish final : public Client {
 public:
  explicit Publish(bool together) : Client({}), together_(together), messages_(kHalf) {}

  std::int64_t run(std::int64_t records) override {
    const std::int64_t before = confirmed_;
    while (confirmed_ - before < records) {
      const std::int64_t upto = sent_ + static_cast<std::int64_t>(kHalf);
      for (Message& each : messages_) each.body = payloads_[static_cast<std::uint64_t>(sent_++)];
      engine_.enter();
      if (together_) {
        check(channel_->publish_all(target_, messages_,
                                    [this](const Failure& why, const std::vector<NotPublished>&) {
                                      check(why);
                                      confirmed_ += static_cast<std::int64_t>(kHalf);
                                    }));
      } else {
        for (const Message& each : messages_) {
          check(channel_->publish(target_, each, [this](const Failure& why) {
            check(why);
            ++confirmed_;
          }));
        }
      }
      net_.run_until([&] { return confirmed_ == upto; });
    }
    return confirmed_ - before;
  }

 private:
  static constexpr std::size_t kHalf = 500;

  const bool together_;
  const Payloads payloads_{100};
  const Target target_{.routing_key = "bench"};
  std::vector<Message> messages_;
  std::int64_t sent_ = 0, confirmed_ = 0;
};

// All that there is, or one after the other, with an ack for each.
class Consume final : public Client {
 public:
  explicit Consume(bool together) : Client({.confirms = false}), together_(together) {
    engine_.enter();
    channel_->call(BasicQos{0, 1000, false}, [](const Failure& why, const Reply&) { check(why); });
    channel_->consume({.queue = "bench"},
                      [this](const Failure& why, const std::shared_ptr<ConsumerCore>& consumer) {
                        check(why);
                        consumer_ = consumer;
                      });
    net_.run_until([this] { return consumer_ != nullptr; });
  }

  std::int64_t run(std::int64_t records) override {
    const std::int64_t before = seen_;
    upto_ = seen_ + records;
    engine_.enter();
    take();
    net_.run_until([this] { return seen_ >= upto_; });
    if (sum_ == 0) fail("nothing was read");
    return seen_ - before;
  }

 private:
  void take() {
    if (together_) {
      consumer_->next_all([this](const Failure& why, std::vector<Delivered> all) {
        check(why);
        for (const Delivered& each : all) read(each);
        channel_->ack_these(all);
        FrameDrop drop;
        for (Delivered& each : all) drop.add(std::move(each.content.frame));
        consumer_->reuse(std::move(all));
        if (seen_ < upto_) take();
      });
    } else {
      consumer_->next([this](const Failure& why, const Delivered& one) {
        check(why);
        read(one);
        channel_->ack(one.tag, one.epoch, false);
        if (seen_ < upto_) take();
      });
    }
  }
  void read(const Delivered& one) {
    sum_ += static_cast<unsigned char>(one.body().view().back()) + one.routing_key.size();
    ++seen_;
  }

  const bool together_;
  std::shared_ptr<ConsumerCore> consumer_;
  std::int64_t seen_ = 0, upto_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace

const std::vector<NamedScenario>& scenarios() {
  using Made = std::unique_ptr<Scenario>;
  static const std::vector<NamedScenario> all = {
      {"amqp-publish-100", "publish 100 B with confirms, 500 in a call",
       [] { return Made(new Publish(true)); }},
      {"amqp-publish-100-handler", "publish 100 B with confirms, a handler for each",
       [] { return Made(new Publish(false)); }},
      {"amqp-consume-100", "consume 100 B with acks, all there is at a time",
       [] { return Made(new Consume(true)); }},
      {"amqp-consume-100-single", "consume 100 B with acks, one at a time",
       [] { return Made(new Consume(false)); }},
  };
  return all;
}

}  // namespace tern::bench::amqp
