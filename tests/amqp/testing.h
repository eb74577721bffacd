// Small helpers for the tests of the AMQP protocol.
#ifndef TERN_TESTS_AMQP_TESTING_H_
#define TERN_TESTS_AMQP_TESTING_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/generate.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "protocol/wire/writer.h"

namespace tern::amqp::testing {

using ByteVector = std::vector<std::byte>;

inline ByteVector bytes(std::initializer_list<int> octets) {
  ByteVector out;
  for (const int octet : octets) out.push_back(static_cast<std::byte>(octet));
  return out;
}
inline ByteVector bytes(std::string_view text) {
  const auto raw = std::as_bytes(std::span(text.data(), text.size()));
  return {raw.begin(), raw.end()};
}
inline ByteVector prefix(const ByteVector& all, std::size_t n) {
  // An allocation of its own, so that a sanitizer sees a read past the end.
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)};
}
inline void append(ByteVector& out, const ByteVector& more) {
  out.insert(out.end(), more.begin(), more.end());
}
inline std::string hex(const ByteVector& data) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const std::byte b : data) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15U];
  }
  return out;
}

// The payload of a method or a header; fails the test if it cannot be encoded or the size was
// wrong.
template <class M>
ByteVector encode_all(const M& message) {
  const char* field = "";
  const auto size = encoded_size(message, &field);
  if (!size) {
    ADD_FAILURE() << size.error().message() << " " << field;
    return {};
  }
  // One byte more than it needs, which has to stay as it is.
  ByteVector out(*size + 1, std::byte{0x5a});
  wire::Writer writer(out);
  encode(message, writer);
  EXPECT_EQ(writer.position(), *size);
  EXPECT_EQ(out.back(), std::byte{0x5a});
  out.pop_back();
  return out;
}

inline ByteVector encode_all(const Table& table) {
  ByteVector out(encoded_size(table));
  wire::Writer writer(out);
  encode_table(table, writer);
  EXPECT_EQ(writer.position(), out.size());
  return out;
}

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_AMQP_TESTING_H_
