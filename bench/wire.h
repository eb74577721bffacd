// The few pieces of the Kafka wire format that the measuring programs need: big-endian numbers,
// varints, CRC32C and the layout of a record batch. It shares nothing with the library on purpose:
// an instrument must not inherit the errors of what it measures.
//
// Everything is inline and unchecked on the writing side; `Cursor` checks the reading side.
#ifndef TERN_BENCH_WIRE_H_
#define TERN_BENCH_WIRE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tern::bench {

template <class T>
inline T big_endian(T value) {
  if constexpr (sizeof(T) == 8) {
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  } else {
    return value;
  }
}

template <class T>
inline char* put(char* at, T value) {
  value = big_endian(value);
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

inline char* put_string(char* at, std::string_view text) {
  at = put(at, static_cast<std::int16_t>(text.size()));
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

template <class T>
inline T get(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return big_endian(value);
}

// Zigzag varint of a number that fits in 32 bits, which is all a record needs.
inline char* put_varint(char* at, std::int32_t value) {
  std::uint32_t bits =
      (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
  while (bits >= 0x80) {
    *at++ = static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  *at++ = static_cast<char>(bits);
  return at;
}

inline const char* get_varint(const char* at, std::int64_t& value) {
  std::uint64_t bits = 0;
  unsigned shift = 0;
  for (;;) {
    const auto byte = static_cast<unsigned char>(*at++);
    bits |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80 || shift >= 63) break;
    shift += 7;
  }
  value = static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
  return at;
}

inline std::size_t varint_size(std::int32_t value) {
  const std::uint32_t bits =
      (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
  return (static_cast<std::size_t>(std::bit_width(bits | 1)) + 6) / 7;
}

// Copies n bytes in blocks of 32, the last block overlapping the one before: no call, no loop over
// bytes, and nothing outside [from, from + n) is read.
inline char* copy_bytes(char* to, const char* from, std::size_t n) {
  if (n < 32) {
    std::memcpy(to, from, n);
    return to + n;
  }
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) std::memcpy(to + i, from + i, 32);
  std::memcpy(to + n - 32, from + n - 32, 32);
  return to + n;
}

// ---- CRC32C: 512-bit carry-less folding, or three streams of the instruction, or a table ----

class Crc32c {
 public:
  static constexpr std::size_t kStream = 2048;

  Crc32c() {
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? (c >> 1) ^ 0x82f63b78U : c >> 1;
      bytewise_[i] = c;
    }
    // What each bit of a state becomes after kStream zero bytes; the rest is linear.
    std::array<std::uint32_t, 32> moved{};
    for (unsigned bit = 0; bit < 32; ++bit) {
      std::uint32_t c = 1U << bit;
      for (std::size_t i = 0; i < kStream; ++i) c = bytewise_[c & 0xff] ^ (c >> 8);
      moved[bit] = c;
    }
    for (unsigned byte = 0; byte < 4; ++byte) {
      for (std::uint32_t v = 0; v < 256; ++v) {
        std::uint32_t c = 0;
        for (unsigned bit = 0; bit < 8; ++bit) {
          if ((v >> bit & 1) != 0) c ^= moved[byte * 8 + bit];
        }
        shift_[byte][v] = c;
      }
    }
#if defined(__x86_64__)
    hardware_ = __builtin_cpu_supports("sse4.2") != 0;
    wide_ = hardware_ && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
    for (unsigned i = 0; i < 4; ++i) {
      fold_[i] = {power((i + 1) * 512 + 32), power((i + 1) * 512 - 32)};
    }
#endif
  }

  bool hardware() const { return hardware_; }

  std::uint32_t operator()(const char* data, std::size_t n) const {
#if defined(__x86_64__)
    if (wide_ && n >= 512) return ~run_wide(0xffffffffU, data, n);
    if (hardware_) return ~run(0xffffffffU, data, n);
#endif
    std::uint32_t c = 0xffffffffU;
    for (std::size_t i = 0; i < n; ++i) {
      c = bytewise_[(c ^ static_cast<unsigned char>(data[i])) & 0xff] ^ (c >> 8);
    }
    return ~c;
  }

 private:
#if defined(__x86_64__)
  static std::uint64_t word(const char* at) {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  __attribute__((target("sse4.2"))) std::uint32_t run(std::uint32_t start, const char* p,
                                                      std::size_t n) const {
    std::uint64_t a = start;
    while (n >= 3 * kStream) {
      std::uint64_t b = 0;
      std::uint64_t c = 0;
      for (std::size_t i = 0; i < kStream; i += 8) {
        a = _mm_crc32_u64(a, word(p + i));
        b = _mm_crc32_u64(b, word(p + kStream + i));
        c = _mm_crc32_u64(c, word(p + 2 * kStream + i));
      }
      a = shifted(static_cast<std::uint32_t>(a)) ^ b;
      a = shifted(static_cast<std::uint32_t>(a)) ^ c;
      p += 3 * kStream;
      n -= 3 * kStream;
    }
    for (; n >= 8; p += 8, n -= 8) a = _mm_crc32_u64(a, word(p));
    auto tail = static_cast<std::uint32_t>(a);
    for (; n > 0; ++p, --n) tail = _mm_crc32_u8(tail, static_cast<unsigned char>(*p));
    return tail;
  }

  struct Fold {
    std::uint64_t low = 0, high = 0;
  };

  __attribute__((target("avx512f,vpclmulqdq"))) static __m512i carry(__m512i x, const Fold& fold) {
    const auto lo = static_cast<long long>(fold.low);
    const auto hi = static_cast<long long>(fold.high);
    const __m512i k = _mm512_set_epi64(hi, lo, hi, lo, hi, lo, hi, lo);
    return _mm512_xor_si512(_mm512_clmulepi64_epi128(x, k, 0x00),
                            _mm512_clmulepi64_epi128(x, k, 0x11));
  }

  // Keeps 256 bytes as four remainders-in-progress: each 128-bit lane is carried over a distance by
  // two carry-less products, and the last 64 bytes that remain are summed as a message of their
  // own.
  __attribute__((target("avx512f,vpclmulqdq,sse4.2"))) std::uint32_t run_wide(std::uint32_t start,
                                                                              const char* p,
                                                                              std::size_t n) const {
    __m512i x0 =
        _mm512_xor_si512(_mm512_loadu_si512(p),
                         _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, static_cast<long long>(start)));
    __m512i x1 = _mm512_loadu_si512(p + 64);
    __m512i x2 = _mm512_loadu_si512(p + 128);
    __m512i x3 = _mm512_loadu_si512(p + 192);
    for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
      x0 = _mm512_xor_si512(carry(x0, fold_[3]), _mm512_loadu_si512(p));
      x1 = _mm512_xor_si512(carry(x1, fold_[3]), _mm512_loadu_si512(p + 64));
      x2 = _mm512_xor_si512(carry(x2, fold_[3]), _mm512_loadu_si512(p + 128));
      x3 = _mm512_xor_si512(carry(x3, fold_[3]), _mm512_loadu_si512(p + 192));
    }
    x3 = _mm512_xor_si512(_mm512_xor_si512(x3, carry(x2, fold_[0])),
                          _mm512_xor_si512(carry(x1, fold_[1]), carry(x0, fold_[2])));
    char rest[64];
    _mm512_storeu_si512(rest, x3);
    return run(run(0, rest, sizeof rest), p, n);
  }

  // x to the n-th modulo the polynomial, shaped for a reflected 64-bit product.
  std::uint64_t power(unsigned n) const {
    std::uint32_t c = 0x80000000U;
    for (; n > 0; n -= 8) c = bytewise_[c & 0xff] ^ (c >> 8);
    return static_cast<std::uint64_t>(c) << 1;
  }

  std::uint32_t shifted(std::uint32_t c) const {
    return shift_[0][c & 0xff] ^ shift_[1][c >> 8 & 0xff] ^ shift_[2][c >> 16 & 0xff] ^
           shift_[3][c >> 24];
  }
#endif

  std::array<std::uint32_t, 256> bytewise_{};
  std::array<std::array<std::uint32_t, 256>, 4> shift_{};
#if defined(__x86_64__)
  std::array<Fold, 4> fold_{};  // by 1 to 4 times 64 bytes
#endif
  bool hardware_ = false, wide_ = false;
};

// ---- Record batch, format 2 ----

inline constexpr std::size_t kBatchHeader = 61;
inline constexpr std::size_t kBatchCrcAt = 17;
inline constexpr std::size_t kBatchCrcFrom = 21;  // the CRC covers all from the attributes on
inline constexpr std::size_t kBatchCountAt = 57;

// One record with a null key and no headers; `at` needs 32 + value_size bytes of room.
inline char* put_record(char* at, std::int32_t offset_delta, std::int32_t time_delta,
                        const char* value, std::size_t value_size) {
  const auto size32 = static_cast<std::int32_t>(value_size);
  const std::size_t body =
      3 + varint_size(time_delta) + varint_size(offset_delta) + varint_size(size32) + value_size;
  at = put_varint(at, static_cast<std::int32_t>(body));
  *at++ = 0;
  at = put_varint(at, time_delta);
  at = put_varint(at, offset_delta);
  *at++ = 1;  // a null key
  at = put_varint(at, size32);
  at = copy_bytes(at, value, value_size);
  *at++ = 0;
  return at;
}

// Fills the header of the batch that lies in [batch, end) and sums it.
inline void close_batch(char* batch, const char* end, std::int32_t count, std::int64_t now_ms,
                        std::int16_t attributes, const Crc32c& crc32c,
                        std::int64_t producer_id = -1, std::int16_t epoch = -1,
                        std::int32_t sequence = -1) {
  const auto size = static_cast<std::size_t>(end - batch);
  char* p = put(batch, std::int64_t{0});
  p = put(p, static_cast<std::int32_t>(size - 12));
  p = put(p, std::int32_t{-1});
  p = put(p, std::int8_t{2});
  p += 4;
  p = put(p, attributes);
  p = put(p, count - 1);
  p = put(p, now_ms);
  p = put(p, now_ms);
  p = put(p, producer_id);
  p = put(p, epoch);
  p = put(p, sequence);
  put(p, count);
  put(batch + kBatchCrcAt, crc32c(batch + kBatchCrcFrom, size - kBatchCrcFrom));
}

}  // namespace tern::bench

#endif  // TERN_BENCH_WIRE_H_
