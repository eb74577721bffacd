// Consumers of a channel: deliveries, acks and what is given back, how they end.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/amqp/channel_rig.h"

namespace tern::amqp::testing {
namespace {

using State = ChannelCore::State;

class ConsumerTest : public ChannelTest {
 protected:
  std::shared_ptr<ConsumerCore> consume(ChannelCore& channel, BasicConsume request = {}) {
    std::shared_ptr<ConsumerCore> consumer;
    Ending ending;
    rig.engine();
    channel.consume(request, [&](const Failure& why, const std::shared_ptr<ConsumerCore>& given) {
      ++ending.endings;
      ending.failure = why;
      consumer = given;
    });
    EXPECT_TRUE(rig.wait(ending));
    EXPECT_FALSE(ending.failure) << ending.failure.message();
    return consumer;
  }
  void deliver(const std::string& tag, std::uint64_t delivery_tag, std::string_view body) {
    peer().send(method_text(1, BasicDeliver{std::string_view(tag), delivery_tag, false, "e", "k"}) +
                content_text(1, body));
  }
  // What the next message, or the end, is.
  std::string next(ConsumerCore& consumer) {
    std::string got;
    rig.engine();
    consumer.next([&](const Failure& why, const Delivered& delivered) {
      last = delivered;
      got = why ? "! " + why.message() : delivered.body().str();
    });
    rig.run_until([&] { return !got.empty(); }, seconds(5));
    return got;
  }
  std::vector<std::string> acks() {
    std::vector<std::string> out;
    for (const std::string& each : rig.peer.said) {
      for (const char* method : {"basic.ack{", "basic.reject{", "basic.nack{", "basic.recover{"}) {
        if (const auto at = each.find(method); at != std::string::npos) {
          out.push_back(each.substr(at + 6));
        }
      }
    }
    rig.peer.said.clear();
    return out;
  }
  Delivered last;
};

TEST_F(ConsumerTest, DeliveriesReachTheirConsumer) {
  const auto channel = open();
  const auto one = consume(*channel, {.queue = "q"});
  const auto two = consume(*channel, {.queue = "q", .consumer_tag = "mine"});
  EXPECT_NE(one->tag(), "");
  EXPECT_EQ(two->tag(), "mine");
  deliver("mine", 1, "a");
  deliver(one->tag(), 2, "b");
  deliver("mine", 3, "c");
  deliver("unknown", 4, "d");
  EXPECT_EQ(next(*two), "a");
  EXPECT_EQ(next(*two), "c");
  EXPECT_EQ(last.tag, 3U);
  EXPECT_EQ(last.routing_key, Text("k"));
  EXPECT_EQ(next(*one), "b");
}

TEST_F(ConsumerTest, WhatComesBeforeConsumeOkIsKept) {
  const auto channel = open();
  rig.peer.on_method = [](ScriptPeer::Session& session, std::uint16_t, MethodId id, wire::Bytes) {
    if (id == BasicConsume::method.id) {
      session.send(method_text(1, BasicDeliver{"t", 1, false, "", ""}) + content_text(1, "early"));
    }
    return false;
  };
  EXPECT_EQ(next(*consume(*channel, {.queue = "q", .consumer_tag = "t"})), "early");
}

TEST_F(ConsumerTest, ATagInUseIsRefusedHere) {
  const auto channel = open();
  const auto one = consume(*channel, {.queue = "q", .consumer_tag = "t"});
  Failure failure;
  rig.engine();
  channel->consume({.queue = "q", .consumer_tag = "t"},
                   [&](const Failure& why, const auto&) { failure = why; });
  rig.run_for(seconds(1));
  EXPECT_EQ(failure.code, ClientErrc::invalid_argument);
  EXPECT_EQ(rig.peer.times_said("basic.consume"), 1U);
  deliver("t", 1, "x");
  EXPECT_EQ(next(*one), "x");
}

TEST_F(ConsumerTest, OneAckForManyInAStep) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q"});
  for (std::uint64_t tag = 1; tag <= 10; ++tag) deliver(consumer->tag(), tag, "x");
  for (int i = 0; i < 10; ++i) next(*consumer);
  const std::uint32_t epoch = channel->epoch();
  rig.engine();
  for (const std::uint64_t tag : {3U, 1U, 2U, 5U}) EXPECT_TRUE(channel->ack(tag, epoch, false));
  rig.run_for(seconds(1));
  using Acks = std::vector<std::string>;
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 3, multiple: true}",
                          "ack{delivery_tag: 5, multiple: false}"}));
  EXPECT_FALSE(channel->ack(3, epoch, false));  // twice
  EXPECT_FALSE(channel->ack(11, epoch, false));
  EXPECT_FALSE(channel->ack(0, epoch, true));
  EXPECT_FALSE(channel->ack(6, epoch + 1, false));
  rig.engine();
  EXPECT_TRUE(channel->nack(4, epoch, true));
  EXPECT_FALSE(channel->nack(4, epoch, true));
  EXPECT_TRUE(channel->ack(8, epoch, true));
  rig.run_for(seconds(1));
  EXPECT_EQ(acks(), (Acks{"reject{delivery_tag: 4, requeue: true}",
                          "ack{delivery_tag: 8, multiple: true}"}));
  rig.engine();
  EXPECT_TRUE(channel->nack(9, epoch, false));
  EXPECT_TRUE(channel->ack(10, epoch, false));
  rig.run_for(seconds(1));
  EXPECT_EQ(acks(), (Acks{"reject{delivery_tag: 9, requeue: false}",
                          "ack{delivery_tag: 10, multiple: false}"}));
}

// As many as a quarter of the prefetch go together, and fewer after a while.
TEST_F(ConsumerTest, AcksWaitForEachOther) {
  const auto channel = open();
  Ending set;
  channel->call(BasicQos{0, 40, false}, [&](const Failure& why, const Reply&) { set.note()(why); });
  ASSERT_TRUE(rig.wait(set));
  const auto consumer = consume(*channel, {.queue = "q"});
  for (std::uint64_t tag = 1; tag <= 40; ++tag) deliver(consumer->tag(), tag, "x");
  for (int i = 0; i < 40; ++i) next(*consumer);
  acks();
  using Acks = std::vector<std::string>;
  const auto ack = [&](std::uint64_t tag) {
    rig.engine();
    EXPECT_TRUE(channel->ack(tag, channel->epoch(), false));
    rig.run_for(std::chrono::microseconds(100));
  };
  for (std::uint64_t tag = 1; tag <= 25; ++tag) ack(tag);
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 10, multiple: true}",
                          "ack{delivery_tag: 20, multiple: true}"}));
  rig.run_for(kAckLinger + milliseconds(1));
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 25, multiple: true}"}));
  // What else is said comes behind them.
  ack(26);
  Ending asked;
  rig.engine();
  channel->call(BasicQos{0, 50, false},
                [&](const Failure& why, const Reply&) { asked.note()(why); });
  ASSERT_TRUE(rig.wait(asked, milliseconds(2)));
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 26, multiple: false}"}));
  // And so does the end.
  ack(27);
  Ending closed;
  rig.engine().close(closed.note());
  ASSERT_TRUE(rig.wait(closed));
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 27, multiple: false}"}));
}

// The broker may be waiting for this very one.
TEST_F(ConsumerTest, AcksDoNotWaitWithASmallPrefetch) {
  const auto channel = open();
  const auto set = [&](const BasicQos& qos) {
    Ending ending;
    rig.engine();
    channel->call(qos, [&](const Failure& why, const Reply&) { ending.note()(why); });
    ASSERT_TRUE(rig.wait(ending));
  };
  using Acks = std::vector<std::string>;
  std::uint64_t tag = 0;
  const auto ack_one = [&](ConsumerCore& consumer) {
    deliver(consumer.tag(), ++tag, "x");
    next(consumer);
    acks();
    rig.engine();
    EXPECT_TRUE(channel->ack(tag, channel->epoch(), false));
    rig.run_for(milliseconds(1));
    return acks();
  };
  const std::string one = ", multiple: false}";
  set({0, 1000, false});
  const auto many = consume(*channel, {.queue = "q"});
  EXPECT_EQ(ack_one(*many), Acks());
  rig.run_for(kAckLinger);
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 1" + one}));
  // One of two consumers is enough.
  set({0, 7, false});
  const auto few = consume(*channel, {.queue = "q"});
  EXPECT_EQ(ack_one(*many), (Acks{"ack{delivery_tag: 2" + one}));
  Ending gone;
  rig.engine();
  channel->cancel(few, gone.note());
  ASSERT_TRUE(rig.wait(gone));
  EXPECT_EQ(ack_one(*many), Acks());
  // So is what all of them have together.
  set({0, 7, true});
  EXPECT_EQ(ack_one(*many), (Acks{"ack{delivery_tag: 4" + one}));
}

TEST_F(ConsumerTest, ManyAreGivenBackAtOnce) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q"});
  for (std::uint64_t tag = 1; tag <= 6; ++tag) deliver(consumer->tag(), tag, "x");
  for (int i = 0; i < 6; ++i) next(*consumer);
  const std::uint32_t epoch = channel->epoch();
  using Acks = std::vector<std::string>;
  rig.engine();
  EXPECT_TRUE(channel->ack(2, epoch, false));
  EXPECT_TRUE(channel->nack_up_to(4, epoch, true));
  EXPECT_FALSE(channel->nack_up_to(4, epoch, true));
  EXPECT_FALSE(channel->nack_up_to(7, epoch, true));
  EXPECT_FALSE(channel->nack_up_to(5, epoch + 1, true));
  EXPECT_FALSE(channel->ack(3, epoch, false));
  rig.run_for(seconds(1));
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 2, multiple: false}",
                          "nack{delivery_tag: 4, multiple: true, requeue: true}"}));
  // What is not acknowledged comes again, with another tag.
  rig.peer.on_method = [&](ScriptPeer::Session& session, std::uint16_t, MethodId id, wire::Bytes) {
    if (id != BasicRecover::method.id) return false;
    deliver(consumer->tag(), 7, "on its way");
    session.send(1, BasicRecoverOk());
    deliver(consumer->tag(), 8, "again");
    return true;
  };
  Ending recovered;
  rig.engine();
  EXPECT_TRUE(channel->ack(5, epoch, false));
  channel->call(BasicRecover{true},
                [&](const Failure& why, const Reply&) { recovered.note()(why); });
  EXPECT_TRUE(rig.wait(recovered));
  EXPECT_TRUE(recovered.ok());
  EXPECT_EQ(next(*consumer), "on its way");
  EXPECT_EQ(next(*consumer), "again");
  rig.engine();
  EXPECT_FALSE(channel->ack(6, epoch, false));
  EXPECT_FALSE(channel->ack(7, epoch, false));
  EXPECT_TRUE(channel->ack(8, epoch, false));
  rig.run_for(seconds(1));
  EXPECT_EQ(acks(), (Acks{"ack{delivery_tag: 5, multiple: false}", "recover{requeue: true}",
                          "ack{delivery_tag: 8, multiple: false}"}));
}

TEST_F(ConsumerTest, CancelGivesOutWhatHasCome) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q"});
  deliver(consumer->tag(), 1, "a");
  rig.run_for(seconds(1));
  rig.peer.on_method = [&](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes) {
    if (id == BasicCancel::method.id) deliver(consumer->tag(), 2, "b");
    return false;
  };
  Ending cancelled;
  rig.engine();
  channel->cancel(consumer, cancelled.note());
  EXPECT_TRUE(rig.wait(cancelled));
  EXPECT_EQ(next(*consumer), "a");
  EXPECT_EQ(next(*consumer), "b");
  EXPECT_EQ(next(*consumer).substr(0, 1), "!");
  rig.engine();
  EXPECT_TRUE(channel->ack(2, channel->epoch(), true));
}

TEST_F(ConsumerTest, TheBrokerCancels) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q", .consumer_tag = "t"});
  deliver("t", 1, "a");
  peer().send(1, BasicCancel{"t", true});
  EXPECT_EQ(next(*consumer), "a");
  EXPECT_NE(next(*consumer).find("cancelled"), std::string::npos);
  EXPECT_EQ(channel->state(), State::open);
}

TEST_F(ConsumerTest, EndsWithTheConnection) {
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q"});
  deliver(consumer->tag(), 1, "a");
  std::string waiting;
  EXPECT_EQ(next(*consumer), "a");
  const Delivered kept = last;
  consumer->next([&](const Failure& why, const Delivered&) { waiting = why.message(); });
  rig.fabric.reset(peer().id);
  EXPECT_TRUE(rig.run_until([&] { return !waiting.empty(); }));
  EXPECT_EQ(kept.body(), wire::Bytes("a"));  // its memory is its own
  EXPECT_FALSE(channel->ack(1, kept.epoch, false));
}

TEST_F(ConsumerTest, NothingIsReadWhileTooMuchWaits) {
  rig.config.max_delivered_bytes = 100'000;
  const auto channel = open();
  const auto consumer = consume(*channel, {.queue = "q", .no_ack = true});
  const std::string body(10'000, 'x');
  for (std::uint64_t tag = 1; tag <= 200; ++tag) deliver(consumer->tag(), tag, body);
  rig.run_for(seconds(1));
  EXPECT_GT(peer().out.size(), 1'000'000U);  // cannot get rid of them
  for (int i = 0; i < 200; ++i) ASSERT_EQ(next(*consumer).size(), 10'000U);
  EXPECT_TRUE(peer().out.empty());
}

// RabbitMQ gives them the tag of the delivery to come: acknowledging a reply must not take that.
TEST_F(ConsumerTest, DirectRepliesHaveNoTag) {
  const auto channel = open();
  const auto replies =
      consume(*channel, {.queue = kDirectReplyTo, .consumer_tag = "r", .no_ack = true});
  const auto consumer = consume(*channel, {.queue = "q", .consumer_tag = "t"});
  deliver("r", 1, "reply");
  deliver("t", 1, "message");
  EXPECT_EQ(next(*replies), "reply");
  const Delivered reply = last;
  EXPECT_EQ(next(*consumer), "message");
  acks();
  EXPECT_FALSE(channel->ack(reply.tag, reply.epoch, false));
  EXPECT_FALSE(channel->nack(reply.tag, reply.epoch, false));
  rig.run_for(seconds(1));
  EXPECT_EQ(acks(), std::vector<std::string>());
  EXPECT_TRUE(channel->ack(last.tag, last.epoch, false));
}

TEST_F(ConsumerTest, DeliveryTagsCountUp) {
  for (const std::uint64_t tag : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{100'000}}) {
    rig.destroy();
    Failure lost;
    rig.engine().on_lost([&](const Failure& why) { lost = why; });
    const auto channel = open();
    const auto consumer = consume(*channel, {.queue = "q"});
    deliver(consumer->tag(), tag, "x");
    EXPECT_TRUE(rig.run_until([&] { return static_cast<bool>(lost); }, seconds(10)));
    EXPECT_EQ(lost.code, ClientErrc::protocol_violation);
  }
}

// ------------------------------------------------------------------- the same, failing everywhere

// Connects, opens, publishes, consumes, with the connection cut at each byte in turn: each
// operation ends once, and a message that is said to be confirmed was there.
TEST_F(ConsumerTest, CutAtEveryByte) {
  rig.peer.on_message = [](ScriptPeer::Session& session, const ScriptPeer::Message&) {
    session.send(method_text(1, BasicAck{1, false}));
    session.send(method_text(1, BasicDeliver{"t", 1, false, "", ""}) + content_text(1, "hello"));
  };
  bool through = false;
  for (const int direction : {0, 1}) {
    through = false;
    for (std::uint64_t at = 0; at < 1200 && !through; ++at) {
      rig.destroy();
      rig.peer.sessions.remove_if([](const auto& each) { return each.closed; });
      rig.peer.messages.clear();
      rig.fabric.cut_new_connections(direction, at);
      Ending connected, consumed, published, delivered;
      Engine& engine = rig.engine();
      engine.connect(connected.note());
      const auto channel = engine.open_channel();
      channel->consume(
          {.queue = "q", .consumer_tag = "t"},
          [&](const Failure& why, const std::shared_ptr<ConsumerCore>& consumer) {
            consumed.note()(why);
            if (why) return;
            const Failure refused = channel->publish({}, {.body = "hello"}, published.note());
            ASSERT_FALSE(refused);
            consumer->next([&](const Failure& end, const Delivered&) { delivered.note()(end); });
          });
      ASSERT_TRUE(rig.run_until(
          [&] {
            return consumed.endings != 0 &&
                   (consumed.failure || (published.endings != 0 && delivered.endings != 0));
          },
          seconds(300)))
          << direction << " " << at;
      rig.run_for(seconds(1));
      ASSERT_EQ(connected.endings, 1);
      ASSERT_EQ(consumed.endings, 1);
      ASSERT_EQ(published.endings, consumed.failure ? 0 : 1);
      if (published.ok()) {
        ASSERT_EQ(rig.peer.messages.size(), 1U);
      }
      if (published.failure.code == ClientErrc::not_written) {
        ASSERT_TRUE(rig.peer.messages.empty());
      }
      through = published.ok() && delivered.ok();
    }
    EXPECT_TRUE(through);
  }
}
}  // namespace
}  // namespace tern::amqp::testing
