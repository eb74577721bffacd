// Connection: the connection to an AMQP 0-9-1 broker (RabbitMQ), shared by its channels.
//
//   asio::io_context context(1);
//   amqp::ConnectionConfig config;
//   amqp::parse_uri("amqp://user:password@localhost/vhost", config);   // or set the fields
//   amqp::Connection connection(context, config);
//   co_await connection.async_connect(asio::use_awaitable);
//   amqp::Channel channel = co_await connection.async_open_channel({}, asio::use_awaitable);
//
// A connection that is lost is made again (config.recover), with the exchanges, queues, bindings,
// channels and consumers that were there; see channel_core.h for what happens to messages.
//
// Threading: every function may be called from any thread. Handlers run on their associated
// executor, by default the connection's: an io_context that one thread runs, a strand, or a
// net::Runtime. Observers are called inside the engine: they must be quick, must not throw, and
// must not call the connection.
//
// Lifetime: the io_context has to outlive all objects. The connection ends when this object and all
// channels, subscriptions and deliveries of it are gone, without a goodbye: async_close() says it.
// Destructors neither block nor call user code. Operations that are still waiting end with an
// error, their handlers run on the executor. If the io_context is destroyed first, handlers that
// are left are destroyed uncalled. A connection does not survive fork().
//
// Errors: a config that cannot be used makes the constructor throw std::system_error with
// ClientErrc::invalid_config and a sentence that names the field; check(config) tells without
// throwing. Others: see session.h.
#ifndef TERN_CLIENT_AMQP_CONNECTION_H_
#define TERN_CLIENT_AMQP_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "client/amqp/channel.h"
#include "client/amqp/config.h"
#include "client/amqp/message.h"
#include "client/amqp/uri.h"
#include "client/net/async.h"
#include "client/net/executor.h"

namespace tern::amqp {

// What is told of a connection's life. Each may be empty.
struct ConnectionEvents {
  std::function<void(const Failure& why)> on_lost = {};
  std::function<void()> on_recovered = {};
  std::function<void(std::string_view what, const Failure& why)> on_not_recovered = {};
  // The broker has closed a channel because an acknowledgement did not come in time. With recovery
  // it opens again, with its consumers, and what they had not acknowledged comes again.
  std::function<void(const Failure& why)> on_ack_timeout = {};
  // The broker takes no messages for want of memory or disk, or does again.
  std::function<void(bool blocked, std::string_view reason)> on_blocked = {};
};

class Connection {
 public:
  Connection(const net::Executor& executor, ConnectionConfig config, ConnectionEvents events = {});
  // On another network than sockets; see net::EngineHost.
  Connection(const net::Executor& executor, ConnectionConfig config, Network& network,
             const std::function<void(Machine&)>& attach, ConnectionEvents events = {});
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const net::Executor& executor() const { return state_->executor(); }

  // Tries each host once. Error: that of the last one.
  template <class Token>
  auto async_connect(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this](std::uint64_t, Completion<Failure> done) { start_connect(std::move(done)); },
        std::forward<Token>(token), diagnostics);
  }

  // Completes when the channel is open. Before there is a connection it waits for one.
  template <class Token>
  auto async_open_channel(const ChannelConfig& config, Token&& token,
                          Diagnostics* diagnostics = nullptr) {
    return net::async_start<Channel>(
        state_->executor(), state_,
        [this, config](std::uint64_t, Completion<Failure, Channel> done) {
          start_open(config, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // A new password or token, for brokers that have them expire.
  template <class Token>
  auto async_update_secret(std::string secret, std::string reason, Token&& token,
                           Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this, secret = std::move(secret), reason = std::move(reason)](
            std::uint64_t, Completion<Failure> done) mutable {
          start_update_secret(std::move(secret), std::move(reason), std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // Says goodbye behind what is still to be written, and ends for good, within close_timeout. Wins
  // over connecting and recovery.
  template <class Token>
  auto async_close(Token&& token, Diagnostics* diagnostics = nullptr) {
    return net::async_start<>(
        state_->executor(), state_,
        [this](std::uint64_t, Completion<Failure> done) { start_close(std::move(done)); },
        std::forward<Token>(token), diagnostics);
  }

 private:
  void listen(ConnectionEvents events);
  void start_connect(Completion<Failure> done);
  void start_open(const ChannelConfig& config, Completion<Failure, Channel> done);
  void start_update_secret(std::string secret, std::string reason, Completion<Failure> done);
  void start_close(Completion<Failure> done);

  std::shared_ptr<ConnectionState> state_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_CONNECTION_H_
