// tern amqp declare, bind, delete, purge.
#include <unistd.h>

#include <optional>

#include "client/cli/amqp_commands.h"
#include "client/cli/amqp_message.h"
#include "client/cli/amqp_session.h"
#include "client/cli/json.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"

namespace tern::cli {

const char* const kAmqpDeclareHelp =
    R"(tern amqp declare queue [NAME] | exchange NAME: make one, if it is not there

Writes the name of the queue, which the broker chooses if there is none, and tells how many messages
and consumers it has. What is there already has to have the same properties.

      --type TYPE           of an exchange: direct, fanout, topic or headers (direct)
  -a, --argument N=V        an argument, as often as you like: x-message-ttl=60000, x-max-length=10,
                            x-dead-letter-exchange=dead, x-max-priority=5, alternate-exchange=rest, ...
      --transient           it is gone when the broker restarts (it is durable)
      --auto-delete         it is gone with its last consumer, or its last binding
      --internal            an exchange that only other exchanges publish to
      --passive             only look whether it is there, whatever its properties
  -J, --json                {"queue":"orders","messages":0,"consumers":0}

Examples:
  tern amqp declare queue jobs -a x-max-length=1000 -a x-overflow=reject-publish
  tern amqp declare exchange logs --type topic
  queue=$(tern amqp declare queue --auto-delete --quiet)
)";

const char* const kAmqpBindHelp =
    R"(tern amqp bind EXCHANGE QUEUE: what goes to the exchange with a key comes to the queue

  -r, --routing-key KEY     with this key or pattern, as often as you like (empty)
  -a, --argument N=V        an argument, as often as you like: for headers exchanges
      --to-exchange         the second name is an exchange, too
      --remove              take the binding away

Examples:
  tern amqp bind logs errors -r 'app.*.error' -r 'db.#'
  tern amqp bind tasks pictures -a x-match=all -a type=png       # a headers exchange
  tern amqp bind logs errors -r 'db.#' --remove
)";

const char* const kAmqpDeleteHelp =
    R"(tern amqp delete queue NAME... | exchange NAME...: delete them, and all that is in them

      --if-unused           only without consumers or bindings
      --if-empty            only a queue without messages

One that is not there is no error, as the broker sees it.

Examples:
  tern amqp delete queue jobs
  tern amqp delete exchange logs --if-unused
)";

const char* const kAmqpPurgeHelp =
    R"(tern amqp purge QUEUE...: throw away the messages that are ready; the queue stays

Examples:
  tern amqp purge jobs
)";

namespace {

enum Letter : char {
  kType = kAmqpQuiet + 1,
  kTransient,
  kAutoDelete,
  kInternal,
  kPassive,
  kToExchange,
  kRemove,
  kIfUnused,
  kIfEmpty
};

struct Options {
  AmqpOptions common;
  std::vector<std::string> names;
  std::string type = "direct";
  amqp::TableBuilder arguments;
  std::vector<std::string> keys;
  bool transient = false;
  bool auto_delete = false;
  bool internal = false;
  bool passive = false;
  bool to_exchange = false;
  bool remove = false;
  bool if_unused = false;
  bool if_empty = false;

  amqp::Table table() const {
    const auto table = arguments.table();
    if (!table) throw UsageError("-a: \"" + arguments.bad_name() + "\" is too long");
    return *table;
  }
};

void take(const GivenOption& option, Options& out) {
  switch (option.letter) {
    case kType:
      out.type = option.value;
      break;
    case 'a': {
      const auto [name, value] = pair_of("-a", option.value);
      add_argument(name, value, out.arguments);
      break;
    }
    case 'r':
      out.keys.push_back(option.value);
      break;
    case kTransient:
      out.transient = true;
      break;
    case kAutoDelete:
      out.auto_delete = true;
      break;
    case kInternal:
      out.internal = true;
      break;
    case kPassive:
      out.passive = true;
      break;
    case kToExchange:
      out.to_exchange = true;
      break;
    case kRemove:
      out.remove = true;
      break;
    case kIfUnused:
      out.if_unused = true;
      break;
    case kIfEmpty:
      out.if_empty = true;
      break;
    default:
      out.common.take(option);
  }
}

void read(const std::vector<std::string>& arguments, const std::vector<Option>& known,
          Options& out) {
  GivenOptions given = read_amqp_options(arguments, known);
  for (const GivenOption& each : given.options) take(each, out);
  out.names = std::move(given.others);
}

// Takes "queue" or "exchange" off the names. True: a queue.
bool take_kind(Options& options) {
  const std::string kind = options.names.empty() ? "" : options.names.front();
  if (kind != "queue" && kind != "exchange") {
    throw UsageError((kind.empty() ? "what" : "\"" + kind + "\"") +
                     "? say queue or exchange first, then the name");
  }
  options.names.erase(options.names.begin());
  return kind == "queue";
}

template <class Request>
void ask(AmqpSession& session, const std::string& what, const Request& request) {
  session.call(what, [&](Diagnostics* diagnostics) {
    return session.channel().async_call(request, asio::use_future, diagnostics);
  });
}

std::string some(std::uint32_t count, const char* unit) {
  return with_commas(count) + " " + unit + (count == 1 ? "" : "s");
}

void declare_queue(AmqpSession& session, const Options& options) {
  amqp::QueueDeclare request;
  if (!options.names.empty()) request.queue = std::string_view(options.names[0]);
  request.durable = !options.transient;
  request.auto_delete = options.auto_delete;
  request.passive = options.passive;
  request.arguments = options.table();
  const amqp::QueueInfo info =
      session.call("cannot declare queue " + request.queue.str(), [&](Diagnostics* diagnostics) {
        return session.channel().async_declare(request, asio::use_future, diagnostics);
      });
  Output output(STDOUT_FILENO);
  if (options.common.json) {
    output.buffer() = "{\"queue\":";
    append_json_string(info.name, output.buffer());
    output.buffer() += ",\"messages\":" + std::to_string(info.messages) +
                       ",\"consumers\":" + std::to_string(info.consumers) + "}\n";
  } else {
    output.buffer() = info.name + "\n";
    if (!options.common.quiet) {
      note("queue " + info.name + " has " + some(info.messages, "message") + " and " +
           some(info.consumers, "consumer"));
    }
  }
  output.flush();
}

void declare_exchange(AmqpSession& session, const Options& options) {
  amqp::ExchangeDeclare request;
  request.exchange = std::string_view(options.names[0]);
  request.type = std::string_view(options.type);
  request.durable = !options.transient;
  request.auto_delete = options.auto_delete;
  request.internal = options.internal;
  request.passive = options.passive;
  request.arguments = options.table();
  ask(session, "cannot declare exchange " + options.names[0], request);
  if (!options.common.quiet) note("exchange " + options.names[0] + " is there");
}

template <class Request>
void bind(AmqpSession& session, const Options& options, amqp::Text Request::* destination,
          amqp::Text Request::* source) {
  for (const std::string& key : options.keys) {
    Request request;
    request.*source = std::string_view(options.names[0]);
    request.*destination = std::string_view(options.names[1]);
    request.routing_key = std::string_view(key);
    request.arguments = options.table();
    const std::string words = options.names[1] + (options.remove ? " from " : " to ") +
                              options.names[0] + " with \"" + key + "\"";
    ask(session, (options.remove ? "cannot unbind " : "cannot bind ") + words, request);
    if (!options.common.quiet) note((options.remove ? "unbound " : "bound ") + words);
  }
}

}  // namespace

int run_amqp_declare(const std::vector<std::string>& arguments) {
  Options options;
  read(arguments,
       {TERN_COMMON_AMQP_OPTIONS,
        {kType, "type", true},
        {'a', "argument", true},
        {kTransient, "transient", false},
        {kAutoDelete, "auto-delete", false},
        {kInternal, "internal", false},
        {kPassive, "passive", false}},
       options);
  const bool is_queue = take_kind(options);
  if (options.names.size() > 1) throw UsageError("one at a time");
  if (options.names.empty() && (!is_queue || options.passive)) {
    throw UsageError("it needs a name");
  }
  AmqpSession session(options.common, /*recover=*/false);
  is_queue ? declare_queue(session, options) : declare_exchange(session, options);
  return 0;
}

int run_amqp_bind(const std::vector<std::string>& arguments) {
  Options options;
  read(arguments,
       {TERN_COMMON_AMQP_OPTIONS,
        {'r', "routing-key", true},
        {'a', "argument", true},
        {kToExchange, "to-exchange", false},
        {kRemove, "remove", false}},
       options);
  if (options.names.size() != 2) {
    throw UsageError("which? say the exchange first, and then the queue that is bound to it");
  }
  if (options.keys.empty()) options.keys.emplace_back();
  AmqpSession session(options.common, /*recover=*/false);
  if (options.to_exchange && options.remove) {
    bind(session, options, &amqp::ExchangeUnbind::destination, &amqp::ExchangeUnbind::source);
  } else if (options.to_exchange) {
    bind(session, options, &amqp::ExchangeBind::destination, &amqp::ExchangeBind::source);
  } else if (options.remove) {
    bind(session, options, &amqp::QueueUnbind::queue, &amqp::QueueUnbind::exchange);
  } else {
    bind(session, options, &amqp::QueueBind::queue, &amqp::QueueBind::exchange);
  }
  return 0;
}

int run_amqp_delete(const std::vector<std::string>& arguments) {
  Options options;
  read(arguments,
       {TERN_COMMON_AMQP_OPTIONS, {kIfUnused, "if-unused", false}, {kIfEmpty, "if-empty", false}},
       options);
  const bool is_queue = take_kind(options);
  if (options.names.empty()) throw UsageError("which? say its name");
  if (!is_queue && options.if_empty) throw UsageError("--if-empty is for queues");
  AmqpSession session(options.common, /*recover=*/false);
  for (const std::string& name : options.names) {
    const std::string what = (is_queue ? "queue " : "exchange ") + name;
    std::string had;
    if (is_queue) {
      amqp::QueueDelete request;
      request.queue = std::string_view(name);
      request.if_unused = options.if_unused;
      request.if_empty = options.if_empty;
      const std::uint32_t count =
          session.call("cannot delete " + what, [&](Diagnostics* diagnostics) {
            return session.channel().async_remove(request, asio::use_future, diagnostics);
          });
      had = ", with " + some(count, "message");
    } else {
      amqp::ExchangeDelete request;
      request.exchange = std::string_view(name);
      request.if_unused = options.if_unused;
      ask(session, "cannot delete " + what, request);
    }
    if (!options.common.quiet) note("deleted " + what + had);
  }
  return 0;
}

int run_amqp_purge(const std::vector<std::string>& arguments) {
  Options options;
  read(arguments, {TERN_COMMON_AMQP_OPTIONS}, options);
  if (options.names.empty()) throw UsageError("which? say the name of a queue");
  AmqpSession session(options.common, /*recover=*/false);
  for (const std::string& name : options.names) {
    amqp::QueuePurge request;
    request.queue = std::string_view(name);
    const std::uint32_t count =
        session.call("cannot purge queue " + name, [&](Diagnostics* diagnostics) {
          return session.channel().async_remove(request, asio::use_future, diagnostics);
        });
    if (!options.common.quiet) note("threw away " + some(count, "message") + " of queue " + name);
  }
  return 0;
}

}  // namespace tern::cli
