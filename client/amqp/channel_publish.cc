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

Failure ChannelCore::refusal(std::size_t messages, std::size_t body_bytes) const {
  if (Failure failure = over()) return failure;
  if (state_ != State::open) {
    return Failure(make_error_code(ClientErrc::no_broker), "the channel is not open yet");
  }
  const bool window_full =
      confirms_.size() != 0 && (confirms_.size() + messages > config_.max_unconfirmed ||
                                confirms_.bytes() + body_bytes > config_.max_unconfirmed_bytes);
  const std::size_t unsent = engine_.session().output().bytes();
  if (window_full || (unsent != 0 && unsent + body_bytes > engine_.config().max_unsent_bytes)) {
    return Failure(make_error_code(ClientErrc::queue_full));
  }
  return {};
}

// Encodes basic.publish into method_, unless it is the same as before.
Failure ChannelCore::encode_target(const Target& target) {
  if (!method_.empty() && target.exchange == Text(exchange_) &&
      target.routing_key == Text(routing_key_) && target.mandatory == mandatory_) {
    return {};
  }
  const BasicPublish publish{target.exchange, target.routing_key, target.mandatory, false};
  if (Failure failure = frame_of(publish, method_)) {
    method_.clear();
    return failure;
  }
  exchange_ = target.exchange.str();
  routing_key_ = target.routing_key.str();
  mandatory_ = target.mandatory;
  return {};
}

Failure ChannelCore::publish(const Target& target, const Message& message,
                             Completion<Failure>&& done) {
  if (Failure failure = refusal(1, message.body.size())) return failure;
  if (Failure failure = encode_target(target)) return failure;
  const char* field = "";
  const auto header_bytes = encoded_header_size(message.properties, &field);
  if (!header_bytes) return Session::refuse(BasicPublish::method, field, header_bytes.error());
  const std::uint64_t begin = engine_.session().output().end();
  const std::uint64_t print = put_message(target, message, *header_bytes);
  engine_.session().want_write();
  if (config_.confirms) {
    confirms_.add(begin, print, message.body.size(), std::move(done));
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
    const char* field = "";
    const auto size = encoded_header_size(message.properties, &field);
    if (!size) return Session::refuse(BasicPublish::method, field, size.error());
    header_sizes_.push_back(*size);
  }
  Output& output = engine_.session().output();
  const std::uint64_t begin = output.end();
  if (config_.confirms && !messages.empty()) {
    confirms_.begin_batch(static_cast<std::uint32_t>(messages.size()), std::move(done));
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::uint64_t at = output.end();
    const std::uint64_t print = put_message(target, messages[i], header_sizes_[i]);
    if (config_.confirms) confirms_.add(at, print, messages[i].body.size());
  }
  if (messages.empty()) {
    // Not taken above then. NOLINTNEXTLINE(bugprone-use-after-move)
    engine_.complete(std::move(done), Failure(), {});
    return {};
  }
  engine_.session().want_write();
  if (config_.confirms) return {};
  auto told = [count = messages.size(), done = std::move(done)](Failure why) mutable {
    std::vector<NotPublished> all;
    for (std::size_t i = 0; why && i < count; ++i) all.push_back({i, why});
    done(std::move(why), std::move(all));
  };
  unwritten_.push_back({std::move(told), begin, output.end()});
  engine_.mark_when_written(*this);
  return {};
}

// Adds the frames of a message to the output; basic.publish is in method_. Returns its fingerprint.
std::uint64_t ChannelCore::put_message(const Target& target, const Message& message,
                                       std::size_t header_bytes) {
  const bool copied = !message.owner || message.body.size() < wire::kMinSpliceBytes;
  const std::uint32_t frame_max = engine_.session().tuning().frame_max;
  const std::size_t head = method_.size() + header_bytes + kFrameOverheadBytes;
  const std::size_t size = head + (copied ? body_size(message.body.size(), frame_max).total : 0);
  Output& output = engine_.session().output();
  const std::span<std::byte> room = output.room(size);
  wire::store_be(method_.data() + kFrameChannelAt, id_);
  std::memcpy(room.data(), method_.data(), method_.size());
  wire::Writer writer(room.subspan(method_.size()));
  begin_frame(FrameType::header, id_, header_bytes, writer);
  encode_header(message.body.size(), message.properties, writer);
  end_frame(writer);
  std::uint64_t print = 0;
  if (target.mandatory) {
    const auto payload = room.subspan(method_.size() + kFrameHeaderBytes, header_bytes);
    print = fingerprint(target.exchange.view(), target.routing_key.view(),
                        known_by(message.properties, wire::Bytes(payload).view()));
  }
  if (copied) encode_body(wire::Bytes(message.body), id_, frame_max, writer);
  output.commit(size);
  if (!copied) refer_body(message, frame_max);
  return print;
}

// A body that stays where it is, in frames.
void ChannelCore::refer_body(const Message& message, std::uint32_t frame_max) {
  Output& output = engine_.session().output();
  const std::size_t piece = frame_max - kFrameOverheadBytes;
  for (std::string_view left = message.body; !left.empty();) {
    const std::string_view now = left.substr(0, piece);
    wire::Writer head(output.room(kFrameHeaderBytes));
    begin_frame(FrameType::body, id_, now.size(), head);
    output.commit(kFrameHeaderBytes);
    output.refer(wire::Bytes(now), message.owner);
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
  const bool known = has_selected_ && confirms_.settle(tag, multiple, outcome, Telling{engine_});
  if (known) {
    if (!space_done_.empty()) wake();
    return;
  }
  engine_.session().violate(ReplyErrc::command_invalid,
                            "channel " + std::to_string(id_) + ": message " + std::to_string(tag) +
                                " was confirmed, and was not published",
                            engine_.now());
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
  ++epoch_;
}

}  // namespace tern::amqp
