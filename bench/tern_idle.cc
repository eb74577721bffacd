// A client that has nothing to do: a producer that has sent one record, a consumer at the end of
// its partition, on a net::Runtime. Prints, as one JSON line, what is held of the heap and how much
// of a core is used (see gates.py).
//
//   tern_idle --broker HOST:PORT [--seconds S]        the broker has --limit records
#include <time.h>

#include <asio/use_future.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/counted_new.h"
#include "bench/measure.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"

namespace tern::bench {
namespace {

void idle(const std::string& broker, std::int64_t seconds) {
  const std::int64_t before = allocations().held_bytes;
  net::Runtime runtime;
  kafka::ClientConfig client_config;
  client_config.bootstrap = {broker};
  kafka::Client client(runtime.executor(), client_config);
  kafka::Producer producer(client);
  kafka::Record record;
  record.value = "hello";
  record.partition = 0;
  producer.async_send("bench", record, asio::use_future).get();
  kafka::ConsumerConfig config;
  config.assignment = {{"bench", 0, kafka::Position::latest()}};
  kafka::Consumer consumer(client, config);
  auto polled = consumer.async_poll(asio::use_future);  // waits for ever
  const timespec a_second{1, 0};
  nanosleep(&a_second, nullptr);

  const Clock from = Clock::read();
  const timespec pause{seconds, 0};
  nanosleep(&pause, nullptr);
  const Clock to = Clock::read();
  const double cpu = to.user_s + to.sys_s - from.user_s - from.sys_s;
  std::printf("{\"heap_bytes\":%lld,\"cpu_percent\":%.4f}\n",
              static_cast<long long>(allocations().held_bytes - before),
              cpu * 100 / (to.wall_s - from.wall_s));
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  tern::bench::Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:9092");
  const std::int64_t seconds = options.number("--seconds", 5);
  options.done();
  tern::bench::idle(broker, seconds);
}
