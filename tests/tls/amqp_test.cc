// The AMQP engine over TLS in a simulated world: pieces of any size, cuts at any byte, handshakes
// that fail or do not end, and recovery.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "client/amqp/engine.h"
#include "client/amqp/uri.h"
#include "tests/amqp/engine_rig.h"
#include "tests/tls/rig.h"
#include "tests/tls/tls_peer.h"

namespace tern::amqp::testing {
namespace {

using tls::testing::authority;
using tls::testing::peer_identity;
using tls::testing::ServerOptions;
using tls::testing::TlsPeer;

class AmqpsTest : public ::testing::Test {
 protected:
  void make(std::uint64_t seed = 1, const sim::FaultPlan& plan = {},
            const ServerOptions& options = {peer_identity()}) {
    rig.emplace(seed, plan);
    tls_peer = std::make_unique<TlsPeer>(rig->peer.net, Endpoint{"peer", 5671}, rig->peer, options);
    rig->config.tls = true;
    rig->config.stream = tls::openssl({.ca_pem = authority().pem()});
    rig->peer.on_message = [this](ScriptPeer::Session& session,
                                  const ScriptPeer::Message& message) {
      session.send(message.channel, BasicAck{++acked, false});
    };
  }
  Failure publish(ChannelCore& channel, const std::string& body) {
    Ending ending;
    rig->engine();
    const Failure refused = channel.publish({.routing_key = "q"}, {.body = body}, ending.note());
    if (refused) return refused;
    EXPECT_TRUE(rig->wait(ending));
    return ending.failure;
  }

  std::optional<EngineRig> rig;
  std::unique_ptr<TlsPeer> tls_peer;
  std::uint64_t acked = 0;
};

TEST_F(AmqpsTest, PublishesAndSaysGoodbye) {
  make();
  const Failure why = rig->connect();
  ASSERT_FALSE(why) << why.message();
  const auto channel = rig->open_channel();
  EXPECT_FALSE(publish(*channel, "small"));
  EXPECT_FALSE(publish(*channel, std::string(1'000'000, 'x')));
  EXPECT_EQ(rig->peer.messages.back().body.size(), 1'000'000U);
  Ending closed;
  rig->engine().close(closed.note());
  EXPECT_TRUE(rig->wait(closed));
  rig->run_for(seconds(1));
  EXPECT_TRUE(tls_peer->links.back().server.heard_goodbye());
  EXPECT_EQ(tls_peer->links.back().server.error, "");
}

TEST_F(AmqpsTest, AnyPieces) {
  for (const std::uint64_t size : {1, 7, 1000}) {
    sim::FaultPlan plan;
    plan.read_max = plan.write_max = size;
    plan.buffer_bytes = 3000;
    make(size, plan);
    ASSERT_FALSE(rig->connect());
    const auto channel = rig->open_channel();
    EXPECT_FALSE(publish(*channel, std::string(size == 1000 ? 200'000 : 20'000, 'x')));
    rig.reset();
    tls_peer.reset();
    acked = 0;
  }
}

// A reset at any byte of either stream ends in an error that says where; nothing hangs.
TEST_F(AmqpsTest, CutAtAnyByte) {
  for (const int direction : {0, 1}) {
    int connected = 0;
    int in_tls = 0;
    for (std::uint64_t at = 0; at < 2600; at += 101) {
      make(at + 1);
      rig->fabric.cut_new_connections(direction, at);
      const Failure why = rig->connect(seconds(30));
      if (!why) ++connected;
      if (why && why.message().find(": tls: ") != std::string::npos) ++in_tls;
      EXPECT_TRUE(!why || why.code == std::errc::connection_reset) << why.message();
      rig.reset();
      tls_peer.reset();
    }
    EXPECT_GT(in_tls, 3) << direction;
    EXPECT_GT(connected, 3) << direction;
  }
}

TEST_F(AmqpsTest, ErrorsSayWhereAndWhat) {
  make(1, {}, {authority().issue({.name = "elsewhere", .hosts = "DNS:elsewhere"})});
  Failure why = rig->connect();
  EXPECT_EQ(why.code, tls::Errc::certificate_refused);
  EXPECT_TRUE(
      says(why, "peer:5671: tls: the peer's certificate is not accepted: hostname mismatch"));
  EXPECT_TRUE(says(why, "is for elsewhere and not for peer"));

  make(1, {}, {.identity = peer_identity(), .client_authority = authority().pem()});
  why = rig->connect();
  EXPECT_EQ(why.code, tls::Errc::alert);
  EXPECT_TRUE(says(why, "peer:5671: tls: the peer ended TLS with an alert: certificate required"));
}

TEST_F(AmqpsTest, APortWithoutTls) {
  make();
  rig->config.hosts = {{"peer", 5672}};
  rig->peer.on_data = [](ScriptPeer::Session& session) {
    session.in.clear();
    session.send(std::string_view("AMQP\0\0\x09\x01", 8));
  };
  const Failure why = rig->connect();
  EXPECT_EQ(why.code, ClientErrc::not_the_protocol);
  EXPECT_TRUE(says(why, "AMQP without TLS was answered"));
}

TEST_F(AmqpsTest, AHandshakeThatDoesNotEnd) {
  make();
  rig->config.hosts = {{"peer", 5672}};
  rig->peer.deaf = true;
  const Failure why = rig->connect();
  EXPECT_EQ(why.code, ClientErrc::timed_out);
  EXPECT_TRUE(says(why, "within connect_timeout; it was in the TLS handshake"));
}

TEST_F(AmqpsTest, ComesBackAfterACut) {
  make();
  rig->config.recover = true;
  int recovered = 0;
  Failure lost;
  rig->engine().on_recovered([&] { ++recovered; });
  rig->engine().on_lost([&](const Failure& why) { lost = why; });
  ASSERT_FALSE(rig->connect());
  const auto channel = rig->open_channel();
  EXPECT_FALSE(publish(*channel, "before"));
  acked = 0;
  rig->peer.net.close(rig->peer.last().id);  // the end of the stream, but none of TLS
  EXPECT_TRUE(rig->run_until([&] { return recovered == 1; }));
  EXPECT_EQ(lost.code, std::errc::connection_aborted) << lost.message();
  EXPECT_TRUE(says(lost, "no close_notify"));
  EXPECT_TRUE(rig->run_until([&] { return channel->state() == ChannelCore::State::open; }));
  EXPECT_FALSE(publish(*channel, "after"));
  EXPECT_EQ(tls_peer->links.size(), 2U);
}

}  // namespace
}  // namespace tern::amqp::testing
