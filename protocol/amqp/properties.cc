#include "protocol/amqp/properties.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {
namespace {

using wire::Errc;

// Set or not, and the value in it, whichever way the two are kept.
bool is_set(const Text& value) { return !value.is_null(); }
template <class T>
bool is_set(const std::optional<T>& value) {
  return value.has_value();
}

const Text& value_of(const Text& value) { return value; }
template <class T>
const T& value_of(const std::optional<T>& value) {
  return *value;
}
std::uint64_t value_of(const std::optional<Timestamp>& value) { return value->seconds; }

struct SizeProperties {
  internal::Sizer& sizer;
  const BasicProperties& value;

  template <class T>
  void operator()(int, const char* name, T BasicProperties::* member) {
    if (is_set(value.*member)) sizer.add(name, value_of(value.*member));
  }
};

struct CollectFlags {
  const BasicProperties& value;
  unsigned flags = 0;

  template <class T>
  void operator()(int bit, const char*, T BasicProperties::* member) {
    if (is_set(value.*member)) flags |= 1U << bit;
  }
};

struct EncodeProperties {
  internal::Encoder& encoder;
  const BasicProperties& value;

  template <class T>
  void operator()(int, const char*, T BasicProperties::* member) {
    if (is_set(value.*member)) encoder.put(value_of(value.*member));
  }
};

struct DecodeProperties {
  internal::Decoder& decoder;
  unsigned flags;
  BasicProperties& out;

  template <class T>
  void operator()(int bit, const char* name, T BasicProperties::* member) {
    if ((flags >> bit & 1U) != 0) get(name, out.*member);
  }
  void get(const char* name, Text& value) {
    value = Text();
    decoder.get(name, value);
  }
  template <class T>
  void get(const char* name, std::optional<T>& value) {
    decoder.get(name, value.emplace());
  }
  void get(const char* name, std::optional<Timestamp>& value) {
    decoder.get(name, value.emplace().seconds);
  }
};

struct PrintProperties {
  std::string& out;
  const BasicProperties& value;
  bool first = true;

  template <class T>
  void operator()(int, const char* name, T BasicProperties::* member) {
    if (!is_set(value.*member)) return;
    internal::begin_field(out, name, {}, first);
    internal::print_field(out, value_of(value.*member));
  }
};

constexpr unsigned kMoreFlags = 1;

}  // namespace

wire::Result<std::size_t> encoded_size(const ContentHeader& header, const char** field) {
  return encoded_header_size(header.properties, field);
}

void encode(const ContentHeader& header, wire::Writer& writer) {
  encode_header(header.body_size, header.properties, writer);
}

wire::Result<std::size_t> encoded_header_size(const BasicProperties& properties,
                                              const char** field) {
  internal::Sizer sizer{.total = kPlainHeaderBytes};
  SizeProperties visitor{sizer, properties};
  BasicProperties::describe(visitor);
  if (!sizer.failed) return sizer.total;
  if (field != nullptr) *field = sizer.field;
  return sizer.error;
}

void encode_header(std::uint64_t body_size, const BasicProperties& properties,
                   wire::Writer& writer) {
  CollectFlags collected{properties};
  BasicProperties::describe(collected);
  writer.u16(kBasicClass);
  writer.u16(0);
  writer.u64(body_size);
  writer.u16(static_cast<std::uint16_t>(collected.flags));
  if (collected.flags == 0) return;
  internal::Encoder encoder{writer};
  EncodeProperties visitor{encoder, properties};
  BasicProperties::describe(visitor);
}

bool decode(wire::Reader& reader, const DecodeLimits& limits, ContentHeader& out) {
  out = ContentHeader{};
  wire::Reader ahead = reader;
  const std::uint16_t class_id = reader.u16("class_id");
  if (reader.ok() && class_id != kBasicClass) {
    reader = ahead;
    return reader.fail(Errc::unknown_type, "class_id");
  }
  ahead = reader;
  if (reader.u16("weight") != 0) {
    reader = ahead;
    return reader.fail(Errc::bad_value, "weight");
  }
  out.body_size = reader.u64("body_size");
  const unsigned flags = reader.u16("property_flags");
  for (unsigned more = flags; reader.ok() && (more & kMoreFlags) != 0;) {
    more = reader.u16("property_flags");
  }
  if (flags != 0) {
    internal::Decoder decoder{reader, limits};
    DecodeProperties visitor{decoder, flags, out.properties};
    BasicProperties::describe(visitor);
  }
  // What is left belongs to flags from after our time.
  if (reader.ok()) reader.skip(reader.remaining());
  return reader.ok();
}

std::optional<PayloadError> decode_header(Bytes payload, const DecodeLimits& limits,
                                          ContentHeader& out) {
  wire::Reader reader(payload);
  if (decode(reader, limits, out)) return std::nullopt;
  wire::Reader start(payload);
  const wire::DecodeError& what = reader.error();
  const bool other_class = what.code == Errc::unknown_type && what.offset == 0;
  return PayloadError{.what = what,
                      .id = {start.u16(), 0},
                      .name = "content header",
                      .reply = other_class ? ReplyErrc::unexpected_frame : ReplyErrc::syntax_error};
}

std::string print(const BasicProperties& properties) {
  std::string out = "{";
  PrintProperties visitor{out, properties};
  BasicProperties::describe(visitor);
  return out + "}";
}

}  // namespace tern::amqp
