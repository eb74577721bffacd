// Every method and the content header: what is generated survives, at the size that was foretold,
// and nothing less than all of its bytes is taken for it.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/amqp/testing.h"

namespace tern::amqp::testing {
namespace {

constexpr std::size_t kRoomy = std::size_t{1} << 30;

// What became of one message of each method. Made by a template, looked at outside of it: gtest's
// macros once for every method would take a compiler minutes.
struct Trial {
  ByteVector payload;  // as encoded
  std::string error;   // of decoding it
  bool same = false;   // as before, when decoded
  ByteVector again;    // and encoded again
  std::string text, text_again;
};

template <class M>
Trial tried(const M& message, M out) {
  Trial trial;
  trial.payload = encode_all(message);
  trial.text = print(message);
  const auto error = decode_method(Bytes(trial.payload), {}, out);
  if (error) trial.error = error->message();
  trial.same = out == message;
  trial.again = encode_all(out);
  trial.text_again = print(out);
  return trial;
}

void look_at(const Trial& trial) {
  EXPECT_EQ(trial.error, "") << trial.text;
  EXPECT_TRUE(trial.same) << trial.text << "\n" << trial.text_again;
  EXPECT_EQ(trial.again, trial.payload) << trial.text;
  EXPECT_EQ(trial.text_again, trial.text);
}

// Decodes `payload` as an M.
template <class M>
std::optional<PayloadError> refused(const ByteVector& payload) {
  M out;
  return decode_method(Bytes(payload), {}, out);
}

TEST(RoundTrip, EveryMethod) {
  wire::Random random(60);
  AllMethods::for_each([&]<class M>() {
    for (int i = 0; i < 100; ++i) {
      wire::Arena arena(kRoomy);
      Generator generator(random, arena);
      look_at(tried(generator.method<M>(), M{}));
    }
  });
}

// One type for all, as each makes a dispatch table of its own.
struct NotingHandler {
  MethodId got{};
  std::string text = {};
  int calls = 0;
  template <class M>
  void operator()(const M& message) {
    ++calls;
    got = M::method.id;
    text = print(message);
  }
};

void through_dispatch(const Method& method, const ByteVector& payload, const std::string& text) {
  NotingHandler handler;
  EXPECT_FALSE(dispatch(Bytes(payload), {}, handler));
  EXPECT_EQ(handler.calls, 1) << method.name;
  EXPECT_EQ(handler.got, method.id);
  EXPECT_EQ(handler.text, text);
  EXPECT_EQ(print_method(Bytes(payload)), text);
}

TEST(RoundTrip, EveryMethodThroughTheDispatchTable) {
  wire::Random random(61);
  AllMethods::for_each([&]<class M>() {
    wire::Arena arena(kRoomy);
    Generator generator(random, arena);
    const M message = generator.method<M>();
    const ByteVector payload = encode_all(message);
    through_dispatch(M::method, payload, print(message));
  });
}

using Refuse = std::optional<PayloadError> (*)(const ByteVector& payload);

std::size_t cut_everywhere(const char* name, const ByteVector& payload, Refuse refuse) {
  for (std::size_t n = 0; n < payload.size(); ++n) {
    const auto error = refuse(prefix(payload, n));
    if (!error) {
      ADD_FAILURE() << name << " cut at " << n;
      continue;
    }
    EXPECT_NE(error->what.code, wire::Errc{});
    EXPECT_LE(error->what.offset, n);
    EXPECT_STREQ(error->name, n < 4 ? "" : name);
  }
  return payload.size();
}

TEST(RoundTrip, EveryPrefixOfEveryMethodIsRefused) {
  wire::Random random(62);
  std::size_t cuts = 0;
  AllMethods::for_each([&]<class M>() {
    for (int i = 0; i < 5; ++i) {
      wire::Arena arena(kRoomy);
      Generator generator(random, arena);
      cuts += cut_everywhere(M::method.name, encode_all(generator.method<M>()), &refused<M>);
    }
  });
  EXPECT_GT(cuts, 5000U);
}

void one_byte_too_many(const char* name, ByteVector payload, Refuse refuse) {
  payload.push_back(std::byte{0});
  const auto error = refuse(payload);
  ASSERT_TRUE(error) << name;
  EXPECT_EQ(error->what.code, wire::Errc::trailing_bytes);
  EXPECT_EQ(error->what.offset, payload.size() - 1);
  EXPECT_EQ(error->reply, ReplyErrc::syntax_error);
}

TEST(RoundTrip, OneByteTooManyIsRefused) {
  AllMethods::for_each(
      []<class M>() { one_byte_too_many(M::method.name, encode_all(M{}), &refused<M>); });
}

TEST(RoundTrip, OldContentOfTheTargetDoesNotShow) {
  wire::Random random(63);
  AllMethods::for_each([&]<class M>() {
    wire::Arena arena(kRoomy);
    Generator generator(random, arena);
    look_at(tried(M{}, generator.method<M>()));
  });
}

TEST(RoundTrip, ContentHeaders) {
  wire::Random random(64);
  for (int i = 0; i < 3000; ++i) {
    wire::Arena arena(kRoomy);
    Generator generator(random, arena);
    const ContentHeader header = generator.header();
    const ByteVector payload = encode_all(header);
    ContentHeader out;
    out.properties.content_type = "old";
    out.properties.priority = 3;
    const auto error = decode_header(Bytes(payload), {}, out);
    ASSERT_FALSE(error) << error->message() << "\n" << print(header.properties);
    ASSERT_TRUE(out == header) << print(header.properties) << "\n" << print(out.properties);
    ASSERT_EQ(encode_all(out), payload);
    if (i >= 200) continue;
    for (std::size_t n = 0; n < payload.size(); ++n) {
      const ByteVector cut = prefix(payload, n);
      ASSERT_TRUE(decode_header(Bytes(cut), {}, out)) << "cut at " << n;
    }
  }
}

TEST(RoundTrip, TablesFieldByField) {
  // What a reader sees, put into a builder again, gives the same bytes.
  wire::Random random(65);
  for (int i = 0; i < 3000; ++i) {
    wire::Arena arena(kRoomy);
    const Table table = Generator(random, arena).table();
    TableBuilder again;
    for (const Field field : table) again.add(field.name, field.value);
    ASSERT_TRUE(again.table());
    ASSERT_TRUE(*again.table() == table);
    ASSERT_EQ(encode_all(*again.table()), encode_all(table));
  }
}

void count_tags(const Value& value, std::map<Tag, int>& seen, unsigned depth, unsigned& deepest) {
  ++seen[value.tag()];
  deepest = std::max(deepest, depth);
  if (const auto table = value.table()) {
    for (const Field field : *table) count_tags(field.value, seen, depth + 1, deepest);
  }
  if (const auto array = value.array()) {
    for (const Value item : *array) count_tags(item, seen, depth + 1, deepest);
  }
}

TEST(RoundTrip, TheGeneratorReachesWhatMatters) {
  // Otherwise the tests above would prove less than they say.
  wire::Random random(66);
  std::map<Tag, int> seen;
  unsigned deepest = 0;
  bool twice = false, long_name = false, long_text = false, nothing_set = false, all_set = false;
  for (int i = 0; i < 20000; ++i) {
    wire::Arena arena(kRoomy);
    Generator generator(random, arena);
    const Table table = generator.table();
    std::set<std::string_view> names;
    for (const Field field : table) {
      twice |= !names.insert(field.name).second;
      long_name |= field.name.size() == 255;
      count_tags(field.value, seen, 1, deepest);
    }
    long_text |= generator.method<QueueDeclare>().queue.size() == 255;
    const BasicProperties properties = generator.header().properties;
    nothing_set |= properties == BasicProperties{};
    int set = 0;
    const std::string text = print(properties);
    for (const char* name :
         {"content_type:", "content_encoding:", "headers:", "delivery_mode:", "priority:",
          "correlation_id:", "reply_to:", "expiration:", "message_id:", "timestamp:", " type:",
          "user_id:", "app_id:", "cluster_id:"}) {
      set += text.find(name) != std::string::npos ? 1 : 0;
    }
    all_set |= set == 14;
  }
  EXPECT_EQ(seen.size(), 17U);  // every tag that is ever sent
  EXPECT_EQ(deepest, 4U);
  EXPECT_TRUE(twice && long_name && long_text && nothing_set && all_set);
}

}  // namespace
}  // namespace tern::amqp::testing
