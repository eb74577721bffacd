// FindCoordinator, JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr std::int8_t kGroupKey = 0;
constexpr std::int8_t kTransactionKey = 1;
constexpr std::int16_t kFirstVersionWithNullProtocol = 7;  // JoinGroup
constexpr std::int16_t kFirstVersionWithSyncProtocol = 5;
constexpr std::int16_t kFirstVersionOfLeavingTogether = 3;

template <class A>
struct ParkedState final : RequestState {
  std::shared_ptr<Parked<A>> parked;
};

OptionalText optional(wire::Text text) {
  return text.is_null() ? OptionalText() : OptionalText(text.str());
}

// A view of what is kept until the answer is encoded.
wire::Text text_of(const OptionalText& text) {
  return text ? wire::Text(*text) : wire::Text::null();
}

Duration milliseconds(std::int32_t count) { return std::chrono::milliseconds(count); }

// Who a group's coordinator is. A transaction's is whoever is asked.
std::int32_t coordinator_of(Request& request, std::int8_t key_type, wire::Text key,
                            BrokerErrc& error) {
  if (key_type == kTransactionKey) return request.broker->id();
  if (key_type != kGroupKey) {
    error = BrokerErrc::invalid_request;
    return -1;
  }
  const std::int32_t id = request.cluster->groups().find_coordinator(key.view());
  if (id < 0) error = BrokerErrc::coordinator_not_available;
  return id;
}

}  // namespace

BrokerErrc check_coordinator(Request& request, std::string_view group_id) {
  return request.cluster->groups().check(request.broker->id(), group_id, request.now);
}

std::string new_uuid_text(KafkaCluster& cluster) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint64_t word : {cluster.random(), cluster.random()}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (text.size() == 8 || text.size() == 13 || text.size() == 18 || text.size() == 23) {
        text += '-';
      }
      text += kDigits[(word >> shift) & 0xfU];
    }
  }
  return text;
}

Outcome handle(Request& request, const kafka::FindCoordinatorRequest& in,
               kafka::FindCoordinatorResponse& out) {
  const bool batched = request.version() >= 4;
  const std::size_t count = batched ? in.coordinator_keys.size() : 1;
  const auto found = request.make<kafka::FindCoordinatorResponse::Coordinator>(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& one = found[i];
    one.key = batched ? in.coordinator_keys[i] : in.key;
    BrokerErrc error = request.injected_whole();
    one.node_id =
        error == BrokerErrc::none ? coordinator_of(request, in.key_type, one.key, error) : -1;
    one.error_code = code(error);
    one.error_message = wire::Text::null();
    one.port = -1;
    if (const Node* node = request.cluster->find_node(one.node_id)) {
      one.host = node->advertised.host;
      one.port = node->advertised.port;
    }
  }
  if (batched) {
    out.coordinators = {found.data(), found.size()};
    return Outcome::answer;
  }
  out.error_code = found[0].error_code;
  out.error_message = wire::Text::null();
  out.node_id = found[0].node_id;
  out.host = found[0].host;
  out.port = found[0].port;
  return Outcome::answer;
}

// -------------------------------------------------------------------------------------------
// joining

namespace {

BrokerErrc check_join(Request& request, const kafka::JoinGroupRequest& in) {
  const GroupConfig& config = request.cluster->config().groups;
  if (in.group_id.empty()) return BrokerErrc::invalid_group_id;
  const Duration session = milliseconds(in.session_timeout_ms);
  if (session < config.min_session_timeout || session > config.max_session_timeout) {
    return BrokerErrc::invalid_session_timeout;
  }
  if (const BrokerErrc error = check_coordinator(request, in.group_id); error != BrokerErrc::none) {
    return error;
  }
  Group* group = request.cluster->groups().find(in.group_id);
  if (group && group->modern && group->is_empty()) {
    if (!in.member_id.empty()) return BrokerErrc::unknown_member_id;
    group->modern.reset();
  }
  return group || in.member_id.empty() ? BrokerErrc::none : BrokerErrc::unknown_member_id;
}

JoinCall read_join(Request& request, const kafka::JoinGroupRequest& in) {
  JoinCall call;
  call.member_id = in.member_id.str();
  call.instance_id = optional(in.group_instance_id);
  call.client_id = request.header.client_id.str();
  call.client_host = "/" + request.peer_host;
  call.new_member_id =
      call.instance_id.value_or(call.client_id) + "-" + new_uuid_text(*request.cluster);
  call.session_timeout = milliseconds(in.session_timeout_ms);
  call.rebalance_timeout =
      request.version() == 0 ? call.session_timeout : milliseconds(in.rebalance_timeout_ms);
  call.protocol_type = in.protocol_type.str();
  for (const auto& protocol : in.protocols) {
    call.protocols.emplace_back(protocol.name.str(), protocol.metadata.str());
  }
  call.needs_known_id = request.version() >= 4;
  call.can_skip_assignment = request.version() >= 9;
  return call;
}

ClassicGroup::ParkedJoin begin_join(Request& request, const kafka::JoinGroupRequest& in) {
  if (const BrokerErrc error = check_join(request, in); error != BrokerErrc::none) {
    auto refused = std::make_shared<Parked<JoinAnswer>>();
    refused->done = true;
    refused->answer.error = error;
    refused->answer.member_id = in.member_id.str();
    return refused;
  }
  GroupCoordinator& groups = request.cluster->groups();
  Group& group = groups.find_or_create(in.group_id);
  const JoinCall call = read_join(request, in);
  const Time now = request.now.mono;
  if (group.modern) {
    auto answered = std::make_shared<Parked<JoinAnswer>>();
    answered->done = true;
    answered->answer = group.modern->join(call, now);
    // A restart is no reason for a rebalance: the member has what it had.
    if (call.instance_id) group.return_to_classic(false, now);
    return answered;
  }
  auto parked = group.classic.join(call, now);
  groups.wake_answered(group);
  return parked;
}

void fill(Request& request, const JoinAnswer& answer, kafka::JoinGroupResponse& out) {
  out.error_code = code(answer.error);
  out.generation_id = answer.generation;
  out.protocol_type = text_of(answer.protocol_type);
  out.protocol_name = text_of(answer.protocol_name);
  if (!answer.protocol_name && request.version() < kFirstVersionWithNullProtocol) {
    out.protocol_name = {};
  }
  out.leader = answer.leader;
  out.member_id = answer.member_id;
  out.skip_assignment = answer.skip_assignment;
  const auto members =
      request.make<kafka::JoinGroupResponse::JoinGroupResponseMember>(answer.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].member_id = answer.members[i].id;
    members[i].group_instance_id = text_of(answer.members[i].instance_id);
    members[i].metadata = answer.members[i].metadata;
  }
  out.members = {members.data(), members.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::JoinGroupRequest& in, kafka::JoinGroupResponse& out) {
  bool apply = false;
  const BrokerErrc wanted = request.injected_whole(&apply);
  if (!request.state) {
    auto state = std::make_unique<ParkedState<JoinAnswer>>();
    if (wanted != BrokerErrc::none && !apply) {
      state->parked = std::make_shared<Parked<JoinAnswer>>();
      state->parked->done = true;
      state->parked->answer.member_id = in.member_id.str();
    } else {
      state->parked = begin_join(request, in);
    }
    request.state = std::move(state);
  }
  const auto& parked = *static_cast<ParkedState<JoinAnswer>&>(*request.state).parked;
  if (!parked.done) return Outcome::wait;
  fill(request, parked.answer, out);
  if (wanted != BrokerErrc::none) out.error_code = code(wanted);
  return Outcome::answer;
}

// -------------------------------------------------------------------------------------------
// syncing

namespace {

// A group that is not there has no members either.
BrokerErrc find_group(Request& request, wire::Text id, Group*& out) {
  if (id.empty()) return BrokerErrc::invalid_group_id;
  if (const BrokerErrc error = check_coordinator(request, id); error != BrokerErrc::none) {
    return error;
  }
  out = request.cluster->groups().find(id);
  return out ? BrokerErrc::none : BrokerErrc::unknown_member_id;
}

ClassicGroup::ParkedSync begin_sync(Request& request, const kafka::SyncGroupRequest& in) {
  Group* group = nullptr;
  const bool nameless = request.version() >= kFirstVersionWithSyncProtocol &&
                        (in.protocol_type.is_null() || in.protocol_name.is_null());
  const BrokerErrc error =
      nameless ? BrokerErrc::inconsistent_group_protocol : find_group(request, in.group_id, group);
  if (error != BrokerErrc::none) {
    auto refused = std::make_shared<Parked<SyncAnswer>>();
    refused->done = true;
    refused->answer.error = error;
    return refused;
  }
  SyncCall call;
  call.member_id = in.member_id.str();
  call.instance_id = optional(in.group_instance_id);
  call.generation = in.generation_id;
  call.protocol_type = optional(in.protocol_type);
  call.protocol_name = optional(in.protocol_name);
  for (const auto& one : in.assignments) {
    call.assignments[one.member_id.str()] = one.assignment.str();
  }
  if (group->modern) {
    auto answered = std::make_shared<Parked<SyncAnswer>>();
    answered->done = true;
    answered->answer = group->modern->sync(call, request.now.mono);
    return answered;
  }
  auto parked = group->classic.sync(call, request.now.mono);
  request.cluster->groups().wake_answered(*group);
  return parked;
}

}  // namespace

Outcome handle(Request& request, const kafka::SyncGroupRequest& in, kafka::SyncGroupResponse& out) {
  bool apply = false;
  const BrokerErrc wanted = request.injected_whole(&apply);
  if (wanted != BrokerErrc::none && !apply) {
    out.error_code = code(wanted);
    return Outcome::answer;
  }
  if (!request.state) {
    auto state = std::make_unique<ParkedState<SyncAnswer>>();
    state->parked = begin_sync(request, in);
    request.state = std::move(state);
  }
  const auto& parked = *static_cast<ParkedState<SyncAnswer>&>(*request.state).parked;
  if (!parked.done) return Outcome::wait;
  out.error_code = code(wanted != BrokerErrc::none ? wanted : parked.answer.error);
  out.protocol_type = text_of(parked.answer.protocol_type);
  out.protocol_name = text_of(parked.answer.protocol_name);
  out.assignment = wire::Bytes(parked.answer.assignment);
  return Outcome::answer;
}

// ------------------------------------------------------------------------------- staying and
// leaving

Outcome handle(Request& request, const kafka::HeartbeatRequest& in, kafka::HeartbeatResponse& out) {
  bool apply = false;
  const BrokerErrc wanted = request.injected_whole(&apply);
  BrokerErrc error = wanted;
  if (wanted == BrokerErrc::none || apply) {
    Group* group = nullptr;
    error = find_group(request, in.group_id, group);
    if (error == BrokerErrc::none) {
      const OptionalText instance = optional(in.group_instance_id);
      const Time now = request.now.mono;
      error = group->modern
                  ? group->modern->classic_heartbeat(in.member_id, instance, in.generation_id, now)
                  : group->classic.heartbeat(in.member_id, instance, in.generation_id, now);
    } else if (error == BrokerErrc::coordinator_load_in_progress) {
      error = BrokerErrc::none;  // who is a member is not known yet: nobody is sent away
    }
    if (wanted != BrokerErrc::none) error = wanted;
  }
  out.error_code = code(error);
  return Outcome::answer;
}

namespace {

BrokerErrc leave(Group& group, const std::string& member_id, const OptionalText& instance_id) {
  return group.modern ? group.modern->classic_leave(member_id, instance_id)
                      : group.classic.leave(member_id, instance_id);
}

}  // namespace

Outcome handle(Request& request, const kafka::LeaveGroupRequest& in,
               kafka::LeaveGroupResponse& out) {
  bool apply = false;
  const BrokerErrc wanted = request.injected_whole(&apply);
  out.error_code = code(wanted);
  if (wanted != BrokerErrc::none && !apply) return Outcome::answer;
  const bool together = request.version() >= kFirstVersionOfLeavingTogether;
  Group* group = nullptr;
  const BrokerErrc found = find_group(request, in.group_id, group);
  if (!group && (found != BrokerErrc::unknown_member_id || !together)) {
    if (wanted == BrokerErrc::none) out.error_code = code(found);
    return Outcome::answer;
  }
  const std::size_t count = together ? in.members.size() : 1;
  const auto members = request.make<kafka::LeaveGroupResponse::MemberResponse>(count);
  bool any = false;
  for (std::size_t i = 0; i < count; ++i) {
    members[i].member_id = together ? in.members[i].member_id : in.member_id;
    members[i].group_instance_id = together ? in.members[i].group_instance_id : wire::Text::null();
    const BrokerErrc error =
        group ? leave(*group, members[i].member_id.str(), optional(members[i].group_instance_id))
              : found;
    members[i].error_code = code(error);
    any = any || error == BrokerErrc::none;
  }
  if (any && !group->modern) group->classic.left(request.now.mono);
  if (group) group->return_to_classic(true, request.now.mono);
  if (group) request.cluster->groups().wake_answered(*group);
  if (together) {
    out.members = {members.data(), count};
  } else if (wanted == BrokerErrc::none) {
    out.error_code = members[0].error_code;
  }
  return Outcome::answer;
}

}  // namespace tern::broker
