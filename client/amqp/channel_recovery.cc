// What a channel notes for recovery: each method that changes something, when it has gone well.
#include <span>
#include <string>
#include <utility>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"

namespace tern::amqp {
namespace {

template <class M>
std::string copy_of(const M& method) {
  const auto size = encoded_size(method);
  std::string out(size ? *size : 0, '\0');
  wire::Writer writer(std::as_writable_bytes(std::span(out.data(), out.size())));
  if (size) encode(method, writer);
  return out;
}

// Calls `note(method, reply)` when it has gone well; the request itself is gone by then.
template <class M, class Note>
ChannelCore::Done noting(const M& method, ChannelCore::Done done, Note note) {
  return [copy = copy_of(method), done = std::move(done), note](const Failure& why,
                                                                const Reply& reply) mutable {
    M again;
    if (!why && !decode_method(wire::Bytes(std::string_view(copy)), {}, again)) note(again, reply);
    done(why, reply);
  };
}

}  // namespace

ChannelCore::Done ChannelCore::remembering(const ExchangeDeclare& method, Done done) {
  return noting(method, std::move(done),
                [this](const ExchangeDeclare& m, const Reply&) { engine_.topology().declared(m); });
}

ChannelCore::Done ChannelCore::remembering(const ExchangeDelete& method, Done done) {
  return noting(method, std::move(done), [this](const ExchangeDelete& m, const Reply&) {
    engine_.topology().exchange_deleted(m.exchange.view());
  });
}

ChannelCore::Done ChannelCore::remembering(const ExchangeBind& method, Done done) {
  return noting(method, std::move(done),
                [this](const ExchangeBind& m, const Reply&) { engine_.topology().bound(m); });
}

ChannelCore::Done ChannelCore::remembering(const ExchangeUnbind& method, Done done) {
  return noting(method, std::move(done),
                [this](const ExchangeUnbind& m, const Reply&) { engine_.topology().unbound(m); });
}

ChannelCore::Done ChannelCore::remembering(const QueueDeclare& method, Done done) {
  return noting(method, std::move(done), [this](const QueueDeclare& m, const Reply& reply) {
    // As the broker says it is called: it takes line ends out of names, for one.
    const std::string name =
        reply.payload.empty() ? m.queue.str() : reply.as<QueueDeclareOk>().queue.str();
    last_queue_ = name;
    engine_.topology().declared(m, name);
  });
}

ChannelCore::Done ChannelCore::remembering(const QueueDelete& method, Done done) {
  return noting(method, std::move(done), [this](const QueueDelete& m, const Reply&) {
    engine_.topology().queue_deleted(named(m.queue));
  });
}

ChannelCore::Done ChannelCore::remembering(const QueueBind& method, Done done) {
  return noting(method, std::move(done), [this](const QueueBind& m, const Reply&) {
    engine_.topology().bound(m, named(m.queue));
  });
}

ChannelCore::Done ChannelCore::remembering(const QueueUnbind& method, Done done) {
  return noting(method, std::move(done), [this](const QueueUnbind& m, const Reply&) {
    engine_.topology().unbound(m, named(m.queue));
  });
}

ChannelCore::Done ChannelCore::remembering(const BasicQos& method, Done done) {
  return noting(method, std::move(done), [this](const BasicQos& m, const Reply&) {
    (m.global ? global_qos_ : qos_) = m;
    count_acks_together();
  });
}

// All that was delivered before the answer is delivered again, with other tags.
ChannelCore::Done ChannelCore::remembering(const BasicRecover& method, Done done) {
  return noting(method, std::move(done),
                [this](const BasicRecover&, const Reply&) { acks_.forget_all(); });
}

ChannelCore::Done ChannelCore::remembering(const TxSelect& method, Done done) {
  return noting(method, std::move(done),
                [this](const TxSelect&, const Reply&) { has_transactions_ = true; });
}

// Not for recovery, but it has to be known how they ended.
ChannelCore::Done ChannelCore::remembering(const TxCommit& method, Done done) {
  return noting(method, std::move(done),
                [this](const TxCommit&, const Reply&) { acks_.committed(); });
}

ChannelCore::Done ChannelCore::remembering(const TxRollback& method, Done done) {
  return noting(method, std::move(done),
                [this](const TxRollback&, const Reply&) { acks_.rolled_back(); });
}

}  // namespace tern::amqp
