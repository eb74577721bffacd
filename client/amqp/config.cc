#include "client/amqp/config.h"

#include "protocol/amqp/frame.h"

namespace tern::amqp {
namespace {

constexpr std::size_t kMaxShortString = 255;
// The frame with the login has to fit into 4,096 bytes, and client properties are in it too.
constexpr std::size_t kMaxSecret = 2048;
constexpr Duration kMillisecond = std::chrono::milliseconds(1);
constexpr Duration kMaxHeartbeat = std::chrono::seconds(65'535);

Failure invalid(const std::string& what) {
  return Failure(make_error_code(ClientErrc::invalid_config), what);
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

Failure check_tls(const ConnectionConfig& config) {
  if (!config.tls) {
    if (config.tls_options == TlsOptions()) return {};
    return invalid("tls_options: they need TLS (amqps://)");
  }
  if (!config.stream) {
    return invalid(
        "stream: amqps:// needs TLS; link //client/tls:openssl and set it to tls::openssl()");
  }
  return config.stream->check(config.tls_options);
}

Failure check_hosts(const ConnectionConfig& config) {
  if (config.hosts.empty()) return invalid("hosts: at least one is needed");
  for (const Endpoint& host : config.hosts) {
    if (host.host.empty() || has_nul(host.host)) return invalid("hosts: one of them has no name");
  }
  return {};
}

}  // namespace

const char* name(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::plain:
      return "PLAIN";
    case Mechanism::amqplain:
      return "AMQPLAIN";
    case Mechanism::external:
      return "EXTERNAL";
  }
  return "?";
}

Failure check(const ConnectionConfig& config) {
  if (const Failure failure = check_hosts(config)) return failure;
  const Credentials& credentials = config.credentials;
  const struct {
    bool holds;
    const char* otherwise;
  } rules[] = {
      {config.virtual_host.size() <= kMaxShortString, "virtual_host: at most 255 bytes"},
      // PLAIN puts a zero between the two.
      {!has_nul(credentials.user) && credentials.user.size() <= kMaxShortString,
       "credentials.user: at most 255 bytes, none of them zero"},
      {!has_nul(credentials.password) && credentials.password.size() <= kMaxSecret,
       "credentials.password: at most 2,048 bytes, none of them zero"},
      {config.connection_name.size() <= kMaxShortString, "connection_name: at most 255 bytes"},
      {config.channel_max >= 1, "channel_max: 1 or more"},
      {config.frame_max >= kMinFrameMax, "frame_max: 4,096 or more"},
      {config.heartbeat >= Duration::zero() && config.heartbeat <= kMaxHeartbeat &&
           config.heartbeat % std::chrono::seconds(1) == Duration::zero(),
       "heartbeat: 0 to 65,535 whole seconds"},
      {config.connect_timeout >= kMillisecond, "connect_timeout: 1 ms or more"},
      {config.operation_timeout >= kMillisecond, "operation_timeout: 1 ms or more"},
      {config.close_timeout >= kMillisecond, "close_timeout: 1 ms or more"},
      {config.recovery_backoff >= kMillisecond, "recovery_backoff: 1 ms or more"},
      {config.recovery_backoff_max >= config.recovery_backoff,
       "recovery_backoff_max: not below recovery_backoff"},
      {config.max_method_bytes >= kMinFrameMax, "max_method_bytes: 4,096 or more"},
      {config.max_unsent_bytes >= 65'536, "max_unsent_bytes: 65,536 or more"},
  };
  for (const auto& rule : rules) {
    if (!rule.holds) return invalid(rule.otherwise);
  }
  return check_tls(config);
}

Endpoint with_port(const Endpoint& host, const ConnectionConfig& config) {
  if (host.port != 0) return host;
  return {host.host, config.tls ? kDefaultTlsPort : kDefaultPort};
}

}  // namespace tern::amqp
