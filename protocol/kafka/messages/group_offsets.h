// OffsetCommit, OffsetFetch, OffsetDelete: the positions that a group has stored.
//
// From version 10 on the first two name topics by id only.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_OFFSETS_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_OFFSETS_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct OffsetCommitResponse;

inline constexpr Api kOffsetCommitApi{8, "OffsetCommit", {2, 10}, /*flexible_from=*/8};

struct OffsetCommitRequest {
  static constexpr Api api = kOffsetCommitApi;
  using Response = OffsetCommitResponse;

  struct OffsetCommitRequestPartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    Text committed_metadata;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetCommitRequestPartition;
      field("partition_index", &M::partition_index, since(0));
      field("committed_offset", &M::committed_offset, since(0));
      field("committed_leader_epoch", &M::committed_leader_epoch, since(6).ignorable());
      field("committed_metadata", &M::committed_metadata, since(0).nullable(0));
    }
    friend bool operator==(const OffsetCommitRequestPartition&,
                           const OffsetCommitRequestPartition&) = default;
  };

  struct OffsetCommitRequestTopic {
    Text name;
    Uuid topic_id;
    Array<OffsetCommitRequestPartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetCommitRequestTopic;
      field("name", &M::name, since(0).until(9).ignorable());
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetCommitRequestTopic&,
                           const OffsetCommitRequestTopic&) = default;
  };

  Text group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  Text member_id;
  Text group_instance_id = Text::null();
  std::int64_t retention_time_ms = -1;
  Array<OffsetCommitRequestTopic> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetCommitRequest;
    field("group_id", &M::group_id, since(0));
    field("generation_id_or_member_epoch", &M::generation_id_or_member_epoch, since(1).ignorable());
    field("member_id", &M::member_id, since(1).ignorable());
    field("group_instance_id", &M::group_instance_id, since(7).nullable(7));
    field("retention_time_ms", &M::retention_time_ms, since(2).until(4).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetCommitRequest&, const OffsetCommitRequest&) = default;
};

struct OffsetCommitResponse {
  static constexpr Api api = kOffsetCommitApi;

  struct OffsetCommitResponsePartition {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetCommitResponsePartition;
      field("partition_index", &M::partition_index, since(0));
      field("error_code", &M::error_code, since(0));
    }
    friend bool operator==(const OffsetCommitResponsePartition&,
                           const OffsetCommitResponsePartition&) = default;
  };

  struct OffsetCommitResponseTopic {
    Text name;
    Uuid topic_id;
    Array<OffsetCommitResponsePartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetCommitResponseTopic;
      field("name", &M::name, since(0).until(9).ignorable());
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetCommitResponseTopic&,
                           const OffsetCommitResponseTopic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<OffsetCommitResponseTopic> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetCommitResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(3).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetCommitResponse&, const OffsetCommitResponse&) = default;
};

struct OffsetFetchResponse;

inline constexpr Api kOffsetFetchApi{9, "OffsetFetch", {1, 10}, /*flexible_from=*/6};

// One group up to version 7 (`group_id`, `topics`), any number from version 8 on (`groups`). Null
// topics ask for all that the group has stored.
struct OffsetFetchRequest {
  static constexpr Api api = kOffsetFetchApi;
  using Response = OffsetFetchResponse;

  struct OffsetFetchRequestTopic {
    Text name;
    Array<std::int32_t> partition_indexes;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchRequestTopic;
      field("name", &M::name, since(0).until(7));
      field("partition_indexes", &M::partition_indexes, since(0).until(7));
    }
    friend bool operator==(const OffsetFetchRequestTopic&,
                           const OffsetFetchRequestTopic&) = default;
  };

  struct OffsetFetchRequestTopics {
    Text name;
    Uuid topic_id;
    Array<std::int32_t> partition_indexes;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchRequestTopics;
      field("name", &M::name, since(8).until(9).ignorable());
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("partition_indexes", &M::partition_indexes, since(8));
    }
    friend bool operator==(const OffsetFetchRequestTopics&,
                           const OffsetFetchRequestTopics&) = default;
  };

  struct OffsetFetchRequestGroup {
    Text group_id;
    Text member_id = Text::null();
    std::int32_t member_epoch = -1;
    Array<OffsetFetchRequestTopics> topics;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchRequestGroup;
      field("group_id", &M::group_id, since(8));
      field("member_id", &M::member_id, since(9).nullable(9).ignorable());
      field("member_epoch", &M::member_epoch, since(9).ignorable());
      field("topics", &M::topics, since(8).nullable(8));
    }
    friend bool operator==(const OffsetFetchRequestGroup&,
                           const OffsetFetchRequestGroup&) = default;
  };

  Text group_id;
  Array<OffsetFetchRequestTopic> topics;
  Array<OffsetFetchRequestGroup> groups;
  bool require_stable = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetFetchRequest;
    field("group_id", &M::group_id, since(0).until(7));
    field("topics", &M::topics, since(0).until(7).nullable(2));
    field("groups", &M::groups, since(8));
    field("require_stable", &M::require_stable, since(7));
  }
  friend bool operator==(const OffsetFetchRequest&, const OffsetFetchRequest&) = default;
};

struct OffsetFetchResponse {
  static constexpr Api api = kOffsetFetchApi;

  struct OffsetFetchResponsePartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    Text metadata;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchResponsePartition;
      field("partition_index", &M::partition_index, since(0).until(7));
      field("committed_offset", &M::committed_offset, since(0).until(7));
      field("committed_leader_epoch", &M::committed_leader_epoch, since(5).until(7).ignorable());
      field("metadata", &M::metadata, since(0).until(7).nullable(0));
      field("error_code", &M::error_code, since(0).until(7));
    }
    friend bool operator==(const OffsetFetchResponsePartition&,
                           const OffsetFetchResponsePartition&) = default;
  };

  struct OffsetFetchResponseTopic {
    Text name;
    Array<OffsetFetchResponsePartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchResponseTopic;
      field("name", &M::name, since(0).until(7));
      field("partitions", &M::partitions, since(0).until(7));
    }
    friend bool operator==(const OffsetFetchResponseTopic&,
                           const OffsetFetchResponseTopic&) = default;
  };

  struct OffsetFetchResponsePartitions {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    Text metadata;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchResponsePartitions;
      field("partition_index", &M::partition_index, since(8));
      field("committed_offset", &M::committed_offset, since(8));
      field("committed_leader_epoch", &M::committed_leader_epoch, since(8).ignorable());
      field("metadata", &M::metadata, since(8).nullable(8));
      field("error_code", &M::error_code, since(8));
    }
    friend bool operator==(const OffsetFetchResponsePartitions&,
                           const OffsetFetchResponsePartitions&) = default;
  };

  struct OffsetFetchResponseTopics {
    Text name;
    Uuid topic_id;
    Array<OffsetFetchResponsePartitions> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchResponseTopics;
      field("name", &M::name, since(8).until(9).ignorable());
      field("topic_id", &M::topic_id, since(10).ignorable());
      field("partitions", &M::partitions, since(8));
    }
    friend bool operator==(const OffsetFetchResponseTopics&,
                           const OffsetFetchResponseTopics&) = default;
  };

  struct OffsetFetchResponseGroup {
    Text group_id;
    Array<OffsetFetchResponseTopics> topics;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetFetchResponseGroup;
      field("group_id", &M::group_id, since(8));
      field("topics", &M::topics, since(8));
      field("error_code", &M::error_code, since(8));
    }
    friend bool operator==(const OffsetFetchResponseGroup&,
                           const OffsetFetchResponseGroup&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<OffsetFetchResponseTopic> topics;
  std::int16_t error_code = 0;
  Array<OffsetFetchResponseGroup> groups;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetFetchResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(3).ignorable());
    field("topics", &M::topics, since(0).until(7));
    field("error_code", &M::error_code, since(2).until(7).ignorable());
    field("groups", &M::groups, since(8));
  }
  friend bool operator==(const OffsetFetchResponse&, const OffsetFetchResponse&) = default;
};

struct OffsetDeleteResponse;

inline constexpr Api kOffsetDeleteApi{47, "OffsetDelete", {0, 0}};

struct OffsetDeleteRequest {
  static constexpr Api api = kOffsetDeleteApi;
  using Response = OffsetDeleteResponse;

  struct OffsetDeleteRequestPartition {
    std::int32_t partition_index = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetDeleteRequestPartition;
      field("partition_index", &M::partition_index, since(0));
    }
    friend bool operator==(const OffsetDeleteRequestPartition&,
                           const OffsetDeleteRequestPartition&) = default;
  };

  struct OffsetDeleteRequestTopic {
    Text name;
    Array<OffsetDeleteRequestPartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetDeleteRequestTopic;
      field("name", &M::name, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetDeleteRequestTopic&,
                           const OffsetDeleteRequestTopic&) = default;
  };

  Text group_id;
  Array<OffsetDeleteRequestTopic> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetDeleteRequest;
    field("group_id", &M::group_id, since(0));
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetDeleteRequest&, const OffsetDeleteRequest&) = default;
};

struct OffsetDeleteResponse {
  static constexpr Api api = kOffsetDeleteApi;

  struct OffsetDeleteResponsePartition {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetDeleteResponsePartition;
      field("partition_index", &M::partition_index, since(0));
      field("error_code", &M::error_code, since(0));
    }
    friend bool operator==(const OffsetDeleteResponsePartition&,
                           const OffsetDeleteResponsePartition&) = default;
  };

  struct OffsetDeleteResponseTopic {
    Text name;
    Array<OffsetDeleteResponsePartition> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = OffsetDeleteResponseTopic;
      field("name", &M::name, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const OffsetDeleteResponseTopic&,
                           const OffsetDeleteResponseTopic&) = default;
  };

  std::int16_t error_code = 0;
  std::int32_t throttle_time_ms = 0;
  Array<OffsetDeleteResponseTopic> topics;

  template <class V>
  static constexpr void describe(V& field) {
    using M = OffsetDeleteResponse;
    field("error_code", &M::error_code, since(0));
    field("throttle_time_ms", &M::throttle_time_ms, since(0).ignorable());
    field("topics", &M::topics, since(0));
  }
  friend bool operator==(const OffsetDeleteResponse&, const OffsetDeleteResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_OFFSETS_H_
