// Messages: what is published, and what is delivered.
#ifndef TERN_CLIENT_AMQP_MESSAGE_H_
#define TERN_CLIENT_AMQP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"
#include "client/net/engine_host.h"

namespace tern::amqp {

using ConnectionState = net::EngineHost<Engine>;

// What the broker is told of a delivery. `leave`: nothing, so it comes again when its channel ends.
enum class Settle : std::uint8_t { ack, reject, requeue, leave };

// A message that has come. Cheap to move; all views into it are valid as long as it lives, and the
// connection's memory of it is held that long.
//
// Threading: acknowledging may be done from any thread, once; the rest as for other values. One
// that is destroyed without having been acknowledged stays unacknowledged, and comes again when its
// channel ends. After the connection was lost acknowledging does nothing: the message comes again.
//
// The broker is told of an ack together with others: when they are a quarter of the prefetch (at
// once if that is below 8), after 5 ms, or before whatever else its channel says. Closing tells
// what is left; a program that ends without that may get the last messages again.
class Delivery {
 public:
  Delivery() = default;
  Delivery(std::shared_ptr<ConnectionState> state, std::shared_ptr<ChannelCore> channel,
           Delivered delivered)
      : state_(std::move(state)), channel_(std::move(channel)), delivered_(std::move(delivered)) {}

  std::string_view body() const { return delivered_.content.body; }
  BasicProperties properties() const { return delivered_.properties(); }
  std::string_view exchange() const { return delivered_.exchange; }
  std::string_view routing_key() const { return delivered_.routing_key; }
  bool redelivered() const { return delivered_.redelivered; }
  explicit operator bool() const { return channel_ != nullptr; }

  void ack() const;
  // And all before it on its channel.
  void ack_all() const;
  void reject(bool requeue) const;
  // And all before it on its channel that have not been dealt with.
  void reject_all(bool requeue) const;
  void settle(Settle how) const {
    if (how == Settle::ack) return ack();
    if (how != Settle::leave) reject(how == Settle::requeue);
  }

  // What is told to the broker at the end of a scope, by how it ends.
  struct Policy {
    Settle on_exception = Settle::reject;
    // Leaving the scope in another way. If this is not `ack`, done() has to be said before a good
    // end; what returns early then says nothing.
    Settle at_end = Settle::ack;
  };
  class Processing {
   public:
    Processing(const Delivery& delivery, const Policy& policy)
        : delivery_(&delivery), policy_(policy), exceptions_(std::uncaught_exceptions()) {}
    Processing(const Processing&) = delete;
    Processing& operator=(const Processing&) = delete;
    ~Processing() {
      if (!delivery_) return;
      settle(std::uncaught_exceptions() > exceptions_ ? policy_.on_exception : policy_.at_end);
    }
    // Decides now; the end of the scope does nothing any more.
    void done() { settle(Settle::ack); }
    void settle(Settle how) {
      if (const Delivery* const delivery = std::exchange(delivery_, nullptr)) delivery->settle(how);
    }

   private:
    const Delivery* delivery_;
    const Policy policy_;
    const int exceptions_;
  };
  // Acknowledges at the end of the scope, or rejects if it is left by an exception:
  //   const auto processing = delivery.process();
  // The delivery must outlive what this returns. A coroutine that is destroyed while it waits
  // inside the scope leaves it without an exception.
  [[nodiscard]] Processing process(const Policy& policy) const { return {*this, policy}; }
  [[nodiscard]] Processing process() const { return {*this, Policy()}; }

 private:
  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<ChannelCore> channel_;
  Delivered delivered_;
};

// Messages that have come together. Cheap to move; all views into them are valid as long as it
// lives, and the connection's memory of them is held that long.
//
//   for (const amqp::Delivered& each : deliveries) handle(each.body(), each.routing_key);
//   deliveries.ack();
//
// Threading, and what becomes of messages that are not acknowledged: as with Delivery.
class Deliveries {
 public:
  Deliveries() = default;
  Deliveries(std::shared_ptr<ConnectionState> state, std::shared_ptr<ChannelCore> channel,
             std::weak_ptr<ConsumerCore> consumer, std::vector<Delivered> all)
      : state_(std::move(state)),
        channel_(std::move(channel)),
        consumer_(std::move(consumer)),
        all_(std::move(all)) {}
  Deliveries(Deliveries&&) = default;
  Deliveries& operator=(Deliveries&& other) noexcept {
    swap(other);
    return *this;
  }
  Deliveries(const Deliveries&) = delete;
  Deliveries& operator=(const Deliveries&) = delete;
  // Its memory is used again, if this is the connection's executor.
  ~Deliveries() {
    FrameDrop drop;
    for (Delivered& each : all_) drop.add(std::move(each.content.frame));
    if (!state_ || !state_->on_executor()) return;
    if (const auto consumer = consumer_.lock()) consumer->reuse(std::move(all_));
  }

  std::size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }
  const Delivered& operator[](std::size_t i) const { return all_[i]; }
  const Delivered* begin() const { return all_.data(); }
  const Delivered* end() const { return all_.data() + all_.size(); }

  // All of these that have not been dealt with.
  void ack() const;
  // One of these.
  void ack(const Delivered& one) const;
  void reject(const Delivered& one, bool requeue) const;

 private:
  void swap(Deliveries& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(channel_, other.channel_);
    std::swap(consumer_, other.consumer_);
    std::swap(all_, other.all_);
  }

  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<ChannelCore> channel_;
  std::weak_ptr<ConsumerCore> consumer_;  // which is not to end on any thread
  std::vector<Delivered> all_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_MESSAGE_H_
