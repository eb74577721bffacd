// Variable length integers: 7 bits a byte, lowest first, the top bit says "more follows". Signed
// ones are zigzag coded (0, -1, 1, -2 become 0, 1, 2, 3), so that small magnitudes stay short.
//
// Readers take [p, end) and return the byte after the number, or nullptr when the input ends inside
// it or the number does not fit its type; they never read at or past `end`. Writers are unchecked:
// the caller has made room (kMaxVarint32 or kMaxVarint64 bytes always suffice).
#ifndef TERN_PROTOCOL_WIRE_VARINT_H_
#define TERN_PROTOCOL_WIRE_VARINT_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace tern::wire {

inline constexpr std::size_t kMaxVarint32 = 5;
inline constexpr std::size_t kMaxVarint64 = 10;

constexpr std::uint32_t zigzag_encode(std::int32_t n) {
  return (static_cast<std::uint32_t>(n) << 1) ^ static_cast<std::uint32_t>(n >> 31);
}
constexpr std::uint64_t zigzag_encode(std::int64_t n) {
  return (static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63);
}
constexpr std::int32_t zigzag_decode(std::uint32_t n) {
  return static_cast<std::int32_t>((n >> 1) ^ (0U - (n & 1U)));
}
constexpr std::int64_t zigzag_decode(std::uint64_t n) {
  return static_cast<std::int64_t>((n >> 1) ^ (std::uint64_t{0} - (n & 1U)));
}

// Bytes that a number takes. Branch free: 9/64 is close enough to 1/7 for every width up to 64
// bits.
constexpr std::size_t uvarint_size(std::uint64_t n) {
  return static_cast<std::size_t>((std::bit_width(n | 1U) * 9 + 64) / 64);
}
constexpr std::size_t varint_size(std::int32_t n) { return uvarint_size(zigzag_encode(n)); }
constexpr std::size_t varlong_size(std::int64_t n) { return uvarint_size(zigzag_encode(n)); }

// Works for 32 and 64 bits alike: the form does not depend on the type.
inline std::byte* write_uvarint(std::byte* out, std::uint64_t n) {
  while (n >= 0x80U) [[unlikely]] {
    *out++ = static_cast<std::byte>(n | 0x80U);
    n >>= 7;
  }
  *out++ = static_cast<std::byte>(n);
  return out;
}
inline std::byte* write_varint(std::byte* out, std::int32_t n) {
  return write_uvarint(out, zigzag_encode(n));
}
inline std::byte* write_varlong(std::byte* out, std::int64_t n) {
  return write_uvarint(out, zigzag_encode(n));
}

namespace internal {

// The rest of a number whose first byte said "more": kept out of line, so that what stays inline is
// the one compare which nearly always decides.
template <class U>
const std::byte* read_uvarint_tail(const std::byte* p, const std::byte* end, U& out) {
  constexpr unsigned kBits = sizeof(U) * 8;
  U value = 0;
  for (unsigned shift = 0; shift < kBits; shift += 7) {
    if (p == end) return nullptr;
    const unsigned byte = std::to_integer<unsigned>(*p++);
    const U bits = byte & 0x7fU;
    if (shift + 7 > kBits && (bits >> (kBits - shift)) != 0) return nullptr;  // does not fit
    value |= static_cast<U>(bits << shift);
    if (byte < 0x80U) {
      out = value;
      return p;
    }
  }
  return nullptr;
}

template <class U>
inline const std::byte* read_uvarint_any(const std::byte* p, const std::byte* end, U& out) {
  if (p == end) [[unlikely]] {
    return nullptr;
  }
  const unsigned first = std::to_integer<unsigned>(*p);
  if (first < 0x80U) [[likely]] {
    out = first;
    return p + 1;
  }
  if (end - p >= 2) [[likely]] {
    const unsigned second = std::to_integer<unsigned>(p[1]);
    if (second < 0x80U) [[likely]] {
      out = (first & 0x7fU) | (second << 7);
      return p + 2;
    }
  }
  return read_uvarint_tail<U>(p, end, out);
}

}  // namespace internal

inline const std::byte* read_uvarint(const std::byte* p, const std::byte* end, std::uint32_t& out) {
  return internal::read_uvarint_any(p, end, out);
}
inline const std::byte* read_uvarint(const std::byte* p, const std::byte* end, std::uint64_t& out) {
  return internal::read_uvarint_any(p, end, out);
}
inline const std::byte* read_varint(const std::byte* p, const std::byte* end, std::int32_t& out) {
  std::uint32_t raw = 0;
  p = read_uvarint(p, end, raw);
  out = zigzag_decode(raw);
  return p;
}
inline const std::byte* read_varlong(const std::byte* p, const std::byte* end, std::int64_t& out) {
  std::uint64_t raw = 0;
  p = read_uvarint(p, end, raw);
  out = zigzag_decode(raw);
  return p;
}

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_VARINT_H_
