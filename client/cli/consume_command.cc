// tern kafka consume: records to standard output, one write per poll.
#include <unistd.h>

#include <algorithm>
#include <asio/detached.hpp>
#include <limits>
#include <optional>

#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/offsets.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cli/text_format.h"
#include "client/kafka/consumer.h"

namespace tern::cli {

const char* const kConsumeHelp =
    R"(tern kafka consume -b BROKERS -t TOPIC: read records

Writes the value of each record and a newline, all partitions, from the beginning, and waits for more
until Ctrl-C.

  -t, --topic TOPIC     where from
  -p, --partition N     one partition only
  -o, --offset WHERE    beginning, end, an offset, -N (the last N of each partition),
                        s@MS from a time on, e@MS up to a time; the last two also together
  -e, --exit            exit at the end: of each partition, as it is when that is reached
  -c, --count N         exit after so many records
  -f, --format FORMAT   how to write a record: %s value, %k key, %t topic, %p partition, %o offset,
                        %T timestamp, %h headers, %S and %K lengths of value and key (-1: null), %R the
                        value's length in four bytes, %%, and \n \t \r \0 \\ \xNN
  -D DELIMITER          what to write after each record (\n)
  -K DELIMITER          write the key and this in front of each value
  -O                    with -K: write the offset and the delimiter in front of the key
  -Z                    write NULL for null keys and values
  -J, --json            one JSON object a line: topic, partition, offset, tstype, ts, broker, headers,
                        key, payload; bytes that are not UTF-8 as key_base64 and payload_base64
  -u, --unbuffered      write each record by itself

What the cluster has is written as it is: without -f or -J, a value that contains the delimiter
looks like two. Exit status after Ctrl-C: 0, but 130 if -e or -c had asked for an end of its own.

Examples:
  tern kafka consume -b localhost:9092 -t orders -o -5 -e           # the last five of each partition
  tern kafka consume -b localhost:9092 -t orders -o end             # from now on
  tern kafka consume -b localhost:9092 -t orders -f '%p:%o %k=%s\n' -c 10
  tern kafka consume -b localhost:9092 -t orders -J -e | jq -r .key | sort | uniq -c
  tern kafka consume -b localhost:9092 -t orders -o s@$(date -d '1 hour ago' +%s000) -e
  tern kafka consume -b A:9092 -t orders -J -e | tern kafka produce -b B:9092 -t orders -J
)";

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kGlance{100};

struct Options {
  CommonOptions common;
  std::int32_t partition = -1;  // -1: all
  OffsetRange range;
  bool exit_at_end = false;
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  std::optional<std::string> format;
  std::string delimiter = "\n";
  std::optional<std::string> key_delimiter;
  bool offsets = false;
  bool nulls = false;
  bool unbuffered = false;
};

void take(const GivenOption& option, Options& out) {
  switch (option.letter) {
    case 'p':
      out.partition = static_cast<std::int32_t>(
          number_of("-p", option.value, 0, std::numeric_limits<std::int32_t>::max()));
      break;
    case 'o':
      out.range.add(option.value);
      break;
    case 'e':
      out.exit_at_end = true;
      break;
    case 'c':
      out.count = number_of("-c", option.value, 1, out.count);
      break;
    case 'f':
      out.format = option.value;
      break;
    case 'D':
      out.delimiter = unescape(option.value);
      break;
    case 'K':
      out.key_delimiter = unescape(option.value);
      break;
    case 'O':
      out.offsets = true;
      break;
    case 'Z':
      out.nulls = true;
      break;
    case 'u':
      out.unbuffered = true;
      break;
    default:
      out.common.take(option);
  }
}

Options read(const std::vector<std::string>& arguments) {
  GivenOptions given = read_options(arguments, {TERN_COMMON_KAFKA_OPTIONS,
                                                {'p', "partition", true},
                                                {'o', "offset", true},
                                                {'e', "exit", false},
                                                {'c', "count", true},
                                                {'f', "format", true},
                                                {'D', "delimiter", true},
                                                {'K', "key-delimiter", true},
                                                {'O', nullptr, false},
                                                {'Z', nullptr, false},
                                                {'u', "unbuffered", false}});
  Options options;
  for (const GivenOption& each : given.options) take(each, options);
  if (!given.others.empty()) {
    throw UsageError("\"" + given.others[0] + "\": topics are named with -t, one at a time");
  }
  if (options.common.topic.empty()) throw UsageError("which topic? say -t TOPIC");
  if (options.common.json && options.format) throw UsageError("-J and -f: one of them");
  if (options.offsets && !options.key_delimiter) {
    throw UsageError(
        "-O needs -K, which says what to write after the offset; or use -f '%o %s\\n'");
  }
  return options;
}

TextFormat make_format(const Options& options) {
  if (options.format) return TextFormat(*options.format, options.nulls);
  return TextFormat(options.key_delimiter ? &*options.key_delimiter : nullptr, options.delimiter,
                    options.offsets, options.nulls);
}

class Reader {
 public:
  Reader(Session& session, const Options& options)
      : session_(session),
        options_(options),
        format_(make_format(options)),
        consumer_(session.client(), session.configs().consumer),
        output_(STDOUT_FILENO) {}

  // Exit status.
  int run() {
    find_partitions();
    place();
    session_.interrupt().watch_reader(STDOUT_FILENO);
    const Interrupt::Reaction reaction(
        session_.interrupt(), [this] { consumer_.async_close(Duration::zero(), asio::detached); });
    Progress progress("consuming", expected(), "records");
    if (isatty(STDOUT_FILENO) != 0) progress.disable();
    const auto start = Clock::now();
    while (!over()) {
      poll();
      progress.show(count_);
    }
    output_.flush();
    progress.clear();
    if (!options_.common.quiet && !output_.reader_gone()) {
      note((session_.interrupt().raised() ? "interrupted; read " : "read ") +
           in_words(count_, bytes_, Clock::now() - start));
    }
    if (failed_) return kFailed;
    return ends_itself() && interrupted() ? kInterrupted : 0;
  }

 private:
  struct Partition {
    kafka::TopicPartition name;
    std::int32_t leader = -1;
    bool reading = false;
    std::int64_t start = 0;
    std::int64_t end = 0;  // when the command started
  };

  void find_partitions() {
    const std::string& topic = options_.common.topic;
    const kafka::TopicDescription found = session_.describe(topic);
    if (found.error) {
      throw std::runtime_error("topic " + topic + ": " + found.error.message() +
                               "; `tern kafka topics` lists what there is");
    }
    for (const kafka::PartitionDescription& each : found.partitions) {
      const auto index = static_cast<std::size_t>(each.partition);
      if (partitions_.size() <= index) partitions_.resize(index + 1);
      Partition& partition = partitions_[index];
      partition.name = {topic, each.partition};
      partition.leader = each.leader;
      partition.reading = options_.partition < 0 || options_.partition == each.partition;
      if (partition.reading) ++reading_;
    }
    if (reading_ == 0) {
      throw UsageError("-p " + std::to_string(options_.partition) + ": topic " + topic +
                       " has partitions 0 to " + std::to_string(partitions_.size() - 1));
    }
  }

  // Where each partition begins and ends, asked for once.
  void place() {
    std::vector<kafka::TopicPartition> names;
    std::vector<kafka::TimeQuery> times;
    for (const Partition& each : partitions_) {
      if (!each.reading) continue;
      names.push_back(each.name);
      times.push_back({each.name, options_.range.value});
    }
    const std::string what = "cannot find the offsets of " + options_.common.topic;
    const auto first = session_.call(what, [&](Diagnostics* diagnostics) {
      return consumer_.async_beginning_offsets(names, asio::use_future, diagnostics);
    });
    const auto next = session_.call(what, [&](Diagnostics* diagnostics) {
      return consumer_.async_end_offsets(names, asio::use_future, diagnostics);
    });
    kafka::OffsetsAndTimes timed;
    if (options_.range.from == OffsetRange::From::time) {
      timed = session_.call(what, [&](Diagnostics* diagnostics) {
        return consumer_.async_offsets_for_times(times, asio::use_future, diagnostics);
      });
    }
    std::vector<kafka::Assignment> assignment;
    for (std::size_t i = 0; i < names.size(); ++i) {
      Partition& partition = partitions_[static_cast<std::size_t>(names[i].partition)];
      partition.start = resolve(options_.range, first[i].offset, next[i].offset,
                                timed.empty() ? -1 : timed[i].offset);
      if (options_.range.from == OffsetRange::From::offset &&
          partition.start != options_.range.value && !options_.common.quiet) {
        note("offset " + std::to_string(options_.range.value) + " of " + partition.name.topic +
             " [" + std::to_string(partition.name.partition) + "] does not exist; it has " +
             std::to_string(first[i].offset) + " to before " + std::to_string(next[i].offset));
      }
      partition.end = next[i].offset;
      if (options_.exit_at_end && partition.start >= partition.end) {
        finish(partition);
      } else {
        assignment.push_back({partition.name.topic, partition.name.partition,
                              kafka::Position::offset(partition.start)});
      }
    }
    if (const Failure failure = consumer_.assign(assignment)) {
      throw std::runtime_error(failure.message());
    }
  }

  // For the bar; 0: nobody knows.
  std::int64_t expected() const {
    std::int64_t sum = 0;
    for (const Partition& each : partitions_) {
      if (options_.exit_at_end && each.reading) sum += each.end - each.start;
    }
    if (!counted()) return sum;
    return sum == 0 ? options_.count : std::min(sum, options_.count);
  }

  void finish(Partition& partition) {
    partition.reading = false;
    --reading_;
    // Not assigned yet, or not any more: nothing to pause then.
    static_cast<void>(consumer_.pause(partition.name));
  }

  bool over() {
    return failed_ || reading_ == 0 || count_ >= options_.count || session_.interrupt().raised() ||
           output_.reader_gone();
  }
  // Before the end that was asked for.
  bool interrupted() {
    return session_.interrupt().raised() && reading_ != 0 && count_ < options_.count;
  }
  bool ends_itself() const { return options_.exit_at_end || counted(); }
  bool counted() const { return options_.count != std::numeric_limits<std::int64_t>::max(); }

  void poll() {
    Diagnostics diagnostics;
    // A poll ends with a record, but the end may lie behind what nobody sees: markers of
    // transactions, gaps.
    const Duration patience = options_.exit_at_end ? Duration(kGlance) : Duration::max();
    try {
      const kafka::Records records =
          consumer_.async_poll(patience, asio::use_future, &diagnostics).get();
      write(records);
      for (Partition& each : partitions_) {
        if (options_.exit_at_end && each.reading && consumer_.lag(each.name) == 0) finish(each);
      }
    } catch (const std::system_error& error) {
      if (error.code().category() == std::generic_category()) throw;  // of the output
      if (error.code() == ClientErrc::closed && over()) return;       // by the reaction
      note(diagnostics.message.empty() ? error.code().message() : diagnostics.message);
      failed_ = error.code() != ClientErrc::no_broker;  // that one may come back
    }
  }

  void write(const kafka::Records& records) {
    for (const kafka::ConsumerRecord& record : records) {
      Partition& partition = partitions_[static_cast<std::size_t>(record.partition)];
      if (!partition.reading) continue;
      if (options_.range.stop_ms && record.timestamp_ms >= *options_.range.stop_ms) {
        finish(partition);
        continue;
      }
      if (options_.common.json) {
        append_json(record, partition.leader, output_.buffer());
        output_.buffer() += '\n';
      } else {
        format_.append(record, output_.buffer());
      }
      bytes_ += static_cast<std::int64_t>(record.key.size() + record.value.size());
      if (options_.unbuffered || output_.full()) {
        output_.flush();
        if (output_.reader_gone()) return;
      }
      if (++count_ == options_.count) break;
    }
    output_.flush();
  }

  Session& session_;
  const Options& options_;
  const TextFormat format_;
  kafka::Consumer consumer_;
  Output output_;
  std::vector<Partition> partitions_;  // by number
  std::size_t reading_ = 0;
  std::int64_t count_ = 0;
  std::int64_t bytes_ = 0;
  bool failed_ = false;
};

}  // namespace

int run_consume(const std::vector<std::string>& arguments) {
  const Options options = read(arguments);
  Session session(options.common);
  return Reader(session, options).run();
}

}  // namespace tern::cli
