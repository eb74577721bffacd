#include "client/kafka/producer.h"

#include "client/kafka/engine.h"

namespace tern::kafka {

Producer::Producer(const Client& client, ProducerConfig config) : state_(client.state()) {
  Engine& engine = state_->engine();
  if (const Failure failure = check(config, engine.config())) {
    throw std::system_error(failure.code, failure.message());
  }
  core_ = std::make_shared<ProducerCore>(engine, std::move(config), state_->next_seed());
  state_->run([core = core_] { core->start(); });
}

Producer::~Producer() { give_up(); }

Producer& Producer::operator=(Producer&& other) noexcept {
  if (this != &other) {
    give_up();
    core_ = std::move(other.core_);
    state_ = std::move(other.state_);
  }
  return *this;
}

void Producer::give_up() {
  if (!core_) return;
  core_->accumulator().stop();
  state_->run([&engine = state_->engine(), core = std::move(core_)] {
    core->shut_down(Failure(make_error_code(ClientErrc::closed), "the producer was destroyed"),
                    engine.now());
  });
}

void Producer::on_batch(std::function<void(const BatchReport&)> handler) {
  state_->run([core = core_, handler = std::move(handler)]() mutable {
    core->set_batch_handler(std::move(handler));
  });
}

void Producer::start_send(ClientState& state, const std::shared_ptr<ProducerCore>& core,
                          ProducerTopic& topic, const Record& record, bool waits, std::uint64_t op,
                          Completion<Failure, Delivery> done) {
  Awaited awaited{std::move(done)};
  const std::error_code error = core->accumulator().append(topic, record, std::move(awaited), op);
  if (!error) return;
  if (waits && error == ClientErrc::queue_full) {
    // append() has moved it only if it took the record. NOLINTNEXTLINE(bugprone-use-after-move)
    return state.run([core, to = &topic, record, op, done = std::move(awaited.done)]() mutable {
      core->send(*to, record, std::move(done), op);
    });
  }
  Delivery delivery;
  delivery.topic = topic.name;
  delivery.cause = error;
  state.run([&engine = state.engine(), error, delivery = std::move(delivery),
             done = std::move(awaited.done)]() mutable {
    engine.complete(std::move(done), Failure(error), std::move(delivery));
  });
}

}  // namespace tern::kafka
