// Channels: methods in order, errors by value, ids used again, publishing and confirms, against a
// peer that says what the test wants.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/amqp/channel_rig.h"

namespace tern::amqp::testing {
namespace {

using State = ChannelCore::State;

// ------------------------------------------------------------------------------ opening, closing

TEST_F(ChannelTest, OpensWithConfirmsFirst) {
  const auto channel = open();
  EXPECT_EQ(channel->id(), 1);
  const auto& said = rig.peer.said;
  ASSERT_GE(said.size(), 2U);
  EXPECT_EQ(said[said.size() - 2], "1 channel.open{}");
  EXPECT_EQ(said.back(), "1 confirm.select{no_wait: false}");
  const auto other = open({.confirms = false});
  EXPECT_EQ(other->id(), 2);
  EXPECT_EQ(said.back(), "2 channel.open{}");
}

TEST_F(ChannelTest, OpenedBeforeThereIsAConnection) {
  const auto channel = rig.engine().open_channel();
  EXPECT_EQ(channel->state(), State::waiting);
  Ending declared;
  channel->call(QueueDeclare{.queue = "q"}, note(declared));
  rig.run_for(seconds(1));
  EXPECT_EQ(declared.endings, 0);
  connect();
  EXPECT_TRUE(rig.wait(declared));
  EXPECT_TRUE(declared.ok());
}

TEST_F(ChannelTest, EndsWithTheFirstAttemptToConnect) {
  rig.config.hosts = {{"peer", 9}};
  const auto channel = rig.engine().open_channel();
  Ending declared;
  channel->call(QueueDeclare{.queue = "q"}, note(declared));
  EXPECT_TRUE(rig.connect());
  rig.run_for(milliseconds(1));
  EXPECT_EQ(declared.endings, 1);
  EXPECT_EQ(declared.failure.code, std::errc::connection_refused);
}

TEST_F(ChannelTest, NumbersAreUsedAgainAfterCloseOk) {
  const auto one = open();
  const auto two = open();
  rig.peer.on_method = [](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    return id == ChannelClose::method.id;
  };
  Ending closed;
  rig.engine();
  one->close(closed.note());
  rig.run_for(seconds(1));
  EXPECT_EQ(one->state(), State::closing);
  EXPECT_EQ(open()->id(), 3);  // 1 is still taken
  peer().send(1, ChannelCloseOk());
  EXPECT_TRUE(rig.wait(closed));
  EXPECT_TRUE(closed.ok());
  EXPECT_EQ(one->state(), State::closed);
  EXPECT_EQ(open()->id(), 1);
}

TEST_F(ChannelTest, NoNumberIsLeft) {
  rig.peer.tune.channel_max = 2;
  const auto one = open();
  const auto two = open();
  const auto three = rig.open_channel();
  EXPECT_EQ(three->state(), State::closed);
  EXPECT_EQ(three->ending().code, ReplyErrc::not_allowed);
  says(three->ending(), "channel_max");
  Ending ending;
  three->call(QueueDeclare{}, note(ending));
  rig.run_for(milliseconds(1));
  EXPECT_EQ(ending.failure.code, ReplyErrc::not_allowed);
}

TEST_F(ChannelTest, CloseWaitsForWhatWasAsked) {
  const auto channel = open();
  Ending declared, closed;
  rig.engine();
  channel->call(QueueDeclare{.queue = "q"}, note(declared));
  channel->close(closed.note());
  Ending late;
  channel->call(QueueDeclare{.queue = "late"}, note(late));
  EXPECT_TRUE(rig.wait(closed));
  EXPECT_TRUE(declared.ok());
  EXPECT_TRUE(closed.ok());
  EXPECT_EQ(late.failure.code, ClientErrc::closed);
  EXPECT_EQ(rig.peer.times_said("late"), 0U);
}

TEST_F(ChannelTest, CloseOkThatNeverComes) {
  rig.config.close_timeout = seconds(2);
  const auto channel = open();
  rig.peer.on_method = [](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    return id == ChannelClose::method.id;
  };
  Ending closed;
  rig.engine();
  channel->close(closed.note());
  EXPECT_TRUE(rig.wait(closed, seconds(3)));
  EXPECT_EQ(closed.failure.code, ClientErrc::timed_out);
  EXPECT_EQ(open()->id(), 2);
}

// --------------------------------------------------------------------------------------- methods

TEST_F(ChannelTest, OneMethodAtATimeInOrder) {
  const auto channel = open();
  std::vector<std::string> asked;
  rig.peer.on_method = [&](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes payload) {
    QueueDeclare declare;
    if (id != QueueDeclare::method.id || decode_method(payload, {}, declare)) return false;
    asked.push_back(declare.queue.str());
    return true;
  };
  std::vector<std::string> done;
  rig.engine();
  for (const char* name : {"a", "b", "c"}) {
    channel->call(QueueDeclare{.queue = name}, [&done](const Failure& why, const Reply& reply) {
      done.push_back(why ? why.message() : reply.as<QueueDeclareOk>().queue.str());
    });
  }
  for (std::size_t i = 1; i <= 3; ++i) {
    rig.run_for(seconds(1));
    ASSERT_EQ(asked.size(), i);
    peer().send(1, QueueDeclareOk{std::string_view(asked.back()), 7, 3});
  }
  rig.run_for(seconds(1));
  EXPECT_EQ(done, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(ChannelTest, WithoutWaiting) {
  const auto channel = open();
  Ending one, two;
  rig.engine();
  channel->call(QueueDeclare{.queue = "q", .no_wait = true}, note(one));
  channel->call(QueueBind{.queue = "q", .exchange = "e", .no_wait = true}, note(two));
  rig.run_for(seconds(1));
  EXPECT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(rig.peer.times_said("queue.bind"), 1U);
}

TEST_F(ChannelTest, ArgumentsThatCannotBeSent) {
  const auto channel = open();
  Ending ending;
  const std::string name(256, 'x');
  rig.engine();
  channel->call(QueueDeclare{.queue = std::string_view(name)}, note(ending));
  rig.run_for(milliseconds(1));
  EXPECT_EQ(ending.failure.code, ClientErrc::invalid_argument);
  says(ending.failure, "queue.declare: queue");
  EXPECT_EQ(channel->state(), State::open);
}

TEST_F(ChannelTest, TheBrokerClosesOneChannel) {
  const auto channel = open();
  const auto other = open();
  rig.peer.on_method = [](ScriptPeer::Session& session, std::uint16_t number, MethodId id,
                          wire::Bytes) {
    if (id != QueueDeclare::method.id || number != 1) return false;
    session.send(1, ChannelClose{404, "NOT_FOUND - no queue 'q'", 50, 10});
    return true;
  };
  Ending asked, queued, published, after;
  rig.engine();
  EXPECT_FALSE(publish(*channel, {.routing_key = "k"}, "m", published));
  channel->call(QueueDeclare{.queue = "q", .passive = true}, note(asked));
  channel->call(QueueDeclare{.queue = "r"}, note(queued));
  EXPECT_TRUE(rig.wait(queued));
  for (const Ending* each : {&asked, &queued}) {
    EXPECT_EQ(each->endings, 1);
    EXPECT_EQ(each->failure.code, ReplyErrc::not_found);
    says(each->failure, "no queue 'q'");
    says(each->failure, "queue.declare");
  }
  rig.run_for(milliseconds(10));
  EXPECT_EQ(published.endings, 1);
  EXPECT_EQ(published.failure.code, ClientErrc::maybe_written);
  says(published.failure, "no queue 'q'");
  EXPECT_EQ(rig.peer.said.back(), "1 channel.close-ok{}");
  EXPECT_EQ(publish(*channel, {}, "m", after).code, ReplyErrc::not_found);
  // The other one goes on, and the number is free.
  Ending declared;
  other->call(QueueDeclare{.queue = "s"}, note(declared));
  EXPECT_TRUE(rig.wait(declared));
  EXPECT_TRUE(declared.ok());
  EXPECT_EQ(open()->id(), 1);
}

TEST_F(ChannelTest, BothSidesCloseItAtOnce) {
  const auto channel = open();
  rig.peer.on_method = [](ScriptPeer::Session& session, std::uint16_t, MethodId id, wire::Bytes) {
    if (id == ChannelClose::method.id) session.send(1, ChannelClose{406, "x", 0, 0});
    return false;
  };
  Ending closed;
  rig.engine();
  channel->close(closed.note());
  EXPECT_TRUE(rig.wait(closed, seconds(1)));
  EXPECT_TRUE(closed.ok());
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.times_said("channel.close-ok"), 1U);
  EXPECT_TRUE(rig.engine().is_connected());
}

TEST_F(ChannelTest, NoAnswerClosesTheChannel) {
  rig.config.operation_timeout = seconds(5);
  const auto channel = open();
  rig.peer.on_method = [](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    return id == QueueDeclare::method.id;
  };
  Ending asked, queued;
  rig.engine();
  channel->call(QueueDeclare{.queue = "q"}, note(asked));
  channel->call(QueueDeclare{.queue = "r"}, note(queued));
  EXPECT_TRUE(rig.wait(asked, seconds(6)));
  EXPECT_EQ(asked.failure.code, ClientErrc::timed_out);
  says(asked.failure, "queue.declare");
  EXPECT_EQ(queued.endings, 1);
  // The late answer is nobody's.
  peer().send(1, QueueDeclareOk{"q", 1, 1});
  rig.run_for(seconds(1));
  EXPECT_EQ(channel->state(), State::closed);
  EXPECT_TRUE(rig.engine().is_connected());
}

TEST_F(ChannelTest, AnswersThatNobodyAskedFor) {
  for (const std::string& bytes :
       {method_text(1, QueueDeclareOk{"q", 1, 1}), method_text(1, ChannelOpenOk()),
        method_text(1, ChannelCloseOk()), method_text(1, BasicGetEmpty()),
        method_text(1, BasicGetOk()) + content_text(1, "x"), method_text(1, BasicPublish()),
        method_text(1, BasicAck{1, false}), method_text(1, BasicAck{0, false}),
        method_text(1, BasicNack{9, true, false}), method_text(1, ConnectionBlocked())}) {
    rig.destroy();
    Failure lost;
    rig.engine().on_lost([&](const Failure& why) { lost = why; });
    const auto channel = open();
    peer().send(bytes);
    EXPECT_TRUE(rig.run_until([&] { return static_cast<bool>(lost); }, seconds(10)));
    EXPECT_EQ(lost.code, ClientErrc::protocol_violation) << lost.message();
    EXPECT_EQ(channel->state(), State::closed);
  }
}

TEST_F(ChannelTest, GetOneMessageOrNone) {
  const auto channel = open();
  rig.peer.on_method = [&, n = 0](ScriptPeer::Session& session, std::uint16_t, MethodId id,
                                  wire::Bytes) mutable {
    if (id != BasicGet::method.id) return false;
    if (n++ == 0) {
      session.send(method_text(1, BasicGetOk{1, true, "e", "k", 5}) + content_text(1, "body"));
    } else {
      session.send(1, BasicGetEmpty());
    }
    return true;
  };
  std::string got;
  rig.engine();
  const auto note_got = [&got](const Failure& why, const Reply& reply) {
    if (why)
      got = why.message();
    else if (reply.content == nullptr)
      got = "nothing";
    else
      got = reply.as<BasicGetOk>().routing_key.str() + " " + reply.content->body.str();
  };
  channel->call(BasicGet{"q", false}, note_got);
  rig.run_for(seconds(1));
  EXPECT_EQ(got, "k body");
  EXPECT_TRUE(channel->ack(1, channel->epoch(), false));
  channel->call(BasicGet{"q", false}, note_got);
  rig.run_for(seconds(1));
  EXPECT_EQ(got, "nothing");
  EXPECT_EQ(rig.peer.times_said("basic.ack{delivery_tag: 1, multiple: false}"), 1U);
}

// The broker keeps nothing of it, and ends a channel that acknowledges it.
TEST_F(ChannelTest, WhatWasGotWithoutAcksIsNotAcknowledged) {
  const auto channel = open();
  rig.peer.on_method = [&, tag = std::uint64_t{0}](ScriptPeer::Session& session, std::uint16_t,
                                                   MethodId id, wire::Bytes) mutable {
    if (id != BasicGet::method.id) return false;
    session.send(method_text(1, BasicGetOk{++tag, false, "", "q", 0}) + content_text(1, "body"));
    return true;
  };
  rig.engine();
  for (const bool no_ack : {true, false, true, false}) {
    channel->call(BasicGet{"q", no_ack}, [](const Failure&, const Reply&) {});
  }
  rig.run_for(seconds(1));
  EXPECT_FALSE(channel->ack(1, channel->epoch(), false));
  EXPECT_FALSE(channel->nack(3, channel->epoch(), true));
  EXPECT_TRUE(channel->ack(2, channel->epoch(), false));
  EXPECT_TRUE(channel->ack(4, channel->epoch(), false));
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.times_said("basic.ack{delivery_tag: 4, multiple: true}"), 1U);
  EXPECT_EQ(channel->state(), State::open);
}

// ------------------------------------------------------------------------------------ publishing

TEST_F(ChannelTest, PublishesAndIsConfirmed) {
  const auto channel = open();
  Ending endings[5];
  for (Ending& each : endings) {
    EXPECT_FALSE(publish(*channel, {.exchange = "e", .routing_key = "k"}, "hello", each));
  }
  EXPECT_EQ(channel->unconfirmed(), 5U);
  rig.run_for(seconds(1));
  ASSERT_EQ(rig.peer.messages.size(), 5U);
  EXPECT_EQ(rig.peer.messages[0].publish,
            "basic.publish{exchange: \"e\", routing_key: \"k\", mandatory: false, immediate: "
            "false}");
  EXPECT_EQ(rig.peer.messages[0].body, "hello");
  peer().send(1, BasicAck{4, false});  // out of order
  peer().send(1, BasicAck{2, true});
  peer().send(1, BasicNack{3, false, false});
  rig.run_for(seconds(1));
  EXPECT_TRUE(endings[0].ok() && endings[1].ok() && endings[3].ok());
  EXPECT_EQ(endings[2].failure.code, ClientErrc::refused);
  EXPECT_EQ(endings[4].endings, 0);
  EXPECT_EQ(channel->unconfirmed(), 1U);
  peer().send(1, BasicAck{0, true});  // all
  rig.run_for(seconds(1));
  for (const Ending& each : endings) EXPECT_EQ(each.endings, 1);
}

TEST_F(ChannelTest, EveryOrderOfConfirmsEndsEachOnce) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    sim::Rng random(seed);
    rig.destroy();
    const auto channel = open();
    std::vector<Ending> endings(200);
    for (Ending& each : endings) ASSERT_FALSE(publish(*channel, {}, "x", each));
    std::vector<bool> nacked(201), settled(201);
    std::size_t left = 200;
    while (left > 0) {
      const std::uint64_t tag = 1 + random.below(200);
      const bool multiple = random.below(8) == 0;
      const bool nack = random.below(3) == 0;
      if (settled[tag] && !multiple) continue;
      if (nack)
        peer().send(1, BasicNack{tag, multiple, false});
      else
        peer().send(1, BasicAck{tag, multiple});
      for (std::uint64_t t = multiple ? 1 : tag; t <= tag; ++t) {
        if (settled[t]) continue;
        settled[t] = true;
        nacked[t] = nack;
        --left;
      }
    }
    rig.run_for(seconds(1));
    for (std::size_t i = 0; i < endings.size(); ++i) {
      ASSERT_EQ(endings[i].endings, 1);
      ASSERT_EQ(static_cast<bool>(endings[i].failure), nacked[i + 1]);
    }
    ASSERT_TRUE(rig.engine().is_connected());
  }
}

TEST_F(ChannelTest, MandatoryMessagesComeBack) {
  const auto channel = open();
  rig.peer.on_message = [](ScriptPeer::Session& session, const ScriptPeer::Message& message) {
    if (message.publish.find("nowhere") == std::string::npos) return;
    session.send(method_text(1, BasicReturn{312, "NO_ROUTE", "e", "nowhere"}) +
                 content_text(1, message.body));
  };
  Ending first, same_key, lost, lost_too, last;
  publish(*channel, {.exchange = "e", .routing_key = "k", .mandatory = true}, "1", first);
  publish(*channel, {.exchange = "e", .routing_key = "nowhere", .mandatory = false}, "22",
          same_key);
  publish(*channel, {.exchange = "e", .routing_key = "nowhere", .mandatory = true}, "333", lost);
  publish(*channel, {.exchange = "e", .routing_key = "nowhere", .mandatory = true}, "333",
          lost_too);
  publish(*channel, {.exchange = "e", .routing_key = "k", .mandatory = true}, "1", last);
  rig.run_for(seconds(1));
  EXPECT_EQ(lost.endings, 0);  // not before it is confirmed
  peer().send(1, BasicAck{5, true});
  rig.run_for(seconds(1));
  EXPECT_TRUE(first.ok() && same_key.ok() && last.ok());
  EXPECT_EQ(lost.endings, 1);
  EXPECT_EQ(lost.failure.code, ReplyErrc::no_route);
  EXPECT_EQ(lost_too.failure.code, ReplyErrc::no_route);
  says(lost.failure, "nowhere");
}

TEST_F(ChannelTest, BodiesAreCutAtTheFrameSize) {
  rig.peer.tune.frame_max = 4096;
  const auto channel = open();
  for (const std::size_t size : {0U, 1U, 4087U, 4088U, 4089U, 8176U, 8177U, 1'000'000U}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; i += 89) body[i] = static_cast<char>(i);
    rig.peer.messages.clear();
    rig.peer.body_frames.clear();
    auto held = std::make_shared<const std::string>(body);
    const std::weak_ptr<const std::string> watched = held;
    Ending copied, referred;
    ASSERT_FALSE(publish(*channel, {.routing_key = "k"}, body, copied));
    ASSERT_FALSE(
        channel->publish({.routing_key = "k"}, {.body = *held, .owner = held}, referred.note()));
    held.reset();
    rig.run_for(seconds(1));
    ASSERT_EQ(rig.peer.messages.size(), 2U);
    EXPECT_TRUE(rig.peer.messages[0].body == body);
    EXPECT_TRUE(rig.peer.messages[1].body == body);
    const std::size_t frames = (size + 4087) / 4088;
    ASSERT_EQ(rig.peer.body_frames.size(), 2 * frames);
    for (const std::size_t each : rig.peer.body_frames) EXPECT_LE(each, 4088U);
    EXPECT_TRUE(watched.expired());
    peer().send(1, BasicAck{0, true});
    rig.run_for(seconds(1));
    EXPECT_TRUE(copied.ok() && referred.ok());
  }
}

TEST_F(ChannelTest, TheWindowIsKept) {
  const auto channel = open({.max_unconfirmed = 3, .max_unconfirmed_bytes = 100});
  Ending endings[8];
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(publish(*channel, {}, "x", endings[i]));
  EXPECT_EQ(publish(*channel, {}, "x", endings[3]).code, ClientErrc::queue_full);
  rig.run_for(seconds(1));
  peer().send(1, BasicAck{3, true});
  rig.run_for(seconds(1));
  EXPECT_FALSE(publish(*channel, {}, std::string(150, 'x'), endings[4]));  // one may be larger
  EXPECT_EQ(publish(*channel, {}, "x", endings[5]).code, ClientErrc::queue_full);
  rig.run_for(seconds(1));
  peer().send(1, BasicAck{4, false});
  rig.run_for(seconds(1));
  EXPECT_FALSE(publish(*channel, {}, std::string(99, 'x'), endings[6]));
  EXPECT_EQ(publish(*channel, {}, "xx", endings[7]).code, ClientErrc::queue_full);
  EXPECT_EQ(endings[3].endings + endings[5].endings + endings[7].endings, 0);
}

TEST_F(ChannelTest, ABrokerThatDoesNotReadIsNotGivenMore) {
  rig.config.max_unsent_bytes = 100'000;
  const auto channel = open({.confirms = false});
  rig.net->fabric().clog("client", "peer", seconds(1000));
  std::size_t taken = 0;
  Failure failure;
  for (; taken < 10'000; ++taken) {
    rig.engine();
    failure = channel->publish({}, {.body = "0123456789"}, {});
    if (failure) break;
    if (taken % 100 == 0) rig.run_for(milliseconds(1));
  }
  EXPECT_EQ(failure.code, ClientErrc::queue_full);
  // What the connection itself holds comes on top.
  EXPECT_LT(taken, 500'000U / 60);
}

TEST_F(ChannelTest, WithoutConfirmsWrittenIsTheEnd) {
  const auto channel = open({.confirms = false});
  Ending ending;
  EXPECT_FALSE(publish(*channel, {}, "x", ending));
  EXPECT_EQ(ending.endings, 0);
  rig.run_for(seconds(1));
  EXPECT_TRUE(ending.ok());
  EXPECT_EQ(rig.peer.messages.size(), 1U);
}

TEST_F(ChannelTest, WhatBecomesOfMessagesWhenTheConnectionGoes) {
  const auto channel = open();
  Ending sent, unsent;
  EXPECT_FALSE(publish(*channel, {}, "sent", sent));
  rig.run_for(seconds(1));
  rig.fabric.reset(peer().id);
  // Nothing of this one has been given to the network.
  EXPECT_FALSE(publish(*channel, {}, "unsent", unsent));
  EXPECT_TRUE(rig.wait(unsent));
  rig.run_for(seconds(1));
  EXPECT_EQ(sent.endings, 1);
  EXPECT_EQ(sent.failure.code, ClientErrc::maybe_written);
  EXPECT_EQ(unsent.endings, 1);
  EXPECT_TRUE(unsent.failure.code == ClientErrc::not_written ||
              unsent.failure.code == ClientErrc::maybe_written);
  EXPECT_EQ(rig.peer.messages.size(), 1U);
  Ending after;
  EXPECT_TRUE(publish(*channel, {}, "after", after));
}

TEST_F(ChannelTest, NotOpenYet) {
  connect();
  const auto channel = rig.engine().open_channel();
  Ending ending;
  EXPECT_EQ(publish(*channel, {}, "x", ending).code, ClientErrc::no_broker);
  rig.run_for(seconds(1));
  EXPECT_FALSE(publish(*channel, {}, "x", ending));
  const std::string key(256, 'k');
  EXPECT_EQ(publish(*channel, {.routing_key = std::string_view(key)}, "x", ending).code,
            ClientErrc::invalid_argument);
  EXPECT_EQ(ending.endings, 0);
}

}  // namespace
}  // namespace tern::amqp::testing
