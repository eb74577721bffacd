// Runs simulated scenarios by seed: run --seed=N, or --seeds=A..B;
// --scenario=produce|both|facade|group;
// --trace prints every event; --twice runs each seed twice and compares the events; --no-faults.
// Prints one line for each seed that fails and how to replay it, and a summary. Exit code 1: some
// failed.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/sim/facade.h"
#include "tests/sim/group_scenario.h"
#include "tests/sim/scenario.h"

namespace {

using tern::sim::ScenarioOptions;
using tern::sim::ScenarioResult;

struct Arguments {
  std::uint64_t first = 1, last = 1;
  ScenarioOptions scenario;
  bool twice = false;
  bool verbose = false;
  int max_failures = 5;
};

bool number(std::string_view text, std::uint64_t& out) {
  return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc();
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&arg](std::string_view name) { return arg.substr(name.size()); };
    if (arg.starts_with("--seed=")) {
      if (!number(value("--seed="), out.first)) return false;
      out.last = out.first;
      out.verbose = true;
    } else if (arg.starts_with("--seeds=")) {
      const std::string_view range = value("--seeds=");
      const std::size_t dots = range.find("..");
      if (dots == std::string_view::npos || !number(range.substr(0, dots), out.first) ||
          !number(range.substr(dots + 2), out.last)) {
        return false;
      }
    } else if (arg.starts_with("--scenario=")) {
      if (!tern::sim::parse_workload(value("--scenario="), out.scenario.workload)) return false;
    } else if (arg == "--trace") {
      out.scenario.trace = true;
    } else if (arg == "--twice") {
      out.twice = true;
    } else if (arg == "--no-faults") {
      out.scenario.faults = false;
    } else {
      return false;
    }
  }
  return true;
}

ScenarioResult run(const ScenarioOptions& options) {
  switch (options.workload) {
    case tern::sim::Workload::facade:
      return tern::sim::run_facade(options);
    case tern::sim::Workload::group:
      return tern::sim::run_group(options);
    default:
      return tern::sim::run_scenario(options);
  }
}

void report(const ScenarioOptions& options, const ScenarioResult& result, bool verbose) {
  const auto seed = static_cast<unsigned long long>(options.seed);
  if (result.ok() && !verbose) return;
  std::printf("seed %llu %s: %s; %llu events, hash %016llx, %lld virtual ms\n", seed,
              tern::sim::to_string(options.workload), result.ok() ? "ok" : "FAILED",
              static_cast<unsigned long long>(result.events),
              static_cast<unsigned long long>(result.event_hash),
              static_cast<long long>(result.virtual_ms));
  std::printf("  %s\n  faults: %s\n", result.options_text.c_str(), result.counts_text.c_str());
  std::printf(
      "  sent=%llu acknowledged=%llu not_written=%llu maybe_written=%llu stored=%llu "
      "consumed=%llu\n",
      static_cast<unsigned long long>(result.sent),
      static_cast<unsigned long long>(result.acknowledged),
      static_cast<unsigned long long>(result.not_written),
      static_cast<unsigned long long>(result.maybe_written),
      static_cast<unsigned long long>(result.stored),
      static_cast<unsigned long long>(result.consumed));
  for (const std::string& problem : result.problems) std::printf("  PROBLEM %s\n", problem.c_str());
  if (!result.ok()) {
    std::printf("  replay: bazel run //tests/sim:run -- --seed=%llu --scenario=%s --trace\n", seed,
                tern::sim::to_string(options.workload));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what failed is to be seen even if a later seed hangs
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(
        stderr,
        "usage: run [--seed=N | --seeds=A..B] [--scenario=produce|both|facade|group] [--trace] "
        "[--twice] [--no-faults]\n");
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t seeds = 0, events = 0, records = 0, consumed = 0, faults = 0;
  std::int64_t virtual_ms = 0;
  int failures = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    ScenarioOptions options = arguments.scenario;
    options.seed = seed;
    ScenarioResult result = run(options);
    if (arguments.twice) {
      const ScenarioResult again = run(options);
      if (again.event_hash != result.event_hash || again.events != result.events) {
        result.problems.push_back("replay: the same seed gave other events");
      }
    }
    report(options, result, arguments.verbose);
    ++seeds;
    events += result.events;
    records += result.sent;
    consumed += result.consumed;
    faults += result.faults;
    virtual_ms += result.virtual_ms;
    if (!result.ok() && ++failures >= arguments.max_failures) break;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "%llu seeds, %d failed; %llu records sent, %llu read, %llu faults, %llu events, %.1f virtual "
      "hours in %.1f s (%.0f seeds/s)\n",
      static_cast<unsigned long long>(seeds), failures, static_cast<unsigned long long>(records),
      static_cast<unsigned long long>(consumed), static_cast<unsigned long long>(faults),
      static_cast<unsigned long long>(events), static_cast<double>(virtual_ms) / 3.6e6, took,
      static_cast<double>(seeds) / took);
  return failures == 0 ? 0 : 1;
}
