// The AMQP client over TLS against a real RabbitMQ: a broker of its own beside the one that
// TERN_RABBITMQ names, 10 ports above it, with a TLS listener 3 above that, on certificates that
// are made here, and the mechanism EXTERNAL. By hand: as rabbitmq_test.cc.
#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <system_error>

#include "client/amqp/channel.h"
#include "client/amqp/connection.h"
#include "client/net/runtime.h"
#include "client/tls/openssl.h"
#include "tests/real/environment.h"
#include "tests/real/tls_broker.h"

namespace tern::amqp {
namespace {

using asio::use_future;
using real::environment;
using std::chrono::seconds;
using tls::testing::Authority;

constexpr int kPortsAbove = 10;
constexpr int kTlsAbove = 3;
constexpr seconds kPatience(60);

class Broker : public real::TlsBroker {
 public:
  Broker()
      : TlsBroker(environment("TERN_RABBITMQ"), environment("TERN_RABBITMQ_CONTROL"), kPortsAbove) {
    save("ca", authority.pem());
    save("server", authority.issue({.name = "the broker", .hosts = "DNS:localhost"}));
    save("me", authority.issue({.name = "me", .hosts = ""}));
    save("unknown", authority.issue({.name = "unknown", .hosts = ""}));
    save("stranger", Authority("a stranger").issue({.name = "me", .hosts = ""}));
    start({"listeners.ssl.1=127.0.0.1:" + std::to_string(port + kTlsAbove),
           "ssl_options.cacertfile=" + file("ca"), "ssl_options.certfile=" + file("server"),
           "ssl_options.keyfile=" + file("server.key"), "ssl_options.verify=verify_peer",
           "ssl_options.fail_if_no_peer_cert=false", "ssl_cert_login_from=common_name",
           "auth_mechanisms.1=PLAIN", "auth_mechanisms.2=EXTERNAL"},
          " --plugin rabbitmq_auth_mechanism_ssl");
    control("ctl", " -- add_user me unused");
    control("ctl", " -- set_permissions me '.*' '.*' '.*'");
  }

  // For `who` in the mechanism EXTERNAL, or for guest.
  std::string uri(const std::string& who = {}) const {
    std::string uri =
        "amqps://localhost:" + std::to_string(port + kTlsAbove) + "/?cacertfile=" + file("ca");
    if (!who.empty()) {
      uri += "&auth_mechanism=external&certfile=" + file(who) + "&keyfile=" + file(who + ".key");
    }
    return uri;
  }
};

class RealRabbitmqTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!environment("TERN_RABBITMQ").empty()) broker = std::make_unique<Broker>();
  }
  static void TearDownTestSuite() { broker.reset(); }
  void SetUp() override {
    if (!broker) GTEST_SKIP() << "TERN_RABBITMQ is not set";
  }

  static ConnectionConfig config(const std::string& uri) {
    ConnectionConfig config;
    config.stream = tls::openssl();
    config.recover = false;
    const Failure failure = parse_uri(uri, config);
    EXPECT_FALSE(failure) << failure.message();
    return config;
  }
  // How connecting fails, in words; "" if it does not.
  std::string refused(const ConnectionConfig& with) {
    Connection connection(runtime.executor(), with);
    Diagnostics diagnostics;
    try {
      connection.async_connect(use_future, &diagnostics).get();
      connection.async_close(use_future).get();
      return {};
    } catch (const std::system_error&) {
      return diagnostics.message;
    }
  }
  // Through a queue and back.
  static void exchange(Connection& connection, const std::string& body) {
    Channel channel = connection.async_open_channel({}, use_future).get();
    const QueueInfo queue =
        channel.async_declare(QueueDeclare{.exclusive = true}, use_future).get();
    const std::string& name = queue.name;
    auto consumer =
        channel.async_consume(BasicConsume{.queue = std::string_view(name)}, {}, use_future).get();
    const Target target{.routing_key = std::string_view(name), .mandatory = true};
    const Message message{.body = std::string_view(body)};
    channel.async_publish(target, message, use_future).get();
    Delivery delivery = consumer.async_next(use_future).get();
    EXPECT_TRUE(delivery.body() == std::string_view(body));
    delivery.ack();
    channel.async_close(use_future).get();
  }

  static std::unique_ptr<Broker> broker;
  net::Runtime runtime;
};
std::unique_ptr<Broker> RealRabbitmqTls::broker;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(RealRabbitmqTls, PlainOverTls) {
  Connection connection(runtime.executor(), config(broker->uri()));
  connection.async_connect(use_future).get();
  exchange(connection, "small");
  exchange(connection, std::string(3'000'000, 'x'));
  connection.async_close(use_future).get();
}

TEST_F(RealRabbitmqTls, External) {
  Connection connection(runtime.executor(), config(broker->uri("me")));
  connection.async_connect(use_future).get();
  exchange(connection, "from me");
  connection.async_close(use_future).get();
}

TEST_F(RealRabbitmqTls, WhatIsRefused) {
  const std::string unknown = refused(config(broker->uri("unknown")));
  EXPECT_TRUE(has(unknown, "ACCESS_REFUSED")) << unknown;
  const std::string stranger = refused(config(broker->uri("stranger")));
  EXPECT_TRUE(has(stranger, ": tls: the peer ended TLS with an alert: unknown ca")) << stranger;

  ConnectionConfig other = config(broker->uri());
  other.hosts[0].host = "127.0.0.1";
  const std::string name = refused(other);
  EXPECT_TRUE(has(name, "is for localhost and not for 127.0.0.1")) << name;
  other.tls_options.server_name = "localhost";
  EXPECT_EQ(refused(other), "");

  ConnectionConfig untrusting = config(broker->uri());
  untrusting.tls_options.ca_file.clear();
  const std::string untrusted = refused(untrusting);
  EXPECT_TRUE(has(untrusted, "certificate is not accepted")) << untrusted;
}

TEST_F(RealRabbitmqTls, TheWrongPort) {
  ConnectionConfig plain = config(broker->uri());
  plain.hosts[0].port = static_cast<std::uint16_t>(broker->port);
  const std::string answered = refused(plain);
  EXPECT_TRUE(has(answered, "AMQP without TLS was answered")) << answered;

  ConnectionConfig tls = config("amqp://localhost:" + std::to_string(broker->port + kTlsAbove));
  tls.connect_timeout = seconds(10);
  EXPECT_NE(refused(tls), "");
}

TEST_F(RealRabbitmqTls, ComesBackAfterAKill) {
  std::promise<void> lost;
  std::promise<void> recovered;
  std::string why;
  ConnectionConfig with = config(broker->uri("me"));
  with.recover = true;
  with.recovery_backoff_max = seconds(1);
  Connection connection(runtime.executor(), with,
                        {.on_lost =
                             [&](const Failure& failure) {
                               why = failure.message();
                               lost.set_value();
                             },
                         .on_recovered = [&] { recovered.set_value(); }});
  connection.async_connect(use_future).get();
  exchange(connection, "before");
  broker->control("kill");
  ASSERT_EQ(lost.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(has(why, "localhost")) << why;
  broker->control("boot");
  ASSERT_EQ(recovered.get_future().wait_for(kPatience), std::future_status::ready);
  exchange(connection, "after");
  connection.async_close(use_future).get();
}

}  // namespace
}  // namespace tern::amqp
