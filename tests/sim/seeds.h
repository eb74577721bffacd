// How many seeds a test runs: fewer with a sanitizer, and others if the environment says so.
#ifndef TERN_TESTS_SIM_SEEDS_H_
#define TERN_TESTS_SIM_SEEDS_H_

#include <cstdint>
#include <cstdlib>

namespace tern::sim {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// The number in an environment variable.
inline std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_SEEDS_H_
