// Records as JSON, one a line: what `consume -J` writes and `produce -J` reads, in the shape of
// kcat's envelope:
//
//   {"topic":"t","partition":0,"offset":5,"tstype":"create","ts":1700000000000,"broker":1,
//    "headers":["name","value"],"key":"k","payload":"v"}
//
// A key, value or header value that is not UTF-8 cannot be a JSON string: instead of "key" there is
// "key_base64", instead of "payload" "payload_base64", and a header value becomes U+FFFD where it
// is broken.
#ifndef TERN_CLIENT_CLI_JSON_H_
#define TERN_CLIENT_CLI_JSON_H_

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/kafka/consumer_records.h"

namespace tern::cli {

// A string in quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string_view text, std::string& out);
void append_json_number(std::int64_t number, std::string& out);
// ,"name":"value", ,"name":null or ,"name_base64":"..."
void append_json_bytes(std::string_view name, const wire::Bytes& bytes, std::string& out);
// False: that is no base64.
bool read_base64(std::string_view text, std::string& out);
// "not JSON: ..." out of what the parser has thrown.
std::string not_json(const std::exception& error);

// The envelope without a newline. `broker` -1: not known, left out.
void append_json(const kafka::ConsumerRecord& record, std::int32_t broker, std::string& out);

// A record to be sent.
struct JsonRecord {
  std::optional<std::string> topic;
  std::optional<std::string> key;  // none: null
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int32_t partition = -1;     // -1: not said
  std::int64_t timestamp_ms = -1;  // -1: not said
};

// Reads an object with any of: topic, partition, key, payload or value, key_base64, payload_base64
// or value_base64, headers (["name","value",...] or {"name":"value"}), ts; offset, tstype and
// broker are passed over. A key or value that is neither a string nor null is taken as the JSON
// text it is. Returns what is wrong, or an empty string.
std::string read_json(std::string_view line, JsonRecord& out);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_JSON_H_
