// What AMQP peers send, piece by piece: any method, content header, field table, and a stream that
// is cut into frames. What is decoded encodes to bytes that decode to the same, what is cut off is
// an error, an error names a byte of the input, and decoding takes no memory.
//
// Input: 0 and the payload of a method frame, 1 and that of a header frame, 2 and a table without
// its length, 3, who sends (0: a client), the frame limit (2 bytes) and a stream, or 4, which
// method (66 and more: a content header) and a seed (8 bytes) for the generator.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/memory.h"
#include "fuzz/target.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/generate.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace tern::amqp {
namespace {

using fuzz::require;
using ByteVector = std::vector<std::byte>;

// Small, so that the corpus gets beyond them; they hold for what is read, not for what is written.
constexpr DecodeLimits kLimits{.tables = {.max_depth = 6, .max_bytes = 600}};

constexpr wire::Errc kErrors[] = {wire::Errc::end_of_input,   wire::Errc::too_large,
                                  wire::Errc::trailing_bytes, wire::Errc::bad_value,
                                  wire::Errc::unknown_type,   wire::Errc::too_deep,
                                  wire::Errc::bad_length,     wire::Errc::bad_frame_end};
constexpr Tag kTags[] = {Tag::none,      Tag::boolean, Tag::i8,   Tag::u8,    Tag::i16,
                         Tag::u16,       Tag::i32,     Tag::u32,  Tag::i64,   Tag::f32,
                         Tag::f64,       Tag::decimal, Tag::text, Tag::bytes, Tag::array,
                         Tag::timestamp, Tag::table};

std::string title(wire::Errc code) { return "error: " + wire::make_error_code(code).message(); }
std::string title(Tag tag) { return std::string("tag ") + static_cast<char>(tag); }

void failed(const wire::DecodeError& error, std::size_t input_bytes) {
  require(error.offset <= input_bytes, "an error is inside the input");
  require(!error.message().empty(), "an error says something");
  if (fuzz::milestones_wanted()) fuzz::reached(title(error.code));
}

// ---------------------------------------------------------------------------------------- tables
// What is built from the values of a table is the same table.
Value rebuilt(const Value& value, std::vector<TableBuilder>& tables,
              std::vector<ArrayBuilder>& arrays);

Table rebuilt(const Table& table, std::vector<TableBuilder>& tables,
              std::vector<ArrayBuilder>& arrays) {
  TableBuilder builder;
  for (const Field field : table) {
    require(table.find(field.name).has_value(), "a field can be found by its name");
    builder.add(field.name, rebuilt(field.value, tables, arrays));
  }
  tables.push_back(std::move(builder));
  const auto built = tables.back().table();
  require(built.has_value(), "what was read can be built");
  return *built;
}

Value rebuilt(const Value& value, std::vector<TableBuilder>& tables,
              std::vector<ArrayBuilder>& arrays) {
  if (fuzz::milestones_wanted()) fuzz::reached(title(value.tag()));
  const int kinds =
      value.boolean().has_value() + value.integer().has_value() + value.number().has_value() +
      value.decimal().has_value() + value.timestamp().has_value() + value.text().has_value() +
      value.bytes().has_value() + value.table().has_value() + value.array().has_value();
  require(kinds == (value.is_null() ? 0 : 1), "a value is of one kind");
  if (const auto table = value.table()) return rebuilt(*table, tables, arrays);
  if (const auto array = value.array()) {
    ArrayBuilder builder;
    for (const Value& each : *array) builder.add(rebuilt(each, tables, arrays));
    arrays.push_back(std::move(builder));
    const auto built = arrays.back().array();
    require(built.has_value(), "what was read can be built");
    return *built;
  }
  return value;
}

ByteVector encoded(const Table& table) {
  ByteVector bytes(encoded_size(table));
  wire::Writer writer(bytes);
  encode_table(table, writer);
  require(writer.position() == bytes.size(), "encoded_size() is exact");
  return bytes;
}

void run_table(std::span<const std::byte> input) {
  const fuzz::MemoryScope memory;
  wire::Reader reader(input);
  Table table;
  const bool good = decode_bare_table(reader, kLimits.tables, "table", table);
  require(memory.peak() == 0, "decoding takes no memory");
  require(good == reader.ok(), "decode_bare_table() says what the reader says");
  if (!good) return failed(reader.error(), input.size());
  require(reader.remaining() == 0, "all of it is the table");
  std::string text;
  print_table(text, table);
  require(!text.empty(), "every table can be printed");

  const ByteVector bytes = encoded(table);
  wire::Reader again(bytes);
  Table same;
  require(decode_table(again, kLimits.tables, "table", same), "what was encoded can be decoded");
  require(encoded(same) == bytes, "there is one way to encode a table");
  require(same == table || table.run().has_old_tags, "a table stays the same");
  std::vector<TableBuilder> tables;
  std::vector<ArrayBuilder> arrays;
  // Each builder keeps what its table is a view of.
  tables.reserve(input.size() + 1);
  arrays.reserve(input.size() + 1);
  // Not the same bytes: whatever is not 0 is true, and true is written as 1.
  std::string text_again;
  print_table(text_again, rebuilt(same, tables, arrays));
  require(text_again == text, "a table can be built from its values");
}

// --------------------------------------------------------------------------- methods and headers
template <class M>
ByteVector encoded(const M& message) {
  const char* field = nullptr;
  const auto size = encoded_size(message, &field);
  require(size.has_value(), "what was decoded can be encoded");
  ByteVector bytes(*size);
  wire::Writer writer(bytes);
  encode(message, writer);
  require(writer.position() == bytes.size(), "encoded_size() is exact");
  return bytes;
}

// Decodes the payload of a frame and hands over what it holds.
template <class Handler>
std::optional<PayloadError> decode_payload(bool header, Bytes payload, Handler&& handler) {
  if (!header) return dispatch(payload, kLimits, handler);
  ContentHeader message;
  if (auto error = decode_header(payload, kLimits, message)) return error;
  handler(static_cast<const ContentHeader&>(message));
  return std::nullopt;
}

// No handler of its own for each use: every one is a dispatch table over all methods.
struct Handler {
  bool count_only = false;
  ByteVector bytes = {};  // encoded again
  std::string text = {};
  const char* name = nullptr;

  template <class M>
  void operator()(const M& message) {
    if constexpr (requires { M::method; }) {
      name = M::method.name;
      if (!count_only) text = print(message);
    } else {
      name = "content header";
      if (!count_only) text = print(message.properties);
    }
    if (!count_only) bytes = encoded(message);
  }
};

void run_payload(bool header, std::span<const std::byte> input) {
  Handler look{.count_only = true};
  {
    const fuzz::MemoryScope memory;
    const auto error = decode_payload(header, Bytes(input), look);
    require(memory.peak() == 0, "decoding takes no memory");
    require((look.name == nullptr) == error.has_value(), "a handler is called for what is good");
    if (error) {
      require(!error->message().empty(), "an error says something");
      return failed(error->what, input.size());
    }
  }
  Handler first;
  require(!decode_payload(header, Bytes(input), first), "decoding depends on nothing else");
  require(!first.text.empty(), "what was decoded can be printed");
  Handler second;
  require(!decode_payload(header, Bytes(first.bytes), second), "what was encoded can be decoded");
  require(first.bytes == second.bytes, "there is one way to encode it");
  require(first.text == second.text, "it stays the same");
  for (std::size_t n = 0; n < first.bytes.size(); n += 1 + n / 32) {
    const ByteVector prefix(first.bytes.begin(),
                            first.bytes.begin() + static_cast<std::ptrdiff_t>(n));
    Handler none{.count_only = true};
    require(decode_payload(header, Bytes(prefix), none).has_value(), "no part of it is all of it");
  }
  if (fuzz::milestones_wanted()) fuzz::reached(first.name);
}

void run_generated(std::size_t which, std::uint64_t seed) {
  wire::Random random(seed);
  wire::Arena arena(std::size_t{1} << 24);
  Generator generator(random, arena);
  const DecodeLimits limits;
  const auto check = [&](const auto& message, auto out, const auto& decode_it) {
    const ByteVector bytes = encoded(message);
    require(!decode_it(Bytes(bytes), limits, out), "what was generated can be decoded");
    require(out == message, "what was generated stays the same");
    require(encoded(out) == bytes, "there is one way to encode it");
  };
  std::size_t index = 0;
  AllMethods::for_each([&]<class M>() {
    if (index++ != which) return;
    check(generator.method<M>(), M{}, [](auto&&... args) { return decode_method(args...); });
  });
  if (which < index) return;
  check(generator.header(), ContentHeader{}, [](auto&&... args) { return decode_header(args...); });
}

// ---------------------------------------------------------------------------------------- frames
// What a splitter makes of a stream, as one can compare it.
struct Cut {
  std::vector<std::string> frames;
  std::size_t taken = 0;
  std::string error;
  bool operator==(const Cut&) const = default;
};

std::string described(const Split& split) {
  if (split.kind == Split::Kind::protocol_header) {
    std::string text = "protocol";
    for (const unsigned part : split.protocol.version) text += " " + std::to_string(part);
    return text;
  }
  return std::to_string(static_cast<int>(split.frame.type)) + " " +
         std::to_string(split.frame.channel) + " " + std::string(split.frame.payload.view());
}

// With no more than `step` new bytes to look at each time.
Cut cut(std::span<const std::byte> stream, FrameSplitter splitter, std::size_t step) {
  Cut all;
  std::size_t there = std::min(step, stream.size());
  for (;;) {
    const auto input = stream.subspan(all.taken, there - all.taken);
    const Split split = splitter.next(input);
    if (split.kind == Split::Kind::error) {
      require(splitter.error().what.offset <= stream.size(), "an error is inside the input");
      all.error = splitter.error().message();
      if (fuzz::milestones_wanted()) fuzz::reached(title(splitter.error().what.code));
      require(splitter.next(input).kind == Split::Kind::error, "an error stays");
      return all;
    }
    if (split.kind == Split::Kind::need_more) {
      require(split.size > input.size(), "more is more than there is");
      if (there == stream.size()) return all;
      there = std::min(there + step, stream.size());
      continue;
    }
    require(split.size != 0 && split.size <= input.size(), "a frame lies in the input");
    all.frames.push_back(described(split));
    all.taken += split.size;
  }
}

void run_stream(bool from_client, std::uint16_t limit, std::span<const std::byte> stream) {
  const std::uint32_t frame_max = std::max<std::uint32_t>(limit, kFrameOverheadBytes + 1);
  const FrameSplitter splitter(
      from_client ? FrameSplitter::From::client : FrameSplitter::From::server,
      {.body = frame_max, .other = 2 * frame_max});
  const Cut whole = cut(stream, splitter, std::max<std::size_t>(stream.size(), 1));
  require(cut(stream, splitter, 1) == whole, "bytes one by one make the same frames");
  require(cut(stream, splitter, 5) == whole, "how a stream is cut makes no difference");
  if (!fuzz::milestones_wanted() || !whole.error.empty()) return;
  if (!whole.frames.empty()) fuzz::reached(from_client ? "frames of a client" : "frames");
  if (whole.taken == stream.size()) fuzz::reached("a stream to its end");
}

}  // namespace
}  // namespace tern::amqp

std::vector<std::string> tern::fuzz::milestones() {
  std::vector<std::string> all{"content header", "frames", "frames of a client",
                               "a stream to its end"};
  amqp::AllMethods::for_each([&]<class M>() { all.emplace_back(M::method.name); });
  for (const wire::Errc code : amqp::kErrors) all.push_back(amqp::title(code));
  for (const amqp::Tag tag : amqp::kTags) all.push_back(amqp::title(tag));
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::amqp;
  tern::fuzz::Input input(data, size);
  const unsigned kind = input.u8() % 5;
  if (kind < 2) {
    run_payload(kind == 1, input.rest());
  } else if (kind == 2) {
    run_table(input.rest());
  } else if (kind == 3) {
    const bool from_client = input.u8() % 2 == 0;
    const std::uint16_t limit = input.u16();
    run_stream(from_client, limit, input.rest());
  } else {
    const std::size_t which = input.u8();
    run_generated(which, input.u64());
  }
  return 0;
}
