#include "client/cli/source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

bool is_stdin(const std::string& path) { return path.empty() || path == "-"; }

[[noreturn]] void cannot_open(const std::string& path) {
  throw UsageError("cannot open " + path + ": " + std::generic_category().message(errno));
}

}  // namespace

void check_file(const std::string& path) {
  if (is_stdin(path)) return;
  struct stat info{};
  if (::access(path.c_str(), R_OK) != 0 || ::stat(path.c_str(), &info) != 0) cannot_open(path);
  if (S_ISDIR(info.st_mode)) throw UsageError(path + " is a directory");
}

Source::Source(const std::string& path)
    : fd_(is_stdin(path) ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      name_(fd_ == STDIN_FILENO ? "standard input" : path) {
  if (fd_ < 0) cannot_open(path);
  struct stat info{};
  if (::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode)) size_ = info.st_size;
  if (size_ == 0) ::fcntl(fd_, F_SETPIPE_SZ, 1 << 20);  // fewer reads, if it is a pipe
}

Source::~Source() {
  if (fd_ > STDIN_FILENO) ::close(fd_);
}

std::size_t Source::read(std::span<char> into) {
  for (;;) {
    const ssize_t bytes = ::read(fd_, into.data(), into.size());
    if (bytes >= 0) return static_cast<std::size_t>(bytes);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      throw std::system_error(errno, std::generic_category(), "cannot read " + name_);
    }
    pollfd readable{fd_, POLLIN, 0};  // somebody else made the terminal non-blocking
    ::poll(&readable, 1, -1);
  }
}

}  // namespace tern::cli
