// operator new that counts: link //bench:counted_new and every allocation of C++ is seen. What zlib
// and the C library take themselves is not.
#ifndef TERN_BENCH_COUNTED_NEW_H_
#define TERN_BENCH_COUNTED_NEW_H_

#include <cstdint>

namespace tern::bench {

struct Allocations {
  std::int64_t made = 0;        // calls of operator new
  std::int64_t held_bytes = 0;  // usable sizes, allocated less freed
  std::int64_t peak_bytes = 0;  // the most held since the last reset_peak()
};

// Any thread; all threads are counted together.
Allocations allocations();
void reset_peak();

}  // namespace tern::bench

#endif  // TERN_BENCH_COUNTED_NEW_H_
