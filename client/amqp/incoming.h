// Incoming: from the bytes of a connection to methods and whole messages. Cuts frames, puts the
// frames of one message back together, and gives out views.
//
// A message that lies in the read buffer in one piece, as most do, is given out where it lies: the
// receiver gets a reference to the buffer, and nothing is copied. One that does not is put together
// in a frame of its own, into which the rest of a large body is read directly. Memory follows the
// bytes that come: a size that is announced is not believed beyond a fixed amount.
//
// Each byte is judged when it comes, and the events are the same however the stream was cut into
// reads. Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_INCOMING_H_
#define TERN_CLIENT_AMQP_INCOMING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/core/frame.h"
#include "protocol/amqp/errors.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"
#include "protocol/wire/bytes.h"

namespace tern::amqp {

// A whole message as it came: the payloads of its method and header frame, checked, and the body.
struct Content {
  wire::Bytes method;
  wire::Bytes header;
  wire::Bytes body;
  FrameRef frame;  // holds all three
};

class Incoming {
 public:
  struct Limits {
    std::uint32_t frame_max = kMinFrameMax;      // for bodies, as agreed on
    std::uint32_t max_method_bytes = 1'048'576;  // for methods and headers
    std::uint64_t max_body_bytes = 134'217'728;  // of a message
  };
  // What is wrong, and the code to close the connection with.
  struct Error {
    ReplyErrc reply = ReplyErrc::frame_error;
    std::string text;
  };

  // What to do with the frames of a message: give it out; pass them over, because the channel is
  // being closed; refuse them, because it was never opened.
  enum class Take : std::uint8_t { yes, pass_over, refuse };

  // Each returns false to end the reading: what is left of the input is dropped.
  class Sink {
   public:
    // A method without content; the views end with the call.
    virtual bool on_method(std::uint16_t channel, wire::Bytes payload) = 0;
    virtual bool on_content(std::uint16_t channel, Content content) = 0;
    // The peer speaks another version, and is about to hang up.
    virtual bool on_protocol_header(const ProtocolHeader& header) = 0;
    // Whether a message may come on this channel.
    virtual Take takes_content(std::uint16_t channel) = 0;

   protected:
    ~Sink() = default;
  };

  explicit Incoming(FramePool& pool);

  // For a new connection.
  void reset(const Limits& limits);
  // From the next frame on.
  void set_limits(const Limits& limits);

  std::span<std::byte> read_space();
  // False: error() says what was wrong; nothing may be read any more.
  bool on_read(std::size_t n, Sink& sink);
  const Error& error() const { return error_; }
  // The first bytes of the connection, as long as no frame has been understood; for an error that
  // says who is talking there.
  std::span<const std::byte> first_bytes() const;

 private:
  // A message whose frames are coming. At first its method and header are views into the read
  // buffer; once that is left behind, `own` holds method, header and body one behind the other.
  struct Assembly {
    std::uint16_t channel = 0;
    bool passed_over = false;
    bool has_header = false;
    wire::Bytes method;
    wire::Bytes header;
    std::uint64_t body_size = 0;
    FrameRef own;
    std::size_t method_size = 0;
    std::size_t header_size = 0;
    std::size_t own_used = 0;  // bytes of `own` that count

    std::size_t body_have() const { return own ? own_used - method_size - header_size : 0; }
  };

  bool parse(Sink& sink);
  std::size_t whole_message(std::uint16_t& channel, Content& content) const;
  bool on_frame(const Frame& frame, Sink& sink);
  bool on_method_frame(const Frame& frame, Sink& sink);
  bool on_header_frame(const Frame& frame, Sink& sink);
  bool on_body_frame(const Frame& frame, Sink& sink);
  bool deliver(Assembly& assembly, wire::Bytes body, Sink& sink);
  Assembly* find(std::uint16_t channel);
  void remove(Assembly& assembly);
  void make_own(Assembly& assembly);
  void make_room(Assembly& assembly, std::size_t bytes);
  void append(Assembly& assembly, wire::Bytes body);
  void begin_direct();
  bool on_direct_read(std::size_t n, Sink& sink);
  void new_buffer();
  bool fail(ReplyErrc reply, std::string text);
  bool without_context(std::uint16_t channel, const char* what, Sink& sink);

  FramePool& pool_;
  Limits limits_;
  FrameSplitter splitter_;
  Error error_;
  bool started_ = false;  // a frame has been understood
  SharedFrame in_;        // the read buffer: [begin_, end_) is still to be looked at
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t wanted_ = 0;            // bytes from begin_ that are needed to go on
  std::vector<Assembly> assemblies_;  // one for each channel on which a message is coming: few
  // Reading the rest of a body frame straight into a message's own frame; its end and the header
  // of the next frame are read along with it.
  bool direct_ = false;
  std::uint16_t direct_channel_ = 0;
  std::size_t direct_left_ = 0;  // of the payload
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_INCOMING_H_
