// The Kafka client over TLS against a real Apache Kafka: a node of its own beside those that
// TERN_KAFKA names, 20 ports above the first, with an SSL listener 3 above that, which wants
// certificates of its clients.
#include <gtest/gtest.h>
#include <unistd.h>

#include <asio/use_future.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"
#include "client/tls/openssl.h"
#include "tests/tls/authority.h"

namespace tern::kafka {
namespace {

using asio::use_future;
using std::chrono::seconds;
using tls::testing::Authority;
using tls::testing::Identity;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

class Node {
 public:
  Node()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("tls." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    const std::string first = environment("TERN_KAFKA");
    port_ = std::stoi(first.substr(first.find(':') + 1)) + 20;
    const Identity server = authority.issue({.name = "the broker", .hosts = "IP:127.0.0.1"});
    std::ofstream(file("ca")) << authority.pem();
    std::ofstream(file("server")) << server.key << server.certificate;
    const std::string plain = "PLAINTEXT://127.0.0.1:" + std::to_string(port_);
    const std::string ssl = "SSL://" + address();
    std::string settings;
    for (const std::string& each :
         {"listeners=" + plain + "," + ssl +
              ",CONTROLLER://127.0.0.1:" + std::to_string(port_ + 50),
          "advertised.listeners=" + plain + "," + ssl,
          std::string("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                      "SSL:SSL"),
          std::string("ssl.keystore.type=PEM"), "ssl.keystore.location=" + file("server"),
          std::string("ssl.truststore.type=PEM"), "ssl.truststore.location=" + file("ca"),
          std::string("ssl.client.auth=required")}) {
      settings += " --set " + each;
    }
    control("start", settings);
  }
  ~Node() {
    control("stop", "");
    std::filesystem::remove_all(folder_);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_ + 3); }
  Authority authority{"tern's test authority"};

 private:
  std::string file(const std::string& name) const { return (folder_ / (name + ".pem")).string(); }
  void control(const std::string& verb, const std::string& arguments) const {
    const std::string command = environment("TERN_KAFKA_CONTROL") + " " + verb + " --port " +
                                std::to_string(port_) + arguments + " >/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }

  const std::filesystem::path folder_;
  int port_ = 0;
};

TEST(RealKafkaTls, ThereAndBackWithACertificate) {
  if (environment("TERN_KAFKA").empty()) GTEST_SKIP() << "TERN_KAFKA is not set";
  Node node;
  const Identity me = node.authority.issue({.name = "me", .hosts = ""});
  TlsOptions options{
      .ca_pem = node.authority.pem(), .certificate_pem = me.certificate, .key_pem = me.key};
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
