#include "tests/broker/amqp_channel.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

#include "protocol/amqp/properties.h"
#include "tests/broker/amqp_session.h"

namespace tern::broker {

using amqp::ReplyErrc;

namespace {

std::string quoted(std::string_view name) { return "'" + std::string(name) + "' in vhost '/'"; }

std::string encoded(const amqp::Table& table) { return {table.run().data, table.run().size}; }

}  // namespace

// ------------------------------------------------------------------------------------- consumers

bool AmqpChannel::Consumer::can_take() const {
  if (dead || channel_.closing_ || !channel_.session_.has_room()) return false;
  if (no_ack) return true;
  const std::uint16_t all = channel_.channel_prefetch_;
  return (prefetch_ == 0 || unacked < prefetch_) && (all == 0 || channel_.consumed_unacked_ < all);
}

void AmqpChannel::Consumer::take(AmqpEntry entry) {
  // As RabbitMQ does: direct replies have the tag of the delivery to come.
  const bool is_reply = queue == kAmqpReplyTo;
  const std::uint64_t delivery_tag = is_reply ? channel_.last_tag_ + 1 : ++channel_.last_tag_;
  const AmqpMessageRef message = entry.message;
  channel_.session_.send(channel_.id_,
                         amqp::BasicDeliver{std::string_view(tag), delivery_tag, entry.redelivered,
                                            std::string_view(message->exchange),
                                            std::string_view(message->routing_key)});
  channel_.session_.send_content(channel_.id_, *message);
  if (no_ack) return;
  ++unacked;
  ++channel_.consumed_unacked_;
  AmqpQueue* const from = channel_.session_.store().queue(queue);
  if (from) ++from->unacked;
  channel_.unacked_[delivery_tag] = {queue, from ? from->number : 0, std::move(entry),
                                     channel_.consumers_.find(tag)->second,
                                     channel_.session_.store().now().mono};
}

void AmqpChannel::Consumer::cancelled() {
  if (std::exchange(dead, true)) return;
  const auto held = channel_.consumers_.extract(tag);
  if (channel_.session_.hears_of_cancels()) {
    channel_.session_.send(channel_.id_, amqp::BasicCancel{std::string_view(tag), true});
  }
}

AmqpChannel::~AmqpChannel() { release(); }

// Nobody consumes here any more, and what is not acknowledged goes back.
void AmqpChannel::release() {
  closing_ = true;
  for (auto& [tag, consumer] : std::exchange(consumers_, {})) {
    consumer->dead = true;
    session_.store().remove_receiver(consumer->queue, *consumer);
  }
  if (!reply_address_.empty()) session_.store().remove_reply(std::exchange(reply_address_, {}));
  end_transaction(/*commit=*/false);
  for (auto& [tag, unacked] : std::exchange(unacked_, {})) {
    settle_one(std::move(unacked), Fate::requeued);
  }
  session_.store().deliver_all();
}

void AmqpChannel::settle_one(Unacked unacked, Fate fate) {
  if (unacked.consumer) {
    --unacked.consumer->unacked;
    --consumed_unacked_;
  }
  AmqpStore& store = session_.store();
  AmqpQueue* const queue = store.queue(unacked.queue);
  if (!queue || queue->number != unacked.queue_number) return;
  if (queue->unacked > 0) --queue->unacked;
  if (fate == Fate::requeued) store.requeue(unacked.queue, std::move(unacked.entry));
  if (fate == Fate::rejected) store.reject(unacked.queue, unacked.entry);
}

// --------------------------------------------------------------------------------------- methods

void AmqpChannel::close(ReplyErrc code, const std::string& text, const amqp::Method& method) {
  if (closing_) return;
  release();
  const std::string words = std::string(amqp::reply_name(code)) + " - " + text;
  session_.send(id_, amqp::ChannelClose{static_cast<std::uint16_t>(code),
                                        std::string_view(words).substr(0, 255), method.id.class_id,
                                        method.id.method_id});
}

struct AmqpChannelMethods {
  AmqpChannel& c;
  AmqpSession& s;
  AmqpStore& store = s.store();

  template <class M>
  void reply(const M& message) {
    s.send(c.id_, message);
  }
  template <class M>
  void refuse(ReplyErrc code, const std::string& text) {
    c.close(code, text, M::method);
  }

  void operator()(const amqp::ChannelClose&) {
    reply(amqp::ChannelCloseOk());
    // If the two closes crossed, the answer to the other is still to come.
    if (!c.closing_) s.remove(c.id_);
  }
  void operator()(const amqp::ChannelCloseOk&) { s.remove(c.id_); }
  void operator()(const amqp::ChannelFlow& m) {
    if (!m.active) return s.close(ReplyErrc::not_implemented, "active=false", m.method.id);
    reply(amqp::ChannelFlowOk{m.active});
  }
  void operator()(const amqp::ChannelFlowOk&) {}
  // Nobody needs a ticket any more, but old clients ask for one.
  void operator()(const amqp::AccessRequest&) { reply(amqp::AccessRequestOk{1}); }

  void operator()(const amqp::ExchangeDeclare& m) { c.declare_exchange(m); }
  void operator()(const amqp::ExchangeDelete& m) {
    if (!c.not_default(m.exchange, m.method)) return;
    if (m.exchange.view().starts_with("amq.")) {
      return refuse<amqp::ExchangeDelete>(
          ReplyErrc::access_refused,
          "deletion of system exchange " + quoted(m.exchange) + " not allowed");
    }
    const bool used = std::any_of(
        store.bindings().begin(), store.bindings().end(),
        [&](const AmqpBinding& binding) { return binding.source == m.exchange.view(); });
    if (m.if_unused && used) {
      return refuse<amqp::ExchangeDelete>(ReplyErrc::precondition_failed,
                                          "exchange " + quoted(m.exchange) + " in use");
    }
    store.remove_exchange(m.exchange.str());  // of one that is not there: fine, too
    if (!m.no_wait) reply(amqp::ExchangeDeleteOk());
  }
  void operator()(const amqp::ExchangeBind& m) {
    if (!c.not_default(m.destination, m.method) || !c.not_default(m.source, m.method)) return;
    if (!c.find_exchange(m.source, m.method) || !c.find_exchange(m.destination, m.method)) return;
    if (!c.binding_is_valid(m.source, m.arguments, m.method)) return;
    store.bind(
        {m.source.str(), m.destination.str(), false, m.routing_key.str(), encoded(m.arguments)});
    if (!m.no_wait) reply(amqp::ExchangeBindOk());
  }
  void operator()(const amqp::ExchangeUnbind& m) {
    if (!c.not_default(m.destination, m.method) || !c.not_default(m.source, m.method)) return;
    store.unbind(
        {m.source.str(), m.destination.str(), false, m.routing_key.str(), encoded(m.arguments)});
    if (!m.no_wait) reply(amqp::ExchangeUnbindOk());
  }

  void operator()(const amqp::QueueDeclare& m) { c.declare_queue(m); }
  void operator()(const amqp::QueueBind& m) {
    if (!c.names_queue(m.queue, m.method) || !c.not_default(m.exchange, m.method)) return;
    AmqpQueue* const queue = c.find_queue(m.queue, m.method);
    if (!queue || !c.find_exchange(m.exchange, m.method)) return;
    if (!c.binding_is_valid(m.exchange, m.arguments, m.method)) return;
    store.bind({m.exchange.str(), queue->name, true, key_of(m.queue, m.routing_key),
                encoded(m.arguments)});
    if (!m.no_wait) reply(amqp::QueueBindOk());
  }
  void operator()(const amqp::QueueUnbind& m) {
    if (!c.names_queue(m.queue, m.method) || !c.not_default(m.exchange, m.method)) return;
    // Of a queue that is not there: fine, too.
    if (store.queue(c.queue_name(m.queue)) && !c.find_queue(m.queue, m.method)) return;
    store.unbind({m.exchange.str(), std::string(c.queue_name(m.queue)), true,
                  key_of(m.queue, m.routing_key), encoded(m.arguments)});
    reply(amqp::QueueUnbindOk());
  }
  // An empty key with an empty name means the queue's own.
  std::string key_of(std::string_view queue, std::string_view key) {
    return std::string(queue.empty() && key.empty() ? c.queue_name(queue) : key);
  }
  void operator()(const amqp::QueuePurge& m) {
    AmqpQueue* const queue = c.find_queue(m.queue, m.method);
    if (!queue) return;
    const auto count = static_cast<std::uint32_t>(queue->ready.size());
    queue->clear();
    if (!m.no_wait) reply(amqp::QueuePurgeOk{count});
  }
  void operator()(const amqp::QueueDelete& m) {
    if (!c.names_queue(m.queue, m.method)) return;
    AmqpQueue* const queue = store.queue(c.queue_name(m.queue));
    if (queue && queue->owner != 0 && !c.find_queue(m.queue, m.method)) return;
    if (queue && m.if_unused && !queue->receivers.empty()) {
      return refuse<amqp::QueueDelete>(ReplyErrc::precondition_failed,
                                       "queue " + quoted(queue->name) + " in use");
    }
    if (queue && m.if_empty && !queue->ready.empty()) {
      return refuse<amqp::QueueDelete>(ReplyErrc::precondition_failed,
                                       "queue " + quoted(queue->name) + " not empty");
    }
    // Told first, so that its consumers here are told after that.
    if (!m.no_wait) {
      reply(amqp::QueueDeleteOk{static_cast<std::uint32_t>(queue ? queue->ready.size() : 0)});
    }
    if (queue) store.remove_queue(std::string(queue->name));
  }

  void operator()(const amqp::BasicQos& m) {
    if (m.prefetch_size != 0) {
      return s.close(ReplyErrc::not_implemented,
                     "prefetch_size!=0 (" + std::to_string(m.prefetch_size) + ")", m.method.id);
    }
    // One for each consumer puts an end to one for the channel.
    c.channel_prefetch_ = m.global ? m.prefetch_count : 0;
    if (!m.global) c.prefetch_ = m.prefetch_count;
    reply(amqp::BasicQosOk());
    store.deliver_all();
  }
  void operator()(const amqp::BasicConsume& m) { c.consume(m); }
  void operator()(const amqp::BasicCancel& m) {
    if (auto node = c.consumers_.extract(m.consumer_tag.str()); !node.empty()) {
      node.mapped()->dead = true;
      store.remove_receiver(node.mapped()->queue, *node.mapped());
    } else if (c.reply_consumer_ && c.reply_consumer_->tag == m.consumer_tag.view()) {
      store.remove_reply(std::exchange(c.reply_address_, {}));
      c.reply_consumer_.reset();
    }
    if (!m.no_wait) reply(amqp::BasicCancelOk{m.consumer_tag});
  }
  void operator()(const amqp::BasicPublish& m) {
    if (m.immediate) {
      return s.close(ReplyErrc::not_implemented, "immediate=true", m.method.id);
    }
    c.message_ = {};
    c.message_.exchange = m.exchange.str();
    c.message_.routing_key = m.routing_key.str();
    c.mandatory_ = m.mandatory;
    c.expects_header_ = true;
  }
  void operator()(const amqp::BasicGet& m) { c.get(m); }
  void operator()(const amqp::BasicAck& m) {
    c.settle(m.delivery_tag, m.multiple, AmqpChannel::Fate::acked, m.method);
  }
  void operator()(const amqp::BasicNack& m) {
    c.settle(m.delivery_tag, m.multiple, rejection(m.requeue), m.method);
  }
  void operator()(const amqp::BasicReject& m) {
    c.settle(m.delivery_tag, false, rejection(m.requeue), m.method);
  }
  void operator()(const amqp::BasicRecover& m) {
    if (recover(m)) reply(amqp::BasicRecoverOk());
    store.deliver_all();
  }
  void operator()(const amqp::BasicRecoverAsync& m) {
    if (recover(m)) store.deliver_all();
  }
  template <class M>
  bool recover(const M& m) {
    if (!m.requeue) {
      s.close(ReplyErrc::not_implemented, "requeue=false", m.method.id);
      return false;
    }
    for (auto& [tag, unacked] : std::exchange(c.unacked_, {})) {
      c.settle_one(std::move(unacked), AmqpChannel::Fate::requeued);
    }
    return true;
  }
  void operator()(const amqp::ConfirmSelect& m) {
    if (c.transactional_) {
      return refuse<amqp::ConfirmSelect>(ReplyErrc::precondition_failed,
                                         "cannot switch from tx to confirm mode");
    }
    c.confirms_ = true;
    if (!m.no_wait) reply(amqp::ConfirmSelectOk());
  }
  void operator()(const amqp::TxSelect& m) {
    if (c.confirms_) {
      return c.close(ReplyErrc::precondition_failed, "cannot switch from confirm to tx mode",
                     m.method);
    }
    c.transactional_ = true;
    reply(amqp::TxSelectOk());
  }
  void operator()(const amqp::TxCommit& m) {
    if (!is_transactional(m.method)) return;
    c.end_transaction(/*commit=*/true);
    reply(amqp::TxCommitOk());
  }
  void operator()(const amqp::TxRollback& m) {
    if (!is_transactional(m.method)) return;
    c.end_transaction(/*commit=*/false);
    reply(amqp::TxRollbackOk());
  }
  bool is_transactional(const amqp::Method& method) {
    if (!c.transactional_) {
      c.close(ReplyErrc::precondition_failed, "channel is not transactional", method);
    }
    return c.transactional_;
  }
  static AmqpChannel::Fate rejection(bool requeue) {
    return requeue ? AmqpChannel::Fate::requeued : AmqpChannel::Fate::rejected;
  }
  template <class M>
  void operator()(const M& m) {
    s.close(ReplyErrc::command_invalid, "unimplemented method", m.method.id);
  }
};

void AmqpChannel::on_frame(const amqp::Frame& frame) {
  if (frame.type != amqp::FrameType::method) return on_content(frame);
  const auto id =
      wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(frame.payload.data()));
  const bool ends = id == amqp::ChannelClose::method.id.packed() ||
                    id == amqp::ChannelCloseOk::method.id.packed();
  if (closing_ && !ends) return;
  if (expects_header_ || body_left_ != 0) {
    return session_.close(ReplyErrc::unexpected_frame, "a method came inside a message");
  }
  AmqpChannelMethods handler{*this, session_};
  if (const auto error = amqp::dispatch(frame.payload, {}, handler)) session_.refuse(*error);
}

void AmqpChannel::on_content(const amqp::Frame& frame) {
  if (closing_) return;
  if (frame.type == amqp::FrameType::header) {
    amqp::ContentHeader header;
    if (!std::exchange(expects_header_, false)) {
      return session_.close(ReplyErrc::unexpected_frame, "a header came without its method");
    }
    if (const auto error = amqp::decode_header(frame.payload, {}, header)) {
      return session_.close(error->reply, error->message());
    }
    message_.header = frame.payload.str();
    body_left_ = header.body_size;
  } else {
    if (frame.payload.size() > body_left_) {
      return session_.close(ReplyErrc::unexpected_frame, "a body is longer than announced");
    }
    message_.body.append(frame.payload.view());
    body_left_ -= frame.payload.size();
  }
  if (body_left_ == 0) publish();
}

// ------------------------------------------------------------------------------------ publishing

void AmqpChannel::publish() {
  const AmqpExchange* const exchange = find_exchange(message_.exchange, amqp::BasicPublish::method);
  if (!exchange) return;
  if (exchange->internal) {
    return close(ReplyErrc::access_refused,
                 "cannot publish to internal exchange " + quoted(message_.exchange),
                 amqp::BasicPublish::method);
  }
  AmqpMessage message = std::move(message_);
  amqp::ContentHeader header;
  (void)amqp::decode_header(wire::Bytes(std::string_view(message.header)), {}, header);
  if (!accept(message, header)) return;
  if (!transactional_) return put(std::move(message), mandatory_);
  transaction_.push_back([this, message = std::move(message), mandatory = mandatory_]() mutable {
    put(std::move(message), mandatory);
  });
}

bool AmqpChannel::accept(AmqpMessage& message, const amqp::ContentHeader& header) {
  const amqp::BasicProperties& properties = header.properties;
  const auto refuse = [this](const std::string& text) {
    close(ReplyErrc::precondition_failed, text, amqp::BasicPublish::method);
    return false;
  };
  if (!properties.user_id.is_null() && properties.user_id.view() != session_.user()) {
    return refuse("user_id property set to '" + properties.user_id.str() +
                  "' but authenticated user was '" + session_.user() + "'");
  }
  if (const amqp::Text expiration = properties.expiration; !expiration.is_null()) {
    std::uint32_t milliseconds = 0;
    const char* const end = expiration.data() + expiration.size();
    const auto [last, error] = std::from_chars(expiration.data(), end, milliseconds);
    if (error != std::errc() || last != end) {
      return refuse("invalid expiration '" + expiration.str() + "'");
    }
    message.ttl = std::chrono::milliseconds(milliseconds);
  }
  message.priority = properties.priority.value_or(0);
  if (properties.reply_to.is_null() || properties.reply_to.view() != kAmqpReplyTo) return true;
  if (reply_address_.empty()) return refuse("fast reply consumer does not exist");
  amqp::ContentHeader changed = header;
  changed.properties.reply_to = std::string_view(reply_address_);
  if (const auto size = amqp::encoded_size(changed)) {
    std::string bytes(*size, '\0');
    wire::Writer writer(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    amqp::encode(changed, writer);
    message.header = std::move(bytes);
  }
  return true;
}

void AmqpChannel::put(AmqpMessage message, bool mandatory) {
  const std::uint64_t tag = ++published_;
  AmqpStore::Routed routed;
  const bool refused = session_.broker().refuse && session_.broker().refuse(message);
  if (!refused) {
    amqp::ContentHeader header;
    AmqpMessage copy;
    if (mandatory) copy = message;
    copy.header = message.header;
    (void)amqp::decode_header(wire::Bytes(std::string_view(copy.header)), {}, header);
    routed = session_.store().publish(
        std::move(message), header.properties.headers ? &*header.properties.headers : nullptr);
    if (mandatory && routed.queues == 0) {
      session_.send(id_, amqp::BasicReturn{312, "NO_ROUTE", std::string_view(copy.exchange),
                                           std::string_view(copy.routing_key)});
      session_.send_content(id_, copy);
    }
  }
  if (!confirms_) return;
  if (refused || routed.refused) {
    flush();
    session_.send(id_, amqp::BasicNack{tag, false, false});
    confirmed_to_ = tag;
  }
  to_confirm_ = tag;
}

void AmqpChannel::end_transaction(bool commit) {
  for (const auto& each : std::exchange(transaction_, {})) {
    if (commit && !closing_) each();
  }
  for (Settled& each : std::exchange(settled_, {})) {
    if (commit && !closing_) {
      settle_one(std::move(each.unacked), each.fate);
    } else {
      unacked_[each.tag] = std::move(each.unacked);
    }
  }
  session_.store().deliver_all();
}

void AmqpChannel::flush() {
  if (closing_ || confirmed_to_ >= to_confirm_) return;
  session_.send(id_, amqp::BasicAck{to_confirm_, to_confirm_ - confirmed_to_ > 1});
  confirmed_to_ = to_confirm_;
}

// ------------------------------------------------------------------------------------- declaring

std::string_view AmqpChannel::queue_name(std::string_view name) const {
  return name.empty() ? std::string_view(last_queue_) : name;
}

bool AmqpChannel::names_queue(std::string_view name, const amqp::Method& method) {
  if (!queue_name(name).empty()) return true;
  close(ReplyErrc::not_found, "no previously declared queue", method);
  return false;
}

bool AmqpChannel::not_default(std::string_view exchange, const amqp::Method& method) {
  if (!exchange.empty()) return true;
  close(ReplyErrc::access_refused, "operation not permitted on the default exchange", method);
  return false;
}

bool AmqpChannel::binding_is_valid(std::string_view source, const amqp::Table& arguments,
                                   const amqp::Method& method) {
  const auto match = arguments.find("x-match");
  if (!match || session_.store().exchange(source)->type != "headers") return true;
  const std::string_view text = match->text().value_or("");
  for (const std::string_view known : {"all", "any", "all-with-x", "any-with-x"}) {
    if (text == known) return true;
  }
  close(ReplyErrc::precondition_failed,
        "Invalid x-match field value " + std::string(text) +
            "; expected all, any, all-with-x, or any-with-x",
        method);
  return false;
}

AmqpQueue* AmqpChannel::find_queue(std::string_view name, const amqp::Method& method) {
  AmqpQueue* const queue = session_.store().queue(queue_name(name));
  if (!queue) {
    close(ReplyErrc::not_found, "no queue " + quoted(name), method);
  } else if (queue->owner != 0 && queue->owner != session_.number()) {
    close(ReplyErrc::resource_locked,
          "cannot obtain exclusive access to locked queue " + quoted(name), method);
    return nullptr;
  }
  return queue;
}

AmqpExchange* AmqpChannel::find_exchange(std::string_view name, const amqp::Method& method) {
  AmqpExchange* const exchange = session_.store().exchange(name);
  if (!exchange) close(ReplyErrc::not_found, "no exchange " + quoted(name), method);
  return exchange;
}

void AmqpChannel::declare_exchange(const amqp::ExchangeDeclare& m) {
  if (m.passive) {
    if (!not_default(m.exchange, m.method) || !find_exchange(m.exchange, m.method)) return;
    if (!m.no_wait) session_.send(id_, amqp::ExchangeDeclareOk());
    return;
  }
  const std::string_view type = m.type.view();
  if (type != "direct" && type != "fanout" && type != "topic" && type != "headers") {
    return session_.close(ReplyErrc::command_invalid,
                          "unknown exchange type '" + m.type.str() + "'", m.method.id);
  }
  if (!not_default(m.exchange, m.method)) return;
  if (const AmqpExchange* const there = session_.store().exchange(m.exchange)) {
    const bool same = there->type == type && there->durable == m.durable &&
                      there->auto_delete == m.auto_delete && there->internal == m.internal &&
                      there->alternate == alternate_exchange(m.arguments);
    if (!same) {
      return close(ReplyErrc::precondition_failed,
                   "inequivalent arg for exchange " + quoted(m.exchange), m.method);
    }
  } else {
    if (m.exchange.view().starts_with("amq.")) {
      return close(ReplyErrc::access_refused,
                   "exchange name '" + m.exchange.str() + "' contains reserved prefix 'amq.*'",
                   m.method);
    }
    const auto alternate = m.arguments.find("alternate-exchange");
    if (alternate && !alternate->text()) {
      return close(ReplyErrc::precondition_failed,
                   "invalid type for arg 'alternate-exchange' in exchange " + quoted(m.exchange),
                   m.method);
    }
    session_.store().add_exchange({m.exchange.str(), std::string(type), m.durable, m.auto_delete,
                                   m.internal, alternate_exchange(m.arguments)});
  }
  if (!m.no_wait) session_.send(id_, amqp::ExchangeDeclareOk());
}

void AmqpChannel::declare_queue(const amqp::QueueDeclare& m) {
  AmqpStore& store = session_.store();
  if (m.queue.view().starts_with(kAmqpReplyTo)) {
    // Asked by those who want to know whether somebody waits for a reply.
    if (m.queue.view() != kAmqpReplyTo && !store.has_reply(m.queue.view())) {
      return close(ReplyErrc::not_found, "no queue " + quoted(m.queue), m.method);
    }
    if (!m.no_wait) session_.send(id_, amqp::QueueDeclareOk{m.queue, 0, 1});
    return;
  }
  // Whoever was told such a name may use it, but not declare it.
  if (!m.passive && m.queue.view().starts_with("amq.")) {
    return close(ReplyErrc::access_refused,
                 "queue name '" + m.queue.str() + "' contains reserved prefix 'amq.*'", m.method);
  }
  const std::string name = m.queue.empty() && !m.passive ? store.new_queue_name() : m.queue.str();
  const bool durable = m.durable && !m.exclusive;  // it ends with its connection in any case
  AmqpQueue* queue = store.queue(name);
  if (m.passive || queue) {
    if (!queue) return close(ReplyErrc::not_found, "no queue " + quoted(name), m.method);
    if (!find_queue(name, m.method)) return;
    if (!m.passive && (queue->owner != 0) != m.exclusive) {
      return close(ReplyErrc::resource_locked,
                   "cannot obtain exclusive access to locked queue " + quoted(name), m.method);
    }
    // Arguments without a meaning may differ.
    AmqpQueueRules rules;
    const bool same = queue->durable == durable && queue->auto_delete == m.auto_delete &&
                      !rules.read(m.arguments) && rules == queue->rules;
    if (!m.passive && !same) {
      return close(ReplyErrc::precondition_failed, "inequivalent arg for queue " + quoted(name),
                   m.method);
    }
  } else {
    AmqpQueue made{.name = name,
                   .durable = durable,
                   .auto_delete = m.auto_delete,
                   .owner = m.exclusive ? session_.number() : 0};
    if (const auto wrong = made.rules.read(m.arguments)) {
      return close(ReplyErrc::precondition_failed, *wrong + " for queue " + quoted(name), m.method);
    }
    queue = &store.add_queue(std::move(made));
  }
  store.touch(*queue);
  last_queue_ = name;
  if (m.no_wait) return;
  session_.send(id_, amqp::QueueDeclareOk{std::string_view(name),
                                          static_cast<std::uint32_t>(queue->ready.size()),
                                          static_cast<std::uint32_t>(queue->receivers.size())});
}

// ------------------------------------------------------------------------------------- consuming

// Direct replies: a name that only this consumer gets messages of, without a queue.
void AmqpChannel::consume_replies(const amqp::BasicConsume& m) {
  if (!m.no_ack) {
    return close(ReplyErrc::precondition_failed, "reply consumer cannot acknowledge", m.method);
  }
  if (!reply_address_.empty()) {
    return close(ReplyErrc::precondition_failed, "reply consumer already set", m.method);
  }
  std::string tag = m.consumer_tag.str();
  if (tag.empty()) tag = "amq.ctag-" + std::to_string(++last_consumer_);
  reply_consumer_ =
      std::make_shared<Consumer>(*this, tag, std::string(kAmqpReplyTo), true, std::uint16_t{0});
  reply_address_ = std::string(kAmqpReplyTo) + "." + std::to_string(session_.number()) + "." +
                   std::to_string(id_);
  session_.store().add_reply(reply_address_, *reply_consumer_);
  if (!m.no_wait) session_.send(id_, amqp::BasicConsumeOk{std::string_view(tag)});
}

void AmqpChannel::consume(const amqp::BasicConsume& m) {
  if (m.queue.view() == kAmqpReplyTo) return consume_replies(m);
  AmqpQueue* const queue = find_queue(m.queue, m.method);
  if (!queue) return;
  std::string tag = m.consumer_tag.str();
  if (tag.empty()) tag = "amq.ctag-" + std::to_string(++last_consumer_);
  if (consumers_.contains(tag)) {
    return session_.close(ReplyErrc::not_allowed, "attempt to reuse consumer tag '" + tag + "'",
                          m.method.id);
  }
  if (queue->exclusive || (m.exclusive && !queue->receivers.empty())) {
    return close(ReplyErrc::access_refused, "queue " + quoted(queue->name) + " in exclusive use",
                 m.method);
  }
  auto consumer = std::make_shared<Consumer>(*this, tag, queue->name, m.no_ack, prefetch_);
  consumers_[tag] = consumer;
  if (!m.no_wait) session_.send(id_, amqp::BasicConsumeOk{std::string_view(tag)});
  if (m.exclusive) queue->exclusive = consumer.get();
  session_.store().add_receiver(*queue, *consumer);
  session_.store().deliver(*queue);
}

void AmqpChannel::get(const amqp::BasicGet& m) {
  AmqpQueue* const queue = find_queue(m.queue, m.method);
  if (!queue) return;
  session_.store().touch(*queue);
  session_.store().expire();
  if (queue->ready.empty()) return session_.send(id_, amqp::BasicGetEmpty());
  AmqpEntry entry = queue->take_first();
  const AmqpMessageRef message = entry.message;
  session_.send(
      id_, amqp::BasicGetOk{++last_tag_, entry.redelivered, std::string_view(message->exchange),
                            std::string_view(message->routing_key),
                            static_cast<std::uint32_t>(queue->ready.size())});
  session_.send_content(id_, *message);
  if (m.no_ack) return;
  ++queue->unacked;
  unacked_[last_tag_] = {queue->name, queue->number, std::move(entry), nullptr,
                         session_.store().now().mono};
}

void AmqpChannel::settle(std::uint64_t tag, bool multiple, Fate fate, const amqp::Method& method) {
  // One with others before it has to be there itself, too.
  const bool all = tag == 0 && multiple;
  const auto last = all ? unacked_.end() : unacked_.find(tag);
  if (!all && last == unacked_.end()) {
    return close(ReplyErrc::precondition_failed, "unknown delivery tag " + std::to_string(tag),
                 method);
  }
  const auto begin = multiple ? unacked_.begin() : last;
  const auto end = all ? last : std::next(last);
  std::vector<Settled> taken;
  for (auto it = begin; it != end; ++it) taken.push_back({it->first, std::move(it->second), fate});
  unacked_.erase(begin, end);
  if (transactional_) {
    std::move(taken.begin(), taken.end(), std::back_inserter(settled_));
    return;
  }
  for (Settled& each : taken) settle_one(std::move(each.unacked), fate);
  session_.store().deliver_all();
}

// RabbitMQ looks at the oldest one only, and once a minute.
Time AmqpChannel::next_deadline() const {
  const Duration timeout = session_.broker().config().consumer_timeout;
  if (closing_ || unacked_.empty() || timeout == Duration::zero()) return kNever;
  return deadline_after(unacked_.begin()->second.since, timeout);
}

void AmqpChannel::expire(Time now) {
  if (now < next_deadline()) return;
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
      session_.broker().config().consumer_timeout);
  close(ReplyErrc::precondition_failed,
        "delivery acknowledgement on channel " + std::to_string(id_) +
            " timed out. Timeout value used: " + std::to_string(timeout.count()) +
            " ms. This timeout value can be configured, see consumers doc guide to learn more",
        amqp::Method());
}

}  // namespace tern::broker
