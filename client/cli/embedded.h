// Embedded brokers, each with a thread of its own.
#ifndef TERN_CLIENT_CLI_EMBEDDED_H_
#define TERN_CLIENT_CLI_EMBEDDED_H_

#include <cstdint>
#include <memory>
#include <string>

#include "client/net/asio_network.h"
#include "client/net/runtime.h"
#include "tests/broker/amqp_broker.h"
#include "tests/broker/broker.h"

namespace tern::cli {

class EmbeddedCluster {
 public:
  // Throws std::system_error if a port cannot be had.
  EmbeddedCluster(int nodes, const std::string& host, std::uint16_t first_port,
                  broker::ClusterConfig config);
  ~EmbeddedCluster();

  const std::string& bootstrap() const { return bootstrap_; }

 private:
  net::Runtime runtime_;
  std::unique_ptr<net::AsioNetwork> network_;
  std::unique_ptr<broker::EmbeddedKafka> kafka_;
  std::string bootstrap_;
};

class EmbeddedAmqp {
 public:
  // Throws std::system_error if the port cannot be had.
  EmbeddedAmqp(const std::string& host, std::uint16_t port);
  ~EmbeddedAmqp();

  const Endpoint& endpoint() const { return endpoint_; }
  // Cuts all connections.
  void restart();

 private:
  void end();

  net::Runtime runtime_;
  broker::AmqpStore store_;
  std::unique_ptr<net::AsioNetwork> network_;
  std::unique_ptr<broker::AmqpBroker> broker_;
  Endpoint endpoint_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_EMBEDDED_H_
