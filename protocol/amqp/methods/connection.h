// Class connection: greeting, authentication, tuning, opening, closing; RabbitMQ's blocked and
// update-secret. Always on channel 0.
#ifndef TERN_PROTOCOL_AMQP_METHODS_CONNECTION_H_
#define TERN_PROTOCOL_AMQP_METHODS_CONNECTION_H_

#include <cstdint>

#include "protocol/amqp/codec.h"

namespace tern::amqp {

struct ConnectionStartOk;
struct ConnectionSecureOk;
struct ConnectionTuneOk;
struct ConnectionOpenOk;
struct ConnectionCloseOk;
struct ConnectionUpdateSecretOk;

struct ConnectionStart {
  static constexpr Method method{{10, 10}, "connection.start", Sender::server};
  using Replies = wire::TypeList<ConnectionStartOk>;

  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 9;
  Table server_properties = {};
  Bytes mechanisms = {};
  Bytes locales = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionStart;
    field("version_major", &M::version_major);
    field("version_minor", &M::version_minor);
    field("server_properties", &M::server_properties);
    field("mechanisms", &M::mechanisms);
    field("locales", &M::locales);
  }
  friend bool operator==(const ConnectionStart&, const ConnectionStart&) = default;
};

struct ConnectionStartOk {
  static constexpr Method method{{10, 11}, "connection.start-ok", Sender::client};

  Table client_properties = {};
  Text mechanism = {};
  Bytes response = {};
  Text locale = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionStartOk;
    field("client_properties", &M::client_properties);
    field("mechanism", &M::mechanism);
    field("response", &M::response, kSecret);
    field("locale", &M::locale);
  }
  friend bool operator==(const ConnectionStartOk&, const ConnectionStartOk&) = default;
};

struct ConnectionSecure {
  static constexpr Method method{{10, 20}, "connection.secure", Sender::server};
  using Replies = wire::TypeList<ConnectionSecureOk>;

  Bytes challenge = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionSecure;
    field("challenge", &M::challenge);
  }
  friend bool operator==(const ConnectionSecure&, const ConnectionSecure&) = default;
};

struct ConnectionSecureOk {
  static constexpr Method method{{10, 21}, "connection.secure-ok", Sender::client};

  Bytes response = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionSecureOk;
    field("response", &M::response, kSecret);
  }
  friend bool operator==(const ConnectionSecureOk&, const ConnectionSecureOk&) = default;
};

// 0 means "no limit", for heartbeat "none". The heartbeat is in seconds.
struct ConnectionTune {
  static constexpr Method method{{10, 30}, "connection.tune", Sender::server};
  using Replies = wire::TypeList<ConnectionTuneOk>;

  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionTune;
    field("channel_max", &M::channel_max);
    field("frame_max", &M::frame_max);
    field("heartbeat", &M::heartbeat);
  }
  friend bool operator==(const ConnectionTune&, const ConnectionTune&) = default;
};

struct ConnectionTuneOk {
  static constexpr Method method{{10, 31}, "connection.tune-ok", Sender::client};

  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionTuneOk;
    field("channel_max", &M::channel_max);
    field("frame_max", &M::frame_max);
    field("heartbeat", &M::heartbeat);
  }
  friend bool operator==(const ConnectionTuneOk&, const ConnectionTuneOk&) = default;
};

struct ConnectionOpen {
  static constexpr Method method{{10, 40}, "connection.open", Sender::client};
  using Replies = wire::TypeList<ConnectionOpenOk>;

  Text virtual_host = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionOpen;
    field("virtual_host", &M::virtual_host);
    field.reserved("reserved_1", Text());
    field.reserved("reserved_2", false);
  }
  friend bool operator==(const ConnectionOpen&, const ConnectionOpen&) = default;
};

struct ConnectionOpenOk {
  static constexpr Method method{{10, 41}, "connection.open-ok", Sender::server};

  template <class V>
  static constexpr void describe(V& field) {
    field.reserved("reserved_1", Text());
  }
  friend bool operator==(const ConnectionOpenOk&, const ConnectionOpenOk&) = default;
};

// The method that is to blame, or 0 and 0.
struct ConnectionClose {
  static constexpr Method method{{10, 50}, "connection.close", Sender::both};
  using Replies = wire::TypeList<ConnectionCloseOk>;

  std::uint16_t reply_code = 0;
  Text reply_text = {};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionClose;
    field("reply_code", &M::reply_code);
    field("reply_text", &M::reply_text);
    field("class_id", &M::class_id);
    field("method_id", &M::method_id);
  }
  friend bool operator==(const ConnectionClose&, const ConnectionClose&) = default;
};

struct ConnectionCloseOk {
  static constexpr Method method{{10, 51}, "connection.close-ok", Sender::both};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ConnectionCloseOk&, const ConnectionCloseOk&) = default;
};

struct ConnectionBlocked {
  static constexpr Method method{{10, 60}, "connection.blocked", Sender::server};

  Text reason = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionBlocked;
    field("reason", &M::reason);
  }
  friend bool operator==(const ConnectionBlocked&, const ConnectionBlocked&) = default;
};

struct ConnectionUnblocked {
  static constexpr Method method{{10, 61}, "connection.unblocked", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ConnectionUnblocked&, const ConnectionUnblocked&) = default;
};

struct ConnectionUpdateSecret {
  static constexpr Method method{{10, 70}, "connection.update-secret", Sender::client};
  using Replies = wire::TypeList<ConnectionUpdateSecretOk>;

  Bytes new_secret = {};
  Text reason = {};

  template <class V>
  static constexpr void describe(V& field) {
    using M = ConnectionUpdateSecret;
    field("new_secret", &M::new_secret, kSecret);
    field("reason", &M::reason);
  }
  friend bool operator==(const ConnectionUpdateSecret&, const ConnectionUpdateSecret&) = default;
};

struct ConnectionUpdateSecretOk {
  static constexpr Method method{{10, 71}, "connection.update-secret-ok", Sender::server};

  template <class V>
  static constexpr void describe(V&) {}
  friend bool operator==(const ConnectionUpdateSecretOk&,
                         const ConnectionUpdateSecretOk&) = default;
};

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_CONNECTION_H_
