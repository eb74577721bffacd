// Class basic: everything about messages, with RabbitMQ's nack. Delivery tags count from 1 on each
// channel; 0 with `multiple` means all of them.
#ifndef TERN_PROTOCOL_AMQP_METHODS_BASIC_H_
#define TERN_PROTOCOL_AMQP_METHODS_BASIC_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct BasicQosOk;
struct BasicConsumeOk;
struct BasicCancelOk;
struct BasicGetOk;
struct BasicGetEmpty;
struct BasicRecoverOk;

struct BasicQos {
  static constexpr Method method{{60, 10}, "basic.qos", Sender::client};
  using Replies = wire::TypeList<BasicQosOk>;

  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  bool global = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicQos;
    field("prefetch_size", &M::prefetch_size);
    field("prefetch_count", &M::prefetch_count);
    field("global", &M::global);
  }
  friend bool operator==(const BasicQos&, const BasicQos&) = default;
};

struct BasicQosOk {
  static constexpr Method method{{60, 11}, "basic.qos-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const BasicQosOk&, const BasicQosOk&) = default;
};

struct BasicConsume {
  static constexpr Method method{{60, 20}, "basic.consume", Sender::client};
  using Replies = wire::TypeList<BasicConsumeOk>;

  Text queue = {};
  Text consumer_tag = {};
  bool no_local = false;
  bool no_ack = false;
  bool exclusive = false;
  bool no_wait = false;
  Table arguments = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicConsume;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("consumer_tag", &M::consumer_tag);
    field("no_local", &M::no_local);
    field("no_ack", &M::no_ack);
    field("exclusive", &M::exclusive);
    field("no_wait", &M::no_wait);
    field("arguments", &M::arguments);
  }
  friend bool operator==(const BasicConsume&, const BasicConsume&) = default;
};

struct BasicConsumeOk {
  static constexpr Method method{{60, 21}, "basic.consume-ok", Sender::server};

  Text consumer_tag = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicConsumeOk;
    field("consumer_tag", &M::consumer_tag);
  }
  friend bool operator==(const BasicConsumeOk&, const BasicConsumeOk&) = default;
};

// RabbitMQ sends it too, with no_wait, when it drops a consumer.
struct BasicCancel {
  static constexpr Method method{{60, 30}, "basic.cancel", Sender::both};
  using Replies = wire::TypeList<BasicCancelOk>;

  Text consumer_tag = {};
  bool no_wait = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicCancel;
    field("consumer_tag", &M::consumer_tag);
    field("no_wait", &M::no_wait);
  }
  friend bool operator==(const BasicCancel&, const BasicCancel&) = default;
};

struct BasicCancelOk {
  static constexpr Method method{{60, 31}, "basic.cancel-ok", Sender::both};

  Text consumer_tag = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicCancelOk;
    field("consumer_tag", &M::consumer_tag);
  }
  friend bool operator==(const BasicCancelOk&, const BasicCancelOk&) = default;
};

struct BasicPublish {
  static constexpr Method method{{60, 40}, "basic.publish", Sender::client, /*has_content=*/true};

  Text exchange = {};
  Text routing_key = {};
  bool mandatory = false;
  bool immediate = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicPublish;
    field.reserved("reserved_1", std::uint16_t{0});
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
    field("mandatory", &M::mandatory);
    field("immediate", &M::immediate);
  }
  friend bool operator==(const BasicPublish&, const BasicPublish&) = default;
};

struct BasicReturn {
  static constexpr Method method{{60, 50}, "basic.return", Sender::server, /*has_content=*/true};

  std::uint16_t reply_code = 0;
  Text reply_text = {};
  Text exchange = {};
  Text routing_key = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicReturn;
    field("reply_code", &M::reply_code);
    field("reply_text", &M::reply_text);
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
  }
  friend bool operator==(const BasicReturn&, const BasicReturn&) = default;
};

struct BasicDeliver {
  static constexpr Method method{{60, 60}, "basic.deliver", Sender::server, /*has_content=*/true};

  Text consumer_tag = {};
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  Text exchange = {};
  Text routing_key = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicDeliver;
    field("consumer_tag", &M::consumer_tag);
    field("delivery_tag", &M::delivery_tag);
    field("redelivered", &M::redelivered);
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
  }
  friend bool operator==(const BasicDeliver&, const BasicDeliver&) = default;
};

struct BasicGet {
  static constexpr Method method{{60, 70}, "basic.get", Sender::client};
  using Replies = wire::TypeList<BasicGetOk, BasicGetEmpty>;

  Text queue = {};
  bool no_ack = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicGet;
    field.reserved("reserved_1", std::uint16_t{0});
    field("queue", &M::queue);
    field("no_ack", &M::no_ack);
  }
  friend bool operator==(const BasicGet&, const BasicGet&) = default;
};

struct BasicGetOk {
  static constexpr Method method{{60, 71}, "basic.get-ok", Sender::server, /*has_content=*/true};

  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  Text exchange = {};
  Text routing_key = {};
  std::uint32_t message_count = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicGetOk;
    field("delivery_tag", &M::delivery_tag);
    field("redelivered", &M::redelivered);
    field("exchange", &M::exchange);
    field("routing_key", &M::routing_key);
    field("message_count", &M::message_count);
  }
  friend bool operator==(const BasicGetOk&, const BasicGetOk&) = default;
};

struct BasicGetEmpty {
  static constexpr Method method{{60, 72}, "basic.get-empty", Sender::server};

  template <class V>
  static constexpr void describe(V& field) {
    field.reserved("reserved_1", Text());
  }
  friend bool operator==(const BasicGetEmpty&, const BasicGetEmpty&) = default;
};

struct BasicAck {
  static constexpr Method method{{60, 80}, "basic.ack", Sender::both};

  std::uint64_t delivery_tag = 0;
  bool multiple = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicAck;
    field("delivery_tag", &M::delivery_tag);
    field("multiple", &M::multiple);
  }
  friend bool operator==(const BasicAck&, const BasicAck&) = default;
};

struct BasicReject {
  static constexpr Method method{{60, 90}, "basic.reject", Sender::client};

  std::uint64_t delivery_tag = 0;
  bool requeue = true;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicReject;
    field("delivery_tag", &M::delivery_tag);
    field("requeue", &M::requeue);
  }
  friend bool operator==(const BasicReject&, const BasicReject&) = default;
};

struct BasicRecoverAsync {
  static constexpr Method method{{60, 100}, "basic.recover-async", Sender::client};

  bool requeue = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicRecoverAsync;
    field("requeue", &M::requeue);
  }
  friend bool operator==(const BasicRecoverAsync&, const BasicRecoverAsync&) = default;
};

struct BasicRecover {
  static constexpr Method method{{60, 110}, "basic.recover", Sender::client};
  using Replies = wire::TypeList<BasicRecoverOk>;

  bool requeue = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicRecover;
    field("requeue", &M::requeue);
  }
  friend bool operator==(const BasicRecover&, const BasicRecover&) = default;
};

struct BasicRecoverOk {
  static constexpr Method method{{60, 111}, "basic.recover-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const BasicRecoverOk&, const BasicRecoverOk&) = default;
};

struct BasicNack {
  static constexpr Method method{{60, 120}, "basic.nack", Sender::both};

  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  bool requeue = true;

  template <class V>
  static constexpr void describe(V& field) {
    using M = BasicNack;
    field("delivery_tag", &M::delivery_tag);
    field("multiple", &M::multiple);
    field("requeue", &M::requeue);
  }
  friend bool operator==(const BasicNack&, const BasicNack&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_BASIC_H_
