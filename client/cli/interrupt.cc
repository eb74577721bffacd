#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace tern::cli {
namespace {

std::atomic<bool> raised_once{false};
std::atomic<int> wake_fd{-1};  // readable from the first signal on
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int) {
  const int saved = errno;
  raised_once = true;
  constexpr std::uint64_t kOne = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_fd, &kOne, sizeof(kOne));
  errno = saved;
}

// Not asio::signal_set: the second signal has to end the program even if the executor is stuck.
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

Interrupt::Interrupt(const net::Executor& executor)
    : wake_(executor.any()), reader_(executor.any()) {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  wake_.assign(fd);
  wake_fd = fd;
  raised_once = false;
  react_on(wake_, asio::posix::stream_descriptor::wait_read);
  handle(SIGINT);
  handle(SIGTERM);
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool Interrupt::raised() const { return raised_once; }

bool Interrupt::wait_readable(int fd) const {
  pollfd both[2] = {{fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
  while (::poll(both, 2, -1) < 0 && errno == EINTR) {
  }
  return both[1].revents == 0;
}

void Interrupt::watch_reader(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return;  // there is no such output
  std::error_code error;
  reader_.assign(copy, error);
  if (error) {
    ::close(copy);
  } else {
    react_on(reader_, asio::posix::stream_descriptor::wait_error);  // files refuse, and never fail
  }
}

void Interrupt::react_on(asio::posix::stream_descriptor& descriptor,
                         asio::posix::stream_descriptor::wait_type event) {
  descriptor.async_wait(event, [state = state_](const std::error_code& error) {
    if (!error) state->react();
  });
}

void Interrupt::State::react() {
  const std::lock_guard<std::mutex> lock(mutex);
  wanted = true;
  if (reaction) reaction();
}

Interrupt::Reaction::Reaction(const Interrupt& interrupt, std::function<void()> reaction)
    : state_(interrupt.state_) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->reaction = std::move(reaction);
  if (state_->wanted) state_->reaction();
}

Interrupt::Reaction::~Reaction() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->reaction = nullptr;
}

}  // namespace tern::cli
