#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "tests/sim/toy_machines.h"

namespace tern::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A client "c" and an echo server "s" on port 7.
struct Pair {
  explicit Pair(std::uint64_t seed, const FaultPlan& plan = FaultPlan::none(),
                std::uint64_t bytes = 10'000)
      : world(seed),
        fabric(world, plan),
        server_net(fabric, "s"),
        client_net(fabric, "c"),
        server(std::make_unique<EchoServer>(server_net, 7)),
        client(client_net, {"s", 7}, bytes) {
    server_net.attach(*server);
    client_net.attach(client);
  }
  bool run(Duration limit = minutes(5)) {
    client.start();
    return world.run_until([this] { return client.done(); }, limit);
  }
  std::string problems() const {
    std::string text;
    for (const std::string& v : world.violations()) text += v + '\n';
    return text;
  }
  World world;
  Fabric fabric;
  Network server_net, client_net;
  std::unique_ptr<EchoServer> server;
  StreamClient client;
};

TEST(SimNetwork, CarriesBytesBothWays) {
  Pair pair(1);
  EXPECT_TRUE(pair.run()) << pair.problems();
  EXPECT_EQ(pair.client.connected, 1u);
  EXPECT_EQ(pair.client.closes, 0u);
  EXPECT_EQ(pair.client.wrong_bytes, 0u);
  EXPECT_EQ(pair.server->received, 10'000u);
}

TEST(SimNetwork, BytesStayRightUnderAnyFault) {
  FaultCounts all;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    const FaultPlan plan = FaultPlan::draw(rng);
    Pair pair(seed, plan, 3000);
    pair.client.start();
    pair.world.run_for(seconds(20));
    pair.fabric.heal();
    EXPECT_TRUE(pair.run(minutes(3))) << "seed " << seed << " " << plan.to_string();
    EXPECT_EQ(pair.problems(), "") << "seed " << seed;
    EXPECT_EQ(pair.client.wrong_bytes, 0u) << "seed " << seed;
    // Each link that was opened has been closed once, or is there still.
    EXPECT_EQ(pair.client.opens, pair.client.closes + pair.client_net.links()) << "seed " << seed;
    for (std::size_t i = 0; i < kFaults; ++i) all.counts[i] += pair.fabric.counts().counts[i];
  }
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (static_cast<Fault>(i) == Fault::crash) continue;  // the scenario's business
    EXPECT_GT(all.counts[i], 0u) << to_string(static_cast<Fault>(i)) << " never came";
  }
}

TEST(SimNetwork, SameSeedSameEvents) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t hashes[2], events[2];
    for (int i = 0; i < 2; ++i) {
      Pair pair(seed, FaultPlan::draw(Rng(seed)), 3000);
      pair.client.start();
      pair.world.run_for(seconds(10));
      hashes[i] = pair.world.event_hash();
      events[i] = pair.world.events();
    }
    EXPECT_EQ(hashes[0], hashes[1]) << "seed " << seed;
    EXPECT_EQ(events[0], events[1]) << "seed " << seed;
  }
}

TEST(SimNetwork, OtherSeedOtherEvents) {
  Pair one(1, FaultPlan::draw(Rng(1))), two(2, FaultPlan::draw(Rng(1)));
  one.run();
  two.run();
  EXPECT_NE(one.world.event_hash(), two.world.event_hash());
}

TEST(SimNetwork, AChangedByteChangesTheHash) {
  std::uint64_t hashes[2];
  for (int i = 0; i < 2; ++i) {
    Pair pair(1);
    pair.client.sin = i == 0 ? Sin::none : Sin::recycled_write_buffer;
    pair.run(milliseconds(200));
    hashes[i] = pair.world.event_hash();
  }
  EXPECT_NE(hashes[0], hashes[1]);
}

TEST(SimNetwork, EmptyReadSpaceIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::empty_read_space;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("read_space() is empty"), std::string::npos) << pair.problems();
}

TEST(SimNetwork, RecycledWriteBufferIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::recycled_write_buffer;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("changed before on_written()"), std::string::npos)
      << pair.problems();
}

TEST(SimNetwork, ScribbledReadSpaceIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::scribbled_read_space;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("changed before on_read()"), std::string::npos) << pair.problems();
}

TEST(SimNetwork, HotLoopIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::hot_timer;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("hot loop"), std::string::npos) << pair.problems();
}

TEST(SimNetwork, LinkOpenedTwiceIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::reopened_link;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("still in use"), std::string::npos) << pair.problems();
}

TEST(SimNetwork, ForeignIdIsReported) {
  Pair pair(1);
  pair.client.sin = Sin::foreign_id;
  EXPECT_FALSE(pair.run());
  EXPECT_NE(pair.problems().find("another host's"), std::string::npos) << pair.problems();
}

TEST(SimNetwork, UnknownHost) {
  Pair pair(1);
  pair.fabric.set_alias("s", "");
  EXPECT_FALSE(pair.run(seconds(1)));
  EXPECT_GT(pair.client.stages[static_cast<std::size_t>(Stage::dns)], 10u);
  EXPECT_EQ(pair.client.connected, 0u);
  pair.fabric.set_alias("s", "s");
  EXPECT_TRUE(pair.run(seconds(1)));
}

TEST(SimNetwork, ClosedPortRefuses) {
  Pair pair(1);
  StreamClient other(pair.client_net, {"s", 8}, 10);
  pair.client_net.attach(other);
  other.start();
  pair.world.run_for(milliseconds(100));
  EXPECT_GT(other.closes, 0u);
  EXPECT_EQ(other.last_stage, Stage::tcp);
  EXPECT_EQ(other.last_error, std::errc::connection_refused);
}

TEST(SimNetwork, RefusedByTheAcceptor) {
  Pair pair(1);
  pair.server->refuse = true;
  EXPECT_FALSE(pair.run(seconds(1)));
  EXPECT_GT(pair.client.closes, 0u);
  EXPECT_EQ(pair.client.received(), 0u);
  EXPECT_EQ(pair.server->closes, 0u);
}

TEST(SimNetwork, BlockedPathTimesOutInTheKernelAtLast) {
  Pair pair(1);
  pair.client.timeout = minutes(10);
  pair.fabric.block("c", "s", true);
  EXPECT_FALSE(pair.run(seconds(120)));
  EXPECT_EQ(pair.client.closes, 0u);
  pair.world.run_for(seconds(10));
  EXPECT_EQ(pair.client.closes, 1u);
  EXPECT_EQ(pair.client.last_error, std::errc::timed_out);
  pair.fabric.block("c", "s", false);
  EXPECT_TRUE(pair.run(seconds(10)));
}

TEST(SimNetwork, AsymmetricPartitionLetsTheServerAcceptWithoutTheClientKnowing) {
  Pair pair(1);
  pair.client.timeout = seconds(3);
  pair.fabric.block("s", "c", true);
  EXPECT_FALSE(pair.run(seconds(2)));
  EXPECT_EQ(pair.client.connected, 0u);
  EXPECT_EQ(pair.server->sessions(), 1u);
  EXPECT_FALSE(pair.run(seconds(5)));  // the client gave up, and the server learns of that
  EXPECT_EQ(pair.client.last_error, std::errc::operation_canceled);
  EXPECT_GT(pair.server->closes, 0u);
  pair.fabric.block("s", "c", false);
  EXPECT_TRUE(pair.run(seconds(10)));
}

TEST(SimNetwork, CloggedPathDeliversLater) {
  Pair pair(1);
  pair.client.start();
  pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
  pair.fabric.clog("s", "c", milliseconds(500));
  const Time until = pair.world.time() + milliseconds(500);
  pair.world.run_for(milliseconds(1));  // what had arrived before is read
  const std::uint64_t before = pair.client.received();
  pair.world.run_for(milliseconds(498));
  EXPECT_EQ(pair.client.received(), before);
  EXPECT_FALSE(pair.client.done());
  EXPECT_TRUE(pair.run(seconds(1)));
  EXPECT_GE(pair.world.time(), until);
  EXPECT_EQ(pair.client.closes, 0u);  // late, not broken
}

TEST(SimNetwork, SilenceIsNoticedByNobodyButATimeout) {
  Pair pair(1);
  pair.client.start();
  pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
  pair.fabric.silence(pair.client.link());
  pair.world.run_for(milliseconds(1900));
  EXPECT_EQ(pair.client.closes, 0u);
  EXPECT_TRUE(pair.run(seconds(10)));
  EXPECT_EQ(pair.client.closes, 1u);
  EXPECT_EQ(pair.client.last_error, std::errc::operation_canceled);
  EXPECT_EQ(pair.server->sessions(), 2u);  // the old one still waits
  pair.fabric.heal();
  pair.world.run_for(seconds(1));
  EXPECT_EQ(pair.server->sessions(), 1u);
}

// The stream of either side is cut at each byte in turn.
TEST(SimNetwork, ResetAtEveryByte) {
  for (int direction = 0; direction < 2; ++direction) {
    for (std::uint64_t at = 0; at < 100; ++at) {
      Pair pair(at + 1, FaultPlan::none(), 100);
      pair.fabric.cut_new_connections(direction, at);
      pair.client.start();
      pair.world.run_until([&] { return pair.client.closes > 0; }, seconds(1));
      EXPECT_EQ(pair.client.last_error, std::errc::connection_reset) << direction << ' ' << at;
      // All before the cut arrives: what the server has applied is known exactly.
      if (direction == 0) {
        EXPECT_EQ(pair.server->received, at);
      } else {
        EXPECT_EQ(pair.server->received, 100u);
        EXPECT_EQ(pair.client.received(), at);
      }
      pair.fabric.heal();
      EXPECT_TRUE(pair.run(seconds(5)));
      pair.world.run_for(seconds(1));
      EXPECT_EQ(pair.server->sessions(), 1u);
    }
  }
}

TEST(SimNetwork, ResetByHandReachesBothSides) {
  Pair pair(1);
  pair.client.start();
  pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
  pair.fabric.reset(pair.client.link());
  EXPECT_TRUE(pair.run(seconds(5)));
  EXPECT_EQ(pair.client.closes, 1u);
  EXPECT_EQ(pair.client.last_error, std::errc::connection_reset);
  EXPECT_EQ(pair.server->closes, 1u);
}

TEST(SimNetwork, CloseEndsThePeerInOrder) {
  Pair pair(1);
  EXPECT_TRUE(pair.run());
  pair.client_net.close(pair.client.link());
  pair.world.run_for(seconds(1));
  EXPECT_EQ(pair.client.last_error, std::errc::operation_canceled);
  EXPECT_EQ(pair.server->closes, 1u);
  EXPECT_EQ(pair.fabric.open_links(), 0u);
  pair.client_net.close(pair.client.link());  // an id of the past
  EXPECT_EQ(pair.problems(), "");
}

TEST(SimNetwork, PausedReaderStopsTheWriter) {
  FaultPlan plan;
  plan.buffer_bytes = 1000;
  Pair pair(1, plan, 100'000);
  pair.client.timeout = minutes(10);
  pair.client.start();
  pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
  pair.client_net.pause_read(pair.client.link(), true);
  pair.world.run_for(seconds(5));
  const std::uint64_t stuck_at = pair.server->received;
  const std::uint64_t client_at = pair.client.received();
  pair.world.run_for(seconds(5));
  EXPECT_EQ(pair.server->received, stuck_at);
  EXPECT_EQ(pair.client.received(), client_at);
  EXPECT_GT(pair.fabric.counts()[Fault::full_buffer], 0u);
  pair.client_net.pause_read(pair.client.link(), false);
  EXPECT_TRUE(pair.run(minutes(1)));
  EXPECT_EQ(pair.client.closes, 0u);
}

TEST(SimNetwork, CrashIsSeenByThePeerAndNotByTheDead) {
  for (const bool quiet : {false, true}) {
    Pair pair(1);
    pair.client.start();
    pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
    pair.server_net.crash(quiet);
    pair.server.reset();  // nothing may touch its links any more
    pair.world.run_for(seconds(1));
    EXPECT_EQ(pair.client.closes > 0, !quiet);
    pair.world.run_for(seconds(10));
    EXPECT_GT(pair.client.closes, 0u);  // by its own timeout
    EXPECT_FALSE(pair.client.done());
    pair.server_net.up();
    pair.server = std::make_unique<EchoServer>(pair.server_net, 7);
    pair.server_net.attach(*pair.server);
    EXPECT_TRUE(pair.run(minutes(1))) << quiet;
  }
}

TEST(SimNetwork, DownAndUpKeepsTheMachine) {
  Pair pair(1);
  pair.client.start();
  pair.world.run_until([&] { return pair.client.received() > 2000; }, seconds(1));
  pair.server_net.down();
  pair.world.run_for(seconds(1));
  EXPECT_EQ(pair.server->sessions(), 0u);
  EXPECT_EQ(pair.server->closes, 1u);
  EXPECT_EQ(pair.client.last_error, std::errc::connection_refused);
  pair.server_net.up();
  EXPECT_TRUE(pair.run(seconds(5)));
}

TEST(SimNetwork, Listening) {
  World world(1);
  Fabric fabric(world, FaultPlan::none());
  Network net(fabric, "s");
  struct Refuse final : Acceptor {
    Link* on_accept(LinkId, const Endpoint&) override { return nullptr; }
  } acceptor;
  std::error_code error;
  Endpoint bound;
  const ListenerId first = net.listen({"s", 0}, acceptor, error, &bound);
  EXPECT_TRUE(first);
  EXPECT_FALSE(error);
  EXPECT_NE(bound.port, 0);
  EXPECT_FALSE(net.listen(bound, acceptor, error));
  EXPECT_EQ(error, std::errc::address_in_use);
  EXPECT_FALSE(net.listen({"elsewhere", 1}, acceptor, error));
  EXPECT_EQ(error, std::errc::address_not_available);
  net.close_listener(first);
  EXPECT_TRUE(net.listen(bound, acceptor, error));
}

TEST(World, TimeAndOrder) {
  World world(3);
  EXPECT_NE(world.time().time_since_epoch().count(), 0);
  std::string order;
  const Time start = world.time();
  world.after(milliseconds(2), [&] { order += 'c'; });
  world.after(milliseconds(1), [&] { order += 'a'; });
  world.after(milliseconds(1), [&] { order += 'b'; });
  const std::int64_t wall = world.wall_ms();
  world.run_for(milliseconds(10));
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.time(), start + milliseconds(10));
  EXPECT_EQ(world.wall_ms(), wall + 10);
  world.jump_wall_clock(-5000);
  EXPECT_EQ(world.wall_ms(), wall + 10 - 5000);
}

TEST(FaultPlan, IsDrawnFromItsSeedAlone) {
  EXPECT_EQ(FaultPlan::draw(Rng(5)).to_string(), FaultPlan::draw(Rng(5)).to_string());
  EXPECT_NE(FaultPlan::draw(Rng(5)).to_string(), FaultPlan::draw(Rng(6)).to_string());
  int without_reset = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    without_reset += FaultPlan::draw(Rng(seed)).reset_every.count() == 0 ? 1 : 0;
  }
  EXPECT_GT(without_reset, 400);
  EXPECT_LT(without_reset, 600);
}

}  // namespace
}  // namespace tern::sim
