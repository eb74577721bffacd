// Runtime: an io_context with a thread that runs it, for programs that have none of their own. With
// asio::use_future every operation of a client on it can be waited for as a plain call.
//
// The thread runs handlers from construction until stop(), join() or the destructor. It has to
// outlive the clients on it. An exception thrown by a handler goes to `on_exception` on that
// thread; without one it ends the program, as an exception in any thread does.
#ifndef TERN_CLIENT_NET_RUNTIME_H_
#define TERN_CLIENT_NET_RUNTIME_H_

#include <exception>
#include <functional>
#include <memory>

#include "client/net/executor.h"

namespace tern::net {

class Runtime {
 public:
  Runtime();
  explicit Runtime(std::function<void(std::exception_ptr)> on_exception);
  // stop(), then waits for the thread (not when called from that very thread).
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const Executor& executor() const;
  asio::any_io_executor get_executor() const { return executor().any(); }

  // Handlers that have not run yet will not run any more. Any thread, any number of times.
  void stop();
  // Waits until there is nothing left to do: clients are closed, handlers have run. One thread,
  // once.
  void join();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_RUNTIME_H_
