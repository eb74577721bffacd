// Call: one request on its way through a Connection, and what is done with its answer.
//
// A Call is owned by whoever sends it and lives until exactly one of on_response(), on_failure()
// or, for requests without an answer, on_sent() has been called; it may delete itself there. None
// of these is ever called from inside Connection::send(). Everything on the engine's executor.
#ifndef TERN_CLIENT_KAFKA_CALL_H_
#define TERN_CLIENT_KAFKA_CALL_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/core/error.h"
#include "client/core/frame.h"
#include "client/core/time.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/codec.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/writer.h"

namespace tern::kafka {

class Connection;

// Bytes that are written before they are read: not cleared, as a vector's would be.
class FlatBytes {
 public:
  // What was in it is lost.
  void resize(std::size_t size) {
    if (size > capacity_) {
      data_ = std::make_unique_for_overwrite<std::byte[]>(size);
      capacity_ = size;
    }
    size_ = size;
  }
  const std::byte* data() const { return data_.get(); }
  std::span<std::byte> span() { return {data_.get(), size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

// As requests have times.
inline std::int32_t to_ms(Duration duration) {
  return static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// For what a request points to. Empty if the arena's limit stands against it.
template <class T>
wire::Array<T> copy_to(wire::Arena& arena, const std::vector<T>& items) {
  T* out = arena.make_array<T>(items.size());
  if (out == nullptr) return {};
  std::copy(items.begin(), items.end(), out);
  return {out, items.size()};
}

// One encoded request: the size prefix, the header and the body, large fields by reference.
struct Outgoing {
  FlatBytes flat;
  std::vector<wire::Splice> splices;
  std::size_t total_bytes = 0;  // size prefix included

  std::size_t capacity_bytes() const {
    return flat.capacity() + splices.capacity() * sizeof(wire::Splice);
  }
};

// An answer. The body starts behind the response header.
struct Response {
  Connection& connection;
  std::int16_t version;
  std::span<const std::byte> body;
  FrameRef frame;  // holds `body`; empty when the body is only valid during the call
};

class Call {
 public:
  virtual ~Call() = default;

  virtual const Api& api() const = 0;
  // The versions this call can be sent in; asked when the connection is ready. A broker that speaks
  // none of them is an error that names both sides (unsupported_version).
  virtual std::int16_t min_version() const { return api().versions.min; }
  virtual std::int16_t max_version() const { return api().negotiable().max; }
  // Writes the request; a failure here reaches on_failure() with `maybe_sent` false.
  virtual Failure encode(std::int16_t version, std::int32_t correlation_id,
                         const std::string& client_id, Outgoing& out) = 0;
  virtual bool has_response() const { return true; }
  // The largest answer that was asked for: so much may be allocated at once.
  virtual std::size_t expected_response_bytes() const { return 64 * 1024; }
  // Where the frame for the answer comes from if its memory is to outlive on_response(); null: the
  // answer is valid during the call only.
  virtual FramePool* frame_pool() { return nullptr; }
  // How long to wait for the answer once it is written; zero: the config's request_timeout.
  virtual Duration response_timeout() const { return Duration::zero(); }

  // All of the request has been handed to the network. The end for a call without a response.
  virtual void on_sent(Now) {}
  virtual void on_response(const Response& response, Now now) = 0;
  // `maybe_sent`: at least one byte of it had been handed to the network.
  virtual void on_failure(const Failure& why, bool maybe_sent, Now now) = 0;
  // The engine is going away with this call unanswered; nothing more will be called.
  virtual void on_abandoned() {}
};

// Encodes `message` with its header and size prefix. Records fields below `min_splice` are copied.
template <class Request>
Failure encode_request(const Request& message, std::int16_t version, std::int32_t correlation_id,
                       const std::string& client_id, Outgoing& out,
                       std::size_t min_splice = wire::kMinSpliceBytes) {
  const char* field = "";
  const auto size = encoded_size(message, version, &field, min_splice);
  if (!size) {
    return Failure(size.error(), std::string(Request::api.name) + " request v" +
                                     std::to_string(version) + ", " + field + ": " +
                                     size.error().message());
  }
  const RequestHeader header{Request::api.key, version, correlation_id, wire::Text(client_id)};
  const std::size_t header_bytes = request_header_size(header);
  const std::size_t frame_bytes = header_bytes + size->total;
  if (frame_bytes > 0x7fffffff) {
    return Failure(make_error_code(ClientErrc::frame_too_large), "the request is above 2 GiB");
  }
  out.flat.resize(4 + frame_bytes - size->spliced);
  out.splices.resize(size->splices);
  out.total_bytes = 4 + frame_bytes;
  wire::Writer writer(out.flat.span(), out.splices, min_splice);
  writer.i32(static_cast<std::int32_t>(frame_bytes));
  encode_request_header(header, writer);
  encode(message, version, writer);
  return {};
}

// Decodes the body of a response; on failure says which field at which byte.
template <class Message>
Failure decode_response(const Response& response, wire::Arena& arena, Message& out) {
  wire::Reader reader(response.body);
  if (decode(reader, response.version, arena, out)) return {};
  return Failure(make_error_code(ClientErrc::protocol_violation),
                 std::string(Message::api.name) + " response v" + std::to_string(response.version) +
                     ", " + reader.error().message());
}

// The broker wants to be left alone for so long (KIP-219).
void throttle(Connection& connection, std::int32_t throttle_time_ms, Now now);

// A call for requests that are not on the data path: two functions, and it deletes itself. What its
// answer says about throttling is heeded.
template <class Request>
class SimpleCall final : public Call {
 public:
  using Reply = typename Request::Response;
  // Makes the message; what it points to must live in `arena` or outlive the encode.
  using Make = std::function<Request(std::int16_t version, wire::Arena& arena)>;
  // `reply` is null on failure; it and its views are valid during the call only.
  using Done =
      std::function<void(const Failure& why, const Reply* reply, std::int16_t version, Now now)>;

  // Send it with Connection::send(*new SimpleCall(...)).
  SimpleCall(Make make, Done done) : make_(std::move(make)), done_(std::move(done)) {}

  const Api& api() const override { return Request::api; }
  std::int16_t min_version() const override { return std::max(min_version_, api().versions.min); }
  std::int16_t max_version() const override {
    return std::min(max_version_, api().negotiable().max);
  }
  void require_version(std::int16_t version) { min_version_ = version; }
  void limit_version(std::int16_t version) { max_version_ = version; }
  Duration response_timeout() const override { return response_timeout_; }
  void set_response_timeout(Duration timeout) { response_timeout_ = timeout; }

  Failure encode(std::int16_t version, std::int32_t correlation_id, const std::string& client_id,
                 Outgoing& out) override {
    wire::Arena arena(kArenaLimit);
    return encode_request(make_(version, arena), version, correlation_id, client_id, out);
  }
  void on_response(const Response& response, Now now) override {
    wire::Arena arena(wire::Arena::limit_for(response.body.size()));
    Reply reply;
    const Failure failure = decode_response(response, arena, reply);
    if constexpr (requires { reply.throttle_time_ms; }) {
      if (!failure) throttle(response.connection, reply.throttle_time_ms, now);
    }
    done_(failure, failure ? nullptr : &reply, response.version, now);
    delete this;
  }
  void on_failure(const Failure& why, bool, Now now) override {
    done_(why, nullptr, 0, now);
    delete this;
  }
  void on_abandoned() override { delete this; }

 private:
  static constexpr std::size_t kArenaLimit = 64 * 1024 * 1024;
  Make make_;
  Done done_;
  std::int16_t min_version_ = 0;
  std::int16_t max_version_ = std::numeric_limits<std::int16_t>::max();
  Duration response_timeout_ = Duration::zero();
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CALL_H_
