#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace tern::cli {
namespace {

volatile std::sig_atomic_t raised_signal = 0;
int wake_pipe[2] = {-1, -1};

void on_signal(int signal) {
  const int saved = errno;
  raised_signal = signal;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_pipe[1], "", 1);
  errno = saved;
}

void handle(int signal) {
  struct sigaction action{};
  sigaction(signal, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;  // nohup
  action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESETHAND;  // the second one has its usual effect
  sigaction(signal, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  if (::pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  raised_signal = 0;
  handle(SIGINT);
  handle(SIGTERM);
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  ::close(wake_pipe[0]);
  ::close(wake_pipe[1]);
}

bool Interrupt::raised() const { return raised_signal != 0; }

bool Interrupt::wait_readable(int fd) const {
  pollfd both[2] = {{fd, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}};
  while (::poll(both, 2, -1) < 0 && errno == EINTR) {
  }
  return both[1].revents == 0;
}

}  // namespace tern::cli
