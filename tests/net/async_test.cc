// async_start: what of a handler is kept, when it is called, and that each style of token works.
#include "client/net/async.h"

#include <gtest/gtest.h>

#include <array>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/strand.hpp>
#include <asio/system_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Asio moved these two out of experimental in 1.24.
#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
#include <asio/deferred.hpp>
namespace adapted = asio;
#else
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
namespace adapted = asio::experimental;
#endif

namespace tern::net {
namespace {

using Done = Completion<Failure, std::string>;

// An engine that keeps operations until it is told how they end.
class Toy final : public Canceller {
 public:
  explicit Toy(Executor e) : executor(std::move(e)) {}

  void cancel(std::uint64_t op) override {
    cancels.push_back(op);
    asio::post(executor.any(), [this, op] {
      finish(op, Failure(std::make_error_code(std::errc::operation_canceled)), "");
    });
  }
  // On the executor.
  void finish(std::uint64_t op, Failure failure, std::string result) {
    const auto found = pending.find(op);
    if (found == pending.end()) return;  // over already
    Done done = std::move(found->second);
    pending.erase(found);
    done(std::move(failure), std::move(result));
  }
  // From anywhere: all that is pending ends at the next turn.
  void post_finish(Failure failure = {}, std::string result = "result") {
    asio::post(executor.any(), [this, failure, result] {
      // Not those that the handlers start.
      for (auto& [op, done] : std::exchange(pending, {})) done(failure, result);
    });
  }

  Executor executor;
  std::map<std::uint64_t, Done> pending;
  std::vector<std::uint64_t> cancels;
  std::uint64_t last_op = 0;
};

// A facade over it, with the operation that users see.
class Client {
 public:
  explicit Client(const Executor& executor) : toy(std::make_shared<Toy>(executor)) {}

  template <class Token>
  auto async_get(Token&& token, Diagnostics* diagnostics = nullptr) {
    return async_start<std::string>(
        toy->executor, toy,
        [this](std::uint64_t op, Done done) {
          toy->last_op = op;
          if (op == 0) op = unnumbered_++;
          toy->pending.emplace(op, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  std::shared_ptr<Toy> toy;

 private:
  std::uint64_t unnumbered_ = std::uint64_t{1} << 40;
};

struct Result {
  int calls = 0;
  std::error_code error;
  std::string value;
  auto handler() {
    return [this](std::error_code e, std::string v) {
      ++calls;
      error = e;
      value = std::move(v);
    };
  }
};

// ---- styles

TEST(AsyncStart, CallbackIsCalledOnceAndNotInside) {
  asio::io_context io;
  Client client(io);
  Result result;
  client.async_get(result.handler());
  EXPECT_EQ(result.calls, 0);
  EXPECT_EQ(client.toy->last_op, 0u) << "a number was drawn that nobody can use";
  client.toy->post_finish();
  EXPECT_EQ(result.calls, 0);
  io.run();
  EXPECT_EQ(result.calls, 1);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(result.value, "result");
}

asio::awaitable<void> get_twice(Client& client, std::vector<std::string>& out) {
  client.toy->post_finish({}, "one");
  std::string value = co_await client.async_get(asio::use_awaitable);
  out.push_back(value);
  client.toy->post_finish(Failure(ClientErrc::timed_out, "no answer from b1:9092"));
  Diagnostics diagnostics;
  try {
    value = co_await client.async_get(asio::use_awaitable, &diagnostics);
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::timed_out);
    out.push_back(diagnostics.message);
  }
}

TEST(AsyncStart, UseAwaitable) {
  asio::io_context io;
  Client client(io);
  std::vector<std::string> out;
  asio::co_spawn(io, get_twice(client, out), asio::detached);
  io.run();
  EXPECT_EQ(out, (std::vector<std::string>{"one", "no answer from b1:9092"}));
}

asio::awaitable<void> get_adapted(Client& client, std::vector<std::string>& out) {
  client.toy->post_finish(Failure(ClientErrc::closed));
  std::error_code error;
  auto redirected = asio::redirect_error(asio::use_awaitable, error);
  std::string value = co_await client.async_get(redirected);
  out.push_back(error.message());
  client.toy->post_finish({}, "two");
  auto tuple = adapted::as_tuple(asio::use_awaitable);
  std::tuple<std::error_code, std::string> both = co_await client.async_get(tuple);
  out.push_back(std::get<1>(both));
}

TEST(AsyncStart, RedirectErrorAndAsTuple) {
  asio::io_context io;
  Client client(io);
  std::vector<std::string> out;
  asio::co_spawn(io, get_adapted(client, out), asio::detached);
  io.run();
  EXPECT_EQ(out, (std::vector<std::string>{"closed", "two"}));
}

TEST(AsyncStart, DeferredStartsWhenItIsCalled) {
  asio::io_context io;
  Client client(io);
  Result result;
  auto later = client.async_get(adapted::deferred);
  EXPECT_TRUE(client.toy->pending.empty());
  std::move(later)(result.handler());
  EXPECT_EQ(client.toy->pending.size(), 1u);
  client.toy->post_finish();
  io.run();
  EXPECT_EQ(result.calls, 1);
}

TEST(AsyncStart, UseFuture) {
  asio::io_context io;
  Client client(io);
  std::future<std::string> good = client.async_get(asio::use_future);
  client.toy->post_finish({}, "three");
  io.run();
  EXPECT_EQ(good.get(), "three");
  io.restart();
  std::future<std::string> bad = client.async_get(asio::use_future);
  client.toy->post_finish(Failure(ClientErrc::fenced));
  io.run();
  try {
    bad.get();
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::fenced);
  }
}

TEST(AsyncStart, NoResultsAndMoveOnlyResultsAndHandlers) {
  asio::io_context io;
  Executor executor(io);
  const std::shared_ptr<Toy> none;
  Completion<Failure> plain;
  Completion<Failure, std::unique_ptr<int>> moving;
  int calls = 0;
  async_start<>(
      executor, none, [&](std::uint64_t, Completion<Failure> done) { plain = std::move(done); },
      [&](std::error_code) { ++calls; });
  auto strand = asio::make_strand(io);
  async_start<std::unique_ptr<int>>(
      executor, none,
      [&](std::uint64_t, Completion<Failure, std::unique_ptr<int>> done) {
        moving = std::move(done);
      },
      asio::bind_executor(
          strand, [&, own = std::make_unique<int>(1)](std::error_code, std::unique_ptr<int> v) {
            calls += *v + *own;
          }));
  asio::post(io, [&] {
    plain({});
    moving({}, std::make_unique<int>(2));
  });
  io.run();
  EXPECT_EQ(calls, 4);
}

// ---- diagnostics and errors

TEST(AsyncStart, DiagnosticsBeforeTheHandlerAndEmptyOnSuccess) {
  asio::io_context io;
  Client client(io);
  Diagnostics diagnostics{"left over"};
  std::string seen = "nothing";
  const auto handler = [&](std::error_code, const std::string&) { seen = diagnostics.message; };
  client.async_get(handler, &diagnostics);
  client.toy->post_finish();
  io.run();
  EXPECT_EQ(seen, "");
  io.restart();
  client.async_get(handler, &diagnostics);
  client.toy->post_finish(Failure(ClientErrc::unknown_topic, "no topic 'x'"));
  io.run();
  EXPECT_EQ(seen, "no topic 'x'");
  io.restart();
  auto strand = asio::make_strand(io);
  client.async_get(asio::bind_executor(strand, handler), &diagnostics);
  client.toy->post_finish(Failure(ClientErrc::unknown_topic));
  io.run();
  EXPECT_EQ(seen, "the topic does not exist");
}

TEST(AsyncStart, CancellationReachesUsersAsAsiosOwn) {
  EXPECT_EQ(user_error(std::make_error_code(std::errc::operation_canceled)),
            asio::error::operation_aborted);
  EXPECT_EQ(user_error(make_error_code(ClientErrc::closed)), ClientErrc::closed);
  EXPECT_FALSE(user_error({}));
}

// ---- the handler's executor

TEST(AsyncStart, RunsOnTheHandlersExecutor) {
  asio::io_context io;
  Client client(io);
  auto strand = asio::make_strand(io);
  bool inside = false;
  client.async_get(asio::bind_executor(strand, [&](std::error_code, const std::string&) {
    inside = strand.running_in_this_thread();
  }));
  client.toy->post_finish();
  io.run();
  EXPECT_TRUE(inside);
}

TEST(AsyncStart, AnotherContextIsKeptAtWorkUntilItsHandlerHasRun) {
  asio::io_context engine_io, user_io;
  Client client(engine_io);
  int calls = 0;
  client.async_get(
      asio::bind_executor(user_io, [&](std::error_code, const std::string&) { ++calls; }));
  EXPECT_EQ(user_io.poll(), 0u);
  EXPECT_FALSE(user_io.stopped()) << "no outstanding work was counted";
  client.toy->post_finish();
  engine_io.run();
  EXPECT_EQ(calls, 0) << "called on the engine's executor";
  EXPECT_EQ(user_io.run(), 1u);  // and ends
  EXPECT_EQ(calls, 1);
}

TEST(AsyncStart, OnTheEnginesOwnExecutorItIsCalledDirectly) {
  asio::io_context io;
  Client client(io);
  std::vector<int> order;
  const auto handler = [&](std::error_code, const std::string&) { order.push_back(1); };
  client.async_get(handler);
  client.async_get(asio::bind_executor(io, handler));
  client.async_get(asio::bind_executor(asio::any_io_executor(io.get_executor()), handler));
  asio::post(io, [&] {
    for (auto& [op, done] : std::exchange(client.toy->pending, {})) done({}, "");
    order.push_back(2);
  });
  io.run();
  EXPECT_EQ(order, (std::vector<int>{1, 1, 1, 2}));
}

TEST(AsyncStart, SameExecutorAcrossTypes) {
  asio::io_context io, other;
  const auto strand = asio::make_strand(io);
  const asio::any_io_executor any = io.get_executor();
  EXPECT_TRUE(internal::same_executor(any, io.get_executor()));
  EXPECT_TRUE(internal::same_executor(io.get_executor(), Executor(io)));
  EXPECT_TRUE(internal::same_executor(Executor(any), any));
  EXPECT_TRUE(internal::same_executor(strand, Executor(asio::any_io_executor(strand))));
  EXPECT_FALSE(internal::same_executor(any, other.get_executor()));
  EXPECT_FALSE(internal::same_executor(strand, any));
  EXPECT_FALSE(internal::same_executor(asio::system_executor(), strand));
}

TEST(AsyncStart, CoroutineOnAThreadOfItsOwn) {
  asio::io_context engine_io;
  Client client(engine_io);
  auto work = asio::make_work_guard(engine_io);
  std::thread engine([&] { engine_io.run(); });
  asio::io_context io;
  const std::thread::id here = std::this_thread::get_id();
  int checked = 0;
  const auto body = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 100; ++i) {
      // The toy is not for several threads, so the start goes over by hand.
      std::promise<Done> handed;
      auto start = [&](std::uint64_t, Done done) { handed.set_value(std::move(done)); };
      auto* promise = &handed;
      asio::post(engine_io, [promise] { promise->get_future().get()({}, "x"); });
      const std::shared_ptr<Toy>& toy = client.toy;
      std::string value =
          co_await async_start<std::string>(toy->executor, toy, start, asio::use_awaitable);
      EXPECT_EQ(std::this_thread::get_id(), here);
      checked += value == "x";
    }
  };
  asio::co_spawn(io, body(), asio::detached);
  io.run();
  EXPECT_EQ(checked, 100);
  work.reset();
  engine.join();
}

// ---- the handler's allocator

struct Pool {
  std::size_t allocations = 0;
  std::size_t held = 0;
};

template <class T>
struct PoolAllocator {
  using value_type = T;
  explicit PoolAllocator(Pool* p) : pool(p) {}
  template <class U>
  PoolAllocator(const PoolAllocator<U>& other) : pool(other.pool) {}
  T* allocate(std::size_t n) {
    ++pool->allocations;
    pool->held += n * sizeof(T);
    return static_cast<T*>(::operator new(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) {
    pool->held -= n * sizeof(T);
    ::operator delete(p);
  }
  friend bool operator==(const PoolAllocator& a, const PoolAllocator& b) {
    return a.pool == b.pool;
  }
  Pool* pool;
};

template <std::size_t kBytes>
struct AllocatingHandler {
  using allocator_type = PoolAllocator<std::byte>;
  allocator_type get_allocator() const noexcept { return allocator_type(pool); }
  void operator()(const std::error_code&, const std::string&) {
    held_when_called->push_back(pool->held);
  }
  Pool* pool;
  std::vector<std::size_t>* held_when_called;
  std::array<std::byte, kBytes> ballast{};
};

TEST(AsyncStart, ALargeHandlerLivesInItsOwnMemory) {
  asio::io_context io;
  Client client(io);
  Pool pool;
  std::vector<std::size_t> held;
  client.async_get(AllocatingHandler<200>{&pool, &held});
  EXPECT_EQ(pool.allocations, 1u);
  EXPECT_GE(pool.held, 200u);
  client.toy->post_finish();
  io.run();
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0], 0u) << "memory is to be free before the handler runs";
  EXPECT_EQ(pool.held, 0u);
}

TEST(AsyncStart, ASmallHandlerNeedsNoMemory) {
  asio::io_context io;
  Client client(io);
  Pool pool;
  std::vector<std::size_t> held;
  client.async_get(AllocatingHandler<16>{&pool, &held});
  client.toy->post_finish();
  io.run();
  EXPECT_EQ(held.size(), 1u);
  EXPECT_EQ(pool.allocations, 0u);
}

TEST(AsyncStart, TheWayToAnotherExecutorUsesTheHandlersMemory) {
  asio::io_context io, user_io;
  Client client(io);
  Pool pool;
  std::vector<std::size_t> held;
  client.async_get(asio::bind_executor(user_io, AllocatingHandler<200>{&pool, &held}));
  client.toy->post_finish();
  io.run();
  EXPECT_EQ(pool.allocations, 2u);  // the completion's, then the dispatched function's
  user_io.run();
  EXPECT_EQ(held.size(), 1u);
  EXPECT_EQ(pool.held, 0u);
}

// ---- the handler's cancellation slot

template <class Handler>
struct WithSlot {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return slot; }
  void operator()(std::error_code error, std::string value) { handler(error, std::move(value)); }
  asio::cancellation_slot slot;
  Handler handler;
};

TEST(AsyncStart, EachTypeOfCancellationEndsTheOperation) {
  using Type = asio::cancellation_type;
  for (const auto type : {Type::terminal, Type::partial, Type::total}) {
    asio::io_context io;
    Client client(io);
    Result result;
    asio::cancellation_signal signal;
    client.async_get(WithSlot<decltype(result.handler())>{signal.slot(), result.handler()});
    EXPECT_NE(client.toy->last_op, 0u);
    signal.emit(type);
    EXPECT_EQ(result.calls, 0);
    io.run();
    EXPECT_EQ(client.toy->cancels, (std::vector<std::uint64_t>{client.toy->last_op}));
    EXPECT_EQ(result.calls, 1);
    EXPECT_EQ(result.error, asio::error::operation_aborted);
  }
}

TEST(AsyncStart, CancellationAfterTheEndChangesNothing) {
  asio::io_context io;
  Client client(io);
  Result result;
  asio::cancellation_signal signal;
  client.async_get(WithSlot<decltype(result.handler())>{signal.slot(), result.handler()});
  client.toy->post_finish();
  io.run();
  EXPECT_EQ(result.calls, 1);
  signal.emit(asio::cancellation_type::terminal);
  io.restart();
  io.run();
  EXPECT_EQ(result.calls, 1);
  EXPECT_FALSE(result.error);
}

TEST(AsyncStart, CancellationAfterTheClientIsGone) {
  asio::io_context io;
  Result result;
  asio::cancellation_signal signal;
  {
    Client client(io);
    client.async_get(WithSlot<decltype(result.handler())>{signal.slot(), result.handler()});
  }
  signal.emit(asio::cancellation_type::terminal);
  io.run();
  EXPECT_EQ(result.calls, 0);
}

asio::awaitable<void> get_until_cancelled(Client& client, std::error_code& error) {
  auto token = asio::redirect_error(asio::use_awaitable, error);
  std::string value = co_await client.async_get(token);
}

TEST(AsyncStart, ACoroutineCanBeCancelled) {
  asio::io_context io;
  Client client(io);
  asio::cancellation_signal signal;
  std::error_code error;
  asio::co_spawn(io, get_until_cancelled(client, error),
                 asio::bind_cancellation_slot(signal.slot(), asio::detached));
  io.poll();
  EXPECT_EQ(client.toy->pending.size(), 1u);
  signal.emit(asio::cancellation_type::terminal);
  io.run();
  EXPECT_EQ(error, asio::error::operation_aborted);
  EXPECT_EQ(client.toy->cancels.size(), 1u);
}

// ---- handlers that are never called

TEST(AsyncStart, HandlersDieWithTheirContext) {
  const auto witness = std::make_shared<int>(0);
  {
    asio::io_context io, user_io;
    Client client(io);
    Result result;
    const auto handler = [witness, &result](std::error_code, const std::string&) {
      ++result.calls;
    };
    client.async_get(handler);
    client.async_get(asio::bind_executor(user_io, handler));
    client.toy->post_finish();
    client.toy->post_finish();
    io.poll_one();  // the second one now waits in user_io, which never runs
    EXPECT_EQ(result.calls, 1);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(AsyncStart, CoroutinesDieWithTheClient) {
  asio::io_context io;
  const auto witness = std::make_shared<int>(0);
  {
    Client client(io);
    const auto body = [](Client& c, std::shared_ptr<int> held) -> asio::awaitable<void> {
      std::string value = co_await c.async_get(asio::use_awaitable);
      *held = 1;
    };
    asio::co_spawn(io, body(client, witness), asio::detached);
    io.poll();
    EXPECT_EQ(witness.use_count(), 2);
  }
  io.poll();  // a coroutine is unwound on its executor
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(*witness, 0);
}

TEST(AsyncStart, AHandlerThatThrowsThrowsOutOfRun) {
  asio::io_context io;
  Client client(io);
  client.async_get([](std::error_code, const std::string&) { throw std::runtime_error("user"); });
  client.toy->post_finish();
  EXPECT_THROW(io.run(), std::runtime_error);
}

// ---- net::Executor

TEST(Executor, KnowsItsThread) {
  asio::io_context io;
  auto strand = asio::make_strand(io);
  auto any_strand = asio::make_strand(asio::any_io_executor(io.get_executor()));
  const Executor plain(io), typed(io.get_executor()),
      erased(asio::any_io_executor(io.get_executor())), on_strand(strand),
      erased_strand(asio::any_io_executor{strand}),
      erased_any_strand(asio::any_io_executor{any_strand}), unknown(asio::system_executor{});
  const Executor* all[] = {&plain, &typed, &erased, &on_strand, &erased_strand, &erased_any_strand};
  for (const Executor* executor : all) EXPECT_FALSE(executor->running_in_this_thread());
  int checks = 0;
  asio::post(io, [&] {
    EXPECT_TRUE(plain.running_in_this_thread());
    EXPECT_TRUE(typed.running_in_this_thread());
    EXPECT_TRUE(erased.running_in_this_thread());
    EXPECT_FALSE(on_strand.running_in_this_thread());
    EXPECT_FALSE(erased_strand.running_in_this_thread());
    ++checks;
  });
  asio::post(strand, [&] {
    EXPECT_TRUE(on_strand.running_in_this_thread());
    EXPECT_TRUE(erased_strand.running_in_this_thread());
    EXPECT_FALSE(unknown.running_in_this_thread());
    ++checks;
  });
  asio::post(any_strand, [&] {
    EXPECT_TRUE(erased_any_strand.running_in_this_thread());
    ++checks;
  });
  io.run();
  EXPECT_EQ(checks, 3);
  EXPECT_EQ(plain, erased);
  EXPECT_EQ(on_strand, erased_strand);
}

}  // namespace
}  // namespace tern::net
