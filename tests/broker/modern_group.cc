#include "tests/broker/modern_group.h"

#include <algorithm>
#include <vector>

#include "tests/broker/cluster.h"
#include "tests/broker/topic_pattern.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

bool has(const Assignment& assignment, const wire::Uuid& topic, std::int32_t partition) {
  const auto found = assignment.find(topic);
  return found != assignment.end() && found->second.contains(partition);
}

bool is_part_of(const std::optional<Assignment>& part, const Assignment& whole) {
  if (!part) return false;
  for (const auto& [topic, partitions] : *part) {
    for (const std::int32_t partition : partitions) {
      if (!has(whole, topic, partition)) return false;
    }
  }
  return true;
}

// A member that does not say what it owns may own all of it.
bool may_own_any(const std::optional<Assignment>& owned, const Assignment& of) {
  if (!owned) return true;
  for (const auto& [topic, partitions] : *owned) {
    for (const std::int32_t partition : partitions) {
      if (has(of, topic, partition)) return true;
    }
  }
  return false;
}

BrokerErrc not_its_epoch(const ModernGroup::Member& member) {
  return member.classic ? BrokerErrc::illegal_generation : BrokerErrc::stale_member_epoch;
}

ModernAnswer refused(BrokerErrc error, std::string message) {
  ModernAnswer answer;
  answer.error = error;
  answer.message = std::move(message);
  return answer;
}

}  // namespace

std::string_view ModernGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch_ > assignment_epoch_) return "Assigning";
  const bool settled = std::all_of(members_.begin(), members_.end(), [&](const auto& member) {
    return member.second.step == Step::stable && member.second.epoch == assignment_epoch_;
  });
  return settled ? "Stable" : "Reconciling";
}

const Assignment& ModernGroup::target(std::string_view member_id) const {
  static const Assignment kNone;
  const auto found = target_.find(member_id);
  return found == target_.end() ? kNone : found->second;
}

std::string_view ModernGroup::assignor() const {
  std::size_t range = 0;
  std::size_t uniform = 0;
  for (const auto& [id, member] : members_) {
    if (!member.assignor) continue;
    ++(*member.assignor == kRange ? range : uniform);
  }
  return range > uniform ? kRange : kUniform;
}

const std::string* ModernGroup::static_member(std::string_view instance_id) const {
  for (const auto& [id, member] : members_) {
    if (member.instance_id == instance_id) return &id;
  }
  return nullptr;
}

std::set<wire::Uuid> ModernGroup::topics_of(const Member& member) const {
  std::set<wire::Uuid> topics;
  for (const std::string& name : member.topic_names) {
    if (const Topic* topic = cluster_.find_topic(name)) topics.insert(topic->id);
  }
  if (!member.topic_regex || member.topic_regex->empty()) return topics;
  const TopicPattern pattern(*member.topic_regex);
  for (const auto& [name, topic] : cluster_.topics()) {
    if (pattern.matches(name)) topics.insert(topic->id);
  }
  return topics;
}

bool ModernGroup::is_subscribed_to(std::string_view topic) const {
  const Topic* found = cluster_.find_topic(topic);
  return found && std::any_of(members_.begin(), members_.end(), [&](const auto& member) {
           return topics_of(member.second).contains(found->id);
         });
}

// ----------------------------------------------------------------------------------------
// heartbeat

ModernAnswer ModernGroup::check_epoch(const Member& member, const ModernCall& call) const {
  if (call.epoch == kJoiningEpoch || call.epoch == member.epoch) return {};
  // The answer with the next epoch may have been lost. Who still has no more than it was given then
  // may go on.
  if (call.epoch < member.epoch && call.epoch == member.previous_epoch &&
      is_part_of(call.owned, member.assigned)) {
    return {};
  }
  return refused(BrokerErrc::fenced_member_epoch,
                 "The member is in epoch " + std::to_string(member.epoch) + ", not in " +
                     std::to_string(call.epoch) + ": it has to give up all partitions and rejoin.");
}

// Whether there is such a member, or room for one. `old_id` is set if a static member comes back
// under another id.
ModernAnswer ModernGroup::find_member(const ModernCall& call, std::string& old_id) const {
  const bool joins = call.epoch == kJoiningEpoch;
  const std::string* holder = call.instance_id ? static_member(*call.instance_id) : nullptr;
  if (holder && *holder != call.member_id) {
    const std::string who = "The instance id belongs to member " + *holder + ".";
    if (!joins) return refused(BrokerErrc::fenced_instance_id, who);
    const Member& member = members_.at(*holder);
    if (member.epoch != kAwayEpoch && !member.classic) {
      return refused(BrokerErrc::unreleased_instance_id, who);
    }
    old_id = *holder;
    return {};
  }
  const auto found = members_.find(call.member_id);
  if (found == members_.end() || (call.instance_id && !holder)) {
    if (joins) return {};
    return refused(BrokerErrc::unknown_member_id, "There is no member " + call.member_id + ".");
  }
  return check_epoch(found->second, call);
}

void ModernGroup::update(Member& member, const ModernCall& call) {
  if (call.instance_id) member.instance_id = call.instance_id;
  if (call.rack_id) member.rack_id = call.rack_id;
  if (call.rebalance_timeout) member.rebalance_timeout = *call.rebalance_timeout;
  if (call.assignor) member.assignor = call.assignor;
  member.client_id = call.client_id;
  member.client_host = call.client_host;
  const auto before = std::pair(member.topic_names, member.topic_regex);
  if (call.topic_names) member.topic_names = *call.topic_names;
  if (call.topic_regex) member.topic_regex = call.topic_regex;
  if (before != std::pair(member.topic_names, member.topic_regex)) ++epoch_;
}

void ModernGroup::rename(const std::string& from, const std::string& to) {
  members_[to] = std::move(members_.at(from));
  members_.erase(from);
  target_[to] = std::move(target_[from]);
  target_.erase(from);
}

ModernAnswer ModernGroup::heartbeat(const ModernCall& call, Time now) {
  if (call.epoch < 0) return leave(call);
  if (members_.size() >= config_.max_size && !members_.contains(call.member_id)) {
    return refused(BrokerErrc::group_max_size_reached, "The consumer group is full.");
  }
  std::string old_id;
  if (ModernAnswer no = find_member(call, old_id); no.error != BrokerErrc::none) return no;
  if (!old_id.empty()) rename(old_id, call.member_id);
  Member& member = members_[call.member_id];
  member.classic.reset();
  const Assignment before = member.assigned;
  if (call.epoch == kJoiningEpoch) member.epoch = member.previous_epoch = kJoiningEpoch;
  update(member, call);
  refresh_target();
  reconcile(call.member_id, call, now);
  member.session_end = deadline_after(now, config_.consumer_session_timeout);

  ModernAnswer answer;
  answer.epoch = member.epoch;
  const bool told_all =
      call.rebalance_timeout && call.owned && (call.topic_names || call.topic_regex);
  if (call.epoch == kJoiningEpoch || told_all || member.assigned != before) {
    answer.assignment = member.assigned;
  }
  return answer;
}

// The topics may have changed as well as the members: either makes an epoch, and that a target.
void ModernGroup::refresh_target() {
  AssignorMembers list;
  PartitionCounts counts;
  for (const auto& [id, member] : members_) {
    list.push_back({id, member.instance_id, topics_of(member), target(id)});
    for (const wire::Uuid& topic : list.back().topics) {
      counts[topic] = static_cast<std::int32_t>(cluster_.find_topic(topic)->partitions.size());
    }
  }
  if (counts != counts_) {
    counts_ = counts;
    ++epoch_;
  }
  if (epoch_ == assignment_epoch_) return;
  target_ =
      assignor() == kRange ? assign_range(std::move(list), counts) : assign_uniform(list, counts);
  assignment_epoch_ = epoch_;
}

bool ModernGroup::is_free(const wire::Uuid& topic, std::int32_t partition) const {
  return std::none_of(members_.begin(), members_.end(), [&](const auto& member) {
    return has(member.second.assigned, topic, partition) ||
           has(member.second.revoking, topic, partition);
  });
}

void ModernGroup::reconcile(const std::string& id, const ModernCall& call, Time now) {
  Member& member = members_.at(id);
  const std::int32_t epoch = member.epoch;
  const Step step = member.step;
  switch (step) {
    case Step::stable:
      if (member.epoch == assignment_epoch_) return;
      break;
    case Step::revoking:
      if (may_own_any(call.owned, member.revoking)) return;
      member.revoking.clear();
      break;
    case Step::waiting:
      break;
  }
  move_on(id, member, call);
  if (member.step != Step::revoking || member.classic) {
    member.revoke_end = kNever;
  } else if (step != Step::revoking || member.epoch != epoch) {
    member.revoke_end = deadline_after(now, member.rebalance_timeout);
  }
}

// One step towards the target.
void ModernGroup::move_on(const std::string& id, Member& member, const ModernCall& call) {
  const Assignment& wanted = target(id);
  Assignment kept;
  Assignment revoked;
  for (const auto& [topic, partitions] : member.assigned) {
    for (const std::int32_t partition : partitions) {
      (has(wanted, topic, partition) ? kept : revoked)[topic].insert(partition);
    }
  }
  if (!revoked.empty() && may_own_any(call.owned, revoked)) {
    // It stays in its epoch until it has let go.
    if (member.step == Step::revoking) {
      member.previous_epoch = std::exchange(member.epoch, member.epoch + 1);
    }
    member.step = Step::revoking;
    member.assigned = std::move(kept);
    member.revoking = std::move(revoked);
    return;
  }
  Assignment fresh;
  bool all = true;
  member.assigned = kept;  // what it has let go of is free, for itself too
  for (const auto& [topic, partitions] : wanted) {
    for (const std::int32_t partition : partitions) {
      if (has(kept, topic, partition)) continue;
      if (is_free(topic, partition)) {
        fresh[topic].insert(partition);
      } else {
        all = false;
      }
    }
  }
  std::erase_if(member.since, [&](const auto& one) {
    return !has(member.assigned, one.first.first, one.first.second);
  });
  for (const auto& [topic, partitions] : fresh) {
    member.assigned[topic].insert(partitions.begin(), partitions.end());
    for (const std::int32_t partition : partitions) {
      member.since[{topic, partition}] = assignment_epoch_;
    }
  }
  member.step = all ? Step::stable : Step::waiting;
  if (member.epoch != assignment_epoch_) {
    member.previous_epoch = std::exchange(member.epoch, assignment_epoch_);
  }
}

// ------------------------------------------------------------------------------- leaving, expiring

void ModernGroup::remove(const std::string& id) {
  const bool was_classic = is_classic(id);
  members_.erase(id);
  target_.erase(id);
  if (!was_classic && only_classic()) return;  // a classic group is made of it, as it was
  ++epoch_;
  if (members_.empty()) assignment_epoch_ = epoch_;
}

ModernAnswer ModernGroup::leave(const ModernCall& call) {
  const auto found = members_.find(call.member_id);
  if (call.instance_id) {
    const std::string* holder = static_member(*call.instance_id);
    if (!holder) return refused(BrokerErrc::unknown_member_id, "The instance id is unknown.");
    if (*holder != call.member_id) {
      return refused(BrokerErrc::fenced_instance_id, "Another member has the instance id.");
    }
  } else if (found == members_.end()) {
    return refused(BrokerErrc::unknown_member_id, "The member is unknown.");
  }
  ModernAnswer answer;
  answer.epoch = call.epoch;
  if (call.epoch == kAwayEpoch) {
    found->second.epoch = kAwayEpoch;
    found->second.revoking.clear();
  } else {
    remove(call.member_id);
  }
  return answer;
}

BrokerErrc ModernGroup::may_commit(std::string_view member_id, std::int32_t epoch) const {
  if (epoch < 0 && members_.empty()) return BrokerErrc::none;
  const auto found = members_.find(member_id);
  if (found == members_.end()) return BrokerErrc::unknown_member_id;
  return epoch <= found->second.epoch ? BrokerErrc::none : not_its_epoch(found->second);
}

BrokerErrc ModernGroup::may_commit(std::string_view member_id, std::int32_t epoch,
                                   const wire::Uuid& topic, std::int32_t partition) const {
  const auto found = members_.find(member_id);
  if (found == members_.end() || found->second.epoch == epoch) return BrokerErrc::none;
  const auto since = found->second.since.find({topic, partition});
  const bool had_it = since != found->second.since.end() && since->second <= epoch;
  return had_it ? BrokerErrc::none : not_its_epoch(found->second);
}

BrokerErrc ModernGroup::may_fetch(std::optional<std::string_view> member_id,
                                  std::int32_t epoch) const {
  if (!member_id && epoch < 0) return BrokerErrc::none;
  const auto found = members_.find(member_id.value_or(""));
  if (found == members_.end()) return BrokerErrc::unknown_member_id;
  return found->second.epoch == epoch ? BrokerErrc::none : not_its_epoch(found->second);
}

void ModernGroup::load(Time now) {
  for (auto& [id, member] : members_) {
    const Duration session =
        member.classic ? member.classic->session_timeout : config_.consumer_session_timeout;
    member.session_end = deadline_after(now, session);
    if (member.step == Step::revoking && !member.classic) {
      member.revoke_end = deadline_after(now, member.rebalance_timeout);
    }
  }
}

Time ModernGroup::deadline_of(const Member& member) const {
  const Time earliest = std::min(member.session_end, member.revoke_end);
  if (!member.classic) return earliest;
  return std::min({earliest, member.classic->join_end, member.classic->sync_end});
}

Time ModernGroup::next_deadline() const {
  Time earliest = kNever;
  for (const auto& [id, member] : members_) {
    earliest = std::min(earliest, deadline_of(member));
  }
  return earliest;
}

void ModernGroup::on_time(Time now) {
  std::vector<std::string> late;
  for (const auto& [id, member] : members_) {
    if (now >= deadline_of(member)) late.push_back(id);
  }
  for (const std::string& id : late) remove(id);
}

}  // namespace tern::broker
