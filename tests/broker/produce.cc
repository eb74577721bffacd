// Produce and InitProducerId.
#include <algorithm>
#include <string>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using TopicIn = kafka::ProduceRequest::TopicProduceData;
using PartitionIn = kafka::ProduceRequest::PartitionProduceData;
using TopicOut = kafka::ProduceResponse::TopicProduceResponse;
using PartitionOut = kafka::ProduceResponse::PartitionProduceResponse;
using NodeOut = kafka::ProduceResponse::NodeEndpoint;

constexpr std::int16_t kFirstVersionWithIds = 13;

AppendResult refused(BrokerErrc error, std::string message = {}) {
  AppendResult result;
  result.error = error;
  result.message = std::move(message);
  return result;
}

std::size_t replicas_in_sync(const KafkaCluster& cluster, const Partition& partition) {
  const auto& nodes = cluster.nodes();
  return static_cast<std::size_t>(
      std::count_if(partition.replicas.begin(), partition.replicas.end(), [&](std::int32_t id) {
        const auto node = nodes.find(id);
        return node != nodes.end() && node->second.up;
      }));
}

AppendResult append(Request& request, Topic* topic, Partition& partition, const PartitionIn& in,
                    std::int16_t acks) {
  if (acks == -1 && replicas_in_sync(*request.cluster, partition) <
                        static_cast<std::size_t>(topic->config.min_insync_replicas)) {
    return refused(BrokerErrc::not_enough_replicas);
  }
  AppendOptions options;
  options.produce_version = request.version();
  options.leader_epoch = partition.leader_epoch;
  options.wall_ms = request.now.wall_ms;
  options.validate_records = request.cluster->config().validate_records;
  // The frame is the broker's own, so its bytes may be changed; the view of them is const for
  // handlers that only read.
  const std::span<const std::byte> bytes = in.records.span();
  std::byte* data = const_cast<std::byte*>(bytes.data());
  const FrameRef& frame = request.owns_frame ? request.frame : FrameRef();
  AppendResult result = partition.log.append({data, bytes.size()}, frame, topic->config, options);
  if (result.error == BrokerErrc::none && !result.duplicate) request.cluster->changed();
  return result;
}

AppendResult produce(Request& request, Topic* topic, const TopicIn& topic_in, const PartitionIn& in,
                     std::int16_t acks, Partition*& partition) {
  const std::string_view name = topic ? std::string_view(topic->name) : topic_in.name.view();
  bool apply = false;
  const BrokerErrc wanted = request.injected(name, in.index, &apply);
  if (wanted != BrokerErrc::none && !apply) {
    partition = request.cluster->find_partition(name, in.index);
    return refused(wanted);
  }
  AppendResult result;
  if (!topic && request.version() >= kFirstVersionWithIds) {
    result = refused(BrokerErrc::unknown_topic_id);
  } else if (name == kOffsetsTopic) {
    result = refused(BrokerErrc::invalid_topic_exception);  // coordinators alone write here
  } else if (const BrokerErrc error = find_local(request, topic, in.index, -1, true, partition);
             error != BrokerErrc::none) {
    result = refused(error);
    partition = request.cluster->find_partition(name, in.index);
  } else {
    result = append(request, topic, *partition, in, acks);
  }
  return wanted == BrokerErrc::none ? result : refused(wanted);
}

// Who leads, for a client that asked the wrong node (KIP-951).
void hint_leader(Request& request, const Partition& partition, PartitionOut& out,
                 std::vector<NodeOut>& nodes) {
  out.current_leader = {partition.leader, partition.leader_epoch};
  const Node* node = request.cluster->find_node(partition.leader);
  if (!node || std::any_of(nodes.begin(), nodes.end(),
                           [&](const NodeOut& other) { return other.node_id == node->id; })) {
    return;
  }
  nodes.push_back({node->id, node->advertised.host, node->advertised.port,
                   node->rack.empty() ? wire::Text::null() : wire::Text(node->rack)});
}

void fill(Request& request, const AppendResult& result, const Partition* partition,
          PartitionOut& out) {
  out.error_code = code(result.error);
  out.base_offset = result.base_offset;
  out.log_append_time_ms = result.log_append_time_ms;
  out.log_start_offset =
      partition && result.error == BrokerErrc::none ? partition->log.start_offset() : -1;
  out.error_message = request.keep_message(result.message);
  auto errors =
      request.make<kafka::ProduceResponse::BatchIndexAndErrorMessage>(result.record_errors.size());
  for (std::size_t i = 0; i < errors.size(); ++i) {
    errors[i].batch_index = result.record_errors[i].batch_index;
    errors[i].batch_index_error_message = request.keep_message(result.record_errors[i].message);
  }
  out.record_errors = {errors.data(), errors.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::ProduceRequest& in, kafka::ProduceResponse& out) {
  const bool acks_valid = in.acks >= -1 && in.acks <= 1;
  bool failed = false;
  std::vector<NodeOut> nodes;
  const auto topics = request.make<TopicOut>(in.topic_data.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const TopicIn& topic_in = in.topic_data[t];
    Topic* topic = request.version() >= kFirstVersionWithIds
                       ? request.cluster->find_topic(topic_in.topic_id)
                       : request.cluster->find_topic(topic_in.name.view());
    const auto partitions = request.make<PartitionOut>(topic_in.partition_data.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const PartitionIn& one = topic_in.partition_data[p];
      Partition* partition = nullptr;
      const AppendResult result = acks_valid
                                      ? produce(request, topic, topic_in, one, in.acks, partition)
                                      : refused(BrokerErrc::invalid_required_acks);
      partitions[p].index = one.index;
      fill(request, result, partition, partitions[p]);
      failed = failed || result.error != BrokerErrc::none;
      if (result.error == BrokerErrc::not_leader_or_follower && partition &&
          request.version() >= 10) {
        hint_leader(request, *partition, partitions[p], nodes);
      }
    }
    topics[t].name = topic_in.name;
    topics[t].topic_id = topic_in.topic_id;
    topics[t].partition_responses = {partitions.data(), partitions.size()};
  }
  if (in.acks == 0) return failed ? Outcome::close : Outcome::no_answer;
  out.responses = {topics.data(), topics.size()};
  const auto endpoints = request.make<NodeOut>(nodes.size());
  std::copy(nodes.begin(), nodes.end(), endpoints.begin());
  out.node_endpoints = {endpoints.data(), endpoints.size()};
  return Outcome::answer;
}

// Without a transactional id the broker gives out a new producer id whatever id and epoch the
// client sends along (KIP-360): an idempotent producer raises its epoch by itself.
Outcome handle(Request& request, const kafka::InitProducerIdRequest& in,
               kafka::InitProducerIdResponse& out) {
  BrokerErrc error = request.injected_whole();
  if (error == BrokerErrc::none && !in.transactional_id.is_null()) {
    error = in.transactional_id.empty() ? BrokerErrc::invalid_request
                                        : BrokerErrc::transactional_id_authorization_failed;
  }
  out.error_code = code(error);
  if (error != BrokerErrc::none) {
    out.producer_epoch = -1;
    return Outcome::answer;
  }
  out.producer_id = request.cluster->next_producer_id();
  out.producer_epoch = 0;
  return Outcome::answer;
}

}  // namespace tern::broker
