// Configuration: what is refused, and that the words name the field.
#include "client/kafka/config.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "client/kafka/endpoint.h"

namespace tern::kafka {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Endpoints, AreReadAsPeopleWriteThem) {
  const std::pair<const char*, Endpoint> good[] = {
      {"host", {"host", 9092}},
      {"host:1", {"host", 1}},
      {"1.2.3.4:65535", {"1.2.3.4", 65535}},
      {"[::1]:9093", {"::1", 9093}},
      {"[fe80::1]", {"fe80::1", 9092}},
  };
  for (const auto& [text, want] : good) {
    Endpoint endpoint;
    EXPECT_TRUE(parse_endpoint(text, endpoint)) << text;
    EXPECT_EQ(endpoint, want) << text;
  }
  for (const char* text :
       {"", ":9092", "host:", "host:0", "host:65536", "host:-1", "host:12x", "::1", "[::1", "[]",
        "[::1]9092", "http://host:9092", "a b:1", "a:1,b:2", "host:1:2", "[::1]:"}) {
    Endpoint endpoint{"untouched", 7};
    EXPECT_FALSE(parse_endpoint(text, endpoint)) << text;
    EXPECT_EQ(endpoint, (Endpoint{"untouched", 7})) << text;
  }
}

TEST(Config, DefaultsAreGood) {
  ClientConfig client;
  EXPECT_TRUE(check(client)) << "but for the servers";
  client.bootstrap = {"host"};
  EXPECT_FALSE(check(client));
  EXPECT_FALSE(check(ProducerConfig(), client));
  EXPECT_FALSE(check(ConsumerConfig()));
}

TEST(Config, ClientProblemsNameTheField) {
  const std::pair<const char*, std::function<void(ClientConfig&)>> bad[] = {
      {"bootstrap", [](ClientConfig& c) { c.bootstrap.clear(); }},
      {"nonsense://", [](ClientConfig& c) { c.bootstrap.push_back("nonsense://"); }},
      {"client_id", [](ClientConfig& c) { c.client_id = std::string(40'000, 'x'); }},
      {"connect_timeout", [](ClientConfig& c) { c.connect_timeout = Duration::zero(); }},
      {"request_timeout", [](ClientConfig& c) { c.request_timeout = hours(24 * 30); }},
      {"reconnect_backoff", [](ClientConfig& c) { c.reconnect_backoff = seconds(-1); }},
      {"reconnect_backoff_max", [](ClientConfig& c) { c.reconnect_backoff_max = milliseconds(1); }},
      {"retry_backoff", [](ClientConfig& c) { c.retry_backoff = Duration::zero(); }},
      {"retry_backoff_max", [](ClientConfig& c) { c.retry_backoff_max = milliseconds(1); }},
      {"metadata_max_age", [](ClientConfig& c) { c.metadata_max_age = Duration::zero(); }},
      {"connections_max_idle", [](ClientConfig& c) { c.connections_max_idle = Duration::zero(); }},
      {"operation_timeout", [](ClientConfig& c) { c.operation_timeout = Duration::zero(); }},
      {"max_response_bytes", [](ClientConfig& c) { c.max_response_bytes = 10; }},
      {"max_response_bytes", [](ClientConfig& c) { c.max_response_bytes = std::size_t{3} << 30; }},
      {"codecs", [](ClientConfig& c) { c.codecs.push_back(nullptr); }},
      {"gzip", [](ClientConfig& c) { c.codecs = {gzip(77)}; }},
  };
  for (const auto& [field, spoil] : bad) {
    ClientConfig config;
    config.bootstrap = {"host:9092"};
    spoil(config);
    const Failure failure = check(config);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << field;
    EXPECT_NE(failure.message().find(field), std::string::npos) << failure.message();
  }
}

TEST(Config, ProducerProblemsNameTheField) {
  const std::pair<const char*, std::function<void(ProducerConfig&)>> bad[] = {
      {"acks", [](ProducerConfig& c) { c.acks = static_cast<Acks>(2), c.idempotence = false; }},
      {"idempotence", [](ProducerConfig& c) { c.acks = Acks::leader; }},
      {"max_in_flight", [](ProducerConfig& c) { c.max_in_flight = 0; }},
      {"max_in_flight", [](ProducerConfig& c) { c.max_in_flight = 6; }},
      {"linger", [](ProducerConfig& c) { c.linger = seconds(-1); }},
      {"batch_bytes", [](ProducerConfig& c) { c.batch_bytes = 0; }},
      {"max_request_bytes", [](ProducerConfig& c) { c.max_request_bytes = 10; }},
      {"buffer_bytes", [](ProducerConfig& c) { c.buffer_bytes = c.batch_bytes; }},
      {"delivery_timeout", [](ProducerConfig& c) { c.delivery_timeout = Duration::zero(); }},
      {"delivery_timeout", [](ProducerConfig& c) { c.linger = hours(1); }},
      {"metadata_timeout", [](ProducerConfig& c) { c.metadata_timeout = Duration::zero(); }},
  };
  ClientConfig client;
  client.bootstrap = {"host:9092"};
  for (const auto& [field, spoil] : bad) {
    ProducerConfig config;
    spoil(config);
    const Failure failure = check(config, client);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << field;
    EXPECT_NE(failure.message().find(field), std::string::npos) << failure.message();
  }
  ProducerConfig zstd{.compression = Compression::zstd};
  EXPECT_EQ(check(zstd, client).code, ClientErrc::codec_missing);
  EXPECT_NE(check(zstd, client).message().find("zstd"), std::string::npos);
}

TEST(Config, ConsumerProblemsNameTheField) {
  const std::pair<const char*, std::function<void(ConsumerConfig&)>> bad[] = {
      {"assignment", [](ConsumerConfig& c) { c.assignment = {{"", 0}}; }},
      {"assignment", [](ConsumerConfig& c) { c.assignment = {{"t", -1}}; }},
      {"fetch_max_wait", [](ConsumerConfig& c) { c.fetch_max_wait = seconds(-1); }},
      {"fetch_max_bytes", [](ConsumerConfig& c) { c.fetch_max_bytes = 0; }},
      {"partition_max_bytes", [](ConsumerConfig& c) { c.partition_max_bytes = 0; }},
      {"prefetch_bytes", [](ConsumerConfig& c) { c.prefetch_bytes = 0; }},
      {"max_decompressed_batch_bytes",
       [](ConsumerConfig& c) { c.max_decompressed_batch_bytes = 0; }},
      {"offset_reset_age", [](ConsumerConfig& c) { c.offset_reset = OffsetReset::age; }},
      {"topics", [](ConsumerConfig& c) { c.topics = {"t"}; }},
      {"topics", [](ConsumerConfig& c) { c.topic_pattern = "t"; }},
      {"topics", [](ConsumerConfig& c) { c.group = "g", c.topics = {""}; }},
      {"instance_id", [](ConsumerConfig& c) { c.instance_id = "i"; }},
  };
  for (const auto& [field, spoil] : bad) {
    ConsumerConfig config;
    spoil(config);
    const Failure failure = check(config);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << field;
    EXPECT_NE(failure.message().find(field), std::string::npos) << failure.message();
  }
}

TEST(Config, GroupProblemsNameTheField) {
  const std::pair<const char*, std::function<void(ConsumerConfig&)>> bad[] = {
      {"assignment", [](ConsumerConfig& c) { c.assignment = {{"t", 0}}; }},
      {"topic_pattern", [](ConsumerConfig& c) { c.topic_pattern = "(t"; }},
      {"session_timeout", [](ConsumerConfig& c) { c.session_timeout = Duration::zero(); }},
      {"heartbeat_interval", [](ConsumerConfig& c) { c.heartbeat_interval = seconds(45); }},
      {"max_poll_interval", [](ConsumerConfig& c) { c.max_poll_interval = Duration::zero(); }},
      {"auto_commit_interval", [](ConsumerConfig& c) { c.auto_commit_interval = seconds(-1); }},
      {"assignors", [](ConsumerConfig& c) { c.assignors = {}; }},
      {"assignors", [](ConsumerConfig& c) { c.assignors = {"rang"}; }},
      {"assignors", [](ConsumerConfig& c) { c.assignors = {"range", "range"}; }},
      {"own_assignors", [](ConsumerConfig& c) { c.own_assignors = {nullptr}; }},
  };
  ConsumerConfig member;
  member.group = "g";
  member.topics = {"t"};
  EXPECT_FALSE(check(member));
  for (const auto& [field, spoil] : bad) {
    ConsumerConfig config = member;
    spoil(config);
    const Failure failure = check(config);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << field;
    EXPECT_NE(failure.message().find(field), std::string::npos) << failure.message();
  }
}

}  // namespace
}  // namespace tern::kafka
