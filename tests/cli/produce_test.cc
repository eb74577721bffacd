// `tern kafka produce`, as built.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::string_literals;

class Produce : public KafkaRig {
 protected:
  Words produce(Words words) const {
    words.insert(words.begin(), {"produce", "-t", "t"});
    return kafka(std::move(words));
  }
};

TEST_F(Produce, LinesOfAPipe) {
  const Ended ended = run(produce({}), "one\n\ntwo\nthree without an end");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("tern: delivered 3 records, "));
  EXPECT_EQ(stored("t"), (Words{"~|one", "~|two", "~|three without an end"}));
}

TEST_F(Produce, NothingIsNoError) {
  const Ended ended = run(produce({}));
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr("delivered 0 records"));
}

TEST_F(Produce, QuietSaysNothing) {
  const Ended ended = run(produce({"-q"}), "one\n");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(stored("t"), Words{"~|one"});
}

TEST_F(Produce, BytesAreTakenAsTheyAre) {
  EXPECT_EQ(run(produce({}), "a\0b\n\xff\r\n"s).status, 0);
  EXPECT_EQ(stored("t"), (Words{"~|a\0b"s, "~|\xff\r"}));
}

TEST_F(Produce, AllLinesInOrder) {
  constexpr int kMany = 100'000;
  const Ended ended = run(produce({}), numbers(kMany));
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr("delivered 100,000 records"));
  const Words found = stored("t");
  ASSERT_EQ(found.size(), std::size_t{kMany});
  for (int i = 0; i < kMany; ++i) {
    ASSERT_EQ(found[static_cast<std::size_t>(i)], "~|" + std::to_string(i));
  }
}

TEST_F(Produce, KeysBeforeADelimiter) {
  EXPECT_EQ(run(produce({"-K", "::"}), "k::v\nk::\n::v::w\nplain\n").status, 0);
  EXPECT_EQ(stored("t"), (Words{"k|v", "k|", "|v::w", "~|plain"}));
}

TEST_F(Produce, EmptyIsNullIfWanted) {
  EXPECT_EQ(run(produce({"-K:", "-Z"}), "k:v\nk:\n:v\n").status, 0);
  EXPECT_EQ(stored("t"), (Words{"k|v", "k|~", "~|v"}));
}

TEST_F(Produce, AKeyForAllAndHeaders) {
  const Words words = produce({"-k", "all", "-K:", "-H", "a=1", "-H", "b=", "-H", "c"});
  EXPECT_EQ(run(words, "own:v\nplain\n").status, 0);
  EXPECT_EQ(stored("t"), (Words{"own|v|a=1|b=|c=~", "all|plain|a=1|b=|c=~"}));
}

TEST_F(Produce, APartition) {
  create_topic("t", 3);
  EXPECT_EQ(run(produce({"-p", "2"}), "one\ntwo\n").status, 0);
  EXPECT_EQ(stored("t", 2), (Words{"~|one", "~|two"}));
  const Ended wrong = run(produce({"-p", "3"}), "one\n");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("-p 3: topic t has partitions 0 to 2"));
}

TEST_F(Produce, Gzip) {
  const std::string line(100'000, 'x');
  EXPECT_EQ(run(produce({"-z", "gzip"}), line).status, 0);
  EXPECT_EQ(stored("t"), Words{"~|" + line});
  std::size_t bytes = 0;
  on_thread(
      [&](broker::EmbeddedKafka& kafka) { bytes = kafka.cluster().log("t", 0)->size_bytes(); });
  EXPECT_LT(bytes, 5'000u);
  const Ended other = run(produce({"-z", "brotli"}), "one\n");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("\"brotli\" is not none, gzip, snappy, lz4 or zstd"));
}

TEST_F(Produce, EveryCodecThereIs) {
  const std::string line(100'000, 'x');
  std::string all;
  std::size_t before = 0;
  for (const char* codec : {"snappy", "lz4", "zstd"}) {
    EXPECT_EQ(run(produce({"-z", codec}), line).status, 0) << codec;
    all += line + "\n";
    std::size_t bytes = 0;
    on_thread(
        [&](broker::EmbeddedKafka& kafka) { bytes = kafka.cluster().log("t", 0)->size_bytes(); });
    EXPECT_LT(bytes - before, 10'000u) << codec;
    before = bytes;
    EXPECT_EQ(run(kafka({"consume", "-t", "t", "-e", "-q"})).out, all) << codec;
  }
  const Ended level = run(produce({"-z", "zstd", "-X", "compression.level=22"}), line);
  EXPECT_EQ(level.status, 0) << level.err;
  const Ended high = run(produce({"-z", "lz4", "-X", "compression.level=13"}), line);
  EXPECT_EQ(high.status, 2);
  EXPECT_THAT(high.err, HasSubstr("the level of lz4 has to be from 0 to 12"));
}

TEST_F(Produce, AnyDelimiterAndACount) {
  EXPECT_EQ(run(produce({"-D", ";\\n"}), "a;b;\nc\nd;\n").status, 0);
  EXPECT_EQ(stored("t"), (Words{"~|a;b", "~|c\nd"}));

  Command counted(produce({"-D", "\\0", "-c", "2"}));
  counted.type("e\0f\0g\0"s);
  // With input that goes on.
  EXPECT_TRUE(counted.says("delivered 2 records"));
  EXPECT_EQ(counted.end().status, 0);
  EXPECT_EQ(stored("t"), (Words{"~|a;b", "~|c\nd", "~|e", "~|f"}));
}

TEST_F(Produce, TeeEvenIfNobodyReads) {
  EXPECT_EQ(run(produce({"-T"}), "a\n\nb").out, "a\nb\n");
  Command alone(produce({"-T"}));
  alone.type("c\n");
  EXPECT_TRUE(alone.says("c\n"));
  alone.close_output(STDOUT_FILENO);
  alone.type("d\n");
  EXPECT_EQ(alone.end().status, 0);
  EXPECT_EQ(stored("t"), (Words{"~|a", "~|b", "~|c", "~|d"}));
}

TEST_F(Produce, NobodyListensToWhatItSays) {
  Command command(produce({}));
  command.close_output(STDERR_FILENO);
  command.type("a\n");
  EXPECT_EQ(command.end().status, 0);
  EXPECT_EQ(stored("t"), Words{"~|a"});
}

TEST_F(Produce, FilesAsAWholeOrTheirLines) {
  const std::string first = file_with("first", "a\nb\n");
  const std::string second = file_with("second", "c");
  EXPECT_EQ(run(produce({first, "-", second}), "standard\ninput\n").status, 0);
  EXPECT_EQ(stored("t"), (Words{"~|a\nb\n", "~|standard\ninput\n", "~|c"}));
  EXPECT_EQ(run(kafka({"produce", "-t", "lines", "-l", first, second})).status, 0);
  EXPECT_EQ(stored("lines"), (Words{"~|a", "~|b", "~|c"}));
}

TEST_F(Produce, FilesAreLookedAtBeforeAnythingIsSent) {
  const std::string good = file_with("good", "a\n");
  const Ended missing = run(produce({"-l", good, "/no/such/file"}));
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err, HasSubstr("cannot open /no/such/file: No such file or directory"));
  const Ended folder = run(produce({good, "/tmp"}));
  EXPECT_EQ(folder.status, 2);
  EXPECT_THAT(folder.err, HasSubstr("/tmp is a directory"));
  EXPECT_EQ(stored("t"), Words{});
}

TEST_F(Produce, SettingsByTheirNames) {
  const std::string good = file_with("good", "linger.ms = 3\nbootstrap.servers=" + bootstrap());
  EXPECT_EQ(run(plain({"produce", "-t", "t", "-F", good, "-X", "acks=1"}), "a\n").status, 0);
  EXPECT_EQ(stored("t"), Words{"~|a"});

  const Ended unknown = run(produce({"-X", "linger.mss=1"}), "b\n");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err,
              HasSubstr("there is no setting \"linger.mss\"; the nearest is \"linger.ms\"\n"
                        "Try `tern kafka produce --help`."));
  const std::string bad = file_with("bad", "# mine\nacks=2\n");
  const Ended in_file = run(produce({"-F", bad}), "b\n");
  EXPECT_EQ(in_file.status, 2);
  EXPECT_THAT(in_file.err, HasSubstr(bad + ": line 2: acks: \"2\" is not all (or -1), 1 or 0"));
  EXPECT_EQ(stored("t"), Words{"~|a"});
}

TEST_F(Produce, ARecordThatIsTooLongIsNamedAndTheOthersAreSent) {
  const Ended ended = run(produce({"-X", "max.request.size=10000"}),
                          "first\n" + std::string(50'000, 'x') + "\nlast\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("standard input, record 2: longer than 10000 bytes; "
                                   "-X max.request.size=N allows more"));
  EXPECT_THAT(ended.err, HasSubstr("delivered 2 records"));
  EXPECT_THAT(ended.err, HasSubstr(", 1 not written"));
  EXPECT_EQ(stored("t"), (Words{"~|first", "~|last"}));
}

TEST_F(Produce, WhatTheBrokerRefusesIsAFailure) {
  inject(kafka::kProduceApi, broker::Injection::with_error(
                                 kafka::BrokerErrc::topic_authorization_failed, broker::kAlways));
  const Ended ended = run(produce({"-X", "linger.ms=1000"}), "one\ntwo\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("tern: 2 records for t not written: "));
  EXPECT_THAT(ended.err, HasSubstr("delivered 0 records, in "));
  EXPECT_THAT(ended.err, HasSubstr(", 2 not written"));
}

TEST_F(Produce, WhatMayBeWrittenIsSaidAndIsAFailure) {
  inject(kafka::kProduceApi, broker::Injection::closing_after(broker::kAlways));
  const Ended ended = run(produce({"-X", "delivery.timeout.ms=2000", "-X", "request.timeout.ms=500",
                                   "-X", "linger.ms=0"}),
                          "one\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("delivered 0 records"));
  EXPECT_THAT(ended.err, HasSubstr(", 1 may or may not be written"));
}

TEST_F(Produce, Json) {
  const Ended ended = run(kafka({"produce", "-J"}),
                          R"({"topic":"t","key":"k","value":"v","headers":{"a":"1","b":null}})"
                          "\n"
                          R"({"topic":"t","payload":{"n":[1,2]},"key_base64":"/wA="})"
                          "\n"
                          R"({"topic":"other","value":null,"headers":["a","1","a","2"]})"
                          "\n");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(stored("t"), (Words{"k|v|a=1|b=~", "\xff\0|{\"n\":[1,2]}"s}));
  EXPECT_EQ(stored("other"), Words{"~|~|a=1|a=2"});
}

TEST_F(Produce, WhatIsNoJsonIsNamedAndTheOthersAreSent) {
  const Ended ended = run(produce({"-J"}), "{\"value\":\"a\"}\n{\"value\":\n{\"valu\":1}\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("standard input, record 2: not JSON: column 10"));
  EXPECT_THAT(ended.err,
              HasSubstr("record 3: \"valu\" is not a field of a record; there are topic"));
  EXPECT_THAT(ended.err, HasSubstr(", 2 not written"));
  EXPECT_EQ(stored("t"), Words{"~|a"});
}

TEST_F(Produce, CtrlCDeliversWhatWasRead) {
  Command command(produce({"-T", "-X", "linger.ms=60000"}));
  command.type(numbers(1'000) + "half of a li");
  EXPECT_TRUE(command.says("\n999\n"));
  command.signal(SIGINT);
  EXPECT_TRUE(command.says("interrupted; delivered "));
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("interrupted; delivered 1,000 records"));
  const Words found = stored("t");
  ASSERT_EQ(found.size(), 1'000u);
  EXPECT_EQ(found.front(), "~|0");
  EXPECT_EQ(found.back(), "~|999");
}

TEST_F(Produce, ASecondCtrlCEndsAtOnce) {
  broker::Injection silence;
  silence.no_answer = true;
  silence.times = broker::kAlways;
  inject(kafka::kProduceApi, silence);
  Command command(produce({"-T"}));
  command.type("one\n");
  EXPECT_TRUE(command.says("one\n"));
  command.signal(SIGINT);
  EXPECT_TRUE(command.says("once more to give it up"));
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 128 + SIGINT);
  EXPECT_THAT(ended.err, Not(HasSubstr("delivered")));
}

}  // namespace
}  // namespace tern::cli
