// Whole runs: engines against embedded brokers, with faults for a while, then without, then
// checked.
//
// Everything a run does follows from its seed: which faults, how strong, how many brokers and
// partitions, the client's configuration, what the user does and when. run_scenario() is a pure
// function of its options; options_text in the result spells out what the seed was expanded to.
#ifndef TERN_TESTS_SIM_SCENARIO_H_
#define TERN_TESTS_SIM_SCENARIO_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/checkers.h"

namespace tern::sim {

class KafkaRig;

enum class Workload { produce, consume, both, facade, group };
const char* to_string(Workload workload);
bool parse_workload(std::string_view text, Workload& out);

struct ScenarioOptions {
  std::uint64_t seed = 1;
  Workload workload = Workload::both;
  bool trace = false;
  bool keep_history = false;  // of event hashes, to compare two runs
  bool faults = true;
  // A bug planted by a canary: called on the finished run's view of the world, or with the rig
  // before the engines start.
  std::function<void(KafkaRig&)> plant;
};

struct ScenarioResult {
  Problems problems;
  std::uint64_t events = 0;
  std::uint64_t event_hash = 0;
  std::vector<std::uint64_t> history;
  std::int64_t virtual_ms = 0;
  std::uint64_t sent = 0, acknowledged = 0, not_written = 0, maybe_written = 0, stored = 0,
                consumed = 0;
  std::uint64_t faults = 0;
  std::string options_text;  // what the seed was expanded to
  std::string counts_text;   // which faults came, how often
  bool ok() const { return problems.empty(); }
};

ScenarioResult run_scenario(const ScenarioOptions& options);

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_SCENARIO_H_
