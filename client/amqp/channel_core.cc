#include "client/amqp/channel_core.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "client/amqp/engine.h"
#include "protocol/wire/endian.h"

namespace tern::amqp {
namespace {

constexpr std::size_t kChannelAt = 1;  // in a frame
constexpr std::size_t kMethodIdBytes = 4;

std::uint64_t fingerprint(std::uint64_t hash, std::string_view bytes) {
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return (hash ^ 0xffU) * 0x100000001b3U;
}

// Of a mandatory message: what comes back with it. Never 0.
std::uint64_t fingerprint(std::string_view exchange, std::string_view routing_key,
                          std::string_view header) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  hash = fingerprint(fingerprint(fingerprint(hash, exchange), routing_key), header);
  return hash == 0 ? 1 : hash;
}

// RabbitMQ puts another reply_to in the place of this name, so what comes back has another header:
// such a message is known by its correlation id.
std::string_view known_by(const BasicProperties& properties, std::string_view header) {
  const bool changes = properties.reply_to.view().starts_with(kDirectReplyTo);
  return changes ? properties.correlation_id.view() : header;
}

Failure lost(const Failure& why, bool maybe) {
  return Failure(make_error_code(maybe ? ClientErrc::maybe_written : ClientErrc::not_written),
                 why.message());
}

// How the engine learns what became of messages.
struct Telling {
  Engine& engine;

  void operator()(Completion<Failure>&& done, Failure&& outcome) const {
    engine.resolve(std::move(done), std::move(outcome));
  }
  void operator()(PublishedAll&& done, Failure&& outcome,
                  std::vector<NotPublished>&& not_published) const {
    engine.complete(std::move(done), std::move(outcome), std::move(not_published));
  }
};

Failure closed() { return Failure(make_error_code(ClientErrc::closed)); }

}  // namespace

BasicProperties Delivered::properties() const {
  ContentHeader header;
  (void)decode_header(content.header, {}, header);  // has been decoded once, when it came
  return header.properties;
}

// ------------------------------------------------------------------------------------ life of one

ChannelCore::ChannelCore(Engine& engine, ChannelConfig config)
    : engine_(engine),
      config_(config),
      timer_(Timer::calling<&ChannelCore::on_timer>(engine.timers(), this)) {}

void ChannelCore::wake() { engine_.mark(*this); }

void ChannelCore::begin(std::uint16_t id, Now now) {
  id_ = id;
  ++epoch_;
  state_ = State::opening;
  std::deque<Rpc> first;
  const auto opened = [this](const Failure& why, const Reply&) {
    if (why) return;
    state_ = State::open;
    for (auto& done : std::exchange(open_done_, {})) done(Failure());
    complete_space();
  };
  put_first(first, ChannelOpen(),
            config_.confirms ? Done([](const Failure&, const Reply&) {}) : Done(opened));
  if (config_.confirms) {
    // Right behind, so that nothing is published before it: the broker counts from here.
    put_first(first, ConfirmSelect(), [this, opened](const Failure& why, const Reply& reply) {
      has_selected_ = !why;
      opened(why, reply);
    });
  }
  // The rest is there only if this is not the first time. Consumers come with the prefetch that is
  // set when they begin.
  const auto ignored = [](const Failure&, const Reply&) {};
  if (has_transactions_) put_first(first, TxSelect(), ignored);
  if (global_qos_) put_first(first, *global_qos_, ignored);
  if (qos_) put_first(first, *qos_, ignored);
  for (const auto& consumer : consumers_) {
    if (consumer->is_on_) consume_again(first, consumer);
  }
  queue_.insert(queue_.begin(), std::make_move_iterator(first.begin()),
                std::make_move_iterator(first.end()));
  pump(now);
}

template <class M>
void ChannelCore::put_first(std::deque<Rpc>& first, const M& message, Done done) {
  Rpc rpc{.method = &M::method, .is_own = true, .done = std::move(done)};
  (void)frame_of(message, rpc.frame);
  first.push_back(std::move(rpc));
}

void ChannelCore::consume_again(std::deque<Rpc>& first,
                                const std::shared_ptr<ConsumerCore>& consumer) {
  BasicConsume request;
  if (decode_method(wire::Bytes(std::string_view(consumer->request_)), {}, request)) return;
  request.queue = std::string_view(consumer->queue_name_);
  // If the broker says no, it closes the channel: see on_server_close().
  put_first(first, request, [](const Failure&, const Reply&) {});
  first.back().restores = consumer;
}

void ChannelCore::start(Rpc rpc, const Failure& failure) {
  if (const Failure why = failure ? failure : over()) {
    // As all others, in a step.
    engine_.post([done = std::move(rpc.done), why]() mutable { done(why, Reply()); });
    return;
  }
  queue_.push_back(std::move(rpc));
  wake();
}

// Sends the next method, if none waits for its answer.
void ChannelCore::pump(Now now) {
  while (!is_waiting_ && !queue_.empty() && (state_ == State::open || state_ == State::opening)) {
    current_ = std::move(queue_.front());
    queue_.pop_front();
    wire::store_be(current_.frame.data() + kChannelAt, id_);
    Output& output = engine_.session().output();
    std::memcpy(output.room(current_.frame.size()).data(), current_.frame.data(),
                current_.frame.size());
    output.commit(current_.frame.size());
    engine_.session().want_write();
    is_waiting_ = current_.has_reply;
    if (is_waiting_) {
      deadline_ = deadline_after(now.mono, engine_.config().operation_timeout);
    } else {
      current_.done(Failure(), Reply());
    }
  }
  if (wants_close_ && !is_waiting_ && state_ == State::open && queue_.empty()) {
    ending_ = ending_ ? ending_ : closed();
    (void)engine_.session().send(
        id_, ChannelClose{static_cast<std::uint16_t>(ReplyErrc::success), "Goodbye", 0, 0});
    state_ = State::closing;
    deadline_ = deadline_after(now.mono, engine_.config().close_timeout);
  }
  arm_timer();
}

void ChannelCore::finish_rpc(const Reply& reply) {
  is_waiting_ = false;
  deadline_ = kNever;
  Done done = std::move(current_.done);
  done(Failure(), reply);
  pump(engine_.now());
}

void ChannelCore::step(Now now) {
  if (state_ == State::open && acks_.has_fresh()) {
    acks_.flush([this](std::uint64_t tag, bool multiple) {
      (void)engine_.session().send(id_, BasicAck{tag, multiple});
    });
  }
  pump(now);
  complete_written();
  complete_space();
}

void ChannelCore::close(Completion<const Failure&> done) {
  if (state_ == State::closed) {
    engine_.post([done = std::move(done)]() mutable { done(Failure()); });
    return;
  }
  close_done_.push_back(std::move(done));
  wants_close_ = true;
  if (state_ == State::waiting) return end(closed(), engine_.now());
  wake();
}

void ChannelCore::end(const Failure& why, Now) {
  if (state_ == State::closed) return;
  const bool had_number = state_ != State::waiting;
  state_ = State::closed;
  if (!ending_) ending_ = why;
  deadline_ = kNever;
  timer_.cancel();
  if (std::exchange(is_waiting_, false)) {
    Done done = std::move(current_.done);
    done(ending_, Reply());
  }
  for (Rpc& rpc : std::exchange(queue_, {})) rpc.done(ending_, Reply());
  fail_messages(ending_);
  for (const auto& consumer : std::vector(consumers_)) end_consumer(consumer, ending_);
  for (auto& done : std::exchange(close_done_, {})) done(Failure());
  for (auto& done : std::exchange(open_done_, {})) done(ending_);
  complete_space();
  if (had_number) engine_.forget(*this);
}

// Nothing of this time on a connection can be confirmed or acknowledged any more.
void ChannelCore::fail_messages(const Failure& why) {
  const std::uint64_t given = engine_.session().output().gathered();
  confirms_.fail_all([&](const Unconfirmed& message) { return lost(why, message.begin < given); },
                     Telling{engine_});
  for (; !unwritten_.empty(); unwritten_.pop_front()) {
    Unwritten& message = unwritten_.front();
    engine_.resolve(std::move(message.done), lost(why, message.begin < given));
  }
  has_selected_ = false;
  acks_.reset();
  ++epoch_;
}

bool ChannelCore::suspend(const Failure& why, Now now) {
  if (state_ == State::closing || wants_close_) {
    end(ending_ ? ending_ : why, now);
    return false;
  }
  state_ = State::waiting;
  deadline_ = kNever;
  timer_.cancel();
  last_consumer_ = nullptr;
  // What recovery itself had asked is asked again next time.
  std::erase_if(queue_, [](const Rpc& rpc) { return rpc.is_own; });
  if (std::exchange(is_waiting_, false) && !current_.is_own) {
    Done done = std::move(current_.done);
    done(why, Reply());
  }
  current_ = {};
  fail_messages(why);
  engine_.forget(*this);
  return true;
}

void ChannelCore::rename_queue(const std::string& from, const std::string& to) {
  for (const auto& consumer : consumers_) {
    if (consumer->queue_name_ == from) consumer->queue_name_ = to;
  }
  if (last_queue_ == from) last_queue_ = to;
}

void ChannelCore::discard() {
  state_ = State::closed;
  timer_.cancel();
  is_waiting_ = false;
  // Taken out first: destroying a handler may destroy what holds this channel.
  const auto keep = shared_from_this();
  const auto queue = std::exchange(queue_, {});
  const Rpc current = std::exchange(current_, {});
  const auto close_done = std::exchange(close_done_, {});
  const auto open_done = std::exchange(open_done_, {});
  const auto space_done = std::exchange(space_done_, {});
  const auto consumers = std::exchange(consumers_, {});
  last_consumer_ = nullptr;
  confirms_.fail_all([](const Unconfirmed&) { return Failure(); },
                     [](auto done, const auto&...) { done.reset(); });
  unwritten_.clear();
}

// -------------------------------------------------------------------------------- what comes in

// The methods of a channel that are no answers.
struct ChannelMethods {
  ChannelCore& c;
  Now now;

  void operator()(const BasicAck& ack) { c.on_confirm(ack.delivery_tag, ack.multiple, true); }
  void operator()(const BasicNack& nack) { c.on_confirm(nack.delivery_tag, nack.multiple, false); }
  void operator()(const ChannelClose& close) { c.on_server_close(close, now); }
  void operator()(const ChannelCloseOk&) {
    if (c.state_ == ChannelCore::State::closing) return c.on_close_ok(now);
    unexpected(ChannelCloseOk::method);
  }
  void operator()(const BasicCancel& cancel) {
    if (!cancel.no_wait) {
      (void)c.engine_.session().send(c.id_, BasicCancelOk{cancel.consumer_tag});
    }
    c.on_server_cancel(cancel.consumer_tag.view());
  }
  // No broker that is known uses it; the one answer that is always right is to say yes.
  void operator()(const ChannelFlow& flow) {
    (void)c.engine_.session().send(c.id_, ChannelFlowOk{flow.active});
  }
  template <class M>
  void operator()(const M&) {
    unexpected(M::method);
  }

  void unexpected(const Method& method) {
    if (c.state_ == ChannelCore::State::closing) return;
    c.engine_.session().violate(
        ReplyErrc::command_invalid,
        "channel " + std::to_string(c.id_) + ": " + method.name + " came out of turn", now);
  }
};

// Takes a payload whose method is known to be right, to see whether its fields are.
struct NoHandler {
  template <class M>
  void operator()(const M&) {}
};

void ChannelCore::on_method(wire::Bytes payload, Now now) {
  const auto packed =
      wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(payload.data()));
  const MethodId id{static_cast<std::uint16_t>(packed >> 16), static_cast<std::uint16_t>(packed)};
  const auto bad = [&](const PayloadError& error) {
    engine_.session().violate(error.reply,
                              "channel " + std::to_string(id_) + ": " + error.message(), now);
  };
  if (is_waiting_ && state_ != State::closing) {
    const MethodInfo* const info = find_method(current_.method->id);
    if (info->is_answered_by(id)) {
      if (const auto error = dispatch(payload, {}, NoHandler())) return bad(*error);
      return finish_rpc({id, payload});
    }
  }
  if (const auto error = dispatch(payload, {}, ChannelMethods{*this, now})) bad(*error);
}

Incoming::Take ChannelCore::takes_content() const {
  switch (state_) {
    case State::open:
      return Incoming::Take::yes;
    case State::closing:
    case State::closed:
      return Incoming::Take::pass_over;
    case State::waiting:
    case State::opening:
      return Incoming::Take::refuse;
  }
  return Incoming::Take::refuse;
}

void ChannelCore::on_content(Content content, Now) {
  if (state_ != State::open) return;
  const auto id =
      wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(content.method.data()));
  if (id == BasicDeliver::method.id.packed()) return on_delivery(std::move(content));
  if (id == BasicGetOk::method.id.packed()) return on_got(std::move(content));
  on_return(content);
}

void ChannelCore::on_delivery(Content content) {
  BasicDeliver deliver;
  wire::Reader reader(wire::Bytes(content.method.view().substr(kMethodIdBytes)));
  if (!decode(reader, {}, deliver)) {
    const auto error = decode_method(content.method, {}, deliver);
    return engine_.session().violate(error->reply, error->message(), engine_.now());
  }
  const std::string_view tag = deliver.consumer_tag.view();
  if (!last_consumer_ || last_consumer_->tag_ != tag) {
    const auto it = std::find_if(consumers_.begin(), consumers_.end(),
                                 [&](const auto& each) { return each->tag_ == tag; });
    last_consumer_ = it == consumers_.end() ? nullptr : it->get();
  }
  // One that is gone may have had something on the way.
  const bool needs_ack = last_consumer_ && !last_consumer_->no_ack_;
  // RabbitMQ gives all direct replies the tag of the delivery to come.
  const bool has_own_tag = !last_consumer_ || !last_consumer_->is_of_replies_;
  if (has_own_tag && !acks_.delivered(deliver.delivery_tag, needs_ack)) {
    return engine_.session().violate(ReplyErrc::command_invalid,
                                     "channel " + std::to_string(id_) + ": delivery tag " +
                                         std::to_string(deliver.delivery_tag) + " is not the next",
                                     engine_.now());
  }
  if (!last_consumer_) return;
  Delivered delivered{
      std::move(content), deliver.exchange, deliver.routing_key, deliver.delivery_tag, 0, epoch_,
      deliver.redelivered};
  last_consumer_->push(std::move(delivered));
}

void ChannelCore::on_got(Content content) {
  BasicGetOk got;
  if (const auto error = decode_method(content.method, {}, got)) {
    return engine_.session().violate(error->reply, error->message(), engine_.now());
  }
  const bool asked = is_waiting_ && current_.method->id == BasicGet::method.id;
  if (!asked || !acks_.delivered(got.delivery_tag, true)) {
    return engine_.session().violate(
        ReplyErrc::command_invalid,
        "channel " + std::to_string(id_) + ": basic.get-ok came out of turn", engine_.now());
  }
  const wire::Bytes method = content.method;
  finish_rpc({BasicGetOk::method.id, method, &content});
}

void ChannelCore::on_return(const Content& content) {
  BasicReturn back;
  if (const auto error = decode_method(content.method, {}, back)) {
    return engine_.session().violate(error->reply, error->message(), engine_.now());
  }
  const Failure why(make_error_code(static_cast<ReplyErrc>(back.reply_code)),
                    "returned by the broker: " + std::to_string(back.reply_code) + " " +
                        back.reply_text.str() + " (exchange \"" + back.exchange.str() +
                        "\", routing key \"" + back.routing_key.str() + "\")");
  ContentHeader header;
  (void)decode_header(content.header, {}, header);  // has been decoded once, when it came
  // Without confirms nobody waits for it.
  (void)confirms_.give_back(fingerprint(back.exchange.view(), back.routing_key.view(),
                                        known_by(header.properties, content.header.view())),
                            why);
}

void ChannelCore::on_confirm(std::uint64_t tag, bool multiple, bool ack) {
  const Failure outcome = ack ? Failure() : Failure(ClientErrc::refused);
  const bool known = has_selected_ && confirms_.settle(tag, multiple, outcome, Telling{engine_});
  if (known) {
    if (!space_done_.empty()) wake();
    return;
  }
  engine_.session().violate(ReplyErrc::command_invalid,
                            "channel " + std::to_string(id_) + ": message " + std::to_string(tag) +
                                " was confirmed, and was not published",
                            engine_.now());
}

void ChannelCore::on_server_cancel(std::string_view tag) {
  const auto it = std::find_if(consumers_.begin(), consumers_.end(),
                               [&](const auto& each) { return each->tag_ == tag; });
  if (it == consumers_.end()) return;
  end_consumer(std::shared_ptr(*it),
               Failure(make_error_code(ReplyErrc::not_found),
                       "the broker has cancelled the consumer: its queue is gone, or has moved"));
}

void ChannelCore::on_server_close(const ChannelClose& close, Now now) {
  (void)engine_.session().send(id_, ChannelCloseOk());
  // With both sides at it, the answer to ours is still to come.
  if (state_ == State::closing) return;
  std::string text = engine_.session().name() + ": the broker closed channel " +
                     std::to_string(id_) + ": " + std::to_string(close.reply_code) + " " +
                     close.reply_text.str();
  if (const MethodInfo* blamed = find_method({close.class_id, close.method_id})) {
    text += std::string(" (") + blamed->method.name + ")";
  }
  const std::uint16_t id = id_;
  const Failure why(make_error_code(static_cast<ReplyErrc>(close.reply_code)), std::move(text));
  if (is_waiting_ && current_.restores) {
    // Recovery could not bring this consumer back; the others need a new channel.
    const std::shared_ptr<ConsumerCore> consumer = current_.restores;
    end_consumer(consumer, why);
    engine_.not_recovered(
        "consumer '" + consumer->tag_ + "' of queue '" + consumer->queue_name_ + "'", why);
    if (suspend(why, now)) return engine_.open_again(id);
    return engine_.release(id);
  }
  end(why, now);
  engine_.release(id);
}

void ChannelCore::on_close_ok(Now now) {
  const std::uint16_t id = id_;
  end(ending_, now);
  engine_.release(id);
}

// ------------------------------------------------------------------------------------ publishing

Failure ChannelCore::over() const {
  const bool is_over = state_ == State::closed || state_ == State::closing || wants_close_;
  return !is_over ? Failure() : ending_ ? ending_ : closed();
}

Failure ChannelCore::refusal(std::size_t messages, std::size_t body_bytes) const {
  if (Failure failure = over()) return failure;
  if (state_ != State::open) {
    return Failure(make_error_code(ClientErrc::no_broker), "the channel is not open yet");
  }
  const bool window_full =
      confirms_.size() != 0 && (confirms_.size() + messages > config_.max_unconfirmed ||
                                confirms_.bytes() + body_bytes > config_.max_unconfirmed_bytes);
  const std::size_t unsent = engine_.session().output().bytes();
  if (window_full || (unsent != 0 && unsent + body_bytes > engine_.config().max_unsent_bytes)) {
    return Failure(make_error_code(ClientErrc::queue_full));
  }
  return {};
}

// Encodes basic.publish into method_, unless it is the same as before.
Failure ChannelCore::encode_target(const Target& target) {
  if (!method_.empty() && target.exchange == Text(exchange_) &&
      target.routing_key == Text(routing_key_) && target.mandatory == mandatory_) {
    return {};
  }
  const BasicPublish publish{target.exchange, target.routing_key, target.mandatory, false};
  if (Failure failure = frame_of(publish, method_)) {
    method_.clear();
    return failure;
  }
  exchange_ = target.exchange.str();
  routing_key_ = target.routing_key.str();
  mandatory_ = target.mandatory;
  return {};
}

Failure ChannelCore::publish(const Target& target, const Message& message,
                             Completion<Failure>&& done) {
  if (Failure failure = refusal(1, message.body.size())) return failure;
  if (Failure failure = encode_target(target)) return failure;
  const char* field = "";
  const auto header_bytes = encoded_header_size(message.properties, &field);
  if (!header_bytes) return Session::refuse(BasicPublish::method, field, header_bytes.error());
  const std::uint64_t begin = engine_.session().output().end();
  const std::uint64_t print = put_message(target, message, *header_bytes);
  engine_.session().want_write();
  if (config_.confirms) {
    confirms_.add({begin, print, message.body.size()}, std::move(done));
  } else if (done) {
    unwritten_.push_back({std::move(done), begin, engine_.session().output().end()});
    engine_.mark_when_written(*this);
  }
  return {};
}

Failure ChannelCore::publish_all(const Target& target, std::span<const Message> messages,
                                 PublishedAll&& done) {
  std::size_t body_bytes = 0;
  for (const Message& message : messages) body_bytes += message.body.size();
  if (Failure failure = refusal(messages.size(), body_bytes)) return failure;
  if (Failure failure = encode_target(target)) return failure;
  // All of it is seen to be good before the first one is published.
  header_sizes_.clear();
  for (const Message& message : messages) {
    const char* field = "";
    const auto size = encoded_header_size(message.properties, &field);
    if (!size) return Session::refuse(BasicPublish::method, field, size.error());
    header_sizes_.push_back(*size);
  }
  Output& output = engine_.session().output();
  const std::uint64_t begin = output.end();
  if (config_.confirms && !messages.empty()) {
    confirms_.begin_batch(static_cast<std::uint32_t>(messages.size()), std::move(done));
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::uint64_t at = output.end();
    const std::uint64_t print = put_message(target, messages[i], header_sizes_[i]);
    if (config_.confirms) confirms_.add({at, print, messages[i].body.size()});
  }
  if (messages.empty()) {
    // Not taken above then. NOLINTNEXTLINE(bugprone-use-after-move)
    engine_.complete(std::move(done), Failure(), {});
    return {};
  }
  engine_.session().want_write();
  if (config_.confirms) return {};
  auto told = [count = messages.size(), done = std::move(done)](Failure why) mutable {
    std::vector<NotPublished> all;
    for (std::size_t i = 0; why && i < count; ++i) all.push_back({i, why});
    done(std::move(why), std::move(all));
  };
  unwritten_.push_back({std::move(told), begin, output.end()});
  engine_.mark_when_written(*this);
  return {};
}

// Adds the frames of a message to the output; basic.publish is in method_. Returns its fingerprint.
std::uint64_t ChannelCore::put_message(const Target& target, const Message& message,
                                       std::size_t header_bytes) {
  const bool copied = !message.owner || message.body.size() < wire::kMinSpliceBytes;
  const std::uint32_t frame_max = engine_.session().tuning().frame_max;
  const std::size_t head = method_.size() + header_bytes + kFrameOverheadBytes;
  const std::size_t size = head + (copied ? body_size(message.body.size(), frame_max).total : 0);
  Output& output = engine_.session().output();
  const std::span<std::byte> room = output.room(size);
  wire::store_be(method_.data() + kChannelAt, id_);
  std::memcpy(room.data(), method_.data(), method_.size());
  wire::Writer writer(room.subspan(method_.size()));
  begin_frame(FrameType::header, id_, header_bytes, writer);
  encode_header(message.body.size(), message.properties, writer);
  end_frame(writer);
  std::uint64_t print = 0;
  if (target.mandatory) {
    const auto payload = room.subspan(method_.size() + kFrameHeaderBytes, header_bytes);
    print = fingerprint(target.exchange.view(), target.routing_key.view(),
                        known_by(message.properties, wire::Bytes(payload).view()));
  }
  if (copied) encode_body(wire::Bytes(message.body), id_, frame_max, writer);
  output.commit(size);
  if (!copied) refer_body(message, frame_max);
  return print;
}

// A body that stays where it is, in frames.
void ChannelCore::refer_body(const Message& message, std::uint32_t frame_max) {
  Output& output = engine_.session().output();
  const std::size_t piece = frame_max - kFrameOverheadBytes;
  for (std::string_view left = message.body; !left.empty();) {
    const std::string_view now = left.substr(0, piece);
    wire::Writer head(output.room(kFrameHeaderBytes));
    begin_frame(FrameType::body, id_, now.size(), head);
    output.commit(kFrameHeaderBytes);
    output.refer(wire::Bytes(now), message.owner);
    wire::Writer end(output.room(1));
    end_frame(end);
    output.commit(1);
    left.remove_prefix(now.size());
  }
}

void ChannelCore::wait_space(Completion<Failure> done) {
  space_done_.push_back(std::move(done));
  wake();
}

// Not open yet is no lack of space, but nothing can be published either: that waits, too.
void ChannelCore::complete_space() {
  if (space_done_.empty()) return;
  const Failure why = refusal(1, 1);
  if (why.code == ClientErrc::queue_full) return engine_.mark_when_written(*this);
  if (why.code == ClientErrc::no_broker) return;
  for (auto& done : std::exchange(space_done_, {})) engine_.resolve(std::move(done), why);
}

void ChannelCore::when_open(Completion<const Failure&> done) {
  if (state_ == State::waiting || state_ == State::opening) {
    open_done_.push_back(std::move(done));
  } else {
    engine_.post([done = std::move(done), why = over()]() mutable { done(why); });
  }
}

void ChannelCore::complete_written() {
  const std::uint64_t written = engine_.session().output().written();
  for (; !unwritten_.empty() && unwritten_.front().end <= written; unwritten_.pop_front()) {
    engine_.resolve(std::move(unwritten_.front().done), Failure());
  }
  if (!unwritten_.empty()) engine_.mark_when_written(*this);
}

// ------------------------------------------------------------------------------------- consuming

void ChannelCore::consume(BasicConsume request, ConsumeDone done) {
  std::string tag = request.consumer_tag.str();
  if (tag.empty()) tag = "tern." + std::to_string(next_tag_++);
  const bool taken = std::any_of(consumers_.begin(), consumers_.end(),
                                 [&](const auto& each) { return each->tag_ == tag; });
  Failure refused = over();
  if (taken) {
    refused = Failure(make_error_code(ClientErrc::invalid_argument),
                      "basic.consume: the tag \"" + tag + "\" is in use on this channel");
  }
  request.consumer_tag = std::string_view(tag);
  request.no_wait = false;
  std::shared_ptr<ConsumerCore> consumer;
  if (!refused) {
    // Known before the answer: what is delivered may come first.
    consumer = std::make_shared<ConsumerCore>(engine_, tag, named(request.queue), request.no_ack);
    consumers_.push_back(consumer);
  }
  std::vector<std::byte> frame;
  const Failure failure = refused ? refused : frame_of(request, frame);
  if (consumer && !failure) {
    const wire::Bytes payload(std::span<const std::byte>(frame).subspan(
        kFrameHeaderBytes, frame.size() - kFrameOverheadBytes));
    consumer->request_ = payload.str();
  }
  start({.frame = std::move(frame),
         .method = &BasicConsume::method,
         .done =
             [self = shared_from_this(), consumer, done = std::move(done)](const Failure& why,
                                                                           const Reply&) mutable {
               if (why && consumer) self->end_consumer(consumer, why);
               if (!why) consumer->is_on_ = true;
               done(why, why ? nullptr : consumer);
             }},
        failure);
}

void ChannelCore::cancel(const std::shared_ptr<ConsumerCore>& consumer,
                         Completion<const Failure&> done) {
  if (state_ == State::waiting) {
    // Nobody to tell: it does not come back.
    end_consumer(consumer, closed());
    engine_.left_by_consumer(consumer->queue_name_);
    engine_.post([done = std::move(done)]() mutable { done(Failure()); });
    return;
  }
  BasicCancel request;
  request.consumer_tag = std::string_view(consumer->tag_);
  call(request, [self = shared_from_this(), consumer, done = std::move(done)](
                    const Failure& why, const Reply&) mutable {
    // Lost with the connection: then it is as good as cancelled.
    const bool gone = why && self->state_ == State::waiting;
    self->end_consumer(consumer, why && !gone ? why : closed());
    if (!why || gone) self->engine_.left_by_consumer(consumer->queue_name_);
    done(gone ? Failure() : why);
  });
}

void ChannelCore::end_consumer(const std::shared_ptr<ConsumerCore>& consumer, const Failure& why) {
  if (consumer->ended_) return;
  consumer->ended_ = true;
  consumer->why_ = why;
  if (last_consumer_ == consumer.get()) last_consumer_ = nullptr;
  engine_.list(*consumer);
  std::erase(consumers_, consumer);
}

// ------------------------------------------------------------------------------------------ acks

void ChannelCore::ack_these(std::span<const Delivered> deliveries) {
  if (state_ != State::open) return;
  for (const Delivered& each : deliveries) {
    if (each.epoch == epoch_) acks_.ack(each.tag);
  }
  if (acks_.has_fresh()) wake();
}

bool ChannelCore::ack(std::uint64_t tag, std::uint32_t epoch, bool multiple) {
  if (epoch != epoch_ || state_ != State::open) return false;
  if (!(multiple ? acks_.ack_up_to(tag) : acks_.ack(tag))) return false;
  wake();
  return true;
}

bool ChannelCore::nack(std::uint64_t tag, std::uint32_t epoch, bool requeue) {
  if (epoch != epoch_ || state_ != State::open || !acks_.forget(tag)) return false;
  (void)engine_.session().send(id_, BasicReject{tag, requeue});
  return true;
}

// ----------------------------------------------------------------------------------------- time

void ChannelCore::on_timer(Now now) {
  if (now.mono < deadline_) return arm_timer();
  deadline_ = kNever;
  if (state_ == State::closing) {
    // The number stays taken: what comes on it is not for anybody else.
    for (auto& done : std::exchange(close_done_, {})) {
      done(Failure(make_error_code(ClientErrc::timed_out),
                   "no answer to channel.close within close_timeout"));
    }
    return;
  }
  if (!is_waiting_) return;
  // Its answer may still come, and would be taken for that of another one.
  ending_ = Failure(make_error_code(ClientErrc::timed_out),
                    engine_.session().name() + ": no answer to " + current_.method->name +
                        " within operation_timeout; the channel is closed");
  is_waiting_ = false;
  Done done = std::move(current_.done);
  done(ending_, Reply());
  for (Rpc& rpc : std::exchange(queue_, {})) rpc.done(ending_, Reply());
  wants_close_ = true;
  state_ = State::open;
  pump(now);
}

void ChannelCore::arm_timer() {
  if (deadline_ == kNever) return timer_.cancel();
  if (timer_.when() != deadline_) timer_.set(deadline_);
}

}  // namespace tern::amqp
