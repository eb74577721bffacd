// Frames captured from a real Kafka broker, the Java client, librdkafka and kafka-python, and
// messages of groups written by the Java client's codecs: our descriptions read them to the same
// values as a decoder that works from Kafka's own schemas, and write them again to the same bytes,
// headers included. See capture.py and make_messages.py in tests/golden/frames.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/kafka/messages/all.h"
#include "tests/kafka/codec_testing.h"

namespace tern::kafka::testing {
namespace {

struct Golden {
  std::string source, api, text, where;
  std::int16_t version = 0;
  Direction direction = Direction::request;
  bool embedded = false;  // in other messages, behind its version: no header, no direction
  ByteVector frame;
};

ByteVector from_hex(const std::string& hex) {
  ByteVector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<Golden> load(const std::string& name) {
  std::ifstream file("tests/golden/frames/" + name + ".txt");
  EXPECT_TRUE(file) << name;
  std::vector<Golden> all;
  std::string head, hex, text;
  while (std::getline(file, head) && std::getline(file, hex) && std::getline(file, text)) {
    std::istringstream words(head);
    Golden golden;
    std::string kind, direction;
    words >> kind >> golden.source >> golden.api >> golden.version >> direction;
    EXPECT_TRUE(kind == "frame" || kind == "embedded") << head;
    golden.embedded = kind == "embedded";
    golden.direction = direction == "request" ? Direction::request : Direction::response;
    golden.frame = from_hex(hex);
    golden.text = text;
    golden.where = head;
    all.push_back(std::move(golden));
  }
  return all;
}

std::int16_t key_of(const std::string& name) {
  for (const Api& api : all_apis()) {
    if (name == api.name) return api.key;
  }
  ADD_FAILURE() << name << " is not described";
  return -1;
}

void append(ByteVector& to, const ByteVector& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// Reads the header and says what it would be if we had written it.
ByteVector reread_header(const Golden& golden, std::int16_t key, wire::Reader& reader) {
  if (golden.direction == Direction::request) {
    RequestHeader header;
    EXPECT_TRUE(decode_request_header(reader, header));
    EXPECT_EQ(header.api_key, key);
    EXPECT_EQ(header.api_version, golden.version);
    EXPECT_FALSE(header.client_id.empty());
    ByteVector bytes(request_header_size(header));
    wire::Writer writer(bytes);
    encode_request_header(header, writer);
    return bytes;
  }
  std::int32_t correlation_id = 0;
  EXPECT_TRUE(decode_response_header(reader, key, golden.version, correlation_id));
  ByteVector bytes(response_header_size(key, golden.version));
  wire::Writer writer(bytes);
  encode_response_header(key, golden.version, correlation_id, writer);
  return bytes;
}

template <class M>
void check(const Golden& golden) {
  wire::Reader reader(golden.frame);
  ByteVector again = reread_header(golden, M::api.key, reader);
  wire::Arena arena(wire::Arena::limit_for(golden.frame.size()));
  M message;
  std::int16_t version = golden.version;
  if constexpr (std::same_as<M, ApiVersionsResponse>) {
    ASSERT_TRUE(decode_api_versions_response(reader, version, arena, message));
    if (message.error_code == 35) version = 0;
  } else {
    ASSERT_TRUE(decode(reader, version, arena, message)) << reader.error().message();
  }
  ASSERT_TRUE(reader.expect_end()) << reader.remaining() << " bytes left";
  EXPECT_EQ(print(message, version), golden.text);
  append(again, encode_all(message, version));
  EXPECT_TRUE(again == golden.frame) << "other bytes when written again";
}

template <class M>
void check_embedded(const Golden& golden) {
  wire::Reader reader(golden.frame);
  wire::Arena arena(wire::Arena::limit_for(golden.frame.size()));
  M message;
  ASSERT_TRUE(decode_embedded(reader, arena, message)) << reader.error().message();
  ASSERT_TRUE(reader.expect_end()) << reader.remaining() << " bytes left";
  EXPECT_EQ(print(message, golden.version), golden.text);
  ByteVector again(2);
  wire::Writer(again).i16(golden.version);
  append(again, encode_all(message, golden.version));
  EXPECT_TRUE(again == golden.frame) << "other bytes when written again";
  if (golden.version != M::api.versions.max) return;
  ByteVector newest(*embedded_size(message));
  wire::Writer writer(newest);
  encode_embedded(message, writer);
  EXPECT_TRUE(newest == golden.frame) << "other bytes from encode_embedded()";
}

bool check_embedded_named(const std::string& name, const Golden& golden) {
  return AllEmbedded::any([&]<class M>() {
    if (name != M::api.name) return false;
    check_embedded<M>(golden);
    return true;
  });
}

class GoldenFrames : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenFrames, SameValuesAndSameBytes) {
  const std::vector<Golden> all = load(GetParam());
  ASSERT_FALSE(all.empty());
  for (const Golden& golden : all) {
    SCOPED_TRACE(golden.where);
    if (golden.embedded) {
      EXPECT_TRUE(check_embedded_named(golden.api, golden));
      continue;
    }
    EXPECT_TRUE(
        with_message(key_of(golden.api), golden.direction, [&]<class M>() { check<M>(golden); }));
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, GoldenFrames,
                         ::testing::Values("walk", "groups", "hints", "java", "java_codec",
                                           "librdkafka", "python"),
                         [](const auto& param) { return std::string(param.param); });

TEST(GoldenContent, EveryApiInEveryVersionBothWays) {
  std::set<std::string> have;
  for (const char* source : {"walk", "groups", "java_codec"}) {
    for (const Golden& golden : load(source)) {
      const char* way = golden.direction == Direction::request ? "q" : "r";
      have.insert(golden.api + std::to_string(golden.version) + (golden.embedded ? "e" : way));
    }
  }
  for (const Api& api : all_apis()) {
    for (std::int16_t v = api.versions.min; v <= api.versions.max; ++v) {
      EXPECT_TRUE(have.count(api.name + std::to_string(v) + "q")) << api.name << " request v" << v;
      EXPECT_TRUE(have.count(api.name + std::to_string(v) + "r")) << api.name << " response v" << v;
    }
  }
  AllEmbedded::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t v) {
      EXPECT_TRUE(have.count(M::api.name + std::to_string(v) + "e")) << title<M>(v);
    });
  });
}

// A few values by hand, so that not everything rests on text made by a program.
TEST(GoldenContent, ALeaderHintFromARealBroker) {
  for (const Golden& golden : load("hints")) {
    if (golden.api != "Produce" || golden.direction != Direction::response) continue;
    wire::Reader reader(golden.frame);
    reread_header(golden, 0, reader);
    wire::Arena arena(1 << 20);
    ProduceResponse response;
    ASSERT_TRUE(decode(reader, golden.version, arena, response));
    ASSERT_EQ(response.responses.size(), 1U);
    const auto& partition = response.responses[0].partition_responses[0];
    EXPECT_EQ(partition.error_code, 6);
    EXPECT_EQ(partition.current_leader.leader_id, 2);
    EXPECT_EQ(partition.current_leader.leader_epoch, 0);
    ASSERT_EQ(response.node_endpoints.size(), 1U);
    EXPECT_EQ(response.node_endpoints[0].host.view(), "127.0.0.1");
    EXPECT_TRUE(response.node_endpoints[0].rack.is_null());
  }
}

}  // namespace
}  // namespace tern::kafka::testing
