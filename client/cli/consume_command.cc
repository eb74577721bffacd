// tern kafka consume: records to standard output, one write per poll.
#include <unistd.h>

#include <algorithm>
#include <asio/detached.hpp>
#include <limits>

#include "client/cli/consume.h"
#include "client/cli/json.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/progress.h"
#include "client/kafka/consumer.h"

namespace tern::cli {

const char* const kConsumeHelp =
    R"(tern kafka consume -b BROKERS -t TOPIC: read records
tern kafka consume -b BROKERS -G GROUP TOPIC...: read them as a member of a consumer group

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
  -s FORMAT             keys and values are binary: < > little and big endian (big), b h i q integers of
                        1, 2, 4 and 8 bytes, B H I Q without sign, c a character, s what is left, $ the
                        end, a blank is itself; key=FORMAT, value=FORMAT for one of them
  -Z                    write NULL for null keys and values
  -J, --json            one JSON object a line: topic, partition, offset, tstype, ts, broker, headers,
                        key, payload; bytes that are not UTF-8 as key_base64 and payload_base64
  -u, --unbuffered      write each record by itself
  -E                    go on after an error: past records that -s does not fit, with the other partitions;
                        the exit status is still 1

  -G, --group GROUP     share the partitions of all TOPICs with the other members of the group, go on
                        where it has stopped, and store how far it has come. A TOPIC that begins with ^
                        is a regular expression for names: '^orders' is all that begin with it. Stored
                        is what has been written, nothing else: every 5 s, when partitions go to
                        another member, and at the end. Says on standard error what is assigned.
    -o WHERE            where to begin if the group has stored nothing: beginning, end (as Kafka has
                        it, unless auto.offset.reset says otherwise), none (that is an error then)
    -e                  exit at the end of all partitions that are this member's then
    -X NAME=VALUE       group.protocol=consumer (KIP-848, Kafka 4.0), session.timeout.ms,
                        group.instance.id, partition.assignment.strategy, enable.auto.commit=false, ...

What the cluster has is written as it is: without -f or -J, a value that contains the delimiter
looks like two. Exit status after Ctrl-C or SIGTERM: 0, but 130 if -e or -c had asked for an end of
its own. A member leaves its group before it exits, also if the reader of a pipe goes away.

Examples:
  tern kafka consume -b localhost:9092 -t orders -o -5 -e           # the last five of each partition
  tern kafka consume -b localhost:9092 -t orders -o end             # from now on
  tern kafka consume -b localhost:9092 -t orders -f '%p:%o %k=%s\n' -c 10
  tern kafka consume -b localhost:9092 -t orders -J -e | jq -r .key | sort | uniq -c
  tern kafka consume -b localhost:9092 -t counts -s key=s -s 'value=q$' -f '%k %s\n'
  tern kafka consume -b localhost:9092 -t orders -o s@$(date -d '1 hour ago' +%s000) -e
  tern kafka consume -b A:9092 -t orders -J -e | tern kafka produce -b B:9092 -t orders -J
  tern kafka consume -b localhost:9092 -G billing orders refunds    # as often as you like, side by side
  tern kafka consume -b localhost:9092 -G audit '^.*' -o beginning -J -X group.protocol=consumer
)";

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kGlance{100};

// For the key, the value or both, as it says.
void take_format(const std::string& text, ConsumeOptions& out) {
  const std::size_t equals = text.find('=');
  const std::string what = text.substr(0, equals == std::string::npos ? 0 : equals);
  const bool named = what == "key" || what == "value";
  const PackFormat format(named ? text.substr(equals + 1) : text);
  if (what != "value") out.key_format = format;
  if (what != "key") out.value_format = format;
}

void take(const GivenOption& option, ConsumeOptions& out) {
  switch (option.letter) {
    case 'p':
      out.partition = static_cast<std::int32_t>(
          number_of("-p", option.value, 0, std::numeric_limits<std::int32_t>::max()));
      break;
    case 'o':
      out.starts.push_back(option.value);
      break;
    case 'G':
      out.group = option.value;
      if (out.group.empty()) throw UsageError("-G: which group? it has no name");
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
    case 's':
      take_format(option.value, out);
      break;
    case 'u':
      out.unbuffered = true;
      break;
    default:
      out.common.take(option);
  }
}

// Topics, and where in them: a group takes other ones than a reader.
void settle(ConsumeOptions& options, const std::vector<std::string>& others) {
  const std::string& topic = options.common.topic;
  if (options.group.empty()) {
    if (!others.empty()) {
      throw UsageError("\"" + others[0] +
                       "\": topics are named with -t, one at a time; or say -G GROUP TOPIC...");
    }
    if (topic.empty()) throw UsageError("which topic? say -t TOPIC, or -G GROUP TOPIC...");
    for (const std::string& start : options.starts) options.range.add(start);
    return;
  }
  if (options.partition >= 0) {
    throw UsageError("-p and -G: a group gives its members partitions; -p goes with -t");
  }
  options.common.properties.push_back({"group.id", options.group});
  options.topics = others;
  if (!topic.empty()) options.topics.push_back(topic);
  if (options.topics.empty()) {
    throw UsageError("which topics? say -G " + options.group + " TOPIC..., or '^REGEX'");
  }
}

ConsumeOptions read(const std::vector<std::string>& arguments) {
  const GivenOptions given = read_options(arguments, consume_options());
  ConsumeOptions options;
  for (const GivenOption& each : given.options) take(each, options);
  settle(options, given.others);
  if (options.common.json && options.format) throw UsageError("-J and -f: one of them");
  if (options.common.json && (options.key_format || options.value_format)) {
    throw UsageError("-J and -s: JSON has keys and values as they are; -s goes with -f");
  }
  if (options.offsets && !options.key_delimiter) {
    throw UsageError(
        "-O needs -K, which says what to write after the offset; or use -f '%o %s\\n'");
  }
  return options;
}

TextFormat make_format(const ConsumeOptions& options) {
  const std::string* const key_delimiter =
      options.key_delimiter ? &*options.key_delimiter : nullptr;
  TextFormat format =
      options.format ? TextFormat(*options.format, options.nulls)
                     : TextFormat(key_delimiter, options.delimiter, options.offsets, options.nulls);
  if (options.key_format) format.unpack_keys(*options.key_format);
  if (options.value_format) format.unpack_values(*options.value_format);
  return format;
}

// Reading partitions has nothing to do with any group, even if a file of settings names one.
kafka::ConsumerConfig without_group(kafka::ConsumerConfig config) {
  config.group.clear();
  config.instance_id.clear();
  return config;
}

class Reader {
 public:
  Reader(Session& session, const ConsumeOptions& options)
      : session_(session),
        options_(options),
        consumer_(session.client(), without_group(session.configs().consumer)),
        writer_(options) {}

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
      progress.show(writer_.count());
    }
    progress.clear();
    if (!options_.common.quiet() && !writer_.reader_gone()) {
      note((session_.interrupt().raised() ? "interrupted; read " : "read ") +
           in_words(writer_.count(), writer_.bytes(), Clock::now() - start));
    }
    if (failed_ || writer_.failed()) return kFailed;
    return options_.ends_itself() && interrupted() ? kInterrupted : 0;
  }

 private:
  struct Partition {
    kafka::TopicPartition name;
    std::int32_t leader = -1;
    bool reading = false;
    bool stood_still = false;  // before the last poll, which has told why
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
          partition.start != options_.range.value && !options_.common.quiet()) {
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
    if (!options_.counted()) return sum;
    return sum == 0 ? options_.count : std::min(sum, options_.count);
  }

  void finish(Partition& partition) {
    partition.reading = false;
    --reading_;
    // Not assigned yet, or not any more: nothing to pause then.
    static_cast<void>(consumer_.pause(partition.name));
  }

  bool over() {
    const bool gave_up = (failed_ || writer_.failed()) && !options_.common.ignore_errors;
    return gave_up || closed_ || reading_ == 0 || writer_.count() >= options_.count ||
           session_.interrupt().raised() || writer_.reader_gone();
  }
  // Before the end that was asked for.
  bool interrupted() {
    return session_.interrupt().raised() && reading_ != 0 && writer_.count() < options_.count;
  }

  void poll() {
    Diagnostics diagnostics;
    // A poll ends with a record, but the end may lie behind what nobody sees: markers of
    // transactions, gaps.
    const Duration patience = options_.exit_at_end ? Duration(kGlance) : Duration::max();
    for (Partition& each : partitions_) {
      each.stood_still = each.reading && consumer_.stands_still(each.name);
    }
    try {
      const kafka::Records records =
          consumer_.async_poll(patience, asio::use_future, &diagnostics).get();
      write(records);
      for (Partition& each : partitions_) {
        const bool at_end = each.stood_still || consumer_.lag(each.name) == 0;
        if (options_.exit_at_end && each.reading && at_end) finish(each);
      }
    } catch (const std::system_error& error) {
      if (error.code().category() == std::generic_category()) throw;  // of the output
      if (error.code() == ClientErrc::closed && over()) return;       // by the reaction
      const std::string& why = diagnostics.message;
      const std::string text = why.empty() ? error.code().message() : why;
      if (error.code() == ClientErrc::no_broker) return note(text);  // that one may come back
      complaints_.add(text);
      failed_ = true;
      closed_ = error.code() == ClientErrc::closed;
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
      if (!writer_.write(record, partition.leader)) break;
      if (writer_.count() == options_.count) break;
    }
    writer_.flush();
  }

  Session& session_;
  const ConsumeOptions& options_;
  kafka::Consumer consumer_;
  RecordWriter writer_;
  std::vector<Partition> partitions_;  // by number
  std::size_t reading_ = 0;
  Complaints complaints_;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace

RecordWriter::RecordWriter(const ConsumeOptions& options)
    : options_(options), format_(make_format(options)), output_(STDOUT_FILENO) {}

bool RecordWriter::write(const kafka::ConsumerRecord& record, std::int32_t broker) {
  if (options_.common.json) {
    append_json(record, broker, output_.buffer());
    output_.buffer() += options_.delimiter;
  } else if (const std::string why = format_.append(record, output_.buffer()); !why.empty()) {
    failed_ = true;
    complaints_.add(why + (options_.common.ignore_errors ? "" : "; -E goes on after it"));
    return options_.common.ignore_errors;
  }
  bytes_ += static_cast<std::int64_t>(record.key.size() + record.value.size());
  ++count_;
  if (!options_.unbuffered && !output_.full()) return true;
  output_.flush();
  return !output_.reader_gone();
}

std::vector<Option> consume_options() {
  return {TERN_COMMON_KAFKA_OPTIONS, {'G', "group", true},     {'p', "partition", true},
          {'o', "offset", true},     {'e', "exit", false},     {'c', "count", true},
          {'f', "format", true},     {'D', "delimiter", true}, {'K', "key-delimiter", true},
          {'O', nullptr, false},     {'Z', nullptr, false},    {'s', "unpack", true},
          {'u', "unbuffered", false}};
}

int run_consume(const std::vector<std::string>& arguments) {
  const ConsumeOptions options = read(arguments);
  Session session(options.common);
  if (!options.group.empty()) return run_member(session, options);
  return Reader(session, options).run();
}

}  // namespace tern::cli
