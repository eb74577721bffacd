#include "client/kafka/fetcher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "client/kafka/engine.h"
#include "protocol/kafka/errors.h"

namespace tern::kafka {
namespace {

// Shares of the memory: while one answer is with the user, one waits and one is under way, from
// each broker, and there is some room left for decompression.
constexpr std::size_t kShares = 4;
constexpr std::size_t kAnswerOverhead = 64 * 1024;

// What an answer may bring in records, so that all of it stays within max_response_bytes.
std::size_t largest_request(const ClientConfig& client) {
  const std::size_t limit = client.max_response_bytes;
  return limit > 2 * kAnswerOverhead ? limit - kAnswerOverhead : limit / 2;
}

Duration to_duration(std::int32_t ms) { return std::chrono::milliseconds(std::max(ms, 0)); }

}  // namespace

// ---------------------------------------------------------------------------------------
// PartitionSet

ConsumerPartition* PartitionSet::find(const Topic* topic, std::int32_t partition) const {
  const auto found = places_.find(topic);
  const auto i = static_cast<std::size_t>(partition);
  if (found == places_.end() || partition < 0 || i >= found->second.size()) return nullptr;
  const std::size_t place = found->second[i];
  return place == 0 ? nullptr : all_[place - 1].get();
}

ConsumerPartitionPtr PartitionSet::find_shared(const Topic* topic, std::int32_t partition) const {
  ConsumerPartition* found = find(topic, partition);
  if (!found) return nullptr;
  return all_[places_.at(topic)[static_cast<std::size_t>(partition)] - 1];
}

void PartitionSet::assign(std::vector<ConsumerPartitionPtr> partitions) {
  all_ = std::move(partitions);
  places_.clear();
  for (std::size_t place = 0; place < all_.size(); ++place) {
    auto& places = places_[&all_[place]->topic];
    const auto i = static_cast<std::size_t>(all_[place]->index);
    if (places.size() <= i) places.resize(i + 1, 0);
    places[i] = place + 1;
  }
}

// ------------------------------------------------------------------------------------- sending

Fetcher::Fetcher(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
                 std::shared_ptr<FramePool> pool, PartitionSet& partitions, Listener& listener)
    : engine_(engine),
      config_(std::move(config)),
      pool_(std::move(pool)),
      partitions_(partitions),
      listener_(listener),
      arena_(wire::Arena::limit_for(0)) {}

Fetcher::~Fetcher() { abandon(); }

void Fetcher::abandon() {
  closing_ = true;
  for (auto& [node, session] : sessions_) FetchSession::release(std::move(session));
  sessions_.clear();
}

void Fetcher::step(Now now, std::size_t budget) {
  if (closing_ || (!touched_ && now.mono < next_time_)) return;
  touched_ = false;
  starved_ = false;
  collect(now);
  if (ready_.empty()) return;
  const std::size_t share =
      std::max<std::size_t>(1, budget / (kShares * std::max<std::size_t>(nodes_, 1)));
  for (FetchSession* session : ready_) send(*session, share, budget);
}

// Where the partition is to be read; -1: nobody leads it now.
std::int32_t Fetcher::node_of(ConsumerPartition& partition, Now now) {
  const PartitionInfo* info = partition.info();
  if (!info) return -1;
  if (partition.preferred_replica >= 0) {
    if (now.mono < partition.preferred_until && info->leader >= 0 &&
        engine_.cluster().endpoint(partition.preferred_replica)) {
      return partition.preferred_replica;
    }
    partition.preferred_replica = -1;
  }
  return info->leader;
}

bool Fetcher::fetchable(ConsumerPartition& partition, Now now) {
  if (!partition.is_read() || partition.needs_validation || partition.validating) return false;
  if (partition.drain_first) {
    if (partition.has_data()) return false;
    partition.drain_first = false;
  }
  if (partition.not_before > now.mono) {
    next_time_ = std::min(next_time_, partition.not_before);
    return false;
  }
  return partition.undelivered <= config_->partition_max_bytes;
}

FetchSession& Fetcher::session_of(std::int32_t node_id) {
  std::unique_ptr<FetchSession>& session = sessions_[node_id];
  if (!session) {
    const ClientConfig& client = engine_.config();
    session = std::make_unique<FetchSession>(
        *this, node_id, config_, client.request_timeout,
        Backoff(client.retry_backoff, client.retry_backoff_max), pool_);
  }
  return *session;
}

void Fetcher::collect(Now now) {
  next_time_ = kNever;
  ready_.clear();
  nodes_ = 0;
  ++mark_;
  const auto& all = partitions_.all();
  // Each round begins with another partition, since a broker fills its answer in the order asked.
  const std::size_t count = all.size();
  if (first_ >= count) first_ = 0;
  for (std::size_t i = first_; i < count; ++i) collect_one(*all[i], now);
  for (std::size_t i = 0; i < first_; ++i) collect_one(*all[i], now);
  if (!ready_.empty()) ++first_;
}

void Fetcher::collect_one(ConsumerPartition& partition, Now now) {
  const std::int32_t node = node_of(partition, now);
  if (node < 0) {
    if (partition.state == ConsumerPartition::State::ready) engine_.cluster().refresh(now);
    return;
  }
  FetchSession& session = session_of(node);
  const bool first_look = std::exchange(session.round, mark_) != mark_;
  if (first_look) {
    ++nodes_;
    if (!session.busy()) session.begin(mark_);
  }
  if (session.busy()) return;
  if (session.not_before > now.mono) {
    next_time_ = std::min(next_time_, session.not_before);
    return;
  }
  if (!fetchable(partition, now)) return;
  if (session.wanted() == 0) ready_.push_back(&session);
  const std::size_t max_bytes = std::max(config_->partition_max_bytes, partition.max_bytes);
  session.want(partition, {.version = partition.version,
                           .offset = partition.fetch_offset,
                           .leader_epoch = partition.leader_epoch,
                           .max_bytes = static_cast<std::int32_t>(max_bytes),
                           .topic_id = partition.topic.id});
  session.least_bytes =
      std::max(session.wanted() == 1 ? 0 : session.least_bytes, partition.max_bytes);
}

void Fetcher::send(FetchSession& session, std::size_t share, std::size_t budget) {
  std::size_t under_way = 0;
  for (const auto& [node, other] : sessions_) under_way += other->reserved_bytes();
  const std::size_t used = pool_->held_bytes() + under_way;
  const std::size_t bytes =
      std::max(std::min({share, config_->fetch_max_bytes, session.wanted_bytes(),
                         largest_request(engine_.config())}),
               session.least_bytes);
  // With nothing held, one request may always go: it is the only way on.
  if (used != 0 && used + bytes > budget) {
    starved_ = true;
    return;
  }
  Connection* connection = engine_.cluster().connection(session.node_id(), Role::fetch);
  if (!connection) return engine_.cluster().refresh(engine_.now());
  session.finish(bytes);
  connection->send(session);
}

void Fetcher::forget(ConsumerPartition& partition) {
  if (partition.session) partition.session->remove(partition);
  touch();
}

// ------------------------------------------------------------------------------------- closing

void Fetcher::close(Now) {
  closing_ = true;
  for (auto& [node, session] : sessions_) close_session(*session);
}

// A connection that is not there is not made for this: the broker forgets old sessions by itself.
void Fetcher::close_session(FetchSession& session) {
  Connection* connection = engine_.cluster().connection(session.node_id(), Role::fetch);
  if (connection && connection->is_ready() && session.finish_last()) connection->send(session);
}

bool Fetcher::is_idle() const {
  return std::all_of(sessions_.begin(), sessions_.end(),
                     [](const auto& each) { return !each.second->busy(); });
}

// ------------------------------------------------------------------------------------- answers

void Fetcher::on_fetch_failed(FetchSession& session, const Failure& why, Now now) {
  touch();
  if (closing_ || engine_.is_closed()) return;
  for (const ConsumerPartitionPtr& partition : partitions_.all()) {
    if (partition->preferred_replica == session.node_id()) partition->preferred_replica = -1;
  }
  engine_.tell_trouble("fetch", why);
  engine_.cluster().refresh(now);
  // The connection paces itself when it is the network; anything else would come back at once.
  if (why.code == ClientErrc::unsupported_version ||
      why.code.category() == wire::error_category()) {
    report(session, why, now);
  }
}

void Fetcher::report(FetchSession& session, const Failure& why, Now now) {
  session.not_before = deadline_after(now.mono, session.backoff.next(engine_.random()));
  if (!std::exchange(session.reported, true)) listener_.on_broker_trouble(why);
}

void Fetcher::on_fetched(FetchSession& session, const Response& response, Now now) {
  touch();
  arena_.reset();
  arena_.set_limit(wire::Arena::limit_for(response.body.size()));
  FetchResponse reply;
  if (const Failure failure = decode_response(response, arena_, reply)) {
    session.start_over();
    if (!closing_) report(session, failure, now);
    return;
  }
  if (reply.throttle_time_ms > 0)
    response.connection.throttle(to_duration(reply.throttle_time_ms), now);
  const BrokerErrc error = session.take(reply);
  if (closing_) return close_session(session);
  for (const auto& node : reply.node_endpoints) {
    if (node.port <= 0 || node.port > 0xffff) continue;
    engine_.cluster().on_broker_hint(
        node.node_id, Endpoint{node.host.str(), static_cast<std::uint16_t>(node.port)}, now);
  }
  if (error != BrokerErrc::none) return on_session_error(session, error, now);
  session.backoff.reset();
  session.reported = false;
  for (const auto& answer : reply.responses) {
    const Topic* topic = answer.topic_id.is_zero() ? engine_.cluster().find(answer.topic.view())
                                                   : engine_.cluster().find(answer.topic_id);
    if (!topic) {  // created anew, perhaps; and asking the same again at once would not help
      engine_.cluster().refresh(now);
      session.not_before = deadline_after(now.mono, session.backoff.next(engine_.random()));
      continue;
    }
    for (const PartitionData& data : answer.partitions) {
      // Only an answer to the question that is still open counts: not after a seek, and not twice.
      ConsumerPartition* partition = partitions_.find(topic, data.partition_index);
      if (!partition || partition->session != &session ||
          partition->sent.version != partition->version ||
          partition->sent.offset != partition->fetch_offset) {
        continue;
      }
      on_partition(session, *partition, data, response.frame, now);
    }
  }
}

void Fetcher::on_session_error(FetchSession& session, BrokerErrc error, Now now) {
  switch (error) {
    case BrokerErrc::unknown_topic_id:
    case BrokerErrc::inconsistent_topic_id:
    case BrokerErrc::unknown_topic_or_partition:
      engine_.cluster().refresh(now);
      break;
    default:
      break;
  }
  const Failure why(make_error_code(error), "Fetch from broker " +
                                                std::to_string(session.node_id()) + ": " +
                                                make_error_code(error).message());
  engine_.tell_trouble("fetch", why);
  const bool of_session = error == BrokerErrc::fetch_session_id_not_found ||
                          error == BrokerErrc::invalid_fetch_session_epoch ||
                          error == BrokerErrc::fetch_session_topic_id_error;
  // Starting the session anew is all that is needed, the first time.
  if (of_session && session.backoff.failures() == 0) {
    session.backoff.next(engine_.random());
    return;
  }
  if (!of_session && !is_retriable(error)) return report(session, why, now);
  session.not_before = deadline_after(now.mono, session.backoff.next(engine_.random()));
}

void Fetcher::on_partition(FetchSession& session, ConsumerPartition& partition,
                           const PartitionData& data, const FrameRef& frame, Now now) {
  if (data.error_code != 0) return on_partition_error(session, partition, data, now);
  partition.backoff.reset();
  const bool stable =
      config_->isolation == Isolation::read_committed && data.last_stable_offset >= 0;
  const std::int64_t end = stable ? data.last_stable_offset : data.high_watermark;
  if (end >= 0) partition.gauge->end.store(end, std::memory_order_relaxed);
  if (data.diverging_epoch.end_offset >= 0) {
    return listener_.on_truncated(partition, data.diverging_epoch.end_offset, now);
  }
  if (data.preferred_read_replica >= 0 && data.preferred_read_replica != session.node_id()) {
    partition.preferred_replica = data.preferred_read_replica;
    partition.preferred_until = deadline_after(now.mono, engine_.config().metadata_max_age);
    // Not known, or not any more: the leader has the data as well.
    if (!engine_.cluster().endpoint(partition.preferred_replica)) {
      partition.preferred_replica = -1;
      retry(partition, now);
    }
  }
  if (!data.records.empty()) take_records(partition, data, frame);
}

// Keeps the records for a poll, and looks only at the headers, for the offset to go on from.
void Fetcher::take_records(ConsumerPartition& partition, const PartitionData& data,
                           const FrameRef& frame) {
  const std::span<const std::byte> records = data.records.span();
  BatchIterator batches(records, {.check_crc = false});
  BatchView batch;
  std::int64_t next = partition.fetch_offset;
  std::int32_t epoch = partition.fetch_epoch;
  while (batches.next(batch)) {
    next = std::max(next, batch.header.next_offset());
    if (batch.header.magic == kMagicV2) epoch = batch.header.partition_leader_epoch;
  }
  if (batches.first_was_cut()) return ask_for_more(partition, batches.cut_batch_size());
  if (batches.ok() && next == partition.fetch_offset) {
    return listener_.on_unreadable(
        partition, Failure(make_error_code(ClientErrc::protocol_violation),
                           partition.name() + ": the answer to a fetch at offset " +
                               std::to_string(next) + " holds only batches before it"));
  }
  FetchedRun& run = partition.runs.emplace_back(frame, records, config_->check_crcs);
  run.bytes = records.size();
  if (config_->isolation == Isolation::read_committed) {
    run.aborted.assign(data.aborted_transactions.begin(), data.aborted_transactions.end());
    // Not every broker sends them in order.
    std::stable_sort(run.aborted.begin(), run.aborted.end(),
                     [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
  }
  partition.undelivered += records.size();
  partition.fetch_offset = next;
  partition.fetch_epoch = epoch;
  partition.max_bytes = 0;
  // What is wrong with it will be said when it is handed out, after all that is good before it.
  if (!batches.ok()) partition.drain_first = true;
  listener_.on_data(partition);
}

// The first batch is larger than what was asked for, and this broker does not make an exception.
void Fetcher::ask_for_more(ConsumerPartition& partition, std::uint64_t batch_bytes) {
  const std::size_t limit = largest_request(engine_.config());
  const auto asked = static_cast<std::size_t>(partition.sent.max_bytes);
  const std::uint64_t want = std::max<std::uint64_t>(batch_bytes, 2 * std::uint64_t{asked});
  if (batch_bytes > limit || asked >= limit) {
    return listener_.on_unreadable(
        partition,
        Failure(make_error_code(ClientErrc::record_too_large),
                partition.name() + " at offset " + std::to_string(partition.fetch_offset) +
                    ": a batch of " + std::to_string(batch_bytes) +
                    " bytes does not fit in max_response_bytes (" +
                    std::to_string(engine_.config().max_response_bytes) + ")"));
  }
  partition.max_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(want, limit));
}

void Fetcher::retry(ConsumerPartition& partition, Now now) {
  partition.not_before = deadline_after(now.mono, partition.backoff.next(engine_.random()));
  engine_.cluster().refresh(now);
}

void Fetcher::on_partition_error(FetchSession& session, ConsumerPartition& partition,
                                 const PartitionData& data, Now now) {
  const auto error = static_cast<BrokerErrc>(data.error_code);
  const bool from_replica = partition.preferred_replica == session.node_id();
  partition.preferred_replica = -1;
  if (error == BrokerErrc::offset_out_of_range) {
    // A replica may lag; only the leader knows. And what was fetched before is good.
    if (from_replica) return;
    if (partition.has_data()) {
      partition.drain_first = true;
      return;
    }
    return listener_.on_out_of_range(partition, now);
  }
  const Failure why(make_error_code(error), partition.name() + " at offset " +
                                                std::to_string(partition.fetch_offset) + ": " +
                                                make_error_code(error).message());
  // A broker that finds its own log corrupt will find it so again.
  const bool retriable = error == BrokerErrc::unknown_server_error ||
                         (is_retriable(error) && error != BrokerErrc::corrupt_message);
  if (!retriable) return listener_.on_unreadable(partition, why);
  engine_.tell_trouble("fetch", why);
  if (data.current_leader.leader_id >= 0 &&
      engine_.cluster().on_leader_hint(partition.topic, partition.index,
                                       data.current_leader.leader_id,
                                       data.current_leader.leader_epoch, now)) {
    return;  // the new leader is asked at once
  }
  retry(partition, now);
}

}  // namespace tern::kafka
