// What `tern kafka` and `tern amqp` have in common: finding the subcommand, its help, and what
// becomes of it when the user got something wrong.
#ifndef TERN_CLIENT_CLI_SUBCOMMAND_H_
#define TERN_CLIENT_CLI_SUBCOMMAND_H_

#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace tern::cli {

struct Subcommand {
  const char* name;
  const char* summary;
  int (*run)(const std::vector<std::string>&);
  const char* const* help;
  char kcat = '\0';  // the letter by which kcat knows it
};

struct Family {
  const char* name;  // "kafka"
  std::span<const Subcommand> commands;
  const char* common_help;  // of the options that all of them take
  void (*print_help)(std::FILE*);
  // Finds the one that is meant when the first word is none of their names, and takes out of the
  // words what named it. Null, also what it returns: there is none.
  const Subcommand* (*guess)(std::vector<std::string>&) = nullptr;
};

// For the help of the family: a line for each.
void print_summaries(const Family& family, std::FILE* to);

// Exit status. Throws what the subcommand does, but neither its UsageError nor Interrupted.
int run_subcommand(const Family& family, std::vector<std::string> arguments);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_SUBCOMMAND_H_
