// Confirms: the messages of one channel that were published and of which the broker has not said
// yet what became of them. Each is resolved exactly once: by an ack or a nack, for itself or as one
// of many, or by fail_all() when the channel ends.
//
// A message that could not be routed comes back before it is acked, and does not say which one it
// is. It is taken for the oldest unresolved mandatory one with the same fingerprint (exchange,
// routing key, properties, body size), which the broker returns first.
//
// Tags count from 1, as the broker's do. Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_CONFIRMS_H_
#define TERN_CLIENT_AMQP_CONFIRMS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "client/amqp/ring.h"
#include "client/core/completion.h"
#include "client/core/error.h"

namespace tern::amqp {

struct Unconfirmed {
  Completion<Failure> done;
  std::uint64_t begin = 0;        // where its frames begin in the session's output
  std::uint64_t fingerprint = 0;  // of a mandatory one, else 0
  std::size_t bytes = 0;
  Failure returned;      // why it came back, if it did
  bool settled = false;  // resolved, and waiting for older ones to leave the ring
};

class Confirms {
 public:
  std::size_t size() const { return unsettled_; }
  std::size_t bytes() const { return bytes_; }

  // Returns its tag.
  std::uint64_t add(Unconfirmed message) {
    bytes_ += message.bytes;
    ++unsettled_;
    ring_.push_back(std::move(message));
    return base_ + ring_.size() - 1;
  }

  // Calls `resolve(Unconfirmed&)` for the message `tag`, or for all up to it; tag 0 with `multiple`
  // means all there are. Those resolved before are passed over. False: there is no such message.
  template <class Resolve>
  bool settle(std::uint64_t tag, bool multiple, Resolve&& resolve) {
    const std::uint64_t next = base_ + ring_.size();
    if (tag >= next || (tag == 0 && !multiple)) return false;
    const std::uint64_t last = tag == 0 ? next - 1 : tag;
    // One resolved before the others: its turn to leave comes with the oldest.
    for (std::uint64_t t = multiple ? base_ : last; t <= last; ++t) {
      if (t >= base_) settle_one(ring_[static_cast<std::size_t>(t - base_)], resolve);
    }
    while (!ring_.empty() && ring_.front().settled) {
      ring_.pop_front();
      ++base_;
    }
    return true;
  }

  // A message came back. False: none with this fingerprint is waiting.
  bool give_back(std::uint64_t fingerprint, const Failure& why) {
    for (std::size_t i = 0; i < ring_.size(); ++i) {
      Unconfirmed& message = ring_[i];
      if (message.settled || message.returned || message.fingerprint != fingerprint) continue;
      message.returned = why;
      return true;
    }
    return false;
  }

  // Resolves all, oldest first, and begins to count from 1 again.
  template <class Resolve>
  void fail_all(Resolve&& resolve) {
    for (; !ring_.empty(); ring_.pop_front()) settle_one(ring_.front(), resolve);
    base_ = 1;
  }

 private:
  template <class Resolve>
  void settle_one(Unconfirmed& message, Resolve& resolve) {
    if (std::exchange(message.settled, true)) return;
    bytes_ -= message.bytes;
    --unsettled_;
    resolve(message);
  }

  Ring<Unconfirmed> ring_;
  std::uint64_t base_ = 1;  // the tag of the oldest in the ring
  std::size_t unsettled_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CONFIRMS_H_
