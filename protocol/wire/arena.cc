#include "protocol/wire/arena.h"

#include <algorithm>
#include <new>

namespace tern::wire {

void* Arena::allocate_slow(std::size_t size, std::size_t align) {
  if (reserved_ > limit_) return nullptr;
  const std::size_t room = limit_ - reserved_;
  if (size > room || room - size < sizeof(Block) + align) return nullptr;
  const std::size_t need = size + sizeof(Block) + align;
  // Doubling steps keep the number of blocks low; a large array gets a block of just its own size.
  const std::size_t step =
      newest_ == nullptr ? kFirstBlock : std::min(2 * newest_->size, kLargestStep);
  const std::size_t total = std::min(std::max(need, step), room);
  void* memory = ::operator new(total, std::nothrow);
  if (memory == nullptr) return nullptr;
  newest_ = new (memory) Block{newest_, total};
  reserved_ += total;
  next_ = static_cast<std::byte*>(memory) + sizeof(Block);
  end_ = static_cast<std::byte*>(memory) + total;
  return allocate(size, align);
}

void Arena::reset() {
  release(newest_);
  if (newest_ == nullptr) return;
  newest_->previous = nullptr;
  next_ = reinterpret_cast<std::byte*>(newest_) + sizeof(Block);
  end_ = reinterpret_cast<std::byte*>(newest_) + newest_->size;
}

void Arena::release(Block* keep) {
  Block* block = newest_;
  while (block != nullptr) {
    Block* previous = block->previous;
    if (block != keep) {
      reserved_ -= block->size;
      ::operator delete(block);
    }
    block = previous;
  }
  newest_ = keep;
  next_ = end_ = nullptr;
}

}  // namespace tern::wire
