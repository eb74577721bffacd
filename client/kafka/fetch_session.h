// FetchSession: what one broker knows of a consumer's wishes (KIP-227), and the one Fetch request
// that may be under way to it.
//
// A session begins with a full request that names every wanted partition; the requests after it
// name only what has changed (offsets, additions) and what is to be forgotten. Whatever goes wrong,
// the next request is a full one. Brokers without sessions get full requests only.
//
// Belongs to the engine's executor. While busy() it must not be destroyed: see release().
#ifndef TERN_CLIENT_KAFKA_FETCH_SESSION_H_
#define TERN_CLIENT_KAFKA_FETCH_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/frame.h"
#include "client/kafka/call.h"
#include "client/kafka/consumer_partition.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/fetch.h"

namespace tern::kafka {

class FetchSession final : public Call {
 public:
  class Owner {
   public:
    virtual void on_fetched(FetchSession& session, const Response& response, Now now) = 0;
    virtual void on_fetch_failed(FetchSession& session, const Failure& why, Now now) = 0;

   protected:
    ~Owner() = default;
  };

  // `pool` is where answers are read into.
  FetchSession(Owner& owner, std::int32_t node_id, std::shared_ptr<const ConsumerConfig> config,
               Duration request_timeout, Backoff retry, std::shared_ptr<FramePool> pool);
  ~FetchSession() override;

  // Ends the ownership: a request under way is let go, and what it belongs to dies with its answer.
  static void release(std::unique_ptr<FetchSession> session);

  std::int32_t node_id() const { return node_id_; }
  bool busy() const { return busy_; }
  std::size_t reserved_bytes() const { return busy_ && !closing_ ? max_bytes_ : 0; }

  // Making a request: begin(), want() for each partition to be fetched, then finish(), after which
  // it has to be sent. `mark` is a number not used before.
  void begin(std::uint64_t mark);
  void want(ConsumerPartition& partition, const ConsumerPartition::Sent& what);
  std::size_t wanted() const { return wanted_.size(); }
  // Bytes that the wanted partitions may bring.
  std::size_t wanted_bytes() const { return wanted_bytes_; }
  void finish(std::size_t max_bytes);
  // A last request, that ends the session; false if the broker keeps none.
  bool finish_last();

  // The partition is not to be in here any more.
  void remove(ConsumerPartition& partition);
  // The next request is a full one.
  void start_over() { epoch_ = 0; }
  // Takes note of the session's part of an answer. Anything but `none` says that no partition in
  // the answer counts.
  BrokerErrc take(const FetchResponse& response);
  std::int32_t epoch() const { return epoch_; }  // of the next request
  void set_epoch_for_test(std::int32_t epoch) { epoch_ = epoch; }

  // For the owner's use.
  Time not_before{};
  Backoff backoff;
  std::uint64_t round = 0;      // in which a partition of this broker was looked at last
  bool reported = false;        // trouble with this broker has been reported
  std::size_t least_bytes = 0;  // to ask for, or a large batch cannot come

  // Call
  const Api& api() const override { return FetchRequest::api; }
  std::int16_t max_version() const override;
  Failure encode(std::int16_t version, std::int32_t correlation_id, const std::string& client_id,
                 Outgoing& out) override;
  std::size_t expected_response_bytes() const override;
  FramePool* frame_pool() override { return pool_.get(); }
  Duration response_timeout() const override { return response_timeout_; }
  void on_response(const Response& response, Now now) override;
  void on_failure(const Failure& why, bool maybe_sent, Now now) override;
  void on_abandoned() override;

 private:
  struct Planned {
    const Topic* topic;
    wire::Uuid topic_id;
    FetchRequest::FetchPartition partition;
  };
  struct Forgotten {
    const Topic* topic;
    wire::Uuid topic_id;
    std::int32_t partition;
  };

  void plan_full();
  void plan_changes();
  void add(ConsumerPartition& partition, const ConsumerPartition::Sent& what);
  void forget(const Topic& topic, const wire::Uuid& id, std::int32_t partition);
  FetchRequest make_request();

  Owner* owner_;
  const std::int32_t node_id_;
  const std::shared_ptr<const ConsumerConfig> config_;
  const Duration response_timeout_;
  const std::shared_ptr<FramePool> pool_;
  bool busy_ = false;
  bool closing_ = false;
  std::int32_t session_id_ = 0;
  std::int32_t epoch_ = 0;  // of the next request; 0: a full one
  bool by_name_ = false;    // some topic's id is not known: names instead of ids (below v13)
  std::uint64_t mark_ = 0;
  std::size_t max_bytes_ = 0;
  std::size_t wanted_bytes_ = 0;
  struct Wanted {
    ConsumerPartition* partition;
    ConsumerPartition::Sent what;
  };
  std::vector<Wanted> wanted_;
  std::vector<ConsumerPartition*> members_;
  std::vector<Forgotten> left_;  // the broker still has these, but they are none of our members
  std::vector<Planned> planned_;
  std::vector<Forgotten> forgotten_;
  wire::Arena arena_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_FETCH_SESSION_H_
