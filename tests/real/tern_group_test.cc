// Groups of tern members at a real Kafka: they share partitions, come late, leave, die without a
// word; every record is dealt with, nobody has a partition that another one has, and what is stored
// never goes back.

#include "tests/real/tern_group.h"

namespace tern::real {
namespace {

using GroupOnOneNode = RealKafka;

// `dies`: one of them does. Then its session has to end first, which in groups of the consumer
// protocol takes as long as the broker says.
void come_and_go(const std::string& prefix, const kafka::ConsumerConfig& config, bool dies) {
  Group group(prefix, config, 8);
  group.produce(2000);
  auto one = group.member(1);
  auto two = group.member(2);
  auto three = group.member(3);
  group.wait_for_owners({1, 2, 3});
  group.produce(2000);
  group.wait_for_all();
  auto late = group.member(4);
  group.produce(2000);
  group.wait_for_owners({1, 2, 3, 4});
  group.produce(2000);
  group.wait_for_all();
  two->leave();
  group.wait_for_owners({1, 3, 4});
  EXPECT_EQ(group.book.repeated(), 0u) << "nobody has failed yet";
  if (dies) {
    three->die();
  } else {
    three->leave();
  }
  group.produce(2000);
  group.wait_for_all();
  group.wait_for_owners({1, 4});
  one->leave();
  late->leave();
  EXPECT_EQ(group.check_stored(), group.sent());
}

TEST_F(GroupOnOneNode, EagerMembersComeAndGo) {
  come_and_go("group-eager", {.assignors = {"range"}}, true);
}

TEST_F(GroupOnOneNode, CooperativeMembersComeAndGo) {
  come_and_go("group-cooperative", {.assignors = {"cooperative-sticky"}}, true);
}

// Of the consumer protocol where the broker has it.
TEST_F(GroupOnOneNode, ModernMembersComeAndGo) {
  come_and_go("group-modern", {.group_protocol = kafka::GroupProtocol::automatic}, false);
}

// At the broker where it can, else here.
TEST_F(GroupOnOneNode, TopicsAreFoundByAPattern) {
  const std::string name = unique_topic("group-pattern");
  kafka::ClientConfig client = client_config();
  client.metadata_max_age = 2s;
  Tern tern(client);
  tern.create_topic(name + "-a", 2);
  tern.create_topic(name + "-1", 1);
  kafka::ConsumerConfig config;
  config.group = name;
  config.topic_pattern = name + "-[a-z]";
  config.match_at_broker = true;
  config.group_protocol = kafka::GroupProtocol::automatic;
  kafka::Consumer consumer(tern.client, config);
  const auto wait_for = [&](const kafka::Partitions& wanted) {
    const auto by = std::chrono::steady_clock::now() + kPatience;
    while (consumer.assignment() != wanted && std::chrono::steady_clock::now() < by) {
      consumer.async_poll(200ms, asio::use_future).get();
    }
    EXPECT_EQ(consumer.assignment(), wanted);
  };
  wait_for({{name + "-a", 0}, {name + "-a", 1}});
  tern.create_topic(name + "-b", 1);
  wait_for({{name + "-a", 0}, {name + "-a", 1}, {name + "-b", 0}});
  ASSERT_FALSE(consumer.subscribe({name + "-1"}, name + "-b"));
  wait_for({{name + "-1", 0}, {name + "-b", 0}});
  ASSERT_FALSE(consumer.subscribe({name + "-1"}));
  wait_for({{name + "-1", 0}});
  consumer.async_close(30s, asio::use_future).get();
}

}  // namespace
}  // namespace tern::real
