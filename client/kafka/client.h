// Client: the connection to one Kafka cluster, shared by producers, consumers and admin calls.
//
//   asio::io_context context(1);
//   kafka::Client client(context, {.bootstrap = {"localhost:9092"}});
//   kafka::Producer producer(client, {.linger = 5ms});
//
// A Client lives on one executor: an io_context that one thread runs, a strand, or a net::Runtime
// (which owns a thread, for programs without an io_context). It connects when something is to be
// done.
//
// Threading: every function of Client, Producer, Consumer and Admin may be called from any thread.
// Handlers run on their associated executor, by default the client's.
//
// Lifetime: producers, consumers and admins keep what they need of the client alive; the io_context
// has to outlive all of them. The destructors neither block nor call user code; operations that are
// still waiting end with ClientErrc::closed, their handlers run on the executor. If the io_context
// is destroyed first, handlers that are left are destroyed uncalled, as those of Asio's own
// operations, and what they own (a coroutine's frame, with clients and producers in it) goes with
// them. A client does not survive fork().
//
// Errors: a config that cannot be used makes the constructor throw std::system_error with
// ClientErrc::invalid_config and a sentence that names the field; check(config) tells without
// throwing.
#ifndef TERN_CLIENT_KAFKA_CLIENT_H_
#define TERN_CLIENT_KAFKA_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/core/completion.h"
#include "client/core/ports.h"
#include "client/kafka/config.h"
#include "client/net/async.h"
#include "client/net/executor.h"

namespace tern::kafka {

class Engine;

// What a client's producers, consumers and calls share: the engine, its network and its executor.
// Applications do not use it.
class ClientState : public net::Canceller {
 public:
  static std::shared_ptr<ClientState> make(const net::Executor& executor, ClientConfig config);
  // On a network of the caller's, which must outlive the client and be driven on `executor`;
  // `attach` is called with the machine to drive.
  static std::shared_ptr<ClientState> make(const net::Executor& executor, ClientConfig config,
                                           Network& network,
                                           const std::function<void(Machine&)>& attach);

  virtual Engine& engine() = 0;
  const net::Executor& executor() const { return executor_; }

  // A seed for a producer, from the client's. Any thread.
  std::uint64_t next_seed() { return seed_ + 0x9e3779b97f4a7c15u * ++seeds_given_; }

  // Runs `call` on the executor: now if this is it, else in the engine's next step. `call` must not
  // run user code, and not own this object: it may wait in there for ever. It never outlives the
  // engine.
  virtual void run(Completion<> call) = 0;

 protected:
  ClientState(const net::Executor& executor, std::uint64_t seed)
      : executor_(executor), seed_(seed) {}
  ~ClientState() = default;

 private:
  const net::Executor executor_;
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> seeds_given_{0};
};

class Client {
 public:
  Client(const net::Executor& executor, ClientConfig config)
      : state_(ClientState::make(executor, std::move(config))) {}
  // On another network than sockets: see ClientState::make.
  Client(const net::Executor& executor, ClientConfig config, Network& network,
         const std::function<void(Machine&)>& attach)
      : state_(ClientState::make(executor, std::move(config), network, attach)) {}
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const net::Executor& executor() const { return state_->executor(); }

  // Closes all connections; whatever still waits ends with ClientErrc::closed. Close producers
  // first if their records are to arrive.
  void close();

  const std::shared_ptr<ClientState>& state() const { return state_; }

 private:
  std::shared_ptr<ClientState> state_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CLIENT_H_
