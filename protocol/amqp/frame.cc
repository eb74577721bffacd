#include "protocol/amqp/frame.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "protocol/wire/endian.h"

namespace tern::amqp {
namespace {

using wire::Errc;

constexpr std::size_t kMagicBytes = 4;  // "AMQP"
constexpr std::size_t kSizeAt = 3;
constexpr std::size_t kMethodIdBytes = 4;

std::uint8_t octet(std::span<const std::byte> input, std::size_t at) {
  return std::to_integer<std::uint8_t>(input[at]);
}

bool is_type(std::uint8_t type) { return (type >= 1 && type <= 3) || type == 8; }

// The largest piece of a body that fits into a frame.
std::size_t piece_bytes(std::uint32_t frame_max) {
  constexpr std::size_t kLargest = std::numeric_limits<std::uint32_t>::max();
  if (frame_max == 0) return kLargest - kFrameOverheadBytes;
  assert(frame_max > kFrameOverheadBytes);
  return frame_max - kFrameOverheadBytes;
}

}  // namespace

Split FrameSplitter::fail(Errc code, const char* field, std::size_t at, ReplyErrc reply) {
  if (!failed_) error_ = {{code, field, taken_ + at}, reply};
  failed_ = true;
  return {.kind = Split::Kind::error};
}

Split FrameSplitter::next_protocol_header(std::span<const std::byte> input) {
  for (std::size_t i = 0; i < std::min(input.size(), kMagicBytes); ++i) {
    if (octet(input, i) != static_cast<std::uint8_t>(kProtocolHeader[i])) {
      return fail(Errc::bad_value, "protocol header", i);
    }
  }
  Split out{.size = kProtocolHeader.size()};
  if (input.size() < out.size) return out;
  out.kind = Split::Kind::protocol_header;
  for (std::size_t i = 0; i < out.protocol.version.size(); ++i) {
    out.protocol.version[i] = octet(input, kMagicBytes + i);
  }
  start_ = Start::over;
  taken_ += out.size;
  return out;
}

// Judges what there is of a header, in the order of its bytes.
bool FrameSplitter::header_is_good(std::span<const std::byte> input) {
  const std::uint8_t raw_type = octet(input, 0);
  if (!is_type(raw_type)) {
    fail(Errc::unknown_type, "frame type", 0);
    return false;
  }
  const auto type = static_cast<FrameType>(raw_type);
  if (input.size() < kSizeAt) return true;
  const auto channel = wire::load_be<std::uint16_t>(input.data() + kFrameChannelAt);
  if (type == FrameType::heartbeat && channel != 0) {
    fail(Errc::bad_value, "frame channel", kFrameChannelAt, ReplyErrc::unexpected_frame);
    return false;
  }
  if ((type == FrameType::header || type == FrameType::body) && channel == 0) {
    fail(Errc::bad_value, "frame channel", kFrameChannelAt, ReplyErrc::channel_error);
    return false;
  }
  if (input.size() < kFrameHeaderBytes) return true;
  const auto size = wire::load_be<std::uint32_t>(input.data() + kSizeAt);
  const std::uint32_t limit = type == FrameType::body ? limits_.body : limits_.other;
  if (std::uint64_t{size} + kFrameOverheadBytes > limit) {
    fail(Errc::too_large, "frame size", kSizeAt);
    return false;
  }
  if ((type == FrameType::heartbeat && size != 0) ||
      (type == FrameType::method && size < kMethodIdBytes)) {
    fail(Errc::bad_length, "frame size", kSizeAt);
    return false;
  }
  return true;
}

Split FrameSplitter::next(std::span<const std::byte> input) {
  if (failed_) return {.kind = Split::Kind::error};
  if (start_ == Start::header ||
      (start_ == Start::any && !input.empty() &&
       octet(input, 0) == static_cast<std::uint8_t>(kProtocolHeader[0]))) {
    return next_protocol_header(input);
  }
  Split out{.size = kFrameHeaderBytes};
  if (input.empty()) return out;
  if (!header_is_good(input)) return {.kind = Split::Kind::error};
  if (input.size() < kFrameHeaderBytes) return out;
  const std::size_t size = wire::load_be<std::uint32_t>(input.data() + kSizeAt);
  out.size = size + kFrameOverheadBytes;
  if (input.size() < out.size) return out;
  const std::size_t end = kFrameHeaderBytes + size;
  if (octet(input, end) != kFrameEnd) return fail(Errc::bad_frame_end, "frame end", end);
  out.kind = Split::Kind::frame;
  out.frame = {static_cast<FrameType>(octet(input, 0)),
               wire::load_be<std::uint16_t>(input.data() + kFrameChannelAt),
               wire::Bytes(input.subspan(kFrameHeaderBytes, size))};
  start_ = Start::over;
  taken_ += out.size;
  return out;
}

void begin_frame(FrameType type, std::uint16_t channel, std::size_t payload_bytes,
                 wire::Writer& writer) {
  writer.u8(static_cast<std::uint8_t>(type));
  writer.u16(channel);
  writer.u32(static_cast<std::uint32_t>(payload_bytes));
}

BodySize body_size(std::size_t body_bytes, std::uint32_t frame_max) {
  const std::size_t piece = piece_bytes(frame_max);
  // Nearly every body fits one frame, and dividing takes longer than all the rest.
  const std::size_t whole = body_bytes < piece ? 0 : body_bytes / piece;
  const std::size_t rest = body_bytes - whole * piece;
  BodySize size{.total = body_bytes + (whole + (rest != 0 ? 1 : 0)) * kFrameOverheadBytes};
  if (piece >= wire::kMinSpliceBytes) {
    size.splices = whole;
    size.spliced = whole * piece;
  }
  if (rest >= wire::kMinSpliceBytes) {
    size.splices += 1;
    size.spliced += rest;
  }
  return size;
}

void encode_body(wire::Bytes body, std::uint16_t channel, std::uint32_t frame_max,
                 wire::Writer& writer) {
  const std::size_t piece = piece_bytes(frame_max);
  for (std::string_view left = body.view(); !left.empty();) {
    const std::string_view now = left.substr(0, piece);
    begin_frame(FrameType::body, channel, now.size(), writer);
    writer.records(wire::Records(now));
    end_frame(writer);
    left.remove_prefix(now.size());
  }
}

}  // namespace tern::amqp
