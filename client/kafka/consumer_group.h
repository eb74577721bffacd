// ConsumerGroup: the part of a consumer that has to do with its group: which partitions it has, the
// handlers that are told when they come and go, where reading them begins, and what of them is
// stored.
//
// A partition that comes is read as soon as on_assigned is done and its stored offset is known. One
// that goes is not handed out any more at once; its records that the application holds are waited
// for until it polls again or lets go of them, and so is on_revoked; then what was finished is
// stored, and only then the group goes on. None of these waits is longer than max_poll_interval.
// Handlers are told one after the other.
//
// Belongs to the engine's executor, except DoneGate. Handlers run from Engine::run_completions().
#ifndef TERN_CLIENT_KAFKA_CONSUMER_GROUP_H_
#define TERN_CLIENT_KAFKA_CONSUMER_GROUP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/core/completion.h"
#include "client/kafka/consumer_partition.h"
#include "client/kafka/consumer_records.h"
#include "client/kafka/group_offsets.h"
#include "client/kafka/membership.h"
#include "client/kafka/topic_pattern.h"

namespace tern::kafka {

class Engine;

// Through which handlers tell that they are done, from any thread and at any time.
class DoneGate {
 public:
  using Tell = std::function<void(std::uint64_t event)>;
  void open(Tell tell);
  // When this returns, `tell` is not running and will not be.
  void close();
  void pass(std::uint64_t event);

 private:
  std::mutex mutex_;
  Tell tell_;
};

class ConsumerGroup final : private Membership::Owner, private GroupOffsets::Owner {
 public:
  // The consumer, as the group sees it.
  class Host {
   public:
    // Exactly these are read from now on.
    virtual void set_partitions(std::vector<ConsumerPartitionPtr> partitions) = 0;
    // The partition has got a position, or may be read on.
    virtual void on_positioned(ConsumerPartition& partition) = 0;
    // To be told by one poll.
    virtual void tell(Failure why) = 0;
    virtual bool is_polled() const = 0;

   protected:
    ~Host() = default;
  };
  using CommitDone = Completion<Failure>;
  using OffsetsDone = Completion<Failure, Offsets>;

  // `config` has a group.
  ConsumerGroup(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
                std::shared_ptr<internal::RecordsHome> home, Host& host);
  ~ConsumerGroup();

  // `tell` has to call on_handler_done(), on the engine's executor.
  void open(DoneGate::Tell tell) { gate_->open(std::move(tell)); }
  void on_handler_done(std::uint64_t event);

  // Takes the place of what was subscribed to. With neither topics nor a pattern: leaves.
  void subscribe(std::vector<std::string> topics, TopicPattern pattern, Now now);
  // The consumer's partitions are given by the user, and these.
  void use(const std::vector<ConsumerPartitionPtr>& partitions);

  void on_poll();
  // A poll has ended; its records are with the application.
  void on_polled(Now now);
  // Reading begins anew, after a seek or because the topic is another one: what is read from now on
  // is stored even if it lies before what has been.
  void on_new_turn(ConsumerPartition& partition);

  // Everything that is finished, or with auto_store = false what was given to store().
  void commit_finished(std::uint64_t id, Time deadline, CommitDone done);
  void commit(std::uint64_t id, Offsets offsets, Time deadline, CommitDone done);
  Failure store(const Offsets& offsets);
  void committed(std::uint64_t id, Partitions partitions, Time deadline, OffsetsDone done);

  // Hands over what it has and leaves, waiting for that no longer than `deadline`.
  void close(Time deadline, Now now);
  // From now on no handler is told anything.
  void silence() { silent_ = true; }
  bool may_be_overtaken(Now now) const { return offsets_.may_be_overtaken(now); }
  bool is_closed() const { return left_ && !offsets_.is_committing(); }

  // Null if it is no member of anything.
  const Membership* membership() const { return membership_.get(); }

  void on_cluster_changed(Now now);
  void step(Now now);
  // When step() is to be called again at the latest, as of a step() at `now`.
  Time next_time(Now now) const;
  void cancel(std::uint64_t id, Now now) { offsets_.cancel(id, now); }
  void shut_down(const Failure& why, Now now);

 private:
  struct Owned {
    ConsumerPartitionPtr partition;
    std::int64_t stored = -1;       // in the group, at least
    PartitionOffset to_store = {};  // from store(); offset -1: nothing
    std::uint64_t turn = 0;         // GroupOffsets::Owner::turn(); the first is its ownership
    bool told = false;              // on_assigned has been told
    bool leaving = false;
  };
  struct Event {
    enum class Kind { assigned, revoked, lost };
    enum class Phase {
      queued,
      telling,     // the handler has it
      finishing,   // revoked: records are with the application
      committing,  // revoked: what was finished is being stored
      over,
    };
    Kind kind;
    Partitions partitions;
    Time by;  // whatever it waits for then is not waited for
    std::uint64_t number;
    Phase phase = Phase::queued;
    bool handler_done = false;
    bool commit_done = false;
  };

  // Membership::Owner
  const std::vector<std::string>& wanted_topics() const override { return wanted_; }
  const std::string& brokers_pattern() const override;
  void on_pattern_unsupported() override;
  Partitions owned() const override;
  void give_up(const Partitions& partitions, Now now) override;
  void adopt(const Partitions& partitions, Now now) override;
  bool settled() const override;
  void lose_all(const Failure& why, Now now) override;
  void on_membership_failed(const Failure& why, bool for_good) override;

  // GroupOffsets::Owner
  const MemberIdentity* committing_identity() const override;
  std::uint64_t turn(const PartitionOffset& offset) const override;
  Failure check_commit(const GroupOffsets::Asked& asked, bool& covered) const override;
  void on_committed(const GroupOffsets::Asked& asked) override;
  void on_refused(BrokerErrc error, const MemberIdentity& used, Now now) override;

  void queue_event(Event::Kind kind, Partitions partitions, Time by);
  bool work_on(Event& event, Now now);
  bool tell_handler(Event& event);
  bool records_are_out(const Event& event) const;
  void store_finished(Event& event);
  void release(const Event& event);
  void publish();

  std::unique_ptr<Membership> make_membership(bool classic);
  bool matches_itself() const { return pattern_ && !broker_matches_; }
  bool knows_topics() const;
  void want_topics(Now now);
  void find_positions(Now now);
  void on_positions(const std::vector<ConsumerPartitionPtr>& asked,
                    const std::vector<std::uint64_t>& versions, const Failure& why,
                    const Offsets& found, Now now);
  void place(ConsumerPartition& partition, const PartitionOffset& found, Now now);
  bool finished_offset(const Owned& owned, PartitionOffset& out) const;
  Offsets finished(const Partitions* of) const;
  void auto_commit(Now now);
  void check_poll(Now now);
  void step_close(Now now);

  Engine& engine_;
  const std::shared_ptr<const ConsumerConfig> config_;
  const std::shared_ptr<internal::RecordsHome> home_;
  Host& host_;
  const std::shared_ptr<DoneGate> gate_;
  GroupOffsets offsets_;
  std::unique_ptr<Membership> membership_;  // null: partitions are given by the user

  std::vector<std::string> topics_;
  TopicPattern pattern_;
  std::vector<std::string> wanted_;  // topics_ and what matches pattern_, sorted
  std::string said_pattern_;         // brokers_pattern(), as of the last rejoin()
  bool broker_matches_ = false;      // as far as is known, it can
  bool match_now_ = false;           // the broker does not, as has turned out
  bool join_wanted_ = false;         // once it is known what matches
  std::map<TopicPartition, Owned> owned_;
  std::uint64_t last_turn_ = 0;
  std::deque<Event> events_;
  std::uint64_t last_event_ = 0;

  bool positions_wanted_ = false;  // some partition waits for its stored offset
  Time positions_at_{};
  Backoff positions_backoff_;
  bool positions_told_ = false;

  Time auto_commit_at_ = kNever;
  bool auto_committing_ = false;
  bool dealing_ = false;  // the application has got something, and not polled since
  Time polled_at_{};
  Time poll_check_at_ = kNever;
  Failure fenced_;
  bool fall_back_ = false;  // to the classic protocol, in the next step
  bool fallen_back_ = false;
  bool silent_ = false;
  bool closing_ = false;
  bool left_ = false;
  Time close_by_ = kNever;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONSUMER_GROUP_H_
