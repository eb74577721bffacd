#include "fuzz/memory.h"

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

// Starts in the middle, as memory may be freed by another thread than the one that took it.
constexpr std::size_t kZero = SIZE_MAX / 2;
thread_local std::size_t held_bytes = kZero;
thread_local std::size_t peak_bytes = kZero;

void* counted(void* p) {
  if (p == nullptr) std::abort();  // nothing here survives that anyway
  held_bytes += malloc_usable_size(p);
  peak_bytes = std::max(peak_bytes, held_bytes);
  return p;
}

void uncount(void* p) noexcept {
  if (p != nullptr) held_bytes -= malloc_usable_size(p);
  std::free(p);
}

void* aligned(std::size_t size, std::align_val_t align) {
  const auto to = static_cast<std::size_t>(align);
  return counted(std::aligned_alloc(to, (size + to - 1) / to * to));
}

}  // namespace

namespace tern::fuzz {

MemoryScope::MemoryScope() : held_at_start_(held_bytes) { peak_bytes = held_bytes; }
std::size_t MemoryScope::peak() const { return peak_bytes - held_at_start_; }
std::size_t MemoryScope::held() const {
  return held_bytes > held_at_start_ ? held_bytes - held_at_start_ : 0;
}

}  // namespace tern::fuzz

void* operator new(std::size_t size) {
  return counted(std::malloc(std::max<std::size_t>(size, 1)));
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, std::align_val_t align) { return aligned(size, align); }
void* operator new[](std::size_t size, std::align_val_t align) { return aligned(size, align); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
void operator delete(void* p) noexcept { uncount(p); }
void operator delete[](void* p) noexcept { uncount(p); }
void operator delete(void* p, std::size_t) noexcept { uncount(p); }
void operator delete[](void* p, std::size_t) noexcept { uncount(p); }
void operator delete(void* p, std::align_val_t) noexcept { uncount(p); }
void operator delete[](void* p, std::align_val_t) noexcept { uncount(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { uncount(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { uncount(p); }
