// A fixed piece of work whose cost per record is watched. One thread, virtual time: a scenario does
// exactly the same each time it is run.
#ifndef TERN_BENCH_SCENARIO_H_
#define TERN_BENCH_SCENARIO_H_

#include <cstdint>
#include <memory>

namespace tern::bench {

class Scenario {
 public:
  virtual ~Scenario() = default;
  // Works on at least this many records to their end (delivered, handed out); returns how many.
  virtual std::int64_t run(std::int64_t records) = 0;
  // Reads and writes so far that would be system calls.
  virtual std::int64_t network_calls() const { return 0; }
};

struct NamedScenario {
  const char* name;
  const char* title;
  std::unique_ptr<Scenario> (*make)();
};

}  // namespace tern::bench

#endif  // TERN_BENCH_SCENARIO_H_
