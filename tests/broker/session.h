// Session: one connection to an embedded broker. Cuts frames, keeps their order, writes answers.
#ifndef TERN_TESTS_BROKER_SESSION_H_
#define TERN_TESTS_BROKER_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <system_error>

#include "client/core/frame.h"
#include "client/core/ports.h"
#include "tests/broker/request.h"

namespace tern::broker {

class KafkaBroker;

// One request at a time: the next one is begun when the answer of the one before stands in the
// queue, so a request that waits holds up all behind it, and while it does the socket is not read.
// Memory for what was read ahead and for answers that the peer does not take is bounded by that.
class Session final : public Link {
 public:
  Session(KafkaBroker& broker, LinkId id, std::string peer_host);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::span<std::byte> read_space() override;
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now now) override;
  void on_closed(Stage stage, std::error_code why, Now now) override;

  // Goes on with what is due, or, with `changed`, may have become so.
  void step(Now now, bool changed);
  Time next_deadline() const { return closed_ ? kNever : due_; }
  bool closed() const { return closed_; }
  void reset();  // closes now, whatever is still to be written

 private:
  enum class State {
    idle,
    delayed,  // a request that a test holds back: carried out at due_
    waiting,  // the handler waits for a change, or for due_
    held,     // the answer stands, and is queued at due_
    muted,    // throttled: the next request is looked at at due_
    blocked,  // a test wants no answer, ever
    closing   // nothing more is read; closed once everything is written
  };

  bool next_frame(std::span<const std::byte>& frame);
  void pump(Now now);
  void begin(std::span<const std::byte> frame, Now now);
  void run(Now now);
  void finish(Outcome outcome, Now now);
  void queue_answer(Now now);
  void close_when_written();
  void set_reading();

  KafkaBroker& broker_;
  const LinkId id_;
  State state_ = State::idle;
  Time due_ = kNever;
  bool closed_ = false;
  bool paused_ = false;

  FrameRef in_;  // bytes [begin_, end_) have been read and not yet looked at
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool dedicated_ = false;  // in_ was made for the one frame that is being read, and ends at:
  std::size_t frame_end_ = 0;

  Request request_;
  std::deque<OutPiece> out_;
  std::size_t out_bytes_ = 0;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_SESSION_H_
