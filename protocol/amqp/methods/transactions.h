// Classes confirm (RabbitMQ's) and tx: the two ways to learn what became of a publish.
#ifndef TERN_PROTOCOL_AMQP_METHODS_TRANSACTIONS_H_
#define TERN_PROTOCOL_AMQP_METHODS_TRANSACTIONS_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct ConfirmSelectOk;
struct TxSelectOk;
struct TxCommitOk;
struct TxRollbackOk;

struct ConfirmSelect {
  static constexpr Method method{{85, 10}, "confirm.select", Sender::client};
  using Replies = wire::TypeList<ConfirmSelectOk>;

  bool no_wait = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConfirmSelect;
    field("no_wait", &M::no_wait);
  }
  friend bool operator==(const ConfirmSelect&, const ConfirmSelect&) = default;
};

struct ConfirmSelectOk {
  static constexpr Method method{{85, 11}, "confirm.select-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ConfirmSelectOk&, const ConfirmSelectOk&) = default;
};

struct TxSelect {
  static constexpr Method method{{90, 10}, "tx.select", Sender::client};
  using Replies = wire::TypeList<TxSelectOk>;

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxSelect&, const TxSelect&) = default;
};

struct TxSelectOk {
  static constexpr Method method{{90, 11}, "tx.select-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxSelectOk&, const TxSelectOk&) = default;
};

struct TxCommit {
  static constexpr Method method{{90, 20}, "tx.commit", Sender::client};
  using Replies = wire::TypeList<TxCommitOk>;

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxCommit&, const TxCommit&) = default;
};

struct TxCommitOk {
  static constexpr Method method{{90, 21}, "tx.commit-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxCommitOk&, const TxCommitOk&) = default;
};

struct TxRollback {
  static constexpr Method method{{90, 30}, "tx.rollback", Sender::client};
  using Replies = wire::TypeList<TxRollbackOk>;

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxRollback&, const TxRollback&) = default;
};

struct TxRollbackOk {
  static constexpr Method method{{90, 31}, "tx.rollback-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const TxRollbackOk&, const TxRollbackOk&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_TRANSACTIONS_H_
