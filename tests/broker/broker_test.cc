// The connection, versions, Metadata, Produce, offsets: all but Fetch and faults.
#include "tests/broker/broker.h"

#include <gtest/gtest.h>

#include "protocol/kafka/generate.h"
#include "protocol/kafka/gzip.h"
#include "tests/broker/testing.h"

namespace tern::broker {
namespace {

using namespace std::chrono_literals;

kafka::ApiVersionsRequest hello() {
  kafka::ApiVersionsRequest request;
  request.client_software_name = "tern-test";
  request.client_software_version = "1.0";
  return request;
}

const kafka::ApiVersionsResponse::ApiVersion* find_key(const kafka::ApiVersionsResponse& response,
                                                       std::int16_t key) {
  for (const auto& one : response.api_keys) {
    if (one.api_key == key) return &one;
  }
  return nullptr;
}

TEST(ApiVersions, ListsWhatIsImplemented) {
  Fixture fixture;
  Client client = fixture.client();
  for (std::int16_t version = 0; version <= 5; ++version) {
    const auto reply = client.call(hello(), version);
    EXPECT_EQ(reply->error_code, 0);
    EXPECT_EQ(reply->api_keys.size(), served_apis().size());
    ASSERT_TRUE(find_key(reply.value, 0) && find_key(reply.value, 22));
    EXPECT_EQ(find_key(reply.value, 0)->min_version, 0);  // though 0 to 2 are refused
    EXPECT_EQ(find_key(reply.value, 0)->max_version, 13);
    EXPECT_EQ(find_key(reply.value, 22)->max_version, 5);  // 6 is unstable
    EXPECT_EQ(reply->finalized_features.size(), version >= 3 ? 3U : 0U);
    EXPECT_EQ(reply->supported_features.size(), version >= 4 ? 3U : version == 3 ? 1U : 0U);
  }
}

TEST(ApiVersions, AnswersAnUnknownVersionInTheOldestForm) {
  Fixture fixture;
  fixture.cluster().limit_api(18, 2);
  Client client = fixture.client();
  const auto reply = client.call(hello(), 5);
  EXPECT_EQ(err(reply->error_code), BrokerErrc::unsupported_version);
  ASSERT_EQ(reply->api_keys.size(), 1U);
  EXPECT_EQ(reply->api_keys[0].api_key, 18);
  EXPECT_EQ(reply->api_keys[0].max_version, 2);
  EXPECT_EQ(reply.bytes->size(), 4U + 2 + 4 + 6);
  EXPECT_EQ(client.call(hello(), 2)->error_code, 0);
}

TEST(ApiVersions, ChecksNamesAndIdentity) {
  Fixture fixture;
  Client client = fixture.client();
  auto request = hello();
  request.client_software_name = "-x";
  EXPECT_EQ(err(client.call(request, 3)->error_code), BrokerErrc::invalid_request);
  EXPECT_EQ(client.call(request, 2)->error_code, 0);
  request = hello();
  request.cluster_id = fixture.cluster().config().cluster_id;
  request.node_id = 1;
  EXPECT_EQ(client.call(request, 5)->error_code, 0);
  request.node_id = 2;
  EXPECT_EQ(err(client.call(request, 5)->error_code), BrokerErrc::rebootstrap_required);
}

TEST(ApiVersions, PlaysOldReleases) {
  Fixture fixture;
  Client client = fixture.client();
  fixture.cluster().set_release(Release::kafka_2_1);
  auto reply = client.call(hello(), 2);
  EXPECT_EQ(find_key(reply.value, 0)->max_version, 7);
  EXPECT_EQ(find_key(reply.value, 1)->max_version, 10);
  EXPECT_EQ(err(client.call(hello(), 3)->error_code), BrokerErrc::unsupported_version);
  fixture.cluster().limit_api(22, -1);
  reply = client.call(hello(), 2);
  EXPECT_EQ(find_key(reply.value, 22), nullptr);
}

TEST(Connection, ClosesOnWhatItDoesNotKnow) {
  Fixture fixture;
  const auto closes = [&](const Bytes& bytes) {
    Client client = fixture.client();
    client.send_bytes(bytes);
    return !client.connected() && client.unread().empty();
  };
  const auto text = [](std::string_view words) {
    const auto bytes = std::as_bytes(std::span(words));
    return Bytes(bytes.begin(), bytes.end());
  };
  EXPECT_TRUE(closes(text("GET / HTTP/1.1\r\n\r\n")));
  EXPECT_TRUE(closes(Bytes(4)));  // an empty frame
  EXPECT_TRUE(closes(Bytes{std::byte{0xff}, std::byte{}, std::byte{}, std::byte{}}));  // negative
  Bytes unknown = request_bytes(hello(), 0, 1);
  unknown[5] = std::byte{99};  // api key
  EXPECT_TRUE(closes(unknown));
  EXPECT_TRUE(closes(request_bytes(kafka::MetadataRequest{}, 13, 1)) == false);
  Bytes future = request_bytes(kafka::MetadataRequest{}, 13, 1);
  future[7] = std::byte{14};  // version
  EXPECT_TRUE(closes(future));
  Bytes cut = request_bytes(hello(), 3, 1);
  cut[3] = static_cast<std::byte>(std::to_integer<int>(cut[3]) - 3);
  EXPECT_TRUE(closes(cut));
  EXPECT_EQ(fixture.cluster().open_sessions(), 1U);
}

TEST(Connection, TakesNoFrameAboveTheLimit) {
  ClusterConfig config;
  config.max_frame_bytes = 1000;
  Fixture fixture(1, config);
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  const Bytes batch = make_batch({.values = {std::string(2000, 'x')}});
  client.send(Produce("t", 0, batch).request, 9);
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(fixture.cluster().log("t", 0)->end_offset(), 0);
}

// The same bytes in pieces of any size have the same effect.
class Pieces : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Pieces, testing::Values(1, 3, 4, 7, 1000, 65536, 1 << 20));

TEST_P(Pieces, ProduceAndFetch) {
  Fixture fixture(1, {}, GetParam());
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  const Strings values = {std::string(10, 'a'), std::string(3000, 'b'), std::string(50000, 'c')};
  Bytes all;
  std::int32_t correlation = 0;
  for (const std::string& value : values) {
    const Bytes batch = make_batch({.values = {value}});
    const Bytes bytes = request_bytes(Produce("t", 0, batch).request, 9, ++correlation);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  client.send_bytes(all);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto reply = client.receive<kafka::ProduceRequest>(9);
    EXPECT_EQ(reply->responses[0].partition_responses[0].base_offset, i);
  }
  EXPECT_EQ(log_values(*fixture.cluster().log("t", 0)), values);
  client = fixture.client();
  const auto reply = client.call(Fetch("t").request, 12);
  EXPECT_EQ(values_of(reply->responses[0].partitions[0].records), values);
}

bool served(std::int16_t key) {
  const auto apis = served_apis();
  return std::any_of(apis.begin(), apis.end(), [&](const auto& api) { return api.key == key; });
}

// Whatever well-formed request comes, there is an answer that can be decoded: no field is filled in
// that the version cannot carry.
TEST(Connection, AnswersEveryVersionOfEveryApi) {
  ClusterConfig config;
  config.default_replication_factor = 2;
  Fixture fixture(2, config);
  kafka::Random random(1);
  wire::Arena arena(1U << 28);
  int answers = 0;
  kafka::AllRequests::any([&]<class M>() {
    if (!served(M::api.key)) return false;
    if constexpr (!std::is_same_v<M, kafka::ApiVersionsRequest>) {
      const kafka::VersionRange range = M::api.negotiable();
      for (std::int16_t version = range.min; version <= range.max; ++version) {
        for (int i = 0; i < 50; ++i) {
          M message = kafka::generate<M>(random, version, arena);
          if constexpr (std::is_same_v<M, kafka::ProduceRequest>) message.acks = i % 2 ? 1 : -1;
          if constexpr (std::is_same_v<M, kafka::FetchRequest>) message.max_wait_ms = 0;
          Client client = fixture.client();
          client.send(message, version);
          EXPECT_TRUE(client.connected()) << M::api.name << " v" << version;
          if (!client.connected()) continue;
          client.template receive<M>(version);
          ++answers;
          fixture.network.hang_up(client.id());
        }
      }
    }
    return false;
  });
  EXPECT_GT(answers, 50 * 60);
}

// The same over real topics, where answers have content.
TEST(Connection, FillsOnlyWhatTheVersionCarries) {
  Fixture fixture(2);
  fixture.cluster().create_topic("t", {.partitions = 2, .replication_factor = 2});
  Client client = fixture.client();
  const wire::Uuid id = fixture.cluster().find_topic("t")->id;
  for (std::int16_t v = 3; v <= 13; ++v) {
    const Bytes batch = make_batch({});
    const auto reply = client.call(Produce("t", 0, batch, -1, id).request, v);
    EXPECT_EQ(reply->responses[0].partition_responses[0].error_code, 0) << v;
    EXPECT_EQ(reply->responses[0].partition_responses[0].base_offset, v - 3);
  }
  for (std::int16_t v = 4; v <= 18; ++v) {
    Fetch fetch("t", {0, 0}, id);
    fetch.request.session_epoch = v >= 7 ? 0 : -1;
    const auto reply = client.call(fetch.request, v);
    ASSERT_EQ(reply->responses.size(), 1U) << v;
    EXPECT_EQ(values_of(reply->responses[0].partitions[0].records).size(), 11U);
    EXPECT_EQ(reply->session_id != 0, v >= 7);
    // The other partition is led elsewhere; followers serve newer consumers.
    EXPECT_EQ(err(reply->responses[0].partitions[1].error_code),
              v >= 11 ? BrokerErrc::none : BrokerErrc::not_leader_or_follower);
  }
  for (std::int16_t v = 1; v <= 11; ++v) {
    const kafka::ListOffsetsRequest::ListOffsetsPartition partition{0, -1, -1};
    const kafka::ListOffsetsRequest::ListOffsetsTopic topic{"t", {&partition, 1}};
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    request.topics = {&topic, 1};
    EXPECT_EQ(client.call(request, v)->topics[0].partitions[0].offset, 11) << v;
  }
  for (std::int16_t v = 0; v <= 13; ++v) {
    kafka::MetadataRequest request;
    if (v > 0) request.topics = wire::Array<kafka::MetadataRequest::MetadataRequestTopic>::null();
    request.include_cluster_authorized_operations = v >= 8 && v <= 10;
    request.include_topic_authorized_operations = v >= 8;
    const auto reply = client.call(request, v);
    EXPECT_EQ(reply->brokers.size(), 2U);
    ASSERT_EQ(reply->topics.size(), 1U);
    EXPECT_EQ(reply->topics[0].partitions.size(), 2U);
    EXPECT_EQ(reply->topics[0].topic_id == id, v >= 10);
  }
}

TEST(Connection, AnswersInOrder) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  Fetch fetch("t");
  fetch.request.max_wait_ms = 1000;
  client.send(fetch.request, 12);
  client.send(kafka::MetadataRequest{}, 12);
  EXPECT_FALSE(client.has_answer());  // the waiting Fetch holds up what is behind it
  EXPECT_TRUE(fixture.network.pipe(client.id()).paused);
  fixture.advance(1s);
  EXPECT_EQ(client.receive<kafka::FetchRequest>(12)->responses.size(), 1U);
  client.receive<kafka::MetadataRequest>(12);
  EXPECT_FALSE(fixture.network.pipe(client.id()).paused);
}

TEST(Connection, AWaitingRequestDiesWithItsConnection) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  Fetch fetch("t");
  fetch.request.max_wait_ms = 1000;
  client.send(fetch.request, 12);
  fixture.network.hang_up(client.id());
  fixture.run();
  EXPECT_EQ(fixture.cluster().open_sessions(), 0U);
  EXPECT_EQ(fixture.kafka.next_deadline(), kNever);
}

// ------------------------------------------------------------------------------------ metadata

using MetadataTopic = kafka::MetadataRequest::MetadataRequestTopic;

kafka::MetadataRequest ask_for(const MetadataTopic& topic) {
  kafka::MetadataRequest request;
  request.topics = {&topic, 1};
  return request;
}

TEST(Metadata, NoListIsAllAndAnEmptyListIsNone) {
  Fixture fixture(3);
  fixture.cluster().create_topic("a", {.partitions = 2});
  fixture.cluster().create_topic("b");
  Client client = fixture.client();
  kafka::MetadataRequest request;
  EXPECT_EQ(client.call(request, 0)->topics.size(), 2U);
  EXPECT_EQ(client.call(request, 1)->topics.size(), 0U);
  request.topics = wire::Array<MetadataTopic>::null();
  const auto reply = client.call(request, 12);
  EXPECT_EQ(reply->topics.size(), 2U);
  EXPECT_EQ(reply->controller_id, 1);
  EXPECT_EQ(reply->cluster_id.view(), fixture.cluster().config().cluster_id);
  EXPECT_EQ(reply->brokers[2].node_id, 3);
  EXPECT_EQ(reply->brokers[2].port, fixture.kafka.broker(3).endpoint().port);
}

TEST(Metadata, ByIdAndUnknown) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  MetadataTopic topic;
  topic.name = wire::Text::null();
  topic.topic_id = fixture.cluster().find_topic("t")->id;
  auto reply = client.call(ask_for(topic), 12);
  EXPECT_EQ(reply->topics[0].name, wire::Text("t"));
  EXPECT_EQ(reply->topics[0].error_code, 0);
  reply = client.call(ask_for(topic), 11);
  EXPECT_EQ(err(reply->topics[0].error_code), BrokerErrc::invalid_request);
  topic.topic_id.bytes[0] ^= 1;
  reply = client.call(ask_for(topic), 12);
  EXPECT_EQ(err(reply->topics[0].error_code), BrokerErrc::unknown_topic_id);
  EXPECT_TRUE(reply->topics[0].name.is_null());
}

TEST(Metadata, TellsATopicOnceHoweverOftenItIsNamed) {
  Fixture fixture;
  fixture.cluster().create_topic("a");
  fixture.cluster().create_topic("b");
  Client client = fixture.client();
  std::vector<MetadataTopic> topics(5);
  for (std::size_t i = 0; i < topics.size(); ++i) topics[i].name = i == 3 ? "b" : "a";
  kafka::MetadataRequest request;
  request.topics = {topics.data(), topics.size()};
  const auto reply = client.call(request, 12);
  ASSERT_EQ(reply->topics.size(), 2U);
  EXPECT_EQ(reply->topics[0].name, wire::Text("a"));
  EXPECT_EQ(reply->topics[1].name, wire::Text("b"));
}

TEST(Metadata, MakesATopicOnFirstUse) {
  Fixture fixture;
  Client client = fixture.client();
  const MetadataTopic topic{{}, "new"};
  auto request = ask_for(topic);
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(err(client.call(request, 9)->topics[0].error_code),
            BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(fixture.cluster().find_topic("new"), nullptr);
  request.allow_auto_topic_creation = true;
  EXPECT_EQ(err(client.call(request, 9)->topics[0].error_code),
            BrokerErrc::unknown_topic_or_partition);
  const auto reply = client.call(request, 9);
  EXPECT_EQ(reply->topics[0].error_code, 0);
  EXPECT_EQ(reply->topics[0].partitions.size(), 1U);

  fixture.cluster().mutable_config().auto_create_topics = false;
  const MetadataTopic other{{}, "other"};
  client.call(ask_for(other), 9);
  EXPECT_EQ(err(client.call(ask_for(other), 9)->topics[0].error_code),
            BrokerErrc::unknown_topic_or_partition);
  const MetadataTopic bad{{}, "b/d"};
  EXPECT_EQ(err(client.call(ask_for(bad), 9)->topics[0].error_code),
            BrokerErrc::invalid_topic_exception);
}

TEST(Metadata, FollowsLeadersAndNodes) {
  Fixture fixture(2);
  fixture.cluster().create_topic("t", {.partitions = 1, .replication_factor = 2});
  Client client = fixture.client(2);
  const MetadataTopic topic{{}, "t"};
  auto reply = client.call(ask_for(topic), 9);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_id, 1);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_epoch, 0);
  EXPECT_EQ(reply->topics[0].partitions[0].isr_nodes.size(), 2U);

  fixture.cluster().stop_node(1, /*elect=*/false);  // nobody has noticed yet
  reply = client.call(ask_for(topic), 9);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_id, 1);
  EXPECT_EQ(reply->brokers.size(), 2U);
  fixture.cluster().elect_leaders();
  reply = client.call(ask_for(topic), 9);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_id, 2);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_epoch, 1);
  EXPECT_EQ(reply->topics[0].partitions[0].offline_replicas.size(), 1U);
  EXPECT_EQ(reply->brokers.size(), 1U);

  fixture.cluster().create_topic("lost", {.assignments = {{1}}});
  fixture.cluster().elect_leaders();
  const MetadataTopic lost{{}, "lost"};
  reply = client.call(ask_for(lost), 9);
  EXPECT_EQ(err(reply->topics[0].partitions[0].error_code), BrokerErrc::leader_not_available);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_id, -1);
  EXPECT_FALSE(fixture.cluster().start_node(1));
  reply = client.call(ask_for(lost), 9);
  EXPECT_EQ(reply->topics[0].partitions[0].leader_id, 1);
}

// ------------------------------------------------------------------------------------- produce

TEST(Produce, StoresAndAnswers) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  const auto first = produce(client, "t", 0, make_batch({.values = {"a", "b"}}));
  EXPECT_EQ(first.error_code, 0);
  EXPECT_EQ(first.base_offset, 0);
  EXPECT_EQ(first.log_start_offset, 0);
  EXPECT_EQ(produce(client, "t", 0, make_batch({.codec = kafka::gzip()})).base_offset, 2);
  EXPECT_EQ(log_values(*fixture.cluster().log("t", 0)), (Strings{"a", "b", "a"}));
  EXPECT_EQ(err(produce(client, "t", 1, make_batch({})).error_code),
            BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(err(produce(client, "none", 0, make_batch({})).error_code),
            BrokerErrc::unknown_topic_or_partition);
}

TEST(Produce, AcksZeroIsSilentAndClosesOnError) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  const Bytes batch = make_batch({});
  client.send(Produce("t", 0, batch, 0).request, 9);
  EXPECT_FALSE(client.has_answer());
  EXPECT_TRUE(client.connected());
  EXPECT_EQ(fixture.cluster().log("t", 0)->end_offset(), 1);
  client.send(Produce("t", 5, batch, 0).request, 9);
  EXPECT_FALSE(client.connected());
}

TEST(Produce, ChecksAcks) {
  Fixture fixture(2);
  fixture.cluster().create_topic(
      "t", {.replication_factor = 2, .configs = {{"min.insync.replicas", "2"}}});
  Client client = fixture.client();
  const Bytes batch = make_batch({});
  const auto send = [&](std::int16_t acks) {
    return err(client.call(Produce("t", 0, batch, acks).request, 9)
                   ->responses[0]
                   .partition_responses[0]
                   .error_code);
  };
  EXPECT_EQ(send(2), BrokerErrc::invalid_required_acks);
  EXPECT_EQ(send(-1), BrokerErrc::none);
  fixture.cluster().stop_node(2);
  EXPECT_EQ(send(-1), BrokerErrc::not_enough_replicas);
  EXPECT_EQ(send(1), BrokerErrc::none);
}

TEST(Produce, HintsTheNewLeader) {
  Fixture fixture(2);
  fixture.cluster().create_topic("t", {.replication_factor = 2});
  Client client = fixture.client(1);
  fixture.cluster().move_leader("t", 0, 2);
  const Bytes batch = make_batch({});
  for (const std::int16_t version : {std::int16_t{9}, std::int16_t{10}}) {
    const auto reply = client.call(Produce("t", 0, batch).request, version);
    const auto& partition = reply->responses[0].partition_responses[0];
    EXPECT_EQ(err(partition.error_code), BrokerErrc::not_leader_or_follower);
    EXPECT_EQ(partition.base_offset, -1);
    EXPECT_EQ(partition.current_leader.leader_id, version >= 10 ? 2 : -1);
    if (version < 10) continue;
    EXPECT_EQ(partition.current_leader.leader_epoch, 1);
    ASSERT_EQ(reply->node_endpoints.size(), 1U);
    EXPECT_EQ(reply->node_endpoints[0].port, fixture.kafka.broker(2).endpoint().port);
  }
  Client other = fixture.client(2);
  EXPECT_EQ(produce(other, "t", 0, batch).error_code, 0);
  EXPECT_EQ(fixture.cluster().log("t", 0)->batches()[0].leader_epoch, 1);
}

TEST(Produce, ByTopicId) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  const Bytes batch = make_batch({});
  const wire::Uuid id = fixture.cluster().find_topic("t")->id;
  auto reply = client.call(Produce("", 0, batch, -1, id).request, 13);
  EXPECT_EQ(reply->responses[0].partition_responses[0].error_code, 0);
  EXPECT_EQ(reply->responses[0].topic_id, id);
  fixture.cluster().recreate_topic("t");
  reply = client.call(Produce("", 0, batch, -1, id).request, 13);
  EXPECT_EQ(err(reply->responses[0].partition_responses[0].error_code),
            BrokerErrc::unknown_topic_id);
}

TEST(Produce, TellsWhichRecordIsWrong) {
  Fixture fixture;
  fixture.cluster().create_topic("t", {.configs = {{"cleanup.policy", "compact"}}});
  Client client = fixture.client();
  const Bytes batch = make_batch({});
  const auto reply = client.call(Produce("t", 0, batch).request, 8);
  const auto& partition = reply->responses[0].partition_responses[0];
  EXPECT_EQ(err(partition.error_code), BrokerErrc::invalid_record);
  ASSERT_EQ(partition.record_errors.size(), 1U);
  EXPECT_EQ(partition.record_errors[0].batch_index, 0);
  EXPECT_FALSE(partition.error_message.empty());
}

TEST(InitProducerId, GivesOutNewIds) {
  Fixture fixture(2);
  Client one = fixture.client(1);
  Client two = fixture.client(2);
  kafka::InitProducerIdRequest request;
  request.transactional_id = wire::Text::null();
  const auto first = one.call(request, 4);
  EXPECT_EQ(first->producer_epoch, 0);
  request.producer_id = first->producer_id;
  request.producer_epoch = 3;
  const auto second = two.call(request, 4);
  EXPECT_NE(second->producer_id, first->producer_id);
  EXPECT_EQ(second->producer_epoch, 0);
  request.transactional_id = "";
  EXPECT_EQ(err(one.call(request, 4)->error_code), BrokerErrc::invalid_request);
}

// ------------------------------------------------------------------------------------- offsets

TEST(ListOffsets, EndsAndTimes) {
  Fixture fixture(2);
  fixture.cluster().create_topic("t", {.replication_factor = 2});
  Client client = fixture.client();
  produce(client, "t", 0, make_batch({.values = {"a", "b", "c"}, .timestamp_ms = 1000}));
  produce(client, "t", 0, make_batch({.values = {"d"}, .timestamp_ms = 500}));
  fixture.cluster().delete_records("t", 0, 1);
  const auto ask = [&](std::int64_t timestamp, std::int32_t epoch = -1, std::int16_t version = 7) {
    const kafka::ListOffsetsRequest::ListOffsetsPartition partition{0, epoch, timestamp};
    const kafka::ListOffsetsRequest::ListOffsetsTopic topic{"t", {&partition, 1}};
    kafka::ListOffsetsRequest request;
    request.topics = {&topic, 1};
    return client.call(request, version)->topics[0].partitions[0];
  };
  EXPECT_EQ(ask(-2).offset, 1);
  EXPECT_EQ(ask(-1).offset, 4);
  EXPECT_EQ(ask(-1).timestamp, -1);
  EXPECT_EQ(ask(-3).offset, 2);
  EXPECT_EQ(ask(-3).timestamp, 1002);
  EXPECT_EQ(err(ask(-3, -1, 6).error_code), BrokerErrc::unsupported_version);
  EXPECT_EQ(ask(1001).offset, 1);
  EXPECT_EQ(ask(1001).leader_epoch, 0);
  EXPECT_EQ(ask(9999).offset, -1);
  EXPECT_EQ(err(ask(-1, 1).error_code), BrokerErrc::unknown_leader_epoch);
  fixture.cluster().move_leader("t", 0, 2);
  EXPECT_EQ(err(ask(-1, 0).error_code), BrokerErrc::fenced_leader_epoch);
  EXPECT_EQ(err(ask(-1).error_code), BrokerErrc::not_leader_or_follower);
}

TEST(OffsetForLeaderEpoch, SaysWhereAnEpochEnded) {
  Fixture fixture;
  fixture.cluster().create_topic("t");
  Client client = fixture.client();
  produce(client, "t", 0, make_batch({.values = {"a", "b"}}));
  fixture.cluster().move_leader("t", 0, 1);
  produce(client, "t", 0, make_batch({.values = {"c"}}));
  const auto ask = [&](std::int32_t epoch, std::int32_t current = -1) {
    const kafka::OffsetForLeaderEpochRequest::OffsetForLeaderPartition partition{0, current, epoch};
    const kafka::OffsetForLeaderEpochRequest::OffsetForLeaderTopic topic{"t", {&partition, 1}};
    kafka::OffsetForLeaderEpochRequest request;
    request.topics = {&topic, 1};
    return client.call(request, 4)->topics[0].partitions[0];
  };
  EXPECT_EQ(ask(0).end_offset, 2);
  EXPECT_EQ(ask(1).end_offset, 3);
  EXPECT_EQ(ask(1).leader_epoch, 1);
  EXPECT_EQ(ask(2).end_offset, -1);
  EXPECT_EQ(err(ask(1, 0).error_code), BrokerErrc::fenced_leader_epoch);
}

}  // namespace
}  // namespace tern::broker
