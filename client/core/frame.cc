#include "client/core/frame.h"

#include <algorithm>
#include <new>

namespace tern {
namespace internal {

class PoolState {
 public:
  explicit PoolState(std::size_t keep_bytes) : keep_bytes_(keep_bytes) {}
  ~PoolState() {
    for (Frame* frame : free_) destroy(frame);
  }

  Frame* take(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    // The block returned last is the warmest; one more than twice too large would hide memory.
    for (std::size_t i = free_.size(); i-- > 0;) {
      Frame* frame = free_[i];
      if (frame->capacity < bytes || frame->capacity / 2 > bytes) continue;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      kept_bytes_ -= frame->capacity;
      return frame;
    }
    return nullptr;
  }

  void give_back(Frame* frame) noexcept {
    held_bytes.fetch_sub(frame->capacity, std::memory_order_relaxed);
    std::function<void()> notice;
    {
      std::lock_guard lock(mutex_);
      if (!closed_ && kept_bytes_ + frame->capacity <= keep_bytes_ &&
          free_.size() < free_.capacity()) {
        kept_bytes_ += frame->capacity;
        free_.push_back(frame);
        frame = nullptr;
      }
      if (std::exchange(asked_, false)) notice = notice_;
    }
    if (frame) destroy(frame);
    if (notice) notice();
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    notice_ = nullptr;
  }

  void set_notice(std::function<void()> called) {
    std::lock_guard lock(mutex_);
    notice_ = std::move(called);
  }

  void ask() {
    std::lock_guard lock(mutex_);
    asked_ = true;
  }

  static void destroy(Frame* frame) noexcept {
    frame->~Frame();
    ::operator delete(frame);
  }

  std::atomic<std::size_t> held_bytes{0};

  void reserve(std::size_t frames) { free_.reserve(frames); }

 private:
  const std::size_t keep_bytes_;
  std::mutex mutex_;
  std::vector<Frame*> free_;
  std::size_t kept_bytes_ = 0;
  bool closed_ = false;
  bool asked_ = false;
  std::function<void()> notice_;
};

void release(Frame* frame) noexcept {
  if (frame->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<PoolState> pool = std::move(frame->pool);
  pool->give_back(frame);
}

}  // namespace internal

namespace {
// More free frames than this would make the search in take() cost more than an allocation.
constexpr std::size_t kMaxFreeFrames = 64;
constexpr std::size_t kMinFrameBytes = 4096 - sizeof(internal::Frame);
}  // namespace

FramePool::FramePool(std::size_t keep_bytes)
    : state_(std::make_shared<internal::PoolState>(keep_bytes)) {
  state_->reserve(kMaxFreeFrames);
}

FramePool::~FramePool() { state_->close(); }

FrameRef FramePool::acquire(std::size_t bytes) {
  bytes = std::max(bytes, kMinFrameBytes);
  internal::Frame* frame = state_->take(bytes);
  if (!frame) {
    frame = ::new (::operator new(sizeof(internal::Frame) + bytes)) internal::Frame;
    frame->capacity = bytes;
  }
  frame->references.store(1, std::memory_order_relaxed);
  frame->pool = state_;
  state_->held_bytes.fetch_add(frame->capacity, std::memory_order_relaxed);
  return FrameRef(frame);
}

std::size_t FramePool::held_bytes() const {
  return state_->held_bytes.load(std::memory_order_relaxed);
}

void FramePool::set_release_notice(std::function<void()> called) {
  state_->set_notice(std::move(called));
}

void FramePool::ask_release_notice() { state_->ask(); }

}  // namespace tern
