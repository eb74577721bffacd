// Where compressors of this folder write: the spans of a ChunkSink, one after another. Not for
// users.
#ifndef TERN_CLIENT_CODECS_OUTPUT_H_
#define TERN_CLIENT_CODECS_OUTPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "protocol/kafka/compression.h"

namespace tern::kafka::internal {

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

}  // namespace tern::kafka::internal

#endif  // TERN_CLIENT_CODECS_OUTPUT_H_
