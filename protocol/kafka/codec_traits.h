// What can be known about a described type at compile time: which kind of field it is, the smallest
// bytes it can take, whether its description is consistent. Part of the codecs; see codec_impl.h.
#ifndef TERN_PROTOCOL_KAFKA_CODEC_TRAITS_H_
#define TERN_PROTOCOL_KAFKA_CODEC_TRAITS_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "protocol/kafka/api.h"
#include "protocol/wire/bytes.h"
#include "protocol/wire/describe.h"

namespace tern::kafka::internal {

using wire::Spec;

template <class T>
inline constexpr bool is_array = false;
template <class T>
inline constexpr bool is_array<Array<T>> = true;
template <class T>
inline constexpr bool is_optional = false;  // a struct that can be null: an int8 says which
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_blob = std::same_as<T, wire::Bytes> || std::same_as<T, wire::Records>;

template <class T>
struct ElementOf {};
template <class T>
struct ElementOf<Array<T>> {
  using type = T;
};
template <class T>
struct ElementOf<std::optional<T>> {
  using type = T;
};
template <class T>
using element_of = typename ElementOf<T>::type;

// Bytes on the wire, for types where that never varies; else 0.
template <class T>
inline constexpr std::size_t fixed_size =
    std::is_arithmetic_v<T> ? sizeof(T) : (std::same_as<T, Uuid> ? 16 : 0);

template <class T>
inline constexpr bool is_struct =
    fixed_size<T> == 0 && !is_array<T> && !is_optional<T> && !is_blob<T> && !std::same_as<T, Text>;

// Absent fields keep this value, tagged fields are not sent when they have it.
template <class S, class T>
[[gnu::always_inline]] constexpr bool is_default(const S& value, T S::* member) {
  constexpr S fresh{};
  return value.*member == fresh.*member;
}

struct TagCounter {
  int tags = 0;
  template <class P>
  constexpr void operator()(const char*, P, Spec spec) {
    tags += spec.tag_number >= 0 ? 1 : 0;
  }
};
template <class S>
constexpr int count_tags() {
  TagCounter counter;
  S::describe(counter);
  return counter.tags;
}
template <class S>
inline constexpr bool has_tags = count_tags<S>() != 0;

// ---- the smallest encoding of a type
// ---------------------------------------------------------------

template <class T>
constexpr std::size_t min_size(std::int16_t version, bool flexible);

template <class S>
struct MinSizeVisitor {
  std::int16_t version;
  bool flexible;
  std::size_t total = 0;

  template <class T>
  [[gnu::always_inline]] constexpr void operator()(const char*, T S::*, Spec spec) {
    if (spec.in(version) && !spec.tagged_in(version)) total += min_size<T>(version, flexible);
  }
};

// Never 0: it divides.
template <class T>
constexpr std::size_t min_size(std::int16_t version, bool flexible) {
  if constexpr (fixed_size<T> != 0) {
    return fixed_size<T>;
  } else if constexpr (is_optional<T>) {
    return 1;
  } else if constexpr (is_struct<T>) {
    MinSizeVisitor<T> visitor{version, flexible};
    T::describe(visitor);
    const std::size_t total = visitor.total + (flexible ? 1 : 0);
    return total == 0 ? 1 : total;
  } else {
    return flexible ? 1 : (std::same_as<T, Text> ? 2 : 4);
  }
}

// ---- checks of a description
// -------------------------------------------------------------------------

template <class T>
constexpr bool structs_well_formed();

template <class S>
struct WellFormedVisitor {
  bool good = true;
  int last_tag = -1;

  template <class T>
  constexpr void operator()(const char* name, T S::*, Spec spec) {
    good = good && name[0] != '\0' && spec.first >= 0 && spec.first <= spec.last;
    good = good && (spec.tag_number >= 0) == (spec.tagged_from != wire::kNever);
    if (spec.tag_number >= 0) {
      good = good && spec.tag_number > last_tag && spec.tagged_from >= spec.first;
      last_tag = spec.tag_number;
    }
    good = good && structs_well_formed<T>();
  }
};

template <class T>
constexpr bool structs_well_formed() {
  if constexpr (is_array<T> || is_optional<T>) {
    return structs_well_formed<element_of<T>>();
  } else if constexpr (is_struct<T>) {
    WellFormedVisitor<T> visitor;
    T::describe(visitor);
    return visitor.good;
  } else {
    return true;
  }
}

// Tags ascend, ranges are ranges, and the API's own numbers fit together.
template <class M>
constexpr bool well_formed() {
  return M::api.key >= kNoKey && M::api.name[0] != '\0' && M::api.versions.min >= 0 &&
         !M::api.versions.empty() && structs_well_formed<M>();
}

// What one array element takes in memory has to be paid for by a sixteenth of that in input, so
// that a decoder takes at most 16 times its input. Few elements are let through without: a short
// list of empty strings is no attack.
template <class E>
inline constexpr std::size_t paying_size = (sizeof(E) + 15) / 16;
inline constexpr std::size_t kUnpaidElements = 256;

template <class T>
constexpr bool elements_bounded(const Api& api, Spec spec, bool nested);

template <class S>
struct ExpansionVisitor {
  const Api& api;
  bool nested;  // inside an element of an array
  bool good = true;

  template <class T>
  constexpr void operator()(const char*, T S::*, Spec spec) {
    good = good && elements_bounded<T>(api, spec, nested);
  }
};

// The smallest encoding pays for its element, in every version. In an array of the message itself,
// of which there is one, it may fall short by a byte: what has so many fields has a name among
// them, and in an honest list no two names are empty.
template <class T>
constexpr bool elements_bounded(const Api& api, Spec spec, bool nested) {
  if constexpr (is_array<T>) {
    using E = element_of<T>;
    const std::size_t missing = nested ? 0 : 1;
    for (std::int16_t v = api.versions.min; v <= api.versions.max; ++v) {
      if (!spec.in(v)) continue;
      if (paying_size<E> > min_size<E>(v, api.flexible(v)) + missing) return false;
    }
    return elements_bounded<E>(api, spec, true);
  } else if constexpr (is_optional<T>) {
    return elements_bounded<element_of<T>>(api, spec, nested);
  } else if constexpr (is_struct<T>) {
    ExpansionVisitor<T> visitor{api, nested};
    T::describe(visitor);
    return visitor.good;
  } else {
    return true;
  }
}

template <class M>
constexpr bool expansion_bounded() {
  return elements_bounded<M>(M::api, Spec{}, false);
}

}  // namespace tern::kafka::internal

#endif  // TERN_PROTOCOL_KAFKA_CODEC_TRAITS_H_
