// Topics and clusters as text, and as JSON in the shape of `kcat -L -J`.
#ifndef TERN_CLIENT_CLI_DESCRIPTION_H_
#define TERN_CLIENT_CLI_DESCRIPTION_H_

#include <string>

#include "client/kafka/admin.h"

namespace tern::cli {

// With all partitions, a line each.
std::string topic_text(const kafka::TopicDescription& topic);
std::string cluster_text(const kafka::ClusterDescription& cluster);

// One line, with its newline. `topic`: what was asked for, "*" for all.
std::string cluster_json(const kafka::ClusterDescription& cluster, const std::string& topic);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_DESCRIPTION_H_
