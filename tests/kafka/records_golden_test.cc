// What tern reads from batches that other clients wrote, against what those clients read from them.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/records.h"
#include "tests/kafka/records_dump.h"

namespace tern::kafka {
namespace {

struct Golden {
  std::string name;
  std::vector<std::byte> bytes;
  std::vector<std::string> lines;
};

std::vector<Golden> load_all() {
  std::vector<Golden> all;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/records")) {
    if (entry.path().extension() != ".hex") continue;
    const std::string path = entry.path().string();
    Golden golden{entry.path().stem().string(), testing::golden_bytes(path),
                  testing::golden_lines(path)};
    all.push_back(std::move(golden));
  }
  return all;
}

TEST(RecordsGolden, EveryFileReadsAsItsWriterReadsIt) {
  const std::vector<Golden> all = load_all();
  ASSERT_GE(all.size(), 30U);
  const Codecs codecs = {gzip(), lz4(), snappy(), zstd()};
  for (const Golden& golden : all) {
    SCOPED_TRACE(golden.name);
    ASSERT_FALSE(golden.lines.empty());
    EXPECT_EQ(testing::dump_records(golden.bytes, codecs), golden.lines);
  }
}

// The plain v2 batches are written again from what was read, and have to come out byte for byte.
TEST(RecordsGolden, PlainBatchesAreWrittenAgainByteForByte) {
  int written = 0;
  for (const Golden& golden : load_all()) {
    SCOPED_TRACE(golden.name);
    BatchIterator batches(golden.bytes);
    Decompressors none{Codecs{}};
    for (BatchView batch; batches.next(batch);) {
      const BatchHeader& header = batch.header;
      if (header.magic != kMagicV2 || header.compression() != Compression::none) continue;
      // The base timestamp of no records is anybody's guess.
      if (header.records_count == 0) continue;
      VectorFrameSink frame;
      RecordBlock block;
      RecordsError error;
      ASSERT_TRUE(open_batch(batch, none, frame, SIZE_MAX, block, error)) << error.message();
      if (header.timestamp_type() == TimestampType::log_append) {
        block.timestamp_mask = -1;  // what the producer had written is still there
        block.base_timestamp = header.base_timestamp;
      }
      std::vector<std::byte> again(batch.whole.size() + 64);
      std::byte* out = again.data() + kBatchHeaderSize;
      for (const RecordView& view : block) {
        const std::vector<Header> headers(view.headers.begin(), HeadersView::Iterator());
        const Record record{.key = view.key, .value = view.value, .headers = headers};
        const std::int64_t time = view.timestamp_ms - block.base_timestamp;
        const auto delta = static_cast<std::int32_t>(view.offset - header.base_offset);
        const std::size_t body = record_body_size(record, time, delta);
        ASSERT_LE(record_size(body), static_cast<std::size_t>(again.data() + again.size() - out));
        out = write_record(out, body, record, time, delta);
      }
      again.resize(static_cast<std::size_t>(out - again.data()));
      BatchHeader same = header;
      same.crc = 0;
      write_batch_header(again.data(), same);
      const wire::Bytes records{std::span<const std::byte>(again).subspan(kBatchHeaderSize)};
      patch_crc(again.data(), batch_crc(again.data(), {&records, 1}));
      EXPECT_EQ(testing::to_hex(again), testing::to_hex(batch.whole));
      ++written;
    }
  }
  EXPECT_GE(written, 8);
}

}  // namespace
}  // namespace tern::kafka
