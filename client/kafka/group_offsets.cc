#include "client/kafka/group_offsets.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "client/kafka/engine.h"
#include "client/kafka/group_requests.h"

namespace tern::kafka {
namespace {

std::string name_of(std::string_view topic, std::int32_t partition) {
  return std::string(topic) + "-" + std::to_string(partition);
}

bool same_partition(const PartitionOffset& a, const PartitionOffset& b) {
  return a.partition == b.partition && a.topic == b.topic;
}

// `later` was asked for after `earlier`.
bool takes_the_place_of(const GroupOffsets::Asked& later, const GroupOffsets::Asked& earlier) {
  if (later.turn != earlier.turn || later.turn == 0) return true;
  return later.offset >= earlier.offset;
}

bool is_final_failure(const Failure& why) {
  return why.code == ClientErrc::unsupported_version || why.code == ClientErrc::closed ||
         why.code.category() == wire::error_category();
}

// Adds an answer's partition if its offset is one; -1 if nothing is stored.
template <class Answer>
void take_offset(Offsets& found, std::string_view topic, const Answer& answer) {
  const bool stored = answer.committed_offset >= 0;
  found.push_back({.topic = std::string(topic),
                   .partition = answer.partition_index,
                   .offset = stored ? answer.committed_offset : -1,
                   .leader_epoch = stored ? answer.committed_leader_epoch : -1,
                   .metadata = answer.metadata.is_null() ? std::string() : answer.metadata.str()});
}

}  // namespace

GroupOffsets::GroupOffsets(Engine& engine, std::string group, std::string instance_id, Owner& owner)
    : engine_(engine),
      group_(std::move(group)),
      instance_id_(std::move(instance_id)),
      owner_(owner),
      coordinator_(engine, group_),
      self_(std::make_shared<GroupOffsets*>(this)),
      commit_backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max) {}

GroupOffsets::~GroupOffsets() = default;

void GroupOffsets::commit(std::uint64_t id, Offsets offsets, Time deadline, CommitDone done) {
  std::vector<Asked> asked;
  asked.reserve(offsets.size());
  for (PartitionOffset& offset : offsets) {
    const std::uint64_t turn = owner_.turn(offset);
    const wire::Uuid its_id = topic_id(offset.topic);
    asked.push_back({std::move(offset), turn, its_id});
  }
  commits_.push_back(std::make_shared<Commit>(Commit{.id = id,
                                                     .offsets = std::move(asked),
                                                     .deadline = deadline,
                                                     .done = std::move(done),
                                                     .is_barrier = false,
                                                     .failure = {},
                                                     .last = {}}));
  engine_.wake();
}

wire::Uuid GroupOffsets::topic_id(std::string_view topic) const {
  const Topic* known = engine_.cluster().find(topic);
  return known ? known->id : wire::Uuid();
}

void GroupOffsets::commit_before_hand_over(Offsets offsets, Time deadline, CommitDone done) {
  commit(0, std::move(offsets), deadline, std::move(done));
  commits_.back()->is_barrier = true;
}

void GroupOffsets::fetch(std::uint64_t id, Partitions partitions, Time deadline, FetchDone done) {
  const ClientConfig& config = engine_.config();
  fetches_.push_back(std::make_shared<Fetch>(
      Fetch{.id = id,
            .partitions = std::move(partitions),
            .deadline = deadline,
            .done = std::move(done),
            .backoff = Backoff(config.retry_backoff, config.retry_backoff_max),
            .last = {}}));
  engine_.wake();
}

void GroupOffsets::step(Now now) {
  if (!is_committing() && fetches_.empty()) return;
  for (const CommitPtr& commit : all_commits()) {
    if (now.mono >= commit->deadline) finish(*commit, timed_out("commit", commit->last), now);
  }
  const std::vector<FetchPtr> fetches = fetches_;
  for (const FetchPtr& fetch : fetches) {
    if (now.mono >= fetch->deadline) {
      finish(*fetch, timed_out("what is stored", fetch->last), {}, now);
    }
  }
  std::erase_if(commits_, [](const CommitPtr& each) { return !each->done; });
  std::erase_if(fetches_, [](const FetchPtr& each) { return !each->done; });
  if (!commits_.empty() && !in_flight_ && now.mono >= commit_at_) send_commits(now);
  for (const FetchPtr& fetch : fetches_) {
    if (fetch->in_flight || now.mono < fetch->not_before) continue;
    Connection* connection = coordinator_.connection(now);
    if (!connection) break;
    send_fetch(*connection, fetch);
  }
}

Time GroupOffsets::next_time(Now now) const {
  Time next = kNever;
  for (const CommitPtr& commit : commits_) next = std::min(next, commit->deadline);
  if (in_flight_) {
    for (const CommitPtr& commit : in_flight_->commits) {
      if (commit->done) next = std::min(next, commit->deadline);
    }
  }
  if (!commits_.empty() && !in_flight_ && commit_at_ > now.mono) {
    next = std::min(next, commit_at_);
  }
  for (const FetchPtr& fetch : fetches_) {
    next = std::min(next, fetch->deadline);
    if (!fetch->in_flight && fetch->not_before > now.mono) {
      next = std::min(next, fetch->not_before);
    }
  }
  return next;
}

void GroupOffsets::cancel(std::uint64_t id, Now now) {
  const Failure cancelled(std::make_error_code(std::errc::operation_canceled));
  if (id == 0) return;
  for (const CommitPtr& commit : all_commits()) {
    if (commit->id == id) finish(*commit, cancelled, now);
  }
  for (const FetchPtr& fetch : std::vector<FetchPtr>(fetches_)) {
    if (fetch->id == id) finish(*fetch, cancelled, {}, now);
  }
}

void GroupOffsets::shut_down(const Failure& why, Now now) {
  for (const CommitPtr& commit : all_commits()) finish(*commit, why, now);
  commits_.clear();
  for (const FetchPtr& fetch : std::exchange(fetches_, {})) finish(*fetch, why, {}, now);
}

// Those whose callers wait: what they do about an end is not to be in the way.
std::vector<GroupOffsets::CommitPtr> GroupOffsets::all_commits() const {
  std::vector<CommitPtr> all(commits_.begin(), commits_.end());
  if (in_flight_) all.insert(all.end(), in_flight_->commits.begin(), in_flight_->commits.end());
  return all;
}

Failure GroupOffsets::timed_out(const char* what, const Failure& last) const {
  Failure known = last;
  if (!known) known = coordinator_.trouble();
  if (!known) known = engine_.cluster().trouble();
  return Failure(make_error_code(ClientErrc::timed_out),
                 "group \"" + group_ + "\": " + what + ": no answer in time" +
                     (known ? "; last error: " + known.message() : std::string()));
}

// --------------------------------------------------------------------------------------- commits

void GroupOffsets::send_commits(Now now) {
  const MemberIdentity* identity = owner_.committing_identity();
  // What is not possible (any more) fails now, whether there is a coordinator or not.
  auto batch = std::make_shared<CommitBatch>();
  for (const CommitPtr& commit : std::deque<CommitPtr>(commits_)) {
    std::erase_if(commit->offsets, [&](const Asked& asked) {
      bool covered = false;
      const Failure failure = owner_.check_commit(asked, covered);
      if (failure && !commit->failure) commit->failure = failure;
      return failure || covered;
    });
    if (commit->offsets.empty() && !(commit->is_barrier && !batch->commits.empty())) {
      finish(*commit, commit->failure, now);
    } else {
      batch->commits.push_back(commit);
      batch->offsets.insert(batch->offsets.end(), commit->offsets.begin(), commit->offsets.end());
    }
  }
  std::erase_if(commits_, [](const CommitPtr& each) { return !each->done; });
  if (batch->commits.empty() || !identity) return;
  Connection* connection = coordinator_.connection(now);
  if (!connection) return;
  std::stable_sort(batch->offsets.begin(), batch->offsets.end(), before);
  std::vector<Asked> once;
  for (Asked& asked : batch->offsets) {
    if (once.empty() || !same_partition(once.back(), asked)) {
      once.push_back(std::move(asked));
    } else if (takes_the_place_of(asked, once.back())) {
      once.back() = std::move(asked);
    }
  }
  batch->offsets = std::move(once);
  batch->identity = *identity;
  batch->node = connection->node_id();
  commits_.clear();
  in_flight_ = batch;
  send_commit(*connection, batch);
}

void GroupOffsets::send_commit(Connection& connection, const CommitBatchPtr& batch) {
  using Request = OffsetCommitRequest;
  auto make = [batch, group = group_, instance = instance_id_](std::int16_t, wire::Arena& arena) {
    Request request;
    request.group_id = wire::Text(group);
    request.generation_id_or_member_epoch = batch->identity.generation;
    request.member_id = wire::Text(batch->identity.member_id);
    if (!instance.empty()) request.group_instance_id = wire::Text(instance);
    request.topics =
        by_topic(arena, batch->offsets, &Request::OffsetCommitRequestTopic::partitions, to_commit);
    return request;
  };
  auto done = [batch, self = std::weak_ptr(self_)](const Failure& why,
                                                   const OffsetCommitResponse* reply,
                                                   std::int16_t version, Now now) {
    if (const auto alive = self.lock()) (*alive)->on_commit_reply(*batch, why, reply, version, now);
  };
  auto* call = new SimpleCall<Request>(std::move(make), std::move(done));
  call->limit_version(newest_version(batch->offsets));
  connection.send(*call);
}

void GroupOffsets::on_commit_reply(const CommitBatch& batch, const Failure& why,
                                   const OffsetCommitResponse* reply, std::int16_t version,
                                   Now now) {
  in_flight_ = nullptr;
  engine_.wake();
  std::map<std::pair<std::string_view, std::int32_t>, BrokerErrc> answers;
  if (reply) {
    const TopicNames names(batch.offsets, version);
    for (const auto& topic : reply->topics) {
      for (const auto& each : topic.partitions) {
        answers[{names.of(topic), each.partition_index}] = static_cast<BrokerErrc>(each.error_code);
      }
    }
  }
  if (why) {
    coordinator_.lost(batch.node);
    strays_until_ = deadline_after(now.mono, engine_.config().request_timeout);
    engine_.tell_trouble("commit", why);
  }
  std::map<std::pair<std::string_view, std::int32_t>, Failure> failed, again;
  for (const Asked& offset : batch.offsets) {
    const std::pair<std::string_view, std::int32_t> key(offset.topic, offset.partition);
    const auto found = answers.find(key);
    if (found != answers.end() && found->second == BrokerErrc::none) {
      owner_.on_committed(offset);
      continue;
    }
    Failure failure = why;
    bool retry = why && !is_final_failure(why);
    if (!why && found == answers.end()) {
      failure =
          Failure(make_error_code(ClientErrc::protocol_violation),
                  "OffsetCommit: the answer leaves out " + name_of(offset.topic, offset.partition));
      retry = true;
    } else if (!why) {
      retry = on_commit_error(batch, offset, found->second, failure, now);
    }
    (retry ? again : failed)[key] = failure;
  }
  if (again.empty()) {
    commit_backoff_.reset();
  } else {
    commit_at_ = deadline_after(now.mono, commit_backoff_.next(engine_.random()));
  }
  // Those that are to be tried again go before what was asked for since.
  for (auto each = batch.commits.rbegin(); each != batch.commits.rend(); ++each) {
    Commit& commit = **each;
    if (!commit.done) continue;
    std::erase_if(commit.offsets, [&](const PartitionOffset& offset) {
      const std::pair<std::string_view, std::int32_t> key(offset.topic, offset.partition);
      if (const auto found = failed.find(key); found != failed.end() && !commit.failure) {
        commit.failure = found->second;
      }
      const auto found = again.find(key);
      if (found != again.end()) commit.last = found->second;
      return found == again.end();
    });
    if (commit.offsets.empty() && !(commit.is_barrier && !again.empty())) {
      finish(commit, commit.failure, now);
    } else {
      commits_.push_front(*each);
    }
  }
}

bool GroupOffsets::on_commit_error(const CommitBatch& batch, const Asked& offset, BrokerErrc error,
                                   Failure& failure, Now now) {
  failure = Failure(make_error_code(error), "group \"" + group_ + "\": commit of " +
                                                name_of(offset.topic, offset.partition) + ": " +
                                                make_error_code(error).message());
  if (is_coordinator_error(error)) coordinator_.lost(batch.node);
  switch (error) {
    case BrokerErrc::illegal_generation:
    case BrokerErrc::unknown_member_id:
    case BrokerErrc::fenced_instance_id:
    case BrokerErrc::fenced_member_epoch:
    case BrokerErrc::stale_member_epoch:
    case BrokerErrc::rebalance_in_progress:
      // Of a generation that we have left meanwhile, or are about to: what is still ours can be
      // stored in the next one, and check_commit() tells of the rest. No generation at all: nobody
      // will ever give us another one.
      owner_.on_refused(error, batch.identity, now);
      return batch.identity.generation >= 0;
    case BrokerErrc::unknown_topic_id:
      // The coordinator may not have heard of the topic yet. Or it has been deleted: what another
      // one of that name has is not for this offset to say.
      engine_.cluster().refresh(now);
      return topic_id(offset.topic) == offset.topic_id;
    default:
      return is_retriable(error);
  }
}

void GroupOffsets::finish(Commit& commit, const Failure& why, Now now) {
  if (const CommitDone done = std::exchange(commit.done, nullptr)) done(why, now);
}

// --------------------------------------------------------------------------------------- fetches

void GroupOffsets::send_fetch(Connection& connection, const FetchPtr& fetch) {
  using Request = OffsetFetchRequest;
  fetch->in_flight = true;
  std::vector<FetchItem> sorted;
  for (const TopicPartition& each : fetch->partitions) {
    sorted.push_back({each, topic_id(each.topic)});
  }
  std::sort(sorted.begin(), sorted.end());
  const auto items = std::make_shared<const std::vector<FetchItem>>(std::move(sorted));
  auto make = [items, group = group_](std::int16_t version, wire::Arena& arena) {
    const auto index = [](const TopicPartition& each) { return each.partition; };
    Request request;
    request.require_stable = version >= kFirstStable;
    if (version < kFirstOfGroups) {
      request.group_id = wire::Text(group);
      request.topics =
          by_topic(arena, *items, &Request::OffsetFetchRequestTopic::partition_indexes, index);
    } else if (auto* one = arena.make_array<Request::OffsetFetchRequestGroup>(1)) {
      one->group_id = wire::Text(group);
      one->topics =
          by_topic(arena, *items, &Request::OffsetFetchRequestTopics::partition_indexes, index);
      request.groups = {one, 1};
    }
    return request;
  };
  auto done = [fetch, items, node = connection.node_id(), self = std::weak_ptr(self_)](
                  const Failure& why, const OffsetFetchResponse* reply, std::int16_t version,
                  Now now) {
    if (const auto alive = self.lock()) {
      (*alive)->on_fetch_reply(fetch, items, node, why, reply, version, now);
    }
  };
  auto* call = new SimpleCall<Request>(std::move(make), std::move(done));
  call->limit_version(newest_version(*items));
  connection.send(*call);
}

void GroupOffsets::on_fetch_reply(const FetchPtr& fetch, const FetchItems& items, std::int32_t node,
                                  const Failure& why, const OffsetFetchResponse* reply,
                                  std::int16_t version, Now now) {
  fetch->in_flight = false;
  engine_.wake();
  if (!fetch->done) return;
  if (why && is_final_failure(why)) return finish(*fetch, why, {}, now);
  if (why) {
    coordinator_.lost(node);
    return retry(*fetch, why, now);
  }
  Offsets answers;
  auto error = static_cast<BrokerErrc>(reply->error_code);
  std::string where;
  const auto take = [&](std::string_view topic, const auto& partitions) {
    for (const auto& each : partitions) {
      take_offset(answers, topic, each);
      if (each.error_code == 0 || error != BrokerErrc::none) continue;
      error = static_cast<BrokerErrc>(each.error_code);
      where = name_of(topic, each.partition_index) + ": ";
    }
  };
  if (version < kFirstOfGroups) {
    for (const auto& topic : reply->topics) take(topic.name.view(), topic.partitions);
  } else if (!reply->groups.empty()) {
    const TopicNames names(*items, version);
    error = static_cast<BrokerErrc>(reply->groups[0].error_code);
    for (const auto& topic : reply->groups[0].topics) take(names.of(topic), topic.partitions);
  }
  if (error != BrokerErrc::none) {
    const Failure failure(make_error_code(error), "group \"" + group_ + "\": stored offsets: " +
                                                      where + make_error_code(error).message());
    if (is_coordinator_error(error)) coordinator_.lost(node);
    if (error == BrokerErrc::unknown_topic_id) engine_.cluster().refresh(now);
    const bool again = is_retriable(error) || error == BrokerErrc::stale_member_epoch;
    return again ? retry(*fetch, failure, now) : finish(*fetch, failure, {}, now);
  }
  std::sort(answers.begin(), answers.end(), before);
  Offsets found;
  for (const TopicPartition& each : fetch->partitions) {
    const PartitionOffset wanted{.topic = each.topic, .partition = each.partition};
    const auto at = std::lower_bound(answers.begin(), answers.end(), wanted, before);
    if (at == answers.end() || !same_partition(*at, wanted)) {
      return retry(
          *fetch,
          Failure(make_error_code(ClientErrc::protocol_violation),
                  "OffsetFetch: the answer leaves out " + name_of(each.topic, each.partition)),
          now);
    }
    found.push_back(*at);
  }
  finish(*fetch, {}, std::move(found), now);
}

void GroupOffsets::retry(Fetch& fetch, const Failure& why, Now now) {
  fetch.last = why;
  fetch.not_before = deadline_after(now.mono, fetch.backoff.next(engine_.random()));
  engine_.tell_trouble("group", why);
}

void GroupOffsets::finish(Fetch& fetch, const Failure& why, Offsets found, Now now) {
  if (const FetchDone done = std::exchange(fetch.done, nullptr)) done(why, std::move(found), now);
}

}  // namespace tern::kafka
