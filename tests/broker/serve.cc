// Serves an embedded cluster on loopback sockets until it is killed: serve [PORT [NODES
// [RELEASE]]]. Prints the bootstrap servers on one line once it is up. Port 0 picks free ones;
// RELEASE is 2.1, 2.8, 3.9 or newest.
#include <asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "client/net/asio_network.h"
#include "tests/broker/broker.h"

namespace {

tern::broker::Release release_of(const std::string& text) {
  if (text == "2.1") return tern::broker::Release::kafka_2_1;
  if (text == "2.8") return tern::broker::Release::kafka_2_8;
  if (text == "3.9") return tern::broker::Release::kafka_3_9;
  return tern::broker::Release::newest;
}

}  // namespace

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  const int nodes = argc > 2 ? std::atoi(argv[2]) : 1;
  tern::broker::ClusterConfig config;
  if (argc > 3) config.release = release_of(argv[3]);

  asio::io_context io;
  tern::net::AsioNetwork network(io.get_executor());
  tern::broker::EmbeddedKafka kafka(network, nodes, config, "127.0.0.1",
                                    static_cast<std::uint16_t>(port));
  network.attach(kafka);
  if (const std::error_code error = kafka.start()) {
    std::fprintf(stderr, "cannot listen: %s\n", error.message().c_str());
    return 1;
  }
  std::printf("%s\n", kafka.bootstrap_servers().c_str());
  std::fflush(stdout);
  io.run();
  return 0;
}
