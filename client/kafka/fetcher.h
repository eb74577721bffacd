// Fetcher: keeps data coming for the assigned partitions, within the memory it is given.
//
// To each broker that is to be read from there is one session and at most one request at a time;
// the next one goes as soon as the answer is there, so data arrives while the user deals with what
// came before. A partition is left out while more than partition_max_bytes of it wait to be handed
// out.
//
// Memory: `prefetch_bytes` bounds what lies in frames, here or with the user, plus what the
// requests under way may bring. Brokers send at least one whole batch however little is asked for,
// so a batch larger than its share of that memory still gets through, when nothing else is held.
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_KAFKA_FETCHER_H_
#define TERN_CLIENT_KAFKA_FETCHER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "client/kafka/consumer_partition.h"
#include "client/kafka/fetch_session.h"

namespace tern::kafka {

class Engine;

// The assigned partitions, to be found by what an answer says.
class PartitionSet {
 public:
  const std::vector<ConsumerPartitionPtr>& all() const { return all_; }
  ConsumerPartition* find(const Topic* topic, std::int32_t partition) const;
  ConsumerPartitionPtr find_shared(const Topic* topic, std::int32_t partition) const;
  // Takes the place of what was in here.
  void assign(std::vector<ConsumerPartitionPtr> partitions);

 private:
  std::vector<ConsumerPartitionPtr> all_;
  std::unordered_map<const Topic*, std::vector<std::size_t>>
      places_;  // by partition, from 1; 0: none
};

class Fetcher final : public FetchSession::Owner {
 public:
  // Told from inside on_fetched() and the like; must not call the Fetcher back, except touch().
  class Listener {
   public:
    virtual void on_data(ConsumerPartition& partition) = 0;
    // There is nothing at the partition's position.
    virtual void on_out_of_range(ConsumerPartition& partition, Now now) = 0;
    // The leader's log ends at `end_offset` where ours went on.
    virtual void on_truncated(ConsumerPartition& partition, std::int64_t end_offset, Now now) = 0;
    // It cannot be read, and trying again would not help.
    virtual void on_unreadable(ConsumerPartition& partition, Failure why) = 0;
    // A broker does not understand us, or the other way round. Once, until that is over.
    virtual void on_broker_trouble(const Failure& why) = 0;

   protected:
    ~Listener() = default;
  };

  Fetcher(Engine& engine, std::shared_ptr<const ConsumerConfig> config,
          std::shared_ptr<FramePool> pool, PartitionSet& partitions, Listener& listener);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // Something has changed that may let a request go; step() will look.
  void touch() { touched_ = true; }
  // Sends what can be sent. `budget` is what may be in frames, here, with the user, and under way.
  void step(Now now, std::size_t budget);
  // The last step() did not send all it could have, for want of memory.
  bool starved() const { return starved_; }
  // When step() is to be called again at the latest.
  Time next_time() const { return next_time_; }

  // The partition is not assigned any more.
  void forget(ConsumerPartition& partition);

  // Ends the sessions at the brokers; done when is_idle().
  void close(Now now);
  bool is_idle() const;
  void abandon();

  // FetchSession::Owner
  void on_fetched(FetchSession& session, const Response& response, Now now) override;
  void on_fetch_failed(FetchSession& session, const Failure& why, Now now) override;

 private:
  using PartitionData = FetchResponse::PartitionData;

  std::int32_t node_of(ConsumerPartition& partition, Now now);
  bool fetchable(ConsumerPartition& partition, Now now);
  FetchSession& session_of(std::int32_t node_id);
  void collect(Now now);
  void collect_one(ConsumerPartition& partition, Now now);
  void send(FetchSession& session, std::size_t share, std::size_t budget);
  void close_session(FetchSession& session);

  void on_session_error(FetchSession& session, BrokerErrc error, Now now);
  void on_partition(FetchSession& session, ConsumerPartition& partition, const PartitionData& data,
                    const FrameRef& frame, Now now);
  void on_partition_error(FetchSession& session, ConsumerPartition& partition,
                          const PartitionData& data, Now now);
  void take_records(ConsumerPartition& partition, const PartitionData& data, const FrameRef& frame);
  void ask_for_more(ConsumerPartition& partition, std::uint64_t batch_bytes);
  void retry(ConsumerPartition& partition, Now now);
  void report(FetchSession& session, const Failure& why, Now now);

  Engine& engine_;
  const std::shared_ptr<const ConsumerConfig> config_;
  const std::shared_ptr<FramePool> pool_;
  PartitionSet& partitions_;
  Listener& listener_;
  std::map<std::int32_t, std::unique_ptr<FetchSession>> sessions_;
  std::vector<FetchSession*> ready_;  // those with something to ask for in this step
  std::uint64_t mark_ = 0;
  std::size_t first_ = 0;  // where the next round over the partitions begins
  std::size_t nodes_ = 0;  // brokers that are to be read from, as of the last round
  bool touched_ = true;
  bool starved_ = false;
  bool closing_ = false;
  Time next_time_ = kNever;
  wire::Arena arena_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_FETCHER_H_
