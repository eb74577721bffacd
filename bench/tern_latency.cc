// From produce to its acknowledgement with tern, at a fixed rate and without linger: what
// bench/latency.py compares. The main thread sends, the client lives on a net::Runtime, which is
// the shape that the program of librdkafka has.
//
//   tern_latency --broker HOST:PORT --records N --rate PER_SECOND [--warm N] [--size BYTES]
//                [--topic T]
#include <asio/use_future.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "bench/latency.h"
#include "bench/measure.h"
#include "client/kafka/client.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"

namespace tern::bench {
namespace {

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

kafka::ClientConfig client_config(const std::string& broker) {
  kafka::ClientConfig config;
  config.bootstrap = {broker};
  return config;
}

kafka::ProducerConfig producer_config() {
  kafka::ProducerConfig config;
  config.linger = Duration::zero();
  config.max_in_flight = 5;
  return config;
}

void run(const std::string& broker, const std::string& topic_name, std::size_t size,
         Latencies& latencies) {
  const Payloads payloads(size);
  net::Runtime runtime;
  kafka::Client client(runtime.executor(), client_config(broker));
  kafka::Producer producer(client, producer_config());
  const kafka::TopicHandle topic = producer.topic(topic_name);
  const auto record = [&payloads](std::size_t i) {
    kafka::Record made;
    made.value = wire::Bytes(payloads[i]);
    made.partition = 0;
    return made;
  };
  producer.async_send(topic, record(0), asio::use_future).get();  // connects
  latencies.start();
  for (std::size_t i = 0; i < latencies.records(); ++i) {
    latencies.wait_for(i);
    const std::error_code error = producer.try_send(
        topic, record(i), [&latencies, i](std::error_code failed, const kafka::Delivery& delivery) {
          if (failed) fail(delivery.message());
          latencies.done(i);
        });
    if (error) fail(error.message());
  }
  producer.async_flush(asio::use_future).get();
  latencies.report("tern");
  std::_Exit(0);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:9092");
  const std::string topic = options.text("--topic", "bench");
  const auto size = static_cast<std::size_t>(options.number("--size", 100));
  const auto warm = static_cast<std::size_t>(options.number("--warm", 1000));
  const auto records = static_cast<std::size_t>(options.number("--records", 10'000));
  Latencies latencies(warm, records, options.number("--rate", 1000));
  options.done();
  run(broker, topic, size, latencies);
}
