// AdminCore: each operation ends once, at whoever can do it, within its time.
#include "client/kafka/admin_core.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/kafka/messages/topics.h"
#include "tests/kafka/engine_rig.h"

namespace tern::kafka {
namespace {

class AdminCoreTest : public ::testing::Test {
 protected:
  AdminCoreTest() : rig({.brokers = 3}) {}
  ~AdminCoreTest() override {
    if (!core_) return;
    core_->shut_down(Failure(ClientErrc::closed), rig.engine().enter());
    rig.run_for(milliseconds(1));
  }
  AdminCore& core() {
    if (!core_) {
      core_ = std::make_shared<AdminCore>(rig.engine());
      rig.engine().enter();
      core_->start();
    }
    return *core_;
  }
  // Creates a topic; NOT_CONTROLLER is tried again.
  void create(const std::string& name, Duration timeout = Duration::zero(), std::uint64_t id = 0) {
    core();
    rig.engine().enter();
    auto send = [name](Connection& connection, AdminCore::Finished finished) {
      auto make = [name](std::int16_t, wire::Arena& arena) {
        auto* topic = arena.make_array<CreateTopicsRequest::CreatableTopic>(1);
        topic->name = wire::Text(name);
        topic->num_partitions = 3;
        topic->replication_factor = 1;
        CreateTopicsRequest request;
        request.topics = {topic, 1};
        request.timeout_ms = 1000;
        return request;
      };
      auto done = [finished = std::move(finished)](
                      const Failure& why, const CreateTopicsResponse* reply, std::int16_t, Now) {
        if (why) return finished({why, true});
        const auto error = static_cast<BrokerErrc>(reply->topics[0].error_code);
        if (error == BrokerErrc::none) return finished({});
        finished({Failure(make_error_code(error)), error == BrokerErrc::not_controller});
      };
      connection.send(*new SimpleCall<CreateTopicsRequest>(std::move(make), std::move(done)));
    };
    core().run(id, "create topics", AdminCore::Target::controller(), timeout, std::move(send),
               [this](Failure why) {
                 ++ends;
                 failure = std::move(why);
               });
  }
  bool wait(Duration limit = seconds(120)) {
    const int before = ends;
    return rig.run_until([&] { return ends > before; }, limit);
  }

  EngineRig rig;
  int ends = 0;
  Failure failure;

 private:
  std::shared_ptr<AdminCore> core_;
};

TEST_F(AdminCoreTest, DoesItOnce) {
  create("t");
  ASSERT_TRUE(wait());
  EXPECT_FALSE(failure) << failure.message();
  EXPECT_EQ(rig.cluster.find_topic("t")->partitions.size(), 3U);
  rig.run_for(seconds(100));
  EXPECT_EQ(ends, 1);
}

TEST_F(AdminCoreTest, ErrorNamesTheOperation) {
  rig.cluster.create_topic("t");
  create("t");
  ASSERT_TRUE(wait());
  EXPECT_EQ(failure.code, BrokerErrc::topic_already_exists);
  EXPECT_NE(failure.message().find("create topics: "), std::string::npos) << failure.message();
}

TEST_F(AdminCoreTest, FollowsTheController) {
  create("a");
  ASSERT_TRUE(wait());
  rig.cluster.stop_node(1);
  create("b");
  ASSERT_TRUE(wait());
  EXPECT_FALSE(failure) << failure.message();
  EXPECT_NE(rig.cluster.find_topic("b"), nullptr);
}

TEST_F(AdminCoreTest, NotControllerIsTriedAgain) {
  rig.cluster.inject(CreateTopicsRequest::api.key,
                     Injection::with_error(BrokerErrc::not_controller, 3));
  create("t");
  ASSERT_TRUE(wait());
  EXPECT_FALSE(failure) << failure.message();
  EXPECT_EQ(rig.requests(CreateTopicsRequest::api), 4U);
  EXPECT_GE(rig.world.elapsed(), milliseconds(500)) << "with pauses";
}

TEST_F(AdminCoreTest, TimesOutWithTheLastReason) {
  rig.cluster.inject(CreateTopicsRequest::api.key,
                     Injection::with_error(BrokerErrc::not_controller, broker::kAlways));
  create("t", seconds(5));
  ASSERT_TRUE(wait(seconds(6)));
  EXPECT_EQ(rig.world.elapsed(), seconds(5));
  EXPECT_EQ(failure.code, ClientErrc::timed_out);
  EXPECT_NE(failure.message().find("create topics"), std::string::npos);
  EXPECT_NE(failure.message().find("NOT_CONTROLLER"), std::string::npos) << failure.message();
}

TEST_F(AdminCoreTest, TimesOutWithoutAnyBroker) {
  rig.client_config.bootstrap = {"nohost:9092"};
  create("t", seconds(5));
  ASSERT_TRUE(wait(seconds(6)));
  EXPECT_EQ(failure.code, ClientErrc::timed_out);
  EXPECT_NE(failure.message().find("nohost:9092"), std::string::npos) << failure.message();
}

TEST_F(AdminCoreTest, TimeoutWhileAnAnswerIsAwaited) {
  Injection silent;
  silent.no_answer = true;
  rig.cluster.inject(CreateTopicsRequest::api.key, silent);
  create("t", seconds(5));
  ASSERT_TRUE(wait(seconds(6)));
  EXPECT_EQ(failure.code, ClientErrc::timed_out);
  rig.run_for(seconds(100));
  EXPECT_EQ(ends, 1);
}

TEST_F(AdminCoreTest, CancelAndClose) {
  Injection silent;
  silent.no_answer = true;
  silent.times = broker::kAlways;
  rig.cluster.inject(CreateTopicsRequest::api.key, silent);
  create("t", seconds(50), 9);
  rig.run_for(seconds(1));
  rig.engine().enter();
  rig.engine().cancel(9);
  ASSERT_TRUE(wait(milliseconds(1)));
  EXPECT_EQ(failure.code, std::errc::operation_canceled);
  create("t", seconds(50), 10);
  rig.run_for(seconds(1));
  rig.engine().close(rig.engine().enter());
  ASSERT_TRUE(wait(milliseconds(1)));
  EXPECT_EQ(failure.code, ClientErrc::closed);
  create("t", seconds(50), 11);
  ASSERT_TRUE(wait(milliseconds(1)));
  EXPECT_EQ(failure.code, ClientErrc::closed);
  rig.run_for(seconds(100));
  EXPECT_EQ(ends, 3);
}

}  // namespace
}  // namespace tern::kafka
