// tern kafka: finds the subcommand.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "client/cli/commands.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/kcat_flags.h"
#include "client/cli/options.h"
#include "client/cli/session.h"
#include "client/cli/subcommand.h"
#include "client/core/version.h"

namespace tern::cli {

const char* const kCommonHelp = R"(
  -b, --brokers HOST:PORT,...  where to find the cluster
  -X NAME=VALUE                a setting by Kafka's name (linger.ms, acks, fetch.min.bytes, ...);
                               -X list names all there are, -X dump those that are set.
                               TLS: security.protocol=ssl, ssl.ca.location=FILE (PEM; the system's
                               authorities without it), ssl.certificate.location, ssl.key.location
                               and ssl.key.password if the cluster wants to know who you are
  -F FILE                      settings from a .properties file; without it from the one that
                               KCAT_CONFIG names, unless -F none
  -m SECONDS                   patience with the cluster (10)
  -q, --quiet                  no summary, no words about brokers that are tried again
  -v, --verbose                more words: connections and rebalances; -vv batches, -vvv requests
  -d, --debug CONTEXT,...      what of librdkafka's contexts an Observer sees, on standard error: all,
                               broker, protocol, metadata, fetch, msg, cgrp, admin, ...
)";

namespace {

constexpr Subcommand kSubcommands[] = {
    {"produce", "send lines, files or JSON", run_produce, &kProduceHelp, 'P'},
    {"consume", "read records, from anywhere or as a member of a group (-G)", run_consume,
     &kConsumeHelp, 'C'},
    {"topics", "list, describe, create and delete topics; add partitions", run_topics,
     &kTopicsHelp},
    {"groups", "list, describe and delete consumer groups; lag; reset offsets", run_groups,
     &kGroupsHelp},
    {"query", "offsets by time", run_query, &kQueryHelp, 'Q'},
    {"metadata", "brokers, topics, leaders, replicas", run_metadata, &kMetadataHelp, 'L'},
};

void print_help(std::FILE* to);
const Subcommand* guess(std::vector<std::string>& arguments);
const Family kFamily = {"kafka", kSubcommands, kCommonHelp, print_help, guess};

void print_help(std::FILE* to) {
  std::fprintf(to, "tern kafka: with the flags of kcat where it has them\n\n");
  print_summaries(kFamily, to);
  std::fprintf(to, R"(
All of them take:%s
Examples:
  seq 1000 | tern kafka produce -b localhost:9092 -t numbers
  tern kafka consume -b localhost:9092 -t numbers -o -10 -e
  tern kafka consume -b localhost:9092 -t numbers -J | jq .payload
  tern kafka topics -b localhost:9092 --create orders --partitions 6
  tern kafka groups describe billing -b localhost:9092
  tern kafka -L -b broker:9093 -X security.protocol=ssl -X ssl.ca.location=ca.pem

From kcat: -P -C -L -Q -G choose the command; without one of them and without a name it is produce
if standard input is no terminal, and consume if it is. These mean what they mean there:
  all of them           -b -X -F -m -q -v -d -J -E -t; -V (version) -h
  produce               -p -k -K -D -H -z -l -c -T -Z FILE...
  consume               -p -o -e -c -f -s -K -D -J -O -Z -u; and for a group: -G GROUP TOPIC...
  query (-Q)            -t TOPIC:PARTITION:TIMESTAMP...
  not here              -r and -s avro (no schema registry), transactional.id, SASL,
                        -M (`tern broker` is an embedded cluster), ~/.config/kcat.conf (-F names it)

Exit status: 0 all went well, 1 it did not (a record was not delivered, a topic does not exist), 2 what
was asked for makes no sense, 130 it was interrupted before its end.
`tern kafka COMMAND --help` tells more of each.
)",
               kCommonHelp);
}

// As kcat says it: `tern kafka -b B -t T -C`, `tern kafka -b B -G GROUP T`.
const Subcommand* guess(std::vector<std::string>& arguments) {
  if (!arguments[0].starts_with('-')) return nullptr;
  auto [letter, quiet] = take_mode(arguments);
  if (letter == 'M') throw UsageError(std::string("-M: ") + kcat_hint('M'));
  if (letter == 'G') letter = 'C';
  if (letter == 0) {
    const bool terminal = isatty(STDIN_FILENO) != 0;
    letter = terminal ? 'C' : 'P';
    if (!quiet) {
      note(terminal ? "this is `consume`, as standard input is a terminal; -P makes it `produce`"
                    : "this is `produce`, as standard input is no terminal; -C makes it `consume`");
    }
  }
  const auto* const found =
      std::find_if(std::begin(kSubcommands), std::end(kSubcommands),
                   [wanted = letter](const Subcommand& each) { return each.kcat == wanted; });
  return found == std::end(kSubcommands) ? nullptr : found;
}

// What is asked with -X, whatever else there is: "list", "dump", or nothing.
std::string_view asked_about_settings(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (word == "-X" && i + 1 < arguments.size()) {
      word = arguments[i + 1];
    } else if (word.starts_with("-X")) {
      word.remove_prefix(2);
    } else {
      continue;
    }
    if (word == "list" || word == "help") return "list";
    if (word == "dump") return "dump";
  }
  return {};
}

int list_settings() {
  for (const std::string_view name : kafka::property_names()) {
    std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
  }
  return 0;
}

// Those that are given; the command and its own options do not matter.
int dump_settings(const std::vector<std::string>& arguments) {
  std::vector<std::string> left(arguments);
  if (!left[0].starts_with('-')) left.erase(left.begin());
  static_cast<void>(take_mode(left));
  std::vector<Option> known = produce_options();
  for (const Option& each : consume_options()) known.push_back(each);
  const GivenOptions given = read_options(left, known);
  CommonOptions options;
  for (const GivenOption& each : given.options) {
    if (each.letter == 'X' && each.value == "dump") continue;
    if (each.letter == 'z') options.properties.push_back({"compression.type", each.value});
    options.take(each);
  }
  const std::vector<kafka::Property> settings = options.given();
  kafka::Configs configs = empty_configs();
  if (const Failure failure = kafka::apply_properties(settings, configs)) {
    throw UsageError(failure.message());
  }
  for (const kafka::Property& each : settings) {
    const bool secret = each.name == "ssl.key.password" || each.name == "ssl.key.pem";
    std::printf("%s = %s\n", each.name.c_str(), secret ? "[redacted]" : each.value.c_str());
  }
  return 0;
}

}  // namespace

int run_kafka(Arguments given) {
  const std::vector<std::string>& arguments = given.rest();
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (first == "-V" || first == "--version") {
    std::printf("tern %s\n", kVersion);
    return 0;
  }
  const std::string_view asked = asked_about_settings(arguments);
  if (asked == "list") return list_settings();
  if (asked == "dump") return dump_settings(arguments);
  return run_subcommand(kFamily, arguments);
}

}  // namespace tern::cli
