// For tests of the Kafka client's public face: embedded brokers on a thread of their own, behind
// real sockets, and an io_context that the test turns by hand.
#ifndef TERN_TESTS_NET_FACADE_RIG_H_
#define TERN_TESTS_NET_FACADE_RIG_H_

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/asio_network.h"
#include "client/net/runtime.h"
#include "tests/broker/broker.h"

namespace tern::kafka {

using namespace std::chrono_literals;

// Nothing here takes this long; without it a test that fails would hang.
inline constexpr Duration kPatience = 60s;

class Brokers {
 public:
  explicit Brokers(int nodes = 1) {
    network_ = std::make_unique<net::AsioNetwork>(runtime_.executor());
    kafka_ = std::make_unique<broker::EmbeddedKafka>(*network_, nodes);
    network_->attach(*kafka_);
    on_thread([this](broker::EmbeddedKafka& kafka) {
      EXPECT_FALSE(kafka.start());
      for (const Endpoint& each : kafka.endpoints()) bootstrap_.push_back(to_string(each));
    });
  }
  ~Brokers() {
    on_thread([this](broker::EmbeddedKafka&) {
      network_->shutdown();
      kafka_.reset();
      network_.reset();
    });
  }

  // Runs `call` on the brokers' thread and waits for it.
  void on_thread(std::function<void(broker::EmbeddedKafka&)> call) {
    std::promise<void> done;
    network_->post([&] {
      call(*kafka_);
      done.set_value();
    });
    done.get_future().wait();
  }
  void create_topic(const std::string& name, std::int32_t partitions = 1) {
    on_thread([&](broker::EmbeddedKafka& kafka) {
      broker::TopicSpec spec;
      spec.partitions = partitions;
      EXPECT_EQ(kafka.cluster().create_topic(name, spec), BrokerErrc::none);
    });
  }
  ClientConfig config() const {
    ClientConfig config;
    config.bootstrap = bootstrap_;
    return config;
  }

 private:
  net::Runtime runtime_;
  std::unique_ptr<net::AsioNetwork> network_;
  std::unique_ptr<broker::EmbeddedKafka> kafka_;
  std::vector<std::string> bootstrap_;
};

// Turns the context until `done()`; false, with a failed test, if that takes for ever.
template <class Done>
bool run_until(asio::io_context& context, Done&& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    context.restart();
    context.run_one_until(end);
    if (std::chrono::steady_clock::now() >= end) {
      ADD_FAILURE() << "nothing more comes";
      return false;
    }
  }
  return true;
}

// Turns the context until it has nothing left to do.
inline void run_out(asio::io_context& context) {
  context.restart();
  context.run_for(kPatience);
  EXPECT_TRUE(context.stopped()) << "the context still has work";
}

inline ConsumerConfig reading(const std::string& topic, std::int32_t partitions = 1) {
  ConsumerConfig config;
  for (std::int32_t p = 0; p < partitions; ++p) {
    config.assignment.push_back({topic, p, Position::earliest()});
  }
  config.fetch_max_wait = 50ms;
  return config;
}

// How an operation ended.
template <class Result>
struct Ended {
  int calls = 0;
  int destroyed = 0;  // handlers, called or not
  std::error_code error;
  Result result{};
};
template <>
struct Ended<void> {
  int calls = 0;
  int destroyed = 0;
  std::error_code error;
};

// A handler that counts its calls, and its end.
template <class Result>
class Counting {
 public:
  explicit Counting(Ended<Result>& ended) : ended_(&ended) {}
  Counting(Counting&& other) noexcept : ended_(std::exchange(other.ended_, nullptr)) {}
  Counting(const Counting&) = delete;
  ~Counting() {
    if (ended_) ++ended_->destroyed;
  }
  template <class... R>
  void operator()(std::error_code error, R&&... result) {
    ++ended_->calls;
    ended_->error = error;
    if constexpr (sizeof...(R) != 0) ((ended_->result = std::forward<R>(result)), ...);
  }

 private:
  Ended<Result>* ended_;
};
template <class Result>
inline Counting<Result> into(Ended<Result>& ended) {
  return Counting<Result>(ended);
}

}  // namespace tern::kafka

#endif  // TERN_TESTS_NET_FACADE_RIG_H_
