// TLS streams against a server of OpenSSL's, byte for byte.
#include <gtest/gtest.h>

#include <string>
#include <system_error>

#include "tests/tls/rig.h"

namespace tern::tls::testing {
namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
  return text;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void expect_refused(const Rig& rig, std::error_code why, std::string_view words) {
  EXPECT_EQ(rig.link.opened, 0);
  EXPECT_EQ(rig.link.closed, 1);
  EXPECT_EQ(rig.link.stage, Stage::tls);
  EXPECT_EQ(rig.link.why, why) << rig.link.why.message();
  EXPECT_TRUE(has(rig.words, words)) << rig.words;
}

TEST(Stream, BytesBothWays) {
  Rig rig(Rig::trusting());
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
  EXPECT_EQ(rig.server.version(), "TLSv1.3");
  EXPECT_EQ(rig.server.asked_for(), "peer");
  rig.link.send("hello");
  rig.server.send("welcome");
  rig.move();
  EXPECT_EQ(rig.server.received, "hello");
  EXPECT_EQ(rig.link.received, "welcome");
  EXPECT_EQ(rig.link.written, 5U);
}

TEST(Stream, OldestVersionIs1Point2) {
  Rig rig(Rig::trusting(), {.identity = peer_identity(), .max_version = TLS1_2_VERSION});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
  EXPECT_EQ(rig.server.version(), "TLSv1.2");
  rig.server.send("x");
  rig.move();
  EXPECT_EQ(rig.link.received, "x");
}

TEST(Stream, AServerOf1Point1IsRefused) {
  Rig rig(
      Rig::trusting(),
      {.identity = peer_identity(), .min_version = TLS1_VERSION, .max_version = TLS1_1_VERSION});
  rig.handshake();
  expect_refused(rig, rig.link.why, "");
  EXPECT_TRUE(rig.link.why == Errc::broken || rig.link.why == Errc::alert);
  EXPECT_TRUE(has(rig.words, "protocol")) << rig.words;
}

// Pieces of any size, in both directions, of messages small and large.
TEST(Stream, AnyPieces) {
  for (const std::size_t chunk : {1, 2, 5, 1000, 16'411}) {
    SCOPED_TRACE(chunk);
    Rig rig(Rig::trusting());
    rig.handshake(chunk);
    ASSERT_EQ(rig.link.opened, 1);
    const std::string small = pattern(700);
    const std::string large = pattern(chunk < 100 ? 20'000 : 1'000'000);
    rig.link.send(small, 1);
    rig.link.send(large, 50'001);
    rig.server.send(large);
    rig.move(chunk);
    EXPECT_TRUE(rig.server.received == small + large);
    EXPECT_TRUE(rig.link.received == large);
    EXPECT_EQ(rig.link.written, small.size() + large.size());
  }
}

// Small pieces share records: a header and a thousand small bodies are no thousand records.
TEST(Stream, SmallPiecesAreEncryptedTogether) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.send(pattern(10'000), 10);
  const std::string out = rig.wire.collect(1 << 20, 1 << 20);
  EXPECT_LT(out.size(), 10'100U);
  rig.server.feed(out);
  EXPECT_TRUE(rig.server.received == pattern(10'000));
}

// With a peer that does not read, no more than a batch is encrypted, and nothing is said to have
// gone out before it has.
TEST(Stream, BackPressure) {
  Rig rig(Rig::trusting());
  rig.handshake();
  const std::string text = pattern(3'000'000);
  rig.link.send(text, 100'000);
  std::string out;
  std::size_t before = 0;
  for (int i = 0; i < 20; ++i) {
    out = rig.wire.collect(1000, 1000);
    EXPECT_EQ(out.size(), 1000U);
    rig.server.feed(out);
    EXPECT_LE(rig.link.written, before);
    before = rig.server.received.size() + 16'384;
  }
  EXPECT_EQ(rig.link.written, 0U) << "a batch is 64 KiB";
  EXPECT_EQ(rig.link.gathers, 1);
  rig.move();
  EXPECT_TRUE(rig.server.received == text);
  EXPECT_EQ(rig.link.written, text.size());
}

TEST(Stream, WritingAsSoonAsOpen) {
  Rig rig(Rig::trusting());
  rig.link.at_open = [&] { rig.link.send("first"); };
  rig.handshake();
  EXPECT_EQ(rig.server.received, "first");
}

TEST(Stream, WritingAskedForBefore) {
  Rig rig(Rig::trusting());
  rig.link.send("early");
  rig.handshake();
  EXPECT_EQ(rig.server.received, "early");
}

// What was read before a pause is given when it is over, though nothing more arrives, and not from
// inside a call.
TEST(Stream, PausedReading) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.read_bytes = 1000;
  rig.link.at_read = [&] {
    if (rig.link.received.size() == 3000)
      rig.side.call([&] { rig.network->pause_read(rig.link.id, true); });
  };
  rig.server.send(pattern(40'000));
  rig.move();
  EXPECT_EQ(rig.link.received.size(), 3000U);
  EXPECT_TRUE(rig.wire.paused);
  const int wakes = rig.wire.wakes;
  rig.side.call([&] { rig.network->pause_read(rig.link.id, false); });
  EXPECT_EQ(rig.link.received.size(), 3000U);
  EXPECT_GT(rig.wire.wakes, wakes);
  EXPECT_FALSE(rig.wire.paused);
  EXPECT_LE(rig.timers.next(), rig.wire.time.mono);
  rig.pass(Duration::zero());
  rig.move();
  EXPECT_TRUE(rig.link.received == pattern(40'000));
}

// -------------------------------------------------------------------------------- certificates

TEST(Stream, WrongHost) {
  Rig rig(Rig::trusting(),
          {authority().issue({.name = "other", .hosts = "DNS:other,DNS:*.b,IP:10.1.2.3,IP:::1"})});
  rig.handshake();
  expect_refused(rig, Errc::certificate_refused, "hostname mismatch");
  EXPECT_TRUE(has(rig.words, "CN=other")) << rig.words;
  EXPECT_TRUE(has(rig.words, "is for other, *.b, 10.1.2.3, ::1 and not for peer")) << rig.words;
  EXPECT_FALSE(rig.server.error.empty()) << "the peer is told by an alert";
}

TEST(Stream, ANameInTheCommonNameAloneIsTakenAsOpensslDoes) {
  Rig rig(Rig::trusting(), {authority().issue({.hosts = ""})});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
}

TEST(Stream, WildcardsAndAddresses) {
  const ServerOptions server{
      authority().issue({.name = "x", .hosts = "DNS:*.b.example,IP:127.0.0.1,IP:::1"})};
  const auto opens = [&](const std::string& host) {
    Rig rig(Rig::trusting(), server, {host, 5671});
    rig.handshake();
    EXPECT_EQ(rig.server.asked_for(),
              host.find_first_not_of("0123456789.:") == host.npos ? "" : host);
    return rig.link.opened == 1;
  };
  EXPECT_TRUE(opens("a.b.example"));
  EXPECT_FALSE(opens("a.a.b.example"));
  EXPECT_FALSE(opens("b.example"));
  EXPECT_TRUE(opens("127.0.0.1"));
  EXPECT_FALSE(opens("127.0.0.2"));
  EXPECT_TRUE(opens("::1"));
}

TEST(Stream, AnotherNameMayBeExpected) {
  TlsOptions options = Rig::trusting();
  options.server_name = "peer";
  Rig rig(options, {peer_identity()}, {"10.0.0.1", 5671});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
  EXPECT_EQ(rig.server.asked_for(), "peer");
}

TEST(Stream, AnyName) {
  TlsOptions options = Rig::trusting();
  options.check_name = false;
  Rig rig(options, {peer_identity()}, {"elsewhere", 5671});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
  EXPECT_EQ(rig.server.asked_for(), "");
}

TEST(Stream, Expired) {
  Rig rig(Rig::trusting(), {authority().issue({.from = -7200, .until = -3600})});
  rig.handshake();
  expect_refused(rig, Errc::certificate_refused, "certificate has expired (that of CN=peer");
}

TEST(Stream, NotYetValid) {
  Rig rig(Rig::trusting(), {authority().issue({.from = 3600, .until = 7200})});
  rig.handshake();
  expect_refused(rig, Errc::certificate_refused, "not yet valid");
}

TEST(Stream, UnknownAuthority) {
  static const Authority stranger("a stranger");
  Rig rig(Rig::trusting(), {stranger.issue({})});
  rig.handshake();
  expect_refused(rig, Errc::certificate_refused, "issued by CN=a stranger");
  // Without options it is the system that trusts.
  Rig plain({});
  plain.handshake();
  expect_refused(plain, Errc::certificate_refused, "unable to get local issuer certificate");
}

TEST(Stream, TrustIsNotNeededIfSaidSo) {
  Rig rig({.verify_peer = false}, {authority().issue({.hosts = "DNS:other", .until = -60})});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
}

TEST(Stream, ACertificateMayBeTrustedItself) {
  Rig rig({.ca_pem = peer_identity().certificate});
  rig.handshake();
  EXPECT_EQ(rig.link.opened, 1);
}

TEST(Stream, ClientCertificate) {
  const Identity client = authority().issue({.name = "me"}, "secret");
  TlsOptions options = Rig::trusting();
  options.certificate_pem = client.certificate;
  options.key_pem = client.key;
  options.key_password = "secret";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Rig rig(options, {.identity = peer_identity(),
                      .client_authority = authority().pem(),
                      .max_version = version});
    rig.handshake();
    EXPECT_EQ(rig.link.opened, 1);
    EXPECT_EQ(rig.server.client_name(), "me");
  }
}

// In 1.3 the client has finished when the server looks at its certificate.
TEST(Stream, TheServerRefusesTheClient) {
  static const Authority stranger("a stranger");
  const Identity client = stranger.issue({.name = "me"});
  for (const bool has_one : {false, true}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsOptions options = Rig::trusting();
      if (has_one) {
        options.certificate_pem = client.certificate;
        options.key_pem = client.key;
      }
      Rig rig(options, {.identity = peer_identity(),
                        .client_authority = authority().pem(),
                        .max_version = version});
      rig.handshake();
      EXPECT_EQ(rig.link.opened, version == TLS1_3_VERSION ? 1 : 0);
      EXPECT_EQ(rig.link.closed, 1);
      EXPECT_EQ(rig.link.stage, Stage::tls);
      EXPECT_EQ(rig.link.why, Errc::alert);
      const char* const words = has_one ? "unknown ca (48)"
                                        : (version == TLS1_3_VERSION ? "certificate required (116)"
                                                                     : "handshake failure (40)");
      EXPECT_TRUE(has(rig.words, words)) << rig.words;
    }
  }
}

// ---------------------------------------------------------------------------------------- the end

TEST(Stream, OurEndIsSaid) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.close();
  EXPECT_EQ(rig.link.closed, 0);
  rig.move();
  EXPECT_TRUE(rig.server.heard_goodbye());
  EXPECT_EQ(rig.link.closed, 1);
  EXPECT_EQ(rig.link.why, std::errc::operation_canceled);
}

TEST(Stream, NobodyWaitsForOurEndForEver) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.close();
  EXPECT_FALSE(rig.wire.closing);
  rig.pass(std::chrono::milliseconds(999));
  EXPECT_FALSE(rig.wire.closing);
  rig.pass(std::chrono::milliseconds(1));
  EXPECT_TRUE(rig.wire.closing);
  rig.wire.end();
  EXPECT_EQ(rig.link.why, std::errc::operation_canceled);
}

TEST(Stream, BehindAFullSocketOurEndIsNotSaid) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.send(pattern(100'000));
  rig.wire.collect(1000, 1000);
  rig.link.close();
  EXPECT_TRUE(rig.wire.closing);
}

TEST(Stream, AfterOurEndNothingIsHeard) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.link.close();
  rig.server.send("too late");
  rig.move();
  EXPECT_EQ(rig.link.received, "");
}

TEST(Stream, ThePeersEnd) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.server.send("last words");
  rig.server.say_goodbye();
  rig.move();
  EXPECT_EQ(rig.link.received, "last words");
  EXPECT_EQ(rig.link.closed, 1);
  EXPECT_EQ(rig.link.stage, Stage::protocol);
  EXPECT_EQ(rig.link.why, std::errc::connection_aborted);
  EXPECT_TRUE(rig.server.heard_goodbye()) << "it is answered";
}

TEST(Stream, CutOff) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.server.send("last words");
  rig.move();
  rig.wire.end();
  EXPECT_EQ(rig.link.received, "last words");
  EXPECT_EQ(rig.link.stage, Stage::tls);
  EXPECT_EQ(rig.link.why, std::errc::connection_aborted);
  EXPECT_EQ(rig.link.why, Condition::retriable);
  EXPECT_TRUE(has(rig.words, "close_notify")) << rig.words;
}

TEST(Stream, CutOffInTheHandshake) {
  Rig silent(Rig::trusting());
  silent.connect();
  silent.wire.end(std::make_error_code(std::errc::connection_reset));
  expect_refused(silent, std::make_error_code(std::errc::connection_reset), "a port without TLS?");

  Rig rig(Rig::trusting());
  rig.connect();
  rig.server.feed(rig.wire.collect(1 << 20, 1 << 20));
  rig.wire.deliver(rig.server.take().substr(0, 100), 1 << 20);
  rig.wire.end();
  expect_refused(rig, std::make_error_code(std::errc::connection_aborted), "in the TLS handshake");
}

TEST(Stream, ClosedInTheHandshake) {
  Rig rig(Rig::trusting());
  rig.connect();
  rig.link.close();
  EXPECT_TRUE(rig.wire.closing);
  rig.wire.end();
  EXPECT_EQ(rig.link.why, std::errc::operation_canceled);
  EXPECT_TRUE(has(rig.words, "in the TLS handshake"));
}

TEST(Stream, NoConnectionNoTls) {
  Rig rig(Rig::trusting());
  std::exchange(rig.wire.link, nullptr)
      ->on_closed(Stage::dns, std::make_error_code(std::errc::host_unreachable), rig.wire.time);
  EXPECT_EQ(rig.link.stage, Stage::dns);
  EXPECT_EQ(rig.link.why, std::errc::host_unreachable);
  EXPECT_EQ(rig.words, "");
}

// -------------------------------------------------------------------------------------- bad peers

TEST(Stream, SomethingElseAnswers) {
  for (const auto& [bytes, words] :
       {std::pair<std::string, const char*>{std::string("AMQP\0\0\x09\x01", 8), "AMQP without TLS"},
        {"HTTP/1.1 400 Bad Request\r\n", "HTTP without TLS"},
        {"SSH-2.0", "something else"},
        {"\x16garbage that is as long as a record's header", ""},
        {std::string(100, '\0'), "something else"}}) {
    Rig rig(Rig::trusting());
    rig.connect();
    rig.wire.collect(1 << 20, 1 << 20);
    rig.wire.deliver(bytes, 1 << 20);
    rig.wire.collect(1 << 20, 1 << 20);
    ASSERT_TRUE(rig.wire.closing);
    rig.wire.end();
    const std::error_code why = bytes[0] == '\x16' ? make_error_code(Errc::broken)
                                                   : make_error_code(ClientErrc::not_the_protocol);
    expect_refused(rig, why, words);
  }
}

// One flipped bit anywhere in what the server sends: the handshake or the record fails, and the
// engine gets nothing that was not sent.
TEST(Stream, TamperedWith) {
  int broken = 0;
  for (std::size_t at = 0; at < 1000; at += 7) {
    Rig rig(Rig::trusting());
    rig.connect();
    std::size_t seen = 0;
    bool sent = false;
    for (bool more = true; more && !rig.wire.closing;) {
      const std::string out = rig.wire.collect(1 << 20, 1 << 20);
      if (!out.empty()) rig.server.feed(out);
      if (rig.link.opened == 1 && !std::exchange(sent, true)) rig.server.send("hello");
      std::string in = rig.server.take();
      if (at >= seen && at - seen < in.size()) in[at - seen] ^= 0x10;
      seen += in.size();
      more = !out.empty() || !in.empty();
      rig.wire.deliver(in, 1 << 20);
    }
    EXPECT_TRUE(rig.link.received.empty() || rig.link.received == "hello") << at;
    if (rig.wire.closing) ++broken;
  }
  EXPECT_GT(broken, 50);
}

TEST(Stream, ABrokenRecordEndsIt) {
  Rig rig(Rig::trusting());
  rig.handshake();
  rig.server.send("good");
  std::string bytes = rig.server.take();
  rig.server.send("bad");
  std::string bad = rig.server.take();
  bad.back() ^= 1;
  rig.wire.deliver(bytes + bad, 1 << 20);
  rig.server.feed(rig.wire.collect(1 << 20, 1 << 20));
  EXPECT_TRUE(has(rig.server.error, "bad record mac")) << rig.server.error;
  ASSERT_TRUE(rig.wire.closing);
  rig.wire.end();
  EXPECT_EQ(rig.link.received, "good");
  EXPECT_EQ(rig.link.stage, Stage::tls);
  EXPECT_EQ(rig.link.why, Errc::broken);
}

TEST(Stream, NewKeys) {
  Rig rig(Rig::trusting());
  rig.handshake();
  for (int i = 0; i < 5; ++i) {
    rig.server.update_keys();
    rig.server.send("b");
    rig.link.send("a");
    rig.move();
  }
  EXPECT_EQ(rig.link.received, "bbbbb");
  EXPECT_EQ(rig.server.received, "aaaaa");
  EXPECT_EQ(rig.link.closed, 0);
}

// It is refused by a warning, and OpenSSL's server ends the connection over it.
TEST(Stream, RenegotiationIsRefused) {
  Rig rig(Rig::trusting(), {.identity = peer_identity(), .max_version = TLS1_2_VERSION});
  rig.handshake();
  rig.server.renegotiate();
  const std::string request = rig.server.take();
  EXPECT_FALSE(request.empty());
  rig.wire.deliver(request, 1 << 20);
  EXPECT_FALSE(rig.wire.closing);
  rig.server.feed(rig.wire.collect(1 << 20, 1 << 20));
  EXPECT_TRUE(has(rig.server.error, "no renegotiation")) << rig.server.error;
  rig.move();
  EXPECT_EQ(rig.link.why, Errc::alert);
}

TEST(Stream, TheNextOneIsOpenedFromTheEndOfTheFirst) {
  Rig rig(Rig::trusting());
  rig.handshake();
  contract::TestLink* second = nullptr;
  rig.link.at_closed = [&] { second = &rig.side.open({"peer", 5671}); };
  rig.wire.end();
  ASSERT_TRUE(second);
  rig.wire.link->on_open(rig.wire.time);
  EXPECT_TRUE(rig.wire.write_wanted);
  EXPECT_EQ(rig.link.closed, 1);
}

TEST(Stream, ItDoesNotListen) {
  Rig rig(Rig::trusting());
  std::error_code error;
  EXPECT_FALSE(rig.network->listen({"peer", 0}, rig.side, error));
  EXPECT_EQ(error, std::errc::operation_not_supported);
}

}  // namespace
}  // namespace tern::tls::testing
