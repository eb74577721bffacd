// ChannelTest: an engine with channels, against a peer that says what the test wants.
#ifndef TERN_TESTS_AMQP_CHANNEL_RIG_H_
#define TERN_TESTS_AMQP_CHANNEL_RIG_H_

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "client/amqp/channel_core.h"
#include "tests/amqp/engine_rig.h"

namespace tern::amqp::testing {

class ChannelTest : public ::testing::Test {
 protected:
  void connect() { ASSERT_FALSE(rig.connect()); }
  std::shared_ptr<ChannelCore> open(const ChannelConfig& with = {}) {
    if (!rig.engine().is_connected()) connect();
    auto channel = rig.open_channel(with);
    EXPECT_EQ(channel->state(), ChannelCore::State::open);
    return channel;
  }
  // A handler of call() that notes how it ended.
  static auto note(Ending& ending) {
    return [&ending](const Failure& why, const Reply&) {
      ++ending.endings;
      ending.failure = why;
    };
  }
  Failure publish(ChannelCore& channel, Target target, std::string_view body, Ending& ending) {
    rig.engine();
    return channel.publish(target, {.body = body}, ending.note());
  }
  ScriptPeer::Session& peer() { return rig.peer.last(); }

  EngineRig rig;
};

}  // namespace tern::amqp::testing

#endif  // TERN_TESTS_AMQP_CHANNEL_RIG_H_
