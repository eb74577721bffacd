#include "protocol/amqp/table.h"

#include <algorithm>
#include <array>

#include "protocol/wire/endian.h"
#include "protocol/wire/print.h"

namespace tern::amqp {
namespace internal {
namespace {

using wire::Errc;

constexpr char kOldI64 = 'L';
constexpr std::size_t kMaxRun = std::numeric_limits<std::uint32_t>::max();

enum class Form : std::uint8_t { unknown, fixed, counted, run };
struct TagForm {
  Form form = Form::unknown;
  std::uint8_t size = 0;  // of a fixed value
};

constexpr std::array<TagForm, 256> make_forms() {
  std::array<TagForm, 256> forms{};
  const auto fixed = [&](std::string_view tags, std::uint8_t size) {
    for (const char tag : tags) forms[static_cast<unsigned char>(tag)] = {Form::fixed, size};
  };
  fixed("V", 0);
  fixed("tbB", 1);
  fixed("su", 2);
  fixed("Iif", 4);
  fixed("D", 5);
  fixed("lLdT", 8);
  forms['S'].form = forms['x'].form = Form::counted;
  forms['F'].form = forms['A'].form = Form::run;
  return forms;
}
constexpr std::array<TagForm, 256> kForms = make_forms();

TagForm form_of(char tag) { return kForms[static_cast<unsigned char>(tag)]; }

template <class T>
T load(const char* p) {
  return wire::load_be<T>(reinterpret_cast<const std::byte*>(p));
}

// The same, with the sign carried on to 64 bits.
template <class T>
std::uint64_t load_signed(const char* p) {
  constexpr unsigned kUnused = 64 - 8 * sizeof(T);
  const std::uint64_t high = static_cast<std::uint64_t>(load<T>(p)) << kUnused;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(high) >> kUnused);
}

struct Walk {
  Errc error{};
  const char* at = nullptr;  // where the error is
  unsigned depth = 1;
  bool has_old_tags = false;
};

// Goes through encoded fields of any depth without recursion and checks every length and tag. Calls
// `on_old_tag(p)` for each `L`.
template <class OnOldTag>
Walk walk(const char* p, const char* end, bool is_array, unsigned max_depth, OnOldTag on_old_tag) {
  struct Level {
    const char* end;
    bool is_array;
  };
  std::array<Level, kMaxTableDepth> levels;
  levels[0] = {end, is_array};
  unsigned depth = 1;
  Walk result;
  const auto fail = [&](Errc code, const char* at) {
    result.error = code;
    result.at = at;
    return result;
  };
  for (;;) {
    while (p == levels[depth - 1].end) {
      if (--depth == 0) return result;
    }
    const Level level = levels[depth - 1];
    if (!level.is_array) {
      const std::size_t name = std::size_t{1} + static_cast<unsigned char>(*p);
      if (name > static_cast<std::size_t>(level.end - p)) return fail(Errc::bad_length, p);
      p += name;
      if (p == level.end) return fail(Errc::end_of_input, p);  // a name without a value
    }
    const TagForm form = form_of(*p);
    if (form.form == Form::unknown) return fail(Errc::unknown_type, p);
    const std::size_t left = static_cast<std::size_t>(level.end - (p + 1));
    const std::size_t fixed = form.form == Form::fixed ? form.size : 4U;
    if (fixed > left) return fail(Errc::end_of_input, p + 1);
    if (*p == kOldI64) {
      result.has_old_tags = true;
      on_old_tag(p);
    }
    const char tag = *p;
    p += 1 + fixed;
    if (form.form == Form::fixed) continue;
    const std::uint32_t length = load<std::uint32_t>(p - 4);
    if (length > left - 4) return fail(Errc::bad_length, p - 4);
    if (form.form == Form::counted) {
      p += length;
      continue;
    }
    if (depth == max_depth) return fail(Errc::too_deep, p - 5);
    levels[depth++] = {p + length, tag == 'A'};
    result.depth = std::max(result.depth, depth);
  }
}

// Calls `write(data, size)` with the bytes of a run, each `L` replaced by the tag that every broker
// knows.
template <class Write>
void copy_run(const Run& run, bool is_array, Write write) {
  const char* from = run.data;
  const char* const end = run.data + run.size;
  if (run.has_old_tags) {
    constexpr char kNew = static_cast<char>(Tag::i64);
    walk(run.data, end, is_array, kMaxTableDepth, [&](const char* tag) {
      write(from, static_cast<std::size_t>(tag - from));
      write(&kNew, 1);
      from = tag + 1;
    });
  }
  write(from, static_cast<std::size_t>(end - from));
}

template <class T>
void append_be(std::string& out, T number) {
  std::array<std::byte, sizeof(T)> raw{};
  wire::store_be(raw.data(), number);
  out.append(reinterpret_cast<const char*>(raw.data()), raw.size());
}

}  // namespace

std::size_t value_size(const char* p) {
  const TagForm form = form_of(*p);
  if (form.form == Form::fixed) return std::size_t{1} + form.size;
  return std::size_t{5} + load<std::uint32_t>(p + 1);
}

}  // namespace internal

using internal::Run;
using wire::Errc;

// Between the members of a Value and bytes.
class ValueCodec {
 public:
  static Value read(const char* p, const Run& parent) {
    Value out;
    const char* const from = p + 1;
    out.tag_ = *p == internal::kOldI64 ? Tag::i64 : static_cast<Tag>(*p);
    switch (out.tag_) {
      case Tag::boolean:
        out.bits_ = *from != 0 ? 1 : 0;
        break;
      case Tag::i8:
        out.bits_ = internal::load_signed<std::uint8_t>(from);
        break;
      case Tag::u8:
        out.bits_ = internal::load<std::uint8_t>(from);
        break;
      case Tag::i16:
        out.bits_ = internal::load_signed<std::uint16_t>(from);
        break;
      case Tag::u16:
        out.bits_ = internal::load<std::uint16_t>(from);
        break;
      case Tag::i32:
        out.bits_ = internal::load_signed<std::uint32_t>(from);
        break;
      case Tag::u32:
      case Tag::f32:
        out.bits_ = internal::load<std::uint32_t>(from);
        break;
      case Tag::i64:
      case Tag::f64:
      case Tag::timestamp:
        out.bits_ = internal::load<std::uint64_t>(from);
        break;
      case Tag::decimal:
        out.bits_ = static_cast<std::uint64_t>(internal::load<std::uint8_t>(from)) << 32 |
                    internal::load<std::uint32_t>(from + 1);
        break;
      case Tag::text:
      case Tag::bytes:
      case Tag::array:
      case Tag::table:
        out.size_ = internal::load<std::uint32_t>(from);
        out.data_ = from + 4;
        out.depth_ = static_cast<std::uint8_t>(parent.depth - 1);
        out.has_old_tags_ = parent.has_old_tags;
        break;
      case Tag::none:
      case Tag::unsendable:
        break;
    }
    return out;
  }

  // Appends tag and value; an error if that cannot be. `depth` is raised to what the value needs.
  static std::optional<Errc> append(std::string& out, const Value& value, std::uint8_t& depth) {
    if (value.tag_ == Tag::unsendable) return Errc::bad_value;
    const bool is_run = value.tag_ == Tag::table || value.tag_ == Tag::array;
    if (is_run && value.depth_ >= kMaxTableDepth) return Errc::too_deep;
    constexpr std::size_t kHead = 9;  // a tag, and at most eight bytes of number or length
    if (value.size_ + kHead > internal::kMaxRun - out.size()) return Errc::too_large;
    const internal::TagForm form = internal::form_of(static_cast<char>(value.tag_));
    out += static_cast<char>(value.tag_);
    if (form.form == internal::Form::fixed) {
      append_number(out, value.bits_, form.size);
      return std::nullopt;
    }
    internal::append_be(out, value.size_);
    if (is_run) {
      depth = std::max(depth, static_cast<std::uint8_t>(value.depth_ + 1));
      internal::copy_run(value.run(), value.tag_ == Tag::array,
                         [&](const char* data, std::size_t size) { out.append(data, size); });
    } else {
      out.append(value.data_, value.size_);
    }
    return std::nullopt;
  }

  static std::uint64_t bits(const Value& value) { return value.bits_; }
  static Run run(const Value& value) { return value.run(); }
  static std::string_view view(const Value& value) { return value.view(); }

 private:
  // The low `size` bytes of a number, highest first.
  static void append_number(std::string& out, std::uint64_t bits, unsigned size) {
    for (unsigned shift = 8 * size; shift != 0; shift -= 8) {
      out += static_cast<char>(bits >> (shift - 8) & 0xffU);
    }
  }
};

namespace internal {
Value read_value(const char* p, const Run& run) { return ValueCodec::read(p, run); }
}  // namespace internal

// ---- values ------------------------------------------------------------------------------------

std::optional<bool> Value::boolean() const {
  if (tag_ != Tag::boolean) return std::nullopt;
  return bits_ != 0;
}
std::optional<std::int64_t> Value::integer() const {
  switch (tag_) {
    case Tag::i8:
    case Tag::u8:
    case Tag::i16:
    case Tag::u16:
    case Tag::i32:
    case Tag::u32:
    case Tag::i64:
      return static_cast<std::int64_t>(bits_);
    default:
      return std::nullopt;
  }
}
std::optional<double> Value::number() const {
  if (tag_ == Tag::f64) return std::bit_cast<double>(bits_);
  if (tag_ == Tag::f32) return std::bit_cast<float>(static_cast<std::uint32_t>(bits_));
  return std::nullopt;
}
std::optional<Decimal> Value::decimal() const {
  if (tag_ != Tag::decimal) return std::nullopt;
  return Decimal{static_cast<std::uint8_t>(bits_ >> 32), static_cast<std::uint32_t>(bits_)};
}
std::optional<Timestamp> Value::timestamp() const {
  if (tag_ != Tag::timestamp) return std::nullopt;
  return Timestamp{bits_};
}
std::optional<std::string_view> Value::text() const {
  if (tag_ != Tag::text) return std::nullopt;
  return view();
}
std::optional<wire::Bytes> Value::bytes() const {
  if (tag_ != Tag::bytes) return std::nullopt;
  return wire::Bytes(view());
}
std::optional<Table> Value::table() const {
  if (tag_ != Tag::table) return std::nullopt;
  return Table(run());
}
std::optional<FieldArray> Value::array() const {
  if (tag_ != Tag::array) return std::nullopt;
  return FieldArray(run());
}

std::optional<Value> Table::find(std::string_view name) const {
  for (auto it = begin(); it != end(); ++it) {
    const Field field = *it;
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

// ---- building ----------------------------------------------------------------------------------

TableBuilder& TableBuilder::add(std::string_view name, const Value& value) {
  if (error_) return *this;
  const std::size_t before = bytes_.size();
  if (name.size() > 255 || name.size() + 1 > internal::kMaxRun - before) {
    error_ = Errc::too_large;
  } else {
    bytes_ += static_cast<char>(name.size());
    bytes_ += name;
    error_ = ValueCodec::append(bytes_, value, depth_);
  }
  if (error_) {
    bytes_.resize(before);
    bad_name_ = name;
  }
  return *this;
}

wire::Result<Table> TableBuilder::table() const {
  if (error_) return *error_;
  return Table(Run{bytes_.data(), static_cast<std::uint32_t>(bytes_.size()), depth_, false});
}

ArrayBuilder& ArrayBuilder::add(const Value& value) {
  if (!error_) error_ = ValueCodec::append(bytes_, value, depth_);
  return *this;
}

wire::Result<FieldArray> ArrayBuilder::array() const {
  if (error_) return *error_;
  return FieldArray(Run{bytes_.data(), static_cast<std::uint32_t>(bytes_.size()), depth_, false});
}

// ---- the wire ----------------------------------------------------------------------------------

bool decode_bare_table(wire::Reader& reader, const TableLimits& limits, const char* field,
                       Table& out) {
  out = Table();
  const std::size_t size = reader.remaining();
  if (size > std::min(limits.max_bytes, internal::kMaxRun)) {
    return reader.fail(Errc::too_large, field);
  }
  const std::span<const std::byte> raw = wire::Reader(reader).bytes(size);
  const char* const data = reinterpret_cast<const char*>(raw.data());
  if (size == 0) return reader.ok();
  const unsigned max_depth = std::clamp(limits.max_depth, 1U, kMaxTableDepth);
  const internal::Walk walk =
      internal::walk(data, data + size, false, max_depth, [](const char*) {});
  if (walk.error != Errc{}) {
    reader.skip(static_cast<std::size_t>(walk.at - data));
    return reader.fail(walk.error, field);
  }
  reader.skip(size);
  out = Table(Run{data, static_cast<std::uint32_t>(size), static_cast<std::uint8_t>(walk.depth),
                  walk.has_old_tags});
  return true;
}

bool decode_table(wire::Reader& reader, const TableLimits& limits, const char* field, Table& out) {
  out = Table();
  const std::uint32_t size = reader.u32(field);
  if (size > reader.remaining()) return reader.fail(Errc::bad_length, field);
  const std::byte* const whole = reader.narrow(size);
  const bool good = decode_bare_table(reader, limits, field, out);
  reader.restore(whole);
  return good;
}

void encode_table(const Table& table, wire::Writer& writer) {
  writer.u32(table.run().size);
  internal::copy_run(table.run(), false,
                     [&](const char* data, std::size_t size) { writer.bytes(data, size); });
}

namespace {

void print_value(std::string& out, const Value& value) {
  out += value.tag() == Tag::unsendable ? '?' : static_cast<char>(value.tag());
  switch (value.tag()) {
    case Tag::none:
    case Tag::unsendable:
      return;
    case Tag::boolean:
      out += ValueCodec::bits(value) != 0 ? " true" : " false";
      return;
    case Tag::f32:
    case Tag::f64:
      out += " " + std::to_string(*value.number());
      return;
    case Tag::decimal: {
      const Decimal decimal = *value.decimal();
      out += " " + std::to_string(decimal.digits) + "/10^" + std::to_string(decimal.scale);
      return;
    }
    case Tag::timestamp:
      out += " " + std::to_string(ValueCodec::bits(value));
      return;
    case Tag::text:
      out += ' ';
      wire::print_text(out, ValueCodec::view(value));
      return;
    case Tag::bytes:
      out += ' ';
      wire::print_hex(out, ValueCodec::view(value));
      return;
    case Tag::table:
      out += ' ';
      print_table(out, *value.table());
      return;
    case Tag::array: {
      const FieldArray array = *value.array();
      const char* separator = " [";
      for (const Value item : array) {
        out += separator;
        print_value(out, item);
        separator = ", ";
      }
      out += array.empty() ? " []" : "]";
      return;
    }
    default:
      out += " " + std::to_string(*value.integer());
  }
}

}  // namespace

void print_table(std::string& out, const Table& table) {
  const char* separator = "{";
  for (const Field field : table) {
    out += separator;
    wire::print_text(out, field.name);
    out += ": ";
    print_value(out, field.value);
    separator = ", ";
  }
  out += table.empty() ? "{}" : "}";
}

}  // namespace tern::amqp
