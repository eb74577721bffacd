#include "tests/sim/checkers.h"

#include <algorithm>
#include <unordered_map>

namespace tern::sim {
namespace {

std::string name(const Sent& sent) {
  return "record " + std::to_string(sent.id) + " of producer " + std::to_string(sent.producer) +
         " (" + to_string(sent.outcome) + ", reported at " + std::to_string(sent.partition) + ":" +
         std::to_string(sent.offset) + ")";
}

std::string at(std::int32_t partition, std::int64_t offset) {
  return std::to_string(partition) + ":" + std::to_string(offset);
}

std::vector<Stored> sorted(std::vector<Stored> log) {
  std::sort(log.begin(), log.end(), [](const Stored& a, const Stored& b) {
    return a.partition != b.partition ? a.partition < b.partition : a.offset < b.offset;
  });
  return log;
}

using Places = std::unordered_map<std::uint64_t, std::vector<const Stored*>>;

void check_record(const Sent& sent, const std::vector<const Stored*>& places,
                  const ProduceRules& rules, ProblemList& problems) {
  if (sent.outcome == Outcome::pending) problems.add("call-never", name(sent));
  if (places.empty()) {
    if (sent.outcome == Outcome::ok && !rules.may_lose) problems.add("lost-write", name(sent));
    return;
  }
  if (sent.outcome == Outcome::not_written) {
    problems.add("dishonest",
                 name(sent) + " is in the log at " + at(places[0]->partition, places[0]->offset));
  }
  if (rules.exactly_once && places.size() > 1) {
    problems.add("duplicate", name(sent) + " is in the log at " +
                                  at(places[0]->partition, places[0]->offset) + " and at " +
                                  at(places[1]->partition, places[1]->offset));
  }
  bool right_place = sent.offset < 0 || sent.outcome != Outcome::ok;
  for (const Stored* place : places) {
    if (place->checksum != sent.checksum) {
      problems.add("content", name(sent) + " has other bytes in the log at " +
                                  at(place->partition, place->offset));
    }
    if (sent.partition >= 0 && place->partition != sent.partition) {
      problems.add("wrong-partition",
                   name(sent) + " is in the log at " + at(place->partition, place->offset));
    }
    right_place = right_place || place->offset == sent.offset;
  }
  if (!right_place && !rules.may_lose) {
    problems.add("wrong-offset",
                 name(sent) + " is in the log at " + at(places[0]->partition, places[0]->offset));
  }
}

// `position`: the place in the order of sending.
void check_order(const std::vector<Sent>& sent, const std::vector<Stored>& log,
                 const ProduceRules& rules,
                 const std::unordered_map<std::uint64_t, std::size_t>& position,
                 ProblemList& problems) {
  std::map<std::pair<std::int32_t, std::uint32_t>, std::size_t> last;  // partition, producer
  std::unordered_map<std::uint64_t, bool> seen;
  for (const Stored& stored : log) {
    const auto it = position.find(stored.id);
    if (it == position.end() || std::exchange(seen[stored.id], true)) continue;
    const Sent& record = sent[it->second];
    // Given up, and stored later by a broker that was slow: only sequences could have kept it out.
    if (!rules.exactly_once && record.outcome == Outcome::maybe_written) continue;
    const auto [before, first] = last.try_emplace({stored.partition, record.producer}, it->second);
    if (!first && before->second > it->second) {
      problems.add("order", name(record) + " at " + at(stored.partition, stored.offset) +
                                " comes behind record " + std::to_string(sent[before->second].id) +
                                ", which was sent later");
    }
    before->second = std::max(before->second, it->second);
  }
}

}  // namespace

std::string ProblemList::text() const {
  std::string text;
  for (const std::string& p : problems_) text += "  " + p + '\n';
  return text;
}

std::uint64_t checksum(std::string_view bytes, std::uint64_t h) {
  for (char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::pending:
      return "pending";
    case Outcome::ok:
      return "ok";
    case Outcome::not_written:
      return "not written";
    case Outcome::maybe_written:
      return "maybe written";
  }
  return "?";
}

std::size_t CallLedger::begin(std::string label) {
  calls_.push_back({std::move(label), 0});
  ++pending_;
  return calls_.size() - 1;
}

void CallLedger::complete(std::size_t call) {
  if (++calls_[call].completions == 1) --pending_;
}

Problems CallLedger::check() const {
  ProblemList problems;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    if (call.completions == 1) continue;
    const std::string what = "call " + std::to_string(i) + " (" + call.label + ")";
    if (call.completions == 0) {
      problems.add("call-never", what);
    } else {
      problems.add("call-twice",
                   what + " completed " + std::to_string(call.completions) + " times");
    }
  }
  return problems.all();
}

Problems check_produced(const std::vector<Sent>& sent, const std::vector<Stored>& stored,
                        const ProduceRules& rules) {
  ProblemList problems;
  const std::vector<Stored> log = sorted(stored);
  std::unordered_map<std::uint64_t, std::size_t> position;
  for (std::size_t i = 0; i < sent.size(); ++i) position.emplace(sent[i].id, i);
  Places places;
  for (const Stored& record : log) {
    if (position.contains(record.id)) {
      places[record.id].push_back(&record);
    } else {
      problems.add("content",
                   "nobody sent what is in the log at " + at(record.partition, record.offset));
    }
  }
  for (const Sent& record : sent) check_record(record, places[record.id], rules, problems);
  if (rules.ordered) check_order(sent, log, rules, position, problems);
  return problems.all();
}

void ConsumeChecker::start(std::int32_t partition, std::int64_t offset) {
  partitions_[partition].assigned = true;
  partitions_[partition].runs.push_back({offset, {}});
}

void ConsumeChecker::stop(std::int32_t partition) { partitions_[partition].assigned = false; }

void ConsumeChecker::received(std::int32_t partition, std::int64_t offset, std::uint64_t id,
                              std::uint64_t sum) {
  ++count_;
  Partition& p = partitions_[partition];
  if (!p.assigned) {
    early_.add("unassigned", "a record came from " + at(partition, offset));
    return;
  }
  Run& run = p.runs.back();
  const std::int64_t least = run.seen.empty() ? run.from : run.seen.back().offset + 1;
  if (offset < least) {
    early_.add("nonmonotonic-poll",
               at(partition, offset) + " came when " + at(partition, least) + " or later was next");
  }
  run.seen.push_back({offset, id, sum});
}

std::int64_t ConsumeChecker::next_offset(std::int32_t partition) const {
  const auto it = partitions_.find(partition);
  if (it == partitions_.end() || it->second.runs.empty()) return -1;
  const Run& run = it->second.runs.back();
  return run.seen.empty() ? run.from : run.seen.back().offset + 1;
}

Problems ConsumeChecker::finish(const std::vector<Stored>& stored, bool to_the_end) const {
  ProblemList problems = early_;
  const std::vector<Stored> log = sorted(stored);
  const auto find = [&log](std::int32_t partition, std::int64_t offset) {
    return std::lower_bound(log.begin(), log.end(), std::pair(partition, offset),
                            [](const Stored& s, const std::pair<std::int32_t, std::int64_t>& key) {
                              return std::pair(s.partition, s.offset) < key;
                            });
  };
  for (const auto& [partition, state] : partitions_) {
    for (const Run& run : state.runs) {
      auto next = find(partition, run.from);
      for (const Seen& seen : run.seen) {
        const auto here = find(partition, seen.offset);
        if (here == log.end() || here->partition != partition || here->offset != seen.offset) {
          problems.add("content", "the log has nothing at " + at(partition, seen.offset));
          continue;
        }
        if (here->id != seen.id || here->checksum != seen.checksum) {
          problems.add("content", at(partition, seen.offset) + " has record " +
                                      std::to_string(here->id) + ", but record " +
                                      std::to_string(seen.id) + " or other bytes came");
        }
        if (next < here) {
          problems.add("poll-skip", at(partition, next->offset) + " was left out before " +
                                        at(partition, seen.offset));
        }
        next = here + 1;
      }
      if (to_the_end && state.assigned && &run == &state.runs.back() && next != log.end() &&
          next->partition == partition) {
        problems.add("unseen", at(partition, next->offset) + " and what follows never came");
      }
    }
  }
  return problems.all();
}

void Baseline::watch(std::string gauge, std::function<std::uint64_t()> read) {
  gauges_.push_back({std::move(gauge), std::move(read), 0});
  gauges_.back().before = gauges_.back().read();
}

void Baseline::take() {
  for (Gauge& gauge : gauges_) gauge.before = gauge.read();
}

Problems Baseline::check() const {
  ProblemList problems;
  for (const Gauge& gauge : gauges_) {
    const std::uint64_t after = gauge.read();
    if (after > gauge.before) {
      problems.add("not-returned", gauge.name + " is " + std::to_string(after) + ", was " +
                                       std::to_string(gauge.before));
    }
  }
  return problems.all();
}

}  // namespace tern::sim
