// Metadata.
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using Response = kafka::MetadataResponse;
using TopicIn = kafka::MetadataRequest::MetadataRequestTopic;
using TopicOut = Response::MetadataResponseTopic;
using PartitionOut = Response::MetadataResponsePartition;

constexpr std::int16_t kFirstVersionWithNullName = 12;
// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS as bits of
// AclOperation.
constexpr std::int32_t kAllTopicOperations = 0xdf8;
constexpr std::int32_t kAllClusterOperations = 0x1f80;

void list_brokers(Request& request, Response& out) {
  const auto& nodes = request.cluster->nodes();
  const auto brokers = request.make<Response::MetadataResponseBroker>(nodes.size());
  std::size_t used = 0;
  for (const auto& [id, node] : nodes) {
    if (!node.listed) continue;
    brokers[used++] = {id, node.advertised.host, node.advertised.port,
                       node.rack.empty() ? wire::Text::null() : wire::Text(node.rack)};
  }
  out.brokers = {brokers.data(), used};
}

template <class Keep>
wire::Array<std::int32_t> replicas_that(Request& request, const Partition& partition, Keep keep) {
  const auto ids = request.make<std::int32_t>(partition.replicas.size());
  std::size_t used = 0;
  for (const std::int32_t id : partition.replicas) {
    const Node* node = request.cluster->find_node(id);
    if (keep(node && node->listed)) ids[used++] = id;
  }
  return {ids.data(), used};
}

void describe(Request& request, const std::string& topic, std::int32_t index,
              const Partition& partition, PartitionOut& out) {
  const Node* leader = request.cluster->find_node(partition.leader);
  const bool available = leader && leader->listed;
  out.partition_index = index;
  out.leader_id = available ? partition.leader : -1;
  out.leader_epoch = partition.leader_epoch;
  out.error_code = code(available ? BrokerErrc::none : BrokerErrc::leader_not_available);
  if (const BrokerErrc wanted = request.injected(topic, index); wanted != BrokerErrc::none) {
    out.error_code = code(wanted);
  }
  out.replica_nodes = replicas_that(request, partition, [](bool) { return true; });
  out.isr_nodes = replicas_that(request, partition, [](bool listed) { return listed; });
  out.offline_replicas = replicas_that(request, partition, [](bool listed) { return !listed; });
}

void describe(Request& request, const Topic& topic, bool with_operations, TopicOut& out) {
  out.name = request.keep(topic.name);
  out.topic_id = topic.id;
  out.is_internal = topic.name == kOffsetsTopic;
  if (with_operations) out.topic_authorized_operations = kAllTopicOperations;
  const auto partitions = request.make<PartitionOut>(topic.partitions.size());
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    describe(request, topic.name, static_cast<std::int32_t>(i), topic.partitions[i], partitions[i]);
  }
  out.partitions = {partitions.data(), partitions.size()};
}

// A topic that is made on first use is not there yet in this answer: as with a real broker, the
// client has to ask again.
BrokerErrc missing(Request& request, const kafka::MetadataRequest& in, std::string_view name) {
  if (!is_valid_topic_name(name)) return BrokerErrc::invalid_topic_exception;
  if (!in.allow_auto_topic_creation || !request.cluster->config().auto_create_topics) {
    return BrokerErrc::unknown_topic_or_partition;
  }
  const BrokerErrc made = request.cluster->create_topic(name);
  return made == BrokerErrc::none ? BrokerErrc::unknown_topic_or_partition : made;
}

void answer_topic(Request& request, const kafka::MetadataRequest& in, const TopicIn& asked,
                  TopicOut& out) {
  const bool by_id = !asked.topic_id.is_zero() || asked.name.is_null();
  const bool ids_usable = request.version() >= kFirstVersionWithNullName;
  out.name = asked.name.is_null() && !ids_usable ? wire::Text() : asked.name;
  out.topic_id = asked.topic_id;
  if (by_id && !ids_usable) {
    out.error_code = code(BrokerErrc::invalid_request);
    return;
  }
  const Topic* topic = by_id ? request.cluster->find_topic(asked.topic_id)
                             : request.cluster->find_topic(asked.name.view());
  const std::string_view name = topic ? std::string_view(topic->name) : asked.name.view();
  if (const BrokerErrc wanted = request.injected(name, kAny); wanted != BrokerErrc::none) {
    out.error_code = code(wanted);
    return;
  }
  if (topic) {
    describe(request, *topic, in.include_topic_authorized_operations, out);
  } else if (by_id) {
    out.error_code = code(BrokerErrc::unknown_topic_id);
    out.name = wire::Text::null();
  } else {
    out.error_code = code(missing(request, in, asked.name.view()));
  }
}

void answer_all(Request& request, const kafka::MetadataRequest& in, Response& out) {
  const auto& all = request.cluster->topics();
  const auto topics = request.make<TopicOut>(all.size());
  std::size_t i = 0;
  for (const auto& [name, topic] : all) {
    TopicOut& one = topics[i++];
    if (const BrokerErrc wanted = request.injected(name, kAny); wanted != BrokerErrc::none) {
      one.error_code = code(wanted);
      one.name = request.keep(name);
      continue;
    }
    describe(request, *topic, in.include_topic_authorized_operations, one);
  }
  out.topics = {topics.data(), topics.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::MetadataRequest& in, kafka::MetadataResponse& out) {
  out.cluster_id = request.cluster->config().cluster_id;
  out.controller_id = request.cluster->controller();
  list_brokers(request, out);
  if (in.include_cluster_authorized_operations) {
    out.cluster_authorized_operations = kAllClusterOperations;
  }
  // No list means all topics; in version 0, which has no null, an empty one does.
  if (in.topics.is_null() || (request.version() == 0 && in.topics.empty())) {
    answer_all(request, in, out);
    return Outcome::answer;
  }
  // Each once, however often it is named, as a real broker does: an answer is never larger than the
  // cluster and the request together.
  std::set<std::pair<wire::Uuid, std::string_view>> told;
  const auto topics = request.make<TopicOut>(in.topics.size());
  for (const TopicIn& asked : in.topics) {
    const std::size_t i = told.size();
    if (!told.emplace(asked.topic_id, asked.name.view()).second) continue;
    answer_topic(request, in, asked, topics[i]);
  }
  out.topics = {topics.data(), told.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
