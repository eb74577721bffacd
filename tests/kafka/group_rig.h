// A member of a group in a simulated world, with a scripted coordinator.
#ifndef TERN_TESTS_KAFKA_GROUP_RIG_H_
#define TERN_TESTS_KAFKA_GROUP_RIG_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/kafka/consumer_rig.h"

namespace tern::kafka {

class GroupTest : public ConsumerTest {
 protected:
  // What a handler was told.
  struct Told {
    std::string what;  // "assigned", "revoked", "lost"
    Partitions partitions;
    friend bool operator==(const Told&, const Told&) = default;
  };

  GroupTest() : ConsumerTest(2), group(brokers.group) {
    brokers.add_topic("t", 4);
    for (int i = 0; i < 4; ++i) brokers.at("t", i).add({"a", "b", "c"});
    config.group = "g";
    config.topics = {"t"};
    config.offset_reset = OffsetReset::earliest;
    config.on_assigned = [this](const Partitions& partitions, Done done) {
      on_told("assigned", partitions, std::move(done));
    };
    config.on_revoked = [this](const Partitions& partitions, Done done) {
      on_told("revoked", partitions, std::move(done));
    };
    config.on_lost = [this](const Partitions& partitions, Done done) {
      on_told("lost", partitions, std::move(done));
    };
  }

  static Partitions t(std::initializer_list<std::int32_t> numbers) {
    Partitions partitions;
    for (const std::int32_t number : numbers) partitions.push_back({"t", number});
    return partitions;
  }
  // Another member, whose claims do not matter.
  static GroupMember other(std::string id, std::vector<std::string> topics = {"t"}) {
    GroupMember member;
    member.id = std::move(id);
    member.topics = std::move(topics);
    return member;
  }

  bool run_until(const std::function<bool()>& done, Duration limit = seconds(60)) {
    world.run_until(done, limit);
    return done();
  }
  // Starts, polls, and waits until all of `expected` is owned.
  void join(const Partitions& expected) {
    start();
    poll = host.start_poll();
    ASSERT_TRUE(run_until([&] { return assigned() == expected; }));
    host.run_for(milliseconds(100));
  }
  Partitions assigned() { return host.consumer().board()->all(); }
  const MemberIdentity& identity() { return host.consumer().group()->membership()->identity(); }

  std::shared_ptr<ConsumerHost::Polled> next_poll() { return poll = host.start_poll(); }

  struct Ended {
    bool done = false;
    Failure failure;
  };
  std::shared_ptr<Ended> commit(std::optional<Offsets> offsets, Duration timeout = seconds(30),
                                std::uint64_t id = 0) {
    auto ended = std::make_shared<Ended>();
    const Now now = host.engine().enter();
    host.consumer().commit(id, std::move(offsets), deadline_after(now.mono, timeout),
                           [ended](const Failure& why) {
                             ended->done = true;
                             ended->failure = why;
                           });
    return ended;
  }
  std::shared_ptr<Ended> close(Duration timeout) {
    auto ended = std::make_shared<Ended>();
    const Now now = host.engine().enter();
    host.consumer().close(
        deadline_after(now.mono, timeout),
        [ended](const Failure& why) {
          ended->done = true;
          ended->failure = why;
        },
        now);
    return ended;
  }
  std::int64_t stored(std::int32_t partition) {
    const auto found = group.stored.find({"t", partition});
    return found == group.stored.end() ? -1 : found->second.offset;
  }

  fake::FakeGroup& group;
  std::shared_ptr<ConsumerHost::Polled> poll;
  std::vector<Told> told;
  bool keep_done = false;  // handlers take their time
  std::vector<Done> dones;

 private:
  void on_told(std::string what, const Partitions& partitions, Done done) {
    told.push_back({std::move(what), partitions});
    if (keep_done) dones.push_back(std::move(done));
  }
};

}  // namespace tern::kafka

#endif  // TERN_TESTS_KAFKA_GROUP_RIG_H_
