// Standard output, gathered: one write for many records. A reader that has gone away (`| head`) is
// told, not an error; the program has to ignore SIGPIPE for that.
#ifndef TERN_CLIENT_CLI_OUTPUT_H_
#define TERN_CLIENT_CLI_OUTPUT_H_

#include <string>

namespace tern::cli {

class Output {
 public:
  explicit Output(int fd);

  // What is appended here is written by flush().
  std::string& buffer() { return buffer_; }
  bool full() const { return buffer_.size() >= kEnough; }
  // Blocks until all is written. Throws std::system_error if that cannot be (a full disk).
  void flush();

  // Nobody reads any more. Asks the system, so also before anything is written.
  bool reader_gone();

 private:
  static constexpr std::size_t kEnough = std::size_t{1} << 20;

  const int fd_;
  bool gone_ = false;
  std::string buffer_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_OUTPUT_H_
