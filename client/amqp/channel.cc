#include "client/amqp/channel.h"

#include <cstring>
#include <string>

namespace tern::amqp {

// ------------------------------------------------------------------------------------ deliveries

void Delivery::ack() const {
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

void Subscription::start_next(std::uint64_t op, Completion<Failure, Delivery> done) {
  state_->run([weak = std::weak_ptr(state_), channel = channel_, consumer = consumer_, op,
               done = std::move(done)]() mutable {
    consumer->next(
        [weak, channel, done = std::move(done)](Failure why, Delivered delivered) mutable {
          const auto state = weak.lock();
          if (why || !state) return done(std::move(why), Delivery());
          done(Failure(), Delivery(state, channel, std::move(delivered)));
        },
        op);
  });
}

void Subscription::start_cancel(Completion<Failure> done) {
  state_->run([&engine = state_->engine(), channel = channel_, consumer = consumer_,
               done = std::move(done)]() mutable {
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

void Channel::start_publish(const Target& target, const Message& message,
                            Completion<Failure> done) {
  if (state_->on_executor()) {
    return state_->run([&engine = state_->engine(), core = core_.get(), &target, &message,
                        &done]() mutable {
      Failure refused =
          core->publish(target, message.properties, wire::Bytes(message.body), {}, std::move(done));
      // Taken only with the message. NOLINTNEXTLINE(bugprone-use-after-move)
      if (refused) engine.resolve(std::move(done), std::move(refused));
    });
  }
  // Copied once here, and once into what is written.
  Failure failure;
  auto method = internal::packed(
      BasicPublish{target.exchange, target.routing_key, target.mandatory, false}, failure);
  const ContentHeader header{message.body.size(), message.properties};
  const char* field = "";
  const auto size = encoded_size(header, &field);
  if (!size) failure = Session::refuse(BasicPublish::method, field, size.error());
  std::vector<std::byte> content(size ? *size + message.body.size() : 0);
  if (size) {
    wire::Writer writer(content);
    encode(header, writer);
    writer.bytes(message.body);
  }
  state_->run([&engine = state_->engine(), core = core_, method = std::move(method),
               content = std::move(content), head = size ? *size : 0, failure,
               done = std::move(done)]() mutable {
    if (!failure) {
      const auto publish = internal::unpacked<BasicPublish>(method);
      const std::span<const std::byte> all(content);
      ContentHeader copy;
      (void)decode_header(wire::Bytes(all.first(head)), {}, copy);
      failure = core->publish({publish.exchange, publish.routing_key, publish.mandatory},
                              copy.properties, wire::Bytes(all.subspan(head)), {}, std::move(done));
    }
    // Taken only with the message. NOLINTNEXTLINE(bugprone-use-after-move)
    if (failure) engine.resolve(std::move(done), std::move(failure));
  });
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
