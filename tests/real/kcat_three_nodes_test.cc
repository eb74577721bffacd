// Nothing of tern: shows that the cluster elects another leader when one is killed.

#include "tests/real/real_kafka.h"

namespace tern::real {
namespace {

using ThreeNodes = RealKafka;

TEST_F(ThreeNodes, AnotherNodeLeadsWhenTheLeaderIsKilled) {
  ASSERT_EQ(brokers().size(), 3U);
  const std::string topic = unique_topic("kcat");
  ASSERT_EQ(kcat({"-P", "-t", topic, "-p", "0", "-X", "acks=all"}, "before\n").status, 0);
  const std::vector<int> old_leaders = leaders(topic);
  ASSERT_FALSE(old_leaders.empty());
  ASSERT_TRUE(kill_node(old_leaders[0]));
  const Outcome written = kcat({"-P", "-t", topic, "-p", "0", "-X", "acks=all"}, "after\n");
  EXPECT_EQ(written.status, 0) << written.err;
  const std::vector<int> new_leaders = leaders(topic);
  ASSERT_FALSE(new_leaders.empty());
  EXPECT_NE(new_leaders[0], old_leaders[0]);
  ASSERT_TRUE(boot_node(old_leaders[0]));
  EXPECT_EQ(kcat_read(topic, "%s;", 0).out, "before;after;");
}

}  // namespace
}  // namespace tern::real
