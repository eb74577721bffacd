// AsioNetwork's listeners.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/net/asio_network_state.h"
#include "client/net/sockets.h"

namespace tern::net {

namespace {

constexpr int kMaxAcceptsInARow = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

AsioNetwork::State::Listener* AsioNetwork::State::find(ListenerId id) {
  if (id.generation == 0 || id.index >= listeners_.size()) return nullptr;
  Listener& listener = *listeners_[id.index];
  return listener.acceptor != nullptr && listener.generation == id.generation ? &listener : nullptr;
}

std::optional<asio::ip::tcp::endpoint> AsioNetwork::State::local_address(const Endpoint& endpoint,
                                                                         std::error_code& error) {
  asio::ip::address address;
  if (internal::parse_address(endpoint.host, address)) {
    return tcp::endpoint(address, endpoint.port);
  }
  const auto results = resolver_.resolve(endpoint.host, std::to_string(endpoint.port),
                                         tcp::resolver::numeric_service, error);
  if (!error && results.empty()) error = std::make_error_code(std::errc::address_not_available);
  if (error) return std::nullopt;
  // Of several the IPv4 address, for that is what clients that know one only would try.
  for (const auto& result : results) {
    if (result.endpoint().address().is_v4()) return result.endpoint();
  }
  return results.begin()->endpoint();
}

bool AsioNetwork::State::bind_listener(const Endpoint& endpoint, tcp::acceptor& socket,
                                       std::error_code& error) {
  const std::optional<tcp::endpoint> address = local_address(endpoint, error);
  if (!address) return false;
  const int descriptor = internal::open_socket(address->protocol(), error);
  if (descriptor < 0) return false;
  socket.assign(address->protocol(), descriptor, error);
  if (error) {
    internal::close_socket(descriptor);
    return false;
  }
  std::error_code ignored;
  socket.set_option(tcp::acceptor::reuse_address(true), ignored);
  socket.bind(*address, error);
  if (!error) socket.listen(tcp::acceptor::max_listen_connections, error);
  return !error;
}

ListenerId AsioNetwork::State::listen(const Endpoint& endpoint, Acceptor& acceptor,
                                      std::error_code& error, Endpoint* bound) {
  error.clear();
  if (ended_) {
    error = std::make_error_code(std::errc::operation_canceled);
    return {};
  }
  tcp::acceptor socket(executor_.any());
  if (!bind_listener(endpoint, socket, error)) {
    error = internal::plain(error);
    return {};
  }
  std::error_code ignored;
  if (bound != nullptr) *bound = internal::to_endpoint(socket.local_endpoint(ignored));

  std::uint32_t index = 0;
  while (index < listeners_.size() && listeners_[index]->acceptor != nullptr) ++index;
  if (index == listeners_.size()) listeners_.push_back(std::make_unique<Listener>());
  Listener& listener = *listeners_[index];
  if (++listener.generation == 0) ++listener.generation;
  listener.acceptor = &acceptor;
  listener.socket.emplace(std::move(socket));
  ++listening_;
  const ListenerId id{index, listener.generation};
  wait_accept(id, listener);
  return id;
}

void AsioNetwork::State::close_listener(ListenerId id) {
  Listener* const listener = find(id);
  if (listener == nullptr) return;
  listener->acceptor = nullptr;
  listener->socket.reset();
  listener->pause.reset();
  --listening_;
}

void AsioNetwork::State::wait_accept(ListenerId id, Listener& listener) {
  waits_.add();
  listener.socket->async_wait(
      tcp::acceptor::wait_read,
      [self = shared_from_this(), id](std::error_code) { self->on_acceptable(id); });
}

// Out of descriptors or memory: the socket stays ready, so waiting for it would spin.
void AsioNetwork::State::pause_accept(ListenerId id, Listener& listener) {
  if (!listener.pause) listener.pause.emplace(executor_.any());
  listener.pause->expires_after(kAcceptPause);
  listener.pause->async_wait([self = shared_from_this(), id](std::error_code error) {
    if (!error) self->on_acceptable(id);
  });
}

void AsioNetwork::State::on_acceptable(ListenerId id) {
  if (find(id) == nullptr) return;
  Inside inside(*this);
  refresh_now();
  for (int i = 0; i < kMaxAcceptsInARow; ++i) {
    Listener* const listener = find(id);
    if (listener == nullptr) break;
    std::error_code error;
    const int descriptor = internal::accept_socket(listener->socket->native_handle(), error);
    if (descriptor < 0 && error != std::errc::operation_would_block) {
      pause_accept(id, *listener);
      return settle();
    }
    if (descriptor < 0) break;
    const tcp::endpoint local = listener->socket->local_endpoint(error);
    adopt(descriptor, local.protocol(), *listener->acceptor);
  }
  Listener* const listener = find(id);
  if (listener != nullptr) wait_accept(id, *listener);
  settle();
}

void AsioNetwork::State::adopt(int descriptor, const tcp& protocol, Acceptor& acceptor) {
  internal::set_options(descriptor, options_);
  const LinkId id = new_slot();
  Slot& slot = *slots_[id.index];
  slot.phase = Phase::open;
  slot.stage = Stage::protocol;
  slot.socket.emplace(executor_.any());
  std::error_code error;
  slot.socket->assign(protocol, descriptor, error);
  tcp::endpoint peer;
  if (!error) {
    peer = slot.socket->remote_endpoint(error);
  } else {
    internal::close_socket(descriptor);
  }
  // Without a peer it is gone again already, and nobody has heard of it.
  if (!error) slot.link = acceptor.on_accept(id, internal::to_endpoint(peer));
  if (slot.phase == Phase::closing) return;  // closed by on_accept()
  if (slot.link == nullptr) return end(id, slot, error);
  wait_read(id, slot);
  slot.link->on_open(now_);
}

}  // namespace tern::net
