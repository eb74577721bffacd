// Seeds of groups. What fails prints how to replay it with //tests/sim:run.
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/group_scenario.h"
#include "tests/sim/seeds.h"

namespace tern::sim {
namespace {

constexpr std::uint64_t kSeedsPerChunk = kSanitized ? 4 : 32;
constexpr int kChunks = 32;

ScenarioOptions group_of(std::uint64_t seed) {
  ScenarioOptions options;
  options.seed = seed;
  options.workload = Workload::group;
  return options;
}

std::string explain(const ScenarioOptions& options, const ScenarioResult& result) {
  std::string text = "seed " + std::to_string(options.seed) + ":\n";
  for (const std::string& problem : result.problems) text += "  " + problem + '\n';
  return text + "  " + result.options_text + "\n  faults: " + result.counts_text +
         "\n  replay: bazel run //tests/sim:run -- --scenario=group --seed=" +
         std::to_string(options.seed) + " --trace\n";
}

class GroupSeeds : public testing::TestWithParam<int> {};

TEST_P(GroupSeeds, KeepTheirPromises) {
  const auto chunk = static_cast<std::uint64_t>(GetParam());
  int failures = 0;
  for (std::uint64_t i = 0; i < kSeedsPerChunk && failures < 3; ++i) {
    const ScenarioOptions options = group_of(1 + chunk * kSeedsPerChunk + i);
    const ScenarioResult result = run_group(options);
    if (result.ok()) continue;
    ++failures;
    ADD_FAILURE() << explain(options, result);
  }
}

INSTANTIATE_TEST_SUITE_P(Chunk, GroupSeeds, testing::Range(0, kChunks));

TEST(Group, WithoutFaultsEverythingIsDealtWith) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ScenarioOptions options = group_of(seed);
    options.faults = false;
    const ScenarioResult result = run_group(options);
    EXPECT_TRUE(result.ok()) << explain(options, result);
    EXPECT_GE(result.consumed, result.stored);
  }
}

TEST(Group, ASeedReplaysToTheSameEvents) {
  for (std::uint64_t seed = 2001; seed <= 2003; ++seed) {
    const ScenarioResult one = run_group(group_of(seed));
    const ScenarioResult two = run_group(group_of(seed));
    EXPECT_EQ(one.event_hash, two.event_hash);
    EXPECT_EQ(one.events, two.events);
  }
}

}  // namespace
}  // namespace tern::sim
