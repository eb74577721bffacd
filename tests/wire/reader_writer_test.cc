#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace tern::wire {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

TEST(ReaderWriter, EveryTypeBothWays) {
  std::vector<std::byte> buffer(200);
  Writer writer(buffer);
  writer.i8(-2);
  writer.i16(-300);
  writer.i32(0x01020304);
  writer.i64(std::numeric_limits<std::int64_t>::min());
  writer.u8(200);
  writer.u16(65535);
  writer.u32(0xfffffffe);
  writer.u64(std::numeric_limits<std::uint64_t>::max());
  writer.f64(-1.5);
  writer.uvarint(300);
  writer.varint(-65);
  writer.varlong(std::numeric_limits<std::int64_t>::min());
  writer.uuid(Uuid{{1, 2, 3}});
  writer.bytes("xyz");
  const std::size_t size = writer.position();

  Reader reader{std::span(buffer).first(size)};
  EXPECT_EQ(reader.i8(), -2);
  EXPECT_EQ(reader.i16(), -300);
  EXPECT_EQ(reader.i32(), 0x01020304);
  EXPECT_EQ(reader.i64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(reader.u8(), 200);
  EXPECT_EQ(reader.u16(), 65535);
  EXPECT_EQ(reader.u32(), 0xfffffffe);
  EXPECT_EQ(reader.u64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(reader.f64(), -1.5);
  EXPECT_EQ(reader.uvarint(), 300U);
  EXPECT_EQ(reader.varint(), -65);
  EXPECT_EQ(reader.varlong(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(reader.uuid(), (Uuid{{1, 2, 3}}));
  EXPECT_EQ(Bytes(reader.bytes(3)).view(), "xyz");
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.expect_end());
}

TEST(ReaderWriter, BytesOnTheWireAreBigEndian) {
  std::vector<std::byte> buffer(6);
  Writer writer(buffer);
  writer.i32(0x01020304);
  writer.i16(-2);
  EXPECT_EQ(buffer, bytes_of({1, 2, 3, 4, 0xff, 0xfe}));
}

TEST(Reader, TheFirstErrorStays) {
  const auto input = bytes_of({0, 1, 2, 3, 4});
  Reader reader(input);
  EXPECT_EQ(reader.i16("first"), 1);
  EXPECT_EQ(reader.i32("second"), 0);
  EXPECT_EQ(reader.i8("third"), 0);  // though a byte would have been left
  EXPECT_EQ(reader.uvarint("fourth"), 0U);
  EXPECT_TRUE(reader.uuid("fifth").is_zero());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, Errc::end_of_input);
  EXPECT_STREQ(reader.error().field, "second");
  EXPECT_EQ(reader.error().offset, 2U);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.error().message(), "second: the input ends inside a value, at byte 2");
}

TEST(Reader, VarintErrorsSayWhich) {
  const auto cut = bytes_of({0x80, 0x80});
  Reader a(cut);
  a.uvarint("n");
  EXPECT_EQ(a.error().code, Errc::end_of_input);
  const auto endless = bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80});
  Reader b(endless);
  b.uvarint("n");
  EXPECT_EQ(b.error().code, Errc::bad_varint);
  const auto wide = bytes_of({0xff, 0xff, 0xff, 0xff, 0x7f});
  Reader c(wide);
  c.varint("n");
  EXPECT_EQ(c.error().code, Errc::bad_varint);
  const auto nothing = bytes_of({});
  Reader d(nothing);
  d.varlong("n");
  EXPECT_EQ(d.error().code, Errc::end_of_input);
}

TEST(Reader, NarrowHidesTheRest) {
  const auto input = bytes_of({1, 2, 3, 4});
  Reader reader(input);
  const std::byte* whole = reader.narrow(2);
  EXPECT_EQ(reader.remaining(), 2U);
  EXPECT_EQ(reader.i16(), 0x0102);
  EXPECT_EQ(reader.remaining(), 0U);
  reader.restore(whole);
  EXPECT_EQ(reader.i16(), 0x0304);
  EXPECT_TRUE(reader.expect_end());
  // An error inside stays an error outside.
  Reader failing(input);
  whole = failing.narrow(2);
  failing.i32("wide");
  failing.restore(whole);
  EXPECT_EQ(failing.i8(), 0);
  EXPECT_FALSE(failing.ok());
}

TEST(Writer, LargeRecordsAreSplicedSmallOnesCopied) {
  const std::string large(kMinSpliceBytes, 'r'), small(kMinSpliceBytes - 1, 's');
  std::vector<std::byte> flat(8 + small.size() + large.size());
  std::vector<Splice> splices(1);
  Writer writer(flat, splices);
  writer.i32(1);
  writer.records(Records(std::string_view(large)));
  writer.records(Records(std::string_view(small)));
  writer.records(Records::null());
  writer.i32(2);
  writer.records(Records(std::string_view(large)));  // no room for another splice: copied
  EXPECT_EQ(writer.splices_used(), 1U);
  EXPECT_EQ(splices[0].at, 4U);
  EXPECT_EQ(splices[0].data.data(), large.data());
  EXPECT_EQ(splices[0].data.size(), large.size());
  EXPECT_EQ(writer.position(), 8 + small.size() + large.size());
  EXPECT_EQ(flat.back(), std::byte{'r'});
}

TEST(Views, NullAndEmptyDiffer) {
  EXPECT_FALSE(Text().is_null());
  EXPECT_TRUE(Text::null().is_null());
  EXPECT_FALSE(Text() == Text::null());
  EXPECT_TRUE(Text() == Text(""));
  EXPECT_FALSE(Text(std::string_view{}).is_null());
  EXPECT_FALSE(Array<int>() == Array<int>::null());
  EXPECT_TRUE(Array<int>::null() == Array<int>(null));
  EXPECT_FALSE(Bytes(std::span<const std::byte>{}).is_null());
  static_assert(sizeof(Text) == 16 && sizeof(Array<int>) == 16);
}

}  // namespace
}  // namespace tern::wire
