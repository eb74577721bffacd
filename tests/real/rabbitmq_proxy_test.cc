// The AMQP client against a real RabbitMQ behind a proxy that cuts connections at any byte, lets
// nothing through any more, or says things that the client did not say; from many threads, and at
// its ends. By hand: see rabbitmq_client.h.
#include <gtest/gtest.h>

#include <asio/bind_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client/amqp/channel.h"
#include "client/amqp/connection.h"
#include "client/amqp/resend.h"
#include "client/amqp/uri.h"
#include "client/net/runtime.h"
#include "tests/real/cutting_proxy.h"
#include "tests/real/rabbitmq_client.h"

namespace tern::amqp::testing {
namespace {

using asio::use_future;

constexpr seconds kPatience(60);

class RealRabbitmqProxy : public ::testing::Test {
 protected:
  void SetUp() override {
    if (environment("TERN_RABBITMQ").empty()) GTEST_SKIP() << "TERN_RABBITMQ is not set";
    proxy = std::make_unique<Proxy>();
  }
  ConnectionConfig config() const {
    ConnectionConfig config;
    config.hosts = {{"127.0.0.1", proxy->port()}};
    config.recovery_backoff = milliseconds(10);
    config.recovery_backoff_max = milliseconds(100);
    return config;
  }
  static std::string name() {
    return "proxy." + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  // So many connections with this name does the broker have.
  static std::size_t at_broker(const std::string& connection_name) {
    const std::string all = control("ctl", "list_connections client_properties");
    std::size_t count = 0;
    for (auto at = all.find(connection_name); at != std::string::npos;
         at = all.find(connection_name, at + 1)) {
      ++count;
    }
    return count;
  }
  static bool soon(const std::function<bool()>& done) {
    const auto end = Clock::now() + kPatience;
    while (!done()) {
      if (Clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  // Sockets and all others of this process.
  static std::ptrdiff_t open_files() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  }
  std::unique_ptr<Proxy> proxy;
  net::Runtime runtime;
};

TEST_F(RealRabbitmqProxy, OverIPv6) {
  ConnectionConfig with;
  const auto listen = [&](const Proxy& at) {
    return parse_uri("amqp://guest:guest@[::1]:" + std::to_string(at.port()) + "/%2f", with);
  };
  try {
    const Proxy six(asio::ip::address_v6::loopback());
    ASSERT_FALSE(listen(six));
    Connection connection(runtime.executor(), with);
    connection.async_connect(use_future).get();
    connection.async_close(use_future).get();
  } catch (const std::system_error& error) {
    // There is none on this machine: the only way this may go wrong.
    EXPECT_TRUE(error.code() == std::errc::address_not_available ||
                error.code() == std::errc::address_family_not_supported)
        << error.what();
  }
}

// Each of them is told at once, until the last byte comes through.
TEST_F(RealRabbitmqProxy, CutAtEachByteOfTheHandshake) {
  for (const bool of_client : {true, false}) {
    std::size_t at = 0;
    for (bool connected = false; !connected; ++at) {
      ASSERT_LT(at, 2'000U);
      proxy->cut(of_client ? at : kNoCut, of_client ? kNoCut : at);
      Client client([this](ConnectionConfig& with) { with.hosts = config().hosts; });
      const auto before = Clock::now();
      const Failure why = client.connect();
      EXPECT_LE(Clock::now() - before, seconds(5)) << at;
      connected = !why;
      EXPECT_TRUE(connected || says(why, "it was closed ")) << at << why.message();
    }
    EXPECT_GT(at, 200U);
  }
}

TEST_F(RealRabbitmqProxy, EverythingComesBackWhereverItIsCut) {
  std::atomic<int> not_recovered = 0, recovered = 0;
  Connection connection(
      runtime.executor(), config(),
      {.on_recovered = [&] { ++recovered; },
       .on_not_recovered = [&](std::string_view, const Failure&) { ++not_recovered; }});
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const std::string exchange = name();
  channel
      .async_call(ExchangeDeclare{.exchange = std::string_view(exchange), .type = "topic"},
                  use_future)
      .get();
  const QueueInfo queue = channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  channel
      .async_call(QueueBind{.queue = std::string_view(queue.name),
                            .exchange = std::string_view(exchange),
                            .routing_key = "a.#"},
                  use_future)
      .get();
  Subscription subscription =
      channel
          .async_consume(BasicConsume{.queue = std::string_view(queue.name)}, {.prefetch = 5},
                         use_future)
          .get();
  std::future<Delivery> next = subscription.async_next(use_future);
  AtLeastOnce publisher(channel);
  const Target target{
      .exchange = std::string_view(exchange), .routing_key = "a.b", .mandatory = true};
  // A handshake and all that follows it take less than this of either side.
  constexpr std::size_t kHandshake = 900;
  int cuts = 0;
  for (std::size_t at = 0; at < kHandshake; at += 29) {
    for (const bool of_client : {true, false}) {
      proxy->cut(of_client ? at : kNoCut, of_client ? kNoCut : at);
      const std::string body = "cut " + std::to_string(++cuts);
      // What is confirmed before the cut goes with the queue, so again until it comes.
      bool came = false;
      for (int tries = 0; tries < 30 && !came; ++tries) {
        const auto published = publisher.async_publish(target, {.body = body}, use_future);
        ASSERT_EQ(published.wait_for(kPatience), std::future_status::ready) << at << of_client;
        while (!came && next.wait_for(seconds(1)) == std::future_status::ready) {
          Delivery delivery = next.get();
          delivery.ack();
          came = delivery.body() == std::string_view(body);
          next = subscription.async_next(use_future);
        }
      }
      ASSERT_TRUE(came) << at << of_client;
    }
  }
  EXPECT_GE(recovered, cuts);
  EXPECT_EQ(not_recovered, 0);
  channel.async_call(ExchangeDelete{.exchange = std::string_view(exchange)}, use_future).get();
  connection.async_close(use_future).get();
}

// No socket here, and nothing twice at the broker.
TEST_F(RealRabbitmqProxy, StormsLeaveNothingBehind) {
  ConnectionConfig with = config();
  with.connection_name = name();
  std::atomic<int> recovered = 0;
  Connection connection(runtime.executor(), with, {.on_recovered = [&] { ++recovered; }});
  connection.async_connect(use_future).get();
  Channel publishing = connection.async_open_channel({}, use_future).get();
  Channel consuming = connection.async_open_channel({}, use_future).get();
  consuming.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  const std::string own = name();
  const QueueDeclare named{.queue = std::string_view(own), .exclusive = true};
  consuming.async_declare(named, use_future).get();
  Subscription subscription =
      consuming
          .async_consume(BasicConsume{.queue = std::string_view(own), .no_ack = true}, {},
                         use_future)
          .get();
  AtLeastOnce publisher(publishing);
  const Target target{.routing_key = std::string_view(own), .mandatory = true};
  const auto there_and_back = [&] {
    publisher.async_publish(target, {.body = "m"}, use_future).get();
    subscription.async_next(use_future).get();
  };
  there_and_back();
  const auto before = open_files();
  constexpr int kCuts = 20;
  for (int i = 1; i <= kCuts; ++i) {
    proxy->cut();
    ASSERT_TRUE(soon([&] { return recovered >= i; }));
    there_and_back();
  }
  EXPECT_EQ(recovered, kCuts);
  EXPECT_EQ(open_files(), before);
  const QueueInfo now = consuming.async_declare(named, use_future).get();
  EXPECT_EQ(now.consumers, 1U);
  EXPECT_EQ(now.messages, 0U);
  // The broker needs a moment to notice the last cut.
  EXPECT_TRUE(soon([&] { return at_broker(with.connection_name) == 1; }));
  const std::string channels = control("ctl", "list_connections channels client_properties");
  const std::size_t line = channels.rfind('\n', channels.find(with.connection_name)) + 1;
  EXPECT_EQ(channels.substr(line, 2), "2\t") << channels;
  connection.async_close(use_future).get();
}

TEST_F(RealRabbitmqProxy, CutInTheMiddleOfABody) {
  Connection connection(runtime.executor(), config());
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const std::string queue = name();
  const QueueDeclare declare{.queue = std::string_view(queue)};
  channel.async_declare(declare, use_future).get();
  const std::string body(1'000'000, 'b');
  const Target target{.routing_key = std::string_view(queue), .mandatory = true};
  proxy->cut_after(300'000, kNoCut);
  try {
    channel.async_publish(target, {.body = body}, use_future).get();
    ADD_FAILURE() << "confirmed";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::maybe_written) << error.what();
  }
  AtLeastOnce publisher(channel);
  publisher.async_publish(target, {.body = body}, use_future).get();
  // The half of a message that came is no message.
  EXPECT_EQ(channel.async_declare(declare, use_future).get().messages, 1U);

  proxy->cut_after(kNoCut, 300'000);
  Subscription subscription =
      channel.async_consume(BasicConsume{.queue = std::string_view(queue)}, {}, use_future).get();
  auto next = subscription.async_next(use_future);
  ASSERT_EQ(next.wait_for(kPatience), std::future_status::ready);
  Delivery delivery = next.get();
  EXPECT_TRUE(delivery.body() == std::string_view(body));
  EXPECT_TRUE(delivery.redelivered());
  delivery.ack();
  channel.async_remove(QueueDelete{.queue = std::string_view(queue)}, use_future).get();
  connection.async_close(use_future).get();
}

TEST_F(RealRabbitmqProxy, SilenceIsNoticed) {
  ConnectionConfig with = config();
  with.heartbeat = seconds(1);
  with.recover = false;
  std::promise<Failure> lost;
  Connection connection(runtime.executor(), with,
                        {.on_lost = [&](const Failure& why) { lost.set_value(why); }});
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const QueueInfo queue = channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  proxy->silence();
  const auto before = Clock::now();
  auto published = channel.async_publish({.routing_key = std::string_view(queue.name)},
                                         {.body = "into the silence"}, use_future);
  auto told = lost.get_future();
  ASSERT_EQ(told.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_LE(Clock::now() - before, seconds(5));
  EXPECT_EQ(told.get().code, ClientErrc::timed_out);
  try {
    published.get();
    ADD_FAILURE() << "confirmed";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::maybe_written) << error.what();
  }
}

std::string frame(char type, char channel, const std::string& payload, char end = '\xce') {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string out{type, '\0', channel};
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  return out + payload + end;
}

// Whatever the broker finds wrong, the client tells it with the broker's number and words.
TEST_F(RealRabbitmqProxy, WhatTheBrokerFindsWrongIsTold) {
  const std::string open(std::string("\x00\x14\x00\x0a\x00", 5));
  const std::string select(std::string("\x00\x55\x00\x0a\x00", 5));
  const std::string publish(std::string("\x00\x3c\x00\x28\x00\x00\x00\x00\x00", 9));
  const std::string header(
      std::string("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00", 14));
  const struct {
    std::string bytes;
    ReplyErrc code;
    const char* words;
  } cases[] = {
      {frame(1, 1, open, '\xcd'), ReplyErrc::frame_error, "FRAME_ERROR"},
      {frame(4, 1, "x"), ReplyErrc::frame_error, "FRAME_ERROR"},
      {std::string("\x03\x00\x01\x00\x10\x00\x00", 7), ReplyErrc::frame_error, "FRAME_ERROR"},
      {frame(2, 1, header), ReplyErrc::unexpected_frame, "UNEXPECTED_FRAME"},
      {frame(3, 1, "body"), ReplyErrc::unexpected_frame, "UNEXPECTED_FRAME"},
      {frame(8, 1, ""), ReplyErrc::unexpected_frame, "UNEXPECTED_FRAME"},
      {frame(1, 1, publish) + frame(3, 1, "body"), ReplyErrc::unexpected_frame, "UNEXPECTED_FRAME"},
      {frame(1, 1, publish) + frame(2, 1, std::string("\x00\x32", 2) + header.substr(2)),
       ReplyErrc::unexpected_frame, "expected content header for class 60"},
      {frame(1, 0, open), ReplyErrc::channel_error, "in connection state running"},
      {"GET / HTTP/1.1\r\n", ReplyErrc::frame_error, "FRAME_ERROR"},
      {frame(1, 9, select), ReplyErrc::channel_error, "CHANNEL_ERROR"},
      {frame(1, 1, open), ReplyErrc::channel_error, "CHANNEL_ERROR"},
      {frame(1, 1, std::string("\x00\x32\x00\x0a\x00\x00\xff", 7)), ReplyErrc::frame_error,
       "cannot decode"},
      // What RabbitMQ does not do: immediate, and recovering to the same consumer.
      {frame(1, 1, publish.substr(0, 8) + '\x02') +
           frame(2, 1, header.substr(0, 11) + std::string(3, '\0')),
       ReplyErrc::not_implemented, "immediate=true"},
      {frame(1, 1, std::string("\x00\x3c\x00\x6e\x00", 5)), ReplyErrc::not_implemented, "requeue"},
  };
  ConnectionConfig with = config();
  with.recover = false;
  for (const auto& each : cases) {
    std::promise<Failure> lost;
    Connection connection(runtime.executor(), with,
                          {.on_lost = [&](const Failure& why) { lost.set_value(why); }});
    connection.async_connect(use_future).get();
    Channel channel = connection.async_open_channel({}, use_future).get();
    proxy->say(each.bytes);
    auto told = lost.get_future();
    ASSERT_EQ(told.wait_for(kPatience), std::future_status::ready) << each.words;
    const Failure why = told.get();
    EXPECT_EQ(why.code, each.code) << why.message();
    EXPECT_NE(why.message().find(each.words), std::string::npos) << why.message();
  }
}

// The client takes care that neither happens, so it is said for it.
TEST_F(RealRabbitmqProxy, ASecondAckAndASecondTag) {
  std::promise<Failure> lost;
  ConnectionConfig with = config();
  with.recover = false;
  Connection connection(runtime.executor(), with,
                        {.on_lost = [&](const Failure& why) { lost.set_value(why); }});
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  Channel sibling = connection.async_open_channel({}, use_future).get();
  const std::string queue = name();
  const QueueDeclare declare{.queue = std::string_view(queue), .exclusive = true};
  sibling.async_declare(declare, use_future).get();
  const BasicConsume consume{.queue = std::string_view(queue)};
  Subscription subscription = channel.async_consume(consume, {.prefetch = 1}, use_future).get();
  const Target target{.routing_key = std::string_view(queue), .mandatory = true};
  for (const char* body : {"first", "second"}) {
    sibling.async_publish(target, {.body = body}, use_future).get();
  }
  const Delivery first = subscription.async_next(use_future).get();
  first.ack();
  first.ack();
  // With this prefetch the second one comes when the first is acknowledged.
  EXPECT_EQ(subscription.async_next(use_future).get().body(), "second");
  proxy->say(frame(1, 1, std::string("\x00\x3c\x00\x50\0\0\0\0\0\0\0\x01\0", 13)));
  Diagnostics diagnostics;
  try {
    subscription.async_next(use_future, &diagnostics).get();
    ADD_FAILURE() << "a third one";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ReplyErrc::precondition_failed);
    EXPECT_NE(diagnostics.message.find("unknown delivery tag 1"), std::string::npos)
        << diagnostics.message;
  }
  // The other channel goes on, and what the first one had comes to it.
  Subscription again = sibling.async_consume(consume, {}, use_future).get();
  const Delivery second = again.async_next(use_future).get();
  EXPECT_EQ(second.body(), "second");
  EXPECT_TRUE(second.redelivered());
  second.ack();
  EXPECT_EQ(sibling.async_declare(declare, use_future).get().messages, 0U);

  // basic.consume with no-wait.
  const std::string tag = again.tag();
  proxy->say(frame(1, 2,
                   std::string("\x00\x3c\x00\x14\0\0", 6) + static_cast<char>(queue.size()) +
                       queue + static_cast<char>(tag.size()) + tag +
                       std::string("\x08\0\0\0\0", 5)));
  auto told = lost.get_future();
  ASSERT_EQ(told.wait_for(kPatience), std::future_status::ready);
  const Failure why = told.get();
  EXPECT_EQ(why.code, ReplyErrc::not_allowed) << why.message();
  EXPECT_TRUE(says(why, "reuse consumer tag '" + tag + "'")) << why.message();
}

// With questions waiting: all of them end, and nobody is left at the broker.
TEST_F(RealRabbitmqProxy, CloseWinsOverRecovery) {
  ConnectionConfig with = config();
  with.connection_name = name();
  for (std::size_t at = 0; at < 900; at += 60) {
    proxy->cut();  // the last one may not have come back to be cut
    Connection connection(runtime.executor(), with);
    connection.async_connect(use_future).get();
    Channel channel = connection.async_open_channel({}, use_future).get();
    channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
    proxy->cut(kNoCut, at);
    auto asked = channel.async_declare(QueueDeclare{.exclusive = true}, use_future);
    auto closed = connection.async_close(use_future);
    ASSERT_EQ(closed.wait_for(kPatience), std::future_status::ready) << at;
    closed.get();
    ASSERT_EQ(asked.wait_for(kPatience), std::future_status::ready) << at;
  }
  proxy->cut();
  // The broker needs a moment to notice.
  EXPECT_TRUE(soon([&] { return at_broker(with.connection_name) == 0; }));
}

TEST_F(RealRabbitmqProxy, PublishingFromManyThreads) {
  Connection connection(runtime.executor(), config());
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const QueueInfo queue = channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  constexpr int kThreads = 4, kMessages = 500;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::future<void>> sent;
      for (int i = 0; i < kMessages; ++i) {
        const std::string body = std::to_string(t) + " " + std::to_string(i);
        const Target target{.routing_key = i % 3 == 0 ? "nowhere" : std::string_view(queue.name),
                            .mandatory = true};
        sent.push_back(channel.async_publish(target, {.body = body}, use_future));
      }
      for (int i = 0; i < kMessages; ++i) {
        std::error_code code;
        try {
          sent[static_cast<std::size_t>(i)].get();
        } catch (const std::system_error& error) {
          code = error.code();
        }
        if (i % 3 == 0 ? code != ReplyErrc::no_route : static_cast<bool>(code)) ++wrong;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(wrong, 0);
  const QueueDeclare again{.queue = std::string_view(queue.name), .passive = true};
  EXPECT_EQ(channel.async_declare(again, use_future).get().messages,
            static_cast<std::uint32_t>(kThreads * (kMessages - (kMessages + 2) / 3)));
  connection.async_close(use_future).get();
}

TEST_F(RealRabbitmqProxy, AcknowledgingFromManyThreads) {
  Connection connection(runtime.executor(), config());
  connection.async_connect(use_future).get();
  Channel publishing = connection.async_open_channel({}, use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const QueueInfo queue = channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  constexpr int kThreads = 4, kMessages = 2'000;
  asio::thread_pool threads(kThreads);
  const Target target{.routing_key = std::string_view(queue.name), .mandatory = true};
  std::atomic<int> confirmed = 0;
  for (int i = 0; i < kMessages; ++i) {
    asio::post(threads, [&, i] {
      publishing.async_publish(target, std::to_string(i),
                               [&](std::error_code error) { confirmed += error ? 0 : 1; });
    });
  }
  Subscription subscription =
      channel
          .async_consume(BasicConsume{.queue = std::string_view(queue.name)}, {.prefetch = 50},
                         use_future)
          .get();
  std::vector<int> seen(kMessages);
  for (int came = 0; came < kMessages;) {
    auto next = subscription.async_next(use_future);
    ASSERT_EQ(next.wait_for(kPatience), std::future_status::ready) << came;
    Delivery delivery = next.get();
    const int number = std::stoi(std::string(delivery.body()));
    // Some come a second time.
    const bool again = number % 10 == 0 && !delivery.redelivered();
    if (!again) ++seen[static_cast<std::size_t>(number)], ++came;
    asio::post(threads, [delivery = std::move(delivery), number, again] {
      if (again) return delivery.reject(/*requeue=*/true);
      number % 7 == 0 ? delivery.reject(/*requeue=*/false) : delivery.ack();
    });
  }
  threads.join();
  EXPECT_EQ(seen, std::vector<int>(kMessages, 1));
  // What was said of each has gone out before this.
  channel.async_close(use_future).get();
  const QueueDeclare passive{.queue = std::string_view(queue.name), .passive = true};
  EXPECT_EQ(publishing.async_declare(passive, use_future).get().messages, 0U);
  EXPECT_TRUE(soon([&] { return confirmed == kMessages; }));
  connection.async_close(use_future).get();
}

// Whoever is called ends everything there is, and nothing is left.
TEST_F(RealRabbitmqProxy, DestroyedInsideTheirOwnHandlers) {
  ConnectionConfig with = config();
  with.connection_name = name();
  struct All {
    std::unique_ptr<Connection> connection;
    Channel channel;
    Subscription subscription;
  };
  {
    // The executor has files of its own from the first one on.
    Connection first(runtime.executor(), with);
    first.async_connect(use_future).get();
    first.async_close(use_future).get();
  }
  EXPECT_TRUE(soon([&] { return at_broker(with.connection_name) == 0; }));
  const auto before = open_files();
  for (int which = 0; which < 6; ++which) {
    auto all = std::make_shared<All>();
    std::string target_name;
    std::promise<void> destroyed;
    // The last one who has `all` is the handler.
    const auto end_of = [&destroyed](std::shared_ptr<All>& held) {
      return [held = std::move(held), &destroyed](std::error_code, const auto&...) mutable {
        held.reset();
        destroyed.set_value();
      };
    };
    All& each = *all;
    each.connection = std::make_unique<Connection>(runtime.executor(), with);
    if (which != 0) {
      each.connection->async_connect(use_future).get();
      each.channel = each.connection->async_open_channel({}, use_future).get();
      const QueueInfo queue =
          each.channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
      target_name = queue.name;
      each.subscription =
          each.channel
              .async_consume(BasicConsume{.queue = std::string_view(target_name)}, {}, use_future)
              .get();
    }
    // Where the handlers run, so that none runs before the call has returned.
    asio::post(runtime.executor().any(), [&, last = std::move(all)]() mutable {
      const Target target{.routing_key = std::string_view(target_name)};
      switch (which) {
        case 0:
          return each.connection->async_connect(end_of(last));
        case 1:
          return each.channel.async_publish(target, "m", end_of(last));
        case 2:
          each.channel.async_publish(target, "m", [](std::error_code) {});
          return each.subscription.async_next(end_of(last));
        case 3:
          return each.channel.async_declare(QueueDeclare{.exclusive = true}, end_of(last));
        case 4:
          return each.channel.async_close(end_of(last));
        default:
          return each.connection->async_close(end_of(last));
      }
    });
    ASSERT_EQ(destroyed.get_future().wait_for(kPatience), std::future_status::ready) << which;
  }
  EXPECT_TRUE(soon([&] { return at_broker(with.connection_name) == 0; }));
  EXPECT_TRUE(soon([&] { return open_files() <= before; })) << open_files() << " of " << before;
}

// Handlers that are left are destroyed, and the broker hears the end of it.
TEST_F(RealRabbitmqProxy, TheContextStopsWithWorkLeft) {
  ConnectionConfig with = config();
  with.connection_name = name();
  const auto before = open_files();
  auto held = std::make_shared<int>(0);
  std::atomic<int> called = 0;
  {
    asio::io_context context(1);
    auto work = asio::make_work_guard(context);
    std::thread thread([&] { context.run(); });
    Connection connection(context, with);
    connection.async_connect(use_future).get();
    Channel channel = connection.async_open_channel({}, use_future).get();
    const QueueInfo queue =
        channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
    Subscription subscription =
        channel.async_consume(BasicConsume{.queue = std::string_view(queue.name)}, {}, use_future)
            .get();
    const Target target{.routing_key = std::string_view(queue.name)};
    for (int i = 0; i < 1'000; ++i) {
      channel.async_publish(target, "m", [held, &called](std::error_code) { ++called; });
      if (i == 500) context.stop();
    }
    subscription.async_next([held, &called](std::error_code, const Delivery&) { ++called; });
    connection.async_close([held, &called](std::error_code) { ++called; });
    thread.join();
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_LE(called, 501);
  EXPECT_TRUE(soon([&] { return open_files() <= before; })) << open_files() << " of " << before;
  EXPECT_TRUE(soon([&] { return at_broker(with.connection_name) == 0; }));
}

// Heartbeats of one second: neither a consumer that only listens nor one that takes its time with a
// message loses its connection.
TEST_F(RealRabbitmqProxy, BusyAndSlowConsumersStayAlive) {
  ConnectionConfig with = config();
  with.heartbeat = seconds(1);
  with.recover = false;
  std::atomic<int> lost = 0;
  const ConnectionEvents events{.on_lost = [&](const Failure&) { ++lost; }};
  Connection consuming(runtime.executor(), with, events),
      publishing(runtime.executor(), with, events);
  consuming.async_connect(use_future).get();
  publishing.async_connect(use_future).get();
  Channel from = publishing.async_open_channel({}, use_future).get();
  Channel to = consuming.async_open_channel({}, use_future).get();
  const QueueInfo queue = to.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  Subscription busy =
      to.async_consume(BasicConsume{.queue = std::string_view(queue.name), .no_ack = true},
                       {.prefetch = 0}, use_future)
          .get();
  const auto end = std::chrono::steady_clock::now() + seconds(4);
  const Target target{.routing_key = std::string_view(queue.name)};
  while (std::chrono::steady_clock::now() < end) {
    from.async_publish(target, {.body = "tick"}, use_future).get();
    EXPECT_EQ(busy.async_next(use_future).get().body(), "tick");
    std::this_thread::sleep_for(milliseconds(20));
  }
  const QueueInfo slow = to.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  Subscription slowly =
      to.async_consume(BasicConsume{.queue = std::string_view(slow.name)}, {}, use_future).get();
  from.async_publish({.routing_key = std::string_view(slow.name)}, {.body = "work"}, use_future)
      .get();
  asio::thread_pool own(1);
  slowly.async_next(
      asio::bind_executor(own.get_executor(), [](std::error_code error, const Delivery& delivery) {
        ASSERT_FALSE(error);
        const auto processing = delivery.process();
        std::this_thread::sleep_for(seconds(4));
      }));
  own.join();
  const QueueDeclare again{.queue = std::string_view(slow.name), .passive = true};
  EXPECT_EQ(to.async_declare(again, use_future).get().messages, 0U);
  EXPECT_EQ(lost, 0);
  consuming.async_close(use_future).get();
  publishing.async_close(use_future).get();
}

// What `process()` leaves at the broker.
TEST_F(RealRabbitmqProxy, EndsOfScopes) {
  Connection connection(runtime.executor(), config());
  connection.async_connect(use_future).get();
  Channel channel = connection.async_open_channel({}, use_future).get();
  const QueueInfo dead = channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
  TableBuilder arguments;
  arguments.add("x-dead-letter-exchange", "").add("x-dead-letter-routing-key", dead.name);
  const QueueInfo queue =
      channel
          .async_declare(QueueDeclare{.exclusive = true, .arguments = *arguments.table()},
                         use_future)
          .get();
  const Target target{.routing_key = std::string_view(queue.name)};
  for (const char* body : {"good", "bad", "by hand", "again", "early"}) {
    channel.async_publish(target, {.body = body}, use_future).get();
  }
  Subscription subscription =
      channel.async_consume(BasicConsume{.queue = std::string_view(queue.name)}, {}, use_future)
          .get();
  int requeued = 0;
  // Returns before it has said done() the first time.
  const auto leave_early = [](const Delivery& delivery) {
    auto processing = delivery.process({.at_end = Settle::requeue});
    if (!delivery.redelivered()) return;
    processing.done();
  };
  for (int left = 7; left > 0; --left) {
    const Delivery delivery = subscription.async_next(use_future).get();
    requeued += delivery.redelivered() ? 1 : 0;
    if (delivery.body() == "early") {
      leave_early(delivery);
      continue;
    }
    try {
      const auto processing = delivery.process(
          {.on_exception = delivery.body() == "again" ? Settle::requeue : Settle::reject});
      if (delivery.body() == "bad") throw std::runtime_error("bad");
      if (delivery.body() == "by hand") delivery.ack();
      if (delivery.body() == "again" && !delivery.redelivered()) throw std::runtime_error("again");
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT_EQ(requeued, 2);
  const BasicGet get{.queue = std::string_view(dead.name), .no_ack = true};
  subscription.async_cancel(use_future).get();
  EXPECT_EQ(channel.async_get(get, use_future).get().body(), "bad");
  EXPECT_FALSE(channel.async_get(get, use_future).get());
  EXPECT_EQ(
      channel.async_remove(QueueDelete{.queue = std::string_view(queue.name)}, use_future).get(),
      0U);
  connection.async_close(use_future).get();
}

}  // namespace
}  // namespace tern::amqp::testing
