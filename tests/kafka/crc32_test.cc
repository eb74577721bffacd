#include "protocol/kafka/crc32.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <random>

namespace tern::kafka::internal {
namespace {

TEST(Crc32, CheckValueOfTheCatalogues) { EXPECT_EQ(crc32_ieee(0, "123456789", 9), 0xcbf43926U); }

TEST(Crc32, EqualsZlibAtEverySizeAlignmentAndStart) {
  std::mt19937_64 random(1);
  const auto check = [&](std::size_t size) {
    // At the very end of its block, so that AddressSanitizer sees a read beyond it.
    const std::size_t shift = 1 + random() % 64;
    const std::unique_ptr<unsigned char[]> block(new unsigned char[shift + size]);
    unsigned char* const data = block.get() + shift;
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<unsigned char>(random());
    const auto start = static_cast<std::uint32_t>(random());
    ASSERT_EQ(crc32_ieee(start, data, size), ::crc32(start, data, static_cast<uInt>(size))) << size;
    const std::size_t cut = size == 0 ? 0 : random() % size;
    ASSERT_EQ(crc32_ieee(crc32_ieee(start, data, cut), data + cut, size - cut),
              crc32_ieee(start, data, size));
  };
  for (std::size_t size = 0; size < 700; ++size) check(size);
  for (int round = 0; round < 100; ++round) check(random() % 50000);
}

}  // namespace
}  // namespace tern::kafka::internal
