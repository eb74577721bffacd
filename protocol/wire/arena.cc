#include "protocol/wire/arena.h"

#include <algorithm>
#include <new>

namespace tern::wire {

void* Arena::allocate_slow(std::size_t size, std::size_t align) {
  if (reserved_ > limit_) return nullptr;
  const std::size_t room = limit_ - reserved_;
  if (size > room || room - size < sizeof(Block) + align) return nullptr;
  const std::size_t need = size + sizeof(Block) + align;
  const std::size_t step =
      newest_ == nullptr ? kFirstBlock : std::min(2 * newest_->size, kLargestStep);
  // A large array gets a block of just its own size, and the block in use goes on being filled: so
  // little is wasted. Small ones come from blocks that double, so there are few.
  if (newest_ != nullptr && need > step / 8) return allocate_alone(need, align);
  const std::size_t total = std::min(std::max(need, step), room);
  void* memory = ::operator new(total, std::nothrow);
  if (memory == nullptr) return nullptr;
  newest_ = new (memory) Block{newest_, total};
  reserved_ += total;
  next_ = static_cast<std::byte*>(memory) + sizeof(Block);
  end_ = static_cast<std::byte*>(memory) + total;
  return allocate(size, align);
}

void* Arena::allocate_alone(std::size_t total, std::size_t align) {
  void* memory = ::operator new(total, std::nothrow);
  if (memory == nullptr) return nullptr;
  newest_->previous = new (memory) Block{newest_->previous, total};
  reserved_ += total;
  std::byte* const start = static_cast<std::byte*>(memory) + sizeof(Block);
  return start + ((0 - reinterpret_cast<std::uintptr_t>(start)) & (align - 1));
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
