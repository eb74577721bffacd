// DescribeGroups, ListGroups and DeleteGroups.
#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>

#include "tests/broker/broker.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using Described = kafka::DescribeGroupsResponse::DescribedGroup;
using DescribedMember = kafka::DescribeGroupsResponse::DescribedGroupMember;
using Listed = kafka::ListGroupsResponse::ListedGroup;

constexpr std::int16_t kFirstVersionWithNotFound = 6;  // DescribeGroups
// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS as bits of AclOperation.
constexpr std::int32_t kAllGroupOperations = 0xd48;

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

bool passes(const wire::Array<wire::Text>& filter, std::string_view word) {
  return filter.empty() || std::any_of(filter.begin(), filter.end(),
                                       [&](wire::Text one) { return same_word(one.view(), word); });
}

// What members have in common is told of a stable group only: in any other it is about to change.
void describe(Request& request, const ClassicGroup& group, Described& out) {
  const bool stable = group.state() == ClassicGroup::State::stable;
  out.group_state = group.state_name();
  if (group.protocol_type()) out.protocol_type = *group.protocol_type();
  if (stable) out.protocol_data = *group.protocol_name();
  const auto members = request.make<DescribedMember>(group.members().size());
  std::size_t used = 0;
  for (const auto& [id, member] : group.members()) {
    DescribedMember& one = members[used++];
    one.member_id = id;
    if (member.instance_id) one.group_instance_id = *member.instance_id;
    one.client_id = member.client_id;
    one.client_host = member.client_host;
    one.member_assignment = wire::Bytes(member.assignment);
    if (!stable) continue;
    for (const auto& [name, metadata] : member.protocols) {
      if (name == *group.protocol_name()) one.member_metadata = wire::Bytes(metadata);
    }
  }
  out.members = {members.data(), members.size()};
}

void describe_one(Request& request, wire::Text id, bool with_operations, Described& out) {
  out.group_id = id;
  out.error_message = wire::Text::null();
  BrokerErrc error = request.injected_whole();
  if (error == BrokerErrc::none) error = check_coordinator(request, id);
  out.error_code = code(error);
  if (error != BrokerErrc::none) return;
  if (with_operations) out.authorized_operations = kAllGroupOperations;
  const Group* group = request.cluster->groups().find(id);
  if (group && !group->modern) return describe(request, group->classic, out);
  out.group_state = "Dead";
  if (request.version() < kFirstVersionWithNotFound) return;
  out.error_code = code(BrokerErrc::group_id_not_found);
  out.error_message = request.keep_message("Group " + id.str() +
                                           (group ? " is not a classic group." : " not found."));
}

}  // namespace

Outcome handle(Request& request, const kafka::DescribeGroupsRequest& in,
               kafka::DescribeGroupsResponse& out) {
  const auto groups = request.make<Described>(in.groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    describe_one(request, in.groups[i], in.include_authorized_operations, groups[i]);
  }
  out.groups = {groups.data(), groups.size()};
  return Outcome::answer;
}

Outcome handle(Request& request, const kafka::ListGroupsRequest& in,
               kafka::ListGroupsResponse& out) {
  GroupCoordinator& coordinator = request.cluster->groups();
  BrokerErrc error = request.injected_whole();
  if (error == BrokerErrc::none && coordinator.is_loading(request.broker->id(), request.now)) {
    error = BrokerErrc::coordinator_load_in_progress;
  }
  out.error_code = code(error);
  if (error != BrokerErrc::none) return Outcome::answer;
  const auto own = coordinator.groups_of(request.broker->id(), request.now);
  const auto groups = request.make<Listed>(own.size());
  std::size_t used = 0;
  for (const auto& [id, group] : own) {
    const std::string_view state = group->state_name();
    const std::string_view type = group->modern ? "consumer" : "classic";
    if (!passes(in.states_filter, state) || !passes(in.types_filter, type)) continue;
    Listed& one = groups[used++];
    one.group_id = id;
    if (group->modern) {
      one.protocol_type = "consumer";
    } else if (group->classic.protocol_type()) {
      one.protocol_type = *group->classic.protocol_type();
    }
    one.group_state = state;
    one.group_type = type;
  }
  out.groups = {groups.data(), used};
  return Outcome::answer;
}

namespace {

BrokerErrc remove(Request& request, wire::Text id, bool apply) {
  if (const BrokerErrc error = check_coordinator(request, id); error != BrokerErrc::none) {
    return error;
  }
  const Group* group = request.cluster->groups().find(id);
  if (!group) return BrokerErrc::group_id_not_found;
  if (!group->is_empty()) return BrokerErrc::non_empty_group;
  if (apply) request.cluster->groups().erase(id);
  return BrokerErrc::none;
}

}  // namespace

Outcome handle(Request& request, const kafka::DeleteGroupsRequest& in,
               kafka::DeleteGroupsResponse& out) {
  const auto results =
      request.make<kafka::DeleteGroupsResponse::DeletableGroupResult>(in.groups_names.size());
  std::set<std::string_view> told;  // each once, however often it is named
  for (const wire::Text name : in.groups_names) {
    const std::size_t i = told.size();
    if (!told.insert(name.view()).second) continue;
    results[i].group_id = name;
    results[i].error_message = wire::Text::null();
    bool apply = true;
    const BrokerErrc wanted = request.injected_whole(&apply);
    const BrokerErrc error = remove(request, name, apply);
    results[i].error_code = code(wanted != BrokerErrc::none ? wanted : error);
  }
  out.results = {results.data(), told.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
