// A connection against peers that are no Kafka brokers, old ones, slow ones and ones that lie.
#include "client/kafka/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/kafka/engine_rig.h"
#include "tests/kafka/script_peer.h"

namespace tern::kafka {
namespace {

struct Ending {
  int endings = 0;
  Failure failure;
  bool maybe_sent = false;
  std::int16_t version = -1;
};

// Asks for metadata of no topic, and notes how it ended. `padding` makes the request large.
class NotingCall final : public Call {
 public:
  explicit NotingCall(Ending& ending, std::size_t padding = 0, const Api& as = MetadataRequest::api)
      : ending_(ending), names_(padding / 200, std::string(190, 'x')), api_(as) {}
  const Api& api() const override { return api_; }
  Failure encode(std::int16_t version, std::int32_t correlation_id, const std::string& client_id,
                 Outgoing& out) override {
    std::vector<MetadataRequest::MetadataRequestTopic> topics;
    for (const std::string& name : names_) topics.push_back({{}, wire::Text(name)});
    MetadataRequest request;
    request.topics = {topics.data(), topics.size()};
    return encode_request(request, version, correlation_id, client_id, out);
  }
  void on_response(const Response& response, Now) override {
    wire::Arena arena(wire::Arena::limit_for(response.body.size()));
    MetadataResponse reply;
    ending_.failure = decode_response(response, arena, reply);
    ending_.version = response.version;
    ++ending_.endings;
    delete this;
  }
  void on_failure(const Failure& why, bool maybe_sent, Now) override {
    ending_.failure = why;
    ending_.maybe_sent = maybe_sent;
    ++ending_.endings;
    delete this;
  }
  void on_abandoned() override { delete this; }

 private:
  Ending& ending_;
  std::vector<std::string> names_;
  const Api& api_;
};

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() : rig({.brokers = 0}), peer(rig.fabric) {
    rig.client_config.bootstrap = {"peer:9092"};
    peer.on_request = [](const ScriptPeer::Request& request) {
      request.session.send(ScriptPeer::answer(request, MetadataResponse()));
    };
  }
  ~ConnectionTest() override { rig.destroy_engine(); }

  Connection& connection() {
    if (!connection_) {
      connection_ =
          std::make_unique<Connection>(rig.engine(), 5, Endpoint{"peer", 9092}, Role::control);
    }
    return *connection_;
  }
  void send(Ending& ending, std::size_t padding = 0, const Api& as = MetadataRequest::api) {
    connection();
    rig.engine().enter();
    connection().send(*new NotingCall(ending, padding, as));
  }
  // Sends one call and waits for its end.
  Ending call(Duration limit = seconds(120), std::size_t padding = 0) {
    Ending ending;
    send(ending, padding);
    EXPECT_TRUE(rig.run_until([&] { return ending.endings > 0; }, limit));
    rig.run_for(milliseconds(1));
    EXPECT_EQ(ending.endings, 1);
    return ending;
  }
  void TearDown() override {
    if (!connection_) return;
    connection_->close(Failure(ClientErrc::closed), rig.engine().enter());
    rig.run_for(seconds(1));
    connection_.reset();
  }
  static bool says(const Failure& failure, const std::string& words) {
    const bool found = failure.message().find(words) != std::string::npos;
    if (!found) ADD_FAILURE() << "\"" << failure.message() << "\" does not say \"" << words << "\"";
    return found;
  }
  // The peer says this as soon as it hears anything, and then nothing.
  void peer_says(std::string bytes) {
    peer.on_data = [bytes = std::move(bytes)](ScriptPeer::Session& session) {
      if (session.in.empty()) return;
      session.in.clear();
      session.send(bytes);
    };
  }

  EngineRig rig;
  ScriptPeer peer;

 private:
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, AnswersReachTheirCalls) {
  Ending endings[20];
  for (Ending& ending : endings) send(ending);
  rig.run_for(seconds(1));
  for (const Ending& ending : endings) {
    EXPECT_EQ(ending.endings, 1);
    EXPECT_FALSE(ending.failure) << ending.failure.message();
    EXPECT_EQ(ending.version, 13);
  }
  EXPECT_EQ(peer.sessions.size(), 1U);
}

// -------------------------------------------------------------------------- not a Kafka broker

TEST_F(ConnectionTest, WrongHostNamesItAndTheStage) {
  Connection nowhere(rig.engine(), 5, {"nohost", 9092}, Role::control);
  Ending ending;
  nowhere.send(*new NotingCall(ending));
  rig.run_for(seconds(20));
  EXPECT_EQ(ending.endings, 1);
  EXPECT_FALSE(ending.maybe_sent);
  says(ending.failure, "nohost:9092");
  says(ending.failure, "dns");
}

TEST_F(ConnectionTest, ClosedPortNamesItAndTheStage) {
  Connection closed(rig.engine(), 5, {"peer", 9}, Role::control);
  Ending ending;
  closed.send(*new NotingCall(ending));
  rig.run_for(seconds(20));
  EXPECT_EQ(ending.endings, 1);
  EXPECT_EQ(ending.failure.code, std::errc::connection_refused);
  EXPECT_FALSE(ending.maybe_sent);
  says(ending.failure, "peer:9");
  says(ending.failure, "tcp");
}

TEST_F(ConnectionTest, OtherProtocolsAreNamed) {
  const std::pair<std::string, std::string> others[] = {
      {std::string("\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00", 10), "handshake"},
      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "HTTP"},
      {std::string("\x15\x03\x03\x00\x02\x02\x32", 7), "TLS"},
      {std::string("AMQP\x00\x00\x09\x01", 8), "AMQP"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
      {std::string("\xff\xff\xff\xff\x01\x02", 6), "not a Kafka broker"},
      {std::string("\x00\x00\x00\x01\x01\x02", 6), "not a Kafka broker"},
      {std::string("\x00\x00\x00\x06\x00\x00\x00\x63\x00\x00", 10), "correlation id"},
  };
  for (const auto& [bytes, name] : others) {
    peer_says(bytes);
    const Ending ending = call();
    EXPECT_EQ(ending.failure.code, ClientErrc::not_the_protocol)
        << name << ": " << ending.failure.message();
    EXPECT_FALSE(ending.maybe_sent);
    says(ending.failure, name);
    says(ending.failure, "peer:9092");
  }
}

TEST_F(ConnectionTest, SilentPeerTimesOut) {
  rig.client_config.connect_timeout = seconds(3);
  peer.on_data = [](ScriptPeer::Session&) {};
  const Ending ending = call();
  EXPECT_EQ(rig.world.elapsed() / milliseconds(10), 300);
  EXPECT_EQ(ending.failure.code, ClientErrc::timed_out);
  says(ending.failure, "handshake");
}

TEST_F(ConnectionTest, UnreachablePeerTimesOut) {
  rig.client_config.connect_timeout = seconds(3);
  rig.start();
  rig.fabric.block("client", "peer", true);
  const Ending ending = call();
  EXPECT_EQ(rig.world.elapsed() / milliseconds(10), 300);
  EXPECT_EQ(ending.failure.code, ClientErrc::timed_out);
}

TEST_F(ConnectionTest, PeerThatHangsUpIsTriedWithOlderHandshakes) {
  std::vector<std::int16_t> asked;
  peer.on_versions = [&](const ScriptPeer::Request& request) {
    asked.push_back(request.header.api_version);
    if (request.header.api_version <= 1) return false;
    peer.net.close(request.session.id);
    return true;
  };
  for (int i = 0; i < 10; ++i) {
    const Ending ending = call();
    if (!ending.failure) break;
    says(ending.failure, "handshake");
  }
  EXPECT_FALSE(call().failure);
  EXPECT_EQ(asked, (std::vector<std::int16_t>{4, 4, 3, 2, 1}));
}

TEST_F(ConnectionTest, GarbageNeitherCrashesNorSpins) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sim::Rng rng(seed);
    std::string bytes;
    // A third is plain noise; others look like the start of an answer.
    if (seed % 3 != 0) bytes = ScriptPeer::number(static_cast<std::int32_t>(rng.between(4, 3000)));
    if (seed % 3 == 2) bytes += std::string(4, '\0');
    while (bytes.size() < 2000) bytes += static_cast<char>(rng.below(256));
    peer_says(bytes);
    const Ending ending = call();
    EXPECT_TRUE(ending.failure) << seed;
  }
  EXPECT_LE(peer.sessions.size(), 310U);
}

TEST_F(ConnectionTest, GarbageAfterTheHandshakeNeitherCrashesNorSpins) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sim::Rng rng(seed);
    peer.on_request = [&](const ScriptPeer::Request& request) {
      std::string bytes = ScriptPeer::number(request.header.correlation_id);
      const std::size_t size = rng.between(0, 300);
      while (bytes.size() < size) bytes += static_cast<char>(rng.below(256));
      request.session.send(ScriptPeer::frame(bytes));
      request.session.close_when_sent = true;
    };
    const Ending ending = call();
    EXPECT_EQ(ending.endings, 1);
  }
}

// ------------------------------------------------------------------------------------ versions

TEST_F(ConnectionTest, OldBrokerIsSpokenToInItsVersion) {
  peer.offered[3] = {0, 5};
  EXPECT_EQ(call().version, 5);
}

TEST_F(ConnectionTest, BrokerTooOldOrTooNewNamesBothSides) {
  static constexpr Api newer{3, "Metadata", {7, 13}, 9};
  peer.offered[3] = {0, 5};
  Ending ending;
  send(ending, 0, newer);
  rig.run_for(seconds(1));
  EXPECT_EQ(ending.failure.code, ClientErrc::unsupported_version);
  EXPECT_FALSE(ending.maybe_sent);
  says(ending.failure, "Metadata");
  says(ending.failure, "0 to 5");
  says(ending.failure, "7 to 13");
  says(ending.failure, "broker 5 (peer:9092");

  peer.net.close(peer.sessions.back().id);
  rig.run_for(seconds(1));
  peer.offered.erase(3);
  const Ending unknown = call();
  EXPECT_EQ(unknown.failure.code, ClientErrc::unsupported_version);
  says(unknown.failure, "does not know it");
}

TEST_F(ConnectionTest, HandshakeFallsBackToWhatTheBrokerOffers) {
  for (const std::int16_t offered : std::initializer_list<std::int16_t>{2, 0, -1}) {
    std::vector<std::int16_t> asked;
    peer.on_versions = [&](const ScriptPeer::Request& request) {
      asked.push_back(request.header.api_version);
      if (request.header.api_version <= std::max<std::int16_t>(offered, 0)) return false;
      ApiVersionsResponse::ApiVersion own;
      own.api_key = 18;
      own.max_version = offered;
      ApiVersionsResponse reply;
      reply.error_code = 35;
      if (offered >= 0) reply.api_keys = {&own, 1};
      // In version 0, whatever was asked.
      ScriptPeer::Request plain = request;
      request.session.send(ScriptPeer::answer(plain, reply, 0));
      return true;
    };
    Connection fresh(rig.engine(), 5, {"peer", 9092}, Role::control);
    Ending ending;
    fresh.send(*new NotingCall(ending));
    rig.run_for(seconds(1));
    EXPECT_EQ(ending.endings, 1);
    EXPECT_FALSE(ending.failure) << ending.failure.message();
    EXPECT_EQ(asked, (std::vector<std::int16_t>{4, std::max<std::int16_t>(offered, 0)}));
    fresh.close(Failure(ClientErrc::closed), rig.engine().enter());
    rig.run_for(seconds(1));
  }
}

TEST_F(ConnectionTest, HandshakeThatIsRefusedAgainAndAgainEnds) {
  peer.on_versions = [&](const ScriptPeer::Request& request) {
    ApiVersionsResponse reply;
    reply.error_code = 35;
    request.session.send(ScriptPeer::answer(request, reply, 0));
    return true;
  };
  const Ending ending = call();
  EXPECT_TRUE(ending.failure);
  EXPECT_LE(peer.requests, 3);
}

// ---------------------------------------------------------------------------------------- lies

TEST_F(ConnectionTest, WrongCorrelationIdEndsTheConnection) {
  ASSERT_FALSE(call().failure);
  peer.on_request = [](const ScriptPeer::Request& request) {
    ScriptPeer::Request other = request;
    other.header.correlation_id += 7;
    request.session.send(ScriptPeer::answer(other, MetadataResponse()));
  };
  Ending first, second;
  send(first);
  send(second);
  rig.run_for(seconds(1));
  for (const Ending* ending : {&first, &second}) {
    EXPECT_EQ(ending->endings, 1);
    EXPECT_EQ(ending->failure.code, ClientErrc::protocol_violation);
    EXPECT_TRUE(ending->maybe_sent);
  }
  says(first.failure, "correlation id");
}

TEST_F(ConnectionTest, UnaskedAnswerEndsTheConnection) {
  ASSERT_FALSE(call().failure);
  peer.sessions.back().send(ScriptPeer::frame(ScriptPeer::number(77)));
  rig.run_for(seconds(1));
  EXPECT_TRUE(peer.sessions.back().closed);
  EXPECT_FALSE(call().failure);
}

TEST_F(ConnectionTest, TruncatedAnswerNamesTheField) {
  peer.on_request = [](const ScriptPeer::Request& request) {
    request.session.send(ScriptPeer::frame(ScriptPeer::number(request.header.correlation_id) +
                                           std::string(3, '\0')));
  };
  const Ending ending = call();
  EXPECT_EQ(ending.failure.code, ClientErrc::protocol_violation);
  says(ending.failure, "Metadata");
}

TEST_F(ConnectionTest, AnswerAboveTheLimitIsRefusedBeforeItIsRead) {
  rig.client_config.max_response_bytes = 100'000;
  peer.on_request = [](const ScriptPeer::Request& request) {
    request.session.send(ScriptPeer::number(100'001) +
                         ScriptPeer::number(request.header.correlation_id));
  };
  const Ending ending = call();
  EXPECT_EQ(ending.failure.code, ClientErrc::frame_too_large);
  EXPECT_TRUE(ending.maybe_sent);
  says(ending.failure, "100001");
  says(ending.failure, "max_response_bytes");
}

TEST_F(ConnectionTest, NegativeLengthIsRefused) {
  for (const std::int32_t size : {-1, 0, 3, -0x7fffffff - 1}) {
    peer.on_request = [size](const ScriptPeer::Request& request) {
      request.session.send(ScriptPeer::number(size));
    };
    const Ending ending = call();
    EXPECT_TRUE(ending.failure.code == ClientErrc::protocol_violation ||
                ending.failure.code == ClientErrc::frame_too_large)
        << ending.failure.message();
  }
}

TEST_F(ConnectionTest, MemoryGrowsWithWhatComesNotWithWhatIsAnnounced) {
  rig.client_config.request_timeout = seconds(5);
  std::size_t total = 0;
  peer.on_request = [&](const ScriptPeer::Request& request) {
    request.session.send(ScriptPeer::number(90'000'000) +
                         ScriptPeer::number(request.header.correlation_id) +
                         std::string(total, 'x'));
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{200'000}, std::size_t{1'000'000}}) {
    total = size;
    Ending ending;
    send(ending);
    rig.run_for(seconds(4));
    EXPECT_LE(rig.engine().response_pool().held_bytes(), 80'000 + 2 * size);
    EXPECT_GE(rig.engine().response_pool().held_bytes(), size);
    rig.run_for(seconds(3));
    EXPECT_EQ(ending.failure.code, ClientErrc::timed_out);
    EXPECT_EQ(rig.engine().response_pool().held_bytes(), 0U);
  }
}

TEST_F(ConnectionTest, LargeAnswersComeWholeInAnyPieces) {
  peer.on_request = [&](const ScriptPeer::Request& request) {
    const std::string name(30'000, 'n');
    std::vector<MetadataResponse::MetadataResponseTopic> topics(20);
    for (auto& topic : topics) topic.name = wire::Text(name);
    MetadataResponse reply;
    reply.topics = {topics.data(), topics.size()};
    request.session.send(ScriptPeer::answer(request, reply));
  };
  Ending endings[5];
  for (Ending& ending : endings) send(ending);
  rig.run_for(seconds(5));
  for (const Ending& ending : endings)
    EXPECT_FALSE(ending.endings != 1 || ending.failure) << ending.failure.message();
}

// What the network still reads of a request must not be freed by an answer that comes too early.
TEST_F(ConnectionTest, AnswerToARequestThatIsNotSentYetIsRefused) {
  ASSERT_FALSE(call().failure);
  peer.on_data = [](ScriptPeer::Session& session) {
    if (session.in.size() < 12) return;
    const std::string correlation = session.in.substr(8, 4);
    session.send(ScriptPeer::frame(correlation + std::string(100, '\0')));
    session.peer.net.pause_read(session.id, true);
  };
  const Ending ending = call(seconds(10), 2'000'000);
  EXPECT_EQ(ending.failure.code, ClientErrc::protocol_violation);
  EXPECT_TRUE(ending.maybe_sent);
  says(ending.failure, "before it was sent");
}

// ------------------------------------------------------------------------------------ timeouts

TEST_F(ConnectionTest, TimeoutEndsTheConnectionForAllOnIt) {
  rig.client_config.request_timeout = seconds(5);
  ASSERT_FALSE(call().failure);
  peer.on_request = [](const ScriptPeer::Request&) {};
  Ending first, second, third;
  send(first);
  rig.run_for(seconds(2));
  send(second);
  ASSERT_TRUE(rig.run_until([&] { return first.endings > 0; }, seconds(4)));
  EXPECT_EQ(first.failure.code, ClientErrc::timed_out);
  says(first.failure, "Metadata");
  rig.run_for(milliseconds(1));
  EXPECT_EQ(second.endings, 1) << "on the same connection";
  EXPECT_TRUE(first.maybe_sent && second.maybe_sent);
  peer.on_request = [](const ScriptPeer::Request& request) {
    request.session.send(ScriptPeer::answer(request, MetadataResponse()));
  };
  send(third);
  rig.run_for(seconds(1));
  EXPECT_EQ(third.endings, 1);
  EXPECT_FALSE(third.failure) << third.failure.message();
  EXPECT_EQ(peer.sessions.size(), 2U);
}

TEST_F(ConnectionTest, ResetFailsSentCallsAsMaybeSentAndOthersNot) {
  ASSERT_FALSE(call().failure);
  peer.on_request = [](const ScriptPeer::Request&) {};
  std::vector<Ending> endings(20);  // more than are pipelined
  for (Ending& ending : endings) send(ending);
  rig.run_for(milliseconds(100));
  peer.net.close(peer.sessions.back().id);
  rig.run_for(seconds(1));
  const auto sent =
      std::count_if(endings.begin(), endings.end(), [](const auto& e) { return e.maybe_sent; });
  EXPECT_EQ(sent, 16);
  EXPECT_TRUE(endings.front().maybe_sent);
  EXPECT_FALSE(endings.back().maybe_sent);
  for (const Ending& ending : endings) EXPECT_EQ(ending.endings, 1);
}

TEST_F(ConnectionTest, IdleConnectionClosesAndComesBack) {
  rig.client_config.connections_max_idle = seconds(10);
  ASSERT_FALSE(call().failure);
  rig.run_for(seconds(9));
  EXPECT_FALSE(peer.sessions.back().closed);
  ASSERT_FALSE(call().failure);
  rig.run_for(seconds(9));
  EXPECT_FALSE(peer.sessions.back().closed) << "it was used";
  rig.run_for(seconds(2));
  EXPECT_TRUE(peer.sessions.back().closed);
  EXPECT_FALSE(call(milliseconds(10)).failure) << "no backoff after that";
  EXPECT_EQ(peer.sessions.size(), 2U);
}

TEST_F(ConnectionTest, ReconnectsWithGrowingPauses) {
  peer.on_connect = [this](ScriptPeer::Session& session) { peer.net.close(session.id); };
  const Time begin = rig.world.time();
  int calls = 0;
  while (rig.world.time() - begin < seconds(20)) {
    EXPECT_TRUE(call().failure);
    ++calls;
  }
  EXPECT_GE(calls, 18);
  EXPECT_LE(calls, 40);
}

TEST_F(ConnectionTest, MovedBrokerIsReachedAtItsNewAddress) {
  ScriptPeer other(rig.fabric, "other");
  other.on_request = peer.on_request;
  ASSERT_FALSE(call().failure);
  connection().set_endpoint({"other", 9092}, rig.engine().enter());
  EXPECT_FALSE(call().failure);
  EXPECT_EQ(other.sessions.size(), 1U);
  EXPECT_TRUE(peer.sessions.back().closed);
  connection().close(Failure(ClientErrc::closed), rig.engine().enter());
  rig.run_for(seconds(1));
}

}  // namespace
}  // namespace tern::kafka
