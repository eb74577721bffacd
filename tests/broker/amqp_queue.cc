#include "tests/broker/amqp_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tern::broker {
namespace {

bool goes_before(const AmqpEntry& a, const AmqpEntry& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  return a.message->number < b.message->number;
}

// Reads one argument, if it is there. False: it is wrong.
template <class Out>
bool read_number(const amqp::Table& arguments, std::string_view name, std::int64_t least,
                 std::int64_t most, Out&& out) {
  const auto value = arguments.find(name);
  if (!value) return true;
  const auto number = value->integer();
  if (!number || *number < least || *number > most) return false;
  out(*number);
  return true;
}

bool read_text(const amqp::Table& arguments, std::string_view name,
               std::optional<std::string>& out) {
  const auto value = arguments.find(name);
  if (!value) return true;
  if (const auto text = value->text()) out = *text;
  return out.has_value();
}

}  // namespace

std::optional<std::string> AmqpQueueRules::read(const amqp::Table& arguments) {
  constexpr std::int64_t kMost = std::int64_t{1} << 32;  // milliseconds, as RabbitMQ has it
  constexpr std::int64_t kAny = std::int64_t{1} << 60;
  const auto wrong = [](const char* name) { return "invalid arg '" + std::string(name) + "'"; };
  const auto size = [](std::optional<std::size_t>& to) {
    return [&to](std::int64_t n) { to = static_cast<std::size_t>(n); };
  };
  const auto time = [](std::optional<Duration>& to) {
    return [&to](std::int64_t n) { to = std::chrono::milliseconds(n); };
  };
  if (!read_number(arguments, "x-max-length", 0, kAny, size(max_length))) {
    return wrong("x-max-length");
  }
  if (!read_number(arguments, "x-max-length-bytes", 0, kAny, size(max_length_bytes))) {
    return wrong("x-max-length-bytes");
  }
  if (!read_number(arguments, "x-message-ttl", 0, kMost, time(message_ttl))) {
    return wrong("x-message-ttl");
  }
  if (!read_number(arguments, "x-expires", 1, kMost, time(expires))) return wrong("x-expires");
  if (!read_number(arguments, "x-max-priority", 0, 255,
                   [this](std::int64_t n) { max_priority = static_cast<std::uint8_t>(n); })) {
    return wrong("x-max-priority");
  }
  if (!read_text(arguments, "x-dead-letter-exchange", dead_letter_exchange)) {
    return wrong("x-dead-letter-exchange");
  }
  if (!read_text(arguments, "x-dead-letter-routing-key", dead_letter_key) ||
      (dead_letter_key && !dead_letter_exchange)) {
    return wrong("x-dead-letter-routing-key");
  }
  if (const auto alone = arguments.find("x-single-active-consumer")) {
    if (!alone->boolean()) return wrong("x-single-active-consumer");
    single_active_consumer = *alone->boolean();
  }
  std::optional<std::string> name;
  if (!read_text(arguments, "x-overflow", name)) return wrong("x-overflow");
  if (name == "reject-publish") {
    overflow = Overflow::reject;
  } else if (name == "reject-publish-dlx") {
    overflow = Overflow::reject_to_dead_letters;
  } else if (name && name != "drop-head") {
    return wrong("x-overflow");
  }
  return std::nullopt;
}

void AmqpQueue::put(AmqpEntry entry) {
  ready_bytes += entry.message->body.size();
  const auto at = ready.empty() || !goes_before(entry, ready.back())
                      ? ready.end()
                      : std::upper_bound(ready.begin(), ready.end(), entry, goes_before);
  ready.insert(at, std::move(entry));
}

AmqpEntry AmqpQueue::take_first() {
  AmqpEntry entry = std::move(ready.front());
  ready.pop_front();
  ready_bytes -= entry.message->body.size();
  return entry;
}

void AmqpQueue::clear() {
  ready.clear();
  ready_bytes = 0;
}

bool AmqpQueue::is_full() const {
  if (rules.overflow == AmqpQueueRules::Overflow::drop_head) return false;
  return (rules.max_length && ready.size() >= *rules.max_length) ||
         (rules.max_length_bytes && ready_bytes >= *rules.max_length_bytes);
}

bool AmqpQueue::is_overfull() const {
  return rules.overflow == AmqpQueueRules::Overflow::drop_head && !ready.empty() &&
         ((rules.max_length && ready.size() > *rules.max_length) ||
          (rules.max_length_bytes && ready_bytes > *rules.max_length_bytes));
}

AmqpReceiver* AmqpQueue::find_receiver() {
  const std::size_t count = receivers.size();
  if (rules.single_active_consumer && count != 0) {
    return receivers.front()->can_take() ? receivers.front() : nullptr;
  }
  for (std::size_t i = 0; i < count; ++i) {
    AmqpReceiver* const each = receivers[(next_receiver + i) % count];
    if (!each->can_take()) continue;
    next_receiver = (next_receiver + i + 1) % count;
    return each;
  }
  return nullptr;
}

Time AmqpQueue::next_deadline() const {
  Time next = ready.empty() ? kNever : ready.front().expires;
  if (rules.expires && receivers.empty()) {
    next = std::min(next, deadline_after(last_used, *rules.expires));
  }
  return next;
}

}  // namespace tern::broker
