#include "client/kafka/batch.h"

#include <algorithm>

namespace tern::kafka {

bool HandlerList::add_block(std::size_t entry, BufferPool& pool, bool beyond) {
  const std::size_t doubled = last_ ? 2 * last_->capacity : kMinBlockBytes;
  const std::size_t want = std::max(sizeof(Block) + entry, std::min(doubled, kMaxBlockBytes));
  Buffer buffer = pool.acquire(want);
  // As little as will do, where there is little: who was told of space for a record is to have it.
  if (!buffer) buffer = pool.acquire(std::max(sizeof(Block) + entry, kMinBlockBytes), beyond);
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

void HandlerList::split(std::int32_t index, HandlerList& upper, BufferPool& pool) {
  for (Block* block = first_; block; block = block->next) {
    for (std::byte* at = block->begin; at != block->end;) {
      auto* entry = reinterpret_cast<Entry*>(at);
      at += entry->bytes;
      if (!entry->ops || entry->index < index) continue;
      if (!upper.last_ || upper.room() < entry->bytes) upper.add_block(entry->bytes, pool, true);
      auto* to = reinterpret_cast<Entry*>(upper.next_);
      upper.next_ += entry->bytes;
      ::new (to) Entry(*entry);
      to->index -= index;
      std::exchange(entry->ops, nullptr)->move(to + 1, entry + 1);
      upper.last_->end = upper.next_;
    }
  }
}

void HandlerList::clear(BufferPool& pool) {
  while (Entry* entry = oldest(pool)) {
    std::exchange(entry->ops, nullptr)->destroy(entry + 1);
  }
}

}  // namespace tern::kafka
