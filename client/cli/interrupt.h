// Ctrl-C (SIGINT) and SIGTERM, while there is an Interrupt: the first asks to come to an end, the
// second ends the program at once, as if there was none. One Interrupt at a time, used by one
// thread; `executor` is where reactions run, and has to outlive it.
#ifndef TERN_CLIENT_CLI_INTERRUPT_H_
#define TERN_CLIENT_CLI_INTERRUPT_H_

#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <mutex>

#include "client/net/executor.h"

namespace tern::cli {

class Interrupt {
  struct State;

 public:
  explicit Interrupt(const net::Executor& executor);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool raised() const;
  // Waits until `fd` can be read (true) or this is raised (false).
  bool wait_readable(int fd) const;
  // From now on a pipe whose reader goes away runs the reaction too; raised() stays as it is.
  void watch_reader(int fd);

  // What ends that which this program waits for. It runs as often as there is reason to, and at
  // once if there was one before; never any more once this object is gone. One at a time.
  class Reaction {
   public:
    Reaction(const Interrupt& interrupt, std::function<void()> reaction);
    ~Reaction();
    Reaction(const Reaction&) = delete;
    Reaction& operator=(const Reaction&) = delete;

   private:
    const std::shared_ptr<State> state_;
  };

 private:
  // Shared with handlers that may run a little longer than this lives.
  struct State {
    std::mutex mutex;
    std::function<void()> reaction;
    bool wanted = false;  // there has been a reason to react

    void react();
  };
  void react_on(asio::posix::stream_descriptor& descriptor,
                asio::posix::stream_descriptor::wait_type event);

  const std::shared_ptr<State> state_ = std::make_shared<State>();
  asio::posix::stream_descriptor wake_;
  asio::posix::stream_descriptor reader_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_INTERRUPT_H_
