// BufferPool: the memory of a producer's batches, with a hard limit.
//
// Counts capacity, not fill. Buffers come in powers of two and go back to be used again, the one
// used last first, because a cold megabyte costs more than encoding into it. Any thread; one short
// lock per batch, not per record.
#ifndef TERN_CLIENT_KAFKA_BUFFER_POOL_H_
#define TERN_CLIENT_KAFKA_BUFFER_POOL_H_

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "client/core/short_mutex.h"

namespace tern::kafka {

// A block of memory; belongs to whoever holds it, until given back.
struct Buffer {
  std::byte* data = nullptr;
  std::size_t capacity = 0;
  explicit operator bool() const { return data != nullptr; }
};

class BufferPool {
 public:
  // Never holds more than `limit_bytes`. `largest` is the size above which rounding up would only
  // waste: a full batch.
  BufferPool(std::size_t limit_bytes, std::size_t largest);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // At least `want` bytes, or an empty buffer if the limit stands against it. `beyond` the limit is
  // for what has to go on with records that were accepted. `charged` with it: see charge().
  Buffer acquire(std::size_t want, bool beyond = false, std::size_t charged = 0);
  void release(Buffer buffer, std::size_t refunded = 0);

  // Memory that is not a buffer but counts (an object, a copy). False if the limit stands against
  // it.
  bool charge(std::size_t bytes, bool beyond = false);
  // The same for what can be done without: nobody waits because it was refused, and it never takes
  // away what has_room() has promised.
  bool charge_spare(std::size_t bytes);
  // For a full batch and what it takes beside its bytes, or, where a batch is most of it, for half
  // of all.
  bool has_room() const;
  void refund(std::size_t bytes);

  std::size_t used_bytes() const;
  std::size_t limit_bytes() const { return limit_; }
  // Set by each acquire() or charge() that was refused, cleared by reading.
  bool take_refused();

 private:
  static constexpr std::size_t kSmallest = 512;
  static constexpr std::size_t kBesideBytes = 4096;
  static constexpr int kClasses = 24;

  std::size_t round_up(std::size_t want) const;
  bool has_room_beside(std::size_t bytes) const;
  static int class_of(std::size_t capacity);
  void trim();

  const std::size_t limit_;
  const std::size_t largest_;
  mutable ShortMutex mutex_;
  std::size_t used_ = 0;  // given out or charged
  std::size_t free_ = 0;  // in free_lists_
  bool refused_ = false;
  std::array<std::vector<Buffer>, kClasses> free_lists_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_BUFFER_POOL_H_
