// NullNetwork: a NullPeer and the way there in memory, for measuring an AMQP engine without sockets
// and without a second process. Beside the engine, what is measured is how the peer reads the heads
// of frames, and copies deliveries to where the engine reads them.
//
// One thread, one connection at a time, and time stands still: the same calls cost the same
// instructions each time. A fault ends the process: this is an instrument.
#ifndef TERN_BENCH_AMQP_NULL_NETWORK_H_
#define TERN_BENCH_AMQP_NULL_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bench/amqp/null_peer.h"
#include "client/core/ports.h"

namespace tern::bench::amqp {

class NullNetwork final : public Network, private NullPeer::Io {
 public:
  explicit NullNetwork(const NullPeer::Settings& settings = {}) : settings_(settings) {}

  // The engine to drive.
  void attach(Machine& machine) { machine_ = &machine; }
  template <class Done>
  void run_until(Done&& done) {
    while (!done()) turn();
  }
  // Gathered writes taken and reads given: with sockets each would be a system call.
  std::int64_t calls() const { return calls_; }

  // Network
  LinkId open(const Endpoint& endpoint, Link& link) override;
  void close(LinkId id) override;
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound) override;
  void close_listener(ListenerId) override {}
  void want_write(LinkId) override { wants_write_ = true; }
  void pause_read(LinkId id, bool paused) override;
  void wake() override { woken_ = true; }
  bool on_executor() const override { return true; }
  Now now() const override { return now_; }
  std::int64_t wall_ms() const override { return now_.wall_ms; }

 private:
  // NullPeer::Io
  bool send(const char* data, std::size_t size) override;
  void turn();
  void write();

  const NullPeer::Settings settings_;
  const Now now_{Time{}, 1'790'000'000'000};
  NullPeer::Totals totals_;
  std::unique_ptr<NullPeer> peer_;
  Machine* machine_ = nullptr;
  Link* link_ = nullptr;
  bool opened_ = false;
  bool wants_write_ = false;
  bool woken_ = false;
  std::int64_t calls_ = 0;
  BufferList gathered_;
};

}  // namespace tern::bench::amqp

#endif  // TERN_BENCH_AMQP_NULL_NETWORK_H_
