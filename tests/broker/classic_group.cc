#include "tests/broker/classic_group.h"

#include <algorithm>
#include <span>

#include "protocol/kafka/messages/consumer_protocol.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/reader.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

const std::string* metadata_of(const GroupProtocols& protocols, std::string_view name) {
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const auto& one) { return one.first == name; });
  return found == protocols.end() ? nullptr : &found->second;
}

// What no session timeout ends: a member that waits for an answer from here. A new one may have
// given up without a word, as its connection is not read while it waits.
bool is_excused(const ClassicGroup::Member& member) {
  return !member.is_new && (member.join || member.sync);
}

template <class A>
std::shared_ptr<Parked<A>> park() {
  return std::make_shared<Parked<A>>();
}

void refuse(const ClassicGroup::ParkedJoin& parked, BrokerErrc error, std::string member_id) {
  parked->done = true;
  parked->answer.error = error;
  parked->answer.member_id = std::move(member_id);
}

void touch(ClassicGroup::Member& member, Time now) {
  member.session_end = deadline_after(now, member.session_timeout);
}

}  // namespace

std::string_view ClassicGroup::state_name() const {
  switch (state_) {
    case State::empty:
      return "Empty";
    case State::preparing_rebalance:
      return "PreparingRebalance";
    case State::completing_rebalance:
      return "CompletingRebalance";
    case State::stable:
      break;
  }
  return "Stable";
}

void ClassicGroup::become(State state) { previous_ = std::exchange(state_, state); }

void ClassicGroup::answer(Member& member, JoinAnswer answer) {
  if (!member.join) return;
  member.join->done = answered_ = true;
  member.join->answer = std::move(answer);
  member.join.reset();
}

void ClassicGroup::answer(Member& member, SyncAnswer answer) {
  if (!member.sync) return;
  member.sync->done = answered_ = true;
  member.sync->answer = std::move(answer);
  member.sync.reset();
}

// --------------------------------------------------------------------------------- what it can
// tell

const std::string* ClassicGroup::static_member(std::string_view instance_id) const {
  for (const auto& [id, member] : members_) {
    if (member.instance_id == instance_id) return &id;
  }
  return nullptr;
}

BrokerErrc ClassicGroup::validate(std::string_view member_id,
                                  const OptionalText& instance_id) const {
  if (instance_id) {
    const std::string* holder = static_member(*instance_id);
    if (!holder) return BrokerErrc::unknown_member_id;
    if (*holder != member_id) return BrokerErrc::fenced_instance_id;
  }
  return members_.contains(member_id) ? BrokerErrc::none : BrokerErrc::unknown_member_id;
}

bool ClassicGroup::accepts(const std::string& member_id) const {
  const auto found = members_.find(member_id);
  switch (state_) {
    case State::empty:
      return true;
    case State::preparing_rebalance: {
      const auto joined = std::count_if(members_.begin(), members_.end(), [](const auto& member) {
        return member.second.join != nullptr;
      });
      return (found != members_.end() && found->second.join) ||
             static_cast<std::size_t>(joined) < config_->max_size;
    }
    case State::completing_rebalance:
    case State::stable:
      break;
  }
  return found != members_.end() || members_.size() < config_->max_size;
}

bool ClassicGroup::everyone_supports(std::string_view protocol) const {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& member) {
    return metadata_of(member.second.protocols, protocol) != nullptr;
  });
}

bool ClassicGroup::supports(const JoinCall& call) const {
  if (state_ == State::empty) return !call.protocol_type.empty() && !call.protocols.empty();
  return protocol_type_ == call.protocol_type &&
         std::any_of(call.protocols.begin(), call.protocols.end(),
                     [&](const auto& protocol) { return everyone_supports(protocol.first); });
}

bool ClassicGroup::all_joined() const {
  return pending_.empty() && std::all_of(members_.begin(), members_.end(), [](const auto& member) {
           return member.second.join != nullptr;
         });
}

Duration ClassicGroup::rebalance_timeout() const {
  Duration longest{};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

// Each votes for the first of its protocols that all have; of those with equal votes the one that
// was named first wins.
std::string ClassicGroup::select_protocol() const {
  std::vector<std::pair<std::string, int>> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& [name, metadata] : member.protocols) {
      if (!everyone_supports(name)) continue;
      const auto found = std::find_if(votes.begin(), votes.end(),
                                      [&](const auto& vote) { return vote.first == name; });
      if (found == votes.end()) {
        votes.emplace_back(name, 1);
      } else {
        ++found->second;
      }
      break;
    }
  }
  const auto best = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return best == votes.end() ? std::string() : best->first;
}

// The topics of all members, if they are consumers whose metadata can be read, by its oldest form:
// what came later was added behind it.
std::optional<std::set<std::string, std::less<>>> ClassicGroup::read_subscriptions() const {
  if (!is_of_consumers()) return std::nullopt;
  std::set<std::string, std::less<>> topics;
  if (members_.empty()) return topics;
  if (!protocol_name_) return std::nullopt;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = metadata_of(member.protocols, *protocol_name_);
    if (!metadata) return std::nullopt;
    wire::Reader reader(std::as_bytes(std::span(*metadata)));
    wire::Arena arena(wire::Arena::limit_for(metadata->size()));
    kafka::ConsumerProtocolSubscription subscription;
    if (reader.i16("version") < 0 || !kafka::decode(reader, 0, arena, subscription)) {
      return std::nullopt;
    }
    for (const wire::Text topic : subscription.topics) topics.insert(topic.str());
  }
  return topics;
}

bool ClassicGroup::is_subscribed_to(std::string_view topic) const {
  return topics_ ? topics_->contains(topic) : is_of_consumers();
}

std::vector<JoinAnswer::Member> ClassicGroup::member_list() const {
  std::vector<JoinAnswer::Member> list;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = metadata_of(member.protocols, protocol_name_.value_or(""));
    list.push_back({id, member.instance_id, metadata ? *metadata : std::string()});
  }
  return list;
}

JoinAnswer ClassicGroup::current_generation(const std::string& member_id) const {
  JoinAnswer answer;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol_name = protocol_name_;
  answer.leader = leader_;
  answer.member_id = member_id;
  return answer;
}

// ------------------------------------------------------------------------------------------
// joining

ClassicGroup::ParkedJoin ClassicGroup::join(const JoinCall& call, Time now) {
  const ParkedJoin parked = park<JoinAnswer>();
  if (!accepts(call.member_id)) {
    remove(call.member_id);
    refuse(parked, BrokerErrc::group_max_size_reached, "");
  } else if (!supports(call)) {
    refuse(parked, BrokerErrc::inconsistent_group_protocol, call.member_id);
  } else if (call.member_id.empty()) {
    join_new(call, parked, now);
  } else {
    join_known(call, parked, now);
  }
  return parked;
}

void ClassicGroup::join_new(const JoinCall& call, const ParkedJoin& parked, Time now) {
  if (call.instance_id) {
    const std::string* holder = static_member(*call.instance_id);
    if (holder) return replace_static(call, *holder, parked, now);
  } else if (call.needs_known_id) {
    pending_[call.new_member_id] = deadline_after(now, call.session_timeout);
    return refuse(parked, BrokerErrc::member_id_required, call.new_member_id);
  }
  add_member(call, call.new_member_id, parked, now);
}

void ClassicGroup::join_known(const JoinCall& call, const ParkedJoin& parked, Time now) {
  const std::string& id = call.member_id;
  if (pending_.contains(id)) {
    // Ids are given out to members without an instance id only.
    if (call.instance_id) return refuse(parked, BrokerErrc::unknown_server_error, id);
    return add_member(call, id, parked, now);
  }
  if (const BrokerErrc error = validate(id, call.instance_id); error != BrokerErrc::none) {
    return refuse(parked, error, id);
  }
  Member& member = members_.at(id);
  const bool same = member.protocols == call.protocols;
  const bool leads = leader_ == id;
  // A member that has not got the answer to its last request asks again; a leader that asks in a
  // stable group wants another round, since what it assigns may have changed.
  if ((state_ == State::completing_rebalance && same) ||
      (state_ == State::stable && same && !leads)) {
    parked->done = true;
    parked->answer = current_generation(id);
    if (leads) parked->answer.members = member_list();
    return;
  }
  update_member(member, call, parked);
  rebalance_or_complete(now);
}

void ClassicGroup::update_member(Member& member, const JoinCall& call, const ParkedJoin& parked) {
  member.protocols = call.protocols;
  member.rebalance_timeout = call.rebalance_timeout;
  member.session_timeout = call.session_timeout;
  member.join = parked;
}

void ClassicGroup::add_member(const JoinCall& call, const std::string& id, const ParkedJoin& parked,
                              Time now) {
  if (state_ == State::preparing_rebalance && previous_ == State::empty) more_came_ = true;
  if (members_.empty()) protocol_type_ = call.protocol_type;
  if (leader_.empty()) leader_ = id;
  Member& member = members_[id];
  member.instance_id = call.instance_id;
  member.client_id = call.client_id;
  member.client_host = call.client_host;
  update_member(member, call, parked);
  member.session_end = deadline_after(now, config_->new_member_join_timeout);
  pending_.erase(id);
  rebalance_or_complete(now);
}

// A member with an instance id has restarted: it takes the place of what it was, and if that goes
// on all the same it learns that it is fenced.
void ClassicGroup::replace_static(const JoinCall& call, std::string old_id,
                                  const ParkedJoin& parked, Time now) {
  const std::string old_leader = leader_;
  Member member = std::move(members_.at(old_id));
  members_.erase(old_id);
  JoinAnswer fenced_join;
  fenced_join.error = BrokerErrc::fenced_instance_id;
  fenced_join.member_id = old_id;
  answer(member, std::move(fenced_join));
  SyncAnswer fenced_sync;
  fenced_sync.error = BrokerErrc::fenced_instance_id;
  answer(member, std::move(fenced_sync));

  const std::string& id = call.new_member_id;
  unsynced_.erase(old_id);
  if (leader_ == old_id) leader_ = id;
  member.is_new = false;
  touch(member, now);
  update_member(member, call, parked);
  Member& placed = members_[id] = std::move(member);

  if (state_ == State::completing_rebalance) return prepare_rebalance(now);
  if (state_ == State::preparing_rebalance) return try_complete(now);
  if (select_protocol() != protocol_name_) return rebalance_or_complete(now);
  // Nothing changes for the others. A leader must not assign again: newer clients are told so,
  // older ones do not learn that they lead.
  store();
  JoinAnswer now_in = current_generation(id);
  if (!call.can_skip_assignment) {
    now_in.leader = old_leader;
  } else if (leader_ == id) {
    now_in.members = member_list();
    now_in.skip_assignment = true;
  }
  answer(placed, std::move(now_in));
}

// --------------------------------------------------------------------------------------
// rebalancing

void ClassicGroup::rebalance_or_complete(Time now) {
  if (state_ == State::preparing_rebalance) {
    try_complete(now);
  } else {
    prepare_rebalance(now);
  }
}

void ClassicGroup::prepare_rebalance(Time now) {
  if (state_ == State::completing_rebalance) {
    for (auto& [id, member] : members_) {
      member.assignment.clear();
      if (!member.sync) continue;
      SyncAnswer again;
      again.error = BrokerErrc::rebalance_in_progress;
      answer(member, std::move(again));
      touch(member, now);
    }
  }
  unsynced_.clear();
  sync_end_ = kNever;
  initial_delay_ = state_ == State::empty;
  more_came_ = false;
  become(State::preparing_rebalance);
  if (initial_delay_) {
    delay_ = config_->initial_rebalance_delay;
    delay_left_ = std::max(rebalance_timeout() - delay_, Duration::zero());
    join_end_ = deadline_after(now, delay_);
  } else if (all_joined()) {
    complete_join(now);
  } else {
    join_end_ = deadline_after(now, rebalance_timeout());
  }
}

void ClassicGroup::try_complete(Time now) {
  if (state_ == State::preparing_rebalance && previous_ != State::empty && all_joined()) {
    complete_join(now);
  }
}

void ClassicGroup::expire_initial_delay(Time now) {
  if (!more_came_ || delay_left_ == Duration::zero()) return complete_join(now);
  more_came_ = false;
  const Duration next = std::min(config_->initial_rebalance_delay, delay_left_);
  delay_left_ = std::max(delay_left_ - delay_, Duration::zero());
  delay_ = next;
  join_end_ = deadline_after(now, delay_);
}

bool ClassicGroup::elect_leader() {
  const auto leader = members_.find(leader_);
  if (leader != members_.end() && leader->second.join) return true;
  for (const auto& [id, member] : members_) {
    if (!member.join) continue;
    leader_ = id;
    return true;
  }
  return false;
}

// The next generation begins with those who are here; members with an instance id may come later.
void ClassicGroup::complete_join(Time now) {
  join_end_ = kNever;
  initial_delay_ = false;
  std::vector<std::string> missing;
  for (const auto& [id, member] : members_) {
    if (!member.join && !member.instance_id) missing.push_back(id);
  }
  for (const std::string& id : missing) remove(id);
  if (!members_.empty() && !elect_leader()) {
    join_end_ = deadline_after(now, rebalance_timeout());
    return;
  }
  ++generation_;
  unsynced_.clear();
  if (members_.empty()) {
    protocol_name_.reset();
    topics_ = read_subscriptions();
    become(State::empty);
    empty_since_ = now;
    store();
    return;
  }
  protocol_name_ = select_protocol();
  topics_ = read_subscriptions();
  become(State::completing_rebalance);
  for (auto& [id, member] : members_) {
    JoinAnswer joined = current_generation(id);
    if (id == leader_) joined.members = member_list();
    answer(member, std::move(joined));
    touch(member, now);
    member.is_new = false;
    unsynced_.insert(id);
  }
  sync_end_ = deadline_after(now, rebalance_timeout());
}

// ------------------------------------------------------------------------------------------
// syncing

ClassicGroup::ParkedSync ClassicGroup::sync(const SyncCall& call, Time now) {
  const ParkedSync parked = park<SyncAnswer>();
  const auto refuse_sync = [&](BrokerErrc error) {
    parked->done = true;
    parked->answer.error = error;
    return parked;
  };
  if (state_ == State::empty) return refuse_sync(BrokerErrc::unknown_member_id);
  if (const BrokerErrc error = validate(call.member_id, call.instance_id);
      error != BrokerErrc::none) {
    return refuse_sync(error);
  }
  if (call.generation != generation_) return refuse_sync(BrokerErrc::illegal_generation);
  if ((call.protocol_type && call.protocol_type != protocol_type_) ||
      (call.protocol_name && call.protocol_name != protocol_name_)) {
    return refuse_sync(BrokerErrc::inconsistent_group_protocol);
  }
  if (state_ == State::preparing_rebalance) return refuse_sync(BrokerErrc::rebalance_in_progress);
  unsynced_.erase(call.member_id);
  if (unsynced_.empty()) sync_end_ = kNever;
  Member& member = members_.at(call.member_id);
  member.sync = parked;
  if (state_ == State::stable) {
    answer(member, SyncAnswer{BrokerErrc::none, protocol_type_, protocol_name_, member.assignment});
  } else if (call.member_id == leader_) {
    take_assignments(call, now);
  }
  return parked;
}

void ClassicGroup::take_assignments(const SyncCall& call, Time now) {
  for (auto& [id, member] : members_) {
    const auto given = call.assignments.find(id);
    member.assignment = given == call.assignments.end() ? std::string() : given->second;
    if (!member.sync) continue;
    answer(member, SyncAnswer{BrokerErrc::none, protocol_type_, protocol_name_, member.assignment});
    touch(member, now);
  }
  become(State::stable);
  store();
}

// --------------------------------------------------------------------------------- staying and
// going

BrokerErrc ClassicGroup::heartbeat(std::string_view member_id, const OptionalText& instance_id,
                                   std::int32_t generation, Time now) {
  if (const BrokerErrc error = validate(member_id, instance_id); error != BrokerErrc::none) {
    return error;
  }
  if (generation != generation_) return BrokerErrc::illegal_generation;
  touch(members_.find(member_id)->second, now);
  return state_ == State::preparing_rebalance ? BrokerErrc::rebalance_in_progress
                                              : BrokerErrc::none;
}

BrokerErrc ClassicGroup::may_commit(std::string_view member_id, const OptionalText& instance_id,
                                    std::int32_t generation, Time now) {
  // Without a generation it comes from an administrator, or from one who assigns itself.
  if (generation < 0 && state_ == State::empty) return BrokerErrc::none;
  if (generation < 0 && member_id.empty() && !instance_id) return BrokerErrc::unknown_member_id;
  if (const BrokerErrc error = validate(member_id, instance_id); error != BrokerErrc::none) {
    return error;
  }
  if (generation != generation_) return BrokerErrc::illegal_generation;
  if (state_ == State::completing_rebalance) return BrokerErrc::rebalance_in_progress;
  touch(members_.find(member_id)->second, now);
  return BrokerErrc::none;
}

void ClassicGroup::remove(const std::string& id) {
  const auto found = members_.find(id);
  if (found != members_.end()) {
    JoinAnswer gone_join;
    gone_join.error = BrokerErrc::unknown_member_id;
    answer(found->second, std::move(gone_join));
    SyncAnswer gone_sync;
    gone_sync.error = BrokerErrc::unknown_member_id;
    answer(found->second, std::move(gone_sync));
    members_.erase(found);
  }
  if (leader_ == id) leader_ = members_.empty() ? std::string() : members_.begin()->first;
  pending_.erase(id);
  unsynced_.erase(id);
}

BrokerErrc ClassicGroup::leave(const std::string& member_id, const OptionalText& instance_id) {
  if (member_id.empty()) {  // an administrator sends away whoever has this instance id
    const std::string* holder = instance_id ? static_member(*instance_id) : nullptr;
    if (!holder) return BrokerErrc::unknown_member_id;
    remove(std::string(*holder));
    return BrokerErrc::none;
  }
  if (!pending_.contains(member_id)) {
    if (const BrokerErrc error = validate(member_id, instance_id); error != BrokerErrc::none) {
      return error;
    }
  }
  remove(member_id);
  return BrokerErrc::none;
}

void ClassicGroup::left(Time now) {
  if (state_ != State::empty) rebalance_or_complete(now);
}

// ---------------------------------------------------------------------------------------------
// time

Time ClassicGroup::next_deadline() const {
  Time earliest = std::min(join_end_, sync_end_);
  for (const auto& [id, until] : pending_) earliest = std::min(earliest, until);
  for (const auto& [id, member] : members_) earliest = std::min(earliest, member.session_end);
  return earliest;
}

void ClassicGroup::on_time(Time now) {
  if (now < next_deadline()) return;
  expire_members(now);
  if (now >= join_end_) {
    if (initial_delay_) {
      expire_initial_delay(now);
    } else {
      complete_join(now);
    }
  }
  if (now >= sync_end_) expire_sync(now);
}

void ClassicGroup::expire_members(Time now) {
  bool pending_gone = false;
  for (auto it = pending_.begin(); it != pending_.end();) {
    const bool gone = now >= it->second;
    pending_gone = pending_gone || gone;
    it = gone ? pending_.erase(it) : std::next(it);
  }
  bool member_gone = false;
  std::vector<std::string> late;
  for (auto& [id, member] : members_) {
    if (now < member.session_end) continue;
    if (is_excused(member)) {
      member.session_end = kNever;  // begins anew with the answer
    } else {
      late.push_back(id);
    }
  }
  for (const std::string& id : late) {
    remove(id);
    member_gone = true;
  }
  if (member_gone && (state_ == State::stable || state_ == State::completing_rebalance)) {
    prepare_rebalance(now);
  } else if ((member_gone || pending_gone) && state_ == State::preparing_rebalance &&
             all_joined()) {
    complete_join(now);
  }
}

// Who has joined and not synced in time is thrown out, the leader above all.
void ClassicGroup::expire_sync(Time now) {
  sync_end_ = kNever;
  if (unsynced_.empty()) return;
  const std::set<std::string> late = std::exchange(unsynced_, {});
  for (const std::string& id : late) remove(id);
  prepare_rebalance(now);
}

// ------------------------------------------------------------------------------------------
// the other protocol

void ClassicGroup::refuse_waiting(BrokerErrc error) {
  for (auto& [id, member] : members_) {
    JoinAnswer join;
    join.error = error;
    join.member_id = id;
    answer(member, std::move(join));
    SyncAnswer sync;
    sync.error = error;
    answer(member, std::move(sync));
  }
}

void ClassicGroup::take_over(std::int32_t generation, Members members, bool rebalance, Time now) {
  generation_ = generation;
  protocol_type_ = "consumer";
  members_ = std::move(members);
  leader_ = members_.begin()->first;
  protocol_name_ = select_protocol();
  topics_ = read_subscriptions();
  state_ = previous_ = State::stable;
  for (auto& [id, member] : members_) {
    member.is_new = false;
    touch(member, now);
  }
  store();
  if (rebalance) prepare_rebalance(now);
}

// ------------------------------------------------------------------------------------------
// storing

void ClassicGroup::store() {
  stored_ = {generation_, protocol_type_, protocol_name_, leader_, members_};
  for (auto& [id, member] : stored_.members) {
    const std::string* metadata = metadata_of(member.protocols, *protocol_name_);
    member.protocols = {{*protocol_name_, metadata ? *metadata : std::string()}};
    member.is_new = false;
    member.session_end = kNever;
    member.join.reset();
    member.sync.reset();
  }
}

void ClassicGroup::unload() {
  refuse_waiting(BrokerErrc::not_coordinator);
  generation_ = stored_.generation;
  protocol_type_ = stored_.protocol_type;
  protocol_name_ = stored_.protocol_name;
  leader_ = stored_.leader;
  members_ = stored_.members;
  state_ = previous_ = members_.empty() ? State::empty : State::stable;
  topics_ = read_subscriptions();
  pending_.clear();
  unsynced_.clear();
  join_end_ = sync_end_ = kNever;
  initial_delay_ = false;
}

void ClassicGroup::load(Time now) {
  for (auto& [id, member] : members_) touch(member, now);
}

}  // namespace tern::broker
