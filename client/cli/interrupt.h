// Ctrl-C (SIGINT) and SIGTERM, while there is an Interrupt: the first asks to come to an end, the
// second ends the program at once, as if there was none. One at a time.
#ifndef TERN_CLIENT_CLI_INTERRUPT_H_
#define TERN_CLIENT_CLI_INTERRUPT_H_

namespace tern::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool raised() const;
  // Waits until `fd` can be read (true) or this is raised (false).
  bool wait_readable(int fd) const;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_INTERRUPT_H_
