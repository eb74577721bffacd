#include "client/amqp/channel.h"

#include <asio/recycling_allocator.hpp>
#include <cstddef>
#include <vector>

#include "client/amqp/owned_message.h"

namespace tern::amqp {

// ------------------------------------------------------------------------------------ deliveries

void Delivery::ack() const {
  if (state_->on_executor()) {
    channel_->ack(delivered_.tag, delivered_.epoch, false);
    return;
  }
  state_->run([channel = channel_, tag = delivered_.tag, epoch = delivered_.epoch] {
    channel->ack(tag, epoch, false);
  });
}

void Delivery::ack_all() const {
  state_->run([channel = channel_, tag = delivered_.tag, epoch = delivered_.epoch] {
    channel->ack(tag, epoch, true);
  });
}

void Delivery::reject(bool requeue) const {
  state_->run([channel = channel_, tag = delivered_.tag, epoch = delivered_.epoch, requeue] {
    channel->nack(tag, epoch, requeue);
  });
}

void Delivery::reject_all(bool requeue) const {
  state_->run([channel = channel_, tag = delivered_.tag, epoch = delivered_.epoch, requeue] {
    channel->nack_up_to(tag, epoch, requeue);
  });
}

void Deliveries::ack() const {
  if (!state_) return;
  if (state_->on_executor()) return channel_->ack_these(all_);
  std::vector<Delivered> tags;
  tags.reserve(all_.size());
  for (const Delivered& each : all_) {
    tags.emplace_back();
    tags.back().tag = each.tag;
    tags.back().epoch = each.epoch;
  }
  state_->run([channel = channel_, tags = std::move(tags)] { channel->ack_these(tags); });
}

void Deliveries::ack(const Delivered& one) const {
  state_->run(
      [channel = channel_, tag = one.tag, epoch = one.epoch] { channel->ack(tag, epoch, false); });
}

void Deliveries::reject(const Delivered& one, bool requeue) const {
  state_->run([channel = channel_, tag = one.tag, epoch = one.epoch, requeue] {
    channel->nack(tag, epoch, requeue);
  });
}

Subscription::Held::~Held() {
  state->run([last = std::move(consumer)] {});
}

void Subscription::start_next_all(std::uint64_t op, Completion<Failure, Deliveries> done) {
  held_->state->run([weak = std::weak_ptr(held_->state), channel = held_->channel,
                     consumer = held_->consumer, op, done = std::move(done)]() mutable {
    consumer->next_all(
        [weak, channel, from = std::weak_ptr(consumer), done = std::move(done)](
            Failure why, std::vector<Delivered> all) mutable {
          const auto state = weak.lock();
          if (why || !state) return done(std::move(why), Deliveries());
          done(Failure(), Deliveries(state, channel, std::move(from), std::move(all)));
        },
        op);
  });
}

void Subscription::start_next(std::uint64_t op, Completion<Failure, Delivery> done) {
  held_->state->run([weak = std::weak_ptr(held_->state), channel = held_->channel,
                     consumer = held_->consumer, op, done = std::move(done)]() mutable {
    auto told = [weak, channel, done = std::move(done)](Failure why, Delivered delivered) mutable {
      const auto state = weak.lock();
      if (why || !state) return done(std::move(why), Delivery());
      done(Failure(), Delivery(state, channel, std::move(delivered)));
    };
    // One for each message: its memory is that of the last one.
    consumer->next({std::move(told), asio::recycling_allocator<std::byte>()}, op);
  });
}

void Subscription::start_cancel(Completion<Failure> done) {
  held_->state->run([&engine = held_->state->engine(), channel = held_->channel,
                     consumer = held_->consumer, done = std::move(done)]() mutable {
    channel->cancel(consumer, [&engine, done = std::move(done)](const Failure& why) mutable {
      engine.complete(std::move(done), why);
    });
  });
}

// --------------------------------------------------------------------------------------- channels

void Channel::start_declare(const QueueDeclare& request, Completion<Failure, QueueInfo> done) {
  Failure failure;
  auto bytes = internal::packed(request, failure);
  state_->run([&engine = state_->engine(), core = core_, bytes = std::move(bytes), failure,
               done = std::move(done)]() mutable {
    if (failure) return engine.complete(std::move(done), failure, QueueInfo());
    core->call(internal::unpacked<QueueDeclare>(bytes),
               [&engine, done = std::move(done)](const Failure& why, const Reply& reply) mutable {
                 QueueInfo info;
                 if (!reply.payload.empty()) {
                   const auto ok = reply.as<QueueDeclareOk>();
                   info = {ok.queue.str(), ok.message_count, ok.consumer_count};
                 }
                 engine.complete(std::move(done), why, std::move(info));
               });
  });
}

void Channel::start_publish(const Target& target, const Body& body,
                            const BasicProperties* properties, Completion<Failure>&& done) {
  if (state_->on_executor()) {
    Failure refused = core_->publish(target, body, properties, std::move(done));
    // Taken only with the message. NOLINTNEXTLINE(bugprone-use-after-move)
    if (refused) state_->engine().resolve(std::move(done), std::move(refused));
    return;
  }
  // Copied once here, and once into what is written.
  const Message message{body.bytes, properties ? *properties : BasicProperties(), body.owner};
  state_->run([&engine = state_->engine(), core = core_, to = OwnedTarget(target),
               copy = OwnedMessage(message), done = std::move(done)]() mutable {
    Failure failure = copy.failure();
    if (!failure) failure = core->publish(to.view(), copy.view(), std::move(done));
    // Taken only with the message. NOLINTNEXTLINE(bugprone-use-after-move)
    if (failure) engine.resolve(std::move(done), std::move(failure));
  });
}

namespace {

// Adds what a copy is published as; the error is of the copying.
Failure add_view(const OwnedMessage& copy, std::vector<Message>& views) {
  views.push_back(copy.view());
  return copy.failure();
}
Failure add_view(const std::string& copy, std::vector<std::string_view>& views) {
  views.emplace_back(copy);
  return {};
}

}  // namespace

// On another thread each item is kept as an Owned meanwhile.
template <class Owned, class Item>
void Channel::start_together(const Target& target, std::span<const Item> items, PublishedAll done) {
  if (state_->on_executor()) {
    Failure refused = core_->publish_all(target, items, std::move(done));
    // Taken only with the messages. NOLINTNEXTLINE(bugprone-use-after-move)
    if (refused) state_->engine().complete(std::move(done), std::move(refused), {});
    return;
  }
  state_->run([&engine = state_->engine(), core = core_, to = OwnedTarget(target),
               all = std::vector<Owned>(items.begin(), items.end()),
               done = std::move(done)]() mutable {
    Failure failure;
    std::vector<Item> views;
    views.reserve(all.size());
    for (const Owned& each : all) {
      if (Failure why = add_view(each, views)) failure = std::move(why);
    }
    if (!failure) failure = core->publish_all(to.view(), views, std::move(done));
    // Taken only with the messages. NOLINTNEXTLINE(bugprone-use-after-move)
    if (failure) engine.complete(std::move(done), std::move(failure), {});
  });
}

void Channel::start_publish_all(const Target& target, std::span<const Message> messages,
                                PublishedAll done) {
  start_together<OwnedMessage>(target, messages, std::move(done));
}

void Channel::start_publish_all(const Target& target, std::span<const std::string_view> bodies,
                                PublishedAll done) {
  start_together<std::string>(target, bodies, std::move(done));
}

void Channel::start_wait_space(Completion<Failure> done) {
  state_->run(
      [core = core_, done = std::move(done)]() mutable { core->wait_space(std::move(done)); });
}

void Channel::start_consume(const BasicConsume& request, const ConsumeOptions& options,
                            Completion<Failure, Subscription> done) {
  Failure failure;
  auto bytes = internal::packed(request, failure);
  state_->run([&engine = state_->engine(), core = core_, weak = std::weak_ptr(state_),
               bytes = std::move(bytes), failure, options, done = std::move(done)]() mutable {
    if (failure) return engine.complete(std::move(done), failure, Subscription());
    // It holds for consumers that begin after it. An error of it is the channel's end, too.
    core->call(BasicQos{0, options.prefetch, false}, [](const Failure&, const Reply&) {});
    core->consume(internal::unpacked<BasicConsume>(bytes),
                  [&engine, core = core.get(), weak, done = std::move(done)](
                      const Failure& why, const std::shared_ptr<ConsumerCore>& consumer) mutable {
                    const auto state = weak.lock();
                    engine.complete(std::move(done), why,
                                    why || !state
                                        ? Subscription()
                                        : Subscription(state, core->shared_from_this(), consumer));
                  });
  });
}

void Channel::start_get(const BasicGet& request, Completion<Failure, Delivery> done) {
  Failure failure;
  auto bytes = internal::packed(request, failure);
  state_->run([&engine = state_->engine(), core = core_, weak = std::weak_ptr(state_),
               bytes = std::move(bytes), failure, done = std::move(done)]() mutable {
    if (failure) return engine.complete(std::move(done), failure, Delivery());
    core->call(internal::unpacked<BasicGet>(bytes),
               [&engine, core = core.get(), weak, done = std::move(done)](
                   const Failure& why, const Reply& reply) mutable {
                 const auto state = weak.lock();
                 Delivery delivery;
                 if (!why && reply.content && state) {
                   const auto got = reply.as<BasicGetOk>();
                   Delivered delivered{
                       std::move(*reply.content), got.exchange,  got.routing_key, got.delivery_tag,
                       got.message_count,         core->epoch(), got.redelivered};
                   delivery = Delivery(state, core->shared_from_this(), std::move(delivered));
                 }
                 engine.complete(std::move(done), why, std::move(delivery));
               });
  });
}

void Channel::start_close(Completion<Failure> done) {
  state_->run([&engine = state_->engine(), core = core_, done = std::move(done)]() mutable {
    core->close([&engine, done = std::move(done)](const Failure& why) mutable {
      engine.complete(std::move(done), why);
    });
  });
}

}  // namespace tern::amqp
