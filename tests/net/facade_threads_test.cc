// Any thread may call anything: for ThreadSanitizer first of all.
#include <gtest/gtest.h>

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/facade_rig.h"

namespace tern::kafka {
namespace {

constexpr int kThreads = 4;
constexpr int kPartitions = 3;
constexpr int kPerThread = 3000;

// Sends numbered records, "thread/partition" as key, and waits when there is no space.
void send_numbers(Producer& producer, const TopicHandle& topic, int thread,
                  std::atomic<int>& delivered, std::atomic<int>& failed) {
  std::array<int, kPartitions> next{};
  for (int i = 0; i < kPerThread; ++i) {
    const int partition = i % kPartitions;
    const std::string key = std::to_string(thread);
    const std::string value = std::to_string(next.at(static_cast<std::size_t>(partition))++);
    Record record;
    record.key = key;
    record.value = value;
    record.partition = partition;
    const auto handler = [&delivered, &failed](std::error_code error, const Delivery&) {
      error ? ++failed : ++delivered;
    };
    for (;;) {
      const std::error_code error = producer.try_send(topic, record, handler);
      if (!error) break;
      ASSERT_EQ(error, ClientErrc::queue_full);
      producer.async_wait_space(asio::use_future).get();
    }
  }
}

TEST(FacadeThreads, FourSendWhileAnotherPollsFlushesAndAsks) {
  Brokers brokers(2);
  brokers.create_topic("threads", kPartitions);
  net::Runtime runtime;
  Client client(runtime, brokers.config());
  ProducerConfig config;
  config.buffer_bytes = 512 * 1024;
  config.batch_bytes = 32 * 1024;
  config.linger = 1ms;
  Producer producer(client, config);
  Consumer consumer(client, reading("threads", kPartitions));
  Admin admin(client);
  const TopicHandle topic = producer.topic("threads");
  std::atomic<int> delivered{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> senders;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&, t] { send_numbers(producer, topic, t, delivered, failed); });
  }
  std::map<std::pair<std::string, int>, int> next;  // by key and partition
  int count = 0;
  while (count < kThreads * kPerThread) {
    const Records records = consumer.async_poll(kPatience, asio::use_future).get();
    ASSERT_FALSE(records.empty());
    for (const ConsumerRecord& record : records) {
      ASSERT_EQ(record.value.view(),
                std::to_string(next[{std::string(record.key.view()), record.partition}]++));
      ++count;
    }
    producer.async_flush(asio::use_future).get();
    EXPECT_EQ(admin.async_describe_cluster(asio::use_future).get().nodes.size(), 2u);
    for (const TopicPartition& each : consumer.assignment()) {
      EXPECT_GE(consumer.position(each), -1);
      EXPECT_GE(consumer.lag(each), -1);
    }
    static_cast<void>(consumer.held_bytes() + producer.buffered_bytes());
    EXPECT_FALSE(consumer.pause({"threads", 0}));
    EXPECT_FALSE(consumer.resume({"threads", 0}));
  }
  for (std::thread& sender : senders) sender.join();
  producer.async_flush(asio::use_future).get();
  EXPECT_EQ(count, kThreads * kPerThread);
  EXPECT_EQ(delivered, kThreads * kPerThread);
  EXPECT_EQ(failed, 0);
  std::int64_t stored = 0;
  brokers.on_thread([&](broker::EmbeddedKafka& kafka) {
    for (int p = 0; p < kPartitions; ++p) stored += kafka.cluster().log("threads", p)->end_offset();
  });
  EXPECT_EQ(stored, kThreads * kPerThread);
}

// Clients come and go on several threads, their operations under way, on one context.
TEST(FacadeThreads, ClientsComeAndGo) {
  Brokers brokers;
  brokers.create_topic("go");
  net::Runtime runtime;
  std::atomic<int> calls{0};
  int started = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    started += 20 * 4;
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        auto client = std::make_unique<Client>(runtime, brokers.config());
        auto producer = std::make_unique<Producer>(*client);
        auto consumer = std::make_unique<Consumer>(*client, reading("go"));
        auto admin = std::make_unique<Admin>(*client);
        Record record{.value = "v"};
        const auto count = [&calls](auto&&...) { ++calls; };
        producer->async_send("go", record, count);
        producer->async_flush(count);
        consumer->async_poll(count);
        admin->async_describe_cluster(count);
        if (i % 3 == 0) producer->async_flush(asio::use_future).wait();
        if (i % 5 == t) client->close();
        if (i % 2 == 0) client.reset();
        consumer.reset();
        admin.reset();
        producer.reset();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  runtime.join();
  EXPECT_EQ(calls, started);
}

// Records go back to their consumer from elsewhere, while it and its client end.
TEST(FacadeThreads, RecordsAreLetGoElsewhere) {
  Brokers brokers;
  brokers.create_topic("records");
  net::Runtime runtime;
  for (int round = 0; round < 20; ++round) {
    auto client = std::make_unique<Client>(runtime, brokers.config());
    Producer producer(*client);
    const std::string value(1000, 'r');
    Record record;
    record.value = value;
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(producer.try_send("records", record));
    producer.async_flush(asio::use_future).get();
    auto consumer = std::make_unique<Consumer>(*client, reading("records"));
    Records records = consumer->async_poll(asio::use_future).get();
    EXPECT_FALSE(records.empty());
    std::thread other([kept = std::move(records)]() mutable {
      for (const ConsumerRecord& each : kept) EXPECT_EQ(each.value.size(), 1000u);
      kept.done();
    });
    consumer.reset();
    client.reset();
    other.join();
  }
}

}  // namespace
}  // namespace tern::kafka
