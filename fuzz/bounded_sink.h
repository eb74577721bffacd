// Where targets have things decompressed to: exactly the memory that was asked for, so that a
// sanitizer sees the first byte beyond, and never more than was allowed. Not from operator new:
// what is counted there is the codec's own.
#ifndef TERN_FUZZ_BOUNDED_SINK_H_
#define TERN_FUZZ_BOUNDED_SINK_H_

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "fuzz/target.h"
#include "protocol/kafka/compression.h"

namespace tern::fuzz {

class BoundedSink final : public kafka::FrameSink {
 public:
  explicit BoundedSink(std::size_t limit) : limit_(limit) {}

  std::span<std::byte> grow(std::size_t used, std::size_t want) override {
    require(want <= limit_, "no more memory is asked for than was allowed");
    require(used <= size_, "no more was written than there was room for");
    if (want > size_) {
      Block larger(static_cast<std::byte*>(std::malloc(want)));
      if (used != 0) std::memcpy(larger.get(), block_.get(), used);
      block_ = std::move(larger);
      size_ = want;
    }
    return {block_.get(), size_};
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  using Block = std::unique_ptr<std::byte, Free>;

  Block block_;
  std::size_t size_ = 0;
  const std::size_t limit_;
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_BOUNDED_SINK_H_
