#include "client/net/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>

namespace tern::net::internal {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

#if !defined(SOCK_CLOEXEC) || !defined(SOCK_NONBLOCK)
int prepared(int socket) {
  if (socket >= 0) {
    ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL, 0) | O_NONBLOCK);
  }
  return socket;
}
#endif

#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;
#endif

void set_option(int socket, int level, int name, int value) {
  static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
}

Duration read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

std::error_code plain(const std::error_code& error) {
  if (error.category() != asio::error::get_system_category()) return error;
  return {error.value(), std::system_category()};
}

int open_socket(const asio::ip::tcp& protocol, std::error_code& error) {
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
  const int socket =
      ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
#else
  const int socket = prepared(::socket(protocol.family(), SOCK_STREAM, IPPROTO_TCP));
#endif
  if (socket < 0) error = last_error();
  return socket;
}

int accept_socket(int listener, std::error_code& error) {
  int socket = -1;
  do {
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
    socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    socket = prepared(::accept(listener, nullptr, nullptr));
#endif
  } while (socket < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (socket < 0) {
    error =
        would_block(errno) ? std::make_error_code(std::errc::operation_would_block) : last_error();
  }
  return socket;
}

void close_socket(int socket) { ::close(socket); }

void set_options(int socket, const NetworkOptions& options) {
  if (options.no_delay) set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keep_alive) {
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, options.keep_alive_idle_s);
#endif
  }
  if (options.send_buffer_bytes > 0) {
    set_option(socket, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  }
  if (options.receive_buffer_bytes > 0) {
    set_option(socket, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  }
#ifdef SO_NOSIGPIPE
  set_option(socket, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

IoResult read_socket(int socket, std::span<std::byte> space) {
  for (;;) {
    const ssize_t n = ::recv(socket, space.data(), space.size(), 0);
    if (n >= 0) return {IoStatus::done, static_cast<std::size_t>(n), {}};
    if (would_block(errno)) return {IoStatus::would_block, 0, {}};
    if (errno != EINTR) return {IoStatus::failed, 0, last_error()};
  }
}

IoResult write_socket(int socket, const BufferList& pieces) {
  using Piece = BufferList::Piece;
  static_assert(sizeof(Piece) == sizeof(iovec) && alignof(Piece) == alignof(iovec) &&
                offsetof(Piece, data) == offsetof(iovec, iov_base) &&
                offsetof(Piece, size) == offsetof(iovec, iov_len));
  const std::span<const Piece> list = pieces.pieces();
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(const_cast<Piece*>(list.data()));
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(list.size());
  for (;;) {
    const ssize_t n = ::sendmsg(socket, &message, kNoSignal);
    if (n >= 0) return {IoStatus::done, static_cast<std::size_t>(n), {}};
    if (would_block(errno)) return {IoStatus::would_block, 0, {}};
    if (errno != EINTR) return {IoStatus::failed, 0, last_error()};
  }
}

Time exact_time() { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

Time coarse_time() {
  // Only where it is known to be the clock that steady_clock reads.
#if defined(__linux__) && defined(CLOCK_MONOTONIC_COARSE)
  return Time(read_clock(CLOCK_MONOTONIC_COARSE));
#else
  return exact_time();
#endif
}

std::int64_t coarse_wall_ms() {
#ifdef CLOCK_REALTIME_COARSE
  const Duration since_epoch = read_clock(CLOCK_REALTIME_COARSE);
#else
  const Duration since_epoch = read_clock(CLOCK_REALTIME);
#endif
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

bool parse_address(const std::string& host, asio::ip::address& address) {
  if (host.empty()) {
    address = asio::ip::address_v4::any();
    return true;
  }
  std::error_code error;
  address = asio::ip::make_address(host, error);
  return !error;
}

Endpoint to_endpoint(const asio::ip::tcp::endpoint& endpoint) {
  return {endpoint.address().to_string(), endpoint.port()};
}

}  // namespace tern::net::internal
