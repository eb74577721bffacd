#include "client/cli/json.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

// The length of the UTF-8 character that `text` begins with; 0 if it does not begin with one.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = at(0);
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0u) == 0x80u; };
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first >= 0xc2 && first < 0xe0) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    // Neither longer than need be nor half of a pair of UTF-16.
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) >= 0xa0)) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) >= 0x90)) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

constexpr char kDigits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_base64(std::string_view bytes, std::string& out) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits64[group >> (18 - 6 * j) & 63];
    }
  }
}

const char* type_name(kafka::TimestampType type) {
  switch (type) {
    case kafka::TimestampType::create:
      return "create";
    case kafka::TimestampType::log_append:
      return "logappend";
    default:
      return "unknown";
  }
}

std::optional<std::string> text_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  if (json.is_string()) return json.get<std::string>();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string read_headers(const Json& json, JsonRecord& out) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) out.headers.emplace_back(name, text_of(value));
    return {};
  }
  if (!json.is_array() || json.size() % 2 != 0) {
    return "headers: neither [\"name\",\"value\",...] nor {\"name\":\"value\"}";
  }
  for (std::size_t i = 0; i < json.size(); i += 2) {
    if (!json[i].is_string()) return "headers: a name that is not a string";
    out.headers.emplace_back(json[i].get<std::string>(), text_of(json[i + 1]));
  }
  return {};
}

std::string read_bytes(const std::string& name, const Json& json, std::optional<std::string>& out) {
  std::string bytes;
  if (!json.is_string() || !read_base64(json.get_ref<const std::string&>(), bytes)) {
    return name + ": not base64";
  }
  out = std::move(bytes);
  return {};
}

// One member of the object. Returns what is wrong.
std::string read_member(const std::string& name, const Json& json, JsonRecord& out) {
  const auto whole = [&](std::int64_t most, std::int64_t& number) {
    if (!json.is_number_integer() || json < 0 || json > most) return false;
    number = json.get<std::int64_t>();
    return true;
  };
  std::int64_t number = 0;
  if (name == "topic") {
    if (!json.is_string()) return "topic: not a string";
    out.topic = json.get<std::string>();
  } else if (name == "partition") {
    if (!whole(std::numeric_limits<std::int32_t>::max(), number)) return "partition: not a number";
    out.partition = static_cast<std::int32_t>(number);
  } else if (name == "ts") {
    if (json.is_null() || json == -1) return {};
    if (!whole(std::numeric_limits<std::int64_t>::max(), number)) {
      return "ts: not a number of milliseconds since 1970";
    }
    out.timestamp_ms = number;
  } else if (name == "key") {
    out.key = text_of(json);
  } else if (name == "payload" || name == "value") {
    out.value = text_of(json);
  } else if (name == "key_base64") {
    return read_bytes(name, json, out.key);
  } else if (name == "payload_base64" || name == "value_base64") {
    return read_bytes(name, json, out.value);
  } else if (name == "headers") {
    return read_headers(json, out);
  } else if (name != "offset" && name != "tstype" && name != "broker") {
    return "\"" + name +
           "\" is not a field of a record; there are topic, partition, key, value (or " +
           "payload), key_base64, value_base64, headers and ts";
  }
  return {};
}

}  // namespace

bool read_base64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view(kDigits64, 64).find(c);
    if (digit == std::string_view::npos) return false;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits);
    }
  }
  return true;
}

void append_json_number(std::int64_t number, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, end);
}

void append_json_bytes(std::string_view name, const wire::Bytes& bytes, std::string& out) {
  out += ",\"";
  out += name;
  if (bytes.is_null()) {
    out += "\":null";
  } else if (is_utf8(bytes.view())) {
    out += "\":";
    append_json_string(bytes.view(), out);
  } else {
    out += "_base64\":\"";
    append_base64(bytes.view(), out);
    out += '"';
  }
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    // Most of it needs nothing.
    std::size_t plain = 0;
    while (plain < text.size()) {
      const auto c = static_cast<unsigned char>(text[plain]);
      if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') break;
      ++plain;
    }
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else if (const std::size_t valid = utf8_length(text); valid != 0) {
      length = valid;
      out.append(text.substr(0, length));
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void append_json(const kafka::ConsumerRecord& record, std::int32_t broker, std::string& out) {
  out += "{\"topic\":";
  append_json_string(record.topic.view(), out);
  out += ",\"partition\":";
  append_json_number(record.partition, out);
  out += ",\"offset\":";
  append_json_number(record.offset, out);
  out += ",\"tstype\":\"";
  out += type_name(record.timestamp_type);
  out += "\",\"ts\":";
  append_json_number(record.timestamp_ms, out);
  if (broker >= 0) {
    out += ",\"broker\":";
    append_json_number(broker, out);
  }
  char separator = '[';
  for (const kafka::Header& header : record.headers) {
    if (separator == '[') out += ",\"headers\":";
    out += separator;
    separator = ',';
    append_json_string(header.key.view(), out);
    out += ',';
    if (header.value.is_null()) {
      out += "null";
    } else {
      append_json_string(header.value.view(), out);
    }
  }
  if (separator == ',') out += ']';
  append_json_bytes("key", record.key, out);
  append_json_bytes("payload", record.value, out);
  out += '}';
}

std::string not_json(const std::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
  std::string what = error.what();
  if (const std::size_t at = what.find("column "); at != std::string::npos) what.erase(0, at);
  return "not JSON: " + what;
}

std::string read_json(std::string_view line, JsonRecord& out) {
  out = JsonRecord();
  Json json;
  try {
    json = Json::parse(line.begin(), line.end());
  } catch (const Json::parse_error& error) {
    return not_json(error);
  }
  if (!json.is_object()) return "not a JSON object; a record is {\"key\":\"k\",\"value\":\"v\"}";
  for (const auto& [name, value] : json.items()) {
    if (std::string wrong = read_member(name, value, out); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace tern::cli
