// Shapes of fields that no message uses yet but Kafka's schemas have: nullable structs, tagged and
// not, uint16, float64, bytes, secrets. A message of the test's own, so that the codecs are ready
// for them.
#include <gtest/gtest.h>

#include "protocol/kafka/codec_impl.h"
#include "tests/kafka/codec_testing.h"
#include "tests/kafka/slow_encoder.h"

namespace tern::kafka {
namespace {

struct Shapes {
  static constexpr Api api{900, "Shapes", {0, 3}, /*flexible_from=*/2, /*unstable_from=*/3};

  struct Inner {
    std::int32_t a = 7;
    Text b;

    template <class V>
    static constexpr void describe(V& field) {
      using M = Inner;
      field("a", &M::a, since(0));
      field("b", &M::b, since(0));
    }
    friend bool operator==(const Inner&, const Inner&) = default;
  };

  std::optional<Inner> maybe;
  std::uint16_t port = 0;
  double ratio = 0.5;
  wire::Bytes blob = wire::Bytes::null();
  Text password;
  Array<bool> flags;
  Array<double> ratios;
  std::optional<Inner> tagged;
  wire::Bytes tagged_blob;

  template <class V>
  static constexpr void describe(V& field) {
    using M = Shapes;
    field("maybe", &M::maybe, since(0).nullable(1).ignorable());
    field("port", &M::port, since(0));
    field("ratio", &M::ratio, since(0));
    field("blob", &M::blob, since(0).nullable(0));
    field("password", &M::password, since(0).secret());
    field("flags", &M::flags, since(0));
    field("ratios", &M::ratios, since(0).nullable(1));
    field("tagged", &M::tagged, since(2).nullable(2).tag(3, 2).ignorable());
    field("tagged_blob", &M::tagged_blob, since(2).tag(200, 2).ignorable());
  }
  friend bool operator==(const Shapes&, const Shapes&) = default;
};

}  // namespace

template struct MessageCodec<Shapes>;

namespace testing {
namespace {

TEST(CodecShapes, RoundTripInEveryVersion) {
  Random random(40);
  for_each_version<Shapes>([&](std::int16_t version) {
    for (int i = 0; i < 300; ++i) {
      wire::Arena made(1 << 20);
      const Shapes message = generate<Shapes>(random, version, made);
      const ByteVector bytes = encode_all(message, version);
      ASSERT_EQ(bytes, SlowEncoder(version, version >= 2).encode(message));
      wire::Reader reader(bytes);
      wire::Arena arena(1 << 20);
      Shapes out;
      ASSERT_TRUE(decode(reader, version, arena, out)) << reader.error().message();
      ASSERT_TRUE(out == message) << print(message, version) << print(out, version);
      for (std::size_t n = 0; n < bytes.size(); ++n) {
        wire::Reader cut{std::span(bytes).first(n)};
        arena.reset();
        ASSERT_FALSE(decode(cut, version, arena, out));
      }
    }
  });
}

TEST(CodecShapes, NullStructs) {
  const char* field = nullptr;
  Shapes message;
  EXPECT_EQ(encoded_size(message, 0, &field).error(), wire::Errc::null_not_allowed);
  EXPECT_STREQ(field, "maybe");
  EXPECT_EQ(encode_all(message, 1)[0], std::byte{0xff});
  message.maybe.emplace(Shapes::Inner{});
  EXPECT_EQ(encode_all(message, 1)[0], std::byte{1});

  ByteVector bytes = encode_all(message, 0);
  bytes[0] = std::byte{0xff};
  wire::Reader reader(bytes);
  wire::Arena arena(1 << 20);
  EXPECT_FALSE(decode(reader, 0, arena, message));
  EXPECT_EQ(reader.error().code, wire::Errc::null_not_allowed);
}

TEST(CodecShapes, PrintHidesSecretsAndShowsWhatTheVersionCarries) {
  Shapes message;
  message.maybe.emplace(Shapes::Inner{}).b = "x\"\n";
  message.port = 9092;
  message.password = "hunter2";
  message.blob = std::string_view("\x01\xff", 2);
  const std::string long_blob(40, '\xab');
  message.tagged_blob = long_blob;
  const std::string old = print(message, 0);
  EXPECT_EQ(old,
            "{maybe: {a: 7, b: \"x\\\"\\x0a\"}, port: 9092, ratio: 0.500000, blob: 0x01ff, "
            "password: ***, flags: [], ratios: []}");
  const std::string fresh = print(message, 2);
  EXPECT_NE(fresh.find("tagged: null"), std::string::npos) << fresh;
  EXPECT_NE(fresh.find("... (40 bytes)"), std::string::npos) << fresh;
}

TEST(CodecShapes, SchemaDump) {
  EXPECT_EQ(schema_dump<Shapes>(),
            "ShapesResponse key=900 versions=0-3 flexible=2-3\n"
            "  maybe struct 0-3 nullable=1-3 ignorable default=null\n"
            "    a int32 0-3 default=7\n"
            "    b string 0-3 default=\"\"\n"
            "  port uint16 0-3 default=0\n"
            "  ratio float64 0-3 default=0.500000\n"
            "  blob bytes 0-3 nullable=0-3 default=null\n"
            "  password string 0-3 default=\"\"\n"
            "  flags []bool 0-3 default=[]\n"
            "  ratios []float64 0-3 nullable=1-3 default=[]\n"
            "  tagged struct 2-3 nullable=2-3 tag=3@2-3 ignorable default=null\n"
            "    a int32 0-3 default=7\n"
            "    b string 0-3 default=\"\"\n"
            "  tagged_blob bytes 2-3 tag=200@2-3 ignorable default=\"\"\n");
}

// Descriptions that contradict themselves do not compile; here is what the check would say.
struct BadTags {
  static constexpr Api api{901, "BadTags", {0, 1}, 0};
  std::int32_t a = 0, b = 0;
  template <class V>
  static constexpr void describe(V& field) {
    field("a", &BadTags::a, since(0).tag(1, 0));
    field("b", &BadTags::b, since(0).tag(0, 0));
  }
};
struct BadRange {
  static constexpr Api api{902, "BadRange", {0, 1}, 0};
  std::int32_t a = 0;
  template <class V>
  static constexpr void describe(V& field) {
    field("a", &BadRange::a, since(3).until(2));
  }
};
struct Fat {  // 33 bytes of memory for 2 on the wire: one byte short
  static constexpr Api api{903, "Fat", {0, 0}, 0};
  struct Item {
    std::uint8_t small = 0;
    Uuid one, two;
    template <class V>
    static constexpr void describe(V& field) {
      field("small", &Item::small, since(0));
      field("one", &Item::one, since(1));
      field("two", &Item::two, since(1));
    }
  };
  Array<Item> items;
  template <class V>
  static constexpr void describe(V& field) {
    field("items", &Fat::items, since(0));
  }
};
struct Fatter {  // 49 bytes for 2
  static constexpr Api api{904, "Fatter", {0, 0}, 0};
  struct Item {
    std::uint8_t small = 0;
    Uuid one, two, three;
    template <class V>
    static constexpr void describe(V& field) {
      field("small", &Item::small, since(0));
      field("one", &Item::one, since(1));
      field("two", &Item::two, since(1));
      field("three", &Item::three, since(1));
    }
  };
  Array<Item> items;
  template <class V>
  static constexpr void describe(V& field) {
    field("items", &Fatter::items, since(0));
  }
};
struct FatInside {  // one byte short, in an array of an array
  static constexpr Api api{905, "FatInside", {0, 0}, 0};
  struct Row {
    Array<Fat::Item> items;
    template <class V>
    static constexpr void describe(V& field) {
      field("items", &Row::items, since(0));
    }
  };
  Array<Row> rows;
  template <class V>
  static constexpr void describe(V& field) {
    field("rows", &FatInside::rows, since(0));
  }
};
static_assert(internal::well_formed<Shapes>());
static_assert(!internal::well_formed<BadTags>());
static_assert(!internal::well_formed<BadRange>());
static_assert(internal::expansion_bounded<Shapes>());
static_assert(internal::expansion_bounded<Fat>());
static_assert(!internal::expansion_bounded<Fatter>());
static_assert(!internal::expansion_bounded<FatInside>());

}  // namespace
}  // namespace testing
}  // namespace tern::kafka
