// Options as kcat reads them (getopt): "-t topic", "-ttopic", "-qe", "--topic topic",
// "--topic=topic", in any order with file names.
#ifndef TERN_CLIENT_CLI_OPTIONS_H_
#define TERN_CLIENT_CLI_OPTIONS_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/kafka/properties.h"

namespace tern::cli {

struct Option {
  char letter;       // not a letter or digit: it has only the long name
  const char* name;  // the long name, may be null
  bool has_value;
};

struct GivenOption {
  char letter;
  std::string value;
};

struct GivenOptions {
  std::vector<GivenOption> options;
  std::vector<std::string> others;  // what is not an option: names, files
};

// What to say to somebody who gives a letter that is not known; null: nothing better than that.
using Hint = const char* (*)(char letter);
// What kcat has and `tern kafka` has not.
const char* kcat_hint(char letter);

// Throws UsageError for what is not among `known`. One thread.
GivenOptions read_options(const std::vector<std::string>& arguments,
                          std::initializer_list<Option> known, Hint hint = kcat_hint);

// What all subcommands of `tern kafka` take.
#define TERN_COMMON_KAFKA_OPTIONS                                             \
  {'b', "brokers", true}, {'X', "property", true}, {'F', "properties", true}, \
      {'m', nullptr, true}, {'t', "topic", true}, {'q', "quiet", false}, {    \
    'J', "json", false                                                        \
  }

struct CommonOptions {
  std::vector<kafka::Property> properties;  // from -b, -X, -F and -m, in their order
  std::string file;                         // the last -F
  std::string topic;
  bool quiet = false;
  bool json = false;

  // Throws UsageError for a value that makes no sense.
  void take(const GivenOption& option);
  // All of it as configs. Throws UsageError if something is wrong or there are no brokers.
  kafka::Configs configs() const;
};

// A number within bounds, or UsageError that names `what`.
std::int64_t number_of(const char* what, const std::string& text, std::int64_t least,
                       std::int64_t most);

// "name=value" cut at the first "=". Throws UsageError that names `what`.
std::pair<std::string, std::string> pair_of(const char* what, const std::string& text);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_OPTIONS_H_
