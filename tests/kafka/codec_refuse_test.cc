// What the encoder must refuse: for every message, every version and every field, nested ones too.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <set>
#include <string>

#include "protocol/kafka/messages/all.h"
#include "tests/kafka/codec_testing.h"

namespace tern::kafka::testing {
namespace {

using wire::Errc;

// Calls `report(value, field name, expected error)` with every S that has exactly one fault.
template <class S>
using Report = std::function<void(const S&, const char*, Errc)>;

template <class S>
struct FaultVisitor {
  std::int16_t version;
  const Report<S>& report;

  template <class T>
  void with(const char* name, T S::* member, const T& bad, Errc expected) {
    S value;
    value.*member = bad;
    report(value, name, expected);
  }

  template <class T>
  void operator()(const char* name, T S::* member, wire::Spec spec) {
    if (!spec.in(version)) {
      if (!spec.may_be_ignored)
        with(name, member, other_than_default<T>(S{}.*member), Errc::not_in_version);
      return;
    }
    const bool nullable = spec.null_in(version);
    if constexpr (requires { T::null(); }) {
      if (!nullable) with(name, member, T::null(), Errc::null_not_allowed);
    }
    if constexpr (std::same_as<T, Text>) {
      with(name, member, T(std::string_view(too_long())), Errc::too_large);
    } else if constexpr (internal::is_array<T>) {
      nested_array(member);
    } else if constexpr (internal::is_struct<T> && internal::fixed_size<T> == 0 &&
                         !internal::is_blob<T>) {
      recurse<T>([&](const T& inner, const char* field, Errc expected) {
        S value;
        value.*member = inner;
        report(value, field, expected);
      });
    } else if constexpr (internal::is_optional<T>) {
      recurse<internal::element_of<T>>([&](const auto& inner, const char* field, Errc expected) {
        S value;
        value.*member = inner;
        report(value, field, expected);
      });
    }
  }

  template <class T>
  void nested_array(T S::* member) {
    using E = internal::element_of<T>;
    if constexpr (std::same_as<E, Text>) {
      const Text items[] = {"fine", Text::null()};
      S value;
      value.*member = T(items, 2);
      report(value, nullptr, Errc::null_not_allowed);
    } else if constexpr (internal::is_struct<E>) {
      recurse<E>([&](const E& inner, const char* field, Errc expected) {
        const E items[] = {E{}, inner};
        S value;
        value.*member = T(items, 2);
        report(value, field, expected);
      });
    }
  }

  template <class E>
  void recurse(const Report<E>& inner) {
    FaultVisitor<E> visitor{version, inner};
    E::describe(visitor);
  }

  static const std::string& too_long() {
    static const std::string text(32768, 'x');
    return text;
  }

  template <class T>
  static T other_than_default(const T& fresh) {
    if constexpr (std::same_as<T, bool>) {
      return !fresh;
    } else if constexpr (std::is_arithmetic_v<T>) {
      return static_cast<T>(fresh + (fresh > 0 ? -1 : 1));
    } else if constexpr (std::same_as<T, Uuid>) {
      return Uuid{{1}};
    } else if constexpr (internal::is_array<T>) {
      static const internal::element_of<T> one[1] = {};
      return T(one, 1);
    } else if constexpr (internal::is_optional<T>) {
      return T(internal::element_of<T>{});
    } else if constexpr (internal::is_struct<T>) {
      wire::Arena arena(1 << 20);
      Random random(1);
      T value;
      while (value == fresh) value = generate<T>(random, 1000, arena);
      return value;
    } else {
      return T("set");
    }
  }
};

TEST(CodecRefuse, EveryFaultOfEveryFieldInEveryVersion) {
  std::set<std::string> seen;
  int faults = 0;
  AllDescribed::for_each([&]<class M>() {
    for_each_version<M>([&](std::int16_t version) {
      const Report<M> report = [&](const M& message, const char* name, Errc expected) {
        const char* field = nullptr;
        const auto size = encoded_size(message, version, &field);
        ++faults;
        seen.insert(std::to_string(static_cast<int>(expected)));
        ASSERT_FALSE(size) << title<M>(version) << " took a bad " << (name ? name : "element");
        EXPECT_EQ(size.error(), expected) << title<M>(version) << " " << size.error().message();
        ASSERT_NE(field, nullptr);
        if (name != nullptr) {
          EXPECT_STREQ(field, name) << title<M>(version);
        }
      };
      FaultVisitor<M> visitor{version, report};
      M::describe(visitor);
    });
  });
  EXPECT_GT(faults, 500);
  EXPECT_EQ(seen.size(), 3U);  // null, too long, not in this version: all three kinds came up
}

TEST(CodecRefuse, ExamplesByHand) {
  const char* field = nullptr;
  MetadataRequest all_topics;
  all_topics.topics = wire::null;
  EXPECT_EQ(encoded_size(all_topics, 0, &field).error(), Errc::null_not_allowed);
  EXPECT_STREQ(field, "topics");
  EXPECT_TRUE(encoded_size(all_topics, 1));

  MetadataRequest no_creation;
  no_creation.allow_auto_topic_creation = false;
  EXPECT_EQ(encoded_size(no_creation, 3, &field).error(), Errc::not_in_version);
  EXPECT_STREQ(field, "allow_auto_topic_creation");
  EXPECT_TRUE(encoded_size(no_creation, 4));

  const Text two[] = {"a", "b"};
  FindCoordinatorRequest many;
  many.coordinator_keys = Array<Text>(two, 2);
  EXPECT_EQ(encoded_size(many, 3).error(), Errc::not_in_version);
  EXPECT_TRUE(encoded_size(many, 4));

  // Ignorable: dropped without a word.
  FetchRequest rack;
  rack.rack_id = "r1";
  EXPECT_TRUE(encoded_size(rack, 10));
}

TEST(CodecRefuse, LongestStringStillGoes) {
  const std::string longest(32767, 'x');
  FindCoordinatorRequest request;
  request.key = longest;
  for (std::int16_t version : {std::int16_t{0}, std::int16_t{3}}) {
    const ByteVector bytes = encode_all(request, version);
    wire::Reader reader(bytes);
    wire::Arena arena(1 << 20);
    FindCoordinatorRequest out;
    ASSERT_TRUE(decode(reader, version, arena, out));
    EXPECT_EQ(out.key.view(), longest);
  }
}

TEST(CodecRefuse, VersionsThatDoNotExist) {
  AllDescribed::for_each([]<class M>() {
    for (const int version : {-1, M::api.versions.min - 1, M::api.versions.max + 1, 0x7fff}) {
      const auto v = static_cast<std::int16_t>(version);
      EXPECT_EQ(encoded_size(M{}, v).error(), Errc::unsupported_version);
      const ByteVector bytes(100);
      wire::Reader reader(bytes);
      wire::Arena arena(1 << 20);
      M out;
      EXPECT_FALSE(decode(reader, v, arena, out));
      EXPECT_EQ(reader.error().code, Errc::unsupported_version);
    }
  });
}

TEST(CodecRefuse, TotalAboveWhatALengthCanSay) {
  // Only the size is looked at: the bytes need not exist.
  const char byte = 'x';
  const std::size_t half = std::size_t{1} << 30;
  ProduceRequest::PartitionProduceData partitions[2];
  for (auto& p : partitions) p.records = wire::Records(std::string_view(&byte, half));
  ProduceRequest::TopicProduceData topic;
  topic.partition_data = {partitions, 2};
  ProduceRequest request;
  request.topic_data = {&topic, 1};
  EXPECT_EQ(encoded_size(request, 9).error(), Errc::too_large);
  topic.partition_data = {partitions, 1};
  EXPECT_TRUE(encoded_size(request, 9));
  partitions[0].records = wire::Records(std::string_view(&byte, 3 * half));
  const char* field = nullptr;
  EXPECT_EQ(encoded_size(request, 9, &field).error(), Errc::too_large);
  EXPECT_STREQ(field, "records");
}

}  // namespace
}  // namespace tern::kafka::testing
