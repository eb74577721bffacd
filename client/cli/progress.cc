#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tern::cli {
namespace {

constexpr int kBarWidth = 30;
constexpr auto kSoon = std::chrono::milliseconds(500);

}  // namespace

Progress::Progress(std::string what, std::int64_t total, std::string unit)
    : what_(std::move(what)),
      total_(total),
      unit_(std::move(unit)),
      enabled_(isatty(STDERR_FILENO) != 0),
      next_(std::chrono::steady_clock::now() + kSoon) {}

void Progress::show(std::int64_t done) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  if (total_ > 0) {
    const auto filled = static_cast<int>(std::min(done, total_) * kBarWidth / total_);
    std::fprintf(stderr, "\r%s [%-*s] %s of %s %s", what_.c_str(), kBarWidth,
                 std::string(static_cast<std::size_t>(filled), '#').c_str(),
                 with_commas(done).c_str(), with_commas(total_).c_str(), unit_.c_str());
  } else {
    std::fprintf(stderr, "\r%s %s %s", what_.c_str(), with_commas(done).c_str(), unit_.c_str());
  }
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
