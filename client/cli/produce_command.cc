// tern kafka produce: lines, files or JSON to records. This thread reads and cuts; the client's own
// sends. When the client's buffer is full, reading waits: memory stays bounded for endless input.
#include <unistd.h>

#include <atomic>
#include <limits>
#include <memory>
#include <optional>

#include "client/cli/feed.h"
#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cli/source.h"
#include "client/cli/text_format.h"
#include "client/kafka/producer.h"

namespace tern::cli {

const char* const kProduceHelp =
    R"(tern kafka produce -b BROKERS -t TOPIC [FILE...]: send records

Each line of standard input is a record, the last one also without a newline; empty lines are none.
Given FILEs, each file as a whole is a record; with -l each of their lines is one.

  -t, --topic TOPIC     where to
  -l, --lines           records are the lines of the FILEs
  -D DELIMITER          what ends a record (\n); \t, \r, \0 and \xNN are understood
  -K DELIMITER          what ends the key in front of a value: -K : for "key:value"
  -k, --key KEY         the key of all records (of those without one, with -K or -J)
  -p, --partition N     the partition of all records; -1: by key, without one any (-1)
  -H, --header N=V      a header of all records, as often as you like; without =V it is null
  -z, --compress CODEC  gzip, snappy, lz4, zstd or none; the level is -X compression.level=N
  -Z                    what is empty is null: values (tombstones) and keys
  -c, --count N         stop after so many records
  -T, --tee             write the records to standard output as well
  -J, --json            each line is a record in JSON: {"key":"k","value":"v"}, also with topic,
                        partition, ts, headers ({"name":"value"} or ["name","value"]), key_base64 and
                        value_base64 for bytes; what `consume -J` writes is understood
  -E                    nothing: after a record that could not be sent, the others are, with it or not

Waits for every record to be acknowledged by all in-sync replicas, sends none twice, and exits with 1
if any was not delivered. Ctrl-C: whole records that were read are delivered, and the exit status is
130; a second one ends at once.

Examples:
  echo hello | tern kafka produce -b localhost:9092 -t greetings
  tail -f app.log | tern kafka produce -b localhost:9092 -t logs -z gzip -X linger.ms=100
  tern kafka produce -b localhost:9092 -t users -K , -l users.csv
  echo 'alice,' | tern kafka produce -b localhost:9092 -t users -K , -Z      # deletes alice
  tern kafka produce -b localhost:9092 -t pictures -H type=png *.png
  echo '{"key":"a","value":{"n":1}}' | tern kafka produce -b localhost:9092 -t orders -J
)";

namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kAllowLonger = "-X max.request.size=N";

struct Options {
  CommonOptions common;
  std::vector<std::string> files;
  bool lines = false;
  std::string delimiter = "\n";
  std::string key_delimiter;  // empty: lines have no keys
  std::optional<std::string> key;
  std::int32_t partition = kafka::kPartitionByKey;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  bool empty_is_null = false;
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  bool tee = false;
};

void take(const GivenOption& option, Options& out) {
  const std::string& value = option.value;
  switch (option.letter) {
    case 'l':
      out.lines = true;
      break;
    case 'D':
      out.delimiter = unescape(value);
      if (out.delimiter.empty()) throw UsageError("-D: must not be empty");
      break;
    case 'K':
      out.key_delimiter = unescape(value);
      if (out.key_delimiter.empty()) throw UsageError("-K: must not be empty");
      break;
    case 'k':
      out.key = value;
      break;
    case 'p':
      out.partition = static_cast<std::int32_t>(
          number_of("-p", value, -1, std::numeric_limits<std::int32_t>::max()));
      break;
    case 'H': {
      const std::size_t equals = value.find('=');
      if (equals == 0 || value.empty()) throw UsageError("-H: a header needs a name, as in -H a=1");
      auto& [name, text] = out.headers.emplace_back(value.substr(0, equals), std::nullopt);
      if (equals != std::string::npos) text = value.substr(equals + 1);
      break;
    }
    case 'z':
      out.common.properties.push_back({"compression.type", value});
      break;
    case 'Z':
      out.empty_is_null = true;
      break;
    case 'c':
      out.count = number_of("-c", value, 1, out.count);
      break;
    case 'T':
      out.tee = true;
      break;
    default:
      out.common.take(option);
  }
}

Options read(const std::vector<std::string>& arguments) {
  GivenOptions given = read_options(arguments, produce_options());
  Options options;
  for (const GivenOption& each : given.options) take(each, options);
  options.files = std::move(given.others);
  if (options.common.topic.empty() && !options.common.json) {
    throw UsageError("which topic? say -t TOPIC");
  }
  if (options.lines && options.files.empty()) throw UsageError("-l: which file?");
  if (options.common.json && !options.key_delimiter.empty()) {
    throw UsageError("-J and -K: the keys are in the JSON");
  }
  if (options.common.json && !options.files.empty()) options.lines = true;
  return options;
}

// What became of the records. The client's thread adds, this one reads.
class Fates {
 public:
  void add(const kafka::BatchReport& report) {
    const auto count = static_cast<std::int64_t>(report.count);
    if (!report.error) {
      delivered_.fetch_add(count, std::memory_order_relaxed);
      return;
    }
    const bool maybe = report.error == ClientErrc::maybe_written;
    (maybe ? maybe_ : failed_).fetch_add(count, std::memory_order_relaxed);
    complaints_.add(std::to_string(count) + " record" + (count == 1 ? "" : "s") + " for " +
                    std::string(report.topic) +
                    (maybe ? " may not be written: " : " not written: ") + report.message());
  }
  void fail(const std::string& what) {
    failed_.fetch_add(1, std::memory_order_relaxed);
    complaints_.add(what);
  }

  std::int64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
  std::int64_t failed() const { return failed_.load(std::memory_order_relaxed); }
  std::int64_t maybe() const { return maybe_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> delivered_{0};
  std::atomic<std::int64_t> failed_{0};
  std::atomic<std::int64_t> maybe_{0};
  Complaints complaints_;
};

Feed::Style style_of(const Session& session, const Options& options) {
  return {.doing = "producing",
          .unit = "record",
          .delimiter = options.delimiter,
          .longest = session.configs().producer.max_request_bytes,
          .longer = kAllowLonger};
}

class Feeder final : private Feed {
 public:
  Feeder(Session& session, const Options& options)
      : Feed(session.interrupt(), style_of(session, options)),
        session_(session),
        options_(options),
        producer_(session.client(), session.configs().producer) {
    // The client may still tell of batches when this object is gone.
    producer_.on_batch([fates = fates_](const kafka::BatchReport& report) { fates->add(report); });
    if (!options.common.topic.empty()) topic_.emplace(producer_.topic(options.common.topic));
    for (const auto& [name, value] : options.headers) {
      headers_.push_back({name, value ? wire::Bytes(*value) : wire::Bytes::null()});
    }
    if (options.tee) output_ = std::make_unique<Output>(STDOUT_FILENO);
  }

  // Exit status.
  int run() {
    check_topic();
    const auto start = Clock::now();
    interrupted_ = !feed(options_.files, options_.lines);
    flush();
    return summarize(Clock::now() - start);
  }

 private:
  // What is surely wrong is said before anything is read.
  void check_topic() {
    if (!topic_) return;
    const std::string& name = options_.common.topic;
    const kafka::TopicDescription topic = session_.describe(name);
    if (topic.error) {
      if (session_.configs().client.allow_auto_create_topics &&
          topic.error == kafka::BrokerErrc::unknown_topic_or_partition) {
        return;  // the broker makes it, or the records say that it did not
      }
      throw std::runtime_error("topic " + name + ": " + topic.error.message() +
                               "; `tern kafka topics --create " + name + "` makes one");
    }
    if (options_.partition >= static_cast<std::int32_t>(topic.partitions.size())) {
      throw UsageError("-p " + std::to_string(options_.partition) + ": topic " + name +
                       " has partitions 0 to " + std::to_string(topic.partitions.size() - 1));
    }
  }

  bool enough() const override { return taken_ >= options_.count; }
  std::int64_t done() const override { return fates_->delivered(); }
  void after_piece() override {
    if (output_) output_->flush();
  }
  void refuse(const Place& place, const std::string& what) override {
    fates_->fail(place.text() + ": " + what);
  }

  void take(std::string_view text, const Place& place) override {
    if (place.number == 0) {
      send_whole(text, place);
    } else if (options_.common.json) {
      send_json(text, place);
    } else {
      send_line(text, place);
    }
    if (output_ && place.number != 0) output_->buffer().append(text).append(options_.delimiter);
  }

  kafka::Record blank() const {
    kafka::Record record;
    if (options_.key) record.key = nullable(*options_.key);
    record.headers = headers_;
    record.partition = options_.partition;
    return record;
  }

  wire::Bytes nullable(std::string_view text) const {
    return text.empty() && options_.empty_is_null ? wire::Bytes::null() : wire::Bytes(text);
  }

  void send_whole(std::string_view content, const Place& place) {
    kafka::Record record = blank();
    record.value = nullable(content);
    send(record, place);
  }

  void send_line(std::string_view line, const Place& place) {
    kafka::Record record = blank();
    if (!options_.key_delimiter.empty()) {
      if (const std::size_t at = line.find(options_.key_delimiter); at != std::string_view::npos) {
        record.key = nullable(line.substr(0, at));
        line.remove_prefix(at + options_.key_delimiter.size());
      }
    }
    record.value = nullable(line);
    send(record, place);
  }

  void send_json(std::string_view line, const Place& place) {
    const std::string wrong = read_json(line, json_);
    if (!wrong.empty()) return refuse(place, wrong);
    if (!topic_ && !json_.topic) return refuse(place, "no topic, and no -t either");
    kafka::Record record = blank();
    if (json_.key) record.key = nullable(*json_.key);
    record.value = json_.value ? nullable(*json_.value) : wire::Bytes::null();
    std::vector<kafka::Header> headers;
    for (const auto& [name, value] : json_.headers) {
      headers.push_back({name, value ? wire::Bytes(*value) : wire::Bytes::null()});
    }
    if (!headers.empty()) record.headers = headers;
    if (options_.partition < 0) record.partition = json_.partition;
    record.timestamp_ms = json_.timestamp_ms;
    send(record, place);
  }

  void send(const kafka::Record& record, const Place& place) {
    const auto try_it = [&] {
      return topic_ ? producer_.try_send(*topic_, record)
                    : producer_.try_send(*json_.topic, record);
    };
    std::error_code error = try_it();
    while (error == ClientErrc::queue_full) {
      std::future<void> space = producer_.async_wait_space(asio::use_future);
      if (progress()) progress()->wait(space, [this] { return progress_done(); });
      space.get();
      error = try_it();
    }
    if (error) {
      const bool too_large = error == ClientErrc::record_too_large;
      return refuse(
          place,
          error.message() + (too_large ? std::string("; ") + kAllowLonger + " allows more" : ""));
    }
    ++taken_;
    bytes_ += static_cast<std::int64_t>(record.key.size() + record.value.size());
  }

  void flush() {
    if (interrupted_ && !options_.common.quiet()) {
      note("interrupted: delivering what was read; once more to give it up");
    }
    Progress progress("delivering", taken_, "records");
    std::future<void> flushed = producer_.async_flush(asio::use_future);
    progress.wait(flushed,
                  [this] { return fates_->delivered() + fates_->failed() + fates_->maybe(); });
    flushed.get();
  }

  int summarize(Clock::duration took) {
    const std::int64_t lost = fates_->failed() + fates_->maybe();
    if (!options_.common.quiet()) {
      const std::string whole =
          fates_->maybe() ? ", " + with_commas(fates_->maybe()) + " may or may not be written" : "";
      const std::string failed =
          fates_->failed() ? ", " + with_commas(fates_->failed()) + " not written" : "";
      note((interrupted_ ? "interrupted; delivered " : "delivered ") +
           in_words(fates_->delivered(), lost == 0 ? bytes_ : -1, took) + failed + whole);
    }
    if (lost != 0) return kFailed;
    return interrupted_ ? kInterrupted : 0;
  }

  Session& session_;
  const Options& options_;
  const std::shared_ptr<Fates> fates_ = std::make_shared<Fates>();
  kafka::Producer producer_;
  std::optional<kafka::TopicHandle> topic_;
  std::vector<kafka::Header> headers_;
  std::unique_ptr<Output> output_;  // for -T
  JsonRecord json_;
  std::int64_t taken_ = 0;
  std::int64_t bytes_ = 0;
  bool interrupted_ = false;  // before the end of the input
};

}  // namespace

std::vector<Option> produce_options() {
  return {TERN_COMMON_KAFKA_OPTIONS,    {'l', "lines", false},   {'D', "delimiter", true},
          {'K', "key-delimiter", true}, {'k', "key", true},      {'p', "partition", true},
          {'H', "header", true},        {'z', "compress", true}, {'Z', nullptr, false},
          {'c', "count", true},         {'T', "tee", false}};
}

int run_produce(const std::vector<std::string>& arguments) {
  const Options options = read(arguments);
  for (const std::string& file : options.files) check_file(file);
  Session session(options.common);
  return Feeder(session, options).run();
}

}  // namespace tern::cli
