// What a channel does about messages that are published: puts them into the output, and learns what
// became of each.
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"
#include "protocol/wire/endian.h"

namespace tern::amqp {
namespace {

constexpr std::size_t kBodySizeAt = 4;  // in a content header

std::uint64_t fingerprint(std::uint64_t hash, std::string_view bytes) {
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return (hash ^ 0xffU) * 0x100000001b3U;
}

// Of a mandatory message: what comes back with it. Never 0.
std::uint64_t fingerprint(std::string_view exchange, std::string_view routing_key,
                          std::string_view header) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  hash = fingerprint(fingerprint(fingerprint(hash, exchange), routing_key), header);
  return hash == 0 ? 1 : hash;
}

// RabbitMQ puts another reply_to in the place of this name, so what comes back has another header:
// such a message is known by its correlation id.
std::string_view known_by(const BasicProperties& properties, std::string_view header) {
  const bool changes = properties.reply_to.view().starts_with(kDirectReplyTo);
  return changes ? properties.correlation_id.view() : header;
}

Failure lost(const Failure& why, bool maybe) {
  return Failure(make_error_code(maybe ? ClientErrc::maybe_written : ClientErrc::not_written),
                 why.message());
}

const BasicProperties kNone;

Failure size_header(const BasicProperties& properties, std::size_t& size) {
  const char* field = "";
  const auto encoded = encoded_header_size(properties, &field);
  if (!encoded) return Session::refuse(BasicPublish::method, field, encoded.error());
  size = *encoded;
  return {};
}

// How the engine learns what became of messages.
struct Telling {
  Engine& engine;

  void operator()(Completion<Failure>&& done, Failure&& outcome) const {
    engine.resolve(std::move(done), std::move(outcome));
  }
  void operator()(PublishedAll&& done, Failure&& outcome,
                  std::vector<NotPublished>&& not_published) const {
    engine.complete(std::move(done), std::move(outcome), std::move(not_published));
  }
};

}  // namespace

// Whether refusal() has nothing to say; quicker.
inline bool ChannelCore::takes(std::size_t messages, std::size_t body_bytes) const {
  const bool window_full =
      confirms_.size() != 0 && (confirms_.size() + messages > config_.max_unconfirmed ||
                                confirms_.bytes() + body_bytes > config_.max_unconfirmed_bytes);
  const std::size_t unsent = engine_.session().output().bytes();
  const bool too_much = unsent != 0 && unsent + body_bytes > engine_.config().max_unsent_bytes;
  return state_ == State::open && !wants_close_ && !window_full && !too_much;
}

Failure ChannelCore::refusal(std::size_t messages, std::size_t body_bytes) const {
  if (takes(messages, body_bytes)) return {};
  if (Failure failure = over()) return failure;
  if (state_ != State::open) {
    return Failure(make_error_code(ClientErrc::no_broker), "the channel is not open yet");
  }
  return Failure(make_error_code(ClientErrc::queue_full));
}

// Whether head_ is for it.
inline bool ChannelCore::is_encoded(const Target& target) const {
  return method_bytes_ != 0 && target.exchange == Text(exchange_) &&
         target.routing_key == Text(routing_key_) && target.mandatory == mandatory_;
}

Failure ChannelCore::encode_target(const Target& target) {
  if (is_encoded(target)) return {};
  const BasicPublish publish{target.exchange, target.routing_key, target.mandatory, false};
  method_bytes_ = 0;
  if (Failure failure = frame_of(publish, head_)) return failure;
  wire::store_be(head_.data() + kFrameChannelAt, id_);
  method_bytes_ = head_.size();
  head_.resize(method_bytes_ + kFrameOverheadBytes + kPlainHeaderBytes + kFrameHeaderBytes);
  wire::Writer writer(std::span<std::byte>(head_).subspan(method_bytes_));
  begin_frame(FrameType::header, id_, kPlainHeaderBytes, writer);
  encode_header(0, {}, writer);
  end_frame(writer);
  begin_frame(FrameType::body, id_, 0, writer);
  exchange_ = target.exchange.str();
  routing_key_ = target.routing_key.str();
  mandatory_ = target.mandatory;
  return {};
}

// The most common message, quickly.
inline void ChannelCore::put_plain(std::string_view body) {
  const std::size_t size = head_.size() + body.size() + 1;
  Output& output = engine_.session().output();
  std::byte* const room = output.room(size).data();
  std::memcpy(room, head_.data(), head_.size());
  wire::store_be(room + method_bytes_ + kFrameHeaderBytes + kBodySizeAt,
                 static_cast<std::uint64_t>(body.size()));
  wire::store_be(room + head_.size() - sizeof(std::uint32_t),
                 static_cast<std::uint32_t>(body.size()));
  std::memcpy(room + head_.size(), body.data(), body.size());
  room[size - 1] = static_cast<std::byte>(kFrameEnd);
  output.commit(size);
}

// Adds the frames of a message to the output; basic.publish is in head_. Returns its fingerprint.
inline std::uint64_t ChannelCore::put_message(const Target& target, const Body& body,
                                              const BasicProperties& properties,
                                              std::size_t header_bytes) {
  const bool copied = !body.owner || body.bytes.size() < wire::kMinSpliceBytes;
  const std::uint32_t frame_max = engine_.session().tuning().frame_max;
  if (header_bytes == kPlainHeaderBytes && copied && !target.mandatory && !body.bytes.empty() &&
      body.bytes.size() <= frame_max - kFrameOverheadBytes) {
    put_plain(body.bytes);
    return 0;
  }
  const std::size_t head = method_bytes_ + header_bytes + kFrameOverheadBytes;
  const std::size_t size = head + (copied ? body_size(body.bytes.size(), frame_max).total : 0);
  Output& output = engine_.session().output();
  const std::span<std::byte> room = output.room(size);
  std::memcpy(room.data(), head_.data(), method_bytes_);
  wire::Writer writer(room.subspan(method_bytes_));
  begin_frame(FrameType::header, id_, header_bytes, writer);
  encode_header(body.bytes.size(), properties, writer);
  end_frame(writer);
  std::uint64_t print = 0;
  if (target.mandatory) {
    const auto payload = room.subspan(method_bytes_ + kFrameHeaderBytes, header_bytes);
    print = fingerprint(target.exchange.view(), target.routing_key.view(),
                        known_by(properties, wire::Bytes(payload).view()));
  }
  if (copied) encode_body(wire::Bytes(body.bytes), id_, frame_max, writer);
  output.commit(size);
  if (!copied) refer_body(body, frame_max);
  return print;
}

Failure ChannelCore::publish(const Target& target, const Message& message,
                             Completion<Failure>&& done) {
  return publish(target, {message.body, message.owner}, &message.properties, std::move(done));
}

Failure ChannelCore::publish(const Target& target, const Body& body,
                             const BasicProperties* properties, Completion<Failure>&& done) {
  if (!takes(1, body.bytes.size())) return refusal(1, body.bytes.size());
  if (!is_encoded(target)) {
    if (Failure failure = encode_target(target)) return failure;
  }
  std::size_t header_bytes = kPlainHeaderBytes;
  if (properties && !has_none(*properties)) {
    if (Failure failure = size_header(*properties, header_bytes)) return failure;
  }
  const std::uint64_t begin = engine_.session().output().end();
  const std::uint64_t print =
      put_message(target, body, properties ? *properties : kNone, header_bytes);
  engine_.session().want_write();
  if (config_.confirms) {
    confirms_.add(begin, print, body.bytes.size(), std::move(done));
  } else if (done) {
    unwritten_.push_back({std::move(done), begin, engine_.session().output().end()});
    engine_.mark_when_written(*this);
  }
  return {};
}

Failure ChannelCore::publish_all(const Target& target, std::span<const Message> messages,
                                 PublishedAll&& done) {
  std::size_t body_bytes = 0;
  for (const Message& message : messages) body_bytes += message.body.size();
  if (Failure failure = refusal(messages.size(), body_bytes)) return failure;
  if (Failure failure = encode_target(target)) return failure;
  // All of it is seen to be good before the first one is published.
  header_sizes_.clear();
  for (const Message& message : messages) {
    std::size_t size = kPlainHeaderBytes;
    if (!has_none(message.properties)) {
      if (Failure failure = size_header(message.properties, size)) return failure;
    }
    header_sizes_.push_back(size);
  }
  put_all(messages.size(), std::move(done), [&](std::size_t i, std::uint64_t at) {
    const Message& message = messages[i];
    const std::uint64_t print =
        put_message(target, {message.body, message.owner}, message.properties, header_sizes_[i]);
    if (config_.confirms) confirms_.add(at, print, message.body.size());
  });
  return {};
}

Failure ChannelCore::publish_all(const Target& target, std::span<const std::string_view> bodies,
                                 PublishedAll&& done) {
  std::size_t body_bytes = 0;
  for (const std::string_view body : bodies) body_bytes += body.size();
  if (Failure failure = refusal(bodies.size(), body_bytes)) return failure;
  if (Failure failure = encode_target(target)) return failure;
  put_all(bodies.size(), std::move(done), [&](std::size_t i, std::uint64_t at) {
    const std::uint64_t print = put_message(target, {bodies[i], nullptr}, kNone, kPlainHeaderBytes);
    if (config_.confirms) confirms_.add(at, print, bodies[i].size());
  });
  return {};
}

// Calls `put(i, position in the output)` for each of `count` messages, which are told of together.
template <class Put>
void ChannelCore::put_all(std::size_t count, PublishedAll&& done, Put&& put) {
  Output& output = engine_.session().output();
  const std::uint64_t begin = output.end();
  if (count == 0) {
    engine_.complete(std::move(done), Failure(), {});
    return;
  }
  if (config_.confirms) {
    confirms_.begin_batch(static_cast<std::uint32_t>(count), std::move(done));
  }
  for (std::size_t i = 0; i < count; ++i) put(i, output.end());
  engine_.session().want_write();
  if (config_.confirms) return;
  // Not taken above then. NOLINTNEXTLINE(bugprone-use-after-move)
  auto told = [count, done = std::move(done)](Failure why) mutable {
    std::vector<NotPublished> all;
    for (std::size_t i = 0; why && i < count; ++i) all.push_back({i, why});
    done(std::move(why), std::move(all));
  };
  unwritten_.push_back({std::move(told), begin, output.end()});
  engine_.mark_when_written(*this);
}

// A body that stays where it is, in frames.
void ChannelCore::refer_body(const Body& body, std::uint32_t frame_max) {
  Output& output = engine_.session().output();
  const std::size_t piece = frame_max - kFrameOverheadBytes;
  for (std::string_view left = body.bytes; !left.empty();) {
    const std::string_view now = left.substr(0, piece);
    wire::Writer head(output.room(kFrameHeaderBytes));
    begin_frame(FrameType::body, id_, now.size(), head);
    output.commit(kFrameHeaderBytes);
    output.refer(wire::Bytes(now), body.owner);
    wire::Writer end(output.room(1));
    end_frame(end);
    output.commit(1);
    left.remove_prefix(now.size());
  }
}

void ChannelCore::wait_space(Completion<Failure> done) {
  space_done_.push_back(std::move(done));
  wake();
}

// Not open yet is no lack of space, but nothing can be published either: that waits, too.
void ChannelCore::complete_space() {
  if (space_done_.empty()) return;
  const Failure why = refusal(1, 1);
  if (why.code == ClientErrc::queue_full) return engine_.mark_when_written(*this);
  if (why.code == ClientErrc::no_broker) return;
  for (auto& done : std::exchange(space_done_, {})) engine_.resolve(std::move(done), why);
}

void ChannelCore::complete_written() {
  const std::uint64_t written = engine_.session().output().written();
  for (; !unwritten_.empty() && unwritten_.front().end <= written; unwritten_.pop_front()) {
    engine_.resolve(std::move(unwritten_.front().done), Failure());
  }
  if (!unwritten_.empty()) engine_.mark_when_written(*this);
}

// ------------------------------------------------------------------------------ what becomes of it

void ChannelCore::on_return(const Content& content) {
  BasicReturn back;
  if (const auto error = decode_method(content.method, {}, back)) {
    return engine_.session().violate(error->reply, error->message(), engine_.now());
  }
  const Failure why(make_error_code(static_cast<ReplyErrc>(back.reply_code)),
                    "returned by the broker: " + std::to_string(back.reply_code) + " " +
                        back.reply_text.str() + " (exchange \"" + back.exchange.str() +
                        "\", routing key \"" + back.routing_key.str() + "\")");
  ContentHeader header;
  (void)decode_header(content.header, {}, header);  // has been decoded once, when it came
  // Without confirms nobody waits for it.
  (void)confirms_.give_back(fingerprint(back.exchange.view(), back.routing_key.view(),
                                        known_by(header.properties, content.header.view())),
                            why);
}

void ChannelCore::on_confirm(std::uint64_t tag, bool multiple, bool ack) {
  const Failure outcome = ack ? Failure() : Failure(ClientErrc::refused);
  const bool in_order = !engine_.has_outcomes();
  const bool known =
      has_selected_ && confirms_.settle(tag, multiple, outcome, in_order, Telling{engine_});
  if (confirms_.has_due()) engine_.list_due(*this);
  if (known) {
    if (!space_done_.empty()) wake();
    return;
  }
  engine_.session().violate(ReplyErrc::command_invalid,
                            "channel " + std::to_string(id_) + ": message " + std::to_string(tag) +
                                " was confirmed, and was not published",
                            engine_.now());
}

void ChannelCore::tell_due() {
  confirms_.tell_due([](Completion<Failure>& done) { done(Failure()); });
}

// Nothing of this time on a connection can be confirmed or acknowledged any more.
void ChannelCore::fail_messages(const Failure& why) {
  const std::uint64_t given = engine_.session().output().gathered();
  confirms_.fail_all([&](const Unconfirmed& message) { return lost(why, message.begin < given); },
                     Telling{engine_});
  for (; !unwritten_.empty(); unwritten_.pop_front()) {
    Unwritten& message = unwritten_.front();
    engine_.resolve(std::move(message.done), lost(why, message.begin < given));
  }
  has_selected_ = false;
  acks_.reset();
  ack_by_ = kNever;
  ++epoch_;
}

}  // namespace tern::amqp
