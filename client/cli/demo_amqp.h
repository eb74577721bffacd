// The AMQP part of `tern demo`.
#ifndef TERN_CLIENT_CLI_DEMO_AMQP_H_
#define TERN_CLIENT_CLI_DEMO_AMQP_H_

#include <cstdint>

namespace tern::cli {

// So many messages there and back through an embedded broker, each of them checked; then the
// connection is cut, and comes back with all that was declared on it. Throws std::runtime_error for
// anything that is not as it has to be.
void demo_amqp(std::int64_t messages);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_DEMO_AMQP_H_
