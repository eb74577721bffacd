#include "client/core/ports.h"

namespace tern {

std::string to_string(const Endpoint& endpoint) {
  const bool bare_ipv6 = endpoint.host.find(':') != std::string::npos;
  std::string text = bare_ipv6 ? "[" + endpoint.host + "]" : endpoint.host;
  return text + ":" + std::to_string(endpoint.port);
}

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::dns:
      return "dns";
    case Stage::tcp:
      return "tcp";
    case Stage::tls:
      return "tls";
    case Stage::sasl:
      return "sasl";
    case Stage::protocol:
      return "protocol";
  }
  return "?";
}

}  // namespace tern
