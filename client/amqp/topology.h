// Topology: what a connection has declared and would have to declare again: exchanges, queues and
// bindings. Kept by the names the broker gave, forgotten when it is deleted, or when the broker
// deletes it by itself (auto-delete).
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_TOPOLOGY_H_
#define TERN_CLIENT_AMQP_TOPOLOGY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/methods/exchange.h"
#include "protocol/amqp/methods/queue.h"

namespace tern::amqp {

class Topology {
 public:
  // In the order in which they are declared again.
  enum class Kind : std::uint8_t { exchange, exchange_binding, queue, queue_binding };
  struct Entity {
    Kind kind = Kind::exchange;
    std::string name;         // of the exchange or queue; of a binding, its source
    std::string destination;  // of a binding
    std::string method;       // that declared it, encoded
    bool auto_delete = false;
    bool server_named = false;

    std::string to_string() const;  // "queue 'orders'"
    // It is that exchange, or a binding of it or to it.
    bool touches_exchange(std::string_view exchange) const;
  };

  void declared(const ExchangeDeclare& exchange);
  void declared(const QueueDeclare& queue, std::string_view name);
  void bound(const ExchangeBind& binding);
  void bound(const QueueBind& binding, std::string_view queue);
  void unbound(const ExchangeUnbind& binding);
  void unbound(const QueueUnbind& binding, std::string_view queue);
  void exchange_deleted(std::string_view name) { forget(Kind::exchange, std::string(name)); }
  void queue_deleted(std::string_view name) { forget(Kind::queue, std::string(name)); }
  // Nobody here consumes from it any more.
  void left_by_consumers(std::string_view queue);
  // The broker has given it another name this time.
  void rename_queue(const std::string& from, const std::string& to);

  std::vector<Entity> in_order() const;
  std::size_t size() const { return entities_.size(); }

 private:
  template <class M>
  void add(Entity entity, const M& method);
  void forget(Kind kind, const std::string& name);
  void source_may_be_gone(const std::string& exchange);

  std::vector<Entity> entities_;  // in the order of declaration
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_TOPOLOGY_H_
