// The APIs of the embedded broker. Adding one: a handle() here, its definition in a .cc file, one
// line in the table of dispatch.cc.
#ifndef TERN_TESTS_BROKER_HANDLERS_H_
#define TERN_TESTS_BROKER_HANDLERS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/kafka/messages/all.h"
#include "tests/broker/request.h"

namespace tern::broker {

// A handler fills in the response; its arrays come from Request::make(). It runs to the end without
// waiting, or returns Outcome::wait and is called again.
Outcome handle(Request& request, const kafka::ProduceRequest& in, kafka::ProduceResponse& out);
Outcome handle(Request& request, const kafka::FetchRequest& in, kafka::FetchResponse& out);
Outcome handle(Request& request, const kafka::ListOffsetsRequest& in,
               kafka::ListOffsetsResponse& out);
Outcome handle(Request& request, const kafka::MetadataRequest& in, kafka::MetadataResponse& out);
Outcome handle(Request& request, const kafka::FindCoordinatorRequest& in,
               kafka::FindCoordinatorResponse& out);
Outcome handle(Request& request, const kafka::ApiVersionsRequest& in,
               kafka::ApiVersionsResponse& out);
Outcome handle(Request& request, const kafka::CreateTopicsRequest& in,
               kafka::CreateTopicsResponse& out);
Outcome handle(Request& request, const kafka::DeleteTopicsRequest& in,
               kafka::DeleteTopicsResponse& out);
Outcome handle(Request& request, const kafka::InitProducerIdRequest& in,
               kafka::InitProducerIdResponse& out);
Outcome handle(Request& request, const kafka::OffsetForLeaderEpochRequest& in,
               kafka::OffsetForLeaderEpochResponse& out);
Outcome handle(Request& request, const kafka::DescribeConfigsRequest& in,
               kafka::DescribeConfigsResponse& out);
Outcome handle(Request& request, const kafka::CreatePartitionsRequest& in,
               kafka::CreatePartitionsResponse& out);
Outcome handle(Request& request, const kafka::JoinGroupRequest& in, kafka::JoinGroupResponse& out);
Outcome handle(Request& request, const kafka::SyncGroupRequest& in, kafka::SyncGroupResponse& out);
Outcome handle(Request& request, const kafka::HeartbeatRequest& in, kafka::HeartbeatResponse& out);
Outcome handle(Request& request, const kafka::LeaveGroupRequest& in,
               kafka::LeaveGroupResponse& out);
Outcome handle(Request& request, const kafka::OffsetCommitRequest& in,
               kafka::OffsetCommitResponse& out);
Outcome handle(Request& request, const kafka::OffsetFetchRequest& in,
               kafka::OffsetFetchResponse& out);
Outcome handle(Request& request, const kafka::OffsetDeleteRequest& in,
               kafka::OffsetDeleteResponse& out);
Outcome handle(Request& request, const kafka::DescribeGroupsRequest& in,
               kafka::DescribeGroupsResponse& out);
Outcome handle(Request& request, const kafka::ListGroupsRequest& in,
               kafka::ListGroupsResponse& out);
Outcome handle(Request& request, const kafka::DeleteGroupsRequest& in,
               kafka::DeleteGroupsResponse& out);
Outcome handle(Request& request, const kafka::ConsumerGroupHeartbeatRequest& in,
               kafka::ConsumerGroupHeartbeatResponse& out);
Outcome handle(Request& request, const kafka::ConsumerGroupDescribeRequest& in,
               kafka::ConsumerGroupDescribeResponse& out);

// What Produce, Fetch, ListOffsets and OffsetForLeaderEpoch check before they touch a log. On
// success `out` is set. `epoch` is the leader's epoch as the client knows it (-1: not said); with
// `leader_only` false a follower will do.
kafka::BrokerErrc find_local(Request& request, Topic* topic, std::int32_t partition,
                             std::int32_t epoch, bool leader_only, Partition*& out);

// Whether the node that was asked coordinates this group, and has loaded it.
kafka::BrokerErrc check_coordinator(Request& request, std::string_view group_id);

// As text, for the ids of members.
std::string new_uuid_text(KafkaCluster& cluster);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_HANDLERS_H_
