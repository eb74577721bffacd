// From bytes to methods and messages: however the stream is cut, in memory that follows what comes.
#include "client/amqp/incoming.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/amqp/script_peer.h"

namespace tern::amqp::testing {
namespace {

// Notes all that comes; messages are kept, and looked at in the end.
struct Notes final : Incoming::Sink {
  std::vector<std::string> told;
  std::vector<std::pair<std::uint16_t, Content>> contents;
  std::uint16_t passed_over = 0;  // a channel
  std::uint16_t refused = 0;
  bool keep = true;

  bool on_method(std::uint16_t channel, wire::Bytes payload) override {
    told.push_back(std::to_string(channel) + " " + print_method(payload));
    return true;
  }
  bool on_content(std::uint16_t channel, Content content) override {
    told.push_back(text_of(channel, content));
    if (keep) contents.emplace_back(channel, std::move(content));
    return true;
  }
  bool on_protocol_header(const ProtocolHeader&) override {
    told.emplace_back("protocol header");
    return true;
  }
  Incoming::Take takes_content(std::uint16_t channel) override {
    if (channel == passed_over) return Incoming::Take::pass_over;
    return channel == refused ? Incoming::Take::refuse : Incoming::Take::yes;
  }
  static std::string text_of(std::uint16_t channel, const Content& content) {
    ContentHeader header;
    EXPECT_FALSE(decode_header(content.header, {}, header));
    EXPECT_EQ(header.body_size, content.body.size());
    return std::to_string(channel) + " " + print_method(content.method) + print(header.properties) +
           content.body.str();
  }
  // Those that are kept still are what they were.
  void look_again() const {
    std::size_t i = 0;
    for (const auto& [channel, content] : contents) {
      const std::string now = text_of(channel, content);
      for (; i < told.size() && told[i] != now;) ++i;
      ASSERT_LT(i, told.size()) << "a message has changed";
    }
  }
};

constexpr Incoming::Limits kLimits{4096, 100'000, 10'000'000};

// Feeds `bytes` in reads of at most `most()`; the text of the error, or nothing.
template <class Most>
std::string feed(Incoming& incoming, Notes& notes, std::string_view bytes, Most&& most) {
  while (!bytes.empty()) {
    const std::span<std::byte> space = incoming.read_space();
    if (space.empty()) {
      ADD_FAILURE() << "no room to read into";
      return "";
    }
    const std::size_t n = std::min({space.size(), bytes.size(), std::size_t{most()}});
    std::memcpy(space.data(), bytes.data(), n);
    bytes.remove_prefix(n);
    if (!incoming.on_read(n, notes)) return incoming.error().text;
  }
  return "";
}
std::string feed(Incoming& incoming, Notes& notes, std::string_view bytes) {
  return feed(incoming, notes, bytes, [] { return SIZE_MAX; });
}

std::string delivery(std::uint16_t channel, std::uint64_t tag, std::string_view body,
                     std::uint32_t frame_max = 4096) {
  BasicProperties properties;
  properties.content_type = "text/plain";
  return method_text(channel, BasicDeliver{"tag", tag, false, "exchange", "key"}) +
         content_text(channel, body, properties, frame_max);
}

class IncomingTest : public ::testing::Test {
 protected:
  IncomingTest() { incoming.reset(kLimits); }
  FramePool pool{0};
  Incoming incoming{pool};
  Notes notes;
};

TEST_F(IncomingTest, MessagesLieWhereTheyWereRead) {
  std::string stream;
  for (std::uint64_t i = 1; i <= 10; ++i) stream += delivery(1, i, "hello");
  EXPECT_EQ(feed(incoming, notes, stream), "");
  ASSERT_EQ(notes.contents.size(), 10U);
  const std::byte* const buffer = notes.contents[0].second.frame.data();
  for (const auto& [channel, content] : notes.contents) {
    EXPECT_EQ(content.body.view(), "hello");
    EXPECT_EQ(content.frame.data(), buffer);
  }
}

TEST_F(IncomingTest, EmptyBodiesHaveNoFrame) {
  EXPECT_EQ(feed(incoming, notes, delivery(1, 1, "") + delivery(1, 2, "x")), "");
  ASSERT_EQ(notes.contents.size(), 2U);
  EXPECT_TRUE(notes.contents[0].second.body.empty());
}

// All sorts of things on three channels, interleaved frame by frame.
std::string mixed_stream(sim::Rng& random) {
  std::vector<std::string> lanes(4);
  const auto add = [&](std::size_t lane, const std::string& frames) { lanes[lane] += frames; };
  for (std::uint64_t tag = 1; tag <= 12; ++tag) {
    const std::size_t lane = 1 + random.below(3);
    const std::size_t size = random.below(4) == 0 ? random.below(60'000) : random.below(300);
    std::string body(size, 'x');
    for (char& c : body) c = static_cast<char>(random.below(256));
    add(lane, delivery(static_cast<std::uint16_t>(lane), tag, body));
    add(lane, method_text(static_cast<std::uint16_t>(lane), BasicAck{tag, true}));
    add(0, tag % 3 == 0 ? std::string(kHeartbeatFrame)
                        : method_text(0, ConnectionBlocked{std::string_view("memory")}));
  }
  std::string out;
  for (;;) {
    std::size_t left = 0;
    for (const std::string& lane : lanes) left += lane.size();
    if (left == 0) return out;
    std::string& lane = lanes[random.below(4)];
    if (lane.empty()) continue;
    const std::size_t size =
        kFrameOverheadBytes +
        wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(lane.data()) + 3);
    out += lane.substr(0, size);
    lane.erase(0, size);
  }
}

TEST_F(IncomingTest, TheSameHoweverItIsCut) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    sim::Rng random(seed);
    const std::string stream = mixed_stream(random);
    Notes whole;
    incoming.reset(kLimits);
    ASSERT_EQ(feed(incoming, whole, stream), "");
    ASSERT_EQ(whole.contents.size(), 12U);
    whole.look_again();
    const std::uint64_t most = std::uint64_t{1} << random.below(17);
    Notes pieces;
    pieces.keep = random.below(2) == 0;
    incoming.reset(kLimits);
    ASSERT_EQ(feed(incoming, pieces, stream, [&] { return 1 + random.below(most); }), "");
    ASSERT_EQ(pieces.told, whole.told) << seed;
    pieces.look_again();
  }
}

TEST_F(IncomingTest, LargeBodiesInFramesOfAnySize) {
  incoming.reset({1U << 22, 100'000, 10'000'000});
  sim::Rng random(1);
  for (const std::uint32_t frame_max : {4096U, 5000U, 65'536U, 131'072U, 1'000'000U, 1U << 22}) {
    for (const std::size_t size : {0U, 1U, 4087U, 4088U, 4089U, 65'000U, 1'000'000U, 3'000'001U}) {
      std::string body(size, 'x');
      for (std::size_t i = 0; i < size; i += 97) body[i] = static_cast<char>(random.below(256));
      Notes got;
      const std::string stream = delivery(1, 1, body, frame_max) + delivery(2, 2, "next");
      const std::uint64_t most = 1 + random.below(300'000);
      ASSERT_EQ(feed(incoming, got, stream, [&] { return 1 + random.below(most); }), "");
      ASSERT_EQ(got.contents.size(), 2U);
      ASSERT_TRUE(got.contents[0].second.body.view() == body) << size << " in " << frame_max;
    }
  }
}

TEST_F(IncomingTest, LargeBodiesAreReadWhereTheyBelong) {
  incoming.reset({131'072, 100'000, 10'000'000});
  const std::string body(1'000'000, 'x');
  const std::string stream = delivery(1, 1, body, 131'072);
  std::size_t reads = 0;
  ASSERT_EQ(feed(incoming, notes, stream, [&] { return ++reads, SIZE_MAX; }), "");
  // One for each frame, and the first.
  EXPECT_LE(reads, 9U);
}

TEST_F(IncomingTest, LargeMethodsFit) {
  TableBuilder large;
  large.add("x", std::string(90'000, 'y'));
  const std::string stream =
      method_text(1, QueueDeclareOk{"q", 1, 2}) +
      method_text(1, QueueDeclare{.queue = "q", .arguments = *large.table()});
  std::uint32_t most = 1;
  for (; most < 100'000; most *= 3) {
    Notes got;
    ASSERT_EQ(feed(incoming, got, stream, [&] { return most; }), "");
    ASSERT_EQ(got.told.size(), 2U);
  }
}

TEST_F(IncomingTest, SizesThatAreOnlyAnnouncedTakeLittle) {
  incoming.reset({1U << 30, 1U << 30, std::uint64_t{1} << 40});
  const std::string header =
      frame_text(FrameType::header, 1, encode_all(ContentHeader{std::uint64_t{1} << 40, {}}));
  std::string stream = method_text(1, BasicDeliver{"tag", 1, false, "", ""}) + header;
  stream += std::string("\x03\x00\x01\x30\x00\x00\x00", 7) + std::string(100'000, 'x');
  EXPECT_EQ(feed(incoming, notes, stream), "");
  EXPECT_LT(pool.held_bytes(), 1'300'000U);
  // And as bytes come, it follows them.
  EXPECT_EQ(feed(incoming, notes, std::string(3'000'000, 'x')), "");
  EXPECT_LT(pool.held_bytes(), 9'000'000U);

  incoming.reset({4096, 1U << 30, 1});
  EXPECT_EQ(feed(incoming, notes, std::string("\x01\x00\x01\x30\x00\x00\x00", 7)), "");
  (void)incoming.read_space();
  EXPECT_LT(pool.held_bytes(), 200'000U);
}

TEST_F(IncomingTest, WhatIsWrongInAMessage) {
  const std::string deliver = method_text(1, BasicDeliver{"tag", 1, false, "e", "k"});
  const auto header = [](std::uint64_t size) {
    return frame_text(FrameType::header, 1, encode_all(ContentHeader{size, {}}));
  };
  const auto body = [](std::size_t size) {
    return frame_text(FrameType::body, 1, ByteVector(size));
  };
  ByteVector other_class = encode_all(ContentHeader{1, {}});
  other_class[1] = std::byte{61};
  const struct {
    std::string bytes;
    ReplyErrc reply;
  } cases[] = {
      {header(1), ReplyErrc::unexpected_frame},
      {body(1), ReplyErrc::unexpected_frame},
      {deliver + body(1), ReplyErrc::unexpected_frame},
      {deliver + deliver, ReplyErrc::unexpected_frame},
      {deliver + header(5) + method_text(1, BasicAck{1, false}), ReplyErrc::unexpected_frame},
      {deliver + header(5) + header(5), ReplyErrc::unexpected_frame},
      {deliver + header(5) + body(6), ReplyErrc::unexpected_frame},
      {deliver + header(5) + body(3) + body(3), ReplyErrc::unexpected_frame},
      {deliver + header(0) + body(1), ReplyErrc::unexpected_frame},
      {deliver + header(5) + body(4089), ReplyErrc::frame_error},
      {deliver + header(10'000'001), ReplyErrc::content_too_large},
      {deliver + frame_text(FrameType::header, 1, bytes({0, 60, 0, 0})), ReplyErrc::syntax_error},
      {deliver + frame_text(FrameType::header, 1, other_class), ReplyErrc::unexpected_frame},
      {method_text(9, BasicDeliver()), ReplyErrc::channel_error},
      {std::string("\x02\x00\x09\x00\x00\x00\x01\x00\xce", 9), ReplyErrc::channel_error},
      {std::string("\x03\x00\x09\x00\x00\x00\x01\x00\xce", 9), ReplyErrc::channel_error},
  };
  notes.refused = 9;
  std::size_t at = 0;
  for (const auto& each : cases) {
    for (const std::size_t most : {SIZE_MAX, std::size_t{1}}) {
      incoming.reset(kLimits);
      const std::string text = feed(incoming, notes, each.bytes, [&] { return most; });
      EXPECT_NE(text, "") << at;
      EXPECT_EQ(incoming.error().reply, each.reply) << at << ": " << text;
    }
    ++at;
  }
  EXPECT_EQ(notes.contents.size(), 2U);  // the one without a body, which was whole
}

TEST_F(IncomingTest, ABodyReadDirectlyHasToEndWell) {
  incoming.reset({131'072, 100'000, 10'000'000});
  std::string stream = delivery(1, 1, std::string(100'000, 'x'), 131'072);
  stream.back() = '\x00';
  EXPECT_NE(feed(incoming, notes, stream), "");
  EXPECT_EQ(incoming.error().reply, ReplyErrc::frame_error);
}

TEST_F(IncomingTest, MessagesForAChannelThatCloses) {
  notes.passed_over = 2;
  std::string stream = delivery(2, 1, std::string(50'000, 'x')) + delivery(1, 2, "a") +
                       delivery(2, 3, "") + method_text(2, ChannelCloseOk());
  EXPECT_EQ(feed(incoming, notes, stream, [] { return 1000U; }), "");
  ASSERT_EQ(notes.told.size(), 2U);
  EXPECT_EQ(notes.contents.size(), 1U);
  EXPECT_EQ(notes.told[1], "2 channel.close-ok{}");
}

}  // namespace
}  // namespace tern::amqp::testing
