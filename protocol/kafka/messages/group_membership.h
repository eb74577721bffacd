// JoinGroup, SyncGroup, Heartbeat, LeaveGroup: how members of a classic group come, agree and go.
//
// `metadata` and `assignment` are opaque to the broker; between consumers they hold what
// consumer_protocol.h describes.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_MEMBERSHIP_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_MEMBERSHIP_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct JoinGroupResponse;

inline constexpr Api kJoinGroupApi{11, "JoinGroup", {0, 9}, /*flexible_from=*/6};

struct JoinGroupRequest {
  static constexpr Api api = kJoinGroupApi;
  using Response = JoinGroupResponse;

  struct JoinGroupRequestProtocol {
    Text name;
    wire::Bytes metadata;

    template <class V>
    static constexpr void describe(V& field) {
      using M = JoinGroupRequestProtocol;
      field("name", &M::name, since(0));
      field("metadata", &M::metadata, since(0));
    }
    friend bool operator==(const JoinGroupRequestProtocol&,
                           const JoinGroupRequestProtocol&) = default;
  };

  Text group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  Text member_id;
  Text group_instance_id = Text::null();
  Text protocol_type;
  Array<JoinGroupRequestProtocol> protocols;
  Text reason = Text::null();

  template <class V>
  static constexpr void describe(V& field) {
    using M = JoinGroupRequest;
    field("group_id", &M::group_id, since(0));
    field("session_timeout_ms", &M::session_timeout_ms, since(0));
    field("rebalance_timeout_ms", &M::rebalance_timeout_ms, since(1).ignorable());
    field("member_id", &M::member_id, since(0));
    field("group_instance_id", &M::group_instance_id, since(5).nullable(5));
    field("protocol_type", &M::protocol_type, since(0));
    field("protocols", &M::protocols, since(0));
    field("reason", &M::reason, since(8).nullable(8).ignorable());
  }
  friend bool operator==(const JoinGroupRequest&, const JoinGroupRequest&) = default;
};

struct JoinGroupResponse {
  static constexpr Api api = kJoinGroupApi;

  struct JoinGroupResponseMember {
    Text member_id;
    Text group_instance_id = Text::null();
    wire::Bytes metadata;

    template <class V>
    static constexpr void describe(V& field) {
      using M = JoinGroupResponseMember;
      field("member_id", &M::member_id, since(0));
      field("group_instance_id", &M::group_instance_id, since(5).nullable(5).ignorable());
      field("metadata", &M::metadata, since(0));
    }
    friend bool operator==(const JoinGroupResponseMember&,
                           const JoinGroupResponseMember&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t generation_id = -1;
  Text protocol_type = Text::null();
  Text protocol_name;
  Text leader;
  bool skip_assignment = false;
  Text member_id;
  Array<JoinGroupResponseMember> members;

  template <class V>
  static constexpr void describe(V& field) {
    using M = JoinGroupResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(2).ignorable());
    field("error_code", &M::error_code, since(0));
    field("generation_id", &M::generation_id, since(0));
    field("protocol_type", &M::protocol_type, since(7).nullable(7).ignorable());
    field("protocol_name", &M::protocol_name, since(0).nullable(7));
    field("leader", &M::leader, since(0));
    field("skip_assignment", &M::skip_assignment, since(9));
    field("member_id", &M::member_id, since(0));
    field("members", &M::members, since(0));
  }
  friend bool operator==(const JoinGroupResponse&, const JoinGroupResponse&) = default;
};

struct HeartbeatResponse;

inline constexpr Api kHeartbeatApi{12, "Heartbeat", {0, 4}, /*flexible_from=*/4};

struct HeartbeatRequest {
  static constexpr Api api = kHeartbeatApi;
  using Response = HeartbeatResponse;

  Text group_id;
  std::int32_t generation_id = 0;
  Text member_id;
  Text group_instance_id = Text::null();

  template <class V>
  static constexpr void describe(V& field) {
    using M = HeartbeatRequest;
    field("group_id", &M::group_id, since(0));
    field("generation_id", &M::generation_id, since(0));
    field("member_id", &M::member_id, since(0));
    field("group_instance_id", &M::group_instance_id, since(3).nullable(3));
  }
  friend bool operator==(const HeartbeatRequest&, const HeartbeatRequest&) = default;
};

struct HeartbeatResponse {
  static constexpr Api api = kHeartbeatApi;

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = HeartbeatResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(0));
  }
  friend bool operator==(const HeartbeatResponse&, const HeartbeatResponse&) = default;
};

struct LeaveGroupResponse;

inline constexpr Api kLeaveGroupApi{13, "LeaveGroup", {0, 5}, /*flexible_from=*/4};

// One member up to version 2 (`member_id`), any number of them from version 3 on (`members`).
struct LeaveGroupRequest {
  static constexpr Api api = kLeaveGroupApi;
  using Response = LeaveGroupResponse;

  struct MemberIdentity {
    Text member_id;
    Text group_instance_id = Text::null();
    Text reason = Text::null();

    template <class V>
    static constexpr void describe(V& field) {
      using M = MemberIdentity;
      field("member_id", &M::member_id, since(3));
      field("group_instance_id", &M::group_instance_id, since(3).nullable(3));
      field("reason", &M::reason, since(5).nullable(5).ignorable());
    }
    friend bool operator==(const MemberIdentity&, const MemberIdentity&) = default;
  };

  Text group_id;
  Text member_id;
  Array<MemberIdentity> members;

  template <class V>
  static constexpr void describe(V& field) {
    using M = LeaveGroupRequest;
    field("group_id", &M::group_id, since(0));
    field("member_id", &M::member_id, since(0).until(2));
    field("members", &M::members, since(3));
  }
  friend bool operator==(const LeaveGroupRequest&, const LeaveGroupRequest&) = default;
};

struct LeaveGroupResponse {
  static constexpr Api api = kLeaveGroupApi;

  struct MemberResponse {
    Text member_id;
    Text group_instance_id;
    std::int16_t error_code = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = MemberResponse;
      field("member_id", &M::member_id, since(3));
      field("group_instance_id", &M::group_instance_id, since(3).nullable(3));
      field("error_code", &M::error_code, since(3));
    }
    friend bool operator==(const MemberResponse&, const MemberResponse&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  Array<MemberResponse> members;

  template <class V>
  static constexpr void describe(V& field) {
    using M = LeaveGroupResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(0));
    field("members", &M::members, since(3));
  }
  friend bool operator==(const LeaveGroupResponse&, const LeaveGroupResponse&) = default;
};

struct SyncGroupResponse;

inline constexpr Api kSyncGroupApi{14, "SyncGroup", {0, 5}, /*flexible_from=*/4};

struct SyncGroupRequest {
  static constexpr Api api = kSyncGroupApi;
  using Response = SyncGroupResponse;

  struct SyncGroupRequestAssignment {
    Text member_id;
    wire::Bytes assignment;

    template <class V>
    static constexpr void describe(V& field) {
      using M = SyncGroupRequestAssignment;
      field("member_id", &M::member_id, since(0));
      field("assignment", &M::assignment, since(0));
    }
    friend bool operator==(const SyncGroupRequestAssignment&,
                           const SyncGroupRequestAssignment&) = default;
  };

  Text group_id;
  std::int32_t generation_id = 0;
  Text member_id;
  Text group_instance_id = Text::null();
  Text protocol_type = Text::null();
  Text protocol_name = Text::null();
  Array<SyncGroupRequestAssignment> assignments;

  template <class V>
  static constexpr void describe(V& field) {
    using M = SyncGroupRequest;
    field("group_id", &M::group_id, since(0));
    field("generation_id", &M::generation_id, since(0));
    field("member_id", &M::member_id, since(0));
    field("group_instance_id", &M::group_instance_id, since(3).nullable(3));
    field("protocol_type", &M::protocol_type, since(5).nullable(5).ignorable());
    field("protocol_name", &M::protocol_name, since(5).nullable(5).ignorable());
    field("assignments", &M::assignments, since(0));
  }
  friend bool operator==(const SyncGroupRequest&, const SyncGroupRequest&) = default;
};

struct SyncGroupResponse {
  static constexpr Api api = kSyncGroupApi;

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  Text protocol_type = Text::null();
  Text protocol_name = Text::null();
  wire::Bytes assignment;

  template <class V>
  static constexpr void describe(V& field) {
    using M = SyncGroupResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(0));
    field("protocol_type", &M::protocol_type, since(5).nullable(5).ignorable());
    field("protocol_name", &M::protocol_name, since(5).nullable(5).ignorable());
    field("assignment", &M::assignment, since(0));
  }
  friend bool operator==(const SyncGroupResponse&, const SyncGroupResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_GROUP_MEMBERSHIP_H_
