// Frame: a counted block of memory that holds one response, so that everything decoded from it can
// be handed to the user as views; FramePool: where frames come from and go back to.
//
// Threading: a FramePool's acquire() belongs to one thread; FrameRef copies may be dropped on any
// thread. The pool's memory outlives the pool for as long as a frame of it is held.
#ifndef TERN_CLIENT_CORE_FRAME_H_
#define TERN_CLIENT_CORE_FRAME_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace tern {

namespace internal {
class PoolState;

struct Frame {
  std::atomic<std::size_t> references{1};
  std::size_t capacity = 0;
  std::shared_ptr<PoolState> pool;  // set while the frame is out, so the state lives on
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
};
void release(Frame* frame) noexcept;
}  // namespace internal

// A counted reference to a frame. Cheap to copy (one atomic increment), empty when default made.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(const FrameRef& other) noexcept : frame_(other.frame_) {
    if (frame_) frame_->references.fetch_add(1, std::memory_order_relaxed);
  }
  FrameRef(FrameRef&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameRef() {
    if (frame_) internal::release(frame_);
  }

  explicit operator bool() const { return frame_ != nullptr; }
  std::byte* data() const { return frame_->bytes(); }
  std::size_t capacity() const { return frame_ ? frame_->capacity : 0; }
  // Nobody else has a reference, so its bytes may be changed. False when empty.
  bool is_unique() const {
    return frame_ && frame_->references.load(std::memory_order_acquire) == 1;
  }
  std::span<std::byte> space() const { return {data(), capacity()}; }

 private:
  friend class FramePool;
  friend class SharedFrame;
  friend class FrameDrop;
  explicit FrameRef(internal::Frame* frame) : frame_(frame) {}
  internal::Frame* frame_ = nullptr;
};

// A reference that hands out many others. It takes them from the frame a thousand at a time, where
// each by itself would cost an atomic instruction. One owner.
class SharedFrame {
 public:
  SharedFrame() = default;
  SharedFrame(const SharedFrame&) = delete;
  SharedFrame& operator=(const SharedFrame&) = delete;
  SharedFrame& operator=(FrameRef frame) noexcept {
    give_back();
    frame_ = std::move(frame);
    return *this;
  }
  ~SharedFrame() { give_back(); }

  // Only when not empty.
  FrameRef share() {
    if (spare_ == 0) {
      spare_ = 1000;
      frame_.frame_->references.fetch_add(spare_, std::memory_order_relaxed);
    }
    --spare_;
    return FrameRef(frame_.frame_);
  }
  explicit operator bool() const { return static_cast<bool>(frame_); }
  std::byte* data() const { return frame_.data(); }
  std::size_t capacity() const { return frame_.capacity(); }
  std::span<std::byte> space() const { return frame_.space(); }
  bool is_unique() {
    give_back();
    return frame_.is_unique();
  }

 private:
  // Never the last reference: that is frame_.
  void give_back() {
    if (spare_ != 0) {
      frame_.frame_->references.fetch_sub(std::exchange(spare_, 0), std::memory_order_relaxed);
    }
  }

  FrameRef frame_;
  std::size_t spare_ = 0;
};

// Gives up references: those to the same frame that come one behind the other all at once.
class FrameDrop {
 public:
  FrameDrop() = default;
  FrameDrop(const FrameDrop&) = delete;
  FrameDrop& operator=(const FrameDrop&) = delete;
  ~FrameDrop() { flush(); }

  void add(FrameRef&& ref) {
    if (ref.frame_ != last_.frame_) {
      flush();
      last_ = std::move(ref);
    } else if (std::exchange(ref.frame_, nullptr)) {
      ++more_;
    }
  }

 private:
  void flush() {
    if (more_ != 0) {
      last_.frame_->references.fetch_sub(std::exchange(more_, 0), std::memory_order_release);
    }
    last_ = {};
  }

  FrameRef last_;
  std::size_t more_ = 0;  // references to the same frame
};

// Hands out frames and keeps up to `keep_bytes` of returned ones, hottest first.
class FramePool {
 public:
  explicit FramePool(std::size_t keep_bytes);
  ~FramePool();  // frames still held stay valid
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  // A frame of at least `bytes`; never fails but by std::bad_alloc.
  FrameRef acquire(std::size_t bytes);

  // Capacity of all frames now held by anybody. Any thread.
  std::size_t held_bytes() const;

  // `called` runs on the releasing thread, without locks held, each time a frame comes back while a
  // notice is asked for; asking is one-shot. Used to continue fetching when the user lets go.
  void set_release_notice(std::function<void()> called);
  void ask_release_notice();

 private:
  std::shared_ptr<internal::PoolState> state_;
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_FRAME_H_
