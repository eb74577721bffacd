#include "client/amqp/resend_core.h"

#include <utility>

#include "client/amqp/engine.h"

namespace tern::amqp {

ResendCore::ResendCore(Engine& engine, std::shared_ptr<ChannelCore> channel, std::size_t max_kept)
    : engine_(engine), channel_(std::move(channel)), max_kept_(max_kept) {}

void ResendCore::publish(OwnedTarget target, OwnedMessage message, Completion<Failure> done) {
  if (message.failure()) return engine_.resolve(std::move(done), message.failure());
  if (kept_.size() >= max_kept_) return engine_.resolve(std::move(done), ClientErrc::queue_full);
  const std::uint64_t number = ++last_number_;
  kept_.emplace(number, Kept{std::move(target), std::move(message), std::move(done)});
  unsent_.insert(unsent_.end(), number);
  pump();
}

// Publishes what is to be, oldest first.
void ResendCore::pump() {
  while (!waits_ && !unsent_.empty()) {
    const std::uint64_t number = *unsent_.begin();
    const Kept& kept = kept_.at(number);
    Failure refused = channel_->publish(kept.target.view(), kept.message.view(),
                                        [self = shared_from_this(), number](Failure why) {
                                          self->engine_.enter();
                                          self->on_outcome(number, std::move(why));
                                        });
    if (refused.code == ClientErrc::queue_full || refused.code == ClientErrc::no_broker) {
      waits_ = true;
      // An error is the channel's end, and publish() says so.
      return channel_->wait_space([self = shared_from_this()](const Failure&) {
        self->engine_.enter();
        self->waits_ = false;
        self->pump();
      });
    }
    unsent_.erase(unsent_.begin());
    if (refused) finish(number, std::move(refused));
  }
}

void ResendCore::on_outcome(std::uint64_t number, Failure why) {
  const bool lost = why.code == ClientErrc::maybe_written || why.code == ClientErrc::not_written;
  if (!lost || channel_->state() == ChannelCore::State::closed) {
    return finish(number, std::move(why));
  }
  unsent_.insert(number);
  pump();
}

void ResendCore::finish(std::uint64_t number, Failure why) {
  const auto it = kept_.find(number);
  if (it == kept_.end()) return;
  engine_.resolve(std::move(it->second.done), std::move(why));
  kept_.erase(it);
}

}  // namespace tern::amqp
