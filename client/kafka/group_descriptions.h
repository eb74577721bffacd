// What Admin tells of groups.
#ifndef TERN_CLIENT_KAFKA_GROUP_DESCRIPTIONS_H_
#define TERN_CLIENT_KAFKA_GROUP_DESCRIPTIONS_H_

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "client/kafka/config.h"

namespace tern::kafka {

struct GroupListing {
  std::string group;
  std::string type;      // "classic", "consumer" (KIP-848), ...; empty: brokers before 3.8
  std::string protocol;  // "consumer" for consumers of either type, "connect", ...; may be empty
  std::string state;     // "Stable", "Empty", ...; empty: brokers before 2.6
};

struct MemberDescription {
  std::string member_id;
  std::string instance_id;  // empty: none
  std::string client_id;
  std::string host;                 // as the broker writes it: "/10.0.0.7"
  std::string rack;                 // empty: none, or not told
  std::int32_t epoch = -1;          // -1: a member of a classic group
  std::vector<std::string> topics;  // that it has subscribed to; empty while a rebalance goes on
  std::string topic_pattern;        // that it leaves to the broker to match
  Partitions assignment;            // sorted
  Partitions target;                // what it is to have in the end; classic groups: the same
};

struct GroupDescription {
  std::string group;
  std::error_code error;  // group_id_not_found, group_authorization_failed, ...; or none
  std::string message;    // the same in words
  std::string type;       // "classic" or "consumer"
  std::string state;      // "Stable", "Empty", "PreparingRebalance", "Reconciling", ...
  std::string
      protocol;  // "consumer", "connect", ...; empty: a classic group that has had no member
  std::string assignor;  // "range", "uniform", ...; empty while a classic group agrees on one
  std::int32_t coordinator = -1;           // node id
  std::int32_t epoch = -1;                 // -1: a classic group
  std::vector<MemberDescription> members;  // by id
};
using GroupDescriptions = std::vector<GroupDescription>;

struct GroupResult {
  std::string group;
  std::error_code error;  // non_empty_group, group_id_not_found, ...; or none
  std::string message;    // the same in words
};
using GroupResults = std::vector<GroupResult>;

struct PartitionResult {
  TopicPartition partition;
  std::error_code error;  // a BrokerErrc, or none
};
using PartitionResults = std::vector<PartitionResult>;

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_GROUP_DESCRIPTIONS_H_
