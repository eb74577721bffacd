#include "protocol/amqp/generate.h"

#include <algorithm>

namespace tern::amqp {

ContentHeader Generator::header() {
  ContentHeader out;
  out.body_size = random_.number<std::uint64_t>();
  // All of them, none, or any.
  const std::size_t how = random_.below(4);
  PropertyVisitor visitor{*this, out.properties, how == 0, how <= 1};
  BasicProperties::describe(visitor);
  return out;
}

std::string_view Generator::string(std::size_t longest, bool letters) {
  std::size_t size = random_.below(12);
  if (random_.one_in(8)) size = random_.one_in(2) ? longest : random_.below(longest + 1);
  char* const data = arena_.make_array<char>(size);
  if (size == 0 || data == nullptr) return "";
  for (std::size_t i = 0; i < size; ++i) {
    data[i] = static_cast<char>(letters ? 'a' + random_.below(26) : random_.below(256));
  }
  return {data, size};
}

Table Generator::table(unsigned depth) {
  TableBuilder builder;
  for (std::size_t n = random_.below(limits_.max_fields + 1); n != 0; --n) {
    // Few names, so that some come twice.
    const std::string_view name = random_.one_in(3) ? "same" : string(255, true);
    builder.add(name, value(depth));
  }
  return Table(keep(builder.table()->run()));
}
FieldArray Generator::array(unsigned depth) {
  ArrayBuilder builder;
  for (std::size_t n = random_.below(limits_.max_fields + 1); n != 0; --n) {
    builder.add(value(depth));
  }
  return FieldArray(keep(builder.array()->run()));
}
internal::Run Generator::keep(internal::Run run) {
  char* const data = arena_.make_array<char>(run.size);
  if (data == nullptr) return {};
  std::copy_n(run.data, run.size, data);
  run.data = data;
  return run;
}

Value Generator::value(unsigned depth) {
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

}  // namespace tern::amqp
