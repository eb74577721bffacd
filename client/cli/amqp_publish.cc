// tern amqp publish: lines, files or JSON to messages. This thread reads and cuts; the client's own
// sends. At most so many messages are without a confirm at a time, and reading waits for them:
// memory stays bounded for endless input.
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include "client/amqp/resend.h"
#include "client/cli/amqp_commands.h"
#include "client/cli/amqp_message.h"
#include "client/cli/amqp_session.h"
#include "client/cli/feed.h"
#include "client/cli/progress.h"
#include "client/cli/source.h"
#include "client/cli/text_format.h"
#include "protocol/amqp/errors.h"

namespace tern::cli {

const char* const kAmqpPublishHelp =
    R"(tern amqp publish (-q QUEUE | -e EXCHANGE [-r KEY] | -J) [FILE...]: send messages

Each line of standard input is a message, the last one also without a newline; empty lines are none.
Given FILEs, each file as a whole is a message; with -l each of their lines is one.

  -q, --queue QUEUE           straight to a queue
  -e, --exchange EXCHANGE     to an exchange
  -r, --routing-key KEY       with this routing key (empty)
  -b, --body TEXT             one message, this one
  -l, --lines                 messages are the lines of the FILEs
  -D, --delimiter DELIMITER   what ends a message (\n); \t, \r, \0 and \xNN are understood
  -H, --header N=V            a header of all messages, as often as you like
  -P, --property N=V          a property of all messages: content_type, priority, expiration, ...
  -C, --content-type TYPE     the same as -P content_type=TYPE
  -t, --reply-to QUEUE        the same as -P reply_to=QUEUE
  -c, --count N               stop after so many messages
      --transient             messages may be lost when the broker restarts (they are persistent)
      --mandatory             a message to an EXCHANGE that no queue gets is an error (with -q always)
      --resend                what may be lost with a connection is sent again, and may be there
                              twice then (without this it is an error)
      --confirm               wait until the broker has every message (that is so anyway)
      --no-confirm            do not: what is written to the network counts as sent
  -J, --json                  each line is a message in JSON: {"routing_key":"k","payload":"v"}, also
                              with exchange, properties (headers are one of them) and payload_base64;
                              what `consume -J` writes is understood

Exits with 1 if the broker did not take a message, or if it is not known whether it did. Ctrl-C: whole
messages that were read are sent, and the exit status is 130; a second one ends at once.

Examples:
  echo hello | tern amqp publish -q greetings
  tail -f app.log | tern amqp publish -e logs -r app.web
  tern amqp publish -e pictures -C image/png -H album=summer *.png
  tern amqp publish -q jobs -b '{"n":1}' -C application/json -P priority=5 -P expiration=60000
  tern amqp consume -q a -J -c 100 | tern amqp publish -q b -J
)";

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLongest = std::size_t{128} << 20;  // RabbitMQ takes no more
constexpr std::size_t kMostUnconfirmed = 5'000;           // half of what a channel allows
constexpr std::size_t kMostBytes = std::size_t{16} << 20;
constexpr std::chrono::milliseconds kGlance{100};

enum Letter : char { kTransient = kAmqpQuiet + 1, kMandatory, kResend, kConfirm, kNoConfirm };

struct Options {
  AmqpOptions common;
  std::vector<std::string> files;
  std::optional<std::string> queue;
  std::optional<std::string> exchange;
  std::string routing_key;
  std::optional<std::string> body;
  bool lines = false;
  std::string delimiter = "\n";
  AmqpProperties properties;
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  bool mandatory = false;
  bool resend = false;
  bool confirm = true;
};

void set_property(const char* option, std::string_view name, const std::string& value,
                  Options& out) {
  const std::string wrong = out.properties.set(name, value);
  if (!wrong.empty()) throw UsageError(std::string(option) + ": " + wrong);
}

void take(const GivenOption& option, Options& out) {
  const std::string& value = option.value;
  switch (option.letter) {
    case 'q':
      out.queue = value;
      break;
    case 'e':
      out.exchange = value;
      break;
    case 'r':
      out.routing_key = value;
      break;
    case 'b':
      out.body = value;
      break;
    case 'l':
      out.lines = true;
      break;
    case 'D':
      out.delimiter = unescape(value);
      if (out.delimiter.empty()) throw UsageError("-D: must not be empty");
      break;
    case 'H': {
      const auto [name, text] = pair_of("-H", value);
      if (!out.properties.set_header(name, std::string_view(text))) {
        throw UsageError("-H: a name has at most 255 bytes");
      }
      break;
    }
    case 'P': {
      const auto [name, text] = pair_of("-P", value);
      set_property("-P", name, text, out);
      break;
    }
    case 'C':
      set_property("-C", "content_type", value, out);
      break;
    case 't':
      set_property("-t", "reply_to", value, out);
      break;
    case 'c':
      out.count = number_of("-c", value, 1, out.count);
      break;
    case kTransient:
      out.properties.properties().delivery_mode = amqp::kTransient;
      break;
    case kMandatory:
      out.mandatory = true;
      break;
    case kResend:
      out.resend = true;
      break;
    case kConfirm:
    case kNoConfirm:
      out.confirm = option.letter == kConfirm;
      break;
    default:
      out.common.take(option);
  }
}

void read(const std::vector<std::string>& arguments, Options& options) {
  GivenOptions given = read_amqp_options(arguments, {TERN_COMMON_AMQP_OPTIONS,
                                                     {'q', "queue", true},
                                                     {'e', "exchange", true},
                                                     {'r', "routing-key", true},
                                                     {'b', "body", true},
                                                     {'l', "lines", false},
                                                     {'D', "delimiter", true},
                                                     {'H', "header", true},
                                                     {'P', "property", true},
                                                     {'C', "content-type", true},
                                                     {'t', "reply-to", true},
                                                     {'c', "count", true},
                                                     {kTransient, "transient", false},
                                                     {kMandatory, "mandatory", false},
                                                     {kResend, "resend", false},
                                                     {kConfirm, "confirm", false},
                                                     {kNoConfirm, "no-confirm", false}});
  for (const GivenOption& each : given.options) take(each, options);
  options.files = std::move(given.others);
  auto& properties = options.properties.properties();
  if (!properties.delivery_mode) properties.delivery_mode = amqp::kPersistent;
  if (options.queue && (options.exchange || !options.routing_key.empty())) {
    throw UsageError("-q goes straight to a queue; -e EXCHANGE -r KEY goes through an exchange");
  }
  if (!options.queue && !options.exchange && !options.common.json) {
    throw UsageError("where to? say -q QUEUE, or -e EXCHANGE and -r KEY");
  }
  if (options.body && (!options.files.empty() || options.lines || options.common.json)) {
    throw UsageError("-b is the whole input: no FILEs, -l or -J then");
  }
  if (options.lines && options.files.empty()) throw UsageError("-l: which file?");
  if (options.resend && !options.confirm) {
    throw UsageError("--resend needs the confirms that --no-confirm does without");
  }
  if (!options.confirm && (options.mandatory || options.queue)) {
    options.mandatory = false;  // who does not wait does not learn of it
  }
  if (options.common.json && !options.files.empty()) options.lines = true;
}

// What became of the messages. The client's thread adds, the other one reads and waits.
class Fates {
 public:
  struct Pending {
    std::string place;
    std::size_t bytes = 0;
    Diagnostics diagnostics;
  };

  void begin(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    ++open_;
    open_bytes_ += bytes;
  }
  void end(const std::error_code& error, const Pending& pending) {
    const bool maybe = error == ClientErrc::maybe_written;
    if (error) {
      complaints_.add(pending.place +
                      (maybe ? ": may not have reached the broker: " : ": not taken: ") +
                      pending.diagnostics.message);
    }
    const std::lock_guard lock(mutex_);
    --open_;
    open_bytes_ -= pending.bytes;
    ++(maybe ? maybe_ : error ? failed_ : confirmed_);
    // The broker has closed the channel: nothing more can be sent on it.
    const bool returned = error == amqp::ReplyErrc::no_route;
    over_ |= error.category() == amqp::reply_category() && !returned;
    over_ |= error == ClientErrc::closed;
    if (open_ == 0 || (open_ < kMostUnconfirmed / 2 && open_bytes_ < kMostBytes / 2)) {
      changed_.notify_one();
    }
  }
  void fail(const std::string& place, const std::string& what) {
    complaints_.add(place + ": " + what);
    const std::lock_guard lock(mutex_);
    ++failed_;
  }

  // Waits for at most a glance. True: there is room for one more, of so many bytes.
  bool wait_room(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const auto has_room = [&] {
      return open_ == 0 || (open_ < kMostUnconfirmed && open_bytes_ + bytes <= kMostBytes);
    };
    return changed_.wait_for(lock, kGlance, has_room);
  }
  bool wait_all() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kGlance, [&] { return open_ == 0; });
  }

  struct Counts {
    std::int64_t confirmed = 0, failed = 0, maybe = 0;
    bool over = false;
  };
  Counts counts() const {
    const std::lock_guard lock(mutex_);
    return {confirmed_, failed_, maybe_, over_};
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;
  std::size_t open_bytes_ = 0;
  std::int64_t confirmed_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t maybe_ = 0;
  bool over_ = false;
  Complaints complaints_;
};

class Publisher final : private Feed {
 public:
  Publisher(AmqpSession& session, const Options& options)
      : Feed(session.interrupt(), {.doing = "publishing",
                                   .unit = "message",
                                   .delimiter = options.delimiter,
                                   .longest = kLongest,
                                   .longer = ""}),
        session_(session),
        options_(options),
        resending_(session.channel(), kMostUnconfirmed) {}

  // Exit status.
  int run() {
    check_target();
    const auto start = Clock::now();
    bool whole = true;
    try {
      if (options_.body) {
        const std::string source = "the message";
        send_plain(*options_.body, {source, "", 0});
      } else {
        whole = feed(options_.files, options_.lines);
      }
    } catch (const Interrupted&) {  // while there was no connection
      whole = false;
    }
    interrupted_ = !whole;
    flush();
    session_.close();
    return summarize(Clock::now() - start);
  }

 private:
  // What is surely wrong is said before anything is read.
  void check_target() {
    if (options_.queue) session_.find_queue(*options_.queue);
    if (!options_.exchange || options_.exchange->empty()) return;
    amqp::ExchangeDeclare request;
    request.exchange = std::string_view(*options_.exchange);
    request.passive = true;
    session_.call("cannot use exchange " + *options_.exchange, [&](Diagnostics* diagnostics) {
      return session_.channel().async_call(request, asio::use_future, diagnostics);
    });
  }

  bool enough() const override { return taken_ >= options_.count || fates_->counts().over; }
  std::int64_t done() const override { return fates_->counts().confirmed; }
  void refuse(const Place& place, const std::string& what) override {
    fates_->fail(place.text(), what);
  }
  void take(std::string_view text, const Place& place) override {
    if (options_.common.json && place.number != 0) {
      send_json(text, place);
    } else {
      send_plain(text, place);
    }
  }

  void send_plain(std::string_view body, const Place& place) {
    amqp::Target target;
    target.exchange = std::string_view(exchange());
    target.routing_key = std::string_view(options_.queue ? *options_.queue : options_.routing_key);
    send(target, {body, options_.properties.view()}, place);
  }

  void send_json(std::string_view line, const Place& place) {
    AmqpInput input;
    const std::string wrong = read_json(line, input);
    if (!wrong.empty()) return refuse(place, wrong);
    const bool fixed = options_.queue || options_.exchange;
    if (!fixed && !input.routing_key && !input.exchange) {
      return refuse(place, "neither exchange nor routing_key, and no -q or -e either");
    }
    amqp::Target target;
    target.exchange = std::string_view(!fixed && input.exchange ? *input.exchange : exchange());
    const bool own_key = !options_.queue && options_.routing_key.empty() && input.routing_key;
    target.routing_key = std::string_view(own_key          ? *input.routing_key
                                          : options_.queue ? *options_.queue
                                                           : options_.routing_key);
    send(target, {input.payload, merged(input.properties.view(), options_.properties.view())},
         place);
  }

  const std::string& exchange() const {
    static const std::string kDefault;
    return options_.exchange ? *options_.exchange : kDefault;
  }

  void send(amqp::Target target, const amqp::Message& message, const Place& place) {
    // Straight to a queue means to that queue.
    target.mandatory = options_.confirm && (options_.mandatory || target.exchange.empty());
    while (!fates_->wait_room(message.body.size())) show();
    if (session_.is_lost() && !options_.resend) {
      session_.call("cannot publish", [this](Diagnostics* diagnostics) {
        return session_.channel().async_wait_space(asio::use_future, diagnostics);
      });
    }
    auto pending = std::make_unique<Fates::Pending>();
    pending->place = place.text();
    pending->bytes = message.body.size();
    Diagnostics* const diagnostics = &pending->diagnostics;
    fates_->begin(message.body.size());
    auto done = [fates = fates_, pending = std::move(pending)](const std::error_code& error) {
      fates->end(error, *pending);
    };
    if (options_.resend) {
      resending_.async_publish(target, message, std::move(done), diagnostics);
    } else {
      session_.channel().async_publish(target, message, std::move(done), diagnostics);
    }
    ++taken_;
    bytes_ += static_cast<std::int64_t>(message.body.size());
  }

  void show() {
    if (progress()) progress()->show(progress_done());
  }

  void flush() {
    if (interrupted_ && !options_.common.quiet) {
      note("interrupted: sending what was read; once more to give it up");
    }
    Progress progress("publishing", taken_, "messages");
    while (!fates_->wait_all()) {
      const Fates::Counts counts = fates_->counts();
      progress.show(counts.confirmed + counts.failed + counts.maybe);
    }
  }

  int summarize(Clock::duration took) {
    const Fates::Counts counts = fates_->counts();
    const bool all = counts.failed + counts.maybe == 0;
    if (!options_.common.quiet) {
      std::string text = interrupted_ ? "interrupted; " : "";
      text += options_.confirm ? "published " : "sent ";
      text += in_words(counts.confirmed, all ? bytes_ : -1, took, "message");
      if (counts.failed) text += ", " + with_commas(counts.failed) + " not taken";
      if (counts.maybe) text += ", " + with_commas(counts.maybe) + " may or may not be there";
      note(text);
    }
    if (!all) return kFailed;
    return interrupted_ ? kInterrupted : 0;
  }

  AmqpSession& session_;
  const Options& options_;
  amqp::AtLeastOnce resending_;
  // The client may still tell of messages when this object is gone.
  const std::shared_ptr<Fates> fates_ = std::make_shared<Fates>();
  std::int64_t taken_ = 0;
  std::int64_t bytes_ = 0;
  bool interrupted_ = false;  // before the end of the input
};

}  // namespace

int run_amqp_publish(const std::vector<std::string>& arguments) {
  Options options;
  read(arguments, options);
  for (const std::string& file : options.files) check_file(file);
  AmqpSession session(options.common, /*recover=*/true, {.confirms = options.confirm});
  return Publisher(session, options).run();
}

}  // namespace tern::cli
