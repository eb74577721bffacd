#include "client/cli/description.h"

#include <nlohmann/json.hpp>

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string list(const std::vector<std::int32_t>& ids) {
  std::string out;
  for (const std::int32_t id : ids) out += (out.empty() ? "" : ",") + std::to_string(id);
  return out;
}

std::string name_of(const Endpoint& endpoint) {
  return endpoint.host + ":" + std::to_string(endpoint.port);
}

Json ids_json(const std::vector<std::int32_t>& ids) {
  Json out = Json::array();
  for (const std::int32_t id : ids) out.push_back({{"id", id}});
  return out;
}

Json topic_json(const kafka::TopicDescription& topic) {
  Json out = {{"topic", topic.name}};
  if (topic.error) out["error"] = topic.error.message();
  Json partitions = Json::array();
  for (const kafka::PartitionDescription& each : topic.partitions) {
    partitions.push_back({{"partition", each.partition},
                          {"leader", each.leader},
                          {"replicas", ids_json(each.replicas)},
                          {"isrs", ids_json(each.in_sync)}});
  }
  out["partitions"] = std::move(partitions);
  return out;
}

}  // namespace

std::string topic_text(const kafka::TopicDescription& topic) {
  std::string out = "topic \"" + topic.name + "\" with " + std::to_string(topic.partitions.size()) +
                    " partitions" + (topic.internal ? " (internal)" : "") + ":" +
                    (topic.error ? " " + topic.error.message() : "") + "\n";
  for (const kafka::PartitionDescription& each : topic.partitions) {
    out += "  partition " + std::to_string(each.partition) + ", leader " +
           std::to_string(each.leader) + ", replicas: " + list(each.replicas) +
           ", isrs: " + list(each.in_sync) +
           (each.offline.empty() ? "" : ", offline: " + list(each.offline)) + "\n";
  }
  return out;
}

std::string cluster_text(const kafka::ClusterDescription& cluster) {
  std::string out =
      "cluster " + cluster.cluster_id + "\n" + std::to_string(cluster.nodes.size()) + " brokers:\n";
  for (const kafka::NodeDescription& node : cluster.nodes) {
    out += "  broker " + std::to_string(node.id) + " at " + name_of(node.endpoint) +
           (node.rack.empty() ? "" : ", rack " + node.rack) +
           (node.id == cluster.controller_id ? " (controller)" : "") + "\n";
  }
  out += std::to_string(cluster.topics.size()) + " topics:\n";
  for (const kafka::TopicDescription& topic : cluster.topics) out += topic_text(topic);
  return out;
}

std::string cluster_json(const kafka::ClusterDescription& cluster, const std::string& topic) {
  Json brokers = Json::array();
  for (const kafka::NodeDescription& node : cluster.nodes) {
    brokers.push_back({{"id", node.id}, {"name", name_of(node.endpoint)}});
    if (!node.rack.empty()) brokers.back()["rack"] = node.rack;
  }
  Json topics = Json::array();
  for (const kafka::TopicDescription& each : cluster.topics) topics.push_back(topic_json(each));
  const Json out = {{"query", {{"topic", topic}}},
                    {"clusterid", cluster.cluster_id},
                    {"controllerid", cluster.controller_id},
                    {"brokers", std::move(brokers)},
                    {"topics", std::move(topics)}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tern::cli
