#include "client/cli/times.h"

#include <chrono>
#include <optional>
#include <regex>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                       kDay = 24 * kHour;

// A part that was left out counts as 0. The expressions let no more than nine digits through, so
// nothing overflows.
std::int64_t number(const std::ssub_match& part) { return part.matched ? std::stoll(part) : 0; }

// ".25" as milliseconds.
std::int64_t fraction_ms(const std::ssub_match& part) {
  std::string digits = part.matched ? part.str().substr(1) : std::string();
  digits.resize(3, '0');
  return std::stoll(digits);
}

}  // namespace

std::int64_t duration_ms(const char* what, const std::string& text) {
  static const std::regex iso(
      R"(P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(\.\d+)?S)?)?)");
  static const std::regex plain(R"((\d{1,9})(s|m|h|d))");
  std::smatch part;
  if (text.size() > 2 && text.back() != 'T' && std::regex_match(text, part, iso)) {
    return number(part[1]) * 7 * kDay + number(part[2]) * kDay + number(part[3]) * kHour +
           number(part[4]) * kMinute + number(part[5]) * kSecond + fraction_ms(part[6]);
  }
  if (!std::regex_match(text, part, plain)) {
    throw UsageError(std::string(what) + ": \"" + text +
                     "\" is no duration; it looks like 90s, 15m, 2h, 7d, or PT1H30M, P1DT12H");
  }
  const char unit = text.back();
  return number(part[1]) * (unit == 's'   ? kSecond
                            : unit == 'm' ? kMinute
                            : unit == 'h' ? kHour
                                          : kDay);
}

std::int64_t datetime_ms(const char* what, const std::string& text) {
  static const std::regex form(
      R"((\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)");
  std::smatch part;
  const bool shaped = std::regex_match(text, part, form);
  const auto field = [&](std::size_t i) { return shaped ? number(part[i]) : 0; };
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(field(1))),
                                         std::chrono::month(static_cast<unsigned>(field(2))),
                                         std::chrono::day(static_cast<unsigned>(field(3))));
  if (!shaped || !date.ok() || field(4) > 23 || field(5) > 59 || field(6) > 59) {
    throw UsageError(std::string(what) + ": \"" + text +
                     "\" is no point in time; it looks like 2024-06-01T12:30:00 (UTC) or "
                     "2024-06-01T12:30:00.000+02:00");
  }
  std::int64_t zone = 0;
  if (const std::string name = part[8]; name.size() > 1) {
    zone =
        std::stoll(name.substr(1, 2)) * kHour + std::stoll(name.substr(name.size() - 2)) * kMinute;
    if (name[0] == '-') zone = -zone;
  }
  return std::chrono::sys_days(date).time_since_epoch().count() * kDay + field(4) * kHour +
         field(5) * kMinute + field(6) * kSecond + fraction_ms(part[7]) - zone;
}

}  // namespace tern::cli
