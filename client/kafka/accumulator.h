// Accumulator: where records become batches. append() encodes a record straight into the open batch
// of its partition, in final wire form: the one copy a record sees on the way out.
//
// append(), topic() and usage may be called from any thread; one mutex guards everything here, held
// for about as long as it takes to encode a record. The rest is for the sender, on the engine's
// executor. It takes batches out when they are full, old enough or wanted; an old batch whose
// broker cannot take more yet stays open ("overdue") and keeps filling.
#ifndef TERN_CLIENT_KAFKA_ACCUMULATOR_H_
#define TERN_CLIENT_KAFKA_ACCUMULATOR_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "client/core/completion.h"
#include "client/core/ports.h"
#include "client/core/prefetch.h"
#include "client/core/random.h"
#include "client/core/short_mutex.h"
#include "client/kafka/batch.h"
#include "client/kafka/config.h"
#include "protocol/kafka/records.h"

namespace tern::kafka {

struct Topic;
struct ProducerTopic;

// How many of several records were taken, and why the next one was not: as for one alone.
struct Accepted {
  std::size_t count = 0;
  std::error_code error;
};

struct Lane;

// What the sender keeps of a partition. Belongs to the engine's executor.
struct alignas(kCacheLine) PartitionQueue {
  BatchList waiting;               // to be sent, in order
  Lane* lane = nullptr;            // of the broker that leads it; null: no leader known
  Lane* in_flight_lane = nullptr;  // where what is on the way goes
  ProducerTopic* topic = nullptr;
  std::int32_t partition = 0;
  std::int32_t next_sequence = 0;
  Time retry_at{};             // not tried again before
  std::int16_t in_flight = 0;  // batches on the way
  std::int16_t failures = 0;   // in a row; see count_failure()
  bool retrying = false;       // what is on the way is a repeat, and alone
  bool id_known = false;       // the brokers have a batch of ours under the producer id in use
  bool listed = false;         // in its lane's ready list
  // Up to here it is one line of cache.
  Failure last_failure;  // of a batch of this partition

  void count_failure() {
    if (failures < INT16_MAX) ++failures;
  }
};

// A handler whose type is forgotten, for records that wait for their topic.
using DeliveryHandler = Completion<std::error_code, const Delivery&>;

// Stands where there is no handler.
struct NoHandler {};

// The handler of an awaited send. Every handler that has an id is one of these.
struct Awaited {
  Completion<Failure, Delivery> done;
  void operator()(std::error_code error, const Delivery& delivery) {
    Failure failure(error);
    failure.text = delivery.text;
    done(std::move(failure), delivery);
  }
};

struct PendingRecord {
  std::string key, value;
  bool key_null = true, value_null = false;
  std::vector<std::pair<std::string, std::pair<bool, std::string>>> headers;
  std::int64_t timestamp_ms = 0;
  std::int32_t partition = -1;
  DeliveryHandler handler;
  Awaited awaited;  // in place of `handler` where there is an id
  std::uint64_t handler_id = 0;
  std::size_t charged = 0;
  std::uint64_t order = 0;
  Time since{};
};

struct ProducerTopic {
  // What each record touches besides its own bytes: one line of cache, as with thousands of
  // partitions every line is a wait for memory.
  struct alignas(kCacheLine) Open {
    // Of the open batch, which takes them over when it is closed. No batch, no capacity.
    std::byte* data = nullptr;
    std::uint32_t capacity = 0;  // up to where appending need not stop; see sum_so_far()
    std::uint32_t used = 0;
    std::int64_t base_timestamp = 0;
    std::int64_t max_timestamp = 0;
    std::int32_t count = 0;
    std::uint32_t capacity_hint = 0;  // what the last batch came to
    Batch* batch = nullptr;
    std::unique_ptr<PartitionQueue> queue;
    bool has_leader = false;
  };
  static_assert(sizeof(Open) == kCacheLine);

  Open& open(std::int32_t partition) { return partitions[static_cast<std::size_t>(partition)]; }

  std::string name;
  Topic* cluster_topic = nullptr;  // of the engine
  std::vector<Open> partitions;    // empty: not known yet
  std::int32_t sticky = -1;        // where records without a key go, until a batch is full
  std::uint32_t round_robin = 0;
  std::deque<PendingRecord> pending;
};

// Goes ahead of who takes open batches out of a list, one step for each, and has the memory fetched
// that is needed: of the batch, then, once that is there, of its partition, then of what is open.
class BatchScout {
 public:
  explicit BatchScout(const BatchList& list) : far_(list.front()) {
    for (std::size_t i = 0; i < kLead; ++i) advance();
  }

  void advance() {
    if (far_) far_ = far_->next;
    if (far_) prefetch_for_writing(far_, 2);
    seen_[steps_ % kLead] = far_;
    if (const Batch* batch = seen_[(steps_ + kLead - 2) % kLead]) {
      prefetch_for_writing(batch->queue);
    }
    if (const Batch* batch = seen_[(steps_ + kLead - 4) % kLead]) {
      prefetch_for_writing(&batch->queue->topic->open(batch->queue->partition));
    }
    ++steps_;
  }

 private:
  static constexpr std::size_t kLead = 6;
  Batch* far_;
  std::array<const Batch*, kLead> seen_{};
  std::size_t steps_ = 0;
};

// Batches are numbered this far apart, so that the halves of a split batch fit in between.
inline constexpr std::uint64_t kOrderStep = std::uint64_t{1} << 20;

class Accumulator {
 public:
  Accumulator(const ProducerConfig& config, Network& network, std::uint64_t seed);
  ~Accumulator();

  // Any thread. The topic with this name; the address is good as long as the accumulator lives.
  ProducerTopic& topic(std::string_view name);

  // Any thread. Takes the record, or says why not: queue_full, closed, record_too_large,
  // unknown_partition. The handler is moved from only on success. `id`: see HandlerList.
  // `in_step`: called by the sender, which needs no waking; a record that is refused again in each
  // step would else make a step follow the other.
  template <class F>
  std::error_code append(ProducerTopic& topic, const Record& record, F&& handler,
                         std::uint64_t id = 0, bool in_step = false);

  // Any thread. The same for one record after the other, up to the first that is refused.
  Accepted append_all(ProducerTopic& topic, std::span<const Record> records);

  // Any thread.
  void stop();  // append() fails with `closed` from now on
  std::size_t used_bytes() const { return pool_.used_bytes(); }
  BufferPool& pool() { return pool_; }

  // ---- for the sender

  // Topics named for the first time since the last call.
  std::vector<ProducerTopic*> take_new_topics();
  // Calls `f(topic)` for each topic.
  template <class F>
  void for_each_topic(F&& f) {
    for (auto& [name, topic] : topics_snapshot()) f(*topic);
  }
  // Makes room for partitions that have become known, and appends what was waiting for that, before
  // any other thread can append something younger. What no partition takes comes back in `refused`.
  // `has_leader`: one for each partition.
  struct Refused {
    PendingRecord record;
    std::error_code error;
  };
  void set_partitions(ProducerTopic& topic, const std::vector<bool>& has_leader,
                      std::vector<Refused>& refused);
  // Takes out the records that wait for the topic; their memory counts until refunded.
  std::deque<PendingRecord> take_pending(ProducerTopic& topic);
  void adopt_handler(PendingRecord& pending, HandlerList& list);
  // When the oldest record that waits for a topic (for this one) came, and its number; {kNever,
  // max}: none does.
  std::pair<Time, std::uint64_t> oldest_pending();
  std::pair<Time, std::uint64_t> oldest_pending(const ProducerTopic& topic);

  // Closes full batches and moves them to `out`; then, once one has been open for linger, all that
  // soon will have been (kCompany), or simply all if `all`. `overdue_home(queue)` gives the list
  // where an old one is to stay open because it cannot be sent now, or null to take it.
  template <class OverdueHome>
  void collect(Now now, bool all, std::vector<Batch*>& out, OverdueHome&& overdue_home);
  // Closes what is overdue in this list.
  void collect_overdue(BatchList& list, std::vector<Batch*>& out);
  // If the open batch of the partition is in some list of overdue ones, it changes over to this
  // one.
  void move_overdue(PartitionQueue& queue, BatchList& to);
  // When collect() will find something; kNever: not by time alone.
  Time next_linger() const;

  // The oldest batch not reported yet: when it was opened and its number; {kNever, max} if none.
  std::pair<Time, std::uint64_t> oldest() const;
  std::uint64_t newest_order() const;
  // Batches opened at or before `time`, to be given up: closed if still open.
  std::vector<Batch*> expired(Time time);
  // Marks as reported: not the oldest any more.
  void retire(Batch& batch);
  // The same, if that has not happened before, and its memory goes.
  void free_batch(Batch* batch);
  void free_bytes(Batch& batch);
  // The upper half of a batch's records becomes a batch of its own, younger by a hair.
  Batch* new_batch_after(Batch& batch);
  // Takes the handler with this id out of wherever it waits; its record goes on without it. The
  // partition it was for is written to `partition` (-1: none chosen yet). Empty: no such id.
  Completion<Failure, Delivery> detach(std::uint64_t id, ProducerTopic*& topic,
                                       std::int32_t& partition);
  bool empty() const;

 private:
  std::vector<std::pair<std::string_view, ProducerTopic*>> topics_snapshot();
  std::int32_t choose(ProducerTopic& topic, const Record& record);
  // Whether choose() says the same whenever it is asked.
  bool is_settled(const Record& record) const;
  std::int32_t choose_sticky(ProducerTopic& topic);
  // Makes the open batch of the partition one with room for the record: grown if need be, or new.
  std::error_code make_room(ProducerTopic& topic, std::int32_t partition, const Record& record,
                            std::int64_t timestamp_ms);
  // Appends one that was accepted before, whatever the limit says, even after stop(). Its handler
  // is moved from only on success.
  std::error_code append_accepted(ProducerTopic& topic, PendingRecord& pending);
  bool never_fits(std::size_t bytes) const;
  void drop_empty(ProducerTopic::Open& open);
  void unlink(Batch& batch);
  bool grow(ProducerTopic::Open& open, std::size_t size);
  bool open_batch(ProducerTopic::Open& open, std::size_t record_bytes, std::int64_t timestamp_ms);
  // The open batch has this buffer from now on.
  void fill_into(ProducerTopic::Open& open, Buffer buffer);
  // A large batch is summed in steps while it is filled: its bytes are cold again when it is
  // closed.
  void sum_so_far(ProducerTopic::Open& open);
  void set_capacity(ProducerTopic::Open& open);
  void seal(Batch& batch);
  PendingRecord* append_pending(ProducerTopic& topic, const Record& record,
                                std::int64_t timestamp_ms, std::error_code& error);
  void wake_later() { wake_ = true; }

  // Batches that are due within this part of linger leave with the first one: with thousands of
  // partitions there would be a request for every few of them else.
  static constexpr int kCompany = 4;
  // Of the records of a batch; well within the first cache but one.
  static constexpr std::size_t kSumStep = 32 * 1024;

  template <class F>
  std::error_code append_locked(ProducerTopic& topic, const Record& record,
                                std::int64_t timestamp_ms, F&& handler, std::uint64_t id);
  template <class F>
  std::error_code append_to(std::int32_t partition, ProducerTopic& topic, const Record& record,
                            std::int64_t timestamp_ms, F&& handler, std::uint64_t id);
  Accepted append_some(ProducerTopic& topic, std::span<const Record> records, std::int64_t now_ms);

  const ProducerConfig& config_;
  Network& network_;
  BufferPool pool_;
  mutable ShortMutex mutex_;
  Random random_;
  bool stopped_ = false;
  bool beyond_ = false;    // while what was accepted before is appended
  Time since_ = kNever;    // when that was
  std::size_t early_ = 0;  // batches with records that are older than the batch
  bool wake_ = false;      // a step is needed once the lock is released
  std::map<std::string, std::unique_ptr<ProducerTopic>, std::less<>> topics_;
  std::vector<ProducerTopic*> new_topics_;
  std::size_t pending_records_ = 0;
  BatchList open_;  // by age
  BatchList sealed_;
  Batch* oldest_ = nullptr;
  Batch* youngest_ = nullptr;
  std::uint64_t next_order_ = kOrderStep;
  std::vector<Batch*> free_batches_;
};

// ------------------------------------------------------------------------------------ the hot path

template <class F>
std::error_code Accumulator::append_locked(ProducerTopic& topic, const Record& record,
                                           std::int64_t timestamp_ms, F&& handler,
                                           std::uint64_t id) {
  constexpr bool kHandler = !std::is_same_v<std::remove_cvref_t<F>, NoHandler>;
  if (stopped_ && !beyond_) [[unlikely]] {
    return make_error_code(ClientErrc::closed);
  }
  if (topic.partitions.empty()) [[unlikely]] {
    std::error_code error;
    PendingRecord* pending = append_pending(topic, record, timestamp_ms, error);
    if (!pending) return error;
    if constexpr (std::is_same_v<std::remove_cvref_t<F>, Awaited>) {
      pending->awaited = std::forward<F>(handler);
    } else if constexpr (kHandler) {
      pending->handler = DeliveryHandler(std::forward<F>(handler));
    }
    pending->handler_id = id;
    return {};
  }
  return append_to(choose(topic, record), topic, record, timestamp_ms, std::forward<F>(handler),
                   id);
}

template <class F>
std::error_code Accumulator::append_to(std::int32_t partition, ProducerTopic& topic,
                                       const Record& record, std::int64_t timestamp_ms, F&& handler,
                                       std::uint64_t id) {
  constexpr bool kHandler = !std::is_same_v<std::remove_cvref_t<F>, NoHandler>;
  if (partition < 0) [[unlikely]] {
    return make_error_code(ClientErrc::unknown_partition);
  }
  ProducerTopic::Open& open = topic.open(partition);
  std::int64_t delta = timestamp_ms - open.base_timestamp;
  std::size_t body = record_body_size(record, delta, open.count);
  if (open.used + record_size(body) > open.capacity) [[unlikely]] {
    const std::error_code error = make_room(topic, partition, record, timestamp_ms);
    if (error) return error;
    // A new batch has a new base: the deltas, and so the size, are others.
    delta = timestamp_ms - open.base_timestamp;
    body = record_body_size(record, delta, open.count);
  }
  if constexpr (kHandler) {
    Batch& batch = *open.batch;
    if (!batch.handlers.reserve(sizeof(std::remove_cvref_t<F>), pool_, beyond_)) [[unlikely]] {
      if (open.count == 0) drop_empty(open);
      return make_error_code(ClientErrc::queue_full);
    }
    batch.handlers.add(std::forward<F>(handler), open.count, timestamp_ms, id);
  }
  const std::byte* end = write_record(open.data + open.used, body, record, delta, open.count);
  open.used = static_cast<std::uint32_t>(end - open.data);
  ++open.count;
  if (timestamp_ms > open.max_timestamp) open.max_timestamp = timestamp_ms;
  // With many partitions this place is out of the cache again when the next record comes.
  prefetch_for_writing(end + kCacheLine, 3);
  return {};
}

template <class F>
std::error_code Accumulator::append(ProducerTopic& topic, const Record& record, F&& handler,
                                    std::uint64_t id, bool in_step) {
  const std::int64_t timestamp_ms =
      record.timestamp_ms == kTimestampNow ? network_.wall_ms() : record.timestamp_ms;
  bool wake = false;
  std::error_code error;
  {
    std::lock_guard lock(mutex_);
    error = append_locked(topic, record, timestamp_ms, std::forward<F>(handler), id);
    wake = std::exchange(wake_, false);
  }
  if (wake && !in_step) network_.wake();
  return error;
}

template <class OverdueHome>
void Accumulator::collect(Now now, bool all, std::vector<Batch*>& out, OverdueHome&& overdue_home) {
  std::lock_guard lock(mutex_);
  const Batch* first = open_.front();
  if (first && (all || deadline_after(first->opened, config_.linger) <= now.mono)) {
    const Duration age = config_.linger - config_.linger / kCompany;
    BatchScout scout(open_);
    while (Batch* batch = open_.front()) {
      scout.advance();
      if (!all && deadline_after(batch->opened, age) > now.mono) break;
      BatchList* home = all ? nullptr : overdue_home(*batch->queue);
      if (home) {
        open_.remove(batch);
        home->push_back(batch);
      } else {
        seal(*batch);
      }
    }
  }
  while (Batch* batch = sealed_.pop_front()) out.push_back(batch);
  wake_ = false;  // a step is what this is part of
}

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ACCUMULATOR_H_
