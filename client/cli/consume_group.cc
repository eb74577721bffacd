// tern kafka consume -G: a member of a group. What has been written is what gets stored, so nothing
// is lost if this ends in the middle, whatever it ends by.
#include <unistd.h>

#include <algorithm>
#include <asio/use_future.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "client/cli/consume.h"
#include "client/cli/kafka_commands.h"
#include "client/cli/progress.h"
#include "client/kafka/consumer.h"
#include "client/kafka/topic_pattern.h"

namespace tern::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kGlance{100};

// Where the one poll that waits puts what it brings. It may bring it when nobody waits any more.
struct Mailbox {
  struct Answer {
    std::error_code error;
    kafka::Records records;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Answer> answer;
  bool stopped = false;
  Diagnostics diagnostics;

  void stop() {
    const std::lock_guard<std::mutex> lock(mutex);
    stopped = true;
    changed.notify_one();
  }
  // Nothing: stopped before there was an answer.
  std::optional<Answer> wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return answer || stopped; });
    return std::exchange(answer, std::nullopt);
  }
};

std::string list_of(const kafka::Partitions& partitions) {
  std::string text;
  for (const kafka::TopicPartition& each : partitions) {
    if (!text.empty()) text += ", ";
    text += each.topic + " [" + std::to_string(each.partition) + "]";
  }
  return text;
}

kafka::OffsetReset reset_of(const std::string& start) {
  if (start == "beginning" || start == "earliest") return kafka::OffsetReset::earliest;
  if (start == "end" || start == "latest") return kafka::OffsetReset::latest;
  if (start == "none") return kafka::OffsetReset::none;
  throw UsageError(
      "-o \"" + start +
      "\": a group goes on where it has stopped; -o says where to begin if it has "
      "stored nothing: beginning, end or none. `tern kafka groups reset-offsets` moves "
      "a group");
}

bool is_pattern(const std::string& topic) { return topic.starts_with('^'); }

// One expression for whole names, out of those that need to match the beginning only.
std::string pattern_of(const std::vector<std::string>& topics) {
  std::string all;
  for (const std::string& topic : topics) {
    if (!is_pattern(topic)) continue;
    kafka::TopicPattern pattern;
    if (const Failure failure = kafka::TopicPattern::parse(topic, pattern)) {
      throw UsageError(failure.message());
    }
    all += (all.empty() ? "(?:" : "|(?:") + topic + ").*";
  }
  return all;
}

kafka::ConsumerConfig config_of(const Session& session, const ConsumeOptions& options) {
  kafka::ConsumerConfig config = session.configs().consumer;
  for (const std::string& start : options.starts) config.offset_reset = reset_of(start);
  config.auto_store = false;
  if (options.common.quiet()) return config;
  const auto say = [&session, group = options.group](const char* what) {
    return [&session, group, what](const kafka::Partitions& partitions, const kafka::Done&) {
      note("group " + group + " rebalanced (memberid " + session.member_id() + "): " + what + ": " +
           list_of(partitions));
    };
  };
  config.on_assigned = say("assigned");
  config.on_revoked = say("revoked");
  config.on_lost = say("lost");
  return config;
}

class Member {
 public:
  Member(Session& session, const ConsumeOptions& options)
      : session_(session),
        options_(options),
        consumer_(session.client(), config_of(session, options)),
        writer_(options) {}

  // Exit status.
  int run() {
    subscribe();
    const auto start = Clock::now();
    try {
      read();
    } catch (...) {  // the output cannot be written
      leave();
      throw;
    }
    leave();
    if (!options_.common.quiet() && !writer_.reader_gone()) {
      note((session_.interrupt().raised() ? "interrupted; read " : "read ") +
           in_words(writer_.count(), writer_.bytes(), Clock::now() - start));
    }
    if (failed_ || writer_.failed()) return kFailed;
    const bool complete = at_end_ || writer_.count() >= options_.count;
    const bool cut_short = session_.interrupt().raised() && !complete;
    return options_.ends_itself() && cut_short ? kInterrupted : 0;
  }

 private:
  // Only once the topics are known to be there: subscribing to one may create it.
  void subscribe() {
    std::vector<std::string> names;
    std::copy_if(options_.topics.begin(), options_.topics.end(), std::back_inserter(names),
                 [](const std::string& topic) { return !is_pattern(topic); });
    const std::string pattern = pattern_of(options_.topics);
    std::vector<kafka::TopicDescription> found;
    if (!names.empty()) found = session_.describe(names);
    for (const kafka::TopicDescription& each : found) {
      if (!each.error) continue;
      throw std::runtime_error("topic " + each.name + ": " + each.error.message() +
                               "; `tern kafka topics` lists what there is");
    }
    if (const Failure failure = consumer_.subscribe(names, pattern)) {
      throw std::runtime_error(failure.message());
    }
  }

  void read() {
    session_.interrupt().watch_reader(STDOUT_FILENO);
    const Interrupt::Reaction reaction(session_.interrupt(), [box = mailbox_] { box->stop(); });
    Progress progress("consuming", options_.counted() ? options_.count : 0, "records");
    if (isatty(STDOUT_FILENO) != 0) progress.disable();
    while (!at_end_ && writer_.count() < options_.count && poll()) {
      progress.show(writer_.count());
    }
    progress.clear();
  }

  // False: it is time to stop.
  bool poll() {
    // A poll ends with a record, but the end may lie behind what nobody sees: markers of
    // transactions, gaps.
    const Duration patience = options_.exit_at_end ? Duration(kGlance) : Duration::max();
    standing_ = consumer_.assignment();
    std::erase_if(standing_, [this](const auto& each) { return !consumer_.stands_still(each); });
    consumer_.async_poll(
        patience,
        [box = mailbox_](std::error_code error, kafka::Records records) {
          const std::lock_guard<std::mutex> lock(box->mutex);
          box->answer.emplace(Mailbox::Answer{error, std::move(records)});
          box->changed.notify_one();
        },
        &mailbox_->diagnostics);
    std::optional<Mailbox::Answer> answer = mailbox_->wait();
    if (!answer) return false;
    if (answer->error) {
      if (!go_on_after(answer->error)) return false;
    } else if (!write(answer->records)) {
      return false;
    } else {
      at_end_ = options_.exit_at_end && is_at_end();
    }
    return !session_.interrupt().raised() && !writer_.reader_gone();
  }

  bool go_on_after(const std::error_code& error) {
    const std::string& why = mailbox_->diagnostics.message;
    const std::string text = why.empty() ? error.message() : why;
    if (error == ClientErrc::no_broker) {  // that one may come back
      note(text);
      return true;
    }
    complaints_.add(text);
    failed_ = true;
    return options_.common.ignore_errors && error != ClientErrc::fenced &&
           error != ClientErrc::closed;
  }

  bool is_at_end() const {
    const kafka::Partitions mine = consumer_.assignment();
    return !mine.empty() &&
           std::all_of(mine.begin(), mine.end(), [this](const kafka::TopicPartition& each) {
             return consumer_.lag(each) == 0 ||
                    std::find(standing_.begin(), standing_.end(), each) != standing_.end();
           });
  }

  // False: it is time to stop.
  bool write(const kafka::Records& records) {
    const kafka::Offsets ends = records.end_offsets();
    kafka::Offsets written = ends;
    for (kafka::PartitionOffset& each : written) each.offset = -1;
    std::size_t at = 0;
    std::size_t left = records.size();
    for (const kafka::ConsumerRecord& record : records) {
      while (written[at].partition != record.partition || record.topic != written[at].topic) {
        at = (at + 1) % written.size();
      }
      if (!writer_.write(record, -1)) break;
      written[at].offset = record.offset + 1;
      written[at].leader_epoch = record.leader_epoch;
      --left;
      if (writer_.is_flushed()) store(written);
      if (writer_.count() == options_.count) break;
    }
    writer_.flush();
    if (writer_.reader_gone()) return false;
    store(left == 0 ? ends : written);
    return !writer_.failed() || options_.common.ignore_errors;
  }

  // What the next commit is to say.
  void store(kafka::Offsets offsets) {
    std::erase_if(offsets, [](const kafka::PartitionOffset& each) { return each.offset < 0; });
    const Failure failure = consumer_.store_offsets(offsets);
    if (failure && !options_.common.quiet()) note(failure.message() + "; it will be read again");
  }

  void leave() {
    if (session_.configs().consumer.auto_commit) commit();
    consumer_.async_close(session_.configs().client.operation_timeout, asio::use_future).wait();
  }

  void commit() {
    Diagnostics diagnostics;
    try {
      consumer_.async_commit(asio::use_future, &diagnostics).get();
    } catch (const std::system_error& error) {
      const std::string& why = diagnostics.message;
      note("the last offsets were not stored, so some records will be read again: " +
           (why.empty() ? error.code().message() : why));
      failed_ = true;
    }
  }

  Session& session_;
  const ConsumeOptions& options_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  kafka::Consumer consumer_;
  RecordWriter writer_;
  kafka::Partitions standing_;  // still, before the last poll, which has told why
  Complaints complaints_;
  bool at_end_ = false;
  bool failed_ = false;
};

}  // namespace

int run_member(Session& session, const ConsumeOptions& options) {
  return Member(session, options).run();
}

}  // namespace tern::cli
