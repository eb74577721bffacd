#include "client/kafka/accumulator.h"

#include <algorithm>
#include <cstring>

#include "protocol/kafka/murmur2.h"
#include "protocol/wire/crc32c.h"

namespace tern::kafka {
namespace {

// What a request has beside its batches, generously: so much less may one batch be.
constexpr std::size_t kRequestOverhead = 1024;
constexpr std::size_t kFirstCapacity = 512;
// What a batch takes beside its bytes: itself and the first block of handlers.
constexpr std::size_t kBatchOverhead = 4096;

std::size_t pending_size(const Record& record) {
  std::size_t size = sizeof(PendingRecord) + record.key.size() + record.value.size();
  for (const Header& header : record.headers) {
    size += 2 * sizeof(std::string) + header.key.size() + header.value.size();
  }
  return size;
}

}  // namespace

Accumulator::Accumulator(const ProducerConfig& config, Network& network, std::uint64_t seed)
    : config_(config),
      network_(network),
      pool_(config.buffer_bytes, config.batch_bytes),
      random_(seed) {}

Accumulator::~Accumulator() {
  while (oldest_) {
    free_batch(oldest_);
  }
  for (Batch* batch : free_batches_) delete batch;
}

ProducerTopic& Accumulator::topic(std::string_view name) {
  ProducerTopic* topic = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = topics_.find(name);
    if (found != topics_.end()) return *found->second;
    auto made = std::make_unique<ProducerTopic>();
    made->name = name;
    topic = made.get();
    topics_.emplace(topic->name, std::move(made));
    new_topics_.push_back(topic);
  }
  network_.wake();
  return *topic;
}

void Accumulator::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
}

// -------------------------------------------------------------------------------- partitioning

std::int32_t Accumulator::choose(ProducerTopic& topic, const Record& record) {
  const auto count = static_cast<std::int32_t>(topic.partitions.size());
  std::int32_t partition = record.partition;
  if (partition == kPartitionByKey) {
    if (config_.partitioner) {
      partition = config_.partitioner(record.key, count);
    } else if (config_.partitioning == Partitioning::random) {
      partition = static_cast<std::int32_t>(random_.below(static_cast<std::uint32_t>(count)));
    } else if (config_.partitioning == Partitioning::round_robin) {
      partition =
          static_cast<std::int32_t>(topic.round_robin++ % static_cast<std::uint32_t>(count));
    } else if (!record.key.is_null()) {
      partition = partition_for_key(record.key, count);
    } else {
      partition = topic.sticky >= 0 ? topic.sticky : choose_sticky(topic);
    }
  }
  return partition >= 0 && partition < count ? partition : -1;
}

bool Accumulator::is_settled(const Record& record) const {
  return record.partition != kPartitionByKey ||
         (!config_.partitioner && config_.partitioning == Partitioning::java &&
          !record.key.is_null());
}

// A random partition, one with a leader if there is any: records without a key need not wait for
// one.
std::int32_t Accumulator::choose_sticky(ProducerTopic& topic) {
  std::uint32_t seen = 0;
  const auto count = static_cast<std::uint32_t>(topic.partitions.size());
  topic.sticky = static_cast<std::int32_t>(random_.below(count));
  if (topic.open(topic.sticky).has_leader) return topic.sticky;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!topic.partitions[i].has_leader) continue;
    if (random_.below(++seen) == 0) topic.sticky = static_cast<std::int32_t>(i);
  }
  return topic.sticky;
}

// ------------------------------------------------------------------------------------- filling

// Appending to thousands of partitions is waiting for memory: here the memory of the next records
// is fetched while one is encoded.
Accepted Accumulator::append_some(ProducerTopic& topic, std::span<const Record> records,
                                  std::int64_t now_ms) {
  constexpr std::size_t kAhead = 16;
  constexpr std::size_t kCloser = 8;
  std::array<std::int32_t, kAhead> chosen{};
  const auto fetch = [&](std::size_t i) {
    if (i < records.size()) {
      const std::int32_t partition = is_settled(records[i]) ? choose(topic, records[i]) : -1;
      chosen[i % kAhead] = partition;
      if (partition >= 0) prefetch_for_writing(&topic.open(partition));
    }
    if (i >= kCloser && i - kCloser < records.size()) {
      const std::int32_t partition = chosen[(i - kCloser) % kAhead];
      if (partition < 0) return;
      const ProducerTopic::Open& open = topic.open(partition);
      prefetch_for_writing(open.data + open.used, 2);
    }
  };
  const bool known = !topic.partitions.empty();
  for (std::size_t i = 0; known && i < kAhead; ++i) fetch(i);
  Accepted accepted;
  for (const Record& record : records) {
    const std::int64_t timestamp_ms =
        record.timestamp_ms == kTimestampNow ? now_ms : record.timestamp_ms;
    const std::size_t i = accepted.count;
    if (known && !stopped_ && is_settled(record)) {
      accepted.error = append_to(chosen[i % kAhead], topic, record, timestamp_ms, NoHandler(), 0);
    } else {
      accepted.error = append_locked(topic, record, timestamp_ms, NoHandler(), 0);
    }
    if (accepted.error) break;
    ++accepted.count;
    if (known) fetch(i + kAhead);
  }
  return accepted;
}

Accepted Accumulator::append_all(ProducerTopic& topic, std::span<const Record> records) {
  constexpr std::size_t kMost = 128;  // in one go: others want the lock, too
  Accepted all;
  while (all.count < records.size() && !all.error) {
    const auto some = records.subspan(all.count, std::min(kMost, records.size() - all.count));
    const std::int64_t now_ms = network_.wall_ms();
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      const Accepted accepted = append_some(topic, some, now_ms);
      all.count += accepted.count;
      all.error = accepted.error;
      wake = std::exchange(wake_, false);
    }
    if (wake) network_.wake();
  }
  return all;
}

std::error_code Accumulator::make_room(ProducerTopic& topic, std::int32_t partition,
                                       const Record& record, std::int64_t timestamp_ms) {
  ProducerTopic::Open& open = topic.open(partition);
  if (open.batch) {
    const std::size_t size =
        record_size(record_body_size(record, timestamp_ms - open.base_timestamp, open.count));
    if (open.capacity < open.batch->buffer.capacity) {
      sum_so_far(open);
      if (open.used + size <= open.capacity) return {};
    }
    if (open.used + size <= config_.batch_bytes) {
      return grow(open, open.used + size) ? std::error_code()
                                          : make_error_code(ClientErrc::queue_full);
    }
    seal(*open.batch);
  }
  const std::size_t size = record_size(record_body_size(record, 0, 0));
  if (never_fits(kBatchHeaderSize + size)) return make_error_code(ClientErrc::record_too_large);
  return open_batch(open, size, timestamp_ms) ? std::error_code()
                                              : make_error_code(ClientErrc::queue_full);
}

// Not in a request, or not even in a buffer that is empty otherwise.
bool Accumulator::never_fits(std::size_t bytes) const {
  return bytes + kRequestOverhead > config_.max_request_bytes ||
         bytes + kBatchOverhead > config_.buffer_bytes;
}

void Accumulator::fill_into(ProducerTopic::Open& open, Buffer buffer) {
  open.batch->buffer = buffer;
  open.data = buffer.data;
  set_capacity(open);
}

void Accumulator::sum_so_far(ProducerTopic::Open& open) {
  Batch& batch = *open.batch;
  batch.records_crc =
      wire::crc32c(batch.records_crc, open.data + batch.summed, open.used - batch.summed);
  batch.summed = open.used;
  set_capacity(open);
}

void Accumulator::set_capacity(ProducerTopic::Open& open) {
  const std::size_t whole = open.batch->buffer.capacity;
  const bool stepwise = config_.compression == Compression::none;
  open.capacity =
      static_cast<std::uint32_t>(stepwise ? std::min(whole, open.batch->summed + kSumStep) : whole);
}

// A batch that was opened for a record which was then refused.
void Accumulator::drop_empty(ProducerTopic::Open& open) {
  Batch& batch = *std::exchange(open.batch, nullptr);
  open.capacity = open.used = 0;
  batch.list->remove(&batch);
  unlink(batch);
  pool_.release(std::exchange(batch.buffer, {}), sizeof(Batch));
  batch = Batch();
  free_batches_.push_back(&batch);
}

bool Accumulator::grow(ProducerTopic::Open& open, std::size_t size) {
  const std::size_t doubled = std::min(2 * open.batch->buffer.capacity, config_.batch_bytes);
  Buffer larger = pool_.acquire(std::max(size, doubled));
  if (!larger) larger = pool_.acquire(size, beyond_);
  if (!larger) {
    wake_later();
    return false;
  }
  std::memcpy(larger.data + kBatchHeaderSize, open.data + kBatchHeaderSize,
              open.used - kBatchHeaderSize);
  pool_.release(open.batch->buffer);
  fill_into(open, larger);
  return true;
}

bool Accumulator::open_batch(ProducerTopic::Open& open, std::size_t record_bytes,
                             std::int64_t timestamp_ms) {
  const std::size_t need = kBatchHeaderSize + record_bytes;
  const std::size_t want = std::max({need, std::size_t{open.capacity_hint}, kFirstCapacity});
  Buffer buffer = pool_.acquire(want, false, sizeof(Batch));
  if (!buffer) buffer = pool_.acquire(need, beyond_, sizeof(Batch));
  // When the first one is there its linger is to be timed; when there is no room all is to leave.
  if (open_.empty() || !buffer) wake_later();
  if (!buffer) return false;
  Batch* batch = nullptr;
  if (free_batches_.empty()) {
    batch = new Batch;
  } else {
    batch = free_batches_.back();
    free_batches_.pop_back();
  }
  batch->base_timestamp = timestamp_ms;
  batch->queue = open.queue.get();
  batch->opened = network_.now().mono;
  if (since_ < batch->opened) {
    batch->opened = since_;
    batch->early = true;
    ++early_;
  }
  batch->order = next_order_;
  next_order_ += kOrderStep;
  batch->older = youngest_;
  (youngest_ ? youngest_->younger : oldest_) = batch;
  youngest_ = batch;
  open.batch = batch;
  fill_into(open, buffer);
  open.used = kBatchHeaderSize;
  open.count = 0;
  open.base_timestamp = open.max_timestamp = timestamp_ms;
  open_.push_back(batch);
  return true;
}

void Accumulator::seal(Batch& batch) {
  ProducerTopic& topic = *batch.queue->topic;
  ProducerTopic::Open& open = topic.open(batch.queue->partition);
  batch.used = open.used;
  batch.count = open.count;
  batch.max_timestamp = open.max_timestamp;
  open.batch = nullptr;
  open.capacity_hint = std::min(open.used, static_cast<std::uint32_t>(config_.batch_bytes));
  open.capacity = open.used = 0;
  if (topic.sticky == batch.queue->partition) topic.sticky = -1;
  batch.list->remove(&batch);
  if (sealed_.empty()) wake_later();
  sealed_.push_back(&batch);
}

// -------------------------------------------------------------------------- topics yet unknown

PendingRecord* Accumulator::append_pending(ProducerTopic& topic, const Record& record,
                                           std::int64_t timestamp_ms, std::error_code& error) {
  const std::size_t size = pending_size(record);
  if (never_fits(kBatchHeaderSize + record_size(record_body_size(record, 0, 0))) ||
      size + kBatchOverhead > config_.buffer_bytes) {
    error = make_error_code(ClientErrc::record_too_large);
    return nullptr;
  }
  wake_later();
  if (!pool_.charge(size)) {
    error = make_error_code(ClientErrc::queue_full);
    return nullptr;
  }
  PendingRecord pending;
  pending.key_null = record.key.is_null();
  pending.value_null = record.value.is_null();
  if (!pending.key_null) pending.key = record.key.view();
  if (!pending.value_null) pending.value = record.value.view();
  for (const Header& header : record.headers) {
    const bool null_value = header.value.is_null();
    pending.headers.emplace_back(
        header.key.is_null() ? std::string() : header.key.str(),
        std::pair(null_value, null_value ? std::string() : header.value.str()));
  }
  pending.timestamp_ms = timestamp_ms;
  pending.partition = record.partition;
  pending.charged = size;
  pending.order = next_order_;
  next_order_ += kOrderStep;
  pending.since = network_.now().mono;
  topic.pending.push_back(std::move(pending));
  ++pending_records_;
  return &topic.pending.back();
}

std::error_code Accumulator::append_accepted(ProducerTopic& topic, PendingRecord& pending) {
  std::vector<Header> headers;
  for (const auto& [key, value] : pending.headers) {
    headers.push_back({key, value.first ? wire::Bytes::null() : wire::Bytes(value.second)});
  }
  const Record record{
      .key = pending.key_null ? wire::Bytes::null() : wire::Bytes(pending.key),
      .value = pending.value_null ? wire::Bytes::null() : wire::Bytes(pending.value),
      .headers = headers,
      .timestamp_ms = pending.timestamp_ms,
      .partition = pending.partition};
  if (pending.awaited.done) {
    return append_locked(topic, record, record.timestamp_ms, std::move(pending.awaited),
                         pending.handler_id);
  }
  if (pending.handler) {
    return append_locked(topic, record, record.timestamp_ms, std::move(pending.handler), 0);
  }
  return append_locked(topic, record, record.timestamp_ms, NoHandler(), 0);
}

void Accumulator::adopt_handler(PendingRecord& pending, HandlerList& list) {
  if (pending.awaited.done) {
    list.reserve(sizeof(Awaited), pool_, true);
    list.add(std::move(pending.awaited), 0, pending.timestamp_ms, pending.handler_id);
  } else if (pending.handler) {
    list.reserve(sizeof(DeliveryHandler), pool_, true);
    list.add(std::move(pending.handler), 0, pending.timestamp_ms, 0);
  }
}

std::vector<ProducerTopic*> Accumulator::take_new_topics() {
  std::lock_guard lock(mutex_);
  return std::exchange(new_topics_, {});
}

std::vector<std::pair<std::string_view, ProducerTopic*>> Accumulator::topics_snapshot() {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string_view, ProducerTopic*>> all;
  all.reserve(topics_.size());
  for (auto& [name, topic] : topics_) all.emplace_back(name, topic.get());
  return all;
}

void Accumulator::set_partitions(ProducerTopic& topic, const std::vector<bool>& has_leader,
                                 std::vector<Refused>& refused) {
  std::lock_guard lock(mutex_);
  while (topic.partitions.size() < has_leader.size()) {
    auto queue = std::make_unique<PartitionQueue>();
    queue->topic = &topic;
    queue->partition = static_cast<std::int32_t>(topic.partitions.size());
    // Not by way of the stack, where g++ 12 with ASan does not align it.
    topic.partitions.emplace_back().queue = std::move(queue);
  }
  for (std::size_t i = 0; i < has_leader.size(); ++i)
    topic.partitions[i].has_leader = has_leader[i];
  beyond_ = true;
  pending_records_ -= topic.pending.size();
  for (PendingRecord& pending : topic.pending) {
    pool_.refund(pending.charged);
    since_ = pending.since;
    const std::error_code error = append_accepted(topic, pending);
    if (error) refused.push_back({std::move(pending), error});
  }
  topic.pending.clear();
  since_ = kNever;
  beyond_ = false;
}

std::deque<PendingRecord> Accumulator::take_pending(ProducerTopic& topic) {
  std::lock_guard lock(mutex_);
  pending_records_ -= topic.pending.size();
  return std::exchange(topic.pending, {});
}

std::pair<Time, std::uint64_t> Accumulator::oldest_pending() {
  std::lock_guard lock(mutex_);
  std::pair<Time, std::uint64_t> oldest{kNever, UINT64_MAX};
  if (pending_records_ == 0) return oldest;
  for (auto& [name, topic] : topics_) {
    if (topic->pending.empty()) continue;
    oldest.first = std::min(oldest.first, topic->pending.front().since);
    oldest.second = std::min(oldest.second, topic->pending.front().order);
  }
  return oldest;
}

std::pair<Time, std::uint64_t> Accumulator::oldest_pending(const ProducerTopic& topic) {
  std::lock_guard lock(mutex_);
  if (topic.pending.empty()) return {kNever, UINT64_MAX};
  return {topic.pending.front().since, topic.pending.front().order};
}

// ------------------------------------------------------------------------------ for the sender

void Accumulator::collect_overdue(BatchList& list, std::vector<Batch*>& out) {
  std::lock_guard lock(mutex_);
  BatchScout scout(list);
  while (Batch* batch = list.front()) {
    scout.advance();
    seal(*batch);
  }
  while (Batch* batch = sealed_.pop_front()) out.push_back(batch);
}

void Accumulator::move_overdue(PartitionQueue& queue, BatchList& to) {
  std::lock_guard lock(mutex_);
  Batch* batch = queue.topic->open(queue.partition).batch;
  if (!batch || batch->list == &open_) return;
  batch->list->remove(batch);
  to.push_back(batch);
}

Time Accumulator::next_linger() const {
  std::lock_guard lock(mutex_);
  return open_.empty() ? kNever : deadline_after(open_.front()->opened, config_.linger);
}

std::pair<Time, std::uint64_t> Accumulator::oldest() const {
  std::lock_guard lock(mutex_);
  if (!oldest_) return {kNever, UINT64_MAX};
  Time opened = oldest_->opened;
  if (early_ != 0) {
    for (const Batch* batch = oldest_; batch; batch = batch->younger) {
      opened = std::min(opened, batch->opened);
    }
  }
  return {opened, oldest_->order};
}

std::uint64_t Accumulator::newest_order() const {
  std::lock_guard lock(mutex_);
  return next_order_ - 1;  // the halves of a split batch included
}

std::vector<Batch*> Accumulator::expired(Time time) {
  std::lock_guard lock(mutex_);
  std::vector<Batch*> out;
  for (Batch* batch = oldest_; batch; batch = batch->younger) {
    if (batch->opened > time) {
      if (early_ == 0) break;
      continue;
    }
    if (batch->queue->topic->open(batch->queue->partition).batch == batch) seal(*batch);
    if (batch->list == &sealed_) sealed_.remove(batch);
    out.push_back(batch);
  }
  return out;
}

void Accumulator::retire(Batch& batch) {
  std::lock_guard lock(mutex_);
  unlink(batch);
}

void Accumulator::unlink(Batch& batch) {
  if (std::exchange(batch.early, false)) --early_;
  (batch.older ? batch.older->younger : oldest_) = batch.younger;
  (batch.younger ? batch.younger->older : youngest_) = batch.older;
  batch.older = batch.younger = nullptr;
}

void Accumulator::free_bytes(Batch& batch) { pool_.release(std::exchange(batch.buffer, {})); }

void Accumulator::free_batch(Batch* batch) {
  batch->handlers.clear(pool_);
  pool_.release(std::exchange(batch->buffer, {}), sizeof(Batch));
  std::lock_guard lock(mutex_);
  if (!batch->reported) unlink(*batch);
  *batch = Batch();
  free_batches_.push_back(batch);
}

Batch* Accumulator::new_batch_after(Batch& batch) {
  // Split batches go on with records that were accepted: no limit may stop them.
  pool_.charge(sizeof(Batch), true);
  Batch* made = new Batch;
  made->queue = batch.queue;
  made->opened = batch.opened;
  made->early = batch.early;
  std::lock_guard lock(mutex_);
  if (made->early) ++early_;
  batch.order_room /= 2;
  made->order_room = batch.order_room;
  made->order = batch.order + batch.order_room;
  made->older = &batch;
  made->younger = batch.younger;
  (batch.younger ? batch.younger->older : youngest_) = made;
  batch.younger = made;
  return made;
}

Completion<Failure, Delivery> Accumulator::detach(std::uint64_t id, ProducerTopic*& topic,
                                                  std::int32_t& partition) {
  std::lock_guard lock(mutex_);
  Completion<Failure, Delivery> found;
  for (auto& [name, each] : topics_) {
    for (PendingRecord& pending : each->pending) {
      if (pending.handler_id != id) continue;
      topic = each.get();
      partition = -1;
      pending.handler_id = 0;
      return std::move(pending.awaited.done);
    }
  }
  for (Batch* batch = oldest_; batch && !found; batch = batch->younger) {
    topic = batch->queue->topic;
    partition = batch->queue->partition;
    batch->handlers.take_id(id, [&found](HandlerList::Taken& taken) {
      auto* awaited = static_cast<Awaited*>(taken.handler);
      found = std::move(awaited->done);
      awaited->~Awaited();
    });
  }
  return found;
}

bool Accumulator::empty() const {
  std::lock_guard lock(mutex_);
  return !oldest_ && pending_records_ == 0;
}

}  // namespace tern::kafka
