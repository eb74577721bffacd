// Configuration of the Kafka client: plain aggregates, checked once when they are given to a
// Client, Producer or Consumer, and never read again after. Every limit the client has is in here.
//
// "Java" after a default means: the same as in the Java client of Kafka 4.x.
#ifndef TERN_CLIENT_KAFKA_CONFIG_H_
#define TERN_CLIENT_KAFKA_CONFIG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/core/completion.h"
#include "client/core/error.h"
#include "client/core/stream.h"
#include "client/core/time.h"
#include "client/kafka/observer.h"
#include "protocol/kafka/compression.h"
#include "protocol/kafka/gzip.h"
#include "protocol/wire/bytes.h"

namespace tern::kafka {

using wire::null;

struct ClientConfig {
  // "host:port" or "host" (port 9092), at least one; "[::1]:9092" for IPv6. Only needed to find the
  // cluster; tried again when no known broker can be reached.
  std::vector<std::string> bootstrap = {};
  std::string client_id = "tern";

  Duration connect_timeout = std::chrono::seconds(10);         // connect and handshake (Java)
  Duration request_timeout = std::chrono::seconds(30);         // from written to answered (Java)
  Duration reconnect_backoff = std::chrono::milliseconds(50);  // first pause, doubling (Java)
  Duration reconnect_backoff_max = std::chrono::milliseconds(1000);  // longest pause (Java)
  Duration retry_backoff = std::chrono::milliseconds(100);           // first pause, doubling (Java)
  Duration retry_backoff_max = std::chrono::milliseconds(1000);      // longest pause (Java)
  Duration metadata_max_age = std::chrono::minutes(5);      // refreshed at least this often (Java)
  Duration connections_max_idle = std::chrono::minutes(9);  // unused connections close (Java)
  Duration operation_timeout = std::chrono::seconds(60);    // admin calls, offset queries (Java)

  // A response larger than this is an error that closes the connection.
  std::size_t max_response_bytes = 104'857'600;  // as a broker's socket.request.max.bytes

  // Of topics that a producer writes to, or a consumer names: asking for one creates it if the
  // broker's settings allow that. (Java)
  bool allow_auto_create_topics = true;

  // For jitter, sticky partitioning and the choice of brokers. 0: drawn from the system at start.
  std::uint64_t seed = 0;

  // Codecs for compressed batches, to write and to read them. For lz4, snappy and zstd link the
  // target of that name in //client/codecs and add them: codecs.push_back(kafka::zstd()). Others
  // are a Codec of your own (protocol/kafka/compression.h).
  Codecs codecs = {gzip()};

  // Makes TLS of all connections: tls::openssl(), from the target //client/tls:openssl. Null: plain
  // TCP.
  std::shared_ptr<const StreamFactory> stream = {};

  // Sees connects, requests, batches and errors; null costs nothing.
  std::shared_ptr<Observer> observer = {};
};

enum class Acks : std::int16_t {
  none = 0,    // no answer at all: a delivery means "written to the socket"
  leader = 1,  // stored by the leader
  all = -1,    // stored by all in-sync replicas
};

// Which partition a record goes to when it names none.
enum class Partitioning {
  // Keys by murmur2 as the Java client does it, so both agree; records without a key stick to a
  // random
  // partition until a batch is full (KIP-480, KIP-794).
  java,
  random,       // a random partition for each record, whatever its key
  round_robin,  // one after the other, whatever the key
};

// Chooses a partition in [0, partition_count) for a record; called on the sending thread.
using Partitioner =
    std::function<std::int32_t(const wire::Bytes& key, std::int32_t partition_count)>;

struct ProducerConfig {
  Acks acks = Acks::all;    // (Java)
  bool idempotence = true;  // no duplicates, no reordering by retries (Java); needs acks all
  int max_in_flight = 5;  // requests per broker awaiting an answer (Java); at most 5 if idempotent

  // How long a batch waits to fill, at most (Java 4.0). It leaves up to a quarter earlier if
  // another one leaves then.
  Duration linger = std::chrono::milliseconds(5);
  std::size_t batch_bytes = 1'000'000;        // largest batch before compression (librdkafka)
  std::size_t max_request_bytes = 4'194'304;  // batches sent to one broker together

  // All memory of records on their way: batch capacity, handlers, compressed copies.
  std::size_t buffer_bytes = 33'554'432;  // (Java)

  // From send to success or failure, retries and waiting for metadata included.
  Duration delivery_timeout = std::chrono::minutes(2);  // (Java)

  // How long a record waits for a topic that the cluster does not know.
  Duration metadata_timeout = std::chrono::seconds(60);  // Java's max.block.ms

  // Needs a codec in ClientConfig::codecs, which also has the level: gzip(6).
  Compression compression = Compression::none;

  Partitioning partitioning = Partitioning::java;
  Partitioner partitioner = {};  // if set, takes the place of `partitioning`
};

enum class StartAt { earliest, latest, offset, timestamp };

// Where reading of a partition starts.
struct Position {
  StartAt at = StartAt::earliest;
  std::int64_t value = 0;  // the offset, or milliseconds since the epoch for `timestamp`

  static Position earliest() { return {StartAt::earliest, 0}; }
  static Position latest() { return {StartAt::latest, 0}; }
  static Position offset(std::int64_t offset) { return {StartAt::offset, offset}; }
  // The first record with this timestamp or a later one; the end if there is none.
  static Position timestamp(std::int64_t ms) { return {StartAt::timestamp, ms}; }
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

struct Assignment {
  std::string topic;
  std::int32_t partition = 0;
  Position start = Position::earliest();
};

// What to do when a position does not exist (any more), or a group has stored none.
enum class OffsetReset {
  earliest,
  latest,
  none,  // an error, and the partition stands still until it is sought
  age,   // where records begin that are at most ConsumerConfig::offset_reset_age old
};

enum class Isolation : std::int8_t { read_uncommitted = 0, read_committed = 1 };

using Partitions = std::vector<TopicPartition>;

// Says that a handler of a rebalance has done what it wanted to do: by a call, or by going away.
// Movable, any thread, may outlive consumer and client.
class Done {
 public:
  Done() = default;
  explicit Done(Completion<> told) : told_(std::move(told)) {}
  Done(Done&&) noexcept = default;
  Done& operator=(Done&& other) noexcept {
    if (this != &other) {
      (*this)();
      told_ = std::move(other.told_);
    }
    return *this;
  }
  ~Done() { (*this)(); }
  // Once; further calls do nothing.
  void operator()() {
    if (told_) std::exchange(told_, {})();
  }

 private:
  Completion<> told_;
};

// Runs on the client's executor, after the step; may call the consumer.
using RebalanceHandler = std::function<void(const Partitions& partitions, Done done)>;

// How a group decides who reads what.
enum class GroupProtocol {
  classic,   // the members decide, with an Assignor
  consumer,  // the broker decides (KIP-848): Kafka 4.0 and later, else a poll says so
  automatic  // consumer where the broker has it, else classic
};

class Assignor;

struct ConsumerConfig {
  std::vector<Assignment> assignment =
      {};  // partitions to read; may be changed later with assign()

  // The group to be a member of, which shares the partitions of `topics` out among its members and
  // stores how far they have come. Needed for all that follows. With `assignment` instead of
  // topics: offsets are stored in the group, but nobody shares anything.
  std::string group = {};
  std::vector<std::string> topics = {};  // may be changed later with subscribe()
  // A regular expression (ECMAScript) for whole names: topics that match are read as well, also
  // those that come into being later (found out within ClientConfig::metadata_max_age).
  std::string topic_pattern = {};
  // Has the broker match the pattern where it can, in groups of the consumer protocol since Kafka
  // 4.0: it takes note of new topics sooner, and this client need not ask for the names of all
  // there are. It takes RE2's syntax; as the client matches wherever the broker cannot, the pattern
  // has to mean the same in both.
  bool match_at_broker = false;
  // With an instance id of its own (KIP-345) a member that comes back within the session timeout
  // takes up where it was, without a rebalance; it does not leave the group when it is closed.
  std::string instance_id = {};
  GroupProtocol group_protocol = GroupProtocol::classic;  // (Java)
  // With GroupProtocol::consumer the broker has its own settings for the two timeouts below and for
  // the assignors; this names one of its assignors ("uniform", "range"). Empty: its choice.
  std::string server_assignor = {};

  Duration session_timeout = std::chrono::seconds(45);  // silent that long: out of the group (Java)
  Duration heartbeat_interval = std::chrono::seconds(3);  // (Java)
  // An application that has not called poll for so long, since it got its last records, loses its
  // partitions; it gets some again when it does. Also the time it has to hand partitions over in a
  // rebalance. (Java)
  Duration max_poll_interval = std::chrono::minutes(5);
  // What the members may agree on, best first: "range", "roundrobin", "sticky" and
  // "cooperative-sticky". With the last one alone, partitions that stay are read on during a
  // rebalance; the default is a step on the way there for a group of which some members are older
  // (Java).
  std::vector<std::string> assignors = {"range", "cooperative-sticky"};
  // Assignors of your own, before those.
  std::vector<std::shared_ptr<const Assignor>> own_assignors = {};

  // Stores, from time to time, how far the application has come: up to the first record that it has
  // not finished. Records are finished when their Records is destroyed or done() is called; not if
  // that happens because of an exception. Also done when partitions go to another member, and by
  // close().
  bool auto_commit = true;                                          // (Java)
  Duration auto_commit_interval = std::chrono::milliseconds(5000);  // (Java)
  // False: what auto_commit stores is what store_offsets() was told, and nothing else.
  bool auto_store = true;  // librdkafka's enable.auto.offset.store

  // The partitions are this member's from now on: read from when the handler is done, from where
  // the group has stored or where it has sought.
  RebalanceHandler on_assigned = {};
  // They go to another member (or the consumer is being closed): a last commit is in time until the
  // handler is done, or max_poll_interval is over.
  RebalanceHandler on_revoked = {};
  // They are another member's by now, or may be: too late for a commit. Without it on_revoked is
  // told.
  RebalanceHandler on_lost = {};

  OffsetReset offset_reset = OffsetReset::latest;            // (Java)
  Duration offset_reset_age = Duration::zero();              // for OffsetReset::age
  Isolation isolation = Isolation::read_uncommitted;         // (Java)
  std::size_t fetch_min_bytes = 1;                           // (Java)
  std::size_t fetch_max_bytes = 52'428'800;                  // per response (Java)
  std::size_t partition_max_bytes = 1'048'576;               // per partition and response (Java)
  Duration fetch_max_wait = std::chrono::milliseconds(500);  // broker waits for min bytes (Java)
  std::size_t max_poll_records =
      0;  // at most this many from one poll; 0: a whole fetched batch run

  // Bytes of fetched and decompressed data held at most, what the application still holds included.
  // One response more than this may arrive, so it is also the bound for what one Fetch asks for.
  std::size_t prefetch_bytes = 67'108'864;  // librdkafka's default
  std::size_t max_decompressed_batch_bytes =
      134'217'728;         // a batch that unpacks to more is an error
  bool check_crcs = true;  // (Java)
  std::string rack =
      {};  // where this client is: reads from a replica there if the broker offers it
};

// Each returns an error that names the field and what it may be, or nothing.
Failure check(const ClientConfig& config);
Failure check(const ProducerConfig& config, const ClientConfig& client);
Failure check(const ConsumerConfig& config);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONFIG_H_
