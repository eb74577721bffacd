// ResendCore: publishing at least once. A message is kept until the broker has confirmed it; those
// whose confirm was lost with the connection are published again, in their order, on the next one.
// So a message may be there more than once.
//
// What becomes of a message: no error (the broker has it), ReplyErrc::no_route or ClientErrc::
// refused as of any other; maybe_written, not_written or the channel's error only when the channel
// ends for good.
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_AMQP_RESEND_CORE_H_
#define TERN_CLIENT_AMQP_RESEND_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include "client/amqp/channel_core.h"
#include "client/amqp/owned_message.h"
#include "client/core/completion.h"
#include "client/core/error.h"

namespace tern::amqp {

class ResendCore : public std::enable_shared_from_this<ResendCore> {
 public:
  // The channel has to have confirms. `max_kept`: messages; above it queue_full.
  ResendCore(Engine& engine, std::shared_ptr<ChannelCore> channel, std::size_t max_kept);
  ResendCore(const ResendCore&) = delete;
  ResendCore& operator=(const ResendCore&) = delete;

  void publish(OwnedTarget target, OwnedMessage message, Completion<Failure> done);

 private:
  struct Kept {
    OwnedTarget target;
    OwnedMessage message;
    Completion<Failure> done;
  };

  void pump();
  void on_outcome(std::uint64_t number, Failure why);
  void finish(std::uint64_t number, Failure why);

  Engine& engine_;
  const std::shared_ptr<ChannelCore> channel_;
  const std::size_t max_kept_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Kept> kept_;
  std::set<std::uint64_t> unsent_;  // of those
  bool waits_ = false;              // for space
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_RESEND_CORE_H_
