#include "tests/broker/amqp_store.h"

#include <algorithm>
#include <utility>

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

AmqpStore::AmqpStore() {
  for (const auto& [name, type] :
       {std::pair("", "direct"), std::pair("amq.direct", "direct"),
        std::pair("amq.fanout", "fanout"), std::pair("amq.topic", "topic"),
        std::pair("amq.headers", "headers"), std::pair("amq.match", "headers")}) {
    add_exchange({.name = name, .type = type, .durable = true, .arguments = {}});
  }
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
  return queues_.insert_or_assign(std::move(name), std::move(queue)).first->second;
}

std::size_t AmqpStore::remove_queue(const std::string& name) {
  auto node = queues_.extract(name);
  if (node.empty()) return 0;
  forget_bindings_of(name, true);
  for (AmqpReceiver* const receiver : node.mapped().receivers) receiver->cancelled();
  return node.mapped().ready.size();
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
  for (const AmqpBinding& binding : bindings_) {
    if (binding.source != name) continue;
    const bool taken = from->type == "fanout"    ? true
                       : from->type == "topic"   ? topic_matches(binding.key, key)
                       : from->type == "headers" ? headers_match(binding.arguments, headers)
                                                 : binding.key == key;
    if (!taken) continue;
    if (binding.to_queue)
      to.insert(binding.destination);
    else
      route(binding.destination, key, headers, seen, to);
  }
}

AmqpStore::Routed AmqpStore::publish(AmqpMessage message, const amqp::Table* headers) {
  message.number = ++last_number_;
  std::set<std::string> to;
  if (message.exchange.empty()) {
    if (queue(message.routing_key)) to.insert(message.routing_key);
  } else {
    std::set<std::string> seen;
    route(message.exchange, message.routing_key, headers, seen, to);
  }
  Routed routed{to.size(), false};
  const AmqpMessageRef shared = std::make_shared<const AmqpMessage>(std::move(message));
  for (const std::string& name : to) {
    AmqpQueue& each = *queue(name);
    if (each.max_length && each.ready.size() >= *each.max_length) {
      if (each.reject_overflow) {
        routed.refused = true;
        continue;
      }
      each.ready.pop_front();
    }
    each.ready.push_back({shared, false});
    deliver(each);
  }
  return routed;
}

void AmqpStore::deliver(AmqpQueue& queue) {
  while (!queue.ready.empty()) {
    const std::size_t count = queue.receivers.size();
    AmqpReceiver* taker = nullptr;
    for (std::size_t i = 0; i < count && !taker; ++i) {
      AmqpReceiver* const each = queue.receivers[(queue.next_receiver + i) % count];
      if (!each->can_take()) continue;
      taker = each;
      queue.next_receiver = (queue.next_receiver + i + 1) % count;
    }
    if (!taker) return;
    AmqpEntry entry = std::move(queue.ready.front());
    queue.ready.pop_front();
    taker->take(std::move(entry));
  }
}

void AmqpStore::deliver_all() {
  for (auto& [name, each] : queues_) deliver(each);
}

void AmqpStore::requeue(const std::string& name, AmqpEntry entry) {
  AmqpQueue* const to = queue(name);
  if (!to) return;
  entry.redelivered = true;
  const auto at = std::find_if(to->ready.begin(), to->ready.end(), [&](const AmqpEntry& each) {
    return each.message->number > entry.message->number;
  });
  to->ready.insert(at, std::move(entry));
}

void AmqpStore::add_receiver(AmqpQueue& queue, AmqpReceiver& receiver) {
  queue.receivers.push_back(&receiver);
}

void AmqpStore::remove_receiver(const std::string& name, AmqpReceiver& receiver) {
  AmqpQueue* const from = queue(name);
  if (!from) return;
  std::erase(from->receivers, &receiver);
  from->next_receiver = 0;
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
