// Every style of completion token, on every kind of operation, over real sockets.
#include <gtest/gtest.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/system_error.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/facade_rig.h"

// Asio moved it out of experimental in 1.24.
#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
namespace adapted = asio;
#else
#include <asio/experimental/as_tuple.hpp>
namespace adapted = asio::experimental;
#endif

namespace tern::kafka {
namespace {

using asio::use_awaitable;

// Runs a coroutine to its end; what it throws is thrown here.
template <class Body>
void run_coroutine(asio::io_context& context, Client& client, Body body) {
  bool over = false;
  std::exception_ptr thrown;
  asio::co_spawn(context, body(client), [&](std::exception_ptr why) {
    over = true;
    thrown = why;
  });
  run_until(context, [&] { return over; });
  if (thrown) std::rethrow_exception(thrown);
}

class FacadeStyles : public testing::Test {
 protected:
  Brokers brokers_;
  asio::io_context context_{1};
};

TEST_F(FacadeStyles, Callbacks) {
  Client client(context_, brokers_.config());
  Producer producer(client);
  Admin admin(client);
  Consumer consumer(client, reading("styles"));
  Ended<TopicResults> made;
  Ended<Delivery> sent;
  Ended<void> flushed;
  Ended<void> space;
  Ended<Records> polled;
  std::vector<NewTopic> topics(1);
  topics[0].name = "styles";
  admin.async_create_topics(topics, into(made));
  EXPECT_EQ(made.calls, 0) << "called inside";
  run_until(context_, [&] { return made.calls == 1; });
  EXPECT_FALSE(made.error);
  Record record{.value = "v"};
  producer.async_send("styles", record, into(sent));
  producer.async_flush(into(flushed));
  producer.async_wait_space(into(space));
  consumer.async_poll(into(polled));
  EXPECT_EQ(sent.calls + flushed.calls + space.calls + polled.calls, 0) << "called inside";
  run_until(context_, [&] { return sent.calls + flushed.calls + space.calls + polled.calls == 4; });
  EXPECT_FALSE(sent.error);
  EXPECT_EQ(sent.result.offset, 0);
  EXPECT_FALSE(flushed.error);
  EXPECT_EQ(polled.result.size(), 1u);
}

// ---- coroutines, written the way users write them: lvalues, temporaries, braces

asio::awaitable<void> natural(Client& client) {
  Admin admin(client);
  std::vector<NewTopic> topics;
  topics.push_back({.name = "natural-topic-with-a-long-name", .partitions = 2});
  const TopicResults made = co_await admin.async_create_topics(topics, use_awaitable);
  EXPECT_EQ(made.size(), 1u);
  EXPECT_EQ(topics.at(0).name, "natural-topic-with-a-long-name");
  std::vector<std::string> names;
  names.push_back("natural-topic-with-a-long-name");
  const ClusterDescription described = co_await admin.async_describe_topics(names, use_awaitable);
  EXPECT_EQ(described.topics.at(0).partitions.size(), 2u);
  EXPECT_EQ(names.at(0).size(), 30u);
  const ClusterDescription moved =
      co_await admin.async_describe_topics(std::move(names), use_awaitable);
  EXPECT_EQ(moved.topics.at(0).partitions.size(), 2u);

  Producer producer(client);
  const Delivery braces = co_await producer.async_send(
      "natural-topic-with-a-long-name", {.value = "braces", .partition = 0}, use_awaitable);
  EXPECT_EQ(braces.offset, 0);
  const std::string name = "natural-topic-with-a-long-name";
  const Delivery temporary = co_await producer.async_send(
      name, Record{.value = std::string(100, 't'), .partition = 0}, use_awaitable);
  EXPECT_EQ(temporary.offset, 1);
  const Delivery both = co_await producer.async_send(
      std::string("natural-topic-") + "with-a-long-name",
      Record{.key = std::string("key") + std::to_string(7), .value = wire::null, .partition = 0},
      use_awaitable);
  EXPECT_EQ(both.offset, 2);
  co_await producer.async_flush(use_awaitable);

  Consumer consumer(client, reading(name));
  std::vector<std::string> values;
  while (values.size() < 3) {
    const Records records = co_await consumer.async_poll(use_awaitable);
    for (const ConsumerRecord& record : records) {
      values.push_back(record.value.is_null() ? "(null)" : std::string(record.value.view()));
    }
  }
  EXPECT_EQ(values.at(0), "braces");
  EXPECT_EQ(values.at(1), std::string(100, 't'));
  EXPECT_EQ(values.at(2), "(null)");
  std::vector<TopicPartition> partitions;
  partitions.push_back({name, 0});
  const OffsetsAndTimes ends = co_await consumer.async_end_offsets(partitions, use_awaitable);
  EXPECT_EQ(ends.at(0).offset, 3);
  std::vector<TimeQuery> queries;
  queries.push_back({{name, 0}, 0});
  const OffsetsAndTimes times = co_await consumer.async_offsets_for_times(queries, use_awaitable);
  EXPECT_EQ(times.at(0).offset, 0);
  EXPECT_EQ(queries.at(0).partition.topic, name);
  co_await consumer.async_close(kPatience, use_awaitable);
  co_await producer.async_close(kPatience, use_awaitable);
}

TEST_F(FacadeStyles, CoroutineAsUsersWriteIt) {
  Client client(context_, brokers_.config());
  run_coroutine(context_, client, natural);
  client.close();
  run_out(context_);
}

asio::awaitable<void> adapted_tokens(Client& client) {
  Admin admin(client);
  Producer producer(client);
  Record record{.value = "v"};
  const auto [error, delivery] =
      co_await producer.async_send("adapted", record, adapted::as_tuple(use_awaitable));
  EXPECT_FALSE(error);
  EXPECT_EQ(delivery.offset, 0);
  record.partition = 77;
  const auto [wrong, nowhere] =
      co_await producer.async_send("adapted", record, adapted::as_tuple(use_awaitable));
  EXPECT_EQ(wrong, ClientErrc::unknown_partition);
  std::error_code redirected;
  auto token = asio::redirect_error(use_awaitable, redirected);
  Diagnostics diagnostics;
  co_await producer.async_send("adapted", record, token, &diagnostics);
  EXPECT_EQ(redirected, ClientErrc::unknown_partition);
  EXPECT_NE(diagnostics.message.find("partition"), std::string::npos) << diagnostics.message;
  record.partition = 0;
  co_await producer.async_send("adapted", record, token, &diagnostics);
  EXPECT_FALSE(redirected);
  EXPECT_EQ(diagnostics.message, "");
  const auto [admin_error, cluster] =
      co_await admin.async_describe_cluster(adapted::as_tuple(use_awaitable));
  EXPECT_FALSE(admin_error);
  EXPECT_EQ(cluster.topics.size(), 1u);
  Consumer consumer(client, reading("adapted"));
  auto [poll_error, records] = co_await consumer.async_poll(adapted::as_tuple(use_awaitable));
  EXPECT_FALSE(poll_error);
  EXPECT_GE(records.size(), 1u);
  try {
    record.partition = 77;
    co_await producer.async_send("adapted", record, use_awaitable);
    ADD_FAILURE() << "did not throw";
  } catch (const std::system_error& thrown) {
    EXPECT_EQ(thrown.code(), ClientErrc::unknown_partition);
  }
}

TEST_F(FacadeStyles, AsTupleAndRedirectErrorAndExceptions) {
  Client client(context_, brokers_.config());
  run_coroutine(context_, client, adapted_tokens);
  client.close();
  run_out(context_);
}

TEST_F(FacadeStyles, FuturesFromTheMainThread) {
  net::Runtime runtime;
  Client client(runtime, brokers_.config());
  Admin admin(client);
  std::vector<NewTopic> topics(1);
  topics[0].name = "future";
  EXPECT_FALSE(admin.async_create_topics(topics, asio::use_future).get().at(0).error);
  EXPECT_EQ(admin.async_create_topics(topics, asio::use_future).get().at(0).error,
            BrokerErrc::topic_already_exists);
  Producer producer(client);
  std::vector<std::future<Delivery>> sent;
  for (int i = 0; i < 100; ++i) {
    const std::string value = "value " + std::to_string(i);  // gone before it is sent
    Record record;
    record.value = value;
    sent.push_back(producer.async_send("future", record, asio::use_future));
  }
  producer.async_flush(asio::use_future).get();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sent[static_cast<std::size_t>(i)].get().offset, i);
  Consumer consumer(client, reading("future"));
  int next = 0;
  while (next < 100) {
    const Records records = consumer.async_poll(asio::use_future).get();
    for (const ConsumerRecord& each : records) {
      EXPECT_EQ(each.value.view(), "value " + std::to_string(next++));
    }
  }
  Record nowhere{.value = "v", .partition = 7};
  auto failed = producer.async_send("future", nowhere, asio::use_future);
  try {
    failed.get();
    ADD_FAILURE() << "did not throw";
  } catch (const std::system_error& thrown) {
    EXPECT_EQ(thrown.code(), ClientErrc::unknown_partition);
  }
  producer.async_close(kPatience, asio::use_future).get();
  consumer.async_close(kPatience, asio::use_future).get();
}

TEST_F(FacadeStyles, FullBufferFailsAtOnceWhereTheCallerCannotWait) {
  Client client(context_, brokers_.config());
  ProducerConfig small;
  small.buffer_bytes = 128 * 1024;
  small.batch_bytes = 16 * 1024;
  Producer producer(client, small);
  const std::string big(4000, 'x');
  Record record;
  record.value = big;
  while (!producer.try_send("full", record)) {
  }
  EXPECT_EQ(producer.try_send("full", record), ClientErrc::queue_full);
  Ended<Delivery> callback;
  producer.async_send("full", record, into(callback));
  auto future = producer.async_send("full", record, asio::use_future);
  std::error_code error;
  auto redirected =
      producer.async_send("full", record, asio::redirect_error(asio::use_future, error));
  asio::cancellation_signal signal;
  Ended<Delivery> bound;
  producer.async_send("full", record, asio::bind_cancellation_slot(signal.slot(), into(bound)));
  run_until(context_, [&] { return callback.calls + bound.calls == 2; });
  EXPECT_EQ(callback.error, ClientErrc::queue_full);
  EXPECT_EQ(bound.error, ClientErrc::queue_full);
  EXPECT_THROW(future.get(), std::system_error);
  redirected.get();
  EXPECT_EQ(error, ClientErrc::queue_full);
  // A coroutine can wait, and does.
  bool sent = false;
  asio::co_spawn(
      context_,
      [](Producer& to, bool& done) -> asio::awaitable<void> {
        const std::string value(4000, 'y');
        Record waiting{.value = value};
        const Delivery delivery = co_await to.async_send("full", waiting, use_awaitable);
        EXPECT_GE(delivery.offset, 0);
        done = true;
      }(producer, sent),
      [](std::exception_ptr why) { EXPECT_FALSE(why); });
  run_until(context_, [&] { return sent; });
  client.close();
  run_out(context_);
}

TEST_F(FacadeStyles, HandlersRunOnTheirOwnExecutor) {
  Client client(context_, brokers_.config());
  Producer producer(client);
  Consumer consumer(client, reading("elsewhere"));
  Admin admin(client);
  asio::thread_pool pool(1);
  std::promise<std::thread::id> pool_thread;
  asio::post(pool, [&] { pool_thread.set_value(std::this_thread::get_id()); });
  const std::thread::id there = pool_thread.get_future().get();
  std::promise<std::thread::id> sent, polled, described, flushed;
  Record record{.value = "v"};
  producer.async_send("elsewhere", record,
                      asio::bind_executor(pool, [&](std::error_code, Delivery) {
                        sent.set_value(std::this_thread::get_id());
                      }));
  producer.async_flush(asio::bind_executor(
      pool, [&](std::error_code) { flushed.set_value(std::this_thread::get_id()); }));
  consumer.async_poll(asio::bind_executor(pool, [&](std::error_code error, Records records) {
    EXPECT_FALSE(error);
    EXPECT_EQ(records.size(), 1u);
    polled.set_value(std::this_thread::get_id());
  }));
  admin.async_describe_cluster(asio::bind_executor(pool, [&](std::error_code, ClusterDescription) {
    described.set_value(std::this_thread::get_id());
  }));
  auto all = {sent.get_future().share(), polled.get_future().share(),
              described.get_future().share(), flushed.get_future().share()};
  for (const auto& each : all) {
    run_until(context_, [&] { return each.wait_for(0s) == std::future_status::ready; });
    EXPECT_EQ(each.get(), there);
  }
  client.close();
  run_out(context_);
  pool.join();
}

// ---- an allocator of the handler's own

struct Tally {
  std::size_t allocated = 0;
  std::size_t freed = 0;
};

template <class T>
struct TallyAllocator {
  using value_type = T;
  explicit TallyAllocator(Tally* t) : tally(t) {}
  template <class U>
  TallyAllocator(const TallyAllocator<U>& other) : tally(other.tally) {}
  T* allocate(std::size_t n) {
    tally->allocated += n * sizeof(T);
    return static_cast<T*>(::operator new(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) {
    tally->freed += n * sizeof(T);
    ::operator delete(p);
  }
  template <class U>
  bool operator==(const TallyAllocator<U>& other) const {
    return tally == other.tally;
  }
  Tally* tally;
};

struct LargeHandler {
  using allocator_type = TallyAllocator<std::byte>;
  allocator_type get_allocator() const noexcept { return allocator_type(tally); }
  template <class... R>
  void operator()(std::error_code error, R&&...) {
    EXPECT_FALSE(error);
    EXPECT_EQ(tally->freed, tally->allocated) << "memory is given back before the call";
    ++*calls;
  }
  Tally* tally;
  int* calls;
  std::byte ballast[200] = {};
};

TEST_F(FacadeStyles, LargeHandlersUseTheirOwnAllocator) {
  Client client(context_, brokers_.config());
  Producer producer(client);
  Consumer consumer(client, reading("allocator"));
  Admin admin(client);
  Tally tallies[4];
  int calls = 0;
  Record record{.value = "v"};
  producer.async_send("allocator", record, LargeHandler{&tallies[0], &calls});
  producer.async_flush(LargeHandler{&tallies[1], &calls});
  consumer.async_poll(LargeHandler{&tallies[2], &calls});
  admin.async_describe_cluster(LargeHandler{&tallies[3], &calls});
  for (const Tally& tally : tallies) EXPECT_GE(tally.allocated, sizeof(LargeHandler));
  run_until(context_, [&] { return calls == 4; });
  client.close();
  run_out(context_);
}

// ---- cancellation

TEST_F(FacadeStyles, CancelledWhileItWaitsForSpaceIsNotWritten) {
  Client client(context_, brokers_.config());
  ProducerConfig small;
  small.buffer_bytes = 128 * 1024;
  small.batch_bytes = 16 * 1024;
  Producer producer(client, small);
  const std::string big(4000, 'x');
  Record record;
  record.value = big;
  std::int64_t taken = 0;
  while (!producer.try_send("cancel", record)) ++taken;
  asio::cancellation_signal signal;
  std::exception_ptr thrown;
  bool over = false;
  asio::co_spawn(
      context_,
      [](Producer& to) -> asio::awaitable<void> {
        Record waiting{.key = "cancelled", .value = "never"};
        const std::string much(8000, 'z');
        waiting.value = much;
        co_await to.async_send("cancel", waiting, use_awaitable);
      }(producer),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr why) {
        thrown = why;
        over = true;
      }));
  context_.poll_one();  // starts the coroutine; nothing has been sent yet
  signal.emit(asio::cancellation_type::terminal);
  run_until(context_, [&] { return over; });
  ASSERT_TRUE(thrown);
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), asio::error::operation_aborted) << error.what();
  }
  Ended<void> flushed;
  producer.async_flush(into(flushed));
  run_until(context_, [&] { return flushed.calls == 1; });
  std::int64_t stored = 0;
  brokers_.on_thread([&](broker::EmbeddedKafka& kafka) {
    stored = kafka.cluster().log("cancel", 0)->end_offset();
  });
  EXPECT_EQ(stored, taken);
  client.close();
  run_out(context_);
}

TEST_F(FacadeStyles, CancelledInABatchMayBeWritten) {
  Client client(context_, brokers_.config());
  ProducerConfig slow;
  slow.linger = 60s;
  Producer producer(client, slow);
  asio::cancellation_signal signal;
  Ended<Delivery> sent;
  Diagnostics diagnostics;
  Record record{.value = "v"};
  producer.async_send("batch", record, asio::bind_cancellation_slot(signal.slot(), into(sent)),
                      &diagnostics);
  signal.emit(asio::cancellation_type::total);
  run_until(context_, [&] { return sent.calls == 1; });
  EXPECT_EQ(sent.error, ClientErrc::maybe_written);
  EXPECT_NE(diagnostics.message.find("cancelled"), std::string::npos) << diagnostics.message;
  Ended<void> flushed;
  producer.async_flush(into(flushed));
  run_until(context_, [&] { return flushed.calls == 1; });
  brokers_.on_thread([&](broker::EmbeddedKafka& kafka) {
    EXPECT_EQ(kafka.cluster().log("batch", 0)->end_offset(), 1);
  });
  signal.emit(asio::cancellation_type::total);  // over long ago
  client.close();
  run_out(context_);
  EXPECT_EQ(sent.calls, 1);
}

TEST_F(FacadeStyles, CancelledPollLosesNoRecord) {
  Client client(context_, brokers_.config());
  Producer producer(client);
  ConsumerConfig config = reading("poll");
  config.max_poll_records = 3;
  Consumer consumer(client, config);
  const int count = 300;
  for (int i = 0; i < count; ++i) {
    const std::string value = std::to_string(i);
    Record record;
    record.value = value;
    EXPECT_FALSE(producer.try_send("poll", record));
  }
  int next = 0;
  int cancelled = 0;
  for (int round = 0; next < count; ++round) {
    asio::cancellation_signal signal;
    bool over = false;
    consumer.async_poll(
        asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, Records records) {
          over = true;
          if (error == asio::error::operation_aborted) {
            ++cancelled;
            EXPECT_TRUE(records.empty());
          }
          for (const ConsumerRecord& each : records) {
            EXPECT_EQ(each.value.view(), std::to_string(next++));
          }
        }));
    for (int i = 0; i < round % 7; ++i) context_.poll_one();
    if (round % 2 == 0) signal.emit(asio::cancellation_type::partial);
    run_until(context_, [&] { return over; });
  }
  EXPECT_GT(cancelled, 0);
  client.close();
  run_out(context_);
}

TEST_F(FacadeStyles, CancelledFlushAndAdminAndSpaceEndAlone) {
  ClientConfig config;
  config.bootstrap = {"127.0.0.1:1"};  // nobody there
  Client client(context_, config);
  Producer producer(client);
  Admin admin(client);
  Record record{.value = "v"};
  EXPECT_FALSE(producer.try_send("t", record));
  asio::cancellation_signal flush_signal;
  asio::cancellation_signal admin_signal;
  Ended<void> flushed;
  Ended<void> other_flush;
  Ended<ClusterDescription> described;
  Ended<ClusterDescription> other;
  producer.async_flush(asio::bind_cancellation_slot(flush_signal.slot(), into(flushed)));
  producer.async_flush(into(other_flush));
  admin.async_describe_cluster(asio::bind_cancellation_slot(admin_signal.slot(), into(described)));
  admin.async_describe_cluster(into(other));
  context_.run_for(5ms);
  flush_signal.emit(asio::cancellation_type::terminal);
  admin_signal.emit(asio::cancellation_type::terminal);
  run_until(context_, [&] { return flushed.calls + described.calls == 2; });
  EXPECT_EQ(flushed.error, asio::error::operation_aborted);
  EXPECT_EQ(described.error, asio::error::operation_aborted);
  EXPECT_EQ(other_flush.calls + other.calls, 0);
  client.close();
  run_out(context_);
  EXPECT_EQ(other_flush.calls, 1);
  EXPECT_EQ(other.error, ClientErrc::closed);
}

// ---- handlers that throw

TEST_F(FacadeStyles, WhatAHandlerThrowsComesOutOfRunAndNothingIsLost) {
  Client client(context_, brokers_.config());
  Producer producer(client);
  Consumer consumer(client, reading("throw"));
  Admin admin(client);
  int calls = 0;
  int batches = 0;
  const auto throws = [&](auto&&...) {
    ++calls;
    throw std::runtime_error("from a handler");
  };
  producer.on_batch([&](const BatchReport&) {
    ++batches;
    throws();
  });
  Record record{.value = "v"};
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(producer.try_send("throw", record, throws));
    producer.async_send("throw", record, throws);
  }
  producer.async_flush(throws);
  producer.async_wait_space(throws);
  admin.async_describe_cluster(throws);
  consumer.async_poll(throws);
  const int expected = 100 + 4;
  int thrown = 0;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (calls < expected + batches && std::chrono::steady_clock::now() < end) {
    context_.restart();
    try {
      context_.run_one_until(end);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_GE(batches, 1);
  EXPECT_EQ(calls, thrown);
  EXPECT_EQ(calls, expected + batches);
  client.close();
  run_out(context_);
}

}  // namespace
}  // namespace tern::kafka
