// Record batches that tern writes and reads itself: every field, every shape.
#include "protocol/kafka/records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "protocol/kafka/gzip.h"
#include "protocol/wire/crc32c.h"
#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

constexpr std::int64_t kTime = 1700000000000;

// A record that owns its bytes.
struct OwnedHeader {
  std::string key;
  std::optional<std::string> value;
  friend bool operator==(const OwnedHeader&, const OwnedHeader&) = default;
};
struct OwnedRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<OwnedHeader> headers;
  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

wire::Bytes view(const std::optional<std::string>& bytes) {
  return bytes ? wire::Bytes(*bytes) : wire::Bytes::null();
}
std::optional<std::string> own(wire::Bytes bytes) {
  if (bytes.is_null()) return std::nullopt;
  return bytes.str();
}

void add(BatchBuilder& builder, const OwnedRecord& record) {
  std::vector<Header> headers;
  for (const OwnedHeader& header : record.headers)
    headers.push_back({header.key, view(header.value)});
  builder.add_at(record.offset, {.key = view(record.key),
                                 .value = view(record.value),
                                 .headers = headers,
                                 .timestamp_ms = record.timestamp});
}

OwnedRecord own(const RecordView& record) {
  OwnedRecord owned{record.offset, record.timestamp_ms, own(record.key), own(record.value), {}};
  for (const Header& header : record.headers) {
    owned.headers.push_back({header.key.str(), own(header.value)});
  }
  return owned;
}

// All records of all batches; fails the test on any error.
std::vector<OwnedRecord> read(std::span<const std::byte> bytes) {
  std::vector<OwnedRecord> records;
  Decompressors decompressors({gzip()});
  BatchIterator batches(bytes);
  for (BatchView batch; batches.next(batch);) {
    VectorFrameSink frame;
    RecordBlock block;
    RecordsError error;
    EXPECT_TRUE(open_batch(batch, decompressors, frame, 1 << 26, block, error)) << error.message();
    EXPECT_EQ(needs_frame(batch), !frame.bytes().empty());
    for (const RecordView& record : block) records.push_back(own(record));
  }
  EXPECT_TRUE(batches.ok()) << batches.error().message();
  EXPECT_FALSE(batches.cut());
  return records;
}

BatchView first_batch(std::span<const std::byte> bytes) {
  BatchIterator batches(bytes);
  BatchView batch;
  EXPECT_TRUE(batches.next(batch)) << batches.error().message();
  return batch;
}

using Random = std::mt19937_64;

std::string random_bytes(Random& random) {
  // Lengths on both sides of where their varint grows.
  constexpr std::size_t kLengths[] = {0, 1, 7, 62, 63, 64, 65, 300, 8191, 8192, 20000};
  std::string bytes(kLengths[random() % (random() % 8 == 0 ? std::size(kLengths) : 8)], '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}
std::optional<std::string> random_nullable(Random& random) {
  if (random() % 5 == 0) return std::nullopt;
  return random_bytes(random);
}
std::int64_t random_time(Random& random) {
  switch (random() % 6) {
    case 0:
      return -1;
    case 1:
      return std::numeric_limits<std::int64_t>::max();
    case 2:
      return static_cast<std::int64_t>(random());
    default:
      return kTime + static_cast<std::int64_t>(random() % 100000);
  }
}
std::vector<OwnedRecord> random_records(Random& random, std::int64_t base) {
  std::vector<OwnedRecord> records(random() % 40);
  std::int64_t offset = base;
  for (OwnedRecord& record : records) {
    offset += random() % 4 == 0 ? static_cast<std::int64_t>(random() % 5000) : 0;
    record = {offset++, random_time(random), random_nullable(random), random_nullable(random), {}};
    for (std::size_t left = random() % 4 == 0 ? random() % 5 : 0; left != 0; --left) {
      record.headers.push_back({random_bytes(random), random_nullable(random)});
    }
  }
  return records;
}

TEST(Records, RandomBatchesComeBackAsTheyWere) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    std::vector<std::byte> bytes;
    std::vector<OwnedRecord> all;
    std::int64_t base = static_cast<std::int64_t>(random() % (std::uint64_t{1} << 40));
    for (std::size_t batches = 1 + random() % 3; batches != 0; --batches) {
      BatchBuilder builder({.base_offset = base, .codec = random() % 2 ? gzip(1) : nullptr});
      const std::vector<OwnedRecord> records = random_records(random, base);
      for (const OwnedRecord& record : records) add(builder, record);
      all.insert(all.end(), records.begin(), records.end());
      const auto batch = builder.finish();
      ASSERT_TRUE(batch);
      bytes.insert(bytes.end(), batch->begin(), batch->end());
      base = all.empty() ? base + 1 : all.back().offset + 1;
    }
    ASSERT_EQ(read(bytes), all);
  }
}

TEST(Records, SizesAreExact) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    const std::optional<std::string> key = random_nullable(random);
    const std::optional<std::string> value = random_nullable(random);
    std::vector<Header> headers(random() % 3, Header{"name", "value"});
    const Record record{.key = view(key), .value = view(value), .headers = headers};
    const auto time = static_cast<std::int64_t>(random() >> (random() % 64));
    const auto delta = static_cast<std::int32_t>(random() % 0x80000000U >> (random() % 31));
    const std::size_t body = record_body_size(record, time, delta);
    std::vector<std::byte> out(record_size(body));
    EXPECT_EQ(write_record(out.data(), body, record, time, delta), out.data() + out.size());
    std::size_t bound = kMaxRecordOverhead + record.key.size() + record.value.size();
    for (const Header& header : headers)
      bound += kMaxHeaderOverhead + header.key.size() + header.value.size();
    EXPECT_LE(out.size(), bound);
    EXPECT_GE(out.size(), kMinRecordSize);
  }
}

TEST(Records, HeaderFieldsStandWhereTheyBelong) {
  const BatchHeader header{.base_offset = 0x0102030405060708,
                           .batch_length = 0x11121314,
                           .partition_leader_epoch = 0x21222324,
                           .magic = 2,
                           .crc = 0x31323334,
                           .attributes = 0x4142,
                           .last_offset_delta = 0x51525354,
                           .base_timestamp = 0x6162636465666768,
                           .max_timestamp = 0x7172737475767778,
                           .producer_id = 0x0a0b0c0d0e0f1011,
                           .producer_epoch = 0x1a1b,
                           .base_sequence = 0x2a2b2c2d,
                           .records_count = 0x3a3b3c3d};
  std::byte bytes[kBatchHeaderSize];
  write_batch_header(bytes, header);
  const std::string expected =
      std::string("\1\2\3\4\5\6\7\10", 8) + "\x11\x12\x13\x14" + "\x21\x22\x23\x24" + "\2" +
      "\x31\x32\x33\x34" + "\x41\x42" + "\x51\x52\x53\x54" + "\x61\x62\x63\x64\x65\x66\x67\x68" +
      "\x71\x72\x73\x74\x75\x76\x77\x78" + "\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11" + "\x1a\x1b" +
      "\x2a\x2b\x2c\x2d" + "\x3a\x3b\x3c\x3d";
  EXPECT_EQ(wire::Bytes(std::span<const std::byte>(bytes)).view(), expected);
  EXPECT_EQ(read_batch_header(bytes), header);
}

TEST(Records, PatchedHeadersKeepOrRenewTheirCrc) {
  BatchBuilder builder({.base_offset = 5});
  for (int i = 0; i < 50; ++i)
    builder.add({.key = "k", .value = "some value", .timestamp_ms = kTime});
  std::vector<std::byte> bytes = *builder.finish();
  patch_base_offset(bytes.data(), 1234567);
  patch_partition_leader_epoch(bytes.data(), 8);
  BatchView batch = first_batch(bytes);  // the CRC is still right
  EXPECT_EQ(batch.header.base_offset, 1234567);
  EXPECT_EQ(batch.header.partition_leader_epoch, 8);

  patch_producer(bytes.data(), 99, 3, 1000);
  EXPECT_EQ(BatchIterator(bytes).next(batch), false);
  const auto records = std::span<const std::byte>(bytes).subspan(kBatchHeaderSize);
  const wire::Bytes pieces[] = {records.first(7), records.subspan(7, 0), records.subspan(7)};
  const std::uint32_t crc = batch_crc(bytes.data(), pieces);
  EXPECT_EQ(crc, wire::crc32c(0, bytes.data() + kBatchCrcStart, bytes.size() - kBatchCrcStart));
  patch_crc(bytes.data(), crc);
  batch = first_batch(bytes);
  EXPECT_EQ(batch.header.producer_id, 99);
  EXPECT_EQ(batch.header.producer_epoch, 3);
  EXPECT_EQ(batch.header.base_sequence, 1000);
}

TEST(Records, AttributesSayWhatTheOptionsSaid) {
  BatchBuilder plain;
  plain.add({.value = "v", .timestamp_ms = kTime});
  std::vector<std::byte> bytes = *plain.finish();
  BatchHeader header = first_batch(bytes).header;
  EXPECT_EQ(header.attributes, 0);
  EXPECT_EQ(header.producer_id, kNoProducerId);
  EXPECT_EQ(header.producer_epoch, kNoProducerEpoch);
  EXPECT_EQ(header.base_sequence, kNoSequence);

  BatchBuilder all({.base_offset = 100,
                    .codec = gzip(),
                    .timestamp_type = TimestampType::log_append,
                    .log_append_time_ms = kTime + 5,
                    .transactional = true,
                    .producer_id = 7,
                    .producer_epoch = 2,
                    .base_sequence = 40});
  all.add({.value = "a", .timestamp_ms = kTime});
  all.add({.value = "b", .timestamp_ms = kTime - 10});
  bytes = *all.finish();
  header = first_batch(bytes).header;
  EXPECT_EQ(header.compression(), Compression::gzip);
  EXPECT_EQ(header.timestamp_type(), TimestampType::log_append);
  EXPECT_TRUE(header.is_transactional());
  EXPECT_FALSE(header.is_control());
  EXPECT_EQ(header.last_offset(), 101);
  EXPECT_EQ(header.next_offset(), 102);
  EXPECT_EQ(header.records_count, 2);
  EXPECT_EQ(header.base_sequence, 40);
  for (const OwnedRecord& record : read(bytes)) EXPECT_EQ(record.timestamp, kTime + 5);
}

TEST(Records, MaxTimestampIsTheLargestNotTheLast) {
  BatchBuilder builder;
  for (const std::int64_t time : {kTime, kTime + 50, kTime - 50}) {
    builder.add({.value = "v", .timestamp_ms = time});
  }
  const std::vector<std::byte> bytes = *builder.finish();
  EXPECT_EQ(first_batch(bytes).header.base_timestamp, kTime);
  EXPECT_EQ(first_batch(bytes).header.max_timestamp, kTime + 50);
}

TEST(Records, ControlBatches) {
  for (const ControlType type : {ControlType::abort, ControlType::commit, ControlType::other}) {
    BatchBuilder builder(
        {.base_offset = 9, .transactional = true, .producer_id = 5, .producer_epoch = 1});
    builder.add_control(type, 17, kTime);
    const std::vector<std::byte> bytes = *builder.finish();
    const BatchView batch = first_batch(bytes);
    EXPECT_TRUE(batch.header.is_control());
    RecordBlock block;
    RecordsError error;
    ASSERT_TRUE(validate_records(batch.header, batch.payload, block, error));
    const std::optional<ControlRecord> control = parse_control(*block.begin());
    ASSERT_TRUE(control);
    EXPECT_EQ(control->type, type);
    if (type != ControlType::other) {
      EXPECT_EQ(control->coordinator_epoch, 17);
    }
  }
}

TEST(Records, ControlRecordsThatAreTooShortAreNone) {
  RecordView record;
  EXPECT_FALSE(parse_control(record));
  record.key = std::string_view("\0\0\0", 3);
  EXPECT_FALSE(parse_control(record));
  record.key = std::string_view("\0\0\0\1", 4);
  EXPECT_FALSE(parse_control(record));
  record.value = std::string_view("\0\0\0\0\0", 5);
  EXPECT_FALSE(parse_control(record));
  record.value = std::string_view("\0\0\0\0\0\x2a and more, from a later version", 30);
  ASSERT_TRUE(parse_control(record));
  EXPECT_EQ(parse_control(record)->coordinator_epoch, 42);
  record.key = std::string_view("\0\0\0\7", 4);
  record.value = wire::Bytes::null();
  ASSERT_TRUE(parse_control(record));
  EXPECT_EQ(parse_control(record)->type, ControlType::other);
}

TEST(Records, LastHeaderWins) {
  const Header headers[] = {{"a", "1"}, {"b", wire::Bytes::null()}, {"a", "2"}};
  BatchBuilder builder;
  builder.add({.value = "v", .headers = headers, .timestamp_ms = kTime});
  const std::vector<std::byte> bytes = *builder.finish();
  const BatchView batch = first_batch(bytes);
  RecordBlock block;
  RecordsError error;
  ASSERT_TRUE(validate_records(batch.header, batch.payload, block, error));
  const HeadersView view = block.begin()->headers;
  EXPECT_EQ(view.size(), 3U);
  EXPECT_EQ(view.last("a"), wire::Bytes("2"));
  EXPECT_EQ(view.last("b"), wire::Bytes::null());
  EXPECT_EQ(view.last("c"), std::nullopt);
}

TEST(Records, SkippingToAnOffsetInsideABatch) {
  BatchBuilder builder({.base_offset = 100});
  for (const std::int64_t offset : {100, 105, 110}) {
    builder.add_at(offset, {.value = std::to_string(offset), .timestamp_ms = kTime});
  }
  const std::vector<std::byte> bytes = *builder.finish();
  const BatchView batch = first_batch(bytes);
  RecordBlock block;
  RecordsError error;
  ASSERT_TRUE(validate_records(batch.header, batch.payload, block, error));
  const auto first_from = [&](std::int64_t offset) {
    RecordIterator record(block);
    record.skip_to(offset);
    return record.done() ? -1 : record->offset;
  };
  EXPECT_EQ(first_from(0), 100);
  EXPECT_EQ(first_from(100), 100);
  EXPECT_EQ(first_from(101), 105);
  EXPECT_EQ(first_from(110), 110);
  EXPECT_EQ(first_from(111), -1);
}

TEST(Records, EmptyBatchKeepsItsOffsets) {
  BatchBuilder builder({.base_offset = 10});
  builder.set_last_offset(19);
  const std::vector<std::byte> bytes = *builder.finish();
  EXPECT_EQ(bytes.size(), kBatchHeaderSize);
  EXPECT_EQ(first_batch(bytes).header.next_offset(), 20);
  EXPECT_TRUE(read(bytes).empty());
}

TEST(Records, SequencesWrapToZero) {
  constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(next_sequence(0, 5), 5);
  EXPECT_EQ(next_sequence(kMax, 1), 0);
  EXPECT_EQ(next_sequence(kMax - 2, 5), 2);
}

TEST(Records, CutTailIsNoError) {
  BatchBuilder one;
  one.add({.value = "first", .timestamp_ms = kTime});
  const std::vector<std::byte> first = *one.finish();
  BatchBuilder two({.base_offset = 1});
  two.add({.value = "second", .timestamp_ms = kTime});
  const std::vector<std::byte> second = *two.finish();
  std::vector<std::byte> both = first;
  both.insert(both.end(), second.begin(), second.end());
  for (std::size_t size = 0; size <= both.size(); ++size) {
    SCOPED_TRACE(size);
    BatchIterator batches(std::span<const std::byte>(both).first(size));
    BatchView batch;
    std::size_t seen = 0;
    while (batches.next(batch)) ++seen;
    ASSERT_TRUE(batches.ok()) << batches.error().message();
    const std::size_t whole = size >= both.size() ? 2 : size >= first.size() ? 1 : 0;
    EXPECT_EQ(seen, whole);
    const std::size_t rest = size - (whole == 2 ? both.size() : whole == 1 ? first.size() : 0);
    EXPECT_EQ(batches.cut(), rest != 0);
    EXPECT_EQ(batches.first_was_cut(), rest != 0 && whole == 0);
    if (rest != 0) {
      const std::size_t real = whole == 0 ? first.size() : second.size();
      EXPECT_EQ(batches.cut_batch_size(), rest < kBatchLengthEnd ? 0 : real);
    }
  }
}

}  // namespace
}  // namespace tern::kafka
