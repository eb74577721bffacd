// tern kafka groups: lists, describes and deletes groups; what it changes of their offsets is in
// groups_offsets.cc.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "client/cli/groups.h"
#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/output.h"
#include "client/cli/times.h"

namespace tern::cli {

const char* const kGroupsHelp =
    R"(tern kafka groups ACTION -b BROKERS: consumer groups, and how far they have come

Groups of the classic protocol and of the consumer protocol (KIP-848) alike.

  list                       all groups: name, protocol, state
  describe [GROUP...]        state, members, and for each partition what is stored (COMMITTED), where it
                             ends (END), the difference (LAG) and who reads it; without GROUP, all
  delete GROUP...            groups that have no members, with all they have stored
  delete-offsets GROUP       what is stored for topics that no member has subscribed to
  reset-offsets GROUP        where a group without members will go on. Shows what it would do; does it
                             with --execute. One of:
    --to-earliest            the first record there is
    --to-latest              the end
    --to-current             where it is, within what there is
    --to-offset N            this offset, within what there is
    --shift-by N             so many records on, or back if N is below 0
    --by-duration SPAN       the first record not older than this: 90s, 15m, 2h, 7d, PT1H30M
    --to-datetime TIME       the first record of this time or later: 2024-06-01T12:30:00 (UTC), or with
                             Z or +02:00 behind

  -t, --topic TOPIC          delete-offsets and reset-offsets: this topic, as often as you like;
                             TOPIC:0,2 for some of its partitions
  --all-topics               reset-offsets: all partitions that the group has stored something for
  --execute                  reset-offsets: do it
  --dry-run                  reset-offsets: only show it, which it does anyway
  -J, --json                 one JSON object a line: a group, or a partition of reset-offsets

Examples:
  tern kafka groups list -b localhost:9092
  tern kafka groups describe billing -b localhost:9092
  tern kafka groups describe -b localhost:9092 -J | jq -c '[.group, .lag]'
  tern kafka groups reset-offsets billing -b localhost:9092 -t orders --to-earliest --execute
  tern kafka groups reset-offsets billing -b localhost:9092 --all-topics --by-duration 2h
  tern kafka groups reset-offsets billing -b localhost:9092 -t orders:0,3 --shift-by -10 --execute
  tern kafka groups delete billing -b localhost:9092
)";

namespace {

// Options that have only a long name.
enum Letter : char {
  kAllTopics = 1,
  kToEarliest,
  kToLatest,
  kToCurrent,
  kToOffset,
  kShiftBy,
  kByDuration,
  kToDatetime,
  kExecute,
  kDryRun
};

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t now_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

void choose(GroupsOptions& out, Reset reset, std::int64_t value = 0) {
  if (out.reset != Reset::none) throw UsageError("two places to go to: say one of them");
  out.reset = reset;
  out.value = value;
}

void take(const GivenOption& option, GroupsOptions& out) {
  switch (option.letter) {
    case 't':
      out.topics.push_back(option.value);
      break;
    case kAllTopics:
      out.all_topics = true;
      break;
    case kToEarliest:
      choose(out, Reset::earliest);
      break;
    case kToLatest:
      choose(out, Reset::latest);
      break;
    case kToCurrent:
      choose(out, Reset::current);
      break;
    case kToOffset:
      choose(out, Reset::offset, number_of("--to-offset", option.value, 0, kMost));
      break;
    case kShiftBy:
      choose(out, Reset::shift, number_of("--shift-by", option.value, -kMost, kMost));
      break;
    case kByDuration:
      choose(out, Reset::time,
             std::max<std::int64_t>(now_ms() - duration_ms("--by-duration", option.value), 0));
      break;
    case kToDatetime:
      choose(out, Reset::time,
             std::max<std::int64_t>(datetime_ms("--to-datetime", option.value), 0));
      break;
    case kExecute:
      out.execute = true;
      break;
    case kDryRun:
      out.dry_run = true;
      break;
    default:
      out.common.take(option);
  }
}

GroupsOptions read(const std::vector<std::string>& arguments) {
  GivenOptions given = read_options(arguments, {TERN_COMMON_KAFKA_OPTIONS,
                                                {kAllTopics, "all-topics", false},
                                                {kToEarliest, "to-earliest", false},
                                                {kToLatest, "to-latest", false},
                                                {kToCurrent, "to-current", false},
                                                {kToOffset, "to-offset", true},
                                                {kShiftBy, "shift-by", true},
                                                {kByDuration, "by-duration", true},
                                                {kToDatetime, "to-datetime", true},
                                                {kExecute, "execute", false},
                                                {kDryRun, "dry-run", false}});
  GroupsOptions options;
  for (const GivenOption& each : given.options) take(each, options);
  options.groups = std::move(given.others);
  return options;
}

// One that offsets are to be changed of, and which.
void check_offsets(const GroupsOptions& options, const std::string& action) {
  if (options.groups.size() != 1) {
    throw UsageError(options.groups.empty() ? "which group? say `groups " + action + " GROUP`"
                                            : action + ": one group at a time");
  }
  if (options.topics.empty() && !options.all_topics) {
    throw UsageError("of which topics? say -t TOPIC" +
                     std::string(action == "reset-offsets" ? ", or --all-topics" : ""));
  }
  if (!options.topics.empty() && options.all_topics) {
    throw UsageError("--all-topics and -t: one of them");
  }
  if (options.execute && options.dry_run) throw UsageError("--execute and --dry-run: one of them");
}

void check(const GroupsOptions& options, const std::string& action) {
  const bool resets = action == "reset-offsets";
  if (resets || action == "delete-offsets") {
    check_offsets(options, action);
  } else if (!options.topics.empty()) {
    throw UsageError("-t goes with reset-offsets and delete-offsets");
  }
  if (resets && options.reset == Reset::none) {
    throw UsageError(
        "where to? say --to-earliest, --to-latest, --to-current, --to-offset N, --shift-by N, "
        "--by-duration SPAN or --to-datetime TIME");
  }
  const bool given = options.reset != Reset::none || options.all_topics || options.execute;
  if (!resets && (given || options.dry_run)) {
    throw UsageError(
        "--to-..., --shift-by, --by-duration, --all-topics, --execute and --dry-run go "
        "with reset-offsets");
  }
  if (action == "list" && !options.groups.empty()) {
    throw UsageError("\"" + options.groups[0] + "\": `groups describe " + options.groups[0] +
                     "` tells of one group");
  }
  if (action == "delete" && options.groups.empty()) {
    throw UsageError("which groups? say `groups delete GROUP...`");
  }
}

void write(const std::string& text) {
  Output output(STDOUT_FILENO);
  output.buffer() = text;
  output.flush();
}

void add(std::string& json, const char* name, const std::string& value) {
  json += std::string(",\"") + name + "\":";
  append_json_string(value, json);
}
void add(std::string& json, const char* name, std::int64_t value) {
  json += std::string(",\"") + name + "\":" + std::to_string(value);
}

std::string dash(const std::string& text) { return text.empty() ? "-" : text; }

std::vector<kafka::GroupListing> listed(Session& session) {
  kafka::Admin admin(session.client());
  return session.call("cannot list groups", [&](Diagnostics* diagnostics) {
    return admin.async_list_groups(asio::use_future, diagnostics);
  });
}

int list(Session& session, const GroupsOptions& options) {
  std::string json;
  std::vector<std::vector<std::string>> rows = {{"GROUP", "PROTOCOL", "STATE"}};
  for (const kafka::GroupListing& each : listed(session)) {
    // What is no consumer group says so: "connect".
    const bool of_consumers = each.protocol == "consumer" || each.protocol.empty();
    rows.push_back({each.group, dash(of_consumers ? each.type : each.protocol), dash(each.state)});
    json += "{\"group\":";
    append_json_string(each.group, json);
    add(json, "type", each.type);
    add(json, "protocol", each.protocol);
    add(json, "state", each.state);
    json += "}\n";
  }
  write(options.common.json ? json : table(rows));
  return 0;
}

// A group with its partitions: what is stored, and what the members have.
struct Described {
  struct Partition {
    std::int64_t committed = -1;
    std::int64_t end = -1;
    std::string metadata;
    const kafka::MemberDescription* member = nullptr;
    std::int64_t lag() const { return committed < 0 || end < 0 ? -1 : end - committed; }
  };
  kafka::GroupDescription group;
  std::map<kafka::TopicPartition, Partition> partitions;

  std::int64_t lag() const {
    std::int64_t sum = 0;
    for (const auto& [name, each] : partitions) sum += std::max<std::int64_t>(each.lag(), 0);
    return sum;
  }
};

std::string json_of(const Described& described) {
  const kafka::GroupDescription& group = described.group;
  std::string json = "{\"group\":";
  append_json_string(group.group, json);
  add(json, "type", group.type);
  add(json, "protocol", group.protocol);
  add(json, "state", group.state);
  add(json, "assignor", group.assignor);
  add(json, "coordinator", group.coordinator);
  add(json, "epoch", group.epoch);
  add(json, "lag", described.lag());
  json += ",\"members\":[";
  for (const kafka::MemberDescription& each : group.members) {
    if (&each != group.members.data()) json += ',';
    json += "{\"member\":";
    append_json_string(each.member_id, json);
    add(json, "instance", each.instance_id);
    add(json, "client", each.client_id);
    add(json, "host", each.host);
    json += '}';
  }
  json += "],\"partitions\":[";
  bool first = true;
  for (const auto& [name, each] : described.partitions) {
    json += std::exchange(first, false) ? "{\"topic\":" : ",{\"topic\":";
    append_json_string(name.topic, json);
    add(json, "partition", name.partition);
    add(json, "committed", each.committed);
    add(json, "end", each.end);
    add(json, "lag", each.lag());
    add(json, "metadata", each.metadata);
    add(json, "member", each.member ? each.member->member_id : std::string());
    json += '}';
  }
  return json + "]}\n";
}

std::string number_or_dash(std::int64_t number) {
  return number < 0 ? "-" : std::to_string(number);
}

std::string text_of(const Described& described) {
  const kafka::GroupDescription& group = described.group;
  const std::size_t members = group.members.size();
  std::string text = "group \"" + group.group + "\": " + group.state + ", " + group.type +
                     " protocol" + (group.assignor.empty() ? "" : ", " + group.assignor) + ", " +
                     (members == 0 ? "no" : std::to_string(members)) +
                     (members == 1 ? " member" : " members") + ", coordinator " +
                     std::to_string(group.coordinator) + ", lag " +
                     std::to_string(described.lag()) + "\n";
  std::vector<std::vector<std::string>> rows = {
      {"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"}};
  const auto add_row = [&rows](std::vector<std::string> row, const kafka::MemberDescription* who) {
    const std::string name = who && !who->instance_id.empty()
                                 ? who->member_id + " (" + who->instance_id + ")"
                                 : (who ? who->member_id : std::string());
    row.insert(row.end(), {dash(name), dash(who ? who->client_id : std::string()),
                           dash(who ? who->host : std::string())});
    rows.push_back(std::move(row));
  };
  for (const auto& [name, each] : described.partitions) {
    add_row({name.topic, std::to_string(name.partition), number_or_dash(each.committed),
             number_or_dash(each.end),
             each.committed < 0 || each.end < 0 ? "-" : std::to_string(each.lag())},
            each.member);
  }
  for (const kafka::MemberDescription& each : group.members) {
    if (each.assignment.empty()) add_row({"-", "-", "-", "-", "-"}, &each);
  }
  return rows.size() == 1 ? text : text + table(rows);
}

int describe(Session& session, const GroupsOptions& options) {
  std::vector<std::string> names = options.groups;
  if (names.empty()) {
    for (const kafka::GroupListing& each : listed(session)) {
      if (each.type != "share" && each.type != "streams") names.push_back(each.group);
    }
  }
  kafka::Admin admin(session.client());
  kafka::GroupDescriptions groups =
      session.call("cannot describe groups", [&](Diagnostics* diagnostics) {
        return admin.async_describe_groups(names, asio::use_future, diagnostics);
      });
  bool failed = false;
  std::vector<Described> all(groups.size());
  std::set<kafka::TopicPartition> partitions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    kafka::GroupDescription& group = all[i].group = std::move(groups[i]);
    if (group.error) {
      note(group.message + "; `tern kafka groups list` lists what there is");
      failed = true;
      continue;
    }
    const kafka::Offsets stored = session.call("cannot tell offsets", [&](Diagnostics* why) {
      return admin.async_group_offsets(group.group, asio::use_future, why);
    });
    for (const kafka::PartitionOffset& each : stored) {
      Described::Partition& partition = all[i].partitions[{each.topic, each.partition}];
      partition.committed = each.offset;
      partition.metadata = each.metadata;
    }
    for (const kafka::MemberDescription& member : group.members) {
      for (const kafka::TopicPartition& each : member.assignment) {
        all[i].partitions[each].member = &member;
      }
    }
    for (const auto& [name, each] : all[i].partitions) partitions.insert(name);
  }
  Ends ends(session);
  const Ends::Found found =
      ends.find(ends.readable({partitions.begin(), partitions.end()}), kafka::kLatestTime);
  std::string text;
  for (Described& each : all) {
    if (each.group.error) continue;
    for (auto& [name, partition] : each.partitions) {
      if (const auto end = found.find(name); end != found.end()) partition.end = end->second;
    }
    text += options.common.json ? json_of(each) : text_of(each);
  }
  write(text);
  return failed ? kFailed : 0;
}

int remove(Session& session, const GroupsOptions& options) {
  kafka::Admin admin(session.client());
  const kafka::GroupResults results =
      session.call("cannot delete groups", [&](Diagnostics* diagnostics) {
        return admin.async_delete_groups(options.groups, asio::use_future, diagnostics);
      });
  bool failed = false;
  for (const kafka::GroupResult& each : results) {
    if (!each.error) {
      note("deleted group " + each.group);
      continue;
    }
    const bool in_use = each.error == kafka::BrokerErrc::non_empty_group;
    note(each.message +
         (in_use ? "; it can be deleted when its members have left (`tern kafka groups describe " +
                       each.group + "` names them)"
                 : "; `tern kafka groups list` lists what there is"));
    failed = true;
  }
  return failed ? kFailed : 0;
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += "  " + row[i] + std::string(widths[i] - row[i].size(), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

int run_groups(const std::vector<std::string>& arguments) {
  struct Action {
    const char* name;
    int (*run)(Session&, const GroupsOptions&);
  };
  constexpr Action kActions[] = {{"list", list},
                                 {"describe", describe},
                                 {"delete", remove},
                                 {"delete-offsets", delete_offsets},
                                 {"reset-offsets", reset_offsets}};
  GroupsOptions options = read(arguments);
  const std::string name = options.groups.empty() ? std::string() : options.groups[0];
  for (const Action& each : kActions) {
    if (name != each.name) continue;
    options.groups.erase(options.groups.begin());
    check(options, name);
    Session session(options.common);
    return each.run(session, options);
  }
  throw UsageError((name.empty() ? "groups: what to do?" : "groups cannot \"" + name + "\":") +
                   " say list, describe, delete, delete-offsets or reset-offsets");
}

}  // namespace tern::cli
