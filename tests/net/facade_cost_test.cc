// What the public face costs, counted and not timed: allocations, system calls, steps.
#include <gtest/gtest.h>
#include <malloc.h>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <system_error>

#include "client/amqp/connection.h"
#include "tests/net/amqp_rig.h"
#include "tests/net/facade_rig.h"

namespace {

thread_local std::uint64_t allocations = 0;  // of this thread
thread_local std::int64_t held_bytes = 0;    // allocated less freed, on this thread

void* counted_or_null(std::size_t size) {
  void* p = std::malloc(size);
  if (p == nullptr) return nullptr;
  ++allocations;
  held_bytes += static_cast<std::int64_t>(malloc_usable_size(p));
  return p;
}
void* counted(std::size_t size) {
  void* p = counted_or_null(size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void uncounted(void* p) {
  if (p == nullptr) return;
  held_bytes -= static_cast<std::int64_t>(malloc_usable_size(p));
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// AddressSanitizer's own of these would not come by here.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted_or_null(size);
}
void operator delete(void* p) noexcept { uncounted(p); }
void operator delete[](void* p) noexcept { uncounted(p); }
void operator delete(void* p, std::size_t) noexcept { uncounted(p); }
void operator delete[](void* p, std::size_t) noexcept { uncounted(p); }

namespace tern::kafka {
namespace {

constexpr int kRecords = 100'000;

// A client on a network of the test's, whose counts can be read.
class FacadeCost : public testing::Test {
 protected:
  FacadeCost() : network_(context_) {
    client_ = std::make_unique<Client>(context_, brokers_.config(), network_,
                                       [this](Machine& machine) { network_.attach(machine); });
  }
  ~FacadeCost() override {
    network_.shutdown();
    client_.reset();
  }

  // Sends and waits for it to arrive.
  void send_all(Producer& producer, const TopicHandle& topic, int count) {
    const std::string value(100, 'v');
    Record record;
    record.value = value;
    bool space = true;
    for (int i = 0; i < count;) {
      run_until(context_, [&] { return space; });
      const std::error_code error = producer.try_send(topic, record);
      if (!error) {
        ++i;
        continue;
      }
      ASSERT_EQ(error, ClientErrc::queue_full);
      space = false;
      producer.async_wait_space([&space](std::error_code) { space = true; });
    }
    bool flushed = false;
    producer.async_flush([&flushed](std::error_code) { flushed = true; });
    run_until(context_, [&] { return flushed; });
  }
  std::size_t read_all(Consumer& consumer, std::size_t count) {
    std::size_t seen = 0;
    while (seen < count) {
      bool over = false;
      consumer.async_poll([&](std::error_code error, Records records) {
        over = true;
        EXPECT_FALSE(error);
        for (const ConsumerRecord& record : records) seen += record.value.size() == 100;
      });
      if (!run_until(context_, [&] { return over; })) break;
    }
    return seen;
  }

  Brokers brokers_;
  asio::io_context context_{1};
  net::AsioNetwork network_;
  std::unique_ptr<Client> client_;
};

TEST_F(FacadeCost, SteadyStateAllocatesAndCallsTheSystemPerBatchNotPerRecord) {
  Producer producer(*client_);
  const TopicHandle topic = producer.topic("cost");
  std::uint64_t batches = 0;
  producer.on_batch([&](const BatchReport& report) {
    EXPECT_FALSE(report.error) << report.message();
    ++batches;
  });
  send_all(producer, topic, kRecords);  // buffers and queues grow to their size
  batches = 0;
  net::NetworkStats before = network_.stats();
  std::uint64_t at_start = allocations;
  send_all(producer, topic, kRecords);
  const std::uint64_t made = allocations - at_start;
  net::NetworkStats after = network_.stats();
  EXPECT_LE(made, 20 * batches + 200) << "for " << batches << " batches";
  const auto calls = [](const net::NetworkStats& a, const net::NetworkStats& b) {
    return b.reads + b.writes - a.reads - a.writes;
  };
  EXPECT_LE(calls(before, after), 3 * kRecords / 1000);

  Consumer consumer(*client_, reading("cost"));
  EXPECT_GE(read_all(consumer, kRecords), static_cast<std::size_t>(kRecords));
  before = network_.stats();
  at_start = allocations;
  // What is left, at least half as much as before: some of it was fetched ahead.
  const std::size_t rest = kRecords;
  const std::size_t seen = read_all(consumer, rest - kRecords / 2);
  EXPECT_GT(seen, 0u);
  EXPECT_LE(allocations - at_start, 500u) << "for " << seen << " records";
  after = network_.stats();
  EXPECT_LE(calls(before, after), 3 * kRecords / 1000);
  RecordProperty("send_allocations", static_cast<int>(made));
  RecordProperty("batches", static_cast<int>(batches));
}

TEST_F(FacadeCost, AnIdleClientSleepsAndIsSmall) {
  const std::int64_t at_start = held_bytes;
  Producer producer(*client_);
  Record record{.value = "v"};
  bool sent = false;
  producer.async_send("idle", record, [&](std::error_code error, Delivery) {
    EXPECT_FALSE(error);
    sent = true;
  });
  run_until(context_, [&] { return sent; });
  context_.run_for(50ms);  // what follows of it
  const net::NetworkStats before = network_.stats();
  context_.restart();
  context_.run_for(1s);
  const net::NetworkStats after = network_.stats();
  EXPECT_EQ(after.steps, before.steps);
  EXPECT_EQ(after.wakes, before.wakes);
  EXPECT_EQ(after.reads, before.reads);
  EXPECT_EQ(after.writes, before.writes);
  EXPECT_LT(held_bytes - at_start, 1 << 20);
}

}  // namespace
}  // namespace tern::kafka

namespace tern::amqp {
namespace {

constexpr int kMessages = 20'000;
constexpr int kWarm = kMessages / 2;

// A client on this thread, whose allocations are counted, and a broker on another.
class AmqpFacadeCost : public testing::Test {
 protected:
  // Runs a coroutine that is given an open channel, and a queue "q".
  template <class Body>
  void run(Body body) {
    asio::io_context context(1);
    Connection connection(context, broker.config());
    bool done = false;
    const auto whole = [&]() -> asio::awaitable<void> {
      co_await connection.async_connect(asio::use_awaitable);
      Channel channel = co_await connection.async_open_channel({}, asio::use_awaitable);
      const QueueDeclare declare{.queue = "q"};
      co_await channel.async_declare(declare, asio::use_awaitable);
      co_await body(channel);
      co_await connection.async_close(asio::use_awaitable);
      done = true;
    };
    asio::co_spawn(context, whole, [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
    context.run();
    EXPECT_TRUE(done);
  }

  AmqpRig broker;
};

TEST_F(AmqpFacadeCost, OneMessageAfterTheOtherAllocatesNothing) {
  const std::string body(100, 'm');
  const Target target{.routing_key = "q"};
  const Message message{.body = body};
  std::uint64_t at_start = 0, published = 0, consumed = 0;
  run([&](Channel& channel) -> asio::awaitable<void> {
    for (int i = 0; i < kMessages; ++i) {
      if (i == kWarm) at_start = allocations;
      co_await channel.async_publish(target, message, asio::use_awaitable);
    }
    published = allocations - at_start;
    const BasicConsume consume{.queue = "q"};
    const ConsumeOptions options{.prefetch = 1'000};
    Subscription subscription =
        co_await channel.async_consume(consume, options, asio::use_awaitable);
    for (int i = 0; i < kMessages; ++i) {
      if (i == kWarm) at_start = allocations;
      const Delivery delivery = co_await subscription.async_next(asio::use_awaitable);
      delivery.ack();
    }
    consumed = allocations - at_start;
  });
  RecordProperty("publish_allocations", static_cast<int>(published));
  RecordProperty("consume_allocations", static_cast<int>(consumed));
  EXPECT_LE(published, 100u) << "for " << kMessages - kWarm << " messages";
  EXPECT_LE(consumed, 100u) << "for " << kMessages - kWarm << " messages";
}

}  // namespace
}  // namespace tern::amqp
