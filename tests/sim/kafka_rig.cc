#include "tests/sim/kafka_rig.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "protocol/kafka/errors.h"
#include "tests/sim/content.h"

namespace tern::sim {
namespace {

using broker::Injection;
using kafka::BrokerErrc;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

enum : std::int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kApiVersions = 18,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23
};

struct ErrorCase {
  std::int16_t api_key;
  BrokerErrc error;
  bool apply = false;  // the request was carried out all the same
  bool whole_answer = false;
};

// What a healthy client has to live through: errors that pass.
constexpr ErrorCase kErrors[] = {
    {kProduce, BrokerErrc::not_leader_or_follower},
    {kProduce, BrokerErrc::leader_not_available},
    {kProduce, BrokerErrc::unknown_topic_or_partition},
    {kProduce, BrokerErrc::not_enough_replicas},
    {kProduce, BrokerErrc::not_enough_replicas_after_append, true},
    {kProduce, BrokerErrc::request_timed_out},
    {kProduce, BrokerErrc::request_timed_out, true},
    {kProduce, BrokerErrc::kafka_storage_error},
    {kProduce, BrokerErrc::network_exception},
    {kProduce, BrokerErrc::corrupt_message},
    {kFetch, BrokerErrc::not_leader_or_follower},
    {kFetch, BrokerErrc::unknown_topic_or_partition},
    {kFetch, BrokerErrc::unknown_leader_epoch},
    {kFetch, BrokerErrc::fenced_leader_epoch},
    {kFetch, BrokerErrc::offset_not_available},
    {kFetch, BrokerErrc::kafka_storage_error},
    {kFetch, BrokerErrc::fetch_session_id_not_found, false, true},
    {kFetch, BrokerErrc::invalid_fetch_session_epoch, false, true},
    {kListOffsets, BrokerErrc::not_leader_or_follower},
    {kListOffsets, BrokerErrc::leader_not_available},
    {kListOffsets, BrokerErrc::offset_not_available},
    {kListOffsets, BrokerErrc::kafka_storage_error},
    {kMetadata, BrokerErrc::leader_not_available},
    {kMetadata, BrokerErrc::unknown_topic_or_partition},
    {kInitProducerId, BrokerErrc::coordinator_load_in_progress},
    {kInitProducerId, BrokerErrc::request_timed_out},
    {kOffsetForLeaderEpoch, BrokerErrc::not_leader_or_follower},
    {kOffsetForLeaderEpoch, BrokerErrc::unknown_leader_epoch},
    {kOffsetForLeaderEpoch, BrokerErrc::kafka_storage_error},
};
constexpr std::int16_t kAnyApi[] = {kProduce,     kProduce,        kFetch,
                                    kFetch,       kListOffsets,    kMetadata,
                                    kApiVersions, kInitProducerId, kOffsetForLeaderEpoch};

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

std::string host_of(std::int32_t id) { return "b" + std::to_string(id); }

}  // namespace

const char* to_string(BrokerFault fault) {
  switch (fault) {
    case BrokerFault::restart:
      return "restart";
    case BrokerFault::quiet_restart:
      return "quiet_restart";
    case BrokerFault::late_election:
      return "late_election";
    case BrokerFault::move_leader:
      return "move_leader";
    case BrokerFault::error:
      return "error";
    case BrokerFault::error_after_apply:
      return "error_after_apply";
    case BrokerFault::throttle:
      return "throttle";
    case BrokerFault::late_answer:
      return "late_answer";
    case BrokerFault::no_answer:
      return "no_answer";
    case BrokerFault::close_before_apply:
      return "close_before_apply";
    case BrokerFault::close_after_apply:
      return "close_after_apply";
    case BrokerFault::jump_wall:
      return "jump_wall";
    case BrokerFault::kCount:
      break;
  }
  return "?";
}

BrokerPlan BrokerPlan::draw(Rng rng, int brokers) {
  BrokerPlan plan;
  const auto if_on = [&rng](auto value) { return rng.chance(0.5) ? value : decltype(value){}; };
  plan.down_mean = rng.log_between(milliseconds(20), seconds(5));
  plan.restart_every = if_on(rng.log_between(milliseconds(500), seconds(10)));
  plan.quiet_p = if_on(rng.unit() * 0.5);
  plan.late_election_p = if_on(rng.unit());
  plan.move_leader_every = if_on(rng.log_between(milliseconds(100), seconds(5)));
  if (brokers == 1) plan.move_leader_every = Duration{0};
  plan.error_every = if_on(rng.log_between(milliseconds(20), seconds(3)));
  plan.throttle_every = if_on(rng.log_between(milliseconds(200), seconds(5)));
  plan.delay_every = if_on(rng.log_between(milliseconds(50), seconds(5)));
  plan.jump_wall_every = if_on(rng.log_between(seconds(1), seconds(10)));
  return plan;
}

std::string BrokerPlan::to_string() const {
  char text[512];
  const int n = std::snprintf(
      text, sizeof text,
      "restart=%.0fms/%.0fms quiet=%.2f late_election=%.2f move_leader=%.0fms error=%.0fms "
      "throttle=%.0fms delay=%.0fms jump_wall=%.0fms",
      ms(down_mean), ms(restart_every), quiet_p, late_election_p, ms(move_leader_every),
      ms(error_every), ms(throttle_every), ms(delay_every), ms(jump_wall_every));
  return std::string(text, static_cast<std::size_t>(n));
}

KafkaRig::Node::Node(KafkaRig& rig, std::int32_t id)
    : net(rig.fabric, host_of(id)), broker(rig.cluster, net, id, {host_of(id), 9092}) {
  net.attach(broker);
}

KafkaRig::KafkaRig(const Options& options)
    : world(options.seed),
      fabric(world, options.network),
      cluster(options.cluster),
      plan_(options.broker),
      rng_(world.make_rng("brokers")) {
  world.set_trace(options.trace);
  if (options.trace) {
    cluster.on_request([this](const broker::RequestInfo& r) {
      world.trace("broker %d gets request %d v%d of %.*s, %zu bytes", r.node, r.api_key,
                  r.api_version, static_cast<int>(r.client_id.size()), r.client_id.data(), r.bytes);
    });
  }
  for (int id = 1; id <= options.brokers; ++id) {
    nodes_.emplace_back(*this, id);
    const std::error_code error = nodes_.back().broker.start();
    if (error) world.violation("broker " + std::to_string(id) + ": " + error.message());
  }
  every(plan_.restart_every, &KafkaRig::restart_one);
  every(plan_.move_leader_every, &KafkaRig::move_leader);
  every(plan_.error_every, &KafkaRig::inject_error);
  every(plan_.delay_every, &KafkaRig::inject_delay);
  every(plan_.throttle_every, &KafkaRig::throttle);
  every(plan_.jump_wall_every, &KafkaRig::jump_wall);
}

KafkaRig::~KafkaRig() {
  // No link of a broker hears of anything any more, so brokers and networks may go in any order.
  for (Node& node : nodes_) node.net.crash();
}

std::vector<std::string> KafkaRig::bootstrap() const {
  std::vector<std::string> list;
  for (const Node& node : nodes_) list.push_back(host_of(node.broker.id()) + ":9092");
  return list;
}

kafka::ClientConfig KafkaRig::client_config(Rng& rng) const {
  kafka::ClientConfig config;
  config.bootstrap = bootstrap();
  config.seed = rng.next() | 1;
  config.connect_timeout = rng.log_between(milliseconds(500), seconds(5));
  config.request_timeout = rng.log_between(milliseconds(800), seconds(5));
  config.reconnect_backoff = rng.log_between(milliseconds(10), milliseconds(100));
  config.retry_backoff = rng.log_between(milliseconds(10), milliseconds(200));
  config.metadata_max_age = rng.log_between(seconds(1), minutes(5));
  config.connections_max_idle = rng.log_between(seconds(1), minutes(9));
  return config;
}

void KafkaRig::every(Duration period, Tick tick) {
  if (healed_ || period.count() == 0) return;
  world.after(rng_.exponential(period, 10 * period), [this, period, tick] {
    if (healed_) return;
    (this->*tick)();
    every(period, tick);
  });
}

void KafkaRig::restart_one() {
  Node& node = nodes_[rng_.below(nodes_.size())];
  if (node.down) return;
  const bool hard = rng_.chance(0.5);
  const bool quiet = rng_.chance(plan_.quiet_p);
  const bool late = rng_.chance(plan_.late_election_p);
  const std::int32_t id = node.broker.id();
  world.trace("broker %d stops%s%s", id,
              quiet  ? ", quietly"
              : hard ? ", hard"
                     : "",
              late ? ", no election yet" : "");
  count(quiet ? BrokerFault::quiet_restart : BrokerFault::restart);
  if (late) count(BrokerFault::late_election);
  node.down = true;
  if (hard || quiet) node.net.down(quiet);
  cluster.stop_node(id, !late);
  const Duration down = rng_.exponential(plan_.down_mean, 10 * plan_.down_mean);
  if (late) {
    world.after(
        Duration(static_cast<std::int64_t>(rng_.unit() * 2 * static_cast<double>(down.count()))),
        [this] { cluster.elect_leaders(); });
  }
  world.after(down, [this, id] {
    if (!healed_) bring_up(id);
  });
}

void KafkaRig::bring_up(std::int32_t id) {
  Node& node = nodes_[static_cast<std::size_t>(id) - 1];
  if (!node.down) return;
  world.trace("broker %d starts", id);
  node.down = false;
  if (!node.net.is_up()) node.net.up();
  if (const std::error_code error = cluster.start_node(id)) {
    world.violation("broker " + std::to_string(id) + " does not start: " + error.message());
  }
}

void KafkaRig::move_leader() {
  for (const auto& [name, topic] : cluster.topics()) {
    if (topic->partitions.empty()) continue;
    const auto partition = static_cast<std::int32_t>(rng_.below(topic->partitions.size()));
    const Node& node = nodes_[rng_.below(nodes_.size())];
    if (node.down) continue;
    if (cluster.find_partition(name, partition)->leader == node.broker.id()) continue;
    world.trace("broker %d leads %s:%d now", node.broker.id(), name.c_str(), partition);
    count(BrokerFault::move_leader);
    cluster.move_leader(name, partition, node.broker.id());
  }
}

void KafkaRig::inject_error() {
  const ErrorCase& chosen = kErrors[rng_.below(std::size(kErrors))];
  Injection injection = Injection::with_error(chosen.error, rng_.pick(1, 3));
  injection.apply = chosen.apply;
  injection.whole_answer = chosen.whole_answer;
  injection.skip = rng_.pick(0, 2);
  count(chosen.apply ? BrokerFault::error_after_apply : BrokerFault::error);
  cluster.inject(chosen.api_key, std::move(injection));
}

void KafkaRig::inject_delay() {
  const std::int16_t api_key = kAnyApi[rng_.below(std::size(kAnyApi))];
  Injection injection;
  injection.skip = rng_.pick(0, 2);
  const Duration delay = rng_.log_between(milliseconds(1), seconds(8));
  switch (rng_.below(5)) {
    case 0:
      injection.delay = delay;
      count(BrokerFault::late_answer);
      break;
    case 1:
      injection.answer_delay = delay;
      count(BrokerFault::late_answer);
      break;
    case 2:
      injection.no_answer = true;
      count(BrokerFault::no_answer);
      break;
    case 3:
      injection.close_before_apply = true;
      count(BrokerFault::close_before_apply);
      break;
    default:
      injection.close_after_apply = true;
      count(BrokerFault::close_after_apply);
      break;
  }
  cluster.inject(api_key, std::move(injection));
}

void KafkaRig::throttle() {
  constexpr std::int16_t kThrottled[] = {kProduce, kFetch, kMetadata};
  count(BrokerFault::throttle);
  cluster.throttle(kThrottled[rng_.below(std::size(kThrottled))], milliseconds(rng_.pick(1, 1000)),
                   rng_.pick(1, 3));
}

void KafkaRig::jump_wall() {
  count(BrokerFault::jump_wall);
  world.jump_wall_clock(rng_.pick(-20'000, 20'000));
}

void KafkaRig::heal() {
  if (healed_) return;
  healed_ = true;
  fabric.heal();
  cluster.clear_injections();
  for (const std::int16_t api_key : {kProduce, kFetch, kMetadata})
    cluster.throttle(api_key, milliseconds(0), 0);
  for (Node& node : nodes_) bring_up(node.broker.id());
  cluster.elect_leaders();
}

std::string KafkaRig::counts_text() const {
  std::string text = fabric.counts().to_string();
  for (std::size_t i = 0; i < std::size(counts_); ++i) {
    if (counts_[i] == 0) continue;
    text += std::string(" ") + sim::to_string(static_cast<BrokerFault>(i)) + "=" +
            std::to_string(counts_[i]);
  }
  return text;
}

std::uint64_t KafkaRig::total_faults() const {
  std::uint64_t total = 0;
  for (const std::uint64_t n : fabric.counts().counts) total += n;
  for (const std::uint64_t n : counts_) total += n;
  return total;
}

std::vector<Stored> KafkaRig::stored(const std::string& topic, Problems* problems) {
  std::vector<Stored> all;
  const broker::Topic* found = cluster.find_topic(topic);
  if (!found) return all;
  for (std::size_t i = 0; i < found->partitions.size(); ++i) {
    const auto partition = static_cast<std::int32_t>(i);
    const bool readable = found->partitions[i].log.for_each_record([&](const broker::LogRecord& r) {
      if (r.control) return;
      world.trace("log %d:%lld record %lld, producer id %lld epoch %d sequence %d", partition,
                  static_cast<long long>(r.offset), static_cast<long long>(id_of(r.headers)),
                  static_cast<long long>(r.producer_id), r.producer_epoch, r.sequence);
      all.push_back(
          {id_of(r.headers), partition, r.offset, checksum_of(r.key, r.value, r.headers)});
    });
    if (!readable && problems) {
      problems->push_back("content: the log of partition " + std::to_string(i) + " cannot be read");
    }
  }
  return all;
}

}  // namespace tern::sim
