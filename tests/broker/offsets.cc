// ListOffsets and OffsetForLeaderEpoch, and what all access to a partition checks.
#include <algorithm>

#include "tests/broker/broker.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

BrokerErrc find_local(Request& request, Topic* topic, std::int32_t partition, std::int32_t epoch,
                      bool leader_only, Partition*& out) {
  if (!topic || partition < 0 || static_cast<std::size_t>(partition) >= topic->partitions.size()) {
    return BrokerErrc::unknown_topic_or_partition;
  }
  Partition& found = topic->partitions[static_cast<std::size_t>(partition)];
  const std::int32_t self = request.broker->id();
  const auto& replicas = found.replicas;
  if (std::find(replicas.begin(), replicas.end(), self) == replicas.end()) {
    return BrokerErrc::not_leader_or_follower;
  }
  if (epoch >= 0 && epoch < found.leader_epoch) return BrokerErrc::fenced_leader_epoch;
  if (epoch >= 0 && epoch > found.leader_epoch) return BrokerErrc::unknown_leader_epoch;
  if (leader_only && found.leader != self) return BrokerErrc::not_leader_or_follower;
  out = &found;
  return BrokerErrc::none;
}

namespace {

using ListIn = kafka::ListOffsetsRequest::ListOffsetsPartition;
using ListOut = kafka::ListOffsetsResponse::ListOffsetsPartitionResponse;
using EpochIn = kafka::OffsetForLeaderEpochRequest::OffsetForLeaderPartition;
using EpochOut = kafka::OffsetForLeaderEpochResponse::EpochEndOffset;

constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kMaxTimestamp = -3;
constexpr std::int64_t kEarliestLocal = -4;
constexpr std::int64_t kLatestTiered = -5;
constexpr std::int64_t kEarliestPendingUpload = -6;

constexpr std::int16_t kFirstVersionWithEpoch = 4;

// The first version in which each of the special timestamps has its meaning.
std::int16_t first_version_of(std::int64_t timestamp) {
  switch (timestamp) {
    case kMaxTimestamp:
      return 7;
    case kEarliestLocal:
      return 8;
    case kLatestTiered:
      return 9;
    case kEarliestPendingUpload:
      return 11;
    default:
      return 0;
  }
}

void answer_time(const PartitionLog& log, std::int64_t timestamp, bool with_epoch, ListOut& out) {
  if (timestamp == kLatest) {
    out.offset = log.high_watermark();
  } else if (timestamp == kEarliest || timestamp == kEarliestLocal) {
    out.offset = log.start_offset();
  } else if (timestamp == kMaxTimestamp || timestamp >= 0) {
    const auto found =
        timestamp >= 0 ? log.offset_for_time(timestamp) : log.offset_of_max_timestamp();
    out.offset = found.first;
    out.timestamp = found.second;
  }
  if (with_epoch && out.offset >= 0) out.leader_epoch = log.epoch_at(out.offset);
}

void answer(Request& request, std::string_view name, const ListIn& in, ListOut& out) {
  out.partition_index = in.partition_index;
  BrokerErrc error = request.injected(name, in.partition_index);
  Partition* partition = nullptr;
  if (error == BrokerErrc::none) {
    error = find_local(request, request.cluster->find_topic(name), in.partition_index,
                       in.current_leader_epoch, true, partition);
  }
  if (error == BrokerErrc::none && request.version() < first_version_of(in.timestamp)) {
    error = BrokerErrc::unsupported_version;
  }
  out.error_code = code(error);
  if (error != BrokerErrc::none) return;
  answer_time(partition->log, in.timestamp, request.version() >= kFirstVersionWithEpoch, out);
}

void answer(Request& request, std::string_view name, const EpochIn& in, EpochOut& out) {
  out.partition = in.partition;
  BrokerErrc error = request.injected(name, in.partition);
  Partition* partition = nullptr;
  if (error == BrokerErrc::none) {
    error = find_local(request, request.cluster->find_topic(name), in.partition,
                       in.current_leader_epoch, true, partition);
  }
  out.error_code = code(error);
  if (error != BrokerErrc::none) return;
  const EpochEnd end = partition->log.end_of_epoch(in.leader_epoch);
  out.leader_epoch = end.epoch;
  out.end_offset = end.end_offset;
}

}  // namespace

Outcome handle(Request& request, const kafka::ListOffsetsRequest& in,
               kafka::ListOffsetsResponse& out) {
  const auto topics =
      request.make<kafka::ListOffsetsResponse::ListOffsetsTopicResponse>(in.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto partitions = request.make<ListOut>(in.topics[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      answer(request, in.topics[t].name.view(), in.topics[t].partitions[p], partitions[p]);
    }
    topics[t].name = in.topics[t].name;
    topics[t].partitions = {partitions.data(), partitions.size()};
  }
  out.topics = {topics.data(), topics.size()};
  return Outcome::answer;
}

Outcome handle(Request& request, const kafka::OffsetForLeaderEpochRequest& in,
               kafka::OffsetForLeaderEpochResponse& out) {
  const auto topics = request.make<kafka::OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult>(
      in.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto partitions = request.make<EpochOut>(in.topics[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      answer(request, in.topics[t].topic.view(), in.topics[t].partitions[p], partitions[p]);
    }
    topics[t].topic = in.topics[t].topic;
    topics[t].partitions = {partitions.data(), partitions.size()};
  }
  out.topics = {topics.data(), topics.size()};
  return Outcome::answer;
}

}  // namespace tern::broker
