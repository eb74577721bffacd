// The `tern` command.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "client/cli/commands.h"

namespace tern::cli {
namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(Arguments);
  const char* const* help;  // null: `run` deals with --help
};

constexpr Command kCommands[] = {
    {"kafka", "produce, consume, groups, topics, metadata: with the flags of kcat", run_kafka,
     nullptr},
    {"amqp", "publish, consume, get, declare, bind, delete, purge", run_amqp, nullptr},
    {"demo", "a million records there and back, and a consumer group; all of it checked", run_demo,
     &kDemoHelp},
    {"broker", "serve embedded Kafka and AMQP brokers", run_broker, &kBrokerHelp},
};

void print_help(std::FILE* to) {
  std::fprintf(to, "tern: Kafka and AMQP (RabbitMQ) from the command line\n\n");
  for (const Command& command : kCommands) {
    std::fprintf(to, "  tern %-8s %s\n", command.name, command.summary);
  }
  std::fprintf(to, "\n`tern COMMAND --help` tells more of each.\n");
}

// Started without one of the standard streams (`>&-`), what is opened first would be taken for it.
// So that one fails: it is opened for the other direction.
void fill_gaps() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int opened =
        ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int run(int argc, char** argv) {
  const std::vector<std::string> all(argv + 1, argv + argc);
  if (all.empty() || all[0] == "help" || all[0] == "--help" || all[0] == "-h") {
    print_help(all.empty() ? stderr : stdout);
    return all.empty() ? 2 : 0;
  }
  for (const Command& command : kCommands) {
    if (all[0] != command.name) continue;
    Arguments arguments({all.begin() + 1, all.end()});
    if (command.help && (arguments.flag("--help") || arguments.flag("-h"))) {
      std::fputs(*command.help, stdout);
      return 0;
    }
    return command.run(std::move(arguments));
  }
  std::fprintf(stderr, "tern: there is no command \"%s\"\n\n", all[0].c_str());
  print_help(stderr);
  return 2;
}

}  // namespace
}  // namespace tern::cli

int main(int argc, char** argv) {
  try {
    tern::cli::fill_gaps();
    return tern::cli::run(argc, argv);
  } catch (const tern::cli::UsageError& error) {
    std::fprintf(stderr, "tern: %s\nTry `tern %s --help`.\n", error.what(), argv[1]);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tern: %s\n", error.what());
    return 1;
  }
}
