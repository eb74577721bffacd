// NullNetwork: a Kafka broker and the way there in memory, for measuring an engine without sockets
// and without a second process. It acknowledges Produce without looking at records and answers
// Fetch from batches made in advance: what is measured beside the engine is reading the head of
// each batch, and copying answers to where the engine reads them.
//
// Everything on one thread. Time is virtual: it stands still unless advance() moves it or nothing
// else is left to do, so that the same calls cost the same instructions each time. Speaks the
// versions that null_broker.cc speaks. A fault ends the process: this is an instrument.
#ifndef TERN_BENCH_NULL_NETWORK_H_
#define TERN_BENCH_NULL_NETWORK_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/ports.h"
#include "client/kafka/config.h"

namespace tern::bench {

class NullNetwork final : public Network {
 public:
  struct Settings {
    std::int32_t partitions = 1;
    std::size_t size = 100;             // of the records that are served
    std::int32_t batch_records = 1000;  // in each batch of them
    std::size_t fetch_bytes = 1'000'000;
    int gzip = -1;  // level; below 0: not compressed
  };
  explicit NullNetwork(const Settings& settings);
  ~NullNetwork();

  // For the engine to drive.
  static kafka::ClientConfig client_config() {
    kafka::ClientConfig config;
    config.bootstrap = {"null:1"};
    config.seed = 1;
    return config;
  }

  // The engine to drive.
  void attach(Machine& machine) { machine_ = &machine; }
  void advance(Duration by) { now_.mono += by; }
  // Works until there is nothing to do at this time.
  void settle() {
    while (turn()) {
    }
  }
  // Works, moving on in time when there is nothing else to do, until `done`.
  template <class Done>
  void run_until(Done&& done) {
    while (!done()) {
      if (turn()) continue;
      const Time next = machine_->next_deadline();
      if (next == kNever) stuck();
      now_.mono = std::max(now_.mono, next);
      woken_ = true;
    }
  }
  // While held, requests arrive but are not answered.
  void hold_answers(bool hold) { held_ = hold; }

  std::int64_t produced_records() const { return produced_records_; }
  // Gathered writes taken and reads given: with sockets each would be a system call.
  std::int64_t calls() const { return calls_; }

  // Network
  LinkId open(const Endpoint& endpoint, Link& link) override;
  void close(LinkId id) override;
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound) override;
  void close_listener(ListenerId) override {}
  void want_write(LinkId id) override;
  void pause_read(LinkId id, bool paused) override;
  void wake() override { woken_ = true; }
  bool on_executor() const override { return true; }
  Now now() const override {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.mono.time_since_epoch());
    return {now_.mono, now_.wall_ms + since.count()};
  }
  std::int64_t wall_ms() const override { return now().wall_ms; }

 private:
  class Peer;

  bool turn();
  Peer* find(LinkId id);
  [[noreturn]] static void stuck();

  const Settings settings_;
  Machine* machine_ = nullptr;
  Now now_{Time{}, 1'790'000'000'000};
  bool woken_ = false;
  bool held_ = false;
  std::int64_t produced_records_ = 0;
  std::int64_t calls_ = 0;
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::string one_batch_;
  std::string blob_;  // many of them
  BufferList gathered_;
};

}  // namespace tern::bench

#endif  // TERN_BENCH_NULL_NETWORK_H_
