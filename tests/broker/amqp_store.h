// AmqpStore: what an embedded AMQP broker keeps: exchanges, bindings, queues and their messages, in
// memory, as RabbitMQ has them. It knows nothing of connections; who consumes is told to it.
//
// One thread. Lives longer than the brokers and sessions that use it, so it survives their restart.
#ifndef TERN_TESTS_BROKER_AMQP_STORE_H_
#define TERN_TESTS_BROKER_AMQP_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/table.h"

namespace tern::broker {

// A message as it came in.
struct AmqpMessage {
  std::uint64_t number = 0;  // in the order of arrival
  std::string exchange;
  std::string routing_key;
  std::string header;  // the payload of its header frame
  std::string body;
};
using AmqpMessageRef = std::shared_ptr<const AmqpMessage>;

// One message in one queue.
struct AmqpEntry {
  AmqpMessageRef message;
  bool redelivered = false;
};

// Who a queue gives its messages to.
class AmqpReceiver {
 public:
  virtual bool can_take() const = 0;
  virtual void take(AmqpEntry entry) = 0;
  // The queue is gone.
  virtual void cancelled() = 0;

 protected:
  ~AmqpReceiver() = default;
};

struct AmqpQueue {
  std::string name;
  bool durable = false;
  bool auto_delete = false;
  std::uint64_t owner = 0;  // the connection of an exclusive one, else 0
  std::string arguments;    // encoded
  std::optional<std::size_t> max_length = {};
  bool reject_overflow = false;  // else the oldest goes

  std::deque<AmqpEntry> ready = {};
  std::size_t unacked = 0;
  std::vector<AmqpReceiver*> receivers = {};
  std::size_t next_receiver = 0;
};

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
  std::string arguments;
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
  // Returns how many messages it had. Its consumers are told.
  std::size_t remove_queue(const std::string& name);
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

  // Gives out what is ready to who can take it.
  void deliver(AmqpQueue& queue);
  void deliver_all();
  // Back to where it was.
  void requeue(const std::string& queue, AmqpEntry entry);
  void add_receiver(AmqpQueue& queue, AmqpReceiver& receiver);
  void remove_receiver(const std::string& queue, AmqpReceiver& receiver);
  // Everything that belongs to a connection alone.
  void end_connection(std::uint64_t connection);

 private:
  void route(const std::string& exchange, std::string_view key, const amqp::Table* headers,
             std::set<std::string>& seen, std::set<std::string>& to);
  void forget_bindings_of(const std::string& name, bool of_queue);

  std::map<std::string, AmqpExchange, std::less<>> exchanges_;
  std::map<std::string, AmqpQueue, std::less<>> queues_;
  std::vector<AmqpBinding> bindings_;
  std::uint64_t last_number_ = 0;
  std::uint64_t last_name_ = 0;
};

// Whether a topic binding ("a.*.#") takes a routing key.
bool topic_matches(std::string_view pattern, std::string_view key);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_STORE_H_
