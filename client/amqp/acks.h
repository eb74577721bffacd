// Acks: which deliveries of one channel have been acknowledged, and the fewest acks that tell the
// broker so. With each flush the complete prefix goes out as one ack for many, and each of the
// others by itself.
//
// Tags count from 1 in the order of delivery, for messages got one by one and those that need no
// ack too.
//
// In transactions it keeps what has been dealt with, until that is committed or open once more;
// acks are not put together then. Belongs to the engine's executor.
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
  // All that is left is delivered again, with other tags, whatever becomes of a transaction.
  void forget_all() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i] == State::waiting) states_[i] = State::done;
    }
    waiting_ = 0;
    trim();
  }

  std::size_t waiting() const { return waiting_; }
  // Those that flush() would tell.
  std::size_t fresh() const { return fresh_.size(); }

  // Calls `send(tag, multiple)` for what has been acknowledged since the last call.
  template <class Send>
  void flush(Send&& send) {
    if (fresh_.empty()) return;
    const std::size_t told = in_transactions_ ? 0 : flush_prefix(send);
    if (told == fresh_.size()) return fresh_.clear();
    for (const std::uint64_t tag : fresh_) {
      if (tag < base_) continue;
      states_[static_cast<std::size_t>(tag - base_)] = State::done;
      send(tag, false);
    }
    fresh_.clear();
  }

  // A transaction begins, now and after each end.
  void begin_transaction() { in_transactions_ = true; }
  // It is to be committed or rolled back: what is dealt with from now on belongs to the next one.
  void end_transaction() { ended_at_ = dealt_with_.size(); }
  void committed() {
    dealt_with_.erase(dealt_with_.begin(), dealt_with_.begin() + ended_at());
    trim();
  }
  void rolled_back() {
    for (auto tag = dealt_with_.begin(); tag != dealt_with_.begin() + ended_at(); ++tag) {
      states_[static_cast<std::size_t>(*tag - base_)] = State::waiting;
      ++waiting_;
    }
    committed();
  }

  // The channel has ended: nothing of it can be acknowledged any more.
  void reset() {
    states_.clear();
    dealt_with_.clear();
    in_transactions_ = false;
    fresh_.clear();
    base_ = 1;
    waiting_ = 0;
  }

 private:
  enum class State : std::uint8_t { done, waiting, acked };
  static constexpr std::uint64_t kLongestGap = 65'536;

  // How many it has told of.
  template <class Send>
  std::size_t flush_prefix(Send& send) {
    std::uint64_t last = 0;
    std::size_t count = 0;
    for (; !states_.empty() && states_.front() != State::waiting; states_.forget_front(), ++base_) {
      if (states_.front() != State::acked) continue;
      last = base_;
      ++count;
    }
    if (count != 0) send(last, count > 1);
    return count;
  }

  // So that the ring does not grow when nothing is ever acknowledged.
  void trim() {
    if (in_transactions_ && !dealt_with_.empty()) return;
    for (; !states_.empty() && states_.front() == State::done; states_.forget_front()) ++base_;
  }

  bool take(std::uint64_t tag, State to) {
    if (tag < base_ || tag - base_ >= states_.size()) return false;
    State& state = states_[static_cast<std::size_t>(tag - base_)];
    if (state != State::waiting) return false;
    state = to;
    --waiting_;
    if (in_transactions_) dealt_with_.push_back(tag);
    return true;
  }

  std::ptrdiff_t ended_at() const { return static_cast<std::ptrdiff_t>(ended_at_); }

  Ring<State> states_;  // from base_ on; `done` needs nothing any more
  std::vector<std::uint64_t> fresh_;
  std::vector<std::uint64_t> dealt_with_;  // in transactions that have not ended
  std::size_t ended_at_ = 0;               // of these, those of the one that is about to end
  bool in_transactions_ = false;
  std::uint64_t base_ = 1;
  std::size_t waiting_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_ACKS_H_
