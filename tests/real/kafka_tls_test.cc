// The Kafka client over TLS against a real Apache Kafka: a node of its own beside those that
// TERN_KAFKA names, 20 ports above the first, with an SSL listener 3 above that, which wants
// certificates of its clients.
#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"
#include "client/tls/openssl.h"
#include "tests/real/environment.h"
#include "tests/real/tls_broker.h"

namespace tern::kafka {
namespace {

using asio::use_future;
using real::environment;
using std::chrono::seconds;
using tls::testing::Identity;

class Node {
 public:
  Node() : broker_(environment("TERN_KAFKA"), environment("TERN_KAFKA_CONTROL"), 20) {
    const Identity server = authority().issue({.name = "the broker", .hosts = "IP:127.0.0.1"});
    broker_.save("ca", authority().pem());
    broker_.save("server", server.key + server.certificate);
    const std::string plain = "PLAINTEXT://127.0.0.1:" + std::to_string(broker_.port);
    const std::string ssl = "SSL://" + address();
    broker_.start(
        {"listeners=" + plain + "," + ssl +
             ",CONTROLLER://127.0.0.1:" + std::to_string(broker_.port + 50),
         "advertised.listeners=" + plain + "," + ssl,
         "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL",
         "ssl.keystore.type=PEM", "ssl.keystore.location=" + broker_.file("server"),
         "ssl.truststore.type=PEM", "ssl.truststore.location=" + broker_.file("ca"),
         "ssl.client.auth=required"});
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(broker_.port + 3); }
  const tls::testing::Authority& authority() const { return broker_.authority; }

 private:
  const real::TlsBroker broker_;
};

TEST(RealKafkaTls, ThereAndBackWithACertificate) {
  if (environment("TERN_KAFKA").empty()) GTEST_SKIP() << "TERN_KAFKA is not set";
  Node node;
  const Identity me = node.authority().issue({.name = "me", .hosts = ""});
  TlsOptions options{
      .ca_pem = node.authority().pem(), .certificate_pem = me.certificate, .key_pem = me.key};
  net::Runtime runtime;
  const std::string large(700'000, 'x');
  {
    Client client(runtime.executor(),
                  {.bootstrap = {node.address()}, .stream = tls::openssl(options)});
    Producer producer(client, {});
    EXPECT_EQ(producer.async_send("over.tls", {.value = "small"}, use_future).get().offset, 0);
    producer.async_send("over.tls", {.value = large}, use_future).get();
    Consumer consumer(client, {.assignment = {{"over.tls", 0, Position::earliest()}}});
    std::vector<std::string> values;
    while (values.size() < 2) {
      const Records records = consumer.async_poll(use_future).get();
      for (const ConsumerRecord& record : records) values.push_back(record.value.str());
    }
    EXPECT_EQ(values[0], "small");
    EXPECT_TRUE(values[1] == large);
    producer.async_close(seconds(10), use_future).get();
  }
  options.certificate_pem = options.key_pem = {};
  Client stranger(runtime.executor(),
                  {.bootstrap = {node.address()}, .stream = tls::openssl(options)});
  Producer producer(stranger, {.delivery_timeout = seconds(5)});
  Diagnostics diagnostics;
  EXPECT_THROW(producer.async_send("over.tls", {.value = "x"}, use_future, &diagnostics).get(),
               std::system_error);
  EXPECT_NE(diagnostics.message.find("alert"), std::string::npos) << diagnostics.message;
}

}  // namespace
}  // namespace tern::kafka
