// DescribeGroups, ListGroups, DeleteGroups, and ConsumerGroupDescribe for groups of the consumer
// protocol (KIP-848).
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_ADMIN_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_ADMIN_H_

#include <cstdint>
#include <limits>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct DescribeGroupsResponse;

inline constexpr Api kDescribeGroupsApi{15, "DescribeGroups", {0, 6}, /*flexible_from=*/5};

struct DescribeGroupsRequest {
  static constexpr Api api = kDescribeGroupsApi;
  using Response = DescribeGroupsResponse;

  Array<Text> groups;
  bool include_authorized_operations = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DescribeGroupsRequest;
    field("groups", &M::groups, since(0));
    field("include_authorized_operations", &M::include_authorized_operations, since(3));
  }
  friend bool operator==(const DescribeGroupsRequest&, const DescribeGroupsRequest&) = default;
};

struct DescribeGroupsResponse {
  static constexpr Api api = kDescribeGroupsApi;

  struct DescribedGroupMember {
    Text member_id;
    Text group_instance_id = Text::null();
    Text client_id;
    Text client_host;
    wire::Bytes member_metadata;
    wire::Bytes member_assignment;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribedGroupMember;
      field("member_id", &M::member_id, since(0));
      field("group_instance_id", &M::group_instance_id, since(4).nullable(4).ignorable());
      field("client_id", &M::client_id, since(0));
      field("client_host", &M::client_host, since(0));
      field("member_metadata", &M::member_metadata, since(0));
      field("member_assignment", &M::member_assignment, since(0));
    }
    friend bool operator==(const DescribedGroupMember&, const DescribedGroupMember&) = default;
  };

  struct DescribedGroup {
    std::int16_t error_code = 0;
    Text error_message = Text::null();
    Text group_id;
    Text group_state;
    Text protocol_type;
    Text protocol_data;
    Array<DescribedGroupMember> members;
    std::int32_t authorized_operations = std::numeric_limits<std::int32_t>::min();

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribedGroup;
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(6).nullable(6));
      field("group_id", &M::group_id, since(0));
      field("group_state", &M::group_state, since(0));
      field("protocol_type", &M::protocol_type, since(0));
      field("protocol_data", &M::protocol_data, since(0));
      field("members", &M::members, since(0));
      field("authorized_operations", &M::authorized_operations, since(3));
    }
    friend bool operator==(const DescribedGroup&, const DescribedGroup&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<DescribedGroup> groups;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DescribeGroupsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("groups", &M::groups, since(0));
  }
  friend bool operator==(const DescribeGroupsResponse&, const DescribeGroupsResponse&) = default;
};

struct ListGroupsResponse;

inline constexpr Api kListGroupsApi{16, "ListGroups", {0, 5}, /*flexible_from=*/3};

struct ListGroupsRequest {
  static constexpr Api api = kListGroupsApi;
  using Response = ListGroupsResponse;

  Array<Text> states_filter;
  Array<Text> types_filter;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ListGroupsRequest;
    field("states_filter", &M::states_filter, since(4));
    field("types_filter", &M::types_filter, since(5));
  }
  friend bool operator==(const ListGroupsRequest&, const ListGroupsRequest&) = default;
};

struct ListGroupsResponse {
  static constexpr Api api = kListGroupsApi;

  struct ListedGroup {
    Text group_id;
    Text protocol_type;
    Text group_state;
    Text group_type;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ListedGroup;
      field("group_id", &M::group_id, since(0));
      field("protocol_type", &M::protocol_type, since(0));
      field("group_state", &M::group_state, since(4).ignorable());
      field("group_type", &M::group_type, since(5).ignorable());
    }
    friend bool operator==(const ListedGroup&, const ListedGroup&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  Array<ListedGroup> groups;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ListGroupsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(0));
    field("groups", &M::groups, since(0));
  }
  friend bool operator==(const ListGroupsResponse&, const ListGroupsResponse&) = default;
};

struct DeleteGroupsResponse;

inline constexpr Api kDeleteGroupsApi{42, "DeleteGroups", {0, 3}, /*flexible_from=*/2};

struct DeleteGroupsRequest {
  static constexpr Api api = kDeleteGroupsApi;
  using Response = DeleteGroupsResponse;

  Array<Text> groups_names;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DeleteGroupsRequest;
    field("groups_names", &M::groups_names, since(0));
  }
  friend bool operator==(const DeleteGroupsRequest&, const DeleteGroupsRequest&) = default;
};

struct DeleteGroupsResponse {
  static constexpr Api api = kDeleteGroupsApi;

  struct DeletableGroupResult {
    Text group_id;
    std::int16_t error_code = 0;
    Text error_message = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = DeletableGroupResult;
      field("group_id", &M::group_id, since(0));
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(3).nullable(3).ignorable());
    }
    friend bool operator==(const DeletableGroupResult&, const DeletableGroupResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<DeletableGroupResult> results;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DeleteGroupsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0));
    field("results", &M::results, since(0));
  }
  friend bool operator==(const DeleteGroupsResponse&, const DeleteGroupsResponse&) = default;
};

struct ConsumerGroupDescribeResponse;

inline constexpr Api kConsumerGroupDescribeApi{
    69, "ConsumerGroupDescribe", {0, 1}, /*flexible_from=*/0};

struct ConsumerGroupDescribeRequest {
  static constexpr Api api = kConsumerGroupDescribeApi;
  using Response = ConsumerGroupDescribeResponse;

  Array<Text> group_ids;
  bool include_authorized_operations = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerGroupDescribeRequest;
    field("group_ids", &M::group_ids, since(0));
    field("include_authorized_operations", &M::include_authorized_operations, since(0));
  }
  friend bool operator==(const ConsumerGroupDescribeRequest&,
                         const ConsumerGroupDescribeRequest&) = default;
};

struct ConsumerGroupDescribeResponse {
  static constexpr Api api = kConsumerGroupDescribeApi;

  struct TopicPartitions {
    Uuid topic_id;
    Text topic_name;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicPartitions;
      field("topic_id", &M::topic_id, since(0));
      field("topic_name", &M::topic_name, since(0));
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

  struct Member {
    Text member_id;
    Text instance_id = Text::null();
    Text rack_id = Text::null();
    std::int32_t member_epoch = 0;
    Text client_id;
    Text client_host;
    Array<Text> subscribed_topic_names;
    Text subscribed_topic_regex = Text::null();
    Assignment assignment;
    Assignment target_assignment;
    std::int8_t member_type = -1;

    template <class V>
    static constexpr void describe(V& field) {
      using M = Member;
      field("member_id", &M::member_id, since(0));
      field("instance_id", &M::instance_id, since(0).nullable(0));
      field("rack_id", &M::rack_id, since(0).nullable(0));
      field("member_epoch", &M::member_epoch, since(0));
      field("client_id", &M::client_id, since(0));
      field("client_host", &M::client_host, since(0));
      field("subscribed_topic_names", &M::subscribed_topic_names, since(0));
      field("subscribed_topic_regex", &M::subscribed_topic_regex, since(0).nullable(0));
      field("assignment", &M::assignment, since(0));
      field("target_assignment", &M::target_assignment, since(0));
      field("member_type", &M::member_type, since(1).ignorable());
    }
    friend bool operator==(const Member&, const Member&) = default;
  };

  struct DescribedGroup {
    std::int16_t error_code = 0;
    Text error_message = Text::null();
    Text group_id;
    Text group_state;
    std::int32_t group_epoch = 0;
    std::int32_t assignment_epoch = 0;
    Text assignor_name;
    Array<Member> members;
    std::int32_t authorized_operations = std::numeric_limits<std::int32_t>::min();

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribedGroup;
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(0).nullable(0));
      field("group_id", &M::group_id, since(0));
      field("group_state", &M::group_state, since(0));
      field("group_epoch", &M::group_epoch, since(0));
      field("assignment_epoch", &M::assignment_epoch, since(0));
      field("assignor_name", &M::assignor_name, since(0));
      field("members", &M::members, since(0));
      field("authorized_operations", &M::authorized_operations, since(0));
    }
    friend bool operator==(const DescribedGroup&, const DescribedGroup&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<DescribedGroup> groups;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerGroupDescribeResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0));
    field("groups", &M::groups, since(0));
  }
  friend bool operator==(const ConsumerGroupDescribeResponse&,
                         const ConsumerGroupDescribeResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_ADMIN_H_
