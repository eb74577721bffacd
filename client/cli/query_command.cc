// tern kafka query: which offset has a time.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/kafka/consumer.h"

namespace tern::cli {

const char* const kQueryHelp =
    R"(tern kafka query -b BROKERS -t TOPIC:PARTITION:TIMESTAMP...: which offset has a time

Writes the offset of the first record that is of this time (milliseconds since 1970) or later; -1 if
there is none.

  -t TOPIC:PARTITION:TIMESTAMP  as often as you like; TIMESTAMP -2 is the first offset there is, -1
                                the one after the last
  -J, --json                    as kcat -Q -J has it

Examples:
  tern kafka query -b localhost:9092 -t orders:0:$(date -d '1 hour ago' +%s000)
  tern kafka query -b localhost:9092 -t orders:0:-2 -t orders:1:-2
)";

namespace {

using Found = std::map<kafka::TopicPartition, std::int64_t>;

struct Options {
  CommonOptions common;
  std::vector<kafka::TimeQuery> queries;
};

kafka::TimeQuery parse(const std::string& text) {
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  if (first == 0 || second == std::string::npos) {
    throw UsageError("-t: \"" + text +
                     "\" is not TOPIC:PARTITION:TIMESTAMP, as in orders:0:1700000000000");
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int64_t partition =
      number_of("-t, the partition", text.substr(first + 1, second - first - 1), 0,
                std::numeric_limits<std::int32_t>::max());
  const std::int64_t time = number_of("-t, the timestamp", text.substr(second + 1), -2, kMost);
  return {{text.substr(0, first), static_cast<std::int32_t>(partition)}, time};
}

Options read(const std::vector<std::string>& arguments) {
  const GivenOptions given = read_options(arguments, {TERN_COMMON_KAFKA_OPTIONS});
  Options options;
  std::set<kafka::TopicPartition> seen;
  for (const GivenOption& each : given.options) {
    options.common.take(each);
    if (each.letter != 't') continue;
    options.queries.push_back(parse(each.value));
    const kafka::TopicPartition& partition = options.queries.back().partition;
    if (!seen.insert(partition).second) {
      throw UsageError("-t: " + partition.topic + " [" + std::to_string(partition.partition) +
                       "] twice; ask for one time at a time");
    }
  }
  if (!given.others.empty()) {
    throw UsageError("\"" + given.others[0] + "\": say -t TOPIC:PARTITION:TIMESTAMP");
  }
  if (options.queries.empty()) {
    throw UsageError("the offset of what? say -t TOPIC:PARTITION:TIMESTAMP");
  }
  return options;
}

// Those that there are; the others are told.
std::vector<kafka::TimeQuery> existing(Session& session, std::vector<kafka::TimeQuery> queries) {
  std::vector<std::string> names;
  for (const kafka::TimeQuery& each : queries) names.push_back(each.partition.topic);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const std::vector<kafka::TopicDescription> topics = session.describe(names);
  std::erase_if(queries, [&](const kafka::TimeQuery& query) {
    const auto& [name, partition] = query.partition;
    const auto topic = std::find_if(topics.begin(), topics.end(),
                                    [&](const auto& each) { return each.name == name; });
    if (topic == topics.end() || topic->error) {
      const std::string why = topic == topics.end() ? "unknown" : topic->error.message();
      note("topic " + name + ": " + why + "; `tern kafka topics` lists what there is");
      return true;
    }
    const auto& all = topic->partitions;
    const bool found = std::any_of(
        all.begin(), all.end(), [p = partition](const auto& each) { return each.partition == p; });
    if (!found) {
      note("topic " + name + " has partitions 0 to " + std::to_string(all.size() - 1) +
           ", and no " + std::to_string(partition));
    }
    return !found;
  });
  return queries;
}

Found ask(Session& session, const std::vector<kafka::TimeQuery>& queries) {
  if (queries.empty()) return {};
  kafka::ConsumerConfig config = session.configs().consumer;
  config.group.clear();
  config.instance_id.clear();
  kafka::Consumer consumer(session.client(), config);
  const kafka::OffsetsAndTimes offsets =
      session.call("cannot find the offsets", [&](Diagnostics* diagnostics) {
        return consumer.async_offsets_for_times(queries, asio::use_future, diagnostics);
      });
  Found found;
  for (std::size_t i = 0; i < queries.size(); ++i) found[queries[i].partition] = offsets[i].offset;
  return found;
}

std::string text_of(const Found& found) {
  std::string out;
  for (const auto& [partition, offset] : found) {
    out += partition.topic + " [" + std::to_string(partition.partition) + "] offset " +
           std::to_string(offset) + "\n";
  }
  return out;
}

std::string json_of(const Found& found) {
  std::string out = "{";
  const std::string* topic = nullptr;
  for (const auto& [partition, offset] : found) {
    const std::string number = std::to_string(partition.partition);
    if (!topic || *topic != partition.topic) {
      if (topic) out += "},";
      topic = &partition.topic;
      append_json_string(*topic, out);
      out += ":{\"topic\":";
      append_json_string(*topic, out);
    }
    out += ",\"" + number + "\":{\"partition\":" + number +
           ",\"offset\":" + std::to_string(offset) + "}";
  }
  return out + (topic ? "}}\n" : "}\n");
}

}  // namespace

int run_query(const std::vector<std::string>& arguments) {
  const Options options = read(arguments);
  Session session(options.common);
  const Found found = ask(session, existing(session, options.queries));
  Output output(STDOUT_FILENO);
  output.buffer() = options.common.json ? json_of(found) : text_of(found);
  output.flush();
  return found.size() == options.queries.size() ? 0 : kFailed;
}

}  // namespace tern::cli
