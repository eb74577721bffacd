// What RabbitMQ decides by itself, at a real one: limits, times, routing, transactions, what
// recovery finds changed. By hand: see rabbitmq_client.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/amqp/engine.h"
#include "client/amqp/rpc_core.h"
#include "client/amqp/uri.h"
#include "tests/real/rabbitmq_client.h"

namespace tern::amqp::testing {
namespace {

using Bodies = std::vector<std::string>;

// Sets one of the broker's own settings, which holds for channels that are opened from now on.
class Setting {
 public:
  Setting(std::string name, const std::string& value, std::string otherwise)
      : name_(std::move(name)), otherwise_(std::move(otherwise)) {
    set(value);
  }
  ~Setting() { set(otherwise_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  void set(const std::string& value) const {
    control("ctl", "eval 'application:set_env(rabbit, " + name_ + ", " + value + ").'");
  }
  const std::string name_, otherwise_;
};

class RealRabbitmqRules : public RealRabbitmq {
 protected:
  // What there is to get, without waiting.
  static Bodies bodies(Client& client, ChannelCore& channel, const std::string& queue) {
    Bodies out;
    while (auto body = client.get(channel, queue)) out.push_back(*std::move(body));
    return out;
  }
  static bool is_there(Client& client, const std::string& queue) {
    const QueueDeclare question{.queue = std::string_view(queue), .passive = true};
    return !client.call(*client.open(), question);
  }
  static std::string tx_queue(Client& client, ChannelCore& channel, int messages) {
    const std::string queue = client.declare(channel, {.exclusive = true});
    for (int i = 0; i < messages; ++i) {
      EXPECT_FALSE(
          client.publish(channel, {.routing_key = std::string_view(queue)}, std::to_string(i)));
    }
    EXPECT_FALSE(client.call(channel, TxSelect()));
    return queue;
  }
};

// ---------------------------------------------------------------------------------- the connection

TEST_F(RealRabbitmqRules, UrisWithEscapesAndSeveralHosts) {
  const std::string broker = environment("TERN_RABBITMQ");
  control("ctl", "add_vhost 'tern/v 1'");
  control("ctl", "add_user 'tern@:/' 'p@ss:/w%rd'");
  control("ctl", "set_permissions -p 'tern/v 1' 'tern@:/' '.*' '.*' '.*'");
  for (const std::string& uri :
       {"amqp://" + broker + "/%2F?heartbeat=5&connection_name=x%20y",
        "amqp://guest:guest@127.0.0.1:1," + broker + "/%2f",
        "amqp://tern%40%3A%2F:p%40ss%3A%2Fw%25rd@" + broker + "/tern%2Fv%201"}) {
    Client client([&](ConnectionConfig& config) { EXPECT_FALSE(parse_uri(uri, config)) << uri; });
    const Failure why = client.connect();
    EXPECT_FALSE(why) << uri << ": " << why.message();
    client.declare(*client.open(), {.exclusive = true});
  }
  control("ctl", "delete_vhost 'tern/v 1'");
  control("ctl", "delete_user 'tern@:/'");
}

// Both sides have to know the same of it.
TEST_F(RealRabbitmqRules, LimitsAreAgreedOn) {
  Client client([](ConnectionConfig& config) {
    config.channel_max = 2;
    config.frame_max = 4096;
    config.heartbeat = seconds(7);
  });
  ASSERT_FALSE(client.connect());
  EXPECT_NE(control("ctl", "list_connections channel_max frame_max timeout").find("2\t4096\t7\n"),
            std::string::npos);
}

TEST_F(RealRabbitmqRules, HeartbeatsAreAgreedOn) {
  const struct {
    int ours, agreed;
  } cases[] = {{0, 60}, {1, 1}, {59, 59}, {65'535, 60}};
  for (const auto& each : cases) {
    Client client([&](ConnectionConfig& config) { config.heartbeat = seconds(each.ours); });
    ASSERT_FALSE(client.connect());
    EXPECT_EQ(client.engine().session().tuning().heartbeat, seconds(each.agreed)) << each.ours;
  }
}

TEST_F(RealRabbitmqRules, BlockedConnectionsEndInTimeAndOthersGoOn) {
  Client publisher([](ConnectionConfig& config) { config.close_timeout = seconds(1); });
  Client consumer;
  const auto publishing = publisher.open();
  const auto consuming = consumer.open();
  const std::string queue = consumer.declare(*consuming, {.exclusive = true});
  for (const char* body : {"a", "b"}) {
    ASSERT_FALSE(publisher.publish(*publishing, {.routing_key = std::string_view(queue)}, body));
  }
  control("ctl", "set_vm_memory_high_watermark 0.0000001");
  Ending ending, closed;
  publisher.engine();
  EXPECT_FALSE(
      publishing->publish({.routing_key = std::string_view(queue)}, {.body = "c"}, ending.note()));
  EXPECT_TRUE(publisher.run_until([&] { return publisher.is_blocked; }));
  EXPECT_EQ(bodies(consumer, *consuming, queue), (Bodies{"a", "b"}));
  EXPECT_FALSE(consumer.is_blocked);
  const auto before = Clock::now();
  publisher.engine().close(closed.note());
  EXPECT_TRUE(publisher.run_until([&] { return closed.endings != 0; }, seconds(20)));
  EXPECT_LE(Clock::now() - before, seconds(5));
  control("ctl", "set_vm_memory_high_watermark 0.6");
  EXPECT_EQ(ending.endings, 1);
  EXPECT_EQ(ending.failure.code, ClientErrc::maybe_written) << ending.failure.message();
}

TEST_F(RealRabbitmqRules, ABrokerThatDoesNotReadIsNotGivenMore) {
  Client client([](ConnectionConfig& config) { config.max_unsent_bytes = 1'000'000; });
  const auto channel = client.open({.max_unconfirmed = 1'000'000});
  const std::string queue = client.declare(*channel, {.exclusive = true});
  control("freeze");
  const std::string body(50'000, 'x');
  int taken = 0, confirmed = 0, other = 0;
  // Until the sockets between are full, too, and nothing more is taken for some time.
  int still = 0;
  const bool full = client.run_until([&] {
    const int before = taken;
    Failure why;
    while (!why && taken < 2'000) {
      client.engine();
      why = channel->publish({.routing_key = std::string_view(queue)}, {.body = body},
                             [&](const Failure& how) { ++(how ? other : confirmed); });
      if (!why) ++taken;
    }
    EXPECT_EQ(why.code, ClientErrc::queue_full) << taken;
    still = taken == before ? still + 1 : 0;
    return still >= 10 || taken >= 2'000;
  });
  control("thaw");
  EXPECT_TRUE(full);
  EXPECT_LT(taken, 2'000);
  EXPECT_TRUE(client.run_until([&] { return confirmed == taken; })) << confirmed << " of " << taken;
  EXPECT_EQ(other, 0);
}

// ------------------------------------------------------------------------------------- declaring

TEST_F(RealRabbitmqRules, HeadersAndAlternateExchanges) {
  Client client;
  const auto channel = client.open();
  const std::string exchange = unique("headers"), rest = unique("rest");
  const std::string any = client.declare(*channel, {.exclusive = true});
  const std::string all = client.declare(*channel, {.exclusive = true});
  const std::string others = client.declare(*channel, {.exclusive = true});
  EXPECT_FALSE(client.call(
      *channel,
      ExchangeDeclare{.exchange = std::string_view(rest), .type = "fanout", .auto_delete = true}));
  TableBuilder alternate;
  alternate.add("alternate-exchange", rest);
  EXPECT_FALSE(client.call(*channel, ExchangeDeclare{.exchange = std::string_view(exchange),
                                                     .type = "headers",
                                                     .auto_delete = true,
                                                     .arguments = *alternate.table()}));
  EXPECT_FALSE(client.call(
      *channel, QueueBind{.queue = std::string_view(others), .exchange = std::string_view(rest)}));
  for (const std::string& queue : {any, all}) {
    TableBuilder match;
    match.add("x-match", queue == any ? "any" : "all").add("a", 1).add("b", "x");
    EXPECT_FALSE(client.call(*channel, QueueBind{.queue = std::string_view(queue),
                                                 .exchange = std::string_view(exchange),
                                                 .arguments = *match.table()}));
  }
  const auto send = [&](const char* body, const TableBuilder& headers) {
    const Target target{.exchange = std::string_view(exchange), .mandatory = true};
    EXPECT_FALSE(client.publish(*channel, target, body, {.headers = *headers.table()}));
  };
  TableBuilder one, both, none;
  one.add("a", 1);
  both.add("a", 1).add("b", "x");
  send("one", one);
  send("both", both);
  send("none", none);
  EXPECT_EQ(bodies(client, *channel, any), (Bodies{"one", "both"}));
  EXPECT_EQ(bodies(client, *channel, all), Bodies{"both"});
  EXPECT_EQ(bodies(client, *channel, others), Bodies{"none"});
}

TEST_F(RealRabbitmqRules, WithoutWaitingForAnAnswer) {
  Client client;
  const auto channel = client.open();
  const std::string exchange = unique("nowait"), queue = unique("nowait");
  EXPECT_FALSE(client.call(*channel, ExchangeDeclare{.exchange = std::string_view(exchange),
                                                     .type = "direct",
                                                     .auto_delete = true,
                                                     .no_wait = true}));
  EXPECT_FALSE(
      client.call(*channel, QueueDeclare{.queue = std::string_view(queue), .no_wait = true}));
  EXPECT_FALSE(client.call(*channel, QueueBind{.queue = std::string_view(queue),
                                               .exchange = std::string_view(exchange),
                                               .routing_key = "k",
                                               .no_wait = true}));
  const Target target{
      .exchange = std::string_view(exchange), .routing_key = "k", .mandatory = true};
  EXPECT_FALSE(client.publish(*channel, target, "m"));
  EXPECT_FALSE(
      client.call(*channel, QueuePurge{.queue = std::string_view(queue), .no_wait = true}));
  EXPECT_EQ(bodies(client, *channel, queue), Bodies());
  const std::string further = unique("nowait");
  EXPECT_FALSE(client.call(
      *channel,
      ExchangeDeclare{.exchange = std::string_view(further), .type = "direct", .no_wait = true}));
  EXPECT_FALSE(client.call(*channel, ExchangeBind{.destination = std::string_view(exchange),
                                                  .source = std::string_view(further),
                                                  .routing_key = "k",
                                                  .no_wait = true}));
  const Target through{
      .exchange = std::string_view(further), .routing_key = "k", .mandatory = true};
  EXPECT_FALSE(client.publish(*channel, through, "through"));
  EXPECT_EQ(bodies(client, *channel, queue), Bodies{"through"});
  EXPECT_FALSE(client.call(*channel, ExchangeUnbind{.destination = std::string_view(exchange),
                                                    .source = std::string_view(further),
                                                    .routing_key = "k",
                                                    .no_wait = true}));
  EXPECT_EQ(client.publish(*channel, through, "m").code, ReplyErrc::no_route);
  EXPECT_FALSE(client.call(*channel,
                           ExchangeDelete{.exchange = std::string_view(further), .no_wait = true}));
  EXPECT_EQ(client.waiting(*channel, queue), 0U);  // other channels may be ahead of this one
  const ExchangeDeclare question{.exchange = std::string_view(further), .passive = true};
  EXPECT_EQ(client.call(*client.open(), question).code, ReplyErrc::not_found);
  // No answer does not mean that nothing can go wrong.
  client.consume(*channel, queue);
  EXPECT_FALSE(client.call(
      *channel, QueueDelete{.queue = std::string_view(queue), .if_unused = true, .no_wait = true}));
  EXPECT_TRUE(client.run_until([&] { return channel->state() == ChannelCore::State::closed; }));
  EXPECT_EQ(channel->ending().code, ReplyErrc::precondition_failed) << channel->ending().message();
  EXPECT_TRUE(says(channel->ending(), "queue.delete"));
  EXPECT_FALSE(client.call(*client.open(), QueueDelete{.queue = std::string_view(queue)}));
}

// ------------------------------------------------------------------------------------ publishing

TEST_F(RealRabbitmqRules, ExpiryPriorityAndDeadLetters) {
  Client client;
  const auto channel = client.open();
  const std::string dead = client.declare(*channel, {.exclusive = true});
  TableBuilder arguments;
  arguments.add("x-dead-letter-exchange", "").add("x-dead-letter-routing-key", dead);
  arguments.add("x-max-priority", 5);
  const std::string queue =
      client.declare(*channel, {.exclusive = true, .arguments = *arguments.table()});
  const Target target{.routing_key = std::string_view(queue), .mandatory = true};
  for (const std::uint8_t priority : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{5}}) {
    EXPECT_FALSE(
        client.publish(*channel, target, std::to_string(priority), {.priority = priority}));
  }
  EXPECT_EQ(bodies(client, *channel, queue), (Bodies{"5", "3", "0"}));
  // An empty body has headers, too; one message expires, one is rejected.
  const auto consumer = client.consume(*channel, dead, /*no_ack=*/true);
  EXPECT_FALSE(client.publish(*channel, target, "", {.expiration = "1"}));
  const auto expired = client.next(*consumer);
  ASSERT_TRUE(expired.has_value());
  EXPECT_EQ(expired->body, "");
  EXPECT_NE(expired->properties.find("\"x-death\""), std::string::npos) << expired->properties;
  EXPECT_NE(expired->properties.find("S \"expired\""), std::string::npos) << expired->properties;
  EXPECT_FALSE(client.publish(*channel, target, "rejected"));
  const auto rejecting = client.consume(*channel, queue);
  const auto got = client.next(*rejecting);
  ASSERT_TRUE(got.has_value());
  client.engine();
  EXPECT_TRUE(channel->nack(got->tag, channel->epoch(), /*requeue=*/false));
  EXPECT_FALSE(channel->ack(got->tag, channel->epoch(), false));  // twice would be a 406
  const auto rejected = client.next(*consumer);
  ASSERT_TRUE(rejected.has_value());
  EXPECT_EQ(rejected->body, "rejected");
  EXPECT_NE(rejected->properties.find("S \"rejected\""), std::string::npos) << rejected->properties;
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
}

TEST_F(RealRabbitmqRules, MessagesThatAreTooLarge) {
  const Setting limit("max_message_size", "1000", "134217728");
  Client client;
  const auto channel = client.open();
  const auto other = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  EXPECT_FALSE(client.send(*channel, queue, std::string(1'000, 'x')));
  const Failure why = client.send(*channel, queue, std::string(1'001, 'x'));
  EXPECT_EQ(why.code, ClientErrc::maybe_written);
  EXPECT_TRUE(says(why, "larger than")) << why.message();
  EXPECT_EQ(channel->ending().code, ReplyErrc::precondition_failed) << channel->ending().message();
  EXPECT_FALSE(client.send(*other, queue, "small"));
  EXPECT_EQ(bodies(client, *other, queue).size(), 2U);
}

TEST_F(RealRabbitmqRules, SelectingConfirmsAgainChangesNothing) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {.exclusive = true});
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(client.send(*channel, queue, "m"));
    EXPECT_EQ(client.send(*channel, "nowhere", "m").code, ReplyErrc::no_route);
    EXPECT_FALSE(client.call(*channel, ConfirmSelect()));
  }
  EXPECT_EQ(channel->unconfirmed(), 0U);
}

TEST_F(RealRabbitmqRules, AChannelThatEndsMidwayResolvesAll) {
  Client client;
  const auto channel = client.open();
  const std::string queue = client.declare(*channel, {});
  constexpr int kMessages = 1'000, kBad = 700;
  std::vector<int> endings(kMessages);
  std::vector<bool> confirmed(kMessages);
  client.engine();
  for (int i = 0; i < kMessages; ++i) {
    const Target target{.exchange = i == kBad ? "not there" : "",
                        .routing_key = std::string_view(queue)};
    ASSERT_FALSE(channel->publish(target, {.body = std::to_string(i)}, [&, i](const Failure& why) {
      ++endings[static_cast<std::size_t>(i)];
      confirmed[static_cast<std::size_t>(i)] = !why;
      if (why) {
        EXPECT_EQ(why.code, ClientErrc::maybe_written) << why.message();
        EXPECT_TRUE(says(why, "no exchange 'not there'")) << why.message();
      }
    }));
  }
  EXPECT_TRUE(client.run_until([&] { return channel->unconfirmed() == 0; }));
  EXPECT_TRUE(client.run_until([&] {
    return std::all_of(endings.begin(), endings.end(), [](int count) { return count == 1; });
  }));
  EXPECT_EQ(std::count(confirmed.begin() + kBad, confirmed.end(), true), 0);
  // And the broker has what it confirmed, and nothing from behind the bad one.
  const auto other = client.open();
  const Bodies stored = bodies(client, *other, queue);
  EXPECT_EQ(stored.size(), static_cast<std::size_t>(kBad));
  EXPECT_LE(std::count(confirmed.begin(), confirmed.end(), true), kBad);
  EXPECT_FALSE(client.call(*other, QueueDelete{.queue = std::string_view(queue)}));
}

// ------------------------------------------------------------------------------------- consuming

TEST_F(RealRabbitmqRules, OneConsumerOfMany) {
  Client client;
  const auto channel = client.open();
  TableBuilder arguments;
  arguments.add("x-single-active-consumer", true);
  const std::string queue =
      client.declare(*channel, {.exclusive = true, .arguments = *arguments.table()});
  const auto first = client.consume(*channel, queue, /*no_ack=*/true);
  const auto second = client.consume(*channel, queue, /*no_ack=*/true);
  for (const char* body : {"a", "b"}) EXPECT_FALSE(client.send(*channel, queue, body));
  EXPECT_EQ(client.next(*first).value_or(Got{}).body, "a");
  EXPECT_EQ(client.next(*first).value_or(Got{}).body, "b");
  Ending cancelled;
  client.engine();
  channel->cancel(first, cancelled.note());
  EXPECT_TRUE(client.run_until([&] { return cancelled.endings != 0; }));
  EXPECT_FALSE(client.send(*channel, queue, "c"));
  EXPECT_EQ(client.next(*second).value_or(Got{}).body, "c");
  // A tag that is in use would be the end of the connection, so it is not even asked.
  Ending refused;
  client.engine();
  channel->consume({.queue = std::string_view(queue), .consumer_tag = second->tag()},
                   [&](const Failure& why, const auto&) { refused.note()(why); });
  EXPECT_TRUE(client.run_until([&] { return refused.endings != 0; }));
  EXPECT_EQ(refused.failure.code, ClientErrc::invalid_argument);
  EXPECT_TRUE(client.engine().is_connected());
}

// An ack that takes too long, with recovery and without.
TEST_F(RealRabbitmqRules, AcksThatComeTooLate) {
  const Setting timeout("consumer_timeout", "1000", "1800000");
  const Setting interval("channel_tick_interval", "500", "60000");
  for (const bool recover : {false, true}) {
    Client client([&](ConnectionConfig& config) { config.recover = recover; });
    const auto channel = client.open();
    const auto other = client.open();
    const std::string queue = client.declare(*channel, {.exclusive = true});
    std::vector<Failure> told;
    client.engine().on_ack_timeout([&](const Failure& why) { told.push_back(why); });
    const auto consumer = client.consume(*channel, queue);
    EXPECT_FALSE(client.send(*channel, queue, "slow"));
    const auto slow = client.next(*consumer);
    ASSERT_TRUE(slow.has_value());
    const std::uint32_t epoch = channel->epoch();
    ASSERT_TRUE(client.run_until([&] { return !told.empty(); }));
    EXPECT_EQ(told[0].code, ReplyErrc::precondition_failed) << told[0].message();
    EXPECT_TRUE(says(told[0], "delivery acknowledgement")) << told[0].message();
    EXPECT_FALSE(client.send(*other, queue, "next"));
    Failure why;
    const auto again = client.next(*consumer, &why);
    if (!recover) {
      EXPECT_EQ(why.code, ReplyErrc::precondition_failed) << why.message();
      EXPECT_EQ(channel->state(), ChannelCore::State::closed);
      continue;
    }
    // Two messages and two tags, and the old one is not taken for a new one.
    EXPECT_EQ(again.value_or(Got{}).body, "slow");
    EXPECT_TRUE(again.value_or(Got{}).redelivered);
    EXPECT_EQ(client.next(*consumer).value_or(Got{}).body, "next");
    client.engine();
    EXPECT_FALSE(channel->ack(slow->tag, epoch, false));
    EXPECT_TRUE(channel->ack(2, channel->epoch(), true));
    EXPECT_FALSE(client.send(*channel, queue, "after"));
    EXPECT_EQ(client.next(*consumer).value_or(Got{}).body, "after");
    EXPECT_EQ(told.size(), 1U);
  }
}

TEST_F(RealRabbitmqRules, AnswersThatNobodyWaitsFor) {
  Client client;
  const auto channel = client.open();
  EXPECT_EQ(client.call(*channel, BasicConsume{.queue = kDirectReplyTo}).code,
            ReplyErrc::precondition_failed);  // acks are not wanted there
  const auto serving = client.open();
  const std::string queue = client.declare(*serving, {.exclusive = true});
  const auto questions = client.consume(*serving, queue, /*no_ack=*/true);
  client.engine();
  questions->next([&](const Failure& why, const Delivered& question) {
    ASSERT_FALSE(why);
    client.engine();
    const BasicProperties asked = question.properties();
    for (const char* id : {"somebody else's", ""}) {
      const Text correlation = *id == '\0' ? asked.correlation_id : Text(id);
      EXPECT_FALSE(serving->publish(
          {.routing_key = asked.reply_to},
          {.body = *id == '\0' ? "right" : "wrong", .properties = {.correlation_id = correlation}},
          {}));
    }
  });
  const auto rpc = std::make_shared<RpcCore>(client.engine(), client.open());
  Ending opened, answered;
  client.engine();
  rpc->open(opened.note());
  ASSERT_TRUE(client.run_until([&] { return opened.endings != 0; }));
  std::string answer;
  client.engine();
  rpc->call({.routing_key = std::string_view(queue)}, {}, wire::Bytes(std::string_view("?")),
            seconds(30), [&](const Failure& why, const Delivered& delivered) {
              if (!why) answer = delivered.body().str();
              answered.note()(why);
            });
  EXPECT_TRUE(client.run_until([&] { return answered.endings != 0; }));
  EXPECT_EQ(answer, "right") << answered.failure.message();
}

// Whoever was asked goes: another one is asked, or nobody; and whoever asked goes.
TEST_F(RealRabbitmqRules, ThoseWhoAreAskedOrHaveAskedGo) {
  const auto recover = [](ConnectionConfig& config) { config.recover = true; };
  Client client(recover), server(recover);
  const auto serving = server.open();
  const std::string queue = server.declare(*serving);
  // The next question of `from`, as it has come to `consumer`.
  const auto take = [](Client& at, ConsumerCore& consumer, Client& from) {
    Delivered question;
    Ending ending;
    at.engine();
    consumer.next([&](const Failure& why, const Delivered& delivered) {
      question = delivered;
      ending.note()(why);
    });
    EXPECT_TRUE(at.run_until([&] {
      from.poll();
      return ending.endings != 0;
    }));
    EXPECT_FALSE(ending.failure) << ending.failure.message();
    return question;
  };
  const auto answer = [&](const Delivered& question) {
    const BasicProperties asked = question.properties();
    return server.publish(*serving, {.routing_key = asked.reply_to}, question.body().view(),
                          {.correlation_id = asked.correlation_id});
  };
  const auto open = [](Client& at) {
    // With another consumer before it on its channel, which has to come back, too.
    const auto channel = at.open();
    EXPECT_FALSE(at.call(*channel, BasicQos{0, 10, false}));
    at.consume(*channel, at.declare(*channel, {.exclusive = true}));
    const auto rpc = std::make_shared<RpcCore>(at.engine(), channel);
    Ending opened;
    at.engine();
    rpc->open(opened.note());
    EXPECT_TRUE(at.run_until([&] { return opened.endings != 0; }));
    EXPECT_FALSE(opened.failure) << opened.failure.message();
    return rpc;
  };
  struct Answer : Ending {
    std::string body;
  };
  const auto ask = [&](Client& at, RpcCore& rpc, const char* body, milliseconds timeout,
                       Answer& told) {
    at.engine();
    rpc.call({.routing_key = std::string_view(queue)}, {}, wire::Bytes(std::string_view(body)),
             timeout, [&told](const Failure& why, const Delivered& delivered) {
               if (!why) told.body = delivered.body().str();
               told.note()(why);
             });
  };
  const auto rpc = open(client);
  const auto ends = [&](Answer& told) {
    EXPECT_TRUE(client.run_until([&] { return told.endings != 0; }));
    return told.failure.code;
  };

  Answer first;
  {
    Client gone;
    const auto consumer = gone.consume(*gone.open(), queue);
    ask(client, *rpc, "first", seconds(30), first);
    take(gone, *consumer, client);
  }
  const auto questions = server.consume(*serving, queue, /*no_ack=*/true);
  const Delivered again = take(server, *questions, client);
  EXPECT_TRUE(again.redelivered);
  EXPECT_FALSE(answer(again));
  EXPECT_FALSE(ends(first));
  EXPECT_EQ(first.body, "first");

  {
    Client gone;
    Answer never;
    ask(gone, *open(gone), "of one who is gone", seconds(30), never);
    const Delivered question = take(server, *questions, gone);
    Ending closed;
    gone.engine().close(closed.note());
    EXPECT_TRUE(gone.run_until([&] { return closed.endings != 0 && never.endings != 0; }));
    EXPECT_TRUE(never.failure);
    EXPECT_FALSE(answer(question));  // nobody is told that nobody hears it
  }

  Answer lost, after;
  ask(client, *rpc, "lost", seconds(30), lost);
  const Delivered early = take(server, *questions, client);
  control("ctl", "close_all_connections maintenance");
  EXPECT_EQ(ends(lost), ClientErrc::maybe_written) << lost.failure.message();
  const auto is_back = [](Client& at, ChannelCore& channel) {
    return at.run_until([&] { return channel.state() == ChannelCore::State::open; });
  };
  // The first moment in which it can be asked.
  ASSERT_TRUE(is_back(client, *rpc->channel()));
  ask(client, *rpc, "after", seconds(30), after);
  ASSERT_TRUE(server.run_until([&] { return static_cast<bool>(server.lost); }));
  ASSERT_TRUE(is_back(server, *serving));
  EXPECT_FALSE(answer(early));  // for a connection that is no more
  EXPECT_FALSE(answer(take(server, *questions, client)));
  EXPECT_FALSE(ends(after)) << after.failure.message();
  EXPECT_EQ(after.body, "after");

  Answer timed, unrouted;
  ask(client, *rpc, "taken by one who goes", milliseconds(500), timed);
  take(server, *questions, client);
  EXPECT_FALSE(server.call(*serving, QueueDelete{.queue = std::string_view(queue)}));
  EXPECT_EQ(ends(timed), ClientErrc::timed_out) << timed.failure.message();
  ask(client, *rpc, "nobody is left", seconds(30), unrouted);
  EXPECT_EQ(ends(unrouted), ReplyErrc::no_route) << unrouted.failure.message();
}

// ---------------------------------------------------------------------------------- transactions

TEST_F(RealRabbitmqRules, AcksThatAreRolledBack) {
  Client client;
  const auto channel = client.open({.confirms = false});
  const std::string queue = tx_queue(client, *channel, 3);
  const auto consumer = client.consume(*channel, queue);
  for (const char* body : {"0", "1", "2"}) {
    EXPECT_EQ(client.next(*consumer).value_or(Got{}).body, body);
  }
  client.engine();
  EXPECT_TRUE(channel->ack(2, channel->epoch(), /*multiple=*/true));
  EXPECT_TRUE(channel->nack(3, channel->epoch(), /*requeue=*/true));
  EXPECT_FALSE(client.call(*channel, TxRollback()));
  // As if nothing had been said. Were it another way at the broker, the channel would end.
  client.engine();
  EXPECT_TRUE(channel->ack(1, channel->epoch(), false));
  EXPECT_TRUE(channel->ack(3, channel->epoch(), false));
  EXPECT_FALSE(client.call(*channel, TxCommit()));
  EXPECT_FALSE(client.call(*channel, BasicRecover{true}));
  const auto left = client.next(*consumer);
  EXPECT_EQ(left.value_or(Got{}).body, "1");
  EXPECT_TRUE(left.value_or(Got{}).redelivered);
  EXPECT_FALSE(client.next(*consumer, nullptr, seconds(1)).has_value());
  EXPECT_EQ(channel->state(), ChannelCore::State::open);
}

TEST_F(RealRabbitmqRules, AMissingExchangeInsideATransaction) {
  Client client;
  const auto channel = client.open({.confirms = false});
  const auto other = client.open();
  const std::string queue = tx_queue(client, *channel, 0);
  EXPECT_FALSE(client.publish(*channel, {.routing_key = std::string_view(queue)}, "undone"));
  (void)client.publish(*channel, {.exchange = "not there"}, "x");
  EXPECT_EQ(client.call(*channel, TxCommit()).code, ReplyErrc::not_found);
  EXPECT_EQ(bodies(client, *other, queue), Bodies());
}

// ------------------------------------------------------------------------------------- recovery

TEST_F(RealRabbitmqRules, RecoveryFindsThingsChanged) {
  int asked = 0;
  Client client([&](ConnectionConfig& config) {
    config.recover = true;
    config.connection_name = unique("changed");
    config.ask_credentials = [&asked] {
      ++asked;
      return Credentials();
    };
  });
  std::vector<std::string> events;
  client.engine().on_lost([&](const Failure&) { events.emplace_back("lost"); });
  client.engine().on_recovered([&] { events.emplace_back("recovered"); });
  client.engine().on_not_recovered([&](std::string_view what, const Failure& why) {
    events.push_back(std::string(what) + ": " + why.code.message());
  });
  const auto channel = client.open();
  const std::string exchange = unique("changed");
  EXPECT_FALSE(client.call(*channel, ExchangeDeclare{.exchange = std::string_view(exchange),
                                                     .type = "headers",
                                                     .auto_delete = true}));
  const std::string deleted = client.declare(*channel);
  const std::string changed = client.declare(*channel);
  const std::string colors = client.declare(*channel, {.exclusive = true});
  const std::string left = client.declare(*channel, {.auto_delete = true});
  for (const char* color : {"red", "blue"}) {
    TableBuilder arguments;
    arguments.add("color", color);
    EXPECT_FALSE(client.call(*channel, QueueBind{.queue = std::string_view(colors),
                                                 .exchange = std::string_view(exchange),
                                                 .arguments = *arguments.table()}));
  }
  const auto cancelled = client.consume(*channel, left);
  const auto kept = client.consume(*channel, colors, /*no_ack=*/true);
  Ending ending;
  client.engine();
  channel->cancel(cancelled, ending.note());
  channel->cancel(client.consume(*channel, colors), ending.note());
  EXPECT_TRUE(client.run_until([&] { return ending.endings == 2; }));
  EXPECT_FALSE(client.call(*channel, QueueDelete{.queue = std::string_view(deleted)}));
  {
    // Somebody else gives it another form.
    Client other;
    const auto theirs = other.open();
    EXPECT_FALSE(other.call(*theirs, QueueDelete{.queue = std::string_view(changed)}));
    other.declare(*theirs, {.queue = std::string_view(changed), .durable = true});
  }
  control("ctl", "close_all_connections maintenance");
  EXPECT_TRUE(client.run_until([&] { return !events.empty() && events.back() == "recovered"; },
                               seconds(60)));
  EXPECT_EQ(events, (Bodies{"lost",
                            "queue '" + changed +
                                "': " + make_error_code(ReplyErrc::precondition_failed).message(),
                            "recovered"}));
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(is_there(client, deleted));
  EXPECT_FALSE(is_there(client, left));
  EXPECT_FALSE(
      client.call(*channel, QueueDeclare{.queue = std::string_view(colors), .passive = true},
                  [](const Reply& r) { EXPECT_EQ(r.as<QueueDeclareOk>().consumer_count, 1U); }));
  for (const char* color : {"red", "blue"}) {
    TableBuilder headers;
    headers.add("color", color);
    const Target target{.exchange = std::string_view(exchange), .mandatory = true};
    EXPECT_FALSE(client.publish(*channel, target, color, {.headers = *headers.table()}));
    EXPECT_EQ(client.next(*kept).value_or(Got{}).body, color);
  }
  EXPECT_FALSE(client.call(*channel, QueueDelete{.queue = std::string_view(changed)}));
}

}  // namespace
}  // namespace tern::amqp::testing
