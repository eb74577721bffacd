// Every method there is, in one list: a new one is a description and a name here. Table of methods,
// dispatch, generic tests, fuzzers and printers all follow from it.
#ifndef TERN_PROTOCOL_AMQP_METHODS_ALL_H_
#define TERN_PROTOCOL_AMQP_METHODS_ALL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "protocol/amqp/codec.h"
#include "protocol/amqp/methods/basic.h"
#include "protocol/amqp/methods/channel.h"
#include "protocol/amqp/methods/connection.h"
#include "protocol/amqp/methods/exchange.h"
#include "protocol/amqp/methods/queue.h"
#include "protocol/amqp/methods/transactions.h"
#include "protocol/wire/describe.h"

namespace tern::amqp {

// In order of class and number.
using AllMethods = wire::TypeList<
    ConnectionStart, ConnectionStartOk, ConnectionSecure, ConnectionSecureOk, ConnectionTune,
    ConnectionTuneOk, ConnectionOpen, ConnectionOpenOk, ConnectionClose, ConnectionCloseOk,
    ConnectionBlocked, ConnectionUnblocked, ConnectionUpdateSecret, ConnectionUpdateSecretOk,
    ChannelOpen, ChannelOpenOk, ChannelFlow, ChannelFlowOk, ChannelClose, ChannelCloseOk,
    AccessRequest, AccessRequestOk, ExchangeDeclare, ExchangeDeclareOk, ExchangeDelete,
    ExchangeDeleteOk, ExchangeBind, ExchangeBindOk, ExchangeUnbind, ExchangeUnbindOk, QueueDeclare,
    QueueDeclareOk, QueueBind, QueueBindOk, QueuePurge, QueuePurgeOk, QueueDelete, QueueDeleteOk,
    QueueUnbind, QueueUnbindOk, BasicQos, BasicQosOk, BasicConsume, BasicConsumeOk, BasicCancel,
    BasicCancelOk, BasicPublish, BasicReturn, BasicDeliver, BasicGet, BasicGetOk, BasicGetEmpty,
    BasicAck, BasicReject, BasicRecoverAsync, BasicRecover, BasicRecoverOk, BasicNack,
    ConfirmSelect, ConfirmSelectOk, TxSelect, TxSelectOk, TxCommit, TxCommitOk, TxRollback,
    TxRollbackOk>;

// What is known of a method without its type.
struct MethodInfo {
  Method method;
  std::array<MethodId, 2> replies{};  // the first `reply_count` count
  std::uint8_t reply_count = 0;
  bool has_no_wait = false;  // may ask for no answer

  constexpr bool is_synchronous() const { return reply_count != 0; }
  constexpr bool is_answered_by(MethodId id) const {
    for (std::uint8_t i = 0; i < reply_count; ++i) {
      if (replies[i] == id) return true;
    }
    return false;
  }
};

std::span<const MethodInfo> all_methods();  // in order of id
// nullptr for a class or a method that AMQP does not have.
const MethodInfo* find_method(MethodId id);

namespace internal {

// Reads class and number; nullptr with `error` set if they cannot be read or mean nothing.
const MethodInfo* begin_method(wire::Reader& reader, PayloadError& error);
// What decoding M's fields ended with.
PayloadError field_error(const Method& method, const wire::Reader& reader);

template <class M, class Handler>
std::optional<PayloadError> decode_into(wire::Reader& reader, const DecodeLimits& limits,
                                        Handler& handler) {
  M message;
  if (!decode(reader, limits, message)) return field_error(M::method, reader);
  handler(static_cast<const M&>(message));
  return std::nullopt;
}

template <class Handler, class List>
struct Dispatch;
template <class Handler, class... Ms>
struct Dispatch<Handler, wire::TypeList<Ms...>> {
  using Function = std::optional<PayloadError> (*)(wire::Reader&, const DecodeLimits&, Handler&);
  static constexpr std::array<Function, sizeof...(Ms)> table{&decode_into<Ms, Handler>...};
};

}  // namespace internal

// Decodes the payload of a method frame and calls `handler(const M&)` with it, through a table of
// all methods; the message and its views are good during that call, as long as the payload is. The
// handler takes every method: a template, or an overload set with a template for the rest. On an
// error it is not called. Unknown methods: 503; fields that cannot be read: 502.
template <class Handler>
[[nodiscard]] std::optional<PayloadError> dispatch(Bytes payload, const DecodeLimits& limits,
                                                   Handler&& handler) {
  using H = std::remove_reference_t<Handler>;
  wire::Reader reader(payload);
  PayloadError error;
  const MethodInfo* const info = internal::begin_method(reader, error);
  if (info == nullptr) return error;
  const auto index = static_cast<std::size_t>(info - all_methods().data());
  return internal::Dispatch<H, AllMethods>::table[index](reader, limits, handler);
}

// Decodes the payload of a method frame that has to be an M.
template <class M>
[[nodiscard]] std::optional<PayloadError> decode_method(Bytes payload, const DecodeLimits& limits,
                                                        M& out) {
  wire::Reader reader(payload);
  PayloadError error;
  const MethodInfo* const info = internal::begin_method(reader, error);
  if (info == nullptr) return error;
  if (info->method.id != M::method.id) {
    return PayloadError{.what = {wire::Errc::bad_value, "method", 0},
                        .id = info->method.id,
                        .name = info->method.name,
                        .reply = ReplyErrc::command_invalid};
  }
  if (!decode(reader, limits, out)) return internal::field_error(M::method, reader);
  return std::nullopt;
}

// The method of a payload as text, or why there is none.
std::string print_method(Bytes payload, const DecodeLimits& limits = {});

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_METHODS_ALL_H_
