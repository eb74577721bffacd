// What tests of codecs need: text that packs well, and sinks that are mean.
#ifndef TERN_TESTS_KAFKA_COMPRESSION_TESTING_H_
#define TERN_TESTS_KAFKA_COMPRESSION_TESTING_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "protocol/kafka/compression.h"
#include "protocol/wire/bytes.h"

namespace tern::kafka::testing {

inline constexpr std::size_t kLimit = std::size_t{1} << 24;

inline std::string random_text(std::mt19937_64& random, std::size_t size) {
  static constexpr std::string_view kWords[] = {
      "order ", "invoice ", "{\"id\": ", "null, ", "\n", "x"};
  std::string text;
  while (text.size() < size) {
    text += kWords[random() % std::size(kWords)];
    if (random() % 4 == 0) text += std::to_string(random());
  }
  text.resize(size);
  return text;
}

inline std::string compress(Compressor& compressor, std::span<const wire::Bytes> pieces) {
  VectorChunkSink sink;
  const auto size = compressor.compress(pieces, sink);
  EXPECT_TRUE(size) << size.error().message();
  const std::vector<std::byte> out = sink.take(size ? *size : 0);
  return wire::Bytes(std::span<const std::byte>(out)).str();
}
using CodecPtr = std::shared_ptr<const Codec>;

inline std::string compress(const CodecPtr& codec, const std::string& plain) {
  const wire::Bytes piece(plain);
  return compress(*codec->make_compressor(), {&piece, 1});
}

struct Plain {
  std::error_code error;
  std::string text;
  std::size_t asked = 0;  // the most memory that was asked for
};
inline Plain decompress(Decompressor& decompressor, const std::string& in,
                        std::size_t limit = kLimit) {
  VectorFrameSink sink;
  // A block of its own, so that a sanitizer sees what reads beyond the end.
  const std::vector<char> exact(in.begin(), in.end());
  const auto size = decompressor.decompress(std::as_bytes(std::span(exact)), sink, limit);
  Plain plain{size ? std::error_code() : size.error(), "", sink.bytes().size()};
  if (size) plain.text = wire::Bytes(std::span<const std::byte>(sink.bytes()).first(*size)).str();
  return plain;
}
inline Plain decompress(const CodecPtr& codec, const std::string& in, std::size_t limit = kLimit) {
  return decompress(*codec->make_decompressor(), in, limit);
}

}  // namespace tern::kafka::testing

#endif  // TERN_TESTS_KAFKA_COMPRESSION_TESTING_H_
