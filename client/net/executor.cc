#include "client/net/executor.h"

#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <typeinfo>

namespace tern::net {
namespace {

template <class E>
bool holds(const asio::any_io_executor& any) {
#if defined(ASIO_NO_TYPEID)
  static_cast<void>(any);
  return false;
#else
  // target() would do, but that of Asio 1.22 does not look at the type.
  return any.target_type() == typeid(E);
#endif
}

template <class E>
bool running(const asio::any_io_executor& any) {
  return any.target<E>()->running_in_this_thread();
}

}  // namespace

// The type is gone already, so only the usual ones can be recognised.
Executor::Executor(const asio::any_io_executor& executor) : any_(executor) {
  using Io = asio::io_context::executor_type;
  if (holds<Io>(any_)) {
    running_ = &running<Io>;
  } else if (holds<asio::strand<Io>>(any_)) {
    running_ = &running<asio::strand<Io>>;
  } else if (holds<asio::strand<asio::any_io_executor>>(any_)) {
    running_ = &running<asio::strand<asio::any_io_executor>>;
  }
}

}  // namespace tern::net
