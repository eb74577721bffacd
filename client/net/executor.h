// net::Executor: any Asio executor, plus the question that asio::any_io_executor cannot answer:
// "is the calling thread inside you?"
//
// What can be given: an io_context::executor_type (of an io_context that one thread runs), a
// strand, an any_io_executor that holds one of these, or anything with a get_executor() that
// returns one of these (an io_context, a net::Runtime, a socket). An executor that cannot tell
// where it runs is fine too; calls are then always treated as coming from another thread. A thread
// pool needs a strand round it.
//
// Copies are cheap. As with every Asio object, the execution context has to outlive its users.
#ifndef TERN_CLIENT_NET_EXECUTOR_H_
#define TERN_CLIENT_NET_EXECUTOR_H_

#include <asio/any_io_executor.hpp>
#include <concepts>
#include <type_traits>

namespace tern::net {

class Executor {
 public:
  Executor(const asio::any_io_executor& executor);

  template <class E>
    requires(!std::is_same_v<E, Executor> && !std::is_same_v<E, asio::any_io_executor> &&
             std::is_convertible_v<const E&, asio::any_io_executor>)
  Executor(const E& executor) : any_(executor) {
    if constexpr (requires {
                    { executor.running_in_this_thread() } -> std::convertible_to<bool>;
                  }) {
      // The type is right by construction; old versions of target() do not check it.
      running_ = [](const asio::any_io_executor& any) {
        return any.target<E>()->running_in_this_thread();
      };
    }
  }

  template <class Context>
    requires(!std::is_same_v<Context, Executor> &&
             !std::is_convertible_v<const Context&, asio::any_io_executor> &&
             requires(Context& context) { Executor(context.get_executor()); })
  Executor(Context& context) : Executor(context.get_executor()) {}

  const asio::any_io_executor& any() const { return any_; }

  // Whether the calling thread is inside this executor. False also means "cannot tell".
  bool running_in_this_thread() const { return running_ != nullptr && running_(any_); }

  friend bool operator==(const Executor& a, const Executor& b) { return a.any_ == b.any_; }

 private:
  asio::any_io_executor any_;
  bool (*running_)(const asio::any_io_executor&) = nullptr;
};

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_EXECUTOR_H_
