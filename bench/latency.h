// Records at a fixed rate, and how long each takes from the moment it was due, whether or not the
// sender kept up (an open loop: a stall is seen in full). One thread sends, one other may be told.
#ifndef TERN_BENCH_LATENCY_H_
#define TERN_BENCH_LATENCY_H_

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace tern::bench {

class Latencies {
 public:
  // The first `warm` records are sent and not counted.
  Latencies(std::size_t warm, std::size_t records, std::int64_t per_second)
      : warm_(warm), step_ns_(1'000'000'000 / per_second), took_ns_(warm + records) {}

  std::size_t records() const { return took_ns_.size(); }

  void start() { start_ns_ = now_ns() + 1'000'000; }
  // Sleeps until record i is due.
  void wait_for(std::size_t i) const {
    const std::int64_t due = due_ns(i);
    const timespec until{due / 1'000'000'000, due % 1'000'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
    }
  }
  // Record i is acknowledged.
  void done(std::size_t i) { took_ns_[i] = now_ns() - due_ns(i); }

  void report(const char* client) {
    const auto from = took_ns_.begin() + static_cast<std::ptrdiff_t>(warm_);
    std::sort(from, took_ns_.end());
    const auto last = static_cast<double>(took_ns_.end() - from - 1);
    const auto at = [&](double part) {
      return static_cast<double>(from[static_cast<std::ptrdiff_t>(part * last)]) * 1e-3;
    };
    std::printf(
        "{\"client\":\"%s\",\"records\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
        "\"p999_us\":%.1f,\"max_us\":%.1f}\n",
        client, took_ns_.size() - warm_, at(0.5), at(0.99), at(0.999), at(1));
    std::fflush(stdout);
  }

 private:
  static std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
  }
  std::int64_t due_ns(std::size_t i) const {
    return start_ns_ + static_cast<std::int64_t>(i) * step_ns_;
  }

  const std::size_t warm_;
  const std::int64_t step_ns_;
  std::int64_t start_ns_ = 0;
  std::vector<std::int64_t> took_ns_;
};

}  // namespace tern::bench

#endif  // TERN_BENCH_LATENCY_H_
