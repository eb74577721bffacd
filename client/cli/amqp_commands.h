// The subcommands of `tern amqp`. Each gets what follows its name and returns the exit status: 0
// all went well, or one of those in words.h. UsageError for what the user got wrong.
#ifndef TERN_CLIENT_CLI_AMQP_COMMANDS_H_
#define TERN_CLIENT_CLI_AMQP_COMMANDS_H_

#include <string>
#include <vector>

#include "client/cli/words.h"

namespace tern::cli {

int run_amqp_publish(const std::vector<std::string>& arguments);
int run_amqp_consume(const std::vector<std::string>& arguments);
int run_amqp_get(const std::vector<std::string>& arguments);
int run_amqp_declare(const std::vector<std::string>& arguments);
int run_amqp_bind(const std::vector<std::string>& arguments);
int run_amqp_delete(const std::vector<std::string>& arguments);
int run_amqp_purge(const std::vector<std::string>& arguments);

extern const char* const kAmqpPublishHelp;
extern const char* const kAmqpConsumeHelp;
extern const char* const kAmqpGetHelp;
extern const char* const kAmqpDeclareHelp;
extern const char* const kAmqpBindHelp;
extern const char* const kAmqpDeleteHelp;
extern const char* const kAmqpPurgeHelp;

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_AMQP_COMMANDS_H_
