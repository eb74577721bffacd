// The smallest program that writes to Kafka and reads from it. Run without a broker it ends at
// once, with what it had to send given up: here it only has to build, link and come down in order.

#include <asio/use_future.hpp>
#include <chrono>
#include <cstdio>

#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"

int main() {
  using namespace std::chrono_literals;
  namespace kafka = tern::kafka;

  tern::net::Runtime runtime;
  kafka::Client client(runtime.executor(), {.bootstrap = {"127.0.0.1:9"}});
  kafka::Producer producer(client, {.compression = kafka::Compression::gzip});
  kafka::Consumer consumer(client, {.assignment = {{"birds", 0, kafka::Position::earliest()}}});

  if (producer.try_send("birds", {.key = "arctic", .value = "tern"})) return 1;
  auto polled = consumer.async_poll(1ms, asio::use_future);
  std::size_t records = 0;
  try {
    records = polled.get().size();
  } catch (const std::system_error& error) {
    std::printf("polled: %s\n", error.what());
  }
  std::printf("embedded: %zu bytes on their way out, %zu records in\n", producer.buffered_bytes(),
              records);
  return 0;
}
