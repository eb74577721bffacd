// A producer when brokers refuse, forget, move and die: each record once, in order, and honest
// errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/kafka/engine_rig.h"

namespace tern::kafka {
namespace {

using Strings = std::vector<std::string>;

Strings numbers(int from, int count) {
  Strings all;
  for (int i = from; i < from + count; ++i) all.push_back(std::to_string(i));
  return all;
}

class ProducerRetry : public ::testing::Test {
 protected:
  explicit ProducerRetry(int brokers = 1) : rig({.brokers = brokers}) {}

  TestProducer& producer() {
    if (!producer_) producer_ = std::make_unique<TestProducer>(rig, config);
    return *producer_;
  }
  // Makes connections, producer id and metadata, so that a test's own requests are the next ones.
  void warm_up(const std::string& topic = "t", int partitions = 1) {
    rig.cluster.create_topic(
        topic, {.partitions = partitions,
                .replication_factor = static_cast<std::int16_t>(rig.cluster.nodes().size())});
    for (int i = 0; i < partitions; ++i) ASSERT_FALSE(producer().send(topic, "warm", i));
    ASSERT_TRUE(producer().deliver());
    producer().told.clear();
    rig.forget_requests();
  }
  void send_numbers(int from, int count, Duration apart = milliseconds(0),
                    std::int32_t partition = 0) {
    for (int i = from; i < from + count; ++i) {
      ASSERT_FALSE(producer().send("t", std::to_string(i), partition));
      if (apart.count() > 0) rig.run_for(apart);
    }
  }
  Strings stored(std::int32_t partition = 0) {
    Strings all = rig.values("t", partition);
    std::erase(all, "warm");
    return all;
  }
  void inject(Injection injection) { rig.cluster.inject(kProduceApi.key, std::move(injection)); }
  void inject(BrokerErrc error, int times = 1, bool apply = false) {
    Injection injection = Injection::with_error(error, times);
    injection.apply = apply;
    inject(std::move(injection));
  }
  std::int64_t producer_id(std::int32_t partition = 0) {
    return rig.stored("t", partition).back().producer_id;
  }

  EngineRig rig;
  ProducerConfig config{.linger = milliseconds(0)};

 private:
  std::unique_ptr<TestProducer> producer_;
};

class ProducerTwoBrokers : public ProducerRetry {
 protected:
  ProducerTwoBrokers() : ProducerRetry(2) {}
};

// ------------------------------------------------------------------------------------ exactly once

TEST_F(ProducerRetry, LostAnswerIsStoredOnce) {
  warm_up();
  inject(Injection::closing_after());
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 1));
  EXPECT_EQ(producer().of("0").offset, 1) << "the broker finds the first try again";
  EXPECT_EQ(rig.requests(kProduceApi), 2U);
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
}

TEST_F(ProducerRetry, LostAnswersWithFiveInFlightStayInOrder) {
  warm_up();
  for (int skip = 0; skip < 5; ++skip) {
    Injection injection = Injection::closing_after();
    injection.skip = skip;
    inject(std::move(injection));
    send_numbers(10 * skip, 10, std::chrono::microseconds(30));
    ASSERT_TRUE(producer().deliver());
    rig.cluster.clear_injections();
  }
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 50));
  EXPECT_EQ(producer().tags(), numbers(0, 50));
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
}

TEST_F(ProducerRetry, LostRequestIsSentAgain) {
  warm_up();
  inject(Injection::closing_before());
  send_numbers(0, 10, std::chrono::microseconds(30));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 10));
}

TEST_F(ProducerRetry, WithoutIdempotenceALostAnswerMakesTwo) {
  config.idempotence = false;
  warm_up();
  inject(Injection::closing_after());
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), (Strings{"0", "0"})) << "what idempotence is for";
}

TEST_F(ProducerRetry, RetriableErrorsAreTriedAgainInOrder) {
  warm_up();
  int from = 0;
  for (const BrokerErrc error :
       {BrokerErrc::not_enough_replicas, BrokerErrc::kafka_storage_error,
        BrokerErrc::corrupt_message, BrokerErrc::network_exception,
        BrokerErrc::leader_not_available, BrokerErrc::unknown_topic_or_partition,
        BrokerErrc::not_leader_or_follower}) {
    inject(error, 2);
    send_numbers(from, 10, std::chrono::microseconds(30));
    ASSERT_TRUE(producer().deliver());
    from += 10;
  }
  EXPECT_TRUE(producer().all_ok()) << producer().told.back().text;
  EXPECT_EQ(stored(), numbers(0, from));
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
}

TEST_F(ProducerRetry, AppliedErrorsAreStoredOnce) {
  warm_up();
  int from = 0;
  for (const BrokerErrc error :
       {BrokerErrc::not_enough_replicas_after_append, BrokerErrc::request_timed_out}) {
    inject(error, 1, /*apply=*/true);
    send_numbers(from, 10, std::chrono::microseconds(30));
    ASSERT_TRUE(producer().deliver());
    from += 10;
  }
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, from));
}

TEST_F(ProducerRetry, BacksOffBetweenTries) {
  warm_up();
  inject(BrokerErrc::not_enough_replicas, 5);
  const Time begin = rig.world.time();
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  // 100, 200, 400, 800, 1000 ms, each give or take 20 %.
  EXPECT_GE(rig.world.time() - begin, milliseconds(2000));
  EXPECT_LE(rig.world.time() - begin, milliseconds(3100));
}

TEST_F(ProducerRetry, OnlyTheOldestBatchIsTriedWhileItIsRefused) {
  warm_up();
  inject(BrokerErrc::not_enough_replicas, broker::kAlways);
  send_numbers(0, 5, std::chrono::microseconds(30));
  rig.run_for(seconds(1));
  EXPECT_LE(rig.requests(kProduceApi), 5U + 4U) << "five on their way, then one at a time";
  rig.cluster.clear_injections();
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(stored(), numbers(0, 5));
}

TEST_F(ProducerRetry, DuplicateSequenceIsSuccessWithoutOffset) {
  warm_up();
  inject(BrokerErrc::duplicate_sequence_number, 1, true);
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(producer().of("0").offset, -1);
}

TEST_F(ProducerRetry, OutOfOrderBehindARetriedBatchKeepsTheProducerId) {
  warm_up();
  const std::int64_t id = producer_id();
  inject(BrokerErrc::not_enough_replicas);  // the first; those behind it are out of order then
  send_numbers(0, 5, std::chrono::microseconds(30));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 5));
  EXPECT_EQ(rig.stored("t").back().epoch, 0);
  EXPECT_EQ(producer_id(), id);
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
}

TEST_F(ProducerRetry, BrokerThatForgotTheProducerGetsANewEpochEverywhere) {
  warm_up("t", 2);
  const std::int64_t id = producer_id();
  send_numbers(0, 3, milliseconds(10), 0);
  send_numbers(10, 3, milliseconds(10), 1);
  ASSERT_TRUE(producer().deliver());
  rig.forget_requests();
  rig.cluster.truncate("t", 0, 2);  // unclean election: the broker knows of sequences up to 1 only
  send_numbers(3, 3, milliseconds(10), 0);
  send_numbers(13, 3, milliseconds(10), 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U) << "the next epoch needs no broker";
  EXPECT_EQ(stored(0), (Strings{"0", "3", "4", "5"}));
  EXPECT_EQ(stored(1), (Strings{"10", "11", "12", "13", "14", "15"}));
  for (int p = 0; p < 2; ++p) {
    const auto all = rig.stored("t", p);
    EXPECT_EQ(all.back().producer_id, id);
    EXPECT_EQ(all.back().epoch, 1);
    std::int32_t next = 0;
    for (const StoredRecord& record : all) {
      if (record.epoch == 0) continue;
      EXPECT_EQ(record.sequence, next++) << "from 0 on every partition";
    }
    EXPECT_GT(next, 0);
  }
}

TEST_F(ProducerRetry, NewEpochOnlyWhenNothingIsUnresolved) {
  warm_up("t", 2);
  // Partition 1: the answer is lost after the broker has applied it; partition 0: the broker has
  // lost what it knew. A new epoch for the batch of partition 1 would store it twice.
  rig.cluster.truncate("t", 0, 0);
  Injection forgotten = Injection::with_error(BrokerErrc::unknown_producer_id);
  forgotten.topic = "t";
  forgotten.partition = 0;
  inject(forgotten);
  Injection held = Injection::with_error(BrokerErrc::request_timed_out);
  held.topic = "t";
  held.partition = 1;
  held.apply = true;
  held.times = 3;
  inject(held);
  send_numbers(0, 1, milliseconds(0), 0);
  send_numbers(10, 1, milliseconds(0), 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(0), numbers(0, 1));
  EXPECT_EQ(stored(1), numbers(10, 1));
  EXPECT_EQ(rig.stored("t", 0).back().epoch, 1);
  EXPECT_EQ(rig.stored("t", 1).back().epoch, 0);
}

// The first batch was refused for its sequence, so the second one behind it cannot have been stored
// either: waiting until it is resolved would be waiting for each other.
TEST_F(ProducerRetry, UnansweredBatchBehindARefusedOneBlocksNothing) {
  warm_up();
  inject(BrokerErrc::out_of_order_sequence_number);
  inject(Injection::closing_before());
  send_numbers(0, 2, std::chrono::microseconds(20));
  ASSERT_TRUE(producer().deliver(seconds(5)));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 2));
}

TEST_F(ProducerRetry, SequencesWrapToZero) {
  warm_up();
  ProducerTopic& topic = producer().core->accumulator().topic("t");
  rig.cluster.log("t", 0)->forget_producer(producer_id());
  topic.partitions[0].queue->next_sequence = 0x7fffffff - 2;
  ASSERT_FALSE(producer().send("t", "0", 0));
  ASSERT_TRUE(producer().deliver());
  for (int i = 1; i < 4; ++i) ASSERT_FALSE(producer().send("t", std::to_string(i), 0));
  ASSERT_TRUE(producer().deliver());
  send_numbers(4, 2);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  const auto all = rig.stored("t");
  EXPECT_EQ(all[1].sequence, 0x7fffffff - 2);
  EXPECT_EQ(all[3].sequence, 0x7fffffff);
  EXPECT_EQ(all[4].sequence, 0);
  EXPECT_EQ(all[6].sequence, 2);
  EXPECT_EQ(rig.requests(kInitProducerIdApi), 0U);
}

// ------------------------------------------------------------------------------------- leaders

TEST_F(ProducerTwoBrokers, FollowsTheLeaderByHintAtOnce) {
  warm_up();
  rig.cluster.move_leader("t", 0, 3 - rig.leader("t"));
  const Time begin = rig.world.time();
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_LT(rig.world.time() - begin, milliseconds(50)) << "no backoff for a new leader";
  EXPECT_EQ(rig.requests(kMetadataApi), 0U) << "the answer says who leads (KIP-951)";
}

TEST_F(ProducerTwoBrokers, FollowsTheLeaderByMetadata) {
  rig.cluster.limit_api(kProduceApi.key, 9);  // before KIP-951
  warm_up();
  rig.cluster.move_leader("t", 0, 3 - rig.leader("t"));
  send_numbers(0, 20, std::chrono::microseconds(30));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_GE(rig.requests(kMetadataApi), 1U);
  EXPECT_EQ(stored(), numbers(0, 20));
}

TEST_F(ProducerTwoBrokers, LeaderMovesBackAndForthWhileSending) {
  config.max_in_flight = 5;
  warm_up();
  for (int i = 0; i < 200; ++i) {
    send_numbers(i, 1, std::chrono::microseconds(30));
    if (i % 10 == 5) rig.cluster.move_leader("t", 0, 3 - rig.leader("t"));
  }
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 200));
}

TEST_F(ProducerTwoBrokers, LeaderDiesAndAnotherTakesOver) {
  warm_up();
  const std::int32_t old = rig.leader("t");
  send_numbers(0, 5, std::chrono::microseconds(30));
  rig.cluster.stop_node(old);
  send_numbers(5, 5, milliseconds(1));
  ASSERT_TRUE(producer().deliver());
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 10));
  EXPECT_NE(rig.leader("t"), old);
}

TEST_F(ProducerTwoBrokers, WaitsWhileThereIsNoLeader) {
  rig.cluster.create_topic("t", {.assignments = {{2}}});
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  rig.cluster.stop_node(2);
  send_numbers(1, 3, seconds(3));
  rig.run_for(seconds(30));
  EXPECT_EQ(producer().told.size(), 1U);
  rig.cluster.start_node(2);
  rig.cluster.elect_leaders();
  ASSERT_TRUE(producer().deliver(seconds(5)));
  EXPECT_TRUE(producer().all_ok());
  EXPECT_EQ(stored(), numbers(0, 4));
}

// ---------------------------------------------------------------------------- too large, fatal

TEST_F(ProducerRetry, TooLargeBatchIsSplitUntilItFits) {
  for (const Compression compression : {Compression::none, Compression::gzip}) {
    EngineRig own;
    own.cluster.create_topic("t", {.configs = {{"max.message.bytes", "3000"}}});
    TestProducer many(
        own, {.linger = milliseconds(20), .batch_bytes = 200'000, .compression = compression});
    Strings sent;
    sim::Rng rng(5);
    for (int i = 0; i < 100; ++i) {
      std::string value = std::to_string(i) + ":";
      while (value.size() < 1000) value += static_cast<char>(rng.below(256));
      ASSERT_FALSE(many.send(
          "t", Record{.key = "k" + std::to_string(i), .value = value, .timestamp_ms = 1000 + i},
          std::to_string(i)));
      sent.push_back(value);
    }
    ASSERT_TRUE(many.deliver());
    EXPECT_TRUE(many.all_ok());
    EXPECT_EQ(own.values("t"), sent);
    EXPECT_EQ(many.tags(), numbers(0, 100));
    for (int i = 0; i < 100; ++i) {
      const auto& told = many.told[static_cast<std::size_t>(i)];
      EXPECT_EQ(told.offset, i);
      EXPECT_EQ(told.timestamp_ms, 1000 + i);
      EXPECT_EQ(own.stored("t")[static_cast<std::size_t>(i)].timestamp_ms, 1000 + i);
    }
    EXPECT_EQ(own.requests(kInitProducerIdApi), 1U) << "no gap comes of splitting";
    EXPECT_EQ(many.core->accumulator().used_bytes(), 0U);
  }
}

TEST_F(ProducerRetry, TooLargeRecordFailsAlone) {
  rig.cluster.create_topic("t", {.configs = {{"max.message.bytes", "2000"}}});
  config.linger = milliseconds(5);
  send_numbers(0, 3);
  ASSERT_FALSE(
      producer().send("t", Record{.value = std::string(5000, 'x'), .partition = 0}, "large"));
  send_numbers(3, 3);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(stored(), numbers(0, 6));
  const Told& told = producer().of("large");
  EXPECT_EQ(told.error, ClientErrc::not_written);
  EXPECT_EQ(told.cause, ClientErrc::record_too_large);
  EXPECT_NE(told.text.find("MESSAGE_TOO_LARGE"), std::string::npos) << told.text;
  EXPECT_NE(told.text.find("\"t\" partition 0"), std::string::npos) << told.text;
  for (const std::string& tag : numbers(0, 6)) EXPECT_FALSE(producer().of(tag).error);
}

TEST_F(ProducerRetry, FatalErrorFailsTheBatchAndNotTheNext) {
  warm_up();
  inject(BrokerErrc::topic_authorization_failed);
  send_numbers(0, 5, std::chrono::microseconds(30));
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("0").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("0").cause, BrokerErrc::topic_authorization_failed);
  EXPECT_EQ(stored(), numbers(1, 4));
  for (const std::string& tag : numbers(1, 4)) EXPECT_FALSE(producer().of(tag).error);
}

TEST_F(ProducerRetry, UnknownServerErrorMayHaveBeenWritten) {
  warm_up();
  inject(BrokerErrc::unknown_server_error, 1, true);
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("0").error, ClientErrc::maybe_written);
}

// ---------------------------------------------------------------------------- delivery timeout

TEST_F(ProducerRetry, UnsentRecordsTimeOutAsNotWritten) {
  config.delivery_timeout = seconds(5);
  warm_up();
  rig.cluster.stop_node(1, false);
  rig.run_for(milliseconds(1));
  send_numbers(0, 3, seconds(1));
  ASSERT_TRUE(producer().wait_for("2", seconds(20)));
  for (const Told& told : producer().told) {
    EXPECT_EQ(told.error, ClientErrc::not_written) << told.tag << ": " << told.text;
    EXPECT_EQ(told.cause, ClientErrc::timed_out);
    EXPECT_NE(told.text.find("delivery_timeout"), std::string::npos);
    EXPECT_NE(told.text.find("b1:9092"), std::string::npos) << told.text;
  }
  rig.cluster.start_node(1);
  rig.cluster.elect_leaders();
  send_numbers(3, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(stored(), numbers(3, 1)) << "what was called not written never is";
}

TEST_F(ProducerRetry, UnansweredRecordsTimeOutAsMaybeWritten) {
  config.delivery_timeout = seconds(5);
  warm_up();
  Injection silent;
  silent.no_answer = true;
  inject(silent);
  const Time begin = rig.world.time();
  send_numbers(0, 1);
  ASSERT_TRUE(producer().wait_for("0", seconds(20)));
  EXPECT_EQ(rig.world.time() - begin, seconds(5));
  EXPECT_EQ(producer().of("0").error, ClientErrc::maybe_written);
  EXPECT_EQ(producer().of("0").cause, ClientErrc::timed_out);
}

// A batch that expires on its way keeps its bytes until the network is done with them
// (CVE-2026-35554).
TEST_F(ProducerRetry, BytesOfABatchThatExpiresOnItsWayAreNotUsedAgain) {
  config.delivery_timeout = seconds(5);
  rig.client_config.request_timeout = seconds(60);
  warm_up();
  rig.fabric.block("client", "b1", true);  // what is written stays in the socket or before it
  const std::string large(600'000, 'a');
  ASSERT_FALSE(producer().send("t", Record{.value = large, .partition = 0}, "large"));
  ASSERT_TRUE(producer().wait_for("large", seconds(20)));
  EXPECT_EQ(producer().of("large").error, ClientErrc::maybe_written);
  EXPECT_GT(producer().core->accumulator().used_bytes(), large.size())
      << "its bytes are still on their way";
  for (int i = 0; i < 20; ++i) {
    ASSERT_FALSE(
        producer().send("t", Record{.value = std::string(600'000, 'b'), .partition = 0}, "b"));
  }
  rig.run_for(seconds(1));
  rig.fabric.block("client", "b1", false);
  ASSERT_TRUE(producer().deliver());
  const auto all = rig.stored("t");
  for (const StoredRecord& record : all) {
    if (record.value == "warm") continue;
    EXPECT_TRUE(record.value == large || record.value == std::string(600'000, 'b'));
  }
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [&](const auto& r) { return r.value == large; }),
            1);
  EXPECT_EQ(producer().core->accumulator().used_bytes(), 0U);
}

TEST_F(ProducerRetry, ExpiredBatchLeavesAGapAndSoANewEpoch) {
  config.delivery_timeout = seconds(5);
  rig.client_config.request_timeout = seconds(3);
  warm_up();
  const std::int64_t id = producer_id();
  Injection refused = Injection::with_error(BrokerErrc::not_enough_replicas, broker::kAlways);
  inject(refused);
  send_numbers(0, 1);
  ASSERT_TRUE(producer().wait_for("0", seconds(20)));
  EXPECT_EQ(producer().of("0").error, ClientErrc::not_written);
  EXPECT_NE(producer().of("0").text.find("NOT_ENOUGH_REPLICAS"), std::string::npos);
  rig.cluster.clear_injections();
  rig.forget_requests();
  send_numbers(1, 3, milliseconds(10));
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(stored(), numbers(1, 3));
  EXPECT_EQ(rig.requests(kProduceApi), 3U) << "nothing is sent behind the gap to be refused";
  EXPECT_EQ(producer_id(), id);
  EXPECT_EQ(rig.stored("t").back().epoch, 1);
}

TEST_F(ProducerRetry, ThrottleTimeCounts) {
  config.delivery_timeout = seconds(5);
  warm_up();
  rig.cluster.throttle(kProduceApi.key, seconds(2), 1);
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  const Time begin = rig.world.time();
  send_numbers(1, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_GE(rig.world.time() - begin, milliseconds(1900)) << "sends nothing while it is throttled";
  rig.cluster.throttle(kProduceApi.key, minutes(2), 1);
  send_numbers(2, 1);
  ASSERT_TRUE(producer().deliver());
  send_numbers(3, 1);
  ASSERT_TRUE(producer().wait_for("3", seconds(6)));
  EXPECT_EQ(producer().of("3").error, ClientErrc::not_written)
      << "it never left: " << producer().of("3").text;
}

TEST_F(ProducerRetry, AcksNoneLosesConnectionAndGoesOn) {
  config.acks = Acks::none;
  config.idempotence = false;
  warm_up();
  rig.run_for(seconds(1));
  rig.cluster.reset_connections(1);
  send_numbers(0, 5, milliseconds(50));
  ASSERT_TRUE(producer().deliver());
  rig.run_for(seconds(2));
  const Strings have = stored();
  for (const std::string& tag : numbers(0, 5)) {
    EXPECT_EQ(producer().count(tag), 1U);
    if (std::find(have.begin(), have.end(), tag) == have.end()) continue;
    EXPECT_NE(producer().of(tag).error, ClientErrc::not_written) << tag;
  }
  EXPECT_EQ(have.back(), "4");
}

TEST_F(ProducerRetry, BrokerWithoutProducerIdsIsAClearError) {
  rig.cluster.limit_api(kInitProducerIdApi.key, -1);
  rig.cluster.create_topic("t");
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("0").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("0").cause, ClientErrc::unsupported_version);
  EXPECT_NE(producer().of("0").text.find("InitProducerId"), std::string::npos)
      << producer().of("0").text;
}

TEST_F(ProducerRetry, BrokerThatIsTooOldForProduceIsAClearError) {
  rig.cluster.limit_api(kProduceApi.key, 2);
  config.idempotence = false;
  rig.cluster.create_topic("t");
  send_numbers(0, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("0").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("0").cause, ClientErrc::unsupported_version);
  EXPECT_NE(producer().of("0").text.find("Produce"), std::string::npos);
  EXPECT_NE(producer().of("0").text.find("does not know it"), std::string::npos)
      << producer().of("0").text;
}

TEST_F(ProducerRetry, FatalErrorForProducerIdFailsWhatWaits) {
  rig.cluster.create_topic("t");
  Injection refused =
      Injection::with_error(BrokerErrc::cluster_authorization_failed, broker::kAlways);
  refused.whole_answer = true;
  rig.cluster.inject(kInitProducerIdApi.key, refused);
  send_numbers(0, 2);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(producer().of("1").error, ClientErrc::not_written);
  EXPECT_EQ(producer().of("1").cause, BrokerErrc::cluster_authorization_failed);
  rig.cluster.clear_injections();
  send_numbers(2, 1);
  ASSERT_TRUE(producer().deliver());
  EXPECT_EQ(stored(), numbers(2, 1)) << "the next one asks again";
}

}  // namespace
}  // namespace tern::kafka
