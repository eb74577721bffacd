// ConsumerCore: a consumer inside the engine: the assigned partitions with their positions, the
// poll that waits, and the handlers of what else was asked for.
//
// Who reads what is decided outside: assign() takes any set of partitions at any time from a user,
// and a ConsumerGroup tells of those that a group has given. What goes wrong with a partition is
// told by one poll; the partition then stands still at its position until it is sought, while the
// others go on.
//
// Belongs to the engine's executor, except ConsumerBoard, which any thread may look at. Handlers
// run from Engine::run_completions().
#ifndef TERN_CLIENT_KAFKA_CONSUMER_CORE_H_
#define TERN_CLIENT_KAFKA_CONSUMER_CORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/core/completion.h"
#include "client/core/timers.h"
#include "client/kafka/config.h"
#include "client/kafka/consumer_group.h"
#include "client/kafka/consumer_partition.h"
#include "client/kafka/consumer_records.h"
#include "client/kafka/engine.h"
#include "client/kafka/fetcher.h"
#include "client/kafka/offset_finder.h"
#include "client/kafka/record_opener.h"
#include "protocol/kafka/messages/offset_for_leader_epoch.h"

namespace tern::kafka {

// An answer to a question for an offset.
struct OffsetAndTime {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = -1;        // -1: no record is that young
  std::int64_t timestamp_ms = -1;  // of the record at the offset; -1 for beginnings and ends
  std::int32_t leader_epoch = -1;
  friend bool operator==(const OffsetAndTime&, const OffsetAndTime&) = default;
};
using OffsetsAndTimes = std::vector<OffsetAndTime>;

// A question for the offset of the first record with this time or a later one.
struct TimeQuery {
  TopicPartition partition;
  std::int64_t time_ms = 0;  // since 1970; or one of those below 0 in offset_finder.h
};

// Which partitions are assigned and how far each has come, for any thread to see.
class ConsumerBoard {
 public:
  using Gauge = std::shared_ptr<PartitionGauge>;

  // Takes note of an assignment, if there is nothing wrong with it. `gauges` is in the same order.
  Failure assign(const std::vector<Assignment>& assignment, std::vector<Gauge>& gauges);
  // The same for what a group has assigned.
  void assign(const std::vector<ConsumerPartitionPtr>& partitions);
  // From now on a group does that, and a user's assign() is an error; or the other way round.
  Failure subscribe();
  // Null if it is not assigned.
  Gauge find(const TopicPartition& partition) const;
  std::vector<TopicPartition> all() const;

 private:
  enum class Use { undecided, assigned, subscribed };
  mutable std::mutex mutex_;
  Use use_ = Use::undecided;
  std::map<TopicPartition, Gauge> gauges_;
};

class ConsumerCore final : public Part,
                           public ClusterListener,
                           private Fetcher::Listener,
                           private ConsumerGroup::Host,
                           public std::enable_shared_from_this<ConsumerCore> {
 public:
  using PollDone = Completion<Failure, Records>;
  using OffsetsDone = Completion<Failure, OffsetsAndTimes>;
  // `config` must have passed check(). Does nothing yet; any thread.
  ConsumerCore(Engine& engine, ConsumerConfig config);
  ~ConsumerCore() override;

  // Becomes part of the engine. The config's assignment is not taken yet.
  void start();

  const std::shared_ptr<ConsumerBoard>& board() const { return board_; }
  const ConsumerConfig& config() const { return *config_; }

  // Takes the place of the assignment so far. A partition that stays goes on where it is.
  void assign(const std::vector<Assignment>& assignment,
              const std::vector<ConsumerBoard::Gauge>& gauges, Now now);
  // These ignore partitions that are not assigned.
  void seek(const TopicPartition& partition, const Position& to, Now now);
  void set_paused(const TopicPartition& partition, bool paused);

  // Waits for records until `deadline` (then there are none). One at a time. `id` is for cancel().
  void poll(std::uint64_t id, Time deadline, PollDone done);
  void find_offsets(std::uint64_t id, const std::vector<TimeQuery>& queries, Time deadline,
                    OffsetsDone done, Now now);
  // The group that the config names; null if it names none.
  ConsumerGroup* group() { return group_.get(); }
  // Only with a group, without an assignment.
  void subscribe(std::vector<std::string> topics, TopicPattern pattern, Now now);
  // Null offsets: what has been finished.
  void commit(std::uint64_t id, std::optional<Offsets> offsets, Time deadline,
              ConsumerGroup::CommitDone done);
  void committed(std::uint64_t id, Partitions partitions, Time deadline,
                 ConsumerGroup::OffsetsDone done);

  // Leaves the group and ends the sessions at the brokers, waiting for that no longer than
  // `deadline`. `silently`: no handler of the config is called any more.
  void close(Time deadline, Completion<Failure> done, Now now, bool silently = false);

  // Memory in frames, here and with the user.
  std::size_t held_bytes() const { return pool_->held_bytes(); }

  // Part
  void step(Now now) override;
  void run_completions() override;
  void cancel(std::uint64_t id) override;
  void shut_down(const Failure& why, Now now) override;

  // ClusterListener
  void on_cluster_changed(Now now) override;

 private:
  struct Poll {
    std::uint64_t id;
    Time deadline;
    PollDone done;
    bool ready = false;
    Failure failure;
    Records records;
  };
  struct Query {
    std::uint64_t id;
    OffsetsDone done;
    OffsetsAndTimes found;
    std::size_t left;
  };
  // A question whether the leader has what was fetched.
  struct Validation {
    ConsumerPartitionPtr partition;
    std::uint64_t version;
    std::int32_t leader_epoch;
    std::int32_t fetch_epoch;
  };
  using Validations = std::vector<Validation>;
  using EpochEnd = OffsetForLeaderEpochResponse::EpochEndOffset;

  // Fetcher::Listener
  void on_data(ConsumerPartition& partition) override;
  void on_out_of_range(ConsumerPartition& partition, Now now) override;
  void on_truncated(ConsumerPartition& partition, std::int64_t end_offset, Now now) override;
  void on_unreadable(ConsumerPartition& partition, Failure why) override;
  void on_broker_trouble(const Failure& why) override;

  // ConsumerGroup::Host
  void set_partitions(std::vector<ConsumerPartitionPtr> partitions) override;
  void on_positioned(ConsumerPartition& partition) override;
  void tell(Failure why) override;
  bool is_polled() const override { return poll_ && !poll_->ready; }

  // consumer_core.cc
  void take_partitions(std::vector<ConsumerPartitionPtr> partitions);
  ConsumerPartition* find(const TopicPartition& partition);
  void fill(Now now);
  RecordOpener::Outcome fill_from_queue(internal::RecordsData& out);
  void finish_poll(Failure failure, Records records);
  void fetch(Now now);
  void set_timer(Now now);
  void on_timer(Now) {}  // the step does what is due
  void end(const Failure& why, Now now);
  void finish_close(Now now);
  void wake();

  // consumer_positions.cc
  void place(Now now);
  void place_one(ConsumerPartition& partition, Now now);
  void on_placed(ConsumerPartition& partition, const Failure& why, const FoundOffset& found,
                 Now now);
  void check_missing(Now now);
  void check_outage(Now now);
  void follow_leader(ConsumerPartition& partition);
  void on_recreated(ConsumerPartition& partition);
  void reset(ConsumerPartition& partition, ClientErrc code, std::string what);
  void validate(Now now);
  void send_validation(Connection& connection, std::shared_ptr<Validations> asked);
  void on_validation_reply(const Validations& asked, const Failure& why,
                           const OffsetForLeaderEpochResponse* reply, Now now);
  void on_validated(const Validation& asked, const EpochEnd* answer, Now now);
  void retry(ConsumerPartition& partition, Now now);

  Engine& engine_;
  const std::shared_ptr<const ConsumerConfig> config_;
  const std::shared_ptr<ConsumerBoard> board_;
  const std::size_t kept_bytes_;  // of prefetch_bytes: frames that wait to be used again
  const std::shared_ptr<FramePool> pool_;
  const std::shared_ptr<internal::RecordsHome> home_;
  PartitionSet partitions_;
  RecordOpener opener_;
  OffsetFinder finder_;
  Fetcher fetcher_;
  std::unique_ptr<ConsumerGroup> group_;
  std::deque<ConsumerPartitionPtr>
      queue_;                     // those with data, in the order in which they get a turn
  std::deque<Failure> troubles_;  // to be told, one by one poll
  std::optional<Poll> poll_;
  std::map<std::uint64_t, std::shared_ptr<Query>> queries_;  // by a number of our own
  std::uint64_t next_query_ = 1;
  Timer timer_;
  bool started_ = false;
  bool positions_dirty_ = false;  // some partition is unplaced, not validated or missing
  Time positions_at_ = kNever;    // when to look at them again
  Time outage_since_ = kNever;    // the first poll that met no broker
  bool outage_told_ = false;
  bool closing_ = false;
  bool closed_ = false;
  Time close_deadline_ = kNever;
  std::vector<Completion<Failure>> closers_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONSUMER_CORE_H_
