// Class exchange, with RabbitMQ's bindings from exchange to exchange.
#ifndef TERN_PROTOCOL_AMQP_METHODS_EXCHANGE_H_
#define TERN_PROTOCOL_AMQP_METHODS_EXCHANGE_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct ExchangeDeclareOk;
struct ExchangeDeleteOk;
struct ExchangeBindOk;
struct ExchangeUnbindOk;

struct ExchangeDeclare {
  static constexpr Method method{{40, 10}, "exchange.declare", Sender::client};
  using Replies = wire::TypeList<ExchangeDeclareOk>;

  Text exchange = {};
  Text type = {};
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ExchangeDeclare;
    field.reserved("reserved_1", std::uint16_t{0});
    field("exchange", &M::exchange);
    field("type", &M::type);
    field("passive", &M::passive);
    field("durable", &M::durable);
    field("auto_delete", &M::auto_delete);
    field("internal", &M::internal);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const ExchangeDeclare&, const ExchangeDeclare&) = default;
};

struct ExchangeDeclareOk {
  static constexpr Method method{{40, 11}, "exchange.declare-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ExchangeDeclareOk&, const ExchangeDeclareOk&) = default;
};

struct ExchangeDelete {
  static constexpr Method method{{40, 20}, "exchange.delete", Sender::client};
  using Replies = wire::TypeList<ExchangeDeleteOk>;

  Text exchange = {};
  bool if_unused = false;
  bool no_wait = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ExchangeDelete;
    field.reserved("reserved_1", std::uint16_t{0});
    field("exchange", &M::exchange);
    field("if_unused", &M::if_unused);
    field("no_wait", &M::no_wait);
  }
  friend bool operator==(const ExchangeDelete&, const ExchangeDelete&) = default;
};

struct ExchangeDeleteOk {
  static constexpr Method method{{40, 21}, "exchange.delete-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ExchangeDeleteOk&, const ExchangeDeleteOk&) = default;
};

struct ExchangeBind {
  static constexpr Method method{{40, 30}, "exchange.bind", Sender::client};
  using Replies = wire::TypeList<ExchangeBindOk>;

  Text destination = {};
  Text source = {};
  Text routing_key = {};
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ExchangeBind;
    field.reserved("reserved_1", std::uint16_t{0});
    field("destination", &M::destination);
    field("source", &M::source);
    field("routing_key", &M::routing_key);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const ExchangeBind&, const ExchangeBind&) = default;
};

struct ExchangeBindOk {
  static constexpr Method method{{40, 31}, "exchange.bind-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ExchangeBindOk&, const ExchangeBindOk&) = default;
};

struct ExchangeUnbind {
  static constexpr Method method{{40, 40}, "exchange.unbind", Sender::client};
  using Replies = wire::TypeList<ExchangeUnbindOk>;

  Text destination = {};
  Text source = {};
  Text routing_key = {};
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ExchangeUnbind;
    field.reserved("reserved_1", std::uint16_t{0});
    field("destination", &M::destination);
    field("source", &M::source);
    field("routing_key", &M::routing_key);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const ExchangeUnbind&, const ExchangeUnbind&) = default;
};

// 51, not 41: so it is in RabbitMQ.
struct ExchangeUnbindOk {
  static constexpr Method method{{40, 51}, "exchange.unbind-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ExchangeUnbindOk&, const ExchangeUnbindOk&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_EXCHANGE_H_
