// Random messages that fit a version: for round-trip tests and fuzzers.
//
// The same Random and version give the same message. Strings and arrays live in the arena. Values
// are chosen where codecs break: zero, minus one, the ends of the range, lengths around 127, null
// wherever the version allows it. Not part of the library proper: instantiated where it is used.
#ifndef TERN_PROTOCOL_KAFKA_GENERATE_H_
#define TERN_PROTOCOL_KAFKA_GENERATE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "protocol/kafka/codec_traits.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/random.h"

namespace tern::kafka {

using wire::Random;

struct GenerateLimits {
  std::size_t max_array = 3;
  std::size_t max_text = 140;  // above 127, so that a compact length takes two bytes
};

namespace internal {

struct Generator {
  Random& random;
  wire::Arena& arena;
  std::int16_t version;
  GenerateLimits limits;
};

template <class S>
void generate_struct(Generator& g, S& out);

template <class T>
T generate_bytes(Generator& g) {
  std::size_t size = g.random.below(12);
  if (g.random.one_in(8)) size = g.random.below(g.limits.max_text + 1);
  char* data = g.arena.make_array<char>(size);
  if (size == 0 || data == nullptr) return T();
  for (std::size_t i = 0; i < size; ++i) {
    constexpr bool text = std::same_as<T, Text>;
    data[i] = static_cast<char>(text ? 'a' + g.random.below(26) : g.random.below(256));
  }
  return T(std::string_view(data, size));
}

template <class T>
void generate_value(Generator& g, bool nullable, T& out) {
  if constexpr (std::same_as<T, bool>) {
    out = g.random.one_in(2);
  } else if constexpr (std::same_as<T, double>) {
    out = static_cast<double>(g.random.below(1000)) / 8;
  } else if constexpr (std::integral<T>) {
    out = g.random.number<T>();
  } else if constexpr (std::same_as<T, Uuid>) {
    for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(g.random.next());
    if (g.random.one_in(4)) out = Uuid{};
  } else if constexpr (is_optional<T>) {
    out.reset();
    if (!nullable || !g.random.one_in(3)) generate_struct(g, out.emplace(element_of<T>{}));
  } else if constexpr (is_struct<T>) {
    generate_struct(g, out);
  } else if (nullable && g.random.one_in(4)) {
    out = T::null();
  } else if constexpr (is_array<T>) {
    using E = element_of<T>;
    const std::size_t size = g.random.below(g.limits.max_array + 1);
    E* items = g.arena.make_array<E>(size);
    if (size == 0 || items == nullptr) {
      out = T();
      return;
    }
    for (std::size_t i = 0; i < size; ++i) generate_value(g, false, items[i]);
    out = T(items, size);
  } else {
    out = generate_bytes<T>(g);
  }
}

template <class S>
struct GenerateVisitor {
  Generator& g;
  S& out;

  template <class T>
  constexpr void operator()(const char*, T S::* member, Spec spec) {
    if (!spec.in(g.version)) return;  // keeps its default
    if (spec.tagged_in(g.version) && g.random.one_in(2)) return;
    generate_value(g, spec.null_in(g.version), out.*member);
  }
};

template <class S>
void generate_struct(Generator& g, S& out) {
  out = S{};
  GenerateVisitor<S> visitor{g, out};
  S::describe(visitor);
}

}  // namespace internal

template <class M>
M generate(Random& random, std::int16_t version, wire::Arena& arena, GenerateLimits limits = {}) {
  internal::Generator generator{random, arena, version, limits};
  M out;
  internal::generate_struct(generator, out);
  return out;
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_GENERATE_H_
