// Configuration of the AMQP client: a plain aggregate, checked once when it is given to a
// connection, and never read again after. Every limit the client has is in here.
//
// Internal so far: there is no public face for AMQP yet.
#ifndef TERN_CLIENT_AMQP_CONFIG_H_
#define TERN_CLIENT_AMQP_CONFIG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/core/error.h"
#include "client/core/ports.h"
#include "client/core/stream.h"
#include "client/core/time.h"

namespace tern::amqp {

inline constexpr std::uint16_t kDefaultPort = 5672;
inline constexpr std::uint16_t kDefaultTlsPort = 5671;

// How the broker is told who this is (SASL).
enum class Mechanism : std::uint8_t {
  plain,     // user and password as they are
  amqplain,  // the same as a field table: older brokers
  external,  // by the client's certificate or by the socket: nothing is said
};
const char* name(Mechanism mechanism);  // "PLAIN"

struct Credentials {
  std::string user = "guest";
  std::string password = "guest";
};

struct ConnectionConfig {
  // Tried in this order, and again from the start; one that answered last time is tried first. Port
  // 0 is the default one: 5672, or 5671 with `tls`.
  std::vector<Endpoint> hosts = {{"localhost", 0}};
  bool tls = false;  // what amqps:// means; needs a `stream`
  // Makes TLS of connections: tls::openssl(), from the target //client/tls:openssl. May be set in
  // any case, amqp:// does without.
  std::shared_ptr<const StreamFactory> stream = {};
  // What the URI says of TLS; takes the place of what `stream` was made with.
  TlsOptions tls_options = {};

  std::string virtual_host = "/";
  Mechanism mechanism = Mechanism::plain;
  Credentials credentials = {};
  // If set, asked before each login in place of `credentials`, so that a token can be a fresh one.
  // Called on the client's executor; it must be quick and must not call the client.
  std::function<Credentials()> ask_credentials = {};
  std::string connection_name = {};  // what `rabbitmqctl list_connections client_properties` shows

  // Offered to the broker; the lower one of both sides holds, 0 of the broker's means no limit.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max =
      131'072;  // bytes; 4,096 is what everybody takes, from RabbitMQ 4.1 8,192
  // A sign of life is sent twice in this time, and a peer that is silent for twice as long is dead.
  // The lower one of both sides holds, unless it is 0: then the other. Whole seconds.
  Duration heartbeat = std::chrono::seconds(60);

  Duration connect_timeout = std::chrono::seconds(10);  // from the name of the host to open-ok
  // From a method to its answer; and as long it waits for a connection that is being made again.
  Duration operation_timeout = std::chrono::seconds(30);
  // How long the end may take: for what is still to be written, and for the broker's close-ok.
  Duration close_timeout = std::chrono::seconds(5);

  // A connection that is lost is made again, with all that was declared on it, until close().
  // Pauses double from the first to the longest, with jitter.
  bool recover = true;
  Duration recovery_backoff = std::chrono::milliseconds(500);
  Duration recovery_backoff_max = std::chrono::seconds(30);

  // A method or content header larger than this closes the connection.
  std::uint32_t max_method_bytes = 1'048'576;
  // So does a message with a body larger than this. (RabbitMQ's own limit: 128 MiB, from 4.0 16.)
  std::uint64_t max_body_bytes = 134'217'728;
  // What is to be written and has not been yet, at most; a publish above it is refused.
  std::size_t max_unsent_bytes = 33'554'432;

  // Deliveries that nobody has taken yet, at most; above it nothing is read, so confirms wait, too.
  std::size_t max_delivered_bytes = 67'108'864;

  std::uint64_t seed = 0;  // for jitter. 0: drawn from the system at start.
};

// An error that names the field and what it may be, or nothing. Never repeats a secret.
Failure check(const ConnectionConfig& config);

// With the default port in place of 0.
Endpoint with_port(const Endpoint& host, const ConnectionConfig& config);

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CONFIG_H_
