// CreateTopics, DeleteTopics, CreatePartitions and DescribeConfigs.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/broker/broker.h"
#include "tests/broker/configs.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using CreateIn = kafka::CreateTopicsRequest::CreatableTopic;
using CreateOut = kafka::CreateTopicsResponse::CreatableTopicResult;
using CreateConfig = kafka::CreateTopicsResponse::CreatableTopicConfigs;
using DeleteOut = kafka::DeleteTopicsResponse::DeletableTopicResult;
using PartitionsIn = kafka::CreatePartitionsRequest::CreatePartitionsTopic;
using DescribeIn = kafka::DescribeConfigsRequest::DescribeConfigsResource;
using DescribeOut = kafka::DescribeConfigsResponse::DescribeConfigsResult;
using ConfigOut = kafka::DescribeConfigsResponse::DescribeConfigsResourceResult;
using SynonymOut = kafka::DescribeConfigsResponse::DescribeConfigsSynonym;

constexpr std::int8_t kTopicResource = 2;
constexpr std::int8_t kBrokerResource = 4;
constexpr std::int8_t kSetOnTopic = 1;  // config sources
constexpr std::int8_t kSetOnBroker = 4;
constexpr std::int8_t kDefault = 5;

std::string value_of(const KafkaCluster& cluster, const Topic* topic, const ConfigKey& key) {
  if (topic) {
    const auto set = topic->configs.find(std::string(key.name));
    if (set != topic->configs.end()) return set->second;
  }
  const ClusterConfig& config = cluster.config();
  if (key.name == "max.message.bytes" || key.name == "message.max.bytes") {
    return std::to_string(config.topic_defaults.max_message_bytes);
  }
  if (key.name == "message.timestamp.type" || key.name == "log.message.timestamp.type") {
    return config.topic_defaults.log_append_time ? "LogAppendTime" : "CreateTime";
  }
  if (key.name == "retention.bytes" || key.name == "log.retention.bytes") {
    return std::to_string(config.topic_defaults.retention_bytes);
  }
  if (key.name == "min.insync.replicas")
    return std::to_string(config.topic_defaults.min_insync_replicas);
  if (key.name == "num.partitions") return std::to_string(config.default_partitions);
  if (key.name == "default.replication.factor")
    return std::to_string(config.default_replication_factor);
  if (key.name == "auto.create.topics.enable") return config.auto_create_topics ? "true" : "false";
  return std::string(key.default_value);
}

// Kafka takes the partitions in any order, but they have to be 0, 1, 2, ...
BrokerErrc read_spec(const CreateIn& in, TopicSpec& spec, std::string& message) {
  spec.partitions = in.num_partitions;
  spec.replication_factor = in.replication_factor;
  spec.assignments.resize(in.assignments.size());
  std::set<std::size_t> seen;
  for (const auto& assignment : in.assignments) {
    const auto index = static_cast<std::size_t>(assignment.partition_index);
    if (assignment.partition_index < 0 || index >= spec.assignments.size() ||
        !seen.insert(index).second) {
      message = "Partitions of a manual assignment have to be consecutive, from 0 on.";
      return BrokerErrc::invalid_replica_assignment;
    }
    spec.assignments[index].assign(assignment.broker_ids.begin(), assignment.broker_ids.end());
  }
  for (const auto& config : in.configs) {
    if (config.value.is_null()) {
      message = "Null value not supported for topic configs: " + config.name.str();
      return BrokerErrc::invalid_config;
    }
    spec.configs[config.name.str()] = config.value.str();
  }
  return BrokerErrc::none;
}

void describe_created(Request& request, const CreateIn& in, bool validate_only, CreateOut& out) {
  const Topic* topic = validate_only ? nullptr : request.cluster->find_topic(in.name.view());
  const ClusterConfig& defaults = request.cluster->config();
  if (topic) {
    out.topic_id = topic->id;
    out.num_partitions = static_cast<std::int32_t>(topic->partitions.size());
    out.replication_factor = static_cast<std::int16_t>(topic->partitions.front().replicas.size());
  } else if (in.assignments.empty()) {
    out.num_partitions = in.num_partitions == -1 ? defaults.default_partitions : in.num_partitions;
    out.replication_factor =
        in.replication_factor == -1 ? defaults.default_replication_factor : in.replication_factor;
  } else {
    out.num_partitions = static_cast<std::int32_t>(in.assignments.size());
    out.replication_factor = static_cast<std::int16_t>(in.assignments[0].broker_ids.size());
  }
  const auto keys = topic_config_keys();
  const auto configs = request.make<CreateConfig>(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool set = topic && topic->configs.contains(std::string(keys[i].name));
    configs[i].name = keys[i].name;
    configs[i].value = request.keep(value_of(*request.cluster, topic, keys[i]));
    configs[i].config_source = set ? kSetOnTopic : kDefault;
  }
  out.configs = {configs.data(), configs.size()};
}

void create(Request& request, const CreateIn& in, bool duplicate, bool validate_only,
            CreateOut& out) {
  out.name = in.name;
  std::string message;
  bool apply = false;
  const BrokerErrc wanted = request.injected(in.name.view(), kAny, &apply);
  BrokerErrc error = wanted;
  if (wanted == BrokerErrc::none || apply) {
    TopicSpec spec;
    error = duplicate ? BrokerErrc::invalid_request : read_spec(in, spec, message);
    if (duplicate) message = "Duplicate topic name.";
    if (error == BrokerErrc::none) {
      error = request.cluster->create_topic(in.name.view(), spec, validate_only, &message);
    }
    if (wanted != BrokerErrc::none) error = wanted;
  }
  out.error_code = code(error);
  out.error_message = request.keep_message(message);
  if (error == BrokerErrc::none) {
    describe_created(request, in, validate_only, out);
  }
}

}  // namespace

Outcome handle(Request& request, const kafka::CreateTopicsRequest& in,
               kafka::CreateTopicsResponse& out) {
  std::multiset<std::string_view> names;
  for (const CreateIn& topic : in.topics) names.insert(topic.name.view());
  const auto topics = request.make<CreateOut>(in.topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const bool duplicate = names.count(in.topics[i].name.view()) > 1;
    create(request, in.topics[i], duplicate, in.validate_only, topics[i]);
  }
  out.topics = {topics.data(), topics.size()};
  return Outcome::answer;
}

namespace {

void remove(Request& request, wire::Text name, const wire::Uuid& id, DeleteOut& out) {
  out.name = name;
  out.topic_id = id;
  const bool by_id = !id.is_zero();
  if (by_id && !name.is_null()) {
    out.error_code = code(BrokerErrc::invalid_request);
    return;
  }
  const Topic* topic =
      by_id ? request.cluster->find_topic(id) : request.cluster->find_topic(name.view());
  const std::string known = topic ? topic->name : name.str();
  bool apply = false;
  const BrokerErrc wanted = request.injected(known, kAny, &apply);
  if (topic) {
    out.name = request.keep(known);
    out.topic_id = topic->id;
  }
  if (wanted != BrokerErrc::none && !apply) {
    out.error_code = code(wanted);
  } else if (!topic) {
    out.error_code =
        code(by_id ? BrokerErrc::unknown_topic_id : BrokerErrc::unknown_topic_or_partition);
  } else {
    out.error_code = code(request.cluster->delete_topic(known));
    if (wanted != BrokerErrc::none) out.error_code = code(wanted);
  }
}

}  // namespace

Outcome handle(Request& request, const kafka::DeleteTopicsRequest& in,
               kafka::DeleteTopicsResponse& out) {
  const bool new_form = request.version() >= 6;
  const std::size_t count = new_form ? in.topics.size() : in.topic_names.size();
  const auto results = request.make<DeleteOut>(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (new_form) {
      remove(request, in.topics[i].name, in.topics[i].topic_id, results[i]);
    } else {
      remove(request, in.topic_names[i], {}, results[i]);
    }
  }
  out.responses = {results.data(), results.size()};
  return Outcome::answer;
}

Outcome handle(Request& request, const kafka::CreatePartitionsRequest& in,
               kafka::CreatePartitionsResponse& out) {
  const auto results =
      request.make<kafka::CreatePartitionsResponse::CreatePartitionsTopicResult>(in.topics.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const PartitionsIn& topic = in.topics[i];
    results[i].name = topic.name;
    std::vector<std::vector<std::int32_t>> assignments;
    for (const auto& one : topic.assignments) {
      assignments.emplace_back(one.broker_ids.begin(), one.broker_ids.end());
    }
    std::string message;
    bool apply = false;
    const BrokerErrc wanted = request.injected(topic.name.view(), kAny, &apply);
    BrokerErrc error = wanted;
    if (wanted == BrokerErrc::none || apply) {
      error = request.cluster->add_partitions(topic.name.view(), topic.count, assignments,
                                              in.validate_only, &message);
      if (wanted != BrokerErrc::none) error = wanted;
    }
    results[i].error_code = code(error);
    results[i].error_message = request.keep_message(message);
  }
  out.results = {results.data(), results.size()};
  return Outcome::answer;
}

namespace {

void fill(Request& request, const DescribeIn& in, bool synonyms, const Topic* topic,
          std::span<const ConfigKey> keys, DescribeOut& out) {
  const auto configs = request.make<ConfigOut>(keys.size());
  std::size_t used = 0;
  for (const ConfigKey& key : keys) {
    const auto& wanted = in.configuration_keys;
    const bool asked =
        wanted.empty() || std::any_of(wanted.begin(), wanted.end(),
                                      [&](wire::Text name) { return name.view() == key.name; });
    if (!asked) continue;
    const bool set = topic && topic->configs.contains(std::string(key.name));
    ConfigOut& config = configs[used++];
    config.name = key.name;
    config.value = request.keep(value_of(*request.cluster, topic, key));
    config.config_source = set ? kSetOnTopic : topic ? kDefault : kSetOnBroker;
    config.read_only = topic == nullptr;
    config.config_type = static_cast<std::int8_t>(key.type);
    config.documentation = wire::Text::null();
    if (!synonyms) continue;
    const auto list = request.make<SynonymOut>(1);
    list[0] = {config.name, config.value, config.config_source};
    config.synonyms = {list.data(), list.size()};
  }
  out.configs = {configs.data(), used};
}

BrokerErrc describe(Request& request, const DescribeIn& in, bool synonyms, DescribeOut& out) {
  if (const BrokerErrc wanted = request.injected(in.resource_name.view(), kAny);
      wanted != BrokerErrc::none) {
    return wanted;
  }
  if (in.resource_type == kTopicResource) {
    const Topic* topic = request.cluster->find_topic(in.resource_name.view());
    if (!topic) {
      return is_valid_topic_name(in.resource_name.view()) ? BrokerErrc::unknown_topic_or_partition
                                                          : BrokerErrc::invalid_topic_exception;
    }
    fill(request, in, synonyms, topic, topic_config_keys(), out);
    return BrokerErrc::none;
  }
  // A broker tells its own settings only, by its number; the empty name stands for the cluster's
  // defaults.
  const bool own = in.resource_name.view() == std::to_string(request.broker->id());
  if (in.resource_type != kBrokerResource || (!own && !in.resource_name.empty())) {
    return BrokerErrc::invalid_request;
  }
  fill(request, in, synonyms, nullptr, broker_config_keys(), out);
  return BrokerErrc::none;
}

}  // namespace

Outcome handle(Request& request, const kafka::DescribeConfigsRequest& in,
               kafka::DescribeConfigsResponse& out) {
  const auto results = request.make<DescribeOut>(in.resources.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].resource_type = in.resources[i].resource_type;
    results[i].resource_name = in.resources[i].resource_name;
    results[i].error_code =
        code(describe(request, in.resources[i], in.include_synonyms, results[i]));
    results[i].error_message = wire::Text::null();
  }
  out.results = {results.data(), results.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
