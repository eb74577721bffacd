// The vocabulary of message descriptions: which versions carry a field, and how.
//
//   template <class V> static constexpr void describe(V& field) {
//     field("name",     &Topic::name,     since(0).nullable(10));
//     field("topic_id", &Topic::topic_id, since(10).ignorable());
//     field("epoch",    &Topic::epoch,    since(12).tag(0, 12));
//   }
//
// A visitor gets the name, the pointer to the member and the Spec; everything that can be done with
// a message (encode, size, decode, print, generate, dump the schema) is one such visitor. All
// constants fold after inlining, so a field costs one compare with the version. Values only; no
// threading rule.
#ifndef TERN_PROTOCOL_WIRE_DESCRIBE_H_
#define TERN_PROTOCOL_WIRE_DESCRIBE_H_

#include <cstddef>
#include <cstdint>

namespace tern::wire {

inline constexpr std::int16_t kNever = 0x7fff;  // as a first version: in no version

// Versions are what the constructor says; all the rest is off until a call switches it on.
struct Spec {
  std::int16_t first = 0;
  std::int16_t last = kNever;
  std::int16_t nullable_from = kNever;
  std::int16_t tagged_from = kNever;
  std::int16_t tag_number = -1;
  bool may_be_ignored = false;
  bool is_secret = false;

  // The last version that has the field.
  constexpr Spec until(int version) const {
    Spec s = *this;
    s.last = static_cast<std::int16_t>(version);
    return s;
  }
  // Null is a legal value from this version on.
  constexpr Spec nullable(int version) const {
    Spec s = *this;
    s.nullable_from = static_cast<std::int16_t>(version);
    return s;
  }
  // A tagged field from this version on: sent only if it differs from its default.
  constexpr Spec tag(int number, int from_version) const {
    Spec s = *this;
    s.tag_number = static_cast<std::int16_t>(number);
    s.tagged_from = static_cast<std::int16_t>(from_version);
    return s;
  }
  // A version without the field drops its value; otherwise encoding a value other than the default
  // into such a version is refused.
  constexpr Spec ignorable() const {
    Spec s = *this;
    s.may_be_ignored = true;
    return s;
  }
  // Never printed.
  constexpr Spec secret() const {
    Spec s = *this;
    s.is_secret = true;
    return s;
  }

  constexpr bool in(std::int16_t version) const { return version >= first && version <= last; }
  constexpr bool null_in(std::int16_t version) const { return version >= nullable_from; }
  constexpr bool tagged_in(std::int16_t version) const { return version >= tagged_from; }
};

constexpr Spec since(int version) { return Spec{.first = static_cast<std::int16_t>(version)}; }

// A list of types to dispatch over.
template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);

  // Calls f.template operator()<T>() for each type in order.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f.template operator()<Ts>(), ...);
  }
  // The same until a call returns true; says whether one did.
  template <class F>
  static constexpr bool any(F&& f) {
    return (f.template operator()<Ts>() || ...);
  }
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_DESCRIBE_H_
