// Nothing of tern: shows that the broker and kcat work, so that a failure of the other suites is
// tern's.

#include "tests/real/real_kafka.h"

namespace tern::real {
namespace {

using OneNode = RealKafka;

TEST_F(OneNode, KcatReadsWhatKcatWrote) {
  const std::string topic = unique_topic("kcat");
  const Outcome written = kcat({"-P", "-t", topic, "-K", ":"}, "k1:one\nk2:\nk3:three\n");
  ASSERT_EQ(written.status, 0) << written.err;
  const Outcome read = kcat_read(topic, "%k=%s;");
  ASSERT_EQ(read.status, 0) << read.err;
  EXPECT_EQ(read.out, "k1=one;k2=;k3=three;");
}

TEST_F(OneNode, MoreThanAPipeHolds) {
  const std::string topic = unique_topic("kcat");
  std::string lines;
  for (int i = 0; i < 100000; ++i) lines += std::to_string(i) + '\n';
  const Outcome written = kcat({"-P", "-t", topic, "-p", "0"}, lines);
  ASSERT_EQ(written.status, 0) << written.err;
  EXPECT_EQ(kcat_read(topic, "%s\n", 0).out, lines);
}

TEST_F(OneNode, ComesBackAfterAKillWithItsRecords) {
  const std::string topic = unique_topic("kcat");
  ASSERT_EQ(kcat({"-P", "-t", topic, "-p", "0"}, "before\n").status, 0);
  ASSERT_TRUE(kill_node(1));
  ASSERT_TRUE(boot_node(1));
  const Outcome written = kcat({"-P", "-t", topic, "-p", "0"}, "after\n");
  ASSERT_EQ(written.status, 0) << written.err;
  EXPECT_EQ(kcat_read(topic, "%s;", 0).out, "before;after;");
}

}  // namespace
}  // namespace tern::real
