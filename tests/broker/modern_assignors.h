// The assignors that a broker has for groups of the consumer protocol (KIP-848): uniform, which
// moves as little as it can, and range, which gives each member the same numbers of every topic.
//
// Both are deterministic: same members, same result. Neither looks at racks.
#ifndef TERN_TESTS_BROKER_MODERN_ASSIGNORS_H_
#define TERN_TESTS_BROKER_MODERN_ASSIGNORS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/wire/bytes.h"

namespace tern::broker {

// Partitions by topic id. No topic is without partitions.
using Assignment = std::map<wire::Uuid, std::set<std::int32_t>>;

struct AssignorMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::set<wire::Uuid> topics;
  Assignment current;  // its part of the last target
};

using AssignorMembers = std::vector<AssignorMember>;
using PartitionCounts = std::map<wire::Uuid, std::int32_t>;

// By member id; every member has an entry. All topics of members are in `counts`.
using Assignments = std::map<std::string, Assignment, std::less<>>;

Assignments assign_uniform(const AssignorMembers& members, const PartitionCounts& counts);
Assignments assign_range(AssignorMembers members, const PartitionCounts& counts);

inline constexpr std::string_view kUniform = "uniform";
inline constexpr std::string_view kRange = "range";

std::size_t count_partitions(const Assignment& assignment);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_MODERN_ASSIGNORS_H_
