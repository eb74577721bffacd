// A member of a classic group: joins, rebalances, troubles, the end. What the handlers are told and
// what the coordinator sees.
#include <gtest/gtest.h>

#include <algorithm>

#include "client/kafka/group_codec.h"
#include "tests/kafka/group_rig.h"

namespace tern::kafka {
namespace {

using Strings = std::vector<std::string>;

class MemberTest : public GroupTest {
 protected:
  MemberTest() { config.assignors = {"range"}; }
};

class CooperativeTest : public GroupTest {
 protected:
  CooperativeTest() { config.assignors = {"cooperative-sticky"}; }

  // In a group that another member leads.
  void follow(const Partitions& assignment) {
    group.leader = "other";
    group.assignment = assignment;
    join(assignment);
  }
  void rebalance_to(const Partitions& assignment) {
    group.assignment = assignment;
    group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  }
};

// ----------------------------------------------------------------------------------------- joining

TEST_F(MemberTest, FirstJoinIsToldItsMemberIdAndJoinsAgainWithIt) {
  join(t({0, 1, 2, 3}));
  ASSERT_EQ(group.count("join"), 2u);
  EXPECT_EQ(group.seen[0].member_id, "");
  EXPECT_EQ(group.seen[1].member_id, "m-1");
  EXPECT_EQ(group.seen[1].protocols, (Strings{"range"}));
  EXPECT_EQ(group.seen[1].subscribed.at("range").topics, (Strings{"t"}));
  EXPECT_EQ(group.seen[1].session_timeout_ms, 45'000);
  EXPECT_EQ(group.seen[1].rebalance_timeout_ms, 300'000);
  EXPECT_EQ(identity(), (MemberIdentity{"m-1", 1}));
  EXPECT_EQ(told, (std::vector<Told>{{"assigned", t({0, 1, 2, 3})}}));
}

TEST_F(MemberTest, OldBrokersGiveTheMemberIdWithTheFirstJoin) {
  brokers.max_versions = {{11, 3}, {14, 2}, {12, 2}, {13, 2}, {10, 2}, {8, 6}, {9, 5}};
  join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.count("join"), 1u);
  EXPECT_EQ(poll->values().size(), 12u);
  poll->records.done();
  const auto closed = close(seconds(5));
  EXPECT_TRUE(run_until([&] { return closed->done; }));
  EXPECT_EQ(group.last("leave").member_id, "m-1");
  EXPECT_EQ(stored(0), 3);
}

TEST_F(MemberTest, NothingHappensBeforeTheFirstPoll) {
  start();
  host.run_for(seconds(30));
  EXPECT_EQ(group.count("join"), 0u);
}

TEST_F(MemberTest, LeaderSharesOutWhatAllHaveAskedForAlsoTopicsThatOnlyOthersWant) {
  brokers.add_topic("theirs", 2);
  group.others = {other("z", {"t", "theirs"})};
  join(t({0, 1}));
  const auto& plan = group.last("sync").assigned;
  EXPECT_EQ(plan.at("m-1"), t({0, 1}));
  EXPECT_EQ(plan.at("z"), (Partitions{{"t", 2}, {"t", 3}, {"theirs", 0}, {"theirs", 1}}));
}

TEST_F(MemberTest, LeaderRejoinsWhenATopicGetsMorePartitionsEvenOneThatOnlyOthersWant) {
  host.client_config.metadata_max_age = seconds(10);
  brokers.add_topic("theirs", 1);
  group.others = {other("z", {"t", "theirs"})};
  join(t({0, 1}));
  next_poll();
  brokers.topics.at("theirs").partitions[1] = {};
  ASSERT_TRUE(run_until([&] { return group.generation == 2; }));
  ASSERT_TRUE(run_until([&] { return group.count("sync") == 2; }));
  const Partitions& theirs = group.last("sync").assigned.at("z");
  EXPECT_NE(std::find(theirs.begin(), theirs.end(), TopicPartition{"theirs", 1}), theirs.end());
}

TEST_F(MemberTest, FollowerDoesNotRejoinForTopicsThatChange) {
  host.client_config.metadata_max_age = seconds(10);
  group.leader = "other";
  group.assignment = t({2});
  join(t({2}));
  brokers.at("t", 0);
  brokers.topics.at("t").partitions[4] = {};
  host.run_for(seconds(60));
  EXPECT_EQ(group.generation, 1);
}

TEST_F(MemberTest, TopicsAreFoundByPatternAlsoLaterOnes) {
  host.client_config.metadata_max_age = seconds(10);
  config.topics = {};
  config.topic_pattern = "orders-.*";
  brokers.add_topic("orders-a", 1);
  brokers.add_topic("more-orders-a", 1);
  join({{"orders-a", 0}});
  brokers.add_topic("orders-b", 1);
  EXPECT_TRUE(
      run_until([&] { return assigned() == (Partitions{{"orders-a", 0}, {"orders-b", 0}}); }));
}

TEST_F(MemberTest, MemberByPatternJoinsOnceItKnowsWhatMatches) {
  config.topics = {};
  config.topic_pattern = "t|orders-.*";
  brokers.add_topic("orders-a", 1);
  join({{"orders-a", 0}, {"t", 0}, {"t", 1}, {"t", 2}, {"t", 3}});
  host.run_for(seconds(10));
  EXPECT_EQ(group.count("join"), 2u);  // without a member id, and with one
  for (const auto& each : group.seen) {
    for (const auto& [protocol, member] : each.subscribed) {
      EXPECT_EQ(member.topics, (Strings{"orders-a", "t"})) << protocol;
    }
  }
}

TEST_F(MemberTest, PatternTakesThePlaceOfNamesWhenItsTopicsAreKnown) {
  brokers.add_topic("orders-a", 1);
  join(t({0, 1, 2, 3}));
  const std::size_t joins = group.count("join");
  TopicPattern pattern;
  ASSERT_FALSE(TopicPattern::parse("orders-.*", pattern));
  host.consumer().subscribe({}, pattern, host.engine().enter());
  next_poll();
  ASSERT_TRUE(run_until([&] { return assigned() == Partitions{{"orders-a", 0}}; }));
  EXPECT_EQ(group.count("join"), joins + 1);
}

TEST_F(MemberTest, PatternThatMatchesNothingIsASubscriptionToo) {
  config.topics = {};
  config.topic_pattern = "none-.*";
  start();
  next_poll();
  ASSERT_TRUE(run_until([&] { return group.count("sync") == 1; }));
  brokers.add_topic("none-yet", 1);
  host.engine().cluster().refresh(host.engine().enter());
  EXPECT_TRUE(run_until([&] { return assigned() == Partitions{{"none-yet", 0}}; }));
}

TEST_F(MemberTest, SubscriptionCanChange) {
  brokers.add_topic("u", 1);
  join(t({0, 1, 2, 3}));
  host.consumer().subscribe({"u"}, {}, host.engine().enter());
  next_poll();
  EXPECT_TRUE(run_until([&] { return assigned() == Partitions{{"u", 0}}; }));
  host.consumer().subscribe({}, {}, host.engine().enter());
  EXPECT_TRUE(run_until([&] { return assigned().empty() && group.count("leave") == 1; }));
}

// Gives everything to the member with the last id, and counts in the user data.
class LastTakesAll final : public Assignor {
 public:
  std::string_view name() const override { return "last-takes-all"; }
  std::vector<std::byte> user_data(const HeldPartitions& held) const override {
    return {static_cast<std::byte>(held.partitions.size())};
  }
  GroupAssignment assign(std::span<const GroupMember> members,
                         std::span<const GroupTopic> topics) const override {
    GroupAssignment all(members.size());
    for (const GroupTopic& topic : topics) {
      for (std::int32_t p = 0; p < topic.partitions; ++p) all.back().push_back({topic.name, p});
    }
    return all;
  }
};

TEST_F(MemberTest, AssignorOfTheUsersIsBroughtFirst) {
  config.own_assignors = {std::make_shared<LastTakesAll>()};
  group.others = {other("z")};
  start();
  next_poll();
  ASSERT_TRUE(run_until([&] { return group.count("sync") == 1; }));
  EXPECT_EQ(group.last("join").protocols, (Strings{"last-takes-all", "range"}));
  EXPECT_EQ(group.last("sync").assigned.at("z"), t({0, 1, 2, 3}));
  group.others.clear();
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  ASSERT_TRUE(run_until([&] { return assigned().size() == 4; }));
  next_poll();
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  ASSERT_TRUE(run_until([&] { return group.generation == 3; }));
  const auto& mine = group.last("join").subscribed.at("last-takes-all");
  EXPECT_EQ(mine.user_data, std::vector<std::byte>{std::byte{4}});
}

// -------------------------------------------------------------------------------------- rebalances

TEST_F(MemberTest, EagerMemberStoresWhatIsFinishedAndGivesAllUpBeforeItRejoins) {
  join(t({0, 1, 2, 3}));
  ASSERT_TRUE(poll->done);
  poll->records.done();
  next_poll();
  group.others = {other("z")};
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  ASSERT_TRUE(run_until([&] { return assigned() == t({0, 1}); }));
  host.run_for(seconds(1));
  EXPECT_EQ(told, (std::vector<Told>{{"assigned", t({0, 1, 2, 3})},
                                     {"revoked", t({0, 1, 2, 3})},
                                     {"assigned", t({0, 1})}}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(stored(i), 3) << i;
  // Stored under the old generation, before the join.
  const auto commit_at = std::find_if(group.seen.begin(), group.seen.end(),
                                      [](const auto& each) { return each.api == "commit"; });
  ASSERT_NE(commit_at, group.seen.end());
  EXPECT_EQ(commit_at->generation, 1);
  EXPECT_EQ(std::count_if(group.seen.begin(), commit_at,
                          [](const auto& each) { return each.api == "join"; }),
            2);
  EXPECT_TRUE(group.last("join").subscribed.at("range").owned.empty());
}

TEST_F(MemberTest, HandOverWaitsForRecordsUntilTheApplicationPollsAgain) {
  join(t({0, 1, 2, 3}));
  ASSERT_TRUE(poll->done);
  group.others = {other("z")};
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  host.run_for(seconds(20));
  EXPECT_EQ(group.generation, 1);
  EXPECT_GT(group.count("heartbeat"), 3u);  // meanwhile
  poll->records.done();
  EXPECT_TRUE(run_until([&] { return group.generation == 2; }, seconds(1)));
}

TEST_F(MemberTest, HandOverWaitsForTheHandlerAndHeartbeatsGoOn) {
  join(t({0, 1, 2, 3}));
  keep_done = true;
  poll->records.done();
  next_poll();
  group.others = {other("z")};
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  const std::size_t before = group.count("heartbeat");
  host.run_for(seconds(30));
  EXPECT_EQ(group.generation, 1);
  EXPECT_GE(group.count("heartbeat"), before + 8);
  // Nothing is handed out that is about to go, but a last commit is in time.
  EXPECT_FALSE(poll->done);
  const auto last = commit(Offsets{{.topic = "t", .partition = 3, .offset = 2}});
  ASSERT_TRUE(run_until([&] { return last->done; }));
  EXPECT_FALSE(last->failure) << last->failure.message();
  dones.clear();
  EXPECT_TRUE(run_until([&] { return group.generation == 2; }, seconds(1)));
}

TEST_F(MemberTest, HandOverDoesNotWaitLongerThanTheGroupDoes) {
  config.max_poll_interval = seconds(40);
  join(t({0, 1, 2, 3}));
  keep_done = true;
  poll->records.done();
  next_poll();
  group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  host.run_for(seconds(29));
  EXPECT_EQ(group.generation, 1);
  host.run_for(seconds(2));
  EXPECT_EQ(group.generation, 2);
}

TEST_F(CooperativeTest, OnlyTheDifferenceIsGivenUpAndThenTheMemberJoinsAgain) {
  follow(t({0, 1, 2}));
  poll->records.done();
  rebalance_to(t({0, 1}));
  ASSERT_TRUE(run_until([&] { return group.generation == 2; }));
  next_poll();
  ASSERT_TRUE(run_until([&] { return group.generation == 3; }, seconds(1)));
  host.run_for(milliseconds(100));
  EXPECT_EQ(assigned(), t({0, 1}));
  EXPECT_EQ(told, (std::vector<Told>{{"assigned", t({0, 1, 2})}, {"revoked", t({2})}}));
  const auto& joins = group.seen;
  std::vector<Partitions> owned;
  std::vector<std::int32_t> generations;
  for (const auto& each : joins) {
    if (each.api != "join" || each.member_id.empty()) continue;
    owned.push_back(each.subscribed.at("cooperative-sticky").owned);
    generations.push_back(each.subscribed.at("cooperative-sticky").generation);
  }
  EXPECT_EQ(owned, (std::vector<Partitions>{{}, t({0, 1, 2}), t({0, 1})}));
  EXPECT_EQ(generations, (std::vector<std::int32_t>{-1, 1, 2}));
}

TEST_F(CooperativeTest, PartitionsThatStayAreReadDuringTheRebalance) {
  follow(t({0, 1}));
  poll->records.done();
  group.hold = [](const auto& request) { return request.api == "join"; };
  rebalance_to(t({0, 1}));
  ASSERT_TRUE(
      run_until([&] { return group.last("join").generation == -1 && group.count("join") == 3; }));
  brokers.at("t", 0).add({"during"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"during"}));
  // JoinGroup blocks nothing but itself: offsets can be stored meanwhile.
  const auto stored_now = commit(std::nullopt);
  EXPECT_TRUE(run_until([&] { return stored_now->done; }, seconds(5)));
  EXPECT_FALSE(stored_now->failure) << stored_now->failure.message();
  group.hold = nullptr;
  brokers.changed();
  EXPECT_TRUE(run_until([&] { return group.generation == 2; }, seconds(5)));
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(CooperativeTest, RevokedPartitionsAreNotHandedOutAnyMore) {
  config.partition_max_bytes = 1;
  follow(t({0}));
  poll->records.done();
  keep_done = true;
  rebalance_to({});
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  brokers.at("t", 0).add({"late"});
  brokers.changed();
  next_poll();
  host.run_for(seconds(2));
  EXPECT_FALSE(poll->done);
  dones.clear();
  ASSERT_TRUE(run_until([&] { return assigned().empty(); }));
  EXPECT_EQ(host.consumer().held_bytes(), 0u);
}

TEST_F(CooperativeTest, CommitOfAnOldGenerationDoesNotCostTheAssignment) {
  follow(t({0, 1}));
  group.hold = [](const auto& request) { return request.api == "join"; };
  rebalance_to(t({0, 1}));
  ASSERT_TRUE(run_until([&] { return group.count("join") == 3; }));
  group.commit_errors = {BrokerErrc::illegal_generation};
  poll->records.done();
  const auto ended = commit(std::nullopt);
  ASSERT_TRUE(run_until([&] { return group.count("commit") == 1; }));
  group.hold = nullptr;
  brokers.changed();
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(group.last("commit").generation, 2);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(CooperativeTest, WithAnEagerAssignorAmongThemAMemberIsEager) {
  config.assignors = {"range", "cooperative-sticky"};
  follow(t({0, 1}));
  poll->records.done();
  next_poll();
  group.protocol = "cooperative-sticky";
  rebalance_to(t({0, 1}));
  ASSERT_TRUE(run_until([&] { return group.generation == 2 && assigned() == t({0, 1}); }));
  EXPECT_EQ(told[1], (Told{"revoked", t({0, 1})}));
}

// --------------------------------------------------------------------------------------- troubles

TEST_F(MemberTest, UnknownMemberLosesItsPartitionsAndStoresNothing) {
  config.auto_commit_interval = seconds(1000);
  join(t({0, 1, 2, 3}));
  poll->records.done();
  next_poll();
  group.next_member_id = "m-2";
  group.heartbeat_errors = {BrokerErrc::unknown_member_id};
  ASSERT_TRUE(run_until([&] { return identity().member_id == "m-2" && !assigned().empty(); }));
  host.run_for(seconds(1));
  EXPECT_EQ(told[1], (Told{"lost", t({0, 1, 2, 3})}));
  EXPECT_EQ(told[2], (Told{"assigned", t({0, 1, 2, 3})}));
  EXPECT_EQ(group.count("commit"), 0u);
}

TEST_F(CooperativeTest, IllegalGenerationKeepsTheMemberIdAndLosesThePartitions) {
  follow(t({0, 1}));
  group.heartbeat_errors = {BrokerErrc::illegal_generation};
  ASSERT_TRUE(run_until([&] { return group.generation == 2; }));
  EXPECT_EQ(group.last("join").member_id, "m-1");
  EXPECT_TRUE(group.last("join").subscribed.at("cooperative-sticky").owned.empty());
  EXPECT_EQ(told[1], (Told{"lost", t({0, 1})}));
}

TEST_F(MemberTest, CoordinatorThatMovesIsFoundAgainAndTheMemberStaysTheSame) {
  join(t({0, 1, 2, 3}));
  poll->records.done();
  group.coordinator = 2;
  host.run_for(seconds(10));
  EXPECT_EQ(group.last("heartbeat").node, 2);
  EXPECT_EQ(group.last("heartbeat").member_id, "m-1");
  EXPECT_EQ(group.generation, 1);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(MemberTest, CoordinatorThatLoadsOrIsNotThereIsAskedAgain) {
  group.find_errors = {BrokerErrc::coordinator_not_available};
  group.join_errors = {BrokerErrc::coordinator_load_in_progress, BrokerErrc::not_coordinator};
  join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.find_requests, 3);
}

TEST_F(MemberTest, LostAnswerToAJoinIsAskedForAgainWithTheSameMemberId) {
  group.hold = [&](const auto& request) {
    return request.api == "join" && !request.member_id.empty();
  };
  start();
  next_poll();
  ASSERT_TRUE(run_until([&] { return group.count("join") == 2; }));
  brokers.cut_connections(1);
  group.hold = nullptr;
  ASSERT_TRUE(run_until([&] { return !assigned().empty(); }));
  EXPECT_EQ(group.last("join").member_id, "m-1");
}

TEST_F(MemberTest, AnotherRoundThatBeginsDuringTheSyncIsJoinedAtOnce) {
  group.sync_errors = {BrokerErrc::rebalance_in_progress};
  join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.generation, 2);
}

TEST_F(MemberTest, FencedInstanceIsToldForGood) {
  config.instance_id = "i";
  join(t({0, 1, 2, 3}));
  poll->records.done();
  group.heartbeat_errors = {BrokerErrc::fenced_instance_id};
  for (int i = 0; i < 2; ++i) {
    const auto again = host.poll(seconds(30));
    while (again->done && !again->failure && !again->records.empty()) again->records.done();
    const auto polled = again->failure ? again : host.poll(seconds(30));
    EXPECT_EQ(polled->failure.code, ClientErrc::fenced) << polled->failure.message();
    EXPECT_NE(polled->failure.message().find("\"i\""), std::string::npos);
  }
  EXPECT_EQ(told.back().what, "lost");
  const std::size_t before = group.seen.size();
  host.run_for(seconds(60));
  EXPECT_EQ(group.seen.size(), before);
}

TEST_F(MemberTest, StaticMemberNamesItsInstanceAndDoesNotLeave) {
  config.instance_id = "i";
  join(t({0, 1, 2, 3}));
  EXPECT_EQ(group.count("join"), 1u);  // brokers know who it is
  host.run_for(seconds(4));
  poll->records.done();
  const auto closed = close(seconds(5));
  ASSERT_TRUE(run_until([&] { return closed->done; }, seconds(5)));
  for (const char* api : {"join", "sync", "heartbeat", "commit"}) {
    EXPECT_EQ(group.last(api).instance_id, "i") << api;
  }
  EXPECT_EQ(group.count("leave"), 0u);
}

TEST_F(MemberTest, StaticLeaderThatCameBackIsToldToKeepTheAssignment) {
  config.instance_id = "i";
  group.skip_assignment = true;
  group.assignment = t({1});
  join(t({1}));
  EXPECT_TRUE(group.last("sync").assigned.empty());
}

TEST_F(MemberTest, RefusalsThatTryingAgainDoesNotHelpAreToldAndTriedAgainByTheNextPoll) {
  for (const BrokerErrc error :
       {BrokerErrc::group_authorization_failed, BrokerErrc::inconsistent_group_protocol,
        BrokerErrc::invalid_session_timeout, BrokerErrc::group_max_size_reached}) {
    group.join_errors.push_back(error);
  }
  start();
  for (const BrokerErrc error :
       {BrokerErrc::group_authorization_failed, BrokerErrc::inconsistent_group_protocol,
        BrokerErrc::invalid_session_timeout, BrokerErrc::group_max_size_reached}) {
    const auto polled = host.poll();
    EXPECT_EQ(polled->failure.code, error) << polled->failure.message();
    EXPECT_NE(polled->failure.message().find("group \"g\""), std::string::npos);
    const std::size_t joins = group.count("join");
    host.run_for(seconds(10));
    EXPECT_EQ(group.count("join"), joins);
  }
  EXPECT_EQ(host.take(12).size(), 12u);
}

TEST_F(MemberTest, NoPermissionToFindTheCoordinatorIsTold) {
  group.find_errors.assign(1, BrokerErrc::group_authorization_failed);
  start();
  EXPECT_EQ(host.poll()->failure.code, BrokerErrc::group_authorization_failed);
  EXPECT_EQ(host.take(12).size(), 12u);
}

TEST_F(MemberTest, SubscriptionThatCannotBeReadGetsNothingAndTheOthersAllOfIt) {
  group.others = {other("z")};
  group.raw_subscriptions["z"] = {std::byte{0},    std::byte{1},    std::byte{0x7f},
                                  std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  join(t({0, 1, 2, 3}));
  EXPECT_TRUE(group.last("sync").assigned.at("z").empty());
}

TEST_F(MemberTest, AssignmentThatCannotBeReadIsTold) {
  group.raw_assignment = std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{0x7f}};
  start();
  EXPECT_EQ(host.poll()->failure.code, ClientErrc::protocol_violation);
  group.raw_assignment.reset();
  EXPECT_EQ(host.take(12).size(), 12u);
}

TEST_F(MemberTest, AssignmentOfTopicsThatWereNotAskedForIsLeftOut) {
  group.leader = "other";
  group.assignment = {{"nobody asked", 0}, {"t", 1}};
  join(t({1}));
}

TEST_F(MemberTest, GroupThatAgreesOnSomethingElseIsAnError) {
  group.protocol = "roundrobin";
  start();
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, BrokerErrc::inconsistent_group_protocol);
  EXPECT_NE(polled->failure.message().find("roundrobin"), std::string::npos);
}

// ------------------------------------------------------------------------------- max.poll.interval

TEST_F(MemberTest, ApplicationThatDoesNotPollLosesItsPartitionsAndComesBackWithThePoll) {
  config.max_poll_interval = seconds(20);
  join(t({0, 1, 2, 3}));
  ASSERT_TRUE(poll->done);
  host.run_for(seconds(19));
  EXPECT_EQ(group.count("leave"), 0u);
  host.run_for(seconds(2));
  EXPECT_EQ(group.count("leave"), 1u);
  EXPECT_TRUE(assigned().empty());
  EXPECT_EQ(told.back(), (Told{"lost", t({0, 1, 2, 3})}));
  // What it still has stays readable, but its offsets belong to others.
  EXPECT_EQ(poll->values().size(), 12u);
  const auto late = commit(poll->records.end_offsets());
  ASSERT_TRUE(run_until([&] { return late->done; }));
  EXPECT_EQ(late->failure.code, ClientErrc::revoked);
  next_poll();
  EXPECT_TRUE(run_until([&] { return assigned() == t({0, 1, 2, 3}); }));
}

TEST_F(MemberTest, PollThatWaitsIsAPoll) {
  config.max_poll_interval = seconds(20);
  join(t({0, 1, 2, 3}));
  poll->records.done();
  next_poll();
  host.run_for(seconds(120));
  EXPECT_EQ(group.count("leave"), 0u);
}

// ------------------------------------------------------------------------------------------- close

TEST_F(MemberTest, CloseStoresWhatIsFinishedTellsTheHandlerAndLeaves) {
  join(t({0, 1, 2, 3}));
  poll->records.done();
  const auto closed = close(seconds(10));
  ASSERT_TRUE(run_until([&] { return group.count("leave") == 1; }, seconds(1)));
  EXPECT_EQ(told.back(), (Told{"revoked", t({0, 1, 2, 3})}));
  EXPECT_EQ(group.last("leave").member_id, "m-1");
  EXPECT_EQ(group.seen.back().api, "leave");
  EXPECT_EQ(group.last("commit").offsets.size(), 4u);
}

TEST_F(MemberTest, MemberThatWasOnlyGivenAnIdLeavesAllTheSame) {
  group.hold = [](const auto& request) {
    return request.api == "join" && !request.member_id.empty();
  };
  start();
  next_poll();
  ASSERT_TRUE(run_until([&] { return group.count("join") == 2; }));
  const auto closed = close(seconds(10));
  EXPECT_TRUE(run_until([&] { return closed->done; }, seconds(1)));
  EXPECT_EQ(group.count("leave"), 1u);
}

// From whatever state: closing ends in time, and nothing is left that waits.
TEST_F(MemberTest, CloseIsDoneInTimeFromEveryState) {
  const auto close_when = [&](const char* api, bool answers) {
    SCOPED_TRACE(api);
    sim::World inner(1);
    sim::Fabric net(inner, sim::FaultPlan::none());
    fake::FakeBrokers servers(inner, net, 1);
    ConsumerHost member(inner, net);
    servers.add_topic("t", 4);
    for (int i = 0; i < 4; ++i) servers.at("t", i).add({"x"});
    servers.group.hold = [&](const auto& request) { return request.api == api; };
    ConsumerConfig quick = config;
    quick.auto_commit_interval = seconds(1);
    quick.on_assigned = quick.on_revoked = quick.on_lost = nullptr;
    member.start(servers.bootstrap(), quick);
    const auto waiting = member.start_poll();
    inner.run_until([&] { return servers.group.count(api) != 0; }, seconds(10));
    ASSERT_NE(servers.group.count(api), 0u);
    bool done = false;
    const Now now = member.engine().enter();
    if (answers) {
      servers.group.hold = nullptr;
      servers.changed();
    }
    member.consumer().close(
        deadline_after(now.mono, seconds(5)), [&](const Failure&) { done = true; }, now);
    inner.run_until([&] { return done; }, seconds(6));
    EXPECT_TRUE(done);
    EXPECT_TRUE(waiting->done);
    EXPECT_TRUE(inner.violations().empty());
  };
  for (const char* api : {"join", "sync", "fetch", "heartbeat", "commit"}) {
    close_when(api, true);
    close_when(api, false);
  }
}

TEST_F(MemberTest, CloseWithoutABrokerIsDoneInTime) {
  host.start({"b9:1"}, config);
  next_poll();
  host.run_for(seconds(1));
  const auto closed = close(seconds(3));
  EXPECT_TRUE(run_until([&] { return closed->done; }, seconds(4)));
}

TEST_F(MemberTest, CloseDoesNotWaitForAHandlerLongerThanItMay) {
  join(t({0, 1, 2, 3}));
  keep_done = true;
  const auto closed = close(seconds(3));
  host.run_for(seconds(2));
  EXPECT_FALSE(closed->done);
  EXPECT_TRUE(run_until([&] { return closed->done; }, seconds(2)));
  dones.clear();  // too late, and harmless
  host.run_for(seconds(1));
}

}  // namespace
}  // namespace tern::kafka
