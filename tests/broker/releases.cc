#include "tests/broker/releases.h"

#include <limits>

namespace tern::broker {

namespace {

struct Row {
  std::int16_t key;
  std::int16_t kafka_2_1;
  std::int16_t kafka_2_8;
  std::int16_t kafka_3_9;
};

constexpr Row kRows[] = {
    {0, 7, 9, 11},     // Produce
    {1, 10, 12, 17},   // Fetch
    {2, 4, 6, 9},      // ListOffsets
    {3, 7, 11, 12},    // Metadata
    {8, 6, 8, 9},      // OffsetCommit
    {9, 5, 7, 9},      // OffsetFetch
    {10, 2, 3, 6},     // FindCoordinator
    {11, 3, 7, 9},     // JoinGroup
    {12, 2, 4, 4},     // Heartbeat
    {13, 2, 4, 5},     // LeaveGroup
    {14, 2, 5, 5},     // SyncGroup
    {15, 2, 5, 5},     // DescribeGroups
    {16, 2, 4, 5},     // ListGroups
    {18, 2, 3, 4},     // ApiVersions
    {19, 3, 7, 7},     // CreateTopics
    {20, 3, 6, 6},     // DeleteTopics
    {22, 1, 4, 5},     // InitProducerId
    {23, 2, 4, 4},     // OffsetForLeaderEpoch
    {32, 2, 4, 4},     // DescribeConfigs
    {37, 1, 3, 3},     // CreatePartitions
    {42, 1, 2, 2},     // DeleteGroups
    {47, -1, 0, 0},    // OffsetDelete
    {68, -1, -1, -1},  // ConsumerGroupHeartbeat
    {69, -1, -1, -1},  // ConsumerGroupDescribe
};

}  // namespace

std::int16_t max_version_of(Release release, std::int16_t api_key) {
  for (const Row& row : kRows) {
    if (row.key != api_key) continue;
    switch (release) {
      case Release::kafka_2_1:
        return row.kafka_2_1;
      case Release::kafka_2_8:
        return row.kafka_2_8;
      case Release::kafka_3_9:
        return row.kafka_3_9;
      case Release::newest:
        break;
    }
  }
  return std::numeric_limits<std::int16_t>::max();
}

}  // namespace tern::broker
