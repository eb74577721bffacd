// The sending half of ProducerCore: from closed batches to requests, and from answers to outcomes.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "client/kafka/producer_core.h"
#include "protocol/wire/crc32c.h"

namespace tern::kafka {
namespace {

// From here on Produce names topics by id.
constexpr std::int16_t kFirstTopicIdVersion = 13;
constexpr std::size_t kKeptScratchBytes = 4 * 1024 * 1024;

// The broker may have appended the batch although it says this.
bool may_be_written(BrokerErrc error) {
  return error == BrokerErrc::request_timed_out || error == BrokerErrc::network_exception ||
         error == BrokerErrc::not_enough_replicas_after_append ||
         error == BrokerErrc::unknown_server_error || error == BrokerErrc::kafka_storage_error;
}

bool means_stale_metadata(BrokerErrc error) {
  return error == BrokerErrc::not_leader_or_follower || error == BrokerErrc::fenced_leader_epoch ||
         error == BrokerErrc::unknown_leader_epoch || error == BrokerErrc::leader_not_available ||
         error == BrokerErrc::unknown_topic_or_partition || error == BrokerErrc::unknown_topic_id ||
         error == BrokerErrc::inconsistent_topic_id || error == BrokerErrc::kafka_storage_error;
}

Duration backoff_for(int failures, const ClientConfig& config, Random& random) {
  const int doublings = std::min(failures - 1, 20);
  const Duration base =
      std::min(config.retry_backoff_max, config.retry_backoff * (std::int64_t{1} << doublings));
  return Duration(static_cast<std::int64_t>(static_cast<double>(base.count()) *
                                            (0.8 + 0.4 * random.fraction())));
}

// The header is written but for the sum.
std::uint32_t crc_of(const Batch& batch) {
  const std::byte* data = batch.buffer.data;
  if (batch.summed == kBatchHeaderSize) {
    return wire::crc32c(0, data + kBatchCrcStart, batch.used - kBatchCrcStart);
  }
  const std::uint32_t header =
      wire::crc32c(0, data + kBatchCrcStart, kBatchHeaderSize - kBatchCrcStart);
  const std::uint32_t records =
      wire::crc32c(batch.records_crc, data + batch.summed, batch.used - batch.summed);
  return wire::crc32c_combine(header, records, batch.used - kBatchHeaderSize);
}

// One piece of memory for a compressor; a batch that does not get smaller is not worth compressing.
class ScratchSink final : public ChunkSink {
 public:
  explicit ScratchSink(std::span<std::byte> space) : space_(space) {}
  std::span<std::byte> next(std::size_t) override { return std::exchange(space_, {}); }

 private:
  std::span<std::byte> space_;
};

}  // namespace

// ------------------------------------------------------------------------------------ the call

std::int16_t ProduceCall::max_version() const {
  const bool all_ids = std::all_of(batches.begin(), batches.end(), [](const Batch* batch) {
    return !batch || !batch->queue->topic->cluster_topic->id.is_zero();
  });
  return all_ids ? api().negotiable().max : std::int16_t{kFirstTopicIdVersion - 1};
}

Failure ProduceCall::encode(std::int16_t version, std::int32_t correlation_id,
                            const std::string& client_id, Outgoing& out) {
  encoded = true;
  std::erase(batches, nullptr);  // withdrawn
  if (batches.empty()) return Failure(std::make_error_code(std::errc::operation_canceled));
  // By name: addresses would differ from run to run.
  const auto by_topic = [](const Batch* a, const Batch* b) {
    return a->queue->topic != b->queue->topic && a->queue->topic->name < b->queue->topic->name;
  };
  if (!std::is_sorted(batches.begin(), batches.end(), by_topic)) {
    std::stable_sort(batches.begin(), batches.end(), by_topic);
  }
  topics_.clear();
  partitions_.clear();
  partitions_.reserve(batches.size());  // the topics point into it
  std::size_t small_bytes = 0;
  for (const Batch* batch : batches) {
    const ProducerTopic* topic = batch->queue->topic;
    if (topics_.empty() || topics_.back().name.view() != topic->name) {
      topics_.push_back({wire::Text(topic->name), topic->cluster_topic->id, {}});
      topics_.back().partition_data = {partitions_.data() + partitions_.size(), 0};
    }
    partitions_.push_back({batch->queue->partition, wire::Records(batch->bytes().span())});
    if (batch->used < wire::kMinSpliceBytes) small_bytes += batch->used;
    auto& data = topics_.back().partition_data;
    data = {data.data(), data.size() + 1};
  }
  ProduceRequest request;
  request.acks = static_cast<std::int16_t>(owner_->config_.acks);
  request.timeout_ms = to_ms(owner_->engine_.config().request_timeout);
  request.topic_data = topics_;
  // Copies of small batches spare the kernel pieces, as long as the buffer has room for them.
  std::size_t min_splice = wire::kMinSpliceBytes;
  if (small_bytes != 0) {
    if (owner_->accumulator_.pool().charge_spare(small_bytes)) {
      copied = small_bytes;
    } else {
      min_splice = 0;
    }
  }
  return encode_request(request, version, correlation_id, client_id, out, min_splice);
}

void ProduceCall::on_sent(Now now) {
  if (has_response()) return;
  for (Batch*& batch : batches) {
    Batch* sent = std::exchange(batch, nullptr);
    owner_->landed(*sent);
    owner_->succeed(*sent, -1, -1, now);
  }
  owner_->end_call(*this);
}

void ProduceCall::on_response(const Response& response, Now now) {
  wire::Arena arena(wire::Arena::limit_for(response.body.size()));
  ProduceResponse reply;
  if (const Failure failure = decode_response(response, arena, reply)) {
    response.connection.close(failure, now);
    return on_failure(failure, true, now);
  }
  response.connection.throttle(std::chrono::milliseconds(reply.throttle_time_ms), now);
  owner_->on_produced(*this, reply, response.version, now);
}

void ProduceCall::on_failure(const Failure& why, bool maybe_sent, Now now) {
  owner_->on_call_failed(*this, why, maybe_sent, now);
}

ProduceCall& ProducerCore::take_call() {
  if (spare_calls_.empty()) {
    calls_.push_back(std::make_unique<ProduceCall>(*this));
    spare_calls_.push_back(calls_.back().get());
  }
  ProduceCall& call = *spare_calls_.back();
  spare_calls_.pop_back();
  call.encoded = false;
  return call;
}

// Takes a batch back out of a request that still waits for its connection; false if it has left.
bool ProducerCore::withdraw(Batch& batch) {
  for (const auto& call : calls_) {
    if (call->encoded) continue;
    const auto found = std::find(call->batches.begin(), call->batches.end(), &batch);
    if (found == call->batches.end()) continue;
    *found = nullptr;
    landed(batch);
    return true;
  }
  return false;
}

void ProducerCore::end_call(ProduceCall& call) {
  --call.lane->in_flight;
  --calls_in_flight_;
  call.batches.clear();
  accumulator_.pool().refund(std::exchange(call.copied, 0));
  spare_calls_.push_back(&call);
  engine_.wake();
}

// --------------------------------------------------------------------------------------- lanes

Lane& ProducerCore::lane(std::int32_t node_id) {
  auto& slot = lanes_[node_id];
  if (!slot) {
    slot = std::make_unique<Lane>();
    slot->node_id = node_id;
  }
  return *slot;
}

// Follows the leader of a partition.
void ProducerCore::assign_lane(PartitionQueue& queue, Now now) {
  const Topic& known = *queue.topic->cluster_topic;
  const std::int32_t leader = known.partitions[static_cast<std::size_t>(queue.partition)].leader;
  Lane* lane_now = leader >= 0 ? &lane(leader) : nullptr;
  if (lane_now == queue.lane) return;
  if (queue.listed) {
    std::erase(queue.lane->ready, &queue);
    queue.listed = false;
  }
  queue.lane = lane_now;
  accumulator_.move_overdue(queue, lane_now ? lane_now->overdue : leaderless_.overdue);
  // What failed at the old leader need not wait before it is tried at the new one.
  if (lane_now) queue.retry_at = now.mono;
  list(queue, now);
}

bool ProducerCore::may_send(const PartitionQueue& queue, Now now) const {
  if (queue.waiting.empty() || !queue.lane || queue.retry_at > now.mono) return false;
  const Batch& front = *queue.waiting.front();
  const bool again = front.attempts > 0;
  if ((again || queue.retrying || queue.failures > 0) && queue.in_flight > 0) return false;
  // A new leader waits until the old one has answered: it would store what comes later first, and a
  // batch that is tried again after five others is not known as a repeat any more.
  const bool elsewhere = queue.in_flight > 0 && queue.in_flight_lane != queue.lane;
  if (elsewhere && (config_.idempotence || config_.max_in_flight == 1)) return false;
  if (!config_.idempotence) return true;
  if (producer_id_ == kNoProducerId) return false;
  // A broker that knows nothing of a producer id takes whatever sequence comes first: were the
  // first batch refused and the second one on the way, they would change places.
  if (!queue.id_known && queue.in_flight > 0) return false;
  return !renew_producer_id_ || front.maybe_written;
}

void ProducerCore::list(PartitionQueue& queue, Now now) {
  if (queue.listed || queue.waiting.empty()) return;
  if (queue.retry_at > now.mono) {
    if (std::find(delayed_.begin(), delayed_.end(), &queue) == delayed_.end())
      delayed_.push_back(&queue);
    return;
  }
  if (!may_send(queue, now)) return;
  queue.listed = true;
  queue.lane->ready.push_back(&queue);
}

void ProducerCore::enqueue(const std::vector<Batch*>& batches, Now now) {
  constexpr std::size_t kAhead = 4;
  constexpr std::size_t kFirstLines = 4;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    Batch* batch = batches[i];
    if (i + kAhead < batches.size()) prefetch_for_writing(batches[i + kAhead]->queue);
    // What send_one() is going to touch.
    prefetch_for_writing(&batch->producer_id);
    prefetch(batch->buffer.data, kFirstLines);
    batch->queue->waiting.push_back(batch);
    if (!batch->queue->lane) engine_.cluster().refresh(now);
    list(*batch->queue, now);
  }
}

// Where a batch that is old enough stays open, because closing it now would not make it leave
// earlier.
BatchList* ProducerCore::overdue_home(PartitionQueue& queue) {
  if (!queue.lane) return &leaderless_.overdue;
  const bool no_id = config_.idempotence && (producer_id_ == kNoProducerId || renew_producer_id_);
  const bool behind = !queue.waiting.empty();
  return queue.lane->in_flight >= config_.max_in_flight || no_id || behind ? &queue.lane->overdue
                                                                           : nullptr;
}

void ProducerCore::send_lane(Lane& lane, Now now) {
  while (lane.in_flight < config_.max_in_flight) {
    if (lane.ready.empty()) {
      collected_.clear();
      accumulator_.collect_overdue(lane.overdue, collected_);
      enqueue(collected_, now);
    }
    if (lane.ready.empty() || !send_one(lane, now)) return;
  }
}

// One request with at most one batch of each partition, as brokers want it.
bool ProducerCore::send_one(Lane& lane, Now now) {
  Connection* connection = engine_.cluster().connection(lane.node_id, Role::produce);
  if (!connection) {
    engine_.cluster().refresh(now);
    return false;
  }
  ProduceCall& call = take_call();
  call.lane = &lane;
  std::size_t bytes = 0;
  for (std::size_t left = lane.ready.size(); left > 0; --left) {
    PartitionQueue& queue = *lane.ready.front();
    if (!may_send(queue, now)) {
      lane.ready.pop_front();
      queue.listed = false;
      continue;
    }
    Batch& batch = *queue.waiting.front();
    prepare(batch);
    if (bytes != 0 && bytes + batch.used > config_.max_request_bytes) break;
    lane.ready.pop_front();
    queue.listed = false;
    queue.waiting.remove(&batch);
    stamp(batch);
    batch.in_flight = true;
    ++batch.attempts;
    ++queue.in_flight;
    queue.in_flight_lane = &lane;
    queue.retrying = batch.attempts > 1;
    bytes += batch.used;
    call.batches.push_back(&batch);
    list(queue, now);
  }
  ++lane.in_flight;
  ++calls_in_flight_;
  if (call.batches.empty()) {
    end_call(call);
    return false;
  }
  connection->send(call);
  return true;
}

// ---------------------------------------------------------------------------------- final form

void ProducerCore::prepare(Batch& batch) {
  if (std::exchange(batch.prepared, true)) return;
  batch.uncompressed = batch.used;
  if (compressor_) compress(batch);
}

void ProducerCore::compress(Batch& batch) {
  const std::size_t plain = batch.used - kBatchHeaderSize;
  if (scratch_.size() < plain) scratch_.resize(plain);
  ScratchSink sink(std::span<std::byte>(scratch_).first(plain));
  const wire::Bytes records(
      std::span<const std::byte>(batch.buffer.data + kBatchHeaderSize, plain));
  const auto size = compressor_->compress(std::span<const wire::Bytes>(&records, 1), sink);
  if (size && *size < plain) {
    // The room of the plain records is free for the compressed ones, so this cannot fail.
    accumulator_.free_bytes(batch);
    batch.buffer = accumulator_.pool().acquire(kBatchHeaderSize + *size, true);
    std::memcpy(batch.buffer.data + kBatchHeaderSize, scratch_.data(), *size);
    batch.used = kBatchHeaderSize + *size;
    batch.compression = config_.compression;
  }
  if (scratch_.size() > kKeptScratchBytes) {
    scratch_.clear();
    scratch_.shrink_to_fit();
  }
}

// Writes the header, with a sequence if the batch has none yet. Never changes what was sent before.
void ProducerCore::stamp(Batch& batch) {
  if (config_.idempotence && batch.base_sequence == kNoSequence) {
    batch.producer_id = producer_id_;
    batch.producer_epoch = producer_epoch_;
    batch.base_sequence = batch.queue->next_sequence;
    batch.queue->next_sequence = next_sequence(batch.base_sequence, batch.count);
  } else if (batch.attempts > 0) {
    return;
  }
  BatchHeader header;
  header.batch_length = static_cast<std::int32_t>(batch.used - kBatchLengthEnd);
  header.attributes = static_cast<std::int16_t>(batch.compression);
  header.last_offset_delta = batch.count - 1;
  header.base_timestamp = batch.base_timestamp;
  header.max_timestamp = batch.max_timestamp;
  header.producer_id = batch.producer_id;
  header.producer_epoch = batch.producer_epoch;
  header.base_sequence = batch.base_sequence;
  header.records_count = batch.count;
  write_batch_header(batch.buffer.data, header);
  patch_crc(batch.buffer.data, crc_of(batch));
}

// ------------------------------------------------------------------------------------- answers

void ProducerCore::on_produced(ProduceCall& call, const ProduceResponse& reply,
                               std::int16_t version, Now now) {
  for (const auto& node : reply.node_endpoints) {
    engine_.cluster().on_broker_hint(
        node.node_id, Endpoint{node.host.str(), static_cast<std::uint16_t>(node.port)}, now);
  }
  constexpr std::size_t kAhead = 8;
  constexpr std::size_t kBatchLines = sizeof(Batch) / kCacheLine;
  std::size_t cursor = 0;  // answers come in the order of the request
  for (const auto& topic : reply.responses) {
    for (const auto& answer : topic.partition_responses) {
      const auto fits = [&](const Batch* batch) {
        if (!batch || batch->queue->partition != answer.index) return false;
        const ProducerTopic& mine = *batch->queue->topic;
        return version >= kFirstTopicIdVersion ? mine.cluster_topic->id == topic.topic_id
                                               : topic.name.view() == mine.name;
      };
      if (cursor >= call.batches.size() || !fits(call.batches[cursor])) {
        const auto found = std::find_if(call.batches.begin(), call.batches.end(), fits);
        if (found == call.batches.end()) continue;
        cursor = static_cast<std::size_t>(found - call.batches.begin());
      }
      Batch* batch = std::exchange(call.batches[cursor++], nullptr);
      if (cursor + kAhead < call.batches.size()) {
        prefetch_for_writing(call.batches[cursor + kAhead], kBatchLines);
        const Batch* next = call.batches[cursor + kAhead / 2];
        if (next) prefetch_for_writing(next->queue);
      }
      landed(*batch);
      on_partition_answer(*batch, answer, now);
    }
  }
  for (Batch*& batch : call.batches) {
    if (!batch) continue;
    Batch* unanswered = std::exchange(batch, nullptr);
    landed(*unanswered);
    retry(*unanswered,
          Failure(make_error_code(ClientErrc::protocol_violation),
                  "the answer leaves the partition out"),
          true, false, now);
  }
  end_call(call);
}

// The bytes of the batch are not on the way any more.
void ProducerCore::landed(Batch& batch) {
  batch.in_flight = false;
  --batch.queue->in_flight;
}

void ProducerCore::on_partition_answer(Batch& batch,
                                       const ProduceResponse::PartitionProduceResponse& answer,
                                       Now now) {
  const auto error = static_cast<BrokerErrc>(answer.error_code);
  if (error == BrokerErrc::none) {
    return succeed(batch, answer.base_offset, answer.log_append_time_ms, now);
  }
  const std::error_code code = make_error_code(error);
  std::string text = answer.error_message.is_null()
                         ? code.message()
                         : code.message() + " (" + answer.error_message.str() + ")";
  const Failure why(code, std::move(text));
  const auto& hint = answer.current_leader;
  bool new_leader = false;
  if (hint.leader_id >= 0) {
    new_leader =
        engine_.cluster().on_leader_hint(*batch.queue->topic->cluster_topic, batch.queue->partition,
                                         hint.leader_id, hint.leader_epoch, now);
  }
  if (!new_leader && means_stale_metadata(error)) engine_.cluster().refresh(now);
  const bool sequence_trouble = error == BrokerErrc::out_of_order_sequence_number ||
                                error == BrokerErrc::unknown_producer_id ||
                                error == BrokerErrc::invalid_producer_epoch ||
                                error == BrokerErrc::invalid_producer_id_mapping;
  if (error == BrokerErrc::duplicate_sequence_number && config_.idempotence) {
    succeed(batch, -1, -1,
            now);  // stored by an earlier try, so long ago that the offset is forgotten
  } else if (sequence_trouble && config_.idempotence) {
    // Expected while an earlier batch of the partition is being tried again; else the broker has
    // lost what it knew of us, and this batch is certainly not in its log.
    if (is_oldest_unresolved(batch)) {
      need_new_producer_id();
      producer_id_refused_ = producer_id_refused_ || error == BrokerErrc::invalid_producer_epoch ||
                             error == BrokerErrc::invalid_producer_id_mapping;
      batch.maybe_written = false;
    }
    retry(batch, why, false, false, now);
  } else if (error == BrokerErrc::message_too_large || error == BrokerErrc::record_list_too_large) {
    if (batch.count > 1 && !batch.reported) return split(batch, why, now);
    fail(
        batch, batch.maybe_written ? ClientErrc::maybe_written : ClientErrc::not_written,
        Failure(make_error_code(ClientErrc::record_too_large), "the broker says: " + why.message()),
        now);
  } else if (is_retriable(error)) {
    retry(batch, why, may_be_written(error), new_leader, now);
  } else {
    const bool maybe = batch.maybe_written || may_be_written(error);
    fail(batch, maybe ? ClientErrc::maybe_written : ClientErrc::not_written, why, now);
  }
}

void ProducerCore::on_call_failed(ProduceCall& call, const Failure& why, bool maybe_sent, Now now) {
  const bool hopeless =
      why.code == ClientErrc::unsupported_version ||
      std::string_view(why.code.category().name()) == wire::error_category().name();
  for (Batch*& each : call.batches) {
    if (!each) continue;
    Batch* batch = std::exchange(each, nullptr);
    landed(*batch);
    if (hopeless || (config_.acks == Acks::none && maybe_sent)) {
      fail(*batch,
           maybe_sent || batch->maybe_written ? ClientErrc::maybe_written : ClientErrc::not_written,
           why, now);
    } else {
      retry(*batch, why, maybe_sent, false, now);
    }
  }
  if (!hopeless && !closed_) engine_.cluster().refresh(now);
  end_call(call);
}

// ------------------------------------------------------------------------------------ outcomes

void ProducerCore::succeed(Batch& batch, std::int64_t base_offset, std::int64_t log_append_time_ms,
                           Now now) {
  PartitionQueue& queue = *batch.queue;
  queue.failures = 0;
  queue.retry_at = now.mono;
  queue.id_known = queue.id_known ||
                   (batch.producer_id == producer_id_ && batch.producer_epoch == producer_epoch_);
  if (!batch.reported) report(batch, base_offset, log_append_time_ms, {}, {});
  accumulator_.free_batch(&batch);
  list(queue, now);
}

void ProducerCore::fail(Batch& batch, ClientErrc certainty, const Failure& cause, Now now) {
  PartitionQueue& queue = *batch.queue;
  if (batch.list) batch.list->remove(&batch);
  // Later batches have later sequences: this one's will be missing.
  if (batch.base_sequence != kNoSequence) need_new_producer_id();
  if (!batch.reported) report(batch, -1, -1, make_error_code(certainty), cause);
  accumulator_.free_batch(&batch);
  list(queue, now);
}

void ProducerCore::retry(Batch& batch, const Failure& why, bool maybe_written, bool at_once,
                         Now now) {
  batch.maybe_written = batch.maybe_written || maybe_written;
  if (batch.reported || closed_) {
    return fail(batch, batch.maybe_written ? ClientErrc::maybe_written : ClientErrc::not_written,
                why, now);
  }
  if (Observer* observer = engine_.observer()) observer->on_batch_retried(describe(batch), why);
  PartitionQueue& queue = *batch.queue;
  queue.count_failure();
  queue.last_failure = why;
  queue.retry_at = at_once ? now.mono
                           : deadline_after(now.mono, backoff_for(queue.failures, engine_.config(),
                                                                  engine_.random()));
  put_back(batch);
  if (queue.listed) {
    std::erase(queue.lane->ready, &queue);
    queue.listed = false;
  }
  list(queue, now);
}

// Into its place by age.
void ProducerCore::put_back(Batch& batch) {
  Batch* where = batch.queue->waiting.front();
  while (where && where->order < batch.order) where = where->next;
  batch.queue->waiting.insert_before(where, &batch);
}

bool ProducerCore::is_oldest_unresolved(const Batch& batch) const {
  const Batch* front = batch.queue->waiting.front();
  if (front && front->base_sequence != kNoSequence && front->order < batch.order) return false;
  for (const auto& call : calls_) {
    for (const Batch* other : call->batches) {
      if (other && other->queue == batch.queue && other->order < batch.order) return false;
    }
  }
  return true;
}

// Two halves take the place of a batch the broker finds too large. They have the same sequences as
// before, so no gap comes of it.
void ProducerCore::split(Batch& batch, const Failure& why, Now now) {
  Decompressors decompressors(engine_.config().codecs);
  VectorFrameSink sink;
  BatchIterator::Options options;
  options.check_crc = false;
  BatchIterator iterator(batch.bytes().span(), options);
  BatchView view;
  RecordBlock block;
  RecordsError error;
  if (!iterator.next(view) ||
      !open_batch(view, decompressors, sink, batch.uncompressed, block, error)) {
    return fail(batch, ClientErrc::not_written, why, now);
  }
  const std::int32_t half = batch.count / 2;
  Batch& upper = *accumulator_.new_batch_after(batch);
  // Not on the stack: under ASan g++ 12 does not align it there.
  const auto lower_form = std::make_unique<Batch>();
  Batch* parts[] = {lower_form.get(), &upper};
  for (Batch* part : parts) {
    part->buffer = accumulator_.pool().acquire(batch.uncompressed, true);
    part->base_timestamp = part->max_timestamp = batch.base_timestamp;
  }
  std::vector<Header> headers;
  std::int32_t index = 0;
  for (const RecordView& record : block) {
    Batch& part = *parts[index++ < half ? 0 : 1];
    headers.clear();
    for (const Header& header : record.headers) headers.push_back(header);
    const Record copy{.key = record.key, .value = record.value, .headers = headers};
    const std::int64_t delta = record.timestamp_ms - part.base_timestamp;
    const std::size_t body = record_body_size(copy, delta, part.count);
    const std::byte* end =
        write_record(part.buffer.data + part.used, body, copy, delta, part.count);
    part.used = static_cast<std::size_t>(end - part.buffer.data);
    part.max_timestamp = std::max(part.max_timestamp, record.timestamp_ms);
    ++part.count;
  }
  batch.handlers.split(half, upper.handlers, accumulator_.pool());
  accumulator_.free_bytes(batch);
  batch.buffer = lower_form->buffer;
  batch.used = lower_form->used;
  batch.summed = kBatchHeaderSize;
  batch.records_crc = 0;
  batch.count = lower_form->count;
  batch.max_timestamp = lower_form->max_timestamp;
  batch.compression = Compression::none;
  batch.prepared = false;
  batch.attempts = upper.attempts = 0;
  if (batch.base_sequence != kNoSequence) {
    upper.producer_id = batch.producer_id;
    upper.producer_epoch = batch.producer_epoch;
    upper.base_sequence = next_sequence(batch.base_sequence, half);
  }
  put_back(batch);
  put_back(upper);
  batch.queue->count_failure();  // one at a time until this is through
  list(*batch.queue, now);
}

// --------------------------------------------------------------------------------- producer id

void ProducerCore::need_new_producer_id() {
  if (!config_.idempotence) return;
  renew_producer_id_ = true;
  engine_.wake();
}

// Whether some batch may or may not be in a log: it must be tried again under its old id.
bool ProducerCore::has_unresolved() {
  if (calls_in_flight_ > 0) return true;
  bool unresolved = false;
  accumulator_.for_each_topic([&](ProducerTopic& topic) {
    for (const auto& open : topic.partitions) {
      // The oldest decides: if that is not in the log, what came behind it was refused as well.
      const Batch* oldest = open.queue->waiting.front();
      unresolved |= oldest && oldest->maybe_written;
    }
  });
  return unresolved;
}

void ProducerCore::fetch_producer_id(Now now) {
  if (!config_.idempotence || fetching_producer_id_ || producer_id_retry_at_ > now.mono) return;
  if (producer_id_ != kNoProducerId && !(renew_producer_id_ && !has_unresolved())) return;
  if (accumulator_.empty()) return;
  if (producer_id_ != kNoProducerId && !producer_id_refused_ &&
      producer_epoch_ < std::numeric_limits<std::int16_t>::max()) {
    // The next epoch of the same id (KIP-360) needs no broker, and shuts out what was given up but
    // may still be on its way: it would be stored behind what comes now.
    return use_producer_id(producer_id_, static_cast<std::int16_t>(producer_epoch_ + 1), now);
  }
  fetching_producer_id_ = true;
  auto make = [](std::int16_t, wire::Arena&) {
    InitProducerIdRequest request;
    request.transactional_id = wire::Text::null();
    request.transaction_timeout_ms = 0x7fffffff;
    return request;
  };
  auto done = [self = std::weak_ptr<bool>(alive_), this](
                  const Failure& why, const InitProducerIdResponse* reply, std::int16_t, Now at) {
    if (!self.expired()) on_producer_id(why, reply, at);
  };
  engine_.cluster().any_connection().send(
      *new SimpleCall<InitProducerIdRequest>(std::move(make), std::move(done)));
}

void ProducerCore::on_producer_id(const Failure& why, const InitProducerIdResponse* reply,
                                  Now now) {
  fetching_producer_id_ = false;
  if (closed_) return;
  Failure failure = why;
  bool fatal = why.code == ClientErrc::unsupported_version;
  if (!failure && reply->error_code != 0) {
    const auto error = static_cast<BrokerErrc>(reply->error_code);
    failure =
        Failure(make_error_code(error), "InitProducerId: " + make_error_code(error).message());
    fatal = !is_retriable(error);
  }
  if (failure) {
    engine_.tell_trouble("producer id", failure);
    producer_id_retry_at_ = deadline_after(now.mono, producer_id_backoff_.next(engine_.random()));
    if (fatal) {
      for (Batch* batch : accumulator_.expired(kNever)) {
        if (!batch->in_flight) give_up(*batch, failure, now);
      }
    }
    engine_.wake();
    return;
  }
  producer_id_backoff_.reset();
  use_producer_id(reply->producer_id, reply->producer_epoch, now);
}

void ProducerCore::use_producer_id(std::int64_t id, std::int16_t epoch, Now now) {
  producer_id_ = id;
  producer_epoch_ = epoch;
  renew_producer_id_ = producer_id_refused_ = false;
  // A new life: all that is not in some log gets new numbers.
  accumulator_.for_each_topic([&](ProducerTopic& topic) {
    for (const auto& open : topic.partitions) {
      open.queue->next_sequence = 0;
      open.queue->id_known = false;
      for (Batch* batch = open.queue->waiting.front(); batch; batch = batch->next) {
        batch->base_sequence = kNoSequence;
        batch->maybe_written = false;
      }
      list(*open.queue, now);
    }
  });
  engine_.wake();
}

}  // namespace tern::kafka
