// What the null brokers share: they listen on loopback, serve each connection in a thread of its
// own, and print what they have counted when they are told to stop.
#ifndef TERN_BENCH_SERVE_H_
#define TERN_BENCH_SERVE_H_

#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <thread>

#include "bench/measure.h"

namespace tern::bench {

inline int listen_on(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    die("listen");
  }
  port = ntohs(address.sin_port);
  return fd;
}

// Prints "port P" once it listens, with 0 in `port` replaced by the one it was given. Calls
// `serve(fd)` for each connection, in a thread of its own. Returns after SIGTERM or SIGINT.
template <class Serve>
void serve_until_stopped(std::uint16_t& port, Serve serve) {
  signal(SIGPIPE, SIG_IGN);
  // Signals are taken by this thread; every other one inherits the mask.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  const int listener = listen_on(port);
  std::thread([listener, serve] {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      std::thread([fd, serve] { serve(fd); }).detach();
    }
  }).detach();
  std::printf("port %u\n", port);
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&stop, &signal_number);
}

}  // namespace tern::bench

#endif  // TERN_BENCH_SERVE_H_
