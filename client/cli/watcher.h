// What `tern kafka` tells on standard error of what its client does: -v, -d and, without either,
// brokers that are tried again.
#ifndef TERN_CLIENT_CLI_WATCHER_H_
#define TERN_CLIENT_CLI_WATCHER_H_

#include <atomic>
#include <string>
#include <string_view>

#include "client/kafka/observer.h"

namespace tern::cli {

// Kinds of what can be told, to be put together with |.
using Subjects = unsigned;
inline constexpr Subjects kTellRetries =
    1u << 0;  // brokers that cannot be reached, each once in a row
inline constexpr Subjects kTellConnections = 1u << 1;
inline constexpr Subjects kTellBatches = 1u << 2;
inline constexpr Subjects kTellRebalances = 1u << 3;
inline constexpr Subjects kTellTrouble = 1u << 4;
inline constexpr Subjects kTellRequests = 1u << 5;  // all of them; the others are some
inline constexpr Subjects kTellMetadata = 1u << 6;
inline constexpr Subjects kTellFetches = 1u << 7;
inline constexpr Subjects kTellGroups = 1u << 8;
inline constexpr Subjects kTellAdmin = 1u << 9;
inline constexpr Subjects kTellVersions = 1u << 10;
inline constexpr Subjects kTellProducerIds = 1u << 11;

// "broker,protocol", by librdkafka's names (-d). `unknown`: those that it has and there is nothing
// to tell of, "queue, conf"; empty: none. Throws UsageError for what is no name.
Subjects subjects_of(std::string_view contexts, std::string& unknown);
// 0: -q, 1: neither -q nor -v, 2: -v, ...
Subjects subjects_of(int verbosity);

// Handlers run on the client's thread.
class Watcher final : public kafka::Observer {
 public:
  explicit Watcher(Subjects subjects) : subjects_(subjects) {}

  void on_connected(const Connection& connection) override;
  void on_disconnected(const Connection& connection, Stage stage, const Failure& failure) override;
  void on_response(const Request& request) override;
  void on_throttled(const Connection& connection, Duration time) override;
  void on_batch_delivered(const Batch& batch) override;
  void on_batch_retried(const Batch& batch, const Failure& failure) override;
  void on_batch_failed(const Batch& batch, const Failure& failure) override;
  void on_rebalance(const Rebalance& rebalance) override;
  void on_trouble(std::string_view what, const Failure& failure) override;

  // What the user can do about the last attempt to connect, to be appended to a sentence; null: it
  // succeeded, or there is nothing special to say. Any thread.
  const char* advice() const { return advice_; }

  // What the coordinator called the member of a group that is here, at its last rebalance.
  const std::string& member_id() const { return member_id_; }

 private:
  bool tells(Subjects subjects) const { return (subjects_ & subjects) != 0; }

  const Subjects subjects_;
  std::atomic<const char*> advice_ = nullptr;
  bool connected_ = false;  // it was, once
  std::string last_;        // of what is told once in a row
  std::string member_id_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_WATCHER_H_
