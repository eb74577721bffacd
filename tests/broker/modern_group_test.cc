// ConsumerGroupHeartbeat and ConsumerGroupDescribe: the rules of groups of the consumer protocol,
// what its assignors do, and the patterns by which members subscribe.
#include <gtest/gtest.h>

#include "tests/broker/modern_assignors.h"
#include "tests/broker/modern_testing.h"
#include "tests/broker/topic_pattern.h"

namespace tern::broker {
namespace {

TEST_F(ModernGroupTest, TheFirstMemberGetsAll) {
  Modern member(fixture, "a");
  const Beat first = member.join();
  EXPECT_EQ(first.error, BrokerErrc::none);
  EXPECT_GT(first.epoch, 0);
  EXPECT_EQ(first.assigned, (Owned{0, 1, 2, 3}));
  const Beat next = member.short_beat();
  EXPECT_FALSE(next.told);  // nothing new
  EXPECT_EQ(next.epoch, first.epoch);
  EXPECT_TRUE(member.beat().told);  // who says all is told all
  EXPECT_EQ(group().state_name(), "Stable");
}

TEST_F(ModernGroupTest, NothingIsGivenBeforeItIsLetGo) {
  Modern a(fixture, "a"), b(fixture, "b");
  const std::int32_t old_epoch = a.join().epoch;
  EXPECT_EQ(b.join().assigned, Owned{});  // a has it all
  EXPECT_EQ(group().state_name(), "Reconciling");
  const Beat take_away = a.short_beat();
  ASSERT_TRUE(take_away.told);
  EXPECT_EQ(take_away.assigned.size(), 2U);
  EXPECT_EQ(take_away.epoch, old_epoch);  // until it has let go
  EXPECT_EQ(b.short_beat().told, false);
  EXPECT_EQ(a.short_beat().epoch, old_epoch);  // does not say what it owns
  EXPECT_GT(a.beat().epoch, old_epoch);
  const Beat given = b.short_beat();
  ASSERT_TRUE(given.told);
  EXPECT_EQ(given.assigned.size(), 2U);
  for (const std::int32_t partition : given.assigned) {
    EXPECT_EQ(std::count(a.owned.begin(), a.owned.end(), partition), 0) << partition;
  }
  EXPECT_EQ(group().state_name(), "Stable");
}

TEST_F(ModernGroupTest, WhatStaysIsNotTakenAway) {
  Modern a(fixture, "a"), b(fixture, "b"), c(fixture, "c");
  a.join();
  b.join();
  a.settle();
  const Owned had = b.settle();
  c.join();
  for (Modern* member : {&a, &b, &c}) member->settle();
  for (Modern* member : {&a, &b, &c}) member->settle();
  EXPECT_EQ(a.owned.size() + b.owned.size() + c.owned.size(), 4U);
  EXPECT_GE(b.owned.size(), 1U);
  for (const std::int32_t partition : b.owned) {
    EXPECT_EQ(std::count(had.begin(), had.end(), partition), 1) << partition;
  }
}

TEST_F(ModernGroupTest, WhoLeavesLeavesItsPartitions) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  b.join();
  a.settle();
  b.settle();
  const Beat gone = b.leave();
  EXPECT_EQ(gone.error, BrokerErrc::none);
  EXPECT_EQ(gone.epoch, -1);
  EXPECT_EQ(group().state_name(), "Assigning");
  EXPECT_EQ(a.short_beat().assigned.size(), 4U);
  EXPECT_EQ(b.leave().error, BrokerErrc::unknown_member_id);
  EXPECT_EQ(a.leave().error, BrokerErrc::none);
  EXPECT_EQ(group().state_name(), "Empty");
}

TEST_F(ModernGroupTest, EpochsFence) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  b.join();
  a.settle();
  a.epoch += 1;
  EXPECT_EQ(a.beat().error, BrokerErrc::fenced_member_epoch);
  a.epoch -= 2;
  a.owned = {0, 1, 2, 3};
  EXPECT_EQ(a.beat().error, BrokerErrc::fenced_member_epoch);
  EXPECT_EQ(a.join().error, BrokerErrc::none);  // it may come again from the beginning
}

TEST_F(ModernGroupTest, AnAnswerThatWasLostIsNoReasonToFence) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  const std::int32_t before = a.epoch;
  b.join();
  a.short_beat();  // told to let go of two
  const Owned kept = a.owned;
  EXPECT_GT(a.beat().epoch, before);  // it has; but suppose it did not get this answer
  a.epoch = before;
  a.owned = kept;
  const Beat again = a.beat();
  EXPECT_EQ(again.error, BrokerErrc::none);
  EXPECT_GT(again.epoch, before);
  // A duplicate from before that answer is not this: it says nothing of what it owns.
  a.epoch = before;
  EXPECT_EQ(a.short_beat().error, BrokerErrc::fenced_member_epoch);
}

TEST_F(ModernGroupTest, UnknownMembersAndGroups) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.epoch = 3;
  EXPECT_EQ(a.short_beat().error, BrokerErrc::group_id_not_found);
  EXPECT_EQ(a.leave().error, BrokerErrc::group_id_not_found);
  a.join();
  b.epoch = 1;
  EXPECT_EQ(b.short_beat().error, BrokerErrc::unknown_member_id);
}

TEST_F(ModernGroupTest, WhatARequestHasToSay) {
  Modern a(fixture, "");
  EXPECT_EQ(a.join().error, BrokerErrc::invalid_request);
  a.id = "a";
  a.rebalance_timeout_ms = -1;
  EXPECT_EQ(a.join().message, "RebalanceTimeoutMs must be provided in first request.");
  a.rebalance_timeout_ms = 1000;
  a.owned = {0};
  EXPECT_EQ(a.beat().message, "TopicPartitions must be empty when (re-)joining.");
  EXPECT_EQ(a.leave(-2).message, "InstanceId can't be null.");
  EXPECT_EQ(a.leave(-3).message, "MemberEpoch is invalid.");
  a.assignor = "sticky";
  EXPECT_EQ(a.join().error, BrokerErrc::unsupported_assignor);
  a.assignor = "range";
  EXPECT_EQ(a.join().error, BrokerErrc::none);
  EXPECT_EQ(group().assignor(), "range");
}

TEST_F(ModernGroupTest, BeforeVersionOneTheBrokerGivesTheId) {
  Client client = fixture.client();
  kafka::ConsumerGroupHeartbeatRequest request;
  request.group_id = kGroup;
  request.rebalance_timeout_ms = 1000;
  const wire::Text name = "t";
  request.subscribed_topic_names = {&name, 1};
  request.topic_partitions = {};
  const auto reply = client.call(request, 0);
  EXPECT_EQ(reply->error_code, 0);
  EXPECT_EQ(reply->member_id.size(), 36U);
  EXPECT_EQ(reply->heartbeat_interval_ms, 5000);
}

TEST_F(ModernGroupTest, ASilentMemberIsThrownOut) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  b.join();
  a.settle();
  b.settle();
  fixture.advance(seconds(44));
  b.short_beat();
  fixture.advance(seconds(1));
  EXPECT_EQ(a.short_beat().error, BrokerErrc::unknown_member_id);
  EXPECT_EQ(b.short_beat().assigned.size(), 4U);
}

TEST_F(ModernGroupTest, WhoDoesNotLetGoInTimeIsThrownOut) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  b.join();
  a.short_beat();
  fixture.advance(seconds(19));
  EXPECT_EQ(a.short_beat().error, BrokerErrc::none);
  fixture.advance(seconds(1));
  EXPECT_EQ(a.short_beat().error, BrokerErrc::unknown_member_id);
  EXPECT_EQ(b.short_beat().assigned.size(), 4U);
}

TEST_F(ModernGroupTest, NewPartitionsAndTopicsAreAssigned) {
  Modern a(fixture, "a");
  a.topics = {"t", "later"};
  a.join();
  const std::int32_t epoch = a.epoch;
  fixture.cluster().add_partitions("t", 6);
  const Beat more = a.short_beat();
  EXPECT_EQ(more.assigned.size(), 6U);
  EXPECT_GT(more.epoch, epoch);
  fixture.cluster().create_topic("later", {.partitions = 1});
  EXPECT_TRUE(a.short_beat().told);
  fixture.cluster().delete_topic("t");
  EXPECT_TRUE(a.short_beat().told);
}

TEST_F(ModernGroupTest, APatternSubscribesToWhatIsThereAndWhatComes) {
  Modern a(fixture, "a");
  a.topics.clear();
  a.regex = "t|u.*";
  EXPECT_EQ(a.join().assigned, (Owned{0, 1, 2, 3}));
  fixture.cluster().create_topic("u-1", {.partitions = 2});
  EXPECT_TRUE(a.beat().told);
  EXPECT_EQ(count_partitions(group().members().at("a").assigned), 6U);
  Modern b(fixture, "b");
  b.regex = "(";
  EXPECT_EQ(b.join().error, BrokerErrc::invalid_regular_expression);
}

TEST_F(ModernGroupTest, NoMoreThanTheConfiguredNumberOfMembers) {
  GroupFixture small(1, {.max_size = 1});
  Modern a(small, "a"), b(small, "b");
  a.join();
  EXPECT_EQ(b.join().error, BrokerErrc::group_max_size_reached);
  EXPECT_EQ(a.short_beat().error, BrokerErrc::none);
}

// -------------------------------------------------------------------------------- with instance
// ids

TEST_F(ModernGroupTest, AnInstanceIdThatIsInUseIsNotGivenToAnother) {
  Modern a(fixture, "a"), twin(fixture, "twin");
  a.instance = twin.instance = "one";
  a.join();
  EXPECT_EQ(twin.join().error, BrokerErrc::unreleased_instance_id);
  twin.epoch = a.epoch;
  EXPECT_EQ(twin.short_beat().error, BrokerErrc::fenced_instance_id);
  EXPECT_EQ(twin.leave().error, BrokerErrc::fenced_instance_id);
  EXPECT_EQ(a.short_beat().error, BrokerErrc::none);
}

TEST_F(ModernGroupTest, AStaticMemberComesBackToWhatItHad) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.instance = "one";
  a.join();
  b.join();
  const Owned had = a.settle();
  b.settle();
  EXPECT_EQ(a.leave(kAwayEpoch).epoch, kAwayEpoch);
  fixture.advance(seconds(30));
  EXPECT_FALSE(b.short_beat().told);  // what it had is kept for it
  Modern again(fixture, "again");
  again.instance = "one";
  EXPECT_EQ(again.join().assigned, had);
  EXPECT_EQ(a.short_beat().error, BrokerErrc::fenced_instance_id);
}

TEST_F(ModernGroupTest, AStaticMemberThatStaysAwayIsThrownOut) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.instance = "one";
  a.join();
  b.join();
  a.settle();
  b.settle();
  a.leave(kAwayEpoch);
  for (int i = 0; i < 5; ++i) {
    fixture.advance(seconds(9));
    b.short_beat();
  }
  EXPECT_EQ(b.settle().size(), 4U);
}

// ---------------------------------------------------------------------------- beside everything
// else

TEST_F(ModernGroupTest, OffsetsAreCommittedInTheEpochOfTheMember) {
  Modern a(fixture, "a");
  a.join();
  Member commits(fixture);
  commits.id = "a";
  commits.generation = a.epoch;
  EXPECT_EQ(commits.commit("t", 0, 5), BrokerErrc::none);
  EXPECT_EQ(commits.commit("t", 0, 6, "", 8), BrokerErrc::unsupported_version);
  for (const std::int32_t other : {a.epoch - 1, a.epoch + 1}) {
    commits.generation = other;
    EXPECT_EQ(commits.commit("t", 0, 6), BrokerErrc::stale_member_epoch);
  }
  commits.id = "b";
  EXPECT_EQ(commits.commit("t", 0, 6), BrokerErrc::unknown_member_id);
  EXPECT_EQ(fixture.committed("t", 0), 5);
  a.leave();
  commits.id.clear();
  commits.generation = -1;
  EXPECT_EQ(commits.commit("t", 0, 7), BrokerErrc::none);  // nobody is in it
}

TEST_F(ModernGroupTest, WhatAMemberHasHadAllAlongItMayCommitInAnOlderEpoch) {
  Modern a(fixture, "a"), b(fixture, "b");
  a.join();
  const std::int32_t old = a.epoch;
  b.join();
  a.settle();
  b.settle();
  ASSERT_GT(a.epoch, old);
  Member commits(fixture);
  commits.id = "a";
  commits.generation = old;
  EXPECT_EQ(commits.commit("t", a.owned[0], 5), BrokerErrc::none);
  EXPECT_EQ(commits.commit("t", b.owned[0], 5), BrokerErrc::stale_member_epoch);
  commits.id = "b";
  commits.generation = b.epoch - 1;
  EXPECT_EQ(commits.commit("t", b.owned[0], 5), BrokerErrc::stale_member_epoch);
}

TEST_F(ModernGroupTest, OffsetsAreFetchedInTheEpochOfTheMember) {
  Modern a(fixture, "a");
  a.join();
  const auto fetch = [&](wire::Text member, std::int32_t epoch) {
    kafka::OffsetFetchRequest::OffsetFetchRequestGroup group;
    group.group_id = kGroup;
    group.member_id = member;
    group.member_epoch = epoch;
    kafka::OffsetFetchRequest request;
    request.groups = {&group, 1};
    return err(a.client.call(request, 9)->groups[0].error_code);
  };
  EXPECT_EQ(fetch("a", a.epoch), BrokerErrc::none);
  EXPECT_EQ(fetch("a", a.epoch + 1), BrokerErrc::stale_member_epoch);
  EXPECT_EQ(fetch("b", a.epoch), BrokerErrc::unknown_member_id);
  EXPECT_EQ(fetch(wire::Text::null(), -1), BrokerErrc::none);  // an administrator
}

TEST_F(ModernGroupTest, WithoutMembersItIsOfEitherKind) {
  Modern modern(fixture, "a");
  Member classic(fixture);
  classic.protocol_type = "connect";
  classic.begin_join();
  classic.joined();
  EXPECT_EQ(modern.join().error, BrokerErrc::group_id_not_found);  // it is not of consumers
  classic.leave();
  EXPECT_EQ(modern.join().error, BrokerErrc::none);
  modern.leave();
  Member unknown(fixture);
  unknown.id = "nobody";
  EXPECT_EQ(unknown.join().error, BrokerErrc::unknown_member_id);
  EXPECT_TRUE(fixture.cluster().groups().find(kGroup)->modern);
  Member fresh(fixture);
  fresh.begin_join();
  EXPECT_EQ(fresh.joined().generation, 1);  // nothing is left of what it was
  EXPECT_EQ(fixture.group().protocol_type(), "consumer");
}

TEST_F(ModernGroupTest, IsDescribed) {
  Modern a(fixture, "a");
  a.instance = "one";
  a.join();
  Client client = fixture.client();
  const wire::Text names[] = {kGroup, "absent"};
  kafka::ConsumerGroupDescribeRequest request;
  request.group_ids = {names, 2};
  const auto reply = client.call(request, 1);
  ASSERT_EQ(reply->groups.size(), 2U);
  const auto& group = reply->groups[0];
  EXPECT_EQ(group.group_state, wire::Text("Stable"));
  EXPECT_EQ(group.assignor_name, wire::Text("uniform"));
  EXPECT_EQ(group.group_epoch, a.epoch);
  EXPECT_EQ(group.assignment_epoch, a.epoch);
  ASSERT_EQ(group.members.size(), 1U);
  EXPECT_EQ(group.members[0].instance_id, wire::Text("one"));
  EXPECT_EQ(group.members[0].subscribed_topic_names[0], wire::Text("t"));
  EXPECT_EQ(group.members[0].assignment.topic_partitions[0].topic_name, wire::Text("t"));
  EXPECT_EQ(group.members[0].target_assignment.topic_partitions[0].partitions.size(), 4U);
  EXPECT_EQ(err(reply->groups[1].error_code), BrokerErrc::group_id_not_found);

  kafka::DescribeGroupsRequest classic;
  classic.groups = {names, 1};
  EXPECT_EQ(err(client.call(classic, 6)->groups[0].error_code), BrokerErrc::group_id_not_found);
  kafka::ListGroupsRequest list;
  const auto listed = client.call(list, 5);
  ASSERT_EQ(listed->groups.size(), 1U);
  EXPECT_EQ(listed->groups[0].group_type, wire::Text("consumer"));
  EXPECT_EQ(listed->groups[0].group_state, wire::Text("Stable"));
}

TEST(ModernGroup, SurvivesItsCoordinator) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 1);
  Modern a(fixture, "a", 1);
  a.join();
  fixture.advance(seconds(40));
  fixture.cluster().move_group(kGroup, 2);
  EXPECT_EQ(a.short_beat().error, BrokerErrc::not_coordinator);
  Modern moved(fixture, "a", 2);
  moved.epoch = a.epoch;
  fixture.advance(seconds(40));
  EXPECT_EQ(moved.short_beat().error, BrokerErrc::none);
}

TEST(ModernGroup, AnErrorInsteadOfAnAnswer) {
  GroupFixture fixture;
  Modern a(fixture, "a");
  a.join();
  fixture.cluster().inject(68, Injection::with_error(BrokerErrc::coordinator_load_in_progress));
  EXPECT_EQ(a.short_beat().error, BrokerErrc::coordinator_load_in_progress);
  EXPECT_EQ(a.short_beat().error, BrokerErrc::none);
}

TEST(ModernGroup, OlderReleasesHaveNone) {
  GroupFixture fixture;
  fixture.cluster().set_release(Release::kafka_3_9);
  Client client = fixture.client();
  client.send(kafka::ConsumerGroupHeartbeatRequest{}, 0);
  EXPECT_FALSE(client.has_answer());
  EXPECT_FALSE(client.connected());
}

// -----------------------------------------------------------------------------------------
// assignors

wire::Uuid topic_id(std::uint8_t number) {
  wire::Uuid id;
  id.bytes[0] = number;
  return id;
}

// Members "a", "b", ... with these topics.
AssignorMembers members_with(const std::vector<std::set<wire::Uuid>>& topics) {
  AssignorMembers members;
  for (const auto& one : topics) {
    members.push_back({std::string(1, static_cast<char>('a' + members.size())), {}, one, {}});
  }
  return members;
}

void expect_all_once(const Assignments& assignments, const PartitionCounts& counts) {
  std::map<std::pair<wire::Uuid, std::int32_t>, int> owners;
  for (const auto& [id, assignment] : assignments) {
    for (const auto& [topic, partitions] : assignment) {
      for (const std::int32_t partition : partitions) ++owners[{topic, partition}];
    }
  }
  std::size_t total = 0;
  for (const auto& [topic, count] : counts) total += static_cast<std::size_t>(count);
  EXPECT_EQ(owners.size(), total);
  for (const auto& [partition, count] : owners) EXPECT_EQ(count, 1) << partition.second;
}

TEST(UniformAssignor, EvensOutAndMovesNoMoreThanItMust) {
  const wire::Uuid t = topic_id(1), u = topic_id(2);
  const PartitionCounts counts{{t, 7}, {u, 4}};
  AssignorMembers members = members_with({{t, u}, {t, u}});
  Assignments before = assign_uniform(members, counts);
  expect_all_once(before, counts);
  EXPECT_EQ(count_partitions(before["a"]), 6U);
  EXPECT_EQ(count_partitions(before["b"]), 5U);
  for (auto& member : members) member.current = before[member.id];
  EXPECT_EQ(assign_uniform(members, counts), before);

  members.push_back({"c", {}, {t, u}, {}});
  Assignments after = assign_uniform(members, counts);
  expect_all_once(after, counts);
  std::size_t kept = 0;
  for (const char* id : {"a", "b"}) {
    for (const auto& [topic, partitions] : after[id]) {
      for (const std::int32_t partition : partitions) kept += before[id][topic].count(partition);
    }
  }
  EXPECT_EQ(count_partitions(after["c"]), 3U);
  EXPECT_EQ(kept, 8U);
}

TEST(UniformAssignor, MembersWithOtherTopics) {
  const wire::Uuid t = topic_id(1), u = topic_id(2);
  const PartitionCounts counts{{t, 4}, {u, 4}};
  AssignorMembers members = members_with({{t, u}, {t}, {u}});
  Assignments assignments = assign_uniform(members, counts);
  expect_all_once(assignments, counts);
  EXPECT_FALSE(assignments["b"].contains(u));
  EXPECT_FALSE(assignments["c"].contains(t));
  for (const char* id : {"a", "b", "c"}) EXPECT_GE(count_partitions(assignments[id]), 2U) << id;
  // One that had it all lets go of it.
  members[0].current = {{t, {0, 1, 2, 3}}, {u, {0, 1, 2, 3}}};
  assignments = assign_uniform(members, counts);
  expect_all_once(assignments, counts);
  EXPECT_LE(count_partitions(assignments["a"]), 3U);
}

TEST(UniformAssignor, WhatIsGoneIsForgotten) {
  const wire::Uuid t = topic_id(1), gone = topic_id(2);
  AssignorMembers members = members_with({{t}, {t}});
  members[0].current = {{t, {0, 1, 5}}, {gone, {0}}};
  members[1].current = {{t, {1}}};  // both say they had it
  const Assignments assignments = assign_uniform(members, {{t, 2}});
  expect_all_once(assignments, {{t, 2}});
}

TEST(RangeAssignor, GivesRunsInTheOrderOfTheIds) {
  const wire::Uuid t = topic_id(1), u = topic_id(2);
  AssignorMembers members = members_with({{t, u}, {t}, {t, u}});
  members[2].instance_id = "first";
  const PartitionCounts counts{{t, 7}, {u, 3}};
  Assignments assignments = assign_range(members, counts);
  expect_all_once(assignments, counts);
  EXPECT_EQ(assignments["c"], (Assignment{{t, {0, 1, 2}}, {u, {0, 1}}}));
  EXPECT_EQ(assignments["a"], (Assignment{{t, {3, 4}}, {u, {2}}}));
  EXPECT_EQ(assignments["b"], (Assignment{{t, {5, 6}}}));
  expect_all_once(assign_range(members_with({{t}, {t}, {t}}), {{t, 2}}), {{t, 2}});
}

// -----------------------------------------------------------------------------------------
// patterns

TEST(TopicPattern, MatchesWholeNames) {
  const auto matches = [](std::string_view pattern, std::string_view name) {
    const TopicPattern compiled(pattern);
    EXPECT_TRUE(compiled.valid()) << pattern;
    return compiled.matches(name);
  };
  EXPECT_TRUE(matches("orders", "orders"));
  EXPECT_FALSE(matches("orders", "orders-2"));
  EXPECT_FALSE(matches("orders", "my-orders"));
  EXPECT_TRUE(matches(".*", ""));
  EXPECT_TRUE(matches("^or.*$", "orders"));
  EXPECT_TRUE(matches("a|bc|", "bc"));
  EXPECT_TRUE(matches("a|bc|", ""));
  EXPECT_TRUE(matches("(?:ab)+", "abab"));
  EXPECT_FALSE(matches("(ab)+", "aba"));
  EXPECT_TRUE(matches("a?b*c+", "cc"));
  EXPECT_TRUE(matches("[a-c_]+[^0-9.]", "a_bx"));
  EXPECT_FALSE(matches("[a-c_]+[^0-9.]", "ab1"));
  EXPECT_TRUE(matches("[]a-]+", "]-a"));
  EXPECT_TRUE(matches(R"(t\.\d+\w)", "t.42x"));
  EXPECT_FALSE(matches(R"(t\.)", "tx"));
}

TEST(TopicPattern, NoTrapIsTooDeepOrTooSlow) {
  EXPECT_FALSE(TopicPattern("(a*)*(a*)*(a*)*(a*)*b").matches(std::string(249, 'a')));
  EXPECT_FALSE(TopicPattern(std::string(1001, 'a')).valid());
  EXPECT_FALSE(TopicPattern(std::string(100, '(') + std::string(100, ')')).valid());
}

TEST(TopicPattern, WhatIsNoPattern) {
  for (const char* pattern :
       {"(", ")", "a)", "*", "a|*", "[", "[a", "[b-a]", "\\", "\\k", "(?i)a", "a{2}", "a^b"}) {
    EXPECT_FALSE(TopicPattern(pattern).valid()) << pattern;
    EXPECT_FALSE(TopicPattern(pattern).matches("a")) << pattern;
  }
}

}  // namespace
}  // namespace tern::broker
