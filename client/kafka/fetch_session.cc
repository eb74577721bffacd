#include "client/kafka/fetch_session.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tern::kafka {
namespace {

constexpr std::int16_t kLastByName = 12;
constexpr std::int32_t kFinalEpoch = -1;
constexpr std::size_t kArenaLimit = 64 * 1024 * 1024;
// What an answer holds beside records: its own fields, and some for each partition.
constexpr std::size_t kAnswerOverhead = 64 * 1024;
constexpr std::size_t kPartitionOverhead = 128;

std::int32_t to_int32(std::size_t n) {
  return static_cast<std::int32_t>(
      std::min<std::size_t>(n, std::numeric_limits<std::int32_t>::max()));
}

// Calls f(first, last) for each run of neighbours of the same topic.
template <class Items, class F>
void for_each_topic(const Items& items, F&& f) {
  for (std::size_t first = 0; first < items.size();) {
    std::size_t last = first + 1;
    while (last < items.size() && items[last].topic == items[first].topic &&
           items[last].topic_id == items[first].topic_id) {
      ++last;
    }
    f(first, last);
    first = last;
  }
}

template <class Items>
std::size_t count_topics(const Items& items) {
  std::size_t count = 0;
  for_each_topic(items, [&count](std::size_t, std::size_t) { ++count; });
  return count;
}

}  // namespace

FetchSession::FetchSession(Owner& owner, std::int32_t node_id,
                           std::shared_ptr<const ConsumerConfig> config, Duration request_timeout,
                           Backoff retry, std::shared_ptr<FramePool> pool)
    : backoff(retry),
      owner_(&owner),
      node_id_(node_id),
      config_(std::move(config)),
      response_timeout_(config_->fetch_max_wait + request_timeout),
      pool_(std::move(pool)),
      arena_(kArenaLimit) {}

FetchSession::~FetchSession() {
  for (ConsumerPartition* partition : members_) partition->session = nullptr;
}

void FetchSession::release(std::unique_ptr<FetchSession> session) {
  for (ConsumerPartition* partition : session->members_) partition->session = nullptr;
  session->members_.clear();
  session->owner_ = nullptr;
  if (session->busy_) static_cast<void>(session.release());  // deletes itself at its end
}

// ---------------------------------------------------------------------------- making a request

void FetchSession::begin(std::uint64_t mark) {
  mark_ = mark;
  wanted_.clear();
  wanted_bytes_ = 0;
}

void FetchSession::want(ConsumerPartition& partition, const ConsumerPartition::Sent& what) {
  partition.mark = mark_;
  wanted_.push_back({&partition, what});
  wanted_bytes_ += static_cast<std::size_t>(what.max_bytes);
}

void FetchSession::finish(std::size_t max_bytes) {
  const bool by_name = std::any_of(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) {
    return wanted.what.topic_id.is_zero();
  });
  // A session goes by names or by ids, not by both.
  if (by_name != by_name_) start_over();
  by_name_ = by_name;
  planned_.clear();
  forgotten_.clear();
  epoch_ == 0 ? plan_full() : plan_changes();
  members_.clear();
  for (const Wanted& wanted : wanted_) members_.push_back(wanted.partition);
  max_bytes_ = max_bytes;
  busy_ = true;
}

void FetchSession::plan_full() {
  left_.clear();
  for (ConsumerPartition* member : members_) member->session = nullptr;
  for (const Wanted& wanted : wanted_) add(*wanted.partition, wanted.what);
}

void FetchSession::plan_changes() {
  for (ConsumerPartition* member : members_) {
    if (member->mark == mark_) continue;
    forget(member->topic, member->sent.topic_id, member->index);
    member->session = nullptr;
  }
  for (const Wanted& wanted : wanted_) {
    ConsumerPartition& partition = *wanted.partition;
    if (partition.session == this) {
      if (partition.sent == wanted.what) continue;
      // A topic of the same name that is another one now.
      if (partition.sent.topic_id != wanted.what.topic_id) {
        forget(partition.topic, partition.sent.topic_id, partition.index);
      }
    }
    // A broker first takes what is asked for and then forgets: the same partition must not be in
    // both.
    std::erase_if(left_, [&](const Forgotten& left) {
      return left.topic == &partition.topic && left.partition == partition.index &&
             left.topic_id == wanted.what.topic_id;
    });
    add(partition, wanted.what);
  }
  for (const Forgotten& left : left_) forgotten_.push_back(left);
  left_.clear();
}

void FetchSession::add(ConsumerPartition& partition, const ConsumerPartition::Sent& what) {
  if (partition.session && partition.session != this) partition.session->remove(partition);
  partition.session = this;
  partition.sent = what;
  FetchRequest::FetchPartition wire;
  wire.partition = partition.index;
  wire.current_leader_epoch = what.leader_epoch;
  wire.fetch_offset = what.offset;
  wire.partition_max_bytes = what.max_bytes;
  planned_.push_back({&partition.topic, what.topic_id, wire});
}

void FetchSession::forget(const Topic& topic, const wire::Uuid& id, std::int32_t partition) {
  forgotten_.push_back({&topic, id, partition});
}

void FetchSession::remove(ConsumerPartition& partition) {
  if (partition.session != this) return;
  partition.session = nullptr;
  std::erase(members_, &partition);
  left_.push_back({&partition.topic, partition.sent.topic_id, partition.index});
}

bool FetchSession::finish_last() {
  if (session_id_ == 0 || busy_) return false;
  planned_.clear();
  forgotten_.clear();
  epoch_ = kFinalEpoch;
  max_bytes_ = 0;
  busy_ = closing_ = true;
  return true;
}

// --------------------------------------------------------------------------------------- as a Call

std::int16_t FetchSession::max_version() const {
  return by_name_ ? kLastByName : api().negotiable().max;
}

FetchRequest FetchSession::make_request() {
  FetchRequest request;
  request.max_wait_ms = closing_ ? 0 : to_ms(config_->fetch_max_wait);
  request.min_bytes = to_int32(config_->fetch_min_bytes);
  request.max_bytes = to_int32(max_bytes_);
  request.isolation_level = static_cast<std::int8_t>(config_->isolation);
  request.session_id = session_id_;
  request.session_epoch = epoch_;
  request.rack_id = wire::Text(config_->rack);

  const std::size_t topics = count_topics(planned_);
  auto* topic = arena_.make_array<FetchRequest::FetchTopic>(topics);
  auto* partition = arena_.make_array<FetchRequest::FetchPartition>(planned_.size());
  const std::size_t forgotten_topics = count_topics(forgotten_);
  auto* gone = arena_.make_array<FetchRequest::ForgottenTopic>(forgotten_topics);
  auto* number = arena_.make_array<std::int32_t>(forgotten_.size());
  if (!topic || !partition || !gone || !number) return request;
  request.topics = {topic, topics};
  request.forgotten_topics_data = {gone, forgotten_topics};
  for_each_topic(planned_, [&](std::size_t first, std::size_t last) {
    topic->topic = wire::Text(planned_[first].topic->name);
    topic->topic_id = planned_[first].topic_id;
    topic->partitions = {partition, last - first};
    ++topic;
    for (; first < last; ++first) *partition++ = planned_[first].partition;
  });
  for_each_topic(forgotten_, [&](std::size_t first, std::size_t last) {
    gone->topic = wire::Text(forgotten_[first].topic->name);
    gone->topic_id = forgotten_[first].topic_id;
    gone->partitions = {number, last - first};
    ++gone;
    for (; first < last; ++first) *number++ = forgotten_[first].partition;
  });
  return request;
}

Failure FetchSession::encode(std::int16_t version, std::int32_t correlation_id,
                             const std::string& client_id, Outgoing& out) {
  arena_.reset();
  return encode_request(make_request(), version, correlation_id, client_id, out);
}

std::size_t FetchSession::expected_response_bytes() const {
  return max_bytes_ + kAnswerOverhead + kPartitionOverhead * members_.size();
}

void FetchSession::on_response(const Response& response, Now now) {
  busy_ = false;
  if (owner_) return owner_->on_fetched(*this, response, now);
  delete this;
}

void FetchSession::on_failure(const Failure& why, bool, Now now) {
  busy_ = false;
  if (std::exchange(closing_, false)) session_id_ = 0;
  start_over();
  if (owner_) return owner_->on_fetch_failed(*this, why, now);
  delete this;
}

void FetchSession::on_abandoned() {
  busy_ = false;
  if (!owner_) delete this;
}

BrokerErrc FetchSession::take(const FetchResponse& response) {
  const auto error = static_cast<BrokerErrc>(response.error_code);
  if (std::exchange(closing_, false)) {
    session_id_ = epoch_ = 0;
    return error;
  }
  if (error != BrokerErrc::none) {
    // With another error the broker may still have the session; a full request in its name ends it.
    if (error == BrokerErrc::fetch_session_id_not_found) session_id_ = 0;
    start_over();
    return error;
  }
  if (epoch_ == 0) {
    session_id_ = response.session_id;
    epoch_ = session_id_ == 0 ? 0 : 1;
  } else if (response.session_id != session_id_) {
    session_id_ = epoch_ = 0;  // ended by the broker, which is busy or throttles
  } else {
    epoch_ = epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : epoch_ + 1;
  }
  return error;
}

}  // namespace tern::kafka
