// Consumer: reads partitions in order: those that you assign, from where you say, or those that a
// group gives it.
//
//   kafka::ConsumerConfig config{.assignment = {{"orders", 0, kafka::Position::earliest()}}};
//   kafka::Consumer consumer(client, config);
//   for (;;) {
//     kafka::Records records = co_await consumer.async_poll(asio::use_awaitable);
//     for (const kafka::ConsumerRecord& record : records) handle(record.key, record.value);
//   }
//
// or, as one of any number of members that share what there is:
//
//   kafka::ConsumerConfig config{.group = "billing", .topics = {"orders"}};
//
// Fetching goes on in the background, up to ConsumerConfig::prefetch_bytes of memory, which counts
// what you hold as well: let go of each Records when you are done with it. A poll takes what is
// there, whole batches of one or more partitions in turn; within a partition, order is that of the
// log.
//
// Positions: a partition's position is the offset of the next record that a poll will hand out. It
// starts where its Assignment says. When it does not exist (any more), ConsumerConfig::offset_reset
// decides; passing trouble (a broker that is away, a leader that moves) never moves it. If a log
// was cut back below the position (unclean election), reading goes on at the cut, or, with
// OffsetReset::none, the partition stops with ClientErrc::log_truncated.
//
// Trouble with one partition (offset_out_of_range, log_truncated, a wrong checksum, codec_missing,
// no such topic) ends one async_poll with an error that names the partition; the others go on with
// the next poll. The partition in question stands still at its position until seek(): to position()
// to try again, or past the place. A topic that does not exist is waited for after it has been
// reported. So are brokers that cannot be reached: polls that have met none for
// ClientConfig::connect_timeout say so once (no_broker).
//
// In a group: the first poll makes the consumer a member; partitions come and go from then on,
// which assignment() and the handlers of the config tell. Reading begins where the group has
// stored, else where offset_reset says. Offsets are stored by themselves (auto_commit) for records
// that are finished: their Records is gone, or done() was called; or by async_commit(). A commit
// for a partition that is another member's by now ends with ClientErrc::revoked and stores nothing
// of it. A commit of less than was stored or asked for already since the partition has been this
// member's stores nothing and is no error: it is stale, its records are covered. Whoever wants to
// go back says so with seek(): commits after that may be of less. While partitions are handed over,
// records of them that the application holds are waited for until it polls again or lets go of
// them. If the group will not have the consumer (no permission, no assignor in common, ...) a poll
// says so, and the next one tries again; ClientErrc::fenced, that another member goes by the same
// instance id, is for good.
//
// Threading: any thread may call anything; handlers run on their associated executor, by default
// the client's. What is called from one thread takes effect in that order. One poll at a time: a
// second one ends with ClientErrc::busy.
//
// Lifetimes: the destructor neither blocks nor calls user code; what still waits ends with
// ClientErrc::closed. Records stay valid after their consumer and client. `diagnostics`, where it
// is taken, receives the sentence that goes with an error, and has to live until the operation has
// ended.
#ifndef TERN_CLIENT_KAFKA_CONSUMER_H_
#define TERN_CLIENT_KAFKA_CONSUMER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/client.h"
#include "client/kafka/consumer_core.h"
#include "client/kafka/consumer_records.h"
#include "client/net/async.h"

namespace tern::kafka {

class Consumer {
 public:
  // Throws std::system_error (invalid_config, invalid_argument) if the config cannot be used.
  explicit Consumer(const Client& client, ConsumerConfig config = {});
  ~Consumer();
  Consumer(Consumer&&) noexcept = default;
  Consumer& operator=(Consumer&& other) noexcept;

  // void(std::error_code, Records): at least one record, or an error. Cancelling loses no record.
  template <class Token>
  auto async_poll(Token&& token, Diagnostics* diagnostics = nullptr) {
    return async_poll(Duration::max(), std::forward<Token>(token), diagnostics);
  }
  // The same, with no records and no error when none have come within `timeout`.
  template <class Token>
  auto async_poll(Duration timeout, Token&& token, Diagnostics* diagnostics = nullptr) {
    return start<Records>(
        [core = core_, timeout](std::uint64_t op, Now now, Completion<Failure, Records> done) {
          core->poll(op, deadline_after(now.mono, timeout), std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // Takes the place of all that was assigned. Partitions that stay go on where they are (see
  // seek()). An error (nothing has changed then) names what is wrong: an empty topic, a partition
  // named twice.
  Failure assign(const std::vector<Assignment>& assignment);
  std::vector<TopicPartition> assignment() const { return core_->board()->all(); }

  // In a group: these topics from now on, and those that match the pattern (here, or at the broker:
  // see ConsumerConfig::match_at_broker); nothing at all leaves the group. An error if the consumer
  // has no group or an assignment, or with a bad pattern.
  Failure subscribe(std::vector<std::string> topics, const std::string& pattern = {});

  // void(std::error_code): stores what is finished, of all partitions (that means all polled
  // before whose Records are gone; what you hold now is not among it: see Records::done()). Tried
  // again until ClientConfig::operation_timeout.
  template <class Token>
  auto async_commit(Token&& token, Diagnostics* diagnostics = nullptr) {
    return commit(std::nullopt, std::forward<Token>(token), diagnostics);
  }
  // The same with offsets that you say, such as Records::end_offsets(): of the next records to
  // read. All that can be stored is, if there is an error, too.
  template <class Token>
  auto async_commit(Offsets offsets, Token&& token, Diagnostics* diagnostics = nullptr) {
    return commit(std::optional<Offsets>(std::move(offsets)), std::forward<Token>(token),
                  diagnostics);
  }
  // What the next automatic commit is to store, with auto_store = false. An error, for the first
  // one in question, if a partition is not this member's (any more).
  Failure store_offsets(const Offsets& offsets);
  // void(std::error_code, Offsets): what the group has stored, in the order asked, of any
  // partitions. Offset -1: nothing.
  template <class Token>
  auto async_committed(Partitions partitions, Token&& token, Diagnostics* diagnostics = nullptr) {
    return start<Offsets>(
        [core = core_, state = state_, partitions = std::move(partitions)](
            std::uint64_t op, Now now, Completion<Failure, Offsets> done) {
          core->committed(op, partitions, operation_deadline(*state, now), std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }

  // The next poll goes on there. An error only if the partition is not assigned, or the position is
  // below 0.
  Failure seek(const TopicPartition& partition, const Position& to);
  // A paused partition is not handed out and not fetched; what was fetched waits. Errors as in
  // seek().
  Failure pause(const TopicPartition& partition) { return set_paused(partition, true); }
  Failure resume(const TopicPartition& partition) { return set_paused(partition, false); }

  // -1 while it is not known, or if it is not assigned.
  std::int64_t position(const TopicPartition& partition) const;
  // Records (counted by offsets) between the position and the end, as of the last answer about the
  // partition; with Isolation::read_committed the end is where undecided transactions begin. -1
  // while it is not known.
  std::int64_t lag(const TopicPartition& partition) const;
  // It waits for a seek(), for a reason that a poll has told or, if it began after this was asked,
  // will tell before anything else.
  bool stands_still(const TopicPartition& partition) const;

  // void(std::error_code, OffsetsAndTimes), in the order asked, of any partitions of the cluster.
  // An error if any one could not be told within ClientConfig::operation_timeout. Offset -1: no
  // record has that time or a later one.
  template <class Token>
  auto async_offsets_for_times(std::vector<TimeQuery> queries, Token&& token,
                               Diagnostics* diagnostics = nullptr) {
    return find_offsets(std::move(queries), std::forward<Token>(token), diagnostics);
  }
  // The same for the first offsets there are, and for those after the last.
  template <class Token>
  auto async_beginning_offsets(const std::vector<TopicPartition>& partitions, Token&& token,
                               Diagnostics* diagnostics = nullptr) {
    return find_offsets(queries_for(partitions, kEarliestTime), std::forward<Token>(token),
                        diagnostics);
  }
  template <class Token>
  auto async_end_offsets(const std::vector<TopicPartition>& partitions, Token&& token,
                         Diagnostics* diagnostics = nullptr) {
    return find_offsets(queries_for(partitions, kLatestTime), std::forward<Token>(token),
                        diagnostics);
  }

  // void(std::error_code): ends a poll that waits (with closed), hands over what the group has
  // given (on_revoked, a last commit), leaves the group and tells the brokers, waiting for none of
  // that longer than `timeout`. Everything but this ends with closed from now on.
  template <class Token>
  auto async_close(Duration timeout, Token&& token) {
    return start<>(
        [core = core_, timeout](std::uint64_t, Now now, Completion<Failure> done) {
          core->close(deadline_after(now.mono, timeout), std::move(done), now);
        },
        std::forward<Token>(token), nullptr);
  }

  // Memory of fetched data, here and with the application.
  std::size_t held_bytes() const { return core_->held_bytes(); }

 private:
  template <class... Results, class Call, class Token>
  auto start(Call call, Token&& token, Diagnostics* diagnostics) {
    return net::async_start<Results...>(
        state_->executor(), state_,
        [state = state_, call = std::move(call)](std::uint64_t op,
                                                 Completion<Failure, Results...> done) mutable {
          ClientState& client = *state;
          client.run([&client, call = std::move(call), op, done = std::move(done)]() mutable {
            call(op, now_of(client), std::move(done));
          });
        },
        std::forward<Token>(token), diagnostics);
  }
  template <class Token>
  auto commit(std::optional<Offsets> offsets, Token&& token, Diagnostics* diagnostics) {
    return start<>(
        [core = core_, state = state_, offsets = std::move(offsets)](
            std::uint64_t op, Now now, Completion<Failure> done) mutable {
          core->commit(op, std::move(offsets), operation_deadline(*state, now), std::move(done));
        },
        std::forward<Token>(token), diagnostics);
  }
  template <class Token>
  auto find_offsets(std::vector<TimeQuery> queries, Token&& token, Diagnostics* diagnostics) {
    return start<OffsetsAndTimes>(
        [core = core_, state = state_, queries = std::move(queries)](
            std::uint64_t op, Now now, Completion<Failure, OffsetsAndTimes> done) {
          core->find_offsets(op, queries, operation_deadline(*state, now), std::move(done), now);
        },
        std::forward<Token>(token), diagnostics);
  }
  static std::vector<TimeQuery> queries_for(const std::vector<TopicPartition>& partitions,
                                            std::int64_t time_ms);
  static Now now_of(ClientState& state);
  static Time operation_deadline(ClientState& state, Now now);
  Failure set_paused(const TopicPartition& partition, bool paused);
  void let_go();

  std::shared_ptr<ClientState> state_;
  std::shared_ptr<ConsumerCore> core_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONSUMER_H_
