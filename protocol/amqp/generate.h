// Random methods, tables and content headers: for round-trip tests and fuzzers.
//
// The same Random gives the same values. Strings and tables live in the arena. Values are chosen
// where codecs break: the ends of the range, short strings of 255 bytes, tables in arrays in
// tables, names that come twice. Not part of the library proper: instantiated where it is used.
#ifndef TERN_PROTOCOL_AMQP_GENERATE_H_
#define TERN_PROTOCOL_AMQP_GENERATE_H_

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "protocol/amqp/codec.h"
#include "protocol/amqp/properties.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/random.h"

namespace tern::amqp {

struct GenerateLimits {
  std::size_t max_fields = 4;  // of each table and array
  unsigned max_depth = 4;      // of tables and arrays
  std::size_t max_long = 300;  // bytes of long strings
};

class Generator {
 public:
  Generator(wire::Random& random, wire::Arena& arena, GenerateLimits limits = {})
      : random_(random), arena_(arena), limits_(limits) {}

  template <class M>
  M method() {
    M out;
    Visitor<M> visitor{*this, out};
    M::describe(visitor);
    return out;
  }

  ContentHeader header() {
    ContentHeader out;
    out.body_size = random_.number<std::uint64_t>();
    // All of them, none, or any.
    const std::size_t how = random_.below(4);
    PropertyVisitor visitor{*this, out.properties, how == 0, how <= 1};
    BasicProperties::describe(visitor);
    return out;
  }

  Table table() { return table(1); }

 private:
  template <class M>
  struct Visitor {
    Generator& generator;
    M& out;
    template <class T>
    void operator()(const char*, T M::* member, FieldSpec = {}) {
      generator.set(out.*member);
    }
    template <class T>
    void reserved(const char*, const T&) {}
  };

  struct PropertyVisitor {
    Generator& generator;
    BasicProperties& out;
    bool all;
    bool same_for_all;
    template <class T>
    void operator()(int, const char*, T BasicProperties::* member) {
      if (same_for_all ? all : generator.random_.one_in(2)) generator.set(out.*member);
    }
  };

  void set(bool& out) { out = random_.one_in(2); }
  template <std::unsigned_integral T>
  void set(T& out) {
    out = random_.number<T>();
  }
  void set(Text& out) { out = Text(string(255, true)); }
  void set(Bytes& out) { out = Bytes(string(limits_.max_long, false)); }
  void set(Timestamp& out) { out.seconds = random_.number<std::uint64_t>(); }
  void set(Table& out) { out = table(1); }
  template <class T>
  void set(std::optional<T>& out) {
    set(out.emplace());
  }

  std::string_view string(std::size_t longest, bool letters) {
    std::size_t size = random_.below(12);
    if (random_.one_in(8)) size = random_.one_in(2) ? longest : random_.below(longest + 1);
    char* const data = arena_.make_array<char>(size);
    if (size == 0 || data == nullptr) return "";
    for (std::size_t i = 0; i < size; ++i) {
      data[i] = static_cast<char>(letters ? 'a' + random_.below(26) : random_.below(256));
    }
    return {data, size};
  }

  Table table(unsigned depth) {
    TableBuilder builder;
    for (std::size_t n = random_.below(limits_.max_fields + 1); n != 0; --n) {
      // Few names, so that some come twice.
      const std::string_view name = random_.one_in(3) ? "same" : string(255, true);
      builder.add(name, value(depth));
    }
    return Table(keep(builder.table()->run()));
  }
  FieldArray array(unsigned depth) {
    ArrayBuilder builder;
    for (std::size_t n = random_.below(limits_.max_fields + 1); n != 0; --n) {
      builder.add(value(depth));
    }
    return FieldArray(keep(builder.array()->run()));
  }
  internal::Run keep(internal::Run run) {
    char* const data = arena_.make_array<char>(run.size);
    if (data == nullptr) return {};
    std::copy_n(run.data, run.size, data);
    run.data = data;
    return run;
  }

  Value value(unsigned depth) {
    switch (random_.below(depth < limits_.max_depth ? 17 : 15)) {
      case 0:
        return wire::null;
      case 1:
        return random_.one_in(2);
      case 2:
        return random_.number<std::int8_t>();
      case 3:
        return random_.number<std::uint8_t>();
      case 4:
        return random_.number<std::int16_t>();
      case 5:
        return random_.number<std::uint16_t>();
      case 6:
        return random_.number<std::int32_t>();
      case 7:
        return random_.number<std::uint32_t>();
      case 8:
        return random_.number<std::int64_t>();
      case 9:
        return static_cast<float>(random_.below(1000)) / 8;
      case 10:
        return static_cast<double>(random_.below(1000)) / 8;
      case 11:
        return Decimal{random_.number<std::uint8_t>(), random_.number<std::uint32_t>()};
      case 12:
        return Timestamp{random_.number<std::uint64_t>()};
      case 13:
        return string(limits_.max_long, true);
      case 14:
        return Bytes(string(limits_.max_long, false));
      case 15:
        return array(depth + 1);
      default:
        return table(depth + 1);
    }
  }

  wire::Random& random_;
  wire::Arena& arena_;
  GenerateLimits limits_;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_GENERATE_H_
