// Input that lies: counts, lengths, tags, nulls. Nothing may crash, be believed or take much
// memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "protocol/kafka/messages/all.h"
#include "tests/kafka/codec_testing.h"
#include "tests/kafka/slow_encoder.h"

namespace tern::kafka::testing {
namespace {

using wire::Errc;

constexpr std::size_t kRoomy = std::size_t{1} << 40;  // so that only the decoder itself holds back

template <class M>
struct Attempt {
  bool ok;
  wire::DecodeError error;
  std::size_t memory;

  Attempt(const ByteVector& bytes, std::int16_t version, std::size_t limit = kRoomy) {
    wire::Reader reader(bytes);
    wire::Arena arena(limit);
    M out;
    ok = decode(reader, version, arena, out);
    error = reader.error();
    memory = arena.reserved_bytes();
  }
};

TEST(CodecHostile, EveryLengthAndCountMayLie) {
  Random random(30);
  std::int64_t lies = 0;
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      const bool flexible = M::api.flexible(version);
      wire::Arena made(1 << 20);
      const M message = generate<M>(random, version, made);
      SlowEncoder honest(version, flexible);
      const auto honest_size = static_cast<std::int64_t>(honest.encode(message).size());
      for (int which = 0; which < honest.lengths(); ++which) {
        const std::int64_t values[] = {-2,
                                       std::numeric_limits<std::int16_t>::min(),
                                       32767,
                                       std::numeric_limits<std::int32_t>::min(),
                                       std::max<std::int64_t>(32768, honest_size + 1),
                                       std::numeric_limits<std::int32_t>::max(),
                                       std::int64_t{0xfffffffe}};
        for (const std::int64_t value : values) {
          SlowEncoder liar(version, flexible);
          liar.set_lie({which, value});
          const ByteVector bytes = liar.encode(message);
          const Attempt<M> attempt(bytes, version);
          // A two-byte length may wrap to something that fits by accident; everything else must
          // fail.
          if (flexible || static_cast<std::int16_t>(value) > honest_size) {
            ASSERT_FALSE(attempt.ok) << title<M>(version) << " length " << which << " = " << value;
          }
          ASSERT_LE(attempt.memory, wire::Arena::limit_for(bytes.size()));
          ++lies;
        }
      }
    });
  });
  EXPECT_GT(lies, 5000);
}

TEST(CodecHostile, NoiseStaysWithinTheMemoryBound) {
  Random random(31);
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      for (int i = 0; i < 60; ++i) {
        ByteVector bytes(random.below(400));
        for (std::byte& b : bytes) {
          // Small numbers are counts that may be true, so decoders get further with them.
          b = static_cast<std::byte>(random.one_in(3) ? random.next() : random.below(4));
        }
        const Attempt<M> attempt(bytes, version);
        ASSERT_LE(attempt.memory, wire::Arena::limit_for(bytes.size())) << title<M>(version);
      }
    });
  });
}

TEST(CodecHostile, MutatedMessagesStayWithinTheMemoryBound) {
  Random random(32);
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      wire::Arena made(1 << 20);
      const ByteVector good = encode_all(generate<M>(random, version, made), version);
      if (good.empty()) return;  // some requests have no body in old versions
      for (int i = 0; i < 100; ++i) {
        ByteVector bytes = good;
        for (std::size_t n = 1 + random.below(3); n != 0; --n) {
          bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next());
        }
        const Attempt<M> attempt(bytes, version);
        ASSERT_LE(attempt.memory, wire::Arena::limit_for(bytes.size())) << title<M>(version);
      }
    });
  });
}

TEST(CodecHostile, TheDensestArraysThereAre) {
  // A megabyte of empty strings: 16 bytes of memory for each byte of input, and no more.
  constexpr std::size_t kCount = 1000000;
  ByteVector bytes = {std::byte{0}};  // key_type
  for (std::size_t n = kCount + 1; n != 0; n /= 128) {
    bytes.push_back(static_cast<std::byte>(n % 128 + (n >= 128 ? 128 : 0)));
  }
  bytes.insert(bytes.end(), kCount, std::byte{1});
  bytes.push_back(std::byte{0});  // tags
  const Attempt<FindCoordinatorRequest> all(bytes, 4);
  EXPECT_TRUE(all.ok) << all.error.message();
  EXPECT_LE(all.memory, wire::Arena::limit_for(bytes.size()));
  EXPECT_TRUE(Attempt<FindCoordinatorRequest>(bytes, 4, wire::Arena::limit_for(bytes.size())).ok);

  const Attempt<FindCoordinatorRequest> starved(bytes, 4, 1 << 20);
  EXPECT_FALSE(starved.ok);
  EXPECT_EQ(starved.error.code, Errc::too_large);
  EXPECT_STREQ(starved.error.field, "coordinator_keys");
  EXPECT_LE(starved.memory, std::size_t{1} << 20);
}

// A count and then nothing but smallest elements, in a flexible version.
ByteVector dense_list(std::size_t count, std::size_t element_size) {
  ByteVector bytes;
  for (std::size_t n = count + 1; n != 0; n /= 128) {
    bytes.push_back(static_cast<std::byte>(n % 128 + (n >= 128 ? 128 : 0)));
  }
  const ByteVector element = [&] {
    ByteVector one(element_size, std::byte{1});  // empty strings
    one.back() = std::byte{0};                   // tags
    return one;
  }();
  for (std::size_t i = 0; i < count; ++i) bytes.insert(bytes.end(), element.begin(), element.end());
  return bytes;
}

TEST(CodecHostile, LargeElementsOfSmallInputHaveToPayForTheirMemory) {
  // A listed group is 64 bytes in memory and may be 3 bytes of input, which is more than 16 to 1.
  static_assert(sizeof(ListGroupsResponse::ListedGroup) == 64);
  constexpr std::int16_t kVersion = 3;
  const auto list = [](std::size_t count) {
    ByteVector bytes(6);  // throttle_time_ms, error_code
    const ByteVector groups = dense_list(count, 3);
    bytes.insert(bytes.end(), groups.begin(), groups.end());
    bytes.push_back(std::byte{0});  // tags
    return bytes;
  };
  EXPECT_TRUE(Attempt<ListGroupsResponse>(list(200), kVersion).ok);
  const ByteVector many = list(100000);
  const Attempt<ListGroupsResponse> refused(many, kVersion);
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.error.code, Errc::bad_count);
  EXPECT_STREQ(refused.error.field, "groups");
  EXPECT_LE(refused.memory, wire::Arena::limit_for(0));

  // As many groups with names of one byte are honest, if they are told apart elsewhere.
  std::vector<ListGroupsResponse::ListedGroup> groups(100000);
  for (auto& group : groups) group.group_id = "g";
  ListGroupsResponse honest;
  honest.groups = groups;
  const ByteVector bytes = encode_all(honest, kVersion);
  const auto limit = wire::Arena::limit_for(bytes.size());
  EXPECT_TRUE(Attempt<ListGroupsResponse>(bytes, kVersion, limit).ok);
}

TEST(CodecHostile, ManyMediumArraysFitIntoTheLimitToo) {
  // Nested arrays with short names, as a large but honest request has them.
  std::vector<Text> keys(40, Text("retention.ms"));
  std::vector<DescribeConfigsRequest::DescribeConfigsResource> resources(3000);
  for (auto& resource : resources) {
    resource.resource_name = "topic";
    resource.configuration_keys = keys;
  }
  DescribeConfigsRequest request;
  request.resources = resources;
  for (const std::int16_t version : {std::int16_t{1}, std::int16_t{4}}) {
    const ByteVector bytes = encode_all(request, version);
    EXPECT_TRUE(
        Attempt<DescribeConfigsRequest>(bytes, version, wire::Arena::limit_for(bytes.size())).ok);
  }
}

// The errors themselves: what, which field, which byte.
struct Case {
  const char* what;
  std::vector<int> bytes;
  Errc code;
  const char* field;
  std::size_t offset;
};

template <class M>
void expect_errors(std::int16_t version, std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    ByteVector bytes;
    for (const int b : c.bytes) bytes.push_back(static_cast<std::byte>(b));
    const Attempt<M> attempt(bytes, version);
    ASSERT_FALSE(attempt.ok) << c.what;
    EXPECT_EQ(attempt.error.code, c.code) << c.what << ": " << attempt.error.message();
    EXPECT_STREQ(attempt.error.field, c.field) << c.what;
    EXPECT_EQ(attempt.error.offset, c.offset) << c.what;
  }
}

TEST(CodecHostile, ErrorsNameTheFieldAndTheByte) {
  expect_errors<FindCoordinatorRequest>(
      0, {{"string cut", {0, 5, 'a', 'b'}, Errc::end_of_input, "key", 2},
          {"null string", {0xff, 0xff}, Errc::null_not_allowed, "key", 2},
          {"negative length", {0xff, 0xfe}, Errc::bad_length, "key", 2},
          {"nothing", {}, Errc::end_of_input, "key", 0}});
  expect_errors<FindCoordinatorRequest>(
      4, {{"null array", {0, 0}, Errc::null_not_allowed, "coordinator_keys", 2},
          {"null element", {0, 2, 0, 0}, Errc::null_not_allowed, "coordinator_keys", 3},
          {"count above what is left", {0, 4, 1, 1}, Errc::bad_count, "coordinator_keys", 2},
          {"endless varint",
           {0, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
           Errc::bad_varint,
           "coordinator_keys",
           1},
          {"varint above 32 bits",
           {0, 0xff, 0xff, 0xff, 0xff, 0x1f},
           Errc::bad_varint,
           "coordinator_keys",
           1},
          {"varint cut", {0, 0x80, 0x80}, Errc::end_of_input, "coordinator_keys", 1},
          {"tags missing", {0, 1}, Errc::end_of_input, "tags", 2},
          {"tag longer than the input", {0, 1, 1, 9, 2, 0}, Errc::end_of_input, "tagged field", 5},
          {"tag twice", {0, 1, 2, 9, 0, 9, 0}, Errc::bad_tag, "tag", 7},
          {"tags not ascending", {0, 1, 2, 9, 0, 8, 0}, Errc::bad_tag, "tag", 7}});
}

TEST(CodecHostile, TaggedFieldsFillTheirSizeExactly) {
  // ApiVersionsResponse v3: error, no keys, throttle; then the tags.
  const std::vector<int> start = {0, 0, 1, 0, 0, 0, 0};
  const auto with = [&](std::vector<int> tags) {
    std::vector<int> all = start;
    all.insert(all.end(), tags.begin(), tags.end());
    return all;
  };
  expect_errors<ApiVersionsResponse>(
      3, {{"epoch too short", with({1, 1, 7, 0, 0, 0, 0, 0, 0, 9, 9}), Errc::end_of_input,
           "finalized_features_epoch", 10},
          {"epoch too long", with({1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0}), Errc::bad_tag,
           "finalized_features_epoch", 18},
          {"array reaches out of its tag", with({1, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
           Errc::bad_count, "supported_features", 11}});
  ByteVector good;
  for (const int b : with({1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 9}))
    good.push_back(static_cast<std::byte>(b));
  wire::Reader reader(good);
  wire::Arena arena(1 << 20);
  ApiVersionsResponse out;
  ASSERT_TRUE(decode(reader, 3, arena, out));
  EXPECT_EQ(out.finalized_features_epoch, 9);
  EXPECT_TRUE(reader.expect_end());
}

TEST(CodecHostile, BytesAfterTheMessageAreTheCallersBusiness) {
  ByteVector bytes = encode_all(InitProducerIdResponse{}, 5);
  bytes.push_back(std::byte{1});
  wire::Reader reader(bytes);
  wire::Arena arena(1 << 20);
  InitProducerIdResponse out;
  EXPECT_TRUE(decode(reader, 5, arena, out));
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_FALSE(reader.expect_end("InitProducerId"));
  EXPECT_EQ(reader.error().code, Errc::trailing_bytes);
  EXPECT_EQ(reader.error().offset, bytes.size() - 1);
}

}  // namespace
}  // namespace tern::kafka::testing
