#include "client/cli/words.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/progress.h"

namespace tern::cli {
namespace {

constexpr int kShown = 10;

}  // namespace

void note(const std::string& text) {
  const char* const clear = isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "";
  std::fprintf(stderr, "%stern: %s\n", clear, text.c_str());
}

void Complaints::add(const std::string& text) {
  const int before = count_.fetch_add(1, std::memory_order_relaxed);
  if (before < kShown) note(text);
  if (before == kShown) note("and so on; the rest is only counted");
}

std::string in_words(std::int64_t count, std::int64_t bytes,
                     std::chrono::steady_clock::duration took, const std::string& unit) {
  const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-9);
  char size[40] = "";
  if (bytes >= 0) std::snprintf(size, sizeof(size), ", %.1f MB", static_cast<double>(bytes) / 1e6);
  char time[40];
  std::snprintf(time, sizeof(time), ", in %.2f s (", seconds);
  const auto rate = static_cast<std::int64_t>(static_cast<double>(count) / seconds);
  return with_commas(count) + " " + unit + (count == 1 ? "" : "s") + size + time +
         with_commas(rate) + " " + unit + "s/s)";
}

}  // namespace tern::cli
