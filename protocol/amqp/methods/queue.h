// Class queue.
#ifndef TERN_PROTOCOL_AMQP_METHODS_QUEUE_H_
#define TERN_PROTOCOL_AMQP_METHODS_QUEUE_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct QueueDeclareOk;
struct QueueBindOk;
struct QueuePurgeOk;
struct QueueDeleteOk;
struct QueueUnbindOk;

struct QueueDeclare {
  static constexpr Method method{{50, 10}, "queue.declare", Sender::client};
  using Replies = wire::TypeList<QueueDeclareOk>;

  Text queue = {};
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueDeclare;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("passive", &M::passive);
    field("durable", &M::durable);
    field("exclusive", &M::exclusive);
    field("auto_delete", &M::auto_delete);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const QueueDeclare&, const QueueDeclare&) = default;
};

struct QueueDeclareOk {
  static constexpr Method method{{50, 11}, "queue.declare-ok", Sender::server};

  Text queue = {};
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueDeclareOk;
    field("queue", &M::queue);
    field("message_count", &M::message_count);
    field("consumer_count", &M::consumer_count);
  }
  friend bool operator==(const QueueDeclareOk&, const QueueDeclareOk&) = default;
};

struct QueueBind {
  static constexpr Method method{{50, 20}, "queue.bind", Sender::client};
  using Replies = wire::TypeList<QueueBindOk>;

  Text queue = {};
  Text exchange = {};
  Text routing_key = {};
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueBind;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const QueueBind&, const QueueBind&) = default;
};

struct QueueBindOk {
  static constexpr Method method{{50, 21}, "queue.bind-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const QueueBindOk&, const QueueBindOk&) = default;
};

struct QueuePurge {
  static constexpr Method method{{50, 30}, "queue.purge", Sender::client};
  using Replies = wire::TypeList<QueuePurgeOk>;

  Text queue = {};
  bool no_wait = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueuePurge;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("no_wait", &M::no_wait);
  }
  friend bool operator==(const QueuePurge&, const QueuePurge&) = default;
};

struct QueuePurgeOk {
  static constexpr Method method{{50, 31}, "queue.purge-ok", Sender::server};

  std::uint32_t message_count = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueuePurgeOk;
    field("message_count", &M::message_count);
  }
  friend bool operator==(const QueuePurgeOk&, const QueuePurgeOk&) = default;
};

struct QueueDelete {
  static constexpr Method method{{50, 40}, "queue.delete", Sender::client};
  using Replies = wire::TypeList<QueueDeleteOk>;

  Text queue = {};
  bool if_unused = false;
  bool if_empty = false;
  bool no_wait = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueDelete;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("if_unused", &M::if_unused);
    field("if_empty", &M::if_empty);
    field("no_wait", &M::no_wait);
  }
  friend bool operator==(const QueueDelete&, const QueueDelete&) = default;
};

struct QueueDeleteOk {
  static constexpr Method method{{50, 41}, "queue.delete-ok", Sender::server};

  std::uint32_t message_count = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueDeleteOk;
    field("message_count", &M::message_count);
  }
  friend bool operator==(const QueueDeleteOk&, const QueueDeleteOk&) = default;
};

// Alone among its kind it has no no_wait.
struct QueueUnbind {
  static constexpr Method method{{50, 50}, "queue.unbind", Sender::client};
  using Replies = wire::TypeList<QueueUnbindOk>;

  Text queue = {};
  Text exchange = {};
  Text routing_key = {};
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = QueueUnbind;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const QueueUnbind&, const QueueUnbind&) = default;
};

struct QueueUnbindOk {
  static constexpr Method method{{50, 51}, "queue.unbind-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const QueueUnbindOk&, const QueueUnbindOk&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_QUEUE_H_
