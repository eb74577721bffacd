#include "client/kafka/config.h"

#include <charconv>

#include "client/kafka/config_checks.h"
#include "client/kafka/endpoint.h"

namespace tern::kafka {

using internal::Checks;
using internal::in_range;
using internal::invalid;
using internal::kMaxInt32;
using internal::kZero;
bool parse_endpoint(std::string_view text, Endpoint& out) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return false;
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty() || host.find_first_of(" /,\t") != std::string_view::npos) return false;
  std::uint16_t number = kDefaultPort;
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number == 0) return false;
  }
  out = Endpoint{std::string(host), number};
  return true;
}

Failure check(const ClientConfig& config) {
  if (config.bootstrap.empty()) return invalid("bootstrap: at least one host:port is needed");
  for (const std::string& text : config.bootstrap) {
    Endpoint endpoint;
    if (!parse_endpoint(text, endpoint)) {
      return invalid("bootstrap: \"" + text + "\" is not host:port (port 1 to 65535)");
    }
  }
  for (const auto& codec : config.codecs) {
    if (!codec) return invalid("codecs: must not contain null");
    if (const char* problem = codec->problem()) {
      return invalid("codecs: " + std::string(name(codec->id())) + ": " + problem);
    }
  }
  if (config.stream) {
    if (const Failure failure = config.stream->check({})) return failure;
  }
  const Duration millisecond = std::chrono::milliseconds(1);
  return Checks()
      .that(config.client_id.size() <= 0x7fff, "client_id: at most 32767 bytes")
      .that(in_range(config.connect_timeout, millisecond), "connect_timeout: 1 ms or more")
      .that(in_range(config.request_timeout, millisecond), "request_timeout: 1 ms or more")
      .that(in_range(config.reconnect_backoff, kZero), "reconnect_backoff: 0 or more")
      .that(in_range(config.reconnect_backoff_max, config.reconnect_backoff),
            "reconnect_backoff_max: not below reconnect_backoff")
      .that(in_range(config.retry_backoff, millisecond), "retry_backoff: 1 ms or more")
      .that(in_range(config.retry_backoff_max, config.retry_backoff),
            "retry_backoff_max: not below retry_backoff")
      .that(config.metadata_max_age >= millisecond, "metadata_max_age: 1 ms or more")
      .that(config.connections_max_idle >= millisecond, "connections_max_idle: 1 ms or more")
      .that(in_range(config.operation_timeout, millisecond), "operation_timeout: 1 ms or more")
      .that(config.max_response_bytes >= 1024 && config.max_response_bytes <= kMaxInt32,
            "max_response_bytes: 1 KiB to 2 GiB")
      .result();
}

Failure check(const ProducerConfig& config, const ClientConfig& client) {
  const bool all = config.acks == Acks::all;
  const bool known_acks = all || config.acks == Acks::leader || config.acks == Acks::none;
  if (config.compression != Compression::none && !find_codec(client.codecs, config.compression)) {
    return Failure(
        make_error_code(ClientErrc::codec_missing),
        std::string("compression: no codec for ") + name(config.compression) +
            " in ClientConfig::codecs; //client/codecs has lz4, snappy and zstd to add there");
  }
  return Checks()
      .that(known_acks, "acks: none, leader or all")
      .that(!config.idempotence || all,
            "idempotence: needs acks = all (or set idempotence = false)")
      .that(config.max_in_flight >= 1 && config.max_in_flight <= 1000, "max_in_flight: 1 to 1000")
      .that(!config.idempotence || config.max_in_flight <= 5,
            "max_in_flight: at most 5 with idempotence, which is how far brokers look back")
      .that(in_range(config.linger, kZero), "linger: 0 or more")
      .that(config.batch_bytes >= 1 && config.batch_bytes <= kMaxInt32 / 2,
            "batch_bytes: 1 to 1 GiB")
      .that(config.max_request_bytes >= config.batch_bytes && config.max_request_bytes <= kMaxInt32,
            "max_request_bytes: not below batch_bytes, at most 2 GiB")
      .that(config.buffer_bytes >= config.batch_bytes + 65'536,
            "buffer_bytes: at least batch_bytes + 64 KiB")
      .that(in_range(config.metadata_timeout, std::chrono::milliseconds(1)),
            "metadata_timeout: 1 ms or more")
      .that(in_range(config.delivery_timeout, std::chrono::milliseconds(1)),
            "delivery_timeout: 1 ms or more")
      .that(config.delivery_timeout >= config.linger, "delivery_timeout: not below linger")
      .result();
}

}  // namespace tern::kafka
