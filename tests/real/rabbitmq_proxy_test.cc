// The AMQP client against a real RabbitMQ behind a proxy that cuts connections at any byte, or lets
// nothing through any more. By hand: as rabbitmq_test.cc.
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
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "client/amqp/channel.h"
#include "client/amqp/connection.h"
#include "client/amqp/resend.h"
#include "client/net/runtime.h"
#include "tests/real/environment.h"

namespace tern::amqp {
namespace {

using asio::use_future;
using asio::ip::tcp;
using real::environment;
using std::chrono::milliseconds;
using std::chrono::seconds;

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

}  // namespace
}  // namespace tern::amqp
