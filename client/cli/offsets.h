// Where reading begins and ends (-o), as kcat writes it.
#ifndef TERN_CLIENT_CLI_OFFSETS_H_
#define TERN_CLIENT_CLI_OFFSETS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace tern::cli {

struct OffsetRange {
  enum class From { beginning, end, offset, before_end, time };
  From from = From::beginning;
  std::int64_t value = 0;  // the offset, how many before the end, or milliseconds since 1970
  std::optional<std::int64_t>
      stop_ms;  // the first record of this time or later is not read any more

  // beginning, end, N, -N (before the end), s@MS, e@MS; the last two may be given together, one
  // after the other. Throws UsageError.
  void add(const std::string& text);
};

// Where to begin in a partition that has offsets from `first` to before `next`. `at_time` is the
// first offset of the wanted time, -1 if there is none.
std::int64_t resolve(const OffsetRange& range, std::int64_t first, std::int64_t next,
                     std::int64_t at_time);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_OFFSETS_H_
