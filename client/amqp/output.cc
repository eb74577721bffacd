#include "client/amqp/output.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tern::amqp {
namespace {

constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kMinHeadToMove = 64;

}  // namespace

void Output::begin_block(std::size_t n) {
  block_ = pool_.acquire(std::max(n, kBlockBytes));
  block_used_ = 0;
}

// Not behind the last piece.
void Output::commit_first(std::size_t n) {
  if (n == 0) return;
  pieces_.push_back({.data = block_.data() + block_used_, .size = n, .block = block_});
  block_used_ += n;
  end_ += n;
}

void Output::refer(wire::Bytes data, std::shared_ptr<const void> owner) {
  if (data.empty()) return;
  end_ += data.size();
  pieces_.push_back({.data = reinterpret_cast<const std::byte*>(data.data()),
                     .size = data.size(),
                     .owner = std::move(owner)});
}

void Output::gather(BufferList& out) {
  std::uint64_t listed = written_;
  for (std::size_t i = head_; i < pieces_.size(); ++i) {
    if (!out.add(pieces_[i].data, pieces_[i].size)) break;
    listed += pieces_[i].size;
  }
  gathered_ = std::max(gathered_, listed);
}

void Output::consume(std::size_t n) {
  assert(n <= bytes());
  written_ += n;
  while (n > 0) {
    Piece& piece = pieces_[head_];
    const std::size_t step = std::min(n, piece.size);
    piece.data += step;
    piece.size -= step;
    n -= step;
    if (piece.size != 0) break;
    piece.block = {};
    piece.owner = {};
    ++head_;
  }
  drop_consumed();
}

void Output::drop_consumed() {
  if (empty()) {
    pieces_.clear();
    head_ = 0;
    // With nobody else in it the block can be filled anew.
    if (block_.is_unique()) block_used_ = 0;
  } else if (head_ >= kMinHeadToMove && head_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Output::clear() {
  pieces_.clear();
  head_ = 0;
  block_ = {};
  block_used_ = 0;
  written_ = gathered_ = end_;
}

}  // namespace tern::amqp
