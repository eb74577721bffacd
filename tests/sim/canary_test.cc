// Bugs planted in the engine (see plant_bugs.sh) must be seen by the simulation within so many
// seeds, as a breach of the rule they break. A checker that was never seen to fail is worth
// nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <ostream>
#include <string>
#include <vector>

#include "tests/sim/group_scenario.h"
#include "tests/sim/scenario.h"

namespace tern::sim {

int planted_bug = 0;

namespace {

struct Canary {
  int bug;
  const char* name;
  Workload workload;
  std::vector<std::string> rules;  // any of them; "" for a violation of the ports
  friend std::ostream& operator<<(std::ostream& out, const Canary& canary) {
    return out << canary.name;
  }
};

class Canaries : public testing::TestWithParam<Canary> {
 protected:
  ~Canaries() override { planted_bug = 0; }
};

TEST_P(Canaries, AreSeen) {
  const Canary& canary = GetParam();
  planted_bug = canary.bug;
  constexpr std::uint64_t kSeeds = 6000;
  std::string others;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.workload = canary.workload;
    const ScenarioResult result =
        canary.workload == Workload::group ? run_group(options) : run_scenario(options);
    for (const std::string& problem : result.problems) {
      const bool expected = std::any_of(
          canary.rules.begin(), canary.rules.end(),
          [&problem](const std::string& rule) { return problem.find(rule) != std::string::npos; });
      if (expected) {
        std::cout << canary.name << " is seen by seed " << seed << ": " << problem << std::endl;
        return;
      }
      if (others.size() < 1000) others += "seed " + std::to_string(seed) + ": " + problem + '\n';
    }
  }
  ADD_FAILURE() << "not seen in " << kSeeds << " seeds; what was seen instead:\n" << others;
}

INSTANTIATE_TEST_SUITE_P(
    Planted, Canaries,
    testing::Values(Canary{1, "RetryWithAnotherSequence", Workload::produce, {"duplicate:"}},
                    Canary{2, "FailuresCalledCertain", Workload::produce, {"dishonest:"}},
                    Canary{3, "RefusalTakenForSuccess", Workload::produce, {"lost-write:"}},
                    Canary{4, "FirstBatchesTogether", Workload::produce, {"order:"}},
                    Canary{5, "FailureNotTold", Workload::produce, {"call-never:", "liveness:"}},
                    Canary{6, "MemoryKept", Workload::produce, {"not-returned:"}},
                    Canary{7, "TwoLeadersAtOnce", Workload::produce, {"duplicate:", "order:"}},
                    Canary{
                        8, "StaleFetchTaken", Workload::both, {"nonmonotonic-poll:", "poll-skip:"}},
                    Canary{9, "RecordSkipped", Workload::both, {"poll-skip:"}},
                    Canary{10, "HotLoop", Workload::both, {"hot loop"}},
                    Canary{11, "MetadataGivenUp", Workload::produce, {"not-recovered:"}},
                    Canary{12,
                           "BufferUsedAgain",
                           Workload::produce,
                           {"has changed before on_written", "content:"}},
                    Canary{13, "HandedOutIsStored", Workload::group, {"early:"}},
                    Canary{14, "PutOutButStillThere", Workload::group, {"overlap:", "early:"}},
                    Canary{15, "BeginsTooLate", Workload::group, {"lost-record:", "liveness:"}},
                    Canary{16, "CoordinatorNotLookedFor", Workload::group, {"liveness:"}},
                    Canary{17, "LetGoTooEarly", Workload::group, {"overlap:"}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Canary, NoBugIsNoProblem) {
  planted_bug = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    EXPECT_TRUE(run_scenario(options).ok()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tern::sim
