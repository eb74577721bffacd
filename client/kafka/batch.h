// Batch: records of one partition on their way to the broker, in their final wire form, and the
// handlers that wait for them.
//
// A batch is filled under the accumulator's lock, then belongs to the sender on the engine's
// executor. Its bytes stay where they are, unchanged, from the first time they are sent until no
// request that carries them is on the way: a retry sends the same bytes.
#ifndef TERN_CLIENT_KAFKA_BATCH_H_
#define TERN_CLIENT_KAFKA_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "client/core/error.h"
#include "client/core/prefetch.h"
#include "client/core/time.h"
#include "client/kafka/buffer_pool.h"
#include "client/kafka/delivery.h"
#include "protocol/kafka/batch_header.h"

namespace tern::kafka {

// Handlers of any type, each with its record, one after the other in blocks from the pool. A
// handler is anything callable with (std::error_code, const Delivery&).
class HandlerList {
 public:
  HandlerList() = default;
  HandlerList(HandlerList&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        next_(std::exchange(other.next_, nullptr)) {}
  // The list assigned to must be empty: only the pool can take its memory back.
  HandlerList& operator=(HandlerList&& other) noexcept {
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    next_ = std::exchange(other.next_, nullptr);
    return *this;
  }
  HandlerList(const HandlerList&) = delete;
  HandlerList& operator=(const HandlerList&) = delete;

  // Makes room for one more handler of this size. False if the pool's limit stands against it,
  // unless `beyond`.
  bool reserve(std::size_t bytes, BufferPool& pool, bool beyond = false) {
    if (last_ && room() >= entry_bytes(bytes)) [[likely]] {
      return true;
    }
    return add_block(entry_bytes(bytes), pool, beyond);
  }

  // After reserve(sizeof(F)). `id` names the handler for detach(); 0: cannot be detached.
  template <class F>
  void add(F&& handler, std::int32_t index, std::int64_t timestamp_ms, std::uint64_t id) {
    using Fn = std::remove_cvref_t<F>;
    static_assert(alignof(Fn) <= alignof(std::max_align_t));
    auto* entry = reinterpret_cast<Entry*>(next_);
    next_ += entry_bytes(sizeof(Fn));
    ::new (entry) Entry{&kOps<Fn>, timestamp_ms, id, index,
                        static_cast<std::uint32_t>(entry_bytes(sizeof(Fn)))};
    ::new (static_cast<void*>(entry + 1)) Fn(std::forward<F>(handler));
    last_->end = next_;
  }

  bool empty() const { return first_ == nullptr; }

  // Calls `f(entry)` for the oldest handler and forgets it; false if there is none. If `f` throws,
  // the handler counts as called.
  struct Taken;
  template <class F>
  bool take(BufferPool& pool, F&& f);

  // The same for the handler with this id, wherever it is. False if it is not here.
  template <class F>
  bool take_id(std::uint64_t id, F&& f);

  // Moves the handlers of records from `index` on to `upper`, where they count from 0. Takes memory
  // beyond the pool's limit if need be.
  void split(std::int32_t index, HandlerList& upper, BufferPool& pool);

  // Destroys handlers that are not to be called any more.
  void clear(BufferPool& pool);

 private:
  struct Ops {
    void (*call)(void* handler, std::error_code, const Delivery&);  // and destroys it
    void (*move)(void* to, void* from) noexcept;                    // and destroys the old one
    void (*destroy)(void* handler) noexcept;
  };
  struct alignas(std::max_align_t) Entry {
    const Ops* ops;  // null once called
    std::int64_t timestamp_ms;
    std::uint64_t id;
    std::int32_t index;
    std::uint32_t bytes;  // of the entry
  };
  struct alignas(std::max_align_t) Block {
    Block* next;
    std::byte* begin;  // the oldest entry not taken
    std::byte* end;
    std::size_t capacity;
  };

  static constexpr std::size_t kMinBlockBytes = 1024;
  static constexpr std::size_t kMaxBlockBytes = 64 * 1024;

  template <class Fn>
  static constexpr Ops kOps{[](void* p, std::error_code error, const Delivery& delivery) {
                              struct Guard {
                                Fn* fn;
                                ~Guard() { fn->~Fn(); }
                              } guard{static_cast<Fn*>(p)};
                              (*guard.fn)(error, delivery);
                            },
                            [](void* to, void* from) noexcept {
                              ::new (to) Fn(std::move(*static_cast<Fn*>(from)));
                              static_cast<Fn*>(from)->~Fn();
                            },
                            [](void* p) noexcept { static_cast<Fn*>(p)->~Fn(); }};

  static constexpr std::size_t entry_bytes(std::size_t payload) {
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    return (sizeof(Entry) + payload + kAlign - 1) / kAlign * kAlign;
  }
  std::size_t room() const {
    const std::byte* limit = reinterpret_cast<const std::byte*>(last_) + last_->capacity;
    return static_cast<std::size_t>(limit - next_);
  }
  bool add_block(std::size_t entry, BufferPool& pool, bool beyond);
  Entry* oldest(BufferPool& pool);
  Entry* find(std::uint64_t id) const;

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::byte* next_ = nullptr;
};

// A handler that is about to be called.
struct HandlerList::Taken {
  std::int32_t index;         // of its record in the batch
  std::int64_t timestamp_ms;  // of its record
  void* handler;
  const Ops* ops;
  void call(std::error_code error, const Delivery& delivery) {
    ops->call(handler, error, delivery);
  }
};

template <class F>
bool HandlerList::take(BufferPool& pool, F&& f) {
  Entry* entry = oldest(pool);
  if (!entry) return false;
  Taken taken{entry->index, entry->timestamp_ms, entry + 1, std::exchange(entry->ops, nullptr)};
  first_->begin += entry->bytes;
  f(taken);
  return true;
}

template <class F>
bool HandlerList::take_id(std::uint64_t id, F&& f) {
  Entry* entry = find(id);
  if (!entry) return false;
  Taken taken{entry->index, entry->timestamp_ms, entry + 1, std::exchange(entry->ops, nullptr)};
  f(taken);
  return true;
}

struct PartitionQueue;
class BatchList;

// In the order of the lines of cache that filling, queueing and sending touch: with thousands of
// partitions each batch is cold when its turn comes.
struct alignas(kCacheLine) Batch {
  // Filling.
  Buffer buffer;  // header space, then records
  std::size_t used = kBatchHeaderSize;
  std::int32_t count = 0;
  bool early = false;  // its first record came before it was opened
  std::int64_t base_timestamp = 0;
  std::int64_t max_timestamp = 0;
  PartitionQueue* queue = nullptr;
  Time opened{};  // when its first record came

  // Queueing.
  HandlerList handlers;
  // The list the batch is in: of open batches, of overdue ones, or of its partition's queue.
  BatchList* list = nullptr;
  Batch* next = nullptr;
  Batch* previous = nullptr;
  // All batches that are not reported yet, oldest first.
  Batch* younger = nullptr;
  Batch* older = nullptr;

  // Sending.
  std::int64_t producer_id = kNoProducerId;
  std::int32_t base_sequence = kNoSequence;
  std::int16_t producer_epoch = kNoProducerEpoch;
  Compression compression = Compression::none;
  bool prepared = false;  // compressed
  // The sum over the records that lie before `summed`.
  std::uint32_t records_crc = 0;
  std::uint32_t summed = kBatchHeaderSize;
  bool in_flight = false;
  bool maybe_written = false;  // some try of it has ended without an answer
  bool reported = false;       // expired: told, but its bytes are still on the way
  int attempts = 0;
  std::size_t uncompressed = 0;                       // size before compression
  std::uint64_t order = 0;                            // grows with each batch opened
  std::uint64_t order_room = std::uint64_t{1} << 20;  // up to the next one's

  wire::Bytes bytes() const { return wire::Bytes(std::span<const std::byte>(buffer.data, used)); }
};

// A doubly linked list through Batch::next and previous.
class BatchList {
 public:
  bool empty() const { return !first_; }
  Batch* front() const { return first_; }
  Batch* back() const { return last_; }
  void push_back(Batch* batch) { insert_before(nullptr, batch); }
  void push_front(Batch* batch) { insert_before(first_, batch); }
  void insert_before(Batch* where, Batch* batch) {
    batch->next = where;
    batch->previous = where ? where->previous : last_;
    (batch->previous ? batch->previous->next : first_) = batch;
    (where ? where->previous : last_) = batch;
    batch->list = this;
  }
  void remove(Batch* batch) {
    (batch->previous ? batch->previous->next : first_) = batch->next;
    (batch->next ? batch->next->previous : last_) = batch->previous;
    batch->next = batch->previous = nullptr;
    batch->list = nullptr;
  }
  Batch* pop_front() {
    Batch* batch = first_;
    if (batch) remove(batch);
    return batch;
  }

 private:
  Batch* first_ = nullptr;
  Batch* last_ = nullptr;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_BATCH_H_
