#include "tests/broker/fetch_sessions.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace tern::broker {

namespace {
constexpr Duration kEvictAfterIdle = std::chrono::minutes(2);
}  // namespace

void FetchSession::set(const FetchWant& want) {
  const auto found = index_.find(want.key);
  if (found == index_.end()) {
    wants_.push_back(want);
    index_[want.key] = std::prev(wants_.end());
    return;
  }
  FetchWant& have = *found->second;
  have.current_leader_epoch = want.current_leader_epoch;
  have.fetch_offset = want.fetch_offset;
  have.last_fetched_epoch = want.last_fetched_epoch;
  have.max_bytes = want.max_bytes;
}

void FetchSession::forget(const FetchKey& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  wants_.erase(found->second);
  index_.erase(found);
}

FetchWant* FetchSession::find(const FetchKey& key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &*found->second;
}

void FetchSession::move_to_end(const FetchKey& key) {
  const auto found = index_.find(key);
  if (found != index_.end()) wants_.splice(wants_.end(), wants_, found->second);
}

FetchSession* FetchSessions::find(std::int32_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

FetchSession* FetchSessions::create(std::int32_t id, std::size_t slots, Time now) {
  if (sessions_.size() >= slots) {
    const auto oldest = std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
    if (oldest == sessions_.end() || now - oldest->second.last_used < kEvictAfterIdle)
      return nullptr;
    sessions_.erase(oldest);
  }
  FetchSession& session = sessions_[id];
  session.id = id;
  session.last_used = now;
  return &session;
}

}  // namespace tern::broker
