// Classes channel, and access, which is left over from AMQP 0-8 and which RabbitMQ still answers.
#ifndef TERN_PROTOCOL_AMQP_METHODS_CHANNEL_H_
#define TERN_PROTOCOL_AMQP_METHODS_CHANNEL_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct ChannelOpenOk;
struct ChannelFlowOk;
struct ChannelCloseOk;
struct AccessRequestOk;

struct ChannelOpen {
  static constexpr Method method{{20, 10}, "channel.open", Sender::client};
  using Replies = wire::TypeList<ChannelOpenOk>;

  template <class V>
  static constexpr void describe(V& field) {
    field.reserved("reserved_1", Text());
  }
  friend bool operator==(const ChannelOpen&, const ChannelOpen&) = default;
};

struct ChannelOpenOk {
  static constexpr Method method{{20, 11}, "channel.open-ok", Sender::server};

  template <class V>
  static constexpr void describe(V& field) {
    field.reserved("reserved_1", Bytes());
  }
  friend bool operator==(const ChannelOpenOk&, const ChannelOpenOk&) = default;
};

// RabbitMQ refuses `active = false` with 540.
struct ChannelFlow {
  static constexpr Method method{{20, 20}, "channel.flow", Sender::both};
  using Replies = wire::TypeList<ChannelFlowOk>;

  bool active = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ChannelFlow;
    field("active", &M::active);
  }
  friend bool operator==(const ChannelFlow&, const ChannelFlow&) = default;
};

struct ChannelFlowOk {
  static constexpr Method method{{20, 21}, "channel.flow-ok", Sender::both};

  bool active = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ChannelFlowOk;
    field("active", &M::active);
  }
  friend bool operator==(const ChannelFlowOk&, const ChannelFlowOk&) = default;
};

struct ChannelClose {
  static constexpr Method method{{20, 40}, "channel.close", Sender::both};
  using Replies = wire::TypeList<ChannelCloseOk>;

  std::uint16_t reply_code = 0;
  Text reply_text = {};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ChannelClose;
    field("reply_code", &M::reply_code);
    field("reply_text", &M::reply_text);
    field("class_id", &M::class_id);
    field("method_id", &M::method_id);
  }
  friend bool operator==(const ChannelClose&, const ChannelClose&) = default;
};

struct ChannelCloseOk {
  static constexpr Method method{{20, 41}, "channel.close-ok", Sender::both};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ChannelCloseOk&, const ChannelCloseOk&) = default;
};

struct AccessRequest {
  static constexpr Method method{{30, 10}, "access.request", Sender::client};
  using Replies = wire::TypeList<AccessRequestOk>;

  Text realm = {};
  bool exclusive = false;
  bool passive = true;
  bool active = true;
  bool write = true;
  bool read = true;

  template <class V>
  static constexpr void describe(V& field) {
    using M = AccessRequest;
    field("realm", &M::realm);
    field("exclusive", &M::exclusive);
    field("passive", &M::passive);
    field("active", &M::active);
    field("write", &M::write);
    field("read", &M::read);
  }
  friend bool operator==(const AccessRequest&, const AccessRequest&) = default;
};

struct AccessRequestOk {
  static constexpr Method method{{30, 11}, "access.request-ok", Sender::server};

  std::uint16_t ticket = 1;

  template <class V>
  static constexpr void describe(V& field) {
    using M = AccessRequestOk;
    field("ticket", &M::ticket);
  }
  friend bool operator==(const AccessRequestOk&, const AccessRequestOk&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_CHANNEL_H_
