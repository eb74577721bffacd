// The fixed pieces of work of the AMQP engine whose cost per message is watched: see
// bench/scenarios.h.
#ifndef TERN_BENCH_AMQP_SCENARIOS_H_
#define TERN_BENCH_AMQP_SCENARIOS_H_

#include <vector>

#include "bench/scenario.h"

namespace tern::bench::amqp {

const std::vector<NamedScenario>& scenarios();

}  // namespace tern::bench::amqp

#endif  // TERN_BENCH_AMQP_SCENARIOS_H_
