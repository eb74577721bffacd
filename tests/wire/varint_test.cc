#include "protocol/wire/varint.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace tern::wire {
namespace {

// A block of exactly these bytes, so that AddressSanitizer sees any read beyond it.
class Exact {
 public:
  Exact(std::initializer_list<int> bytes)
      : size_(bytes.size()), data_(new std::byte[bytes.size()]) {
    std::byte* out = data_.get();
    for (const int byte : bytes) *out++ = static_cast<std::byte>(byte);
  }
  const std::byte* begin() const { return data_.get(); }
  const std::byte* end() const { return data_.get() + size_; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

template <class T>
std::vector<T> interesting() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> all{0, Limits::min(), Limits::max()};
  for (int bit = 0; bit < Limits::digits; ++bit) {
    const T power = static_cast<T>(T{1} << bit);
    for (const T near : {static_cast<T>(power - 1), power, static_cast<T>(power + 1)}) {
      all.push_back(near);
      all.push_back(static_cast<T>(T{0} - near));
    }
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) all.push_back(static_cast<T>(random() >> (random() % 64)));
  return all;
}

template <class T, class Size, class Write, class Read>
void round_trip(Size size_of, Write write, Read read) {
  for (const T n : interesting<T>()) {
    std::byte bytes[kMaxVarint64];
    const std::byte* const end = write(bytes, n);
    EXPECT_EQ(static_cast<std::size_t>(end - bytes), size_of(n)) << n;
    T back = 0;
    EXPECT_EQ(read(bytes, end, back), end) << n;
    EXPECT_EQ(back, n);
    // Never beyond its end, and an error when it ends early.
    for (const std::byte* cut = bytes; cut != end; ++cut) {
      EXPECT_EQ(read(bytes, cut, back), nullptr) << n;
    }
  }
}

TEST(Varint, NumbersComeBackInTheSizeThatWasSaid) {
  round_trip<std::uint32_t>(
      [](std::uint32_t n) { return uvarint_size(n); },
      [](std::byte* out, std::uint32_t n) { return write_uvarint(out, n); },
      [](auto p, auto end, std::uint32_t& n) { return read_uvarint(p, end, n); });
  round_trip<std::uint64_t>(
      [](std::uint64_t n) { return uvarint_size(n); },
      [](std::byte* out, std::uint64_t n) { return write_uvarint(out, n); },
      [](auto p, auto end, std::uint64_t& n) { return read_uvarint(p, end, n); });
  round_trip<std::int32_t>(
      [](std::int32_t n) { return varint_size(n); },
      [](std::byte* out, std::int32_t n) { return write_varint(out, n); },
      [](auto p, auto end, std::int32_t& n) { return read_varint(p, end, n); });
  round_trip<std::int64_t>(
      [](std::int64_t n) { return varlong_size(n); },
      [](std::byte* out, std::int64_t n) { return write_varlong(out, n); },
      [](auto p, auto end, std::int64_t& n) { return read_varlong(p, end, n); });
}

TEST(Varint, BytesOfTheSpecification) {
  const auto written = [](std::int64_t n) {
    std::byte bytes[kMaxVarint64];
    const std::byte* const end = write_varlong(bytes, n);
    std::vector<int> out;
    for (const std::byte* p = bytes; p != end; ++p) out.push_back(std::to_integer<int>(*p));
    return out;
  };
  EXPECT_EQ(written(0), (std::vector<int>{0}));
  EXPECT_EQ(written(-1), (std::vector<int>{1}));
  EXPECT_EQ(written(1), (std::vector<int>{2}));
  EXPECT_EQ(written(63), (std::vector<int>{126}));
  EXPECT_EQ(written(-64), (std::vector<int>{127}));
  EXPECT_EQ(written(64), (std::vector<int>{0x80, 1}));
  EXPECT_EQ(written(-65), (std::vector<int>{0x81, 1}));
  EXPECT_EQ(written(8191), (std::vector<int>{0xfe, 0x7f}));
  EXPECT_EQ(written(std::numeric_limits<std::int32_t>::max()),
            (std::vector<int>{0xfe, 0xff, 0xff, 0xff, 0x0f}));
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()),
            (std::vector<int>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
}

TEST(Varint, TooLongForTheTypeIsRefused) {
  std::uint32_t narrow = 0;
  std::uint64_t wide = 0;
  const Exact five{0xff, 0xff, 0xff, 0xff, 0x0f};
  EXPECT_EQ(read_uvarint(five.begin(), five.end(), narrow), five.end());
  EXPECT_EQ(narrow, 0xffffffffU);
  const Exact bit_33{0x80, 0x80, 0x80, 0x80, 0x10};
  EXPECT_EQ(read_uvarint(bit_33.begin(), bit_33.end(), narrow), nullptr);
  EXPECT_EQ(read_uvarint(bit_33.begin(), bit_33.end(), wide), bit_33.end());
  EXPECT_EQ(wide, std::uint64_t{1} << 32);
  const Exact six{0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  EXPECT_EQ(read_uvarint(six.begin(), six.end(), narrow), nullptr);
  const Exact bit_65{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
  EXPECT_EQ(read_uvarint(bit_65.begin(), bit_65.end(), wide), nullptr);
  const Exact eleven{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  EXPECT_EQ(read_uvarint(eleven.begin(), eleven.end(), wide), nullptr);
}

TEST(Varint, LongerThanNeededIsRead) {
  std::int32_t n = 0;
  const Exact padded{0x82, 0x80, 0x00};
  EXPECT_EQ(read_varint(padded.begin(), padded.end(), n), padded.end());
  EXPECT_EQ(n, 1);
}

}  // namespace
}  // namespace tern::wire
