#include "client/amqp/incoming.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/amqp/methods/basic.h"
#include "protocol/wire/endian.h"

namespace tern::amqp {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// The frame of a method, and something of a header.
constexpr std::size_t kLeastMessageBytes = kFrameOverheadBytes + 4 + kFrameOverheadBytes;
constexpr std::size_t kMinReadBytes = 4 * 1024;    // with less room a new buffer is begun
constexpr std::size_t kMinDirectBytes = 8 * 1024;  // to be read; below it, copying costs less
constexpr std::size_t kAtOnceBytes = 1024 * 1024;  // so much of a body is believed when announced
// What is read along behind a payload: its end, and the header of the next frame.
constexpr std::size_t kBehindBytes = kFrameOverheadBytes;

// Methods with content that a server sends.
bool has_content(wire::Bytes payload) {
  const auto* const data = reinterpret_cast<const std::byte*>(payload.data());
  const std::uint32_t id = wire::load_be<std::uint32_t>(data);
  return id == BasicDeliver::method.id.packed() || id == BasicReturn::method.id.packed() ||
         id == BasicGetOk::method.id.packed();
}

}  // namespace

Incoming::Incoming(FramePool& pool)
    : pool_(pool), splitter_(FrameSplitter::From::server, FrameLimits{}) {}

void Incoming::reset(const Limits& limits) {
  splitter_ = FrameSplitter(FrameSplitter::From::server);
  set_limits(limits);
  error_ = {};
  started_ = false;
  in_ = FrameRef();
  begin_ = end_ = wanted_ = 0;
  assemblies_.clear();
  direct_ = false;
}

void Incoming::set_limits(const Limits& limits) {
  limits_ = limits;
  splitter_.set_limits({limits.frame_max, std::max(limits.frame_max, limits.max_method_bytes)});
}

std::span<const std::byte> Incoming::first_bytes() const {
  if (started_ || !in_) return {};
  return in_.space().first(end_);
}

bool Incoming::fail(ReplyErrc reply, std::string text) {
  error_ = {reply, std::move(text)};
  return false;
}

// -------------------------------------------------------------------------------------- memory

std::span<std::byte> Incoming::read_space() {
  if (direct_) {
    Assembly& assembly = *find(direct_channel_);
    make_room(assembly, direct_left_ + kBehindBytes);
    const std::size_t room = assembly.own.capacity() - assembly.own_used;
    return assembly.own.space().subspan(assembly.own_used,
                                        std::min(room, direct_left_ + kBehindBytes));
  }
  const std::size_t capacity = in_.capacity();
  if (capacity - end_ < kMinReadBytes || capacity - begin_ < wanted_) new_buffer();
  return in_.space().subspan(end_);
}

// Takes what has not been looked at to the front of a buffer with more room.
void Incoming::new_buffer() {
  const std::size_t have = end_ - begin_;
  for (Assembly& assembly : assemblies_) {
    if (!assembly.own && !assembly.passed_over) make_own(assembly);
  }
  // A frame that is announced to be large gets its room as its bytes come.
  const std::size_t want = std::max(kReadBytes, std::min(wanted_, 2 * have) + kMinReadBytes);
  if (in_.is_unique() && in_.capacity() >= want) {
    std::memmove(in_.data(), in_.data() + begin_, have);
  } else {
    FrameRef fresh = pool_.acquire(want);
    if (have != 0) std::memcpy(fresh.data(), in_.data() + begin_, have);
    in_ = std::move(fresh);
  }
  begin_ = 0;
  end_ = have;
}

// Gives a message memory of its own.
void Incoming::make_own(Assembly& assembly) {
  assembly.method_size = assembly.method.size();
  assembly.header_size = assembly.header.size();
  assembly.own_used = assembly.method_size + assembly.header_size;
  const std::uint64_t body = std::min<std::uint64_t>(assembly.body_size, kAtOnceBytes);
  const std::size_t capacity = assembly.own_used + static_cast<std::size_t>(body) + kBehindBytes;
  assembly.own = pool_.acquire(capacity);
  std::memcpy(assembly.own.data(), assembly.method.data(), assembly.method_size);
  std::memcpy(assembly.own.data() + assembly.method_size, assembly.header.data(),
              assembly.header_size);
}

// Room for some of `bytes` more: doubled when it is used up, so that it follows what has come.
void Incoming::make_room(Assembly& assembly, std::size_t bytes) {
  const std::size_t room = assembly.own.capacity() - assembly.own_used;
  if (room >= bytes || room > kBehindBytes) return;
  const std::size_t whole = assembly.method_size + assembly.header_size +
                            static_cast<std::size_t>(assembly.body_size) + kBehindBytes;
  FrameRef larger = pool_.acquire(std::min(whole, 2 * assembly.own.capacity()));
  std::memcpy(larger.data(), assembly.own.data(), assembly.own_used);
  assembly.own = std::move(larger);
}

void Incoming::append(Assembly& assembly, wire::Bytes body) {
  std::string_view left = body.view();
  while (!left.empty()) {
    make_room(assembly, left.size() + kBehindBytes);
    const std::size_t room = assembly.own.capacity() - kBehindBytes - assembly.own_used;
    const std::size_t step = std::min(room, left.size());
    std::memcpy(assembly.own.data() + assembly.own_used, left.data(), step);
    assembly.own_used += step;
    left.remove_prefix(step);
  }
}

Incoming::Assembly* Incoming::find(std::uint16_t channel) {
  for (Assembly& assembly : assemblies_) {
    if (assembly.channel == channel) return &assembly;
  }
  return nullptr;
}

void Incoming::remove(Assembly& assembly) {
  if (&assembly != &assemblies_.back()) std::swap(assembly, assemblies_.back());
  assemblies_.pop_back();
}

// -------------------------------------------------------------------------------------- parsing

bool Incoming::on_read(std::size_t n, Sink& sink) {
  if (direct_) return on_direct_read(n, sink);
  end_ += n;
  return parse(sink);
}

bool Incoming::parse(Sink& sink) {
  for (;;) {
    std::uint16_t channel = 0;
    Content content;
    const std::size_t size = whole_message(channel, content);
    if (size != 0 && sink.takes_content(channel) == Take::yes) {
      content.frame = in_.share();
      begin_ += size;
      splitter_.skip(size);
      if (!sink.on_content(channel, std::move(content))) return true;
      continue;
    }
    const Split split = splitter_.next(in_.space().subspan(begin_, end_ - begin_));
    wanted_ = split.size;
    switch (split.kind) {
      case Split::Kind::need_more:
        begin_direct();
        return true;
      case Split::Kind::error:
        return fail(splitter_.error().reply, splitter_.error().message());
      case Split::Kind::protocol_header:
        begin_ += split.size;
        if (!sink.on_protocol_header(split.protocol)) return true;
        break;
      case Split::Kind::frame:
        begin_ += split.size;
        started_ = true;
        if (!on_frame(split.frame, sink)) return error_.text.empty();
        break;
    }
  }
}

// The bytes of the message that the buffer begins with, if all of it is there and its body is one
// frame, as is so with nearly all; with where its parts lie. 0: it is not so, or there is something
// to be said against it, which the usual way will find.
std::size_t Incoming::whole_message(std::uint16_t& channel, Content& content) const {
  if (!started_ || !assemblies_.empty() || end_ - begin_ < kLeastMessageBytes) return 0;
  const std::byte* const all = in_.data() + begin_;
  std::size_t left = end_ - begin_;
  const std::byte* at = all;
  // The payload of the frame that comes next; null if it is another one, or not all there.
  const auto next = [&](FrameType type, std::size_t limit) -> wire::Bytes {
    if (left < kFrameOverheadBytes) return {};
    const std::size_t size = wire::load_be<std::uint32_t>(at + 3);
    const std::size_t whole = size + kFrameOverheadBytes;
    if (std::to_integer<std::uint8_t>(at[0]) != static_cast<std::uint8_t>(type) ||
        wire::load_be<std::uint16_t>(at + 1) != channel || whole > limit || whole > left ||
        std::to_integer<std::uint8_t>(at[whole - 1]) != kFrameEnd) {
      return {};
    }
    const wire::Bytes payload(std::span<const std::byte>(at + kFrameHeaderBytes, size));
    at += whole;
    left -= whole;
    return payload;
  };
  const std::size_t other = std::max(limits_.frame_max, limits_.max_method_bytes);
  channel = wire::load_be<std::uint16_t>(at + 1);
  content.method = next(FrameType::method, other);
  if (channel == 0 || content.method.size() < sizeof(std::uint32_t) ||
      !has_content(content.method)) {
    return 0;
  }
  content.header = next(FrameType::header, other);
  if (content.header.is_null()) return 0;
  std::uint64_t body_size = 0;
  if (!is_plain_header(content.header, body_size)) {
    ContentHeader header;
    if (decode_header(content.header, {}, header)) return 0;
    body_size = header.body_size;
  }
  if (body_size > limits_.max_body_bytes) return 0;
  if (body_size != 0) {
    content.body = next(FrameType::body, limits_.frame_max);
    if (content.body.is_null() || content.body.size() != body_size) return 0;
  }
  return static_cast<std::size_t>(at - all);
}

bool Incoming::on_frame(const Frame& frame, Sink& sink) {
  switch (frame.type) {
    case FrameType::method:
      return on_method_frame(frame, sink);
    case FrameType::header:
      return on_header_frame(frame, sink);
    case FrameType::body:
      return on_body_frame(frame, sink);
    case FrameType::heartbeat:
      return true;
  }
  return true;
}

bool Incoming::on_method_frame(const Frame& frame, Sink& sink) {
  const bool content = has_content(frame.payload);
  if (!assemblies_.empty()) {
    if (Assembly* const assembly = find(frame.channel)) {
      // The peer gives up a message only by closing its channel or the connection.
      if (!assembly->passed_over) {
        return fail(ReplyErrc::unexpected_frame, "channel " + std::to_string(frame.channel) +
                                                     ": a method came inside a message");
      }
      remove(*assembly);
    }
  }
  if (!content) return sink.on_method(frame.channel, frame.payload);
  Assembly assembly;
  assembly.channel = frame.channel;
  assembly.method = frame.payload;
  const Take take = sink.takes_content(frame.channel);
  if (take == Take::refuse) return without_context(frame.channel, "a message", sink);
  assembly.passed_over = take == Take::pass_over;
  assemblies_.push_back(std::move(assembly));
  return true;
}

// A frame that nothing was to be expected before or on this channel.
bool Incoming::without_context(std::uint16_t channel, const char* what, Sink& sink) {
  const std::string where = "channel " + std::to_string(channel) + ": " + what;
  switch (sink.takes_content(channel)) {
    case Take::pass_over:
      return true;
    case Take::refuse:
      return fail(ReplyErrc::channel_error, where + " came, and the channel is not open");
    case Take::yes:
      break;
  }
  return fail(ReplyErrc::unexpected_frame, where + " came without what belongs before it");
}

bool Incoming::on_header_frame(const Frame& frame, Sink& sink) {
  Assembly* const assembly = find(frame.channel);
  if (!assembly || assembly->has_header) {
    return without_context(frame.channel, "a content header", sink);
  }
  ContentHeader header;
  if (const auto error = decode_header(frame.payload, {}, header)) {
    return fail(error->reply, error->message());
  }
  if (header.body_size > limits_.max_body_bytes) {
    return fail(ReplyErrc::content_too_large, "a message of " + std::to_string(header.body_size) +
                                                  " bytes was announced; at most " +
                                                  std::to_string(limits_.max_body_bytes) +
                                                  " are taken (max_body_bytes)");
  }
  assembly->has_header = true;
  assembly->header = frame.payload;
  assembly->body_size = header.body_size;
  if (assembly->own) {
    // The method was moved before its header came.
    const FrameRef old = assembly->own;
    const wire::Bytes method(old.space().first(assembly->method_size));
    assembly->method = method;
    make_own(*assembly);
  }
  if (assembly->body_size == 0) return deliver(*assembly, {}, sink);
  return true;
}

bool Incoming::on_body_frame(const Frame& frame, Sink& sink) {
  Assembly* const assembly = find(frame.channel);
  if (!assembly || !assembly->has_header) {
    return without_context(frame.channel, "a body frame", sink);
  }
  const std::uint64_t left = assembly->body_size - assembly->body_have();
  if (frame.payload.size() > left) {
    return fail(ReplyErrc::unexpected_frame,
                "channel " + std::to_string(frame.channel) + ": a body of " +
                    std::to_string(assembly->body_size) + " bytes has more than that");
  }
  if (!assembly->own && frame.payload.size() == left) {
    return deliver(*assembly, frame.payload, sink);
  }
  if (assembly->passed_over) {
    // Counted, but not kept.
    assembly->body_size -= frame.payload.size();
    if (assembly->body_size == 0) remove(*assembly);
    return true;
  }
  if (!assembly->own) make_own(*assembly);
  append(*assembly, frame.payload);
  if (assembly->body_have() == assembly->body_size) return deliver(*assembly, {}, sink);
  return true;
}

// `body` is where it lies in the read buffer, unless the message has memory of its own.
bool Incoming::deliver(Assembly& assembly, wire::Bytes body, Sink& sink) {
  const std::uint16_t channel = assembly.channel;
  if (assembly.passed_over) {
    remove(assembly);
    return true;
  }
  Content content;
  if (assembly.own) {
    const std::span<const std::byte> all = assembly.own.space().first(assembly.own_used);
    content.method = wire::Bytes(all.first(assembly.method_size));
    content.header = wire::Bytes(all.subspan(assembly.method_size, assembly.header_size));
    content.body = wire::Bytes(all.subspan(assembly.method_size + assembly.header_size));
    content.frame = std::move(assembly.own);
  } else {
    content = {assembly.method, assembly.header, body, in_.share()};
  }
  remove(assembly);
  return sink.on_content(channel, std::move(content));
}

// ------------------------------------------------------------------------ large bodies, directly

// Called when a frame has not come whole: is it one of a body that is better read where it belongs?
void Incoming::begin_direct() {
  const std::size_t have = end_ - begin_;
  if (have < kFrameHeaderBytes || wanted_ - have < kMinDirectBytes) return;
  const std::byte* const at = in_.data() + begin_;
  if (std::to_integer<std::uint8_t>(at[0]) != static_cast<std::uint8_t>(FrameType::body)) {
    return;
  }
  Assembly* const assembly = find(wire::load_be<std::uint16_t>(at + 1));
  if (!assembly || !assembly->has_header || assembly->passed_over) return;
  const std::size_t payload = wanted_ - kFrameOverheadBytes;
  // One that is too long goes the usual way and is refused there.
  if (payload > assembly->body_size - assembly->body_have()) return;
  if (!assembly->own) make_own(*assembly);
  const wire::Bytes first(
      in_.space().subspan(begin_ + kFrameHeaderBytes, have - kFrameHeaderBytes));
  append(*assembly, first);
  for (Assembly& other : assemblies_) {
    if (!other.own && !other.passed_over) make_own(other);
  }
  splitter_.skip(wanted_);
  direct_ = true;
  direct_channel_ = assembly->channel;
  direct_left_ = payload - first.size();
  begin_ = end_ = wanted_ = 0;
  if (!in_.is_unique()) in_ = FrameRef();
}

bool Incoming::on_direct_read(std::size_t n, Sink& sink) {
  Assembly& assembly = *find(direct_channel_);
  if (n <= direct_left_) {
    assembly.own_used += n;
    direct_left_ -= n;
    return true;
  }
  assembly.own_used += direct_left_;
  const std::size_t behind = n - direct_left_;
  direct_left_ = 0;
  direct_ = false;
  const std::byte* const end = assembly.own.data() + assembly.own_used;
  if (std::to_integer<std::uint8_t>(*end) != kFrameEnd) {
    return fail(ReplyErrc::frame_error, "a body frame does not end as frames do");
  }
  // The header of the next frame goes to where headers are read.
  if (!in_.is_unique()) in_ = pool_.acquire(kReadBytes);
  begin_ = 0;
  end_ = behind - 1;
  std::memcpy(in_.data(), end + 1, end_);
  if (assembly.body_have() == assembly.body_size && !deliver(assembly, {}, sink)) {
    return error_.text.empty();
  }
  return parse(sink);
}

}  // namespace tern::amqp
