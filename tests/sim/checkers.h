// What must hold after a run, whatever went wrong in it. Checkers know neither engine nor broker: a
// scenario tells them what the user saw and what the broker's log holds, in plain structs. Each
// returns or collects problems as sentences that begin with the name of the broken rule; none means
// all is well.
#ifndef TERN_TESTS_SIM_CHECKERS_H_
#define TERN_TESTS_SIM_CHECKERS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::sim {

using Problems = std::vector<std::string>;

// Collects problems, up to a number that can be read.
class ProblemList {
 public:
  void add(std::string_view rule, const std::string& what) {
    if (problems_.size() < 20) problems_.push_back(std::string(rule) + ": " + what);
  }
  void add_all(const Problems& problems) {
    for (const std::string& p : problems) {
      if (problems_.size() < 20) problems_.push_back(p);
    }
  }
  bool empty() const { return problems_.empty(); }
  const Problems& all() const { return problems_; }
  std::string text() const;

 private:
  Problems problems_;
};

// Every call completes exactly once, and in bounded time after the faults have ended (what is still
// pending then is a problem too). Also sees a handler that was dropped without a call.
class CallLedger {
 public:
  // Starts a call; the number names it.
  std::size_t begin(std::string label);
  void complete(std::size_t call);
  // The handler of a call, to be given to the operation: completes the call, then runs `fn`.
  template <class Fn>
  auto track(std::string label, Fn fn) {
    return [this, call = begin(std::move(label)), fn = std::move(fn)](auto&&... args) mutable {
      complete(call);
      fn(std::forward<decltype(args)>(args)...);
    };
  }
  std::size_t pending() const { return pending_; }
  std::size_t started() const { return calls_.size(); }
  // "call-twice", "call-never"
  Problems check() const;

 private:
  struct Call {
    std::string label;
    int completions = 0;
  };
  std::vector<Call> calls_;
  std::size_t pending_ = 0;
};

// --- producing

enum class Outcome : std::uint8_t { pending, ok, not_written, maybe_written };
const char* to_string(Outcome outcome);

// One record that the user sent, in the order of sending.
struct Sent {
  std::uint64_t id = 0;        // unique in the run
  std::uint32_t producer = 0;  // order holds among records of one producer
  Outcome outcome = Outcome::pending;
  std::int32_t partition = -1;  // as sent or reported; -1: unknown
  std::int64_t offset = -1;     // as reported; -1: unknown
  std::uint64_t checksum = 0;   // of its content
};

// One record of the broker's log.
struct Stored {
  std::uint64_t id = 0;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::uint64_t checksum = 0;
};

struct ProduceRules {
  bool exactly_once = true;  // else duplicates are allowed, as without idempotence
  bool ordered = true;  // by partition; with duplicates only first appearances of acknowledged ones
  bool may_lose = false;  // acks = 0, or a log that was cut back: "ok" does not promise anything
};

// "lost-write": acknowledged, but not in the log. "duplicate": in the log twice. "dishonest": said
// to be not written, but in the log. "order": overtaken in its partition. "content": other bytes
// than were sent, or bytes that nobody sent. "wrong-offset", "wrong-partition": the report is not
// where it is. "call-never": still pending.
Problems check_produced(const std::vector<Sent>& sent, const std::vector<Stored>& stored,
                        const ProduceRules& rules);

// --- consuming

// Watches one assigned consumer. Positions move by the log; what it is given has to be what the log
// holds there. The log is what was stored up to now, so check it late: records are kept until
// finish().
class ConsumeChecker {
 public:
  // The next record of this partition has to be the first one in the log at or after `offset`,
  // which is where a consumer that starts (or seeks) is. Anything delivered before counts no more.
  void start(std::int32_t partition, std::int64_t offset);
  void stop(std::int32_t partition);  // no longer assigned: a record that comes is a problem
  void received(std::int32_t partition, std::int64_t offset, std::uint64_t id,
                std::uint64_t checksum);
  // How many records have come.
  std::uint64_t count() const { return count_; }
  std::int64_t next_offset(std::int32_t partition) const;

  // "nonmonotonic-poll": an offset again or backwards. "poll-skip": records of the log left out.
  // "content": not what the log holds there. "unassigned": a partition nobody asked for. With
  // `to_the_end`, "unseen": the end of the log was not reached.
  Problems finish(const std::vector<Stored>& log, bool to_the_end) const;

 private:
  struct Seen {
    std::int64_t offset;
    std::uint64_t id;
    std::uint64_t checksum;
  };
  struct Run {  // from a start to the next
    std::int64_t from;
    std::vector<Seen> seen;
  };
  struct Partition {
    std::vector<Run> runs;
    bool assigned = false;
  };
  std::map<std::int32_t, Partition> partitions_;
  ProblemList early_;
  std::uint64_t count_ = 0;
};

// --- resources

// Memory and the like must be back where it was: named gauges, read once before and once after.
class Baseline {
 public:
  void watch(std::string name, std::function<std::uint64_t()> read);
  // Reads all of them; call it when nothing is under way.
  void take();
  // "not-returned": above the baseline.
  Problems check() const;

 private:
  struct Gauge {
    std::string name;
    std::function<std::uint64_t()> read;
    std::uint64_t before = 0;
  };
  std::vector<Gauge> gauges_;
};

// FNV-1a, for contents.
std::uint64_t checksum(std::string_view bytes, std::uint64_t h = 0xcbf29ce484222325u);

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_CHECKERS_H_
