// RpcCore: questions and their answers over one channel, by RabbitMQ's direct reply-to: the answers
// come without a queue, to one consumer, and are told apart by their correlation id.
//
// What becomes of a question: the answer; timed_out, when none has come in time;
// ReplyErrc::no_route, when the queue it was for does not exist; maybe_written, when the connection
// is lost (the answer would not find its way back); not_written, when it was lost before anything
// of the question had been written; else the channel's error. An answer that comes too late, or was
// not asked for, is passed over.
//
// Belongs to the engine's executor. It lives until its channel ends.
#ifndef TERN_CLIENT_AMQP_RPC_CORE_H_
#define TERN_CLIENT_AMQP_RPC_CORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "client/amqp/channel_core.h"
#include "client/core/completion.h"
#include "client/core/error.h"
#include "client/core/timers.h"

namespace tern::amqp {

class RpcCore : public std::enable_shared_from_this<RpcCore> {
 public:
  RpcCore(Engine& engine, std::shared_ptr<ChannelCore> channel);
  RpcCore(const RpcCore&) = delete;
  RpcCore& operator=(const RpcCore&) = delete;

  // Begins to consume the answers; nothing is asked before `done`.
  void open(Completion<const Failure&> done);
  // The message is copied; its reply_to and correlation_id are set here.
  void call(const Target& target, BasicProperties properties, wire::Bytes body, Duration timeout,
            Completion<Failure, Delivered> done);
  const std::shared_ptr<ChannelCore>& channel() const { return channel_; }

 private:
  struct Call {
    Call(RpcCore& owner, std::uint64_t number, Completion<Failure, Delivered> handler);
    void on_timer(Now);

    RpcCore& rpc;
    const std::uint64_t id;
    const std::uint32_t epoch;  // of the channel: a later one gets no answer to this
    bool is_confirmed = false;
    Completion<Failure, Delivered> done;
    Timer timer;
  };

  void receive();
  void on_answer(const Failure& why, Delivered delivered);
  // The broker has the question, or never will.
  void on_asked(std::uint64_t id, const Failure& why);
  void on_interrupted();
  void end_call(std::uint64_t id, const Failure& why, Delivered delivered = {});

  Engine& engine_;
  const std::shared_ptr<ChannelCore> channel_;
  std::shared_ptr<ConsumerCore> consumer_;
  Failure ending_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Call> calls_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_RPC_CORE_H_
