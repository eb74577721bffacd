// ApiVersions: what a broker speaks. The first request on every connection.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_API_VERSIONS_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_API_VERSIONS_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct ApiVersionsResponse;

inline constexpr Api kApiVersionsApi{18, "ApiVersions", {0, 5}, /*flexible_from=*/3};

struct ApiVersionsRequest {
  static constexpr Api api = kApiVersionsApi;
  using Response = ApiVersionsResponse;

  Text client_software_name;
  Text client_software_version;
  Text cluster_id = Text::null();
  std::int32_t node_id = -1;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ApiVersionsRequest;
    field("client_software_name", &M::client_software_name, since(3).ignorable());
    field("client_software_version", &M::client_software_version, since(3).ignorable());
    field("cluster_id", &M::cluster_id, since(5).nullable(5).ignorable());
    field("node_id", &M::node_id, since(5).ignorable());
  }
  friend bool operator==(const ApiVersionsRequest&, const ApiVersionsRequest&) = default;
};

struct ApiVersionsResponse {
  static constexpr Api api = kApiVersionsApi;

  struct ApiVersion {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = ApiVersion;
      field("api_key", &M::api_key, since(0));
      field("min_version", &M::min_version, since(0));
      field("max_version", &M::max_version, since(0));
    }
    friend bool operator==(const ApiVersion&, const ApiVersion&) = default;
  };

  struct SupportedFeatureKey {
    Text name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = SupportedFeatureKey;
      field("name", &M::name, since(3));
      field("min_version", &M::min_version, since(3));
      field("max_version", &M::max_version, since(3));
    }
    friend bool operator==(const SupportedFeatureKey&, const SupportedFeatureKey&) = default;
  };

  struct FinalizedFeatureKey {
    Text name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = FinalizedFeatureKey;
      field("name", &M::name, since(3));
      field("max_version_level", &M::max_version_level, since(3));
      field("min_version_level", &M::min_version_level, since(3));
    }
    friend bool operator==(const FinalizedFeatureKey&, const FinalizedFeatureKey&) = default;
  };

  std::int16_t error_code = 0;
  Array<ApiVersion> api_keys;
  std::int32_t throttle_time_ms = 0;
  Array<SupportedFeatureKey> supported_features;
  std::int64_t finalized_features_epoch = -1;
  Array<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ApiVersionsResponse;
    field("error_code", &M::error_code, since(0));
    field("api_keys", &M::api_keys, since(0));
    field("throttle_time_ms", &M::throttle_time_ms, since(1).ignorable());
    field("supported_features", &M::supported_features, since(3).tag(0, 3).ignorable());
    field("finalized_features_epoch", &M::finalized_features_epoch, since(3).tag(1, 3).ignorable());
    field("finalized_features", &M::finalized_features, since(3).tag(2, 3).ignorable());
    field("zk_migration_ready", &M::zk_migration_ready, since(3).tag(3, 3).ignorable());
  }
  friend bool operator==(const ApiVersionsResponse&, const ApiVersionsResponse&) = default;
};

// Decodes the answer to an ApiVersions request of `version`. A broker that does not know the
// version answers with error 35 (UNSUPPORTED_VERSION) and a body of version 0, whatever was asked:
// that is what error_code == 35 then means, and api_keys may name the versions to ask again with.
[[nodiscard]] bool decode_api_versions_response(wire::Reader& reader, std::int16_t version,
                                                wire::Arena& arena, ApiVersionsResponse& out);

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_API_VERSIONS_H_
