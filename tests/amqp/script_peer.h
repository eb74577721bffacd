// A peer in a simulated world that speaks AMQP as a test tells it: logs clients in, opens channels,
// notes what it is told, and says what the test wants said.
#ifndef TERN_TESTS_AMQP_SCRIPT_PEER_H_
#define TERN_TESTS_AMQP_SCRIPT_PEER_H_

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "tests/amqp/testing.h"
#include "tests/sim/network.h"

namespace tern::amqp::testing {

inline std::string as_text(const ByteVector& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string frame_text(FrameType type, std::uint16_t channel, const ByteVector& payload) {
  ByteVector out(payload.size() + kFrameOverheadBytes);
  wire::Writer writer(out);
  begin_frame(type, channel, payload.size(), writer);
  writer.bytes(payload.data(), payload.size());
  end_frame(writer);
  return as_text(out);
}
template <class M>
std::string method_text(std::uint16_t channel, const M& message) {
  return frame_text(FrameType::method, channel, encode_all(message));
}
// Header and body, in frames of at most `frame_max`.
inline std::string content_text(std::uint16_t channel, std::string_view body,
                                const BasicProperties& properties = {},
                                std::uint32_t frame_max = 131'072) {
  ContentHeader header{body.size(), properties};
  std::string out = frame_text(FrameType::header, channel, encode_all(header));
  ByteVector frames(body_size(body.size(), frame_max).total);
  wire::Writer writer(frames);
  encode_body(wire::Bytes(body), channel, frame_max, writer);
  return out + as_text(frames);
}

class ScriptPeer final : public Machine, public Acceptor {
 public:
  class Session final : public Link {
   public:
    Session(ScriptPeer& owner, LinkId at) : peer(owner), id(at) {}
    std::span<std::byte> read_space() override { return space_; }
    void on_read(std::size_t n, Now) override {
      in.append(reinterpret_cast<const char*>(space_.data()), n);
      if (!peer.deaf) peer.on_data(*this);
    }
    void gather(BufferList& list) override {
      gathered_ = out.size();
      list.add(out.data(), out.size());
    }
    void on_written(std::size_t n, Now) override {
      out.erase(0, n);
      out += std::exchange(later_, {});
      gathered_ = 0;
      if (out.empty() && close_when_sent) peer.net.close(id);
    }
    void on_open(Now) override {}
    void on_closed(Stage, std::error_code, Now) override { closed = true; }

    void send(std::string_view bytes) {
      if (closed) return;
      (gathered_ != 0 ? later_ : out) += bytes;
      peer.net.want_write(id);
    }
    template <class M>
    void send(std::uint16_t channel, const M& message) {
      send(method_text(channel, message));
    }

    ScriptPeer& peer;
    const LinkId id;
    std::string in, out;
    FrameSplitter splitter{FrameSplitter::From::client, {1U << 24, 1U << 24}};
    bool close_when_sent = false;
    bool closed = false;
    std::uint16_t content_channel = 0;
    std::string body;  // of the message that is coming
    std::uint64_t body_size = 0;
    std::string publish;  // its method, as text

   private:
    std::vector<std::byte> space_ = std::vector<std::byte>(64 * 1024);
    std::string later_;
    std::size_t gathered_ = 0;
  };

  // A message that a client has published.
  struct Message {
    std::uint16_t channel;
    std::string publish;
    std::string properties;
    std::string body;
  };

  explicit ScriptPeer(sim::Fabric& fabric, const std::string& host = "peer") : net(fabric, host) {
    net.attach(*this);
    std::error_code error;
    net.listen({host, 5672}, *this, error);
    EXPECT_FALSE(error);
  }
  ~ScriptPeer() { net.crash(); }

  Link* on_accept(LinkId id, const Endpoint&) override {
    sessions.emplace_back(*this, id);
    return &sessions.back();
  }
  void step(Now) override {}
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

  Session& last() { return sessions.back(); }
  // What clients have said, in order: "0 connection.open{...}", "heartbeat", "body 5".
  std::vector<std::string> said;
  std::size_t times_said(std::string_view words) const {
    std::size_t count = 0;
    for (const std::string& each : said) count += each.find(words) != std::string::npos ? 1U : 0U;
    return count;
  }
  std::vector<Message> messages;

  // The first to answer; true: answered, or not to be.
  std::function<bool(Session&, std::uint16_t channel, MethodId, wire::Bytes payload)> on_method =
      [](Session&, std::uint16_t, MethodId, wire::Bytes) { return false; };
  std::function<void(Session&, const Message&)> on_message = [](Session&, const Message&) {};
  std::function<void(Session&)> on_data = [this](Session& session) { serve(session); };
  bool deaf = false;  // nothing is read any more

  ConnectionTune tune{2047, 131'072, 60};
  std::string mechanisms = "AMQPLAIN PLAIN EXTERNAL";
  // A greeting with RabbitMQ's capabilities.
  ConnectionStart start() {
    TableBuilder capabilities;
    for (const char* each : {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
                             "consumer_cancel_notify", "connection.blocked"}) {
      capabilities.add(each, true);
    }
    properties_ = {};
    properties_.add("product", "RabbitMQ").add("version", "3.10.8");
    properties_.add("capabilities", *capabilities.table());
    return {.server_properties = *properties_.table(),
            .mechanisms = std::string_view(mechanisms),
            .locales = "en_US"};
  }

  void serve(Session& session) {
    for (;;) {
      const auto input = std::as_bytes(std::span(session.in.data(), session.in.size()));
      const Split split = session.splitter.next(input);
      switch (split.kind) {
        case Split::Kind::need_more:
          return;
        case Split::Kind::error:
          ADD_FAILURE() << "a client sent nonsense: " << session.splitter.error().message();
          deaf = true;
          return;
        case Split::Kind::protocol_header:
          said.emplace_back("protocol header");
          if (greets) session.send(0, start());
          break;
        case Split::Kind::frame:
          on_frame(session, split.frame);
          break;
      }
      session.in.erase(0, split.size);
    }
  }
  bool greets = true;

  sim::Network net;
  std::list<Session> sessions;

 private:
  struct Answer {
    Session& session;
    std::uint16_t channel;
    const ConnectionTune& tune;

    void operator()(const ConnectionStartOk&) { session.send(0, tune); }
    void operator()(const ConnectionOpen&) { session.send(0, ConnectionOpenOk()); }
    void operator()(const ConnectionClose&) { session.send(0, ConnectionCloseOk()); }
    void operator()(const ConnectionCloseOk&) { session.close_when_sent = true; }
    void operator()(const ConnectionUpdateSecret&) { session.send(0, ConnectionUpdateSecretOk()); }
    void operator()(const ChannelOpen&) { session.send(channel, ChannelOpenOk()); }
    void operator()(const ChannelClose&) { session.send(channel, ChannelCloseOk()); }
    void operator()(const ConfirmSelect&) { session.send(channel, ConfirmSelectOk()); }
    void operator()(const BasicQos&) { session.send(channel, BasicQosOk()); }
    void operator()(const BasicConsume& m) {
      session.send(channel, BasicConsumeOk{m.consumer_tag});
    }
    void operator()(const BasicCancel& m) { session.send(channel, BasicCancelOk{m.consumer_tag}); }
    void operator()(const QueueDeclare& m) { session.send(channel, QueueDeclareOk{m.queue, 7, 3}); }
    void operator()(const ExchangeDeclare&) { session.send(channel, ExchangeDeclareOk()); }
    template <class M>
    void operator()(const M&) {}
  };

  void on_frame(Session& session, const Frame& frame) {
    switch (frame.type) {
      case FrameType::heartbeat:
        said.emplace_back("heartbeat");
        return;
      case FrameType::method: {
        const std::string text = print_method(frame.payload);
        said.push_back(std::to_string(frame.channel) + " " + text);
        const auto* data = reinterpret_cast<const std::byte*>(frame.payload.data());
        const MethodId id{wire::load_be<std::uint16_t>(data),
                          wire::load_be<std::uint16_t>(data + 2)};
        if (id == BasicPublish::method.id) session.publish = text;
        if (on_method(session, frame.channel, id, frame.payload)) return;
        EXPECT_FALSE(dispatch(frame.payload, {}, Answer{session, frame.channel, tune}));
        return;
      }
      case FrameType::header: {
        ContentHeader header;
        EXPECT_FALSE(decode_header(frame.payload, {}, header));
        session.body.clear();
        session.body_size = header.body_size;
        session_properties_ = print(header.properties);
        break;
      }
      case FrameType::body:
        session.body.append(frame.payload.view());
        body_frames.push_back(frame.payload.size());
        break;
    }
    if (session.body.size() != session.body_size) return;
    messages.push_back({frame.channel, session.publish, session_properties_, session.body});
    on_message(session, messages.back());
  }

  std::string session_properties_;
  TableBuilder properties_;

 public:
  std::vector<std::size_t> body_frames;  // the sizes of their payloads
};

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_AMQP_SCRIPT_PEER_H_
