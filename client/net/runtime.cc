#include "client/net/runtime.h"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <thread>
#include <utility>

namespace tern::net {

struct Runtime::Impl {
  explicit Impl(std::function<void(std::exception_ptr)> handler)
      : on_exception(std::move(handler)) {}

  void run() {
    for (;;) {
      if (!on_exception) {
        io.run();
        return;
      }
      try {
        io.run();
        return;
      } catch (...) {
        on_exception(std::current_exception());
      }
    }
  }

  std::function<void(std::exception_ptr)> on_exception;
  asio::io_context io{1};  // one thread runs it
  Executor executor{io};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::thread thread;
};

Runtime::Runtime() : Runtime(nullptr) {}

Runtime::Runtime(std::function<void(std::exception_ptr)> on_exception)
    : impl_(std::make_shared<Impl>(std::move(on_exception))) {
  // The thread's share keeps the io_context for a Runtime that is destroyed on its own thread.
  impl_->thread = std::thread([impl = impl_] { impl->run(); });
}

Runtime::~Runtime() {
  stop();
  if (!impl_->thread.joinable()) return;
  if (impl_->thread.get_id() == std::this_thread::get_id()) {
    impl_->thread.detach();
  } else {
    impl_->thread.join();
  }
}

const Executor& Runtime::executor() const { return impl_->executor; }

void Runtime::stop() { impl_->io.stop(); }

void Runtime::join() {
  impl_->work.reset();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace tern::net
