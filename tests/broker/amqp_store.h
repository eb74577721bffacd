// AmqpStore: what an embedded AMQP broker keeps: exchanges, bindings, queues and their messages, in
// memory, as RabbitMQ has them. It knows nothing of connections; who consumes is told to it.
//
// One thread. Lives longer than the brokers and sessions that use it, so it survives their restart.
#ifndef TERN_TESTS_BROKER_AMQP_STORE_H_
#define TERN_TESTS_BROKER_AMQP_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/time.h"
#include "protocol/amqp/table.h"
#include "tests/broker/amqp_dead_letter.h"
#include "tests/broker/amqp_queue.h"

namespace tern::broker {

struct AmqpBinding {
  std::string source;
  std::string destination;
  bool to_queue = true;
  std::string key;
  std::string arguments;  // encoded
  friend bool operator==(const AmqpBinding&, const AmqpBinding&) = default;
};

struct AmqpExchange {
  std::string name;
  std::string type;  // direct, fanout, topic, headers
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  std::optional<std::string> alternate = {};  // who gets what no binding takes
};

class AmqpStore {
 public:
  AmqpStore();  // with the exchanges that are always there
  AmqpStore(const AmqpStore&) = delete;
  AmqpStore& operator=(const AmqpStore&) = delete;

  AmqpExchange* exchange(std::string_view name);
  AmqpQueue* queue(std::string_view name);
  const std::map<std::string, AmqpQueue, std::less<>>& queues() const { return queues_; }
  const std::vector<AmqpBinding>& bindings() const { return bindings_; }

  AmqpExchange& add_exchange(AmqpExchange exchange);
  void remove_exchange(const std::string& name);
  AmqpQueue& add_queue(AmqpQueue queue);
  // Its consumers are told.
  void remove_queue(const std::string& name);
  void bind(const AmqpBinding& binding);
  void unbind(const AmqpBinding& binding);

  // A new name, as RabbitMQ makes them up.
  std::string new_queue_name();

  // Puts a message into all queues that are to have it.
  struct Routed {
    std::size_t queues = 0;
    bool refused = false;  // a full queue would not take it
  };
  Routed publish(AmqpMessage message, const amqp::Table* headers);
  std::uint64_t published() const { return last_number_; }
  // What time it is, for all that expires.
  void set_time(Now now) { now_ = now; }
  Now now() const { return now_; }
  Time next_deadline() const;
  void expire();

  // Gives out what is ready to who can take it.
  void deliver(AmqpQueue& queue);
  void deliver_all();
  // Back to where it was.
  void requeue(const std::string& queue, AmqpEntry entry);
  // Rejected for good.
  void reject(const std::string& queue, const AmqpEntry& entry);
  // It is in use, and expires later.
  void touch(AmqpQueue& queue) { queue.last_used = now_.mono; }
  // Who gets what is sent to a name with the prefix kAmqpReplyTo.
  void add_reply(const std::string& address, AmqpReceiver& receiver) {
    replies_[address] = &receiver;
  }
  void remove_reply(const std::string& address) { replies_.erase(address); }
  bool has_reply(std::string_view address) const { return replies_.contains(address); }
  void add_receiver(AmqpQueue& queue, AmqpReceiver& receiver);
  void remove_receiver(const std::string& queue, AmqpReceiver& receiver);
  // Everything that belongs to a connection alone.
  void end_connection(std::uint64_t connection);

 private:
  void route(const std::string& exchange, std::string_view key, const amqp::Table* headers,
             std::set<std::string>& seen, std::set<std::string>& to);
  // False: it is full, and refuses.
  bool enqueue(AmqpQueue& queue, const AmqpMessageRef& message);
  void give_up(AmqpQueue& queue, const AmqpEntry& entry, AmqpDeath reason);
  void drop_expired(AmqpQueue& queue);
  void forget_bindings_of(const std::string& name, bool of_queue);

  std::map<std::string, AmqpExchange, std::less<>> exchanges_;
  std::map<std::string, AmqpQueue, std::less<>> queues_;
  std::vector<AmqpBinding> bindings_;
  std::map<std::string, AmqpReceiver*, std::less<>> replies_;
  Now now_;
  std::uint64_t last_number_ = 0;
  std::uint64_t last_name_ = 0;
  std::uint64_t last_queue_ = 0;
};

// "Direct reply-to": consuming from it makes an address that only this consumer gets messages of.
inline constexpr std::string_view kAmqpReplyTo = "amq.rabbitmq.reply-to";

// Of the arguments that an exchange is declared with.
std::optional<std::string> alternate_exchange(const amqp::Table& arguments);

// Whether a topic binding ("a.*.#") takes a routing key.
bool topic_matches(std::string_view pattern, std::string_view key);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_STORE_H_
