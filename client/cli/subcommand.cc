#include "client/cli/subcommand.h"

#include <algorithm>
#include <csignal>

#include "client/cli/arguments.h"
#include "client/cli/words.h"

namespace tern::cli {
namespace {

const Subcommand* find(const Family& family, std::vector<std::string>& arguments) {
  for (const Subcommand& each : family.commands) {
    if (arguments[0] != each.name) continue;
    arguments.erase(arguments.begin());
    return &each;
  }
  return family.guess ? family.guess(arguments) : nullptr;
}

}  // namespace

void print_summaries(const Family& family, std::FILE* to) {
  for (const Subcommand& each : family.commands) {
    std::fprintf(to, "  tern %s %-9s %s", family.name, each.name, each.summary);
    if (each.kcat != '\0') std::fprintf(to, "; also as -%c", each.kcat);
    std::fputc('\n', to);
  }
}

int run_subcommand(const Family& family, std::vector<std::string> arguments) {
  const auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (arguments.empty() || is_help(arguments[0]) || arguments[0] == "help") {
    family.print_help(arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  const std::string first = arguments[0];
  const Subcommand* const command = find(family, arguments);
  if (!command) {
    std::fprintf(stderr, "tern: %s has no command \"%s\"\n\n", family.name, first.c_str());
    family.print_help(stderr);
    return 2;
  }
  if (std::any_of(arguments.begin(), arguments.end(), is_help)) {
    std::printf("%s%s", *command->help, family.common_help);
    return 0;
  }
  // A reader that leaves, of what is written or of what is said about it, is no reason to lose any.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return command->run(arguments);
  } catch (const UsageError& error) {
    note(std::string(error.what()) + "\nTry `tern " + family.name + " " + command->name +
         " --help`.");
    return 2;
  } catch (const Interrupted&) {
    return kInterrupted;
  }
}

}  // namespace tern::cli
