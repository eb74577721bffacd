// Producer: sends records to topics, in batches, with retries, and tells what became of each.
//
//   kafka::Producer producer(client, {.linger = 5ms});
//   kafka::TopicHandle orders = producer.topic("orders");
//   kafka::Record record{.key = order.id, .value = order.body};
//   while (producer.try_send(orders, record) == kafka::ClientErrc::queue_full)
//     co_await producer.async_wait_space(asio::use_awaitable);
//   co_await producer.async_flush(asio::use_awaitable);
//
// Three ways to learn of deliveries, from cheapest to dearest: on_batch() (one call per batch), a
// handler given to try_send() (one call per record), async_send() with any completion token.
//
// Order: records that one thread sends to one partition are stored in that order, each once, with
// the default idempotence = true. Without it, retries with max_in_flight above 1 can reorder and
// duplicate.
//
// Views: key, value and headers are copied before try_send() returns, and before async_send()
// returns when the token is a callback or use_future. Lazy tokens (use_awaitable, deferred) start
// at the await and may wait for space, so there the views have to live until it completes.
//
// Threading: any thread may call anything. Handlers run on their associated executor, by default
// the client's; on_batch handlers on the client's. A handler must not throw: what it throws comes
// out of the executor's run().
//
// Certainty: an error of a delivery is ClientErrc::not_written or maybe_written, with the cause
// beside it. Records that were never taken report queue_full, closed, record_too_large or
// unknown_partition.
//
// Destroying a producer gives up what it still holds (the handlers are told); async_close() first
// if that is to arrive.
#ifndef TERN_CLIENT_KAFKA_PRODUCER_H_
#define TERN_CLIENT_KAFKA_PRODUCER_H_

#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "client/kafka/client.h"
#include "client/kafka/delivery.h"
#include "client/kafka/producer_core.h"
#include "client/net/async.h"
#include "protocol/kafka/record.h"

namespace tern::kafka {

// A topic, resolved once: sending to it spares the lookup by name. Good as long as its producer.
class TopicHandle {
 public:
  std::string_view name() const { return topic_->name; }

 private:
  friend class TopicRef;
  friend class Producer;
  explicit TopicHandle(ProducerTopic& topic) : topic_(&topic) {}
  ProducerTopic* topic_;
};

// What names a topic in a call: a handle, or its name at the price of a lookup.
class TopicRef {
 public:
  TopicRef(const TopicHandle& handle) : topic_(handle.topic_) {}
  TopicRef(std::string_view name) : name_(name) {}
  TopicRef(const char* name) : name_(name) {}
  TopicRef(const std::string& name) : name_(name) {}

 private:
  friend class Producer;
  ProducerTopic* topic_ = nullptr;
  std::string_view name_;
};

class Producer {
 public:
  // Throws std::system_error (invalid_config, codec_missing) if check(config, ...) finds fault.
  explicit Producer(const Client& client, ProducerConfig config = {});
  ~Producer();
  Producer(Producer&&) noexcept = default;
  Producer& operator=(Producer&&) noexcept;

  // One call per batch, good or bad. To be set before the first send.
  void on_batch(std::function<void(const BatchReport&)> handler);

  TopicHandle topic(std::string_view name) { return TopicHandle(core_->accumulator().topic(name)); }

  // Takes the record or says at once why not; never waits.
  std::error_code try_send(const TopicRef& topic, const Record& record) {
    return core_->accumulator().append(resolve(topic), record, NoHandler());
  }
  // Takes the records in order, up to the first that cannot be taken: how many those are, and why
  // not that one. Cheaper than one call for each, most of all with thousands of partitions, where
  // the time goes into waiting for memory: that of the next records is fetched meanwhile.
  Accepted try_send(const TopicRef& topic, std::span<const Record> records) {
    return core_->accumulator().append_all(resolve(topic), records);
  }
  // `handler(std::error_code, const Delivery&)` is called once if the record was taken.
  template <class Handler>
    requires std::is_invocable_v<std::decay_t<Handler>&, std::error_code, const Delivery&>
  std::error_code try_send(const TopicRef& topic, const Record& record, Handler&& handler) {
    return core_->accumulator().append(resolve(topic), record, std::forward<Handler>(handler));
  }

  // void(std::error_code, Delivery). With a callback or use_future a full buffer is the error
  // queue_full; a lazy token waits for space. Cancelling is total while it waits for space; after
  // that it only stops waiting, with maybe_written.
  template <class Token>
  auto async_send(const TopicRef& topic, const Record& record, Token&& token,
                  Diagnostics* diagnostics = nullptr) {
    constexpr bool kWaits = may_wait<Token>();
    return net::async_start<Delivery>(
        state_->executor(), state_,
        [state = state_, core = core_, to = &resolve(topic), record](
            std::uint64_t op, Completion<Failure, Delivery> done) {
          start_send(*state, core, *to, record, kWaits, op, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // void(std::error_code): there is room again for records of ordinary size.
  template <class Token>
  auto async_wait_space(Token&& token) {
    return start(
        [core = core_](std::uint64_t op, Completion<Failure> done) {
          core->wait_space(std::move(done), op);
        },
        std::forward<Token>(token), nullptr);
  }

  // void(std::error_code): all records taken before this call have been reported, good or bad, and
  // their handlers called. Does not wait for linger.
  template <class Token>
  auto async_flush(Token&& token) {
    return start([core = core_](std::uint64_t op,
                                Completion<Failure> done) { core->flush(std::move(done), op); },
                 std::forward<Token>(token), nullptr);
  }

  // void(std::error_code): takes no more records, flushes, and ends with timed_out when not
  // everything was delivered within `timeout`; what was not is reported to its handlers first.
  template <class Token>
  auto async_close(Duration timeout, Token&& token, Diagnostics* diagnostics = nullptr) {
    return start(
        [core = core_, timeout](std::uint64_t, Completion<Failure> done) {
          core->close(timeout, std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // Memory of records on their way: never above ProducerConfig::buffer_bytes.
  std::size_t buffered_bytes() const { return core_->accumulator().used_bytes(); }

 private:
  template <class Token>
  static constexpr bool may_wait() {
    // What the token makes of the call: nothing, a future, or something to be awaited. Not
    // async_result<>::return_type, which adapters like as_tuple do not have.
    using Return = decltype(asio::async_initiate<Token, void(std::error_code, Delivery)>(
        std::declval<AnyStart>(), std::declval<std::remove_reference_t<Token>&>()));
    return !std::is_void_v<Return> && !is_future<Return>::value;
  }
  struct AnyStart {
    template <class Handler>
    void operator()(Handler&&) {}
  };
  template <class T>
  struct is_future : std::false_type {};
  template <class T>
  struct is_future<std::future<T>> : std::true_type {};

  ProducerTopic& resolve(const TopicRef& topic) {
    return topic.topic_ ? *topic.topic_ : core_->accumulator().topic(topic.name_);
  }

  static void start_send(ClientState& state, const std::shared_ptr<ProducerCore>& core,
                         ProducerTopic& topic, const Record& record, bool waits, std::uint64_t op,
                         Completion<Failure, Delivery> done);

  template <class Call, class Token>
  auto start(Call call, Token&& token, Diagnostics* diagnostics) {
    return net::async_start<>(
        state_->executor(), state_,
        [state = state_, call = std::move(call)](std::uint64_t op,
                                                 Completion<Failure> done) mutable {
          state->run([call = std::move(call), op, done = std::move(done)]() mutable {
            call(op, std::move(done));
          });
        },
        std::forward<Token>(token), diagnostics);
  }

  void give_up();

  std::shared_ptr<ClientState> state_;
  std::shared_ptr<ProducerCore> core_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_PRODUCER_H_
