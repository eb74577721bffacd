#include "client/tls/context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>
#include <utility>

namespace tern::tls {
namespace {

constexpr Duration kCloseTimeout = std::chrono::seconds(1);
constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;

using Bio = Owned<BIO, BIO_free_all>;
using Certificate = Owned<X509, X509_free>;

Failure invalid(const std::string& what) {
  ERR_clear_error();
  return Failure(make_error_code(ClientErrc::invalid_config), "TLS: " + what);
}

// PEM from a file or from the options, and what to call it in an error.
struct Pem {
  std::string text;
  std::string name;
  bool given() const { return !name.empty(); }
};

Failure read(const char* option, const std::string& file, const std::string& text, Pem& out) {
  if (!file.empty() && !text.empty()) {
    return invalid(std::string(option) + ": there is a file and a text; one of them");
  }
  if (!text.empty()) {
    out = {text, std::string(option) + "_pem"};
    return {};
  }
  if (file.empty()) return {};
  out.name = std::string(option) + "_file " + file;
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  char buffer[4096];
  while (in && out.text.size() <= kMaxFileBytes) {
    in.read(buffer, sizeof(buffer));
    out.text.append(buffer, static_cast<std::size_t>(in.gcount()));
  }
  if (!in.eof() || in.bad()) {
    const int error = errno;
    return invalid(out.name + ": cannot be read" +
                   (error ? ": " + std::generic_category().message(error) : ""));
  }
  return {};
}

Bio memory(const Pem& pem) {
  return Bio(BIO_new_mem_buf(pem.text.data(), static_cast<int>(pem.text.size())));
}

// OpenSSL asks on the terminal if it is not given a function.
int give_password(char* buffer, int size, int, void* context) {
  const auto& password = *static_cast<const std::string*>(context);
  if (size < 0 || password.size() > static_cast<std::size_t>(size)) return -1;
  password.copy(buffer, password.size());
  return static_cast<int>(password.size());
}

// One certificate after the other; false from `take` ends it. Returns how many there were, -1 if
// something in there is none.
template <class F>
int each_certificate(BIO* bio, F&& take) {
  for (int count = 0;; ++count) {
    std::string none;
    Certificate certificate(PEM_read_bio_X509_AUX(bio, nullptr, give_password, &none));
    if (!certificate) {
      const auto error = ERR_peek_last_error();
      const bool end =
          ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
      if (end) ERR_clear_error();
      return end ? count : -1;
    }
    if (!take(std::move(certificate))) return -1;
  }
}

Failure trust(SSL_CTX* ssl, const TlsOptions& options) {
  Pem pem;
  if (const Failure failure = read("ca", options.ca_file, options.ca_pem, pem)) return failure;
  if (!pem.given()) {
    if (SSL_CTX_set_default_verify_paths(ssl) != 1) {
      return invalid("the system's authorities cannot be had: " + take_error());
    }
    return {};
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl);
  const Bio bio = memory(pem);
  const int count = each_certificate(bio.get(), [store](const Certificate& certificate) {
    return X509_STORE_add_cert(store, certificate.get()) == 1;
  });
  if (count < 0) return invalid(pem.name + ": " + take_error());
  if (count == 0) return invalid(pem.name + ": there is no certificate in it (PEM)");
  // The end of the chain may be anyone who was named, not only a root.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

Failure use_certificate(SSL_CTX* ssl, const Pem& pem) {
  const Bio bio = memory(pem);
  bool first = true;
  const int count = each_certificate(bio.get(), [&](Certificate certificate) {
    if (std::exchange(first, false)) return SSL_CTX_use_certificate(ssl, certificate.get()) == 1;
    if (SSL_CTX_add0_chain_cert(ssl, certificate.get()) != 1) return false;
    (void)certificate.release();  // the context's now
    return true;
  });
  if (count < 0) return invalid(pem.name + ": " + take_error());
  if (count == 0) return invalid(pem.name + ": there is no certificate in it (PEM)");
  return {};
}

Failure identify(SSL_CTX* ssl, const TlsOptions& options) {
  Pem certificate;
  Pem key;
  if (const Failure failure =
          read("certificate", options.certificate_file, options.certificate_pem, certificate)) {
    return failure;
  }
  if (const Failure failure = read("key", options.key_file, options.key_pem, key)) return failure;
  if (!certificate.given() && !key.given()) return {};
  if (!key.given()) return invalid(certificate.name + ": a certificate needs its key, too");
  if (!certificate.given()) return invalid(key.name + ": a key needs its certificate, too");
  if (const Failure failure = use_certificate(ssl, certificate)) return failure;
  std::string password = options.key_password;
  const Bio bio = memory(key);
  const Owned<EVP_PKEY, EVP_PKEY_free> private_key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, &password));
  OPENSSL_cleanse(password.data(), password.size());
  OPENSSL_cleanse(key.text.data(), key.text.size());
  if (!private_key) {
    return invalid(key.name + ": there is no private key in it (PEM) that " +
                   (options.key_password.empty() ? "needs no password" : "the password opens") +
                   ": " + take_error());
  }
  if (SSL_CTX_use_PrivateKey(ssl, private_key.get()) != 1) {
    return invalid(key.name + " is not the key of " + certificate.name + ": " + take_error());
  }
  return {};
}

Failure set_up(SSL_CTX* ssl, const TlsOptions& options) {
  if (ssl == nullptr || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) {
    return invalid("OpenSSL does not start: " + take_error());
  }
  if (options.close_timeout.value_or(kCloseTimeout) < Duration::zero()) {
    return invalid("close_timeout: 0 or more");
  }
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  if (const Failure failure = trust(ssl, options)) return failure;
  return identify(ssl, options);
}

}  // namespace

std::string take_error() {
  const auto error = ERR_peek_error();
  ERR_clear_error();
  if (error == 0) return {};
  const char* const reason = ERR_reason_error_string(error);
  return reason ? reason : "error " + std::to_string(error) + " of OpenSSL";
}

std::shared_ptr<const Context> Context::make(const TlsOptions& options) {
  ERR_clear_error();
  auto context = std::make_shared<Context>();
  context->ssl.reset(SSL_CTX_new(TLS_client_method()));
  context->verify_peer = options.verify_peer.value_or(true);
  context->check_name = options.check_name.value_or(true);
  context->server_name = options.server_name;
  context->close_timeout = options.close_timeout.value_or(kCloseTimeout);
  context->failure = set_up(context->ssl.get(), options);
  return context;
}

}  // namespace tern::tls
