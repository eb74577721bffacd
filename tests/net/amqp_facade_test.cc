// The AMQP client's public face, over sockets, against an embedded broker on a thread of its own:
// coroutines, callbacks and futures, other threads, lifetimes.
#include <gtest/gtest.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/amqp/connection.h"
#include "client/amqp/resend.h"
#include "client/amqp/rpc.h"
#include "client/net/runtime.h"
#include "tests/net/amqp_rig.h"

namespace tern::amqp {
namespace {

using namespace std::chrono_literals;
using asio::use_awaitable;

constexpr auto kPatience = 60s;

class AmqpFacade : public ::testing::Test {
 protected:
  // Runs a coroutine to its end.
  void run(std::function<asio::awaitable<void>()> body) {
    std::exception_ptr thrown;
    bool done = false;
    asio::co_spawn(context, std::move(body), [&](std::exception_ptr error) {
      thrown = error;
      done = true;
    });
    run_until([&] { return done; });
    ASSERT_TRUE(done);
    if (thrown) std::rethrow_exception(thrown);
  }
  void run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done() && std::chrono::steady_clock::now() < end) {
      context.restart();
      context.run_one_for(100ms);
    }
  }

  AmqpRig broker;
  asio::io_context context{1};
};

asio::awaitable<Channel> ready_channel(Connection& connection, std::string queue) {
  co_await connection.async_connect(use_awaitable);
  Channel channel = co_await connection.async_open_channel({}, use_awaitable);
  const QueueDeclare declare{.queue = std::string_view(queue)};
  const QueueInfo info = co_await channel.async_declare(declare, use_awaitable);
  EXPECT_EQ(info.name, queue);
  co_return channel;
}

// Reads "q", in which there is one message.
asio::awaitable<Subscription> with_a_message(Channel channel) {
  const Message message{.body = "m"};
  const Target target{.routing_key = "q"};
  co_await channel.async_publish(target, message, use_awaitable);
  const BasicConsume consume{.queue = "q"};
  Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
  co_return subscription;
}

TEST_F(AmqpFacade, ACoroutineThereAndBack) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const Message message{
        .body = "hello",
        .properties = {.content_type = "text/plain", .delivery_mode = kPersistent}};
    const Target target{.routing_key = "q", .mandatory = true};
    for (int i = 0; i < 3; ++i) co_await channel.async_publish(target, message, use_awaitable);
    const BasicConsume consume{.queue = "q"};
    Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
    for (int i = 0; i < 3; ++i) {
      const Delivery delivery = co_await subscription.async_next(use_awaitable);
      EXPECT_EQ(delivery.body(), "hello");
      EXPECT_EQ(delivery.properties().content_type, Text("text/plain"));
      EXPECT_EQ(delivery.routing_key(), "q");
      EXPECT_FALSE(delivery.redelivered());
      delivery.ack();
    }
    co_await subscription.async_cancel(use_awaitable);
    co_await channel.async_close(use_awaitable);
    co_await connection.async_close(use_awaitable);
  });
  EXPECT_EQ(broker.ready("q"), 0U);
}

TEST_F(AmqpFacade, ErrorsAreThrownWithTheirCode) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    std::error_code code;
    Diagnostics diagnostics;
    try {
      const Target nowhere{.routing_key = "nowhere", .mandatory = true};
      co_await channel.async_publish(nowhere, {}, use_awaitable, &diagnostics);
    } catch (const std::system_error& error) {
      code = error.code();
    }
    EXPECT_EQ(code, ReplyErrc::no_route);
    EXPECT_NE(diagnostics.message.find("nowhere"), std::string::npos);
    try {
      const QueueDeclare missing{.queue = "missing", .passive = true};
      co_await channel.async_call(missing, use_awaitable);
    } catch (const std::system_error& error) {
      code = error.code();
    }
    EXPECT_EQ(code, ReplyErrc::not_found);
    // That was the end of this channel, and of no other.
    try {
      co_await channel.async_publish({}, {}, use_awaitable);
    } catch (const std::system_error& error) {
      code = error.code();
    }
    EXPECT_EQ(code, ReplyErrc::not_found);
    Channel other = co_await connection.async_open_channel({}, use_awaitable);
    const BasicGet get{.queue = "q"};
    EXPECT_FALSE(co_await other.async_get(get, use_awaitable));
  });
}

TEST_F(AmqpFacade, ProcessingAcknowledgesOrRejects) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    Subscription subscription = co_await with_a_message(channel);
    Delivery delivery = co_await subscription.async_next(use_awaitable);
    try {
      const auto processing = delivery.process({.on_exception = Settle::requeue});
      throw std::runtime_error("no");
    } catch (const std::runtime_error&) {
    }
    delivery = co_await subscription.async_next(use_awaitable);
    EXPECT_TRUE(delivery.redelivered());
    {
      const auto processing = delivery.process();
    }
    co_await channel.async_close(use_awaitable);
  });
  EXPECT_EQ(broker.ready("q"), 0U);
}

TEST_F(AmqpFacade, ProcessingMayWantToHearThatItIsDone) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    Subscription subscription = co_await with_a_message(channel);
    Delivery delivery = co_await subscription.async_next(use_awaitable);
    {
      // As a return in the middle would.
      const auto processing = delivery.process({.at_end = Settle::requeue});
    }
    delivery = co_await subscription.async_next(use_awaitable);
    EXPECT_TRUE(delivery.redelivered());
    {
      auto processing = delivery.process({.at_end = Settle::requeue});
      processing.settle(Settle::leave);
      processing.done();  // too late: it was decided
    }
    co_await channel.async_close(use_awaitable);
  });
  EXPECT_EQ(broker.ready("q"), 1U);
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const BasicGet get{.queue = "q"};
    const Delivery delivery = co_await channel.async_get(get, use_awaitable);
    EXPECT_TRUE(delivery.redelivered());
    {
      auto processing = delivery.process({.at_end = Settle::requeue});
      processing.done();
    }
    co_await channel.async_close(use_awaitable);
  });
  EXPECT_EQ(broker.ready("q"), 0U);
}

TEST_F(AmqpFacade, AtLeastOnceOverAllConnections) {
  constexpr int kMessages = 2000;
  int confirmed = 0;
  std::vector<int> seen(kMessages);
  run([&]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    AtLeastOnce publisher(channel, kMessages);
    const Target target{.routing_key = "q", .mandatory = true};
    for (int i = 0; i < kMessages; ++i) {
      const std::string body = std::to_string(i);
      publisher.async_publish(target, {.body = body},
                              [&](std::error_code error) { confirmed += error ? 0 : 1; });
      if (i % 500 == 250) {
        broker.on_thread([](broker::AmqpBroker& held) {
          held.stop();
          EXPECT_FALSE(held.start());
        });
        co_await channel.async_wait_space(use_awaitable);
      }
    }
    const BasicConsume consume{.queue = "q", .no_ack = true};
    Channel reader = co_await connection.async_open_channel({}, use_awaitable);
    Subscription subscription = co_await reader.async_consume(consume, {}, use_awaitable);
    for (int missing = kMessages; missing > 0;) {
      const Delivery delivery = co_await subscription.async_next(use_awaitable);
      const auto number = static_cast<std::size_t>(std::stoi(std::string(delivery.body())));
      if (seen[number]++ == 0) --missing;
    }
    while (confirmed < kMessages) co_await channel.async_wait_space(use_awaitable);
    co_await connection.async_close(use_awaitable);
  });
  EXPECT_EQ(confirmed, kMessages);
}

// Answers what comes to a queue with twice the same; "silence" gets none.
asio::awaitable<void> answer(Channel channel) {
  const BasicConsume consume{.queue = "q"};
  Subscription questions = co_await channel.async_consume(consume, {}, use_awaitable);
  for (;;) {
    const Delivery question = co_await questions.async_next(use_awaitable);
    const auto processing = question.process();
    const BasicProperties properties = question.properties();
    if (question.body() == "silence" || properties.reply_to.empty()) continue;
    const std::string text = std::string(question.body()) + std::string(question.body());
    const Target target{.routing_key = properties.reply_to};
    const Message message{.body = text,
                          .properties = {.correlation_id = properties.correlation_id}};
    co_await channel.async_publish(target, message, use_awaitable);
  }
}

TEST_F(AmqpFacade, QuestionsAndAnswers) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel server = co_await ready_channel(connection, "q");
    asio::co_spawn(context, answer(server), asio::detached);
    Channel channel = co_await connection.async_open_channel({}, use_awaitable);
    RpcClient rpc = co_await RpcClient::async_open(channel, use_awaitable);
    constexpr int kMany = 1000;
    int answered = 0;
    const Target target{.routing_key = "q"};
    for (int i = 0; i < kMany; ++i) {
      const std::string body = std::to_string(i);
      rpc.async_call(target, {.body = body}, kPatience,
                     [&answered, body](std::error_code error, const Delivery& reply) {
                       if (!error && reply.body() == body + body) ++answered;
                     });
    }
    const Message last{.body = "last"};
    const Delivery reply = co_await rpc.async_call(target, last, kPatience, use_awaitable);
    EXPECT_EQ(reply.body(), "lastlast");
    EXPECT_EQ(answered, kMany);

    std::error_code code;
    const auto failing = [&](const Target& to, const char* body,
                             Duration timeout) -> asio::awaitable<void> {
      const Message question{.body = body};
      co_await rpc.async_call(to, question, timeout, asio::redirect_error(use_awaitable, code));
    };
    co_await failing(target, "silence", 50ms);
    EXPECT_EQ(code, ClientErrc::timed_out);
    const Target nobody{.routing_key = "nobody"};
    co_await failing(nobody, "hello", kPatience);
    EXPECT_EQ(code, ReplyErrc::no_route);
    rpc.async_call(target, {.body = "silence"}, kPatience,
                   [&](std::error_code error, const Delivery&) { code = error; });
    co_await channel.async_close(use_awaitable);
    co_await failing(target, "late", kPatience);
    EXPECT_EQ(code, ClientErrc::closed);
    co_await connection.async_close(use_awaitable);
  });
}

TEST_F(AmqpFacade, QuestionsWhoseConnectionGoes) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    RpcClient rpc = co_await RpcClient::async_open(channel, use_awaitable);
    const Target target{.routing_key = "q"};
    std::optional<std::error_code> code;
    rpc.async_call(target, {.body = "first"}, kPatience,
                   [&](std::error_code error, const Delivery&) { code = error; });
    // The confirm of what is published behind it comes behind its own.
    const Message second{.body = "second"};
    co_await channel.async_publish(target, second, use_awaitable);
    EXPECT_EQ(code, std::nullopt);
    broker.on_thread([](broker::AmqpBroker& held) { held.close_connections("maintenance"); });
    asio::steady_timer pause(context);
    while (!code) {
      pause.expires_after(1ms);
      co_await pause.async_wait(use_awaitable);
    }
    EXPECT_EQ(code, ClientErrc::maybe_written);
    // Answers to what is asked on the new connection find their way.
    co_await channel.async_wait_space(use_awaitable);
    asio::co_spawn(context, answer(channel), asio::detached);
    const Message third{.body = "third"};
    const Delivery reply = co_await rpc.async_call(target, third, kPatience, use_awaitable);
    EXPECT_EQ(reply.body(), "thirdthird");
    co_await connection.async_close(use_awaitable);
  });
}

TEST_F(AmqpFacade, WaitingCanBeCancelled) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const BasicConsume consume{.queue = "q"};
    Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
    asio::cancellation_signal signal;
    std::optional<std::error_code> ended;
    subscription.async_next(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code error, const Delivery&) { ended = error; }));
    signal.emit(asio::cancellation_type::total);
    const Message message{.body = "m"};
    const Target target{.routing_key = "q"};
    co_await channel.async_publish(target, message, use_awaitable);
    EXPECT_EQ(ended, std::optional<std::error_code>(asio::error::operation_aborted));
    const Delivery delivery = co_await subscription.async_next(use_awaitable);
    EXPECT_EQ(delivery.body(), "m");
  });
}

TEST_F(AmqpFacade, ManyAtATime) {
  run([this]() -> asio::awaitable<void> {
    constexpr std::size_t kMessages = 500;
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const Target target{.routing_key = "q"};
    for (std::size_t i = 0; i < kMessages; ++i) {
      const std::string body = std::to_string(i);
      const Message message{.body = body};
      channel.async_publish(target, message, asio::detached);
    }
    const BasicConsume consume{.queue = "q"};
    const ConsumeOptions options{.prefetch = 100};
    Subscription subscription = co_await channel.async_consume(consume, options, use_awaitable);
    // One that is to come again, and a first one by itself.
    Delivery first = co_await subscription.async_next(use_awaitable);
    EXPECT_EQ(first.body(), "0");
    std::size_t seen = 1;
    bool rejected = false, again = false;
    std::vector<Deliveries> kept;
    while (!again || seen < kMessages) {
      Deliveries all = co_await subscription.async_next_all(use_awaitable);
      EXPECT_FALSE(all.empty());
      EXPECT_LE(all.size(), 100U);
      for (const Delivered& each : all) {
        if (each.redelivered) {
          EXPECT_EQ(each.body(), wire::Bytes("1"));
          again = true;
        } else {
          EXPECT_EQ(each.body(), wire::Bytes(std::to_string(seen++)));
          EXPECT_EQ(each.routing_key, Text("q"));
        }
      }
      if (!std::exchange(rejected, true)) all.reject(all[0], /*requeue=*/true);
      all.ack();
      if (kept.size() < 3) kept.push_back(std::move(all));
    }
    EXPECT_EQ(seen, kMessages);
    // What is held stays as it was.
    EXPECT_EQ(kept[0][0].body(), wire::Bytes("1"));
    first.ack();
    co_await channel.async_close(use_awaitable);
  });
  EXPECT_EQ(broker.ready("q"), 0U);
}

TEST_F(AmqpFacade, WaitingForManyEndsLikeTheOther) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const BasicConsume consume{.queue = "q"};
    Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
    asio::cancellation_signal signal;
    std::error_code ended, busy;
    subscription.async_next_all(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code error, const Deliveries&) { ended = error; }));
    subscription.async_next([&](std::error_code error, const Delivery&) { busy = error; });
    signal.emit(asio::cancellation_type::total);
    const Message message{.body = "m"};
    const Target target{.routing_key = "q"};
    co_await channel.async_publish(target, message, use_awaitable);
    EXPECT_EQ(ended, asio::error::operation_aborted);
    EXPECT_EQ(busy, ClientErrc::busy);
    const Deliveries all = co_await subscription.async_next_all(use_awaitable);
    EXPECT_EQ(all.size(), 1U);
    co_await channel.async_close(use_awaitable);
    auto token = asio::redirect_error(use_awaitable, ended);
    const Deliveries none = co_await subscription.async_next_all(token);
    EXPECT_EQ(ended, ClientErrc::closed);
    EXPECT_TRUE(none.empty());
  });
}

TEST_F(AmqpFacade, ManyArePublishedTogether) {
  const auto large = std::make_shared<const std::string>(300'000, 'l');
  run([this, large]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const Target target{.routing_key = "q", .mandatory = true};
    const std::vector<Message> messages = {{.body = "a", .properties = {.app_id = "test"}},
                                           {.body = *large, .owner = large},
                                           {.body = "c"}};
    const auto none = co_await channel.async_publish_all(target, messages, use_awaitable);
    EXPECT_TRUE(none.empty());
    const Target nowhere{.routing_key = "nowhere", .mandatory = true};
    std::error_code error;
    auto token = asio::redirect_error(use_awaitable, error);
    const auto back = co_await channel.async_publish_all(nowhere, messages, token);
    EXPECT_EQ(error, ReplyErrc::no_route);
    EXPECT_EQ(back.size(), messages.size());
    const BasicConsume consume{.queue = "q"};
    Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
    for (const Message& message : messages) {
      const Delivery delivery = co_await subscription.async_next(use_awaitable);
      EXPECT_TRUE(delivery.body() == message.body);
      delivery.ack();
    }
    co_await channel.async_close(use_awaitable);
  });
  EXPECT_EQ(large.use_count(), 1);
}

// An exception leaves through run(), and what has not been told yet is told by the next.
TEST_F(AmqpFacade, AHandlerThatThrowsLosesNoOther) {
  Connection connection(context, broker.config());
  Channel channel;
  run([&]() -> asio::awaitable<void> { channel = co_await ready_channel(connection, "q"); });
  std::vector<int> told;
  int thrown = 0;
  const auto publish = [&](int number) {
    channel.async_publish({.routing_key = "q"}, "m", [&, number](std::error_code error) {
      EXPECT_FALSE(error);
      told.push_back(number);
      if (number % 3 == 1) throw std::runtime_error("no");
    });
  };
  // From inside, so that they go out in one piece and are confirmed together.
  asio::post(context, [&] {
    for (int i = 0; i < 8; ++i) publish(i);
  });
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (told.size() < 8 && std::chrono::steady_clock::now() < end) {
    try {
      context.restart();
      context.run_one_for(100ms);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(told, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(thrown, 3);
}

TEST_F(AmqpFacade, BackPressureCanBeAwaited) {
  run([this]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    co_await ready_channel(connection, "q");
    const ChannelConfig small{.max_unconfirmed = 10};
    Channel channel = co_await connection.async_open_channel(small, use_awaitable);
    int confirmed = 0, full = 0, told = 0;
    const Message message{.body = "m"};
    const Target target{.routing_key = "q"};
    for (int i = 0; i < 1000; ++i) {
      co_await channel.async_wait_space(use_awaitable);
      channel.async_publish(target, message, [&](std::error_code error) {
        ++told;
        confirmed += error ? 0 : 1;
        full += error == ClientErrc::queue_full ? 1 : 0;
      });
    }
    co_await channel.async_close(use_awaitable);
    EXPECT_EQ(full, 0);
    EXPECT_EQ(told, 1000);
    EXPECT_GE(confirmed, 990);  // the last ones may be on their way when the channel closes
  });
}

TEST_F(AmqpFacade, RecoveryGoesOnByItself) {
  int lost = 0, recovered = 0;
  run([&]() -> asio::awaitable<void> {
    ConnectionEvents events;
    events.on_lost = [&](const Failure&) { ++lost; };
    events.on_recovered = [&] { ++recovered; };
    Connection connection(context, broker.config(), events);
    Channel channel = co_await ready_channel(connection, "q");
    const BasicConsume consume{.queue = "q"};
    Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
    broker.on_thread([](broker::AmqpBroker& held) { held.close_connections("maintenance"); });
    // On the same channel, by the same subscription.
    const Message message{.body = "after"};
    const Target target{.routing_key = "q"};
    for (;;) {
      std::error_code failed;
      try {
        co_await channel.async_publish(target, message, use_awaitable);
      } catch (const std::system_error& error) {
        failed = error.code();
      }
      if (!failed && recovered > 0) break;
      co_await channel.async_wait_space(use_awaitable);
    }
    const Delivery delivery = co_await subscription.async_next(use_awaitable);
    EXPECT_EQ(delivery.body(), "after");
    delivery.ack();
    co_await connection.async_close(use_awaitable);
  });
  EXPECT_EQ(lost, 1);
  EXPECT_EQ(recovered, 1);
}

TEST_F(AmqpFacade, FuturesAndManyThreads) {
  net::Runtime runtime;
  Connection connection(runtime.executor(), broker.config());
  connection.async_connect(asio::use_future).get();
  Channel channel = connection.async_open_channel({}, asio::use_future).get();
  channel.async_declare({.queue = "q"}, asio::use_future).get();
  Subscription subscription =
      channel.async_consume({.queue = "q"}, {.prefetch = 50}, asio::use_future).get();
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> confirmed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string body = std::to_string(t) + "." + std::to_string(i);
        channel
            .async_publish({.routing_key = "q"}, {.body = body, .properties = {.app_id = "test"}},
                           asio::use_future)
            .get();
        ++confirmed;
      }
    });
  }
  std::vector<int> next(kThreads);
  for (int i = 0; i < kThreads * kEach; ++i) {
    const Delivery delivery = subscription.async_next(asio::use_future).get();
    const std::string body(delivery.body());
    const int thread = std::stoi(body);
    ASSERT_EQ(body, std::to_string(thread) + "." +
                        std::to_string(next[static_cast<std::size_t>(thread)]++));
    ASSERT_EQ(delivery.properties().app_id, Text("test"));
    delivery.ack();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(confirmed, kThreads * kEach);
  const auto large = std::make_shared<const std::string>(50'000, 'l');
  std::vector<Message> together(9, Message{.body = "m", .properties = {.app_id = "test"}});
  together.push_back({.body = *large, .owner = large});
  EXPECT_TRUE(
      channel.async_publish_all({.routing_key = "q"}, together, asio::use_future).get().empty());
  for (std::size_t seen = 0; seen < 10;) {
    const Deliveries all = subscription.async_next_all(asio::use_future).get();
    seen += all.size();
    EXPECT_EQ(all[all.size() - 1].body().size(), seen == 10 ? large->size() : 1);
    all.ack(all[0]);
    all.ack();
  }
  const Target target{.routing_key = "q"};
  const std::vector<std::string_view> bodies = {"two", "three"};
  channel.async_publish(target, "one", asio::use_future).get();
  EXPECT_TRUE(channel.async_publish_all(target, bodies, asio::use_future).get().empty());
  for (const char* expected : {"one", "two", "three"}) {
    const Delivery next_body = subscription.async_next(asio::use_future).get();
    EXPECT_EQ(next_body.body(), expected);
    EXPECT_EQ(next_body.properties(), BasicProperties());
    next_body.ack();
  }
  connection.async_close(asio::use_future).get();
  EXPECT_EQ(broker.ready("q"), 0U);
}

// Awaited later than asked for, and with and without properties: each carries what it needs.
TEST_F(AmqpFacade, PublishesAreCarriedUntilTheyAreAwaited) {
  run([&]() -> asio::awaitable<void> {
    Connection connection(context, broker.config());
    Channel channel = co_await ready_channel(connection, "q");
    const std::string body = "plain";
    const Target target{.routing_key = "q"};
    auto plain = channel.async_publish(target, body, use_awaitable);
    auto bare = channel.async_publish(target, Message{.body = body}, use_awaitable);
    auto with_properties = channel.async_publish(
        target, Message{.body = "more", .properties = {.type = "t", .app_id = "a"}}, use_awaitable);
    co_await std::move(with_properties);
    co_await std::move(plain);
    co_await std::move(bare);
    co_await channel.async_publish(target, "literal", use_awaitable);
    const Delivery more = co_await channel.async_get({.queue = "q"}, use_awaitable);
    EXPECT_EQ(more.body(), "more");
    EXPECT_EQ(more.properties(), (BasicProperties{.type = "t", .app_id = "a"}));
    for (const char* expected : {"plain", "plain", "literal"}) {
      const Delivery next = co_await channel.async_get({.queue = "q"}, use_awaitable);
      EXPECT_EQ(next.body(), expected);
      EXPECT_EQ(next.properties(), BasicProperties());
    }
    co_await connection.async_close(use_awaitable);
  });
}

TEST_F(AmqpFacade, HandlesAreDroppedOnAnyThread) {
  net::Runtime runtime;
  Connection connection(runtime.executor(), broker.config());
  connection.async_connect(asio::use_future).get();
  constexpr int kThreads = 4, kTimes = 20;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string queue = "q" + std::to_string(t);
      for (int i = 0; i < kTimes; ++i) {
        Channel channel = connection.async_open_channel({}, asio::use_future).get();
        RpcClient rpc = RpcClient::async_open(channel, asio::use_future).get();
        channel.async_declare({.queue = std::string_view(queue)}, asio::use_future).get();
        channel
            .async_publish({.routing_key = std::string_view(queue)}, {.body = "m"},
                           asio::use_future)
            .get();
        Subscription subscription =
            channel
                .async_consume({.queue = std::string_view(queue), .no_ack = true}, {},
                               asio::use_future)
                .get();
        if (i % 2 == 0) subscription.async_cancel(asio::use_future).get();
        channel.async_close(asio::use_future).get();
        subscription = Subscription();  // the last who knows of it, perhaps with a message in it
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  connection.async_close(asio::use_future).get();
}

TEST_F(AmqpFacade, WhatWaitsEndsWithTheConnection) {
  std::optional<std::error_code> next_ended, call_ended;
  {
    Connection connection(context, broker.config());
    std::optional<Subscription> subscription;
    std::optional<Channel> channel;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          channel = co_await ready_channel(connection, "q");
          const BasicConsume consume{.queue = "q"};
          subscription = co_await channel->async_consume(consume, {}, use_awaitable);
        },
        asio::detached);
    run_until([&] { return subscription.has_value(); });
    subscription->async_next([&](std::error_code error, const Delivery&) { next_ended = error; });
    channel->async_call(QueueDeclare{.queue = "r"},
                        [&](std::error_code error) { call_ended = error; });
  }
  run_until([&] { return next_ended && call_ended; });
  EXPECT_EQ(next_ended, std::optional<std::error_code>(make_error_code(ClientErrc::closed)));
  EXPECT_EQ(call_ended, std::optional<std::error_code>(make_error_code(ClientErrc::closed)));
}

asio::awaitable<void> wait_for_ever(Subscription subscription, std::shared_ptr<int> mine) {
  co_await subscription.async_next(use_awaitable);
  *mine = 8;
}

TEST_F(AmqpFacade, TheContextEndsFirst) {
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = owned;
  {
    asio::io_context early(1);
    auto connection = std::make_shared<Connection>(early, broker.config());
    bool waits = false;
    asio::co_spawn(
        early,
        // The coroutines hold the connection that they wait for.
        [](asio::io_context& on, std::shared_ptr<Connection> held, std::shared_ptr<int> mine,
           bool& waiting) -> asio::awaitable<void> {
          Channel channel = co_await ready_channel(*held, "q");
          for (int i = 0; i < 5; ++i) {
            const BasicConsume consume{.queue = "q"};
            Subscription subscription = co_await channel.async_consume(consume, {}, use_awaitable);
            asio::co_spawn(on, wait_for_ever(std::move(subscription), mine), asio::detached);
          }
          waiting = true;
          const BasicConsume consume{.queue = "q"};
          Subscription last = co_await channel.async_consume(consume, {}, use_awaitable);
          co_await wait_for_ever(std::move(last), std::move(mine));
        }(early, connection, std::move(owned), waits),
        asio::detached);
    connection.reset();
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!waits && std::chrono::steady_clock::now() < end) early.run_one_for(100ms);
    EXPECT_TRUE(waits);
  }
  EXPECT_TRUE(watch.expired());
}

TEST_F(AmqpFacade, ABadConfigIsThrown) {
  ConnectionConfig config = broker.config();
  config.frame_max = 1;
  try {
    Connection connection(context, config);
    ADD_FAILURE();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::invalid_config);
    EXPECT_NE(std::string(error.what()).find("frame_max"), std::string::npos);
  }
}

}  // namespace
}  // namespace tern::amqp
