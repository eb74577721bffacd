// Frames: cutting a stream of bytes into them, and putting them around payloads.
//
//   type, 1 byte | channel, 2 | size of the payload, 4 | payload | 0xce
//
// The splitter looks at whatever has arrived and owns nothing: no byte is copied and no memory
// taken. Each byte of a header is judged as soon as it is there, so a frame that lies about its
// size is refused before anybody makes room for it, and the result is the same however the stream
// was cut into pieces. One owner at a time.
#ifndef TERN_PROTOCOL_AMQP_FRAME_H_
#define TERN_PROTOCOL_AMQP_FRAME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/amqp/errors.h"
#include "protocol/wire/bytes.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace tern::amqp {

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

inline constexpr std::size_t kFrameChannelAt = 1;
inline constexpr std::size_t kFrameHeaderBytes = 7;
inline constexpr std::size_t kFrameOverheadBytes = 8;  // with the end octet; frame_max counts them
inline constexpr std::uint8_t kFrameEnd = 0xce;
inline constexpr std::uint32_t kMinFrameMax = 4096;  // what everybody takes; all, before tuning

// The first bytes of a client, and the answer of a server that does not speak this.
inline constexpr std::string_view kProtocolHeader{"AMQP\x00\x00\x09\x01", 8};
inline constexpr std::string_view kHeartbeatFrame{"\x08\x00\x00\x00\x00\x00\x00\xce", 8};

struct Frame {
  FrameType type = FrameType::method;
  std::uint16_t channel = 0;
  wire::Bytes payload;  // where it lies in the input
};

// What stands after "AMQP": for 0-9-1 it is 0, 0, 9, 1, for AMQP 1.0 it is 0, 1, 0, 0.
struct ProtocolHeader {
  std::array<std::uint8_t, 4> version{};
  friend constexpr bool operator==(const ProtocolHeader&, const ProtocolHeader&) = default;
};
inline constexpr ProtocolHeader kProtocol091{{0, 0, 9, 1}};

// Largest frames that are taken, in bytes, overhead included. For a body that is the frame_max that
// was agreed on. RabbitMQ does not keep to it with methods and headers, which it sends whole: a
// client has to take larger ones, up to a limit of its own.
struct FrameLimits {
  std::uint32_t body = kMinFrameMax;
  std::uint32_t other = kMinFrameMax;
};

struct FrameError {
  wire::DecodeError what;  // the byte is counted from the start of the stream
  ReplyErrc reply = ReplyErrc::frame_error;

  std::string message() const { return what.message(); }
};

struct Split {
  enum class Kind : std::uint8_t { need_more, frame, protocol_header, error };
  Kind kind = Kind::need_more;
  // need_more: ask again when this many bytes are there. frame, protocol_header: take so many away.
  std::size_t size = 0;
  Frame frame{};
  ProtocolHeader protocol{};
};

class FrameSplitter {
 public:
  // The sender of the stream: a client has to begin with a protocol header, a server may.
  enum class From : std::uint8_t { client, server };

  explicit FrameSplitter(From from, FrameLimits limits = {})
      : limits_(limits), start_(from == From::client ? Start::header : Start::any) {}

  // From the next frame on.
  void set_limits(FrameLimits limits) { limits_ = limits; }

  // Looks at the start of `input`, which begins where the last frame ended. After an error every
  // call gives the same error.
  Split next(std::span<const std::byte> input);

  // After need_more with a whole frame header: the caller takes that frame of `size` bytes by
  // itself, end octet included, and goes on behind it.
  void skip(std::size_t size) { taken_ += size; }

  const FrameError& error() const { return error_; }  // meaningful after Kind::error

 private:
  enum class Start : std::uint8_t { header, any, over };

  Split next_protocol_header(std::span<const std::byte> input);
  bool header_is_good(std::span<const std::byte> input);
  Split fail(wire::Errc code, const char* field, std::size_t at,
             ReplyErrc reply = ReplyErrc::frame_error);

  FrameLimits limits_;
  Start start_;
  bool failed_ = false;
  std::size_t taken_ = 0;  // bytes of the stream before the input
  FrameError error_;
};

// Around a payload of `payload_bytes` that is written in between.
void begin_frame(FrameType type, std::uint16_t channel, std::size_t payload_bytes,
                 wire::Writer& writer);
inline void end_frame(wire::Writer& writer) { writer.u8(kFrameEnd); }

// A method (or a content header) in a frame of its own. `payload_bytes` is what its encoded_size()
// said; the frame takes kFrameOverheadBytes more.
template <class M>
void encode_frame(FrameType type, std::uint16_t channel, const M& message,
                  std::size_t payload_bytes, wire::Writer& writer) {
  begin_frame(type, channel, payload_bytes, writer);
  encode(message, writer);
  end_frame(writer);
}

// A body as frames of at most `frame_max` bytes; 0 means no limit. An empty body has none.
struct BodySize {
  std::size_t total = 0;    // bytes of all its frames
  std::size_t spliced = 0;  // of these, bytes that a Writer with splices leaves where they are
  std::size_t splices = 0;

  friend bool operator==(const BodySize&, const BodySize&) = default;
};
// `frame_max` is 0 or more than kFrameOverheadBytes.
BodySize body_size(std::size_t body_bytes, std::uint32_t frame_max);
void encode_body(wire::Bytes body, std::uint16_t channel, std::uint32_t frame_max,
                 wire::Writer& writer);

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_FRAME_H_
