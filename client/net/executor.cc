#include "client/net/executor.h"

#include <asio/io_context.hpp>
#include <asio/strand.hpp>

namespace tern::net {
namespace {

template <class E>
bool running(const asio::any_io_executor& any) {
  const E* typed = any.target<E>();
  return typed != nullptr && typed->running_in_this_thread();
}

}  // namespace

// The type is gone already, so only the usual ones can be recognised.
Executor::Executor(const asio::any_io_executor& executor) : any_(executor) {
  using Io = asio::io_context::executor_type;
  if (any_.target<Io>() != nullptr) {
    running_ = &running<Io>;
  } else if (any_.target<asio::strand<Io>>() != nullptr) {
    running_ = &running<asio::strand<Io>>;
  } else if (any_.target<asio::strand<asio::any_io_executor>>() != nullptr) {
    running_ = &running<asio::strand<asio::any_io_executor>>;
  }
}

}  // namespace tern::net
