// Field tables and field arrays, with the type tags that RabbitMQ really uses.
//
// A Table is a view of encoded fields that have been checked once, so reading it cannot fail and
// costs no memory: whoever decodes a table full of lies has spent nothing on it. Order and
// duplicate keys stay as they are on the wire; find() gives the first of equal names, as the Java
// client does. Passing a received table on writes the same bytes again.
//
//   TableBuilder arguments;
//   arguments.add("x-max-length", 1000).add("x-queue-type", "quorum");
//   if (auto table = arguments.table()) declare.arguments = *table;   // lives in the builder
//
// Which tag a value gets follows from its C++ type: see Value. Views: the bytes must outlive them.
// Any thread, as for other values.
#ifndef TERN_PROTOCOL_AMQP_TABLE_H_
#define TERN_PROTOCOL_AMQP_TABLE_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "protocol/wire/bytes.h"
#include "protocol/wire/errc.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/result.h"
#include "protocol/wire/writer.h"

namespace tern::amqp {

// The letters on the wire. The specification says otherwise for some of them, and no broker does as
// it says. `L`, a signed 64-bit number too, is understood but never sent.
enum class Tag : char {
  none = 'V',
  boolean = 't',
  i8 = 'b',
  u8 = 'B',
  i16 = 's',
  u16 = 'u',
  i32 = 'I',
  u32 = 'i',
  i64 = 'l',
  f32 = 'f',
  f64 = 'd',
  decimal = 'D',
  text = 'S',
  bytes = 'x',
  array = 'A',
  table = 'F',
  timestamp = 'T',
  unsendable = '\0',  // not on the wire: an unsigned number above the largest i64, or over 4 GiB
};

// digits / 10^scale. Whether `digits` has a sign is told differently by the specification and by
// RabbitMQ: these are the 32 bits as they came.
struct Decimal {
  std::uint8_t scale = 0;
  std::uint32_t digits = 0;
  friend constexpr bool operator==(const Decimal&, const Decimal&) = default;
};

// Since 1970, without leap seconds.
struct Timestamp {
  std::uint64_t seconds = 0;
  friend constexpr bool operator==(const Timestamp&, const Timestamp&) = default;
};

struct TableLimits {
  unsigned max_depth = 32;                       // a table without tables in it has depth 1
  std::size_t max_bytes = std::size_t{1} << 20;  // of the outermost table
};
// Above this a table is neither read, whatever the limits say, nor built.
inline constexpr unsigned kMaxTableDepth = 64;

namespace internal {

// Encoded fields that are known to be well formed. Only this folder makes them.
struct Run {
  const char* data = "";
  std::uint32_t size = 0;
  std::uint8_t depth = 1;     // at most so deep, itself included
  bool has_old_tags = false;  // `L` may be in it
};

}  // namespace internal

class Table;
class FieldArray;

// One value of a table or an array: 24 bytes, of which text, bytes, tables and arrays are views.
class Value {
 public:
  constexpr Value() = default;  // void
  constexpr Value(wire::Null) {}
  // bool, or a number of 8 to 64 bits with its own tag; a std::uint64_t goes as an i64 if it fits.
  template <std::integral T>
    requires(!std::same_as<T, char>)
  constexpr Value(T number) : bits_(static_cast<std::uint64_t>(number)), tag_(tag_of<T>()) {
    if (std::same_as<Tag64<T>, std::uint64_t> &&
        bits_ > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      tag_ = Tag::unsendable;
    }
  }
  constexpr Value(float number) : bits_(std::bit_cast<std::uint32_t>(number)), tag_(Tag::f32) {}
  constexpr Value(double number) : bits_(std::bit_cast<std::uint64_t>(number)), tag_(Tag::f64) {}
  constexpr Value(Decimal number)
      : bits_(std::uint64_t{number.scale} << 32 | number.digits), tag_(Tag::decimal) {}
  constexpr Value(Timestamp time) : bits_(time.seconds), tag_(Tag::timestamp) {}
  constexpr Value(std::string_view text) : Value(Tag::text, text) {}
  constexpr Value(const char* text) : Value(Tag::text, std::string_view(text)) {}
  Value(const std::string& text) : Value(Tag::text, std::string_view(text)) {}
  constexpr Value(wire::Text text) : Value(text.is_null() ? Tag::none : Tag::text, text.view()) {}
  constexpr Value(wire::Bytes data) : Value(data.is_null() ? Tag::none : Tag::bytes, data.view()) {}
  constexpr Value(const Table& table);
  constexpr Value(const FieldArray& array);

  constexpr Tag tag() const { return tag_; }
  constexpr bool is_null() const { return tag_ == Tag::none; }
  // Each gives nothing if the value is of another kind.
  std::optional<bool> boolean() const;
  std::optional<std::int64_t> integer() const;  // of any width, signed or not
  std::optional<double> number() const;         // f32 or f64
  std::optional<Decimal> decimal() const;
  std::optional<Timestamp> timestamp() const;
  std::optional<std::string_view> text() const;  // any bytes, in RabbitMQ nearly always UTF-8
  std::optional<wire::Bytes> bytes() const;
  std::optional<Table> table() const;
  std::optional<FieldArray> array() const;

  // Same tag and same bytes.
  friend constexpr bool operator==(const Value& a, const Value& b) {
    return a.tag_ == b.tag_ && a.bits_ == b.bits_ && a.view() == b.view();
  }

 private:
  friend class ValueCodec;

  template <class T>
  using Tag64 = std::conditional_t<sizeof(T) == 8 && std::unsigned_integral<T>, std::uint64_t, T>;
  template <class T>
  static constexpr Tag tag_of() {
    if (std::same_as<T, bool>) return Tag::boolean;
    const bool is_signed = std::signed_integral<T>;
    if (sizeof(T) == 1) return is_signed ? Tag::i8 : Tag::u8;
    if (sizeof(T) == 2) return is_signed ? Tag::i16 : Tag::u16;
    if (sizeof(T) == 4) return is_signed ? Tag::i32 : Tag::u32;
    return Tag::i64;
  }
  constexpr Value(Tag tag, std::string_view data)
      : data_(data.data()), size_(static_cast<std::uint32_t>(data.size())), tag_(tag) {
    if (data.size() > std::numeric_limits<std::uint32_t>::max()) tag_ = Tag::unsendable;
  }
  constexpr Value(Tag tag, const internal::Run& run)
      : data_(run.data),
        size_(run.size),
        tag_(tag),
        depth_(run.depth),
        has_old_tags_(run.has_old_tags) {}
  constexpr std::string_view view() const { return {data_, size_}; }
  constexpr internal::Run run() const { return {data_, size_, depth_, has_old_tags_}; }

  std::uint64_t bits_ = 0;  // numbers: signed ones with their sign carried on to 64 bits
  const char* data_ = "";
  std::uint32_t size_ = 0;
  Tag tag_ = Tag::none;
  std::uint8_t depth_ = 0;
  bool has_old_tags_ = false;
};

struct Field {
  std::string_view name;
  Value value;
};

namespace internal {

// Reads one element at `p`, inside a run.
Value read_value(const char* p, const Run& run);
std::size_t value_size(const char* p);  // the tag included

// Goes through the elements of a run: Fields with a name in front, or bare Values.
template <class Element>
class RunIterator {
 public:
  using value_type = Element;
  using difference_type = std::ptrdiff_t;
  using iterator_category = std::input_iterator_tag;
  using pointer = void;
  using reference = Element;

  RunIterator() = default;
  RunIterator(const Run& run, const char* p) : run_(run), p_(p) {}

  Element operator*() const {
    if constexpr (std::same_as<Element, Field>) {
      return {std::string_view(p_ + 1, name_size() - 1), read_value(p_ + name_size(), run_)};
    } else {
      return read_value(p_, run_);
    }
  }
  RunIterator& operator++() {
    p_ += name_size();
    p_ += value_size(p_);
    return *this;
  }
  RunIterator operator++(int) {
    RunIterator old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(const RunIterator& a, const RunIterator& b) { return a.p_ == b.p_; }

 private:
  std::size_t name_size() const {
    if constexpr (std::same_as<Element, Field>) {
      return std::size_t{1} + static_cast<unsigned char>(*p_);
    } else {
      return 0;
    }
  }
  Run run_;
  const char* p_ = nullptr;
};

// What tables and arrays have in common; Derived keeps the two apart.
template <class Derived, class Element>
class RunView {
 public:
  constexpr RunView() = default;
  explicit constexpr RunView(const Run& run) : run_(run) {}

  RunIterator<Element> begin() const { return {run_, run_.data}; }
  RunIterator<Element> end() const { return {run_, run_.data + run_.size}; }
  constexpr bool empty() const { return run_.size == 0; }
  constexpr std::size_t size_bytes() const { return run_.size; }  // without the length in front
  constexpr const Run& run() const { return run_; }

  // The same bytes: the same fields in the same order.
  friend constexpr bool operator==(const Derived& a, const Derived& b) {
    return std::string_view(a.run().data, a.run().size) ==
           std::string_view(b.run().data, b.run().size);
  }

 private:
  Run run_;
};

}  // namespace internal

class Table : public internal::RunView<Table, Field> {
 public:
  using RunView::RunView;
  std::optional<Value> find(std::string_view name) const;
};

class FieldArray : public internal::RunView<FieldArray, Value> {
 public:
  using RunView::RunView;
};

constexpr Value::Value(const Table& table) : Value(Tag::table, table.run()) {}
constexpr Value::Value(const FieldArray& array) : Value(Tag::array, array.run()) {}

// Encodes fields one after the other. An error sticks and comes out with table(): too_large (a name
// over 255 bytes, or 4 GiB in all), bad_value (an unsigned number above the largest signed one,
// which RabbitMQ has no tag for), too_deep.
class TableBuilder {
 public:
  // What the value views is copied; that must not be this builder's own table.
  TableBuilder& add(std::string_view name, const Value& value);
  // A view of what has been added; valid until the next add().
  wire::Result<Table> table() const;
  const std::string& bad_name() const { return bad_name_; }  // of the first field that was refused

 private:
  std::string bytes_;
  std::string bad_name_;
  std::optional<wire::Errc> error_;
  std::uint8_t depth_ = 1;
};

class ArrayBuilder {
 public:
  ArrayBuilder& add(const Value& value);
  wire::Result<FieldArray> array() const;

 private:
  std::string bytes_;
  std::optional<wire::Errc> error_;
  std::uint8_t depth_ = 1;
};

// A table with its length in front, as fields of methods are. Errors: bad_length, end_of_input,
// unknown_type (at the tag), too_deep, too_large.
bool decode_table(wire::Reader& reader, const TableLimits& limits, const char* field, Table& out);
// All that is left of the input is the table: the response of the SASL mechanism AMQPLAIN.
bool decode_bare_table(wire::Reader& reader, const TableLimits& limits, const char* field,
                       Table& out);

constexpr std::size_t encoded_size(const Table& table) { return 4 + table.size_bytes(); }
// With its length, into that much room.
void encode_table(const Table& table, wire::Writer& writer);

// {"x-max-length": I 1000, "x-queue-type": S "quorum"}: every value with its tag.
void print_table(std::string& out, const Table& table);

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_TABLE_H_
