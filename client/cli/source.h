// What is read: a file, or standard input. One thread.
#ifndef TERN_CLIENT_CLI_SOURCE_H_
#define TERN_CLIENT_CLI_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tern::cli {

// Throws UsageError if this is no file that can be read. Does not open it: a pipe can be opened
// only once. "-" and "" are standard input.
void check_file(const std::string& path);

// Closed at the end if it was opened here.
class Source {
 public:
  // Throws UsageError.
  explicit Source(const std::string& path);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // 0 at the end. Throws std::system_error.
  std::size_t read(std::span<char> into);
  int fd() const { return fd_; }
  std::int64_t size() const { return size_; }  // 0: not known
  const std::string& name() const { return name_; }

 private:
  const int fd_;
  const std::string name_;
  std::int64_t size_ = 0;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_SOURCE_H_
