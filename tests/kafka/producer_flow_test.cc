// A producer's life around the records: topics that are not known yet, memory, flush, close,
// cancel.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/kafka/murmur2.h"
#include "tests/kafka/engine_rig.h"

namespace tern::kafka {
namespace {

using Strings = std::vector<std::string>;

Strings numbers(int from, int count) {
  Strings all;
  for (int i = from; i < from + count; ++i) all.push_back(std::to_string(i));
  return all;
}

class ProducerFlow : public ::testing::Test {
 protected:
  TestProducer& producer() {
    if (!producer_) producer_ = std::make_unique<TestProducer>(rig, config);
    return *producer_;
  }
  Accumulator& accumulator() { return producer().core->accumulator(); }
  std::error_code send(const std::string& tag, std::size_t bytes) {
    const std::string value(bytes, 'x');
    return producer().send("t", Record{.value = value, .partition = 0}, tag);
  }
  void make_topic() {
    rig.cluster.create_topic("t");
    ASSERT_FALSE(producer().send("t", "warm"));
    ASSERT_TRUE(producer().deliver());
    producer().told.clear();
  }
  void block_produce(Duration delay) {
    Injection slow;
    slow.delay = delay;
    slow.times = broker::kAlways;
    rig.cluster.inject(kProduceApi.key, slow);
  }
  // From now on the limit is looked at before each event.
  void watch_limit() {
    rig.check = [this] { ASSERT_LE(accumulator().used_bytes(), config.buffer_bytes); };
  }

  EngineRig rig;
  ProducerConfig config{.linger = milliseconds(0)};

 private:
  std::unique_ptr<TestProducer> producer_;
};

// ------------------------------------------------------------------------ topics not known yet

TEST_F(ProducerFlow, UnknownTopicTimesOutWithItsNameAndTheBrokersWords) {
  rig.client_config.allow_auto_create_topics = false;
  config.metadata_timeout = seconds(3);
  ASSERT_FALSE(producer().send("nowhere", "a"));
  ASSERT_TRUE(producer().wait_for("a", seconds(10)));
  EXPECT_EQ(rig.world.elapsed(), seconds(3));
  const Told& told = producer().of("a");
  EXPECT_EQ(told.error, ClientErrc::not_written);
  EXPECT_EQ(told.cause, BrokerErrc::unknown_topic_or_partition);
  EXPECT_NE(told.text.find("\"nowhere\""), std::string::npos) << told.text;
  EXPECT_NE(told.text.find("UNKNOWN_TOPIC_OR_PARTITION"), std::string::npos) << told.text;
  EXPECT_EQ(told.partition, -1);
  EXPECT_EQ(accumulator().used_bytes(), 0U);
}

TEST_F(ProducerFlow, NoBrokerTimesOutWithTheReason) {
  rig.client_config.bootstrap = {"nohost:9092"};
  config.metadata_timeout = seconds(3);
  ASSERT_FALSE(producer().send("t", "a"));
  ASSERT_TRUE(producer().wait_for("a", seconds(10)));
  EXPECT_EQ(producer().of("a").error, ClientErrc::not_written);
  EXPECT_NE(producer().of("a").text.find("nohost:9092"), std::string::npos)
      << producer().of("a").text;
  EXPECT_NE(producer().of("a").text.find("dns"), std::string::npos) << producer().of("a").text;
}

TEST_F(ProducerFlow, InvalidTopicFailsAtOnce) {
  ASSERT_FALSE(producer().send("no such name!", "a"));
  ASSERT_TRUE(producer().wait_for("a", seconds(5)));
  EXPECT_EQ(producer().of("a").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("a").cause, BrokerErrc::invalid_topic_exception);
  ASSERT_FALSE(producer().send("no such name!", "b"));
  ASSERT_TRUE(producer().wait_for("b", seconds(5))) << "the answer is known already";
}

TEST_F(ProducerFlow, TopicNameThatNoRequestCanCarryHarmsNobodyElse) {
  rig.cluster.create_topic("t");
  ASSERT_FALSE(producer().send(std::string(40'000, 'a'), "long"));
  ASSERT_FALSE(producer().send("", "empty"));
  ASSERT_FALSE(producer().send("t", "good"));
  ASSERT_TRUE(producer().wait_for_count(3, seconds(5)));
  EXPECT_FALSE(producer().of("good").error);
  EXPECT_EQ(producer().of("long").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("long").cause, BrokerErrc::invalid_topic_exception);
  EXPECT_EQ(producer().of("empty").cause, BrokerErrc::invalid_topic_exception);
}

TEST_F(ProducerFlow, TopicThatComesLaterGetsWhatWaitedInOrderByKey) {
  rig.client_config.allow_auto_create_topics = false;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i % 10), value = std::to_string(i);
    ASSERT_FALSE(producer().send("t", Record{.key = key, .value = value}, value));
  }
  producer().await_send("t", Record{.key = "k0", .value = "awaited"}, "awaited");
  rig.run_for(seconds(10));
  EXPECT_EQ(producer().told.size(), 0U);
  rig.cluster.create_topic("t", {.partitions = 4});
  ASSERT_TRUE(producer().deliver(seconds(5)));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(producer().told.size(), 101U);
  for (int p = 0; p < 4; ++p) {
    int last = -1;
    for (const StoredRecord& record : rig.stored("t", p)) {
      EXPECT_EQ(partition_for_key(wire::Bytes(record.key), 4), p);
      const int value = record.value == "awaited" ? 100 : std::stoi(record.value);
      EXPECT_GT(value, last);
      last = value;
    }
  }
}

TEST_F(ProducerFlow, TopicIsCreatedOnFirstUse) {
  ASSERT_FALSE(producer().send("fresh", "a"));
  ASSERT_TRUE(producer().deliver(seconds(5)));
  EXPECT_EQ(rig.values("fresh"), Strings{"a"});
}

TEST_F(ProducerFlow, DeliveryTimeoutCountsTheWaitForTheTopic) {
  rig.client_config.allow_auto_create_topics = false;
  config.delivery_timeout = seconds(10);
  config.metadata_timeout = seconds(20);
  ASSERT_FALSE(producer().send("t", "a"));
  rig.run_for(seconds(8));
  Injection refused = Injection::with_error(BrokerErrc::not_enough_replicas, broker::kAlways);
  rig.cluster.inject(kProduceApi.key, refused);
  rig.cluster.create_topic("t");
  ASSERT_TRUE(producer().wait_for("a", seconds(30)));
  EXPECT_EQ(rig.world.elapsed(), seconds(10));
}

TEST_F(ProducerFlow, PartitionOutOfRange) {
  ASSERT_FALSE(producer().send("t", "early", 5)) << "the topic is not known yet";
  ASSERT_TRUE(producer().deliver(seconds(5)));
  EXPECT_EQ(producer().of("early").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("early").cause, ClientErrc::unknown_partition);
  EXPECT_EQ(producer().send("t", "late", 5), ClientErrc::unknown_partition);
  EXPECT_EQ(producer().count("late"), 0U);
}

TEST_F(ProducerFlow, NewPartitionsAreUsedOnceKnown) {
  rig.client_config.metadata_max_age = seconds(5);
  make_topic();
  rig.cluster.add_partitions("t", 3);
  rig.run_for(seconds(6));
  ASSERT_FALSE(producer().send("t", "a", 2));
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(rig.values("t", 2), Strings{"a"});
}

TEST_F(ProducerFlow, TopicThatVanishesAndComesBackLosesNothing) {
  make_topic();
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(producer().send("t", std::to_string(i)));
  ASSERT_TRUE(producer().deliver());
  rig.cluster.inject(kMetadataApi.key,
                     Injection::with_error(BrokerErrc::unknown_topic_or_partition, 3));
  rig.cluster.inject(kProduceApi.key,
                     Injection::with_error(BrokerErrc::unknown_topic_or_partition, 3));
  for (int i = 5; i < 10; ++i) ASSERT_FALSE(producer().send("t", std::to_string(i)));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  Strings all = rig.values("t");
  std::erase(all, "warm");
  EXPECT_EQ(all, numbers(0, 10));
}

TEST_F(ProducerFlow, RecreatedTopicIsWrittenTo) {
  make_topic();
  rig.cluster.recreate_topic("t");
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(producer().send("t", std::to_string(i)));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(rig.values("t"), numbers(0, 5));
}

// -------------------------------------------------------------------------------------- memory

TEST_F(ProducerFlow, RecordTooLargeIsRefusedAtOnce) {
  config.batch_bytes = 10'000;
  config.max_request_bytes = 100'000;
  EXPECT_EQ(send("large", 100'000), ClientErrc::record_too_large) << "while the topic is unknown";
  make_topic();
  EXPECT_EQ(send("large", 100'000), ClientErrc::record_too_large);
  EXPECT_FALSE(send("above a batch", 50'000));
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().tags(), Strings{"above a batch"});
}

// One that never fits must not be "full, try again".
TEST_F(ProducerFlow, RecordThatTheBufferCanNeverHoldIsTooLarge) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 80'000;
  for (const bool known : {false, true}) {
    if (known) make_topic();
    for (std::size_t size = 70'000; size < 82'000; size += 100) {
      const std::error_code error = send("large", size);
      EXPECT_NE(error, ClientErrc::queue_full) << size << " known " << known;
      ASSERT_TRUE(producer().deliver());
    }
  }
}

TEST_F(ProducerFlow, LimitHoldsAndSpaceIsTold) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 100'000;
  make_topic();
  block_produce(milliseconds(50));
  watch_limit();
  int sent = 0, full = 0;
  for (int i = 0; i < 2000; ++i) {
    if (send(std::to_string(sent), static_cast<std::size_t>(200 + i % 900)) != std::error_code()) {
      ++full;
      const std::string tag = "space" + std::to_string(i);
      producer().wait_space(tag);
      ASSERT_TRUE(producer().wait_for(tag, seconds(10))) << i;
      std::erase_if(producer().told, [&](const Told& told) { return told.tag == tag; });
      ASSERT_FALSE(send(std::to_string(sent), 200)) << "told that there is space";
    }
    ++sent;
  }
  EXPECT_GT(full, 20);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().tags(), numbers(0, sent));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(accumulator().used_bytes(), 0U);
}

// The handlers' own memory comes free only after they were called.
TEST_F(ProducerFlow, SpaceTakenByHandlersIsToldToo) {
  config.batch_bytes = 14'400;
  config.buffer_bytes = 80'000;
  rig.cluster.create_topic("t", {.partitions = 6});
  ASSERT_FALSE(producer().send("t", "warm", 0));
  ASSERT_TRUE(producer().deliver());
  block_produce(milliseconds(50));
  std::int32_t next = 0;
  while (!producer().send("t", Record{.value = null, .partition = next % 6}, "small")) ++next;
  producer().wait_space("space");
  EXPECT_TRUE(producer().wait_for("space", milliseconds(60)));
}

// A record whose handler does not fit any more must not leave an empty batch behind.
TEST_F(ProducerFlow, RefusedRecordsLeaveNothing) {
  struct Failures final : Observer {
    void on_batch_failed(const Batch&, const Failure&) override { ++count; }
    void on_batch_retried(const Batch&, const Failure&) override { ++count; }
    int count = 0;
  };
  const auto failures = std::make_shared<Failures>();
  rig.client_config.observer = failures;
  config.batch_bytes = 4'000;
  config.buffer_bytes = 69'600;
  rig.cluster.create_topic("t", {.partitions = 200});
  ASSERT_FALSE(producer().send("t", "warm", 0));
  ASSERT_TRUE(producer().deliver());
  producer().told.clear();
  block_produce(milliseconds(20));
  watch_limit();
  std::size_t taken = 0;
  for (int round = 0; round < 20; ++round) {
    for (int p = 0; p < 200; ++p) {
      if (!producer().send("t", Record{.value = "v", .partition = p}, "v")) ++taken;
    }
    ASSERT_TRUE(producer().deliver());
  }
  EXPECT_EQ(failures->count, 0);
  EXPECT_EQ(producer().told.size(), taken);
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(accumulator().used_bytes(), 0U);
}

TEST_F(ProducerFlow, AwaitedSendsWaitForSpaceInOrder) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 100'000;
  make_topic();
  block_produce(milliseconds(50));
  watch_limit();
  const std::string value(3000, 'x');
  for (int i = 0; i < 100; ++i) {
    producer().await_send("t", Record{.value = value, .partition = 0}, std::to_string(i));
  }
  EXPECT_EQ(producer().told.size(), 0U);
  ASSERT_TRUE(producer().wait_for_count(100, seconds(30)));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(producer().tags(), numbers(0, 100));
  std::vector<std::int64_t> offsets;
  for (const Told& told : producer().told) offsets.push_back(told.offset);
  EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end()));
}

TEST_F(ProducerFlow, AwaitedSendGivesUpWhenItsTimeIsOver) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 80'000;
  config.delivery_timeout = seconds(5);
  make_topic();
  rig.cluster.inject(kProduceApi.key, Injection::with_delay(seconds(100)));
  while (!send("fill", 5000)) {
  }
  const std::string value(9000, 'x');
  producer().await_send("t", Record{.value = value, .partition = 0}, "awaited");
  ASSERT_TRUE(producer().wait_for("awaited", seconds(11)));
  EXPECT_TRUE(producer().of("awaited").error == Condition::not_written)
      << producer().of("awaited").error;
}

// ------------------------------------------------------------------------------- flush, cancel

TEST_F(ProducerFlow, FlushComesAfterTheHandlersOfWhatWasThere) {
  config.linger = seconds(10);
  make_topic();
  block_produce(milliseconds(100));
  ASSERT_FALSE(producer().send("t", "a"));
  producer().flush("first");
  rig.run_for(milliseconds(50));
  ASSERT_FALSE(producer().send("t", "b"));
  producer().flush("second");
  ASSERT_TRUE(producer().wait_for("second"));
  EXPECT_EQ(producer().tags(), (Strings{"a", "first", "b", "second"}));
}

TEST_F(ProducerFlow, FlushOfNothingIsDone) {
  producer().flush("first");
  EXPECT_TRUE(producer().wait_for("first", seconds(1)));
}

TEST_F(ProducerFlow, FlushWaitsForFailuresToo) {
  config.delivery_timeout = seconds(5);
  make_topic();
  rig.cluster.inject(kProduceApi.key,
                     Injection::with_error(BrokerErrc::not_enough_replicas, broker::kAlways));
  ASSERT_FALSE(producer().send("t", "a"));
  producer().flush();
  ASSERT_TRUE(producer().wait_for("flush", seconds(10)));
  EXPECT_EQ(producer().tags(), (Strings{"a", "flush"}));
  EXPECT_TRUE(producer().of("a").error);
  EXPECT_FALSE(producer().of("flush").error);
}

TEST_F(ProducerFlow, FlushDoesNotWaitForRecordsOfLater) {
  rig.client_config.allow_auto_create_topics = false;
  config.metadata_timeout = minutes(1);
  make_topic();
  block_produce(milliseconds(100));
  ASSERT_FALSE(producer().send("t", "a"));
  producer().flush();
  ASSERT_FALSE(producer().send("nowhere", "later"));
  EXPECT_TRUE(producer().wait_for("flush", seconds(5)));
}

TEST_F(ProducerFlow, CancelOfASendThatWaitsIsTotal) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 80'000;
  make_topic();
  block_produce(milliseconds(50));
  while (!send("fill", 5000)) {
  }
  const std::string value(9000, 'x');
  producer().await_send("t", Record{.value = value, .partition = 0}, "awaited", 77);
  rig.run_for(milliseconds(1));
  producer().cancel(77);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("awaited").error, std::errc::operation_canceled);
  for (const std::string& stored : rig.values("t")) EXPECT_NE(stored, value);
}

TEST_F(ProducerFlow, CancelOfASendInABatchJustStopsWaiting) {
  config.linger = milliseconds(100);
  make_topic();
  producer().await_send("t", Record{.value = "a"}, "a", 77);
  producer().await_send("t", Record{.value = "b"}, "b", 78);
  rig.run_for(milliseconds(10));
  producer().cancel(77);
  ASSERT_TRUE(producer().wait_for("a", milliseconds(10)));
  EXPECT_EQ(producer().of("a").error, ClientErrc::maybe_written);
  ASSERT_TRUE(producer().deliver());
  EXPECT_FALSE(producer().of("b").error);
  EXPECT_EQ(rig.values("t"), (Strings{"warm", "a", "b"}));
  producer().cancel(77);
  rig.run_for(seconds(1));
  EXPECT_EQ(producer().count("a"), 1U);
}

TEST_F(ProducerFlow, CancelOfASendForAnUnknownTopic) {
  rig.client_config.allow_auto_create_topics = false;
  producer().await_send("t", Record{.value = "a"}, "a", 77);
  rig.run_for(milliseconds(10));
  producer().cancel(77);
  ASSERT_TRUE(producer().wait_for("a", milliseconds(10)));
  rig.cluster.create_topic("t");
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().count("a"), 1U);
}

TEST_F(ProducerFlow, CancelOfFlushAndSpace) {
  config.linger = seconds(100);
  config.batch_bytes = 10'000;
  config.buffer_bytes = 80'000;
  make_topic();
  block_produce(seconds(5));
  while (!send("fill", 5000)) {
  }
  producer().flush("flush", 5);
  producer().wait_space("space", 6);
  rig.run_for(milliseconds(10));
  producer().cancel(5);
  producer().cancel(6);
  ASSERT_TRUE(producer().wait_for("flush", milliseconds(10)));
  ASSERT_TRUE(producer().wait_for("space", milliseconds(10)));
  EXPECT_EQ(producer().of("flush").error, std::errc::operation_canceled);
  EXPECT_EQ(producer().of("space").error, std::errc::operation_canceled);
}

// --------------------------------------------------------------------------------------- close

TEST_F(ProducerFlow, CloseDeliversWhatIsThere) {
  config.linger = seconds(10);
  make_topic();
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(producer().send("t", std::to_string(i)));
  producer().close(seconds(5));
  EXPECT_EQ(producer().send("t", "late"), ClientErrc::closed);
  ASSERT_TRUE(producer().wait_for("close", seconds(10)));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(producer().tags(), (Strings{"0", "1", "2", "3", "4", "close"}));
  EXPECT_EQ(rig.values("t").size(), 6U);
}

TEST_F(ProducerFlow, CloseOfAnIdleProducer) {
  producer().close(seconds(5));
  ASSERT_TRUE(producer().wait_for("close", seconds(1)));
  EXPECT_FALSE(producer().of("close").error);
}

TEST_F(ProducerFlow, CloseGivesUpWhenItsTimeIsOver) {
  config.max_in_flight = 1;
  make_topic();
  Injection silent;
  silent.no_answer = true;
  rig.cluster.inject(kProduceApi.key, silent);
  ASSERT_FALSE(producer().send("t", "sent"));
  rig.run_for(milliseconds(10));
  ASSERT_FALSE(producer().send("t", "unsent"));
  ASSERT_FALSE(producer().send("unknown topic!", "unknown"));
  producer().flush();
  producer().close(seconds(5));
  ASSERT_TRUE(producer().wait_for("close", seconds(6)));
  EXPECT_EQ(producer().of("sent").error, ClientErrc::maybe_written);
  EXPECT_EQ(producer().of("unsent").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("unknown").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("close").error, ClientErrc::timed_out);
  EXPECT_EQ(producer().told.back().tag, "close");
  EXPECT_EQ(producer().count("flush"), 1U);
  rig.run_for(seconds(60));
  EXPECT_EQ(producer().told.size(), 5U) << "each told once";
  EXPECT_EQ(accumulator().used_bytes(), 0U)
      << "the request that was never answered has ended as well";
}

TEST_F(ProducerFlow, CloseWhileNoBrokerCanBeReached) {
  rig.client_config.bootstrap = {"b9:9092"};
  ASSERT_FALSE(producer().send("t", "a"));
  producer().close(seconds(2));
  ASSERT_TRUE(producer().wait_for("close", seconds(3)));
  EXPECT_EQ(producer().of("a").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("close").error, ClientErrc::timed_out);
}

TEST_F(ProducerFlow, CloseEndsSendsThatWaitForSpace) {
  config.batch_bytes = 10'000;
  config.buffer_bytes = 80'000;
  make_topic();
  block_produce(milliseconds(50));
  while (!send("fill", 5000)) {
  }
  const std::string value(9000, 'x');
  producer().await_send("t", Record{.value = value, .partition = 0}, "awaited");
  producer().wait_space("space");
  rig.run_for(milliseconds(1));
  producer().close(seconds(10));
  ASSERT_TRUE(producer().wait_for("close", seconds(11)));
  EXPECT_EQ(producer().of("awaited").error, ClientErrc::closed);
  EXPECT_EQ(producer().of("space").error, ClientErrc::closed);
}

TEST_F(ProducerFlow, CallsAfterCloseEnd) {
  make_topic();
  producer().close(seconds(1));
  ASSERT_TRUE(producer().wait_for("close"));
  producer().flush("flush");
  producer().wait_space("space");
  producer().await_send("t", Record{.value = "x"}, "send");
  producer().close(seconds(1), "again");
  ASSERT_TRUE(producer().wait_for_count(5, seconds(5)));
  EXPECT_EQ(producer().of("send").error, ClientErrc::closed);
  EXPECT_EQ(producer().of("space").error, ClientErrc::closed);
}

TEST_F(ProducerFlow, EngineCloseFailsEverythingAtOnce) {
  make_topic();
  Injection silent;
  silent.no_answer = true;
  rig.cluster.inject(kProduceApi.key, silent);
  ASSERT_FALSE(producer().send("t", "sent"));
  rig.run_for(milliseconds(10));
  ASSERT_FALSE(producer().send("t", "open"));
  producer().flush();
  rig.engine().close(rig.engine().enter());
  ASSERT_TRUE(producer().wait_for("flush", milliseconds(10)));
  EXPECT_EQ(producer().of("sent").error, ClientErrc::maybe_written);
  EXPECT_EQ(producer().of("open").error, ClientErrc::not_written);
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.client_net().links(), 0U);
  EXPECT_EQ(accumulator().used_bytes(), 0U);
  EXPECT_EQ(producer().told.size(), 3U);
}

TEST_F(ProducerFlow, TwoProducersHaveTheirOwnIds) {
  make_topic();
  TestProducer other(rig, config);
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(producer().send("t", "a"));
    ASSERT_FALSE(other.send("t", "b"));
    rig.run_for(milliseconds(1));
  }
  ASSERT_TRUE(producer().deliver());
  ASSERT_TRUE(other.deliver());
  EXPECT_TRUE(producer().all_ok() && other.all_ok());
  EXPECT_EQ(rig.values("t").size(), 21U);
}

}  // namespace
}  // namespace tern::kafka
