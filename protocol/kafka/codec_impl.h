// The visitors behind codec.h: size, encode and decode. Included only by the files that instantiate
// codecs (messages/*.cc) and by tests with message types of their own.
//
// The visitors' call operators are forced inline, because only then is a Spec a constant and a
// field costs no more than one compare; each struct becomes one function per visitor.
#ifndef TERN_PROTOCOL_KAFKA_CODEC_IMPL_H_
#define TERN_PROTOCOL_KAFKA_CODEC_IMPL_H_

#include <concepts>
#include <optional>
#include <type_traits>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/codec_print.h"
#include "protocol/kafka/codec_traits.h"
#include "protocol/wire/varint.h"

namespace tern::kafka::internal {

using wire::Errc;
using wire::Spec;

inline constexpr std::size_t kMaxText = 0x7fff;
inline constexpr std::size_t kMaxTotal = 0x7fffffff;

// ---- size: validates, so that the writer need not ----------------------------------------------

struct Sizer {
  std::int16_t version;
  bool flexible;
  std::size_t min_splice = wire::kMinSpliceBytes;
  EncodedSize size{};
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
  // A length or count: `old_width` bytes, or compact.
  void prefix(std::size_t n, std::size_t old_width) {
    size.total += flexible ? wire::uvarint_size(n + 1) : old_width;
  }
};

template <class S>
void size_struct(Sizer& sizer, const S& value);

template <class T>
inline void size_value(Sizer& sizer, const char* name, const T& value, bool nullable) {
  if constexpr (fixed_size<T> != 0) {
    sizer.size.total += fixed_size<T>;
  } else if constexpr (std::same_as<T, Text> || is_blob<T>) {
    constexpr bool text = std::same_as<T, Text>;
    if (value.is_null() && !nullable) sizer.fail(Errc::null_not_allowed, name);
    if (value.size() > (text ? kMaxText : kMaxTotal)) sizer.fail(Errc::too_large, name);
    if (value.is_null()) {
      sizer.size.total += sizer.flexible ? 1 : (text ? 2 : 4);
      return;
    }
    sizer.prefix(value.size(), text ? 2 : 4);
    sizer.size.total += value.size();
    if constexpr (std::same_as<T, wire::Records>) {
      if (value.size() >= sizer.min_splice) {
        sizer.size.spliced += value.size();
        ++sizer.size.splices;
      }
    }
  } else if constexpr (is_array<T>) {
    using E = element_of<T>;
    if (value.is_null()) {
      if (!nullable) sizer.fail(Errc::null_not_allowed, name);
      sizer.size.total += sizer.flexible ? 1 : 4;
      return;
    }
    if (value.size() > kMaxTotal) sizer.fail(Errc::too_large, name);
    sizer.prefix(value.size(), 4);
    if constexpr (fixed_size<E> != 0) {
      sizer.size.total += fixed_size<E> * value.size();
    } else {
      for (const E& item : value) size_value(sizer, name, item, false);
    }
  } else if constexpr (is_optional<T>) {
    if (!value.has_value() && !nullable) sizer.fail(Errc::null_not_allowed, name);
    sizer.size.total += 1;
    if (value.has_value()) size_struct(sizer, *value);
  } else {
    size_struct(sizer, value);
  }
}

template <class S>
struct SizeVisitor {
  Sizer& sizer;
  const S& value;
  std::size_t tags = 0;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char* name, T S::* member, Spec spec) {
    if (!spec.in(sizer.version)) {
      if (!spec.may_be_ignored && !is_default(value, member))
        sizer.fail(Errc::not_in_version, name);
      return;
    }
    if (!spec.tagged_in(sizer.version)) {
      size_value(sizer, name, value.*member, spec.null_in(sizer.version));
      return;
    }
    if (is_default(value, member)) return;
    const std::size_t before = sizer.size.total;
    size_value(sizer, name, value.*member, spec.null_in(sizer.version));
    const std::size_t length = sizer.size.total - before;
    sizer.size.total += wire::uvarint_size(static_cast<std::uint64_t>(spec.tag_number)) +
                        wire::uvarint_size(length);
    ++tags;
  }
};

template <class S>
void size_struct(Sizer& sizer, const S& value) {
  SizeVisitor<S> visitor{sizer, value};
  S::describe(visitor);
  if (sizer.flexible) sizer.size.total += wire::uvarint_size(visitor.tags);
}

// ---- encode
// --------------------------------------------------------------------------------------

struct EncodeContext {
  wire::Writer& writer;
  std::int16_t version;
  bool flexible;
};

template <class S>
void encode_struct(const EncodeContext& context, const S& value);

template <class T>
inline void encode_scalar(wire::Writer& writer, const T& value) {
  if constexpr (std::same_as<T, Uuid>) {
    writer.uuid(value);
  } else if constexpr (std::same_as<T, bool>) {
    writer.u8(value ? 1 : 0);
  } else if constexpr (std::same_as<T, double>) {
    writer.f64(value);
  } else if constexpr (sizeof(T) == 1) {
    writer.u8(static_cast<std::uint8_t>(value));
  } else if constexpr (sizeof(T) == 2) {
    writer.u16(static_cast<std::uint16_t>(value));
  } else if constexpr (sizeof(T) == 4) {
    writer.u32(static_cast<std::uint32_t>(value));
  } else {
    writer.u64(static_cast<std::uint64_t>(value));
  }
}

// -1 for null. Compact lengths are one more than the length, with 0 for null.
template <class Old>
inline void encode_length(const EncodeContext& context, std::int64_t length) {
  if (context.flexible) {
    context.writer.uvarint(static_cast<std::uint32_t>(length + 1));
  } else if constexpr (sizeof(Old) == 2) {
    context.writer.i16(static_cast<std::int16_t>(length));
  } else {
    context.writer.i32(static_cast<std::int32_t>(length));
  }
}

template <class T>
inline void encode_value(const EncodeContext& context, const T& value) {
  if constexpr (fixed_size<T> != 0) {
    encode_scalar(context.writer, value);
  } else if constexpr (std::same_as<T, Text> || is_blob<T>) {
    using Old = std::conditional_t<std::same_as<T, Text>, std::int16_t, std::int32_t>;
    encode_length<Old>(context, value.is_null() ? -1 : static_cast<std::int64_t>(value.size()));
    if constexpr (std::same_as<T, wire::Records>) {
      context.writer.records(value);
    } else {
      context.writer.bytes(value.data(), value.size());
    }
  } else if constexpr (is_array<T>) {
    encode_length<std::int32_t>(context,
                                value.is_null() ? -1 : static_cast<std::int64_t>(value.size()));
    for (const element_of<T>& item : value) encode_value(context, item);
  } else if constexpr (is_optional<T>) {
    context.writer.i8(value.has_value() ? 1 : -1);
    if (value.has_value()) encode_struct(context, *value);
  } else {
    encode_struct(context, value);
  }
}

template <class S>
struct EncodeVisitor {
  const EncodeContext& context;
  const S& value;
  std::uint32_t tags = 0;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char*, T S::* member, Spec spec) {
    if (!spec.in(context.version)) return;
    if (spec.tagged_in(context.version)) {
      tags += is_default(value, member) ? 0 : 1;
    } else {
      encode_value(context, value.*member);
    }
  }
};

template <class T>
[[gnu::noinline]] void encode_tagged(const EncodeContext& context, std::int16_t tag,
                                     const T& value) {
  Sizer sizer{context.version, context.flexible};
  size_value(sizer, "", value, true);
  context.writer.uvarint(static_cast<std::uint32_t>(tag));
  context.writer.uvarint(static_cast<std::uint32_t>(sizer.size.total));
  encode_value(context, value);
}

template <class S>
struct EncodeTagsVisitor {
  const EncodeContext& context;
  const S& value;

  template <class T>
  constexpr void operator()(const char*, T S::* member, Spec spec) {
    if (!spec.in(context.version) || !spec.tagged_in(context.version)) return;
    if (!is_default(value, member)) encode_tagged(context, spec.tag_number, value.*member);
  }
};

template <class S>
void encode_struct(const EncodeContext& context, const S& value) {
  EncodeVisitor<S> visitor{context, value};
  S::describe(visitor);
  if (!context.flexible) return;
  context.writer.uvarint(visitor.tags);
  if constexpr (has_tags<S>) {
    if (visitor.tags == 0) return;
    EncodeTagsVisitor<S> tags{context, value};
    S::describe(tags);
  }
}

// ---- decode
// --------------------------------------------------------------------------------------

struct DecodeContext {
  wire::Reader& reader;
  wire::Arena& arena;
  std::int16_t version;
  bool flexible;
};

template <class S>
void decode_struct(const DecodeContext& context, S& out);

template <class T>
inline T decode_scalar(wire::Reader& reader, const char* name) {
  if constexpr (std::same_as<T, Uuid>) {
    return reader.uuid(name);
  } else if constexpr (std::same_as<T, bool>) {
    return reader.u8(name) != 0;
  } else if constexpr (std::same_as<T, double>) {
    return reader.f64(name);
  } else if constexpr (sizeof(T) == 1) {
    return static_cast<T>(reader.u8(name));
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(reader.u16(name));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(reader.u32(name));
  } else {
    return static_cast<T>(reader.u64(name));
  }
}

// -1 for null, which has been checked against `nullable`; 0 after an error.
template <class Old>
inline std::int64_t decode_length(const DecodeContext& context, const char* name, bool nullable,
                                  Errc bad) {
  std::int64_t length = 0;
  if (context.flexible) {
    length = std::int64_t{context.reader.uvarint(name)} - 1;
    if (!context.reader.ok()) return 0;
  } else {
    length = sizeof(Old) == 2 ? context.reader.i16(name) : context.reader.i32(name);
  }
  if (length >= 0) [[likely]] {
    return length;
  }
  if (length == -1 && nullable) return -1;
  context.reader.fail(length == -1 ? Errc::null_not_allowed : bad, name);
  return 0;
}

template <class T>
inline void decode_blob(const DecodeContext& context, const char* name, bool nullable, T& out) {
  constexpr bool text = std::same_as<T, Text>;
  using Old = std::conditional_t<text, std::int16_t, std::int32_t>;
  const std::int64_t length = decode_length<Old>(context, name, nullable, Errc::bad_length);
  if (length < 0) {
    out = T::null();
    return;
  }
  if (text && length > static_cast<std::int64_t>(kMaxText)) {
    context.reader.fail(Errc::bad_length, name);
    return;
  }
  const std::span<const std::byte> raw =
      context.reader.bytes(static_cast<std::size_t>(length), name);
  out = T(std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size()));
}

template <class T>
inline void decode_value(const DecodeContext& context, const char* name, bool nullable, T& out);

template <class E>
void decode_array(const DecodeContext& context, const char* name, bool nullable, Array<E>& out) {
  const std::int64_t length = decode_length<std::int32_t>(context, name, nullable, Errc::bad_count);
  if (length <= 0) {
    out = length < 0 ? Array<E>::null() : Array<E>();
    return;
  }
  // A count is believed only if that many of the smallest possible elements still fit in the input,
  // and a large one only if the input pays for their memory.
  const std::size_t count = static_cast<std::size_t>(length);
  const std::size_t left = context.reader.remaining();
  if (count > left / min_size<E>(context.version, context.flexible) ||
      (count > kUnpaidElements && count > left / paying_size<E>)) {
    context.reader.fail(Errc::bad_count, name);
    return;
  }
  E* const items = context.arena.template make_array<E>(count);
  if (items == nullptr) {
    context.reader.fail(Errc::too_large, name);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    decode_value(context, name, false, items[i]);
    if (!context.reader.ok()) return;
  }
  out = Array<E>(items, count);
}

template <class T>
inline void decode_value(const DecodeContext& context, const char* name, bool nullable, T& out) {
  if constexpr (fixed_size<T> != 0) {
    out = decode_scalar<T>(context.reader, name);
  } else if constexpr (std::same_as<T, Text> || is_blob<T>) {
    decode_blob(context, name, nullable, out);
  } else if constexpr (is_array<T>) {
    decode_array(context, name, nullable, out);
  } else if constexpr (is_optional<T>) {
    const std::int8_t marker = context.reader.i8(name);
    if (marker < 0) {
      out.reset();
      if (!nullable) context.reader.fail(Errc::null_not_allowed, name);
      return;
    }
    decode_struct(context, out.emplace(element_of<T>{}));
  } else {
    decode_struct(context, out);
  }
}

template <class S>
struct DecodeVisitor {
  const DecodeContext& context;
  S& out;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char* name, T S::* member, Spec spec) {
    if (!spec.in(context.version) || spec.tagged_in(context.version)) return;
    decode_value(context, name, spec.null_in(context.version), out.*member);
  }
};

template <class T>
[[gnu::noinline]] void decode_tagged(const DecodeContext& context, const char* name, bool nullable,
                                     T& out) {
  decode_value(context, name, nullable, out);
  if (context.reader.ok() && context.reader.remaining() != 0) {
    context.reader.fail(Errc::bad_tag, name);
  }
}

// Decodes the one field with this tag, if there is one.
template <class S>
struct DecodeTagVisitor {
  const DecodeContext& context;
  S& out;
  std::uint32_t tag;
  bool found = false;

  template <class T>
  constexpr void operator()(const char* name, T S::* member, Spec spec) {
    if (!spec.in(context.version) || !spec.tagged_in(context.version)) return;
    if (tag != static_cast<std::uint32_t>(spec.tag_number)) return;
    found = true;
    decode_tagged(context, name, spec.null_in(context.version), out.*member);
  }
};

template <class S>
[[gnu::noinline]] void decode_tags(const DecodeContext& context, std::uint32_t count, S& out) {
  wire::Reader& reader = context.reader;
  std::int64_t previous = -1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t tag = reader.uvarint("tag");
    const std::uint32_t size = reader.uvarint("tag size");
    if (!reader.ok()) return;
    if (size > reader.remaining()) {
      reader.fail(Errc::end_of_input, "tagged field");
      return;
    }
    if (tag <= previous) {
      reader.fail(Errc::bad_tag, "tag");
      return;
    }
    previous = tag;
    if constexpr (has_tags<S>) {
      const std::byte* const whole = reader.narrow(size);
      DecodeTagVisitor<S> visitor{context, out, tag};
      S::describe(visitor);
      if (!reader.ok()) return;
      if (!visitor.found) reader.skip(size);
      reader.restore(whole);
    } else {
      reader.skip(size);
    }
  }
}

template <class S>
void decode_struct(const DecodeContext& context, S& out) {
  DecodeVisitor<S> visitor{context, out};
  S::describe(visitor);
  if (!context.flexible) return;
  const std::uint32_t tags = context.reader.uvarint("tags");
  if (tags != 0) [[unlikely]] {
    decode_tags(context, tags, out);
  }
}

}  // namespace tern::kafka::internal

namespace tern::kafka {

template <class M>
wire::Result<EncodedSize> MessageCodec<M>::encoded_size(const M& message, std::int16_t version,
                                                        const char** field,
                                                        std::size_t min_splice) {
  static_assert(internal::well_formed<M>());
  static_assert(internal::expansion_bounded<M>());
  if (!M::api.versions.contains(version)) return wire::Errc::unsupported_version;
  internal::Sizer sizer{version, M::api.flexible(version), min_splice};
  internal::size_struct(sizer, message);
  if (!sizer.failed && sizer.size.total > internal::kMaxTotal)
    sizer.fail(wire::Errc::too_large, M::api.name);
  if (!sizer.failed) return sizer.size;
  if (field != nullptr) *field = sizer.field;
  return sizer.error;
}

template <class M>
void MessageCodec<M>::encode(const M& message, std::int16_t version, wire::Writer& writer) {
  const internal::EncodeContext context{writer, version, M::api.flexible(version)};
  internal::encode_struct(context, message);
}

template <class M>
bool MessageCodec<M>::decode(wire::Reader& reader, std::int16_t version, wire::Arena& arena,
                             M& out) {
  out = M{};
  if (!M::api.versions.contains(version))
    return reader.fail(wire::Errc::unsupported_version, M::api.name);
  const internal::DecodeContext context{reader, arena, version, M::api.flexible(version)};
  internal::decode_struct(context, out);
  return reader.ok();
}

template <class M>
std::string MessageCodec<M>::print(const M& message, std::int16_t version) {
  std::string out;
  internal::print_struct(out, message, version);
  return out;
}

template <class M>
std::string MessageCodec<M>::schema() {
  return internal::dump_schema<M>();
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_CODEC_IMPL_H_
