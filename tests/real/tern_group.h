#ifndef TERN_TESTS_REAL_TERN_GROUP_H_
#define TERN_TESTS_REAL_TERN_GROUP_H_

// A group of tern members at a real Kafka, each with a client and a thread of its own, and the book
// that they keep.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "tests/real/tern_client.h"

namespace tern::real {

using namespace std::chrono_literals;

// What all members of a group have done, and what was wrong with it.
class Book {
 public:
  void assigned(int member, const kafka::Partitions& partitions) {
    std::lock_guard lock(mutex_);
    for (const auto& each : partitions) {
      const auto [at, is_new] = owners_.emplace(each.partition, member);
      if (!is_new) {
        ADD_FAILURE() << "partition " << each.partition << " of " << at->second << " goes to "
                      << member;
      }
    }
  }
  void gone(int member, const kafka::Partitions& partitions) {
    std::lock_guard lock(mutex_);
    for (const auto& each : partitions) {
      const auto found = owners_.find(each.partition);
      if (found != owners_.end() && found->second == member) owners_.erase(found);
    }
  }
  void died(int member) {
    std::lock_guard lock(mutex_);
    std::erase_if(owners_, [member](const auto& each) { return each.second == member; });
  }
  void done(const kafka::Records& records) {
    std::lock_guard lock(mutex_);
    for (const kafka::ConsumerRecord& record : records) {
      if (!seen_.insert({record.partition, record.offset}).second) ++repeated_;
    }
  }
  std::size_t seen() const {
    std::lock_guard lock(mutex_);
    return seen_.size();
  }
  std::size_t repeated() const {
    std::lock_guard lock(mutex_);
    return repeated_;
  }
  std::set<int> owners() const {
    std::lock_guard lock(mutex_);
    std::set<int> all;
    for (const auto& [partition, member] : owners_) all.insert(member);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::int32_t, int> owners_;
  std::set<std::pair<std::int32_t, std::int64_t>> seen_;
  std::size_t repeated_ = 0;
};

// A member with a thread that polls, until it is told to leave or to die.
class Member {
 public:
  Member(Book& book, int number, kafka::ConsumerConfig config) : book_(book), number_(number) {
    config.on_assigned = [this](const kafka::Partitions& partitions, const kafka::Done&) {
      book_.assigned(number_, partitions);
    };
    config.on_revoked = [this](const kafka::Partitions& partitions, const kafka::Done&) {
      book_.gone(number_, partitions);
    };
    tern_ = std::make_unique<Tern>();
    consumer_ = std::make_unique<kafka::Consumer>(tern_->client, std::move(config));
    thread_ = std::thread([this] { run(); });
  }
  ~Member() {
    if (thread_.joinable()) leave();
  }

  void leave() {
    stop_ = true;
    thread_.join();
    consumer_->async_close(30s, asio::use_future).get();
  }
  // No goodbye: the coordinator has to find out.
  void die() {
    tern_->client.close();
    thread_.join();
    book_.died(number_);
  }

 private:
  void run() {
    while (!stop_) {
      try {
        const kafka::Records records = consumer_->async_poll(200ms, asio::use_future).get();
        book_.done(records);
      } catch (const std::system_error& error) {
        if (error.code() == ClientErrc::closed) return;
        ADD_FAILURE() << "member " << number_ << ": " << error.what();
      }
    }
  }

  Book& book_;
  const int number_;
  std::unique_ptr<Tern> tern_;
  std::unique_ptr<kafka::Consumer> consumer_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class Group {
 public:
  Group(const std::string& prefix, kafka::ConsumerConfig config, std::int32_t partitions,
        std::int16_t replicas = 1)
      : topic_(unique_topic(prefix)), partitions_(partitions), config_(std::move(config)) {
    tern_.create_topic(topic_, partitions, replicas);
    config_.group = topic_;
    config_.topics = {topic_};
    config_.session_timeout = 10s;  // a busy machine must not end one
    config_.heartbeat_interval = 500ms;
    config_.auto_commit_interval = 200ms;
    config_.offset_reset = kafka::OffsetReset::earliest;
  }
  std::unique_ptr<Member> member(int number) {
    return std::make_unique<Member>(book, number, config_);
  }
  void produce(int records) {
    kafka::Producer producer(tern_.client);
    const kafka::TopicHandle topic = producer.topic(topic_);
    for (int i = 0; i < records; ++i) {
      kafka::Record record{.value = "x"};
      record.partition = sent_ % partitions_;
      ASSERT_FALSE(producer.try_send(topic, record));
      ++sent_;
    }
    producer.async_close(kPatience, asio::use_future).get();
  }
  void wait_for_all() {
    const auto by = std::chrono::steady_clock::now() + kPatience;
    while (book.seen() < static_cast<std::size_t>(sent_) && std::chrono::steady_clock::now() < by) {
      check_stored();
      std::this_thread::sleep_for(50ms);
    }
    EXPECT_EQ(book.seen(), static_cast<std::size_t>(sent_));
  }
  // That everybody on this list owns something, and nobody else does.
  void wait_for_owners(const std::set<int>& wanted) {
    const auto by = std::chrono::steady_clock::now() + kPatience;
    while (book.owners() != wanted && std::chrono::steady_clock::now() < by) {
      check_stored();
      std::this_thread::sleep_for(50ms);
    }
    EXPECT_EQ(book.owners(), wanted);
  }
  std::int64_t check_stored() {
    kafka::ConsumerConfig config;
    config.group = topic_;
    config.auto_commit = false;
    kafka::Consumer reader(tern_.client, config);
    kafka::Partitions all;
    for (std::int32_t p = 0; p < partitions_; ++p) all.push_back({topic_, p});
    const kafka::Offsets found = tern_.wait([&](auto token, Diagnostics* diagnostics) {
      return reader.async_committed(all, token, diagnostics);
    });
    std::int64_t sum = 0;
    for (const auto& each : found) {
      const std::int64_t offset = std::max<std::int64_t>(each.offset, 0);  // -1: nothing yet
      EXPECT_GE(offset, stored_[each.partition]) << "what is stored went back";
      stored_[each.partition] = std::max(stored_[each.partition], offset);
      sum += offset;
    }
    return sum;
  }
  std::int64_t sent() const { return sent_; }

  Book book;

 private:
  Tern tern_;
  const std::string topic_;
  const std::int32_t partitions_;
  kafka::ConsumerConfig config_;
  std::int32_t sent_ = 0;
  std::map<std::int32_t, std::int64_t> stored_;
};

}  // namespace tern::real

#endif  // TERN_TESTS_REAL_TERN_GROUP_H_
