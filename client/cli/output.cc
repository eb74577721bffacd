#include "client/cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tern::cli {

Output::Output(int fd) : fd_(fd) {
  // A larger pipe takes a whole buffer in one write; what is no pipe says no.
  fcntl(fd, F_SETPIPE_SZ, static_cast<int>(kEnough));
  buffer_.reserve(2 * kEnough);
}

void Output::flush() {
  std::size_t at = 0;
  while (at < buffer_.size() && !gone_) {
    const ssize_t written = ::write(fd_, buffer_.data() + at, buffer_.size() - at);
    if (written >= 0) {
      at += static_cast<std::size_t>(written);
    } else if (errno == EPIPE) {
      gone_ = true;
    } else if (errno == EAGAIN) {  // somebody else made the terminal non-blocking
      pollfd writable{fd_, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "cannot write the records");
    }
  }
  buffer_.clear();
}

bool Output::reader_gone() {
  pollfd reader{fd_, 0, 0};
  if (::poll(&reader, 1, 0) == 1 && (reader.revents & (POLLERR | POLLHUP)) != 0) gone_ = true;
  return gone_;
}

}  // namespace tern::cli
