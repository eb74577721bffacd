// World: a virtual clock, a queue of events and a seed. Everything that happens in a simulation
// happens in an event, one after the other, on one thread; the clock jumps from event to event. The
// same seed and the same program give the same events, which event_hash() proves and trace shows.
#ifndef TERN_TESTS_SIM_WORLD_H_
#define TERN_TESTS_SIM_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/completion.h"
#include "client/core/time.h"
#include "tests/sim/random.h"

namespace tern::sim {

class World {
 public:
  // Gets events. Kind and arguments are the target's own business.
  class Target {
   public:
    virtual void on_event(std::uint32_t kind, std::uint64_t a, std::uint64_t b) = 0;

   protected:
    ~Target() = default;
  };

  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::uint64_t seed() const { return seed_; }
  Time time() const { return time_; }
  Duration elapsed() const { return time_ - start_; }
  Now now() const { return {time_, wall_ms()}; }
  std::int64_t wall_ms() const;
  // Moves the wall clock, as an operator or NTP would; the monotonic clock goes on.
  void jump_wall_clock(std::int64_t by_ms) { wall_offset_ms_ += by_ms; }

  // Chance for one purpose: what one part of a simulation draws does not change what others see.
  Rng make_rng(std::string_view purpose) const { return Rng(seed_ ^ hash_text(purpose)); }

  // The target's event comes at `at`, now at the earliest; those of the same time in the order
  // given.
  void schedule(Time at, Target& target, std::uint32_t kind, std::uint64_t a = 0,
                std::uint64_t b = 0);
  // Drops all events of a target that is going away.
  void forget(const Target& target);
  // Calls from outside the machines: what a scenario does at a certain time.
  void at(Time at, Completion<> call);
  void after(Duration delay, Completion<> call) { at_time(time_ + delay, std::move(call)); }

  // One event, if there is one before or at `limit`. False if not; time then stands at `limit`.
  bool run_one(Time limit);
  // Runs until `done()` says so (checked before each event). False if `limit` of virtual time
  // passed or a violation was reported.
  template <class Done>
  bool run_until(Done&& done, Duration limit) {
    const Time end = time_ + limit;
    for (;;) {
      if (failed()) return false;
      if (done()) return true;
      if (!run_one(end)) return done();
    }
  }
  // Runs everything that is due within `period`, and lets the time pass.
  void run_for(Duration period) {
    run_until([] { return false; }, period);
  }

  // How many events have run: names a moment of a run.
  std::uint64_t events() const { return events_; }
  // Over all events and all that was noted: equal for equal runs.
  std::uint64_t event_hash() const { return hash_; }
  void note(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3u ^ (hash_ >> 29); }
  // With a history, the hash after each event is kept, to find where two runs part.
  void keep_history(bool keep) { keep_history_ = keep; }
  const std::vector<std::uint64_t>& history() const { return history_; }

  // Prints one line for each event of interest to stderr.
  void set_trace(bool on) { trace_ = on; }
  bool tracing() const { return trace_; }
  void trace(const char* format, ...) const __attribute__((format(printf, 2, 3)));

  // What broke a rule, with the event in which it did. The run stops after the event.
  void violation(std::string what);
  bool failed() const { return !violations_.empty(); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Event {
    Time at;
    std::uint64_t sequence;
    Target* target;  // null: a call
    std::uint32_t kind;
    std::uint64_t a;
    std::uint64_t b;
  };
  struct Later {
    bool operator()(const Event& x, const Event& y) const {
      return x.at != y.at ? x.at > y.at : x.sequence > y.sequence;
    }
  };
  void at_time(Time at, Completion<> call);
  void push(Event event);

  const std::uint64_t seed_;
  Time start_;
  Time time_;
  std::int64_t wall_offset_ms_;
  std::vector<Event> queue_;  // a heap
  std::vector<Completion<>> calls_;
  std::vector<std::uint32_t> free_calls_;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::vector<std::uint64_t> history_;
  std::vector<std::string> violations_;
  bool keep_history_ = false;
  bool trace_ = false;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_WORLD_H_
