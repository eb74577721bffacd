// Users of the engine in a scenario: one that produces, one that consumes. Each has a host and an
// engine of its own, does random but seeded things, and keeps book for the checkers.
#ifndef TERN_TESTS_SIM_ACTORS_H_
#define TERN_TESTS_SIM_ACTORS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/kafka/consumer_core.h"
#include "client/kafka/engine.h"
#include "client/kafka/producer_core.h"
#include "tests/sim/checkers.h"
#include "tests/sim/content.h"
#include "tests/sim/kafka_rig.h"

namespace tern::sim {

// The host and the engine of an actor.
class EngineHost {
 public:
  EngineHost(KafkaRig& rig, const std::string& host, kafka::ClientConfig config);
  ~EngineHost();

  Network net;
  std::unique_ptr<kafka::Engine> engine;

  // Closes the engine and lets it end; false if links are left.
  bool shut_down(KafkaRig& rig);
};

class ProducerActor {
 public:
  struct Plan {
    std::uint64_t records = 100;
    Duration period = std::chrono::seconds(5);  // over which they are sent
    std::size_t max_value_bytes = 1000;
    double awaited_p = 0.2;    // sent with send(), which waits for space
    double cancel_p = 0;       // of those, cancelled after a while
    double explicit_p = 0.3;   // the user picks the partition
    double flush_p = 0;        // after a burst
    bool close_early = false;  // closed while records are under way
    static Plan draw(Rng& rng, Duration period);
    std::string to_string() const;
  };

  ProducerActor(KafkaRig& rig, EngineHost& host, std::string topic, int partitions,
                kafka::ProducerConfig config, const Plan& plan);

  void start();
  // All is sent and told.
  bool done() const;
  // Sends one more record to each partition, which all have to be stored: nothing is wrong any
  // more.
  void probe();
  // What became of these; once done().
  void check_probes();
  // Closes the producer, waiting for what is left.
  void close(Duration timeout);
  bool closed() const { return closed_; }

  const std::vector<Sent>& sent() const { return sent_; }
  ProduceRules rules() const;
  CallLedger& ledger() { return ledger_; }
  ProblemList& problems() { return problems_; }
  std::size_t used_bytes() { return core_->accumulator().used_bytes(); }
  static kafka::ProducerConfig draw_config(Rng& rng);
  static std::string describe(const kafka::ProducerConfig& config);

 private:
  struct Waiting {
    std::unique_ptr<Content> content;
    std::vector<kafka::Header> headers;
  };
  void burst();
  void send_one();
  void send_awaited(std::size_t index, const std::shared_ptr<Content>& content,
                    std::int32_t partition);
  void delivered(std::size_t index, std::error_code error, const kafka::Delivery& delivery);

  KafkaRig& rig_;
  EngineHost& host_;
  Rng rng_;
  const std::string topic_;
  const int partitions_;
  const kafka::ProducerConfig config_;
  const Plan plan_;
  std::shared_ptr<kafka::ProducerCore> core_;
  kafka::ProducerTopic* handle_ = nullptr;
  std::vector<Sent> sent_;
  CallLedger ledger_;
  ProblemList problems_;
  std::size_t first_probe_ = SIZE_MAX;
  std::uint64_t batch_reported_ok_ = 0;
  std::uint64_t delivered_ok_ = 0;
  std::uint64_t next_op_ = 1;
  bool closing_ = false;
  bool closed_ = false;
};

class ConsumerActor {
 public:
  struct Plan {
    double seek_p = 0;  // after a poll
    double pause_p = 0;
    double hold_p = 0;  // keeps records for a while
    Duration think{0};  // between polls, on average
    static Plan draw(Rng& rng);
    std::string to_string() const;
  };

  ConsumerActor(KafkaRig& rig, EngineHost& host, std::string topic, int partitions,
                kafka::ConsumerConfig config, const Plan& plan);

  void start();
  // From now on only reads on.
  void calm_down();
  // Everything in the log has come.
  bool caught_up() const;
  void close(Duration timeout);
  bool closed() const { return closed_; }

  ConsumeChecker& checker() { return checker_; }
  CallLedger& ledger() { return ledger_; }
  ProblemList& problems() { return problems_; }
  std::size_t held_bytes() const { return core_->held_bytes(); }
  std::string where() const;
  static kafka::ConsumerConfig draw_config(Rng& rng);
  static std::string describe(const kafka::ConsumerConfig& config);

 private:
  void poll();
  void polled(const Failure& failure, kafka::Records records);
  void misbehave();
  void next_poll();

  KafkaRig& rig_;
  EngineHost& host_;
  Rng rng_;
  const std::string topic_;
  const int partitions_;
  const kafka::ConsumerConfig config_;
  Plan plan_;
  std::shared_ptr<kafka::ConsumerCore> core_;
  ConsumeChecker checker_;
  CallLedger ledger_;
  ProblemList problems_;
  std::vector<bool> paused_;
  std::deque<kafka::Records> held_;
  std::uint64_t next_op_ = 1;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_ACTORS_H_
