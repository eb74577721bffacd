// Timers, completions, frames, backoff, inlet: the parts that engines are made of.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/completion.h"
#include "client/core/error.h"
#include "client/core/frame.h"
#include "client/core/inlet.h"
#include "client/core/random.h"
#include "client/core/short_mutex.h"
#include "client/core/timers.h"

namespace tern {
namespace {

using std::chrono::milliseconds;

Time at(std::int64_t ms) { return Time(milliseconds(ms)); }

struct Fired {
  std::vector<int>* log;
  int number;
  void fire(Now) { log->push_back(number); }
};

TEST(ShortMutex, LetsInOneAtATime) {
  ShortMutex mutex;
  std::int64_t sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50'000; ++i) {
        std::lock_guard lock(mutex);
        ++sum;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 200'000);
}

// Held for longer than anybody looks again: those who wait sleep, and each is woken.
TEST(ShortMutex, WakesWhoWentToSleep) {
  ShortMutex mutex;
  std::atomic<int> coming{0};
  int inside = 0;
  std::vector<std::thread> threads;
  mutex.lock();  // by the only thread there is
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      ++coming;
      std::lock_guard lock(mutex);
      ++inside;
    });
  }
  while (coming.load() < 3) std::this_thread::yield();
  for (int i = 0; i < 20'000; ++i) std::this_thread::yield();
  EXPECT_EQ(inside, 0);
  mutex.unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside, 3);
}

TEST(Timers, FireInOrderOfTime) {
  Timers timers;
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<int> log;
    std::vector<std::unique_ptr<Fired>> owners;
    std::vector<std::unique_ptr<Timer>> all;
    std::vector<std::int64_t> when;
    for (int i = 0; i < 40; ++i) {
      owners.push_back(std::make_unique<Fired>(Fired{&log, i}));
      Fired* owner = owners.back().get();
      all.push_back(std::make_unique<Timer>(
          timers, [](void* p, Now now) { static_cast<Fired*>(p)->fire(now); }, owner));
      when.push_back(random.below(100));
      all.back()->set(at(when.back()));
    }
    for (std::size_t i = 0; i < 40; i += 3) {  // moved, or cancelled
      when[i] = random.below(100);
      all[i]->set(at(when[i]));
      if (i % 2 == 0) all[i]->cancel(), when[i] = -1;
    }
    std::vector<int> expected;
    for (std::int64_t t = 0; t < 100; ++t) {
      timers.run({at(t), 0});
      EXPECT_GT(timers.next(), at(t));
      for (std::size_t i = 0; i < 40; ++i) {
        if (when[i] == t) expected.push_back(static_cast<int>(i));
      }
      std::vector<int> sorted = log;
      EXPECT_EQ(sorted.size(), expected.size()) << "at " << t;
    }
    std::sort(log.begin(), log.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(log, expected);
    EXPECT_EQ(timers.next(), kNever);
  }
}

TEST(Timers, NeverCancelsAndDestructionToo) {
  Timers timers;
  std::vector<int> log;
  Fired owner{&log, 1};
  {
    Timer timer = Timer::calling<&Fired::fire>(timers, &owner);
    timer.set(at(1));
    EXPECT_TRUE(timer.is_set());
    timer.set(kNever);
    EXPECT_FALSE(timer.is_set());
    timer.set(at(1));
  }
  timers.run({at(5), 0});
  EXPECT_TRUE(log.empty());
}

TEST(Timers, MaySetThemselvesAnewWhileTheyFire) {
  Timers timers;
  struct Again {
    explicit Again(Timers& t) : timer(Timer::calling<&Again::fire>(t, this)) {}
    void fire(Now now) {
      ++fired;
      timer.set(now.mono + milliseconds(10));
    }
    Timer timer;
    int fired = 0;
  } again(timers);
  again.timer.set(at(0));
  for (int t = 0; t < 95; t += 5) timers.run({at(t), 0});
  EXPECT_EQ(again.fired, 10);
}

TEST(Timers, DeadlineDoesNotRunPastTheEnd) {
  EXPECT_EQ(deadline_after(kNever, milliseconds(1)), kNever);
  EXPECT_EQ(deadline_after(at(5), Duration::max()), kNever);
  EXPECT_EQ(deadline_after(at(5), milliseconds(2)), at(7));
}

// --------------------------------------------------------------------------------- completions

struct Counted {
  explicit Counted(int& n) : alive(&n) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  Counted(const Counted&) = delete;
  ~Counted() { --*alive; }
  int* alive;
};

template <std::size_t Size>
void check_completion() {
  int alive = 0, calls = 0, sum = 0;
  {
    std::array<std::byte, Size> padding{};
    Completion<int, std::unique_ptr<int>> first(
        [counted = Counted(alive), padding, &calls, &sum](int a, std::unique_ptr<int> b) {
          static_cast<void>(padding);
          ++calls;
          sum = a + *b;
        });
    EXPECT_TRUE(first);
    Completion<int, std::unique_ptr<int>> second(std::move(first));
    EXPECT_FALSE(first);
    Completion<int, std::unique_ptr<int>> third;
    third = std::move(second);
    EXPECT_EQ(alive, 1);
    third(40, std::make_unique<int>(2));
    EXPECT_FALSE(third);
    EXPECT_EQ(alive, 0) << "destroyed by being called";
    third = Completion<int, std::unique_ptr<int>>(
        [counted = Counted(alive), padding](int, const std::unique_ptr<int>&) {
          static_cast<void>(padding);
        });
    EXPECT_EQ(alive, 1);
    third.reset();
    EXPECT_EQ(alive, 0);
    third = Completion<int, std::unique_ptr<int>>(
        [counted = Counted(alive), padding](int, const std::unique_ptr<int>&) {
          static_cast<void>(padding);
        });
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(sum, 42);
}

TEST(Completion, SmallAndLargeAreCalledOnceAndDestroyed) {
  check_completion<1>();
  check_completion<16>();
  check_completion<200>();
}

TEST(Completion, MayFillItselfAnewWhileItRuns) {
  int calls = 0;
  Completion<> completion;
  completion = Completion<>([&] {
    ++calls;
    EXPECT_FALSE(completion);
    completion = Completion<>([&] { calls += 10; });
  });
  completion();
  completion();
  EXPECT_EQ(calls, 11);
}

TEST(Completion, ThatThrowsIsDestroyed) {
  int alive = 0;
  Completion<> completion([counted = Counted(alive)] { throw 1; });
  EXPECT_THROW(completion(), int);
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(completion);
}

template <class T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(int& n) : blocks(&n) {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& other) : blocks(other.blocks) {}
  T* allocate(std::size_t n) {
    ++*blocks;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n) {
    --*blocks;
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;
  int* blocks;
};

TEST(Completion, LargeOnesUseTheGivenAllocatorAndGiveItBackBeforeTheCall) {
  int blocks = 0;
  std::array<std::byte, 100> padding{};
  Completion<> completion(
      [padding, &blocks] {
        static_cast<void>(padding);
        EXPECT_EQ(blocks, 0);
      },
      CountingAllocator<int>(blocks));
  EXPECT_EQ(blocks, 1);
  completion();
  EXPECT_EQ(blocks, 0);
}

// -------------------------------------------------------------------------------------- frames

TEST(Frames, AreCountedAndUsedAgain) {
  FramePool pool(1 << 20);
  FrameRef a = pool.acquire(10'000);
  EXPECT_GE(a.capacity(), 10'000U);
  EXPECT_EQ(pool.held_bytes(), a.capacity());
  const std::byte* where = a.data();
  FrameRef b = a;
  a = FrameRef();
  EXPECT_GT(pool.held_bytes(), 0U) << "b still holds it";
  b = FrameRef();
  EXPECT_EQ(pool.held_bytes(), 0U);
  a = pool.acquire(9'000);
  EXPECT_EQ(a.data(), where);
  FrameRef small = pool.acquire(100);
  EXPECT_LT(small.capacity(), 5'000U);
}

TEST(Frames, AreSharedAndDroppedManyAtATime) {
  FramePool pool(1 << 20);
  SharedFrame shared;
  shared = pool.acquire(100);
  EXPECT_TRUE(shared.is_unique());
  std::vector<FrameRef> refs;
  for (int i = 0; i < 2500; ++i) refs.push_back(shared.share());
  EXPECT_EQ(refs.back().data(), shared.data());
  EXPECT_FALSE(shared.is_unique());
  refs.push_back(pool.acquire(5000));
  refs.push_back(FrameRef());
  refs.push_back(shared.share());
  {
    FrameDrop drop;
    for (FrameRef& each : refs) {
      drop.add(std::move(each));
      EXPECT_FALSE(each);
    }
    EXPECT_FALSE(shared.is_unique());  // the last one goes with `drop`
  }
  EXPECT_TRUE(shared.is_unique());
  refs[0] = shared.share();
  shared = FrameRef();
  EXPECT_TRUE(refs[0].is_unique());
  refs.clear();
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(Frames, OutliveTheirPool) {
  FrameRef frame;
  {
    FramePool pool(1 << 20);
    frame = pool.acquire(100);
  }
  frame.data()[0] = std::byte{7};
  EXPECT_EQ(frame.data()[0], std::byte{7});
}

TEST(Frames, PoolKeepsOnlySoMuch) {
  FramePool pool(0);
  const FrameRef keep = pool.acquire(1000);
  for (int i = 0; i < 100; ++i) pool.acquire(100'000);
  EXPECT_EQ(pool.held_bytes(), keep.capacity());
}

TEST(Frames, NoticeComesOnceForEachAsking) {
  FramePool pool(1 << 20);
  int notices = 0;
  pool.set_release_notice([&] { ++notices; });
  pool.acquire(10);
  EXPECT_EQ(notices, 0);
  pool.ask_release_notice();
  const FrameRef held = pool.acquire(10);
  EXPECT_EQ(notices, 0);
  pool.acquire(10);
  pool.acquire(10);
  EXPECT_EQ(notices, 1);
}

// -------------------------------------------------------------------------------------- others

TEST(Backoff, DoublesWithJitterUpToItsLimit) {
  Random random(1);
  for (int round = 0; round < 100; ++round) {
    Backoff backoff(milliseconds(100), milliseconds(1000));
    for (const int base : {100, 200, 400, 800, 1000, 1000, 1000}) {
      const Duration pause = backoff.next(random);
      EXPECT_GE(pause, milliseconds(base) * 8 / 10);
      EXPECT_LE(pause, std::min<Duration>(milliseconds(base) * 12 / 10, milliseconds(1000)));
    }
    backoff.reset();
    EXPECT_LE(backoff.next(random), milliseconds(120));
  }
}

TEST(Backoff, NeverOverflows) {
  Random random(1);
  Backoff backoff(milliseconds(1), std::chrono::hours(24));
  for (int i = 0; i < 1000; ++i) EXPECT_GT(backoff.next(random), Duration::zero());
}

TEST(Inlet, RunsWhatWasPostedInOrderAndTheRestNextTime) {
  Inlet inlet;
  std::string log;
  inlet.post([&] {
    log += 'a';
    inlet.post([&] { log += 'c'; });
  });
  inlet.post([&] { log += 'b'; });
  inlet.run();
  EXPECT_EQ(log, "ab");
  inlet.run();
  EXPECT_EQ(log, "abc");
  inlet.run();
  EXPECT_EQ(log, "abc");
}

TEST(Errors, ConditionsGoAcrossCategories) {
  EXPECT_TRUE(make_error_code(ClientErrc::timed_out) == Condition::timed_out);
  EXPECT_TRUE(std::make_error_code(std::errc::timed_out) == Condition::timed_out);
  EXPECT_TRUE(make_error_code(ClientErrc::queue_full) == Condition::not_written);
  EXPECT_TRUE(make_error_code(ClientErrc::maybe_written) == Condition::maybe_written);
  EXPECT_FALSE(make_error_code(ClientErrc::maybe_written) == Condition::not_written);
  EXPECT_TRUE(std::make_error_code(std::errc::connection_refused) == Condition::retriable);
  EXPECT_FALSE(make_error_code(ClientErrc::record_too_large) == Condition::retriable);
  EXPECT_TRUE(std::make_error_code(std::errc::operation_canceled) == Condition::closed);
  EXPECT_EQ(Failure(ClientErrc::closed).message(), "closed");
  EXPECT_EQ(Failure(make_error_code(ClientErrc::closed), "why").message(), "why");
  EXPECT_FALSE(Failure());
}

}  // namespace
}  // namespace tern
