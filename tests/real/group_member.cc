// A member of a group as a process of its own: for suites that have other clients beside it, or
// that kill it.
//
//   group_member brokers=HOST:PORT,... group=NAME topic=NAME [assignors=NAME,...]
//                [protocol=classic|consumer|automatic] [instance=ID] [auto_commit_ms=N]
//                [session_ms=N] [heartbeat_ms=N] [poll_interval_ms=N]
//
// Written to standard output, a line each:
//   owns 0 3 5            what it has from now on (partitions; none: nothing)
//   lost                  before that line, if it was put out of the group
//   read P FIRST COUNT    records that it has dealt with: COUNT of partition P from offset FIRST on
//   committed | failed WHY | closed    the answers to what is said on standard input:
//   commit                stores what has been written so far
//   close                 leaves and ends; so does the end of the input
// A record is finished when its line has been written: what is stored is never more than that.
#include <unistd.h>

#include <algorithm>
#include <asio/use_future.hpp>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/net/runtime.h"

namespace tern::real {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void die(const std::string& why) {
  std::cerr << "group_member: " << why << std::endl;
  std::exit(2);
}

// Whole lines, from any thread.
class Output {
 public:
  void write(std::string line) {
    line += '\n';
    std::lock_guard lock(mutex_);
    std::string_view left = line;
    while (!left.empty()) {
      const ssize_t n = ::write(STDOUT_FILENO, left.data(), left.size());
      if (n <= 0) die("nobody reads what is written");
      left.remove_prefix(static_cast<std::size_t>(n));
    }
  }

 private:
  std::mutex mutex_;
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

milliseconds ms(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) die("no number: " + text);
  return milliseconds(value);
}

struct Options {
  kafka::ClientConfig client;
  kafka::ConsumerConfig consumer;
};

Options parse(int argc, char** argv) {
  Options options;
  kafka::ConsumerConfig& config = options.consumer;
  config.offset_reset = kafka::OffsetReset::earliest;
  config.auto_commit = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t at = std::min(argument.find('='), argument.size() - 1);
    const std::string_view name = argument.substr(0, at);
    const std::string value(argument.substr(at + 1));
    if (name == "brokers") {
      options.client.bootstrap = split(value);
    } else if (name == "group") {
      config.group = value;
    } else if (name == "topic") {
      config.topics = {value};
    } else if (name == "assignors") {
      config.assignors = split(value);
    } else if (name == "protocol") {
      config.group_protocol = value == "consumer"    ? kafka::GroupProtocol::consumer
                              : value == "automatic" ? kafka::GroupProtocol::automatic
                                                     : kafka::GroupProtocol::classic;
    } else if (name == "instance") {
      config.instance_id = value;
    } else if (name == "auto_commit_ms") {
      config.auto_commit = true;
      config.auto_commit_interval = ms(value);
    } else if (name == "session_ms") {
      config.session_timeout = ms(value);
    } else if (name == "heartbeat_ms") {
      config.heartbeat_interval = ms(value);
    } else if (name == "poll_interval_ms") {
      config.max_poll_interval = ms(value);
    } else {
      die("no option '" + std::string(argument) + "'");
    }
  }
  return options;
}

class Member {
 public:
  explicit Member(Options options) : client_(runtime_, std::move(options.client)) {
    kafka::ConsumerConfig config = std::move(options.consumer);
    config.on_assigned = [this](const kafka::Partitions& partitions, const kafka::Done&) {
      for (const auto& each : partitions) owned_.insert(each.partition);
      show();
    };
    config.on_revoked = [this](const kafka::Partitions& partitions, const kafka::Done&) {
      for (const auto& each : partitions) owned_.erase(each.partition);
      show();
    };
    config.on_lost = [this](const kafka::Partitions& partitions, const kafka::Done&) {
      output_.write("lost");
      for (const auto& each : partitions) owned_.erase(each.partition);
      show();
    };
    consumer_.emplace(client_, std::move(config));
    poller_ = std::thread([this] { poll(); });
  }

  void commit() {
    try {
      consumer_->async_commit(asio::use_future).get();
      output_.write("committed");
    } catch (const std::system_error& error) {
      output_.write(std::string("failed ") + error.what());
    }
  }

  void close() {
    stop_ = true;
    poller_.join();
    consumer_->async_close(std::chrono::seconds(20), asio::use_future).get();
    output_.write("closed");
  }

 private:
  // Handlers run one after the other, on the thread of the client.
  void show() {
    std::string line = "owns";
    for (const std::int32_t each : owned_) line += ' ' + std::to_string(each);
    output_.write(std::move(line));
  }

  void poll() {
    while (!stop_) {
      try {
        const kafka::Records records =
            consumer_->async_poll(milliseconds(50), asio::use_future).get();
        deal_with(records);
      } catch (const std::system_error& error) {
        if (error.code() == ClientErrc::closed) return;
        std::cerr << "group_member: " << error.what() << std::endl;
      }
    }
  }

  void deal_with(const kafka::Records& records) {
    std::string lines;
    std::int32_t partition = -1;
    std::int64_t first = 0, next = 0;
    const auto end_run = [&] {
      if (partition < 0) return;
      if (!lines.empty()) lines += '\n';
      lines += "read " + std::to_string(partition) + ' ' + std::to_string(first) + ' ' +
               std::to_string(next - first);
    };
    for (const kafka::ConsumerRecord& record : records) {
      if (record.partition != partition || record.offset != next) {
        end_run();
        partition = record.partition;
        first = record.offset;
      }
      next = record.offset + 1;
    }
    end_run();
    if (!lines.empty()) output_.write(std::move(lines));
  }

  Output output_;
  std::set<std::int32_t> owned_;
  net::Runtime runtime_;
  kafka::Client client_;
  std::optional<kafka::Consumer> consumer_;
  std::atomic<bool> stop_{false};
  std::thread poller_;
};

}  // namespace
}  // namespace tern::real

int main(int argc, char** argv) {
  tern::real::Member member(tern::real::parse(argc, argv));
  for (std::string line; std::getline(std::cin, line) && line != "close";) {
    if (line == "commit") member.commit();
  }
  member.close();
}
