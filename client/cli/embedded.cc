#include "client/cli/embedded.h"

#include <future>
#include <system_error>

namespace tern::cli {

EmbeddedCluster::EmbeddedCluster(int nodes, const std::string& host, std::uint16_t first_port,
                                 broker::ClusterConfig config)
    : network_(std::make_unique<net::AsioNetwork>(runtime_.executor())),
      kafka_(std::make_unique<broker::EmbeddedKafka>(*network_, nodes, std::move(config), host,
                                                     first_port)) {
  std::promise<std::error_code> started;
  network_->post([&] {
    network_->attach(*kafka_);
    started.set_value(kafka_->start());
  });
  if (const std::error_code error = started.get_future().get()) {
    throw std::system_error(error, "cannot listen on " + host + ":" + std::to_string(first_port));
  }
  bootstrap_ = kafka_->bootstrap_servers();
}

EmbeddedCluster::~EmbeddedCluster() {
  std::promise<void> stopped;
  network_->post([&] {
    network_->shutdown();
    kafka_.reset();
    network_.reset();
    stopped.set_value();
  });
  stopped.get_future().wait();
}

EmbeddedAmqp::EmbeddedAmqp(const std::string& host, std::uint16_t port)
    : network_(std::make_unique<net::AsioNetwork>(runtime_.executor())),
      broker_(std::make_unique<broker::AmqpBroker>(store_, *network_, Endpoint{host, port})) {
  std::error_code error;
  on_thread([&] {
    network_->attach(*broker_);
    error = broker_->start();
    endpoint_ = broker_->endpoint();
  });
  if (error) {
    end();
    throw std::system_error(error, "cannot listen on " + host + ":" + std::to_string(port));
  }
}

EmbeddedAmqp::~EmbeddedAmqp() { end(); }

void EmbeddedAmqp::end() {
  on_thread([this] {
    network_->shutdown();
    broker_.reset();
    network_.reset();
  });
}

void EmbeddedAmqp::restart() {
  std::error_code error;
  on_thread([&] {
    broker_->stop();
    error = broker_->start();
  });
  if (error) throw std::system_error(error, "cannot listen again");
}

void EmbeddedAmqp::on_thread(const std::function<void()>& call) {
  std::promise<void> done;
  network_->post([&] {
    call();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace tern::cli
