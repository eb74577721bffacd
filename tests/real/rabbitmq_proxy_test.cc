// The AMQP client against a real RabbitMQ behind a proxy that cuts connections at any byte, lets
// nothing through any more, or says things that the client did not say; and from many threads. By
// hand: see rabbitmq_client.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "client/amqp/channel.h"
#include "client/amqp/connection.h"
#include "client/amqp/resend.h"
#include "client/net/runtime.h"
#include "tests/real/rabbitmq_client.h"

namespace tern::amqp::testing {
namespace {

using asio::use_future;
using asio::ip::tcp;

constexpr seconds kPatience(60);
constexpr std::size_t kNoCut = SIZE_MAX;

// Passes bytes on, on a thread of its own.
class Proxy {
 public:
  Proxy() {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Proxy() {
    context_.stop();
    thread_.join();
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::uint16_t port() const { return port_; }
  // Ends all connections there are. The next one ends when so many bytes of the client (or of the
  // broker) have come through; the one after it does not.
  void cut(std::size_t of_client = kNoCut, std::size_t of_broker = kNoCut) {
    on_thread([=, this] {
      next_limit_ = {of_client, of_broker};
      for (const auto& each : std::exchange(pairs_, {})) each->close();
    });
  }
  // The same for the connection there is, from now on.
  void cut_after(std::size_t of_client, std::size_t of_broker) {
    on_thread([=, this] {
      for (const auto& each : pairs_) each->left = {of_client, of_broker};
    });
  }
  // The broker hears this on the newest connection, and takes it for the client's.
  void say(const std::string& bytes) {
    on_thread([this, bytes] { asio::write(pairs_.back()->sockets[1], asio::buffer(bytes)); });
  }
  // Nothing comes through any more.
  void silence() {
    on_thread([this] { silent_ = true; });
  }

 private:
  struct Pair {
    explicit Pair(asio::io_context& context)
        : sockets{tcp::socket(context), tcp::socket(context)} {}
    void close() {
      std::error_code ignored;
      for (tcp::socket& each : sockets) each.close(ignored);
    }
    std::array<tcp::socket, 2> sockets;               // the client's, the broker's
    std::array<std::size_t, 2> left{kNoCut, kNoCut};  // bytes from each that may come through
    std::array<std::array<char, 16384>, 2> buffers;
  };

  template <class Do>
  void on_thread(Do what) {
    asio::post(context_, std::packaged_task<void()>(what)).get();
  }

  void accept() {
    auto pair = std::make_shared<Pair>(context_);
    acceptor_.async_accept(pair->sockets[0], [this, pair](std::error_code error) {
      if (error) return;
      const std::string broker = environment("TERN_RABBITMQ");
      const std::size_t colon = broker.rfind(':');
      const auto port = static_cast<std::uint16_t>(std::stoi(broker.substr(colon + 1)));
      pair->sockets[1].connect({asio::ip::make_address(broker.substr(0, colon)), port}, error);
      if (!error) {
        pair->left = std::exchange(next_limit_, {kNoCut, kNoCut});
        pairs_.push_back(pair);
        pass_on(pair, 0);
        pass_on(pair, 1);
      }
      accept();
    });
  }

  void pass_on(const std::shared_ptr<Pair>& pair, std::size_t from) {
    pair->sockets[from].async_read_some(
        asio::buffer(pair->buffers[from]),
        [this, pair, from](std::error_code error, std::size_t n) {
          if (silent_) return;
          const std::size_t through = std::min(n, pair->left[from]);
          if (pair->left[from] != kNoCut) pair->left[from] -= through;
          if (!error) {
            asio::write(pair->sockets[1 - from], asio::buffer(pair->buffers[from], through), error);
          }
          if (error || through < n) return pair->close();
          pass_on(pair, from);
        });
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  const std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::vector<std::shared_ptr<Pair>> pairs_;
  std::array<std::size_t, 2> next_limit_{kNoCut, kNoCut};
  bool silent_ = false;
  std::thread thread_;
};

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
  std::unique_ptr<Proxy> proxy;
  net::Runtime runtime;
};

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
  auto published = channel.async_publish({.routing_key = std::string_view(queue.name)},
                                         {.body = "into the silence"}, use_future);
  auto told = lost.get_future();
  ASSERT_EQ(told.wait_for(seconds(20)), std::future_status::ready);
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
  const auto is_left = [&] {
    const std::string all = control("ctl", "list_connections client_properties");
    return all.find(with.connection_name) != std::string::npos;
  };
  // The broker needs a moment to notice.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (is_left() && std::chrono::steady_clock::now() < end) {
  }
  EXPECT_FALSE(is_left());
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
  {
    const Delivery delivery = slowly.async_next(use_future).get();
    const auto processing = delivery.process();
    std::this_thread::sleep_for(seconds(4));
  }
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
  for (const char* body : {"good", "bad", "by hand", "again"}) {
    channel.async_publish(target, {.body = body}, use_future).get();
  }
  Subscription subscription =
      channel.async_consume(BasicConsume{.queue = std::string_view(queue.name)}, {}, use_future)
          .get();
  bool requeued = false;
  for (int left = 5; left > 0; --left) {
    const Delivery delivery = subscription.async_next(use_future).get();
    try {
      const auto processing = delivery.process(
          {.on_exception = delivery.body() == "again" ? Settle::requeue : Settle::reject});
      if (delivery.body() == "bad") throw std::runtime_error("bad");
      if (delivery.body() == "by hand") delivery.ack();
      if (delivery.body() == "again" && !delivery.redelivered()) throw std::runtime_error("again");
      requeued |= delivery.redelivered();
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT_TRUE(requeued);
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
