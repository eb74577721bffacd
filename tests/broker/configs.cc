#include "tests/broker/configs.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

constexpr ConfigKey kTopicKeys[] = {
    {"cleanup.policy", "delete", ConfigType::list},
    {"compression.type", "producer", ConfigType::string},
    {"delete.retention.ms", "86400000", ConfigType::int64},
    {"file.delete.delay.ms", "60000", ConfigType::int64},
    {"flush.messages", "9223372036854775807", ConfigType::int64},
    {"flush.ms", "9223372036854775807", ConfigType::int64},
    {"index.interval.bytes", "4096", ConfigType::int32},
    {"max.compaction.lag.ms", "9223372036854775807", ConfigType::int64},
    {"max.message.bytes", "1048588", ConfigType::int32},
    {"message.timestamp.after.max.ms", "9223372036854775807", ConfigType::int64},
    {"message.timestamp.before.max.ms", "9223372036854775807", ConfigType::int64},
    {"message.timestamp.type", "CreateTime", ConfigType::string},
    {"min.cleanable.dirty.ratio", "0.5", ConfigType::decimal},
    {"min.compaction.lag.ms", "0", ConfigType::int64},
    {"min.insync.replicas", "1", ConfigType::int32},
    {"preallocate", "false", ConfigType::boolean},
    {"retention.bytes", "-1", ConfigType::int64},
    {"retention.ms", "604800000", ConfigType::int64},
    {"segment.bytes", "1073741824", ConfigType::int32},
    {"segment.index.bytes", "10485760", ConfigType::int32},
    {"segment.jitter.ms", "0", ConfigType::int64},
    {"segment.ms", "604800000", ConfigType::int64},
    {"unclean.leader.election.enable", "false", ConfigType::boolean},
};

constexpr ConfigKey kBrokerKeys[] = {
    {"auto.create.topics.enable", "true", ConfigType::boolean},
    {"default.replication.factor", "1", ConfigType::int32},
    {"fetch.max.bytes", "57671680", ConfigType::int32},
    {"log.message.timestamp.type", "CreateTime", ConfigType::string},
    {"log.retention.bytes", "-1", ConfigType::int64},
    {"max.incremental.fetch.session.cache.slots", "1000", ConfigType::int32},
    {"message.max.bytes", "1048588", ConfigType::int32},
    {"num.partitions", "1", ConfigType::int32},
    {"socket.request.max.bytes", "104857600", ConfigType::int32},
};

template <class T>
bool parse_number(std::string_view text, T& out, T least) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) return false;
  out = value;
  return true;
}

bool parse_choice(std::string_view text, std::string_view off, std::string_view on, bool& out) {
  out = text == on;
  return text == on || text == off;
}

bool is_type(ConfigType type, std::string_view value) {
  std::int64_t number = 0;
  switch (type) {
    case ConfigType::boolean:
      return value == "true" || value == "false";
    case ConfigType::int16:
    case ConfigType::int32:
    case ConfigType::int64:
      return parse_number<std::int64_t>(value, number, INT64_MIN);
    default:
      return true;
  }
}

bool apply(std::string_view name, std::string_view value, TopicConfig& out) {
  if (name == "max.message.bytes") return parse_number(value, out.max_message_bytes, 0);
  if (name == "min.insync.replicas") return parse_number(value, out.min_insync_replicas, 1);
  if (name == "retention.bytes") return parse_number<std::int64_t>(value, out.retention_bytes, -1);
  if (name == "message.timestamp.before.max.ms") {
    return parse_number<std::int64_t>(value, out.timestamp_before_max_ms, 0);
  }
  if (name == "message.timestamp.after.max.ms") {
    return parse_number<std::int64_t>(value, out.timestamp_after_max_ms, 0);
  }
  if (name == "message.timestamp.type") {
    return parse_choice(value, "CreateTime", "LogAppendTime", out.log_append_time);
  }
  if (name == "cleanup.policy") {
    if (value == "compact,delete" || value == "delete,compact") value = "compact";
    return parse_choice(value, "delete", "compact", out.compacted);
  }
  return true;
}

}  // namespace

std::span<const ConfigKey> topic_config_keys() { return kTopicKeys; }
std::span<const ConfigKey> broker_config_keys() { return kBrokerKeys; }

const ConfigKey* find_topic_config(std::string_view name) {
  const auto found = std::find_if(std::begin(kTopicKeys), std::end(kTopicKeys),
                                  [&](const ConfigKey& key) { return key.name == name; });
  return found == std::end(kTopicKeys) ? nullptr : found;
}

BrokerErrc parse_topic_config(const std::map<std::string, std::string>& configs, TopicConfig& out,
                              std::string& message) {
  for (const auto& [name, value] : configs) {
    const ConfigKey* key = find_topic_config(name);
    if (!key) {
      message = "Unknown topic config name: " + name;
      return BrokerErrc::invalid_config;
    }
    if (!is_type(key->type, value) || !apply(name, value, out)) {
      message = "Invalid value " + value + " for configuration " + name;
      return BrokerErrc::invalid_config;
    }
  }
  return BrokerErrc::none;
}

}  // namespace tern::broker
