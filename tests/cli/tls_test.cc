// `tern kafka` over TLS, before an embedded broker that speaks it.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "tests/cli/rig.h"
#include "tests/tls/authority.h"
#include "tests/tls/tls_peer.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tls::testing::Authority;
using tls::testing::Identity;
using tls::testing::ServerOptions;
using tls::testing::TlsPeer;

// Outlives the brokers and their network, whose connections it has.
struct Peer {
  std::unique_ptr<TlsPeer> peer;
};

class Tls : private Peer, public KafkaRig {
 protected:
  // From now on the broker is to be had over TLS, with a certificate for `hosts`.
  void serve(const std::string& hosts, bool wants_certificate = false) {
    ServerOptions options{.identity = authority_.issue({.name = "the broker", .hosts = hosts})};
    if (wants_certificate) options.client_authority = authority_.pem();
    on_thread([&](broker::EmbeddedKafka& kafka) {
      broker::KafkaBroker& broker = kafka.broker(1);
      peer = std::make_unique<TlsPeer>(broker.network(), Endpoint{"127.0.0.1", 0}, broker, options);
      kafka.cluster().set_advertised(1, peer->endpoint());
      address_ = to_string(peer->endpoint());
    });
  }

  Words secure(Words words, const Words& settings) const {
    words.insert(words.end(), {"-b", address_, "-X", "security.protocol=ssl"});
    for (const std::string& each : settings) words.insert(words.end(), {"-X", each});
    return plain(std::move(words));
  }
  std::string trusted() const { return "ssl.ca.location=" + ca_; }

  // What is said at once of settings that cannot be.
  std::string refused(const Words& settings) const {
    Ended ended = run(secure({"topics"}, settings));
    EXPECT_EQ(ended.status, 2) << ended.err;
    EXPECT_EQ(ended.out, "");
    return std::move(ended.err);
  }

  // Says what is wrong and tries again, for ever if need be.
  static void expect_told(Words words, std::string_view text) {
    words.insert(words.end(), {"-m", "1000"});
    Command command(words);
    EXPECT_TRUE(command.says(text)) << text;
    command.signal(SIGINT);
    EXPECT_EQ(command.end().out, "");
  }

  const Authority authority_{"tern's test authority"};
  const std::string ca_ = file_with("ca.pem", authority_.pem());
  std::string address_;
};

TEST_F(Tls, ThereAndBack) {
  serve("IP:127.0.0.1");
  const std::string large(700'000, 'x');
  EXPECT_EQ(run(secure({"produce", "-t", "t"}, {trusted()}), "small\n" + large + "\n").status, 0);
  const Ended read = run(secure({"consume", "-t", "t", "-e", "-q"}, {trusted()}));
  EXPECT_EQ(read.status, 0) << read.err;
  EXPECT_TRUE(read.out == "small\n" + large + "\n") << read.out.size();
  EXPECT_EQ(run(secure({"consume", "-G", "g", "t", "-c1", "-o", "beginning"}, {trusted()})).out,
            "small\n");
  EXPECT_THAT(run(secure({"groups", "list"}, {trusted()})).out, HasSubstr("g "));
  EXPECT_THAT(run(secure({"-L"}, {trusted()})).out, HasSubstr("broker 1 at " + address_));
  EXPECT_EQ(run(secure({"query", "-t", "t:0:-1"}, {trusted()})).out, "t [0] offset 2\n");
}

TEST_F(Tls, FromAFileWithACertificate) {
  serve("IP:127.0.0.1", true);
  create_topic("t");
  const Identity me = authority_.issue({.name = "me", .hosts = ""}, "open sesame");
  const std::string file = file_with(
      "tls.properties", "security.protocol=SSL\nbootstrap.servers=" + address_ +
                            "\nssl.ca.location=" + ca_ +
                            "\nssl.certificate.location=" + file_with("me.pem", me.certificate) +
                            "\nssl.key.location=" + file_with("me.key", me.key));
  const Words with_password = {"topics", "-F", file, "-X", "ssl.key.password=open sesame"};
  EXPECT_EQ(run(plain(with_password)).out, "t\n");
  ::setenv("KCAT_CONFIG", file.c_str(), 1);
  EXPECT_EQ(run(plain({"topics", "-X", "ssl.key.password=open sesame"})).out, "t\n");
  ::unsetenv("KCAT_CONFIG");

  const Ended locked = run(plain({"topics", "-F", file, "-X", "ssl.key.password=wrong-password"}));
  EXPECT_EQ(locked.status, 2);
  EXPECT_THAT(locked.err, HasSubstr("no private key in it (PEM) that the password opens"));
  EXPECT_THAT(locked.err, Not(HasSubstr("wrong-password")));
  expect_told(secure({"topics"}, {trusted()}), "-X ssl.certificate.location=FILE");
}

TEST_F(Tls, WhoIsNotTrusted) {
  serve("DNS:elsewhere");
  create_topic("t");
  const std::string stranger = file_with("other.pem", Authority("another").pem());
  expect_told(secure({"topics"}, {"ssl.ca.location=" + stranger}), "-X ssl.ca.location=FILE");
  expect_told(secure({"topics"}, {trusted()}), "is for elsewhere and not for 127.0.0.1");
  EXPECT_EQ(run(secure({"topics"}, {trusted(), "ssl.endpoint.identification.algorithm=none"})).out,
            "t\n");
  EXPECT_EQ(run(secure({"topics"}, {"enable.ssl.certificate.verification=false"})).out, "t\n");
}

TEST_F(Tls, WhatCannotBe) {
  serve("IP:127.0.0.1");
  EXPECT_THAT(refused({"ssl.ca.location=/none"}),
              HasSubstr("TLS: ssl.ca.location /none: cannot be read: No such file"));
  EXPECT_THAT(refused({"ssl.certificate.location=" + ca_}),
              HasSubstr("ssl.certificate.location " + ca_ + ": a certificate needs its key"));
  EXPECT_THAT(refused({"sasl.username=me"}), HasSubstr("SASL is not supported"));
  EXPECT_THAT(refused({"security.protocol=sasl_ssl"}), HasSubstr("plaintext or ssl; SASL"));
  EXPECT_THAT(run(plain({"-X", "dump", "-X", "ssl.key.password=x", "-X", trusted()})).out,
              "ssl.key.password = [redacted]\nssl.ca.location = " + ca_ + "\n");
}

TEST_F(Tls, TheOtherKindOfPort) {
  serve("IP:127.0.0.1");
  expect_told(plain({"topics", "-b", address_}), "-X security.protocol=ssl");
  expect_told(kafka({"topics", "-X", "security.protocol=ssl", "-X", trusted()}),
              "-X security.protocol=ssl is for listeners with TLS, and only for those");
}

}  // namespace
}  // namespace tern::cli
