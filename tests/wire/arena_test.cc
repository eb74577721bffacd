#include "protocol/wire/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace tern::wire {
namespace {

TEST(Arena, AllocationsAreAlignedAndApart) {
  Arena arena(1 << 20);
  std::vector<std::pair<std::byte*, std::size_t>> blocks;
  for (std::size_t i = 1; i < 500; ++i) {
    const std::size_t align = std::size_t{1} << (i % 5);
    auto* p = static_cast<std::byte*>(arena.allocate(i, align));
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(p) % align, 0U);
    std::memset(p, static_cast<int>(i % 256), i);
    blocks.emplace_back(p, i);
  }
  for (const auto& [p, n] : blocks) {
    for (std::size_t k = 0; k < n; ++k) ASSERT_EQ(p[k], static_cast<std::byte>(n % 256));
  }
}

TEST(Arena, NeverReservesMoreThanItsLimit) {
  for (const std::size_t limit :
       {std::size_t{0}, std::size_t{10}, std::size_t{1000}, std::size_t{70000}}) {
    Arena arena(limit);
    std::size_t given = 0;
    for (int i = 0; i < 10000; ++i) {
      const std::size_t size = static_cast<std::size_t>(i * 37 % 900);
      if (arena.allocate(size, 8) != nullptr) given += size;
      ASSERT_LE(arena.reserved_bytes(), limit);
    }
    EXPECT_LE(given, limit);
    EXPECT_GE(given + 2000, limit * 3 / 4) << "too much is wasted";
  }
}

TEST(Arena, HugeRequestsAreRefused) {
  Arena arena(1 << 16);
  EXPECT_EQ(arena.allocate(std::numeric_limits<std::size_t>::max(), 8), nullptr);
  EXPECT_EQ(arena.allocate(std::numeric_limits<std::size_t>::max() - 4, 1), nullptr);
  EXPECT_EQ(arena.make_array<std::uint64_t>(std::numeric_limits<std::size_t>::max() / 8 + 2),
            nullptr);
  EXPECT_NE(arena.make_array<std::uint64_t>(100), nullptr);
  Arena unlimited(std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(unlimited.allocate(std::numeric_limits<std::size_t>::max() - 8, 8), nullptr);
}

TEST(Arena, ALargeArrayDoesNotEndTheBlockInUse) {
  Arena arena(1 << 24);
  auto* first = static_cast<std::byte*>(arena.allocate(8, 8));
  ASSERT_NE(arena.allocate(1 << 20, 8), nullptr);
  auto* second = static_cast<std::byte*>(arena.allocate(8, 8));
  EXPECT_EQ(second, first + 8);
  EXPECT_LT(arena.reserved_bytes(), (std::size_t{1} << 20) + 2048);
}

struct WithDefaults {
  std::int32_t a = 5;
  const char* b = "b";
};

TEST(Arena, ElementsStartWithTheirDefaults) {
  Arena arena(1 << 16);
  std::memset(arena.allocate(600, 8), 0xff, 600);
  arena.reset();
  const WithDefaults* items = arena.make_array<WithDefaults>(20);
  ASSERT_NE(items, nullptr);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(items[i].a, 5);
    EXPECT_STREQ(items[i].b, "b");
  }
}

TEST(Arena, ResetKeepsOneBlockAndUsesItAgain) {
  Arena arena(1 << 20);
  EXPECT_EQ(arena.reserved_bytes(), 0U);
  arena.reset();
  for (int i = 0; i < 1000; ++i) ASSERT_NE(arena.allocate(100, 8), nullptr);
  const std::size_t full = arena.reserved_bytes();
  arena.reset();
  const std::size_t kept = arena.reserved_bytes();
  EXPECT_LT(kept, full);
  EXPECT_GT(kept, 0U);
  ASSERT_NE(arena.allocate(100, 8), nullptr);
  EXPECT_EQ(arena.reserved_bytes(), kept);
}

TEST(Arena, Moves) {
  Arena a(1 << 16);
  auto* p = static_cast<char*>(a.allocate(4, 1));
  std::memcpy(p, "abc", 4);
  Arena b(std::move(a));
  EXPECT_STREQ(p, "abc");
  Arena c(100);
  c = std::move(b);
  EXPECT_STREQ(p, "abc");
  EXPECT_EQ(c.limit(), std::size_t{1} << 16);
}

}  // namespace
}  // namespace tern::wire
