// The subcommands of `tern kafka`. Each gets what follows its name and returns the exit status: 0
// all went well, or one of those in words.h. UsageError for what the user got wrong.
#ifndef TERN_CLIENT_CLI_KAFKA_COMMANDS_H_
#define TERN_CLIENT_CLI_KAFKA_COMMANDS_H_

#include <string>
#include <vector>

#include "client/cli/options.h"
#include "client/cli/words.h"

namespace tern::cli {

int run_produce(const std::vector<std::string>& arguments);
int run_consume(const std::vector<std::string>& arguments);
int run_topics(const std::vector<std::string>& arguments);
int run_groups(const std::vector<std::string>& arguments);
int run_query(const std::vector<std::string>& arguments);
int run_metadata(const std::vector<std::string>& arguments);

// The options of the two that kcat has.
std::vector<Option> produce_options();
std::vector<Option> consume_options();

extern const char* const kProduceHelp;
extern const char* const kConsumeHelp;
extern const char* const kTopicsHelp;
extern const char* const kGroupsHelp;
extern const char* const kQueryHelp;
extern const char* const kMetadataHelp;
extern const char* const kCommonHelp;  // what all of them take

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_KAFKA_COMMANDS_H_
