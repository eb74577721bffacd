// AsioNetwork's links: looking up, connecting, reading, writing, closing.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/net/asio_network_state.h"
#include "client/net/sockets.h"

namespace tern::net {

using internal::IoResult;
using internal::IoStatus;

LinkId AsioNetwork::State::new_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<Slot>());
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = *slots_[index];
  if (++slot.generation == 0) ++slot.generation;
  ++links_;
  return {index, slot.generation};
}

// Leaves the generation, which new_slot() counts on.
void AsioNetwork::State::free_slot(Slot& slot) {
  const std::uint32_t generation = slot.generation;
  slot = Slot{};
  slot.generation = generation;
  --links_;
}

AsioNetwork::State::Slot* AsioNetwork::State::find(LinkId id) {
  if (id.generation == 0 || id.index >= slots_.size()) return nullptr;
  Slot& slot = *slots_[id.index];
  const bool live = slot.phase != Phase::free && slot.phase != Phase::closing;
  return live && slot.generation == id.generation ? &slot : nullptr;
}

LinkId AsioNetwork::State::open(const Endpoint& endpoint, Link& link) {
  if (ended_) return {};
  const LinkId id = new_slot();
  Slot& slot = *slots_[id.index];
  slot.link = &link;
  asio::ip::address address;
  if (!endpoint.host.empty() && internal::parse_address(endpoint.host, address)) {
    slot.addresses.emplace_back(address, endpoint.port);
    connect_next(id);
    return id;
  }
  slot.phase = Phase::resolving;
  resolver_.async_resolve(endpoint.host, std::to_string(endpoint.port),
                          tcp::resolver::numeric_service,
                          [self = shared_from_this(), id](
                              std::error_code error, const tcp::resolver::results_type& results) {
                            self->on_resolved(id, error, results);
                          });
  return id;
}

void AsioNetwork::State::on_resolved(LinkId id, std::error_code error,
                                     const tcp::resolver::results_type& results) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  Inside inside(*this);
  if (error) {
    fail(id, error);
  } else {
    for (const auto& result : results) slot->addresses.push_back(result.endpoint());
    connect_next(id);
  }
  if (!closed_.empty()) settle();
}

// Tries the addresses in turn until one accepts; the error of the last one counts.
void AsioNetwork::State::connect_next(LinkId id) {
  Slot& slot = *slots_[id.index];
  slot.phase = Phase::connecting;
  slot.stage = Stage::tcp;
  while (slot.next_address < slot.addresses.size()) {
    if (start_connect(id, slot, slot.addresses[slot.next_address++])) return;
  }
  if (!slot.why) slot.why = std::make_error_code(std::errc::address_not_available);
  fail(id, slot.why);
}

bool AsioNetwork::State::start_connect(LinkId id, Slot& slot, const tcp::endpoint& address) {
  const int descriptor = internal::open_socket(address.protocol(), slot.why);
  if (descriptor < 0) return false;
  internal::set_options(descriptor, options_);
  slot.socket.emplace(executor_.any());
  std::error_code error;
  slot.socket->assign(address.protocol(), descriptor, error);
  if (error) {
    internal::close_socket(descriptor);
    slot.why = error;
    return false;
  }
  slot.socket->async_connect(address, [self = shared_from_this(), id](std::error_code result) {
    self->on_connected(id, result);
  });
  return true;
}

void AsioNetwork::State::on_connected(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  Inside inside(*this);
  if (!error) {
    // A port of the local machine that nobody listens on may be the very one this socket was given:
    // it then is connected to itself.
    std::error_code ignored;
    const tcp::endpoint local = slot->socket->local_endpoint(ignored);
    if (!ignored && local == slot->socket->remote_endpoint(ignored) && !ignored) {
      error = std::make_error_code(std::errc::connection_refused);
    }
  }
  if (error) {
    slot->why = error;
    connect_next(id);
    if (!closed_.empty()) settle();
    return;
  }
  slot->phase = Phase::open;
  slot->stage = Stage::protocol;
  slot->why = {};
  slot->addresses = {};
  wait_read(id, *slot);
  if (std::exchange(slot->write_due, false)) want_write(id);  // asked for before
  refresh_now();
  slot->link->on_open(now_);
  settle();
}

void AsioNetwork::State::close(LinkId id) {
  fail(id, std::make_error_code(std::errc::operation_canceled));
}

// Ends a link; on_closed() follows from the next burst.
void AsioNetwork::State::fail(LinkId id, std::error_code why) {
  Slot* const slot = find(id);
  if (slot != nullptr) end(id, *slot, why);
}

void AsioNetwork::State::end(LinkId id, Slot& slot, std::error_code why) {
  slot.phase = Phase::closing;
  slot.why = internal::plain(why);
  if (slot.socket) {
    std::error_code ignored;
    slot.socket->close(ignored);
  }
  closed_.push_back(id);
  if (!inside_) wake();
}

void AsioNetwork::State::want_write(LinkId id) {
  Slot* const slot = find(id);
  if (slot == nullptr || slot->write_due || slot->write_waiting) return;
  slot->write_due = true;
  writes_due_.push_back(id);
  if (!inside_) wake();
}

void AsioNetwork::State::pause_read(LinkId id, bool paused) {
  Slot* const slot = find(id);
  if (slot == nullptr || slot->paused == paused) return;
  slot->paused = paused;
  if (!paused && slot->phase == Phase::open) wait_read(id, *slot);
}

void AsioNetwork::State::wait_read(LinkId id, Slot& slot) {
  if (slot.paused || slot.read_waiting) return;
  slot.read_waiting = true;
  waits_.add();
  slot.socket->async_wait(
      tcp::socket::wait_read,
      [self = shared_from_this(), id](std::error_code error) { self->on_readable(id, error); });
}

void AsioNetwork::State::wait_write(LinkId id, Slot& slot) {
  if (slot.write_waiting) return;
  slot.write_waiting = true;
  waits_.add();
  slot.socket->async_wait(
      tcp::socket::wait_write,
      [self = shared_from_this(), id](std::error_code error) { self->on_writable(id, error); });
}

void AsioNetwork::State::on_readable(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  slot->read_waiting = false;
  if (!error && slot->paused) return;
  Inside inside(*this);
  refresh_now();
  if (error) {
    fail(id, error);
  } else {
    read_some(id);
  }
  settle();
}

void AsioNetwork::State::on_writable(LinkId id, std::error_code error) {
  Slot* const slot = find(id);
  if (slot == nullptr) return;
  slot->write_waiting = false;
  Inside inside(*this);
  refresh_now();
  if (error) {
    read_last_words(id);
    fail(id, error);
  } else {
    write_some(id);
  }
  settle();
}

void AsioNetwork::State::read_some(LinkId id) {
  std::size_t total = 0;
  for (;;) {
    Slot* slot = find(id);
    if (slot == nullptr || slot->paused || slot->read_waiting) return;
    const std::span<std::byte> space = slot->link->read_space();
    if (space.empty()) return fail(id, std::make_error_code(std::errc::no_buffer_space));
    const IoResult result = internal::read_socket(slot->socket->native_handle(), space);
    reads_.add();
    if (result.status == IoStatus::would_block) return wait_read(id, *slot);
    if (result.status == IoStatus::failed) return fail(id, result.error);
    if (result.bytes == 0) return fail(id, std::make_error_code(std::errc::connection_aborted));
    read_bytes_.add(result.bytes);
    total += result.bytes;
    slot->link->on_read(result.bytes, now_);
    // Less than there was room for: the socket is empty, asking again would only say so.
    if (result.bytes == space.size() && total < options_.read_burst_bytes) continue;
    slot = find(id);
    if (slot != nullptr) wait_read(id, *slot);
    return;
  }
}

// A peer that has gone may have said why before, and answered what nobody has read yet.
void AsioNetwork::State::read_last_words(LinkId id) {
  for (;;) {
    Slot* const slot = find(id);
    if (slot == nullptr || slot->paused) return;
    const std::span<std::byte> space = slot->link->read_space();
    if (space.empty()) return;
    const IoResult result = internal::read_socket(slot->socket->native_handle(), space);
    reads_.add();
    if (result.status != IoStatus::done || result.bytes == 0) return;
    read_bytes_.add(result.bytes);
    slot->link->on_read(result.bytes, now_);
  }
}

void AsioNetwork::State::write_some(LinkId id) {
  std::size_t total = 0;
  for (;;) {
    Slot* slot = find(id);
    if (slot == nullptr) return;
    pieces_.clear();
    slot->link->gather(pieces_);
    if (pieces_.bytes() == 0) return;
    const IoResult result = internal::write_socket(slot->socket->native_handle(), pieces_);
    writes_.add();
    if (result.status == IoStatus::would_block) return wait_write(id, *slot);
    if (result.status == IoStatus::failed) {
      read_last_words(id);
      return fail(id, result.error);
    }
    written_bytes_.add(result.bytes);
    total += result.bytes;
    dirty_ = true;
    const bool full = result.bytes < pieces_.bytes();
    slot->link->on_written(result.bytes, now_);
    if (!full && total < options_.write_burst_bytes) continue;
    slot = find(id);
    if (slot == nullptr) return;
    if (full) return wait_write(id, *slot);
    return want_write(id);
  }
}

}  // namespace tern::net
