// The port between an engine and what encrypts its connections: a StreamFactory lays a Network of
// its own over the one an engine was given, and the engine's links notice nothing but Stage::tls.
// Clients have one in their config; null means plain TCP. //client/tls:openssl makes one.
#ifndef TERN_CLIENT_CORE_STREAM_H_
#define TERN_CLIENT_CORE_STREAM_H_

#include <memory>
#include <optional>
#include <string>

#include "client/core/error.h"
#include "client/core/ports.h"
#include "client/core/time.h"
#include "client/core/timers.h"

namespace tern {

// How TLS is spoken, whoever speaks it. Certificates and keys are PEM, given either as the name of
// a file or as text; files are read once, when the client is made.
struct TlsOptions {
  // Who is trusted: certificates of authorities (or of the peer itself). None given: the system's.
  std::string ca_file = {};
  std::string ca_pem = {};
  // Who we are, if the peer asks: our certificate first, then those between it and an authority.
  std::string certificate_file = {};
  std::string certificate_pem = {};
  std::string key_file = {};
  std::string key_pem = {};
  std::string key_password = {};  // never repeated in an error

  // Whether the peer's certificate is looked at. Unset: true. Without it anybody can be the peer.
  std::optional<bool> verify_peer = {};
  // The name that is asked for (SNI) and has to be in the certificate, a host name or an address.
  // Empty: the one that is connected to. Addresses are checked and not asked for.
  std::string server_name = {};
  // Whether the name has to be in the certificate. Unset: true. If not, only `server_name` is asked
  // for.
  std::optional<bool> check_name = {};

  // How long the end may wait for the last words to be written. Unset: 1 s.
  std::optional<Duration> close_timeout = {};

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

// A network that is owned.
class StreamNetwork : public Network {
 public:
  virtual ~StreamNetwork() = default;
};

class StreamFactory {
 public:
  virtual ~StreamFactory() = default;
  // What is wrong with the factory's options under `more`: those of a URI, say. What is set there
  // takes the place of the factory's own.
  virtual Failure check(const TlsOptions& more) const = 0;
  // A network whose links are encrypted ones of `network`, with the same ids. It cannot listen.
  // `network` and `timers` have to outlive it. If check() fails, so does every link.
  virtual std::unique_ptr<StreamNetwork> over(Network& network, Timers& timers,
                                              const TlsOptions& more) const = 0;
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_STREAM_H_
