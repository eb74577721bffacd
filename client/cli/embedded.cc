#include "client/cli/embedded.h"

#include <functional>
#include <future>
#include <system_error>

namespace tern::cli {
namespace {

// Calls it on the network's thread, and waits for that.
void run_on(net::AsioNetwork& network, const std::function<void()>& call) {
  std::promise<void> done;
  network.post([&] {
    call();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace

EmbeddedCluster::EmbeddedCluster(int nodes, const std::string& host, std::uint16_t first_port,
                                 broker::ClusterConfig config)
    : network_(std::make_unique<net::AsioNetwork>(runtime_.executor())),
      kafka_(std::make_unique<broker::EmbeddedKafka>(*network_, nodes, std::move(config), host,
                                                     first_port)) {
  std::error_code error;
  run_on(*network_, [&] {
    network_->attach(*kafka_);
    error = kafka_->start();
  });
  if (error) {
    throw std::system_error(error, "cannot listen on " + host + ":" + std::to_string(first_port));
  }
  bootstrap_ = kafka_->bootstrap_servers();
}

EmbeddedCluster::~EmbeddedCluster() {
  run_on(*network_, [this] {
    network_->shutdown();
    kafka_.reset();
    network_.reset();
  });
}

EmbeddedAmqp::EmbeddedAmqp(const std::string& host, std::uint16_t port)
    : network_(std::make_unique<net::AsioNetwork>(runtime_.executor())),
      broker_(std::make_unique<broker::AmqpBroker>(store_, *network_, Endpoint{host, port})) {
  std::error_code error;
  run_on(*network_, [&] {
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
  run_on(*network_, [this] {
    network_->shutdown();
    broker_.reset();
    network_.reset();
  });
}

void EmbeddedAmqp::restart() {
  std::error_code error;
  run_on(*network_, [&] {
    broker_->stop();
    error = broker_->start();
  });
  if (error) throw std::system_error(error, "cannot listen again");
}

}  // namespace tern::cli
