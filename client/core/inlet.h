// Inlet: where calls from other threads wait for the engine's next step.
//
// post() may be called from any thread and is never refused; take() belongs to the executor. What
// is posted runs in order. Record data does not come this way (it has a bounded lane of its own),
// only calls that start, stop or free something.
#ifndef TERN_CLIENT_CORE_INLET_H_
#define TERN_CLIENT_CORE_INLET_H_

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "client/core/completion.h"

namespace tern {

class Inlet {
 public:
  using Call = Completion<>;

  void post(Call call) {
    std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    any_.store(true, std::memory_order_release);
  }

  // Runs everything posted so far; what these calls post themselves stays for the next time.
  void run() {
    if (!any_.load(std::memory_order_acquire)) return;
    {
      std::lock_guard lock(mutex_);
      std::swap(calls_, running_);
      any_.store(false, std::memory_order_release);
    }
    for (Call& call : running_) call();
    running_.clear();
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> any_{false};
  std::vector<Call> calls_;
  std::vector<Call> running_;
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_INLET_H_
