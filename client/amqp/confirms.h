// Confirms: the messages of one channel that were published and of which the broker has not said
// yet what became of them. Each is resolved exactly once: by an ack or a nack, for itself or as one
// of many, or by fail_all() when the channel ends. Of those that were published together there is
// one handler, told when the last of them is resolved.
//
// A message that could not be routed comes back before it is acked, and does not say which one it
// is. It is taken for the oldest unresolved mandatory one with the same fingerprint (exchange,
// routing key, properties, body size), which the broker returns first.
//
// Tags count from 1, as the broker's do. No memory is taken in the steady state, but for a batch
// and for what comes back. Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_CONFIRMS_H_
#define TERN_CLIENT_AMQP_CONFIRMS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/amqp/ring.h"
#include "client/core/completion.h"
#include "client/core/error.h"

namespace tern::amqp {

// One of several messages that were published together, of which there was no good end.
struct NotPublished {
  std::size_t index = 0;  // among them
  Failure why;
};
using PublishedAll = Completion<Failure, std::vector<NotPublished>>;

struct Unconfirmed {
  std::uint64_t begin = 0;        // where its frames begin in the session's output
  std::uint64_t fingerprint = 0;  // of a mandatory one, else 0
  std::size_t bytes = 0;
  bool settled = false;  // resolved, and waiting for older ones to leave the ring
};

class Confirms {
 public:
  std::size_t size() const { return unsettled_; }
  std::size_t bytes() const { return bytes_; }

  // See Unconfirmed for what is told of the message.
  void add(std::uint64_t begin, std::uint64_t fingerprint, std::size_t bytes,
           Completion<Failure>&& done) {
    Handler& handler = handlers_.add_back();
    handler.first = next_tag();
    handler.count = handler.left = 1;
    handler.done = std::move(done);
    add(begin, fingerprint, bytes);
  }
  // The next `count` messages are told of together; add() each of them then.
  void begin_batch(std::uint32_t count, PublishedAll&& done) {
    Handler& handler = handlers_.add_back();
    handler.first = next_tag();
    handler.count = handler.left = count;
    handler.batch = std::make_unique<Batch>();
    handler.batch->done = std::move(done);
  }
  // Not as an Unconfirmed: that would be written in pieces and at once read in larger ones, which
  // makes a processor wait.
  void add(std::uint64_t begin, std::uint64_t fingerprint, std::size_t bytes) {
    bytes_ += bytes;
    ++unsettled_;
    Unconfirmed& added = messages_.add_back();
    added.begin = begin;
    added.fingerprint = fingerprint;
    added.bytes = bytes;
    added.settled = false;
  }

  // The broker has spoken of the message `tag`, or of all up to it; tag 0 with `multiple` means all
  // there are. Those resolved before are passed over. Calls `tell(done, outcome)` and, for messages
  // that were published together, `tell(done, outcome, not_published)`; but with `may_be_due`,
  // which asks that nothing `tell` was called with still waits, the oldest may become due instead.
  // False: there is no such message.
  template <class Tell>
  bool settle(std::uint64_t tag, bool multiple, const Failure& outcome, bool may_be_due,
              Tell&& tell) {
    const std::uint64_t next = next_tag();
    if (tag >= next || (tag == 0 && !multiple)) return false;
    const std::uint64_t last = tag == 0 ? next - 1 : tag;
    if ((multiple || tag == base_) && may_be_due && !outcome && returned_.empty()) {
      settle_well_up_to(last, tell);
    } else if (multiple) {
      settle_up_to(last, [&](const Unconfirmed&) { return outcome; }, tell);
    } else if (tag >= base_) {
      settle_one(tag, handler_of(tag), [&](const Unconfirmed&) { return outcome; }, tell);
    }
    leave();
    return true;
  }

  // A message came back. False: none with this fingerprint is waiting.
  bool give_back(std::uint64_t fingerprint, const Failure& why) {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Unconfirmed& message = messages_[i];
      if (message.settled || message.fingerprint != fingerprint || find_returned(base_ + i)) {
        continue;
      }
      returned_.push_back({base_ + i, why});
      return true;
    }
    return false;
  }

  // Handlers of messages that are with the broker, and that wait for tell_due().
  bool has_due() const { return due_ != 0; }
  // Calls `tell(done)` for each of them, oldest first. It may publish, and it may throw: that one
  // has been told then.
  template <class Tell>
  void tell_due(Tell&& tell) {
    while (due_ != 0) {
      Handler& handler = handlers_.front();
      handlers_.forget_front();
      --due_;
      if (handler.done) tell(handler.done);
    }
    leave();
  }

  // Resolves all that are not, oldest first, each with `outcome(message)`, and begins to count from
  // 1 again.
  template <class Outcome, class Tell>
  void fail_all(Outcome&& outcome, Tell&& tell) {
    if (!messages_.empty()) settle_up_to(next_tag() - 1, outcome, tell);
    leave();
    base_ = 1;
  }

 private:
  struct Batch {
    PublishedAll done;
    std::vector<NotPublished> failed;
  };
  struct Handler {
    std::uint64_t first = 0;  // the tag it is for, or the first one
    std::uint32_t count = 0;
    std::uint32_t left = 0;  // of these are not resolved
    std::unique_ptr<Batch> batch;
    Completion<Failure> done;
  };
  struct Returned {
    std::uint64_t tag;
    Failure why;
  };

  std::uint64_t next_tag() const { return base_ + messages_.size(); }

  // Which handler is for the message `tag`, which is in the ring.
  std::size_t handler_of(std::uint64_t tag) const {
    std::size_t low = due_;
    // Confirms come for the oldest more often than not.
    if (tag < handlers_[low].first + handlers_[low].count) return low;
    for (std::size_t high = handlers_.size(); high - low > 1;) {
      const std::size_t middle = low + (high - low) / 2;
      (handlers_[middle].first <= tag ? low : high) = middle;
    }
    return low;
  }

  // What is most common, and quick.
  template <class Tell>
  void settle_well_up_to(std::uint64_t last, Tell& tell) {
    std::size_t settled = 0;
    std::size_t bytes = 0;
    while (base_ <= last) {
      Handler& handler = handlers_[due_];
      for (const std::uint64_t end = std::min(last + 1, handler.first + handler.count); base_ < end;
           ++base_, messages_.forget_front()) {
        const Unconfirmed& message = messages_.front();
        if (message.settled) continue;
        ++settled;
        bytes += message.bytes;
        --handler.left;
      }
      if (handler.left != 0) break;
      if (handler.batch) tell_batch(handler, tell);
      if (due_ == 0 && !handler.done) {
        handlers_.forget_front();
      } else {
        ++due_;
      }
    }
    unsettled_ -= settled;
    bytes_ -= bytes;
  }

  template <class Tell>
  void tell_batch(Handler& handler, Tell& tell) {
    Batch& batch = *handler.batch;
    Failure first = batch.failed.empty() ? Failure() : batch.failed.front().why;
    tell(std::move(batch.done), std::move(first), std::move(batch.failed));
    handler.batch.reset();
  }

  template <class Outcome, class Tell>
  void settle_up_to(std::uint64_t last, const Outcome& outcome, Tell& tell) {
    std::size_t handler = due_;
    for (std::uint64_t tag = base_; tag <= last; ++tag) {
      while (tag >= handlers_[handler].first + handlers_[handler].count) ++handler;
      settle_one(tag, handler, outcome, tell);
    }
  }

  template <class Outcome, class Tell>
  void settle_one(std::uint64_t tag, std::size_t at, const Outcome& outcome, Tell& tell) {
    Unconfirmed& message = messages_[static_cast<std::size_t>(tag - base_)];
    if (std::exchange(message.settled, true)) return;
    bytes_ -= message.bytes;
    --unsettled_;
    Failure why = outcome(message);
    if (!returned_.empty() && message.fingerprint != 0) take_returned(tag, why);
    Handler& handler = handlers_[at];
    --handler.left;
    if (!handler.batch) {
      if (handler.done) tell(std::move(handler.done), std::move(why));
      return;
    }
    if (why) {
      handler.batch->failed.push_back(
          {static_cast<std::size_t>(tag - handler.first), std::move(why)});
    }
    if (handler.left == 0) tell_batch(handler, tell);
  }

  // The oldest leave, once they are resolved.
  void leave() {
    while (!messages_.empty() && messages_.front().settled) {
      messages_.forget_front();
      ++base_;
    }
    while (due_ == 0 && !handlers_.empty() && handlers_.front().left == 0) {
      handlers_.forget_front();
    }
  }

  const Returned* find_returned(std::uint64_t tag) const {
    for (const Returned& each : returned_) {
      if (each.tag == tag) return &each;
    }
    return nullptr;
  }
  // It came back, whatever is said of it now.
  void take_returned(std::uint64_t tag, Failure& why) {
    for (std::size_t i = 0; i < returned_.size(); ++i) {
      if (returned_[i].tag != tag) continue;
      why = std::move(returned_[i].why);
      returned_.erase(returned_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }

  Ring<Unconfirmed> messages_;
  Ring<Handler> handlers_;
  std::vector<Returned> returned_;  // few: they are acked right after
  std::uint64_t base_ = 1;          // the tag of the oldest in the ring
  std::size_t due_ = 0;             // of the handlers, the oldest
  std::size_t unsettled_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CONFIRMS_H_
