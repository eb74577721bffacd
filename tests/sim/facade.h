// The facade scenario: see facade.cc.
#ifndef TERN_TESTS_SIM_FACADE_H_
#define TERN_TESTS_SIM_FACADE_H_

#include "tests/sim/scenario.h"

namespace tern::sim {

ScenarioResult run_facade(const ScenarioOptions& options);

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_FACADE_H_
