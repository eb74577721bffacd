// Bytes that lie. Every input is copied into a block of its exact size, so that AddressSanitizer
// sees any read beyond it.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "protocol/kafka/gzip.h"
#include "protocol/kafka/records.h"
#include "protocol/wire/crc32c.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/errc.h"
#include "tests/kafka/records_dump.h"

namespace tern::kafka {
namespace {

using wire::Errc;

constexpr std::int64_t kTime = 1700000000000;

class ExactCopy {
 public:
  explicit ExactCopy(std::span<const std::byte> bytes)
      : size_(bytes.size()), data_(new std::byte[bytes.size()]) {
    if (size_ != 0) std::memcpy(data_.get(), bytes.data(), size_);
  }
  std::span<std::byte> span() { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

std::vector<std::byte> plain_batch(std::shared_ptr<const Codec> codec = nullptr) {
  const Header headers[] = {{"trace", "0123"}, {"none", wire::Bytes::null()}, {"", ""}};
  BatchBuilder builder({.base_offset = 40, .codec = std::move(codec)});
  builder.add({.key = "key", .value = "value", .timestamp_ms = kTime});
  builder.add({.value = std::string(200, 'v'), .headers = headers, .timestamp_ms = kTime + 1000});
  builder.add({.key = "", .value = wire::Bytes::null(), .timestamp_ms = kTime - 5});
  return *builder.finish();
}

// Walks over everything there is, with all checks that a caller could be hurt by.
struct Walk {
  std::size_t batches = 0;
  std::size_t records = 0;
  bool cut = false;
  RecordsError error;  // the first
};
Walk walk(std::span<const std::byte> bytes, bool check_crc) {
  Walk result;
  ExactCopy copy(bytes);
  Decompressors decompressors({gzip()});
  BatchIterator batches(copy.span(), {.check_crc = check_crc});
  std::size_t sum = 0;
  for (BatchView batch; batches.next(batch);) {
    ++result.batches;
    EXPECT_GE(batch.header.next_offset(), batch.header.base_offset);
    VectorFrameSink frame;
    RecordBlock block;
    RecordsError error;
    if (!open_batch(batch, decompressors, frame, 1 << 20, block, error)) {
      EXPECT_TRUE(error);
      EXPECT_FALSE(error.message().empty());
      if (!result.error) result.error = error;
      continue;
    }
    EXPECT_LE(static_cast<std::size_t>(block.count), block.size / kMinRecordSize);
    for (const RecordView& record : block) {
      ++result.records;
      EXPECT_GE(record.offset, block.base_offset);
      EXPECT_LE(record.offset - block.base_offset, block.last_offset_delta);
      for (const char c : record.key) sum += static_cast<unsigned char>(c);
      for (const char c : record.value) sum += static_cast<unsigned char>(c);
      for (const Header& header : record.headers) {
        for (const char c : header.key) sum += static_cast<unsigned char>(c);
        for (const char c : header.value) sum += static_cast<unsigned char>(c);
      }
    }
  }
  result.cut = batches.cut();
  if (!result.error) result.error = batches.error();
  EXPECT_NE(sum, 1U);  // so that the reads are not optimised away
  return result;
}

// The CRC made right again, so that what is behind it is tested.
void fix_crc(std::span<std::byte> batch) {
  patch_crc(batch.data(),
            wire::crc32c(0, batch.data() + kBatchCrcStart, batch.size() - kBatchCrcStart));
}

std::vector<std::vector<std::byte>> seeds() {
  std::vector<std::vector<std::byte>> all{plain_batch(), plain_batch(gzip())};
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/records")) {
    if (entry.path().extension() != ".hex" || entry.file_size() > 5000) continue;
    all.push_back(testing::golden_bytes(entry.path().string()));
  }
  EXPECT_GT(all.size(), 15U);
  return all;
}

TEST(RecordsHostile, AFlippedByteIsCaughtOrCutsTheTail) {
  const std::vector<std::byte> good = plain_batch();
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned mask : {0x01U, 0x80U, 0xffU, 0x40U}) {
      SCOPED_TRACE(at);
      std::vector<std::byte> bad = good;
      bad[at] ^= static_cast<std::byte>(mask);
      const Walk result = walk(bad, true);
      const bool outside_crc = at < 8 || (at >= 12 && at < 16);  // base offset, leader epoch
      if (!outside_crc) {
        EXPECT_TRUE(result.error || result.cut);
        EXPECT_EQ(result.records, 0U);
      }
    }
  }
}

TEST(RecordsHostile, FlippedBytesInAnyFormatNeverLeaveTheInput) {
  for (const std::vector<std::byte>& good : seeds()) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const unsigned mask : {0x01U, 0x80U, 0xffU}) {
        std::vector<std::byte> bad = good;
        bad[at] ^= static_cast<std::byte>(mask);
        walk(bad, true);
        walk(bad, false);
      }
    }
  }
}

TEST(RecordsHostile, EveryTruncationInAnyFormatStopsCleanly) {
  for (const std::vector<std::byte>& good : seeds()) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      const Walk result = walk(std::span(good).first(size), true);
      if (result.error) {
        EXPECT_EQ(result.error.code, Errc::missing_codec);
      }
    }
  }
}

TEST(RecordsHostile, RandomDamageNeverLeavesTheInput) {
  std::mt19937_64 random(3);
  const std::vector<std::vector<std::byte>> all = seeds();
  for (int round = 0; round < 6000; ++round) {
    std::vector<std::byte> bad = all[random() % all.size()];
    for (std::size_t left = 1 + random() % 6; left != 0; --left) {
      const std::size_t at = random() % bad.size();
      switch (random() % 3) {
        case 0:
          bad[at] = static_cast<std::byte>(random());
          break;
        case 1:
          bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(at),
                     static_cast<std::byte>(random()));
      }
    }
    walk(bad, false);
  }
}

TEST(RecordsHostile, RecordsCutAnywhereAreAnError) {
  const std::vector<std::byte> good = plain_batch();
  BatchIterator batches(good);
  BatchView batch;
  ASSERT_TRUE(batches.next(batch));
  for (std::size_t size = 0; size < batch.payload.size(); ++size) {
    SCOPED_TRACE(size);
    ExactCopy copy(batch.payload.first(size));
    RecordBlock block;
    RecordsError error;
    EXPECT_FALSE(validate_records(batch.header, copy.span(), block, error));
    EXPECT_EQ(error.offset, 40);
    EXPECT_LE(error.position, size);
  }
}

RecordsError check(const std::string& records, std::int32_t count = 1,
                   std::int32_t last_delta = 0) {
  ExactCopy copy(wire::Bytes(records).span());
  BatchHeader header;
  header.base_offset = 40;
  header.records_count = count;
  header.last_offset_delta = last_delta;
  RecordBlock block;
  RecordsError error;
  if (validate_records(header, copy.span(), block, error)) {
    EXPECT_FALSE(error);
    error = {};
  }
  return error;
}
// Length (zigzag, small) and body: attributes, timestamp delta, offset delta, key, value, headers.
std::string record(const std::string& body) {
  return std::string(1, static_cast<char>(body.size() * 2)) + body;
}
std::string bytes(std::initializer_list<int> list) {
  std::string text;
  for (const int byte : list) text += static_cast<char>(byte);
  return text;
}

TEST(RecordsHostile, WhatIsWrongInsideARecordIsNamed) {
  EXPECT_FALSE(check(record(bytes({0, 0, 0, 1, 1, 0}))));
  const auto expect = [](const std::string& body, Errc code, const std::string& what) {
    const RecordsError error = check(record(body));
    EXPECT_EQ(error.code, code) << error.message();
    EXPECT_EQ(error.what, what);
  };
  expect(bytes({0, 0, 0, 3, 1, 0}), Errc::bad_length, "key");    // -2
  expect(bytes({0, 0, 0, 1, 5, 0}), Errc::bad_length, "value");  // -3
  expect(bytes({0, 0, 0, 6, 'a', 0}), Errc::bad_length, "key");  // beyond the record
  expect(bytes({0, 0, 0, 4, 'a', 0}), Errc::end_of_input, "value");
  expect(bytes({0, 0, 0, 1, 2, 'a'}), Errc::end_of_input, "header count");
  expect(bytes({0, 0, 2, 1, 1, 0}), Errc::bad_value, "offset delta");  // beyond the last
  expect(bytes({0, 0, 1, 1, 1, 0}), Errc::bad_value, "offset delta");  // -1
  expect(bytes({0, 0, 0, 1, 1, 1}), Errc::bad_count, "header count");  // -1
  expect(bytes({0, 0, 0, 1, 1, 2}), Errc::bad_count, "header count");  // one, of no bytes
  expect(bytes({0, 0, 0, 1, 1, 2, 1, 0}), Errc::null_not_allowed, "header key");
  expect(bytes({0, 0, 0, 1, 1, 2, 0x81, 0, 0}), Errc::null_not_allowed, "header key");  // overlong
  expect(bytes({0, 0, 0, 1, 1, 2, 2, 'k'}), Errc::end_of_input, "header value");
  expect(bytes({0, 0, 0, 1, 1, 2, 0, 3}), Errc::bad_length, "header value");
  expect(bytes({0, 0, 0, 1, 1, 2, 0, 1, 0}), Errc::trailing_bytes, "record");
  expect(bytes({0, 0, 0, 1, 1, 0, 0}), Errc::trailing_bytes, "record");
  expect(bytes({0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0, 1, 1, 0}),
         Errc::bad_varint, "timestamp delta");  // 65 bits
  expect(bytes({0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 0}), Errc::bad_varint, "offset delta");
  expect(bytes({0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 1, 0}), Errc::bad_varint, "key");
}

TEST(RecordsHostile, RecordLengthsThatLie) {
  const std::string body = bytes({0, 0, 0, 1, 1, 0});
  EXPECT_EQ(check(bytes({10}) + body).code, Errc::bad_length);  // one less than there is
  EXPECT_EQ(check(bytes({14}) + body).code, Errc::bad_length);  // one more
  EXPECT_EQ(check(bytes({13}) + body).code, Errc::bad_length);  // negative
  EXPECT_EQ(check(bytes({0xfe, 0xff, 0xff, 0xff, 0x0f}) + body).code, Errc::bad_length);
  EXPECT_EQ(check(bytes({0xff, 0xff, 0xff, 0xff, 0xff}) + body).code, Errc::bad_varint);
  EXPECT_EQ(check(bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80})).code, Errc::bad_varint);
  EXPECT_EQ(
      check(record(bytes({0, 0, 0, 1, 1, 0})) + std::string(1, '\x80') + std::string(7, 'x'), 2)
          .code,
      Errc::bad_length);
  EXPECT_EQ(check(record(std::string(8, '\0')).replace(3, 6, std::string(6, '\x80'))).code,
            Errc::bad_varint);
  EXPECT_EQ(check(record(std::string(6, '\0')).replace(4, 3, std::string(3, '\x80'))).code,
            Errc::end_of_input);
}

TEST(RecordsHostile, RecordCountsThatLie) {
  const std::string one = record(bytes({0, 0, 0, 1, 1, 0}));
  EXPECT_FALSE(check(one + one, 2));
  EXPECT_EQ(check(one + one, 1).code, Errc::trailing_bytes);
  EXPECT_EQ(check(one + one, 3).code, Errc::bad_count);
  EXPECT_EQ(check(one, -1).code, Errc::bad_count);
  EXPECT_EQ(check(one, std::numeric_limits<std::int32_t>::max()).code, Errc::bad_count);
  EXPECT_EQ(check(one, 0).code, Errc::trailing_bytes);
  EXPECT_EQ(check("", 0, -1).code, Errc::bad_value);
  EXPECT_EQ(check(one + std::string(13, 'x'), 2).code, Errc::bad_length);
}

TEST(RecordsHostile, BatchHeadersThatLie) {
  const std::vector<std::byte> good = plain_batch();
  const auto expect = [&](std::size_t at, auto value, Errc code, const std::string& what) {
    ExactCopy copy(good);
    wire::store_be(copy.span().data() + at, value);
    fix_crc(copy.span());
    BatchIterator batches(copy.span());
    BatchView batch;
    EXPECT_FALSE(batches.next(batch));
    EXPECT_FALSE(batches.ok());
    EXPECT_EQ(batches.error().code, code) << batches.error().message();
    EXPECT_EQ(batches.error().what, what);
    EXPECT_FALSE(batches.next(batch));  // and stays so
  };
  expect(8, std::int32_t{-1}, Errc::bad_length, "batch length");
  expect(8, std::numeric_limits<std::int32_t>::min(), Errc::bad_length, "batch length");
  expect(8, std::int32_t{0}, Errc::bad_length, "batch length");
  expect(8, std::int32_t{48}, Errc::bad_length, "batch length");
  expect(16, std::int8_t{3}, Errc::bad_magic, "magic");
  expect(16, std::int8_t{-1}, Errc::bad_magic, "magic");
  expect(23, std::int32_t{-1}, Errc::bad_value, "last offset delta");
  expect(0, std::int64_t{-1}, Errc::bad_value, "base offset");
  expect(0, std::numeric_limits<std::int64_t>::max(), Errc::bad_value, "base offset");
  expect(57, std::int32_t{-1}, Errc::bad_count, "record count");
}

TEST(RecordsHostile, LengthOfTwoGigabytesReadsAsACutBatch) {
  ExactCopy copy(plain_batch());
  wire::store_be(copy.span().data() + 8, std::numeric_limits<std::int32_t>::max());
  BatchIterator batches(copy.span());
  BatchView batch;
  EXPECT_FALSE(batches.next(batch));
  EXPECT_TRUE(batches.first_was_cut());
  EXPECT_EQ(batches.cut_batch_size(), 0x7fffffffU + 12U);
}

TEST(RecordsHostile, MissingCodecIsNamed) {
  ExactCopy copy(plain_batch());
  const auto expect = [&](std::int16_t attributes, const std::string& name) {
    wire::store_be(copy.span().data() + 21, attributes);
    fix_crc(copy.span());
    BatchIterator batches(copy.span());
    BatchView batch;
    ASSERT_TRUE(batches.next(batch));
    Decompressors decompressors({gzip()});
    VectorFrameSink frame;
    RecordBlock block;
    RecordsError error;
    EXPECT_FALSE(open_batch(batch, decompressors, frame, 1000, block, error));
    EXPECT_EQ(error.code, Errc::missing_codec);
    EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("offset 40"), std::string::npos) << error.message();
  };
  expect(2, "snappy");
  expect(3, "lz4");
  expect(4, "zstd");
  expect(5, "unknown");
  expect(7, "unknown");
}

TEST(RecordsHostile, DecompressedSizeIsBounded) {
  BatchBuilder builder({.base_offset = 3, .codec = gzip()});
  builder.add({.value = std::string(1 << 20, 'x'), .timestamp_ms = kTime});
  const std::vector<std::byte> bytes = *builder.finish();
  ASSERT_LT(bytes.size(), 3000U);
  BatchIterator batches(bytes);
  BatchView batch;
  ASSERT_TRUE(batches.next(batch));
  Decompressors decompressors({gzip()});
  VectorFrameSink frame;
  RecordBlock block;
  RecordsError error;
  EXPECT_FALSE(open_batch(batch, decompressors, frame, 1 << 20, block, error));
  EXPECT_EQ(error.code, Errc::too_large);
  EXPECT_EQ(error.what, std::string("decompressed batch"));
  EXPECT_LE(frame.bytes().size(), std::size_t{1} << 20);
  EXPECT_TRUE(open_batch(batch, decompressors, frame, (1 << 20) + 100, block, error))
      << error.message();
}

// ---------- formats v0 and v1

std::string number(std::int64_t value, int size) {
  std::string text;
  for (int shift = size - 1; shift >= 0; --shift) text += static_cast<char>(value >> (8 * shift));
  return text;
}
std::string field(const std::string* value) {
  return value == nullptr ? number(-1, 4)
                          : number(static_cast<std::int64_t>(value->size()), 4) + *value;
}
std::string message(int magic, std::int64_t offset, int attributes, const std::string& value,
                    std::int64_t timestamp = kTime) {
  const std::string body = number(0, 4) + number(magic, 1) + number(attributes, 1) +
                           (magic == 1 ? number(timestamp, 8) : "") + field(nullptr) +
                           field(&value);
  return number(offset, 8) + number(static_cast<std::int64_t>(body.size()), 4) + body;
}
std::string zip(const std::string& plain) {
  VectorChunkSink sink;
  const wire::Bytes piece(plain);
  const std::size_t size = *gzip()->make_compressor()->compress({&piece, 1}, sink);
  const std::vector<std::byte> out = sink.take(size);
  return wire::Bytes(std::span<const std::byte>(out)).str();
}
Walk walk_text(const std::string& set) { return walk(wire::Bytes(set).span(), false); }

TEST(RecordsHostile, CompressedMessagesThatLie) {
  const std::string two = message(1, 0, 0, "a") + message(1, 1, 0, "b");
  EXPECT_EQ(walk_text(message(1, 10, 1, zip(two))).records, 2U);
  const auto fails = [](const std::string& set) { return walk_text(set).error.code; };
  EXPECT_EQ(fails(message(1, 10, 1, zip(""))), Errc::bad_compressed_data);
  EXPECT_EQ(fails(message(1, 10, 1, zip(message(1, 0, 1, zip(two))))), Errc::bad_compressed_data);
  EXPECT_EQ(fails(message(1, 10, 1, zip(message(0, 0, 0, "a")))), Errc::bad_magic);
  EXPECT_EQ(fails(message(1, 0, 1, zip(two))), Errc::bad_value);  // would start at -1
  EXPECT_EQ(fails(message(1, 10, 1, zip(two.substr(0, two.size() - 1)))), Errc::end_of_input);
  EXPECT_EQ(fails(message(1, 10, 1, zip(two + "x"))), Errc::end_of_input);
  EXPECT_EQ(fails(message(1, 10, 1, "not gzip at all, but long enough")),
            Errc::bad_compressed_data);
  EXPECT_EQ(fails(message(1, 10, 2, "")), Errc::missing_codec);
  EXPECT_EQ(fails(message(0, 10, 1, zip(message(0, 5, 0, "a") + message(0, 4, 0, "b")))),
            Errc::bad_value);
  EXPECT_EQ(fails(message(0, 10, 1, zip(message(0, 5, 0, "a") + message(0, 1LL << 40, 0, "b")))),
            Errc::too_large);
}

TEST(RecordsHostile, RunsOfOldMessagesEndWhereTheirKindDoes) {
  const auto count = [](const std::string& set) { return walk_text(set).batches; };
  EXPECT_EQ(count(message(1, 1, 0, "a") + message(1, 5, 0, "b") + message(1, 6, 0, "c")), 1U);
  EXPECT_EQ(count(message(0, 1, 0, "a") + message(1, 2, 0, "b")), 2U);        // format
  EXPECT_EQ(count(message(1, 1, 0, "a") + message(1, 2, 8, "b")), 2U);        // kind of timestamp
  EXPECT_EQ(count(message(1, 2, 0, "a") + message(1, 2, 0, "b")), 2U);        // offsets must grow
  EXPECT_EQ(count(message(1, 1, 8, "a", 5) + message(1, 2, 8, "b", 6)), 2U);  // the broker's clock
  EXPECT_EQ(count(message(1, 1, 0, "a") + message(1, 1LL << 33, 0, "b")), 2U);
}

TEST(RecordsHostile, OldMessageIsNeverShorterThanItsNewForm) {
  // Rewriting in place needs this to hold at every length where a varint grows.
  for (const int magic : {0, 1}) {
    for (const std::size_t size :
         {0U, 1U, 31U, 32U, 60U, 64U, 4095U, 4096U, 8191U, 8192U, 600000U}) {
      std::string set = message(magic, 1, 0, std::string(size, 'a'), 0);
      set += message(magic, 2000000000, 0, std::string(size, 'b'),
                     std::numeric_limits<std::int64_t>::min());
      set += message(magic, 2000000001, 0, std::string(size, 'c'), kTime);
      ExactCopy copy(wire::Bytes(set).span());
      BatchIterator batches(copy.span(), {.check_crc = false});
      BatchView batch;
      ASSERT_TRUE(batches.next(batch)) << batches.error().message();
      Decompressors decompressors{Codecs{}};
      VectorFrameSink frame;
      RecordBlock block;
      RecordsError error;
      ASSERT_TRUE(open_batch(batch, decompressors, frame, SIZE_MAX, block, error))
          << error.message();
      ASSERT_EQ(block.count, 3);
      char expected = 'a';
      for (const RecordView& record : block) {
        EXPECT_EQ(record.value.view(), std::string(size, expected++));
        EXPECT_EQ(record.key, wire::Bytes::null());
      }
    }
  }
}

}  // namespace
}  // namespace tern::kafka
