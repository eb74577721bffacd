// Timers: the deadlines of an engine, in a heap of pointers. Setting, moving and cancelling a timer
// allocates nothing once the heap has grown to the number of timers in use.
//
// A Timer belongs to one Timers and must be cancelled or destroyed before it. Belongs to the
// engine's executor; callbacks run from run(), never from set().
#ifndef TERN_CLIENT_CORE_TIMERS_H_
#define TERN_CLIENT_CORE_TIMERS_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "client/core/time.h"

namespace tern {

class Timers;

class Timer {
 public:
  // `fire(context, now)` is called when the time has come.
  using Fire = void (*)(void* context, Now now);
  Timer(Timers& timers, Fire fire, void* context)
      : timers_(timers), fire_(fire), context_(context) {}
  // Calls `(owner->*Method)(now)`.
  template <auto Method, class Owner>
  static Timer calling(Timers& timers, Owner* owner) {
    return Timer(
        timers, [](void* context, Now now) { (static_cast<Owner*>(context)->*Method)(now); },
        owner);
  }
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(Time when);  // moves it if it is set already; kNever cancels
  void cancel();
  bool is_set() const { return slot_ != kNoSlot; }
  Time when() const { return is_set() ? when_ : kNever; }

 private:
  friend class Timers;
  static constexpr std::size_t kNoSlot = static_cast<std::size_t>(-1);
  Timers& timers_;
  Fire fire_;
  void* context_;
  Time when_ = kNever;
  std::size_t slot_ = kNoSlot;
};

class Timers {
 public:
  Time next() const { return heap_.empty() ? kNever : heap_.front()->when_; }

  // Fires what is due, earliest first; timers that are set while it runs fire next time, unless
  // they are due as well.
  void run(Now now) {
    while (!heap_.empty() && heap_.front()->when_ <= now.mono) {
      Timer* timer = heap_.front();
      remove(timer);
      timer->fire_(timer->context_, now);
    }
  }

 private:
  friend class Timer;

  void put(std::size_t slot, Timer* timer) {
    heap_[slot] = timer;
    timer->slot_ = slot;
  }

  void insert(Timer* timer) {
    heap_.push_back(timer);
    timer->slot_ = heap_.size() - 1;
    rise(timer->slot_);
  }

  void remove(Timer* timer) {
    const std::size_t slot = std::exchange(timer->slot_, Timer::kNoSlot);
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == timer) return;
    put(slot, last);
    settle(slot);
  }

  void settle(std::size_t slot) {
    rise(slot);
    sink(slot);
  }

  void rise(std::size_t slot) {
    Timer* timer = heap_[slot];
    while (slot > 0) {
      const std::size_t parent = (slot - 1) / 2;
      if (heap_[parent]->when_ <= timer->when_) break;
      put(slot, heap_[parent]);
      slot = parent;
    }
    put(slot, timer);
  }

  void sink(std::size_t slot) {
    Timer* timer = heap_[slot];
    for (;;) {
      std::size_t child = 2 * slot + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
      if (timer->when_ <= heap_[child]->when_) break;
      put(slot, heap_[child]);
      slot = child;
    }
    put(slot, timer);
  }

  std::vector<Timer*> heap_;
};

inline void Timer::set(Time when) {
  if (when == kNever) return cancel();
  when_ = when;
  if (is_set()) {
    timers_.settle(slot_);
  } else {
    timers_.insert(this);
  }
}

inline void Timer::cancel() {
  if (is_set()) timers_.remove(this);
}

}  // namespace tern

#endif  // TERN_CLIENT_CORE_TIMERS_H_
