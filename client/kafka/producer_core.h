// ProducerCore: a producer inside the engine. Records come in through its accumulator, from any
// thread; everything else belongs to the executor.
//
// The sender's rules, which keep records in order and exactly once:
//  - A batch gets producer id, epoch and sequence when it is first sent, and is sent again with
//    the same bytes until it is known what became of it.
//  - While a partition tries a batch again, nothing else of that partition is on the way.
//  - A sequence that will never be used leaves a gap, so the next epoch is taken; but only when no
//    batch is left whose fate is unknown, since the broker could not tell its repeat any more.
//  - A batch whose time is up while it is on the way is reported, but its bytes stay until the
//    network and the broker are done with them.
#ifndef TERN_CLIENT_KAFKA_PRODUCER_CORE_H_
#define TERN_CLIENT_KAFKA_PRODUCER_CORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/kafka/accumulator.h"
#include "client/kafka/engine.h"
#include "protocol/kafka/messages/init_producer_id.h"
#include "protocol/kafka/messages/produce.h"

namespace tern::kafka {

class ProduceCall;

// The partitions that one broker leads, and what is on the way to it.
struct Lane {
  std::int32_t node_id = -1;
  int in_flight = 0;                  // requests
  std::deque<PartitionQueue*> ready;  // with something that may be sent now
  BatchList overdue;                  // past linger but still open: the broker is busy
};

class ProducerCore final : public Part,
                           public ClusterListener,
                           public std::enable_shared_from_this<ProducerCore> {
 public:
  // `config` must have passed check(). Takes records at once, from any thread; they are sent after
  // start(), on the executor.
  ProducerCore(Engine& engine, ProducerConfig config, std::uint64_t seed);
  ~ProducerCore() override;
  void start();

  // Any thread.
  Accumulator& accumulator() { return accumulator_; }

  void set_batch_handler(std::function<void(const BatchReport&)> handler) {
    on_batch_ = std::move(handler);
  }
  // Waits for space if there is none. The record's views have to stay good until `done` is called.
  void send(ProducerTopic& topic, const Record& record, Completion<Failure, Delivery> done,
            std::uint64_t id);
  // Done when a record of ordinary size would be taken.
  void wait_space(Completion<Failure> done, std::uint64_t id);
  // Done when everything accepted so far has been reported, good or bad.
  void flush(Completion<Failure> done, std::uint64_t id);
  // Takes nothing more, flushes, and gives up what is left when `timeout` is over.
  void close(Duration timeout, Completion<Failure> done);
  void cancel(std::uint64_t id) override;

  void step(Now now) override;
  void run_completions() override;
  void shut_down(const Failure& why, Now now) override;
  void discard_completions() override;
  void on_cluster_changed(Now now) override;

 private:
  friend class ProduceCall;

  // Something to tell, from run_completions().
  struct Done {
    HandlerList handlers;
    ProducerTopic* topic = nullptr;
    std::int32_t partition = -1;
    std::int64_t base_offset = -1;
    std::size_t count = 0;  // 0: no records
    std::int64_t log_append_time_ms = -1;
    std::int64_t max_timestamp_ms = -1;
    std::error_code error;
    Failure cause;
    bool batch_told = false;
    bool then = false;  // the next of thens_, with `cause`
  };
  struct WaitingSend {
    ProducerTopic* topic;
    Record record;
    Completion<Failure, Delivery> done;
    std::uint64_t id;
    Time since;
  };
  struct Waiter {
    Completion<Failure> done;
    std::uint64_t id;
    std::uint64_t up_to = 0;  // of a flush: batches up to this order
  };

  // producer_core.cc: what comes in, what goes out to the user.
  void refresh_topic(ProducerTopic& topic, Now now);
  void fail_pending(ProducerTopic& topic, const Failure& why);
  void expire_pending(Now now);
  void expire_batches(Now now);
  void give_up(Batch& batch, const Failure& why, Now now);
  void retry_waiting_sends(Now now);
  void finish_waiters();
  void set_timer(Now now);
  void on_timer(Now) {}  // the step that follows does the work
  void report(Batch& batch, std::int64_t base_offset, std::int64_t log_append_time_ms,
              std::error_code error, const Failure& cause);
  void report_pending(PendingRecord& record, ProducerTopic& topic, std::error_code error,
                      const Failure& cause);
  bool tell(Done& done);
  void tell_then(Completion<Failure> then, Failure cause);
  bool all_told() const { return telling_.empty() && done_.empty(); }
  Observer::Batch describe(const Batch& batch) const;

  // sender.cc: lanes, requests, answers.
  Lane& lane(std::int32_t node_id);
  void assign_lane(PartitionQueue& queue, Now now);
  bool may_send(const PartitionQueue& queue, Now now) const;
  void list(PartitionQueue& queue, Now now);
  void enqueue(const std::vector<Batch*>& batches, Now now);
  BatchList* overdue_home(PartitionQueue& queue);
  void send_lane(Lane& lane, Now now);
  bool send_one(Lane& lane, Now now);
  void prepare(Batch& batch);
  void compress(Batch& batch);
  void stamp(Batch& batch);
  void on_produced(ProduceCall& call, const ProduceResponse& reply, std::int16_t version, Now now);
  void on_partition_answer(Batch& batch, const ProduceResponse::PartitionProduceResponse& answer,
                           Now now);
  void on_call_failed(ProduceCall& call, const Failure& why, bool maybe_sent, Now now);
  bool withdraw(Batch& batch);
  void landed(Batch& batch);
  void succeed(Batch& batch, std::int64_t base_offset, std::int64_t log_append_time_ms, Now now);
  void fail(Batch& batch, ClientErrc certainty, const Failure& cause, Now now);
  void retry(Batch& batch, const Failure& why, bool maybe_written, bool at_once, Now now);
  void split(Batch& batch, const Failure& why, Now now);
  void put_back(Batch& batch);
  bool is_oldest_unresolved(const Batch& batch) const;
  void need_new_producer_id();
  void use_producer_id(std::int64_t id, std::int16_t epoch, Now now);
  bool has_unresolved();
  void fetch_producer_id(Now now);
  void on_producer_id(const Failure& why, const InitProducerIdResponse* reply, Now now);
  ProduceCall& take_call();
  void end_call(ProduceCall& call);

  Engine& engine_;
  const ProducerConfig config_;
  Accumulator accumulator_;
  std::function<void(const BatchReport&)> on_batch_;
  std::vector<Done> done_;
  std::vector<Done> telling_;  // those of the run_completions() under way, or cut off by a throw
  std::size_t told_ = 0;       // of telling_
  std::deque<Completion<Failure>> thens_;
  std::deque<WaitingSend> waiting_sends_;
  std::vector<Waiter> space_waiters_;
  std::deque<Waiter> flushes_;
  bool started_ = false;
  bool closing_ = false;
  bool closed_ = false;
  Time close_deadline_ = kNever;
  Completion<Failure> close_done_;
  Timer timer_;

  std::map<std::int32_t, std::unique_ptr<Lane>> lanes_;
  Lane leaderless_;
  std::vector<PartitionQueue*> delayed_;  // waiting for their retry_at
  std::vector<std::unique_ptr<ProduceCall>> calls_;
  std::vector<ProduceCall*> spare_calls_;
  std::vector<Batch*> collected_;
  int calls_in_flight_ = 0;
  std::unique_ptr<Compressor> compressor_;
  std::vector<std::byte> scratch_;  // compressed output, before its size is known

  std::int64_t producer_id_ = kNoProducerId;
  std::int16_t producer_epoch_ = kNoProducerEpoch;
  bool fetching_producer_id_ = false;
  bool renew_producer_id_ = false;    // a gap in the sequences, or the broker has lost its state
  bool producer_id_refused_ = false;  // ... or will not have this id any more, in no epoch
  Time producer_id_retry_at_{};
  Backoff producer_id_backoff_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come too late
};

// One Produce request.
class ProduceCall final : public Call {
 public:
  explicit ProduceCall(ProducerCore& owner) : owner_(&owner) {}

  const Api& api() const override { return ProduceRequest::api; }
  std::int16_t max_version() const override;
  Failure encode(std::int16_t version, std::int32_t correlation_id, const std::string& client_id,
                 Outgoing& out) override;
  bool has_response() const override { return owner_->config_.acks != Acks::none; }
  std::size_t expected_response_bytes() const override { return 64 * 1024 + 128 * batches.size(); }
  void on_sent(Now now) override;
  void on_response(const Response& response, Now now) override;
  void on_failure(const Failure& why, bool maybe_sent, Now now) override;

  Lane* lane = nullptr;
  std::vector<Batch*> batches;  // null once answered
  bool encoded = false;         // on its way, or soon; batches cannot be taken back any more
  std::size_t copied = 0;       // bytes of small batches copied into the request, charged

 private:
  ProducerCore* owner_;
  std::vector<ProduceRequest::TopicProduceData> topics_;
  std::vector<ProduceRequest::PartitionProduceData> partitions_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_PRODUCER_CORE_H_
