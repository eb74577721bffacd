#include "client/kafka/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace tern::kafka {
namespace {

Buffer allocate(std::size_t capacity) {
  return {static_cast<std::byte*>(::operator new(capacity)), capacity};
}
void deallocate(Buffer buffer) { ::operator delete(buffer.data); }

}  // namespace

BufferPool::BufferPool(std::size_t limit_bytes, std::size_t largest)
    : limit_(limit_bytes), largest_(largest) {}

BufferPool::~BufferPool() {
  for (auto& list : free_lists_) {
    for (const Buffer& buffer : list) deallocate(buffer);
  }
}

std::size_t BufferPool::round_up(std::size_t want) const {
  const std::size_t rounded = std::bit_ceil(std::max(want, kSmallest));
  return rounded <= largest_ ? rounded : std::max(want, largest_);
}

// Capacities of one class differ at the top only, where the largest is no power of two.
int BufferPool::class_of(std::size_t capacity) {
  return std::min(kClasses - 1, static_cast<int>(std::bit_width((capacity - 1) / kSmallest)));
}

Buffer BufferPool::acquire(std::size_t want, bool beyond, std::size_t charged) {
  const std::size_t capacity = round_up(want);
  {
    std::lock_guard lock(mutex_);
    if (used_ + charged + capacity > limit_ && !beyond) {
      refused_ = true;
      return {};
    }
    used_ += charged;
    auto& list = free_lists_[static_cast<std::size_t>(class_of(capacity))];
    if (!list.empty() && list.back().capacity >= want && used_ + list.back().capacity <= limit_) {
      const Buffer buffer = list.back();
      list.pop_back();
      free_ -= buffer.capacity;
      used_ += buffer.capacity;
      return buffer;
    }
    used_ += capacity;
    trim();
  }
  return allocate(capacity);
}

void BufferPool::release(Buffer buffer, std::size_t refunded) {
  {
    std::lock_guard lock(mutex_);
    used_ -= refunded + buffer.capacity;
    if (!buffer) return;
    if (used_ + free_ + buffer.capacity <= limit_ &&
        buffer.capacity <= std::max(largest_, kSmallest)) {
      free_ += buffer.capacity;
      free_lists_[static_cast<std::size_t>(class_of(buffer.capacity))].push_back(buffer);
      return;
    }
  }
  deallocate(buffer);
}

bool BufferPool::charge(std::size_t bytes, bool beyond) {
  std::lock_guard lock(mutex_);
  if (used_ + bytes > limit_ && !beyond) {
    refused_ = true;
    return false;
  }
  used_ += bytes;
  trim();
  return true;
}

bool BufferPool::charge_spare(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  if (!has_room_beside(bytes)) return false;
  used_ += bytes;
  trim();
  return true;
}

bool BufferPool::has_room() const {
  std::lock_guard lock(mutex_);
  return has_room_beside(0);
}

bool BufferPool::has_room_beside(std::size_t bytes) const {
  return used_ + bytes + std::min(largest_ + kBesideBytes, limit_ / 2) <= limit_;
}

void BufferPool::refund(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  used_ -= bytes;
}

// Gives free buffers back to the system until everything together is within the limit.
void BufferPool::trim() {
  if (used_ + free_ <= limit_) return;
  for (auto list = free_lists_.rbegin(); list != free_lists_.rend(); ++list) {
    while (used_ + free_ > limit_ && !list->empty()) {
      free_ -= list->back().capacity;
      deallocate(list->back());
      list->pop_back();
    }
  }
}

std::size_t BufferPool::used_bytes() const {
  std::lock_guard lock(mutex_);
  return used_;
}

bool BufferPool::take_refused() {
  std::lock_guard lock(mutex_);
  return std::exchange(refused_, false);
}

}  // namespace tern::kafka
