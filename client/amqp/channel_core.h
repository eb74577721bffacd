// ChannelCore: one channel of a connection, as the engine sees it. Methods that are answered go one
// at a time, in order; messages are published and confirmed, delivered and acknowledged meanwhile.
//
// With recovery a channel outlives its connection: what waits for an answer fails, messages without
// a confirm are resolved, deliveries cannot be acknowledged any more; then it is opened again, with
// its prefetch, its mode and its consumers, and goes on with what was asked of it meanwhile.
//
// A channel that the broker closes (ReplyErrc and its text) fails everything that waits on it, with
// that same error, and leaves the connection as it is. If it was closed because an acknowledgement
// did not come in time (RabbitMQ's consumer_timeout), recovery opens it again as after a lost
// connection, and what had not been acknowledged comes again. When the connection ends for good,
// its channels do.
//
// In a transaction what is acknowledged or rejected counts from its commit on; after a rollback it
// may be acknowledged or rejected again.
//
// What becomes of a published message (with confirms): no error: the broker has it. ReplyErrc::
// no_route: nobody wanted it (mandatory). ClientErrc::refused: the broker did not take it.
// maybe_written: the channel or the connection ended before the broker said so. not_written: the
// same, but not a byte of it had been given to the network. Without confirms "no error" just means
// that the network has taken it.
//
// Belongs to the engine's executor. Handlers run from Engine::run_completions().
#ifndef TERN_CLIENT_AMQP_CHANNEL_CORE_H_
#define TERN_CLIENT_AMQP_CHANNEL_CORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/amqp/acks.h"
#include "client/amqp/confirms.h"
#include "client/amqp/incoming.h"
#include "client/amqp/ring.h"
#include "client/amqp/session.h"
#include "client/core/completion.h"
#include "client/core/error.h"
#include "client/core/timers.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"

namespace tern::amqp {

class Engine;

// Consuming from this name, without acks, gets direct replies; see rpc_core.h.
inline constexpr std::string_view kDirectReplyTo = "amq.rabbitmq.reply-to";
// How long an ack waits for others that can be told together with it, and how many there are then
// at most. With a small prefetch it does not wait at all, see count_acks_together().
inline constexpr Duration kAckLinger = std::chrono::milliseconds(5);
inline constexpr std::size_t kMostAcksTogether = 256;

struct ChannelConfig {
  bool confirms = true;  // the broker confirms what is published
  // Messages published and not yet confirmed, and their bodies' bytes: above it, queue_full.
  std::size_t max_unconfirmed = 10'000;
  std::size_t max_unconfirmed_bytes = 67'108'864;
};

// Where a message goes.
struct Target {
  Text exchange = "";  // the default exchange: to the queue that is named like the key
  Text routing_key = "";
  bool mandatory = false;  // comes back if it ends up in no queue
};

// What is published. Views; they are copied before the call that is given one returns (with a lazy
// token like use_awaitable: when it is awaited).
struct Message {
  std::string_view body = {};
  BasicProperties properties = {};  // {.content_type = "text/plain", .delivery_mode = kPersistent}
  // If set, what keeps `body` where it is and as it is: a large one is then not copied, but written
  // from there, and this is held until it has been. {.body = *text, .owner = text} with a
  // std::shared_ptr<const std::string> text.
  std::shared_ptr<const void> owner = {};
};

// A body, as in a Message.
struct Body {
  std::string_view bytes;
  const std::shared_ptr<const void>& owner;
};

// A message that has come. Views, valid as long as `content` lives.
struct Delivered {
  Content content;
  Text exchange;
  Text routing_key;
  std::uint64_t tag = 0;
  std::uint32_t messages_left = 0;  // in the queue, if it was got and not consumed
  std::uint32_t epoch = 0;          // of the channel: tags of another one mean nothing
  bool redelivered = false;

  wire::Bytes body() const { return content.body; }
  BasicProperties properties() const;
};

// An answer to a method: the payload of its frame, or a message (basic.get-ok). Views end with the
// call.
struct Reply {
  MethodId id;
  wire::Bytes payload;
  Content* content = nullptr;

  template <class M>
  M as() const {
    M out;
    (void)decode_method(payload, {}, out);  // has been decoded once, when it came
    return out;
  }
};

class ChannelCore;

// One consumer of a channel: what has been delivered and not been taken yet.
class ConsumerCore : public std::enable_shared_from_this<ConsumerCore> {
 public:
  ConsumerCore(Engine& engine, std::string tag, std::string queue, bool no_ack);
  ~ConsumerCore();

  const std::string& tag() const { return tag_; }
  bool no_ack() const { return no_ack_; }
  const std::string& queue() const { return queue_name_; }
  // The next message; what has been delivered is given out even after the end. After that, the
  // reason of the end: closed after cancel(), not_found if the broker has cancelled it, the
  // channel's error. busy: somebody waits already.
  // `op` is a number to cancel the waiting by, or 0.
  void next(Completion<Failure, Delivered> done, std::uint64_t op = 0);
  // The same for all that is there, at least one.
  void next_all(Completion<Failure, std::vector<Delivered>> done, std::uint64_t op = 0);
  // Memory of what was given out, to be used again.
  void reuse(std::vector<Delivered> memory);
  // Ends that waiting with `why`. False: nobody waits.
  bool stop_waiting(const Failure& why);

 private:
  friend class ChannelCore;
  friend class Engine;
  bool is_awaited() const { return waiter_ || all_waiter_; }
  bool is_due() const { return is_awaited() && (next_ != queue_.size() || ended_); }
  void run_due();
  void run_all_waiter();
  void drop_taken();

  void push(Delivered&& delivered);
  void count(const Delivered& delivered, int times);

  Engine* engine_;  // null when that is gone
  const std::string tag_;
  std::string queue_name_;
  std::string request_;  // its basic.consume, encoded
  const bool no_ack_;
  const bool is_of_replies_;
  std::uint16_t prefetch_ = 0;  // 0: as many as the broker likes
  std::vector<Delivered> queue_;
  std::size_t next_ = 0;  // those before it have been taken
  std::vector<Delivered> spare_;
  Completion<Failure, Delivered> waiter_;
  Completion<Failure, std::vector<Delivered>> all_waiter_;  // never both
  std::uint64_t waiter_op_ = 0;
  bool is_on_ = false;  // the broker has agreed to it once
  bool ended_ = false;
  bool listed_ = false;  // in the engine's list of consumers whose handler is to be run
  Failure why_;
};

class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  enum class State : std::uint8_t { waiting, opening, open, closing, closed };

  ChannelCore(Engine& engine, ChannelConfig config);
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;

  State state() const { return state_; }
  std::uint16_t id() const { return id_; }
  std::uint32_t epoch() const { return epoch_; }
  // Why it is closed.
  const Failure& ending() const { return ending_; }

  // Sends a method when its turn comes, and calls `done` inside the step in which it is answered
  // or fails. With no_wait set in the message: `done` is called once it is written into the output.
  // Error: of the channel; timed_out, which closes the channel, or when there was no connection to
  // send it on for as long; invalid_argument.
  using Done = Completion<const Failure&, const Reply&>;
  template <class Request>
  void call(const Request& request, Done done) {
    std::vector<std::byte> frame;
    const Failure failure = frame_of(request, frame);
    start({.frame = std::move(frame),
           .method = &Request::method,
           .has_reply = expects_reply(request),
           .done = remembering(request, std::move(done))},
          failure);
  }

  // The same for recovery, which knows it already.
  template <class Request>
  void call_again(const Request& request, Done done) {
    std::vector<std::byte> frame;
    const Failure failure = frame_of(request, frame);
    start({.frame = std::move(frame),
           .method = &Request::method,
           .is_own = true,
           .done = std::move(done)},
          failure);
  }

  // Publishes. If this returns an error, nothing was published and `done` is as it was: queue_full
  // (a limit is reached), the channel's error, no_broker (not open yet), invalid_argument.
  Failure publish(const Target& target, const Message& message, Completion<Failure>&& done);
  // The same for its parts; `properties` may be null for none.
  Failure publish(const Target& target, const Body& body, const BasicProperties* properties,
                  Completion<Failure>&& done);
  // The same for several messages, with one handler. All of them or none: more than the limits
  // allow are taken only when nothing is waiting for its confirm.
  Failure publish_all(const Target& target, std::span<const Message> messages, PublishedAll&& done);
  // Of messages that are nothing but bodies.
  Failure publish_all(const Target& target, std::span<const std::string_view> bodies,
                      PublishedAll&& done);
  // Calls `done` when a message of some bytes could be published, or never will be (the error why).
  void wait_space(Completion<Failure> done);
  // Calls `done` when the channel is open, or has ended (with its error). Inside a step.
  void when_open(Completion<const Failure&> done);
  std::size_t unconfirmed() const { return confirms_.size(); }
  // Called in a step whenever the channel has lost its connection and is to come back on another.
  void on_interrupted(std::function<void()> handler) { interrupted_handler_ = std::move(handler); }

  // Begins to consume; `done` gets the consumer when the broker has agreed. An empty tag in
  // `request` gets a name. A tag that is in use on this channel is refused (invalid_argument), as
  // the broker would end the connection for it.
  using ConsumeDone = Completion<const Failure&, const std::shared_ptr<ConsumerCore>&>;
  void consume(BasicConsume request, ConsumeDone done);
  void cancel(const std::shared_ptr<ConsumerCore>& consumer, Completion<const Failure&> done);

  // Acknowledges those of these that have not been dealt with, as ack() does.
  void ack_these(std::span<const Delivered> deliveries);
  // Acknowledges a delivery of this channel. Told to the broker within kAckLinger. False: it was
  // not open any more, of another epoch, or dealt with already; nothing is sent then.
  bool ack(std::uint64_t tag, std::uint32_t epoch, bool multiple);
  bool nack(std::uint64_t tag, std::uint32_t epoch, bool requeue);
  // With all before it that have not been dealt with.
  bool nack_up_to(std::uint64_t tag, std::uint32_t epoch, bool requeue);

  void close(Completion<const Failure&> done);

  // For the engine.
  void begin(std::uint16_t id, Now now);
  // Gives up, with timed_out, if there is no connection within operation_timeout.
  void wait_for_connection(Now now);
  void on_method(wire::Bytes payload, Now now);
  void on_content(Content content, Now now);
  // The connection is gone, and another one is to be made. False: this channel was about to end,
  // and has ended.
  bool suspend(const Failure& why, Now now);
  void rename_queue(const std::string& from, const std::string& to);
  Incoming::Take takes_content() const;
  void step(Now now);
  void end(const Failure& why, Now now);
  // Calls the handlers of messages that the broker has.
  void tell_due();
  // Destroys all handlers uncalled.
  void discard();

 private:
  friend class Engine;
  friend struct ChannelMethods;

  struct Rpc {
    std::vector<std::byte> frame = {};  // with the channel still to be put in
    const Method* method = nullptr;
    bool has_reply = true;
    bool is_own = false;  // nobody has asked for it: it opens the channel, or brings back what was
    Time send_by = kNever;  // while there is no connection for it
    std::shared_ptr<ConsumerCore> restores = {};
    Done done = {};
  };
  // A message without confirms, whose end is that it is written.
  struct Unwritten {
    Completion<Failure> done;
    std::uint64_t begin = 0, end = 0;
  };

  template <class M>
  Failure frame_of(const M& message, std::vector<std::byte>& frame) {
    const char* field = "";
    const auto size = encoded_size(message, &field);
    if (!size) return Session::refuse(M::method, field, size.error());
    frame.resize(*size + kFrameOverheadBytes);
    wire::Writer writer(frame);
    encode_frame(FrameType::method, 0, message, *size, writer);
    return {};
  }
  // Wraps the handlers of methods that recovery has to know of.
  template <class M>
  Done remembering(const M&, Done done) {
    return done;
  }
  Done remembering(const ExchangeDeclare& m, Done done);
  Done remembering(const ExchangeDelete& m, Done done);
  Done remembering(const ExchangeBind& m, Done done);
  Done remembering(const ExchangeUnbind& m, Done done);
  Done remembering(const QueueDeclare& m, Done done);
  Done remembering(const QueueDelete& m, Done done);
  Done remembering(const QueueBind& m, Done done);
  Done remembering(const QueueUnbind& m, Done done);
  Done remembering(const BasicQos& m, Done done);
  Done remembering(const BasicRecover& m, Done done);
  Done remembering(const TxSelect& m, Done done);
  Done remembering(const TxCommit& m, Done done);
  Done remembering(const TxRollback& m, Done done);
  std::string named(const Text& queue) const { return queue.empty() ? last_queue_ : queue.str(); }
  template <class M>
  void put_first(std::deque<Rpc>& first, const M& message, Done done);
  void consume_again(std::deque<Rpc>& first, const std::shared_ptr<ConsumerCore>& consumer);
  void fail_messages(const Failure& why);
  void start(Rpc rpc, const Failure& failure);
  void pump(Now now);
  void flush_acks();
  void note_for_acks(MethodId id);
  void on_acked();
  void on_consuming(ConsumerCore& consumer);
  void count_acks_together();
  void finish_rpc(const Reply& reply);
  void on_confirm(std::uint64_t tag, bool multiple, bool ack);
  void on_return(const Content& content);
  void on_delivery(Content content);
  void on_got(Content content);
  void on_server_cancel(std::string_view tag);
  void on_server_close(const ChannelClose& close, Now now);
  void on_close_ok(Now now);
  Failure over() const;
  bool takes(std::size_t messages, std::size_t body_bytes) const;
  Failure refusal(std::size_t messages, std::size_t body_bytes) const;
  bool is_encoded(const Target& target) const;
  Failure encode_target(const Target& target);
  std::uint64_t put_message(const Target& target, const Body& body,
                            const BasicProperties& properties, std::size_t header_bytes);
  void put_plain(std::string_view body);
  template <class Put>
  void put_all(std::size_t count, PublishedAll&& done, Put&& put);
  void refer_body(const Body& body, std::uint32_t frame_max);
  void end_consumer(const std::shared_ptr<ConsumerCore>& consumer, const Failure& why);
  void complete_written();
  void complete_space();
  void arm_timer();
  void on_timer(Now now);
  void drop_unsent(Now now);
  void wake();

  Engine& engine_;
  const ChannelConfig config_;
  State state_ = State::waiting;
  std::uint16_t id_ = 0;
  std::uint32_t epoch_ = 0;
  Failure ending_;
  std::deque<Rpc> queue_;
  Rpc current_;
  bool is_waiting_ = false;  // for the answer to current_
  Time deadline_ = kNever;   // of that answer, or of close-ok
  Time open_by_ = kNever;    // while it waits for its first connection
  bool wants_close_ = false;
  bool has_selected_ = false;  // confirms are on
  std::vector<Completion<const Failure&>> close_done_;
  std::vector<Completion<const Failure&>> open_done_;
  std::vector<Completion<Failure>> space_done_;
  std::function<void()> interrupted_handler_;
  Confirms confirms_;
  Ring<Unwritten> unwritten_;
  Acks acks_;
  std::size_t acks_together_ = 1;  // with so many they are told at once
  Time ack_by_ = kNever;           // or then
  std::vector<std::shared_ptr<ConsumerCore>> consumers_;
  ConsumerCore* last_consumer_ = nullptr;  // of the last delivery: the next is likely its, too
  std::uint64_t next_tag_ = 1;
  std::string last_queue_;  // that was declared here: what an empty name means
  // The target of the last message, and what its messages begin with: basic.publish in its frame,
  // and what follows if there are no properties and the body fits one frame, but for the sizes.
  std::string exchange_, routing_key_;
  bool mandatory_ = false;
  std::vector<std::byte> head_;
  std::size_t method_bytes_ = 0;           // of head_; 0: none is encoded
  std::vector<std::size_t> header_sizes_;  // of messages that are published together
  // What recovery has to say again.
  std::optional<BasicQos> qos_;         // for consumers to come
  std::optional<BasicQos> global_qos_;  // for the channel
  bool has_transactions_ = false;
  bool marked_ = false;  // step() is due
  Timer timer_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CHANNEL_CORE_H_
