// async_start: from a completion token (a callback, asio::use_awaitable, asio::use_future, ...) to
// the Completion that an engine understands.
//
// A public operation is three lines:
//
//   template <class Token>
//   auto async_flush(Token&& token, Diagnostics* diagnostics = nullptr) {
//     return net::async_start<>(
//         executor(), canceller(),
//         [this](std::uint64_t op, Completion<Failure> done) { start_flush(op, std::move(done)); },
//         std::forward<Token>(token), diagnostics);
//   }
//
// With results `R...` the token's signature is void(std::error_code, R...) and the engine's side is
// Completion<Failure, R...>. What is kept of the handler:
//  - its associated executor: the handler is called there; the engine's own is the default. If it
//  is
//    another one, it is told of the outstanding work until the handler has been handed to it.
//  - its associated allocator: for the one allocation that a handler above 48 bytes needs.
//  - its cancellation slot: terminal, partial and total all become canceller->cancel(op), which may
//    come on any thread and after the end.
// A handler with none of these is stored as it is, without an executor copy and a work guard: then
// the sockets and the timer of the engine keep the executor busy.
//
// Rules for the engine: the completion may be called only on the engine's executor, and not from
// inside `start`; calling it runs the handler at once if the handler lives on the engine's
// executor. A completion that is destroyed uncalled destroys the handler, as an io_context does at
// its end.
//
// Lifetimes: a lazy token (use_awaitable, deferred) starts the operation when it is awaited. Up to
// then the executor and the canceller given here must stay where they are (they are members of the
// object whose operation it is), and so must everything `start` refers to.
//
// Errors: Failure::code, with std::errc::operation_canceled as asio::error::operation_aborted. The
// sentence of a failure goes to `diagnostics`, if given, before the handler is called; on success
// it is made empty.
#ifndef TERN_CLIENT_NET_ASYNC_H_
#define TERN_CLIENT_NET_ASYNC_H_

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/system_executor.hpp>
#include <atomic>
#include <cstdint>
#include <memory>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "client/core/completion.h"
#include "client/core/error.h"
#include "client/net/executor.h"

namespace tern::net {

// Ends an operation that has a number. Implemented by the shared state of a client.
class Canceller {
 public:
  // Asks for the end of `op`. Any thread. An operation that has ended, or a number that was never
  // given to an operation, is ignored.
  virtual void cancel(std::uint64_t op) = 0;

  // A number for a new operation, never 0. Any thread.
  std::uint64_t new_operation_id() {
    return next_operation_.fetch_add(1, std::memory_order_relaxed);
  }

 protected:
  ~Canceller() = default;

 private:
  std::atomic<std::uint64_t> next_operation_{1};
};

// The error code that users see.
inline std::error_code user_error(const std::error_code& code) {
  if (code && code == std::errc::operation_canceled) {
    return asio::error::make_error_code(asio::error::operation_aborted);
  }
  return code;
}

namespace internal {

inline void note(Diagnostics* diagnostics, const Failure& failure) {
  if (diagnostics == nullptr) return;
  if (failure) {
    diagnostics->message = failure.message();
  } else {
    diagnostics->message.clear();
  }
}

// Whether two executors of possibly different types are one and the same.
template <class A, class B>
bool same_executor(const A& a, const B& b) {
  if constexpr (std::is_same_v<A, Executor>) {
    return same_executor(a.any(), b);
  } else if constexpr (std::is_same_v<B, Executor>) {
    return same_executor(a, b.any());
  } else if constexpr (std::is_same_v<A, B>) {
    return a == b;
  } else if constexpr (std::is_same_v<A, asio::any_io_executor> &&
                       std::is_convertible_v<const B&, asio::any_io_executor>) {
    return a == asio::any_io_executor(b);
  } else if constexpr (std::is_same_v<B, asio::any_io_executor>) {
    return same_executor(b, a);
  } else {
    return false;
  }
}

// A handler without an associated executor takes on whichever type of executor is offered.
template <class Handler>
inline constexpr bool kHasExecutor =
    !std::is_same_v<typename asio::associated_executor<Handler, asio::any_io_executor>::type,
                    asio::any_io_executor> ||
    !std::is_same_v<typename asio::associated_executor<Handler, asio::system_executor>::type,
                    asio::system_executor>;

// For a handler that lives on the engine's executor.
template <class Handler, class... Results>
struct Here {
  Handler handler;

  void operator()(Failure failure, Results... results) && {
    std::move(handler)(user_error(failure.code), std::move(results)...);
  }
};

template <class Handler, class... Results>
struct HereWithDiagnostics {
  Handler handler;
  Diagnostics* diagnostics;

  void operator()(Failure failure, Results... results) && {
    note(diagnostics, failure);
    std::move(handler)(user_error(failure.code), std::move(results)...);
  }
};

// A handler with its arguments, for dispatch() to carry. Shows the handler's allocator to Asio, but
// not its executor, which is where it is being sent anyway.
template <class Handler, class... Results>
struct Bound {
  using allocator_type = typename asio::associated_allocator<Handler>::type;
  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler); }

  Handler handler;
  std::error_code error;
  std::tuple<Results...> results;

  void operator()() {
    std::apply([this](Results&... each) { std::move(handler)(error, std::move(each)...); },
               results);
  }
};

// For a handler that lives on another executor.
template <class Handler, class HandlerExecutor, class... Results>
struct Elsewhere {
  Handler handler;
  Diagnostics* diagnostics;
  asio::executor_work_guard<HandlerExecutor> work;

  void operator()(Failure failure, Results... results) && {
    note(diagnostics, failure);
    // Taken out first: dispatch() may run the handler right here, and it may outlive the guard.
    asio::executor_work_guard<HandlerExecutor> guard(std::move(work));
    asio::dispatch(guard.get_executor(),
                   Bound<Handler, Results...>{std::move(handler), user_error(failure.code),
                                              std::tuple<Results...>(std::move(results)...)});
  }
};

template <class EngineExecutor, class Handler, class... Results>
Completion<Failure, Results...> make_completion(const EngineExecutor& engine, Handler&& handler,
                                                Diagnostics* diagnostics) {
  using Fn = std::remove_cvref_t<Handler>;
  const auto allocator = asio::get_associated_allocator(handler);
  if constexpr (kHasExecutor<Fn>) {
    const auto executor = asio::get_associated_executor(handler, asio::system_executor());
    if (!same_executor(executor, engine)) {
      using HandlerExecutor = std::remove_cvref_t<decltype(executor)>;
      return {Elsewhere<Fn, HandlerExecutor, Results...>{
                  std::forward<Handler>(handler), diagnostics,
                  asio::executor_work_guard<HandlerExecutor>(executor)},
              allocator};
    }
  } else {
    static_cast<void>(engine);
  }
  if (diagnostics != nullptr) {
    return {HereWithDiagnostics<Fn, Results...>{std::forward<Handler>(handler), diagnostics},
            allocator};
  }
  return {Here<Fn, Results...>{std::forward<Handler>(handler)}, allocator};
}

// What a cancellation slot calls. Does not keep the client alive: slots outlive their operations.
struct CancelFromSlot {
  std::weak_ptr<Canceller> canceller;
  std::uint64_t op;

  void operator()(asio::cancellation_type_t type) const {
    using Type = asio::cancellation_type;
    const auto any = Type::terminal | Type::partial | Type::total;
    if ((type & any) == Type::none) return;
    if (const auto alive = canceller.lock()) alive->cancel(op);
  }
};

inline const asio::any_io_executor& asio_executor(const Executor& executor) {
  return executor.any();
}
template <class E>
const E& asio_executor(const E& executor) {
  return executor;
}

template <class EngineExecutor, class CancellerType, class Start, class... Results>
struct Initiation {
  const EngineExecutor* engine;
  const std::shared_ptr<CancellerType>* canceller;
  Diagnostics* diagnostics;
  Start start;

  using executor_type =
      std::remove_cvref_t<decltype(asio_executor(std::declval<const EngineExecutor&>()))>;
  const executor_type& get_executor() const noexcept { return asio_executor(*engine); }

  template <class Handler>
  void operator()(Handler&& handler) {
    // The slot's handler has to be there before the operation can end, hence a number drawn here.
    std::uint64_t op = 0;
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected() && *canceller != nullptr) {
      op = (*canceller)->new_operation_id();
      slot.assign(CancelFromSlot{*canceller, op});
    }
    start(op, make_completion<EngineExecutor, Handler, Results...>(
                  *engine, std::forward<Handler>(handler), diagnostics));
  }
};

}  // namespace internal

// Starts an operation with results `Results...`. `start(op, completion)` is called with a number to
// cancel the operation by, 0 if nobody can ask for that, and a Completion<Failure, Results...>.
// `engine_executor` is a net::Executor or an Asio executor; `canceller` is a Canceller or what
// implements it, and may be null for an operation that cannot be cancelled.
template <class... Results, class EngineExecutor, class CancellerType, class Start, class Token>
auto async_start(const EngineExecutor& engine_executor,
                 const std::shared_ptr<CancellerType>& canceller, Start start, Token&& token,
                 Diagnostics* diagnostics = nullptr) {
  using Initiation = internal::Initiation<EngineExecutor, CancellerType, Start, Results...>;
  return asio::async_initiate<Token, void(std::error_code, Results...)>(
      Initiation{&engine_executor, &canceller, diagnostics, std::move(start)}, token);
}

// Temporaries would be gone when a lazy token starts.
template <class... Results, class EngineExecutor, class CancellerType, class Start, class Token>
auto async_start(const EngineExecutor&&, const std::shared_ptr<CancellerType>&, Start, Token&&,
                 Diagnostics* = nullptr) = delete;
template <class... Results, class EngineExecutor, class CancellerType, class Start, class Token>
auto async_start(const EngineExecutor&, const std::shared_ptr<CancellerType>&&, Start, Token&&,
                 Diagnostics* = nullptr) = delete;

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_ASYNC_H_
