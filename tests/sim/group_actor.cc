#include "tests/sim/group_actor.h"

#include <cstdio>

#include "client/core/error.h"

namespace tern::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// After that no request that its sender has given up is under way any more: the longest delay that
// is drawn, twice.
constexpr Duration kStray = seconds(16);

}  // namespace

// ---------------------------------------------------------------------------------------- the book

void GroupBook::done(std::int32_t partition, std::int64_t offset) {
  Done& done = done_[static_cast<std::size_t>(partition)];
  ++count_;
  if (offset < done.up_to) return;
  done.beyond.insert(offset);
  while (!done.beyond.empty() && *done.beyond.begin() == done.up_to) {
    done.beyond.erase(done.beyond.begin());
    ++done.up_to;
  }
}

void GroupBook::owns(std::int32_t generation, std::int32_t partition, const std::string& member) {
  const auto [at, is_new] = owners_.try_emplace({generation, partition}, member);
  if (is_new || at->second == member) return;
  problems.add("overlap", "in generation " + std::to_string(generation) + " partition " +
                              std::to_string(partition) + " is both " + at->second + "'s and " +
                              member + "'s");
}

void GroupBook::stored(Time now, std::int32_t partition, std::int64_t offset) {
  std::int64_t& known = stored_[partition];
  if (offset < known && now >= strays_until_) {
    problems.add("rewind", "partition " + std::to_string(partition) + ": " + std::to_string(known) +
                               " was stored, and now it is " + std::to_string(offset));
  }
  known = offset;
  if (offset <= done_up_to(partition)) return;
  problems.add("early", "partition " + std::to_string(partition) + ": " + std::to_string(offset) +
                            " is stored, but only " + std::to_string(done_up_to(partition)) +
                            " records are done");
}

// --------------------------------------------------------------------------------------- the actor

GroupActor::Plan GroupActor::Plan::draw(Rng& rng) {
  Plan plan;
  plan.hold_p = rng.chance(0.5) ? rng.unit() : 0;
  plan.slow_handler_p = rng.chance(0.5) ? rng.unit() : 0;
  plan.think = rng.chance(0.5) ? Duration(0) : rng.log_between(microseconds(10), milliseconds(300));
  plan.stall_p = rng.chance(0.3) ? rng.unit() * 0.05 : 0;
  plan.manual_p = rng.chance(0.4) ? rng.unit() : 0;
  return plan;
}

std::string GroupActor::Plan::to_string() const {
  char text[160];
  const int n = std::snprintf(
      text, sizeof text, "hold=%.2f slow_handler=%.2f think=%.2fms stall=%.3f manual=%.2f", hold_p,
      slow_handler_p, static_cast<double>(think.count()) / 1e6, stall_p, manual_p);
  return std::string(text, static_cast<std::size_t>(n));
}

GroupActor::GroupActor(KafkaRig& rig, GroupBook& book, int number, std::string topic,
                       kafka::ConsumerConfig config, const Plan& plan)
    : rig_(rig),
      book_(book),
      number_(number),
      rng_(rig.world.make_rng("member " + std::to_string(number))),
      topic_(std::move(topic)),
      config_(std::move(config)),
      plan_(plan) {
  if (const Failure wrong = kafka::check(config_)) {
    rig.world.violation("config: " + wrong.message());
  }
}

GroupActor::~GroupActor() = default;

void GroupActor::start() {
  if (core_) return;
  ++life_;
  closing_ = false;
  rig_.world.trace("member %d starts, life %llu", number_, static_cast<unsigned long long>(life_));
  host_ = std::make_unique<EngineHost>(
      rig_, "member" + std::to_string(number_) + "-" + std::to_string(life_),
      rig_.client_config(rng_));
  kafka::ConsumerConfig config = config_;
  config.on_assigned = config.on_revoked =
      config.on_lost = [this, life = life_](const kafka::Partitions& partitions, kafka::Done done) {
        if (life == life_) handle(partitions, std::move(done));
      };
  const Now now = host_->engine->enter();
  core_ = std::make_shared<kafka::ConsumerCore>(*host_->engine, std::move(config));
  core_->start();
  core_->subscribe({topic_}, {}, now);
  poll();
}

void GroupActor::handle(const kafka::Partitions&, kafka::Done done) {
  note_owned();
  if (!rng_.chance(plan_.slow_handler_p)) return;
  dones_.push_back(std::move(done));
  rig_.world.after(rng_.log_between(microseconds(10), seconds(2)), [this, life = life_] {
    if (life == life_ && !dones_.empty()) dones_.pop_front();
  });
}

void GroupActor::note_owned() {
  if (!core_) return;
  if (core_->group()->may_be_overtaken(rig_.world.now())) book_.strays(rig_.world.time() + kStray);
  const kafka::Membership* membership = core_->group()->membership();
  // A generation that a coordinator has not got round to storing may come again when it restarts;
  // nobody has been given anything in it.
  if (!membership || !membership->has_assignment()) return;
  const kafka::MemberIdentity& identity = membership->identity();
  for (const kafka::TopicPartition& each : core_->board()->all()) {
    book_.owns(identity.generation, each.partition, identity.member_id);
  }
}

void GroupActor::poll() {
  if (closing_ || !core_) return;
  const Now now = host_->engine->enter();
  const Time deadline =
      rng_.chance(0.3) ? now.mono + rng_.log_between(milliseconds(5), seconds(1)) : kNever;
  core_->poll(
      next_op_++, deadline,
      ledger_.track("poll", [this, life = life_](const Failure& failure, kafka::Records records) {
        if (life == life_) polled(failure, std::move(records));
      }));
}

void GroupActor::polled(const Failure& failure, kafka::Records records) {
  if (failure) {
    const std::error_code code = failure.code;
    rig_.world.trace("member %d: poll: %s", number_, failure.message().c_str());
    if (code == ClientErrc::protocol_violation || code == ClientErrc::offset_out_of_range ||
        code == ClientErrc::log_truncated || code == ClientErrc::codec_missing ||
        code == ClientErrc::frame_too_large || code == ClientErrc::invalid_argument ||
        code == ClientErrc::busy) {
      problems_.add("poll-error", failure.message());
    }
    if (failure.message().empty()) problems_.add("no-reason", code.message());
  }
  for (const kafka::ConsumerRecord& record : records) {
    rig_.world.note(static_cast<std::uint64_t>(record.offset));
  }
  if (!records.empty()) host_->net.user_acted();
  if (!records.empty() && rng_.chance(plan_.hold_p)) {
    held_.push_back(std::move(records));
    rig_.world.after(rng_.log_between(microseconds(10), milliseconds(500)), [this, life = life_] {
      if (life != life_ || held_.empty()) return;
      kafka::Records oldest = std::move(held_.front());
      held_.pop_front();
      finish(std::move(oldest));
    });
  } else {
    finish(std::move(records));
  }
  if (closing_) return;
  Duration pause =
      plan_.think.count() == 0 ? Duration(0) : rng_.exponential(plan_.think, 10 * plan_.think);
  if (rng_.chance(plan_.stall_p)) pause = config_.max_poll_interval * 5 / 4;
  if (pause.count() == 0) return poll();
  rig_.world.after(pause, [this, life = life_] {
    if (life == life_) poll();
  });
}

void GroupActor::finish(kafka::Records records) {
  for (const kafka::ConsumerRecord& record : records) book_.done(record.partition, record.offset);
  if (records.empty() || !core_ || closing_) return;
  // While older ones are not finished, what these end at says too much.
  std::optional<kafka::Offsets> offsets;
  if (held_.empty() && rng_.chance(0.5)) offsets = records.end_offsets();
  records.done();
  if (config_.auto_commit && !rng_.chance(plan_.manual_p)) return;
  commit(std::move(offsets));
}

void GroupActor::commit(std::optional<kafka::Offsets> offsets) {
  const Now now = host_->engine->enter();
  core_->commit(next_op_++, std::move(offsets), deadline_after(now.mono, seconds(20)),
                ledger_.track("commit", [this](const Failure& why) {
                  if (why && why.message().empty()) problems_.add("no-reason", "a commit");
                }));
}

void GroupActor::calm_down() {
  plan_ = {};
  keep_committing();
}

// A commit by hand may have ended with an error, and nobody would try again.
void GroupActor::keep_committing() {
  if (is_up() && !config_.auto_commit) commit(std::nullopt);
  rig_.world.after(seconds(1), [this] { keep_committing(); });
}

void GroupActor::crash() {
  if (!core_ || closing_) return;
  rig_.world.trace("member %d crashes", number_);
  book_.strays(rig_.world.time() + kStray);
  ++life_;
  held_.clear();
  dones_.clear();
  // The engine tells those that wait of its end, but the network nothing.
  host_->net.crash();
  host_->engine->close(host_->engine->enter());
  host_->engine->step(rig_.world.now());
  for (int i = 0; i < 3; ++i) host_->engine->run_completions();
  core_.reset();
  host_.reset();
}

void GroupActor::close(Duration timeout) {
  if (!core_ || std::exchange(closing_, true)) return;
  rig_.world.trace("member %d is closed", number_);
  while (!held_.empty()) {
    kafka::Records records = std::move(held_.front());
    held_.pop_front();
    finish(std::move(records));
  }
  const Now now = host_->engine->enter();
  core_->close(deadline_after(now.mono, timeout),
               ledger_.track("close",
                             [this, life = life_](const Failure&) {
                               // Not from inside the engine that goes.
                               rig_.world.after(microseconds(1), [this, life] {
                                 if (life == life_) shut_down();
                               });
                             }),
               now);
}

bool GroupActor::shut_down() {
  if (!core_) return true;
  book_.strays(rig_.world.time() + kStray);
  ++life_;
  last_held_ = core_->held_bytes();
  dones_.clear();
  host_->engine->close(host_->engine->enter());
  core_.reset();
  // The links that are left end with the host; the engine has told everybody by then.
  host_->engine->step(rig_.world.now());
  for (int i = 0; i < 3; ++i) host_->engine->run_completions();
  host_.reset();
  return true;
}

}  // namespace tern::sim
