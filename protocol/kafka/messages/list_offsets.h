// ListOffsets: offsets by time, the earliest and the latest.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_LIST_OFFSETS_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_LIST_OFFSETS_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct ListOffsetsResponse;

inline constexpr Api kListOffsetsApi{2, "ListOffsets", {1, 11}, /*flexible_from=*/6};

struct ListOffsetsRequest {
  static constexpr Api api = kListOffsetsApi;
  using Response = ListOffsetsResponse;

  struct ListOffsetsPartition {
    std::int32_t partition_index = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t timestamp = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ListOffsetsPartition;
      field("partition_index", &M::partition_index, since(0));
      field("current_leader_epoch", &M::current_leader_epoch, since(4).ignorable());
      field("timestamp", &M::timestamp, since(0));
    }
    friend bool operator==(const ListOffsetsPartition&, const ListOffsetsPartition&) = default;
  };

  struct ListOffsetsTopic {
    Text name;
    Array<ListOffsetsPartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ListOffsetsTopic;
      field("name", &M::name, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const ListOffsetsTopic&, const ListOffsetsTopic&) = default;
  };

  std::int32_t replica_id = 0;
  std::int8_t isolation_level = 0;
  Array<ListOffsetsTopic> topics;
  std::int32_t timeout_ms = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ListOffsetsRequest;
    field("replica_id", &M::replica_id, since(0));
    field("isolation_level", &M::isolation_level, since(2));
    field("topics", &M::topics, since(0));
    field("timeout_ms", &M::timeout_ms, since(10).ignorable());
  }
  friend bool operator==(const ListOffsetsRequest&, const ListOffsetsRequest&) = default;
};

struct ListOffsetsResponse {
  static constexpr Api api = kListOffsetsApi;

  struct ListOffsetsPartitionResponse {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::int64_t timestamp = -1;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ListOffsetsPartitionResponse;
      field("partition_index", &M::partition_index, since(0));
      field("error_code", &M::error_code, since(0));
      field("timestamp", &M::timestamp, since(1));
      field("offset", &M::offset, since(1));
      field("leader_epoch", &M::leader_epoch, since(4));
    }
    friend bool operator==(const ListOffsetsPartitionResponse&,
                           const ListOffsetsPartitionResponse&) = default;
  };

  struct ListOffsetsTopicResponse {
    Text name;
    Array<ListOffsetsPartitionResponse> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ListOffsetsTopicResponse;
      field("name", &M::name, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const ListOffsetsTopicResponse&,
                           const ListOffsetsTopicResponse&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<ListOffsetsTopicResponse> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ListOffsetsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(2).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const ListOffsetsResponse&, const ListOffsetsResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_LIST_OFFSETS_H_
