// Headers around requests and responses, the list of APIs, the odd rules of ApiVersions.
#include "protocol/kafka/api.h"

#include <gtest/gtest.h>

#include "protocol/kafka/messages/all.h"
#include "tests/kafka/codec_testing.h"

namespace tern::kafka::testing {
namespace {

std::string hex(const ByteVector& bytes) {
  std::string out;
  wire::Bytes view{std::span<const std::byte>(bytes)};
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : view.view()) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

ByteVector encode_header(const RequestHeader& header) {
  ByteVector bytes(request_header_size(header));
  wire::Writer writer(bytes);
  encode_request_header(header, writer);
  EXPECT_EQ(writer.position(), bytes.size());
  return bytes;
}

TEST(Api, HeaderVersions) {
  EXPECT_EQ(request_header_version(0, 8), 1);
  EXPECT_EQ(request_header_version(0, 9), 2);
  EXPECT_EQ(response_header_version(0, 8), 0);
  EXPECT_EQ(response_header_version(0, 9), 1);
  EXPECT_EQ(request_header_version(18, 2), 1);
  EXPECT_EQ(request_header_version(18, 3), 2);
  EXPECT_EQ(response_header_version(18, 3), 0);  // ApiVersions never has a flexible response header
  EXPECT_EQ(response_header_version(18, 5), 0);
  EXPECT_EQ(request_header_version(18, 99), 2);  // a client newer than we are
  EXPECT_EQ(request_header_version(999, 99), 1);
}

TEST(Api, RequestHeaderBytes) {
  EXPECT_EQ(hex(encode_header({3, 4, 0x01020304, "tern"})),
            "0003"
            "0004"
            "01020304"
            "0004"
            "7465726e");
  // Flexible: one more byte for the tags, but the client id keeps its two-byte length.
  EXPECT_EQ(hex(encode_header({3, 9, 7, "tern"})),
            "0003"
            "0009"
            "00000007"
            "0004"
            "7465726e"
            "00");
  EXPECT_EQ(hex(encode_header({3, 9, 7, Text::null()})),
            "0003"
            "0009"
            "00000007"
            "ffff"
            "00");
}

TEST(Api, RequestHeaderRoundTrip) {
  const RequestHeader headers[] = {
      {0, 3, 1, "a"}, {0, 13, -1, Text::null()}, {18, 77, 5, ""}, {999, 1, 2, "x"}};
  for (const RequestHeader& header : headers) {
    const ByteVector bytes = encode_header(header);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      wire::Reader reader{std::span(bytes).first(n)};
      RequestHeader out;
      EXPECT_FALSE(decode_request_header(reader, out)) << n;
    }
    wire::Reader reader(bytes);
    RequestHeader out;
    ASSERT_TRUE(decode_request_header(reader, out));
    EXPECT_TRUE(out == header);
    EXPECT_EQ(reader.remaining(), 0U);
  }
}

TEST(Api, UnknownHeaderTagsAreSkipped) {
  ByteVector bytes = encode_header({3, 9, 7, "tern"});
  bytes.back() = std::byte{2};  // two tags: 0 of 3 bytes, 9 of none
  for (const int b : {0, 3, 1, 2, 3, 9, 0, 42}) bytes.push_back(static_cast<std::byte>(b));
  wire::Reader reader(bytes);
  RequestHeader out;
  ASSERT_TRUE(decode_request_header(reader, out));
  EXPECT_EQ(reader.u8(), 42);

  const ByteVector response = {std::byte{0}, std::byte{0},  std::byte{0},
                               std::byte{8}, std::byte{1},  std::byte{5},
                               std::byte{1}, std::byte{99}, std::byte{42}};
  wire::Reader answer(response);
  std::int32_t id = 0;
  ASSERT_TRUE(decode_response_header(answer, 0, 9, id));
  EXPECT_EQ(id, 8);
  EXPECT_EQ(answer.u8(), 42);
}

TEST(Api, ResponseHeaderRoundTrip) {
  for (const Api& api : all_apis()) {
    for (std::int16_t v = api.versions.min; v <= api.versions.max; ++v) {
      ByteVector bytes(response_header_size(api.key, v));
      wire::Writer writer(bytes);
      encode_response_header(api.key, v, 12345, writer);
      EXPECT_EQ(writer.position(), bytes.size());
      EXPECT_EQ(bytes.size(), api.key != 18 && api.flexible(v) ? 5U : 4U);
      wire::Reader reader(bytes);
      std::int32_t id = 0;
      ASSERT_TRUE(decode_response_header(reader, api.key, v, id));
      EXPECT_EQ(id, 12345);
      EXPECT_EQ(reader.remaining(), 0U);
    }
  }
}

TEST(Api, OverlongClientIdIsCut) {
  const std::string long_id(40000, 'c');
  const ByteVector bytes = encode_header({3, 4, 1, long_id});
  wire::Reader reader(bytes);
  RequestHeader out;
  ASSERT_TRUE(decode_request_header(reader, out));
  EXPECT_EQ(out.client_id.size(), 32767U);
}

TEST(Api, List) {
  EXPECT_EQ(all_apis().size(), AllRequests::size);
  ASSERT_NE(find_api(3), nullptr);
  EXPECT_STREQ(find_api(3)->name, "Metadata");
  EXPECT_EQ(find_api(999), nullptr);
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(intersect({0, 5}, {3, 9}), (VersionRange{3, 5}));
  EXPECT_TRUE(intersect({0, 2}, {3, 9}).empty());
}

TEST(Api, ApiVersionsAnswerToAnUnknownVersionHasBodyVersion0) {
  ApiVersionsResponse::ApiVersion only;
  only.api_key = 18;
  only.max_version = 4;
  ApiVersionsResponse refusal;
  refusal.error_code = 35;
  refusal.api_keys = {&only, 1};
  const ByteVector bytes = encode_all(refusal, 0);

  wire::Arena arena(1 << 16);
  ApiVersionsResponse out;
  wire::Reader reader(bytes);
  ASSERT_TRUE(decode_api_versions_response(reader, 5, arena, out)) << reader.error().message();
  EXPECT_TRUE(reader.expect_end());
  EXPECT_EQ(out.error_code, 35);
  ASSERT_EQ(out.api_keys.size(), 1U);
  EXPECT_EQ(out.api_keys[0].max_version, 4);

  ApiVersionsResponse fine;
  fine.api_keys = {&only, 1};
  fine.finalized_features_epoch = 3;
  const ByteVector newer = encode_all(fine, 5);
  wire::Reader again(newer);
  ASSERT_TRUE(decode_api_versions_response(again, 5, arena, out));
  EXPECT_TRUE(out == fine);

  wire::Reader empty(std::span<const std::byte>{});
  EXPECT_FALSE(decode_api_versions_response(empty, 3, arena, out));
}

}  // namespace
}  // namespace tern::kafka::testing
