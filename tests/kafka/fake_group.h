// A scripted coordinator of one group, for FakeBrokers: it serves one real member, lets a test see
// all that it says, and answers as a broker would unless the test says otherwise. Other members are
// only what the test makes up.
#ifndef TERN_TESTS_KAFKA_FAKE_GROUP_H_
#define TERN_TESTS_KAFKA_FAKE_GROUP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/assignors.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/consumer_group_heartbeat.h"
#include "protocol/kafka/messages/find_coordinator.h"
#include "protocol/kafka/messages/group_membership.h"
#include "protocol/kafka/messages/group_offsets.h"

namespace tern::kafka::fake {

// One request, as far as tests look at it.
struct SeenGroupRequest {
  std::string api =
      {};  // "join", "sync", "heartbeat", "leave", "commit", "fetch"; "beat": KIP-848's
  std::int32_t node = 0;
  std::int16_t version = 0;
  std::string member_id = {};
  std::int32_t generation = -1;
  std::string instance_id = {};                        // "-": null
  std::string reason = {};                             // join, leave
  std::vector<std::string> protocols = {};             // join
  std::map<std::string, GroupMember> subscribed = {};  // join: by protocol
  std::int32_t session_timeout_ms = 0, rebalance_timeout_ms = 0;
  std::map<std::string, Partitions> assigned = {};      // sync: by member
  std::map<TopicPartition, std::int64_t> offsets = {};  // commit
  std::map<TopicPartition, std::string> metadata = {};  // commit
  bool require_stable = false;                          // fetch
  // beat; what is null stays empty
  std::optional<std::vector<std::string>> topics = {};
  std::optional<std::string> pattern = {};
  std::optional<Partitions> owned = {};
};

class FakeGroup {
 public:
  // ---- what the coordinator says; errors are taken from the front, one a request
  std::int32_t coordinator = 1;
  std::deque<BrokerErrc> find_errors, join_errors, sync_errors, heartbeat_errors, leave_errors,
      commit_errors, fetch_errors, beat_errors;
  std::int32_t commit_throttle_ms = 0;  // said in the next answer to a commit, once
  bool wants_member_id = true;          // answers a first JoinGroup with MEMBER_ID_REQUIRED
  std::string next_member_id = "m-1";
  std::int32_t generation = 0;  // of the last round
  // Members besides the real one, which leads unless `leader` is set.
  std::vector<GroupMember> others;
  std::string leader;
  bool skip_assignment = false;
  std::optional<std::string> protocol;  // else the member's first
  // What it gets if it does not lead; what it got from itself if it does.
  Partitions assignment;
  std::optional<std::vector<std::byte>> raw_assignment;
  std::map<std::string, std::vector<std::byte>> raw_subscriptions;  // of others
  // Requests of these kinds are not answered before the test calls FakeBrokers::changed().
  std::function<bool(const SeenGroupRequest&)> hold;

  // For groups of the consumer protocol: what the member is to have, told when it has changed, with
  // the next epoch.
  Partitions target;
  std::int32_t epoch = 0;
  std::map<std::string, wire::Uuid> topic_ids;

  struct Stored {
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;
    std::string metadata = {};
  };
  std::map<TopicPartition, Stored> stored;

  // ---- what was seen
  std::vector<SeenGroupRequest> seen;
  std::size_t count(std::string_view api) const;
  const SeenGroupRequest& last(std::string_view api) const;
  int find_requests = 0;

  // ---- for the brokers; false: wait
  bool find(const FindCoordinatorRequest& request, std::int16_t version,
            FindCoordinatorResponse& response, wire::Arena& arena);
  bool join(const JoinGroupRequest& request, JoinGroupResponse& response, wire::Arena& arena,
            std::int32_t node, std::int16_t version, bool again);
  bool sync(const SyncGroupRequest& request, SyncGroupResponse& response, wire::Arena& arena,
            std::int32_t node, std::int16_t version, bool again);
  bool heartbeat(const HeartbeatRequest& request, HeartbeatResponse& response, std::int32_t node,
                 std::int16_t version, bool again);
  bool leave(const LeaveGroupRequest& request, LeaveGroupResponse& response, std::int32_t node,
             std::int16_t version, bool again);
  bool commit(const OffsetCommitRequest& request, OffsetCommitResponse& response,
              wire::Arena& arena, std::int32_t node, std::int16_t version, bool again);
  bool fetch(const OffsetFetchRequest& request, OffsetFetchResponse& response, wire::Arena& arena,
             std::int32_t node, std::int16_t version, bool again);
  bool beat(const ConsumerGroupHeartbeatRequest& request, ConsumerGroupHeartbeatResponse& response,
            wire::Arena& arena, std::int32_t node, std::int16_t version, bool again);

 private:
  std::string topic_of(const wire::Uuid& id) const;
  template <class Topic>
  std::string name_of(const Topic& topic, std::int16_t version) const;
  BrokerErrc error_for(const SeenGroupRequest& request, std::deque<BrokerErrc>& scripted);
  bool note(SeenGroupRequest request, bool again);

  std::string member_id_;
  std::optional<Partitions> told_target_;
  std::map<std::string, std::vector<std::byte>> plan_;
};

}  // namespace tern::kafka::fake

#endif  // TERN_TESTS_KAFKA_FAKE_GROUP_H_
