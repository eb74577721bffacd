#include "tests/broker/log.h"

#include <gtest/gtest.h>

#include <limits>

#include "protocol/kafka/gzip.h"
#include "tests/broker/testing.h"

namespace tern::broker {
namespace {

class LogTest : public testing::Test {
 protected:
  AppendResult append(const BatchSpec& spec) { return append_bytes(make_batch(spec)); }
  AppendResult append_bytes(Bytes bytes) {
    return log_.append(bytes, FrameRef(), config_, options_);
  }
  BrokerErrc append_sequence(std::int32_t sequence, std::size_t count = 1, std::int16_t epoch = 0) {
    BatchSpec spec;
    spec.values.assign(count, "v");
    spec.producer_id = 7;
    spec.epoch = epoch;
    spec.sequence = sequence;
    return append(spec).error;
  }
  void SetUp() override {
    options_.wall_ms = 5000;
    log_.begin_epoch(0);
  }

  FramePool pool_{1U << 20};
  PartitionLog log_{pool_};
  TopicConfig config_;
  AppendOptions options_;
};

TEST_F(LogTest, OffsetsAndEpochAreTheBrokers) {
  EXPECT_EQ(append({.values = {"a", "b"}}).base_offset, 0);
  options_.leader_epoch = 3;
  log_.begin_epoch(3);
  const AppendResult second = append({.values = {"c"}});
  EXPECT_EQ(second.error, BrokerErrc::none);
  EXPECT_EQ(second.base_offset, 2);
  EXPECT_EQ(second.log_append_time_ms, -1);
  EXPECT_EQ(log_.end_offset(), 3);
  EXPECT_EQ(log_values(log_), (Strings{"a", "b", "c"}));
  const auto header = kafka::read_batch_header(log_.batches()[1].data);
  EXPECT_EQ(header.base_offset, 2);
  EXPECT_EQ(header.partition_leader_epoch, 3);
}

TEST_F(LogTest, LogAppendTimeIsStampedUnderAValidSum) {
  config_.log_append_time = true;
  EXPECT_EQ(append({.values = {"a", "b"}}).log_append_time_ms, 5000);
  kafka::BatchIterator batches(log_.batches()[0].bytes());
  kafka::BatchView batch;
  ASSERT_TRUE(batches.next(batch)) << batches.error().message();
  EXPECT_EQ(batch.header.timestamp_type(), kafka::TimestampType::log_append);
  std::vector<std::int64_t> times;
  log_.for_each_record([&](const LogRecord& record) { times.push_back(record.timestamp_ms); });
  EXPECT_EQ(times, (std::vector<std::int64_t>{5000, 5000}));
}

TEST_F(LogTest, RefusesWhatIsNoBatch) {
  EXPECT_EQ(append_bytes({}).error, BrokerErrc::invalid_record);
  Bytes batch = make_batch({});
  batch.pop_back();
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::invalid_record);
  batch = make_batch({});
  batch.back() ^= std::byte{1};
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::corrupt_message);
  batch = make_batch({});
  batch[16] = std::byte{1};  // magic
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::invalid_record);
  batch = make_batch({});
  kafka::patch_base_offset(batch.data(), 1);
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::invalid_record);
  Bytes two = make_batch({});
  const Bytes other = make_batch({});
  two.insert(two.end(), other.begin(), other.end());
  EXPECT_EQ(append_bytes(two).error, BrokerErrc::invalid_record);
  EXPECT_EQ(log_.end_offset(), 0);
}

TEST_F(LogTest, RefusesCountsThatLie) {
  const auto change = [](auto&& edit) {
    Bytes batch = make_batch({.values = {"a", "b"}});
    kafka::BatchHeader header = kafka::read_batch_header(batch.data());
    edit(header);
    kafka::write_batch_header(batch.data(), header);
    const wire::Bytes body(std::span<const std::byte>(batch).subspan(kafka::kBatchHeaderSize));
    kafka::patch_crc(batch.data(), kafka::batch_crc(batch.data(), std::span(&body, 1)));
    return batch;
  };
  using Header = kafka::BatchHeader;
  EXPECT_EQ(append_bytes(change([](Header&) {})).error, BrokerErrc::none);
  EXPECT_EQ(append_bytes(change([](Header& h) { h.records_count = 3; })).error,
            BrokerErrc::invalid_record);
  EXPECT_EQ(append_bytes(change([](Header& h) { h.last_offset_delta = 0; })).error,
            BrokerErrc::invalid_record);
  EXPECT_EQ(
      append_bytes(change([](Header& h) { h.records_count = 1, h.last_offset_delta = 0; })).error,
      BrokerErrc::invalid_record);
  EXPECT_EQ(
      append_bytes(change([](Header& h) { h.attributes = kafka::attribute::kControl; })).error,
      BrokerErrc::invalid_record);
  EXPECT_EQ(append_bytes(change([](Header& h) { h.producer_id = 1; })).error,
            BrokerErrc::invalid_record);
  EXPECT_EQ(append_bytes(change([](Header& h) {
              h.attributes = kafka::attribute::kTransactional;
            })).error,
            BrokerErrc::invalid_txn_state);
  EXPECT_EQ(append_bytes(change([](Header& h) { h.attributes = 4; })).error, BrokerErrc::none);
  options_.produce_version = 6;
  EXPECT_EQ(append_bytes(change([](Header& h) { h.attributes = 4; })).error,
            BrokerErrc::unsupported_compression_type);
}

TEST_F(LogTest, LimitsTheSizeOfABatch) {
  const Bytes batch = make_batch({});
  config_.max_message_bytes = static_cast<std::int32_t>(batch.size());
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::none);
  --config_.max_message_bytes;
  EXPECT_EQ(append_bytes(batch).error, BrokerErrc::message_too_large);
}

TEST_F(LogTest, NamesTheRecordsThatAreWrong) {
  config_.compacted = true;
  EXPECT_EQ(append({.key = "k"}).error, BrokerErrc::none);
  const AppendResult keyless = append({.values = {"a", "b"}});
  EXPECT_EQ(keyless.error, BrokerErrc::invalid_record);
  ASSERT_EQ(keyless.record_errors.size(), 2U);
  EXPECT_EQ(keyless.record_errors[1].batch_index, 1);

  config_ = {};
  config_.timestamp_before_max_ms = 100;
  EXPECT_EQ(append({.timestamp_ms = 4900}).error, BrokerErrc::none);
  const AppendResult old = append({.values = {"a", "b"}, .timestamp_ms = 4899});
  EXPECT_EQ(old.error, BrokerErrc::invalid_timestamp);
  ASSERT_EQ(old.record_errors.size(), 1U);
  EXPECT_EQ(old.record_errors[0].batch_index, 0);
}

TEST_F(LogTest, SequencesGoUpWithoutGaps) {
  EXPECT_EQ(append_sequence(0, 3), BrokerErrc::none);
  EXPECT_EQ(append_sequence(3), BrokerErrc::none);
  EXPECT_EQ(append_sequence(5), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(2), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(4), BrokerErrc::none);
  EXPECT_EQ(log_.end_offset(), 5);
}

TEST_F(LogTest, AnUnknownProducerMayBeginAnywhere) {
  EXPECT_EQ(append_sequence(41), BrokerErrc::none);
  EXPECT_EQ(append_sequence(43), BrokerErrc::out_of_order_sequence_number);
  log_.forget_producer(7);
  EXPECT_EQ(append_sequence(43), BrokerErrc::none);
}

TEST_F(LogTest, ARetryOfTheLastFiveBatchesGetsTheOldOffset) {
  for (std::int32_t i = 0; i < 6; ++i) ASSERT_EQ(append_sequence(i * 2, 2), BrokerErrc::none);
  for (std::int32_t i = 1; i < 6; ++i) {
    const AppendResult again =
        append({.values = {"v", "v"}, .producer_id = 7, .epoch = 0, .sequence = i * 2});
    EXPECT_TRUE(again.duplicate) << i;
    EXPECT_EQ(again.error, BrokerErrc::none);
    EXPECT_EQ(again.base_offset, i * 2);
  }
  EXPECT_EQ(append_sequence(0, 2),
            BrokerErrc::out_of_order_sequence_number);  // the sixth is forgotten
  EXPECT_EQ(append_sequence(10, 1), BrokerErrc::out_of_order_sequence_number);  // another batch
  EXPECT_EQ(log_.end_offset(), 12);
}

TEST_F(LogTest, EpochsFenceAndBeginAtZero) {
  EXPECT_EQ(append_sequence(0, 1, 1), BrokerErrc::none);
  EXPECT_EQ(append_sequence(1, 1, 0), BrokerErrc::invalid_producer_epoch);
  EXPECT_EQ(append_sequence(1, 1, 2), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(0, 1, 2), BrokerErrc::none);
  EXPECT_EQ(append_sequence(1, 1, 1), BrokerErrc::invalid_producer_epoch);
  EXPECT_EQ(append_sequence(1, 1, 2), BrokerErrc::none);
}

TEST_F(LogTest, SequencesWrap) {
  constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(append_sequence(kMax - 1, 2), BrokerErrc::none);
  EXPECT_EQ(append_sequence(1), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(0), BrokerErrc::none);
  log_.forget_producer(7);
  EXPECT_EQ(append_sequence(kMax, 3), BrokerErrc::none);  // kMax, 0, 1
  EXPECT_EQ(append_sequence(2), BrokerErrc::none);
  std::vector<std::int32_t> sequences;
  log_.for_each_record([&](const LogRecord& record) { sequences.push_back(record.sequence); }, 3);
  EXPECT_EQ(sequences, (std::vector<std::int32_t>{kMax, 0, 1, 2}));
}

TEST_F(LogTest, TruncationTakesProducerStateBack) {
  for (std::int32_t i = 0; i < 4; ++i) ASSERT_EQ(append_sequence(i), BrokerErrc::none);
  log_.truncate(2);
  EXPECT_EQ(log_.end_offset(), 2);
  EXPECT_EQ(append_sequence(3), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(2), BrokerErrc::none);
  log_.truncate(0);
  EXPECT_EQ(log_.end_offset(), 0);
  EXPECT_EQ(log_.size_bytes(), 0U);
  EXPECT_EQ(append_sequence(9), BrokerErrc::none);
}

TEST_F(LogTest, DeletedRecordsAreGoneButProducersAreKnown) {
  EXPECT_EQ(append_sequence(0, 3), BrokerErrc::none);
  EXPECT_EQ(append_sequence(3, 3), BrokerErrc::none);
  EXPECT_FALSE(log_.delete_before(7));
  EXPECT_TRUE(log_.delete_before(4));
  EXPECT_FALSE(log_.delete_before(3));
  EXPECT_EQ(log_.start_offset(), 4);
  EXPECT_EQ(log_.batches().size(), 1U);
  EXPECT_EQ(log_.record_count(), 2);
  EXPECT_EQ(log_values(log_).size(), 2U);
  EXPECT_TRUE(log_.delete_before(6));
  EXPECT_EQ(append_sequence(5), BrokerErrc::out_of_order_sequence_number);
  EXPECT_EQ(append_sequence(6), BrokerErrc::none);
}

TEST_F(LogTest, OldBatchesGoByRetention) {
  const auto size = static_cast<std::int64_t>(make_batch({}).size());
  config_.retention_bytes = 2 * size;
  for (int i = 0; i < 5; ++i) append({});
  EXPECT_EQ(log_.start_offset(), 3);
  EXPECT_EQ(log_.end_offset(), 5);
}

TEST_F(LogTest, FindsOffsetsByTime) {
  append({.values = {"a", "b", "c"}, .timestamp_ms = 1000});
  append({.values = {"d", "e", "f"}, .timestamp_ms = 2000, .codec = kafka::gzip()});
  append({.values = {"g"}, .timestamp_ms = 1500});
  using Found = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(log_.offset_for_time(0), Found(0, 1000));
  EXPECT_EQ(log_.offset_for_time(1002), Found(2, 1002));
  EXPECT_EQ(log_.offset_for_time(1003), Found(3, 2000));
  EXPECT_EQ(log_.offset_for_time(2002), Found(5, 2002));
  EXPECT_EQ(log_.offset_for_time(2003), Found(-1, -1));
  EXPECT_EQ(log_.offset_of_max_timestamp(), Found(5, 2002));
  log_.delete_before(1);
  EXPECT_EQ(log_.offset_for_time(0), Found(1, 1001));
}

TEST_F(LogTest, KnowsWhereEpochsEnded) {
  append({.values = {"a", "b"}});  // epoch 0: offsets 0, 1
  log_.begin_epoch(2);             // nothing written in 2
  log_.begin_epoch(4);
  append({});  // epoch 4: offset 2
  const auto end = [&](std::int32_t epoch) {
    const EpochEnd found = log_.end_of_epoch(epoch);
    return std::pair(found.epoch, found.end_offset);
  };
  using Found = std::pair<std::int32_t, std::int64_t>;
  EXPECT_EQ(end(0), Found(0, 2));
  EXPECT_EQ(end(2), Found(0, 2));
  EXPECT_EQ(end(3), Found(0, 2));
  EXPECT_EQ(end(4), Found(4, 3));
  EXPECT_EQ(end(5), Found(-1, -1));
  EXPECT_EQ(end(-1), Found(-1, -1));
  EXPECT_EQ(log_.epoch_at(1), 0);
  EXPECT_EQ(log_.epoch_at(2), 4);
  log_.delete_before(2);
  EXPECT_EQ(end(0), Found(0, 2));
  log_.truncate(2);
  EXPECT_EQ(end(4), Found(-1, -1));
}

TEST_F(LogTest, ALargeBatchKeepsItsFrame) {
  const Bytes batch = make_batch({.values = {std::string(100000, 'x')}});
  const FrameRef frame = pool_.acquire(batch.size());
  std::memcpy(frame.data(), batch.data(), batch.size());
  EXPECT_EQ(log_.append(frame.space().first(batch.size()), frame, config_, options_).error,
            BrokerErrc::none);
  EXPECT_EQ(log_.batches()[0].data, frame.data());
  append({});
  append({});
  const auto& batches = log_.batches();
  EXPECT_EQ(batches[1].data + batches[1].size, batches[2].data);  // small ones lie side by side
}

}  // namespace
}  // namespace tern::broker
