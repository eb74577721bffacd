#include "client/amqp/connection.h"

#include <random>
#include <system_error>
#include <utility>

namespace tern::amqp {
namespace {

ConnectionConfig checked(ConnectionConfig config) {
  if (const Failure failure = check(config)) {
    throw std::system_error(failure.code, failure.message());
  }
  if (config.seed == 0) {
    std::random_device device;
    config.seed = (std::uint64_t{device()} << 32) | device();
  }
  return config;
}

}  // namespace

Connection::Connection(const net::Executor& executor, ConnectionConfig config,
                       ConnectionEvents events)
    : state_(ConnectionState::make(executor, checked(std::move(config)))) {
  listen(std::move(events));
}

Connection::Connection(const net::Executor& executor, ConnectionConfig config, Network& network,
                       const std::function<void(Machine&)>& attach, ConnectionEvents events)
    : state_(ConnectionState::make_on(network, attach, executor, checked(std::move(config)))) {
  listen(std::move(events));
}

// Before anything has begun.
void Connection::listen(ConnectionEvents events) {
  Engine& engine = state_->engine();
  engine.on_lost(std::move(events.on_lost));
  engine.on_recovered(std::move(events.on_recovered));
  engine.on_not_recovered(std::move(events.on_not_recovered));
  engine.on_ack_timeout(std::move(events.on_ack_timeout));
  engine.on_blocked(std::move(events.on_blocked));
}

// None of these owns the state: it would keep the connection from ending if its executor never ran
// again.

void Connection::start_connect(Completion<Failure> done) {
  state_->run([&engine = state_->engine(), done = std::move(done)]() mutable {
    engine.connect(std::move(done));
  });
}

void Connection::start_open(const ChannelConfig& config, Completion<Failure, Channel> done) {
  state_->run([&engine = state_->engine(), config, weak = std::weak_ptr(state_),
               done = std::move(done)]() mutable {
    const std::shared_ptr<ChannelCore> core = engine.open_channel(config);
    core->when_open([&engine, core, weak, done = std::move(done)](const Failure& why) mutable {
      const auto state = weak.lock();
      engine.complete(std::move(done), why, why || !state ? Channel() : Channel(state, core));
    });
  });
}

void Connection::start_update_secret(std::string secret, std::string reason,
                                     Completion<Failure> done) {
  state_->run([&engine = state_->engine(), secret = std::move(secret), reason = std::move(reason),
               done = std::move(done)]() mutable {
    engine.session().update_secret(secret, reason,
                                   [&engine, done = std::move(done)](const Failure& why) mutable {
                                     engine.complete(std::move(done), why);
                                   });
  });
}

void Connection::start_close(Completion<Failure> done) {
  state_->run([&engine = state_->engine(), done = std::move(done)]() mutable {
    engine.close(std::move(done));
  });
}

}  // namespace tern::amqp
