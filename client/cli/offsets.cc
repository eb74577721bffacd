#include "client/cli/offsets.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

bool whole_number(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

}  // namespace

void OffsetRange::add(const std::string& text) {
  const std::string_view view = text;
  std::int64_t number = 0;
  if (view == "beginning" || view == "earliest") {
    from = From::beginning;
  } else if (view == "end" || view == "latest") {
    from = From::end;
  } else if (view == "stored") {
    throw UsageError(
        "-o stored: stored offsets belong to consumer groups; say -G GROUP TOPIC..., or where: "
        "beginning, end, an offset");
  } else if (view.starts_with("s@") && whole_number(view.substr(2), number)) {
    from = From::time;
    value = number;
  } else if (view.starts_with("e@") && whole_number(view.substr(2), number)) {
    stop_ms = number;
  } else if (view.starts_with('-') && whole_number(view.substr(1), number)) {
    from = From::before_end;
    value = number;
  } else if (whole_number(view, number)) {
    from = From::offset;
    value = number;
  } else {
    throw UsageError(
        "-o: \"" + text +
        "\" is none of: beginning, end, OFFSET, -N (the last N of each partition), s@MS "
        "and e@MS (from and to a time, milliseconds since 1970)");
  }
}

std::int64_t resolve(const OffsetRange& range, std::int64_t first, std::int64_t next,
                     std::int64_t at_time) {
  switch (range.from) {
    case OffsetRange::From::beginning:
      return first;
    case OffsetRange::From::end:
      return next;
    case OffsetRange::From::offset:
      return std::clamp(range.value, first, next);
    case OffsetRange::From::before_end:
      return range.value >= next - first ? first : next - range.value;
    case OffsetRange::From::time:
      return at_time < 0 ? next : at_time;
  }
  return first;
}

}  // namespace tern::cli
