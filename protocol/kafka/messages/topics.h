// CreateTopics, DeleteTopics and CreatePartitions.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_TOPICS_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_TOPICS_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct CreateTopicsResponse;

inline constexpr Api kCreateTopicsApi{19, "CreateTopics", {2, 7}, /*flexible_from=*/5};

struct CreateTopicsRequest {
  static constexpr Api api = kCreateTopicsApi;
  using Response = CreateTopicsResponse;

  struct CreatableReplicaAssignment {
    std::int32_t partition_index = 0;
    Array<std::int32_t> broker_ids;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatableReplicaAssignment;
      field("partition_index", &M::partition_index, since(0));
      field("broker_ids", &M::broker_ids, since(0));
    }
    friend bool operator==(const CreatableReplicaAssignment&,
                           const CreatableReplicaAssignment&) = default;
  };

  struct CreatableTopicConfig {
    Text name;
    Text value;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatableTopicConfig;
      field("name", &M::name, since(0));
      field("value", &M::value, since(0).nullable(0));
    }
    friend bool operator==(const CreatableTopicConfig&, const CreatableTopicConfig&) = default;
  };

  struct CreatableTopic {
    Text name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    Array<CreatableReplicaAssignment> assignments;
    Array<CreatableTopicConfig> configs;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatableTopic;
      field("name", &M::name, since(0));
      field("num_partitions", &M::num_partitions, since(0));
      field("replication_factor", &M::replication_factor, since(0));
      field("assignments", &M::assignments, since(0));
      field("configs", &M::configs, since(0));
    }
    friend bool operator==(const CreatableTopic&, const CreatableTopic&) = default;
  };

  Array<CreatableTopic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = CreateTopicsRequest;
    field("topics", &M::topics, since(0));
    field("timeout_ms", &M::timeout_ms, since(0));
    field("validate_only", &M::validate_only, since(1));
  }
  friend bool operator==(const CreateTopicsRequest&, const CreateTopicsRequest&) = default;
};

struct CreateTopicsResponse {
  static constexpr Api api = kCreateTopicsApi;

  struct CreatableTopicConfigs {
    Text name;
    Text value;
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatableTopicConfigs;
      field("name", &M::name, since(5));
      field("value", &M::value, since(5).nullable(5));
      field("read_only", &M::read_only, since(5));
      field("config_source", &M::config_source, since(5).ignorable());
      field("is_sensitive", &M::is_sensitive, since(5));
    }
    friend bool operator==(const CreatableTopicConfigs&, const CreatableTopicConfigs&) = default;
  };

  struct CreatableTopicResult {
    Text name;
    Uuid topic_id;
    std::int16_t error_code = 0;
    Text error_message;
    std::int16_t topic_config_error_code = 0;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    Array<CreatableTopicConfigs> configs;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatableTopicResult;
      field("name", &M::name, since(0));
      field("topic_id", &M::topic_id, since(7).ignorable());
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(1).nullable(0).ignorable());
      field("topic_config_error_code", &M::topic_config_error_code, since(5).tag(0, 5).ignorable());
      field("num_partitions", &M::num_partitions, since(5).ignorable());
      field("replication_factor", &M::replication_factor, since(5).ignorable());
      field("configs", &M::configs, since(5).nullable(5).ignorable());
    }
    friend bool operator==(const CreatableTopicResult&, const CreatableTopicResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<CreatableTopicResult> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = CreateTopicsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(2).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const CreateTopicsResponse&, const CreateTopicsResponse&) = default;
};

struct DeleteTopicsResponse;

inline constexpr Api kDeleteTopicsApi{20, "DeleteTopics", {1, 6}, /*flexible_from=*/4};

struct DeleteTopicsRequest {
  static constexpr Api api = kDeleteTopicsApi;
  using Response = DeleteTopicsResponse;

  struct DeleteTopicState {
    Text name = Text::null();
    Uuid topic_id;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DeleteTopicState;
      field("name", &M::name, since(6).nullable(6));
      field("topic_id", &M::topic_id, since(6));
    }
    friend bool operator==(const DeleteTopicState&, const DeleteTopicState&) = default;
  };

  Array<DeleteTopicState> topics;
  Array<Text> topic_names;
  std::int32_t timeout_ms = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DeleteTopicsRequest;
    field("topics", &M::topics, since(6));
    field("topic_names", &M::topic_names, since(0).until(5).ignorable());
    field("timeout_ms", &M::timeout_ms, since(0));
  }
  friend bool operator==(const DeleteTopicsRequest&, const DeleteTopicsRequest&) = default;
};

struct DeleteTopicsResponse {
  static constexpr Api api = kDeleteTopicsApi;

  struct DeletableTopicResult {
    Text name;
    Uuid topic_id;
    std::int16_t error_code = 0;
    Text error_message = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = DeletableTopicResult;
      field("name", &M::name, since(0).nullable(6));
      field("topic_id", &M::topic_id, since(6).ignorable());
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(5).nullable(5).ignorable());
    }
    friend bool operator==(const DeletableTopicResult&, const DeletableTopicResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<DeletableTopicResult> responses;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DeleteTopicsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("responses", &M::responses, since(0));
  }
  friend bool operator==(const DeleteTopicsResponse&, const DeleteTopicsResponse&) = default;
};

struct CreatePartitionsResponse;

inline constexpr Api kCreatePartitionsApi{37, "CreatePartitions", {0, 3}, /*flexible_from=*/2};

struct CreatePartitionsRequest {
  static constexpr Api api = kCreatePartitionsApi;
  using Response = CreatePartitionsResponse;

  struct CreatePartitionsAssignment {
    Array<std::int32_t> broker_ids;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatePartitionsAssignment;
      field("broker_ids", &M::broker_ids, since(0));
    }
    friend bool operator==(const CreatePartitionsAssignment&,
                           const CreatePartitionsAssignment&) = default;
  };

  struct CreatePartitionsTopic {
    Text name;
    std::int32_t count = 0;
    Array<CreatePartitionsAssignment> assignments;

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatePartitionsTopic;
      field("name", &M::name, since(0));
      field("count", &M::count, since(0));
      field("assignments", &M::assignments, since(0).nullable(0));
    }
    friend bool operator==(const CreatePartitionsTopic&, const CreatePartitionsTopic&) = default;
  };

  Array<CreatePartitionsTopic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = CreatePartitionsRequest;
    field("topics", &M::topics, since(0));
    field("timeout_ms", &M::timeout_ms, since(0));
    field("validate_only", &M::validate_only, since(0));
  }
  friend bool operator==(const CreatePartitionsRequest&, const CreatePartitionsRequest&) = default;
};

struct CreatePartitionsResponse {
  static constexpr Api api = kCreatePartitionsApi;

  struct CreatePartitionsTopicResult {
    Text name;
    std::int16_t error_code = 0;
    Text error_message = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = CreatePartitionsTopicResult;
      field("name", &M::name, since(0));
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(0).nullable(0));
    }
    friend bool operator==(const CreatePartitionsTopicResult&,
                           const CreatePartitionsTopicResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<CreatePartitionsTopicResult> results;

  template <class V>
  static constexpr void describe(V& field) {
    using M = CreatePartitionsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0));
    field("results", &M::results, since(0));
  }
  friend bool operator==(const CreatePartitionsResponse&,
                         const CreatePartitionsResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_TOPICS_H_
