// Where the codecs of this folder write. Not for users.
#ifndef TERN_CLIENT_CODECS_OUTPUT_H_
#define TERN_CLIENT_CODECS_OUTPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "protocol/kafka/compression.h"

namespace tern::kafka::internal {

// The spans of a ChunkSink, one after another.
class Output {
 public:
  explicit Output(ChunkSink& sink) : sink_(sink) {}

  // What can be written at once; empty when the sink gives no more.
  std::span<std::byte> room() {
    if (used_ == span_.size()) {
      full_ += used_;
      span_ = sink_.next(used_);
      used_ = 0;
    }
    return span_.subspan(used_);
  }
  // So much of room() has been written.
  void advance(std::size_t size) { used_ += size; }

  // False when the sink gives no more.
  bool put(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::span<std::byte> to = room();
      if (to.empty()) return false;
      const std::size_t size = std::min(to.size(), bytes.size());
      std::memcpy(to.data(), bytes.data(), size);
      advance(size);
      bytes = bytes.subspan(size);
    }
    return true;
  }
  std::size_t total() const { return full_ + used_; }

 private:
  ChunkSink& sink_;
  std::span<std::byte> span_;
  std::size_t used_ = 0;  // of the span
  std::size_t full_ = 0;  // bytes in spans before it
};

// The block of a FrameSink, for input that may be many frames behind one another. It grows at least
// twofold, or many small ones would have it copied for each.
class Frame {
 public:
  Frame(FrameSink& sink, std::size_t max_bytes) : sink_(sink), max_bytes_(max_bytes) {}

  // Room for `want` bytes in all, at most max_bytes, of which `used` are written. False when the
  // sink gives no more.
  bool reserve(std::size_t used, std::size_t want) {
    if (want <= block_.size()) return true;
    want = std::min(max_bytes_, std::max(want, block_.size() * 2));
    block_ = sink_.grow(used, want);
    return block_.size() >= want;
  }
  std::byte* data() const { return block_.data(); }

 private:
  FrameSink& sink_;
  std::size_t max_bytes_;
  std::span<std::byte> block_;
};

}  // namespace tern::kafka::internal

#endif  // TERN_CLIENT_CODECS_OUTPUT_H_
