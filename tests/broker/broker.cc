#include "tests/broker/broker.h"

#include <algorithm>
#include <utility>

#include "tests/broker/fetch_sessions.h"
#include "tests/broker/group_coordinator.h"
#include "tests/broker/session.h"

namespace tern::broker {

KafkaBroker::KafkaBroker(KafkaCluster& cluster, Network& network, std::int32_t node_id,
                         Endpoint listen_on, std::string rack, std::string advertised_host)
    : cluster_(cluster),
      network_(network),
      id_(node_id),
      listen_on_(std::move(listen_on)),
      advertised_host_(advertised_host.empty() ? listen_on_.host : std::move(advertised_host)),
      fetch_sessions_(std::make_unique<FetchSessions>()) {
  cluster_.attach(id_, {advertised_host_, listen_on_.port}, std::move(rack), this);
}

KafkaBroker::~KafkaBroker() { cluster_.detach(id_); }

std::error_code KafkaBroker::start() {
  if (running()) return {};
  std::error_code error;
  Endpoint bound = listen_on_;
  listener_ = network_.listen(listen_on_, *this, error, &bound);
  if (error) return error;
  listen_on_.port = bound.port;
  cluster_.set_advertised(id_, {advertised_host_, listen_on_.port});
  cluster_.set_up(id_, true);
  return {};
}

void KafkaBroker::stop() {
  if (!running()) return;
  network_.close_listener(std::exchange(listener_, {}));
  reset_connections();
  fetch_sessions_->clear();
  cluster_.groups().on_node_stopped(id_);
  cluster_.set_up(id_, false);
}

void KafkaBroker::reset_connections() {
  for (const auto& session : sessions_) session->reset();
}

void KafkaBroker::wake() {
  if (std::exchange(dirty_, true)) return;
  if (running() || !sessions_.empty()) network_.wake();
}

Link* KafkaBroker::on_accept(LinkId id, const Endpoint& peer) {
  if (!running()) return nullptr;
  return sessions_.emplace_back(std::make_unique<Session>(*this, id, peer.host)).get();
}

void KafkaBroker::step(Now now) {
  if (dirty_) cluster_.groups().on_changed(now);
  cluster_.groups().on_time(id_, now);
  // A request carried out here may change something that another session waits for, so go round
  // until nothing does; each round completes at least one waiting request.
  bool first = true;
  while (first || dirty_) {
    first = false;
    const bool changed = std::exchange(dirty_, false);
    std::erase_if(sessions_, [](const auto& session) { return session->closed(); });
    for (const auto& session : sessions_) session->step(now, changed);
  }
}

Time KafkaBroker::next_deadline() const {
  if (dirty_) return Time::min();
  Time earliest = cluster_.groups().next_deadline(id_);
  for (const auto& session : sessions_) earliest = std::min(earliest, session->next_deadline());
  return earliest;
}

// ------------------------------------------------------------------------------ several as one

void MachineGroup::step(Now now) {
  for (Machine* machine : machines_) machine->step(now);
}

Time MachineGroup::next_deadline() const {
  Time earliest = kNever;
  for (const Machine* machine : machines_) earliest = std::min(earliest, machine->next_deadline());
  return earliest;
}

void MachineGroup::run_completions() {
  for (Machine* machine : machines_) machine->run_completions();
}

EmbeddedKafka::EmbeddedKafka(Network& network, int nodes, ClusterConfig config, std::string host,
                             std::uint16_t first_port)
    : cluster_(std::move(config)) {
  for (int i = 0; i < nodes; ++i) {
    const auto port = static_cast<std::uint16_t>(first_port == 0 ? 0 : first_port + i);
    auto broker = std::make_unique<KafkaBroker>(cluster_, network, i + 1, Endpoint{host, port});
    add(*broker);
    brokers_[i + 1] = std::move(broker);
  }
}

EmbeddedKafka::~EmbeddedKafka() = default;

std::error_code EmbeddedKafka::start() {
  std::error_code first;
  for (auto& [id, broker] : brokers_) {
    const std::error_code error = broker->start();
    if (error && !first) first = error;
  }
  return first;
}

void EmbeddedKafka::stop() {
  for (auto& [id, broker] : brokers_) broker->stop();
}

std::vector<Endpoint> EmbeddedKafka::endpoints() const {
  std::vector<Endpoint> endpoints;
  for (const auto& [id, broker] : brokers_) endpoints.push_back(broker->endpoint());
  return endpoints;
}

std::string EmbeddedKafka::bootstrap_servers() const {
  std::string list;
  for (const Endpoint& endpoint : endpoints()) {
    if (!list.empty()) list += ',';
    list += to_string(endpoint);
  }
  return list;
}

}  // namespace tern::broker
