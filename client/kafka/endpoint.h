// "host:port" as people write it.
#ifndef TERN_CLIENT_KAFKA_ENDPOINT_H_
#define TERN_CLIENT_KAFKA_ENDPOINT_H_

#include <string_view>

#include "client/core/ports.h"

namespace tern::kafka {

inline constexpr std::uint16_t kDefaultPort = 9092;

// "host", "host:port", "[v6]", "[v6]:port", "1.2.3.4:port". False, with `out` untouched, for
// anything else: no host, a port that is not a number from 1 to 65,535.
bool parse_endpoint(std::string_view text, Endpoint& out);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ENDPOINT_H_
