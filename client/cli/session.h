// What every `tern kafka` command needs: a client on a thread of its own, so that reading and
// writing here never holds up the network, and words on standard error.
#ifndef TERN_CLIENT_CLI_SESSION_H_
#define TERN_CLIENT_CLI_SESSION_H_

#include <asio/use_future.hpp>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <system_error>

#include "client/cli/interrupt.h"
#include "client/cli/options.h"
#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/net/runtime.h"

namespace tern::cli {

// Ctrl-C before anything was done.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// One line on standard error, whatever a progress bar has left there. Any thread.
void note(const std::string& text);

class Session {
 public:
  // Throws UsageError.
  explicit Session(const CommonOptions& options);

  const kafka::Configs& configs() const { return configs_; }
  kafka::Client& client() { return client_; }
  Interrupt& interrupt() { return interrupt_; }

  // Waits for what `start(Diagnostics*)` returns a future of. Throws std::runtime_error that begins
  // with `what`, or Interrupted.
  template <class Start>
  auto call(const std::string& what, Start start) {
    Diagnostics diagnostics;
    auto future = start(&diagnostics);
    {
      const Interrupt::Reaction reaction(interrupt_, [this] { client_.close(); });
      future.wait();
    }
    try {
      return future.get();
    } catch (const std::system_error& error) {
      if (interrupt_.raised()) throw Interrupted();
      const std::string& why = diagnostics.message;
      throw std::runtime_error(what + ": " + (why.empty() ? error.code().message() : why) +
                               next_step(error.code()));
    }
  }

  // What the user can do about it, to be appended to a sentence; may be empty.
  static const char* next_step(const std::error_code& error);

  // One topic, which may not exist: see its `error`.
  kafka::TopicDescription describe(const std::string& topic);

 private:
  const kafka::Configs configs_;
  net::Runtime runtime_;
  Interrupt interrupt_;
  kafka::Client client_;
};

// "1,234 records, 5.6 MB, in 0.12 s (10,283 records/s)"; bytes -1: not known, left out.
std::string in_words(std::int64_t records, std::int64_t bytes,
                     std::chrono::steady_clock::duration took);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_SESSION_H_
