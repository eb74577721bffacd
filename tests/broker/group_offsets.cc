// OffsetCommit, OffsetFetch and OffsetDelete.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using CommitIn = kafka::OffsetCommitRequest::OffsetCommitRequestPartition;
using CommitOut = kafka::OffsetCommitResponse::OffsetCommitResponsePartition;
using OldPartition = kafka::OffsetFetchResponse::OffsetFetchResponsePartition;
using NewPartition = kafka::OffsetFetchResponse::OffsetFetchResponsePartitions;
using NewTopic = kafka::OffsetFetchResponse::OffsetFetchResponseTopics;
using GroupIn = kafka::OffsetFetchRequest::OffsetFetchRequestGroup;
using GroupOut = kafka::OffsetFetchResponse::OffsetFetchResponseGroup;

constexpr std::int16_t kFirstVersionWithIds = 10;           // OffsetCommit, OffsetFetch
constexpr std::int16_t kFirstVersionForAnyProtocol = 9;     // OffsetCommit
constexpr std::int16_t kFirstVersionWithGroups = 8;         // OffsetFetch
constexpr std::int16_t kFirstVersionWithTopLevelError = 2;  // OffsetFetch

Topic* find_topic(Request& request, wire::Text name, const wire::Uuid& id) {
  return request.version() >= kFirstVersionWithIds ? request.cluster->find_topic(id)
                                                   : request.cluster->find_topic(name.view());
}

// -------------------------------------------------------------------------------------------
// commit

// Whether the group lets this member commit; makes the group if it is for the offsets alone.
BrokerErrc open_group(Request& request, const kafka::OffsetCommitRequest& in, Group*& out) {
  if (const BrokerErrc error = check_coordinator(request, in.group_id); error != BrokerErrc::none) {
    return error;
  }
  GroupCoordinator& groups = request.cluster->groups();
  out = groups.find(in.group_id);
  if (!out && in.generation_id_or_member_epoch >= 0) {
    return request.version() >= kFirstVersionForAnyProtocol ? BrokerErrc::group_id_not_found
                                                            : BrokerErrc::illegal_generation;
  }
  if (!out) out = &groups.find_or_create(in.group_id);
  if (out->modern) {
    const BrokerErrc error =
        out->modern->may_commit(in.member_id, in.generation_id_or_member_epoch);
    const bool too_old = error != BrokerErrc::unknown_member_id && !out->is_empty() &&
                         request.version() < kFirstVersionForAnyProtocol &&
                         !out->modern->is_classic(in.member_id);
    return too_old ? BrokerErrc::unsupported_version : error;
  }
  const wire::Text instance = in.group_instance_id;
  return out->classic.may_commit(in.member_id,
                                 instance.is_null() ? OptionalText() : OptionalText(instance.str()),
                                 in.generation_id_or_member_epoch, request.now.mono);
}

BrokerErrc commit(Request& request, const kafka::OffsetCommitRequest& whole, const CommitIn& in,
                  const Topic& topic, Group& group) {
  if (group.modern) {
    const BrokerErrc error = group.modern->may_commit(
        whole.member_id, whole.generation_id_or_member_epoch, topic.id, in.partition_index);
    if (error != BrokerErrc::none) return error;
  }
  if (in.committed_metadata.size() > request.cluster->config().groups.max_offset_metadata) {
    return BrokerErrc::offset_metadata_too_large;
  }
  const Time now = request.now.mono;
  CommittedOffset& stored = group.offsets[topic.name][in.partition_index];
  stored = {in.committed_offset, in.committed_leader_epoch, in.committed_metadata.str(), now,
            kNever};
  if (whole.retention_time_ms >= 0) {
    stored.expires = deadline_after(now, std::chrono::milliseconds(whole.retention_time_ms));
  }
  const Duration retention = request.cluster->config().groups.offsets_retention;
  group.expire_at = std::min({group.expire_at, stored.expires, deadline_after(now, retention)});
  return BrokerErrc::none;
}

}  // namespace

Outcome handle(Request& request, const kafka::OffsetCommitRequest& in,
               kafka::OffsetCommitResponse& out) {
  const bool by_id = request.version() >= kFirstVersionWithIds;
  const auto topics =
      request.make<kafka::OffsetCommitResponse::OffsetCommitResponseTopic>(in.topics.size());
  // The group is looked at once, and only if there is something to commit.
  bool opened = false;
  Group* group = nullptr;
  BrokerErrc group_error = BrokerErrc::none;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = in.topics[t];
    const Topic* topic = find_topic(request, asked.name, asked.topic_id);
    const auto partitions = request.make<CommitOut>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const CommitIn& one = asked.partitions[p];
      bool apply = false;
      const std::string_view name = topic ? std::string_view(topic->name) : asked.name.view();
      const BrokerErrc wanted = request.injected(name, one.partition_index, &apply);
      BrokerErrc error = wanted;
      if (wanted == BrokerErrc::none || apply) {
        if (!topic && by_id) {
          error = BrokerErrc::unknown_topic_id;
        } else if (!topic || !request.cluster->find_partition(name, one.partition_index)) {
          error = BrokerErrc::unknown_topic_or_partition;
        } else {
          if (!std::exchange(opened, true)) group_error = open_group(request, in, group);
          error = group_error == BrokerErrc::none ? commit(request, in, one, *topic, *group)
                                                  : group_error;
        }
        if (wanted != BrokerErrc::none) error = wanted;
      }
      partitions[p] = {one.partition_index, code(error)};
    }
    topics[t].name = asked.name;
    topics[t].topic_id = asked.topic_id;
    topics[t].partitions = {partitions.data(), partitions.size()};
  }
  out.topics = {topics.data(), topics.size()};
  return Outcome::answer;
}

// --------------------------------------------------------------------------------------------
// fetch

namespace {

// The whole of a group may be at fault, or no part of it.
BrokerErrc check_fetch(Request& request, const GroupIn& in) {
  for (const auto& armed : request.faults) {
    if (armed->injection.whole_answer && armed->injection.error != BrokerErrc::none) {
      return armed->injection.error;
    }
  }
  if (const BrokerErrc error = check_coordinator(request, in.group_id); error != BrokerErrc::none) {
    return error;
  }
  const Group* group = request.cluster->groups().find(in.group_id);
  if (!group || !group->modern) return BrokerErrc::none;
  return group->modern->may_fetch(
      in.member_id.is_null() ? std::nullopt : std::optional(in.member_id.view()), in.member_epoch);
}

void fill(Request& request, const Group* group, const Topic* topic, std::string_view name,
          NewPartition& out) {
  out.committed_offset = -1;
  BrokerErrc error = request.injected(name, out.partition_index);
  if (error == BrokerErrc::none && !topic && request.version() >= kFirstVersionWithIds) {
    error = BrokerErrc::unknown_topic_id;
  }
  out.error_code = code(error);
  if (error != BrokerErrc::none || !group) return;
  const auto committed = group->offsets.find(name);
  if (committed == group->offsets.end()) return;
  const auto found = committed->second.find(out.partition_index);
  if (found == committed->second.end()) return;
  out.committed_offset = found->second.offset;
  out.committed_leader_epoch = found->second.leader_epoch;
  out.metadata = found->second.metadata;
}

wire::Array<NewPartition> fetch(Request& request, const Group* group, const Topic* topic,
                                std::string_view name, wire::Array<std::int32_t> indexes) {
  const auto partitions = request.make<NewPartition>(indexes.size());
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    partitions[p].partition_index = indexes[p];
    fill(request, group, topic, name, partitions[p]);
  }
  return {partitions.data(), partitions.size()};
}

wire::Array<NewTopic> fetch_all(Request& request, const Group* group) {
  if (!group) return {};
  const auto topics = request.make<NewTopic>(group->offsets.size());
  std::size_t used = 0;
  for (const auto& [name, offsets] : group->offsets) {
    const Topic* topic = request.cluster->find_topic(name);
    const auto indexes = request.make<std::int32_t>(offsets.size());
    std::size_t i = 0;
    for (const auto& [index, offset] : offsets) indexes[i++] = index;
    NewTopic& one = topics[used++];
    one.name = name;
    if (topic) one.topic_id = topic->id;
    one.partitions = fetch(request, group, topic, name, {indexes.data(), indexes.size()});
  }
  return {topics.data(), used};
}

void fetch_group(Request& request, const GroupIn& in, GroupOut& out) {
  out.group_id = in.group_id;
  const BrokerErrc error = check_fetch(request, in);
  out.error_code = code(error);
  if (error != BrokerErrc::none) return;
  const Group* group = request.cluster->groups().find(in.group_id);
  if (in.topics.is_null()) {
    out.topics = fetch_all(request, group);
    return;
  }
  const auto topics = request.make<NewTopic>(in.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = in.topics[t];
    const Topic* topic = find_topic(request, asked.name, asked.topic_id);
    const std::string_view name = topic ? std::string_view(topic->name) : asked.name.view();
    topics[t].name = asked.name;
    topics[t].topic_id = asked.topic_id;
    topics[t].partitions = fetch(request, group, topic, name, asked.partition_indexes);
  }
  out.topics = {topics.data(), topics.size()};
}

// The form for one group has the same answer in other structs.
void fetch_one_group(Request& request, const kafka::OffsetFetchRequest& in,
                     kafka::OffsetFetchResponse& out) {
  GroupIn group;
  group.group_id = in.group_id;
  const auto asked =
      request.make<kafka::OffsetFetchRequest::OffsetFetchRequestTopics>(in.topics.size());
  for (std::size_t t = 0; t < asked.size(); ++t) {
    asked[t].name = in.topics[t].name;
    asked[t].partition_indexes = in.topics[t].partition_indexes;
  }
  if (in.topics.is_null()) {
    group.topics = decltype(group.topics)::null();
  } else {
    group.topics = {asked.data(), asked.size()};
  }
  GroupOut answered;
  fetch_group(request, group, answered);
  out.error_code = answered.error_code;
  const bool failed = answered.error_code != 0;
  if (failed && request.version() >= kFirstVersionWithTopLevelError) return;
  // Before there was a place for it, the error stood with every partition.
  const auto topics = request.make<kafka::OffsetFetchResponse::OffsetFetchResponseTopic>(
      failed ? asked.size() : answered.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const std::size_t count =
        failed ? asked[t].partition_indexes.size() : answered.topics[t].partitions.size();
    const auto partitions = request.make<OldPartition>(count);
    for (std::size_t p = 0; p < count; ++p) {
      OldPartition& one = partitions[p];
      if (failed) {
        one.partition_index = asked[t].partition_indexes[p];
        one.committed_offset = -1;
        one.error_code = answered.error_code;
        continue;
      }
      const NewPartition& from = answered.topics[t].partitions[p];
      one = {from.partition_index, from.committed_offset, from.committed_leader_epoch,
             from.metadata, from.error_code};
    }
    topics[t].name = failed ? asked[t].name : answered.topics[t].name;
    topics[t].partitions = {partitions.data(), partitions.size()};
  }
  out.topics = {topics.data(), topics.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::OffsetFetchRequest& in,
               kafka::OffsetFetchResponse& out) {
  if (request.version() < kFirstVersionWithGroups) {
    fetch_one_group(request, in, out);
    return Outcome::answer;
  }
  const auto groups = request.make<GroupOut>(in.groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) fetch_group(request, in.groups[i], groups[i]);
  out.groups = {groups.data(), groups.size()};
  return Outcome::answer;
}

// -------------------------------------------------------------------------------------------
// delete

namespace {

BrokerErrc check_delete(Request& request, wire::Text group_id, Group*& out) {
  if (const BrokerErrc wanted = request.injected_whole(); wanted != BrokerErrc::none) return wanted;
  if (group_id.empty()) return BrokerErrc::invalid_group_id;
  if (const BrokerErrc error = check_coordinator(request, group_id); error != BrokerErrc::none) {
    return error;
  }
  out = request.cluster->groups().find(group_id);
  if (!out) return BrokerErrc::group_id_not_found;
  const bool busy = !out->modern && !out->classic.is_empty() && !out->classic.is_of_consumers();
  return busy ? BrokerErrc::non_empty_group : BrokerErrc::none;
}

BrokerErrc remove(Request& request, std::string_view topic, std::int32_t partition, Group& group) {
  if (!request.cluster->find_partition(topic, partition)) {
    return BrokerErrc::unknown_topic_or_partition;
  }
  if (group.is_subscribed_to(topic)) return BrokerErrc::group_subscribed_to_topic;
  const auto found = group.offsets.find(topic);
  if (found == group.offsets.end()) return BrokerErrc::none;
  found->second.erase(partition);
  if (found->second.empty()) group.offsets.erase(found);
  return BrokerErrc::none;
}

}  // namespace

Outcome handle(Request& request, const kafka::OffsetDeleteRequest& in,
               kafka::OffsetDeleteResponse& out) {
  Group* group = nullptr;
  const BrokerErrc error = check_delete(request, in.group_id, group);
  out.error_code = code(error);
  if (error != BrokerErrc::none) return Outcome::answer;
  const auto topics =
      request.make<kafka::OffsetDeleteResponse::OffsetDeleteResponseTopic>(in.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = in.topics[t];
    const auto partitions =
        request.make<kafka::OffsetDeleteResponse::OffsetDeleteResponsePartition>(
            asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const std::int32_t index = asked.partitions[p].partition_index;
      partitions[p] = {index, code(remove(request, asked.name, index, *group))};
    }
    topics[t].name = asked.name;
    topics[t].partitions = {partitions.data(), partitions.size()};
  }
  out.topics = {topics.data(), topics.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
