#include "tests/sim/group_scenario.h"

#include <deque>
#include <optional>
#include <utility>

#include "tests/broker/group_coordinator.h"
#include "tests/sim/actors.h"
#include "tests/sim/group_actor.h"
#include "tests/sim/kafka_rig.h"
#include "tests/sim/scenario_setup.h"

namespace tern::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kGroup[] = "g";
// What may pass, once all faults have ended, until everything has come to its end: what is lost in
// a silent connection has to time out first, sessions have to end, and so have joins.
constexpr Duration kCalm = seconds(180);
constexpr Duration kLook = milliseconds(5);

ScenarioSetup draw_group_setup(const ScenarioOptions& options) {
  ScenarioSetup setup = draw_setup(options);
  Rng rng(mix64(options.seed) ^ hash_text("group setup"));
  broker::GroupConfig& groups = setup.rig.cluster.groups;
  groups.offsets_partitions = rng.pick(1, 4);
  groups.min_session_timeout = seconds(1);
  groups.load_time = rng.chance(0.5) ? Duration(0) : rng.log_between(milliseconds(1), seconds(1));
  groups.initial_rebalance_delay =
      rng.chance(0.5) ? Duration(0) : rng.log_between(milliseconds(1), seconds(3));
  groups.consumer_session_timeout = rng.log_between(seconds(2), seconds(10));
  groups.consumer_heartbeat_interval = groups.consumer_session_timeout / 5;
  return setup;
}

const char* to_string(kafka::GroupProtocol protocol) {
  switch (protocol) {
    case kafka::GroupProtocol::classic:
      return "classic";
    case kafka::GroupProtocol::consumer:
      return "consumer";
    case kafka::GroupProtocol::automatic:
      return "automatic";
  }
  return "?";
}

class GroupRun {
 public:
  explicit GroupRun(const ScenarioOptions& options)
      : options_(options),
        setup_(draw_group_setup(options)),
        rng_(mix64(options.seed) ^ hash_text("group")),
        rig_(setup_.rig),
        book_(setup_.partitions) {
    rig_.world.keep_history(options.keep_history);
  }

  ScenarioResult run() {
    begin();
    rig_.world.run_for(setup_.fault_period);
    without_faults();
    end();
    finish();
    return std::move(result_);
  }

 private:
  kafka::ConsumerConfig draw_config() {
    kafka::ConsumerConfig config = ConsumerActor::draw_config(rng_);
    config.group = kGroup;
    config.topics = {kScenarioTopic};
    config.offset_reset = kafka::OffsetReset::earliest;
    const std::vector<std::string> choices[] = {
        {"range"}, {"cooperative-sticky"}, {"roundrobin"}, {"sticky"}, config.assignors};
    config.assignors = choices[rng_.below(5)];
    // An old broker knows classic groups only.
    using enum kafka::GroupProtocol;
    const bool old = setup_.rig.cluster.release != broker::Release::newest;
    config.group_protocol = rng_.chance(0.5)          ? classic
                            : old || rng_.chance(0.3) ? automatic
                                                      : consumer;
    const std::string server_assignors[] = {"", "uniform", "range"};
    config.server_assignor = server_assignors[rng_.below(3)];
    config.session_timeout = rng_.log_between(seconds(2), seconds(10));
    config.heartbeat_interval = config.session_timeout / 5;
    config.max_poll_interval = rng_.log_between(seconds(3), seconds(20));
    config.auto_commit = rng_.chance(0.7);
    config.auto_commit_interval = rng_.log_between(milliseconds(10), seconds(2));
    return config;
  }

  void begin() {
    rig_.cluster.create_topic(kScenarioTopic, setup_.topic);
    if (options_.plant) options_.plant(rig_);
    ProducerActor::Plan plan = ProducerActor::Plan::draw(rng_, setup_.fault_period);
    plan.close_early = false;
    plan.cancel_p = 0;
    kafka::ProducerConfig producer_config;
    producer_host_.emplace(rig_, "producer", rig_.client_config(rng_));
    producer_.emplace(rig_, *producer_host_, kScenarioTopic, setup_.partitions,
                      std::move(producer_config), plan);
    producer_->start();
    const kafka::ConsumerConfig config = draw_config();
    const GroupActor::Plan member_plan = GroupActor::Plan::draw(rng_);
    auto_commit_ = config.auto_commit;
    const int members = rng_.pick(1, 5);
    text_ =
        "brokers=" + std::to_string(setup_.rig.brokers) +
        " partitions=" + std::to_string(setup_.partitions) + " members=" + std::to_string(members) +
        "\n  network: " + setup_.rig.network.to_string() +
        "\n  brokers: " + setup_.rig.broker.to_string() + "\n  member: " + member_plan.to_string() +
        " | " + ConsumerActor::describe(config) + " protocol=" + to_string(config.group_protocol) +
        " assignor=" + config.assignors[0] + (config.assignors.size() > 1 ? ",..." : "") +
        " server_assignor=" + config.server_assignor + " server_session=" +
        std::to_string(setup_.rig.cluster.groups.consumer_session_timeout / milliseconds(1)) +
        "ms" + " session=" + std::to_string(config.session_timeout / milliseconds(1)) +
        "ms max_poll_interval=" + std::to_string(config.max_poll_interval / milliseconds(1)) +
        "ms auto_commit=" + std::to_string(config.auto_commit) + "," +
        std::to_string(config.auto_commit_interval / milliseconds(1)) + "ms";
    for (int i = 0; i < members; ++i) {
      members_.emplace_back(rig_, book_, i, kScenarioTopic, config, member_plan);
      rig_.world.after(
          rng_.chance(0.5) ? Duration(0) : rng_.log_between(milliseconds(1), seconds(8)),
          [this, i] { members_[static_cast<std::size_t>(i)].start(); });
    }
    churn_ = options_.faults && rng_.chance(0.7);
    if (churn_) next_churn();
    if (options_.faults && rng_.chance(0.5)) next_move();
    look();
  }

  // Members crash, leave and come back.
  void next_churn() {
    rig_.world.after(rng_.exponential(seconds(3), seconds(20)), [this] {
      if (!churn_) return;
      GroupActor& member = members_[rng_.below(members_.size())];
      if (!member.is_up()) {
        member.start();
      } else if (rng_.chance(0.5)) {
        member.crash();
      } else {
        member.close(rng_.log_between(milliseconds(100), seconds(20)));
      }
      next_churn();
    });
  }

  void next_move() {
    rig_.world.after(rng_.exponential(seconds(3), seconds(20)), [this] {
      if (rig_.healed()) return;
      rig_.cluster.move_group(kGroup, rng_.pick(1, rig_.brokers()));
      next_move();
    });
  }

  void look() {
    for (GroupActor& member : members_) member.note_owned();
    const auto& groups = rig_.cluster.groups().groups();
    if (const auto group = groups.find(kGroup); group != groups.end()) {
      if (const auto topic = group->second.offsets.find(kScenarioTopic);
          topic != group->second.offsets.end()) {
        for (const auto& [partition, committed] : topic->second) {
          book_.stored(rig_.world.time(), partition, committed.offset);
        }
      }
    }
    if (!ended_) rig_.world.after(kLook, [this] { look(); });
  }

  bool all_done() {
    for (int p = 0; p < setup_.partitions; ++p) {
      const std::int64_t end = rig_.cluster.log(kScenarioTopic, p)->end_offset();
      if (book_.done_up_to(p) < end || book_.stored(p) < end) return false;
    }
    return true;
  }

  std::string where() {
    std::string text;
    for (int p = 0; p < setup_.partitions; ++p) {
      text += " " + std::to_string(p) + ": stored " + std::to_string(book_.stored(p)) + ", done " +
              std::to_string(book_.done_up_to(p)) + ", end " +
              std::to_string(rig_.cluster.log(kScenarioTopic, p)->end_offset()) + ";";
    }
    return text;
  }

  void without_faults() {
    rig_.heal();
    churn_ = false;
    World& world = rig_.world;
    for (GroupActor& member : members_) {
      member.calm_down();
      member.start();
    }
    // One that was closing when the faults ended comes back as well.
    world.run_for(seconds(25));
    for (GroupActor& member : members_) member.start();
    if (!world.run_until([this] { return producer_->done(); }, kCalm) && !world.failed()) {
      problems_.add("liveness", "the producer is not done");
    }
    if (!world.failed() && !world.run_until([this] { return all_done(); }, kCalm) &&
        !world.failed()) {
      problems_.add("liveness", "not all is done and stored after the faults ended:" + where());
    }
  }

  void end() {
    World& world = rig_.world;
    if (world.failed()) return;
    producer_->close(seconds(20));
    for (GroupActor& member : members_) member.close(seconds(20));
    const auto closed = [this] {
      for (const GroupActor& member : members_) {
        if (!member.closed()) return false;
      }
      return producer_->closed();
    };
    if (!world.run_until(closed, seconds(40)) && !world.failed()) {
      problems_.add("liveness", "close() does not end");
    }
    ended_ = true;
    world.run_for(seconds(1));
    if (!producer_host_->shut_down(rig_) && !world.failed()) {
      problems_.add("not-returned", "links are still open after the end");
    }
    for (GroupActor& member : members_) {
      if (member.held_bytes() == 0) continue;
      problems_.add("not-returned", std::to_string(member.held_bytes()) + " bytes of frames");
    }
  }

  void finish() {
    problems_.add_all(book_.problems.all());
    for (GroupActor& member : members_) {
      problems_.add_all(member.problems().all());
      if (!rig_.world.failed()) problems_.add_all(member.ledger().check());
    }
    problems_.add_all(rig_.world.violations());
    for (int p = 0; p < setup_.partitions && !rig_.world.failed(); ++p) {
      const auto end =
          static_cast<std::uint64_t>(rig_.cluster.log(kScenarioTopic, p)->end_offset());
      result_.stored += end;
      if (static_cast<std::uint64_t>(book_.done_up_to(p)) >= end) continue;
      problems_.add("lost-record", "partition " + std::to_string(p) + ":" + where());
    }
    result_.sent = producer_->sent().size();
    result_.consumed = book_.count();
    result_.problems = problems_.all();
    result_.events = rig_.world.events();
    result_.event_hash = rig_.world.event_hash();
    result_.history = rig_.world.history();
    result_.virtual_ms = rig_.world.elapsed() / milliseconds(1);
    result_.options_text = text_;
    result_.counts_text = rig_.counts_text();
    result_.faults = rig_.total_faults();
  }

  const ScenarioOptions options_;
  const ScenarioSetup setup_;
  Rng rng_;
  KafkaRig rig_;
  GroupBook book_;
  std::optional<EngineHost> producer_host_;
  std::optional<ProducerActor> producer_;
  std::deque<GroupActor> members_;
  bool auto_commit_ = true;
  bool churn_ = false;
  bool ended_ = false;
  std::string text_;
  ProblemList problems_;
  ScenarioResult result_;
};

}  // namespace

ScenarioResult run_group(const ScenarioOptions& options) { return GroupRun(options).run(); }

}  // namespace tern::sim
