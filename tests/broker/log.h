// PartitionLog: the batches of one partition as bytes, with what a Kafka leader knows about them:
// offsets, leader epochs, and for each idempotent producer its epoch and its last five batches.
//
// Batches are kept as they came (compressed ones stay compressed); only the fields that a real
// leader fills in are patched. Large batches keep the request frame they arrived in, small ones are
// packed into segments, so a Fetch can pass on references instead of copies. Memory that a reader
// still holds outlives the log. Threading: none; one executor. Time comes from the caller.
#ifndef TERN_TESTS_BROKER_LOG_H_
#define TERN_TESTS_BROKER_LOG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/core/frame.h"
#include "protocol/kafka/batch_header.h"
#include "protocol/kafka/compression.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/records.h"
#include "protocol/wire/bytes.h"

namespace tern::broker {

// The settings of a topic that change what the broker does.
struct TopicConfig {
  std::int32_t max_message_bytes = 1048588;  // of one batch, compressed
  bool log_append_time = false;              // message.timestamp.type=LogAppendTime
  bool compacted = false;  // cleanup.policy=compact: records need a key; nothing is compacted
  std::int64_t retention_bytes = -1;  // per partition; the oldest batches go first
  std::int32_t min_insync_replicas = 1;
  std::int64_t timestamp_before_max_ms = INT64_MAX;  // how far a record's time may lie in the past
  std::int64_t timestamp_after_max_ms = INT64_MAX;   // and in the future (a real broker: 1 hour)
};

// A batch of the log. The bytes start at its base offset field.
struct StoredBatch {
  FrameRef frame;  // keeps `data` alive
  const std::byte* data = nullptr;
  std::uint32_t size = 0;
  std::int32_t record_count = 0;
  std::int64_t base_offset = 0;
  std::int64_t last_offset = 0;
  std::int64_t max_timestamp_ms = 0;
  std::int32_t leader_epoch = 0;
  std::uint64_t position = 0;  // bytes of all batches that were ever stored before this one
  std::span<const std::byte> bytes() const { return {data, size}; }
};

// A record of the log, for checkers. The views are valid during the call that hands it out.
struct LogRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  bool log_append_time = false;
  bool control = false;
  std::int32_t leader_epoch = 0;
  std::int64_t producer_id = -1;  // -1, -1, -1 if the producer was not idempotent
  std::int16_t producer_epoch = -1;
  std::int32_t sequence = -1;
  wire::Bytes key = wire::Bytes::null();
  wire::Bytes value = wire::Bytes::null();
  kafka::HeadersView headers;
};

struct RecordError {
  std::int32_t batch_index = 0;  // of the record in its batch
  std::string message;
};

struct AppendResult {
  kafka::BrokerErrc error = kafka::BrokerErrc::none;
  std::int64_t base_offset = -1;
  std::int64_t log_append_time_ms = -1;  // -1 with CreateTime
  bool duplicate = false;  // a retry of a batch that is stored already; nothing was added
  std::string message;     // why not
  std::vector<RecordError> record_errors;
};

// How a batch is to be appended.
struct AppendOptions {
  std::int16_t produce_version = 9;  // zstd needs 7
  std::int32_t leader_epoch = 0;
  std::int64_t wall_ms = 0;
  bool validate_records = true;  // walk through the records too, not only header and CRC
};

struct EpochEnd {
  std::int32_t epoch = -1;
  std::int64_t end_offset = -1;
};

class PartitionLog {
 public:
  explicit PartitionLog(FramePool& pool);

  // Validates and stores the records of one partition of a Produce request, as a real leader does.
  // `records` lies inside `frame`; its bytes may be patched and kept.
  AppendResult append(std::span<std::byte> records, const FrameRef& frame,
                      const TopicConfig& config, const AppendOptions& options);

  std::int64_t start_offset() const { return start_offset_; }
  std::int64_t end_offset() const { return end_offset_; }      // of the next record
  std::int64_t high_watermark() const { return end_offset_; }  // replication takes no time here
  std::size_t size_bytes() const { return size_bytes_; }
  std::uint64_t end_position() const {
    return end_position_;
  }  // as StoredBatch::position, of the next

  // Batches in order; index 0 is the oldest one kept.
  const std::deque<StoredBatch>& batches() const { return batches_; }
  // Index of the batch that holds `offset`, or of the next one; batches().size() if there is none.
  std::size_t find(std::int64_t offset) const;

  // The first record with this or a later timestamp: {offset, timestamp}, or {-1, -1}.
  std::pair<std::int64_t, std::int64_t> offset_for_time(std::int64_t timestamp_ms) const;
  // The (first) record with the largest timestamp, or {-1, -1}.
  std::pair<std::int64_t, std::int64_t> offset_of_max_timestamp() const;

  // Where the largest epoch not above `epoch` ended: what OffsetForLeaderEpoch and the diverging
  // epoch of Fetch answer. {-1, -1} if the epoch is newer than all that is known here.
  EpochEnd end_of_epoch(std::int32_t epoch) const;
  // The epoch under which `offset` was written (for the end offset: the newest one), or -1.
  std::int32_t epoch_at(std::int64_t offset) const;
  // A leader with this epoch starts to write at the end of the log.
  void begin_epoch(std::int32_t epoch);

  // Moves the start of the log; records below are gone. False if `offset` is outside the log.
  bool delete_before(std::int64_t offset);
  // Cuts the log back (unclean election); batches that reach past `offset` go as a whole. Producer
  // state is cut back with them.
  void truncate(std::int64_t offset);

  // Calls `fn` for every record from `from` on, in order, decompressing gzip. Returns false if a
  // batch could not be read (another codec), after having handed out all before it.
  bool for_each_record(const std::function<void(const LogRecord&)>& fn,
                       std::int64_t from = 0) const;
  std::int64_t record_count() const;

  // Forgets a producer as a broker does after producer.id.expiration.ms.
  void forget_producer(std::int64_t producer_id) { producers_.erase(producer_id); }

 private:
  static constexpr std::size_t kRememberedBatches = 5;
  struct SentBatch {
    std::int32_t first_sequence = 0;
    std::int32_t last_sequence = 0;
    std::int64_t base_offset = 0;
    std::int64_t max_timestamp_ms = -1;
  };
  struct Producer {
    std::int16_t epoch = -1;
    std::deque<SentBatch> batches;  // newest last
  };

  using Header = kafka::BatchHeader;
  // Each sets the result's error and message, and returns false, if the batch is to be refused.
  static bool check_header(std::span<const std::byte> records, const TopicConfig& config,
                           const AppendOptions& options, Header& header, AppendResult& result);
  bool check_records(std::span<const std::byte> records, const TopicConfig& config,
                     const AppendOptions& options, const Header& header, AppendResult& result);
  bool check_producer(const Header& header, AppendResult& result) const;
  const SentBatch* find_duplicate(const Header& header) const;
  void store(std::span<std::byte> records, const FrameRef& frame, const Header& header);
  void remember(const Header& header);
  bool open(const StoredBatch& batch, kafka::VectorFrameSink& sink, kafka::BatchHeader& header,
            kafka::RecordBlock& out) const;
  void retain(const TopicConfig& config);

  FramePool* pool_;
  mutable kafka::Decompressors decompressors_;
  std::deque<StoredBatch> batches_;
  FrameRef segment_;  // small batches are packed here
  std::size_t segment_used_ = 0;
  std::int64_t start_offset_ = 0;
  std::int64_t end_offset_ = 0;
  std::size_t size_bytes_ = 0;
  std::uint64_t end_position_ = 0;
  std::map<std::int32_t, std::int64_t> epoch_starts_;
  std::unordered_map<std::int64_t, Producer> producers_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_LOG_H_
