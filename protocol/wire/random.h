// Seeded random numbers for the generators of messages: SplitMix64, small and the same everywhere.
// One owner at a time.
#ifndef TERN_PROTOCOL_WIRE_RANDOM_H_
#define TERN_PROTOCOL_WIRE_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <limits>

namespace tern::wire {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }

  // A number from where codecs break: zero, minus one, the ends of the range, a small one, any.
  template <class T>
  T number() {
    switch (below(6)) {
      case 0:
        return T{0};
      case 1:
        return static_cast<T>(-1);
      case 2:
        return std::numeric_limits<T>::min();
      case 3:
        return std::numeric_limits<T>::max();
      case 4:
        return static_cast<T>(below(100));
      default:
        return static_cast<T>(next());
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_RANDOM_H_
