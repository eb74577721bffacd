// Time as the engines see it: handed in from outside, never read from a clock.
#ifndef TERN_CLIENT_CORE_TIME_H_
#define TERN_CLIENT_CORE_TIME_H_

#include <chrono>
#include <cstdint>

namespace tern {

using Duration = std::chrono::nanoseconds;

// The monotonic time line. It has no now(): only a driver (a Network) knows what time it is.
struct MonoClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock, Duration>;
  static constexpr bool is_steady = true;
};
using Time = MonoClock::time_point;

inline constexpr Time kNever = Time::max();

// One reading of both clocks. Deadlines use `mono`, record timestamps `wall_ms` (milliseconds since
// the Unix epoch). Both may be as coarse as a few milliseconds: reading a precise clock costs more
// than encoding a record.
struct Now {
  Time mono{};
  std::int64_t wall_ms = 0;
};

// `from + after` without running past the end of the time line.
inline constexpr Time deadline_after(Time from, Duration after) {
  return after >= kNever - from ? kNever : from + after;
}

}  // namespace tern

#endif  // TERN_CLIENT_CORE_TIME_H_
