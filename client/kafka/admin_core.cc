#include "client/kafka/admin_core.h"

#include <algorithm>

namespace tern::kafka {

AdminCore::AdminCore(Engine& engine)
    : engine_(engine), timer_(Timer::calling<&AdminCore::on_timer>(engine.timers(), this)) {}

void AdminCore::start() {
  closed_ = engine_.is_closed();
  if (!closed_) engine_.add(shared_from_this());
}

void AdminCore::run(std::uint64_t id, std::string what, Target target, Duration timeout, Send send,
                    Done done) {
  const ClientConfig& config = engine_.config();
  if (target.kind == Target::Kind::coordinator) {
    engine_.cluster().coordinators().forget_trouble(Coordinators::Kind::group, target.group);
  }
  operations_.push_back(std::make_shared<Operation>(
      Operation{id,
                std::move(what),
                std::move(target),
                deadline_after(engine_.now().mono,
                               timeout > Duration::zero() ? timeout : config.operation_timeout),
                std::move(send),
                std::move(done),
                Backoff(config.retry_backoff, config.retry_backoff_max),
                {},
                false,
                -1,
                {}}));
  if (closed_) finish(*operations_.back(), Failure(ClientErrc::closed));
  engine_.wake();
}

void AdminCore::step(Now now) {
  std::erase_if(operations_, [](const auto& operation) { return !operation->done; });
  Time next = kNever;
  const auto operations = operations_;
  for (const auto& operation : operations) {
    if (now.mono >= operation->deadline) {
      std::string text = operation->what + ": not done in time";
      if (operation->last) text += "; last try: " + operation->last.message();
      finish(*operation, Failure(make_error_code(ClientErrc::timed_out), std::move(text)));
      continue;
    }
    next = std::min(next, operation->deadline);
    if (operation->trying) continue;
    if (now.mono >= operation->retry_at) {
      try_once(operation, now);
    } else {
      next = std::min(next, operation->retry_at);
    }
  }
  if (next != timer_.when()) timer_.set(next);
}

// Null: not yet, or never (it has been finished then).
Connection* AdminCore::connection_for(Operation& operation, Now now) {
  Cluster& cluster = engine_.cluster();
  switch (operation.target.kind) {
    case Target::Kind::anybody:
      return &cluster.any_connection();
    case Target::Kind::controller:
      if (Connection* connection = cluster.controller_connection()) return connection;
      // While the controller is unknown anybody may be asked: newer brokers pass the request on.
      cluster.refresh(now);
      return &cluster.any_connection();
    case Target::Kind::coordinator:
      return coordinator_for(operation, now);
    case Target::Kind::node:
      break;
  }
  Connection* connection = cluster.connection(operation.target.node_id, Role::control);
  if (!connection) cluster.refresh(now);
  return connection;
}

Connection* AdminCore::coordinator_for(Operation& operation, Now now) {
  constexpr auto kGroup = Coordinators::Kind::group;
  Coordinators& coordinators = engine_.cluster().coordinators();
  const std::string& group = operation.target.group;
  operation.node_id = coordinators.find(kGroup, group, now);
  if (operation.node_id >= 0) {
    return engine_.cluster().connection(operation.node_id, Role::control);
  }
  const Failure trouble = coordinators.trouble(kGroup, group);
  if (!trouble) return nullptr;
  operation.last = trouble;
  const std::error_code& code = trouble.code;
  if (code == ClientErrc::unsupported_version ||
      (code.category() == broker_category() &&
       !is_retriable(static_cast<BrokerErrc>(code.value())))) {
    finish(operation, Failure(code, operation.what + ": " + trouble.message()));
  }
  return nullptr;
}

void AdminCore::try_once(const std::shared_ptr<Operation>& operation, Now now) {
  Connection* connection = connection_for(*operation, now);
  if (!connection) return;  // the step that follows news of the cluster tries again
  operation->trying = true;
  operation->send(*connection,
                  [self = weak_from_this(), weak = std::weak_ptr(operation)](Outcome outcome) {
                    const auto core = self.lock();
                    const auto still = weak.lock();
                    if (core && still && still->done) core->on_outcome(*still, outcome);
                  });
}

void AdminCore::on_outcome(Operation& operation, const Outcome& outcome) {
  operation.trying = false;
  if (outcome.failure && outcome.again) {
    operation.last = outcome.failure;
    operation.retry_at =
        deadline_after(engine_.now().mono, operation.backoff.next(engine_.random()));
    if (operation.target.kind == Target::Kind::controller) {
      engine_.cluster().refresh(engine_.now());
    } else if (operation.target.kind == Target::Kind::coordinator) {
      engine_.cluster().coordinators().lost(Coordinators::Kind::group, operation.target.group,
                                            operation.node_id);
    }
    engine_.wake();
    return;
  }
  Failure failure = outcome.failure;
  if (failure) failure = Failure(failure.code, operation.what + ": " + failure.message());
  finish(operation, std::move(failure));
}

void AdminCore::finish(Operation& operation, Failure failure) {
  if (operation.done) engine_.complete(std::move(operation.done), std::move(failure));
}

void AdminCore::cancel(std::uint64_t id) {
  for (const auto& operation : operations_) {
    if (operation->id == id && id != 0) {
      finish(*operation, Failure(std::make_error_code(std::errc::operation_canceled)));
    }
  }
}

void AdminCore::shut_down(const Failure& why, Now) {
  closed_ = true;
  timer_.cancel();
  for (const auto& operation : operations_) finish(*operation, why);
  engine_.remove(*this);
}

}  // namespace tern::kafka
