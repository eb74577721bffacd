// Metadata: brokers, topics, partitions and their leaders.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_METADATA_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_METADATA_H_

#include <cstdint>
#include <limits>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct MetadataResponse;

inline constexpr Api kMetadataApi{3, "Metadata", {0, 13}, /*flexible_from=*/9};

struct MetadataRequest {
  static constexpr Api api = kMetadataApi;
  using Response = MetadataResponse;

  struct MetadataRequestTopic {
    Uuid topic_id;
    Text name;

    template <class V>
    static constexpr void describe(V& field) {
      using M = MetadataRequestTopic;
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("name", &M::name, since(0).nullable(10));
    }
    friend bool operator==(const MetadataRequestTopic&, const MetadataRequestTopic&) = default;
  };

  Array<MetadataRequestTopic> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = MetadataRequest;
    field("topics", &M::topics, since(0).nullable(1));
    field("allow_auto_topic_creation", &M::allow_auto_topic_creation, since(4));
    field("include_cluster_authorized_operations", &M::include_cluster_authorized_operations,
          since(8).until(10));
    field("include_topic_authorized_operations", &M::include_topic_authorized_operations, since(8));
  }
  friend bool operator==(const MetadataRequest&, const MetadataRequest&) = default;
};

struct MetadataResponse {
  static constexpr Api api = kMetadataApi;

  struct MetadataResponseBroker {
    std::int32_t node_id = 0;
    Text host;
    std::int32_t port = 0;
    Text rack = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = MetadataResponseBroker;
      field("node_id", &M::node_id, since(0));
      field("host", &M::host, since(0));
      field("port", &M::port, since(0));
      field("rack", &M::rack, since(1).nullable(1).ignorable());
    }
    friend bool operator==(const MetadataResponseBroker&, const MetadataResponseBroker&) = default;
  };

  struct MetadataResponsePartition {
    std::int16_t error_code = 0;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    Array<std::int32_t> replica_nodes;
    Array<std::int32_t> isr_nodes;
    Array<std::int32_t> offline_replicas;

    template <class V>
    static constexpr void describe(V& field) {
      using M = MetadataResponsePartition;
      field("error_code", &M::error_code, since(0));
      field("partition_index", &M::partition_index, since(0));
      field("leader_id", &M::leader_id, since(0));
      field("leader_epoch", &M::leader_epoch, since(7).ignorable());
      field("replica_nodes", &M::replica_nodes, since(0));
      field("isr_nodes", &M::isr_nodes, since(0));
      field("offline_replicas", &M::offline_replicas, since(5).ignorable());
    }
    friend bool operator==(const MetadataResponsePartition&,
                           const MetadataResponsePartition&) = default;
  };

  struct MetadataResponseTopic {
    std::int16_t error_code = 0;
    Text name;
    Uuid topic_id;
    bool is_internal = false;
    Array<MetadataResponsePartition> partitions;
    std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

    template <class V>
    static constexpr void describe(V& field) {
      using M = MetadataResponseTopic;
      field("error_code", &M::error_code, since(0));
      field("name", &M::name, since(0).nullable(12));
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("is_internal", &M::is_internal, since(1).ignorable());
      field("partitions", &M::partitions, since(0));
      field("topic_authorized_operations", &M::topic_authorized_operations, since(8));
    }
    friend bool operator==(const MetadataResponseTopic&, const MetadataResponseTopic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<MetadataResponseBroker> brokers;
  Text cluster_id = Text::null();
  std::int32_t controller_id = -1;
  Array<MetadataResponseTopic> topics;
  std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();
  std::int16_t error_code = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = MetadataResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(3).ignorable());
    field("brokers", &M::brokers, since(0));
    field("cluster_id", &M::cluster_id, since(2).nullable(2).ignorable());
    field("controller_id", &M::controller_id, since(1).ignorable());
    field("topics", &M::topics, since(0));
    field("cluster_authorized_operations", &M::cluster_authorized_operations, since(8).until(10));
    field("error_code", &M::error_code, since(13).ignorable());
  }
  friend bool operator==(const MetadataResponse&, const MetadataResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_METADATA_H_
