// tern against three nodes of Apache Kafka that are killed and restarted while it works.

#include <thread>

#include "tests/real/tern_client.h"

namespace tern::real {
namespace {

using ThreeNodes = RealKafka;
using namespace std::chrono_literals;

// Sends "0", "1", ... to each of the partitions in turn, at a steady rate, until told to stop, and
// checks every report.
class Numbers {
 public:
  Numbers(Tern& tern, const std::string& topic, std::int32_t partitions)
      : producer_(tern.client, config()), topic_(producer_.topic(topic)), partitions_(partitions) {
    producer_.on_batch([this](const kafka::BatchReport& report) {
      if (report.error) {
        ++failed_batches_;
        ADD_FAILURE() << report.message();
      }
      delivered_ += static_cast<std::int64_t>(report.count);
    });
  }

  // A thousand records and a pause, over and over, for as long as `more(sent)` says so.
  void send_while(const std::function<bool(std::int64_t)>& more) {
    while (more(sent_)) {
      for (int i = 0; i < 1000; ++i) send_one();
      std::this_thread::sleep_for(20ms);
    }
  }

  void finish() {
    producer_.async_flush(asio::use_future).get();
    EXPECT_EQ(delivered_, sent_);
    EXPECT_EQ(failed_batches_, 0);
    producer_.async_close(kPatience, asio::use_future).get();
  }

  std::int64_t sent() const { return sent_; }

 private:
  static kafka::ProducerConfig config() {
    kafka::ProducerConfig config;
    config.delivery_timeout = kPatience;
    return config;
  }

  void send_one() {
    const std::string value = std::to_string(sent_ / partitions_);
    kafka::Record record{.value = value};
    record.partition = static_cast<std::int32_t>(sent_ % partitions_);
    std::error_code error = producer_.try_send(topic_, record);
    while (error == ClientErrc::queue_full) {
      producer_.async_wait_space(asio::use_future).get();
      error = producer_.try_send(topic_, record);
    }
    ASSERT_FALSE(error) << error.message();
    ++sent_;
  }

  kafka::Producer producer_;
  kafka::TopicHandle topic_;
  const std::int32_t partitions_;
  std::int64_t sent_ = 0;
  std::atomic<std::int64_t> delivered_{0};
  std::atomic<int> failed_batches_{0};
};

// Every number of every partition once, in order, by tern and by kcat.
void expect_all(Tern& tern, const std::string& topic, std::int32_t partitions, std::int64_t sent) {
  std::vector<std::int64_t> next(static_cast<std::size_t>(partitions), 0);
  for_each_record(tern, topic, partitions,
                  [&](std::int32_t partition, std::int64_t offset, std::string_view value) {
                    std::int64_t& expected = next[static_cast<std::size_t>(partition)];
                    ASSERT_EQ(value, std::to_string(expected)) << "at offset " << offset;
                    ++expected;
                  });
  std::int64_t total = 0;
  for (std::int32_t p = 0; p < partitions; ++p) {
    total += next[static_cast<std::size_t>(p)];
    std::string lines;
    for (std::int64_t i = 0; i < next[static_cast<std::size_t>(p)]; ++i)
      lines += std::to_string(i) + '\n';
    const Outcome seen = kcat_read(topic, "%s\n", p);
    EXPECT_EQ(seen.status, 0) << seen.err;
    EXPECT_TRUE(seen.out == lines) << "kcat reads something else from partition " << p;
  }
  EXPECT_EQ(total, sent);
}

TEST_F(ThreeNodes, NothingIsLostOrDoubledWhenTheLeaderIsKilled) {
  Tern tern;
  const std::string topic = unique_topic("tern-leader");
  tern.create_topic(topic, 1, 3, {{"min.insync.replicas", "2"}});
  Numbers numbers(tern, topic, 1);
  numbers.send_while([](std::int64_t sent) { return sent < 20'000; });
  const std::vector<int> before = leaders(topic);
  ASSERT_FALSE(before.empty());
  std::thread killer([&] { EXPECT_TRUE(kill_node(before[0])); });
  numbers.send_while([](std::int64_t sent) { return sent < 100'000; });
  killer.join();
  numbers.finish();
  ASSERT_TRUE(boot_node(before[0]));
  expect_all(tern, topic, 1, numbers.sent());
}

TEST_F(ThreeNodes, AMillionRecordsWhileEachNodeInTurnIsKilledAndRestarted) {
  Tern tern;
  const std::string topic = unique_topic("tern-million");
  constexpr std::int32_t kPartitions = 3;
  tern.create_topic(topic, kPartitions, 3, {{"min.insync.replicas", "2"}});
  Numbers numbers(tern, topic, kPartitions);
  std::atomic<int> restarted{0};
  std::thread killer([&] {
    for (int node = 1; node <= 3; ++node) {
      std::this_thread::sleep_for(2s);
      EXPECT_TRUE(kill_node(node));
      std::this_thread::sleep_for(2s);
      EXPECT_TRUE(boot_node(node));
      // The node has to be in sync again before the next one goes, or no leader could be had.
      std::this_thread::sleep_for(6s);
      ++restarted;
    }
  });
  numbers.send_while([&](std::int64_t sent) { return sent < 1'000'000 || restarted < 3; });
  killer.join();
  numbers.finish();
  std::printf("%lld records sent while three nodes were killed and restarted\n",
              static_cast<long long>(numbers.sent()));
  expect_all(tern, topic, kPartitions, numbers.sent());
}

TEST_F(ThreeNodes, AFrozenLeaderIsOutlived) {
  Tern tern;
  const std::string topic = unique_topic("tern-frozen");
  tern.create_topic(topic, 1, 3, {{"min.insync.replicas", "2"}});
  Numbers numbers(tern, topic, 1);
  numbers.send_while([](std::int64_t sent) { return sent < 10'000; });
  const std::vector<int> before = leaders(topic);
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(freeze_node(before[0]));
  std::thread thaw([&] {
    std::this_thread::sleep_for(6s);
    EXPECT_TRUE(thaw_node(before[0]));
  });
  numbers.send_while([](std::int64_t sent) { return sent < 100'000; });
  thaw.join();
  numbers.finish();
  expect_all(tern, topic, 1, numbers.sent());
}

}  // namespace
}  // namespace tern::real
