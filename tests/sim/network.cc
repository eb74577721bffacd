#include "tests/sim/network.h"

#include <algorithm>

namespace tern::sim {
namespace {

bool is_own_name(const std::string& name) {
  return name.empty() || name == "localhost" || name == "127.0.0.1" || name == "::1" ||
         name == "0.0.0.0" || name == "::";
}

}  // namespace

Fabric::Fabric(World& world, const FaultPlan& plan)
    : world_(world),
      plan_(plan),
      rng_(world.make_rng("bytes")),
      nemesis_rng_(world.make_rng("nemesis")) {
  start_nemesis();
}

Fabric::~Fabric() { world_.forget(*this); }

void Fabric::on_event(std::uint32_t kind, std::uint64_t a, std::uint64_t b) {
  switch (kind) {
    case kStep:
      return run_step(static_cast<std::uint32_t>(a));
    case kTimer:
      if (hosts_[a].timer_at == world_.time() && b == hosts_[a].timer_sequence) {
        on_timer(static_cast<std::uint32_t>(a));
      }
      return;
    case kResetTick:
    case kReplyTick:
    case kClogTick:
    case kPartitionTick:
      return nemesis(static_cast<Event>(kind));
    case kUnclog:
      return unstall();
    case kUnblock:
      return unblock(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
    default:
      break;
  }
  Side& side = sides_[a & 0xffffffffu];
  if (side.generation == a >> 32) link_event(kind, side);
}

void Fabric::link_event(std::uint32_t kind, Side& side) {
  switch (kind) {
    case kResolve:
      return resolve(side);
    case kConnect:
      return connect(side);
    case kConnected:
      return connected(side);
    case kFailed:
      if (side.state == State::connecting) finish(side, side.stage, side.why, End::none);
      return;
    case kArrive:
      return arrive(side);
    case kRead:
      return read(side);
    case kWrite:
      return gather(side);
    case kWritten:
      return written(side);
    case kEnd:
      return end_arrives(side);
    case kClosed:
      return closed(side);
    default:
      return;
  }
}

std::uint32_t Fabric::add_host(Network& network, const std::string& name) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].name != name) continue;
    if (hosts_[i].network) world_.violation("host " + name + " is there twice");
    hosts_[i].network = &network;
    hosts_[i].up = true;
    return static_cast<std::uint32_t>(i);
  }
  hosts_.emplace_back();
  hosts_.back().name = name;
  hosts_.back().network = &network;
  return static_cast<std::uint32_t>(hosts_.size() - 1);
}

// The host's index, or -1.
int Fabric::find_host(const std::string& name, std::uint32_t from) const {
  const auto alias = aliases_.find(name);
  const std::string& real = alias == aliases_.end() ? name : alias->second;
  if (alias == aliases_.end() && is_own_name(real)) return static_cast<int>(from);
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].name == real) return static_cast<int>(i);
  }
  return -1;
}

void Fabric::set_alias(const std::string& name, const std::string& host) { aliases_[name] = host; }

void Fabric::touch(std::uint32_t host_index, bool from_outside) {
  Host& host = hosts_[host_index];
  if (from_outside) host.busy = true;
  if (host.step_scheduled || !host.machine) return;
  host.step_scheduled = true;
  Duration late{0};
  if (plan_.step_delay.count() > 0 && rng_.chance(0.2)) {
    late = Duration(static_cast<std::int64_t>(
        rng_.below(static_cast<std::uint64_t>(plan_.step_delay.count()) + 1)));
    count(Fault::slow_host);
  }
  world_.schedule(world_.time() + late, *this, kStep, host_index);
}

void Fabric::run_step(std::uint32_t host_index) {
  Host& host = hosts_[host_index];
  host.step_scheduled = false;
  if (!host.machine) return;
  const bool idle = !host.busy;
  host.busy = false;
  ++host.network->steps_;
  {
    Inside inside(host);
    host.machine->step(world_.now());
    if (host.machine) host.machine->run_completions();
  }
  check_hot_loop(host, idle);
  arm_timer(host_index);
}

void Fabric::check_hot_loop(Host& host, bool idle) {
  if (!host.network) return;
  const std::int64_t ms = world_.time().time_since_epoch() / std::chrono::milliseconds(1);
  if (!idle || ms != host.idle_ms) host.idle_steps_ms = 0;
  if (!idle || ms / 1000 != host.idle_s) host.idle_steps_s = 0;
  host.idle_ms = ms;
  host.idle_s = ms / 1000;
  if (!idle) return;
  if (++host.idle_steps_ms > host.network->hot_per_ms_) {
    world_.violation("hot loop: " + host.name + " woke up " + std::to_string(host.idle_steps_ms) +
                     " times within a millisecond with nothing to do");
  } else if (++host.idle_steps_s > host.network->hot_per_second_) {
    world_.violation("hot loop: " + host.name + " woke up " + std::to_string(host.idle_steps_s) +
                     " times within a second with nothing to do");
  }
}

void Fabric::arm_timer(std::uint32_t host_index) {
  Host& host = hosts_[host_index];
  if (!host.machine) return;
  const Time deadline = host.machine->next_deadline();
  if (deadline >= host.timer_at) return;
  host.timer_at = std::max(deadline, world_.time());
  world_.schedule(host.timer_at, *this, kTimer, host_index, ++host.timer_sequence);
}

void Fabric::on_timer(std::uint32_t host_index) {
  Host& host = hosts_[host_index];
  host.timer_at = kNever;
  if (!host.machine) return;
  if (host.machine->next_deadline() > world_.time()) return arm_timer(host_index);
  touch(host_index, false);
}

// `silently`: the links get no on_closed(). `tell_peers`: the other sides see a reset.
void Fabric::drop_host_links(std::uint32_t host_index, bool silently, bool tell_peers) {
  for (std::size_t i = 0; i < sides_.size(); ++i) {
    Side& side = sides_[i];
    if (side.host != host_index || side.state == State::free || side.state == State::gone) continue;
    const bool was_closing = side.state == State::closing;
    side.zombie = !tell_peers && !was_closing;
    const End end = tell_peers ? End::reset : End::none;
    if (!silently) {
      if (!was_closing) {
        finish(side, side.state == State::open ? Stage::protocol : Stage::tcp,
               make_error_code(std::errc::connection_reset), end);
      }
      continue;
    }
    if (!was_closing) send_end(side, end);
    side.state = State::gone;
    side.link = nullptr;
    free_if_both_gone(side);
  }
}

std::size_t Fabric::open_links() const {
  return static_cast<std::size_t>(std::count_if(sides_.begin(), sides_.end(), [](const Side& side) {
    return side.state != State::free && side.state != State::gone;
  }));
}

Network::Network(Fabric& fabric, const std::string& host)
    : fabric_(fabric), index_(fabric.add_host(*this, host)) {}

Network::~Network() {
  crash();
  fabric_.hosts_[index_].network = nullptr;
}

void Network::attach(Machine& machine) {
  detach();
  fabric_.hosts_[index_].machine = &machine;
  fabric_.touch(index_, true);
}

void Network::detach() {
  Fabric::Host& host = fabric_.hosts_[index_];
  host.machine = nullptr;
  host.timer_at = kNever;
  ++host.timer_sequence;
}

LinkId Network::open(const Endpoint& endpoint, Link& link) {
  return fabric_.open(index_, endpoint, link);
}

void Network::close(LinkId id) { fabric_.close(index_, id); }

ListenerId Network::listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                           Endpoint* bound) {
  Fabric::Host& host = fabric_.hosts_[index_];
  error.clear();
  if (fabric_.find_host(endpoint.host, index_) != static_cast<int>(index_)) {
    error = make_error_code(std::errc::address_not_available);
    return {};
  }
  const auto in_use = [&host](std::uint16_t port) {
    return std::any_of(
        host.listeners.begin(), host.listeners.end(),
        [port](const Fabric::Listener& l) { return l.acceptor && l.bound.port == port; });
  };
  Endpoint address = endpoint;
  if (address.port == 0) {
    while (host.next_port < 49152 || in_use(host.next_port)) ++host.next_port;
    address.port = host.next_port++;
  } else if (in_use(address.port)) {
    error = make_error_code(std::errc::address_in_use);
    return {};
  }
  auto free = std::find_if(host.listeners.begin(), host.listeners.end(),
                           [](const Fabric::Listener& l) { return l.acceptor == nullptr; });
  if (free == host.listeners.end()) free = host.listeners.insert(free, Fabric::Listener());
  free->bound = address;
  free->acceptor = &acceptor;
  ++free->generation;
  if (bound) *bound = address;
  fabric_.world_.trace("%s listens on %s", host.name.c_str(), to_string(address).c_str());
  return {static_cast<std::uint32_t>(free - host.listeners.begin()), free->generation};
}

void Network::close_listener(ListenerId id) {
  auto& listeners = fabric_.hosts_[index_].listeners;
  if (id.index >= listeners.size() || listeners[id.index].generation != id.generation) return;
  listeners[id.index].acceptor = nullptr;
}

void Network::want_write(LinkId id) {
  if (Fabric::Side* side = fabric_.find(index_, id, "want_write")) fabric_.want_write(*side);
}

void Network::pause_read(LinkId id, bool paused) {
  if (Fabric::Side* side = fabric_.find(index_, id, "pause_read")) {
    fabric_.pause_read(*side, paused);
  }
}

void Network::wake() { fabric_.touch(index_, !fabric_.hosts_[index_].inside); }

void Network::crash(bool quiet) {
  Fabric::Host& host = fabric_.hosts_[index_];
  fabric_.world_.trace("%s crashes%s", host.name.c_str(), quiet ? " quietly" : "");
  detach();
  host.up = false;
  host.quiet = quiet;
  for (Fabric::Listener& listener : host.listeners) listener.acceptor = nullptr;
  fabric_.drop_host_links(index_, true, !quiet);
}

void Network::down(bool quiet) {
  Fabric::Host& host = fabric_.hosts_[index_];
  fabric_.world_.trace("%s goes down%s", host.name.c_str(), quiet ? " quietly" : "");
  host.up = false;
  host.quiet = quiet;
  fabric_.drop_host_links(index_, false, !quiet);
}

void Network::up() {
  Fabric::Host& host = fabric_.hosts_[index_];
  fabric_.world_.trace("%s comes up", host.name.c_str());
  host.up = true;
  host.quiet = false;
  // A host that has forgotten its connections answers whatever still arrives on them with a reset.
  for (Fabric::Side& side : fabric_.sides_) {
    if (side.host == index_ && side.zombie && side.state != Fabric::State::free) {
      side.zombie = false;
      fabric_.send_end(side, Fabric::End::reset);
    }
  }
}

std::size_t Network::links() const {
  return static_cast<std::size_t>(
      std::count_if(fabric_.sides_.begin(), fabric_.sides_.end(), [this](const Fabric::Side& side) {
        return side.host == index_ && side.state != Fabric::State::free &&
               side.state != Fabric::State::gone;
      }));
}

}  // namespace tern::sim
