// AMQP messages as JSON, one a line, and their properties from the command line. What
// `tern amqp consume -J` writes, `tern amqp publish -J` reads:
//
//   {"exchange":"","routing_key":"orders","redelivered":false,
//    "properties":{"content_type":"text/plain","headers":{"n":1},"delivery_mode":2},"payload":"v"}
//
// A payload that is not UTF-8 is "payload_base64" instead. Header values keep their kind where JSON
// has it; what it has not becomes what is next to it: times become numbers, bytes strings.
#ifndef TERN_CLIENT_CLI_AMQP_MESSAGE_H_
#define TERN_CLIENT_CLI_AMQP_MESSAGE_H_

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace tern::cli {

// The envelope without a newline.
struct AmqpEnvelope {
  std::string_view exchange;
  std::string_view routing_key;
  bool redelivered = false;
  amqp::BasicProperties properties;
  std::string_view payload;
};
void append_json(const AmqpEnvelope& message, std::string& out);

// Properties with the text they view.
class AmqpProperties {
 public:
  AmqpProperties() = default;
  AmqpProperties(const AmqpProperties&) = delete;
  AmqpProperties& operator=(const AmqpProperties&) = delete;

  // One of the 14 by its name, but for headers. Returns what is wrong, or an empty string.
  std::string set(std::string_view name, std::string_view value);
  // False: the name or the value is one that AMQP cannot carry.
  bool set_header(std::string_view name, const amqp::Value& value);

  // A view, valid until the next change.
  const amqp::BasicProperties& view() const { return properties_; }

  // For readers of JSON.
  amqp::BasicProperties& properties() { return properties_; }
  amqp::Text keep(std::string_view text) { return std::string_view(texts_.emplace_back(text)); }

 private:
  amqp::BasicProperties properties_;
  amqp::TableBuilder headers_;
  std::deque<std::string> texts_;
};

// What is set in `own`, and the rest as in `otherwise`.
amqp::BasicProperties merged(const amqp::BasicProperties& own,
                             const amqp::BasicProperties& otherwise);

// A message to be published.
struct AmqpInput {
  std::optional<std::string> exchange;
  std::optional<std::string> routing_key;
  AmqpProperties properties;
  std::string payload;
};
// Reads an object with any of: exchange, routing_key, properties, payload or payload_base64;
// redelivered is passed over. A payload that is no string is taken as the JSON text it is. Returns
// what is wrong, or an empty string.
std::string read_json(std::string_view line, AmqpInput& out);

// "x-max-length=10" as a table has it: a number, true or false, else text.
void add_argument(std::string_view name, std::string_view value, amqp::TableBuilder& table);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_AMQP_MESSAGE_H_
