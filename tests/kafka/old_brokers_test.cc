// What becomes of a request that needs more than an older broker has: a clear error, or a way round
// it. The brokers are embedded ones that offer the versions of a release, or fewer.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/kafka/messages/fetch.h"
#include "protocol/kafka/messages/list_offsets.h"
#include "protocol/kafka/messages/metadata.h"
#include "protocol/kafka/messages/offset_for_leader_epoch.h"
#include "protocol/kafka/messages/produce.h"
#include "tests/kafka/consumer_rig.h"
#include "tests/kafka/engine_rig.h"

namespace tern::kafka {
namespace {

using broker::Release;
using Strings = std::vector<std::string>;

class OldBrokers : public testing::Test {
 protected:
  OldBrokers() : rig({.brokers = 2}), reader(rig.world, rig.fabric, "reader") {
    config.fetch_max_wait = milliseconds(500);
    config.offset_reset = OffsetReset::none;
    config.assignment = {{"t", 0, Position::earliest()}};
  }

  void be(Release release) {
    rig.cluster.set_release(release);
    rig.cluster.create_topic("t", {.assignments = {{1, 2}}});
    producer = std::make_unique<TestProducer>(rig);
    reader.start({"b1:9092", "b2:9092"}, config);
  }
  void write(const Strings& values) {
    for (const std::string& value : values) ASSERT_FALSE(producer->send("t", value, 0));
    ASSERT_TRUE(producer->deliver());
  }
  std::int16_t last_version(const Api& api) const {
    std::int16_t version = -1;
    for (const auto& request : rig.seen) {
      if (request.api_key == api.key) version = request.api_version;
    }
    return version;
  }
  static void says(const Failure& failure, const std::string& what) {
    EXPECT_NE(failure.message().find(what), std::string::npos) << failure.message();
  }

  EngineRig rig;
  ConsumerConfig config;
  ConsumerHost reader;
  std::unique_ptr<TestProducer> producer;
};

TEST_F(OldBrokers, TimesThatNeedALaterVersionAreAnErrorThatNamesBothSides) {
  be(Release::kafka_2_8);
  write({"a"});
  const std::pair<std::int64_t, int> needs[] = {{kHighestTime, 7},
                                                {kEarliestLocalTime, 8},
                                                {kLatestTieredTime, 9},
                                                {kEarliestPendingUploadTime, 11}};
  for (const auto& [time, first] : needs) {
    SCOPED_TRACE(time);
    rig.forget_requests();
    const auto [failure, found] = reader.find_offsets({{{"t", 0}, time}});
    EXPECT_EQ(failure.code, ClientErrc::unsupported_version);
    says(failure, "ListOffsets: the broker speaks versions 1 to 6, this request needs " +
                      std::to_string(first) + " to 11");
    EXPECT_EQ(rig.requests(kListOffsetsApi), 0U);  // it would have been misunderstood
    rig.cluster.limit_api(kListOffsetsApi.key, static_cast<std::int16_t>(first));
    rig.cluster.set_release(Release::newest);
    rig.cluster.reset_connections(1);
    rig.run_for(seconds(1));
    EXPECT_FALSE(reader.find_offsets({{{"t", 0}, time}}).first);
    EXPECT_EQ(last_version(kListOffsetsApi), first);
    rig.cluster.set_release(Release::kafka_2_8);
    rig.cluster.reset_connections(1);
    rig.run_for(seconds(1));
  }
  EXPECT_EQ(reader.find_offsets({{{"t", 0}, -7}}).first.code, ClientErrc::invalid_argument);
}

TEST_F(OldBrokers, WhatAnOldBrokerKnowsIsAnsweredBesideWhatItDoesNot) {
  be(Release::kafka_2_8);
  write({"a", "b"});
  int refused = 0;
  std::vector<std::int64_t> found;
  const Now now = reader.engine().enter();
  for (const std::int64_t time : {kHighestTime, kEarliestTime, kLatestTime}) {
    reader.consumer().find_offsets(
        0, {{{"t", 0}, time}}, deadline_after(now.mono, seconds(30)),
        [&](const Failure& why, const OffsetsAndTimes& answer) {
          refused += why ? 1 : 0;
          if (!why) found.push_back(answer.at(0).offset);
        },
        now);
  }
  rig.run_for(seconds(2));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(found, (std::vector<std::int64_t>{0, 2}));
}

TEST_F(OldBrokers, HighestTimeIsFoundWhereItIsKnown) {
  be(Release::kafka_3_9);
  ASSERT_FALSE(producer->send("t", {.value = "old", .timestamp_ms = 1000, .partition = 0}, "1"));
  ASSERT_TRUE(producer->deliver());
  ASSERT_FALSE(producer->send("t", {.value = "new", .timestamp_ms = 3000, .partition = 0}, "2"));
  ASSERT_TRUE(producer->deliver());
  ASSERT_FALSE(producer->send("t", {.value = "mid", .timestamp_ms = 2000, .partition = 0}, "3"));
  ASSERT_TRUE(producer->deliver());
  const auto [failure, found] = reader.find_offsets({{{"t", 0}, kHighestTime}});
  ASSERT_FALSE(failure) << failure.message();
  EXPECT_EQ(found.at(0).offset, 1);
  EXPECT_EQ(found.at(0).timestamp_ms, 3000);
}

// A log that was cut back. Kafka before 2.4 has no epochs in its metadata to go by (those of older
// answers cannot be relied on): there it shows only where the position is past the end.
TEST_F(OldBrokers, LogsThatWereCutBackAreNoticed) {
  for (const auto& [release, says_what] :
       {std::pair{Release::kafka_2_1, ClientErrc::offset_out_of_range},
        std::pair{Release::kafka_2_8, ClientErrc::log_truncated},
        std::pair{Release::kafka_3_9, ClientErrc::log_truncated}}) {
    EngineRig own;
    own.cluster.set_release(release);
    own.cluster.create_topic("t");
    TestProducer sends(own);
    ConsumerHost reads(own.world, own.fabric, "reader");
    reads.start({"b1:9092"}, config);
    for (const char* value : {"a", "b", "c"}) ASSERT_FALSE(sends.send("t", value));
    ASSERT_TRUE(sends.deliver());
    EXPECT_EQ(reads.take(3), (Strings{"a", "b", "c"}));
    own.cluster.truncate("t", 0, 1);
    const auto polled = reads.poll();
    EXPECT_EQ(polled->failure.code, says_what) << polled->failure.message();
  }
}

// Without ids a topic that was made anew looks like one whose leaders have gone back in time, which
// is believed after a while only.
TEST_F(OldBrokers, TopicMadeAnewIsFoundAgainWithoutIds) {
  rig.cluster.limit_api(kMetadataApi.key, 9);
  rig.cluster.limit_api(kFetchApi.key, 11);
  config.offset_reset = OffsetReset::earliest;
  be(Release::kafka_2_8);
  write({"a", "b"});
  for (const int node : {2, 1, 2}) rig.cluster.move_leader("t", 0, node);
  write({"c"});
  EXPECT_EQ(reader.take(3), (Strings{"a", "b", "c"}));
  rig.cluster.recreate_topic("t");
  ASSERT_EQ(rig.leader("t"), 1);
  write({"d"});
  EXPECT_TRUE(producer->all_ok());
  EXPECT_EQ(reader.take(1), (Strings{"d"}));
  EXPECT_EQ(last_version(kMetadataApi), 9);
  EXPECT_EQ(last_version(kFetchApi), 11);
}

// Kafka 2.8 has ids in its metadata, but fetches go by name: the new topic may be met first in an
// answer that knows no such offset. Its records are read once all the same.
TEST_F(OldBrokers, TopicMadeAnewIsReadOnceWhereFetchesGoByName) {
  config.offset_reset = OffsetReset::earliest;
  be(Release::kafka_2_8);
  write({"a", "b", "c"});
  EXPECT_EQ(reader.take(3), (Strings{"a", "b", "c"}));
  rig.cluster.recreate_topic("t");
  TestProducer another(rig);
  ASSERT_FALSE(another.send("t", "d", 0));
  ASSERT_TRUE(another.deliver());
  EXPECT_EQ(reader.take(1), (Strings{"d"}));
  reader.run_for(minutes(10));  // metadata is asked for again
  EXPECT_TRUE(reader.poll(seconds(5))->values().empty());
  EXPECT_EQ(reader.position("t"), 1);
  EXPECT_EQ(last_version(kFetchApi), 12);
}

// No broker before 3.7 says in a refusal who leads instead (KIP-951): metadata has to be asked.
TEST_F(OldBrokers, LeadersThatMoveAreFollowedWithoutHints) {
  for (const Release release : {Release::kafka_2_1, Release::kafka_2_8}) {
    EngineRig own({.brokers = 2});
    own.cluster.set_release(release);
    own.cluster.create_topic("t", {.assignments = {{1, 2}}});
    TestProducer sends(own);
    ConsumerHost reads(own.world, own.fabric, "reader");
    reads.start({"b1:9092"}, config);
    Strings sent;
    for (int i = 0; i < 10; ++i) {
      sent.push_back(std::to_string(i));
      ASSERT_FALSE(sends.send("t", sent.back(), 0));
      ASSERT_TRUE(sends.deliver());
      own.cluster.move_leader("t", 0, 3 - own.leader("t", 0));
    }
    EXPECT_TRUE(sends.all_ok());
    EXPECT_EQ(reads.take(10), sent);
    EXPECT_GE(own.requests(kMetadataApi), 10U);
  }
}

}  // namespace
}  // namespace tern::kafka
