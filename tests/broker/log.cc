#include "tests/broker/log.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

#include "protocol/kafka/gzip.h"

namespace tern::broker {

using kafka::BatchHeader;
using kafka::BrokerErrc;

namespace {

// Batches from this size on keep the frame they came in, if they fill most of it.
constexpr std::size_t kKeepFrameBytes = 32U << 10;
constexpr std::size_t kMinSegmentBytes = 4U << 10;
constexpr std::size_t kMaxSegmentBytes = 256U << 10;
// What a real broker takes for a batch length that cannot be one.
constexpr std::int32_t kMinBatchLength = 14;
constexpr std::int16_t kFirstVersionWithZstd = 7;
// Nothing that is larger unpacked is looked into.
constexpr std::size_t kMaxUnpackedBytes = 256U << 20;

bool refuse(AppendResult& result, BrokerErrc error, std::string message) {
  result.error = error;
  result.message = std::move(message);
  return false;
}

std::int32_t last_sequence(const BatchHeader& header) {
  return kafka::next_sequence(header.base_sequence, header.last_offset_delta);
}

bool follows(std::int32_t last, std::int32_t next) {
  return static_cast<std::int64_t>(next) == static_cast<std::int64_t>(last) + 1 ||
         (next == 0 && last == std::numeric_limits<std::int32_t>::max());
}

// A log append time is written by the leader, into the header alone: attributes, max timestamp,
// CRC.
void stamp(std::span<std::byte> records, BatchHeader& header, std::int64_t wall_ms) {
  header.attributes =
      static_cast<std::int16_t>(header.attributes | kafka::attribute::kLogAppendTime);
  header.max_timestamp = wall_ms;
  kafka::write_batch_header(records.data(), header);
  const wire::Bytes body(std::span<const std::byte>(records).subspan(kafka::kBatchHeaderSize));
  header.crc = kafka::batch_crc(records.data(), std::span(&body, 1));
  kafka::patch_crc(records.data(), header.crc);
}

}  // namespace

PartitionLog::PartitionLog(FramePool& pool) : pool_(&pool), decompressors_({kafka::gzip()}) {}

AppendResult PartitionLog::append(std::span<std::byte> records, const FrameRef& frame,
                                  const TopicConfig& config, const AppendOptions& options) {
  AppendResult result;
  BatchHeader header;
  if (!check_header(records, config, options, header, result)) return result;
  if (options.validate_records && !check_records(records, config, options, header, result)) {
    return result;
  }
  if (header.producer_id >= 0) {
    if (const SentBatch* sent = find_duplicate(header)) {
      result.base_offset = sent->base_offset;
      result.log_append_time_ms = sent->max_timestamp_ms;  // also with CreateTime, as a real broker
      result.duplicate = true;
      return result;
    }
    if (!check_producer(header, result)) return result;
  }
  if (config.log_append_time) {
    stamp(records, header, options.wall_ms);
    result.log_append_time_ms = options.wall_ms;
  }
  header.base_offset = end_offset_;
  header.partition_leader_epoch = options.leader_epoch;
  kafka::patch_base_offset(records.data(), header.base_offset);
  kafka::patch_partition_leader_epoch(records.data(), options.leader_epoch);
  result.base_offset = header.base_offset;
  store(records, frame, header);
  if (header.producer_id >= 0) remember(header);
  retain(config);
  return result;
}

bool PartitionLog::check_header(std::span<const std::byte> records, const TopicConfig& config,
                                const AppendOptions& options, BatchHeader& header,
                                AppendResult& result) {
  if (records.size() < kafka::kBatchHeaderSize) {
    return refuse(result, BrokerErrc::invalid_record, "no complete record batch");
  }
  header = kafka::read_batch_header(records.data());
  if (header.batch_length < kMinBatchLength) {
    return refuse(result, BrokerErrc::corrupt_message, "the batch length is too small");
  }
  const std::size_t size = kafka::kBatchLengthEnd + static_cast<std::size_t>(header.batch_length);
  if (size > records.size()) {
    return refuse(result, BrokerErrc::invalid_record, "no complete record batch");
  }
  if (header.magic != kafka::kMagicV2) {
    return refuse(result, BrokerErrc::invalid_record, "Produce v3 and later take magic 2 only");
  }
  if (size < records.size()) {
    return refuse(result, BrokerErrc::invalid_record, "one batch per partition, please");
  }
  if (header.compression() > kafka::Compression::zstd) {
    return refuse(result, BrokerErrc::unknown_server_error, "unknown compression");
  }
  if (header.compression() == kafka::Compression::zstd &&
      options.produce_version < kFirstVersionWithZstd) {
    return refuse(result, BrokerErrc::unsupported_compression_type, "zstd needs Produce v7");
  }
  if (header.base_offset != 0) {
    return refuse(result, BrokerErrc::invalid_record, "the base offset of a new batch has to be 0");
  }
  if (size > static_cast<std::size_t>(std::max(config.max_message_bytes, 0))) {
    return refuse(result, BrokerErrc::message_too_large,
                  "a batch of " + std::to_string(size) + " bytes is above max.message.bytes, " +
                      std::to_string(config.max_message_bytes));
  }
  const wire::Bytes body(records.subspan(kafka::kBatchHeaderSize));
  if (kafka::batch_crc(records.data(), std::span(&body, 1)) != header.crc) {
    return refuse(result, BrokerErrc::corrupt_message, "the CRC does not match");
  }
  if (header.last_offset_delta < 0 || header.records_count <= 0 ||
      header.records_count - 1 != header.last_offset_delta) {
    return refuse(result, BrokerErrc::invalid_record, "record count and offsets do not agree");
  }
  if (header.is_control()) {
    return refuse(result, BrokerErrc::invalid_record, "clients do not write control records");
  }
  if (header.producer_id >= 0 && header.base_sequence < 0) {
    return refuse(result, BrokerErrc::invalid_record, "a producer id without a sequence number");
  }
  if (header.is_transactional()) {
    return refuse(result, BrokerErrc::invalid_txn_state, "no transaction was begun");
  }
  return true;
}

bool PartitionLog::check_records(std::span<const std::byte> records, const TopicConfig& config,
                                 const AppendOptions& options, const BatchHeader& header,
                                 AppendResult& result) {
  kafka::BatchView batch;
  batch.header = header;
  batch.whole = records;
  batch.payload = records.subspan(kafka::kBatchHeaderSize);
  if (kafka::needs_frame(batch) && !decompressors_.find(header.compression())) return true;
  kafka::VectorFrameSink sink;
  kafka::RecordBlock block;
  kafka::RecordsError error;
  if (!kafka::open_batch(batch, decompressors_, sink, kMaxUnpackedBytes, block, error)) {
    return refuse(result, BrokerErrc::invalid_record, error.message());
  }
  const bool check_times =
      !config.log_append_time &&
      (config.timestamp_before_max_ms != INT64_MAX || config.timestamp_after_max_ms != INT64_MAX);
  std::int32_t index = 0;
  for (const kafka::RecordView& record : block) {
    if (record.offset != header.base_offset + index) {
      return refuse(result, BrokerErrc::invalid_record, "offsets of a new batch have no gaps");
    }
    if (config.compacted && record.key.is_null()) {
      result.record_errors.push_back({index, "a compacted topic needs keys"});
      result.error = BrokerErrc::invalid_record;
    }
    if (check_times && (options.wall_ms - record.timestamp_ms > config.timestamp_before_max_ms ||
                        record.timestamp_ms - options.wall_ms > config.timestamp_after_max_ms)) {
      result.record_errors.push_back({index, "the timestamp is out of range"});
      result.error = BrokerErrc::invalid_timestamp;
    }
    ++index;
  }
  if (result.record_errors.empty()) return true;
  result.message = "one or more records have been rejected";
  return false;
}

const PartitionLog::SentBatch* PartitionLog::find_duplicate(const BatchHeader& header) const {
  const auto found = producers_.find(header.producer_id);
  if (found == producers_.end() || found->second.epoch != header.producer_epoch) return nullptr;
  for (const SentBatch& sent : found->second.batches) {
    if (sent.first_sequence == header.base_sequence &&
        sent.last_sequence == last_sequence(header)) {
      return &sent;
    }
  }
  return nullptr;
}

// A producer that nothing is known of may begin with any sequence: its state may have expired. A
// retry of something older than the five batches remembered is out of order, like any other wrong
// sequence.
bool PartitionLog::check_producer(const BatchHeader& header, AppendResult& result) const {
  const auto found = producers_.find(header.producer_id);
  if (found == producers_.end()) return true;
  const Producer& producer = found->second;
  const std::string who = "producer " + std::to_string(header.producer_id);
  if (header.producer_epoch < producer.epoch) {
    return refuse(result, BrokerErrc::invalid_producer_epoch,
                  who + " sent epoch " + std::to_string(header.producer_epoch) +
                      ", last seen was " + std::to_string(producer.epoch));
  }
  if (header.producer_epoch > producer.epoch) {
    if (header.base_sequence == 0) return true;
    return refuse(result, BrokerErrc::out_of_order_sequence_number,
                  who + " began a new epoch with sequence " + std::to_string(header.base_sequence));
  }
  if (producer.batches.empty()) return true;
  const std::int32_t last = producer.batches.back().last_sequence;
  if (follows(last, header.base_sequence)) return true;
  return refuse(result, BrokerErrc::out_of_order_sequence_number,
                who + " sent sequence " + std::to_string(header.base_sequence) + " after " +
                    std::to_string(last));
}

void PartitionLog::store(std::span<std::byte> records, const FrameRef& frame,
                         const BatchHeader& header) {
  StoredBatch batch;
  batch.size = static_cast<std::uint32_t>(records.size());
  batch.record_count = header.records_count;
  batch.base_offset = header.base_offset;
  batch.last_offset = header.last_offset();
  batch.max_timestamp_ms = header.max_timestamp;
  batch.leader_epoch = header.partition_leader_epoch;
  if (frame && records.size() >= kKeepFrameBytes && records.size() >= frame.capacity() / 2) {
    batch.frame = frame;
    batch.data = records.data();
  } else {
    if (!segment_ || segment_.capacity() - segment_used_ < records.size()) {
      const std::size_t room = std::clamp(size_bytes_, kMinSegmentBytes, kMaxSegmentBytes);
      segment_ = pool_->acquire(std::max(room, records.size()));
      segment_used_ = 0;
    }
    std::byte* to = segment_.data() + segment_used_;
    std::memcpy(to, records.data(), records.size());
    segment_used_ += records.size();
    batch.frame = segment_;
    batch.data = to;
  }
  batch.position = end_position_;
  end_offset_ = batch.last_offset + 1;
  end_position_ += batch.size;
  size_bytes_ += batch.size;
  batches_.push_back(std::move(batch));
}

void PartitionLog::remember(const BatchHeader& header) {
  Producer& producer = producers_[header.producer_id];
  if (producer.epoch != header.producer_epoch) {
    producer.epoch = header.producer_epoch;
    producer.batches.clear();
  }
  if (producer.batches.size() == kRememberedBatches) producer.batches.pop_front();
  producer.batches.push_back(
      {header.base_sequence, last_sequence(header), header.base_offset, header.max_timestamp});
}

void PartitionLog::retain(const TopicConfig& config) {
  if (config.retention_bytes < 0) return;
  const auto limit = static_cast<std::size_t>(config.retention_bytes);
  while (batches_.size() > 1 && size_bytes_ - batches_.front().size >= limit) {
    delete_before(batches_.front().last_offset + 1);
  }
}

std::size_t PartitionLog::find(std::int64_t offset) const {
  const auto at = std::partition_point(batches_.begin(), batches_.end(), [&](const StoredBatch& b) {
    return b.last_offset < offset;
  });
  return static_cast<std::size_t>(at - batches_.begin());
}

bool PartitionLog::open(const StoredBatch& batch, kafka::VectorFrameSink& sink, BatchHeader& header,
                        kafka::RecordBlock& out) const {
  header = kafka::read_batch_header(batch.data);
  kafka::BatchView view;
  view.header = header;
  view.whole = batch.bytes();
  view.payload = view.whole.subspan(kafka::kBatchHeaderSize);
  kafka::RecordsError error;
  return kafka::open_batch(view, decompressors_, sink, kMaxUnpackedBytes, out, error);
}

std::pair<std::int64_t, std::int64_t> PartitionLog::offset_for_time(
    std::int64_t timestamp_ms) const {
  for (const StoredBatch& batch : batches_) {
    if (batch.max_timestamp_ms < timestamp_ms) continue;
    kafka::VectorFrameSink sink;
    BatchHeader header;
    kafka::RecordBlock block;
    if (!open(batch, sink, header, block)) {
      return {std::max(batch.base_offset, start_offset_), batch.max_timestamp_ms};
    }
    for (const kafka::RecordView& record : block) {
      if (record.timestamp_ms >= timestamp_ms && record.offset >= start_offset_) {
        return {record.offset, record.timestamp_ms};
      }
    }
  }
  return {-1, -1};
}

std::pair<std::int64_t, std::int64_t> PartitionLog::offset_of_max_timestamp() const {
  const auto newest = std::max_element(batches_.begin(), batches_.end(),
                                       [](const StoredBatch& a, const StoredBatch& b) {
                                         return a.max_timestamp_ms < b.max_timestamp_ms;
                                       });
  if (newest == batches_.end()) return {-1, -1};
  return offset_for_time(newest->max_timestamp_ms);
}

EpochEnd PartitionLog::end_of_epoch(std::int32_t epoch) const {
  if (epoch < 0 || epoch_starts_.empty()) return {};
  if (epoch_starts_.rbegin()->first == epoch) return {epoch, end_offset_};
  const auto above = epoch_starts_.upper_bound(epoch);
  if (above == epoch_starts_.end()) return {};
  if (above == epoch_starts_.begin()) return {epoch, above->second};
  return {std::prev(above)->first, above->second};
}

std::int32_t PartitionLog::epoch_at(std::int64_t offset) const {
  std::int32_t epoch = -1;
  for (const auto& [candidate, start] : epoch_starts_) {
    if (start > offset) break;
    epoch = candidate;
  }
  return epoch;
}

void PartitionLog::begin_epoch(std::int32_t epoch) {
  std::erase_if(epoch_starts_, [&](const auto& entry) {
    return entry.first >= epoch ||
           entry.second >= end_offset_;  // epochs in which nothing was written
  });
  epoch_starts_[epoch] = end_offset_;
}

bool PartitionLog::delete_before(std::int64_t offset) {
  if (offset < start_offset_ || offset > end_offset_) return false;
  while (!batches_.empty() && batches_.front().last_offset < offset) {
    size_bytes_ -= batches_.front().size;
    batches_.pop_front();
  }
  start_offset_ = offset;
  const std::int32_t epoch = epoch_at(offset);
  std::erase_if(epoch_starts_, [&](const auto& entry) { return entry.first < epoch; });
  if (epoch >= 0) epoch_starts_[epoch] = std::max(epoch_starts_[epoch], offset);
  return true;
}

void PartitionLog::truncate(std::int64_t offset) {
  while (!batches_.empty() && batches_.back().last_offset >= offset) {
    size_bytes_ -= batches_.back().size;
    end_position_ -= batches_.back().size;
    batches_.pop_back();
  }
  end_offset_ = batches_.empty() ? std::min(end_offset_, std::max(start_offset_, offset))
                                 : batches_.back().last_offset + 1;
  start_offset_ = std::min(start_offset_, end_offset_);
  std::erase_if(epoch_starts_, [&](const auto& entry) { return entry.second >= end_offset_; });
  producers_.clear();
  for (const StoredBatch& batch : batches_) {
    const BatchHeader header = kafka::read_batch_header(batch.data);
    if (header.producer_id >= 0) remember(header);
  }
}

bool PartitionLog::for_each_record(const std::function<void(const LogRecord&)>& fn,
                                   std::int64_t from) const {
  for (std::size_t i = find(std::max(from, start_offset_)); i < batches_.size(); ++i) {
    kafka::VectorFrameSink sink;
    BatchHeader header;
    kafka::RecordBlock block;
    if (!open(batches_[i], sink, header, block)) return false;
    LogRecord out;
    out.log_append_time = header.timestamp_type() == kafka::TimestampType::log_append;
    out.control = header.is_control();
    out.leader_epoch = header.partition_leader_epoch;
    out.producer_id = header.producer_id;
    out.producer_epoch = header.producer_epoch;
    for (const kafka::RecordView& record : block) {
      if (record.offset < from || record.offset < start_offset_) continue;
      out.offset = record.offset;
      out.timestamp_ms = record.timestamp_ms;
      if (header.base_sequence >= 0) {
        out.sequence = kafka::next_sequence(
            header.base_sequence, static_cast<std::int32_t>(record.offset - header.base_offset));
      }
      out.key = record.key;
      out.value = record.value;
      out.headers = record.headers;
      fn(out);
    }
  }
  return true;
}

std::int64_t PartitionLog::record_count() const {
  std::int64_t count = 0;
  for (const StoredBatch& batch : batches_) {
    count += batch.last_offset - std::max(batch.base_offset, start_offset_) + 1;
  }
  return count;
}

}  // namespace tern::broker
