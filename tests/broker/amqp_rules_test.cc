// Rules of RabbitMQ's that other clients' own tests ask about: names, acks, transactions, acks that
// come too late, and how a connection ends, down to its bytes.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "protocol/amqp/frame.h"
#include "tests/broker/amqp_testing.h"

namespace tern::broker {
namespace {

class AmqpRules : public AmqpBrokerTest {
 protected:
  using AmqpBrokerTest::AmqpBrokerTest;

  Failure declare(ChannelCore& channel, const char* queue = "q") {
    return client().call(channel, amqp::QueueDeclare{.queue = queue});
  }
  void fill(ChannelCore& channel, std::initializer_list<const char*> bodies) {
    for (const char* body : bodies) EXPECT_FALSE(client().send(channel, "q", body));
  }
  // Gets `count` of the queue "q", to be acknowledged: tags 1, 2, ...
  void take(ChannelCore& channel, int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT_FALSE(client().call(channel, amqp::BasicGet{.queue = "q"}));
    }
  }
  template <class M>
  std::uint16_t code(const M& method) {
    const auto channel = client().open();
    const Failure why = client().call(*channel, method);
    return why ? static_cast<std::uint16_t>(why.code.value()) : 200;
  }
  std::string ready(const char* queue = "q") {
    std::string out;
    const AmqpQueue* const found = store.queue(queue);
    if (!found) return "none";
    for (const AmqpEntry& each : found->ready) {
      out += each.message->body + (each.redelivered ? "'" : "");
    }
    return out;
  }
};

TEST_F(AmqpRules, TheDefaultExchangeIsNotTouched) {
  const amqp::ExchangeDeclare mine{.exchange = "e", .type = "headers"};
  EXPECT_EQ(code(mine), 200);
  EXPECT_EQ(code(amqp::ExchangeDeclare{.exchange = "", .type = "direct", .durable = true}), 403);
  EXPECT_EQ(code(amqp::ExchangeDeclare{.exchange = "", .type = "direct", .passive = true}), 403);
  EXPECT_EQ(code(amqp::ExchangeDelete{.exchange = ""}), 403);
  EXPECT_EQ(code(amqp::ExchangeBind{.destination = "", .source = "e"}), 403);
  EXPECT_EQ(code(amqp::ExchangeBind{.destination = "e", .source = ""}), 403);
  EXPECT_EQ(code(amqp::ExchangeUnbind{.destination = "e", .source = ""}), 403);
}

TEST_F(AmqpRules, WhatAnExchangeIsDeclaredWith) {
  amqp::TableBuilder other, number, nonsense;
  other.add("alternate-exchange", "other");
  number.add("alternate-exchange", 1);
  nonsense.add("x-match", "some");
  amqp::ExchangeDeclare request{.exchange = "e", .type = "headers"};
  request.arguments = *other.table();
  EXPECT_EQ(code(request), 200);
  EXPECT_EQ(code(request), 200);
  request.arguments = {};
  EXPECT_EQ(code(request), 406);
  EXPECT_EQ(
      code(amqp::ExchangeDeclare{.exchange = "f", .type = "direct", .arguments = *number.table()}),
      406);
  EXPECT_EQ(store.exchange("f"), nullptr);
  EXPECT_EQ(code(amqp::ExchangeBind{
                .destination = "amq.fanout", .source = "e", .arguments = *nonsense.table()}),
            406);
  // The type is looked at before all else, and ends the connection.
  EXPECT_EQ(code(amqp::ExchangeDeclare{.exchange = "e", .type = "nothing"}), 503);
  EXPECT_EQ(client().lost.code, ReplyErrc::command_invalid);
}

TEST_F(AmqpRules, NamesOfQueues) {
  const auto channel = client().open();
  for (const bool durable : {true, false}) {  // an exclusive one is not durable in any case
    const amqp::QueueDeclare mine{.queue = "mine", .durable = durable, .exclusive = true};
    EXPECT_FALSE(client().call(*channel, mine));
  }
  std::string name;
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{}, [&](const amqp::Reply& reply) {
    name = reply.as<amqp::QueueDeclareOk>().queue.str();
  }));
  EXPECT_EQ(code(amqp::QueueDeclare{.queue = std::string_view(name)}), 403);
  EXPECT_EQ(code(amqp::QueueDeclare{.queue = std::string_view(name), .passive = true}), 200);
  EXPECT_EQ(code(amqp::QueueDeclare{.queue = "amq.rabbitmq.reply-to"}), 200);
  EXPECT_EQ(code(amqp::QueueDeclare{.queue = "amq.rabbitmq.reply-to.x"}), 404);
  // An empty one means the last of this channel, and there has to be one.
  EXPECT_EQ(code(amqp::QueueDelete{.queue = ""}), 404);
  EXPECT_EQ(code(amqp::QueueUnbind{.queue = "", .exchange = "amq.direct"}), 404);
  EXPECT_FALSE(declare(*channel));
  EXPECT_FALSE(client().call(*channel, amqp::QueueBind{.queue = "", .exchange = "amq.direct"}));
  ASSERT_EQ(store.bindings().size(), 1U);
  EXPECT_EQ(store.bindings()[0].key, "q");
  EXPECT_FALSE(client().call(*channel, amqp::QueueUnbind{.queue = "", .exchange = "amq.direct"}));
  EXPECT_TRUE(store.bindings().empty());
  EXPECT_EQ(client().call(*channel, amqp::QueueDeclare{.queue = "", .passive = true}).code,
            ReplyErrc::not_found);
}

TEST_F(AmqpRules, AQueueThatIsMadeAgainIsAnotherOne) {
  const auto channel = client().open();
  EXPECT_FALSE(declare(*channel));
  fill(*channel, {"old"});
  take(*channel, 1);
  EXPECT_FALSE(client().call(*channel, amqp::QueueDelete{.queue = "q"}));
  EXPECT_FALSE(declare(*channel));
  EXPECT_FALSE(client().wait([&](auto done) { channel->close(std::move(done)); }));
  EXPECT_EQ(ready(), "");
}

TEST_F(AmqpRules, APrefetchOfEachEndsOneOfAll) {
  const auto channel = client().open();
  EXPECT_FALSE(declare(*channel));
  fill(*channel, {"a", "b", "c", "d"});
  EXPECT_FALSE(client().call(*channel, amqp::BasicQos{0, 1, true}));
  EXPECT_FALSE(client().call(*channel, amqp::BasicQos{0, 3, false}));
  const auto consumer = client().consume(*channel, "q");
  EXPECT_EQ(ready(), "d");
}

TEST_F(AmqpRules, WhatIsAcknowledgedInATransaction) {
  const auto channel = client().open({.confirms = false});
  EXPECT_FALSE(declare(*channel));
  const auto publisher = client().open();
  fill(*publisher, {"a", "b", "c"});
  EXPECT_FALSE(client().call(*channel, amqp::TxSelect()));
  take(*channel, 3);
  const auto ack = [&](std::uint64_t tag) {
    client().engine();
    EXPECT_TRUE(channel->ack(tag, channel->epoch(), false));
  };
  ack(1);
  EXPECT_FALSE(client().call(*channel, amqp::TxRollback()));
  EXPECT_EQ(store.queue("q")->unacked, 3U);
  ack(1);
  EXPECT_FALSE(client().call(*channel, amqp::TxCommit()));
  EXPECT_EQ(store.queue("q")->unacked, 2U);
  ack(2);  // never committed
  EXPECT_FALSE(client().wait([&](auto done) { channel->close(std::move(done)); }));
  EXPECT_EQ(ready(), "b'c'");
}

// ---------------------------------------------------------------------- acks that come too late

class AckTimeouts : public AmqpRules {
 protected:
  AckTimeouts() : AmqpRules({.consumer_timeout = seconds(10)}) {}
};

TEST_F(AckTimeouts, EndTheirChannelAlone) {
  const auto slow = client().open();
  const auto other = client().open();
  EXPECT_FALSE(declare(*slow));
  fill(*other, {"a", "b"});
  const auto consumer = client().consume(*slow, "q");
  EXPECT_EQ(client().next(*consumer), "a");
  world.run_for(milliseconds(9'500));
  EXPECT_EQ(slow->state(), ChannelCore::State::open);
  EXPECT_EQ(ready(), "");
  world.run_for(seconds(1));
  EXPECT_EQ(slow->state(), ChannelCore::State::closed);
  EXPECT_EQ(ready(), "a'b'");
  EXPECT_EQ(client().next(*consumer), "b");  // had come before
  const std::string why = client().next(*consumer);
  EXPECT_NE(why.find("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. "
                     "Timeout value used: 10000 ms. "),
            std::string::npos)
      << why;
  EXPECT_EQ(other->state(), ChannelCore::State::open);
  EXPECT_TRUE(client().engine().is_connected());
}

// What was got counts as well; what is acknowledged in a transaction, as acknowledged.
TEST_F(AckTimeouts, CountFromTheOldestThatIsOpen) {
  const auto channel = client().open({.confirms = false});
  const auto publisher = client().open();
  EXPECT_FALSE(declare(*channel));
  fill(*publisher, {"a", "b"});
  EXPECT_FALSE(client().call(*channel, amqp::TxSelect()));
  take(*channel, 1);
  world.run_for(seconds(6));
  take(*channel, 1);
  client().engine();
  EXPECT_TRUE(channel->ack(1, channel->epoch(), false));
  world.run_for(seconds(9));
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
  world.run_for(seconds(2));
  EXPECT_EQ(channel->state(), ChannelCore::State::closed);
  EXPECT_EQ(ready(), "a'b'");  // not committed
}

TEST_F(AckTimeouts, AreRecoveredFrom) {
  Peer robust(world, fabric, "robust", [](auto& config) { config.recover = true; });
  const auto channel = robust.open();
  std::vector<Failure> told;
  robust.engine().on_ack_timeout([&](const Failure& why) { told.push_back(why); });
  EXPECT_FALSE(robust.call(*channel, amqp::QueueDeclare{.queue = "q", .exclusive = true}));
  EXPECT_FALSE(robust.call(*channel, amqp::BasicQos{0, 1, false}));
  const auto consumer = robust.consume(*channel, "q");
  for (const char* body : {"a", "b"}) EXPECT_FALSE(robust.send(*channel, "q", body));
  EXPECT_EQ(robust.next(*consumer), "a");
  const amqp::Delivered late = robust.last;
  for (std::size_t round = 1; round <= 3; ++round) {
    world.run_for(seconds(11));
    ASSERT_EQ(told.size(), round);
    EXPECT_EQ(told.back().code, ReplyErrc::precondition_failed);
    EXPECT_EQ(robust.next(*consumer), "a (again)");
  }
  // An old tag means nothing any more, though there is a message with that number.
  robust.engine();
  EXPECT_FALSE(channel->ack(late.tag, late.epoch, false));
  robust.engine();
  EXPECT_TRUE(channel->ack(robust.last.tag, channel->epoch(), false));
  EXPECT_EQ(robust.next(*consumer), "b");
  robust.engine();
  EXPECT_TRUE(channel->ack(robust.last.tag, channel->epoch(), false));
  world.run_for(seconds(60));
  EXPECT_EQ(told.size(), 3U);
  EXPECT_EQ(store.queue("q")->unacked, 0U);
}

class NoAckTimeouts : public AmqpRules {
 protected:
  NoAckTimeouts() : AmqpRules({.consumer_timeout = Duration::zero()}) {}
};

TEST_F(NoAckTimeouts, WaitForEver) {
  const auto channel = client().open();
  EXPECT_FALSE(declare(*channel));
  fill(*channel, {"a"});
  take(*channel, 1);
  world.run_for(std::chrono::hours(2));
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
}

TEST_F(AmqpRules, AcksMayTakeHalfAnHour) {
  const auto channel = client().open();
  EXPECT_FALSE(declare(*channel));
  fill(*channel, {"a"});
  take(*channel, 1);
  world.run_for(std::chrono::minutes(29));
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
  world.run_for(std::chrono::minutes(2));
  EXPECT_EQ(channel->state(), ChannelCore::State::closed);
}

// ----------------------------------------------------------------------------- a client by hand

// Logs in and opens channel 1; then it says what it is told to, and writes down what it hears.
class Hand final : public Machine, public Link {
 public:
  Hand(sim::World& world, sim::Fabric& fabric) : world_(world), net_(fabric, "hand") {
    net_.attach(*this);
    id_ = net_.open({"broker", 5672}, *this);
    say(std::string("AMQP\x00\x00\x09\x01", 8));
    amqp::TableBuilder known, properties;
    known.add("consumer_cancel_notify", true);
    properties.add("capabilities", *known.table());
    tell(0, amqp::ConnectionStartOk{*properties.table(), "PLAIN",
                                    std::string_view("\0guest\0guest", 12), "en_US"});
    tell(0, amqp::ConnectionTuneOk{2047, 131'072, 0});
    tell(0, amqp::ConnectionOpen{.virtual_host = "/"});
    tell(1, amqp::ChannelOpen());
    EXPECT_EQ(heard, (std::vector<std::string>{"10.10", "10.30", "10.41", "20.11"}));
    heard.clear();
  }
  ~Hand() { net_.crash(); }

  template <class M>
  void tell(std::uint16_t channel, const M& method) {
    const auto size = amqp::encoded_size(method);
    std::string bytes(*size + amqp::kFrameOverheadBytes, '\0');
    wire::Writer writer(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    amqp::encode_frame(amqp::FrameType::method, channel, method, *size, writer);
    say(bytes);
  }
  void say(const std::string& bytes) {
    out_ += bytes;
    net_.want_write(id_);
    world_.run_for(milliseconds(100));
  }

  std::vector<std::string> heard;  // names of methods, with the code of a close
  bool ended = false;

 private:
  std::span<std::byte> read_space() override { return space_; }
  void on_read(std::size_t n, Now) override {
    in_.append(reinterpret_cast<const char*>(space_.data()), n);
    for (;;) {
      const amqp::Split split = splitter_.next(std::as_bytes(std::span(in_.data(), in_.size())));
      if (split.kind != amqp::Split::Kind::frame) return;
      const wire::Bytes payload = split.frame.payload;
      amqp::ConnectionClose close;
      const auto id =
          wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(payload.data()));
      std::string name = std::to_string(id >> 16U) + "." + std::to_string(id & 0xFFFFU);
      if (id == amqp::ConnectionClose::method.id.packed() &&
          !amqp::decode_method(payload, {}, close)) {
        name += " " + std::to_string(close.reply_code);
      }
      heard.push_back(name);
      in_.erase(0, split.size);
    }
  }
  void gather(BufferList& out) override {
    if (writing_.empty()) std::swap(writing_, out_);
    out.add(reinterpret_cast<const std::byte*>(writing_.data()), writing_.size());
  }
  void on_written(std::size_t n, Now) override { writing_.erase(0, n); }
  void on_open(Now) override {}
  void on_closed(Stage, std::error_code, Now) override { ended = true; }
  void step(Now) override {}
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

  sim::World& world_;
  sim::Network net_;
  LinkId id_;
  amqp::FrameSplitter splitter_{amqp::FrameSplitter::From::server};
  std::array<std::byte, 4096> space_{};
  std::string in_, out_, writing_;
};

using Heard = std::vector<std::string>;

// Whoever asks for the end closes the socket; it is waited for half a minute.
TEST_F(AmqpRules, AConnectionThatItsClientEnds) {
  Hand hand(world, fabric);
  for (int i = 0; i < 2; ++i) {
    hand.tell(0, amqp::ConnectionClose{.reply_code = 200});
    hand.tell(1, amqp::BasicQos());  // not listened to
  }
  EXPECT_EQ(hand.heard, (Heard{"10.51", "10.51"}));
  world.run_for(seconds(28));
  EXPECT_FALSE(hand.ended);
  world.run_for(seconds(3));
  EXPECT_TRUE(hand.ended);
}

TEST_F(AmqpRules, AConnectionThatTheBrokerEnds) {
  const std::string qos("\x01\x00\x01\x00\x00\x00\x0b\x00\x3c\x00\x0a\0\0\0\0\0\0\0", 18);
  const struct {
    std::string bytes;
    const char* heard;
  } cases[] = {
      {qos + "x", "10.50 501"},  // its end is wrong
      {std::string("\x08\x00\x01\x00\x00\x00\x00\xce", 8),
       "10.50 505"},  // a heartbeat in a channel
      {std::string("\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x0a\0\xce", 13), "10.50 501"},  // cut
      {std::string("\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x0b\xce", 12),
       "10.50 503"},  // an answer
  };
  for (const auto& each : cases) {
    Hand hand(world, fabric);
    hand.say(each.bytes);
    EXPECT_EQ(hand.heard, Heard{each.heard});
    EXPECT_FALSE(hand.ended) << each.heard;
    hand.tell(0, amqp::ConnectionCloseOk());
    EXPECT_TRUE(hand.ended) << each.heard;
  }
  Hand hand(world, fabric);
  hand.tell(0, amqp::ConnectionOpen{.virtual_host = "/"});
  EXPECT_EQ(hand.heard, Heard{"10.50 504"});
}

TEST_F(AmqpRules, ClosesOfAChannelThatCross) {
  Hand hand(world, fabric);
  hand.tell(1, amqp::BasicGet{.queue = "missing"});
  hand.tell(1, amqp::ChannelClose{.reply_code = 200});
  hand.tell(1, amqp::ChannelCloseOk());
  hand.tell(1, amqp::ChannelOpen());
  EXPECT_EQ(hand.heard, (Heard{"20.40", "20.41", "20.11"}));
}

TEST_F(AmqpRules, AnswersInOrder) {
  Hand hand(world, fabric);
  hand.tell(1, amqp::AccessRequest());
  hand.tell(1, amqp::QueueDeclare{.queue = "q"});
  hand.tell(1, amqp::BasicConsume{.queue = "q"});
  hand.tell(1, amqp::QueueDelete{.queue = "q"});
  // Its consumers are told when the one that asked has been.
  EXPECT_EQ(hand.heard, (Heard{"30.11", "50.11", "60.21", "50.41", "60.30"}));
  EXPECT_FALSE(declare(*client().open()));
  fill(*client().open(), {"a", "b"});
  hand.heard.clear();
  hand.tell(1, amqp::BasicGet{.queue = "q"});
  EXPECT_EQ(ready(), "b");
  hand.tell(1, amqp::BasicRecoverAsync{.requeue = true});
  EXPECT_EQ(ready(), "a'b");
  hand.tell(1, amqp::BasicQos());
  EXPECT_EQ(hand.heard.back(), "60.11");
  // Up to one that is not open: nothing happens to those before it, and the channel ends.
  hand.tell(1, amqp::BasicGet{.queue = "q"});
  hand.tell(1, amqp::BasicGet{.queue = "q"});
  hand.tell(1, amqp::BasicAck{3, false});
  hand.tell(1, amqp::BasicAck{3, true});
  EXPECT_EQ(hand.heard.back(), "20.40");
  EXPECT_EQ(ready(), "a'");
}

}  // namespace
}  // namespace tern::broker
