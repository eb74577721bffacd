// Hints to the processor that memory will be used soon, for loops over things that are not in its
// cache: they never fault, whatever the address.
#ifndef TERN_CLIENT_CORE_PREFETCH_H_
#define TERN_CLIENT_CORE_PREFETCH_H_

#include <cstddef>

namespace tern {

inline constexpr std::size_t kCacheLine = 64;  // of x86 and most ARM; elsewhere a hint is lost

inline void prefetch(const void* at, std::size_t lines = 1) {
  const auto* bytes = static_cast<const std::byte*>(at);
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(bytes + i * kCacheLine, 0);
}

inline void prefetch_for_writing(const void* at, std::size_t lines = 1) {
  const auto* bytes = static_cast<const std::byte*>(at);
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(bytes + i * kCacheLine, 1);
}

}  // namespace tern

#endif  // TERN_CLIENT_CORE_PREFETCH_H_
