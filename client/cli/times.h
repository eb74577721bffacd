// Points and spans of time as people write them.
#ifndef TERN_CLIENT_CLI_TIMES_H_
#define TERN_CLIENT_CLI_TIMES_H_

#include <cstdint>
#include <string>

namespace tern::cli {

// "P7D", "PT1H30M", "P1DT12H", "PT0.5S" (ISO 8601), or a number and a unit: "90s", "15m", "2h",
// "7d". In milliseconds. Throws UsageError that names `what`.
std::int64_t duration_ms(const char* what, const std::string& text);

// "2024-06-01", "2024-06-01T12:30", "2024-06-01T12:30:15.250", with "Z" or "+02:00" behind; UTC if
// there is nothing. In milliseconds since 1970. Throws UsageError that names `what`.
std::int64_t datetime_ms(const char* what, const std::string& text);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_TIMES_H_
