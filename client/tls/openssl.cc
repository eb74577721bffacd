#include "client/tls/openssl.h"

#include <memory>
#include <string>
#include <utility>

#include "client/tls/context.h"
#include "client/tls/network.h"

namespace tern::tls {
namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tern.tls"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::certificate_refused:
        return "the peer's certificate is not accepted";
      case Errc::alert:
        return "the peer ended TLS with an alert";
      case Errc::broken:
        return "TLS with the peer does not work";
    }
    return "unknown error of TLS";
  }
};

// `base` with what is set in `more`. A file takes the place of a text, and the other way round.
TlsOptions merge(TlsOptions base, const TlsOptions& more) {
  const auto pem = [](std::string& file, std::string& text, const std::string& more_file,
                      const std::string& more_text) {
    if (more_file.empty() && more_text.empty()) return;
    file = more_file;
    text = more_text;
  };
  pem(base.ca_file, base.ca_pem, more.ca_file, more.ca_pem);
  pem(base.certificate_file, base.certificate_pem, more.certificate_file, more.certificate_pem);
  pem(base.key_file, base.key_pem, more.key_file, more.key_pem);
  if (!more.key_password.empty()) base.key_password = more.key_password;
  if (!more.server_name.empty()) base.server_name = more.server_name;
  if (more.verify_peer) base.verify_peer = more.verify_peer;
  if (more.check_name) base.check_name = more.check_name;
  if (more.close_timeout) base.close_timeout = more.close_timeout;
  return base;
}

class OpensslFactory final : public StreamFactory {
 public:
  explicit OpensslFactory(TlsOptions options) : options_(std::move(options)) {}
  Failure check(const TlsOptions& more) const override {
    return Context::make(merge(options_, more))->failure;
  }
  std::unique_ptr<StreamNetwork> over(Network& network, Timers& timers,
                                      const TlsOptions& more) const override {
    return std::make_unique<TlsNetwork>(network, timers, Context::make(merge(options_, more)));
  }

 private:
  const TlsOptions options_;
};

}  // namespace

const std::error_category& tls_category() {
  static const TlsCategory category;
  return category;
}

std::error_code make_error_code(Errc code) { return {static_cast<int>(code), tls_category()}; }

std::shared_ptr<const StreamFactory> openssl(TlsOptions options) {
  return std::make_shared<OpensslFactory>(std::move(options));
}

}  // namespace tern::tls
