// What every Network promises, as a test suite: sockets and the simulator run the same one. A
// binary includes this once and names its world:
//
//   INSTANTIATE_TEST_SUITE_P(Sockets, NetworkContract, testing::Values(ContractWorld{"asio",
//   make}));
#ifndef TERN_TESTS_NET_NETWORK_CONTRACT_H_
#define TERN_TESTS_NET_NETWORK_CONTRACT_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "client/core/ports.h"
#include "tests/net/test_link.h"

namespace tern::contract {

// Two hosts and what makes time pass between them.
class World {
 public:
  virtual ~World() = default;
  virtual Network& client() = 0;
  virtual Network& server() = 0;
  virtual void attach(Machine& client, Machine& server) = 0;
  // The server's host, to listen on (port 0) and to connect to.
  virtual std::string server_host() = 0;
  // A name that no resolver knows.
  virtual std::string unknown_host() = 0;
  // Lets things happen until `done`; false if it takes too long (about ten seconds of its time).
  virtual bool run_until(const std::function<bool()>& done) = 0;
  // Lets everything happen that needs no waiting for a deadline.
  virtual void settle() = 0;
};

struct ContractWorld {
  std::string name;
  std::function<std::unique_ptr<World>()> make;
  friend std::ostream& operator<<(std::ostream& out, const ContractWorld& world) {
    return out << world.name;
  }
};

class NetworkContract : public testing::TestWithParam<ContractWorld> {
 protected:
  NetworkContract() {
    world->attach(client, server);
    address = server.listen(world->server_host());
  }
  bool run_until(const std::function<bool()>& done) { return world->run_until(done); }
  // A connection, open on both sides.
  TestLink& connect() {
    const std::size_t before = server.links.size();
    TestLink& link = client.open(address);
    EXPECT_TRUE(run_until([&] {
      return link.opened == 1 && server.links.size() > before && server.links.back()->opened == 1;
    }));
    return link;
  }
  TestLink& accepted() { return *server.links.back(); }

  std::unique_ptr<World> world = GetParam().make();
  Side client{world->client()};
  Side server{world->server()};
  Endpoint address;
};

TEST_P(NetworkContract, CarriesBytesInAnyPieces) {
  const std::string data = pattern(3000);
  for (const std::size_t read_bytes : {1, 2, 3, 7, 64, 1000, 4096}) {
    for (const std::size_t piece_bytes : {1, 3, 999, 3000}) {
      server.on_new = [&](TestLink& link) {
        link.echo = true;
        link.read_bytes = read_bytes;
      };
      TestLink& link = connect();
      link.read_bytes = read_bytes;
      link.send(data, piece_bytes);
      EXPECT_TRUE(run_until([&] { return link.received.size() >= data.size(); }));
      EXPECT_EQ(link.received, data) << read_bytes << " " << piece_bytes;
      EXPECT_EQ(link.written, data.size());
      link.close();
      EXPECT_TRUE(run_until([&] { return link.closed == 1 && accepted().closed == 1; }));
    }
  }
}

TEST_P(NetworkContract, MoreThanFitsTheBuffersOfThePath) {
  const std::string data = pattern(6'000'000);
  TestLink& link = connect();
  accepted().read_bytes = 100'000;
  world->server().pause_read(accepted().id, true);
  link.send(data, 10'000);
  world->settle();
  EXPECT_LT(link.written, data.size()) << "nobody reads, and yet all of it went out";
  world->server().pause_read(accepted().id, false);
  EXPECT_TRUE(run_until([&] { return accepted().received.size() == data.size(); }));
  EXPECT_EQ(accepted().received, data);
  EXPECT_EQ(link.written, data.size());
}

TEST_P(NetworkContract, GathersAFullListOfPieces) {
  const std::string data = pattern(3 * BufferList::kMaxPieces);
  TestLink& link = connect();
  link.send(data, 1);
  EXPECT_TRUE(run_until([&] { return accepted().received.size() == data.size(); }));
  EXPECT_EQ(accepted().received, data);
  EXPECT_GE(link.gathers, 3);
}

TEST_P(NetworkContract, WhatAStepAsksForGoesOutAsOne) {
  TestLink& link = connect();
  world->settle();
  bool sent = false;
  client.at_step = [&](Now) {
    if (std::exchange(sent, true)) return;
    for (int i = 0; i < 100; ++i) link.send("0123456789");
  };
  client.wake();
  EXPECT_TRUE(run_until([&] { return link.gathers > 0; }));
  EXPECT_TRUE(run_until([&] { return accepted().received.size() == 1000; }));
  EXPECT_EQ(link.written, 1000u);
  EXPECT_LT(link.gathers, 100);
}

TEST_P(NetworkContract, WantWriteBeforeTheLinkIsOpenIsRemembered) {
  TestLink& link = client.open(address);
  link.send("early");
  EXPECT_TRUE(run_until([&] { return !server.links.empty() && accepted().received == "early"; }));
}

TEST_P(NetworkContract, RefusedConnect) {
  server.call([&] { world->server().close_listener(server.listener); });
  TestLink& link = client.open(address);
  EXPECT_EQ(link.closed, 0);
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(link.opened, 0);
  EXPECT_EQ(link.stage, Stage::tcp);
  EXPECT_EQ(link.why, std::errc::connection_refused) << link.why.message();
}

TEST_P(NetworkContract, UnknownHost) {
  TestLink& link = client.open({world->unknown_host(), 9092});
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(link.stage, Stage::dns);
  EXPECT_EQ(link.opened, 0);
}

TEST_P(NetworkContract, EndOfStreamComesAfterTheData) {
  server.on_new = [&](TestLink& link) {
    link.at_open = [&link] { link.send(pattern(5000)); };
    link.at_written = [&link] {
      if (link.written == 5000) link.close();
    };
  };
  TestLink& link = client.open(address);
  link.read_bytes = 100;
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(link.received, pattern(5000));
  EXPECT_EQ(link.stage, Stage::protocol);
  EXPECT_EQ(link.why, std::errc::connection_aborted) << link.why.message();
  EXPECT_EQ(accepted().why, std::errc::operation_canceled);
}

TEST_P(NetworkContract, AnEndWithDataUnreadIsSeenByTheOther) {
  TestLink& link = connect();
  world->server().pause_read(accepted().id, true);
  link.send(pattern(1000));
  EXPECT_TRUE(run_until([&] { return link.written == 1000; }));
  accepted().close();
  EXPECT_TRUE(run_until([&] { return link.closed == 1 && accepted().closed == 1; }));
  EXPECT_TRUE(link.why == std::errc::connection_reset || link.why == std::errc::connection_aborted)
      << link.why.message();
  EXPECT_EQ(accepted().received, "");
}

TEST_P(NetworkContract, WritingToAPeerThatIsGoneEndsTheLink) {
  TestLink& link = connect();
  world->client().pause_read(link.id, true);  // so that only writing can tell
  accepted().close();
  EXPECT_TRUE(run_until([&] { return accepted().closed == 1; }));
  for (int i = 0; i < 1000 && link.closed == 0; ++i) {
    link.send("x");
    world->settle();
  }
  EXPECT_EQ(link.closed, 1);
  EXPECT_EQ(link.stage, Stage::protocol);
}

TEST_P(NetworkContract, CloseWhileConnecting) {
  TestLink& link = client.open(address);
  link.close();
  EXPECT_EQ(link.closed, 0);
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(link.why, std::errc::operation_canceled);
  world->settle();
  EXPECT_EQ(link.opened, 0);
}

TEST_P(NetworkContract, CloseWhileTheNameIsLookedUp) {
  TestLink& link = client.open({world->unknown_host(), 9092});
  link.close();
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_EQ(link.why, std::errc::operation_canceled);
  world->settle();
}

TEST_P(NetworkContract, CloseTwiceAndWithWritesPending) {
  TestLink& link = connect();
  link.send(pattern(100));
  link.close();
  link.close();
  link.send("more");
  EXPECT_TRUE(run_until([&] { return link.closed == 1 && accepted().closed == 1; }));
  EXPECT_EQ(link.why, std::errc::operation_canceled);
  link.close();
  world->settle();
  EXPECT_EQ(link.closed, 1);
}

TEST_P(NetworkContract, CloseFromInsideEachEvent) {
  using Hook = std::function<void()> TestLink::*;
  for (const Hook hook : {&TestLink::at_open, &TestLink::at_read, &TestLink::at_written}) {
    server.on_new = [](TestLink& link) { link.at_open = [&link] { link.send(pattern(50'000)); }; };
    TestLink& link = client.open(address);
    link.read_bytes = 10;
    link.*hook = [&link] { link.close(); };
    link.send(pattern(50'000));
    EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
    EXPECT_EQ(link.why, std::errc::operation_canceled);
    EXPECT_LE(link.reads, hook == &TestLink::at_read ? 1 : 1'000'000);
    EXPECT_TRUE(run_until([&] { return !server.links.empty() && accepted().closed == 1; }));
    server.links.clear();
  }
}

TEST_P(NetworkContract, CloseFromStepAndFromCompletions) {
  TestLink& first = connect();
  client.at_step = [&](Now) { first.close(); };
  client.wake();
  EXPECT_TRUE(run_until([&] { return first.closed == 1; }));
  client.at_step = nullptr;
  TestLink& second = connect();
  client.at_completions = [&] { second.close(); };
  client.wake();
  EXPECT_TRUE(run_until([&] { return second.closed == 1; }));
  EXPECT_EQ(second.why, std::errc::operation_canceled);
}

TEST_P(NetworkContract, PausedLinksHearNothing) {
  // Before it is open: a network may ask for read space at once, and need not fill it.
  server.on_new = [](TestLink& link) { link.read_bytes = 10; };
  TestLink& link = connect();
  accepted().at_read = [&] {
    server.call([&] { world->server().pause_read(accepted().id, true); });
  };
  link.send(pattern(35));
  int round = 0;
  while (accepted().received.size() < 35) {
    ++round;
    ASSERT_TRUE(run_until([&] { return accepted().reads == round; }));
    world->settle();
    ASSERT_EQ(accepted().reads, round);
    server.call([&] { world->server().pause_read(accepted().id, false); });
  }
  EXPECT_GE(round, 4);
  EXPECT_EQ(accepted().received, pattern(35));
  server.call([&] { world->server().pause_read(accepted().id, false); });  // nothing to undo
}

TEST_P(NetworkContract, IdsOfThePastAreIgnored) {
  TestLink& old = connect();
  const LinkId past = old.id;
  old.close();
  EXPECT_TRUE(run_until([&] { return old.closed == 1; }));
  TestLink& link = connect();
  client.call([&] {
    world->client().close(past);
    world->client().want_write(past);
    world->client().pause_read(past, true);
    world->client().close({});
    world->client().close({7777, 1});
  });
  accepted().send("still here");
  EXPECT_TRUE(run_until([&] { return link.received == "still here"; }));
  EXPECT_EQ(link.closed, 0);
}

TEST_P(NetworkContract, AnotherLinkCanBeOpenedFromOnClosed) {
  TestLink& link = connect();
  TestLink* next = nullptr;
  link.at_closed = [&] { next = &client.open(address); };
  link.close();
  EXPECT_TRUE(run_until([&] { return next != nullptr && next->opened == 1; }));
  EXPECT_NE(next->id, link.id);
}

TEST_P(NetworkContract, RefusedByTheAcceptor) {
  server.refuse = true;
  TestLink& link = client.open(address);
  EXPECT_TRUE(run_until([&] { return link.closed == 1; }));
  EXPECT_TRUE(server.links.empty());
}

TEST_P(NetworkContract, AcceptedLinksSurviveTheirListener) {
  TestLink& link = connect();
  server.call([&] { world->server().close_listener(server.listener); });
  server.call([&] { world->server().close_listener(server.listener); });
  link.send("on");
  EXPECT_TRUE(run_until([&] { return accepted().received == "on"; }));
}

TEST_P(NetworkContract, AnAddressInUseIsAnError) {
  std::error_code error;
  Side other(world->server());
  const ListenerId second =
      server.call([&] { return world->server().listen(address, other, error); });
  EXPECT_FALSE(second);
  EXPECT_EQ(error, std::errc::address_in_use) << error.message();
}

TEST_P(NetworkContract, ManyWakesOneStep) {
  world->settle();
  const int before = client.steps;
  for (int i = 0; i < 1000; ++i) client.wake();
  EXPECT_EQ(client.steps, before) << "step() inside wake()";
  EXPECT_TRUE(run_until([&] { return client.steps > before; }));
  world->settle();
  EXPECT_LE(client.steps, before + 2);
}

TEST_P(NetworkContract, AWakeFromCompletionsGivesAnotherStep) {
  world->settle();
  int rounds = 0;
  client.at_completions = [&] {
    if (++rounds < 100) client.wake();
  };
  client.wake();
  EXPECT_TRUE(run_until([&] { return rounds == 100; }));
}

TEST_P(NetworkContract, DeadlinesAreMetAndNeverEarly) {
  constexpr auto kStep = std::chrono::microseconds(1500);
  std::vector<Time> due;
  client.at_step = [&](Now now) {
    if (client.deadline == kNever) {
      client.deadline = now.mono + kStep;
    } else if (now.mono >= client.deadline) {
      due.push_back(client.deadline);
      client.deadline += kStep;
    }
  };
  client.wake();
  const int before = client.steps;
  EXPECT_TRUE(run_until([&] { return due.size() == 20; }));
  // A driver whose clock lags behind its timer would step over and over before the time has come.
  EXPECT_LE(client.steps, before + 25);
  client.deadline = kNever;
}

TEST_P(NetworkContract, AnEarlierDeadlineReplacesALaterOne) {
  bool reached = false;
  Time start{};
  client.at_step = [&](Now now) {
    if (start == Time{}) {
      start = now.mono;
      client.deadline = now.mono + std::chrono::hours(1);
    }
    if (now.mono >= client.deadline) {
      reached = true;
      client.deadline = kNever;
    }
  };
  client.wake();
  EXPECT_TRUE(run_until([&] { return start != Time{}; }));
  client.deadline = start + std::chrono::milliseconds(5);
  client.wake();
  EXPECT_TRUE(run_until([&] { return reached; }));
}

TEST_P(NetworkContract, ManyLinksAtOnce) {
  server.on_new = [](TestLink& link) { link.echo = true; };
  std::vector<TestLink*> links;
  for (int i = 0; i < 100; ++i) {
    links.push_back(&client.open(address));
    TestLink& link = *links.back();
    link.at_open = [&link, i] { link.send(pattern(static_cast<std::size_t>(i) * 100 + 1)); };
  }
  EXPECT_TRUE(run_until([&] {
    for (std::size_t i = 0; i < links.size(); ++i) {
      if (links[i]->received.size() < i * 100 + 1) return false;
    }
    return true;
  }));
  for (std::size_t i = 0; i < links.size(); ++i) {
    EXPECT_EQ(links[i]->received, pattern(i * 100 + 1));
    links[i]->close();
  }
  EXPECT_TRUE(run_until([&] {
    for (const auto& link : server.links) {
      if (link->closed == 0) return false;
    }
    return server.links.size() == links.size();
  }));
}

}  // namespace tern::contract

#endif  // TERN_TESTS_NET_NETWORK_CONTRACT_H_
