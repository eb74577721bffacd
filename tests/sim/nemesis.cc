// When faults come, drawn or by hand.
#include <algorithm>

#include "tests/sim/network.h"

namespace tern::sim {

void Fabric::start_nemesis() {
  tick(kResetTick, plan_.reset_every);
  tick(kReplyTick, plan_.reset_reply_every);
  tick(kClogTick, plan_.clog_every);
  tick(kPartitionTick, plan_.partition_every);
}

void Fabric::tick(Event kind, Duration every) {
  if (healed_ || every.count() == 0) return;
  world_.schedule(world_.time() + nemesis_rng_.exponential(every, 10 * every), *this, kind);
}

Fabric::Side* Fabric::any_open_side() {
  const auto open = [](const Side& side) { return side.state == State::open; };
  const auto n = static_cast<std::uint64_t>(std::count_if(sides_.begin(), sides_.end(), open));
  if (n == 0) return nullptr;
  std::uint64_t skip = nemesis_rng_.below(n);
  for (Side& side : sides_) {
    if (open(side) && skip-- == 0) return &side;
  }
  return nullptr;
}

void Fabric::nemesis(Event kind) {
  if (healed_) return;
  const std::uint64_t n = hosts_.size();
  const auto from = static_cast<std::uint32_t>(nemesis_rng_.below(n == 0 ? 1 : n));
  const auto to = static_cast<std::uint32_t>(nemesis_rng_.below(n == 0 ? 1 : n));
  switch (kind) {
    case kResetTick:
      tick(kind, plan_.reset_every);
      if (const Side* side = any_open_side()) reset({side->index, side->generation});
      return;
    case kReplyTick:
      tick(kind, plan_.reset_reply_every);
      if (Side* side = any_open_side()) {
        if (!side->accepted) side = peer_of(*side);
        if (!side) return;
        const std::uint64_t bytes = nemesis_rng_.log_between(1, 256) - 1;
        side->out.cut_at = std::min(side->out.cut_at, side->out.total + bytes);
      }
      return;
    case kClogTick:
      tick(kind, plan_.clog_every);
      if (from != to) {
        clog(hosts_[from].name, hosts_[to].name,
             nemesis_rng_.exponential(plan_.clog_mean, std::chrono::seconds(30)));
      }
      return;
    case kPartitionTick: {
      tick(kind, plan_.partition_every);
      if (from == to) return;
      const bool both = nemesis_rng_.chance(0.5);
      const Time until =
          world_.time() + nemesis_rng_.exponential(plan_.partition_mean, std::chrono::minutes(1));
      block(hosts_[from].name, hosts_[to].name, true);
      world_.schedule(until, *this, kUnblock, from, to);
      if (both) {
        block(hosts_[to].name, hosts_[from].name, true);
        world_.schedule(until, *this, kUnblock, to, from);
      }
      return;
    }
    default:
      return;
  }
}

void Fabric::block(const std::string& from, const std::string& to, bool blocked) {
  const int a = find_host(from, 0);
  const int b = find_host(to, 0);
  if (a < 0 || b < 0) return;
  if (!blocked) return unblock(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
  count(Fault::partition);
  world_.trace("path %s -> %s is blocked", from.c_str(), to.c_str());
  ++blocked_[{static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)}];
}

void Fabric::unblock(std::uint32_t from, std::uint32_t to) {
  const auto it = blocked_.find({from, to});
  if (it == blocked_.end()) return;  // healed meanwhile
  world_.trace("path %s -> %s is open", hosts_[from].name.c_str(), hosts_[to].name.c_str());
  if (--it->second == 0) blocked_.erase(it);
  unstall();
}

void Fabric::clog(const std::string& from, const std::string& to, Duration period) {
  const int a = find_host(from, 0);
  const int b = find_host(to, 0);
  if (a < 0 || b < 0) return;
  count(Fault::clog);
  world_.trace("path %s -> %s is clogged for %lld us", from.c_str(), to.c_str(),
               static_cast<long long>(period / std::chrono::microseconds(1)));
  Time& until = clogged_[{static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)}];
  until = std::max(until, world_.time() + period);
  world_.schedule(until, *this, kUnclog);
}

void Fabric::reset(LinkId id) {
  if (id.index >= sides_.size() || sides_[id.index].generation != id.generation) return;
  Side& side = sides_[id.index];
  Side* peer = peer_of(side);
  if (!peer) return;
  count(Fault::reset);
  world_.trace("%s link %u is reset", hosts_[side.host].name.c_str(), side.index);
  for (Side* s : {&side, peer}) cut(*s, nemesis_rng_.below(s->out.size() - s->out.arrived + 1));
}

void Fabric::reset_after(LinkId id, std::uint64_t bytes) {
  if (id.index >= sides_.size() || sides_[id.index].generation != id.generation) return;
  Pipe& pipe = sides_[id.index].out;
  pipe.cut_at = pipe.total + bytes;
}

void Fabric::silence(LinkId id) {
  if (id.index >= sides_.size() || sides_[id.index].generation != id.generation) return;
  Side& side = sides_[id.index];
  count(Fault::silence);
  world_.trace("%s link %u falls silent", hosts_[side.host].name.c_str(), side.index);
  side.out.silent = true;
  if (Side* peer = peer_of(side)) peer->out.silent = true;
}

void Fabric::cut_new_connections(int direction, std::uint64_t at_byte) {
  cut_new_[direction] = at_byte;
}

void Fabric::heal() {
  world_.trace("all faults end");
  healed_ = true;
  FaultPlan calm;
  calm.latency = plan_.latency;
  calm.read_max = plan_.read_max;
  calm.eager_read_space = plan_.eager_read_space;
  calm.burst = plan_.burst;
  plan_ = calm;
  blocked_.clear();
  clogged_.clear();
  cut_new_[0] = cut_new_[1] = kNoCut;
  for (Side& side : sides_) {
    if (side.state == State::free) continue;
    side.out.cut_at = kNoCut;
    side.out.silent_at = kNoCut;
    if (!side.out.silent) continue;
    side.out.silent = false;
    // A router that has lost the connection, or one that was only slow.
    if (rng_.chance(0.5)) cut(side, 0);
  }
  unstall();
}

}  // namespace tern::sim
