// Codecs: what all of them have to keep, then what is peculiar to each but gzip, of which
// tests/kafka/gzip_test tells. Batches
// that other clients compressed are read in tests/kafka/records_golden_test.
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "protocol/kafka/gzip.h"
#include "protocol/wire/errc.h"
#include "tests/kafka/compression_testing.h"

namespace {
std::size_t g_allocations = 0;  // through operator new
}  // namespace

// Not inline: g++ takes an inlined pair of them for a mismatch of new and free.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tern::kafka {
namespace {

using namespace std::string_literals;
using wire::Errc;
using namespace testing;  // of tern::kafka

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

class TightSink final : public ChunkSink {
 public:
  explicit TightSink(std::size_t chunk, std::size_t chunks) : chunk_(chunk), left_(chunks) {}
  std::span<std::byte> next(std::size_t used) override {
    bytes.resize(bytes.size() - (last_ - used));
    last_ = 0;
    if (left_-- == 0) return {};
    last_ = chunk_;
    bytes.resize(bytes.size() + chunk_);
    return std::span(bytes).last(chunk_);
  }
  std::vector<std::byte> bytes;

 private:
  std::size_t chunk_;
  std::size_t left_;
  std::size_t last_ = 0;
};

// --- all of them --------------------------------------------------------------------------------

struct Kind {
  const char* name;
  Compression id;
  std::vector<CodecPtr> levels;  // the first one as it is by default
};

class AnyCodec : public ::testing::TestWithParam<Kind> {
 protected:
  CodecPtr codec() const { return GetParam().levels[0]; }
};

INSTANTIATE_TEST_SUITE_P(
    Codecs, AnyCodec,
    ::testing::Values(
        Kind{"gzip",
             Compression::gzip,
             {gzip(), gzip(-1), gzip(1), gzip(2), gzip(3), gzip(4), gzip(5), gzip(6), gzip(7),
              gzip(8), gzip(9)}},
        Kind{"lz4", Compression::lz4, {lz4(), lz4(1), lz4(3), lz4(9), lz4(12)}},
        Kind{"snappy", Compression::snappy, {snappy()}},
        Kind{"zstd", Compression::zstd, {zstd(), zstd(-50), zstd(0), zstd(1), zstd(9), zstd(22)}}),
    [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(AnyCodec, IsWhatItSays) {
  for (const CodecPtr& each : GetParam().levels) {
    EXPECT_EQ(each->id(), GetParam().id);
    EXPECT_EQ(each->problem(), nullptr);
  }
}

TEST_P(AnyCodec, ComesBackAtEveryLevelAndSize) {
  std::mt19937_64 random(5);
  for (const CodecPtr& each : GetParam().levels) {
    for (const std::size_t size :
         {0U, 1U, 100U, 511U, 512U, 513U, 65535U, 65536U, 65537U, 300000U}) {
      const std::string text = random_text(random, size);
      const std::string packed = compress(each, text);
      const Plain plain = decompress(each, packed);
      EXPECT_FALSE(plain.error) << plain.error.message() << size;
      EXPECT_TRUE(plain.text == text) << size;
      if (size >= 65535) {
        EXPECT_LT(packed.size(), size);
      }
      const std::string noise = random_bytes(random, size);
      EXPECT_TRUE(decompress(each, compress(each, noise)).text == noise) << size;
    }
  }
}

TEST_P(AnyCodec, PiecesAreJoined) {
  std::mt19937_64 random(6);
  const std::unique_ptr<Compressor> compressor = codec()->make_compressor();
  const std::unique_ptr<Decompressor> decompressor = codec()->make_decompressor();
  for (int round = 0; round < 50; ++round) {  // the same state again and again
    std::vector<std::string> parts(random() % 6);
    std::vector<wire::Bytes> pieces;
    std::string all;
    for (std::string& part : parts) {
      part = random_text(random, random() % 3 == 0 ? 0 : random() % 100'000);
      pieces.push_back(part);
      all += part;
    }
    const Plain plain = decompress(*decompressor, compress(*compressor, pieces));
    EXPECT_FALSE(plain.error);
    EXPECT_TRUE(plain.text == all);
  }
}

TEST_P(AnyCodec, ChunksOfAnySizeAreFilled) {
  std::mt19937_64 random(7);
  const std::string text = random_text(random, 5000);
  const wire::Bytes piece(text);
  const std::string whole = compress(codec(), text);
  for (const std::size_t chunk : {1U, 2U, 3U, 10U, 100U, 1000U}) {
    TightSink sink(chunk, SIZE_MAX);
    const auto size = codec()->make_compressor()->compress({&piece, 1}, sink);
    ASSERT_TRUE(size);
    sink.bytes.resize(*size);
    EXPECT_TRUE(wire::Bytes(std::span<const std::byte>(sink.bytes)).view() == whole) << chunk;
  }
  const std::unique_ptr<Compressor> compressor = codec()->make_compressor();
  for (const std::size_t chunks : {0U, 1U, 3U, 100U}) {
    TightSink full(10, chunks);
    const auto size = compressor->compress({&piece, 1}, full);
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error(), Errc::too_large);
  }
  EXPECT_TRUE(compress(*compressor, {&piece, 1}) == whole);  // usable after errors
}

// Cut anywhere it is an error of its own, but where a block ends in a framing that has no end.
TEST_P(AnyCodec, TruncationAnywhereIsAnError) {
  std::mt19937_64 random(8);
  const std::string text = random_text(random, 900);
  const std::string packed = compress(codec(), text);
  const std::unique_ptr<Decompressor> decompressor = codec()->make_decompressor();
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const Plain plain = decompress(*decompressor, packed.substr(0, size));
    if (GetParam().id == Compression::snappy && size == 16) {
      EXPECT_EQ(plain.text, "");
    } else {
      EXPECT_EQ(plain.error, Errc::end_of_input) << size;
    }
  }
  EXPECT_EQ(decompress(*decompressor, packed).text, text);  // usable after errors
}

TEST_P(AnyCodec, DamageNeverBreaksAnything) {
  std::mt19937_64 random(9);
  const std::string packed = compress(codec(), random_text(random, 900));
  const std::unique_ptr<Decompressor> decompressor = codec()->make_decompressor();
  int errors = 0;
  for (std::size_t at = 0; at < packed.size(); ++at) {
    for (const int mask : {0x01, 0x55, 0x80, 0xff}) {
      std::string bad = packed;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      const Plain plain = decompress(*decompressor, bad, 1000);
      EXPECT_LE(plain.asked, 1000U);
      EXPECT_LE(plain.text.size(), 1000U);
      if (!plain.error) continue;
      ++errors;
      EXPECT_EQ(plain.error.category(), wire::make_error_code(Errc::too_large).category());
    }
  }
  EXPECT_GT(errors, 100);
  // Whose magic numbers are gone is refused as such.
  for (const std::size_t at : {0U, 1U, 2U, 3U}) {
    std::string bad = packed;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    EXPECT_TRUE(decompress(*decompressor, bad).error) << at;
  }
}

TEST_P(AnyCodec, StreamsBehindOneAnotherAreOneText) {
  const std::string both =
      compress(codec(), "first, ") + compress(codec(), "") + compress(codec(), "second");
  EXPECT_EQ(decompress(codec(), both).text, "first, second");
  EXPECT_EQ(decompress(codec(), both, 13).text, "first, second");
  EXPECT_EQ(decompress(codec(), both, 12).error, Errc::too_large);
  EXPECT_TRUE(decompress(codec(), both + "trailing bytes").error);
  EXPECT_EQ(decompress(codec(), "").error, Errc::end_of_input);
}

// As a pool would do it: what is written has to be copied whenever there is to be more room.
struct CountingFrame final : FrameSink {
  std::span<std::byte> grow(std::size_t used, std::size_t want) override {
    std::vector<std::byte> larger(want);
    std::copy_n(bytes.begin(), used, larger.begin());
    copied += used;
    bytes = std::move(larger);
    return bytes;
  }
  std::vector<std::byte> bytes;
  std::size_t copied = 0;
};

TEST_P(AnyCodec, ManySmallStreamsAreNotCopiedForEach) {
  const std::string one = compress(codec(), "a small one");
  std::string all;
  for (int i = 0; i < 2000; ++i) all += one;
  CountingFrame sink;
  const auto size = codec()->make_decompressor()->decompress(wire::Bytes(all).span(), sink, kLimit);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, 22'000U);
  EXPECT_LE(sink.copied, 2 * *size);
}

TEST_P(AnyCodec, BoundHoldsToTheByte) {
  const std::string text(200'000, 'a');
  const std::string packed = compress(codec(), text);
  EXPECT_TRUE(decompress(codec(), packed, 200'000).text == text);
  for (const std::size_t limit : {0U, 1U, 65535U, 65536U, 131072U, 199'999U}) {
    const Plain plain = decompress(codec(), packed, limit);
    EXPECT_EQ(plain.error, Errc::too_large) << limit;
    EXPECT_LE(plain.asked, limit);
  }
  EXPECT_FALSE(decompress(codec(), compress(codec(), ""), 0).error);
}

TEST_P(AnyCodec, ABombGetsNoMoreMemoryThanTheBound) {
  const std::string packed = compress(GetParam().levels.back(), std::string(50 << 20, '\0'));
  ASSERT_LT(packed.size(), std::size_t{3} << 20);
  const Plain plain = decompress(codec(), packed, 1 << 20);
  EXPECT_EQ(plain.error, Errc::too_large);
  EXPECT_LE(plain.asked, std::size_t{1} << 20);
}

// Memory that is there already, as in a pool.
struct FixedChunks final : ChunkSink {
  std::span<std::byte> next(std::size_t used) override {
    at += used;
    return std::span(room).subspan(at, std::min<std::size_t>(4096, room.size() - at));
  }
  std::vector<std::byte> room = std::vector<std::byte>(1 << 20);
  std::size_t at = 0;
};
struct FixedFrame final : FrameSink {
  std::span<std::byte> grow(std::size_t, std::size_t) override { return room; }
  std::vector<std::byte> room = std::vector<std::byte>(1 << 20);
};

TEST_P(AnyCodec, NoAllocationOnceItRuns) {
  std::mt19937_64 random(10);
  const std::string text = random_text(random, 200'000);
  const wire::Bytes piece(text);
  const std::unique_ptr<Compressor> compressor = codec()->make_compressor();
  const std::unique_ptr<Decompressor> decompressor = codec()->make_decompressor();
  FixedChunks chunks;
  FixedFrame frame;
  std::size_t before = 0;
  std::size_t compressing = 0;
  for (int round = 0; round < 4; ++round) {
    if (round == 1) {
      before = g_allocations;
      compressing = 0;
    }
    chunks.at = 0;
    const std::size_t then = g_allocations;
    const auto packed = compressor->compress({&piece, 1}, chunks);
    compressing += g_allocations - then;
    ASSERT_TRUE(packed);
    const auto size =
        decompressor->decompress(std::span(chunks.room).first(*packed), frame, 1 << 20);
    ASSERT_TRUE(size);
    ASSERT_EQ(*size, text.size());
  }
  EXPECT_EQ(g_allocations - before, compressing);
  // libsnappy's tables, once for each of the four blocks.
  EXPECT_LE(compressing, GetParam().id == Compression::snappy ? 3U * 4U : 0U);
}

TEST(CodecLevels, RefusedOnesSaySo) {
  for (const CodecPtr& codec : {lz4(-1), lz4(13), zstd(23), zstd(-131073)}) {
    EXPECT_NE(codec->problem(), nullptr);
    VectorChunkSink sink;
    const auto size = codec->make_compressor()->compress({}, sink);
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error(), Errc::bad_value);
  }
  EXPECT_EQ(snappy()->at_level(3), nullptr);
  EXPECT_NE(lz4()->at_level(13)->problem(), nullptr);
  EXPECT_NE(zstd()->at_level(23)->problem(), nullptr);
  std::mt19937_64 random(11);
  const std::string text = random_text(random, 100'000);
  EXPECT_LT(compress(lz4()->at_level(9), text).size(), compress(lz4(), text).size());
  EXPECT_LT(compress(zstd()->at_level(19), text).size(), compress(zstd(1), text).size());
}

// --- lz4 ----------------------------------------------------------------------------------------

std::string lz4_frame(const std::string& text, const LZ4F_preferences_t& preferences) {
  std::string out(LZ4F_compressFrameBound(text.size(), &preferences), '\0');
  const std::size_t size =
      LZ4F_compressFrame(out.data(), out.size(), text.data(), text.size(), &preferences);
  EXPECT_FALSE(LZ4F_isError(size));
  out.resize(size);
  return out;
}

TEST(Lz4, AnyFrameOfTheFormatIsRead) {
  std::mt19937_64 random(12);
  const std::string text = random_text(random, 1'200'000);
  for (const LZ4F_blockSizeID_t size : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    for (int flags = 0; flags < 16; ++flags) {
      LZ4F_preferences_t preferences{};
      preferences.frameInfo.blockSizeID = size;
      preferences.frameInfo.blockMode = (flags & 1) != 0 ? LZ4F_blockLinked : LZ4F_blockIndependent;
      preferences.frameInfo.contentChecksumFlag =
          (flags & 2) != 0 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
      preferences.frameInfo.blockChecksumFlag =
          (flags & 4) != 0 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
      preferences.frameInfo.contentSize = (flags & 8) != 0 ? text.size() : 0;
      const std::string frame = lz4_frame(text, preferences);
      const Plain plain = decompress(lz4(), frame);
      EXPECT_FALSE(plain.error) << flags;
      EXPECT_TRUE(plain.text == text) << flags;
      if ((flags & 2) != 0) {
        std::string bad = frame;
        bad.back() = static_cast<char>(bad.back() ^ 1);
        EXPECT_EQ(decompress(lz4(), bad).error, Errc::bad_compressed_data);
      }
    }
  }
}

TEST(Lz4, OthersReadItAndBlocksAreWhatJavaTakes) {
  std::mt19937_64 random(13);
  const std::string text = random_text(random, 200'000);
  const std::string packed = compress(lz4(), text);
  // Version 1, independent blocks, no checksums, no size; blocks of 64 KiB.
  EXPECT_EQ(packed.substr(0, 6), "\x04\x22\x4d\x18\x60\x40"s);
  LZ4F_dctx* context = nullptr;
  ASSERT_FALSE(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  std::string out(text.size(), '\0');
  std::size_t made = out.size();
  std::size_t taken = packed.size();
  EXPECT_EQ(LZ4F_decompress(context, out.data(), &made, packed.data(), &taken, nullptr), 0U);
  LZ4F_freeDecompressionContext(context);
  EXPECT_EQ(taken, packed.size());
  EXPECT_TRUE(out == text);
}

TEST(Lz4, ASkippableFrameIsSkipped) {
  const std::string skipped = "\x50\x2a\x4d\x18\x05\0\0\0abcde"s;
  EXPECT_EQ(decompress(lz4(), skipped + compress(lz4(), "text")).text, "text");
  EXPECT_EQ(decompress(lz4(), skipped.substr(0, 12)).error, Errc::end_of_input);
  EXPECT_EQ(decompress(lz4(), skipped).text, "");
}

TEST(Lz4, MemoryIsInProportionWhateverIsTold) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.contentSize = 4;
  std::string frame = lz4_frame("tiny", preferences);
  EXPECT_LE(decompress(lz4(), frame).asked, 4U);
  // The largest block of the format, and nothing in it.
  const std::string large = "\x04\x22\x4d\x18\x60\x70\x73\xff\xff\x3f\0"s;
  const Plain plain = decompress(lz4(), large + std::string(100, 'x'));
  EXPECT_TRUE(plain.error);
  EXPECT_LE(plain.asked, 100U * 255U);
}

// --- snappy -------------------------------------------------------------------------------------

std::string raw_snappy(const std::string& text) {
  std::string out;
  ::snappy::Compress(text.data(), text.size(), &out);
  return out;
}

const std::string kXerial = "\x82SNAPPY\0\0\0\0\1\0\0\0\1"s;

std::string xerial_block(const std::string& text) {
  const std::string raw = raw_snappy(text);
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(raw.size() >> shift);
  return out + raw;
}

TEST(Snappy, IsFramedAsJavaDoesIt) {
  std::mt19937_64 random(14);
  const std::string text = random_text(random, 150'000);
  EXPECT_TRUE(compress(snappy(), text) == kXerial + xerial_block(text.substr(0, 65536)) +
                                              xerial_block(text.substr(65536, 65536)) +
                                              xerial_block(text.substr(131072)));
}

TEST(Snappy, BlocksOfAnySizeAreRead) {
  const std::string large(200'000, 'z');
  const std::string in = kXerial + xerial_block("a") + xerial_block("") + xerial_block(large) +
                         kXerial + xerial_block("b");
  EXPECT_TRUE(decompress(snappy(), in).text == "a" + large + "b");
}

TEST(Snappy, ARawBlockIsRead) {
  std::mt19937_64 random(15);
  for (const std::size_t size : {0U, 1U, 59U, 60U, 61U, 300U, 70'000U, 400'000U}) {
    for (const std::string& text : {random_text(random, size), random_bytes(random, size)}) {
      const std::string packed = raw_snappy(text);
      const Plain plain = decompress(snappy(), packed, size);
      EXPECT_FALSE(plain.error) << size;
      EXPECT_TRUE(plain.text == text) << size;
      if (size > 0) {
        EXPECT_EQ(decompress(snappy(), packed, size - 1).error, Errc::too_large);
      }
      if (size > 300) continue;
      for (std::size_t cut = 0; cut < packed.size(); ++cut) {
        EXPECT_EQ(decompress(snappy(), packed.substr(0, cut)).error, Errc::end_of_input) << cut;
      }
    }
  }
}

TEST(Snappy, LengthsThatLieGetNoMemory) {
  for (const std::string& in :
       {"\xff\xff\xff\xff\x0f"s + std::string(100, 'x'), kXerial + "\0\0\0\5\xff\xff\xff\xff\x0f"s,
        kXerial + "\x7f\xff\xff\xff\5\xff"s, kXerial + "\xff\xff\xff\xff\5\xff"s,
        kXerial + "\0\0\0\0"s}) {
    const Plain plain = decompress(snappy(), in, std::size_t{1} << 33);
    EXPECT_TRUE(plain.error);
    EXPECT_EQ(plain.asked, 0U);
  }
  // A length of more than 32 bits, and a copy from before the beginning.
  EXPECT_EQ(decompress(snappy(), "\xff\xff\xff\xff\x7f"s).error, Errc::bad_compressed_data);
  EXPECT_EQ(decompress(snappy(), "\4\1\1"s).error, Errc::bad_compressed_data);
}

// --- zstd ---------------------------------------------------------------------------------------

TEST(Zstd, OthersReadItAndItTellsItsSize) {
  std::mt19937_64 random(16);
  const std::string text = random_text(random, 200'000);
  const std::string packed = compress(zstd(), text);
  EXPECT_EQ(ZSTD_getFrameContentSize(packed.data(), packed.size()), text.size());
  std::string out(text.size(), '\0');
  EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size()), text.size());
  EXPECT_TRUE(out == text);
}

// As a writer that does not know the size beforehand, with the largest window there is.
std::string zstd_stream(const std::string& text, bool checksum) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  for (std::size_t at = 0; at < text.size(); at += 100'000) {
    ZSTD_inBuffer from{text.data() + at, std::min<std::size_t>(100'000, text.size() - at), 0};
    EXPECT_EQ(ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush), 0U);
  }
  ZSTD_inBuffer none{nullptr, 0, 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &none, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

TEST(Zstd, StreamsThatDoNotTellTheirSizeAreRead) {
  std::mt19937_64 random(17);
  for (const std::string& text : {random_text(random, 1'000'000), std::string(3'000'000, 'a')}) {
    const std::string packed = zstd_stream(text, true);
    ASSERT_EQ(ZSTD_getFrameContentSize(packed.data(), packed.size()), ZSTD_CONTENTSIZE_UNKNOWN);
    EXPECT_TRUE(decompress(zstd(), packed).text == text);
    EXPECT_TRUE(decompress(zstd(), packed, text.size()).text == text);
    EXPECT_EQ(decompress(zstd(), packed, text.size() - 1).error, Errc::too_large);
    EXPECT_TRUE(decompress(zstd(), packed + zstd_stream(text, false)).text == text + text);
    std::string bad = packed;
    bad.back() = static_cast<char>(bad.back() ^ 1);
    EXPECT_EQ(decompress(zstd(), bad).error, Errc::bad_compressed_data);
    EXPECT_EQ(decompress(zstd(), packed.substr(0, packed.size() - 1)).error, Errc::end_of_input);
  }
}

TEST(Zstd, ASizeThatLiesGetsLittleMemory) {
  // A header that tells 2^30 bytes, and one raw block of four.
  const std::string tiny = "\x28\xb5\x2f\xfd\xa0\0\0\0\x40\x21\0\0abcd"s;
  ASSERT_EQ(ZSTD_getFrameContentSize(tiny.data(), tiny.size()), 1U << 30);
  const Plain plain = decompress(zstd(), tiny, std::size_t{1} << 31);
  EXPECT_EQ(plain.error, Errc::bad_compressed_data);
  EXPECT_LE(plain.asked, std::size_t{1} << 18);
  EXPECT_EQ(decompress(zstd(), tiny, 1 << 20).error, Errc::too_large);
  // And one that tells three.
  const std::string less = "\x28\xb5\x2f\xfd\x20\3\x21\0\0abcd"s;
  EXPECT_EQ(decompress(zstd(), less).error, Errc::bad_compressed_data);
  EXPECT_EQ(decompress(zstd(), "\x28\xb5\x2f\xfd\x20\4\x21\0\0abcd"s).text, "abcd");
}

TEST(Zstd, ASkippableFrameIsSkippedAndOldFormatsAreNotRead) {
  const std::string skipped = "\x50\x2a\x4d\x18\x05\0\0\0abcde"s;
  EXPECT_EQ(decompress(zstd(), skipped + compress(zstd(), "text")).text, "text");
  std::string old = compress(zstd(), "text");
  for (const char version : {'\x22', '\x23', '\x24', '\x25', '\x26', '\x27'}) {
    old[0] = version;
    EXPECT_EQ(decompress(zstd(), old).error, Errc::bad_compressed_data);
  }
}

}  // namespace
}  // namespace tern::kafka
