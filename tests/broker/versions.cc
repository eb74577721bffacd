// ApiVersions.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "tests/broker/broker.h"
#include "tests/broker/dispatch.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using Response = kafka::ApiVersionsResponse;

// From this version on a client can be told of features whose lowest level is 0.
constexpr std::int16_t kFirstVersionWithZeroLevels = 4;
constexpr std::int16_t kLowestMetadataVersion = 7;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// KIP-511: letters and digits, with '.' and '-' between them.
bool is_software_name(std::string_view text) {
  return !text.empty() && is_word(text.front()) && is_word(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

BrokerErrc check(Request& request, const kafka::ApiVersionsRequest& in) {
  if (const BrokerErrc wanted = request.injected_whole(); wanted != BrokerErrc::none) return wanted;
  if (request.version() >= 3 && (!is_software_name(in.client_software_name) ||
                                 !is_software_name(in.client_software_version))) {
    return BrokerErrc::invalid_request;
  }
  const bool wrong_cluster =
      !in.cluster_id.is_null() && in.cluster_id.view() != request.cluster->config().cluster_id;
  const bool wrong_node = in.node_id != -1 && in.node_id != request.broker->id();
  if (request.version() >= 5 && (wrong_cluster || wrong_node))
    return BrokerErrc::rebootstrap_required;
  return BrokerErrc::none;
}

void list_features(Request& request, Response& out) {
  const ClusterConfig& config = request.cluster->config();
  const std::array<Response::SupportedFeatureKey, 3> known{{
      {"group.version", 0, 1},
      {"metadata.version", kLowestMetadataVersion, config.metadata_version},
      {"transaction.version", 0, 2},
  }};
  // Groups of the consumer protocol (KIP-848), which 3.9 has only if it is told to.
  const std::int16_t group_version = config.release == Release::newest ? 1 : 0;
  const std::array<Response::FinalizedFeatureKey, 3> settled{{
      {"group.version", group_version, group_version},
      {"metadata.version", config.metadata_version, config.metadata_version},
      {"transaction.version", config.transaction_version, config.transaction_version},
  }};
  const auto supported = request.make<Response::SupportedFeatureKey>(known.size());
  std::size_t used = 0;
  for (const auto& feature : known) {
    if (feature.min_version == 0 && request.version() < kFirstVersionWithZeroLevels) continue;
    supported[used++] = feature;
  }
  out.supported_features = {supported.data(), used};
  const auto finalized = request.make<Response::FinalizedFeatureKey>(settled.size());
  used = 0;
  for (const auto& feature : settled) {
    if (feature.max_version_level > 0) finalized[used++] = feature;
  }
  out.finalized_features = {finalized.data(), used};
  out.finalized_features_epoch = 1;
}

}  // namespace

Outcome handle(Request& request, const kafka::ApiVersionsRequest& in,
               kafka::ApiVersionsResponse& out) {
  const BrokerErrc error = check(request, in);
  out.error_code = code(error);
  if (error != BrokerErrc::none) return Outcome::answer;
  const auto keys = request.make<Response::ApiVersion>(handlers().size());
  std::size_t used = 0;
  for (const Handler& handler : handlers()) {
    const kafka::VersionRange range = offered(*request.cluster, handler);
    if (range.empty()) continue;
    keys[used] = {handler.api.key, range.min, range.max};
    // Produce is offered from version 0 on although 0 to 2 are refused: real brokers do so too, for
    // old clients that look at this number to learn about compression.
    if (handler.api.key == kafka::kProduceApi.key) keys[used].min_version = 0;
    ++used;
  }
  out.api_keys = {keys.data(), used};
  const Release release = request.cluster->config().release;
  if (release == Release::newest || release == Release::kafka_3_9) list_features(request, out);
  return Outcome::answer;
}

}  // namespace tern::broker
