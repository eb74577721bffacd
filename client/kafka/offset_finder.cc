#include "client/kafka/offset_finder.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "client/kafka/engine.h"
#include "protocol/kafka/errors.h"

namespace tern::kafka {
namespace {

std::string name_of(const Topic& topic, std::int32_t partition) {
  return topic.name + "-" + std::to_string(partition);
}

// The first version of ListOffsets in which a time means what it should.
std::int16_t first_version_of(std::int64_t time_ms) {
  switch (time_ms) {
    case kHighestTime:
      return 7;
    case kEarliestLocalTime:
      return 8;
    case kLatestTieredTime:
      return 9;
    case kEarliestPendingUploadTime:
      return 11;
    default:
      return kListOffsetsApi.versions.min;
  }
}

bool by_partition(const Topic* a, std::int32_t i, const Topic* b, std::int32_t j) {
  return a != b ? a->name < b->name : i < j;
}

}  // namespace

Failure metadata_trouble(const Topic& topic, std::int32_t partition, bool& is_final) {
  is_final = false;
  if (!topic.answered) return {};
  switch (topic.error) {
    case BrokerErrc::none:
      break;
    case BrokerErrc::unknown_topic_or_partition:
    case BrokerErrc::unknown_topic_id:
      return Failure(make_error_code(ClientErrc::unknown_topic),
                     "topic \"" + topic.name + "\" does not exist");
    case BrokerErrc::invalid_topic_exception:
      is_final = true;
      return Failure(make_error_code(topic.error),
                     "\"" + topic.name + "\" cannot be the name of a topic");
    case BrokerErrc::topic_authorization_failed:
      is_final = true;
      return Failure(make_error_code(topic.error),
                     "not allowed to see topic \"" + topic.name + "\"");
    default:
      break;
  }
  const std::size_t count = topic.partitions.size();
  if (count == 0 || static_cast<std::size_t>(partition) < count) return {};
  return Failure(make_error_code(ClientErrc::unknown_partition),
                 "topic \"" + topic.name + "\" has partitions 0 to " + std::to_string(count - 1) +
                     ", but no partition " + std::to_string(partition));
}

Duration missing_grace(const Topic& topic) {
  const bool vanished = topic.error != BrokerErrc::none && !topic.partitions.empty();
  return std::chrono::seconds(vanished ? 30 : 1);
}

OffsetFinder::OffsetFinder(Engine& engine, Isolation isolation)
    : engine_(engine), isolation_(isolation), self_(std::make_shared<OffsetFinder*>(this)) {}

OffsetFinder::~OffsetFinder() = default;

void OffsetFinder::find(Topic& topic, std::int32_t partition, std::int64_t time_ms, Time deadline,
                        Done done) {
  const ClientConfig& config = engine_.config();
  items_.push_back(std::make_shared<Item>(
      Item{.topic = &topic,
           .partition = partition,
           .time_ms = time_ms,
           .deadline = deadline,
           .done = std::move(done),
           .backoff = Backoff(config.retry_backoff, config.retry_backoff_max),
           .last = {}}));
  engine_.wake();
}

void OffsetFinder::step(Now now) {
  if (items_.empty()) return;
  // By node and version, not by address: the same order each time. What needs a later version goes
  // alone, so that a broker that is too old for it still answers the rest.
  std::map<std::pair<std::int32_t, std::int16_t>, std::shared_ptr<Batch>> batches;
  std::vector<std::pair<ItemPtr, Failure>> given_up;
  for (const ItemPtr& item : items_) {
    Failure why;
    if (give_up(*item, now, why)) {
      given_up.emplace_back(item, why);
      continue;
    }
    Connection* connection = ready_to_send(*item, now);
    if (!connection) continue;
    auto& batch = batches[{connection->node_id(), first_version_of(item->time_ms)}];
    if (!batch) batch = std::make_shared<Batch>();
    batch->push_back(item);
  }
  for (auto& [key, batch] : batches) {
    send(*engine_.cluster().connection(key.first, Role::control), key.second, std::move(batch));
  }
  for (auto& [item, why] : given_up) finish(*item, why, {}, now);
}

bool OffsetFinder::give_up(Item& item, Now now, Failure& why) {
  if (now.mono >= item.deadline) {
    const Failure& known = item.last ? item.last : engine_.cluster().trouble();
    why = Failure(make_error_code(ClientErrc::timed_out),
                  name_of(*item.topic, item.partition) + ": no offset was found in time" +
                      (known ? "; last error: " + known.message() : std::string()));
    return true;
  }
  bool is_final = false;
  why = metadata_trouble(*item.topic, item.partition, is_final);
  if (!why) {
    item.missing_since = kNever;
    return false;
  }
  if (item.missing_since == kNever) item.missing_since = now.mono;
  engine_.cluster().refresh(now);
  return is_final || now.mono - item.missing_since >= missing_grace(*item.topic);
}

// Null if it has to wait.
Connection* OffsetFinder::ready_to_send(Item& item, Now now) {
  if (item.in_flight || item.not_before > now.mono) return nullptr;
  const auto index = static_cast<std::size_t>(item.partition);
  if (index >= item.topic->partitions.size()) return nullptr;  // metadata is on its way
  const std::int32_t leader = item.topic->partitions[index].leader;
  Connection* connection =
      leader < 0 ? nullptr : engine_.cluster().connection(leader, Role::control);
  if (!connection) {
    retry(item,
          Failure(make_error_code(BrokerErrc::leader_not_available),
                  name_of(*item.topic, item.partition) + " has no leader now"),
          now);
  }
  return connection;
}

void OffsetFinder::retry(Item& item, const Failure& why, Now now) {
  item.last = why;
  item.not_before = deadline_after(now.mono, item.backoff.next(engine_.random()));
  engine_.cluster().refresh(now);
}

void OffsetFinder::send(Connection& connection, std::int16_t min_version,
                        std::shared_ptr<Batch> batch) {
  std::stable_sort(batch->begin(), batch->end(), [](const ItemPtr& a, const ItemPtr& b) {
    return by_partition(a->topic, a->partition, b->topic, b->partition);
  });
  // A request must name a partition once; further questions about it come with the next one.
  batch->erase(std::unique(batch->begin(), batch->end(),
                           [](const ItemPtr& a, const ItemPtr& b) {
                             return a->topic == b->topic && a->partition == b->partition;
                           }),
               batch->end());
  for (const ItemPtr& item : *batch) item->in_flight = true;
  const auto timeout = engine_.config().request_timeout;
  auto make = [batch, isolation = isolation_, timeout](std::int16_t, wire::Arena& arena) {
    ListOffsetsRequest request;
    request.replica_id = -1;
    request.isolation_level = static_cast<std::int8_t>(isolation);
    request.timeout_ms = to_ms(timeout);
    auto* topics = arena.make_array<ListOffsetsRequest::ListOffsetsTopic>(batch->size());
    auto* partitions = arena.make_array<ListOffsetsRequest::ListOffsetsPartition>(batch->size());
    if (!topics || !partitions) return request;
    std::size_t count = 0;
    for (std::size_t i = 0; i < batch->size();) {
      const Topic* topic = (*batch)[i]->topic;
      const std::size_t first = i;
      for (; i < batch->size() && (*batch)[i]->topic == topic; ++i) {
        const auto index = static_cast<std::size_t>((*batch)[i]->partition);
        partitions[i].partition_index = (*batch)[i]->partition;
        partitions[i].timestamp = (*batch)[i]->time_ms;
        partitions[i].current_leader_epoch =
            index < topic->partitions.size() ? topic->partitions[index].leader_epoch : -1;
      }
      topics[count].name = wire::Text(topic->name);
      topics[count++].partitions = {partitions + first, i - first};
    }
    request.topics = {topics, count};
    return request;
  };
  auto done = [batch, self = std::weak_ptr<OffsetFinder*>(self_)](
                  const Failure& why, const ListOffsetsResponse* reply, std::int16_t, Now now) {
    if (const auto alive = self.lock()) (*alive)->on_reply(*batch, why, reply, now);
  };
  auto* call = new SimpleCall<ListOffsetsRequest>(std::move(make), std::move(done));
  call->require_version(min_version);
  connection.send(*call);
}

void OffsetFinder::on_reply(const Batch& batch, const Failure& why,
                            const ListOffsetsResponse* reply, Now now) {
  std::map<std::pair<std::string_view, std::int32_t>, const Partition*> answers;
  if (reply) {
    for (const auto& topic : reply->topics) {
      for (const Partition& partition : topic.partitions) {
        answers.emplace(std::pair(topic.name.view(), partition.partition_index), &partition);
      }
    }
  }
  const bool final_failure =
      why && (why.code == ClientErrc::unsupported_version || why.code == ClientErrc::closed ||
              why.code == wire::make_error_code(wire::Errc::not_in_version));
  for (const ItemPtr& item : batch) {
    item->in_flight = false;
    if (!item->done) continue;
    if (final_failure) {
      finish(*item, why, {}, now);
      continue;
    }
    if (why) {
      retry(*item, why, now);
      continue;
    }
    const auto found = answers.find({item->topic->name, item->partition});
    if (found == answers.end()) {
      retry(*item,
            Failure(make_error_code(ClientErrc::protocol_violation),
                    "ListOffsets: the answer leaves out " + name_of(*item->topic, item->partition)),
            now);
    } else {
      on_partition(*item, *found->second, now);
    }
  }
}

void OffsetFinder::on_partition(Item& item, const Partition& answer, Now now) {
  const std::string name = name_of(*item.topic, item.partition);
  const auto error = static_cast<BrokerErrc>(answer.error_code);
  if (error != BrokerErrc::none) {
    const Failure failure(make_error_code(error),
                          "ListOffsets for " + name + ": " + make_error_code(error).message());
    if (is_retriable(error)) return retry(item, failure, now);
    return finish(item, failure, {}, now);
  }
  // A time may be after the last record; the ends of a log are always somewhere.
  const bool may_be_none = item.time_ms != kEarliestTime && item.time_ms != kLatestTime;
  if (answer.offset < (may_be_none ? -1 : 0)) {
    return finish(item,
                  Failure(make_error_code(ClientErrc::protocol_violation),
                          "ListOffsets for " + name + ": the broker answered offset " +
                              std::to_string(answer.offset)),
                  {}, now);
  }
  finish(item, {}, {answer.offset, answer.timestamp, answer.leader_epoch}, now);
}

void OffsetFinder::finish(Item& item, const Failure& why, const FoundOffset& found, Now now) {
  const Done done = std::exchange(item.done, nullptr);
  std::erase_if(items_, [](const ItemPtr& each) { return !each->done; });
  if (done) done(why, found, now);
}

Time OffsetFinder::next_time(Now now) const {
  Time next = kNever;
  for (const ItemPtr& item : items_) {
    next = std::min(next, item->deadline);
    if (item->missing_since != kNever) {
      next = std::min(next, item->missing_since + missing_grace(*item->topic));
    }
    if (!item->in_flight && item->not_before > now.mono) next = std::min(next, item->not_before);
  }
  return next;
}

void OffsetFinder::shut_down(const Failure& why, Now now) {
  for (const ItemPtr& item : std::exchange(items_, {})) {
    if (item->done) std::exchange(item->done, nullptr)(why, {}, now);
  }
}

}  // namespace tern::kafka
