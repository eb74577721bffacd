// tern broker: the embedded brokers for other programs.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <system_error>

#include "client/cli/commands.h"
#include "client/cli/embedded.h"

namespace tern::cli {

const char* const kBrokerHelp =
    R"(tern broker [--kafka PORT] [--amqp PORT]: serve embedded brokers, all in memory, for tests

  --kafka PORT        port of the first node of Kafka; 0 picks free ones (0, without --amqp)
  --nodes N           brokers in the cluster, on consecutive ports (1)
  --amqp PORT         port of an AMQP broker (guest, guest); 0 picks a free one
  --host ADDRESS      address to listen on (127.0.0.1)
  --partitions N      partitions of topics that are created on first use (1)
  --no-auto-create    do not create topics on first use

Prints "listening on HOST:PORT,..." for Kafka and "listening for AMQP on HOST:PORT" once it serves, and
goes on until it is interrupted.

  tern broker --kafka 9092 &
  kcat -b localhost:9092 -L
)";

int run_broker(Arguments arguments) {
  constexpr std::int64_t kNone = -1;
  const auto amqp_port = arguments.number("--amqp", kNone, 0, 65535);
  const auto port = arguments.number("--kafka", amqp_port == kNone ? 0 : kNone, 0, 65535);
  const auto nodes = arguments.number("--nodes", 1, 1, 100);
  const std::string host = arguments.text("--host", "127.0.0.1");
  broker::ClusterConfig config;
  config.default_partitions =
      static_cast<std::int32_t>(arguments.number("--partitions", 1, 1, 100'000));
  config.auto_create_topics = !arguments.flag("--no-auto-create");
  // Members of groups are told to speak more often than by Kafka's default, so that groups settle
  // soon.
  config.groups.consumer_heartbeat_interval = std::chrono::seconds(1);
  arguments.expect_none();

  asio::io_context context(1);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  std::optional<EmbeddedCluster> cluster;
  if (port != kNone) {
    cluster.emplace(static_cast<int>(nodes), host, static_cast<std::uint16_t>(port), config);
    std::printf("listening on %s\n", cluster->bootstrap().c_str());
  }
  std::optional<EmbeddedAmqp> amqp;
  if (amqp_port != kNone) {
    amqp.emplace(host, static_cast<std::uint16_t>(amqp_port));
    std::printf("listening for AMQP on %s\n", to_string(amqp->endpoint()).c_str());
  }
  std::fflush(stdout);
  signals.async_wait([&context](const std::error_code&, int) { context.stop(); });
  context.run();
  return 0;
}

}  // namespace tern::cli
