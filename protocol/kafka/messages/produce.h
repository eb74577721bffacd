// Produce: record batches for the partitions that a broker leads.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_PRODUCE_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_PRODUCE_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct ProduceResponse;

inline constexpr Api kProduceApi{0, "Produce", {3, 13}, /*flexible_from=*/9};

struct ProduceRequest {
  static constexpr Api api = kProduceApi;
  using Response = ProduceResponse;

  struct PartitionProduceData {
    std::int32_t index = 0;
    wire::Records records;

    template <class V>
    static constexpr void describe(V& field) {
      using M = PartitionProduceData;
      field("index", &M::index, since(0));
      field("records", &M::records, since(0).nullable(0));
    }
    friend bool operator==(const PartitionProduceData&, const PartitionProduceData&) = default;
  };

  struct TopicProduceData {
    Text name;
    Uuid topic_id;
    Array<PartitionProduceData> partition_data;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicProduceData;
      field("name", &M::name, since(0).until(12).ignorable());
      field("topic_id", &M::topic_id, since(13).ignorable());
      field("partition_data", &M::partition_data, since(0));
    }
    friend bool operator==(const TopicProduceData&, const TopicProduceData&) = default;
  };

  Text transactional_id = Text::null();
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  Array<TopicProduceData> topic_data;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ProduceRequest;
    field("transactional_id", &M::transactional_id, since(3).nullable(3));
    field("acks", &M::acks, since(0));
    field("timeout_ms", &M::timeout_ms, since(0));
    field("topic_data", &M::topic_data, since(0));
  }
  friend bool operator==(const ProduceRequest&, const ProduceRequest&) = default;
};

struct ProduceResponse {
  static constexpr Api api = kProduceApi;

  struct BatchIndexAndErrorMessage {
    std::int32_t batch_index = 0;
    Text batch_index_error_message = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = BatchIndexAndErrorMessage;
      field("batch_index", &M::batch_index, since(8));
      field("batch_index_error_message", &M::batch_index_error_message, since(8).nullable(8));
    }
    friend bool operator==(const BatchIndexAndErrorMessage&,
                           const BatchIndexAndErrorMessage&) = default;
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = LeaderIdAndEpoch;
      field("leader_id", &M::leader_id, since(10));
      field("leader_epoch", &M::leader_epoch, since(10));
    }
    friend bool operator==(const LeaderIdAndEpoch&, const LeaderIdAndEpoch&) = default;
  };

  struct PartitionProduceResponse {
    std::int32_t index = 0;
    std::int16_t error_code = 0;
    std::int64_t base_offset = 0;
    std::int64_t log_append_time_ms = -1;
    std::int64_t log_start_offset = -1;
    Array<BatchIndexAndErrorMessage> record_errors;
    Text error_message = Text::null();
    LeaderIdAndEpoch current_leader;

    template <class V>
    static constexpr void describe(V& field) {
      using M = PartitionProduceResponse;
      field("index", &M::index, since(0));
      field("error_code", &M::error_code, since(0));
      field("base_offset", &M::base_offset, since(0));
      field("log_append_time_ms", &M::log_append_time_ms, since(2).ignorable());
      field("log_start_offset", &M::log_start_offset, since(5).ignorable());
      field("record_errors", &M::record_errors, since(8).ignorable());
      field("error_message", &M::error_message, since(8).nullable(8).ignorable());
      field("current_leader", &M::current_leader, since(10).tag(0, 10));
    }
    friend bool operator==(const PartitionProduceResponse&,
                           const PartitionProduceResponse&) = default;
  };

  struct TopicProduceResponse {
    Text name;
    Uuid topic_id;
    Array<PartitionProduceResponse> partition_responses;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicProduceResponse;
      field("name", &M::name, since(0).until(12).ignorable());
      field("topic_id", &M::topic_id, since(13).ignorable());
      field("partition_responses", &M::partition_responses, since(0));
    }
    friend bool operator==(const TopicProduceResponse&, const TopicProduceResponse&) = default;
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    Text host;
    std::int32_t port = 0;
    Text rack = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = NodeEndpoint;
      field("node_id", &M::node_id, since(10));
      field("host", &M::host, since(10));
      field("port", &M::port, since(10));
      field("rack", &M::rack, since(10).nullable(10));
    }
    friend bool operator==(const NodeEndpoint&, const NodeEndpoint&) = default;
  };

  Array<TopicProduceResponse> responses;
  std::int32_t throttle_time_ms = 0;
  Array<NodeEndpoint> node_endpoints;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ProduceResponse;
    field("responses", &M::responses, since(0));
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("node_endpoints", &M::node_endpoints, since(10).tag(0, 10));
  }
  friend bool operator==(const ProduceResponse&, const ProduceResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_PRODUCE_H_
