// Recovery: what comes back after a connection was lost, in which order, under which names, and
// what does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "client/amqp/engine.h"
#include "tests/amqp/engine_rig.h"

namespace tern::amqp::testing {
namespace {

using State = ChannelCore::State;

class RecoveryTest : public ::testing::Test {
 protected:
  RecoveryTest() {
    rig.config.recover = true;
    rig.peer.on_method = [this](ScriptPeer::Session& session, std::uint16_t channel, MethodId id,
                                wire::Bytes payload) {
      return answer(session, channel, id, payload);
    };
  }
  // Names queues that have none, and says yes to all that the peer does not know.
  bool answer(ScriptPeer::Session& session, std::uint16_t channel, MethodId id,
              wire::Bytes payload) {
    if (refuse && refuse(session, channel, id, payload)) return true;
    QueueDeclare declare;
    if (id == QueueDeclare::method.id && !decode_method(payload, {}, declare) &&
        declare.queue.empty()) {
      const std::string name = "amq.gen-" + std::to_string(++names_);
      session.send(channel, QueueDeclareOk{std::string_view(name), 0, 0});
      return true;
    }
    if (id == QueueBind::method.id) session.send(channel, QueueBindOk());
    if (id == QueueUnbind::method.id) session.send(channel, QueueUnbindOk());
    if (id == ExchangeBind::method.id) session.send(channel, ExchangeBindOk());
    if (id == QueueDelete::method.id) session.send(channel, QueueDeleteOk());
    if (id == ExchangeDelete::method.id) session.send(channel, ExchangeDeleteOk());
    if (id == TxSelect::method.id) session.send(channel, TxSelectOk());
    return false;
  }

  Engine& engine() {
    Engine& engine = rig.engine();
    engine.on_lost([this](const Failure& why) { events.push_back("lost: " + why.message()); });
    engine.on_recovered([this] { events.emplace_back("recovered"); });
    engine.on_not_recovered([this](std::string_view what, const Failure& why) {
      events.push_back("not recovered: " + std::string(what) + ": " + why.message());
    });
    return engine;
  }
  std::shared_ptr<ChannelCore> open(const ChannelConfig& with = {}) {
    if (!engine().is_connected()) {
      EXPECT_FALSE(rig.connect());
    }
    return rig.open_channel(with);
  }
  template <class M>
  void call(ChannelCore& channel, const M& method) {
    Ending ending;
    rig.engine();
    channel.call(method, [&](const Failure& why, const Reply&) { ending.note()(why); });
    EXPECT_TRUE(rig.wait(ending));
    EXPECT_FALSE(ending.failure) << ending.failure.message();
  }
  std::shared_ptr<ConsumerCore> consume(ChannelCore& channel, const BasicConsume& request) {
    std::shared_ptr<ConsumerCore> consumer;
    rig.engine();
    channel.consume(request, [&](const Failure& why, const auto& given) {
      EXPECT_FALSE(why) << why.message();
      consumer = given;
    });
    EXPECT_TRUE(rig.run_until([&] { return consumer != nullptr; }));
    return consumer;
  }
  // Cuts the connection and waits until it is back; what was said meanwhile, without the handshake.
  std::vector<std::string> cut() {
    rig.peer.said.clear();
    events.clear();
    rig.fabric.reset(rig.peer.last().id);
    EXPECT_TRUE(rig.run_until([&] { return rig.engine().is_recovering(); }));
    EXPECT_TRUE(rig.run_until([&] { return !rig.engine().is_recovering(); }));
    rig.run_for(milliseconds(20));
    std::vector<std::string> said;
    for (const std::string& each : rig.peer.said) {
      if (each.find("connection.") == std::string::npos && each != "protocol header") {
        said.push_back(each.substr(0, each.find('{')));
        if (const auto at = each.find("queue: \""); at != std::string::npos) {
          said.back() += " " + each.substr(at + 8, each.find('"', at + 8) - at - 8);
        }
      }
    }
    return said;
  }

  EngineRig rig;
  std::vector<std::string> events;
  std::function<bool(ScriptPeer::Session&, std::uint16_t, MethodId, wire::Bytes)> refuse;

 private:
  int names_ = 0;
};

using Said = std::vector<std::string>;

TEST_F(RecoveryTest, EverythingInItsOrder) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "q", .durable = true});
  call(*channel, ExchangeDeclare{.exchange = "e", .type = "topic"});
  call(*channel, QueueBind{.queue = "q", .exchange = "e", .routing_key = "a"});
  call(*channel, ExchangeDeclare{.exchange = "f", .type = "topic"});
  call(*channel, ExchangeBind{.destination = "e", .source = "f"});
  call(*channel, BasicQos{0, 7, false});
  call(*channel, BasicQos{0, 9, true});
  consume(*channel, {.queue = "q", .consumer_tag = "t"});
  EXPECT_EQ(cut(),
            (Said{"1 channel.open", "1 exchange.declare", "1 exchange.declare", "1 exchange.bind",
                  "1 queue.declare q", "1 queue.bind q", "2 channel.open", "1 channel.close",
                  "2 confirm.select", "2 basic.qos", "2 basic.qos", "2 basic.consume q"}));
  EXPECT_EQ(events.size(), 2U);
  EXPECT_EQ(events.back(), "recovered");
  EXPECT_EQ(channel->state(), State::open);
  EXPECT_EQ(rig.peer.times_said("consumer_tag: \"t\""), 1U);
  // And once more.
  EXPECT_EQ(cut().size(), 12U);
}

// Each consumer comes back with the prefetch that it began with.
TEST_F(RecoveryTest, ThePrefetchOfEachConsumer) {
  const auto channel = open({.confirms = false});
  consume(*channel, {.queue = "all"});
  call(*channel, BasicQos{0, 5, false});
  consume(*channel, {.queue = "five"});
  call(*channel, BasicQos{0, 6, false});
  consume(*channel, {.queue = "six"});
  consume(*channel, {.queue = "six"});
  call(*channel, BasicQos{0, 7, false});
  EXPECT_EQ(cut(),
            (Said{"1 channel.open", "1 basic.consume all", "1 basic.qos", "1 basic.consume five",
                  "1 basic.qos", "1 basic.consume six", "1 basic.consume six", "1 basic.qos"}));
  for (const char* prefetch : {"5", "6", "7"}) {
    EXPECT_EQ(rig.peer.times_said("prefetch_count: " + std::string(prefetch)), 1U);
  }
}

// A question may be asked as soon as the channel is open, and the broker closes the channel if
// nobody asks for replies there.
TEST_F(RecoveryTest, RepliesAreAskedForFirst) {
  const auto channel = open();
  call(*channel, BasicQos{0, 5, false});
  call(*channel, BasicQos{0, 9, true});
  consume(*channel, {.queue = "q"});
  consume(*channel, {.queue = kDirectReplyTo, .no_ack = true});
  EXPECT_EQ(cut(),
            (Said{"1 channel.open", "1 confirm.select", "1 basic.consume amq.rabbitmq.reply-to",
                  "1 basic.qos", "1 basic.qos", "1 basic.consume q"}));
}

TEST_F(RecoveryTest, NothingDeclaredNothingSaid) {
  const auto channel = open({.confirms = false});
  call(*channel, QueueDeclare{.queue = "q", .passive = true});
  call(*channel, ExchangeDeclare{.exchange = "amq.topic", .type = "topic", .durable = true});
  EXPECT_EQ(cut(), (Said{"1 channel.open"}));
}

TEST_F(RecoveryTest, QueuesThatTheBrokerNamed) {
  const auto channel = open();
  call(*channel, QueueDeclare{.exclusive = true});
  call(*channel, QueueBind{.exchange = "amq.topic", .routing_key = "a"});  // the last declared
  const auto consumer = consume(*channel, {.consumer_tag = "t"});
  EXPECT_EQ(consumer->queue(), "amq.gen-1");
  EXPECT_EQ(cut(),
            (Said{"1 channel.open", "1 queue.declare ", "1 queue.bind amq.gen-2", "2 channel.open",
                  "1 channel.close", "2 confirm.select", "2 basic.consume amq.gen-2"}));
  EXPECT_EQ(consumer->queue(), "amq.gen-2");
  const Said again = cut();
  EXPECT_NE(std::find(again.begin(), again.end(), "1 queue.bind amq.gen-3"), again.end());
  EXPECT_EQ(again.back(), "2 basic.consume amq.gen-3");
}

TEST_F(RecoveryTest, BindingsThatDifferInArgumentsOnly) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "q"});
  for (const char* color : {"red", "blue"}) {
    TableBuilder arguments;
    arguments.add("color", color);
    const QueueBind bind{.queue = "q", .exchange = "amq.headers", .arguments = *arguments.table()};
    call(*channel, bind);
    call(*channel, bind);  // the same is one
  }
  const Said said = cut();
  EXPECT_EQ(std::count(said.begin(), said.end(), "1 queue.bind q"), 2);
  TableBuilder red;
  red.add("color", "red");
  call(*channel, QueueUnbind{.queue = "q", .exchange = "amq.headers", .arguments = *red.table()});
  const Said less = cut();
  EXPECT_EQ(std::count(less.begin(), less.end(), "1 queue.bind q"), 1);
}

TEST_F(RecoveryTest, WhatIsGoneStaysGone) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "deleted"});
  call(*channel, ExchangeDeclare{.exchange = "e", .type = "fanout", .auto_delete = true});
  call(*channel, QueueBind{.queue = "deleted", .exchange = "e"});
  call(*channel, QueueDeclare{.queue = "auto", .auto_delete = true});
  const auto cancelled = consume(*channel, {.queue = "auto", .consumer_tag = "cancelled"});
  EXPECT_EQ(cut().size(), 9U);
  Ending ending;
  rig.engine();
  channel->cancel(cancelled, ending.note());
  EXPECT_TRUE(rig.wait(ending));
  call(*channel, QueueDelete{.queue = "deleted"});
  // With its last binding the exchange went, with its last consumer the queue.
  EXPECT_EQ(cut(), (Said{"1 channel.open", "1 confirm.select"}));
}

TEST_F(RecoveryTest, ModesComeBack) {
  const auto channel = open({.confirms = false});
  call(*channel, TxSelect());
  EXPECT_EQ(cut(), (Said{"1 channel.open", "1 tx.select"}));
}

TEST_F(RecoveryTest, WhatCannotComeBackIsToldAndLeftOut) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "bad"});
  call(*channel, QueueDeclare{.queue = "good"});
  const auto lost = consume(*channel, {.queue = "bad", .consumer_tag = "b"});
  const auto kept = consume(*channel, {.queue = "good", .consumer_tag = "g"});
  refuse = [](ScriptPeer::Session& session, std::uint16_t number, MethodId id,
              wire::Bytes payload) {
    QueueDeclare declare;
    BasicConsume consume;
    if (id == QueueDeclare::method.id && !decode_method(payload, {}, declare) &&
        declare.queue == Text("bad")) {
      session.send(number, ChannelClose{406, "PRECONDITION_FAILED", 50, 10});
      return true;
    }
    if (id == BasicConsume::method.id && !decode_method(payload, {}, consume) &&
        consume.queue == Text("bad")) {
      session.send(number, ChannelClose{404, "NOT_FOUND", 60, 20});
      return true;
    }
    return false;
  };
  cut();
  rig.run_for(seconds(1));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_NE(events[1].find("not recovered: queue 'bad': "), std::string::npos) << events[1];
  EXPECT_NE(events[1].find("PRECONDITION_FAILED"), std::string::npos);
  EXPECT_EQ(events[2], "recovered");
  EXPECT_NE(events[3].find("consumer 'b' of queue 'bad'"), std::string::npos) << events[3];
  Failure why;
  lost->next([&](const Failure& failure, const Delivered&) { why = failure; });
  rig.run_for(seconds(1));
  EXPECT_EQ(why.code, ReplyErrc::not_found);
  EXPECT_EQ(channel->state(), State::open);
  std::string got;
  kept->next([&](const Failure&, const Delivered& delivered) { got = delivered.body().str(); });
  rig.peer.last().send(method_text(channel->id(), BasicDeliver{"g", 1, false, "", "good"}) +
                       content_text(channel->id(), "hello"));
  rig.run_for(seconds(1));
  EXPECT_EQ(got, "hello");
}

// Another connection's binding was the last one, and took the exchange with it before ours came.
TEST_F(RecoveryTest, AnExchangeThatGoesBeforeItIsBoundIsDeclaredAgain) {
  const auto channel = open({.confirms = false});
  call(*channel, ExchangeDeclare{.exchange = "e", .type = "topic", .auto_delete = true});
  call(*channel, ExchangeDeclare{.exchange = "f", .type = "topic"});
  call(*channel, ExchangeBind{.destination = "e", .source = "f"});
  call(*channel, QueueDeclare{.queue = "q"});
  call(*channel, QueueBind{.queue = "q", .exchange = "f"});
  call(*channel, QueueBind{.queue = "q", .exchange = "e"});
  int refused = 0, times = 1;
  refuse = [&](ScriptPeer::Session& session, std::uint16_t number, MethodId id,
               wire::Bytes payload) {
    QueueBind bind;
    if (id != QueueBind::method.id || decode_method(payload, {}, bind) ||
        bind.exchange != Text("e") || refused == times) {
      return false;
    }
    ++refused;
    session.send(number, ChannelClose{404, "NOT_FOUND - no exchange 'e'", 50, 20});
    return true;
  };
  // What is bound to it is bound again, what has nothing to do with it is not.
  EXPECT_EQ(cut(),
            (Said{"1 channel.open", "1 exchange.declare", "1 exchange.declare", "1 exchange.bind",
                  "1 queue.declare q", "1 queue.bind q", "1 queue.bind q", "1 channel.close-ok",
                  "1 channel.open", "1 exchange.declare", "1 exchange.bind", "1 queue.bind q",
                  "2 channel.open", "1 channel.close"}));
  ASSERT_EQ(events.size(), 2U) << events[1];
  EXPECT_EQ(events[1], "recovered");
  // But not for ever; the next time it may have as many tries again.
  for (int round = 0; round < 2; ++round) {
    refused = 0;
    times = 1'000;
    cut();
    EXPECT_EQ(refused, 4);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_NE(events[1].find("not recovered: binding of queue 'q' to 'e': "), std::string::npos)
        << events[1];
    EXPECT_NE(events[1].find("no exchange 'e'"), std::string::npos) << events[1];
    EXPECT_EQ(events[2], "recovered");
  }
}

TEST_F(RecoveryTest, AnAckThatComesTooLateCostsTheChannelOnlyATurn) {
  for (const bool recover : {true, false}) {
    rig.destroy();
    rig.peer.said.clear();
    rig.config.recover = recover;
    const auto channel = open();
    std::vector<Failure> told;
    rig.engine().on_ack_timeout([&](const Failure& why) { told.push_back(why); });
    call(*channel, BasicQos{0, 7, false});
    const auto consumer = consume(*channel, {.queue = "q", .consumer_tag = "t"});
    rig.peer.last().send(method_text(1, BasicDeliver{"t", 1, false, "", "q"}) +
                         content_text(1, "slow"));
    Delivered slow;
    consumer->next([&](const Failure&, const Delivered& delivered) { slow = delivered; });
    rig.run_for(seconds(1));
    ASSERT_EQ(slow.tag, 1U);
    Ending published;
    rig.engine();
    EXPECT_FALSE(channel->publish({}, {.body = "m"}, published.note()));
    rig.run_for(seconds(1));
    rig.peer.said.clear();
    rig.peer.last().send(
        1, ChannelClose{406, "PRECONDITION_FAILED - delivery acknowledgement timed out", 0, 0});
    Failure ended;
    std::string again;
    consumer->next([&](const Failure& why, const Delivered& delivered) {
      ended = why;
      again = why ? "" : delivered.body().str();
    });
    rig.run_for(seconds(1));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].code, ReplyErrc::precondition_failed);
    says(told[0], "acknowledgement timed out");
    EXPECT_EQ(published.failure.code, ClientErrc::maybe_written);
    EXPECT_TRUE(rig.engine().is_connected());
    EXPECT_EQ(rig.peer.said.front(), "1 channel.close-ok{}");
    if (!recover) {
      EXPECT_EQ(channel->state(), State::closed);
      EXPECT_EQ(ended.code, ReplyErrc::precondition_failed);
      continue;
    }
    ASSERT_EQ(channel->state(), State::open);
    EXPECT_FALSE(ended) << ended.message();
    ASSERT_EQ(rig.peer.said.size(), 5U);
    EXPECT_EQ(rig.peer.said[1], "1 channel.open{}");
    EXPECT_EQ(rig.peer.said[2], "1 confirm.select{no_wait: false}");
    EXPECT_NE(rig.peer.said[3].find("basic.qos"), std::string::npos);
    EXPECT_NE(rig.peer.said[4].find("consumer_tag: \"t\""), std::string::npos);
    // The old tag means nothing now, though there is a message with that number.
    rig.peer.last().send(method_text(1, BasicDeliver{"t", 1, true, "", "q"}) +
                         content_text(1, "again"));
    rig.run_for(seconds(1));
    EXPECT_EQ(again, "again");
    EXPECT_FALSE(channel->ack(slow.tag, slow.epoch, false));
  }
}

TEST_F(RecoveryTest, ALockedQueueIsWaitedFor) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "mine", .exclusive = true});
  int refused = 0;
  refuse = [&](ScriptPeer::Session& session, std::uint16_t number, MethodId id, wire::Bytes) {
    if (id != QueueDeclare::method.id || refused == 3) return false;
    ++refused;
    session.send(number, ChannelClose{405, "RESOURCE_LOCKED", 50, 10});
    return true;
  };
  const Duration before = rig.world.elapsed();
  cut();
  EXPECT_EQ(refused, 3);
  EXPECT_GE(rig.world.elapsed() - before, seconds(6));
  EXPECT_EQ(events.back(), "recovered");
  EXPECT_EQ(events.size(), 2U);
}

TEST_F(RecoveryTest, WhatWaitsAndWhatDoesNot) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q", .consumer_tag = "t"});
  rig.peer.last().send(method_text(1, BasicDeliver{"t", 1, false, "", "q"}) + content_text(1, "x"));
  rig.run_for(seconds(1));
  Delivered delivered;
  consumer->next([&](const Failure&, const Delivered& got) { delivered = got; });
  rig.run_for(seconds(1));
  Ending published, asked, refused_later;
  refuse = [](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    return id == BasicGet::method.id;
  };
  rig.engine();
  EXPECT_FALSE(channel->publish({}, {.body = "m"}, published.note()));
  channel->call(BasicGet{"q", true}, [&](const Failure& why, const Reply&) { asked.note()(why); });
  rig.run_for(seconds(1));
  rig.fabric.reset(rig.peer.last().id);
  EXPECT_TRUE(rig.run_until([&] { return rig.engine().is_recovering(); }));
  rig.run_for(milliseconds(10));
  EXPECT_EQ(published.failure.code, ClientErrc::maybe_written);
  EXPECT_EQ(asked.endings, 1);
  EXPECT_TRUE(asked.failure);
  // Meanwhile: no message is taken, a method waits.
  rig.engine();
  EXPECT_EQ(channel->publish({}, {.body = "n"}, refused_later.note()).code, ClientErrc::no_broker);
  Ending declared;
  channel->call(QueueDeclare{.queue = "later"},
                [&](const Failure& why, const Reply&) { declared.note()(why); });
  EXPECT_TRUE(rig.wait(declared));
  EXPECT_TRUE(declared.ok());
  // A delivery of before cannot be acknowledged, and nothing is said.
  EXPECT_FALSE(channel->ack(delivered.tag, delivered.epoch, false));
  EXPECT_FALSE(channel->publish({}, {.body = "n"}, refused_later.note()));
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.times_said("basic.ack"), 0U);
  rig.peer.last().send(channel->id(), BasicAck{1, false});  // counted from 1 again
  rig.run_for(seconds(1));
  EXPECT_TRUE(refused_later.ok());
  EXPECT_EQ(published.endings, 1);
}

TEST_F(RecoveryTest, NothingWaitsForAConnectionForEver) {
  rig.config.operation_timeout = seconds(5);
  rig.config.recovery_backoff_max = seconds(1);
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "q"});
  // One method is answered by nobody, and one is behind it.
  refuse = [](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    return id == BasicGet::method.id;
  };
  Ending asked, behind, later;
  const auto noted = [](Ending& ending) {
    return [&ending](const Failure& why, const Reply&) { ending.note()(why); };
  };
  rig.engine();
  channel->call(BasicGet{"q", true}, noted(asked));
  channel->call(QueueDeclare{.queue = "r"}, noted(behind));
  rig.run_for(seconds(1));
  rig.peer.net.down();
  EXPECT_TRUE(rig.run_until([&] { return rig.engine().is_recovering(); }));
  const Time lost = rig.world.now().mono;
  rig.run_for(seconds(2));
  EXPECT_EQ(asked.endings, 1);
  EXPECT_EQ(behind.endings, 0);
  rig.engine();
  channel->call(QueueDeclare{.queue = "s"}, noted(later));
  const auto second = rig.engine().open_channel({});
  EXPECT_TRUE(rig.wait(behind));
  EXPECT_EQ(behind.failure.code, ClientErrc::timed_out);
  EXPECT_EQ(behind.failure.message().find("queue.declare was not sent: no connection"), 0U)
      << behind.failure.message();
  EXPECT_NEAR(std::chrono::duration<double>(rig.world.now().mono - lost).count(), 5, 0.1);
  EXPECT_EQ(later.endings, 0);
  EXPECT_EQ(second->state(), State::waiting);
  EXPECT_TRUE(rig.wait(later));
  EXPECT_EQ(later.failure.code, ClientErrc::timed_out);
  EXPECT_NEAR(std::chrono::duration<double>(rig.world.now().mono - lost).count(), 7, 0.1);
  rig.run_for(milliseconds(1));
  EXPECT_EQ(second->state(), State::closed);
  EXPECT_EQ(second->ending().code, ClientErrc::timed_out);
  // The channel itself goes on waiting, and what is asked in time is answered.
  refuse = nullptr;
  Ending in_time;
  rig.engine();
  channel->call(QueueDeclare{.queue = "t"}, noted(in_time));
  rig.peer.said.clear();
  rig.peer.net.up();
  EXPECT_TRUE(rig.run_until([&] { return in_time.endings != 0; }, seconds(60)));
  EXPECT_TRUE(in_time.ok()) << in_time.failure.message();
  EXPECT_EQ(rig.peer.times_said("queue.declare"), 2U);  // "q" again, and "t"
}

TEST_F(RecoveryTest, CloseWinsAtAnyTime) {
  for (Duration after{}; after < milliseconds(800); after += milliseconds(5)) {
    rig.destroy();
    rig.peer.sessions.remove_if([](const auto& each) { return each.closed; });
    const auto channel = open();
    call(*channel, QueueDeclare{.queue = "q"});
    rig.fabric.reset(rig.peer.last().id);
    rig.run_for(after);
    Ending closed, asked;
    rig.engine();
    channel->call(QueueDeclare{.queue = "r"},
                  [&](const Failure& why, const Reply&) { asked.note()(why); });
    rig.engine().close(closed.note());
    ASSERT_TRUE(rig.wait(closed, seconds(10)));
    rig.run_for(seconds(100));
    ASSERT_EQ(asked.endings, 1);
    ASSERT_EQ(channel->state(), State::closed);
    ASSERT_FALSE(rig.engine().is_connected());
    ASSERT_FALSE(rig.engine().is_recovering());
  }
}

TEST_F(RecoveryTest, PausesGrow) {
  rig.config.recovery_backoff = seconds(1);
  rig.config.recovery_backoff_max = seconds(16);
  const auto channel = open();
  rig.peer.net.down();
  rig.run_for(seconds(1));
  EXPECT_TRUE(rig.engine().is_recovering());
  const std::uint64_t steps = rig.net->steps();
  rig.run_for(seconds(1000));
  EXPECT_LT(rig.net->steps() - steps, 400U);  // one try in 16 s, and a few steps for each
  rig.peer.net.up();
  EXPECT_TRUE(rig.run_until([&] { return !rig.engine().is_recovering(); }, seconds(20)));
}

TEST_F(RecoveryTest, StormsLeaveNothingBehind) {
  const auto channel = open();
  call(*channel, QueueDeclare{.queue = "q"});
  consume(*channel, {.queue = "q", .consumer_tag = "t"});
  const std::size_t usual = cut().size();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(cut().size(), usual);
}

}  // namespace
}  // namespace tern::amqp::testing
