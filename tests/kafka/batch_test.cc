// Buffers with a limit, and lists of handlers in them.
#include "client/kafka/batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "client/core/random.h"
#include "client/kafka/buffer_pool.h"

namespace tern::kafka {
namespace {

TEST(BufferPool, KeepsItsLimit) {
  BufferPool pool(100'000, 10'000);
  Random random(1);
  std::vector<Buffer> held;
  std::size_t sum = 0;
  bool refused = false;
  for (int i = 0; i < 10'000; ++i) {
    if (random.below(2) == 0 && !held.empty()) {
      const std::size_t which = random.below(static_cast<std::uint32_t>(held.size()));
      sum -= held[which].capacity;
      pool.release(held[which]);
      held[which] = held.back();
      held.pop_back();
    } else {
      const std::size_t want = 1 + random.below(20'000);
      const Buffer buffer = pool.acquire(want);
      if (buffer) {
        ASSERT_GE(buffer.capacity, want);
        std::fill(buffer.data, buffer.data + buffer.capacity, std::byte{1});
        sum += buffer.capacity;
        held.push_back(buffer);
      } else {
        refused = true;
        EXPECT_GT(sum + want + 10'000, 100'000U) << "refused without need";
      }
    }
    ASSERT_EQ(pool.used_bytes(), sum);
    ASSERT_LE(sum, 100'000U);
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(pool.take_refused());
  EXPECT_FALSE(pool.take_refused());
  for (const Buffer& buffer : held) pool.release(buffer);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST(BufferPool, TheLastOneIsUsedAgainFirst) {
  BufferPool pool(1'000'000, 10'000);
  const Buffer a = pool.acquire(4000);
  const Buffer b = pool.acquire(4000);
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(pool.acquire(4000).data, b.data);
  const Buffer again = pool.acquire(3000);
  EXPECT_EQ(again.data, a.data);
  pool.release(again);
  pool.release(b);
}

TEST(BufferPool, BeyondTheLimitOnlyOnDemand) {
  BufferPool pool(10'000, 10'000);
  const Buffer all = pool.acquire(10'000);
  EXPECT_FALSE(pool.acquire(1));
  EXPECT_FALSE(pool.charge(1));
  const Buffer more = pool.acquire(5'000, true);
  EXPECT_TRUE(more);
  EXPECT_TRUE(pool.charge(100, true));
  EXPECT_GT(pool.used_bytes(), 15'000U);
  pool.refund(100);
  pool.release(more);
  pool.release(all);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST(BufferPool, NoTwoBuffersShareAByte) {
  BufferPool pool(3'000'000, 50'000);
  Random random(7);
  struct Held {
    Buffer buffer;
    std::byte mark;
  };
  std::vector<Held> held;
  for (int i = 0; i < 40'000; ++i) {
    // Waves of small ones and of large ones.
    const bool small = i / 4000 % 2 == 0;
    if (random.below(100) < 45 && !held.empty()) {
      const std::size_t which = random.below(static_cast<std::uint32_t>(held.size()));
      const Held& one = held[which];
      ASSERT_TRUE(std::all_of(one.buffer.data, one.buffer.data + one.buffer.capacity,
                              [&one](std::byte b) { return b == one.mark; }));
      pool.release(one.buffer);
      held[which] = held.back();
      held.pop_back();
    } else if (const Buffer buffer = pool.acquire(1 + random.below(small ? 5000 : 60'000))) {
      const auto mark = static_cast<std::byte>(random.below(256));
      std::fill(buffer.data, buffer.data + buffer.capacity, mark);
      held.push_back({buffer, mark});
    }
  }
  for (const Held& each : held) pool.release(each.buffer);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

class HandlerListTest : public ::testing::Test {
 protected:
  template <std::size_t Padding = 8>
  void add(HandlerList& list, std::int32_t index, std::uint64_t id = 0) {
    std::array<char, Padding> padding{};
    auto handler = [this, index, padding, kept = alive](std::error_code, const Delivery& d) {
      static_cast<void>(padding);
      called.emplace_back(index, d.offset);
    };
    ASSERT_TRUE(list.reserve(sizeof(handler), pool));
    list.add(std::move(handler), index, 1000 + index, id);
  }
  void call_all(HandlerList& list) {
    while (list.take(pool, [](HandlerList::Taken& taken) {
      Delivery delivery;
      delivery.offset = taken.index;
      taken.call({}, delivery);
    })) {
    }
  }
  std::size_t left() const { return static_cast<std::size_t>(alive.use_count()) - 1; }

  BufferPool pool{1'000'000, 100'000};
  std::shared_ptr<int> alive = std::make_shared<int>();
  std::vector<std::pair<std::int32_t, std::int64_t>> called;
};

TEST_F(HandlerListTest, CallsEachOnceInOrder) {
  HandlerList list;
  for (int i = 0; i < 500; ++i) {
    if (i % 3 == 0) {
      add<300>(list, i);
    } else {
      add(list, i);
    }
  }
  EXPECT_EQ(left(), 500U);
  HandlerList moved(std::move(list));
  call_all(moved);
  ASSERT_EQ(called.size(), 500U);
  for (int i = 0; i < 500; ++i)
    EXPECT_EQ(called[static_cast<std::size_t>(i)], (std::pair<std::int32_t, std::int64_t>(i, i)));
  EXPECT_EQ(left(), 0U);
  EXPECT_TRUE(moved.empty());
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(HandlerListTest, OneThatThrowsCountsAsCalled) {
  HandlerList list;
  auto thrower = [kept = alive](std::error_code, const Delivery&) { throw 1; };
  ASSERT_TRUE(list.reserve(sizeof(thrower), pool));
  list.add(std::move(thrower), 0, 0, 0);
  add(list, 1);
  EXPECT_THROW(call_all(list), int);
  call_all(list);
  EXPECT_EQ(called.size(), 1U);
  EXPECT_EQ(left(), 0U);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(HandlerListTest, ClearDestroysWithoutCalling) {
  HandlerList list;
  for (int i = 0; i < 100; ++i) add(list, i);
  list.clear(pool);
  EXPECT_TRUE(called.empty());
  EXPECT_EQ(left(), 0U);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(HandlerListTest, OneIsTakenOutByItsId) {
  HandlerList list;
  for (int i = 0; i < 100; ++i) add(list, i, static_cast<std::uint64_t>(i) + 1000);
  const auto call = [](HandlerList::Taken& taken) { taken.call({}, Delivery()); };
  EXPECT_TRUE(list.take_id(1050, call));
  EXPECT_FALSE(list.take_id(1050, call));
  EXPECT_FALSE(list.take_id(7, call));
  call_all(list);
  EXPECT_EQ(called.size(), 100U);
  EXPECT_EQ(called[0].first, 50);
  EXPECT_EQ(left(), 0U);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(HandlerListTest, SplitsByRecord) {
  for (const std::int32_t at : {0, 1, 37, 99, 100}) {
    called.clear();
    HandlerList list, upper;
    for (int i = 0; i < 100; ++i) {
      if (i % 4 != 0) add(list, i, static_cast<std::uint64_t>(i) + 1);
    }
    list.take_id(42, [](HandlerList::Taken& taken) { taken.call({}, Delivery()); });
    list.split(at, upper, pool);
    call_all(list);
    const std::size_t lower = called.size();
    call_all(upper);
    EXPECT_EQ(called.size(), 75U);
    for (std::size_t i = 1; i < called.size(); ++i) {
      EXPECT_EQ(called[i].first < at, i < lower);
      EXPECT_EQ(called[i].second, called[i].first < at ? called[i].first : called[i].first - at);
    }
    EXPECT_EQ(left(), 0U);
    EXPECT_EQ(pool.used_bytes(), 0U);
  }
}

TEST_F(HandlerListTest, NoRoomIsSaidBeforeAnythingIsAdded) {
  BufferPool tiny(600, 512);
  HandlerList list;
  EXPECT_FALSE(list.reserve(100, tiny));
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.reserve(100, tiny, /*beyond=*/true));
  list.clear(tiny);
}

TEST(BatchList, KeepsOrder) {
  const auto batches = std::make_unique<Batch[]>(5);
  BatchList list;
  for (std::size_t i = 0; i < 3; ++i) list.push_back(&batches[i]);
  list.push_front(&batches[3]);
  list.insert_before(&batches[1], &batches[4]);
  list.remove(&batches[0]);
  EXPECT_EQ(batches[0].list, nullptr);
  for (Batch* want : {&batches[3], &batches[4], &batches[1], &batches[2]}) {
    EXPECT_EQ(list.front()->list, &list);
    EXPECT_EQ(list.pop_front(), want);
  }
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop_front(), nullptr);
}

}  // namespace
}  // namespace tern::kafka
