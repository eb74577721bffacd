#include "client/kafka/admin.h"

#include <algorithm>

#include "client/kafka/admin_call.h"
#include "protocol/kafka/messages/metadata.h"
#include "protocol/kafka/messages/topics.h"

namespace tern::kafka {

using internal::AdminSource;
using internal::run;
using internal::words_of;

namespace {

// Before these versions a broker has no defaults for the numbers of a new topic, wants topics to be
// deleted by name alone, and reads an empty list of topics as "all".
constexpr std::int16_t kFirstDefaults = 4;
constexpr std::int16_t kFirstDeleteStates = 6;
constexpr std::int16_t kFirstNullMeansAll = 1;

// What brokers are given to carry it out before they answer REQUEST_TIMED_OUT.
constexpr std::int32_t kBrokerTimeoutMs = 30'000;

TopicResult result_of(const wire::Text& topic, std::int16_t error_code, const wire::Text& message) {
  TopicResult result{topic.str(), {}, {}};
  if (error_code == 0) return result;
  result.error = make_error_code(static_cast<BrokerErrc>(error_code));
  result.message = words_of(result.error, message);
  return result;
}

// The request as a whole is tried again if the broker could not do any of it for a passing reason.
template <class Results>
AdminCore::Outcome judge(const Results& results) {
  for (const auto& each : results) {
    const auto error = static_cast<BrokerErrc>(each.error_code);
    if (error == BrokerErrc::not_controller || error == BrokerErrc::throttling_quota_exceeded ||
        error == BrokerErrc::coordinator_load_in_progress) {
      return {Failure(make_error_code(error)), true};
    }
  }
  return {};
}

CreateTopicsRequest make_create(const std::vector<NewTopic>& topics, std::int16_t version,
                                wire::Arena& arena) {
  std::vector<CreateTopicsRequest::CreatableTopic> list;
  const std::int32_t unset = version >= kFirstDefaults ? -1 : 1;
  for (const NewTopic& topic : topics) {
    std::vector<CreateTopicsRequest::CreatableTopicConfig> configs;
    for (const auto& [name, value] : topic.configs) configs.push_back({name, value});
    CreateTopicsRequest::CreatableTopic each;
    each.name = topic.name;
    each.num_partitions = topic.partitions < 0 ? unset : topic.partitions;
    each.replication_factor =
        topic.replication_factor < 0 ? static_cast<std::int16_t>(unset) : topic.replication_factor;
    each.configs = copy_to(arena, configs);
    list.push_back(each);
  }
  CreateTopicsRequest request;
  request.topics = copy_to(arena, list);
  request.timeout_ms = kBrokerTimeoutMs;
  return request;
}

TopicDescription describe(const MetadataResponse::MetadataResponseTopic& from) {
  TopicDescription topic;
  topic.name = from.name.is_null() ? std::string() : from.name.str();
  topic.id = from.topic_id;
  topic.internal = from.is_internal;
  if (from.error_code != 0) topic.error = make_error_code(static_cast<BrokerErrc>(from.error_code));
  for (const auto& p : from.partitions) {
    PartitionDescription partition;
    partition.partition = p.partition_index;
    partition.leader = p.leader_id;
    partition.leader_epoch = p.leader_epoch;
    partition.replicas.assign(p.replica_nodes.begin(), p.replica_nodes.end());
    partition.in_sync.assign(p.isr_nodes.begin(), p.isr_nodes.end());
    partition.offline.assign(p.offline_replicas.begin(), p.offline_replicas.end());
    topic.partitions.push_back(std::move(partition));
  }
  std::sort(topic.partitions.begin(), topic.partitions.end(),
            [](const auto& a, const auto& b) { return a.partition < b.partition; });
  return topic;
}

AdminCore::Outcome take_description(const MetadataResponse& reply, const AdminSource&,
                                    ClusterDescription& out) {
  if (reply.error_code != 0) {
    const auto error = static_cast<BrokerErrc>(reply.error_code);
    return {Failure(make_error_code(error)), is_retriable(error)};
  }
  if (!reply.cluster_id.is_null()) out.cluster_id = reply.cluster_id.str();
  out.controller_id = reply.controller_id;
  for (const auto& node : reply.brokers) {
    out.nodes.push_back({node.node_id,
                         Endpoint{node.host.str(), static_cast<std::uint16_t>(node.port)},
                         node.rack.is_null() ? std::string() : node.rack.str()});
  }
  for (const auto& topic : reply.topics) out.topics.push_back(describe(topic));
  std::sort(out.topics.begin(), out.topics.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return {};
}

}  // namespace

Admin::Admin(const Client& client)
    : state_(client.state()), core_(std::make_shared<AdminCore>(state_->engine())) {
  state_->run([core = core_] { core->start(); });
}

Admin::~Admin() {
  if (!core_) return;
  state_->run([&engine = state_->engine(), core = std::move(core_)] {
    core->shut_down(Failure(make_error_code(ClientErrc::closed), "the admin was destroyed"),
                    engine.now());
  });
}

void Admin::create_topics(const Core& core, std::uint64_t id, std::vector<NewTopic> topics,
                          Done<TopicResults> done) {
  auto make = [topics = std::move(topics)](std::int16_t version, wire::Arena& arena) {
    return make_create(topics, version, arena);
  };
  auto take = [](const CreateTopicsResponse& reply, const AdminSource&, TopicResults& out) {
    for (const auto& topic : reply.topics) {
      out.push_back(result_of(topic.name, topic.error_code, topic.error_message));
    }
    return judge(reply.topics);
  };
  run<CreateTopicsRequest>(
      *core, {.id = id, .what = "create topics", .target = AdminCore::Target::controller()},
      std::move(make), take, std::move(done));
}

void Admin::delete_topics(const Core& core, std::uint64_t id, std::vector<std::string> topics,
                          Done<TopicResults> done) {
  auto make = [topics = std::move(topics)](std::int16_t version, wire::Arena& arena) {
    DeleteTopicsRequest request;
    request.timeout_ms = kBrokerTimeoutMs;
    if (version >= kFirstDeleteStates) {
      std::vector<DeleteTopicsRequest::DeleteTopicState> states;
      for (const std::string& name : topics) states.push_back({name, {}});
      request.topics = copy_to(arena, states);
    } else {
      request.topic_names = copy_to(arena, std::vector<wire::Text>(topics.begin(), topics.end()));
    }
    return request;
  };
  auto take = [](const DeleteTopicsResponse& reply, const AdminSource&, TopicResults& out) {
    for (const auto& topic : reply.responses) {
      out.push_back(result_of(topic.name.is_null() ? wire::Text() : topic.name, topic.error_code,
                              topic.error_message));
    }
    return judge(reply.responses);
  };
  run<DeleteTopicsRequest>(
      *core, {.id = id, .what = "delete topics", .target = AdminCore::Target::controller()},
      std::move(make), take, std::move(done));
}

void Admin::create_partitions(const Core& core, std::uint64_t id, std::vector<NewPartitions> topics,
                              Done<TopicResults> done) {
  auto make = [topics = std::move(topics)](std::int16_t, wire::Arena& arena) {
    std::vector<CreatePartitionsRequest::CreatePartitionsTopic> list;
    for (const NewPartitions& topic : topics) {
      CreatePartitionsRequest::CreatePartitionsTopic each;
      each.name = topic.topic;
      each.count = topic.total;
      each.assignments = wire::Array<CreatePartitionsRequest::CreatePartitionsAssignment>::null();
      list.push_back(each);
    }
    CreatePartitionsRequest request;
    request.topics = copy_to(arena, list);
    request.timeout_ms = kBrokerTimeoutMs;
    return request;
  };
  auto take = [](const CreatePartitionsResponse& reply, const AdminSource&, TopicResults& out) {
    for (const auto& topic : reply.results) {
      out.push_back(result_of(topic.name, topic.error_code, topic.error_message));
    }
    return judge(reply.results);
  };
  run<CreatePartitionsRequest>(
      *core, {.id = id, .what = "create partitions", .target = AdminCore::Target::controller()},
      std::move(make), take, std::move(done));
}

void Admin::describe_cluster(const Core& core, std::uint64_t id, std::monostate,
                             Done<ClusterDescription> done) {
  auto make = [](std::int16_t version, wire::Arena&) {
    MetadataRequest request;
    if (version >= kFirstNullMeansAll) {
      request.topics = wire::Array<MetadataRequest::MetadataRequestTopic>::null();
    }
    return request;
  };
  run<MetadataRequest>(*core, {.id = id, .what = "describe cluster"}, make, take_description,
                       std::move(done));
}

void Admin::describe_topics(const Core& core, std::uint64_t id, std::vector<std::string> topics,
                            Done<ClusterDescription> done) {
  auto make = [topics = std::move(topics)](std::int16_t version, wire::Arena& arena) {
    constexpr std::int16_t kFirstAutoCreateFlag = 4;
    std::vector<MetadataRequest::MetadataRequestTopic> list;
    for (const std::string& name : topics) list.push_back({{}, name});
    MetadataRequest request;
    request.topics = copy_to(arena, list);
    request.allow_auto_topic_creation = version < kFirstAutoCreateFlag;
    return request;
  };
  run<MetadataRequest>(*core, {.id = id, .what = "describe topics"}, std::move(make),
                       take_description, std::move(done));
}

}  // namespace tern::kafka
