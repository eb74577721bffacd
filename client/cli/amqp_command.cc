// tern amqp: finds the subcommand.
#include <cstdio>

#include "client/cli/amqp_commands.h"
#include "client/cli/commands.h"
#include "client/cli/subcommand.h"

namespace tern::cli {
namespace {

constexpr const char* kCommonHelp = R"(
  -u, --url URL               amqp://user:password@host:port/vhost, with more than one host if you
                              like; without it AMQP_URL, or else amqp://guest:guest@localhost;
                              amqps://... for TLS, with ?cacertfile=FILE and the like
  -m SECONDS                  patience with the broker (10)
      --quiet                 no summary, no words about connections that are made again
)";

constexpr Subcommand kSubcommands[] = {
    {"publish", "send lines, files or JSON, and wait for the broker's confirms", run_amqp_publish,
     &kAmqpPublishHelp},
    {"consume", "receive messages, and acknowledge what was written", run_amqp_consume,
     &kAmqpConsumeHelp},
    {"get", "take what a queue has, without waiting", run_amqp_get, &kAmqpGetHelp},
    {"declare", "make a queue or an exchange", run_amqp_declare, &kAmqpDeclareHelp},
    {"bind", "bind a queue or an exchange to an exchange", run_amqp_bind, &kAmqpBindHelp},
    {"delete", "delete queues or exchanges", run_amqp_delete, &kAmqpDeleteHelp},
    {"purge", "throw away the messages of a queue", run_amqp_purge, &kAmqpPurgeHelp},
};

void print_help(std::FILE* to);
constexpr Family kFamily = {"amqp", kSubcommands, kCommonHelp, print_help};

void print_help(std::FILE* to) {
  std::fprintf(to, "tern amqp: AMQP 0-9-1 (RabbitMQ) from the command line\n\n");
  print_summaries(kFamily, to);
  std::fprintf(to, R"(
All of them take:%s
Examples:
  export AMQP_URL=amqp://guest:guest@localhost:5672/
  tern amqp declare queue numbers
  seq 1000 | tern amqp publish -q numbers
  tern amqp consume -q numbers -c 10
  tern amqp consume -e logs -r '#' -J | jq .payload

Exit status: 0 all went well, 1 it did not (a message was not taken, a queue does not exist), 2 what was
asked for makes no sense, 130 it was interrupted before its end.
`tern amqp COMMAND --help` tells more of each.
)",
               kCommonHelp);
}

}  // namespace

int run_amqp(Arguments given) { return run_subcommand(kFamily, given.rest()); }

}  // namespace tern::cli
