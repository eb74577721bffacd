// DescribeConfigs: the settings of topics and brokers.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_CONFIGS_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_CONFIGS_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct DescribeConfigsResponse;

inline constexpr Api kDescribeConfigsApi{32, "DescribeConfigs", {1, 4}, /*flexible_from=*/4};

struct DescribeConfigsRequest {
  static constexpr Api api = kDescribeConfigsApi;
  using Response = DescribeConfigsResponse;

  struct DescribeConfigsResource {
    std::int8_t resource_type = 0;
    Text resource_name;
    Array<Text> configuration_keys;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribeConfigsResource;
      field("resource_type", &M::resource_type, since(0));
      field("resource_name", &M::resource_name, since(0));
      field("configuration_keys", &M::configuration_keys, since(0).nullable(0));
    }
    friend bool operator==(const DescribeConfigsResource&,
                           const DescribeConfigsResource&) = default;
  };

  Array<DescribeConfigsResource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DescribeConfigsRequest;
    field("resources", &M::resources, since(0));
    field("include_synonyms", &M::include_synonyms, since(1));
    field("include_documentation", &M::include_documentation, since(3));
  }
  friend bool operator==(const DescribeConfigsRequest&, const DescribeConfigsRequest&) = default;
};

struct DescribeConfigsResponse {
  static constexpr Api api = kDescribeConfigsApi;

  struct DescribeConfigsSynonym {
    Text name;
    Text value;
    std::int8_t source = 0;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribeConfigsSynonym;
      field("name", &M::name, since(1));
      field("value", &M::value, since(1).nullable(0));
      field("source", &M::source, since(1));
    }
    friend bool operator==(const DescribeConfigsSynonym&, const DescribeConfigsSynonym&) = default;
  };

  struct DescribeConfigsResourceResult {
    Text name;
    Text value;
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;
    Array<DescribeConfigsSynonym> synonyms;
    std::int8_t config_type = 0;
    Text documentation;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribeConfigsResourceResult;
      field("name", &M::name, since(0));
      field("value", &M::value, since(0).nullable(0));
      field("read_only", &M::read_only, since(0));
      field("config_source", &M::config_source, since(1).ignorable());
      field("is_sensitive", &M::is_sensitive, since(0));
      field("synonyms", &M::synonyms, since(1).ignorable());
      field("config_type", &M::config_type, since(3).ignorable());
      field("documentation", &M::documentation, since(3).nullable(0).ignorable());
    }
    friend bool operator==(const DescribeConfigsResourceResult&,
                           const DescribeConfigsResourceResult&) = default;
  };

  struct DescribeConfigsResult {
    std::int16_t error_code = 0;
    Text error_message;
    std::int8_t resource_type = 0;
    Text resource_name;
    Array<DescribeConfigsResourceResult> configs;

    template <class V>
    static constexpr void describe(V& field) {
      using M = DescribeConfigsResult;
      field("error_code", &M::error_code, since(0));
      field("error_message", &M::error_message, since(0).nullable(0));
      field("resource_type", &M::resource_type, since(0));
      field("resource_name", &M::resource_name, since(0));
      field("configs", &M::configs, since(0));
    }
    friend bool operator==(const DescribeConfigsResult&, const DescribeConfigsResult&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  Array<DescribeConfigsResult> results;

  template <class V>
  static constexpr void describe(V& field) {
    using M = DescribeConfigsResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0));
    field("results", &M::results, since(0));
  }
  friend bool operator==(const DescribeConfigsResponse&, const DescribeConfigsResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_CONFIGS_H_
