#include "client/amqp/rpc_core.h"

#include <charconv>
#include <string>
#include <utility>

#include "client/amqp/engine.h"

namespace tern::amqp {
namespace {

Failure unanswerable() {
  return Failure(make_error_code(ClientErrc::maybe_written),
                 "the connection was lost before the answer came");
}

}  // namespace

RpcCore::Call::Call(RpcCore& owner, std::uint64_t number, Completion<Failure, Delivered> handler)
    : rpc(owner),
      id(number),
      epoch(owner.channel_->epoch()),
      done(std::move(handler)),
      timer(Timer::calling<&Call::on_timer>(owner.engine_.timers(), this)) {}

void RpcCore::Call::on_timer(Now) {
  rpc.end_call(
      id, Failure(make_error_code(ClientErrc::timed_out), "no answer came within the timeout"));
}

RpcCore::RpcCore(Engine& engine, std::shared_ptr<ChannelCore> channel)
    : engine_(engine), channel_(std::move(channel)) {}

void RpcCore::open(Completion<const Failure&> done) {
  BasicConsume request;
  request.queue = kDirectReplyTo;
  request.no_ack = true;
  channel_->consume(request,
                    [self = shared_from_this(), done = std::move(done)](
                        const Failure& why, const std::shared_ptr<ConsumerCore>& consumer) mutable {
                      if (!why) {
                        self->consumer_ = consumer;
                        self->channel_->on_interrupted([weak = self->weak_from_this()] {
                          if (const auto rpc = weak.lock()) rpc->on_interrupted();
                        });
                        self->receive();
                      }
                      done(why);
                    });
}

// The handler holds this object: it lives as long as there can be answers.
void RpcCore::receive() {
  consumer_->next([self = shared_from_this()](const Failure& why, Delivered delivered) {
    self->on_answer(why, std::move(delivered));
  });
}

void RpcCore::on_answer(const Failure& why, Delivered delivered) {
  if (why) {
    ending_ = why;
    consumer_.reset();  // here, on the executor
    while (!calls_.empty()) end_call(calls_.begin()->first, why);
    return;
  }
  engine_.enter();
  const Text text = delivered.properties().correlation_id;
  std::uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, id);
  if (error == std::errc() && last == end) end_call(id, Failure(), std::move(delivered));
  receive();
}

void RpcCore::call(const Target& target, BasicProperties properties, wire::Bytes body,
                   Duration timeout, Completion<Failure, Delivered> done) {
  if (ending_) return engine_.complete(std::move(done), ending_, Delivered());
  const std::uint64_t id = ++last_id_;
  const std::string text = std::to_string(id);
  properties.reply_to = kDirectReplyTo;
  properties.correlation_id = std::string_view(text);
  Target mandatory = target;
  mandatory.mandatory = true;
  const Failure refused =
      channel_->publish(mandatory, {.body = body.view(), .properties = properties},
                        [weak = weak_from_this(), id](const Failure& why) {
                          if (const auto self = weak.lock()) self->on_asked(id, why);
                        });
  if (refused) return engine_.complete(std::move(done), refused, Delivered());
  Call& added = calls_.try_emplace(id, *this, id, std::move(done)).first->second;
  added.timer.set(deadline_after(engine_.now().mono, timeout));
}

void RpcCore::on_asked(std::uint64_t id, const Failure& why) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  engine_.enter();
  if (why) return end_call(id, why);
  it->second.is_confirmed = true;
  if (it->second.epoch != channel_->epoch()) end_call(id, unanswerable());
}

// Of the others their confirms tell.
void RpcCore::on_interrupted() {
  for (auto it = calls_.begin(); it != calls_.end();) {
    const Call& call = (it++)->second;
    if (call.is_confirmed) end_call(call.id, unanswerable());
  }
}

void RpcCore::end_call(std::uint64_t id, const Failure& why, Delivered delivered) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  engine_.complete(std::move(it->second.done), why, std::move(delivered));
  calls_.erase(it);
}

}  // namespace tern::amqp
