// Field tables: what each tag looks like (bytes worked out by hand from RabbitMQ's own use of
// them), what building refuses, what is kept as it was.
#include <gtest/gtest.h>

#include <limits>

#include "tests/amqp/testing.h"

namespace tern::amqp::testing {
namespace {

using wire::Errc;

// The bytes of one value, without the name in front.
std::string encoded(const Value& value) {
  ArrayBuilder builder;
  builder.add(value);
  const auto array = builder.array();
  EXPECT_TRUE(array);
  return hex(bytes(std::string_view(array->run().data, array->run().size)));
}

Table decoded(const ByteVector& content, const TableLimits& limits = {}) {
  wire::Reader reader{Bytes(content)};
  Table out;
  EXPECT_TRUE(decode_bare_table(reader, limits, "table", out)) << reader.error().message();
  EXPECT_EQ(reader.remaining(), 0U);
  return out;
}

wire::DecodeError error_of(const ByteVector& content, const TableLimits& limits = {}) {
  wire::Reader reader{Bytes(content)};
  Table out;
  EXPECT_FALSE(decode_bare_table(reader, limits, "table", out));
  EXPECT_TRUE(out.empty());
  EXPECT_STREQ(reader.error().field, "table");
  return reader.error();
}

TEST(Table, EveryTypeHasItsTag) {
  EXPECT_EQ(encoded(wire::null), "56");                        // V
  EXPECT_EQ(encoded(true), "7401");                            // t
  EXPECT_EQ(encoded(std::int8_t{-2}), "62fe");                 // b
  EXPECT_EQ(encoded(std::uint8_t{200}), "42c8");               // B
  EXPECT_EQ(encoded(std::int16_t{-2}), "73fffe");              // s, not the U of the errata
  EXPECT_EQ(encoded(std::uint16_t{60000}), "75ea60");          // u
  EXPECT_EQ(encoded(-2), "49fffffffe");                        // I
  EXPECT_EQ(encoded(4000000000U), "69ee6b2800");               // i
  EXPECT_EQ(encoded(std::int64_t{-2}), "6cfffffffffffffffe");  // l, signed
  EXPECT_EQ(encoded(std::uint64_t{3}), "6c0000000000000003");  // there is no unsigned one
  EXPECT_EQ(encoded(1.5F), "663fc00000");                      // f
  EXPECT_EQ(encoded(-2.0), "64c000000000000000");              // d
  EXPECT_EQ(encoded(Decimal{2, 314}), "44020000013a");         // D
  EXPECT_EQ(encoded(Timestamp{1}), "540000000000000001");      // T
  EXPECT_EQ(encoded("ab"), "53000000026162");                  // S
  EXPECT_EQ(encoded(std::string("ab")), "53000000026162");
  EXPECT_EQ(encoded(std::string_view("ab")), "53000000026162");
  EXPECT_EQ(encoded(Text("ab")), "53000000026162");
  EXPECT_EQ(encoded(Bytes("ab")), "78000000026162");  // x
  EXPECT_EQ(encoded(Text::null()), "56");
  EXPECT_EQ(encoded(Table()), "4600000000");       // F
  EXPECT_EQ(encoded(FieldArray()), "4100000000");  // A
}

TEST(Table, ReadingGivesTheValuesBack) {
  ArrayBuilder list;
  list.add(1).add("two");
  TableBuilder inner;
  inner.add("x-match", "all");
  TableBuilder builder;
  builder.add("void", wire::null).add("bool", true).add("i8", std::int8_t{-128});
  builder.add("u8", std::uint8_t{255}).add("i16", std::int16_t{-32768});
  builder.add("u16", std::uint16_t{65535}).add("i32", std::numeric_limits<std::int32_t>::min());
  builder.add("u32", 0xffffffffU).add("i64", std::numeric_limits<std::int64_t>::min());
  builder.add("f32", 0.25F).add("f64", -0.25).add("decimal", Decimal{255, 0x80000000});
  builder.add("time", Timestamp{~std::uint64_t{0}}).add("text", "t").add("bytes", Bytes("b"));
  builder.add("list", *list.array()).add("table", *inner.table());
  const auto table = builder.table();
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->find("void")->is_null());
  EXPECT_EQ(table->find("bool")->boolean(), true);
  EXPECT_EQ(table->find("i8")->integer(), -128);
  EXPECT_EQ(table->find("u8")->integer(), 255);
  EXPECT_EQ(table->find("i16")->integer(), -32768);
  EXPECT_EQ(table->find("u16")->integer(), 65535);
  EXPECT_EQ(table->find("i32")->integer(), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(table->find("u32")->integer(), 0xffffffffLL);
  EXPECT_EQ(table->find("i64")->integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(table->find("f32")->number(), 0.25);
  EXPECT_EQ(table->find("f64")->number(), -0.25);
  EXPECT_EQ(table->find("decimal")->decimal(), (Decimal{255, 0x80000000}));
  EXPECT_EQ(table->find("time")->timestamp(), Timestamp{~std::uint64_t{0}});
  EXPECT_EQ(table->find("text")->text(), "t");
  EXPECT_EQ(table->find("bytes")->bytes(), Bytes("b"));
  const FieldArray items = *table->find("list")->array();
  EXPECT_EQ(std::distance(items.begin(), items.end()), 2);
  EXPECT_EQ(*items.begin(), Value(1));
  EXPECT_EQ(table->find("table")->table()->find("x-match")->text(), "all");
  EXPECT_FALSE(table->find("absent"));
  EXPECT_FALSE(table->find("tex"));
  // No value passes for one of another kind.
  EXPECT_FALSE(table->find("bytes")->text());
  EXPECT_FALSE(table->find("text")->bytes());
  EXPECT_FALSE(table->find("bool")->integer());
  EXPECT_FALSE(table->find("i8")->boolean());
  EXPECT_FALSE(table->find("time")->integer());
  EXPECT_FALSE(table->find("i8")->number());
  EXPECT_FALSE(table->find("list")->table());
  EXPECT_FALSE(table->find("table")->array());
  EXPECT_NE(Value(1), Value(std::int64_t{1}));  // the type matters to brokers
}

TEST(Table, PrintsEveryValueWithItsTag) {
  ArrayBuilder list;
  list.add(1).add(wire::null).add(FieldArray());
  TableBuilder builder;
  builder.add("n", std::int64_t{5}).add("s", "a\"b").add("l", *list.array()).add("t", Table());
  builder.add("d", Decimal{2, 314}).add("f", 0.5).add("x", Bytes("\x01")).add("T", Timestamp{9});
  std::string text;
  print_table(text, *builder.table());
  EXPECT_EQ(text,
            "{\"n\": l 5, \"s\": S \"a\\\"b\", \"l\": A [I 1, V, A []], \"t\": F {}, "
            "\"d\": D 314/10^2, \"f\": d 0.500000, \"x\": x 0x01, \"T\": T 9}");
}

TEST(Table, BuildingRefusesWhatCannotBeSent) {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  TableBuilder numbers;
  numbers.add("fits", kLargest);
  ASSERT_TRUE(numbers.table());
  numbers.add("too much", kLargest + 1).add("after", 1);
  EXPECT_EQ(numbers.table().error(), Errc::bad_value);
  EXPECT_EQ(numbers.bad_name(), "too much");

  TableBuilder names;
  names.add(std::string(255, 'n'), 1);
  ASSERT_TRUE(names.table());
  names.add(std::string(256, 'n'), 1);
  EXPECT_EQ(names.table().error(), Errc::too_large);
  EXPECT_EQ(names.bad_name().size(), 256U);

  TableBuilder huge;
  const char byte = 'x';
  huge.add("4 GiB", std::string_view(&byte, std::size_t{1} << 32));
  EXPECT_EQ(huge.table().error(), Errc::bad_value);
  huge = TableBuilder();
  huge.add("with the rest", std::string_view(&byte, 0xffffffffU));
  EXPECT_EQ(huge.table().error(), Errc::too_large);
}

TEST(Table, DepthIsBoundedOnBothSides) {
  std::vector<TableBuilder> levels(kMaxTableDepth + 1);
  for (unsigned i = 1; i < kMaxTableDepth; ++i) levels[i].add("t", *levels[i - 1].table());
  const Table deepest = *levels[kMaxTableDepth - 1].table();
  EXPECT_EQ(levels[kMaxTableDepth].add("t", deepest).table().error(), Errc::too_deep);

  const ByteVector encoded = encode_all(deepest);
  const ByteVector content(encoded.begin() + 4, encoded.end());
  EXPECT_TRUE(decoded(content, {.max_depth = kMaxTableDepth}) == deepest);
  EXPECT_EQ(error_of(content, {.max_depth = kMaxTableDepth - 1}).code, Errc::too_deep);
  // Whatever a configuration says.
  const wire::DecodeError usual = error_of(content);
  EXPECT_EQ(usual.code, Errc::too_deep);
  EXPECT_EQ(usual.offset, 31U * 7U + 2U);  // the tag of the 33rd table
}

TEST(Table, OrderAndDuplicatesStay) {
  const ByteVector content = bytes({1, 'b', 'B', 1, 1, 'a', 'B', 2, 1, 'b', 'B', 3});
  const Table table = decoded(content);
  std::string seen;
  for (const Field field : table) {
    seen += std::string(field.name) + std::to_string(*field.value.integer());
  }
  EXPECT_EQ(seen, "b1a2b3");
  EXPECT_EQ(table.find("b")->integer(), 1);  // the first one
  ByteVector again = bytes({0, 0, 0, 12});
  append(again, content);
  EXPECT_EQ(encode_all(table), again);
}

TEST(Table, TheOldTagForI64IsReadAndNeverSent) {
  // {"a": L -2, "t": {"L": [L 1, "L"]}}, where only tags are to change.
  const ByteVector content =
      bytes({1,   'a', 'L', 255, 255, 255, 255, 255, 255, 255, 254,                 //
             1,   't', 'F', 0,   0,   0,   22,                                      //
             1,   'L', 'A', 0,   0,   0,   15,  'L', 0,   0,   0,   0, 0, 0, 0, 1,  //
             'S', 0,   0,   0,   1,   'L'});
  const Table table = decoded(content);
  EXPECT_EQ(table.find("a")->tag(), Tag::i64);
  EXPECT_EQ(table.find("a")->integer(), -2);
  ByteVector sent = bytes({0, 0, 0, 40});
  append(sent, content);
  for (const std::size_t tag : {6U, 29U}) {
    ASSERT_EQ(sent[tag], std::byte{'L'});
    sent[tag] = std::byte{'l'};
  }
  EXPECT_EQ(hex(encode_all(table)), hex(sent));
  // Put into another table, on its own or not.
  TableBuilder builder;
  builder.add("t", *table.find("t")).add("whole", table);
  const ByteVector built = encode_all(*builder.table());
  ByteVector expected = bytes({0, 0, 0, 80, 1, 't'});
  expected.insert(expected.end(), sent.begin() + 17, sent.end());
  append(expected, bytes({5, 'w', 'h', 'o', 'l', 'e', 'F'}));
  append(expected, sent);
  EXPECT_EQ(hex(built), hex(expected));
}

struct Case {
  const char* what;
  ByteVector content;
  Errc code;
  std::size_t offset;
};

TEST(Table, ErrorsPointAtTheByte) {
  const Case cases[] = {
      {"name longer than the table", bytes({5, 'a', 'b'}), Errc::bad_length, 0},
      {"name without a value", bytes({1, 'a'}), Errc::end_of_input, 2},
      {"unknown tag", bytes({1, 'a', 'Z', 0}), Errc::unknown_type, 2},
      {"the specification's i16", bytes({1, 'a', 'U', 0, 0}), Errc::unknown_type, 2},
      {"number cut", bytes({1, 'a', 'I', 0, 0, 0}), Errc::end_of_input, 3},
      {"decimal cut", bytes({1, 'a', 'D', 0, 0, 0, 0}), Errc::end_of_input, 3},
      {"length cut", bytes({1, 'a', 'S', 0, 0, 0}), Errc::end_of_input, 3},
      {"text too long", bytes({1, 'a', 'S', 0, 0, 0, 2, 'x'}), Errc::bad_length, 3},
      {"negative length", bytes({1, 'a', 'x', 255, 255, 255, 255}), Errc::bad_length, 3},
      {"table too long", bytes({1, 'a', 'F', 0, 0, 0, 1}), Errc::bad_length, 3},
      {"array too long", bytes({1, 'a', 'A', 127, 255, 255, 255}), Errc::bad_length, 3},
      {"value reaches out of its table", bytes({1, 'a', 'F', 0, 0, 0, 4, 1, 'b', 'I', 0, 0, 0, 0}),
       Errc::end_of_input, 10},
      {"element reaches out of its array", bytes({1, 'a', 'A', 0, 0, 0, 2, 's', 0, 0}),
       Errc::end_of_input, 8},
      {"second of two", bytes({1, 'a', 'V', 1, 'b', '?'}), Errc::unknown_type, 5},
  };
  for (const Case& c : cases) {
    const wire::DecodeError error = error_of(c.content);
    EXPECT_EQ(error.code, c.code) << c.what << ": " << error.message();
    EXPECT_EQ(error.offset, c.offset) << c.what;
  }
  for (int tag = 0; tag < 256; ++tag) {
    const bool known =
        tag != 0 && std::string_view("VtbBsuIilLfdDSxAFT").find(static_cast<char>(tag)) !=
                        std::string_view::npos;
    ByteVector content = bytes({1, 'a', tag});
    append(content, ByteVector(8));
    wire::Reader reader{Bytes(content)};
    Table out;
    const bool good = decode_bare_table(reader, {}, "table", out);
    // Zeros after the value are a nameless field, whose tag 0 nobody knows.
    EXPECT_TRUE(good || reader.error().offset > 2 || !known) << tag;
    EXPECT_TRUE(known || (!good && reader.error().offset == 2)) << tag;
  }
}

TEST(Table, SizeIsLimited) {
  TableBuilder builder;
  builder.add("a", std::string(100, 'x'));
  const ByteVector encoded = encode_all(*builder.table());
  const ByteVector content(encoded.begin() + 4, encoded.end());
  EXPECT_FALSE(decoded(content, {.max_bytes = content.size()}).empty());
  EXPECT_EQ(error_of(content, {.max_bytes = content.size() - 1}).code, Errc::too_large);
}

TEST(Table, TheResponseOfAmqplain) {
  TableBuilder login;
  login.add("LOGIN", "guest").add("PASSWORD", "guest");
  const ByteVector encoded = encode_all(*login.table());
  const ByteVector response(encoded.begin() + 4, encoded.end());  // without its length
  EXPECT_EQ(hex(response),
            "054c4f47494e"
            "53000000056775657374"
            "0850415353574f5244"
            "53000000056775657374");
  EXPECT_EQ(decoded(response).find("LOGIN")->text(), "guest");
}

}  // namespace
}  // namespace tern::amqp::testing
