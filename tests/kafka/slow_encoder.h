// A second encoder, written for clarity and not from the one under test, that can also write
// messages that are wrong on purpose: unknown tagged fields everywhere, or one count or length
// replaced.
#ifndef TERN_TESTS_KAFKA_SLOW_ENCODER_H_
#define TERN_TESTS_KAFKA_SLOW_ENCODER_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/kafka/codec_traits.h"

namespace tern::kafka::testing {

class SlowEncoder {
 public:
  struct Lie {
    int which = -1;          // the n-th length or count of the message, from 0
    std::int64_t value = 0;  // what it says instead
  };

  SlowEncoder(std::int16_t version, bool flexible) : version_(version), flexible_(flexible) {}
  void add_unknown_tags() { unknown_tags_ = true; }
  void set_lie(Lie lie) { lie_ = lie; }

  template <class S>
  std::vector<std::byte> encode(const S& message) {
    put_struct(message);
    return std::move(out_);
  }
  int lengths() const { return lengths_; }

 private:
  void put_unsigned(std::uint64_t n, int bytes) {
    while (bytes-- > 0) out_.push_back(static_cast<std::byte>(n >> (8 * bytes)));
  }
  void put_uvarint(std::uint64_t n) {
    for (; n > 127; n /= 128) out_.push_back(static_cast<std::byte>(n % 128 + 128));
    out_.push_back(static_cast<std::byte>(n));
  }
  void put_length(std::int64_t n, int old_width) {
    if (lengths_++ == lie_.which) n = lie_.value;
    if (flexible_) {
      put_uvarint(static_cast<std::uint32_t>(n + 1));
    } else {
      put_unsigned(static_cast<std::uint64_t>(n), old_width);
    }
  }

  template <class T>
  void put(const T& value) {
    if constexpr (std::same_as<T, double>) {
      put_unsigned(std::bit_cast<std::uint64_t>(value), 8);
    } else if constexpr (std::is_arithmetic_v<T>) {
      put_unsigned(static_cast<std::uint64_t>(value), sizeof(T));
    } else if constexpr (std::same_as<T, Uuid>) {
      for (const std::uint8_t byte : value.bytes) put_unsigned(byte, 1);
    } else if constexpr (internal::is_optional<T>) {
      put_unsigned(value.has_value() ? 1 : 0xff, 1);
      if (value.has_value()) put_struct(*value);
    } else if constexpr (internal::is_struct<T>) {
      put_struct(value);
    } else {
      put_length(value.is_null() ? -1 : static_cast<std::int64_t>(value.size()),
                 std::same_as<T, Text> ? 2 : 4);
      if constexpr (internal::is_array<T>) {
        for (const auto& item : value) put(item);
      } else {
        for (const char c : value.view()) put_unsigned(static_cast<unsigned char>(c), 1);
      }
    }
  }

  template <class S>
  struct Untagged {
    SlowEncoder& encoder;
    const S& value;
    template <class T>
    constexpr void operator()(const char*, T S::* member, wire::Spec spec) {
      const std::int16_t v = encoder.version_;
      if (spec.in(v) && !spec.tagged_in(v)) encoder.put(value.*member);
    }
  };
  template <class S>
  struct Tagged {
    SlowEncoder& encoder;
    const S& value;
    std::vector<std::pair<std::uint64_t, std::vector<std::byte>>> fields;
    template <class T>
    constexpr void operator()(const char*, T S::* member, wire::Spec spec) {
      const std::int16_t v = encoder.version_;
      if (!spec.in(v) || !spec.tagged_in(v) || value.*member == S{}.*member) return;
      std::vector<std::byte> outer;
      outer.swap(encoder.out_);
      encoder.put(value.*member);
      outer.swap(encoder.out_);
      fields.emplace_back(static_cast<std::uint64_t>(spec.tag_number), std::move(outer));
    }
  };

  template <class S>
  void put_struct(const S& value) {
    Untagged<S> plain{*this, value};
    S::describe(plain);
    if (!flexible_) return;
    Tagged<S> tagged{*this, value, {}};
    S::describe(tagged);
    if (unknown_tags_) {
      tagged.fields.emplace_back(77, std::vector<std::byte>{});
      tagged.fields.emplace_back(4000000000U, std::vector<std::byte>(150, std::byte{0xff}));
    }
    put_uvarint(tagged.fields.size());
    for (const auto& [tag, bytes] : tagged.fields) {
      put_uvarint(tag);
      put_uvarint(bytes.size());
      out_.insert(out_.end(), bytes.begin(), bytes.end());
    }
  }

  std::int16_t version_;
  bool flexible_;
  bool unknown_tags_ = false;
  Lie lie_;
  int lengths_ = 0;
  std::vector<std::byte> out_;
};

}  // namespace tern::kafka::testing

#endif  // TERN_TESTS_KAFKA_SLOW_ENCODER_H_
