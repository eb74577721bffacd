// tern amqp consume, tern amqp get: messages to standard output. What is written there is
// acknowledged after it was written, and goes back to its queue otherwise.
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include "client/cli/amqp_commands.h"
#include "client/cli/amqp_message.h"
#include "client/cli/amqp_session.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "client/cli/text_format.h"

namespace tern::cli {

const char* const kAmqpConsumeHelp =
    R"(tern amqp consume (-q QUEUE | -e EXCHANGE [-r KEY...]): receive messages

Writes the payload of each message and a newline, and waits for more until Ctrl-C.

  -q, --queue QUEUE        from this queue
  -e, --exchange EXCHANGE  from a queue of its own, bound to this exchange for as long as this runs
  -r, --routing-key KEY    with -e: what it is bound with, as often as you like (empty)
  -c, --count N            exit after so many messages
  -p, --prefetch N         so many messages on their way at most (100)
  -A, --no-ack             the broker forgets what it has sent, whether it arrives or not
  -x, --exclusive          be the only consumer of the queue
  -D, --delimiter D        what to write after each message (\n)
  -J, --json               one JSON object a line: exchange, routing_key, redelivered, properties (with
                           headers), payload; what is not UTF-8 as payload_base64

A message is acknowledged when it was written to standard output; what was not goes back to the
queue. A connection that is lost is made again. Exit status after Ctrl-C: 0, but 130 with -c.

Examples:
  tern amqp consume -q jobs
  tern amqp consume -q jobs -c 10 -J | jq .properties.headers
  tern amqp consume -e logs -r 'app.*' -r '#.error'
  tern amqp consume -q jobs | while read -r job; do work "$job"; done
)";

const char* const kAmqpGetHelp =
    R"(tern amqp get -q QUEUE: take what is there, without waiting

  -q, --queue QUEUE        from this queue
  -c, --count N            so many messages at most; 0: all there are (1)
  -k, --keep               put them back
  -D, --delimiter D        what to write after each message (\n)
  -J, --json               as `tern amqp consume -J`

Exit status: 1 if there was none.

Examples:
  tern amqp get -q jobs
  tern amqp get -q jobs -c 0 -k -J | jq -r .payload          # look, and leave them there
)";

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  AmqpOptions common;
  std::optional<std::string> queue;
  std::optional<std::string> exchange;
  std::vector<std::string> keys;
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  std::uint16_t prefetch = 100;
  bool no_ack = false;
  bool exclusive = false;
  bool keep = false;
  std::string delimiter = "\n";
};

void take(const GivenOption& option, Options& out) {
  switch (option.letter) {
    case 'q':
      out.queue = option.value;
      break;
    case 'e':
      out.exchange = option.value;
      break;
    case 'r':
      out.keys.push_back(option.value);
      break;
    case 'c':
      out.count = number_of("-c", option.value, 0, std::numeric_limits<std::int64_t>::max());
      break;
    case 'p':
      out.prefetch = static_cast<std::uint16_t>(
          number_of("-p", option.value, 1, std::numeric_limits<std::uint16_t>::max()));
      break;
    case 'A':
      out.no_ack = true;
      break;
    case 'x':
      out.exclusive = true;
      break;
    case 'k':
      out.keep = true;
      break;
    case 'D':
      out.delimiter = unescape(option.value);
      break;
    default:
      out.common.take(option);
  }
}

Options read(const std::vector<std::string>& arguments, const std::vector<Option>& known) {
  const GivenOptions given = read_amqp_options(arguments, known);
  Options options;
  for (const GivenOption& each : given.options) take(each, options);
  if (!given.others.empty()) {
    throw UsageError("\"" + given.others[0] + "\": a queue is named with -q");
  }
  return options;
}

// Writes messages as they are wanted.
class Writer {
 public:
  explicit Writer(const Options& options) : options_(options), output_(STDOUT_FILENO) {}

  void add(const amqp::Delivery& delivery) {
    if (options_.common.json) {
      append_json({delivery.exchange(), delivery.routing_key(), delivery.redelivered(),
                   delivery.properties(), delivery.body()},
                  output_.buffer());
      output_.buffer() += '\n';
    } else {
      output_.buffer().append(delivery.body()).append(options_.delimiter);
    }
    bytes_ += static_cast<std::int64_t>(delivery.body().size());
    ++count_;
  }
  Output& output() { return output_; }
  std::int64_t count() const { return count_; }

  void summarize(bool interrupted, Clock::duration took) {
    if (options_.common.quiet || output_.reader_gone()) return;
    note((interrupted ? "interrupted; read " : "read ") +
         in_words(count_, bytes_, took, "message"));
  }

 private:
  const Options& options_;
  Output output_;
  std::int64_t count_ = 0;
  std::int64_t bytes_ = 0;
};

// Deliveries on their way from the client's thread to the one that writes.
class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  explicit Inbox(amqp::Subscription subscription) : subscription_(std::move(subscription)) {}

  // Takes the next one, and the next, until `most` wait here.
  void receive() {
    subscription_.async_next(
        [self = shared_from_this()](const std::error_code& error, amqp::Delivery delivery) {
          self->on_delivery(error, std::move(delivery));
        },
        &diagnostics_);
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }
  // Waits until there is something, for at most a glance.
  void wait(std::chrono::milliseconds glance, std::vector<amqp::Delivery>& out) {
    out.clear();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, glance, [&] { return woken_ || ended_ || !waiting_.empty(); });
    out.swap(waiting_);
    if (!std::exchange(is_full_, false)) return;
    lock.unlock();
    receive();
  }
  // Why no more will come, if that is so and all were taken.
  std::optional<Failure> ended() const {
    const std::lock_guard lock(mutex_);
    return waiting_.empty() ? ended_ : std::nullopt;
  }

 private:
  static constexpr std::size_t kMost = 1000;

  void on_delivery(const std::error_code& error, amqp::Delivery delivery) {
    {
      const std::lock_guard lock(mutex_);
      changed_.notify_one();
      if (error) {
        ended_ = Failure(error, diagnostics_.message);
        return;
      }
      waiting_.push_back(std::move(delivery));
      is_full_ = waiting_.size() >= kMost;
      if (is_full_) return;
    }
    receive();
  }

  amqp::Subscription subscription_;
  Diagnostics diagnostics_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<amqp::Delivery> waiting_;
  bool is_full_ = false;  // and receiving is stopped
  bool woken_ = false;
  std::optional<Failure> ended_;
};

class Consumer {
 public:
  Consumer(AmqpSession& session, const Options& options)
      : session_(session), options_(options), writer_(options) {}

  // Exit status.
  int run() {
    const std::string queue = find_queue();
    amqp::BasicConsume request;
    request.queue = std::string_view(queue);
    request.no_ack = options_.no_ack;
    request.exclusive = options_.exclusive;
    // What is fetched and not wanted would go back marked as redelivered.
    const auto prefetch = static_cast<std::uint16_t>(
        options_.no_ack ? 0 : std::min<std::int64_t>(options_.prefetch, options_.count));
    inbox_ = std::make_shared<Inbox>(
        session_.call("cannot consume from " + queue, [&](Diagnostics* diagnostics) {
          return session_.channel().async_consume(request, {prefetch}, asio::use_future,
                                                  diagnostics);
        }));
    session_.interrupt().watch_reader(STDOUT_FILENO);
    const Interrupt::Reaction reaction(session_.interrupt(), [inbox = inbox_] { inbox->wake(); });
    const auto start = Clock::now();
    const bool failed = !receive();
    session_.close();
    const bool interrupted = session_.interrupt().raised();
    writer_.summarize(interrupted, Clock::now() - start);
    if (failed) return kFailed;
    return counted() && interrupted && writer_.count() < options_.count ? kInterrupted : 0;
  }

 private:
  // Its name; with -e it is made.
  std::string find_queue() {
    if (options_.queue) return *options_.queue;
    amqp::QueueDeclare declare;
    declare.exclusive = true;
    const std::string name =
        session_
            .call("cannot make a queue",
                  [&](Diagnostics* diagnostics) {
                    return session_.channel().async_declare(declare, asio::use_future, diagnostics);
                  })
            .name;
    for (const std::string& key : options_.keys) {
      amqp::QueueBind bind;
      bind.queue = std::string_view(name);
      bind.exchange = std::string_view(*options_.exchange);
      bind.routing_key = std::string_view(key);
      session_.call("cannot bind to " + *options_.exchange, [&](Diagnostics* diagnostics) {
        return session_.channel().async_call(bind, asio::use_future, diagnostics);
      });
    }
    return name;
  }

  bool counted() const { return options_.count != std::numeric_limits<std::int64_t>::max(); }
  bool over() {
    return writer_.count() >= options_.count || session_.interrupt().raised() ||
           writer_.output().reader_gone();
  }

  // False: it ended by itself, and not well.
  bool receive() {
    Progress progress("consuming", counted() ? options_.count : 0, "messages");
    if (isatty(STDOUT_FILENO) != 0) progress.disable();
    inbox_->receive();
    std::vector<amqp::Delivery> deliveries;
    while (!over()) {
      if (const auto why = inbox_->ended()) {
        progress.clear();
        note(why->message());
        return false;
      }
      inbox_->wait(kGlance, deliveries);
      write(deliveries);
      progress.show(writer_.count());
    }
    return true;
  }

  void write(const std::vector<amqp::Delivery>& deliveries) {
    const amqp::Delivery* last = nullptr;
    for (const amqp::Delivery& each : deliveries) {
      if (writer_.count() >= options_.count) break;
      writer_.add(each);
      last = &each;
      if (!writer_.output().full()) continue;
      if (!flush(*last)) return;
      last = nullptr;
    }
    if (last) flush(*last);
  }
  // False: nobody reads any more, so nothing was acknowledged.
  bool flush(const amqp::Delivery& last) {
    writer_.output().flush();
    if (writer_.output().reader_gone()) return false;
    if (!options_.no_ack) last.ack_all();
    return true;
  }

  static constexpr std::chrono::milliseconds kGlance{100};

  AmqpSession& session_;
  const Options& options_;
  Writer writer_;
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace

int run_amqp_consume(const std::vector<std::string>& arguments) {
  Options options = read(arguments, {TERN_COMMON_AMQP_OPTIONS,
                                     {'q', "queue", true},
                                     {'e', "exchange", true},
                                     {'r', "routing-key", true},
                                     {'c', "count", true},
                                     {'p', "prefetch", true},
                                     {'A', "no-ack", false},
                                     {'x', "exclusive", false},
                                     {'D', "delimiter", true}});
  if (!options.queue && !options.exchange) {
    throw UsageError("where from? say -q QUEUE, or -e EXCHANGE and -r KEY");
  }
  if (options.queue && options.exchange) {
    throw UsageError("-q and -e: one of them; `tern amqp bind` binds a queue to an exchange");
  }
  if (!options.keys.empty() && !options.exchange) throw UsageError("-r goes with -e EXCHANGE");
  if (options.count == 0) throw UsageError("-c: must be 1 or more");
  if (options.keys.empty()) options.keys.emplace_back();
  AmqpSession session(options.common, /*recover=*/true);
  return Consumer(session, options).run();
}

int run_amqp_get(const std::vector<std::string>& arguments) {
  Options options;
  options = read(arguments, {TERN_COMMON_AMQP_OPTIONS,
                             {'q', "queue", true},
                             {'c', "count", true},
                             {'k', "keep", false},
                             {'D', "delimiter", true}});
  if (!options.queue) throw UsageError("where from? say -q QUEUE");
  if (options.count == std::numeric_limits<std::int64_t>::max()) options.count = 1;
  if (options.count == 0) options.count = std::numeric_limits<std::int64_t>::max();
  AmqpSession session(options.common, /*recover=*/false);
  Writer writer(options);
  amqp::BasicGet request;
  request.queue = std::string_view(*options.queue);
  const auto start = Clock::now();
  while (writer.count() < options.count && !session.interrupt().raised()) {
    const amqp::Delivery delivery =
        session.call("cannot get from " + *options.queue, [&](Diagnostics* diagnostics) {
          return session.channel().async_get(request, asio::use_future, diagnostics);
        });
    if (!delivery) break;
    writer.add(delivery);
    writer.output().flush();
    if (writer.output().reader_gone()) break;
    // What is not acknowledged goes back when the connection ends.
    if (!options.keep) delivery.ack();
  }
  session.close();
  if (writer.count() == 0) {
    if (!options.common.quiet) note("queue " + *options.queue + " has no messages");
    return kFailed;
  }
  writer.summarize(session.interrupt().raised(), Clock::now() - start);
  return session.interrupt().raised() ? kInterrupted : 0;
}

}  // namespace tern::cli
