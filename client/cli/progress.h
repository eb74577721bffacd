// A progress bar on standard error, where that is a terminal; nothing elsewhere, and nothing for
// what is soon over.
#ifndef TERN_CLIENT_CLI_PROGRESS_H_
#define TERN_CLIENT_CLI_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <future>
#include <string>

namespace tern::cli {

class Progress {
 public:
  // A total of 0: not known, there is a count and no bar.
  Progress(std::string what, std::int64_t total, std::string unit);
  ~Progress() { clear(); }

  // Cheap enough to be called often: draws ten times a second at most.
  void show(std::int64_t done);
  void clear();
  // Waits for `future` and shows what `done()` says meanwhile.
  template <class Future, class Done>
  void wait(Future& future, Done done) {
    while (enabled_ && future.wait_for(kPause) == std::future_status::timeout) show(done());
    future.wait();
  }
  // Never to be drawn: the terminal is in use.
  void disable() { enabled_ = false; }

 private:
  static constexpr std::chrono::milliseconds kPause{100};  // between two drawings

  const std::string what_;
  const std::int64_t total_;
  const std::string unit_;
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

// 1234567 -> "1,234,567"
std::string with_commas(std::int64_t number);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_PROGRESS_H_
