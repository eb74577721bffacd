// KafkaBroker: one node of an embedded Kafka cluster, as a Machine over a Network.
//
//   net::AsioNetwork or sim::Network network;
//   KafkaCluster cluster;
//   KafkaBroker broker(cluster, network, /*node=*/1, {"127.0.0.1", 9092});
//   broker.start();              // then drive it like any Machine
//
// or, for a whole cluster on one network: EmbeddedKafka below. The same code answers real sockets
// and the simulation, and any Kafka client may be at the other end.
//
// What it is for: tests of programs that use Kafka. It speaks the protocol as Kafka 4.4 does (older
// releases can be played, see Release) and refuses what a real broker refuses. Everything is in
// memory.
//
// Requests of a connection are answered strictly in order, one at a time: a Fetch that waits for
// data blocks what was sent behind it. Threading: as a Machine, one executor; no clock of its own.
// Lifetimes: cluster and network outlive the broker, and a broker that was started may be destroyed
// only when its links have had their on_closed() (stop(), then let the driver run), or when the
// network delivers no more events.
#ifndef TERN_TESTS_BROKER_BROKER_H_
#define TERN_TESTS_BROKER_BROKER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "client/core/ports.h"
#include "protocol/kafka/api.h"
#include "tests/broker/cluster.h"

namespace tern::broker {

class Session;
class FetchSessions;

// The APIs that a broker answers, in order of key; there are descriptions of more.
std::span<const kafka::Api> served_apis();

class KafkaBroker final : public Machine, public Acceptor {
 public:
  // Port 0 picks a free one at the first start(), and keeps it. `advertised_host` is what clients
  // are told to connect to, if not the host that is listened on.
  KafkaBroker(KafkaCluster& cluster, Network& network, std::int32_t node_id, Endpoint listen_on,
              std::string rack = {}, std::string advertised_host = {});
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  std::error_code start();
  // Resets all connections and closes the port. KafkaCluster::stop_node() elects new leaders as
  // well.
  void stop();
  bool running() const { return static_cast<bool>(listener_); }

  std::int32_t id() const { return id_; }
  const Endpoint& endpoint() const { return listen_on_; }  // with the real port, after start()
  KafkaCluster& cluster() { return cluster_; }
  Network& network() { return network_; }
  FetchSessions& fetch_sessions() { return *fetch_sessions_; }
  std::size_t open_sessions() const { return sessions_.size(); }
  void reset_connections();

  // Waiting requests are looked at again in the next step.
  void wake();

  Link* on_accept(LinkId id, const Endpoint& peer) override;
  void step(Now now) override;
  Time next_deadline() const override;
  void run_completions() override {}

 private:
  KafkaCluster& cluster_;
  Network& network_;
  const std::int32_t id_;
  Endpoint listen_on_;
  const std::string advertised_host_;
  ListenerId listener_;
  std::list<std::unique_ptr<Session>> sessions_;
  std::unique_ptr<FetchSessions> fetch_sessions_;
  bool dirty_ = false;
};

// Several machines driven as one.
class MachineGroup : public Machine {
 public:
  virtual ~MachineGroup() = default;
  void add(Machine& machine) { machines_.push_back(&machine); }
  void step(Now now) override;
  Time next_deadline() const override;
  void run_completions() override;

 private:
  std::vector<Machine*> machines_;
};

// A cluster of `nodes` brokers (ids from 1) on one network, all on `host`, on consecutive ports
// from `first_port` or, with 0, on free ones.
class EmbeddedKafka final : public MachineGroup {
 public:
  EmbeddedKafka(Network& network, int nodes = 1, ClusterConfig config = {},
                std::string host = "127.0.0.1", std::uint16_t first_port = 0);
  ~EmbeddedKafka() override;

  std::error_code start();  // the first error, if any; what was started stays so
  void stop();
  KafkaCluster& cluster() { return cluster_; }
  KafkaBroker& broker(std::int32_t id) { return *brokers_.at(id); }
  std::vector<Endpoint> endpoints() const;
  std::string bootstrap_servers() const;  // "host:port,host:port"

 private:
  KafkaCluster cluster_;
  std::map<std::int32_t, std::unique_ptr<KafkaBroker>> brokers_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_BROKER_H_
