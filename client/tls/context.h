// What all TLS streams of a client share: OpenSSL's context, made once from the options, and what
// is asked of names. Not for users.
#ifndef TERN_CLIENT_TLS_CONTEXT_H_
#define TERN_CLIENT_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "client/core/error.h"
#include "client/core/stream.h"
#include "client/core/time.h"
#include "client/tls/owned.h"

namespace tern::tls {

// The first error that OpenSSL has noted on this thread, in words, and none are left; "" if none.
std::string take_error();

struct Context {
  // Never null; `failure` says why it cannot be used.
  static std::shared_ptr<const Context> make(const TlsOptions& options);

  Owned<SSL_CTX, SSL_CTX_free> ssl;
  bool verify_peer = true;
  bool check_name = true;
  std::string server_name;
  Duration close_timeout{};
  Failure failure;
};

}  // namespace tern::tls

#endif  // TERN_CLIENT_TLS_CONTEXT_H_
