// One scenario for a while, to be counted from outside (see gates.py).
//
//   engine_costs --scenario NAME --records N [--warm N]
//
// Prints, as one JSON line: the records worked on behind the first --warm ones, the allocations and
// the reads and writes of the network made for those, and the way CRC-32C is computed here, on
// which the number of instructions depends.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/amqp/scenarios.h"
#include "bench/counted_new.h"
#include "bench/measure.h"
#include "bench/scenarios.h"
#include "protocol/wire/crc32c.h"

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string name = options.text("--scenario", "");
  const std::int64_t records = options.number("--records", 50'000);
  const std::int64_t warm = options.number("--warm", 50'000);
  options.done();
  std::unique_ptr<Scenario> scenario;
  for (const std::vector<NamedScenario>* all : {&scenarios(), &amqp::scenarios()}) {
    for (const NamedScenario& named : *all) {
      if (named.name == name) scenario = named.make();
    }
  }
  if (!scenario) {
    std::fprintf(stderr, "--scenario: one of");
    for (const std::vector<NamedScenario>* all : {&scenarios(), &amqp::scenarios()}) {
      for (const NamedScenario& named : *all) std::fprintf(stderr, " %s", named.name);
    }
    std::fprintf(stderr, "\n");
    return 2;
  }
  if (warm > 0) scenario->run(warm);
  const std::int64_t before = allocations().made;
  const std::int64_t calls_before = scenario->network_calls();
  const std::int64_t done = records > 0 ? scenario->run(records) : 0;
  const std::int64_t made = allocations().made - before;
  const std::int64_t calls = scenario->network_calls() - calls_before;
  const char* crc = "none";
  for (const auto& variant : tern::wire::internal::crc32c_variants()) {
    if (!variant.usable) continue;
    crc = variant.name;
    break;
  }
  std::printf(
      "{\"scenario\":\"%s\",\"records\":%lld,\"allocations\":%lld,\"network_calls\":%lld,"
      "\"crc32c\":\"%s\"}\n",
      name.c_str(), static_cast<long long>(done), static_cast<long long>(made),
      static_cast<long long>(calls), crc);
  std::fflush(stdout);
  std::_Exit(0);
}
