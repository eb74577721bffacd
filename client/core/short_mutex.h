// ShortMutex: a mutex for what takes well under a microsecond.
//
// Who finds it taken looks again for a while before going to sleep: to sleep and to be woken costs
// both threads more than such a wait, and two system calls. Taking it when it is free is one
// instruction in place, and an ordinary one as long as the process has one thread (glibc tells),
// which is felt where it happens once per record. Meets the requirements of std::lock_guard.
#ifndef TERN_CLIENT_CORE_SHORT_MUTEX_H_
#define TERN_CLIENT_CORE_SHORT_MUTEX_H_

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define TERN_ONE_THREAD() (__libc_single_threaded != 0)
#else
#define TERN_ONE_THREAD() false
#endif

#include <atomic>

namespace tern {

class ShortMutex {
 public:
  void lock() {
    if (TERN_ONE_THREAD() && state_.load(std::memory_order_relaxed) == kFree) {
      state_.store(kTaken, std::memory_order_relaxed);
      return;
    }
    int expected = kFree;
    if (!state_.compare_exchange_strong(expected, kTaken, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]] {
      wait();
    }
  }
  void unlock() {
    if (TERN_ONE_THREAD()) {
      state_.store(kFree, std::memory_order_relaxed);
      return;
    }
    if (state_.exchange(kFree, std::memory_order_release) == kWaitedFor) [[unlikely]] {
      state_.notify_one();
    }
  }

 private:
  static constexpr int kFree = 0, kTaken = 1;
  static constexpr int kWaitedFor = 2;  // taken, and somebody may be asleep
  static constexpr int kLooks = 100;

  [[gnu::noinline]] void wait() {
    for (int i = 0; i < kLooks; ++i) {
      int expected = kFree;
      if (state_.load(std::memory_order_relaxed) == kFree &&
          state_.compare_exchange_weak(expected, kTaken, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
      pause();
    }
    while (state_.exchange(kWaitedFor, std::memory_order_acquire) != kFree) {
      state_.wait(kWaitedFor, std::memory_order_relaxed);
    }
  }
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<int> state_{kFree};
};

}  // namespace tern

#undef TERN_ONE_THREAD

#endif  // TERN_CLIENT_CORE_SHORT_MUTEX_H_
