#include "client/cli/amqp_session.h"

#include <cstdlib>

#include "client/tls/openssl.h"
#include "protocol/amqp/errors.h"

namespace tern::cli {

using amqp::ReplyErrc;

void AmqpOptions::take(const GivenOption& option) {
  switch (option.letter) {
    case 'u':
      url = option.value;
      if (url.empty()) throw UsageError("-u: must not be empty");
      break;
    case 'm':
      patience_s = static_cast<int>(number_of("-m", option.value, 1, 1'000'000));
      break;
    case kAmqpQuiet:
      quiet = true;
      break;
    case 'J':
      json = true;
      break;
    default:
      break;  // read_options() lets no others through
  }
}

amqp::ConnectionConfig AmqpOptions::config() const {
  const char* const variable = std::getenv("AMQP_URL");
  const std::string from = !url.empty() ? url : variable ? variable : "";
  amqp::ConnectionConfig config;
  config.connect_timeout = std::chrono::seconds(patience_s);
  config.operation_timeout = std::chrono::seconds(patience_s);
  config.connection_name = "tern amqp";
  config.stream = tls::openssl();
  Failure failure;
  if (!from.empty()) failure = amqp::parse_uri(from, config);
  if (!failure) failure = check(config);
  if (failure) {
    throw UsageError((url.empty() ? "AMQP_URL: " : "-u: ") + failure.message() +
                     "; a URL is amqp://user:password@host:port/vhost");
  }
  return config;
}

GivenOptions read_amqp_options(const std::vector<std::string>& arguments,
                               const std::vector<Option>& known) {
  return read_options(arguments, known, nullptr);
}

namespace {

amqp::ConnectionConfig config_of(const AmqpOptions& options, bool recover) {
  amqp::ConnectionConfig config = options.config();
  config.recover = recover;
  return config;
}

}  // namespace

AmqpSession::AmqpSession(const AmqpOptions& options, bool recover,
                         const amqp::ChannelConfig& channel)
    : interrupt_(runtime_.executor()),
      connection_(runtime_.executor(), config_of(options, recover), events(options.quiet)) {
  call("cannot connect", [this](Diagnostics* diagnostics) {
    return connection_.async_connect(asio::use_future, diagnostics);
  });
  channel_ = call("cannot open a channel", [&](Diagnostics* diagnostics) {
    return connection_.async_open_channel(channel, asio::use_future, diagnostics);
  });
}

AmqpSession::~AmqpSession() { close(); }

void AmqpSession::close() {
  // Bounded by close_timeout, and cut short by a second Ctrl-C.
  if (!std::exchange(closed_, true)) connection_.async_close(asio::use_future).wait();
}

amqp::ConnectionEvents AmqpSession::events(bool quiet) {
  amqp::ConnectionEvents events;
  events.on_lost = [this, quiet](const Failure& why) {
    lost_ = true;
    if (!quiet && why.code != ClientErrc::closed) note(why.message());
  };
  events.on_recovered = [this, quiet] {
    lost_ = false;
    if (!quiet) note("connected again");
  };
  events.on_not_recovered = [](std::string_view what, const Failure& why) {
    note("not there again: " + std::string(what) + ": " + why.message());
  };
  events.on_ack_timeout = [](const Failure& why) { note(why.message()); };
  events.on_blocked = [quiet](bool blocked, std::string_view reason) {
    if (quiet) return;
    note(blocked ? "the broker takes no messages now: " + std::string(reason)
                 : std::string("the broker takes messages again"));
  };
  return events;
}

const char* AmqpSession::next_step(const std::error_code& error) {
  if (error == ReplyErrc::access_refused) {
    return "; user and password are in the URL: -u amqp://user:password@host/vhost";
  }
  if (error == ReplyErrc::not_allowed) return "; the virtual host is the path of the URL";
  if (error == ReplyErrc::not_found) return "; `tern amqp declare` makes queues and exchanges";
  if (error == ReplyErrc::precondition_failed) {
    return "; what exists has other properties: say the same ones, or delete it first";
  }
  if (error == ClientErrc::not_the_protocol) {
    return "; amqp:// is AMQP without TLS, amqps:// with it: is the port the right one?";
  }
  const bool unreachable = error.category() == std::system_category() ||
                           error.category() == std::generic_category() ||
                           error == Condition::timed_out || error == ClientErrc::no_broker;
  if (unreachable) {
    return "; -u URL or AMQP_URL says where the broker is, -m SECONDS how long to wait for it";
  }
  return "";
}

std::uint32_t AmqpSession::find_queue(const std::string& queue) {
  amqp::QueueDeclare request;
  request.queue = std::string_view(queue);
  request.passive = true;
  return call("cannot use queue " + queue,
              [&](Diagnostics* diagnostics) {
                return channel_.async_declare(request, asio::use_future, diagnostics);
              })
      .messages;
}

}  // namespace tern::cli
