// What fuzz targets share.
//
// A target is one function, `LLVMFuzzerTestOneInput`, that must return for every input and ends the
// process when a property does not hold. It also names its milestones: how deep the committed
// corpus has to get. The replay test fails when one of them is not reached, so that a target cannot
// die unnoticed. One thread.
#ifndef TERN_FUZZ_TARGET_H_
#define TERN_FUZZ_TARGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tern::fuzz {

// As assert(), in every build.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// What the corpus of this target has to reach; each target defines it.
std::vector<std::string> milestones();

// Set by the replay test; under libFuzzer nobody listens.
inline void (*milestone_listener)(std::string_view) = nullptr;

// Here is a milestone.
inline void reached(std::string_view milestone) {
  if (milestone_listener != nullptr) milestone_listener(milestone);
}
// For names that take time to make.
inline bool milestones_wanted() { return milestone_listener != nullptr; }

// Takes what decides the shape of a run from the front of the input; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  std::uint8_t u8() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | u8();
    return value;
  }
  // The next `n` bytes, or what is left.
  std::span<const std::byte> bytes(std::size_t n) {
    const auto taken = left_.first(std::min(n, left_.size()));
    left_ = left_.subspan(taken.size());
    return std::as_bytes(taken);
  }
  std::span<const std::byte> rest() const { return std::as_bytes(left_); }
  bool empty() const { return left_.empty(); }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_TARGET_H_
