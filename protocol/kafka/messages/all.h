// Every message there is, in one list: a new API is one header and two names here. The list of
// APIs, the header rules, generic tests, fuzzers and printers all follow from it.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_ALL_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_ALL_H_

#include <cstdint>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/messages/api_versions.h"
#include "protocol/kafka/messages/configs.h"
#include "protocol/kafka/messages/consumer_group_heartbeat.h"
#include "protocol/kafka/messages/consumer_protocol.h"
#include "protocol/kafka/messages/fetch.h"
#include "protocol/kafka/messages/find_coordinator.h"
#include "protocol/kafka/messages/group_admin.h"
#include "protocol/kafka/messages/group_membership.h"
#include "protocol/kafka/messages/group_offsets.h"
#include "protocol/kafka/messages/init_producer_id.h"
#include "protocol/kafka/messages/list_offsets.h"
#include "protocol/kafka/messages/metadata.h"
#include "protocol/kafka/messages/offset_for_leader_epoch.h"
#include "protocol/kafka/messages/produce.h"
#include "protocol/kafka/messages/topics.h"
#include "protocol/wire/describe.h"

namespace tern::kafka {

// In order of key.
using AllRequests =
    wire::TypeList<ProduceRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
                   OffsetCommitRequest, OffsetFetchRequest, FindCoordinatorRequest,
                   JoinGroupRequest, HeartbeatRequest, LeaveGroupRequest, SyncGroupRequest,
                   DescribeGroupsRequest, ListGroupsRequest, ApiVersionsRequest,
                   CreateTopicsRequest, DeleteTopicsRequest, InitProducerIdRequest,
                   OffsetForLeaderEpochRequest, DescribeConfigsRequest, CreatePartitionsRequest,
                   DeleteGroupsRequest, OffsetDeleteRequest, ConsumerGroupHeartbeatRequest,
                   ConsumerGroupDescribeRequest>;

// What lies inside bytes fields of other messages, and so has no key.
using AllEmbedded = wire::TypeList<ConsumerProtocolSubscription, ConsumerProtocolAssignment>;

namespace internal {
template <class List>
struct WithResponses;
template <class... Requests>
struct WithResponses<wire::TypeList<Requests...>> {
  using type = wire::TypeList<Requests..., typename Requests::Response...>;
};
template <class A, class B>
struct Joined;
template <class... A, class... B>
struct Joined<wire::TypeList<A...>, wire::TypeList<B...>> {
  using type = wire::TypeList<A..., B...>;
};
}  // namespace internal

// All requests, then all responses.
using AllMessages = internal::WithResponses<AllRequests>::type;
// And then what is embedded: all that has a description.
using AllDescribed = internal::Joined<AllMessages, AllEmbedded>::type;

enum class Direction : std::uint8_t { request, response };

// Calls f.template operator()<M>() for the one message of this key and direction; false if there is
// none.
template <class F>
bool with_message(std::int16_t key, Direction direction, F&& f) {
  return AllMessages::any([&]<class M>() {
    if (M::api.key != key || is_request<M> != (direction == Direction::request)) return false;
    f.template operator()<M>();
    return true;
  });
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_ALL_H_
