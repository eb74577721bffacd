// OwnedMessage: a message and where it goes, with memory of its own: for another thread, or for
// later. A value.
#ifndef TERN_CLIENT_AMQP_OWNED_MESSAGE_H_
#define TERN_CLIENT_AMQP_OWNED_MESSAGE_H_

#include <cstddef>
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

class OwnedMessage {
 public:
  OwnedMessage(const Target& target, const BasicProperties& properties, std::string_view body)
      : exchange_(target.exchange.view()),
        routing_key_(target.routing_key.view()),
        mandatory_(target.mandatory),
        body_(body) {
    const ContentHeader header{body.size(), properties};
    const char* field = "";
    const auto size = encoded_size(header, &field);
    if (!size) failure_ = Session::refuse(BasicPublish::method, field, size.error());
    header_.resize(size ? *size : 0);
    wire::Writer writer(header_);
    if (size) encode(header, writer);
  }

  // Why it cannot be sent at all: invalid_argument.
  const Failure& failure() const { return failure_; }
  // Views, valid as long as this lives.
  Target target() const {
    return {std::string_view(exchange_), std::string_view(routing_key_), mandatory_};
  }
  std::string_view body() const { return body_; }
  BasicProperties properties() const {
    ContentHeader header;
    (void)decode_header(wire::Bytes(std::span<const std::byte>(header_)), {}, header);
    return header.properties;
  }

 private:
  std::string exchange_;
  std::string routing_key_;
  bool mandatory_;
  std::vector<std::byte> header_;
  std::string body_;
  Failure failure_;
};

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_OWNED_MESSAGE_H_
