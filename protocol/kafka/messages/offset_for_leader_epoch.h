// OffsetForLeaderEpoch: where a leader epoch ended; how a consumer sees that a log was truncated.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct OffsetForLeaderEpochResponse;

inline constexpr Api kOffsetForLeaderEpochApi{
    23, "OffsetForLeaderEpoch", {2, 4}, /*flexible_from=*/4};

struct OffsetForLeaderEpochRequest {
  static constexpr Api api = kOffsetForLeaderEpochApi;
  using Response = OffsetForLeaderEpochResponse;

  struct OffsetForLeaderPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int32_t leader_epoch = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetForLeaderPartition;
      field("partition", &M::partition, since(0));
      field("current_leader_epoch", &M::current_leader_epoch, since(2).ignorable());
      field("leader_epoch", &M::leader_epoch, since(0));
    }
    friend bool operator==(const OffsetForLeaderPartition&,
                           const OffsetForLeaderPartition&) = default;
  };

  struct OffsetForLeaderTopic {
    Text topic;
    Array<OffsetForLeaderPartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetForLeaderTopic;
      field("topic", &M::topic, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetForLeaderTopic&, const OffsetForLeaderTopic&) = default;
  };

  std::int32_t replica_id = -2;
  Array<OffsetForLeaderTopic> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetForLeaderEpochRequest;
    field("replica_id", &M::replica_id, since(3).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetForLeaderEpochRequest&,
                         const OffsetForLeaderEpochRequest&) = default;
};

struct OffsetForLeaderEpochResponse {
  static constexpr Api api = kOffsetForLeaderEpochApi;

  struct EpochEndOffset {
    std::int16_t error_code = 0;
    std::int32_t partition = 0;
    std::int32_t leader_epoch = -1;
    std::int64_t end_offset = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = EpochEndOffset;
      field("error_code", &M::error_code, since(0));
      field("partition", &M::partition, since(0));
      field("leader_epoch", &M::leader_epoch, since(1).ignorable());
      field("end_offset", &M::end_offset, since(0));
    }
    friend bool operator==(const EpochEndOffset&, const EpochEndOffset&) = default;
  };

  struct OffsetForLeaderTopicResult {
    Text topic;
    Array<EpochEndOffset> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetForLeaderTopicResult;
      field("topic", &M::topic, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetForLeaderTopicResult&,
                           const OffsetForLeaderTopicResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<OffsetForLeaderTopicResult> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetForLeaderEpochResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(2).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetForLeaderEpochResponse&,
                         const OffsetForLeaderEpochResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H_
