#include "tests/broker/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "protocol/wire/endian.h"
#include "protocol/wire/reader.h"
#include "tests/broker/broker.h"
#include "tests/broker/dispatch.h"

namespace tern::broker {

namespace {

constexpr std::size_t kLengthPrefix = 4;
constexpr std::size_t kReadBytes = 64U << 10;
// A frame from this size on gets a block of its own, which a log may keep.
constexpr std::size_t kDedicatedBytes = 32U << 10;
// Above this many unwritten bytes the next request has to wait for the peer to read.
constexpr std::size_t kMaxUnwritten = 8U << 20;

}  // namespace

Session::Session(KafkaBroker& broker, LinkId id, std::string peer_host) : broker_(broker), id_(id) {
  request_.peer_host = std::move(peer_host);
  request_.broker = &broker;
  request_.cluster = &broker.cluster();
}

// ----------------------------------------------------------------------------------------- reading

std::span<std::byte> Session::read_space() {
  if (!in_) {
    in_ = broker_.cluster().pool().acquire(kReadBytes);
    begin_ = end_ = 0;
    dedicated_ = false;
  }
  if (end_ == in_.capacity()) {
    // What the request at hand points into must not move: the rest goes on in another block.
    const std::size_t rest = end_ - begin_;
    const FrameRef old =
        std::exchange(in_, broker_.cluster().pool().acquire(std::max(kReadBytes, 2 * rest)));
    std::memcpy(in_.data(), old.data() + begin_, rest);
    begin_ = 0;
    end_ = rest;
    dedicated_ = false;
  }
  return in_.space().subspan(end_, (dedicated_ ? frame_end_ : in_.capacity()) - end_);
}

void Session::on_read(std::size_t n, Now now) {
  end_ += n;
  if (state_ == State::closing) {
    begin_ = end_ = 0;
    return;
  }
  pump(now);
}

// The next complete frame, without its length. Gives a large one that has begun a block of its own.
bool Session::next_frame(std::span<const std::byte>& frame) {
  const std::size_t have = end_ - begin_;
  if (!in_ || have < kLengthPrefix) return false;
  const auto size = wire::load_be<std::uint32_t>(in_.data() + begin_);
  if (size > broker_.cluster().config().max_frame_bytes) {
    close_when_written();
    return false;
  }
  const std::size_t whole = kLengthPrefix + size;
  if (have >= whole) {
    frame = std::span<const std::byte>(in_.data() + begin_ + kLengthPrefix, size);
    begin_ += whole;
    return true;
  }
  if (!dedicated_ && whole >= kDedicatedBytes) {
    const FrameRef old = std::exchange(in_, broker_.cluster().pool().acquire(whole));
    std::memcpy(in_.data(), old.data() + begin_, have);
    begin_ = 0;
    end_ = have;
    frame_end_ = whole;
    dedicated_ = true;
  }
  return false;
}

void Session::pump(Now now) {
  std::span<const std::byte> frame;
  while (state_ == State::idle && out_bytes_ < kMaxUnwritten && next_frame(frame)) {
    begin(frame, now);
  }
  if (begin_ == end_ && in_ && !dedicated_ && state_ == State::idle) begin_ = end_ = 0;
  set_reading();
}

void Session::set_reading() {
  const bool pause = state_ != State::idle || out_bytes_ >= kMaxUnwritten;
  if (closed_ || state_ == State::closing || pause == paused_) return;
  paused_ = pause;
  broker_.network().pause_read(id_, pause);
}

// ---------------------------------------------------------------------------------------- requests

void Session::begin(std::span<const std::byte> frame, Now now) {
  wire::Reader reader(frame);
  Request& request = request_;
  if (!kafka::decode_request_header(reader, request.header)) return close_when_written();
  request.frame = in_;
  request.owns_frame = std::exchange(dedicated_, false);
  if (request.owns_frame) in_ = FrameRef();
  if (!in_) begin_ = end_ = 0;
  request.body = frame.subspan(reader.position());
  request.now = now;
  request.message = nullptr;
  request.deadline = kNever;
  const std::size_t limit = wire::Arena::limit_for(frame.size());
  request.arena.reset();
  request.arena.set_limit(std::min(limit, broker_.cluster().config().max_decode_bytes));

  RequestInfo info;
  info.node = broker_.id();
  info.api_key = request.header.api_key;
  info.api_version = request.header.api_version;
  info.correlation_id = request.header.correlation_id;
  info.client_id = request.header.client_id.view();
  info.bytes = frame.size();
  broker_.cluster().note_request(info);
  request.faults = broker_.cluster().match_injections(info);

  Duration delay{};
  for (const auto& armed : request.faults) {
    if (armed->injection.close_before_apply) return close_when_written();
    delay = std::max(delay, armed->injection.delay);
  }
  if (delay > Duration::zero()) {
    state_ = State::delayed;
    due_ = deadline_after(now.mono, delay);
    return;
  }
  run(now);
}

void Session::run(Now now) {
  state_ = State::idle;
  request_.now = now;
  const Outcome outcome = dispatch(request_);
  if (outcome == Outcome::wait) {
    state_ = State::waiting;
    due_ = request_.deadline;
    return;
  }
  due_ = kNever;
  finish(outcome, now);
}

void Session::finish(Outcome outcome, Now now) {
  Duration delay{};
  for (const auto& armed : request_.faults) {
    const auto& struck = request_.struck;
    if (armed->looks_at_topics() &&
        std::find(struck.begin(), struck.end(), armed.get()) == struck.end()) {
      continue;
    }
    const Injection& injection = armed->injection;
    if (injection.close_after_apply) outcome = Outcome::close;
    if (injection.no_answer && outcome != Outcome::close) {
      state_ = State::blocked;
    }
    if (!injection.raw_answer.empty() && outcome == Outcome::answer) {
      const FrameRef frame = broker_.cluster().pool().acquire(injection.raw_answer.size());
      std::memcpy(frame.data(), injection.raw_answer.data(), injection.raw_answer.size());
      request_.answer = {{frame, frame.data(), injection.raw_answer.size()}};
    }
    delay = std::max(delay, injection.answer_delay);
  }
  request_.state.reset();
  request_.faults.clear();
  request_.struck.clear();
  request_.passed.clear();
  request_.frame = FrameRef();
  if (outcome == Outcome::close) return close_when_written();
  if (outcome == Outcome::no_answer || state_ == State::blocked) {
    request_.answer.clear();
    return;
  }
  if (delay > Duration::zero()) {
    state_ = State::held;
    due_ = deadline_after(now.mono, delay);
    return;
  }
  queue_answer(now);
}

void Session::queue_answer(Now now) {
  state_ = State::idle;
  due_ = kNever;
  for (OutPiece& piece : request_.answer) {
    out_bytes_ += piece.size;
    out_.push_back(std::move(piece));
  }
  request_.answer.clear();
  broker_.network().want_write(id_);
  if (const std::int32_t throttle_ms = std::exchange(request_.throttle_ms, 0); throttle_ms > 0) {
    state_ = State::muted;
    due_ = deadline_after(now.mono, std::chrono::milliseconds(throttle_ms));
  }
}

void Session::step(Now now, bool changed) {
  if (closed_) return;
  const bool is_due = now.mono >= due_;
  switch (state_) {
    case State::delayed:
      if (is_due) run(now);
      break;
    case State::waiting:
      if (is_due || changed) run(now);
      break;
    case State::held:
      if (is_due) queue_answer(now);
      break;
    case State::muted:
      if (is_due) {
        state_ = State::idle;
        due_ = kNever;
      }
      break;
    case State::idle:
    case State::blocked:
    case State::closing:
      return;
  }
  pump(now);
}

// ----------------------------------------------------------------------------------------- writing

void Session::gather(BufferList& out) {
  for (const OutPiece& piece : out_) {
    if (!out.add(piece.data, piece.size)) break;
  }
}

void Session::on_written(std::size_t n, Now now) {
  out_bytes_ -= n;
  while (n != 0) {
    OutPiece& piece = out_.front();
    const std::size_t part = std::min(n, piece.size);
    piece.data += part;
    piece.size -= part;
    n -= part;
    if (piece.size == 0) out_.pop_front();
  }
  if (state_ == State::closing) {
    if (out_.empty()) broker_.network().close(id_);
    return;
  }
  if (state_ == State::idle) pump(now);
}

// ------------------------------------------------------------------------------------------ ending

void Session::on_open(Now) {}

void Session::close_when_written() {
  state_ = State::closing;
  dedicated_ = false;
  due_ = kNever;
  if (out_.empty()) broker_.network().close(id_);
}

void Session::reset() {
  if (closed_) return;
  state_ = State::closing;
  dedicated_ = false;
  due_ = kNever;
  broker_.network().close(id_);
}

void Session::on_closed(Stage, std::error_code, Now) {
  closed_ = true;
  broker_.wake();  // to be thrown away in the next step
}

}  // namespace tern::broker
