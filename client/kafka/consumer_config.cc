// check(ConsumerConfig), apart from the others: it needs regular expressions, whose code is a third
// of a small producer's.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "client/kafka/assignors.h"
#include "client/kafka/config.h"
#include "client/kafka/config_checks.h"
#include "client/kafka/topic_pattern.h"

namespace tern::kafka {

using internal::Checks;
using internal::in_range;
using internal::invalid;
using internal::kMaxInt32;
using internal::kZero;

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
