// What is said on standard error, and the exit status that goes with it.
#ifndef TERN_CLIENT_CLI_WORDS_H_
#define TERN_CLIENT_CLI_WORDS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace tern::cli {

inline constexpr int kFailed = 1;
inline constexpr int kInterrupted = 130;  // as a shell tells it

// Ctrl-C before anything was done.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// One line on standard error, whatever a progress bar has left there. Any thread.
void note(const std::string& text);

// Notes of what is wrong with one of many: the first few are said. Any thread.
class Complaints {
 public:
  void add(const std::string& text);

 private:
  std::atomic<int> count_{0};
};

// "1,234 records, 5.6 MB, in 0.12 s (10,283 records/s)"; bytes -1: not known, left out. `unit` is
// one of them.
std::string in_words(std::int64_t count, std::int64_t bytes,
                     std::chrono::steady_clock::duration took, const std::string& unit = "record");

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_WORDS_H_
