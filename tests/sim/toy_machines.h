// Two small machines for tests of the network itself: a server that echoes, and a client that sends
// a known stream, checks what comes back and starts again when its connection breaks. Each can be
// told to break one rule of the ports, which the network must report.
#ifndef TERN_TESTS_SIM_TOY_MACHINES_H_
#define TERN_TESTS_SIM_TOY_MACHINES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/core/ports.h"

namespace tern::sim {

enum class Sin {
  none,
  empty_read_space,
  recycled_write_buffer,
  scribbled_read_space,
  hot_timer,
  reopened_link,
  foreign_id
};

inline std::byte pattern(std::uint64_t i) {
  return static_cast<std::byte>((i * 131 + i / 251) & 0xff);
}

class EchoServer final : public Machine, public Acceptor {
 public:
  EchoServer(Network& network, std::uint16_t port) : network_(network) {
    std::error_code error;
    listener_ = network.listen({"", port}, *this, error);
  }

  Link* on_accept(LinkId id, const Endpoint&) override {
    if (refuse) return nullptr;
    sessions_.push_back(std::make_unique<Session>(*this, id));
    return sessions_.back().get();
  }
  void step(Now) override {
    std::erase_if(sessions_, [](const auto& s) { return s->closed; });
  }
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}
  std::size_t sessions() const { return sessions_.size(); }

  bool refuse = false;
  std::uint64_t received = 0;
  std::uint64_t closes = 0;

 private:
  struct Session final : Link {
    Session(EchoServer& o, LinkId i) : owner(o), id(i) {}
    std::span<std::byte> read_space() override { return space; }
    void on_read(std::size_t n, Now) override {
      owner.received += n;
      waiting.insert(waiting.end(), space.begin(), space.begin() + static_cast<std::ptrdiff_t>(n));
      owner.network_.want_write(id);
      // Pushes back while it has much to echo.
      if (waiting.size() + writing.size() > 4096) owner.network_.pause_read(id, paused = true);
    }
    void gather(BufferList& out) override {
      if (writing.empty()) std::swap(writing, waiting);
      out.add(writing.data(), writing.size());
    }
    void on_written(std::size_t n, Now) override {
      writing.erase(writing.begin(), writing.begin() + static_cast<std::ptrdiff_t>(n));
      if (paused && waiting.size() + writing.size() < 1024) {
        owner.network_.pause_read(id, paused = false);
      }
    }
    void on_open(Now) override {}
    void on_closed(Stage, std::error_code, Now) override {
      closed = true;
      ++owner.closes;
    }
    EchoServer& owner;
    LinkId id;
    std::vector<std::byte> space = std::vector<std::byte>(1500);
    std::vector<std::byte> waiting, writing;
    bool paused = false;
    bool closed = false;
  };
  Network& network_;
  ListenerId listener_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

class StreamClient final : public Machine, public Link {
 public:
  StreamClient(Network& network, Endpoint server, std::uint64_t bytes)
      : network_(network), server_(std::move(server)), total_(bytes) {}

  void start() {
    started_ = true;
    network_.wake();
  }
  bool done() const { return received_ >= total_; }

  // Machine
  void step(Now now) override {
    if (std::exchange(spoil_, false)) write_[write_.size() / 2] ^= std::byte{1};
    if (!started_ || done()) return;
    if (!link_ && now.mono >= retry_at_) {
      ++opens;
      link_ = network_.open(server_, *this);
      give_up_at_ = deadline_after(now.mono, timeout);
      if (sin == Sin::reopened_link) network_.open(server_, *this);
    }
    if (link_ && now.mono >= give_up_at_) network_.close(link_);
    if (sin == Sin::foreign_id) network_.close({link_.index + 1, 1});
  }
  Time next_deadline() const override {
    if (!started_ || done()) return kNever;
    if (sin == Sin::hot_timer) return Time();
    return link_ ? give_up_at_ : retry_at_;
  }
  void run_completions() override {}

  // Link
  std::span<std::byte> read_space() override {
    if (sin == Sin::empty_read_space && received_ > 100) return {};
    return space_;
  }
  void on_read(std::size_t n, Now now) override {
    for (std::size_t i = 0; i < n; ++i) {
      if (space_[i] != pattern(received_ + i)) ++wrong_bytes;
    }
    received_ += n;
    give_up_at_ = deadline_after(now.mono, timeout);
  }
  void gather(BufferList& out) override {
    const std::uint64_t n = std::min<std::uint64_t>(total_ - sent_, 700);
    write_.resize(n);
    for (std::uint64_t i = 0; i < n; ++i) write_[i] = pattern(sent_ + i);
    // In two pieces, as an envelope and its records.
    out.add(write_.data(), n / 3);
    out.add(write_.data() + n / 3, n - n / 3);
    if (sin == Sin::scribbled_read_space && sent_ > 1000) space_[0] ^= std::byte{1};
    // The next step comes before the write is done: as when a batch expires while it is being
    // written and its memory goes to another one.
    if (sin == Sin::recycled_write_buffer && sent_ > 1000 && n > 0) {
      spoil_ = true;
      network_.wake();
    }
  }
  void on_written(std::size_t n, Now now) override {
    sent_ += n;
    give_up_at_ = deadline_after(now.mono, timeout);
  }
  void on_open(Now now) override {
    ++connected;
    give_up_at_ = deadline_after(now.mono, timeout);
    sent_ = received_ = 0;  // the echo knows nothing of the last connection
    network_.want_write(link_);
  }
  void on_closed(Stage stage, std::error_code why, Now now) override {
    ++closes;
    last_stage = stage;
    last_error = why;
    stages[static_cast<std::size_t>(stage)]++;
    link_ = {};
    retry_at_ = now.mono + std::chrono::milliseconds(20);
  }

  LinkId link() const { return link_; }
  std::uint64_t received() const { return received_; }

  Sin sin = Sin::none;
  Duration timeout = std::chrono::seconds(2);
  std::uint64_t opens = 0, connected = 0, closes = 0, wrong_bytes = 0;
  Stage last_stage = Stage::dns;
  std::error_code last_error;
  std::uint64_t stages[5] = {};

 private:
  Network& network_;
  const Endpoint server_;
  const std::uint64_t total_;
  bool started_ = false;
  bool spoil_ = false;
  LinkId link_;
  Time retry_at_{};
  Time give_up_at_ = kNever;
  std::uint64_t sent_ = 0, received_ = 0;
  std::vector<std::byte> space_ = std::vector<std::byte>(2048);
  std::vector<std::byte> write_;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_TOY_MACHINES_H_
