// Runs of a whole group: members that join, leave, crash, stall and take their time, while brokers
// restart, the coordinator moves and the network breaks; then without faults; then checked.
#ifndef TERN_TESTS_SIM_GROUP_SCENARIO_H_
#define TERN_TESTS_SIM_GROUP_SCENARIO_H_

#include "tests/sim/scenario.h"

namespace tern::sim {

// For Workload::group. A pure function of its options, as run_scenario() is.
//
// What must hold: "lost-record": everything that was stored is dealt with in the end. "early":
// nothing is stored in the group that nobody has dealt with. "rewind": what is stored does not go
// back. "overlap": in one generation nobody has what another one has. "liveness": once the faults
// have ended, all of it is dealt with and stored, and every call ends.
ScenarioResult run_group(const ScenarioOptions& options);

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_GROUP_SCENARIO_H_
