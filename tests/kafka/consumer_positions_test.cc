// From where a consumer reads: first offsets, seeks, resets, leaders that move, logs that are cut
// back.
#include <gtest/gtest.h>

#include "tests/kafka/consumer_rig.h"
#include "tests/kafka/fake_brokers.h"

namespace tern::kafka {
namespace {

using fake::FakePartition;
using fake::PartitionName;
using fake::SeenFetch;
using Strings = std::vector<std::string>;

class PositionsTest : public ConsumerTest {
 protected:
  PositionsTest() : ConsumerTest(2) {
    brokers.add_topic("t");
    brokers.at("t").add({"a", "b", "c"});
  }
  // Another node leads, with the next epoch.
  void move_leader(std::int32_t node, const std::string& topic = "t") {
    brokers.at(topic).leader = node;
    ++brokers.at(topic).leader_epoch;
    brokers.changed();
  }
  static void set_error(FetchResponse& response, BrokerErrc error) {
    for (auto& topic : response.responses) {
      for (auto& data : topic.partitions) {
        auto& out = const_cast<FetchResponse::PartitionData&>(data);
        out.error_code = static_cast<std::int16_t>(error);
        out.records = {};
      }
    }
  }
  static bool has_records(const FetchResponse& response) {
    for (const auto& topic : response.responses) {
      for (const auto& data : topic.partitions) {
        if (!data.records.empty() || data.error_code != 0) return true;
      }
    }
    return response.error_code != 0;
  }
};

// ----------------------------------------------------------------------------- first positions

TEST_F(PositionsTest, LatestSkipsWhatIsThere) {
  start_at("t", Position::latest());
  const auto polled = host.start_poll();
  host.run_for(seconds(1));
  EXPECT_FALSE(polled->done);
  EXPECT_EQ(host.position("t"), 3);
  brokers.at("t").add({"d"});
  brokers.changed();
  host.run_for(seconds(1));
  EXPECT_EQ(polled->values(), (Strings{"d"}));
}

TEST_F(PositionsTest, TimestampFindsItsRecordAndElseTheEnd) {
  brokers.at("t").offset_for_time[500] = 2;
  start_at("t", Position::timestamp(500));
  EXPECT_EQ(host.take(1), (Strings{"c"}));
  host.seek("t", 0, Position::timestamp(501));  // nothing is that young
  const auto polled = host.start_poll();
  host.run_for(seconds(1));
  EXPECT_FALSE(polled->done);
  EXPECT_EQ(host.position("t"), 3);
}

TEST_F(PositionsTest, OffsetsOfManyPartitionsAreAskedForTogether) {
  brokers.add_topic("many", 100);
  for (int i = 0; i < 100; ++i) brokers.at("many", i).add({"x"});
  start_at("many", Position::earliest(), 100);
  EXPECT_EQ(host.take(100).size(), 100u);
  EXPECT_EQ(brokers.list_offsets_requests, 1);
}

TEST_F(PositionsTest, LookupIsRepeatedOverPassingErrors) {
  int errors = 3;
  brokers.list_offsets_error = [&](const PartitionName&) {
    return errors-- > 0 ? BrokerErrc::leader_not_available : BrokerErrc::none;
  };
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
}

TEST_F(PositionsTest, UnknownTopicIsReportedOnceAndWaitedFor) {
  start_at("nowhere", Position::earliest());
  auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::unknown_topic);
  EXPECT_NE(polled->failure.message().find("\"nowhere\""), std::string::npos);
  polled = host.start_poll();
  host.run_for(seconds(30));
  EXPECT_FALSE(polled->done);
  brokers.add_topic("nowhere");
  brokers.at("nowhere").add({"x"});
  host.run_for(seconds(10));
  EXPECT_EQ(polled->values(), (Strings{"x"}));
}

// As a broker looks that has just come back and has not heard of its topics yet.
TEST_F(PositionsTest, ATopicThatWasThereIsMissedOnlyAfterAWhile) {
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
  auto away = brokers.topics.extract("t");
  brokers.changed();
  auto polled = host.start_poll();
  host.run_for(seconds(20));
  EXPECT_FALSE(polled->done);
  brokers.topics.insert(std::move(away));
  brokers.at("t").add({"d"});
  brokers.changed();
  host.run_for(seconds(10));
  EXPECT_EQ(polled->values(), (Strings{"d"}));
  brokers.topics.erase("t");
  brokers.changed();
  polled = host.start_poll();
  host.run_for(seconds(45));
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::unknown_topic);
}

TEST_F(PositionsTest, UnknownTopicIsReportedForAFixedOffsetToo) {
  start_at("nowhere", Position::offset(5));
  EXPECT_EQ(host.poll()->failure.code, ClientErrc::unknown_topic);
}

TEST_F(PositionsTest, UnknownPartitionIsReported) {
  config.assignment = {{"t", 7, Position::earliest()}};
  start();
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, ClientErrc::unknown_partition);
  EXPECT_NE(polled->failure.message().find("no partition 7"), std::string::npos)
      << polled->failure.message();
}

TEST_F(PositionsTest, TopicThatShowsUpLateIsNoError) {
  start_at("late", Position::earliest());
  const auto polled = host.start_poll();
  host.run_for(milliseconds(300));
  brokers.add_topic("late");
  brokers.at("late").add({"x"});
  host.run_for(seconds(5));
  ASSERT_TRUE(polled->done);
  EXPECT_FALSE(polled->failure) << polled->failure.message();
}

TEST_F(PositionsTest, BrokersThatCannotBeReachedAreReportedOnce) {
  config.assignment = {{"t", 0, Position::earliest()}};
  host.start({"b1:1", "b2:1"}, config);  // nobody listens there
  auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::no_broker);
  EXPECT_NE(polled->failure.message().find("b1:1"), std::string::npos) << polled->failure.message();
  polled = host.start_poll();
  host.run_for(seconds(60));
  EXPECT_FALSE(polled->done);
}

TEST_F(PositionsTest, OutageThatNoPollMetIsNotReported) {
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
  for (const std::int32_t node : {1, 2}) brokers.set_up(node, false);
  host.run_for(seconds(120));
  const auto polled = host.start_poll();
  for (const std::int32_t node : {1, 2}) brokers.set_up(node, true);
  brokers.at("t").add({"d"});
  host.run_for(seconds(10));
  EXPECT_FALSE(polled->failure) << polled->failure.message();
  EXPECT_EQ(polled->values(), (Strings{"d"}));
}

// ------------------------------------------------------------------------------ seek and pause

TEST_F(PositionsTest, SeekThrowsAwayWhatWasFetchedAndWhatIsOnItsWay) {
  int answers = 0;
  bool hold = true;
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
    if (!has_records(response)) return false;
    ++answers;
    return !hold;
  };
  start_at("t", Position::earliest());
  host.run_for(seconds(1));  // a fetch at 0 waits
  host.seek("t", 0, Position::offset(2));
  hold = false;
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"c"}));
  host.seek("t", 0, Position::offset(0));
  host.run_for(seconds(1));  // fetched by now
  host.seek("t", 0, Position::offset(1));
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
}

TEST_F(PositionsTest, DataFetchedBeforeAPauseIsDroppedByASeekWhilePaused) {
  start_at("t", Position::earliest());
  host.run_for(seconds(1));
  host.consumer().set_paused({"t", 0}, true);
  host.seek("t", 0, Position::offset(2));
  host.consumer().set_paused({"t", 0}, false);
  EXPECT_EQ(host.take(1), (Strings{"c"}));
}

TEST_F(PositionsTest, PausedPartitionIsNotHandedOutAndKeepsItsPosition) {
  start_at("t", Position::earliest());
  host.run_for(seconds(1));
  host.consumer().set_paused({"t", 0}, true);
  const auto polled = host.start_poll();
  host.run_for(seconds(5));
  EXPECT_FALSE(polled->done);
  host.consumer().set_paused({"t", 0}, false);
  host.run_for(seconds(1));
  EXPECT_EQ(polled->values(), (Strings{"a", "b", "c"}));
}

TEST_F(PositionsTest, ResumeOfWhatIsNotPausedDoesNotRewind) {
  start_at("t", Position::earliest());
  host.take(3);
  host.consumer().set_paused({"t", 0}, false);
  brokers.at("t").add({"d"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"d"}));
}

TEST_F(PositionsTest, AssignmentThatStaysGoesOnAndOneThatComesBackStartsAnew) {
  brokers.add_topic("u");
  brokers.at("u").add({"x"});
  start_at("t", Position::earliest());
  host.take(3);
  host.assign({{"t", 0, Position::earliest()}, {"u", 0, Position::earliest()}});
  EXPECT_EQ(host.take(1), (Strings{"x"}));
  host.assign({{"u", 0, Position::earliest()}});
  host.assign({{"t", 0, Position::earliest()}, {"u", 0, Position::earliest()}});
  EXPECT_EQ(host.take(3), (Strings{"a", "b", "c"}));
}

TEST_F(PositionsTest, DataOfAnAssignmentThatWasTakenAwayIsNotHandedOut) {
  brokers.add_topic("u");
  brokers.at("u").add({"x"});
  start_at("t", Position::earliest());
  host.run_for(seconds(1));  // fetched
  host.assign({{"u", 0, Position::earliest()}});
  EXPECT_EQ(host.take(1), (Strings{"x"}));
  EXPECT_FALSE(host.consumer().board()->find({"t", 0}));
}

TEST_F(PositionsTest, AssignmentsThatMakeNoSenseAreRefused) {
  start();
  std::vector<ConsumerBoard::Gauge> gauges;
  ConsumerBoard& board = *host.consumer().board();
  EXPECT_EQ(board.assign({{"", 0, {}}}, gauges).code, ClientErrc::invalid_argument);
  EXPECT_EQ(board.assign({{"t", -1, {}}}, gauges).code, ClientErrc::invalid_argument);
  EXPECT_EQ(board.assign({{"t", 1, {}}, {"t", 1, {}}}, gauges).code, ClientErrc::invalid_argument);
  EXPECT_EQ(board.assign({{"t", 1, Position::offset(-1)}}, gauges).code,
            ClientErrc::invalid_argument);
}

// -------------------------------------------------------------------------------- out of range

TEST_F(PositionsTest, OutOfRangeWithoutResetIsReportedAndCanBeSought) {
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::offset(99));
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, ClientErrc::offset_out_of_range);
  EXPECT_NE(polled->failure.message().find("t-0"), std::string::npos);
  EXPECT_NE(polled->failure.message().find("99"), std::string::npos);
  EXPECT_EQ(host.position("t"), 99);
  host.run_for(seconds(5));
  EXPECT_EQ(brokers.fetches.size(), 1u);
  host.seek("t", 0, Position::offset(1));
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
}

TEST_F(PositionsTest, OutOfRangeResetsToTheBeginningOrTheEnd) {
  start_at("t", Position::offset(99));
  EXPECT_EQ(host.take(3), (Strings{"a", "b", "c"}));
}

TEST_F(PositionsTest, OutOfRangeOfAnOldPositionIsIgnored) {
  bool hold = true;
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
    return has_records(response) && !hold;
  };
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::offset(99));
  host.run_for(seconds(1));
  host.seek("t", 0, Position::offset(1));
  hold = false;
  brokers.changed();
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
}

TEST_F(PositionsTest, PassingErrorsNeverMoveThePosition) {
  for (const BrokerErrc error :
       {BrokerErrc::not_leader_or_follower, BrokerErrc::leader_not_available,
        BrokerErrc::replica_not_available, BrokerErrc::kafka_storage_error,
        BrokerErrc::fenced_leader_epoch, BrokerErrc::unknown_leader_epoch,
        BrokerErrc::offset_not_available, BrokerErrc::unknown_topic_or_partition,
        BrokerErrc::unknown_topic_id, BrokerErrc::inconsistent_topic_id,
        BrokerErrc::unknown_server_error, BrokerErrc::request_timed_out}) {
    SCOPED_TRACE(static_cast<int>(error));
    sim::World own{1};
    sim::Fabric paths{own, sim::FaultPlan::none()};
    fake::FakeBrokers nodes(own, paths, 1);
    nodes.add_topic("t");
    nodes.at("t").add({"a", "b"});
    int errors = 3;
    nodes.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
      if (errors > 0) {
        --errors;
        set_error(response, error);
      }
      return has_records(response);
    };
    ConsumerHost reader(own, paths);
    ConsumerConfig plain;
    plain.assignment = {{"t", 0, Position::offset(1)}};
    plain.offset_reset = OffsetReset::none;
    reader.start(nodes.bootstrap(), plain);
    auto polled = reader.start_poll();
    own.run_until([&] { return polled->done; }, seconds(30));
    EXPECT_FALSE(polled->failure) << polled->failure.message();
    EXPECT_EQ(polled->values(), (Strings{"b"}));
    EXPECT_EQ(nodes.list_offsets_requests, 0);
    EXPECT_GE(own.time().time_since_epoch() - Time{}.time_since_epoch(), milliseconds(200));
  }
}

TEST_F(PositionsTest, ErrorsThatDoNotPassAreReported) {
  for (const BrokerErrc error :
       {BrokerErrc::corrupt_message, BrokerErrc::topic_authorization_failed,
        BrokerErrc::invalid_request}) {
    SCOPED_TRACE(static_cast<int>(error));
    sim::World own{1};
    sim::Fabric paths{own, sim::FaultPlan::none()};
    fake::FakeBrokers nodes(own, paths, 1);
    nodes.add_topic("t");
    nodes.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
      set_error(response, error);
      return true;
    };
    ConsumerHost reader(own, paths);
    ConsumerConfig plain;
    plain.assignment = {{"t", 0, Position::offset(1)}};
    reader.start(nodes.bootstrap(), plain);
    auto polled = reader.start_poll();
    own.run_until([&] { return polled->done; }, seconds(30));
    EXPECT_EQ(polled->failure.code, make_error_code(error));
    own.run_for(seconds(10));
    EXPECT_EQ(nodes.fetches.size(), 1u);
  }
}

// ------------------------------------------------------------------------------- other leaders

TEST_F(PositionsTest, FollowsALeaderThatMoves) {
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
  brokers.at("t").epoch_end = {0, 3};
  move_leader(2);
  brokers.at("t").add({"d"});
  EXPECT_EQ(host.take(1), (Strings{"d"}));
  EXPECT_EQ(brokers.fetches.back().node, 2);
  EXPECT_EQ(brokers.epoch_requests, 1);
  ASSERT_EQ(brokers.epochs_asked.size(), 1u);
  EXPECT_EQ(brokers.epochs_asked[0].leader_epoch, 0);
  EXPECT_EQ(brokers.epochs_asked[0].current_leader_epoch, 1);
  EXPECT_EQ(brokers.fetches.back().asked.at({"t", 0}).current_leader_epoch, 1);
}

TEST_F(PositionsTest, LeaderHintInTheAnswerSparesTheMetadata) {
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {0, 3};
  brokers.edit_fetch = [&](const SeenFetch& seen, FetchResponse& response, wire::Arena&) {
    for (auto& topic : response.responses) {
      for (auto& data : topic.partitions) {
        auto& out = const_cast<FetchResponse::PartitionData&>(data);
        if (out.error_code == 6 && seen.node == 1) out.current_leader = {2, 1};
      }
    }
    return has_records(response);
  };
  const int before = brokers.metadata_requests;
  move_leader(2);
  brokers.at("t").add({"d"});
  EXPECT_EQ(host.take(1), (Strings{"d"}));
  EXPECT_EQ(brokers.metadata_requests, before);
}

TEST_F(PositionsTest, TruncationWithoutResetIsReported) {
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {0, 2};  // the new leader had only two of the three records
  brokers.at("t").batches.clear();
  brokers.at("t").end = 2;
  move_leader(2);
  brokers.at("t").add({"other c", "d", "e"});
  auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::log_truncated);
  EXPECT_NE(polled->failure.message().find("offset 2"), std::string::npos)
      << polled->failure.message();
  EXPECT_EQ(host.position("t"), 3);
  host.seek("t", 0, Position::offset(2));
  EXPECT_EQ(host.take(3), (Strings{"other c", "d", "e"}));
}

TEST_F(PositionsTest, TruncationWithResetGoesOnAtTheCut) {
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {0, 2};
  brokers.at("t").batches.clear();
  brokers.at("t").end = 2;
  move_leader(2);
  brokers.at("t").add({"other c", "d"});
  EXPECT_EQ(host.take(2), (Strings{"other c", "d"}));
}

TEST_F(PositionsTest, TruncationOfWhatWasNotHandedOutIsNotNoticed) {
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::earliest());
  host.run_for(seconds(1));  // fetched, not polled
  brokers.at("t").epoch_end = {0, 0};
  brokers.at("t").batches.clear();
  brokers.at("t").end = 0;
  move_leader(2);
  brokers.at("t").add({"other a"});
  host.run_for(seconds(2));
  EXPECT_EQ(host.take(1), (Strings{"other a"}));
}

TEST_F(PositionsTest, UndefinedEpochEndIsNoLoss) {
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {-1, -1};
  move_leader(2);
  brokers.at("t").add({"d"});
  EXPECT_EQ(host.take(1), (Strings{"d"}));
}

TEST_F(PositionsTest, TroubleWithValidationNeverMovesThePosition) {
  config.offset_reset = OffsetReset::latest;
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {0, 3};
  int errors = 4;
  brokers.epoch_error = [&](const PartitionName&) {
    return errors-- > 0 ? BrokerErrc::unknown_server_error : BrokerErrc::none;
  };
  move_leader(2);
  brokers.at("t").add({"d"});
  brokers.cut_connections(2);
  EXPECT_EQ(host.take(1), (Strings{"d"}));
  EXPECT_GE(brokers.epoch_requests, 4);
}

TEST_F(PositionsTest, LeaderThatMovesDuringValidationNeitherLoopsNorRepeats) {
  start_at("t", Position::earliest());
  host.take(3);
  brokers.at("t").epoch_end = {0, 3};
  int moves = 0;
  brokers.epoch_error = [&](const PartitionName&) {
    if (moves++ > 0) return BrokerErrc::none;
    move_leader(1);
    return BrokerErrc::not_leader_or_follower;
  };
  move_leader(2);
  brokers.at("t").add({"d"});
  EXPECT_EQ(host.take(1), (Strings{"d"}));
  EXPECT_LE(brokers.epoch_requests, 4);
}

TEST_F(PositionsTest, BrokersThatKnowNoEpochsAreReadAllTheSame) {
  brokers.max_epoch_version = -1;
  start_at("t", Position::earliest());
  host.take(3);
  move_leader(2);
  brokers.at("t").add({"d"});
  EXPECT_EQ(host.take(1), (Strings{"d"}));
}

TEST_F(PositionsTest, DivergingEpochInAnAnswerIsATruncation) {
  config.offset_reset = OffsetReset::none;
  start_at("t", Position::earliest());
  host.take(3);
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena&) {
    for (auto& topic : response.responses) {
      for (auto& data : topic.partitions) {
        const_cast<FetchResponse::PartitionData&>(data).diverging_epoch = {0, 1};
      }
    }
    return true;
  };
  brokers.changed();
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, ClientErrc::log_truncated);
}

TEST_F(PositionsTest, TopicCreatedAnewIsReadByTheResetPolicy) {
  start_at("t", Position::earliest());
  host.take(3);
  brokers.topics.at("t") = {};
  fake::FakeTopic& anew = brokers.topics.at("t");
  anew.id.bytes.fill(99);
  anew.partitions[0].add({"new a"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"new a"}));
}

// ----------------------------------------------------------------------------------- followers

class FollowerTest : public PositionsTest {
 protected:
  FollowerTest() { config.rack = "here"; }
  // Node 1 leads and sends readers to `replica`; node 2 serves.
  void offer(std::int32_t replica) {
    brokers.edit_fetch = [this, replica](const SeenFetch& seen, FetchResponse& response,
                                         wire::Arena&) {
      if (seen.node == 2) return at_follower ? at_follower(response) : has_records(response);
      if (response.responses.empty() || offers-- <= 0) return has_records(response);
      auto& data = const_cast<FetchResponse::PartitionData&>(response.responses[0].partitions[0]);
      data.preferred_read_replica = replica;
      data.records = {};
      return true;
    };
  }
  std::size_t fetches_at(std::int32_t node) const {
    return static_cast<std::size_t>(
        std::count_if(brokers.fetches.begin(), brokers.fetches.end(),
                      [&](const SeenFetch& f) { return f.node == node; }));
  }
  int offers = 1;
  std::function<bool(FetchResponse&)> at_follower;
};

TEST_F(FollowerTest, ReadsFromTheOfferedReplica) {
  offer(2);
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
  EXPECT_EQ(brokers.fetches[0].rack, "here");
  EXPECT_EQ(brokers.fetches.at(1).node, 2);
  EXPECT_EQ(fetches_at(1), 1u);
}

TEST_F(FollowerTest, UnknownReplicaIsNoReasonToStop) {
  offer(77);
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3).size(), 3u);
  EXPECT_EQ(fetches_at(2), 0u);
}

TEST_F(FollowerTest, OutOfRangeAtAFollowerIsAskedAtTheLeader) {
  config.offset_reset = OffsetReset::none;
  offer(2);
  at_follower = [](FetchResponse& response) {
    set_error(response, BrokerErrc::offset_out_of_range);
    return true;
  };
  start_at("t", Position::offset(1));
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
  EXPECT_EQ(brokers.list_offsets_requests, 0);
}

TEST_F(FollowerTest, DeadReplicaIsLeftForTheLeader) {
  offer(2);
  at_follower = [](FetchResponse&) { return false; };
  start_at("t", Position::earliest());
  const auto polled = host.start_poll();
  host.run_for(seconds(2));
  EXPECT_FALSE(polled->done);
  brokers.cut_connections(2);
  host.run_for(seconds(2));
  EXPECT_EQ(polled->values(), (Strings{"a", "b", "c"}));
}

// ----------------------------------------------------------------------- questions and the end

TEST_F(PositionsTest, OffsetsForTimesBeginningsAndEnds) {
  brokers.at("t").start = 1;
  brokers.at("t").offset_for_time[500] = 2;
  start();
  const auto [failure, found] = host.find_offsets(
      {{{"t", 0}, 500}, {{"t", 0}, 501}, {{"t", 0}, kEarliestTime}, {{"t", 0}, kLatestTime}});
  EXPECT_FALSE(failure) << failure.message();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], (OffsetAndTime{"t", 0, 2, 500, 0}));
  EXPECT_EQ(found[1].offset, -1);
  EXPECT_EQ(found[2].offset, 1);
  EXPECT_EQ(found[3].offset, 3);
}

TEST_F(PositionsTest, OffsetQueryOfAnUnknownTopicFails) {
  start();
  EXPECT_EQ(host.find_offsets({{{"nowhere", 0}, kLatestTime}}).first.code,
            ClientErrc::unknown_topic);
  EXPECT_EQ(host.find_offsets({{{"t", 9}, kLatestTime}}).first.code, ClientErrc::unknown_partition);
}

TEST_F(PositionsTest, OffsetQueryEndsAtItsDeadline) {
  brokers.list_offsets_error = [](const PartitionName&) {
    return BrokerErrc::leader_not_available;
  };
  start();
  const auto [failure, found] = host.find_offsets({{{"t", 0}, kLatestTime}}, seconds(3));
  EXPECT_EQ(failure.code, ClientErrc::timed_out);
  EXPECT_NE(failure.message().find("t-0"), std::string::npos);
  EXPECT_EQ(host.find_offsets({}).first.code, std::error_code());
}

TEST_F(PositionsTest, OffsetThatIsNegativeIsRefused) {
  brokers.at("t").end = -7;
  start();
  EXPECT_EQ(host.find_offsets({{{"t", 0}, kLatestTime}}).first.code,
            ClientErrc::protocol_violation);
}

TEST_F(PositionsTest, SecondPollIsBusyAndTimeoutGivesNoRecords) {
  start_at("t", Position::latest());
  const auto first = host.start_poll(seconds(2));
  const auto second = host.start_poll();
  host.run_for(milliseconds(1500));
  EXPECT_FALSE(first->done);
  ASSERT_TRUE(second->done);
  EXPECT_EQ(second->failure.code, ClientErrc::busy);
  host.run_for(seconds(1));
  ASSERT_TRUE(first->done);
  EXPECT_FALSE(first->failure);
  EXPECT_TRUE(first->records.empty());
}

TEST_F(PositionsTest, CancelledPollLosesNothing) {
  start_at("t", Position::latest());
  const auto polled = host.start_poll(Duration::max(), 17);
  host.run_for(seconds(1));
  host.consumer().cancel(16);
  host.consumer().cancel(17);
  host.run_for(milliseconds(1));
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, std::errc::operation_canceled);
  brokers.at("t").add({"d"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"d"}));
}

TEST_F(PositionsTest, CloseEndsThePollAndTheSession) {
  start_at("t", Position::latest());
  const auto polled = host.start_poll();
  host.run_for(seconds(1));
  bool closed = false;
  const Now now = host.engine().enter();
  brokers.edit_fetch = [](const SeenFetch&, FetchResponse&, wire::Arena&) { return true; };
  host.consumer().close(now.mono + seconds(10), [&](const Failure& why) { closed = !why; }, now);
  brokers.changed();
  host.run_for(seconds(1));
  EXPECT_TRUE(closed);
  EXPECT_EQ(polled->failure.code, ClientErrc::closed);
  EXPECT_EQ(brokers.fetches.back().session_epoch, -1);
  EXPECT_NE(brokers.fetches.back().session_id, 0);
  EXPECT_EQ(host.poll()->failure.code, ClientErrc::closed);
  EXPECT_EQ(host.find_offsets({{{"t", 0}, kLatestTime}}).first.code, ClientErrc::closed);
}

TEST_F(PositionsTest, CloseIsOverByItsDeadlineWhateverTheBrokersDo) {
  brokers.edit_fetch = [](const SeenFetch&, FetchResponse&, wire::Arena&) { return false; };
  start_at("t", Position::earliest());
  host.run_for(seconds(1));
  bool closed = false;
  const Now now = host.engine().enter();
  host.consumer().close(now.mono + seconds(2), [&](const Failure&) { closed = true; }, now);
  host.run_for(milliseconds(1900));
  EXPECT_FALSE(closed);
  host.run_for(milliseconds(200));
  EXPECT_TRUE(closed);
}

TEST_F(PositionsTest, ClosingTheClientEndsEverythingOnce) {
  brokers.edit_fetch = [](const SeenFetch&, FetchResponse&, wire::Arena&) { return false; };
  start_at("t", Position::earliest());
  const auto polled = host.start_poll();
  host.run_for(seconds(1));
  host.engine().close(host.engine().enter());
  host.run_for(seconds(1));
  EXPECT_EQ(polled->failure.code, ClientErrc::closed);
  EXPECT_EQ(host.poll()->failure.code, ClientErrc::closed);
}

}  // namespace
}  // namespace tern::kafka
