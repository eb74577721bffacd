#include "protocol/kafka/crc32.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define TERN_CRC32_X86 1
#include <immintrin.h>
#endif

namespace tern::kafka::internal {
namespace {

std::uint32_t by_zlib(std::uint32_t crc, const unsigned char* p, std::size_t size) {
  // crc32_z() would take a size_t, but is younger than what others replace zlib with.
  while (size != 0) {
    const std::size_t now = std::min<std::size_t>(size, std::numeric_limits<uInt>::max());
    crc = static_cast<std::uint32_t>(::crc32(crc, p, static_cast<uInt>(now)));
    p += now;
    size -= now;
  }
  return crc;
}

#ifdef TERN_CRC32_X86

// x^n modulo the polynomial, reflected: the highest bit is the coefficient of x^0. n > 0.
constexpr long long power_of_x(int n) {
  std::uint32_t power = 0x80000000U;
  for (; n != 0; --n) power = (power >> 1) ^ ((power & 1U) ? 0xedb88320U : 0U);
  return static_cast<long long>(power);
}

// Four lanes of 16 bytes, folded forward by 64 bytes at a time: the method, and where the 33 comes
// from, are those of protocol/wire/crc32c.cc. What is left at the end is 16 bytes with the same
// sum.
__attribute__((target("sse4.1,pclmul"))) inline __m128i fold(__m128i lane, __m128i k,
                                                             __m128i data) {
  return _mm_xor_si128(
      _mm_xor_si128(_mm_clmulepi64_si128(lane, k, 0x00), _mm_clmulepi64_si128(lane, k, 0x11)),
      data);
}
__attribute__((target("sse4.1,pclmul"))) inline __m128i load(const unsigned char* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

__attribute__((target("sse4.1,pclmul"))) std::uint32_t by_folding(std::uint32_t crc,
                                                                  const unsigned char* p,
                                                                  std::size_t size) {
  static constexpr long long kLow64 = power_of_x(8 * 64 + 64 - 33);
  static constexpr long long kHigh64 = power_of_x(8 * 64 - 33);
  static constexpr long long kLow16 = power_of_x(8 * 16 + 64 - 33);
  static constexpr long long kHigh16 = power_of_x(8 * 16 - 33);
  const __m128i over_64 = _mm_set_epi64x(kHigh64, kLow64);
  const __m128i over_16 = _mm_set_epi64x(kHigh16, kLow16);
  __m128i a = _mm_xor_si128(load(p), _mm_cvtsi32_si128(static_cast<int>(~crc)));
  __m128i b = load(p + 16);
  __m128i c = load(p + 32);
  __m128i d = load(p + 48);
  p += 64;
  size -= 64;
  for (; size >= 64; p += 64, size -= 64) {
    a = fold(a, over_64, load(p));
    b = fold(b, over_64, load(p + 16));
    c = fold(c, over_64, load(p + 32));
    d = fold(d, over_64, load(p + 48));
  }
  b = fold(a, over_16, b);
  c = fold(b, over_16, c);
  d = fold(c, over_16, d);
  for (; size >= 16; p += 16, size -= 16) d = fold(d, over_16, load(p));
  unsigned char lane[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lane), d);
  return by_zlib(by_zlib(0xffffffffU, lane, sizeof lane), p, size);
}

bool can_fold() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.1") != 0 && __builtin_cpu_supports("pclmul") != 0;
}

#endif  // TERN_CRC32_X86

}  // namespace

std::uint32_t crc32_ieee(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
#ifdef TERN_CRC32_X86
  if (size >= 64 && can_fold()) return by_folding(crc, p, size);
#endif
  return by_zlib(crc, p, size);
}

}  // namespace tern::kafka::internal
