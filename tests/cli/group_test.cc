// `tern kafka consume -G`, as built: members of groups at an embedded broker.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "tests/broker/group_coordinator.h"
#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Member : public KafkaRig {
 protected:
  // In group g, from the beginning.
  Words member(Words words) const {
    words.insert(words.begin(), {"consume", "-G", "g", "-o", "beginning"});
    return kafka(std::move(words));
  }
  void fill_five(const std::string& topic = "t") {
    fill(topic,
         "{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"value\":\"c\"}\n{\"value\":\"d\"}\n"
         "{\"value\":\"e\"}\n");
  }
  // What the group has stored, from the broker's memory; -1: nothing.
  std::int64_t stored_offset(const std::string& topic = "t", std::int32_t partition = 0) {
    std::int64_t offset = -1;
    with_group([&](const broker::Group& group) {
      const auto found = group.offsets.find(topic);
      if (found == group.offsets.end() || !found->second.contains(partition)) return;
      offset = found->second.at(partition).offset;
    });
    return offset;
  }
  bool has_members() {
    bool empty = true;
    with_group([&](const broker::Group& group) { empty = group.is_empty(); });
    return !empty;
  }

 private:
  template <class Call>
  void with_group(Call call) {
    on_thread([&](broker::EmbeddedKafka& kafka) {
      const auto& groups = kafka.cluster().groups().groups();
      if (const auto found = groups.find("g"); found != groups.end()) call(found->second);
    });
  }
};

TEST_F(Member, GoesOnWhereTheGroupHasStopped) {
  fill_five();
  const Ended first = run(member({"t", "-c", "3"}));
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, "a\nb\nc\n");
  EXPECT_THAT(first.err, AllOf(HasSubstr("tern: group g rebalanced (memberid tern-"),
                               HasSubstr("): assigned: t [0]\n"), HasSubstr("): revoked: t [0]\n"),
                               HasSubstr("tern: read 3 records, ")));
  EXPECT_EQ(stored_offset(), 3);
  EXPECT_FALSE(has_members());
  EXPECT_EQ(run(member({"t", "-e"})).out, "d\ne\n");
  EXPECT_EQ(stored_offset(), 5);
  EXPECT_EQ(run(member({"t", "-e"})).out, "");
}

TEST_F(Member, SignalsEndItOnceAllThatWasWrittenIsStored) {
  fill_five();
  for (const int number : {SIGINT, SIGTERM}) {
    const std::int64_t before = std::max<std::int64_t>(stored_offset(), 0);
    Command command(member({"t"}));
    if (before == 0) {
      EXPECT_TRUE(command.says("e\n"));
    }
    fill("t", "{\"value\":\"more\"}");
    EXPECT_TRUE(command.says("more\n"));
    command.signal(number);
    const Ended ended = command.end();
    EXPECT_EQ(ended.status, 0);
    EXPECT_THAT(ended.err, HasSubstr("tern: interrupted; read "));
    EXPECT_EQ(stored_offset(), before == 0 ? 6 : before + 1);
    EXPECT_FALSE(has_members());
  }
}

TEST_F(Member, WhatIsNotInTheFormatIsNotStored) {
  fill("t", "{\"value\":\"1\"}\n{\"value\":\"22\"}\n{\"value\":\"3\"}\n");
  const Ended stopped = run(member({"t", "-e", "-s", "c$"}));
  EXPECT_EQ(stopped.status, 1);
  EXPECT_EQ(stopped.out, "1\n");
  EXPECT_EQ(stored_offset(), 1);
  const Ended whole = run(member({"t", "-e", "-s", "c$", "-E"}));
  EXPECT_EQ(whole.status, 1);
  EXPECT_EQ(whole.out, "3\n");
  EXPECT_EQ(stored_offset(), 3);
}

TEST_F(Member, CtrlCAtATerminal) {
  fill_five();
  Command command(member({"t"}), "012");
  EXPECT_TRUE(command.says("e\r\n"));
  command.type("\x03");
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("tern: interrupted; read 5 records"));
  EXPECT_EQ(stored_offset(), 5);
  EXPECT_FALSE(has_members());
}

TEST_F(Member, CtrlCBeforeTheEndThatWasAskedForIsNoSuccess) {
  fill_five();
  Command command(member({"t", "-c", "6"}));
  EXPECT_TRUE(command.says("e\n"));
  command.signal(SIGINT);
  EXPECT_EQ(command.end().status, 130);
  EXPECT_EQ(stored_offset(), 5);
}

TEST_F(Member, CtrlCWhileTheGroupIsNotToBeHad) {
  fill_five();
  broker::Injection silence;
  silence.no_answer = true;
  silence.times = broker::kAlways;
  inject(kafka::kFindCoordinatorApi, silence);
  std::future<void> asked = next_request(kafka::kFindCoordinatorApi);
  Command command(member({"t"}));
  asked.wait();
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "");
}

TEST_F(Member, AReaderThatLeavesEndsItAndWhatItWasNotGivenIsNotStored) {
  constexpr int kMany = 400'000;  // more than a pipe takes
  ASSERT_EQ(run(kafka({"produce", "-t", "t"}), numbers(kMany)).status, 0);
  Command command(member({"t"}));
  EXPECT_TRUE(command.says("0\n1\n"));
  command.close_output(STDOUT_FILENO);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, Not(HasSubstr("read ")));
  EXPECT_LT(stored_offset(), kMany);
  EXPECT_FALSE(has_members());
}

TEST_F(Member, AReaderThatLeavesEndsItEvenIfNothingMoreComes) {
  fill_five();
  Command command(member({"t", "-u", "-X", "auto.commit.interval.ms=10"}));
  EXPECT_TRUE(command.says("e\n"));
  // What was written last counts as given only once the reader is seen to be there still.
  while (stored_offset() != 5) std::this_thread::yield();
  command.close_output(STDOUT_FILENO);
  EXPECT_EQ(command.end().status, 0);
  EXPECT_EQ(stored_offset(), 5);
  EXPECT_FALSE(has_members());
}

TEST_F(Member, OutputThatCannotBeWrittenIsAnErrorAndNothingIsStored) {
  fill_five();
  std::string line;
  for (const std::string& word : member({"t", "-e"})) line += word + " ";
  const Ended full = run({"/bin/sh", "-c", line + "> /dev/full"});
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("cannot write the records: No space left on device"));
  EXPECT_EQ(stored_offset(), -1);
  EXPECT_FALSE(has_members());
}

TEST_F(Member, OffsetsThatCannotBeStoredAreAnError) {
  fill_five();
  broker::Injection refusal;
  refusal.error = kafka::BrokerErrc::group_authorization_failed;
  refusal.times = broker::kAlways;
  inject(kafka::kOffsetCommitApi, refusal);
  const Ended ended = run(member({"t", "-e"}));
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out, "a\nb\nc\nd\ne\n");
  EXPECT_THAT(ended.err, HasSubstr("tern: the last offsets were not stored, so some records will "
                                   "be read again: "));
  EXPECT_FALSE(has_members());
}

TEST_F(Member, SideBySideTheyShareAndOneTakesOverFromAnother) {
  create_topic("t", 2);
  const Words words = {"t", "-f", "%p=%s\\n", "-X", "heartbeat.interval.ms=100"};
  Command first(member(words));
  EXPECT_TRUE(first.says("assigned: t [0], t [1]\n"));
  Command second(member(words));
  EXPECT_TRUE(first.says("revoked: t [0], t [1]\n"));
  EXPECT_TRUE(second.says("assigned: t ["));
  fill("t", "{\"partition\":0,\"value\":\"a\"}\n{\"partition\":1,\"value\":\"b\"}\n");
  EXPECT_TRUE(first.says("="));  // whichever of the two
  EXPECT_TRUE(second.says("="));
  first.signal(SIGTERM);
  const Ended left = first.end();
  EXPECT_EQ(left.status, 0);
  EXPECT_TRUE(second.says("assigned: t [0], t [1]\n"));
  fill("t", "{\"partition\":0,\"value\":\"c\"}\n");
  EXPECT_TRUE(second.says("0=c\n"));
  second.signal(SIGINT);
  const Ended stayed = second.end();
  if (left.out == "0=a\n") {
    EXPECT_EQ(stayed.out, "1=b\n0=c\n");
  } else {
    EXPECT_EQ(left.out, "1=b\n");
    EXPECT_EQ(stayed.out, "0=a\n0=c\n");
  }
  EXPECT_EQ(stored_offset("t", 0), 2);
  EXPECT_EQ(stored_offset("t", 1), 1);
}

TEST_F(Member, TheConsumerProtocol) {
  fill_five();
  const Ended ended = run(member({"t", "-e", "-X", "group.protocol=consumer"}));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "a\nb\nc\nd\ne\n");
  EXPECT_EQ(stored_offset(), 5);
  EXPECT_FALSE(has_members());
}

TEST_F(Member, SeveralTopicsAndRegularExpressions) {
  for (const char* topic : {"orders", "orders-eu", "refunds", "reorders"}) {
    fill(topic, std::string("{\"value\":\"") + topic + "\"}");
  }
  const auto read = [this](Words words) {
    words.insert(words.begin(), {"-q"});
    const Ended ended = run(member(std::move(words)));
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.err, "");
    return ended.out;
  };
  EXPECT_THAT(read({"^orders", "refunds", "-c", "3"}),
              AllOf(HasSubstr("orders\n"), HasSubstr("orders-eu\n"), HasSubstr("refunds\n"),
                    Not(HasSubstr("reorders"))));
  EXPECT_EQ(read({"^r.*s$", "-c", "1"}), "reorders\n");
}

TEST_F(Member, FormsOfRecords) {
  fill("t", R"({"key":"k","value":"v","ts":1234})");
  EXPECT_EQ(run(member({"t", "-J", "-c", "1"})).out,
            R"({"topic":"t","partition":0,"offset":0,"tstype":"create","ts":1234,"key":"k",)"
            R"("payload":"v"})"
            "\n");
  fill("t", R"({"key":"k","value":"w"})");
  EXPECT_EQ(run(plain({"-b", bootstrap(), "-G", "g", "t", "-c1", "-f", "%k=%s;"})).out, "k=w;");
}

TEST_F(Member, WhereAGroupBeginsThatHasStoredNothing) {
  fill_five();
  const Words words = {"consume", "-G", "g", "t", "-e"};
  const Ended end = run(kafka(words));
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.out, "");
  Words none = words;
  none.insert(none.end(), {"-o", "none"});
  const Ended refused = run(kafka(none));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("has stored no offset"));
  Words property = words;
  property.insert(property.end(), {"-X", "auto.offset.reset=earliest"});
  EXPECT_EQ(run(kafka(property)).out, "a\nb\nc\nd\ne\n");
}

TEST_F(Member, WithoutAutomaticCommitsNothingIsStored) {
  fill_five();
  EXPECT_EQ(run(member({"t", "-e", "-X", "enable.auto.commit=false"})).status, 0);
  EXPECT_EQ(stored_offset(), -1);
}

TEST_F(Member, ATopicThatDoesNotExistIsNotMade) {
  const Ended ended = run(member({"none", "-e"}));
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("tern: topic none: "),
                               HasSubstr("; `tern kafka topics` lists what there is")));
  EXPECT_EQ(run(kafka({"topics"})).out, "");
}

TEST_F(Member, ReadingPartitionsLeavesAGroupOfTheSettingsAlone) {
  fill_five();
  EXPECT_EQ(run(kafka({"consume", "-t", "t", "-e", "-q", "-X", "group.id=g"})).out,
            "a\nb\nc\nd\ne\n");
  EXPECT_EQ(stored_offset(), -1);
}

}  // namespace
}  // namespace tern::cli
