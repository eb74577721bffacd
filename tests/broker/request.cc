#include "tests/broker/request.h"

#include <algorithm>
#include <cstring>

namespace tern::broker {

using kafka::BrokerErrc;

wire::Text Request::keep(std::string_view text) {
  if (text.empty()) return {};
  char* copy = arena.make_array<char>(text.size());
  std::memcpy(copy, text.data(), text.size());
  return wire::Text(std::string_view(copy, text.size()));
}

wire::Text Request::keep_message(std::string_view text) {
  constexpr std::size_t kMaxMessage = 1000;
  return text.empty() ? wire::Text::null() : keep(text.substr(0, kMaxMessage));
}

// An injection that looks at topics is counted when one of them occurs, once for each request.
bool Request::strikes(const std::shared_ptr<Armed>& armed, std::string_view topic,
                      std::int32_t partition) {
  const Injection& injection = armed->injection;
  if (!armed->looks_at_topics()) return true;
  if (!injection.topic.empty() && injection.topic != topic) return false;
  if (injection.partition != kAny && injection.partition != partition) return false;
  if (std::find(struck.begin(), struck.end(), armed.get()) != struck.end()) return true;
  if (std::find(passed.begin(), passed.end(), armed.get()) != passed.end()) return false;
  const bool hit = !armed->spent() && armed->consume();
  (hit ? struck : passed).push_back(armed.get());
  return hit;
}

BrokerErrc Request::injected(std::string_view topic, std::int32_t partition, bool* apply) {
  for (const auto& armed : faults) {
    if (armed->injection.whole_answer || !strikes(armed, topic, partition)) continue;
    if (armed->injection.error == BrokerErrc::none) continue;
    if (apply) *apply = armed->injection.apply;
    return armed->injection.error;
  }
  return BrokerErrc::none;
}

BrokerErrc Request::injected_whole(bool* apply) {
  for (const auto& armed : faults) {
    if (armed->looks_at_topics() || armed->injection.error == BrokerErrc::none) continue;
    if (apply) *apply = armed->injection.apply;
    return armed->injection.error;
  }
  return BrokerErrc::none;
}

}  // namespace tern::broker
