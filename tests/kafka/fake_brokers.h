// Scripted Kafka brokers in a simulated world: they serve partitions that a test fills by hand, and
// let it see every Fetch and change every answer. For what the embedded brokers of tests/broker
// never do: batches that lie, lists out of order, replicas that are offered, sessions that are
// lost.
#ifndef TERN_TESTS_KAFKA_FAKE_BROKERS_H_
#define TERN_TESTS_KAFKA_FAKE_BROKERS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/core/ports.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/fetch.h"
#include "protocol/kafka/messages/list_offsets.h"
#include "protocol/kafka/messages/metadata.h"
#include "protocol/kafka/messages/offset_for_leader_epoch.h"
#include "protocol/kafka/records.h"
#include "tests/kafka/fake_group.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::kafka::fake {

using PartitionName = std::pair<std::string, std::int32_t>;

struct FakePartition {
  std::int32_t leader = 1;
  std::int32_t leader_epoch = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;           // high watermark
  std::int64_t last_stable = -1;  // -1: the high watermark
  struct Stored {
    std::int64_t next_offset;
    std::vector<std::byte> bytes;
  };
  std::vector<Stored> batches;
  std::vector<FetchResponse::AbortedTransaction> aborted;
  // What OffsetForLeaderEpoch answers: {epoch, end offset}.
  std::pair<std::int32_t, std::int64_t> epoch_end = {-1, -1};
  std::map<std::int64_t, std::int64_t> offset_for_time;  // exact times only; others: none

  // A batch of plain records with these values.
  void add(const std::vector<std::string>& values, BatchBuilder::Options options = {});
  void add_batch(std::vector<std::byte> bytes, std::int64_t next_offset);
};

struct FakeTopic {
  wire::Uuid id;
  std::map<std::int32_t, FakePartition> partitions;
};

// A Fetch as a broker saw it.
struct SeenFetch {
  std::int32_t node;
  std::int16_t version;
  std::int32_t session_id;
  std::int32_t session_epoch;
  std::int32_t max_bytes;
  std::int8_t isolation;
  std::string rack;
  std::map<PartitionName, FetchRequest::FetchPartition> asked;
  std::set<PartitionName> forgotten;
};

class FakeBroker;

class FakeBrokers {
 public:
  FakeBrokers(sim::World& world, sim::Fabric& fabric, int count);
  ~FakeBrokers();

  FakeTopic& add_topic(const std::string& name, int partitions = 1);
  FakePartition& at(const std::string& topic, std::int32_t partition = 0) {
    return topics.at(topic).partitions.at(partition);
  }
  // Answers that wait are looked at again.
  void changed();
  void set_up(std::int32_t node, bool up);  // a node that is down refuses connections
  void cut_connections(std::int32_t node);
  std::vector<std::string> bootstrap() const;

  std::map<std::string, FakeTopic> topics;
  std::int16_t max_fetch_version = 18;
  std::int16_t max_epoch_version = 4;  // of OffsetForLeaderEpoch; -1: not offered
  bool sessions = true;

  // The highest versions that are offered of other APIs; -1: none.
  std::map<std::int16_t, std::int16_t> max_versions;

  FakeGroup group;  // of any name

  // Changes a Fetch answer before it goes; false: wait until changed().
  std::function<bool(const SeenFetch&, FetchResponse&, wire::Arena&)> edit_fetch;
  // The error for a partition of ListOffsets or OffsetForLeaderEpoch.
  std::function<BrokerErrc(const PartitionName&)> list_offsets_error;
  std::function<BrokerErrc(const PartitionName&)> epoch_error;
  std::function<void(MetadataResponse&)> edit_metadata;

  std::vector<SeenFetch> fetches;
  int list_offsets_requests = 0;
  int epoch_requests = 0;
  int metadata_requests = 0;
  bool topics_listed = false;     // all of them, by any request
  bool creation_allowed = false;  // by the last one
  std::vector<OffsetForLeaderEpochRequest::OffsetForLeaderPartition> epochs_asked;

 private:
  friend class FakeBroker;
  std::list<std::unique_ptr<FakeBroker>> brokers_;
};

}  // namespace tern::kafka::fake

#endif  // TERN_TESTS_KAFKA_FAKE_BROKERS_H_
