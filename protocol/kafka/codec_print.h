// Printing and schema dump: the parts of the codecs that nothing hot uses. See codec_impl.h.
#ifndef TERN_PROTOCOL_KAFKA_CODEC_PRINT_H_
#define TERN_PROTOCOL_KAFKA_CODEC_PRINT_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/codec_traits.h"
#include "protocol/wire/print.h"

namespace tern::kafka::internal {

// The pieces that do not depend on a message, compiled once in codec.cc.
using wire::print_hex;
using wire::print_text;
void print_uuid(std::string& out, const Uuid& id);
void print_number(std::string& out, std::int64_t number);
void print_double(std::string& out, double number);
// "name: ", after a comma unless it is the first; false if there is nothing more to show.
bool begin_field(std::string& out, const char* name, const Spec& spec, std::int16_t version,
                 bool& first);
// The line of one field, and the one of a message.
void append_field_line(std::string& out, const Api& api, int depth, const char* name,
                       std::string_view type, const Spec& spec, std::string_view value);
void append_message_line(std::string& out, const std::string& name, const Api& api, bool request);

template <class S>
void print_struct(std::string& out, const S& value, std::int16_t version);

template <class T>
[[gnu::noinline]] void print_value(std::string& out, const T& value, std::int16_t version) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<T, double>) {
    print_double(out, value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    print_number(out, value);
  } else if constexpr (std::same_as<T, Uuid>) {
    print_uuid(out, value);
  } else if constexpr (is_optional<T>) {
    if (value.has_value()) {
      print_struct(out, *value, version);
    } else {
      out += "null";
    }
  } else if constexpr (is_struct<T>) {
    print_struct(out, value, version);
  } else if (value.is_null()) {
    out += "null";
  } else if constexpr (std::same_as<T, Text>) {
    print_text(out, value.view());
  } else if constexpr (std::same_as<T, wire::Records>) {
    out += "<" + std::to_string(value.size()) + " bytes>";
  } else if constexpr (std::same_as<T, wire::Bytes>) {
    print_hex(out, value.view());
  } else {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out += ", ";
      print_value(out, value[i], version);
    }
    out += ']';
  }
}

template <class S>
struct PrintVisitor {
  std::string& out;
  const S& value;
  std::int16_t version;
  bool first = true;

  template <class T>
  constexpr void operator()(const char* name, T S::* member, Spec spec) {
    if (begin_field(out, name, spec, version, first)) print_value(out, value.*member, version);
  }
};

template <class S>
void print_struct(std::string& out, const S& value, std::int16_t version) {
  out += '{';
  PrintVisitor<S> visitor{out, value, version};
  S::describe(visitor);
  out += '}';
}

// ---- schema dump: one line per field, see tests/golden/refresh_schema.py for the other side
// -----------

template <class T>
[[gnu::noinline]] std::string type_name() {
  if constexpr (is_array<T>) {
    return "[]" + type_name<element_of<T>>();
  } else if constexpr (is_optional<T> || is_struct<T>) {
    return "struct";
  } else if constexpr (std::same_as<T, Text>) {
    return "string";
  } else if constexpr (std::same_as<T, wire::Bytes>) {
    return "bytes";
  } else if constexpr (std::same_as<T, wire::Records>) {
    return "records";
  } else if constexpr (std::same_as<T, Uuid>) {
    return "uuid";
  } else if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::same_as<T, double>) {
    return "float64";
  } else {
    return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
  }
}

template <class T>
[[gnu::noinline]] std::string default_text(const T& value) {
  if constexpr (is_optional<T>) {
    return value.has_value() ? "{}" : "null";
  } else if constexpr (is_struct<T>) {
    return "{}";
  } else if constexpr (std::same_as<T, Uuid>) {
    return value.is_zero() ? "zero" : "other";
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::string out;
    print_value(out, value, 0);
    return out;
  } else if (value.is_null()) {
    return "null";
  } else if constexpr (is_array<T>) {
    return "[]";
  } else {
    return "\"" + std::string(value.data(), value.size()) + "\"";
  }
}

template <class S>
void dump_fields(std::string& out, const Api& api, int depth);

template <class T>
void dump_children(std::string& out, const Api& api, int depth) {
  if constexpr (is_array<T> || is_optional<T>) {
    dump_children<element_of<T>>(out, api, depth);
  } else if constexpr (is_struct<T>) {
    dump_fields<T>(out, api, depth);
  }
}

template <class S>
struct SchemaVisitor {
  std::string& out;
  const Api& api;
  int depth;

  template <class T>
  constexpr void operator()(const char* name, T S::* member, Spec spec) {
    append_field_line(out, api, depth, name, type_name<T>(), spec, default_text(S{}.*member));
    dump_children<T>(out, api, depth + 1);
  }
};

template <class S>
void dump_fields(std::string& out, const Api& api, int depth) {
  SchemaVisitor<S> visitor{out, api, depth};
  S::describe(visitor);
}

template <class M>
std::string dump_schema() {
  const Api& api = M::api;
  std::string out;
  append_message_line(out, message_name<M>(), api, is_request<M>);
  dump_fields<M>(out, api, 1);
  return out;
}

}  // namespace tern::kafka::internal

#endif  // TERN_PROTOCOL_KAFKA_CODEC_PRINT_H_
