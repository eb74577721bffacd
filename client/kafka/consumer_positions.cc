// The part of ConsumerCore that decides from where partitions are read: first offsets, resets,
// leaders that change, logs that were cut back.
#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "client/kafka/consumer_core.h"
#include "protocol/kafka/errors.h"

namespace tern::kafka {
namespace {

std::int64_t time_of(const Position& start) {
  switch (start.at) {
    case StartAt::earliest:
      return kEarliestTime;
    case StartAt::latest:
      return kLatestTime;
    case StartAt::timestamp:
    case StartAt::offset:
      break;
  }
  return start.value;
}

bool is_missing(const std::error_code& code) {
  return code == ClientErrc::unknown_topic || code == ClientErrc::unknown_partition;
}

// Waiting will not help against these.
bool is_hopeless(const std::error_code& code) {
  return code == ClientErrc::not_the_protocol || code == ClientErrc::unsupported_version ||
         code == ClientErrc::protocol_violation;
}

}  // namespace

void ConsumerCore::retry(ConsumerPartition& partition, Now now) {
  partition.not_before = deadline_after(now.mono, partition.backoff.next(engine_.random()));
  positions_at_ = std::min(positions_at_, partition.not_before);
  engine_.cluster().refresh(now);
}

// ------------------------------------------------------------------------------- first offsets

void ConsumerCore::place(Now now) {
  positions_dirty_ = false;
  positions_at_ = kNever;
  check_missing(now);
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (partition->state == ConsumerPartition::State::unplaced && !partition->finding) {
      place_one(*partition, now);
    }
  }
  validate(now);
}

void ConsumerCore::place_one(ConsumerPartition& partition, Now now) {
  if (engine_.cluster().updates() < partition.place_after) return engine_.cluster().refresh(now);
  if (partition.not_before > now.mono) {
    positions_at_ = std::min(positions_at_, partition.not_before);
    return;
  }
  partition.finding = true;
  finder_.find(partition.topic, partition.index, time_of(partition.start), kNever,
               [this, weak = partition.weak_from_this(), version = partition.version](
                   const Failure& why, const FoundOffset& found, Now at) {
                 const ConsumerPartitionPtr alive = weak.lock();
                 if (alive && alive->version == version) on_placed(*alive, why, found, at);
               });
}

void ConsumerCore::on_placed(ConsumerPartition& partition, const Failure& why,
                             const FoundOffset& found, Now now) {
  partition.finding = false;
  if (closing_ || closed_) return;
  if (is_missing(why.code)) {
    // Said once; but it may still come into being.
    if (!std::exchange(partition.told, true)) troubles_.push_back(why);
    return retry(partition, now);
  }
  if (why) return on_unreadable(partition, why);
  if (found.offset < 0) {  // no record is that young: the end
    partition.start = Position::latest();
    positions_dirty_ = true;
    return engine_.wake();
  }
  partition.restart(found.offset);
  partition.backoff.reset();
  if (partition.start.at == StartAt::latest) {
    partition.gauge->end.store(found.offset, std::memory_order_relaxed);
  }
  follow_leader(partition);
  wake();
}

void ConsumerCore::reset(ConsumerPartition& partition, ClientErrc code, std::string what) {
  const Failure why(make_error_code(code), partition.name() + ": " + std::move(what));
  if (config_->offset_reset == OffsetReset::none) return on_unreadable(partition, why);
  partition.restart(reset_position(*config_, engine_.now()));
  engine_.tell_trouble("consumer", why);
  wake();
}

void ConsumerCore::on_out_of_range(ConsumerPartition& partition, Now) {
  // Brokers before 3.1 fetch by name: this may be another topic by now. Its id has to be known
  // before a position in it is looked up, or that would be taken for one in the old topic later.
  if (!partition.topic.id.is_zero()) partition.place_after = engine_.cluster().updates() + 1;
  reset(partition, ClientErrc::offset_out_of_range,
        "the log has no offset " + std::to_string(partition.position) + " (any more)");
}

void ConsumerCore::on_unreadable(ConsumerPartition& partition, Failure why) {
  const std::int64_t position = partition.position;
  const std::int32_t epoch = partition.position_epoch;
  partition.restart(position, epoch);
  partition.stop();
  engine_.tell_trouble("consumer", why);
  troubles_.push_back(std::move(why));
  engine_.wake();
}

void ConsumerCore::on_broker_trouble(const Failure& why) {
  troubles_.push_back(why);
  engine_.wake();
}

// -------------------------------------------------------------------------- what metadata says

void ConsumerCore::on_cluster_changed(Now now) {
  if (closing_ || closed_) return;
  if (group_) group_->on_cluster_changed(now);
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (partition->topic.incarnation != partition->incarnation) on_recreated(*partition);
    follow_leader(*partition);
  }
  if (!engine_.cluster().trouble()) {
    outage_since_ = kNever;
    outage_told_ = false;
  }
  wake();
}

// A new leader may have another history than the one the data came from: ask before reading on.
void ConsumerCore::follow_leader(ConsumerPartition& partition) {
  const PartitionInfo* info = partition.info();
  if (!info || info->leader_epoch == partition.leader_epoch) return;
  const bool newer = info->leader_epoch > partition.leader_epoch;
  partition.leader_epoch = info->leader_epoch;
  if (newer && partition.state == ConsumerPartition::State::ready && partition.fetch_epoch >= 0) {
    partition.needs_validation = true;
  }
}

// The name stands for another topic now, and positions in the old one mean nothing in it.
void ConsumerCore::on_recreated(ConsumerPartition& partition) {
  partition.incarnation = partition.topic.incarnation;
  partition.leader_epoch = -1;
  if (group_) group_->on_new_turn(partition);
  if (partition.state != ConsumerPartition::State::ready) return;
  reset(partition, ClientErrc::offset_out_of_range,
        "the topic was deleted and created anew; offset " + std::to_string(partition.position) +
            " was one of the old topic");
}

void ConsumerCore::check_missing(Now now) {
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    bool is_final = false;
    Failure why = metadata_trouble(partition->topic, partition->index, is_final);
    if (!why) {
      partition->missing_since = kNever;
      partition->told = false;
      continue;
    }
    if (partition->told || partition->finding ||
        partition->state == ConsumerPartition::State::failed) {
      continue;
    }
    if (partition->missing_since == kNever) partition->missing_since = now.mono;
    const Time believed =
        is_final ? now.mono
                 : deadline_after(partition->missing_since, missing_grace(partition->topic));
    if (now.mono < believed) {
      positions_at_ = std::min(positions_at_, believed);
      continue;
    }
    partition->told = true;
    troubles_.push_back(std::move(why));
    engine_.wake();
  }
}

// An outage counts from the first poll that meets it: who comes back from work of his own is not
// told of one that is as good as over.
void ConsumerCore::check_outage(Now now) {
  const Failure& why = engine_.cluster().trouble();
  const bool connected = !why && engine_.cluster().updates() != 0;
  if (outage_told_ || connected || (partitions_.all().empty() && !group_)) return;
  if (poll_ && outage_since_ == kNever) outage_since_ = now.mono;
  if (outage_since_ == kNever || !why) return;
  const Duration patience = engine_.config().connect_timeout;
  if (is_hopeless(why.code)) {
    troubles_.push_back(why);
  } else if (now.mono >= deadline_after(outage_since_, patience)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience).count();
    troubles_.push_back(Failure(make_error_code(ClientErrc::no_broker),
                                "no broker could be reached for " + std::to_string(seconds) +
                                    " s (still trying); last error: " + why.message()));
  } else {
    return;
  }
  outage_told_ = true;
}

// ------------------------------------------------------------------------ truncation (KIP-320)

void ConsumerCore::on_truncated(ConsumerPartition& partition, std::int64_t end_offset, Now) {
  partition.drop_fetched();
  partition.needs_validation = partition.validating = false;
  // Only what had not been handed out is gone from the log: nobody has to know.
  if (partition.position <= end_offset) return wake();
  const Failure why(make_error_code(ClientErrc::log_truncated),
                    partition.name() + ": the log was cut back to offset " +
                        std::to_string(end_offset) + ", below the position " +
                        std::to_string(partition.position) +
                        ": records that were read are not in it any more");
  if (config_->offset_reset == OffsetReset::none) return on_unreadable(partition, why);
  engine_.tell_trouble("consumer", why);
  partition.restart(end_offset);
  wake();
}

void ConsumerCore::validate(Now now) {
  std::map<std::int32_t, std::shared_ptr<Validations>> by_node;
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (!partition->needs_validation || partition->validating) continue;
    if (partition->fetch_epoch < 0 || partition->leader_epoch < 0) {
      partition->needs_validation = false;
      fetcher_.touch();
      continue;
    }
    if (partition->not_before > now.mono) {
      positions_at_ = std::min(positions_at_, partition->not_before);
      continue;
    }
    const PartitionInfo* info = partition->info();
    if (!info || info->leader < 0 || !engine_.cluster().connection(info->leader, Role::control)) {
      retry(*partition, now);
      continue;
    }
    auto& asked = by_node[info->leader];
    if (!asked) asked = std::make_shared<Validations>();
    asked->push_back(
        {partition, partition->version, partition->leader_epoch, partition->fetch_epoch});
  }
  for (auto& [node, asked] : by_node) {
    send_validation(*engine_.cluster().connection(node, Role::control), std::move(asked));
  }
}

void ConsumerCore::send_validation(Connection& connection, std::shared_ptr<Validations> asked) {
  using Request = OffsetForLeaderEpochRequest;
  std::stable_sort(asked->begin(), asked->end(), [](const Validation& a, const Validation& b) {
    return a.partition->topic.name < b.partition->topic.name;
  });
  for (const Validation& each : *asked) each.partition->validating = true;
  auto make = [asked](std::int16_t, wire::Arena& arena) {
    Request request;
    request.replica_id = -1;  // a consumer
    auto* topics = arena.make_array<Request::OffsetForLeaderTopic>(asked->size());
    auto* partitions = arena.make_array<Request::OffsetForLeaderPartition>(asked->size());
    if (!topics || !partitions) return request;
    std::size_t count = 0;
    for (std::size_t i = 0; i < asked->size();) {
      const Topic& topic = (*asked)[i].partition->topic;
      const std::size_t first = i;
      for (; i < asked->size() && &(*asked)[i].partition->topic == &topic; ++i) {
        partitions[i].partition = (*asked)[i].partition->index;
        partitions[i].current_leader_epoch = (*asked)[i].leader_epoch;
        partitions[i].leader_epoch = (*asked)[i].fetch_epoch;
      }
      topics[count].topic = wire::Text(topic.name);
      topics[count++].partitions = {partitions + first, i - first};
    }
    request.topics = {topics, count};
    return request;
  };
  auto done = [weak = weak_from_this(), asked](const Failure& why,
                                               const OffsetForLeaderEpochResponse* reply,
                                               std::int16_t, Now now) {
    if (const auto self = weak.lock()) self->on_validation_reply(*asked, why, reply, now);
  };
  connection.send(*new SimpleCall<Request>(std::move(make), std::move(done)));
}

void ConsumerCore::on_validation_reply(const Validations& asked, const Failure& why,
                                       const OffsetForLeaderEpochResponse* reply, Now now) {
  if (closing_ || closed_) return;
  std::map<std::pair<std::string_view, std::int32_t>, const EpochEnd*> answers;
  if (reply) {
    for (const auto& topic : reply->topics) {
      for (const EpochEnd& end : topic.partitions) {
        answers.emplace(std::pair(topic.topic.view(), end.partition), &end);
      }
    }
  }
  for (const Validation& each : asked) {
    ConsumerPartition& partition = *each.partition;
    if (partition.version != each.version) continue;
    partition.validating = false;
    const auto found = answers.find({partition.topic.name, partition.index});
    if (why && why.code == ClientErrc::unsupported_version) {
      partition.needs_validation = false;  // too old a broker to know
    } else {
      on_validated(each, found == answers.end() ? nullptr : found->second, now);
    }
  }
  wake();
}

void ConsumerCore::on_validated(const Validation& asked, const EpochEnd* answer, Now now) {
  ConsumerPartition& partition = *asked.partition;
  // Another leader meanwhile: ask that one.
  if (partition.leader_epoch != asked.leader_epoch) return;
  if (!answer) return retry(partition, now);
  const auto error = static_cast<BrokerErrc>(answer->error_code);
  if (error == BrokerErrc::topic_authorization_failed ||
      error == BrokerErrc::cluster_authorization_failed) {
    partition.needs_validation = false;  // older brokers want a right that readers need not have
    return;
  }
  // Whatever goes wrong here, the position is not touched.
  if (error != BrokerErrc::none) return retry(partition, now);
  partition.backoff.reset();
  // Nothing is known about that epoch: that does not say that anything was lost.
  const bool known = answer->leader_epoch >= 0 && answer->end_offset >= 0;
  if (known && answer->end_offset < partition.fetch_offset) {
    return on_truncated(partition, answer->end_offset, now);
  }
  partition.needs_validation = false;
}

}  // namespace tern::kafka
