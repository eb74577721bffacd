// ConsumerPartition: all that is known of one assigned partition: where it is read, what has been
// fetched and not yet handed out, and what its broker was last told. Internal to the consumer;
// belongs to the engine's executor.
//
// Offsets: `position` is the next one to hand out, `fetch_offset` the next one to ask for; what
// lies between is in `runs`. Whoever moves the position (seek, reset, truncation) calls restart(),
// which changes `version`: an answer to a question asked before is thrown away.
#ifndef TERN_CLIENT_KAFKA_CONSUMER_PARTITION_H_
#define TERN_CLIENT_KAFKA_CONSUMER_PARTITION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/frame.h"
#include "client/core/time.h"
#include "client/kafka/cluster.h"
#include "client/kafka/config.h"
#include "client/kafka/consumer_records.h"
#include "protocol/kafka/messages/fetch.h"
#include "protocol/kafka/records.h"

namespace tern::kafka {

class FetchSession;

// The batches of one partition in one answer, from the first that has not been handed out.
struct FetchedRun {
  FetchedRun(FrameRef memory, std::span<const std::byte> records, bool check_crc)
      : frame(std::move(memory)), batches(records, {.check_crc = check_crc}) {}

  FrameRef frame;
  BatchIterator batches;
  BatchView pending;  // taken from `batches`, not handed out yet
  bool has_pending = false;
  std::size_t bytes = 0;  // counted in ConsumerPartition::undelivered
  // For read_committed, in order of first offset, and those whose records are being left out now.
  std::vector<FetchResponse::AbortedTransaction> aborted;
  std::size_t next_aborted = 0;
  std::vector<std::int64_t> aborted_producers;
};

// A batch that was opened but did not fit into one poll as a whole.
struct OpenedBatch {
  RecordBlock block;  // what is left of it; count 0: nothing
  FrameRef frame;
  std::int64_t next_offset = -1;  // after the last record of the batch
  std::int32_t leader_epoch = -1;
};

struct ConsumerPartition : std::enable_shared_from_this<ConsumerPartition> {
  enum class State {
    awaiting,  // its group has to tell where to begin
    unplaced,  // `start` says where to begin; the offset is being looked up
    ready,     // position is known
    failed,    // an error was reported; nothing happens until a seek
  };
  // What the broker of `session` was told last.
  struct Sent {
    std::uint64_t version = 0;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;
    std::int32_t max_bytes = 0;
    wire::Uuid topic_id;
    friend bool operator==(const Sent&, const Sent&) = default;
  };

  ConsumerPartition(Topic& of, std::shared_ptr<PartitionGauge> shown, Backoff retry)
      : topic(of),
        index(shown->partition),
        gauge(std::move(shown)),
        incarnation(of.incarnation),
        backoff(retry) {}
  ConsumerPartition(const ConsumerPartition&) = delete;
  ConsumerPartition& operator=(const ConsumerPartition&) = delete;

  std::string name() const { return topic.name + "-" + std::to_string(index); }

  // Null while the metadata does not name the partition.
  const PartitionInfo* info() const {
    const auto i = static_cast<std::size_t>(index);
    return i < topic.partitions.size() ? &topic.partitions[i] : nullptr;
  }

  // Forgets what was fetched; reading goes on at `position`.
  void drop_fetched() {
    runs.clear();
    opened = {};
    undelivered = 0;
    fetch_offset = position;
    fetch_epoch = position_epoch;
    drain_first = false;
    ++version;
  }

  // Goes on at an offset, of which nothing but the number is known unless `epoch` is given.
  void restart(std::int64_t offset, std::int32_t epoch = -1) {
    position = offset;
    position_epoch = epoch;
    drop_fetched();
    state = State::ready;
    finding = false;
    needs_validation = validating = false;
    max_bytes = 0;
    not_before = {};
    gauge->position.store(offset, std::memory_order_relaxed);
    gauge->stands_still.store(false, std::memory_order_relaxed);
  }

  // Goes on wherever `where` turns out to be.
  void restart(const Position& where) {
    if (where.at == StartAt::offset) return restart(where.value);
    restart(-1);
    start = where;
    state = State::unplaced;
  }

  void advance(std::int64_t offset, std::int32_t epoch) {
    position = offset;
    if (epoch >= 0) position_epoch = epoch;
    gauge->position.store(offset, std::memory_order_relaxed);
  }

  void stop() {
    state = State::failed;
    gauge->stands_still.store(true, std::memory_order_relaxed);
  }

  bool is_read() const { return state == State::ready && !paused && !halted; }
  bool has_data() const { return opened.block.count != 0 || !runs.empty(); }

  Topic& topic;
  const std::int32_t index;
  const std::shared_ptr<PartitionGauge> gauge;

  State state = State::unplaced;
  Position start;
  bool finding = false;           // the lookup for `start` is under way
  std::uint64_t place_after = 0;  // not before so many answers of metadata (Cluster::updates())
  bool paused = false;
  bool halted = false;  // by its group: not handed out and not fetched, as if it were paused
  std::uint64_t version = 1;
  std::uint64_t incarnation;  // of the topic that the position belongs to

  std::int64_t position = -1;
  std::int32_t position_epoch = -1;  // of the record before it; -1: not known
  std::int64_t fetch_offset = -1;
  std::int32_t fetch_epoch = -1;
  std::int32_t leader_epoch = -1;  // the newest that was heard of
  bool needs_validation = false;   // the leader changed: ask it whether it has what was fetched
  bool validating = false;
  bool drain_first = false;  // what was fetched has to be handed out before anything is fetched

  Time not_before{};  // no request about it earlier
  Backoff backoff;
  Time missing_since = kNever;  // from the metadata
  bool told = false;            // ... and that has been reported

  std::int32_t preferred_replica = -1;  // read there instead of at the leader (KIP-392)
  Time preferred_until{};

  std::deque<FetchedRun> runs;
  OpenedBatch opened;
  std::size_t undelivered = 0;  // bytes in `runs`
  bool queued = false;          // in the consumer's list of partitions with data
  std::size_t max_bytes = 0;    // to ask for, when a batch above partition_max_bytes is next

  FetchSession* session = nullptr;  // the one session this is part of
  Sent sent;
  std::uint64_t mark = 0;  // of the request it is wanted in
};

using ConsumerPartitionPtr = std::shared_ptr<ConsumerPartition>;

// Where offset_reset says to go on; not for OffsetReset::none.
inline Position reset_position(const ConsumerConfig& config, Now now) {
  using std::chrono::milliseconds;
  switch (config.offset_reset) {
    case OffsetReset::latest:
      return Position::latest();
    case OffsetReset::age:
      return Position::timestamp(
          now.wall_ms - std::chrono::duration_cast<milliseconds>(config.offset_reset_age).count());
    case OffsetReset::earliest:
    case OffsetReset::none:
      break;
  }
  return Position::earliest();
}

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONSUMER_PARTITION_H_
