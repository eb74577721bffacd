// FindCoordinator: the broker that looks after a group or a transactional id.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_FIND_COORDINATOR_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_FIND_COORDINATOR_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct FindCoordinatorResponse;

inline constexpr Api kFindCoordinatorApi{10, "FindCoordinator", {0, 6}, /*flexible_from=*/3};

struct FindCoordinatorRequest {
  static constexpr Api api = kFindCoordinatorApi;
  using Response = FindCoordinatorResponse;

  Text key;
  std::int8_t key_type = 0;
  Array<Text> coordinator_keys;

  template <class V>
  static constexpr void describe(V& field) {
    using M = FindCoordinatorRequest;
    field("key", &M::key, since(0).until(3));
    field("key_type", &M::key_type, since(1));
    field("coordinator_keys", &M::coordinator_keys, since(4));
  }
  friend bool operator==(const FindCoordinatorRequest&, const FindCoordinatorRequest&) = default;
};

struct FindCoordinatorResponse {
  static constexpr Api api = kFindCoordinatorApi;

  struct Coordinator {
    Text key;
    std::int32_t node_id = 0;
    Text host;
    std::int32_t port = 0;
    std::int16_t error_code = 0;
    Text error_message;

    template <class V>
    static constexpr void describe(V& field) {
      using M = Coordinator;
      field("key", &M::key, since(4));
      field("node_id", &M::node_id, since(4));
      field("host", &M::host, since(4));
      field("port", &M::port, since(4));
      field("error_code", &M::error_code, since(4));
      field("error_message", &M::error_message, since(4).nullable(4).ignorable());
    }
    friend bool operator==(const Coordinator&, const Coordinator&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  Text error_message;
  std::int32_t node_id = 0;
  Text host;
  std::int32_t port = 0;
  Array<Coordinator> coordinators;

  template <class V>
  static constexpr void describe(V& field) {
    using M = FindCoordinatorResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("error_code", &M::error_code, since(0).until(3));
    field("error_message", &M::error_message, since(1).until(3).nullable(1).ignorable());
    field("node_id", &M::node_id, since(0).until(3));
    field("host", &M::host, since(0).until(3));
    field("port", &M::port, since(0).until(3));
    field("coordinators", &M::coordinators, since(4));
  }
  friend bool operator==(const FindCoordinatorResponse&, const FindCoordinatorResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_FIND_COORDINATOR_H_
