// Members of both protocols in one group, and how a group gets from one to the other: as real
// brokers have it unless they are told otherwise.
#include <gtest/gtest.h>

#include "tests/broker/modern_testing.h"

namespace tern::broker {
namespace {

class MixedGroupTest : public ModernGroupTest {
 protected:
  // Alone, with all four partitions.
  void begin(Member& member) {
    if (member.instance.empty()) {
      member.begin_join();
      member.joined();
    } else {
      member.join();
    }
    member.sync({{member.id, assignment({0, 1, 2, 3})}});
  }
  bool is_modern() { return fixture.cluster().groups().find(kGroup)->modern.has_value(); }
};

TEST_F(MixedGroupTest, AClassicGroupMovesOnWithItsMembers) {
  Member classic(fixture);
  begin(classic);
  Modern modern(fixture, "a");
  EXPECT_EQ(modern.join().epoch, 2);  // the generation was 1
  EXPECT_EQ(modern.owned, Owned());
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(classic.sync().error, BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(classic.commit("t", 0, 5), BrokerErrc::none);
  EXPECT_EQ(fixture.committed("t", 0), 5);
  // It joins without any partition, as eager members do.
  const Joined again = classic.join();
  EXPECT_EQ(again.error, BrokerErrc::none);
  EXPECT_EQ(again.generation, 2);
  EXPECT_EQ(again.leader, "");
  EXPECT_EQ(again.protocol, "range");
  EXPECT_EQ(classic.sync().assignment, assignment({0, 1}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(modern.short_beat().assigned, Owned({2, 3}));
  EXPECT_EQ(classic.commit("t", 0, 6, "", 8), BrokerErrc::none);  // its protocol has no epochs
  classic.generation = 3;
  EXPECT_EQ(classic.commit("t", 0, 7), BrokerErrc::illegal_generation);
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::illegal_generation);
}

TEST_F(MixedGroupTest, WhoWaitsForTheRebalanceIsSentBack) {
  Member classic(fixture);
  begin(classic);
  Member second(fixture);
  second.begin_join();
  EXPECT_FALSE(second.has_answer());
  Modern(fixture, "a").join();
  EXPECT_EQ(second.joined().error, BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(second.join().error, BrokerErrc::none);
}

TEST_F(MixedGroupTest, NothingIsGivenBeforeAClassicMemberHasLetGo) {
  Member classic(fixture);
  begin(classic);
  Modern modern(fixture, "a");
  modern.join();
  classic.protocols = {{"range", subscription({"t"}, {0, 1, 2, 3})}};
  EXPECT_EQ(classic.join().generation, 1);
  EXPECT_EQ(classic.sync().assignment, assignment({0, 1}));
  EXPECT_EQ(modern.short_beat().assigned, Owned());
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::rebalance_in_progress);
  classic.protocols = {{"range", subscription({"t"}, {0, 1})}};
  EXPECT_EQ(classic.join().generation, 2);
  EXPECT_EQ(classic.sync().assignment, assignment({0, 1}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(modern.short_beat().assigned, Owned({2, 3}));
}

TEST_F(MixedGroupTest, AClassicMemberIsToldWhenItsPartitionsAreFree) {
  Modern modern(fixture, "a");
  modern.join();
  EXPECT_EQ(modern.settle(), Owned({0, 1, 2, 3}));
  Member classic(fixture);
  classic.begin_join();
  const Joined joined = classic.joined();
  EXPECT_EQ(joined.error, BrokerErrc::none);
  EXPECT_EQ(joined.leader, "");
  EXPECT_EQ(classic.sync().assignment, assignment({}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::none);  // they are another's still
  EXPECT_EQ(modern.settle(), Owned({0, 1}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::rebalance_in_progress);
  EXPECT_EQ(classic.join().error, BrokerErrc::none);
  EXPECT_EQ(classic.sync().assignment, assignment({2, 3}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::none);
}

TEST_F(MixedGroupTest, WithoutTheOthersItIsClassicAgain) {
  Member classic(fixture);
  begin(classic);
  Modern modern(fixture, "a");
  modern.join();
  classic.join();
  EXPECT_EQ(classic.sync().assignment, assignment({0, 1}));
  modern.leave();
  EXPECT_FALSE(is_modern());
  EXPECT_EQ(fixture.group().state_name(), "PreparingRebalance");
  EXPECT_EQ(fixture.group().members().at(classic.id).assignment, assignment({0, 1}));
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::rebalance_in_progress);
  const Joined again = classic.join();
  EXPECT_EQ(again.generation, 3);
  EXPECT_EQ(again.leader, classic.id);
}

TEST_F(MixedGroupTest, ASilentMemberOfTheOtherKindIsNoReasonToStay) {
  Member classic(fixture);
  classic.session_timeout = seconds(200);
  begin(classic);
  Modern modern(fixture, "a");
  modern.join();
  classic.join();
  classic.sync();
  fixture.advance(seconds(46));
  EXPECT_FALSE(is_modern());
  EXPECT_EQ(fixture.group().members().size(), 1U);
}

TEST_F(MixedGroupTest, AClassicMemberHasToJoinAndSyncInTime) {
  Modern modern(fixture, "a");
  modern.join();
  Member late(fixture);
  late.session_timeout = seconds(200);
  late.begin_join();
  late.joined();
  fixture.advance(seconds(29));
  EXPECT_EQ(group().members().size(), 2U);
  fixture.advance(seconds(2));  // it has not synced
  EXPECT_EQ(group().members().size(), 1U);

  late.id.clear();
  late.begin_join();
  late.joined();
  EXPECT_EQ(late.sync().error, BrokerErrc::none);
  modern.settle();
  EXPECT_EQ(late.heartbeat(), BrokerErrc::rebalance_in_progress);
  fixture.advance(seconds(15));
  modern.beat();
  EXPECT_EQ(late.heartbeat(), BrokerErrc::rebalance_in_progress);
  fixture.advance(seconds(16));  // it has not joined since it was told to
  EXPECT_EQ(group().members().size(), 1U);
}

TEST_F(MixedGroupTest, ASilentClassicMemberIsThrownOutAfterItsOwnSessionTimeout) {
  Modern modern(fixture, "a");
  modern.join();
  Member classic(fixture);
  classic.begin_join();
  classic.joined();
  classic.sync();
  fixture.advance(seconds(9));
  EXPECT_EQ(group().members().size(), 2U);
  fixture.advance(seconds(2));
  EXPECT_EQ(group().members().size(), 1U);
}

TEST_F(MixedGroupTest, AnInstanceIdGoesFromOneKindToTheOtherAndBack) {
  Member classic(fixture);
  classic.instance = "one";
  begin(classic);
  Modern modern(fixture, "a");
  modern.instance = "one";
  EXPECT_EQ(modern.join().assigned, Owned({0, 1, 2, 3}));
  EXPECT_EQ(modern.epoch, 1);
  EXPECT_EQ(classic.heartbeat(), BrokerErrc::fenced_instance_id);
  Member restarted(fixture);
  restarted.instance = "one";
  EXPECT_EQ(restarted.join().generation, 1);
  EXPECT_FALSE(is_modern());
  EXPECT_EQ(fixture.group().state_name(), "Stable");  // no rebalance for that
  EXPECT_EQ(restarted.sync().assignment, assignment({0, 1, 2, 3}));
  EXPECT_EQ(restarted.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(modern.short_beat().error, BrokerErrc::group_id_not_found);
}

TEST_F(MixedGroupTest, WhatDoesNotFitIsRefused) {
  Modern modern(fixture, "a");
  Member garbled(fixture);
  garbled.begin_join();
  garbled.joined();
  garbled.sync({{garbled.id, "\1"}});
  EXPECT_EQ(modern.join().error, BrokerErrc::group_id_not_found);
  EXPECT_EQ(garbled.heartbeat(), BrokerErrc::none);
  garbled.leave();

  // An assignor of their own has told them more than partitions.
  Member special(fixture);
  special.begin_join();
  special.joined();
  special.sync({{special.id, assignment({0, 1, 2, 3}, "more")}});
  EXPECT_EQ(modern.join().error, BrokerErrc::group_id_not_found);
  EXPECT_EQ(special.heartbeat(), BrokerErrc::none);
  special.leave();

  modern.join();
  Member classic(fixture);
  classic.begin_join();
  classic.joined();
  Member other(fixture);
  other.protocols = {{"sticky", subscription({"t"})}};
  EXPECT_EQ(other.join().error, BrokerErrc::inconsistent_group_protocol);
  other.protocols = {{"range", "\1"}};
  other.id = "other";
  EXPECT_EQ(other.join().error, BrokerErrc::inconsistent_group_protocol);
  other.id = "a";
  EXPECT_EQ(other.heartbeat(), BrokerErrc::unknown_member_id);  // it speaks the other protocol
  classic.sync_protocol = "sticky";
  EXPECT_EQ(classic.sync().error, BrokerErrc::inconsistent_group_protocol);
  EXPECT_EQ(other.leave(), BrokerErrc::none);  // but anybody can be sent away
  EXPECT_FALSE(is_modern());
}

}  // namespace
}  // namespace tern::broker
