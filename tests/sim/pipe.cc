// Moving bytes from one side of a connection to the other.
#include <algorithm>
#include <cstring>

#include "tests/sim/network.h"

namespace tern::sim {
namespace {

std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t h) {
  const auto* p = static_cast<const unsigned char*>(data);
  for (; size >= 8; size -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    h = (h ^ word) * 0x9fb21c651e98df25u;
    h ^= h >> 32;
  }
  for (; size > 0; --size, ++p) h = (h ^ *p) * 0x100000001b3u;
  return h;
}

// A spot check of memory that is not about to be read as a whole.
std::uint64_t hash_ends(const void* data, std::size_t size, std::uint64_t h) {
  constexpr std::size_t kEnd = 64;
  if (size <= 2 * kEnd) return hash_bytes(data, size, h);
  h = hash_bytes(data, kEnd, h);
  return hash_bytes(static_cast<const char*>(data) + size - kEnd, kEnd, h);
}

}  // namespace

Duration Fabric::transit() {
  if (!rng_.chance(plan_.delay_p)) return plan_.latency;
  count(Fault::delay);
  return plan_.latency + rng_.exponential(plan_.delay_mean, std::chrono::seconds(5));
}

void Fabric::want_write(Side& side) {
  if (side.state == State::connecting) {
    side.write_wanted = true;
    return;
  }
  if (side.write_scheduled || side.writing) return;
  side.write_scheduled = true;
  schedule(world_.time(), kWrite, side);
}

void Fabric::gather(Side& side) {
  side.write_scheduled = false;
  if (side.state != State::open || side.writing) return;
  scratch_.clear();
  {
    Inside inside(hosts_[side.host]);
    side.link->gather(scratch_);
  }
  if (side.state != State::open || scratch_.bytes() == 0) return;
  side.pieces.assign(scratch_.pieces().begin(), scratch_.pieces().end());
  side.write_size = std::min(scratch_.bytes(), plan_.buffer_bytes);
  if (plan_.write_max > 0) {
    const std::size_t most = rng_.log_between(1, plan_.write_max);
    if (most < side.write_size) {
      side.write_size = most;
      count(Fault::split_write);
    }
  }
  side.write_hash = hash_pieces(side);
  side.writing = true;
  // A pending write is what real sockets have when the buffer is full; here any write may be one.
  const bool pending = rng_.chance(0.25);
  schedule(pending ? world_.time() + transit() : world_.time(), kWritten, side);
}

// The bytes that are to go in full, of the rest samples of the next pieces.
std::uint64_t Fabric::hash_pieces(const Side& side) const {
  std::uint64_t h = 0x243f6a8885a308d3u;
  std::size_t left = side.write_size;
  int samples = 8;
  for (const BufferList::Piece& piece : side.pieces) {
    if (left == 0 && samples-- == 0) break;
    const std::size_t whole = std::min(left, piece.size);
    h = hash_bytes(piece.data, whole, h);
    h = hash_ends(static_cast<const std::byte*>(piece.data) + whole, piece.size - whole, h);
    left -= whole;
  }
  return h;
}

void Fabric::written(Side& side) {
  if (side.state != State::open || !side.writing) return;
  if (hash_pieces(side) != side.write_hash) {
    world_.violation(hosts_[side.host].name + " link " + std::to_string(side.index) +
                     ": memory given by gather() has changed before on_written()");
    return;
  }
  std::size_t n = side.write_size;
  Side* peer = peer_of(side);
  const bool receiving = peer && (peer->state == State::open || peer->state == State::connecting) &&
                         side.out.end == End::none;
  if (receiving) {
    const std::size_t held = side.out.size();
    const std::size_t room = held < plan_.buffer_bytes ? plan_.buffer_bytes - held : 0;
    if (room < n) count(Fault::full_buffer);
    if (room == 0) {
      side.write_blocked = true;
      return;
    }
    n = std::min(n, room);
    take_bytes(side, n);
  } else if (peer && peer->state == State::gone && peer->out.end == End::eof) {
    // The peer has closed, and answers what is written to it nevertheless with a reset.
    peer->out.end = End::reset;
    schedule(std::max(peer->out.last_at, world_.time() + transit()), kEnd, *peer);
  }
  side.writing = false;
  world_.note(n);
  world_.trace("%s link %u wrote %zu of %zu bytes%s", hosts_[side.host].name.c_str(), side.index, n,
               side.write_size, receiving ? "" : " to nobody");
  {
    Inside inside(hosts_[side.host]);
    side.link->on_written(n, world_.now());
  }
  touch(side.host, true);
  want_write(side);
}

// Copies the first `n` bytes of what was gathered, as far as the stream is not cut.
void Fabric::take_bytes(Side& side, std::size_t n) {
  Pipe& pipe = side.out;
  const std::uint64_t before_cut = pipe.cut_at - std::min(pipe.cut_at, pipe.total);
  const auto kept = static_cast<std::size_t>(std::min<std::uint64_t>(n, before_cut));
  if (pipe.head > 4096 && pipe.head > pipe.size()) {
    pipe.bytes.erase(pipe.bytes.begin(),
                     pipe.bytes.begin() + static_cast<std::ptrdiff_t>(pipe.head));
    pipe.head = 0;
  }
  std::size_t left = kept;
  for (const BufferList::Piece& piece : side.pieces) {
    const std::size_t part = std::min(left, piece.size);
    const auto* data = static_cast<const std::byte*>(piece.data);
    pipe.bytes.insert(pipe.bytes.end(), data, data + part);
    left -= part;
    if (left == 0) break;
  }
  pipe.total += kept;
  if (kept > 0) {
    pipe.last_at = std::max(pipe.last_at, world_.time() + transit());
    pipe.segments.push_back({kept, pipe.last_at});
    schedule_arrival(side);
  }
  if (!pipe.silent && pipe.total >= pipe.silent_at) {
    pipe.silent = true;
    count(Fault::silence);
    world_.trace("%s link %u falls silent", hosts_[side.host].name.c_str(), side.index);
  }
  if (kept < n) {
    count(side.accepted ? Fault::reset_reply : Fault::reset);
    send_end(side, End::reset);
  }
}

void Fabric::schedule_arrival(Side& sender) {
  Pipe& pipe = sender.out;
  if (pipe.arrive_scheduled || pipe.stalled || pipe.segments.empty()) return;
  pipe.arrive_scheduled = true;
  schedule(pipe.segments.front().at, kArrive, sender);
}

bool Fabric::pipe_blocked(const Side& sender) const {
  return sender.out.silent || path_blocked(sender.host, sender.peer_host);
}

void Fabric::arrive(Side& sender) {
  Pipe& pipe = sender.out;
  pipe.arrive_scheduled = false;
  Side* receiver = peer_of(sender);
  if (!receiver) return;
  if (pipe_blocked(sender) || receiver->state == State::connecting) {
    pipe.stalled = true;
    return;
  }
  while (!pipe.segments.empty() && pipe.segments.front().at <= world_.time()) {
    pipe.arrived += pipe.segments.front().size;
    pipe.segments.pop_front();
  }
  schedule_arrival(sender);
  schedule_read(*receiver);
}

void Fabric::schedule_read(Side& side) {
  const Side* peer = peer_of(side);
  if (side.state != State::open || side.paused || side.read_scheduled || !peer) return;
  if (peer->out.arrived == 0) return;
  side.read_scheduled = true;
  schedule(world_.time(), kRead, side);
}

void Fabric::arm_read(Side& side) {
  if (side.armed || side.paused || side.state != State::open) return;
  {
    Inside inside(hosts_[side.host]);
    side.space = side.link->read_space();
  }
  if (side.state != State::open) return;
  if (side.space.empty()) {
    world_.violation(hosts_[side.host].name + " link " + std::to_string(side.index) +
                     ": read_space() is empty");
    return;
  }
  side.armed = true;
  side.space_hash = hash_ends(side.space.data(), side.space.size(), 1);
}

void Fabric::read(Side& side) {
  side.read_scheduled = false;
  for (std::uint64_t i = 0; i < plan_.burst; ++i) {
    if (!read_once(side)) break;
  }
  schedule_read(side);
  see_end(side);
}

// False if there is nothing (more) to read.
bool Fabric::read_once(Side& side) {
  Side* peer = peer_of(side);
  if (side.state != State::open || side.paused || !peer || peer->out.arrived == 0) return false;
  arm_read(side);
  if (!side.armed || side.state != State::open) return false;
  if (hash_ends(side.space.data(), side.space.size(), 1) != side.space_hash) {
    world_.violation(hosts_[side.host].name + " link " + std::to_string(side.index) +
                     ": memory given by read_space() has changed before on_read()");
    return false;
  }
  Pipe& pipe = peer->out;
  std::size_t n = std::min(pipe.arrived, side.space.size());
  if (plan_.read_max > 0) {
    const std::size_t most = rng_.log_between(1, plan_.read_max);
    if (most < n) {
      n = most;
      count(Fault::split_read);
    }
  }
  std::memcpy(side.space.data(), pipe.bytes.data() + pipe.head, n);
  pipe.head += n;
  pipe.arrived -= n;
  bytes_delivered_ += n;
  world_.note(hash_bytes(side.space.data(), n, n));
  world_.trace("%s link %u reads %zu bytes", hosts_[side.host].name.c_str(), side.index, n);
  if (peer->write_blocked) {
    peer->write_blocked = false;
    schedule(world_.time() + plan_.latency, kWritten, *peer);
  }
  side.armed = false;
  {
    Inside inside(hosts_[side.host]);
    side.link->on_read(n, world_.now());
  }
  touch(side.host, true);
  if (plan_.eager_read_space) arm_read(side);
  return true;
}

void Fabric::pause_read(Side& side, bool paused) {
  if (side.paused == paused) return;
  side.paused = paused;
  if (paused) return;
  if (side.state != State::open) return;
  schedule_read(side);
  // An end of the stream was not looked at while paused.
  if (const Side* peer = peer_of(side); peer && peer->out.end_arrived) {
    schedule(world_.time(), kEnd, *peer);
  }
}

// Ends the stream that `side` sends, behind what is under way.
void Fabric::send_end(Side& side, End end) {
  Pipe& pipe = side.out;
  if (end == End::none || pipe.end != End::none || side.peer_generation == 0) return;
  pipe.end = end;
  pipe.last_at = std::max(pipe.last_at, world_.time() + transit());
  schedule(pipe.last_at, kEnd, side);
}

void Fabric::end_arrives(Side& sender) {
  Pipe& pipe = sender.out;
  Side* receiver = peer_of(sender);
  if (!receiver || pipe.end == End::none) return;
  if (pipe_blocked(sender) || receiver->state == State::connecting) {
    pipe.stalled = true;
    return;
  }
  pipe.end_arrived = true;
  see_end(*receiver);
}

// Closes the side if the stream it reads has ended and there is nothing before the end.
void Fabric::see_end(Side& side) {
  Side* peer = peer_of(side);
  if (!peer || side.state != State::open || !peer->out.end_arrived) return;
  Pipe& pipe = peer->out;
  if (pipe.end == End::eof && (pipe.size() > 0 || side.paused)) return;
  // Bytes before a reset are read first, unless nobody reads.
  if (pipe.end == End::reset && pipe.size() > 0 && !side.paused) return;
  finish(side, Stage::protocol,
         make_error_code(pipe.end == End::eof ? std::errc::connection_aborted
                                              : std::errc::connection_reset),
         End::reset);
}

// Resets what `sender` sends; of what is under way only the first bytes still arrive.
void Fabric::cut(Side& sender, std::uint64_t keep_in_flight) {
  Pipe& pipe = sender.out;
  if (pipe.end != End::none) return;
  const std::size_t in_flight = pipe.size() - pipe.arrived;
  const std::size_t keep = pipe.arrived + std::min<std::uint64_t>(keep_in_flight, in_flight);
  pipe.bytes.resize(pipe.head + keep);
  std::size_t left = keep - pipe.arrived;
  std::size_t segments = 0;
  for (Segment& segment : pipe.segments) {
    if (left == 0) break;
    segment.size = std::min(segment.size, left);
    left -= segment.size;
    ++segments;
  }
  pipe.segments.resize(segments, Segment{0, Time{}});
  send_end(sender, End::reset);
}

bool Fabric::path_blocked(std::uint32_t from, std::uint32_t to) const {
  if (!blocked_.empty()) {
    if (const auto it = blocked_.find({from, to}); it != blocked_.end() && it->second > 0)
      return true;
  }
  if (!clogged_.empty()) {
    if (const auto it = clogged_.find({from, to}); it != clogged_.end()) {
      return it->second > world_.time();
    }
  }
  return false;
}

// Lets go what was held up on paths that are open now.
void Fabric::unstall() {
  for (Side& side : sides_) {
    if (side.state == State::free || !side.out.stalled || pipe_blocked(side)) continue;
    side.out.stalled = false;
    schedule_arrival(side);
    if (side.out.end != End::none && !side.out.end_arrived) {
      schedule(std::max(world_.time(), side.out.last_at), kEnd, side);
    }
  }
}

}  // namespace tern::sim
