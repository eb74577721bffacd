// A client of the AMQP engine at a real RabbitMQ, over sockets, for tests: each call waits for its
// end.
//
// TERN_RABBITMQ names the broker ("127.0.0.1:5672"), TERN_RABBITMQ_CONTROL the command that
// controls it ("/path/rabbitmq.sh"). Without TERN_RABBITMQ every test is skipped, loudly. By hand:
//
//   export TERN_RABBITMQ=$(tests/real/rabbitmq.sh start)
//   export TERN_RABBITMQ_CONTROL="$PWD/tests/real/rabbitmq.sh"
#ifndef TERN_TESTS_REAL_RABBITMQ_CLIENT_H_
#define TERN_TESTS_REAL_RABBITMQ_CLIENT_H_

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/amqp/engine.h"
#include "client/amqp/uri.h"
#include "client/net/asio_network.h"
#include "tests/real/environment.h"

namespace tern::amqp::testing {

using real::environment;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Runs a verb of rabbitmq.sh and returns what it prints.
inline std::string control(const std::string& verb, const std::string& arguments = {}) {
  const std::string broker = environment("TERN_RABBITMQ");
  const std::string port = broker.substr(broker.rfind(':') + 1);
  const std::string command = environment("TERN_RABBITMQ_CONTROL") + " " + verb + " --port " +
                              port + (arguments.empty() ? "" : " -- " + arguments);
  std::string out;
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (!pipe) {
    ADD_FAILURE() << command;
    return out;
  }
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof(buffer), pipe)) out.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

inline std::string unique(const std::string& prefix) {
  static const auto started = Clock::now().time_since_epoch().count();
  static int count = 0;
  return prefix + "." + std::to_string(started) + "." + std::to_string(++count);
}

struct Ending {
  int endings = 0;
  Failure failure;
  auto note() {
    return [this](const Failure& why) {
      ++endings;
      failure = why;
    };
  }
};

// A message as the test keeps it.
struct Got {
  std::string body;
  std::string properties;
  bool redelivered = false;
  std::uint64_t tag = 0;
};

class Client {
 public:
  explicit Client(const std::function<void(ConnectionConfig&)>& change = [](auto&) {}) {
    ConnectionConfig config;
    EXPECT_FALSE(parse_uri("amqp://" + environment("TERN_RABBITMQ"), config));
    config.recover = false;
    change(config);
    const Failure invalid = check(config);
    EXPECT_FALSE(invalid) << invalid.message();
    engine_ = std::make_unique<Engine>(network_, config);
    network_.attach(*engine_);
    engine_->on_lost([this](const Failure& why) { lost = why; });
    engine_->on_blocked([this](bool blocked, std::string_view) { is_blocked = blocked; });
  }
  ~Client() {
    Ending closed;
    engine().close(closed.note());
    EXPECT_TRUE(run_until([&] { return closed.endings != 0; }));
    network_.shutdown();
  }

  Engine& engine() {
    engine_->enter();
    return *engine_;
  }
  bool run_until(const std::function<bool()>& done, seconds limit = seconds(30)) {
    const auto end = Clock::now() + limit;
    engine_->wake();
    while (!done() && Clock::now() < end) {
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }
  // Does what there is to do, while another one is waited for.
  void poll() {
    engine_->wake();
    context_.restart();
    context_.poll();
  }
  Failure connect() {
    Ending ending;
    engine().connect(ending.note());
    EXPECT_TRUE(run_until([&] { return ending.endings != 0; }));
    return ending.failure;
  }
  std::shared_ptr<ChannelCore> open(const ChannelConfig& config = {}) {
    if (!engine().is_connected()) {
      const Failure failure = connect();
      EXPECT_FALSE(failure) << failure.message();
    }
    auto channel = engine().open_channel(config);
    run_until([&] {
      return channel->state() == ChannelCore::State::open ||
             channel->state() == ChannelCore::State::closed;
    });
    return channel;
  }
  // Calls a method and waits for its end; `look` sees the answer.
  template <class M>
  Failure call(
      ChannelCore& channel, const M& method,
      const std::function<void(const Reply&)>& look = [](const Reply&) {}) {
    Ending ending;
    engine();
    channel.call(method, [&](const Failure& why, const Reply& reply) {
      if (!why) look(reply);
      ending.note()(why);
    });
    EXPECT_TRUE(run_until([&] { return ending.endings != 0; }));
    return ending.failure;
  }
  std::string declare(ChannelCore& channel, QueueDeclare request = {}) {
    const std::string name = request.queue.empty() ? unique("q") : request.queue.str();
    request.queue = std::string_view(name);
    const Failure failure = call(channel, request);
    EXPECT_FALSE(failure) << failure.message();
    return name;
  }
  // Publishes and waits for what becomes of it.
  Failure publish(ChannelCore& channel, const Target& target, std::string_view body,
                  const BasicProperties& properties = {}) {
    Ending ending;
    engine();
    const Failure refused = channel.publish(target, {body, properties}, ending.note());
    if (refused) return refused;
    EXPECT_TRUE(run_until([&] { return ending.endings != 0; }));
    return ending.failure;
  }
  Failure send(ChannelCore& channel, const std::string& queue, std::string_view body) {
    return publish(channel, {.routing_key = std::string_view(queue), .mandatory = true}, body);
  }
  std::shared_ptr<ConsumerCore> consume(ChannelCore& channel, const std::string& queue,
                                        bool no_ack = false) {
    std::shared_ptr<ConsumerCore> consumer;
    Ending ending;
    engine();
    channel.consume({.queue = std::string_view(queue), .no_ack = no_ack},
                    [&](const Failure& why, const std::shared_ptr<ConsumerCore>& given) {
                      consumer = given;
                      ending.note()(why);
                    });
    EXPECT_TRUE(run_until([&] { return ending.endings != 0; }));
    EXPECT_FALSE(ending.failure) << ending.failure.message();
    return consumer;
  }
  // The next message, or nothing if none comes within `limit` or at the end (then `why` has it).
  std::optional<Got> next(ConsumerCore& consumer, Failure* why = nullptr,
                          seconds limit = seconds(10)) {
    std::optional<Got> got;
    Ending ending;
    engine();
    consumer.next([&](const Failure& failure, const Delivered& delivered) {
      if (!failure) {
        got = {delivered.body().str(), print(delivered.properties()), delivered.redelivered,
               delivered.tag};
      }
      ending.note()(failure);
    });
    if (!run_until([&] { return ending.endings != 0; }, limit)) {
      consumer.stop_waiting(ClientErrc::timed_out);
      run_until([&] { return ending.endings != 0; });
    }
    if (why) *why = ending.failure;
    return got;
  }
  std::optional<std::string> get(ChannelCore& channel, const std::string& queue) {
    std::optional<std::string> body;
    EXPECT_FALSE(call(channel, BasicGet{std::string_view(queue), true}, [&](const Reply& reply) {
      if (reply.content) body = reply.content->body.str();
    }));
    return body;
  }

  // Messages of a queue that nobody has got.
  std::uint32_t waiting(ChannelCore& channel, const std::string& queue) {
    std::uint32_t count = 0;
    EXPECT_FALSE(
        call(channel, QueueDeclare{.queue = std::string_view(queue), .passive = true},
             [&](const Reply& reply) { count = reply.as<QueueDeclareOk>().message_count; }));
    return count;
  }

  Failure lost;
  bool is_blocked = false;

 private:
  asio::io_context context_{1};
  net::AsioNetwork network_{net::Executor(context_)};
  std::unique_ptr<Engine> engine_;
};

class RealRabbitmq : public ::testing::Test {
 protected:
  void SetUp() override {
    if (environment("TERN_RABBITMQ").empty()) GTEST_SKIP() << "TERN_RABBITMQ is not set";
  }
};

inline bool says(const Failure& failure, std::string_view words) {
  return failure.message().find(words) != std::string::npos;
}

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_REAL_RABBITMQ_CLIENT_H_
