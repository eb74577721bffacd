// For the tests of groups of the consumer protocol (KIP-848): members that speak it by hand.
#ifndef TERN_TESTS_BROKER_MODERN_TESTING_H_
#define TERN_TESTS_BROKER_MODERN_TESTING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/broker/group_testing.h"

namespace tern::broker {

using Owned = std::vector<std::int32_t>;  // partitions of topic "t"

struct Beat {
  BrokerErrc error = BrokerErrc::none;
  std::string message;
  std::int32_t epoch = 0;
  bool told = false;  // there was an assignment in the answer
  Owned assigned;
};

class Modern {
 public:
  explicit Modern(GroupFixture& fixture, std::string member_id, std::int32_t node = 1)
      : client(fixture.client(node)), id(std::move(member_id)), fixture_(fixture) {}

  Client client;
  std::string id;
  std::string instance;
  std::string assignor;
  std::string regex;
  Strings topics = {"t"};
  std::int32_t epoch = 0;
  std::int32_t rebalance_timeout_ms = 20'000;
  Owned owned;  // what it says it has

  // Everything, as when it joins.
  Beat beat() { return send(true, owned); }
  Beat join() {
    epoch = 0;
    owned.clear();
    return beat();
  }
  // Nothing that has not changed, as a member does most of the time.
  Beat short_beat() { return send(false, std::nullopt); }
  // Takes over what it is told, says so, until nothing changes any more.
  Owned settle() {
    for (int i = 0; i < 5; ++i) beat();
    return owned;
  }
  Beat leave(std::int32_t how = kLeavingEpoch) {
    epoch = how;
    return send(false, std::nullopt);
  }

 private:
  Beat send(bool all, std::optional<Owned> owns) {
    kafka::ConsumerGroupHeartbeatRequest request;
    request.group_id = kGroup;
    request.member_id = id;
    request.member_epoch = epoch;
    if (!instance.empty()) request.instance_id = instance;
    if (!assignor.empty()) request.server_assignor = assignor;
    if (!regex.empty()) request.subscribed_topic_regex = regex;
    std::vector<wire::Text> names(topics.begin(), topics.end());
    kafka::ConsumerGroupHeartbeatRequest::TopicPartitions of;
    const Topic* topic = fixture_.cluster().find_topic("t");
    if (topic) of.topic_id = topic->id;
    if (all) {
      request.rebalance_timeout_ms = rebalance_timeout_ms;
      request.subscribed_topic_names = {names.data(), names.size()};
    }
    if (owns) {
      of.partitions = {owns->data(), owns->size()};
      request.topic_partitions = {&of, owns->empty() ? 0U : 1U};
    }
    const auto reply = client.call(request, 1);
    Beat beat;
    beat.error = err(reply->error_code);
    beat.message = reply->error_message.str();
    beat.epoch = reply->member_epoch;
    if (beat.error != BrokerErrc::none) return beat;
    epoch = reply->member_epoch;
    beat.told = reply->assignment.has_value();
    if (!beat.told) return beat;
    for (const auto& one : reply->assignment->topic_partitions) {
      if (topic && one.topic_id != topic->id) continue;
      beat.assigned.assign(one.partitions.begin(), one.partitions.end());
    }
    owned = beat.assigned;
    return beat;
  }

  GroupFixture& fixture_;
};

class ModernGroupTest : public testing::Test {
 protected:
  ModernGroupTest() { fixture.cluster().add_partitions("t", 4); }
  const ModernGroup& group() { return *fixture.cluster().groups().find(kGroup)->modern; }
  GroupFixture fixture;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_MODERN_TESTING_H_
