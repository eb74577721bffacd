#include "client/kafka/group_codec.h"

#include <algorithm>
#include <string>

#include "protocol/kafka/messages/consumer_protocol.h"
#include "protocol/wire/arena.h"

namespace tern::kafka {
namespace {

using Sorted = std::vector<TopicPartition>;

Sorted sorted(Sorted partitions) {
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  return partitions;
}

// Partitions topic by topic, as both messages have them. Refers to `partitions`, which are sorted.
template <class Entry>
struct ByTopic {
  explicit ByTopic(const Sorted& partitions) {
    numbers.reserve(partitions.size());
    for (const TopicPartition& each : partitions) numbers.push_back(each.partition);
    for (std::size_t i = 0; i < partitions.size();) {
      const std::size_t first = i;
      while (i < partitions.size() && partitions[i].topic == partitions[first].topic) ++i;
      Entry entry;
      entry.topic = wire::Text(partitions[first].topic);
      entry.partitions = {numbers.data() + first, i - first};
      entries.push_back(entry);
    }
  }
  std::vector<std::int32_t> numbers;
  std::vector<Entry> entries;
};

template <class Entry>
Sorted read_partitions(const wire::Array<Entry>& entries) {
  Sorted partitions;
  for (const Entry& entry : entries) {
    for (const std::int32_t number : entry.partitions) {
      if (number >= 0) partitions.push_back({entry.topic.str(), number});
    }
  }
  return sorted(std::move(partitions));
}

// Empty if there is no way to write it: a name above 32,767 bytes.
template <class Message>
std::vector<std::byte> embedded(const Message& message) {
  const auto size = embedded_size(message);
  if (!size) return {};
  std::vector<std::byte> bytes(*size);
  wire::Writer writer(bytes);
  encode_embedded(message, writer);
  return bytes;
}

template <class Message>
Failure read_embedded(std::span<const std::byte> bytes, wire::Arena& arena, Message& message) {
  wire::Reader reader(bytes);
  if (decode_embedded(reader, arena, message)) return {};
  return Failure(make_error_code(ClientErrc::protocol_violation),
                 std::string(Message::api.name) + ", " + reader.error().message());
}

}  // namespace

std::vector<std::byte> encode_subscription(const GroupMember& member) {
  ConsumerProtocolSubscription message;
  std::vector<wire::Text> topics(member.topics.begin(), member.topics.end());
  message.topics = wire::Array<wire::Text>(topics);
  if (!member.user_data.empty()) {
    message.user_data = wire::Bytes(std::string_view(
        reinterpret_cast<const char*>(member.user_data.data()), member.user_data.size()));
  }
  const Sorted owned = sorted(member.owned);
  const ByTopic<ConsumerProtocolSubscription::TopicPartition> by_topic(owned);
  message.owned_partitions =
      wire::Array<ConsumerProtocolSubscription::TopicPartition>(by_topic.entries);
  message.generation_id = member.generation;
  if (!member.rack.empty()) message.rack_id = wire::Text(member.rack);
  return embedded(message);
}

Failure decode_subscription(std::span<const std::byte> bytes, GroupMember& member) {
  wire::Arena arena(wire::Arena::limit_for(bytes.size()));
  ConsumerProtocolSubscription message;
  if (Failure failure = read_embedded(bytes, arena, message)) return failure;
  for (const wire::Text& topic : message.topics) member.topics.push_back(topic.str());
  member.owned = read_partitions(message.owned_partitions);
  member.generation = message.generation_id;
  if (!message.rack_id.is_null()) member.rack = message.rack_id.str();
  const auto data = message.user_data.span();
  member.user_data.assign(data.begin(), data.end());
  return {};
}

std::vector<std::byte> encode_assignment(const std::vector<TopicPartition>& partitions) {
  const Sorted all = sorted(partitions);
  const ByTopic<ConsumerProtocolAssignment::TopicPartition> by_topic(all);
  ConsumerProtocolAssignment message;
  message.assigned_partitions =
      wire::Array<ConsumerProtocolAssignment::TopicPartition>(by_topic.entries);
  return embedded(message);
}

Failure decode_assignment(std::span<const std::byte> bytes,
                          std::vector<TopicPartition>& partitions) {
  partitions.clear();
  if (bytes.empty()) return {};
  wire::Arena arena(wire::Arena::limit_for(bytes.size()));
  ConsumerProtocolAssignment message;
  if (Failure failure = read_embedded(bytes, arena, message)) return failure;
  partitions = read_partitions(message.assigned_partitions);
  return {};
}

}  // namespace tern::kafka
