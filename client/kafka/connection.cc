#include "client/kafka/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "client/core/version.h"
#include "client/kafka/engine.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/api_versions.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/reader.h"

namespace tern::kafka {
namespace {

// Answers up to this size are served from one buffer per connection; more than the first read of a
// large answer would only be copied.
constexpr std::size_t kScratchBytes = 16 * 1024;
// A handshake answer is a few kilobytes; whoever announces more is no Kafka broker.
constexpr std::size_t kMaxHandshakeBytes = 1024 * 1024;
// Requests on the way per connection. A broker works on one at a time, so more would only wait
// there.
constexpr std::size_t kMaxPipelined = 16;
// KIP-1242's node check came with v5 and needs nothing else from a client; v4 is what brokers know.
constexpr std::int16_t kApiVersionsVersion = 4;
constexpr std::size_t kMaxSpare = 8;
constexpr std::size_t kMaxSpareBytes = 64 * 1024;

Duration since(Time from, Time to) { return to - from; }

// Who may have answered instead of a broker, by the four bytes where a frame's size should be.
std::string not_kafka(std::uint32_t size) {
  std::array<std::byte, sizeof(size)> first;  // as the peer sent them
  wire::store_be(first.data(), size);
  const auto begins = [&](std::string_view text) {
    return std::memcmp(first.data(), text.data(), text.size()) == 0;
  };
  if (begins("HTTP")) return "an HTTP server answered; this is not a Kafka broker's port";
  if (begins("\x15\x03") || begins("\x16\x03")) {
    return "the peer speaks TLS; this is a TLS listener, or not a Kafka broker's port";
  }
  if (begins("AMQP")) return "an AMQP server answered; this is not a Kafka broker's port";
  if (begins("SSH-")) return "an SSH server answered; this is not a Kafka broker's port";
  return "the answer to the handshake announces " + std::to_string(size) +
         " bytes; this is not a Kafka broker's port";
}

}  // namespace

std::int16_t BrokerVersions::pick(std::int16_t key, VersionRange wanted) const {
  const VersionRange offered = range(key);
  const std::int16_t best = std::min(wanted.max, offered.max);
  return best >= std::max(wanted.min, offered.min) ? best : std::int16_t{-1};
}

VersionRange BrokerVersions::range(std::int16_t key) const {
  if (key < 0 || key > kMaxKey) return {0, -1};
  const Entry& entry = entries_[static_cast<std::size_t>(key)];
  return {entry.min, entry.max};
}

void BrokerVersions::set(std::int16_t key, VersionRange range) {
  if (key >= 0 && key <= kMaxKey) entries_[static_cast<std::size_t>(key)] = {range.min, range.max};
}

Connection::Connection(Engine& engine, std::int32_t node_id, Endpoint endpoint, Role role)
    : engine_(engine),
      node_id_(node_id),
      endpoint_(std::move(endpoint)),
      role_(role),
      backoff_(engine.config().reconnect_backoff, engine.config().reconnect_backoff_max),
      versions_version_(kApiVersionsVersion),
      timer_(Timer::calling<&Connection::on_timer>(engine.timers(), this)) {}

Connection::~Connection() {
  engine_.forget(*this);
  for (const InFlight& flight : in_flight_) {
    if (flight.call) flight.call->on_abandoned();
  }
  for (const Writing& writing : writing_) {
    if (writing.call && !writing.has_response) writing.call->on_abandoned();
  }
  for (Call* call : queued_) call->on_abandoned();
  for (Call* call : doomed_) call->on_abandoned();
}

std::string Connection::name() const {
  const std::string who = node_id_ < 0 ? "bootstrap server" : "broker " + std::to_string(node_id_);
  return who + " (" + to_string(endpoint_) + ", " + to_string(role_) + ")";
}

void Connection::send(Call& call) {
  queued_.push_back(&call);
  mark();
}

void Connection::mark() {
  if (!std::exchange(dirty_, true)) engine_.mark_dirty(*this);
}

void Connection::work(Now now) {
  dirty_ = false;
  if (state_ == State::closed && !queued_.empty() && now.mono >= retry_at_) open(now);
  if (state_ == State::ready) dispatch(now);
  arm_timer();
}

void Connection::open(Now now) {
  state_ = State::opening;
  give_up_at_ = deadline_after(now.mono, engine_.config().connect_timeout);
  scratch_.resize(kScratchBytes);
  scratch_used_ = 0;
  frame_size_ = frame_read_ = 0;
  close_reason_ = {};
  closed_for_idleness_ = false;
  link_ = engine_.network().open(endpoint_, *this);
}

void Connection::close(const Failure& why, Now now) {
  doomed_.insert(doomed_.end(), queued_.begin(), queued_.end());
  queued_.clear();
  if (state_ == State::closed) {
    retry_at_ = now.mono;
    fail_all(why, now);
    return arm_timer();
  }
  if (state_ == State::closing) return;
  state_ = State::closing;
  close_reason_ = why;
  closed_for_idleness_ = !why;
  engine_.network().close(link_);
  arm_timer();
}

void Connection::set_endpoint(const Endpoint& endpoint, Now now) {
  if (endpoint == endpoint_) return;
  endpoint_ = endpoint;
  if (state_ == State::closed) {
    backoff_.reset();
    retry_at_ = now.mono;
    return;
  }
  moved_ = true;
  close(Failure(std::make_error_code(std::errc::connection_aborted),
                name() + ": the broker has moved to " + to_string(endpoint)),
        now);
}

void throttle(Connection& connection, std::int32_t throttle_time_ms, Now now) {
  connection.throttle(std::chrono::milliseconds(throttle_time_ms), now);
}

void Connection::throttle(Duration how_long, Now now) {
  if (how_long <= Duration::zero()) return;
  throttled_until_ = std::max(throttled_until_, deadline_after(now.mono, how_long));
  if (Observer* observer = engine_.observer()) {
    observer->on_throttled({node_id_, endpoint_, role_}, how_long);
  }
}

// ------------------------------------------------------------------------------- the handshake

void Connection::on_open(Now now) {
  if (state_ != State::opening) return;
  state_ = State::negotiating;
  negotiate(versions_version_, now);
}

void Connection::negotiate(std::int16_t version, Now now) {
  const ApiVersionsRequest request{.client_software_name = "tern",
                                   .client_software_version = kVersion};
  Writing writing{take_spare(), nullptr, true};
  const std::int32_t correlation = take_correlation();
  const Failure failure =
      encode_request(request, version, correlation, engine_.config().client_id, writing.request);
  if (failure) return close(failure, now);
  in_flight_.push_back({nullptr, &ApiVersionsRequest::api, correlation, version,
                        writing.request.total_bytes, Duration::zero(), now.mono, kNever});
  writing_.push_back(std::move(writing));
  engine_.network().want_write(link_);
}

void Connection::on_versions(const Response& response, Now now) {
  wire::Arena arena(wire::Arena::limit_for(response.body.size()));
  wire::Reader reader(response.body);
  ApiVersionsResponse reply;
  if (!decode_api_versions_response(reader, response.version, arena, reply)) {
    return violate(ClientErrc::not_the_protocol,
                   "the answer to the handshake makes no sense (" + reader.error().message() +
                       "); this is not a Kafka broker's port",
                   now);
  }
  const auto error = static_cast<BrokerErrc>(reply.error_code);
  versions_.clear();
  for (const auto& api : reply.api_keys)
    versions_.set(api.api_key, {api.min_version, api.max_version});
  if (error == BrokerErrc::unsupported_version && response.version > 0) {
    const VersionRange offered = versions_.range(ApiVersionsRequest::api.key);
    const bool lower = offered.max >= 0 && offered.max < response.version;
    return negotiate(lower ? offered.max : std::int16_t{0}, now);
  }
  if (error != BrokerErrc::none) {
    const std::error_code code = make_error_code(error);
    return close(Failure(code, name() + ": ApiVersions: " + code.message()), now);
  }
  become_ready(now);
}

void Connection::become_ready(Now now) {
  state_ = State::ready;
  give_up_at_ = kNever;
  last_used_ = now.mono;
  backoff_.reset();
  if (Observer* observer = engine_.observer()) observer->on_connected({node_id_, endpoint_, role_});
  mark();
}

// ------------------------------------------------------------------------------------- writing

void Connection::dispatch(Now now) {
  while (!queued_.empty() && in_flight_.size() < kMaxPipelined && now.mono >= throttled_until_) {
    Call& call = *queued_.front();
    queued_.pop_front();
    dispatch_one(call, now);
  }
}

void Connection::dispatch_one(Call& call, Now now) {
  const Api& api = call.api();
  const VersionRange wanted{call.min_version(), call.max_version()};
  const std::int16_t version = versions_.pick(api.key, wanted);
  if (version < 0) {
    const VersionRange offered = versions_.range(api.key);
    const std::string theirs = offered.max < 0 ? std::string("does not know it")
                                               : "speaks versions " + std::to_string(offered.min) +
                                                     " to " + std::to_string(offered.max);
    return call.on_failure(
        Failure(make_error_code(ClientErrc::unsupported_version),
                name() + ": " + api.name + ": the broker " + theirs + ", this request needs " +
                    std::to_string(wanted.min) + " to " + std::to_string(wanted.max)),
        false, now);
  }
  Writing writing{take_spare(), &call, call.has_response()};
  const std::int32_t correlation = take_correlation();
  const Failure failure =
      call.encode(version, correlation, engine_.config().client_id, writing.request);
  if (failure) {
    spare_.push_back(std::move(writing.request));
    return call.on_failure(failure, false, now);
  }
  const Duration asked = call.response_timeout();
  const Duration timeout = asked > Duration::zero() ? asked : engine_.config().request_timeout;
  if (call.has_response()) {
    in_flight_.push_back({&call, &api, correlation, version, writing.request.total_bytes, timeout,
                          now.mono, deadline_after(now.mono, timeout)});
  }
  if (writing_.empty()) write_by_ = deadline_after(now.mono, engine_.config().request_timeout);
  writing_.push_back(std::move(writing));
  last_used_ = now.mono;
  engine_.network().want_write(link_);
}

std::int32_t Connection::take_correlation() {
  const std::int32_t next = next_correlation_;
  next_correlation_ = next == std::numeric_limits<std::int32_t>::max() ? 0 : next + 1;
  return next;
}

void Connection::add_pieces(const Writing& writing, BufferList& out) const {
  const Outgoing& request = writing.request;
  std::size_t flat = writing.flat_done;
  std::size_t skip = writing.splice_bytes_done;
  for (std::size_t i = writing.splices_done; i < request.splices.size(); ++i) {
    const wire::Splice& splice = request.splices[i];
    if (!out.add(request.flat.data() + flat, splice.at - flat)) return;
    if (!out.add(splice.data.data() + skip, splice.data.size() - skip)) return;
    flat = splice.at;
    skip = 0;
  }
  out.add(request.flat.data() + flat, request.flat.size() - flat);
}

void Connection::gather(BufferList& out) {
  if (state_ == State::closing) return;
  for (const Writing& writing : writing_) {
    if (out.full()) return;
    add_pieces(writing, out);
  }
}

// Moves the write position by up to `n` bytes; returns what is left of `n`.
std::size_t Connection::advance(Writing& writing, std::size_t n) const {
  const Outgoing& request = writing.request;
  while (n > 0) {
    const bool more = writing.splices_done < request.splices.size();
    const std::size_t flat_end =
        more ? request.splices[writing.splices_done].at : request.flat.size();
    const std::size_t flat_step = std::min(n, flat_end - writing.flat_done);
    writing.flat_done += flat_step;
    n -= flat_step;
    if (!more) return n;
    if (writing.flat_done < flat_end) return 0;
    const wire::Bytes& data = request.splices[writing.splices_done].data;
    const std::size_t step = std::min(n, data.size() - writing.splice_bytes_done);
    writing.splice_bytes_done += step;
    n -= step;
    if (writing.splice_bytes_done < data.size()) return 0;
    writing.splice_bytes_done = 0;
    ++writing.splices_done;
  }
  return 0;
}

void Connection::on_written(std::size_t n, Now now) {
  write_by_ = deadline_after(now.mono, engine_.config().request_timeout);
  while (!writing_.empty()) {
    Writing& writing = writing_.front();
    writing.started = true;
    n = advance(writing, n);
    const bool done = writing.splices_done == writing.request.splices.size() &&
                      writing.flat_done == writing.request.flat.size();
    if (!done) break;
    finish_writing(now);
    if (n == 0) break;
  }
  arm_timer();
}

void Connection::finish_writing(Now now) {
  Writing done = std::move(writing_.front());
  writing_.pop_front();
  if (done.request.capacity_bytes() <= kMaxSpareBytes && spare_.size() < kMaxSpare) {
    spare_.push_back(std::move(done.request));
  }
  if (!done.call) return;
  if (done.has_response) {
    for (InFlight& flight : in_flight_) {
      if (flight.call == done.call) flight.deadline = deadline_after(now.mono, flight.timeout);
    }
  }
  done.call->on_sent(now);
}

Outgoing Connection::take_spare() {
  if (spare_.empty()) return {};
  Outgoing spare = std::move(spare_.back());
  spare_.pop_back();
  return spare;
}

// ------------------------------------------------------------------------------------- reading

std::span<std::byte> Connection::read_space() {
  if (frame_size_ != 0) {
    const std::size_t end = std::min(frame_.capacity(), frame_size_);
    return frame_.space().subspan(frame_read_, end - frame_read_);
  }
  return std::span(scratch_).subspan(scratch_used_);
}

void Connection::on_read(std::size_t n, Now now) {
  if (state_ == State::closing || state_ == State::closed) return;
  if (frame_size_ == 0) {
    scratch_used_ += n;
    read_scratch(now);
  } else {
    frame_read_ += n;
    if (frame_read_ == frame_size_) {
      const FrameRef frame = std::exchange(frame_, {});
      const std::size_t size = std::exchange(frame_size_, 0);
      frame_read_ = 0;
      on_frame(frame.space().first(size), frame, now);
    } else if (frame_read_ == frame_.capacity()) {
      grow_frame();
    }
  }
  if (state_ == State::ready && !queued_.empty()) mark();
}

void Connection::read_scratch(Now now) {
  std::size_t at = 0;
  while (scratch_used_ - at >= 4 && state_ != State::closing) {
    const std::span<const std::byte> have = std::span(scratch_).first(scratch_used_).subspan(at);
    const std::uint32_t size = wire::load_be<std::uint32_t>(have.data());
    const std::size_t limit =
        state_ == State::negotiating ? kMaxHandshakeBytes : engine_.config().max_response_bytes;
    if (size < 4 || size > limit) {
      if (state_ == State::negotiating) {
        return violate(ClientErrc::not_the_protocol, not_kafka(size), now);
      }
      return violate(size < 4 ? ClientErrc::protocol_violation : ClientErrc::frame_too_large,
                     "an answer of " + std::to_string(size) + " bytes was announced; at most " +
                         std::to_string(limit) + " are accepted (max_response_bytes)",
                     now);
    }
    if (have.size() >= 4 + std::size_t{size}) {
      at += 4 + std::size_t{size};
      on_frame(have.subspan(4, size), {}, now);
    } else if (begin_frame(size, have.subspan(4))) {
      at = scratch_used_;
    } else {
      break;
    }
  }
  std::memmove(scratch_.data(), scratch_.data() + at, scratch_used_ - at);
  scratch_used_ -= at;
}

// Goes over to reading into a frame, unless the answer fits in scratch_ and nobody keeps it.
bool Connection::begin_frame(std::uint32_t size, std::span<const std::byte> have) {
  Call* call = in_flight_.empty() ? nullptr : in_flight_.front().call;
  FramePool* pool = call ? call->frame_pool() : nullptr;
  if (!pool && 4 + std::size_t{size} <= scratch_.size()) return false;
  // What was asked for may be allocated at once; beyond that memory follows the bytes that come.
  const std::size_t at_once = call ? call->expected_response_bytes() : kScratchBytes;
  const std::size_t first = std::min<std::size_t>(size, std::max(at_once, 2 * have.size()));
  frame_ = (pool ? *pool : engine_.response_pool()).acquire(first);
  frame_size_ = size;
  frame_read_ = have.size();
  std::memcpy(frame_.data(), have.data(), have.size());
  return true;
}

void Connection::grow_frame() {
  Call* call = in_flight_.empty() ? nullptr : in_flight_.front().call;
  FramePool* pool = call ? call->frame_pool() : nullptr;
  const std::size_t want = std::min(frame_size_, 2 * frame_.capacity());
  FrameRef larger = (pool ? *pool : engine_.response_pool()).acquire(want);
  std::memcpy(larger.data(), frame_.data(), frame_read_);
  frame_ = std::move(larger);
}

void Connection::on_frame(std::span<const std::byte> bytes, FrameRef frame, Now now) {
  wire::Reader reader(bytes);
  const std::int32_t correlation = reader.i32("correlation_id");
  if (in_flight_.empty() || in_flight_.front().correlation_id != correlation) {
    const std::string expected =
        in_flight_.empty() ? "none was awaited"
                           : std::to_string(in_flight_.front().correlation_id) + " was awaited";
    return violate(
        state_ == State::negotiating ? ClientErrc::not_the_protocol
                                     : ClientErrc::protocol_violation,
        "an answer with correlation id " + std::to_string(correlation) + " came, " + expected, now);
  }
  const auto unwritten = std::count_if(writing_.begin(), writing_.end(),
                                       [](const Writing& writing) { return writing.has_response; });
  if (in_flight_.size() <= static_cast<std::size_t>(unwritten)) {
    // Ending the call now would free bytes that the network still reads.
    return violate(ClientErrc::protocol_violation, "a request was answered before it was sent",
                   now);
  }
  const InFlight flight = in_flight_.front();
  if (!skip_response_header_tags(reader, flight.api->key, flight.version)) {
    return violate(ClientErrc::protocol_violation, "response header: " + reader.error().message(),
                   now);
  }
  in_flight_.pop_front();
  last_used_ = now.mono;
  FramePool* pool = flight.call ? flight.call->frame_pool() : nullptr;
  std::span<const std::byte> body = bytes.subspan(reader.position());
  if (pool && !frame) {
    frame = pool->acquire(body.size());
    std::memcpy(frame.data(), body.data(), body.size());
    body = frame.space().first(body.size());
  }
  Response response{*this, flight.version, body, std::move(frame)};
  if (Observer* observer = engine_.observer()) {
    observer->on_response({{node_id_, endpoint_, role_},
                           flight.api->name,
                           flight.version,
                           flight.request_bytes,
                           bytes.size() + 4,
                           since(flight.sent, now.mono)});
  }
  if (flight.call) {
    flight.call->on_response(response, now);
  } else {
    on_versions(response, now);
  }
}

// ------------------------------------------------------------------------------------- endings

void Connection::violate(ClientErrc code, const std::string& what, Now now) {
  close(Failure(make_error_code(code), name() + ": " + what), now);
}

void Connection::on_closed(Stage stage, std::error_code why, Now now) {
  const bool was_ready = state_ == State::ready;
  const bool handshake = state_ == State::negotiating;
  const bool ours = state_ == State::closing;
  const bool in_use = load() > 0 || !doomed_.empty();
  Failure failure = close_reason_;
  if (!ours) {
    std::string text = name() + ": " + to_string(stage) + ": " + why.message();
    const std::string_view more = engine_.network().why_closed();
    if (!more.empty()) text.append(": ").append(more);
    if (handshake) {
      text += "; the connection was made but ended in the handshake: is this a Kafka broker's ";
      text += engine_.config().stream ? "port?" : "plaintext port?";
      // Some services reset the connection instead of saying that they do not know the version.
      if (backoff_.failures() >= 1 && versions_version_ > 0) --versions_version_;
    }
    failure = Failure(why, std::move(text));
  }
  if (closed_for_idleness_) failure = Failure();
  state_ = State::closed;
  link_ = {};
  give_up_at_ = kNever;
  retry_at_ = now.mono;
  // A broker that closes a connection nobody uses has done nothing wrong.
  if (std::exchange(moved_, false)) {
    backoff_.reset();  // what failed at the old address says nothing of the new one
  } else if (!closed_for_idleness_ && (!was_ready || in_use)) {
    retry_at_ = deadline_after(now.mono, backoff_.next(engine_.random()));
  }
  frame_ = {};
  frame_size_ = frame_read_ = scratch_used_ = 0;
  scratch_ = {};
  if (Observer* observer = engine_.observer()) {
    observer->on_disconnected({node_id_, endpoint_, role_}, stage, failure);
  }
  if (!ours) {
    doomed_.insert(doomed_.end(), queued_.begin(), queued_.end());
    queued_.clear();
  }
  fail_all(failure ? failure : Failure(make_error_code(ClientErrc::closed)), now);
  if (!queued_.empty()) mark();
  // That of the attempt goes: with the client closed it would still keep an executor from ending.
  arm_timer();
}

void Connection::fail_all(const Failure& why, Now now) {
  const std::deque<InFlight> in_flight = std::exchange(in_flight_, {});
  const std::deque<Writing> writing = std::exchange(writing_, {});
  const std::deque<Call*> doomed = std::exchange(doomed_, {});
  const auto untouched = [&writing](const Call* call) {
    return std::any_of(writing.begin(), writing.end(),
                       [call](const Writing& w) { return w.call == call && !w.started; });
  };
  for (const InFlight& flight : in_flight) {
    if (flight.call) flight.call->on_failure(why, !untouched(flight.call), now);
  }
  for (const Writing& w : writing) {
    if (w.call && !w.has_response) w.call->on_failure(why, w.started, now);
  }
  for (Call* call : doomed) call->on_failure(why, false, now);
  engine_.wake();
}

void Connection::on_timer(Now now) {
  switch (state_) {
    case State::closed:
      break;
    case State::closing:
      return;
    case State::opening:
    case State::negotiating:
      if (now.mono >= give_up_at_) {
        const char* what =
            state_ == State::opening ? "no connection" : "no answer to the handshake";
        close(Failure(make_error_code(ClientErrc::timed_out),
                      name() + ": " + what + " within connect_timeout"),
              now);
      }
      break;
    case State::ready: {
      for (const InFlight& flight : in_flight_) {
        if (now.mono < flight.deadline) continue;
        return close(Failure(make_error_code(ClientErrc::timed_out),
                             name() + ": no answer to " + flight.api->name + " within the timeout"),
                     now);
      }
      // A request without an answer has no other deadline.
      if (!writing_.empty() && now.mono >= write_by_) {
        return close(Failure(make_error_code(ClientErrc::timed_out),
                             name() + ": nothing could be written within request_timeout"),
                     now);
      }
      if (idle() && now.mono - last_used_ >= engine_.config().connections_max_idle) {
        return close(Failure(), now);
      }
      break;
    }
  }
  if (!queued_.empty()) mark();
  arm_timer();
}

// A timer that is set already and fires early does no harm: it is set anew then. What may go
// already needs no timer (the connection is marked): setting one into the past would fire it
// without end.
void Connection::arm_timer() {
  Time next = kNever;
  const Time now = engine_.now().mono;
  switch (state_) {
    case State::closed:
      if (!queued_.empty() && retry_at_ > now) next = retry_at_;
      break;
    case State::opening:
    case State::negotiating:
      next = give_up_at_;
      break;
    case State::ready:
      for (const InFlight& flight : in_flight_) next = std::min(next, flight.deadline);
      if (!queued_.empty() && in_flight_.size() < kMaxPipelined && throttled_until_ > now) {
        next = std::min(next, throttled_until_);
      }
      if (!writing_.empty()) next = std::min(next, write_by_);
      if (idle()) next = deadline_after(last_used_, engine_.config().connections_max_idle);
      break;
    case State::closing:
      break;
  }
  if (next == kNever) return timer_.cancel();
  if (timer_.when() > next) timer_.set(next);
}

}  // namespace tern::kafka
