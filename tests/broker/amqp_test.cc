// The embedded AMQP broker as a client sees it, through the AMQP engine in a simulated world; and
// its rules of routing by themselves.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/broker/amqp_testing.h"

namespace tern::broker {
namespace {

TEST(AmqpRouting, TopicPatterns) {
  const struct {
    const char* pattern;
    std::vector<const char*> yes, no;
  } cases[] = {
      {"a.b", {"a.b"}, {"a", "a.b.c", "", "b.a"}},
      {"*", {"a"}, {"", "a.b"}},
      {"#", {"", "a", "a.b", "a.b.c"}, {}},
      {"a.#", {"a", "a.b", "a.b.c"}, {"b", "", "b.a"}},
      {"#.a", {"a", "b.a", "c.b.a"}, {"b", "a.b"}},
      {"*.b.#", {"a.b", "x.b.c.d"}, {"b", "a.c.b"}},
      {"a.*.c", {"a.b.c"}, {"a.c", "a.b.b.c"}},
      {"#.b.#", {"b", "a.b", "b.a", "a.b.c"}, {"a", "a.c"}},
      {"", {""}, {"a"}},
  };
  for (const auto& each : cases) {
    for (const char* key : each.yes)
      EXPECT_TRUE(topic_matches(each.pattern, key)) << each.pattern << " " << key;
    for (const char* key : each.no)
      EXPECT_FALSE(topic_matches(each.pattern, key)) << each.pattern << " " << key;
  }
}

TEST_F(AmqpBrokerTest, Logins) {
  EXPECT_FALSE(client().connect());
  for (const amqp::Mechanism each : {amqp::Mechanism::plain, amqp::Mechanism::amqplain}) {
    Peer wrong(world, fabric, "wrong", [&](auto& config) {
      config.mechanism = each;
      config.credentials.password = "no";
    });
    EXPECT_EQ(wrong.connect().code, ReplyErrc::access_refused);
    Peer right(world, fabric, "right", [&](auto& config) { config.mechanism = each; });
    EXPECT_FALSE(right.connect());
  }
  Peer nowhere(world, fabric, "nowhere", [](auto& config) { config.virtual_host = "x"; });
  EXPECT_EQ(nowhere.connect().code, ReplyErrc::not_allowed);
}

TEST_F(AmqpBrokerTest, Refusals) {
  Peer other(world, fabric, "other");
  EXPECT_FALSE(other.call(*other.open(), amqp::QueueDeclare{.queue = "theirs", .exclusive = true}));
  EXPECT_FALSE(client().call(*client().open(), amqp::QueueDeclare{.queue = "q", .durable = true}));
  const auto refused = [&](const auto& method) {
    return client().call(*client().open(), method).code;
  };
  EXPECT_EQ(refused(amqp::QueueDeclare{.queue = "none", .passive = true}), ReplyErrc::not_found);
  EXPECT_EQ(refused(amqp::QueueDeclare{.queue = "q"}), ReplyErrc::precondition_failed);
  EXPECT_EQ(refused(amqp::QueueDeclare{.queue = "theirs"}), ReplyErrc::resource_locked);
  EXPECT_EQ(refused(amqp::QueueDeclare{.queue = "amq.mine"}), ReplyErrc::access_refused);
  EXPECT_EQ(refused(amqp::QueueBind{.queue = "q", .exchange = "none"}), ReplyErrc::not_found);
  EXPECT_EQ(refused(amqp::QueueDelete{.queue = "theirs"}), ReplyErrc::resource_locked);
  EXPECT_EQ(refused(amqp::ExchangeDeclare{.exchange = "amq.direct", .type = "fanout"}),
            ReplyErrc::precondition_failed);
  EXPECT_TRUE(client().engine().is_connected());
  // What ends the connection, as in RabbitMQ.
  EXPECT_EQ(refused(amqp::BasicRecover{.requeue = false}), ReplyErrc::not_implemented);
  EXPECT_EQ(client().lost.code, ReplyErrc::not_implemented);
}

TEST_F(AmqpBrokerTest, EveryKindOfExchange) {
  const auto channel = client().open();
  for (const char* queue : {"a", "b"}) {
    EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = queue}));
  }
  const auto bind = [&](Text queue, Text exchange, Text key, amqp::Table arguments = {}) {
    EXPECT_FALSE(client().call(
        *channel,
        amqp::QueueBind{
            .queue = queue, .exchange = exchange, .routing_key = key, .arguments = arguments}));
  };
  bind("a", "amq.direct", "x");
  bind("b", "amq.direct", "x");
  bind("a", "amq.fanout", "");
  bind("b", "amq.topic", "*.x");
  amqp::TableBuilder wanted;
  wanted.add("x-match", "all").add("color", "red");
  bind("a", "amq.headers", "", *wanted.table());
  const auto reaches = [&](const amqp::Target& target) {
    const Failure why = client().publish(*channel, target, "m");
    std::string all = why ? std::to_string(why.code.value()) : "";
    for (const char* queue : {"a", "b"}) {
      if (client().get(*channel, queue) == "m") all += queue;
    }
    return all;
  };
  EXPECT_EQ(reaches({.routing_key = "a", .mandatory = true}), "a");
  EXPECT_EQ(reaches({.routing_key = "c", .mandatory = true}), "312");
  EXPECT_EQ(reaches({.routing_key = "c"}), "");
  EXPECT_EQ(reaches({.exchange = "amq.direct", .routing_key = "x", .mandatory = true}), "ab");
  EXPECT_EQ(reaches({.exchange = "amq.fanout", .routing_key = "?", .mandatory = true}), "a");
  EXPECT_EQ(reaches({.exchange = "amq.topic", .routing_key = "y.x", .mandatory = true}), "b");
  EXPECT_EQ(reaches({.exchange = "amq.headers", .mandatory = true}), "312");
  EXPECT_FALSE(client().call(
      *channel, amqp::ExchangeBind{.destination = "amq.topic", .source = "amq.fanout"}));
  EXPECT_EQ(reaches({.exchange = "amq.fanout", .routing_key = "z.x", .mandatory = true}), "ab");
}

TEST_F(AmqpBrokerTest, ConfirmsAndRefusals) {
  const auto channel = client().open();
  amqp::TableBuilder arguments;
  arguments.add("x-max-length", 1).add("x-overflow", "reject-publish");
  EXPECT_FALSE(
      client().call(*channel, amqp::QueueDeclare{.queue = "q", .arguments = *arguments.table()}));
  EXPECT_FALSE(client().send(*channel, "q", "1"));
  EXPECT_EQ(client().send(*channel, "q", "2").code, ClientErrc::refused);
  broker.refuse = [](const AmqpMessage& message) { return message.body == "3"; };
  EXPECT_EQ(client().send(*channel, "q", "3").code, ClientErrc::refused);
  EXPECT_EQ(client().get(*channel, "q"), "1");
}

TEST_F(AmqpBrokerTest, PrefetchRedeliveryAndOrder) {
  const auto channel = client().open();
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "q"}));
  EXPECT_FALSE(client().call(*channel, amqp::BasicQos{0, 2, false}));
  for (const char* body : {"1", "2", "3", "4"}) EXPECT_FALSE(client().send(*channel, "q", body));
  const auto consumer = client().consume(*channel, "q");
  EXPECT_EQ(client().next(*consumer), "1");
  const std::uint64_t first = client().last.tag;
  EXPECT_EQ(client().next(*consumer), "2");
  EXPECT_EQ(client().next(*consumer), "nothing");
  EXPECT_EQ(store.queue("q")->unacked, 2U);
  client().engine();
  EXPECT_TRUE(channel->nack(first, channel->epoch(), true));
  EXPECT_EQ(client().next(*consumer), "1 (again)");
  client().engine();
  EXPECT_TRUE(channel->ack(client().last.tag, channel->epoch(), true));
  EXPECT_EQ(client().next(*consumer), "3");
  // What is not acknowledged goes back, in order, when the channel ends.
  EXPECT_FALSE(client().wait([&](auto done) { channel->close(std::move(done)); }));
  const auto again = client().open();
  EXPECT_EQ(client().get(*again, "q"), "3");
  EXPECT_EQ(client().get(*again, "q"), "4");
  EXPECT_EQ(client().get(*again, "q"), "nothing");
}

TEST_F(AmqpBrokerTest, TwoConsumersTakeTurns) {
  const auto channel = client().open();
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "q"}));
  const auto one = client().consume(*channel, "q");
  const auto two = client().consume(*channel, "q");
  for (const char* body : {"1", "2", "3", "4"}) EXPECT_FALSE(client().send(*channel, "q", body));
  EXPECT_EQ(client().next(*one), "1");
  EXPECT_EQ(client().next(*two), "2");
  EXPECT_EQ(client().next(*one), "3");
  EXPECT_EQ(client().next(*two), "4");
}

TEST_F(AmqpBrokerTest, QueuesThatGo) {
  const auto channel = client().open();
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "auto", .auto_delete = true}));
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "deleted"}));
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "mine", .exclusive = true}));
  const auto consumer = client().consume(*channel, "auto");
  const auto cancelled = client().consume(*channel, "deleted");
  EXPECT_FALSE(client().wait([&](auto done) { channel->cancel(consumer, std::move(done)); }));
  EXPECT_EQ(store.queue("auto"), nullptr);
  EXPECT_FALSE(client().call(*channel, amqp::QueueDelete{.queue = "deleted"}));
  EXPECT_NE(client().next(*cancelled).find("cancelled"), std::string::npos);
  EXPECT_NE(store.queue("mine"), nullptr);
  EXPECT_FALSE(client().wait([&](auto done) { client().engine().close(std::move(done)); }));
  world.run_for(seconds(1));
  EXPECT_EQ(store.queue("mine"), nullptr);
  EXPECT_EQ(broker.open_sessions(), 0U);
}

TEST_F(AmqpBrokerTest, BlockedAndForced) {
  const auto channel = client().open();
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "q"}));
  EXPECT_FALSE(client().send(*channel, "q", "1"));
  broker.set_blocked(true);
  world.run_for(seconds(1));
  EXPECT_TRUE(client().is_blocked);
  std::optional<Failure> end;
  client().engine();
  EXPECT_FALSE(channel->publish({.routing_key = "q"}, {.body = "2"},
                                [&](const Failure& why) { end = why; }));
  world.run_for(seconds(10));
  EXPECT_FALSE(end.has_value());
  broker.set_blocked(false);
  world.run_for(seconds(1));
  EXPECT_FALSE(client().is_blocked);
  ASSERT_TRUE(end.has_value());
  EXPECT_FALSE(*end);
  broker.close_connections("maintenance");
  world.run_for(seconds(5));
  EXPECT_EQ(client().lost.code, ReplyErrc::connection_forced);
}

TEST_F(AmqpBrokerTest, ASilentClientIsDropped) {
  Peer quiet(world, fabric, "quiet", [](auto& config) { config.heartbeat = seconds(2); });
  EXPECT_FALSE(quiet.connect());
  world.run_for(seconds(60));
  EXPECT_EQ(broker.open_sessions(), 1U);
  fabric.block("quiet", "broker", true);
  world.run_for(seconds(5));
  EXPECT_EQ(broker.open_sessions(), 0U);
}

TEST_F(AmqpBrokerTest, BodiesOfEverySize) {
  const auto channel = client().open();
  EXPECT_FALSE(client().call(*channel, amqp::QueueDeclare{.queue = "q"}));
  for (const std::size_t size : {0U, 1U, 131'064U, 131'065U, 3'000'000U}) {
    const std::string body(size, 'x');
    EXPECT_FALSE(client().send(*channel, "q", body));
    EXPECT_TRUE(client().get(*channel, "q") == body);
  }
}

}  // namespace
}  // namespace tern::broker
