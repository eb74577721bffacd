// The visitors behind codec.h: size, encode, decode, print and schema. Included only by the files
// that instantiate codecs and by tests with methods of their own.
//
// Neighbouring bits share octets, the first one lowest; any other field, or the end, closes the
// octet. Size, encode and decode each
// keep to that rule by counting the bits since the last other field.
#ifndef TERN_PROTOCOL_AMQP_CODEC_IMPL_H_
#define TERN_PROTOCOL_AMQP_CODEC_IMPL_H_

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "protocol/amqp/codec.h"

namespace tern::amqp::internal {

using wire::Errc;

inline constexpr std::size_t kMaxShort = 255;
inline constexpr std::size_t kMaxLong = std::numeric_limits<std::uint32_t>::max();

template <class T>
inline constexpr bool is_number = std::unsigned_integral<T> && !std::same_as<T, bool>;

// ---- size: validates, so that the writer need not ----------------------------------------------

struct Sizer {
  std::size_t total = 0;
  unsigned bits = 0;  // in the octets that the last run of bits has opened
  const char* field = "";
  Errc error{};
  bool failed = false;

  [[gnu::cold, gnu::noinline]] void fail(Errc code, const char* name) {
    if (!failed) {
      error = code;
      field = name;
    }
    failed = true;
  }

  template <class T>
  [[gnu::always_inline]] void add(const char* name, const T& value) {
    if constexpr (std::same_as<T, bool>) {
      if (bits++ % 8 == 0) ++total;
    } else if constexpr (is_number<T>) {
      bits = 0;
      total += sizeof(T);
    } else if constexpr (std::same_as<T, Table>) {
      bits = 0;
      total += encoded_size(value);
    } else {
      bits = 0;
      constexpr bool text = std::same_as<T, Text>;
      if (value.is_null()) fail(Errc::null_not_allowed, name);
      if (value.size() > (text ? kMaxShort : kMaxLong)) fail(Errc::too_large, name);
      total += (text ? 1 : 4) + value.size();
    }
  }
};

template <class S>
struct SizeVisitor {
  Sizer& sizer;
  const S& value;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char* name, T S::* member,
                                                   FieldSpec = {}) {
    sizer.add(name, value.*member);
  }
  template <class T>
  [[gnu::always_inline]] constexpr void reserved(const char* name, const T& sent) {
    sizer.add(name, sent);
  }
};

// ---- encode ------------------------------------------------------------------------------------

struct Encoder {
  wire::Writer& writer;
  unsigned bits = 0;  // collected and not yet written
  unsigned octet = 0;

  [[gnu::always_inline]] void flush() {
    if (bits != 0) writer.u8(static_cast<std::uint8_t>(octet));
    bits = octet = 0;
  }

  template <class T>
  [[gnu::always_inline]] void put(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      if (bits == 8) flush();
      octet |= (value ? 1U : 0U) << bits++;
      return;
    }
    flush();
    if constexpr (std::same_as<T, std::uint8_t>) {
      writer.u8(value);
    } else if constexpr (std::same_as<T, std::uint16_t>) {
      writer.u16(value);
    } else if constexpr (std::same_as<T, std::uint32_t>) {
      writer.u32(value);
    } else if constexpr (std::same_as<T, std::uint64_t>) {
      writer.u64(value);
    } else if constexpr (std::same_as<T, Text>) {
      writer.u8(static_cast<std::uint8_t>(value.size()));
      writer.bytes(value.view());
    } else if constexpr (std::same_as<T, Bytes>) {
      writer.u32(static_cast<std::uint32_t>(value.size()));
      writer.bytes(value.view());
    } else if constexpr (std::same_as<T, Table>) {
      encode_table(value, writer);
    }
  }
};

template <class S>
struct EncodeVisitor {
  Encoder& encoder;
  const S& value;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char*, T S::* member, FieldSpec = {}) {
    encoder.put(value.*member);
  }
  template <class T>
  [[gnu::always_inline]] constexpr void reserved(const char*, const T& sent) {
    encoder.put(sent);
  }
};

// ---- decode ------------------------------------------------------------------------------------

template <class T>
inline void take_string(wire::Reader& reader, std::size_t length, const char* name, T& out) {
  if (length > reader.remaining()) [[unlikely]] {
    reader.fail(Errc::bad_length, name);
    return;
  }
  const std::span<const std::byte> raw = reader.bytes(length, name);
  out = T(std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size()));
}

struct Decoder {
  wire::Reader& reader;
  const DecodeLimits& limits;
  unsigned bits = 0;  // of `octet` already taken
  unsigned octet = 0;

  template <class T>
  [[gnu::always_inline]] void get(const char* name, T& out) {
    if constexpr (std::same_as<T, bool>) {
      if (bits % 8 == 0) octet = reader.u8(name);
      out = (octet >> (bits++ % 8) & 1U) != 0;
      return;
    }
    bits = 0;
    if constexpr (std::same_as<T, std::uint8_t>) {
      out = reader.u8(name);
    } else if constexpr (std::same_as<T, std::uint16_t>) {
      out = reader.u16(name);
    } else if constexpr (std::same_as<T, std::uint32_t>) {
      out = reader.u32(name);
    } else if constexpr (std::same_as<T, std::uint64_t>) {
      out = reader.u64(name);
    } else if constexpr (std::same_as<T, Text>) {
      take_string(reader, reader.u8(name), name, out);
    } else if constexpr (std::same_as<T, Bytes>) {
      take_string(reader, reader.u32(name), name, out);
    } else if constexpr (std::same_as<T, Table>) {
      decode_table(reader, limits.tables, name, out);
    }
  }
};

template <class S>
struct DecodeVisitor {
  Decoder& decoder;
  S& out;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char* name, T S::* member,
                                                   FieldSpec = {}) {
    decoder.get(name, out.*member);
  }
  template <class T>
  [[gnu::always_inline]] constexpr void reserved(const char* name, T ignored) {
    decoder.get(name, ignored);
  }
};

// ---- print and schema: nothing hot -------------------------------------------------------------

void print_number(std::string& out, std::uint64_t value);
template <class T>
  requires is_number<T>
void print_field(std::string& out, T value) {
  print_number(out, value);
}
template <std::same_as<bool> T>
void print_field(std::string& out, T value) {
  out += value ? "true" : "false";
}
void print_field(std::string& out, const Text& value);
void print_field(std::string& out, const Bytes& value);
void print_field(std::string& out, const Table& value);
// "name: " after a comma unless it is the first; false if nothing more is to be shown.
bool begin_field(std::string& out, const char* name, FieldSpec spec, bool& first);

template <class S>
struct PrintVisitor {
  std::string& out;
  const S& value;
  bool first = true;

  template <class T>
  void operator()(const char* name, T S::* member, FieldSpec spec = {}) {
    if (begin_field(out, name, spec, first)) print_field(out, value.*member);
  }
  template <class T>
  void reserved(const char*, const T&) {}
};

template <class T>
constexpr const char* type_name() {
  if constexpr (std::same_as<T, bool>) {
    return "bit";
  } else if constexpr (std::same_as<T, std::uint8_t>) {
    return "octet";
  } else if constexpr (std::same_as<T, std::uint16_t>) {
    return "short";
  } else if constexpr (std::same_as<T, std::uint32_t>) {
    return "long";
  } else if constexpr (std::same_as<T, std::uint64_t>) {
    return "longlong";
  } else if constexpr (std::same_as<T, Text>) {
    return "shortstr";
  } else if constexpr (std::same_as<T, Bytes>) {
    return "longstr";
  } else {
    static_assert(std::same_as<T, Table>, "AMQP has no such type");
    return "table";
  }
}

void schema_method(std::string& out, const Method& method);
void schema_reply(std::string& out, const Method& reply);
void schema_field(std::string& out, const char* name, const char* type);

template <class S>
struct SchemaVisitor {
  std::string& out;

  template <class T>
  void operator()(const char* name, T S::*, FieldSpec = {}) {
    schema_field(out, name, type_name<T>());
  }
  template <class T>
  void reserved(const char*, const T&) {
    schema_field(out, "reserved", type_name<T>());
  }
};

}  // namespace tern::amqp::internal

namespace tern::amqp {

template <class M>
wire::Result<std::size_t> MethodCodec<M>::encoded_size(const M& message, const char** field) {
  internal::Sizer sizer{.total = 4};
  internal::SizeVisitor<M> visitor{sizer, message};
  M::describe(visitor);
  if (!sizer.failed) [[likely]] {
    return sizer.total;
  }
  if (field != nullptr) *field = sizer.field;
  return sizer.error;
}

template <class M>
void MethodCodec<M>::encode(const M& message, wire::Writer& writer) {
  writer.u32(M::method.id.packed());
  internal::Encoder encoder{writer};
  internal::EncodeVisitor<M> visitor{encoder, message};
  M::describe(visitor);
  encoder.flush();
}

template <class M>
bool MethodCodec<M>::decode(wire::Reader& reader, const DecodeLimits& limits, M& out) {
  out = M{};
  internal::Decoder decoder{reader, limits};
  internal::DecodeVisitor<M> visitor{decoder, out};
  M::describe(visitor);
  return reader.expect_end("end of method");
}

template <class M>
std::string MethodCodec<M>::print(const M& message) {
  std::string out = M::method.name;
  out += '{';
  internal::PrintVisitor<M> visitor{out, message};
  M::describe(visitor);
  out += '}';
  return out;
}

template <class M>
std::string MethodCodec<M>::schema() {
  std::string out;
  internal::schema_method(out, M::method);
  if constexpr (is_synchronous<M>) {
    M::Replies::for_each([&]<class R>() { internal::schema_reply(out, R::method); });
  }
  internal::SchemaVisitor<M> visitor{out};
  M::describe(visitor);
  return out;
}

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_CODEC_IMPL_H_
