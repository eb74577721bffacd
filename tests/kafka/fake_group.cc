#include "tests/kafka/fake_group.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "client/kafka/group_codec.h"

namespace tern::kafka::fake {
namespace {

std::int16_t code(BrokerErrc error) { return static_cast<std::int16_t>(error); }

std::string text_or(const wire::Text& text, const char* null) {
  return text.is_null() ? null : text.str();
}

template <class T>
wire::Array<T> to_array(wire::Arena& arena, const std::vector<T>& items) {
  T* copy = arena.make_array<T>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return {copy, items.size()};
}

wire::Text keep(wire::Arena& arena, const std::string& text) {
  char* copy = arena.make_array<char>(text.size());
  std::copy(text.begin(), text.end(), copy);
  return wire::Text(std::string_view(copy, text.size()));
}

wire::Bytes keep(wire::Arena& arena, const std::vector<std::byte>& bytes) {
  char* copy = arena.make_array<char>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return wire::Bytes(std::string_view(copy, bytes.size()));
}

BrokerErrc take(std::deque<BrokerErrc>& scripted) {
  if (scripted.empty()) return BrokerErrc::none;
  const BrokerErrc error = scripted.front();
  scripted.pop_front();
  return error;
}

}  // namespace

std::size_t FakeGroup::count(std::string_view api) const {
  return static_cast<std::size_t>(std::count_if(
      seen.begin(), seen.end(), [&](const SeenGroupRequest& each) { return each.api == api; }));
}

const SeenGroupRequest& FakeGroup::last(std::string_view api) const {
  const auto found = std::find_if(seen.rbegin(), seen.rend(),
                                  [&](const SeenGroupRequest& each) { return each.api == api; });
  if (found == seen.rend()) std::abort();
  return *found;
}

bool FakeGroup::note(SeenGroupRequest request, bool again) {
  const bool held = hold && hold(request);
  if (!again) seen.push_back(std::move(request));
  return !held;
}

BrokerErrc FakeGroup::error_for(const SeenGroupRequest& request, std::deque<BrokerErrc>& scripted) {
  if (request.node != coordinator) return BrokerErrc::not_coordinator;
  return take(scripted);
}

bool FakeGroup::find(const FindCoordinatorRequest& request, std::int16_t version,
                     FindCoordinatorResponse& response, wire::Arena& arena) {
  ++find_requests;
  FindCoordinatorResponse::Coordinator found;
  found.error_code = code(take(find_errors));
  found.node_id = coordinator;
  found.host = keep(arena, "b" + std::to_string(coordinator));
  found.port = 9092;
  if (found.error_code != 0) found.node_id = -1;
  if (version >= 4) {
    found.key = request.coordinator_keys[0];
    response.coordinators = to_array(arena, std::vector{found});
  } else {
    response.error_code = found.error_code;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
  }
  return true;
}

bool FakeGroup::join(const JoinGroupRequest& request, JoinGroupResponse& response,
                     wire::Arena& arena, std::int32_t node, std::int16_t version, bool again) {
  SeenGroupRequest seen_now{.api = "join",
                            .node = node,
                            .version = version,
                            .member_id = request.member_id.str(),
                            .instance_id = text_or(request.group_instance_id, "-"),
                            .reason = text_or(request.reason, ""),
                            .session_timeout_ms = request.session_timeout_ms,
                            .rebalance_timeout_ms = request.rebalance_timeout_ms};
  for (const auto& each : request.protocols) {
    GroupMember member;
    if (decode_subscription(each.metadata.span(), member)) std::abort();
    seen_now.protocols.push_back(each.name.str());
    seen_now.subscribed[each.name.str()] = member;
  }
  if (!note(seen_now, again)) return false;
  BrokerErrc error = error_for(seen_now, join_errors);
  response.member_id = request.member_id;
  if (error == BrokerErrc::none && request.member_id.empty()) {
    response.member_id = keep(arena, next_member_id);
    if (wants_member_id && version >= 4 && request.group_instance_id.is_null()) {
      error = BrokerErrc::member_id_required;
    }
  }
  response.error_code = code(error);
  response.protocol_name = wire::Text("");
  if (error != BrokerErrc::none) return true;
  member_id_ = response.member_id.str();
  response.generation_id = ++generation;
  response.protocol_name = keep(arena, protocol ? *protocol : seen_now.protocols.front());
  response.leader = keep(arena, leader.empty() ? member_id_ : leader);
  if (!leader.empty()) return true;
  response.skip_assignment = skip_assignment && version >= 9;
  std::vector<JoinGroupResponse::JoinGroupResponseMember> members;
  for (const auto& each : request.protocols) {
    if (each.name != response.protocol_name) continue;
    JoinGroupResponse::JoinGroupResponseMember me;
    me.member_id = response.member_id;
    me.group_instance_id = request.group_instance_id;
    me.metadata = each.metadata;
    members.push_back(me);
  }
  for (const GroupMember& other : others) {
    JoinGroupResponse::JoinGroupResponseMember member;
    member.member_id = keep(arena, other.id);
    const auto raw = raw_subscriptions.find(other.id);
    member.metadata =
        keep(arena, raw == raw_subscriptions.end() ? encode_subscription(other) : raw->second);
    members.push_back(member);
  }
  response.members = to_array(arena, members);
  return true;
}

bool FakeGroup::sync(const SyncGroupRequest& request, SyncGroupResponse& response,
                     wire::Arena& arena, std::int32_t node, std::int16_t version, bool again) {
  SeenGroupRequest seen_now{.api = "sync",
                            .node = node,
                            .version = version,
                            .member_id = request.member_id.str(),
                            .generation = request.generation_id,
                            .instance_id = text_or(request.group_instance_id, "-")};
  for (const auto& each : request.assignments) {
    const auto bytes = each.assignment.span();
    plan_[each.member_id.str()].assign(bytes.begin(), bytes.end());
    if (decode_assignment(bytes, seen_now.assigned[each.member_id.str()])) std::abort();
  }
  if (!note(seen_now, again)) return false;
  const BrokerErrc error = error_for(seen_now, sync_errors);
  response.error_code = code(error);
  if (error != BrokerErrc::none) return true;
  if (raw_assignment) {
    response.assignment = keep(arena, *raw_assignment);
  } else if (!leader.empty() || skip_assignment) {
    response.assignment = keep(arena, encode_assignment(assignment));
  } else {
    response.assignment = keep(arena, plan_[member_id_]);
    assignment = seen_now.assigned[member_id_];
  }
  return true;
}

bool FakeGroup::heartbeat(const HeartbeatRequest& request, HeartbeatResponse& response,
                          std::int32_t node, std::int16_t version, bool again) {
  const SeenGroupRequest seen_now{.api = "heartbeat",
                                  .node = node,
                                  .version = version,
                                  .member_id = request.member_id.str(),
                                  .generation = request.generation_id,
                                  .instance_id = text_or(request.group_instance_id, "-")};
  if (!note(seen_now, again)) return false;
  response.error_code = code(error_for(seen_now, heartbeat_errors));
  return true;
}

bool FakeGroup::leave(const LeaveGroupRequest& request, LeaveGroupResponse& response,
                      std::int32_t node, std::int16_t version, bool again) {
  const bool batched = version >= 3;
  const SeenGroupRequest seen_now{
      .api = "leave",
      .node = node,
      .version = version,
      .member_id = batched ? request.members[0].member_id.str() : request.member_id.str(),
      .reason = batched ? text_or(request.members[0].reason, "") : std::string()};
  if (!note(seen_now, again)) return false;
  response.error_code = code(error_for(seen_now, leave_errors));
  return true;
}

bool FakeGroup::commit(const OffsetCommitRequest& request, OffsetCommitResponse& response,
                       wire::Arena& arena, std::int32_t node, std::int16_t version, bool again) {
  SeenGroupRequest seen_now{.api = "commit",
                            .node = node,
                            .version = version,
                            .member_id = request.member_id.str(),
                            .generation = request.generation_id_or_member_epoch,
                            .instance_id = text_or(request.group_instance_id, "-")};
  for (const auto& topic : request.topics) {
    for (const auto& each : topic.partitions) {
      const TopicPartition key{name_of(topic, version), each.partition_index};
      seen_now.offsets[key] = each.committed_offset;
      seen_now.metadata[key] = each.committed_metadata.str();
    }
  }
  if (!note(seen_now, again)) return false;
  const BrokerErrc error = error_for(seen_now, commit_errors);
  response.throttle_time_ms = std::exchange(commit_throttle_ms, 0);
  std::vector<OffsetCommitResponse::OffsetCommitResponseTopic> topics;
  for (const auto& topic : request.topics) {
    const std::string name = name_of(topic, version);
    const BrokerErrc its_error = name.empty() ? BrokerErrc::unknown_topic_id : error;
    std::vector<OffsetCommitResponse::OffsetCommitResponsePartition> partitions;
    for (const auto& each : topic.partitions) {
      partitions.push_back(
          {.partition_index = each.partition_index, .error_code = code(its_error)});
      if (its_error != BrokerErrc::none) continue;
      stored[{name, each.partition_index}] = {each.committed_offset, each.committed_leader_epoch,
                                              each.committed_metadata.str()};
    }
    OffsetCommitResponse::OffsetCommitResponseTopic out;
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    out.partitions = to_array(arena, partitions);
    topics.push_back(out);
  }
  response.topics = to_array(arena, topics);
  return true;
}

bool FakeGroup::fetch(const OffsetFetchRequest& request, OffsetFetchResponse& response,
                      wire::Arena& arena, std::int32_t node, std::int16_t version, bool again) {
  SeenGroupRequest seen_now{
      .api = "fetch", .node = node, .version = version, .require_stable = request.require_stable};
  if (!note(seen_now, again)) return false;
  const BrokerErrc error = error_for(seen_now, fetch_errors);
  const auto fill = [&](auto& out, const std::string& topic, std::int32_t partition) {
    out.partition_index = partition;
    out.committed_offset = -1;
    const auto found = stored.find({topic, partition});
    if (found == stored.end()) return;
    out.committed_offset = found->second.offset;
    out.committed_leader_epoch = found->second.leader_epoch;
    out.metadata = keep(arena, found->second.metadata);
  };
  if (version < 8) {
    response.error_code = code(error);
    std::vector<OffsetFetchResponse::OffsetFetchResponseTopic> topics;
    for (const auto& topic : request.topics) {
      std::vector<OffsetFetchResponse::OffsetFetchResponsePartition> partitions;
      for (const std::int32_t each : topic.partition_indexes) {
        fill(partitions.emplace_back(), topic.name.str(), each);
      }
      topics.push_back({.name = topic.name, .partitions = to_array(arena, partitions)});
    }
    response.topics = to_array(arena, topics);
    return true;
  }
  OffsetFetchResponse::OffsetFetchResponseGroup group;
  group.group_id = request.groups[0].group_id;
  group.error_code = code(error);
  std::vector<OffsetFetchResponse::OffsetFetchResponseTopics> topics;
  for (const auto& topic : request.groups[0].topics) {
    std::vector<OffsetFetchResponse::OffsetFetchResponsePartitions> partitions;
    for (const std::int32_t each : topic.partition_indexes) {
      fill(partitions.emplace_back(), name_of(topic, version), each);
    }
    OffsetFetchResponse::OffsetFetchResponseTopics out;
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    out.partitions = to_array(arena, partitions);
    topics.push_back(out);
  }
  group.topics = to_array(arena, topics);
  response.groups = to_array(arena, std::vector{group});
  return true;
}

template <class Topic>
std::string FakeGroup::name_of(const Topic& topic, std::int16_t version) const {
  constexpr std::int16_t kFirstById = 10;
  return version < kFirstById ? topic.name.str() : topic_of(topic.topic_id);
}

std::string FakeGroup::topic_of(const wire::Uuid& id) const {
  for (const auto& [name, each] : topic_ids) {
    if (each == id) return name;
  }
  return {};
}

bool FakeGroup::beat(const ConsumerGroupHeartbeatRequest& request,
                     ConsumerGroupHeartbeatResponse& response, wire::Arena& arena,
                     std::int32_t node, std::int16_t version, bool again) {
  SeenGroupRequest seen_now{.api = "beat",
                            .node = node,
                            .version = version,
                            .member_id = request.member_id.str(),
                            .generation = request.member_epoch,
                            .instance_id = text_or(request.instance_id, "-"),
                            .rebalance_timeout_ms = request.rebalance_timeout_ms};
  if (!request.subscribed_topic_names.is_null()) {
    seen_now.topics.emplace();
    for (const auto& topic : request.subscribed_topic_names)
      seen_now.topics->push_back(topic.str());
  }
  if (!request.subscribed_topic_regex.is_null()) {
    seen_now.pattern = request.subscribed_topic_regex.str();
  }
  if (!request.topic_partitions.is_null()) {
    seen_now.owned.emplace();
    for (const auto& topic : request.topic_partitions) {
      for (const std::int32_t each : topic.partitions) {
        seen_now.owned->push_back({topic_of(topic.topic_id), each});
      }
    }
    std::sort(seen_now.owned->begin(), seen_now.owned->end());
  }
  if (!note(seen_now, again)) return false;
  const BrokerErrc error = error_for(seen_now, beat_errors);
  response.error_code = code(error);
  if (error != BrokerErrc::none) {
    told_target_.reset();
    return true;
  }
  response.member_id = request.member_id;
  response.heartbeat_interval_ms = 3000;
  response.member_epoch = epoch;
  if (request.member_epoch < 0) return true;
  const bool first = request.member_epoch == 0 || !told_target_;
  if (!first && *told_target_ == target) return true;
  told_target_ = target;
  response.member_epoch = ++epoch;
  std::map<std::string, std::vector<std::int32_t>> by_topic;
  for (const TopicPartition& each : target) by_topic[each.topic].push_back(each.partition);
  std::vector<ConsumerGroupHeartbeatResponse::TopicPartitions> topics;
  for (const auto& [name, partitions] : by_topic) {
    topics.push_back({topic_ids.at(name), to_array(arena, partitions)});
  }
  response.assignment.emplace();
  response.assignment->topic_partitions = to_array(arena, topics);
  return true;
}

}  // namespace tern::kafka::fake
