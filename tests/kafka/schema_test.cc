// The descriptions agree with Kafka's own schemas, as tests/golden/refresh_schema.py took them from
// the kafka-clients jar: every field of every message, in wire order, with its type, versions,
// nullability, tag, default and whether it may be ignored.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "protocol/kafka/messages/all.h"

namespace tern::kafka {
namespace {

// Message name (with direction) to its lines.
std::map<std::string, std::string> golden() {
  std::ifstream file("tests/golden/schema.txt");
  EXPECT_TRUE(file) << "tests/golden/schema.txt is not there";
  std::map<std::string, std::string> messages;
  std::string line, name;
  while (std::getline(file, line)) {
    if (line[0] != ' ') name = line.substr(0, line.find(' '));
    messages[name] += line + "\n";
  }
  return messages;
}

TEST(Schema, EveryDescriptionIsKafkas) {
  auto expected = golden();
  AllDescribed::for_each([&]<class M>() {
    const std::string name = message_name<M>();
    const auto it = expected.find(name);
    ASSERT_NE(it, expected.end()) << name << " is missing in schema.txt";
    EXPECT_EQ(schema_dump<M>(), it->second);
    expected.erase(it);
  });
  for (const auto& [name, lines] : expected) ADD_FAILURE() << name << " has no description";
}

TEST(Schema, TheGoldenFileIsWhole) {
  // So that an empty file cannot pass, and the odd kinds of field are known to be in it.
  const auto messages = golden();
  EXPECT_GE(messages.size(), 50U);
  const std::string fetch = messages.at("FetchRequest");
  EXPECT_NE(
      fetch.find("high_watermark int64 18-18 tag=1@18-18 ignorable default=9223372036854775807"),
      std::string::npos);
  EXPECT_NE(messages.at("InitProducerIdRequest").find("unstable=6"), std::string::npos);
  EXPECT_EQ(messages.at("ConsumerProtocolAssignment").find("key="), std::string::npos);
  EXPECT_NE(messages.at("ConsumerGroupHeartbeatResponse")
                .find("assignment struct 0-1 nullable=0-1 default=null"),
            std::string::npos);
}

TEST(Schema, UnstableVersionsAreNotNegotiated) {
  EXPECT_EQ(InitProducerIdRequest::api.versions, (VersionRange{0, 6}));
  EXPECT_EQ(InitProducerIdRequest::api.negotiable(), (VersionRange{0, 5}));
  for (const Api& api : all_apis()) {
    if (api.key != InitProducerIdRequest::api.key) {
      EXPECT_EQ(api.negotiable(), api.versions) << api.name;
    }
  }
}

}  // namespace
}  // namespace tern::kafka
