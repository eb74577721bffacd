// Channel: where methods and messages go; Subscription: where deliveries come from.
//
//   amqp::Channel channel = co_await connection.async_open_channel({}, asio::use_awaitable);
//   co_await channel.async_call(amqp::QueueDeclare{.queue = "orders", .durable = true},
//                               asio::use_awaitable);
//   amqp::Message message{.body = "an order", .properties = {.delivery_mode = amqp::kPersistent}};
//   co_await channel.async_publish({.routing_key = "orders", .mandatory = true}, message,
//                                  asio::use_awaitable);      // done when the broker has it
//
//   amqp::Subscription orders =
//       co_await channel.async_consume({.queue = "orders"}, {.prefetch = 100},
//       asio::use_awaitable);
//   for (;;) {
//     amqp::Delivery delivery = co_await orders.async_next(asio::use_awaitable);
//     const auto processing = delivery.process();             // acks, or rejects on an exception
//     handle(delivery.body());
//   }
//
// Several at a time cost less: async_publish_all() and async_next_all(). So does a body alone, in
// place of a Message. A large body that somebody keeps anyway need not be copied: Message::owner.
//
// Any completion token; handlers run on their associated executor, by default the connection's.
// Every function may be called from any thread. Arguments are views that are copied before a call
// returns (with a lazy token: when it is awaited).
//
// Lifetimes: these are handles; copies mean the same channel. They keep the connection alive, so an
// application that has dropped its Connection object still has the connection as long as it holds
// one of these, or a Delivery. When the connection is closed, everything ends with
// ClientErrc::closed. A channel without handles goes on until it or the connection is closed.
//
// Errors: see channel_core.h; what happens to a channel when its connection is lost too.
#ifndef TERN_CLIENT_AMQP_CHANNEL_H_
#define TERN_CLIENT_AMQP_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/message.h"
#include "client/net/async.h"

namespace tern::amqp {

namespace internal {

template <class Replies>
struct Only;
template <class Reply>
struct Only<wire::TypeList<Reply>> {
  using Type = Reply;
};
template <class Request>
using OnlyReply = typename Only<typename Request::Replies>::Type;

// A message that a lazy token carries until it is awaited: copied several times on the way, so
// properties, which most messages have none of, go along only if there are any.
class Carried {
 public:
  explicit Carried(const Message& message)
      : body_(message.body), owner_(message.owner), is_plain_(has_none(message.properties)) {
    if (!is_plain_) ::new (&properties_) BasicProperties(message.properties);
  }
  Carried(const Carried& other)
      : body_(other.body_), owner_(other.owner_), is_plain_(other.is_plain_) {
    if (!is_plain_) ::new (&properties_) BasicProperties(other.properties_);
  }
  Carried(Carried&& other) noexcept
      : body_(other.body_), owner_(std::move(other.owner_)), is_plain_(other.is_plain_) {
    if (!is_plain_) ::new (&properties_) BasicProperties(other.properties_);
  }
  Carried& operator=(const Carried&) = delete;
  ~Carried() = default;

  Body body() const { return {body_, owner_}; }
  // Null: none.
  const BasicProperties* properties() const { return is_plain_ ? nullptr : &properties_; }

 private:
  static_assert(std::is_trivially_copyable_v<BasicProperties>);
  std::string_view body_;
  std::shared_ptr<const void> owner_;
  bool is_plain_;
  union {
    char none_ = 0;
    BasicProperties properties_;
  };
};

}  // namespace internal

struct ConsumeOptions {
  // Deliveries that are on the way or not yet acknowledged, at most. 0: no limit, which is for
  // consumers that do not acknowledge.
  std::uint16_t prefetch = 100;
};

// What the broker says of a queue that was declared.
struct QueueInfo {
  std::string name;
  std::uint32_t messages = 0;
  std::uint32_t consumers = 0;
};

class Subscription {
 public:
  Subscription() = default;
  Subscription(std::shared_ptr<ConnectionState> state, std::shared_ptr<ChannelCore> channel,
               std::shared_ptr<ConsumerCore> consumer)
      : held_(std::make_shared<Held>(std::move(state), std::move(channel), std::move(consumer))) {}

  const std::string& tag() const { return held_->consumer->tag(); }

  // The next delivery. Can be cancelled; nothing is lost then.
  template <class Token>
  auto async_next(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<Delivery>(
        held_->state->executor(), held_->state,
        [this](std::uint64_t op, Completion<Failure, Delivery> done) {
          start_next(op, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // All that has come and not been taken, at least one: for consumers that want to be quick. Can be
  // cancelled; nothing is lost then.
  template <class Token>
  auto async_next_all(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<Deliveries>(
        held_->state->executor(), held_->state,
        [this](std::uint64_t op, Completion<Failure, Deliveries> done) {
          start_next_all(op, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // What has been delivered is still given out by async_next(), and the end after it.
  template <class Token>
  auto async_cancel(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        held_->state->executor(), held_->state,
        [this](std::uint64_t, Completion<Failure> done) { start_cancel(std::move(done)); },
        std::forward<Token>(token), diagnostics);
  }

 private:
  void start_next(std::uint64_t op, Completion<Failure, Delivery> done);
  void start_next_all(std::uint64_t op, Completion<Failure, Deliveries> done);
  void start_cancel(Completion<Failure> done);

  // The consumer ends on the executor, whichever thread drops the last handle.
  struct Held {
    Held(std::shared_ptr<ConnectionState> with, std::shared_ptr<ChannelCore> on,
         std::shared_ptr<ConsumerCore> of)
        : state(std::move(with)), channel(std::move(on)), consumer(std::move(of)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held();

    const std::shared_ptr<ConnectionState> state;
    const std::shared_ptr<ChannelCore> channel;
    std::shared_ptr<ConsumerCore> consumer;
  };
  std::shared_ptr<const Held> held_;
};

class Channel {
 public:
  Channel() = default;
  Channel(std::shared_ptr<ConnectionState> state, std::shared_ptr<ChannelCore> core)
      : state_(std::move(state)), core_(std::move(core)) {}

  // Any method that is answered without data: declaring, binding, deleting, purging, transactions.
  template <class Request, class Token>
  auto async_call(const Request& request, Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this, request](std::uint64_t, Completion<Failure> done) {
          start_call(request, [done = std::move(done)](Engine& engine, const Failure& why,
                                                       const Reply&) mutable {
            engine.complete(std::move(done), why);
          });
        },
        std::forward<Token>(token), diagnostics);
  }

  // Completes with what the broker says of the queue, its name above all.
  template <class Token>
  auto async_declare(const QueueDeclare& request, Token&& token,
                     Diagnostics* diagnostics = nullptr) {
    return net::async_start<QueueInfo>(
        state_->executor(), state_,
        [this, request](std::uint64_t, Completion<Failure, QueueInfo> done) {
          start_declare(request, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // QueuePurge or QueueDelete: completes with how many messages that took.
  template <class Request, class Token>
  auto async_remove(const Request& request, Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<std::uint32_t>(
        state_->executor(), state_,
        [this, request](std::uint64_t, Completion<Failure, std::uint32_t> done) {
          start_call(request, [done = std::move(done)](Engine& engine, const Failure& why,
                                                       const Reply& reply) mutable {
            using Ok = internal::OnlyReply<Request>;
            const std::uint32_t count = reply.payload.empty() ? 0 : reply.as<Ok>().message_count;
            engine.complete(std::move(done), why, count);
          });
        },
        std::forward<Token>(token), diagnostics);
  }

  // Completes when the broker has confirmed the message (or, without confirms, when it is written).
  // Never waits: queue_full if the channel's limits are reached; then async_wait_space().
  template <class Token>
  auto async_publish(const Target& target, const Message& message, Token&& token,
                     Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this, target, message = internal::Carried(message)](std::uint64_t,
                                                             Completion<Failure> done) {
          start_publish(target, message.body(), message.properties(), std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }
  // The same for a message that is nothing but a body; there is less to carry for it.
  template <class Text, class Token>
    requires std::is_convertible_v<const Text&, std::string_view>
  auto async_publish(const Target& target, const Text& body, Token&& token,
                     Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this, target, body = std::string_view(body)](std::uint64_t, Completion<Failure> done) {
          start_publish(target, {body, nullptr}, nullptr, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // Publishes several messages to one target, with one handler for them: the quickest way.
  // Completes when the last of them is confirmed. The error is that of the first one that was not,
  // and with it comes which of them were not, and why; the others are with the broker. Of messages
  // that were refused at once (queue_full, invalid_argument, the channel's error) none was
  // published, and none is listed. More than the channel's limits allow are taken only when none is
  // waiting for its confirm.
  template <class Token>
  auto async_publish_all(const Target& target, std::span<const Message> messages, Token&& token,
                         Diagnostics* diagnostics = nullptr) {
    return net::async_start<std::vector<NotPublished>>(
        state_->executor(), state_,
        [this, target, messages](std::uint64_t, PublishedAll done) {
          start_publish_all(target, messages, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }
  // The same for messages that are nothing but bodies: there is less to look at.
  template <class Token>
  auto async_publish_all(const Target& target, std::span<const std::string_view> bodies,
                         Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<std::vector<NotPublished>>(
        state_->executor(), state_,
        [this, target, bodies](std::uint64_t, PublishedAll done) {
          start_publish_all(target, bodies, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // Completes when a message can be published again, or never will be.
  template <class Token>
  auto async_wait_space(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this](std::uint64_t, Completion<Failure> done) { start_wait_space(std::move(done)); },
        std::forward<Token>(token), diagnostics);
  }

  template <class Token>
  auto async_consume(const BasicConsume& request, const ConsumeOptions& options, Token&& token,
                     Diagnostics* diagnostics = nullptr) {
    return net::async_start<Subscription>(
        state_->executor(), state_,
        [this, request, options](std::uint64_t, Completion<Failure, Subscription> done) {
          start_consume(request, options, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // One message, or an empty Delivery if the queue has none.
  template <class Token>
  auto async_get(const BasicGet& request, Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<Delivery>(
        state_->executor(), state_,
        [this, request](std::uint64_t, Completion<Failure, Delivery> done) {
          start_get(request, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // After what was asked of it before. The handlers of what it has published have been called then.
  template <class Token>
  auto async_close(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this](std::uint64_t, Completion<Failure> done) { start_close(std::move(done)); },
        std::forward<Token>(token), diagnostics);
  }

 private:
  friend class AtLeastOnce;
  friend class RpcClient;

  // Calls a method on the executor, and there `finish(engine, why, reply)` with its end.
  template <class Request, class Finish>
  void start_call(const Request& request, Finish finish);
  void start_declare(const QueueDeclare& request, Completion<Failure, QueueInfo> done);
  void start_publish(const Target& target, const Body& body, const BasicProperties* properties,
                     Completion<Failure>&& done);
  void start_publish_all(const Target& target, std::span<const Message> messages,
                         PublishedAll done);
  void start_publish_all(const Target& target, std::span<const std::string_view> bodies,
                         PublishedAll done);
  template <class Owned, class Item>
  void start_together(const Target& target, std::span<const Item> items, PublishedAll done);
  void start_wait_space(Completion<Failure> done);
  void start_consume(const BasicConsume& request, const ConsumeOptions& options,
                     Completion<Failure, Subscription> done);
  void start_get(const BasicGet& request, Completion<Failure, Delivery> done);
  void start_close(Completion<Failure> done);

  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<ChannelCore> core_;
};

namespace internal {

// A method as bytes of its own, for another thread; empty with `failure` set if it cannot be sent.
template <class M>
std::vector<std::byte> packed(const M& method, Failure& failure) {
  const char* field = "";
  const auto size = encoded_size(method, &field);
  if (!size) failure = Session::refuse(M::method, field, size.error());
  std::vector<std::byte> bytes(size ? *size : 0);
  wire::Writer writer(bytes);
  if (size) encode(method, writer);
  return bytes;
}
template <class M>
M unpacked(const std::vector<std::byte>& bytes) {
  M method;
  (void)decode_method(wire::Bytes(std::span<const std::byte>(bytes)), {}, method);
  return method;
}

}  // namespace internal

template <class Request, class Finish>
void Channel::start_call(const Request& request, Finish finish) {
  Failure failure;
  auto bytes = internal::packed(request, failure);
  state_->run([&engine = state_->engine(), core = core_, bytes = std::move(bytes), failure,
               finish = std::move(finish)]() mutable {
    ChannelCore::Done done = [&engine, finish = std::move(finish)](const Failure& why,
                                                                   const Reply& reply) mutable {
      finish(engine, why, reply);
    };
    if (failure) return done(failure, Reply());
    core->call(internal::unpacked<Request>(bytes), std::move(done));
  });
}

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CHANNEL_H_
