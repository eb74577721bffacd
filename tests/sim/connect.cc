// Making and ending connections.
#include <algorithm>

#include "tests/sim/network.h"

namespace tern::sim {
namespace {

// How long Linux tries to connect by default.
constexpr Duration kSynTimeout = std::chrono::seconds(127);
constexpr int kSynTries = 8;  // the next one after 1, 2, 4, ... 64 seconds

std::error_code code(std::errc e) { return make_error_code(e); }

}  // namespace

std::uint64_t Fabric::key(const Side& side) const {
  return std::uint64_t{side.generation} << 32 | side.index;
}

void Fabric::schedule(Time at, Event kind, const Side& side) {
  world_.schedule(at, *this, kind, key(side));
}

Fabric::Side& Fabric::new_side(std::uint32_t host_index, Link* link) {
  std::uint32_t index;
  if (free_sides_.empty()) {
    index = static_cast<std::uint32_t>(sides_.size());
    sides_.emplace_back();
  } else {
    index = free_sides_.back();
    free_sides_.pop_back();
  }
  Side& side = sides_[index];
  const std::uint32_t generation = side.generation + 1;
  side = Side();
  side.index = index;
  side.generation = generation;
  side.host = host_index;
  side.link = link;
  side.state = State::connecting;
  return side;
}

LinkId Fabric::open(std::uint32_t host_index, const Endpoint& endpoint, Link& link) {
  for (const Side& side : sides_) {
    if (side.link == &link && side.state != State::free) {
      world_.violation("open() with a link that is still in use, to " + tern::to_string(endpoint));
    }
  }
  Side& side = new_side(host_index, &link);
  side.target = endpoint;
  world_.trace("%s link %u opens to %s", hosts_[host_index].name.c_str(), side.index,
               tern::to_string(endpoint).c_str());
  schedule(world_.time() + transit(), kResolve, side);
  return {side.index, side.generation};
}

Fabric::Side* Fabric::find(std::uint32_t host_index, LinkId id, const char* call) {
  if (!id || id.index >= sides_.size()) return nullptr;
  Side& side = sides_[id.index];
  if (side.generation != id.generation) return nullptr;
  if (side.host != host_index) {
    world_.violation(std::string(call) + " with the id of another host's link");
    return nullptr;
  }
  return side.state == State::connecting || side.state == State::open ? &side : nullptr;
}

void Fabric::close(std::uint32_t host_index, LinkId id) {
  if (Side* side = find(host_index, id, "close")) {
    // What has arrived but was not read makes the kernel send a reset instead of an end of file.
    const Side* peer = peer_of(*side);
    const bool unread = peer && peer->out.arrived > 0;
    finish(*side, side->state == State::open ? Stage::protocol : Stage::tcp,
           code(std::errc::operation_canceled), unread ? End::reset : End::eof);
  }
}

void Fabric::fail(Side& side, Stage stage, std::error_code why, Time at) {
  side.stage = stage;
  side.why = why;
  schedule(at, kFailed, side);
}

void Fabric::resolve(Side& side) {
  if (side.state != State::connecting) return;
  const int host = find_host(side.target.host, side.host);
  if (host < 0 || rng_.chance(plan_.dns_p)) {
    if (host >= 0) count(Fault::dns);
    return fail(side, Stage::dns, code(std::errc::host_unreachable), world_.time());
  }
  if (!hosts_[side.host].up) {
    return fail(side, Stage::tcp, code(std::errc::network_unreachable), world_.time());
  }
  side.peer_host = static_cast<std::uint32_t>(host);
  if (rng_.chance(plan_.connect_timeout_p)) {
    count(Fault::connect_timeout);
    return fail(side, Stage::tcp, code(std::errc::timed_out), world_.time() + kSynTimeout);
  }
  schedule(world_.time() + transit(), kConnect, side);
}

void Fabric::connect(Side& side) {
  if (side.state != State::connecting) return;
  Host& host = hosts_[side.peer_host];
  if (path_blocked(side.host, side.peer_host) || (!host.up && host.quiet)) {
    if (++side.syn_tries >= kSynTries) {
      return fail(side, Stage::tcp, code(std::errc::timed_out), world_.time());
    }
    return schedule(world_.time() + std::chrono::seconds(std::int64_t{1} << (side.syn_tries - 1)),
                    kConnect, side);
  }
  const auto listener = std::find_if(
      host.listeners.begin(), host.listeners.end(),
      [&side](const Listener& l) { return l.acceptor && l.bound.port == side.target.port; });
  const bool refuse = rng_.chance(plan_.refuse_p);
  if (refuse) count(Fault::refuse);
  if (!host.up || listener == host.listeners.end() || refuse) {
    return fail(side, Stage::tcp, code(std::errc::connection_refused), world_.time() + transit());
  }
  accept(side, side.peer_host, *listener);
}

void Fabric::accept(Side& client, std::uint32_t host_index, Listener& listener) {
  Side& server = new_side(host_index, nullptr);
  server.accepted = true;
  server.peer = client.index;
  server.peer_generation = client.generation;
  server.peer_host = client.host;
  client.peer = server.index;
  client.peer_generation = server.generation;
  draw_connection_faults(client, server);
  const Time answered = world_.time() + transit();
  server.out.last_at = answered;  // nothing overtakes it
  schedule(answered, kConnected, client);
  const Endpoint from{hosts_[client.host].name,
                      static_cast<std::uint16_t>(32768 + client.index % 16384)};
  Link* link;
  {
    Inside inside(hosts_[host_index]);
    link = listener.acceptor->on_accept({server.index, server.generation}, from);
  }
  world_.trace("%s link %u accepted by %s as link %u%s", hosts_[client.host].name.c_str(),
               client.index, hosts_[host_index].name.c_str(), server.index,
               link ? "" : " and refused");
  touch(host_index, true);
  if (!link) {
    send_end(server, End::reset);
    server.state = State::gone;
    return;
  }
  server.link = link;
  // It may have been closed again by now.
  if (server.state == State::connecting) connected(server);
}

void Fabric::draw_connection_faults(Side& client, Side& server) {
  client.out.cut_at = cut_new_[0];
  server.out.cut_at = cut_new_[1];
  if (rng_.chance(plan_.reset_connection_p)) {
    Side& side = rng_.chance(0.5) ? client : server;
    side.out.cut_at = std::min(side.out.cut_at, rng_.log_between(1, 1 << 17) - 1);
  }
  if (rng_.chance(plan_.silent_connection_p)) {
    const std::uint64_t at = rng_.log_between(1, 1 << 17) - 1;
    const std::uint64_t which = rng_.below(3);
    if (which != 0) client.out.silent_at = at;
    if (which != 1) server.out.silent_at = at;
  }
}

void Fabric::connected(Side& side) {
  if (side.state != State::connecting) return;
  if (!side.accepted && path_blocked(side.peer_host, side.host)) {
    if (++side.syn_tries >= kSynTries) {
      return fail(side, Stage::tcp, code(std::errc::timed_out), world_.time());
    }
    return schedule(world_.time() + std::chrono::seconds(std::int64_t{1} << (side.syn_tries - 1)),
                    kConnected, side);
  }
  side.state = State::open;
  world_.trace("%s link %u is open", hosts_[side.host].name.c_str(), side.index);
  {
    Inside inside(hosts_[side.host]);
    side.link->on_open(world_.now());
  }
  touch(side.host, true);
  if (side.state != State::open) return;
  if (side.write_wanted) want_write(side);
  if (plan_.eager_read_space) arm_read(side);
  if (Side* peer = peer_of(side); peer && peer->out.stalled) {
    peer->out.stalled = false;
    schedule_arrival(*peer);
    if (peer->out.end != End::none && !peer->out.end_arrived) schedule(world_.time(), kEnd, *peer);
  }
}

void Fabric::finish(Side& side, Stage stage, std::error_code why, End to_peer) {
  if (side.state != State::connecting && side.state != State::open) return;
  side.state = State::closing;
  side.stage = stage;
  side.why = why;
  send_end(side, to_peer);
  schedule(world_.time(), kClosed, side);
}

void Fabric::closed(Side& side) {
  if (side.state != State::closing) return;
  side.state = State::gone;
  Link* link = side.link;
  side.link = nullptr;
  side.space = {};
  side.pieces.clear();
  world_.trace("%s link %u closed: %s, %s", hosts_[side.host].name.c_str(), side.index,
               tern::to_string(side.stage), side.why.message().c_str());
  const std::uint32_t host = side.host;
  const Stage stage = side.stage;
  const std::error_code why = side.why;
  free_if_both_gone(side);
  if (link) {
    Inside inside(hosts_[host]);
    link->on_closed(stage, why, world_.now());
  }
  touch(host, true);
}

void Fabric::free_if_both_gone(Side& side) {
  Side* peer = side.peer_generation != 0 ? &sides_[side.peer] : nullptr;
  if (peer && peer->generation == side.peer_generation && peer->state != State::gone) return;
  for (Side* s : {&side, peer}) {
    if (!s || s->state != State::gone) continue;
    s->state = State::free;
    ++s->generation;  // what is still queued for it finds nothing
    s->out = Pipe();
    free_sides_.push_back(s->index);
  }
}

Fabric::Side* Fabric::peer_of(const Side& side) {
  if (side.peer_generation == 0) return nullptr;
  Side& peer = sides_[side.peer];
  return peer.generation == side.peer_generation ? &peer : nullptr;
}

}  // namespace tern::sim
