// `tern amqp`, as built, against an embedded broker behind real sockets. What is stored is read
// from the broker, and not through the client under test.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <future>
#include <utility>

#include "tests/cli/rig.h"
#include "tests/net/amqp_rig.h"

namespace tern::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::string_literals;

class Amqp : public ::testing::Test {
 protected:
  static Words plain(Words words) {
    words.insert(words.begin(), {"client/cli/tern", "amqp"});
    return words;
  }
  std::string url() const { return "amqp://" + to_string(rig.endpoint()); }
  Words amqp(Words words) const {
    words.insert(words.end(), {"-u", url()});
    return plain(std::move(words));
  }
  Words publish(Words words) const {
    words.insert(words.begin(), {"publish", "-q", "q"});
    return amqp(std::move(words));
  }
  Words consume(Words words) const {
    words.insert(words.begin(), {"consume", "-q", "q"});
    return amqp(std::move(words));
  }
  void declare(const std::string& queue, const std::string& argument = "x-none=1") {
    EXPECT_EQ(run(amqp({"declare", "queue", queue, "-a", argument})).status, 0);
  }
  void fill(int count) { ASSERT_EQ(run(publish({}), numbers(count)).status, 0); }
  // The bodies of what is ready in a queue.
  Words stored(const std::string& queue = "q") {
    Words out;
    rig.on_thread([&](broker::AmqpBroker& held) {
      const broker::AmqpQueue* const found = held.store().queue(queue);
      if (!found) return;
      for (const broker::AmqpEntry& each : found->ready) out.push_back(each.message->body);
    });
    return out;
  }
  bool exists(const std::string& queue) {
    bool there = false;
    rig.on_thread([&](broker::AmqpBroker& held) { there = held.store().queue(queue) != nullptr; });
    return there;
  }
  // Exit status 2, and what is said.
  static std::string refused(Words words) {
    const Ended ended = run(plain(std::move(words)));
    EXPECT_EQ(ended.status, 2);
    EXPECT_EQ(ended.out, "");
    return ended.err;
  }

  amqp::AmqpRig rig;
};

// ------------------------------------------------------------------------------------ publishing

TEST_F(Amqp, LinesOfAPipe) {
  declare("q");
  const Ended ended = run(publish({}), "one\n\ntwo\nthree without an end");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, StartsWith("tern: published 3 messages, "));
  EXPECT_EQ(stored(), (Words{"one", "two", "three without an end"}));
}

TEST_F(Amqp, AllLinesInOrder) {
  declare("q");
  constexpr int kMany = 50'000;
  const Ended ended = run(publish({}), numbers(kMany));
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr("published 50,000 messages"));
  const Words found = stored();
  ASSERT_EQ(found.size(), std::size_t{kMany});
  for (int i = 0; i < kMany; ++i) {
    ASSERT_EQ(found[static_cast<std::size_t>(i)], std::to_string(i));
  }
}

TEST_F(Amqp, ABodyFilesLinesAndDelimiters) {
  declare("q");
  EXPECT_EQ(run(publish({"-b", "a\nb", "--quiet"})).err, "");
  const std::string file = file_with("file", "c\nd\n");
  EXPECT_EQ(run(publish({file})).status, 0);
  EXPECT_EQ(run(publish({"-l", file, "-c", "1"})).status, 0);
  EXPECT_EQ(run(publish({"-D", ";"}), "e;f").status, 0);
  EXPECT_EQ(stored(), (Words{"a\nb", "c\nd\n", "c", "e", "f"}));
}

TEST_F(Amqp, PropertiesAndHeadersThereAndBack) {
  declare("q");
  ASSERT_EQ(run(publish({"-C", "text/plain", "-t", "replies", "-H", "a=1", "-P", "priority=3", "-P",
                         "timestamp=1700000000"}),
                "one\n")
                .status,
            0);
  ASSERT_EQ(run(publish({"-J", "-C", "text/plain"}),
                R"({"payload_base64":"/wA=","properties":{"type":"t","delivery_mode":1,"headers":)"
                R"({"n":-5,"f":0.5,"b":true,"z":null,"l":[1,"x"],"t":{"u":"v"}}}})")
                .status,
            0);
  const Ended read = run(amqp({"get", "-q", "q", "-c", "0", "-k", "-J"}));
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(
      read.out,
      R"({"exchange":"","routing_key":"q","redelivered":false,"properties":{"content_type":)"
      R"("text/plain","headers":{"a":"1"},"delivery_mode":2,"priority":3,"reply_to":"replies",)"
      R"("timestamp":1700000000},"payload":"one"})"
      "\n"
      R"({"exchange":"","routing_key":"q","redelivered":false,"properties":{"content_type":)"
      R"("text/plain","headers":{"n":-5,"f":0.5,"b":true,"z":null,"l":[1,"x"],"t":{"u":"v"}},)"
      R"("delivery_mode":1,"type":"t"},"payload_base64":"/wA="})"
      "\n");
  // They were put back, and go from queue to queue as they are.
  declare("copy");
  const Ended moved = run(amqp({"consume", "-q", "q", "-J", "-c", "2"}));
  ASSERT_EQ(run(amqp({"publish", "-q", "copy", "-J"}), moved.out).status, 0);
  EXPECT_EQ(stored("copy"), (Words{"one", "\xff\0"s}));
  EXPECT_EQ(stored(), Words{});
}

TEST_F(Amqp, WhatIsNoMessageIsNamedAndTheOthersAreSent) {
  declare("q");
  const Ended ended = run(publish({"-J"}),
                          "{\"payload\":\"a\"}\n{\"payload\":\n{\"paylod\":1}\n"
                          "{\"properties\":{\"colour\":1}}\n{\"properties\":{\"priority\":1000}}\n"
                          "{\"payload\":\"b\"}\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("standard input, message 2: not JSON: column 12"));
  EXPECT_THAT(ended.err, HasSubstr("message 3: \"paylod\" is not a field of a message; there are"));
  EXPECT_THAT(ended.err,
              HasSubstr("message 4: there is no property \"colour\"; there are content"));
  EXPECT_THAT(ended.err, HasSubstr("message 5: priority: not a number from 0 to 255"));
  EXPECT_THAT(ended.err, HasSubstr("published 2 messages, in "));
  EXPECT_THAT(ended.err, EndsWith(", 4 not taken\n"));
  EXPECT_EQ(stored(), (Words{"a", "b"}));
}

TEST_F(Amqp, WhatTheBrokerDoesNotTakeIsAFailure) {
  declare("q");
  rig.on_thread([](broker::AmqpBroker& held) {
    held.refuse = [](const broker::AmqpMessage& message) { return message.body == "two"; };
  });
  const Ended ended = run(publish({}), "one\ntwo\nthree\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("standard input, message 2: not taken: "));
  EXPECT_THAT(ended.err, EndsWith(", 1 not taken\n"));
  EXPECT_EQ(stored(), (Words{"one", "three"}));
}

TEST_F(Amqp, NobodyWantsIt) {
  EXPECT_EQ(run(amqp({"declare", "exchange", "logs", "--type", "topic"})).status, 0);
  EXPECT_EQ(run(amqp({"publish", "-e", "logs", "-r", "a", "-b", "m"})).status, 0);
  const Ended asked = run(amqp({"publish", "-e", "logs", "-r", "a", "-b", "m", "--mandatory"}));
  EXPECT_EQ(asked.status, 1);
  EXPECT_THAT(asked.err, HasSubstr("312 NO_ROUTE (exchange \"logs\", routing key \"a\")"));
  const Ended queue = run(publish({"-b", "m"}));
  EXPECT_EQ(queue.status, 1);
  EXPECT_THAT(queue.err, HasSubstr("cannot use queue q: "));
  EXPECT_THAT(queue.err, EndsWith("; `tern amqp declare` makes queues and exchanges\n"));
  const Ended exchange = run(amqp({"publish", "-e", "none", "-b", "m"}));
  EXPECT_EQ(exchange.status, 1);
  EXPECT_THAT(exchange.err, HasSubstr("cannot use exchange none: "));
}

TEST_F(Amqp, AnExchangeThatGoesMeanwhileEndsIt) {
  declare("q");
  // Checked by nobody before: it is in the message.
  const Ended ended = run(amqp({"publish", "-J"}),
                          "{\"routing_key\":\"q\",\"payload\":\"a\"}\n"
                          "{\"exchange\":\"none\",\"payload\":\"b\"}\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("no exchange 'none'"));
}

TEST_F(Amqp, CtrlCPublishesWhatWasRead) {
  declare("q");
  Command command(publish({}));
  command.type(numbers(1'000) + "half of a li");
  // All of it was read when it is there.
  while (stored().size() < 1'000) {
  }
  command.signal(SIGINT);
  EXPECT_TRUE(command.says("interrupted; published "));
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("interrupted; published 1,000 messages"));
  EXPECT_EQ(stored().size(), 1'000u);
}

TEST_F(Amqp, WhatMayBeLostIsSentAgainIfWanted) {
  declare("q");
  Command command(publish({"--resend"}));
  command.type("one\n");
  while (stored().empty()) {
  }
  rig.on_thread([](broker::AmqpBroker& held) {
    held.stop();
    EXPECT_FALSE(held.start());
  });
  command.type("two\nthree\n");
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("published 3 messages"));
  Words found = stored();
  found.erase(std::unique(found.begin(), found.end()), found.end());
  EXPECT_EQ(found, (Words{"one", "two", "three"}));
}

// A broker that stands still at the first message until it is told to go on.
class StandingBroker : public Amqp {
 protected:
  StandingBroker() {
    declare("q");
    rig.on_thread([this](broker::AmqpBroker& held) {
      held.refuse = [this](const broker::AmqpMessage&) {
        if (!std::exchange(stood_, true)) {
          stands.set_value();
          go_on_.get_future().wait();
        }
        return false;
      };
    });
  }
  void go_on() { go_on_.set_value(); }

  std::promise<void> stands;

 private:
  bool stood_ = false;
  std::promise<void> go_on_;
};

TEST_F(StandingBroker, ASecondCtrlCEndsAtOnce) {
  Command command(publish({}));
  command.type("one\n");
  stands.get_future().wait();
  command.signal(SIGINT);
  EXPECT_TRUE(command.says("once more to give it up"));
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 128 + SIGINT);
  EXPECT_THAT(ended.err, Not(HasSubstr("published")));
  go_on();
}

TEST_F(StandingBroker, ProgressIsDrawnWhileItTakesLongAndThenCleared) {
  Command command(publish({}), "2");
  command.type("one\ntwo\n");
  command.close_input();
  EXPECT_TRUE(command.says("\rpublishing [                              ] 0 of 2 messages"));
  go_on();
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("\r\033[Ktern: published 2 messages"));
  EXPECT_EQ(stored(), (Words{"one", "two"}));
}

// ------------------------------------------------------------------------------------- consuming

TEST_F(Amqp, GoesOnUntilCtrlC) {
  declare("q");
  fill(3);
  Command command(consume({}));
  EXPECT_TRUE(command.says("2\n"));
  ASSERT_EQ(run(publish({"-b", "late"})).status, 0);
  EXPECT_TRUE(command.says("late\n"));
  command.signal(SIGINT);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "0\n1\n2\nlate\n");
  EXPECT_THAT(ended.err, HasSubstr("interrupted; read 4 messages"));
  EXPECT_EQ(rig.ready("q"), 0u);
}

TEST_F(Amqp, ACountTakesNoMoreThanThat) {
  declare("q");
  fill(10);
  EXPECT_EQ(run(consume({"-c", "3"})).out, "0\n1\n2\n");
  EXPECT_EQ(stored().size(), 7u);
  EXPECT_EQ(run(consume({"-c", "7", "-p", "2", "-D", ";"})).out, "3;4;5;6;7;8;9;");
  Command more(consume({"-c", "1"}));
  rig.on_thread([](broker::AmqpBroker&) {});
  more.signal(SIGINT);
  const Ended ended = more.end();
  // Perhaps before it has set itself up for that.
  EXPECT_TRUE(ended.status == 130) << ended.status;
}

TEST_F(Amqp, FromAQueueOfItsOwn) {
  ASSERT_EQ(run(amqp({"declare", "exchange", "logs", "--type", "topic"})).status, 0);
  Command command(amqp({"consume", "-e", "logs", "-r", "a.*", "-r", "#.z", "-c", "2"}));
  const auto has_bindings = [&] {
    std::size_t count = 0;
    rig.on_thread([&](broker::AmqpBroker& held) { count = held.store().bindings().size(); });
    return count == 2;
  };
  while (!has_bindings()) {
  }
  for (const char* key : {"a.b", "b.c", "b.z"}) {
    ASSERT_EQ(run(amqp({"publish", "-e", "logs", "-r", key, "-b", key})).status, 0);
  }
  EXPECT_EQ(command.end().out, "a.b\nb.z\n");
  EXPECT_FALSE(has_bindings());
}

TEST_F(Amqp, AReaderThatLeavesEndsItAndLosesNothing) {
  declare("q");
  fill(50'000);
  Command command(consume({}));
  EXPECT_TRUE(command.says("0\n1\n"));
  command.close_output(STDOUT_FILENO);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_GT(rig.ready("q"), 0u);  // what was not written is there
  Command idle(consume({"--no-ack", "-e", "unused"}));
  EXPECT_EQ(idle.end().status, 2);
}

TEST_F(Amqp, AReaderThatLeavesEndsItEvenIfNothingMoreComes) {
  declare("q");
  fill(1);
  Command command(consume({}));
  EXPECT_TRUE(command.says("0\n"));
  command.close_output(STDOUT_FILENO);
  EXPECT_EQ(command.end().status, 0);
}

TEST_F(Amqp, OutputThatCannotBeWrittenIsAnErrorAndLosesNothing) {
  declare("q");
  fill(2);
  std::string line;
  for (const std::string& word : consume({})) line += word + " ";
  const Ended full = run({"/bin/sh", "-c", line + "> /dev/full"});
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  while (stored().size() < 2) {
  }
}

TEST_F(Amqp, AConnectionThatIsLostIsMadeAgain) {
  declare("q");
  Command command(consume({"-c", "2"}));
  fill(1);
  EXPECT_TRUE(command.says("0\n"));
  while (rig.ready("q") != 0) {  // else it comes again
  }
  rig.on_thread([](broker::AmqpBroker& held) { held.close_connections("maintenance"); });
  EXPECT_TRUE(command.says("maintenance"));
  EXPECT_TRUE(command.says("connected again"));
  ASSERT_EQ(run(publish({"-b", "after"})).status, 0);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, EndsWith("after\n"));
}

TEST_F(Amqp, AQueueThatGoesEndsIt) {
  declare("q");
  fill(1);
  Command command(consume({}));
  EXPECT_TRUE(command.says("0\n"));
  ASSERT_EQ(run(amqp({"delete", "queue", "q"})).status, 0);
  const Ended ended = command.end();
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("the broker has cancelled the consumer"));
}

TEST_F(Amqp, GetTakesWhatIsThere) {
  declare("q");
  fill(3);
  EXPECT_EQ(run(amqp({"get", "-q", "q"})).out, "0\n");
  EXPECT_EQ(run(amqp({"get", "-q", "q", "-c", "0", "-k"})).out, "1\n2\n");
  EXPECT_EQ(run(amqp({"get", "-q", "q", "-c", "5"})).out, "1\n2\n");
  const Ended none = run(amqp({"get", "-q", "q"}));
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.err, "tern: queue q has no messages\n");
}

TEST_F(Amqp, Typed) {
  declare("q");
  Command command(publish({}), "012");
  command.type("hello\n\x04");
  EXPECT_TRUE(command.says("tern: published 1 message, "));
  EXPECT_EQ(command.end().status, 0);
  EXPECT_EQ(stored(), Words{"hello"});
  Command reader(consume({}), "012");
  EXPECT_TRUE(reader.says("hello\r\n"));
  reader.type("\x03");
  EXPECT_THAT(reader.end().out, HasSubstr("tern: interrupted; read 1 message, "));
}

// -------------------------------------------------------------------------------------- topology

TEST_F(Amqp, DeclareBindDeletePurge) {
  const Ended named = run(amqp({"declare", "queue", "q", "-a", "x-max-length=2"}));
  EXPECT_EQ(named.out, "q\n");
  EXPECT_EQ(named.err, "tern: queue q has 0 messages and 0 consumers\n");
  const Ended other = run(amqp({"declare", "queue", "q"}));
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("PRECONDITION_FAILED - inequivalent arg"));
  EXPECT_THAT(other.err, HasSubstr("; what exists has other properties"));
  EXPECT_THAT(run(amqp({"declare", "queue", "--quiet"})).out, StartsWith("amq.gen-"));
  ASSERT_EQ(run(amqp({"declare", "exchange", "e"})).status, 0);
  ASSERT_EQ(run(amqp({"declare", "exchange", "f", "--type", "fanout"})).status, 0);
  EXPECT_EQ(run(amqp({"bind", "e", "q", "-r", "k", "-r", "l"})).err,
            "tern: bound q to e with \"k\"\ntern: bound q to e with \"l\"\n");
  ASSERT_EQ(run(amqp({"bind", "f", "e", "--to-exchange"})).status, 0);
  ASSERT_EQ(run(amqp({"publish", "-e", "f", "-r", "k"}), "1\n2\n3\n").status, 0);
  EXPECT_EQ(stored(), (Words{"2", "3"}));
  EXPECT_EQ(run(amqp({"declare", "queue", "q", "--passive", "-J"})).out,
            "{\"queue\":\"q\",\"messages\":2,\"consumers\":0}\n");
  ASSERT_EQ(run(amqp({"bind", "e", "q", "-r", "k", "--remove"})).status, 0);
  EXPECT_EQ(run(amqp({"publish", "-e", "e", "-r", "k", "-b", "4", "--mandatory"})).status, 1);
  EXPECT_EQ(run(amqp({"delete", "queue", "q", "--if-empty"})).status, 1);
  EXPECT_EQ(run(amqp({"purge", "q"})).err, "tern: threw away 2 messages of queue q\n");
  EXPECT_EQ(run(amqp({"delete", "queue", "q", "--if-empty"})).err,
            "tern: deleted queue q, with 0 messages\n");
  EXPECT_FALSE(exists("q"));
  EXPECT_EQ(run(amqp({"delete", "exchange", "e", "f"})).status, 0);
  EXPECT_EQ(run(amqp({"purge", "q"})).status, 1);
}

TEST_F(Amqp, TheUrlMayComeFromTheEnvironment) {
  ::setenv("AMQP_URL", url().c_str(), 1);
  EXPECT_EQ(run(plain({"declare", "queue", "q"})).status, 0);
  ::setenv("AMQP_URL", "amqp://user:secret@host:port", 1);
  const Ended ended = run(plain({"declare", "queue", "q"}));
  ::unsetenv("AMQP_URL");
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, StartsWith("tern: AMQP_URL: "));
  EXPECT_THAT(ended.err, Not(HasSubstr("secret")));
}

TEST_F(Amqp, ABrokerThatCannotBeUsed) {
  const Ended bad =
      run(plain({"purge", "q", "-u", "amqp://guest:secret@" + to_string(rig.endpoint())}));
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, HasSubstr("403 ACCESS_REFUSED"));
  EXPECT_THAT(bad.err, HasSubstr("; user and password are in the URL: -u amqp://"));
  EXPECT_THAT(bad.err, Not(HasSubstr("secret")));
  const Ended vhost = run(plain({"purge", "q", "-u", url() + "/none"}));
  EXPECT_THAT(vhost.err, HasSubstr("; the virtual host is the path of the URL"));
  rig.on_thread([](broker::AmqpBroker& held) { held.stop(); });
  const Ended gone = run(amqp({"purge", "q"}));
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.err, StartsWith("tern: cannot connect: "));
  EXPECT_THAT(gone.err, HasSubstr("; -u URL or AMQP_URL says where the broker is"));
}

TEST_F(Amqp, NonsenseGetsTheNextStep) {
  EXPECT_THAT(refused({}), HasSubstr("tern amqp publish "));
  EXPECT_THAT(refused({"publihs"}), HasSubstr("amqp has no command \"publihs\""));
  EXPECT_THAT(refused({"publish"}), HasSubstr("where to? say -q QUEUE"));
  EXPECT_THAT(refused({"publish", "-q", "q", "-s"}),
              HasSubstr("unknown option -s\nTry `tern amqp publish --help`."));
  EXPECT_THAT(refused({"publish", "-q", "q", "-e", "e"}), HasSubstr("-q goes straight to a queue"));
  EXPECT_THAT(refused({"publish", "-q", "q", "-P", "colour=red"}),
              HasSubstr("-P: there is no property \"colour\"; there are content_type,"));
  EXPECT_THAT(refused({"publish", "-q", "q", "-b", "x", "-J"}), HasSubstr("-b is the whole input"));
  EXPECT_THAT(refused({"publish", "-q", "q", "--resend", "--no-confirm"}),
              HasSubstr("--resend needs the confirms"));
  EXPECT_THAT(refused({"consume"}), HasSubstr("where from? say -q QUEUE"));
  EXPECT_THAT(refused({"consume", "-q", "q", "-r", "k"}), HasSubstr("-r goes with -e EXCHANGE"));
  EXPECT_THAT(refused({"consume", "q"}), HasSubstr("a queue is named with -q"));
  EXPECT_THAT(refused({"get"}), HasSubstr("where from? say -q QUEUE"));
  EXPECT_THAT(refused({"declare", "qeue", "q"}), HasSubstr("say queue or exchange first"));
  EXPECT_THAT(refused({"declare", "exchange"}), HasSubstr("it needs a name"));
  EXPECT_THAT(refused({"bind", "e"}), HasSubstr("say the exchange first"));
  EXPECT_THAT(refused({"delete", "queue"}), HasSubstr("which? say its name"));
  EXPECT_THAT(refused({"purge"}), HasSubstr("say the name of a queue"));
}

TEST_F(Amqp, HelpTeaches) {
  const Ended all = run(plain({"--help"}));
  EXPECT_EQ(all.status, 0);
  for (const char* each : {"Examples:", "Exit status:", "AMQP_URL", "`tern amqp COMMAND --help`"}) {
    EXPECT_THAT(all.out, HasSubstr(each));
  }
  for (const char* command : {"publish", "consume", "get", "declare", "bind", "delete", "purge"}) {
    const Ended help = run(plain({command, "--help"}));
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("\nExamples:\n  "));
    EXPECT_THAT(help.out, HasSubstr("\n  -u, --url URL"));
  }
}

}  // namespace
}  // namespace tern::cli
