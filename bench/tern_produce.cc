// tern's produce rows of bench/compare, through its public headers.
//
//   tern_produce --broker HOST:PORT --records N --size BYTES --partitions P
//                [--report batch|record] [--thread own|other] [--gzip LEVEL]
//                [--chunk RECORDS] [--together RECORDS] [--buffer BYTES]
//
// --thread own: records are sent on the client's executor, --chunk of them before others get a turn
// there, as in any program with one event loop. --thread other: the main thread sends, the client
// lives on a net::Runtime. --together: so many records go into one call. A full buffer is waited
// for with async_wait_space.
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure.h"
#include "client/kafka/client.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"

namespace tern::bench {
namespace {

struct Work {
  std::string broker, topic;
  std::int64_t records = 0, chunk = 0, together = 1;
  std::size_t size = 0, buffer_bytes = 0;
  std::uint32_t partitions = 1;
  bool handler = false, other_thread = false;
  int gzip = -1;
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

kafka::ClientConfig client_config(const Work& work) {
  kafka::ClientConfig config;
  config.bootstrap = {work.broker};
  if (work.gzip >= 0) config.codecs = {kafka::gzip(work.gzip)};
  return config;
}

kafka::ProducerConfig producer_config(const Work& work) {
  kafka::ProducerConfig config;
  config.linger = std::chrono::milliseconds(5);
  config.batch_bytes = 1'000'000;
  config.max_in_flight = 5;
  config.buffer_bytes = work.buffer_bytes;
  if (work.gzip >= 0) config.compression = kafka::Compression::gzip;
  return config;
}

class Sender {
 public:
  Sender(const net::Executor& executor, const Work& work)
      : work_(work),
        payloads_(work.size),
        dice_(work.partitions),
        client_(executor, client_config(work)),
        producer_(client_, producer_config(work)),
        topic_(producer_.topic(work.topic)) {
    producer_.on_batch([this](const kafka::BatchReport& report) {
      if (report.error) fail(report.message());
      reported_ += static_cast<std::int64_t>(report.count);
    });
  }

  // Tries the next record, or as many as go together; false if there is no room.
  bool send() {
    if (work_.together > 1) return send_together();
    const kafka::Record record = make(sent_, partition_);
    std::error_code error;
    if (work_.handler) {
      error = producer_.try_send(topic_, record,
                                 [this](std::error_code failed, const kafka::Delivery& delivery) {
                                   if (failed) fail(delivery.message());
                                   ++delivered_;
                                 });
    } else {
      error = producer_.try_send(topic_, record);
    }
    if (!error) [[likely]] {
      ++sent_;
      if (work_.partitions > 1) partition_ = static_cast<std::int32_t>(dice_.roll());
      return true;
    }
    if (error != make_error_code(ClientErrc::queue_full)) fail(error.message());
    return false;
  }
  bool send_together() {
    while (static_cast<std::int64_t>(next_.size()) < work_.together &&
           sent_ + static_cast<std::int64_t>(next_.size()) < work_.records) {
      next_.push_back(make(sent_ + static_cast<std::int64_t>(next_.size()),
                           work_.partitions > 1 ? static_cast<std::int32_t>(dice_.roll()) : 0));
    }
    const kafka::Accepted accepted = producer_.try_send(topic_, next_);
    sent_ += static_cast<std::int64_t>(accepted.count);
    next_.erase(next_.begin(), next_.begin() + static_cast<std::ptrdiff_t>(accepted.count));
    if (!accepted.error) [[likely]]
      return true;
    if (accepted.error != make_error_code(ClientErrc::queue_full)) fail(accepted.error.message());
    return false;
  }

  bool all_sent() const { return sent_ == work_.records; }
  kafka::Producer& producer() { return producer_; }
  const Work& work() const { return work_; }

  void start_clock() { from_ = Clock::read(); }
  void finish() {
    const Clock to = Clock::read();
    if (reported_ != work_.records || (work_.handler && delivered_ != work_.records)) {
      fail(std::to_string(reported_) + " reported, " + std::to_string(delivered_) + " delivered");
    }
    report("tern", work_.records, from_, to, -1);
  }

 private:
  kafka::Record make(std::int64_t number, std::int32_t partition) const {
    kafka::Record record;
    record.value = wire::Bytes(payloads_[static_cast<std::uint64_t>(number)]);
    record.partition = partition;
    return record;
  }

  const Work work_;
  const Payloads payloads_;
  Dice dice_;
  kafka::Client client_;
  kafka::Producer producer_;
  kafka::TopicHandle topic_;
  std::int32_t partition_ = 0;
  std::vector<kafka::Record> next_;
  std::int64_t sent_ = 0, reported_ = 0, delivered_ = 0;
  Clock from_;
};

// Everything on one executor.
class OwnThread {
 public:
  explicit OwnThread(const Work& work) : sender_(context_, work) {}

  void run() {
    asio::post(context_, [this] {
      sender_.send();  // connects and learns of the topic before the clock starts
      sender_.producer().async_flush([this](std::error_code error) {
        if (error) fail(error.message());
        sender_.start_clock();
        pump();
      });
    });
    context_.run();
  }

 private:
  void pump() {
    for (std::int64_t i = 0; i < sender_.work().chunk; i += sender_.work().together) {
      if (sender_.all_sent()) return flush();
      if (!sender_.send()) {
        return sender_.producer().async_wait_space([this](std::error_code error) {
          if (error) fail(error.message());
          pump();
        });
      }
    }
    asio::post(context_, [this] { pump(); });
  }
  void flush() {
    sender_.producer().async_flush([this](std::error_code error) {
      if (error) fail(error.message());
      sender_.finish();
      std::_Exit(0);  // tearing the client down is not what is measured
    });
  }

  asio::io_context context_{1};
  Sender sender_;
};

void run_from_another_thread(const Work& work) {
  net::Runtime runtime;
  Sender sender(runtime.executor(), work);
  sender.send();
  sender.producer().async_flush(asio::use_future).get();
  sender.start_clock();
  while (!sender.all_sent()) {
    if (!sender.send()) sender.producer().async_wait_space(asio::use_future).get();
  }
  sender.producer().async_flush(asio::use_future).get();
  sender.finish();
  std::_Exit(0);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  Work work;
  work.broker = options.text("--broker", "127.0.0.1:9092");
  work.topic = options.text("--topic", "bench");
  work.records = options.number("--records", 1'000'000);
  work.size = static_cast<std::size_t>(options.number("--size", 100));
  work.partitions = static_cast<std::uint32_t>(options.number("--partitions", 1));
  work.handler = options.text("--report", "batch") == "record";
  work.other_thread = options.text("--thread", "own") == "other";
  work.gzip = static_cast<int>(options.number("--gzip", -1));
  work.chunk = options.number("--chunk", 1000);
  work.together = options.number("--together", 1);
  work.buffer_bytes = static_cast<std::size_t>(options.number("--buffer", 33'554'432));
  options.done();
  if (work.other_thread) {
    run_from_another_thread(work);
  } else {
    OwnThread(work).run();
  }
  return 0;
}
