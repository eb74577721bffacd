// What consumers of a classic group tell each other through the coordinator, which does not look
// inside: `metadata` of JoinGroup is a subscription, `assignment` of SyncGroup is an assignment.
//
// Both are written as an int16 with the version, then the fields, never in the flexible form. A
// reader takes a version later than those it knows for the newest it knows, since later ones only
// add fields at the end; what follows the known fields is not looked at. So members of different
// ages understand each other, and a writer always uses its newest version.
//
// The bytes come from another member, by way of the coordinator: anything may be in them.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_PROTOCOL_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_PROTOCOL_H_

#include <cstddef>
#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

// In JoinGroup: what a member wants and, from version 1 on, what it owns.
struct ConsumerProtocolSubscription {
  static constexpr Api api{kNoKey, "ConsumerProtocolSubscription", {0, 3}};

  struct TopicPartition {
    Text topic;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicPartition;
      field("topic", &M::topic, since(1));
      field("partitions", &M::partitions, since(1));
    }
    friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
  };

  Array<Text> topics;
  wire::Bytes user_data = wire::Bytes::null();
  Array<TopicPartition> owned_partitions;
  std::int32_t generation_id = -1;
  Text rack_id = Text::null();

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerProtocolSubscription;
    field("topics", &M::topics, since(0));
    field("user_data", &M::user_data, since(0).nullable(0));
    field("owned_partitions", &M::owned_partitions, since(1).ignorable());
    field("generation_id", &M::generation_id, since(2).ignorable());
    field("rack_id", &M::rack_id, since(3).nullable(3).ignorable());
  }
  friend bool operator==(const ConsumerProtocolSubscription&,
                         const ConsumerProtocolSubscription&) = default;
};

// In SyncGroup: what the leader gives to a member.
struct ConsumerProtocolAssignment {
  static constexpr Api api{kNoKey, "ConsumerProtocolAssignment", {0, 3}};

  struct TopicPartition {
    Text topic;
    Array<std::int32_t> partitions;

    template <class V>
    static constexpr void describe(V& field) {
      using M = TopicPartition;
      field("topic", &M::topic, since(0));
      field("partitions", &M::partitions, since(0));
    }
    friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
  };

  Array<TopicPartition> assigned_partitions;
  wire::Bytes user_data = wire::Bytes::null();

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConsumerProtocolAssignment;
    field("assigned_partitions", &M::assigned_partitions, since(0));
    field("user_data", &M::user_data, since(0).nullable(0));
  }
  friend bool operator==(const ConsumerProtocolAssignment&,
                         const ConsumerProtocolAssignment&) = default;
};

// The bytes that encode_embedded() writes, the version among them. Errors: as encoded_size().
template <class M>
wire::Result<std::size_t> embedded_size(const M& message, const char** field = nullptr) {
  const auto size = encoded_size(message, M::api.versions.max, field);
  if (!size) return size.error();
  return sizeof(std::int16_t) + size->total;
}

// Only after embedded_size() of the same message succeeded, into that much room.
template <class M>
void encode_embedded(const M& message, wire::Writer& writer) {
  writer.i16(M::api.versions.max);
  encode(message, M::api.versions.max, writer);
}

// False: reader.error() says why; a version below zero is unsupported_version. Fields that the
// version lacks get their defaults. A coordinator that was given nothing for a member passes on no
// bytes at all, which is end_of_input here: a caller to whom that means something looks first.
template <class M>
[[nodiscard]] bool decode_embedded(wire::Reader& reader, wire::Arena& arena, M& out) {
  const std::int16_t version = reader.i16("version");
  const std::int16_t newest = M::api.versions.max;
  return decode(reader, version < newest ? version : newest, arena, out);
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_CONSUMER_PROTOCOL_H_
