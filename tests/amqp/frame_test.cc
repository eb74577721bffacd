// The splitter and what puts frames around payloads.
#include <gtest/gtest.h>

#include "protocol/wire/random.h"
#include "tests/amqp/testing.h"

namespace tern::amqp::testing {
namespace {

using wire::Errc;
using From = FrameSplitter::From;
using Kind = Split::Kind;

ByteVector frame(int type, int channel, std::string_view payload, int end = kFrameEnd) {
  const auto size = static_cast<int>(payload.size());
  ByteVector out = bytes({type, channel >> 8, channel & 0xff, size >> 24, size >> 16 & 0xff,
                          size >> 8 & 0xff, size & 0xff});
  append(out, bytes(payload));
  out.push_back(static_cast<std::byte>(end));
  return out;
}

const std::string kTxSelect("\x00\x5a\x00\x0a", 4);

TEST(Splitter, FramesOneByOne) {
  ByteVector input = frame(1, 0x0102, kTxSelect);
  const std::size_t first = input.size();
  append(input, frame(3, 7, ""));
  append(input, bytes(kHeartbeatFrame));
  FrameSplitter splitter(From::server);
  std::span<const std::byte> left(input);

  Split split = splitter.next(left);
  ASSERT_EQ(split.kind, Kind::frame);
  EXPECT_EQ(split.size, first);
  EXPECT_EQ(split.frame.type, FrameType::method);
  EXPECT_EQ(split.frame.channel, 0x0102);
  EXPECT_EQ(split.frame.payload.view(), kTxSelect);
  EXPECT_EQ(static_cast<const void*>(split.frame.payload.data()), input.data() + 7);  // no copy
  left = left.subspan(split.size);

  split = splitter.next(left);
  ASSERT_EQ(split.kind, Kind::frame);
  EXPECT_EQ(split.frame.type, FrameType::body);
  EXPECT_TRUE(split.frame.payload.empty());
  left = left.subspan(split.size);

  split = splitter.next(left);
  ASSERT_EQ(split.kind, Kind::frame);
  EXPECT_EQ(split.frame.type, FrameType::heartbeat);
  left = left.subspan(split.size);
  split = splitter.next(left);
  EXPECT_EQ(split.kind, Kind::need_more);
  EXPECT_EQ(split.size, kFrameHeaderBytes);
}

TEST(Splitter, SaysHowMuchItNeeds) {
  const ByteVector input = frame(3, 1, std::string(1000, 'b'));
  for (std::size_t n = 0; n < input.size(); ++n) {
    FrameSplitter splitter(From::server);
    const ByteVector cut = prefix(input, n);
    const Split split = splitter.next(cut);
    ASSERT_EQ(split.kind, Kind::need_more);
    ASSERT_EQ(split.size, n < kFrameHeaderBytes ? kFrameHeaderBytes : 1008U) << n;
  }
}

TEST(Splitter, ClientsBeginWithAProtocolHeader) {
  FrameSplitter splitter(From::client);
  const ByteVector hello = bytes(kProtocolHeader);
  for (std::size_t n = 0; n < hello.size(); ++n) {
    const Split split = splitter.next(prefix(hello, n));
    EXPECT_EQ(split.kind, Kind::need_more);
    EXPECT_EQ(split.size, 8U);
  }
  const Split split = splitter.next(hello);
  ASSERT_EQ(split.kind, Kind::protocol_header);
  EXPECT_EQ(split.size, 8U);
  EXPECT_EQ(split.protocol, kProtocol091);
  EXPECT_EQ(splitter.next(frame(1, 0, kTxSelect)).kind, Kind::frame);
  // Once is enough: a second one is no frame.
  EXPECT_EQ(splitter.next(hello).kind, Kind::error);
  EXPECT_EQ(splitter.error().what.code, Errc::unknown_type);
  EXPECT_EQ(splitter.error().what.offset, 8U + 12U);
}

TEST(Splitter, ClientsThatSpeakSomethingElse) {
  FrameSplitter newer(From::client);
  const Split split = newer.next(bytes({'A', 'M', 'Q', 'P', 0, 1, 0, 0}));
  ASSERT_EQ(split.kind, Kind::protocol_header);
  EXPECT_EQ(split.protocol, (ProtocolHeader{{0, 1, 0, 0}}));

  FrameSplitter web(From::client);
  EXPECT_EQ(web.next(bytes("GET / HTTP/1.1")).kind, Kind::error);
  EXPECT_STREQ(web.error().what.field, "protocol header");
  FrameSplitter close(From::client);
  EXPECT_EQ(close.next(bytes("AM")).kind, Kind::need_more);
  EXPECT_EQ(close.next(bytes("AMX")).kind, Kind::error);  // before all eight are there
  EXPECT_EQ(close.error().what.offset, 2U);
}

TEST(Splitter, ServersMayAnswerWithTheirProtocolHeader) {
  FrameSplitter splitter(From::server);
  EXPECT_EQ(splitter.next(bytes("A")).size, 8U);
  const Split split = splitter.next(bytes({'A', 'M', 'Q', 'P', 0, 0, 9, 1}));
  ASSERT_EQ(split.kind, Kind::protocol_header);
  EXPECT_EQ(split.protocol, kProtocol091);
  // But only as the first thing they say.
  FrameSplitter later(From::server);
  ASSERT_EQ(later.next(frame(1, 0, kTxSelect)).kind, Kind::frame);
  EXPECT_EQ(later.next(bytes("AMQP")).kind, Kind::error);
}

struct Case {
  const char* what;
  ByteVector input;
  Errc code;
  const char* field;
  std::size_t offset;
  ReplyErrc reply;
  std::size_t seen_after;  // bytes that suffice to see it
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"unknown type", frame(4, 1, "body"), Errc::unknown_type, "frame type", 0,
       ReplyErrc::frame_error, 1},
      {"type 0", frame(0, 1, "body"), Errc::unknown_type, "frame type", 0, ReplyErrc::frame_error,
       1},
      {"TLS alert", bytes({21, 3, 3, 0, 2, 2, 40}), Errc::unknown_type, "frame type", 0,
       ReplyErrc::frame_error, 1},
      {"heartbeat on a channel", frame(8, 1, ""), Errc::bad_value, "frame channel", 1,
       ReplyErrc::unexpected_frame, 3},
      {"heartbeat with a payload", frame(8, 0, "x"), Errc::bad_length, "frame size", 3,
       ReplyErrc::frame_error, 7},
      {"header on channel 0", frame(2, 0, "x"), Errc::bad_value, "frame channel", 1,
       ReplyErrc::channel_error, 3},
      {"body on channel 0", frame(3, 0, "x"), Errc::bad_value, "frame channel", 1,
       ReplyErrc::channel_error, 3},
      {"method without a number", frame(1, 0, "abc"), Errc::bad_length, "frame size", 3,
       ReplyErrc::frame_error, 7},
      {"4 GiB", bytes({3, 0, 1, 0xff, 0xff, 0xff, 0xff}), Errc::too_large, "frame size", 3,
       ReplyErrc::frame_error, 7},
      {"wrong end", frame(3, 1, "body", 0xcd), Errc::bad_frame_end, "frame end", 11,
       ReplyErrc::frame_error, 12},
      {"size too small", bytes({3, 0, 1, 0, 0, 0, 1, 'a', 'b', 0xce}), Errc::bad_frame_end,
       "frame end", 8, ReplyErrc::frame_error, 9},
  };
  return all;
}

TEST(Splitter, RefusesAsSoonAsItCanKnow) {
  for (const Case& c : cases()) {
    for (std::size_t n = 0; n <= c.input.size(); ++n) {
      FrameSplitter splitter(From::server);
      ASSERT_EQ(splitter.next(bytes(kHeartbeatFrame)).kind, Kind::frame);
      const ByteVector cut = prefix(c.input, n);
      const Split split = splitter.next(cut);
      ASSERT_EQ(split.kind, n < c.seen_after ? Kind::need_more : Kind::error) << c.what << " " << n;
      if (n < c.seen_after) continue;
      EXPECT_EQ(splitter.error().what.code, c.code) << c.what;
      EXPECT_STREQ(splitter.error().what.field, c.field) << c.what;
      EXPECT_EQ(splitter.error().what.offset, 8 + c.offset) << c.what;
      EXPECT_EQ(splitter.error().reply, c.reply) << c.what;
      // It stays that way.
      EXPECT_EQ(splitter.next(bytes(kHeartbeatFrame)).kind, Kind::error);
      EXPECT_EQ(splitter.error().what.code, c.code);
    }
  }
}

TEST(Splitter, LimitsCountTheWholeFrame) {
  const ByteVector fits = frame(3, 1, std::string(4096 - 8, 'b'));
  const ByteVector larger = frame(3, 1, std::string(4096 - 7, 'b'));
  EXPECT_EQ(FrameSplitter(From::server).next(fits).kind, Kind::frame);
  EXPECT_EQ(FrameSplitter(From::server).next(larger).kind, Kind::error);
  // A broker sends methods and headers whole, above the frame_max that holds for bodies.
  const ByteVector method = frame(1, 1, std::string(5000, '\0'));
  EXPECT_EQ(FrameSplitter(From::server).next(method).kind, Kind::error);
  FrameSplitter splitter(From::server, {.body = 4096, .other = 10000});
  EXPECT_EQ(splitter.next(method).kind, Kind::frame);
  EXPECT_EQ(splitter.next(frame(2, 1, std::string(5000, '\0'))).kind, Kind::frame);
  splitter.set_limits({.body = 4097, .other = 10000});
  EXPECT_EQ(splitter.next(larger).kind, Kind::frame);
  splitter.set_limits({.body = 0, .other = 0});
  EXPECT_EQ(splitter.next(bytes(kHeartbeatFrame)).kind, Kind::error);
}

// All that a stream gives, whatever the pieces.
std::string events(const ByteVector& stream, wire::Random* random) {
  FrameSplitter splitter(From::client, {.body = 300, .other = 300});
  std::string out;
  std::size_t done = 0, there = 0, wanted = 1;
  for (;;) {
    if (there - done < wanted) {
      if (there == stream.size()) return out;
      there = random == nullptr ? stream.size()
                                : std::min(stream.size(), there + 1 + random->below(20));
      if (there - done < wanted) continue;
    }
    const ByteVector input(stream.begin() + static_cast<std::ptrdiff_t>(done),
                           stream.begin() + static_cast<std::ptrdiff_t>(there));
    const Split split = splitter.next(input);
    switch (split.kind) {
      case Kind::need_more:
        EXPECT_GT(split.size, input.size());
        wanted = split.size;
        continue;
      case Kind::frame:
        out += std::to_string(static_cast<int>(split.frame.type)) + "/" +
               std::to_string(split.frame.channel) + "/" + split.frame.payload.str() + ";";
        break;
      case Kind::protocol_header:
        out += "hello;";
        break;
      case Kind::error:
        return out + splitter.error().message();
    }
    done += split.size;
    wanted = 1;
  }
}

TEST(Splitter, PiecesDoNotMatter) {
  wire::Random random(67);
  int errors = 0;
  for (int i = 0; i < 2000; ++i) {
    ByteVector stream = bytes(kProtocolHeader);
    for (std::size_t n = random.below(6); n != 0; --n) {
      const int type = random.one_in(4) ? 2 : 3;
      append(stream, frame(type, 1 + static_cast<int>(random.below(9)),
                           std::string(random.below(280), 'p')));
    }
    if (random.one_in(2)) {
      stream[random.below(stream.size())] = static_cast<std::byte>(random.next());
    }
    const std::string whole = events(stream, nullptr);
    errors += whole.find("at byte") != std::string::npos ? 1 : 0;
    ASSERT_EQ(events(stream, &random), whole);
  }
  EXPECT_GT(errors, 50);
}

TEST(Frames, MethodsAndHeadersInFrames) {
  const BasicAck ack{.delivery_tag = 1, .multiple = false};
  const std::size_t size = *encoded_size(ack);
  ByteVector out(size + kFrameOverheadBytes);
  wire::Writer writer(out);
  encode_frame(FrameType::method, 258, ack, size, writer);
  EXPECT_EQ(writer.position(), out.size());
  EXPECT_EQ(hex(out),
            "010102"
            "0000000d"
            "003c0050"
            "0000000000000001"
            "00"
            "ce");
}

ByteVector whole_body(const std::string& body, std::uint32_t frame_max, std::size_t max_splices) {
  const BodySize size = body_size(body.size(), frame_max);
  const bool splice = max_splices >= size.splices;
  ByteVector flat(splice ? size.total - size.spliced : size.total);
  std::vector<wire::Splice> splices(splice ? size.splices : 0);
  wire::Writer writer(flat, splices);
  encode_body(wire::Bytes(body), 1, frame_max, writer);
  EXPECT_EQ(writer.position(), flat.size());
  EXPECT_EQ(writer.splices_used(), splices.size());
  ByteVector out;
  std::size_t done = 0;
  for (const wire::Splice& s : splices) {
    out.insert(out.end(), flat.begin() + static_cast<std::ptrdiff_t>(done),
               flat.begin() + static_cast<std::ptrdiff_t>(s.at));
    append(out, bytes(s.data.view()));
    done = s.at;
  }
  out.insert(out.end(), flat.begin() + static_cast<std::ptrdiff_t>(done), flat.end());
  return out;
}

TEST(Frames, BodiesAreSplitAtFrameMax) {
  for (const std::uint32_t frame_max : {0U, 9U, 100U, 4096U, 131072U}) {
    const std::size_t piece = frame_max == 0 ? 1U << 30 : frame_max - 8;
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{4087},
                                     std::size_t{4088}, std::size_t{4089}, std::size_t{300000}}) {
      std::string body(length, ' ');
      for (std::size_t i = 0; i < length; ++i) body[i] = static_cast<char>(i * 7 % 251);
      const ByteVector stream = whole_body(body, frame_max, 1000);
      ASSERT_EQ(whole_body(body, frame_max, 0).size(), stream.size());
      ASSERT_EQ(stream.size(), length + (length + piece - 1) / piece * 8);
      const std::uint32_t limit = frame_max == 0 ? 1U << 30 : frame_max;
      FrameSplitter splitter(From::server, {.body = limit});
      std::string joined;
      for (std::size_t done = 0; done != stream.size();) {
        const Split split = splitter.next(std::span(stream).subspan(done));
        ASSERT_EQ(split.kind, Kind::frame) << splitter.error().message();
        ASSERT_FALSE(split.frame.payload.empty());
        joined += split.frame.payload.view();
        done += split.size;
      }
      ASSERT_TRUE(joined == body) << length << " in " << frame_max;
    }
  }
  EXPECT_EQ(body_size(0, 4096), BodySize{});
  EXPECT_EQ(body_size(4088, 4096), (BodySize{4096, 4088, 1}));
  EXPECT_EQ(body_size(4089, 4096), (BodySize{4105, 4088, 1}));
}

}  // namespace
}  // namespace tern::amqp::testing
