#include "fuzz/seeds.h"

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/generate.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "protocol/kafka/generate.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/messages/all.h"
#include "protocol/kafka/records.h"

namespace tern::fuzz {
namespace {

using kafka::Random;

// A message with something in each array, if `tries` random ones have such a one among them; not
// larger than `limit`.
template <class M>
std::vector<std::byte> message(Random& random, std::int16_t version, std::size_t limit) {
  std::vector<std::byte> best;
  for (int tries = 0; tries < 40; ++tries) {
    wire::Arena arena(1 << 20);
    const M made = kafka::generate<M>(random, version, arena, {.max_array = 2, .max_text = 20});
    const auto size = kafka::encoded_size(made, version);
    if (!size || size->total > limit || size->total < best.size()) continue;
    best.resize(size->total);
    wire::Writer writer(best);
    kafka::encode(made, version, writer);
  }
  return best;
}

template <class M>
std::string name(std::int16_t version) {
  const std::string what(M::api.name);
  if (M::api.key == kafka::kNoKey) return what + "_" + std::to_string(version);
  return what + (kafka::is_request<M> ? "_request_" : "_response_") + std::to_string(version);
}

// A frame without its size, in front of the selector that kafka_decode wants.
template <class M>
Seed frame(Random& random, std::int16_t version, std::size_t limit) {
  Seed seed;
  const std::int16_t key = M::api.key;
  if constexpr (kafka::is_request<M>) {
    const kafka::RequestHeader header{key, version, 7, wire::Text("tern")};
    std::vector<std::byte> head(kafka::request_header_size(header));
    wire::Writer writer(head);
    kafka::encode_request_header(header, writer);
    seed.u8(0).add(head);
  } else {
    std::vector<std::byte> head(kafka::response_header_size(key, version));
    wire::Writer writer(head);
    kafka::encode_response_header(key, version, 7, writer);
    seed.u8(1).u8(static_cast<unsigned>(key)).u8(static_cast<unsigned>(version)).add(head);
  }
  return seed.add(message<M>(random, version, limit));
}

void decode_seeds() {
  Random random(1);
  kafka::AllMessages::for_each([&]<class M>() {
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      frame<M>(random, v, 260).print("kafka_decode", name<M>(v));
    }
  });
  unsigned index = 0;
  kafka::AllEmbedded::for_each([&]<class M>() {
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      const auto body = message<M>(random, v, 260);
      Seed()
          .u8(2)
          .u8(index)
          .u16(static_cast<unsigned>(v))
          .add(body)
          .print("kafka_decode", name<M>(v));
    }
    const auto body = message<M>(random, M::api.versions.max, 260);
    Seed().u8(2).u8(index).u16(99).add(body).u32(7).print("kafka_decode", name<M>(99));
    Seed().u8(2).u8(index).u16(0x8000).add(body).print("kafka_decode", name<M>(-1));
    ++index;
  });
  const auto broken = [](const char* what, const std::vector<unsigned>& body) {
    Seed seed;  // FindCoordinator request v4
    seed.u8(0).u16(10).u16(4).u32(7).u16(0xffff).u8(0);
    for (const unsigned b : body) seed.u8(b);
    seed.print("kafka_decode", what);
  };
  broken("null_array", {0, 0});
  broken("count_above_input", {0, 4, 1, 1});
  broken("count_of_four_billion", {0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1});
  broken("varint_too_long", {0, 0x80, 0x80, 0x80, 0x80, 0x80, 1});
  broken("varint_above_32_bits", {0, 0xff, 0xff, 0xff, 0xff, 0x1f});
  broken("tag_twice", {0, 1, 2, 9, 0, 9, 0});
  broken("tag_size_wraps", {0, 1, 1, 9, 0xff, 0xff, 0xff, 0xff, 0x0f});
  broken("tag_unknown", {0, 1, 2, 9, 1, 7, 30, 0});
  Seed().u8(0).u16(10).u16(0).u32(7).u16(0xffff).u16(0xfffe).print("kafka_decode",
                                                                   "length_negative");
  Seed().u8(0).u16(10).u16(0).u32(7).u16(0x8000).print("kafka_decode", "client_id_negative");
  Seed().u8(1).u8(3).u8(12).u32(7).u8(2).u8(1).u8(0).u8(5).u8(9).print("kafka_decode",
                                                                       "header_tags_cut");
}

void message_seeds() {
  unsigned index = 0;
  kafka::AllDescribed::for_each([&]<class M>() {
    Seed().u8(index).u64(3 + index).u8(2).u16(140).print("kafka_messages", name<M>(0));
    // Records fields large enough to be sent by reference.
    for (unsigned i = 40; M::api.key >= 0 && M::api.key <= 1 && i < 46; ++i) {
      const std::string title = name<M>(0) + "_large_" + std::to_string(i);
      Seed().u8(index).u64(i).u8(5).u16(4095).print("kafka_messages", title);
    }
    ++index;
  });
}

void tagged_seeds() {
  Random random(2);
  for (unsigned v = 0; v <= 5; ++v) {
    const auto body =
        message<kafka::ApiVersionsResponse>(random, static_cast<std::int16_t>(v), 200);
    Seed().u8(v).add(body).print("tagged", "version_" + std::to_string(v));
  }
  Seed().u8(4).u16(35).u32(1).u16(18).u16(0).u16(4).print("tagged", "fall_back");
  Seed()
      .u8(3)
      .u16(0)
      .u8(2)
      .u16(18)
      .u16(0)
      .u16(4)
      .u8(1)
      .u8(9)
      .u8(1)
      .u8(0xaa)
      .u32(0)
      .u8(2)
      .u8(1)
      .u8(8)
      .u64(5)
      .u8(7)
      .u8(0)
      .print("tagged", "tags_everywhere");
  Seed()
      .u8(3)
      .u16(0)
      .u8(1)
      .u32(0)
      .u8(1)
      .u8(2)
      .u8(9)
      .u8(2)
      .u8(2)
      .text("f")
      .u16(2)
      .u16(1)
      .u8(0)
      .u8(0)
      .print("tagged", "tag_not_filled");
}

void number_seeds() {
  Seed small;
  small.u64(0).u8(0x80).u8(1);
  for (unsigned i = 0; i < 256; ++i) small.u8(i);
  small.print("numbers", "small");
  Seed full;
  full.fill(8, 0xff).u8(0x20).fill(9, 0xff).u8(1);
  for (unsigned i = 0; i < 100; ++i) full.u8(i);
  full.print("numbers", "full");
  Seed().fill(8, 0x7f).u8(0xff).fill(11, 0x80).print("numbers", "too_long");
}

void batch_seeds() {
  const kafka::Header headers[] = {{"trace", "17"}, {"trace", wire::null}, {"", ""}};
  const auto build = [&](kafka::BatchBuilder builder) {
    builder.add({.key = "k", .value = "v", .headers = headers, .timestamp_ms = 1000});
    builder.add({.value = wire::null, .timestamp_ms = 999});
    builder.add_at(45, {.key = "", .value = std::string(100, 'x'), .timestamp_ms = 1001});
    builder.set_last_offset(50);
    return *builder.finish();
  };
  using Options = kafka::BatchBuilder::Options;
  const auto plain = build(kafka::BatchBuilder(Options{.base_offset = 40}));
  const auto packed = build(kafka::BatchBuilder(Options{.base_offset = 40,
                                                        .codec = kafka::gzip(6),
                                                        .producer_id = 9,
                                                        .producer_epoch = 1,
                                                        .base_sequence = 3}));
  kafka::BatchBuilder marker(Options{.base_offset = 51, .transactional = true, .producer_id = 9});
  marker.add_control(kafka::ControlType::abort, 2, 1002);
  const auto control = *marker.finish();
  Seed().u8(200).add(plain).add(packed).add(control).print("records", "batches");
  Seed().u8(128).add(packed).print("records", "packed");
  Seed().u8(128).add(control).print("records", "control");
  Seed().u8(128).add(std::span(plain).first(plain.size() - 1)).print("records", "cut");

  // What others got wrong. A negative batch length; a count beyond the bytes; a length that makes
  // offset + length wrap; a codec nobody named.
  const auto broken = [&](const char* name, std::size_t at, std::vector<unsigned> with) {
    std::vector<std::byte> batch = plain;
    for (const unsigned b : with) batch[at++] = static_cast<std::byte>(b);
    Seed().u8(255).add(batch).print("records", name);
  };
  broken("batch_length_negative", 8, {0xff, 0xff, 0xff, 0xff});
  broken("batch_length_wraps", 8, {0x7f, 0xff, 0xff, 0xff});
  broken("batch_length_short", 8, {0, 0, 0, 48});
  broken("record_count_above_bytes", 57, {0x7f, 0xff, 0xff, 0xff});
  broken("record_count_negative", 57, {0x80, 0, 0, 0});
  broken("last_offset_beyond_int64", 0, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0});
  broken("codec_unknown", 22, {7});
  broken("codec_not_named", 22, {4});
  broken("record_length_above_batch", 61, {0xfe, 0xff, 0xff, 0xff, 0x0f});
}

// An entry of a message set; its checksum is mended by the target.
Seed message(std::uint64_t offset, unsigned magic, unsigned attributes, std::string_view value) {
  Seed body;
  body.u32(0).u8(magic).u8(attributes);
  if (magic == 1) body.u64(1700000000000 + offset);
  body.u32(1).text("k").u32(static_cast<std::uint32_t>(value.size())).text(value);
  Seed entry;
  return entry.u64(offset).u32(static_cast<std::uint32_t>(body.bytes().size())).add(body.bytes());
}

void legacy_seeds() {
  for (const unsigned magic : {0U, 1U}) {
    const std::string format = "v" + std::to_string(magic);
    Seed set;
    for (const unsigned offset : {0U, 1U, 3U}) {
      set.add(message(offset, magic, 0, "value " + std::to_string(offset)).bytes());
    }
    Seed().u8(0).add(set.bytes()).print("legacy", format);
    Seed().u8(100).add(set.bytes()).print("records", "legacy_" + format);
    Seed().u8(2 + magic).u64(103).u64(5).add(set.bytes()).print("legacy", format + "_wrapped");
    Seed().u8(6 + magic).u64(103).u64(5).add(set.bytes()).print("legacy", format + "_append_time");
    // Before its first message: an offset below zero.
    Seed().u8(2 + magic).u64(1).u64(5).add(set.bytes()).print("legacy", format + "_before_zero");
    Seed().u8(2 + magic).u64(9).u64(5).print("legacy", format + "_empty");
    Seed().u8(0).add(std::span(set.bytes()).first(50)).print("legacy", format + "_cut");
    Seed().u8(0).add(message(5, magic, 2, "x").bytes()).print("legacy", format + "_snappy");
    Seed()
        .u8(2 + magic)
        .u64(9)
        .u64(5)
        .add(message(0, magic, 1, "x").bytes())
        .print("legacy", format + "_packed_twice");
  }
  Seed().u8(0).u64(5).u32(13).fill(13, 0).print("legacy", "too_short");
}

void gzip_seeds() {
  const std::string text = "tern tern tern sterna paradisaea tern tern";
  for (const unsigned level : {1U, 6U, 9U}) {
    Seed().u8(level).text(text).print("gzip", "plain_" + std::to_string(level));
  }
  Seed().u8(0).text(text).print("gzip", "no_gzip");
  // A bomb: 2 MiB in 2 KiB, above the target's bound.
  kafka::VectorChunkSink chunks;
  const std::string zeros(std::size_t{1} << 21, '\0');
  const wire::Bytes piece{std::string_view(zeros)};
  const auto size = kafka::gzip(9)->make_compressor()->compress(std::span(&piece, 1), chunks);
  const std::vector<std::byte> bomb = chunks.take(*size);
  Seed().u8(0).add(bomb).print("gzip", "bomb");
  Seed().u8(0).add(std::span(bomb).first(300)).print("gzip", "bomb_cut");
}

void codec_seeds() {
  const std::string text = "tern tern tern sterna paradisaea tern tern";
  const std::string zeros(std::size_t{1} << 17, '\0');
  unsigned number = 0;
  for (const auto& codec : {kafka::lz4(12), kafka::snappy(), kafka::zstd(19)}) {
    const std::string name = kafka::name(codec->id());
    for (const unsigned level : {1U, 9U}) {
      Seed().u8(level << 4 | number).text(text).print("codecs", name + "_" + std::to_string(level));
    }
    Seed().u8(number).text(text).print("codecs", name + "_refused");
    // A bomb, 128 KiB: above the target's bound.
    kafka::VectorChunkSink chunks;
    const wire::Bytes piece{std::string_view(zeros)};
    const auto size = codec->make_compressor()->compress(std::span(&piece, 1), chunks);
    const std::vector<std::byte> bomb = chunks.take(*size);
    Seed().u8(number).add(bomb).print("codecs", name + "_bomb");
    Seed()
        .u8(number)
        .add(std::span(bomb).first(bomb.size() / 2))
        .print("codecs", name + "_bomb_cut");
    ++number;
  }
}

// A part of a stream, as the target `frames` takes it.
Seed part(const std::vector<std::byte>& bytes) {
  return Seed().u16(static_cast<unsigned>(bytes.size())).add(bytes);
}

Seed answer(std::uint32_t id, std::size_t body, bool with_tags = true) {
  Seed seed;
  seed.u32(static_cast<std::uint32_t>(4 + (with_tags ? 1 : 0) + body)).u32(id);
  if (with_tags) seed.u8(0);
  return seed.fill(body, 'a');
}

// What a broker says to ApiVersions: error 0, Metadata up to `metadata` (none if negative).
Seed handshake(std::uint32_t id, unsigned version, int metadata) {
  const kafka::ApiVersionsResponse::ApiVersion keys[] = {
      {18, 0, 4}, {3, 0, static_cast<std::int16_t>(metadata)}};
  kafka::ApiVersionsResponse reply;
  reply.api_keys = {keys, metadata < 0 ? 1U : 2U};
  const auto in = static_cast<std::int16_t>(version);
  std::vector<std::byte> body(kafka::encoded_size(reply, in)->total);
  wire::Writer writer(body);
  kafka::encode(reply, in, writer);
  Seed seed;
  return seed.u32(static_cast<std::uint32_t>(4 + body.size())).u32(id).add(body);
}

void frame_seeds() {
  const auto begin = [](unsigned kinds) {
    Seed seed;
    return seed.u64(kinds + 1).u8(kinds).add(part(handshake(0, 4, 13).bytes()).bytes());
  };
  const auto print = [](Seed seed, const std::vector<std::vector<std::byte>>& parts,
                        const char* name) {
    for (const auto& each : parts) seed.add(part(each).bytes());
    seed.print("frames", name);
  };
  const auto three = answer(1, 20).add(answer(2, 500).bytes()).add(answer(3, 0).bytes()).bytes();
  print(begin(0), {three}, "answers");
  print(begin(0x15), {three}, "answers_kept");
  print(begin(0x3f), {answer(1, 17000).bytes(), answer(2, 1).bytes()}, "answer_large");
  print(begin(0x10), {answer(1, 17000).bytes()}, "answer_larger_than_asked_for");
  print(begin(0), {Seed().u32(0x7fffffff).u32(1).bytes()}, "size_too_large");
  print(begin(0), {Seed().u32(0xffffffff).u32(1).bytes()}, "size_negative");
  print(begin(1), {Seed().u32(99999).u32(1).bytes()}, "size_large_and_nothing_else");
  print(begin(0), {Seed().u32(3).u32(1).bytes()}, "size_below_the_header");
  print(begin(0), {answer(9, 4).bytes()}, "id_of_nobody");
  print(begin(0), {answer(2, 4).bytes()}, "id_of_the_next");
  print(begin(0), {answer(1, 4).add(answer(1, 4).bytes()).bytes()}, "answer_twice");
  const auto refusal = Seed().u32(16).u32(0).u16(35).u32(1).u16(18).u16(0).u16(1).bytes();
  Seed fresh;
  fresh.u64(5).u8(0);
  print(fresh, {refusal, handshake(1, 1, 1).bytes(), answer(2, 9, false).bytes()}, "fall_back");
  print(fresh, {Seed().add(refusal).add(handshake(1, 1, 1).bytes()).bytes()},
        "answer_before_request");
  print(fresh, {Seed().text("HTTP/1.1 400 Bad Request\r\n").bytes()}, "http");
  print(fresh, {Seed().u8(0x15).u8(3).u8(1).u8(0).u8(2).u16(0x0246).bytes()}, "tls_alert");
  print(fresh, {handshake(0, 4, -1).bytes()}, "api_unknown");
  print(fresh, {Seed().u32(6).u32(0).u16(1).bytes()}, "handshake_cut");
  print(fresh, {}, "silence");
}

// Everything that can become of an answer, at different times.
void broker_seeds() {
  Random random(3);
  Seed().u8(0).u8(0).print("hostile_broker", "honest");
  Seed().u8(0x23).u8(0).print("hostile_broker", "honest_in_pieces");
  for (unsigned action = 1; action < 10; ++action) {
    for (unsigned before = 0; before < 12; before += action == 3 || action == 4 ? 1 : 3) {
      Seed seed;
      seed.u8(0).u8(0).fill(before, 0).u8(action);
      for (int i = 0; i < 12; ++i) seed.u8(static_cast<unsigned>(random.below(256)));
      seed.print("hostile_broker",
                 "action_" + std::to_string(action) + "_after_" + std::to_string(before));
    }
  }
  for (unsigned api = 0; api < 12; ++api) {
    for (const unsigned code : {3U, 6U, 1U, 45U, 74U}) {
      Seed().u8(0).u8(1).u8(api).u8(code).print(
          "hostile_broker", "error_" + std::to_string(code) + "_api_" + std::to_string(api));
    }
  }
}

void property_seeds() {
  const auto print = [](const char* name, std::string_view text) {
    Seed().text(text).print("properties", name);
  };
  print("usual",
        "# a file\nbootstrap.servers = a:9092,[::1]:9093\nclient.id=x\nlinger.ms: 5\n"
        "acks all\ncompression.type=gzip\nbatch.size=16384\nbuffer.memory=33554432\n"
        "max.in.flight.requests.per.connection=5\nenable.idempotence=true\n");
  print("consumer",
        "auto.offset.reset=earliest\r\nisolation.level=read_committed\r\nfetch.min.bytes=1\r\n"
        "fetch.max.bytes=52428800\nmax.partition.fetch.bytes=1048576\ncheck.crcs=false\n"
        "max.poll.records=500\nclient.rack=r1\nrequest.timeout.ms=30000\n");
  print("librdkafka",
        "metadata.broker.list=a\nrequest.required.acks=-1\nqueue.buffering.max.ms=0\n"
        "queue.buffering.max.kbytes=1024\nmessage.timeout.ms=1000\ncompression.codec=none\n");
  print("continued", "bootstrap.servers = a:1,\\\n    b:2\\\r\n  ,c:3\n! comment\n");
  print("escapes", "client.id = \\u0041\\t\\\\x\\ud83d\\ude00\n client\\.rack \\= = 1");
  print("escape_cut", "client.id = \\u00");
  print("surrogate_alone", "client.id = \\ud83d x");
  print("number_too_large", "linger.ms=99999999999999999999");
  print("number_negative", "batch.size=-1");
  print("unknown_name", "boostrap.servers=a");
  print("tls",
        "security.protocol=SSL\nssl.ca.location=/ca.pem\nssl.key.pem=x\nssl.key.location=/k\n"
        "ssl.key.password=tern\nenable.ssl.certificate.verification=false\n"
        "ssl.endpoint.identification.algorithm=\n");
  print("secret", "sasl.password=tern\nsecurity.protocol=SASL_SSL\n");
  print("no_value", "acks\nlinger.ms=\n=x\n:\n");
  print("not_utf8", "client.id=\xff\xfe\x80");
}

void amqp_uri_seeds() {
  const auto print = [](const char* name, std::string_view text) {
    Seed().text(text).print("amqp_uri", name);
  };
  print("whole",
        "amqp://user:p%40ss@one:5672,[::1]:5673,three/v%2Fhost?heartbeat=10&connection_timeout=500&"
        "channel_max=9&frame_max=8192&auth_mechanism=amqplain&connection_name=my%20app");
  print("bare", "amqp://");
  print("tls", "amqps://:@/");
  print("raw_at", "amqp://u:p@ss@h");
  print("slash_in_password", "amqp://u:p/ss@h");
  print("two_segments", "amqp://h/a/b");
  print("escape_cut", "amqp://u:%4@h");
  print("unknown_parameter", "amqp://h?cacertfile=x");
  print("no_value", "amqp://h?heartbeat");
  print("port_too_large", "amqp://h:65536");
  print("colon_in_host", "amqp://a%3Ab");
}

template <class M>
std::vector<std::byte> amqp_bytes(const M& message) {
  std::vector<std::byte> bytes(*amqp::encoded_size(message));
  wire::Writer writer(bytes);
  amqp::encode(message, writer);
  return bytes;
}

// A seed for small reads and how much of the handshake goes before; then what the broker says.
Seed amqp_start(unsigned good) { return Seed().u64(7).u8(good); }

template <class M>
void add_method(Seed& seed, std::uint16_t channel, const M& message) {
  const std::vector<std::byte> bytes = amqp_bytes(message);
  seed.u8(1).u16(channel).u32(static_cast<std::uint32_t>(bytes.size())).add(bytes).u8(0xce);
}

void add_content(Seed& seed, std::uint16_t channel, const std::string& body) {
  constexpr std::size_t kFrameMax = 8192;
  const amqp::ContentHeader header{body.size(), {.content_type = "text/plain"}};
  const std::vector<std::byte> bytes = amqp_bytes(header);
  seed.u8(2).u16(channel).u32(static_cast<std::uint32_t>(bytes.size())).add(bytes).u8(0xce);
  for (std::size_t at = 0; at < body.size(); at += kFrameMax - 8) {
    const std::string piece = body.substr(at, kFrameMax - 8);
    seed.u8(3).u16(channel).u32(static_cast<std::uint32_t>(piece.size())).text(piece).u8(0xce);
  }
}

void amqp_connection_seeds() {
  const auto print = [](const Seed& seed, const char* name) {
    seed.print("amqp_connection", name);
  };
  Seed usual = amqp_start(8);
  add_method(usual, 1, amqp::BasicDeliver{"t", 1, false, "e", "k"});
  add_content(usual, 1, "hello");
  add_method(usual, 1, amqp::BasicDeliver{"t", 2, true, "", "q"});
  add_content(usual, 1, std::string(20'000, 'x'));
  add_method(usual, 1, amqp::BasicGetOk{3, false, "", "q", 0});
  add_content(usual, 1, "");
  add_method(usual, 1, amqp::QueuePurgeOk{5});
  add_method(usual, 1, amqp::BasicAck{2, true});
  usual.text(amqp::kHeartbeatFrame);
  add_method(usual, 1, amqp::BasicCancel{"t", true});
  print(usual, "usual");
  Seed returned = amqp_start(8);
  add_method(returned, 1, amqp::BasicReturn{312, "NO_ROUTE", "", "q"});
  const std::vector<std::byte> header = amqp_bytes(amqp::ContentHeader{1, {}});
  returned.u8(2).u16(1).u32(static_cast<std::uint32_t>(header.size())).add(header).u8(0xce);
  returned.u8(3).u16(1).u32(1).text("m").u8(0xce);
  add_method(returned, 1, amqp::BasicNack{1, false, false});
  add_method(returned, 1, amqp::BasicAck{2, false});
  print(returned, "returned");
  Seed channel_closed = amqp_start(8);
  add_method(channel_closed, 1, amqp::ChannelClose{404, "NOT_FOUND - no queue", 50, 10});
  add_method(channel_closed, 1, amqp::BasicAck{1, false});
  print(channel_closed, "channel_closed");
  Seed closed = amqp_start(5);
  add_method(closed, 0, amqp::ConnectionBlocked{"low on memory"});
  add_method(closed, 0, amqp::ConnectionUnblocked());
  add_method(closed, 0, amqp::ConnectionClose{320, "CONNECTION_FORCED", 0, 0});
  print(closed, "closed");
  Seed refused = amqp_start(1);
  add_method(refused, 0, amqp::ConnectionClose{403, "ACCESS_REFUSED", 0, 0});
  print(refused, "refused");
  Seed turned = amqp_start(4);
  add_method(turned, 0, amqp::ConnectionTune{1, 4096, 1});
  print(turned, "out_of_turn");
  Seed announced = amqp_start(8);
  add_method(announced, 1, amqp::BasicDeliver{"t", 1, false, "", ""});
  announced.u8(2).u16(1).u32(14).u16(60).u16(0).u64(std::uint64_t{1} << 39).u16(0).u8(0xce);
  announced.u8(3).u16(1).u32(8000).fill(5000, 'x');
  print(announced, "announced_only");
  print(amqp_start(0).text("HTTP/1.1 400 Bad Request\r\n\r\n"), "http");
  print(amqp_start(0).text(std::string_view("AMQP\x00\x01\x00\x00", 8)), "amqp_1_0");
  Seed confirmed = amqp_start(5);
  add_method(confirmed, 1, amqp::BasicAck{9, true});
  print(confirmed, "confirmed_what_was_not_there");
  Seed nothing = amqp_start(8);
  print(nothing, "nothing");
}

// The largest of some that is no larger than 260 bytes.
template <class Make>
std::vector<std::byte> largest(Random& random, Make make) {
  std::vector<std::byte> best;
  for (int tries = 0; tries < 40; ++tries) {
    wire::Arena arena(1 << 20);
    amqp::Generator generator(random, arena, {.max_fields = 3, .max_depth = 3, .max_long = 40});
    const std::vector<std::byte> bytes = amqp_bytes(make(generator));
    if (bytes.size() <= 260 && bytes.size() > best.size()) best = bytes;
  }
  return best;
}

void amqp_decode_seeds() {
  const auto print = [](const Seed& seed, const std::string& name) {
    seed.print("amqp_decode", name);
  };
  Random random(5);
  unsigned index = 0;
  amqp::AllMethods::for_each([&]<class M>() {
    const auto bytes =
        largest(random, [](amqp::Generator& generator) { return generator.method<M>(); });
    print(Seed().u8(0).add(bytes), M::method.name);
    print(Seed().u8(4).u8(index).u64(index), std::string(M::method.name) + "_generated");
    ++index;
  });
  for (const char* name : {"header_1", "header_2"}) {
    const auto bytes =
        largest(random, [](amqp::Generator& generator) { return generator.header(); });
    print(Seed().u8(1).add(bytes), name);
    print(Seed().u8(1).add(bytes).u16(0x0102), std::string(name) + "_and_more");
  }
  print(Seed().u8(4).u8(index).u64(2), "header_generated");
  print(Seed().u8(1).u16(60).u16(0).u64(3).u16(1).u16(0x8000).text(std::string_view("\3a/b", 4)),
        "header_more_flags");
  print(Seed().u8(1).u16(50).u16(0).u64(3).u16(0), "header_of_another_class");
  print(Seed().u8(1).u16(60).u16(7).u64(3).u16(0), "header_weight");
  print(Seed().u8(0).u16(60).u16(99), "unknown_method");
  print(Seed().u8(0).u16(60).u16(11).u8(1), "more_than_the_method");

  amqp::TableBuilder inner, all;
  inner.add("a", 1).add("a", "twice");
  amqp::ArrayBuilder array;
  array.add("x").add(wire::null).add(amqp::Value(*inner.table()));
  all.add("none", wire::null).add("t", true).add("b", std::int8_t{-1}).add("B", std::uint8_t{200});
  all.add("s", std::int16_t{-2}).add("u", std::uint16_t{65535}).add("I", -3);
  all.add("i", 4'000'000'000U).add("l", std::int64_t{-4}).add("f", 1.5F).add("d", 2.5);
  all.add("D", amqp::Decimal{2, 314}).add("S", "text").add("x", wire::Bytes("bytes"));
  all.add("A", amqp::Value(*array.array())).add("T", amqp::Timestamp{1'700'000'000});
  all.add("F", amqp::Value(*inner.table()));
  std::vector<std::byte> bytes(amqp::encoded_size(*all.table()));
  wire::Writer writer(bytes);
  amqp::encode_table(*all.table(), writer);
  print(Seed().u8(2).add(std::span(bytes).subspan(4)), "table_of_all");
  print(Seed().u8(2).u8(1).text("aL").u64(9), "table_old_tag");
  print(Seed().u8(2).u8(1).text("at").u8(7), "table_other_truth");
  print(Seed().u8(2).u8(9).text("a"), "table_name_too_long");
  print(Seed().u8(2).u8(1).text("a"), "table_no_value");
  print(Seed().u8(2).u8(1).text("a?"), "table_unknown_tag");
  print(Seed().u8(2).u8(1).text("aS").u32(1000).text("x"), "table_length_beyond");
  print(Seed().u8(2).u8(1).text("aS").u32(0xffffffff), "table_length_largest");
  Seed deep;
  for (std::uint32_t left = 40; left > 0; left -= 5) deep.text("A").u32(left - 5);
  print(Seed().u8(2).u8(1).text("a").add(deep.bytes()), "table_deep");
  print(Seed().u8(2).u8(0).text("S").u32(700).fill(700, 'x'), "table_large");

  const auto frame = [](Seed& seed, unsigned type, unsigned channel, std::string_view payload) {
    seed.u8(type).u16(channel).u32(static_cast<std::uint32_t>(payload.size())).text(payload);
    seed.u8(0xce);
  };
  const auto stream = [](unsigned from, unsigned limit) {
    return Seed().u8(3).u8(from).u16(limit);
  };
  Seed frames;
  frame(frames, 1, 1, "method");
  frame(frames, 2, 1, "header of this");
  frame(frames, 3, 1, "body");
  frame(frames, 3, 1, "");
  frames.text(amqp::kHeartbeatFrame);
  print(stream(1, 100).add(frames.bytes()), "stream");
  print(stream(0, 100).text(amqp::kProtocolHeader).add(frames.bytes()), "stream_of_a_client");
  print(stream(1, 100).text(std::string_view("AMQP\x00\x01\x00\x00", 8)), "stream_refused");
  print(stream(0, 100).text("AMQX"), "stream_other_protocol");
  print(stream(1, 20).add(frames.bytes()).u8(3).u16(1).u32(30), "stream_too_large");
  print(stream(1, 100).u8(4).u16(1).u32(0), "stream_unknown_type");
  print(stream(1, 100).u8(8).u16(1).u32(0).u8(0xce), "stream_heartbeat_on_a_channel");
  print(stream(1, 100).u8(3).u16(0).u32(0).u8(0xce), "stream_body_without_a_channel");
  print(stream(1, 100).u8(8).u16(0).u32(5), "stream_heartbeat_with_more");
  print(stream(1, 100).u8(1).u16(0).u32(4).u32(1).u8(0xcd), "stream_bad_end");
  print(stream(1, 100).u8(1).u16(0).u32(20).u16(1), "stream_cut_off");
}

}  // namespace
}  // namespace tern::fuzz

int main() {
  tern::fuzz::frame_seeds();
  tern::fuzz::broker_seeds();
  tern::fuzz::property_seeds();
  tern::fuzz::amqp_uri_seeds();
  tern::fuzz::amqp_connection_seeds();
  tern::fuzz::amqp_decode_seeds();
  tern::fuzz::decode_seeds();
  tern::fuzz::message_seeds();
  tern::fuzz::tagged_seeds();
  tern::fuzz::number_seeds();
  tern::fuzz::gzip_seeds();
  tern::fuzz::codec_seeds();
  tern::fuzz::batch_seeds();
  tern::fuzz::legacy_seeds();
  return 0;
}
