// What a member of a group stores and where it begins: only what the application has finished,
// never back, never what is another member's, and never anywhere else because of passing trouble.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/kafka/group_rig.h"

namespace tern::kafka {
namespace {

using Strings = std::vector<std::string>;

class OffsetsTest : public GroupTest {
 protected:
  OffsetsTest() {
    config.assignors = {"cooperative-sticky"};
    config.auto_commit_interval = seconds(1);
    group.leader = "other";
    group.assignment = t({0});
  }
  void join() { GroupTest::join(group.assignment); }
  void wait_for_auto_commit() { host.run_for(milliseconds(2200)); }
  // Whatever is owned now goes elsewhere.
  void rebalance_to(const Partitions& assignment) {
    group.assignment = assignment;
    group.heartbeat_errors = {BrokerErrc::rebalance_in_progress};
    ASSERT_TRUE(run_until([&] { return assigned() == assignment; }));
  }
  Offsets one(std::int64_t offset, std::int32_t partition = 0) {
    return {{.topic = "t", .partition = partition, .offset = offset}};
  }
  std::vector<std::int64_t> committed_in_order(std::int32_t partition = 0) {
    std::vector<std::int64_t> all;
    for (const auto& each : group.seen) {
      const auto found = each.offsets.find({"t", partition});
      if (found != each.offsets.end()) all.push_back(found->second);
    }
    return all;
  }
};

// ------------------------------------------------------------------------------- where it begins

TEST_F(OffsetsTest, ReadingBeginsWhereTheGroupHasStored) {
  group.stored[{"t", 0}] = {.offset = 2};
  join();
  EXPECT_EQ(poll->values(), (Strings{"c"}));
}

TEST_F(OffsetsTest, StoredOffsetsAreAskedForAsStableOnesAndUndecidedOnesAreWaitedFor) {
  group.stored[{"t", 0}] = {.offset = 1};
  group.fetch_errors.assign(5, BrokerErrc::unstable_offset_commit);
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"b", "c"}));
  EXPECT_TRUE(group.last("fetch").require_stable);
  EXPECT_EQ(group.count("fetch"), 6u);
}

TEST_F(OffsetsTest, OldBrokersAreAskedForOneGroupAndForWhateverIsStored) {
  brokers.max_versions = {{9, 5}};
  group.stored[{"t", 0}] = {.offset = 1};
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"b", "c"}));
}

TEST_F(OffsetsTest, PassingTroubleNeverResetsAPosition) {
  group.stored[{"t", 0}] = {.offset = 2};
  group.fetch_errors = {BrokerErrc::coordinator_load_in_progress, BrokerErrc::not_coordinator,
                        BrokerErrc::coordinator_not_available, BrokerErrc::stale_member_epoch};
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"c"}));
  EXPECT_EQ(brokers.list_offsets_requests, 0);
}

TEST_F(OffsetsTest, NoPermissionForTheOffsetsIsToldAndNothingIsReadUntilItIsGiven) {
  group.stored[{"t", 0}] = {.offset = 2};
  group.fetch_errors.assign(8, BrokerErrc::topic_authorization_failed);
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->failure.code, BrokerErrc::topic_authorization_failed);
  EXPECT_EQ(host.take(1), (Strings{"c"}));
}

TEST_F(OffsetsTest, WithoutAStoredOffsetTheResetPolicyDecides) {
  config.offset_reset = OffsetReset::latest;
  join();
  host.run_for(milliseconds(200));
  EXPECT_FALSE(poll->done);
  brokers.at("t").add({"new"});
  brokers.changed();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"new"}));
}

TEST_F(OffsetsTest, WithoutAStoredOffsetAnAgeDecides) {
  config.offset_reset = OffsetReset::age;
  config.offset_reset_age = std::chrono::hours(1);
  join();
  host.run_for(seconds(1));
  EXPECT_EQ(brokers.list_offsets_requests, 2);  // nothing is that young: the end
  EXPECT_EQ(host.position("t"), 3);
}

TEST_F(OffsetsTest, WithoutAStoredOffsetAndAPolicyThePartitionStandsStillUntilItIsSought) {
  config.offset_reset = OffsetReset::none;
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->failure.code, ClientErrc::offset_out_of_range);
  EXPECT_NE(poll->failure.message().find("stored no offset"), std::string::npos);
  host.seek("t", 0, Position::offset(1));
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
}

TEST_F(OffsetsTest, SeekInTheHandlerIsWhereReadingBegins) {
  group.stored[{"t", 0}] = {.offset = 0};
  config.on_assigned = [this](const Partitions&, const Done&) {
    host.seek("t", 0, Position::offset(2));
  };
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"c"}));
}

TEST_F(OffsetsTest, NothingIsReadBeforeTheHandlerIsDone) {
  keep_done = true;
  join();
  host.run_for(seconds(5));
  EXPECT_FALSE(poll->done);
  dones.clear();
  EXPECT_TRUE(run_until([&] { return poll->done; }, seconds(1)));
}

// ---------------------------------------------------------------------------------- auto commit

TEST_F(OffsetsTest, AutoCommitCoversWhatIsFinishedAndNotWhatIsMerelyHandedOut) {
  join();
  ASSERT_EQ(poll->values().size(), 3u);
  wait_for_auto_commit();
  EXPECT_EQ(committed_in_order(), (std::vector<std::int64_t>{0}));
  poll->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, RecordsThatAreFinishedOutOfOrderAreCoveredInOrder) {
  config.max_poll_records = 1;
  join();
  const auto first = poll;
  const auto second = host.poll();
  const auto third = host.poll();
  ASSERT_EQ(third->values(), (Strings{"c"}));
  second->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 0);
  first->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 2);
  third->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, RecordsThatAnExceptionCutsShortAreNotFinished) {
  join();
  try {
    const Records doomed = std::move(poll->records);
    throw std::runtime_error("the application has failed");
  } catch (const std::runtime_error&) {
  }
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 0);
  // Dealt with by reading them again.
  host.seek("t", 0, Position::offset(0));
  host.poll()->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, WhatIsStoredIsNotStoredAgain) {
  join();
  poll->records.done();
  wait_for_auto_commit();
  const std::size_t commits = group.count("commit");
  host.run_for(seconds(30));
  EXPECT_EQ(group.count("commit"), commits);
}

TEST_F(OffsetsTest, WithoutAutoStoreOnlyWhatWasSaidIsStored) {
  config.auto_store = false;
  join();
  poll->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), -1);
  EXPECT_FALSE(host.consumer().group()->store(one(2)));
  EXPECT_EQ(host.consumer().group()->store(one(1, 3)).code, ClientErrc::revoked);
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, WithoutAutoCommitNothingIsStoredByItself) {
  config.auto_commit = false;
  join();
  poll->records.done();
  wait_for_auto_commit();
  const auto closed = close(seconds(5));
  ASSERT_TRUE(run_until([&] { return closed->done; }));
  EXPECT_EQ(group.count("commit"), 0u);
}

// ------------------------------------------------------------------------------------- commits

TEST_F(OffsetsTest, CommitOfOffsetsStoresThemWithTheirMetadata) {
  join();
  Offsets offsets = poll->records.end_offsets();
  offsets[0].metadata = "by me";
  const auto ended = commit(offsets);
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(group.stored.at({"t", 0}).metadata, "by me");
  Offsets found;
  host.consumer().committed(0, t({0, 1}), kNever, [&](const Failure& why, Offsets all) {
    EXPECT_FALSE(why);
    found = std::move(all);
  });
  ASSERT_TRUE(run_until([&] { return !found.empty(); }));
  EXPECT_EQ(found[0].offset, 3);
  EXPECT_EQ(found[0].metadata, "by me");
  EXPECT_EQ(found[1].offset, -1);
}

TEST_F(OffsetsTest, CommitIsTriedAgainOverPassingTrouble) {
  join();
  group.commit_errors = {BrokerErrc::coordinator_load_in_progress, BrokerErrc::not_coordinator,
                         BrokerErrc::request_timed_out};
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, OutOfOrderCommitsDoNotRewind) {
  config.auto_commit = false;
  join();
  // The first one fails in a way that has it tried again, while a later one waits.
  group.commit_errors = {BrokerErrc::coordinator_load_in_progress};
  const auto first = commit(one(1));
  const auto second = commit(one(3));
  const auto stale = commit(one(2));
  ASSERT_TRUE(run_until([&] { return first->done && second->done && stale->done; }));
  EXPECT_FALSE(first->failure);
  EXPECT_FALSE(second->failure);
  EXPECT_FALSE(stale->failure);
  EXPECT_EQ(stored(0), 3);
  const auto later = commit(one(1));
  ASSERT_TRUE(run_until([&] { return later->done; }));
  EXPECT_FALSE(later->failure);
  EXPECT_EQ(stored(0), 3);
  const std::vector<std::int64_t> all = committed_in_order();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(OffsetsTest, StaleCommitThatIsTriedAgainDoesNotRewind) {
  config.auto_commit = false;
  join();
  group.commit_errors = {BrokerErrc::coordinator_load_in_progress};
  const auto first = commit(one(3));
  ASSERT_TRUE(run_until([&] { return group.count("commit") == 1; }));
  const auto stale = commit(one(1));
  ASSERT_TRUE(run_until([&] { return first->done && stale->done; }));
  EXPECT_FALSE(stale->failure);
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, OfSeveralCommitsOfOneOffsetTheMetadataOfTheLastIsStored) {
  config.auto_commit = false;
  join();
  Offsets offsets = one(2);
  offsets[0].metadata = "first";
  const auto first = commit(offsets);
  offsets[0].metadata = "second";
  const auto second = commit(offsets);
  ASSERT_TRUE(run_until([&] { return first->done && second->done; }));
  EXPECT_EQ(group.stored.at({"t", 0}).metadata, "second");
}

TEST_F(OffsetsTest, StoredOffsetsOfAStaleCallDoNotRewindEither) {
  config.auto_store = false;
  join();
  EXPECT_FALSE(host.consumer().group()->store(one(2)));
  EXPECT_FALSE(host.consumer().group()->store(one(1)));
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, CommitThatWasNotAnsweredMayComeLateSoTheNextOneIsStoredOnceMore) {
  host.client_config.request_timeout = seconds(5);
  join();
  poll->records.done();
  group.hold = [](const auto& request) { return request.api == "commit"; };
  ASSERT_TRUE(run_until([&] { return group.count("commit") == 1; }));
  brokers.cut_connections(1);
  group.hold = nullptr;
  ASSERT_TRUE(run_until([&] { return stored(0) == 3; }));
  group.stored[{"t", 0}].offset = 0;  // the first one, after all
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 3);
  host.run_for(seconds(10));
  const std::size_t commits = group.count("commit");
  host.run_for(seconds(10));
  EXPECT_EQ(group.count("commit"), commits);
}

TEST_F(OffsetsTest, AfterASeekBackCommitsMayGoBack) {
  join();
  auto ended = commit(one(3));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  host.seek("t", 0, Position::offset(0));
  ended = commit(one(1));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(stored(0), 1);
}

TEST_F(OffsetsTest, CommitThatWaitedDuringASeekBackDoesNotHideThoseAfterIt) {
  config.auto_commit = false;
  join();
  group.commit_errors = {BrokerErrc::coordinator_load_in_progress};
  const auto before = commit(one(3));
  host.seek("t", 0, Position::offset(0));
  const auto after = commit(one(1));
  ASSERT_TRUE(run_until([&] { return before->done && after->done; }));
  EXPECT_FALSE(before->failure);
  EXPECT_FALSE(after->failure);
  EXPECT_EQ(stored(0), 1);
}

TEST_F(OffsetsTest, CommitThatWasOnItsWayDuringASeekBackDoesNotHideThoseAfterIt) {
  config.auto_commit = false;
  join();
  group.hold = [](const auto& request) { return request.api == "commit"; };
  const auto before = commit(one(3));
  ASSERT_TRUE(run_until([&] { return group.count("commit") == 1; }));
  host.seek("t", 0, Position::offset(0));
  const auto after = commit(one(1));
  group.hold = nullptr;
  brokers.changed();
  ASSERT_TRUE(run_until([&] { return before->done && after->done; }));
  EXPECT_EQ(committed_in_order(), (std::vector<std::int64_t>{3, 1}));
}

TEST_F(OffsetsTest, AfterASeekInTheHandlerCommitsMayBeOfLessThanTheGroupHasStored) {
  group.stored[{"t", 0}] = {.offset = 3};
  config.on_assigned = [this](const Partitions&, const Done&) {
    host.seek("t", 0, Position::offset(0));
  };
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  const auto ended = commit(one(1));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(stored(0), 1);
}

TEST_F(OffsetsTest, CommitsForPartitionsThatAreNotReadAreStoredInTheOrderAsked) {
  config.topics = {};
  config.assignment = {{"t", 1, Position::earliest()}};
  start();
  group.commit_errors = {BrokerErrc::coordinator_load_in_progress};
  std::vector<std::shared_ptr<Ended>> all{commit(one(3)), commit(one(1))};
  ASSERT_TRUE(run_until([&] { return all[0]->done && all[1]->done; }));
  EXPECT_EQ(stored(0), 1);
  all.push_back(commit(one(0)));
  ASSERT_TRUE(run_until([&] { return all[2]->done; }));
  EXPECT_EQ(stored(0), 0);
}

TEST_F(OffsetsTest, CommitFromBeforeThePartitionWasLostAndCameBackIsRefused) {
  config.auto_commit = false;
  config.heartbeat_interval = milliseconds(500);
  // What fails twice is tried again after 8 s, more or less, what fails once after 4 s.
  host.client_config.retry_backoff = seconds(4);
  host.client_config.retry_backoff_max = seconds(100);
  join();
  next_poll();
  group.commit_errors.assign(2, BrokerErrc::coordinator_load_in_progress);
  const auto before = commit(one(1), seconds(100));
  ASSERT_TRUE(run_until([&] { return group.count("commit") == 2; }));
  group.heartbeat_errors = {BrokerErrc::unknown_member_id};
  group.next_member_id = "m-2";
  ASSERT_TRUE(run_until([&] { return told.back().what == "lost"; }));
  ASSERT_TRUE(run_until([&] { return assigned() == t({0}); }));
  ASSERT_FALSE(before->done);
  group.stored[{"t", 0}] = {.offset = 3};  // by another member
  ASSERT_TRUE(run_until([&] { return before->done; }));
  EXPECT_EQ(before->failure.code, ClientErrc::revoked) << before->failure.message();
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, CommitForAPartitionThatIsNotOwnedIsRefusedAndTheOthersAreStored) {
  join();
  Offsets offsets = one(2);
  offsets.push_back(one(1, 3)[0]);
  const auto ended = commit(offsets);
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(ended->failure.code, ClientErrc::revoked);
  EXPECT_NE(ended->failure.message().find("t-3"), std::string::npos) << ended->failure.message();
  EXPECT_EQ(stored(0), 2);
  EXPECT_EQ(stored(3), -1);
}

TEST_F(OffsetsTest, CommitOfRecordsFromBeforeThePartitionWentAndCameBackIsRefused) {
  config.auto_commit = false;
  join();
  const auto first = poll;
  next_poll();
  rebalance_to({});
  group.stored[{"t", 0}] = {.offset = 3};  // by another member, which has read on
  rebalance_to(t({0}));
  host.run_for(seconds(1));
  EXPECT_EQ(first->values().size(), 3u);  // still readable
  const auto ended = commit(first->records.end_offsets());
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(ended->failure.code, ClientErrc::revoked);
  EXPECT_EQ(stored(0), 3);
}

TEST_F(OffsetsTest, RecordsFromBeforeThePartitionWentDoNotCountWhenTheyAreFinished) {
  join();
  const auto first = poll;
  next_poll();
  rebalance_to({});
  group.stored[{"t", 0}] = {.offset = 1};
  rebalance_to(t({0}));
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  first->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 1);
}

TEST_F(OffsetsTest, RefusedMemberJoinsAgainAtOnceAndItsCommitSaysThatTheGroupMovedOn) {
  config.heartbeat_interval = seconds(30);
  join();
  group.commit_errors = {BrokerErrc::unknown_member_id};
  group.next_member_id = "m-2";
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done && identity().member_id == "m-2"; }, seconds(2)));
  EXPECT_EQ(ended->failure.code, ClientErrc::revoked) << ended->failure.message();
  EXPECT_EQ(stored(0), -1);
}

TEST_F(OffsetsTest, CommitDuringARebalanceIsStoredInTheNextGeneration) {
  join();
  group.commit_errors = {BrokerErrc::rebalance_in_progress};
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(group.last("commit").generation, 2);
}

TEST_F(OffsetsTest, CommitThatCannotBeStoredSaysWhy) {
  join();
  group.commit_errors = {BrokerErrc::offset_metadata_too_large};
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(ended->failure.code, BrokerErrc::offset_metadata_too_large);
  EXPECT_NE(ended->failure.message().find("t-0"), std::string::npos) << ended->failure.message();
}

// ------------------------------------------------------------------------------------ topics by id

TEST_F(OffsetsTest, TopicsGoByTheirIdsWhereBrokersKnowThem) {
  group.stored[{"t", 0}] = {.offset = 1};
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"b", "c"}));
  EXPECT_EQ(group.last("fetch").version, 10);
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(group.last("commit").version, 10);
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, TopicsGoByTheirNamesIfOneIdIsNotKnown) {
  brokers.topics.at("t").id = {};
  group.stored[{"t", 0}] = {.offset = 1};
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"b", "c"}));
  EXPECT_EQ(group.last("fetch").version, 9);
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(group.last("commit").version, 9);
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, CoordinatorThatHasNotHeardOfTheTopicYetIsAskedAgain) {
  group.fetch_errors.assign(2, BrokerErrc::unknown_topic_id);
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"a", "b", "c"}));
  EXPECT_EQ(group.count("fetch"), 3u);
  group.commit_errors.assign(2, BrokerErrc::unknown_topic_id);
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_FALSE(ended->failure) << ended->failure.message();
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, OffsetOfATopicThatIsGoneIsNotStoredInOneOfTheSameName) {
  config.auto_commit = false;
  join();
  brokers.topics.at("t").id.bytes.fill(99);
  const auto ended = commit(one(2));
  ASSERT_TRUE(run_until([&] { return ended->done; }));
  EXPECT_EQ(ended->failure.code, BrokerErrc::unknown_topic_id);
  EXPECT_EQ(stored(0), -1);
}

TEST_F(OffsetsTest, WhatIsReadOfATopicCreatedAnewIsStoredAlthoughItIsLess) {
  join();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  poll->records.done();
  wait_for_auto_commit();
  ASSERT_EQ(stored(0), 3);
  brokers.topics.at("t") = {};
  fake::FakeTopic& anew = brokers.topics.at("t");
  anew.id.bytes.fill(99);
  for (int i = 0; i < 4; ++i) anew.partitions[i];
  anew.partitions[0].add({"new a"});
  brokers.changed();
  next_poll();
  ASSERT_TRUE(run_until([&] { return poll->done; }));
  EXPECT_EQ(poll->values(), (Strings{"new a"}));
  poll->records.done();
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 1);
}

// ----------------------------------------------------------------------------------------- refused

TEST_F(OffsetsTest, ThrottledAnswerHoldsTheNextCommitBack) {
  config.auto_commit = false;
  join();
  group.commit_throttle_ms = 2000;
  const auto first = commit(one(1));
  ASSERT_TRUE(run_until([&] { return first->done; }));
  const auto second = commit(one(2));
  host.run_for(milliseconds(1900));
  EXPECT_EQ(group.count("commit"), 1u);
  ASSERT_TRUE(run_until([&] { return second->done; }, seconds(1)));
  EXPECT_EQ(stored(0), 2);
}

TEST_F(OffsetsTest, CommitEndsAtItsDeadlineAndWhenItIsCancelled) {
  join();
  group.hold = [](const auto& request) { return request.api == "commit"; };
  const auto sent = commit(one(1), seconds(100), 7);
  host.run_for(milliseconds(10));
  const auto waiting = commit(one(2), seconds(2));
  const auto cancelled = commit(one(3), seconds(100), 8);
  host.engine().enter();
  host.engine().cancel(8);
  host.run_for(milliseconds(10));
  EXPECT_EQ(cancelled->failure.code, std::errc::operation_canceled);
  host.run_for(seconds(3));
  EXPECT_EQ(waiting->failure.code, ClientErrc::timed_out);
  EXPECT_FALSE(sent->done);
  host.engine().enter();
  host.engine().cancel(7);
  host.run_for(milliseconds(10));
  EXPECT_EQ(sent->failure.code, std::errc::operation_canceled);
}

TEST_F(OffsetsTest, CommitsThatWaitGoTogether) {
  config.auto_commit = false;
  join();
  group.hold = [](const auto& request) { return request.api == "commit"; };
  std::vector<std::shared_ptr<Ended>> all;
  all.push_back(commit(one(1)));
  host.run_for(milliseconds(10));
  for (int i = 0; i < 50; ++i) all.push_back(commit(one(2)));
  all.push_back(commit(one(3)));
  host.run_for(milliseconds(10));
  group.hold = nullptr;
  brokers.changed();
  ASSERT_TRUE(run_until([&] { return all.back()->done; }));
  for (const auto& each : all) EXPECT_TRUE(each->done && !each->failure);
  EXPECT_EQ(committed_in_order(), (std::vector<std::int64_t>{1, 3}));
}

TEST_F(OffsetsTest, AssignedPartitionsCanStoreInAGroupThatNobodyIsAMemberOf) {
  config.topics = {};
  config.assignment = {{"t", 0, Position::earliest()}};
  start();
  EXPECT_EQ(host.take(3).size(), 3u);
  wait_for_auto_commit();
  EXPECT_EQ(stored(0), 3);
  EXPECT_EQ(group.last("commit").generation, -1);
  EXPECT_EQ(group.last("commit").member_id, "");
  EXPECT_EQ(group.count("join"), 0u);
  brokers.at("t").add({"d"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"d"}));
  const auto closed = close(seconds(5));
  ASSERT_TRUE(run_until([&] { return closed->done; }));
  EXPECT_EQ(stored(0), 4);
}

}  // namespace
}  // namespace tern::kafka
