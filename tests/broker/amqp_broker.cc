#include "tests/broker/amqp_broker.h"

#include <algorithm>
#include <utility>

#include "tests/broker/amqp_session.h"

namespace tern::broker {

AmqpBroker::AmqpBroker(AmqpStore& store, Network& network, Endpoint listen_on,
                       AmqpBrokerConfig config)
    : store_(store),
      network_(network),
      listen_on_(std::move(listen_on)),
      config_(std::move(config)) {}

AmqpBroker::~AmqpBroker() = default;

std::error_code AmqpBroker::start() {
  std::error_code error;
  if (!listener_) listener_ = network_.listen(listen_on_, *this, error, &listen_on_);
  return error;
}

void AmqpBroker::stop() {
  if (listener_) network_.close_listener(std::exchange(listener_, {}));
  for (const auto& session : sessions_) session->reset();
}

std::size_t AmqpBroker::open_sessions() const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                                [](const auto& each) { return !each->closed(); }));
}

void AmqpBroker::set_blocked(bool blocked) {
  if (std::exchange(blocked_, blocked) == blocked) return;
  for (const auto& session : sessions_) session->tell_blocked(blocked);
}

void AmqpBroker::close_connections(const std::string& reason) {
  for (const auto& session : sessions_) {
    session->close(amqp::ReplyErrc::connection_forced, reason);
  }
}

Link* AmqpBroker::on_accept(LinkId id, const Endpoint&) {
  sessions_.push_back(std::make_unique<AmqpSession>(*this, id, ++last_connection_));
  return sessions_.back().get();
}

void AmqpBroker::step(Now now) {
  store_.set_time(now);
  for (const auto& session : sessions_) session->step(now);
  store_.expire();
  store_.deliver_all();
  std::erase_if(sessions_, [](const auto& each) { return each->gone(); });
}

Time AmqpBroker::next_deadline() const {
  Time next = store_.next_deadline();
  for (const auto& session : sessions_) next = std::min(next, session->next_deadline());
  return next;
}

}  // namespace tern::broker
