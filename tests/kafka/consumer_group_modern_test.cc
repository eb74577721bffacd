// A member of a group of the consumer protocol (KIP-848): what its heartbeats say, and when.
#include <gtest/gtest.h>

#include "tests/kafka/group_rig.h"

namespace tern::kafka {
namespace {

using Strings = std::vector<std::string>;
using fake::SeenGroupRequest;

class ModernTest : public GroupTest {
 protected:
  ModernTest() {
    config.group_protocol = GroupProtocol::consumer;
    group.target = t({0, 1});
  }
  void join() { GroupTest::join(group.target); }
  std::vector<SeenGroupRequest> beats() const {
    std::vector<SeenGroupRequest> all;
    for (const auto& each : group.seen) {
      if (each.api == "beat") all.push_back(each);
    }
    return all;
  }
};

TEST_F(ModernTest, FirstHeartbeatSaysEverythingAndTheNextWhatHasBeenTaken) {
  join();
  const auto seen = beats();
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen[0].generation, 0);
  EXPECT_EQ(seen[0].member_id.size(), 22u);
  EXPECT_EQ(seen[0].topics, (Strings{"t"}));
  EXPECT_EQ(seen[0].owned, Partitions{});
  EXPECT_EQ(seen[0].rebalance_timeout_ms, 300'000);
  EXPECT_EQ(seen[1].generation, 1);
  EXPECT_EQ(seen[1].topics, std::nullopt);
  EXPECT_EQ(seen[1].owned, t({0, 1}));
  EXPECT_EQ(seen[1].rebalance_timeout_ms, -1);
  EXPECT_EQ(poll->values().size(), 6u);
  host.run_for(seconds(10));
  const auto later = beats();
  EXPECT_GE(later.size(), 5u);
  EXPECT_EQ(later.back().owned, std::nullopt);
  EXPECT_EQ(group.count("join"), 0u);
}

TEST_F(ModernTest, WhatGoesIsSaidToBeGoneOnlyWhenItIs) {
  join();
  poll->records.done();
  keep_done = true;
  next_poll();
  group.target = t({1, 2});
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  EXPECT_EQ(told[1], (Told{"revoked", t({0})}));
  const std::size_t before = beats().size();
  host.run_for(seconds(10));
  ASSERT_GT(beats().size(), before + 2);  // the heart goes on beating
  EXPECT_EQ(beats().back().owned, std::nullopt);
  keep_done = false;
  dones.clear();
  ASSERT_TRUE(run_until([&] { return beats().back().owned == t({1, 2}); }, seconds(1)));
  EXPECT_EQ(assigned(), t({1, 2}));
  EXPECT_EQ(stored(0), 3);
}

TEST_F(ModernTest, FencedMemberLosesItsPartitionsAndJoinsAnewUnderTheSameId) {
  join();
  const std::string id = identity().member_id;
  group.beat_errors = {BrokerErrc::fenced_member_epoch};
  ASSERT_TRUE(run_until([&] { return told.size() == 3; }));
  EXPECT_EQ(told[1], (Told{"lost", t({0, 1})}));
  EXPECT_EQ(told[2], (Told{"assigned", t({0, 1})}));
  EXPECT_EQ(identity().member_id, id);
  EXPECT_EQ(group.count("commit"), 0u);
}

TEST_F(ModernTest, CommitOfAStaleEpochIsStoredUnderTheNextOne) {
  join();
  group.commit_errors = {BrokerErrc::stale_member_epoch};
  const auto ended = commit(Offsets{{.topic = "t", .partition = 0, .offset = 2}});
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(stored(0), 2);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(ModernTest, LostAnswerIsFollowedByAHeartbeatThatSaysEverything) {
  join();
  group.hold = [](const auto& request) { return request.api == "beat"; };
  const std::size_t before = beats().size();
  ASSERT_TRUE(run_until([&] { return beats().size() > before; }));
  brokers.cut_connections(1);
  group.hold = nullptr;
  ASSERT_TRUE(run_until([&] { return beats().size() > before + 1; }));
  EXPECT_EQ(beats().back().topics, (Strings{"t"}));
  EXPECT_EQ(beats().back().owned, t({0, 1}));
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(ModernTest, OneHeartbeatAtATime) {
  join();
  group.hold = [](const auto& request) { return request.api == "beat"; };
  const std::size_t before = beats().size();
  host.run_for(seconds(20));
  EXPECT_EQ(beats().size(), before + 1);
}

TEST_F(ModernTest, TopicThatIsNotKnownByNameYetIsWaitedFor) {
  config.topics = {"late", "t"};
  brokers.add_topic("late", 1);
  bool hidden = true;
  brokers.edit_metadata = [&](MetadataResponse& response) {
    if (!hidden) return;
    for (const auto& each : response.topics) {
      if (each.name.view() != "late") continue;
      auto& topic = const_cast<MetadataResponse::MetadataResponseTopic&>(each);
      topic.error_code = static_cast<std::int16_t>(BrokerErrc::unknown_topic_or_partition);
      topic.topic_id = {};
      topic.partitions = {};
    }
  };
  group.target = {{"late", 0}, {"t", 0}};
  start();
  next_poll();
  ASSERT_TRUE(run_until([&] { return assigned() == t({0}); }));
  host.run_for(seconds(1));
  EXPECT_EQ(beats().back().owned.value_or(t({0})), t({0}));
  hidden = false;
  EXPECT_TRUE(run_until([&] { return assigned() == group.target; }));
}

// ----------------------------------------------------------------------------------- by a pattern

class PatternTest : public ModernTest {
 protected:
  PatternTest() {
    config.topics = {};
    config.topic_pattern = "t|late-.*";
    config.match_at_broker = true;
  }
  void subscribe(Strings topics, const std::string& text) {
    TopicPattern pattern;
    ASSERT_FALSE(TopicPattern::parse(text, pattern));
    host.consumer().subscribe(std::move(topics), pattern, host.engine().enter());
    next_poll();
  }
};

TEST_F(PatternTest, BrokerMatchesAndNamesOfItsTopicsAreAskedFor) {
  join();
  ASSERT_GE(beats().size(), 2u);
  EXPECT_EQ(beats()[0].topics, Strings{});
  EXPECT_EQ(beats()[0].pattern, "t|late-.*");
  EXPECT_EQ(beats()[1].pattern, std::nullopt);
  brokers.add_topic("late-1", 1);
  group.target = {{"late-1", 0}, {"t", 0}, {"t", 1}};
  ASSERT_TRUE(run_until([&] { return assigned() == group.target; }));
  EXPECT_EQ(beats().back().pattern, std::nullopt);
  EXPECT_FALSE(brokers.topics_listed);
}

TEST_F(PatternTest, TopicFoundByThePatternIsNotMadeAnewByBeingAskedFor) {
  join();
  brokers.edit_metadata = [](MetadataResponse& response) {
    for (const auto& each : response.topics) {
      auto& topic = const_cast<MetadataResponse::MetadataResponseTopic&>(each);
      topic.error_code = static_cast<std::int16_t>(BrokerErrc::unknown_topic_or_partition);
      topic.topic_id = {};
      topic.partitions = {};
    }
  };
  const int before = brokers.metadata_requests;
  for (int i = 0; i < 3; ++i) {
    host.engine().cluster().refresh(host.engine().enter());
    host.run_for(seconds(5));
    EXPECT_FALSE(brokers.creation_allowed);
  }
  EXPECT_GT(brokers.metadata_requests, before + 2);
}

TEST_F(PatternTest, ClientMatchesWhereTheBrokerCannot) {
  brokers.max_versions = {{68, 0}};
  join();
  EXPECT_EQ(beats()[0].topics, Strings{"t"});
  for (const auto& beat : beats()) EXPECT_EQ(beat.pattern, std::nullopt);
  EXPECT_TRUE(brokers.topics_listed);
  EXPECT_EQ(told, (std::vector<Told>{{"assigned", t({0, 1})}}));
}

TEST_F(PatternTest, ClientMatchesInAGroupThatIsClassicAfterAll) {
  config.group_protocol = GroupProtocol::automatic;
  brokers.max_versions = {{68, -1}};
  GroupTest::join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.count("join"), 2u);
  EXPECT_EQ(group.last("join").subscribed.begin()->second.topics, Strings{"t"});
}

TEST_F(PatternTest, MemberThatComesToAPatternStaysAMemberWhereTheBrokerCannot) {
  config.topics = {"t"};
  config.topic_pattern = {};
  brokers.max_versions = {{68, 0}};
  join();
  const std::string id = identity().member_id;
  brokers.add_topic("late-1", 1);
  subscribe({"t"}, "late-.*");
  ASSERT_TRUE(run_until([&] { return beats().back().topics == Strings{"late-1", "t"}; }));
  EXPECT_EQ(identity().member_id, id);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(PatternTest, PatternThatIsGivenUpIsTakenBackEvenIfThatHasToBeSaidTwice) {
  join();
  group.hold = [](const auto& request) { return request.api == "beat"; };
  const std::size_t before = beats().size();
  subscribe({"t"}, "");
  ASSERT_TRUE(run_until([&] { return beats().size() > before; }));
  brokers.cut_connections(1);
  group.hold = nullptr;
  ASSERT_TRUE(run_until([&] { return beats().size() > before + 1; }));
  EXPECT_EQ(beats().back().topics, Strings{"t"});
  EXPECT_EQ(beats().back().pattern, "");
  host.run_for(seconds(10));
  EXPECT_EQ(beats().back().pattern, std::nullopt);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(PatternTest, PatternThatTheBrokerDoesNotUnderstandIsTold) {
  group.beat_errors = {BrokerErrc::invalid_regular_expression};
  start();
  EXPECT_EQ(host.poll()->failure.code, BrokerErrc::invalid_regular_expression);
  EXPECT_EQ(host.take(6).size(), 6u);
}

// ----------------------------------------------------------------------------------------- refused

TEST_F(ModernTest, UnreleasedInstanceAndOthersAreToldAndTriedAgainByTheNextPoll) {
  config.instance_id = "i";
  group.beat_errors = {BrokerErrc::unreleased_instance_id, BrokerErrc::unsupported_assignor};
  start();
  EXPECT_EQ(host.poll()->failure.code, BrokerErrc::unreleased_instance_id);
  EXPECT_EQ(host.poll()->failure.code, BrokerErrc::unsupported_assignor);
  EXPECT_EQ(host.take(6).size(), 6u);
}

TEST_F(ModernTest, LeavesAfterItHasGivenUpWhatItHas) {
  join();
  poll->records.done();
  keep_done = true;
  const auto closed = close(seconds(10));
  host.run_for(seconds(1));
  EXPECT_GT(beats().back().generation, 0);
  dones.clear();
  ASSERT_TRUE(run_until([&] { return beats().back().generation == -1; }, seconds(1)));
  EXPECT_EQ(stored(1), 3);
  EXPECT_TRUE(run_until([&] { return closed->done; }));
}

TEST_F(ModernTest, StaticMemberLeavesForNow) {
  config.instance_id = "i";
  join();
  poll->records.done();
  const auto closed = close(seconds(10));
  ASSERT_TRUE(run_until([&] { return closed->done; }));
  EXPECT_EQ(beats().back().generation, -2);
  EXPECT_EQ(beats().back().instance_id, "i");
}

TEST_F(ModernTest, BrokerWithoutTheProtocolIsAClearError) {
  brokers.max_versions = {{68, -1}};
  start();
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, ClientErrc::unsupported_version);
  EXPECT_NE(polled->failure.message().find("ConsumerGroupHeartbeat"), std::string::npos)
      << polled->failure.message();
}

TEST_F(ModernTest, AutomaticFallsBackToTheClassicProtocol) {
  config.group_protocol = GroupProtocol::automatic;
  brokers.max_versions = {{68, -1}};
  GroupTest::join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.count("join"), 2u);
  EXPECT_EQ(poll->values().size(), 12u);
}

}  // namespace
}  // namespace tern::kafka
