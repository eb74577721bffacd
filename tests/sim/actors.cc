#include "tests/sim/actors.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "client/core/error.h"

namespace tern::sim {
namespace {

using kafka::TopicPartition;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

// What an error code says about a record; false if it says nothing.
bool outcome_of(std::error_code error, Outcome& outcome) {
  if (!error) {
    outcome = Outcome::ok;
  } else if (error == ClientErrc::maybe_written) {
    outcome = Outcome::maybe_written;
  } else if (error == ClientErrc::not_written || error == ClientErrc::queue_full ||
             error == ClientErrc::closed || error == ClientErrc::record_too_large ||
             error == std::errc::operation_canceled) {
    outcome = Outcome::not_written;
  } else {
    return false;
  }
  return true;
}

// Tells the trace what the engine does.
class TraceObserver final : public kafka::Observer {
 public:
  TraceObserver(World& world, std::string host) : world_(world), host_(std::move(host)) {}
  void on_disconnected(const Connection& c, Stage, const Failure& why) override {
    world_.trace("%s: broker %d (%s) disconnected: %s", host_.c_str(), c.node_id,
                 kafka::to_string(c.role), why.message().c_str());
  }
  void on_response(const Request& r) override {
    world_.trace("%s: broker %d answers %s", host_.c_str(), r.connection.node_id, r.api);
  }
  void on_batch_delivered(const Batch& b) override { batch("delivered", b, Failure()); }
  void on_batch_retried(const Batch& b, const Failure& why) override { batch("retried", b, why); }
  void on_batch_failed(const Batch& b, const Failure& why) override { batch("failed", b, why); }
  void on_trouble(std::string_view what, const Failure& why) override {
    world_.trace("%s: trouble with %s: %s", host_.c_str(), std::string(what).c_str(),
                 why.message().c_str());
  }

 private:
  void batch(const char* what, const Batch& b, const Failure& why) {
    world_.trace("%s: batch of partition %d, %zu records, try %d, %s: %s", host_.c_str(),
                 b.partition, b.records, b.attempts, what, why ? why.message().c_str() : "");
  }
  World& world_;
  const std::string host_;
};

}  // namespace

EngineHost::EngineHost(KafkaRig& rig, const std::string& host, kafka::ClientConfig config)
    : net(rig.fabric, host) {
  if (const Failure wrong = kafka::check(config)) rig.world.violation("config: " + wrong.message());
  if (rig.world.tracing()) config.observer = std::make_shared<TraceObserver>(rig.world, host);
  engine = std::make_unique<kafka::Engine>(net, std::move(config), rig.world.seed());
  net.attach(*engine);
}

EngineHost::~EngineHost() { net.crash(); }

bool EngineHost::shut_down(KafkaRig& rig) {
  engine->close(engine->enter());
  const bool ended = rig.world.run_until([this] { return net.links() == 0; }, seconds(10));
  rig.world.run_for(milliseconds(1));  // the step that follows the last on_closed()
  return ended;
}

// ----------------------------------------------------------------------------------- producing

ProducerActor::Plan ProducerActor::Plan::draw(Rng& rng, Duration period) {
  Plan plan;
  plan.records = rng.log_between(10, 400);
  plan.period = period;
  plan.max_value_bytes = rng.log_between(10, 20'000);
  plan.awaited_p = rng.chance(0.5) ? rng.unit() : 0;
  plan.cancel_p = rng.chance(0.3) ? rng.unit() * 0.5 : 0;
  plan.explicit_p = rng.chance(0.5) ? rng.unit() : 0;
  plan.flush_p = rng.chance(0.3) ? rng.unit() * 0.3 : 0;
  plan.close_early = rng.chance(0.15);
  return plan;
}

std::string ProducerActor::Plan::to_string() const {
  char text[256];
  const int n = std::snprintf(
      text, sizeof text,
      "records=%llu period=%.0fms max_value=%zu awaited=%.2f cancel=%.2f explicit=%.2f flush=%.2f "
      "close_early=%d",
      static_cast<unsigned long long>(records), ms(period), max_value_bytes, awaited_p, cancel_p,
      explicit_p, flush_p, close_early ? 1 : 0);
  return std::string(text, static_cast<std::size_t>(n));
}

kafka::ProducerConfig ProducerActor::draw_config(Rng& rng) {
  kafka::ProducerConfig config;
  if (rng.chance(0.3)) {
    config.idempotence = false;
    constexpr kafka::Acks kAcks[] = {kafka::Acks::none, kafka::Acks::leader, kafka::Acks::all};
    config.acks = kAcks[rng.below(3)];
  }
  config.max_in_flight = rng.pick(1, 5);
  config.linger =
      rng.chance(0.3) ? Duration(0) : rng.log_between(microseconds(100), milliseconds(200));
  config.batch_bytes = rng.log_between(512, 100'000);
  config.max_request_bytes =
      std::max<std::size_t>(config.batch_bytes, rng.log_between(4096, 500'000));
  config.buffer_bytes =
      std::max<std::size_t>(2 * config.batch_bytes + 65'536, rng.log_between(50'000, 2'000'000));
  config.delivery_timeout = rng.log_between(seconds(3), seconds(40));
  config.metadata_timeout = rng.log_between(seconds(2), seconds(60));
  if (rng.chance(0.3)) config.compression = kafka::Compression::gzip;
  constexpr kafka::Partitioning kWays[] = {kafka::Partitioning::java, kafka::Partitioning::random,
                                           kafka::Partitioning::round_robin};
  config.partitioning = kWays[rng.below(3)];
  return config;
}

std::string ProducerActor::describe(const kafka::ProducerConfig& config) {
  char text[256];
  const int n = std::snprintf(
      text, sizeof text,
      "acks=%d idempotence=%d max_in_flight=%d linger=%.1fms batch=%zu request=%zu buffer=%zu "
      "delivery_timeout=%.0fms metadata_timeout=%.0fms gzip=%d partitioning=%d",
      static_cast<int>(config.acks), config.idempotence ? 1 : 0, config.max_in_flight,
      ms(config.linger), config.batch_bytes, config.max_request_bytes, config.buffer_bytes,
      ms(config.delivery_timeout), ms(config.metadata_timeout),
      config.compression == kafka::Compression::gzip ? 1 : 0,
      static_cast<int>(config.partitioning));
  return std::string(text, static_cast<std::size_t>(n));
}

ProducerActor::ProducerActor(KafkaRig& rig, EngineHost& host, std::string topic, int partitions,
                             kafka::ProducerConfig config, const Plan& plan)
    : rig_(rig),
      host_(host),
      rng_(rig.world.make_rng("producer")),
      topic_(std::move(topic)),
      partitions_(partitions),
      config_(std::move(config)),
      plan_(plan) {
  if (const Failure wrong = kafka::check(config_, host.engine->config())) {
    rig.world.violation("config: " + wrong.message());
  }
  core_ = std::make_shared<kafka::ProducerCore>(*host.engine, config_, rng_.next());
  core_->set_batch_handler([this](const kafka::BatchReport& report) {
    if (!report.error) batch_reported_ok_ += report.count;
  });
}

ProduceRules ProducerActor::rules() const {
  ProduceRules rules;
  rules.exactly_once = config_.idempotence;
  rules.may_lose = config_.acks == kafka::Acks::none;
  // Without answers nobody knows what has to be waited for.
  rules.ordered = config_.idempotence || (config_.max_in_flight == 1 && !rules.may_lose);
  return rules;
}

void ProducerActor::start() {
  host_.engine->enter();
  core_->start();
  handle_ = &core_->accumulator().topic(topic_);
  host_.engine->wake();
  burst();
}

bool ProducerActor::done() const {
  return (sent_.size() >= plan_.records || closing_) && ledger_.pending() == 0;
}

void ProducerActor::burst() {
  if (closing_ || sent_.size() >= plan_.records) return;
  const std::uint64_t count = rng_.log_between(1, 40);
  for (std::uint64_t i = 0; i < count && sent_.size() < plan_.records; ++i) send_one();
  if (rng_.chance(plan_.flush_p)) {
    host_.engine->enter();
    const std::size_t before = sent_.size();
    core_->flush(
        ledger_.track("flush",
                      [this, before](const Failure&) {
                        for (std::size_t i = 0; i < before; ++i) {
                          if (sent_[i].producer == 0 && sent_[i].outcome == Outcome::pending) {
                            problems_.add("flush-early", "record " + std::to_string(sent_[i].id) +
                                                             " was not told yet");
                          }
                        }
                      }),
        next_op_++);
  }
  if (plan_.close_early && sent_.size() > plan_.records / 2) {
    return close(rng_.chance(0.5) ? Duration(0) : rng_.log_between(milliseconds(1), seconds(10)));
  }
  const Duration mean = std::min<Duration>(
      plan_.period * 13 / static_cast<std::int64_t>(plan_.records), plan_.period / 4);
  rig_.world.after(rng_.exponential(mean, 4 * mean), [this] { burst(); });
}

void ProducerActor::send_one() {
  const std::size_t index = sent_.size();
  const auto id = static_cast<std::uint64_t>(index);
  auto content = std::make_shared<Content>(id, plan_.max_value_bytes);
  std::int32_t partition = kafka::kPartitionByKey;
  if (rng_.chance(plan_.explicit_p)) partition = rng_.pick(0, partitions_ - 1);
  sent_.push_back({id, 0, Outcome::pending, partition, -1, content->checksum()});
  if (rng_.chance(plan_.awaited_p)) return send_awaited(index, content, partition);
  kafka::Record record = content->record();
  record.partition = partition;
  auto handler = [this, index, call = ledger_.begin("try_send")](std::error_code error,
                                                                 const kafka::Delivery& delivery) {
    ledger_.complete(call);
    delivered(index, error, delivery);
  };
  const std::size_t call = ledger_.started() - 1;
  const std::error_code refused = core_->accumulator().append(*handle_, record, std::move(handler));
  if (!refused) return;
  ledger_.complete(call);
  sent_[index].outcome = Outcome::not_written;
  if (refused != ClientErrc::queue_full && refused != ClientErrc::closed &&
      refused != ClientErrc::record_too_large) {
    problems_.add("refused", "try_send: " + refused.message());
  }
}

void ProducerActor::probe() {
  if (closing_) return;
  first_probe_ = sent_.size();
  for (std::int32_t partition = 0; partition < partitions_; ++partition) {
    const std::size_t index = sent_.size();
    const Content content(index, 50);
    sent_.push_back({index, 0, Outcome::pending, partition, -1, content.checksum()});
    kafka::Record record = content.record();
    record.partition = partition;
    const std::size_t call = ledger_.begin("probe");
    const std::error_code refused = core_->accumulator().append(
        *handle_, record,
        [this, index, call](std::error_code error, const kafka::Delivery& delivery) {
          ledger_.complete(call);
          delivered(index, error, delivery);
        });
    if (!refused) continue;
    ledger_.complete(call);
    sent_[index].outcome = Outcome::not_written;
    problems_.add("refused", "a probe: " + refused.message());
  }
}

void ProducerActor::check_probes() {
  for (std::size_t i = first_probe_; i < sent_.size(); ++i) {
    if (sent_[i].outcome == Outcome::ok) continue;
    problems_.add("not-recovered", "record " + std::to_string(sent_[i].id) +
                                       ", sent long after the " + "faults ended, was " +
                                       to_string(sent_[i].outcome));
  }
}

void ProducerActor::send_awaited(std::size_t index, const std::shared_ptr<Content>& content,
                                 std::int32_t partition) {
  sent_[index].producer = 1;  // may be overtaken by sends that do not wait for space
  kafka::Record record = content->record();
  record.partition = partition;
  host_.engine->enter();
  const std::uint64_t op = next_op_++;
  const std::size_t call = ledger_.begin("send");
  core_->send(
      *handle_, record,
      [this, index, call, content](const Failure& failure, const kafka::Delivery& delivery) {
        ledger_.complete(call);
        delivered(index, failure.code, delivery);
      },
      op);
  if (rng_.chance(plan_.cancel_p)) {
    rig_.world.after(rng_.log_between(microseconds(1), seconds(2)), [this, op] {
      if (closed_) return;
      host_.engine->enter();
      core_->cancel(op);
    });
  }
}

void ProducerActor::delivered(std::size_t index, std::error_code error,
                              const kafka::Delivery& delivery) {
  Sent& sent = sent_[index];
  if (sent.outcome != Outcome::pending)
    problems_.add("call-twice", "record " + std::to_string(sent.id));
  if (!outcome_of(error, sent.outcome)) {
    sent.outcome = Outcome::maybe_written;
    problems_.add("dishonest", "\"" + error.message() + "\" says nothing about record " +
                                   std::to_string(sent.id));
  }
  rig_.world.trace("record %llu: %s (%s)", static_cast<unsigned long long>(sent.id),
                   to_string(sent.outcome), error ? delivery.message().c_str() : "");
  if (error) {
    // A cancelled send needs no other reason.
    const bool has_reason = delivery.cause && !delivery.message().empty();
    if (!has_reason && error != std::errc::operation_canceled) {
      problems_.add("no-reason", "record " + std::to_string(sent.id) + ": " + error.message());
    }
    return;
  }
  ++delivered_ok_;
  if (sent.partition >= 0 && sent.partition != delivery.partition) {
    problems_.add("wrong-partition", "record " + std::to_string(sent.id) + " was delivered to " +
                                         std::to_string(delivery.partition));
  }
  if (delivery.partition < 0 || delivery.partition >= partitions_) {
    problems_.add("wrong-partition", std::to_string(delivery.partition));
  }
  sent.partition = delivery.partition;
  sent.offset = delivery.offset;
  if (delivery.topic != topic_) problems_.add("wrong-topic", std::string(delivery.topic));
  // A user who sends the next one from the handler.
  if (!closing_ && sent_.size() < plan_.records && rng_.chance(0.05)) {
    host_.net.user_acted();
    send_one();
  }
}

void ProducerActor::close(Duration timeout) {
  if (std::exchange(closing_, true)) return;
  host_.engine->enter();
  rig_.world.trace("the producer is closed");
  core_->close(timeout, ledger_.track("close", [this](const Failure&) {
    closed_ = true;
    if (plan_.cancel_p == 0 && batch_reported_ok_ != delivered_ok_) {
      problems_.add("batch-report", "batch reports speak of " + std::to_string(batch_reported_ok_) +
                                        " records, handlers of " + std::to_string(delivered_ok_));
    }
  }));
}

// ----------------------------------------------------------------------------------- consuming

ConsumerActor::Plan ConsumerActor::Plan::draw(Rng& rng) {
  Plan plan;
  plan.seek_p = rng.chance(0.4) ? rng.unit() * 0.1 : 0;
  plan.pause_p = rng.chance(0.4) ? rng.unit() * 0.2 : 0;
  plan.hold_p = rng.chance(0.4) ? rng.unit() : 0;
  plan.think = rng.chance(0.5) ? Duration(0) : rng.log_between(microseconds(10), milliseconds(300));
  return plan;
}

std::string ConsumerActor::Plan::to_string() const {
  char text[128];
  const int n = std::snprintf(text, sizeof text, "seek=%.3f pause=%.2f hold=%.2f think=%.2fms",
                              seek_p, pause_p, hold_p, ms(think));
  return std::string(text, static_cast<std::size_t>(n));
}

kafka::ConsumerConfig ConsumerActor::draw_config(Rng& rng) {
  kafka::ConsumerConfig config;
  config.offset_reset =
      kafka::OffsetReset::none;  // nothing is ever cut off here: all else is a bug
  config.fetch_min_bytes = rng.chance(0.7) ? 1 : rng.log_between(1, 10'000);
  config.fetch_max_wait = rng.log_between(milliseconds(10), milliseconds(700));
  config.partition_max_bytes = rng.log_between(200, 1'000'000);
  config.fetch_max_bytes =
      std::max<std::size_t>(config.partition_max_bytes, rng.log_between(1000, 5'000'000));
  config.prefetch_bytes =
      std::max<std::size_t>(config.fetch_max_bytes, rng.log_between(100'000, 20'000'000));
  config.max_poll_records = rng.chance(0.5) ? 0 : rng.log_between(1, 100);
  config.isolation =
      rng.chance(0.5) ? kafka::Isolation::read_committed : kafka::Isolation::read_uncommitted;
  return config;
}

std::string ConsumerActor::describe(const kafka::ConsumerConfig& config) {
  char text[256];
  const int n =
      std::snprintf(text, sizeof text,
                    "min_bytes=%zu max_wait=%.0fms partition_max=%zu fetch_max=%zu prefetch=%zu "
                    "max_poll=%zu isolation=%d",
                    config.fetch_min_bytes, ms(config.fetch_max_wait), config.partition_max_bytes,
                    config.fetch_max_bytes, config.prefetch_bytes, config.max_poll_records,
                    static_cast<int>(config.isolation));
  return std::string(text, static_cast<std::size_t>(n));
}

ConsumerActor::ConsumerActor(KafkaRig& rig, EngineHost& host, std::string topic, int partitions,
                             kafka::ConsumerConfig config, const Plan& plan)
    : rig_(rig),
      host_(host),
      rng_(rig.world.make_rng("consumer")),
      topic_(std::move(topic)),
      partitions_(partitions),
      config_(std::move(config)),
      plan_(plan),
      paused_(static_cast<std::size_t>(partitions), false) {
  if (const Failure wrong = kafka::check(config_))
    rig.world.violation("config: " + wrong.message());
  core_ = std::make_shared<kafka::ConsumerCore>(*host.engine, config_);
}

void ConsumerActor::start() {
  const Now now = host_.engine->enter();
  core_->start();
  std::vector<kafka::Assignment> assignment;
  for (int p = 0; p < partitions_; ++p) {
    const bool by_offset = rng_.chance(0.3);
    assignment.push_back(
        {topic_, p, by_offset ? kafka::Position::offset(0) : kafka::Position::earliest()});
    checker_.start(p, 0);
  }
  std::vector<kafka::ConsumerBoard::Gauge> gauges;
  if (const Failure wrong = core_->board()->assign(assignment, gauges)) {
    rig_.world.violation("assign: " + wrong.message());
    return;
  }
  core_->assign(assignment, gauges, now);
  poll();
}

void ConsumerActor::poll() {
  if (closing_) return;
  const Now now = host_.engine->enter();
  const Time deadline =
      rng_.chance(0.3) ? now.mono + rng_.log_between(milliseconds(5), seconds(1)) : kNever;
  core_->poll(next_op_++, deadline,
              ledger_.track("poll", [this](const Failure& failure, kafka::Records records) {
                polled(failure, std::move(records));
              }));
  if (rng_.chance(0.02)) {
    const std::uint64_t op = next_op_ - 1;
    rig_.world.after(rng_.log_between(microseconds(1), milliseconds(500)), [this, op] {
      if (closed_) return;
      host_.engine->enter();
      core_->cancel(op);
    });
  }
}

void ConsumerActor::polled(const Failure& failure, kafka::Records records) {
  if (failure) {
    const std::error_code code = failure.code;
    rig_.world.trace("poll: %s", failure.message().c_str());
    if (code == ClientErrc::protocol_violation || code == ClientErrc::offset_out_of_range ||
        code == ClientErrc::log_truncated || code == ClientErrc::codec_missing ||
        code == ClientErrc::frame_too_large || code == ClientErrc::invalid_argument ||
        code == ClientErrc::busy) {
      problems_.add("poll-error", failure.message());
    }
    if (failure.message().empty()) problems_.add("no-reason", code.message());
    // A partition that cannot be read stands still until it is sought.
    if (!closing_ && code != std::errc::operation_canceled) {
      const Now now = host_.engine->enter();
      for (int p = 0; p < partitions_; ++p) {
        core_->seek({topic_, p}, kafka::Position::offset(checker_.next_offset(p)), now);
      }
    }
  }
  for (const kafka::ConsumerRecord& record : records) {
    const std::int32_t p = record.partition;
    rig_.world.note(static_cast<std::uint64_t>(record.offset));
    if (record.topic.view() != topic_)
      problems_.add("wrong-topic", std::string(record.topic.view()));
    if (p >= 0 && p < partitions_ && paused_[static_cast<std::size_t>(p)]) {
      problems_.add("paused", "a record of partition " + std::to_string(p) + " came");
    }
    checker_.received(p, record.offset, id_of(record.headers),
                      checksum_of(record.key, record.value, record.headers));
  }
  rig_.world.trace("polled %zu records", records.size());
  if (!records.empty()) host_.net.user_acted();
  if (config_.max_poll_records != 0 && records.size() > config_.max_poll_records) {
    problems_.add("max-poll-records", std::to_string(records.size()) + " came");
  }
  if (!records.empty() && rng_.chance(plan_.hold_p)) {
    held_.push_back(std::move(records));
    rig_.world.after(rng_.log_between(microseconds(10), milliseconds(500)), [this] {
      if (!held_.empty()) held_.pop_front();
    });
  }
  if (closing_) return;
  misbehave();
  next_poll();
}

void ConsumerActor::misbehave() {
  const Now now = host_.engine->enter();
  if (rng_.chance(plan_.seek_p)) {
    const int p = rng_.pick(0, partitions_ - 1);
    const std::int64_t known = std::max<std::int64_t>(0, checker_.next_offset(p));
    const auto to = static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(known) + 1));
    rig_.world.trace("seek %d:%lld", p, static_cast<long long>(to));
    const bool first = rng_.chance(0.2);
    core_->seek({topic_, p}, first ? kafka::Position::earliest() : kafka::Position::offset(to),
                now);
    checker_.start(p, first ? 0 : to);
  }
  if (rng_.chance(plan_.pause_p)) {
    const int p = rng_.pick(0, partitions_ - 1);
    const auto index = static_cast<std::size_t>(p);
    paused_[index] = !paused_[index];
    core_->set_paused({topic_, p}, paused_[index]);
    if (std::all_of(paused_.begin(), paused_.end(), [](bool b) { return b; })) {
      paused_[index] = false;  // else nothing would ever come
      core_->set_paused({topic_, p}, false);
    }
  }
}

void ConsumerActor::next_poll() {
  if (plan_.think.count() == 0) return poll();
  rig_.world.after(rng_.exponential(plan_.think, 10 * plan_.think), [this] { poll(); });
}

void ConsumerActor::calm_down() {
  plan_.seek_p = plan_.pause_p = 0;
  plan_.think = Duration(0);
  const Now now = host_.engine->enter();
  static_cast<void>(now);
  for (int p = 0; p < partitions_; ++p) {
    if (paused_[static_cast<std::size_t>(p)]) core_->set_paused({topic_, p}, false);
    paused_[static_cast<std::size_t>(p)] = false;
  }
}

bool ConsumerActor::caught_up() const {
  for (int p = 0; p < partitions_; ++p) {
    const broker::PartitionLog* log = rig_.cluster.log(topic_, p);
    if (!log || checker_.next_offset(p) < log->end_offset()) return false;
  }
  return true;
}

std::string ConsumerActor::where() const {
  std::string text;
  for (int p = 0; p < partitions_; ++p) {
    const broker::PartitionLog* log = rig_.cluster.log(topic_, p);
    text += " " + std::to_string(p) + ":" + std::to_string(checker_.next_offset(p)) + "/" +
            std::to_string(log ? log->end_offset() : -1);
  }
  return text;
}

void ConsumerActor::close(Duration timeout) {
  if (std::exchange(closing_, true)) return;
  const Now now = host_.engine->enter();
  held_.clear();
  core_->close(deadline_after(now.mono, timeout),
               ledger_.track("close", [this](const Failure&) { closed_ = true; }), now);
}

}  // namespace tern::sim
