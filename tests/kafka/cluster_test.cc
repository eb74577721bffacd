// What a client knows of a cluster: found over any bootstrap server, kept over answers that are old
// or leave things out, and asked for no more often than it may be.
#include "client/kafka/cluster.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/kafka/engine_rig.h"
#include "tests/kafka/script_peer.h"

namespace tern::kafka {
namespace {

class Watcher final : public Observer {
 public:
  void on_connected(const Connection&) override { ++connected; }
  void on_disconnected(const Connection& connection, Stage, const Failure& why) override {
    if (why) ++failed[to_string(connection.endpoint)];
  }
  int connected = 0;
  std::map<std::string, int> failed;
};

// A broker whose metadata a test writes.
class ClusterTest : public ::testing::Test {
 protected:
  struct Partition {
    std::int32_t leader = 1, epoch = 0;
    BrokerErrc error = BrokerErrc::none;
  };
  struct Entry {
    BrokerErrc error = BrokerErrc::none;
    std::uint8_t id = 1;
    std::vector<Partition> partitions = {};
  };

  ClusterTest() : rig({.brokers = 0}), peer(rig.fabric) {
    rig.client_config.bootstrap = {"peer:9092"};
    rig.client_config.observer = watcher;
    rig.client_config.metadata_max_age = seconds(10);
    peer.on_request = [this](const ScriptPeer::Request& request) { answer(request); };
  }
  ~ClusterTest() override { rig.destroy_engine(); }

  void answer(const ScriptPeer::Request& request) {
    ++asked;
    std::vector<MetadataResponse::MetadataResponseTopic> list;
    std::vector<std::vector<MetadataResponse::MetadataResponsePartition>> partitions;
    partitions.reserve(topics.size());
    for (const auto& [name, entry] : topics) {
      auto& to = partitions.emplace_back();
      for (std::size_t i = 0; i < entry.partitions.size(); ++i) {
        MetadataResponse::MetadataResponsePartition partition;
        partition.partition_index = static_cast<std::int32_t>(i);
        partition.leader_id = entry.partitions[i].leader;
        partition.leader_epoch = entry.partitions[i].epoch;
        partition.error_code = static_cast<std::int16_t>(entry.partitions[i].error);
        to.push_back(partition);
      }
      MetadataResponse::MetadataResponseTopic topic;
      topic.name = wire::Text(name);
      topic.error_code = static_cast<std::int16_t>(entry.error);
      topic.topic_id.bytes[0] = entry.id;
      topic.partitions = {to.data(), to.size()};
      list.push_back(topic);
    }
    std::vector<MetadataResponse::MetadataResponseBroker> nodes;
    for (const auto& [id, endpoint] : brokers) {
      MetadataResponse::MetadataResponseBroker node;
      node.node_id = id;
      node.host = wire::Text(endpoint.host);
      node.port = endpoint.port;
      nodes.push_back(node);
    }
    MetadataResponse reply;
    reply.brokers = {nodes.data(), nodes.size()};
    reply.topics = {list.data(), list.size()};
    reply.controller_id = 1;
    request.session.send(ScriptPeer::answer(request, reply));
  }
  Topic& want(const std::string& name) {
    rig.engine();
    return cluster().want(name, rig.engine().enter());
  }
  void refresh() {
    cluster().refresh(rig.engine().enter());
    rig.run_for(milliseconds(300));
  }
  Cluster& cluster() { return rig.engine().cluster(); }

  std::shared_ptr<Watcher> watcher = std::make_shared<Watcher>();
  EngineRig rig;
  ScriptPeer peer;
  std::map<std::int32_t, Endpoint> brokers = {{1, {"peer", 9092}}};
  std::map<std::string, Entry> topics = {{"t", {.partitions = {{}, {}}}}};
  int asked = 0;
};

TEST_F(ClusterTest, LearnsTopicsAndRefreshesThem) {
  const Topic& topic = want("t");
  rig.run_for(seconds(1));
  ASSERT_EQ(topic.partitions.size(), 2U);
  EXPECT_EQ(topic.partitions[1].leader, 1);
  EXPECT_EQ(asked, 1);
  topics["t"].partitions.push_back({});
  rig.run_for(seconds(10));
  EXPECT_EQ(topic.partitions.size(), 3U);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(cluster().find(topic.id), &topic);
}

TEST_F(ClusterTest, DeadBootstrapServersAreSkipped) {
  rig.client_config.bootstrap = {"nohost:1", "peer:9", "peer:9092", "nohost:2"};
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    rig.client_config.seed = seed;
    const Topic& topic = want("t");
    EXPECT_TRUE(rig.run_until([&] { return !topic.partitions.empty(); }, seconds(5))) << seed;
    rig.destroy_engine();
    rig.start();
  }
}

TEST_F(ClusterTest, SaysWhatIsWrong) {
  rig.client_config.bootstrap = {"peer:9"};
  want("t");
  rig.run_for(seconds(2));
  EXPECT_EQ(cluster().trouble().code, std::errc::connection_refused);
  EXPECT_NE(cluster().trouble().message().find("peer:9"), std::string::npos);
}

TEST_F(ClusterTest, TriesADeadServerOnlySoOften) {
  rig.client_config.bootstrap = {"peer:9"};
  want("t");
  rig.run_for(seconds(60));
  EXPECT_GE(watcher->failed["peer:9"], 40);
  EXPECT_LE(watcher->failed["peer:9"], 90);
}

TEST_F(ClusterTest, AsksForAnUnknownTopicOnlySoOften) {
  topics["t"] = {.error = BrokerErrc::unknown_topic_or_partition};
  const Topic& topic = want("t");
  rig.run_for(seconds(60));
  EXPECT_TRUE(topic.answered);
  EXPECT_EQ(topic.error, BrokerErrc::unknown_topic_or_partition);
  EXPECT_GE(asked, 50);
  EXPECT_LE(asked, 90);
}

TEST_F(ClusterTest, BrokerThatNamesNoBrokersIsNotBelieved) {
  brokers.clear();
  want("t");
  rig.run_for(seconds(1));
  EXPECT_EQ(cluster().trouble().code, ClientErrc::no_broker);
}

TEST_F(ClusterTest, RefreshesAreSpacedOut) {
  want("t");
  rig.run_for(seconds(1));
  for (int i = 0; i < 1000; ++i) {
    cluster().refresh(rig.engine().enter());
    rig.run_for(milliseconds(1));
  }
  EXPECT_LE(asked, 12);
  EXPECT_GE(asked, 9);
}

TEST_F(ClusterTest, OlderEpochIsIgnoredAndANewerTaken) {
  topics["t"].partitions = {{.leader = 1, .epoch = 5}};
  const Topic& topic = want("t");
  rig.run_for(seconds(1));
  topics["t"].partitions = {{.leader = 2, .epoch = 4}};
  refresh();
  EXPECT_EQ(topic.partitions[0].leader, 1);
  EXPECT_EQ(topic.partitions[0].leader_epoch, 5);
  topics["t"].partitions = {{.leader = 2, .epoch = 6}};
  rig.run_for(seconds(2));
  EXPECT_EQ(topic.partitions[0].leader, 2);
  EXPECT_EQ(topic.partitions[0].leader_epoch, 6);
}

TEST_F(ClusterTest, TopicMissingFromAnAnswerStays) {
  const Topic& topic = want("t");
  rig.run_for(seconds(1));
  const auto before = topics;
  topics.clear();
  refresh();
  EXPECT_EQ(topic.partitions.size(), 2U);
  topics["t"] = {.error = BrokerErrc::unknown_topic_or_partition};
  refresh();
  EXPECT_EQ(topic.partitions.size(), 2U);
  topics = before;
  topics["t"].partitions.pop_back();
  refresh();
  EXPECT_EQ(topic.partitions.size(), 2U) << "partitions do not go away";
  EXPECT_EQ(topic.incarnation, 0U);
}

TEST_F(ClusterTest, RecreatedTopicBeginsAnew) {
  topics["t"].partitions = {{.epoch = 9}, {.epoch = 9}, {.epoch = 9}};
  const Topic& topic = want("t");
  rig.run_for(seconds(1));
  const wire::Uuid old = topic.id;
  topics["t"] = {.id = 2, .partitions = {{.epoch = 0}}};
  refresh();
  EXPECT_EQ(topic.incarnation, 1U);
  EXPECT_EQ(topic.partitions.size(), 1U);
  EXPECT_EQ(topic.partitions[0].leader_epoch, 0);
  EXPECT_EQ(cluster().find(old), nullptr);
  EXPECT_EQ(cluster().find(topic.id), &topic);
}

TEST_F(ClusterTest, PartitionNumbersThatLieMakeNothing) {
  peer.on_request = [](const ScriptPeer::Request& request) {
    MetadataResponse::MetadataResponsePartition partitions[2];
    partitions[0].partition_index = 0x7fffffff;
    partitions[1].partition_index = -5;
    MetadataResponse::MetadataResponseTopic topic;
    topic.name = "t";
    topic.partitions = {partitions, 2};
    MetadataResponse::MetadataResponseBroker node;
    node.node_id = 1;
    node.host = "peer";
    node.port = 9092;
    MetadataResponse reply;
    reply.brokers = {&node, 1};
    reply.topics = {&topic, 1};
    request.session.send(ScriptPeer::answer(request, reply));
  };
  const Topic& topic = want("t");
  rig.run_for(seconds(1));
  EXPECT_TRUE(topic.answered);
  EXPECT_EQ(topic.partitions.size(), 0U);
}

TEST_F(ClusterTest, HintsAreTakenOnlyWhenTheyAreNews) {
  topics["t"].partitions = {{.leader = 1, .epoch = 5}};
  brokers[2] = {"two", 9092};
  Topic& topic = want("t");
  rig.run_for(seconds(1));
  const Now now = rig.engine().enter();
  EXPECT_FALSE(cluster().on_leader_hint(topic, 0, 2, 5, now));
  EXPECT_FALSE(cluster().on_leader_hint(topic, 0, 2, -1, now));
  EXPECT_FALSE(cluster().on_leader_hint(topic, 0, 9, 6, now)) << "an unknown broker";
  EXPECT_FALSE(cluster().on_leader_hint(topic, 3, 2, 6, now)) << "an unknown partition";
  EXPECT_FALSE(cluster().on_leader_hint(topic, -1, 2, 6, now));
  EXPECT_EQ(topic.partitions[0].leader, 1);
  EXPECT_TRUE(cluster().on_leader_hint(topic, 0, 2, 6, now));
  EXPECT_EQ(topic.partitions[0].leader, 2);
}

TEST_F(ClusterTest, MovedBrokerIsAskedAtItsNewAddress) {
  ScriptPeer other(rig.fabric, "other");
  other.on_request = [this](const ScriptPeer::Request& request) { answer(request); };
  want("t");
  rig.run_for(seconds(1));
  brokers[1] = {"other", 9092};
  rig.run_for(seconds(30));
  EXPECT_GE(other.requests, 2);
  EXPECT_EQ(*cluster().endpoint(1), (Endpoint{"other", 9092}));
  rig.destroy_engine();
}

// The only bootstrap server is gone for good, and the brokers were away for a moment.
TEST_F(ClusterTest, BrokersThatComeBackAreFoundWithoutBootstrap) {
  ScriptPeer other(rig.fabric, "other");
  other.on_request = [this](const ScriptPeer::Request& request) { answer(request); };
  brokers = {{2, {"other", 9092}}};
  topics["t"].partitions = {{.leader = 2}};
  const Topic& topic = want("t");
  rig.run_for(seconds(25));
  ASSERT_GE(other.requests, 1) << "the broker is used, not the bootstrap server";
  peer.net.down();
  other.net.down();
  rig.run_for(seconds(30));
  other.net.up();
  topics["t"].partitions = {{.leader = 2, .epoch = 7}};
  EXPECT_TRUE(rig.run_until([&] { return topic.partitions[0].leader_epoch == 7; }, seconds(60)));
  rig.destroy_engine();
}

}  // namespace
}  // namespace tern::kafka
