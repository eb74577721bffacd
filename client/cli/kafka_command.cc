// tern kafka: finds the subcommand.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "client/cli/commands.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/session.h"

namespace tern::cli {

const char* const kCommonHelp = R"(
  -b, --brokers HOST:PORT,...  where to find the cluster
  -X NAME=VALUE                a setting by Kafka's name (linger.ms, acks, fetch.min.bytes, ...);
                               -X list names all there are
  -F FILE                      settings from a .properties file
  -m SECONDS                   patience with the cluster (10)
  -q, --quiet                  no summary, no words about brokers that are tried again
)";

namespace {

struct Subcommand {
  const char* name;
  const char* kcat;  // the flag kcat has for it
  const char* summary;
  int (*run)(const std::vector<std::string>&);
  const char* const* help;
};

constexpr Subcommand kConsume = {"consume", "-C",
                                 "read records, from anywhere or as a member of a group (-G)",
                                 run_consume, &kConsumeHelp};
constexpr Subcommand kSubcommands[] = {
    {"produce", "-P", "send lines, files or JSON", run_produce, &kProduceHelp},
    kConsume,
    {"topics", nullptr, "list, describe, create and delete topics; add partitions", run_topics,
     &kTopicsHelp},
    {"groups", nullptr, "list, describe and delete consumer groups; lag; reset offsets", run_groups,
     &kGroupsHelp},
    {"metadata", "-L", "brokers, topics, leaders, replicas", run_metadata, &kMetadataHelp},
};

void print_help(std::FILE* to) {
  std::fprintf(to, "tern kafka: with the flags of kcat where it has them\n\n");
  for (const Subcommand& each : kSubcommands) {
    std::fprintf(to, "  tern kafka %-9s %s%s%s\n", each.name, each.summary,
                 each.kcat ? "; also as " : "", each.kcat ? each.kcat : "");
  }
  std::fprintf(to, R"(
All of them take:%s
Examples:
  seq 1000 | tern kafka produce -b localhost:9092 -t numbers
  tern kafka consume -b localhost:9092 -t numbers -o -10 -e
  tern kafka consume -b localhost:9092 -t numbers -J | jq .payload
  tern kafka topics -b localhost:9092 --create orders --partitions 6
  tern kafka groups describe billing -b localhost:9092

From kcat: -P -C -L -G choose the command, and these mean what they mean there:
  all of them           -b -X -F -m -q -J -t
  produce               -p -k -K -D -H -z -l -c -T -Z FILE...
  consume               -p -o -e -c -f -K -D -J -O -Z -u; and for a group: -G GROUP TOPIC...
  not here (yet)        -s -r serializers, -Q (consume -o s@MS -c 1 -f '%%o\n'), -d -v -E

Exit status: 0 all went well, 1 it did not (a record was not delivered, a topic does not exist), 2 what
was asked for makes no sense, 130 it was interrupted before its end.
`tern kafka COMMAND --help` tells more of each.
)",
               kCommonHelp);
}

// By name, or as kcat says it: `tern kafka -b B -t T -C`, `tern kafka -b B -G GROUP T`.
const Subcommand* find(std::vector<std::string>& arguments) {
  for (const Subcommand& each : kSubcommands) {
    if (arguments[0] == each.name) {
      arguments.erase(arguments.begin());
      return &each;
    }
  }
  if (!arguments[0].starts_with('-')) return nullptr;
  for (const Subcommand& each : kSubcommands) {
    if (!each.kcat) continue;
    const auto flag = std::find(arguments.begin(), arguments.end(), each.kcat);
    if (flag == arguments.end()) continue;
    arguments.erase(flag);
    return &each;
  }
  const bool group = std::any_of(arguments.begin(), arguments.end(), [](const std::string& word) {
    return word.starts_with("-G") || word.starts_with("--group");
  });
  return group ? &kConsume : nullptr;
}

// -X list, whatever else there is.
bool wants_list(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool next = arguments[i] == "-X" && i + 1 < arguments.size();
    if (arguments[i] == "-Xlist" || (next && arguments[i + 1] == "list")) return true;
  }
  return false;
}

}  // namespace

int run_kafka(Arguments given) {
  std::vector<std::string> arguments = given.rest();
  const auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (arguments.empty() || is_help(arguments[0]) || arguments[0] == "help") {
    print_help(arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (wants_list(arguments)) {
    for (const std::string_view name : kafka::property_names()) {
      std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
    }
    return 0;
  }
  const std::string first = arguments[0];
  const Subcommand* command = find(arguments);
  if (!command) {
    std::fprintf(stderr, "tern: kafka has no command \"%s\"\n\n", first.c_str());
    print_help(stderr);
    return 2;
  }
  if (std::any_of(arguments.begin(), arguments.end(), is_help)) {
    std::printf("%s%s", *command->help, kCommonHelp);
    return 0;
  }
  // A reader that leaves, of records or of what is said about them, is no reason to lose any.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return command->run(arguments);
  } catch (const UsageError& error) {
    note(std::string(error.what()) + "\nTry `tern kafka " + command->name + " --help`.");
    return 2;
  } catch (const Interrupted&) {
    return kInterrupted;
  }
}

}  // namespace tern::cli
