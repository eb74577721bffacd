// TLS for the clients, by OpenSSL (1.1.1 or later; tested with 3.0):
//
//   config.stream = tls::openssl({.ca_file = "/etc/app/ca.pem"});
//
// TLS 1.2 or later, with the ciphers that the library takes by default. The peer's certificate and
// name are checked unless the options say otherwise; renegotiation is refused; the end is said
// (close_notify), and a peer's end that was not said counts as a connection that was lost.
//
// What happens in here is driven by the bytes of the network port underneath: nothing blocks, and
// nothing asks for a password. The handshake has to be over within the client's connect_timeout.
//
// Threading: the function may be called on any thread, and what it returns may be shared by
// clients on different ones.
//
// Errors: options that cannot be used (a file that is not there, a key that does not belong to the
// certificate, a wrong password) are invalid_config, told by the check() of the client's config.
// A link that fails ends in Stage::tls with one of Errc, with not_the_protocol if the peer speaks
// something else, or with the network's own error; words follow that say which certificate, which
// check or which alert.
#ifndef TERN_CLIENT_TLS_OPENSSL_H_
#define TERN_CLIENT_TLS_OPENSSL_H_

#include <memory>
#include <system_error>

#include "client/core/stream.h"

namespace tern::tls {

enum class Errc {
  certificate_refused = 1,  // we do not trust the peer's
  alert,                    // the peer ended it, and said why
  broken,                   // the handshake or a record cannot be understood, or was tampered with
};
const std::error_category& tls_category();
std::error_code make_error_code(Errc code);

std::shared_ptr<const StreamFactory> openssl(TlsOptions options = {});

}  // namespace tern::tls

template <>
struct std::is_error_code_enum<tern::tls::Errc> : std::true_type {};

#endif  // TERN_CLIENT_TLS_OPENSSL_H_
