#include "tests/broker/amqp_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/broker/amqp_channel.h"

namespace tern::broker {

using amqp::ReplyErrc;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::uint32_t kMaxMethodBytes = 1U << 20;
constexpr Duration kCloseTimeout = std::chrono::seconds(30);

Duration seconds(std::uint16_t count) { return std::chrono::seconds(count); }

// User and password out of a SASL response; false if there are none.
bool read_login(const amqp::ConnectionStartOk& ok, std::string& user, std::string& password) {
  const std::string_view response = ok.response.view();
  if (ok.mechanism.view() == "PLAIN") {
    const std::size_t first = response.find('\0');
    const std::size_t second =
        first == std::string_view::npos ? first : response.find('\0', first + 1);
    if (second == std::string_view::npos) return false;
    user = response.substr(first + 1, second - first - 1);
    password = response.substr(second + 1);
    return true;
  }
  wire::Reader reader(ok.response);
  amqp::Table table;
  if (!amqp::decode_bare_table(reader, {}, "response", table)) return false;
  const auto login = table.find("LOGIN");
  const auto word = table.find("PASSWORD");
  if (!login || !word) return false;
  user = login->text().value_or("");
  password = word->text().value_or("");
  return true;
}

bool has_capability(const amqp::ConnectionStartOk& ok, std::string_view name) {
  const auto value = ok.client_properties.find("capabilities");
  const auto table = value ? value->table() : std::nullopt;
  const auto found = table ? table->find(name) : std::nullopt;
  return found && found->boolean().value_or(false);
}

}  // namespace

AmqpSession::AmqpSession(AmqpBroker& broker, LinkId id, std::uint64_t number)
    : broker_(broker),
      id_(id),
      number_(number),
      splitter_(amqp::FrameSplitter::From::client),
      in_(kReadBytes) {}

AmqpSession::~AmqpSession() { end_channels(); }

// -------------------------------------------------------------------------------- bytes in and out

std::span<std::byte> AmqpSession::read_space() {
  if (in_used_ == in_.size()) in_.resize(2 * in_.size());
  return std::span(in_).subspan(in_used_);
}

void AmqpSession::on_read(std::size_t n, Now now) {
  in_used_ += n;
  last_heard_ = now.mono;
  store().set_time(now);
  std::size_t at = 0;
  while (state_ != State::ending && !closed_) {
    const amqp::Split split = splitter_.next(std::span(in_).first(in_used_).subspan(at));
    if (split.kind == amqp::Split::Kind::need_more) break;
    if (split.kind == amqp::Split::Kind::error) {
      const bool is_client = state_ == State::ready || state_ == State::closing;
      close(splitter_.error().reply, splitter_.error().message());
      if (is_client) {
        // What came with it is not looked at. Its answer to the close comes later.
        splitter_ = amqp::FrameSplitter(amqp::FrameSplitter::From::server,
                                        {frame_max_, std::max(frame_max_, kMaxMethodBytes)});
        at = in_used_;
      } else {
        state_ = State::ending;
        close_when_written_ = true;
      }
      break;
    }
    if (split.kind == amqp::Split::Kind::protocol_header) {
      if (state_ != State::header) {
        // Behind what could not be understood.
      } else if (split.protocol == amqp::kProtocol091) {
        greet();
      } else {
        const auto bytes = room(amqp::kProtocolHeader.size());
        std::memcpy(bytes.data(), amqp::kProtocolHeader.data(), bytes.size());
        state_ = State::ending;
        close_when_written_ = true;
      }
    } else {
      on_frame(split.frame);
    }
    at += split.size;
  }
  std::memmove(in_.data(), in_.data() + at, in_used_ - at);
  in_used_ -= at;
  if (last_sent_ == kNever) last_sent_ = now.mono;
}

std::span<std::byte> AmqpSession::room(std::size_t n) {
  const std::size_t at = next_out_.size();
  next_out_.resize(at + n);
  broker_.network().want_write(id_);
  return std::span(next_out_).subspan(at);
}

void AmqpSession::gather(BufferList& out) {
  if (out_done_ == out_.size()) {
    out_.clear();
    out_done_ = 0;
    std::swap(out_, next_out_);
  }
  out.add(out_.data() + out_done_, out_.size() - out_done_);
}

void AmqpSession::on_written(std::size_t n, Now now) {
  out_done_ += n;
  last_sent_ = now.mono;
  if (close_when_written_ && out_done_ == out_.size() && next_out_.empty()) reset();
}

bool AmqpSession::has_room() const {
  return state_ == State::ready && !closed_ &&
         out_.size() - out_done_ + next_out_.size() < broker_.config().max_unsent_bytes;
}

void AmqpSession::send_content(std::uint16_t channel, const AmqpMessage& message) {
  const std::size_t frames = amqp::body_size(message.body.size(), frame_max_).total;
  wire::Writer writer(room(message.header.size() + amqp::kFrameOverheadBytes + frames));
  amqp::begin_frame(amqp::FrameType::header, channel, message.header.size(), writer);
  writer.bytes(message.header);
  amqp::end_frame(writer);
  amqp::encode_body(wire::Bytes(std::string_view(message.body)), channel, frame_max_, writer);
}

// -------------------------------------------------------------------------------- the connection

void AmqpSession::greet() {
  amqp::TableBuilder capabilities;
  for (const char* each : {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
                           "consumer_cancel_notify", "connection.blocked",
                           "authentication_failure_close", "per_consumer_qos", "direct_reply_to"}) {
    capabilities.add(each, true);
  }
  amqp::TableBuilder properties;
  properties.add("capabilities", *capabilities.table()).add("product", "tern");
  properties.add("version", "0.1.0").add("platform", "C++");
  send(0, amqp::ConnectionStart{.server_properties = *properties.table(),
                                .mechanisms = "AMQPLAIN PLAIN EXTERNAL",
                                .locales = "en_US"});
  state_ = State::login;
}

struct AmqpConnectionMethods {
  AmqpSession& s;
  using State = AmqpSession::State;

  void operator()(const amqp::ConnectionStartOk& ok) {
    if (s.state_ != State::login) return unexpected(ok.method);
    s.on_start_ok(ok);
  }
  void operator()(const amqp::ConnectionTuneOk& ok) {
    if (s.state_ != State::tuning) return unexpected(ok.method);
    s.on_tune_ok(ok);
  }
  void operator()(const amqp::ConnectionOpen& open) {
    if (s.state_ != State::opening) return unexpected(open.method);
    if (open.virtual_host.view() != s.broker_.config().virtual_host) {
      return s.close(ReplyErrc::not_allowed, "vhost " + open.virtual_host.str() + " not found",
                     open.method.id);
    }
    s.state_ = State::ready;
    s.send(0, amqp::ConnectionOpenOk());
    if (s.broker_.is_blocked()) s.tell_blocked(true);
  }
  void operator()(const amqp::ConnectionUpdateSecret& m) {
    if (s.state_ != State::ready) return unexpected(m.method);
    s.send(0, amqp::ConnectionUpdateSecretOk());
  }
  // Who has asked closes the socket, too.
  void operator()(const amqp::ConnectionClose&) {
    s.state_ = State::closing;
    s.end_channels();
    s.send(0, amqp::ConnectionCloseOk());
  }
  void operator()(const amqp::ConnectionCloseOk&) { s.reset(); }
  template <class M>
  void operator()(const M& m) {
    unexpected(m.method);
  }
  void unexpected(const amqp::Method& method) {
    if (s.state_ == State::closing) return;
    s.close(ReplyErrc::channel_error, std::string(method.name) + " came out of turn", method.id);
  }
};

void AmqpSession::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.channel != 0) return on_channel_frame(frame);
  AmqpConnectionMethods handler{*this};
  if (const auto error = amqp::dispatch(frame.payload, {}, handler)) refuse(*error);
}

void AmqpSession::on_start_ok(const amqp::ConnectionStartOk& ok) {
  std::string user, password;
  const bool external = ok.mechanism.view() == "EXTERNAL";
  if (!external) {
    const auto& users = broker_.config().users;
    const bool read = read_login(ok, user, password);
    const auto known = users.find(user);
    if (!read || known == users.end() || known->second != password) {
      // Whoever does not know better is just dropped.
      if (!has_capability(ok, "authentication_failure_close")) return reset();
      return close(ReplyErrc::access_refused,
                   "Login was refused using authentication mechanism " + ok.mechanism.str());
    }
  }
  user_ = user;
  hears_of_cancels_ = has_capability(ok, "consumer_cancel_notify");
  hears_of_blocking_ = has_capability(ok, "connection.blocked");
  const AmqpBrokerConfig& config = broker_.config();
  send(0, amqp::ConnectionTune{config.channel_max, config.frame_max, config.heartbeat});
  state_ = State::tuning;
}

void AmqpSession::on_tune_ok(const amqp::ConnectionTuneOk& ok) {
  const AmqpBrokerConfig& config = broker_.config();
  const auto bad = [](auto theirs, auto ours) {
    return ours != 0 && (theirs == 0 || theirs > ours);
  };
  if (bad(ok.channel_max, config.channel_max) || bad(ok.frame_max, config.frame_max) ||
      (ok.frame_max != 0 && ok.frame_max < amqp::kMinFrameMax)) {
    return close(ReplyErrc::not_allowed, "negotiated values are out of range", ok.method.id);
  }
  channel_max_ = ok.channel_max;
  frame_max_ = ok.frame_max == 0 ? kMaxMethodBytes : ok.frame_max;
  heartbeat_ = seconds(ok.heartbeat);
  splitter_.set_limits({frame_max_, std::max(frame_max_, kMaxMethodBytes)});
  state_ = State::opening;
}

void AmqpSession::on_channel_frame(const amqp::Frame& frame) {
  if (state_ == State::closing) return;
  if (state_ != State::ready) {
    return close(ReplyErrc::command_invalid, "a channel was used before connection.open");
  }
  const auto it = channels_.find(frame.channel);
  const bool is_open =
      frame.type == amqp::FrameType::method &&
      wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(frame.payload.data())) ==
          amqp::ChannelOpen::method.id.packed();
  if (it == channels_.end()) {
    if (!is_open) {
      return close(ReplyErrc::channel_error,
                   "expected 'channel.open' on channel " + std::to_string(frame.channel));
    }
    if (channel_max_ != 0 && channels_.size() >= channel_max_) {
      return close(ReplyErrc::not_allowed,
                   "number of channels opened has reached the negotiated "
                   "channel_max");
    }
    channels_[frame.channel] = std::make_unique<AmqpChannel>(*this, frame.channel);
    return send(frame.channel, amqp::ChannelOpenOk());
  }
  if (is_open && !it->second->is_closing()) {
    return close(ReplyErrc::channel_error, "second 'channel.open' seen");
  }
  publishes_ |= frame.type == amqp::FrameType::header;
  it->second->on_frame(frame);
  set_reading();
}

// A client that publishes is not read from while the broker is blocked.
void AmqpSession::set_reading() {
  const bool pause = publishes_ && broker_.is_blocked();
  if (std::exchange(paused_, pause) != pause) broker_.network().pause_read(id_, pause);
}

void AmqpSession::tell_blocked(bool blocked) {
  if (state_ != State::ready) return;
  if (!hears_of_blocking_) {
    // Not told, and held up all the same.
  } else if (blocked) {
    send(0, amqp::ConnectionBlocked{"low on memory"});
  } else {
    send(0, amqp::ConnectionUnblocked());
  }
  set_reading();
}

void AmqpSession::remove(std::uint16_t channel) { channels_.erase(channel); }

void AmqpSession::end_channels() {
  // Taken out first: what one gives back may go to another one, and the last need not get it.
  auto channels = std::exchange(channels_, {});
  while (!channels.empty()) channels.erase(channels.begin());
  broker_.store().end_connection(number_);
}

// --------------------------------------------------------------------------------------- the end

void AmqpSession::close(ReplyErrc code, const std::string& text, amqp::MethodId method) {
  if (state_ == State::closing || state_ == State::ending || closed_) return;
  state_ = State::closing;
  end_channels();
  const std::string words = std::string(amqp::reply_name(code)) + " - " + text;
  send(0, amqp::ConnectionClose{static_cast<std::uint16_t>(code),
                                std::string_view(words).substr(0, 255), method.class_id,
                                method.method_id});
}

// RabbitMQ does not tell a wrong method from a wrong frame.
void AmqpSession::refuse(const amqp::PayloadError& error) {
  const bool is_cut = error.reply == ReplyErrc::syntax_error;
  close(is_cut ? ReplyErrc::frame_error : error.reply, error.message(), error.id);
}

void AmqpSession::reset() {
  if (std::exchange(closed_, true)) return;
  end_channels();
  broker_.network().close(id_);
}

void AmqpSession::on_closed(Stage, std::error_code, Now) {
  closed_ = gone_ = true;
  end_channels();
}

void AmqpSession::step(Now now) {
  if (closed_) return;
  for (auto& [id, channel] : channels_) {
    channel->expire(now.mono);
    channel->flush();
  }
  if (state_ == State::closing) {
    if (close_deadline_ == kNever) {
      const bool soon = heartbeat_ != Duration::zero() && heartbeat_ < kCloseTimeout;
      close_deadline_ = deadline_after(now.mono, soon ? heartbeat_ : kCloseTimeout);
    }
    if (now.mono >= close_deadline_) return reset();
  }
  if (state_ != State::ready || heartbeat_ == Duration::zero()) return;
  if (!paused_ && now.mono - last_heard_ >= 2 * heartbeat_) return reset();
  if (now.mono - last_sent_ >= heartbeat_ / 2) {
    last_sent_ = now.mono;
    const auto bytes = room(amqp::kHeartbeatFrame.size());
    std::memcpy(bytes.data(), amqp::kHeartbeatFrame.data(), bytes.size());
  }
}

Time AmqpSession::next_deadline() const {
  if (closed_) return kNever;
  if (state_ == State::closing) return close_deadline_;
  Time next = kNever;
  for (const auto& [id, channel] : channels_) next = std::min(next, channel->next_deadline());
  if (state_ != State::ready || heartbeat_ == Duration::zero()) return next;
  next = std::min(next, deadline_after(last_sent_, heartbeat_ / 2));
  return paused_ ? next : std::min(next, deadline_after(last_heard_, 2 * heartbeat_));
}

}  // namespace tern::broker
