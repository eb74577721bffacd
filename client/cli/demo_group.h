// The part of `tern demo` about consumer groups: four members share a topic while it is written to;
// one comes late, one is cut off, one leaves. Checks that every record is processed and that what
// is stored never goes back.
#ifndef TERN_CLIENT_CLI_DEMO_GROUP_H_
#define TERN_CLIENT_CLI_DEMO_GROUP_H_

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <string>

#include "client/kafka/config.h"

namespace tern::cli {

struct GroupDemoOptions {
  std::string topic;  // exists, and is empty
  std::int32_t partitions = 0;
  std::string group;
  // How long the one that is cut off may be silent. Brokers have a least one (6 s, usually).
  Duration session_timeout;
};

// Throws std::runtime_error if anything is not as it has to be. `context` is run by one thread, and
// outlives this. Prints what happens.
asio::awaitable<void> demo_group(asio::io_context& context, kafka::ClientConfig config,
                                 GroupDemoOptions options);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_DEMO_GROUP_H_
