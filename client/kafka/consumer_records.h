// Records: what one poll of a Consumer hands out, as views into the memory that the answers of the
// brokers were read into.
//
//   for (const ConsumerRecord& record : records) handle(record.topic, record.key, record.value);
//
// or, where every nanosecond counts, batch by batch:
//
//   for (const RecordBatch& batch : records.batches()) {
//     for (const RecordView& record : batch) handle(record.value);
//   }
//
// Keys, values, headers and topic names are valid for as long as the Records lives, even if the
// consumer and the client are gone by then. Its destruction (or done()) gives the memory back to
// the consumer, which is what lets it fetch more once `prefetch_bytes` are in use: do not hoard
// them. In a group it also says that these records have been dealt with, which is what automatic
// commits go by; not so if an exception destroys it. Then nothing from there on is stored until a
// seek(), a commit by hand, or a rebalance.
//
// Movable, not copyable, the size of a pointer. May be moved to and destroyed on any thread; one
// thread at a time.
#ifndef TERN_CLIENT_KAFKA_CONSUMER_RECORDS_H_
#define TERN_CLIENT_KAFKA_CONSUMER_RECORDS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/core/frame.h"
#include "protocol/kafka/records.h"

namespace tern::kafka {

// A record and where it is from. offset, timestamp_ms, timestamp_type, key, value and headers are
// those of RecordView.
struct ConsumerRecord : RecordView {
  wire::Text topic;
  std::int32_t partition = -1;
  std::int32_t leader_epoch =
      -1;  // under which the record was written; -1: not known (old formats)
};

// A position in a partition: the offset of the next record to read.
struct PartitionOffset {
  std::string topic = {};
  std::int32_t partition = 0;
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;  // of the record before it; -1: not known
  std::string metadata = {};       // stored with it in a group, for whoever reads it
  // Which time it was, of those that this partition was assigned to this member of a group: a
  // commit for an earlier time is refused. 0: whichever it is.
  std::uint64_t ownership = 0;
  friend bool operator==(const PartitionOffset&, const PartitionOffset&) = default;
};
using Offsets = std::vector<PartitionOffset>;

// What other threads may know of an assigned partition. Internal.
struct PartitionGauge {
  PartitionGauge(std::string name, std::int32_t number)
      : topic(std::move(name)), partition(number) {}
  const std::string topic;
  const std::int32_t partition;
  std::atomic<std::int64_t> position{-1};  // of the next record to hand out; -1: not known yet
  std::atomic<std::int64_t> end{-1};       // of what may be read; -1: not known yet
  std::atomic<bool> stands_still{false};   // trouble was or will be reported; until a seek

  // For members of groups: which time of being assigned this is, and what is with the application,
  // in the order in which it was handed out (guarded by RecordsHome).
  struct HandedOut {
    std::uint64_t ticket;
    std::int64_t begin;
    std::int32_t begin_epoch;
    bool finished;
  };
  std::uint64_t ownership = 0;
  std::vector<HandedOut> handed_out = {};
};

// Records of one partition that lie together, never none. Iterating costs no more than reading the
// records' lengths.
class RecordBatch {
 public:
  RecordBatch(const RecordBlock& block, const PartitionGauge& from, std::int32_t leader_epoch)
      : block_(block),
        topic_(from.topic),
        partition_(from.partition),
        leader_epoch_(leader_epoch) {}

  wire::Text topic() const { return topic_; }
  std::int32_t partition() const { return partition_; }
  std::int32_t leader_epoch() const { return leader_epoch_; }
  std::size_t size() const { return static_cast<std::size_t>(block_.count); }
  const RecordBlock& block() const { return block_; }

  RecordIterator begin() const { return block_.begin(); }
  std::default_sentinel_t end() const { return {}; }

 private:
  RecordBlock block_;
  wire::Text topic_;
  std::int32_t partition_;
  std::int32_t leader_epoch_;
};

namespace internal {

class RecordsHome;

struct RecordsData {
  struct End {
    std::shared_ptr<PartitionGauge> partition;
    std::int64_t offset;
    std::int32_t leader_epoch;
    std::int64_t begin;  // the position before these records
    std::int32_t begin_epoch;
    std::uint64_t ticket = 0;  // in PartitionGauge::handed_out; 0: not there
  };
  std::vector<RecordBatch> batches;
  std::vector<FrameRef> frames;  // what the batches point into
  std::vector<End> ends;         // one per partition
  std::size_t records = 0;
  std::shared_ptr<RecordsHome> home;  // set while it is out
};

// Where the vectors of returned Records wait for the next poll; knows how many are out. Any thread.
class RecordsHome {
 public:
  static std::unique_ptr<RecordsData> take(const std::shared_ptr<RecordsHome>& home);
  // `finished`: the application has dealt with it.
  static void give_back(std::unique_ptr<RecordsData> data, bool finished) noexcept;
  // The same for what was never handed out: nobody is told.
  static void put_back(std::unique_ptr<RecordsData> data) noexcept;
  // Records with users now.
  std::size_t out() const { return out_.load(std::memory_order_acquire); }

  // `called` runs on whichever thread gives Records back, once for each ask(); it must not call
  // this.
  void set_notice(std::function<void()> called);
  void ask();
  // When this returns, `called` is not running and will not be.
  void close();

  // From now on these are with the application, until they come back.
  void track(RecordsData& data);
  // False if all that was handed out has been finished; else where the first begins that has not.
  bool unfinished(const PartitionGauge& gauge, std::int64_t& begin, std::int32_t& epoch) const;
  // What is out does not count any more.
  void forget(PartitionGauge& gauge);

 private:
  static constexpr std::size_t kKept = 4;
  void keep(std::unique_ptr<RecordsData> data, bool tell) noexcept;
  void finish(const RecordsData& data) noexcept;

  mutable std::mutex mutex_;
  std::function<void()> notice_;
  bool asked_ = false;
  std::vector<std::unique_ptr<RecordsData>> kept_;
  std::atomic<std::size_t> out_{0};
  std::uint64_t last_ticket_ = 0;
};

}  // namespace internal

class Records {
 public:
  class Iterator;

  Records() = default;
  explicit Records(std::unique_ptr<internal::RecordsData> data) : data_(std::move(data)) {}
  Records(Records&& other) noexcept = default;
  Records& operator=(Records&& other) noexcept {
    if (this != &other) {
      done();
      data_ = std::move(other.data_);
    }
    return *this;
  }
  // What an exception cuts short has not been dealt with.
  ~Records() {
    if (data_) internal::RecordsHome::give_back(std::move(data_), std::uncaught_exceptions() == 0);
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return data_ ? data_->records : 0; }

  inline Iterator begin() const;
  std::default_sentinel_t end() const { return {}; }

  // In order of offset within each partition.
  std::span<const RecordBatch> batches() const {
    return data_ ? std::span<const RecordBatch>(data_->batches) : std::span<const RecordBatch>();
  }

  // For each partition in here: where to go on when all of these have been dealt with.
  Offsets end_offsets() const;

  // The records have been dealt with: gives the memory back now. Empty afterwards.
  void done() {
    if (data_) internal::RecordsHome::give_back(std::move(data_), true);
  }

 private:
  std::unique_ptr<internal::RecordsData> data_;
};

class Records::Iterator {
 public:
  using value_type = ConsumerRecord;
  using difference_type = std::ptrdiff_t;

  Iterator() = default;
  explicit Iterator(std::span<const RecordBatch> batches) : batches_(batches) { next_batch(); }

  const ConsumerRecord& operator*() const { return record_; }
  const ConsumerRecord* operator->() const { return &record_; }
  Iterator& operator++() {
    if (--left_ != 0) [[likely]] {
      next_ = decode_record(block_, next_, record_);
    } else {
      next_batch();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& a, std::default_sentinel_t) { return a.left_ == 0; }

 private:
  void next_batch() {
    if (batches_.empty()) return;
    const RecordBatch& batch = batches_.front();
    batches_ = batches_.subspan(1);
    block_ = batch.block();
    left_ = block_.count;
    record_.topic = batch.topic();
    record_.partition = batch.partition();
    record_.leader_epoch = batch.leader_epoch();
    next_ = decode_record(block_, block_.data, record_);
  }

  std::span<const RecordBatch> batches_;
  RecordBlock block_;
  const std::byte* next_ = nullptr;
  std::int32_t left_ = 0;
  ConsumerRecord record_;
};

inline Records::Iterator Records::begin() const { return Iterator(batches()); }

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONSUMER_RECORDS_H_
