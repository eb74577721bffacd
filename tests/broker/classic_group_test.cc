// JoinGroup, SyncGroup, Heartbeat and LeaveGroup: the rules of classic groups.
#include <gtest/gtest.h>

#include "tests/broker/group_testing.h"

namespace tern::broker {
namespace {

using State = ClassicGroup::State;

TEST(ClassicGroup, ANewMemberIsGivenAnIdAndHasToComeAgain) {
  GroupFixture fixture;
  Member member(fixture);
  const Joined first = member.join();
  EXPECT_EQ(first.error, BrokerErrc::member_id_required);
  EXPECT_EQ(first.id.substr(0, 5), "test-");
  EXPECT_EQ(first.generation, -1);
  EXPECT_TRUE(first.protocol_is_null);
  EXPECT_TRUE(fixture.group().members().empty());
  const Joined second = member.join();
  EXPECT_EQ(second.error, BrokerErrc::none);
  EXPECT_EQ(second.generation, 1);
  EXPECT_EQ(second.protocol, "range");
  EXPECT_EQ(second.leader, member.id);
  EXPECT_EQ(second.members, Strings{member.id});
  EXPECT_EQ(second.first_metadata, subscription({"t"}));
  EXPECT_EQ(member.sync({{member.id, "mine"}}).assignment, "mine");
  EXPECT_EQ(member.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(fixture.group().state(), State::stable);
}

TEST(ClassicGroup, BeforeVersionFourNoIdIsAskedFor) {
  GroupFixture fixture;
  Member member(fixture);
  member.version = 3;
  EXPECT_EQ(member.join().generation, 1);
}

TEST(ClassicGroup, AnIdThatWasNotGivenOutIsUnknown) {
  GroupFixture fixture;
  Member member(fixture);
  member.id = "made-up";
  EXPECT_EQ(member.join().error, BrokerErrc::unknown_member_id);  // no group
  TwoMembers two(fixture);
  member.id = "made-up";
  const Joined refused = member.join();
  EXPECT_EQ(refused.error, BrokerErrc::unknown_member_id);
  EXPECT_EQ(refused.id, "made-up");
}

TEST(ClassicGroup, AnIdThatIsNotUsedIsForgottenAfterTheSessionTimeout) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Member late(fixture);
  late.join();
  // It holds up the next round as long as it may still come.
  two.leader.send_join();
  two.follower.send_join();
  EXPECT_FALSE(two.leader.has_answer());
  fixture.advance(late.session_timeout);
  EXPECT_EQ(two.leader.joined().generation, 3);
  two.follower.joined();
  EXPECT_EQ(late.join().error, BrokerErrc::unknown_member_id);
}

TEST(ClassicGroup, OneWithAnIdNotYetUsedCanLeave) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Member late(fixture);
  late.join();
  two.leader.send_join();
  two.follower.send_join();
  EXPECT_EQ(late.leave(), BrokerErrc::none);
  EXPECT_EQ(two.leader.joined().generation, 3);
}

TEST(ClassicGroup, ASecondMemberMakesTheFirstJoinAgain) {
  GroupFixture fixture;
  Member first(fixture);
  first.begin_join();
  first.joined();
  first.sync({{first.id, "all"}});
  Member second(fixture);
  second.begin_join();
  EXPECT_FALSE(second.has_answer());
  EXPECT_EQ(first.heartbeat(), BrokerErrc::rebalance_in_progress);
  const Joined leads = first.join();
  EXPECT_EQ(leads.generation, 2);
  EXPECT_EQ(leads.members.size(), 2U);
  const Joined follows = second.joined();
  EXPECT_EQ(follows.generation, 2);
  EXPECT_EQ(follows.leader, first.id);
  EXPECT_TRUE(follows.members.empty());
}

TEST(ClassicGroup, AFollowerWaitsForWhatTheLeaderAssigns) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  two.follower.send_sync();
  EXPECT_FALSE(two.follower.has_answer());
  EXPECT_EQ(two.leader.sync({{two.leader.id, "a"}}).assignment, "a");
  const Synced follower = two.follower.synced();
  EXPECT_EQ(follower.assignment, "");  // the leader has forgotten it
  EXPECT_EQ(follower.protocol, "range");
  EXPECT_EQ(two.follower.sync().assignment, "");  // as often as it likes
}

TEST(ClassicGroup, TheFirstRebalanceWaitsForMore) {
  GroupFixture fixture(1, {.initial_rebalance_delay = seconds(3)});
  Member first(fixture), second(fixture), third(fixture);
  first.begin_join();
  fixture.advance(seconds(2));
  second.begin_join();
  fixture.advance(seconds(2));  // at 3 s it was put off again, as somebody had come
  EXPECT_FALSE(first.has_answer());
  third.begin_join();
  fixture.advance(seconds(2));
  EXPECT_FALSE(first.has_answer());
  fixture.advance(seconds(3));
  const Joined joined = first.joined();
  EXPECT_EQ(joined.generation, 1);
  EXPECT_EQ(joined.members.size(), 3U);
}

TEST(ClassicGroup, TheFirstRebalanceDoesNotWaitForever) {
  GroupFixture fixture(1, {.initial_rebalance_delay = seconds(3)});
  Member first(fixture);
  first.rebalance_timeout = seconds(5);
  first.begin_join();
  std::vector<std::unique_ptr<Member>> others;
  for (int i = 0; i < 5 && !first.has_answer(); ++i) {
    others.push_back(std::make_unique<Member>(fixture));
    others.back()->rebalance_timeout = seconds(5);
    others.back()->begin_join();
    fixture.advance(milliseconds(1500));
  }
  EXPECT_TRUE(first.has_answer());
  EXPECT_EQ(others.size(), 4U);  // 3 s and the 2 s that were left, rounded up to when one came
}

TEST(ClassicGroup, WhoDoesNotRejoinInTimeIsThrownOut) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.follower.session_timeout = seconds(60);
  two.follower.protocols = {{"range", subscription({"u"})}};
  two.follower.send_join();
  for (int i = 0; i < 3; ++i) {  // the leader lives, but does not join
    fixture.advance(seconds(9));
    EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::rebalance_in_progress);
  }
  EXPECT_FALSE(two.follower.has_answer());
  fixture.advance(seconds(3));
  const Joined alone = two.follower.joined();
  EXPECT_EQ(alone.leader, two.follower.id);
  EXPECT_EQ(alone.members, Strings{two.follower.id});
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::unknown_member_id);
}

TEST(ClassicGroup, WhoDoesNotSyncInTimeIsThrownOut) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  two.follower.send_sync();
  for (int i = 0; i < 3; ++i) {
    fixture.advance(seconds(9));
    EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::none);
  }
  fixture.advance(seconds(3));
  EXPECT_EQ(two.follower.synced().error, BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::unknown_member_id);
  EXPECT_EQ(two.follower.join().leader, two.follower.id);
}

TEST(ClassicGroup, ASilentMemberIsThrownOutAfterItsSessionTimeout) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  fixture.advance(seconds(9));
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::none);
  fixture.advance(seconds(1));
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::unknown_member_id);
  EXPECT_EQ(two.leader.join().members, Strings{two.leader.id});
}

TEST(ClassicGroup, ACommitIsASignOfLife) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  for (int i = 0; i < 3; ++i) {
    fixture.advance(seconds(9));
    EXPECT_EQ(two.leader.commit("t", 0, i), BrokerErrc::none);
    EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::none);
  }
}

TEST(ClassicGroup, WhoWaitsForAnAnswerIsNotThrownOut) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  fixture.advance(seconds(9));
  two.follower.heartbeat();
  fixture.advance(seconds(5));  // the leader's session timeout is over, but it waits
  two.follower.send_join();
  EXPECT_EQ(two.leader.joined().members.size(), 2U);
}

TEST(ClassicGroup, ANewMemberThatWaitsTooLongIsThrownOut) {
  GroupFixture fixture(1, {.new_member_join_timeout = seconds(20)});
  TwoMembers two(fixture);
  Member late(fixture);
  late.begin_join();
  fixture.advance(seconds(9));
  two.leader.heartbeat();
  two.follower.heartbeat();
  fixture.advance(seconds(9));
  two.leader.heartbeat();
  two.follower.heartbeat();
  EXPECT_FALSE(late.has_answer());
  fixture.advance(seconds(2));
  EXPECT_EQ(late.joined().error, BrokerErrc::unknown_member_id);
}

TEST(ClassicGroup, AFollowerThatAsksAgainGetsTheGenerationThatIs) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  const Joined again = two.follower.join();
  EXPECT_EQ(again.generation, 2);
  EXPECT_TRUE(again.members.empty());
  EXPECT_EQ(fixture.group().state(), State::stable);
  EXPECT_EQ(two.follower.sync().assignment, "one");
}

TEST(ClassicGroup, ALeaderThatAsksAgainMakesANewRound) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  EXPECT_FALSE(two.leader.has_answer());
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::rebalance_in_progress);
}

TEST(ClassicGroup, OtherMetadataMakeANewRound) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.follower.protocols = {{"range", subscription({"t", "u"})}};
  two.follower.send_join();
  EXPECT_FALSE(two.follower.has_answer());
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::rebalance_in_progress);
}

TEST(ClassicGroup, WhoLosesTheAnswerToJoinGetsItAgain) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  ASSERT_EQ(fixture.group().state(), State::completing_rebalance);
  const Joined again = two.leader.join();
  EXPECT_EQ(again.generation, 3);
  EXPECT_EQ(again.members.size(), 2U);
  EXPECT_TRUE(two.follower.join().members.empty());
  two.settle();
}

TEST(ClassicGroup, AChangeWhileTheLeaderAssignsSendsThoseBackWhoWait) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  two.follower.send_sync();
  Member third(fixture);
  third.begin_join();
  EXPECT_EQ(two.follower.synced().error, BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(two.leader.sync({{two.leader.id, "late"}}).error, BrokerErrc::rebalance_in_progress);
}

TEST(ClassicGroup, AnOldGenerationIsIllegal) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.generation = 1;
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::illegal_generation);
  EXPECT_EQ(two.leader.sync().error, BrokerErrc::illegal_generation);
  EXPECT_EQ(two.leader.commit("t", 0, 1), BrokerErrc::illegal_generation);
}

TEST(ClassicGroup, AMemberLeavesAndTheOthersShare) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  EXPECT_EQ(two.leader.leave(), BrokerErrc::none);
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::rebalance_in_progress);
  const Joined alone = two.follower.join();
  EXPECT_EQ(alone.leader, two.follower.id);
  EXPECT_EQ(alone.generation, 3);
  EXPECT_EQ(two.leader.leave(), BrokerErrc::unknown_member_id);
  EXPECT_EQ(two.follower.leave(), BrokerErrc::none);
  EXPECT_EQ(fixture.group().state(), State::empty);
  EXPECT_EQ(fixture.group().generation(), 4);
}

TEST(ClassicGroup, MembersLeaveTogether) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  kafka::LeaveGroupRequest request;
  request.group_id = kGroup;
  kafka::LeaveGroupRequest::MemberIdentity leaving[3];
  leaving[0].member_id = two.leader.id;
  leaving[1].member_id = "nobody";
  leaving[2].member_id = two.follower.id;
  request.members = {leaving, 3};
  Client admin = fixture.client();
  const auto reply = admin.call(request, 4);
  EXPECT_EQ(reply->error_code, 0);
  ASSERT_EQ(reply->members.size(), 3U);
  EXPECT_EQ(err(reply->members[0].error_code), BrokerErrc::none);
  EXPECT_EQ(err(reply->members[1].error_code), BrokerErrc::unknown_member_id);
  EXPECT_EQ(err(reply->members[2].error_code), BrokerErrc::none);
  EXPECT_EQ(fixture.group().generation(), 3);  // one round for both
}

TEST(ClassicGroup, LeavingInTheOldFormAnswersAtTheTop) {
  GroupFixture fixture;
  Client client = fixture.client();
  kafka::LeaveGroupRequest request;
  request.group_id = kGroup;
  request.member_id = "nobody";
  EXPECT_EQ(err(client.call(request, 2)->error_code), BrokerErrc::unknown_member_id);
  TwoMembers two(fixture);
  EXPECT_EQ(err(client.call(request, 2)->error_code), BrokerErrc::unknown_member_id);
  request.member_id = two.follower.id;
  EXPECT_EQ(client.call(request, 2)->error_code, 0);
  EXPECT_EQ(fixture.group().members().size(), 1U);
}

TEST(ClassicGroup, NobodyJoinsWithoutACommonProtocol) {
  GroupFixture fixture;
  Member none(fixture);
  none.protocols.clear();
  EXPECT_EQ(none.join().error, BrokerErrc::inconsistent_group_protocol);
  TwoMembers two(fixture);
  Member other(fixture);
  other.protocols = {{"sticky", ""}};
  EXPECT_EQ(other.join().error, BrokerErrc::inconsistent_group_protocol);
  other.protocols = {{"range", ""}};
  other.protocol_type = "connect";
  EXPECT_EQ(other.join().error, BrokerErrc::inconsistent_group_protocol);
  EXPECT_EQ(fixture.group().state(), State::stable);
}

TEST(ClassicGroup, TheProtocolThatMostPreferAndAllHaveIsTaken) {
  GroupFixture fixture(1, {.initial_rebalance_delay = seconds(1)});
  Member a(fixture), b(fixture), c(fixture);
  a.protocols = {{"only-a", ""}, {"range", "a"}, {"sticky", ""}};
  b.protocols = {{"sticky", ""}, {"range", "b"}};
  c.protocols = {{"range", "c"}, {"sticky", ""}};
  for (Member* member : {&a, &b, &c}) member->begin_join();
  fixture.advance(seconds(2));
  EXPECT_EQ(a.joined().protocol, "range");
  EXPECT_EQ(b.joined().protocol, "range");
  for (const char* other : {"sticky", ""}) {
    b.sync_protocol = other;
    EXPECT_EQ(b.sync().error, BrokerErrc::inconsistent_group_protocol) << other;
  }
}

TEST(ClassicGroup, NoMoreThanTheConfiguredNumberOfMembers) {
  GroupFixture fixture(1, {.max_size = 2});
  TwoMembers two(fixture);
  Member third(fixture);
  EXPECT_EQ(third.join().error, BrokerErrc::group_max_size_reached);
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::none);
}

TEST(ClassicGroup, WhatIsNoGroupOrNoSessionTimeoutIsRefused) {
  GroupFixture fixture;
  Member nameless(fixture, 1, "");
  EXPECT_EQ(nameless.join().error, BrokerErrc::invalid_group_id);
  EXPECT_EQ(nameless.sync().error, BrokerErrc::invalid_group_id);
  EXPECT_EQ(nameless.heartbeat(), BrokerErrc::invalid_group_id);
  EXPECT_EQ(nameless.leave(), BrokerErrc::invalid_group_id);
  Member hasty(fixture);
  hasty.session_timeout = milliseconds(5999);
  EXPECT_EQ(hasty.join().error, BrokerErrc::invalid_session_timeout);
  hasty.session_timeout = std::chrono::minutes(31);
  EXPECT_EQ(hasty.join().error, BrokerErrc::invalid_session_timeout);
}

// -------------------------------------------------------------------------------- with instance
// ids

TEST(StaticMember, NeedsNoSecondRequest) {
  GroupFixture fixture;
  Member member(fixture);
  member.instance = "one";
  const Joined joined = member.join();
  EXPECT_EQ(joined.error, BrokerErrc::none);
  EXPECT_EQ(joined.id.substr(0, 4), "one-");
}

TEST(StaticMember, KeepsItsPlaceWhenItRestarts) {
  GroupFixture fixture;
  Member leader(fixture), member(fixture);
  leader.begin_join();
  leader.joined();
  leader.sync();
  member.instance = "one";
  member.send_join();
  leader.send_join();
  leader.joined();
  member.joined();
  leader.sync({{member.id, "mine"}});
  ASSERT_EQ(member.sync().assignment, "mine");

  Member restarted(fixture);
  restarted.instance = "one";
  const Joined joined = restarted.join();
  EXPECT_EQ(joined.error, BrokerErrc::none);
  EXPECT_EQ(joined.generation, 2);
  EXPECT_FALSE(joined.skip_assignment);
  EXPECT_NE(restarted.id, member.id);
  EXPECT_EQ(restarted.sync().assignment, "mine");
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::none);  // nobody else has noticed
  EXPECT_EQ(member.heartbeat(), BrokerErrc::fenced_instance_id);
  EXPECT_EQ(member.commit("t", 0, 1), BrokerErrc::fenced_instance_id);
  EXPECT_EQ(member.join().error, BrokerErrc::fenced_instance_id);
}

TEST(StaticMember, ALeaderThatRestartsDoesNotAssignAgain) {
  GroupFixture fixture;
  Member leader(fixture);
  leader.instance = "one";
  leader.join();
  leader.sync({{leader.id, "mine"}});
  Member restarted(fixture);
  restarted.instance = "one";
  const Joined joined = restarted.join();
  EXPECT_TRUE(joined.skip_assignment);
  EXPECT_EQ(joined.leader, restarted.id);
  EXPECT_EQ(joined.members, Strings{restarted.id});
  EXPECT_EQ(restarted.sync().assignment, "mine");

  Member old(fixture);  // cannot be told to skip: it does not learn that it leads
  old.instance = "one";
  old.version = 8;
  const Joined follows = old.join();
  EXPECT_EQ(follows.leader, joined.leader);
  EXPECT_NE(follows.leader, old.id);
  EXPECT_TRUE(follows.members.empty());
  EXPECT_EQ(old.sync().assignment, "mine");
}

TEST(StaticMember, ADoubleThatWaitsIsFenced) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Member member(fixture), twin(fixture);
  member.instance = twin.instance = "one";
  member.send_join();
  EXPECT_FALSE(member.has_answer());
  twin.send_join();
  EXPECT_EQ(member.joined().error, BrokerErrc::fenced_instance_id);
  two.leader.send_join();
  two.follower.send_join();
  EXPECT_EQ(twin.joined().generation, 3);
}

TEST(StaticMember, ARestartWhileTheLeaderAssignsMakesANewRound) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Member member(fixture);
  member.instance = "one";
  member.send_join();
  two.leader.send_join();
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  member.joined();
  member.send_sync();
  Member restarted(fixture);
  restarted.instance = "one";
  restarted.send_join();
  EXPECT_EQ(member.synced().error, BrokerErrc::fenced_instance_id);
  EXPECT_EQ(two.leader.sync().error, BrokerErrc::rebalance_in_progress);
}

TEST(StaticMember, IsWaitedForUntilItsSessionEnds) {
  GroupFixture fixture;
  Member leader(fixture), member(fixture);
  leader.rebalance_timeout = member.rebalance_timeout = seconds(8);
  leader.begin_join();
  leader.joined();
  leader.sync();
  member.instance = "one";
  member.session_timeout = seconds(30);
  member.send_join();
  leader.send_join();
  leader.joined();
  member.joined();
  leader.sync({{member.id, "mine"}});
  member.sync();
  leader.send_join();
  fixture.advance(seconds(8));  // it has not joined, and stays a member all the same
  EXPECT_EQ(leader.joined().members.size(), 2U);
}

TEST(StaticMember, IsSentAwayByItsInstanceId) {
  GroupFixture fixture;
  Member member(fixture);
  member.instance = "one";
  member.join();
  member.sync();
  Client admin = fixture.client();
  kafka::LeaveGroupRequest request;
  request.group_id = kGroup;
  kafka::LeaveGroupRequest::MemberIdentity leaving[2];
  leaving[0].group_instance_id = "one";
  leaving[1].group_instance_id = "two";
  request.members = {leaving, 2};
  const auto reply = admin.call(request, 5);
  EXPECT_EQ(reply->members[0].error_code, 0);
  EXPECT_EQ(err(reply->members[1].error_code), BrokerErrc::unknown_member_id);
  EXPECT_EQ(member.heartbeat(), BrokerErrc::unknown_member_id);
}

}  // namespace
}  // namespace tern::broker
