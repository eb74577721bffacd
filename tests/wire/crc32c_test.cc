#include "protocol/wire/crc32c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tern::wire {
namespace {

struct Vector {
  std::string data;
  std::uint32_t crc;
};
std::string counting(int first, int step) {
  std::string text;
  for (int i = 0; i < 32; ++i) text += static_cast<char>(first + i * step);
  return text;
}
// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
std::vector<Vector> published() {
  const unsigned char command[] = {0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                                   0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                                   0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
  return {{"", 0},
          {"123456789", 0xe3069283U},
          {std::string(32, '\0'), 0x8a9136aaU},
          {std::string(32, '\xff'), 0x62a8ab43U},
          {counting(0, 1), 0x46dd794eU},
          {counting(31, -1), 0x113fdb5cU},
          {std::string(reinterpret_cast<const char*>(command), sizeof command), 0xd9963a56U}};
}

TEST(Crc32c, PublishedVectorsInEveryVariant) {
  int usable = 0;
  for (const internal::Crc32cVariant& variant : internal::crc32c_variants()) {
    if (!variant.usable) continue;
    ++usable;
    for (const Vector& vector : published()) {
      EXPECT_EQ(variant.function(0, vector.data.data(), vector.data.size()), vector.crc)
          << variant.name;
    }
  }
  EXPECT_GE(usable, 1);
  for (const Vector& vector : published()) {
    EXPECT_EQ(crc32c(0, vector.data.data(), vector.data.size()), vector.crc);
  }
}

TEST(Crc32c, VariantsAgreeAtEverySizeAndAlignment) {
  std::mt19937_64 random(1);
  const auto check = [&](std::size_t size) {
    // At the very end of its block, so that AddressSanitizer sees a read beyond it.
    const std::size_t shift = random() % 64;
    const std::unique_ptr<unsigned char[]> block(new unsigned char[shift + size + 1]);
    unsigned char* const data = block.get() + 1 + shift;
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<unsigned char>(random());
    const auto start = static_cast<std::uint32_t>(random());
    const internal::Crc32cVariants variants = internal::crc32c_variants();
    const std::uint32_t expected = variants.data[variants.size - 1].function(start, data, size);
    for (const internal::Crc32cVariant& variant : variants) {
      if (variant.usable) {
        ASSERT_EQ(variant.function(start, data, size), expected) << variant.name << ' ' << size;
      }
    }
    ASSERT_EQ(crc32c(start, data, size), expected);
  };
  for (std::size_t size = 0; size < 1200; ++size) check(size);
  for (int round = 0; round < 200; ++round) check(random() % 40000);
}

TEST(Crc32c, PiecesAndCombinationsGiveTheWhole) {
  std::mt19937_64 random(2);
  std::string data(100000, '\0');
  for (char& c : data) c = static_cast<char>(random());
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = random() % (round % 3 == 0 ? data.size() : 300);
    const std::size_t cut = size == 0 ? 0 : random() % (size + 1);
    const std::uint32_t whole = crc32c(0, data.data(), size);
    const std::uint32_t first = crc32c(0, data.data(), cut);
    ASSERT_EQ(crc32c(first, data.data() + cut, size - cut), whole);
    ASSERT_EQ(crc32c_combine(first, crc32c(0, data.data() + cut, size - cut), size - cut), whole);
  }
}

TEST(Crc32c, CombiningOverMoreThanFitsInMemory) {
  // Zeros twice as long, again and again, up to 2^40 bytes, one combination at a time against many.
  const char zeros[1024] = {};
  std::uint32_t doubled = crc32c(0, zeros, sizeof zeros);
  std::uint64_t size = sizeof zeros;
  for (int i = 0; i < 30; ++i, size *= 2) {
    const std::uint32_t in_two = crc32c_combine(crc32c_combine(doubled, 0, size - 1), 0, 1);
    EXPECT_EQ(in_two, crc32c_combine(doubled, 0, size));
    doubled = crc32c_combine(doubled, doubled, size);
  }
}

}  // namespace
}  // namespace tern::wire
