// The few system calls of AsioNetwork that Asio has no form for: sockets that are born non-blocking
// and closed on exec, reads and gathered writes without a round through the reactor.
//
// All functions report errors as std::system_category codes and retry when interrupted.
#ifndef TERN_CLIENT_NET_SOCKETS_H_
#define TERN_CLIENT_NET_SOCKETS_H_

#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

#include "client/core/ports.h"
#include "client/core/time.h"
#include "client/net/asio_network.h"

namespace tern::net::internal {

// Asio gives system errors a category of its own, whose codes do not compare with std::errc; these
// are turned into std::system_category. The resolver's categories stay.
std::error_code plain(const std::error_code& error);

// A new TCP socket, or -1 and `error`.
int open_socket(const asio::ip::tcp& protocol, std::error_code& error);
// The next connection waiting on `listener`, or -1 and `error` (would_block when there is none).
int accept_socket(int listener, std::error_code& error);
void close_socket(int socket);
// Options that cannot be set are left: a connection without them is better than none.
void set_options(int socket, const NetworkOptions& options);

enum class IoStatus { done, would_block, failed };
struct IoResult {
  IoStatus status = IoStatus::done;
  std::size_t bytes = 0;  // 0 with done: the peer has closed the connection (reads)
  std::error_code error;
};
IoResult read_socket(int socket, std::span<std::byte> space);
IoResult write_socket(int socket, const BufferList& pieces);

// std::chrono::steady_clock, exact and as of the last tick (never ahead of the exact one).
Time exact_time();
Time coarse_time();
// Milliseconds since the Unix epoch, as of the last tick.
std::int64_t coarse_wall_ms();

// The address in numbers, no name looked up; false if `host` is a name. Empty means every address.
bool parse_address(const std::string& host, asio::ip::address& address);
Endpoint to_endpoint(const asio::ip::tcp::endpoint& endpoint);

}  // namespace tern::net::internal

#endif  // TERN_CLIENT_NET_SOCKETS_H_
