// What every measured program shares: payloads, a CPU and wall clock around the work, counted
// system calls, a blocking loopback connection, and the one JSON line that bench/compare reads.
#ifndef TERN_BENCH_MEASURE_H_
#define TERN_BENCH_MEASURE_H_

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tern::bench {

[[noreturn]] inline void die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// "--name value" options; unknown names stop the program, so that a typing error cannot measure
// something else than was asked for.
class Options {
 public:
  Options(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) pairs_.push_back({argv[i], argv[i + 1]});
    if (argc % 2 == 0) bad(argv[argc - 1]);
  }
  std::string text(std::string_view name, std::string fallback) {
    for (Pair& pair : pairs_) {
      if (pair.name == name) {
        pair.used = true;
        return pair.value;
      }
    }
    return fallback;
  }
  std::int64_t number(std::string_view name, std::int64_t fallback) {
    const std::string value = text(name, "");
    return value.empty() ? fallback : std::atoll(value.c_str());
  }
  void done() const {
    for (const Pair& pair : pairs_) {
      if (!pair.used) bad(pair.name.c_str());
    }
  }

 private:
  struct Pair {
    std::string name, value;
    bool used = false;
  };
  [[noreturn]] static void bad(const char* name) {
    std::fprintf(stderr, "option not understood: %s\n", name);
    std::exit(2);
  }
  std::vector<Pair> pairs_;
};

// The same payloads in every program, the peers' included (see bench/README.md): a ring small
// enough to stay in the cache (64 of them, or 4 large ones), so that reading the payload costs
// every client the same. They look like JSON, so that a codec has neither nothing nor everything to
// find.
class Payloads {
 public:
  explicit Payloads(std::size_t size)
      : size_(size), mask_(size < 65'536 ? 63 : 3), bytes_((mask_ + 1) * size) {
    std::uint64_t state = 0x9e3779b97f4a7c15ULL;
    for (std::size_t i = 0; i <= mask_; ++i) {
      std::string text = "{";
      while (text.size() < size) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        char field[96];
        std::snprintf(field, sizeof field, "\"f%02u\":\"%08x\",\"amount\":%u,",
                      static_cast<unsigned>(state >> 59), static_cast<unsigned>(state >> 32),
                      static_cast<unsigned>(state >> 44 & 0xffff));
        text += field;
      }
      std::memcpy(bytes_.data() + i * size, text.data(), size);
    }
  }
  std::string_view operator[](std::uint64_t i) const {
    return {bytes_.data() + (i & mask_) * size_, size_};
  }
  std::size_t count() const { return mask_ + 1; }

 private:
  std::size_t size_, mask_;
  std::vector<char> bytes_;
};

// A random partition for each record; the same few cycles in every program.
class Dice {
 public:
  explicit Dice(std::uint32_t sides) : sides_(sides) {}
  std::uint32_t roll() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>((state_ >> 32) * sides_ >> 32);
  }

 private:
  std::uint64_t state_ = 88172645463325252ULL;
  std::uint64_t sides_;
};

struct Clock {
  double wall_s = 0, user_s = 0, sys_s = 0;
  long max_rss_kib = 0;

  static Clock read() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return {static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9,
            seconds(use.ru_utime), seconds(use.ru_stime), use.ru_maxrss};
  }
};

// Peak memory from /proc: getrusage's figure starts with that of whoever started this process.
inline long peak_rss_kib(long fallback) {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (file == nullptr) return fallback;
  char line[128];
  long kib = fallback;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  }
  std::fclose(file);
  return kib;
}

// One line, the contract with bench/compare. syscalls < 0 means: not counted by the program.
inline void report(const char* client, std::int64_t records, const Clock& from, const Clock& to,
                   std::int64_t syscalls) {
  const double user = to.user_s - from.user_s;
  const double sys = to.sys_s - from.sys_s;
  const double wall = to.wall_s - from.wall_s;
  const auto n = static_cast<double>(records);
  std::printf(
      "{\"client\":\"%s\",\"records\":%lld,\"wall_s\":%.4f,\"user_s\":%.4f,\"sys_s\":%.4f,"
      "\"cpu_s\":%.4f,\"cpu_s_per_million\":%.5f,\"records_per_s\":%.0f,\"syscalls\":%lld,"
      "\"syscalls_per_thousand\":%.4f,\"max_rss_kib\":%ld}\n",
      client, static_cast<long long>(records), wall, user, sys, user + sys, (user + sys) * 1e6 / n,
      n / wall, static_cast<long long>(syscalls), static_cast<double>(syscalls) * 1e3 / n,
      peak_rss_kib(to.max_rss_kib));
  std::fflush(stdout);
}

// A blocking socket that counts its system calls.
class BlockingSocket {
 public:
  explicit BlockingSocket(const std::string& host_port) {
    const std::size_t colon = host_port.rfind(':');
    if (colon == std::string::npos) {
      std::fprintf(stderr, "want host:port, got %s\n", host_port.c_str());
      std::exit(2);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host_port.substr(0, colon).c_str(), host_port.substr(colon + 1).c_str(), &hints,
                    &found) != 0) {
      die("getaddrinfo");
    }
    for (addrinfo* a = found; a != nullptr && fd_ < 0; a = a->ai_next) {
      const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) fd_ = fd;
      if (fd_ < 0 && fd >= 0) close(fd);
    }
    freeaddrinfo(found);
    if (fd_ < 0) die(host_port.c_str());
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~BlockingSocket() { close(fd_); }
  BlockingSocket(const BlockingSocket&) = delete;
  BlockingSocket& operator=(const BlockingSocket&) = delete;

  void set(int option, int value) {
    if (setsockopt(fd_, SOL_SOCKET, option, &value, sizeof value) != 0) die("setsockopt");
  }

  void write_all(iovec* pieces, std::size_t count) {
    while (count > 0) {
      ++syscalls_;
      ssize_t n = writev(fd_, pieces, static_cast<int>(count < 1024 ? count : 1024));
      if (n < 0) die("writev");
      while (count > 0 && static_cast<std::size_t>(n) >= pieces->iov_len) {
        n -= static_cast<ssize_t>(pieces->iov_len);
        ++pieces;
        --count;
      }
      if (count > 0) {
        pieces->iov_base = static_cast<char*>(pieces->iov_base) + n;
        pieces->iov_len -= static_cast<std::size_t>(n);
      }
    }
  }
  void write_all(const char* data, std::size_t size) {
    iovec piece{const_cast<char*>(data), size};
    write_all(&piece, 1);
  }
  void read_all(char* to, std::size_t size, int flags = MSG_WAITALL) {
    while (size > 0) {
      ++syscalls_;
      const ssize_t n = recv(fd_, to, size, flags);
      if (n <= 0) die("recv");
      to += n;
      size -= static_cast<std::size_t>(n);
    }
  }
  // What there is, at most `size` bytes; waits for the first.
  std::size_t read_some(char* to, std::size_t size) {
    ++syscalls_;
    const ssize_t n = recv(fd_, to, size, 0);
    if (n <= 0) die("recv");
    return static_cast<std::size_t>(n);
  }
  // A length-prefixed frame into a growing buffer; returns its size.
  std::size_t read_frame(std::vector<char>& into) {
    char prefix[4];
    read_all(prefix, 4);
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(prefix[0])) << 24 |
                      static_cast<std::size_t>(static_cast<unsigned char>(prefix[1])) << 16 |
                      static_cast<std::size_t>(static_cast<unsigned char>(prefix[2])) << 8 |
                      static_cast<std::size_t>(static_cast<unsigned char>(prefix[3]));
    if (into.size() < size) into.resize(size);
    read_all(into.data(), size);
    return size;
  }
  std::int64_t syscalls() const { return syscalls_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::int64_t syscalls_ = 0;
};

}  // namespace tern::bench

#endif  // TERN_BENCH_MEASURE_H_
