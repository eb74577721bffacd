// `tern kafka topics` and `metadata`, help, and what is said to those who get something wrong.
#include <gmock/gmock.h>

#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Usage : public KafkaRig {
 protected:
  // Exit status 2, and what is said.
  static std::string refused(Words words) {
    const Ended ended = run(plain(std::move(words)));
    EXPECT_EQ(ended.status, 2);
    EXPECT_EQ(ended.out, "");
    return ended.err;
  }
};

TEST_F(Usage, TopicsAreMadeListedGrownAndDeleted) {
  const Ended made = run(kafka({"topics", "--create", "a", "--create", "b", "--partitions", "2",
                                "--config", "retention.ms=1000"}));
  EXPECT_EQ(made.status, 0);
  EXPECT_EQ(made.err, "tern: created a\ntern: created b\n");
  EXPECT_EQ(run(kafka({"topics"})).out, "a\nb\n");
  EXPECT_EQ(run(kafka({"topics", "--add-partitions", "b", "--partitions", "3"})).status, 0);
  EXPECT_EQ(run(kafka({"topics", "b"})).out,
            "topic \"b\" with 3 partitions:\n"
            "  partition 0, leader 1, replicas: 1, isrs: 1\n"
            "  partition 1, leader 1, replicas: 1, isrs: 1\n"
            "  partition 2, leader 1, replicas: 1, isrs: 1\n");
  EXPECT_EQ(run(kafka({"topics", "--delete", "a"})).status, 0);
  EXPECT_EQ(run(kafka({"topics"})).out, "b\n");

  const Ended twice = run(kafka({"topics", "--create", "b"}));
  EXPECT_EQ(twice.status, 1);
  EXPECT_THAT(twice.err, HasSubstr("tern: b: "));
  const Ended gone = run(kafka({"topics", "--delete", "a"}));
  EXPECT_EQ(gone.status, 1);
  const Ended unknown = run(kafka({"topics", "a"}));
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("topic a: "));
}

TEST_F(Usage, MetadataAsTextAndAsJson) {
  create_topic("t", 1);
  const Ended text = run(kafka({"metadata"}));
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, HasSubstr("\n1 brokers:\n  broker 1 at " + bootstrap() +
                                  " (controller)\n1 topics:\n"
                                  "topic \"t\" with 1 partitions:\n"
                                  "  partition 0, leader 1, replicas: 1, isrs: 1\n"));
  const Ended json = run(kafka({"-L", "-J"}));
  EXPECT_EQ(json.status, 0);
  EXPECT_THAT(json.out, StartsWith("{\"query\":{\"topic\":\"*\"},"));
  EXPECT_THAT(json.out, HasSubstr("\"brokers\":[{\"id\":1,\"name\":\"" + bootstrap() + "\"}],"));
  EXPECT_THAT(json.out,
              HasSubstr("\"topics\":[{\"topic\":\"t\",\"partitions\":[{\"partition\":0,"
                        "\"leader\":1,\"replicas\":[{\"id\":1}],\"isrs\":[{\"id\":1}]}]"));
  EXPECT_EQ(run(kafka({"metadata", "-t", "none"})).status, 1);
}

TEST_F(Usage, AsKcatIsCalled) {
  EXPECT_EQ(run(plain({"-b", bootstrap(), "-P", "-tt", "-K:"}), "k:v\nk:w\n").status, 0);
  const Ended read = run(plain({"-C", "-b", bootstrap(), "-t", "t", "-qe", "-o-1", "-f%k=%s\\n"}));
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(read.out, "k=w\n");
  EXPECT_EQ(read.err, "");
  EXPECT_EQ(run(plain({"--brokers=" + bootstrap(), "-C", "--topic", "t", "-c1"})).out, "v\n");
}

TEST_F(Usage, HelpTeaches) {
  EXPECT_THAT(run({"client/cli/tern", "--help"}).out, HasSubstr("tern kafka "));
  const Ended all = run(plain({"--help"}));
  EXPECT_EQ(all.status, 0);
  for (const char* each : {"Examples:", "From kcat:", "Exit status:", "-X list", "`tern kafka"}) {
    EXPECT_THAT(all.out, HasSubstr(each));
  }
  for (const auto& [command, flags] :
       std::vector<std::pair<std::string, std::string>>{{"produce", "btplDKkHzZcTJXFmq"},
                                                        {"consume", "btpoecfDKOZJuGXFmq"},
                                                        {"topics", "bJXFmq"},
                                                        {"groups", "btJXFmq"},
                                                        {"metadata", "btJXFmq"}}) {
    const Ended help = run(plain({command, "--help"}));
    EXPECT_EQ(help.status, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_THAT(help.out, HasSubstr("\nExamples:\n  "));
    for (const char flag : flags) {
      EXPECT_THAT(help.out, HasSubstr(std::string("\n  -") + flag)) << command;
    }
  }
}

TEST_F(Usage, SettingsCanBeListed) {
  const Ended list = run(plain({"-X", "list"}));
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.out, HasSubstr("\nlinger.ms\n"));
  EXPECT_EQ(run(plain({"produce", "-Xlist"})).out, list.out);
}

TEST_F(Usage, NonsenseGetsTheNextStep) {
  EXPECT_THAT(refused({}), HasSubstr("tern kafka produce "));
  EXPECT_THAT(refused({"produec"}), HasSubstr("kafka has no command \"produec\""));
  EXPECT_THAT(refused({"consume", "-t", "t"}), HasSubstr("which cluster? say -b HOST:PORT"));
  EXPECT_THAT(refused({"consume", "-b", "h:1"}), HasSubstr("which topic? say -t TOPIC"));
  EXPECT_THAT(refused({"produce", "-b", "h:1"}), HasSubstr("which topic? say -t TOPIC"));
  EXPECT_THAT(refused({"consume", "-b", "h:x", "-t", "t"}), HasSubstr("bootstrap.servers"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "--nothing"}),
              HasSubstr("unknown option --nothing\nTry `tern kafka consume --help`."));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-y"}), HasSubstr("unknown option -y"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t"}), HasSubstr("-t needs a value"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "u"}), HasSubstr("named with -t"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-o", "soon"}),
              HasSubstr("-o: \"soon\" is none of: beginning, end, OFFSET"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-c", "0"}),
              HasSubstr("-c: \"0\" is not a number from 1"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-f", "%x"}),
              HasSubstr("there is no %x"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-J", "-f", "%s"}),
              HasSubstr("-J and -f"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-O"}), HasSubstr("-O needs -K"));
  EXPECT_THAT(refused({"produce", "-b", "h:1", "-t", "t", "-G", "g"}),
              HasSubstr("-G: groups are for reading: `tern kafka consume -G GROUP TOPIC...`"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-G", "g"}),
              HasSubstr("which topics? say -G g TOPIC..., or '^REGEX'"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-G", "", "t"}), HasSubstr("-G: which group?"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-G", "g", "t", "-p", "1"}),
              HasSubstr("-p and -G: a group gives its members partitions"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-G", "g", "t", "-o", "5"}),
              HasSubstr("`tern kafka groups reset-offsets` moves a group"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-G", "g", "^("}),
              HasSubstr("\"^(\" is no regular expression"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-t", "t", "-o", "stored"}),
              HasSubstr("say -G GROUP TOPIC..."));
  EXPECT_THAT(refused({"produce", "-b", "h:1", "-t", "t", "-l"}), HasSubstr("-l: which file?"));
  EXPECT_THAT(refused({"produce", "-b", "h:1", "-t", "t", "-H", "=1"}),
              HasSubstr("a header needs"));
  EXPECT_THAT(refused({"produce", "-b", "h:1", "-t", "t", "-X", "acks"}), HasSubstr("name=value"));
  EXPECT_THAT(refused({"produce", "-b", "h:1", "-t", "t", "-F", "/none"}), HasSubstr("/none"));
  EXPECT_THAT(refused({"topics", "-b", "h:1", "--create", "a", "--delete", "b"}),
              HasSubstr("one at a time"));
  EXPECT_THAT(refused({"topics", "-b", "h:1", "--add-partitions", "a"}),
              HasSubstr("say --partitions N"));
  const auto groups = [](Words words) {
    words.insert(words.begin(), {"groups", "-b", "h:1"});
    return refused(std::move(words));
  };
  EXPECT_THAT(groups({}), HasSubstr("what to do? say list, describe, "));
  EXPECT_THAT(groups({"show"}), HasSubstr("groups cannot \"show\": say list, describe, "));
  EXPECT_THAT(groups({"list", "g"}), HasSubstr("`groups describe g` tells of one group"));
  EXPECT_THAT(groups({"delete"}), HasSubstr("which groups? say `groups delete GROUP...`"));
  EXPECT_THAT(groups({"reset-offsets", "-t", "t"}), HasSubstr("which group? say "));
  EXPECT_THAT(groups({"reset-offsets", "g", "h", "-t", "t"}), HasSubstr("one group at a time"));
  EXPECT_THAT(groups({"reset-offsets", "g"}), HasSubstr("of which topics? say -t TOPIC, or --all"));
  EXPECT_THAT(groups({"reset-offsets", "g", "-t", "t"}), HasSubstr("where to? say --to-earliest"));
  EXPECT_THAT(groups({"reset-offsets", "g", "-t", "t", "--to-latest", "--to-offset", "1"}),
              HasSubstr("say one of them"));
  EXPECT_THAT(groups({"reset-offsets", "g", "-t", "t", "--by-duration", "soon"}),
              HasSubstr("--by-duration: \"soon\" is no duration; it looks like 90s"));
  EXPECT_THAT(groups({"describe", "g", "--execute"}), HasSubstr("go with reset-offsets"));
  EXPECT_THAT(groups({"describe", "g", "-t", "t"}), HasSubstr("-t goes with reset-offsets"));
  EXPECT_THAT(refused({"metadata", "-b", "h:1", "t"}), HasSubstr("a topic is named with -t"));
}

TEST_F(Usage, ATopicThatDoesNotExist) {
  const Ended read = run(kafka({"consume", "-t", "none", "-e"}));
  EXPECT_EQ(read.status, 1);
  EXPECT_THAT(read.err, HasSubstr("topic none: "));
  EXPECT_THAT(read.err, HasSubstr("; `tern kafka topics` lists what there is"));
  const Ended written =
      run(kafka({"produce", "-t", "none", "-X", "allow.auto.create.topics=false"}), "a\n");
  EXPECT_EQ(written.status, 1);
  EXPECT_THAT(written.err, HasSubstr("topic none: "));
  EXPECT_THAT(written.err, HasSubstr("; `tern kafka topics --create none` makes one"));
  EXPECT_EQ(run(kafka({"consume", "-t", "no/such", "-e"})).status, 1);
}

TEST_F(Usage, AClusterThatIsNotThere) {
  // A port that was free a moment ago.
  const std::string gone = bootstrap();
  on_thread([](broker::EmbeddedKafka& kafka) { kafka.stop(); });
  for (const char* command : {"produce", "consume"}) {
    const Ended ended = run(plain({command, "-b", gone, "-t", "t", "-m", "1"}), "a\n");
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("tern: cannot ask for topic t: "));
    EXPECT_THAT(ended.err, HasSubstr(gone));
    EXPECT_THAT(ended.err,
                HasSubstr("; -b says where the cluster is, -m SECONDS how long to wait"));
  }
  const Ended quiet = run(plain({"metadata", "-b", gone, "-m", "1", "-q"}));
  EXPECT_EQ(quiet.status, 1);
  EXPECT_THAT(quiet.err, HasSubstr("tern: cannot describe the cluster: "));
  EXPECT_THAT(quiet.err, Not(HasSubstr("trying again")));
  const Ended unknown = run(plain({"metadata", "-b", "no.such.host.invalid:9092", "-m", "1"}));
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no.such.host.invalid"));
}

}  // namespace
}  // namespace tern::cli
