// Acks: which deliveries of one channel have been acknowledged, and the fewest acks that tell the
// broker so. In each step the complete prefix goes out as one ack for many, and each of the others
// by itself.
//
// Tags count from 1 in the order of delivery, for messages got one by one and those that need no
// ack too. Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_ACKS_H_
#define TERN_CLIENT_AMQP_ACKS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/amqp/ring.h"

namespace tern::amqp {

class Acks {
 public:
  // A delivery came. False: the tag is not the next one (nor one of the next 65,536: no broker that
  // is known leaves any out, but nothing says it must not).
  bool delivered(std::uint64_t tag, bool needs_ack) {
    const std::uint64_t next = base_ + states_.size();
    if (tag < next || tag - next > kLongestGap) return false;
    for (std::uint64_t gap = next; gap < tag; ++gap) states_.push_back(State::done);
    states_.push_back(needs_ack ? State::waiting : State::done);
    if (needs_ack) ++waiting_;
    trim();
    return true;
  }

  // Acknowledges one. False: there is no such delivery, or it has been dealt with.
  bool ack(std::uint64_t tag) {
    if (!take(tag, State::acked)) return false;
    fresh_.push_back(tag);
    return true;
  }
  // Acknowledges all up to this one.
  bool ack_up_to(std::uint64_t tag) {
    if (tag < base_ || tag - base_ >= states_.size()) return false;
    bool any = false;
    for (std::uint64_t t = base_; t <= tag; ++t) any |= ack(t);
    return any;
  }
  // Has been rejected, or is not to be acknowledged by us.
  bool forget(std::uint64_t tag) {
    if (!take(tag, State::done)) return false;
    trim();
    return true;
  }

  bool forget_up_to(std::uint64_t tag) {
    if (tag < base_ || tag - base_ >= states_.size()) return false;
    bool any = false;
    for (std::uint64_t t = base_; t <= tag; ++t) any |= take(t, State::done);
    trim();
    return any;
  }
  void forget_all() {
    if (!states_.empty()) forget_up_to(base_ + states_.size() - 1);
  }

  std::size_t waiting() const { return waiting_; }
  bool has_fresh() const { return !fresh_.empty(); }

  // Calls `send(tag, multiple)` for what has been acknowledged since the last call.
  template <class Send>
  void flush(Send&& send) {
    if (fresh_.empty()) return;
    std::uint64_t last = 0;
    std::size_t count = 0;
    for (; !states_.empty() && states_.front() != State::waiting; states_.pop_front(), ++base_) {
      if (states_.front() != State::acked) continue;
      last = base_;
      ++count;
    }
    if (count != 0) send(last, count > 1);
    for (const std::uint64_t tag : fresh_) {
      if (tag < base_) continue;
      states_[static_cast<std::size_t>(tag - base_)] = State::done;
      send(tag, false);
    }
    fresh_.clear();
  }

  // The channel has ended: nothing of it can be acknowledged any more.
  void reset() {
    states_.clear();
    fresh_.clear();
    base_ = 1;
    waiting_ = 0;
  }

 private:
  enum class State : std::uint8_t { done, waiting, acked };
  static constexpr std::uint64_t kLongestGap = 65'536;

  // So that the ring does not grow when nothing is ever acknowledged.
  void trim() {
    for (; !states_.empty() && states_.front() == State::done; states_.pop_front()) ++base_;
  }

  bool take(std::uint64_t tag, State to) {
    if (tag < base_ || tag - base_ >= states_.size()) return false;
    State& state = states_[static_cast<std::size_t>(tag - base_)];
    if (state != State::waiting) return false;
    state = to;
    --waiting_;
    return true;
  }

  Ring<State> states_;  // from base_ on; `done` needs nothing any more
  std::vector<std::uint64_t> fresh_;
  std::uint64_t base_ = 1;
  std::size_t waiting_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_ACKS_H_
