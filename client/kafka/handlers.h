// Coroutines as handlers of rebalances:
//
//   config.on_revoked = kafka::coroutine_handler(executor, [&](kafka::Partitions gone)
//       -> asio::awaitable<void> { co_await flush(gone); });
//
// The hand-over waits until the coroutine has ended, however it ends. It may outlive the consumer.
#ifndef TERN_CLIENT_KAFKA_HANDLERS_H_
#define TERN_CLIENT_KAFKA_HANDLERS_H_

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "client/kafka/config.h"

namespace tern::kafka {

// `make` takes Partitions and gives asio::awaitable<void>. What it throws is lost.
template <class Executor, class Make>
RebalanceHandler coroutine_handler(const Executor& executor, Make make) {
  // The coroutine of a lambda refers to the lambda: it has to be there until the end.
  return [executor, make = std::make_shared<Make>(std::move(make))](const Partitions& partitions,
                                                                    Done done) {
    asio::co_spawn(executor, (*make)(partitions),
                   [make, done = std::move(done)](const std::exception_ptr&) mutable { done(); });
  };
}

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_HANDLERS_H_
