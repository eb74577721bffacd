// Thousands of seeds of the scenarios. What fails prints how to replay it with //tests/sim:run.
#include "tests/sim/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/seeds.h"

namespace tern::sim {
namespace {

constexpr std::uint64_t kSeedsPerChunk = kSanitized ? 6 : 50;
constexpr int kChunks = 48;  // many, so that they spread over the shards

std::string explain(const ScenarioOptions& options, const ScenarioResult& result) {
  std::string text =
      "seed " + std::to_string(options.seed) + ", " + to_string(options.workload) + ":\n";
  for (const std::string& problem : result.problems) text += "  " + problem + '\n';
  return text + "  " + result.options_text + "\n  faults: " + result.counts_text +
         "\n  replay: bazel run //tests/sim:run -- --scenario=" + to_string(options.workload) +
         " --seed=" + std::to_string(options.seed) + " --trace\n";
}

class ScenarioSeeds : public testing::TestWithParam<int> {};

TEST_P(ScenarioSeeds, KeepTheirPromises) {
  const auto chunk = static_cast<std::uint64_t>(GetParam());
  int failures = 0;
  for (std::uint64_t i = 0; i < kSeedsPerChunk && failures < 3; ++i) {
    ScenarioOptions options;
    options.seed = 1 + chunk * kSeedsPerChunk + i;
    options.workload = i % 4 == 0 ? Workload::produce : Workload::both;
    const ScenarioResult result = run_scenario(options);
    if (result.ok()) continue;
    ++failures;
    ADD_FAILURE() << explain(options, result);
  }
}

INSTANTIATE_TEST_SUITE_P(Chunk, ScenarioSeeds, testing::Range(0, kChunks));

// Event for event.
TEST(Scenario, ASeedReplaysToTheSameEvents) {
  for (std::uint64_t seed = 1001; seed <= 1010; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.keep_history = true;
    const ScenarioResult one = run_scenario(options);
    const ScenarioResult two = run_scenario(options);
    const auto parted = std::mismatch(one.history.begin(), one.history.end(), two.history.begin(),
                                      two.history.end());
    EXPECT_TRUE(parted.first == one.history.end() && parted.second == two.history.end())
        << "seed " << seed << ": other events from number " << parted.first - one.history.begin();
    EXPECT_EQ(one.event_hash, two.event_hash);
    EXPECT_EQ(one.events, one.history.size());
  }
}

TEST(Scenario, WithoutFaultsEverythingArrives) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.faults = false;
    const ScenarioResult result = run_scenario(options);
    EXPECT_TRUE(result.ok()) << explain(options, result);
    EXPECT_EQ(result.maybe_written, 0u) << explain(options, result);
    EXPECT_GT(result.acknowledged, 0u);
    EXPECT_GE(result.consumed, result.stored);
  }
}

// A simulation in which nothing goes wrong shows nothing.
TEST(Scenario, FaultsAndOutcomesOfAllKindsCome) {
  ScenarioResult sum;
  std::string counts;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.workload = Workload::produce;
    const ScenarioResult result = run_scenario(options);
    sum.acknowledged += result.acknowledged;
    sum.not_written += result.not_written;
    sum.maybe_written += result.maybe_written;
    counts += ' ' + result.counts_text;
  }
  EXPECT_GT(sum.acknowledged, 1000u);
  EXPECT_GT(sum.not_written, 10u);
  EXPECT_GT(sum.maybe_written, 10u);
  for (const char* kind : {"split_read",
                           "split_write",
                           "full_buffer",
                           "delay",
                           "clog",
                           "partition",
                           "reset",
                           "reset_reply",
                           "silence",
                           "refuse",
                           "connect_timeout",
                           "dns",
                           "slow_host",
                           "restart",
                           "quiet_restart",
                           "late_election",
                           "move_leader",
                           "error",
                           "error_after_apply",
                           "throttle",
                           "late_answer",
                           "no_answer",
                           "close_before_apply",
                           "close_after_apply",
                           "jump_wall"}) {
    EXPECT_NE(counts.find(" " + std::string(kind) + "="), std::string::npos)
        << kind << " never came";
  }
}

}  // namespace
}  // namespace tern::sim
