// ConsumerGroupHeartbeat: the one request of a member in the consumer protocol (KIP-848), which
// joins, stays, tells what it owns and leaves.
//
// Null means "as in the last heartbeat" in requests and "nothing new" in responses.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_GROUP_HEARTBEAT_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_GROUP_HEARTBEAT_H_

#include <cstdint>
#include <optional>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct ConsumerGroupHeartbeatResponse;

inline constexpr Api kConsumerGroupHeartbeatApi{
    68, "ConsumerGroupHeartbeat", {0, 1}, /*flexible_from=*/0};

struct ConsumerGroupHeartbeatRequest {
  static constexpr Api api = kConsumerGroupHeartbeatApi;
  using Response = ConsumerGroupHeartbeatResponse;

  struct TopicPartitions {
    Uuid topic_id;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicPartitions;
      field("topic_id", &M::topic_id, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const TopicPartitions&, const TopicPartitions&) = default;
  };

  Text group_id;
  Text member_id;
  std::int32_t member_epoch = 0;
  Text instance_id = Text::null();
  Text rack_id = Text::null();
  std::int32_t rebalance_timeout_ms = -1;
  Array<Text> subscribed_topic_names = Array<Text>::null();
  Text subscribed_topic_regex = Text::null();
  Text server_assignor = Text::null();
  Array<TopicPartitions> topic_partitions = Array<TopicPartitions>::null();

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerGroupHeartbeatRequest;
    field("group_id", &M::group_id, since(0));
    field("member_id", &M::member_id, since(0));
    field("member_epoch", &M::member_epoch, since(0));
    field("instance_id", &M::instance_id, since(0).nullable(0));
    field("rack_id", &M::rack_id, since(0).nullable(0));
    field("rebalance_timeout_ms", &M::rebalance_timeout_ms, since(0));
    field("subscribed_topic_names", &M::subscribed_topic_names, since(0).nullable(0));
    field("subscribed_topic_regex", &M::subscribed_topic_regex, since(1).nullable(1));
    field("server_assignor", &M::server_assignor, since(0).nullable(0));
    field("topic_partitions", &M::topic_partitions, since(0).nullable(0));
  }
  friend bool operator==(const ConsumerGroupHeartbeatRequest&,
                         const ConsumerGroupHeartbeatRequest&) = default;
};

struct ConsumerGroupHeartbeatResponse {
  static constexpr Api api = kConsumerGroupHeartbeatApi;

  struct TopicPartitions {
    Uuid topic_id;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicPartitions;
      field("topic_id", &M::topic_id, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const TopicPartitions&, const TopicPartitions&) = default;
  };

  struct Assignment {
    Array<TopicPartitions> topic_partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = Assignment;
      field("topic_partitions", &M::topic_partitions, since(0));
    }
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  Text error_message = Text::null();
  Text member_id = Text::null();
  std::int32_t member_epoch = 0;
  std::int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerGroupHeartbeatResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0));
    field("error_code", &M::error_code, since(0));
    field("error_message", &M::error_message, since(0).nullable(0));
    field("member_id", &M::member_id, since(0).nullable(0));
    field("member_epoch", &M::member_epoch, since(0));
    field("heartbeat_interval_ms", &M::heartbeat_interval_ms, since(0));
    field("assignment", &M::assignment, since(0).nullable(0));
  }
  friend bool operator==(const ConsumerGroupHeartbeatResponse&,
                         const ConsumerGroupHeartbeatResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_GROUP_HEARTBEAT_H_
