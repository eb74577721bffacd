// Options of TLS: what cannot be used is told when the client is made, without secrets; and what
// URIs say of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "client/amqp/config.h"
#include "client/amqp/uri.h"
#include "client/kafka/config.h"
#include "client/tls/openssl.h"
#include "tests/tls/authority.h"

namespace tern::tls::testing {
namespace {

const Authority& authority() {
  static const Authority made("an authority");
  return made;
}

// A file that is there for as long as this is.
class File {
 public:
  explicit File(const std::string& text)
      : path_(::testing::TempDir() + "/tls." + std::to_string(::getpid()) + "." +
              std::to_string(++count_)) {
    std::ofstream(path_) << text;
  }
  ~File() { (void)::unlink(path_.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string& path() const { return path_; }

 private:
  static inline int count_ = 0;
  const std::string path_;
};

void expect_refused(const TlsOptions& options, const std::string& words) {
  const Failure failure = openssl(options)->check({});
  EXPECT_EQ(failure.code, ClientErrc::invalid_config) << words;
  EXPECT_NE(failure.message().find(words), std::string::npos) << failure.message();
  EXPECT_EQ(failure.message().find("hunter2"), std::string::npos) << failure.message();
}

TEST(Options, NothingIsNeeded) { EXPECT_FALSE(openssl()->check({})); }

TEST(Options, FilesAndTexts) {
  const Identity me = authority().issue({}, "hunter2");
  const File ca(authority().pem());
  const File certificate(me.certificate + authority().pem());
  const File key(me.key);
  const TlsOptions files{.ca_file = ca.path(),
                         .certificate_file = certificate.path(),
                         .key_file = key.path(),
                         .key_password = "hunter2"};
  EXPECT_FALSE(openssl(files)->check({})) << openssl(files)->check({}).message();
  const TlsOptions texts{.ca_pem = authority().pem() + authority().issue({}).certificate,
                         .certificate_pem = me.certificate,
                         .key_pem = me.key,
                         .key_password = "hunter2"};
  EXPECT_FALSE(openssl(texts)->check({})) << openssl(texts)->check({}).message();
}

TEST(Options, WhatCannotBeUsed) {
  const Identity me = authority().issue({}, "hunter2");
  const Identity other = authority().issue({});
  expect_refused({.ca_file = "/nowhere/ca.pem"},
                 "ca_file /nowhere/ca.pem: cannot be read: No such");
  expect_refused({.ca_file = "/"}, "ca_file /: cannot be read");
  expect_refused({.ca_file = "/dev/null"}, "ca_file /dev/null: there is no certificate in it");
  expect_refused({.ca_pem = "hunter2"}, "ca_pem: there is no certificate in it");
  expect_refused({.ca_pem = "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n"},
                 "ca_pem: ");
  expect_refused({.ca_file = "/dev/null", .ca_pem = "x"}, "ca: there is a file and a text");
  expect_refused({.certificate_pem = other.certificate}, "certificate_pem: a certificate needs");
  expect_refused({.key_pem = other.key}, "key_pem: a key needs its certificate");
  expect_refused({.certificate_pem = other.certificate, .key_pem = me.key},
                 "key_pem: there is no private key in it (PEM) that needs no password");
  expect_refused({.certificate_pem = me.certificate, .key_pem = me.key, .key_password = "hunter22"},
                 "key_pem: there is no private key in it (PEM) that the password opens");
  expect_refused({.certificate_pem = me.certificate, .key_pem = other.key},
                 "key_pem is not the key of certificate_pem");
  expect_refused({.close_timeout = Duration(-1)}, "close_timeout");
}

TEST(Options, WhatIsSaidLaterCounts) {
  const auto factory = openssl({.ca_file = "/nowhere"});
  EXPECT_TRUE(factory->check({}));
  EXPECT_FALSE(factory->check({.ca_pem = authority().pem()}));
  EXPECT_TRUE(openssl()->check({.key_file = "/nowhere"}));
}

// ------------------------------------------------------------------------------------------ AMQP

TEST(Options, AmqpsNeedsAStream) {
  amqp::ConnectionConfig config;
  ASSERT_FALSE(amqp::parse_uri("amqps://host", config));
  EXPECT_TRUE(config.tls);
  EXPECT_EQ(amqp::with_port(config.hosts[0], config).port, 5671);
  const Failure failure = check(config);
  EXPECT_EQ(failure.code, ClientErrc::invalid_config);
  EXPECT_NE(failure.message().find("//client/tls:openssl"), std::string::npos);
  config.stream = openssl();
  EXPECT_FALSE(check(config));
  config.stream = openssl({.ca_file = "/nowhere"});
  EXPECT_EQ(check(config).code, ClientErrc::invalid_config);
  // A program that could do TLS need not.
  config.tls = false;
  EXPECT_FALSE(check(config));
}

TEST(Options, ParametersOfUris) {
  amqp::ConnectionConfig config;
  config.stream = openssl();
  ASSERT_FALSE(amqp::parse_uri(
      "amqps://h?cacertfile=/nowhere%2Fca&certfile=c&keyfile=k&password=hunter2&verify=verify_none&"
      "server_name_indication=other&fail_if_no_peer_cert=true&auth_mechanism=external",
      config));
  EXPECT_EQ(config.tls_options, (TlsOptions{.ca_file = "/nowhere/ca",
                                            .certificate_file = "c",
                                            .key_file = "k",
                                            .key_password = "hunter2",
                                            .verify_peer = false,
                                            .server_name = "other",
                                            .check_name = true}));
  const Failure failure = check(config);
  EXPECT_NE(failure.message().find("/nowhere/ca"), std::string::npos) << failure.message();
  EXPECT_EQ(failure.message().find("hunter2"), std::string::npos) << failure.message();

  ASSERT_FALSE(
      amqp::parse_uri("amqps://h?verify=verify_peer&server_name_indication=disable", config));
  EXPECT_EQ(config.tls_options.verify_peer, true);
  EXPECT_EQ(config.tls_options.check_name, false);
  EXPECT_EQ(config.tls_options.server_name, "");
}

TEST(Options, ParametersOfUrisThatMakeNoSense) {
  for (const auto& [uri, words] :
       {std::pair<const char*, const char*>{"amqp://h?cacertfile=x", "cacertfile: only for amqps"},
        {"amqp://h?verify=verify_none", "verify: only for amqps"},
        {"amqp://h?password=hunter2", "password: only for amqps"},
        {"amqps://h?verify=maybe", "verify_peer or verify_none"},
        {"amqps://h?verify=", "verify_peer or verify_none"},
        {"amqps://h?keyfile=", "keyfile: it is empty"},
        {"amqps://h?fail_if_no_peer_cert=false", "only true"},
        {"amqps://h?server_name_indication=", "a host name or disable"},
        {"amqps://h?depth=2", "there is no parameter \"depth\""}}) {
    amqp::ConnectionConfig config;
    const Failure failure = amqp::parse_uri(uri, config);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << uri;
    EXPECT_NE(failure.message().find(words), std::string::npos) << failure.message();
    EXPECT_EQ(failure.message().find("hunter2"), std::string::npos) << failure.message();
  }
}

// ----------------------------------------------------------------------------------------- Kafka

TEST(Options, KafkaChecksThemToo) {
  kafka::ClientConfig config{.bootstrap = {"localhost:9093"}};
  config.stream = openssl({.ca_file = "/nowhere"});
  EXPECT_EQ(check(config).code, ClientErrc::invalid_config);
  config.stream = openssl();
  EXPECT_FALSE(check(config)) << check(config).message();
}

}  // namespace
}  // namespace tern::tls::testing
