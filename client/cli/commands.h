// The subcommands of `tern`. Each gets what follows its name and returns the exit status: 0 all
// went well, 1 it did not.
#ifndef TERN_CLIENT_CLI_COMMANDS_H_
#define TERN_CLIENT_CLI_COMMANDS_H_

#include "client/cli/arguments.h"

namespace tern::cli {

int run_demo(Arguments arguments);
int run_broker(Arguments arguments);
int run_kafka(Arguments arguments);  // this one and the next tell their own help
int run_amqp(Arguments arguments);

extern const char* const kDemoHelp;
extern const char* const kBrokerHelp;

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_COMMANDS_H_
