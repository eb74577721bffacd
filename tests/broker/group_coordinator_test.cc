// Who coordinates a group, what survives a change, what can be asked about groups; their offsets.
#include <gtest/gtest.h>

#include "tests/broker/group_testing.h"

namespace tern::broker {
namespace {

using kafka::FindCoordinatorRequest;
using FetchedPartition = kafka::OffsetFetchResponse::OffsetFetchResponsePartitions;

Reply<kafka::FindCoordinatorResponse> find(Client& client, std::vector<wire::Text> keys,
                                           std::int8_t key_type = 0) {
  FindCoordinatorRequest request;
  request.key_type = key_type;
  request.coordinator_keys = {keys.data(), keys.size()};
  return client.call(request, 4);
}

TEST(FindCoordinator, MakesTheTopicOfOffsetsFirst) {
  Fixture fixture(3);
  Client client = fixture.client(2);
  FindCoordinatorRequest request;
  request.key = kGroup;
  EXPECT_EQ(err(client.call(request, 3)->error_code), BrokerErrc::coordinator_not_available);
  Topic* topic = fixture.cluster().find_topic(kOffsetsTopic);
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->partitions.size(), 50U);
  EXPECT_EQ(topic->partitions[0].replicas.size(), 3U);
  const auto found = client.call(request, 3);
  EXPECT_EQ(found->error_code, 0);
  // "g" is 103, and 103 mod 50 is 3.
  EXPECT_EQ(found->node_id, topic->partitions[3].leader);
  EXPECT_EQ(found->port, fixture.kafka.broker(found->node_id).endpoint().port);
}

TEST(FindCoordinator, SeveralAtOnce) {
  GroupFixture fixture(2);
  Client client = fixture.client();
  const auto reply = find(client, {"g", "h"});
  ASSERT_EQ(reply->coordinators.size(), 2U);
  EXPECT_EQ(reply->coordinators[0].key, wire::Text("g"));
  EXPECT_NE(reply->coordinators[0].node_id, reply->coordinators[1].node_id);
  EXPECT_EQ(err(find(client, {"g"}, 7)->coordinators[0].error_code), BrokerErrc::invalid_request);
  EXPECT_EQ(find(client, {"txn"}, 1)->coordinators[0].node_id, 1);  // whoever is asked
}

TEST(FindCoordinator, TellsADeadNodeUntilItIsNoticed) {
  GroupFixture fixture(2);
  Client client = fixture.client(1);
  ASSERT_TRUE(fixture.cluster().move_group(kGroup, 2));
  fixture.cluster().stop_node(2, /*elect=*/false);
  EXPECT_EQ(find(client, {kGroup})->coordinators[0].node_id, 2);
  fixture.cluster().elect_leaders();
  EXPECT_EQ(find(client, {kGroup})->coordinators[0].node_id, 1);
}

TEST(FindCoordinator, ThereIsNoneWhileNobodyLeads) {
  GroupFixture fixture(2);
  Client client = fixture.client(1);
  fixture.cluster().find_partition(kOffsetsTopic, 3)->replicas = {2};
  fixture.cluster().move_group(kGroup, 2);
  fixture.cluster().stop_node(2);
  EXPECT_EQ(err(find(client, {kGroup})->coordinators[0].error_code),
            BrokerErrc::coordinator_not_available);
}

TEST(OffsetsTopic, IsInternalAndNotForProducers) {
  GroupFixture fixture;
  Client client = fixture.client();
  kafka::MetadataRequest all;
  all.topics = decltype(all.topics)::null();
  const auto metadata = client.call(all, 12);
  ASSERT_EQ(metadata->topics.size(), 2U);
  EXPECT_TRUE(metadata->topics[0].is_internal);
  EXPECT_FALSE(metadata->topics[1].is_internal);
  EXPECT_EQ(err(produce(client, kOffsetsTopic, 0, make_batch({})).error_code),
            BrokerErrc::invalid_topic_exception);
}

// ------------------------------------------------------------------------------ when it moves

TEST(Coordinator, OnlyTheRightNodeAnswers) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 2);
  Member wrong(fixture, 1);
  EXPECT_EQ(wrong.join().error, BrokerErrc::not_coordinator);
  EXPECT_EQ(wrong.sync().error, BrokerErrc::not_coordinator);
  EXPECT_EQ(wrong.heartbeat(), BrokerErrc::not_coordinator);
  EXPECT_EQ(wrong.leave(), BrokerErrc::not_coordinator);
  EXPECT_EQ(wrong.commit("t", 0, 1), BrokerErrc::not_coordinator);
  Member right(fixture, 2);
  EXPECT_EQ(right.join().error, BrokerErrc::member_id_required);
}

TEST(Coordinator, AStableGroupMovesAsItIs) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 1);
  TwoMembers two(fixture);
  EXPECT_EQ(two.leader.commit("t", 0, 7), BrokerErrc::none);
  fixture.advance(seconds(9));
  fixture.cluster().move_group(kGroup, 2);
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::not_coordinator);
  Member leader(fixture, 2), follower(fixture, 2);
  leader.id = two.leader.id;
  follower.id = two.follower.id;
  leader.generation = follower.generation = 2;
  fixture.advance(seconds(9));  // they have a whole session timeout again
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(follower.sync().assignment, "one");
  EXPECT_EQ(fixture.committed("t", 0), 7);
  follower.heartbeat();
  fixture.advance(seconds(10));
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::unknown_member_id);
}

TEST(Coordinator, WhatWasNotStoredIsLostWithIt) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 1);
  TwoMembers two(fixture);
  Member third(fixture);
  third.begin_join();
  two.leader.send_join();
  fixture.cluster().move_group(kGroup, 2);
  fixture.run();
  EXPECT_EQ(third.joined().error, BrokerErrc::not_coordinator);
  EXPECT_EQ(two.leader.joined().error, BrokerErrc::not_coordinator);
  Member leader(fixture, 2), newcomer(fixture, 2);
  leader.id = two.leader.id;
  leader.generation = 2;
  newcomer.id = third.id;
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::none);  // the generation that was stored
  EXPECT_EQ(newcomer.join().error, BrokerErrc::unknown_member_id);
}

TEST(Coordinator, AnAssignmentIsStoredOrNot) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 1);
  TwoMembers two(fixture);
  two.leader.send_join();
  two.follower.send_join();
  EXPECT_EQ(two.leader.joined().generation, 3);
  EXPECT_EQ(two.follower.joined().generation, 3);
  two.follower.send_sync();
  fixture.cluster().move_group(kGroup, 2);
  fixture.run();
  EXPECT_EQ(two.follower.synced().error, BrokerErrc::not_coordinator);
  Member follower(fixture, 2);
  follower.id = two.follower.id;
  follower.generation = 3;
  EXPECT_EQ(follower.heartbeat(), BrokerErrc::illegal_generation);
  follower.generation = 2;
  EXPECT_EQ(follower.sync().assignment, "one");
}

TEST(Coordinator, ACrashMovesIt) {
  GroupFixture fixture(3);
  fixture.cluster().move_group(kGroup, 1);
  TwoMembers two(fixture);
  two.leader.commit("t", 1, 42);
  fixture.cluster().stop_node(1);
  Client client = fixture.client(3);
  const std::int32_t node = find(client, {kGroup})->coordinators[0].node_id;
  EXPECT_NE(node, 1);
  Member leader(fixture, node);
  leader.id = two.leader.id;
  leader.generation = 2;
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(fixture.committed("t", 1), 42);
}

TEST(Coordinator, ARestartForgetsWhoWaited) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  fixture.cluster().stop_node(1, /*elect=*/false);
  fixture.run();
  fixture.cluster().start_node(1);
  Member leader(fixture);
  leader.id = two.leader.id;
  leader.generation = 2;
  EXPECT_EQ(leader.heartbeat(), BrokerErrc::none);
  EXPECT_EQ(fixture.group().state(), ClassicGroup::State::stable);
}

TEST(Coordinator, LoadingTakesTime) {
  GroupFixture fixture(2, {.load_time = seconds(2)});
  fixture.advance(seconds(2));
  fixture.cluster().move_group(kGroup, 1);
  Member member(fixture, 1);
  EXPECT_EQ(member.join().error, BrokerErrc::coordinator_load_in_progress);
  EXPECT_EQ(member.commit("t", 0, 1), BrokerErrc::coordinator_load_in_progress);
  EXPECT_EQ(member.heartbeat(), BrokerErrc::none);  // as if all was well
  EXPECT_EQ(err(member.client.call(kafka::ListGroupsRequest{}, 4)->error_code),
            BrokerErrc::coordinator_load_in_progress);
  fixture.advance(seconds(2));
  member.id.clear();
  EXPECT_EQ(member.join().error, BrokerErrc::member_id_required);
}

// --------------------------------------------------------------------------------------- offsets

FetchedPartition fetch(Client& client, std::string_view topic, std::int32_t partition,
                       Reply<kafka::OffsetFetchResponse>& reply, std::string_view group = kGroup) {
  kafka::OffsetFetchRequest::OffsetFetchRequestTopics asked;
  asked.name = topic;
  asked.partition_indexes = {&partition, 1};
  kafka::OffsetFetchRequest::OffsetFetchRequestGroup one;
  one.group_id = group;
  one.topics = {&asked, 1};
  kafka::OffsetFetchRequest request;
  request.groups = {&one, 1};
  reply = client.call(request, 9);
  EXPECT_EQ(reply->groups[0].error_code, 0);
  return reply->groups[0].topics[0].partitions[0];
}

TEST(Offsets, AreCommittedAndReadBack) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  EXPECT_EQ(two.leader.commit("t", 1, 17, "note"), BrokerErrc::none);
  Client client = fixture.client();
  Reply<kafka::OffsetFetchResponse> reply;
  const FetchedPartition known = fetch(client, "t", 1, reply);
  EXPECT_EQ(known.committed_offset, 17);
  EXPECT_EQ(known.metadata, wire::Text("note"));
  EXPECT_EQ(known.committed_leader_epoch, 0);
  EXPECT_EQ(fetch(client, "t", 0, reply).committed_offset, -1);
  EXPECT_EQ(fetch(client, "nowhere", 0, reply).committed_offset, -1);
  EXPECT_EQ(fetch(client, "t", 1, reply, "other").committed_offset, -1);
}

TEST(Offsets, AllOfAGroup) {
  GroupFixture fixture;
  fixture.cluster().create_topic("u", {.partitions = 1});
  TwoMembers two(fixture);
  two.leader.commit("t", 0, 1);
  two.leader.commit("t", 1, 2);
  two.leader.commit("u", 0, 3);
  Client client = fixture.client();
  for (const std::int16_t version : std::vector<std::int16_t>{2, 5, 7}) {
    kafka::OffsetFetchRequest request;
    request.group_id = kGroup;
    request.topics = decltype(request.topics)::null();
    const auto reply = client.call(request, version);
    ASSERT_EQ(reply->topics.size(), 2U);
    EXPECT_EQ(reply->topics[0].partitions.size(), 2U);
    EXPECT_EQ(reply->topics[1].partitions[0].committed_offset, 3);
  }
  kafka::OffsetFetchRequest::OffsetFetchRequestGroup groups[2];
  groups[0].group_id = "absent";
  groups[1].group_id = kGroup;
  for (auto& group : groups) group.topics = decltype(group.topics)::null();
  kafka::OffsetFetchRequest request;
  request.groups = {groups, 2};
  const auto reply = client.call(request, 10);
  EXPECT_EQ(reply->groups[0].topics.size(), 0U);
  ASSERT_EQ(reply->groups[1].topics.size(), 2U);
  EXPECT_EQ(reply->groups[1].topics[0].topic_id, fixture.cluster().find_topic("t")->id);
}

TEST(Offsets, ByTopicId) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  const wire::Uuid id = fixture.cluster().find_topic("t")->id;
  Client client = fixture.client();
  const auto commit = [&](const wire::Uuid& topic) {
    kafka::OffsetCommitRequest::OffsetCommitRequestPartition partition{0, 5, -1, ""};
    kafka::OffsetCommitRequest::OffsetCommitRequestTopic of;
    of.topic_id = topic;
    of.partitions = {&partition, 1};
    kafka::OffsetCommitRequest request;
    request.group_id = kGroup;
    request.member_id = two.leader.id;
    request.generation_id_or_member_epoch = two.leader.generation;
    request.topics = {&of, 1};
    return err(client.call(request, 10)->topics[0].partitions[0].error_code);
  };
  EXPECT_EQ(commit(id), BrokerErrc::none);
  EXPECT_EQ(fixture.committed("t", 0), 5);
  EXPECT_EQ(commit(wire::Uuid()), BrokerErrc::unknown_topic_id);
}

TEST(Offsets, WhatIsNotThereCannotBeCommitted) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  EXPECT_EQ(two.leader.commit("t", 2, 1), BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(two.leader.commit("nowhere", 0, 1), BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(two.leader.commit("t", 0, 1, std::string(4097, 'x')),
            BrokerErrc::offset_metadata_too_large);
}

TEST(Offsets, OnlyMembersCommitToAGroupThatHasSome) {
  GroupFixture fixture;
  Member loner(fixture);
  EXPECT_EQ(loner.commit("t", 0, 1), BrokerErrc::none);  // makes a group for the offsets alone
  loner.generation = 0;
  loner.id = "someone";
  EXPECT_EQ(loner.commit("t", 0, 1), BrokerErrc::unknown_member_id);
  TwoMembers two(fixture);
  Member admin(fixture);
  EXPECT_EQ(admin.commit("t", 0, 9), BrokerErrc::unknown_member_id);
  EXPECT_EQ(fixture.committed("t", 0), 1);
  two.leader.leave();
  two.follower.leave();
  EXPECT_EQ(admin.commit("t", 0, 9), BrokerErrc::none);
}

GroupConfig keeping_offsets_an_hour() {
  GroupConfig config;
  config.offsets_retention = std::chrono::hours(1);
  return config;
}

void keep_alive(GroupFixture& fixture, TwoMembers& two, Duration time) {
  for (; time > Duration::zero(); time -= seconds(5)) {
    fixture.advance(seconds(5));
    EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::none);
    EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::none);
  }
}

TEST(Offsets, EndSomeTimeAfterTheLastMemberHasLeft) {
  GroupFixture fixture(1, keeping_offsets_an_hour());
  TwoMembers two(fixture);
  EXPECT_EQ(two.leader.commit("t", 0, 5), BrokerErrc::none);
  keep_alive(fixture, two, std::chrono::minutes(90));
  EXPECT_EQ(fixture.committed("t", 0), 5) << "its group is at work";
  two.leader.leave();
  two.follower.leave();
  fixture.advance(std::chrono::minutes(59));
  EXPECT_EQ(fixture.committed("t", 0), 5);
  fixture.advance(std::chrono::minutes(11));
  EXPECT_EQ(fixture.cluster().groups().find(kGroup), nullptr);
}

TEST(Offsets, OfNoMembersEndSomeTimeAfterTheCommitOrWhenItSays) {
  GroupFixture fixture(1, keeping_offsets_an_hour());
  Member loner(fixture);
  loner.commit("t", 0, 1);
  loner.retention_time_ms = 60'000;
  loner.commit("t", 1, 2, "", 4);
  fixture.advance(seconds(59));
  EXPECT_EQ(fixture.committed("t", 1), 2);
  fixture.advance(seconds(1));
  EXPECT_EQ(fixture.committed("t", 1), -1);
  fixture.advance(std::chrono::minutes(58));
  EXPECT_EQ(fixture.committed("t", 0), 1);
  fixture.advance(std::chrono::minutes(12));
  EXPECT_EQ(fixture.cluster().groups().find(kGroup), nullptr);
}

TEST(Offsets, OfTopicsThatTheGroupDoesNotReadEndToo) {
  GroupFixture fixture(1, keeping_offsets_an_hour());
  fixture.cluster().create_topic("u", {.partitions = 1});
  TwoMembers two(fixture);
  two.leader.commit("t", 0, 1);
  two.leader.commit("u", 0, 2);
  keep_alive(fixture, two, std::chrono::minutes(70));
  EXPECT_EQ(fixture.committed("t", 0), 1);
  EXPECT_EQ(fixture.committed("u", 0), -1);
}

TEST(Offsets, AGenerationOfNoGroup) {
  GroupFixture fixture;
  Member member(fixture);
  member.id = "someone";
  member.generation = 3;
  EXPECT_EQ(member.commit("t", 0, 1, "", 8), BrokerErrc::illegal_generation);
  EXPECT_EQ(member.commit("t", 0, 1, "", 9), BrokerErrc::group_id_not_found);
}

TEST(Offsets, MayBeCommittedUntilOneHasRejoined) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();  // preparing: the others still commit what they have done
  EXPECT_EQ(two.follower.commit("t", 1, 3), BrokerErrc::none);
  two.follower.send_join();
  two.leader.joined();
  two.follower.joined();
  EXPECT_EQ(two.follower.commit("t", 1, 4), BrokerErrc::rebalance_in_progress);
  two.settle();
  EXPECT_EQ(two.follower.commit("t", 1, 4), BrokerErrc::none);
}

TEST(Offsets, GoWithTheirTopic) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.commit("t", 0, 7);
  fixture.cluster().recreate_topic("t");
  EXPECT_EQ(fixture.committed("t", 0), -1);
}

TEST(Offsets, AreDeletedUnlessSomebodyReadsTheTopic) {
  GroupFixture fixture;
  fixture.cluster().create_topic("u", {.partitions = 1});
  TwoMembers two(fixture);
  two.leader.commit("t", 0, 1);
  two.leader.commit("u", 0, 2);
  Client client = fixture.client();
  const auto remove = [&](std::string_view topic, std::string_view group = kGroup) {
    kafka::OffsetDeleteRequest::OffsetDeleteRequestPartition partition;
    kafka::OffsetDeleteRequest::OffsetDeleteRequestTopic of{topic, {&partition, 1}};
    kafka::OffsetDeleteRequest request;
    request.group_id = group;
    request.topics = {&of, 1};
    const auto reply = client.call(request, 0);
    if (reply->error_code != 0) return err(reply->error_code);
    return err(reply->topics[0].partitions[0].error_code);
  };
  EXPECT_EQ(remove("t"), BrokerErrc::group_subscribed_to_topic);
  EXPECT_EQ(remove("u"), BrokerErrc::none);
  EXPECT_EQ(remove("nowhere"), BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(remove("u", "absent"), BrokerErrc::group_id_not_found);
  EXPECT_EQ(fixture.committed("t", 0), 1);
  EXPECT_EQ(fixture.committed("u", 0), -1);
}

TEST(Offsets, ErrorsBeforeThereWasAPlaceForThem) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 2);
  Client wrong = fixture.client(1);
  const std::int32_t index = 0;
  const kafka::OffsetFetchRequest::OffsetFetchRequestTopic topic{"t", {&index, 1}};
  kafka::OffsetFetchRequest request;
  request.group_id = kGroup;
  request.topics = {&topic, 1};
  const auto first = wrong.call(request, 1);
  EXPECT_EQ(err(first->topics[0].partitions[0].error_code), BrokerErrc::not_coordinator);
  const auto second = wrong.call(request, 2);
  EXPECT_EQ(err(second->error_code), BrokerErrc::not_coordinator);
  EXPECT_EQ(second->topics.size(), 0U);
}

// --------------------------------------------------------------------------------- asked about

TEST(Groups, AreDescribed) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Client client = fixture.client();
  const wire::Text names[] = {kGroup, "absent"};
  kafka::DescribeGroupsRequest request;
  request.groups = {names, 2};
  auto reply = client.call(request, 6);
  ASSERT_EQ(reply->groups.size(), 2U);
  EXPECT_EQ(reply->groups[0].group_state, wire::Text("Stable"));
  EXPECT_EQ(reply->groups[0].protocol_type, wire::Text("consumer"));
  EXPECT_EQ(reply->groups[0].protocol_data, wire::Text("range"));
  ASSERT_EQ(reply->groups[0].members.size(), 2U);
  const bool first_leads = reply->groups[0].members[0].member_id.view() == two.leader.id;
  const auto& leader = reply->groups[0].members[first_leads ? 0 : 1];
  EXPECT_EQ(leader.member_assignment.str(), "zero");
  EXPECT_EQ(leader.member_metadata.str(), subscription({"t"}));
  EXPECT_EQ(leader.client_id, wire::Text("test"));
  EXPECT_EQ(leader.client_host, wire::Text("/client"));
  EXPECT_EQ(err(reply->groups[1].error_code), BrokerErrc::group_id_not_found);
  EXPECT_EQ(reply->groups[1].group_state, wire::Text("Dead"));
  EXPECT_EQ(client.call(request, 5)->groups[1].error_code, 0);

  two.leader.send_join();
  reply = client.call(request, 5);
  EXPECT_EQ(reply->groups[0].group_state, wire::Text("PreparingRebalance"));
  EXPECT_EQ(reply->groups[0].protocol_data, wire::Text(""));
  EXPECT_EQ(reply->groups[0].members[0].member_metadata.size(), 0U);
  EXPECT_NE(reply->groups[0].members[0].member_assignment.size(), 0U);
}

TEST(Groups, AreListedByTheirCoordinator) {
  GroupFixture fixture(2);
  fixture.cluster().move_group(kGroup, 1);
  TwoMembers two(fixture);
  Member loner(fixture, 1, "g2");
  fixture.cluster().move_group("g2", 1);
  ASSERT_EQ(loner.commit("t", 0, 1), BrokerErrc::none);
  const auto list = [&](std::int32_t node, std::vector<wire::Text> states,
                        std::vector<wire::Text> types = {}) {
    Client client = fixture.client(node);
    kafka::ListGroupsRequest request;
    request.states_filter = {states.data(), states.size()};
    request.types_filter = {types.data(), types.size()};
    const auto reply = client.call(request, 5);
    Strings found;
    for (const auto& group : reply->groups) {
      found.push_back(group.group_id.str() + " " + group.group_state.str() + " " +
                      group.protocol_type.str() + " " + group.group_type.str());
    }
    return found;
  };
  EXPECT_EQ(list(1, {}), (Strings{"g Stable consumer classic", "g2 Empty  classic"}));
  EXPECT_EQ(list(1, {"stable"}), Strings{"g Stable consumer classic"});
  EXPECT_EQ(list(1, {}, {"Classic"}).size(), 2U);
  EXPECT_EQ(list(1, {}, {"share"}), Strings{});
  EXPECT_EQ(list(2, {}), Strings{});
}

TEST(Groups, AreDeletedWhenEmpty) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.commit("t", 0, 1);
  Client client = fixture.client();
  const auto remove = [&] {
    const wire::Text names[] = {kGroup, "absent", kGroup};
    kafka::DeleteGroupsRequest request;
    request.groups_names = {names, 3};
    const auto reply = client.call(request, 2);
    EXPECT_EQ(reply->results.size(), 2U);
    EXPECT_EQ(err(reply->results[1].error_code), BrokerErrc::group_id_not_found);
    return err(reply->results[0].error_code);
  };
  EXPECT_EQ(remove(), BrokerErrc::non_empty_group);
  two.leader.leave();
  two.follower.leave();
  EXPECT_EQ(remove(), BrokerErrc::none);
  EXPECT_EQ(fixture.committed("t", 0), -1);
  EXPECT_EQ(remove(), BrokerErrc::group_id_not_found);
}

// --------------------------------------------------------------------------------------- faults

TEST(GroupFaults, AnErrorInsteadOfAnAnswer) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  const auto with_error = [&](std::int16_t key, BrokerErrc error, bool apply = false) {
    Injection injection = Injection::with_error(error);
    injection.apply = apply;
    fixture.cluster().inject(key, injection);
  };
  with_error(12, BrokerErrc::coordinator_not_available);
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::coordinator_not_available);
  EXPECT_EQ(two.leader.heartbeat(), BrokerErrc::none);
  with_error(8, BrokerErrc::request_timed_out, /*apply=*/true);
  EXPECT_EQ(two.leader.commit("t", 0, 5), BrokerErrc::request_timed_out);
  EXPECT_EQ(fixture.committed("t", 0), 5);
  with_error(11, BrokerErrc::not_coordinator);
  EXPECT_EQ(two.leader.join().error, BrokerErrc::not_coordinator);
  EXPECT_EQ(fixture.group().state(), ClassicGroup::State::stable);
  with_error(14, BrokerErrc::unknown_server_error);
  EXPECT_EQ(two.follower.sync().error, BrokerErrc::unknown_server_error);
  with_error(13, BrokerErrc::unknown_server_error, /*apply=*/true);
  EXPECT_EQ(two.follower.leave(), BrokerErrc::unknown_server_error);
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::unknown_member_id);
}

TEST(GroupFaults, AnAnswerThatIsLostWasCarriedOut) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  fixture.cluster().inject(8, Injection::closing_after());
  kafka::OffsetCommitRequest::OffsetCommitRequestPartition partition{0, 5, -1, ""};
  kafka::OffsetCommitRequest::OffsetCommitRequestTopic topic;
  topic.name = "t";
  topic.partitions = {&partition, 1};
  kafka::OffsetCommitRequest request;
  request.group_id = kGroup;
  request.member_id = two.leader.id;
  request.generation_id_or_member_epoch = two.leader.generation;
  request.topics = {&topic, 1};
  Client client = fixture.client();
  client.send(request, 8);
  EXPECT_FALSE(client.has_answer());
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(fixture.committed("t", 0), 5);
}

TEST(GroupFaults, AMemberThatHangsUpWhileItWaitsIsStillAMember) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  two.leader.send_join();
  fixture.network.hang_up(two.leader.client.id());
  fixture.run();
  two.follower.send_join();
  EXPECT_EQ(two.follower.joined().generation, 3);
  fixture.advance(seconds(9));
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::none);
  fixture.advance(seconds(1));  // until its session timeout
  EXPECT_EQ(two.follower.heartbeat(), BrokerErrc::rebalance_in_progress);
}

TEST(GroupFaults, FetchedOffsetsCanBeUnstable) {
  GroupFixture fixture;
  TwoMembers two(fixture);
  Injection unstable = Injection::with_error(BrokerErrc::unstable_offset_commit);
  unstable.topic = "t";
  fixture.cluster().inject(9, unstable);
  Client client = fixture.client();
  Reply<kafka::OffsetFetchResponse> reply;
  EXPECT_EQ(err(fetch(client, "t", 0, reply).error_code), BrokerErrc::unstable_offset_commit);
  EXPECT_EQ(fetch(client, "t", 0, reply).error_code, 0);
}

}  // namespace
}  // namespace tern::broker
