// A group of tern members at three nodes of Apache Kafka that are killed in turn, its coordinator
// among them.

#include "tests/real/tern_group.h"

namespace tern::real {
namespace {

using GroupOnThreeNodes = RealKafka;

TEST_F(GroupOnThreeNodes, OutlivesItsCoordinator) {
  Group group("group-nodes", {.assignors = {"cooperative-sticky"}}, 6, 3);
  group.produce(2000);
  auto one = group.member(1);
  auto two = group.member(2);
  auto three = group.member(3);
  group.wait_for_owners({1, 2, 3});
  for (int node = 1; node <= 3; ++node) {
    ASSERT_TRUE(kill_node(node));
    group.produce(2000);
    group.wait_for_all();
    ASSERT_TRUE(boot_node(node));
    // It has to be in sync again before the next one goes, or no leader could be had.
    std::this_thread::sleep_for(6s);
  }
  group.produce(2000);
  group.wait_for_all();
  group.wait_for_owners({1, 2, 3});
  one->leave();
  two->leave();
  three->leave();
  EXPECT_EQ(group.check_stored(), group.sent());
}

}  // namespace
}  // namespace tern::real
