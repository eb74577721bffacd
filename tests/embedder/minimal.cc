// The least program that writes to Kafka, as small as it gets: check.sh builds it with the C++
// library inside and holds it to 1.5 MiB. Run without a broker it says so and ends.

#include <asio/use_future.hpp>
#include <chrono>
#include <cstdio>

#include "client/kafka/client.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  namespace kafka = tern::kafka;

  tern::net::Runtime runtime;
  kafka::Client client(runtime.executor(), {.bootstrap = {argc > 1 ? argv[1] : "127.0.0.1:9"}});
  kafka::Producer producer(client);
  if (producer.try_send("birds", {.key = "arctic", .value = "tern"})) return 1;
  try {
    producer.async_close(1s, asio::use_future).get();
    std::puts("sent");
  } catch (const std::system_error& error) {
    std::puts(error.what());
  }
  return 0;
}
