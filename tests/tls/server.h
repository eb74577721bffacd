// OpenSSL's side of a TLS connection as a server, in memory: bytes go in and come out.
#ifndef TERN_TESTS_TLS_SERVER_H_
#define TERN_TESTS_TLS_SERVER_H_

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>
#include <utility>

#include "tests/tls/authority.h"

namespace tern::tls::testing {

struct ServerOptions {
  Identity identity;
  std::string client_authority = {};  // PEM; if set, clients need a certificate of it
  int min_version = TLS1_2_VERSION;
  int max_version = 0;  // 0: any
};

class Server {
 public:
  explicit Server(const ServerOptions& options) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), options.min_version);
    SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    if (options.max_version != 0 && options.max_version < TLS1_2_VERSION) {
      SSL_CTX_set_security_level(context_.get(), 0);
    }
    X509* const certificate =
        PEM_read_bio_X509(read(options.identity.certificate).get(), nullptr, nullptr, nullptr);
    EVP_PKEY* const key =
        PEM_read_bio_PrivateKey(read(options.identity.key).get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_.get(), certificate);
    SSL_CTX_use_PrivateKey(context_.get(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!options.client_authority.empty()) {
      X509* const authority =
          PEM_read_bio_X509(read(options.client_authority).get(), nullptr, nullptr, nullptr);
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority);
      SSL_CTX_add_client_CA(context_.get(), authority);
      X509_free(authority);
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                         nullptr);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
  }

  // What the client has sent.
  void feed(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    turn();
  }
  // What is to be sent to the client.
  std::string take() {
    char* data = nullptr;
    BIO* const bio = SSL_get_wbio(ssl_.get());
    const long size = BIO_get_mem_data(bio, &data);
    std::string bytes(data, static_cast<std::size_t>(size));
    (void)BIO_reset(bio);
    return bytes;
  }
  void send(std::string_view text) {
    if (!text.empty()) SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  void say_goodbye() { SSL_shutdown(ssl_.get()); }
  void update_keys() {
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(ssl_.get());
  }
  void renegotiate() {
    SSL_renegotiate(ssl_.get());
    SSL_do_handshake(ssl_.get());
  }

  bool is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool heard_goodbye() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  std::string asked_for() const {
    const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
  }
  std::string client_name() const {
    X509* const certificate = SSL_get1_peer_certificate(ssl_.get());
    if (certificate == nullptr) return "";
    char text[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                              sizeof(text));
    X509_free(certificate);
    return text;
  }

  std::string received;
  std::string error;  // of OpenSSL, the first one

 private:
  static Owned<BIO, BIO_free_all> read(const std::string& pem) {
    return Owned<BIO, BIO_free_all>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  }
  void turn() {
    ERR_clear_error();
    char buffer[16384];
    int n = 0;
    while ((n = SSL_read(ssl_.get(), buffer, sizeof(buffer))) > 0) {
      received.append(buffer, static_cast<std::size_t>(n));
    }
    const int why = SSL_get_error(ssl_.get(), n);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN && error.empty()) {
      const char* const reason = ERR_reason_error_string(ERR_peek_error());
      error = reason ? reason : "?";
    }
    ERR_clear_error();
  }

  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
};

}  // namespace tern::tls::testing

#endif  // TERN_TESTS_TLS_SERVER_H_
