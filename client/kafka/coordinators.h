// Coordinators: which broker looks after a group or a transactional id, asked for when somebody
// wants to know and kept until it turns out to be wrong.
//
// Belongs to the engine's executor. Nothing is called back: the engine makes a step when an answer
// has come or another try is due, and whoever waits asks again in it.
#ifndef TERN_CLIENT_KAFKA_COORDINATORS_H_
#define TERN_CLIENT_KAFKA_COORDINATORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "client/core/backoff.h"
#include "client/core/error.h"
#include "client/core/timers.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/find_coordinator.h"

namespace tern::kafka {

class Connection;
class Engine;

class Coordinators {
 public:
  enum class Kind : std::int8_t { group = 0, transaction = 1 };

  explicit Coordinators(Engine& engine);

  // The broker's node id, which Cluster::connection() knows; -1 while it is being looked for.
  std::int32_t find(Kind kind, const std::string& key, Now now);
  // That broker says that it is not the one (any more), or cannot be reached. Ignored if another
  // one is known by now.
  void lost(Kind kind, const std::string& key, std::int32_t node_id);
  // Why the last lookup failed; empty after one that worked. It is repeated whatever the reason.
  Failure trouble(Kind kind, const std::string& key) const;
  // Until the next answer.
  void forget_trouble(Kind kind, const std::string& key);

 private:
  using Key = std::pair<Kind, std::string>;
  struct Entry {
    explicit Entry(const Backoff& pauses) : backoff(pauses) {}
    std::int32_t node_id = -1;
    bool asking = false;
    Time not_before{};
    Backoff backoff;
    Failure trouble;
  };

  void ask(const Key& key, Entry& entry);
  void on_reply(const Key& key, const Failure& why, const FindCoordinatorResponse* reply,
                std::int16_t version, Now now);
  void on_timer(Now) {}  // the step that follows asks again

  Engine& engine_;
  std::map<Key, Entry> entries_;
  Timer timer_;
};

// A group's coordinator, for one of those that talk to it.
class GroupCoordinator {
 public:
  GroupCoordinator(Engine& engine, std::string group);

  // As in Coordinators.
  std::int32_t find(Now now);
  void lost(std::int32_t node_id);
  Failure trouble() const;
  void forget_trouble();

  // Null while it is being looked for.
  Connection* connection(Now now);
  // Why looking for it is in vain; empty if it need not be.
  Failure hopeless() const;

 private:
  Engine& engine_;
  const std::string group_;
};

// Whoever says so is not the coordinator (any more).
inline bool is_coordinator_error(BrokerErrc error) {
  return error == BrokerErrc::not_coordinator || error == BrokerErrc::coordinator_not_available;
}

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_COORDINATORS_H_
