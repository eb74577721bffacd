// Ring: a queue in one block of memory, with access by index. Grows by doubling and keeps what it
// has, so it takes no memory in the steady state. One owner.
#ifndef TERN_CLIENT_AMQP_RING_H_
#define TERN_CLIENT_AMQP_RING_H_

#include <cstddef>
#include <utility>
#include <vector>

namespace tern::amqp {

template <class T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // The i-th from the front.
  T& operator[](std::size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  const T& operator[](std::size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  void push_back(T value) { add_back() = std::move(value); }
  // One more, to be filled: it is as new, or as it was when it was forgotten.
  T& add_back() {
    if (size_ == slots_.size()) grow();
    ++size_;
    return back();
  }
  // For what holds nothing any more.
  void forget_front() {
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
  }
  // What was there is destroyed, not just forgotten.
  void pop_front() {
    front() = T();
    forget_front();
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  static constexpr std::size_t kFirst = 16;

  void grow() {
    std::vector<T> larger(slots_.empty() ? kFirst : 2 * slots_.size());
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> slots_;  // as many as a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_RING_H_
