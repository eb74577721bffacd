// Certificates for tests, made on the spot: an authority, and who it vouches for. PEM.
#ifndef TERN_TESTS_TLS_AUTHORITY_H_
#define TERN_TESTS_TLS_AUTHORITY_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>

#include "client/tls/owned.h"

namespace tern::tls::testing {

struct Identity {
  std::string certificate;
  std::string key;
};

// Times are seconds from now.
struct Wanted {
  std::string name = "peer";       // CN
  std::string hosts = "DNS:peer";  // as OpenSSL writes subjectAltName; empty: none
  long from = -3600;
  long until = 3600;
};

class Authority {
 public:
  explicit Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    certificate_.reset(make({.name = name, .hosts = ""}, key_.get(), true));
  }

  std::string pem() const { return pem_of(certificate_.get()); }

  // `password`: of the key.
  Identity issue(const Wanted& wanted, const std::string& password = {}) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate(make(wanted, key.get(), false));
    return {pem_of(certificate.get()), pem_of(key.get(), password)};
  }

 private:
  using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
  using Certificate = Owned<X509, X509_free>;
  using Bio = Owned<BIO, BIO_free_all>;

  static std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
  }
  static std::string pem_of(X509* certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate);
    return text_of(bio.get());
  }
  static std::string pem_of(EVP_PKEY* key, const std::string& password) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key, password.empty() ? nullptr : EVP_aes_128_cbc(),
                                  password.empty() ? nullptr : password.data(),
                                  static_cast<int>(password.size()), nullptr, nullptr);
    return text_of(bio.get());
  }
  static void add(X509* certificate, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  // Signed by this authority, or by itself if there is none yet.
  X509* make(const Wanted& wanted, EVP_PKEY* key, bool is_authority) const {
    static long serial = 0;
    X509* const certificate = X509_new();
    X509* const issuer = certificate_ ? certificate_.get() : certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                               0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509_set_pubkey(certificate, key);
    add(certificate, issuer, NID_basic_constraints,
        is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add(certificate, issuer, NID_subject_key_identifier, "hash");
    if (!wanted.hosts.empty()) add(certificate, issuer, NID_subject_alt_name, wanted.hosts);
    X509_sign(certificate, key_.get(), EVP_sha256());
    return certificate;
  }

  Key key_;
  Certificate certificate_;
};

}  // namespace tern::tls::testing

#endif  // TERN_TESTS_TLS_AUTHORITY_H_
