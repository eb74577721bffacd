#include "client/cli/demo_amqp.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "client/amqp/connection.h"
#include "client/cli/embedded.h"
#include "client/cli/words.h"

namespace tern::cli {
namespace {

using asio::use_awaitable;
using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(60);
constexpr std::int64_t kWindow = 2'000;  // messages without a confirm
constexpr char kQueue[] = "tern-demo";
constexpr char kExchange[] = "tern-demo-events";

std::string body_of(std::int64_t number) { return "message " + std::to_string(number); }

// Publishes with confirms, a window of them at a time.
asio::awaitable<void> publish(amqp::Channel& channel, std::int64_t messages) {
  const auto start = Clock::now();
  struct Fates {
    std::int64_t confirmed = 0;
    std::error_code failure;
  };
  const auto fates = std::make_shared<Fates>();  // told of even after this has failed
  const auto open = [&fates](std::int64_t sent) { return sent - fates->confirmed; };
  std::string body;
  for (std::int64_t i = 0; i < messages && !fates->failure; ++i) {
    while (open(i) >= kWindow && !fates->failure) {
      co_await channel.async_wait_space(use_awaitable);
    }
    body = body_of(i);
    const amqp::Target target{.routing_key = kQueue, .mandatory = true};
    const amqp::Message message{.body = body, .properties = {.delivery_mode = amqp::kPersistent}};
    channel.async_publish(target, message, [fates](const std::error_code& error) {
      ++fates->confirmed;
      if (error) fates->failure = error;
    });
  }
  while (open(messages) > 0 && !fates->failure) co_await channel.async_wait_space(use_awaitable);
  if (fates->failure) {
    throw std::runtime_error("a message was not taken: " + fates->failure.message());
  }
  std::printf("published %s\n", in_words(messages, -1, Clock::now() - start, "message").c_str());
}

asio::awaitable<void> consume(amqp::Channel& channel, std::int64_t messages) {
  const auto start = Clock::now();
  const amqp::BasicConsume request{.queue = kQueue};
  amqp::Subscription subscription =
      co_await channel.async_consume(request, {.prefetch = 1'000}, use_awaitable);
  for (std::int64_t i = 0; i < messages; ++i) {
    const amqp::Delivery delivery = co_await subscription.async_next(use_awaitable);
    const std::string_view body = delivery.body();
    if (body != body_of(i) || delivery.redelivered()) {
      throw std::runtime_error("message " + std::to_string(i) + " is missing: \"" +
                               std::string(body) + "\" came in its place");
    }
    delivery.ack();
  }
  std::printf("consumed %s: none lost, none twice, all in order, each acknowledged\n",
              in_words(messages, -1, Clock::now() - start, "message").c_str());
  co_await subscription.async_cancel(use_awaitable);
  const amqp::QueueDelete remove{.queue = kQueue};
  const std::uint32_t left = co_await channel.async_remove(remove, use_awaitable);
  if (left != 0) throw std::runtime_error(std::to_string(left) + " messages are still there");
}

// An exclusive queue ends with its connection: what is there after the cut is what was made again.
asio::awaitable<void> survive(EmbeddedAmqp& broker, amqp::Channel& channel, const bool& is_back) {
  const amqp::ExchangeDeclare exchange{.exchange = kExchange, .type = "topic", .auto_delete = true};
  co_await channel.async_call(exchange, use_awaitable);
  const amqp::QueueDeclare queue{.exclusive = true};
  const amqp::QueueInfo info = co_await channel.async_declare(queue, use_awaitable);
  const amqp::QueueBind bind{.exchange = kExchange, .routing_key = "demo.#"};
  co_await channel.async_call(bind, use_awaitable);
  amqp::Subscription subscription =
      co_await channel.async_consume(amqp::BasicConsume{}, {}, use_awaitable);

  const auto start = Clock::now();
  broker.restart();
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (!is_back) {
    if (Clock::now() - start > kPatience) throw std::runtime_error("the connection is not back");
    pause.expires_after(std::chrono::milliseconds(1));
    co_await pause.async_wait(use_awaitable);
  }
  co_await channel.async_wait_space(use_awaitable);
  const amqp::Target target{.exchange = kExchange, .routing_key = "demo.after", .mandatory = true};
  const amqp::Message message{.body = "after the cut"};
  co_await channel.async_publish(target, message, use_awaitable);
  const amqp::Delivery delivery = co_await subscription.async_next(use_awaitable);
  if (delivery.body() != message.body) throw std::runtime_error("another message came");
  delivery.ack();
  const std::chrono::duration<double, std::milli> took = Clock::now() - start;
  std::printf(
      "cut the connection: exchange, queue, binding, consumer and confirms were back, and a "
      "message went through them, %.0f ms later\n",
      took.count());
}

asio::awaitable<void> demo(EmbeddedAmqp& broker, amqp::Connection& connection, const bool& is_back,
                           std::int64_t messages) {
  co_await connection.async_connect(use_awaitable);
  const amqp::ChannelConfig config{.max_unconfirmed = kWindow};
  amqp::Channel channel = co_await connection.async_open_channel(config, use_awaitable);
  const amqp::QueueDeclare declare{.queue = kQueue, .durable = true};
  co_await channel.async_declare(declare, use_awaitable);
  co_await publish(channel, messages);
  co_await consume(channel, messages);
  co_await survive(broker, channel, is_back);
  co_await connection.async_close(use_awaitable);
}

}  // namespace

void demo_amqp(std::int64_t messages) {
  EmbeddedAmqp broker("127.0.0.1", 0);
  std::printf("started an embedded AMQP broker on %s\n", to_string(broker.endpoint()).c_str());
  asio::io_context context(1);
  amqp::ConnectionConfig config;
  config.hosts = {broker.endpoint()};
  config.recovery_backoff = std::chrono::milliseconds(20);
  bool is_back = false;
  amqp::ConnectionEvents events;
  events.on_recovered = [&is_back] { is_back = true; };
  events.on_not_recovered = [](std::string_view what, const Failure& why) {
    note("not there again: " + std::string(what) + ": " + why.message());
  };
  amqp::Connection connection(context, config, events);
  std::exception_ptr failure;
  asio::co_spawn(context, demo(broker, connection, is_back, messages),
                 [&](std::exception_ptr thrown) {
                   failure = thrown;
                   connection.async_close(asio::detached);
                 });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tern::cli
