// Admin's calls about groups, against three embedded brokers.
#include <algorithm>
#include <asio/use_future.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "protocol/kafka/messages/all.h"
#include "tests/broker/group_coordinator.h"
#include "tests/net/facade_rig.h"

namespace tern::kafka {
namespace {

class GroupsTest : public ::testing::Test, protected Brokers {
 protected:
  GroupsTest() : Brokers(3) { create_topic("t", 2); }

  // Stores these of topic t, from partition 0 on; nobody may be in the group.
  void store(const std::string& group, const std::vector<std::int64_t>& offsets) {
    Offsets all;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      all.push_back({.topic = "t",
                     .partition = static_cast<std::int32_t>(i),
                     .offset = offsets[i],
                     .metadata = "m"});
    }
    for (const PartitionResult& each :
         admin_.async_set_group_offsets(group, all, asio::use_future).get()) {
      EXPECT_FALSE(each.error) << each.error.message();
    }
  }
  Offsets offsets(const std::string& group) {
    return admin_.async_group_offsets(group, asio::use_future).get();
  }
  GroupDescription describe(const std::string& group) {
    return admin_.async_describe_groups({group}, asio::use_future).get().at(0);
  }
  static std::error_code error_of(std::future<PartitionResults> future) {
    const PartitionResults results = future.get();
    EXPECT_EQ(results.size(), 1U);
    return results.at(0).error;
  }
  // A member that has been given all of t.
  Consumer member(const std::string& group, GroupProtocol protocol) {
    ConsumerConfig config{.group = group, .topics = {"t"}, .instance_id = "i"};
    config.group_protocol = protocol;
    config.assignors = {"range"};
    Consumer consumer(client_, config);
    while (consumer.assignment().size() != 2 || describe(group).state != "Stable") {
      EXPECT_TRUE(consumer.async_poll(10ms, asio::use_future).get().empty());
    }
    return consumer;
  }

  net::Runtime runtime_;
  Client client_{runtime_.executor(), config()};
  Admin admin_{client_};
};

TEST_F(GroupsTest, OffsetsAreSetToldAndForgotten) {
  EXPECT_TRUE(offsets("g").empty());
  store("g", {5, 7});
  Offsets stored = offsets("g");
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_EQ(stored[0], (PartitionOffset{.topic = "t", .offset = 5, .metadata = "m"}));
  EXPECT_EQ(stored[1].offset, 7);
  store("g", {6});
  const PartitionResults results =
      admin_.async_delete_group_offsets("g", {{"t", 1}}, asio::use_future).get();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].partition, (TopicPartition{"t", 1}));
  EXPECT_FALSE(results[0].error);
  stored = offsets("g");
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].offset, 6);
}

TEST_F(GroupsTest, AllBrokersListTheirGroups) {
  std::vector<std::string> names;
  for (int i = 0; i < 9; ++i) names.push_back("g" + std::to_string(i));
  for (const std::string& name : names) store(name, {1});
  const auto listed = admin_.async_list_groups(asio::use_future).get();
  ASSERT_EQ(listed.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(listed[i].group, names[i]);
    EXPECT_EQ(listed[i].type, "classic");
    EXPECT_EQ(listed[i].state, "Empty");
  }
}

TEST_F(GroupsTest, DescribesBothTypes) {
  const Consumer classic = member("old", GroupProtocol::classic);
  const Consumer modern = member("new", GroupProtocol::consumer);
  const Partitions all = {{"t", 0}, {"t", 1}};
  const auto groups = admin_.async_describe_groups({"old", "none", "new"}, asio::use_future).get();
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[0].group, "old");
  EXPECT_FALSE(groups[0].error);
  EXPECT_EQ(groups[0].type, "classic");
  EXPECT_EQ(groups[0].state, "Stable");
  EXPECT_EQ(groups[0].assignor, "range");
  EXPECT_EQ(groups[1].group, "none");
  EXPECT_EQ(groups[1].error, BrokerErrc::group_id_not_found);
  EXPECT_EQ(groups[2].type, "consumer");
  EXPECT_EQ(groups[2].state, "Stable");
  EXPECT_EQ(groups[2].assignor, "uniform");
  EXPECT_GT(groups[2].epoch, 0);
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    EXPECT_EQ(groups[i].protocol, "consumer");
    EXPECT_GE(groups[i].coordinator, 1);
    ASSERT_EQ(groups[i].members.size(), 1U);
    const MemberDescription& member = groups[i].members[0];
    EXPECT_FALSE(member.member_id.empty());
    EXPECT_EQ(member.instance_id, "i");
    EXPECT_EQ(member.client_id, "tern");
    EXPECT_EQ(member.host, "/127.0.0.1");
    EXPECT_EQ(member.topics, std::vector<std::string>{"t"});
    EXPECT_EQ(member.assignment, all);
    EXPECT_EQ(member.target, all);
  }
  // Neither can be changed or deleted while somebody is in there.
  for (const std::string group : {"old", "new"}) {
    EXPECT_EQ(admin_.async_delete_groups({group}, asio::use_future).get().at(0).error,
              BrokerErrc::non_empty_group);
    EXPECT_EQ(error_of(admin_.async_set_group_offsets(group, Offsets{{.topic = "t", .offset = 1}},
                                                      asio::use_future)),
              BrokerErrc::unknown_member_id);
    EXPECT_EQ(
        error_of(admin_.async_delete_group_offsets(group, Partitions{{"t", 0}}, asio::use_future)),
        BrokerErrc::group_subscribed_to_topic);
  }
}

TEST_F(GroupsTest, DeletesGroups) {
  store("g", {1});
  const GroupResults results = admin_.async_delete_groups({"none", "g"}, asio::use_future).get();
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].group, "none");
  EXPECT_EQ(results[0].error, BrokerErrc::group_id_not_found);
  EXPECT_FALSE(results[0].message.empty());
  EXPECT_FALSE(results[1].error);
  EXPECT_TRUE(offsets("g").empty());
  EXPECT_EQ(describe("g").error, BrokerErrc::group_id_not_found);
  EXPECT_TRUE(admin_.async_delete_groups({}, asio::use_future).get().empty());
}

TEST_F(GroupsTest, FollowsTheCoordinator) {
  store("g", {1});
  for (const std::int32_t node : {1, 2, 3}) {
    on_thread(
        [&](broker::EmbeddedKafka& kafka) { EXPECT_TRUE(kafka.cluster().move_group("g", node)); });
    EXPECT_EQ(describe("g").coordinator, node);
    EXPECT_EQ(offsets("g").size(), 1U);
  }
}

TEST_F(GroupsTest, ACoordinatorThatLoadsIsWaitedForAndARefusalIsNot) {
  store("g", {1});
  on_thread([&](broker::EmbeddedKafka& kafka) {
    broker::KafkaCluster& cluster = kafka.cluster();
    cluster.inject(kOffsetFetchApi.key,
                   broker::Injection::with_error(BrokerErrc::coordinator_load_in_progress, 2));
    cluster.inject(kOffsetCommitApi.key,
                   broker::Injection::with_error(BrokerErrc::not_coordinator, 2));
    cluster.inject(kListGroupsApi.key,
                   broker::Injection::with_error(BrokerErrc::coordinator_load_in_progress, 2));
  });
  store("g", {2});
  EXPECT_EQ(offsets("g").at(0).offset, 2);
  EXPECT_EQ(admin_.async_list_groups(asio::use_future).get().size(), 1U);
  on_thread([&](broker::EmbeddedKafka& kafka) {
    kafka.cluster().inject(kFindCoordinatorApi.key,
                           broker::Injection::with_error(BrokerErrc::group_authorization_failed));
  });
  Diagnostics diagnostics;
  std::future<Offsets> refused =
      admin_.async_group_offsets("other", asio::use_future, &diagnostics);
  try {
    refused.get();
    ADD_FAILURE() << "offsets of a group that nobody may see";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), BrokerErrc::group_authorization_failed);
  }
  EXPECT_NE(diagnostics.message.find("offsets of group \"other\": "), std::string::npos)
      << diagnostics.message;
}

}  // namespace
}  // namespace tern::kafka
