#include "client/cli/amqp_message.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "client/cli/json.h"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;
using amqp::Text;

// ----------------------------------------------------------------------------------------- writing

void append_value(const amqp::Value& value, std::string& out);

void append_table(const amqp::Table& table, std::string& out) {
  char separator = '{';
  for (const amqp::Field field : table) {
    out += separator;
    separator = ',';
    append_json_string(field.name, out);
    out += ':';
    append_value(field.value, out);
  }
  out += separator == '{' ? "{}" : "}";
}

void append_array(const amqp::FieldArray& array, std::string& out) {
  char separator = '[';
  for (const amqp::Value value : array) {
    out += separator;
    separator = ',';
    append_value(value, out);
  }
  out += separator == '[' ? "[]" : "]";
}

void append_float(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";  // JSON has nothing for it
    return;
  }
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

void append_value(const amqp::Value& value, std::string& out) {
  if (const auto table = value.table()) return append_table(*table, out);
  if (const auto array = value.array()) return append_array(*array, out);
  if (const auto text = value.text()) return append_json_string(*text, out);
  if (const auto bytes = value.bytes()) return append_json_string(bytes->view(), out);
  if (const auto integer = value.integer()) return append_json_number(*integer, out);
  if (const auto number = value.number()) return append_float(*number, out);
  if (const auto time = value.timestamp()) {
    out += std::to_string(time->seconds);
  } else if (const auto decimal = value.decimal()) {
    append_float(static_cast<double>(decimal->digits) / std::pow(10, decimal->scale), out);
  } else if (const auto boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else {
    out += "null";
  }
}

// Writes the properties that are set.
struct PropertyWriter {
  const amqp::BasicProperties& properties;
  std::string& out;
  char separator = '{';

  template <class T>
  void operator()(int, const char* name, T amqp::BasicProperties::* member) {
    const T& value = properties.*member;
    if constexpr (std::is_same_v<T, Text>) {
      if (value.is_null()) return;
    } else {
      if (!value) return;
    }
    out += separator;
    separator = ',';
    append_json_string(name, out);
    out += ':';
    if constexpr (std::is_same_v<T, Text>) {
      append_json_string(value.view(), out);
    } else if constexpr (std::is_same_v<T, std::optional<amqp::Table>>) {
      append_table(*value, out);
    } else if constexpr (std::is_same_v<T, std::optional<amqp::Timestamp>>) {
      out += std::to_string(value->seconds);
    } else {
      append_json_number(*value, out);
    }
  }
};

struct PropertyMerger {
  amqp::BasicProperties out;
  const amqp::BasicProperties& otherwise;

  template <class T>
  void operator()(int, const char*, T amqp::BasicProperties::* member) {
    if constexpr (std::is_same_v<T, Text>) {
      if ((out.*member).is_null()) out.*member = otherwise.*member;
    } else {
      if (!(out.*member)) out.*member = otherwise.*member;
    }
  }
};

// ----------------------------------------------------------------------------------------- reading

template <class T>
std::optional<T> whole(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Sets the property with a name, out of text.
struct PropertySetter {
  AmqpProperties& to;
  std::string_view wanted;
  std::string_view value;
  bool found = false;
  std::string wrong = {};
  std::string names = {};  // of all, to be told

  template <class T>
  void operator()(int, const char* name, T amqp::BasicProperties::* member) {
    if constexpr (!std::is_same_v<T, std::optional<amqp::Table>>) {
      names += (names.empty() ? "" : ", ") + std::string(name);
      if (wanted != name) return;
      found = true;
      T& field = to.properties().*member;
      if constexpr (std::is_same_v<T, Text>) {
        field = to.keep(value);
      } else if constexpr (std::is_same_v<T, std::optional<amqp::Timestamp>>) {
        if (const auto seconds = whole<std::uint64_t>(value)) {
          field = amqp::Timestamp{*seconds};
        } else {
          wrong = std::string(name) + ": not a number of seconds since 1970";
        }
      } else {
        field = whole<std::uint8_t>(value);
        if (!field) wrong = std::string(name) + ": not a number from 0 to 255";
      }
    }
  }
};

// An AMQP value of JSON; objects and arrays go through builders that have to live as long.
void with_value(const Json& json, const std::function<void(const amqp::Value&)>& add) {
  if (json.is_object()) {
    amqp::TableBuilder builder;
    for (const auto& [name, value] : json.items()) {
      with_value(value, [&, &key = name](const amqp::Value& v) { builder.add(key, v); });
    }
    if (const auto table = builder.table()) add(*table);
  } else if (json.is_array()) {
    amqp::ArrayBuilder builder;
    for (const Json& value : json) with_value(value, [&](const amqp::Value& v) { builder.add(v); });
    if (const auto array = builder.array()) add(*array);
  } else if (json.is_string()) {
    add(std::string_view(json.get_ref<const std::string&>()));
  } else if (json.is_boolean()) {
    add(json.get<bool>());
  } else if (json.is_number_unsigned()) {
    add(json.get<std::uint64_t>());
  } else if (json.is_number_integer()) {
    add(json.get<std::int64_t>());
  } else if (json.is_number_float()) {
    add(json.get<double>());
  } else {
    add(wire::null);
  }
}

std::string read_properties(const Json& json, AmqpProperties& out) {
  if (!json.is_object()) return "properties: not an object";
  for (const auto& [name, value] : json.items()) {
    if (name == "headers") {
      if (!value.is_object()) return "headers: not an object, as {\"name\":\"value\"}";
      for (const auto& [key, header] : value.items()) {
        bool sent = false;
        with_value(header, [&, &header_name = key](const amqp::Value& v) {
          sent = out.set_header(header_name, v);
        });
        if (!sent) return "header " + key + ": AMQP cannot carry that";
      }
      continue;
    }
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (std::string wrong = out.set(name, text); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

void append_json(const AmqpEnvelope& message, std::string& out) {
  out += "{\"exchange\":";
  append_json_string(message.exchange, out);
  out += ",\"routing_key\":";
  append_json_string(message.routing_key, out);
  out += message.redelivered ? ",\"redelivered\":true" : ",\"redelivered\":false";
  out += ",\"properties\":";
  PropertyWriter writer{message.properties, out};
  amqp::BasicProperties::describe(writer);
  out += writer.separator == '{' ? "{}" : "}";
  append_json_bytes("payload", wire::Bytes(message.payload), out);
  out += '}';
}

std::string AmqpProperties::set(std::string_view name, std::string_view value) {
  PropertySetter setter{*this, name, value};
  amqp::BasicProperties::describe(setter);
  if (!setter.found) {
    return "there is no property \"" + std::string(name) + "\"; there are " + setter.names;
  }
  return setter.wrong;
}

bool AmqpProperties::set_header(std::string_view name, const amqp::Value& value) {
  headers_.add(name, value);
  const auto table = headers_.table();
  if (table) properties_.headers = *table;
  return bool(table);
}

amqp::BasicProperties merged(const amqp::BasicProperties& own,
                             const amqp::BasicProperties& otherwise) {
  PropertyMerger merger{own, otherwise};
  amqp::BasicProperties::describe(merger);
  return merger.out;
}

std::string read_json(std::string_view line, AmqpInput& out) {
  Json json;
  try {
    json = Json::parse(line.begin(), line.end());
  } catch (const Json::parse_error& error) {
    return not_json(error);
  }
  if (!json.is_object()) {
    return "not a JSON object; a message is {\"routing_key\":\"k\",\"payload\":\"v\"}";
  }
  for (const auto& [name, value] : json.items()) {
    if (name == "exchange" || name == "routing_key") {
      if (!value.is_string()) return name + ": not a string";
      (name == "exchange" ? out.exchange : out.routing_key) = value.get<std::string>();
    } else if (name == "properties") {
      if (std::string wrong = read_properties(value, out.properties); !wrong.empty()) return wrong;
    } else if (name == "payload") {
      out.payload = value.is_string() ? value.get<std::string>() : value.dump();
    } else if (name == "payload_base64") {
      if (!value.is_string() || !read_base64(value.get_ref<const std::string&>(), out.payload)) {
        return "payload_base64: not base64";
      }
    } else if (name != "redelivered") {
      return "\"" + name +
             "\" is not a field of a message; there are exchange, routing_key, properties, payload "
             "and payload_base64";
    }
  }
  return {};
}

void add_argument(std::string_view name, std::string_view value, amqp::TableBuilder& table) {
  if (const auto number = whole<std::int64_t>(value)) {
    table.add(name, *number);
  } else if (value == "true" || value == "false") {
    table.add(name, value == "true");
  } else {
    table.add(name, value);
  }
}

}  // namespace tern::cli
