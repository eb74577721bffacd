#include "bench/counted_new.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> made{0}, held{0}, peak{0};

void* count(void* p) {
  if (p == nullptr) return nullptr;
  made.fetch_add(1, std::memory_order_relaxed);
  const auto size = static_cast<std::int64_t>(malloc_usable_size(p));
  const std::int64_t now = held.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t most = peak.load(std::memory_order_relaxed);
  while (now > most && !peak.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
  return p;
}
void* take(std::size_t size) {
  void* p = count(std::malloc(size));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void* take(std::size_t size, std::align_val_t alignment) {
  const auto align = static_cast<std::size_t>(alignment);
  void* p = count(std::aligned_alloc(align, (size + align - 1) / align * align));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void give(void* p) {
  if (p == nullptr) return;
  held.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void* operator new(std::size_t size, std::align_val_t a) { return take(size, a); }
void* operator new[](std::size_t size, std::align_val_t a) { return take(size, a); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return count(std::malloc(size));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return count(std::malloc(size));
}
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, std::size_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give(p); }

namespace tern::bench {

Allocations allocations() { return {made.load(), held.load(), peak.load()}; }
void reset_peak() { peak.store(held.load()); }

}  // namespace tern::bench
