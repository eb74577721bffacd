#include "protocol/amqp/codec.h"

#include "protocol/amqp/codec_impl.h"
#include "protocol/wire/print.h"

namespace tern::amqp {

std::string PayloadError::message() const {
  const std::string number = std::to_string(id.class_id) + "." + std::to_string(id.method_id);
  const std::string where = name[0] != '\0' ? std::string(name) + " (" + number + ")" : number;
  return where + ": " + what.message();
}

namespace internal {

void print_number(std::string& out, std::uint64_t value) { out += std::to_string(value); }
void print_field(std::string& out, const Text& value) { wire::print_text(out, value.view()); }
// Long strings hold challenges, and lists of names: text more often than not.
void print_field(std::string& out, const Bytes& value) { wire::print_text(out, value.view()); }
void print_field(std::string& out, const Table& value) { print_table(out, value); }

bool begin_field(std::string& out, const char* name, FieldSpec spec, bool& first) {
  if (!first) out += ", ";
  first = false;
  out.append(name).append(": ");
  if (spec.is_secret) out += "***";
  return !spec.is_secret;
}

void schema_method(std::string& out, const Method& method) {
  out.append(method.name).append(" ");
  out += std::to_string(method.id.class_id) + "." + std::to_string(method.id.method_id);
  out.append(method.has_content ? " content\n" : "\n");
}

void schema_reply(std::string& out, const Method& reply) {
  out.append("  -> ").append(reply.name).append("\n");
}

void schema_field(std::string& out, const char* name, const char* type) {
  out.append("  ").append(name).append(" ").append(type).append("\n");
}

}  // namespace internal
}  // namespace tern::amqp
