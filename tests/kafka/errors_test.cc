#include "protocol/kafka/errors.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tern::kafka {
namespace {

TEST(BrokerErrors, NumbersNamesAndClasses) {
  EXPECT_EQ(static_cast<int>(BrokerErrc::not_leader_or_follower), 6);
  EXPECT_STREQ(broker_error_name(BrokerErrc::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_STREQ(broker_error_name(BrokerErrc::unknown_server_error), "UNKNOWN_SERVER_ERROR");
  EXPECT_STREQ(broker_error_name(BrokerErrc::controller_id_not_registered),
               "CONTROLLER_ID_NOT_REGISTERED");
  EXPECT_TRUE(is_retriable(BrokerErrc::not_leader_or_follower));
  EXPECT_TRUE(is_invalid_metadata(BrokerErrc::not_leader_or_follower));
  EXPECT_TRUE(is_retriable(BrokerErrc::not_enough_replicas));
  EXPECT_FALSE(is_invalid_metadata(BrokerErrc::not_enough_replicas));
  EXPECT_FALSE(is_retriable(BrokerErrc::message_too_large));
  EXPECT_FALSE(is_retriable(BrokerErrc::none));
}

TEST(BrokerErrors, EveryNumberHasANameOfItsOwn) {
  std::set<std::string> names, texts;
  int retriable = 0, metadata = 0;
  for (int n = -1; n <= static_cast<int>(kLastBrokerErrc); ++n) {
    const auto code = static_cast<BrokerErrc>(n);
    names.insert(broker_error_name(code));
    texts.insert(broker_error_text(code));
    retriable += is_retriable(code);
    metadata += is_invalid_metadata(code);
    EXPECT_TRUE(!is_invalid_metadata(code) || is_retriable(code)) << n;
  }
  EXPECT_EQ(names.size(), 138U);
  EXPECT_EQ(texts.size(), 138U);
  EXPECT_EQ(retriable, 32);  // as the Java client of 4.4.0 has them
  EXPECT_EQ(metadata, 13);
}

// What a member of a group meets. Only the coordinator's own troubles are over by waiting; all the
// rest asks for something else first: to join again, to take another id, to give up.
TEST(BrokerErrors, OfGroups) {
  for (const BrokerErrc code :
       {BrokerErrc::coordinator_load_in_progress, BrokerErrc::coordinator_not_available,
        BrokerErrc::not_coordinator, BrokerErrc::unstable_offset_commit}) {
    EXPECT_TRUE(is_retriable(code)) << broker_error_name(code);
    EXPECT_FALSE(is_invalid_metadata(code)) << broker_error_name(code);
  }
  // Topic ids in commits of version 10.
  EXPECT_TRUE(is_invalid_metadata(BrokerErrc::unknown_topic_id));
  for (const BrokerErrc code :
       {BrokerErrc::illegal_generation,         BrokerErrc::inconsistent_group_protocol,
        BrokerErrc::invalid_group_id,           BrokerErrc::unknown_member_id,
        BrokerErrc::invalid_session_timeout,    BrokerErrc::rebalance_in_progress,
        BrokerErrc::invalid_commit_offset_size, BrokerErrc::offset_metadata_too_large,
        BrokerErrc::group_authorization_failed, BrokerErrc::non_empty_group,
        BrokerErrc::group_id_not_found,         BrokerErrc::member_id_required,
        BrokerErrc::group_max_size_reached,     BrokerErrc::fenced_instance_id,
        BrokerErrc::group_subscribed_to_topic,  BrokerErrc::fenced_member_epoch,
        BrokerErrc::unreleased_instance_id,     BrokerErrc::unsupported_assignor,
        BrokerErrc::stale_member_epoch,         BrokerErrc::invalid_regular_expression,
        BrokerErrc::group_deletion_failed}) {
    EXPECT_FALSE(is_retriable(code)) << broker_error_name(code);
  }
}

TEST(BrokerErrors, AsErrorCode) {
  const std::error_code code = broker_error(3);
  EXPECT_TRUE(code == BrokerErrc::unknown_topic_or_partition);
  EXPECT_STREQ(code.category().name(), "kafka");
  EXPECT_EQ(code.message().rfind("UNKNOWN_TOPIC_OR_PARTITION (3): ", 0), 0U) << code.message();
  EXPECT_FALSE(broker_error(0));
  // A code from a broker that is newer than this list.
  EXPECT_TRUE(broker_error(4711));
  EXPECT_EQ(broker_error(4711).value(), 4711);
  EXPECT_STREQ(broker_error_name(static_cast<BrokerErrc>(4711)), "UNKNOWN");
  EXPECT_STREQ(broker_error_name(static_cast<BrokerErrc>(-2)), "UNKNOWN");
  EXPECT_FALSE(is_retriable(static_cast<BrokerErrc>(4711)));
}

}  // namespace
}  // namespace tern::kafka
