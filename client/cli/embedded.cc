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

}  // namespace tern::cli
