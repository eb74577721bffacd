// GroupOffsets: what a group has stored, asked for and changed at its coordinator (OffsetFetch,
// OffsetCommit), and tried again until there is an answer, a final error, or the deadline has
// passed.
//
// One request is under way at a time; what waits meanwhile goes together with the next one. Of
// several commits for one partition the largest offset is stored, whichever was asked for first:
// they may come from several threads, and a stale one must not rewind. Only a seek lets an offset
// go back: a commit asked for after it takes the place of those from before (Owner::turn()). But a
// commit that was not answered may still be on its way to the coordinator when the next one is
// stored, and take its place: see may_be_overtaken().
//
// Belongs to the engine's executor. Results are told from step(), from cancel(), shut_down() or
// from an answer's arrival, never from inside commit() and fetch().
#ifndef TERN_CLIENT_KAFKA_GROUP_OFFSETS_H_
#define TERN_CLIENT_KAFKA_GROUP_OFFSETS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/backoff.h"
#include "client/kafka/consumer_records.h"
#include "client/kafka/coordinators.h"
#include "client/kafka/membership.h"
#include "protocol/kafka/messages/group_offsets.h"

namespace tern::kafka {

class Connection;
class Engine;

class GroupOffsets {
 public:
  // What is to be stored, and in which turn of reading the partition it was asked for. The id is
  // that of the topic at that time: an offset means nothing in one that is created anew.
  struct Asked : PartitionOffset {
    std::uint64_t turn = 0;
    wire::Uuid topic_id = {};  // zero: not known
  };
  class Owner {
   public:
    // A larger one for each time that reading the partition begins anew: when it is assigned, and
    // after each seek. 0: it is not read here, so that nothing tells what is stale; of commits for
    // it the last one counts.
    virtual std::uint64_t turn(const PartitionOffset& offset) const = 0;
    // Under which a commit goes now; null: none can go now.
    virtual const MemberIdentity* committing_identity() const = 0;
    // Why this must not be stored. `covered` is set if as much or more is stored already.
    virtual Failure check_commit(const Asked& asked, bool& covered) const = 0;
    virtual void on_committed(const Asked& asked) = 0;
    // The coordinator refused an identity.
    virtual void on_refused(BrokerErrc error, const MemberIdentity& used, Now now) = 0;

   protected:
    ~Owner() = default;
  };
  using CommitDone = std::function<void(const Failure& why, Now now)>;
  using FetchDone = std::function<void(const Failure& why, Offsets found, Now now)>;

  GroupOffsets(Engine& engine, std::string group, std::string instance_id, Owner& owner);
  ~GroupOffsets();
  GroupOffsets(const GroupOffsets&) = delete;
  GroupOffsets& operator=(const GroupOffsets&) = delete;

  // `id` is for cancel(); 0: nobody will. A cancelled commit may be stored all the same.
  void commit(std::uint64_t id, Offsets offsets, Time deadline, CommitDone done);
  // The same, and when it ends so have all commits before it.
  void commit_before_hand_over(Offsets offsets, Time deadline, CommitDone done);
  // What is stored for these, in their order; offset -1: nothing. Waits until transactions that
  // store offsets are decided.
  void fetch(std::uint64_t id, Partitions partitions, Time deadline, FetchDone done);

  // A commit from before may still be stored over the last one. Store that again, until this ends.
  bool may_be_overtaken(Now now) const { return now.mono < strays_until_; }

  bool is_committing() const { return !commits_.empty() || in_flight_; }
  void cancel(std::uint64_t id, Now now);
  void step(Now now);
  // When step() is to be called again at the latest.
  Time next_time(Now now) const;
  void shut_down(const Failure& why, Now now);

 private:
  struct Commit {
    std::uint64_t id;
    std::vector<Asked> offsets;
    Time deadline;
    CommitDone done;  // empty: told
    bool is_barrier;  // ends after all before it
    Failure failure;  // of some of its offsets
    Failure last;     // why it was tried again
  };
  using CommitPtr = std::shared_ptr<Commit>;
  struct CommitBatch {
    std::vector<CommitPtr> commits;
    std::vector<Asked> offsets;  // sorted, each partition once
    MemberIdentity identity;
    std::int32_t node;
  };
  using CommitBatchPtr = std::shared_ptr<CommitBatch>;
  struct FetchItem : TopicPartition {
    wire::Uuid topic_id = {};
  };
  using FetchItems = std::shared_ptr<const std::vector<FetchItem>>;
  struct Fetch {
    std::uint64_t id;
    Partitions partitions;
    Time deadline;
    FetchDone done;  // empty: told
    Backoff backoff;
    bool in_flight = false;
    Time not_before{};
    Failure last;
  };
  using FetchPtr = std::shared_ptr<Fetch>;

  std::vector<CommitPtr> all_commits() const;
  void send_commits(Now now);
  void send_commit(Connection& connection, const CommitBatchPtr& batch);
  void on_commit_reply(const CommitBatch& batch, const Failure& why,
                       const OffsetCommitResponse* reply, std::int16_t version, Now now);
  // True if the offset is to be tried again.
  bool on_commit_error(const CommitBatch& batch, const Asked& offset, BrokerErrc error,
                       Failure& failure, Now now);
  void finish(Commit& commit, const Failure& why, Now now);

  void send_fetch(Connection& connection, const FetchPtr& fetch);
  void on_fetch_reply(const FetchPtr& fetch, const FetchItems& items, std::int32_t node,
                      const Failure& why, const OffsetFetchResponse* reply, std::int16_t version,
                      Now now);
  wire::Uuid topic_id(std::string_view topic) const;
  void retry(Fetch& fetch, const Failure& why, Now now);
  void finish(Fetch& fetch, const Failure& why, Offsets found, Now now);
  Failure timed_out(const char* what, const Failure& last) const;

  Engine& engine_;
  const std::string group_;
  const std::string instance_id_;
  Owner& owner_;
  GroupCoordinator coordinator_;
  std::shared_ptr<GroupOffsets*> self_;  // how answers find out that we are gone
  std::deque<CommitPtr> commits_;
  CommitBatchPtr in_flight_;
  Time commit_at_{};
  Time strays_until_{};
  Backoff commit_backoff_;
  std::vector<FetchPtr> fetches_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_GROUP_OFFSETS_H_
