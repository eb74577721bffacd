#include "tests/cli/command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

extern char** environ;

namespace tern::cli {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

// The first end is read from.
std::array<int, 2> make_pipe(int flags) {
  std::array<int, 2> ends{};
  require(::pipe2(ends.data(), O_CLOEXEC | flags) == 0, "pipe2");
  return ends;
}

// Reads once. Returns false at the end.
bool take(int fd, std::string& into, std::size_t& pieces) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(got));
    ++pieces;
  }
  // A terminal that nobody has open any more says EIO.
  return got > 0 || (got < 0 && errno == EINTR);
}

}  // namespace

Command::Command(const std::vector<std::string>& words, std::string_view on_terminal) {
  std::signal(SIGPIPE, SIG_IGN);  // a program that does not read is not our end
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // As a shell starts it, whatever the test runner does with these.
  sigset_t set;
  sigemptyset(&set);
  posix_spawnattr_setsigmask(&attributes, &set);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&set, number);
  posix_spawnattr_setsigdefault(&attributes, &set);
  // A session of its own: the terminal that it opens first is the one whose Ctrl-C it gets.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (!on_terminal.empty()) {
    terminal_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(terminal_ >= 0 && ::grantpt(terminal_) == 0 && ::unlockpt(terminal_) == 0, "terminal");
    const winsize size{24, 100, 0, 0};
    ::ioctl(terminal_, TIOCSWINSZ, &size);
  }
  std::vector<int> for_child;
  for (int stream = 0; stream < 3; ++stream) {
    if (on_terminal.find(static_cast<char>('0' + stream)) != std::string_view::npos) {
      posix_spawn_file_actions_addopen(&actions, stream, ::ptsname(terminal_), O_RDWR, 0);
      continue;
    }
    // Packets of standard output show what was written by itself.
    const std::array<int, 2> ends = make_pipe(stream == 1 ? O_DIRECT : 0);
    posix_spawn_file_actions_adddup2(&actions, ends[stream == 0 ? 0 : 1], stream);
    for_child.push_back(ends[stream == 0 ? 0 : 1]);
    (stream == 0 ? in_ : stream == 1 ? out_ : err_) = ends[stream == 0 ? 1 : 0];
  }
  if (in_ >= 0) ::fcntl(in_, F_SETFL, O_NONBLOCK);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  errno = ::posix_spawn(&child_, arguments[0], &actions, &attributes, arguments.data(), environ);
  require(errno == 0, arguments[0]);
  for (int fd : for_child) close_fd(fd);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
}

Command::~Command() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  for (int* fd : {&in_, &out_, &err_, &terminal_}) close_fd(*fd);
}

void Command::close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

bool Command::pump() {
  if (out_ < 0 && err_ < 0 && terminal_ < 0) return false;
  const int into = in_ >= 0 ? in_ : terminal_;
  // A negative descriptor is one that poll leaves alone.
  std::array<pollfd, 4> waits{pollfd{pending_.empty() ? -1 : into, POLLOUT, 0},
                              pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0},
                              pollfd{terminal_, POLLIN, 0}};
  if (::poll(waits.data(), waits.size(), -1) < 0) return true;
  if ((waits[0].revents & POLLOUT) != 0) {
    const ssize_t put = ::write(into, pending_.data(), pending_.size());
    if (put > 0) pending_.erase(0, static_cast<std::size_t>(put));
    if (put < 0 && errno == EPIPE) close_input();
  } else if (waits[0].revents != 0) {
    close_input();  // it does not read any more
  }
  std::size_t other_pieces = 0;
  if (waits[1].revents != 0 && !take(out_, ended_.out, ended_.pieces)) close_fd(out_);
  if (waits[2].revents != 0 && !take(err_, ended_.err, other_pieces)) close_fd(err_);
  if (waits[3].revents != 0 && !take(terminal_, ended_.out, other_pieces)) close_fd(terminal_);
  return true;
}

void Command::type(std::string_view input) {
  pending_ += input;
  while (!pending_.empty() && pump()) {
  }
}

bool Command::says(std::string_view text) {
  const auto found = [&] {
    return ended_.out.find(text) != std::string::npos || ended_.err.find(text) != std::string::npos;
  };
  while (!found()) {
    if (!pump()) return found();
  }
  return true;
}

void Command::close_input() {
  pending_.clear();
  close_fd(in_);
}

void Command::close_output(int stream) { close_fd(stream == STDOUT_FILENO ? out_ : err_); }

void Command::signal(int number) const { ::kill(child_, number); }

Ended Command::end() {
  close_input();
  while (pump()) {
  }
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  ended_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return std::move(ended_);
}

Ended run(const std::vector<std::string>& words, std::string_view input) {
  Command command(words);
  command.type(input);
  return command.end();
}

}  // namespace tern::cli
