// A slice of the seeds through the public face: Client, Producer and Consumer with completion
// tokens on an io_context, which runs nothing but the simulated world and what its events post.
#include "tests/sim/facade.h"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "tests/sim/content.h"
#include "tests/sim/kafka_rig.h"
#include "tests/sim/scenario_setup.h"

namespace tern::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FacadeRun {
 public:
  explicit FacadeRun(const ScenarioOptions& options)
      : options_(options),
        setup_(draw_setup(options)),
        rng_(mix64(options.seed) ^ hash_text("facade")),
        rig_(setup_.rig) {
    rig_.world.keep_history(options.keep_history);
  }
  ~FacadeRun() {
    // Coroutines that are left hang on the engines' handlers, which go with the clients.
    producer_net_.crash();
    consumer_net_.crash();
  }

  ScenarioResult run() {
    begin();
    run_until([] { return false; }, setup_.fault_period);
    rig_.heal();
    const bool sent = run_until(
        [this] {
          take_futures();
          return producing_ == 0 && ledger_.pending() <= polls_;
        },
        patience_);
    if (!sent) stuck("the producer is not done");
    run_until([] { return false; }, seconds(16));  // strays
    if (!run_until([this] { return caught_up(); }, seconds(60)))
      stuck("the consumer has not caught up");
    end();
    finish();
    return std::move(result_);
  }

 private:
  // The world's events run inside the io_context, as a driver's do.
  template <class Done>
  bool run_until(Done&& done, Duration limit) {
    const Time end = rig_.world.time() + limit;
    for (;;) {
      if (rig_.world.failed()) return false;
      if (done()) return true;
      bool ran = false;
      asio::post(io_, [&] { ran = rig_.world.run_one(end); });
      io_.restart();
      io_.poll();
      if (!ran) return done();
    }
  }

  void stuck(const std::string& what) {
    if (!rig_.world.failed()) problems_.add("liveness", what + " long after the faults ended");
  }

  void begin() {
    if (!setup_.created_by_use) rig_.cluster.create_topic(kScenarioTopic, setup_.topic);
    kafka::ProducerConfig producer_config;
    producer_config.delivery_timeout = rng_.log_between(seconds(3), seconds(30));
    producer_config.metadata_timeout = seconds(30);
    producer_config.linger = rng_.chance(0.5) ? Duration(0) : Duration(milliseconds(10));
    producer_config.batch_bytes = rng_.log_between(1000, 50'000);
    producer_config.buffer_bytes = 2 * producer_config.batch_bytes + 70'000;
    if (rng_.chance(0.3)) producer_config.compression = kafka::Compression::gzip;
    patience_ = producer_config.delivery_timeout + seconds(60);
    records_ = rng_.log_between(10, 200);
    kafka::ConsumerConfig consumer_config;
    consumer_config.offset_reset = kafka::OffsetReset::none;
    consumer_config.fetch_max_wait = rng_.log_between(milliseconds(20), milliseconds(500));
    for (int p = 0; p < setup_.partitions; ++p) {
      consumer_config.assignment.push_back({kScenarioTopic, p, kafka::Position::earliest()});
      checker_.start(p, 0);
    }
    const auto attach = [](Network& net) {
      return [&net](Machine& machine) { net.attach(machine); };
    };
    producer_client_.emplace(io_, rig_.client_config(rng_), producer_net_, attach(producer_net_));
    consumer_client_.emplace(io_, rig_.client_config(rng_), consumer_net_, attach(consumer_net_));
    producer_.emplace(*producer_client_, producer_config);
    consumer_.emplace(*consumer_client_, consumer_config);
    producing_ = 2;
    asio::co_spawn(io_, produce(0), asio::detached);
    asio::co_spawn(io_, produce(1), asio::detached);
    asio::co_spawn(io_, consume(), asio::detached);
  }

  // Virtual time passes.
  template <class Token>
  auto async_sleep(Duration duration, Token&& token) {
    return asio::async_initiate<Token, void()>(
        [this, duration](auto handler) {
          rig_.world.after(duration,
                           [handler = std::move(handler)]() mutable { std::move(handler)(); });
        },
        token);
  }

  struct Prepared {
    explicit Prepared(std::uint64_t id) : content(id, 2000) {}
    Content content;
    asio::cancellation_signal cancel;
    std::future<kafka::Delivery> future;
    std::size_t index = 0;
    std::size_t call = 0;
  };

  Prepared& prepare(std::uint32_t user) {
    const std::size_t index = sent_.size();
    Prepared& prepared = prepared_.emplace_back(index);
    prepared.index = index;
    prepared.call = ledger_.begin("send");
    sent_.push_back({index, user, Outcome::pending, -1, -1, prepared.content.checksum()});
    return prepared;
  }

  void told(Prepared& prepared, std::error_code error, const kafka::Delivery& delivery,
            const Diagnostics* diagnostics) {
    ledger_.complete(prepared.call);
    Sent& sent = sent_[prepared.index];
    if (!error) {
      sent.outcome = Outcome::ok;
      sent.partition = delivery.partition;
      sent.offset = delivery.offset;
      if (delivery.topic != kScenarioTopic)
        problems_.add("wrong-topic", std::string(delivery.topic));
      return;
    }
    sent.outcome =
        error == ClientErrc::maybe_written ? Outcome::maybe_written : Outcome::not_written;
    const bool known = error == ClientErrc::maybe_written || error == ClientErrc::not_written ||
                       error == ClientErrc::queue_full || error == ClientErrc::closed ||
                       error == asio::error::operation_aborted;
    if (!known)
      problems_.add("dishonest", "\"" + error.message() + "\" says nothing about a record");
    if (diagnostics && diagnostics->message.empty()) problems_.add("no-reason", error.message());
  }

  // Two users share a producer; each sends in every style there is. Awaited sends may be overtaken
  // by those that do not wait, so only each user's awaited ones and others are in order among
  // themselves.
  asio::awaitable<void> produce(std::uint32_t user) {
    kafka::TopicHandle topic = producer_->topic(kScenarioTopic);
    while (sent_.size() < records_) {
      const std::uint64_t style = rng_.below(5);
      if (style == 0) {
        Prepared& prepared = prepare(2 * user);
        kafka::Record record = prepared.content.record();
        std::error_code error;
        Diagnostics diagnostics;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        kafka::Delivery delivery =
            co_await producer_->async_send(topic, record, token, &diagnostics);
        told(prepared, error, delivery, &diagnostics);
      } else {
        send_without_waiting(style, user, topic);
      }
      if (rng_.chance(0.05)) {
        std::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await producer_->async_flush(token);
      }
      if (rng_.chance(0.05)) {
        std::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await producer_->async_wait_space(token);
      }
      const Duration pause = rng_.exponential(
          2 * setup_.fault_period / static_cast<std::int64_t>(records_), setup_.fault_period);
      co_await async_sleep(pause, asio::use_awaitable);
    }
    --producing_;
  }

  void send_without_waiting(std::uint64_t style, std::uint32_t user,
                            const kafka::TopicHandle& topic) {
    Prepared& prepared = prepare(2 * user + 1);
    const kafka::Record record = prepared.content.record();
    if (style == 1) {
      const std::error_code refused = producer_->try_send(
          topic, record, [this, &prepared](std::error_code error, const kafka::Delivery& delivery) {
            told(prepared, error, delivery, nullptr);
          });
      if (refused) told(prepared, refused, {}, nullptr);
    } else if (style == 2) {
      producer_->async_send(
          kScenarioTopic, record,
          [this, &prepared](std::error_code error, const kafka::Delivery& delivery) {
            told(prepared, error, delivery, nullptr);
          });
    } else if (style == 3) {
      producer_->async_send(
          topic, record,
          asio::bind_cancellation_slot(
              prepared.cancel.slot(),
              [this, &prepared](std::error_code error, const kafka::Delivery& delivery) {
                told(prepared, error, delivery, nullptr);
              }));
      rig_.world.after(rng_.log_between(microseconds(1), seconds(1)),
                       [&prepared] { prepared.cancel.emit(asio::cancellation_type::terminal); });
    } else {
      prepared.future = producer_->async_send(topic, record, asio::use_future);
      futures_.push_back(&prepared);
    }
  }

  void take_futures() {
    for (Prepared* prepared : futures_) {
      if (prepared->future.wait_for(seconds(0)) != std::future_status::ready) continue;
      try {
        told(*prepared, {}, prepared->future.get(), nullptr);
      } catch (const std::system_error& error) {
        told(*prepared, error.code(), {}, nullptr);
      }
    }
    std::erase_if(futures_, [](const Prepared* p) { return !p->future.valid(); });
  }

  asio::awaitable<void> consume() {
    for (;;) {
      const std::size_t call = ledger_.begin("poll");
      ++polls_;
      std::error_code error;
      Diagnostics diagnostics;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      kafka::Records records = co_await consumer_->async_poll(token, &diagnostics);
      ledger_.complete(call);
      --polls_;
      for (const kafka::ConsumerRecord& record : records) {
        checker_.received(record.partition, record.offset, id_of(record.headers),
                          checksum_of(record.key, record.value, record.headers));
      }
      if (!records.empty()) consumer_net_.user_acted();
      if (error == ClientErrc::closed) break;
      if (error) poll_failed(error, diagnostics);
    }
    consuming_ = false;
  }

  void poll_failed(std::error_code error, const Diagnostics& diagnostics) {
    rig_.world.trace("poll: %s", diagnostics.message.c_str());
    if (diagnostics.message.empty()) problems_.add("no-reason", error.message());
    if (error == ClientErrc::offset_out_of_range || error == ClientErrc::protocol_violation ||
        error == ClientErrc::busy) {
      problems_.add("poll-error", diagnostics.message);
    }
    for (int p = 0; p < setup_.partitions; ++p) {
      const Failure failure =
          consumer_->seek({kScenarioTopic, p}, kafka::Position::offset(checker_.next_offset(p)));
      if (failure) problems_.add("poll-error", "seek: " + failure.message());
    }
  }

  bool caught_up() {
    take_futures();
    for (int p = 0; p < setup_.partitions; ++p) {
      const broker::PartitionLog* log = rig_.cluster.log(kScenarioTopic, p);
      if (!log || checker_.next_offset(p) < log->end_offset()) return false;
    }
    return true;
  }

  void end() {
    bool producer_closed = false, consumer_closed = false;
    producer_->async_close(seconds(20), [&](std::error_code) { producer_closed = true; });
    consumer_->async_close(seconds(5), [&](std::error_code) { consumer_closed = true; });
    run_until([&] { return producer_closed && consumer_closed && !consuming_ && producing_ == 0; },
              seconds(60));
    take_futures();
    if (!producer_closed || !consumer_closed || consuming_) stuck("close() does not end");
    if (producer_->buffered_bytes() != 0)
      problems_.add("not-returned", "bytes of the producer's buffer");
    if (consumer_->held_bytes() != 0)
      problems_.add("not-returned", "bytes of the consumer's frames");
    producer_.reset();
    consumer_.reset();
    producer_client_->close();
    consumer_client_->close();
    run_until([this] { return producer_net_.links() + consumer_net_.links() == 0; }, seconds(10));
    if (producer_net_.links() + consumer_net_.links() != 0) {
      if (!rig_.world.failed()) problems_.add("not-returned", "links are open after the end");
    }
    run_until([] { return false; }, milliseconds(1));
    producer_net_.detach();
    consumer_net_.detach();
    producer_client_.reset();
    consumer_client_.reset();
  }

  void finish() {
    const std::vector<Stored> log = rig_.stored(kScenarioTopic);
    if (!rig_.world.failed()) {
      problems_.add_all(check_produced(sent_, log, ProduceRules{}));
      problems_.add_all(ledger_.check());
      problems_.add_all(checker_.finish(log, true));
    }
    problems_.add_all(rig_.world.violations());
    for (const Sent& sent : sent_) {
      ++result_.sent;
      result_.acknowledged += sent.outcome == Outcome::ok ? 1 : 0;
      result_.not_written += sent.outcome == Outcome::not_written ? 1 : 0;
      result_.maybe_written += sent.outcome == Outcome::maybe_written ? 1 : 0;
    }
    result_.stored = log.size();
    result_.consumed = checker_.count();
    result_.problems = problems_.all();
    result_.events = rig_.world.events();
    result_.event_hash = rig_.world.event_hash();
    result_.history = rig_.world.history();
    result_.virtual_ms = rig_.world.elapsed() / milliseconds(1);
    result_.options_text = "network: " + setup_.rig.network.to_string() +
                           "\n  brokers: " + setup_.rig.broker.to_string();
    result_.counts_text = rig_.counts_text();
    result_.faults = rig_.total_faults();
  }

  const ScenarioOptions options_;
  const ScenarioSetup setup_;
  Rng rng_;
  KafkaRig rig_;
  std::deque<Prepared> prepared_;  // what handlers refer to outlives the clients
  Network producer_net_{rig_.fabric, "producer"};
  Network consumer_net_{rig_.fabric, "consumer"};
  asio::io_context io_{1};
  std::optional<kafka::Client> producer_client_, consumer_client_;
  std::optional<kafka::Producer> producer_;
  std::optional<kafka::Consumer> consumer_;
  std::uint64_t records_ = 0;
  Duration patience_{0};
  std::vector<Prepared*> futures_;
  std::vector<Sent> sent_;
  CallLedger ledger_;
  ConsumeChecker checker_;
  ProblemList problems_;
  int producing_ = 0;
  bool consuming_ = true;
  std::size_t polls_ = 0;
  ScenarioResult result_;
};

}  // namespace

ScenarioResult run_facade(const ScenarioOptions& options) { return FacadeRun(options).run(); }

}  // namespace tern::sim
