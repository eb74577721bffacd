// Consumers in a group through the public face, over sockets, against an embedded broker on a
// thread of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "client/kafka/consumer.h"
#include "client/kafka/handlers.h"
#include "client/net/asio_network.h"
#include "client/net/runtime.h"
#include "protocol/kafka/records.h"
#include "tests/broker/broker.h"

namespace tern::kafka {
namespace {

using namespace std::chrono_literals;

ConsumerConfig member_config() {
  ConsumerConfig config;
  config.group = "g";
  config.topics = {"t"};
  config.assignors = {"cooperative-sticky"};
  config.offset_reset = OffsetReset::earliest;
  config.fetch_max_wait = 10ms;
  config.heartbeat_interval = 20ms;
  return config;
}

// A broker with a topic "t" of two partitions, "a", "b", "c" in each.
class GroupFacadeTest : public ::testing::Test {
 protected:
  GroupFacadeTest() : network_(context_.get_executor()), kafka_(network_) {
    network_.attach(kafka_);
    EXPECT_FALSE(kafka_.start());
    kafka_.cluster().create_topic("t", {.partitions = 2, .assignments = {}, .configs = {}});
    add(0);
    add(1);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~GroupFacadeTest() override {
    context_.stop();
    thread_.join();
  }

  void add(std::int32_t partition) {
    BatchBuilder builder;
    for (const char* value : {"a", "b", "c"}) {
      builder.add({.value = wire::Bytes(value), .timestamp_ms = 5});
    }
    const auto bytes = builder.finish();
    FrameRef frame = kafka_.cluster().pool().acquire(bytes->size());
    std::memcpy(frame.data(), bytes->data(), bytes->size());
    const auto result = kafka_.cluster()
                            .log("t", partition)
                            ->append(frame.space().first(bytes->size()), frame, {}, {});
    ASSERT_EQ(result.error, BrokerErrc::none) << result.message;
  }
  ClientConfig client_config() const {
    ClientConfig config;
    config.bootstrap = {kafka_.bootstrap_servers()};
    return config;
  }
  // Polls until there have been so many records.
  static void read(Consumer& consumer, std::size_t count) {
    while (count != 0) {
      const Records records = consumer.async_poll(asio::use_future).get();
      ASSERT_LE(records.size(), count);
      count -= records.size();
    }
  }

  asio::io_context context_{1};
  net::AsioNetwork network_;
  broker::EmbeddedKafka kafka_;
  std::thread thread_;
};

TEST_F(GroupFacadeTest, MembersShareAndGoOnWhereTheOtherOneHasStopped) {
  net::Runtime runtime;
  {
    Client client(runtime, client_config());
    Consumer one(client, member_config());
    read(one, 6);
    EXPECT_EQ(one.assignment().size(), 2u);
    // Another one of the same client: a join that waits must not keep the heartbeats of the first
    // one from being heard.
    Consumer two(client, member_config());
    std::future<Records> first = one.async_poll(asio::use_future);
    std::future<Records> second = two.async_poll(asio::use_future);
    while (one.assignment().size() != 1 || two.assignment().size() != 1) {
      std::this_thread::yield();
    }
    EXPECT_NE(one.assignment(), two.assignment());
    two.async_close(10s, asio::use_future).get();
    EXPECT_THROW(second.get(), std::system_error);
    while (one.assignment().size() != 2) std::this_thread::yield();
    const Offsets stored = one.async_committed({{"t", 0}, {"t", 1}}, asio::use_future).get();
    ASSERT_EQ(stored.size(), 2u);
    // Of the partition that changed hands; nothing of the other one.
    EXPECT_EQ(std::max(stored[0].offset, stored[1].offset), 3);
    EXPECT_EQ(std::min(stored[0].offset, stored[1].offset), -1);
    one.async_close(10s, asio::use_future).get();
    EXPECT_THROW(first.get(), std::system_error);
    Consumer three(client, member_config());
    EXPECT_TRUE(three.async_poll(300ms, asio::use_future).get().empty());
    const Offsets all = three.async_committed({{"t", 0}, {"t", 1}}, asio::use_future).get();
    EXPECT_EQ(all[0].offset + all[1].offset, 6);
  }
  runtime.join();
}

TEST_F(GroupFacadeTest, CommitsByHandAndStoredOffsets) {
  net::Runtime runtime;
  {
    Client client(runtime, client_config());
    ConsumerConfig config = member_config();
    config.auto_store = false;
    config.auto_commit_interval = 1ms;
    Consumer consumer(client, config);
    Records records = consumer.async_poll(asio::use_future).get();
    const Offsets ends = records.end_offsets();
    ASSERT_FALSE(ends.empty());
    consumer.async_commit(ends, asio::use_future).get();
    const TopicPartition partition{ends[0].topic, ends[0].partition};
    EXPECT_EQ(consumer.async_committed({partition}, asio::use_future).get()[0].offset, 3);
    Diagnostics why;
    try {
      consumer
          .async_commit(Offsets{{.topic = "u", .partition = 0, .offset = 1}}, asio::use_future,
                        &why)
          .get();
      ADD_FAILURE() << "a commit for somebody else's partition was stored";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), ClientErrc::revoked) << why.message;
    }
    EXPECT_EQ(consumer.store_offsets({{.topic = "u", .partition = 0, .offset = 1}}).code,
              ClientErrc::revoked);
    EXPECT_FALSE(consumer.store_offsets(ends));
    EXPECT_EQ(consumer.assign({{"t", 0}}).code, ClientErrc::invalid_argument);
    EXPECT_EQ(consumer.subscribe({"t"}, "(").code, ClientErrc::invalid_argument);
    EXPECT_FALSE(consumer.subscribe({}, "t|u"));
    consumer.async_close(10s, asio::use_future).get();
  }
  runtime.join();
}

TEST_F(GroupFacadeTest, BrokerMatchesAPatternOrSaysThatItCannotReadIt) {
  net::Runtime runtime;
  {
    Client client(runtime, client_config());
    ConsumerConfig config = member_config();
    config.topics = {};
    config.topic_pattern = "t|none-.*";
    config.match_at_broker = true;
    config.group_protocol = GroupProtocol::consumer;
    Consumer consumer(client, config);
    read(consumer, 6);
    EXPECT_EQ(consumer.assignment().size(), 2u);
    ASSERT_FALSE(consumer.subscribe({}, "t(?=x)"));  // which RE2 does not have
    try {
      consumer.async_poll(asio::use_future).get();
      ADD_FAILURE() << "the broker has taken it";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), BrokerErrc::invalid_regular_expression) << error.what();
    }
    ASSERT_FALSE(consumer.subscribe({}, "t"));
    const Offsets all = consumer.async_committed({{"t", 0}, {"t", 1}}, asio::use_future).get();
    EXPECT_EQ(all.size(), 2u);
    consumer.async_close(10s, asio::use_future).get();
  }
  runtime.join();
}

TEST_F(GroupFacadeTest, WithoutAGroupThereIsNothingToStoreIn) {
  net::Runtime runtime;
  {
    Client client(runtime, client_config());
    ConsumerConfig config;
    config.assignment = {{"t", 0}};
    Consumer consumer(client, config);
    EXPECT_THROW(consumer.async_commit(asio::use_future).get(), std::system_error);
    EXPECT_THROW(consumer.async_committed({{"t", 0}}, asio::use_future).get(), std::system_error);
    EXPECT_EQ(consumer.subscribe({"t"}).code, ClientErrc::invalid_argument);
  }
  runtime.join();
}

asio::awaitable<void> read_and_close(Consumer& consumer, std::size_t& seen) {
  while (seen < 6) {
    const Records records = co_await consumer.async_poll(asio::use_awaitable);
    seen += records.size();
  }
  co_await consumer.async_close(10s, asio::use_awaitable);
}

TEST_F(GroupFacadeTest, HandlersMayBeCoroutines) {
  asio::io_context context(1);
  std::size_t seen = 0;
  std::vector<std::string> told;
  {
    Client client(context, client_config());
    ConsumerConfig config = member_config();
    const auto executor = context.get_executor();
    config.on_assigned =
        coroutine_handler(executor, [&](Partitions partitions) -> asio::awaitable<void> {
          EXPECT_EQ(seen, 0u);  // nothing is read before this is over
          co_await asio::post(executor, asio::use_awaitable);
          told.push_back("assigned " + std::to_string(partitions.size()));
        });
    std::optional<Consumer> consumer;
    config.on_revoked =
        coroutine_handler(executor, [&](Partitions partitions) -> asio::awaitable<void> {
          // Still ours: a last commit is in time.
          Offsets last{{.topic = "t", .partition = 0, .offset = 2, .metadata = "the last"}};
          consumer->seek({"t", 0}, Position::offset(2));
          co_await consumer->async_commit(last, asio::use_awaitable);
          told.push_back("revoked " + std::to_string(partitions.size()));
        });
    consumer.emplace(client, config);
    asio::co_spawn(context, read_and_close(*consumer, seen),
                   [&context](const std::exception_ptr&) { context.stop(); });
    context.run_for(30s);
    EXPECT_EQ(seen, 6u);
    EXPECT_EQ(told, (std::vector<std::string>{"assigned 2", "revoked 2"}));
  }
  context.restart();
  context.run();
}

asio::awaitable<void> read_and_drop(std::optional<Client>& client, ConsumerConfig config) {
  {
    Consumer consumer(*client, std::move(config));
    for (std::size_t seen = 0; seen < 6;) {
      const Records records = co_await consumer.async_poll(asio::use_awaitable);
      seen += records.size();
    }
  }
  // Another one gets all of it as soon as the first has left.
  ConsumerConfig next = member_config();
  Consumer consumer(*client, next);
  while (consumer.assignment().size() != 2) {
    const Records none = co_await consumer.async_poll(10ms, asio::use_awaitable);
  }
}

TEST_F(GroupFacadeTest, TheDestructorLeavesTheGroupAndCallsNoHandler) {
  asio::io_context context(1);
  int calls = 0;
  {
    std::optional<Client> client;
    client.emplace(context, client_config());
    ConsumerConfig config = member_config();
    config.on_revoked = config.on_lost = [&calls](const Partitions&, const Done&) { ++calls; };
    bool done = false;
    asio::co_spawn(context, read_and_drop(client, config), [&](const std::exception_ptr&) {
      done = true;
      context.stop();
    });
    context.run_for(30s);
    EXPECT_TRUE(done);
  }
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace tern::kafka
