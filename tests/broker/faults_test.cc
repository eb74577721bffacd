// What tests can make the broker do wrong.
#include "tests/broker/faults.h"

#include <gtest/gtest.h>

#include "tests/broker/testing.h"

namespace tern::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kMetadata = 3;

class FaultTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster().create_topic("t", {.partitions = 2});
    cluster().create_topic("u");
  }
  KafkaCluster& cluster() { return fixture_.cluster(); }
  BrokerErrc put(std::string_view topic = "t", std::int32_t partition = 0) {
    return err(produce(client_, topic, partition, make_batch({})).error_code);
  }
  std::int64_t stored(std::string_view topic = "t", std::int32_t partition = 0) {
    return cluster().log(topic, partition)->end_offset();
  }
  void send() {
    const Bytes batch = make_batch({});
    client_.send(Produce("t", 0, batch).request, 9);
  }

  Fixture fixture_;
  Client client_ = fixture_.client();
};

TEST_F(FaultTest, ErrorsForAWhile) {
  auto injection = Injection::with_error(BrokerErrc::not_enough_replicas, 2);
  injection.skip = 1;
  cluster().inject(kProduce, injection);
  EXPECT_EQ(put(), BrokerErrc::none);
  EXPECT_EQ(put(), BrokerErrc::not_enough_replicas);
  EXPECT_EQ(put(), BrokerErrc::not_enough_replicas);
  EXPECT_EQ(put(), BrokerErrc::none);
  EXPECT_EQ(stored(), 2);
  EXPECT_EQ(cluster().pending_injections(), 0U);
}

TEST_F(FaultTest, ErrorsForOnePartition) {
  auto injection = Injection::with_error(BrokerErrc::not_enough_replicas);
  injection.topic = "t";
  injection.partition = 1;
  cluster().inject(kProduce, injection);
  EXPECT_EQ(put("u"), BrokerErrc::none);
  EXPECT_EQ(put("t", 0), BrokerErrc::none);
  EXPECT_EQ(cluster().pending_injections(), 1U);
  EXPECT_EQ(put("t", 1), BrokerErrc::not_enough_replicas);
  EXPECT_EQ(put("t", 1), BrokerErrc::none);
}

TEST_F(FaultTest, AnErrorAfterAll) {
  auto injection = Injection::with_error(BrokerErrc::not_enough_replicas_after_append);
  injection.apply = true;
  cluster().inject(kProduce, injection);
  EXPECT_EQ(put(), BrokerErrc::not_enough_replicas_after_append);
  EXPECT_EQ(stored(), 1);
}

TEST_F(FaultTest, ClosesBeforeOrAfter) {
  cluster().inject(kProduce, Injection::closing_before());
  send();
  EXPECT_FALSE(client_.connected());
  EXPECT_EQ(stored(), 0);
  client_ = fixture_.client();
  cluster().inject(kProduce, Injection::closing_after());
  send();
  EXPECT_FALSE(client_.connected());
  EXPECT_EQ(stored(), 1);
  EXPECT_TRUE(client_.unread().empty());
}

TEST_F(FaultTest, AnswersBeforeTheCloseStillArrive) {
  cluster().inject(kProduce, Injection::closing_before());
  Bytes both = request_bytes(kafka::MetadataRequest{}, 9, 1);
  const Bytes batch = make_batch({});
  const Bytes second = request_bytes(Produce("t", 0, batch).request, 9, 2);
  both.insert(both.end(), second.begin(), second.end());
  client_.send_bytes(both);
  EXPECT_FALSE(client_.connected());
  EXPECT_TRUE(client_.has_answer());
}

TEST_F(FaultTest, DelaysOnEitherSide) {
  cluster().inject(kProduce, Injection::with_delay(1s));
  send();
  EXPECT_EQ(stored(), 0);
  fixture_.advance(999ms);
  EXPECT_EQ(stored(), 0);
  fixture_.advance(1ms);
  EXPECT_EQ(stored(), 1);
  EXPECT_EQ(
      client_.receive<kafka::ProduceRequest>(9)->responses[0].partition_responses[0].error_code, 0);

  Injection injection;
  injection.answer_delay = 1s;
  cluster().inject(kProduce, injection);
  send();
  EXPECT_EQ(stored(), 2);
  EXPECT_FALSE(client_.has_answer());
  fixture_.advance(1s);
  EXPECT_TRUE(client_.has_answer());
}

TEST_F(FaultTest, NoAnswerAtAll) {
  Injection injection;
  injection.no_answer = true;
  cluster().inject(kProduce, injection);
  send();
  send();  // stuck behind it
  fixture_.advance(1h);
  EXPECT_TRUE(client_.connected());
  EXPECT_FALSE(client_.has_answer());
  EXPECT_EQ(stored(), 1);
}

TEST_F(FaultTest, AnswersOfAnotherMaking) {
  Injection injection;
  injection.raw_answer = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{7}};
  cluster().inject(kMetadata, injection);
  client_.send(kafka::MetadataRequest{}, 9);
  EXPECT_EQ(client_.unread(), injection.raw_answer);
}

TEST_F(FaultTest, OnlyWhereAndWhenAsked) {
  auto injection = Injection::with_error(BrokerErrc::not_enough_replicas, kAlways);
  injection.node = 2;
  cluster().inject(kProduce, injection);
  injection.node = kAny;
  injection.when = [](const RequestInfo& request) { return request.client_id == "somebody"; };
  cluster().inject(kProduce, injection);
  EXPECT_EQ(put(), BrokerErrc::none);
  EXPECT_EQ(cluster().pending_injections(), 2U);
  cluster().clear_injections();
  EXPECT_EQ(cluster().pending_injections(), 0U);
}

TEST_F(FaultTest, Throttles) {
  cluster().throttle(kMetadata, 500ms, 1);
  const auto reply = client_.call(kafka::MetadataRequest{}, 9);
  EXPECT_EQ(reply->throttle_time_ms, 500);
  client_.send(kafka::MetadataRequest{}, 9);  // the broker is not listening
  EXPECT_FALSE(client_.has_answer());
  fixture_.advance(500ms);
  EXPECT_EQ(client_.receive<kafka::MetadataRequest>(9)->throttle_time_ms, 0);
}

TEST_F(FaultTest, SeesEveryRequest) {
  std::vector<std::int16_t> keys;
  cluster().on_request([&](const RequestInfo& request) {
    keys.push_back(request.api_key);
    EXPECT_EQ(request.client_id, "test");
    EXPECT_EQ(request.node, 1);
  });
  client_.call(kafka::MetadataRequest{}, 9);
  put();
  EXPECT_EQ(keys, (std::vector<std::int16_t>{kMetadata, kProduce}));
  EXPECT_EQ(cluster().requests(kProduce), 1U);
}

TEST_F(FaultTest, AStoppedNodeIsGoneAndComesBack) {
  const Endpoint endpoint = fixture_.kafka.broker(1).endpoint();
  put();
  cluster().stop_node(1);
  fixture_.run();
  EXPECT_FALSE(client_.connected());
  EXPECT_FALSE(fixture_.network.connect(endpoint));
  EXPECT_EQ(cluster().find_partition("t", 0)->leader, -1);
  EXPECT_FALSE(cluster().start_node(1));
  EXPECT_EQ(fixture_.kafka.broker(1).endpoint(), endpoint);
  client_ = fixture_.client();
  EXPECT_EQ(put(), BrokerErrc::none);
  EXPECT_EQ(stored(), 2);
  EXPECT_GT(cluster().find_partition("t", 0)->leader_epoch, 0);
}

TEST_F(FaultTest, ConnectionsCanBeReset) {
  cluster().reset_connections(1);
  fixture_.run();
  EXPECT_FALSE(client_.connected());
  EXPECT_EQ(cluster().open_sessions(), 0U);
  client_ = fixture_.client();
  EXPECT_EQ(put(), BrokerErrc::none);
}

TEST_F(FaultTest, TheSameSeedGivesTheSameIds) {
  const auto ids = [](std::uint64_t seed) {
    ClusterConfig config;
    config.seed = seed;
    Fixture fixture(1, config);
    fixture.cluster().create_topic("a");
    fixture.cluster().create_topic("b");
    return std::pair(fixture.cluster().find_topic("a")->id, fixture.cluster().find_topic("b")->id);
  };
  EXPECT_EQ(ids(1), ids(1));
  EXPECT_NE(ids(1), ids(2));
  EXPECT_NE(ids(1).first, ids(1).second);
}

}  // namespace
}  // namespace tern::broker
