// Methods one by one: bytes worked out by hand from the specification, what the table of methods
// says, what encoding refuses, what errors tell.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "protocol/amqp/codec_impl.h"
#include "tests/amqp/testing.h"

namespace tern::amqp::testing {
namespace {

using wire::Errc;

TEST(Methods, BytesByHand) {
  // Class 60, method 40; ticket; "x"; "key"; mandatory is the lowest bit.
  BasicPublish publish;
  publish.exchange = "x";
  publish.routing_key = "key";
  publish.mandatory = true;
  EXPECT_EQ(encode_all(publish), bytes({0, 60, 0, 40, 0, 0, 1, 'x', 3, 'k', 'e', 'y', 1}));
  publish.mandatory = false;
  publish.immediate = true;
  EXPECT_EQ(encode_all(publish).back(), std::byte{2});

  BasicAck ack;
  ack.delivery_tag = 0x0102030405060708;
  ack.multiple = true;
  EXPECT_EQ(encode_all(ack), bytes({0, 60, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 1}));

  ConnectionTuneOk tune;
  tune.channel_max = 2047;
  tune.frame_max = 131072;
  tune.heartbeat = 60;
  EXPECT_EQ(encode_all(tune), bytes({0, 10, 0, 31, 7, 0xff, 0, 2, 0, 0, 0, 60}));

  // Bits on both sides of another field: two octets, not one.
  BasicConsume consume;
  consume.no_ack = true;
  consume.no_wait = true;
  EXPECT_EQ(encode_all(consume), bytes({0, 60, 0, 20, 0, 0, 0, 0, 0b1010, 0, 0, 0, 0}));

  EXPECT_EQ(encode_all(ConnectionOpen{.virtual_host = "/"}), bytes({0, 10, 0, 40, 1, '/', 0, 0}));
  EXPECT_EQ(encode_all(ChannelOpenOk{}), bytes({0, 20, 0, 11, 0, 0, 0, 0}));
  EXPECT_EQ(encode_all(ExchangeUnbindOk{}), bytes({0, 40, 0, 51}));
}

// More bits than one octet holds, and bits in two runs: no real method has either.
struct ManyBits {
  static constexpr Method method{{999, 1}, "test.bits"};
  bool a = false, b = false, c = false, d = false, e = false, f = false, g = false, h = false;
  bool i = false;
  std::uint8_t between = 0;
  bool j = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ManyBits;
    field("a", &M::a);
    field("b", &M::b);
    field("c", &M::c);
    field("d", &M::d);
    field("e", &M::e);
    field("f", &M::f);
    field("g", &M::g);
    field("h", &M::h);
    field("i", &M::i);
    field("between", &M::between);
    field("j", &M::j);
  }
  friend bool operator==(const ManyBits&, const ManyBits&) = default;
};

TEST(Methods, BitsFillOctetsFromTheLowestOn) {
  const ManyBits first{.a = true, .between = 7};
  EXPECT_EQ(encode_all(first), bytes({3, 0xe7, 0, 1, 1, 0, 7, 0}));
  const ManyBits eighth{.h = true, .j = true};
  EXPECT_EQ(encode_all(eighth), bytes({3, 0xe7, 0, 1, 0x80, 0, 0, 1}));
  const ManyBits ninth{.i = true};
  EXPECT_EQ(encode_all(ninth), bytes({3, 0xe7, 0, 1, 0, 1, 0, 0}));
  for (const ManyBits& message : {first, eighth, ninth}) {
    const ByteVector payload = encode_all(message);
    wire::Reader reader{Bytes(std::span(payload).subspan(4))};
    ManyBits out;
    ASSERT_TRUE(decode(reader, {}, out));
    EXPECT_TRUE(out == message);
  }
}

TEST(Methods, ReservedFieldsAreNotLookedAt) {
  // An old client's ticket, and what 0-8 had for capabilities and insist.
  const ByteVector publish = bytes({0, 60, 0, 40, 0x12, 0x34, 1, 'x', 0, 0xfc});
  BasicPublish out;
  ASSERT_FALSE(decode_method(Bytes(publish), {}, out));
  EXPECT_EQ(out.exchange, Text("x"));
  EXPECT_FALSE(out.mandatory || out.immediate);  // the other bits mean nothing
  const ByteVector open = bytes({0, 10, 0, 40, 1, '/', 3, 'o', 'l', 'd', 1});
  ConnectionOpen opened;
  ASSERT_FALSE(decode_method(Bytes(open), {}, opened));
  EXPECT_EQ(opened.virtual_host, Text("/"));
}

TEST(Methods, WhatCannotBeSentIsRefused) {
  const std::string longest(255, 'q'), too_long(256, 'q');
  const char* field = "";
  QueueDeclare declare;
  declare.queue = longest;
  EXPECT_TRUE(encoded_size(declare));
  declare.queue = too_long;
  EXPECT_EQ(encoded_size(declare, &field).error(), Errc::too_large);
  EXPECT_STREQ(field, "queue");
  BasicPublish publish;
  publish.routing_key = too_long;
  publish.exchange = wire::null;
  EXPECT_EQ(encoded_size(publish, &field).error(), Errc::null_not_allowed);
  EXPECT_STREQ(field, "exchange");  // the first one
  ConnectionSecureOk secure;
  secure.response = wire::null;
  EXPECT_EQ(encoded_size(secure, &field).error(), Errc::null_not_allowed);
  // Only the size is looked at: the bytes need not exist.
  const char byte = 'x';
  secure.response = std::string_view(&byte, std::size_t{0xffffffff});
  EXPECT_TRUE(encoded_size(secure));
  secure.response = std::string_view(&byte, std::size_t{0x100000000});
  EXPECT_EQ(encoded_size(secure, &field).error(), Errc::too_large);
  EXPECT_STREQ(field, "response");

  ContentHeader header;
  header.properties.message_id = too_long;
  EXPECT_EQ(encoded_size(header, &field).error(), Errc::too_large);
  EXPECT_STREQ(field, "message_id");
}

TEST(Methods, PrintingShowsFieldsAndNoSecrets) {
  EXPECT_EQ(print(BasicQos{.prefetch_count = 10, .global = true}),
            "basic.qos{prefetch_size: 0, prefetch_count: 10, global: true}");
  EXPECT_EQ(print(TxSelect{}), "tx.select{}");
  EXPECT_EQ(print(ConnectionUpdateSecret{.new_secret = "hunter2", .reason = "old"}),
            "connection.update-secret{new_secret: ***, reason: \"old\"}");
  ConnectionStartOk start;
  start.response = Bytes(std::string_view("\0guest\0hunter2", 14));
  const std::string text = print(start) + print(ConnectionSecureOk{.response = "hunter2"});
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  EXPECT_NE(text.find("response: ***"), std::string::npos) << text;
  BasicProperties properties;
  properties.content_type = "";
  properties.timestamp = Timestamp{5};
  EXPECT_EQ(print(properties), "{content_type: \"\", timestamp: 5}");
}

TEST(Methods, TableOfMethods) {
  EXPECT_EQ(all_methods().size(), 66U);
  std::set<std::string> names, content, both, server;
  for (const MethodInfo& info : all_methods()) {
    const Method& method = info.method;
    EXPECT_EQ(find_method(method.id), &info);
    EXPECT_TRUE(names.insert(method.name).second) << method.name;
    if (method.has_content) content.insert(method.name);
    if (method.sender == Sender::both) both.insert(method.name);
    if (method.sender == Sender::server && !std::string(method.name).ends_with("-ok")) {
      server.insert(method.name);
    }
    // The other side answers.
    for (std::uint8_t i = 0; i < info.reply_count; ++i) {
      const MethodInfo* const reply = find_method(info.replies[i]);
      ASSERT_NE(reply, nullptr);
      EXPECT_TRUE(info.is_answered_by(reply->method.id));
      EXPECT_FALSE(reply->is_synchronous());
      const bool mirrored = method.sender == Sender::both ? reply->method.sender == Sender::both
                                                          : reply->method.sender != method.sender;
      EXPECT_TRUE(mirrored) << method.name << " " << reply->method.name;
    }
    EXPECT_FALSE(info.is_answered_by(method.id));
  }
  EXPECT_EQ(content, (std::set<std::string>{"basic.publish", "basic.return", "basic.deliver",
                                            "basic.get-ok"}));
  EXPECT_EQ(both,
            (std::set<std::string>{"connection.close", "connection.close-ok", "channel.flow",
                                   "channel.flow-ok", "channel.close", "channel.close-ok",
                                   "basic.cancel", "basic.cancel-ok", "basic.ack", "basic.nack"}));
  EXPECT_EQ(server,
            (std::set<std::string>{"connection.start", "connection.secure", "connection.tune",
                                   "connection.blocked", "connection.unblocked", "basic.return",
                                   "basic.deliver", "basic.get-empty"}));
  EXPECT_EQ(find_method({60, 81}), nullptr);
  EXPECT_EQ(find_method({0, 0}), nullptr);
  EXPECT_EQ(find_method({0xffff, 0xffff}), nullptr);
  EXPECT_EQ(find_method({40, 41}), nullptr);  // exchange.unbind-ok is 40.51
}

TEST(Methods, WhichRequestsWaitForAnAnswer) {
  std::set<std::string> may_not_wait;
  for (const MethodInfo& info : all_methods()) {
    if (info.has_no_wait) may_not_wait.insert(info.method.name);
  }
  EXPECT_EQ(may_not_wait, (std::set<std::string>{
                              "exchange.declare", "exchange.delete", "exchange.bind",
                              "exchange.unbind", "queue.declare", "queue.bind", "queue.purge",
                              "queue.delete", "basic.consume", "basic.cancel", "confirm.select"}));
  EXPECT_TRUE(expects_reply(QueueDeclare{}));
  QueueDeclare declare;
  declare.no_wait = true;
  EXPECT_FALSE(expects_reply(declare));
  EXPECT_TRUE(expects_reply(BasicQos{}));
  EXPECT_FALSE(expects_reply(BasicPublish{}));
  const MethodInfo* const get = find_method(BasicGet::method.id);
  EXPECT_TRUE(get->is_answered_by(BasicGetOk::method.id));
  EXPECT_TRUE(get->is_answered_by(BasicGetEmpty::method.id));
}

PayloadError error_of(const ByteVector& payload) {
  const auto error = dispatch(Bytes(payload), {}, [](const auto&) { ADD_FAILURE(); });
  return error ? *error : PayloadError{};
}

TEST(Methods, ErrorsNameMethodFieldAndByte) {
  const PayloadError cut = error_of(bytes({0, 60, 0, 60, 3, 't', 'a'}));
  EXPECT_EQ(cut.message(),
            "basic.deliver (60.60): consumer_tag: a length is negative or goes beyond the input, "
            "at byte 5");
  EXPECT_EQ(cut.what.code, Errc::bad_length);
  EXPECT_EQ(cut.reply, ReplyErrc::syntax_error);
  EXPECT_EQ(cut.id, BasicDeliver::method.id);

  const PayloadError tag = error_of(bytes({0, 60, 0, 60, 1, 't', 0, 0, 0}));
  EXPECT_STREQ(tag.what.field, "delivery_tag");
  EXPECT_EQ(tag.what.offset, 6U);
  EXPECT_EQ(tag.what.code, Errc::end_of_input);

  // queue.bind with a table whose second value has a tag that nobody knows.
  const ByteVector bind = bytes({0, 50,  0,   20, 0, 0,   0,   0, 0, 0, 0, 0, 0, 8,  //
                                 1, 'a', 't', 1,  1, 'b', 'U', 0});
  const PayloadError table = error_of(bind);
  EXPECT_STREQ(table.what.field, "arguments");
  EXPECT_EQ(table.what.code, Errc::unknown_type);
  EXPECT_EQ(table.what.offset, 20U);

  const PayloadError unknown = error_of(bytes({0, 60, 0, 61}));
  EXPECT_EQ(unknown.reply, ReplyErrc::command_invalid);
  EXPECT_EQ(unknown.message(),
            "60.61: method: a type or number that the protocol does not have, at byte 0");
  const PayloadError nothing = error_of(bytes({0, 60, 0}));
  EXPECT_EQ(nothing.reply, ReplyErrc::frame_error);
  EXPECT_STREQ(nothing.what.field, "method");

  BasicAck ack;
  const ByteVector other = encode_all(BasicNack{});
  const auto wrong = decode_method(Bytes(other), {}, ack);
  ASSERT_TRUE(wrong);
  EXPECT_STREQ(wrong->name, "basic.nack");
  EXPECT_EQ(wrong->reply, ReplyErrc::command_invalid);
  EXPECT_EQ(print_method(Bytes(other)),
            "basic.nack{delivery_tag: 0, multiple: false, requeue: true}");
}

TEST(Header, BytesByHand) {
  ContentHeader header;
  header.body_size = 5;
  header.properties.delivery_mode = kPersistent;
  header.properties.content_type = "a";
  header.properties.cluster_id = "";
  header.properties.timestamp = Timestamp{1};
  // Class, weight, size, flags 0x8000 | 0x1000 | 0x0040 | 0x0004; then in the order of the flags.
  EXPECT_EQ(encode_all(header), bytes({0,    60, 0,   0, 0, 0, 0, 0, 0, 0, 0, 5, 0x90,
                                       0x44, 1,  'a', 2, 0, 0, 0, 0, 0, 0, 0, 1, 0}));
}

TEST(Header, EachPropertyHasItsFlag) {
  // The masks of the specification.
  const std::map<std::string, int> masks = {{"content_type", 0x8000}, {"content_encoding", 0x4000},
                                            {"headers", 0x2000},      {"delivery_mode", 0x1000},
                                            {"priority", 0x0800},     {"correlation_id", 0x0400},
                                            {"reply_to", 0x0200},     {"expiration", 0x0100},
                                            {"message_id", 0x0080},   {"timestamp", 0x0040},
                                            {"type", 0x0020},         {"user_id", 0x0010},
                                            {"app_id", 0x0008},       {"cluster_id", 0x0004}};
  for (const auto& [name, mask] : masks) {
    ByteVector payload = bytes({0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, mask >> 8, mask & 0xff});
    append(payload, ByteVector(8));  // a zero of any type, and perhaps some bytes more
    ContentHeader header;
    ASSERT_FALSE(decode_header(Bytes(payload), {}, header)) << name;
    EXPECT_TRUE(print(header.properties).starts_with("{" + name + ": "))
        << print(header.properties);
  }
}

TEST(Header, FlagsFromAfterOurTimeArePassedOver) {
  ContentHeader header;
  // Continued flags: the second word has a property we cannot know, whose bytes come last.
  const ByteVector more = bytes({0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x01, 0x80, 0x00,  //
                                 7, 1,  2, 3});
  ASSERT_FALSE(decode_header(Bytes(more), {}, header));
  EXPECT_EQ(print(header.properties), "{priority: 7}");
  const ByteVector endless = bytes({0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1});
  const auto error = decode_header(Bytes(endless), {}, header);
  ASSERT_TRUE(error);
  EXPECT_STREQ(error->what.field, "property_flags");
}

TEST(Header, ErrorsSayWhatToCloseWith) {
  ContentHeader header;
  const auto other =
      decode_header(Bytes(bytes({0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})), {}, header);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->reply, ReplyErrc::unexpected_frame);
  EXPECT_EQ(other->id.class_id, 50);
  const auto weight =
      decode_header(Bytes(bytes({0, 60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})), {}, header);
  ASSERT_TRUE(weight);
  EXPECT_EQ(weight->reply, ReplyErrc::syntax_error);
  EXPECT_STREQ(weight->what.field, "weight");
  EXPECT_EQ(weight->what.offset, 2U);
  EXPECT_TRUE(decode_header(Bytes(), {}, header));
}

TEST(Errors, NumbersNamesAndClasses) {
  EXPECT_EQ(make_error_code(ReplyErrc::precondition_failed).message(),
            "PRECONDITION_FAILED (406): what is there already, or what was asked before, does not "
            "allow it");
  EXPECT_FALSE(make_error_code(ReplyErrc::success));
  EXPECT_STREQ(reply_name(static_cast<ReplyErrc>(599)), "UNKNOWN");
  EXPECT_TRUE(is_hard(static_cast<ReplyErrc>(599)));
  std::set<int> soft, hard;
  for (int code = 0; code < 1000; ++code) {
    const auto reply = static_cast<ReplyErrc>(code);
    if (std::string(reply_name(reply)) == "UNKNOWN") continue;
    EXPECT_STRNE(reply_text(reply), "");
    (is_hard(reply) ? hard : soft).insert(code);
  }
  EXPECT_EQ(hard, (std::set<int>{320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541}));
  EXPECT_EQ(soft, (std::set<int>{200, 311, 312, 313, 403, 404, 405, 406}));
}

}  // namespace
}  // namespace tern::amqp::testing
