// AmqpChannel: one channel of a connection to an embedded AMQP broker.
#ifndef TERN_TESTS_BROKER_AMQP_CHANNEL_H_
#define TERN_TESTS_BROKER_AMQP_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "tests/broker/amqp_store.h"

namespace tern::broker {

class AmqpSession;

class AmqpChannel {
 public:
  AmqpChannel(AmqpSession& session, std::uint16_t id) : session_(session), id_(id) {}
  ~AmqpChannel();  // what is not acknowledged goes back

  void on_frame(const amqp::Frame& frame);
  // Says what was confirmed since the last call.
  void flush();
  // An ack that has not come in time is the end of the channel.
  void expire(Time now);
  Time next_deadline() const;
  bool is_closing() const { return closing_; }

 private:
  friend struct AmqpChannelMethods;

  class Consumer final : public AmqpReceiver {
   public:
    Consumer(AmqpChannel& channel, std::string name, std::string from, bool needs_no_ack,
             std::uint16_t prefetch)
        : tag(std::move(name)),
          queue(std::move(from)),
          no_ack(needs_no_ack),
          channel_(channel),
          prefetch_(prefetch) {}
    bool can_take() const override;
    void take(AmqpEntry entry) override;
    void cancelled() override;

    const std::string tag;
    const std::string queue;
    const bool no_ack;
    std::size_t unacked = 0;
    bool dead = false;

   private:
    AmqpChannel& channel_;
    const std::uint16_t prefetch_;
  };
  // What becomes of a message that is not on its way any more.
  enum class Fate : std::uint8_t { acked, requeued, rejected };
  struct Unacked {
    std::string queue;
    std::uint64_t queue_number = 0;  // another one may have the name by now
    AmqpEntry entry;
    std::shared_ptr<Consumer> consumer;  // null: it was got
    Time since{};
  };
  struct Settled {
    std::uint64_t tag = 0;
    Unacked unacked;
    Fate fate = Fate::acked;
  };

  void release();
  void end_transaction(bool commit);
  void close(amqp::ReplyErrc code, const std::string& text, const amqp::Method& method);
  void on_content(const amqp::Frame& frame);
  void publish();
  // Null, with the channel closed, if there is no such queue, or it is somebody else's.
  AmqpQueue* find_queue(std::string_view name, const amqp::Method& method);
  AmqpExchange* find_exchange(std::string_view name, const amqp::Method& method);
  void declare_queue(const amqp::QueueDeclare& m);
  void declare_exchange(const amqp::ExchangeDeclare& m);
  void consume(const amqp::BasicConsume& m);
  void get(const amqp::BasicGet& m);
  void settle(std::uint64_t tag, bool multiple, Fate fate, const amqp::Method& method);
  void settle_one(Unacked unacked, Fate fate);
  void consume_replies(const amqp::BasicConsume& m);
  // Checks what came and what it says of itself. False: the channel is closed.
  bool accept(AmqpMessage& message, const amqp::ContentHeader& header);
  void put(AmqpMessage message, bool mandatory);
  // An empty name means the queue declared last.
  std::string_view queue_name(std::string_view name) const;
  // False, with the channel closed: an empty name, and none was declared.
  bool names_queue(std::string_view name, const amqp::Method& method);
  // False, with the channel closed: nobody may bind to the default exchange, or declare it.
  bool not_default(std::string_view exchange, const amqp::Method& method);
  bool binding_is_valid(std::string_view source, const amqp::Table& arguments,
                        const amqp::Method& method);

  AmqpSession& session_;
  const std::uint16_t id_;
  bool closing_ = false;
  bool confirms_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t confirmed_to_ = 0;  // the last one of which the client was told
  std::uint64_t to_confirm_ = 0;    // all up to this one are fine
  bool transactional_ = false;
  std::vector<std::function<void()>> transaction_;  // what commit does first
  std::vector<Settled> settled_;                    // and then
  std::uint16_t prefetch_ = 0;
  std::uint16_t channel_prefetch_ = 0;
  std::size_t consumed_unacked_ = 0;
  std::string reply_address_;  // of the consumer of direct replies, if there is one
  std::shared_ptr<Consumer> reply_consumer_;
  std::uint64_t last_tag_ = 0;
  std::uint64_t last_consumer_ = 0;
  std::string last_queue_;  // that was declared: what an empty name means
  std::map<std::uint64_t, Unacked> unacked_;
  std::map<std::string, std::shared_ptr<Consumer>, std::less<>> consumers_;
  // A message that is coming.
  bool expects_header_ = false;
  std::uint64_t body_left_ = 0;
  bool mandatory_ = false;
  AmqpMessage message_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_CHANNEL_H_
