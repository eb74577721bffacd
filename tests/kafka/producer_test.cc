// A producer over embedded brokers: what arrives, when, in which batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
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

TEST(Producer, DeliversRecordsInOrderAndTellsEachOnce) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig);
  for (int i = 0; i < 100; ++i) ASSERT_FALSE(producer.send("t", std::to_string(i)));
  ASSERT_TRUE(producer.deliver());
  EXPECT_EQ(rig.values("t"), numbers(0, 100));
  EXPECT_EQ(producer.tags(), numbers(0, 100));
  EXPECT_TRUE(producer.all_ok());
  for (int i = 0; i < 100; ++i) {
    const Told& told = producer.told[static_cast<std::size_t>(i)];
    EXPECT_EQ(told.topic, "t");
    EXPECT_EQ(told.partition, 0);
    EXPECT_EQ(told.offset, i);
    EXPECT_EQ(told.timestamp_ms, rig.stored("t")[static_cast<std::size_t>(i)].timestamp_ms);
  }
  EXPECT_EQ(producer.core->accumulator().used_bytes(), 0U);
}

TEST(Producer, SequencesBeginAtZeroPerPartition) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 2});
  TestProducer producer(rig, {.linger = milliseconds(0)});
  for (int i = 0; i < 6; ++i) {
    ASSERT_FALSE(producer.send("t", std::to_string(i), i % 2));
    rig.run_for(milliseconds(i % 3));
  }
  ASSERT_TRUE(producer.deliver());
  for (int p = 0; p < 2; ++p) {
    const auto stored = rig.stored("t", p);
    ASSERT_EQ(stored.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(stored[i].sequence, static_cast<std::int32_t>(i));
      EXPECT_EQ(stored[i].producer_id, stored[0].producer_id);
      EXPECT_EQ(stored[i].epoch, 0);
    }
  }
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 1U);
}

TEST(Producer, LingersForMoreRecords) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(50)});
  ASSERT_FALSE(producer.send("t", "warm"));
  ASSERT_TRUE(producer.deliver());
  const Time begin = rig.world.time();
  ASSERT_FALSE(producer.send("t", "a"));
  rig.run_for(milliseconds(30));
  ASSERT_FALSE(producer.send("t", "b"));
  ASSERT_TRUE(producer.wait_for("b"));
  EXPECT_GE(rig.world.time() - begin, milliseconds(50));
  EXPECT_LT(rig.world.time() - begin, milliseconds(55));
  EXPECT_EQ(rig.batches("t"), 2U) << "a and b together";
}

TEST(Producer, WhatIsNearlyDueLeavesInCompany) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 3});
  TestProducer producer(rig, {.linger = milliseconds(100)});
  for (int p = 0; p < 3; ++p) ASSERT_FALSE(producer.send("t", "warm", p));
  ASSERT_TRUE(producer.deliver());
  const std::size_t before = rig.requests(kProduceApi);
  const Time begin = rig.world.time();
  ASSERT_FALSE(producer.send("t", "a", 0));
  rig.run_for(milliseconds(20));
  ASSERT_FALSE(producer.send("t", "b", 1));  // 80 ms old when the first one leaves
  rig.run_for(milliseconds(20));
  ASSERT_FALSE(producer.send("t", "c", 2));  // 60 ms
  ASSERT_TRUE(producer.wait_for("b"));
  EXPECT_GE(rig.world.time() - begin, milliseconds(100));
  EXPECT_LT(rig.world.time() - begin, milliseconds(110));
  EXPECT_EQ(rig.requests(kProduceApi), before + 1) << "a and b together";
  ASSERT_TRUE(producer.wait_for("c"));
  EXPECT_GE(rig.world.time() - begin, milliseconds(140)) << "c is not in a hurry";
  EXPECT_LT(rig.world.time() - begin, milliseconds(150));
  EXPECT_EQ(rig.requests(kProduceApi), before + 2);
}

TEST(Producer, FullBatchDoesNotLinger) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = seconds(10), .batch_bytes = 2000});
  const std::string value(300, 'x');
  const Time begin = rig.world.time();
  for (int i = 0; i < 20; ++i) {
    ASSERT_FALSE(producer.send("t", Record{.value = value, .partition = 0}, std::to_string(i)));
  }
  ASSERT_TRUE(producer.wait_for("11"));
  EXPECT_LT(rig.world.time() - begin, seconds(1));
  for (const auto& batch : rig.cluster.log("t", 0)->batches()) EXPECT_LE(batch.size, 2000U);
  ASSERT_TRUE(producer.deliver());
  EXPECT_LT(rig.world.time() - begin, seconds(1)) << "flush does not linger either";
  EXPECT_EQ(rig.batches("t"), 4U);
}

TEST(Producer, LingerZeroSendsAtOnce) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(0)});
  ASSERT_FALSE(producer.send("t", "a"));
  ASSERT_TRUE(producer.wait_for("a"));
  EXPECT_LT(rig.world.elapsed(), milliseconds(20));
}

TEST(Producer, AcksLeaderAndNone) {
  for (const Acks acks : {Acks::leader, Acks::none}) {
    EngineRig rig;
    rig.cluster.create_topic("t");
    TestProducer producer(rig, {.acks = acks, .idempotence = false});
    for (int i = 0; i < 10; ++i) ASSERT_FALSE(producer.send("t", std::to_string(i)));
    ASSERT_TRUE(producer.deliver());
    rig.run_for(seconds(1));
    EXPECT_EQ(rig.values("t"), numbers(0, 10));
    EXPECT_TRUE(producer.all_ok());
    EXPECT_EQ(producer.told[3].offset, acks == Acks::none ? -1 : 3);
    EXPECT_EQ(rig.stored("t")[0].producer_id, -1);
    EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
    // The connection goes on: nothing waits for an answer that never comes.
    for (int i = 10; i < 20; ++i) ASSERT_FALSE(producer.send("t", std::to_string(i)));
    ASSERT_TRUE(producer.deliver());
    rig.run_for(seconds(1));
    EXPECT_EQ(rig.values("t"), numbers(0, 20));
  }
}

TEST(Producer, NullAndEmptyStayDifferent) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  const std::vector<Header> headers = {{"h", "v"}, {"null", null}, {"", ""}};
  // The first goes through the list of records that wait for the topic, the second does not.
  TestProducer producer(rig);
  for (const char* round : {"unknown topic", "known topic"}) {
    const std::string tag = round;
    ASSERT_FALSE(producer.send("t", Record{.key = null, .value = null}, tag + "1"));
    ASSERT_FALSE(producer.send("t", Record{.key = "", .value = ""}, tag + "2"));
    ASSERT_FALSE(producer.send(
        "t", Record{.key = "k", .value = "v", .headers = headers, .timestamp_ms = 12345},
        tag + "3"));
    ASSERT_TRUE(producer.deliver());
    const auto stored = rig.stored("t");
    const std::size_t base = stored.size() - 3;
    EXPECT_TRUE(stored[base].key_null && stored[base].value_null) << round;
    EXPECT_FALSE(stored[base + 1].key_null || stored[base + 1].value_null) << round;
    EXPECT_EQ(stored[base + 1].key, "");
    EXPECT_EQ(stored[base + 2].timestamp_ms, 12345);
    EXPECT_EQ(producer.of(tag + "3").timestamp_ms, 12345);
    const std::vector<std::pair<std::string, std::string>> want = {
        {"h", "v"}, {"null", "<null>"}, {"", ""}};
    EXPECT_EQ(stored[base + 2].headers, want) << round;
  }
}

TEST(Producer, TimestampsAreTheTimeOfSending) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(500)});
  const std::int64_t first = rig.world.wall_ms();
  ASSERT_FALSE(producer.send("t", "a"));
  rig.run_for(milliseconds(100));
  ASSERT_FALSE(producer.send("t", "b"));
  ASSERT_TRUE(producer.deliver());
  EXPECT_EQ(rig.stored("t")[0].timestamp_ms, first);
  EXPECT_EQ(rig.stored("t")[1].timestamp_ms, first + 100);
}

TEST(Producer, LogAppendTimeIsReported) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.configs = {{"message.timestamp.type", "LogAppendTime"}}});
  TestProducer producer(rig);
  ASSERT_FALSE(producer.send("t", Record{.value = "a", .timestamp_ms = 1000}, "a"));
  ASSERT_TRUE(producer.deliver());
  EXPECT_GT(producer.of("a").timestamp_ms, 1000);
  EXPECT_EQ(producer.of("a").timestamp_ms, rig.stored("t")[0].timestamp_ms);
}

TEST(Producer, CompressesBatches) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(5), .compression = Compression::gzip});
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(std::string(500, 'a') + std::to_string(i));
    ASSERT_FALSE(producer.send("t", sent.back()));
  }
  ASSERT_TRUE(producer.deliver());
  EXPECT_TRUE(producer.all_ok());
  EXPECT_EQ(rig.values("t"), sent);
  EXPECT_LT(rig.cluster.log("t", 0)->size_bytes(), 10'000U);
  EXPECT_EQ(producer.core->accumulator().used_bytes(), 0U);
}

TEST(Producer, DoesNotCompressWhatWouldGrow) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(0), .compression = Compression::gzip});
  ASSERT_FALSE(producer.send("t", "x"));
  ASSERT_TRUE(producer.deliver());
  const auto& batch = rig.cluster.log("t", 0)->batches().front();
  EXPECT_EQ(read_batch_header(batch.data).compression(), Compression::none);
  EXPECT_EQ(rig.values("t"), Strings{"x"});
}

TEST(Producer, KeysGoWhereJavaPutsThem) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 7});
  TestProducer producer(rig);
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_FALSE(producer.send("t", Record{.key = key, .value = "v"}, key));
  }
  ASSERT_TRUE(producer.deliver());
  for (const Told& told : producer.told) {
    EXPECT_EQ(told.partition, partition_for_key(wire::Bytes(told.tag), 7)) << told.tag;
  }
}

TEST(Producer, WithoutKeyPartitionsChangeWithTheBatch) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 8});
  TestProducer producer(rig, {.linger = milliseconds(100), .batch_bytes = 2000});
  ASSERT_FALSE(producer.send("t", "warm"));
  ASSERT_TRUE(producer.deliver());
  producer.told.clear();
  const std::string value(90, 'x');
  for (int i = 0; i < 400; ++i) {
    ASSERT_FALSE(producer.send("t", Record{.value = value}, std::to_string(i)));
  }
  ASSERT_TRUE(producer.deliver());
  std::size_t changes = 0;
  std::vector<bool> used(8);
  std::vector<std::int32_t> by_record(400);
  for (const Told& told : producer.told) by_record[std::stoul(told.tag)] = told.partition;
  for (std::size_t i = 0; i < 400; ++i) {
    used[static_cast<std::size_t>(by_record[i])] = true;
    if (i > 0 && by_record[i] != by_record[i - 1]) ++changes;
  }
  EXPECT_GE(std::count(used.begin(), used.end(), true), 5);
  EXPECT_LE(changes, 30U) << "batches of about 19 records";
  EXPECT_GE(changes, 10U);
}

TEST(Producer, RoundRobinRandomAndOwnPartitioner) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 4});
  TestProducer round(rig, {.partitioning = Partitioning::round_robin});
  for (int i = 0; i < 8; ++i)
    ASSERT_FALSE(round.send("t", Record{.key = "same", .value = "v"}, "r"));
  ASSERT_TRUE(round.deliver());
  for (int p = 0; p < 4; ++p) EXPECT_EQ(rig.values("t", p).size(), 2U);

  TestProducer own(rig, {.partitioner = [](const wire::Bytes& key, std::int32_t count) {
                     return key.is_null() ? count : 3;
                   }});
  ASSERT_FALSE(own.send("t", Record{.key = "k", .value = "v"}, "own"));
  ASSERT_TRUE(own.deliver());
  EXPECT_EQ(own.of("own").partition, 3);
  EXPECT_EQ(own.send("t", Record{.value = "v"}, "bad"), ClientErrc::unknown_partition);

  TestProducer random(rig, {.partitioning = Partitioning::random});
  for (int i = 0; i < 200; ++i)
    ASSERT_FALSE(random.send("t", Record{.key = "same", .value = "v"}, "r"));
  ASSERT_TRUE(random.deliver());
  for (int p = 0; p < 4; ++p) EXPECT_GT(rig.values("t", p).size(), 20U);
}

// One call for many records does what a call for each does.
TEST(Producer, SeveralInOneCallGoWhereEachAloneWould) {
  for (const Partitioning partitioning :
       {Partitioning::java, Partitioning::random, Partitioning::round_robin}) {
    std::vector<std::vector<Strings>> stored;
    for (const bool together : {false, true}) {
      EngineRig rig;
      rig.cluster.create_topic("t", {.partitions = 5});
      TestProducer producer(rig, {.batch_bytes = 1000, .partitioning = partitioning});
      ASSERT_FALSE(producer.send("t", "warm", 0));
      ASSERT_TRUE(producer.deliver());
      Strings values = numbers(0, 700);
      std::vector<Record> records;
      for (std::size_t i = 0; i < values.size(); ++i) {
        records.push_back({.value = values[i]});
        if (i % 3 == 1) records.back().key = values[i];
        if (i % 3 == 2) records.back().partition = static_cast<std::int32_t>(i % 5);
      }
      Accumulator& accumulator = producer.core->accumulator();
      if (together) {
        const Accepted accepted = accumulator.append_all(accumulator.topic("t"), records);
        EXPECT_EQ(accepted.count, records.size());
        EXPECT_FALSE(accepted.error);
      } else {
        for (const Record& record : records) {
          ASSERT_FALSE(accumulator.append(accumulator.topic("t"), record, NoHandler()));
        }
      }
      ASSERT_TRUE(producer.deliver());
      auto& all = stored.emplace_back();
      for (int p = 0; p < 5; ++p) all.push_back(rig.values("t", p));
    }
    EXPECT_EQ(stored[0], stored[1]);
  }
}

TEST(Producer, SeveralInOneCallStopAtTheFirstThatIsRefused) {
  EngineRig rig;
  rig.cluster.create_topic("t", {.partitions = 2});
  TestProducer producer(rig, {.batch_bytes = 20'000, .buffer_bytes = 100'000});
  Accumulator& accumulator = producer.core->accumulator();
  const auto send = [&](const std::vector<Record>& records) {
    return accumulator.append_all(accumulator.topic("t"), records);
  };
  const std::string huge(200'000, 'x'), large(15'000, 'x');
  EXPECT_EQ(send({}).count, 0U);
  // While its partitions are not known yet: those of the first call wait.
  EXPECT_EQ(send({{.value = "a"}, {.value = huge}, {.value = "never"}}).error,
            ClientErrc::record_too_large);
  ASSERT_TRUE(producer.deliver());
  const Accepted bad = send({{.value = "b", .partition = 0}, {.value = "c", .partition = 2}});
  EXPECT_EQ(bad.count, 1U);
  EXPECT_EQ(bad.error, ClientErrc::unknown_partition);
  const Accepted full = send(std::vector<Record>(40, {.value = large, .partition = 1}));
  EXPECT_GE(full.count, 2U);
  EXPECT_LE(full.count, 6U);
  EXPECT_EQ(full.error, ClientErrc::queue_full);
  ASSERT_TRUE(producer.deliver());
  EXPECT_EQ(rig.values("t", 0).size() + rig.values("t", 1).size(), 2 + full.count);
  accumulator.stop();
  const Accepted closed = send({{.value = "d", .partition = 0}});
  EXPECT_EQ(closed.count, 0U);
  EXPECT_EQ(closed.error, ClientErrc::closed);
}

// Batches of any size arrive with the right sum, which the broker checks: small ones are summed
// when they are closed, large ones in steps while they fill and grow.
TEST(Producer, BatchesOfAnySizeAreSummed) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = seconds(1)});
  std::size_t stored = 0;
  for (const std::size_t bytes : {100u, 20'000u, 32'000u, 40'000u, 70'000u, 400'000u}) {
    for (const std::size_t each : {std::size_t{90}, std::size_t{7'000}, std::size_t{39'999}}) {
      for (std::size_t sent = 0; sent < bytes; sent += each) {
        const std::string value(each, static_cast<char>('a' + stored % 26));
        ASSERT_FALSE(producer.send("t", Record{.value = value}, "v"));
        ++stored;
      }
      ASSERT_TRUE(producer.deliver()) << bytes << " in records of " << each;
    }
  }
  EXPECT_TRUE(producer.all_ok());
  EXPECT_EQ(rig.values("t").size(), stored);
}

TEST(Producer, UnkeyedRecordsAvoidPartitionsWithoutLeader) {
  EngineRig rig({.brokers = 2});
  rig.cluster.create_topic("t", {.assignments = {{1}, {2}}});
  rig.cluster.stop_node(2);
  TestProducer producer(rig, {.linger = milliseconds(0)});
  ASSERT_FALSE(producer.send("t", Record{.value = "warm", .partition = 0}, "warm"));
  ASSERT_TRUE(producer.wait_for("warm"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_FALSE(producer.send("t", std::to_string(i)));
    rig.run_for(milliseconds(5));
  }
  ASSERT_TRUE(producer.wait_for_count(21, seconds(5)));
  EXPECT_EQ(rig.values("t", 0).size(), 21U);
}

TEST(Producer, TellsBatchesBeforeTheirRecords) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(5)});
  std::vector<std::string> log;
  producer.core->set_batch_handler([&](const BatchReport& report) {
    log.push_back("batch of " + std::to_string(report.count) + " at " +
                  std::to_string(report.base_offset) + " in " + std::string(report.topic) +
                  std::to_string(report.partition) + (report.error ? " failed" : "") + " after " +
                  std::to_string(producer.told.size()));
  });
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(producer.send("t", std::to_string(i)));
  ASSERT_TRUE(producer.deliver());
  ASSERT_FALSE(producer.send("t", "3"));
  ASSERT_TRUE(producer.deliver());
  EXPECT_EQ(log, (Strings{"batch of 3 at 0 in t0 after 0", "batch of 1 at 3 in t0 after 3"}));
}

TEST(Producer, HandlersMaySendAgain) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(0)});
  int left = 50;
  std::function<void(std::error_code, const Delivery&)> again = [&](std::error_code error,
                                                                    const Delivery&) {
    EXPECT_FALSE(error);
    if (--left == 0) return;
    ProducerTopic& topic = producer.core->accumulator().topic("t");
    EXPECT_FALSE(
        producer.core->accumulator().append(topic, Record{.value = std::to_string(left)}, again));
  };
  ProducerTopic& topic = producer.core->accumulator().topic("t");
  ASSERT_FALSE(producer.core->accumulator().append(topic, Record{.value = "50"}, again));
  EXPECT_TRUE(rig.run_until([&] { return left == 0; }));
  EXPECT_EQ(rig.values("t").size(), 50U);
}

TEST(Producer, ThrowingHandlerLosesNothing) {
  EngineRig rig;
  rig.cluster.create_topic("t");
  TestProducer producer(rig, {.linger = milliseconds(5)});
  ProducerTopic& topic = producer.core->accumulator().topic("t");
  ASSERT_FALSE(producer.send("t", "a"));
  ASSERT_FALSE(producer.core->accumulator().append(
      topic, Record{.value = "b"},
      [](std::error_code, const Delivery&) { throw std::runtime_error("user"); }));
  ASSERT_FALSE(producer.send("t", "c"));
  producer.flush();
  int thrown = 0;
  for (int i = 0; i < 3; ++i) {
    try {
      producer.wait_for("flush", seconds(1));
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 1);
  EXPECT_EQ(producer.tags(), (Strings{"a", "c", "flush"}));
  EXPECT_EQ(producer.core->accumulator().used_bytes(), 0U);
}

TEST(Producer, BrokersOfAnyReleaseWillDo) {
  for (const auto release :
       {broker::Release::kafka_2_1, broker::Release::kafka_2_8, broker::Release::kafka_3_9}) {
    EngineRig rig({.brokers = 2});
    rig.cluster.set_release(release);
    rig.cluster.create_topic("t", {.partitions = 3, .replication_factor = 2});
    TestProducer producer(rig, {.linger = milliseconds(1), .compression = Compression::gzip});
    for (int i = 0; i < 60; ++i) {
      ASSERT_FALSE(producer.send("t", std::to_string(i), i % 3));
      if (i == 20) rig.cluster.move_leader("t", 0, 3 - rig.leader("t", 0));
      rig.run_for(milliseconds(1));
    }
    ASSERT_TRUE(producer.deliver());
    EXPECT_TRUE(producer.all_ok());
    for (int p = 0; p < 3; ++p) {
      Strings want;
      for (int i = p; i < 60; i += 3) want.push_back(std::to_string(i));
      EXPECT_EQ(rig.values("t", p), want);
    }
  }
}

}  // namespace
}  // namespace tern::kafka
