// Messages: what is published, and what is delivered.
#ifndef TERN_CLIENT_AMQP_MESSAGE_H_
#define TERN_CLIENT_AMQP_MESSAGE_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"
#include "client/net/engine_host.h"

namespace tern::amqp {

using ConnectionState = net::EngineHost<Engine>;

// What is published. Views; they are copied before the call that is given one returns (with a lazy
// token like use_awaitable: when it is awaited).
struct Message {
  std::string_view body = {};
  BasicProperties properties = {};  // {.content_type = "text/plain", .delivery_mode = kPersistent}
};

// A message that has come. Cheap to move; all views into it are valid as long as it lives, and the
// connection's memory of it is held that long.
//
// Threading: acknowledging may be done from any thread, once; the rest as for other values. One
// that is destroyed without having been acknowledged stays unacknowledged, and comes again when its
// channel ends. After the connection was lost acknowledging does nothing: the message comes again.
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

  // Acknowledges at the end of the scope, or rejects if it is left by an exception:
  //   const auto processing = delivery.process();
  class Processing {
   public:
    Processing(const Delivery& delivery, bool requeue)
        : delivery_(&delivery), requeue_(requeue), exceptions_(std::uncaught_exceptions()) {}
    Processing(const Processing&) = delete;
    Processing& operator=(const Processing&) = delete;
    ~Processing() {
      if (std::uncaught_exceptions() > exceptions_) {
        delivery_->reject(requeue_);
      } else {
        delivery_->ack();
      }
    }

   private:
    const Delivery* delivery_;
    const bool requeue_;
    const int exceptions_;
  };
  // With `requeue` an exception makes the message come again; without, it is dropped or goes to the
  // queue's dead letters. The delivery must outlive what this returns.
  [[nodiscard]] Processing process(bool requeue = false) const { return {*this, requeue}; }

 private:
  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<ChannelCore> channel_;
  Delivered delivered_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_MESSAGE_H_
