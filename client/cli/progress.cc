#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tern::cli {
namespace {

constexpr int kBarWidth = 30;
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(std::string what, std::int64_t total)
    : what_(std::move(what)),
      total_(std::max<std::int64_t>(total, 1)),
      terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::show(std::int64_t done) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  const auto filled = static_cast<int>(std::min(done, total_) * kBarWidth / total_);
  std::fprintf(stderr, "\r%s [%-*s] %s of %s", what_.c_str(), kBarWidth,
               std::string(static_cast<std::size_t>(filled), '#').c_str(),
               with_commas(done).c_str(), with_commas(total_).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
  drawn_ = false;
}

std::string with_commas(std::int64_t number) {
  const std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace tern::cli
