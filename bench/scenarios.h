// The fixed pieces of work for Kafka: the whole produce and consume path of the engine in memory,
// and building and reading a batch alone. Those for AMQP: bench/amqp/scenarios.h.
#ifndef TERN_BENCH_SCENARIOS_H_
#define TERN_BENCH_SCENARIOS_H_

#include <vector>

#include "bench/scenario.h"

namespace tern::bench {

const std::vector<NamedScenario>& scenarios();

}  // namespace tern::bench

#endif  // TERN_BENCH_SCENARIOS_H_
