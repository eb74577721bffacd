#include "tests/sim/scenario.h"

#include <memory>
#include <optional>
#include <utility>

#include "tests/sim/actors.h"
#include "tests/sim/kafka_rig.h"
#include "tests/sim/scenario_setup.h"

namespace tern::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What may pass, once all faults have ended, until everything has come to its end: what is lost in
// a silent connection has to time out first.
constexpr Duration kCalm = seconds(60);

// After that no request that its sender has given up is under way any more: the longest delay that
// is drawn, twice.
constexpr Duration kStray = seconds(16);

class Run {
 public:
  explicit Run(const ScenarioOptions& options)
      : options_(options),
        setup_(draw_setup(options)),
        rng_(mix64(options.seed) ^ hash_text("actors")),
        rig_(setup_.rig) {
    rig_.world.keep_history(options.keep_history);
  }

  ScenarioResult run() {
    begin();
    with_faults();
    without_faults();
    end();
    finish();
    return std::move(result_);
  }

 private:
  void begin() {
    if (!setup_.created_by_use) rig_.cluster.create_topic(kScenarioTopic, setup_.topic);
    if (options_.plant) options_.plant(rig_);
    ProducerActor::Plan plan = ProducerActor::Plan::draw(rng_, setup_.fault_period);
    if (!options_.faults) {
      plan.close_early = false;
      plan.cancel_p = 0;
    }
    kafka::ProducerConfig producer_config = ProducerActor::draw_config(rng_);
    producer_host_.emplace(rig_, "producer", rig_.client_config(rng_));
    patience_ = producer_config.delivery_timeout + kCalm;
    text_ = std::string("brokers=") + std::to_string(setup_.rig.brokers) +
            " partitions=" + std::to_string(setup_.partitions) +
            "\n  network: " + setup_.rig.network.to_string() +
            "\n  brokers: " + setup_.rig.broker.to_string() + "\n  producer: " + plan.to_string() +
            " | " + ProducerActor::describe(producer_config);
    producer_.emplace(rig_, *producer_host_, kScenarioTopic, setup_.partitions,
                      std::move(producer_config), plan);
    producer_->start();
    if (options_.workload == Workload::produce) return;
    const ConsumerActor::Plan consumer_plan = ConsumerActor::Plan::draw(rng_);
    kafka::ConsumerConfig consumer_config = ConsumerActor::draw_config(rng_);
    consumer_host_.emplace(rig_, "consumer", rig_.client_config(rng_));
    text_ += "\n  consumer: " + consumer_plan.to_string() + " | " +
             ConsumerActor::describe(consumer_config);
    consumer_.emplace(rig_, *consumer_host_, kScenarioTopic, setup_.partitions,
                      std::move(consumer_config), consumer_plan);
    consumer_->start();
  }

  void with_faults() { rig_.world.run_for(setup_.fault_period); }

  void without_faults() {
    rig_.heal();
    if (consumer_) consumer_->calm_down();
    World& world = rig_.world;
    if (!world.run_until([this] { return producer_->done(); }, patience_) && !world.failed()) {
      problems_.add("liveness", "the producer is not done " + seconds_text(patience_) +
                                    " after the faults ended; " +
                                    std::to_string(producer_->ledger().pending()) + " calls wait");
    }
    // What waits for answers that never come gives up; then everything has to work again.
    world.run_for(seconds(10));
    producer_->probe();
    if (!world.run_until([this] { return producer_->done(); }, patience_) && !world.failed()) {
      problems_.add("liveness", "records sent after the faults ended are not done");
    }
    producer_->check_probes();
    // What nobody waits for any more may still come to be stored.
    if (consumer_) world.run_for(kStray);
    if (consumer_ && !world.failed() && producer_->done() &&
        !world.run_until([this] { return consumer_->caught_up(); }, kCalm) && !world.failed()) {
      problems_.add("liveness", "the consumer has not caught up " + seconds_text(kCalm) +
                                    " after the faults ended; is at" + consumer_->where());
    }
  }

  void end() {
    World& world = rig_.world;
    if (world.failed()) return;
    producer_->close(seconds(20));
    if (consumer_) consumer_->close(seconds(20));
    if (!world.run_until(
            [this] { return producer_->closed() && (!consumer_ || consumer_->closed()); },
            seconds(40)) &&
        !world.failed()) {
      problems_.add("liveness", "close() does not end");
    }
    if (!producer_host_->shut_down(rig_) || (consumer_ && !consumer_host_->shut_down(rig_))) {
      if (!world.failed()) problems_.add("not-returned", "links are still open after the end");
    }
    if (producer_->used_bytes() != 0) {
      problems_.add("not-returned",
                    std::to_string(producer_->used_bytes()) + " bytes of the producer's buffer");
    }
    if (consumer_ && consumer_->held_bytes() != 0) {
      problems_.add("not-returned",
                    std::to_string(consumer_->held_bytes()) + " bytes of the consumer's frames");
    }
    check_log();
  }

  void check_log() {
    Problems unreadable;
    const std::vector<Stored> log = rig_.stored(kScenarioTopic, &unreadable);
    problems_.add_all(unreadable);
    problems_.add_all(check_produced(producer_->sent(), log, producer_->rules()));
    problems_.add_all(producer_->ledger().check());
    result_.stored = log.size();
    if (!consumer_) return;
    problems_.add_all(consumer_->checker().finish(log, true));
    problems_.add_all(consumer_->ledger().check());
    result_.consumed = consumer_->checker().count();
  }

  void finish() {
    problems_.add_all(producer_->problems().all());
    if (consumer_) problems_.add_all(consumer_->problems().all());
    problems_.add_all(rig_.world.violations());
    for (const Sent& sent : producer_->sent()) {
      ++result_.sent;
      result_.acknowledged += sent.outcome == Outcome::ok ? 1 : 0;
      result_.not_written += sent.outcome == Outcome::not_written ? 1 : 0;
      result_.maybe_written += sent.outcome == Outcome::maybe_written ? 1 : 0;
    }
    result_.problems = problems_.all();
    result_.events = rig_.world.events();
    result_.event_hash = rig_.world.event_hash();
    result_.history = rig_.world.history();
    result_.virtual_ms = rig_.world.elapsed() / milliseconds(1);
    result_.options_text = text_;
    result_.counts_text = rig_.counts_text();
    result_.faults = rig_.total_faults();
  }

  static std::string seconds_text(Duration d) { return std::to_string(d / seconds(1)) + " s"; }

  const ScenarioOptions options_;
  const ScenarioSetup setup_;
  Rng rng_;
  KafkaRig rig_;
  std::optional<EngineHost> producer_host_, consumer_host_;
  std::optional<ProducerActor> producer_;
  std::optional<ConsumerActor> consumer_;
  Duration patience_{0};
  std::string text_;
  ProblemList problems_;
  ScenarioResult result_;
};

}  // namespace

ScenarioSetup draw_setup(const ScenarioOptions& options) {
  ScenarioSetup setup;
  Rng rng(mix64(options.seed) ^ hash_text("setup"));
  setup.rig.seed = options.seed;
  setup.rig.trace = options.trace;
  setup.rig.brokers = rng.pick(1, 3);
  setup.partitions = rng.pick(1, 6);
  setup.created_by_use = rng.chance(0.2) && options.workload != Workload::consume;
  setup.fault_period = rng.log_between(seconds(1), seconds(15));
  if (options.faults) {
    setup.rig.network = FaultPlan::draw(Rng(mix64(options.seed) ^ hash_text("network plan")));
    setup.rig.broker =
        BrokerPlan::draw(Rng(mix64(options.seed) ^ hash_text("broker plan")), setup.rig.brokers);
  }
  broker::ClusterConfig& cluster = setup.rig.cluster;
  cluster.seed = options.seed | 1;
  cluster.default_partitions = setup.partitions;
  cluster.default_replication_factor = static_cast<std::int16_t>(setup.rig.brokers);
  constexpr broker::Release kReleases[] = {broker::Release::kafka_2_1, broker::Release::kafka_2_8,
                                           broker::Release::kafka_3_9};
  if (rng.chance(0.3)) cluster.release = kReleases[rng.below(3)];
  if (rng.chance(0.1)) cluster.max_fetch_sessions = rng.below(2);
  setup.topic.partitions = setup.partitions;
  setup.topic.replication_factor = static_cast<std::int16_t>(setup.rig.brokers);
  if (rng.chance(0.1)) setup.topic.configs["message.timestamp.type"] = "LogAppendTime";
  if (rng.chance(0.1)) {
    setup.topic.configs["max.message.bytes"] = std::to_string(rng.log_between(2000, 60'000));
  }
  return setup;
}

const char* to_string(Workload workload) {
  switch (workload) {
    case Workload::produce:
      return "produce";
    case Workload::consume:
      return "consume";
    case Workload::both:
      return "both";
    case Workload::facade:
      return "facade";
    case Workload::group:
      return "group";
  }
  return "?";
}

bool parse_workload(std::string_view text, Workload& out) {
  for (const Workload w :
       {Workload::produce, Workload::consume, Workload::both, Workload::facade, Workload::group}) {
    if (text == to_string(w)) {
      out = w;
      return true;
    }
  }
  return false;
}

ScenarioResult run_scenario(const ScenarioOptions& options) { return Run(options).run(); }

}  // namespace tern::sim
