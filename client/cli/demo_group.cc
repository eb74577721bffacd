#include "client/cli/demo_group.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "client/cli/progress.h"
#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"

namespace tern::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr Clock::duration kPatience = 60s;  // nothing takes so long that goes well

struct Member {
  std::string name;
  std::unique_ptr<kafka::Client> client;
  std::unique_ptr<kafka::Consumer> consumer;
  std::set<std::int32_t> has;
  std::int64_t processed = 0;
  bool is_reading = false;
};

// All on one thread. Shared with the coroutines it starts, which may end after run() has failed.
class Group : public std::enable_shared_from_this<Group> {
 public:
  Group(asio::io_context& context, kafka::ClientConfig config, GroupDemoOptions options)
      : context_(context),
        config_(std::move(config)),
        options_(std::move(options)),
        timer_(context),
        client_(context, config_),
        admin_(client_),
        producer_(client_),
        next_(static_cast<std::size_t>(options_.partitions), 0),
        stored_(next_.size(), 0),
        times_(next_.size()) {}

  asio::awaitable<void> run() {
    asio::co_spawn(context_, write(), ending(writing_));
    asio::co_spawn(context_, watch(), ending(watching_));
    for (const char* name : {"anna", "bert", "cleo"}) join(name);
    co_await settle("anna, bert and cleo share it", 3);
    join("dora");
    co_await settle("dora has come late", 4);
    std::printf("bert is cut off, without a word\n");
    Member& bert = *members_[1];
    bert.client->close();
    bert.has.clear();
    co_await settle("the group has done without bert", 3);
    std::printf("cleo leaves\n");
    Member& cleo = *members_[2];
    co_await cleo.consumer->async_close(10s, asio::use_awaitable);
    co_await settle("the others have taken over", 2);
    written_enough_ = true;
    co_await until("all records processed and stored", [this] { return is_complete(); });
    co_await finish();
    check();
  }

  // Lets everything come to an end.
  void give_up() {
    written_enough_ = done_ = true;
    for (const auto& each : members_) each->client->close();
    client_.close();
  }

 private:
  using Waiting = std::function<bool()>;

  // For the end of a coroutine.
  std::function<void(const std::exception_ptr&)> ending(bool& is_running) {
    return [self = shared_from_this(), &is_running](const std::exception_ptr& thrown) {
      is_running = false;
      if (thrown) self->failure_ = "ended too early";
    };
  }

  // Numbered records, to each partition in turn, as long as the others need something to do.
  asio::awaitable<void> write() {
    asio::steady_timer pause(context_);
    const kafka::TopicHandle topic = producer_.topic(options_.topic);
    while (!written_enough_) {
      for (std::size_t p = 0; p < next_.size(); ++p) {
        const std::string value = std::to_string(next_[p]++);
        kafka::Record record;
        record.value = value;
        record.partition = static_cast<std::int32_t>(p);
        if (producer_.try_send(topic, record)) failure_ = "a record could not be sent";
      }
      pause.expires_after(2ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    co_await producer_.async_flush(asio::use_awaitable);
  }

  // What the group has stored, over and over.
  asio::awaitable<void> watch() {
    asio::steady_timer pause(context_);
    Diagnostics diagnostics;
    std::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    while (!done_) {
      const kafka::Offsets offsets =
          co_await admin_.async_group_offsets(options_.group, token, &diagnostics);
      if (error) {
        failure_ = "cannot tell what the group has stored: " + diagnostics.message;
        break;
      }
      for (const kafka::PartitionOffset& each : offsets) {
        std::int64_t& stored = stored_[static_cast<std::size_t>(each.partition)];
        if (each.offset < stored) {
          failure_ = "partition " + std::to_string(each.partition) +
                     ": what is stored went back from " + std::to_string(stored) + " to " +
                     std::to_string(each.offset);
        }
        stored = std::max(stored, each.offset);
        ++looks_;
      }
      pause.expires_after(20ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  void join(const char* name) {
    members_.push_back(std::make_unique<Member>());
    Member& member = *members_.back();
    member.name = name;
    kafka::ClientConfig client = config_;
    client.client_id = name;
    member.client = std::make_unique<kafka::Client>(context_, client);
    kafka::ConsumerConfig config;
    config.group = options_.group;
    config.topics = {options_.topic};
    config.assignors = {"cooperative-sticky"};
    config.offset_reset = kafka::OffsetReset::earliest;
    config.session_timeout = options_.session_timeout;
    config.heartbeat_interval = options_.session_timeout / 10;
    config.auto_commit_interval = 100ms;
    config.on_assigned = [this, &member](const kafka::Partitions& added, const kafka::Done&) {
      tell(member, "gets", added);
      for (const kafka::TopicPartition& each : added) {
        member.has.insert(each.partition);
        first_of_[each.partition] = stored_[static_cast<std::size_t>(each.partition)];
      }
    };
    const auto take = [this, &member](const char* what) {
      return [this, &member, what](const kafka::Partitions& gone, const kafka::Done&) {
        tell(member, what, gone);
        for (const kafka::TopicPartition& each : gone) member.has.erase(each.partition);
      };
    };
    config.on_revoked = take("gives up");
    config.on_lost = take("has lost");
    member.consumer = std::make_unique<kafka::Consumer>(*member.client, config);
    member.is_reading = true;
    asio::co_spawn(context_, read(member), ending(member.is_reading));
  }

  // Until it is closed or cut off.
  asio::awaitable<void> read(Member& member) {
    Diagnostics diagnostics;
    std::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    for (;;) {
      const kafka::Records records = co_await member.consumer->async_poll(token, &diagnostics);
      if (error == ClientErrc::closed) break;
      if (error) {
        failure_ = member.name + " cannot read: " + diagnostics.message;
        break;
      }
      for (const kafka::ConsumerRecord& record : records) process(member, record);
    }
  }

  void process(Member& member, const kafka::ConsumerRecord& record) {
    const auto p = static_cast<std::size_t>(record.partition);
    const std::string_view value = record.value.view();
    std::int64_t number = -1;
    std::from_chars(value.data(), value.data() + value.size(), number);
    if (number != record.offset || number >= next_[p]) {
      failure_ = "partition " + std::to_string(p) + ": not what was written";
      return;
    }
    // The first record of a member lies where the group has come to, or behind.
    if (const auto first = first_of_.find(record.partition); first != first_of_.end()) {
      if (record.offset < first->second) failure_ = member.name + " reads what was stored as done";
      first_of_.erase(first);
    }
    auto& times = times_[p];
    if (times.size() <= static_cast<std::size_t>(number)) {
      times.resize(static_cast<std::size_t>(number) + 1);
    }
    ++times[static_cast<std::size_t>(number)];
    ++member.processed;
  }

  void tell(const Member& member, const char* what, const kafka::Partitions& partitions) const {
    std::string list;
    for (const kafka::TopicPartition& each : partitions)
      list += " " + std::to_string(each.partition);
    const std::chrono::duration<double> at = Clock::now() - start_;
    std::printf("  %5.2f s  %s %s%s\n", at.count(), member.name.c_str(), what, list.c_str());
    std::fflush(stdout);
  }

  asio::awaitable<void> until(const char* what, Waiting is_so) {
    const auto deadline = Clock::now() + kPatience;
    while (!is_so() && failure_.empty()) {
      if (Clock::now() >= deadline) failure_ = std::string("waited in vain for: ") + what;
      timer_.expires_after(5ms);
      co_await timer_.async_wait(asio::use_awaitable);
    }
    if (!failure_.empty()) throw std::runtime_error("group demo: " + failure_);
  }

  // Waits until so many members have something, and all of it between them, and have read on.
  asio::awaitable<void> settle(const char* what, std::size_t members) {
    const auto shared = [this, members] { return is_shared_by(members); };
    co_await until(what, shared);
    std::vector<std::int64_t> before;
    for (const auto& each : members_) before.push_back(each->processed);
    const auto all_read = [this, before] {
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (!members_[i]->has.empty() && members_[i]->processed == before[i]) return false;
      }
      return true;
    };
    co_await until("every member reads", all_read);
    std::string text;
    for (const auto& each : members_) {
      if (each->has.empty()) continue;
      text += (text.empty() ? "" : " |") + std::string(" ") + each->name;
      for (const std::int32_t partition : each->has) text += " " + std::to_string(partition);
    }
    std::printf("%s:%s\n", what, text.c_str());
    std::fflush(stdout);
  }

  bool is_shared_by(std::size_t members) const {
    std::set<std::int32_t> all;
    std::size_t sum = 0, having = 0;
    for (const auto& each : members_) {
      all.insert(each->has.begin(), each->has.end());
      sum += each->has.size();
      if (!each->has.empty()) ++having;
    }
    return having == members && sum == next_.size() && all.size() == next_.size();
  }

  bool is_complete() const { return !writing_ && stored_ == next_; }

  asio::awaitable<void> finish() {
    for (const auto& each : members_) {
      co_await each->consumer->async_close(10s, asio::use_awaitable);
    }
    done_ = true;
    const auto over = [this] {
      return !watching_ && std::none_of(members_.begin(), members_.end(),
                                        [](const auto& each) { return each->is_reading; });
    };
    co_await until("the end", over);
    co_await producer_.async_close(10s, asio::use_awaitable);
    std::vector<std::string> groups;
    groups.push_back(options_.group);
    co_await admin_.async_delete_groups(groups, asio::use_awaitable);
  }

  void check() const {
    std::int64_t records = 0, again = 0;
    for (std::size_t p = 0; p < next_.size(); ++p) {
      records += next_[p];
      if (static_cast<std::int64_t>(times_[p].size()) != next_[p] ||
          std::count(times_[p].begin(), times_[p].end(), 0) != 0) {
        throw std::runtime_error("group demo: partition " + std::to_string(p) +
                                 ": some records were processed by nobody");
      }
      again += std::count_if(times_[p].begin(), times_[p].end(), [](int n) { return n > 1; });
    }
    std::printf(
        "checked %s records: each processed, %s of them again after bert was cut off; looked at "
        "what "
        "is stored %s times, it never went back\n",
        with_commas(records).c_str(), with_commas(again).c_str(), with_commas(looks_).c_str());
  }

  asio::io_context& context_;
  const kafka::ClientConfig config_;
  const GroupDemoOptions options_;
  const Clock::time_point start_ = Clock::now();
  asio::steady_timer timer_;
  kafka::Client client_;
  kafka::Admin admin_;
  kafka::Producer producer_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::int64_t> next_;       // to be written to each partition
  std::vector<std::int64_t> stored_;     // in the group, as last seen
  std::vector<std::vector<int>> times_;  // that each record was processed, by partition and number
  std::map<std::int32_t, std::int64_t> first_of_;  // where whoever got it last has to begin
  std::int64_t looks_ = 0;
  std::string failure_;
  bool written_enough_ = false;
  bool writing_ = true;
  bool watching_ = true;
  bool done_ = false;
};

}  // namespace

asio::awaitable<void> demo_group(asio::io_context& context, kafka::ClientConfig config,
                                 GroupDemoOptions options) {
  const auto group = std::make_shared<Group>(context, std::move(config), std::move(options));
  try {
    co_await group->run();
  } catch (...) {
    group->give_up();
    throw;
  }
}

}  // namespace tern::cli
