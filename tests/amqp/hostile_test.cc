// Input that lies: lengths, tags, depth. Nothing may crash, be believed or take memory.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>
#include <vector>

#include "tests/amqp/testing.h"

namespace {
std::atomic<std::size_t> allocations{0};
}

// Every allocation of this program is counted: decoding must not make any.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tern::amqp::testing {
namespace {

using wire::Errc;

constexpr std::size_t kRoomy = std::size_t{1} << 30;

// Looks at every byte of every view that came out, so that a sanitizer sees what lies outside.
struct Touch {
  std::size_t sum = 0;
  void touch(std::string_view text) {
    for (const char c : text) sum += static_cast<unsigned char>(c);
  }
  void touch(const Value& value) {
    sum += static_cast<std::size_t>(value.integer().value_or(1));
    if (const auto text = value.text()) touch(*text);
    if (const auto data = value.bytes()) touch(data->view());
    if (const auto table = value.table()) touch(*table);
    if (const auto array = value.array()) {
      for (const Value item : *array) touch(item);
    }
  }
  void touch(const Table& table) {
    for (const Field field : table) {
      touch(field.name);
      touch(field.value);
    }
  }
  template <class M>
  void message(const M& m) {
    Visitor<M> visitor{*this, m};
    M::describe(visitor);
  }
  void properties(const BasicProperties& p) {
    for (const Text& text :
         {p.content_type, p.content_encoding, p.correlation_id, p.reply_to, p.expiration,
          p.message_id, p.type, p.user_id, p.app_id, p.cluster_id}) {
      touch(text.view());
    }
    if (p.headers) touch(*p.headers);
  }

 private:
  template <class M>
  struct Visitor {
    Touch& touch;
    const M& m;
    template <class T>
    void operator()(const char*, T M::* member, FieldSpec = {}) {
      if constexpr (std::same_as<T, Table>) {
        touch.touch(m.*member);
      } else if constexpr (std::is_arithmetic_v<T>) {
        touch.sum += static_cast<std::size_t>(m.*member);
      } else {
        touch.touch((m.*member).view());
      }
    }
    template <class T>
    void reserved(const char*, const T&) {}
  };
};

volatile std::size_t seen = 0;  // so that no compiler leaves the looking out

// How decoding some bytes ended: whether well, and with how many allocations.
struct Attempt {
  bool method = false;
  bool header = false;
  std::size_t allocated = 0;

  explicit Attempt(const ByteVector& payload) {
    const std::size_t before = allocations;
    Touch touch;
    method = !dispatch(Bytes(payload), {}, [&](const auto& m) { touch.message(m); });
    ContentHeader out;
    header = !decode_header(Bytes(payload), {}, out);
    touch.properties(out.properties);
    allocated = allocations - before;
    seen = touch.sum;
  }
};

TEST(Hostile, CountingWorks) {
  const std::size_t before = allocations;
  auto one = std::make_unique<int>(1);
  EXPECT_EQ(allocations - before, 1U);
}

TEST(Hostile, NoiseAndMutationsTakeNoMemory) {
  wire::Random random(70);
  int good = 0, bad = 0;
  const auto try_one = [&](const ByteVector& payload) {
    const Attempt attempt(payload);
    ASSERT_EQ(attempt.allocated, 0U) << hex(payload);
    ++(attempt.method || attempt.header ? good : bad);
  };
  const auto mutate = [&](ByteVector payload) {
    for (std::size_t n = 1 + random.below(3); n != 0 && payload.size() > 4; --n) {
      payload[4 + random.below(payload.size() - 4)] = static_cast<std::byte>(random.next());
    }
    try_one(payload);
    // The number of a method, and noise in which small lengths are common.
    payload.resize(4 + random.below(200));
    for (std::size_t k = 4; k < payload.size(); ++k) {
      payload[k] = static_cast<std::byte>(random.one_in(3) ? random.next() : random.below(4));
    }
    try_one(payload);
  };
  AllMethods::for_each([&]<class M>() {
    for (int i = 0; i < 150; ++i) {
      wire::Arena arena(kRoomy);
      mutate(encode_all(Generator(random, arena).method<M>()));
    }
  });
  for (int i = 0; i < 5000; ++i) {
    wire::Arena arena(kRoomy);
    ByteVector payload = encode_all(Generator(random, arena).header());
    for (std::size_t n = 1 + random.below(3); n != 0; --n) {
      payload[random.below(payload.size())] = static_cast<std::byte>(random.next());
    }
    try_one(payload);
  }
  EXPECT_GT(good, 1000);
  EXPECT_GT(bad, 1000);
}

// Where lengths of strings and tables lie in an encoded method, and how wide they are.
struct Length {
  std::size_t at, width;
};
template <class M>
struct LengthFinder {
  const M& m;
  std::vector<Length> found = {};
  std::size_t at = 4;
  unsigned bits = 0;

  template <class T>
  void operator()(const char*, T M::* member, FieldSpec = {}) {
    field(m.*member);
  }
  template <class T>
  void reserved(const char*, const T& value) {
    field(value);
  }
  template <class T>
  void field(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      if (bits++ % 8 == 0) ++at;
      return;
    }
    bits = 0;
    if constexpr (std::same_as<T, Text>) {
      string(1, value.size());
    } else if constexpr (std::same_as<T, Bytes>) {
      string(4, value.size());
    } else if constexpr (std::same_as<T, Table>) {
      string(4, value.size_bytes());
    } else {
      at += sizeof(T);
    }
  }
  void string(std::size_t width, std::size_t size) {
    found.push_back({at, width});
    at += width + size;
  }
};

using Refuse = std::optional<PayloadError> (*)(const ByteVector& payload);

// Puts lies into the place of a length; returns how many.
int lie_about(const Length& length, const char* name, const ByteVector& honest, Refuse refuse) {
  int lies = 0;
  const std::size_t left = honest.size() - length.at - length.width;
  for (const std::size_t lie : {left + 1, std::size_t{0xff}, std::size_t{0x7fffffff},
                                std::size_t{0x80000000}, std::size_t{0xffffffff}}) {
    if (lie <= left || (length.width == 1 && lie > 0xff)) continue;
    ByteVector payload = honest;
    for (std::size_t k = 0; k < length.width; ++k) {
      payload[length.at + k] = static_cast<std::byte>(lie >> 8 * (length.width - 1 - k) & 0xffU);
    }
    const auto error = refuse(payload);
    if (!error) {
      ADD_FAILURE() << name << " length at " << length.at << " = " << lie;
      continue;
    }
    EXPECT_EQ(error->what.code, Errc::bad_length);
    EXPECT_EQ(error->what.offset, length.at + length.width);
    EXPECT_EQ(Attempt(payload).allocated, 0U);
    ++lies;
  }
  return lies;
}

TEST(Hostile, EveryLengthMayLie) {
  wire::Random random(71);
  int lies = 0;
  const auto lie_everywhere = [&](const char* name, const ByteVector& honest, std::size_t end,
                                  const std::vector<Length>& lengths, Refuse refuse) {
    ASSERT_EQ(end, honest.size()) << name;
    for (const Length& length : lengths) lies += lie_about(length, name, honest, refuse);
  };
  AllMethods::for_each([&]<class M>() {
    for (int i = 0; i < 5; ++i) {
      wire::Arena arena(kRoomy);
      const M message = Generator(random, arena).method<M>();
      LengthFinder<M> finder{message};
      M::describe(finder);
      lie_everywhere(M::method.name, encode_all(message), finder.at, finder.found,
                     [](const ByteVector& payload) {
                       M out;
                       return decode_method(Bytes(payload), {}, out);
                     });
    }
  });
  EXPECT_GT(lies, 500);
}

TEST(Hostile, DepthBombs) {
  // A million bytes of tables in tables, and of arrays in arrays: each names the rest as its own.
  for (const bool arrays : {false, true}) {
    ByteVector content;
    constexpr std::size_t kTotal = 1000000;
    if (arrays) append(content, bytes({1, 'a'}));
    while (content.size() + 7 <= kTotal) {
      const std::size_t head = arrays ? 5 : 7;
      const std::size_t rest = kTotal - content.size() - head;
      if (!arrays) append(content, bytes({1, 'a'}));
      append(content, bytes({arrays ? 'A' : 'F', static_cast<int>(rest >> 24 & 0xff),
                             static_cast<int>(rest >> 16 & 0xff),
                             static_cast<int>(rest >> 8 & 0xff), static_cast<int>(rest & 0xff)}));
    }
    content.resize(kTotal);
    wire::Reader reader{Bytes(content)};
    Table out;
    const std::size_t before = allocations;
    EXPECT_FALSE(decode_bare_table(reader, {.max_depth = 1000000}, "bomb", out));
    EXPECT_EQ(allocations - before, 0U);
    EXPECT_EQ(reader.error().code, Errc::too_deep);
    EXPECT_LT(reader.error().offset, 7 * kMaxTableDepth);
  }
}

TEST(Hostile, TheDensestTables) {
  // A megabyte of voids: read without memory, and refused above the limit.
  ByteVector content = bytes({0, 'A'});
  const std::size_t voids = (std::size_t{1} << 20) - 6;
  append(content, bytes({0, static_cast<int>(voids >> 16), static_cast<int>(voids >> 8 & 0xff),
                         static_cast<int>(voids & 0xff)}));
  content.insert(content.end(), voids, std::byte{'V'});
  wire::Reader reader{Bytes(content)};
  Table out;
  const std::size_t before = allocations;
  ASSERT_TRUE(decode_bare_table(reader, {}, "table", out)) << reader.error().message();
  std::size_t count = 0;
  const FieldArray array = *out.find("")->array();
  for (const Value item : array) count += item.is_null() ? 1 : 0;
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(count, voids);
  content.push_back(std::byte{0});
  wire::Reader larger{Bytes(content)};
  EXPECT_FALSE(decode_bare_table(larger, {}, "table", out));
  EXPECT_EQ(larger.error().code, Errc::too_large);
}

TEST(Hostile, SplittingTakesNoMemory) {
  wire::Random random(72);
  ByteVector stream;
  for (int i = 0; i < 100; ++i) {
    ByteVector payload(random.below(100), std::byte{7});
    ByteVector frame(payload.size() + kFrameOverheadBytes);
    wire::Writer writer(frame);
    begin_frame(FrameType::body, 1, payload.size(), writer);
    writer.bytes(payload.data(), payload.size());
    end_frame(writer);
    append(stream, frame);
  }
  const std::size_t before = allocations;
  FrameSplitter splitter(FrameSplitter::From::server);
  std::size_t done = 0;
  int frames = 0;
  for (std::size_t there = 1; there <= stream.size(); ++there) {
    const Split split = splitter.next(std::span(stream).subspan(done, there - done));
    if (split.kind != Split::Kind::frame) continue;
    done += split.size;
    ++frames;
  }
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(frames, 100);
}

TEST(Hostile, NoiseInTheSplitter) {
  wire::Random random(73);
  for (int i = 0; i < 20000; ++i) {
    ByteVector input(random.below(40));
    for (std::byte& b : input) {
      b = static_cast<std::byte>(random.one_in(4) ? random.next() : random.below(4));
    }
    FrameSplitter splitter(random.one_in(2) ? FrameSplitter::From::client
                                            : FrameSplitter::From::server);
    const Split split = splitter.next(input);
    switch (split.kind) {
      case Split::Kind::need_more:
        ASSERT_GT(split.size, input.size());
        ASSERT_LE(split.size, kMinFrameMax);
        break;
      case Split::Kind::frame:
      case Split::Kind::protocol_header:
        ASSERT_LE(split.size, input.size());
        break;
      case Split::Kind::error:
        ASSERT_LT(splitter.error().what.offset, input.size());
        break;
    }
  }
}

}  // namespace
}  // namespace tern::amqp::testing
