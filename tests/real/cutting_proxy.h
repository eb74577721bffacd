// A proxy before a real RabbitMQ, on a thread of its own: passes bytes on, and cuts connections at
// any byte, lets nothing through any more, or says things that the client did not say.
#ifndef TERN_TESTS_REAL_CUTTING_PROXY_H_
#define TERN_TESTS_REAL_CUTTING_PROXY_H_

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/packaged_task.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tests/real/environment.h"

namespace tern::amqp::testing {

inline constexpr std::size_t kNoCut = SIZE_MAX;

class Proxy {
  using tcp = asio::ip::tcp;

 public:
  explicit Proxy(const asio::ip::address& at = asio::ip::address_v4::loopback())
      : acceptor_(context_, tcp::endpoint(at, 0)) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Proxy() {
    context_.stop();
    thread_.join();
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::uint16_t port() const { return port_; }
  // Ends all connections there are. The next one ends when so many bytes of the client (or of the
  // broker) have come through; the one after it does not.
  void cut(std::size_t of_client = kNoCut, std::size_t of_broker = kNoCut) {
    on_thread([=, this] {
      next_limit_ = {of_client, of_broker};
      for (const auto& each : std::exchange(pairs_, {})) each->close();
    });
  }
  // The same for the connection there is, from now on.
  void cut_after(std::size_t of_client, std::size_t of_broker) {
    on_thread([=, this] {
      for (const auto& each : pairs_) each->left = {of_client, of_broker};
    });
  }
  // The broker hears this on the newest connection, and takes it for the client's.
  void say(const std::string& bytes) {
    on_thread([this, bytes] { asio::write(pairs_.back()->sockets[1], asio::buffer(bytes)); });
  }
  // Nothing comes through any more.
  void silence() {
    on_thread([this] { silent_ = true; });
  }

 private:
  struct Pair {
    explicit Pair(asio::io_context& context)
        : sockets{tcp::socket(context), tcp::socket(context)} {}
    void close() {
      std::error_code ignored;
      for (tcp::socket& each : sockets) each.close(ignored);
    }
    std::array<tcp::socket, 2> sockets;               // the client's, the broker's
    std::array<std::size_t, 2> left{kNoCut, kNoCut};  // bytes from each that may come through
    std::array<std::array<char, 16384>, 2> buffers;
  };

  template <class Do>
  void on_thread(Do what) {
    asio::post(context_, std::packaged_task<void()>(what)).get();
  }

  void accept() {
    auto pair = std::make_shared<Pair>(context_);
    acceptor_.async_accept(pair->sockets[0], [this, pair](std::error_code error) {
      if (error) return;
      const std::string broker = real::environment("TERN_RABBITMQ");
      const std::size_t colon = broker.rfind(':');
      const auto port = static_cast<std::uint16_t>(std::stoi(broker.substr(colon + 1)));
      pair->sockets[1].connect({asio::ip::make_address(broker.substr(0, colon)), port}, error);
      if (!error) {
        pair->left = std::exchange(next_limit_, {kNoCut, kNoCut});
        pairs_.push_back(pair);
        pass_on(pair, 0);
        pass_on(pair, 1);
      }
      accept();
    });
  }

  void pass_on(const std::shared_ptr<Pair>& pair, std::size_t from) {
    pair->sockets[from].async_read_some(
        asio::buffer(pair->buffers[from]),
        [this, pair, from](std::error_code error, std::size_t n) {
          if (silent_) return;
          const std::size_t through = std::min(n, pair->left[from]);
          if (pair->left[from] != kNoCut) pair->left[from] -= through;
          if (!error) {
            asio::write(pair->sockets[1 - from], asio::buffer(pair->buffers[from], through), error);
          }
          if (error || through < n) return pair->close();
          pass_on(pair, from);
        });
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  const std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::vector<std::shared_ptr<Pair>> pairs_;
  std::array<std::size_t, 2> next_limit_{kNoCut, kNoCut};
  bool silent_ = false;
  std::thread thread_;
};

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_REAL_CUTTING_PROXY_H_
