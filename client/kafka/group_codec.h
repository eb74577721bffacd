// What members of a classic group write to each other, as the values that the client works with.
//
// Pure functions. What is read comes from other members: any bytes are fine, and nothing is taken
// on trust but the shape.
#ifndef TERN_CLIENT_KAFKA_GROUP_CODEC_H_
#define TERN_CLIENT_KAFKA_GROUP_CODEC_H_

#include <cstddef>
#include <span>
#include <vector>

#include "client/core/error.h"
#include "client/kafka/assignors.h"

namespace tern::kafka {

// The subscription of `member`; its ids are not part of it.
std::vector<std::byte> encode_subscription(const GroupMember& member);
// Leaves the ids of `member` alone. After a failure it has no topics.
Failure decode_subscription(std::span<const std::byte> bytes, GroupMember& member);

std::vector<std::byte> encode_assignment(const std::vector<TopicPartition>& partitions);
// Sorted, each once. No bytes at all are no partitions.
Failure decode_assignment(std::span<const std::byte> bytes,
                          std::vector<TopicPartition>& partitions);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_GROUP_CODEC_H_
