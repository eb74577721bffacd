#include "protocol/wire/crc32c.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define TERN_CRC32C_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__linux__) && (defined(__GNUC__) || defined(__clang__))
#define TERN_CRC32C_ARM 1
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

// All numbers below are polynomials over GF(2) modulo the Castagnoli polynomial P, in the reflected
// form that the checksum uses: the highest bit of a word is the coefficient of x^0.
namespace tern::wire {
namespace {

using Function = std::uint32_t (*)(std::uint32_t, const void*, std::size_t);
using Multiply = std::uint32_t (*)(std::uint32_t, std::uint64_t);

constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // P without x^32
constexpr std::uint32_t kOne = 0x80000000U;         // x^0

constexpr std::uint32_t times_x(std::uint32_t a) {
  return (a >> 1) ^ ((a & 1U) ? kPolynomial : 0U);
}
constexpr std::uint32_t divided_by_x(std::uint32_t a) {
  return (a & kOne) ? (((a ^ kPolynomial) << 1) | 1U) : (a << 1);
}

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = times_x(b);
  }
  return product;
}

// x^n for any n, negative ones included: x has an inverse, since P has a constant term.
constexpr std::uint32_t power_of_x(std::int64_t n) {
  std::uint32_t base = n < 0 ? divided_by_x(kOne) : times_x(kOne);
  std::uint32_t result = kOne;
  for (std::uint64_t left = static_cast<std::uint64_t>(n < 0 ? -n : n); left != 0; left >>= 1) {
    if (left & 1U) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

// kShift[k] stands for 2^k bytes of zeros appended: x^(8 * 2^k). kShiftLess33 is the same over
// x^33, which is what a carry-less multiplication followed by the CRC instruction multiplies in by
// itself.
struct ShiftTables {
  std::array<std::uint32_t, 64> shift{};
  std::array<std::uint32_t, 64> shift_less_33{};
};
constexpr ShiftTables make_shift_tables() {
  ShiftTables tables;
  const std::uint32_t less_33 = power_of_x(-33);
  std::uint32_t power = power_of_x(8);
  for (std::size_t k = 0; k < 64; ++k) {
    tables.shift[k] = power;
    tables.shift_less_33[k] = multiply(power, less_33);
    power = multiply(power, power);
  }
  return tables;
}
constexpr ShiftTables kShiftTables = make_shift_tables();

// ---------- slicing by 8, anywhere

using Table = std::array<std::uint32_t, 256>;

constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = times_x(crc);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t crc = tables[t - 1][i];
      tables[t][i] = (crc >> 8) ^ tables[0][crc & 0xffU];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kTables = make_tables();

inline std::uint32_t load_le32(const unsigned char* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

std::uint32_t crc_by_tables(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; p += 8, size -= 8) {
    const std::uint32_t low = load_le32(p) ^ crc;
    const std::uint32_t high = load_le32(p + 4);
    crc = kTables[7][low & 0xffU] ^ kTables[6][(low >> 8) & 0xffU] ^
          kTables[5][(low >> 16) & 0xffU] ^ kTables[4][low >> 24] ^ kTables[3][high & 0xffU] ^
          kTables[2][(high >> 8) & 0xffU] ^ kTables[1][(high >> 16) & 0xffU] ^
          kTables[0][high >> 24];
  }
  for (; size != 0; ++p, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xffU];
  return ~crc;
}

std::uint32_t shift_by_tables(std::uint32_t crc, std::uint64_t zero_bytes) {
  for (std::size_t k = 0; zero_bytes != 0; ++k, zero_bytes >>= 1) {
    if (zero_bytes & 1U) crc = multiply(crc, kShiftTables.shift[k]);
  }
  return crc;
}

// ---------- x86-64

#ifdef TERN_CRC32C_X86

inline std::uint64_t load64(const unsigned char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// One stream: the instruction takes three cycles and can start one each cycle, so this wastes two
// thirds of it, but has nothing to set up or to combine.
__attribute__((target("sse4.2"))) inline std::uint32_t finish_sse42(std::uint32_t crc,
                                                                    const unsigned char* p,
                                                                    std::size_t size) {
  std::uint64_t wide = crc;
  for (; size >= 8; p += 8, size -= 8) wide = _mm_crc32_u64(wide, load64(p));
  crc = static_cast<std::uint32_t>(wide);
  if (size & 4U) {
    crc = _mm_crc32_u32(crc, load_le32(p));
    p += 4;
  }
  for (size &= 3U; size != 0; ++p, --size) crc = _mm_crc32_u8(crc, *p);
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t crc_sse42(std::uint32_t crc, const void* data,
                                                          std::size_t size) {
  return ~finish_sse42(~crc, static_cast<const unsigned char*>(data), size);
}

// a * k * x^33, not yet reduced: 64 bits that the CRC instruction reduces.
__attribute__((target("sse4.2,pclmul"))) inline std::uint64_t multiply_wide(std::uint64_t a,
                                                                            std::uint32_t k) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                               _mm_cvtsi32_si128(static_cast<int>(k)), 0);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t shift_pclmul(std::uint32_t crc,
                                                                    std::uint64_t zero_bytes) {
  for (; zero_bytes != 0; zero_bytes &= zero_bytes - 1) {
    const std::uint32_t k =
        kShiftTables.shift_less_33[static_cast<std::size_t>(std::countr_zero(zero_bytes))];
    crc = static_cast<std::uint32_t>(_mm_crc32_u64(0, multiply_wide(crc, k)));
  }
  return crc;
}

// Three neighbouring runs of kRun bytes at a time, each its own stream, so that the instruction is
// kept busy; then the first two sums are moved over the bytes behind them. That is folded into the
// last eight bytes of the third stream, which saves the reductions.
template <std::size_t kRun>
__attribute__((target("sse4.2,pclmul"))) inline std::uint32_t three_streams(std::uint32_t crc,
                                                                            const unsigned char*& p,
                                                                            std::size_t& size) {
  static constexpr std::uint32_t kOneRun = power_of_x(8 * static_cast<std::int64_t>(kRun) - 33);
  static constexpr std::uint32_t kTwoRuns = power_of_x(16 * static_cast<std::int64_t>(kRun) - 33);
  while (size >= 3 * kRun) {
    std::uint64_t a = crc;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < kRun - 8; i += 8) {
      a = _mm_crc32_u64(a, load64(p + i));
      b = _mm_crc32_u64(b, load64(p + kRun + i));
      c = _mm_crc32_u64(c, load64(p + 2 * kRun + i));
    }
    a = _mm_crc32_u64(a, load64(p + kRun - 8));
    b = _mm_crc32_u64(b, load64(p + 2 * kRun - 8));
    const std::uint64_t last = load64(p + 3 * kRun - 8);
    // The third stream's last word is reduced with c in it; the moved sums come in after.
    c = _mm_crc32_u64(c, last);
    const std::uint64_t moved = multiply_wide(a, kTwoRuns) ^ multiply_wide(b, kOneRun);
    crc = static_cast<std::uint32_t>(_mm_crc32_u64(0, moved) ^ c);
    p += 3 * kRun;
    size -= 3 * kRun;
  }
  return crc;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc_sse42_three(std::uint32_t crc,
                                                                       const void* data,
                                                                       std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  crc = three_streams<2048>(crc, p, size);
  crc = three_streams<256>(crc, p, size);
  crc = three_streams<64>(crc, p, size);
  return ~finish_sse42(crc, p, size);
}

// Four 512-bit registers, each four lanes of 128 bits, folded forward by 256 bytes at a time. A
// lane moved over d bits is low * x^(d+64) + high * x^d; the product of two reflected words comes
// out times x, and a 32-bit constant stands 32 places too high, hence the 33 less.
constexpr long long fold_low(std::int64_t bytes) {
  return static_cast<long long>(power_of_x(8 * bytes + 64 - 33));
}
constexpr long long fold_high(std::int64_t bytes) {
  return static_cast<long long>(power_of_x(8 * bytes - 33));
}

#define TERN_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,vpclmulqdq,sse4.2,pclmul")))

TERN_TARGET_AVX512 inline __m512i fold512(__m512i lanes, __m512i k, __m512i data) {
  const __m512i low = _mm512_clmulepi64_epi128(lanes, k, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(lanes, k, 0x11);
  return _mm512_ternarylogic_epi64(low, high, data, 0x96);  // xor of all three
}
TERN_TARGET_AVX512 inline __m128i fold128(__m128i lane, __m128i k, __m128i data) {
  const __m128i low = _mm_clmulepi64_si128(lane, k, 0x00);
  const __m128i high = _mm_clmulepi64_si128(lane, k, 0x11);
  return _mm_ternarylogic_epi64(low, high, data, 0x96);
}
template <std::int64_t kBytes>
TERN_TARGET_AVX512 inline __m512i fold_constants() {
  static constexpr long long kLow = fold_low(kBytes);
  static constexpr long long kHigh = fold_high(kBytes);
  return _mm512_set_epi64(kHigh, kLow, kHigh, kLow, kHigh, kLow, kHigh, kLow);
}

TERN_TARGET_AVX512 std::uint32_t crc_avx512(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  if (size < 512) return crc_sse42_three(crc, data, size);
  crc = ~crc;
  __m512i a = _mm512_loadu_si512(p);
  __m512i b = _mm512_loadu_si512(p + 64);
  __m512i c = _mm512_loadu_si512(p + 128);
  __m512i d = _mm512_loadu_si512(p + 192);
  a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc))));
  p += 256;
  size -= 256;
  const __m512i over_256 = fold_constants<256>();
  for (; size >= 256; p += 256, size -= 256) {
    a = fold512(a, over_256, _mm512_loadu_si512(p));
    b = fold512(b, over_256, _mm512_loadu_si512(p + 64));
    c = fold512(c, over_256, _mm512_loadu_si512(p + 128));
    d = fold512(d, over_256, _mm512_loadu_si512(p + 192));
  }
  const __m512i over_64 = fold_constants<64>();
  b = fold512(a, over_64, b);
  c = fold512(b, over_64, c);
  d = fold512(c, over_64, d);
  for (; size >= 64; p += 64, size -= 64) d = fold512(d, over_64, _mm512_loadu_si512(p));
  // By way of memory: the intrinsics that take a register apart draw false warnings from g++ 12.
  alignas(64) __m128i lanes[4];
  _mm512_store_si512(lanes, d);
  static constexpr long long kLow16 = fold_low(16);
  static constexpr long long kHigh16 = fold_high(16);
  const __m128i over_16 = _mm_set_epi64x(kHigh16, kLow16);
  __m128i lane = fold128(lanes[0], over_16, lanes[1]);
  lane = fold128(lane, over_16, lanes[2]);
  lane = fold128(lane, over_16, lanes[3]);
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(lane));
  const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(lane, 1));
  crc = static_cast<std::uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, low), high));
  return ~finish_sse42(crc, p, size);
}

bool has_sse42() { return __builtin_cpu_supports("sse4.2") != 0; }
bool has_pclmul() { return has_sse42() && __builtin_cpu_supports("pclmul") != 0; }
bool has_avx512() {
  return has_pclmul() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0;
}

#endif  // TERN_CRC32C_X86

// ---------- aarch64

#ifdef TERN_CRC32C_ARM

#if defined(__clang__)
#define TERN_TARGET_CRC __attribute__((target("crc")))
#else
#define TERN_TARGET_CRC __attribute__((target("+crc")))
#endif

inline std::uint64_t load64(const unsigned char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Three streams as on x86-64; without a portable carry-less multiplication the sums are joined with
// multiply(), so only long runs pay.
TERN_TARGET_CRC std::uint32_t crc_arm(std::uint32_t crc, const void* data, std::size_t size) {
  static constexpr std::size_t kRun = 2048;
  static constexpr std::uint32_t kOneRun = power_of_x(8 * static_cast<std::int64_t>(kRun));
  static constexpr std::uint32_t kTwoRuns = power_of_x(16 * static_cast<std::int64_t>(kRun));
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 3 * kRun; p += 3 * kRun, size -= 3 * kRun) {
    std::uint32_t a = crc;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
    for (std::size_t i = 0; i < kRun; i += 8) {
      a = __crc32cd(a, load64(p + i));
      b = __crc32cd(b, load64(p + kRun + i));
      c = __crc32cd(c, load64(p + 2 * kRun + i));
    }
    crc = multiply(a, kTwoRuns) ^ multiply(b, kOneRun) ^ c;
  }
  for (; size >= 8; p += 8, size -= 8) crc = __crc32cd(crc, load64(p));
  for (; size != 0; ++p, --size) crc = __crc32cb(crc, *p);
  return ~crc;
}

bool has_arm_crc() {
  constexpr unsigned long kHwcapCrc32 = 1UL << 7;  // HWCAP_CRC32 of <asm/hwcap.h>
  return (getauxval(AT_HWCAP) & kHwcapCrc32) != 0;
}

#endif  // TERN_CRC32C_ARM

// ---------- choice

Function best_function() {
  for (const internal::Crc32cVariant& variant : internal::crc32c_variants()) {
    if (variant.usable) return variant.function;
  }
  return crc_by_tables;
}

Multiply best_shift() {
#ifdef TERN_CRC32C_X86
  __builtin_cpu_init();
  if (has_pclmul()) return shift_pclmul;
#endif
  return shift_by_tables;
}

std::uint32_t choose_function(std::uint32_t crc, const void* data, std::size_t size);
std::uint32_t choose_shift(std::uint32_t crc, std::uint64_t zero_bytes);

// Constant after the first call; until then each thread that comes by finds the same answer.
constinit std::atomic<Function> chosen_function{choose_function};
constinit std::atomic<Multiply> chosen_shift{choose_shift};

std::uint32_t choose_function(std::uint32_t crc, const void* data, std::size_t size) {
  const Function best = best_function();
  chosen_function.store(best, std::memory_order_relaxed);
  return best(crc, data, size);
}
std::uint32_t choose_shift(std::uint32_t crc, std::uint64_t zero_bytes) {
  const Multiply best = best_shift();
  chosen_shift.store(best, std::memory_order_relaxed);
  return best(crc, zero_bytes);
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) {
  return chosen_function.load(std::memory_order_relaxed)(crc, data, size);
}

std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t size_b) {
  // The inversions at the begin and the end of both sums cancel out.
  return chosen_shift.load(std::memory_order_relaxed)(crc_a, size_b) ^ crc_b;
}

namespace internal {

Crc32cVariants crc32c_variants() {
#ifdef TERN_CRC32C_X86
  __builtin_cpu_init();
  static const std::array variants{
      Crc32cVariant{"avx512 folding", has_avx512(), crc_avx512},
      Crc32cVariant{"sse4.2 three streams", has_pclmul(), crc_sse42_three},
      Crc32cVariant{"sse4.2", has_sse42(), crc_sse42},
      Crc32cVariant{"tables", true, crc_by_tables},
  };
#elif defined(TERN_CRC32C_ARM)
  static const std::array variants{
      Crc32cVariant{"arm crc", has_arm_crc(), crc_arm},
      Crc32cVariant{"tables", true, crc_by_tables},
  };
#else
  static const std::array variants{Crc32cVariant{"tables", true, crc_by_tables}};
#endif
  return {variants.data(), variants.size()};
}

}  // namespace internal
}  // namespace tern::wire
