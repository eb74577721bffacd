// Big-endian numbers at any address, unchecked.
#ifndef TERN_PROTOCOL_WIRE_ENDIAN_H_
#define TERN_PROTOCOL_WIRE_ENDIAN_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tern::wire {

template <std::integral T>
inline T load_be(const std::byte* p) {
  using U = std::make_unsigned_t<T>;
  U value = 0;
  std::memcpy(&value, p, sizeof value);
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) {
    if constexpr (sizeof(T) == 2) value = static_cast<U>(__builtin_bswap16(value));
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  }
  return static_cast<T>(value);
}

template <std::integral T>
inline void store_be(std::byte* p, T number) {
  using U = std::make_unsigned_t<T>;
  U value = static_cast<U>(number);
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) {
    if constexpr (sizeof(T) == 2) value = static_cast<U>(__builtin_bswap16(value));
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  }
  std::memcpy(p, &value, sizeof value);
}

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_ENDIAN_H_
