// AtLeastOnce: publishes through a channel with confirms, and again after each connection that was
// lost, until the broker has confirmed the message. It may be there more than once then: who
// consumes has to tell, by a message_id for one. Messages of one AtLeastOnce stay in their order.
//
//   amqp::AtLeastOnce publisher(channel);
//   co_await publisher.async_publish({.routing_key = "orders"}, message, asio::use_awaitable);
//
// Threading and lifetimes: as of Channel. Errors: see resend_core.h.
#ifndef TERN_CLIENT_AMQP_RESEND_H_
#define TERN_CLIENT_AMQP_RESEND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "client/amqp/channel.h"
#include "client/amqp/message.h"
#include "client/amqp/resend_core.h"
#include "client/net/async.h"

namespace tern::amqp {

class AtLeastOnce {
 public:
  // `max_kept`: messages without a confirm, those included that wait for a connection; above it
  // publishing is refused with queue_full.
  explicit AtLeastOnce(const Channel& channel, std::size_t max_kept = 10'000)
      : state_(channel.state_),
        core_(std::make_shared<ResendCore>(state_->engine(), channel.core_, max_kept)) {}

  // Completes when the broker has the message, however many connections that takes.
  // The message is copied, its body only if it has no owner.
  template <class Token>
  auto async_publish(const Target& target, const Message& message, Token&& token,
                     Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this, target, message](std::uint64_t, Completion<Failure> done) {
          state_->run([core = core_, to = OwnedTarget(target), copy = OwnedMessage(message),
                       done = std::move(done)]() mutable {
            core->publish(std::move(to), std::move(copy), std::move(done));
          });
        },
        std::forward<Token>(token), diagnostics);
  }

 private:
  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<ResendCore> core_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_RESEND_H_
