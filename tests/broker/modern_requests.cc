// ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).
#include <chrono>
#include <string>
#include <string_view>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"
#include "tests/broker/topic_pattern.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using HeartbeatIn = kafka::ConsumerGroupHeartbeatRequest;
using HeartbeatOut = kafka::ConsumerGroupHeartbeatResponse;
using Described = kafka::ConsumerGroupDescribeResponse::DescribedGroup;
using DescribedMember = kafka::ConsumerGroupDescribeResponse::Member;
using DescribedPartitions = kafka::ConsumerGroupDescribeResponse::TopicPartitions;

constexpr std::int16_t kFirstVersionWithOwnIds = 1;
constexpr std::int8_t kClassicMember = 0;
constexpr std::int8_t kConsumerMember = 1;
constexpr std::int32_t kAllGroupOperations = 0xd48;

bool is_blank(wire::Text text) { return !text.is_null() && text.empty(); }

BrokerErrc check_form(const HeartbeatIn& in, std::int16_t version, std::string& why) {
  const bool joins = in.member_epoch == kJoiningEpoch;
  const bool any_topic = !in.subscribed_topic_names.is_null() || !in.subscribed_topic_regex.empty();
  if (in.group_id.empty()) {
    why = "GroupId can't be empty.";
  } else if (is_blank(in.instance_id)) {
    why = "InstanceId can't be empty.";
  } else if (is_blank(in.rack_id)) {
    why = "RackId can't be empty.";
  } else if (in.member_id.empty() && (!joins || version >= kFirstVersionWithOwnIds)) {
    why = "MemberId can't be empty.";
  } else if (in.member_epoch < kAwayEpoch) {
    why = "MemberEpoch is invalid.";
  } else if (in.member_epoch == kAwayEpoch && in.instance_id.is_null()) {
    why = "InstanceId can't be null.";
  } else if (joins && in.rebalance_timeout_ms == -1) {
    why = "RebalanceTimeoutMs must be provided in first request.";
  } else if (joins && (in.topic_partitions.is_null() || !in.topic_partitions.empty())) {
    why = "TopicPartitions must be empty when (re-)joining.";
  } else if (joins && !any_topic) {
    why = "SubscribedTopicNames or SubscribedTopicRegex must be set in first request.";
  }
  if (!why.empty()) return BrokerErrc::invalid_request;
  if (!in.server_assignor.is_null() && in.server_assignor.view() != kUniform &&
      in.server_assignor.view() != kRange) {
    why = "ServerAssignor " + in.server_assignor.str() +
          " is not supported. Supported assignors: uniform, range.";
    return BrokerErrc::unsupported_assignor;
  }
  if (!in.subscribed_topic_regex.empty() && !TopicPattern(in.subscribed_topic_regex).valid()) {
    why = "SubscribedTopicRegex `" + in.subscribed_topic_regex.str() +
          "` is not a valid regular expression.";
    return BrokerErrc::invalid_regular_expression;
  }
  return BrokerErrc::none;
}

std::optional<std::string> optional(wire::Text text) {
  return text.is_null() ? std::nullopt : std::optional(text.str());
}

ModernCall read_call(Request& request, const HeartbeatIn& in) {
  ModernCall call;
  call.member_id = in.member_id.empty() ? new_uuid_text(*request.cluster) : in.member_id.str();
  call.epoch = in.member_epoch;
  call.instance_id = optional(in.instance_id);
  call.rack_id = optional(in.rack_id);
  call.client_id = request.header.client_id.str();
  call.client_host = "/" + request.peer_host;
  if (in.rebalance_timeout_ms != -1) {
    call.rebalance_timeout = std::chrono::milliseconds(in.rebalance_timeout_ms);
  }
  call.topic_regex = optional(in.subscribed_topic_regex);
  call.assignor = optional(in.server_assignor);
  if (!in.subscribed_topic_names.is_null()) {
    call.topic_names.emplace();
    for (const wire::Text name : in.subscribed_topic_names) call.topic_names->insert(name.str());
  }
  if (!in.topic_partitions.is_null()) {
    call.owned.emplace();
    for (const auto& topic : in.topic_partitions) {
      (*call.owned)[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
    }
  }
  return call;
}

// A group that has never been, or that nobody is in, or that has consumers of the classic protocol,
// becomes one of this kind.
BrokerErrc find_group(Request& request, const HeartbeatIn& in, std::string& why, Group*& out) {
  if (const BrokerErrc error = check_coordinator(request, in.group_id); error != BrokerErrc::none) {
    return error;
  }
  GroupCoordinator& groups = request.cluster->groups();
  out = groups.find(in.group_id);
  const bool joins = in.member_epoch == kJoiningEpoch;
  const bool usable =
      out ? out->modern || (joins && out->become_modern(*request.cluster, request.now.mono))
          : joins;
  if (!usable) {
    why = "Group " + in.group_id.str() + (out ? " is not a consumer group." : " not found.");
    return BrokerErrc::group_id_not_found;
  }
  if (!out) {
    out = &groups.find_or_create(in.group_id);
    out->become_modern(*request.cluster, request.now.mono);
  }
  return BrokerErrc::none;
}

template <class T>
wire::Array<T> partitions_of(Request& request, const Assignment& assignment) {
  const auto topics = request.make<T>(assignment.size());
  std::size_t used = 0;
  for (const auto& [id, partitions] : assignment) {
    const auto indexes = request.make<std::int32_t>(partitions.size());
    std::copy(partitions.begin(), partitions.end(), indexes.begin());
    T& topic = topics[used++];
    topic.topic_id = id;
    topic.partitions = {indexes.data(), indexes.size()};
  }
  return {topics.data(), used};
}

}  // namespace

Outcome handle(Request& request, const HeartbeatIn& in, HeartbeatOut& out) {
  bool apply = false;
  const BrokerErrc wanted = request.injected_whole(&apply);
  if (wanted != BrokerErrc::none && !apply) {
    out.error_code = code(wanted);
    return Outcome::answer;
  }
  std::string why;
  Group* group = nullptr;
  BrokerErrc error = check_form(in, request.version(), why);
  if (error == BrokerErrc::none) error = find_group(request, in, why, group);
  if (error == BrokerErrc::none) {
    const ModernCall call = read_call(request, in);
    const ModernAnswer answer = group->modern->heartbeat(call, request.now.mono);
    group->return_to_classic(true, request.now.mono);
    error = answer.error;
    why = answer.message;
    if (error == BrokerErrc::none) {
      out.member_id = request.keep(call.member_id);
      out.member_epoch = answer.epoch;
      const auto interval = request.cluster->config().groups.consumer_heartbeat_interval;
      if (answer.epoch >= 0) {
        out.heartbeat_interval_ms = static_cast<std::int32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(interval).count());
      }
    }
    if (answer.assignment) {
      out.assignment.emplace();
      out.assignment->topic_partitions =
          partitions_of<HeartbeatOut::TopicPartitions>(request, *answer.assignment);
    }
  }
  if (wanted != BrokerErrc::none) error = wanted;
  out.error_code = code(error);
  out.error_message = request.keep_message(why);
  return Outcome::answer;
}

// ----------------------------------------------------------------------------------------
// describing

namespace {

wire::Array<DescribedPartitions> named_partitions(Request& request, const Assignment& assignment) {
  const auto list = partitions_of<DescribedPartitions>(request, assignment);
  const auto named = request.make<DescribedPartitions>(list.size());
  std::size_t used = 0;
  for (const DescribedPartitions& one : list) {
    const Topic* topic = request.cluster->find_topic(one.topic_id);
    if (!topic) continue;
    named[used] = one;
    named[used++].topic_name = topic->name;
  }
  return {named.data(), used};
}

wire::Text text_of(const std::optional<std::string>& text) {
  return text ? wire::Text(*text) : wire::Text::null();
}

void describe(Request& request, const ModernGroup& group, Described& out) {
  out.group_state = group.state_name();
  out.group_epoch = group.epoch();
  out.assignment_epoch = group.assignment_epoch();
  out.assignor_name = group.assignor();
  const auto members = request.make<DescribedMember>(group.members().size());
  std::size_t used = 0;
  for (const auto& [id, member] : group.members()) {
    DescribedMember& one = members[used++];
    one.member_id = id;
    one.instance_id = text_of(member.instance_id);
    one.rack_id = text_of(member.rack_id);
    one.member_epoch = member.epoch;
    one.client_id = member.client_id;
    one.client_host = member.client_host;
    const auto names = request.make<wire::Text>(member.topic_names.size());
    std::copy(member.topic_names.begin(), member.topic_names.end(), names.begin());
    one.subscribed_topic_names = {names.data(), names.size()};
    one.subscribed_topic_regex =
        member.topic_regex ? wire::Text(*member.topic_regex) : wire::Text();
    one.assignment.topic_partitions = named_partitions(request, member.assigned);
    one.target_assignment.topic_partitions = named_partitions(request, group.target(id));
    one.member_type = member.classic ? kClassicMember : kConsumerMember;
  }
  out.members = {members.data(), members.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::ConsumerGroupDescribeRequest& in,
               kafka::ConsumerGroupDescribeResponse& out) {
  const auto groups = request.make<Described>(in.group_ids.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Described& one = groups[i];
    one.group_id = in.group_ids[i];
    one.error_message = wire::Text::null();
    BrokerErrc error = request.injected_whole();
    if (error == BrokerErrc::none) error = check_coordinator(request, one.group_id);
    const Group* group =
        error == BrokerErrc::none ? request.cluster->groups().find(one.group_id) : nullptr;
    if (group && group->modern) {
      if (in.include_authorized_operations) one.authorized_operations = kAllGroupOperations;
      describe(request, *group->modern, one);
      continue;
    }
    if (error == BrokerErrc::none) {
      error = BrokerErrc::group_id_not_found;
      one.error_message = request.keep_message(
          "Group " + one.group_id.str() + (group ? " is not a consumer group." : " not found."));
    }
    one.error_code = code(error);
  }
  out.groups = {groups.data(), groups.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
