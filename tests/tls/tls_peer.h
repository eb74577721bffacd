// Puts TLS before an acceptor, of a simulated world or of real sockets: its links get the bytes
// that OpenSSL, as a server, makes of what arrives.
#ifndef TERN_TESTS_TLS_TLS_PEER_H_
#define TERN_TESTS_TLS_TLS_PEER_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "client/core/ports.h"
#include "tests/tls/server.h"

namespace tern::tls::testing {

class TlsPeer final : public Acceptor {
 public:
  // Listens on `endpoint` for `plain`, which uses the same network.
  TlsPeer(Network& network, const Endpoint& endpoint, Acceptor& plain, ServerOptions options)
      : network_(network), plain_(plain), options_(std::move(options)) {
    std::error_code error;
    network_.listen(endpoint, *this, error, &endpoint_);
    EXPECT_FALSE(error) << error.message();
  }
  const Endpoint& endpoint() const { return endpoint_; }  // with the real port

  class ServerLink final : public Link {
   public:
    ServerLink(Network& network, LinkId id, const ServerOptions& options)
        : server(options), network_(network), id_(id) {}
    std::span<std::byte> read_space() override { return space_; }
    void on_read(std::size_t n, Now now) override {
      server.feed({reinterpret_cast<const char*>(space_.data()), n});
      while (!server.received.empty() && !closed) {
        const std::span<std::byte> room = plain->read_space();
        const std::size_t part = std::min(room.size(), server.received.size());
        std::memcpy(room.data(), server.received.data(), part);
        server.received.erase(0, part);
        plain->on_read(part, now);
      }
      later_ += server.take();
      if (!later_.empty() || server.is_open()) network_.want_write(id_);
      end_if_broken();
    }
    void gather(BufferList& list) override {
      if (out_.empty()) {
        if (server.is_open()) encrypt();
        out_ = std::exchange(later_, {}) + server.take();
      }
      list.add(out_.data(), out_.size());
    }
    void on_written(std::size_t n, Now now) override {
      // A new string: the one that was gathered may still be looked at.
      out_ = out_.substr(n);
      if (out_.empty() && plain_bytes_ != 0) plain->on_written(std::exchange(plain_bytes_, 0), now);
      end_if_broken();
    }
    void on_open(Now now) override { plain->on_open(now); }
    void on_closed(Stage stage, std::error_code why, Now now) override {
      closed = true;
      plain->on_closed(stage, why, now);
    }

    Server server;
    Link* plain = nullptr;
    bool closed = false;

   private:
    // Once the alert has gone out.
    void end_if_broken() {
      if (!server.error.empty() && later_.empty() && out_.empty() && !closed) network_.close(id_);
    }
    void encrypt() {
      BufferList list;
      plain->gather(list);
      for (const auto& piece : list.pieces()) {
        server.send({static_cast<const char*>(piece.data), piece.size});
      }
      plain_bytes_ = list.bytes();
    }

    Network& network_;
    const LinkId id_;
    std::vector<std::byte> space_ = std::vector<std::byte>(8 * 1024);
    std::string out_, later_;
    std::size_t plain_bytes_ = 0;
  };

  Link* on_accept(LinkId id, const Endpoint& peer) override {
    ServerLink& link = links.emplace_back(network_, id, options_);
    link.plain = plain_.on_accept(id, peer);
    return link.plain ? &link : nullptr;
  }

  std::list<ServerLink> links;

 private:
  Network& network_;
  Acceptor& plain_;
  const ServerOptions options_;
  Endpoint endpoint_;
};

}  // namespace tern::tls::testing

#endif  // TERN_TESTS_TLS_TLS_PEER_H_
