// What the queues of the embedded AMQP broker do by themselves: lengths, times, dead letters,
// priorities; and what channels can do beside publishing and consuming.
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/broker/amqp_testing.h"

namespace tern::broker {
namespace {

using Arguments = std::initializer_list<std::pair<const char*, amqp::Value>>;

class AmqpQueues : public AmqpBrokerTest {
 protected:
  AmqpQueues() : channel(client().open()) {}

  Failure declare(const char* queue, Arguments arguments = {}) {
    amqp::TableBuilder table;
    for (const auto& [name, value] : arguments) table.add(name, value);
    const amqp::QueueDeclare request{.queue = queue, .arguments = *table.table()};
    return client().call(*channel, request);
  }
  void fill(const char* queue, std::initializer_list<const char*> bodies) {
    for (const char* body : bodies) {
      const Failure failure = client().send(*channel, queue, body);
      EXPECT_FALSE(failure) << failure.message();
    }
  }
  Failure fill_one(const char* queue, const char* body, const amqp::BasicProperties& properties) {
    return client().publish(*channel, {.routing_key = queue, .mandatory = true}, body, properties);
  }
  std::vector<std::string> bodies(const char* queue) {
    std::vector<std::string> out;
    if (const AmqpQueue* const found = store.queue(queue)) {
      for (const AmqpEntry& each : found->ready) out.push_back(each.message->body);
    }
    return out;
  }
  amqp::Table headers_of_first(const char* queue) {
    amqp::ContentHeader header;
    const AmqpQueue* const found = store.queue(queue);
    if (!found || found->ready.empty()) return {};
    const std::string& bytes = found->ready.front().message->header;
    EXPECT_FALSE(amqp::decode_header(wire::Bytes(std::string_view(bytes)), {}, header));
    return header.properties.headers.value_or(amqp::Table());
  }
  std::string first_death(const char* queue) {
    const auto deaths = headers_of_first(queue).find("x-death");
    if (!deaths || !deaths->array()) return "none";
    std::string out;
    amqp::print_table(out, *(*deaths->array()->begin()).table());
    return out;
  }

  std::shared_ptr<ChannelCore> channel;
};

using Bodies = std::vector<std::string>;

TEST_F(AmqpQueues, LengthsDropTheOldest) {
  EXPECT_FALSE(declare("q", {{"x-max-length", 2}}));
  fill("q", {"a", "b", "c"});
  EXPECT_EQ(bodies("q"), (Bodies{"b", "c"}));
  EXPECT_FALSE(declare("bytes", {{"x-max-length-bytes", 5}}));
  fill("bytes", {"aa", "bb", "cc"});
  EXPECT_EQ(bodies("bytes"), (Bodies{"bb", "cc"}));
}

TEST_F(AmqpQueues, LengthsRefuseTheNewest) {
  EXPECT_FALSE(declare("dead"));
  EXPECT_FALSE(declare("q", {{"x-max-length", 1},
                             {"x-overflow", "reject-publish-dlx"},
                             {"x-dead-letter-exchange", ""},
                             {"x-dead-letter-routing-key", "dead"}}));
  fill("q", {"a"});
  EXPECT_EQ(client().send(*channel, "q", "b").code, ClientErrc::refused);
  EXPECT_EQ(bodies("q"), Bodies{"a"});
  EXPECT_EQ(bodies("dead"), Bodies{"b"});
}

TEST_F(AmqpQueues, MessagesExpireAndBecomeDeadLetters) {
  EXPECT_FALSE(declare("dead"));
  EXPECT_FALSE(declare("q", {{"x-message-ttl", 1000},
                             {"x-dead-letter-exchange", ""},
                             {"x-dead-letter-routing-key", "dead"}}));
  EXPECT_FALSE(fill_one("q", "early", {.expiration = "100"}));
  fill("q", {"late"});
  world.run_for(milliseconds(500));
  EXPECT_EQ(bodies("q"), Bodies{"late"});
  EXPECT_EQ(bodies("dead"), Bodies{"early"});
  EXPECT_NE(
      first_death("dead").find("\"count\": l 1, \"reason\": S \"expired\", \"queue\": S \"q\""),
      std::string::npos)
      << first_death("dead");
  EXPECT_NE(first_death("dead").find("\"original-expiration\": S \"100\""), std::string::npos);
  world.run_for(milliseconds(600));
  EXPECT_EQ(bodies("q"), Bodies{});
  EXPECT_EQ(bodies("dead"), (Bodies{"early", "late"}));
}

TEST_F(AmqpQueues, WhatIsRejectedBecomesADeadLetter) {
  EXPECT_FALSE(declare("dead"));
  EXPECT_FALSE(declare("q", {{"x-dead-letter-exchange", "amq.fanout"}}));
  EXPECT_FALSE(client().call(*channel, amqp::QueueBind{.queue = "dead", .exchange = "amq.fanout"}));
  fill("q", {"a", "b"});
  auto consumer = client().consume(*channel, "q");
  EXPECT_EQ(client().next(*consumer), "a");
  channel->nack(client().last.tag, client().last.epoch, /*requeue=*/false);
  EXPECT_EQ(client().next(*consumer), "b");
  channel->nack(client().last.tag, client().last.epoch, /*requeue=*/true);
  EXPECT_EQ(client().next(*consumer), "b (again)");
  EXPECT_EQ(bodies("dead"), Bodies{"a"});
  EXPECT_EQ(headers_of_first("dead").find("x-first-death-reason")->text(), "rejected");
}

TEST_F(AmqpQueues, DeadLettersDoNotGoInCircles) {
  EXPECT_FALSE(declare("q", {{"x-message-ttl", 10}, {"x-dead-letter-exchange", ""}}));
  fill("q", {"a"});
  world.run_for(seconds(1));
  EXPECT_EQ(bodies("q"), Bodies{});
}

TEST_F(AmqpQueues, PrioritiesComeFirst) {
  EXPECT_FALSE(declare("q", {{"x-max-priority", 5}}));
  EXPECT_FALSE(fill_one("q", "low", {}));
  EXPECT_FALSE(fill_one("q", "high", {.priority = 5}));
  EXPECT_FALSE(fill_one("q", "above", {.priority = 9}));
  EXPECT_FALSE(fill_one("q", "middle", {.priority = 2}));
  EXPECT_EQ(bodies("q"), (Bodies{"high", "above", "middle", "low"}));
}

TEST_F(AmqpQueues, QueuesThatNobodyUsesExpire) {
  EXPECT_FALSE(declare("q", {{"x-expires", 1000}}));
  auto consumer = client().consume(*channel, "q");
  world.run_for(seconds(3));
  EXPECT_NE(store.queue("q"), nullptr);
  EXPECT_FALSE(client().wait([&](auto done) { channel->cancel(consumer, done); }));
  world.run_for(milliseconds(800));
  EXPECT_NE(store.queue("q"), nullptr);
  world.run_for(milliseconds(400));
  EXPECT_EQ(store.queue("q"), nullptr);
}

TEST_F(AmqpQueues, ArgumentsThatMakeNoSense) {
  const std::pair<const char*, amqp::Value> wrong[] = {
      {"x-max-length", -1},           {"x-max-length", "5"},
      {"x-message-ttl", -1},          {"x-expires", 0},
      {"x-max-priority", 256},        {"x-overflow", "explode"},
      {"x-dead-letter-exchange", 1},  {"x-dead-letter-routing-key", "k"},
      {"x-single-active-consumer", 1}};
  for (const auto& each : wrong) {
    channel = client().open();
    const Failure failure = declare("q", {each});
    EXPECT_EQ(failure.code, ReplyErrc::precondition_failed) << each.first;
    EXPECT_NE(failure.message().find(each.first), std::string::npos) << failure.message();
  }
}

TEST_F(AmqpQueues, AlternateExchangesGetTheRest) {
  amqp::TableBuilder arguments;
  arguments.add("alternate-exchange", "amq.fanout");
  EXPECT_FALSE(client().call(
      *channel,
      amqp::ExchangeDeclare{.exchange = "e", .type = "direct", .arguments = *arguments.table()}));
  EXPECT_FALSE(declare("known"));
  EXPECT_FALSE(declare("rest"));
  EXPECT_FALSE(client().call(
      *channel, amqp::QueueBind{.queue = "known", .exchange = "e", .routing_key = "k"}));
  EXPECT_FALSE(client().call(*channel, amqp::QueueBind{.queue = "rest", .exchange = "amq.fanout"}));
  for (const char* key : {"k", "other"}) {
    EXPECT_FALSE(
        client().publish(*channel, {.exchange = "e", .routing_key = key, .mandatory = true}, key));
  }
  EXPECT_EQ(bodies("known"), Bodies{"k"});
  EXPECT_EQ(bodies("rest"), Bodies{"other"});
}

TEST_F(AmqpQueues, PrefetchOfAChannelCountsAllItsConsumers) {
  EXPECT_FALSE(declare("q"));
  EXPECT_FALSE(declare("r"));
  EXPECT_FALSE(client().call(*channel, amqp::BasicQos{.prefetch_count = 1, .global = true}));
  auto first = client().consume(*channel, "q");
  auto second = client().consume(*channel, "r");
  fill("q", {"a"});
  fill("r", {"b"});
  EXPECT_EQ(client().next(*first), "a");
  const amqp::Delivered held = client().last;
  EXPECT_EQ(bodies("r"), Bodies{"b"});
  client().engine();
  channel->ack(held.tag, held.epoch, false);
  EXPECT_EQ(client().next(*second), "b");
}

TEST_F(AmqpQueues, ExclusiveAndSingleActiveConsumers) {
  EXPECT_FALSE(declare("q", {{"x-single-active-consumer", true}}));
  auto first = client().consume(*channel, "q");
  auto second = client().consume(*channel, "q");
  fill("q", {"a", "b"});
  EXPECT_EQ(client().next(*first), "a");
  EXPECT_EQ(client().next(*first), "b");
  EXPECT_EQ(client().call(*channel, amqp::BasicConsume{.queue = "q", .exclusive = true}).code,
            ReplyErrc::access_refused);
}

TEST_F(AmqpQueues, Transactions) {
  channel = client().open({.confirms = false});
  EXPECT_FALSE(declare("q"));
  EXPECT_FALSE(client().call(*channel, amqp::TxSelect()));
  fill("q", {"a"});
  EXPECT_FALSE(client().call(*channel, amqp::TxRollback()));
  fill("q", {"b"});
  EXPECT_EQ(bodies("q"), Bodies{});
  EXPECT_FALSE(client().call(*channel, amqp::TxCommit()));
  EXPECT_EQ(bodies("q"), Bodies{"b"});
  auto consumer = client().consume(*channel, "q");
  EXPECT_EQ(client().next(*consumer), "b");
  client().engine();
  EXPECT_TRUE(channel->ack(client().last.tag, client().last.epoch, false));
  EXPECT_FALSE(client().call(*channel, amqp::TxRollback()));
  EXPECT_EQ(store.queue("q")->unacked, 1u);
  // It is open again, and can be acknowledged once more.
  client().engine();
  EXPECT_TRUE(channel->ack(client().last.tag, client().last.epoch, false));
  EXPECT_FALSE(channel->ack(client().last.tag, client().last.epoch, false));
  EXPECT_FALSE(client().call(*channel, amqp::TxCommit()));
  EXPECT_EQ(store.queue("q")->unacked, 0u);
  EXPECT_EQ(client().call(*channel, amqp::ConfirmSelect()).code, ReplyErrc::precondition_failed);
  channel = client().open();
  EXPECT_EQ(client().call(*channel, amqp::TxSelect()).code, ReplyErrc::precondition_failed);
  channel = client().open();
  EXPECT_EQ(client().call(*channel, amqp::TxCommit()).code, ReplyErrc::precondition_failed);
}

TEST_F(AmqpQueues, MessagesThatLie) {
  EXPECT_FALSE(declare("q"));
  EXPECT_EQ(fill_one("q", "m", {.user_id = "somebody"}).code, ClientErrc::maybe_written);
  EXPECT_EQ(channel->ending().code, ReplyErrc::precondition_failed);
  channel = client().open();
  EXPECT_EQ(fill_one("q", "m", {.expiration = "soon"}).code, ClientErrc::maybe_written);
  EXPECT_EQ(channel->ending().code, ReplyErrc::precondition_failed);
  channel = client().open();
  EXPECT_FALSE(fill_one("q", "m", {.user_id = "guest"}));
}

TEST_F(AmqpQueues, DirectReplies) {
  EXPECT_FALSE(declare("q"));
  auto asking = client().open();
  const amqp::BasicProperties properties{.reply_to = "amq.rabbitmq.reply-to"};
  EXPECT_EQ(client().publish(*asking, {.routing_key = "q"}, "too early", properties).code,
            ClientErrc::maybe_written);
  EXPECT_EQ(asking->ending().code, ReplyErrc::precondition_failed);

  asking = client().open();
  auto replies = client().consume(*asking, "amq.rabbitmq.reply-to", /*no_ack=*/true);
  EXPECT_FALSE(client().publish(*asking, {.routing_key = "q"}, "question", properties));
  auto server = client().consume(*channel, "q");
  EXPECT_EQ(client().next(*server), "question");
  const std::string to = client().last.properties().reply_to.str();
  EXPECT_TRUE(to.starts_with("amq.rabbitmq.reply-to.")) << to;
  EXPECT_FALSE(client().send(*channel, std::string_view(to), "answer"));
  EXPECT_EQ(client().next(*replies), "answer");
  EXPECT_FALSE(client().wait([&](auto done) { asking->close(done); }));
  EXPECT_EQ(client().send(*channel, std::string_view(to), "late").code, ReplyErrc::no_route);
  EXPECT_EQ(client().call(*channel, amqp::BasicConsume{.queue = "amq.rabbitmq.reply-to"}).code,
            ReplyErrc::precondition_failed);
}

}  // namespace
}  // namespace tern::broker
