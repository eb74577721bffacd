// A peer in a simulated world that does what a test tells it: for all that is not a Kafka broker,
// or a strange one.
#ifndef TERN_TESTS_KAFKA_SCRIPT_PEER_H_
#define TERN_TESTS_KAFKA_SCRIPT_PEER_H_

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/kafka/api.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/messages/api_versions.h"
#include "protocol/kafka/messages/metadata.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"
#include "tests/sim/network.h"

namespace tern::kafka {

class ScriptPeer final : public Machine, public Acceptor {
 public:
  class Session final : public Link {
   public:
    Session(ScriptPeer& owner, LinkId at) : peer(owner), id(at) {}
    std::span<std::byte> read_space() override { return space_; }
    void on_read(std::size_t n, Now) override {
      in.append(reinterpret_cast<const char*>(space_.data()), n);
      peer.on_data(*this);
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
      (gathered_ != 0 ? later_ : out) += bytes;
      peer.net.want_write(id);
    }

    ScriptPeer& peer;
    const LinkId id;
    std::string in, out;
    bool close_when_sent = false;
    bool closed = false;

   private:
    std::vector<std::byte> space_ = std::vector<std::byte>(64 * 1024);
    std::string later_;
    std::size_t gathered_ = 0;
  };

  // A request that has come in whole.
  struct Request {
    Session& session;
    RequestHeader header;
    std::string bytes;
  };

  explicit ScriptPeer(sim::Fabric& fabric, const std::string& host = "peer") : net(fabric, host) {
    net.attach(*this);
    std::error_code error;
    net.listen({host, 9092}, *this, error);
    EXPECT_FALSE(error);
  }
  ~ScriptPeer() { net.crash(); }

  Link* on_accept(LinkId id, const Endpoint&) override {
    sessions.emplace_back(*this, id);
    if (on_connect) on_connect(sessions.back());
    return &sessions.back();
  }
  void step(Now) override {}
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

  // By default: cuts what comes in into requests, answers ApiVersions from `offered`, gives the
  // others to on_request.
  std::function<void(Session&)> on_connect;
  std::function<void(Session&)> on_data = [this](Session& session) { serve(session); };
  std::function<void(const Request&)> on_request;
  std::function<bool(const Request&)> on_versions;  // true: answered
  std::map<std::int16_t, VersionRange> offered = {
      {0, {3, 13}}, {3, {0, 13}}, {18, {0, 4}}, {19, {2, 7}}, {22, {0, 5}}};
  int requests = 0;

  static std::string frame(std::string_view body) {
    std::string bytes(4, '\0');
    wire::store_be<std::uint32_t>(reinterpret_cast<std::byte*>(bytes.data()),
                                  static_cast<std::uint32_t>(body.size()));
    return bytes.append(body);
  }
  static std::string number(std::int32_t value) {
    std::string bytes(4, '\0');
    wire::store_be<std::uint32_t>(reinterpret_cast<std::byte*>(bytes.data()),
                                  static_cast<std::uint32_t>(value));
    return bytes;
  }
  // The answer as a frame, in the version asked in unless `version` says otherwise.
  template <class Reply>
  static std::string answer(const Request& to, const Reply& reply, std::int16_t version = -1) {
    if (version < 0) version = to.header.api_version;
    const auto size = encoded_size(reply, version);
    EXPECT_TRUE(size);
    std::vector<std::byte> body(size->total);
    wire::Writer writer(body);
    encode(reply, version, writer);
    std::string bytes = number(to.header.correlation_id);
    if (response_header_version(to.header.api_key, version) >= 1) bytes += '\0';
    bytes.append(reinterpret_cast<const char*>(body.data()), body.size());
    return frame(bytes);
  }
  ApiVersionsResponse versions() {
    keys_.clear();
    for (const auto& [key, range] : offered) {
      ApiVersionsResponse::ApiVersion each;
      each.api_key = key;
      each.min_version = range.min;
      each.max_version = range.max;
      keys_.push_back(each);
    }
    ApiVersionsResponse reply;
    reply.api_keys = {keys_.data(), keys_.size()};
    return reply;
  }

  void serve(Session& session) {
    while (session.in.size() >= 4) {
      const auto size =
          wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(session.in.data()));
      if (session.in.size() < 4 + std::size_t{size}) return;
      Request request{session, {}, session.in.substr(4, size)};
      session.in.erase(0, 4 + std::size_t{size});
      wire::Reader reader(std::as_bytes(std::span(request.bytes)));
      ASSERT_TRUE(decode_request_header(reader, request.header));
      ++requests;
      if (request.header.api_key != 18) {
        if (on_request) on_request(request);
      } else if (!on_versions || !on_versions(request)) {
        session.send(answer(request, versions()));
      }
    }
  }

  sim::Network net;
  std::list<Session> sessions;

 private:
  std::vector<ApiVersionsResponse::ApiVersion> keys_;
};

}  // namespace tern::kafka

#endif  // TERN_TESTS_KAFKA_SCRIPT_PEER_H_
