#include "protocol/kafka/murmur2.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/kafka/records_dump.h"

namespace tern::kafka {
namespace {

TEST(Murmur2, EqualsTheJavaClient) {
  std::ifstream file("tests/golden/records/murmur2.txt");
  int vectors = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    const std::size_t quote = line.rfind('\'');
    ASSERT_NE(quote, std::string::npos) << line;
    const std::vector<std::byte> key = testing::from_hex(line.substr(1, quote - 1));
    EXPECT_EQ(murmur2(std::span<const std::byte>(key)), std::stol(line.substr(quote + 1))) << line;
    ++vectors;
  }
  EXPECT_GE(vectors, 100);
}

TEST(Murmur2, PartitionsMaskTheSignInsteadOfNegating) {
  ASSERT_EQ(murmur2("21"), -973932308);
  EXPECT_EQ(partition_for_key("21", 1000), (-973932308 & 0x7fffffff) % 1000);
  EXPECT_NE(partition_for_key("21", 1000), 973932308 % 1000);
  EXPECT_EQ(partition_for_key("anything", 1), 0);
}

}  // namespace
}  // namespace tern::kafka
