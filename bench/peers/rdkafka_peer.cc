// librdkafka doing the rows of bench/compare, through its C interface, set as equal to the others
// as it can be (see bench/README.md). Built only on request: Debian's librdkafka-dev.
//
//   rdkafka_peer --do produce|consume --broker HOST:PORT --records N --size BYTES --partitions P
//                [--report batch|record] [--acks all|1] [--idempotent 0|1] [--gzip LEVEL]
//                [--api poll|batch] [--queue-messages N] [--linger-ms MS]
//                [--rate RECORDS_PER_S [--warm N]: produce-to-ack latency instead]
//
// --report batch: librdkafka has no report per batch; delivery.report.only.error stands in for it.
// It costs no less than a report per record, which is therefore the default.
// --api batch: consume_batch_queue instead of consumer_poll. It is cheaper, but its manual warns
// against it where positions can change (seek, pause, rebalance), so it is not the default.
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "bench/latency.h"
#include "bench/measure.h"

namespace tern::bench {
namespace {

const std::string kName = std::string("librdkafka ") + rd_kafka_version_str();

std::atomic<std::int64_t> delivered{0}, failed{0};
Latencies* latencies = nullptr;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++failed;
    return;
  }
  ++delivered;
  if (message->_private != nullptr) {
    latencies->done(reinterpret_cast<std::uintptr_t>(message->_private) - 1);
  }
}

class Config {
 public:
  void set(const char* name, const std::string& value) {
    char why[512];
    if (rd_kafka_conf_set(conf_, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      std::fprintf(stderr, "%s\n", why);
      std::exit(2);
    }
  }
  rd_kafka_t* open(rd_kafka_type_t type) {
    char why[512];
    rd_kafka_t* client = rd_kafka_new(type, conf_, why, sizeof why);
    if (client == nullptr) {
      std::fprintf(stderr, "%s\n", why);
      std::exit(1);
    }
    return client;
  }
  rd_kafka_conf_t* raw() { return conf_; }

 private:
  rd_kafka_conf_t* conf_ = rd_kafka_conf_new();
};

struct Work {
  std::string broker, topic, report, acks;
  std::int64_t records = 0, rate = 0;
  std::size_t size = 0, warm = 0;
  std::uint32_t partitions = 1;
  bool idempotent = false, batch_api = false;
  int gzip = -1;
  std::string linger_ms, queue_messages;
};

rd_kafka_t* open_producer(const Work& work, rd_kafka_topic_t*& topic) {
  Config config;
  config.set("bootstrap.servers", work.broker);
  config.set("linger.ms", work.linger_ms);
  config.set("batch.size", "1000000");
  config.set("batch.num.messages", "1000000");
  config.set("message.max.bytes", "1048576");
  config.set("max.in.flight.requests.per.connection", "5");
  config.set("queue.buffering.max.messages", work.queue_messages);
  config.set("queue.buffering.max.kbytes", "1048576");
  if (work.rate > 0) config.set("socket.nagle.disable", "true");  // else it waits for answers
  config.set("acks", work.acks);
  config.set("enable.idempotence", work.idempotent ? "true" : "false");
  if (work.gzip >= 0) {
    config.set("compression.codec", "gzip");
    config.set("compression.level", std::to_string(work.gzip));
  }
  config.set("delivery.report.only.error", work.report == "batch" ? "true" : "false");
  rd_kafka_conf_set_dr_msg_cb(config.raw(), on_delivery);
  rd_kafka_t* client = config.open(RD_KAFKA_PRODUCER);
  topic = rd_kafka_topic_new(client, work.topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client, 0, topic, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::fprintf(stderr, "no metadata\n");
    std::exit(1);
  }
  rd_kafka_metadata_destroy(metadata);
  return client;
}

void produce(const Work& work) {
  const Payloads payloads(work.size);
  rd_kafka_topic_t* topic = nullptr;
  rd_kafka_t* client = open_producer(work, topic);
  Dice dice(work.partitions);
  const Clock from = Clock::read();
  for (std::int64_t i = 0; i < work.records; ++i) {
    const std::string_view value = payloads[static_cast<std::uint64_t>(i)];
    const auto partition = work.partitions == 1 ? 0 : static_cast<std::int32_t>(dice.roll());
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                            value.size(), nullptr, 0, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        std::fprintf(stderr, "%s\n", rd_kafka_err2str(rd_kafka_last_error()));
        std::exit(1);
      }
      rd_kafka_poll(client, 10);
    }
    if (i % 1024 == 0) rd_kafka_poll(client, 0);
  }
  while (rd_kafka_flush(client, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
  }
  const Clock to = Clock::read();
  if (failed > 0 || (work.report == "record" && delivered != work.records)) {
    std::fprintf(stderr, "%lld delivered, %lld failed\n", static_cast<long long>(delivered.load()),
                 static_cast<long long>(failed.load()));
    std::exit(1);
  }
  report(kName.c_str(), work.records, from, to, -1);
}

// The main thread sends, another one is told: a sender that polls between records would have to
// spin to be both on time and told at once.
void produce_at_rate(const Work& work) {
  const Payloads payloads(work.size);
  rd_kafka_topic_t* topic = nullptr;
  rd_kafka_t* client = open_producer(work, topic);
  Latencies timed(work.warm, static_cast<std::size_t>(work.records), work.rate);
  latencies = &timed;
  std::thread([client] {
    for (;;) rd_kafka_poll(client, 100);
  }).detach();
  const auto send = [&](std::size_t i, void* token) {
    const std::string_view value = payloads[i];
    if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                         value.size(), nullptr, 0, token) != 0) {
      std::fprintf(stderr, "%s\n", rd_kafka_err2str(rd_kafka_last_error()));
      std::exit(1);
    }
  };
  send(0, nullptr);  // connects
  rd_kafka_flush(client, 10'000);
  timed.start();
  for (std::size_t i = 0; i < timed.records(); ++i) {
    timed.wait_for(i);
    send(i, reinterpret_cast<void*>(static_cast<std::uintptr_t>(i + 1)));
  }
  while (rd_kafka_flush(client, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
  }
  if (failed > 0 || delivered != static_cast<std::int64_t>(timed.records()) + 1) std::exit(1);
  timed.report(kName.c_str());
}

void consume(const Work& work) {
  Config config;
  config.set("bootstrap.servers", work.broker);
  config.set("group.id", "bench");
  config.set("enable.auto.commit", "false");
  config.set("enable.auto.offset.store", "false");
  config.set("check.crcs", "true");
  config.set("fetch.message.max.bytes", "1000000");
  config.set("fetch.max.bytes", "1000000");
  config.set("fetch.wait.max.ms", "500");
  rd_kafka_t* client = config.open(RD_KAFKA_CONSUMER);
  rd_kafka_topic_partition_list_t* parts =
      rd_kafka_topic_partition_list_new(static_cast<int>(work.partitions));
  for (std::uint32_t p = 0; p < work.partitions; ++p) {
    rd_kafka_topic_partition_list_add(parts, work.topic.c_str(), static_cast<std::int32_t>(p))
        ->offset = 0;
  }
  rd_kafka_poll_set_consumer(client);
  const Clock from = Clock::read();
  if (rd_kafka_assign(client, parts) != RD_KAFKA_RESP_ERR_NO_ERROR) std::exit(1);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client);
  std::vector<rd_kafka_message_t*> messages(work.batch_api ? 4096 : 1);
  std::int64_t seen = 0;
  std::uint64_t sum = 0;
  while (seen < work.records) {
    ssize_t n = 0;
    if (work.batch_api) {
      n = rd_kafka_consume_batch_queue(queue, 1000, messages.data(), messages.size());
    } else {
      messages[0] = rd_kafka_consumer_poll(client, 1000);
      n = messages[0] != nullptr ? 1 : 0;
    }
    for (ssize_t i = 0; i < n; ++i) {
      rd_kafka_message_t* const m = messages[static_cast<std::size_t>(i)];
      if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_timestamp_type_t type;
        sum += static_cast<std::uint64_t>(m->offset + rd_kafka_message_timestamp(m, &type)) +
               m->len + m->key_len + *static_cast<unsigned char*>(m->payload);
        ++seen;
      } else if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        std::fprintf(stderr, "%s\n", rd_kafka_message_errstr(m));
        std::exit(1);
      }
      rd_kafka_message_destroy(m);
    }
  }
  report(kName.c_str(), seen, from, Clock::read(), -1);
  std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(sum));
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(parts);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  Work work;
  const std::string what = options.text("--do", "produce");
  work.broker = options.text("--broker", "127.0.0.1:9092");
  work.topic = options.text("--topic", "bench");
  work.records = options.number("--records", 1'000'000);
  work.size = static_cast<std::size_t>(options.number("--size", 100));
  work.partitions = static_cast<std::uint32_t>(options.number("--partitions", 1));
  work.report = options.text("--report", "record");
  work.acks = options.text("--acks", "all");
  work.idempotent = options.number("--idempotent", 1) != 0;
  work.gzip = static_cast<int>(options.number("--gzip", -1));
  work.linger_ms = options.text("--linger-ms", "5");
  work.batch_api = options.text("--api", "poll") == "batch";
  work.queue_messages = options.text("--queue-messages", "100000");
  work.rate = options.number("--rate", 0);
  work.warm = static_cast<std::size_t>(options.number("--warm", 1000));
  options.done();
  if (what == "produce" && work.rate > 0) {
    work.report = "record";
    produce_at_rate(work);
  } else if (what == "produce") {
    produce(work);
  } else if (what == "consume") {
    consume(work);
  } else {
    std::fprintf(stderr, "--do produce or consume\n");
    return 2;
  }
  std::fflush(stdout);
  _exit(0);  // tearing the client down is not what is measured
}
