// Seeds through the public face. What fails prints how to replay it with //tests/sim:run.
#include "tests/sim/facade.h"

#include <gtest/gtest.h>

#include <string>

namespace tern::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeedsPerChunk = 4;
#else
constexpr std::uint64_t kSeedsPerChunk = 25;
#endif

ScenarioOptions facade_options(std::uint64_t seed) {
  ScenarioOptions options;
  options.seed = seed;
  options.workload = Workload::facade;
  return options;
}

std::string explain(const ScenarioOptions& options, const ScenarioResult& result) {
  std::string text = "seed " + std::to_string(options.seed) + ":\n";
  for (const std::string& problem : result.problems) text += "  " + problem + '\n';
  return text + "  " + result.options_text + "\n  faults: " + result.counts_text +
         "\n  replay: bazel run //tests/sim:run -- --scenario=facade --seed=" +
         std::to_string(options.seed) + " --trace\n";
}

class FacadeSeeds : public testing::TestWithParam<int> {};

TEST_P(FacadeSeeds, KeepTheirPromises) {
  const auto chunk = static_cast<std::uint64_t>(GetParam());
  int failures = 0;
  for (std::uint64_t i = 0; i < kSeedsPerChunk && failures < 3; ++i) {
    const ScenarioOptions options = facade_options(1 + chunk * kSeedsPerChunk + i);
    const ScenarioResult result = run_facade(options);
    if (result.ok()) continue;
    ++failures;
    ADD_FAILURE() << explain(options, result);
  }
}

INSTANTIATE_TEST_SUITE_P(Chunk, FacadeSeeds, testing::Range(0, 12));

TEST(Facade, WithoutFaultsEverythingArrives) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ScenarioOptions options = facade_options(seed);
    options.faults = false;
    const ScenarioResult result = run_facade(options);
    EXPECT_TRUE(result.ok()) << explain(options, result);
    EXPECT_GT(result.acknowledged, 0u);
    EXPECT_EQ(result.consumed, result.stored);
  }
}

TEST(Facade, ASeedReplaysToTheSameEvents) {
  for (std::uint64_t seed = 501; seed <= 505; ++seed) {
    EXPECT_EQ(run_facade(facade_options(seed)).event_hash,
              run_facade(facade_options(seed)).event_hash)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace tern::sim
