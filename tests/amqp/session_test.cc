// A session against peers that log it in, refuse it, are somebody else, fall silent or lie.
#include "client/amqp/session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/amqp/engine_rig.h"

namespace tern::amqp::testing {
namespace {

class SessionTest : public ::testing::Test {
 protected:
  // The peer says this as soon as it hears anything, and then nothing.
  void peer_says(std::string bytes) {
    rig.peer.on_data = [bytes = std::move(bytes)](ScriptPeer::Session& session) {
      if (session.in.empty()) return;
      session.in.clear();
      session.send(bytes);
    };
  }
  // The peer answers `when` with `what`, instead of as usual.
  template <class M>
  void peer_answers(MethodId when, std::uint16_t channel, const M& what) {
    rig.peer.on_method = [=](ScriptPeer::Session& session, std::uint16_t, MethodId id,
                             wire::Bytes) {
      if (id != when) return false;
      session.send(channel, what);
      return true;
    };
  }
  const Tuning& tuning() { return rig.engine().session().tuning(); }

  EngineRig rig;
};

// ------------------------------------------------------------------------------- the handshake

TEST_F(SessionTest, LogsInAndSaysWhoItIs) {
  rig.config.connection_name = "my app";
  rig.config.virtual_host = "v/1";
  rig.config.credentials = {"me", "secret"};
  std::string text;
  rig.peer.on_method = [&](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes payload) {
    ConnectionStartOk ok;
    if (id == ConnectionStartOk::method.id && !decode_method(payload, {}, ok)) {
      text = ok.response.str();
    }
    return false;
  };
  EXPECT_FALSE(rig.connect());
  EXPECT_TRUE(rig.engine().is_connected());
  EXPECT_EQ(text, std::string("\0me\0secret", 10));
  ASSERT_EQ(rig.peer.said.size(), 4U);
  EXPECT_EQ(rig.peer.said[0], "protocol header");
  for (const char* words :
       {"mechanism: \"PLAIN\"", "response: ***", "locale: \"en_US\"", "\"product\": S \"tern\"",
        "\"connection_name\": S \"my app\"", "\"authentication_failure_close\": t true",
        "\"connection.blocked\": t true", "\"consumer_cancel_notify\": t true",
        "\"publisher_confirms\": t true", "\"basic.nack\": t true"}) {
    EXPECT_NE(rig.peer.said[1].find(words), std::string::npos) << words << "\n" << rig.peer.said[1];
  }
  EXPECT_EQ(rig.peer.said[2],
            "0 connection.tune-ok{channel_max: 2047, frame_max: 131072, heartbeat: 60}");
  EXPECT_EQ(rig.peer.said[3], "0 connection.open{virtual_host: \"v/1\"}");
  const ServerInfo& server = rig.engine().session().server();
  EXPECT_EQ(server.product, "RabbitMQ");
  EXPECT_EQ(server.version, "3.10.8");
  EXPECT_TRUE(server.publisher_confirms && server.exchange_exchange_bindings && server.basic_nack &&
              server.consumer_cancel_notify);
}

TEST_F(SessionTest, OtherMechanisms) {
  std::vector<std::string> responses;
  rig.peer.on_method = [&](ScriptPeer::Session&, std::uint16_t, MethodId id, wire::Bytes payload) {
    ConnectionStartOk ok;
    if (id == ConnectionStartOk::method.id && !decode_method(payload, {}, ok)) {
      responses.push_back(ok.mechanism.str() + " " + ok.response.str());
    }
    return false;
  };
  rig.config.mechanism = Mechanism::amqplain;
  EXPECT_FALSE(rig.connect());
  rig.destroy();
  rig.config.mechanism = Mechanism::external;
  EXPECT_FALSE(rig.connect());
  ASSERT_EQ(responses.size(), 2U);
  EXPECT_EQ(responses[0],
            std::string("AMQPLAIN \x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest", 44));
  EXPECT_EQ(responses[1], "EXTERNAL ");
}

TEST_F(SessionTest, CredentialsAreAskedForEachTime) {
  int asked = 0;
  rig.config.ask_credentials = [&asked] {
    ++asked;
    return Credentials{"me", "token " + std::to_string(asked)};
  };
  EXPECT_FALSE(rig.connect());
  rig.peer.last().close_when_sent = true;
  rig.peer.last().send(0, ConnectionUnblocked());
  EXPECT_TRUE(rig.run_until([&] { return !rig.engine().is_connected(); }));
  rig.run_for(seconds(1));
  EXPECT_FALSE(rig.connect());
  EXPECT_EQ(asked, 2);
}

TEST_F(SessionTest, TheLowerOfBothIsAgreedOn) {
  const struct {
    ConnectionTune server;
    Tuning ours, agreed;
  } cases[] = {
      {{10, 8192, 20}, {100, 4096, seconds(30)}, {10, 4096, seconds(20)}},
      {{100, 4096, 30}, {10, 8192, seconds(20)}, {10, 4096, seconds(20)}},
      {{0, 0, 0}, {7, 9000, seconds(5)}, {7, 9000, seconds(5)}},
      {{0, 0, 0}, {7, 9000, seconds(0)}, {7, 9000, seconds(0)}},
      {{5, 4096, 60}, {7, 9000, seconds(0)}, {5, 4096, seconds(60)}},
      {{65535, 0xffffffff, 65535},
       {65535, 131'072, seconds(65535)},
       {65535, 131'072, seconds(65535)}},
  };
  for (const auto& each : cases) {
    rig.destroy();
    rig.peer.tune = each.server;
    rig.config.channel_max = each.ours.channel_max;
    rig.config.frame_max = each.ours.frame_max;
    rig.config.heartbeat = each.ours.heartbeat;
    EXPECT_FALSE(rig.connect());
    EXPECT_EQ(tuning().channel_max, each.agreed.channel_max);
    EXPECT_EQ(tuning().frame_max, each.agreed.frame_max);
    EXPECT_EQ(tuning().heartbeat, each.agreed.heartbeat);
  }
}

TEST_F(SessionTest, FramesBelowTheMinimumAreRefused) {
  rig.peer.tune.frame_max = 4095;
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ClientErrc::protocol_violation);
  says(why, "4095");
}

TEST_F(SessionTest, WrongPasswordIsAnErrorOfItsOwn) {
  peer_answers(ConnectionStartOk::method.id, 0,
               ConnectionClose{403, "ACCESS_REFUSED - Login was refused", 0, 0});
  rig.config.credentials.password = "hunter2";
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ReplyErrc::access_refused);
  says(why, "Login was refused");
  says(why, "peer:5672");
  EXPECT_EQ(why.message().find("hunter2"), std::string::npos);
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.said.back(), "0 connection.close-ok{}");
}

TEST_F(SessionTest, BrokersThatHangUpOnAWrongPassword) {
  rig.peer.on_method = [](ScriptPeer::Session& session, std::uint16_t, MethodId id, wire::Bytes) {
    if (id != ConnectionStartOk::method.id) return false;
    session.peer.net.close(session.id);
    return true;
  };
  const Failure why = rig.connect();
  EXPECT_TRUE(why);
  says(why, "password may be wrong");
}

TEST_F(SessionTest, WrongVirtualHost) {
  peer_answers(ConnectionOpen::method.id, 0,
               ConnectionClose{530, "NOT_ALLOWED - vhost nowhere not found", 10, 40});
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ReplyErrc::not_allowed);
  says(why, "nowhere not found");
  says(why, "connection.open");
}

TEST_F(SessionTest, AMechanismTheBrokerDoesNotTake) {
  rig.peer.mechanisms = "AMQPLAIN PLAINER";
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ReplyErrc::access_refused);
  says(why, "PLAIN, but AMQPLAIN PLAINER");
}

TEST_F(SessionTest, ALoginHasToFitIntoASmallFrame) {
  rig.config.credentials = {std::string(255, 'u'), std::string(2048, 'p')};
  rig.config.connection_name = std::string(255, 'n');
  EXPECT_FALSE(rig.connect());
  rig.destroy();
  rig.config.ask_credentials = [] { return Credentials{"me", std::string(4000, 't')}; };
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ClientErrc::invalid_config);
  says(why, "4,096");
}

TEST_F(SessionTest, OtherProtocolsAreNamed) {
  const std::pair<std::string, std::string> others[] = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"},
      {std::string("\x15\x03\x03\x00\x02\x02\x32", 7), "TLS"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
      {std::string("AMQP\x00\x01\x00\x00", 8), "0.1.0.0"},
      {std::string("AMQP\x03\x01\x00\x00", 8), "3.1.0.0"},
      {std::string("\x00\x00\x00\x0f", 4), "none of AMQP"},
  };
  for (const auto& [bytes, name] : others) {
    rig.destroy();
    peer_says(bytes);
    const Failure why = rig.connect();
    EXPECT_EQ(why.code, ClientErrc::not_the_protocol) << name << ": " << why.message();
    says(why, name);
    says(why, "peer:5672");
  }
}

TEST_F(SessionTest, AnOlderAmqpIsNamed) {
  rig.peer.greets = false;
  rig.peer.on_data = [](ScriptPeer::Session& session) {
    if (session.in.empty()) return;
    session.in.clear();
    session.send(0, ConnectionStart{8, 0, {}, "PLAIN", "en_US"});
  };
  const Failure why = rig.connect();
  EXPECT_EQ(why.code, ClientErrc::not_the_protocol);
  says(why, "8.0");
}

TEST_F(SessionTest, SilenceInTheHandshakeTimesOut) {
  rig.config.connect_timeout = seconds(3);
  rig.peer.greets = false;
  const Failure why = rig.connect();
  EXPECT_EQ(rig.world.elapsed() / milliseconds(10), 300);
  EXPECT_EQ(why.code, ClientErrc::timed_out);
}

TEST_F(SessionTest, ClosedPortsAndWrongNamesSayTheirStage) {
  rig.config.hosts = {{"peer", 9}};
  Failure why = rig.connect();
  EXPECT_EQ(why.code, std::errc::connection_refused);
  says(why, "peer:9: tcp");
  rig.destroy();
  rig.config.hosts = {{"nowhere", 0}};
  why = rig.connect();
  says(why, "nowhere:5672: dns");
}

TEST_F(SessionTest, TheNextHostIsTried) {
  rig.config.hosts = {{"nowhere", 0}, {"peer", 9}, {"peer", 0}};
  EXPECT_FALSE(rig.connect());
  rig.destroy();
  rig.config.hosts = {{"nowhere", 0}, {"peer", 9}};
  says(rig.connect(), "peer:9");
}

TEST_F(SessionTest, ARefusedLoginIsNotTriedElsewhere) {
  peer_answers(ConnectionStartOk::method.id, 0, ConnectionClose{403, "no", 0, 0});
  rig.config.hosts = {{"peer", 0}, {"peer", 5672}};
  EXPECT_EQ(rig.connect().code, ReplyErrc::access_refused);
  EXPECT_EQ(rig.peer.sessions.size(), 1U);
}

// The connection ends at each byte of the handshake, in both directions: an error, once, and the
// next attempt works.
TEST_F(SessionTest, CutAtEveryByteOfTheHandshake) {
  for (const int direction : {0, 1}) {
    for (std::uint64_t at = 0; at < 700; ++at) {
      rig.destroy();
      rig.peer.sessions.remove_if([](const auto& each) { return each.closed; });
      rig.fabric.cut_new_connections(direction, at);
      Ending ending;
      rig.engine().connect(ending.note());
      ASSERT_TRUE(rig.wait(ending, seconds(60))) << direction << " " << at;
      ASSERT_EQ(ending.endings, 1);
      rig.fabric.cut_new_connections(direction, sim::Fabric::kNoCut);
      if (!ending.failure) break;
      ASSERT_FALSE(rig.connect()) << direction << " " << at;
    }
  }
}

// --------------------------------------------------------------------------------------- the end

TEST_F(SessionTest, SaysGoodbye) {
  EXPECT_FALSE(rig.connect());
  Ending ending;
  rig.engine().close(ending.note());
  EXPECT_TRUE(rig.wait(ending));
  EXPECT_TRUE(ending.ok());
  EXPECT_EQ(rig.peer.times_said("connection.close{reply_code: 200"), 1U);
  rig.run_for(seconds(1));
  EXPECT_TRUE(rig.peer.last().closed);
  EXPECT_EQ(rig.connect().code, ClientErrc::closed);
}

TEST_F(SessionTest, GoodbyeEndsWithoutAnAnswer) {
  rig.config.close_timeout = seconds(2);
  EXPECT_FALSE(rig.connect());
  rig.peer.deaf = true;
  const Duration before = rig.world.elapsed();
  Ending ending;
  rig.engine().close(ending.note());
  EXPECT_TRUE(rig.wait(ending));
  EXPECT_EQ((rig.world.elapsed() - before) / milliseconds(10), 200);
  EXPECT_TRUE(ending.ok());
}

TEST_F(SessionTest, CloseWinsWhileConnecting) {
  for (Duration after{}; after < milliseconds(200); after += milliseconds(1)) {
    rig.destroy();
    Ending connected, ended;
    rig.engine().connect(connected.note());
    rig.run_for(after);
    rig.engine().close(ended.note());
    ASSERT_TRUE(rig.wait(ended, seconds(10)));
    EXPECT_TRUE(ended.ok());
    ASSERT_EQ(connected.endings, 1);
    if (connected.failure) {
      EXPECT_EQ(connected.failure.code, ClientErrc::closed);
    }
  }
}

TEST_F(SessionTest, BothSidesSayGoodbyeAtOnce) {
  EXPECT_FALSE(rig.connect());
  peer_answers(ConnectionClose::method.id, 0, ConnectionClose{320, "CONNECTION_FORCED", 0, 0});
  Ending ending;
  rig.engine().close(ending.note());
  EXPECT_TRUE(rig.wait(ending, seconds(1)));
  EXPECT_TRUE(ending.ok());
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.times_said("connection.close-ok"), 1U);
}

TEST_F(SessionTest, TheBrokerClosesIt) {
  Failure lost;
  rig.engine().on_lost([&](const Failure& why) { lost = why; });
  EXPECT_FALSE(rig.connect());
  rig.peer.last().send(0, ConnectionClose{320, "CONNECTION_FORCED - by operator", 0, 0});
  EXPECT_TRUE(rig.run_until([&] { return static_cast<bool>(lost); }, seconds(5)));
  EXPECT_EQ(lost.code, ReplyErrc::connection_forced);
  says(lost, "by operator");
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.said.back(), "0 connection.close-ok{}");
  EXPECT_FALSE(rig.connect());
}

// ------------------------------------------------------------------------------------- heartbeats

TEST_F(SessionTest, SignsOfLifeGoOutTwiceInTheirTime) {
  rig.config.heartbeat = seconds(10);
  EXPECT_FALSE(rig.connect());
  // The peer is silent, so it is given up after two of them.
  rig.run_for(seconds(17));
  EXPECT_EQ(rig.peer.times_said("heartbeat"), 1U + 3U);  // the first one is in tune-ok
}

TEST_F(SessionTest, SilenceForTwoHeartbeatsIsDeath) {
  rig.config.heartbeat = seconds(10);
  Failure lost;
  rig.engine().on_lost([&](const Failure& why) { lost = why; });
  EXPECT_FALSE(rig.connect());
  rig.run_for(seconds(19));
  EXPECT_FALSE(lost);
  rig.run_for(seconds(2));
  EXPECT_EQ(lost.code, ClientErrc::timed_out);
  says(lost, "no sign of life");
}

TEST_F(SessionTest, SignsOfLifeKeepItAlive) {
  rig.config.heartbeat = seconds(2);
  EXPECT_FALSE(rig.connect());
  for (int i = 0; i < 20; ++i) {
    rig.run_for(seconds(3));
    rig.peer.last().send(kHeartbeatFrame);
  }
  rig.run_for(seconds(1));
  EXPECT_TRUE(rig.engine().is_connected());
}

TEST_F(SessionTest, SilenceDoesNotCountWhileNothingIsRead) {
  rig.config.heartbeat = seconds(2);
  EXPECT_FALSE(rig.connect());
  rig.engine().session().pause_read(true, rig.world.now());
  rig.run_for(seconds(60));
  EXPECT_TRUE(rig.engine().is_connected());
  rig.engine().session().pause_read(false, rig.world.now());
  rig.run_for(seconds(3));
  EXPECT_TRUE(rig.engine().is_connected());
  rig.run_for(seconds(2));
  EXPECT_FALSE(rig.engine().is_connected());
}

TEST_F(SessionTest, NoHeartbeatsIfNobodyWantsThem) {
  rig.peer.tune.heartbeat = 0;
  rig.config.heartbeat = seconds(0);
  EXPECT_FALSE(rig.connect());
  rig.run_for(seconds(100'000));
  EXPECT_TRUE(rig.engine().is_connected());
  EXPECT_EQ(rig.peer.times_said("heartbeat"), 1U);  // in tune-ok
}

// ---------------------------------------------------------------------------- blocked, secrets

TEST_F(SessionTest, BlockedAndUnblocked) {
  std::vector<std::string> told;
  rig.engine().on_blocked([&](bool blocked, std::string_view reason) {
    told.push_back(blocked ? "blocked: " + std::string(reason) : "unblocked");
  });
  EXPECT_FALSE(rig.connect());
  rig.peer.last().send(0, ConnectionBlocked{"low on memory"});
  rig.run_for(seconds(1));
  EXPECT_TRUE(rig.engine().session().is_blocked());
  rig.peer.last().send(0, ConnectionUnblocked());
  rig.run_for(seconds(1));
  EXPECT_FALSE(rig.engine().session().is_blocked());
  EXPECT_EQ(told, (std::vector<std::string>{"blocked: low on memory", "unblocked"}));
}

TEST_F(SessionTest, ASecretIsUpdated) {
  Ending early;
  rig.engine().session().update_secret("x", "y", early.note());
  EXPECT_EQ(early.failure.code, ClientErrc::no_broker);
  EXPECT_FALSE(rig.connect());
  Ending first, second;
  rig.engine().session().update_secret("new", "it is time", first.note());
  rig.engine().session().update_secret("newer", "it is time", second.note());
  EXPECT_EQ(second.failure.code, ClientErrc::busy);
  EXPECT_TRUE(rig.wait(first));
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(rig.peer.said.back(),
            "0 connection.update-secret{new_secret: ***, reason: \"it is time\"}");
  Ending lost;
  rig.peer.deaf = true;
  rig.engine().session().update_secret("newest", "it is time", lost.note());
  rig.run_for(seconds(1));
  rig.fabric.reset(rig.peer.last().id);
  EXPECT_TRUE(rig.wait(lost));
  EXPECT_EQ(lost.endings, 1);
  EXPECT_TRUE(lost.failure);
}

// ----------------------------------------------------------------------------------- bad manners

TEST_F(SessionTest, WhatABrokerMustNotSay) {
  const struct {
    std::string bytes;
    int code;
    const char* words;
  } cases[] = {
      {std::string("\x01\x00\x00\x00\x00\x00\x04\x00\x3c\x00\x3c\xcd", 12), 501, "frame end"},
      {std::string("\x04\x00\x00\x00\x00\x00\x00\xce", 8), 501, "frame type"},
      {std::string("\x01\x00\x00\x7f\xff\xff\xff", 7), 501, "frame size"},
      {std::string("\x01\x00\x00\x00\x00\x00\x02\x00\x0a\xce", 10), 501, "frame size"},
      {std::string("\x08\x00\x01\x00\x00\x00\x00\xce", 8), 505, "channel"},
      {std::string("\x01\x00\x00\x00\x00\x00\x04\x00\x63\x00\x01\xce", 12), 503, "99.1"},
      {std::string("\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x32\xce", 12), 502,
       "connection.close"},
      {method_text(0, ConnectionOpenOk()), 503, "out of turn"},
      {method_text(0, ConnectionStart()), 503, "out of turn"},
      {method_text(0, BasicAck{1, false}), 503, "out of turn"},
      {method_text(0, ConnectionUpdateSecretOk()), 503, "out of turn"},
      {method_text(0, ConnectionCloseOk()), 503, "out of turn"},
      {method_text(5, BasicAck{1, false}), 504, "channel 5"},
      {method_text(5, BasicDeliver()), 504, "channel 5"},
      {content_text(5, "hello"), 504, "channel 5"},
  };
  for (const auto& each : cases) {
    rig.destroy();
    rig.peer.sessions.remove_if([](const auto& session) { return session.closed; });
    rig.peer.said.clear();
    Failure lost;
    rig.engine().on_lost([&](const Failure& why) { lost = why; });
    ASSERT_FALSE(rig.connect());
    rig.peer.last().send(each.bytes);
    EXPECT_TRUE(rig.run_until([&] { return static_cast<bool>(lost); }, seconds(10))) << each.words;
    EXPECT_EQ(lost.code, ClientErrc::protocol_violation);
    says(lost, each.words);
    EXPECT_EQ(rig.peer.times_said("connection.close{reply_code: " + std::to_string(each.code)), 1U)
        << each.words << "\n"
        << rig.peer.said.back();
  }
}

}  // namespace
}  // namespace tern::amqp::testing
