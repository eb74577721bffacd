// What targets in a simulated world have in common: bounds, and what holds at the end.
#ifndef TERN_FUZZ_SIMULATED_H_
#define TERN_FUZZ_SIMULATED_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "fuzz/memory.h"
#include "fuzz/target.h"
#include "tests/sim/world.h"

namespace tern::fuzz {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;
// Twice what client and broker are configured for, with what a simulated world takes.
inline constexpr std::size_t kMaxMemory = 24 * kMiB;

inline void require_rules_kept(const sim::World& world) {
  for (const std::string& what : world.violations()) std::fprintf(stderr, "%s\n", what.c_str());
  require(world.violations().empty(), "the rules of the ports are kept");
}

// One input of the fuzzer's, within kMaxMemory.
inline int run_within_memory(void (*run)(Input), const std::uint8_t* data, std::size_t size) {
  const MemoryScope memory;
  run(Input(data, size));
  require(memory.peak() <= kMaxMemory, "memory stays within its bounds");
  return 0;
}

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_SIMULATED_H_
