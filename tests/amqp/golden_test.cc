// AMQP as others have it: frames that pamqp and pika made, and the methods as pamqp and RabbitMQ
// describe them. See tests/golden/amqp/make_golden.py.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/amqp/testing.h"

namespace tern::amqp::testing {
namespace {

constexpr char kFolder[] = "tests/golden/amqp/";

ByteVector from_hex(const std::string& text) {
  ByteVector out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return out;
}

// What a frame holds, as the golden file tells it, and the same encoded again.
struct Reading {
  std::string text;
  ByteVector again;
};

Reading read(const Frame& frame) {
  Reading out;
  switch (frame.type) {
    case FrameType::heartbeat:
      out.text = "heartbeat";
      break;
    case FrameType::body:
      out.text = "body " + frame.payload.str();
      out.again = bytes(frame.payload.view());
      break;
    case FrameType::header: {
      ContentHeader header;
      const auto error = decode_header(frame.payload, {}, header);
      if (error) return {error->message(), {}};
      out.text = "header " + std::to_string(header.body_size) + " " + print(header.properties);
      out.again = encode_all(header);
      break;
    }
    case FrameType::method: {
      const auto error = dispatch(frame.payload, {}, [&](const auto& message) {
        out.text = print(message);
        out.again = encode_all(message);
      });
      if (error) return {error->message(), {}};
      break;
    }
  }
  return out;
}

TEST(Golden, FramesOfOtherClients) {
  std::ifstream file(std::string(kFolder) + "frames.txt");
  ASSERT_TRUE(file);
  std::map<std::string, int> sources;
  std::set<std::string> methods;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string source, encoded, text;
    unsigned channel = 0;
    words >> source >> channel >> encoded;
    words.get();
    std::getline(words, text);
    ++sources[source];
    methods.insert(text.substr(0, text.find('{')));

    const ByteVector input = from_hex(encoded);
    FrameSplitter splitter(FrameSplitter::From::server);
    const Split split = splitter.next(input);
    ASSERT_EQ(split.kind, Split::Kind::frame) << line;
    ASSERT_EQ(split.size, input.size());
    ASSERT_EQ(split.frame.channel, channel);
    const Reading reading = read(split.frame);
    EXPECT_EQ(reading.text, text) << encoded;

    ByteVector frame(reading.again.size() + kFrameOverheadBytes);
    wire::Writer writer(frame);
    begin_frame(split.frame.type, split.frame.channel, reading.again.size(), writer);
    writer.bytes(reading.again.data(), reading.again.size());
    end_frame(writer);
    EXPECT_EQ(hex(frame), encoded) << text;
  }
  EXPECT_GT(sources["pamqp"], 150);
  EXPECT_GT(sources["pika"], 5);
  for (const MethodInfo& info : all_methods()) {
    const bool retired = info.method.id.class_id == AccessRequest::method.id.class_id;
    EXPECT_EQ(methods.count(info.method.name), retired ? 0U : 1U) << info.method.name;
  }
}

TEST(Golden, DescriptionsAgreeWithOthers) {
  std::ifstream file(std::string(kFolder) + "schema.txt");
  ASSERT_TRUE(file);
  std::ostringstream theirs;
  theirs << file.rdbuf();
  std::string ours;
  AllMethods::for_each([&]<class M>() { ours += schema_dump<M>(); });
  EXPECT_EQ(ours, theirs.str());
}

}  // namespace
}  // namespace tern::amqp::testing
