// A TLS stream in a test's hands: a network of one link whose bytes the test moves, a server of
// OpenSSL's behind it, and a link that notes what it hears.
#ifndef TERN_TESTS_TLS_RIG_H_
#define TERN_TESTS_TLS_RIG_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "client/core/ports.h"
#include "client/core/timers.h"
#include "client/tls/openssl.h"
#include "tests/net/test_link.h"
#include "tests/tls/authority.h"
#include "tests/tls/server.h"

namespace tern::tls::testing {

// The network underneath. Nothing happens by itself.
class Wire final : public Network {
 public:
  LinkId open(const Endpoint&, Link& to) override {
    link = &to;
    id = {0, ++generation_};
    return id;
  }
  void close(LinkId which) override {
    if (which == id) closing = true;
  }
  ListenerId listen(const Endpoint&, Acceptor&, std::error_code&, Endpoint*) override { return {}; }
  void close_listener(ListenerId) override {}
  void want_write(LinkId which) override { write_wanted |= which == id; }
  void pause_read(LinkId, bool on) override { paused = on; }
  void wake() override { ++wakes; }
  bool on_executor() const override { return true; }
  Now now() const override { return time; }
  std::int64_t wall_ms() const override { return time.wall_ms; }

  // Gives the link `bytes`, at most `chunk` at a time. False if it was closed or paused meanwhile;
  // `rest`, if given, receives what was not delivered.
  bool deliver(std::string_view bytes, std::size_t chunk, std::string* rest = nullptr) {
    while (!bytes.empty() && link && !closing && !paused) {
      const std::span<std::byte> space = link->read_space();
      EXPECT_FALSE(space.empty());
      const std::size_t n = std::min({bytes.size(), chunk, space.size()});
      std::memcpy(space.data(), bytes.data(), n);
      link->on_read(n, time);
      bytes.remove_prefix(n);
    }
    if (rest) *rest = bytes;
    return bytes.empty();
  }
  // Takes at most `limit` bytes of what the link writes, `chunk` at a time.
  std::string collect(std::size_t limit, std::size_t chunk) {
    std::string taken;
    while (link && !closing && write_wanted && taken.size() < limit) {
      BufferList list;
      link->gather(list);
      if (list.bytes() == 0 || closing) {
        write_wanted = false;
        break;
      }
      std::string bytes;
      for (const auto& piece : list.pieces()) {
        bytes.append(static_cast<const char*>(piece.data), piece.size);
      }
      bytes.resize(std::min({bytes.size(), chunk, limit - taken.size()}));
      taken += bytes;
      link->on_written(bytes.size(), time);
    }
    return taken;
  }
  // The last event.
  void end(std::error_code why = std::make_error_code(std::errc::connection_aborted)) {
    if (closing) why = std::make_error_code(std::errc::operation_canceled);
    id = {};
    std::exchange(link, nullptr)->on_closed(Stage::protocol, why, time);
  }

  Link* link = nullptr;
  LinkId id;
  bool closing = false;
  bool write_wanted = false;
  bool paused = false;
  int wakes = 0;
  Now time;

 private:
  std::uint32_t generation_ = 0;
};

// The authority of all tests here; made once, as keys take a while.
inline const Authority& authority() {
  static const Authority made("tern's test authority");
  return made;
}
inline const Identity& peer_identity() {
  static const Identity made = authority().issue({});
  return made;
}

class Rig {
 public:
  explicit Rig(const TlsOptions& options, const ServerOptions& server_options = {peer_identity()},
               const Endpoint& peer = {"peer", 5671})
      : server(server_options),
        network(openssl(options)->over(wire, timers, {})),
        side(*network),
        link(side.open(peer)) {
    link.at_closed = [this] { words = network->why_closed(); };
  }
  ~Rig() {
    if (wire.link) {
      wire.closing = true;
      wire.end();
    }
  }

  static TlsOptions trusting() { return {.ca_pem = authority().pem()}; }

  void connect() { wire.link->on_open(wire.time); }
  // Moves bytes both ways until there are none, `chunk` at a time.
  void move(std::size_t chunk = 1 << 20) {
    for (bool more = true; more;) {
      const std::string out = wire.collect(1 << 24, chunk);
      if (!out.empty()) server.feed(out);
      const std::string in = std::exchange(undelivered, {}) + server.take();
      more = !out.empty() || (!in.empty() && !wire.paused && !wire.closing);
      wire.deliver(in, chunk, &undelivered);
      if (wire.closing) undelivered.clear();
    }
    if (wire.closing && wire.link) wire.end();
  }
  void handshake(std::size_t chunk = 1 << 20) {
    connect();
    move(chunk);
  }
  void pass(Duration time) {
    wire.time.mono += time;
    timers.run(wire.time);
  }

  Wire wire;
  Timers timers;
  Server server;
  std::unique_ptr<StreamNetwork> network;
  contract::Side side;
  contract::TestLink& link;
  std::string undelivered;
  std::string words;  // why_closed() inside on_closed()
};

}  // namespace tern::tls::testing

#endif  // TERN_TESTS_TLS_RIG_H_
