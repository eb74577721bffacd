// An AMQP 0-9-1 broker that does almost nothing, for measuring clients: see null_peer.h. One
// blocking thread per connection, loopback only. Independent of the library.
//
//   null_broker [--port P (0: any)] [--size BYTES] [--limit MESSAGES] [--frame-max BYTES]
//
// Prints "port P" once it listens. Every queue exists and holds --limit messages (0: endless) of
// --size bytes for each consumer. On SIGTERM it prints, as one JSON line, what it received, so that
// a client that sent less than it claims is seen. A frame that it does not understand is a fault,
// and the end of the connection.
#include <cstdint>
#include <cstdio>

#include "bench/amqp/null_peer.h"
#include "bench/measure.h"
#include "bench/serve.h"

namespace tern::bench::amqp {
namespace {

NullPeer::Settings settings;
NullPeer::Totals totals;

class Socket final : public NullPeer::Io {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool send(const char* data, std::size_t size) override {
    while (size > 0) {
      const ssize_t n = ::send(fd_, data, size, 0);
      if (n <= 0) return false;
      data += n;
      size -= static_cast<std::size_t>(n);
    }
    return true;
  }
  // 0: nothing comes any more.
  std::size_t receive(std::span<char> space) {
    const ssize_t n = recv(fd_, space.data(), space.size(), 0);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }

 private:
  const int fd_;
};

void serve(int fd) {
  Socket socket(fd);
  NullPeer peer(settings, totals, socket);
  for (;;) {
    const std::size_t n = socket.receive(peer.space());
    if (n == 0 || !peer.added(n)) return;
  }
}

void print_totals() {
  const Clock used = Clock::read();
  std::printf(
      "{\"published\":%lld,\"published_bytes\":%lld,\"publish_reads\":%lld,\"delivered\":%lld,"
      "\"ack_frames\":%lld,\"acked\":%lld,\"faults\":%lld,\"cpu_s\":%.3f}\n",
      static_cast<long long>(totals.published), static_cast<long long>(totals.published_bytes),
      static_cast<long long>(totals.publish_reads), static_cast<long long>(totals.delivered),
      static_cast<long long>(totals.ack_frames), static_cast<long long>(totals.acked),
      static_cast<long long>(totals.faults), used.user_s + used.sys_s);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tern::bench::amqp

int main(int argc, char** argv) {
  using namespace tern::bench;
  using namespace tern::bench::amqp;
  Options options(argc, argv);
  auto port = static_cast<std::uint16_t>(options.number("--port", 0));
  settings.size = static_cast<std::size_t>(options.number("--size", 100));
  settings.limit = options.number("--limit", 0);
  settings.frame_max = static_cast<std::uint32_t>(options.number("--frame-max", 131'072));
  options.done();
  if (settings.size < 1 || settings.frame_max < 4096) {
    std::fprintf(stderr, "--size must be at least 1, --frame-max at least 4096\n");
    return 2;
  }
  serve_until_stopped(port, serve);
  print_totals();
  _exit(totals.faults.load() == 0 ? 0 : 1);
}
