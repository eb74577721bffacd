// tern kafka topics, tern kafka metadata.
#include <unistd.h>

#include <optional>

#include "client/cli/description.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

namespace tern::cli {

const char* const kTopicsHelp =
    R"(tern kafka topics -b BROKERS [NAME...]: list, describe and change topics

Without more, lists the names of all topics, one a line; with NAMEs, describes these.

  --create NAME          make a topic, as often as you like
    --partitions N       with so many partitions (the broker's default)
    --replicas N         and so many replicas of each (the broker's default)
    --config NAME=VALUE  and this setting, as often as you like
  --delete NAME          delete a topic and all that is in it, as often as you like
  --add-partitions NAME  give a topic more partitions:
    --partitions N       so many in all; keys will go to other partitions than before
  -J, --json             list and describe in JSON

Examples:
  tern kafka topics -b localhost:9092
  tern kafka topics -b localhost:9092 orders
  tern kafka topics -b localhost:9092 --create orders --partitions 6 --config retention.ms=86400000
  tern kafka topics -b localhost:9092 --add-partitions orders --partitions 12
  tern kafka topics -b localhost:9092 --delete orders
)";

const char* const kMetadataHelp =
    R"(tern kafka metadata -b BROKERS [-t TOPIC]: the cluster as it is now

Brokers, which of them is the controller, and topics with the leader, the replicas and the in-sync
replicas of each partition.

  -t, --topic TOPIC      this topic only
  -J, --json             in JSON, as kcat -L -J has it

Examples:
  tern kafka metadata -b localhost:9092
  tern kafka metadata -b localhost:9092 -J | jq -r '.topics[].topic'
)";

namespace {

// Options that have only a long name.
enum Letter : char { kCreate = 1, kDelete, kAdd, kPartitions, kReplicas, kConfig };

struct Options {
  CommonOptions common;
  std::vector<std::string> names;
  std::vector<std::string> create;
  std::vector<std::string> remove;
  std::vector<std::string> grow;
  std::int32_t partitions = -1;
  std::int16_t replicas = -1;
  std::vector<std::pair<std::string, std::string>> configs;
};

void take(const GivenOption& option, Options& out) {
  switch (option.letter) {
    case kCreate:
      out.create.push_back(option.value);
      break;
    case kDelete:
      out.remove.push_back(option.value);
      break;
    case kAdd:
      out.grow.push_back(option.value);
      break;
    case kPartitions:
      out.partitions =
          static_cast<std::int32_t>(number_of("--partitions", option.value, 1, 1'000'000));
      break;
    case kReplicas:
      out.replicas = static_cast<std::int16_t>(number_of("--replicas", option.value, 1, 1000));
      break;
    case kConfig:
      out.configs.push_back(pair_of("--config", option.value));
      break;
    default:
      out.common.take(option);
  }
}

Options read(const std::vector<std::string>& arguments) {
  GivenOptions given = read_options(arguments, {TERN_COMMON_KAFKA_OPTIONS,
                                                {kCreate, "create", true},
                                                {kDelete, "delete", true},
                                                {kAdd, "add-partitions", true},
                                                {kPartitions, "partitions", true},
                                                {kReplicas, "replicas", true},
                                                {kConfig, "config", true}});
  Options options;
  for (const GivenOption& each : given.options) take(each, options);
  options.names = std::move(given.others);
  if (!options.common.topic.empty()) options.names.push_back(options.common.topic);
  const int actions = (options.create.empty() ? 0 : 1) + (options.remove.empty() ? 0 : 1) +
                      (options.grow.empty() ? 0 : 1);
  if (actions > 1) throw UsageError("--create, --delete, --add-partitions: one at a time");
  if (actions == 1 && !options.names.empty()) {
    throw UsageError("\"" + options.names[0] + "\": say the option again for each topic");
  }
  if (!options.grow.empty() && options.partitions < 0) {
    throw UsageError("--add-partitions: how many in all? say --partitions N");
  }
  const bool numbers = options.partitions >= 0 || options.replicas >= 0 || !options.configs.empty();
  if (options.create.empty() && options.grow.empty() && numbers) {
    throw UsageError("--partitions, --replicas and --config go with --create NAME");
  }
  return options;
}

// What was done to each topic. Exit status.
int tell(const kafka::TopicResults& results, const char* done) {
  bool failed = false;
  for (const kafka::TopicResult& each : results) {
    if (each.error) {
      note(each.topic + ": " + each.message);
      failed = true;
    } else {
      note(std::string(done) + " " + each.topic);
    }
  }
  return failed ? 1 : 0;
}

int create(Session& session, const Options& options) {
  std::vector<kafka::NewTopic> topics;
  for (const std::string& name : options.create) {
    topics.push_back({name, options.partitions, options.replicas, options.configs});
  }
  kafka::Admin admin(session.client());
  return tell(session.call("cannot create topics",
                           [&](Diagnostics* diagnostics) {
                             return admin.async_create_topics(topics, asio::use_future,
                                                              diagnostics);
                           }),
              "created");
}

int remove(Session& session, const Options& options) {
  kafka::Admin admin(session.client());
  return tell(session.call("cannot delete topics",
                           [&](Diagnostics* diagnostics) {
                             return admin.async_delete_topics(options.remove, asio::use_future,
                                                              diagnostics);
                           }),
              "deleted");
}

int grow(Session& session, const Options& options) {
  std::vector<kafka::NewPartitions> topics;
  for (const std::string& name : options.grow) topics.push_back({name, options.partitions});
  kafka::Admin admin(session.client());
  return tell(session.call("cannot add partitions",
                           [&](Diagnostics* diagnostics) {
                             return admin.async_create_partitions(topics, asio::use_future,
                                                                  diagnostics);
                           }),
              "added partitions to");
}

kafka::ClusterDescription describe(Session& session, const std::vector<std::string>& names) {
  kafka::Admin admin(session.client());
  return session.call("cannot describe the cluster", [&](Diagnostics* diagnostics) {
    return names.empty() ? admin.async_describe_cluster(asio::use_future, diagnostics)
                         : admin.async_describe_topics(names, asio::use_future, diagnostics);
  });
}

// Exit status: whether all topics that were asked for exist.
int print(const std::string& text, const kafka::ClusterDescription& cluster) {
  Output output(STDOUT_FILENO);
  output.buffer() = text;
  output.flush();
  bool failed = false;
  for (const kafka::TopicDescription& topic : cluster.topics) {
    if (!topic.error) continue;
    note("topic " + topic.name + ": " + topic.error.message());
    failed = true;
  }
  return failed ? 1 : 0;
}

}  // namespace

int run_topics(const std::vector<std::string>& arguments) {
  const Options options = read(arguments);
  Session session(options.common);
  if (!options.create.empty()) return create(session, options);
  if (!options.remove.empty()) return remove(session, options);
  if (!options.grow.empty()) return grow(session, options);
  const kafka::ClusterDescription cluster = describe(session, options.names);
  if (options.common.json) {
    return print(cluster_json(cluster, options.names.empty() ? "*" : options.names[0]), cluster);
  }
  std::string text;
  for (const kafka::TopicDescription& topic : cluster.topics) {
    if (options.names.empty()) {
      text += topic.name + "\n";
    } else if (!topic.error) {
      text += topic_text(topic);
    }
  }
  return print(text, cluster);
}

int run_metadata(const std::vector<std::string>& arguments) {
  GivenOptions given = read_options(arguments, {TERN_COMMON_KAFKA_OPTIONS});
  CommonOptions options;
  for (const GivenOption& each : given.options) options.take(each);
  if (!given.others.empty()) {
    throw UsageError("\"" + given.others[0] + "\": a topic is named with -t");
  }
  Session session(options);
  std::vector<std::string> names;
  if (!options.topic.empty()) names.push_back(options.topic);
  const kafka::ClusterDescription cluster = describe(session, names);
  return print(
      options.json ? cluster_json(cluster, names.empty() ? "*" : names[0]) : cluster_text(cluster),
      cluster);
}

}  // namespace tern::cli
