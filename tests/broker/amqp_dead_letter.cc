#include "tests/broker/amqp_dead_letter.h"

#include <optional>
#include <span>
#include <vector>

#include "protocol/amqp/properties.h"

namespace tern::broker {
namespace {

const char* name(AmqpDeath reason) {
  switch (reason) {
    case AmqpDeath::rejected:
      return "rejected";
    case AmqpDeath::expired:
      return "expired";
    case AmqpDeath::maxlen:
      return "maxlen";
  }
  return "";
}

amqp::ContentHeader header_of(const AmqpMessage& message) {
  amqp::ContentHeader header;
  (void)amqp::decode_header(wire::Bytes(std::string_view(message.header)), {}, header);
  return header;
}

std::optional<amqp::FieldArray> deaths_of(const amqp::ContentHeader& header) {
  if (!header.properties.headers) return std::nullopt;
  const auto value = header.properties.headers->find("x-death");
  return value ? value->array() : std::nullopt;
}

std::string_view text_in(const amqp::Table& table, std::string_view field) {
  const auto value = table.find(field);
  return value ? value->text().value_or("") : "";
}

bool is_of(const amqp::Value& death, std::string_view queue, std::string_view reason) {
  const auto table = death.table();
  return table && text_in(*table, "queue") == queue && text_in(*table, "reason") == reason;
}

}  // namespace

AmqpMessage dead_letter(const AmqpMessage& message, const AmqpQueue& queue, AmqpDeath reason,
                        std::int64_t wall_ms) {
  amqp::ContentHeader header = header_of(message);
  const auto deaths = deaths_of(header);
  std::int64_t count = 1;
  if (deaths) {
    for (const amqp::Value death : *deaths) {
      if (!is_of(death, queue.name, name(reason))) continue;
      const auto before = death.table()->find("count");
      if (before) count += before->integer().value_or(0);
    }
  }
  amqp::ArrayBuilder keys;
  keys.add(message.routing_key);
  amqp::TableBuilder info;
  info.add("count", count).add("reason", name(reason)).add("queue", queue.name);
  info.add("time", amqp::Timestamp{static_cast<std::uint64_t>(wall_ms / 1000)});
  info.add("exchange", message.exchange).add("routing-keys", *keys.array());
  if (!header.properties.expiration.is_null()) {
    info.add("original-expiration", header.properties.expiration);
  }
  amqp::ArrayBuilder all;
  all.add(*info.table());
  if (deaths) {
    for (const amqp::Value death : *deaths) {
      if (!is_of(death, queue.name, name(reason))) all.add(death);
    }
  }
  amqp::TableBuilder headers;
  headers.add("x-death", *all.array());
  if (!header.properties.headers || !header.properties.headers->find("x-first-death-reason")) {
    headers.add("x-first-death-reason", name(reason)).add("x-first-death-queue", queue.name);
    headers.add("x-first-death-exchange", message.exchange);
  }
  if (header.properties.headers) {
    for (const amqp::Field field : *header.properties.headers) {
      if (field.name != "x-death") headers.add(field.name, field.value);
    }
  }
  header.properties.headers = *headers.table();
  header.properties.expiration = wire::null;
  AmqpMessage out = message;
  out.ttl.reset();
  out.exchange = *queue.rules.dead_letter_exchange;
  if (queue.rules.dead_letter_key) out.routing_key = *queue.rules.dead_letter_key;
  if (const auto size = amqp::encoded_size(header)) {
    out.header.assign(*size, '\0');
    wire::Writer writer(std::as_writable_bytes(std::span(out.header.data(), out.header.size())));
    amqp::encode(header, writer);
  }
  return out;
}

bool goes_in_circles(const AmqpMessage& message, std::string_view queue) {
  const amqp::ContentHeader header = header_of(message);
  const auto deaths = deaths_of(header);
  if (!deaths) return false;
  // The latest comes first.
  for (const amqp::Value death : *deaths) {
    const auto table = death.table();
    if (!table || text_in(*table, "reason") == "rejected") return false;
    if (text_in(*table, "queue") == queue) return true;
  }
  return false;
}

}  // namespace tern::broker
