// Backoff: how long to wait before the next try. Doubles from `first` to `longest`, plus or minus
// 20 % of jitter so that clients which failed together do not come back together.
#ifndef TERN_CLIENT_CORE_BACKOFF_H_
#define TERN_CLIENT_CORE_BACKOFF_H_

#include <algorithm>

#include "client/core/random.h"
#include "client/core/time.h"

namespace tern {

class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest) {}

  // The pause before the next try; each call counts as one more failure.
  Duration next(Random& random) {
    const Duration base = std::min(longest_, first_ * (std::int64_t{1} << std::min(failures_, 20)));
    ++failures_;
    const double factor = 0.8 + 0.4 * random.fraction();
    return std::min(
        longest_, Duration(static_cast<std::int64_t>(static_cast<double>(base.count()) * factor)));
  }
  void reset() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  Duration first_;
  Duration longest_;
  int failures_ = 0;
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_BACKOFF_H_
