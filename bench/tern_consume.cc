// tern's consume rows of bench/compare, through its public headers.
//
//   tern_consume --broker HOST:PORT --records N [--size BYTES] [--partitions P] [--each
//   batch|record]
//
// --each record iterates over Records as most programs will; --each batch (the default) goes batch
// by batch, the way the header recommends where every nanosecond counts. Every field is read either
// way.
#include <asio/io_context.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "bench/measure.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"

namespace tern::bench {
namespace {

struct Work {
  std::string broker, topic;
  std::int64_t records = 0;
  std::int32_t partitions = 1;
  bool by_batch = true;
  std::size_t prefetch_bytes = 0;
};

kafka::ClientConfig client_config(const Work& work) {
  kafka::ClientConfig config;
  config.bootstrap = {work.broker};
  return config;
}

kafka::ConsumerConfig consumer_config(const Work& work) {
  kafka::ConsumerConfig config;
  for (std::int32_t i = 0; i < work.partitions; ++i) {
    config.assignment.push_back({work.topic, i, kafka::Position::offset(0)});
  }
  config.fetch_max_bytes = 1'000'000;
  config.partition_max_bytes = 1'000'000;
  if (work.prefetch_bytes > 0) config.prefetch_bytes = work.prefetch_bytes;
  return config;
}

class Reader {
 public:
  explicit Reader(const Work& work)
      : work_(work),
        client_(context_, client_config(work)),
        consumer_(client_, consumer_config(work)) {}

  void run() {
    from_ = Clock::read();
    poll();
    context_.run();
  }

 private:
  void poll() {
    consumer_.async_poll(
        [this](std::error_code error, kafka::Records records) {
          if (error) {
            std::fprintf(stderr, "%s\n", diagnostics_.message.c_str());
            std::exit(1);
          }
          read(records);
          records.done();
          if (seen_ < work_.records) return poll();
          report("tern", seen_, from_, Clock::read(), -1);
          std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(sum_));
          std::_Exit(0);  // tearing the client down is not what is measured
        },
        &diagnostics_);
  }

  template <class Record>
  static std::uint64_t fields(const Record& record) {
    return static_cast<std::uint64_t>(record.offset + record.timestamp_ms) + record.key.size() +
           record.value.size() + record.headers.size() +
           static_cast<unsigned char>(*record.value.data());
  }

  void read(const kafka::Records& records) {
    std::uint64_t sum = 0;
    if (work_.by_batch) {
      for (const kafka::RecordBatch& batch : records.batches()) {
        for (const kafka::RecordView& record : batch) sum += fields(record);
      }
    } else {
      for (const kafka::ConsumerRecord& record : records) sum += fields(record);
    }
    sum_ += sum;
    seen_ += static_cast<std::int64_t>(records.size());
  }

  const Work work_;
  asio::io_context context_{1};
  kafka::Client client_;
  kafka::Consumer consumer_;
  Diagnostics diagnostics_;
  std::int64_t seen_ = 0;
  std::uint64_t sum_ = 0;
  Clock from_;
};

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  Work work;
  work.broker = options.text("--broker", "127.0.0.1:9092");
  work.topic = options.text("--topic", "bench");
  work.records = options.number("--records", 1'000'000);
  options.text("--size", "");  // given to every program; the records say it themselves
  work.partitions = static_cast<std::int32_t>(options.number("--partitions", 1));
  work.by_batch = options.text("--each", "batch") == "batch";
  work.prefetch_bytes = static_cast<std::size_t>(options.number("--prefetch", 0));
  options.done();
  Reader(work).run();
  return 0;
}
