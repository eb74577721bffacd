// What a consumer makes of the records it fetches: batches that are cut, skipped, left out, wrong.
#include <gtest/gtest.h>

#include "tests/kafka/consumer_rig.h"
#include "tests/kafka/fake_brokers.h"
#include "tests/kafka/records_dump.h"

namespace tern::kafka {
namespace {

using fake::FakePartition;
using fake::SeenFetch;
using Strings = std::vector<std::string>;

// The records of the first partition of an answer, to be changed.
std::vector<std::byte> records_of(const FetchResponse& response) {
  if (response.responses.empty()) return {};
  const auto span = response.responses[0].partitions[0].records.span();
  return {span.begin(), span.end()};
}

void set_records(FetchResponse& response, wire::Arena& arena, const std::vector<std::byte>& bytes) {
  std::byte* copy = arena.make_array<std::byte>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy);
  auto& data = const_cast<FetchResponse::PartitionData&>(response.responses[0].partitions[0]);
  data.records = wire::Records(std::span<const std::byte>(copy, bytes.size()));
}

std::vector<std::byte> batch_of(const Strings& values, BatchBuilder::Options options) {
  BatchBuilder builder(options);
  for (const std::string& value : values) builder.add({.value = wire::Bytes(value)});
  return *builder.finish();
}

std::vector<std::byte> marker(std::int64_t offset, std::int64_t producer, ControlType type) {
  BatchBuilder builder(
      {.base_offset = offset, .transactional = true, .producer_id = producer, .producer_epoch = 0});
  builder.add_control(type, 0, 1);
  return *builder.finish();
}

void add_transactional(FakePartition& partition, std::int64_t producer, const Strings& values) {
  partition.add(
      values,
      {.transactional = true, .producer_id = producer, .producer_epoch = 0, .base_sequence = 0});
}

void add_marker(FakePartition& partition, std::int64_t producer, ControlType type) {
  partition.add_batch(marker(partition.end, producer, type), partition.end + 1);
}

TEST_F(ConsumerTest, ReadsFromTheBeginningAndGoesOn) {
  brokers.add_topic("t");
  brokers.at("t").add({"a", "b"});
  brokers.at("t").add({"c"});
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3), (Strings{"a", "b", "c"}));
  EXPECT_EQ(host.position("t"), 3);
  const auto polled = host.start_poll();
  host.run_for(seconds(2));
  EXPECT_FALSE(polled->done);
  brokers.at("t").add({"d"});
  brokers.changed();
  host.run_for(seconds(1));
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->values(), (Strings{"d"}));
  EXPECT_EQ(polled->records.end_offsets(), (Offsets{{"t", 0, 4, 0}}));
  EXPECT_EQ(host.end("t"), 4);
}

TEST_F(ConsumerTest, RecordsSayWhereTheyAreFrom) {
  brokers.add_topic("t", 2);
  brokers.at("t", 1).leader_epoch = 3;
  brokers.at("t", 1).add({"a"});
  start_at("t", Position::earliest(), 2);
  const auto polled = host.poll();
  ASSERT_EQ(polled->records.size(), 1u);
  const ConsumerRecord record = *polled->records.begin();
  EXPECT_EQ(record.topic, "t");
  EXPECT_EQ(record.partition, 1);
  EXPECT_EQ(record.leader_epoch, 3);
  EXPECT_EQ(record.offset, 0);
  EXPECT_EQ(record.timestamp_ms, 1000);
  EXPECT_TRUE(record.key.is_null());
  ASSERT_EQ(polled->records.batches().size(), 1u);
  EXPECT_EQ(polled->records.batches()[0].partition(), 1);
  polled->records.done();
  EXPECT_TRUE(polled->records.empty());
  EXPECT_EQ(polled->records.end_offsets(), Offsets());
}

TEST_F(ConsumerTest, TruncatedTailKeepsCompleteBatches) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  brokers.at("t").add({"b"});
  int cuts = 0;
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena& arena) {
    std::vector<std::byte> bytes = records_of(response);
    if (bytes.empty()) return false;
    if (cuts++ == 0) {
      bytes.resize(bytes.size() - 5);
      set_records(response, arena, bytes);
    }
    return true;
  };
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(2), (Strings{"a", "b"}));
  EXPECT_EQ(cuts, 2);
}

TEST_F(ConsumerTest, FirstBatchAboveTheLimitIsAskedForWithMore) {
  brokers.add_topic("t");
  brokers.at("t").add({std::string(5000, 'x')});
  config.partition_max_bytes = 1000;
  // A broker that makes no exception for the first batch.
  brokers.edit_fetch = [&](const SeenFetch& seen, FetchResponse& response, wire::Arena& arena) {
    std::vector<std::byte> bytes = records_of(response);
    if (bytes.empty()) return false;
    const auto limit = static_cast<std::size_t>(
        std::min(seen.asked.at({"t", 0}).partition_max_bytes, seen.max_bytes));
    if (bytes.size() > limit) bytes.resize(limit);
    set_records(response, arena, bytes);
    return true;
  };
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1).at(0).size(), 5000u);
  EXPECT_GE(brokers.fetches.size(), 2u);
  EXPECT_LE(brokers.fetches.size(), 4u);
}

TEST_F(ConsumerTest, BatchThatCanNeverArriveIsAnErrorThatSaysSo) {
  brokers.add_topic("t");
  brokers.at("t").add({std::string(500'000, 'x')});
  host.client_config.max_response_bytes = 200'000;
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena& arena) {
    std::vector<std::byte> bytes = records_of(response);
    if (bytes.empty()) return false;
    bytes.resize(100);
    set_records(response, arena, bytes);
    return true;
  };
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::record_too_large);
  EXPECT_NE(polled->failure.message().find("max_response_bytes"), std::string::npos);
}

TEST_F(ConsumerTest, BatchThatBeginsBeforeThePositionIsSkippedInto) {
  brokers.add_topic("t");
  brokers.at("t").add({"a", "b", "c"});
  start_at("t", Position::offset(1));
  EXPECT_EQ(host.take(2), (Strings{"b", "c"}));
}

TEST_F(ConsumerTest, PositionGoesPastRecordsThatCompactionRemoved) {
  brokers.add_topic("t");
  FakePartition& t = brokers.at("t");
  BatchBuilder last_gone({.base_offset = 0});
  last_gone.add({.value = wire::Bytes("a")});
  last_gone.set_last_offset(4);
  t.add_batch(*last_gone.finish(), 5);
  BatchBuilder all_gone({.base_offset = 5});
  all_gone.set_last_offset(9);
  t.add_batch(*all_gone.finish(), 10);
  t.add({"b"});
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(2), (Strings{"a", "b"}));
  EXPECT_EQ(host.position("t"), 11);
}

TEST_F(ConsumerTest, EmptyBatchAtTheEndMovesThePosition) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  BatchBuilder all_gone({.base_offset = 1});
  all_gone.set_last_offset(6);
  brokers.at("t").add_batch(*all_gone.finish(), 7);
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  EXPECT_EQ(polled->values(), (Strings{"a"}));
  EXPECT_EQ(host.position("t"), 7);
  EXPECT_EQ(polled->records.end_offsets()[0].offset, 7);
}

TEST_F(ConsumerTest, ControlBatchesAreNotHandedOutButMoveThePosition) {
  brokers.add_topic("t");
  FakePartition& t = brokers.at("t");
  add_transactional(t, 7, {"a"});
  add_marker(t, 7, ControlType::commit);
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  EXPECT_EQ(polled->values(), (Strings{"a"}));
  EXPECT_EQ(polled->records.end_offsets()[0].offset, 2);
  // An empty control batch is legal.
  std::vector<std::byte> empty = marker(2, 7, ControlType::abort);
  BatchHeader header = read_batch_header(empty.data());
  empty.resize(kBatchHeaderSize);
  header.records_count = 0;
  header.batch_length = static_cast<std::int32_t>(kBatchHeaderSize - kBatchLengthEnd);
  write_batch_header(empty.data(), header);
  patch_crc(empty.data(), batch_crc(empty.data(), std::span<const wire::Bytes>()));
  t.add_batch(empty, 3);
  t.add({"b"});
  brokers.changed();
  EXPECT_EQ(host.take(1), (Strings{"b"}));
}

TEST_F(ConsumerTest, ReadCommittedLeavesOutAbortedAndSortsTheList) {
  brokers.add_topic("t");
  FakePartition& t = brokers.at("t");
  add_transactional(t, 1, {"aborted 1"});    // 0
  add_transactional(t, 2, {"committed 2"});  // 1
  add_marker(t, 1, ControlType::abort);      // 2: ends 1 only
  add_transactional(t, 3, {"aborted 3"});    // 3
  add_transactional(t, 1, {"committed 1"});  // 4
  add_marker(t, 2, ControlType::commit);     // 5
  add_marker(t, 1, ControlType::commit);     // 6
  add_marker(t, 3, ControlType::abort);      // 7
  t.add({"plain"});                          // 8
  t.aborted = {{3, 3}, {1, 0}};              // not in order
  config.isolation = Isolation::read_committed;
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3), (Strings{"committed 2", "committed 1", "plain"}));
  EXPECT_EQ(brokers.fetches[0].isolation, 1);
}

TEST_F(ConsumerTest, ReadUncommittedSeesAbortedRecords) {
  brokers.add_topic("t");
  add_transactional(brokers.at("t"), 1, {"aborted"});
  add_marker(brokers.at("t"), 1, ControlType::abort);
  brokers.at("t").aborted = {{1, 0}};
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1), (Strings{"aborted"}));
}

TEST_F(ConsumerTest, AbortMarkerWithoutEntryAndWithoutDataIsLegal) {
  brokers.add_topic("t");
  FakePartition& t = brokers.at("t");
  add_marker(t, 9, ControlType::abort);
  add_transactional(t, 9, {"a"});
  add_marker(t, 9, ControlType::commit);
  config.isolation = Isolation::read_committed;
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1), (Strings{"a"}));
}

TEST_F(ConsumerTest, CompactionMayHaveRemovedTheFirstAbortedRecord) {
  brokers.add_topic("t");
  FakePartition& t = brokers.at("t");
  t.end = 3;
  t.start = 0;
  add_transactional(t, 1, {"aborted"});  // 3, while the transaction began at 1
  add_marker(t, 1, ControlType::abort);
  add_transactional(t, 1, {"committed"});
  t.aborted = {{1, 1}};
  config.isolation = Isolation::read_committed;
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1), (Strings{"committed"}));
}

TEST_F(ConsumerTest, LastStableOffsetBoundsTheLagOfReadCommitted) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  brokers.at("t").last_stable = 1;
  brokers.at("t").end = 5;
  config.isolation = Isolation::read_committed;
  start_at("t", Position::earliest());
  host.take(1);
  EXPECT_EQ(host.end("t"), 1);
}

TEST_F(ConsumerTest, WrongChecksumIsReportedOnceAfterTheGoodRecords) {
  brokers.add_topic("t", 2);
  FakePartition& t = brokers.at("t");
  t.add({"good"});
  t.add({"bad"});
  t.batches[1].bytes.back() ^= std::byte{1};
  t.add({"after"});
  start_at("t", Position::earliest(), 2);
  EXPECT_EQ(host.take(1), (Strings{"good"}));
  auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, make_error_code(wire::Errc::bad_crc));
  EXPECT_NE(polled->failure.message().find("t-0 at offset 1"), std::string::npos)
      << polled->failure.message();
  EXPECT_EQ(host.position("t"), 1);
  // No spinning: the partition stands still, others go on.
  const std::size_t before = brokers.fetches.size();
  polled = host.start_poll();
  host.run_for(seconds(5));
  EXPECT_FALSE(polled->done);
  EXPECT_LE(brokers.fetches.size(), before + 12);
  brokers.at("t", 1).add({"other"});
  brokers.changed();
  host.run_for(seconds(1));
  EXPECT_EQ(polled->values(), (Strings{"other"}));
  host.seek("t", 0, Position::offset(2));
  EXPECT_EQ(host.take(1), (Strings{"after"}));
}

TEST_F(ConsumerTest, ChecksumsCanBeSwitchedOff) {
  brokers.add_topic("t");
  brokers.at("t").add({"bad"});
  brokers.at("t").batches[0].bytes[kBatchCrcStart - 1] ^= std::byte{1};
  config.check_crcs = false;
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1), (Strings{"bad"}));
}

TEST_F(ConsumerTest, CompressedBatchesAreUnpacked) {
  brokers.add_topic("t");
  brokers.at("t").add({std::string(100'000, 'x'), "b"}, {.codec = gzip()});
  brokers.at("t").add({"c"}, {.codec = gzip()});
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(3), (Strings{std::string(100'000, 'x'), "b", "c"}));
}

TEST_F(ConsumerTest, MissingCodecNamesTheCodec) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"}, {.codec = gzip()});
  host.client_config.codecs = {};
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, ClientErrc::codec_missing);
  EXPECT_NE(polled->failure.message().find("gzip"), std::string::npos);
}

TEST_F(ConsumerTest, BatchThatUnpacksToTooMuchIsAnError) {
  brokers.add_topic("t");
  brokers.at("t").add({std::string(100'000, 'x')}, {.codec = gzip()});
  config.max_decompressed_batch_bytes = 50'000;
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  EXPECT_EQ(polled->failure.code, make_error_code(wire::Errc::too_large));
  EXPECT_NE(polled->failure.message().find("max_decompressed_batch_bytes"), std::string::npos);
}

TEST_F(ConsumerTest, LengthThatLiesSurfaces) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  brokers.at("t").batches[0].bytes[8] = std::byte{0xff};  // a negative batch length
  start_at("t", Position::earliest());
  const auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, make_error_code(wire::Errc::bad_length));
}

TEST_F(ConsumerTest, AnswerWithoutProgressIsNoReasonToSpin) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  brokers.at("t").end = 10;
  const auto old = batch_of({"a"}, {});
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena& arena) {
    set_records(response, arena, old);
    return true;
  };
  start_at("t", Position::offset(5));
  const auto polled = host.poll();
  ASSERT_TRUE(polled->done);
  EXPECT_EQ(polled->failure.code, ClientErrc::protocol_violation);
  EXPECT_EQ(brokers.fetches.size(), 1u);
}

TEST_F(ConsumerTest, PartitionNamedTwiceInAnAnswerCountsOnce) {
  brokers.add_topic("t");
  brokers.at("t").add({"a"});
  brokers.edit_fetch = [&](const SeenFetch&, FetchResponse& response, wire::Arena& arena) {
    if (records_of(response).empty()) return false;
    auto* twice = arena.make_array<FetchResponse::FetchableTopicResponse>(2);
    twice[0] = twice[1] = response.responses[0];
    response.responses = {twice, 2};
    return true;
  };
  start_at("t", Position::earliest());
  EXPECT_EQ(host.take(1), (Strings{"a"}));
  const auto polled = host.poll(seconds(2));
  EXPECT_FALSE(polled->failure);
  EXPECT_TRUE(polled->records.empty());
}

TEST_F(ConsumerTest, MaxPollRecordsSplitsBatches) {
  brokers.add_topic("t", 2);
  brokers.at("t", 0).add({"a", "b", "c"});
  brokers.at("t", 1).add({"x", "y"});
  config.max_poll_records = 2;
  start_at("t", Position::earliest(), 2);
  std::vector<Strings> polls;
  std::vector<Offsets> ends;
  for (int i = 0; i < 3; ++i) {
    const auto polled = host.poll();
    polls.push_back(polled->values());
    ends.push_back(polled->records.end_offsets());
  }
  EXPECT_EQ(polls[0], (Strings{"a", "b"}));
  EXPECT_EQ(ends[0], (Offsets{{"t", 0, 2, 0}}));
  EXPECT_EQ(polls[1], (Strings{"x", "y"}));  // partitions take turns
  EXPECT_EQ(polls[2], (Strings{"c"}));
  EXPECT_EQ(ends[2], (Offsets{{"t", 0, 3, 0}}));
}

TEST_F(ConsumerTest, EachVersionOfFetchIsSpoken) {
  for (const int number : {4, 6, 7, 9, 11, 12, 13, 16}) {
    const auto version = static_cast<std::int16_t>(number);
    SCOPED_TRACE(version);
    sim::World own{1};
    sim::Fabric paths{own, sim::FaultPlan::none()};
    fake::FakeBrokers nodes(own, paths, 1);
    nodes.add_topic("t");
    nodes.at("t").add({"a", "b"});
    nodes.max_fetch_version = version;
    ConsumerHost reader(own, paths);
    ConsumerConfig plain;
    plain.assignment = {{"t", 0, Position::earliest()}};
    reader.start(nodes.bootstrap(), plain);
    auto polled = reader.start_poll();
    own.run_until([&] { return polled->done; }, seconds(10));
    EXPECT_EQ(polled->values(), (Strings{"a", "b"}));
    EXPECT_EQ(nodes.fetches.at(0).version, version);
  }
}

std::string hex_of(const wire::Bytes& bytes) {
  return bytes.is_null() ? "null" : "'" + testing::to_hex(bytes.span()) + "'";
}

// Message sets of the formats before 0.11 as other clients wrote them, their offsets from 10 on.
TEST_F(ConsumerTest, FormatsOfOldAreRead) {
  for (const char* name : {"java_v0_plain", "java_v0_gzip", "java_v1_plain", "java_v1_gzip",
                           "java_v1_append_time", "java_v1_gzip_append_time"}) {
    SCOPED_TRACE(name);
    const std::string file = "tests/golden/records/" + std::string(name) + ".hex";
    const Strings want = testing::golden_lines(file);
    ASSERT_FALSE(want.empty());
    sim::World own{1};
    sim::Fabric paths{own, sim::FaultPlan::none()};
    fake::FakeBrokers nodes(own, paths, 1);
    nodes.add_topic("t");
    nodes.at("t").start = 10;
    nodes.at("t").add_batch(testing::golden_bytes(file),
                            10 + static_cast<std::int64_t>(want.size()));
    nodes.max_fetch_version = 10;
    ConsumerHost reader(own, paths);
    ConsumerConfig plain;
    plain.assignment = {{"t", 0, Position::earliest()}};
    reader.start(nodes.bootstrap(), plain);
    Strings got;
    while (got.size() < want.size()) {
      auto polled = reader.start_poll();
      own.run_until([&] { return polled->done; }, seconds(10));
      ASSERT_FALSE(polled->failure) << polled->failure.message();
      ASSERT_FALSE(polled->records.empty());
      for (const ConsumerRecord& record : polled->records) {
        got.push_back("record offset=" + std::to_string(record.offset) +
                      " time=" + std::to_string(record.timestamp_ms) +
                      " key=" + hex_of(record.key) + " value=" + hex_of(record.value));
      }
    }
    EXPECT_EQ(got, want);
  }
}

// -------------------------------------------------------------------------------------- memory

class PrefetchTest : public ConsumerTest {
 protected:
  void fill(int batches, std::size_t bytes, std::shared_ptr<const Codec> codec = nullptr) {
    brokers.add_topic("t");
    for (int i = 0; i < batches; ++i) {
      brokers.at("t").add({std::string(bytes, static_cast<char>('a' + i % 26))}, {.codec = codec});
    }
  }
  std::size_t most() {
    most_ = std::max(most_, host.consumer().held_bytes());
    return most_;
  }
  std::size_t most_ = 0;
};

TEST_F(PrefetchTest, WhatTheUserHoldsCountsAndFetchingGoesOnWhenItIsGivenBack) {
  fill(100, 10'000);
  config.prefetch_bytes = 200'000;
  config.partition_max_bytes = 30'000;
  start_at("t", Position::earliest());
  std::vector<Records> hoard;
  std::size_t records = 0;
  for (;;) {
    const auto polled = host.start_poll(seconds(3));
    world.run_until(
        [&] {
          most();
          return polled->done;
        },
        seconds(10));
    ASSERT_TRUE(polled->done);
    if (polled->records.empty()) break;
    records += polled->records.size();
    hoard.push_back(std::move(polled->records));
  }
  EXPECT_GT(records, 5u);
  EXPECT_LT(records, 20u);
  EXPECT_LE(most(), config.prefetch_bytes);
  const std::size_t before = brokers.fetches.size();
  host.run_for(seconds(5));
  EXPECT_EQ(brokers.fetches.size(), before);  // nothing is asked for meanwhile
  hoard.clear();
  while (records < 100) {
    const auto polled = host.poll();
    ASSERT_FALSE(polled->records.empty());
    records += polled->records.size();
    most();
  }
  EXPECT_LE(most(), config.prefetch_bytes);
}

TEST_F(PrefetchTest, DecompressedMemoryCountsToo) {
  fill(60, 50'000, gzip());
  config.prefetch_bytes = 400'000;
  start_at("t", Position::earliest());
  std::vector<Records> hoard;
  std::size_t records = 0;
  for (;;) {
    const auto polled = host.start_poll(seconds(3));
    world.run_until(
        [&] {
          most();
          return polled->done;
        },
        seconds(10));
    if (polled->records.empty()) break;
    records += polled->records.size();
    hoard.push_back(std::move(polled->records));
  }
  EXPECT_GT(records, 2u);
  EXPECT_LT(records, 9u);
  EXPECT_LE(most(), config.prefetch_bytes);
  hoard.clear();
  while (records < 60) {
    const auto polled = host.poll();
    ASSERT_FALSE(polled->records.empty());
    records += polled->records.size();
    most();
  }
  EXPECT_LE(most(), config.prefetch_bytes);
}

TEST_F(PrefetchTest, BatchAboveAllLimitsStillGetsThrough) {
  fill(3, 100'000);
  config.prefetch_bytes = 10'000;
  config.partition_max_bytes = 1000;
  start_at("t", Position::earliest());
  std::size_t records = 0;
  for (int i = 0; i < 3; ++i) records += host.poll()->records.size();
  EXPECT_EQ(records, 3u);
}

TEST_F(PrefetchTest, CompressedBatchAboveAllLimitsStillGetsThrough) {
  fill(3, 100'000, gzip());
  config.prefetch_bytes = 10'000;
  start_at("t", Position::earliest());
  std::size_t records = 0;
  for (int i = 0; i < 3; ++i) records += host.poll()->records.size();
  EXPECT_EQ(records, 3u);
}

TEST_F(PrefetchTest, NothingIsHeldWhenAllIsGivenBackAndTheLogIsRead) {
  fill(10, 10'000);
  start_at("t", Position::earliest());
  host.take(10);
  host.run_for(seconds(1));
  EXPECT_EQ(host.consumer().held_bytes(), 0u);
}

TEST_F(PrefetchTest, DataOfPausedPartitionsDoesNotStarveTheOthers) {
  brokers.add_topic("t", 2);
  for (int i = 0; i < 10; ++i) brokers.at("t", 0).add({std::string(60'000, 'p')});
  config.prefetch_bytes = 100'000;
  start_at("t", Position::earliest(), 2);
  host.run_for(seconds(2));
  EXPECT_GT(host.consumer().held_bytes(), 0u);
  host.consumer().set_paused({"t", 0}, true);
  brokers.at("t", 1).add({std::string(60'000, 'q')});
  brokers.changed();
  EXPECT_EQ(host.take(1).at(0)[0], 'q');
  host.consumer().set_paused({"t", 0}, false);
  EXPECT_EQ(host.take(10).size(), 10u);
}

TEST_F(PrefetchTest, RecordsOutliveConsumerAndEngine) {
  fill(1, 10'000);
  Records kept;
  {
    sim::World own{1};
    sim::Fabric paths{own, sim::FaultPlan::none()};
    fake::FakeBrokers nodes(own, paths, 1);
    nodes.add_topic("topic with a long name, longer than any small string");
    nodes.topics.begin()->second.partitions.at(0).add({"value"});
    ConsumerHost reader(own, paths);
    ConsumerConfig plain;
    plain.assignment = {{nodes.topics.begin()->first, 0, Position::earliest()}};
    reader.start(nodes.bootstrap(), plain);
    auto polled = reader.start_poll();
    own.run_until([&] { return polled->done; }, seconds(10));
    kept = std::move(polled->records);
  }
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ((*kept.begin()).topic, "topic with a long name, longer than any small string");
  EXPECT_EQ((*kept.begin()).value, "value");
}

}  // namespace
}  // namespace tern::kafka
