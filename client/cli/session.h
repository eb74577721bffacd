// What every `tern kafka` command needs: a client on a thread of its own, so that reading and
// writing here never holds up the network.
#ifndef TERN_CLIENT_CLI_SESSION_H_
#define TERN_CLIENT_CLI_SESSION_H_

#include <asio/use_future.hpp>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/call.h"
#include "client/cli/interrupt.h"
#include "client/cli/options.h"
#include "client/cli/watcher.h"
#include "client/cli/words.h"
#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/net/runtime.h"

namespace tern::cli {

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
    return cli::call(
        interrupt_, [this] { client_.close(); },
        [this](const std::error_code& error) { return next_step(error); }, what, std::move(start));
  }

  // What the user can do about it, to be appended to a sentence; may be empty.
  const char* next_step(const std::error_code& error) const;

  // One topic, which may not exist: see its `error`.
  kafka::TopicDescription describe(const std::string& topic);
  // The same for several, sorted by name.
  std::vector<kafka::TopicDescription> describe(const std::vector<std::string>& topics);

  // On the client's thread only, as in handlers.
  const std::string& member_id() const { return watcher_->member_id(); }

 private:
  const std::shared_ptr<Watcher> watcher_;
  const kafka::Configs configs_;
  net::Runtime runtime_;
  Interrupt interrupt_;
  kafka::Client client_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_SESSION_H_
