// RpcClient: questions to whoever consumes from a queue, and their answers.
//
//   amqp::RpcClient rpc = co_await amqp::RpcClient::async_open(channel, asio::use_awaitable);
//   amqp::Delivery answer = co_await rpc.async_call({.routing_key = "sums"}, {.body = "1 2"}, 5s,
//                                                   asio::use_awaitable);
//
// Any number of calls at a time. The other side sends its answer to the question's reply_to,
// through the default exchange, with the question's correlation_id:
//
//   const auto properties = question.properties();
//   co_await channel.async_publish({.routing_key = properties.reply_to},
//                                  {.body = "3",
//                                   .properties = {.correlation_id = properties.correlation_id}},
//                                  asio::use_awaitable);
//
// Threading and lifetimes: as of Channel. One RpcClient for a channel: the broker allows no more.
// Errors: see rpc_core.h.
#ifndef TERN_CLIENT_AMQP_RPC_H_
#define TERN_CLIENT_AMQP_RPC_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "client/amqp/channel.h"
#include "client/amqp/message.h"
#include "client/amqp/rpc_core.h"
#include "client/net/async.h"

namespace tern::amqp {

class RpcClient {
 public:
  RpcClient() = default;
  RpcClient(std::shared_ptr<ConnectionState> state, std::shared_ptr<RpcCore> core)
      : state_(std::move(state)), core_(std::move(core)) {}

  // `channel` must live until this has completed, if the token is a lazy one.
  template <class Token>
  static auto async_open(const Channel& channel, Token&& token,
                         Diagnostics* diagnostics = nullptr) {
    return net::async_start<RpcClient>(
        channel.state_->executor(), channel.state_,
        [&channel](std::uint64_t, Completion<Failure, RpcClient> done) {
          start_open(channel, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // The answer, or the error. `timeout` counts from now.
  template <class Token>
  auto async_call(const Target& target, const Message& message, Duration timeout, Token&& token,
                  Diagnostics* diagnostics = nullptr) {
    return net::async_start<Delivery>(
        state_->executor(), state_,
        [this, target, message, timeout](std::uint64_t, Completion<Failure, Delivery> done) {
          start_call(target, message, timeout, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

 private:
  static void start_open(const Channel& channel, Completion<Failure, RpcClient> done);
  void start_call(const Target& target, const Message& message, Duration timeout,
                  Completion<Failure, Delivery> done);

  std::shared_ptr<ConnectionState> state_;
  std::shared_ptr<RpcCore> core_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_RPC_H_
