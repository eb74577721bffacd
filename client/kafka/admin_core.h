// AdminCore: requests about topics, groups and the cluster, each sent to whoever can answer it and
// tried again until it is answered or its time is up. Belongs to the engine's executor.
#ifndef TERN_CLIENT_KAFKA_ADMIN_CORE_H_
#define TERN_CLIENT_KAFKA_ADMIN_CORE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/kafka/engine.h"

namespace tern::kafka {

class AdminCore final : public Part, public std::enable_shared_from_this<AdminCore> {
 public:
  // What one try came to. `again` is set if another one can help.
  struct Outcome {
    Failure failure;
    bool again = false;
  };
  // Sends one try on the connection and has `finished` called with its outcome.
  using Finished = std::function<void(Outcome)>;
  using Send = std::function<void(Connection&, Finished)>;
  // The end: called once, from run_completions().
  using Done = Completion<Failure>;

  // Who can answer: anybody, or only these.
  struct Target {
    enum class Kind { anybody, controller, coordinator, node };
    Kind kind = Kind::anybody;
    std::string group = {};  // whose coordinator
    std::int32_t node_id = -1;

    static Target controller() { return {.kind = Kind::controller}; }
    static Target coordinator_of(std::string group) {
      return {.kind = Kind::coordinator, .group = std::move(group)};
    }
    static Target node(std::int32_t id) { return {.kind = Kind::node, .node_id = id}; }
  };

  explicit AdminCore(Engine& engine);
  void start();
  Engine& engine() { return engine_; }

  // `what` names it in errors.
  void run(std::uint64_t id, std::string what, Target target, Duration timeout, Send send,
           Done done);

  void step(Now now) override;
  void run_completions() override {}  // they go through Engine::complete()
  void cancel(std::uint64_t id) override;
  void shut_down(const Failure& why, Now now) override;

 private:
  struct Operation {
    std::uint64_t id;
    std::string what;
    Target target;
    Time deadline;
    Send send;
    Done done;
    Backoff backoff;
    Time retry_at{};
    bool trying = false;
    std::int32_t node_id = -1;  // whom it was sent to, if only one can answer
    Failure last;
  };

  Connection* connection_for(Operation& operation, Now now);
  Connection* coordinator_for(Operation& operation, Now now);
  void try_once(const std::shared_ptr<Operation>& operation, Now now);
  void on_outcome(Operation& operation, const Outcome& outcome);
  void finish(Operation& operation, Failure failure);
  void on_timer(Now) {}  // the step that follows does the work

  Engine& engine_;
  bool closed_ = false;
  std::vector<std::shared_ptr<Operation>> operations_;
  Timer timer_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ADMIN_CORE_H_
