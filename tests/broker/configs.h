// The settings that the embedded broker knows by their Kafka names.
#ifndef TERN_TESTS_BROKER_CONFIGS_H_
#define TERN_TESTS_BROKER_CONFIGS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "protocol/kafka/errors.h"
#include "tests/broker/log.h"

namespace tern::broker {

// As DescribeConfigs numbers them.
enum class ConfigType : std::int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  decimal = 6,
  list = 7
};

struct ConfigKey {
  std::string_view name;
  std::string_view default_value;
  ConfigType type;
};

std::span<const ConfigKey> topic_config_keys();
std::span<const ConfigKey> broker_config_keys();
const ConfigKey* find_topic_config(std::string_view name);

// What the broker acts on. Unknown names and values that make no sense are invalid_config, and
// `message` names them.
kafka::BrokerErrc parse_topic_config(const std::map<std::string, std::string>& configs,
                                     TopicConfig& out, std::string& message);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_CONFIGS_H_
