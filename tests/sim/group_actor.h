// One place in a group: a member that may leave, crash and come back as another one, and the book
// that all members write.
#ifndef TERN_TESTS_SIM_GROUP_ACTOR_H_
#define TERN_TESTS_SIM_GROUP_ACTOR_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/actors.h"

namespace tern::sim {

// What the members of one group have done.
class GroupBook {
 public:
  explicit GroupBook(int partitions) : done_(static_cast<std::size_t>(partitions)) {}

  // The application has finished this record.
  void done(std::int32_t partition, std::int64_t offset);
  // All before this has been finished.
  std::int64_t done_up_to(std::int32_t partition) const {
    return done_[static_cast<std::size_t>(partition)].up_to;
  }
  std::uint64_t count() const { return count_; }
  // `member` has this partition as of a generation.
  void owns(std::int32_t generation, std::int32_t partition, const std::string& member);
  // A commit may be on its way that nobody waits for any more, and be stored over a later one: what
  // is stored may go back until then.
  void strays(Time until) { strays_until_ = std::max(strays_until_, until); }
  // This is stored in the group now.
  void stored(Time now, std::int32_t partition, std::int64_t offset);
  // So much is stored.
  std::int64_t stored(std::int32_t partition) const {
    const auto found = stored_.find(partition);
    return found == stored_.end() ? 0 : found->second;
  }

  ProblemList problems;

 private:
  struct Done {
    std::int64_t up_to = 0;
    std::set<std::int64_t> beyond;
  };
  std::vector<Done> done_;
  std::uint64_t count_ = 0;
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners_;
  std::map<std::int32_t, std::int64_t> stored_;
  Time strays_until_{};
};

class GroupActor {
 public:
  struct Plan {
    double hold_p = 0;          // keeps records for a while
    double slow_handler_p = 0;  // a handler takes its time
    Duration think{0};          // between polls, on average
    double stall_p = 0;         // stops polling for longer than it may
    double manual_p = 0;        // commits by hand
    static Plan draw(Rng& rng);
    std::string to_string() const;
  };

  GroupActor(KafkaRig& rig, GroupBook& book, int number, std::string topic,
             kafka::ConsumerConfig config, const Plan& plan);
  ~GroupActor();

  // A new member in this place.
  void start();
  // It is gone, and nobody is told.
  void crash();
  void close(Duration timeout);
  bool is_up() const { return core_ && !closing_; }
  bool closed() const { return !core_; }
  // From now on only reads on, and stores what it has done.
  void calm_down();
  // Looks at what it owns now.
  void note_owned();
  // False if links are left.
  bool shut_down();

  CallLedger& ledger() { return ledger_; }
  ProblemList& problems() { return problems_; }
  std::size_t held_bytes() const { return last_held_; }

 private:
  void poll();
  void polled(const Failure& failure, kafka::Records records);
  void finish(kafka::Records records);
  void commit(std::optional<kafka::Offsets> offsets);
  void keep_committing();
  void handle(const kafka::Partitions& partitions, kafka::Done done);

  KafkaRig& rig_;
  GroupBook& book_;
  const int number_;
  Rng rng_;
  const std::string topic_;
  const kafka::ConsumerConfig config_;
  Plan plan_;
  std::uint64_t life_ = 0;  // calls of an earlier life do nothing
  std::unique_ptr<EngineHost> host_;
  std::shared_ptr<kafka::ConsumerCore> core_;
  std::deque<kafka::Records> held_;
  std::deque<kafka::Done> dones_;
  std::uint64_t next_op_ = 1;
  bool closing_ = false;
  CallLedger ledger_;
  ProblemList problems_;
  std::size_t last_held_ = 0;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_GROUP_ACTOR_H_
