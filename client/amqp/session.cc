#include "client/amqp/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/core/version.h"
#include "protocol/amqp/methods/all.h"

namespace tern::amqp {
namespace {

constexpr std::uint16_t kZero = 0;
constexpr std::string_view kLocale = "en_US";

// Whether `word` is one of the words of `list`.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string text_of(const Table& table, std::string_view name) {
  const auto value = table.find(name);
  const auto text = value ? value->text() : std::nullopt;
  return text ? std::string(text->substr(0, 255)) : std::string();
}

bool flag_of(const Table& table, std::string_view name) {
  const auto value = table.find(name);
  return value && value->boolean().value_or(false);
}

ServerInfo info_of(const Table& properties) {
  ServerInfo info;
  info.product = text_of(properties, "product");
  info.version = text_of(properties, "version");
  const auto value = properties.find("capabilities");
  const auto capabilities = value ? value->table() : std::nullopt;
  if (!capabilities) return info;
  info.publisher_confirms = flag_of(*capabilities, "publisher_confirms");
  info.exchange_exchange_bindings = flag_of(*capabilities, "exchange_exchange_bindings");
  info.basic_nack = flag_of(*capabilities, "basic.nack");
  info.consumer_cancel_notify = flag_of(*capabilities, "consumer_cancel_notify");
  return info;
}

std::string sasl_response(Mechanism mechanism, const Credentials& credentials) {
  switch (mechanism) {
    case Mechanism::plain: {
      std::string response(1, '\0');
      response += credentials.user;
      response += '\0';
      return response += credentials.password;
    }
    case Mechanism::amqplain: {
      TableBuilder builder;
      builder.add("LOGIN", credentials.user).add("PASSWORD", credentials.password);
      const auto table = builder.table();
      return table ? std::string(table->run().data, table->run().size) : std::string();
    }
    case Mechanism::external:
      return {};
  }
  return {};
}

// Who may be talking instead of an AMQP broker, by its first bytes.
const char* other_protocol(std::string_view first) {
  if (first.starts_with("HTTP")) return "an HTTP server answered";
  if (first.starts_with("\x15\x03") || first.starts_with("\x16\x03")) {
    return "the peer speaks TLS; this may be the port for amqps://";
  }
  if (first.starts_with("SSH-")) return "an SSH server answered";
  return nullptr;
}

}  // namespace

bool agree(const ConnectionConfig& ours, const ConnectionTune& theirs, Tuning& out) {
  const auto lower = [](auto a, auto b) { return b == decltype(b){} ? a : std::min(a, b); };
  if (theirs.frame_max != 0 && theirs.frame_max < kMinFrameMax) return false;
  out.channel_max = lower(ours.channel_max, theirs.channel_max);
  out.frame_max = lower(ours.frame_max, theirs.frame_max);
  const Duration heartbeat = std::chrono::seconds(theirs.heartbeat);
  out.heartbeat = ours.heartbeat == Duration::zero() ? heartbeat : lower(ours.heartbeat, heartbeat);
  return true;
}

Session::Session(Network& network, Timers& timers, FramePool& pool, const ConnectionConfig& config,
                 Owner& owner)
    : network_(network),
      pool_(pool),
      config_(config),
      owner_(owner),
      incoming_(pool),
      output_(pool),
      timer_(Timer::calling<&Session::on_timer>(timers, this)) {}

void Session::open(const Endpoint& host, Credentials credentials, Now now) {
  host_ = host;
  credentials_ = std::move(credentials);
  reason_ = {};
  tuning_ = {};
  server_ = {};
  ends_when_written_ = write_wanted_ = blocked_ = paused_ = false;
  incoming_.reset({kMinFrameMax, config_.max_method_bytes, config_.max_body_bytes});
  state_ = State::connecting;
  deadline_ = deadline_after(now.mono, config_.connect_timeout);
  link_ = network_.open(host_, *this);
  arm_timer();
}

Failure Session::refuse(const Method& method, const char* field, std::error_code why) {
  return Failure(make_error_code(ClientErrc::invalid_argument),
                 std::string(method.name) + ": " + field + ": " + why.message());
}

void Session::want_write() {
  if (!std::exchange(write_wanted_, true)) network_.want_write(link_);
}

// ------------------------------------------------------------------------------- the handshake

void Session::on_open(Now now) {
  if (state_ != State::connecting) return;
  state_ = State::greeting;
  last_heard_ = last_written_ = now.mono;
  const std::span<std::byte> room = output_.room(kProtocolHeader.size());
  std::memcpy(room.data(), kProtocolHeader.data(), kProtocolHeader.size());
  output_.commit(kProtocolHeader.size());
  want_write();
}

void Session::on_start(const ConnectionStart& start) {
  if (start.version_major != 0 || start.version_minor != 9) {
    return not_amqp("the broker speaks AMQP " + std::to_string(start.version_major) + "." +
                    std::to_string(start.version_minor));
  }
  server_ = info_of(start.server_properties);
  const char* const mechanism = amqp::name(config_.mechanism);
  if (!has_word(start.mechanisms, mechanism)) {
    return drop(Failure(make_error_code(ReplyErrc::access_refused),
                        name() + ": the broker does not take the mechanism " + mechanism +
                            ", but " + std::string(start.mechanisms.view().substr(0, 255))));
  }
  TableBuilder capabilities;
  for (const char* each :
       {"authentication_failure_close", "basic.nack", "connection.blocked",
        "consumer_cancel_notify", "exchange_exchange_bindings", "publisher_confirms"}) {
    capabilities.add(each, true);
  }
  TableBuilder properties;
  properties.add("product", "tern").add("version", kVersion).add("platform", "C++");
  properties.add("capabilities", *capabilities.table());
  if (!config_.connection_name.empty()) {
    properties.add("connection_name", config_.connection_name);
  }
  const std::string response = sasl_response(config_.mechanism, credentials_);
  const ConnectionStartOk ok{.client_properties = *properties.table(),
                             .mechanism = mechanism,
                             .response = std::string_view(response),
                             .locale = kLocale};
  const auto size = encoded_size(ok);
  if (!size || *size + kFrameOverheadBytes > kMinFrameMax) {
    return drop(Failure(make_error_code(ClientErrc::invalid_config),
                        name() + ": user, password and connection name do not fit into the 4,096 "
                                 "bytes that a login may have"));
  }
  credentials_ = {};
  state_ = State::login;
  (void)send(kZero, ok);
}

void Session::on_tune(const ConnectionTune& tune) {
  if (!agree(config_, tune, tuning_)) {
    return violate(ReplyErrc::not_allowed,
                   "the broker offers frames of " + std::to_string(tune.frame_max) +
                       " bytes; at least 4096 are needed",
                   now_);
  }
  incoming_.set_limits({tuning_.frame_max, config_.max_method_bytes, config_.max_body_bytes});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(tuning_.heartbeat);
  (void)send(kZero, ConnectionTuneOk{tuning_.channel_max, tuning_.frame_max,
                                     static_cast<std::uint16_t>(seconds.count())});
  (void)send(kZero, ConnectionOpen{config_.virtual_host});
  state_ = State::opening;
}

bool Session::on_protocol_header(const ProtocolHeader& header) {
  std::string version;
  for (const std::uint8_t each : header.version) {
    version += (version.empty() ? "" : ".") + std::to_string(each);
  }
  not_amqp("the broker does not speak AMQP 0-9-1; it answers with a header for " + version);
  return false;
}

std::string Session::greeting_from_elsewhere() const {
  const std::span<const std::byte> first = incoming_.first_bytes();
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  if (const char* other = other_protocol(text)) return other;
  return "the answer is none of AMQP (" + incoming_.error().text + ")";
}

void Session::not_amqp(std::string what) {
  drop(Failure(make_error_code(ClientErrc::not_the_protocol), name() + ": " + std::move(what)));
}

// --------------------------------------------------------------------------------- what comes in

// The methods of channel 0.
struct ChannelZero {
  Session& s;
  using State = Session::State;

  void operator()(const ConnectionStart& start) {
    if (s.state_ == State::greeting) return s.on_start(start);
    unexpected(ConnectionStart::method);
  }
  void operator()(const ConnectionTune& tune) {
    if (s.state_ == State::login) return s.on_tune(tune);
    unexpected(ConnectionTune::method);
  }
  void operator()(const ConnectionOpenOk&) {
    if (s.state_ != State::opening) return unexpected(ConnectionOpenOk::method);
    s.state_ = State::ready;
    s.deadline_ = kNever;
    s.owner_.on_session_ready(s.now_);
  }
  void operator()(const ConnectionBlocked& blocked) {
    if (s.state_ != State::ready) return unexpected(ConnectionBlocked::method);
    s.blocked_ = true;
    s.owner_.on_blocked(true, blocked.reason.view(), s.now_);
  }
  void operator()(const ConnectionUnblocked&) {
    if (s.state_ != State::ready) return unexpected(ConnectionUnblocked::method);
    if (std::exchange(s.blocked_, false)) s.owner_.on_blocked(false, {}, s.now_);
  }
  void operator()(const ConnectionUpdateSecretOk&) {
    if (!s.update_done_) return unexpected(ConnectionUpdateSecretOk::method);
    s.finish_update({});
  }
  void operator()(const ConnectionClose& close) { s.on_peer_close(close); }
  void operator()(const ConnectionCloseOk&) {
    if (s.state_ != State::closing) return unexpected(ConnectionCloseOk::method);
    s.drop({});
  }
  template <class M>
  void operator()(const M&) {
    unexpected(M::method);
  }

  void unexpected(const Method& method) {
    // After connection.close only its answer counts.
    if (s.state_ == State::closing) return;
    s.violate(ReplyErrc::command_invalid, std::string(method.name) + " came out of turn", s.now_);
  }
};

bool Session::on_method(std::uint16_t channel, wire::Bytes payload) {
  if (channel == kZero) {
    ChannelZero handler{*this};
    if (const auto error = dispatch(payload, {}, handler)) {
      violate(error->reply, error->message(), now_);
    }
  } else if (state_ == State::ready) {
    owner_.on_channel_method(channel, payload, now_);
  } else if (state_ != State::closing) {
    violate(ReplyErrc::command_invalid, "a method came on a channel before open-ok", now_);
  }
  return state_ != State::dropping && state_ != State::ending;
}

bool Session::on_content(std::uint16_t channel, Content content) {
  if (state_ == State::ready) owner_.on_channel_content(channel, std::move(content), now_);
  return state_ != State::dropping && state_ != State::ending;
}

Incoming::Take Session::takes_content(std::uint16_t channel) {
  if (state_ == State::closing) return Incoming::Take::pass_over;
  return state_ == State::ready ? owner_.takes_content(channel) : Incoming::Take::refuse;
}

void Session::on_read(std::size_t n, Now now) {
  now_ = now;
  last_heard_ = now.mono;
  if (state_ == State::dropping || state_ == State::ending) return;
  if (!incoming_.on_read(n, *this)) {
    if (state_ == State::greeting) {
      not_amqp(greeting_from_elsewhere());
    } else {
      violate(incoming_.error().reply, incoming_.error().text, now);
    }
  }
  arm_timer();
}

// -------------------------------------------------------------------------------- what goes out

void Session::gather(BufferList& out) {
  write_wanted_ = false;
  if (state_ != State::dropping) output_.gather(out);
}

void Session::on_written(std::size_t n, Now now) {
  output_.consume(n);
  last_written_ = now.mono;
  owner_.on_session_written();
  if (state_ == State::ending && ends_when_written_ && output_.empty()) drop({});
}

void Session::update_secret(std::string_view secret, std::string_view reason,
                            Completion<const Failure&> done) {
  if (state_ != State::ready) {
    return done(Failure(make_error_code(ClientErrc::no_broker), "there is no connection now"));
  }
  if (update_done_) return done(Failure(make_error_code(ClientErrc::busy)));
  const Failure failure = send(kZero, ConnectionUpdateSecret{secret, reason});
  if (failure) return done(failure);
  update_done_ = std::move(done);
}

void Session::finish_update(const Failure& failure) {
  if (update_done_) update_done_(failure);
}

void Session::pause_read(bool paused, Now now) {
  if (paused_ == paused || state_ == State::closed) return;
  paused_ = paused;
  last_heard_ = now.mono;
  network_.pause_read(link_, paused);
  arm_timer();
}

// -------------------------------------------------------------------------------------- endings

void Session::close(Now now) {
  switch (state_) {
    case State::closed:
    case State::closing:
    case State::ending:
    case State::dropping:
      return;
    case State::connecting:
    case State::greeting:
    case State::login:
    case State::opening:
      return drop(Failure(make_error_code(ClientErrc::closed)));
    case State::ready:
      break;
  }
  reason_ = Failure(make_error_code(ClientErrc::closed));
  (void)send(kZero,
             ConnectionClose{static_cast<std::uint16_t>(ReplyErrc::success), "Goodbye", 0, 0});
  state_ = State::closing;
  pause_read(false, now);
  deadline_ = deadline_after(now.mono, config_.close_timeout);
  arm_timer();
}

void Session::violate(ReplyErrc reply, const std::string& what, Now now) {
  if (state_ == State::closed || state_ == State::ending || state_ == State::dropping) return;
  if (!reason_) {
    reason_ = Failure(make_error_code(ClientErrc::protocol_violation), name() + ": " + what);
  }
  // Before there is anything to be lost, nobody waits for what we have to say.
  if (state_ != State::ready && state_ != State::opening) return drop(reason_);
  (void)send(kZero, ConnectionClose{static_cast<std::uint16_t>(reply),
                                    std::string_view(what).substr(0, 255), 0, 0});
  state_ = State::ending;
  deadline_ = deadline_after(now.mono, config_.close_timeout);
  arm_timer();
}

void Session::on_peer_close(const ConnectionClose& close) {
  if (!reason_) {
    const auto code = static_cast<ReplyErrc>(close.reply_code);
    std::string text = name() +
                       ": the broker closed the connection: " + std::to_string(close.reply_code) +
                       " " + close.reply_text.str();
    if (const MethodInfo* blamed = find_method({close.class_id, close.method_id})) {
      text += std::string(" (") + blamed->method.name + ")";
    }
    // A broker that says "success" has ended it all the same.
    reason_ = code == ReplyErrc::success
                  ? Failure(std::make_error_code(std::errc::connection_aborted), std::move(text))
                  : Failure(make_error_code(code), std::move(text));
  }
  (void)send(kZero, ConnectionCloseOk());
  state_ = State::ending;
  ends_when_written_ = true;
  deadline_ = deadline_after(now_.mono, config_.close_timeout);
}

// Without a word. An empty `why` leaves the reason that is known.
void Session::drop(const Failure& why) {
  if (state_ == State::closed || state_ == State::dropping) return;
  if (why && !reason_) reason_ = why;
  state_ = State::dropping;
  network_.close(link_);
  arm_timer();
}

void Session::on_closed(Stage stage, std::error_code why, Now now) {
  now_ = now;
  Failure failure = reason_;
  const std::string more(network_.why_closed());
  if (failure && !more.empty()) failure = Failure(failure.code, failure.message() + "; " + more);
  if (!failure) {
    std::string text = name() + ": " + to_string(stage) + ": " + why.message();
    if (!more.empty()) text += ": " + more;
    if (state_ == State::greeting && stage != Stage::tls) {
      text += "; it was closed before the broker said anything";
    }
    if (state_ == State::login) {
      text += "; it was closed after the login: user or password may be wrong";
    }
    if (state_ == State::opening) text += "; it was closed instead of opening the virtual host";
    failure = Failure(why, std::move(text));
  }
  state_ = State::closed;
  link_ = {};
  deadline_ = kNever;
  credentials_ = {};
  arm_timer();
  owner_.on_session_ended(failure, now);
  finish_update(failure);
  output_.clear();
  incoming_.reset({});
}

void Session::on_timer(Now now) {
  now_ = now;
  if (now.mono >= deadline_) {
    if (state_ == State::closing || state_ == State::ending) return drop({});
    return drop(
        Failure(make_error_code(ClientErrc::timed_out),
                name() + ": " +
                    (state_ == State::connecting ? "no connection" : "no end of the handshake") +
                    " within connect_timeout"));
  }
  if (state_ == State::ready && tuning_.heartbeat > Duration::zero()) {
    if (!paused_ && now.mono - last_heard_ >= 2 * tuning_.heartbeat) {
      return drop(Failure(make_error_code(ClientErrc::timed_out),
                          name() + ": no sign of life from the broker in two heartbeats"));
    }
    if (now.mono - last_written_ >= tuning_.heartbeat / 2) {
      last_written_ = now.mono;
      if (output_.empty()) {
        const std::span<std::byte> room = output_.room(kHeartbeatFrame.size());
        std::memcpy(room.data(), kHeartbeatFrame.data(), kHeartbeatFrame.size());
        output_.commit(kHeartbeatFrame.size());
        want_write();
      }
    }
  }
  arm_timer();
}

// A timer that fires early does no harm, so it is moved only to an earlier time.
void Session::arm_timer() {
  Time next = state_ == State::closed || state_ == State::dropping ? kNever : deadline_;
  if (state_ == State::ready && tuning_.heartbeat > Duration::zero()) {
    next = std::min(next, deadline_after(last_written_, tuning_.heartbeat / 2));
    if (!paused_) next = std::min(next, deadline_after(last_heard_, 2 * tuning_.heartbeat));
  }
  if (next == kNever) return timer_.cancel();
  if (timer_.when() > next) timer_.set(next);
}

}  // namespace tern::amqp
