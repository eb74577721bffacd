// Random methods, tables and content headers: for round-trip tests and fuzzers.
//
// The same Random gives the same values. Strings and tables live in the arena. Values are chosen
// where codecs break: the ends of the range, short strings of 255 bytes, tables in arrays in
// tables, names that come twice. Not part of the library proper: instantiated where it is used.
#ifndef TERN_PROTOCOL_AMQP_GENERATE_H_
#define TERN_PROTOCOL_AMQP_GENERATE_H_

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

  ContentHeader header();
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

  std::string_view string(std::size_t longest, bool letters);
  Table table(unsigned depth);
  FieldArray array(unsigned depth);
  Value value(unsigned depth);
  internal::Run keep(internal::Run run);

  wire::Random& random_;
  wire::Arena& arena_;
  GenerateLimits limits_;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_GENERATE_H_
