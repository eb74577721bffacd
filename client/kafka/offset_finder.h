// OffsetFinder: asks the leaders of partitions for offsets by time (ListOffsets), many partitions
// in one request, and goes on asking until there is an answer, a final error, or the deadline has
// passed.
//
// Belongs to the engine's executor. Results are told from step(), from shut_down() or from an
// answer's arrival, never from inside find().
#ifndef TERN_CLIENT_KAFKA_OFFSET_FINDER_H_
#define TERN_CLIENT_KAFKA_OFFSET_FINDER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "client/core/backoff.h"
#include "client/kafka/cluster.h"
#include "client/kafka/config.h"
#include "protocol/kafka/messages/list_offsets.h"

namespace tern::kafka {

class Engine;

// Stand for times in ListOffsets. A broker too old for one of them is not asked: it would take it
// for a time of before 1970 and answer with the first record.
inline constexpr std::int64_t kLatestTime = -1;
inline constexpr std::int64_t kEarliestTime = -2;
// The record with the highest time (KIP-734): Kafka 3.0 and later.
inline constexpr std::int64_t kHighestTime = -3;
// With tiered storage, the first offset that a broker has itself (KIP-405, Kafka 3.5), the last one
// that is stored away (KIP-1005, 3.9), and the first one that is still to be (KIP-1023, 4.2).
inline constexpr std::int64_t kEarliestLocalTime = -4;
inline constexpr std::int64_t kLatestTieredTime = -5;
inline constexpr std::int64_t kEarliestPendingUploadTime = -6;

struct FoundOffset {
  std::int64_t offset = -1;        // -1: there is no record with this time or a later one
  std::int64_t timestamp_ms = -1;  // of the record; -1 for the earliest and the latest offset
  std::int32_t leader_epoch = -1;
};

// Why the partition cannot be read, as far as the metadata says: no such topic, no such partition,
// not allowed. Empty if nothing is wrong or nothing is known yet. Topics that are being created may
// look like this for a moment, unless `is_final`.
Failure metadata_trouble(const Topic& topic, std::int32_t partition, bool& is_final);

// How long a topic or a partition may be missing before that is believed. One that has been seen is
// given longer: a broker that has just come back knows of no topic until a controller tells it,
// which with ZooKeeper may be after the old session has expired (18 s). librdkafka waits as long
// (topic.metadata.propagation.max.ms).
Duration missing_grace(const Topic& topic);

class OffsetFinder {
 public:
  using Done = std::function<void(const Failure& why, const FoundOffset& found, Now now)>;

  OffsetFinder(Engine& engine, Isolation isolation);
  ~OffsetFinder();
  OffsetFinder(const OffsetFinder&) = delete;
  OffsetFinder& operator=(const OffsetFinder&) = delete;

  void find(Topic& topic, std::int32_t partition, std::int64_t time_ms, Time deadline, Done done);
  // Sends what can be sent and gives up what is too late.
  void step(Now now);
  // When step() is to be called again at the latest, as of a step() at `now`.
  Time next_time(Now now) const;
  void shut_down(const Failure& why, Now now);

 private:
  struct Item {
    Topic* topic;
    std::int32_t partition;
    std::int64_t time_ms;
    Time deadline;
    Done done;  // empty: ended
    Backoff backoff;
    bool in_flight = false;
    Time not_before{};
    Time missing_since = kNever;
    Failure last;  // why it was tried again
  };
  using ItemPtr = std::shared_ptr<Item>;
  using Batch = std::vector<ItemPtr>;
  using Partition = ListOffsetsResponse::ListOffsetsPartitionResponse;

  Connection* ready_to_send(Item& item, Now now);
  bool give_up(Item& item, Now now, Failure& why);
  void retry(Item& item, const Failure& why, Now now);
  void send(Connection& connection, std::int16_t min_version, std::shared_ptr<Batch> batch);
  void on_reply(const Batch& batch, const Failure& why, const ListOffsetsResponse* reply, Now now);
  void on_partition(Item& item, const Partition& answer, Now now);
  void finish(Item& item, const Failure& why, const FoundOffset& found, Now now);

  Engine& engine_;
  const Isolation isolation_;
  std::vector<ItemPtr> items_;
  std::shared_ptr<OffsetFinder*> self_;  // how answers find out that we are gone
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_OFFSET_FINDER_H_
