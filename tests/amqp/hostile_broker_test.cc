// A broker that breaks the rules on a connection in use: one error with its story, the broker is
// told what it did (once), everything that waited ends, and no more memory is taken than the bytes
// that came are worth.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "client/amqp/engine.h"
#include "tests/amqp/engine_rig.h"

namespace {
std::size_t allocated_bytes = 0;
}

// What this program allocates is counted; there is one thread.
void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace tern::amqp::testing {
namespace {

constexpr char kPassword[] = "hunter2";
// The connection's buffers, the story of the error, and whatever the test itself notes.
constexpr std::size_t kRoom = 512 * 1024;

std::string header_text(const ByteVector& payload) {
  return frame_text(FrameType::header, 1, payload);
}
std::string header_of(std::uint64_t body_size) {
  return header_text(encode_all(ContentHeader{body_size, {}}));
}
std::string body_text(std::size_t size) { return frame_text(FrameType::body, 1, ByteVector(size)); }

// A header whose property `headers` is the first `content` of a table that says it has `says`.
std::string header_with_table(std::uint32_t says, const std::string& content) {
  ByteVector payload = encode_all(ContentHeader{1, {}});
  payload[12] = std::byte{0x20};
  const auto add = [&](std::uint32_t byte) { payload.push_back(static_cast<std::byte>(byte)); };
  for (int shift = 24; shift >= 0; shift -= 8) add(says >> shift & 0xff);
  for (const char c : content) add(static_cast<unsigned char>(c));
  return header_text(payload);
}

// Tables in tables, each of which holds all the rest.
std::string deep_table(std::size_t bytes) {
  std::string out;
  while (out.size() + 7 <= bytes) {
    const std::size_t rest = bytes - out.size() - 7;
    out += std::string(
        "\x01"
        "aF");
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(rest >> shift & 0xff);
  }
  out.resize(bytes);
  return out;
}

class HostileBroker : public ::testing::Test {
 protected:
  HostileBroker() {
    rig.config.credentials.password = kPassword;
    rig.config.frame_max = 4096;
  }
  EngineRig rig;
};

TEST_F(HostileBroker, EveryLieEndsTheConnectionOnce) {
  const std::string deliver = method_text(1, BasicDeliver{"t", 1, false, "e", "k"});
  const std::string bomb = deep_table(60'000);
  std::string flags = "\x80\x01";
  for (int i = 0; i < 100; ++i) flags += "\xff\xff";
  const struct {
    std::string bytes;
    int code;  // that the broker is told
    const char* words;
  } cases[] = {
      {header_of(1), 505, "header"},
      {body_text(1), 505, "body"},
      {deliver + body_text(1), 505, "body"},
      {deliver + deliver, 505, "method"},
      {deliver + header_of(5) + body_text(6), 505, "body"},
      {deliver + header_of(5) + body_text(3) + body_text(3), 505, "body"},
      {deliver + header_of(5'000) + body_text(4'089), 501, "frame size"},
      {deliver + header_of(UINT64_MAX), 311, "body"},
      {deliver + header_text(bytes({0, 60, 0, 0})), 502, "header"},
      {deliver + header_with_table(0xffffffff,
                                   "\x01"
                                   "aV"),
       502, "headers"},
      {deliver + header_with_table(3,
                                   "\x05"
                                   "aV"),
       502, "headers"},
      {deliver + header_with_table(8, std::string("\x01"
                                                  "aS\x80\x00\x00\x00z",
                                                  8)),
       502, "headers"},
      {deliver + header_with_table(4,
                                   "\x01"
                                   "aU\x01"),
       502, "headers"},
      {deliver + header_with_table(static_cast<std::uint32_t>(bomb.size()), bomb), 502, "deep"},
      {method_text(1, BasicDeliver{"nobody", 1, false, "e", "k"}) + content_text(1, "x"), 0, ""},
      {method_text(1, BasicDeliver{"t", 0, false, "e", "k"}) + content_text(1, "x"), 503, "0"},
      {method_text(2, BasicReturn{312, "NO_ROUTE", "e", "k"}) + content_text(2, "x"), 504,
       "channel 2"},
      {std::string("\x01\x00\x01\xff\xff\xff\xff", 7), 501, "frame size"},
  };
  std::size_t number = 0;
  for (const auto& each : cases) {
    SCOPED_TRACE(number++);
    rig.destroy();
    rig.peer.sessions.remove_if([](const auto& session) { return session.closed; });
    rig.peer.said.clear();
    const auto channel = rig.open_channel();
    std::vector<Failure> lost;
    rig.engine().on_lost([&](const Failure& why) { lost.push_back(why); });
    ASSERT_FALSE(rig.connect());
    ASSERT_TRUE(rig.run_until([&] { return channel->state() == ChannelCore::State::open; }));
    std::shared_ptr<ConsumerCore> consumer;
    rig.engine();
    channel->consume({.queue = "q", .consumer_tag = "t"},
                     [&](const Failure& why, const auto& given) {
                       EXPECT_FALSE(why);
                       consumer = given;
                     });
    ASSERT_TRUE(rig.run_until([&] { return consumer != nullptr; }));
    Ending published, waited;
    rig.engine();
    EXPECT_FALSE(channel->publish({}, {.body = "m"}, published.note()));
    consumer->next([&](const Failure& why, const Delivered&) { waited.note()(why); });
    rig.run_for(seconds(1));
    const std::size_t before = allocated_bytes;
    rig.peer.last().send(each.bytes);
    if (each.code == 0) {  // a consumer that was cancelled may still get something
      rig.run_for(seconds(1));
      EXPECT_TRUE(lost.empty());
      EXPECT_EQ(waited.endings, 0);
      continue;
    }
    EXPECT_TRUE(rig.run_until([&] { return !lost.empty(); }, seconds(10)));
    EXPECT_LT(allocated_bytes - before, kRoom + 8 * each.bytes.size());
    rig.run_for(seconds(100));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].code, ClientErrc::protocol_violation);
    says(lost[0], each.words);
    says(lost[0], "peer:5672");
    EXPECT_EQ(lost[0].message().find(kPassword), std::string::npos);
    EXPECT_EQ(rig.peer.times_said("connection.close{reply_code: " + std::to_string(each.code)), 1U)
        << rig.peer.said.back();
    EXPECT_EQ(rig.peer.times_said("connection.close{"), 1U);
    EXPECT_EQ(published.endings, 1);
    EXPECT_EQ(published.failure.code, ClientErrc::maybe_written);
    EXPECT_EQ(waited.endings, 1);
    EXPECT_EQ(channel->state(), ChannelCore::State::closed);
  }
}

// Frames that nobody asked for, without end: none of them is kept.
TEST_F(HostileBroker, FloodsAreNotKept) {
  std::string flood;
  for (int i = 0; i < 5'000; ++i) {
    flood += method_text(static_cast<std::uint16_t>(2 + i), BasicDeliver{"t", 1, false, "e", "k"}) +
             content_text(static_cast<std::uint16_t>(2 + i), "x");
  }
  Failure lost;
  rig.engine().on_lost([&](const Failure& why) { lost = why; });
  ASSERT_FALSE(rig.connect());
  rig.peer.last().send(flood);
  const std::size_t before = allocated_bytes;
  EXPECT_TRUE(rig.run_until([&] { return static_cast<bool>(lost); }, seconds(10)));
  EXPECT_LT(allocated_bytes - before, kRoom);
  EXPECT_EQ(lost.code, ClientErrc::protocol_violation);
}

// The same before anybody is logged in, when nothing is agreed on yet.
TEST_F(HostileBroker, LiesInTheHandshake) {
  const std::string bomb = deep_table(3'900);
  ByteVector start = encode_all(ConnectionStart());
  // Its table: after class, method and two octets.
  start.resize(10);
  start[6] = start[7] = std::byte{0};
  start[8] = static_cast<std::byte>(bomb.size() >> 8);
  start[9] = static_cast<std::byte>(bomb.size() & 0xff);
  for (const char c : bomb) start.push_back(static_cast<std::byte>(c));
  start.resize(start.size() + 8);  // no mechanisms, no locales
  const struct {
    std::string bytes;
    ClientErrc code;
    const char* words;
  } cases[] = {
      {frame_text(FrameType::method, 0, start), ClientErrc::protocol_violation, "deep"},
      {frame_text(FrameType::method, 0, bytes({0, 10, 0, 10, 0, 9})),
       ClientErrc::protocol_violation, "connection.start"},
      {method_text(0, ConnectionTune{1, 4'096, 0}), ClientErrc::protocol_violation, "out of turn"},
      // Whoever begins like that is somebody else.
      {std::string("\x01\x00\x00\xff\xff\xff\xff", 7), ClientErrc::not_the_protocol, "frame size"},
      {method_text(1, BasicDeliver{"t", 1, false, "e", "k"}), ClientErrc::not_the_protocol,
       "channel 1"},
      {frame_text(FrameType::body, 0, ByteVector(10)), ClientErrc::not_the_protocol,
       "frame channel"},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.words);
    rig.destroy();
    rig.peer.greets = false;
    rig.peer.on_data = [&each](ScriptPeer::Session& session) {
      if (session.in.empty()) return;
      session.in.clear();
      session.send(each.bytes);
    };
    (void)rig.engine();
    const std::size_t before = allocated_bytes;
    const Failure why = rig.connect();
    EXPECT_LT(allocated_bytes - before, kRoom + 8 * each.bytes.size());
    EXPECT_EQ(why.code, each.code) << why.message();
    says(why, each.words);
    EXPECT_EQ(why.message().find(kPassword), std::string::npos);
  }
}

}  // namespace
}  // namespace tern::amqp::testing
