// Small helpers for the codec tests.
#ifndef TERN_TESTS_KAFKA_CODEC_TESTING_H_
#define TERN_TESTS_KAFKA_CODEC_TESTING_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/generate.h"
#include "protocol/wire/writer.h"

namespace tern::kafka::testing {

using ByteVector = std::vector<std::byte>;

template <class M>
std::string title(std::int16_t version) {
  return message_name<M>() + " v" + std::to_string(version);
}

// Everything inline; fails the test if the value cannot be encoded or the size was wrong.
template <class M>
ByteVector encode_all(const M& message, std::int16_t version) {
  const char* field = "";
  const auto size = encoded_size(message, version, &field);
  if (!size) {
    ADD_FAILURE() << title<M>(version) << ": " << size.error().message() << " " << field;
    return {};
  }
  ByteVector bytes(size->total);
  wire::Writer writer(bytes);
  encode(message, version, writer);
  EXPECT_EQ(writer.position(), size->total) << title<M>(version);
  return bytes;
}

// Calls f.operator()<M>(version) for every version of M.
template <class M, class F>
void for_each_version(F&& f) {
  for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) f(v);
}

}  // namespace tern::kafka::testing

#endif  // TERN_TESTS_KAFKA_CODEC_TESTING_H_
