#include "protocol/kafka/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "protocol/wire/errc.h"

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

using wire::Errc;

std::string random_text(std::mt19937_64& random, std::size_t size) {
  static constexpr std::string_view kWords[] = {
      "order ", "invoice ", "{\"id\": ", "null, ", "\n", "x"};
  std::string text;
  while (text.size() < size) {
    text += kWords[random() % std::size(kWords)];
    if (random() % 4 == 0) text += std::to_string(random());
  }
  text.resize(size);
  return text;
}

std::string compress(Compressor& compressor, std::span<const wire::Bytes> pieces) {
  VectorChunkSink sink;
  const auto size = compressor.compress(pieces, sink);
  EXPECT_TRUE(size) << size.error().message();
  const std::vector<std::byte> out = sink.take(size ? *size : 0);
  return wire::Bytes(std::span<const std::byte>(out)).str();
}
std::string compress(const std::string& plain, int level = kGzipDefaultLevel) {
  const wire::Bytes piece(plain);
  return compress(*gzip(level)->make_compressor(), {&piece, 1});
}

struct Plain {
  std::error_code error;
  std::string text;
  std::size_t asked = 0;  // the most memory that was asked for
};
Plain decompress(Decompressor& decompressor, const std::string& in, std::size_t limit = 1 << 24) {
  VectorFrameSink sink;
  const auto size = decompressor.decompress(wire::Bytes(in).span(), sink, limit);
  Plain plain{size ? std::error_code() : size.error(), "", sink.bytes().size()};
  if (size) plain.text = wire::Bytes(std::span<const std::byte>(sink.bytes()).first(*size)).str();
  return plain;
}
Plain decompress(const std::string& in, std::size_t limit = 1 << 24) {
  return decompress(*gzip()->make_decompressor(), in, limit);
}

TEST(Gzip, ComesBackAtEveryLevelAndSize) {
  std::mt19937_64 random(5);
  for (const int level : {-1, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    for (const std::size_t size : {0U, 1U, 100U, 511U, 512U, 513U, 70000U}) {
      const std::string text = random_text(random, size);
      const Plain plain = decompress(compress(text, level));
      EXPECT_FALSE(plain.error) << plain.error.message();
      EXPECT_EQ(plain.text, text);
    }
  }
}

TEST(Gzip, PiecesAreJoined) {
  std::mt19937_64 random(6);
  const std::unique_ptr<Compressor> compressor = gzip(1)->make_compressor();
  const std::unique_ptr<Decompressor> decompressor = gzip()->make_decompressor();
  for (int round = 0; round < 50; ++round) {  // the same state again and again
    std::vector<std::string> parts(random() % 6);
    std::vector<wire::Bytes> pieces;
    std::string all;
    for (std::string& part : parts) {
      part = random_text(random, random() % 3 == 0 ? 0 : random() % 5000);
      pieces.push_back(part);
      all += part;
    }
    const Plain plain = decompress(*decompressor, compress(*compressor, pieces));
    EXPECT_FALSE(plain.error);
    EXPECT_EQ(plain.text, all);
  }
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

TEST(Gzip, MembersBehindOneAnotherAreOneText) {
  const std::string both = compress("first, ") + compress("") + compress("second");
  EXPECT_EQ(decompress(both).text, "first, second");
  EXPECT_EQ(decompress(both, 13).text, "first, second");
  EXPECT_EQ(decompress(both, 12).error, Errc::too_large);
}

TEST(Gzip, TruncationAnywhereIsAnError) {
  const std::string packed =
      compress("some text that is long enough to be worth packing, packing, packing");
  const std::unique_ptr<Decompressor> decompressor = gzip()->make_decompressor();
  for (std::size_t size = 0; size < packed.size(); ++size) {
    EXPECT_EQ(decompress(*decompressor, packed.substr(0, size)).error, Errc::end_of_input) << size;
  }
  EXPECT_FALSE(decompress(*decompressor, packed).error);  // usable after errors
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

TEST(Gzip, BoundHoldsToTheByte) {
  const std::string text(100000, 'a');
  const std::string packed = compress(text);
  EXPECT_EQ(decompress(packed, 100000).text, text);
  EXPECT_EQ(decompress(packed, 99999).error, Errc::too_large);
  EXPECT_EQ(decompress(packed, 0).error, Errc::too_large);
  EXPECT_FALSE(decompress(compress(""), 0).error);
}

TEST(Gzip, ABombGetsNoMoreMemoryThanTheBound) {
  const std::string packed = compress(std::string(50 << 20, '\0'), 9);
  ASSERT_LT(packed.size(), 60000U);
  const Plain plain = decompress(packed, 1 << 20);
  EXPECT_EQ(plain.error, Errc::too_large);
  EXPECT_LE(plain.asked, std::size_t{1} << 20);
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

TEST(Gzip, ChunksOfAnySizeAreFilled) {
  std::mt19937_64 random(7);
  const std::string text = random_text(random, 5000);
  const wire::Bytes piece(text);
  const std::string whole = compress(text);
  for (const std::size_t chunk : {1U, 2U, 3U, 10U, 100U, 1000U}) {
    TightSink sink(chunk, SIZE_MAX);
    const auto size = gzip()->make_compressor()->compress({&piece, 1}, sink);
    ASSERT_TRUE(size);
    sink.bytes.resize(*size);
    EXPECT_EQ(wire::Bytes(std::span<const std::byte>(sink.bytes)).view(), whole);
  }
  TightSink full(10, 3);
  const auto size = gzip()->make_compressor()->compress({&piece, 1}, full);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error(), Errc::too_large);
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

TEST(Gzip, NoAllocationOnceItRuns) {
  std::mt19937_64 random(8);
  const std::string text = random_text(random, 200000);
  const wire::Bytes piece(text);
  const std::unique_ptr<Compressor> compressor = gzip(1)->make_compressor();
  const std::unique_ptr<Decompressor> decompressor = gzip()->make_decompressor();
  FixedChunks chunks;
  FixedFrame frame;
  std::size_t before = 0;
  for (int round = 0; round < 4; ++round) {
    if (round == 1) before = g_allocations;
    chunks.at = 0;
    const auto packed = compressor->compress({&piece, 1}, chunks);
    ASSERT_TRUE(packed);
    const auto size =
        decompressor->decompress(std::span(chunks.room).first(*packed), frame, 1 << 20);
    ASSERT_TRUE(size);
    ASSERT_EQ(*size, text.size());
  }
  EXPECT_EQ(g_allocations, before);
}

}  // namespace
}  // namespace tern::kafka
