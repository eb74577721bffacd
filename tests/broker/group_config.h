// What the group coordinator of the embedded broker can be told.
#ifndef TERN_TESTS_BROKER_GROUP_CONFIG_H_
#define TERN_TESTS_BROKER_GROUP_CONFIG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "client/core/time.h"

namespace tern::broker {

// Real brokers' defaults, but for the first rebalance, which they put off for 3 s.
struct GroupConfig {
  // Of the topic __consumer_offsets, which is made when a coordinator is first asked for. The
  // leader of the partition that a group's id falls into is its coordinator.
  std::int32_t offsets_partitions = 50;
  // How long a new coordinator reads that partition; until then it says so instead of answering.
  Duration load_time{};
  // The first rebalance of a classic group waits this long for more members.
  Duration initial_rebalance_delay{};
  Duration min_session_timeout = std::chrono::seconds(6);
  Duration max_session_timeout = std::chrono::minutes(30);
  // A new member of a classic group that waits for a rebalance is thrown out after this.
  Duration new_member_join_timeout = std::chrono::minutes(5);
  std::size_t max_size = std::numeric_limits<std::int32_t>::max();  // members of a group
  std::size_t max_offset_metadata = 4096;                           // bytes
  // How long offsets are kept that nobody needs: of groups that have lost their last member, or
  // that never had any, and of topics that their group does not read. From then on they are looked
  // at every ten minutes.
  Duration offsets_retention = std::chrono::hours(7 * 24);
  // Of members of the consumer protocol (KIP-848), who are told the second.
  Duration consumer_session_timeout = std::chrono::seconds(45);
  Duration consumer_heartbeat_interval = std::chrono::seconds(5);
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_GROUP_CONFIG_H_
