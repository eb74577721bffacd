// What members of a group embed for each other: bytes as other clients write them, versions from
// the future and from the past, and bytes that lie. (Bytes of the Java client: golden_test.)
#include "protocol/kafka/messages/consumer_protocol.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "tests/kafka/codec_testing.h"

namespace tern::kafka::testing {
namespace {

using wire::Errc;

ByteVector bytes_of(std::initializer_list<int> values) {
  ByteVector bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

template <class M>
ByteVector written(const M& message) {
  ByteVector bytes(*embedded_size(message));
  wire::Writer writer(bytes);
  encode_embedded(message, writer);
  EXPECT_EQ(writer.position(), bytes.size());
  return bytes;
}

// Keeps what a decoded message points into.
template <class M>
struct Read {
  ByteVector bytes;
  wire::Arena arena;
  wire::Reader reader;
  M message;
  bool ok;

  explicit Read(ByteVector in)
      : bytes(std::move(in)), arena(wire::Arena::limit_for(bytes.size())), reader(bytes) {
    ok = decode_embedded(reader, arena, message);
  }
};

// Topics "a" and "bc", user data 0xff, owned: 0 and 3 of "a"; generation 5, rack "r".
const std::initializer_list<int> kNewest = {0, 3,                                       // version
                                            0, 0, 0,  2, 0,    1, 'a', 0, 2, 'b', 'c',  // topics
                                            0, 0, 0,  1, 0xff,                          // user_data
                                            0, 0, 0,  1, 0,    1, 'a', 0, 0, 0,   2,
                                            0, 0, 0,  0, 0,    0, 0,   3,  // owned
                                            0, 0, 0,  5,                   // generation_id
                                            0, 1, 'r'};                    // rack_id
constexpr std::size_t kEndOf[] = {18, 37, 41, 44};  // where the fields of each version end

TEST(ConsumerProtocol, WritesTheNewestVersion) {
  const Text topics[] = {"a", "bc"};
  const std::int32_t partitions[] = {0, 3};
  const ConsumerProtocolSubscription::TopicPartition owned[] = {{"a", {partitions, 2}}};
  ConsumerProtocolSubscription message;
  message.topics = {topics, 2};
  message.user_data = "\xff";
  message.owned_partitions = {owned, 1};
  message.generation_id = 5;
  message.rack_id = "r";
  EXPECT_EQ(written(message), bytes_of(kNewest));
  EXPECT_TRUE(Read<ConsumerProtocolSubscription>(bytes_of(kNewest)).message == message);

  ConsumerProtocolAssignment assignment;
  assignment.assigned_partitions = {};
  EXPECT_EQ(written(assignment), bytes_of({0, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}));
}

TEST(ConsumerProtocol, OlderVersionsLackFields) {
  for (int version = 0; version <= 3; ++version) {
    ByteVector bytes = bytes_of(kNewest);
    bytes.resize(kEndOf[version]);
    bytes[1] = static_cast<std::byte>(version);
    const Read<ConsumerProtocolSubscription> read(bytes);
    ASSERT_TRUE(read.ok) << version << " " << read.reader.error().message();
    EXPECT_EQ(read.reader.remaining(), 0U);
    ASSERT_EQ(read.message.topics.size(), 2U);
    EXPECT_EQ(read.message.topics[1].view(), "bc");
    EXPECT_EQ(read.message.user_data.view(), "\xff");
    EXPECT_EQ(read.message.owned_partitions.size(), version >= 1 ? 1U : 0U);
    EXPECT_EQ(read.message.generation_id, version >= 2 ? 5 : -1);
    EXPECT_EQ(read.message.rack_id.is_null(), version < 3);
  }
}

TEST(ConsumerProtocol, AnOlderMemberReadsWhatANewerOneWrote) {
  // Not by us, but it is why we may always write the newest version: it takes what it knows.
  for (std::int16_t version = 0; version <= 3; ++version) {
    const ByteVector bytes = bytes_of(kNewest);
    wire::Reader reader(std::span<const std::byte>(bytes).subspan(2));
    wire::Arena arena(1 << 16);
    ConsumerProtocolSubscription message;
    ASSERT_TRUE(decode(reader, version, arena, message));
    EXPECT_EQ(reader.position() + 2, kEndOf[version]);
  }
}

TEST(ConsumerProtocol, LaterVersionsAreReadAsTheNewestKnown) {
  for (const int version : {0x0004, 0x0100, 0x7fff}) {
    ByteVector bytes = bytes_of(kNewest);
    bytes[0] = static_cast<std::byte>(version >> 8);
    bytes[1] = static_cast<std::byte>(version & 0xff);
    bytes.insert(bytes.end(), 5, std::byte{7});  // fields that we do not know
    const Read<ConsumerProtocolSubscription> read(bytes);
    ASSERT_TRUE(read.ok) << version << " " << read.reader.error().message();
    EXPECT_EQ(read.reader.remaining(), 5U);
    EXPECT_EQ(read.message.generation_id, 5);
    EXPECT_EQ(read.message.rack_id.view(), "r");
  }
  // Later, but without what every version since the newest known has to have.
  ByteVector cut = bytes_of(kNewest);
  cut[1] = std::byte{9};
  cut.resize(cut.size() - 3);
  const Read<ConsumerProtocolSubscription> read(cut);
  EXPECT_FALSE(read.ok);
  EXPECT_STREQ(read.reader.error().field, "rack_id");
}

template <class M>
void expect_error(const char* what, const ByteVector& bytes, Errc code, const char* field) {
  const Read<M> read(bytes);
  ASSERT_FALSE(read.ok) << what;
  EXPECT_EQ(read.reader.error().code, code) << what << ": " << read.reader.error().message();
  EXPECT_STREQ(read.reader.error().field, field) << what;
}

TEST(ConsumerProtocol, BytesThatLieAreErrors) {
  using S = ConsumerProtocolSubscription;
  using A = ConsumerProtocolAssignment;
  expect_error<S>("nothing", {}, Errc::end_of_input, "version");
  expect_error<S>("half a version", bytes_of({0}), Errc::end_of_input, "version");
  expect_error<S>("a version and no more", bytes_of({0, 0}), Errc::end_of_input, "topics");
  expect_error<S>("a version below zero", bytes_of({0xff, 0xff, 0, 0, 0, 0}),
                  Errc::unsupported_version, "ConsumerProtocolSubscription");
  expect_error<A>("the smallest version", bytes_of({0x80, 0, 0, 0, 0, 0}),
                  Errc::unsupported_version, "ConsumerProtocolAssignment");
  expect_error<S>("null topics", bytes_of({0, 0, 0xff, 0xff, 0xff, 0xff}), Errc::null_not_allowed,
                  "topics");
  expect_error<S>("more topics than bytes", bytes_of({0, 0, 0, 0, 0, 9, 0, 0, 0, 0}),
                  Errc::bad_count, "topics");
  expect_error<S>("two thousand million topics", bytes_of({0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0}),
                  Errc::bad_count, "topics");
  expect_error<S>("a null topic", bytes_of({0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0}),
                  Errc::null_not_allowed, "topics");
  expect_error<S>("user data cut", bytes_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1}), Errc::end_of_input,
                  "user_data");
  expect_error<S>("user data of a negative length",
                  bytes_of({0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe}), Errc::bad_length,
                  "user_data");
  // As some clients wrote version 1: without what makes it version 1.
  expect_error<S>("no owned partitions in version 1",
                  bytes_of({0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}), Errc::end_of_input,
                  "owned_partitions");
  expect_error<A>("null partitions", bytes_of({0, 1, 0xff, 0xff, 0xff, 0xff}),
                  Errc::null_not_allowed, "assigned_partitions");
  expect_error<A>("more partitions than bytes",
                  bytes_of({0, 1, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2}),
                  Errc::bad_count, "partitions");
  expect_error<A>("no user data", bytes_of({0, 0, 0, 0, 0, 0}), Errc::end_of_input, "user_data");
}

TEST(ConsumerProtocol, EveryPrefixAndEveryVersionOfItIsRefused) {
  const ByteVector whole = bytes_of(kNewest);
  for (const int version : {3, 4, 0x7f}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      ByteVector cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
      if (n >= 2) cut[1] = static_cast<std::byte>(version);
      EXPECT_FALSE(Read<ConsumerProtocolSubscription>(cut).ok) << version << " cut at " << n;
    }
  }
}

TEST(ConsumerProtocol, WhatCannotBeWritten) {
  const char* field = nullptr;
  ConsumerProtocolSubscription no_topics;
  no_topics.topics = wire::null;
  EXPECT_EQ(embedded_size(no_topics, &field).error(), Errc::null_not_allowed);
  EXPECT_STREQ(field, "topics");
  const std::string long_name(40000, 'x');
  const Text names[] = {long_name};
  ConsumerProtocolSubscription too_long;
  too_long.topics = {names, 1};
  EXPECT_EQ(embedded_size(too_long).error(), Errc::too_large);
}

}  // namespace
}  // namespace tern::kafka::testing
