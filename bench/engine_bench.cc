// The whole produce and consume path of the engines in memory, without sockets, as a benchmark: the
// same scenarios whose instructions and allocations are gated (see gates.py).
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/amqp/scenarios.h"
#include "bench/scenarios.h"

namespace {

void run(benchmark::State& state, const tern::bench::NamedScenario* named) {
  constexpr std::int64_t kRecords = 100'000;
  const auto scenario = named->make();
  scenario->run(kRecords);  // buffers grow to their size
  std::int64_t records = 0;
  for (auto _ : state) records += scenario->run(kRecords);
  state.SetItemsProcessed(records);
  state.counters["each"] = benchmark::Counter(
      static_cast<double>(records), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::vector<tern::bench::NamedScenario>* all :
       {&tern::bench::scenarios(), &tern::bench::amqp::scenarios()}) {
    for (const auto& scenario : *all) {
      benchmark::RegisterBenchmark(scenario.name, run, &scenario)->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
