#include "client/kafka/consumer.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

// How long a consumer that was destroyed may take to end its sessions at the brokers.
constexpr Duration kLetGoTime = std::chrono::seconds(1);

Failure not_assigned(const TopicPartition& partition) {
  return Failure(make_error_code(ClientErrc::invalid_argument),
                 partition.topic + "-" + std::to_string(partition.partition) +
                     " is not assigned to this consumer");
}

}  // namespace

Consumer::Consumer(const Client& client, ConsumerConfig config) : state_(client.state()) {
  if (const Failure failure = check(config))
    throw std::system_error(failure.code, failure.message());
  core_ = std::make_shared<ConsumerCore>(state_->engine(), std::move(config));
  state_->run([core = core_] { core->start(); });
  const ConsumerConfig& used = core_->config();
  const bool subscribes = !used.topics.empty() || !used.topic_pattern.empty();
  if (const Failure failure =
          subscribes ? subscribe(used.topics, used.topic_pattern) : assign(used.assignment)) {
    let_go();
    throw std::system_error(failure.code, failure.message());
  }
}

Consumer::~Consumer() { let_go(); }

Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this != &other) {
    let_go();
    core_ = std::move(other.core_);
    state_ = std::move(other.state_);
  }
  return *this;
}

void Consumer::let_go() {
  if (!core_) return;
  // If that was the last reference to the client, its end will close the consumer as well.
  state_->run([&state = *state_, core = std::move(core_)] {
    const Now now = state.engine().now();
    core->close(deadline_after(now.mono, kLetGoTime), {}, now, /*silently=*/true);
  });
}

Failure Consumer::assign(const std::vector<Assignment>& assignment) {
  std::vector<ConsumerBoard::Gauge> gauges;
  if (const Failure failure = core_->board()->assign(assignment, gauges)) return failure;
  state_->run([&state = *state_, core = core_, assignment, gauges = std::move(gauges)] {
    core->assign(assignment, gauges, state.engine().now());
  });
  return {};
}

Failure Consumer::subscribe(std::vector<std::string> topics, const std::string& pattern) {
  if (!core_->group()) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "subscribe: the consumer has no group");
  }
  TopicPattern parsed;
  if (Failure failure = TopicPattern::parse(pattern, parsed)) return failure;
  if (Failure failure = core_->board()->subscribe()) return failure;
  state_->run([&state = *state_, core = core_, topics = std::move(topics),
               parsed = std::move(parsed)]() mutable {
    core->subscribe(std::move(topics), std::move(parsed), state.engine().now());
  });
  return {};
}

Failure Consumer::store_offsets(const Offsets& offsets) {
  for (const PartitionOffset& offset : offsets) {
    const TopicPartition partition{offset.topic, offset.partition};
    const ConsumerBoard::Gauge gauge = core_->board()->find(partition);
    if (!gauge || (offset.ownership != 0 && offset.ownership != gauge->ownership)) {
      return Failure(make_error_code(ClientErrc::revoked), partition.topic + "-" +
                                                               std::to_string(partition.partition) +
                                                               " is not this member's (any more)");
    }
  }
  if (!core_->group()) return {};
  state_->run([core = core_, offsets] { core->group()->store(offsets); });
  return {};
}

Failure Consumer::seek(const TopicPartition& partition, const Position& to) {
  const bool has_value = to.at == StartAt::offset || to.at == StartAt::timestamp;
  if (has_value && to.value < 0) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "seek: " + std::to_string(to.value) + " is below 0");
  }
  const ConsumerBoard::Gauge gauge = core_->board()->find(partition);
  if (!gauge) return not_assigned(partition);
  gauge->position.store(to.at == StartAt::offset ? to.value : -1, std::memory_order_relaxed);
  state_->run([&state = *state_, core = core_, partition, to] {
    core->seek(partition, to, state.engine().now());
  });
  return {};
}

Failure Consumer::set_paused(const TopicPartition& partition, bool paused) {
  if (!core_->board()->find(partition)) return not_assigned(partition);
  state_->run([core = core_, partition, paused] { core->set_paused(partition, paused); });
  return {};
}

std::int64_t Consumer::position(const TopicPartition& partition) const {
  const ConsumerBoard::Gauge gauge = core_->board()->find(partition);
  return gauge ? gauge->position.load(std::memory_order_relaxed) : -1;
}

std::int64_t Consumer::lag(const TopicPartition& partition) const {
  const ConsumerBoard::Gauge gauge = core_->board()->find(partition);
  if (!gauge) return -1;
  const std::int64_t position = gauge->position.load(std::memory_order_relaxed);
  const std::int64_t end = gauge->end.load(std::memory_order_relaxed);
  return position < 0 || end < 0 ? -1 : std::max<std::int64_t>(end - position, 0);
}

bool Consumer::stands_still(const TopicPartition& partition) const {
  const ConsumerBoard::Gauge gauge = core_->board()->find(partition);
  return gauge && gauge->stands_still.load(std::memory_order_relaxed);
}

std::vector<TimeQuery> Consumer::queries_for(const std::vector<TopicPartition>& partitions,
                                             std::int64_t time_ms) {
  std::vector<TimeQuery> queries;
  queries.reserve(partitions.size());
  for (const TopicPartition& partition : partitions) queries.push_back({partition, time_ms});
  return queries;
}

Now Consumer::now_of(ClientState& state) { return state.engine().now(); }

Time Consumer::operation_deadline(ClientState& state, Now now) {
  return deadline_after(now.mono, state.engine().config().operation_timeout);
}

}  // namespace tern::kafka
