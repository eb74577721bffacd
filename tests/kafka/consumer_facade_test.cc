// The public Consumer over sockets, against an embedded broker on a thread of its own: called from
// other threads with futures, from coroutines, with callbacks.
#include <gtest/gtest.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <cstring>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/kafka/consumer.h"
#include "client/net/asio_network.h"
#include "client/net/runtime.h"
#include "protocol/kafka/records.h"
#include "tests/broker/broker.h"

namespace tern::kafka {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

// A broker with a topic "t" of two partitions, "a", "b", "c" in the first.
class FacadeTest : public ::testing::Test {
 protected:
  FacadeTest() : network_(context_.get_executor()), kafka_(network_) {
    network_.attach(kafka_);
    EXPECT_FALSE(kafka_.start());
    kafka_.cluster().create_topic("t", {.partitions = 2, .assignments = {}, .configs = {}});
    add({"a", "b", "c"});
    thread_ = std::thread([this] { context_.run(); });
  }
  ~FacadeTest() override {
    context_.stop();
    thread_.join();
  }

  void add(const Strings& values) {
    BatchBuilder builder;
    for (const std::string& value : values)
      builder.add({.value = wire::Bytes(value), .timestamp_ms = 5});
    const auto bytes = builder.finish();
    FrameRef frame = kafka_.cluster().pool().acquire(bytes->size());
    std::memcpy(frame.data(), bytes->data(), bytes->size());
    const auto result =
        kafka_.cluster().log("t", 0)->append(frame.space().first(bytes->size()), frame, {}, {});
    ASSERT_EQ(result.error, BrokerErrc::none) << result.message;
  }
  ClientConfig client_config() const {
    ClientConfig config;
    config.bootstrap = {kafka_.bootstrap_servers()};
    return config;
  }
  static ConsumerConfig consumer_config(const Position& start) {
    ConsumerConfig config;
    config.assignment = {{"t", 0, start}, {"t", 1, start}};
    config.fetch_max_wait = 10ms;  // a seek has to wait for the answer to the fetch before it
    return config;
  }

  asio::io_context context_{1};
  net::AsioNetwork network_;
  broker::EmbeddedKafka kafka_;
  std::thread thread_;
};

Strings values_of(const Records& records) {
  Strings values;
  for (const ConsumerRecord& record : records) values.push_back(record.value.str());
  return values;
}

TEST_F(FacadeTest, FuturesFromAnotherThread) {
  net::Runtime runtime;
  {
    Client client(runtime, client_config());
    Consumer consumer(client, consumer_config(Position::earliest()));
    Records records = consumer.async_poll(asio::use_future).get();
    EXPECT_EQ(values_of(records), (Strings{"a", "b", "c"}));
    EXPECT_EQ(consumer.position({"t", 0}), 3);
    EXPECT_EQ(consumer.lag({"t", 0}), 0);
    EXPECT_EQ(consumer.lag({"t", 5}), -1);
    EXPECT_GT(consumer.held_bytes(), 0u);
    records.done();
    EXPECT_FALSE(consumer.seek({"t", 0}, Position::offset(1)));
    records = consumer.async_poll(asio::use_future).get();
    EXPECT_EQ(values_of(records), (Strings{"b", "c"}));
    EXPECT_TRUE(consumer.async_poll(10ms, asio::use_future).get().empty());
    EXPECT_EQ(consumer.seek({"t", 9}, Position::offset(1)).code, ClientErrc::invalid_argument);
    EXPECT_EQ(consumer.seek({"t", 0}, Position::offset(-1)).code, ClientErrc::invalid_argument);
    EXPECT_EQ(consumer.pause({"u", 0}).code, ClientErrc::invalid_argument);
    const auto ends = consumer.async_end_offsets({{"t", 0}, {"t", 1}}, asio::use_future).get();
    ASSERT_EQ(ends.size(), 2u);
    EXPECT_EQ(ends[0].offset, 3);
    EXPECT_EQ(ends[1].offset, 0);
    EXPECT_EQ(consumer.async_beginning_offsets({{"t", 0}}, asio::use_future).get()[0].offset, 0);
    EXPECT_EQ(consumer.async_offsets_for_times({{{"t", 0}, 5}}, asio::use_future).get()[0].offset,
              0);
    consumer.async_close(5s, asio::use_future).get();
    try {
      consumer.async_poll(asio::use_future).get();
      ADD_FAILURE() << "a closed consumer gave records";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), ClientErrc::closed);
    }
  }
  runtime.join();
}

asio::awaitable<void> read_all(Client& client, ConsumerConfig config, Strings& out,
                               Diagnostics& last) {
  Consumer consumer(client, std::move(config));
  Records records = co_await consumer.async_poll(asio::use_awaitable);
  out = values_of(records);
  const Failure failure = consumer.seek({"t", 0}, Position::offset(77));
  EXPECT_FALSE(failure);
  try {
    records = co_await consumer.async_poll(asio::use_awaitable, &last);
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::offset_out_of_range);
  }
}

TEST_F(FacadeTest, Coroutines) {
  asio::io_context context(1);
  Strings values;
  Diagnostics last;
  {
    Client client(context, client_config());
    ConsumerConfig config = consumer_config(Position::earliest());
    config.offset_reset = OffsetReset::none;
    asio::co_spawn(context, read_all(client, config, values, last),
                   [&](std::exception_ptr) { context.stop(); });
    context.run_for(10s);
  }
  EXPECT_EQ(values, (Strings{"a", "b", "c"}));
  EXPECT_NE(last.message.find("t-0"), std::string::npos) << last.message;
}

TEST_F(FacadeTest, CancelledAndDestroyedPollsEndOnce) {
  asio::io_context context(1);
  Client client(context, client_config());
  auto consumer = std::make_unique<Consumer>(client, consumer_config(Position::latest()));
  asio::cancellation_signal signal;
  std::vector<std::error_code> ends;
  consumer->async_poll(asio::bind_cancellation_slot(
      signal.slot(), [&](std::error_code why, Records) { ends.push_back(why); }));
  const auto run_until = [&](std::size_t count) {
    for (int tries = 0; tries < 1000 && ends.size() < count; ++tries) {
      context.restart();
      context.run_one_for(10ms);
    }
    return ends.size() == count;
  };
  context.run_for(20ms);
  EXPECT_TRUE(ends.empty());
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(run_until(1));
  EXPECT_EQ(ends[0], asio::error::operation_aborted);
  consumer->async_poll([&](std::error_code why, Records) { ends.push_back(why); });
  consumer.reset();
  EXPECT_EQ(ends.size(), 1u);  // the destructor calls nobody
  ASSERT_TRUE(run_until(2));
  EXPECT_EQ(ends[1], ClientErrc::closed);
}

TEST_F(FacadeTest, RecordsAreGivenBackOnOtherThreads) {
  net::Runtime runtime;
  Client client(runtime, client_config());
  Consumer consumer(client, consumer_config(Position::earliest()));
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i) {
    Records records = consumer.async_poll(asio::use_future).get();
    EXPECT_EQ(records.size(), 3u);
    threads.emplace_back([kept = std::move(records)]() mutable { kept.done(); });
    EXPECT_FALSE(consumer.seek({"t", 0}, Position::offset(0)));
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(FacadeTest, ConfigsThatMakeNoSenseThrow) {
  asio::io_context context(1);
  Client client(context, client_config());
  ConsumerConfig config;
  config.fetch_max_bytes = 0;
  EXPECT_THROW(Consumer(client, config), std::system_error);
  config = {};
  config.assignment = {{"t", 0, {}}, {"t", 0, {}}};
  EXPECT_THROW(Consumer(client, config), std::system_error);
}

}  // namespace
}  // namespace tern::kafka
