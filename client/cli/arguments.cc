#include "client/cli/arguments.h"

#include <algorithm>
#include <charconv>

namespace tern::cli {

bool Arguments::flag(std::string_view name) {
  const auto found = std::find(left_.begin(), left_.end(), name);
  if (found == left_.end()) return false;
  left_.erase(found);
  return true;
}

bool Arguments::take(std::string_view name, std::string& value) {
  for (auto it = left_.begin(); it != left_.end(); ++it) {
    if (*it == name) {
      if (it + 1 == left_.end()) throw UsageError(std::string(name) + " needs a value");
      value = *(it + 1);
      left_.erase(it, it + 2);
      return true;
    }
    if (it->starts_with(name) && it->size() > name.size() && (*it)[name.size()] == '=') {
      value = it->substr(name.size() + 1);
      left_.erase(it);
      return true;
    }
  }
  return false;
}

std::string Arguments::text(std::string_view name, std::string otherwise) {
  take(name, otherwise);
  return otherwise;
}

std::int64_t Arguments::number(std::string_view name, std::int64_t otherwise, std::int64_t least,
                               std::int64_t most) {
  std::string value;
  if (!take(name, value)) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least ||
      number > most) {
    throw UsageError(std::string(name) + ": \"" + value + "\" is not a number from " +
                     std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

void Arguments::expect_none() const {
  if (!left_.empty()) throw UsageError("unknown argument \"" + left_.front() + "\"");
}

}  // namespace tern::cli
