// `tern kafka groups`, as built.
#include <gmock/gmock.h>

#include <csignal>

#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Groups : public KafkaRig {
 protected:
  Words groups(Words words) const {
    words.insert(words.begin(), "groups");
    return kafka(std::move(words));
  }
  // What is written by one that goes well.
  std::string out(Words words) const {
    const Ended ended = run(groups(std::move(words)));
    EXPECT_EQ(ended.status, 0) << ended.err;
    return ended.out;
  }
  // Five records at 1000, 2000, ... in each of two partitions; group g has read them all.
  void fill_and_read(const std::string& topic = "t") {
    create_topic(topic, 2);
    std::string json;
    for (const char* partition : {"0", "1"}) {
      for (int i = 1; i <= 5; ++i) {
        json += std::string("{\"partition\":") + partition +
                ",\"value\":\"v\",\"ts\":" + std::to_string(i) + "000}\n";
      }
    }
    fill(topic, json);
    const Ended read =
        run(kafka({"consume", "-G", "g", topic, "-c", "10", "-q", "-o", "beginning"}));
    ASSERT_EQ(read.status, 0) << read.err;
  }
  // Where each partition of t is stored to be: "5 5".
  std::string stored_offsets() const {
    std::string all;
    const std::string text = out({"describe", "g"});
    for (const char* partition : {"0", "1"}) {
      const std::size_t at = text.find(std::string("\n  t      ") + partition + "          ");
      if (at == std::string::npos) return text;
      const std::size_t begin = text.find_first_not_of(' ', at + 21);
      all += (all.empty() ? "" : " ") + text.substr(begin, text.find(' ', begin) - begin);
    }
    return all;
  }
};

TEST_F(Groups, AreListed) {
  EXPECT_EQ(out({"list"}), "  GROUP  PROTOCOL  STATE\n");
  EXPECT_EQ(out({"list", "-J"}), "");
  fill_and_read();
  EXPECT_EQ(out({"list"}),
            "  GROUP  PROTOCOL  STATE\n"
            "  g      classic   Empty\n");
  EXPECT_EQ(out({"list", "-J"}),
            R"({"group":"g","type":"classic","protocol":"consumer","state":"Empty"})"
            "\n");
}

TEST_F(Groups, AreDescribedWithWhatIsLeftToRead) {
  fill_and_read();
  fill("t", "{\"partition\":1,\"value\":\"w\"}\n{\"partition\":1,\"value\":\"x\"}\n");
  EXPECT_EQ(out({"describe", "g"}),
            ("group \"g\": Empty, classic protocol, no members, coordinator 1, lag 2\n"
             "  TOPIC  PARTITION  COMMITTED  END  LAG  MEMBER  CLIENT  HOST\n"
             "  t      0          5          5    0    -       -       -\n"
             "  t      1          5          7    2    -       -       -\n"));
  EXPECT_EQ(
      out({"describe", "g", "-J"}),
      R"({"group":"g","type":"classic","protocol":"consumer","state":"Empty","assignor":"",)"
      R"("coordinator":1,"epoch":-1,"lag":2,"members":[],"partitions":[)"
      R"({"topic":"t","partition":0,"committed":5,"end":5,"lag":0,"metadata":"","member":""},)"
      R"({"topic":"t","partition":1,"committed":5,"end":7,"lag":2,"metadata":"","member":""})"
      "]}\n");
}

TEST_F(Groups, AreDescribedWithTheirMembers) {
  create_topic("t", 2);
  for (const char* protocol : {"classic", "consumer"}) {
    const std::string group = protocol;
    Command member(kafka({"consume", "-G", group, "t", "-X", "client.id=reader", "-X",
                          "group.protocol=" + group, "-X", "group.instance.id=one"}));
    EXPECT_TRUE(member.says("assigned: t [0], t [1]\n"));
    std::string text;
    while (text.find(": Stable, ") == std::string::npos) text = out({"describe", group});
    EXPECT_THAT(text, AllOf(HasSubstr("group \"" + group + "\": Stable, " + group + " protocol, "),
                            HasSubstr(", 1 member, coordinator 1, lag 0\n"),
                            HasSubstr("\n  t      0          -          0    -    "),
                            HasSubstr("\n  t      1          -          0    -    "),
                            HasSubstr(" (one)  reader  /127.0.0.1\n")));
    EXPECT_THAT(out({"describe", group, "-J"}), HasSubstr(R"("instance":"one","client":"reader")"));
    const Ended deleted = run(groups({"delete", group}));
    EXPECT_EQ(deleted.status, 1);
    EXPECT_THAT(deleted.err, HasSubstr("it can be deleted when its members have left (`tern kafka "
                                       "groups describe " +
                                       group + "` names them)"));
    const Ended moved = run(groups({"reset-offsets", group, "-t", "t", "--to-latest"}));
    EXPECT_EQ(moved.status, 1);
    EXPECT_THAT(moved.err, HasSubstr("group " + group +
                                     " is Stable and has members; offsets can "
                                     "be reset when they have left"));
    const Ended forgotten = run(groups({"delete-offsets", group, "-t", "t"}));
    EXPECT_EQ(forgotten.status, 1);
    EXPECT_THAT(forgotten.err, HasSubstr("when no member of the group is subscribed"));
    member.signal(SIGINT);
    EXPECT_EQ(member.end().status, 0);
  }
}

TEST_F(Groups, AreDeletedWithAllTheyHaveStored) {
  fill_and_read();
  const Ended deleted = run(groups({"delete", "g"}));
  EXPECT_EQ(deleted.status, 0);
  EXPECT_EQ(deleted.err, "tern: deleted group g\n");
  EXPECT_EQ(out({"list", "-J"}), "");
  for (const char* action : {"delete", "describe"}) {
    const Ended gone = run(groups({action, "g"}));
    EXPECT_EQ(gone.status, 1);
    EXPECT_EQ(gone.out, "");
    EXPECT_THAT(gone.err, AllOf(HasSubstr("group \"g\": "),
                                HasSubstr("; `tern kafka groups list` lists what there is")));
  }
}

TEST_F(Groups, OffsetsOfATopicAreForgotten) {
  fill_and_read();
  EXPECT_EQ(run(groups({"delete-offsets", "g", "-t", "t:1"})).status, 0);
  EXPECT_THAT(out({"describe", "g"}),
              AllOf(HasSubstr("\n  t      0 "), Not(HasSubstr("t      1"))));
  EXPECT_EQ(run(groups({"delete-offsets", "g", "-t", "t"})).status, 0);
}

TEST_F(Groups, ResettingOffsetsIsShownAndThenDone) {
  fill_and_read();
  const Ended shown = run(groups({"reset-offsets", "g", "-t", "t:1", "--to-earliest"}));
  EXPECT_EQ(shown.status, 0);
  EXPECT_EQ(shown.out,
            "  TOPIC  PARTITION  FROM  TO\n"
            "  t      1          5     0\n");
  EXPECT_EQ(shown.err, "tern: nothing was changed; --execute does it\n");
  EXPECT_EQ(stored_offsets(), "5 5");
  const Ended done = run(groups({"reset-offsets", "g", "-t", "t:1", "--to-earliest", "--execute"}));
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, shown.out);
  EXPECT_EQ(done.err, "");
  EXPECT_EQ(stored_offsets(), "5 0");
  EXPECT_EQ(run(kafka({"consume", "-G", "g", "t", "-e", "-q", "-f", "%p:%o "})).out,
            "1:0 1:1 1:2 1:3 1:4 ");
}

TEST_F(Groups, OffsetsGoWhereTheyAreSent) {
  fill_and_read();
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--to-offset", "3"}, "3 3"},
      {{"--shift-by", "-1"}, "2 2"},
      {{"--to-latest"}, "5 5"},
      {{"--shift-by", "-100"}, "0 0"},
      {{"--to-offset", "100"}, "5 5"},
      {{"--to-datetime", "1970-01-01T00:00:02.500Z"}, "2 2"},
      {{"--to-current"}, "2 2"},
      {{"--by-duration", "1h"}, "5 5"},
      {{"--by-duration", "P36500D"}, "0 0"},
  };
  for (const auto& [where, expected] : cases) {
    Words words = {"reset-offsets", "g", "--all-topics", "--execute"};
    words.insert(words.end(), where.begin(), where.end());
    out(words);
    EXPECT_EQ(stored_offsets(), expected) << where[0];
  }
  EXPECT_EQ(out({"reset-offsets", "g", "-t", "t:0", "--to-offset", "1", "-J", "-q"}),
            R"({"group":"g","topic":"t","partition":0,"from":0,"to":1,"done":false})"
            "\n");
}

TEST_F(Groups, WhatCannotBeResetIsSaid) {
  fill_and_read();
  const auto failed = [this](Words words) {
    words.insert(words.begin(), {"reset-offsets", "new", "--execute"});
    const Ended ended = run(groups(std::move(words)));
    EXPECT_NE(ended.status, 0);
    return ended.err;
  };
  EXPECT_THAT(failed({"-t", "t", "--shift-by", "1"}),
              HasSubstr("t [0]: nothing is stored that could be shifted"));
  EXPECT_THAT(failed({"-t", "none", "--to-latest"}), HasSubstr("topic none: "));
  EXPECT_THAT(failed({"-t", "t:2", "--to-latest"}), HasSubstr("topic t has partitions 0 to 1"));
  EXPECT_THAT(failed({"-t", "t:x", "--to-latest"}), HasSubstr("-t: \"x\" is not a number"));
  // A group that is not there yet can be told where to begin.
  EXPECT_EQ(out({"reset-offsets", "new", "-t", "t", "--to-offset", "4", "--execute"}),
            "  TOPIC  PARTITION  FROM  TO\n"
            "  t      0          -     4\n"
            "  t      1          -     4\n");
  EXPECT_EQ(run(kafka({"consume", "-G", "new", "t", "-c", "2", "-q", "-f", "%o "})).out, "4 4 ");
}

TEST_F(Groups, ATopicThatIsGoneDoesNotHideTheOthers) {
  fill_and_read();
  fill_and_read("u");
  ASSERT_EQ(run(kafka({"topics", "--delete", "u"})).status, 0);
  EXPECT_THAT(out({"describe", "g"}), HasSubstr("\n  t      0          5          5    0 "));
}

}  // namespace
}  // namespace tern::cli
