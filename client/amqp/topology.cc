#include "client/amqp/topology.h"

#include <algorithm>
#include <span>
#include <utility>

#include "protocol/amqp/methods/all.h"
#include "protocol/wire/writer.h"

namespace tern::amqp {
namespace {

template <class M>
std::string bytes_of(const M& method) {
  const auto size = encoded_size(method);
  std::string out(size ? *size : 0, '\0');
  wire::Writer writer(std::as_writable_bytes(std::span(out.data(), out.size())));
  if (size) encode(method, writer);
  return out;
}

}  // namespace

std::string Topology::Entity::to_string() const {
  switch (kind) {
    case Kind::exchange:
      return "exchange '" + name + "'";
    case Kind::queue:
      return "queue '" + name + "'";
    case Kind::exchange_binding:
      return "binding of exchange '" + destination + "' to '" + name + "'";
    case Kind::queue_binding:
      return "binding of queue '" + destination + "' to '" + name + "'";
  }
  return "?";
}

bool Topology::Entity::touches_exchange(std::string_view exchange) const {
  return (kind != Kind::queue && name == exchange) ||
         (kind == Kind::exchange_binding && destination == exchange);
}

// In place of what has the same name, or is the same binding.
template <class M>
void Topology::add(Entity entity, const M& method) {
  entity.method = bytes_of(method);
  const bool is_binding = !entity.destination.empty();
  const auto same = std::find_if(entities_.begin(), entities_.end(), [&](const Entity& each) {
    return each.kind == entity.kind &&
           (is_binding ? each.method == entity.method : each.name == entity.name);
  });
  if (same != entities_.end()) {
    *same = std::move(entity);
  } else {
    entities_.push_back(std::move(entity));
  }
}

void Topology::declared(const ExchangeDeclare& exchange) {
  // Those of the broker itself are there anyway.
  if (exchange.passive || exchange.exchange.empty() ||
      exchange.exchange.view().starts_with("amq.")) {
    return;
  }
  ExchangeDeclare again = exchange;
  again.no_wait = false;
  add({.kind = Kind::exchange,
       .name = exchange.exchange.str(),
       .destination = {},
       .method = {},
       .auto_delete = exchange.auto_delete},
      again);
}

void Topology::declared(const QueueDeclare& queue, std::string_view name) {
  if (queue.passive || name.empty()) return;
  QueueDeclare again = queue;
  again.no_wait = false;
  add({.kind = Kind::queue,
       .name = std::string(name),
       .destination = {},
       .method = {},
       .auto_delete = queue.auto_delete,
       .server_named = queue.queue.empty()},
      again);
}

void Topology::bound(const ExchangeBind& binding) {
  ExchangeBind again = binding;
  again.no_wait = false;
  add({.kind = Kind::exchange_binding,
       .name = binding.source.str(),
       .destination = binding.destination.str(),
       .method = {}},
      again);
}

void Topology::bound(const QueueBind& binding, std::string_view queue) {
  QueueBind again = binding;
  again.queue = queue;
  again.no_wait = false;
  add({.kind = Kind::queue_binding,
       .name = binding.exchange.str(),
       .destination = std::string(queue),
       .method = {}},
      again);
}

void Topology::unbound(const ExchangeUnbind& binding) {
  const std::string gone = bytes_of(ExchangeBind{.destination = binding.destination,
                                                 .source = binding.source,
                                                 .routing_key = binding.routing_key,
                                                 .arguments = binding.arguments});
  std::erase_if(entities_, [&](const Entity& each) {
    return each.kind == Kind::exchange_binding && each.method == gone;
  });
  source_may_be_gone(binding.source.str());
}

void Topology::unbound(const QueueUnbind& binding, std::string_view queue) {
  const std::string gone = bytes_of(QueueBind{.queue = queue,
                                              .exchange = binding.exchange,
                                              .routing_key = binding.routing_key,
                                              .arguments = binding.arguments});
  std::erase_if(entities_, [&](const Entity& each) {
    return each.kind == Kind::queue_binding && each.method == gone;
  });
  source_may_be_gone(binding.exchange.str());
}

// An exchange with auto-delete goes with its last binding.
void Topology::source_may_be_gone(const std::string& exchange) {
  const bool used = std::any_of(entities_.begin(), entities_.end(), [&](const Entity& each) {
    return !each.destination.empty() && each.name == exchange;
  });
  const bool goes = std::any_of(entities_.begin(), entities_.end(), [&](const Entity& each) {
    return each.kind == Kind::exchange && each.name == exchange && each.auto_delete;
  });
  if (goes && !used) forget(Kind::exchange, exchange);
}

// With its bindings.
void Topology::forget(Kind kind, const std::string& name) {
  const Kind binding = kind == Kind::queue ? Kind::queue_binding : Kind::exchange_binding;
  std::vector<std::string> sources;
  for (const Entity& each : entities_) {
    if (each.kind == binding && each.destination == name) sources.push_back(each.name);
  }
  std::erase_if(entities_, [&](const Entity& each) {
    const bool is_binding = !each.destination.empty();
    return (each.kind == kind && each.name == name) ||
           (each.kind == binding && each.destination == name) ||
           (kind == Kind::exchange && is_binding && each.name == name);
  });
  for (const std::string& source : sources) source_may_be_gone(source);
}

void Topology::left_by_consumers(std::string_view queue) {
  const bool goes = std::any_of(entities_.begin(), entities_.end(), [&](const Entity& each) {
    return each.kind == Kind::queue && each.name == queue && each.auto_delete;
  });
  if (goes) queue_deleted(queue);
}

void Topology::rename_queue(const std::string& from, const std::string& to) {
  for (Entity& each : entities_) {
    if (each.kind == Kind::queue && each.name == from) each.name = to;
    if (each.kind != Kind::queue_binding || each.destination != from) continue;
    const std::string old = each.method;
    QueueBind binding;
    if (decode_method(Bytes(std::string_view(old)), {}, binding)) continue;
    binding.queue = std::string_view(to);
    each.method = bytes_of(binding);
    each.destination = to;
  }
}

std::vector<Topology::Entity> Topology::in_order() const {
  std::vector<Entity> out;
  for (const Kind kind :
       {Kind::exchange, Kind::exchange_binding, Kind::queue, Kind::queue_binding}) {
    for (const Entity& each : entities_) {
      if (each.kind == kind) out.push_back(each);
    }
  }
  return out;
}

}  // namespace tern::amqp
