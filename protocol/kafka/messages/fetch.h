// Fetch: record batches from the partitions that a broker has, in a session or without.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_FETCH_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_FETCH_H_

#include <cstdint>
#include <limits>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct FetchResponse;

inline constexpr Api kFetchApi{1, "Fetch", {4, 18}, /*flexible_from=*/12};

struct FetchRequest {
  static constexpr Api api = kFetchApi;
  using Response = FetchResponse;

  struct ReplicaState {
    std::int32_t replica_id = -1;
    std::int64_t replica_epoch = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ReplicaState;
      field("replica_id", &M::replica_id, since(15));
      field("replica_epoch", &M::replica_epoch, since(15));
    }
    friend bool operator==(const ReplicaState&, const ReplicaState&) = default;
  };

  struct FetchPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t fetch_offset = 0;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start_offset = -1;
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    std::int64_t high_watermark = std::numeric_limits<std::int64_t>::max();

    template <class V>
    static constexpr void describe(V& field) {
      using M = FetchPartition;
      field("partition", &M::partition, since(0));
      field("current_leader_epoch", &M::current_leader_epoch, since(9).ignorable());
      field("fetch_offset", &M::fetch_offset, since(0));
      field("last_fetched_epoch", &M::last_fetched_epoch, since(12));
      field("log_start_offset", &M::log_start_offset, since(5).ignorable());
      field("partition_max_bytes", &M::partition_max_bytes, since(0));
      field("replica_directory_id", &M::replica_directory_id, since(17).tag(0, 17).ignorable());
      field("high_watermark", &M::high_watermark, since(18).tag(1, 18).ignorable());
    }
    friend bool operator==(const FetchPartition&, const FetchPartition&) = default;
  };

  struct FetchTopic {
    Text topic;
    Uuid topic_id;
    Array<FetchPartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = FetchTopic;
      field("topic", &M::topic, since(0).until(12).ignorable());
      field("topic_id", &M::topic_id, since(13).ignorable());
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const FetchTopic&, const FetchTopic&) = default;
  };

  struct ForgottenTopic {
    Text topic;
    Uuid topic_id;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ForgottenTopic;
      field("topic", &M::topic, since(7).until(12).ignorable());
      field("topic_id", &M::topic_id, since(13).ignorable());
      field("partitions", &M::partitions, since(7));
    }
    friend bool operator==(const ForgottenTopic&, const ForgottenTopic&) = default;
  };

  Text cluster_id = Text::null();
  std::int32_t replica_id = -1;
  ReplicaState replica_state;
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  Array<FetchTopic> topics;
  Array<ForgottenTopic> forgotten_topics_data;
  Text rack_id;

  template <class V>
  static constexpr void describe(V& field) {
    using M = FetchRequest;
    field("cluster_id", &M::cluster_id, since(12).nullable(12).tag(0, 12).ignorable());
    field("replica_id", &M::replica_id, since(0).until(14));
    field("replica_state", &M::replica_state, since(15).tag(1, 15));
    field("max_wait_ms", &M::max_wait_ms, since(0));
    field("min_bytes", &M::min_bytes, since(0));
    field("max_bytes", &M::max_bytes, since(3).ignorable());
    field("isolation_level", &M::isolation_level, since(4).ignorable());
    field("session_id", &M::session_id, since(7).ignorable());
    field("session_epoch", &M::session_epoch, since(7).ignorable());
    field("topics", &M::topics, since(0));
    field("forgotten_topics_data", &M::forgotten_topics_data, since(7));
    field("rack_id", &M::rack_id, since(11).ignorable());
  }
  friend bool operator==(const FetchRequest&, const FetchRequest&) = default;
};

struct FetchResponse {
  static constexpr Api api = kFetchApi;

  struct EpochEndOffset {
    std::int32_t epoch = -1;
    std::int64_t end_offset = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = EpochEndOffset;
      field("epoch", &M::epoch, since(12));
      field("end_offset", &M::end_offset, since(12));
    }
    friend bool operator==(const EpochEndOffset&, const EpochEndOffset&) = default;
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = LeaderIdAndEpoch;
      field("leader_id", &M::leader_id, since(12));
      field("leader_epoch", &M::leader_epoch, since(12));
    }
    friend bool operator==(const LeaderIdAndEpoch&, const LeaderIdAndEpoch&) = default;
  };

  struct SnapshotId {
    std::int64_t end_offset = -1;
    std::int32_t epoch = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = SnapshotId;
      field("end_offset", &M::end_offset, since(0));
      field("epoch", &M::epoch, since(0));
    }
    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
  };

  struct AbortedTransaction {
    std::int64_t producer_id = 0;
    std::int64_t first_offset = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = AbortedTransaction;
      field("producer_id", &M::producer_id, since(4));
      field("first_offset", &M::first_offset, since(4));
    }
    friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
  };

  struct PartitionData {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::int64_t high_watermark = 0;
    std::int64_t last_stable_offset = -1;
    std::int64_t log_start_offset = -1;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;
    Array<AbortedTransaction> aborted_transactions;
    std::int32_t preferred_read_replica = -1;
    wire::Records records;

    template <class V>
    static constexpr void describe(V& field) {
      using M = PartitionData;
      field("partition_index", &M::partition_index, since(0));
      field("error_code", &M::error_code, since(0));
      field("high_watermark", &M::high_watermark, since(0));
      field("last_stable_offset", &M::last_stable_offset, since(4).ignorable());
      field("log_start_offset", &M::log_start_offset, since(5).ignorable());
      field("diverging_epoch", &M::diverging_epoch, since(12).tag(0, 12));
      field("current_leader", &M::current_leader, since(12).tag(1, 12));
      field("snapshot_id", &M::snapshot_id, since(12).tag(2, 12));
      field("aborted_transactions", &M::aborted_transactions, since(4).nullable(4).ignorable());
      field("preferred_read_replica", &M::preferred_read_replica, since(11));
      field("records", &M::records, since(0).nullable(0));
    }
    friend bool operator==(const PartitionData&, const PartitionData&) = default;
  };

  struct FetchableTopicResponse {
    Text topic;
    Uuid topic_id;
    Array<PartitionData> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = FetchableTopicResponse;
      field("topic", &M::topic, since(0).until(12).ignorable());
      field("topic_id", &M::topic_id, since(13).ignorable());
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const FetchableTopicResponse&, const FetchableTopicResponse&) = default;
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    Text host;
    std::int32_t port = 0;
    Text rack = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = NodeEndpoint;
      field("node_id", &M::node_id, since(16));
      field("host", &M::host, since(16));
      field("port", &M::port, since(16));
      field("rack", &M::rack, since(16).nullable(16));
    }
    friend bool operator==(const NodeEndpoint&, const NodeEndpoint&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t session_id = 0;
  Array<FetchableTopicResponse> responses;
  Array<NodeEndpoint> node_endpoints;

  template <class V>
  static constexpr void describe(V& field) {
    using M = FetchResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(7).ignorable());
    field("session_id", &M::session_id, since(7));
    field("responses", &M::responses, since(0));
    field("node_endpoints", &M::node_endpoints, since(16).tag(0, 16));
  }
  friend bool operator==(const FetchResponse&, const FetchResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_FETCH_H_
