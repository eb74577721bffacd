// Each checker is shown to stay silent on a good run and to speak on each kind of bad one.
#include "tests/sim/checkers.h"

#include <gtest/gtest.h>

namespace tern::sim {
namespace {

bool names(const Problems& problems, const std::string& rule) {
  for (const std::string& p : problems) {
    if (p.starts_with(rule + ": ")) return true;
  }
  return false;
}

std::string text(const Problems& problems) {
  ProblemList list;
  list.add_all(problems);
  return list.text();
}

struct Produced : testing::Test {
  // Two producers, two partitions, ten records, all stored as they should.
  Produced() {
    for (std::uint64_t id = 0; id < 10; ++id) {
      const auto partition = static_cast<std::int32_t>(id % 2);
      const auto offset = static_cast<std::int64_t>(id / 2);
      sent.push_back(
          {id, static_cast<std::uint32_t>(id / 5), Outcome::ok, partition, offset, 100 + id});
      stored.push_back({id, partition, offset, 100 + id});
    }
  }
  Problems check() const { return check_produced(sent, stored, rules); }
  void expect_only(const std::string& rule) const {
    const Problems problems = check();
    EXPECT_EQ(problems.size(), 1u) << text(problems);
    EXPECT_TRUE(names(problems, rule)) << text(problems);
  }
  std::vector<Sent> sent;
  std::vector<Stored> stored;
  ProduceRules rules;
};

TEST_F(Produced, AGoodRunIsGood) { EXPECT_EQ(text(check()), ""); }

TEST_F(Produced, LostWrite) {
  stored.pop_back();
  expect_only("lost-write");
  rules.may_lose = true;
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, UnacknowledgedMayBeThereOrNot) {
  sent[9].outcome = Outcome::maybe_written;
  sent[9].offset = -1;
  EXPECT_EQ(text(check()), "");
  stored.pop_back();
  EXPECT_EQ(text(check()), "");
  sent[9].outcome = Outcome::not_written;
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, Duplicate) {
  stored.push_back({9, 1, 5, 109});
  expect_only("duplicate");
  rules.exactly_once = false;
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, MaybeWrittenTwiceIsADuplicate) {
  sent[9].outcome = Outcome::maybe_written;
  stored.push_back({9, 1, 5, 109});
  expect_only("duplicate");
}

TEST_F(Produced, DefiniteFailureFoundInTheLog) {
  sent[9].outcome = Outcome::not_written;
  sent[9].offset = -1;
  expect_only("dishonest");
}

TEST_F(Produced, Overtaken) {
  std::swap(stored[0].offset, stored[2].offset);
  std::swap(sent[0].offset, sent[2].offset);
  expect_only("order");
  rules.ordered = false;
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, OrderHoldsOnlyWithinAProducer) {
  // Records 4 and 6 lie in partition 0 and belong to different producers.
  std::swap(stored[4].offset, stored[6].offset);
  std::swap(sent[4].offset, sent[6].offset);
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, OrderLooksAtFirstAppearancesOnly) {
  rules.exactly_once = false;
  stored.push_back({0, 0, 5, 100});  // a retry that was stored again
  EXPECT_EQ(text(check()), "");
}

TEST_F(Produced, OtherBytes) {
  stored[3].checksum ^= 1;
  expect_only("content");
}

TEST_F(Produced, BytesNobodySent) {
  stored.push_back({77, 0, 5, 1});
  expect_only("content");
}

TEST_F(Produced, WrongOffset) {
  sent[3].offset = 4;
  expect_only("wrong-offset");
}

TEST_F(Produced, WrongPartition) {
  sent[9].partition = 0;
  const Problems problems = check();
  EXPECT_TRUE(names(problems, "wrong-partition")) << text(problems);
}

TEST_F(Produced, NeverCompleted) {
  sent[9].outcome = Outcome::pending;
  expect_only("call-never");
}

struct Consumed : testing::Test {
  Consumed() {
    for (std::int64_t offset = 0; offset < 6; ++offset) {
      if (offset == 3) continue;  // a hole, as a control batch leaves
      log.push_back({static_cast<std::uint64_t>(offset), 0, offset, 50});
    }
    checker.start(0, 0);
  }
  void receive(std::int64_t offset) {
    checker.received(0, offset, static_cast<std::uint64_t>(offset), 50);
  }
  void receive_all() {
    for (std::int64_t offset : {0, 1, 2, 4, 5}) receive(offset);
  }
  Problems finish(bool to_the_end = true) const { return checker.finish(log, to_the_end); }
  std::vector<Stored> log;
  ConsumeChecker checker;
};

TEST_F(Consumed, AGoodRunIsGood) {
  receive_all();
  EXPECT_EQ(text(finish()), "");
  EXPECT_EQ(checker.count(), 5u);
  EXPECT_EQ(checker.next_offset(0), 6);
}

TEST_F(Consumed, Unseen) {
  for (std::int64_t offset : {0, 1, 2, 4}) receive(offset);
  EXPECT_TRUE(names(finish(), "unseen"));
  EXPECT_EQ(text(finish(false)), "");
}

TEST_F(Consumed, Skip) {
  for (std::int64_t offset : {0, 2, 4, 5}) receive(offset);
  EXPECT_EQ(finish().size(), 1u);
  EXPECT_TRUE(names(finish(), "poll-skip")) << text(finish());
}

TEST_F(Consumed, SkipAtTheStart) {
  for (std::int64_t offset : {1, 2, 4, 5}) receive(offset);
  EXPECT_TRUE(names(finish(), "poll-skip"));
}

TEST_F(Consumed, TheSameAgain) {
  receive_all();
  receive(5);
  EXPECT_TRUE(names(finish(), "nonmonotonic-poll"));
}

TEST_F(Consumed, Backwards) {
  for (std::int64_t offset : {0, 1, 2, 1, 2, 4, 5}) receive(offset);
  EXPECT_TRUE(names(finish(), "nonmonotonic-poll"));
}

TEST_F(Consumed, BackwardsAfterASeekIsFine) {
  receive_all();
  checker.start(0, 1);
  for (std::int64_t offset : {1, 2, 4, 5}) receive(offset);
  EXPECT_EQ(text(finish()), "");
}

TEST_F(Consumed, OfTheOldPositionAfterASeek) {
  for (std::int64_t offset : {0, 1, 2}) receive(offset);
  checker.start(0, 0);
  for (std::int64_t offset : {4, 5}) receive(offset);
  EXPECT_TRUE(names(finish(), "poll-skip"));
}

TEST_F(Consumed, OtherContent) {
  receive_all();
  log[1].checksum = 51;
  EXPECT_TRUE(names(finish(), "content"));
}

TEST_F(Consumed, AnotherRecord) {
  receive_all();
  log[1].id = 51;
  EXPECT_TRUE(names(finish(), "content"));
}

TEST_F(Consumed, NotInTheLog) {
  for (std::int64_t offset : {0, 1, 2, 3, 4, 5}) receive(offset);
  EXPECT_TRUE(names(finish(), "content"));
}

TEST_F(Consumed, Unassigned) {
  receive_all();
  checker.received(1, 0, 0, 50);
  EXPECT_TRUE(names(finish(), "unassigned"));
}

TEST_F(Consumed, AfterBeingStopped) {
  receive(0);
  checker.stop(0);
  EXPECT_EQ(text(finish()), "");
  receive(1);
  EXPECT_TRUE(names(finish(), "unassigned"));
}

TEST(CallLedger, CountsEachCall) {
  CallLedger ledger;
  int ran = 0;
  auto first = ledger.track("first", [&ran](int n) { ran += n; });
  {
    auto dropped = ledger.track("dropped", [] {});
    static_cast<void>(dropped);
  }
  EXPECT_EQ(ledger.pending(), 2u);
  first(1);
  EXPECT_EQ(ledger.pending(), 1u);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(ledger.check().size(), 1u);
  EXPECT_TRUE(names(ledger.check(), "call-never"));
  first(1);
  EXPECT_TRUE(names(ledger.check(), "call-twice"));
  EXPECT_EQ(ledger.pending(), 1u);
}

TEST(Baseline, SeesWhatWasNotReturned) {
  std::uint64_t held = 5;
  Baseline baseline;
  baseline.watch("bytes", [&held] { return held; });
  held = 7;
  EXPECT_TRUE(names(baseline.check(), "not-returned"));
  held = 5;
  EXPECT_TRUE(baseline.check().empty());
  held = 9;
  baseline.take();
  EXPECT_TRUE(baseline.check().empty());
}

}  // namespace
}  // namespace tern::sim
