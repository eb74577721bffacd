// AmqpBroker: an embedded AMQP 0-9-1 broker, as a Machine over a Network.
//
//   net::AsioNetwork or sim::Network network;
//   AmqpStore store;
//   AmqpBroker broker(store, network, {"127.0.0.1", 5672});
//   broker.start();              // then drive it like any Machine
//
// It speaks as RabbitMQ 3.10 does: logins (PLAIN, AMQPLAIN, EXTERNAL), direct, fanout, topic and
// headers exchanges, bindings between them, alternate exchanges; queues that are exclusive, delete
// themselves or expire, with x-max-length, x-max-length-bytes, x-overflow, x-message-ttl,
// x-expires, x-dead-letter-exchange, x-dead-letter-routing-key, x-max-priority and
// x-single-active-consumer; publishing with confirms, returns and transactions, consuming, getting,
// prefetch by consumer and by channel, acks, nacks, redelivery, recover, acks that come too late,
// cancelling by either side, direct replies, blocked connections, heartbeats. It refuses what
// RabbitMQ refuses, with the same codes.
//
// Not there: CC and BCC, priorities of consumers, quorum queues and streams, permissions, policies,
// plugins, more than one virtual host.
//
// One executor; no clock of its own. Store and network outlive the broker, and a broker that was
// started may be destroyed only when its links have had their on_closed() (stop(), then let the
// driver run), or when the network delivers no more events.
#ifndef TERN_TESTS_BROKER_AMQP_BROKER_H_
#define TERN_TESTS_BROKER_AMQP_BROKER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <system_error>

#include "client/core/ports.h"
#include "tests/broker/amqp_store.h"

namespace tern::broker {

class AmqpSession;

struct AmqpBrokerConfig {
  std::map<std::string, std::string> users = {{"guest", "guest"}};
  std::string virtual_host = "/";
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max = 131'072;
  std::uint16_t heartbeat = 60;  // seconds
  // A delivery that is not acknowledged after so long ends its channel; zero: it never does.
  // RabbitMQ looks once a minute, this one at once.
  Duration consumer_timeout = std::chrono::minutes(30);
  // Deliveries stop when so much waits to be written to a client.
  std::size_t max_unsent_bytes = 1'048'576;
};

class AmqpBroker final : public Machine, public Acceptor {
 public:
  // Port 0 picks a free one at the first start(), and keeps it.
  AmqpBroker(AmqpStore& store, Network& network, Endpoint listen_on, AmqpBrokerConfig config = {});
  ~AmqpBroker();
  AmqpBroker(const AmqpBroker&) = delete;
  AmqpBroker& operator=(const AmqpBroker&) = delete;

  std::error_code start();
  // Resets all connections and closes the port.
  void stop();
  const Endpoint& endpoint() const { return listen_on_; }
  std::size_t open_sessions() const;

  // As an alarm of memory or disk: clients that publish are told, and read no more.
  void set_blocked(bool blocked);
  bool is_blocked() const { return blocked_; }
  // As an operator would: connection.close with 320.
  void close_connections(const std::string& reason);
  // Asked of each message that is published with confirms; true: it is nacked, and not kept.
  std::function<bool(const AmqpMessage&)> refuse = {};

  Link* on_accept(LinkId id, const Endpoint& peer) override;
  void step(Now now) override;
  Time next_deadline() const override;
  void run_completions() override {}

  AmqpStore& store() { return store_; }
  Network& network() { return network_; }
  const AmqpBrokerConfig& config() const { return config_; }

 private:
  AmqpStore& store_;
  Network& network_;
  Endpoint listen_on_;
  const AmqpBrokerConfig config_;
  ListenerId listener_;
  bool blocked_ = false;
  std::uint64_t last_connection_ = 0;
  std::list<std::unique_ptr<AmqpSession>> sessions_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_BROKER_H_
