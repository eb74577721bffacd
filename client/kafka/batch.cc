#include "client/kafka/batch.h"

#include <algorithm>

namespace tern::kafka {

bool HandlerList::add_block(std::size_t entry, BufferPool& pool) {
  const std::size_t doubled = last_ ? 2 * last_->capacity : kMinBlockBytes;
  const std::size_t want = std::max(sizeof(Block) + entry, std::min(doubled, kMaxBlockBytes));
  const Buffer buffer = pool.acquire(want);
  if (!buffer) return false;
  auto* block = reinterpret_cast<Block*>(buffer.data);
  std::byte* begin = buffer.data + sizeof(Block);
  ::new (block) Block{nullptr, begin, begin, buffer.capacity};
  (last_ ? last_->next : first_) = block;
  last_ = block;
  next_ = begin;
  return true;
}

HandlerList::Entry* HandlerList::oldest(BufferPool& pool) {
  while (first_) {
    while (first_->begin != first_->end) {
      auto* entry = reinterpret_cast<Entry*>(first_->begin);
      if (entry->ops) return entry;
      first_->begin += entry->bytes;
    }
    Block* done = std::exchange(first_, first_->next);
    pool.release({reinterpret_cast<std::byte*>(done), done->capacity});
  }
  last_ = nullptr;
  return nullptr;
}

HandlerList::Entry* HandlerList::find(std::uint64_t id) const {
  for (Block* block = first_; block; block = block->next) {
    for (std::byte* at = block->begin; at != block->end;) {
      auto* entry = reinterpret_cast<Entry*>(at);
      if (entry->ops && entry->id == id) return entry;
      at += entry->bytes;
    }
  }
  return nullptr;
}

void HandlerList::clear(BufferPool& pool) {
  while (Entry* entry = oldest(pool)) {
    std::exchange(entry->ops, nullptr)->destroy(entry + 1);
  }
}

}  // namespace tern::kafka
