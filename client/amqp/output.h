// Output: the bytes a session still has to write. Small things are encoded one behind the other
// into counted blocks; large bodies stay where they are and are referred to. gather() lists what is
// there, consume() takes off what has gone out.
//
// What gather() has listed stays where it is until it is consumed or cleared; more may be added
// meanwhile. Positions count bytes from the start of the stream, so that "had the network been
// given any of this?" can be asked of a message long after. Takes no memory in the steady state:
// blocks come from a pool. One owner.
#ifndef TERN_CLIENT_AMQP_OUTPUT_H_
#define TERN_CLIENT_AMQP_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "client/core/frame.h"
#include "client/core/ports.h"
#include "protocol/wire/bytes.h"

namespace tern::amqp {

class Output {
 public:
  explicit Output(FramePool& pool) : pool_(pool) {}

  // Room for `n` bytes in a row. What is written there counts from commit() on; only the last room
  // given may be committed.
  std::span<std::byte> room(std::size_t n) {
    if (block_.capacity() - block_used_ < n) begin_block(n);
    return block_.space().subspan(block_used_, n);
  }
  void commit(std::size_t n) {
    const std::byte* const begin = block_.data() + block_used_;
    if (empty() || pieces_.back().data + pieces_.back().size != begin) return commit_first(n);
    block_used_ += n;
    end_ += n;
    pieces_.back().size += n;
  }
  // Bytes that stay where they are until they are consumed or the output is cleared, held by
  // `owner`.
  void refer(wire::Bytes data, std::shared_ptr<const void> owner);

  void gather(BufferList& out);
  void consume(std::size_t n);
  // All is dropped; positions go on.
  void clear();

  bool empty() const { return head_ == pieces_.size(); }
  std::size_t bytes() const { return static_cast<std::size_t>(end_ - written_); }
  std::uint64_t end() const { return end_; }            // the position of what is added next
  std::uint64_t written() const { return written_; }    // all before it has gone out
  std::uint64_t gathered() const { return gathered_; }  // nothing from it on has been listed yet

 private:
  struct Piece {
    const std::byte* data;
    std::size_t size;
    FrameRef block = {};
    std::shared_ptr<const void> owner = {};
  };
  void begin_block(std::size_t n);
  void commit_first(std::size_t n);
  void drop_consumed();

  FramePool& pool_;
  FrameRef block_;
  std::size_t block_used_ = 0;
  std::vector<Piece> pieces_;
  std::size_t head_ = 0;  // pieces before it have gone out
  std::uint64_t end_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t gathered_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_OUTPUT_H_
