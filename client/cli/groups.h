// What the commands of `tern kafka groups` share.
#ifndef TERN_CLIENT_CLI_GROUPS_H_
#define TERN_CLIENT_CLI_GROUPS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cli/options.h"
#include "client/cli/session.h"
#include "client/kafka/admin.h"
#include "client/kafka/consumer.h"

namespace tern::cli {

// Where an offset is to go to.
enum class Reset { none, earliest, latest, current, offset, shift, time };

struct GroupsOptions {
  CommonOptions common;
  std::vector<std::string> groups;
  std::vector<std::string> topics;  // NAME or NAME:0,2
  bool all_topics = false;
  Reset reset = Reset::none;
  std::int64_t value = 0;  // the offset, by how much to shift, or milliseconds since 1970
  bool execute = false;
  bool dry_run = false;
};

// Offsets of the cluster, asked for when they are needed.
class Ends {
 public:
  explicit Ends(Session& session);

  // Of those that are there and have a leader; the others are left out.
  kafka::Partitions readable(const kafka::Partitions& partitions);
  // All partitions of these. Throws if one does not exist.
  kafka::Partitions of_topics(const std::vector<std::string>& topics);

  using Found = std::map<kafka::TopicPartition, std::int64_t>;
  // -1 for a time after the last record.
  Found find(const kafka::Partitions& partitions, std::int64_t time_ms);

 private:
  Session& session_;
  kafka::Consumer consumer_;
};

// Rows with columns of equal width, each line indented. The first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

// Exit status of each.
int reset_offsets(Session& session, const GroupsOptions& options);
int delete_offsets(Session& session, const GroupsOptions& options);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_GROUPS_H_
