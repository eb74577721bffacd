// OwnedTarget and OwnedMessage: where to and what, with memory of their own: for another thread, or
// for later. Values; what view() returns is valid as long as they live.
#ifndef TERN_CLIENT_AMQP_OWNED_MESSAGE_H_
#define TERN_CLIENT_AMQP_OWNED_MESSAGE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/amqp/channel_core.h"
#include "client/amqp/session.h"
#include "client/core/error.h"
#include "protocol/amqp/methods/basic.h"
#include "protocol/amqp/properties.h"

namespace tern::amqp {

class OwnedTarget {
 public:
  explicit OwnedTarget(const Target& target)
      : exchange_(target.exchange.view()),
        routing_key_(target.routing_key.view()),
        mandatory_(target.mandatory) {}

  Target view() const {
    return {std::string_view(exchange_), std::string_view(routing_key_), mandatory_};
  }

 private:
  std::string exchange_;
  std::string routing_key_;
  bool mandatory_;
};

// A body that somebody keeps stays where it is.
class OwnedMessage {
 public:
  explicit OwnedMessage(const Message& message)
      : body_bytes_(message.body.size()), owner_(message.owner) {
    const ContentHeader header{message.body.size(), message.properties};
    const char* field = "";
    const auto size = encoded_size(header, &field);
    if (!size) {
      failure_ = Session::refuse(BasicPublish::method, field, size.error());
      return;
    }
    header_bytes_ = *size;
    bytes_.resize(header_bytes_ + (owner_ ? 0 : body_bytes_));
    wire::Writer writer(bytes_);
    encode(header, writer);
    if (owner_) {
      kept_ = message.body.data();
    } else {
      writer.bytes(message.body);
    }
  }

  // Why it cannot be sent at all: invalid_argument. There is nothing to view then.
  const Failure& failure() const { return failure_; }
  Message view() const {
    if (failure_) return {};
    const std::span<const std::byte> all(bytes_);
    ContentHeader header;
    (void)decode_header(wire::Bytes(all.first(header_bytes_)), {}, header);
    const char* const copy = reinterpret_cast<const char*>(bytes_.data()) + header_bytes_;
    return {{owner_ ? kept_ : copy, body_bytes_}, header.properties, owner_};
  }

 private:
  std::vector<std::byte> bytes_;  // the header and, unless somebody keeps it, the body
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  const char* kept_ = nullptr;
  std::shared_ptr<const void> owner_;
  Failure failure_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_OWNED_MESSAGE_H_
