// Rng: the simulator's source of chance. The same seed gives the same numbers on every machine and
// with every standard library, which the distributions of <random> do not promise.
#ifndef TERN_TESTS_SIM_RANDOM_H_
#define TERN_TESTS_SIM_RANDOM_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "client/core/time.h"

namespace tern::sim {

// One step of splitmix64: spreads a seed over 64 bits.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t hash_text(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

// xoshiro256**.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : s_) word = seed = mix64(seed);
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(s_[1] * 5, 7) * 9;
    const std::uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = std::rotl(s_[3], 45);
    return result;
  }

  // In [0, n); n >= 1. The bias for the small n used here is far below what a test could see.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  // In [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  int pick(int low, int high) {
    return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  // In [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double p) { return p > 0 && unit() < p; }

  // In [low, high], each order of magnitude as likely as the next; low >= 1.
  std::uint64_t log_between(std::uint64_t low, std::uint64_t high) {
    const auto first = static_cast<std::uint64_t>(std::bit_width(low));
    const auto last = static_cast<std::uint64_t>(std::bit_width(high));
    const std::uint64_t bits = between(first, last);
    const std::uint64_t floor = std::uint64_t{1} << (bits - 1);
    const std::uint64_t value = floor + below(floor);
    return value < low ? low : value > high ? high : value;
  }

  // Exponentially distributed (straight lines between its points at every factor of two, so that no
  // logarithm of a math library is involved), at most `cap`.
  Duration exponential(Duration mean, Duration cap) {
    const std::uint64_t bits = next();
    const int halvings = bits == 0 ? 63 : std::countl_zero(bits);
    const double x = (static_cast<double>(halvings) + unit()) * 0.6931471805599453;
    const double ns = x * static_cast<double>(mean.count());
    return ns >= static_cast<double>(cap.count()) ? cap : Duration(static_cast<std::int64_t>(ns));
  }
  Duration log_between(Duration low, Duration high) {
    return Duration(static_cast<std::int64_t>(log_between(
        static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
  }

 private:
  std::uint64_t s_[4];
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_RANDOM_H_
