// Observer: sees what the client does, to make logs, counters and histograms from.
//
// All functions are called on the client's executor, from inside the engine: they must be quick,
// must not throw and must not call the client. Views are valid during the call only. Each does
// nothing by default, so override what you need.
#ifndef TERN_CLIENT_KAFKA_OBSERVER_H_
#define TERN_CLIENT_KAFKA_OBSERVER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "client/core/error.h"
#include "client/core/ports.h"
#include "client/core/time.h"

namespace tern::kafka {

// What a connection is for; a broker has at most one of each.
enum class Role { produce, fetch, coordinator, control };
const char* to_string(Role role);

class Observer {
 public:
  struct Connection {
    std::int32_t node_id;  // negative for a bootstrap server whose id is not known yet
    const Endpoint& endpoint;
    Role role;
  };
  struct Request {
    Connection connection;
    const char* api;  // "Produce", "Fetch", ...
    std::int16_t version;
    std::size_t request_bytes;
    std::size_t response_bytes;
    Duration latency;  // from handed to the network to answered; as coarse as the driver's clock
  };
  struct Batch {
    std::string_view topic;
    std::int32_t partition;
    std::size_t records;
    std::size_t bytes;  // as sent
    std::size_t uncompressed_bytes;
    int attempts;
  };

  struct Rebalance {
    std::string_view group;
    std::string_view member_id;
    std::int32_t generation;
    std::size_t partitions;  // of this member, from now on
    std::size_t added;
    std::size_t taken;
  };

  virtual ~Observer() = default;
  virtual void on_connected(const Connection&) {}
  // Also for connections that were never made. The failure is empty when this side closed an idle
  // one.
  virtual void on_disconnected(const Connection&, Stage, const Failure&) {}
  virtual void on_response(const Request&) {}
  virtual void on_throttled(const Connection&, Duration) {}
  virtual void on_batch_delivered(const Batch&) {}
  virtual void on_batch_retried(const Batch&, const Failure&) {}
  virtual void on_batch_failed(const Batch&, const Failure&) {}
  // A member of a group has been told what is its own.
  virtual void on_rebalance(const Rebalance&) {}
  // Something went wrong, named by the text, that the client deals with by itself.
  virtual void on_trouble(std::string_view, const Failure&) {}
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_OBSERVER_H_
