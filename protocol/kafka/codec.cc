#include "protocol/kafka/codec.h"

#include <algorithm>

#include "protocol/kafka/codec_print.h"

namespace tern::kafka::internal {
namespace {

void append_range(std::string& out, int first, int last) {
  out += std::to_string(first) + "-" + std::to_string(last);
}

}  // namespace

void print_uuid(std::string& out, const Uuid& id) {
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    wire::print_hex_byte(out, id.bytes[i]);
  }
}

void print_number(std::string& out, std::int64_t number) { out += std::to_string(number); }
void print_double(std::string& out, double number) { out += std::to_string(number); }

bool begin_field(std::string& out, const char* name, const Spec& spec, std::int16_t version,
                 bool& first) {
  if (!spec.in(version)) return false;
  if (!first) out += ", ";
  first = false;
  out += name;
  out += ": ";
  if (spec.is_secret) out += "***";
  return !spec.is_secret;
}

// One line per field; tests/golden/refresh_schema.py writes the same from Kafka's schemas.
void append_field_line(std::string& out, const Api& api, int depth, const char* name,
                       std::string_view type, const Spec& spec, std::string_view value) {
  const int first = std::max(spec.first, api.versions.min);
  const int last = std::min(spec.last, api.versions.max);
  out.append(static_cast<std::size_t>(2 * depth), ' ');
  out.append(name).append(" ").append(type).append(" ");
  append_range(out, first, last);
  if (spec.nullable_from <= last) {
    out += " nullable=";
    append_range(out, std::max<int>(spec.nullable_from, first), last);
  }
  if (spec.tag_number >= 0) {
    out += " tag=" + std::to_string(spec.tag_number) + "@";
    append_range(out, std::max<int>(spec.tagged_from, first), last);
  }
  if (spec.may_be_ignored) out += " ignorable";
  out.append(" default=").append(value).append("\n");
}

void append_message_line(std::string& out, const std::string& name, const Api& api, bool request) {
  out += name;
  if (api.key != kNoKey) out += " key=" + std::to_string(api.key);
  out += " versions=";
  append_range(out, api.versions.min, api.versions.max);
  out += " flexible=";
  if (api.flexible_from <= api.versions.max) {
    append_range(out, std::max(api.flexible_from, api.versions.min), api.versions.max);
  } else {
    out += "none";
  }
  if (request && api.unstable_from <= api.versions.max) {
    out += " unstable=" + std::to_string(api.unstable_from);
  }
  out += "\n";
}

}  // namespace tern::kafka::internal
