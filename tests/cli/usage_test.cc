// `tern kafka topics` and `metadata`, help, and what is said to those who get something wrong.
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::string_literals;

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
       std::vector<std::pair<std::string, std::string>>{{"produce", "btplDKkHzZcTJXFmqvd"},
                                                        {"consume", "btpoecfsDKOZJuEGXFmqvd"},
                                                        {"topics", "bJXFmqvd"},
                                                        {"groups", "btJXFmqvd"},
                                                        {"query", "btJXFmqvd"},
                                                        {"metadata", "btJXFmqvd"}}) {
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
  EXPECT_EQ(run(plain({"-Xhelp"})).out, list.out);
}

TEST_F(Usage, SettingsThatAreGivenCanBeShown) {
  const std::string file = file_with("dump.properties", "linger.ms=7\n");
  const Ended dump =
      run(plain({"-C", "-b", "h:1", "-tt", "-X", "acks=1", "-X", "dump", "-F", file}));
  EXPECT_EQ(dump.status, 0);
  EXPECT_EQ(dump.out, "bootstrap.servers = h:1\nacks = 1\nlinger.ms = 7\n");
  EXPECT_EQ(run(plain({"consume", "-Xdump", "-m", "3"})).out, "default.api.timeout.ms = 3000\n");
  EXPECT_THAT(refused({"-X", "dump", "-X", "linger=1"}), HasSubstr("linger.ms"));
}

TEST_F(Usage, TheUsualFileOfSettings) {
  const std::string usual =
      file_with("usual.properties", "bootstrap.servers=" + bootstrap() + "\n");
  create_topic("t", 1);
  ::setenv("KCAT_CONFIG", usual.c_str(), 1);
  EXPECT_EQ(run(plain({"topics"})).out, "t\n");
  EXPECT_THAT(refused({"topics", "-F", "none"}), HasSubstr("which cluster?"));
  EXPECT_THAT(refused({"topics", "-F", file_with("empty.properties", "")}),
              HasSubstr("which cluster?"));
  const std::string wrong = file_with("wrong.properties", "\nsasl.username=x\n");
  ::setenv("KCAT_CONFIG", wrong.c_str(), 1);
  EXPECT_THAT(refused({"topics"}), HasSubstr(wrong + ": line 2: "));
  ::setenv("KCAT_CONFIG", "/none", 1);
  EXPECT_THAT(refused({"topics"}), HasSubstr("KCAT_CONFIG: cannot read /none"));
  ::unsetenv("KCAT_CONFIG");
}

TEST_F(Usage, OffsetsByTime) {
  create_topic("t", 2);
  fill("t", R"({"partition":0,"value":"a","ts":1000}
{"partition":0,"value":"b","ts":2000}
{"partition":1,"value":"c","ts":3000}
)");
  fill("u", "{\"value\":\"d\",\"ts\":5}");
  const Ended text = run(kafka({"query", "-t", "u:0:0", "-tt:1:3001", "-t", "t:0:1500"}));
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.out, "t [0] offset 1\nt [1] offset -1\nu [0] offset 0\n");
  EXPECT_EQ(text.err, "");
  EXPECT_EQ(run(kafka({"-Q", "-t", "t:0:-1", "-t", "t:1:-2"})).out,
            "t [0] offset 2\nt [1] offset 0\n");
  EXPECT_EQ(run(kafka({"-Q", "-J", "-t", "t:0:-1", "-t", "t:1:-2", "-t", "u:0:0"})).out,
            "{\"t\":{\"topic\":\"t\",\"0\":{\"partition\":0,\"offset\":2},"
            "\"1\":{\"partition\":1,\"offset\":0}},"
            "\"u\":{\"topic\":\"u\",\"0\":{\"partition\":0,\"offset\":0}}}\n");
  const Ended partly = run(kafka({"query", "-t", "t:2:0", "-t", "none:0:0", "-t", "t:0:0"}));
  EXPECT_EQ(partly.status, 1);
  EXPECT_EQ(partly.out, "t [0] offset 0\n");
  EXPECT_THAT(partly.err, HasSubstr("topic t has partitions 0 to 1, and no 2"));
  EXPECT_THAT(partly.err, HasSubstr("topic none: "));
}

TEST_F(Usage, MoreWords) {
  const auto said = [this](Words words) {
    words.insert(words.end(), {"-P", "-t", "t"});
    const Ended ended = run(kafka(std::move(words)), "a\nb\n");
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.out, "");
    return ended.err;
  };
  EXPECT_THAT(said({}), Not(HasSubstr("[")));
  EXPECT_THAT(said({"-v"}), HasSubstr("tern: [broker] connected to bootstrap at " + bootstrap()));
  EXPECT_THAT(said({"-v"}), Not(HasSubstr("[msg]")));
  EXPECT_THAT(said({"-vv"}), HasSubstr("tern: [msg] delivered 2 records for t [0]: "));
  EXPECT_THAT(said({"-vvv"}), HasSubstr("tern: [protocol] Produce v"));
  EXPECT_THAT(said({"-qv"}), HasSubstr("delivered 2 records"));
  EXPECT_EQ(said({"-vq"}), "");
  EXPECT_THAT(said({"-q", "-d", "msg,eos"}), HasSubstr("[msg] delivered 2 records"));
  EXPECT_THAT(said({"-q", "-X", "debug=protocol"}), StartsWith("tern: [protocol] ApiVersions v"));
  EXPECT_THAT(said({"-d", "queue,conf"}),
              HasSubstr("-d queue, conf: nothing of that can be shown"));
  const Ended member = run(kafka({"-G", "g", "t", "-e", "-o", "beginning", "-dcgrp"}));
  EXPECT_EQ(member.status, 0);
  EXPECT_THAT(member.err, HasSubstr("[protocol] FindCoordinator v"));
  EXPECT_THAT(member.err, HasSubstr("[cgrp] group g, generation 1: 1 here, 1 new, 0 gone\n"));
}

TEST_F(Usage, WithoutACommandItIsWhatStandardInputIsFor) {
  const Ended sent = run(kafka({"-t", "t"}), "a\n");
  EXPECT_EQ(sent.status, 0);
  EXPECT_THAT(sent.err, HasSubstr("this is `produce`, as standard input is no terminal"));
  EXPECT_EQ(stored("t"), Words{"~|a"});
  EXPECT_EQ(run(kafka({"-qtt"}), "b\n").err, "");
  Command command(kafka({"-t", "t", "-e"}), "0");
  EXPECT_TRUE(command.says("b\n"));
  const Ended read = command.end();
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(read.out, "a\nb\n");
  EXPECT_THAT(read.err, HasSubstr("this is `consume`, as standard input is a terminal"));
}

// One line for each flag of `kcat -h` (1.7.1): what is added to a call that works, and what comes
// of it there. The last ones are refused, with these words.
TEST_F(Usage, EveryFlagOfKcat) {
  struct Flag {
    Words words;
    std::string out;  // or the refusal
    const char* input = "";
  };
  fill("t", R"({"key":"k","value":"v","ts":7,"headers":["a","1"]}
{"key":null,"value":null,"ts":8}
)");
  const std::string config = file_with("kcat.conf", "# of kcat\nlinger.ms=1\ntopic.acks=all\n");
  const std::string file = file_with("lines", "one;two");
  const std::string all = "v\n\n";
  const Words reading = {"-C", "-t", "t", "-e"};
  for (const Flag& flag : std::vector<Flag>{
           {{}, all},
           {{"-p", "0"}, all},
           {{"-D", "\\x3b"}, "v;;"},
           {{"-D;"}, "v;;"},
           {{"-K", "\\t"}, "k\tv\n\t\n"},
           {{"-c", "1"}, "v\n"},
           {{"-m", "5"}, all},
           {{"-F", config}, all},
           {{"-F", "none"}, all},
           {{"-X", "fetch.wait.max.ms=10"}, all},
           {{"-X", "topic.auto.offset.reset=smallest"}, all},
           {{"-d", "broker,topic"}, all},
           {{"-q"}, all},
           {{"-v"}, all},
           {{"-vvv"}, all},
           {{"-E"}, all},
           {{"-o", "beginning"}, all},
           {{"-o", "end"}, ""},
           {{"-o", "1"}, "\n"},
           {{"-o", "-1"}, "\n"},
           {{"-o", "s@8"}, "\n"},
           {{"-o", "e@8"}, "v\n"},
           {{"-f", "%s %S %k %K %T %h %t %p %o\\n\\r\\t\\x41;"},
            "v 1 k 1 7 a=1 t 0 0\n\r\tA; -1  -1 8  t 0 1\n\r\tA;"},
           {{"-c1", "-f%R"}, "\0\0\0\1"s},
           {{"-s", "B"}, "118\n\n"},
           {{"-s", "key=c", "-s", "value=s$"}, all},
           {{"-O", "-K:"}, "0:k:v\n1::\n"},
           {{"-Z"}, "v\nNULL\n"},
           {{"-u"}, all},
       }) {
    Words words = reading;
    words.insert(words.end(), flag.words.begin(), flag.words.end());
    const Ended ended = run(kafka(words));
    EXPECT_EQ(ended.status, 0) << ::testing::PrintToString(words) << ended.err;
    EXPECT_EQ(ended.out, flag.out) << ::testing::PrintToString(words);
  }
  int number = 0;
  for (const Flag& flag : std::vector<Flag>{
           {{"-E"}, "~|a:b", "a:b\n\n"},
           {{"-z", "gzip"}, "~|a", "a"},
           {{"-p", "-1"}, "~|a", "a"},
           {{"-p", "0"}, "~|a", "a"},
           {{"-D", ":"}, "~|a ~|b", "a:b"},
           {{"-K", ":"}, "a|b ~|c", "a:b\nc"},
           {{"-k", "k"}, "k|a", "a"},
           {{"-k", "k", "-K:"}, "a|b k|c", "a:b\nc"},
           {{"-H", "h=1", "-H", "i=2"}, "~|a|h=1|i=2", "a"},
           {{"-l", "-D;", file}, "~|one ~|two"},
           {{file}, "~|one;two"},
           {{"-c", "1"}, "~|a", "a\nb\n"},
           {{"-Z", "-K:"}, "a|~ ~|b", "a:\n:b\n"},
       }) {
    const std::string topic = "p" + std::to_string(number++);
    Words words = {"-P", "-t", topic};
    words.insert(words.end(), flag.words.begin(), flag.words.end());
    const Ended ended = run(kafka(words), flag.input);
    EXPECT_EQ(ended.status, 0) << ::testing::PrintToString(words) << ended.err;
    std::string records;
    for (const std::string& each : stored(topic)) records += (records.empty() ? "" : " ") + each;
    EXPECT_EQ(records, flag.out) << ::testing::PrintToString(words);
  }
  EXPECT_EQ(run(kafka({"-P", "-t", "t", "-T"}), "x\n").out, "x\n");
  EXPECT_THAT(run(kafka({"-L"})).out, HasSubstr("topic \"t\" with 1 partitions"));
  EXPECT_THAT(run(kafka({"-L", "-t", "t"})).out, HasSubstr("\n1 topics:\n"));
  EXPECT_EQ(run(kafka({"-Q", "-t", "t:0:8"})).out, "t [0] offset 1\n");
  EXPECT_EQ(run(kafka({"-G", "g", "t", "-c1", "-o", "beginning"})).out, "v\n");
  EXPECT_EQ(run(plain({"-V"})).out, "tern 0.1.0\n");
  EXPECT_EQ(run(plain({"-h"})).out, run(plain({"--help"})).out);
  EXPECT_EQ(run(plain({"-X", "list"})).status, 0);
  EXPECT_EQ(run(plain({"-b", "h:1", "-X", "dump"})).out, "bootstrap.servers = h:1\n");

  for (const Flag& flag : std::vector<Flag>{
           {{"-C", "-tt", "-r", "http://registry"}, "-r: schema registries and Avro are not"},
           {{"-C", "-tt", "-X", "schema.registry.url=http://r"}, "schema registries and Avro are"},
           {{"-C", "-tt", "-s", "avro"}, "-s value=bIs tells the id of the schema"},
           {{"-C", "-tt", "-s", "key=avro"}, "-J has the bytes"},
           {{"-C", "-tt", "-J", "-s", "q"}, "-s goes with -f"},
           {{"-C", "-tt", "-o", "stored"}, "say -G GROUP TOPIC..."},
           {{"-P", "-tt", "-z", "brotli"}, "none, gzip, snappy, lz4 or zstd"},
           {{"-P", "-tt", "-X", "transactional.id=x"}, "transactions are not supported"},
           {{"-C", "-tt", "-X", "security.protocol=sasl_ssl"}, "SASL is not supported"},
           {{"-C", "-tt", "-X", "sasl.username=me"}, "SASL is not supported"},
           {{"-P", "-tt", "-s", "q"}, "-s: is for reading: `tern kafka consume`"},
           {{"-C", "-tt", "-H", "a=1"}, "-H: is for sending: `tern kafka produce`"},
           {{"-L", "-p0"}, "-p: is for reading and sending"},
           {{"-M", "3"}, "-M: `tern broker --kafka PORT --nodes N`"},
           {{"-C", "-tt", "-U"}, "-U: runs kcat's tests of itself"},
           {{"-C", "-tt", "-d", "none"}, "-d: there is no \"none\"; there are all, "},
       }) {
    Words words = flag.words;
    words.insert(words.end(), {"-b", "h:1"});
    EXPECT_THAT(refused(words), HasSubstr(flag.out)) << ::testing::PrintToString(words);
  }
  // And the help names every letter.
  const std::string help = run(plain({"--help"})).out;
  for (const char letter : std::string_view("CPLQGtpbDKcmFXdqvEVhzkHlTZoefJsOur")) {
    EXPECT_THAT(help, HasSubstr(std::string(" -") + letter));
  }
}

TEST_F(Usage, NonsenseGetsTheNextStep) {
  EXPECT_THAT(refused({}), HasSubstr("tern kafka produce "));
  EXPECT_THAT(refused({"produec"}), HasSubstr("kafka has no command \"produec\""));
  EXPECT_THAT(refused({"-P", "-b", "h:1", "-C"}), HasSubstr("-P and -C: one of them"));
  EXPECT_THAT(refused({"consume", "-b", "h:1", "-C"}), HasSubstr("-C: names a command"));
  EXPECT_THAT(refused({"query", "-b", "h:1"}), HasSubstr("say -t TOPIC:PARTITION:TIMESTAMP"));
  EXPECT_THAT(refused({"query", "-b", "h:1", "-t", "t:0"}), HasSubstr("is not TOPIC:PARTITION:"));
  EXPECT_THAT(refused({"query", "-b", "h:1", "-t", "t:x:0"}),
              HasSubstr("-t, the partition: \"x\""));
  EXPECT_THAT(refused({"query", "-b", "h:1", "-t", "t:0:-3"}), HasSubstr("-t, the timestamp: "));
  EXPECT_THAT(refused({"query", "-b", "h:1", "-tt:0:1", "-tt:0:2"}), HasSubstr("t [0] twice"));
  EXPECT_THAT(refused({"query", "-b", "h:1", "-tt:0:1", "x"}), HasSubstr("\"x\": say -t"));
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
