// For the tests of the group coordinator: members that speak the classic protocol by hand.
#ifndef TERN_TESTS_BROKER_GROUP_TESTING_H_
#define TERN_TESTS_BROKER_GROUP_TESTING_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/broker/group_coordinator.h"
#include "tests/broker/testing.h"

namespace tern::broker {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::string_view kGroup = "g";

template <class M>
std::string embedded(const M& message) {
  const auto size = kafka::embedded_size(message);
  Bytes bytes(*size);
  wire::Writer writer(bytes);
  kafka::encode_embedded(message, writer);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// What a subscription to these topics looks like to a coordinator, of a member that has these
// partitions of topic "t".
inline std::string subscription(const std::vector<std::string>& topics,
                                const std::vector<std::int32_t>& owned = {}) {
  std::vector<wire::Text> names(topics.begin(), topics.end());
  kafka::ConsumerProtocolSubscription message;
  message.topics = {names.data(), names.size()};
  kafka::ConsumerProtocolSubscription::TopicPartition of_t{"t", {owned.data(), owned.size()}};
  message.owned_partitions = {&of_t, owned.empty() ? 0U : 1U};
  return embedded(message);
}

// What an assignment of these partitions of topic "t" looks like to a member.
inline std::string assignment(const std::vector<std::int32_t>& partitions,
                              std::string_view user_data = {}) {
  kafka::ConsumerProtocolAssignment message;
  if (!user_data.empty()) message.user_data = wire::Bytes(user_data);
  kafka::ConsumerProtocolAssignment::TopicPartition of_t{"t",
                                                         {partitions.data(), partitions.size()}};
  message.assigned_partitions = {&of_t, partitions.empty() ? 0U : 1U};
  return embedded(message);
}

struct Joined {
  BrokerErrc error = BrokerErrc::none;
  std::int32_t generation = -1;
  std::string protocol;
  bool protocol_is_null = false;
  std::string leader;
  std::string id;
  bool skip_assignment = false;
  Strings members;
  std::string first_metadata;
};

struct Synced {
  BrokerErrc error = BrokerErrc::none;
  std::string protocol;
  std::string assignment;
};

// One member on a connection of its own, since its JoinGroup may wait.
class Member {
 public:
  Member(Fixture& fixture, std::int32_t node = 1, std::string_view group = kGroup)
      : client(fixture.client(node)), group_(group) {}

  Client client;
  std::string id;
  std::string instance;  // empty: none
  std::int32_t generation = -1;
  GroupProtocols protocols = {{"range", subscription({"t"})}};
  std::string protocol_type = "consumer";
  std::chrono::milliseconds session_timeout = seconds(10);
  std::chrono::milliseconds rebalance_timeout = seconds(30);
  std::int16_t version = 9;

  void send_join() {
    kafka::JoinGroupRequest request;
    request.group_id = group_;
    request.session_timeout_ms = static_cast<std::int32_t>(session_timeout.count());
    request.rebalance_timeout_ms = static_cast<std::int32_t>(rebalance_timeout.count());
    request.member_id = id;
    request.group_instance_id = instance_text();
    request.protocol_type = protocol_type;
    std::vector<kafka::JoinGroupRequest::JoinGroupRequestProtocol> list;
    for (const auto& [name, metadata] : protocols) list.push_back({name, metadata});
    request.protocols = {list.data(), list.size()};
    client.send(request, version);
  }
  bool has_answer() { return client.has_answer(); }
  Joined joined() {
    const auto reply = client.receive<kafka::JoinGroupRequest>(version);
    Joined result;
    result.error = err(reply->error_code);
    result.generation = reply->generation_id;
    result.protocol = reply->protocol_name.str();
    result.protocol_is_null = reply->protocol_name.is_null();
    result.leader = reply->leader.str();
    result.id = reply->member_id.str();
    result.skip_assignment = reply->skip_assignment;
    for (const auto& member : reply->members) result.members.push_back(member.member_id.str());
    if (!reply->members.empty()) result.first_metadata = reply->members[0].metadata.str();
    if (result.error == BrokerErrc::none) generation = result.generation;
    if (!result.id.empty()) id = result.id;
    return result;
  }
  Joined join() {
    send_join();
    return joined();
  }
  // As a client does: with the id that the first answer gives. The second answer may take its time.
  void begin_join() {
    EXPECT_EQ(join().error, BrokerErrc::member_id_required);
    send_join();
  }

  void send_sync(const std::vector<std::pair<std::string, std::string>>& assignments = {}) {
    kafka::SyncGroupRequest request;
    request.group_id = group_;
    request.generation_id = generation;
    request.member_id = id;
    request.group_instance_id = instance_text();
    if (!sync_protocol.empty()) {
      request.protocol_type = protocol_type;
      request.protocol_name = sync_protocol;
    }
    std::vector<kafka::SyncGroupRequest::SyncGroupRequestAssignment> list;
    for (const auto& [member, bytes] : assignments) list.push_back({member, bytes});
    request.assignments = {list.data(), list.size()};
    client.send(request, 5);
  }
  Synced synced() {
    const auto reply = client.receive<kafka::SyncGroupRequest>(5);
    return {err(reply->error_code), reply->protocol_name.str(), reply->assignment.str()};
  }
  Synced sync(const std::vector<std::pair<std::string, std::string>>& assignments = {}) {
    send_sync(assignments);
    return synced();
  }
  std::string sync_protocol = "range";  // empty: not said

  BrokerErrc heartbeat() {
    kafka::HeartbeatRequest request;
    request.group_id = group_;
    request.generation_id = generation;
    request.member_id = id;
    request.group_instance_id = instance_text();
    return err(client.call(request, 4)->error_code);
  }
  BrokerErrc leave() {
    kafka::LeaveGroupRequest request;
    request.group_id = group_;
    kafka::LeaveGroupRequest::MemberIdentity identity;
    identity.member_id = id;
    request.members = {&identity, 1};
    const auto reply = client.call(request, 5);
    if (reply->error_code != 0) return err(reply->error_code);
    EXPECT_EQ(reply->members.size(), 1U);
    return reply->members.empty() ? BrokerErrc::none : err(reply->members[0].error_code);
  }
  std::int64_t retention_time_ms = -1;  // of commits up to version 4
  BrokerErrc commit(std::string_view topic, std::int32_t partition, std::int64_t offset,
                    std::string_view metadata = "", std::int16_t commit_version = 9) {
    kafka::OffsetCommitRequest request;
    request.group_id = group_;
    request.generation_id_or_member_epoch = generation;
    request.member_id = id;
    request.group_instance_id = instance_text();
    request.retention_time_ms = retention_time_ms;
    kafka::OffsetCommitRequest::OffsetCommitRequestPartition one{partition, offset, 0, metadata};
    kafka::OffsetCommitRequest::OffsetCommitRequestTopic of;
    of.name = topic;
    of.partitions = {&one, 1};
    request.topics = {&of, 1};
    const auto reply = client.call(request, commit_version);
    return err(reply->topics[0].partitions[0].error_code);
  }

 private:
  wire::Text instance_text() const {
    return instance.empty() ? wire::Text::null() : wire::Text(instance);
  }

  std::string group_;
};

// A cluster whose coordinators are known already, with a topic "t" of two partitions.
class GroupFixture : public Fixture {
 public:
  explicit GroupFixture(int nodes = 1, GroupConfig groups = {})
      : Fixture(nodes, with_groups(groups)) {
    cluster().create_topic("t", {.partitions = 2});
    cluster().groups().find_coordinator(kGroup);
    run();
  }
  // In steps, so that what is due happens when it is.
  void advance(Duration by) {
    constexpr Duration kStep = milliseconds(500);
    for (; by > kStep; by -= kStep) Fixture::advance(kStep);
    Fixture::advance(by);
  }
  const ClassicGroup& group(std::string_view id = kGroup) {
    return cluster().groups().find(id)->classic;
  }
  // What is committed, or -1.
  std::int64_t committed(std::string_view topic, std::int32_t partition) {
    const Group* found = cluster().groups().find(kGroup);
    if (!found) return -1;
    const auto at = found->offsets.find(topic);
    if (at == found->offsets.end() || !at->second.contains(partition)) return -1;
    return at->second.at(partition).offset;
  }

 private:
  static ClusterConfig with_groups(const GroupConfig& groups) {
    ClusterConfig config;
    config.groups = groups;
    return config;
  }
};

// Two members in a stable group; the first one leads.
struct TwoMembers {
  explicit TwoMembers(Fixture& fixture, std::int32_t node = 1)
      : leader(fixture, node), follower(fixture, node) {
    leader.begin_join();
    leader.joined();
    leader.sync({{leader.id, "all"}});
    follower.begin_join();
    leader.send_join();
    EXPECT_EQ(leader.joined().leader, leader.id);
    EXPECT_EQ(follower.joined().leader, leader.id);
    settle();
  }
  // Both have joined: the assignment.
  void settle() {
    follower.send_sync();
    EXPECT_EQ(leader.sync({{leader.id, "zero"}, {follower.id, "one"}}).assignment, "zero");
    EXPECT_EQ(follower.synced().assignment, "one");
  }
  Member leader;
  Member follower;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_GROUP_TESTING_H_
