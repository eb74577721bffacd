// Views with a null state: what a decoded field is, and what an encoder takes.
//
// Both protocols tell "absent" (null) from "empty", so a std::string_view is not enough. Every view
// here is trivially copyable, owns nothing, and is empty (not null) when default constructed. The
// bytes must outlive the view. No threading rule: these are values.
#ifndef TERN_PROTOCOL_WIRE_BYTES_H_
#define TERN_PROTOCOL_WIRE_BYTES_H_

#if !defined(_MSVC_LANG) && __cplusplus < 202002L
#error "tern needs C++20: build with -std=c++20 or later"
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern::wire {

// Written where a value is to be null: `record.value = kafka::null` is a tombstone.
struct Null {
  friend constexpr bool operator==(Null, Null) = default;
};
inline constexpr Null null{};

namespace internal {

// The common part of Text and Bytes; Tag keeps the two apart, since the wire writes them
// differently.
template <class Tag>
class View {
 public:
  constexpr View() = default;
  constexpr View(Null) : data_(nullptr) {}
  constexpr View(std::string_view text)
      : data_(text.data() ? text.data() : ""), size_(text.size()) {}
  constexpr View(const char* text) : View(std::string_view(text)) {}
  View(const std::string& text) : View(std::string_view(text)) {}

  constexpr bool is_null() const { return data_ == nullptr; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const char* data() const { return data_; }
  constexpr const char* begin() const { return data_; }
  constexpr const char* end() const { return data_ + size_; }
  constexpr std::string_view view() const { return {data_, size_}; }
  constexpr operator std::string_view() const { return view(); }
  std::string str() const { return std::string(view()); }
  std::span<const std::byte> span() const { return std::as_bytes(std::span(data_, size_)); }

  friend constexpr bool operator==(const View& a, const View& b) {
    return a.is_null() == b.is_null() && a.view() == b.view();
  }

 private:
  const char* data_ = "";
  std::size_t size_ = 0;
};

}  // namespace internal

// A string of the protocol.
class Text : public internal::View<Text> {
 public:
  using View::View;
  constexpr Text() = default;
  static constexpr Text null() { return Text(Null{}); }
};

// A run of bytes: a key, a value, an opaque blob.
class Bytes : public internal::View<Bytes> {
 public:
  using View::View;
  constexpr Bytes() = default;
  Bytes(std::span<const std::byte> bytes)
      : View(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())) {}
  static constexpr Bytes null() { return Bytes(Null{}); }
};

// The record batches inside a Produce request or a Fetch response: same wire form as Bytes, but a
// type of its own, because an encoder passes it on by reference instead of copying it.
class Records : public internal::View<Records> {
 public:
  using View::View;
  constexpr Records() = default;
  explicit Records(std::span<const std::byte> bytes)
      : View(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())) {}
  static constexpr Records null() { return Records(Null{}); }
  Bytes bytes() const { return is_null() ? Bytes::null() : Bytes(view()); }
};

// A run of decoded elements. The memory belongs to an arena, a vector or an array of the caller.
template <class T>
class Array {
 public:
  constexpr Array() = default;
  constexpr Array(Null) : null_(true) {}
  constexpr Array(std::span<const T> items) : Array(items.data(), items.size()) {}
  constexpr Array(const std::vector<T>& items) : Array(items.data(), items.size()) {}
  constexpr Array(const T* data, std::size_t size)
      : data_(data), size_(static_cast<std::uint32_t>(size)) {}
  static constexpr Array null() { return Array(Null{}); }

  constexpr bool is_null() const { return null_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const T* data() const { return data_; }
  constexpr const T* begin() const { return data_; }
  constexpr const T* end() const { return data_ + size_; }
  constexpr const T& operator[](std::size_t i) const { return data_[i]; }
  constexpr std::span<const T> span() const { return {data_, size_}; }

  friend constexpr bool operator==(const Array& a, const Array& b) {
    return a.null_ == b.null_ && std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  // 16 bytes in all: the wire counts elements in an int32, and a decoder's memory bound rests on
  // this.
  const T* data_ = nullptr;
  std::uint32_t size_ = 0;
  bool null_ = false;
};

// 16 bytes as they stand on the wire. All zero means "none" in Kafka.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  constexpr bool is_zero() const { return *this == Uuid{}; }
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_BYTES_H_
