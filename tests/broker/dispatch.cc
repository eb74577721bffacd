#include "tests/broker/dispatch.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/messages/all.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"
#include "tests/broker/broker.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr std::size_t kLengthPrefix = 4;

// Cuts the flat bytes where records belong, and puts in those that the handler noted.
void weave(Request& request, const FrameRef& frame, std::size_t flat_size,
           std::span<const wire::Splice> splices) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < splices.size(); ++i) {
    request.answer.push_back({frame, frame.data() + from, splices[i].at - from});
    for (OutPiece& piece : request.spliced[i]) request.answer.push_back(std::move(piece));
    from = splices[i].at;
  }
  if (from < flat_size) request.answer.push_back({frame, frame.data() + from, flat_size - from});
  request.spliced.clear();
}

template <class Response>
bool encode_answer(Request& request, const Response& response, std::int16_t version) {
  const std::int16_t key = Response::api.key;
  const auto size = kafka::encoded_size(response, version);
  if (!size) return false;
  const std::size_t header = kafka::response_header_size(key, version);
  const std::size_t flat_size = kLengthPrefix + header + size->total - size->spliced;
  if (size->splices != request.spliced.size()) return false;
  const FrameRef frame = request.cluster->pool().acquire(flat_size);
  const std::span<std::byte> flat = frame.space().first(flat_size);
  const std::span<wire::Splice> splices = request.make<wire::Splice>(size->splices);
  wire::Writer writer(flat, splices);
  writer.i32(static_cast<std::int32_t>(header + size->total));
  kafka::encode_response_header(key, version, request.header.correlation_id, writer);
  kafka::encode(response, version, writer);
  weave(request, frame, flat_size, splices.first(writer.splices_used()));
  return true;
}

template <class M>
Outcome run(Request& request) {
  const std::int16_t version = request.version();
  if (!request.message) {
    M* message = request.arena.make_array<M>(1);
    if (!message) return Outcome::close;
    wire::Reader reader(request.body);
    if (!kafka::decode(reader, version, request.arena, *message)) return Outcome::close;
    request.arena.set_limit(std::numeric_limits<std::size_t>::max());
    request.message = message;
  }
  typename M::Response response;
  const Outcome outcome = handle(request, *static_cast<const M*>(request.message), response);
  if (outcome != Outcome::answer) return outcome;
  response.throttle_time_ms = request.throttle_ms = request.cluster->take_throttle_ms(M::api.key);
  return encode_answer(request, response, version) ? Outcome::answer : Outcome::close;
}

template <class M>
constexpr Handler entry() {
  return {M::api, &run<M>};
}

constexpr Handler kHandlers[] = {
    entry<kafka::ProduceRequest>(),
    entry<kafka::FetchRequest>(),
    entry<kafka::ListOffsetsRequest>(),
    entry<kafka::MetadataRequest>(),
    entry<kafka::OffsetCommitRequest>(),
    entry<kafka::OffsetFetchRequest>(),
    entry<kafka::FindCoordinatorRequest>(),
    entry<kafka::JoinGroupRequest>(),
    entry<kafka::HeartbeatRequest>(),
    entry<kafka::LeaveGroupRequest>(),
    entry<kafka::SyncGroupRequest>(),
    entry<kafka::DescribeGroupsRequest>(),
    entry<kafka::ListGroupsRequest>(),
    entry<kafka::ApiVersionsRequest>(),
    entry<kafka::CreateTopicsRequest>(),
    entry<kafka::DeleteTopicsRequest>(),
    entry<kafka::InitProducerIdRequest>(),
    entry<kafka::OffsetForLeaderEpochRequest>(),
    entry<kafka::DescribeConfigsRequest>(),
    entry<kafka::CreatePartitionsRequest>(),
    entry<kafka::DeleteGroupsRequest>(),
    entry<kafka::OffsetDeleteRequest>(),
    entry<kafka::ConsumerGroupHeartbeatRequest>(),
    entry<kafka::ConsumerGroupDescribeRequest>(),
};

// A client that asks too much is told the versions of this one API, in the oldest form.
Outcome answer_unknown_api_versions(Request& request, const Handler& handler) {
  const kafka::VersionRange range = offered(*request.cluster, handler);
  const kafka::ApiVersionsResponse::ApiVersion own{kafka::kApiVersionsApi.key, range.min,
                                                   range.max};
  kafka::ApiVersionsResponse response;
  response.error_code = code(BrokerErrc::unsupported_version);
  response.api_keys = {&own, 1};
  return encode_answer(request, response, 0) ? Outcome::answer : Outcome::close;
}

}  // namespace

std::span<const Handler> handlers() { return kHandlers; }

std::span<const kafka::Api> served_apis() {
  static constexpr auto kApis = [] {
    std::array<kafka::Api, std::size(kHandlers)> apis{};
    std::transform(std::begin(kHandlers), std::end(kHandlers), apis.begin(),
                   [](const Handler& handler) { return handler.api; });
    return apis;
  }();
  return kApis;
}

const Handler* find_handler(std::int16_t api_key) {
  for (const Handler& handler : kHandlers) {
    if (handler.api.key == api_key) return &handler;
  }
  return nullptr;
}

kafka::VersionRange offered(const KafkaCluster& cluster, const Handler& handler) {
  kafka::VersionRange range = handler.api.negotiable();
  range.max = cluster.max_version_offered(handler.api.key, range.max);
  return range;
}

Outcome dispatch(Request& request) {
  const Handler* handler = find_handler(request.header.api_key);
  if (!handler) return Outcome::close;
  if (!offered(*request.cluster, *handler).contains(request.version())) {
    return request.header.api_key == kafka::kApiVersionsApi.key
               ? answer_unknown_api_versions(request, *handler)
               : Outcome::close;
  }
  return handler->run(request);
}

}  // namespace tern::broker
