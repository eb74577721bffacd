// CreateTopics, DeleteTopics, CreatePartitions, DescribeConfigs.
#include <gtest/gtest.h>

#include "tests/broker/testing.h"

namespace tern::broker {
namespace {

using CreateTopic = kafka::CreateTopicsRequest::CreatableTopic;

class TopicTest : public testing::Test {
 protected:
  KafkaCluster& cluster() { return fixture_.cluster(); }
  Reply<kafka::CreateTopicsResponse> create(const CreateTopic& topic, bool validate_only = false,
                                            std::int16_t version = 7) {
    kafka::CreateTopicsRequest request;
    request.topics = {&topic, 1};
    request.validate_only = validate_only;
    return client_.call(request, version);
  }
  BrokerErrc created(std::string_view name, std::int32_t partitions, std::int16_t factor) {
    CreateTopic topic;
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = factor;
    return err(create(topic)->topics[0].error_code);
  }

  Fixture fixture_{3};
  Client client_ = fixture_.client();
};

TEST_F(TopicTest, Creates) {
  CreateTopic topic;
  topic.name = "t";
  topic.num_partitions = 4;
  topic.replication_factor = 2;
  const kafka::CreateTopicsRequest::CreatableTopicConfig config{"max.message.bytes", "1234"};
  topic.configs = {&config, 1};
  const auto checked = create(topic, /*validate_only=*/true);
  EXPECT_EQ(checked->topics[0].error_code, 0);
  EXPECT_EQ(checked->topics[0].num_partitions, 4);
  EXPECT_EQ(cluster().find_topic("t"), nullptr);
  const auto reply = create(topic);
  const auto& result = reply->topics[0];
  EXPECT_EQ(result.error_code, 0);
  EXPECT_EQ(result.num_partitions, 4);
  EXPECT_EQ(result.replication_factor, 2);
  ASSERT_NE(cluster().find_topic("t"), nullptr);
  EXPECT_EQ(result.topic_id, cluster().find_topic("t")->id);
  EXPECT_EQ(cluster().find_topic("t")->config.max_message_bytes, 1234);
  EXPECT_EQ(cluster().find_partition("t", 3)->replicas, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(cluster().find_partition("t", 2)->leader, 3);
  bool told = false;
  for (const auto& one : result.configs) {
    if (one.name.view() == "max.message.bytes")
      told = one.value.view() == "1234" && one.config_source == 1;
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(err(create(topic, true)->topics[0].error_code), BrokerErrc::topic_already_exists);
}

TEST_F(TopicTest, RefusesToCreate) {
  EXPECT_EQ(created("t", -1, -1), BrokerErrc::none);
  EXPECT_EQ(cluster().find_topic("t")->partitions.size(), 1U);
  EXPECT_EQ(created("t", 1, 1), BrokerErrc::topic_already_exists);
  EXPECT_EQ(created("a", 0, 1), BrokerErrc::invalid_partitions);
  EXPECT_EQ(created("a", -2, 1), BrokerErrc::invalid_partitions);
  EXPECT_EQ(created("a", 1, 0), BrokerErrc::invalid_replication_factor);
  EXPECT_EQ(created("a", 1, 4), BrokerErrc::invalid_replication_factor);
  for (const char* name : {"", ".", "..", "a/b", "a b"}) {
    EXPECT_EQ(created(name, 1, 1), BrokerErrc::invalid_topic_exception) << name;
  }
  EXPECT_EQ(created(std::string(250, 'a'), 1, 1), BrokerErrc::invalid_topic_exception);
  EXPECT_EQ(created(std::string(249, 'a'), 1, 1), BrokerErrc::none);
  EXPECT_EQ(created("x.y", 1, 1), BrokerErrc::none);
  EXPECT_EQ(created("x_y", 1, 1),
            BrokerErrc::invalid_topic_exception);  // their metrics would collide
}

TEST_F(TopicTest, RefusesConfigs) {
  const auto with = [&](wire::Text name, wire::Text value) {
    const kafka::CreateTopicsRequest::CreatableTopicConfig config{name, value};
    CreateTopic topic;
    topic.name = "c";
    topic.num_partitions = topic.replication_factor = -1;
    topic.configs = {&config, 1};
    const auto reply = create(topic, true);
    EXPECT_EQ(reply->topics[0].error_code == 0, reply->topics[0].error_message.is_null());
    return err(reply->topics[0].error_code);
  };
  EXPECT_EQ(with("retention.ms", "1000"), BrokerErrc::none);
  EXPECT_EQ(with("message.timestamp.type", "LogAppendTime"), BrokerErrc::none);
  EXPECT_EQ(with("retention.ms", "soon"), BrokerErrc::invalid_config);
  EXPECT_EQ(with("message.timestamp.type", "Whenever"), BrokerErrc::invalid_config);
  EXPECT_EQ(with("no.such.thing", "1"), BrokerErrc::invalid_config);
  EXPECT_EQ(with("retention.ms", wire::Text::null()), BrokerErrc::invalid_config);
}

TEST_F(TopicTest, AMessageThatQuotesTheClientStillFits) {
  const std::string name(32000, 'n');
  const std::string value(32000, 'v');
  const kafka::CreateTopicsRequest::CreatableTopicConfig config{name, value};
  CreateTopic topic;
  topic.name = "t";
  topic.num_partitions = topic.replication_factor = -1;
  topic.configs = {&config, 1};
  const auto reply = create(topic);
  ASSERT_EQ(reply->topics.size(), 1U);
  EXPECT_EQ(err(reply->topics[0].error_code), BrokerErrc::invalid_config);
  EXPECT_FALSE(reply->topics[0].error_message.empty());
}

TEST_F(TopicTest, Assignments) {
  using Assignment = kafka::CreateTopicsRequest::CreatableReplicaAssignment;
  const std::int32_t first[] = {3, 1};
  const std::int32_t second[] = {2, 3};
  std::vector<Assignment> assignments = {{1, {second, 2}}, {0, {first, 2}}};
  CreateTopic topic;
  topic.name = "t";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.assignments = {assignments.data(), assignments.size()};
  const auto reply = create(topic);
  EXPECT_EQ(reply->topics[0].num_partitions, 2);
  EXPECT_EQ(reply->topics[0].replication_factor, 2);
  EXPECT_EQ(cluster().find_partition("t", 0)->leader, 3);
  EXPECT_EQ(cluster().find_partition("t", 1)->leader, 2);
  topic.name = "u";
  topic.num_partitions = 2;
  EXPECT_EQ(err(create(topic)->topics[0].error_code), BrokerErrc::invalid_request);
  topic.num_partitions = -1;
  assignments[0].partition_index = 2;
  EXPECT_EQ(err(create(topic)->topics[0].error_code), BrokerErrc::invalid_replica_assignment);
  assignments[0].partition_index = 1;
  const std::int32_t unknown[] = {9, 1};
  assignments[0].broker_ids = {unknown, 2};
  EXPECT_EQ(err(create(topic)->topics[0].error_code), BrokerErrc::invalid_replica_assignment);
}

TEST_F(TopicTest, RefusesANameThatComesTwice) {
  CreateTopic topic;
  topic.name = "t";
  topic.num_partitions = topic.replication_factor = 1;
  const CreateTopic both[] = {topic, topic};
  kafka::CreateTopicsRequest request;
  request.topics = {both, 2};
  const auto reply = client_.call(request, 7);
  EXPECT_EQ(err(reply->topics[0].error_code), BrokerErrc::invalid_request);
  EXPECT_EQ(err(reply->topics[1].error_code), BrokerErrc::invalid_request);
  EXPECT_EQ(cluster().find_topic("t"), nullptr);
}

TEST_F(TopicTest, DeletesByNameAndId) {
  for (const char* name : {"a", "b", "c"}) cluster().create_topic(name);
  const wire::Text names[] = {"a", "none"};
  kafka::DeleteTopicsRequest by_name;
  by_name.topic_names = {names, 2};
  const auto first = client_.call(by_name, 5);
  EXPECT_EQ(err(first->responses[0].error_code), BrokerErrc::none);
  EXPECT_EQ(err(first->responses[1].error_code), BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(cluster().find_topic("a"), nullptr);

  kafka::DeleteTopicsRequest::DeleteTopicState states[3];
  states[0].name = "b";
  states[1].topic_id = cluster().find_topic("c")->id;
  states[2].topic_id.bytes[3] = 1;
  kafka::DeleteTopicsRequest by_id;
  by_id.topics = {states, 3};
  const auto second = client_.call(by_id, 6);
  EXPECT_EQ(err(second->responses[0].error_code), BrokerErrc::none);
  EXPECT_EQ(err(second->responses[1].error_code), BrokerErrc::none);
  EXPECT_EQ(second->responses[1].name, wire::Text("c"));
  EXPECT_EQ(err(second->responses[2].error_code), BrokerErrc::unknown_topic_id);
  EXPECT_TRUE(cluster().topics().empty());
}

TEST_F(TopicTest, AddsPartitions) {
  cluster().create_topic("t", {.partitions = 2, .replication_factor = 2});
  const auto add = [&](std::string_view name, std::int32_t total, bool validate_only = false) {
    kafka::CreatePartitionsRequest::CreatePartitionsTopic topic;
    topic.name = name;
    topic.count = total;
    topic.assignments =
        wire::Array<kafka::CreatePartitionsRequest::CreatePartitionsAssignment>::null();
    kafka::CreatePartitionsRequest request;
    request.topics = {&topic, 1};
    request.validate_only = validate_only;
    return err(client_.call(request, 3)->results[0].error_code);
  };
  EXPECT_EQ(add("none", 3), BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(add("t", 2), BrokerErrc::invalid_partitions);
  EXPECT_EQ(add("t", 3, true), BrokerErrc::none);
  EXPECT_EQ(cluster().find_topic("t")->partitions.size(), 2U);
  EXPECT_EQ(add("t", 5), BrokerErrc::none);
  EXPECT_EQ(cluster().find_topic("t")->partitions.size(), 5U);
  EXPECT_EQ(cluster().find_partition("t", 4)->replicas.size(), 2U);
}

TEST(TopicsTest, PartitionsOfAllTopicsTogetherAreBounded) {
  ClusterConfig config;
  config.max_partitions = 5;
  Fixture fixture(1, config);
  KafkaCluster& cluster = fixture.cluster();
  EXPECT_EQ(cluster.create_topic("a", {.partitions = 6}), BrokerErrc::invalid_partitions);
  EXPECT_EQ(cluster.create_topic("a", {.partitions = 3}), BrokerErrc::none);
  EXPECT_EQ(cluster.create_topic("b", {.partitions = 3}), BrokerErrc::invalid_partitions);
  EXPECT_EQ(cluster.create_topic("b", {.assignments = {{1}, {1}, {1}}}),
            BrokerErrc::invalid_partitions);
  EXPECT_EQ(cluster.create_topic("b", {.partitions = 1}), BrokerErrc::none);
  EXPECT_EQ(cluster.add_partitions("b", 3, {}), BrokerErrc::invalid_partitions);
  EXPECT_EQ(cluster.add_partitions("b", 2, {}), BrokerErrc::none);
  cluster.delete_topic("a");
  EXPECT_EQ(cluster.add_partitions("b", 5, {}), BrokerErrc::none);
}

TEST_F(TopicTest, DescribesConfigs) {
  cluster().create_topic("t", {.configs = {{"retention.ms", "5"}}});
  const auto ask = [&](std::int8_t type, wire::Text name, std::span<const wire::Text> keys) {
    kafka::DescribeConfigsRequest::DescribeConfigsResource resource;
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys =
        keys.empty() ? wire::Array<wire::Text>::null() : wire::Array<wire::Text>(keys);
    kafka::DescribeConfigsRequest request;
    request.resources = {&resource, 1};
    request.include_synonyms = true;
    return client_.call(request, 4);
  };
  const wire::Text keys[] = {"retention.ms", "max.message.bytes"};
  const auto reply = ask(2, "t", keys);
  ASSERT_EQ(reply->results[0].configs.size(), 2U);
  EXPECT_EQ(reply->results[0].configs[0].name, wire::Text("max.message.bytes"));
  EXPECT_EQ(reply->results[0].configs[0].value, wire::Text("1048588"));
  EXPECT_EQ(reply->results[0].configs[0].config_source, 5);
  EXPECT_EQ(reply->results[0].configs[1].value, wire::Text("5"));
  EXPECT_EQ(reply->results[0].configs[1].config_source, 1);
  EXPECT_EQ(reply->results[0].configs[1].synonyms.size(), 1U);
  EXPECT_GT(ask(2, "t", {})->results[0].configs.size(), 10U);
  EXPECT_EQ(err(ask(2, "none", {})->results[0].error_code), BrokerErrc::unknown_topic_or_partition);
  EXPECT_GT(ask(4, "1", {})->results[0].configs.size(), 5U);
  EXPECT_EQ(err(ask(4, "2", {})->results[0].error_code), BrokerErrc::invalid_request);
  EXPECT_EQ(err(ask(9, "x", {})->results[0].error_code), BrokerErrc::invalid_request);
}

}  // namespace
}  // namespace tern::broker
