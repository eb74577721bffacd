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

constexpr std::size_t kMethodIdBytes = 4;

Failure closed() { return Failure(make_error_code(ClientErrc::closed)); }

wire::Bytes payload_of(std::span<const std::byte> frame) {
  return wire::Bytes(frame.subspan(kFrameHeaderBytes, frame.size() - kFrameOverheadBytes));
}

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
  method_bytes_ = 0;  // it has the number in it
  ++epoch_;
  state_ = State::opening;
  std::deque<Rpc> first;
  const auto opened = [this](const Failure& why, const Reply&) {
    if (why) return;
    state_ = State::open;
    open_by_ = kNever;
    for (Rpc& rpc : queue_) rpc.send_by = kNever;
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
  // The rest is there only if this is not the first time. Who asks for direct replies comes right
  // behind: the broker closes a channel on which a question is published before it.
  const auto is_restored = [](const ConsumerCore& each, bool of_replies) {
    return each.is_on_ && each.is_of_replies_ == of_replies;
  };
  for (const auto& consumer : consumers_) {
    if (is_restored(*consumer, true)) consume_again(first, consumer);
  }
  const auto ignored = [](const Failure&, const Reply&) {};
  if (has_transactions_) put_first(first, TxSelect(), ignored);
  if (global_qos_) put_first(first, *global_qos_, ignored);
  // Each consumer has the prefetch that was set when it began.
  std::uint16_t prefetch = 0;
  const auto set = [&](std::uint16_t wanted) {
    if (std::exchange(prefetch, wanted) == wanted) return;
    put_first(first, BasicQos{.prefetch_count = wanted}, ignored);
  };
  for (const auto& consumer : consumers_) {
    if (!is_restored(*consumer, false)) continue;
    set(consumer->prefetch_);
    consume_again(first, consumer);
  }
  if (qos_) set(qos_->prefetch_count);
  queue_.insert(queue_.begin(), std::make_move_iterator(first.begin()),
                std::make_move_iterator(first.end()));
  pump(now);
}

void ChannelCore::wait_for_connection(Now now) {
  open_by_ = deadline_after(now.mono, engine_.config().operation_timeout);
  arm_timer();
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
  if (state_ != State::open) {
    rpc.send_by = deadline_after(engine_.now().mono, engine_.config().operation_timeout);
  }
  queue_.push_back(std::move(rpc));
  wake();
}

void ChannelCore::flush_acks() {
  ack_by_ = kNever;
  if (state_ != State::open || acks_.fresh() == 0) return;
  acks_.flush([this](std::uint64_t tag, bool multiple) {
    (void)engine_.session().send(id_, BasicAck{tag, multiple});
  });
}

// What the next method means for what has been acknowledged before it.
void ChannelCore::note_for_acks(MethodId id) {
  if (id == BasicRecover::method.id) acks_.forget_all();
  if (id == TxSelect::method.id) acks_.begin_transaction();
  if (id == TxCommit::method.id || id == TxRollback::method.id) acks_.end_transaction();
}

// Sends the next method, if none waits for its answer.
void ChannelCore::pump(Now now) {
  // What was acknowledged before a commit, or the end, belongs before it.
  const bool says_more = !queue_.empty() || wants_close_;
  if (says_more || acks_.fresh() >= acks_together_ || ack_by_ <= now.mono) flush_acks();
  while (!is_waiting_ && !queue_.empty() && (state_ == State::open || state_ == State::opening)) {
    current_ = std::move(queue_.front());
    queue_.pop_front();
    note_for_acks(current_.method->id);
    wire::store_be(current_.frame.data() + kFrameChannelAt, id_);
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
  pump(now);
  complete_written();
  complete_space();
}

Failure ChannelCore::over() const {
  const bool is_over = state_ == State::closed || state_ == State::closing || wants_close_;
  return !is_over ? Failure() : ending_ ? ending_ : closed();
}

void ChannelCore::when_open(Completion<const Failure&> done) {
  if (state_ == State::waiting || state_ == State::opening) {
    open_done_.push_back(std::move(done));
  } else {
    engine_.post([done = std::move(done), why = over()]() mutable { done(why); });
  }
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
  state_ = State::closed;
  if (!ending_) ending_ = why;
  deadline_ = kNever;
  timer_.cancel();
  if (std::exchange(is_waiting_, false)) {
    Done done = std::move(current_.done);
    done(ending_, Reply());
  }
  current_ = {};
  for (Rpc& rpc : std::exchange(queue_, {})) rpc.done(ending_, Reply());
  fail_messages(ending_);
  for (const auto& consumer : std::vector(consumers_)) end_consumer(consumer, ending_);
  for (auto& done : std::exchange(close_done_, {})) done(Failure());
  for (auto& done : std::exchange(open_done_, {})) done(ending_);
  complete_space();
  engine_.forget(*this);
}

bool ChannelCore::suspend(const Failure& why, Now now) {
  if (state_ == State::closing || wants_close_) {
    end(ending_ ? ending_ : why, now);
    return false;
  }
  state_ = State::waiting;
  deadline_ = kNever;
  last_consumer_ = nullptr;
  // What recovery itself had asked is asked again next time.
  std::erase_if(queue_, [](const Rpc& rpc) { return rpc.is_own; });
  const Time send_by = deadline_after(now.mono, engine_.config().operation_timeout);
  for (Rpc& rpc : queue_) rpc.send_by = std::min(rpc.send_by, send_by);
  if (std::exchange(is_waiting_, false) && !current_.is_own) {
    Done done = std::move(current_.done);
    done(why, Reply());
  }
  current_ = {};
  fail_messages(why);
  if (interrupted_handler_) interrupted_handler_();
  engine_.forget(*this);
  arm_timer();
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
  confirms_.tell_due([](Completion<Failure>& done) { done.reset(); });
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
  // Without one of its own there is none to acknowledge: that would be another message's.
  Delivered delivered{std::move(content),
                      deliver.exchange,
                      deliver.routing_key,
                      has_own_tag ? deliver.delivery_tag : 0,
                      0,
                      epoch_,
                      deliver.redelivered};
  last_consumer_->push(std::move(delivered));
}

void ChannelCore::on_got(Content content) {
  BasicGetOk got;
  if (const auto error = decode_method(content.method, {}, got)) {
    return engine_.session().violate(error->reply, error->message(), engine_.now());
  }
  BasicGet request;
  const bool asked = is_waiting_ && current_.method->id == BasicGet::method.id &&
                     !decode_method(payload_of(current_.frame), {}, request);
  if (!asked || !acks_.delivered(got.delivery_tag, !request.no_ack)) {
    return engine_.session().violate(
        ReplyErrc::command_invalid,
        "channel " + std::to_string(id_) + ": basic.get-ok came out of turn", engine_.now());
  }
  const wire::Bytes method = content.method;
  finish_rpc({BasicGetOk::method.id, method, &content});
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
  // For a method of ours it names that; this is for none.
  if (why.code == ReplyErrc::precondition_failed && close.class_id == 0 && !consumers_.empty()) {
    engine_.ack_timed_out(why);
    if (engine_.config().recover && suspend(why, now)) return engine_.open_again(id);
  }
  end(why, now);
  engine_.release(id);
}

void ChannelCore::on_close_ok(Now now) {
  const std::uint16_t id = id_;
  end(ending_, now);
  engine_.release(id);
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
    consumer->request_ = payload_of(frame).str();
  }
  start({.frame = std::move(frame),
         .method = &BasicConsume::method,
         .done =
             [self = shared_from_this(), consumer, done = std::move(done)](const Failure& why,
                                                                           const Reply&) mutable {
               if (why && consumer) self->end_consumer(consumer, why);
               if (!why) self->on_consuming(*consumer);
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
  count_acks_together();
}

void ChannelCore::on_consuming(ConsumerCore& consumer) {
  consumer.is_on_ = true;
  consumer.prefetch_ = qos_ ? qos_->prefetch_count : 0;
  count_acks_together();
}

// ------------------------------------------------------------------------------------------ acks

void ChannelCore::ack_these(std::span<const Delivered> deliveries) {
  if (state_ != State::open) return;
  for (const Delivered& each : deliveries) {
    if (each.epoch == epoch_) acks_.ack(each.tag);
  }
  on_acked();
}

bool ChannelCore::ack(std::uint64_t tag, std::uint32_t epoch, bool multiple) {
  if (epoch != epoch_ || state_ != State::open) return false;
  if (!(multiple ? acks_.ack_up_to(tag) : acks_.ack(tag))) return false;
  on_acked();
  return true;
}

void ChannelCore::on_acked() {
  if (acks_.fresh() == 0) return;
  const bool is_first = ack_by_ == kNever;
  if (is_first) ack_by_ = deadline_after(engine_.now().mono, kAckLinger);
  if (is_first || acks_.fresh() >= acks_together_) wake();
}

// A quarter of what the broker may send without them: it never has to wait for one.
void ChannelCore::count_acks_together() {
  bool any = false;
  std::size_t unacknowledged = 4 * kMostAcksTogether;
  const auto at_most = [&](std::uint16_t prefetch) {
    if (prefetch != 0) unacknowledged = std::min<std::size_t>(unacknowledged, prefetch);
  };
  if (global_qos_) at_most(global_qos_->prefetch_count);
  for (const auto& consumer : consumers_) {
    if (!consumer->is_on_ || consumer->no_ack_) continue;
    any = true;
    at_most(consumer->prefetch_);
  }
  acks_together_ = any ? std::max<std::size_t>(1, unacknowledged / 4) : 1;
}

bool ChannelCore::nack(std::uint64_t tag, std::uint32_t epoch, bool requeue) {
  if (epoch != epoch_ || state_ != State::open || !acks_.forget(tag)) return false;
  (void)engine_.session().send(id_, BasicReject{tag, requeue});
  return true;
}

bool ChannelCore::nack_up_to(std::uint64_t tag, std::uint32_t epoch, bool requeue) {
  if (epoch != epoch_ || state_ != State::open) return false;
  flush_acks();
  if (!acks_.forget_up_to(tag)) return false;
  (void)engine_.session().send(id_, BasicNack{tag, true, requeue});
  return true;
}

// ----------------------------------------------------------------------------------------- time

void ChannelCore::on_timer(Now now) {
  if (state_ == State::waiting && open_by_ <= now.mono) {
    const auto keep = shared_from_this();
    return end(Failure(make_error_code(ClientErrc::timed_out),
                       "channel.open: no connection within operation_timeout"),
               now);
  }
  drop_unsent(now);
  if (ack_by_ <= now.mono) flush_acks();
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
  if (current_.is_own && (epoch_ > 1 || engine_.is_recovering())) {
    // What was there before has to come back; on this connection it does not.
    return engine_.session().drop(Failure(make_error_code(ClientErrc::timed_out),
                                          engine_.session().name() + ": no answer to " +
                                              current_.method->name +
                                              " within operation_timeout, during recovery"));
  }
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

// Methods that have waited for a connection for too long.
void ChannelCore::drop_unsent(Now now) {
  std::vector<Rpc> late;
  std::erase_if(queue_, [&](Rpc& rpc) {
    const bool is_late = rpc.send_by <= now.mono;
    if (is_late) late.push_back(std::move(rpc));
    return is_late;
  });
  for (Rpc& rpc : late) {
    rpc.done(Failure(make_error_code(ClientErrc::timed_out),
                     std::string(rpc.method->name) +
                         " was not sent: no connection within operation_timeout"),
             Reply());
  }
}

void ChannelCore::arm_timer() {
  Time next = std::min(deadline_, ack_by_);
  if (state_ == State::waiting) next = std::min(next, open_by_);
  if (state_ == State::waiting || state_ == State::opening) {
    // They are in the order of their deadlines, behind those that open the channel.
    const auto first = std::find_if(queue_.begin(), queue_.end(),
                                    [](const Rpc& rpc) { return rpc.send_by != kNever; });
    if (first != queue_.end()) next = std::min(next, first->send_by);
  }
  if (next == kNever) return timer_.cancel();
  if (timer_.when() != next) timer_.set(next);
}

}  // namespace tern::amqp
