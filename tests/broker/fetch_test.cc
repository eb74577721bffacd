// Fetch: what is read, how long it waits, sessions, epochs.
#include <gtest/gtest.h>

#include "tests/broker/fetch_sessions.h"
#include "tests/broker/testing.h"

namespace tern::broker {
namespace {

using namespace std::chrono_literals;
using Partition = kafka::FetchResponse::PartitionData;

const Partition& only(const Reply<kafka::FetchResponse>& reply) {
  static const Partition kNone;
  if (reply->responses.size() != 1 || reply->responses[0].partitions.size() != 1) {
    ADD_FAILURE() << "one partition expected";
    return kNone;
  }
  return reply->responses[0].partitions[0];
}

class FetchTest : public testing::Test {
 protected:
  void SetUp() override { fixture_.cluster().create_topic("t", {.partitions = 3}); }
  KafkaCluster& cluster() { return fixture_.cluster(); }
  void put(std::int32_t partition, const std::string& value) {
    Client client = fixture_.client();
    EXPECT_EQ(produce(client, "t", partition, make_batch({.values = {value}})).error_code, 0);
    fixture_.network.hang_up(client.id());
    fixture_.run();
  }

  Fixture fixture_;
  Client client_ = fixture_.client();
};

TEST_F(FetchTest, ReadsFromTheBatchThatHoldsTheOffset) {
  produce(client_, "t", 0, make_batch({.values = {"a", "b"}}));
  produce(client_, "t", 0, make_batch({.values = {"c"}}));
  const auto first = client_.call(Fetch("t", {1}).request, 12);
  EXPECT_EQ(values_of(only(first).records), (Strings{"a", "b", "c"}));
  EXPECT_EQ(only(first).high_watermark, 3);
  EXPECT_EQ(only(first).last_stable_offset, 3);
  EXPECT_EQ(only(first).log_start_offset, 0);
  EXPECT_TRUE(only(first).aborted_transactions.is_null());
  EXPECT_FALSE(only(first).records.is_null());
  Fetch committed("t", {2});
  committed.request.isolation_level = 1;
  const auto second = client_.call(committed.request, 12);
  EXPECT_EQ(values_of(only(second).records), Strings{"c"});
  EXPECT_FALSE(only(second).aborted_transactions.is_null());
  EXPECT_EQ(only(client_.call(Fetch("t", {3}).request, 12)).records.size(), 0U);
}

TEST_F(FetchTest, OutOfRange) {
  put(0, "a");
  put(0, "b");
  EXPECT_EQ(err(only(client_.call(Fetch("t", {3}).request, 12)).error_code),
            BrokerErrc::offset_out_of_range);
  cluster().delete_records("t", 0, 1);
  const auto reply = client_.call(Fetch("t", {0}).request, 12);
  EXPECT_EQ(err(only(reply).error_code), BrokerErrc::offset_out_of_range);
  EXPECT_EQ(only(reply).high_watermark, -1);
  EXPECT_EQ(values_of(only(client_.call(Fetch("t", {1}).request, 12)).records), Strings{"b"});
}

TEST_F(FetchTest, WaitsForData) {
  Fetch fetch("t");
  fetch.request.max_wait_ms = 500;
  client_.send(fetch.request, 12);
  fixture_.advance(499ms);
  EXPECT_FALSE(client_.has_answer());
  put(1, "other");  // another partition
  EXPECT_FALSE(client_.has_answer());
  put(0, "a");
  ASSERT_TRUE(client_.has_answer());
  EXPECT_EQ(values_of(only(client_.receive<kafka::FetchRequest>(12)).records), Strings{"a"});
}

TEST_F(FetchTest, WaitsForEnoughButNotForever) {
  Fetch fetch("t");
  fetch.request.max_wait_ms = 500;
  fetch.request.min_bytes = 150;
  client_.send(fetch.request, 12);
  put(0, "a");
  EXPECT_FALSE(client_.has_answer());
  EXPECT_EQ(fixture_.kafka.next_deadline(), fixture_.network.now().mono + 500ms);
  put(0, std::string(50, 'x'));
  ASSERT_TRUE(client_.has_answer());
  EXPECT_EQ(values_of(only(client_.receive<kafka::FetchRequest>(12)).records).size(), 2U);

  fetch.request.min_bytes = 1 << 20;
  client_.send(fetch.request, 12);
  EXPECT_FALSE(client_.has_answer());
  fixture_.advance(500ms);
  ASSERT_TRUE(client_.has_answer());
  EXPECT_EQ(values_of(only(client_.receive<kafka::FetchRequest>(12)).records).size(), 2U);
}

TEST_F(FetchTest, AnErrorEndsTheWait) {
  Fetch fetch("t");
  fetch.request.max_wait_ms = 500;
  client_.send(fetch.request, 12);
  EXPECT_FALSE(client_.has_answer());
  cluster().delete_topic("t");
  fixture_.run();
  ASSERT_TRUE(client_.has_answer());
  EXPECT_EQ(err(only(client_.receive<kafka::FetchRequest>(12)).error_code),
            BrokerErrc::unknown_topic_or_partition);
}

TEST_F(FetchTest, LimitsBytesButNeverGivesNothing) {
  for (int i = 0; i < 3; ++i) put(0, std::string(1000, static_cast<char>('a' + i)));
  const std::size_t batch = cluster().log("t", 0)->batches()[0].size;
  const auto size_with = [&](std::int32_t partition_max, std::int32_t max) {
    Fetch fetch("t");
    fetch.partitions[0].partition_max_bytes = partition_max;
    fetch.request.max_bytes = max;
    return only(client_.call(fetch.request, 12)).records.size();
  };
  const auto one = static_cast<std::int32_t>(batch);
  EXPECT_EQ(size_with(1, 1 << 20), batch);
  EXPECT_EQ(size_with(1 << 20, 1), batch);
  EXPECT_EQ(size_with(0, 0), batch);
  EXPECT_EQ(size_with(2 * one, 1 << 20), 2 * batch);
  EXPECT_EQ(size_with(2 * one + 10, 1 << 20), 2 * batch + 10);  // cut where the limit is
  EXPECT_EQ(size_with(1 << 20, one + 1), batch + 1);
  cluster().mutable_config().cut_last_batch = false;
  EXPECT_EQ(size_with(2 * one + 10, 1 << 20), 2 * batch);
}

TEST_F(FetchTest, OnlyTheFirstPartitionMayGoAboveTheLimit) {
  for (std::int32_t i = 0; i < 3; ++i) put(i, std::string(1000, 'a'));
  const std::size_t batch = cluster().log("t", 0)->batches()[0].size;
  Fetch fetch("t", {1, 0, 0});  // nothing in the first one
  fetch.request.max_bytes = 10;
  auto reply = client_.call(fetch.request, 12);
  EXPECT_EQ(reply->responses[0].partitions[0].records.size(), 0U);
  EXPECT_EQ(reply->responses[0].partitions[1].records.size(), batch);
  EXPECT_EQ(reply->responses[0].partitions[2].records.size(), 0U);
  fetch.request.max_bytes = 1 << 20;
  reply = client_.call(fetch.request, 12);
  EXPECT_EQ(reply->responses[0].partitions[2].records.size(), batch);
}

TEST_F(FetchTest, ManyPiecesArriveAsOne) {
  Strings values;
  for (int i = 0; i < 40; ++i) {
    values.push_back(std::string(i % 3 == 0 ? 40000 : 30, static_cast<char>('a' + i % 26)));
    put(0, values.back());
  }
  put(1, "small");
  const auto reply = client_.call(Fetch("t", {0, 0}).request, 12);
  EXPECT_EQ(values_of(reply->responses[0].partitions[0].records), values);
  EXPECT_EQ(values_of(reply->responses[0].partitions[1].records), Strings{"small"});
}

TEST_F(FetchTest, AnswersOutliveTheLog) {
  put(0, std::string(100000, 'x'));
  client_.send_bytes({});
  Client slow = fixture_.client();
  auto& pipe = fixture_.network.pipe(slow.id());
  const Bytes bytes = request_bytes(Fetch("t").request, 12, 1);
  const std::span<std::byte> space = pipe.link->read_space();
  std::memcpy(space.data(), bytes.data(), bytes.size());
  pipe.link->on_read(bytes.size(), fixture_.network.now());
  cluster().delete_topic("t");  // while the answer waits to be written
  fixture_.run();
  BufferList list;
  ASSERT_GT(slow.unread().size(), 100000U);
  EXPECT_EQ(slow.unread()[50000], std::byte{'x'});
}

TEST_F(FetchTest, FencesEpochs) {
  put(0, "a");
  const auto ask = [&](std::int32_t epoch, std::int16_t version = 12) {
    Fetch fetch("t");
    fetch.partitions[0].current_leader_epoch = epoch;
    return client_.call(fetch.request, version);
  };
  EXPECT_EQ(err(only(ask(0)).error_code), BrokerErrc::none);
  EXPECT_EQ(err(only(ask(1)).error_code), BrokerErrc::unknown_leader_epoch);
  cluster().move_leader("t", 0, 1);
  EXPECT_EQ(err(only(ask(0)).error_code), BrokerErrc::fenced_leader_epoch);
  EXPECT_EQ(err(only(ask(-1)).error_code), BrokerErrc::none);
  EXPECT_EQ(err(only(ask(1)).error_code), BrokerErrc::none);
}

TEST_F(FetchTest, TellsWhereTheLogDiverged) {
  for (const char* value : {"a", "b", "c"}) put(0, value);
  cluster().truncate("t", 0, 1);  // epoch 1 begins at offset 1
  put(0, "d");
  Fetch fetch("t", {3});
  fetch.partitions[0].current_leader_epoch = 1;
  fetch.partitions[0].last_fetched_epoch = 0;
  fetch.request.max_wait_ms = 1000;
  const auto reply = client_.call(fetch.request, 12);  // without waiting
  EXPECT_EQ(only(reply).error_code, 0);
  EXPECT_EQ(only(reply).diverging_epoch.epoch, 0);
  EXPECT_EQ(only(reply).diverging_epoch.end_offset, 1);
  EXPECT_EQ(only(reply).records.size(), 0U);
  fetch.partitions[0].fetch_offset = 1;
  const auto good = client_.call(fetch.request, 12);
  EXPECT_EQ(only(good).diverging_epoch.epoch, -1);
  EXPECT_EQ(values_of(only(good).records), Strings{"d"});
}

TEST_F(FetchTest, ByTopicId) {
  put(0, "a");
  const wire::Uuid id = cluster().find_topic("t")->id;
  const auto reply = client_.call(Fetch("", {0}, id).request, 13);
  EXPECT_EQ(reply->responses[0].topic_id, id);
  EXPECT_EQ(values_of(only(reply).records), Strings{"a"});
  cluster().recreate_topic("t");
  EXPECT_EQ(err(only(client_.call(Fetch("", {0}, id).request, 13)).error_code),
            BrokerErrc::unknown_topic_id);
}

TEST(FetchFromNodes, FollowersServeNewConsumersAndLeadersAreHinted) {
  Fixture fixture(3);
  fixture.cluster().create_topic("t", {.assignments = {{1, 2}}});
  Client leader = fixture.client(1);
  produce(leader, "t", 0, make_batch({}));
  Client follower = fixture.client(2);
  Client stranger = fixture.client(3);
  EXPECT_EQ(err(only(follower.call(Fetch("t").request, 10)).error_code),
            BrokerErrc::not_leader_or_follower);
  EXPECT_EQ(values_of(only(follower.call(Fetch("t").request, 11)).records), Strings{"a"});
  const wire::Uuid id = fixture.cluster().find_topic("t")->id;
  const auto reply = stranger.call(Fetch("", {0}, id).request, 16);
  EXPECT_EQ(err(only(reply).error_code), BrokerErrc::not_leader_or_follower);
  EXPECT_EQ(only(reply).current_leader.leader_id, 1);
  ASSERT_EQ(reply->node_endpoints.size(), 1U);
  EXPECT_EQ(reply->node_endpoints[0].port, fixture.kafka.broker(1).endpoint().port);
}

// ------------------------------------------------------------------------------------ sessions

class FetchSessionTest : public FetchTest {
 protected:
  // An incremental request with these changes.
  Reply<kafka::FetchResponse> next(std::vector<std::int64_t> offsets = {},
                                   std::vector<std::int32_t> forget = {}) {
    Fetch fetch("t", std::move(offsets));
    if (fetch.partitions.empty()) fetch.request.topics = {};
    const kafka::FetchRequest::ForgottenTopic forgotten{"t", {}, {forget.data(), forget.size()}};
    if (!forget.empty()) fetch.request.forgotten_topics_data = {&forgotten, 1};
    fetch.request.session_id = id_;
    fetch.request.session_epoch = epoch_++;
    return client_.call(fetch.request, 12);
  }
  Reply<kafka::FetchResponse> begin(std::vector<std::int64_t> offsets) {
    Fetch fetch("t", std::move(offsets));
    fetch.request.session_epoch = 0;
    auto reply = client_.call(fetch.request, 12);
    id_ = reply->session_id;
    epoch_ = 1;
    return reply;
  }
  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;
};

TEST_F(FetchSessionTest, TellsOnlyWhatIsNew) {
  put(0, "a");
  auto reply = begin({0, 0, 0});
  EXPECT_NE(id_, 0);
  EXPECT_EQ(reply->responses[0].partitions.size(), 3U);
  reply = next({1});  // position of partition 0; nothing new anywhere
  EXPECT_EQ(reply->session_id, id_);
  EXPECT_EQ(reply->responses.size(), 0U);
  put(2, "c");
  reply = next();
  EXPECT_EQ(only(reply).partition_index, 2);
  EXPECT_EQ(values_of(only(reply).records), Strings{"c"});
  reply = next();  // not moved on: the data comes again
  EXPECT_EQ(only(reply).partition_index, 2);
  reply = next({}, {2});
  EXPECT_EQ(reply->responses.size(), 0U);
  put(2, "d");
  EXPECT_EQ(next()->responses.size(), 0U);
}

TEST_F(FetchSessionTest, TellsAnErrorAndItsEnd) {
  begin({0});
  cluster().inject(1, Injection::with_error(BrokerErrc::unknown_server_error));
  EXPECT_EQ(err(only(next()).error_code), BrokerErrc::unknown_server_error);
  EXPECT_EQ(only(next()).error_code, 0);
  EXPECT_EQ(next()->responses.size(), 0U);
}

TEST_F(FetchSessionTest, ChecksIdAndEpoch) {
  begin({0});
  const std::int32_t good = std::exchange(id_, id_ ^ 1);
  EXPECT_EQ(err(next()->error_code), BrokerErrc::fetch_session_id_not_found);
  id_ = good;
  EXPECT_EQ(err(next()->error_code), BrokerErrc::invalid_fetch_session_epoch);  // 2 where 1 is due
  epoch_ = 1;
  EXPECT_EQ(next()->error_code, 0);
  epoch_ = 1;
  EXPECT_EQ(err(next()->error_code), BrokerErrc::invalid_fetch_session_epoch);
  Fetch by_id("", {0}, cluster().find_topic("t")->id);
  by_id.request.session_id = id_;
  by_id.request.session_epoch = 2;
  EXPECT_EQ(err(client_.call(by_id.request, 13)->error_code),
            BrokerErrc::fetch_session_topic_id_error);
}

TEST_F(FetchSessionTest, EndsWhenTold) {
  begin({0});
  FetchSessions& sessions = fixture_.kafka.broker(1).fetch_sessions();
  EXPECT_EQ(sessions.size(), 1U);
  Fetch last("t");
  last.request.session_id = id_;
  last.request.session_epoch = -1;
  EXPECT_EQ(client_.call(last.request, 12)->session_id, 0);
  EXPECT_EQ(sessions.size(), 0U);
  begin({0});
  begin({0});
  EXPECT_EQ(sessions.size(), 2U);
  EXPECT_EQ(next({}, {0})->session_id, 0);  // nothing left in it
  EXPECT_EQ(sessions.size(), 1U);
}

TEST_F(FetchSessionTest, ServesInTurns) {
  for (std::int32_t i = 0; i < 3; ++i) put(i, std::string(1000, 'a'));
  begin({1, 1, 1});
  EXPECT_EQ(next()->responses.size(), 0U);
  std::vector<std::int32_t> order;
  for (int i = 0; i < 4; ++i) {
    Fetch fetch("t", {0, 0, 0});
    fetch.request.session_id = id_;
    fetch.request.session_epoch = epoch_++;
    fetch.request.max_bytes = 10;
    const auto reply = client_.call(fetch.request, 12);
    ASSERT_EQ(reply->responses.size(), 1U);
    order.push_back(reply->responses[0].partitions[0].partition_index);
  }
  EXPECT_EQ(order, (std::vector<std::int32_t>{0, 1, 2, 0}));
}

TEST_F(FetchSessionTest, SlotsAreLimited) {
  cluster().mutable_config().max_fetch_sessions = 1;
  begin({0});
  EXPECT_NE(id_, 0);
  begin({0});
  EXPECT_EQ(id_, 0);  // served without a session
  fixture_.advance(2min);
  begin({0});
  EXPECT_NE(id_, 0);
  fixture_.kafka.broker(1).stop();
  EXPECT_EQ(fixture_.kafka.broker(1).fetch_sessions().size(), 0U);
}

TEST_F(FetchSessionTest, WaitsInASessionToo) {
  begin({0, 0});
  Fetch fetch("t", {});
  fetch.request.topics = {};
  fetch.request.session_id = id_;
  fetch.request.session_epoch = 1;
  fetch.request.max_wait_ms = 100;
  client_.send(fetch.request, 12);
  EXPECT_FALSE(client_.has_answer());
  put(1, "b");
  EXPECT_EQ(only(client_.receive<kafka::FetchRequest>(12)).partition_index, 1);
}

}  // namespace
}  // namespace tern::broker
