#include "client/amqp/rpc.h"

#include "client/amqp/owned_message.h"

namespace tern::amqp {

void RpcClient::start_open(const Channel& channel, Completion<Failure, RpcClient> done) {
  channel.state_->run([&engine = channel.state_->engine(), weak = std::weak_ptr(channel.state_),
                       channel_core = channel.core_, done = std::move(done)]() mutable {
    const auto core = std::make_shared<RpcCore>(engine, channel_core);
    core->open([&engine, weak, core, done = std::move(done)](const Failure& why) mutable {
      const auto state = weak.lock();
      engine.complete(std::move(done), why, why || !state ? RpcClient() : RpcClient(state, core));
    });
  });
}

void RpcClient::start_call(const Target& target, const Message& message, Duration timeout,
                           Completion<Failure, Delivery> done) {
  state_->run([&engine = state_->engine(), weak = std::weak_ptr(state_), core = core_, timeout,
               to = OwnedTarget(target), question = OwnedMessage(message),
               done = std::move(done)]() mutable {
    if (question.failure()) return engine.complete(std::move(done), question.failure(), Delivery());
    const Message view = question.view();
    core->call(to.view(), view.properties, wire::Bytes(view.body), timeout,
               [weak, channel = core->channel(), done = std::move(done)](
                   Failure why, Delivered delivered) mutable {
                 const auto state = weak.lock();
                 if (why || !state) return done(std::move(why), Delivery());
                 done(Failure(), Delivery(state, channel, std::move(delivered)));
               });
  });
}

}  // namespace tern::amqp
