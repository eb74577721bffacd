// AmqpQueue: a queue of an embedded AMQP broker: what was asked of it when it was declared, and its
// messages. One thread.
#ifndef TERN_TESTS_BROKER_AMQP_QUEUE_H_
#define TERN_TESTS_BROKER_AMQP_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/time.h"
#include "protocol/amqp/table.h"

namespace tern::broker {

// A message as it came in.
struct AmqpMessage {
  std::uint64_t number = 0;  // in the order of arrival
  std::string exchange;
  std::string routing_key;
  std::string header;  // the payload of its header frame
  std::string body;
  std::uint8_t priority = 0;
  std::optional<Duration> ttl = {};
};
using AmqpMessageRef = std::shared_ptr<const AmqpMessage>;

// One message in one queue.
struct AmqpEntry {
  AmqpMessageRef message;
  bool redelivered = false;
  std::uint8_t priority = 0;
  Time expires = kNever;
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

// The arguments of a queue that have a meaning here.
struct AmqpQueueRules {
  enum class Overflow : std::uint8_t { drop_head, reject, reject_to_dead_letters };

  std::optional<std::size_t> max_length = {};
  std::optional<std::size_t> max_length_bytes = {};
  Overflow overflow = Overflow::drop_head;
  std::optional<Duration> message_ttl = {};
  std::optional<Duration> expires = {};  // of the queue, when nobody uses it
  std::optional<std::string> dead_letter_exchange = {};
  std::optional<std::string> dead_letter_key = {};
  std::uint8_t max_priority = 0;
  bool single_active_consumer = false;

  // Nothing, or what is wrong: "invalid arg 'x-max-length'".
  std::optional<std::string> read(const amqp::Table& arguments);
  friend bool operator==(const AmqpQueueRules&, const AmqpQueueRules&) = default;
};

struct AmqpQueue {
  std::string name;
  std::uint64_t number = 0;  // of all that there ever were
  bool durable = false;
  bool auto_delete = false;
  std::uint64_t owner = 0;  // the connection of an exclusive one, else 0
  AmqpQueueRules rules = {};

  std::deque<AmqpEntry> ready = {};
  std::size_t ready_bytes = 0;
  std::size_t unacked = 0;
  std::vector<AmqpReceiver*> receivers = {};
  std::size_t next_receiver = 0;
  const AmqpReceiver* exclusive = nullptr;  // the one that wants to be alone
  Time last_used{};

  // By priority, and by age among those of the same.
  void put(AmqpEntry entry);
  AmqpEntry take_first();
  void clear();
  bool is_full() const;      // takes no more, if it refuses at all
  bool is_overfull() const;  // something has to go
  // The next receiver that can take something, or null.
  AmqpReceiver* find_receiver();
  // When something has to be done about it: its first message or the queue itself expires.
  Time next_deadline() const;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_QUEUE_H_
