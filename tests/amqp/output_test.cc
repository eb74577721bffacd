// What waits to be written: what goes in comes out, in order, and stays where it is meanwhile.
#include "client/amqp/output.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/sim/random.h"

namespace tern::amqp {
namespace {

void put(Output& output, std::string_view text) {
  std::memcpy(output.room(text.size()).data(), text.data(), text.size());
  output.commit(text.size());
}

std::string listed(Output& output) {
  BufferList list;
  output.gather(list);
  std::string all;
  for (const auto& piece : list.pieces()) {
    all.append(static_cast<const char*>(piece.data), piece.size);
  }
  return all;
}

TEST(Output, KeepsOrder) {
  FramePool pool(1 << 20);
  Output output(pool);
  const std::string body = "elsewhere";
  put(output, "one ");
  put(output, "two ");
  output.refer(wire::Bytes(body), {});
  put(output, " three");
  EXPECT_EQ(listed(output), "one two elsewhere three");
  EXPECT_EQ(output.bytes(), 23U);
  output.consume(10);
  EXPECT_EQ(listed(output), "sewhere three");
  put(output, " four");
  EXPECT_EQ(listed(output), "sewhere three four");
  output.consume(18);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.bytes(), 0U);
  EXPECT_EQ(output.end(), 28U);
}

TEST(Output, KnowsWhatTheNetworkHasSeen) {
  FramePool pool(1 << 20);
  Output output(pool);
  put(output, "12345");
  EXPECT_EQ(output.gathered(), 0U);
  listed(output);
  put(output, "678");
  EXPECT_EQ(output.gathered(), 5U);
  EXPECT_EQ(output.written(), 0U);
  output.consume(2);
  EXPECT_EQ(output.written(), 2U);
  EXPECT_EQ(output.gathered(), 5U);
  output.clear();
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.written(), 8U);
  EXPECT_EQ(output.end(), 8U);
}

TEST(Output, HoldsWhatItRefersTo) {
  FramePool pool(1 << 20);
  std::weak_ptr<const std::string> watched;
  Output output(pool);
  {
    auto body = std::make_shared<const std::string>(100, 'x');
    watched = body;
    output.refer(wire::Bytes(std::string_view(*body)), body);
  }
  EXPECT_EQ(listed(output), std::string(100, 'x'));
  output.consume(99);
  EXPECT_FALSE(watched.expired());
  output.consume(1);
  EXPECT_TRUE(watched.expired());
}

TEST(Output, AsAStringWould) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    sim::Rng random(seed);
    FramePool pool(1 << 20);
    Output output(pool);
    std::string model;
    std::string shown;  // what was gathered last; must not change until it is consumed
    BufferList list;
    const std::string bodies(100'000, 'b');
    for (int i = 0; i < 400; ++i) {
      switch (random.below(4)) {
        case 0:
        case 1: {
          const std::string text(random.below(random.below(8) == 0 ? 50'000 : 300),
                                 static_cast<char>('a' + random.below(26)));
          put(output, text);
          model += text;
          break;
        }
        case 2: {
          const std::string_view body = std::string_view(bodies).substr(0, random.below(100'000));
          output.refer(wire::Bytes(body), {});
          model += body;
          break;
        }
        default: {
          std::string now;
          for (const auto& piece : list.pieces()) {
            now.append(static_cast<const char*>(piece.data), piece.size);
          }
          ASSERT_EQ(now, shown);
          const std::size_t n = random.below(static_cast<std::uint32_t>(now.size() + 1));
          if (n != 0) output.consume(n);
          model.erase(0, n);
          list.clear();
          output.gather(list);
          shown.clear();
          for (const auto& piece : list.pieces()) {
            shown.append(static_cast<const char*>(piece.data), piece.size);
          }
          ASSERT_EQ(shown, model);
          break;
        }
      }
      ASSERT_EQ(output.bytes(), model.size());
    }
  }
}

}  // namespace
}  // namespace tern::amqp
