// Members of the classic protocol in a group of the consumer protocol: what ModernGroup does for
// them, and how a group gets from one protocol to the other (KIP-848, online migration).
#include <algorithm>
#include <iterator>
#include <span>

#include "protocol/kafka/messages/consumer_protocol.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/reader.h"
#include "tests/broker/cluster.h"
#include "tests/broker/modern_group.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr std::string_view kConsumers = "consumer";

// What is embedded in the classic protocol, with the topics that are there by their ids.
template <class TopicPartitions>
Assignment read_partitions(KafkaCluster& cluster, const TopicPartitions& list) {
  Assignment read;
  for (const auto& one : list) {
    const Topic* topic = cluster.find_topic(one.topic.view());
    if (topic && !one.partitions.empty()) {
      read[topic->id].insert(one.partitions.begin(), one.partitions.end());
    }
  }
  return read;
}

struct Subscription {
  std::set<std::string> topics;
  std::optional<std::string> rack_id;
  Assignment owned;
};

std::optional<Subscription> read_subscription(KafkaCluster& cluster, std::string_view metadata) {
  wire::Reader reader(std::as_bytes(std::span(metadata)));
  wire::Arena arena(wire::Arena::limit_for(metadata.size()));
  kafka::ConsumerProtocolSubscription message;
  if (!kafka::decode_embedded(reader, arena, message)) return std::nullopt;
  Subscription read;
  for (const wire::Text topic : message.topics) read.topics.insert(topic.str());
  if (!message.rack_id.is_null()) read.rack_id = message.rack_id.str();
  read.owned = read_partitions(cluster, message.owned_partitions);
  return read;
}

// A member to whom nothing was assigned yet has no bytes at all. What an assignor of its own has
// put in besides the partitions would be lost: such a group stays classic.
std::optional<Assignment> read_assignment(KafkaCluster& cluster, std::string_view bytes) {
  if (bytes.empty()) return Assignment();
  wire::Reader reader(std::as_bytes(std::span(bytes)));
  wire::Arena arena(wire::Arena::limit_for(bytes.size()));
  kafka::ConsumerProtocolAssignment message;
  if (!kafka::decode_embedded(reader, arena, message)) return std::nullopt;
  if (!message.user_data.is_null() && !message.user_data.empty()) return std::nullopt;
  return read_partitions(cluster, message.assigned_partitions);
}

const std::string& metadata_of(const GroupProtocols& protocols, const OptionalText& name) {
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const auto& one) { return one.first == name; });
  return found == protocols.end() ? protocols.front().second : found->second;
}

}  // namespace

// ------------------------------------------------------------------- from one kind to the other

bool ModernGroup::take_over(const ClassicGroup& group, Time now) {
  epoch_ = assignment_epoch_ = group.generation();
  for (const auto& [id, from] : group.members()) {
    const auto subscription =
        read_subscription(cluster_, metadata_of(from.protocols, group.protocol_name()));
    auto assigned = read_assignment(cluster_, from.assignment);
    if (!subscription || !assigned) return false;
    Member& member = members_[id];
    member.classic = Classic{from.protocols, from.session_timeout, kNever, kNever};
    member.instance_id = from.instance_id;
    member.rack_id = subscription->rack_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.rebalance_timeout = from.rebalance_timeout;
    member.topic_names = subscription->topics;
    member.epoch = member.previous_epoch = epoch_;
    member.session_end = deadline_after(now, from.session_timeout);
    for (const auto& [topic, partitions] : *assigned) {
      for (const std::int32_t partition : partitions) member.since[{topic, partition}] = epoch_;
    }
    target_[id] = *assigned;
    member.assigned = std::move(*assigned);
    for (const wire::Uuid& topic : topics_of(member)) {
      counts_[topic] = static_cast<std::int32_t>(cluster_.find_topic(topic)->partitions.size());
    }
  }
  return true;
}

bool ModernGroup::only_classic() const {
  return !members_.empty() && std::all_of(members_.begin(), members_.end(), [](const auto& member) {
    return member.second.classic.has_value();
  });
}

bool ModernGroup::is_classic(std::string_view member_id) const {
  const auto found = members_.find(member_id);
  return found != members_.end() && found->second.classic;
}

ClassicGroup::Members ModernGroup::classic_members() const {
  ClassicGroup::Members members;
  for (const auto& [id, from] : members_) {
    ClassicGroup::Member& member = members[id];
    member.instance_id = from.instance_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.session_timeout = from.classic->session_timeout;
    member.rebalance_timeout = from.rebalance_timeout;
    member.protocols = from.classic->protocols;
    member.assignment = assignment_of(from, target(id));
  }
  return members;
}

// ------------------------------------------------------------------------------------- requests

// Some protocol has to be left that all of them have. Which one they use does not matter here.
bool ModernGroup::supports(const JoinCall& call) const {
  return call.protocol_type == kConsumers &&
         std::any_of(call.protocols.begin(), call.protocols.end(), [&](const auto& offered) {
           return std::all_of(members_.begin(), members_.end(), [&](const auto& each) {
             const std::optional<Classic>& classic = each.second.classic;
             return !classic ||
                    std::any_of(classic->protocols.begin(), classic->protocols.end(),
                                [&](const auto& has) { return has.first == offered.first; });
           });
         });
}

JoinAnswer ModernGroup::join(const JoinCall& call, Time now) {
  const auto refuse = [](BrokerErrc error, std::string member_id = {}) {
    JoinAnswer no;
    no.error = error;
    no.member_id = std::move(member_id);
    return no;
  };
  const bool unknown = call.member_id.empty();
  const std::string& id = unknown ? call.new_member_id : call.member_id;
  if (members_.size() >= config_.max_size && !members_.contains(id)) {
    return refuse(BrokerErrc::group_max_size_reached);
  }
  if (!supports(call)) return refuse(BrokerErrc::inconsistent_group_protocol);
  if (unknown && !call.instance_id && call.needs_known_id) {
    return refuse(BrokerErrc::member_id_required, id);
  }
  const auto subscription = read_subscription(cluster_, call.protocols.front().second);
  if (!subscription) return refuse(BrokerErrc::inconsistent_group_protocol);
  const std::string* holder = call.instance_id ? static_member(*call.instance_id) : nullptr;
  if (call.instance_id && !unknown && (!holder || *holder != id)) {
    return refuse(holder ? BrokerErrc::fenced_instance_id : BrokerErrc::unknown_member_id);
  }
  if (holder && *holder != id) {
    rename(std::string(*holder), id);
    members_.at(id).epoch = members_.at(id).previous_epoch = kJoiningEpoch;
  }

  Member& member = members_[id];
  ModernCall said;
  said.instance_id = call.instance_id;
  said.rack_id = subscription->rack_id;
  said.client_id = call.client_id;
  said.client_host = call.client_host;
  said.rebalance_timeout = call.rebalance_timeout;
  said.topic_names = subscription->topics;
  said.owned = subscription->owned;
  member.classic = Classic{call.protocols, call.session_timeout, kNever,
                           deadline_after(now, call.rebalance_timeout)};
  update(member, said);
  refresh_target();
  reconcile(id, said, now);
  member.session_end = deadline_after(now, call.session_timeout);

  JoinAnswer joined;
  joined.generation = member.epoch;
  joined.protocol_type = kConsumers;
  joined.protocol_name = call.protocols.front().first;
  joined.member_id = id;
  return joined;
}

BrokerErrc ModernGroup::find_classic(std::string_view member_id, const OptionalText& instance_id,
                                     std::int32_t generation, Member*& out) {
  const std::string* holder = instance_id ? static_member(*instance_id) : nullptr;
  if (holder && *holder != member_id) return BrokerErrc::fenced_instance_id;
  const auto found = members_.find(member_id);
  if ((instance_id && !holder) || found == members_.end() || !found->second.classic) {
    return BrokerErrc::unknown_member_id;
  }
  out = &found->second;
  return out->epoch == generation ? BrokerErrc::none : BrokerErrc::illegal_generation;
}

SyncAnswer ModernGroup::sync(const SyncCall& call, Time now) {
  SyncAnswer answer;
  Member* member = nullptr;
  answer.error = find_classic(call.member_id, call.instance_id, call.generation, member);
  if (answer.error != BrokerErrc::none) return answer;
  Classic& classic = *member->classic;
  if ((call.protocol_type && call.protocol_type != kConsumers) ||
      (call.protocol_name && call.protocol_name != classic.protocols.front().first)) {
    answer.error = BrokerErrc::inconsistent_group_protocol;
  } else if (member->epoch < epoch_ && member->step != Step::revoking) {
    classic.join_end = std::min(classic.join_end, deadline_after(now, member->rebalance_timeout));
    answer.error = BrokerErrc::rebalance_in_progress;
  } else {
    classic.sync_end = kNever;
    member->session_end = deadline_after(now, classic.session_timeout);
    answer.protocol_type = call.protocol_type;
    answer.protocol_name = call.protocol_name;
    answer.assignment = assignment_of(*member, member->assigned);
  }
  return answer;
}

// In the form of the member's subscription; all of them have the same one.
std::string ModernGroup::assignment_of(const Member& member, const Assignment& assignment) const {
  wire::Reader reader(std::as_bytes(std::span(member.classic->protocols.front().second)));
  const std::int16_t version = reader.i16("version");
  std::vector<kafka::ConsumerProtocolAssignment::TopicPartition> list;
  std::vector<std::vector<std::int32_t>> partitions;
  partitions.reserve(assignment.size());
  for (const auto& [id, of_topic] : assignment) {
    const Topic* topic = cluster_.find_topic(id);
    if (!topic) continue;
    const auto& numbers = partitions.emplace_back(of_topic.begin(), of_topic.end());
    list.push_back({topic->name, {numbers.data(), numbers.size()}});
  }
  kafka::ConsumerProtocolAssignment message;
  message.assigned_partitions = {list.data(), list.size()};
  const auto size = kafka::embedded_size(message);
  std::vector<std::byte> bytes(*size);
  wire::Writer writer(bytes);
  writer.i16(std::min(version, message.api.versions.max));
  kafka::encode(message, message.api.versions.max, writer);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Whether something it shall have is still another's.
bool ModernGroup::waits_for_others(const std::string& id) const {
  const Assignment& has = members_.at(id).assigned;
  for (const auto& [topic, partitions] : target(id)) {
    const auto of_topic = has.find(topic);
    for (const std::int32_t partition : partitions) {
      const bool own = of_topic != has.end() && of_topic->second.contains(partition);
      if (!own && !is_free(topic, partition)) return true;
    }
  }
  return false;
}

BrokerErrc ModernGroup::classic_heartbeat(std::string_view member_id,
                                          const OptionalText& instance_id, std::int32_t generation,
                                          Time now) {
  Member* member = nullptr;
  const BrokerErrc error = find_classic(member_id, instance_id, generation, member);
  if (error != BrokerErrc::none) return error;
  Classic& classic = *member->classic;
  member->session_end = deadline_after(now, classic.session_timeout);
  const bool can_go_on = member->step == Step::waiting && !waits_for_others(std::string(member_id));
  if (member->epoch >= epoch_ && member->step != Step::revoking && !can_go_on) {
    return BrokerErrc::none;
  }
  classic.join_end = std::min(classic.join_end, deadline_after(now, member->rebalance_timeout));
  return BrokerErrc::rebalance_in_progress;
}

BrokerErrc ModernGroup::classic_leave(const std::string& member_id,
                                      const OptionalText& instance_id) {
  const std::string* holder = instance_id ? static_member(*instance_id) : nullptr;
  if (instance_id && !holder) return BrokerErrc::unknown_member_id;
  if (holder && !member_id.empty() && *holder != member_id) return BrokerErrc::fenced_instance_id;
  const std::string id = holder ? *holder : member_id;
  if (!members_.contains(id)) return BrokerErrc::unknown_member_id;
  remove(id);
  return BrokerErrc::none;
}

}  // namespace tern::broker
