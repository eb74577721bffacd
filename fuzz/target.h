// What fuzz targets share.
//
// A target is one function, `LLVMFuzzerTestOneInput`, that must return for every input and ends the
// process when a property does not hold.
#ifndef TERN_FUZZ_TARGET_H_
#define TERN_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tern::fuzz {

// As assert(), in every build.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

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
  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | u8();
    return value;
  }
  std::span<const std::byte> rest() const { return std::as_bytes(left_); }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_TARGET_H_
