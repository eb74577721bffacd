// tern kafka groups reset-offsets and delete-offsets.
#include <unistd.h>

#include <algorithm>
#include <set>

#include "client/cli/groups.h"
#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/output.h"

namespace tern::cli {
namespace {

std::string name_of(const kafka::TopicPartition& partition) {
  return partition.topic + " [" + std::to_string(partition.partition) + "]";
}

// "orders", all of it; "orders:0,2", these partitions.
kafka::Partitions named(Ends& ends, const std::vector<std::string>& words) {
  std::set<kafka::TopicPartition> all;
  for (const std::string& word : words) {
    const std::size_t colon = word.find(':');
    const std::string topic = word.substr(0, colon);
    const kafka::Partitions there = ends.of_topics({topic});
    if (colon == std::string::npos) all.insert(there.begin(), there.end());
    for (std::size_t at = colon; at != std::string::npos;) {
      const std::size_t comma = word.find(',', at + 1);
      const kafka::TopicPartition one{
          topic, static_cast<std::int32_t>(number_of("-t", word.substr(at + 1, comma - at - 1), 0,
                                                     std::numeric_limits<std::int32_t>::max()))};
      if (std::find(there.begin(), there.end(), one) == there.end()) {
        throw UsageError("-t " + word + ": topic " + topic + " has partitions 0 to " +
                         std::to_string(there.size() - 1));
      }
      all.insert(one);
      at = comma;
    }
  }
  return {all.begin(), all.end()};
}

// Only a group that nobody is in can be changed; one that does not exist comes into being.
void expect_no_members(Session& session, const std::string& group) {
  kafka::Admin admin(session.client());
  const kafka::GroupDescription found =
      session
          .call("cannot describe the group",
                [&](Diagnostics* diagnostics) {
                  return admin.async_describe_groups(std::vector<std::string>(1, group),
                                                     asio::use_future, diagnostics);
                })
          .at(0);
  if (found.error && found.error != kafka::BrokerErrc::group_id_not_found) {
    throw std::runtime_error(found.message);
  }
  if (found.members.empty()) return;
  throw std::runtime_error("group " + group + " is " + found.state +
                           " and has members; offsets can be reset when they have left (`tern "
                           "kafka groups describe " +
                           group + "` names them)");
}

struct Move {
  kafka::TopicPartition partition;
  std::int64_t from = -1;  // -1: nothing is stored
  std::int64_t to = -1;
};

// Where each partition is to go, within what there is of it.
class Planner {
 public:
  Planner(Ends& ends, const GroupsOptions& options, const kafka::Offsets& stored)
      : options_(options) {
    for (const kafka::PartitionOffset& each : stored) {
      stored_[{each.topic, each.partition}] = each.offset;
    }
    kafka::Partitions wanted;
    if (options.all_topics) {
      for (const auto& [name, offset] : stored_) wanted.push_back(name);
    } else {
      wanted = named(ends, options.topics);
    }
    partitions_ = ends.readable(wanted);
    for (const kafka::TopicPartition& each : wanted) {
      if (std::binary_search(partitions_.begin(), partitions_.end(), each)) continue;
      note(name_of(each) + " is not there, or has no leader now: left as it is");
      incomplete_ = true;
    }
    first_ = ends.find(partitions_, kafka::kEarliestTime);
    next_ = ends.find(partitions_, kafka::kLatestTime);
    if (options.reset == Reset::time) timed_ = ends.find(partitions_, options.value);
  }

  std::vector<Move> moves() {
    std::vector<Move> moves;
    for (const kafka::TopicPartition& each : partitions_) {
      const auto stored = stored_.find(each);
      const std::int64_t from = stored == stored_.end() ? -1 : stored->second;
      if (from < 0 && options_.reset == Reset::shift) {
        note(name_of(each) + ": nothing is stored that could be shifted");
        incomplete_ = true;
        continue;
      }
      const std::int64_t wanted = wanted_for(each, from);
      const std::int64_t to = std::clamp(wanted, first_.at(each), next_.at(each));
      if (to != wanted) {
        note(name_of(each) + ": there is no offset " + std::to_string(wanted) + ", it has " +
             std::to_string(first_.at(each)) + " to before " + std::to_string(next_.at(each)));
      }
      moves.push_back({each, from, to});
    }
    return moves;
  }
  // Something was asked for that cannot be done.
  bool incomplete() const { return incomplete_; }

 private:
  std::int64_t wanted_for(const kafka::TopicPartition& partition, std::int64_t from) const {
    switch (options_.reset) {
      case Reset::earliest:
        return first_.at(partition);
      case Reset::current:
        return from < 0 ? next_.at(partition) : from;
      case Reset::offset:
        return options_.value;
      case Reset::shift: {
        std::int64_t to = 0;
        if (!__builtin_add_overflow(from, options_.value, &to)) return to;
        return std::numeric_limits<std::int64_t>::max();
      }
      case Reset::time:
        if (const std::int64_t at = timed_.at(partition); at >= 0) return at;
        return next_.at(partition);
      case Reset::latest:
      case Reset::none:
        break;
    }
    return next_.at(partition);
  }

  const GroupsOptions& options_;
  Ends::Found stored_;
  kafka::Partitions partitions_;
  Ends::Found first_, next_, timed_;
  bool incomplete_ = false;
};

void print(const std::vector<Move>& moves, const std::string& group, bool json, bool done) {
  std::string text;
  std::vector<std::vector<std::string>> rows = {{"TOPIC", "PARTITION", "FROM", "TO"}};
  for (const Move& each : moves) {
    rows.push_back({each.partition.topic, std::to_string(each.partition.partition),
                    each.from < 0 ? "-" : std::to_string(each.from), std::to_string(each.to)});
    if (!json) continue;
    text += "{\"group\":";
    append_json_string(group, text);
    text += ",\"topic\":";
    append_json_string(each.partition.topic, text);
    text += ",\"partition\":" + std::to_string(each.partition.partition) +
            ",\"from\":" + std::to_string(each.from) + ",\"to\":" + std::to_string(each.to) +
            ",\"done\":" + (done ? "true" : "false") + "}\n";
  }
  Output output(STDOUT_FILENO);
  output.buffer() = json ? text : table(rows);
  output.flush();
}

// Whether all went well; says what did not.
bool check_results(const kafka::PartitionResults& results, const char* failed,
                   const char* in_use_hint) {
  bool good = true;
  for (const kafka::PartitionResult& each : results) {
    if (!each.error) continue;
    const bool in_use = each.error == kafka::BrokerErrc::unknown_member_id ||
                        each.error == kafka::BrokerErrc::group_subscribed_to_topic;
    note(name_of(each.partition) + failed + each.error.message() + (in_use ? in_use_hint : ""));
    good = false;
  }
  return good;
}

}  // namespace

Ends::Ends(Session& session) : session_(session), consumer_(session.client()) {}

kafka::Partitions Ends::readable(const kafka::Partitions& partitions) {
  std::set<std::string> topics;
  for (const kafka::TopicPartition& each : partitions) topics.insert(each.topic);
  if (topics.empty()) return {};
  std::set<kafka::TopicPartition> there;
  const std::vector<std::string> names(topics.begin(), topics.end());
  for (const kafka::TopicDescription& topic : session_.describe(names)) {
    for (const kafka::PartitionDescription& each : topic.partitions) {
      if (!topic.error && each.leader >= 0) there.insert({topic.name, each.partition});
    }
  }
  kafka::Partitions readable;
  std::copy_if(partitions.begin(), partitions.end(), std::back_inserter(readable),
               [&](const kafka::TopicPartition& each) { return there.contains(each); });
  return readable;
}

kafka::Partitions Ends::of_topics(const std::vector<std::string>& topics) {
  kafka::Partitions all;
  for (const kafka::TopicDescription& topic : session_.describe(topics)) {
    if (topic.error) {
      throw std::runtime_error("topic " + topic.name + ": " + topic.error.message() +
                               "; `tern kafka topics` lists what there is");
    }
    for (const kafka::PartitionDescription& each : topic.partitions) {
      all.push_back({topic.name, each.partition});
    }
  }
  return all;
}

Ends::Found Ends::find(const kafka::Partitions& partitions, std::int64_t time_ms) {
  Found found;
  if (partitions.empty()) return found;
  std::vector<kafka::TimeQuery> queries;
  for (const kafka::TopicPartition& each : partitions) queries.push_back({each, time_ms});
  const kafka::OffsetsAndTimes answers =
      session_.call("cannot find offsets", [&](Diagnostics* diagnostics) {
        return consumer_.async_offsets_for_times(queries, asio::use_future, diagnostics);
      });
  for (std::size_t i = 0; i < partitions.size(); ++i) found[partitions[i]] = answers[i].offset;
  return found;
}

int reset_offsets(Session& session, const GroupsOptions& options) {
  const std::string& group = options.groups[0];
  expect_no_members(session, group);
  kafka::Admin admin(session.client());
  const kafka::Offsets stored = session.call("cannot tell offsets", [&](Diagnostics* diagnostics) {
    return admin.async_group_offsets(group, asio::use_future, diagnostics);
  });
  Ends ends(session);
  Planner planner(ends, options, stored);
  const std::vector<Move> moves = planner.moves();
  bool good = !planner.incomplete();
  if (moves.empty()) {
    note("group " + group + ": nothing to reset");
    return good ? 0 : kFailed;
  }
  if (options.execute) {
    kafka::Offsets offsets;
    for (const Move& each : moves) {
      offsets.push_back({.topic = each.partition.topic,
                         .partition = each.partition.partition,
                         .offset = each.to});
    }
    const kafka::PartitionResults results =
        session.call("cannot reset offsets", [&](Diagnostics* diagnostics) {
          return admin.async_set_group_offsets(group, offsets, asio::use_future, diagnostics);
        });
    good = check_results(results, " was not reset: ", "; has somebody joined the group?") && good;
  }
  print(moves, group, options.common.json, options.execute);
  if (!options.execute && !options.common.quiet()) note("nothing was changed; --execute does it");
  return good ? 0 : kFailed;
}

int delete_offsets(Session& session, const GroupsOptions& options) {
  const std::string& group = options.groups[0];
  Ends ends(session);
  const kafka::Partitions partitions = named(ends, options.topics);
  kafka::Admin admin(session.client());
  const kafka::PartitionResults results =
      session.call("cannot delete offsets", [&](Diagnostics* diagnostics) {
        return admin.async_delete_group_offsets(group, partitions, asio::use_future, diagnostics);
      });
  const bool good =
      check_results(results, ": offset not deleted: ",
                    "; that can be done when no member of the group is subscribed to the topic");
  if (good) note("deleted the offsets of " + std::to_string(results.size()) + " partitions");
  return good ? 0 : kFailed;
}

}  // namespace tern::cli
