// What every `tern amqp` command needs: options, a connection on a thread of its own, and a
// channel.
#ifndef TERN_CLIENT_CLI_AMQP_SESSION_H_
#define TERN_CLIENT_CLI_AMQP_SESSION_H_

#include <asio/detached.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <string>
#include <system_error>
#include <utility>

#include "client/amqp/connection.h"
#include "client/cli/call.h"
#include "client/cli/interrupt.h"
#include "client/cli/options.h"
#include "client/net/runtime.h"

namespace tern::cli {

#define TERN_COMMON_AMQP_OPTIONS \
  {'u', "url", true}, {'m', nullptr, true}, {kAmqpQuiet, "quiet", false}, { 'J', "json", false }
// Options that have only a long name begin behind this one.
inline constexpr char kAmqpQuiet = 1;

struct AmqpOptions {
  std::string url;  // -u, else AMQP_URL; empty: localhost
  int patience_s = 10;
  bool quiet = false;
  bool json = false;

  // Throws UsageError for a value that makes no sense.
  void take(const GivenOption& option);
  // Throws UsageError; its text does not repeat the URL, which may have a password in it.
  amqp::ConnectionConfig config() const;
};

// Reads options with nothing to say about letters that kcat has.
GivenOptions read_amqp_options(const std::vector<std::string>& arguments,
                               const std::vector<Option>& known);

class AmqpSession {
 public:
  // Connects and opens the channel. `recover`: a connection that is lost is made again. Throws
  // UsageError, std::runtime_error, Interrupted.
  AmqpSession(const AmqpOptions& options, bool recover, const amqp::ChannelConfig& channel = {});
  // Says goodbye, if nobody did.
  ~AmqpSession();
  AmqpSession(const AmqpSession&) = delete;
  AmqpSession& operator=(const AmqpSession&) = delete;

  amqp::Channel& channel() { return channel_; }
  Interrupt& interrupt() { return interrupt_; }
  bool is_lost() const { return lost_; }

  // See call.h.
  template <class Start>
  auto call(const std::string& what, Start start) {
    return cli::call(
        interrupt_, [this] { connection_.async_close(asio::detached); }, next_step, what,
        std::move(start));
  }
  static const char* next_step(const std::error_code& error);

  // The number of messages that are in a queue, which has to be there.
  std::uint32_t find_queue(const std::string& queue);
  void close();

 private:
  amqp::ConnectionEvents events(bool quiet);

  net::Runtime runtime_;
  Interrupt interrupt_;
  std::atomic<bool> lost_{false};
  bool closed_ = false;
  amqp::Connection connection_;
  amqp::Channel channel_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_AMQP_SESSION_H_
