// `tern kafka` at a terminal: progress, typed input, typed Ctrl-C.
#include <gmock/gmock.h>

#include "tests/cli/rig.h"

namespace tern::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kClear[] = "\r\033[K";

class Terminal : public KafkaRig {
 protected:
  // The brokers do what this asks for and say nothing, until speak().
  void hush(const kafka::Api& api) {
    broker::Injection silence;
    silence.no_answer = true;
    inject(api, silence);
  }
  // Whoever waits asks again.
  void speak() {
    on_thread([](broker::EmbeddedKafka& kafka) { kafka.cluster().reset_connections(1); });
  }
};

TEST_F(Terminal, ProgressIsDrawnWhileItTakesLongAndThenCleared) {
  hush(kafka::kProduceApi);
  Command command(kafka({"produce", "-t", "t", "-X", "linger.ms=60000"}), "2");
  command.type("one\ntwo\n");
  command.close_input();
  EXPECT_TRUE(command.says("\rdelivering [                              ] 0 of 2 records"));
  speak();
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  const std::size_t summary = ended.out.rfind("tern: delivered 2 records");
  ASSERT_NE(summary, std::string::npos) << ended.out;
  EXPECT_THAT(ended.out.substr(0, summary), EndsWith(kClear));
  EXPECT_EQ(stored("t"), (Words{"~|one", "~|two"}));
}

TEST_F(Terminal, WhatIsSoonOverDrawsNothing) {
  Command command(kafka({"produce", "-t", "t"}), "2");
  command.type("one\n");
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, Not(HasSubstr("delivering")));
}

TEST_F(Terminal, ConsumingShowsHowFarItIs) {
  // One partition is read at once, the other one keeps it waiting.
  create_topic("t", 2);
  fill("t", "{\"value\":\"a\",\"partition\":0}\n{\"value\":\"b\",\"partition\":1}\n");
  refuse_fetches("t", 1, kafka::BrokerErrc::not_leader_or_follower);
  Command command(kafka({"consume", "-t", "t", "-e"}), "2");
  EXPECT_TRUE(command.says("\rconsuming [###############               ] 1 of 2 records"));
  on_thread([](broker::EmbeddedKafka& kafka) { kafka.cluster().clear_injections(); });
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr(std::string(kClear) + "tern: read 2 records"));
}

TEST_F(Terminal, LinesThatAreTyped) {
  Command command(kafka({"produce", "-t", "t"}), "012");
  command.type("hello\n\x04");
  EXPECT_TRUE(command.says("tern: delivered 1 record, "));
  EXPECT_EQ(command.end().status, 0);
  EXPECT_EQ(stored("t"), Words{"~|hello"});
}

TEST_F(Terminal, CtrlCThatIsTyped) {
  create_topic("t");
  Command command(kafka({"consume", "-t", "t"}), "012");
  fill("t", "{\"value\":\"first\"}");
  EXPECT_TRUE(command.says("first\r\n"));
  command.type("\x03");
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("tern: interrupted; read 1 record, "));
  EXPECT_THAT(ended.out, Not(HasSubstr("consuming")));  // between records nothing is drawn
}

TEST_F(Terminal, CtrlCWhileTyping) {
  Command command(kafka({"produce", "-t", "t", "-T", "-X", "linger.ms=60000"}), "012");
  command.type("one\n");
  EXPECT_TRUE(command.says("one\r\none\r\n"));  // typed, and read
  command.type("half\x03");
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.out, HasSubstr("tern: interrupted; delivered 1 record, "));
  EXPECT_EQ(stored("t"), Words{"~|one"});
}

}  // namespace
}  // namespace tern::cli
