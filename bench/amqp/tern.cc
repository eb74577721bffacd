// tern's rows of bench/compare amqp, through its public headers.
//
//   tern --do publish|handlers|coroutines|consume --broker HOST:PORT --records N --size BYTES
//        [--window MESSAGES] [--prefetch MESSAGES]
//
// publish: half a --window in one call, with one handler. handlers: one call and one handler for
// each message, at most --window of them without a confirm. coroutines: so many coroutines as
// --window says, each awaiting its publish in a loop. consume: one coroutine that takes and
// acknowledges what there is.
#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "bench/measure.h"
#include "client/amqp/connection.h"

namespace tern::bench {
namespace {

constexpr std::size_t kLarge = 16 * 1024;

struct Work {
  std::string broker, what;
  std::int64_t messages = 0, window = 0;
  std::size_t size = 0;
  std::uint16_t prefetch = 0;
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

amqp::ConnectionConfig config_of(const Work& work) {
  amqp::ConnectionConfig config;
  if (const Failure failure = amqp::parse_uri("amqp://" + work.broker, config)) {
    fail(failure.message());
  }
  return config;
}

class Bench {
 public:
  explicit Bench(const Work& work) : work_(work), connection_(context_, config_of(work)) {}

  void run() {
    asio::co_spawn(context_, start(), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
    context_.run();
  }

 private:
  asio::awaitable<void> start() {
    co_await connection_.async_connect(asio::use_awaitable);
    const amqp::ChannelConfig config{.confirms = work_.what != "consume"};
    channel_ = co_await connection_.async_open_channel(config, asio::use_awaitable);
    if (work_.what == "consume") {
      amqp::BasicConsume request{.queue = "bench"};
      const amqp::ConsumeOptions options{.prefetch = work_.prefetch};
      subscription_ = co_await channel_.async_consume(request, options, asio::use_awaitable);
      from_ = Clock::read();
      co_await consume();
    } else if (work_.what == "coroutines") {
      from_ = Clock::read();
      for (std::int64_t i = 0; i < work_.window; ++i) {
        asio::co_spawn(context_, publish_in_a_loop(), asio::detached);
      }
    } else if (work_.what == "handlers") {
      from_ = Clock::read();
      publish();
    } else {
      from_ = Clock::read();
      publish_together();
    }
  }

  void fill(amqp::Message& message) {
    message.body = payloads_[static_cast<std::uint64_t>(sent_++)];
    if (message.body.size() >= kLarge) message.owner = ring_;
  }

  // Half a window at a time, like everybody here, in one call.
  void publish_together() {
    while (sent_ - confirmed_ <= work_.window / 2 && sent_ < work_.messages) {
      const std::int64_t count = std::min(work_.window / 2, work_.messages - sent_);
      const auto told = [this, count](std::error_code error,
                                      const std::vector<amqp::NotPublished>&) {
        if (error) fail(error.message());
        confirmed_ += count;
        if (confirmed_ == work_.messages) finish();
        publish_together();
      };
      if (work_.size < kLarge) {
        bodies_.resize(static_cast<std::size_t>(count));
        for (std::string_view& each : bodies_)
          each = payloads_[static_cast<std::uint64_t>(sent_++)];
        channel_.async_publish_all(target_, bodies_, told);
      } else {
        together_.resize(static_cast<std::size_t>(count));
        for (amqp::Message& each : together_) fill(each);
        channel_.async_publish_all(target_, together_, told);
      }
    }
  }

  void publish() {
    while (sent_ - confirmed_ < work_.window && sent_ < work_.messages) {
      amqp::Message message;
      fill(message);
      channel_.async_publish(target_, message, [this](std::error_code error) {
        if (error) fail(error.message());
        if (++confirmed_ == work_.messages) finish();
        if (sent_ - confirmed_ == work_.window / 2) publish();
      });
    }
  }

  asio::awaitable<void> publish_in_a_loop() {
    while (sent_ < work_.messages) {
      const std::string_view body = payloads_[static_cast<std::uint64_t>(sent_++)];
      co_await channel_.async_publish(target_, body, asio::use_awaitable);
      if (++confirmed_ == work_.messages) finish();
    }
  }

  asio::awaitable<void> consume() {
    for (std::int64_t seen = 0; seen < work_.messages;) {
      amqp::Deliveries all = co_await subscription_.async_next_all(asio::use_awaitable);
      for (const amqp::Delivered& each : all) {
        sum_ += static_cast<unsigned char>(each.body().view().back()) + each.routing_key.size();
      }
      all.ack();
      seen += static_cast<std::int64_t>(all.size());
    }
    finish();
  }

  [[noreturn]] void finish() {
    report("tern", work_.messages, from_, Clock::read(), -1);
    std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(sum_));
    std::_Exit(0);  // tearing the client down is not what is measured
  }

  const Work work_;
  // Known to be kept, so large bodies need not be copied.
  const std::shared_ptr<const Payloads> ring_ = std::make_shared<const Payloads>(work_.size);
  const Payloads& payloads_ = *ring_;
  asio::io_context context_{1};
  amqp::Connection connection_;
  amqp::Channel channel_;
  amqp::Subscription subscription_;
  amqp::Target target_{.routing_key = "bench"};
  std::vector<std::string_view> bodies_;
  std::vector<amqp::Message> together_;  // large ones, with an owner
  std::int64_t sent_ = 0, confirmed_ = 0;
  std::uint64_t sum_ = 0;
  Clock from_;
};

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  Work work;
  work.broker = options.text("--broker", "127.0.0.1:5672");
  work.what = options.text("--do", "publish");
  work.messages = options.number("--records", 1'000'000);
  work.size = static_cast<std::size_t>(options.number("--size", 100));
  work.window = options.number("--window", 1000);
  work.prefetch = static_cast<std::uint16_t>(options.number("--prefetch", 1000));
  options.done();
  Bench(work).run();
  return 0;
}
