// Messages that are published together, and consumers that take all there is: one handler for many.
// Confirms against a model, with acks and nacks in any order.
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/confirms.h"
#include "tests/amqp/engine_rig.h"
#include "tests/sim/random.h"

namespace tern::amqp::testing {
namespace {

class TogetherTest : public ::testing::Test {
 protected:
  std::shared_ptr<ChannelCore> open(const ChannelConfig& with = {}) {
    EXPECT_FALSE(rig.connect());
    auto channel = rig.open_channel(with);
    EXPECT_EQ(channel->state(), ChannelCore::State::open);
    return channel;
  }
  ScriptPeer::Session& peer() { return rig.peer.last(); }

  EngineRig rig;
};

TEST_F(TogetherTest, BodiesAlone) {
  const auto channel = open();
  Ending told;
  const std::string large(200'000, 'l');
  const std::vector<std::string_view> bodies = {"a", "", large, "d"};
  const auto note = [&](Failure why, const std::vector<NotPublished>& not_published) {
    told.note()(why);
    EXPECT_TRUE(not_published.empty());
  };
  ASSERT_FALSE(channel->publish_all({.routing_key = "k"}, bodies, note));
  ASSERT_TRUE(rig.run_until([&] { return rig.peer.messages.size() == bodies.size(); }));
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    EXPECT_EQ(rig.peer.messages[i].body, bodies[i]);
  }
  EXPECT_EQ(channel->unconfirmed(), bodies.size());
  EXPECT_EQ(told.endings, 0);
  peer().send(1, BasicAck{4, true});
  ASSERT_TRUE(rig.wait(told));
  EXPECT_TRUE(told.ok());
  // All of them or none.
  const std::string key(256, 'k');
  const Target bad{.routing_key = std::string_view(key)};
  EXPECT_EQ(channel->publish_all(bad, bodies, note).code, ClientErrc::invalid_argument);
  EXPECT_EQ(channel->unconfirmed(), 0U);
}

TEST_F(TogetherTest, ManyAreToldOfTogether) {
  const auto channel = open();
  struct Told {
    int times = 0;
    Failure why;
    std::vector<NotPublished> not_published;
    PublishedAll note() {
      return [this](Failure end, std::vector<NotPublished> list) {
        ++times;
        why = std::move(end);
        not_published = std::move(list);
      };
    }
  } first, second, none;
  const std::vector<Message> messages = {
      {.body = "a", .properties = {.app_id = "x"}}, {.body = "b"}, {.body = ""}, {.body = "d"}};
  Ending single;
  ASSERT_FALSE(channel->publish_all({.routing_key = "k"}, messages, first.note()));
  ASSERT_FALSE(channel->publish({.routing_key = "k"}, {.body = "e"}, single.note()));
  ASSERT_FALSE(channel->publish_all({.routing_key = "k"}, std::span<const Message>(), none.note()));
  ASSERT_FALSE(channel->publish_all({.routing_key = "other", .mandatory = true},
                                    std::span(messages).first(2), second.note()));
  rig.run_for(seconds(1));
  EXPECT_EQ(none.times, 1);
  EXPECT_FALSE(none.why);
  ASSERT_EQ(rig.peer.messages.size(), 7U);
  EXPECT_EQ(rig.peer.messages[3].body, "d");
  EXPECT_EQ(rig.peer.messages[4].body, "e");
  // Out of order, alone and many at a time; one is refused, one comes back.
  peer().send(1, BasicAck{5, false});
  peer().send(1, BasicNack{2, false});
  rig.run_for(seconds(1));
  EXPECT_TRUE(single.ok());
  EXPECT_EQ(first.times, 0);
  EXPECT_EQ(channel->unconfirmed(), 5U);
  peer().send(1, BasicAck{4, true});
  rig.run_for(seconds(1));
  ASSERT_EQ(first.times, 1);
  EXPECT_EQ(first.why.code, ClientErrc::refused);
  ASSERT_EQ(first.not_published.size(), 1U);
  EXPECT_EQ(first.not_published[0].index, 1U);
  EXPECT_EQ(first.not_published[0].why.code, ClientErrc::refused);
  // The channel ends with the others.
  peer().send(1, BasicAck{6, false});
  peer().send(1, ChannelClose{404, "gone", 0, 0});
  rig.run_for(seconds(1));
  ASSERT_EQ(second.times, 1);
  EXPECT_EQ(second.why.code, ClientErrc::maybe_written);
  ASSERT_EQ(second.not_published.size(), 1U);
  EXPECT_EQ(second.not_published[0].index, 1U);
}

TEST_F(TogetherTest, AllOfManyOrNone) {
  const auto channel = open({.max_unconfirmed = 3});
  Ending refused;
  const auto never = [](const Failure&, const std::vector<NotPublished>&) { FAIL(); };
  const std::string too_long(256, 'x');
  const std::vector<Message> bad = {
      {.body = "a"}, {.body = "b", .properties = {.app_id = std::string_view(too_long)}}};
  EXPECT_EQ(channel->publish_all({}, bad, never).code, ClientErrc::invalid_argument);
  EXPECT_EQ(channel
                ->publish_all({.routing_key = std::string_view(too_long)},
                              std::span<const Message>(), never)
                .code,
            ClientErrc::invalid_argument);
  const std::vector<Message> four(4, Message{.body = "m"});
  int told = 0;
  // More than the window, with nothing in it.
  EXPECT_FALSE(channel->publish_all(
      {}, four,
      [&](const Failure& why, const std::vector<NotPublished>&) { told += why ? 0 : 1; }));
  EXPECT_EQ(channel->publish_all({}, std::span(four).first(1), never).code, ClientErrc::queue_full);
  EXPECT_EQ(channel->publish({}, {.body = "m"}, refused.note()).code, ClientErrc::queue_full);
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.messages.size(), 4U);
  peer().send(1, BasicAck{2, true});
  rig.run_for(seconds(1));
  EXPECT_EQ(channel->publish_all({}, std::span(four).first(2), never).code, ClientErrc::queue_full);
  EXPECT_EQ(told, 0);
  peer().send(1, BasicAck{0, true});
  rig.run_for(seconds(1));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(channel->unconfirmed(), 0U);
}

TEST_F(TogetherTest, ManyWithoutConfirmsAreToldOfWhenTheyAreWritten) {
  const auto channel = open({.confirms = false});
  const std::vector<Message> messages(3, Message{.body = "m"});
  int told = 0;
  EXPECT_FALSE(channel->publish_all({}, messages,
                                    [&](const Failure& why, const std::vector<NotPublished>& list) {
                                      told += why || !list.empty() ? 0 : 1;
                                    }));
  rig.run_for(seconds(1));
  EXPECT_EQ(rig.peer.messages.size(), 3U);
  EXPECT_EQ(told, 1);
}

// Each message by itself, as confirms are meant.
struct Model {
  enum class Fate { open, acked, nacked, returned, lost };
  std::vector<Fate> fates;                                   // by tag, from 1 on
  std::vector<std::pair<std::size_t, std::size_t>> batches;  // first tag, count

  Fate& of(std::uint64_t tag) { return fates[tag - 1]; }
  void end(std::uint64_t tag, Fate fate) {
    if (of(tag) == Fate::open) of(tag) = fate;
  }
};

TEST(Confirms, AsAModelWould) {
  using Fate = Model::Fate;
  const Failure nacked(ClientErrc::refused), lost(ClientErrc::maybe_written);
  const Failure back(make_error_code(ReplyErrc::no_route));
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    sim::Rng random(seed);
    Confirms confirms;
    Model model;
    std::vector<int> told;                                 // by batch
    std::vector<std::vector<NotPublished>> not_published;  // by batch
    std::vector<bool> came_back(1);                        // by tag
    std::uint64_t next = 1;
    const auto tell = [](auto&& done, auto&&... outcome) {
      done(std::forward<decltype(outcome)>(outcome)...);
    };
    const auto tell_well = [](Completion<Failure>& done) { done(Failure()); };
    const auto fate = [&](std::uint64_t tag, Fate otherwise) {
      return came_back[tag] ? Fate::returned : otherwise;
    };
    for (int i = 0; i < 200; ++i) {
      const std::size_t count = random.below(3) == 0 ? 1 : 1 + random.below(20);
      const std::size_t batch = told.size();
      switch (random.below(5)) {
        case 0: {
          told.push_back(0);
          not_published.emplace_back();
          model.batches.emplace_back(next, count);
          if (count == 1) {
            confirms.add(next, 1'000'000 + next, 10, [&told, &not_published, batch](Failure why) {
              ++told[batch];
              if (why) not_published[batch].push_back({0, std::move(why)});
            });
          } else {
            confirms.begin_batch(
                static_cast<std::uint32_t>(count),
                [&told, &not_published, batch](const Failure& why, std::vector<NotPublished> list) {
                  ++told[batch];
                  EXPECT_EQ(!why, list.empty());
                  not_published[batch] = std::move(list);
                });
          }
          for (std::size_t k = 0; k < count; ++k, ++next) {
            if (count != 1) confirms.add(next, 1'000'000 + next, 10);
            model.fates.push_back(Fate::open);
            came_back.push_back(false);
          }
          break;
        }
        case 1: {
          if (next == 1) break;
          const std::uint64_t tag = 1 + random.below(next - 1);
          const bool open = model.of(tag) == Fate::open;
          const bool found = confirms.give_back(1'000'000 + tag, back);
          EXPECT_EQ(found, open && !came_back[tag]);
          if (found) came_back[tag] = true;
          break;
        }
        default: {
          const std::uint64_t tag = random.below(next + 2);
          const bool multiple = random.below(2) == 0, ack = random.below(4) != 0;
          const bool may_be_due = random.below(4) != 0;
          const bool known =
              confirms.settle(tag, multiple, ack ? Failure() : nacked, may_be_due, tell);
          ASSERT_EQ(known, tag < next && (tag != 0 || multiple));
          if (!known) break;
          const std::uint64_t last = tag == 0 ? next - 1 : tag;
          for (std::uint64_t t = multiple ? 1 : last; t <= last; ++t) {
            model.end(t, fate(t, ack ? Fate::acked : Fate::nacked));
          }
          // Some time later, so that more is published and settled meanwhile.
          if (random.below(2) == 0) confirms.tell_due(tell_well);
        }
      }
      std::size_t open = 0;
      for (const Fate each : model.fates) open += each == Fate::open ? 1 : 0;
      ASSERT_EQ(confirms.size(), open) << "seed " << seed;
      ASSERT_EQ(confirms.bytes(), open * 10) << "seed " << seed;
    }
    confirms.fail_all([&](const Unconfirmed&) { return lost; }, tell);
    confirms.tell_due(tell_well);
    EXPECT_FALSE(confirms.has_due());
    for (std::uint64_t tag = 1; tag < next; ++tag) model.end(tag, fate(tag, Fate::lost));
    EXPECT_EQ(confirms.size(), 0U);
    for (std::size_t batch = 0; batch < told.size(); ++batch) {
      ASSERT_EQ(told[batch], 1) << "seed " << seed;
      const auto [first, count] = model.batches[batch];
      std::vector<std::error_code> expected(count), got(count);
      for (std::size_t k = 0; k < count; ++k) {
        switch (model.of(first + k)) {
          case Fate::nacked:
            expected[k] = nacked.code;
            break;
          case Fate::returned:
            expected[k] = back.code;
            break;
          case Fate::lost:
            expected[k] = lost.code;
            break;
          default:
            break;
        }
      }
      for (const NotPublished& each : not_published[batch]) got[each.index] = each.why.code;
      ASSERT_EQ(got, expected) << "seed " << seed << ", batch " << batch;
    }
  }
}

}  // namespace
}  // namespace tern::amqp::testing
