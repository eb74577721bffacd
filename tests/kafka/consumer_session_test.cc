// Fetch sessions (KIP-227): what a broker is told, and what happens when it has forgotten.
#include <gtest/gtest.h>

#include <limits>

#include "tests/kafka/consumer_rig.h"
#include "tests/kafka/fake_brokers.h"

namespace tern::kafka {
namespace {

using fake::PartitionName;
using fake::SeenFetch;
using Strings = std::vector<std::string>;

class SessionTest : public ConsumerTest {
 protected:
  SessionTest() : ConsumerTest(2) {
    brokers.add_topic("t", 3);
    for (int i = 0; i < 3; ++i) brokers.at("t", i).add({"a" + std::to_string(i)});
  }
  const SeenFetch& last() const { return brokers.fetches.back(); }
  void add(int partition, const std::string& value) {
    brokers.at("t", partition).add({value});
    brokers.changed();
  }
};

TEST_F(SessionTest, OnlyWhatChangedIsNamed) {
  start_at("t", Position::earliest(), 3);
  host.take(3);
  host.run_for(milliseconds(100));
  EXPECT_EQ(brokers.fetches[0].session_epoch, 0);
  EXPECT_EQ(brokers.fetches[0].asked.size(), 3u);
  EXPECT_EQ(brokers.fetches[1].session_epoch, 1);
  EXPECT_EQ(brokers.fetches[1].asked.size(), 3u);  // all have moved on
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
  host.run_for(milliseconds(100));
  EXPECT_EQ(last().session_epoch, 2);
  ASSERT_EQ(last().asked.size(), 1u);
  EXPECT_EQ(last().asked.begin()->first, (PartitionName{"t", 1}));
  EXPECT_EQ(last().asked.begin()->second.fetch_offset, 2);
  EXPECT_TRUE(last().forgotten.empty());
}

TEST_F(SessionTest, PartitionsThatAreNotAssignedAnyMoreAreForgotten) {
  start_at("t", Position::earliest(), 3);
  host.take(3);
  host.run_for(milliseconds(100));
  host.assign({{"t", 1, Position::earliest()}, {"t", 2, Position::earliest()}});
  add(0, "gone");
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
  host.run_for(milliseconds(100));
  EXPECT_GT(last().session_epoch, 0);
  EXPECT_EQ(last().forgotten, (std::set<PartitionName>{{"t", 0}}));
}

TEST_F(SessionTest, PausedPartitionIsForgottenAndComesBack) {
  start_at("t", Position::earliest(), 2);
  host.take(2);
  host.run_for(milliseconds(100));
  host.consumer().set_paused({"t", 0}, true);
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
  host.run_for(milliseconds(100));
  EXPECT_EQ(last().forgotten, (std::set<PartitionName>{{"t", 0}}));
  host.consumer().set_paused({"t", 0}, false);
  add(0, "c");
  add(1, "d");
  EXPECT_EQ(host.take(2).size(), 2u);
  EXPECT_EQ(host.position("t", 0), 2);
}

// A broker first takes what is asked for and then forgets: both at once would lose the partition.
TEST_F(SessionTest, WhatIsAskedForIsNotForgottenInTheSameRequest) {
  start_at("t", Position::earliest(), 2);
  host.take(2);
  host.run_for(milliseconds(100));
  host.assign({{"t", 1, Position::earliest()}});
  host.assign({{"t", 0, Position::offset(0)}, {"t", 1, Position::earliest()}});
  add(1, "b");
  EXPECT_EQ(host.take(2).size(), 2u);
  for (const SeenFetch& fetch : brokers.fetches) {
    for (const auto& [name, asked] : fetch.asked) EXPECT_FALSE(fetch.forgotten.contains(name));
  }
}

TEST_F(SessionTest, SessionThatIsNotFoundIsMadeAnew) {
  int errors = 1;
  brokers.edit_fetch = [&](const SeenFetch& seen, FetchResponse& response, wire::Arena&) {
    if (seen.session_epoch > 0 && errors > 0) {
      --errors;
      response = {};
      response.error_code = static_cast<std::int16_t>(BrokerErrc::fetch_session_id_not_found);
      return true;
    }
    for (const auto& topic : response.responses) {
      if (!topic.partitions[0].records.empty()) return true;
    }
    return false;
  };
  start_at("t", Position::earliest(), 3);
  host.take(3);
  host.run_for(milliseconds(50));
  EXPECT_EQ(last().session_epoch, 0);
  EXPECT_EQ(last().session_id, 0);
  EXPECT_EQ(last().asked.size(), 3u);
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
}

TEST_F(SessionTest, WrongEpochEndsTheOldSessionWithTheNewOne) {
  int errors = 1;
  brokers.edit_fetch = [&](const SeenFetch& seen, FetchResponse& response, wire::Arena&) {
    if (seen.session_epoch > 0 && errors > 0) {
      --errors;
      response = {};
      response.error_code = static_cast<std::int16_t>(BrokerErrc::invalid_fetch_session_epoch);
      return true;
    }
    for (const auto& topic : response.responses) {
      if (!topic.partitions[0].records.empty()) return true;
    }
    return false;
  };
  start_at("t", Position::earliest(), 3);
  host.take(3);
  host.run_for(milliseconds(50));
  EXPECT_EQ(last().session_epoch, 0);
  EXPECT_NE(last().session_id, 0);
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
}

TEST_F(SessionTest, ErrorThatStaysIsNotAskedForInALoop) {
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
    response = {};
    response.error_code = static_cast<std::int16_t>(BrokerErrc::fetch_session_topic_id_error);
    return true;
  };
  start_at("t", Position::offset(0));
  host.run_for(seconds(10));
  EXPECT_LT(brokers.fetches.size(), 25u);
  EXPECT_GT(brokers.fetches.size(), 5u);
}

TEST_F(SessionTest, BrokenConnectionBeginsAFullSession) {
  start_at("t", Position::earliest(), 3);
  host.take(3);
  host.run_for(milliseconds(100));
  brokers.cut_connections(1);
  host.run_for(seconds(3));
  EXPECT_EQ(last().session_epoch, 0);
  EXPECT_EQ(last().asked.size(), 3u);
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
}

TEST_F(SessionTest, BrokersWithoutSessionsGetFullRequests) {
  brokers.sessions = false;
  start_at("t", Position::earliest(), 3);
  host.take(3);
  add(1, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
  for (const SeenFetch& fetch : brokers.fetches) {
    EXPECT_EQ(fetch.session_epoch, 0);
    EXPECT_EQ(fetch.session_id, 0);
    EXPECT_EQ(fetch.asked.size(), 3u);
  }
}

TEST_F(SessionTest, PartitionsThatWereNotAskedForAreIgnored) {
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena& arena) {
    // What is answered belongs to a partition that is not assigned.
    if (response.responses.empty() || response.responses[0].partitions[0].records.empty())
      return false;
    auto* two = arena.make_array<FetchResponse::FetchableTopicResponse>(2);
    auto* other = arena.make_array<FetchResponse::PartitionData>(1);
    two[0] = two[1] = response.responses[0];
    *other = response.responses[0].partitions[0];
    other->partition_index = 2;
    two[1].partitions = {other, 1};
    response.responses = {two, 2};
    return true;
  };
  start_at("t", Position::earliest(), 1);
  EXPECT_EQ(host.take(1), (Strings{"a0"}));
  const auto polled = host.poll(seconds(1));
  EXPECT_FALSE(polled->failure);
  EXPECT_TRUE(polled->records.empty());
}

TEST_F(SessionTest, LeaderThatMovesLeavesTheSessionOfTheOldOne) {
  start_at("t", Position::earliest(), 2);
  host.take(2);
  host.run_for(milliseconds(100));
  brokers.at("t", 0).leader = 2;
  brokers.at("t", 0).leader_epoch = 1;
  brokers.at("t", 0).epoch_end = {0, 1};
  add(0, "b");
  EXPECT_EQ(host.take(1), (Strings{"b"}));
  add(1, "c");
  EXPECT_EQ(host.take(1), (Strings{"c"}));
  host.run_for(seconds(1));
  bool forgotten = false;
  for (const SeenFetch& fetch : brokers.fetches) {
    if (fetch.node == 1) forgotten = forgotten || fetch.forgotten.contains({"t", 0});
    if (fetch.node == 2) {
      EXPECT_FALSE(fetch.asked.contains({"t", 1}));
    }
  }
  EXPECT_TRUE(forgotten);
}

TEST_F(SessionTest, TopicsWithoutIdsAreAskedForByName) {
  brokers.topics.at("t").id = {};
  start_at("t", Position::earliest(), 3);
  EXPECT_EQ(host.take(3).size(), 3u);
  EXPECT_EQ(last().version, 12);
}

TEST_F(SessionTest, NewestVersionIsSpoken) {
  start_at("t", Position::earliest(), 3);
  EXPECT_EQ(host.take(3).size(), 3u);
  EXPECT_EQ(last().version, FetchRequest::api.negotiable().max);
}

TEST_F(SessionTest, PartitionWithMuchUndeliveredIsLeftOut) {
  config.partition_max_bytes = 10'000;
  for (int i = 0; i < 10; ++i) brokers.at("t", 0).add({std::string(9000, 'x')});
  start_at("t", Position::earliest(), 2);
  host.run_for(seconds(3));  // nobody polls
  add(1, "b");
  host.run_for(seconds(1));
  EXPECT_FALSE(last().asked.contains({"t", 0}));
  std::size_t asked = 0;
  for (const SeenFetch& fetch : brokers.fetches) asked += fetch.asked.count({"t", 0});
  EXPECT_LE(asked, 4u);
  EXPECT_EQ(host.take(13).size(), 13u);
}

TEST_F(SessionTest, ThrottledAnswerHoldsTheNextRequestBack) {
  int throttles = 1;
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
    if (throttles-- <= 0) return true;
    response = {};
    response.throttle_time_ms = 2000;
    return true;
  };
  start_at("t", Position::offset(0));
  const auto polled = host.start_poll();
  host.run_for(milliseconds(1900));
  EXPECT_EQ(brokers.fetches.size(), 1u);
  host.run_for(milliseconds(500));
  EXPECT_EQ(polled->values(), (Strings{"a0"}));
}

TEST(FetchSessionEpoch, WrapsToOneAndNotToZero) {
  struct Nobody final : FetchSession::Owner {
    void on_fetched(FetchSession&, const Response&, Now) override {}
    void on_fetch_failed(FetchSession&, const Failure&, Now) override {}
  } nobody;
  FetchSession session(nobody, 1, std::make_shared<const ConsumerConfig>(), seconds(1),
                       Backoff(seconds(1), seconds(1)), std::make_shared<FramePool>(0));
  FetchResponse answer;
  answer.session_id = 5;
  EXPECT_EQ(session.take(answer), BrokerErrc::none);
  EXPECT_EQ(session.epoch(), 1);
  EXPECT_EQ(session.take(answer), BrokerErrc::none);
  EXPECT_EQ(session.epoch(), 2);
  session.set_epoch_for_test(std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(session.take(answer), BrokerErrc::none);
  EXPECT_EQ(session.epoch(), 1);
  answer.session_id = 0;  // the broker has ended it
  EXPECT_EQ(session.take(answer), BrokerErrc::none);
  EXPECT_EQ(session.epoch(), 0);
}

}  // namespace
}  // namespace tern::kafka
