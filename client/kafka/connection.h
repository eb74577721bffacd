// Connection: one TCP connection to one broker for one role, from before it is opened until the
// engine ends. Opens when something is to be sent, agrees on versions (ApiVersions), pipelines
// requests, hands each answer to its Call, and comes back after a backoff when it breaks.
//
// When the link breaks, everything in flight on it and everything queued fails with the same
// Failure; the senders decide what is tried again. A call sent during the backoff waits for it.
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_KAFKA_CONNECTION_H_
#define TERN_CLIENT_KAFKA_CONNECTION_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/frame.h"
#include "client/core/ports.h"
#include "client/core/timers.h"
#include "client/kafka/call.h"
#include "client/kafka/observer.h"

namespace tern::kafka {

class Engine;

// What the broker at the other end can do, once it has said so.
class BrokerVersions {
 public:
  static constexpr std::int16_t kMaxKey = 127;
  // The highest version of an API that both sides speak, or -1.
  std::int16_t pick(std::int16_t key, VersionRange wanted) const;
  bool has(std::int16_t key) const { return range(key).max >= 0; }
  VersionRange range(std::int16_t key) const;
  void set(std::int16_t key, VersionRange range);
  void clear() { *this = BrokerVersions(); }

 private:
  struct Entry {
    std::int16_t min = 0;
    std::int16_t max = -1;
  };
  std::array<Entry, kMaxKey + 1> entries_{};
};

class Connection final : public Link {
 public:
  Connection(Engine& engine, std::int32_t node_id, Endpoint endpoint, Role role);
  ~Connection();

  // Queues the call; the connection is opened if need be, and the call encoded, in this step or the
  // next.
  void send(Call& call);
  // Called by the engine in its step after send(), or when something else is to be done here.
  void work(Now now);

  // Closes: calls in flight and queued fail with `why` as soon as the network has let go of their
  // bytes. Later calls open it anew. Empty `why`: closed for being idle.
  void close(const Failure& why, Now now);
  // The broker has moved; takes effect now if idle, by closing if the address in use is another.
  void set_endpoint(const Endpoint& endpoint, Now now);
  // From now on nothing is sent before `until` (KIP-219).
  void throttle(Duration how_long, Now now);

  bool is_ready() const { return state_ == State::ready; }
  // Neither connected nor trying, and the last try failed.
  bool is_down() const { return state_ == State::closed && backoff_.failures() > 0; }
  // Calls queued or awaiting an answer.
  std::size_t load() const { return queued_.size() + in_flight_.size(); }
  bool idle() const { return load() == 0 && writing_.empty(); }
  std::int32_t node_id() const { return node_id_; }
  const Endpoint& endpoint() const { return endpoint_; }
  Role role() const { return role_; }
  // Valid while ready; empty before.
  const BrokerVersions& versions() const { return versions_; }
  // "broker 1 (127.0.0.1:9092, produce)"
  std::string name() const;

  // Link
  std::span<std::byte> read_space() override;
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now now) override;
  void on_closed(Stage stage, std::error_code why, Now now) override;

 private:
  enum class State { closed, opening, negotiating, ready, closing };
  struct InFlight {
    Call* call;  // null for the connection's own ApiVersions
    const Api* api;
    std::int32_t correlation_id;
    std::int16_t version;
    std::size_t request_bytes;
    Duration timeout;
    Time sent;
    Time deadline;
  };
  // A request being written, and how far it has come: flat bytes, then pieces by reference in
  // between.
  struct Writing {
    Outgoing request;
    Call* call;  // null for the connection's own
    bool has_response;
    bool started = false;
    std::size_t flat_done = 0;
    std::size_t splices_done = 0;
    std::size_t splice_bytes_done = 0;
  };

  void mark();
  void open(Now now);
  void negotiate(std::int16_t version, Now now);
  void on_versions(const Response& response, Now now);
  void become_ready(Now now);
  void dispatch(Now now);
  void dispatch_one(Call& call, Now now);
  void add_pieces(const Writing& writing, BufferList& out) const;
  std::size_t advance(Writing& writing, std::size_t n) const;
  void finish_writing(Now now);
  void read_scratch(Now now);
  bool begin_frame(std::uint32_t size, std::span<const std::byte> have);
  void grow_frame();
  void on_frame(std::span<const std::byte> bytes, FrameRef frame, Now now);
  void violate(ClientErrc code, const std::string& what, Now now);
  void fail_all(const Failure& why, Now now);
  void on_timer(Now now);
  void arm_timer();
  Outgoing take_spare();
  std::int32_t take_correlation();

  Engine& engine_;
  const std::int32_t node_id_;
  Endpoint endpoint_;
  const Role role_;
  State state_ = State::closed;
  bool dirty_ = false;
  LinkId link_;
  Backoff backoff_;
  Time give_up_at_ = kNever;  // connect and handshake have to be done by then
  Time retry_at_{};           // not opened again before
  Time throttled_until_{};
  Time last_used_{};
  Failure close_reason_;
  bool closed_for_idleness_ = false;
  bool moved_ = false;  // closed to go to another address
  BrokerVersions versions_;
  std::int16_t versions_version_;  // of ApiVersions, to be tried
  std::int32_t next_correlation_ = 0;
  std::deque<Call*> queued_;
  std::deque<Call*> doomed_;  // were queued when close() was called
  std::deque<InFlight> in_flight_;
  Time write_by_{};  // while there is something in `writing_`: when some of it must have gone out
  std::deque<Writing> writing_;
  std::vector<Outgoing> spare_;
  // Reading: small answers are served from scratch_, large ones are read straight into a frame.
  std::vector<std::byte> scratch_;
  std::size_t scratch_used_ = 0;
  FrameRef frame_;
  std::size_t frame_size_ = 0;  // of the answer being read into frame_; 0: reading into scratch_
  std::size_t frame_read_ = 0;
  Timer timer_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CONNECTION_H_
