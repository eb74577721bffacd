// AsioNetwork: the Network of real sockets, on an Asio executor. Drives one Machine.
//
// How it drives: events of sockets and of the one timer go to the links as they come; at the end of
// each burst of events the machine's step() is called once, then the links that asked for it are
// written with one gathered sendmsg each, then run_completions(); and again from step() on as long
// as that has made more work. A user's handler that throws in run_completions() throws out of the
// executor's run(), as with every Asio handler; what is left of the queue runs at the next turn.
//
// Threading: one executor, see net/executor.h. Everything but wake(), on_executor(), now(), post()
// and stats() is called on it, or while nothing runs it. The destructor too: from another thread,
// post() a function that holds the last reference.
//
// Lifetimes: an open link waits for bytes, and a waiting socket, a resolver and the timer are work
// to the executor: io_context::run() does not return before the links are closed, as with any Asio
// socket. With no link, no listener and no deadline there is no work. The io_context has to outlive
// this object. Destroying it closes the sockets and calls nobody: links and machine may be gone by
// then.
//
// Errors given to on_closed(): asio's resolver categories (stage dns), system errors, std::errc::
// connection_aborted when the peer has closed the connection, operation_canceled after close().
#ifndef TERN_CLIENT_NET_ASIO_NETWORK_H_
#define TERN_CLIENT_NET_ASIO_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>

#include "client/core/completion.h"
#include "client/core/ports.h"
#include "client/net/executor.h"

namespace tern::net {

struct NetworkOptions {
  bool no_delay = true;          // TCP_NODELAY: writes are gathered already
  bool keep_alive = true;        // SO_KEEPALIVE, so that a peer that vanished is noticed in the end
  int keep_alive_idle_s = 60;    // silence before the first probe
  int send_buffer_bytes = 0;     // SO_SNDBUF; 0: the system's own sizing
  int receive_buffer_bytes = 0;  // SO_RCVBUF; 0: the system's own sizing
  // How much one link may read or write before the others get their turn.
  std::size_t read_burst_bytes = std::size_t{1} << 20;
  std::size_t write_burst_bytes = std::size_t{4} << 20;
};

// System calls and bytes since the start.
struct NetworkStats {
  std::uint64_t reads = 0;   // recv, those that found nothing included
  std::uint64_t writes = 0;  // sendmsg, likewise
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t waits = 0;   // times a socket was handed to the reactor
  std::uint64_t wakes = 0;   // posts to the executor by wake() and at the end of bursts
  std::uint64_t steps = 0;   // of the machine
  std::uint64_t timers = 0;  // times the timer was set
};

class AsioNetwork final : public Network {
 public:
  explicit AsioNetwork(const Executor& executor, const NetworkOptions& options = {});
  ~AsioNetwork();
  AsioNetwork(const AsioNetwork&) = delete;
  AsioNetwork& operator=(const AsioNetwork&) = delete;

  // Once, before the first link and the first wake(). `machine` must live until shutdown() or the
  // destructor.
  void attach(Machine& machine);

  // Closes all links, with on_closed() called before this returns, and all listeners, and lets go
  // of the machine without another step. Not to be called from inside a link or Machine::step().
  // Links cannot be opened afterwards: open() returns an empty id.
  void shutdown();

  // Runs `call` on the executor, never before this returns. Any thread. Dropped if the executor
  // ends.
  void post(Completion<> call);

  const Executor& executor() const;
  NetworkStats stats() const;  // any thread

  LinkId open(const Endpoint& endpoint, Link& link) override;
  void close(LinkId id) override;
  // A host that is no address is looked up on the spot, blocking.
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound = nullptr) override;
  void close_listener(ListenerId id) override;
  void want_write(LinkId id) override;
  void pause_read(LinkId id, bool paused) override;
  void wake() override;
  bool on_executor() const override;
  Now now() const override;
  std::int64_t wall_ms() const override;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace tern::net

#endif  // TERN_CLIENT_NET_ASIO_NETWORK_H_
