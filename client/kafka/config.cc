#include "client/kafka/config.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "client/kafka/assignors.h"
#include "client/kafka/endpoint.h"
#include "client/kafka/topic_pattern.h"

namespace tern::kafka {
namespace {

Failure invalid(const std::string& what) {
  return Failure(make_error_code(ClientErrc::invalid_config), what);
}

// The first complaint wins; each names the field and what it may be.
class Checks {
 public:
  Checks& that(bool holds, const char* otherwise) {
    if (!holds && !failure_) failure_ = invalid(otherwise);
    return *this;
  }
  Failure result() const { return failure_; }

 private:
  Failure failure_;
};

constexpr Duration kZero = Duration::zero();
// Times travel as int32 milliseconds in several requests.
constexpr Duration kLongest = std::chrono::milliseconds(std::numeric_limits<std::int32_t>::max());
constexpr std::size_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

bool in_range(Duration value, Duration least) { return value >= least && value <= kLongest; }

}  // namespace

bool parse_endpoint(std::string_view text, Endpoint& out) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return false;
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty() || host.find_first_of(" /,\t") != std::string_view::npos) return false;
  std::uint16_t number = kDefaultPort;
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number == 0) return false;
  }
  out = Endpoint{std::string(host), number};
  return true;
}

Failure check(const ClientConfig& config) {
  if (config.bootstrap.empty()) return invalid("bootstrap: at least one host:port is needed");
  for (const std::string& text : config.bootstrap) {
    Endpoint endpoint;
    if (!parse_endpoint(text, endpoint)) {
      return invalid("bootstrap: \"" + text + "\" is not host:port (port 1 to 65535)");
    }
  }
  for (const auto& codec : config.codecs) {
    if (!codec) return invalid("codecs: must not contain null");
    if (const char* problem = codec->problem()) {
      return invalid("codecs: " + std::string(name(codec->id())) + ": " + problem);
    }
  }
  const Duration millisecond = std::chrono::milliseconds(1);
  return Checks()
      .that(config.client_id.size() <= 0x7fff, "client_id: at most 32767 bytes")
      .that(in_range(config.connect_timeout, millisecond), "connect_timeout: 1 ms or more")
      .that(in_range(config.request_timeout, millisecond), "request_timeout: 1 ms or more")
      .that(in_range(config.reconnect_backoff, kZero), "reconnect_backoff: 0 or more")
      .that(in_range(config.reconnect_backoff_max, config.reconnect_backoff),
            "reconnect_backoff_max: not below reconnect_backoff")
      .that(in_range(config.retry_backoff, millisecond), "retry_backoff: 1 ms or more")
      .that(in_range(config.retry_backoff_max, config.retry_backoff),
            "retry_backoff_max: not below retry_backoff")
      .that(config.metadata_max_age >= millisecond, "metadata_max_age: 1 ms or more")
      .that(config.connections_max_idle >= millisecond, "connections_max_idle: 1 ms or more")
      .that(in_range(config.operation_timeout, millisecond), "operation_timeout: 1 ms or more")
      .that(config.max_response_bytes >= 1024 && config.max_response_bytes <= kMaxInt32,
            "max_response_bytes: 1 KiB to 2 GiB")
      .result();
}

Failure check(const ProducerConfig& config, const ClientConfig& client) {
  const bool all = config.acks == Acks::all;
  const bool known_acks = all || config.acks == Acks::leader || config.acks == Acks::none;
  if (config.compression != Compression::none && !find_codec(client.codecs, config.compression)) {
    return Failure(make_error_code(ClientErrc::codec_missing),
                   std::string("compression: no codec for ") + name(config.compression) +
                       " in ClientConfig::codecs; add it there (and its target to the build)");
  }
  return Checks()
      .that(known_acks, "acks: none, leader or all")
      .that(!config.idempotence || all,
            "idempotence: needs acks = all (or set idempotence = false)")
      .that(config.max_in_flight >= 1 && config.max_in_flight <= 1000, "max_in_flight: 1 to 1000")
      .that(!config.idempotence || config.max_in_flight <= 5,
            "max_in_flight: at most 5 with idempotence, which is how far brokers look back")
      .that(in_range(config.linger, kZero), "linger: 0 or more")
      .that(config.batch_bytes >= 1 && config.batch_bytes <= kMaxInt32 / 2,
            "batch_bytes: 1 to 1 GiB")
      .that(config.max_request_bytes >= config.batch_bytes && config.max_request_bytes <= kMaxInt32,
            "max_request_bytes: not below batch_bytes, at most 2 GiB")
      .that(config.buffer_bytes >= config.batch_bytes + 65'536,
            "buffer_bytes: at least batch_bytes + 64 KiB")
      .that(in_range(config.metadata_timeout, std::chrono::milliseconds(1)),
            "metadata_timeout: 1 ms or more")
      .that(in_range(config.delivery_timeout, std::chrono::milliseconds(1)),
            "delivery_timeout: 1 ms or more")
      .that(config.delivery_timeout >= config.linger, "delivery_timeout: not below linger")
      .result();
}

namespace {

Failure check_assignors(const ConsumerConfig& config) {
  std::set<std::string_view> names;
  for (const auto& assignor : config.own_assignors) {
    if (!assignor) return invalid("own_assignors: must not contain null");
    if (assignor->name().empty()) return invalid("own_assignors: an assignor needs a name");
    if (!names.insert(assignor->name()).second) {
      return invalid("own_assignors: \"" + std::string(assignor->name()) + "\" is there twice");
    }
  }
  for (const std::string& name : config.assignors) {
    if (!built_in_assignor(name)) {
      return invalid("assignors: \"" + name +
                     "\" is not range, roundrobin, sticky or cooperative-sticky");
    }
    if (!names.insert(name).second) return invalid("assignors: \"" + name + "\" is there twice");
  }
  return names.empty() ? invalid("assignors: at least one is needed") : Failure();
}

Failure check_group(const ConsumerConfig& config) {
  const bool subscribes = !config.topics.empty() || !config.topic_pattern.empty();
  if (config.group.empty()) {
    if (subscribes) return invalid("topics: need a group (or give an assignment instead)");
    if (!config.instance_id.empty()) return invalid("instance_id: needs a group");
    return {};
  }
  if (subscribes && !config.assignment.empty()) {
    return invalid("assignment: not together with topics, which the group assigns");
  }
  if (std::any_of(config.topics.begin(), config.topics.end(),
                  [](const std::string& topic) { return topic.empty(); })) {
    return invalid("topics: a topic needs a name");
  }
  TopicPattern pattern;
  if (const Failure failure = TopicPattern::parse(config.topic_pattern, pattern)) {
    return invalid("topic_pattern: " + failure.message());
  }
  const Duration millisecond = std::chrono::milliseconds(1);
  const Failure failure =
      Checks()
          .that(config.group.size() <= 0x7fff, "group: at most 32767 bytes")
          .that(config.instance_id.size() <= 249, "instance_id: at most 249 bytes")
          .that(in_range(config.session_timeout, millisecond), "session_timeout: 1 ms or more")
          .that(in_range(config.heartbeat_interval, millisecond),
                "heartbeat_interval: 1 ms or more")
          .that(config.heartbeat_interval < config.session_timeout,
                "heartbeat_interval: below session_timeout")
          .that(in_range(config.max_poll_interval, millisecond), "max_poll_interval: 1 ms or more")
          .that(in_range(config.auto_commit_interval, millisecond),
                "auto_commit_interval: 1 ms or more")
          .result();
  return failure ? failure : check_assignors(config);
}

}  // namespace

Failure check(const ConsumerConfig& config) {
  for (const Assignment& assignment : config.assignment) {
    if (assignment.topic.empty() || assignment.partition < 0) {
      return invalid("assignment: needs a topic and a partition of 0 or more");
    }
  }
  if (Failure failure = check_group(config)) return failure;
  return Checks()
      .that(config.offset_reset != OffsetReset::age || config.offset_reset_age > kZero,
            "offset_reset_age: above 0 for OffsetReset::age")
      .that(in_range(config.fetch_max_wait, kZero), "fetch_max_wait: 0 or more")
      .that(config.fetch_min_bytes <= kMaxInt32, "fetch_min_bytes: at most 2 GiB")
      .that(config.fetch_max_bytes >= 1 && config.fetch_max_bytes <= kMaxInt32,
            "fetch_max_bytes: 1 to 2 GiB")
      .that(config.partition_max_bytes >= 1 && config.partition_max_bytes <= kMaxInt32,
            "partition_max_bytes: 1 to 2 GiB")
      .that(config.prefetch_bytes >= 1, "prefetch_bytes: 1 or more")
      .that(config.max_decompressed_batch_bytes >= 1, "max_decompressed_batch_bytes: 1 or more")
      .result();
}

}  // namespace tern::kafka
