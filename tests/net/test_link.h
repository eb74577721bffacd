// Machines and links for tests of Networks, which check all the time that the network keeps its
// side: each call into a Network is marked, and every link and machine here checks that it is not
// called from inside one, that its events come in order, and that nothing comes after on_closed().
#ifndef TERN_TESTS_NET_TEST_LINK_H_
#define TERN_TESTS_NET_TEST_LINK_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/ports.h"

namespace tern::contract {

class Side;

class TestLink final : public Link {
 public:
  explicit TestLink(Side& side) : side_(side) {}

  // Queues `data` in pieces and asks for it to be written.
  void send(std::string_view data, std::size_t piece_bytes = 1000);
  void close();

  std::span<std::byte> read_space() override;
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now now) override;
  void on_closed(Stage stage, std::error_code why, Now now) override;

  LinkId id;
  std::size_t read_bytes = 4096;
  bool echo = false;
  std::string received;
  std::size_t written = 0;
  int opened = 0, reads = 0, gathers = 0, closed = 0;  // gathers: those that found something
  Stage stage = Stage::dns;
  std::error_code why;
  std::function<void()> at_open, at_read, at_written, at_closed;

 private:
  void check_event();

  Side& side_;
  std::vector<std::byte> space_;
  bool space_given_ = false;
  std::deque<std::string> queue_;  // elements stay where they are
  std::size_t front_sent_ = 0;
  std::size_t gathered_ = 0;
};

// A machine with links; as an acceptor it serves each connection with a new one.
class Side final : public Machine, public Acceptor {
 public:
  explicit Side(Network& network) : net(network) {}

  // Brackets a call into the network.
  template <class F>
  auto call(F&& f) {
    struct Mark {
      explicit Mark(int& d) : depth(d) { ++depth; }
      ~Mark() { --depth; }
      int& depth;
    } mark(calls);
    return f();
  }

  TestLink& open(const Endpoint& endpoint) {
    TestLink& link = new_link();
    call([&] { link.id = net.open(endpoint, link); });
    return link;
  }
  TestLink& new_link() { return *links.emplace_back(std::make_unique<TestLink>(*this)); }
  Endpoint listen(const std::string& host) {
    Endpoint bound;
    std::error_code error;
    listener = call([&] { return net.listen({host, 0}, *this, error, &bound); });
    EXPECT_TRUE(listener) << error.message();
    EXPECT_NE(bound.port, 0);
    return {host, bound.port};
  }
  void wake() {
    call([&] { net.wake(); });
  }

  Link* on_accept(LinkId id, const Endpoint&) override {
    EXPECT_EQ(calls, 0) << "on_accept() inside a call";
    if (refuse) return nullptr;
    TestLink& link = new_link();
    link.id = id;
    if (on_new) on_new(link);
    return &link;
  }
  void step(Now now) override {
    EXPECT_EQ(calls, 0) << "step() inside a call";
    EXPECT_FALSE(std::exchange(stepping, true)) << "step() inside step()";
    EXPECT_GE(now.mono, last_now) << "time ran backwards";
    last_now = now.mono;
    ++steps;
    completions_due = true;
    if (at_step) at_step(now);
    stepping = false;
  }
  Time next_deadline() const override { return deadline; }
  void run_completions() override {
    EXPECT_EQ(calls, 0) << "run_completions() inside a call";
    EXPECT_FALSE(stepping);
    EXPECT_TRUE(std::exchange(completions_due, false)) << "run_completions() without a step";
    if (at_completions) at_completions();
  }

  Network& net;
  std::vector<std::unique_ptr<TestLink>> links;
  ListenerId listener;
  bool refuse = false;
  Time deadline = kNever;
  Time last_now{};
  int steps = 0;
  int calls = 0;
  bool stepping = false, completions_due = false;
  std::function<void(Now)> at_step;
  std::function<void()> at_completions;
  std::function<void(TestLink&)> on_new;
};

inline void TestLink::send(std::string_view data, std::size_t piece_bytes) {
  for (; !data.empty(); data.remove_prefix(std::min(piece_bytes, data.size()))) {
    queue_.emplace_back(data.substr(0, piece_bytes));
  }
  side_.call([&] { side_.net.want_write(id); });
}
inline void TestLink::close() {
  side_.call([&] { side_.net.close(id); });
}
inline void TestLink::check_event() {
  EXPECT_EQ(side_.calls, 0) << "an event inside a call";
  EXPECT_FALSE(side_.stepping) << "an event inside step()";
  EXPECT_EQ(closed, 0) << "an event after on_closed()";
}
inline std::span<std::byte> TestLink::read_space() {
  check_event();
  EXPECT_EQ(opened, 1);
  space_.resize(read_bytes);
  space_given_ = true;
  return space_;
}
inline void TestLink::on_read(std::size_t n, Now) {
  check_event();
  EXPECT_TRUE(std::exchange(space_given_, false)) << "on_read() without read_space()";
  ASSERT_GE(n, 1u);
  ASSERT_LE(n, space_.size());
  ++reads;
  const std::string_view bytes(reinterpret_cast<const char*>(space_.data()), n);
  received += bytes;
  if (echo) send(bytes);
  if (at_read) at_read();
}
inline void TestLink::gather(BufferList& out) {
  check_event();
  EXPECT_EQ(opened, 1);
  EXPECT_TRUE(out.pieces().empty());
  std::size_t skip = front_sent_;
  for (const std::string& piece : queue_) {
    if (!out.add(piece.data() + skip, piece.size() - skip)) break;
    skip = 0;
  }
  gathered_ = out.bytes();
  if (gathered_ != 0) ++gathers;
}
inline void TestLink::on_written(std::size_t n, Now) {
  check_event();
  ASSERT_GE(n, 1u);
  ASSERT_LE(n, gathered_);
  gathered_ = 0;
  written += n;
  front_sent_ += n;
  while (!queue_.empty() && front_sent_ >= queue_.front().size()) {
    front_sent_ -= queue_.front().size();
    queue_.pop_front();
  }
  if (at_written) at_written();
}
inline void TestLink::on_open(Now) {
  check_event();
  EXPECT_EQ(++opened, 1);
  if (at_open) at_open();
}
inline void TestLink::on_closed(Stage where, std::error_code error, Now) {
  check_event();
  EXPECT_EQ(++closed, 1);
  EXPECT_TRUE(error);
  stage = where;
  why = error;
  if (at_closed) at_closed();
}

inline std::string pattern(std::size_t n) {
  std::string text(n, '\0');
  for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i * 131 + i / 251);
  return text;
}

}  // namespace tern::contract

#endif  // TERN_TESTS_NET_TEST_LINK_H_
