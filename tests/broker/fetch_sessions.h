// Fetch sessions (KIP-227): what a broker remembers between the Fetch requests of a consumer, so
// that a request names only what changed and an answer only what is new.
#ifndef TERN_TESTS_BROKER_FETCH_SESSIONS_H_
#define TERN_TESTS_BROKER_FETCH_SESSIONS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "client/core/time.h"
#include "protocol/kafka/messages/fetch.h"
#include "protocol/wire/bytes.h"

namespace tern::broker {

// A partition as Fetch names it: by topic name up to v12, by id from v13 on.
struct FetchKey {
  std::string topic;
  wire::Uuid id;
  std::int32_t partition = 0;
  friend auto operator<=>(const FetchKey&, const FetchKey&) = default;
};

// What a client wants of a partition, and what it was told last.
struct FetchWant {
  FetchKey key;
  std::int32_t current_leader_epoch = -1;
  std::int64_t fetch_offset = 0;
  std::int32_t last_fetched_epoch = -1;
  std::int32_t max_bytes = 0;
  std::int64_t told_high_watermark = -1;
  std::int64_t told_log_start = -1;
};

class FetchSession {
 public:
  std::int32_t id = 0;
  std::int32_t epoch = 1;  // of the next request
  bool uses_topic_ids = false;
  Time last_used{};

  // In the order in which they are served: those that had data go to the end.
  const std::list<FetchWant>& wants() const { return wants_; }
  // Adds a partition, or changes what is wanted of it.
  void set(const FetchWant& want);
  void forget(const FetchKey& key);
  FetchWant* find(const FetchKey& key);
  void move_to_end(const FetchKey& key);

 private:
  std::list<FetchWant> wants_;
  std::map<FetchKey, std::list<FetchWant>::iterator> index_;
};

// The sessions of one broker.
class FetchSessions {
 public:
  FetchSession* find(std::int32_t id);
  void remove(std::int32_t id) { sessions_.erase(id); }
  void clear() { sessions_.clear(); }
  std::size_t size() const { return sessions_.size(); }
  // A new session, or null if there is no slot free: one that is in use is not thrown out before it
  // has been idle for two minutes. `id` has to be unused and positive.
  FetchSession* create(std::int32_t id, std::size_t slots, Time now);

 private:
  std::map<std::int32_t, FetchSession> sessions_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_FETCH_SESSIONS_H_
