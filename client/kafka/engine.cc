#include "client/kafka/engine.h"

#include <algorithm>

namespace tern::kafka {
namespace {

constexpr std::size_t kResponsePoolBytes = 1024 * 1024;
// Calls that fail at once may be sent again at once; after so many rounds the network gets its
// turn.
constexpr int kMaxRounds = 8;

}  // namespace

const char* to_string(Role role) {
  switch (role) {
    case Role::produce:
      return "produce";
    case Role::fetch:
      return "fetch";
    case Role::coordinator:
      return "coordinator";
    case Role::control:
      return "control";
  }
  return "?";
}

Engine::Engine(Network& network, ClientConfig config, std::uint64_t seed)
    : config_(std::move(config)),
      random_(config_.seed != 0 ? config_.seed : seed),
      stream_(config_.stream ? config_.stream->over(network, timers_, {}) : nullptr),
      network_(stream_ ? *stream_ : network),
      now_(network.now()),
      response_pool_(kResponsePoolBytes),
      cluster_(std::make_unique<Cluster>(*this)) {}

Engine::~Engine() = default;

void Engine::step(Now now) {
  now_ = now;
  inlet_.run();
  timers_.run(now);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i]) parts_[i]->step(now);
  }
  std::erase(parts_, nullptr);
  // Taken out first: what a part owns may remove another one as it goes.
  const std::vector<std::shared_ptr<Part>> gone = std::exchange(removed_, {});
  for (int round = 0; !dirty_.empty(); ++round) {
    if (round == kMaxRounds) return network_.wake();
    std::swap(dirty_, working_);
    for (Connection* connection : working_) {
      if (connection) connection->work(now);
    }
    working_.clear();
  }
}

Time Engine::next_deadline() const { return timers_.next(); }

void Engine::run_completions() {
  // A handler that throws ends this call: what is left needs another one.
  struct WakeUnlessDone {
    Network& network;
    bool done = false;
    ~WakeUnlessDone() {
      if (!done) network.wake();
    }
  } guard{network_};
  for (std::size_t left = completions_.size(); left > 0; --left) {
    Completion<> handler = std::move(completions_.front());
    completions_.pop_front();
    handler();
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::shared_ptr<Part> part = parts_[i];
    if (part) part->run_completions();
  }
  guard.done = completions_.empty();
}

void Engine::discard_completions() {
  // Each taken out first: destroying a handler may destroy producers, consumers, other handlers.
  const std::deque<Completion<>> completions = std::exchange(completions_, {});
  const std::vector<std::shared_ptr<Part>> parts = std::exchange(parts_, {});
  for (const std::shared_ptr<Part>& part : parts) {
    if (part) part->discard_completions();
  }
}

void Engine::post(Inlet::Call call) {
  inlet_.post(std::move(call));
  network_.wake();
}

void Engine::add(std::shared_ptr<Part> part) { parts_.push_back(std::move(part)); }

void Engine::remove(Part& part) {
  for (std::shared_ptr<Part>& held : parts_) {
    if (held.get() == &part) removed_.push_back(std::move(held));
  }
  network_.wake();
}

void Engine::cancel(std::uint64_t id) {
  for (const std::shared_ptr<Part>& part : parts_) {
    if (part) part->cancel(id);
  }
}

void Engine::close(Now now) {
  if (std::exchange(closed_, true)) return;
  const Failure why(make_error_code(ClientErrc::closed), "the client was closed");
  const std::vector<std::shared_ptr<Part>> parts = parts_;
  for (const std::shared_ptr<Part>& part : parts) {
    if (part) part->shut_down(why, now);
  }
  cluster_->close_all(why, now);
  network_.wake();
}

void Engine::mark_dirty(Connection& connection) {
  dirty_.push_back(&connection);
  network_.wake();
}

void Engine::forget(Connection& connection) {
  std::replace(dirty_.begin(), dirty_.end(), &connection, static_cast<Connection*>(nullptr));
  std::replace(working_.begin(), working_.end(), &connection, static_cast<Connection*>(nullptr));
}

}  // namespace tern::kafka
