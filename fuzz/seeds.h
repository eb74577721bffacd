// Prints inputs for the fuzz targets, made by our own encoders: lines for `corpus.py seeds`.
#ifndef TERN_FUZZ_SEEDS_H_
#define TERN_FUZZ_SEEDS_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern::fuzz {

// Puts an input together.
class Seed {
 public:
  Seed& u8(unsigned n) {
    bytes_.push_back(static_cast<std::byte>(n));
    return *this;
  }
  Seed& u16(unsigned n) { return u8(n >> 8 & 0xff).u8(n & 0xff); }
  Seed& u32(std::uint32_t n) { return u16(n >> 16).u16(n & 0xffff); }
  Seed& u64(std::uint64_t n) {
    return u32(static_cast<std::uint32_t>(n >> 32)).u32(static_cast<std::uint32_t>(n));
  }
  Seed& add(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Seed& text(std::string_view text) { return add(std::as_bytes(std::span(text))); }
  Seed& fill(std::size_t count, unsigned n) {
    bytes_.insert(bytes_.end(), count, static_cast<std::byte>(n));
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

  void print(const char* target, const std::string& name) const {
    std::printf("%s %s ", target, name.c_str());
    for (const std::byte b : bytes_) std::printf("%02x", std::to_integer<unsigned>(b));
    std::printf("\n");
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_SEEDS_H_
