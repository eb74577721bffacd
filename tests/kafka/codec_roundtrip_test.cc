// Every message in every version: what is generated survives, and nothing less than all of its
// bytes is taken for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/kafka/messages/all.h"
#include "tests/kafka/codec_testing.h"
#include "tests/kafka/slow_encoder.h"

namespace tern::kafka::testing {
namespace {

constexpr std::size_t kRoomy = std::size_t{1} << 30;

// Puts flat bytes and splices together again, as a gathered write would.
template <class M>
ByteVector encode_spliced(const M& message, std::int16_t version) {
  const auto size = encoded_size(message, version);
  ByteVector flat(size->total - size->spliced);
  std::vector<wire::Splice> splices(size->splices);
  wire::Writer writer(flat, splices);
  encode(message, version, writer);
  EXPECT_EQ(writer.position(), flat.size());
  EXPECT_EQ(writer.splices_used(), splices.size());
  ByteVector whole;
  std::size_t done = 0;
  for (const wire::Splice& splice : splices) {
    whole.insert(whole.end(), flat.begin() + static_cast<std::ptrdiff_t>(done),
                 flat.begin() + static_cast<std::ptrdiff_t>(splice.at));
    const auto data = splice.data.span();
    whole.insert(whole.end(), data.begin(), data.end());
    done = splice.at;
  }
  whole.insert(whole.end(), flat.begin() + static_cast<std::ptrdiff_t>(done), flat.end());
  return whole;
}

template <class M>
void expect_prefixes_refused(const ByteVector& bytes, std::int16_t version) {
  wire::Arena arena(kRoomy);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    // An allocation of its own, so that a sanitizer sees a read past the end.
    const ByteVector prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    wire::Reader reader(prefix);
    arena.reset();
    M out;
    ASSERT_FALSE(decode(reader, version, arena, out)) << title<M>(version) << " cut at " << n;
    ASSERT_NE(reader.error().code, wire::Errc{});
    ASSERT_LE(reader.error().offset, n);
  }
}

TEST(CodecRoundTrip, EveryMessageInEveryVersion) {
  Random random(20);
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      for (int i = 0; i < 30; ++i) {
        wire::Arena made(kRoomy);
        const M message = generate<M>(random, version, made, {.max_text = 3000});
        const ByteVector bytes = encode_all(message, version);
        ASSERT_EQ(bytes, SlowEncoder(version, M::api.flexible(version)).encode(message))
            << title<M>(version) << " " << print(message, version);
        ASSERT_EQ(encode_spliced(message, version), bytes) << title<M>(version);

        wire::Reader reader(bytes);
        wire::Arena arena(wire::Arena::limit_for(bytes.size()));
        M out;
        ASSERT_TRUE(decode(reader, version, arena, out))
            << title<M>(version) << ": " << reader.error().message();
        ASSERT_TRUE(reader.expect_end()) << title<M>(version);
        ASSERT_TRUE(out == message) << title<M>(version) << "\n"
                                    << print(message, version) << "\n"
                                    << print(out, version);
        ASSERT_EQ(encode_all(out, version), bytes) << title<M>(version);
      }
    });
  });
}

TEST(CodecRoundTrip, EveryPrefixIsRefused) {
  Random random(21);
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      for (int i = 0; i < 4; ++i) {
        wire::Arena made(kRoomy);
        const M message = generate<M>(random, version, made);
        expect_prefixes_refused<M>(encode_all(message, version), version);
      }
    });
  });
}

TEST(CodecRoundTrip, DefaultsAlwaysEncode) {
  AllDescribed::for_each([]<class M>() {
    for_each_version<M>([](std::int16_t version) {
      const ByteVector bytes = encode_all(M{}, version);
      wire::Reader reader(bytes);
      wire::Arena arena(wire::Arena::limit_for(bytes.size()));
      M out;
      ASSERT_TRUE(decode(reader, version, arena, out)) << title<M>(version);
      ASSERT_TRUE(out == M{});
      ASSERT_EQ(arena.reserved_bytes(), 0U);
      // The smallest that the checks of counts assume is never above what is really written.
      ASSERT_LE((internal::min_size<M>(version, M::api.flexible(version))), bytes.size() + 1);
    });
  });
}

TEST(CodecRoundTrip, OldContentOfTheTargetDoesNotShow) {
  Random random(22);
  AllDescribed::for_each([&]<class M>() {
    wire::Arena made(kRoomy);
    const std::int16_t newest = M::api.versions.max;
    M target = generate<M>(random, newest, made);
    const std::int16_t oldest = M::api.versions.min;
    const ByteVector bytes = encode_all(M{}, oldest);
    wire::Reader reader(bytes);
    wire::Arena arena(kRoomy);
    ASSERT_TRUE(decode(reader, oldest, arena, target));
    ASSERT_TRUE(target == M{}) << title<M>(oldest);
  });
}

TEST(CodecRoundTrip, UnknownTaggedFieldsAreSkipped) {
  Random random(23);
  int flexible_versions = 0;
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      if (!M::api.flexible(version)) return;
      ++flexible_versions;
      for (int i = 0; i < 10; ++i) {
        wire::Arena made(kRoomy);
        const M message = generate<M>(random, version, made);
        SlowEncoder encoder(version, true);
        encoder.add_unknown_tags();
        const ByteVector bytes = encoder.encode(message);
        ASSERT_GT(bytes.size(), encode_all(message, version).size());
        wire::Reader reader(bytes);
        wire::Arena arena(kRoomy);
        M out;
        ASSERT_TRUE(decode(reader, version, arena, out))
            << title<M>(version) << ": " << reader.error().message();
        ASSERT_TRUE(reader.expect_end());
        ASSERT_TRUE(out == message) << title<M>(version);
      }
    });
  });
  EXPECT_GT(flexible_versions, 80);
}

TEST(CodecRoundTrip, TheGeneratorReachesWhatMatters) {
  // Otherwise the tests above would prove less than they say.
  Random random(24);
  bool null_records = false, empty_records = false, tags = false, long_text = false;
  for (int i = 0; i < 300; ++i) {
    wire::Arena made(kRoomy);
    const auto response = generate<FetchResponse>(random, 18, made);
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) {
        null_records |= partition.records.is_null();
        empty_records |= !partition.records.is_null() && partition.records.empty();
        tags |= partition.current_leader.leader_id != -1;
      }
    }
    const auto metadata = generate<MetadataResponse>(random, 13, made);
    for (const auto& broker : metadata.brokers) long_text |= broker.host.size() > 127;
  }
  EXPECT_TRUE(null_records && empty_records && tags && long_text);
}

TEST(CodecRoundTrip, DispatchByKeyAndDirection) {
  std::string seen;
  const auto name = [&]<class M>() { seen = title<M>(0); };
  EXPECT_TRUE(with_message(3, Direction::request, name));
  EXPECT_EQ(seen, "MetadataRequest v0");
  EXPECT_TRUE(with_message(3, Direction::response, name));
  EXPECT_EQ(seen, "MetadataResponse v0");
  EXPECT_FALSE(with_message(999, Direction::request, name));
}

}  // namespace
}  // namespace tern::kafka::testing
