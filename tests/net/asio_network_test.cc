// What is particular to the Network on sockets: its executor, its end, threads, system calls.
#include "client/net/asio_network.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/core/inlet.h"
#include "client/net/runtime.h"
#include "tests/net/test_link.h"

namespace tern::net {
namespace {

using contract::pattern;
using contract::Side;
using contract::TestLink;

// A client and an echo server on one io_context.
struct Pair {
  Pair() {
    client_net.attach(client);
    server_net.attach(server);
    server.on_new = [](TestLink& link) { link.echo = true; };
  }
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (io.stopped()) io.restart();
      if (io.run_one_until(end) == 0 && std::chrono::steady_clock::now() >= end) return false;
    }
    return true;
  }
  void settle() {
    for (int quiet = 0; quiet < 3; ++quiet) {
      if (io.stopped()) io.restart();
      while (io.poll() != 0) quiet = 0;
    }
  }
  TestLink& connect() {
    TestLink& link = client.open(server.listen("127.0.0.1"));
    EXPECT_TRUE(run_until([&] { return link.opened == 1 && !server.links.empty(); }));
    settle();
    return link;
  }

  asio::io_context io{1};
  AsioNetwork client_net{io};
  AsioNetwork server_net{io};
  Side client{client_net};
  Side server{server_net};
};

TEST(AsioNetwork, AllAddressesOfANameAreTried) {
  // The name has an IPv6 address as well on most machines, where nobody listens.
  Pair pair;
  const Endpoint address = pair.server.listen("127.0.0.1");
  TestLink& link = pair.client.open({"localhost", address.port});
  EXPECT_TRUE(pair.run_until([&] { return link.opened + link.closed > 0; }));
  EXPECT_EQ(link.opened, 1) << link.why.message();
}

TEST(AsioNetwork, ListensByNameAndOnEveryAddress) {
  Pair pair;
  for (const char* host : {"localhost", ""}) {
    Endpoint bound;
    std::error_code error;
    EXPECT_TRUE(pair.server_net.listen({host, 0}, pair.server, error, &bound)) << error.message();
    TestLink& link = pair.client.open({"127.0.0.1", bound.port});
    EXPECT_TRUE(pair.run_until([&] { return link.opened == 1; }));
  }
}

TEST(AsioNetwork, ErrorsCompareWithTheStandardOnes) {
  Pair pair;
  std::error_code error;
  EXPECT_FALSE(pair.server_net.listen({"192.0.2.1", 0}, pair.server, error));
  EXPECT_EQ(error, std::errc::address_not_available) << error.message();
}

// ---- what keeps run() from returning

TEST(AsioNetwork, RunReturnsWhenTheLastLinkIsClosed) {
  Pair pair;
  TestLink& link = pair.connect();
  link.at_read = [&] {
    link.close();
    pair.server_net.close_listener(pair.server.listener);
  };
  link.send("x");
  pair.io.restart();
  pair.io.run();
  EXPECT_EQ(link.closed, 1);
  EXPECT_EQ(pair.server.links[0]->closed, 1);
}

TEST(AsioNetwork, AForgottenDeadlineDoesNotKeepItUp) {
  Pair pair;
  TestLink& link = pair.connect();
  pair.client.at_step = [&](Now now) {
    pair.client.deadline = link.closed ? kNever : now.mono + std::chrono::hours(1);
  };
  link.at_read = [&] {
    link.close();
    pair.server_net.close_listener(pair.server.listener);
  };
  link.send("x");
  pair.io.restart();
  pair.io.run();
  EXPECT_EQ(link.closed, 1);
}

TEST(AsioNetwork, ADeadlineAloneKeepsItRunning) {
  asio::io_context io;
  AsioNetwork network(io);
  Side side(network);
  network.attach(side);
  bool reached = false;
  side.at_step = [&](Now now) {
    if (side.deadline == kNever) {
      side.deadline = now.mono + std::chrono::milliseconds(2);
    } else if (now.mono >= side.deadline) {
      side.deadline = kNever;
      side.at_step = nullptr;
      reached = true;
    }
  };
  side.wake();
  io.run();
  EXPECT_TRUE(reached);
  EXPECT_EQ(network.stats().timers, 1u);
}

// ---- handlers that misbehave

TEST(AsioNetwork, AHandlerThatThrowsDoesNotLoseTheRest) {
  Pair pair;
  std::deque<std::function<void()>> queue;
  std::vector<int> order;
  queue.emplace_back([&] { order.push_back(1); });
  queue.emplace_back([&] { throw std::runtime_error("user"); });
  queue.emplace_back([&] { order.push_back(3); });
  pair.client.at_completions = [&] {
    while (!queue.empty()) {
      const auto call = std::move(queue.front());
      queue.pop_front();
      call();
    }
  };
  pair.client.wake();
  EXPECT_THROW(pair.io.run(), std::runtime_error);
  EXPECT_EQ(order, (std::vector<int>{1}));
  pair.io.run();
  EXPECT_EQ(order, (std::vector<int>{1, 3}));
  // And it still works.
  TestLink& link = pair.connect();
  link.send("x");
  EXPECT_TRUE(pair.run_until([&] { return link.received == "x"; }));
}

TEST(AsioNetwork, AHandlerMayRunTheContextFromInside) {
  Pair pair;
  TestLink& link = pair.connect();
  bool nested = false;
  pair.client.at_completions = [&] {
    if (link.reads == 0 || std::exchange(nested, true)) return;
    link.send("second");
    for (int i = 0; i < 20; ++i) pair.io.poll();  // Side checks that nothing is entered twice
  };
  link.send("first");
  EXPECT_TRUE(pair.run_until([&] { return link.received == "firstsecond"; }));
  EXPECT_TRUE(nested);
}

// ---- the end

TEST(AsioNetwork, ShutdownClosesEverythingAtOnce) {
  Pair pair;
  TestLink& open = pair.connect();
  TestLink& connecting = pair.client.open({"127.0.0.1", 1});
  TestLink& resolving = pair.client.open({"localhost", 1});
  TestLink& closing = pair.client.open({"127.0.0.1", 1});
  closing.close();
  pair.client.deadline = pair.client.last_now + std::chrono::hours(1);
  pair.client_net.shutdown();
  for (const TestLink* link : {&open, &connecting, &resolving, &closing}) {
    EXPECT_EQ(link->closed, 1);
    EXPECT_EQ(link->why, std::errc::operation_canceled);
  }
  EXPECT_EQ(open.stage, Stage::protocol);
  EXPECT_EQ(connecting.stage, Stage::tcp);
  EXPECT_EQ(resolving.stage, Stage::dns);
  const int steps = pair.client.steps;
  EXPECT_FALSE(pair.client.open({"127.0.0.1", 1}).id);
  std::error_code error;
  EXPECT_FALSE(pair.client_net.listen({"127.0.0.1", 0}, pair.client, error));
  EXPECT_TRUE(error);
  pair.client.wake();
  pair.client_net.shutdown();
  pair.server_net.shutdown();
  pair.io.restart();
  pair.io.run();
  EXPECT_EQ(pair.client.steps, steps);
}

TEST(AsioNetwork, DestroyedWithEverythingPendingItCallsNobody) {
  for (const bool run_after : {true, false}) {
    asio::io_context io;
    Side* client = nullptr;
    int steps = 0;
    {
      auto network = std::make_unique<AsioNetwork>(io);
      auto side = std::make_unique<Side>(*network);
      client = side.get();
      network->attach(*client);
      const Endpoint address = client->listen("127.0.0.1");
      TestLink& link = client->open(address);
      while (link.opened == 0) io.run_one();
      client->open(address);
      client->open({"localhost", address.port});
      client->deadline = client->last_now + std::chrono::hours(1);
      client->wake();
      io.poll_one();
      client->wake();
      link.send(pattern(100'000));
      steps = client->steps;
      network.reset();
      EXPECT_EQ(client->steps, steps);
      for (const auto& each : client->links) EXPECT_EQ(each->closed, 0);
    }  // now links and machine are gone too
    if (run_after) io.run();
  }
}

TEST(AsioNetwork, MayBeDestroyedByAHandler) {
  asio::io_context io;
  auto network = std::make_unique<AsioNetwork>(io);
  Side side(*network);
  network->attach(side);
  const Endpoint address = side.listen("127.0.0.1");
  TestLink& link = side.open(address);
  side.at_completions = [&] {
    if (link.opened) network.reset();
  };
  io.run();
  EXPECT_FALSE(network);
}

TEST(AsioNetwork, MayBeShutDownByAHandler) {
  Pair pair;
  TestLink& link = pair.connect();
  pair.client.at_completions = [&] { pair.client_net.shutdown(); };
  link.send("x");
  EXPECT_TRUE(pair.run_until([&] { return link.closed == 1; }));
  pair.server_net.shutdown();
  pair.io.restart();
  pair.io.run();
}

TEST(AsioNetwork, PostedCallsHoldWhatTheyNeed) {
  asio::io_context io;
  auto network = std::make_shared<AsioNetwork>(io);
  Side side(*network);
  network->attach(side);
  side.listen("127.0.0.1");
  AsioNetwork& alias = *network;
  alias.post([owner = std::move(network)] { owner->shutdown(); });
  io.run();  // would not return with the listener open
}

// ---- system calls

TEST(AsioNetwork, OneGatheredWriteForAStep) {
  Pair pair;
  TestLink& link = pair.connect();
  const NetworkStats before = pair.client_net.stats();
  bool sent = false;
  pair.client.at_step = [&](Now) {
    if (std::exchange(sent, true)) return;
    for (int i = 0; i < 10; ++i) link.send(pattern(1000), 100);
  };
  pair.client.wake();
  EXPECT_TRUE(pair.run_until([&] { return link.received.size() == 10'000; }));
  const NetworkStats after = pair.client_net.stats();
  EXPECT_EQ(after.writes - before.writes, 1u);
  EXPECT_EQ(after.written_bytes - before.written_bytes, 10'000u);
  EXPECT_EQ(after.read_bytes - before.read_bytes, 10'000u);
}

TEST(AsioNetwork, AShortReadIsNotFollowedByAnEmptyOne) {
  Pair pair;
  TestLink& link = pair.connect();
  link.read_bytes = 100'000;
  const std::uint64_t reads = pair.client_net.stats().reads;
  link.send("x");
  EXPECT_TRUE(pair.run_until([&] { return link.received == "x"; }));
  pair.settle();
  EXPECT_EQ(pair.client_net.stats().reads - reads, 1u);
}

// ---- the peer goes away

TEST(AsioNetwork, WhatThePeerSaidLastIsReadWhenAWriteFails) {
  Pair pair;
  asio::io_context peer_io;
  asio::ip::tcp::acceptor acceptor(peer_io, {asio::ip::address_v4::loopback(), 0});
  TestLink& link = pair.client.open({"127.0.0.1", acceptor.local_endpoint().port()});
  EXPECT_TRUE(pair.run_until([&] { return link.opened == 1; }));
  pair.settle();
  asio::ip::tcp::socket peer = acceptor.accept();
  asio::write(peer, asio::buffer(pattern(10'000)));
  peer.set_option(asio::socket_base::linger(true, 0));
  peer.close();  // a reset: the client's next write fails
  link.send("x");
  EXPECT_TRUE(pair.run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(pair.client_net.stats().writes, 1u);  // it was the write that failed
  EXPECT_EQ(link.received, pattern(10'000));
}

TEST(AsioNetwork, ADeadlineThatMovesOutSetsNoTimer) {
  Pair pair;
  TestLink& link = pair.connect();
  pair.client.at_step = [&](Now now) { pair.client.deadline = now.mono + std::chrono::hours(1); };
  pair.client.wake();
  EXPECT_TRUE(pair.run_until([&] { return pair.client.deadline != kNever; }));
  const std::uint64_t timers = pair.client_net.stats().timers;
  for (int i = 0; i < 50; ++i) {
    link.send("x");
    EXPECT_TRUE(pair.run_until([&] { return link.received.size() == std::size_t(i) + 1; }));
  }
  EXPECT_LE(pair.client_net.stats().timers, timers + 1);
}

// Every socket of this process, as /proc has it.
std::vector<int> open_sockets() {
  std::vector<int> sockets;
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return sockets;
  while (const dirent* entry = ::readdir(folder)) {
    struct stat status{};
    const int fd = std::atoi(entry->d_name);
    if (::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) sockets.push_back(fd);
  }
  ::closedir(folder);
  return sockets;
}

TEST(AsioNetwork, SocketsAreNotInherited) {
  const std::size_t before = open_sockets().size();
  Pair pair;
  pair.connect();
  const std::vector<int> sockets = open_sockets();
  EXPECT_EQ(sockets.size(), before + 3);  // listener and both ends
  int kept = 0;
  for (const int fd : sockets) kept += (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
  EXPECT_LE(kept, static_cast<int>(before));
}

TEST(AsioNetwork, SocketsAreGivenBack) {
  const std::size_t before = open_sockets().size();
  {
    Pair pair;
    TestLink& link = pair.connect();
    link.close();
    EXPECT_TRUE(pair.run_until([&] { return pair.server.links[0]->closed == 1; }));
    EXPECT_EQ(open_sockets().size(), before + 1);  // the listener
    pair.client.open({"127.0.0.1", 1});
  }
  EXPECT_EQ(open_sockets().size(), before);
}

TEST(AsioNetwork, OutOfDescriptors) {
  Pair pair;
  const Endpoint address = pair.server.listen("127.0.0.1");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<int> fillers;  // lower than every free number there may be
  for (int fd = ::dup(0); fd >= 0 && fd < 200; fd = ::dup(0)) fillers.push_back(fd);
  const rlim_t highest = static_cast<rlim_t>(fillers.back());
  rlimit tight = limit;
  tight.rlim_cur = highest + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);

  // No socket at all.
  TestLink& none = pair.client.open(address);
  EXPECT_TRUE(pair.run_until([&] { return none.closed == 1; }));
  EXPECT_EQ(none.stage, Stage::tcp);
  EXPECT_EQ(none.why, std::errc::too_many_files_open) << none.why.message();

  // One for the client, none left to accept with, then again.
  ::close(fillers.back());
  fillers.pop_back();
  TestLink& waiting = pair.client.open(address);
  EXPECT_TRUE(pair.run_until([&] { return waiting.opened == 1; }));
  pair.settle();
  EXPECT_TRUE(pair.server.links.empty());
  const std::uint64_t waits = pair.server_net.stats().waits;
  EXPECT_LE(waits, 2u) << "the acceptor spins";
  for (const int fd : fillers) ::close(fd);
  EXPECT_TRUE(pair.run_until([&] { return !pair.server.links.empty(); }));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// ---- time

TEST(AsioNetwork, TimeDoesNotRunBackwards) {
  Pair pair;
  TestLink& link = pair.connect();
  Time last = pair.client_net.now().mono;
  int checks = 0;
  const auto check = [&](Time time) {
    EXPECT_GE(time, last);
    last = time;
    ++checks;
  };
  pair.client.at_step = [&](Now now) {
    check(now.mono);
    check(pair.client_net.now().mono);
  };
  pair.client.at_completions = [&] { check(pair.client_net.now().mono); };
  for (int i = 0; i < 200; ++i) {
    link.send("x");
    EXPECT_TRUE(pair.run_until([&] { return link.received.size() == std::size_t(i) + 1; }));
  }
  EXPECT_GT(checks, 600);
}

// ---- threads

// Counts what other threads hand over.
struct CountingMachine final : Machine {
  void step(Now) override {
    inlet.run();
    if (count.load() == expected && !std::exchange(finished, true)) done.set_value();
  }
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}
  Inlet inlet;
  std::atomic<int> count{0};
  int expected = 0;
  bool finished = false;
  std::promise<void> done;
};

TEST(AsioNetwork, WakesFromManyThreadsLoseNothing) {
  constexpr int kThreads = 4, kCalls = 5000;
  Runtime runtime;
  AsioNetwork network(runtime);
  CountingMachine machine;
  machine.expected = kThreads * kCalls;
  network.attach(machine);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        machine.inlet.post([&] { ++machine.count; });
        network.wake();
        EXPECT_FALSE(network.on_executor());
        static_cast<void>(network.now());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(machine.done.get_future().wait_for(std::chrono::seconds(30)),
            std::future_status::ready);
  EXPECT_EQ(machine.count, kThreads * kCalls);
  EXPECT_LE(network.stats().wakes, std::uint64_t{kThreads} * kCalls);
  std::promise<void> ended;
  network.post([&] {
    EXPECT_TRUE(network.on_executor());
    network.shutdown();
    ended.set_value();
  });
  ended.get_future().wait();
}

TEST(AsioNetwork, OnAStrandOfAContextWithSeveralThreads) {
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  std::optional<AsioNetwork> network(std::in_place, Executor(strand));
  Side side(*network);
  network->attach(side);
  side.on_new = [](TestLink& link) { link.echo = true; };
  const std::string data = pattern(200'000);
  std::vector<TestLink*> links;
  int finished = 0;
  network->post([&] {
    const Endpoint address = side.listen("127.0.0.1");
    for (int i = 0; i < 4; ++i) links.push_back(&side.open(address));
    for (TestLink* link : links) {
      link->send(data);
      link->at_read = [&, link] {
        EXPECT_TRUE(network->on_executor());
        if (link->received.size() < data.size()) return;
        EXPECT_EQ(link->received, data);
        if (++finished == 4) network->shutdown();
      };
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { io.run(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(finished, 4);
}

TEST(AsioNetwork, OnAnExecutorThatCannotTell) {
  // The same io_context, but behind a type that the erasure does not know.
  struct Opaque {
    asio::any_io_executor get_executor() const {
      return asio::prefer(asio::any_io_executor(io->get_executor()),
                          asio::execution::outstanding_work.tracked);
    }
    asio::io_context* io;
  };
  asio::io_context io;
  const Opaque opaque{&io};
  {
    AsioNetwork network{Executor(opaque)};
    Side side(network);
    network.attach(side);
    bool checked = false;
    side.at_step = [&](Now) {
      EXPECT_FALSE(network.on_executor());
      checked = true;
    };
    side.wake();
    while (!checked) io.run_one();
  }
  io.run();
}

// ---- Runtime

TEST(Runtime, RunsAndEnds) {
  Runtime runtime;
  std::promise<std::thread::id> ran;
  asio::post(runtime.get_executor(), [&] { ran.set_value(std::this_thread::get_id()); });
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
  EXPECT_FALSE(runtime.executor().running_in_this_thread());
  int late = 0;
  asio::post(runtime.get_executor(), [&] { ++late; });
  runtime.join();
  EXPECT_EQ(late, 1);
}

TEST(Runtime, StoppedFromItsOwnThread) {
  std::promise<void> stopped;
  Runtime runtime;
  asio::post(runtime.get_executor(), [&] {
    runtime.stop();
    stopped.set_value();
  });
  stopped.get_future().wait();
}

TEST(Runtime, DestroyedOnItsOwnThread) {
  auto runtime = std::make_unique<Runtime>();
  std::promise<void> posted, destroyed;
  const asio::any_io_executor executor = runtime->get_executor();
  asio::post(executor, [&posted, &destroyed, owned = std::move(runtime)]() mutable {
    posted.get_future().wait();  // nobody may still be inside the context when it goes
    owned.reset();
    destroyed.set_value();
  });
  posted.set_value();
  destroyed.get_future().wait();
}

TEST(Runtime, ExceptionsGoToTheirHandler) {
  std::promise<std::string> caught;
  Runtime runtime([&](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      caught.set_value(e.what());
    }
  });
  asio::post(runtime.get_executor(), [] { throw std::runtime_error("oops"); });
  EXPECT_EQ(caught.get_future().get(), "oops");
  std::promise<void> after;
  asio::post(runtime.get_executor(), [&] { after.set_value(); });
  after.get_future().wait();
}

}  // namespace
}  // namespace tern::net
