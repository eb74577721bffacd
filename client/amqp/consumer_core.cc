#include <cstddef>
#include <utility>

#include "client/amqp/channel_core.h"
#include "client/amqp/engine.h"

namespace tern::amqp {
namespace {

constexpr std::size_t kMinTakenToDrop = 64;

std::ptrdiff_t size_of(const Delivered& delivered) {
  const Content& content = delivered.content;
  return static_cast<std::ptrdiff_t>(content.method.size() + content.header.size() +
                                     content.body.size());
}

}  // namespace

ConsumerCore::ConsumerCore(Engine& engine, std::string tag, std::string queue, bool no_ack)
    : engine_(&engine),
      tag_(std::move(tag)),
      queue_name_(std::move(queue)),
      no_ack_(no_ack),
      is_of_replies_(queue_name_ == kDirectReplyTo) {
  engine.add(*this);
}

ConsumerCore::~ConsumerCore() {
  if (!engine_) return;
  for (; next_ != queue_.size(); ++next_) count(queue_[next_], -1);
  engine_->remove(*this);
}

void ConsumerCore::count(const Delivered& delivered, int times) {
  engine_->count_delivered(times * size_of(delivered));
}

void ConsumerCore::next(Completion<Failure, Delivered> done, std::uint64_t op) {
  if (is_awaited()) return engine_->complete(std::move(done), ClientErrc::busy, Delivered());
  waiter_ = std::move(done);
  waiter_op_ = op;
  engine_->list(*this);
}

void ConsumerCore::next_all(Completion<Failure, std::vector<Delivered>> done, std::uint64_t op) {
  if (is_awaited()) return engine_->complete(std::move(done), ClientErrc::busy, {});
  all_waiter_ = std::move(done);
  waiter_op_ = op;
  engine_->list(*this);
}

bool ConsumerCore::stop_waiting(const Failure& why) {
  if (!is_awaited()) return false;
  if (waiter_) {
    engine_->complete(std::exchange(waiter_, {}), why, Delivered());
  } else {
    engine_->complete(std::exchange(all_waiter_, {}), why, {});
  }
  return true;
}

void ConsumerCore::push(Delivered&& delivered) {
  count(delivered, 1);
  // What has been taken does not stay in the way for ever.
  if (next_ >= kMinTakenToDrop && 2 * next_ >= queue_.size()) drop_taken();
  if (queue_.capacity() == 0) queue_ = std::exchange(spare_, {});
  queue_.push_back(std::move(delivered));
  if (is_awaited()) engine_->list(*this);
}

void ConsumerCore::drop_taken() {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ = 0;
}

void ConsumerCore::reuse(std::vector<Delivered> memory) {
  memory.clear();
  if (memory.capacity() > spare_.capacity()) spare_ = std::move(memory);
}

void ConsumerCore::run_due() {
  while (is_due()) {
    if (all_waiter_) {
      run_all_waiter();
      continue;
    }
    Completion<Failure, Delivered> waiter = std::move(waiter_);
    if (next_ == queue_.size()) return waiter(why_, Delivered());
    Delivered delivered = std::move(queue_[next_++]);
    count(delivered, -1);
    if (next_ == queue_.size()) drop_taken();
    waiter(Failure(), std::move(delivered));
  }
}

void ConsumerCore::run_all_waiter() {
  Completion<Failure, std::vector<Delivered>> waiter = std::move(all_waiter_);
  if (next_ == queue_.size()) return waiter(why_, {});
  drop_taken();
  std::vector<Delivered> all = std::move(queue_);
  queue_ = {};
  std::ptrdiff_t bytes = 0;
  for (const Delivered& each : all) bytes += size_of(each);
  engine_->count_delivered(-bytes);
  waiter(Failure(), std::move(all));
}

}  // namespace tern::amqp
