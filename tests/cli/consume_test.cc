// `tern kafka consume`, as built.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <utility>

#include "protocol/kafka/records.h"
#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

class Consume : public KafkaRig {
 protected:
  Words consume(Words words) const {
    words.insert(words.begin(), {"consume", "-t", "t"});
    return kafka(std::move(words));
  }
  // All there is, as it is written.
  std::string read(Words words) const {
    words.insert(words.end(), {"-e", "-q"});
    const Ended ended = run(consume(std::move(words)));
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.err, "");
    return ended.out;
  }
  void fill_five() {
    fill("t", R"({"value":"a","ts":1000}
{"value":"b","ts":2000}
{"value":"c","ts":3000}
{"value":"d","ts":4000}
{"value":"e","ts":5000})");
  }
};

TEST_F(Consume, ValuesAsLinesUpToTheEnd) {
  fill_five();
  const Ended ended = run(consume({"-e"}));
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "a\nb\nc\nd\ne\n");
  EXPECT_THAT(ended.err, HasSubstr("tern: read 5 records, "));
}

TEST_F(Consume, NothingIsThereToRead) {
  create_topic("t", 3);
  EXPECT_EQ(read({}), "");
  EXPECT_EQ(read({"-o", "s@1000"}), "");
}

TEST_F(Consume, AnyFormat) {
  fill("t", R"({"key":"k","value":"v","ts":1234,"headers":["a","1","b",null]}
{"key":"","value":null,"ts":5678}
{"key":null,"value":"","ts":9}
)");
  EXPECT_EQ(read({"-f", R"(%t %p %o %k %K %s %S %T [%h] 100%% \x41\t\\%R\n)"}),
            "t 0 0 k 1 v 1 1234 [a=1,b=NULL] 100% A\t\\\0\0\0\1\n"
            "t 0 1  0  -1 5678 [] 100% A\t\\\xff\xff\xff\xff\n"
            "t 0 2  -1  0 9 [] 100% A\t\\\0\0\0\0\n"s);
  EXPECT_EQ(read({"-f", "%k=%s;", "-Z"}), "k=v;=NULL;NULL=;");
  EXPECT_EQ(read({"-K", ":", "-D", ";"}), "k:v;:;:;");
  EXPECT_EQ(read({"-K:", "-O", "-Z"}), "0:k:v\n1::NULL\n2:NULL:\n");
}

TEST_F(Consume, BytesAsTheyAre) {
  ASSERT_EQ(run(kafka({"produce", "-t", "t", "-D;"}), "a\0b\n;\xff;"s).status, 0);
  EXPECT_EQ(read({"-D", "\\0"}), "a\0b\n\0\xff\0"s);
}

TEST_F(Consume, FromAnywhere) {
  fill_five();
  EXPECT_EQ(read({"-o", "beginning"}), "a\nb\nc\nd\ne\n");
  EXPECT_EQ(read({"-o", "3"}), "d\ne\n");
  EXPECT_EQ(read({"-o-2"}), "d\ne\n");
  EXPECT_EQ(read({"-o", "-100"}), "a\nb\nc\nd\ne\n");
  EXPECT_EQ(read({"-o", "end"}), "");
  EXPECT_EQ(read({"-o", "1", "-c", "2"}), "b\nc\n");
  EXPECT_EQ(read({"-o", "s@2500"}), "c\nd\ne\n");
  EXPECT_EQ(read({"-o", "s@5001"}), "");
  EXPECT_EQ(read({"-o", "e@3000"}), "a\nb\n");
  EXPECT_EQ(read({"-o", "s@2000", "-o", "e@4001"}), "b\nc\nd\n");
}

TEST_F(Consume, ATimeToStopAtNeedsNoOtherEnd) {
  fill_five();
  const Ended ended = run(consume({"-o", "e@3000", "-q"}));
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "a\nb\n");
}

TEST_F(Consume, OnePartitionOrAll) {
  create_topic("t", 3);
  fill("t", "{\"partition\":0,\"value\":\"a\"}\n{\"partition\":2,\"value\":\"b\"}\n");
  EXPECT_EQ(read({"-p", "2", "-f", "%p%s"}), "2b");
  const std::string all = read({"-f", "%p%s;"});
  EXPECT_TRUE(all == "0a;2b;" || all == "2b;0a;") << all;
  const Ended wrong = run(consume({"-p", "3"}));
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("-p 3: topic t has partitions 0 to 2"));
}

TEST_F(Consume, OffsetsThatDoNotExistAreSaid) {
  fill_five();
  const Ended ended = run(consume({"-o", "100", "-e"}));
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("offset 100 of t [0] does not exist; it has 0 to before 5"));
}

TEST_F(Consume, TheEndIsWhereItIsWhenReached) {
  fill("t", "{\"value\":\"x\"}");
  // One more of it comes in after the end was asked for, just before it is reached.
  on_thread([](broker::EmbeddedKafka& kafka) {
    broker::KafkaCluster& cluster = kafka.cluster();
    cluster.on_request([&cluster, done = false](const broker::RequestInfo& request) mutable {
      if (request.api_key != kafka::kFetchApi.key || std::exchange(done, true)) return;
      broker::Partition& partition = *cluster.find_partition("t", 0);
      const auto bytes = partition.log.batches()[0].bytes();
      std::vector<std::byte> copy(bytes.begin(), bytes.end());
      // Not the one that an idempotent producer sends again.
      partition.log.forget_producer(kafka::read_batch_header(copy.data()).producer_id);
      broker::AppendOptions options;
      options.leader_epoch = partition.leader_epoch;
      EXPECT_EQ(partition.log.append(copy, FrameRef(), broker::TopicConfig(), options).error,
                kafka::BrokerErrc::none);
    });
  });
  EXPECT_EQ(read({}), "x\nx\n");
}

TEST_F(Consume, GoesOnUntilCtrlC) {
  create_topic("t");
  Command command(consume({}));
  fill("t", "{\"value\":\"first\"}");
  EXPECT_TRUE(command.says("first\n"));
  fill("t", "{\"value\":\"second\"}");
  EXPECT_TRUE(command.says("second\n"));
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "first\nsecond\n");
  EXPECT_THAT(ended.err, HasSubstr("tern: interrupted; read 2 records"));
}

TEST_F(Consume, CtrlCBeforeTheEndThatWasAskedForIsNoSuccess) {
  fill_five();
  Command command(consume({"-c", "6"}));
  EXPECT_TRUE(command.says("e\n"));
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("interrupted; read 5 records"));
}

TEST_F(Consume, CtrlCWhileTheClusterIsSilent) {
  fill_five();
  broker::Injection silence;
  silence.no_answer = true;
  silence.times = broker::kAlways;
  inject(kafka::kMetadataApi, silence);
  std::future<void> asked = next_request(kafka::kMetadataApi);
  Command command(consume({}));
  asked.wait();
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 130);
  EXPECT_EQ(ended.err, "");
}

TEST_F(Consume, AReaderThatLeavesEndsIt) {
  ASSERT_EQ(run(kafka({"produce", "-t", "t"}), numbers(200'000)).status, 0);
  Command command(consume({}));
  EXPECT_TRUE(command.says("0\n1\n"));
  command.close_output(STDOUT_FILENO);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
}

TEST_F(Consume, AReaderThatLeavesEndsItEvenIfNothingMoreComes) {
  fill_five();
  Command command(consume({}));
  EXPECT_TRUE(command.says("e\n"));
  command.close_output(STDOUT_FILENO);
  EXPECT_EQ(command.end().status, 0);
}

TEST_F(Consume, UnbufferedWritesEachByItself) {
  fill_five();
  EXPECT_EQ(run(consume({"-e", "-u"})).pieces, 5u);
  EXPECT_LT(run(consume({"-e"})).pieces, 5u);
}

TEST_F(Consume, JsonOutIsJsonIn) {
  create_topic("t", 2);
  create_topic("copy", 2);
  fill("t", R"({"key":"k","value":"v","ts":1234,"partition":1,"headers":["a","1","a",null]}
{"key":"","value":null,"ts":5678,"partition":0}
{"key":null,"value":"","ts":9,"partition":0}
{"key_base64":"/wA=","value_base64":"gAo=","ts":1,"partition":0}
{"key":"\u0000\"\\\u00e9\n","value":"\ud83d\ude00","ts":2,"partition":1}
)");
  std::string json = read({"-J"});
  EXPECT_THAT(json,
              HasSubstr(R"({"topic":"t","partition":1,"offset":0,"tstype":"create","ts":1234,)"
                        R"("broker":1,"headers":["a","1","a",null],"key":"k","payload":"v"})"
                        "\n"));
  for (std::size_t at = 0; (at = json.find("\"topic\":\"t\"", at)) != std::string::npos;) {
    json.replace(at, 11, "\"topic\":\"copy\"");
  }
  ASSERT_EQ(run(kafka({"produce", "-J"}), json).status, 0);
  for (const std::int32_t partition : {0, 1}) {
    EXPECT_EQ(stored("copy", partition), stored("t", partition));
  }
  const Words times = {"-e", "-q", "-p", "0", "-f", "%T "};
  Words of_copy = {"consume", "-t", "copy"};
  of_copy.insert(of_copy.end(), times.begin(), times.end());
  EXPECT_EQ(run(kafka(of_copy)).out, "5678 9 1 ");
}

TEST_F(Consume, JsonEndsWithTheDelimiter) {
  fill("t", "{\"value\":\"a\"}\n{\"value\":\"b\"}\n");
  const std::string json = read({"-J", "-D", ";"});
  EXPECT_THAT(json, ::testing::EndsWith("\"payload\":\"b\"};"));
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST_F(Consume, BinaryKeysAndValues) {
  // int64 1, and 258 with an x behind it.
  fill("t", R"({"key_base64":"AAAAAAAAAAE=","value_base64":"AAABAng="}
{"key":null,"value":""}
)");
  EXPECT_EQ(read({"-s", "key=q", "-s", "value=i", "-K", ":"}), "1:258\n:\n");
  EXPECT_EQ(read({"-svalue=is", "-f", "%s %S;"}), "258x 5; 0;");
  EXPECT_EQ(read({"-s", "hh", "-Z", "-f", "%k %s;"}), "00 0258;NULL ;");
}

TEST_F(Consume, WhatIsNotInTheFormatEndsItOrIsPassedOver) {
  fill("t", R"({"value":"1"}
{"value":"22"}
{"value":"3"}
)");
  const Ended stopped = run(consume({"-e", "-q", "-s", "value=c$"}));
  EXPECT_EQ(stopped.status, 1);
  EXPECT_EQ(stopped.out, "1\n");
  EXPECT_EQ(
      stopped.err,
      "tern: the value of t [0] at offset 1 is not what -s says: $ wants no more, and 1 bytes "
      "are left; -E goes on after it\n");
  const Ended whole = run(consume({"-e", "-q", "-s", "value=c$", "-E"}));
  EXPECT_EQ(whole.status, 1);
  EXPECT_EQ(whole.out, "1\n3\n");
  EXPECT_THAT(whole.err, HasSubstr("at offset 1 is not what -s says"));
}

TEST_F(Consume, OtherPartitionsGoOnAfterAnErrorIfAskedTo) {
  create_topic("t", 2);
  fill("t", "{\"partition\":0,\"value\":\"a\"}\n{\"partition\":1,\"value\":\"b\"}\n");
  refuse_fetches("t", 0, kafka::BrokerErrc::topic_authorization_failed);
  const Ended ended = run(consume({"-e", "-E"}));
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out, "b\n");
  EXPECT_THAT(ended.err, HasSubstr("t-0 at offset 0: TOPIC_AUTHORIZATION_FAILED"));
  EXPECT_THAT(ended.err, HasSubstr("read 1 record, "));
  EXPECT_EQ(run(consume({"-e"})).status, 1);
}

TEST_F(Consume, OutputThatCannotBeWrittenIsAnError) {
  fill_five();
  std::string line;
  for (const std::string& word : consume({"-e"})) line += word + " ";
  const Ended full = run({"/bin/sh", "-c", line + "> /dev/full"});
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("cannot write the records: No space left on device"));
  const Ended closed = run({"/bin/sh", "-c", line + ">&-"});
  EXPECT_EQ(closed.status, 1);
  EXPECT_THAT(closed.err, HasSubstr("cannot write the records: Bad file descriptor"));
}

}  // namespace
}  // namespace tern::cli
