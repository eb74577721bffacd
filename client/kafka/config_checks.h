// What the checks of configs have in common. Not for users.
#ifndef TERN_CLIENT_KAFKA_CONFIG_CHECKS_H_
#define TERN_CLIENT_KAFKA_CONFIG_CHECKS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "client/core/error.h"
#include "client/core/time.h"

namespace tern::kafka::internal {

inline Failure invalid(const std::string& what) {
  return Failure(make_error_code(ClientErrc::invalid_config), what);
}

// The first complaint wins; each names the field and what it may be.
class Checks {
 public:
  Checks& that(bool holds, const char* otherwise) {
    if (!holds && !failure_) failure_ = invalid(otherwise);
    return *this;
  }
  Failure result() const { return failure_; }

 private:
  Failure failure_;
};

inline constexpr Duration kZero = Duration::zero();
// Times travel as int32 milliseconds in several requests.
inline constexpr Duration kLongest =
    std::chrono::milliseconds(std::numeric_limits<std::int32_t>::max());
inline constexpr std::size_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

inline bool in_range(Duration value, Duration least) { return value >= least && value <= kLongest; }

}  // namespace tern::kafka::internal

#endif  // TERN_CLIENT_KAFKA_CONFIG_CHECKS_H_
