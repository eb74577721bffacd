// What the seed of a scenario is expanded to, as far as the scenarios have it in common.
#ifndef TERN_TESTS_SIM_SCENARIO_SETUP_H_
#define TERN_TESTS_SIM_SCENARIO_SETUP_H_

#include "tests/broker/cluster.h"
#include "tests/sim/kafka_rig.h"
#include "tests/sim/scenario.h"

namespace tern::sim {

inline constexpr char kScenarioTopic[] = "events";

struct ScenarioSetup {
  KafkaRig::Options rig;
  int partitions = 1;
  bool created_by_use = false;
  Duration fault_period{0};
  broker::TopicSpec topic;
};

ScenarioSetup draw_setup(const ScenarioOptions& options);

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_SCENARIO_SETUP_H_
