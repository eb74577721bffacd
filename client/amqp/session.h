// Session: one connection to one broker, as a state machine. Says the protocol header, logs in,
// tunes, opens the virtual host; sends signs of life and expects them; shakes hands at the end,
// whoever begins it. What comes on channels goes to the owner, what is to be sent on them is
// written into output().
//
// After its end it can be opened again, to the same host or another one.
//
// Errors, told once for each open() by on_session_ended(): the code the broker closed with
// (ReplyErrc, and its text), not_the_protocol for somebody else's port, protocol_violation,
// timed_out (connecting, or silence for two heartbeats), closed after close(), or the network's
// own. Texts name the host and hold no password. A wrong user or password is
// ReplyErrc::access_refused.
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_SESSION_H_
#define TERN_CLIENT_AMQP_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "client/amqp/config.h"
#include "client/amqp/incoming.h"
#include "client/amqp/output.h"
#include "client/core/completion.h"
#include "client/core/frame.h"
#include "client/core/ports.h"
#include "client/core/timers.h"
#include "protocol/amqp/codec.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/connection.h"

namespace tern::amqp {

// What both sides have agreed on.
struct Tuning {
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = kMinFrameMax;
  Duration heartbeat = Duration::zero();  // zero: none
};

// By the rules of RabbitMQ: the lower one of what each wants, where 0 of the broker's means no
// limit; for heartbeats, the one that is not 0. False if the broker offers frames below 4,096.
bool agree(const ConnectionConfig& ours, const ConnectionTune& theirs, Tuning& out);

// Who the broker says it is, and what it can do.
struct ServerInfo {
  std::string product;
  std::string version;
  bool publisher_confirms = false;
  bool exchange_exchange_bindings = false;
  bool basic_nack = false;
  bool consumer_cancel_notify = false;
};

class Session final : public Link, private Incoming::Sink {
 public:
  // Called from inside events of the network and of timers, never from inside a call to the
  // session.
  class Owner {
   public:
    virtual void on_session_ready(Now now) = 0;
    virtual void on_channel_method(std::uint16_t channel, wire::Bytes payload, Now now) = 0;
    virtual void on_channel_content(std::uint16_t channel, Content content, Now now) = 0;
    virtual Incoming::Take takes_content(std::uint16_t channel) = 0;
    // `reason` is empty when the broker takes messages again.
    virtual void on_blocked(bool blocked, std::string_view reason, Now now) = 0;
    // Some of output() has gone out.
    virtual void on_session_written() = 0;
    // Exactly once for each open(). output() is as it was, for telling what had been given to the
    // network, and is cleared after the call.
    virtual void on_session_ended(const Failure& why, Now now) = 0;

   protected:
    ~Owner() = default;
  };

  // All of these have to outlive the session; `config` must have passed check().
  Session(Network& network, Timers& timers, FramePool& pool, const ConnectionConfig& config,
          Owner& owner);

  // Only when closed. `host` has its port.
  void open(const Endpoint& host, Credentials credentials, Now now);
  // Ends it: says goodbye if the handshake is over, behind all that is still to be written, and
  // drops the connection when the broker has answered, or at close_timeout.
  void close(Now now);
  // Ends it without a word: nothing good is to come from it any more.
  void drop(const Failure& why);
  // The broker broke the rules: tells it so, and ends.
  void violate(ReplyErrc reply, const std::string& what, Now now);

  // A new password or token, for brokers that have them expire. Error: busy, while the broker has
  // not answered the last one; what the session ended with; not ready: no_broker.
  void update_secret(std::string_view secret, std::string_view reason,
                     Completion<const Failure&> done);

  // Reading stops, and the broker feels it; silence does not count meanwhile.
  void pause_read(bool paused, Now now);

  bool is_ready() const { return state_ == State::ready; }
  bool is_closed() const { return state_ == State::closed; }
  bool is_blocked() const { return blocked_; }
  const Tuning& tuning() const { return tuning_; }
  const ServerInfo& server() const { return server_; }
  // "127.0.0.1:5672"
  std::string name() const { return to_string(host_); }

  // What goes out. After adding to it, want_write().
  Output& output() { return output_; }
  void want_write();
  // Only while ready. Error: a string that is too long; nothing is written then.
  template <class M>
  Failure send(std::uint16_t channel, const M& message) {
    const char* field = "";
    const auto size = encoded_size(message, &field);
    if (!size) return refuse(M::method, field, size.error());
    wire::Writer writer(output_.room(*size + kFrameOverheadBytes));
    encode_frame(FrameType::method, channel, message, *size, writer);
    output_.commit(*size + kFrameOverheadBytes);
    want_write();
    return {};
  }
  // The error for a message that cannot be encoded.
  static Failure refuse(const Method& method, const char* field, std::error_code why);

  // Link
  std::span<std::byte> read_space() override { return incoming_.read_space(); }
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now now) override;
  void on_closed(Stage stage, std::error_code why, Now now) override;

 private:
  friend struct ChannelZero;

  enum class State : std::uint8_t {
    closed,
    connecting,
    greeting,  // the protocol header is sent, connection.start to come
    login,     // start-ok is sent, connection.tune to come
    opening,   // tune-ok and open are sent, open-ok to come
    ready,
    closing,   // connection.close is sent, close-ok to come
    ending,    // all is said: closed by the peer, or by us once what there is has been written
    dropping,  // the network was told to close
  };

  // Incoming::Sink
  bool on_method(std::uint16_t channel, wire::Bytes payload) override;
  bool on_content(std::uint16_t channel, Content content) override;
  bool on_protocol_header(const ProtocolHeader& header) override;
  Incoming::Take takes_content(std::uint16_t channel) override;

  void on_start(const ConnectionStart& start);
  void on_tune(const ConnectionTune& tune);
  void on_peer_close(const ConnectionClose& close);
  void finish_update(const Failure& failure);
  void not_amqp(std::string what);
  std::string greeting_from_elsewhere() const;
  void on_timer(Now now);
  void arm_timer();

  Network& network_;
  FramePool& pool_;
  const ConnectionConfig& config_;
  Owner& owner_;
  State state_ = State::closed;
  LinkId link_;
  Endpoint host_;
  Credentials credentials_;
  Now now_{};  // of the event being worked on
  Incoming incoming_;
  Output output_;
  Tuning tuning_;
  ServerInfo server_;
  Failure reason_;  // why it ends, once that is known
  bool ends_when_written_ = false;
  bool write_wanted_ = false;
  bool blocked_ = false;
  bool paused_ = false;
  Time deadline_ = kNever;  // of the handshake, or of the end
  Time last_heard_{};
  Time last_written_{};
  Completion<const Failure&> update_done_;
  Timer timer_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_SESSION_H_
