// Hints to the processor that memory will be used soon, for loops over things that are not in its
// cache: they never fault, whatever the address.
#ifndef TERN_CLIENT_CORE_PREFETCH_H_
#define TERN_CLIENT_CORE_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace tern {

inline constexpr std::size_t kCacheLine = 64;  // of x86 and most ARM; elsewhere a hint is lost

namespace internal {
// As a number: nothing need be there, and null plus something would be undefined.
inline const void* line_of(const void* at, std::size_t line) {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(at) + line * kCacheLine);
}
}  // namespace internal

inline void prefetch(const void* at, std::size_t lines = 1) {
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(internal::line_of(at, i), 0);
}

inline void prefetch_for_writing(const void* at, std::size_t lines = 1) {
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(internal::line_of(at, i), 1);
}

}  // namespace tern

#endif  // TERN_CLIENT_CORE_PREFETCH_H_
