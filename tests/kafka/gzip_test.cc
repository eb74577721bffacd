#include "protocol/kafka/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "protocol/wire/errc.h"
#include "tests/kafka/compression_testing.h"

namespace tern::kafka {
namespace {

using testing::Plain;
using wire::Errc;

std::string compress(const std::string& plain, int level = kGzipDefaultLevel) {
  return testing::compress(gzip(level), plain);
}
Plain decompress(const std::string& in, std::size_t limit = testing::kLimit) {
  return testing::decompress(gzip(), in, limit);
}

TEST(Gzip, OthersReadIt) {
  const std::string text = "read by zlib itself";
  const std::string packed = compress(text);
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(100, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_EQ(out, text);
}

// By zlib, with everything that a header can hold.
std::string with_full_header(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string extra = "extra field";
  std::string name = "name.txt";
  std::string comment = "a comment";
  gz_header header{};
  header.text = 1;
  header.time = 1700000000;
  header.extra = reinterpret_cast<Bytef*>(extra.data());
  header.extra_len = static_cast<uInt>(extra.size());
  header.name = reinterpret_cast<Bytef*>(name.data());
  header.comment = reinterpret_cast<Bytef*>(comment.data());
  header.hcrc = 1;
  EXPECT_EQ(deflateSetHeader(&stream, &header), Z_OK);
  std::string out(text.size() + 200, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gzip, HeadersWithEverythingInThemAreRead) {
  const std::string packed = with_full_header("the text");
  EXPECT_EQ(decompress(packed).text, "the text");
  EXPECT_EQ(decompress(packed + packed).text, "the textthe text");
  for (std::size_t size = 0; size < packed.size(); ++size) {
    EXPECT_EQ(decompress(packed.substr(0, size)).error, Errc::end_of_input) << size;
  }
  for (std::size_t at = 0; at < packed.size(); ++at) {  // the header has a sum of its own
    std::string bad = packed;
    bad[at] = static_cast<char>(bad[at] ^ 0x01);
    EXPECT_TRUE(decompress(bad).error) << at;
  }
}

TEST(Gzip, DamageIsAnErrorAndNeverWrongText) {
  const std::string text = "some text that is long enough to be worth packing, packing, packing";
  const std::string packed = compress(text);
  for (std::size_t at = 0; at < packed.size(); ++at) {
    std::string bad = packed;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    const Plain plain = decompress(bad);
    // The header holds a time, flags of the packer and the system's name, which nobody checks.
    if (!plain.error) {
      EXPECT_TRUE(at >= 4 && at <= 9) << at;
      EXPECT_EQ(plain.text, text);
    }
  }
  EXPECT_EQ(decompress(packed + "x").error, Errc::bad_compressed_data);
  EXPECT_EQ(decompress(packed + "\x1f").error, Errc::end_of_input);  // might be another member
  EXPECT_EQ(decompress(packed + "trailing bytes").error, Errc::bad_compressed_data);
  EXPECT_EQ(decompress("").error, Errc::end_of_input);
}

TEST(Gzip, ASizeThatLiesGetsLittleMemory) {
  std::string packed = compress("tiny");
  packed.replace(packed.size() - 4, 4, "\xff\xff\xff\x7f");
  const Plain plain = decompress(packed, std::size_t{1} << 31);
  EXPECT_EQ(plain.error, Errc::bad_compressed_data);
  EXPECT_LE(plain.asked, std::size_t{1} << 18);
  packed.replace(packed.size() - 4, 4, std::string(4, '\0'));
  EXPECT_EQ(decompress(packed).error, Errc::bad_compressed_data);
}

TEST(Gzip, RefusedLevelsSaySo) {
  for (const int level : {-2, 0, 10, 100}) {
    EXPECT_NE(gzip(level)->problem(), nullptr) << level;
    VectorChunkSink sink;
    const auto size = gzip(level)->make_compressor()->compress({}, sink);
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error(), Errc::bad_value);
  }
  for (const int level : {-1, 1, 9}) EXPECT_EQ(gzip(level)->problem(), nullptr);
}

TEST(Gzip, CodecsAreFoundByNumber) {
  const Codecs codecs{nullptr, gzip()};
  ASSERT_NE(find_codec(codecs, Compression::gzip), nullptr);
  EXPECT_EQ(find_codec(codecs, Compression::zstd), nullptr);
  Decompressors decompressors(codecs);
  Decompressor* const first = decompressors.find(Compression::gzip);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(decompressors.find(Compression::gzip), first);  // kept
  EXPECT_EQ(decompressors.find(Compression::lz4), nullptr);
  EXPECT_EQ(decompressors.find(static_cast<Compression>(7)), nullptr);
}

}  // namespace
}  // namespace tern::kafka
