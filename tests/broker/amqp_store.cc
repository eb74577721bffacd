#include "tests/broker/amqp_store.h"

#include <algorithm>
#include <utility>

#include "protocol/amqp/properties.h"
#include "protocol/wire/reader.h"

namespace tern::broker {
namespace {

std::string_view first_word(std::string_view text) {
  return text.substr(0, std::min(text.find('.'), text.size()));
}
std::string_view without_first_word(std::string_view text) {
  const std::size_t dot = text.find('.');
  return dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
}

// "", "a" and "a.b" have 0, 1 and 2 words; "a." has an empty one at its end.
bool matches(std::string_view pattern, bool pattern_ends, std::string_view key, bool key_ends) {
  if (pattern_ends) return key_ends;
  const std::string_view word = first_word(pattern);
  const std::string_view rest = without_first_word(pattern);
  const bool rest_ends = pattern.find('.') == std::string_view::npos;
  if (word == "#") {
    if (matches(rest, rest_ends, key, key_ends)) return true;
    if (key_ends) return false;
    return matches(pattern, false, without_first_word(key),
                   key.find('.') == std::string_view::npos);
  }
  if (key_ends || (word != "*" && word != first_word(key))) return false;
  return matches(rest, rest_ends, without_first_word(key), key.find('.') == std::string_view::npos);
}

amqp::Table table_of(const std::string& bytes) {
  amqp::Table table;
  wire::Reader reader{wire::Bytes(std::string_view(bytes))};
  (void)amqp::decode_bare_table(reader, {}, "arguments", table);
  return table;
}

bool headers_match(const std::string& arguments, const amqp::Table* headers) {
  const amqp::Table wanted = table_of(arguments);
  const auto mode = wanted.find("x-match");
  const std::string_view match = mode ? mode->text().value_or("all") : "all";
  const bool any = match.starts_with("any");
  const bool with_x = match.ends_with("-with-x");
  for (const amqp::Field field : wanted) {
    if (field.name == "x-match" || (!with_x && field.name.starts_with("x-"))) continue;
    const auto found = headers ? headers->find(field.name) : std::nullopt;
    const bool same = found && (field.value.is_null() || *found == field.value);
    if (same && any) return true;
    if (!same && !any) return false;
  }
  return !any;
}

}  // namespace

bool topic_matches(std::string_view pattern, std::string_view key) {
  return matches(pattern, pattern.empty(), key, key.empty());
}

std::optional<std::string> alternate_exchange(const amqp::Table& arguments) {
  const auto name = arguments.find("alternate-exchange");
  if (!name || !name->text()) return std::nullopt;
  return std::string(*name->text());
}

AmqpStore::AmqpStore() {
  for (const auto& [name, type] :
       {std::pair("", "direct"), std::pair("amq.direct", "direct"),
        std::pair("amq.fanout", "fanout"), std::pair("amq.topic", "topic"),
        std::pair("amq.headers", "headers"), std::pair("amq.match", "headers")}) {
    add_exchange({.name = name, .type = type, .durable = true});
  }
  add_exchange({.name = "amq.rabbitmq.trace", .type = "topic", .durable = true, .internal = true});
}

AmqpExchange* AmqpStore::exchange(std::string_view name) {
  const auto it = exchanges_.find(name);
  return it == exchanges_.end() ? nullptr : &it->second;
}

AmqpQueue* AmqpStore::queue(std::string_view name) {
  const auto it = queues_.find(name);
  return it == queues_.end() ? nullptr : &it->second;
}

AmqpExchange& AmqpStore::add_exchange(AmqpExchange exchange) {
  std::string name = exchange.name;
  return exchanges_.insert_or_assign(std::move(name), std::move(exchange)).first->second;
}

void AmqpStore::remove_exchange(const std::string& name) {
  exchanges_.erase(name);
  forget_bindings_of(name, false);
}

AmqpQueue& AmqpStore::add_queue(AmqpQueue queue) {
  std::string name = queue.name;
  queue.number = ++last_queue_;
  return queues_.insert_or_assign(std::move(name), std::move(queue)).first->second;
}

void AmqpStore::remove_queue(const std::string& name) {
  auto node = queues_.extract(name);
  if (node.empty()) return;
  forget_bindings_of(name, true);
  for (AmqpReceiver* const receiver : node.mapped().receivers) receiver->cancelled();
}

void AmqpStore::bind(const AmqpBinding& binding) {
  if (std::find(bindings_.begin(), bindings_.end(), binding) == bindings_.end()) {
    bindings_.push_back(binding);
  }
}

void AmqpStore::unbind(const AmqpBinding& binding) {
  std::erase(bindings_, binding);
  AmqpExchange* const source = exchange(binding.source);
  if (!source || !source->auto_delete) return;
  const bool used = std::any_of(bindings_.begin(), bindings_.end(),
                                [&](const AmqpBinding& b) { return b.source == binding.source; });
  if (!used) remove_exchange(binding.source);
}

void AmqpStore::forget_bindings_of(const std::string& name, bool of_queue) {
  for (const AmqpBinding& binding : std::vector(bindings_)) {
    const bool from = !of_queue && binding.source == name;
    if (from)
      std::erase(bindings_, binding);
    else if (binding.destination == name && binding.to_queue == of_queue)
      unbind(binding);
  }
}

std::string AmqpStore::new_queue_name() { return "amq.gen-" + std::to_string(++last_name_); }

void AmqpStore::route(const std::string& name, std::string_view key, const amqp::Table* headers,
                      std::set<std::string>& seen, std::set<std::string>& to) {
  const AmqpExchange* const from = exchange(name);
  if (!from || !seen.insert(name).second) return;
  if (name.empty()) {
    if (queue(key)) to.emplace(key);
    return;
  }
  bool wanted = false;
  for (const AmqpBinding& binding : bindings_) {
    if (binding.source != name) continue;
    const bool taken = from->type == "fanout"    ? true
                       : from->type == "topic"   ? topic_matches(binding.key, key)
                       : from->type == "headers" ? headers_match(binding.arguments, headers)
                                                 : binding.key == key;
    if (!taken) continue;
    wanted = true;
    if (binding.to_queue)
      to.insert(binding.destination);
    else
      route(binding.destination, key, headers, seen, to);
  }
  if (wanted) return;
  if (from->alternate) route(*from->alternate, key, headers, seen, to);
}

AmqpStore::Routed AmqpStore::publish(AmqpMessage message, const amqp::Table* headers) {
  message.number = ++last_number_;
  if (message.exchange.empty() && message.routing_key.starts_with(kAmqpReplyTo)) {
    const auto reply = replies_.find(message.routing_key);
    if (reply == replies_.end()) return {};
    reply->second->take({.message = std::make_shared<const AmqpMessage>(std::move(message))});
    return {1, false};
  }
  std::set<std::string> seen, to;
  route(message.exchange, message.routing_key, headers, seen, to);
  Routed routed{to.size(), false};
  const AmqpMessageRef shared = std::make_shared<const AmqpMessage>(std::move(message));
  for (const std::string& name : to) {
    AmqpQueue* const each = queue(name);
    if (each && !enqueue(*each, shared)) routed.refused = true;
  }
  return routed;
}

bool AmqpStore::enqueue(AmqpQueue& queue, const AmqpMessageRef& message) {
  AmqpEntry entry{.message = message};
  entry.priority = std::min(message->priority, queue.rules.max_priority);
  if (queue.is_full()) {
    if (queue.rules.overflow == AmqpQueueRules::Overflow::reject_to_dead_letters) {
      give_up(queue, entry, AmqpDeath::maxlen);
    }
    return false;
  }
  const Duration longest = Duration::max();
  const Duration ttl =
      std::min(queue.rules.message_ttl.value_or(longest), message->ttl.value_or(longest));
  entry.expires = deadline_after(now_.mono, ttl);
  queue.put(std::move(entry));
  deliver(queue);
  while (queue.is_overfull()) give_up(queue, queue.take_first(), AmqpDeath::maxlen);
  drop_expired(queue);
  return true;
}

void AmqpStore::give_up(AmqpQueue& from, const AmqpEntry& entry, AmqpDeath reason) {
  if (!from.rules.dead_letter_exchange || !exchange(*from.rules.dead_letter_exchange)) return;
  AmqpMessage message = dead_letter(*entry.message, from, reason, now_.wall_ms);
  message.number = ++last_number_;
  amqp::ContentHeader header;
  (void)amqp::decode_header(wire::Bytes(std::string_view(message.header)), {}, header);
  std::set<std::string> seen, to;
  route(message.exchange, message.routing_key,
        header.properties.headers ? &*header.properties.headers : nullptr, seen, to);
  const AmqpMessageRef shared = std::make_shared<const AmqpMessage>(std::move(message));
  for (const std::string& name : to) {
    AmqpQueue* const each = queue(name);
    const bool circles = reason != AmqpDeath::rejected && goes_in_circles(*shared, name);
    if (each && !circles) enqueue(*each, shared);
  }
}

// Only the first can be known to have expired: the others wait for their turn, as in RabbitMQ.
void AmqpStore::drop_expired(AmqpQueue& queue) {
  while (!queue.ready.empty() && queue.ready.front().expires <= now_.mono) {
    give_up(queue, queue.take_first(), AmqpDeath::expired);
  }
}

void AmqpStore::expire() {
  std::vector<std::string> gone;
  for (auto& [name, each] : queues_) {
    drop_expired(each);
    if (each.rules.expires && each.receivers.empty() &&
        deadline_after(each.last_used, *each.rules.expires) <= now_.mono) {
      gone.push_back(name);
    }
  }
  for (const std::string& name : gone) remove_queue(name);
}

Time AmqpStore::next_deadline() const {
  Time next = kNever;
  for (const auto& [name, each] : queues_) next = std::min(next, each.next_deadline());
  return next;
}

void AmqpStore::deliver(AmqpQueue& queue) {
  while (!queue.ready.empty()) {
    drop_expired(queue);
    AmqpReceiver* const taker = queue.ready.empty() ? nullptr : queue.find_receiver();
    if (!taker) return;
    taker->take(queue.take_first());
  }
}

void AmqpStore::deliver_all() {
  for (auto& [name, each] : queues_) deliver(each);
}

void AmqpStore::requeue(const std::string& name, AmqpEntry entry) {
  AmqpQueue* const to = queue(name);
  if (!to) return;
  entry.redelivered = true;
  to->put(std::move(entry));
}

void AmqpStore::reject(const std::string& name, const AmqpEntry& entry) {
  if (AmqpQueue* const from = queue(name)) give_up(*from, entry, AmqpDeath::rejected);
}

void AmqpStore::add_receiver(AmqpQueue& queue, AmqpReceiver& receiver) {
  queue.receivers.push_back(&receiver);
}

void AmqpStore::remove_receiver(const std::string& name, AmqpReceiver& receiver) {
  AmqpQueue* const from = queue(name);
  if (!from) return;
  std::erase(from->receivers, &receiver);
  from->next_receiver = 0;
  if (from->exclusive == &receiver) from->exclusive = nullptr;
  touch(*from);
  if (from->receivers.empty() && from->auto_delete) remove_queue(name);
}

void AmqpStore::end_connection(std::uint64_t connection) {
  std::vector<std::string> gone;
  for (const auto& [name, each] : queues_) {
    if (each.owner == connection) gone.push_back(name);
  }
  for (const std::string& name : gone) remove_queue(name);
}

}  // namespace tern::broker
