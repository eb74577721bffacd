#include <cstddef>
#include <utility>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"

namespace tern::amqp {

ConsumerCore::ConsumerCore(Engine& engine, std::string tag, std::string queue, bool no_ack)
    : engine_(&engine), tag_(std::move(tag)), queue_name_(std::move(queue)), no_ack_(no_ack) {
  engine.add(*this);
}

ConsumerCore::~ConsumerCore() {
  if (!engine_) return;
  for (; !queue_.empty(); queue_.pop_front()) count(queue_.front(), -1);
  engine_->remove(*this);
}

void ConsumerCore::count(const Delivered& delivered, int times) {
  const Content& content = delivered.content;
  const std::size_t bytes = content.method.size() + content.header.size() + content.body.size();
  engine_->count_delivered(times * static_cast<std::ptrdiff_t>(bytes));
}

void ConsumerCore::next(Completion<Failure, Delivered> done, std::uint64_t op) {
  if (waiter_) return engine_->complete(std::move(done), ClientErrc::busy, Delivered());
  waiter_ = std::move(done);
  waiter_op_ = op;
  engine_->list(*this);
}

bool ConsumerCore::stop_waiting(const Failure& why) {
  if (!waiter_) return false;
  engine_->complete(std::exchange(waiter_, {}), why, Delivered());
  return true;
}

void ConsumerCore::push(Delivered delivered) {
  count(delivered, 1);
  queue_.push_back(std::move(delivered));
  if (waiter_) engine_->list(*this);
}

void ConsumerCore::run_due() {
  while (is_due()) {
    Completion<Failure, Delivered> waiter = std::move(waiter_);
    if (queue_.empty()) return waiter(why_, Delivered());
    Delivered delivered = std::move(queue_.front());
    queue_.pop_front();
    count(delivered, -1);
    waiter(Failure(), std::move(delivered));
  }
}

}  // namespace tern::amqp
