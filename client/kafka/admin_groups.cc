// The calls of Admin about groups and what they have stored.
#include <algorithm>
#include <iterator>

#include "client/kafka/admin.h"
#include "client/kafka/admin_call.h"
#include "client/kafka/assignors.h"
#include "client/kafka/group_codec.h"
#include "client/kafka/group_requests.h"
#include "protocol/kafka/messages/group_admin.h"
#include "protocol/kafka/messages/group_offsets.h"
#include "protocol/kafka/messages/metadata.h"

namespace tern::kafka {

using internal::AdminCall;
using internal::AdminSource;
using internal::run;
using internal::words_of;

namespace {

using Outcome = AdminCore::Outcome;
using Target = AdminCore::Target;

constexpr std::int16_t kFirstOfAll = 2;  // OffsetFetch: of all that a group has stored

constexpr const char* kDead = "Dead";  // how older brokers say that there is no such group

// An error that goes for whatever the request was about. `again` if another try can help.
Outcome judge(std::int16_t error_code, const wire::Text& message = {}) {
  if (error_code == 0) return {};
  const auto error = static_cast<BrokerErrc>(error_code);
  const std::error_code code = make_error_code(error);
  return {Failure(code, words_of(code, message)), is_retriable(error)};
}

// Several operations that make up one call. It fails with the first of them that fails.
template <class Result>
class Gathering {
 public:
  using Done = Completion<Failure, std::vector<Result>>;

  // Ends the call if `count` is 0: nothing must be put in then.
  static std::shared_ptr<Gathering> of(Engine& engine, std::size_t count, Done done) {
    if (count != 0) return std::make_shared<Gathering>(count, std::move(done));
    engine.complete(std::move(done), Failure(), std::vector<Result>());
    return nullptr;
  }
  Gathering(std::size_t count, Done done) : results_(count), left_(count), done_(std::move(done)) {}

  void put(std::size_t at, Failure failure, Result result) {
    if (failure && !failure_) failure_ = std::move(failure);
    results_[at] = std::move(result);
    if (--left_ == 0) done_(std::move(failure_), std::move(results_));
  }

 private:
  std::vector<Result> results_;
  std::size_t left_;
  Failure failure_;
  Done done_;
};

// What a broker said about one group is part of the answer, not the end of the call.
template <class Result>
Failure keep_broker_error(const Failure& failure, Result& result) {
  if (failure.code.category() != broker_category()) return failure;
  result.error = failure.code;
  result.message = failure.message();
  return {};
}

// ------------------------------------------------------------------------------------ describing

using ModernDescription = ConsumerGroupDescribeResponse;
using ClassicDescription = DescribeGroupsResponse;

Partitions partitions_of(const ModernDescription::Assignment& assignment) {
  Partitions partitions;
  for (const auto& topic : assignment.topic_partitions) {
    for (const std::int32_t each : topic.partitions) {
      partitions.push_back({topic.topic_name.str(), each});
    }
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

std::string text_of(const wire::Text& text) { return text.is_null() ? std::string() : text.str(); }

void sort_members(GroupDescription& group) {
  std::sort(group.members.begin(), group.members.end(),
            [](const auto& a, const auto& b) { return a.member_id < b.member_id; });
}

Outcome take_modern(const ModernDescription& reply, const AdminSource& from,
                    GroupDescription& out) {
  if (reply.groups.size() != 1) return {Failure(ClientErrc::protocol_violation)};
  const auto& group = reply.groups[0];
  if (const Outcome outcome = judge(group.error_code, group.error_message); outcome.failure) {
    return outcome;
  }
  out.coordinator = from.node_id;
  out.type = "consumer";
  out.protocol = "consumer";
  out.state = group.group_state.str();
  out.assignor = group.assignor_name.str();
  out.epoch = group.group_epoch;
  for (const auto& each : group.members) {
    MemberDescription member;
    member.member_id = each.member_id.str();
    member.instance_id = text_of(each.instance_id);
    member.client_id = each.client_id.str();
    member.host = each.client_host.str();
    member.rack = text_of(each.rack_id);
    member.epoch = each.member_epoch;
    for (const wire::Text& topic : each.subscribed_topic_names)
      member.topics.push_back(topic.str());
    member.topic_pattern = text_of(each.subscribed_topic_regex);
    member.assignment = partitions_of(each.assignment);
    member.target = partitions_of(each.target_assignment);
    out.members.push_back(std::move(member));
  }
  sort_members(out);
  return {};
}

// Members of other kinds than consumers (Connect's workers) write to each other what only they can
// read: they are told without topics and partitions. So are bytes that make no sense.
void read_member(const ClassicDescription::DescribedGroupMember& from, MemberDescription& member) {
  GroupMember subscription;
  if (!decode_subscription(from.member_metadata.span(), subscription)) {
    member.topics = std::move(subscription.topics);
    member.rack = std::move(subscription.rack);
  }
  if (decode_assignment(from.member_assignment.span(), member.assignment)) {
    member.assignment.clear();
  }
  member.target = member.assignment;
}

Outcome take_classic(const ClassicDescription& reply, const AdminSource& from,
                     GroupDescription& out) {
  if (reply.groups.size() != 1) return {Failure(ClientErrc::protocol_violation)};
  const auto& group = reply.groups[0];
  if (const Outcome outcome = judge(group.error_code, group.error_message); outcome.failure) {
    return outcome;
  }
  out.coordinator = from.node_id;
  out.type = "classic";
  out.protocol = group.protocol_type.str();
  out.state = group.group_state.str();
  out.assignor = group.protocol_data.str();
  if (out.state == kDead) {
    return judge(static_cast<std::int16_t>(BrokerErrc::group_id_not_found));
  }
  for (const auto& each : group.members) {
    MemberDescription member;
    member.member_id = each.member_id.str();
    member.instance_id = text_of(each.group_instance_id);
    member.client_id = each.client_id.str();
    member.host = each.client_host.str();
    if (out.protocol == "consumer") read_member(each, member);
    out.members.push_back(std::move(member));
  }
  sort_members(out);
  return {};
}

using DescriptionDone = Completion<Failure, GroupDescription>;

AdminCall call_for(std::uint64_t id, const char* what, const std::string& group) {
  return {.id = id,
          .what = std::string(what) + " group \"" + group + "\"",
          .target = Target::coordinator_of(group)};
}

void describe_classic(AdminCore& core, std::uint64_t id, const std::string& group,
                      DescriptionDone done) {
  auto make = [group](std::int16_t, wire::Arena& arena) {
    DescribeGroupsRequest request;
    request.groups = copy_to(arena, std::vector<wire::Text>{wire::Text(group)});
    return request;
  };
  run<DescribeGroupsRequest>(core, call_for(id, "describe", group), std::move(make), take_classic,
                             std::move(done));
}

// Of which type a group is shows when it is described: first as what it will be more often.
void describe_one(const std::shared_ptr<AdminCore>& core, std::uint64_t id,
                  const std::string& group, DescriptionDone done) {
  auto make = [group](std::int16_t, wire::Arena& arena) {
    ConsumerGroupDescribeRequest request;
    request.group_ids = copy_to(arena, std::vector<wire::Text>{wire::Text(group)});
    return request;
  };
  auto otherwise = [core, id, group, done = std::move(done)](Failure failure,
                                                             GroupDescription found) mutable {
    const bool is_other = failure.code == ClientErrc::unsupported_version ||
                          failure.code == BrokerErrc::unsupported_version ||
                          failure.code == BrokerErrc::group_id_not_found;
    if (!is_other) return done(std::move(failure), std::move(found));
    describe_classic(*core, id, group, std::move(done));
  };
  run<ConsumerGroupDescribeRequest>(*core, call_for(id, "describe", group), std::move(make),
                                    take_modern, DescriptionDone(std::move(otherwise)));
}

// --------------------------------------------------------------------------------------- offsets

template <class Topics>
Outcome take_topics(const Topics& topics, Offsets& out) {
  for (const auto& topic : topics) {
    for (const auto& each : topic.partitions) {
      if (each.error_code != 0) return judge(each.error_code);
      if (each.committed_offset < 0) continue;
      out.push_back({.topic = topic.name.str(),
                     .partition = each.partition_index,
                     .offset = each.committed_offset,
                     .leader_epoch = each.committed_leader_epoch,
                     .metadata = text_of(each.metadata)});
    }
  }
  std::sort(out.begin(), out.end(), before);
  return {};
}

Outcome take_offsets(const OffsetFetchResponse& reply, const AdminSource& from, Offsets& out) {
  const bool grouped = from.version >= kFirstOfGroups;
  if (grouped && reply.groups.size() != 1) return {Failure(ClientErrc::protocol_violation)};
  const Outcome outcome = judge(grouped ? reply.groups[0].error_code : reply.error_code);
  if (outcome.failure) return outcome;
  return grouped ? take_topics(reply.groups[0].topics, out) : take_topics(reply.topics, out);
}

// Whether any of it has an error that another try can help.
template <class Topics>
Outcome take_results(const Topics& topics, PartitionResults& out) {
  Outcome outcome;
  for (const auto& topic : topics) {
    for (const auto& each : topic.partitions) {
      const auto error = static_cast<BrokerErrc>(each.error_code);
      PartitionResult result{{topic.name.str(), each.partition_index}, {}};
      if (error != BrokerErrc::none) result.error = make_error_code(error);
      out.push_back(std::move(result));
      if (error == BrokerErrc::coordinator_load_in_progress || is_coordinator_error(error)) {
        outcome = judge(each.error_code);
      }
    }
  }
  return outcome;
}

}  // namespace

void Admin::list_groups(const Core& core, std::uint64_t id, std::monostate,
                        Done<std::vector<GroupListing>> done) {
  auto brokers = [](std::int16_t, wire::Arena&) { return MetadataRequest(); };
  auto take_brokers = [](const MetadataResponse& reply, const AdminSource&,
                         std::vector<std::int32_t>& nodes) -> Outcome {
    for (const auto& broker : reply.brokers) nodes.push_back(broker.node_id);
    return judge(reply.error_code);
  };
  auto groups = [](std::int16_t, wire::Arena&) { return ListGroupsRequest(); };
  using Listings = std::vector<GroupListing>;
  auto take_groups = [](const ListGroupsResponse& reply, const AdminSource&, Listings& out) {
    for (const auto& each : reply.groups) {
      out.push_back({each.group_id.str(), text_of(each.group_type), each.protocol_type.str(),
                     text_of(each.group_state)});
    }
    return judge(reply.error_code);
  };
  auto all = [done = std::move(done)](Failure failure, std::vector<Listings> lists) mutable {
    Listings listings;
    for (Listings& each : lists) {
      std::move(each.begin(), each.end(), std::back_inserter(listings));
    }
    std::sort(listings.begin(), listings.end(),
              [](const auto& a, const auto& b) { return a.group < b.group; });
    done(std::move(failure), std::move(listings));
  };
  auto ask_each = [core, id, groups, take_groups, all = std::move(all)](
                      Failure failure, std::vector<std::int32_t> nodes) mutable {
    if (failure) return all(std::move(failure), {});
    const auto gathering = Gathering<Listings>::of(core->engine(), nodes.size(), std::move(all));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      run<ListGroupsRequest>(
          *core,
          {.id = id,
           .what = "list the groups of broker " + std::to_string(nodes[i]),
           .target = Target::node(nodes[i])},
          groups, take_groups,
          Completion<Failure, Listings>([gathering, i](Failure why, Listings found) {
            gathering->put(i, std::move(why), std::move(found));
          }));
    }
  };
  run<MetadataRequest>(*core, {.id = id, .what = "list groups"}, brokers, take_brokers,
                       Completion<Failure, std::vector<std::int32_t>>(std::move(ask_each)));
}

void Admin::describe_groups(const Core& core, std::uint64_t id, std::vector<std::string> groups,
                            Done<GroupDescriptions> done) {
  const auto gathering =
      Gathering<GroupDescription>::of(core->engine(), groups.size(), std::move(done));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    describe_one(core, id, groups[i],
                 [gathering, i, group = groups[i]](Failure why, GroupDescription found) {
                   found.group = group;
                   why = keep_broker_error(why, found);
                   gathering->put(i, std::move(why), std::move(found));
                 });
  }
}

void Admin::delete_groups(const Core& core, std::uint64_t id, std::vector<std::string> groups,
                          Done<GroupResults> done) {
  const auto gathering = Gathering<GroupResult>::of(core->engine(), groups.size(), std::move(done));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string& group = groups[i];
    auto make = [group](std::int16_t, wire::Arena& arena) {
      DeleteGroupsRequest request;
      request.groups_names = copy_to(arena, std::vector<wire::Text>{wire::Text(group)});
      return request;
    };
    auto take = [](const DeleteGroupsResponse& reply, const AdminSource&, GroupResult&) -> Outcome {
      if (reply.results.size() != 1) return {Failure(ClientErrc::protocol_violation)};
      return judge(reply.results[0].error_code, reply.results[0].error_message);
    };
    auto put = [gathering, i, group](Failure why, GroupResult result) {
      result.group = group;
      why = keep_broker_error(why, result);
      gathering->put(i, std::move(why), std::move(result));
    };
    run<DeleteGroupsRequest>(*core, call_for(id, "delete", group), std::move(make), take,
                             Completion<Failure, GroupResult>(std::move(put)));
  }
}

void Admin::group_offsets(const Core& core, std::uint64_t id, std::string group,
                          Done<Offsets> done) {
  auto make = [group](std::int16_t version, wire::Arena& arena) {
    OffsetFetchRequest request;
    if (version < kFirstOfGroups) {
      request.group_id = wire::Text(group);
      request.topics = wire::Array<OffsetFetchRequest::OffsetFetchRequestTopic>::null();
    } else {
      OffsetFetchRequest::OffsetFetchRequestGroup one;
      one.group_id = wire::Text(group);
      one.topics = wire::Array<OffsetFetchRequest::OffsetFetchRequestTopics>::null();
      request.groups = copy_to(arena, std::vector{one});
    }
    return request;
  };
  AdminCall call = call_for(id, "offsets of", group);
  call.min_version = kFirstOfAll;
  call.max_version = kNewestByName;
  run<OffsetFetchRequest>(*core, std::move(call), std::move(make), take_offsets, std::move(done));
}

void Admin::set_group_offsets(const Core& core, std::uint64_t id, GroupAnd<Offsets> what,
                              Done<PartitionResults> done) {
  using Request = OffsetCommitRequest;
  std::stable_sort(what.second.begin(), what.second.end(), before);
  AdminCall call = call_for(id, "set offsets of", what.first);
  call.max_version = kNewestByName;
  auto make = [what = std::move(what)](std::int16_t, wire::Arena& arena) {
    Request request;
    request.group_id = wire::Text(what.first);
    request.topics =
        by_topic(arena, what.second, &Request::OffsetCommitRequestTopic::partitions, to_commit);
    return request;
  };
  auto take = [](const OffsetCommitResponse& reply, const AdminSource&, PartitionResults& out) {
    return take_results(reply.topics, out);
  };
  run<Request>(*core, std::move(call), std::move(make), take, std::move(done));
}

void Admin::delete_group_offsets(const Core& core, std::uint64_t id, GroupAnd<Partitions> what,
                                 Done<PartitionResults> done) {
  using Request = OffsetDeleteRequest;
  std::sort(what.second.begin(), what.second.end());
  AdminCall call = call_for(id, "delete offsets of", what.first);
  auto make = [what = std::move(what)](std::int16_t, wire::Arena& arena) {
    Request request;
    request.group_id = wire::Text(what.first);
    request.topics = by_topic(arena, what.second, &Request::OffsetDeleteRequestTopic::partitions,
                              [](const TopicPartition& each) {
                                return Request::OffsetDeleteRequestPartition{each.partition};
                              });
    return request;
  };
  auto take = [](const OffsetDeleteResponse& reply, const AdminSource&, PartitionResults& out) {
    const Outcome outcome = judge(reply.error_code);
    return outcome.failure ? outcome : take_results(reply.topics, out);
  };
  run<Request>(*core, std::move(call), std::move(make), take, std::move(done));
}

}  // namespace tern::kafka
