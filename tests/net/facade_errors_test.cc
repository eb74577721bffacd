// What users are told when the other end is not what it should be, and when a config is wrong.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/facade_rig.h"

namespace tern::kafka {
namespace {

using asio::ip::tcp;

// Serves every connection with `answer` once some bytes have come; an empty answer: with silence.
class Peer {
 public:
  explicit Peer(std::string answer)
      : answer_(std::move(answer)),
        acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Peer() {
    context_.stop();
    thread_.join();
  }
  std::string address() { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  struct Connection {
    explicit Connection(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    char bytes[1024];
  };
  void accept() {
    acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
      if (error) return;
      auto connection = std::make_shared<Connection>(std::move(socket));
      read(connection);
      accept();
    });
  }
  void read(const std::shared_ptr<Connection>& connection) {
    connection->socket.async_read_some(
        asio::buffer(connection->bytes), [this, connection](std::error_code error, std::size_t) {
          if (error) return;
          if (answer_.empty()) return read(connection);
          asio::async_write(connection->socket, asio::buffer(answer_),
                            [this, connection](std::error_code, std::size_t) { read(connection); });
        });
  }

  const std::string answer_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

std::string closed_port() {
  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  return "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
}

struct Told {
  std::error_code error;
  std::string text;
};

ClientConfig impatient(const std::string& address) {
  ClientConfig config;
  config.bootstrap = {address};
  config.connect_timeout = 200ms;
  config.request_timeout = 200ms;
  config.operation_timeout = 700ms;
  config.retry_backoff = 20ms;
  return config;
}

// One operation of each kind against `address`, and what each says in the end.
std::vector<std::pair<std::string, Told>> try_all(const std::string& address) {
  asio::io_context context(1);
  Client client(context, impatient(address));
  Admin admin(client);
  ProducerConfig config;
  config.delivery_timeout = 700ms;
  config.metadata_timeout = 700ms;
  Producer producer(client, config);
  Consumer consumer(client, reading("t"));
  Ended<ClusterDescription> described;
  Ended<Delivery> sent;
  Ended<Records> polled;
  Ended<OffsetsAndTimes> offsets;
  Diagnostics words[4];
  Record record{.value = "v"};
  std::vector<TopicPartition> partitions;
  partitions.push_back({"t", 0});
  admin.async_describe_cluster(into(described), &words[0]);
  producer.async_send("t", record, into(sent), &words[1]);
  consumer.async_poll(into(polled), &words[2]);
  consumer.async_end_offsets(partitions, into(offsets), &words[3]);
  run_until(context,
            [&] { return described.calls + sent.calls + polled.calls + offsets.calls == 4; });
  EXPECT_EQ(sent.result.message(), words[1].message);
  EXPECT_EQ(sent.error, ClientErrc::not_written) << words[1].message;
  client.close();
  run_out(context);
  return {{"admin", {described.error, words[0].message}},
          {"send", {sent.error, words[1].message}},
          {"poll", {polled.error, words[2].message}},
          {"offsets", {offsets.error, words[3].message}}};
}

void expect_words(const std::string& address, const std::vector<std::string>& needed) {
  for (const auto& [what, told] : try_all(address)) {
    EXPECT_TRUE(told.error) << what;
    for (const std::string& word : needed) {
      EXPECT_NE(told.text.find(word), std::string::npos)
          << what << " does not say \"" << word << "\": " << told.text;
    }
  }
}

TEST(FacadeErrors, ClosedPort) {
  const std::string address = closed_port();
  expect_words(address, {address, "tcp", "refused"});
}

TEST(FacadeErrors, HostThatDoesNotExist) {
  expect_words("no-such-host.invalid:9092", {"no-such-host.invalid:9092", "dns"});
}

TEST(FacadeErrors, HttpServer) {
  Peer http("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  expect_words(http.address(), {http.address(), "HTTP"});
}

TEST(FacadeErrors, TlsPort) {
  // Alert: protocol version.
  Peer tls(std::string("\x15\x03\x03\x00\x02\x02\x46", 7));
  expect_words(tls.address(), {tls.address(), "TLS"});
}

TEST(FacadeErrors, SilentPort) {
  Peer silent("");
  expect_words(silent.address(), {silent.address()});
}

template <class Make>
void expect_refused(const std::string& field, Make make) {
  try {
    make();
    ADD_FAILURE() << field << ": taken";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), ClientErrc::invalid_config) << field;
    EXPECT_NE(std::string(error.what()).find(field), std::string::npos) << error.what();
  }
}

TEST(FacadeErrors, WrongConfigNamesTheField) {
  asio::io_context context(1);
  ClientConfig good;
  good.bootstrap = {"127.0.0.1:1"};
  const auto client_with = [&](auto change) {
    return [&, change] {
      ClientConfig config = good;
      change(config);
      Client client(context, config);
    };
  };
  expect_refused("bootstrap", client_with([](ClientConfig& c) { c.bootstrap.clear(); }));
  expect_refused("bootstrap", client_with([](ClientConfig& c) { c.bootstrap = {"host:99999"}; }));
  expect_refused("connect_timeout", client_with([](ClientConfig& c) { c.connect_timeout = -1s; }));
  Client client(context, good);
  const auto producer_with = [&](auto change) {
    return [&, change] {
      ProducerConfig config;
      change(config);
      Producer producer(client, config);
    };
  };
  expect_refused("batch_bytes", producer_with([](ProducerConfig& c) { c.batch_bytes = 0; }));
  expect_refused("linger", producer_with([](ProducerConfig& c) { c.linger = -1s; }));
  expect_refused("acks", producer_with([](ProducerConfig& c) { c.acks = Acks::leader; }));
  expect_refused("prefetch_bytes", [&] {
    ConsumerConfig config;
    config.prefetch_bytes = 0;
    Consumer consumer(client, config);
  });
}

}  // namespace
}  // namespace tern::kafka
