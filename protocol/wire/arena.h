// Bump memory with a hard limit: where the arrays of one decoded message live.
//
// allocate() returns nullptr once the limit would be passed; nothing is ever freed one by one, and
// no destructor runs, so only trivially destructible types go in. The limit counts every byte taken
// from the heap, padding and book-keeping included. One owner at a time; no lock.
#ifndef TERN_PROTOCOL_WIRE_ARENA_H_
#define TERN_PROTOCOL_WIRE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace tern::wire {

class Arena {
 public:
  // The most that decoding `input_bytes` may take: see the static checks in the codecs.
  static constexpr std::size_t limit_for(std::size_t input_bytes) {
    return std::size_t{64} * 1024 + 16 * input_bytes;
  }

  explicit Arena(std::size_t limit_bytes) : limit_(limit_bytes) {}
  ~Arena() { release(nullptr); }
  Arena(Arena&& other) noexcept { swap(other); }
  Arena& operator=(Arena&& other) noexcept {
    swap(other);
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `align` is a power of two, at most alignof(std::max_align_t). nullptr above the limit.
  void* allocate(std::size_t size, std::size_t align) {
    const std::size_t pad = (0 - reinterpret_cast<std::uintptr_t>(next_)) & (align - 1);
    const std::size_t left = static_cast<std::size_t>(end_ - next_);
    if (left >= pad && left - pad >= size && next_ != nullptr) [[likely]] {
      std::byte* p = next_ + pad;
      next_ = p + size;
      return p;
    }
    return allocate_slow(size, align);
  }

  // `n` default-constructed elements; nullptr above the limit (n == 0 gives a pointer not to be
  // read).
  template <class T>
  T* make_array(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n > limit_ / sizeof(T)) return nullptr;
    T* items = static_cast<T*>(allocate(n * sizeof(T), alignof(T)));
    if (items != nullptr) std::uninitialized_default_construct_n(items, n);
    return items;
  }

  // Forgets everything and keeps the newest block for the next message.
  void reset();
  void set_limit(std::size_t limit_bytes) { limit_ = limit_bytes; }

  std::size_t limit() const { return limit_; }
  std::size_t reserved_bytes() const { return reserved_; }  // taken from the heap

 private:
  struct Block {
    Block* previous;
    std::size_t size;  // all of it, this header included
  };
  static constexpr std::size_t kFirstBlock = 1024;
  static constexpr std::size_t kLargestStep = std::size_t{32} * 1024;

  void* allocate_slow(std::size_t size, std::size_t align);
  void* allocate_alone(std::size_t total, std::size_t align);
  void release(Block* keep);
  void swap(Arena& other) noexcept {
    std::swap(next_, other.next_);
    std::swap(end_, other.end_);
    std::swap(newest_, other.newest_);
    std::swap(reserved_, other.reserved_);
    std::swap(limit_, other.limit_);
  }

  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  Block* newest_ = nullptr;
  std::size_t reserved_ = 0;
  std::size_t limit_ = 0;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_ARENA_H_
