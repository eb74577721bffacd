// A program as a person or a shell runs it: at pipes, or at a terminal of its own, with Ctrl-C and
// readers that leave. One thread. What waits here waits for the program to write or to end, never
// for time; a program that does neither is ended by the time limit of the test.
#ifndef TERN_TESTS_CLI_COMMAND_H_
#define TERN_TESTS_CLI_COMMAND_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

struct Ended {
  int status = -1;       // exit status; 128 + signal when killed, as shells have it
  std::string out;       // standard output; of a terminal, all that it showed
  std::string err;       // standard error, unless that is the terminal
  std::size_t pieces{};  // writes to standard output; those above 4 KiB count as several
};

class Command {
 public:
  // `on_terminal` names the standard streams that are the program's terminal: "", "2", "012", ...
  // The others are pipes.
  explicit Command(const std::vector<std::string>& words, std::string_view on_terminal = "");
  ~Command();  // kills it, if it still runs
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Both take what the program writes meanwhile, so that neither side gets stuck.
  void type(std::string_view input);
  // Waits until standard output or standard error or the terminal has said this. False: they have
  // ended before.
  bool says(std::string_view text);

  void close_input();
  // The reader of standard output, or of standard error, goes away.
  void close_output(int stream);
  void signal(int number) const;
  // Input ends, and the rest is read. Once.
  Ended end();

 private:
  bool pump();  // false: nothing more will come
  static void close_fd(int& fd);

  pid_t child_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  int terminal_ = -1;
  std::string pending_;  // input that the program has not taken yet
  Ended ended_;
};

// To its end.
Ended run(const std::vector<std::string>& words, std::string_view input = {});

}  // namespace tern::cli

#endif  // TERN_TESTS_CLI_COMMAND_H_
