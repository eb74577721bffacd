// The AMQP engine against a real RabbitMQ, over sockets. By hand: see rabbitmq_client.h.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/amqp/engine.h"
#include "client/amqp/rpc_core.h"
#include "tests/real/rabbitmq_client.h"

namespace tern::amqp::testing {
namespace {

// ---------------------------------------------------------------------------------- the connection

TEST_F(RealRabbitmq, Connects) {
  Client client([](ConnectionConfig& config) { config.connection_name = "the name of it"; });
  ASSERT_FALSE(client.connect());
  EXPECT_EQ(client.engine().session().server().product, "RabbitMQ");
  EXPECT_TRUE(client.engine().session().server().publisher_confirms);
  EXPECT_EQ(client.engine().session().tuning().heartbeat, seconds(60));
  EXPECT_NE(control("ctl", "list_connections client_properties").find("the name of it"),
            std::string::npos);
}

TEST_F(RealRabbitmq, WrongPassword) {
  for (const Mechanism mechanism : {Mechanism::plain, Mechanism::amqplain}) {
    Client client([&](ConnectionConfig& config) {
      config.credentials.password = "hunter2";
      config.mechanism = mechanism;
    });
    const Failure why = client.connect();
    EXPECT_EQ(why.code, ReplyErrc::access_refused) << why.message();
    EXPECT_FALSE(says(why, "hunter2"));
  }
  Client amqplain([](ConnectionConfig& config) { config.mechanism = Mechanism::amqplain; });
  EXPECT_FALSE(amqplain.connect());
}

TEST_F(RealRabbitmq, WrongVirtualHost) {
  Client client([](ConnectionConfig& config) { config.virtual_host = "nowhere"; });
  const Failure why = client.connect();
  EXPECT_EQ(why.code, ReplyErrc::not_allowed) << why.message();
  EXPECT_TRUE(says(why, "nowhere"));
}

TEST_F(RealRabbitmq, NobodyListens) {
  Client client([](ConnectionConfig& config) { config.hosts = {{"127.0.0.1", 1}}; });
  const Failure why = client.connect();
  EXPECT_TRUE(why.code == std::errc::connection_refused) << why.message();
  EXPECT_TRUE(says(why, "127.0.0.1:1")) << why.message();
}

// The system takes connections for it, and no more happens to them.
TEST_F(RealRabbitmq, ABrokerThatIsFrozenSaysNothing) {
  Client client([](ConnectionConfig& config) { config.connect_timeout = seconds(1); });
  control("freeze");
  const auto before = Clock::now();
  const Failure why = client.connect();
  const auto took = Clock::now() - before;
  control("thaw");
  EXPECT_EQ(why.code, ClientErrc::timed_out) << why.message();
  EXPECT_GE(took, milliseconds(900));  // the clock is a coarse one
  EXPECT_LE(took, seconds(5));
  EXPECT_FALSE(client.connect());
}

TEST_F(RealRabbitmq, ChannelsAreLimitedAndUsedAgain) {
  Client client([](ConnectionConfig& config) { config.channel_max = 2; });
  const auto one = client.open();
  const auto two = client.open();
  EXPECT_EQ(client.open()->ending().code, ReplyErrc::not_allowed);
  Ending closed;
  client.engine();
  one->close(closed.note());
  EXPECT_TRUE(client.run_until([&] { return closed.endings != 0; }));
  EXPECT_FALSE(closed.failure);
  EXPECT_EQ(client.open()->id(), 1);
}

TEST_F(RealRabbitmq, ClosedByTheOperator) {
  Client client;
  const auto channel = client.open();
  control("ctl", "close_all_connections maintenance");
  EXPECT_TRUE(client.run_until([&] { return static_cast<bool>(client.lost); }));
  EXPECT_EQ(client.lost.code, ReplyErrc::connection_forced) << client.lost.message();
  EXPECT_TRUE(says(client.lost, "maintenance"));
  EXPECT_EQ(channel->ending().code, ReplyErrc::connection_forced);
  EXPECT_FALSE(client.connect());
}

TEST_F(RealRabbitmq, HeartbeatsKeepAnIdleConnection) {
  Client client([](ConnectionConfig& config) { config.heartbeat = seconds(1); });
  ASSERT_FALSE(client.connect());
  client.run_until([] { return false; }, seconds(6));
  EXPECT_TRUE(client.engine().is_connected()) << client.lost.message();
}

TEST_F(RealRabbitmq, AFrozenBrokerIsNoticed) {
  Client client([](ConnectionConfig& config) { config.heartbeat = seconds(2); });
  ASSERT_FALSE(client.connect());
  control("freeze");
  const auto before = Clock::now();
  EXPECT_TRUE(client.run_until([&] { return static_cast<bool>(client.lost); }, seconds(20)));
  const auto took = Clock::now() - before;
  control("thaw");
  EXPECT_EQ(client.lost.code, ClientErrc::timed_out) << client.lost.message();
  EXPECT_LE(took, seconds(7));
}

TEST_F(RealRabbitmq, BlockedAndUnblocked) {
  Client client;
  const auto channel = client.open({.max_unconfirmed = 2});
  const std::string queue = client.declare(*channel, {.exclusive = true});
  control("ctl", "set_vm_memory_high_watermark 0.0000001");
  Ending ending, space;
  const auto publish = [&] {
    client.engine();
    return channel->publish({.routing_key = std::string_view(queue)}, {.body = "x"}, ending.note());
  };
  // They wait, and what is more than may wait is refused.
  EXPECT_FALSE(publish());
  EXPECT_TRUE(client.run_until([&] { return client.is_blocked; }));
  EXPECT_FALSE(publish());
  EXPECT_EQ(publish().code, ClientErrc::queue_full);
  channel->wait_space(space.note());
  client.run_until([] { return false; }, seconds(1));
  EXPECT_EQ(ending.endings, 0);
  EXPECT_EQ(space.endings, 0);
  control("ctl", "set_vm_memory_high_watermark 0.6");
  EXPECT_TRUE(client.run_until([&] { return !client.is_blocked && ending.endings == 2; }));
  EXPECT_FALSE(ending.failure);
  EXPECT_EQ(space.endings, 1);
  EXPECT_FALSE(publish());
  EXPECT_TRUE(client.run_until([&] { return ending.endings == 3; }));
}

// What was declared comes back, with the consumer and its prefetch; `lose` takes the connection
// away.
void comes_back(int how_often, const std::function<void()>& lose) {
  Client client([](ConnectionConfig& config) { config.recover = true; });
  int recovered = 0;
  std::vector<std::string> troubles;
  const auto channel = client.open();
  client.engine().on_recovered([&] { ++recovered; });
  client.engine().on_not_recovered([&](std::string_view what, const Failure& why) {
    troubles.push_back(std::string(what) + ": " + why.message());
  });
  const std::string exchange = unique("exchange");
  EXPECT_FALSE(client.call(
      *channel, ExchangeDeclare{
                    .exchange = std::string_view(exchange), .type = "topic", .auto_delete = true}));
  // One that the broker names, which another time has another name.
  std::string queue;
  EXPECT_FALSE(client.call(*channel, QueueDeclare{.exclusive = true}, [&](const Reply& reply) {
    queue = reply.as<QueueDeclareOk>().queue.str();
  }));
  EXPECT_FALSE(client.call(*channel, QueueBind{.queue = std::string_view(queue),
                                               .exchange = std::string_view(exchange),
                                               .routing_key = "a.*"}));
  EXPECT_FALSE(client.call(*channel, BasicQos{0, 2, false}));
  const auto consumer = client.consume(*channel, queue);
  // And one of each kind: kept or not by a broker that stays, and by one that does not.
  const auto others = client.open();
  const std::string to_all = unique("to all");
  EXPECT_FALSE(client.call(
      *others, ExchangeDeclare{.exchange = std::string_view(to_all), .type = "fanout"}));
  std::vector<std::shared_ptr<ConsumerCore>> each_kind;
  std::vector<std::string> names;
  for (const QueueDeclare& kind :
       {QueueDeclare(), QueueDeclare{.durable = true}, QueueDeclare{.exclusive = true},
        QueueDeclare{.auto_delete = true}}) {
    names.push_back(client.declare(*others, kind));
    EXPECT_FALSE(client.call(*others, QueueBind{.queue = std::string_view(names.back()),
                                                .exchange = std::string_view(to_all)}));
    each_kind.push_back(client.consume(*others, names.back(), /*no_ack=*/true));
  }
  const Target target{
      .exchange = std::string_view(exchange), .routing_key = "a.b", .mandatory = true};
  EXPECT_FALSE(client.publish(*channel, target, "before"));
  const auto before = client.next(*consumer);
  ASSERT_TRUE(before.has_value());
  const std::uint32_t epoch = channel->epoch();
  for (int times = 1; times <= how_often; ++times) {
    lose();
    ASSERT_TRUE(client.run_until([&] { return recovered == times; }, seconds(60)));
    ASSERT_TRUE(client.run_until([&] { return channel->state() == ChannelCore::State::open; }));
    EXPECT_NE(consumer->queue(), queue);
    // A tag of before means nothing now, and nothing is said of it.
    client.engine();
    EXPECT_FALSE(channel->ack(before->tag, epoch, false));
    for (const char* body : {"1", "2", "3"}) {
      EXPECT_FALSE(client.publish(*channel, target, body)) << times;
    }
    EXPECT_EQ(client.next(*consumer).value_or(Got{}).body, "1");
    const auto second = client.next(*consumer);
    ASSERT_TRUE(second.has_value());
    EXPECT_FALSE(client.next(*consumer, nullptr, seconds(1)).has_value());
    client.engine();
    EXPECT_TRUE(channel->ack(second->tag, channel->epoch(), true));
    const auto third = client.next(*consumer);
    ASSERT_TRUE(third.has_value());
    client.engine();
    EXPECT_TRUE(channel->ack(third->tag, channel->epoch(), false));
    ASSERT_TRUE(client.run_until([&] { return others->state() == ChannelCore::State::open; }));
    EXPECT_FALSE(
        client.publish(*others, {.exchange = std::string_view(to_all)}, std::to_string(times)));
    for (const auto& kind : each_kind) {
      EXPECT_EQ(client.next(*kind).value_or(Got{}).body, std::to_string(times)) << kind->queue();
    }
  }
  EXPECT_EQ(troubles, std::vector<std::string>());
  EXPECT_FALSE(client.call(*others, ExchangeDelete{.exchange = std::string_view(to_all)}));
  for (const std::string& queue_name : names) {
    EXPECT_FALSE(client.call(*others, QueueDelete{.queue = std::string_view(queue_name)}));
  }
}

TEST_F(RealRabbitmq, RecoversFromTheOperator) {
  comes_back(2, [] { control("ctl", "close_all_connections maintenance"); });
}

TEST_F(RealRabbitmq, RecoversFromAKill) {
  comes_back(1, [] {
    control("kill");
    control("boot");
  });
}

// ------------------------------------------------------------------------------------ declaring

TEST_F(RealRabbitmq, WhatTheBrokerRefuses) {
  Client client;
  Client other;
  const std::string durable = client.declare(*client.open(), {.durable = true});
  const auto owner = other.open();
  const std::string exclusive = other.declare(*owner, {.exclusive = true});
  const std::string missing = unique("missing");
  const auto refused = [&](const QueueDeclare& request) {
    return client.call(*client.open(), request).code;
  };
  EXPECT_EQ(refused({.queue = std::string_view(missing), .passive = true}), ReplyErrc::not_found);
  EXPECT_EQ(refused({.queue = std::string_view(durable)}), ReplyErrc::precondition_failed);
  EXPECT_EQ(refused({.queue = std::string_view(exclusive)}), ReplyErrc::resource_locked);
  EXPECT_EQ(refused({.queue = "amq.mine"}), ReplyErrc::access_refused);
  EXPECT_TRUE(client.engine().is_connected());
  EXPECT_FALSE(client.call(*client.open(), QueueDelete{.queue = std::string_view(durable)}));
}

TEST_F(RealRabbitmq, ExchangesBoundToExchanges) {
  Client client;
  const auto channel = client.open();
  const std::string source = unique("source"), destination = unique("destination");
  for (const std::string& each : {source, destination}) {
    EXPECT_FALSE(client.call(*channel,
                             ExchangeDeclare{.exchange = std::string_view(each), .type = "topic"}));
  }
  const std::string queue = client.declare(*channel, {.exclusive = true});
  EXPECT_FALSE(client.call(*channel, ExchangeBind{.destination = std::string_view(destination),
                                                  .source = std::string_view(source),
                                                  .routing_key = "a.#"}));
  EXPECT_FALSE(client.call(*channel, QueueBind{.queue = std::string_view(queue),
                                               .exchange = std::string_view(destination),
                                               .routing_key = "*.b"}));
  const auto send = [&](Text key) {
    return client
        .publish(*channel,
                 {.exchange = std::string_view(source), .routing_key = key, .mandatory = true}, "x")
        .code;
  };
  EXPECT_FALSE(send("a.b"));
  EXPECT_EQ(send("a.c"), ReplyErrc::no_route);
  EXPECT_EQ(send("b.b"), ReplyErrc::no_route);
  EXPECT_FALSE(client.call(*channel, ExchangeUnbind{.destination = std::string_view(destination),
                                                    .source = std::string_view(source),
                                                    .routing_key = "a.#"}));
  EXPECT_EQ(send("a.b"), ReplyErrc::no_route);
  EXPECT_EQ(client.get(*channel, queue), "x");
  EXPECT_EQ(client.get(*channel, queue), std::nullopt);
  for (const std::string& each : {source, destination}) {
    EXPECT_FALSE(client.call(*channel, ExchangeDelete{.exchange = std::string_view(each)}));
  }
}

TEST_F(RealRabbitmq, PurgeAndDeleteCount) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(client.send(*channel, queue, "x"));
  std::uint32_t count = 0;
  EXPECT_FALSE(client.call(*channel, QueuePurge{.queue = std::string_view(queue)},
                           [&](const Reply& r) { count = r.as<QueuePurgeOk>().message_count; }));
  EXPECT_EQ(count, 3U);
  EXPECT_FALSE(client.send(*channel, queue, "x"));
  EXPECT_FALSE(client.call(*channel, QueueDelete{.queue = std::string_view(queue)},
                           [&](const Reply& r) { count = r.as<QueueDeleteOk>().message_count; }));
  EXPECT_EQ(count, 1U);
}

// ------------------------------------------------------------------------------------ publishing

TEST_F(RealRabbitmq, BodiesOfEverySize) {
  for (const std::uint32_t frame_max : {4096U, 131'072U}) {
    Client client([&](ConnectionConfig& config) { config.frame_max = frame_max; });
    const auto channel = client.open();
    const std::string queue = client.declare(*channel, {.exclusive = true});
    const auto consumer = client.consume(*channel, queue, true);
    for (const std::size_t size :
         {0U, 1U, 4087U, 4088U, 4089U, 131'064U, 131'065U, 1'000'000U, 10'000'000U}) {
      std::string body(size, 'x');
      for (std::size_t i = 0; i < size; i += 101) body[i] = static_cast<char>(i);
      ASSERT_FALSE(client.send(*channel, queue, body)) << size;
      const auto got = client.next(*consumer);
      ASSERT_TRUE(got.has_value()) << size;
      ASSERT_TRUE(got->body == body) << size;
    }
  }
}

TEST_F(RealRabbitmq, PropertiesAndTablesComeBackAsTheyWere) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  // Every type, in tables and arrays in each other.
  const auto fill = [](const auto& add) {
    add("bool", true), add("i8", std::int8_t{-1}), add("i16", std::int16_t{-2});
    add("i32", -3), add("i64", std::int64_t{-4}), add("f32", 1.5F), add("f64", 2.5);
    add("decimal", Decimal{2, 314}), add("text", "text"), add("bytes", wire::Bytes("\x01\x02"));
    add("time", Timestamp{1'700'000'000}), add("null", wire::null), add("u8", std::uint8_t{200});
    add("u16", std::uint16_t{60'000}), add("u32", std::uint32_t{4'000'000'000});
  };
  const auto fill_table = [&](TableBuilder& table) {
    fill([&](const char* key, const Value& value) { table.add(key, value); });
  };
  const auto fill_array = [&](ArrayBuilder& array) {
    fill([&](const char*, const Value& value) { array.add(value); });
  };
  TableBuilder innermost, inner, headers;
  ArrayBuilder innermost_list, list;
  fill_table(innermost), fill_array(innermost_list);
  fill_table(inner), fill_array(list);
  inner.add("table", *innermost.table()).add("array", *innermost_list.array());
  list.add(*innermost.table()).add(*innermost_list.array());
  fill_table(headers);
  headers.add("table", *inner.table()).add("array", *list.array());
  BasicProperties sent;
  sent.content_type = "text/plain";
  sent.content_encoding = "utf-8";
  sent.headers = *headers.table();
  sent.delivery_mode = kPersistent;
  sent.priority = 3;
  sent.correlation_id = "correlation";
  sent.reply_to = "reply";
  sent.expiration = "60000";
  sent.message_id = "id";
  sent.timestamp = Timestamp{1'700'000'001};
  sent.type = "type";
  sent.user_id = "guest";
  sent.app_id = "app";
  sent.cluster_id = "cluster";
  const auto consumer = client.consume(*channel, queue, true);
  for (const char* body : {"body", ""}) {
    ASSERT_FALSE(client.publish(*channel, {.routing_key = std::string_view(queue)}, body, sent));
    const auto got = client.next(*consumer);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->body, body);
    EXPECT_EQ(got->properties, print(sent));
  }
}

TEST_F(RealRabbitmq, ManyConfirmsWithReturnsBetween) {
  Client client;
  const auto channel = client.open({.max_unconfirmed = 20'000});
  const std::string queue = client.declare(*channel, {.exclusive = true});
  constexpr int kMessages = 10'000;
  std::map<int, int> endings;
  int lost = 0, wrong = 0;
  client.engine();
  for (int i = 0; i < kMessages; ++i) {
    const bool nowhere = i % 10 == 3;
    const std::string key = nowhere ? "nowhere" : queue;
    ASSERT_FALSE(channel->publish({.routing_key = std::string_view(key), .mandatory = true},
                                  {.body = std::to_string(i)}, [&, i, nowhere](const Failure& why) {
                                    ++endings[i];
                                    const bool back = why.code == ReplyErrc::no_route;
                                    lost += back ? 1 : 0;
                                    wrong += back != nowhere || (why && !back) ? 1 : 0;
                                  }));
  }
  EXPECT_TRUE(client.run_until([&] { return endings.size() == kMessages; }));
  client.run_until([] { return false; }, seconds(1));
  EXPECT_EQ(lost, kMessages / 10);
  EXPECT_EQ(wrong, 0);
  for (const auto& [i, count] : endings) ASSERT_EQ(count, 1) << i;
  EXPECT_EQ(channel->unconfirmed(), 0U);
}

TEST_F(RealRabbitmq, AFullQueueSaysNo) {
  Client client;
  const auto channel = client.open();
  TableBuilder arguments;
  arguments.add("x-max-length", 1).add("x-overflow", "reject-publish");
  const std::string queue =
      client.declare(*channel, {.exclusive = true, .arguments = *arguments.table()});
  EXPECT_FALSE(client.send(*channel, queue, "first"));
  EXPECT_EQ(client.send(*channel, queue, "second").code, ClientErrc::refused);
}

TEST_F(RealRabbitmq, AMissingExchangeEndsTheChannelOnly) {
  Client client;
  const auto channel = client.open();
  const auto other = client.open();
  const Failure why = client.publish(*channel, {.exchange = "not there"}, "x");
  EXPECT_EQ(why.code, ClientErrc::maybe_written);
  EXPECT_TRUE(says(why, "not there")) << why.message();
  EXPECT_EQ(channel->ending().code, ReplyErrc::not_found);
  const std::string queue = client.declare(*other, {.exclusive = true});
  EXPECT_EQ(client.send(*channel, queue, "x").code, ReplyErrc::not_found);
  EXPECT_FALSE(client.send(*other, queue, "x"));
}

TEST_F(RealRabbitmq, Transactions) {
  Client client;
  const auto channel = client.open({.confirms = false});
  const std::string queue = client.declare(*channel, {.exclusive = true});
  EXPECT_FALSE(client.call(*channel, TxSelect()));
  EXPECT_FALSE(client.publish(*channel, {.routing_key = std::string_view(queue)}, "kept"));
  EXPECT_FALSE(client.call(*channel, TxCommit()));
  EXPECT_FALSE(client.publish(*channel, {.routing_key = std::string_view(queue)}, "undone"));
  EXPECT_FALSE(client.call(*channel, TxRollback()));
  EXPECT_EQ(client.get(*channel, queue), "kept");
  EXPECT_EQ(client.get(*channel, queue), std::nullopt);
  EXPECT_EQ(client.call(*client.open(), TxSelect()).code, ReplyErrc::precondition_failed);
  EXPECT_EQ(client.call(*client.open(), TxCommit()).code, ReplyErrc::precondition_failed);
}

// ------------------------------------------------------------------------------------- consuming

TEST_F(RealRabbitmq, PrefetchAndAcks) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(client.send(*channel, queue, std::to_string(i)));
  EXPECT_FALSE(client.call(*channel, BasicQos{0, 5, false}));
  const auto consumer = client.consume(*channel, queue);
  std::vector<std::uint64_t> tags;
  for (int i = 0; i < 5; ++i) {
    const auto got = client.next(*consumer);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->body, std::to_string(i));
    tags.push_back(got->tag);
  }
  EXPECT_FALSE(client.next(*consumer, nullptr, seconds(1)).has_value());
  client.engine();
  for (const std::uint64_t tag : tags) EXPECT_TRUE(channel->ack(tag, channel->epoch(), false));
  for (int i = 5; i < 10; ++i) {
    const auto got = client.next(*consumer);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->body, std::to_string(i));
    tags.push_back(got->tag);
  }
  // Out of order, one put back, one given up.
  client.engine();
  EXPECT_TRUE(channel->ack(tags[7], channel->epoch(), false));
  EXPECT_TRUE(channel->nack(tags[5], channel->epoch(), true));
  EXPECT_TRUE(channel->nack(tags[6], channel->epoch(), false));
  std::map<std::string, bool> redelivered;
  for (int i = 0; i < 3; ++i) {
    const auto got = client.next(*consumer);
    ASSERT_TRUE(got.has_value());
    redelivered[got->body] = got->redelivered;
    tags.push_back(got->tag);
  }
  EXPECT_EQ(redelivered, (std::map<std::string, bool>{{"5", true}, {"10", false}, {"11", false}}));
  client.engine();
  EXPECT_TRUE(channel->ack(tags.back(), channel->epoch(), true));
  for (int i = 12; i < 17; ++i) {
    const auto got = client.next(*consumer);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->body, std::to_string(i));
  }
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
  EXPECT_NE(control("ctl", "list_queues name messages_unacknowledged").find(queue + "\t5"),
            std::string::npos);
}

TEST_F(RealRabbitmq, PrefetchOfEachConsumerAndOfAll) {
  Client client;
  for (const bool of_all : {false, true}) {
    const auto channel = client.open();
    const std::string queue = client.declare(*channel, {.exclusive = true});
    for (int i = 0; i < 10; ++i) ASSERT_FALSE(client.send(*channel, queue, "m"));
    EXPECT_FALSE(client.call(*channel, BasicQos{0, 2, of_all}));
    client.consume(*channel, queue);
    client.consume(*channel, queue);
    // The queue has given out what it may before it says how much is left.
    EXPECT_EQ(client.waiting(*channel, queue), of_all ? 8U : 6U);
  }
}

// What the broker has sent before it hears of the end is still given out, and nothing is lost.
TEST_F(RealRabbitmq, CancelledWithMessagesOnTheWay) {
  constexpr std::uint32_t kMessages = 500;
  for (const bool no_ack : {true, false}) {
    Client client;
    const auto channel = client.open();
    const std::string queue = client.declare(*channel, {.exclusive = true});
    std::uint32_t confirmed = 0;
    const std::string padding(10'000, ' ');
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      client.engine();
      ASSERT_FALSE(channel->publish({.routing_key = std::string_view(queue)},
                                    {.body = std::to_string(i) + padding},
                                    [&](const Failure& why) { confirmed += why ? 0 : 1; }));
    }
    ASSERT_TRUE(client.run_until([&] { return confirmed == kMessages; }));
    EXPECT_FALSE(client.call(*channel, BasicQos{0, 100, false}));
    const auto consumer = client.consume(*channel, queue, no_ack);
    Ending cancelled;
    client.engine();
    channel->cancel(consumer, cancelled.note());
    std::uint32_t came = 0;
    Failure why;
    std::uint64_t last = 0;
    while (const auto got = client.next(*consumer, &why)) {
      EXPECT_EQ(std::stoul(got->body), came++);
      last = got->tag;
    }
    EXPECT_EQ(why.code, ClientErrc::closed) << why.message();
    EXPECT_EQ(cancelled.endings, 1);
    EXPECT_FALSE(cancelled.failure);
    EXPECT_EQ(came + client.waiting(*channel, queue), kMessages);
    if (no_ack) continue;
    EXPECT_EQ(came, 100U);
    // They can be acknowledged as ever; what is not comes again.
    client.engine();
    EXPECT_TRUE(channel->ack(last - 1, channel->epoch(), /*multiple=*/true));
    EXPECT_FALSE(client.call(*channel, BasicRecover{true}));
    EXPECT_EQ(client.waiting(*channel, queue), kMessages - 99);
  }
}

// The broker keeps nothing of them: an acknowledgement would be the end of the channel, tag 0 one
// for all that there are.
TEST_F(RealRabbitmq, NothingIsSaidOfWhatNeedsNoAck) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  for (const char* body : {"a", "b", "c"}) ASSERT_FALSE(client.send(*channel, queue, body));
  for (const bool no_ack : {true, false}) {
    EXPECT_FALSE(client.call(*channel, BasicGet{std::string_view(queue), no_ack}));
  }
  client.engine();
  EXPECT_FALSE(channel->ack(1, channel->epoch(), false));
  EXPECT_FALSE(channel->ack(0, channel->epoch(), true));
  EXPECT_FALSE(channel->nack_up_to(0, channel->epoch(), false));
  const auto consumer = client.consume(*channel, queue, /*no_ack=*/true);
  const auto got = client.next(*consumer);
  EXPECT_EQ(got.value_or(Got{}).body, "c");
  client.engine();
  EXPECT_FALSE(channel->ack(got.value_or(Got{}).tag, channel->epoch(), false));
  EXPECT_FALSE(client.call(*channel, BasicRecover{true}));
  EXPECT_EQ(client.next(*consumer).value_or(Got{}).body, "b");
  EXPECT_EQ(client.waiting(*channel, queue), 0U);
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
}

TEST_F(RealRabbitmq, ManyAreGivenBackTogether) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  for (int i = 0; i < 4; ++i) ASSERT_FALSE(client.send(*channel, queue, std::to_string(i)));
  EXPECT_FALSE(client.call(*channel, BasicQos{0, 3, true}));  // of the channel
  const auto consumer = client.consume(*channel, queue);
  const auto take = [&](const char* body, bool redelivered) {
    const Got got = client.next(*consumer).value_or(Got{});
    EXPECT_EQ(got.body, body);
    EXPECT_EQ(got.redelivered, redelivered);
    return got.tag;
  };
  take("0", false);
  const std::uint64_t second = take("1", false);
  const std::uint64_t third = take("2", false);
  EXPECT_FALSE(client.next(*consumer, nullptr, seconds(1)).has_value());
  client.engine();
  EXPECT_TRUE(channel->ack(second, channel->epoch(), false));
  EXPECT_TRUE(channel->nack_up_to(third, channel->epoch(), true));
  EXPECT_FALSE(channel->ack(third, channel->epoch(), false));
  // The broker may go on before it has seen what is given back, so in any order. That is all of
  // them.
  const auto take_three = [&] {
    std::map<std::string, bool> redelivered;
    std::uint64_t last = 0;
    for (int i = 0; i < 3; ++i) {
      const Got got = client.next(*consumer).value_or(Got{});
      redelivered[got.body] = got.redelivered;
      last = got.tag;
    }
    return std::pair(redelivered, last);
  };
  using Redelivered = std::map<std::string, bool>;
  EXPECT_EQ(take_three().first, (Redelivered{{"0", true}, {"2", true}, {"3", false}}));
  // All of them come again, and their old tags mean nothing.
  EXPECT_FALSE(client.call(*channel, BasicRecover{true}));
  client.engine();
  EXPECT_FALSE(channel->ack(third, channel->epoch(), true));
  const auto [again, last] = take_three();
  EXPECT_EQ(again, (Redelivered{{"0", true}, {"2", true}, {"3", true}}));
  client.engine();
  EXPECT_TRUE(channel->ack(last, channel->epoch(), true));
  EXPECT_FALSE(client.send(*channel, queue, "4"));
  take("4", false);
}

TEST_F(RealRabbitmq, CancelledByEitherSide) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {});
  const auto ours = client.consume(*channel, queue);
  const auto theirs = client.consume(*channel, queue);
  Ending cancelled;
  client.engine();
  channel->cancel(ours, cancelled.note());
  EXPECT_TRUE(client.run_until([&] { return cancelled.endings != 0; }));
  EXPECT_FALSE(cancelled.failure);
  Failure why;
  EXPECT_FALSE(client.next(*ours, &why).has_value());
  EXPECT_EQ(why.code, ClientErrc::closed);
  control("ctl", "delete_queue " + queue);
  EXPECT_FALSE(client.next(*theirs, &why).has_value());
  EXPECT_EQ(why.code, ReplyErrc::not_found) << why.message();
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
}

TEST_F(RealRabbitmq, DirectReplies) {
  Client client;
  Client server;
  const auto asking = client.open();
  const auto replies = client.consume(*asking, "amq.rabbitmq.reply-to", true);
  const auto serving = server.open();
  const std::string queue = server.declare(*serving, {.exclusive = true});
  const auto requests = server.consume(*serving, queue, true);
  BasicProperties properties;
  properties.reply_to = "amq.rabbitmq.reply-to";
  properties.correlation_id = "7";
  ASSERT_FALSE(
      client.publish(*asking, {.routing_key = std::string_view(queue)}, "question", properties));
  std::string reply_to;
  Ending asked;
  server.engine();
  requests->next([&](const Failure& failure, const Delivered& delivered) {
    reply_to = delivered.properties().reply_to.str();
    asked.note()(failure);
  });
  EXPECT_TRUE(server.run_until([&] { return asked.endings != 0; }));
  properties.reply_to = wire::null;
  ASSERT_FALSE(
      server.publish(*serving, {.routing_key = std::string_view(reply_to)}, "answer", properties));
  const auto got = client.next(*replies);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, "answer");
  EXPECT_EQ(got->properties, "{correlation_id: \"7\"}");
  // It came with the tag of the message to come, which is not acknowledged with it.
  const std::string own = client.declare(*asking, {.exclusive = true});
  const auto consumer = client.consume(*asking, own);
  EXPECT_FALSE(client.send(*asking, own, "message"));
  EXPECT_EQ(client.next(*consumer).value_or(Got{}).tag, 1U);
  client.engine();
  EXPECT_FALSE(asking->ack(got->tag, asking->epoch(), false));
  EXPECT_TRUE(asking->ack(1, asking->epoch(), false));
}

TEST_F(RealRabbitmq, QuestionsAndAnswers) {
  Client client;
  const auto serving = client.open();
  const std::string queue = client.declare(*serving, {.exclusive = true});
  const auto questions = client.consume(*serving, queue, /*no_ack=*/true);
  // Answers with the same; "silence" gets none.
  std::function<void()> serve = [&] {
    questions->next([&](const Failure& failure, const Delivered& question) {
      if (failure) return;
      client.engine();
      const BasicProperties asked = question.properties();
      if (question.body().view() != "silence") {
        EXPECT_FALSE(serving->publish({.routing_key = asked.reply_to},
                                      {.body = question.body().view(),
                                       .properties = {.correlation_id = asked.correlation_id}},
                                      {}));
      }
      serve();
    });
  };
  client.engine();
  serve();
  const auto rpc = std::make_shared<RpcCore>(client.engine(), client.open());
  Ending opened;
  client.engine();
  rpc->open(opened.note());
  ASSERT_TRUE(client.run_until([&] { return opened.endings != 0; }));
  ASSERT_FALSE(opened.failure) << opened.failure.message();

  constexpr int kCalls = 1'000;
  int right = 0;
  for (int i = 0; i < kCalls; ++i) {
    client.engine();
    rpc->call({.routing_key = std::string_view(queue)}, {}, wire::Bytes(std::to_string(i)),
              seconds(30), [&right, i](const Failure& why, const Delivered& answer) {
                right += !why && answer.body() == wire::Bytes(std::to_string(i)) ? 1 : 0;
              });
  }
  EXPECT_TRUE(client.run_until([&] { return right == kCalls; })) << right;
  const auto fails = [&](const std::string& to, const char* body, Duration timeout) {
    Ending ending;
    client.engine();
    rpc->call({.routing_key = std::string_view(to)}, {}, wire::Bytes(std::string_view(body)),
              timeout, [&](const Failure& why, const Delivered&) { ending.note()(why); });
    EXPECT_TRUE(client.run_until([&] { return ending.endings != 0; }));
    return ending.failure.code;
  };
  EXPECT_EQ(fails(queue, "silence", milliseconds(200)), ClientErrc::timed_out);
  EXPECT_EQ(fails("no such queue", "hello", seconds(30)), ReplyErrc::no_route);
}

TEST_F(RealRabbitmq, ManyMessagesThereAndBack) {
  Client client;
  const auto channel = client.open();
  const auto consuming = client.open({.confirms = false});
  const std::string queue = client.declare(*channel, {.exclusive = true});
  EXPECT_FALSE(client.call(*consuming, BasicQos{0, 300, false}));
  const auto consumer = client.consume(*consuming, queue);
  constexpr int kMessages = 50'000;
  int published = 0, confirmed = 0, seen = 0, wrong = 0;
  std::function<void()> take = [&] {
    consumer->next([&](const Failure& failure, const Delivered& delivered) {
      if (failure) return;
      wrong += delivered.body() != wire::Bytes(std::to_string(seen)) ? 1 : 0;
      ++seen;
      consuming->ack(delivered.tag, delivered.epoch, false);
      take();
    });
  };
  client.engine();
  take();
  EXPECT_TRUE(client.run_until(
      [&] {
        for (; published < kMessages; ++published) {
          client.engine();
          if (channel->publish({.routing_key = std::string_view(queue)},
                               {.body = std::to_string(published)},
                               [&](const Failure& why) { confirmed += why ? 0 : 1; })) {
            break;
          }
        }
        return confirmed == kMessages && seen == kMessages;
      },
      seconds(60)))
      << confirmed << " confirmed, " << seen << " seen";
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tern::amqp::testing
