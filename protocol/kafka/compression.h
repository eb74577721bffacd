// How batches are compressed: the interface between record batches and a codec such as gzip.
//
// A Codec is an immutable description ("gzip at level 6"), shared by all clients that name it in
// their config. The state that does the work (a z_stream, a dictionary) lives in a Compressor or a
// Decompressor that a producer or a fetcher makes once and keeps, so that no memory is allocated
// per batch. Compressors and decompressors belong to one thread at a time; codecs to any.
//
// Output goes where the caller keeps its memory. A producer hands out pooled pieces one after
// another (ChunkSink). A consumer needs its records contiguous and gives one block that may have to
// grow (FrameSink). Both are asked for room, never told how it is made.
#ifndef TERN_PROTOCOL_KAFKA_COMPRESSION_H_
#define TERN_PROTOCOL_KAFKA_COMPRESSION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "protocol/wire/bytes.h"
#include "protocol/wire/result.h"

namespace tern::kafka {

// The numbers stand in the low three bits of a batch's attributes.
enum class Compression : std::int8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
inline constexpr int kCompressionTypes = 5;

// "none", "gzip", ...; "unknown" for a number that is none of them.
const char* name(Compression compression);

// Output in pieces that stay where they are.
class ChunkSink {
 public:
  // The first `used` bytes of the span given last have been written (0 at the first call). Returns
  // room for more; an empty span says that there is none, and the compressor fails with too_large.
  virtual std::span<std::byte> next(std::size_t used) = 0;

 protected:
  ~ChunkSink() = default;
};

// Output in one contiguous block.
class FrameSink {
 public:
  // Returns the whole block with room for at least `want` bytes in all; its first `used` bytes hold
  // what was written before (the block may have moved). `want` is never above the decompressor's
  // max_bytes. A span shorter than `want` says that there is no more memory: too_large.
  virtual std::span<std::byte> grow(std::size_t used, std::size_t want) = 0;

 protected:
  ~FrameSink() = default;
};

class Compressor {
 public:
  virtual ~Compressor() = default;

  // Compresses the pieces, as if joined, into `out`; the result is the compressed size. The bytes
  // of the last span are not reported through next(): they are the size minus what was reported.
  virtual wire::Result<std::size_t> compress(std::span<const wire::Bytes> pieces,
                                             ChunkSink& out) = 0;
};

class Decompressor {
 public:
  virtual ~Decompressor() = default;

  // Decompresses all of `in` into `out`; the result is the size. Fails with too_large as soon as
  // more than max_bytes would come out (that much memory is never asked for), with end_of_input
  // when the input stops early, and with bad_compressed_data when it is not what the codec writes.
  virtual wire::Result<std::size_t> decompress(std::span<const std::byte> in, FrameSink& out,
                                               std::size_t max_bytes) = 0;
};

class Codec {
 public:
  virtual ~Codec() = default;
  virtual Compression id() const = 0;
  // What is wrong with the codec's own settings (a level out of range), or nullptr.
  virtual const char* problem() const { return nullptr; }
  // The same codec at another level, which may be a problem(); nullptr for one that has no levels.
  virtual std::shared_ptr<const Codec> at_level(int) const { return nullptr; }
  virtual std::unique_ptr<Compressor> make_compressor() const = 0;
  virtual std::unique_ptr<Decompressor> make_decompressor() const = 0;
};

using Codecs = std::vector<std::shared_ptr<const Codec>>;

// The codec for `id` among those given, or nullptr.
const Codec* find_codec(const Codecs& codecs, Compression id);

// The decompressors of one fetcher, each made at its first use and kept.
class Decompressors {
 public:
  explicit Decompressors(Codecs codecs) : codecs_(std::move(codecs)) {}

  // nullptr when no codec for `id` was given.
  Decompressor* find(Compression id);

 private:
  Codecs codecs_;
  std::array<std::unique_ptr<Decompressor>, kCompressionTypes> made_;
};

// Sinks over vectors, for code that is not in a hurry.
class VectorChunkSink final : public ChunkSink {
 public:
  explicit VectorChunkSink(std::size_t limit = SIZE_MAX) : limit_(limit) {}
  std::span<std::byte> next(std::size_t used) override;
  // To be called with the result of compress(): cuts off the room that was not used.
  std::vector<std::byte> take(std::size_t size);

 private:
  std::vector<std::byte> bytes_;
  std::size_t used_ = 0;
  std::size_t limit_;
};

class VectorFrameSink final : public FrameSink {
 public:
  std::span<std::byte> grow(std::size_t used, std::size_t want) override;
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_COMPRESSION_H_
