// Options as kcat reads them (getopt): "-t topic", "-ttopic", "-qe", "--topic topic",
// "--topic=topic", in any order with file names.
#ifndef TERN_CLIENT_CLI_OPTIONS_H_
#define TERN_CLIENT_CLI_OPTIONS_H_

#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/kcat_flags.h"
#include "client/cli/watcher.h"
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

// Throws UsageError for what is not among `known`. One thread.
GivenOptions read_options(const std::vector<std::string>& arguments,
                          const std::vector<Option>& known, Hint hint = kcat_hint);

// What all subcommands of `tern kafka` take.
#define TERN_COMMON_KAFKA_OPTIONS                                                                 \
  {'b', "brokers", true}, {'X', "property", true}, {'F', "properties", true},                     \
      {'m', nullptr, true}, {'t', "topic", true}, {'q', "quiet", false}, {'v', "verbose", false}, \
      {'d', "debug", true}, {'E', nullptr, false}, {                                              \
    'J', "json", false                                                                            \
  }

struct CommonOptions {
  std::vector<kafka::Property> properties;  // from -b, -X, -F and -m, in their order
  std::string file;                         // the last -F
  bool no_file = false;                     // -F none
  std::string topic;
  int verbosity = 1;           // 0: -q, 2: -v, 3: -vv, ...
  Subjects subjects = 0;       // of -d
  std::string unknown;         // contexts of -d that have nothing to tell of, "queue, conf"
  bool ignore_errors = false;  // -E
  bool json = false;

  // Throws UsageError for a value that makes no sense.
  void take(const GivenOption& option);
  bool quiet() const { return verbosity == 0; }
  // All settings that are given: in what KCAT_CONFIG names, if there is no -F, and `properties`.
  // Throws UsageError for a file that cannot be read.
  std::vector<kafka::Property> given() const;
  // They as configs. Throws UsageError if something is wrong or there are no brokers.
  kafka::Configs configs() const;

 private:
  std::string usual_file() const;  // by KCAT_CONFIG; empty: none, or it does not count
};

// Configs to read settings into: with TLS and with every codec.
kafka::Configs empty_configs();

// A number within bounds, or UsageError that names `what`.
std::int64_t number_of(const char* what, const std::string& text, std::int64_t least,
                       std::int64_t most);

// "name=value" cut at the first "=". Throws UsageError that names `what`.
std::pair<std::string, std::string> pair_of(const char* what, const std::string& text);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_OPTIONS_H_
