// The Kafka client's objects end in every order, on any thread, with operations pending: each
// handler is called once with `closed` on the executor, or destroyed uncalled with the context.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/facade_rig.h"

namespace tern::kafka {
namespace {

// A client with one of everything, and an operation pending on each that cannot end by itself: the
// only broker answers nothing.
struct Everything {
  Ended<Delivery> try_send;
  Ended<Delivery> send;
  Ended<void> flush;
  Ended<void> space;
  Ended<Records> poll;
  Ended<OffsetsAndTimes> offsets;
  Ended<TopicResults> create;
  std::optional<Client> client;
  std::optional<Producer> producer;
  std::optional<Consumer> consumer;
  std::optional<Admin> admin;
  std::optional<TopicHandle> topic;

  Everything(const net::Executor& executor, const std::string& address) {
    ClientConfig config;
    config.bootstrap = {address};
    client.emplace(executor, config);
    ProducerConfig small;
    small.buffer_bytes = 128 * 1024;
    small.batch_bytes = 16 * 1024;
    producer.emplace(*client, small);
    topic.emplace(producer->topic("t"));
    consumer.emplace(*client, reading("t"));
    admin.emplace(*client);
  }
  void start() {
    Record record;
    record.value = "v";
    EXPECT_FALSE(producer->try_send(*topic, record, into(try_send)));
    producer->async_send(*topic, record, into(send));
    producer->async_flush(into(flush));
    const std::string big(4000, 'x');
    record.value = big;
    while (!producer->try_send(*topic, record)) {
    }
    producer->async_wait_space(into(space));
    consumer->async_poll(into(poll));
    std::vector<TopicPartition> partitions;
    partitions.push_back({"t", 0});
    consumer->async_end_offsets(partitions, into(offsets));
    std::vector<NewTopic> topics(1);
    topics[0].name = "n";
    admin->async_create_topics(topics, into(create));
  }
  void destroy(int which) {
    if (which == 0) client.reset();
    if (which == 1) producer.reset();
    if (which == 2) consumer.reset();
    if (which == 3) admin.reset();
  }
  template <class F>
  void each(F&& f) {
    f("try_send", try_send.calls, try_send.destroyed, try_send.error);
    f("send", send.calls, send.destroyed, send.error);
    f("flush", flush.calls, flush.destroyed, std::error_code(ClientErrc::closed));
    f("space", space.calls, space.destroyed, space.error);
    f("poll", poll.calls, poll.destroyed, poll.error);
    f("offsets", offsets.calls, offsets.destroyed, offsets.error);
    f("create", create.calls, create.destroyed, create.error);
  }
  bool all_called() {
    bool all = true;
    each([&](const char*, int calls, int, std::error_code) { all = all && calls == 1; });
    return all;
  }
  void expect_all_closed(const std::string& where) {
    each([&](const char* name, int calls, int destroyed, std::error_code error) {
      EXPECT_EQ(calls, 1) << where << ": " << name;
      EXPECT_EQ(destroyed, 1) << where << ": " << name;
      EXPECT_TRUE(error == ClientErrc::closed || error == ClientErrc::not_written)
          << where << ": " << name << ": " << error.message();
    });
    EXPECT_EQ(try_send.result.cause, ClientErrc::closed) << where;
  }
  void expect_all_destroyed(const std::string& where) {
    each([&](const char* name, int calls, int destroyed, std::error_code) {
      EXPECT_EQ(calls, 0) << where << ": " << name;
      EXPECT_EQ(destroyed, 1) << where << ": " << name;
    });
  }
};

// Takes connections and says nothing.
class Silent {
 public:
  Silent() : acceptor_(context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
  std::string address() { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;  // the system takes them in its name
};

std::vector<std::array<int, 4>> all_orders() {
  std::vector<std::array<int, 4>> orders;
  std::array<int, 4> order{0, 1, 2, 3};
  do {
    orders.push_back(order);
  } while (std::next_permutation(order.begin(), order.end()));
  return orders;
}

std::string name_of(const std::array<int, 4>& order) {
  std::string name = "order";
  for (const int which : order) name += ' ' + std::to_string(which);
  return name;
}

TEST(FacadeLifetime, EveryOrderWithOperationsPending) {
  Silent silent;
  for (const auto& order : all_orders()) {
    for (const bool ran_before : {false, true}) {
      asio::io_context context(1);
      Everything all(context, silent.address());
      all.start();
      if (ran_before) context.run_for(5ms);
      for (const int which : order) all.destroy(which);
      run_out(context);
      all.expect_all_closed(name_of(order));
    }
  }
}

TEST(FacadeLifetime, EveryOrderOnTheExecutor) {
  Silent silent;
  for (const auto& order : all_orders()) {
    asio::io_context context(1);
    Everything all(context, silent.address());
    all.start();
    asio::post(context, [&] {
      for (const int which : order) all.destroy(which);
      bool called = false;
      all.each(
          [&](const char*, int calls, int, std::error_code) { called = called || calls != 0; });
      EXPECT_FALSE(called) << "a handler was called inside a destructor";
    });
    run_out(context);
    all.expect_all_closed(name_of(order));
  }
}

TEST(FacadeLifetime, EveryOrderOnOtherThreadsWhileItRuns) {
  Silent silent;
  for (const auto& order : all_orders()) {
    net::Runtime runtime;
    Everything all(runtime.executor(), silent.address());
    all.start();
    for (const int which : order) std::thread([&] { all.destroy(which); }).join();
    runtime.join();
    all.expect_all_closed(name_of(order));
  }
}

TEST(FacadeLifetime, ContextThatNeverRunsDestroysHandlers) {
  Silent silent;
  for (const bool objects_first : {true, false}) {
    std::optional<asio::io_context> context(std::in_place, 1);
    auto all = std::make_unique<Everything>(*context, silent.address());
    all->start();
    if (objects_first) {
      for (int i = 0; i < 4; ++i) all->destroy(i);
    } else {
      all->client->close();
    }
    if (!objects_first) {
      for (int i = 3; i >= 0; --i) all->destroy(i);
    }
    context.reset();
    all->expect_all_destroyed("never ran");
  }
}

TEST(FacadeLifetime, ContextThatWasStoppedDestroysHandlers) {
  Silent silent;
  for (const auto& order : all_orders()) {
    std::optional<asio::io_context> context(std::in_place, 1);
    Everything all(*context, silent.address());
    all.start();
    context->run_for(5ms);
    context->stop();
    for (const int which : order) all.destroy(which);
    context.reset();
    all.expect_all_destroyed(name_of(order));
  }
}

TEST(FacadeLifetime, CloseEndsEverythingAndRunReturns) {
  Silent silent;
  asio::io_context context(1);
  Everything all(context, silent.address());
  all.start();
  context.run_for(5ms);
  all.client->close();
  run_out(context);
  all.expect_all_closed("close");
  // What is called afterwards ends with closed as well.
  Everything later(context, silent.address());
  later.client->close();
  Record record;
  Ended<Delivery> sent;
  Ended<void> flushed;
  Ended<void> space;
  Ended<void> closed;
  Ended<Records> polled;
  Ended<ClusterDescription> described;
  Ended<void> consumer_closed;
  for (int round = 0; round < 2; ++round) {
    later.producer->async_send("t", record, into(sent));
    later.producer->async_flush(into(flushed));
    later.producer->async_wait_space(into(space));
    later.producer->async_close(1s, into(closed));
    later.consumer->async_poll(into(polled));
    later.consumer->async_close(1s, into(consumer_closed));
    later.admin->async_describe_cluster(into(described));
    run_out(context);
    EXPECT_EQ(sent.calls, round + 1);
    EXPECT_EQ(flushed.calls, round + 1);
    EXPECT_EQ(space.calls, round + 1);
    EXPECT_EQ(closed.calls, round + 1);
    EXPECT_EQ(polled.calls, round + 1);
    EXPECT_EQ(described.calls, round + 1);
    EXPECT_EQ(consumer_closed.calls, round + 1);
    EXPECT_EQ(space.error, ClientErrc::closed);
    EXPECT_EQ(polled.error, ClientErrc::closed);
    EXPECT_EQ(described.error, ClientErrc::closed);
  }
  EXPECT_EQ(later.producer->try_send("t", record), ClientErrc::closed);
}

asio::awaitable<void> wait_for_ever(Client& client, std::shared_ptr<int> held) {
  Producer producer(client);
  Consumer consumer(client, reading("t"));
  Admin admin(client);
  Record record{.value = "v"};
  co_await producer.async_send("t", record, asio::use_awaitable);
  ADD_FAILURE() << "sent, with no broker " << *held;
}

asio::awaitable<void> own_client(net::Executor executor, std::string address,
                                 std::shared_ptr<int> held) {
  ClientConfig config;
  config.bootstrap.push_back(address);
  Client client(executor, config);
  co_await wait_for_ever(client, held);
}

TEST(FacadeLifetime, CoroutineThatHoldsWhatItWaitsForDiesWithTheContext) {
  Silent silent;
  auto held = std::make_shared<int>(1);
  for (const bool two : {false, true}) {
    {
      asio::io_context context(1);
      asio::co_spawn(context, own_client(context, silent.address(), held), asio::detached);
      if (two) asio::co_spawn(context, own_client(context, silent.address(), held), asio::detached);
      context.run_for(5ms);
      EXPECT_GT(held.use_count(), 1);
    }
    EXPECT_EQ(held.use_count(), 1) << "frames were left behind";
  }
}

TEST(FacadeLifetime, HandlerThatHoldsItsClientDiesWithTheContext) {
  Silent silent;
  auto held = std::make_shared<int>(1);
  {
    asio::io_context context(1);
    ClientConfig config;
    config.bootstrap = {silent.address()};
    auto client = std::make_shared<Client>(context, config);
    auto consumer = std::make_shared<Consumer>(*client, reading("t"));
    auto producer = std::make_shared<Producer>(*client);
    consumer->async_poll([client, consumer, producer, held](std::error_code, Records) {});
    Record record;
    EXPECT_FALSE(producer->try_send(
        "t", record, [client, producer, consumer, held](std::error_code, const Delivery&) {}));
  }
  EXPECT_EQ(held.use_count(), 1);
}

// ---- inside their own handlers, with a broker that answers

TEST(FacadeLifetime, DeliveryHandlerDestroysTheProducer) {
  Brokers brokers;
  for (const bool client_too : {false, true}) {
    asio::io_context context(1);
    auto client = std::make_unique<Client>(context, brokers.config());
    auto producer = std::make_unique<Producer>(*client);
    int calls = 0;
    Record record{.value = "v"};
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(
          producer->try_send("own", record, [&](std::error_code, const Delivery& delivery) {
            ++calls;
            EXPECT_EQ(delivery.topic, "own");
            producer.reset();
            if (client_too) client.reset();
          }));
    }
    run_until(context, [&] { return calls == 10; });
    client.reset();
    run_out(context);
    EXPECT_EQ(calls, 10);
  }
}

TEST(FacadeLifetime, BatchHandlerDestroysProducerAndClient) {
  Brokers brokers;
  asio::io_context context(1);
  auto client = std::make_unique<Client>(context, brokers.config());
  auto producer = std::make_unique<Producer>(*client);
  int calls = 0;
  producer->on_batch([&](const BatchReport& report) {
    ++calls;
    producer.reset();
    client.reset();
    EXPECT_EQ(report.topic, "own");
    EXPECT_EQ(report.count, 1u);
  });
  Record record{.value = "v"};
  EXPECT_FALSE(producer->try_send("own", record));
  run_out(context);
  EXPECT_EQ(calls, 1);
}

TEST(FacadeLifetime, PollHandlerDestroysConsumerAndClientAndRecordsOutliveAll) {
  Brokers brokers;
  std::optional<Records> kept;
  {
    asio::io_context context(1);
    auto client = std::make_unique<Client>(context, brokers.config());
    auto producer = std::make_unique<Producer>(*client);
    Ended<Delivery> sent;
    Record record{.key = "k", .value = "value"};
    producer->async_send("out", record, into(sent));
    run_until(context, [&] { return sent.calls == 1; });
    EXPECT_FALSE(sent.error) << sent.result.message();
    auto consumer = std::make_unique<Consumer>(*client, reading("out"));
    producer.reset();
    consumer->async_poll([&](std::error_code error, Records records) {
      EXPECT_FALSE(error);
      consumer.reset();
      client.reset();
      kept = std::move(records);
    });
    run_out(context);
  }
  ASSERT_TRUE(kept);
  std::thread([&] {
    int count = 0;
    for (const ConsumerRecord& each : *kept) {
      EXPECT_EQ(each.topic.view(), "out");
      EXPECT_EQ(each.key.view(), "k");
      EXPECT_EQ(each.value.view(), "value");
      ++count;
    }
    EXPECT_EQ(count, 1);
    EXPECT_EQ(kept->end_offsets().at(0).offset, 1);
    kept.reset();
  }).join();
}

TEST(FacadeLifetime, AdminHandlerDestroysAdminAndClient) {
  Brokers brokers;
  asio::io_context context(1);
  auto client = std::make_unique<Client>(context, brokers.config());
  auto admin = std::make_unique<Admin>(*client);
  int calls = 0;
  admin->async_describe_cluster([&](std::error_code error, ClusterDescription cluster) {
    ++calls;
    EXPECT_FALSE(error);
    admin.reset();
    client.reset();
    EXPECT_EQ(cluster.nodes.size(), 1u);
  });
  run_out(context);
  EXPECT_EQ(calls, 1);
}

TEST(FacadeLifetime, CloseHandlersDestroyEverything) {
  Brokers brokers;
  asio::io_context context(1);
  auto client = std::make_unique<Client>(context, brokers.config());
  auto producer = std::make_unique<Producer>(*client);
  auto consumer = std::make_unique<Consumer>(*client, reading("t"));
  int calls = 0;
  Record record{.value = "v"};
  EXPECT_FALSE(producer->try_send("t", record));
  producer->async_close(kPatience, [&](std::error_code error) {
    ++calls;
    EXPECT_FALSE(error);
    producer.reset();
  });
  consumer->async_close(kPatience, [&](std::error_code error) {
    ++calls;
    EXPECT_FALSE(error);
    consumer.reset();
  });
  run_until(context, [&] { return calls == 2; });
  client.reset();
  run_out(context);
}

TEST(FacadeLifetime, TwoClientsOnOneContext) {
  Brokers brokers;
  asio::io_context context(1);
  Client one(context, brokers.config());
  auto two = std::make_unique<Client>(context, brokers.config());
  Producer first(one);
  auto second = std::make_unique<Producer>(*two);
  Ended<Delivery> sent_first;
  Ended<Delivery> sent_second;
  Record record{.value = "v"};
  first.async_send("two", record, into(sent_first));
  second->async_send("two", record, into(sent_second));
  run_until(context, [&] { return sent_first.calls + sent_second.calls == 2; });
  EXPECT_FALSE(sent_first.error);
  EXPECT_FALSE(sent_second.error);
  EXPECT_NE(sent_first.result.offset, sent_second.result.offset);
  second.reset();
  two.reset();
  Ended<Delivery> again;
  first.async_send("two", record, into(again));
  run_until(context, [&] { return again.calls == 1; });
  EXPECT_EQ(again.result.offset, 2);
  one.close();
  run_out(context);
}

TEST(FacadeLifetime, StrandOfAThreadPool) {
  Brokers brokers;
  asio::thread_pool pool(3);
  {
    auto strand = asio::make_strand(pool.get_executor());
    Client client(strand, brokers.config());
    Producer producer(client);
    std::vector<std::future<Delivery>> sent;
    const std::string value = "v";
    for (int i = 0; i < 200; ++i) {
      Record record;
      record.value = value;
      sent.push_back(producer.async_send("strand", record, asio::use_future));
    }
    for (int i = 0; i < 200; ++i) EXPECT_EQ(sent[static_cast<std::size_t>(i)].get().offset, i);
    Consumer consumer(client, reading("strand"));
    std::size_t count = 0;
    while (count < 200) count += consumer.async_poll(asio::use_future).get().size();
    Admin admin(client);
    EXPECT_EQ(admin.async_describe_cluster(asio::use_future).get().nodes.size(), 1u);
  }
  pool.join();
}

TEST(FacadeLifetime, MovedObjectsGoOnAndMovedFromOnesMayGo) {
  Brokers brokers;
  asio::io_context context(1);
  Client client(context, brokers.config());
  Producer producer(client);
  TopicHandle topic = producer.topic("moved");
  Producer moved(std::move(producer));
  Ended<Delivery> sent;
  Record record{.value = "v"};
  moved.async_send(topic, record, into(sent));
  producer = std::move(moved);  // and back
  Producer& same = producer;
  producer = std::move(same);  // onto itself: nothing happens
  run_until(context, [&] { return sent.calls == 1; });
  EXPECT_FALSE(sent.error) << sent.result.message();
  Consumer consumer(client, reading("moved"));
  Ended<Records> polled;
  consumer.async_poll(into(polled));
  Consumer elsewhere(std::move(consumer));
  run_until(context, [&] { return polled.calls == 1; });
  EXPECT_EQ(polled.result.size(), 1u);
  Consumer replaced(client, reading("moved"));
  Ended<Records> never;
  replaced.async_poll(10min, into(never));
  Ended<Records> ended;
  replaced = std::move(elsewhere);  // what the old one waited for ends
  run_until(context, [&] { return never.calls == 1; });
  Admin admin(client);
  Admin other(std::move(admin));
  Ended<ClusterDescription> described;
  other.async_describe_cluster(into(described));
  run_until(context, [&] { return described.calls == 1; });
  EXPECT_FALSE(described.error);
  client.close();
  polled.result.done();
  never.result.done();
  run_out(context);
}

// A throwing handler during the very last calls of a client.
TEST(FacadeLifetime, HandlerThatThrowsAtTheEndLosesNoOther) {
  Silent silent;
  asio::io_context context(1);
  ClientConfig config;
  config.bootstrap = {silent.address()};
  auto client = std::make_unique<Client>(context, config);
  auto producer = std::make_unique<Producer>(*client);
  int calls = 0;
  Record record{.value = "v"};
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(producer->try_send("t", record, [&](std::error_code error, const Delivery&) {
      ++calls;
      EXPECT_EQ(error, ClientErrc::not_written);
      throw calls;
    }));
    producer->async_wait_space([&](std::error_code) {
      ++calls;
      throw calls;
    });
  }
  Consumer(*client, reading("t")).async_poll([&](std::error_code error, Records) {
    ++calls;
    EXPECT_EQ(error, ClientErrc::closed);
    throw calls;
  });
  producer.reset();
  client.reset();
  int thrown = 0;
  for (;;) {
    context.restart();
    try {
      context.run_for(kPatience);
      break;
    } catch (int) {
      ++thrown;
    }
  }
  EXPECT_EQ(calls, 11);
  EXPECT_EQ(thrown, 11);
}

}  // namespace
}  // namespace tern::kafka
